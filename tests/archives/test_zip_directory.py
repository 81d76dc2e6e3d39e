"""Which members a zip archive has is what its directory says, or the archive is refused."""

import os
import random
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tasks.archives.zip_directory import (
    END,
    END64,
    END64_MARK,
    END64_PLACE,
    END64_PLACE_MARK,
    Directory,
)
from tasks.errors import InputError
from tasks.inputs.archive import clean
from tasks.inputs.base import Content
from tasks.inputs.open import open_inputs
from tests.inputs.test_archive import contents, zip_of

FILES = [(f"{number}.png", bytes([number]) * 40) for number in range(5)]


def with_end(content: bytes, **changes: int) -> bytes:
    """Return an archive without comment whose end record says something else."""
    names = ("mark", "disk", "first_disk", "here", "members", "length", "start", "comment")
    record = dict(zip(names, END.unpack(content[-END.size :]), strict=True)) | changes
    return content[: -END.size] + END.pack(*record.values())


def with_end64(content: bytes, *, here: int = 0, before: int = 0, **changes: int) -> bytes:
    """Return an archive with a zip64 end record besides, which says the same or what is given."""
    _, _, _, count, members, length, start, _ = END.unpack(content[-END.size :])
    record = {"here": here or count, "members": members, "length": length, "start": start} | changes
    large = END64.pack(END64_MARK, END64.size - 12, 45, 45, 0, 0, *record.values())
    place = END64_PLACE.pack(END64_PLACE_MARK, 0, len(content) - END.size + before, 1)
    return content[: -END.size] + large + place + content[-END.size :]


@pytest.fixture
def archive(tmp_path: Path) -> bytes:
    """Return an archive of FILES."""
    return zip_of(tmp_path / "made", FILES, zipfile.ZIP_STORED).read_bytes()


def test_a_count_of_16_bits_is_that_of_a_larger_number_of_members(tmp_path: Path) -> None:
    """As old writers store it: `zipfile` and `unzip` read all members of such an archive."""
    count = 2**16 + 4
    name = b"%06d.png"
    local = struct.pack("<4s5H3L2H", b"PK\3\4", 20, 0, 0, 0, 0, 0, 0, 0, 10, 0) + name % 0
    record = struct.Struct("<4s6H3L5H2L")
    with (tmp_path / "old.zip").open("wb") as file:
        file.write(local)
        facts = (b"PK\1\2", 20, 20, 0, 0, 0, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0, 0)
        file.writelines(record.pack(*facts) + name % number for number in range(count))
        length = file.tell() - len(local)
        counted = count % 2**16
        file.write(END.pack(b"PK\5\6", 0, 0, counted, counted, length, len(local), 0))
    entries = open_inputs(str(tmp_path / "old.zip")).entries()
    assert [entry.path for entry in entries] == [name % number for number in range(count)]


def test_the_most_that_16_bits_hold_stands_for_any_larger_number() -> None:
    directory = Directory(0, 9, 0, counted=2**16 - 1, exact=False)
    assert [n for n in (2**16 - 2, 2**16 - 1, 2**16, 70_000) if directory.has(n)] == [
        2**16 - 1,
        2**16,
        70_000,
    ]


@pytest.mark.parametrize("counted", [0, 3, 6, 2**16 - 1])
@pytest.mark.parametrize("in_zip64", [False, True])
def test_a_count_that_contradicts_the_directory_is_refused(
    tmp_path: Path, archive: bytes, counted: int, *, in_zip64: bool
) -> None:
    forged = (
        with_end64(with_end(archive, members=2**16 - 1), here=counted or 0, members=counted)
        if in_zip64 and counted
        else with_end(archive, here=counted, members=counted)
    )
    (tmp_path / "z").write_bytes(forged)
    with pytest.raises(
        InputError, match=rf"lists 5 members, but its end record counts {counted:,}: unpack it"
    ):
        open_inputs(str(tmp_path / "z"))


