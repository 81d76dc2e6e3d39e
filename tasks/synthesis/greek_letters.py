"""Greek letters as pen paths: what formulas hold beside digits, and no font of OpenCV has.

Every letter is about 1 high, x to the right and y down. Those that people take for a digit are left
out: theta and omicron for 0, iota for 1, sigma for 6, zeta for 3.
"""

from collections.abc import Sequence

from tasks.synthesis.pen_paths import Path, Random, corner, curve

Points = Sequence[tuple[float, float]]

ALPHA = (1.0, 0.25), (0.72, 0.8), (0.35, 1.0), (0.05, 0.65), (0.35, 0.3), (0.7, 0.65), (1.0, 1.0)
BETA = (
    *((0.1, 1.3), (0.15, 0.4), (0.4, 0.0), (0.65, 0.2), (0.35, 0.45)),
    *((0.7, 0.65), (0.5, 1.0), (0.2, 0.9)),
)
GAMMA = (0.0, 0.25), (0.2, 0.2), (0.45, 0.8), (0.4, 1.2), (0.3, 1.0), (0.55, 0.55), (0.85, 0.2)
EPSILON = (0.7, 0.15), (0.3, 0.05), (0.1, 0.25), (0.4, 0.45), (0.05, 0.7), (0.3, 1.0), (0.75, 0.85)
KAPPA = (0.75, 0.1), (0.3, 0.5), (0.2, 0.5), (0.4, 0.55), (0.8, 0.95)
LAMBDA_DOWN = (0.1, 0.0), (0.3, 0.05), (0.6, 0.6), (0.9, 1.0)
MU = (0.15, 0.2), (0.12, 0.75), (0.4, 0.85), (0.65, 0.6), (0.75, 0.2), (0.72, 0.75), (0.9, 0.85)
XI = (
    *((0.7, 0.05), (0.3, 0.1), (0.2, 0.3), (0.6, 0.38), (0.15, 0.55)),
    *((0.2, 0.8), (0.6, 0.95), (0.5, 1.2)),
)
PHI = (0.35, 0.2), (0.1, 0.5), (0.4, 0.85), (0.8, 0.55), (0.65, 0.25), (0.5, 0.45), (0.45, 1.25)
PSI = (0.05, 0.2), (0.15, 0.6), (0.5, 0.8), (0.85, 0.55), (0.95, 0.2)
OMEGA = (
    *((0.2, 0.2), (0.0, 0.6), (0.2, 0.95), (0.5, 0.7), (0.5, 0.45)),
    *((0.5, 0.7), (0.8, 0.95), (1.0, 0.6), (0.8, 0.2)),
)
CAPITAL_OMEGA = (
    *((0.0, 1.0), (0.3, 1.0), (0.1, 0.6), (0.2, 0.1), (0.55, 0.0)),
    *((0.9, 0.1), (1.0, 0.6), (0.8, 1.0), (1.1, 1.0)),
)
RING = (0.5, 0.2), (0.1, 0.5), (0.5, 0.8), (0.9, 0.5), (0.5, 0.2)

LETTERS: dict[str, list[tuple[bool, Points]]] = {  # strokes: whether curved, and through what
    "alpha": [(True, ALPHA)],
    "beta": [(True, BETA)],
    "gamma": [(True, GAMMA)],
    "epsilon": [(True, EPSILON)],
    "kappa": [(False, ((0.15, 0.1), (0.15, 0.95))), (True, KAPPA)],
    "lambda": [(True, LAMBDA_DOWN), (False, ((0.45, 0.4), (0.0, 1.0)))],
    "mu": [(False, ((0.15, 0.2), (0.05, 1.25))), (True, MU)],
    "xi": [(True, XI)],
    "pi": [
        (False, ((0.0, 0.25), (1.0, 0.2))),
        (False, ((0.3, 0.22), (0.2, 1.0))),
        (False, ((0.7, 0.22), (0.75, 1.0))),
    ],
    "phi": [(True, PHI)],
    "chi": [(False, ((0.0, 0.0), (0.9, 1.0))), (True, ((0.85, 0.0), (0.5, 0.5), (0.05, 1.0)))],
    "psi": [(True, PSI), (False, ((0.5, 0.0), (0.5, 1.2)))],
    "omega": [(True, OMEGA)],
    "Delta": [(False, ((0.5, 0.0), (0.0, 1.0), (1.0, 1.0), (0.5, 0.0)))],
    "Gamma": [(False, ((0.05, 1.0), (0.1, 0.0), (0.8, 0.02)))],
    "Lambda": [(False, ((0.0, 1.0), (0.5, 0.0), (1.0, 1.0)))],
    "Xi": [
        (False, ((0.0, 0.0), (1.0, 0.0))),
        (False, ((0.2, 0.5), (0.8, 0.5))),
        (False, ((0.0, 1.0), (1.0, 1.0))),
    ],
    "Pi": [(False, ((0.05, 1.0), (0.05, 0.0), (0.95, 0.0), (0.95, 1.0)))],
    "Sigma": [(False, ((0.9, 0.05), (0.05, 0.0), (0.5, 0.5), (0.0, 1.0), (0.95, 0.98)))],
    "Phi": [(True, RING), (False, ((0.5, 0.0), (0.5, 1.0)))],
    "Psi": [(True, PSI), (False, ((0.5, 0.0), (0.5, 1.0)))],
    "Omega": [(True, CAPITAL_OMEGA)],
}


def letter_paths(random: Random) -> list[Path]:
    """Return the strokes of one letter, shaken."""
    strokes = LETTERS[str(random.choice(list(LETTERS)))]
    return [
        (curve if curved else corner)(list(points), random, shake=0.03)
        for curved, points in strokes
    ]
