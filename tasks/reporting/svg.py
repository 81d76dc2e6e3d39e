"""Figures as SVG text: small values in, drawings out, without a plotting library.

Colours are CSS variables with light fallbacks: a page that holds the SVG inline may set them (dark
mode), and as an image of its own the figure brings a light background.
"""

import base64
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from tasks.contracts.training import Epoch, Layer
from tasks.visible import visible

Tone = Literal["", "good", "warn", "bad"]
Point = tuple[float, float]

INK = "var(--ink, #1b2430)"
MUTED = "var(--muted, #5b6876)"
LINE = "var(--line, #d9dfe6)"
SURFACE = "var(--surface, #ffffff)"
ACCENT = "var(--accent, #2a62c4)"
SECOND = "var(--second, #c2570c)"
TONES: dict[Tone, str] = {
    "": INK,
    "good": "var(--good, #1a7f4b)",
    "warn": "var(--warn, #96600a)",
    "bad": "var(--bad, #c0322b)",
}
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
MIDDLE = {"text_anchor": "middle"}
END = {"text_anchor": "end"}
TINY = 1e-9  # values below it are drawn as zero
FLAT = 1e-4  # a smaller share of the largest value is no difference worth an axis
MARGIN_X, MARGIN_Y = 8, 6
LEAST_DARKEST = 0.3  # share at least that the darkest field stands for
STRIP = 5  # pictures side by side in one figure
JPEG_QUALITY = 85
SMALL = {"font_size": 11, "fill": MUTED}


@dataclass(frozen=True)
class Figure:
    """A drawing: its title says in words what it shows; `svg` is one well-formed SVG element."""

    title: str
    svg: str


@dataclass(frozen=True)
class Tile:
    """One small picture with its words; it is shown as the negative of what is given.

    uint8, ink bright on 0: (H, W) grey or (H, W, 3) in OpenCV's order.
    """

    picture: NDArray[np.uint8]
    caption: str
    note: str = ""  # a second, smaller line
    tone: Tone = ""  # of the caption
    hint: str = ""  # shown when the pointer rests on the picture


