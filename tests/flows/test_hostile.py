"""Files that were made to do harm: each has one row that fits, whatever it is."""

import io
import os
import socket
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from flows.predict import predict
from flows.terminal.console import Console
from tasks.inputs.base import printable
from tasks.outcomes import MAX_BYTES, STATUSES, Reason
from tasks.results import table
from tasks.settings.reading import PredictSettings
from tests.bars import bar, encoded
from tests.decoding.test_decode import chunk, png

pytestmark = pytest.mark.processes

PNG, JPEG, GIF, BMP, TIFF, WEBP = (
    encoded(bar(3), name) for name in ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP")
)


def tiff_that_goes_round() -> bytes:
    """Return a TIFF whose last page says that the next is the first."""
    data = bytearray(TIFF)
    first = struct.unpack_from("<I", data, 4)[0]
    count = struct.unpack_from("<H", data, first)[0]
    struct.pack_into("<I", data, first + 2 + 12 * count, first)
    return bytes(data)


def many_pages(count: int) -> bytes:
    """Return an animation of that many pictures, each of another grey."""
    greys = [Image.new("L", (2, 2), number % 256) for number in range(count)]
    file = io.BytesIO()
    greys[0].save(file, "TIFF", save_all=True, append_images=greys[1:])
    return file.getvalue()


def text_bomb() -> bytes:
    """Return a PNG with a word that unpacks to far more than it is."""
    word = chunk(b"zTXt", b"Title\0\0" + zlib.compress(bytes(80_000_000), 9))
    return PNG[:33] + word + PNG[33:]


