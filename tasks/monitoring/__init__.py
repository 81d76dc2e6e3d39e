"""What really comes, watched: is a batch like those before it, how well is it read."""