def digit_grid(title: str, tiles: Sequence[Tile], columns: int = STRIP, size: int = 56) -> Figure:
    """Return pictures in rows, as dark ink on paper, `size` units wide, their words below them."""
    width, height = size + 16, size + (40 if any(tile.note for tile in tiles) else 26)
    parts = (
        _tile(tile, index % columns * width + 4, index // columns * height + 4, size)
        for index, tile in enumerate(tiles)
    )
    rows = max(1, math.ceil(len(tiles) / columns))
    return _figure(title, min(columns, len(tiles) or 1) * width - 8, rows * height, parts)


def digit_strips(title: str, tiles: Sequence[Tile]) -> list[Figure]:
    """Return pictures in figures of one short row: a wide page sets two side by side."""
    return [
        digit_grid(f"{title}, from {start + 1} on", tiles[start : start + STRIP])
        for start in range(0, len(tiles), STRIP)
    ]


def _tile(tile: Tile, left: int, top: int, size: int) -> str:
    middle, below = left + size / 2, top + size
    enlarged = max(tile.picture.shape[:2]) < size
    style = {"font_weight": 600, "fill": TONES[tile.tone]} | MIDDLE
    return (
        f"<g><title>{_escaped(tile.hint or tile.caption)}</title>"
        f'<image x="{left}" y="{top}" width="{size}" height="{size}" '
        + ('style="image-rendering:pixelated" ' if enlarged else "")
        + f'href="{_encoded(255 - tile.picture)}"/>'
        + _rect(left, top, size, size, fill="none", stroke=LINE)
        + _text(middle, below + 15, tile.caption, **style)
        + (_text(middle, below + 29, tile.note, **MIDDLE, **SMALL) if tile.note else "")
        + "</g>"
    )


def network_diagram(layers: Sequence[Layer]) -> Figure:
    """Return the layers from input to output, each a block sized by the shape it puts out.

    A block is filled where there are parameters.
    """
    middle, left, right, top = 84, 180, 456, 30.0
    parts = [_text(left, 18, "layer and output", **SMALL)]
    parts += [_text(right, 18, "parameters", **END, **SMALL)]
    for index, layer in enumerate(layers):
        shape = layer.output_shape
        block, height = _block(shape, filled=bool(layer.parameters))
        row = max(42.0, height + 18)
        y = top + row / 2
        if index:
            parts.append(_arrow(middle, top - 7, top + 7))
        parts += [
            f'<g transform="translate({middle} {y:g})">{block}</g>',
            _text(left, y - 3, _fitted(layer.type), font_size=13, font_weight=600),
            _text(left, y + 13, _fitted(f"{layer.name}: {times(shape)}"), **SMALL),
            _text(right, y - 3, f"{layer.parameters:,}", **END),
        ]
        top += row
    total = sum(layer.parameters for layer in layers)
    bold = {"font_size": 13, "font_weight": 600}
    parts += [
        _line(left, top + 6, right, top + 6),
        _text(left, top + 26, "Total", **bold),
        _text(right, top + 26, f"{total:,}", **END, **bold),
    ]
    title = f"The network: {len(layers)} layers, {total:,} parameters"
    return _figure(title, 464, top + 38, parts)


def times(shape: Sequence[int]) -> str:
    """Return a shape in words: 28 by 28 by 1 with multiplication signs."""
    return " \u00d7 ".join(map(str, shape))


def _fitted(words: str, characters: int = 40) -> str:
    return words if len(words) <= characters else words[: characters - 1] + "…"


def _block(shape: Sequence[int], filled: bool) -> tuple[str, float]:
    """Return a cuboid for (H, W, C) or a bar for (N,), drawn around 0, and its height."""
    style = {"fill": ACCENT if filled else SURFACE, "stroke": SURFACE if filled else ACCENT}
    if len(shape) <= 1:
        width, height = max(8.0, 14 * math.log2(1 + math.prod(shape))), 12.0
        return _rect(-width / 2, -height / 2, width, height, rx=2, **style), height
    height, width = (max(7.0, 52 * min(1.0, size / 28)) for size in shape[:2])
    depth = 3.5 * math.log2(1 + math.prod(shape[2:]))
    lift = depth / 2
    left, top = -(width + depth) / 2, (lift - height) / 2
    paths = {
        f"M{left:.1f} {top:.1f}h{width:.1f}v{height:.1f}h{-width:.1f}z": 1,
        f"M{left:.1f} {top:.1f}l{depth:.1f} {-lift:.1f}h{width:.1f}l{-depth:.1f} {lift:.1f}z": 0.6,
        f"M{left + width:.1f} {top:.1f}l{depth:.1f} {-lift:.1f}v{height:.1f}"
        f"l{-depth:.1f} {lift:.1f}z": 0.8,
    }
    faces = (f'<path d="{d}" fill-opacity="{o}"{_attributes(style)}/>' for d, o in paths.items())
    return f'<g stroke-linejoin="round">{"".join(faces)}</g>', height + lift


def _arrow(x: float, top: float, bottom: float) -> str:
    path = f"M{x:g} {top:g}V{bottom:g}m-3 -3l3 3l3 -3"
    return f'<path d="{path}" fill="none" stroke="{MUTED}"/>'


@dataclass(frozen=True)
class Line:
    """Values from left to right; one that is no number leaves a gap."""

    words: str  # what it is
    values: Sequence[float]
    colour: str = ACCENT
    intervals: Sequence[tuple[float, float]] = ()  # around each value; none: it has none


def training_curves(history: Sequence[Epoch]) -> list[Figure]:
    """Return two figures, loss and accuracy by epoch; a value that is no number leaves a gap."""
    epochs = [str(epoch.epoch) for epoch in history]
    losses = ([epoch.loss for epoch in history], [epoch.val_loss for epoch in history])
    shares = (
        [100 * epoch.accuracy for epoch in history],
        [100 * epoch.val_accuracy for epoch in history],
    )
    return [_curves("Loss", epochs, *losses), _curves("Accuracy, %", epochs, *shares)]


def _curves(
    name: str, epochs: Sequence[str], training: Sequence[float], validation: Sequence[float]
) -> Figure:
    both = (Line("training", training), Line("validation", validation, SECOND))
    return line_chart(f"{name} by epoch, training and validation", name, epochs, both, "epoch")


def line_chart(
    title: str,
    name: str,
    places: Sequence[str],
    lines: Sequence[Line],
    below: str,
    most_places: int = 10,
    least_span: float = 0.0,
) -> Figure:
    """Return one line or two over places that have the same distance.

    Args:
        title: what it shows.
        name: of the values, with their unit.
        places: their names, from left to right.
        lines: with a value for each place.
        below: what the places are.
        most_places: so many names have room.
        least_span: of the values that are shown: less of a difference is none.
    """
    left, top, right, bottom = 46, 48, 350, 206
    ends = [end for line in lines for interval in line.intervals for end in interval]
    values = [value for line in lines for value in line.values]
    known = [value for value in (*values, *ends) if math.isfinite(value)]
    ticks = _ticks([*known, max(known) - least_span] if known else [])
    step = (right - left - 24) / max(1, len(places) - 1)

    def place(index: int, value: float) -> Point:
        share = (value - ticks[0]) / (ticks[-1] - ticks[0])
        return left + 12 + index * step, bottom - (bottom - top) * share

    parts = [_text(2, 18, name, font_size=13, font_weight=600)]
    for tick in ticks:
        y = place(0, tick)[1]
        parts += [_line(left, y, right, y), _text(left - 8, y + 4, f"{tick:.6g}", **END, **SMALL)]
    for index in range(0, len(places), math.ceil(len(places) / most_places) or 1):
        x = place(index, ticks[0])[0]
        parts.append(_text(x, bottom + 17, places[index], **MIDDLE, **SMALL))
    parts.append(_text(right, bottom + 32, below, **END, **SMALL))
    for line, x in zip(lines, (186, 270), strict=False):
        if len(lines) > 1:
            parts += [_line(x, 14, x + 14, 14, stroke=line.colour, stroke_width=2.5)]
            parts += [_text(x + 20, 18, line.words, font_size=11.5)]
        for index, (low, high) in enumerate(line.intervals):
            if math.isfinite(low) and math.isfinite(high):
                style: dict[str, Any] = {"stroke_width": 5, "stroke_opacity": 0.3}
                (x1, y1), (x2, y2) = place(index, low), place(index, high)
                parts.append(_line(x1, y1, x2, y2, stroke=line.colour, **style))
        points = [place(i, v) if math.isfinite(v) else None for i, v in enumerate(line.values)]
        parts += _curve(points, line.colour)
    return _figure(title, 360, 246, parts)


def share_map(
    title: str, name: str, places: Sequence[str], rows: Mapping[str, Sequence[float]], below: str
) -> Figure:
    """Return a field for each share, the darker the larger; one that is no number is empty.

    Args:
        title: what it shows.
        name: of the shares.
        places: the names of the columns, some of which are written.
        rows: by name, with a share for each place.
        below: what the places are.
    """
    left, top, right, height = 46, 30, 350, 17
    width = (right - left) / max(1, len(places))
    shares = [share for row in rows.values() for share in row if math.isfinite(share)]
    most = max([LEAST_DARKEST, *shares])
    parts = [_text(2, 18, name, font_size=13, font_weight=600)]
    parts.append(_text(right, 18, f"darkest: {100 * most:.0f} %", **END, **SMALL))
    for number, (words, row) in enumerate(rows.items()):
        y = top + number * height
        parts.append(_text(left - 8, y + 13, words, **END, font_size=11, font_weight=600))
        for index, share in enumerate(row):
            if math.isfinite(share):
                hint = _escaped(f"{places[index]}, {words}: {100 * share:.1f} %")
                shade = {"fill": ACCENT, "fill_opacity": f"{share / most:.3f}"}
                cell = _rect(left + index * width, y, max(1.0, width - 1), height - 1, **shade)
                parts.append(f"<g><title>{hint}</title>{cell}</g>")
    bottom = top + len(rows) * height
    for index in range(0, len(places), math.ceil(len(places) / 6) or 1):
        x = left + (index + 0.5) * width
        parts.append(_text(x, bottom + 15, places[index], **MIDDLE, **SMALL))
    parts.append(_text(right, bottom + 30, below, **END, **SMALL))
    return _figure(title, 360, bottom + 36, parts)


def _curve(points: Sequence[Point | None], colour: str) -> list[str]:
    """Return a line through the points, broken where one is missing, with a dot on each."""
    path, pen = "", "M"
    for point in points:
        path += f"{pen}{point[0]:.1f} {point[1]:.1f}" if point else ""
        pen = "L" if point else "M"
    dots = (f'<circle cx="{p[0]:.1f}" cy="{p[1]:.1f}" r="2.5"/>' for p in points if p)
    line = f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="2"/>' if path else ""
    return [line, f'<g fill="{colour}">{"".join(dots)}</g>']


def _ticks(values: Sequence[float]) -> list[float]:
    """Return three to six round numbers that span the values (0 to 1 where there are none)."""
    low, high = min(values, default=0.0), max(values, default=1.0)
    largest = max(abs(low), abs(high))
    scale = largest if largest > TINY else 1.0
    span = high - low if high - low > FLAT * scale else scale
    unit = 10.0 ** math.floor(math.log10(span / 4))
    step = next(unit * factor for factor in (1, 2, 5, 10) if span / (unit * factor) <= 4)
    first, last = math.floor(low / step), math.ceil(high / step)
    return [index * step for index in range(first, max(last, first + 2) + 1)]


def confusion_matrix(matrix: Sequence[Sequence[int]]) -> Figure:
    """Return a heat map of counts (rows: label, columns: answer); errors have their own scale."""
    width, height, left, top = 40, 32, 52, 48
    worst = max((n for i, row in enumerate(matrix) for j, n in enumerate(row) if i != j), default=0)
    size = len(matrix)
    parts = [
        _text(left + size * width / 2, 16, "model says", **MIDDLE, **SMALL),
        _text(2, top + size * height / 2 + 4, "label", **SMALL),
    ]
    for index in range(size):
        x, y = left + (index + 0.5) * width, top + (index + 0.5) * height + 5
        parts += [_text(x, top - 9, str(index), **MIDDLE, font_weight=600)]
        parts += [_text(left - 10, y, str(index), **END, font_weight=600)]
    for i, row in enumerate(matrix):
        for j, count in enumerate(row):
            strength = 0.12 + 0.5 * math.sqrt(count / worst) if count and i != j else 0.45
            fill = LINE if i == j or not count else TONES["bad"]
            opacity = strength if count else 0.2
            x, y = left + j * width, top + i * height
            parts.append(
                _rect(x + 1, y + 1, width - 2, height - 2, fill=fill, fill_opacity=f"{opacity:.2g}")
            )
            if count:
                parts.append(_text(x + width / 2, y + height / 2 + 4, f"{count:,}", **MIDDLE))
    title = "Confusion matrix: rows are labels, columns what the model says"
    return _figure(title, left + size * width + 4, top + size * height + 6, parts)


def bars(title: str, counts: Sequence[int]) -> Figure:
    """Return one bar per digit with its count above it."""
    width, top, bottom = 46, 24, 150
    most = max(1, *counts)
    parts = []
    for digit, count in enumerate(counts):
        x, height = digit * width + width / 2, (bottom - top) * count / most
        parts += [
            _rect(x - 15, bottom - height, 30, height, fill=ACCENT, rx=2),
            _text(x, bottom - height - 6, f"{count:,}", **MIDDLE, font_size=11),
            _text(x, bottom + 18, str(digit), **MIDDLE, font_weight=600),
        ]
    parts.append(_line(4, bottom, len(counts) * width - 4, bottom))
    return _figure(title, len(counts) * width, bottom + 26, parts)


def _figure(title: str, width: float, height: float, parts: Iterable[str]) -> Figure:
    outer = {"width": f"{width + 2 * MARGIN_X:g}", "height": f"{height + 2 * MARGIN_Y:g}"}
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" '
        f'viewBox="{-MARGIN_X} {-MARGIN_Y} {outer["width"]} {outer["height"]}"'
        f'{_attributes(outer)} role="img" aria-label="{_escaped(title)}" '
        f'font-family="{FONT}" font-size="12" fill="{INK}">'
        + _rect(-MARGIN_X, -MARGIN_Y, width + 2 * MARGIN_X, height + 2 * MARGIN_Y, fill=SURFACE)
        + f"{''.join(parts)}</svg>"
    )
    return Figure(title, svg)


