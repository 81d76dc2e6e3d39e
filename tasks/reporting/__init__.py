"""Reports for people: values in, HTML and markdown out."""
