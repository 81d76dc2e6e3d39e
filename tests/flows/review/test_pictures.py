"""A picture is shown as it was read, wherever it lies by now, or it is said why it cannot be."""

import hashlib
import shutil
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from flows.review.pictures import SIDE, Pictures, TwoPictures
from tasks.outcomes import DELETED
from tasks.review.as_read import PageAsRead
from tests.bars import bar, encoded
from tests.deadly import CRASH, InMemory, digits
from tests.flows.review.waiting_pictures import bars_in, row_of

pytestmark = pytest.mark.processes


@pytest.fixture
def pictures() -> Iterator[Pictures]:
    made = Pictures()
    yield made
    made.close()


def page(row: dict[str, Any], number: int = 0, original: str | None = None) -> PageAsRead:
    return PageAsRead(row["root"], row["path"], number, row["content_hash"], original)


def pixels(data: bytes) -> Any:
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)


def form(found: TwoPictures | str) -> Any:
    assert isinstance(found, TwoPictures), found
    return 255 - pixels(found.form)


def test_a_picture_is_shown_as_it_is_and_as_the_model_sees_it(
    pictures: Pictures, tmp_path: Path
) -> None:
    bars_in(tmp_path / "scans", 3)
    row = row_of(tmp_path / "scans" / "0002.png", 2)
    found = pictures.get(page(row))
    assert np.array_equal(form(found), bar(2))
    assert isinstance(found, TwoPictures)
    assert np.array_equal(pixels(found.original), bar(2))
    decoded = pictures.page(page(row))
    assert decoded is not None
    assert decoded.shape == (28, 28, 3)


def test_a_large_picture_is_shown_smaller_in_its_colours(
    pictures: Pictures, tmp_path: Path
) -> None:
    photo = np.full((900, 2400, 3), (200, 220, 240), np.uint8)
    photo[300:600, 1100:1160] = (10, 20, 200)
    Image.fromarray(photo).save(tmp_path / "photo.png")
    decoded = pictures.page(page(row_of(tmp_path / "photo.png", 1)))
    assert decoded is not None
    assert decoded.shape == (450, SIDE, 3)
    assert decoded[5, 5].tolist() == [200, 220, 240]


def test_each_page_of_a_file_is_a_picture(pictures: Pictures, tmp_path: Path) -> None:
    pages = [Image.fromarray(255 - bar(digit)) for digit in range(3)]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    row = row_of(tmp_path / "a.tif", 0)
    pictures.prefetch([page(row, number) for number in range(4)])
    for digit in range(3):
        assert np.array_equal(form(pictures.get(page(row, digit))), bar(digit))
    assert "no such page" in str(pictures.get(page(row, 3)))


def test_a_member_of_an_archive_is_shown(pictures: Pictures, tmp_path: Path) -> None:
    bars_in(tmp_path / "in", 2)
    rows = [row_of(file, 0) for file in sorted((tmp_path / "in").iterdir())]
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for row in rows:
            archive.write(tmp_path / "in" / row["path"], row["path"])
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "in", "")
    for name in ("a.zip", "a.tar.gz"):
        for digit, row in enumerate(rows):
            root = {"root": str(tmp_path / name)}
            assert np.array_equal(form(pictures.get(page(row | root))), bar(digit))


def test_an_object_of_a_bucket_is_shown(pictures: Pictures, tmp_path: Path, s3_client: Any) -> None:
    s3_client.create_bucket(Bucket="reviewed")
    (tmp_path / "4.png").write_bytes(encoded(bar(4)))
    s3_client.put_object(Bucket="reviewed", Key="in/4.png", Body=encoded(bar(4)))
    row = row_of(tmp_path / "4.png", 4, root="s3://reviewed/in")
    assert np.array_equal(form(pictures.get(page(row))), bar(4))