def _encoded(picture: NDArray[np.uint8]) -> str:
    """Return a picture as a data URI; JPEG keeps small what has colours: photos and scans."""
    kind = "jpeg" if picture.ndim == 3 else "png"
    options = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY] if kind == "jpeg" else []
    done, data = cv2.imencode(f".{kind}", picture, options)
    if not done:
        raise ValueError(f"a picture of shape {picture.shape} does not encode as {kind}")
    return f"data:image/{kind};base64," + base64.b64encode(data.tobytes()).decode("ascii")


def _text(x: float, y: float, words: str, **style: Any) -> str:
    return f'<text x="{x:g}" y="{y:g}"{_attributes(style)}>{_escaped(words)}</text>'


def _rect(x: float, y: float, width: float, height: float, **style: Any) -> str:
    size = f'x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}"'
    return f"<rect {size}{_attributes(style)}/>"


def _line(x1: float, y1: float, x2: float, y2: float, **style: Any) -> str:
    ends = f'x1="{x1:g}" y1="{y1:g}" x2="{x2:g}" y2="{y2:g}"'
    return f"<line {ends}{_attributes({'stroke': LINE} | style)}/>"


def _attributes(style: Mapping[str, Any]) -> str:
    return "".join(f' {name.replace("_", "-")}="{value}"' for name, value in style.items())


def _escaped(words: str) -> str:
    return escape(visible(words))
