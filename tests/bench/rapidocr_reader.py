"""Reads pictures with PP-OCRv4's recognition, for `beside_ocr`: run by a Python that has RapidOCR.

    python rapidocr_reader.py [--digits-alone] < PATHS

It imports nothing of this project. PATHS has one path a line; for each, a line of JSON comes back:
`text`, empty where nothing was recognised, and `ms` of processor time, decoding included. A picture
is a line of text: nothing is looked for in it, and it is not turned.
"""

import argparse
import json
import sys
import time
from typing import Any

import numpy as np
from rapidocr_onnxruntime import RapidOCR

DIGITS = "0123456789"
BLANK = 0  # the class of CTC that stands for no character


def only_digits(decode: Any) -> Any:
    """Return a CTC decoder that knows no character but digits."""
    others = [
        k for k, name in enumerate(decode.character) if k != BLANK and name not in tuple(DIGITS)
    ]

    def decoded(probabilities: Any, *arguments: Any, **options: Any) -> Any:
        left = np.array(probabilities)
        left[..., others] = 0
        return decode(left, *arguments, **options)

    return decoded


def main() -> None:
    """Read what is named on standard input."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--digits-alone", action="store_true")
    given = parser.parse_args()
    engine = RapidOCR(intra_op_num_threads=1, inter_op_num_threads=1)
    if given.digits_alone:
        engine.text_rec.postprocess_op = only_digits(engine.text_rec.postprocess_op)
    for line in sys.stdin:
        start = time.process_time()
        found, _ = engine(line.rstrip("\n"), use_det=False, use_cls=False, use_rec=True)
        text = "".join(text for text, _ in found or ())
        print(json.dumps({"text": text, "ms": 1e3 * (time.process_time() - start)}))


if __name__ == "__main__":
    main()
