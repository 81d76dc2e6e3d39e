"""Labelled digits in a CSV as Kaggle and others give it: a row for each picture, with its label."""

import csv
import gzip
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import csv as arrow_csv

from tasks.data.array_forms import PIXELS, require_pictures
from tasks.data.labelled import Labelled
from tasks.data.labelled_arrays import Conversions, checked, told
from tasks.data.npz import Form
from tasks.errors import DatasetError
from tasks.imaging.form import SIDE

LABEL_NAMES = ("label", "labels", "class", "digit", "target", "y")  # of a column, in small letters
INDEX_NAMES = ("", "index", "unnamed: 0")  # that pandas gives to a column it adds
SEPARATORS = ",;\t"
MAX_LINE = 100_000  # bytes of the first line
BLOCK = 1 << 23  # bytes that are parsed at once


@dataclass(frozen=True)
class Columns:
    """What the first line says of the columns."""

    separator: str
    header: bool
    label: int  # which column
    pixels: list[int]
    index: int | None  # a column that counts rows


def read_csv(path: Path) -> Labelled:
    """Return the pictures of a CSV, plain or gzip: 784 pixels a row, and a label.

    Raises:
        DatasetError: it has other columns, or values that are no pixels or labels.
    """
    columns = _columns(_first_line(path), path)
    try:
        table = _table(path, columns, pa.uint8())
    except (pa.ArrowInvalid, OSError):  # of floats, or no numbers at all
        table = _read_or_refuse(path, columns, pa.float32())
    said = Conversions()
    images, labels = checked(
        (table[:, 1:].reshape(-1, SIDE, SIDE), f"{path}, pixels"),
        (table[:, 0], f"{path}, labels"),
        said,
    )
    told_of = [f"a CSV of {len(labels):,} rows, {'with' if columns.header else 'without'} a header"]
    if columns.index is not None:
        told_of.append("left out: the column that counts rows")
    return Labelled(
        name=path.name.split(".")[0],
        source=str(path),
        licence="not stated",
        images=images,
        labels=labels,
        test=None,
        converted=(*told_of, *told(said), "there is no test part: one is cut off"),
    )


def _first_line(path: Path) -> str:
    try:
        with path.open("rb") as file:
            is_gzip = file.read(2) == b"\x1f\x8b"
        with gzip.open(path) if is_gzip else path.open("rb") as file:
            return file.readline(MAX_LINE).decode("utf-8-sig").rstrip("\r\n")
    except UnicodeDecodeError:
        raise DatasetError(f"{path}: is no CSV in UTF-8: save it as one") from None
    except (OSError, EOFError) as error:
        raise DatasetError(f"{path}: cannot be read: {error}") from error


def _columns(line: str, path: Path) -> Columns:
    """Return what the first line says; without a header the label comes first."""
    separator = max(SEPARATORS, key=line.count)
    fields = [field.strip() for field in next(csv.reader([line], delimiter=separator), [])]
    if all(_is_number(field) for field in fields):
        _require_columns(len(fields), path)
        return Columns(separator, False, 0, list(range(1, len(fields))), None)
    names = [field.casefold() for field in fields]
    labels = [at for at, name in enumerate(names) if name in LABEL_NAMES]
    index = next((at for at, name in enumerate(names) if name in INDEX_NAMES), None)
    _require_columns(len(names) - (index is not None), path)
    if len(labels) != 1:
        raise DatasetError(
            f"{path}: expected one column named label, found {len(labels)} of "
            f"{', '.join(LABEL_NAMES)}"
        )
    pixels = [at for at in range(len(names)) if at not in (labels[0], index)]
    _require_order([names[at] for at in pixels], path)
    return Columns(separator, True, labels[0], pixels, index)


def _is_number(field: str) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True


def _require_columns(count: int, path: Path) -> None:
    if count != PIXELS + 1:
        hint = ": it has no labels; Kaggle's are in train.csv" if count == PIXELS else ""
        raise DatasetError(
            f"{path}: expected {PIXELS + 1} columns, a label and {PIXELS} pixels, found "
            f"{count}{hint}"
        )


def _require_order(names: list[str], path: Path) -> None:
    """Refuse columns that were sorted as words: pixel10 before pixel2."""
    keys = [[int(number) for number in re.findall(r"\d+", name)] for name in names]
    for first, second, name in zip(keys, keys[1:], names[1:], strict=False):
        if first and second and second <= first:
            raise DatasetError(
                f"{path}: column {name} is out of order: save the pixels row by row, as pixel0 to "
                f"pixel{PIXELS - 1}"
            )


def _read_or_refuse(path: Path, columns: Columns, kind: pa.DataType) -> NDArray[Any]:
    try:
        return _table(path, columns, kind)
    except (pa.ArrowInvalid, OSError) as error:
        reason = str(error).partition("\n")[0][:200]
        raise DatasetError(f"{path}: cannot be read as a CSV of digits: {reason}") from error


def _table(path: Path, columns: Columns, kind: pa.DataType) -> NDArray[Any]:
    """Return labels and pixels, (N, 785), as numbers of a kind; never more than are taken."""
    wanted = [str(at) for at in (columns.label, *columns.pixels)]
    every = sorted(
        (columns.label, *columns.pixels, *([] if columns.index is None else [columns.index]))
    )
    reader = arrow_csv.open_csv(
        path,
        read_options=arrow_csv.ReadOptions(
            column_names=[str(at) for at in every], skip_rows=int(columns.header), block_size=BLOCK
        ),
        parse_options=arrow_csv.ParseOptions(delimiter=columns.separator),
        convert_options=arrow_csv.ConvertOptions(
            column_types=dict.fromkeys(wanted, kind), include_columns=wanted
        ),
    )
    pieces, rows = [], 0
    with reader:
        for batch in reader:
            if empty := next((name for name in wanted if batch[name].null_count), None):
                raise DatasetError(
                    f"{path}: column {int(empty) + 1} has no value in one of the rows "
                    f"{rows + 1:,} to {rows + batch.num_rows:,}"
                )
            rows += batch.num_rows
            form = Form(np.dtype(kind.to_pandas_dtype()), (rows, PIXELS))
            require_pictures(form, path)
            pieces.append(np.stack([column.to_numpy() for column in batch.columns], axis=1))
    if not pieces:
        raise DatasetError(f"{path}: has no rows below its first line")
    return np.concatenate(pieces)
