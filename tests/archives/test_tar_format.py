"""What is special about tar archives."""

import bz2
import gzip
import io
import lzma
import os
import tarfile
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import pytest

from tasks.archives import tar_format, unpacking
from tasks.archives.tar_format import LONGEST_HEADER
from tasks.errors import InputError
from tasks.inputs.listing import discover, entries_of
from tasks.inputs.open import open_inputs
from tasks.outcomes import MAX_BYTES, Reason, Undecodable
from tests.helpers import reason_of
from tests.inputs.test_archive import contents, tar_of


@pytest.mark.parametrize("layout", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_each_layout_with_long_names_and_names_without_encoding_is_read(
    tmp_path: Path, layout: int
) -> None:
    names = ["d" * 90 + "/" + "n" * 90, os.fsdecode(b"caf\xe9"), "last"]
    with tarfile.open(tmp_path / "t", "w", format=layout, errors="surrogateescape") as archive:
        for name in names:
            info = tarfile.TarInfo(name)
            info.size = 3
            archive.addfile(info, io.BytesIO(b"abc"))
    inputs = open_inputs(str(tmp_path / "t"))
    assert [entry.path for entry in inputs.entries()] == [os.fsencode(name) for name in names]
    assert {inputs.read(os.fsencode(name)).data for name in names} == {b"abc"}


def test_links_pipes_devices_and_folders_are_no_pictures(tmp_path: Path) -> None:
    kinds = {
        "symlink": tarfile.SYMTYPE,
        "hard link": tarfile.LNKTYPE,
        "pipe": tarfile.FIFOTYPE,
        "device": tarfile.CHRTYPE,
        "folder": tarfile.DIRTYPE,
    }
    with tarfile.open(tmp_path / "t", "w") as archive:
        for name, kind in kinds.items():
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
    inputs = open_inputs(str(tmp_path / "t"))
    reasons = {entry.path.decode(): reason_of(inputs, entry.path) for entry in inputs.entries()}
    assert reasons == dict.fromkeys(list(kinds)[:-1], Reason.UNSUPPORTED_FORMAT)


def test_a_tar_that_ends_within_a_member_or_goes_on_as_garbage_is_an_error(tmp_path: Path) -> None:
    file = tar_of(tmp_path / "t", [("a", b"a" * 600), ("b", b"b" * 600)])
    whole = file.read_bytes()
    for content, members in ((whole[:1400], 0), (whole[:3000], 1), (whole[:1536] + b"x" * 512, 1)):
        file.write_bytes(content)
        with pytest.raises(InputError, match=f"t is a broken tar archive, after {members} members"):
            open_inputs(str(file))


def test_archives_that_were_joined_are_an_error_and_not_read_in_part(tmp_path: Path) -> None:
    one, two = (tar_of(tmp_path / name, [(name, b"1")]).read_bytes() for name in "ab")
    (tmp_path / "t").write_bytes(one + two)
    with pytest.raises(InputError, match="more follows after its end; give joined archives one by"):
        open_inputs(str(tmp_path / "t"))


def test_a_compressed_tar_that_is_cut_is_an_error(tmp_path: Path) -> None:
    file = tar_of(tmp_path / "t", [(f"{n}", os.urandom(5000)) for n in range(9)], "gz")
    file.write_bytes(file.read_bytes()[:-2000])
    with pytest.raises(InputError, match=r"broken tar archive, after [78] members"):
        open_inputs(str(file))


def test_a_compressed_file_that_holds_no_tar_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "picture.png.gz").write_bytes(gzip.compress(b"no tar" * 1000))
    with pytest.raises(InputError, match="is compressed, but no tar archive: unpack it first"):
        open_inputs(str(tmp_path / "picture.png.gz"))


def test_a_header_that_claims_very_much_does_not_fill_the_memory(tmp_path: Path) -> None:
    info = tarfile.TarInfo("long")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, LONGEST_HEADER * 100
    with (tmp_path / "t").open("wb") as file:
        file.write(info.tobuf(tarfile.GNU_FORMAT))
        file.truncate(LONGEST_HEADER * 101)
    with pytest.raises(InputError, match="a header of 104,857,600 bytes"):
        open_inputs(str(tmp_path / "t"))


