"""A session of review: what waits, who looks at it, what they said, and its way into the results.

People wait for the journal alone; a thread of its own commits behind them.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain, islice

import numpy as np
from numpy.typing import NDArray

from tasks.results.commit import RUN
from tasks.results.table import open_table
from tasks.review.answers import REASONS, Answer, Row, Settled, key_of, settle
from tasks.review.as_read import PageAsRead
from tasks.review.journal import AnswerJournal, Said
from tasks.review.leases import LEASE_S, Leases
from tasks.review.queue import EVERYTHING, Choice, PictureKey, WaitingPicture, waiting

COMMIT_S = 2.0  # seconds between commits, so that a person who is quick makes no file an answer
SHARE = 4  # and so many times as long as a commit takes
RENEW_S = 15.0  # seconds between looks at what other programs have brought
RENEW_SHARE = 10  # and so many times as long as such a look takes
AGAIN_S = 10.0  # seconds until a commit that failed is tried again

Keep = Callable[[NDArray[np.uint8], int | None, Row], None]
"""Keeps a picture of which a person has said the digit, once its row says so.

It is given the decoded page, uint8 (H, W) or (H, W, 3) RGB, the digit, or None where the picture is
not to be kept any more, and its row. It may be called again with the same.
"""

PageOf = Callable[[PageAsRead], NDArray[np.uint8] | None]
"""Returns a page as it was read; None: it is not to be had any more."""


class Refused(Exception):
    """An answer that cannot be taken, and why; the person gets another picture."""


@dataclass(frozen=True)
class Upcoming:
    """What a reviewer is shown, and how it stands."""

    pictures: list[tuple[int, WaitingPicture]]  # the first is looked at, the others come next
    left: int  # of the choice
    skipped: int  # of these, by this reviewer
    answered: int  # by this reviewer
    answered_by_all: int  # in this session
    trouble: str | None  # why answers are not in the results yet


@dataclass
class _Reviewer:
    answered: list[tuple[int, WaitingPicture]] = field(default_factory=list)  # in order
    skipped: set[int] = field(default_factory=set)
    first: list[int] = field(default_factory=list)  # undone: shown before all others
    choice: Choice = EVERYTHING


class ReviewSession:
    """What several people do at once; its methods are called from any thread."""

    def __init__(
        self,
        table: str,
        run_id: str,
        journal: AnswerJournal,
        choice: Choice = EVERYTHING,
        keep: Keep | None = None,
        page_of: PageOf | None = None,
        lease_seconds: float = LEASE_S,
    ) -> None:
        """Look for what waits.

        Args:
            table: folder or URL of the results.
            run_id: names rows and commits of this session.
            journal: of this session, empty.
            choice: what is looked at in this session.
            keep: is given each picture whose digit a person has said.
            page_of: loads it.
            lease_seconds: after which a picture of somebody who says nothing goes to another.

        Raises:
            DigitflowError: the results cannot be read.
        """
        self._table, self._run_id, self._journal = table, run_id, journal
        self._choice, self._keep, self._page_of = choice, keep, page_of
        self._lock = threading.Lock()
        self._said = Said()
        self._leases = Leases(lease_seconds)
        self._reviewers: dict[str, _Reviewer] = {}
        self._pictures: dict[int, WaitingPicture] = {}  # by number; in order
        self._numbers: dict[PictureKey, int] = {}
        self._counts = Counter[Choice]()  # of what waits, by all that can be chosen by
        self._next_number = 0
        self._answered = 0
        self._trouble: str | None = None
        self._version = -1
        self._renew_at = 0.0
        self._stopping, self._news = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._commit_behind, name="commit", daemon=True)
        self.renew()

    def start(self) -> None:
        """Begin to commit."""
        self._thread.start()

    def stop(self) -> None:
        """Commit what is left.

        Raises:
            DigitflowError: that is not possible; the next session does it.
        """
        self._stopping.set()
        self._news.set()
        if self._thread.is_alive():
            self._thread.join()
        self.commit()
        self._journal.close()

    @property
    def answered(self) -> int:
        """Return how many pictures were answered in this session."""
        return self._answered

    @property
    def left(self) -> int:
        """Return how many pictures wait."""
        return len(self._pictures)

    def picture(self, number: int) -> WaitingPicture | None:
        """Return a picture that waits."""
        return self._pictures.get(number)

    def choices(self) -> dict[str, list[str]]:
        """Return the reasons, sources and runs of what waits."""
        with self._lock:
            places = [place for place, count in self._counts.items() if count]
        return {
            "reason": sorted({place.reason or "" for place in places}),
            "source": sorted({place.source or "" for place in places}),
            "run": sorted({place.run or "" for place in places}),
        }

    def upcoming(self, reviewer: str, choice: Choice = EVERYTHING, count: int = 1) -> Upcoming:
        """Return what a reviewer is shown next, which nobody else gets meanwhile.

        Args:
            reviewer: who asks, as a page that is open.
            choice: what they want to look at.
            count: pictures, of which the first is looked at.
        """
        with self._lock:
            return self._upcoming(reviewer, choice, count)

    def answer(self, reviewer: str, person: str, number: int, said: str) -> None:
        """Take what a person says of a picture; no crash loses it once this returns.

        Args:
            reviewer: to whom the picture was shown.
            person: whose answer it is.
            number: of the picture.
            said: a digit, NO_DIGIT or SEVERAL.

        Raises:
            Refused: the picture is not theirs to answer any more.
            DigitflowError: the answer cannot be kept.
        """
        with self._lock:
            self._leases.renew(reviewer)
            picture = self._pictures.get(number)
            if picture is None:
                raise Refused("it waits no more: somebody else has answered, or it was read again")
            if not self._leases.is_free_for(reviewer, number):
                raise Refused("somebody else looks at it meanwhile")
            if said not in REASONS:
                raise ValueError(said)
            answer = Answer(picture.key, picture.content_hash, said, person, datetime.now(UTC))
            self._journal.answer(answer)
            self._said.answer(answer)
            self._drop(number)
            self._of(reviewer).answered.append((number, picture))
            self._answered += 1
        self._news.set()

    def undo(self, reviewer: str) -> bool:
        """Undo the last answer of a reviewer, who gets that picture again; False: there is none.

        Raises:
            DigitflowError: that cannot be kept.
        """
        with self._lock:
            self._leases.renew(reviewer)
            ours = self._of(reviewer)
            if not ours.answered:
                return False
            number, picture = ours.answered[-1]
            self._journal.undo(picture.key)
            self._said.undo(picture.key)
            ours.answered.pop()
            self._answered -= 1
            if picture.key not in self._numbers:  # else its file was changed and read again
                ours.first.insert(0, number)
                self._add(number, picture)
        self._news.set()
        return True

    def skip(self, reviewer: str, number: int) -> None:
        """Show a reviewer other pictures first; the picture waits on."""
        with self._lock:
            self._leases.renew(reviewer)
            ours = self._of(reviewer)
            ours.skipped.add(number)
            ours.first = [each for each in ours.first if each != number]

    def skip_no_more(self, reviewer: str) -> None:
        """Show a reviewer again what they have skipped."""
        with self._lock:
            self._of(reviewer).skipped.clear()

    def leave(self, reviewer: str) -> None:
        """Let others have what a reviewer was shown, whose page is closed."""
        with self._lock:
            self._leases.release(reviewer)

    def commit(self) -> None:
        """Commit what people have said so far.

        Raises:
            DigitflowError: the results cannot be written.
        """
        with self._lock:
            wanted, count = self._said.open(), len(self._said.entries)
        if count > self._said.committed:
            done = settle(self._table, self._run_id, wanted)
            hand_over(done, self._keep, self._page_of)
            with self._lock:
                self._journal.committed(count)
                self._said.committed = count

    def renew(self) -> None:
        """Look at what waits, where another program has written to the results since.

        Raises:
            DigitflowError: the results cannot be read.
        """
        latest = open_table(self._table)
        version = latest.version()
        unseen = latest.history(version - self._version) if version > self._version >= 0 else []
        if self._version >= 0 and all(entry.get(RUN) == self._run_id for entry in unseen):
            self._version = version
            return
        with self._lock:
            committed = self._said.committed
        found = {picture.key: picture for picture in waiting(self._table, self._choice)}
        with self._lock:
            ours = set(self._said.entries[committed:])  # of which the results say less than we know
            for key, number in list(self._numbers.items()):
                if key not in ours and not _same(found.get(key), self._pictures[number]):
                    self._drop(number)
            for key, picture in found.items():
                if key not in self._numbers and key not in ours:
                    self._add(self._next_number, picture)
                    self._next_number += 1
        self._version = version

    def _add(self, number: int, picture: WaitingPicture) -> None:
        self._pictures[number], self._numbers[picture.key] = picture, number
        self._counts[picture.place] += 1

    def _drop(self, number: int) -> None:
        picture = self._pictures.pop(number)
        del self._numbers[picture.key]
        self._counts[picture.place] -= 1

    def _of(self, reviewer: str) -> _Reviewer:
        return self._reviewers.setdefault(reviewer, _Reviewer())

    def _upcoming(self, reviewer: str, choice: Choice, count: int) -> Upcoming:
        self._leases.renew(reviewer)
        ours = self._of(reviewer)
        # what is undone is shown whatever was chosen meanwhile, until something else is chosen
        first = [number for number in ours.first if number in self._pictures]
        first = first if choice == ours.choice else []
        beside = [number for number in first if not choice.has(self._pictures[number].place)]
        skipped = [
            number
            for number in ours.skipped
            if number in self._pictures and choice.has(self._pictures[number].place)
        ]
        left = sum(count for place, count in self._counts.items() if choice.has(place))
        chosen = list(islice(self._free(reviewer, choice, first), count))
        self._leases.hold(reviewer, chosen)
        ours.first, ours.choice = first, choice
        return Upcoming(
            pictures=[(number, self._pictures[number]) for number in chosen],
            left=left + len(beside),
            skipped=len(skipped),
            answered=len(ours.answered),
            answered_by_all=self._answered,
            trouble=self._trouble,
        )

    def _free(self, reviewer: str, choice: Choice, first: list[int]) -> Iterator[int]:
        """Yield what a reviewer may be shown, in order."""
        skipped = self._of(reviewer).skipped
        of_choice = (
            number
            for number, picture in self._pictures.items()
            if number not in first and choice.has(picture.place)
        )
        for number in chain(first, of_choice):
            if number not in skipped and self._leases.is_free_for(reviewer, number):
                yield number

    def _commit_behind(self) -> None:
        pause = COMMIT_S
        while not self._stopping.is_set():
            self._news.wait(RENEW_S)
            self._stopping.wait(pause)
            self._news.clear()
            began = time.monotonic()
            try:
                self.commit()
                pause = max(COMMIT_S, SHARE * (time.monotonic() - began))
                self._renew_if_due()
                self._trouble = None
            except Exception as error:  # whatever it is, people are told, and the journal has it
                self._trouble, pause = str(error), AGAIN_S
                self._news.set()

    def _renew_if_due(self) -> None:
        began = time.monotonic()
        if began > self._renew_at:
            self.renew()
            ended = time.monotonic()
            self._renew_at = ended + max(RENEW_S, RENEW_SHARE * (ended - began))


def hand_over(done: Settled, keep: Keep | None, page_of: PageOf | None) -> None:
    """Hand over pictures whose rows say what people have said of them.

    Also those whose rows said so before: whoever committed them may have been killed then.
    """
    if not (keep and page_of):
        return
    for row in (*done.rows, *done.already):
        page = page_of(PageAsRead(*key_of(row), row["content_hash"], row["original"]))
        if page is not None:
            said = row["answered_by"] is not None
            keep(page, row["digit"] if said else None, row)


def _same(found: WaitingPicture | None, shown: WaitingPicture) -> bool:
    """Tell whether a picture waits as it was shown, whichever run its row is of by now."""
    return found is not None and found.content_hash == shown.content_hash
