"""Reading with a model: pictures in, rows of the results table out."""
