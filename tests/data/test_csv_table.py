"""A CSV comes to the same digits whatever its header and scale, or says what is odd."""

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tasks.data.labelled import Labelled
from tasks.data.sources import read
from tasks.errors import DatasetError

COUNT = 30
random = np.random.default_rng(8)
PIXELS = random.integers(0, 200, (COUNT, 784))
LABELS = np.arange(COUNT) % 10
KAGGLE = ",".join(["label", *(f"pixel{number}" for number in range(784))])


def rows(pixels: np.ndarray = PIXELS, separator: str = ",") -> list[str]:
    """Return a line for each picture, its label first."""
    table = zip(LABELS, pixels, strict=True)
    return [separator.join(map(str, [label, *values.tolist()])) for label, values in table]


def read_lines(path: Path, lines: list[str]) -> Labelled:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return read(path, lambda *progress: None)


def require_same(labelled: Labelled) -> None:
    assert labelled.images.dtype == np.uint8
    assert np.array_equal(labelled.images.reshape(-1, 784), PIXELS)
    assert np.array_equal(labelled.labels, LABELS)
    assert labelled.test is None


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([KAGGLE, *rows()], "a CSV of 30 rows, with a header"),
        (rows(), "a CSV of 30 rows, without a header"),
        (["\ufeff" + KAGGLE, *rows(), ""], "a CSV of 30 rows, with a header"),
        ([KAGGLE.replace(",", ";"), *rows(separator=";")], "a CSV of 30 rows, with a header"),
        (
            [
                ",".join(["class", *(f"{y}x{x}" for y in range(1, 29) for x in range(1, 29))]),
                *rows(),
            ],
            "a CSV of 30 rows, with a header",
        ),
        (
            [KAGGLE.partition(",")[2] + ",Label"]
            + [f"{row.partition(',')[2]},{row.partition(',')[0]}" for row in rows()],
            "a CSV of 30 rows, with a header",
        ),
        (
            ["," + KAGGLE, *(f"{number},{row}" for number, row in enumerate(rows()))],
            "left out: the column that counts rows",
        ),
        (rows(PIXELS / 255), "pixels: floats 0 to 1 to whole numbers 0 to 255"),
        (rows(PIXELS * 1.0), "pixels: floats 0 to 255 to whole numbers 0 to 255"),
    ],
    ids=["kaggle", "bare", "mark", "semicolons", "rows", "last", "index", "0 to 1", "floats"],
)
def test_a_csv_of_labels_and_pixels_is_read_and_told_of(
    tmp_path: Path, lines: list[str], said: str
) -> None:
    labelled = read_lines(tmp_path / "train.csv", lines)
    require_same(labelled)
    assert labelled.name == "train"
    assert said in labelled.converted


def test_a_packed_csv_is_read(tmp_path: Path) -> None:
    path = tmp_path / "train.csv.gz"
    path.write_bytes(gzip.compress("\n".join([KAGGLE, *rows()]).encode()))
    require_same(read(path, lambda *progress: None))
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(DatasetError, match=r"train\.csv\.gz: cannot be read"):
        read(path, lambda *progress: None)


def spoilt(row: int, change: Callable[[list[str]], list[str]]) -> list[str]:
    """Return the lines of a good file with the values of one of them changed."""
    lines = [KAGGLE, *rows()]
    lines[row] = ",".join(change(lines[row].split(",")))
    return lines


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ([row.partition(",")[2] for row in rows()], "found 784: it has no labels; Kaggle's are in"),
        ([row.rpartition(",")[0] for row in [KAGGLE, *rows()][:2]], "found 784"),
        ([KAGGLE.replace("label", "what"), *rows()], "expected one column named label, found 0"),
        (
            [",".join(["label", *sorted(KAGGLE.split(",")[1:])]), *rows()],
            "column pixel1.* is out of order: save the pixels row by row",
        ),
        (spoilt(7, lambda row: [*row[:9], "", *row[10:]]), "column 10 has no value in one of the"),
        (
            spoilt(7, lambda row: row[:-1]),
            "cannot be read as a CSV of digits: .*785 columns, got 784",
        ),
        (spoilt(7, lambda row: [*row[:9], "ink", *row[10:]]), "cannot be read as a CSV .*'ink'"),
        (spoilt(7, lambda row: [*row[:9], "256", *row[10:]]), "found values from 0 to 256"),
        (spoilt(7, lambda row: [*row[:9], "-1", *row[10:]]), "found values from -1 to 199"),
        (spoilt(7, lambda row: ["12", *row[1:]]), "expected labels 0 to 9, found 12 at index 6"),
        ([KAGGLE], "has no rows below its first line"),
        ([""], "expected 785 columns"),
        (["a,b", "1,2"], "expected 785 columns, a label and 784 pixels, found 2"),
    ],
)
def test_what_is_odd_in_a_csv_is_named(tmp_path: Path, lines: list[str], says: str) -> None:
    with pytest.raises(DatasetError, match=rf"train\.csv.*{says}"):
        read_lines(tmp_path / "train.csv", lines)


def test_a_csv_in_another_encoding_is_refused(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("\n".join([KAGGLE, *rows()]), encoding="utf-16")
    with pytest.raises(DatasetError, match="is no CSV in UTF-8"):
        read(tmp_path / "train.csv", lambda *progress: None)


def test_a_folder_of_tables_says_which_to_give(tmp_path: Path) -> None:
    for name in ("train.csv", "test.csv"):
        (tmp_path / name).write_text(KAGGLE)
    with pytest.raises(DatasetError, match=r"holds test\.csv, train\.csv: give one file"):
        read(tmp_path, lambda *progress: None)
