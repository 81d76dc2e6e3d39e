"""IDX files: what is written comes back, and nothing incomplete is taken for data."""

import gzip
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray

from tasks.data import idx
from tasks.errors import DatasetError

IMAGES = np.arange(3 * 4 * 5, dtype=np.uint8).reshape(3, 4, 5)


@given(arrays(np.uint8, array_shapes(max_dims=3, min_side=0, max_side=6)))
def test_an_array_comes_back_from_its_bytes(array: NDArray[np.uint8]) -> None:
    assert np.array_equal(idx.parse(idx.to_bytes(array), array.ndim, "any"), array)


@given(st.binary(max_size=64))
def test_any_other_bytes_are_refused_or_an_array_that_writes_the_same_bytes(data: bytes) -> None:
    try:
        array = idx.parse(data, 1, "any")
    except DatasetError:
        return
    assert idx.to_bytes(array) == data


@pytest.mark.parametrize("name", ["plain", "packed.gz", "gzip-without-its-suffix"])
def test_gzip_is_found_in_the_content_not_in_the_name(tmp_path: Path, name: str) -> None:
    data = idx.to_bytes(IMAGES)
    (tmp_path / name).write_bytes(data if name == "plain" else gzip.compress(data))
    assert idx.read_bytes(tmp_path / name) == data


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", r"expected an IDX header of 16 bytes, found 0"),
        (idx.to_bytes(IMAGES)[:-1], r"truncated: .*\[3, 4, 5\], so expected 60 bytes .* found 59"),
        (idx.to_bytes(IMAGES) + b"\0", r"too long: .* expected 60 bytes .* found 61 or more"),
        (idx.to_bytes(IMAGES.reshape(12, 5)) + b"\0" * 9, r"0x00000803 .* found 0x00000802"),
        (struct.pack(">4I", 0x0D03, 1, 1, 1) + b"\0" * 4, r"0x00000803 .* found 0x00000d03"),
        (struct.pack(">4I", 0x0803, 2**32 - 1, 2**32 - 1, 2**32 - 1), r"truncated"),
    ],
    ids=["empty", "truncated", "too long", "two dimensions", "float32", "forged size"],
)
def test_a_wrong_file_is_refused_with_what_was_expected_and_found(data: bytes, says: str) -> None:
    with pytest.raises(DatasetError, match=f"some-file: .*{says}"):
        idx.parse(data, 3, "some-file")


@pytest.mark.parametrize("cut", [5, 20, -9])
def test_truncated_gzip_is_refused_by_name(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "train-images-idx3-ubyte.gz"
    path.write_bytes(gzip.compress(idx.to_bytes(IMAGES))[:cut])
    with pytest.raises(DatasetError, match=r"train-images-idx3-ubyte\.gz: cannot be read"):
        idx.read_bytes(path)


def test_gzip_with_a_flipped_bit_is_refused(tmp_path: Path) -> None:
    data = bytearray(gzip.compress(idx.to_bytes(IMAGES)))
    data[len(data) // 2] ^= 1
    (tmp_path / "flipped.gz").write_bytes(data)
    with pytest.raises(DatasetError, match="cannot be read"):
        idx.read_bytes(tmp_path / "flipped.gz")


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (idx.to_bytes(IMAGES) + bytes(50_000_000), "too long: .* expected 60 bytes"),
        (struct.pack(">4I", 0x0803, 10**9, 28, 28) + bytes(50_000_000), "784,000,000,000 values"),
        (b"\0\0\x08\xff" + b"\0\xff\xff\xff" * 255, "expected the IDX magic number"),
    ],
    ids=["more than announced", "as announced", "255 dimensions"],
)
def test_what_gzip_blows_up_costs_no_memory(tmp_path: Path, data: bytes, says: str) -> None:
    path = tmp_path / "train-images-idx3-ubyte.gz"
    path.write_bytes(gzip.compress(data))
    del data
    tracemalloc.start()
    try:
        with pytest.raises(DatasetError, match=rf"ubyte\.gz: .*{says}"):
            idx.parse(idx.read_bytes(path), 3, path)
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()