def test_a_file_that_an_inbox_has_moved_is_found_where_it_went(
    pictures: Pictures, tmp_path: Path
) -> None:
    bars_in(tmp_path / "inbox", 3)
    moved = str(tmp_path / "read")
    rows = [row_of(tmp_path / "inbox" / f"000{digit}.png", digit) for digit in range(3)]
    (tmp_path / "read").mkdir()
    # the first of a name, and the second, which got a number
    shutil.move(tmp_path / "inbox" / "0000.png", tmp_path / "read" / "0000.png")
    shutil.move(tmp_path / "inbox" / "0001.png", tmp_path / "read" / "0000-2.png")
    second = rows[1] | {"path": "0000.png//2"}
    assert np.array_equal(form(pictures.get(page(rows[0], 0, moved))), bar(0))
    assert np.array_equal(form(pictures.get(page(second, 0, moved))), bar(1))
    # its name in the inbox is that of another picture by now
    shutil.copy(tmp_path / "inbox" / "0002.png", tmp_path / "inbox" / "0000.png")
    fresh = Pictures()
    assert np.array_equal(form(fresh.get(page(rows[0], 0, moved))), bar(0))
    fresh.close()
    (tmp_path / "read" / "0000-2.png").unlink()
    gone = Pictures()
    assert "is not in" in str(gone.get(page(second, 0, moved)))
    assert "deleted once it was read" in str(gone.get(page(second, 0, DELETED)))
    gone.close()


def test_why_a_picture_cannot_be_shown_is_said(pictures: Pictures, tmp_path: Path) -> None:
    bars_in(tmp_path / "scans", 2)
    changed, gone = (row_of(tmp_path / "scans" / f"000{n}.png", n) for n in range(2))
    (tmp_path / "scans" / "0000.png").write_bytes(encoded(bar(7)))
    (tmp_path / "scans" / "0001.png").unlink()
    assert "has changed since it was read" in str(pictures.get(page(changed)))
    assert pictures.is_unshown(page(changed))
    assert "FileNotFound" in str(pictures.get(page(gone)))
    assert pictures.page(page(gone)) is None
    nowhere = {"root": str(tmp_path / "nowhere")}
    assert "is not there any more" in str(pictures.get(page(gone | nowhere)))


def test_a_picture_that_ends_its_decoder_costs_itself_alone(
    pictures: Pictures, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {b"a.pcx": CRASH, **digits(2)}
    monkeypatch.setattr("flows.review.pictures.inputs_of", lambda root: InMemory(root, files))
    pages = [
        PageAsRead("/deadly", path.decode(), 0, hashlib.sha256(data).hexdigest(), None)
        for path, data in files.items()
    ]
    pictures.prefetch(pages)
    found = [pictures.get(each) for each in pages]
    assert [isinstance(each, TwoPictures) for each in found] == [False, True, True]
    assert "SIGABRT" in str(found[0])


def test_one_process_decodes_all_pictures(pictures: Pictures, tmp_path: Path) -> None:
    bars_in(tmp_path / "scans", 3)
    pids = set()
    for file in sorted((tmp_path / "scans").iterdir()):
        assert isinstance(pictures.get(page(row_of(file, 0))), TwoPictures)
        assert pictures._process
        pids.add(pictures._process.pid)
    assert len(pids) == 1


def test_what_could_not_be_shown_is_tried_again_later(
    pictures: Pictures, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bars_in(tmp_path / "scans", 1)
    row = row_of(tmp_path / "scans" / "0000.png", 0)
    hidden = (tmp_path / "scans").rename(tmp_path / "away")
    assert isinstance(pictures.get(page(row)), str)
    hidden.rename(tmp_path / "scans")
    assert isinstance(pictures.get(page(row)), str)
    monkeypatch.setattr("flows.review.pictures.TRIED_AGAIN_S", 0.0)
    assert isinstance(pictures.get(page(row)), TwoPictures)
    assert not pictures.is_unshown(page(row))


def test_memory_is_that_of_the_last_pictures(
    pictures: Pictures, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flows.review.pictures.KEPT", 4)
    bars_in(tmp_path / "scans", 12)
    rows = [row_of(file, 0) for file in sorted((tmp_path / "scans").iterdir())]
    for row in rows:
        assert isinstance(pictures.get(page(row)), TwoPictures)
    assert len(pictures._kept) == 4


def test_who_waits_for_a_picture_waits_no_more_once_all_is_ended(tmp_path: Path) -> None:
    bars_in(tmp_path / "scans", 1)
    ended = Pictures()
    ended.close()
    assert isinstance(ended.get(page(row_of(tmp_path / "scans" / "0000.png", 0))), str)
