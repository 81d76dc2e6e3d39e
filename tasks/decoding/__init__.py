"""The bytes of files into upright 8-bit pictures: formats, limits and decoders."""
