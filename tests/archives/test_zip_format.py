"""What is special about zip archives."""

import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from tasks.archives.zip_format import CENTRAL, LOCAL
from tasks.errors import InputError
from tasks.inputs.listing import discover, entries_of
from tasks.inputs.open import open_inputs
from tasks.outcomes import MAX_BYTES, Reason
from tests.helpers import reason_of
from tests.inputs.test_archive import contents, zip_of

FILES = [("a.png", b"a" * 1000), ("b/c.png", b"c")]


@pytest.mark.parametrize("packing", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2])
def test_each_usual_way_of_packing_is_read(tmp_path: Path, packing: int) -> None:
    assert contents(open_inputs(str(zip_of(tmp_path / "z", FILES, packing)))) == dict(FILES)


def test_a_zip_that_was_written_as_a_stream_or_with_64_bits_is_read(tmp_path: Path) -> None:
    file = tmp_path / "z"
    with file.open("wb") as raw:
        raw.seekable = lambda: False  # type: ignore[method-assign]
        with zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in FILES:
                with archive.open(name, "w", force_zip64=True) as member:
                    member.write(content)
    assert contents(open_inputs(str(file))) == dict(FILES)


def test_a_count_that_needs_more_than_16_bits_is_found_in_the_zip64_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 1)  # write that directory for few members
    file = zip_of(tmp_path / "z", FILES)
    content = bytearray(file.read_bytes())
    end = content.rindex(b"PK\5\6")
    content[end + 8 : end + 20] = b"\xff" * 12
    file.write_bytes(content)
    assert contents(open_inputs(str(file))) == dict(FILES)
    file.write_bytes(content.replace(b"PK\6\6", b"PK\6\5"))
    with pytest.raises(InputError, match="its zip64 directory is missing"):
        open_inputs(str(file))


def test_values_that_need_64_bits_are_found_in_the_extra_field(tmp_path: Path) -> None:
    file = zip_of(tmp_path / "z", [("a.png", b"")], zipfile.ZIP_STORED)
    content = bytearray(file.read_bytes())
    at = content.index(b"PK\1\2")
    extra = struct.pack("<2H2Q", 1, 16, 5 << 32, 5 << 32)
    content[at + 20 : at + 28] = b"\xff" * 8
    content[at + 30 : at + 32] = struct.pack("<H", len(extra))
    content[at + CENTRAL.size + 5 : at + CENTRAL.size + 5] = extra
    end = content.index(b"PK\5\6")
    content[end + 12 : end + 16] = struct.pack("<L", end - at)
    file.write_bytes(content)
    inputs = open_inputs(str(file))
    assert [entry.size for entry in inputs.entries()] == [5 << 32]
    assert reason_of(inputs, b"a.png") == Reason.TOO_LARGE


@pytest.mark.parametrize("field", ["size", "packed", "start"])
@pytest.mark.parametrize("value", [2**63 - 1, 2**63, 2**64 - 1])
def test_numbers_that_no_file_has_cost_their_member_alone(
    tmp_path: Path, field: str, value: int
) -> None:
    file = zip_of(tmp_path / "z", [("odd.png", b"odd"), ("b", b"b")], zipfile.ZIP_STORED)
    content = bytearray(file.read_bytes())
    at = content.index(b"PK\1\2")
    place = {"packed": 20, "size": 24, "start": 42}[field]
    extra = struct.pack("<2HQ", 1, 8, value)
    content[at + place : at + place + 4] = b"\xff" * 4
    content[at + 30 : at + 32] = struct.pack("<H", len(extra))
    behind = at + CENTRAL.size + len("odd.png")
    content[behind:behind] = extra
    end = content.rindex(b"PK\5\6")
    content[end + 12 : end + 16] = struct.pack("<L", end - at)
    file.write_bytes(content)
    inputs = open_inputs(str(file))
    listing = discover(inputs, tmp_path / "listing.parquet")
    odd, other = entries_of(listing.file, 0, listing.count)
    assert odd.size == (min(value, 2**63 - 1) if field == "size" else 3)
    assert listing.size <= MAX_BYTES + 1
    assert reason_of(inputs, odd.path) in {Reason.TOO_LARGE, Reason.UNREADABLE}
    assert inputs.read(other.path).data == b"b"


