"""What a refused file is, is said in words, and unknown content by its first bytes."""

import io
import tarfile
import zipfile

import pytest

from tasks.decoding.decode import pages
from tasks.decoding.known_formats import name_of
from tasks.outcomes import Reason
from tests.bars import bar, encoded

OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504)


def ole(stream: str) -> bytes:
    """Return what an OLE file with a stream looks like."""
    return OLE + stream.encode("utf-16-le").ljust(64, b"\0") + bytes(64)


def archive(*members: str) -> bytes:
    """Return a zip archive; members are as large as pictures."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as opened:
        for member in members:
            name, _, content = member.partition("=")
            opened.writestr(name, content or "x" * 100_000)
    return file.getvalue()


def tar() -> bytes:
    """Return a tar archive."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as opened:
        opened.addfile(tarfile.TarInfo("scan.png"))
    return file.getvalue()


FILES = [
    (ole("WordDocument"), "a Word document"),
    (ole("Workbook"), "an Excel workbook"),
    (ole("Catalog"), "a Windows thumbnail cache (Thumbs.db)"),
    (OLE, "a Windows document or thumbnail cache (OLE)"),
    (archive("[Content_Types].xml", "word/document.xml"), "a Word document"),
    (archive("[Content_Types].xml", "xl/workbook.xml"), "an Excel workbook"),
    (
        archive("mimetype=application/vnd.oasis.opendocument.text", "content.xml"),
        "a text document (OpenDocument)",
    ),
    (archive("scans/3.png", "password/4.png"), "a zip archive"),
    (archive(), "an empty zip archive"),
    (tar(), "a tar archive"),
    (b"\x1f\x8b\x08" + bytes(20), "a file compressed by gzip"),
    (b"\0\0\0\x18ftypmp42" + bytes(40), "a video (MP4)"),
    (b"\0\0\0\x14ftypqt  " + bytes(40), "a video (QuickTime)"),
    (b"\0\0\0\x18ftypcrx " + bytes(40), "a camera's raw picture (Canon)"),
    (b"RIFF\x10\0\0\0AVI LIST", "a video (AVI)"),
    (b"RIFF\x10\0\0\0WAVEfmt ", "a sound (WAV)"),
    (b"8BPS\0\1" + bytes(20), "a Photoshop picture"),
    (b"\0\0\0\x01Bud1\0\0", "a Mac's folder settings (.DS_Store)"),
    (b"\0\x05\x16\x07\0\x02\0\0", "what a Mac keeps beside a file (AppleDouble, ._*)"),
    (b"\x4c\0\0\0\x01\x14\x02\0\0\0", "a Windows shortcut"),
    (b"MZ\x90\0\x03", "a Windows program"),
    (b"[.ShellClassInfo]\r\nIconIndex=3\r\n", "Windows folder settings (desktop.ini)"),
    (b"<!DOCTYPE html>\n<html><body>Sign in</body></html>", "a web page (HTML)"),
    (b"<?xml version='1.0'?>\n<!-- x -->\n<svg width='3'/>", "a drawing (SVG)"),
    (b"<?xml version='1.0'?><report/>", "an XML file"),
    (
        b"version https://git-lfs.github.com/spec/v1\n",
        "a Git LFS pointer, in place of the file itself",
    ),
    (b"#!/bin/sh\n", "a script"),
    (b"name,digit\r\n3.png,3\r\n", "text"),
    (b"MZ 250, ID3 and FLV are letters", "text"),
    (b"x" + "é".encode() * 40_000, "text"),
    ("Müller hat die Blätter".encode("latin-1"), "text"),
    ("Blätter".encode("utf-16"), "text"),
    (bytes(5000), "5,000 bytes that are all zero"),
]


@pytest.mark.parametrize(("data", "name"), FILES)
def test_what_people_have_beside_their_scans_is_named(data: bytes, name: str) -> None:
    [found] = pages(data)
    assert (found.reason, found.detail) == (Reason.UNSUPPORTED_FORMAT, name)


def test_what_is_not_known_is_shown_by_its_first_bytes_as_text() -> None:
    [found] = pages(b"\x07\x1b[31m\xff\xfe\0red")
    assert found.reason == Reason.UNSUPPORTED_FORMAT
    assert found.detail.isprintable()
    assert found.detail == r"content begins with b'\x07\x1b[31m\xff\xfe'"


@pytest.mark.parametrize("format", ["PNG", "JPEG", "GIF", "TIFF", "WEBP", "BMP", "AVIF"])
def test_a_damaged_picture_is_not_taken_for_something_else(format: str) -> None:
    assert name_of(encoded(bar(3), format)[:13]) == ""


def test_markup_without_end_takes_no_time() -> None:
    assert name_of(b"<!---->" * 9000 + b"<") == "text"
    assert name_of(b"<" * 60_000) == "text"
