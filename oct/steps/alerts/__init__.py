"""What needs a person, in French sentences: `oct status` and the console say the same (K1)."""
