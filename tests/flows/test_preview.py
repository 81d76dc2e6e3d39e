"""A preview shows what a reading would make of the same pictures, and leaves nothing else."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from flows.predict import predict
from flows.preview import preview
from flows.terminal.console import Console
from tasks.reporting.preview import Preview
from tasks.reporting.svg import times
from tasks.results import table
from tasks.settings.reading import PredictSettings, PreviewSettings
from tests.bars import bar, encoded

pytestmark = pytest.mark.processes


@pytest.fixture
def folder(tmp_path: Path, home: Path) -> Path:
    """Return a folder with digits in colour, an unsure one, a blank page, and no picture."""
    made = tmp_path / "pictures"
    made.mkdir()
    for digit in range(10):
        (made / f"{digit}.png").write_bytes(encoded(bar(digit)))
    clear = np.dstack([np.zeros((28, 28, 3), np.uint8), bar(4)])
    (made / "clear.png").write_bytes(encoded(clear))
    (made / "unsure.bmp").write_bytes(encoded(bar(6.5), "BMP"))
    blank = Image.fromarray(np.zeros((9, 300), np.uint8))
    (made / "pages.tif").write_bytes(encoded(bar(7), "TIFF", save_all=True, append_images=[blank]))
    (made / "notes<b>.txt").write_text("bring milk")
    return made


def look(folder: Path, model: Path, limit: int = 50) -> tuple[Preview, str]:
    """Return what a preview found, and its page."""
    settings = PreviewSettings(source=str(folder), model=str(model), limit=limit)
    found = preview(settings, Console(quiet=True))
    return found, Path(found.report).read_text(encoding="utf-8")


def test_a_preview_agrees_with_the_reading_of_every_picture(folder: Path, model_file: Path) -> None:
    found, page = look(folder, model_file)
    settings = PredictSettings(source=str(folder), model=str(model_file), workers=1)
    summary = predict(settings, Console(quiet=True))
    assert found.outcomes == {
        "read": summary.read,
        "review": summary.review,
        "rejected": summary.rejected,
    }
    assert (found.threshold, found.files, found.shown) == (summary.threshold.threshold(), 14, 14)
    for row in table.select(summary.results, table.Query(run=summary.run_id)).to_pylist():
        if row["digit"] is not None:
            assert f"{row['path']}: {row['status']}: {row['digit']}" in page
    assert "pages.tif: rejected: blank" in page
    assert "notes&lt;b&gt;.txt" in page
    assert "unsupported_format" in page


def test_a_file_that_keeps_its_decoder_costs_a_preview_no_more_than_its_time(
    folder: Path, model_file: Path
) -> None:
    # the values of such a picture are brought to another scale in Python, one by one
    slow = b"P5\n4000 4000\n1000\n" + bytes(2 * 4000 * 4000)
    (folder / "slow.pgm").write_bytes(slow)
    settings = PreviewSettings(source=str(folder), model=str(model_file), decode_timeout=1)
    found = preview(settings, Console(quiet=True))
    page = Path(found.report).read_text(encoding="utf-8")
    assert "slow.pgm" in page
    assert "decoder_timeout" in page
    assert "7.png: read: 7" in page


def test_every_picture_is_there_twice_and_small(folder: Path, model_file: Path) -> None:
    Image.fromarray(np.full((900, 1200, 3), 200, np.uint8)).save(folder / "large.jpg")
    page = look(folder, model_file)[1]
    assert page.count("<svg") == 15
    assert page.count("data:image/") == 30
    assert times((1200, 900)) in page
    assert len(page) < 200_000


def test_a_preview_writes_no_results(folder: Path, home: Path, model_file: Path) -> None:
    look(folder, model_file)
    assert not (home / "results").exists()
    [run] = (home / "runs").iterdir()
    assert sorted(path.name for path in run.iterdir()) == ["listing.parquet", "report.html"]