# what the files are, and the reasons of which one fits
HOSTILE: dict[bytes, tuple[bytes, set[str]]] = {
    b"nothing": (b"", {"empty_file"}),
    b"zeros": (bytes(5000), {"unsupported_format"}),
    b"text.png": (b"bring milk", {"unsupported_format"}),
    b"page.html": (b"<html><img src='3.png'></html>", {"unsupported_format"}),
    b"script": (b"#!/bin/sh\ntouch /tmp/pwned\n", {"unsupported_format"}),
    b"postscript.png": (
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
        {"unsupported_format"},
    ),
    b"zip.png": (b"PK\x03\x04" + bytes(100), {"unsupported_format"}),
    b"start of a png": (PNG[:8], {"unreadable"}),
    b"cut.png": (PNG[:-30], {"truncated"}),
    b"cut.jpg": (JPEG[:-50], {"truncated"}),
    b"cut.gif": (GIF[:-20], {"truncated"}),
    b"cut.bmp": (BMP[:-20], {"truncated"}),
    b"cut.webp": (WEBP[:-9], {"truncated"}),
    b"cut.tif": (TIFF[: len(TIFF) // 2], {"truncated", "unreadable"}),
    b"start of a jpeg": (b"\xff\xd8\xff", {"unreadable", "truncated"}),
    b"huge header.png": (png(2**31 - 1, 2**31 - 1, b"\0"), {"too_large", "unreadable"}),
    b"wide header.png": (png(64_000_001, 1, b"\0"), {"too_large"}),
    b"huge header.gif": (GIF[:6] + b"\xff\xff\xff\xff" + GIF[10:], {"too_large"}),
    b"huge header.bmp": (BMP[:18] + struct.pack("<ii", 60_000, 60_000) + BMP[26:], {"too_large"}),
    b"negative.bmp": (
        BMP[:18] + struct.pack("<ii", -28, 28) + BMP[26:],
        {"unreadable", "too_large"},
    ),
    b"no size.png": (png(0, 0, b""), {"unreadable"}),
    b"rows missing.png": (png(28, 28, bytes(29 * 20)), {"truncated"}),
    b"rows too many.png": (png(28, 28, bytes(29 * 40)), {"blank", "unreadable"}),
    b"unpacks to much.png": (png(28, 28, bytes(50_000_000)), {"blank", "unreadable", "truncated"}),
    b"text bomb.png": (text_bomb(), {"ok", "unreadable"}),
    b"unknown filter.png": (png(4, 4, b"\x09abcd" * 4), {"unreadable"}),
    b"wrong checksum.png": (
        PNG[:60] + bytes([PNG[60] ^ 1]) + PNG[61:],
        {"unreadable", "truncated"},
    ),
    b"round and round.tif": (tiff_that_goes_round(), {"ok"}),
    b"blank.png": (encoded(np.full((28, 28), 255, np.uint8)), {"blank"}),
    b"one pixel.png": (encoded(np.zeros((1, 1), np.uint8)), {"blank"}),
    b"a thread.png": (encoded(np.full((1, 20_000), 255, np.uint8)), {"blank"}),
    b"picture with a tail.png": (PNG + b"<script>" * 1000, {"ok"}),
    b"jpeg named.png": (
        encoded(bar(3), "JPEG", quality=95),
        {"ok", "low_confidence", "ambiguous"},
    ),
    b"x" * 236 + b".png": (PNG, {"ok"}),
    b"line\nfeed\r\x1b[31m.png": (PNG, {"ok"}),
    b"caf\xe9.png": (PNG, {"ok"}),
    rb"caf\xe9.png": (PNG, {"ok"}),
    b"back\\slash": (PNG, {"ok"}),
    b"quote\"',;.png": (PNG, {"ok"}),
    b"-rf": (PNG, {"ok"}),
    b" ": (PNG, {"ok"}),
    "\u202egnp.\N{SNOWMAN}".encode(): (PNG, {"ok"}),
}
LINKS = {
    "link to zeros without end": ("/dev/zero", {"unsupported_format"}),
    "link to nothing": ("/dev/null", {"unsupported_format"}),
    "link to nowhere": ("nowhere", {"vanished"}),
    "link to itself": ("link to itself", {"unreadable"}),
    "link to a folder": (".", {"unsupported_format"}),
    "link to a picture": ("good.png", {"ok"}),
}


@pytest.fixture
def hostile(tmp_path: Path, home: Path) -> Path:
    """Return a folder with all of them, and a good one."""
    folder = tmp_path / "hostile"
    folder.mkdir()
    for name, (content, _) in HOSTILE.items():
        (folder / os.fsdecode(name)).write_bytes(content)
    for link, (target, _) in LINKS.items():
        (folder / link).symlink_to(target)
    (folder / "good.png").write_bytes(PNG)
    (folder / "many pages.tif").write_bytes(many_pages(150))
    os.mkfifo(folder / "pipe")
    with (folder / "large.png").open("wb") as large:
        large.truncate(MAX_BYTES + 1)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.path.relpath(folder / "socket"))
    return folder


def test_every_hostile_file_has_one_row_that_fits(hostile: Path, model_file: Path) -> None:
    settings = PredictSettings(source=str(hostile), model=str(model_file))
    summary = predict(settings, Console(quiet=True))
    rows = table.select(summary.results).to_pylist()
    pages = {(row["path"], row["page"]): row["reason"] for row in rows}
    assert len(pages) == len(rows)
    assert all(row["status"] == STATUSES[Reason(row["reason"])] for row in rows)
    many = [pages.pop(("many pages.tif", page)) for page in range(101)]
    assert many[:-1] == ["blank"] * 100
    assert many[-1] == "too_large"
    fitting = {
        **{printable(name): reasons for name, (_, reasons) in HOSTILE.items()},
        **{name: reasons for name, (_, reasons) in LINKS.items()},
        "good.png": {"ok"},
        "pipe": {"unsupported_format"},
        "large.png": {"too_large"},
        "socket": {"unreadable"},
    }
    assert set(pages) == {(name, 0) for name in fitting}
    unfit = {name: reason for (name, _), reason in pages.items() if reason not in fitting[name]}
    assert unfit == {}
    assert summary.files == len(fitting) + 1


def test_files_of_times_that_no_column_holds_are_read_once(
    tmp_path: Path, home: Path, model_file: Path
) -> None:
    """Nanoseconds of an int64 end in 2262; the file system keeps times far beyond."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name, seconds in (("2300", 10_413_792_000), ("2400", 13_569_465_600), ("1910", -(2**31))):
        (folder / name).write_bytes(PNG)
        os.utime(folder / name, (seconds, seconds))
    if (folder / "2300").stat().st_mtime_ns < 2**63:
        pytest.skip("this file system keeps no such time")
    settings = PredictSettings(source=str(folder), model=str(model_file))
    first, second = (predict(settings, Console(quiet=True)) for _ in range(2))
    rows = table.select(first.results).to_pylist()
    assert {row["path"]: row["mtime_ns"] for row in rows} == {
        "2300": 2**63 - 1,
        "2400": 2**63 - 1,
        "1910": -(2**31) * 10**9,
    }
    assert {row["reason"] for row in rows} == {"ok"}
    assert (first.unchanged, second.unchanged) == (0, 3)
