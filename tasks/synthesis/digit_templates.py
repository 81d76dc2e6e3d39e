"""Templates of digits as pen paths: styles of handwriting that MNIST hardly holds, varied.

Every template is one 1 high, x to the right and y down, with a share of each style: a 1 with flag
and base, a crossed or waved 7, a hooked 9, an open or looped 4, a curled 6, a 5 with its bar apart.
"""

from collections.abc import Callable

import numpy as np

from tasks.synthesis.pen_paths import Path, Random, corner, curve


def _arc(
    centre: tuple[float, float], radii: tuple[float, float], start: float, end: float
) -> list[tuple[float, float]]:
    """Points on an ellipse from angle `start` to `end` in turns; 0 is right, 0.25 is down."""
    angles = 2 * np.pi * np.linspace(start, end, max(4, int(abs(end - start) * 10)))
    return [
        (centre[0] + radii[0] * float(np.cos(a)), centre[1] + radii[1] * float(np.sin(a)))
        for a in angles
    ]


def _zero(r: Random) -> list[Path]:
    wide = r.uniform(0.2, 0.5)
    start, turn = r.uniform(-0.45, -0.1), r.choice([-1, -1, -1, 1])
    ring = _arc((wide, 0.5), (wide, 0.5), start, start + turn * r.uniform(0.93, 1.2))
    kind = r.uniform()
    if kind < 0.12:  # begins inside the ring
        ring = [(wide + r.uniform(-0.1, 0.1), r.uniform(0.15, 0.35)), *ring]
    elif kind < 0.2:  # goes on inside the ring
        ring += [(wide * r.uniform(0.8, 1.4), r.uniform(0.2, 0.6))]
    elif kind < 0.32:  # ends in a tail to the right, over the top
        away, drop = r.uniform(0.15, 0.9), r.uniform(0.0, 0.3)
        ring += [(2 * wide + away * 0.4, r.uniform(0.08, 0.25)), (2 * wide + away, drop)]
    elif kind < 0.42:  # closes with a loop at the top, then a tail to the right
        ring = _arc((wide, 0.5), (wide, 0.5), -0.15, -1.1)
        deep = r.uniform(0.2, 0.42)
        loop = [(wide * 1.5, deep), (wide * r.uniform(0.7, 1.1), deep), (wide * 1.2, 0.08)]
        tail = [(2 * wide, r.uniform(0.1, 0.3)), (2 * wide + r.uniform(0.2, 0.9), 0.25)]
        ring += [*loop, *tail] if r.uniform() < 0.5 else tail
    strokes = [curve(ring, r, 0.012)]
    if kind > 0.97:  # struck through
        strokes.append(corner([(-0.1 * wide, 0.95), (2.1 * wide, 0.05)], r))
    return strokes


def _one(r: Random) -> list[Path]:
    kind = r.uniform()
    top, foot = (0.5, 0.0), (0.5 + r.normal(0, 0.06), 1.0)
    if kind < 0.2:  # one straight stroke; below, it is slanted as all digits are
        return [corner([top, foot], r)]
    if kind < 0.5:  # long flag; a flatter one would be the bar of a 7
        long = r.uniform(0.25, 0.75)
        flag = (0.5 - long, r.uniform(max(0.12, 0.35 * long), 0.5))
    elif kind < 0.72:  # steep flag
        flag = (0.5 - r.uniform(0.08, 0.35), r.uniform(0.25, 0.85))
    else:
        flag = (0.5 - r.uniform(0.1, 0.3), r.uniform(0.08, 0.3))
    bend = r.normal(0, 0.06)
    middle = ((flag[0] + top[0]) / 2 + bend, (flag[1] + top[1]) / 2 + abs(bend) * 0.7)
    up = curve([flag, middle, top], r, 0.012)
    down = [top, (0.5 + r.normal(0, 0.03), 0.5), foot]
    if r.uniform() < 0.08:  # drawn back up, or down once more
        aside, again = r.normal(0, 0.08), r.uniform(0.05, 0.6)
        down += [(foot[0] + aside, r.uniform(0.5, 0.8)), (0.5 + aside, again)]
        if r.uniform() < 0.5:
            down.append((foot[0] + r.normal(0.05, 0.12), r.uniform(0.7, 1.0)))
    stem = curve(down, r, 0.01)
    if r.uniform() < 0.25:  # the pen was lifted, or overshot the tip
        stem[0] += r.normal(0, 0.03, 2)
        strokes = [up, stem]
    else:
        strokes = [np.vstack((up, stem[1:]))]
    if r.uniform() < 0.33:
        half, height = r.uniform(0.12, 0.5), 1 + r.normal(0, 0.03)
        shift, tilt = r.normal(0, 0.06), r.normal(0, 0.04)
        ends = (foot[0] + shift - half, height + tilt), (foot[0] + shift + half, height - tilt)
        strokes.append(corner(list(ends), r))
        while r.uniform() < 0.1:  # gone over several times
            strokes.append(corner(list(ends), r, 0.04))
    return strokes


