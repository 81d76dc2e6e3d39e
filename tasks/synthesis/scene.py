"""Paper, light, pens and cameras: an ink map drawn as the scan or photo it could have come from."""

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

Random = np.random.Generator
Ink = NDArray[np.uint8]  # (h, w) 0 to 255: how much ink covers a pixel

LEAST_STEP = 6.0  # widths of a printed line: from one to the next
LINED = 0.5  # share of photos on ruled or squared paper
DARK_EDGES = 0.05  # share of photos with something dark beside the paper
FRAMED = 0.45  # share of scans in a printed frame
LIGHT_SIDE = 48  # px: light is smooth, so it is made small

# Reflectance of pens (R, G, B): pencil, black, dark blue, blue, cyan, red, pink, green, violet.
PENS = np.array(
    [
        (0.45, 0.45, 0.45),
        (0.08, 0.08, 0.10),
        (0.15, 0.17, 0.40),
        (0.25, 0.35, 0.70),
        (0.40, 0.75, 0.85),
        (0.70, 0.20, 0.18),
        (0.95, 0.55, 0.55),
        (0.20, 0.50, 0.30),
        (0.50, 0.20, 0.55),
    ]
)
PRINTS = np.array([(0.55, 0.65, 0.85), (0.75, 0.75, 0.75), (0.9, 0.6, 0.6), (0.1, 0.1, 0.1)])


@lru_cache(maxsize=1)
def _noise_bank() -> NDArray[np.float32]:
    """Normal noise to cut from, (640, 640, 3): cutting is thirty times as fast as drawing."""
    return np.random.default_rng(0).standard_normal((640, 640, 3), dtype=np.float32)


def _noise(shape: tuple[int, ...], random: Random) -> NDArray[np.float32]:
    """Normal noise (h, w) or (h, w, c), for h and w below 640."""
    top, left = (int(v) for v in random.integers(0, 640 - np.array(shape[:2])))
    cut = _noise_bank()[top : top + shape[0], left : left + shape[1]]
    return cut[..., 0] if len(shape) == 2 else cut[..., : shape[2]]


def _cloud(shape: tuple[int, int], cells: int, random: Random) -> NDArray[np.float32]:
    """Smooth noise with deviation 1 and about `cells` humps along a side, (h, w)."""
    rough = random.standard_normal((cells, cells)).astype(np.float32)
    return np.asarray(cv2.resize(rough, shape[::-1], interpolation=cv2.INTER_CUBIC), np.float32)


def light(shape: tuple[int, int], random: Random) -> NDArray[np.float32]:
    """Illumination (h, w): a gradient, sometimes a vignette, a shadow or two."""
    y, x = np.mgrid[-1 : 1 : LIGHT_SIDE * 1j, -1 : 1 : LIGHT_SIDE * 1j].astype(np.float32)
    lit = (
        1
        + random.normal(0, 0.1) * x
        + random.normal(0, 0.1) * y
        + 0.04 * _cloud(x.shape, 4, random)
    )
    if random.uniform() < 0.25:
        far = (x - random.normal(0, 0.2)) ** 2 + (y - random.normal(0, 0.2)) ** 2
        lit *= 1 - random.uniform(0.1, 0.6) * far ** random.uniform(0.8, 2) / 2
    for _ in range(random.choice([0, 1, 2], p=[0.6, 0.3, 0.1])):
        angle, offset = random.uniform(0, 2 * np.pi), random.uniform(-0.2, 1.2)
        wavy = x * np.cos(angle) + y * np.sin(angle) + 0.1 * _cloud(x.shape, 3, random) - offset
        soft, depth = random.uniform(0.04, 0.3), random.uniform(0.1, 0.55)
        lit *= 1 - depth / (1 + np.exp(-np.clip(wavy / soft, -30, 30)))
    lit = np.clip(lit, 0.12, None).astype(np.float32)
    return np.asarray(cv2.resize(lit, shape[::-1], interpolation=cv2.INTER_LINEAR), np.float32)