def header(name: str, size: bytes | None = None, kind: bytes = tarfile.REGTYPE) -> bytes:
    """Return a header whose 12 bytes for the size are given, with the checksum that fits."""
    info = tarfile.TarInfo(name)
    info.type = kind
    block = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    block[124:136] = size or block[124:136]
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def large_number(value: int) -> bytes:
    """Return a size as GNU tar writes one that octal digits cannot."""
    return (value % 256**12 | 1 << 95).to_bytes(12, "big")


def pax(kind: bytes = tarfile.XHDTYPE, **facts: str) -> bytes:
    """Return a header with further facts for the next member."""
    return tarfile.TarInfo._create_pax_generic_header(facts, kind, "utf-8")  # type: ignore[attr-defined, no-any-return]  # no public one


END = bytes(1024)


@pytest.mark.parametrize("size", [-1, -512, -1024, -(2**40), -(2**87)])
@pytest.mark.parametrize("compressed", [False, True])
def test_a_member_of_less_than_no_bytes_costs_itself_alone(
    tmp_path: Path, size: int, *, compressed: bool
) -> None:
    good = tar_of(tmp_path / "t", [("a", b"1"), ("b", b"2")]).read_bytes()[:2048]
    content = good[:1024] + header("bad.png", large_number(size)) + good[1024:] + bytes(100_000)
    (tmp_path / "t").write_bytes(gzip.compress(content) if compressed else content)
    inputs = open_inputs(str(tmp_path / "t"))
    assert [tuple(entry)[:2] for entry in inputs.entries()] == [
        (b"a", 1),
        (b"bad.png", 0),
        (b"b", 1),
    ]
    assert inputs.read(b"b").data == b"2"
    with pytest.raises(Undecodable, match=f"unreadable: its header .* says {size:,} bytes"):
        inputs.read(b"bad.png")


@pytest.mark.parametrize("value", ["-1", "-512", "1e9", "nan", "inf", "9" * 30, "9" * 5000, ""])
@pytest.mark.parametrize("fact", ["size", "mtime", "GNU.sparse.size", "GNU.sparse.realsize"])
def test_odd_facts_about_a_member_end_no_listing_without_a_word(
    tmp_path: Path, fact: str, value: str
) -> None:
    odd = pax(**{fact: value}) + header("odd")
    (tmp_path / "t").write_bytes(header("a") + odd + header("b") + END)
    try:
        inputs = open_inputs(str(tmp_path / "t"))
    except InputError as error:
        assert "broken tar archive, after 1 members" in str(error)
        return
    listing = discover(inputs, tmp_path / "listing.parquet")
    entries = entries_of(listing.file, 0, listing.count)
    assert [entry.path for entry in entries] == [b"a", b"odd", b"b"]
    assert list(inputs.read_each(entry.path for entry in entries))


@pytest.mark.parametrize("size", [large_number(2**63), large_number(2**80), b"77777777777\0"])
@pytest.mark.parametrize("compression", ["", "gz"])
def test_a_member_of_more_bytes_than_there_are_is_an_error(
    tmp_path: Path, size: bytes, compression: str
) -> None:
    content = header("a") + header("huge", size) + bytes(2000)
    (tmp_path / "t").write_bytes(gzip.compress(content) if compression else content)
    with pytest.raises(
        InputError, match=r"t (is a broken tar archive, after 1 mem|unpacks to more)"
    ):
        open_inputs(str(tmp_path / "t"))


def _negative_name(file: BinaryIO) -> None:
    file.write(header("long", large_number(-512), tarfile.GNUTYPE_LONGNAME))


def _negative_facts(file: BinaryIO) -> None:
    file.write(header("facts", large_number(-(2**40)), tarfile.XHDTYPE))


def _sparse_map_without_end(file: BinaryIO) -> None:
    file.write(header("sparse", kind=tarfile.GNUTYPE_SPARSE)[:482] + b"\1")
    file.seek(0)
    block = bytearray(file.read(512).ljust(512, b"\0"))
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    file.seek(0)
    file.write(block)
    more = (b"%011o\0" % 0) * 42 + b"\1" + bytes(7)
    file.write(more * 3_000)