def _two(r: Random) -> list[Path]:
    wide = r.uniform(0.5, 0.8)
    head = [
        (0.0, r.uniform(0.12, 0.38)),
        (0.12, 0.08),
        (wide / 2, 0.0),
        (wide * 0.9, 0.12),
        (wide * 0.92, 0.3),
        (wide * 0.6, 0.6),
    ]
    begins = r.uniform()
    if begins < 0.25:  # with a small curl
        head = [(0.14, 0.32), (0.05, 0.33), *head]
    elif begins < 0.4:  # flat, like a Z
        head = [(0.0, r.uniform(0.0, 0.12)), (wide * 0.5, 0.02), (wide * 0.85, 0.06), *head[4:]]
    elif begins < 0.5:  # with a curl that may be as large as the ring of a 9
        deep, far = r.uniform(0.24, 0.4), wide * r.uniform(0.3, 0.65)
        head = [(far, deep * 0.6), (far * 0.7, deep), (0.0, deep * 0.75), *head[1:]]
    length, lift = r.uniform(0.9, 1.7) * wide, r.normal(0, 0.05)
    kind = r.uniform()
    if kind < 0.4:
        return [
            np.vstack(
                (curve([*head, (0.02, 0.97)], r), corner([(0.02, 0.97), (length, 1 + lift)], r))
            )
        ]
    if kind < 0.55:  # large loop at the lower left
        high = r.uniform(0.55, 0.75)
        loop = [
            (wide * 0.3, 0.93),
            (0.0, 1.0),
            (-0.12, r.uniform(0.85, 0.95)),
            (0.02, high),
            (wide * 0.5, high + 0.12),
            (wide * 0.8, 0.97),
            (length, 0.95 + lift),
        ]
        return [curve([*head, *loop], r)]
    if kind < 0.75:  # small one
        loop = [
            (0.1, 0.97),
            (0.0, 0.94),
            (0.05, r.uniform(0.78, 0.86)),
            (0.25, 0.86),
            (wide * 0.7, 0.98),
            (length, 0.93 + lift),
        ]
        return [curve([*head, *loop], r)]
    wave = [(0.03, 0.93), (0.2, 0.88), (wide * 0.6, 0.99), (length, 0.9 + lift)]
    return [curve([*head, *wave], r)]


def _three(r: Random) -> list[Path]:
    wide, waist = r.uniform(0.42, 0.75), r.uniform(0.34, 0.52)
    end = (-0.03, r.uniform(0.82, 0.95))
    low = [(wide * 0.75, waist + 0.06), (wide, 0.72), (wide * 0.75, 0.95), (wide * 0.35, 1.0), end]
    ends = r.uniform()
    if ends < 0.1:  # the lower bow ends in a curl
        low += [(wide * 0.1, r.uniform(0.72, 0.8)), (wide * 0.3, 0.8)]
    elif ends < 0.35:  # it runs out into a long tail
        tail = (r.uniform(-0.5, -0.1), r.uniform(0.95, 1.15))
        low = [(wide * 0.8, waist + 0.05), (wide * 0.9, 0.65), (wide * 0.5, 0.88), tail]
    if r.uniform() < 0.25:  # flat top
        top = corner([(0.02, 0.02), (wide * 0.9, 0.0), (wide * 0.35, waist)], r)
        return [np.vstack((top, curve([(wide * 0.35, waist), *low], r)[1:]))]
    high = [(0.0, r.uniform(0.08, 0.25)), (wide * 0.3, 0.0), (wide * 0.8, 0.06)]
    if r.uniform() < 0.15:  # begins with a curl
        high = [(wide * 0.3, r.uniform(0.2, 0.3)), (wide * 0.05, 0.26), *high]
    high += [(wide * 0.85, 0.22), (wide * 0.6, waist - 0.04)]
    if r.uniform() < 0.35:  # loop at the waist
        middle = [(wide * 0.25, waist + 0.04), (wide * 0.22, waist - 0.04), (wide * 0.5, waist)]
    else:
        middle = [(wide * r.uniform(0.2, 0.5), waist)]
    return [curve([*high, *middle, *low], r)]


