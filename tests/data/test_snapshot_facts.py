"""dataset.json is read as it was written, and what is something else is named by its key."""

import json
from pathlib import Path
from typing import Any

import pytest

from tasks.data.labelled import Skipped, SkippedFile
from tasks.data.snapshot import save
from tasks.data.snapshot_facts import SnapshotFacts
from tasks.outcomes import Reason
from tests.data.test_snapshot import labelled

KEYS = [
    *("name", "source", "licence", "pictures", "counts", "split_seed", "duplicates"),
    *("first_labels", "skipped", "converted", "digest", "sha256"),
]
LATER = ("converted",)  # snapshots of before have none


@pytest.fixture
def written(tmp_path: Path) -> dict[str, Any]:
    """Return what is in the file of a snapshot, one file of which was left out."""
    skipped = Skipped(2, (SkippedFile("3/odd \udcff.png", Reason.TRUNCATED, "ends early"),))
    folder = save(labelled(skipped=skipped), tmp_path).folder
    facts: dict[str, Any] = json.loads((folder / "dataset.json").read_text())
    return facts


def test_facts_are_read_as_they_were_written(written: dict[str, Any]) -> None:
    assert list(written) == KEYS
    facts = SnapshotFacts.from_dict(written)
    assert facts.to_dict() == written
    assert facts.skipped.files[0].path == "3/odd \udcff.png"


@pytest.mark.parametrize("key", KEYS)
def test_a_wrong_type_is_an_error_that_names_the_key(written: dict[str, Any], key: str) -> None:
    for wrong in (None, [{}]):
        with pytest.raises(ValueError, match=rf"^{key}(\.0)?: [^\n]*$"):
            SnapshotFacts.from_dict({**written, key: wrong})
    others = {name: written[name] for name in KEYS if name != key}
    if key in LATER:
        assert SnapshotFacts.from_dict(others).converted == []
        return
    with pytest.raises(ValueError, match=f"^{key}: Field required$"):
        SnapshotFacts.from_dict(others)
