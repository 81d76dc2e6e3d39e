"""The networks, their fit and their export; the one room that imports TensorFlow."""
