"""What can go wrong while training: rules over the history of a run. Never touches torch."""
