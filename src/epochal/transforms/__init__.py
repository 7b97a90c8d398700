"""Batch in, batch out: normalisation and augmentation, each draw decided by (seed, epoch, sample) alone."""
