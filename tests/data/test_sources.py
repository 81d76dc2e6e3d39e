"""What is no labelled data at all is refused with what would be."""

from pathlib import Path

import pytest

from tasks.data.sources import read
from tasks.errors import DatasetError


@pytest.mark.parametrize(
    ("name", "says"), [("nowhere", "does not exist"), ("table.csv", "is another kind of file")]
)
def test_a_path_that_is_no_dataset_is_refused_with_what_is_expected(
    tmp_path: Path, name: str, says: str
) -> None:
    (tmp_path / "table.csv").write_text("1,2")
    with pytest.raises(DatasetError, match=f"{says}; expected 'mnist', a folder of IDX files"):
        read(tmp_path / name, lambda what, done, total: None)