def _four(r: Random) -> list[Path]:
    kind = r.uniform()
    bar = r.uniform(0.5, 0.72)
    if kind < 0.25:  # closed, in one or two strokes
        stem = r.uniform(0.25, 0.68)
        reach = stem + r.uniform(0.02, 0.4)
        return [
            corner([(stem, 0.0), (0.0, bar), (reach, bar + r.normal(0, 0.04))], r),
            corner([(stem, r.uniform(-0.05, 0.05)), (stem + r.normal(0, 0.04), 1.0)], r),
        ]
    right = r.uniform(0.35, 0.8)
    if kind < 0.33:  # narrow, and open
        right = r.uniform(0.22, 0.4)
    foot = (right - r.uniform(-0.05, 0.35), 1.0)
    if kind < 0.53:  # open, with corners
        left = r.uniform(0.0, 0.3 * right)
        reach = right + r.uniform(-0.02, 0.35)
        return [
            corner([(left, 0.0), (0.0, bar), (reach, bar + r.normal(0, 0.05))], r),
            corner([(right, r.uniform(-0.1, 0.35)), foot], r),
        ]
    if kind < 0.75:  # a cup and a stem that leaves it, like a y
        depth = r.uniform(0.42, 0.65)
        cup = [
            (0.0, 0.0),
            (r.uniform(-0.06, 0.04), depth * 0.65),
            (0.12, depth),
            (right * 0.6, depth * 0.93),
            (right, depth * 0.55),
        ]
        top = (right + r.uniform(0.0, 0.1), r.uniform(-0.12, 0.1))
        if r.uniform() < 0.5:
            return [curve([*cup, top], r), curve([top, (right * 0.93, 0.5), foot], r, 0.012)]
        return [curve(cup, r), curve([top, (right * 0.93, 0.5), foot], r, 0.012)]
    # The cup ends in a loop that crosses the stem.
    depth = r.uniform(0.5, 0.68)
    low = r.uniform(0.75, 1.0)
    cup = [
        (0.12, 0.0),
        (0.0, depth * 0.55),
        (0.1, depth),
        (right * 0.7, depth * 0.85),
        (right, depth * 0.4),
        (right * 0.95, 0.08),
    ]
    loop = [
        (right * 0.72, 0.02),
        (right * 0.55, depth * 0.5),
        (right * 0.5, depth),
        (right * 0.5, low),
    ]
    return [curve([*cup, *loop], r, 0.018)]


def _five(r: Random) -> list[Path]:
    wide, left = r.uniform(0.45, 0.65), r.uniform(0.02, 0.14)
    bar = wide + r.uniform(0.0, 0.55)
    lift = r.normal(-0.02, 0.06)
    belly = [
        (left * 0.5, r.uniform(0.42, 0.5)),
        (wide * 0.5, 0.36),
        (wide * 0.97, 0.52),
        (wide * 0.95, 0.8),
        (wide * 0.5, 1.0),
        (-0.05, r.uniform(0.82, 0.98)),
    ]
    down = corner([(left, 0.0), belly[0]], r)
    body = np.vstack((down, curve(belly, r)[1:]))
    body[len(down)] = body[len(down) - 1]
    kind = r.uniform()
    if kind < 0.45:  # the bar apart
        away = r.uniform(-0.03, 0.12)
        return [
            body,
            curve([(left + away, r.normal(0, 0.04)), (bar * 0.6, 0.01), (bar, lift)], r, 0.012),
        ]
    if kind < 0.85:
        return [np.vstack((corner([(bar, lift), (left, 0.0)], r, 0.012)[:-1], body))]
    return [
        curve([(bar, lift), (wide * 0.5, 0.0), (left, 0.12), (left * 0.6, 0.36), *belly[1:]], r)
    ]


