"""How one model reads pens on ordinary paper, forms and crops: a table, a line for each kind.

    python -m tests.bench.papers MODEL.onnx [--shared ../shared] [--count 200] [--keep FOLDER]

The pens are the photos of ../shared/real-digits where they are present, else pictures of MNIST's
test part enlarged; each is drawn again by this program, which shares no code with the simulation
that models are trained on. `right` counts the best digit of what was read or went to review; where
no digit is to be read, it counts what was not read.
"""

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from tasks.data.snapshot import Part, ingest, load
from tasks.device import cpu
from tasks.inference.evaluate_files import answers_of_files
from tasks.inference.model_file import model_in
from tasks.inputs.open import open_inputs

Random = np.random.Generator
Cover = NDArray[np.float32]  # (h, w) 0 to 1: how much ink covers a place
Picture = NDArray[np.uint8]  # (h, w, 3) BGR

SEED = 77
ALIKE = 25  # pens, of which those of one number are
MAX_ERROR = 0.005
INKS = ((120, 40, 30), (30, 28, 28), (70, 70, 70), (30, 30, 150), (60, 50, 45))  # BGR
LINES = ((215, 190, 150), (200, 200, 195), (190, 160, 120), (225, 205, 180))  # BGR


@dataclass(frozen=True)
class Pen:
    """One digit as a person wrote it."""

    label: int
    cover: Cover  # cut to its ink

    @property
    def width(self) -> float:
        """Return about how wide its strokes are, share of its longer side."""
        return float(self.cover.sum()) / sum(self.cover.shape) / max(self.cover.shape)


@dataclass(frozen=True)
class Drawn:
    """One picture, and the digit in it; None where none is to be read."""

    picture: Picture
    label: int | None
    suffix: str = ".jpg"


