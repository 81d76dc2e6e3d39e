"""One model beside what people would pick instead, on ../shared/real-digits: a table.

    python -m tests.bench.beside_ocr MODEL.onnx [--shared ../shared]
        [--tesseract BINARY] [--tessdata FOLDER] [--rapidocr PYTHON]

Tesseract 5 takes each picture for one character (`--psm 10`) and knows digits alone; PP-OCRv4's
recognition (`rapidocr-onnxruntime`, whose wheel holds its models) takes it for a line of text, once
as it comes and once with all characters but digits struck out. Neither is in the lock of this
project: give the binary, and the Python of an environment that holds RapidOCR. A reader that is not
given or does not start is named under the table and is not in it; exit code 77 if there is none.

`right`: pictures whose digit was said; for ours also those in review with it. `answered`: one digit
and nothing else was said; for ours, it was read with `--max-error 0.005`. `ms`: of one processor, a
picture, file by file, decoding included. The start counts for Tesseract alone, once for all files.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from tests.bench.real_digits import SETS, Model, decoded

NOTHING = -1  # no digit was said
DIGITS = "0123456789"
READER = Path(__file__).with_name("rapidocr_reader.py")
WARM_UP = 5  # pictures that our reader reads before its clock starts


class NotHere(Exception):
    """A reader cannot be measured here, and why."""


@dataclass(frozen=True)
class Said:
    """What one reader said about N pictures."""

    digits: NDArray[np.int64]  # (N,), its best digit, or NOTHING
    answered: NDArray[np.bool_]  # (N,): said so that a program would take it
    ms: float  # of one processor, a picture


def as_said(texts: Sequence[str], ms: float) -> Said:
    """Return what texts say: a digit where there is one digit and nothing else."""
    digits = np.array([int(text) if text in tuple(DIGITS) else NOTHING for text in texts])
    return Said(digits, digits != NOTHING, ms)


def ours(model: Model, files: Sequence[Path], labels: Sequence[int]) -> Said:
    """Read files with one of our models, one by one."""
    for file in files[:WARM_UP]:
        model.read([(decoded(file), 0)])
    start = time.process_time()
    answers = [
        model.read([(decoded(file), label)]) for file, label in zip(files, labels, strict=True)
    ]
    ms = 1e3 * (time.process_time() - start) / len(files)
    rejected = np.array([answer.statuses[0] == "rejected" for answer in answers])
    digits = np.array([int(answer.digits[0]) for answer in answers])
    read = np.array([bool(answer.read()[0]) for answer in answers])
    return Said(np.where(rejected, NOTHING, digits), read, ms)


def run(command: Sequence[str | Path], text: str | None = None) -> str:
    """Return what a command prints.

    Raises:
        NotHere: it does not start or fails.
    """
    try:
        done = subprocess.run(
            command,
            input=text,
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "OMP_THREAD_LIMIT": "1"},
        )
    except OSError as error:
        raise NotHere(f"{command[0]} does not start: {error.strerror}") from error
    except subprocess.CalledProcessError as error:
        last = (error.stderr.strip().splitlines() or ["it says nothing"])[-1]
        raise NotHere(f"{command[0]} failed with {error.returncode}: {last}") from error
    return done.stdout


def children_s() -> float:
    """Return the processor time of the processes that this one has started and that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def tesseract(binary: Path, tessdata: Path | None, files: Sequence[Path]) -> Said:
    """Read files with Tesseract, as one character each, digits alone, in one process.

    Raises:
        NotHere: it does not start, is older than 5, or does not answer for each file.
    """
    version = run([binary, "--version"]).split("\n")[0].split()[-1].removeprefix("v")
    if not version.startswith("5."):
        raise NotHere(f"{binary} is version {version}, asked is 5")
    with tempfile.TemporaryDirectory() as folder:
        names = Path(folder) / "files.txt"
        names.write_text("".join(f"{file.absolute()}\n" for file in files), encoding="utf-8")
        data: list[str | Path] = ["--tessdata-dir", tessdata] if tessdata else []
        digits = ["--psm", "10", "-c", f"tessedit_char_whitelist={DIGITS}"]
        start = children_s()
        pages = run([binary, names, "stdout", *data, *digits]).split("\f")
        ms = 1e3 * (children_s() - start) / len(files)
    if len(pages) != len(files):
        raise NotHere(f"{binary} gave {len(pages)} pages for {len(files)} files")
    return as_said([page.strip() for page in pages], ms)


def rapidocr(python: Path, files: Sequence[Path], *, digits_alone: bool) -> Said:
    """Read files with PP-OCRv4's recognition.

    Raises:
        NotHere: that Python does not start or does not hold RapidOCR.
    """
    names = "".join(f"{file.absolute()}\n" for file in files)
    option = ["--digits-alone"] if digits_alone else []
    # -I: what is beside the program, or in PYTHONPATH, is not imported
    lines = run([python, "-I", READER, *option], names).splitlines()
    answers = [json.loads(line) for line in lines if line.startswith("{")]
    if len(answers) != len(files):
        raise NotHere(f"{python} gave {len(answers)} answers for {len(files)} files")
    ms = float(np.mean([answer["ms"] for answer in answers]))
    return as_said([answer["text"].strip() for answer in answers], ms)


def row(reader: str, said: Said, labels: NDArray[np.int64]) -> str:
    """Return a reader's line of the table."""
    wrong = int((said.answered & (said.digits != labels)).sum())
    share = wrong / max(1, int(said.answered.sum()))
    return (
        f"{reader:28} {len(labels):8} {(said.digits == labels).mean():7.1%} "
        f"{said.answered.mean():8.1%} {share:14.2%} {said.ms:7.1f}"
    )


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("model", type=Path)
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--tesseract", type=Path, help="binary of Tesseract 5")
    parser.add_argument("--tessdata", type=Path, help="folder with its eng.traineddata")
    parser.add_argument("--rapidocr", type=Path, help="Python that has rapidocr-onnxruntime")
    given = parser.parse_args()
    real = given.shared / "real-digits"
    files = [file for name in SETS for file in sorted((real / name).glob("*/*"))]
    if not files:
        print(f"{real} has no pictures: nothing to measure")
        return 77
    cv2.setNumThreads(1)
    labels = np.array([int(file.parent.name) for file in files])
    table = {"digitflow": ours(Model(given.model), files, labels.tolist())}
    missing = []
    if given.tesseract:
        try:
            table["Tesseract 5, digits"] = tesseract(given.tesseract, given.tessdata, files)
        except NotHere as error:
            missing.append(f"Tesseract: not measured: {error}")
    else:
        missing.append("Tesseract: not measured: no --tesseract was given")
    if given.rapidocr:
        try:
            for name, alone in {"PP-OCRv4": False, "PP-OCRv4, digits": True}.items():
                table[name] = rapidocr(given.rapidocr, files, digits_alone=alone)
        except NotHere as error:
            missing.append(f"PP-OCRv4: not measured: {error}")
    else:
        missing.append("PP-OCRv4: not measured: no --rapidocr was given")
    print(
        f"{'reader':28} {'pictures':>8} {'right':>7} {'answered':>8} "
        f"{'wrong/answered':>14} {'ms':>7}"
    )
    print("\n".join(row(reader, said, labels) for reader, said in table.items()))
    print("\n".join(missing), end="\n" if missing else "")
    return 0 if len(table) > 1 else 77


if __name__ == "__main__":
    sys.exit(main())