def _six(r: Random) -> list[Path]:
    wide, loop = r.uniform(0.42, 0.62), r.uniform(0.4, 0.58)
    if r.uniform() < 0.25:  # the loop takes little of the height, or nearly all of it
        loop = r.choice([r.uniform(0.28, 0.4), r.uniform(0.58, 0.68)])
    top = (wide * r.uniform(0.6, 1.25), r.uniform(0.0, 0.08))
    ring = [
        (0.0, 0.68),
        (wide * 0.15, 0.93),
        (wide * 0.55, 1.0),
        (wide * 0.95, 0.85),
        (wide * 0.95, loop + 0.18),
        (wide * 0.55, loop),
        (wide * 0.12, loop + 0.18),
    ]
    end = r.uniform()
    if end < 0.3:
        ring.append((wide * 0.05, 0.75))
    elif end < 0.5:
        ring[-1] = (wide * 0.25, loop + 0.25)
    kind = r.uniform()
    if kind < 0.55:
        stem = [top, (wide * 0.35, 0.2), (wide * 0.06, 0.45)]
    elif kind < 0.75:  # a hook
        stem = [(top[0] + 0.05, 0.2), (top[0], 0.04), (wide * 0.45, 0.06), (wide * 0.08, 0.4)]
    else:  # a curl that comes back to the stem
        low = r.uniform(0.2, 0.36)
        stem = [
            (wide * r.uniform(0.15, 0.5), low),
            (top[0] * 0.9, low * 0.75),
            (top[0], low * 0.3),
            (wide * 0.65, 0.0),
            (wide * 0.25, 0.15),
            (wide * 0.05, 0.45),
        ]
    return [curve([*stem, *ring], r, 0.018)]


def _seven(r: Random) -> list[Path]:
    wide = r.uniform(0.4, 0.85)
    foot = (wide * r.uniform(-0.05, 0.75), 1.0)
    level = r.normal(0, 0.04)
    kind = r.uniform()
    if kind < 0.4:
        bar = corner([(0.0, level), (wide, 0.0)], r)
    elif kind < 0.45:  # begins with a loop
        loop = [(0.12, 0.14), (0.0, 0.2), (-0.04, 0.06), (0.1, 0.02)]
        bar = curve([*loop, (wide * 0.6, 0.05), (wide, 0.0)], r, 0.015)
    elif kind < 0.6:  # serif
        serif = (r.uniform(-0.05, 0.05), r.uniform(0.1, 0.28))
        bar = corner([serif, (0.02, level), (wide, 0.0)], r)
    else:  # wave, with a dip that may be as deep as that of a y
        dip, rise = r.uniform(0.06, 0.38), r.uniform(-0.06, 0.06)
        start = (wide * r.uniform(-0.15, 0.05), dip * r.uniform(0.6, 1.5))
        crest = (wide * r.uniform(0.12, 0.3), rise)
        valley = (wide * r.uniform(0.5, 0.75), max(dip, rise + 0.04))
        bar = curve([start, crest, valley, (wide, r.uniform(-0.12, 0.04))], r, 0.015)
    bend = r.normal(0, 0.07)
    knee = (wide + (foot[0] - wide) * 0.5 + bend, 0.5)
    stem = curve([(float(bar[-1, 0]), float(bar[-1, 1])), knee, foot], r, 0.012)
    stem[0] = bar[-1]
    strokes = [np.vstack((bar, stem[1:]))]
    if r.uniform() < 0.6:
        height, half = r.uniform(0.4, 0.7), r.uniform(0.1, 0.42)
        at = wide + (foot[0] - wide) * height + bend + r.normal(0, 0.05)
        tilt, swing = r.normal(0.02, 0.07), r.normal(0, 0.03)
        cross = [(at - half, height + tilt), (at, height + swing), (at + half, height - tilt)]
        strokes.append(curve(cross, r, 0.01))
        if r.uniform() < 0.2:  # and a foot, which makes a 1 of one without the cross
            half, tilt = r.uniform(0.08, 0.3), r.normal(0, 0.03)
            at = foot[0] + r.normal(0, 0.04)
            strokes.append(corner([(at - half, 1 + tilt), (at + half, 1 - tilt)], r))
    return strokes


