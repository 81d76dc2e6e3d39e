"""From a picture to its canonical form, and the ways to see it."""
