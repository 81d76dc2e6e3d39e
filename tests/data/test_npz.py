"""An .npz is refused for what it says, before memory is taken for what it says."""

import io
import struct
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tasks.data import npz
from tasks.data.sources import read
from tasks.errors import DatasetError

IMAGES = np.zeros((20, 28, 28), np.uint8)
LABELS = np.arange(20, dtype=np.uint8) % 10
SMALL = 20_000_000  # bytes that may be taken to refuse a file
LARGE = 50_000_000  # bytes of zeros, packed to a thousandth
HEADER = "{{'descr': '{}', 'fortran_order': False, 'shape': {}, }}"


def npy(descr: str, shape: str, content: bytes = b"") -> bytes:
    """Return an array with a header of our choice."""
    header = HEADER.format(descr, shape).encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + content


def saved(array: NDArray[np.uint8]) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def write(path: Path, **other: bytes) -> Path:
    """Write an .npz of four arrays, some with other bytes."""
    arrays = dict.fromkeys(("x_train", "x_test"), saved(IMAGES))
    arrays |= dict.fromkeys(("y_train", "y_test"), saved(LABELS))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in (arrays | other).items():
            archive.writestr(f"{name}.npy", content)
    return path


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        (
            "x_test",
            npy("|u1", "(1000000000000, 28, 28)"),
            "says .1000000000000, 28, 28. of uint8, but has",
        ),
        ("x_test", npy("|u1", "(-1, 28, 28)"), "says .-1, 28, 28. of uint8, but has"),
        ("x_test", npy("|u1", "(2, 28, 28)", bytes(100)), "says .2, 28, 28. of uint8, but has"),
        ("x_test", npy("|O", "(20, 28, 28)", bytes(100)), "holds objects"),
        (
            "x_test",
            npy("|u1", "(50000000,)", bytes(LARGE)),
            "expected pictures .N, 28, 28., found uint8 .50000000",
        ),
        (
            "y_test",
            npy("|u1", "(1250000,)", bytes(1_250_000)),
            "1,250,000 pictures, at most 1,000,000",
        ),
        ("x_test", b"\x93NUMPY\x02\x00" + b"\xff" * 4 + bytes(LARGE), "reading array header"),
        ("x_test", b"\x93NUMPY\x09\x00" + bytes(LARGE), "is of version .9, 0. of its format"),
        ("x_test", bytes(LARGE), "magic string is not correct"),
    ],
    ids=["huge", "negative", "short", "objects", "flat", "many", "header", "version", "zeros"],
)
def test_an_array_that_cannot_be_it_costs_no_memory(
    tmp_path: Path, name: str, content: bytes, says: str
) -> None:
    path = write(tmp_path / "mine.npz", **{name: content})
    del content
    tracemalloc.start()
    try:
        with pytest.raises(DatasetError, match=rf"mine\.npz.*{says}"):
            read(path, lambda *progress: None)
        assert tracemalloc.get_traced_memory()[1] < SMALL
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(("offset", "value"), [(6, 1), (8, 99)], ids=["encrypted", "method"])
def test_a_member_that_cannot_be_unpacked_is_refused(
    tmp_path: Path, offset: int, value: int
) -> None:
    path = write(tmp_path / "mine.npz")
    data = bytearray(path.read_bytes())
    for start, more in ((b"PK\x03\x04", 0), (b"PK\x01\x02", 2)):
        data[data.find(start) + offset + more] = value
    path.write_bytes(data)
    with pytest.raises(DatasetError, match=r"mine\.npz: cannot be read as \.npz"):
        read(path, lambda *progress: None)


def test_any_damage_is_refused_or_leaves_the_arrays_as_they_were(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    whole = write(tmp_path / "mine.npz").read_bytes()
    for _ in range(300):
        data = bytearray(whole)
        for place in random.integers(0, len(data), random.integers(1, 4)):
            data[place] = random.integers(256)
        (tmp_path / "mine.npz").write_bytes(data)
        try:
            arrays = npz.read(tmp_path / "mine.npz", ["x_train"], lambda name, form: None)
        except DatasetError:
            continue
        assert np.array_equal(arrays["x_train"], IMAGES)
