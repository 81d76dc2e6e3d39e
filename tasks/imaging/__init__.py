"""From the bytes of a file to its picture, and from a picture to its canonical form."""
