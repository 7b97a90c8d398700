"""Networks sized by rule, their heads, and what they cost."""