def _names_that_follow_each_other(file: BinaryIO) -> None:
    for _ in range(40):
        file.write(header("long", b"%011o\0" % 100_352, tarfile.GNUTYPE_LONGNAME) + b"x" * 100_352)


def _facts_for_all_without_end(file: BinaryIO) -> None:
    for number in range(200):
        file.write(pax(tarfile.XGLTYPE, **{f"fact{number}": "x"}) + header(f"{number}"))


def _very_long_name(file: BinaryIO) -> None:
    file.write(header("long", b"%011o\0" % 100_352, tarfile.GNUTYPE_LONGNAME) + b"x" * 100_352)
    file.write(header("short"))


@pytest.mark.parametrize(
    "write",
    [
        _negative_name,
        _negative_facts,
        _sparse_map_without_end,
        _names_that_follow_each_other,
        _facts_for_all_without_end,
        _very_long_name,
    ],
)
def test_headers_take_no_memory_without_bound(
    tmp_path: Path, write: Callable[[BinaryIO], None]
) -> None:
    with (tmp_path / "t").open("wb+") as file:
        write(file)
        file.write(END)
        file.truncate(file.tell() + 200 * 2**20)
    tracemalloc.start()
    with pytest.raises(InputError, match="t is a broken tar archive"):
        open_inputs(str(tmp_path / "t"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20 * 2**20


@pytest.mark.parametrize(("compression", "repeat"), [("gz", 1), ("gz", 5), ("bz2", 1), ("xz", 1)])
def test_a_compressed_archive_costs_what_it_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compression: str, repeat: int
) -> None:
    monkeypatch.setattr(unpacking, "MAX_BYTES", 2**20)  # so that 20 MB are too much
    compress = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}[compression]
    holds = header("a") + header("zeros", b"%011o\0" % (20_000_000 // 512 * 512))
    parts = [compress(holds), *[compress(bytes(4_000_000))] * repeat]
    if repeat == 1:
        parts = [compress(holds + bytes(20_000_000) + END)]
    (tmp_path / "t").write_bytes(b"".join(parts))
    with pytest.raises(
        InputError,
        match=r"t unpacks to more than [\d,]+ bytes, .*: unpack it first, and give the f",
    ):
        open_inputs(str(tmp_path / "t"))


def test_zeros_without_end_are_not_all_unpacked_and_take_no_member_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tar_format, "LONGEST_PADDING", 2**20)
    # what lies so far behind shows that it was not unpacked: it is damaged
    zeros = gzip.compress(bytes(40 * 2**20)) + b"damaged"
    (tmp_path / "t").write_bytes(gzip.compress(header("a")) + zeros)
    assert [entry.path for entry in open_inputs(str(tmp_path / "t")).entries()] == [b"a"]
    (tmp_path / "t").write_bytes(zeros)
    with pytest.raises(InputError, match="t holds no member and more than 1,048,576 zeros: unpack"):
        open_inputs(str(tmp_path / "t"))


def test_a_text_that_begins_like_bzip2_is_no_archive(tmp_path: Path) -> None:
    (tmp_path / "BZh").write_bytes(b"BZhello, world")
    assert [entry.path for entry in open_inputs(str(tmp_path / "BZh")).entries()] == [b"BZh"]


def test_members_are_read_from_an_archive_without_end_marks(tmp_path: Path) -> None:
    file = tar_of(tmp_path / "t", [("a", b"a"), ("b", b"b")])
    file.write_bytes(file.read_bytes()[:2048])
    assert contents(open_inputs(str(file))) == {"a": b"a", "b": b"b"}


def test_a_member_over_the_limit_is_refused_by_its_header(tmp_path: Path) -> None:
    info = tarfile.TarInfo("large")
    info.size = MAX_BYTES + 1
    with (tmp_path / "t").open("wb") as file:
        file.write(info.tobuf())
        file.truncate(MAX_BYTES + 2048)
    inputs = open_inputs(str(tmp_path / "t"))
    assert [entry.size for entry in inputs.entries()] == [MAX_BYTES + 1]
    assert reason_of(inputs, b"large") == Reason.TOO_LARGE