def _trailing(content: bytes) -> bytes:
    return content + b"\r\n" + bytes(500)


def _program(content: bytes) -> bytes:
    return b"MZ" + bytes(4000) + content


def _script(content: bytes) -> bytes:
    return b"#!/bin/sh\nexec unzip $0\n" + content


def _zip64(content: bytes) -> bytes:
    return with_end64(content)


def _program_zip64(content: bytes) -> bytes:
    return b"MZ" + bytes(4000) + with_end64(content)


def _program_zip64_counted_whole(content: bytes) -> bytes:
    return b"MZ" + bytes(4000) + with_end64(content, before=4002)


def _once_split(content: bytes) -> bytes:
    """Return the archive with the mark of one that was written in parts, and is one part."""
    moved = bytearray(content)
    at = moved.find(b"PK\1\2")
    while at >= 0:
        start = struct.unpack_from("<L", moved, at + 42)[0]
        struct.pack_into("<L", moved, at + 42, start + 4)
        at = moved.find(b"PK\1\2", at + 4)
    start = END.unpack(content[-END.size :])[6]
    return b"PK00" + with_end(bytes(moved), start=start + 4)


@pytest.mark.parametrize(
    "written",
    [
        _trailing,
        _program,
        _script,
        _zip64,
        _program_zip64,
        _program_zip64_counted_whole,
        _once_split,
    ],
)
def test_what_stands_before_or_after_an_archive_takes_nothing_away(
    tmp_path: Path, archive: bytes, written: Callable[[bytes], bytes]
) -> None:
    (tmp_path / "z").write_bytes(written(archive))
    assert contents(open_inputs(str(tmp_path / "z"))) == dict(FILES)


def test_a_file_called_zip_is_read_as_one_whatever_it_begins_with(
    tmp_path: Path, archive: bytes
) -> None:
    for name in ("z.ZIP", "z"):
        (tmp_path / name).write_bytes(os.urandom(99) + archive)
    assert contents(open_inputs(str(tmp_path / "z.ZIP"))) == dict(FILES)
    assert [entry.path for entry in open_inputs(str(tmp_path / "z")).entries()] == [b"z"]


def _with_comment(content: bytes, comment: bytes) -> bytes:
    return with_end(content, comment=len(comment)) + comment


@pytest.mark.parametrize(
    ("forge", "message"),
    [
        (lambda a: a + a, "if archives were joined, give them one by one"),
        (lambda a: a + a[:200], "more follows after its end"),
        (lambda a: _with_comment(a, with_end(a, members=0)[-END.size :]), "a second end record"),
        (
            lambda a: _with_comment(a, b"\0" + with_end(a)[-END.size :] + b"\0"),
            "a second end record",
        ),
        (lambda a: with_end(a, disk=1, first_disk=1), "one part of several"),
        (lambda a: with_end(a, here=2), "one part of several"),
        (lambda a: with_end(a, length=10), "is not where its end record says"),
        (lambda a: with_end(a, length=2**31), "its beginning is missing"),
        (lambda a: with_end(a, start=2**31), "its beginning is missing"),
        (lambda a: a[: -END.size] + b"garbage" + a[-END.size :], "is not where its end record"),
        (lambda a: a[4:], "its beginning is missing"),
        (lambda a: with_end64(a, members=7), "contradict each other|one part of several"),
        (lambda a: with_end64(a, start=2**63), "contradict each other"),
        (lambda a: with_end64(with_end(a, start=2**32 - 1), start=2**63), "beginning is missing"),
        (lambda a: with_end64(a).replace(END64_MARK, b"PK\6\5"), "zip64 directory is missing"),
        (lambda a: a[: a.index(b"PK\1\2")], "its end is missing"),
    ],
)
def test_an_archive_that_contradicts_itself_is_refused(
    tmp_path: Path, archive: bytes, forge: Callable[[bytes], bytes], message: str
) -> None:
    (tmp_path / "z.zip").write_bytes(forge(archive))
    with pytest.raises(InputError, match=rf"z\.zip is a broken zip archive: .*({message})"):
        open_inputs(str(tmp_path / "z.zip"))


