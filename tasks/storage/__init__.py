"""What is kept for long: append-only journals, and small objects of a bucket."""
