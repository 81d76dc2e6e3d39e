"""Every outcome a picture can have: one status and one reason code, listed here alone."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

MAX_BYTES = 256 * 2**20  # of one file; more is TOO_LARGE


class Status(StrEnum):
    """What became of a picture."""

    READ = "read"
    REVIEW = "review"
    REJECTED = "rejected"


class Reason(StrEnum):
    """Why a picture has its status; the values are the codes in the results table."""

    OK = "ok"
    ANSWERED = "answered"
    LOW_CONFIDENCE = "low_confidence"
    MAYBE_NO_DIGIT = "maybe_no_digit"
    AMBIGUOUS = "ambiguous"
    NOT_A_DIGIT = "not_a_digit"
    NO_ANSWER = "no_answer"
    SEVERAL_DIGITS = "several_digits"
    BLANK = "blank"
    EMPTY_FILE = "empty_file"
    UNSUPPORTED_FORMAT = "unsupported_format"
    UNREADABLE = "unreadable"
    TRUNCATED = "truncated"
    TOO_LARGE = "too_large"
    DECODER_CRASHED = "decoder_crashed"
    DECODER_TIMEOUT = "decoder_timeout"
    PERMISSION_DENIED = "permission_denied"
    VANISHED = "vanished"
    CHANGED = "changed"
    ENCRYPTED = "encrypted"
    STORAGE_ERROR = "storage_error"


MEANINGS: dict[Reason, str] = {
    Reason.OK: "read with enough confidence",
    Reason.ANSWERED: "a person said which digit it is",
    Reason.LOW_CONFIDENCE: "a digit was found, but the model is not sure enough which",
    Reason.MAYBE_NO_DIGIT: "ink was found, but the model is not sure that it is one digit",
    Reason.AMBIGUOUS: "the picture can be seen in two ways, and they do not show the same digit",
    Reason.NOT_A_DIGIT: "ink was found, but not that of one digit",
    Reason.NO_ANSWER: "the model answered with something that is no probability",
    Reason.SEVERAL_DIGITS: "more than one digit was found",
    Reason.BLANK: "no ink was found",
    Reason.EMPTY_FILE: "the file has no bytes",
    Reason.UNSUPPORTED_FORMAT: "the content is no picture format that digitflow reads",
    Reason.UNREADABLE: "a picture by its first bytes, but damaged or forged",
    Reason.TRUNCATED: "the picture ends before its data does",
    Reason.TOO_LARGE: "more pixels, bytes or pages than the limit, or more memory to decode",
    Reason.DECODER_CRASHED: "reading it ended the process that did, twice",
    Reason.DECODER_TIMEOUT: "a page took longer than the limit, or all pages ten times it, twice",
    Reason.PERMISSION_DENIED: "the file may not be read by this user",
    Reason.VANISHED: "the file was listed, but gone when it was read",
    Reason.CHANGED: "the file changed while it was read, twice",
    Reason.ENCRYPTED: "a PDF or a member of an archive that only opens with a password",
    Reason.STORAGE_ERROR: "the disk or the bucket gave an error instead of the bytes",
}

PASSING = {
    Reason.PERMISSION_DENIED,
    Reason.VANISHED,
    Reason.CHANGED,
    Reason.STORAGE_ERROR,
}
"""Reasons that say nothing of the file itself: it is read again in the next run."""

NOT_OF_THE_FILE = PASSING | {
    Reason.DECODER_CRASHED,
    Reason.DECODER_TIMEOUT,
    Reason.NO_ANSWER,
}
"""Reasons that may be the machine's or the model's: the file may be read some day."""

BY_CONFIDENCE = (Reason.OK, Reason.LOW_CONFIDENCE)
"""Reasons that the accepted error decides between."""

ALL = "all"  # of the reasons, where one can be named

_KEPT = {
    Reason.OK: Status.READ,
    Reason.ANSWERED: Status.READ,
    Reason.LOW_CONFIDENCE: Status.REVIEW,
    Reason.MAYBE_NO_DIGIT: Status.REVIEW,
    Reason.AMBIGUOUS: Status.REVIEW,
}
STATUSES: dict[Reason, Status] = {reason: _KEPT.get(reason, Status.REJECTED) for reason in Reason}


DELETED = "deleted"  # in the column `original`; else the folder that a file is moved to


@dataclass(frozen=True)
class Originals:
    """What becomes of files by what became of all their pages; None: they stay.

    A file stays as long as a page of it is for review, or was rejected for a reason that may be the
    machine's: then nobody knows yet what is on it. One with any other rejected page is rejected.
    What was drawn for the audit is not deleted before a person has answered.
    """

    read: str | None = None  # DELETED, or a folder
    rejected: str | None = None  # a folder

    @property
    def stay(self) -> bool:
        """Tell whether all files stay, whatever becomes of them."""
        return self.read is None and self.rejected is None


ALL_STAY = Originals()


class Undecodable(Exception):
    """A page that gave no picture: its reason code and what the decoder or the storage said."""

    def __init__(
        self, reason: Reason, detail: str, size: int | None = None, mtime_ns: int | None = None
    ) -> None:
        """Keep the reason code, one line of detail, and the file's size and time where known."""
        super().__init__(f"{reason}: {detail}")
        self.reason, self.detail = reason, detail
        self.size, self.mtime_ns = size, mtime_ns

    def __reduce__(self) -> tuple[Any, ...]:
        """Cross to another process whole: exceptions are made again from their message alone."""
        return type(self), (self.reason, self.detail, self.size, self.mtime_ns)
