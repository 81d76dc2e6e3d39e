"""Labelled digits: MNIST and people's own, checked and kept as snapshots."""
