"""What the canonical form is, for those who handle pictures in it and decode none."""

CANONICAL_VERSION = "5"  # another one wherever a pixel of a form may change
SIDE, BOX = 28, 20  # px: MNIST's frame, and the box that the digit fills in it
