"""A folder to try the reading on: every digit can be read, every broken file can not."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tasks.data.sample_folder import SIDES, write_sample_folder
from tasks.decoding.decode import decode
from tasks.outcomes import Undecodable
from tests.bars import bar

LABELS = (np.arange(48) % 10).astype(np.int8)


def test_digits_lie_below_their_names_in_several_formats_sizes_and_polarities(
    tmp_path: Path,
) -> None:
    made = write_sample_folder(tmp_path / "in", np.stack([bar(d) for d in LABELS]), LABELS)
    files = [path for path in made.folder.rglob("*.*") if path.parent.name != "broken"]
    kinds = set()
    for path in files:
        picture = decode(path.read_bytes()).pixels
        dark_on_light = bool(picture[0, 0] > 127)
        ink = (255 - picture if dark_on_light else picture).astype(float) / 255
        columns = ink.sum() / (len(picture) / 28) ** 2 / 20
        assert columns == pytest.approx(2 * int(path.parent.name) + 2, rel=0.05)
        with Image.open(path) as image:
            kinds.add((image.format, len(picture), dark_on_light))
    assert len(files) == made.pictures == 48
    assert kinds == {
        (format, side, dark)
        for format in ("PNG", "JPEG", "TIFF")
        for side in SIDES
        for dark in (True, False)
    }


def test_broken_files_are_broken_in_five_ways(tmp_path: Path) -> None:
    made = write_sample_folder(tmp_path, bar(5)[None], np.array([5], np.int8))
    reasons = []
    for path in sorted((tmp_path / "broken").iterdir()):
        with pytest.raises(Undecodable) as trouble:
            decode(path.read_bytes())
        reasons.append(trouble.value.reason)
    assert reasons == [
        "truncated",
        "empty_file",
        "unsupported_format",
        "unreadable",
        "unsupported_format",
    ]
    assert made.broken == 5
