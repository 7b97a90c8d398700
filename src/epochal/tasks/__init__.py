"""What each task is: its target, loss, metric, head, prior, chance level, and how a prediction is written down."""
