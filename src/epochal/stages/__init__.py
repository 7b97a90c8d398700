"""The stages of a run, in the guides' order, and what they share. Whatever decides, decides here."""
