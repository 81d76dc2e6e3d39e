"""What takes more memory than it may is refused it, and nothing afterwards is."""

import signal
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

from tasks.decoding.memory_limit import at_most
from tests.pdfs import pdf_of, stream

MIB = 2**20


def test_more_is_refused_in_the_block_alone() -> None:
    with at_most(64 * MIB):
        assert len(bytearray(16 * MIB)) == 16 * MIB
        with pytest.raises(MemoryError):
            bytearray(256 * MIB)
    assert len(bytearray(256 * MIB)) == 256 * MIB


def test_a_bound_within_a_bound_is_none_that_is_wider() -> None:
    with at_most(64 * MIB), at_most(1024 * MIB), pytest.raises(MemoryError):
        bytearray(256 * MIB)


@pytest.mark.processes
def test_a_page_that_unpacks_without_end_ends_its_process_and_not_the_machine(
    tmp_path: Path,
) -> None:
    packer = zlib.compressobj(1)
    packed = b"".join(packer.compress(b" " * MIB) for _ in range(600)) + packer.flush()
    bomb = pdf_of(
        [
            b"<</Type/Catalog/Pages 2 0 R>>",
            b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]/Contents 4 0 R>>",
            stream(b"/Filter/FlateDecode", packed),
        ]
    )
    (tmp_path / "bomb.pdf").write_bytes(bomb)
    program = (
        "import sys; from pathlib import Path; from tasks.decoding.decode import decode;"
        "decode(Path(sys.argv[1]).read_bytes())"
    )
    done = subprocess.run([sys.executable, "-c", program, tmp_path / "bomb.pdf"], check=False)
    assert done.returncode == -signal.SIGABRT
