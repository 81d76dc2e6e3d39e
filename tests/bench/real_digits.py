"""How well one ONNX model reads real pictures: a table of the sets in ../shared, if they are there.

    python -m tests.bench.real_digits MODEL.onnx [--shared ../shared] [--mnist SNAPSHOT]

Nothing is trained, tuned or calibrated on these pictures; the thresholds are the model's own. The
last column but one tells how a picture counts: `all` is the best digit of what was read and what
went to review, where rejected pictures are wrong; `read` is what was read alone.
"""

import argparse
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from time import process_time

import cv2
import numpy as np
from numpy.typing import NDArray

from tasks.decoding.decode import Picture, decode, pages
from tasks.device import cpu
from tasks.imaging.form import Ink
from tasks.inference.agreement import agreed
from tasks.inference.decision import Seen, decide, guaranteed
from tasks.inference.model_file import model_in
from tasks.inference.session import Answers as SessionAnswers
from tasks.inference.session import ModelSession
from tasks.outcomes import STATUSES, Status, Undecodable
from tasks.synthesis.generate import LabelledImages, Wanted, simulate

Pixels = NDArray[np.uint8]

SETS = {  # share right among all that has to be reached
    "photos": 0.975,
    "scans": 0.985,
    "scans_with_frame": 0.95,
    "snapshots": 1.0,
    "drawn": 0.99,
}
VARIANTS, VARIANTS_DIGIT = "valid_variants_of_a_3", 3
MAX_ERROR = 0.005
PHOTO_SIDE, ROUNDS = 448, 3  # px of the photos that are timed; of which the quickest round counts
PHOTO_MS, CANONICAL_US = 2.0, 60.0  # processor time that the canonical form may take
HELD_OUT_SEED = 900_001  # of the no-digits; training and calibration use others


@dataclass(frozen=True)
class Answers:
    """What came out for the pictures of one set."""

    labels: NDArray[np.int64]
    digits: NDArray[np.int64]
    statuses: list[Status]
    seconds: float  # processor time of the canonical form, for all of them

    def right(self) -> NDArray[np.bool_]:
        """Which pictures have their digit, read or in review."""
        kept = np.array([status is not Status.REJECTED for status in self.statuses])
        return kept & (self.digits == self.labels)

    def read(self) -> NDArray[np.bool_]:
        """Which pictures were read."""
        return np.array([status is Status.READ for status in self.statuses])


class Model:
    """An ONNX model with the thresholds of the default error."""

    def __init__(self, path: Path) -> None:
        """Load it."""
        self._session = ModelSession(model_in(path), cpu())
        promise, self.thresholds = guaranteed(MAX_ERROR, self._session.calibration)
        self.guarantee = f"{promise.sentence()}\nExpects to read: {promise.expectation()}"

    def answer(self, forms: Pixels) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Probabilities (N, 10) and digit scores (N,), which every shipped model gives."""
        answers = self._session.answers(forms)
        if answers.digit_scores is None:
            raise SystemExit("this model gives no digit score: train it with recipe standard")
        return answers.probabilities, answers.digit_scores

    def read(self, pictures: Iterable[tuple[Picture, int]]) -> Answers:
        """Bring pictures to canonical form, answer and decide."""
        forms: list[Pixels] = []
        ways: list[int] = []
        inks: list[Ink] = []
        labels: list[int] = []
        seconds = 0.0
        for picture, label in pictures:
            start = process_time()
            form, ink, others = picture.prepared()
            seconds += process_time() - start
            forms += [form, *others]
            ways.append(1 + len(others))
            inks.append(ink)
            labels.append(label)
        said = SessionAnswers(*self.answer(np.stack(forms)))
        answers, disagree = agreed(said, ways, self.thresholds.digit_score)
        probabilities, scores = answers.probabilities, answers.digit_scores
        seen = Seen(
            kinds=[ink.kind for ink in inks],
            other_digits=np.array([ink.other_digits for ink in inks]),
            doubtful=disagree | np.array([ink.unsettled for ink in inks]),
        )
        reasons = decide(probabilities, scores, seen, self.thresholds)
        statuses = [STATUSES[reason] for reason in reasons]
        return Answers(np.array(labels), probabilities.argmax(axis=1), statuses, seconds)


def labelled(folder: Path) -> Iterator[tuple[Picture, int]]:
    """Pictures of `<folder>/<label>/<file>`; one that does not decode counts as blank."""
    for path in sorted(folder.glob("*/*")):
        yield decoded(path), int(path.parent.name)


def decoded(path: Path) -> Picture:
    """One picture, upright."""
    try:
        return decode(path.read_bytes())
    except Undecodable:
        return grey(np.zeros((28, 28), np.uint8))


def grey(pixels: Pixels) -> Picture:
    """A grey picture that was in no file."""
    return Picture(pixels, pixels.shape[1], pixels.shape[0])


def as_scan_cell(digit: Pixels, number: int) -> Pixels:
    """A canonical digit as a 300 dpi JPEG scan cell: enlarged, shifted, every second inverted."""
    random = np.random.default_rng([HELD_OUT_SEED, number])
    cell = np.zeros((120, 120), np.uint8)
    left, top = random.integers(0, 120 - 84, 2)
    cell[top : top + 84, left : left + 84] = cv2.resize(
        digit, (84, 84), interpolation=cv2.INTER_CUBIC
    )
    cell = cell if number % 2 else 255 - cell
    coded = cv2.imencode(".jpg", cell, [cv2.IMWRITE_JPEG_QUALITY, 85])[1]
    return np.asarray(cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE), np.uint8)


def row(name: str, answers: Answers, required: float) -> str:
    """One line of the table."""
    right, read = answers.right(), answers.read()
    count = len(right)
    share = float(right.mean())
    wrong_read = int((read & (answers.digits != answers.labels)).sum())
    return (
        f"{name:34}{count:6}{100 * share:9.2f} %{100 * required:7.1f} %"
        f"{'ok' if share >= required else 'LOW':>5}{100 * float(read.mean()):9.1f} %"
        f"{100 * wrong_read / max(1, int(read.sum())):9.2f} %{1e3 * answers.seconds / count:8.2f}"
    )


def processor_ms(pictures: list[Picture]) -> float:
    """Processor time of the canonical form of one of these pictures, in milliseconds."""
    rounds = []
    for _ in range(ROUNDS):
        start = process_time()
        for picture in pictures:
            picture.prepared()
        rounds.append(process_time() - start)
    return 1e3 * min(rounds) / len(pictures)


def speed(photos: Path, forms: Pixels) -> str:
    """Processor time of photos of 448 px, decoded before, and of pictures in MNIST's frame."""
    first = (next(pages(path.read_bytes())) for path in sorted(photos.glob("*/*")))
    large = [page for page in first if isinstance(page, Picture) and page.side == PHOTO_SIDE]
    small = [grey(form) for form in forms]
    return (
        f"canonical form on one core: {processor_ms(large):.2f} ms for each of {len(large)} photos "
        f"of {PHOTO_SIDE} px (at most {PHOTO_MS:g} ms), "
        f"{1e3 * processor_ms(small):.0f} us for 28x28 (at most {CANONICAL_US:g} us)"
    )


