"""Digits in every scene, as reading sees them: all ways to see each, and what kind it is of."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray

from tasks.imaging.canonical import prepared
from tasks.imaging.form import Kind, Prepared
from tasks.synthesis.digit_scenes import SCENES
from tasks.synthesis.generate import CHUNK, LabelledImages, drawn
from tasks.synthesis.rasterize import as_written

CALIBRATED = tuple(name for name in SCENES if name not in {"sheet", "noisy thumbnail"})
"""Scenes as people have them; sheets are easier, and noise is drawn harder, to be learned from."""
AGAIN = ("tight crop", Kind.CROPPED, 4)
"""Scene that is drawn again, so often, for digits of one kind, of which it has too few else."""


@dataclass(frozen=True)
class SeenDigits:
    """N pictures of digits after their preparation, with at least one form each."""

    forms: NDArray[np.uint8]  # (F, 28, 28): the ways to see each, one picture after the other
    ways: NDArray[np.int64]  # (N,): how many each has
    labels: NDArray[np.int8]  # (N,): what was drawn
    kinds: NDArray[np.str_]  # (N,): names of Kind
    settled: NDArray[np.bool_]  # (N,): ink of one digit, in which nothing is left to a person
    sources: NDArray[np.int64]  # (N,): the given picture that it was drawn from

    @property
    def first(self) -> NDArray[np.int64]:
        """Return the first form of each, (N,)."""
        return np.cumsum(self.ways) - self.ways


NOTHING = SeenDigits(
    np.empty((0, 28, 28), np.uint8),
    np.empty(0, np.int64),
    np.empty(0, np.int8),
    np.empty(0, np.str_),
    np.empty(0, np.bool_),
    np.empty(0, np.int64),
)


@dataclass(frozen=True)
class _Chunk:
    """Digits that one process draws in one scene, by a seed of their own."""

    seed: int
    scene: str
    place: int  # of the scene among all
    only: Kind | None  # what else was seen is left out
    start: int  # number of the first source
    source: LabelledImages

    def seen(self) -> SeenDigits:
        """Draw and prepare them."""
        cv2.setNumThreads(1)
        random = np.random.default_rng([self.seed, self.place, self.start])
        seen, sources = list[Prepared](), list[int]()
        for number, picture in enumerate(self.source.images):
            shown, _ = SCENES[self.scene](partial(as_written, picture), random)
            found = prepared(shown)
            if self.only in {None, found.ink.kind}:
                seen.append(found)
                sources.append(number)
        if not seen:
            return NOTHING
        return SeenDigits(
            forms=np.stack([form for each in seen for form in (each.form, *each.others)]),
            ways=np.array([1 + len(each.others) for each in seen]),
            labels=self.source.labels[sources],
            kinds=np.array([str(each.ink.kind) for each in seen]),
            settled=np.array(
                [
                    not each.ink.blank and not each.ink.other_digits and not each.ink.unsettled
                    for each in seen
                ]
            ),
            sources=self.start + np.array(sources),
        )


def see_digits(
    source: LabelledImages,
    seed: int,
    scenes: Sequence[str] = CALIBRATED,
    processes: int = 0,
    on_progress: Callable[[int], None] | None = None,
) -> SeenDigits:
    """Draw each given digit in each scene, and prepare it as reading does.

    The same seed gives the same pictures, however many processes draw them.

    Args:
        source: canonical digits.
        seed: of all pictures.
        scenes: names of SCENES; AGAIN is drawn besides.
        processes: that draw; 0: one per core, 1: this one.
        on_progress: called with how many are drawn by now.
    """
    asked: list[tuple[str, Kind | None]] = [(name, None) for name in scenes]
    asked += [AGAIN[:2]] * AGAIN[2]
    chunks = [
        _Chunk(
            seed,
            scene,
            place,
            only,
            start,
            LabelledImages(
                source.images[start : start + CHUNK], source.labels[start : start + CHUNK]
            ),
        )
        for place, (scene, only) in enumerate(asked)
        for start in range(0, len(source.labels), CHUNK)
    ]
    parts = drawn(_Chunk.seen, chunks, processes, on_progress)
    return SeenDigits(
        *(np.concatenate([getattr(part, name) for part in parts]) for name in vars(parts[0]))
    )


def once_each(seen: SeenDigits, kind: Kind, seed: int) -> NDArray[np.int64]:
    """Return which pictures of a kind are left where each source counts once, (M,), by chance."""
    random = np.random.default_rng(seed)
    these = random.permutation(np.flatnonzero(seen.kinds == kind))
    return np.sort(these[np.unique(seen.sources[these], return_index=True)[1]])
