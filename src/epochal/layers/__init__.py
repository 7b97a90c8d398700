"""Building blocks that stand alone: plain modules and functions, one idea each."""
