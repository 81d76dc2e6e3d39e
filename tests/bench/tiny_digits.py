"""How one model reads scikit-learn's 1,797 digits of 8x8 pixels, which nothing here was made with.

    python -m tests.bench.tiny_digits MODEL.onnx digits.csv.gz

`digits.csv.gz` lies in scikit-learn's wheel, in `sklearn/datasets/data`: 64 greys of 0 to 16, then
the digit, a line for each (Alpaydin and Kaynak, "Optical Recognition of Handwritten Digits", 1998).
They are written as PNG files of 8x8, cut to their ink as they come, and read as files.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np

from tests.bench.drawn_kinds import read_kinds

SIDE, FULL = 8, 16  # px; grey of full ink


def main() -> int:
    """Print one line; exit code 1 if less is right than asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("model", type=Path)
    parser.add_argument("digits", type=Path)
    given = parser.parse_args()
    rows = np.loadtxt(given.digits, delimiter=",", dtype=np.int64)
    labels = rows[:, -1]
    pictures = (255 * rows[:, :-1] // FULL).astype(np.uint8).reshape(-1, SIDE, SIDE)
    with tempfile.TemporaryDirectory() as folder:
        found = read_kinds(given.model, {"tiny": pictures}, Path(folder))["tiny"]
    right, read = float((found.digits == labels).mean()), float(found.read.mean())
    wrong = float((found.read & (found.digits != labels)).sum() / max(1, found.read.sum()))
    print(
        f"{len(labels):,} pictures of {SIDE}x{SIDE}: {right:.1%} right (at least 96 %), "
        f"{read:.1%} read, {wrong:.2%} wrong among read; not read: {found.why_not()}"
    )
    return int(right < 0.96)


if __name__ == "__main__":
    sys.exit(main())
