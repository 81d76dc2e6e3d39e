"""What is special about tar archives."""

import gzip
import io
import os
import tarfile
from pathlib import Path

import pytest

from tasks.errors import InputError
from tasks.inputs import MAX_BYTES, open_inputs
from tasks.reasons import Reason
from tasks.tars import LONGEST_HEADER
from tests.helpers import reason_of
from tests.test_archives import contents, tar_of


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


def test_a_header_with_a_negative_size_ends(tmp_path: Path) -> None:
    file = tar_of(tmp_path / "t", [("a", b""), ("b", b"")])
    content = bytearray(file.read_bytes())
    content[512 + 124 : 512 + 136] = b"\xff" * 10 + b"\xfc\0"
    content[512 + 148 : 512 + 156] = b" " * 8
    content[512 + 148 : 512 + 156] = b"%06o\0 " % sum(content[512:1024])
    file.write_bytes(content)
    with pytest.raises(InputError, match="broken tar archive, after 1 members"):
        open_inputs(str(file))


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
