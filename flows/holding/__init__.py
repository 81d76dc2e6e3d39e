"""What holds a batch back, and how it is released or dropped."""
