"""No text of a CSV file is a formula in a spreadsheet, and each can be had back."""

import csv
import re
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.results import table as results

TIME = datetime(2026, 1, 2, tzinfo=UTC)
SIGNS = "=+-@\uff1d\uff0b\uff0d\uff20"
ANY_TEXT = st.text(st.characters(exclude_categories=("Cs",)) | st.sampled_from(SIGNS + "'\";\t \n"))


def written(texts: list[str], folder: Path) -> list[dict[str, str]]:
    """Return what is in a CSV file of these texts, each with a number."""
    file = folder / "out.csv"
    columns = {"path": texts, "confidence": [-0.5] * len(texts), "read_at": [TIME] * len(texts)}
    results.export(pa.table(columns), file)
    with file.open(newline="", encoding="utf-8") as opened:
        return list(csv.DictReader(opened))


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        *((f"{sign}1+1", f"'{sign}1+1") for sign in SIGNS),
        (" =1", "' =1"),
        ('"=1', "'\"=1"),
        ("\u3000=1", "'\u3000=1"),
        ("\tx", "'\tx"),
        ("\rx", "'\rx"),
        ("'x", "''x"),
        ("a;=cmd|' /C calc'!A0", "a;'=cmd|' /C calc'!A0"),
        ("a\t=1\n@x", "a\t'=1\n'@x"),
        ("a=1+1-2@x", "a=1+1-2@x"),
        ("3.png", "3.png"),
    ],
)
def test_what_a_spreadsheet_takes_for_a_formula_begins_with_a_quote(
    text: str, cell: str, tmp_path: Path
) -> None:
    [row] = written([text], tmp_path)
    assert row == {"path": cell, "confidence": "-0.5", "read_at": TIME.isoformat()}


@given(st.lists(ANY_TEXT, min_size=1, max_size=20))
def test_no_text_is_a_formula_and_every_text_comes_back(texts: list[str]) -> None:
    cells = [str(results.no_formula(text)) for text in texts]
    for text, cell in zip(texts, cells, strict=True):
        for part in re.split(r"[;\t\r\n]", cell):
            assert not part.strip(' \t\n\r\0"').startswith(tuple(SIGNS))
        assert re.sub(r"(^|[;\t\r\n])'", r"\1", cell) == text


def test_other_files_hold_the_texts_as_they_are(tmp_path: Path) -> None:
    rows = pa.table({"path": ["=1+1", "\u2028'"], "read_at": [TIME, TIME]})
    results.export(rows, tmp_path / "out.parquet")
    results.export(rows, tmp_path / "out.jsonl")
    assert pa.parquet.read_table(tmp_path / "out.parquet")["path"].to_pylist() == [
        "=1+1",
        "\u2028'",
    ]
    lines = (tmp_path / "out.jsonl").read_text().splitlines()
    assert [line.split('"')[3] for line in lines] == ["=1+1", r"\u2028'"]
