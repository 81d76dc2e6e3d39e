"""What one file may cost, whoever decodes it: pixels, memory and pages."""

MAX_PIXELS = 64_000_000  # of one page, from its header
MAX_MEMORY = 6 * MAX_PIXELS  # bytes that decoding one page may take, the file's own apart
MAX_PAGES = 100


def too_large(width: int, height: int, memory: int, kind: str) -> str:
    """Return why a page is not decoded, by its header; nothing if it is.

    Args:
        width: px.
        height: px.
        memory: bytes that decoding it takes, at most.
        kind: of picture, for the sentence.
    """
    pixels = width * height
    size = f"{width} x {height} = {pixels:,} pixels"
    if pixels > MAX_PIXELS:
        return f"{size}, limit {MAX_PIXELS:,}"
    if memory > MAX_MEMORY:
        return f"{size} of {kind} take {memory:,} bytes to decode, limit {MAX_MEMORY:,}"
    return ""
