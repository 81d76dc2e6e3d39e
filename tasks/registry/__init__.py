"""Model versions: what is there, what serves, and what was done to them."""
