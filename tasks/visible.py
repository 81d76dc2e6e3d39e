"""Text from anywhere, such as the name of a file, made fit to be looked at."""


def visible(text: str) -> str:
    r"""Return the text with what cannot be shown or encoded (`\n`, `\xff`, U+202E) spelled out.

    What is left moves no cursor, starts no line, turns no direction and sends a terminal nothing.
    """
    return "".join(c if c.isprintable() or c == "\u00a0" else _spelled(c) for c in text)


def encodable(text: str) -> str:
    r"""Return the text with only what has no encoding spelled out: bytes of names, as `\xff`."""
    return "".join(_spelled(c) if "\ud800" <= c <= "\udfff" else c for c in text)


def _spelled(character: str) -> str:
    if "\udc80" <= character <= "\udcff":  # a byte of a file name that is not UTF-8 (PEP 383)
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode("ascii")