def real_pens(folder: Path) -> Iterator[Pen]:
    """Yield the ink of photos on plain paper."""
    for file in sorted(folder.glob("photos/*/*")):
        grey = cv2.imread(str(file), cv2.IMREAD_GRAYSCALE)
        if grey is None:
            continue
        factor = 300 / max(grey.shape)
        grey = cv2.resize(grey, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        reach = 61
        paper = cv2.morphologyEx(grey, cv2.MORPH_CLOSE, np.ones((reach, reach), np.uint8))
        paper = cv2.GaussianBlur(paper, (0, 0), 12).astype(np.float32)
        dark = np.clip(1 - grey / np.maximum(paper, 1), 0, 1)
        level = max(0.15, float(np.quantile(dark, 0.995)) * 0.45)
        cover = np.clip((dark - level * 0.6) / (level * 0.8), 0, 1).astype(np.float32)
        count, labels, stats, _ = cv2.connectedComponentsWithStats((cover > 0.5).astype(np.uint8))
        if count < 2:
            continue
        largest = 1 + int(stats[1:, 4].argmax())
        x, y, w, h = (int(v) for v in stats[largest, :4])
        whole = x > 2 and y > 2 and x + w < grey.shape[1] - 2 and y + h < grey.shape[0] - 2
        rest = int((cover > 0.5).sum()) - int(stats[largest, 4])
        if whole and max(w, h) > 60 and rest < 0.02 * stats[largest, 4]:
            near = cv2.dilate((labels == largest).astype(np.uint8), np.ones((7, 7), np.uint8))
            yield Pen(int(file.parent.name), (cover * near)[y - 2 : y + h + 2, x - 2 : x + w + 2])


def mnist_pens(count: int) -> Iterator[Pen]:
    """Yield pictures of MNIST's test part, large and smooth."""
    with tempfile.TemporaryDirectory() as folder:
        snapshot = load(ingest("mnist", Path(folder)).folder)
        images, labels = snapshot.part(Part.TEST)
    random = np.random.default_rng(SEED)
    for k in random.permutation(len(images))[:count]:
        x, y, w, h = cv2.boundingRect(images[k])
        large = cv2.resize(
            images[k][y : y + h, x : x + w], None, fx=8, fy=8, interpolation=cv2.INTER_CUBIC
        )
        soft = cv2.GaussianBlur(large, (0, 0), 3).astype(np.float32)
        yield Pen(int(labels[k]), np.clip((soft - 90) / 60, 0, 1))


def sized(pen: Pen, height: float) -> Cover:
    """Return the ink of a pen so many px high, or wide where it is wider."""
    factor = height / max(pen.cover.shape)
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    scaled = cv2.resize(pen.cover, None, fx=factor, fy=factor, interpolation=how)
    return np.asarray(np.clip(scaled, 0, 1), np.float32)


def page(height: int, width: int, random: Random) -> NDArray[np.float32]:
    """Return a page of paper, (h, w, 3), 0 to 255."""
    tone = random.uniform(222, 250) + random.normal(0, 3, 3)
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    lit = 1 + random.normal(0, 0.03) * x + random.normal(0, 0.03) * y
    return np.asarray(np.clip(tone, 0, 255) * lit[..., None], np.float32)


def ruled(paper: NDArray[np.float32], random: Random, *, both: bool) -> None:
    """Print the lines of ruled or of graph paper."""
    height, width = paper.shape[:2]
    period = random.uniform(14, 26) if both else random.uniform(24, 60)
    tone = np.array(LINES[random.integers(len(LINES))], np.float32) * random.uniform(0.8, 1.05)
    thick = int(random.integers(1, 3))
    lines = np.zeros((height, width), np.uint8)
    for at in np.arange(random.uniform(0, period), height, period):
        cv2.line(lines, (0, int(at)), (width, int(at)), 255, thick)
    if both:
        for at in np.arange(random.uniform(0, period), width, period):
            cv2.line(lines, (int(at), 0), (int(at), height), 255, thick)
    share = cv2.GaussianBlur(lines, (0, 0), 0.6).astype(np.float32)[..., None] / 255
    paper *= 1 - share * (1 - tone / 255)


def inked(
    paper: NDArray[np.float32], cover: Cover, left: int, top: int, random: Random
) -> NDArray[np.float32]:
    """Lay ink on paper; what is beyond its rim is cut off."""
    height, width = paper.shape[:2]
    full = np.zeros((height, width), np.float32)
    x0, y0 = max(0, left), max(0, top)
    x1, y1 = min(width, left + cover.shape[1]), min(height, top + cover.shape[0])
    full[y0:y1, x0:x1] = cover[y0 - top : y1 - top, x0 - left : x1 - left]
    ink = np.array(INKS[random.integers(len(INKS))], np.float32) / 255
    return np.asarray(paper * (1 - full[..., None] * (1 - ink)), np.float32)


def camera(picture: NDArray[np.float32], random: Random, noise: float = 2.0) -> Picture:
    """Add the noise of a sensor."""
    noisy = picture + random.normal(0, noise, picture.shape)
    return np.asarray(np.clip(noisy, 0, 255), np.uint8)


def turned(picture: NDArray[np.float32], random: Random) -> NDArray[np.float32]:
    """Turn a picture by up to 6 degrees, light it unevenly and blur it."""
    height, width = picture.shape[:2]
    angle = random.uniform(2, 6) * random.choice([-1, 1])
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), angle, 1.15)
    out = cv2.warpAffine(picture, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    lit = 1 - random.uniform(0.1, 0.3) * (x * random.choice([-1, 1]) + y + 2) / 4
    out = out * lit[..., None].astype(np.float32)
    return np.asarray(cv2.GaussianBlur(out, (0, 0), random.uniform(0.6, 1.6)), np.float32)


def on_paper(pen: Pen, random: Random, *, lines: str, turn: bool = False) -> Drawn:
    """Draw a pen on plain, ruled or graph paper."""
    side = int(random.uniform(225, 390))
    paper = page(side, side, random)
    if lines != "plain":
        ruled(paper, random, both=lines == "graph")
    cover = sized(pen, side * random.uniform(0.42, 0.62))
    left = round((side - cover.shape[1]) / 2 + random.normal(0, 0.04) * side)
    top = round((side - cover.shape[0]) / 2 + random.normal(0, 0.04) * side)
    picture = inked(paper, cover, left, top, random)
    return Drawn(camera(turned(picture, random) if turn else picture, random), pen.label)


def tight(pen: Pen, random: Random, *, margin: int) -> Drawn:
    """Cut a pen to its ink, with so many px around it."""
    cover = sized(pen, random.uniform(36, 110))
    x, y, w, h = cv2.boundingRect(np.asarray(cover > 0.35, np.uint8))
    cut = np.pad(cover[y : y + h, x : x + w], margin)
    paper = page(*cut.shape, random)
    return Drawn(camera(inked(paper, cut, 0, 0, random), random, 1.0), pen.label, ".png")


def at_edge(pen: Pen, random: Random) -> Drawn:
    """Let a whole digit touch one edge of its picture."""
    height, width = int(random.uniform(120, 220)), int(random.uniform(90, 180))
    cover = sized(pen, min(height, width) * random.uniform(0.5, 0.7))
    x, y, w, h = cv2.boundingRect(np.asarray(cover > 0.35, np.uint8))
    cover = cover[y : y + h, x : x + w]
    left, top = (round(random.uniform(0.2, 0.8) * room) for room in (width - w, height - h))
    side = random.integers(4)
    left = (0, width - w, left, left)[side]
    top = (top, top, 0, height - h)[side]
    return Drawn(
        camera(inked(page(height, width, random), cover, left, top, random), random), pen.label
    )


def number(pens: Sequence[Pen], random: Random, *, crop: str) -> Drawn:
    """Draw a number of two to four digits, cut tight or with its last digit at the edge."""
    size = random.uniform(45, 90)
    covers = [sized(pen, size * random.uniform(0.9, 1.05)) for pen in pens]
    gap = round(size * random.uniform(0.25, 0.6))
    width = sum(cover.shape[1] + gap for cover in covers) - gap
    height = max(cover.shape[0] for cover in covers)
    line = np.zeros((height, width), np.float32)
    at = 0
    for cover in covers:
        top = (height - cover.shape[0]) // 2
        line[top : top + cover.shape[0], at : at + cover.shape[1]] = cover
        at += cover.shape[1] + gap
    x, y, w, h = cv2.boundingRect(np.asarray(line > 0.35, np.uint8))
    line = line[y : y + h, x : x + w]
    if crop == "tight":
        line = np.pad(line, int(random.integers(0, 3)))
    else:
        around = round(size * 0.4)
        line = np.pad(line, ((around, around), (around, 0)))
    picture = inked(page(*line.shape, random), line, 0, 0, random)
    return Drawn(camera(picture, random, 1.5), None)


def half_mark(pen: Pen, random: Random) -> Drawn:
    """Draw a mark with a half behind it, which touches the edge."""
    size = random.uniform(70, 120)
    cover = sized(pen, size)
    half = np.zeros((int(size * 1.25), int(size * 1.0)), np.uint8)
    h, w = half.shape
    thick = max(2, round(size * 0.07))
    cv2.line(half, (int(0.12 * w), int(0.9 * h)), (int(0.75 * w), int(0.08 * h)), 255, thick)
    cv2.line(half, (int(0.2 * w), int(0.1 * h)), (int(0.2 * w), int(0.42 * h)), 255, thick)
    curve = np.array([(0.6, 0.6), (0.8, 0.52), (0.92, 0.62), (0.6, 0.92), (0.98, 0.92)])
    cv2.polylines(half, [np.int32(curve * (w, h))], False, 255, thick, cv2.LINE_AA)
    line = np.zeros((max(cover.shape[0], h), cover.shape[1] + round(size * 0.3) + w), np.float32)
    line[(line.shape[0] - cover.shape[0]) // 2 :][: cover.shape[0], : cover.shape[1]] = cover
    line[:h, -w:] = half / 255
    around = round(size * 0.4)
    line = np.pad(line, ((around, around), (around, 0)))
    picture = inked(page(*line.shape, random), line, 0, 0, random)
    return Drawn(camera(picture, random, 1.5), None)


def empty_cell(random: Random) -> Drawn:
    """Draw a form's cell with nothing in it but pieces of its frame or a streak of shadow."""
    side = int(random.uniform(36, 140))
    paper = page(side, side, random) * random.uniform(0.6, 1.0)
    lines = np.zeros((side, side), np.float32)
    thick = max(1, round(side * random.uniform(0.01, 0.05)))
    for edge in random.choice(4, int(random.integers(1, 3)), replace=False):
        at = round(side * random.uniform(0.0, 0.14))
        slope = random.normal(0, 0.012) * side
        first, last = sorted(random.uniform(-0.1, 1.1, 2)) if random.random() < 0.3 else (-0.1, 1.1)
        a, b = (at - slope, first * side), (at + slope, last * side)
        if edge % 2:
            a, b = (side - 1 - a[0], a[1]), (side - 1 - b[0], b[1])
        if edge >= 2:
            a, b = a[::-1], b[::-1]
        cv2.line(lines, *(tuple(round(v) for v in p) for p in (a, b)), 1.0, thick, cv2.LINE_AA)
    soft = cv2.GaussianBlur(lines, (0, 0), random.uniform(0.4, 1.2))[..., None]
    picture = paper * (1 - soft * random.uniform(0.2, 0.8))
    if random.random() < 0.3:
        at, wide = random.uniform(0, 1) * side, random.uniform(0.1, 0.4) * side
        shade = np.exp(-(((np.arange(side) - at) / wide) ** 2)) * random.uniform(0.05, 0.2)
        picture *= (1 - shade)[None, :, None]
    return Drawn(camera(picture, random), None)


def in_cell(pen: Pen, random: Random) -> Drawn:
    """Draw a digit in a form's cell of which one to four lines are in the picture."""
    height, width = int(random.uniform(60, 240)), int(random.uniform(60, 240))
    paper = page(height, width, random)
    lines = np.zeros((height, width), np.float32)
    thick = max(1, round(min(height, width) * random.uniform(0.008, 0.03)))
    for edge in random.choice(4, int(random.integers(1, 5)), replace=False):
        side, length = (height, width) if edge < 2 else (width, height)
        at = side * random.uniform(0.0, 0.1)
        at = at if edge % 2 == 0 else side - 1 - at
        slope = random.normal(0, 0.008) * length
        ends = (-5, round(at - slope)), (length + 5, round(at + slope))
        ends = ends if edge < 2 else tuple((y, x) for x, y in ends)
        cv2.line(lines, *ends, 1.0, thick, cv2.LINE_AA)
    paper *= 1 - lines[..., None] * random.uniform(0.4, 0.9)
    cover = sized(pen, min(height, width) * random.uniform(0.45, 0.68))
    left = round((width - cover.shape[1]) / 2 + random.normal(0, 0.03) * width)
    top = round((height - cover.shape[0]) / 2 + random.normal(0, 0.03) * height)
    return Drawn(camera(inked(paper, cover, left, top, random), random), pen.label)


def boxed(pen: Pen, random: Random, *, empty: bool = False) -> Drawn:
    """Draw a printed box wholly inside the picture, with a digit in it or none."""
    height, width = int(random.uniform(180, 380)), int(random.uniform(160, 320))
    paper = page(height, width, random)
    inset = round(min(height, width) * random.uniform(0.06, 0.2))
    corners = (inset, inset), (width - inset, height - inset)
    cv2.rectangle(paper, *corners, (40, 40, 40), int(random.integers(1, 6)), cv2.LINE_AA)
    if empty:
        return Drawn(camera(paper, random), None, ".png")
    cover = sized(pen, (min(height, width) - 2 * inset) * random.uniform(0.45, 0.7))
    left, top = (width - cover.shape[1]) // 2, (height - cover.shape[0]) // 2
    return Drawn(camera(inked(paper, cover, left, top, random), random), pen.label, ".png")


def straight_one(random: Random) -> Drawn:
    """Draw a 1 that is one straight stroke of nearly the whole height."""
    height, width = int(random.uniform(80, 300)), int(random.uniform(80, 300))
    cover = np.zeros((height, width), np.float32)
    tall, tilt = random.uniform(0.85, 1.0) * height, random.normal(0, 0.04) * height
    middle = width * random.uniform(0.35, 0.65)
    top = (height - tall) / 2
    ends = (round(middle + tilt), round(top)), (round(middle - tilt), round(top + tall))
    thick = max(2, round(min(height, width) * random.uniform(0.03, 0.08)))
    cv2.line(cover, *ends, 1.0, thick, cv2.LINE_AA)
    return Drawn(camera(inked(page(height, width, random), cover, 0, 0, random), random), 1, ".png")


def on_a_page(pen: Pen, random: Random) -> Drawn:
    """Draw one small digit somewhere on a large page."""
    height, width = int(random.uniform(900, 1600)), int(random.uniform(900, 1600))
    cover = sized(pen, max(height, width) * random.uniform(0.012, 0.05))
    left, top = (round(random.uniform(0.1, 0.9) * side) for side in (width, height))
    picture = inked(page(height, width, random), cover, left, top, random)
    return Drawn(camera(picture, random, 1.0), pen.label)


Kind = Callable[[Pen, Sequence[Pen], Random], Drawn]
KINDS: dict[str, Kind] = {
    "plain paper": lambda pen, _, random: on_paper(pen, random, lines="plain"),
    "ruled paper": lambda pen, _, random: on_paper(pen, random, lines="ruled"),
    "graph paper": lambda pen, _, random: on_paper(pen, random, lines="graph"),
    "ruled, turned": lambda pen, _, random: on_paper(pen, random, lines="ruled", turn=True),
    "graph, turned": lambda pen, _, random: on_paper(pen, random, lines="graph", turn=True),
    "crop, 0 px": lambda pen, _, random: tight(pen, random, margin=0),
    "crop, 1 px": lambda pen, _, random: tight(pen, random, margin=1),
    "crop, 2 px": lambda pen, _, random: tight(pen, random, margin=2),
    "crop, 8 px": lambda pen, _, random: tight(pen, random, margin=8),
    "at the edge": lambda pen, _, random: at_edge(pen, random),
    "in a cell": lambda pen, _, random: in_cell(pen, random),
    "in a box": lambda pen, _, random: boxed(pen, random),
    "straight 1": lambda _pen, _, random: straight_one(random),
    "on a page": lambda pen, _, random: on_a_page(pen, random),
    "number, tight": lambda _pen, some, random: number(some, random, crop="tight"),
    "number, at edge": lambda _pen, some, random: number(some, random, crop="edge"),
    "mark and half": lambda pen, _, random: half_mark(pen, random),
    "empty cell": lambda _pen, _, random: empty_cell(random),
    "empty box": lambda pen, _, random: boxed(pen, random, empty=True),
}


def draw(pens: Sequence[Pen], count: int, root: Path) -> dict[str, list[tuple[str, int | None]]]:
    """Write the pictures of every kind; return their paths and digits, kind by kind."""
    written: dict[str, list[tuple[str, int | None]]] = {}
    for number_of_kind, (name, kind) in enumerate(KINDS.items()):
        folder = root / name.replace(" ", "_").replace(",", "")
        folder.mkdir(parents=True)
        written[name] = []
        for n in range(count):
            random = np.random.default_rng([SEED, number_of_kind, n])
            pen = pens[n % len(pens)]
            alike = sorted(pens, key=lambda other: abs(other.width - pen.width))[:ALIKE]
            some = [alike[k] for k in random.integers(len(alike), size=random.integers(2, 5))]
            drawn = kind(pen, some, random)
            file = folder / f"{n:04}_{drawn.label}{drawn.suffix}"
            options = [cv2.IMWRITE_JPEG_QUALITY, 92] if drawn.suffix == ".jpg" else []
            cv2.imwrite(str(file), drawn.picture, options)
            written[name].append((str(file.relative_to(root)), drawn.label))
    return written


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("model", type=Path)
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--count", type=int, default=200, help="pictures of each kind")
    parser.add_argument("--keep", type=Path, help="folder for the pictures and what became of them")
    given = parser.parse_args()
    pens = list(real_pens(given.shared / "real-digits"))
    print(f"{len(pens)} real pens" if pens else "pens of MNIST's test part", file=sys.stderr)
    pens = pens or list(mnist_pens(given.count))
    with tempfile.TemporaryDirectory() as folder:
        root = given.keep or Path(folder)
        written = draw(pens, given.count, root)
        paths = [path for of_kind in written.values() for path, _ in of_kind]
        inputs = open_inputs(str(root))
        encoded = [path.encode() for path in paths]
        found = answers_of_files(model_in(given.model), cpu(), inputs, encoded, MAX_ERROR)
        by_path = {path: number for number, path in enumerate(found.paths)}
        print(f"{'kind':17} {'pictures':>8} {'right':>7} {'read':>7} {'wrong':>5} {'of read':>8}")
        for name, of_kind in written.items():
            numbers = [by_path[path] for path, _ in of_kind]
            digits, read = found.digits[numbers], found.read[numbers]
            truth = np.array([-1 if label is None else label for _, label in of_kind])
            right = np.where(truth >= 0, digits == truth, ~read)
            wrong = int((read & (digits != truth)).sum())
            share = wrong / max(1, int(read.sum()))
            reasons = Counter(found.reasons[k] for k in numbers if not found.read[k])
            line = ", ".join(f"{reason} {n}" for reason, n in reasons.most_common(3))
            print(
                f"{name:17} {len(numbers):8} {right.mean():7.1%} {read.mean():7.1%} {wrong:5} "
                f"{share:8.2%}  {line}"
            )
        if given.keep:
            lines = [
                f"{found.paths[k]}\t{found.reasons[k]}\t{found.digits[k]}\t{found.confidences[k]:.4f}"
                for k in range(len(found.paths))
            ]
            (root / "answers.tsv").write_text("\n".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
