"""Pages as the process that decodes for people gives them, made here."""

from tasks.decoding.decode import Picture
from tasks.decoding.thumbnail import thumbnail
from tasks.processes.page_process import DecodedPage


def page_of(picture: Picture) -> DecodedPage:
    """Return a decoded picture as a page with its thumbnail."""
    form, ink, others = picture.prepared()
    small = thumbnail(picture.shown())
    return DecodedPage(form, ink, picture.width, picture.height, small, others)