def refused(model: Model, count: int, digits: tuple[Pixels, Pixels]) -> str:
    """Share of held-out no-digits that the digit score refuses, and of MNIST's digits it keeps."""
    images, labels = digits
    nothing = simulate(
        LabelledImages(images, labels.astype(np.int8)), Wanted(0, count), HELD_OUT_SEED
    ).images
    inked = nothing.reshape(count, -1).any(axis=1)
    low = model.thresholds.sure_digit_score
    none = float(np.where(inked, model.answer(nothing)[1] < low, True).mean())
    rejected = float(
        np.where(inked, model.answer(nothing)[1] < model.thresholds.digit_score, True).mean()
    )
    kept = float((model.answer(images)[1] >= low).mean())
    verdict = "ok" if none >= 0.95 and kept >= 0.99 else "LOW"
    return (
        f"no-digits not read: {100 * none:.2f} % (at least 95 %), rejected at once: "
        f"{100 * rejected:.2f} %, "
        f"MNIST kept: {100 * kept:.2f} % (at least 99 %) {verdict}"
    )


def main() -> int:
    """Print the table; exit code 1 if a figure is not reached, 77 without the pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("model", type=Path)
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--mnist", type=Path, help="folder of a snapshot: images.npy and so on")
    options = parser.parse_args()
    real = options.shared / "real-digits"
    if not real.is_dir():
        print(f"{real} is not there: nothing to measure")
        return 77
    cv2.setNumThreads(1)
    model = Model(options.model)
    head = (
        f"{'set':34}{'count':>6}{'right':>11}{'needed':>9}{'':5}{'read':>11}{'wrong':>11}{'ms':>8}"
    )
    table = [model.guarantee, head]
    answers = {name: model.read(labelled(real / name)) for name in SETS}
    table += [row(name, answers[name], SETS[name]) for name in SETS]
    variants = sorted((options.shared / "hostile" / VARIANTS).iterdir())
    table.append(row(VARIANTS, model.read((decoded(p), VARIANTS_DIGIT) for p in variants), 1.0))
    both = [answers["photos"], answers["scans"]]
    read = np.concatenate([a.read() for a in both])
    wrong = np.concatenate([a.digits != a.labels for a in both])
    error, coverage = float((wrong & read).sum() / max(1, read.sum())), float(read.mean())
    verdict = "ok" if error <= 0.01 and coverage >= 0.85 else "LOW"
    table.append(
        f"photos and scans, read: error {100 * error:.2f} % (at most 1 %), "
        f"coverage {100 * coverage:.1f} % (at least 85 %) {verdict}"
    )
    if options.mnist:
        images, labels, splits = (
            np.load(options.mnist / f"{name}.npy") for name in ("images", "labels", "splits")
        )
        images, labels = images[splits == 2], labels[splits == 2]
        plain = model.read(zip(map(grey, images), labels.tolist(), strict=True))
        cells = model.read(
            (grey(as_scan_cell(image, i)), int(label))
            for i, (image, label) in enumerate(zip(images, labels, strict=True))
        )
        table.append(row("MNIST test, 28x28", plain, 0.995))
        table.append(row("MNIST test, JPEG scan cells", cells, float(plain.right().mean()) - 0.005))
        table.append(refused(model, 2000, (images, labels)))
        table.append(speed(real / "photos", images[:1000]))
    print("\n".join(table))
    return int(any("LOW" in line for line in table))


if __name__ == "__main__":
    sys.exit(main())
