"""A test picture that was learned, and a test part that is the training part, are counted."""

from pathlib import Path

import numpy as np
import pytest

from tasks.data.snapshot import Part, Snapshot, ingest
from tasks.gate.leakage import data_facts


@pytest.fixture
def snapshot(npz_sample: Path, tmp_path: Path) -> Snapshot:
    with np.load(npz_sample) as arrays:
        few = {name: array[:300] for name, array in arrays.items()}
    few["x_test"][:5] = few["x_train"][:5]
    np.savez(tmp_path / "few.npz", **few)
    return ingest(str(tmp_path / "few.npz"), tmp_path / "datasets")


def test_leaked_pictures_are_counted_anew_whatever_the_snapshot_says(snapshot: Snapshot) -> None:
    facts = data_facts(snapshot)
    assert (facts.leaked, facts.tested) == (5, 300)
    assert facts.train_digest != facts.test_digest


def test_a_test_part_that_is_the_training_part_has_its_digest(snapshot: Snapshot) -> None:
    half = snapshot.part(Part.TRAIN)
    twice = Snapshot(
        snapshot.folder,
        np.concatenate([half[0], half[0]]),
        np.concatenate([half[1], half[1]]),
        np.repeat([Part.TRAIN, Part.TEST], len(half[1])).astype(np.uint8),
        snapshot.facts,
    )
    facts = data_facts(twice)
    assert facts.train_digest == facts.test_digest
    assert facts.leaked == facts.tested == len(half[1])
