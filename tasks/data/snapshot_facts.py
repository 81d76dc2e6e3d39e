"""What dataset.json says of a snapshot; snapshot.py alone reads and writes the file."""

from typing import Any

from pydantic import Field

from tasks.contracts.base import Contract


class SkippedFileFacts(Contract):
    """A file that should have been a picture of a digit, and why it is none."""

    path: str  # below the data folder
    reason: str  # a reason code
    detail: str


class SkippedFacts(Contract):
    """Files of a data folder that gave no picture."""

    ignored: int  # hidden, left behind by a system, or beside the sub-folders
    files: list[SkippedFileFacts]


class AddedFacts(Contract):
    """Pictures that were added to the training part of another snapshot."""

    base: str  # digest of that one
    what: str  # in one word
    pictures: int
    times: int  # that each of them is there
    left_out: dict[str, int]  # pictures that were not added, by the reason in words


class SnapshotFacts(Contract):
    """Where labelled digits are from, how they are split, and the hashes that hold them to it."""

    name: str
    source: str
    licence: str
    pictures: int
    counts: dict[str, list[int]]  # by part: pictures of each digit
    split_seed: int
    duplicates: dict[str, int]  # of pictures, by kind
    first_labels: list[int]  # in the order of the source
    skipped: SkippedFacts
    converted: list[str] = Field([])  # what was taken for what, in words
    digest: str  # SHA-256 of the content, which names the folder
    sha256: dict[str, str]  # of each array
    added: AddedFacts | None = None  # then the arrays are what is added; all else is of the whole

    def to_dict(self) -> dict[str, Any]:
        """Return the same as values that JSON knows; nothing was added to most snapshots."""
        return self.model_dump(exclude_none=True)
