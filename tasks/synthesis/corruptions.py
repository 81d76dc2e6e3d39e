"""Damage that a picture of a digit can have, after MNIST-C (Mu and Gilmer 2019), drawn by chance.

Each function takes and gives a page: uint8 (H, W), dark ink on light paper. How strong the damage
is, is drawn too, up to where a person still names the digit without effort. MNIST-C's stripes,
zigzag lines and edges are left out: no scan or photo shows a digit so.
"""

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Random = np.random.Generator
Page = NDArray[np.uint8]  # (H, W), dark ink on light paper
PAPER = 255


def shot_noise(page: Page, random: Random) -> Page:
    """Grain of a sensor in too little light."""
    photons = random.uniform(8, 30)
    return _page(random.poisson(page / 255.0 * photons) / photons * 255)


def impulse_noise(page: Page, random: Random) -> Page:
    """Single pixels that are black or white."""
    noise = random.random(page.shape)
    share = random.uniform(0.01, 0.04)
    return np.where(noise < share / 2, 0, np.where(noise > 1 - share / 2, PAPER, page)).astype(
        np.uint8
    )


def glass_blur(page: Page, random: Random) -> Page:
    """Pixels that change places with neighbours, as behind rough glass."""
    reach = 0.02 * max(page.shape)
    rows, columns = np.mgrid[: page.shape[0], : page.shape[1]].astype(np.float32)
    shift = random.uniform(-reach, reach, (2, *page.shape)).astype(np.float32)
    moved = cv2.remap(
        page, columns + shift[0], rows + shift[1], cv2.INTER_NEAREST, borderValue=PAPER
    )
    return _page(cv2.GaussianBlur(moved, (0, 0), 0.7))


def motion_blur(page: Page, random: Random) -> Page:
    """A camera that moved in one direction."""
    length = int(random.uniform(0.06, 0.13) * max(page.shape)) | 1
    kernel = np.zeros((length, length), np.float32)
    kernel[length // 2] = 1
    middle = (length / 2 - 0.5, length / 2 - 0.5)
    turn = cv2.getRotationMatrix2D(middle, random.uniform(0, 180), 1)
    kernel = np.asarray(cv2.warpAffine(kernel, turn, (length, length)), np.float32)
    return _page(cv2.filter2D(page, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REPLICATE))


def defocus_blur(page: Page, random: Random) -> Page:
    """A lens that is out of focus."""
    radius = max(1, round(random.uniform(0.02, 0.05) * max(page.shape)))
    disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1,) * 2).astype(np.float32)
    return _page(cv2.filter2D(page, -1, disk / disk.sum(), borderType=cv2.BORDER_REPLICATE))


def rotate(page: Page, random: Random) -> Page:
    """A sheet that lay askew, by up to 25 degrees."""
    angle = np.radians(random.uniform(10, 25) * random.choice([-1, 1]))
    cosine, sine = float(np.cos(angle)), float(np.sin(angle))
    return _warped(page, [[cosine, -sine], [sine, cosine]])


def shear(page: Page, random: Random) -> Page:
    """A slanted hand."""
    return _warped(page, [[1, random.uniform(0.2, 0.45) * random.choice([-1, 1])], [0, 1]])


def scale(page: Page, random: Random) -> Page:
    """A digit that fills little of its cell."""
    factor = 1 / random.uniform(0.45, 0.75)
    return _warped(page, [[factor, 0], [0, factor]])


def translate(page: Page, random: Random) -> Page:
    """A digit at the rim of its cell."""
    height, width = page.shape
    x, y, w, h = cv2.boundingRect(np.asarray(page < 200, np.uint8))
    right = random.integers(1 - x, max(2 - x, width - x - w))
    down = random.integers(1 - y, max(2 - y, height - y - h))
    matrix = np.array([[1, 0, right], [0, 1, down]], np.float32)
    return _page(cv2.warpAffine(page, matrix, (width, height), borderValue=PAPER))


def brightness(page: Page, random: Random) -> Page:
    """Paper in poor light, or light that washes the ink out."""
    if random.uniform() < 0.5:
        return _page(page * random.uniform(0.35, 0.7))
    return _page(page + random.uniform(40, 130))


def contrast(page: Page, random: Random) -> Page:
    """Faint ink on grey paper."""
    return _page(160 + (page.astype(np.float32) - 160) * random.uniform(0.15, 0.4))


