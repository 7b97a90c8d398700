"""What a network is asked to make small; each loss knows its value at initialisation."""
