"""The most memory that decoding each file of a folder takes, measured in a process for each.

`python -m tests.decoder_peaks FOLDER` prints a line of JSON for each file: its name, the peak
beside the file's own bytes and the program (bytes), what is expected by its header, and what became
of it.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import pi_heif
import pypdfium2
from PIL import Image

from tasks.decoding import decode, heif, pdf
from tasks.decoding.decode_memory import bytes_a_pixel
from tasks.gate.resources import _peak

BESIDE = 64 * 2**20  # bytes: libraries, tiles on their way to 8 bits, the page before


def measured(folder: Path) -> list[dict[str, Any]]:
    """Return the lines for a folder."""
    command = [sys.executable, "-m", "tests.decoder_peaks", str(folder)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, env=environment, capture_output=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def _expected(file: Path) -> int:
    """Return what the page that takes most is expected to take, bytes."""
    if file.suffix == ".heic":
        return max(heif.memory_of(image) for image in pi_heif.open_heif(file))
    if file.suffix == ".pdf":
        with pypdfium2.PdfDocument(file) as document:
            return max(map(_of_sheet, document))
    most = 0
    with Image.open(file) as image:
        for number in range(getattr(image, "n_frames", 1)):
            image.seek(number)
            most = max(most, image.width * image.height * bytes_a_pixel(image))
    return most


def _of_sheet(page: pypdfium2.PdfPage) -> int:
    pictures = pdf.pictures_in(page)
    of_page = pdf.memory_of_page(page, pdf.scale_of(page, pictures))
    return of_page + max(map(pdf.memory_of, pictures), default=0)


def _decoded(data: bytes) -> str:
    found = "decoded"
    for page in decode.pages(data):
        if isinstance(page, decode.Undecodable):
            found = str(page)
        else:
            page.prepared()
    return found


def _main(folder: Path) -> None:
    cv2.setNumThreads(1)
    Image.init()
    for file in sorted(folder.iterdir()):
        expected, data = _expected(file), file.read_bytes()
        line = _in_a_process(data)
        for _ in range(2):  # on a busy machine pages of libraries come late, and count as its own
            if line["peak"] > expected + BESIDE:
                line = min(line, _in_a_process(data), key=lambda each: each["peak"])
        print(json.dumps({"file": file.name, "expected": expected, **line}), flush=True)  # noqa: T201


def _in_a_process(data: bytes) -> dict[str, Any]:
    """Return the peak of decoding a file, bytes, and what became of it."""
    ours, theirs = os.pipe()
    if os.fork() == 0:
        before = _peak()  # what it shares with its parent
        result = _decoded(data)
        os.write(theirs, json.dumps({"peak": _peak() - before, "result": result}).encode())
        os._exit(0)
    os.close(theirs)
    with os.fdopen(ours) as answer:
        line: dict[str, Any] = json.loads(answer.read())
    os.wait()
    return line


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