def fog(page: Page, random: Random) -> Page:
    """Uneven haze over the whole picture."""
    haze = _cloud(page.shape, 3, random) * 0.6 + _cloud(page.shape, 7, random) * 0.4
    share = np.clip(random.uniform(0.3, 0.45) + 0.35 * haze, 0, 0.8)
    return _page(page * (1 - share) + random.uniform(170, 230) * share)


def jpeg(page: Page, random: Random) -> Page:
    """Strong JPEG compression."""
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(random.integers(8, 25))]
    packed = cv2.imencode(".jpg", page, quality)[1]
    return np.asarray(cv2.imdecode(packed, cv2.IMREAD_GRAYSCALE), np.uint8)


def spatter(page: Page, random: Random) -> Page:
    """Small drops of ink beside and on the digit."""
    return _drawn(page, random, lambda ink: _drops(ink, int(random.integers(4, 12)), random))


def dotted_line(page: Page, random: Random) -> Page:
    """A dotted line across the picture, as forms have them."""
    return _drawn(page, random, lambda ink: _dots(ink, random))


def thin_pen(page: Page, random: Random) -> Page:
    """A pencil or a fine liner: the ridges of the strokes alone."""
    ink = np.asarray(page < 128, np.uint8)
    depth = cv2.distanceTransform(ink, cv2.DIST_L2, 5)
    ridge = np.asarray((depth > 0) & (depth >= cv2.dilate(depth, np.ones((3, 3))) - 0.6), np.uint8)
    soft = cv2.GaussianBlur(ridge * 255, (0, 0), random.uniform(0.4, 0.7))
    return _page(PAPER - np.minimum(255.0, soft * random.uniform(1.0, 1.6)))


def thick_pen(page: Page, random: Random) -> Page:
    """A marker."""
    radius = max(1, round(random.uniform(0.02, 0.045) * max(page.shape)))
    disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1,) * 2)
    return _page(cv2.erode(page, disk))


CORRUPTIONS: dict[str, Callable[[Page, Random], Page]] = {
    function.__name__.replace("_", " "): function
    for function in (
        *(shot_noise, impulse_noise, glass_blur, motion_blur, defocus_blur),
        *(rotate, shear, scale, translate, brightness, contrast, fog, jpeg),
        *(spatter, dotted_line),
    )
}


def _page(values: NDArray[Any]) -> Page:
    return np.asarray(np.clip(np.rint(values), 0, 255), np.uint8)


def _warped(page: Page, back: list[list[float]]) -> Page:
    """Return the page under a linear map about its middle; `back` leads where pixels are from."""
    turn = np.array(back, np.float64)
    middle = (np.array(page.shape[::-1]) - 1) / 2
    matrix = np.column_stack([turn, middle - turn @ middle])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return _page(cv2.warpAffine(page, matrix, page.shape[::-1], flags=flags, borderValue=PAPER))


def _cloud(shape: tuple[int, ...], cells: int, random: Random) -> NDArray[np.float32]:
    """Return smooth noise (H, W) between about -1 and 1."""
    coarse = random.uniform(-1, 1, (cells, cells)).astype(np.float32)
    smooth = cv2.resize(coarse, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC)
    return np.asarray(smooth, np.float32)


def _drawn(page: Page, random: Random, draw: Callable[[Page], None]) -> Page:
    ink = np.zeros_like(page)
    draw(ink)
    return _page(np.minimum(page, PAPER - ink * random.uniform(0.6, 1.0)))


def _drops(ink: Page, count: int, random: Random) -> None:
    height, width = ink.shape
    for _ in range(count):
        place = (int(random.integers(width)), int(random.integers(height)))
        radius = max(0, round(random.uniform(0.0, 0.022) * max(ink.shape)))
        cv2.circle(ink, place, radius, 255, -1, cv2.LINE_AA)


def _ends(ink: Page, random: Random) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    height, width = ink.shape
    left = np.array([0.0, random.uniform(0.2, 0.8) * height])
    right = np.array([width - 1.0, random.uniform(0.2, 0.8) * height])
    return left, right


def _dots(ink: Page, random: Random) -> None:
    left, right = _ends(ink, random)
    for at in np.linspace(0, 1, int(random.integers(9, 14))):
        x, y = (int(v) for v in left + (right - left) * at)
        cv2.circle(ink, (x, y), 1, 255, -1, cv2.LINE_AA)
