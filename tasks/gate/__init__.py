"""What a model has to show before it may serve."""