def _eight(r: Random) -> list[Path]:
    wide, waist = r.uniform(0.4, 0.62), r.uniform(0.4, 0.52)
    drawn = r.uniform()
    if drawn < 0.15:  # two rings
        a, b = r.uniform(-0.3, 0.3, 2)
        upper = _arc((wide / 2, waist / 2), (wide * 0.4, waist / 2), a, a + 1.02)
        lower = _arc((wide / 2, (1 + waist) / 2), (wide * 0.5, (1 - waist) / 2), b, b + 1.02)
        return [curve(upper, r, 0.012), curve(lower, r, 0.012)]
    if drawn < 0.27:  # an S, closed by a straight stroke back up
        snake = [(0.95, 0.12), (0.5, 0.0), (0.08, 0.2), (0.5, waist), (0.95, 0.75), (0.5, 1.0)]
        snake += [(0.05, 0.85)]
        back = (wide * r.uniform(0.8, 1.15), r.uniform(-0.05, 0.15))
        turned = curve([(wide * x, y) for x, y in snake], r, 0.016)
        return [np.vstack((turned, corner([back], r)))]
    first = (wide * r.uniform(0.75, 1.15), r.uniform(-0.03, 0.16))
    last = (wide * r.uniform(0.7, 1.05), r.uniform(-0.04, 0.2))
    down = [(0.5, 0.0), (0.08, 0.12), (0.15, waist * 0.7), (0.5, waist), (0.95, 0.7), (0.8, 0.95)]
    up = [(0.4, 1.0), (0.0, 0.85), (0.1, 0.65), (0.5, waist + 0.02), (0.85, waist * 0.6)]
    return [curve([first, *((wide * x, y) for x, y in down + up), last], r, 0.016)]


def _nine(r: Random) -> list[Path]:
    wide, loop = r.uniform(0.4, 0.6), r.uniform(0.4, 0.58)
    flat = r.uniform() < 0.2  # a ring that is wider than high
    if flat:
        wide, loop = r.uniform(0.5, 0.75), r.uniform(0.26, 0.4)
    start = (wide * r.uniform(0.75, 1.02), r.uniform(0.05, 0.2))
    ring = [
        start,
        (wide * 0.5, 0.0),
        (wide * 0.05, loop * 0.4),
        (wide * 0.15, loop * 0.85),
        (wide * 0.5, loop),
        (wide * 0.9, loop * 0.65),
        (wide, r.uniform(0.02, 0.15)),
    ]
    kind = r.uniform()
    if kind < 0.12:  # a ring, and a stem of its own that may begin above it
        above = (wide * r.uniform(0.85, 1.1), r.uniform(-0.18, 0.15))
        stem = curve([above, (wide * 0.95, 0.5), (wide * r.uniform(0.4, 1.0), 1.0)], r, 0.012)
        return [curve(ring, r), stem]
    if kind < 0.4 or (flat and kind < 0.7):  # straight tail
        tail = corner([ring[-1], (wide * r.uniform(0.5, 1.1), 1.0)], r)
        return [np.vstack((curve(ring, r), tail[1:]))]
    if kind < 0.8:  # hooked tail, like a g
        depth = r.uniform(0.7, 0.88)
        hook = [
            (wide * 0.98, 0.55),
            (wide * 0.9, depth),
            (wide * 0.55, 1.0),
            (wide * r.uniform(-0.3, 0.2), r.uniform(0.82, 0.98)),
        ]
        if r.uniform() < 0.25:
            hook.append((hook[-1][0] - 0.02, hook[-1][1] - 0.12))
        return [curve([*ring, *hook], r, 0.018)]
    return [curve([*ring, (wide * 0.85, 0.6), (wide * 0.4, 1.0)], r, 0.018)]


_DIGITS: list[Callable[[Random], list[Path]]] = [
    _zero,
    _one,
    _two,
    _three,
    _four,
    _five,
    _six,
    _seven,
    _eight,
    _nine,
]


def digit_paths(digit: int, random: Random) -> list[Path]:
    """Strokes of one written `digit`, each (n, 2), about 1 high."""
    return _DIGITS[digit](random)