def rules(shape: tuple[int, int], random: Random, *, squared: bool | None = None) -> Ink:
    """Printed lines on paper, slightly turned and bent: squared, or ruled or one margin.

    Which of the two is chance, if it is not given.
    """
    height, width = shape
    canvas = np.zeros(shape, np.uint8)
    angle = random.normal(0, 0.025)
    pen = max(1, round(random.uniform(0.003, 0.012) * max(shape)))
    step = np.exp(random.uniform(np.log(0.05), np.log(0.6))) * min(shape)
    step = max(step, LEAST_STEP * pen)
    kinds = random.choice(3, p=[0.4, 0.5, 0.1])
    if squared is not None:
        kinds = 1 if squared else random.choice([0, 2], p=[0.85, 0.15])
    for direction in [random.integers(2)] if kinds != 1 else [0, 1]:
        turned = angle + np.pi / 2 * direction + random.normal(0, 0.006)
        along, across = (
            np.array([np.cos(turned), np.sin(turned)]),
            np.array([-np.sin(turned), np.cos(turned)]),
        )
        count = 1 if kinds == 2 else int(2 * max(shape) / step) + 1
        start = random.uniform(-0.5, 0.5) * step
        for i in range(-count // 2, count // 2 + 1):
            middle = np.array([width / 2, height / 2]) + across * (
                i * step + start + random.normal(0, 0.01) * step
            )
            bend = random.normal(0, 0.004) * max(shape)
            points = [
                middle + along * t * max(shape) + across * bend * (t * 2) ** 2
                for t in (-0.8, -0.4, 0.0, 0.4, 0.8)
            ]
            cv2.polylines(
                canvas,
                [np.round(np.array(points) * 16).astype(np.int32)[:, None]],
                False,
                255,
                pen,
                cv2.LINE_AA,
                shift=4,
            )
    return canvas


def frame(shape: tuple[int, int], random: Random) -> Ink:
    """The printed border of a form's cell: lines along some edges, which digits may touch."""
    height, width = shape
    canvas = np.zeros(shape, np.uint8)
    pen = max(1, round(np.exp(random.uniform(np.log(0.004), np.log(0.035))) * min(shape)))
    double = random.uniform() < 0.4
    tilt = random.normal(0, 0.01)
    inset = random.uniform(0.02, 0.12) * min(shape)
    missing = random.choice([0.08, 0.5], p=[0.7, 0.3])
    for edge in range(4):
        if random.uniform() < missing:
            continue
        # Some lie half outside the picture, as crops of a form leave them.
        at = random.uniform(-0.3, 1.0) * inset
        for k in range(2 if double else 1):
            place = at + k * (pen + 1) * random.uniform(1.6, 3)
            if edge < 2:
                y = place if edge == 0 else height - 1 - place
                ends = (-9.0, y - tilt * width / 2), (width + 9.0, y + tilt * width / 2)
            else:
                x = place if edge == 2 else width - 1 - place
                ends = (x + tilt * height / 2, -9.0), (x - tilt * height / 2, height + 9.0)
            start, end = (tuple(round(v * 16) for v in p) for p in ends)
            cv2.line(canvas, start, end, 255, pen, cv2.LINE_AA, shift=4)
    return canvas


def box_around(ink: Ink, random: Random) -> Ink:
    """A printed box around ink, wholly inside the picture where there is room."""
    height, width = ink.shape
    x, y, w, h = cv2.boundingRect(np.asarray(ink > 100, np.uint8))
    gap = random.uniform(0.06, 0.4) * max(w, h)
    pen = max(1, round(random.uniform(0.004, 0.03) * max(w, h)))
    left, top = (max(pen + 1, round(v - gap * random.uniform(0.6, 1.4))) for v in (x, y))
    right = min(width - pen - 2, round(x + w + gap * random.uniform(0.6, 1.4)))
    bottom = min(height - pen - 2, round(y + h + gap * random.uniform(0.6, 1.4)))
    canvas = np.zeros_like(ink)
    cv2.rectangle(canvas, (left, top), (right, bottom), 255, pen, cv2.LINE_AA)
    return canvas


def _grain(ink: Ink, strength: float, random: Random) -> NDArray[np.float32]:
    """Cover (h, w) of a pen that skips and presses unevenly."""
    cover = ink.astype(np.float32) / 255
    if strength > 0:
        noise = _noise(ink.shape, random)
        pressure = 1 - strength * np.abs(_cloud(ink.shape, 6, random)) * 0.5
        cover *= np.clip(pressure - strength * 0.5 * np.maximum(noise, 0), 0, 1)
    return np.asarray(cover, np.float32)


def _dark_edge(picture: NDArray[np.float32], random: Random) -> None:
    """Something dark beside the paper: the table, a finger, a notebook's spine."""
    height, width = picture.shape[:2]
    side, depth = random.integers(4), random.uniform(0.01, 0.12)
    tone = random.uniform(0.05, 0.5, 3)
    if side < 2:
        n = max(1, int(depth * height))
        picture[:n] = tone if side == 0 else picture[:n]
        picture[height - n :] = tone if side == 1 else picture[height - n :]
    else:
        n = max(1, int(depth * width))
        picture[:, :n] = tone if side == 2 else picture[:, :n]
        picture[:, width - n :] = tone if side == 3 else picture[:, width - n :]


def photo(
    ink: Ink, random: Random, printed: Ink | None = None, fade: float | None = None
) -> NDArray[np.uint8]:
    """A phone's picture of ink on paper, uint8 (h, w, 3).

    Args:
        ink: what is written.
        random: decides on all that is not given.
        printed: lines on the paper, (h, w); None: of some papers, ruled or squared.
        fade: share of the ink that is there.
    """
    shape = ink.shape
    pen = PENS[random.integers(len(PENS))] * random.uniform(0.7, 1.2) + random.normal(0, 0.04, 3)
    fade = random.uniform(0.3, 1.0) if fade is None else fade
    cover = _grain(ink, random.choice([0.0, random.uniform(0, 0.7)]), random) * fade
    paper = np.clip(random.uniform(0.7, 1.0) + random.normal(0, 0.04, 3), 0.4, 1).astype(np.float32)
    if printed is None and random.uniform() < LINED:
        printed = rules((shape[0], shape[1]), random)
    if printed is not None and printed.any():
        print_cover = printed.astype(np.float32)[..., None] / 255 * random.uniform(0.15, 0.7)
        tone = PRINTS[random.integers(3)].astype(np.float32)
        base = paper * (1 - print_cover * (1 - tone))
    else:
        base = np.broadcast_to(paper, (*shape, 3))
    picture: NDArray[np.float32] = base * (
        1 - cover[..., None] * (1 - np.clip(pen, 0, 0.97).astype(np.float32))
    )
    if random.uniform() < DARK_EDGES:
        _dark_edge(picture, random)
    texture = random.exponential(0.005) * cv2.blur(
        _noise(shape, random), (3, 3)
    ) * 3 + random.exponential(0.003) * _cloud(shape, 24, random)
    picture = picture * (light(shape, random) * random.uniform(0.5, 1.0) + texture)[..., None]
    blur = random.choice(
        [0, random.uniform(0.3, 1.0), random.uniform(0.5, 0.02 * max(shape))], p=[0.3, 0.5, 0.2]
    )
    if blur > 0.25:
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), blur), np.float32)
    return _camera(picture, random)


