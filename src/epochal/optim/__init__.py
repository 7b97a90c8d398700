"""How weights move: optimizers by name, and schedules as closed forms of progress."""
