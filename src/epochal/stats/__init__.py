"""Numbers from arrays: moments, intervals, scores, curves. Never touches torch."""