def scan(
    ink: Ink, random: Random, printed: Ink | None = None, fade: float | None = None
) -> NDArray[np.uint8]:
    """A flat-bed scan of ink, uint8 (h, w).

    Args:
        ink: what is written.
        random: decides on all that is not given.
        printed: lines on the paper, (h, w); None: of some, the frame of a form's cell.
        fade: share of the ink that is there.
    """
    fade = random.uniform(0.35, 1.0) if fade is None else fade
    cover = _grain(ink, random.choice([0.0, random.uniform(0, 0.8)]), random) * fade
    page = random.uniform(0.85, 1.0)
    picture = page * (1 - cover * random.uniform(0.7, 0.95))
    if printed is None and random.uniform() < FRAMED:
        printed = frame((ink.shape[0], ink.shape[1]), random)
    if printed is not None and printed.any():
        strength = random.uniform(0.4, 0.95)
        lines = page * (1 - printed.astype(np.float32) / 255 * strength)
        picture = np.minimum(picture, lines)
    for _ in range(random.poisson(0.8)):
        place = (int(random.uniform(0, ink.shape[1])), int(random.uniform(0, ink.shape[0])))
        cv2.circle(picture, place, int(random.integers(0, 2)), page * random.uniform(0.2, 0.8), -1)
    soft = cv2.GaussianBlur(picture, (0, 0), random.uniform(0.3, 1.0))
    grey = _camera(np.asarray(soft, np.float32)[..., None], random)[..., 0]
    if random.uniform() < 0.1:
        grey = np.where(grey > random.uniform(0.4, 0.75) * 255, 255, 0).astype(np.uint8)
    return 255 - grey if random.uniform() < 0.15 else grey


def _camera(picture: NDArray[np.float32], random: Random) -> NDArray[np.uint8]:
    """Sensor noise and JPEG damage, uint8 (h, w, c)."""
    noise = random.choice([0.0, random.exponential(0.008)], p=[0.4, 0.6])
    noisy = picture + noise * _noise(picture.shape, random) if noise else picture
    image = np.asarray(np.clip(noisy * 255, 0, 255), np.uint8)
    if random.uniform() < 0.6:
        quality = int(random.uniform(25, 95))
        coded = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        flag = cv2.IMREAD_GRAYSCALE if image.shape[2] == 1 else cv2.IMREAD_COLOR
        image = np.asarray(cv2.imdecode(coded, flag), np.uint8)
        image = image[..., None] if image.ndim == 2 else np.ascontiguousarray(image[..., ::-1])
    return image
