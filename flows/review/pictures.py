"""The pictures that people look at, decoded in a process of their own, ahead of those who look."""

import threading
import time
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from tasks.errors import DigitflowError
from tasks.inputs.base import Inputs, unprintable
from tasks.outcomes import Undecodable
from tasks.processes.page_process import (
    DecodedPage,
    PageProcesses,
    PageRequest,
    PageSettings,
    PagesOfFile,
)
from tasks.processes.watched_process import WatchedProcess
from tasks.review.as_read import FilesAsRead, PageAsRead, inputs_of

SIDE = 1_200  # px: longer side of an original as it is shown, at most
KEPT = 24  # pictures, each of a few MB
TOGETHER = 8  # pictures of one root that are decoded in one go
PAGE_S, ALL_S = 30.0, 60.0  # seconds for a page, and for all that are decoded in one go
FAST = [cv2.IMWRITE_PNG_COMPRESSION, 1]  # nobody keeps it
TRIED_AGAIN_S = 20.0  # after which what could not be shown may be there again


@dataclass(frozen=True)
class TwoPictures:
    """A picture as it is, and as the model sees it; each as a PNG file."""

    original: bytes
    form: bytes


class Pictures:
    """Decodes what is asked for, and keeps the last ones."""

    def __init__(self) -> None:
        """Start nothing until something is asked for."""
        self._kept: OrderedDict[PageAsRead, TwoPictures | tuple[str, float]] = OrderedDict()
        self._wanted: OrderedDict[PageAsRead, None] = OrderedDict()
        self._inputs: dict[str, Inputs] = {}
        self._process: WatchedProcess | None = None
        self._closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._decode_ahead, name="decode", daemon=True)
        self._thread.start()

    def prefetch(self, pages: Sequence[PageAsRead]) -> None:
        """Let pages be decoded, of which somebody is going to ask for one."""
        with self._changed:
            for page in pages:
                if page not in self._kept:
                    self._wanted.setdefault(page)
            self._changed.notify_all()

    def get(self, page: PageAsRead) -> TwoPictures | str:
        """Return a picture, or why it cannot be shown."""
        with self._changed:
            if self._failed_long_ago(page):
                del self._kept[page]
            if page not in self._kept:
                self._wanted[page] = None
                self._wanted.move_to_end(page, last=False)
                self._changed.notify_all()
                self._changed.wait_for(lambda: page in self._kept or self._closed, ALL_S)
            found = self._kept.get(page, ("it takes too long to load", 0.0))
            if page in self._kept:
                self._kept.move_to_end(page)
        return found if isinstance(found, TwoPictures) else found[0]

    def page(self, page: PageAsRead) -> NDArray[np.uint8] | None:
        """Return the decoded page, uint8 (H, W, 3) RGB; None: it is not to be had."""
        found = self.get(page)
        if isinstance(found, str):
            return None
        pixels = cv2.imdecode(np.frombuffer(found.original, np.uint8), cv2.IMREAD_COLOR_RGB)
        return None if pixels is None else np.asarray(pixels, np.uint8)

    def is_unshown(self, page: PageAsRead) -> bool:
        """Tell whether a page could not be shown."""
        with self._changed:
            return isinstance(self._kept.get(page), tuple)

    def close(self) -> None:
        """End what decodes."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            if self._process:
                self._process.end()
        self._thread.join(ALL_S)

    def _failed_long_ago(self, page: PageAsRead) -> bool:
        kept = self._kept.get(page)
        return isinstance(kept, tuple) and kept[1] + TRIED_AGAIN_S < time.monotonic()

    def _decode_ahead(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._wanted or self._closed)
                if self._closed:
                    return
                pages = self._next()
            found = self._decoded(pages)
            with self._changed:
                for page, what in zip(pages, found, strict=True):
                    self._wanted.pop(page, None)
                    kept = (what, time.monotonic()) if isinstance(what, str) else what
                    self._kept[page] = kept
                while len(self._kept) > KEPT:
                    self._kept.popitem(last=False)
                self._changed.notify_all()

    def _next(self) -> list[PageAsRead]:
        """Return the page that is wanted first, and others that lie at the same place."""
        first = next(iter(self._wanted))
        same = [page for page in self._wanted if page.root == first.root]
        return same[:TOGETHER]

    def _decoded(self, pages: Sequence[PageAsRead]) -> list[TwoPictures | str]:
        try:
            return list(self._pages(pages))
        except Exception as error:  # whatever it is, people are told, and go on to the next
            self._inputs.pop(pages[0].root, None)
            return [str(error)] * len(pages)

    def _pages(self, pages: Sequence[PageAsRead]) -> Iterator[TwoPictures | str]:
        root = pages[0].root
        if root not in self._inputs:
            self._inputs[root] = inputs_of(root)
        files = dict[bytes, PageAsRead]()
        numbers = dict[bytes, set[int]]()
        for page in pages:
            path = unprintable(page.path)
            files[path] = page
            numbers.setdefault(path, set()).add(page.page)
        requests = [PageRequest(path, tuple(sorted(some))) for path, some in numbers.items()]
        settings = PageSettings(
            FilesAsRead(self._inputs[root], files), PAGE_S, thumbnails=True, side=SIDE
        )
        answers = PageProcesses(settings, self._acquire).decode(requests, ALL_S)
        # asked for first, so that they come to their end, and give their process back
        found = {path: pages for pages, path in zip(answers, numbers, strict=False)}
        for page in pages:
            yield self._shown(found.get(unprintable(page.path)), page)

    def _shown(self, found: PagesOfFile | None, page: PageAsRead) -> TwoPictures | str:
        if found is None:
            return "it takes too long to load"
        there = found.get(page.page)
        if isinstance(there, DecodedPage) and there.thumbnail is not None:
            return TwoPictures(_png(there.thumbnail), _png(255 - there.form))
        if isinstance(there, Undecodable):
            self._inputs.pop(page.root, None)  # an archive may be another one by now
            return there.detail
        return "the file has no such page any more"

    @contextmanager
    def _acquire(self) -> Iterator[WatchedProcess]:
        with self._changed:
            if self._closed:
                raise DigitflowError("the server is being ended")
            process = self._process or WatchedProcess("tasks.processes.page_process", None)
            self._process = process
        try:
            yield process
        except BaseException:
            process.end()
            self._process = None
            raise


def _png(picture: NDArray[np.uint8]) -> bytes:
    done, data = cv2.imencode(".png", picture, FAST)
    if not done:
        raise DigitflowError("the picture cannot be written as PNG")
    return data.tobytes()
