"""Where queries come from, and what becomes of each of them."""
