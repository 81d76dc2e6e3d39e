"""What dataset.json says of a snapshot; snapshot.py alone reads and writes the file."""

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
