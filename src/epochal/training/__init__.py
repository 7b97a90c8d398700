"""The engine: the loop as a generator of steps, its pace, exact resume, checkpoints, evaluation, environment."""
