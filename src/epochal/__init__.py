"""The practitioners' guides to training deep networks, made executable."""

__version__ = "0.1.0"
