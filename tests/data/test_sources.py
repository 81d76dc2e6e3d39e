"""What is no labelled data at all is refused with what would be."""

from pathlib import Path

import pytest

from tasks.data.sources import read
from tasks.errors import DatasetError


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("nowhere", "does not exist"),
        ("digits.mat", r"is another kind of file: save its arrays with np\.savez"),
        ("kaggle.zip", "is an archive: unpack it"),
        ("train-images-idx3-ubyte.gz", "is one of four IDX files: give their folder"),
    ],
)
def test_a_path_that_is_no_dataset_is_refused_with_what_is_expected(
    tmp_path: Path, name: str, says: str
) -> None:
    for file in ("digits.mat", "kaggle.zip", "train-images-idx3-ubyte.gz"):
        (tmp_path / file).write_text("1,2")
    with pytest.raises(DatasetError, match=f"{says}.*; expected 'mnist', a folder of IDX files"):
        read(tmp_path / name, lambda what, done, total: None)
