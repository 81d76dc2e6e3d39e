"""Pictures with the digits that people answered, as labelled folders: one to judge, one to learn.

`corrections/<half>/<digit>/<digest>.png` below the home. The digest is that of the pixels, and the
half follows from it: a picture is in one half alone, whatever its file was called and however often
it came. Its folder says what counts, so that a file that a person deletes is gone.
"""

import fcntl
import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from tasks.atomic import atomic_write, make_folder, sync_folder
from tasks.corrections.answers import KEEP, REMOVE, AnswerEntry, AnswerFacts, AnswerJournal
from tasks.data.labelled_folder import LABELS
from tasks.decoding.pixels import Pixels
from tasks.errors import DigitflowError, InputError
from tasks.settings.base import home

JOURNAL, LOCK = "journal.jsonl", ".lock"
UNKNOWN = "unknown"
COMPRESSION = [cv2.IMWRITE_PNG_COMPRESSION, 1]  # a person waits for the next picture


class Half(StrEnum):
    """What a corrected picture may be used for."""

    ACCEPTANCE = "acceptance"  # to judge
    TRAINING = "training"  # to learn


@dataclass(frozen=True)
class Correction:
    """A picture that is kept, and what is known of its answer."""

    picture: str  # digest of its pixels
    digit: int
    half: Half
    file: Path
    answer: AnswerEntry | None  # None: nothing, as of a file that somebody put there

    @property
    def source(self) -> str:
        """Return where it is from, `UNKNOWN` where nothing says so."""
        return (self.answer and self.answer.source) or UNKNOWN

    @property
    def by(self) -> str:
        """Return who answered it, `UNKNOWN` where nothing says so."""
        return (self.answer and self.answer.by) or UNKNOWN


class Corrections:
    """The corrections of a home."""

    def __init__(self, of_home: Path) -> None:
        """Take the home; the folder is made by the first answer."""
        self.folder = of_home / "corrections"
        self._journal = AnswerJournal(self.folder / JOURNAL)

    def keep(self, picture: Pixels, digit: int, facts: AnswerFacts | None = None) -> str:
        """Keep a picture as one of a digit; the answer that comes last counts.

        Args:
            picture: a decoded page, uint8: (H, W) grey, (H, W, 3) RGB or (H, W, 4) RGBA.
            digit: that it shows, 0 to 9.
            facts: where it is from.

        Returns:
            The digest of its pixels.

        Raises:
            DigitflowError: it cannot be written.
        """
        if digit not in range(len(LABELS)):
            raise InputError(f"{digit} is no digit: only 0 to 9 can be learned")
        name = digest_of(picture)
        half, said = half_of(name), asdict(facts or AnswerFacts())
        with self._changing() as folder:
            found = self._file(name)
            before = int(found.parent.name) if found else None
            target = folder / half / str(digit) / f"{name}.png"
            if found and before != digit:
                make_folder(target.parent)
                found.rename(target)
                sync_folder(target.parent)
            elif not found:
                with atomic_write(target) as temporary:
                    temporary.write_bytes(_png(picture))
            if before != digit:
                self._journal.append(KEEP, name, digit=digit, half=str(half), **said)
        return name

    def forget(self, picture: Pixels, reason: str) -> None:
        """Delete a picture that shows no digit after all; nothing where it is not kept.

        Raises:
            DigitflowError: it cannot be deleted.
        """
        if not self.folder.is_dir():
            return
        with self._changing():
            if file := self._file(digest_of(picture)):
                self._remove(file, reason)

    def remove(self, chosen: Callable[[Correction], bool], reason: str) -> list[Correction]:
        """Delete the corrections that are chosen, and return them.

        Raises:
            DigitflowError: they cannot be deleted.
        """
        if not self.folder.is_dir():
            return []
        with self._changing():
            found = [correction for correction in self.kept() if chosen(correction)]
            for correction in found:
                self._remove(correction.file, reason)
        return found

    def kept(self) -> list[Correction]:
        """Return every correction, half by half and digit by digit."""
        answers = self._journal.last_of_each()
        return [
            Correction(file.stem, int(file.parent.name), half, file, answers.get(file.stem))
            for half in Half
            for digit in LABELS
            for file in sorted((self.folder / half / digit).glob("[!.]*"))
        ]

    def half(self, half: Half) -> Path | None:
        """Return the labelled folder of a half, or None where nothing is in it."""
        folder = self.folder / half
        return folder if any(folder.glob("[0-9]/[!.]*")) else None

    def _file(self, name: str) -> Path | None:
        places = (self.folder / half_of(name) / digit / f"{name}.png" for digit in LABELS)
        return next((file for file in places if file.is_file()), None)

    def _remove(self, file: Path, reason: str) -> None:
        file.unlink(missing_ok=True)
        sync_folder(file.parent)
        self._journal.append(REMOVE, file.stem, reason=reason)

    @contextmanager
    def _changing(self) -> Iterator[Path]:
        """Let nobody else change the corrections until the block ends; yield their folder."""
        try:
            make_folder(self.folder)
            with (self.folder / LOCK).open("ab") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield self.folder
        except OSError as error:
            raise DigitflowError(f"{self.folder}: not kept: {error}") from error


def corrections() -> Corrections:
    """Return the corrections of this home."""
    return Corrections(home())


def digest_of(picture: Pixels) -> str:
    """Return the SHA-256 of the pixels and shape of a picture, whatever file they come from."""
    shape = " ".join(map(str, picture.shape)).encode()
    return hashlib.sha256(shape + b"\0" + np.ascontiguousarray(picture).tobytes()).hexdigest()


def half_of(picture: str) -> Half:
    """Return the half of a picture by its digest, which is as good as a coin."""
    return Half.TRAINING if int(picture[:8], 16) % 2 else Half.ACCEPTANCE


def counted(kept: list[Correction]) -> list[dict[str, Any]]:
    """Return how many there are of each digit, by where they are from and by their half."""
    counts: dict[tuple[str, Half], Counter[int]] = {}
    for each in kept:
        counts.setdefault((each.source, each.half), Counter())[each.digit] += 1
    return [
        {
            "source": source,
            "half": str(half),
            "pictures": of_digits.total(),
            **{digit: of_digits[int(digit)] for digit in LABELS},
        }
        for (source, half), of_digits in sorted(counts.items())
    ]


def _png(picture: Pixels) -> bytes:
    """Return a picture as a PNG file of the same pixels."""
    from_rgb = {3: cv2.COLOR_RGB2BGR, 4: cv2.COLOR_RGBA2BGRA}
    channels = picture.shape[2] if picture.ndim == 3 else 0
    ordered: NDArray[Any] = cv2.cvtColor(picture, from_rgb[channels]) if channels else picture
    written, data = cv2.imencode(".png", ordered, COMPRESSION)
    if not written:
        raise DigitflowError(f"a picture of {picture.shape} cannot be written as PNG")
    return data.tobytes()