def test_an_archive_within_one_that_was_cut_is_not_taken_for_it(
    tmp_path: Path, archive: bytes
) -> None:
    outer = zip_of(tmp_path / "z", [("a.png", b"a"), ("in.zip", archive)], zipfile.ZIP_STORED)
    outer.write_bytes(outer.read_bytes()[: outer.read_bytes().index(archive) + len(archive)])
    with pytest.raises(InputError, match="is not where its end record says"):
        open_inputs(str(outer))


def _mutant(content: bytes, chance: random.Random) -> bytes:
    """Return an archive with a few changes in its directory or end records, or around it."""
    changed = bytearray(content)
    directory = content.index(b"PK\1\2")
    for _ in range(chance.randint(1, 3)):
        at = chance.choice([chance.randrange(directory, len(content)), chance.randrange(8, 40)])
        kind = chance.randrange(6)
        if kind == 0:
            changed[at : at + 1] = bytes([chance.choice([0, 1, 0xFF, chance.randrange(256)])])
        elif kind == 1:
            field = chance.choice([b"\xff" * 4, bytes(4), struct.pack("<L", chance.randrange(900))])
            changed[at : at + 4] = field
        elif kind == 2:
            changed[at:at] = chance.choice([b"PK\5\6", b"PK\1\2", b"\0", chance.randbytes(5)])
        elif kind == 3:
            del changed[at : at + chance.randint(1, 50)]
        elif kind == 4:
            changed += chance.choice([b"\n", b"PK\5\6", content[-END.size :], content, bytes(9)])
        else:
            changed[:0] = chance.choice([b"MZ", b"x", content, content[:-3]])
    return bytes(changed)


def _as_zipfile_reads(file: Path) -> list[tuple[str, int, bytes | None]] | None:
    """Return name, size and content of each member; nothing if it does not open the archive."""
    try:
        with zipfile.ZipFile(file) as archive:
            return [
                (info.orig_filename, info.file_size, _content(archive, info))
                for info in archive.infolist()
                if not (info.orig_filename.endswith("/") and info.file_size == 0)
            ]
    except Exception:  # zipfile's own, and of struct, codecs, ...
        return None


def _content(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes | None:
    try:
        return archive.read(info)
    except Exception:  # as above, and of zlib
        return None


@pytest.mark.parametrize("in_64_bits", [False, True])
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_what_zipfile_opens_has_the_same_members_or_is_refused(
    tmp_path: Path, *, in_64_bits: bool
) -> None:
    chance, agreed = random.Random(12), 0  # noqa: S311 - the same mutants each time
    file = tmp_path / "z.zip"
    zip_of(file, [("a.png", b"first"), ("b/b", b"x" * 70), ("a.png", b"again"), ("c/", b"")])
    content = file.read_bytes()
    content = with_end64(content) if in_64_bits else content
    for number in range(500):
        file.write_bytes(_mutant(content, chance))
        theirs = _as_zipfile_reads(file)
        try:
            inputs = open_inputs(str(file))
            entries = list(inputs.entries())
        except InputError as error:
            assert str(file) in str(error)
            continue
        if theirs is None:  # a file that nobody reads as a zip may be a picture
            continue
        agreed += 1
        assert [entry.size for entry in entries] == [size for _, size, _ in theirs], number
        for entry, (name, _, _) in zip(entries, theirs, strict=True):
            path = entry.path.partition(b"//")[0].decode()
            assert not name.isascii() or path == clean(name.encode()).decode(), number
        ours = list(inputs.read_each(entry.path for entry in entries))
        for read, (_, _, whole) in zip(ours, theirs, strict=True):
            assert whole is None or not isinstance(read, Content) or read.data == whole, number
    assert agreed > 100  # so that most of the comparison is not of refusals
