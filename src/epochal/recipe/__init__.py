"""Values only: what to train and how, and the record of what was measured and decided."""
