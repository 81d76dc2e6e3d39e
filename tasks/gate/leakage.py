"""What training and test part of a snapshot have in common, counted again for each verdict."""

import hashlib

import numpy as np
from numpy.typing import NDArray

from tasks.data.snapshot import Part, Snapshot
from tasks.gate.evidence import DataFacts


def data_facts(snapshot: Snapshot) -> DataFacts:
    """Return the digests of training and test part, and how many test pictures leaked."""
    train, test = snapshot.part(Part.TRAIN), snapshot.part(Part.TEST)
    learned = {
        _key(image) for part in (Part.TRAIN, Part.CALIBRATION) for image in _of(snapshot, part)
    }
    return DataFacts(
        train_digest=_digest(*train),
        test_digest=_digest(*test),
        leaked=sum(_key(image) in learned for image in test[0]),
        tested=len(test[1]),
    )


def _of(snapshot: Snapshot, part: Part) -> NDArray[np.uint8]:
    return snapshot.part(part)[0]


def _key(image: NDArray[np.uint8]) -> bytes:
    return hashlib.blake2b(image.tobytes(), digest_size=16).digest()


def _digest(images: NDArray[np.uint8], labels: NDArray[np.int8]) -> str:
    return hashlib.sha256(images.tobytes() + labels.tobytes()).hexdigest()