def test_the_name_in_unicode_that_some_writers_add_counts_if_it_belongs_to_the_other(
    tmp_path: Path,
) -> None:
    names = []
    for belongs in (True, False):
        checksum = zlib.crc32(b"?.png" if belongs else b"another")
        info = zipfile.ZipInfo("?.png")
        name = struct.pack("<BL", 1, checksum) + "é.png".encode()
        info.extra = struct.pack("<2H", 0x7075, len(name)) + name
        with zipfile.ZipFile(tmp_path / "z", "w") as archive:
            archive.writestr(info, b"x")
        names += contents(open_inputs(str(tmp_path / "z")))
    assert names == ["é.png", "?.png"]


def test_encrypted_members_links_and_unknown_packing_have_their_reason(tmp_path: Path) -> None:
    file = tmp_path / "z"
    link = zipfile.ZipInfo("link.png")
    link.create_system, link.external_attr = 3, 0o120777 << 16
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("locked.png", b"x")
        archive.writestr(link, b"../somewhere")
        archive.writestr("lzma.png", b"x", zipfile.ZIP_LZMA)
        archive.mkdir("folder")
    content = bytearray(file.read_bytes())
    content[content.index(b"PK\1\2") + 8] |= 1
    file.write_bytes(content)
    inputs = open_inputs(str(file))
    assert {entry.path: reason_of(inputs, entry.path) for entry in inputs.entries()} == {
        b"locked.png": Reason.ENCRYPTED,
        b"link.png": Reason.UNSUPPORTED_FORMAT,
        b"lzma.png": Reason.UNSUPPORTED_FORMAT,
    }


def test_a_member_whose_content_is_not_what_the_archive_says_is_unreadable(tmp_path: Path) -> None:
    file = zip_of(tmp_path / "z", [("a", b"abc"), ("b", b"def"), ("c", b"ghi")], zipfile.ZIP_STORED)
    content = bytearray(file.read_bytes())
    second, third = (content.index(b"PK\3\4", content.index(mark)) for mark in (b"abc", b"def"))
    content[content.index(b"abc")] ^= 1
    content[second : second + 4] = b"KP\3\4"
    content[third + 26 : third + 28] = b"\xff\xff"  # a name that leaves no room for content
    file.write_bytes(content)
    inputs = open_inputs(str(file))
    assert {reason_of(inputs, entry.path) for entry in inputs.entries()} == {Reason.UNREADABLE}


def test_a_member_that_unpacks_to_more_than_it_says_is_not_unpacked(tmp_path: Path) -> None:
    bomb = zlib.compress(bytes(50_000_000), 9, -15)
    file = zip_of(tmp_path / "z", [("bomb", b"")], zipfile.ZIP_STORED)
    content = bytearray(file.read_bytes())
    at = content.index(b"PK\1\2")
    content[at + 10 : at + 12] = struct.pack("<H", zipfile.ZIP_DEFLATED)
    content[at + 20 : at + 28] = struct.pack("<2L", len(bomb), 10)
    content[at:at] = bomb
    end = content.rindex(b"PK\5\6")
    content[end + 16 : end + 20] = struct.pack("<L", at + len(bomb))
    file.write_bytes(content)
    assert content.startswith(b"PK\3\4")
    assert at == LOCAL.size + len(b"bomb")
    inputs = open_inputs(str(file))
    assert [entry.size for entry in inputs.entries()] == [10]
    assert reason_of(inputs, b"bomb") == Reason.UNREADABLE


def test_names_in_old_encodings_become_utf_8(tmp_path: Path) -> None:
    file = zip_of(tmp_path / "z", [("cafX.png", b"1"), ("é.png", b"2"), ("eXX.png", b"3")])
    content = file.read_bytes()
    content = content.replace(b"cafX.png", b"caf\x82.png")  # code page 437
    content = content.replace(b"eXX.png", b"e\xc3\xa9.png")  # UTF-8 without saying so
    file.write_bytes(content)
    assert list(contents(open_inputs(str(file)))) == ["café.png", "é.png", "eé.png"]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda content: content[:-30], "its end is missing"),
        (
            lambda content: content.replace(b"PK\1\2", b"PK\1\1", 1),
            "directory of members is damaged",
        ),
        (lambda content: content[:-6] + b"\xff\xff\xff\x7f\0\0", "directory of members is damaged"),
        (lambda content: content[:-18] + b"\1\0\1\0" + content[-14:], "one part of several"),
    ],
)
def test_a_broken_zip_is_an_error_before_any_work(
    tmp_path: Path, damage: Callable[[bytes], bytes], message: str
) -> None:
    file = zip_of(tmp_path / "z", FILES)
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(InputError, match=f"z is a broken zip archive: .*{message}"):
        open_inputs(str(file))
