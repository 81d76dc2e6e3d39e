"""Pages and their answers into rows of the results table, column by column."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tasks.imaging.form import Ink, Prepared, in_words
from tasks.inference.decision import Seen, Thresholds, decide, usable
from tasks.inference.session import Answers
from tasks.inputs.base import Roots
from tasks.inputs.listing import int64s
from tasks.outcomes import BY_CONFIDENCE, STATUSES, Reason, Status, Undecodable
from tasks.results.schema import INK_TYPE, PROBABILITIES, SCHEMA

# columns that are filled later: by the commit, by what becomes of the file, by people
LATER = (
    *("commit_version", "original", "taken_back"),
    *("audit", "answered_by", "answered_at", "model_status", "model_digit"),
)
LONGEST_DETAIL = 500  # characters of what a decoder said


@dataclass(slots=True)
class Page:
    """One page of a file on its way to a row."""

    path: bytes  # relative; need not be UTF-8
    number: int = 0
    size: int | None = None
    mtime_ns: int | None = None
    content_hash: str | None = None
    error: Undecodable | None = None
    forms: tuple[NDArray[np.uint8], ...] = ()  # (28, 28) each: the ways to see it; none without ink
    ink: Ink | None = None

    def set_forms(self, prepared: Prepared) -> None:
        """Take the canonical forms and the facts about the picture; one without ink is blank."""
        self.ink = prepared.ink
        if prepared.ink.blank:
            self.error = Undecodable(Reason.BLANK, f"contrast {prepared.ink.contrast} of 255")
        else:
            self.forms = (prepared.form, *prepared.others)


def rows_of(
    pages: Sequence[Page],
    answers: Answers,
    thresholds: Thresholds,
    roots: Roots,
    constants: Mapping[str, Any],
    disagree: NDArray[np.bool_] | None = None,
) -> pa.Table:
    """Return one row of the results' schema for each page.

    Args:
        pages: with a form or an error each.
        answers: what the model says about the forms, one for each page that has some, in order.
        thresholds: of this run.
        roots: where the files lie.
        constants: the columns that have one value in all rows.
        disagree: whether the forms of a page say different things, as many as answers; None: never.

    Raises:
        ValueError: there are more answers than forms, or fewer.
    """
    with_form = np.array([bool(page.forms) for page in pages], bool)
    if len(answers.probabilities) != with_form.sum():  # numpy would spread one over all
        raise ValueError(f"{len(answers.probabilities)} answers for {with_form.sum()} pictures")
    reasons, details = _outcomes(pages, answers, thresholds, seen_of(pages, disagree))
    statuses = [STATUSES[reason] for reason in reasons]
    kept = np.array([status != Status.REJECTED for status in statuses], bool)
    probabilities = np.zeros((len(pages), len(PROBABILITIES)), np.float32)
    probabilities[with_form] = answers.probabilities
    places = [roots.place(page.path) for page in pages]
    columns = {
        "root": [root for root, _ in places],
        "path": [path for _, path in places],
        "page": [page.number for page in pages],
        "size": int64s(page.size for page in pages),
        "mtime_ns": int64s(page.mtime_ns for page in pages),
        "content_hash": [page.content_hash for page in pages],
        "status": statuses,
        "reason": reasons,
        "detail": details,
        "digit": _where(kept, probabilities.argmax(axis=1).astype(np.int8)),
        "confidence": _where(kept, probabilities.max(axis=1)),
        "digit_score": _scores(answers, with_form, reasons),
        "error_bound": _error_bounds(pages, reasons, probabilities, thresholds),
        "kind": [page.ink.kind if page.ink else None for page in pages],
        "doubts": [page.ink.doubts or None if page.ink else None for page in pages],
        **{name: pa.nulls(len(pages), SCHEMA.field(name).type) for name in LATER},
        "ink": _inks([page.ink for page in pages]),
        **{
            name: _where(kept, np.ascontiguousarray(column))
            for name, column in zip(PROBABILITIES, probabilities.T, strict=True)
        },
        **{name: pa.repeat(pa.scalar(value), len(pages)) for name, value in constants.items()},
    }
    arrays = [
        column.cast(field.type) if isinstance(column, pa.Array) else pa.array(column, field.type)
        for field, column in ((field, columns[field.name]) for field in SCHEMA)
    ]
    return pa.Table.from_arrays(arrays, schema=SCHEMA)


def _outcomes(
    pages: Sequence[Page],
    answers: Answers,
    thresholds: Thresholds,
    seen: Seen,
) -> tuple[list[Reason], list[str | None]]:
    decided = decide(answers.probabilities, answers.digit_scores, seen, thresholds)
    reasons: list[Reason] = []
    details: list[str | None] = []
    answered = 0
    for page in pages:
        if page.forms:
            reasons.append(decided[answered])
            details.append(_why(decided[answered], page, answers, answered))
            answered += 1
        else:
            assert page.error is not None  # noqa: S101 - a page without a form has an error
            reasons.append(page.error.reason)
            details.append(page.error.detail[:LONGEST_DETAIL])
    return reasons, details


def seen_of(pages: Sequence[Page], disagree: NDArray[np.bool_] | None) -> Seen:
    """Return what is known of the pages that have a form; `disagree` as in `rows_of`."""
    inks = [page.ink for page in pages if page.forms and page.ink]
    unsettled = np.array([ink.unsettled for ink in inks], bool)
    return Seen(
        kinds=[ink.kind for ink in inks],
        other_digits=np.array([ink.other_digits for ink in inks], np.int64),
        doubtful=unsettled if disagree is None else unsettled | disagree,
    )


def _why(reason: Reason, page: Page, answers: Answers, number: int) -> str | None:
    probabilities, scores = answers.probabilities[[number]], answers.digit_scores
    if reason == Reason.NO_ANSWER and not usable(probabilities, None)[0]:
        return f"probabilities {probabilities[0].tolist()}"
    if reason == Reason.AMBIGUOUS and page.ink:
        return in_words(page.ink.doubts)
    if reason == Reason.SEVERAL_DIGITS and page.ink:
        return f"{page.ink.other_digits} more of the digit's size"
    if reason in (Reason.NOT_A_DIGIT, Reason.NO_ANSWER) and scores is not None:
        return f"digit score {scores[number]:.3f}"
    return None


def _error_bounds(
    pages: Sequence[Page],
    reasons: Sequence[Reason],
    probabilities: NDArray[np.float32],
    thresholds: Thresholds,
) -> pa.Array:
    """Return the least accepted error at which each picture is read; null where at none."""
    if thresholds.bounds is None:
        return pa.nulls(len(reasons), pa.float64())
    by_confidence = np.array([reason in BY_CONFIDENCE for reason in reasons], bool)
    kinds = [str(page.ink.kind) if page.ink else "" for page in pages]
    return _where(by_confidence, thresholds.error_bounds(kinds, probabilities.max(axis=1)))


def _where(kept: NDArray[np.bool_], values: NDArray[Any]) -> pa.Array:
    return pa.array(values, mask=~kept)


def _scores(answers: Answers, with_form: NDArray[np.bool_], reasons: Sequence[Reason]) -> pa.Array:
    scores = np.zeros(len(with_form), np.float32)
    if answers.digit_scores is None:
        return pa.nulls(len(scores), pa.float32())
    scores[with_form] = answers.digit_scores
    answered = np.array([reason != Reason.NO_ANSWER for reason in reasons], bool)
    return _where(with_form & answered, scores)


def _inks(inks: Sequence[Ink | None]) -> pa.Array:
    """Return the facts about the pictures as structs; null where no picture was found."""
    none = Ink("none")
    some = [ink or none for ink in inks]
    columns = {
        "polarity": [ink.polarity for ink in some],
        "contrast": [ink.contrast for ink in some],
        "share": [ink.share for ink in some],
        "left": [ink.box[0] for ink in some],
        "top": [ink.box[1] for ink in some],
        "width": [ink.box[2] for ink in some],
        "height": [ink.box[3] for ink in some],
        "stroke_width": [ink.stroke_width for ink in some],
        "groups": [ink.groups for ink in some],
        "rivals": [ink.other_digits for ink in some],
        "touches_edge": [ink.touches_edge for ink in some],
        "removed": [ink.removed for ink in some],
    }
    arrays = [pa.array(columns[field.name], field.type) for field in INK_TYPE]
    missing = pa.array([ink is None for ink in inks], pa.bool_())
    return pa.StructArray.from_arrays(arrays, fields=list(INK_TYPE), mask=missing)
