"""The report of one training run, from its model card and a few pictures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.contracts.training import Answer, Epoch
from tasks.contracts.verdict import Check, Verdict
from tasks.registry.card import Card
from tasks.registry.card_parts import (
    CardAdded,
    CardCalibration,
    CardDataset,
    CardMetrics,
    CardParity,
)
from tasks.reporting.document import Cell, Report, Section, Table, facts, number, percent, plural
from tasks.reporting.svg import (
    Tile,
    confusion_matrix,
    digit_grid,
    digit_strips,
    network_diagram,
    training_curves,
)

DUPLICATES = {
    "train_test": "test pictures that are in another part too",
    "conflicting_labels": "pictures that occur with different labels",
}


@dataclass(frozen=True)
class TrainingPictures:
    """The pictures of a training report: uint8, 28x28, ink bright on 0."""

    first: NDArray[np.uint8]  # (10, 28, 28): the first of the data, in its own order
    sample: NDArray[np.uint8]  # (28, 28): the card's `sample`
    mistakes: NDArray[np.uint8]  # (M, 28, 28): the first M of the card's `metrics.mistakes`


def training_report(
    card: Card, pictures: TrainingPictures, changes: Report | None = None
) -> Report:
    """Return what a training run found.

    Args:
        card: of the version that it made.
        pictures: some of the data.
        changes: whose answer would change among the pictures that were read last.
    """
    return Report(
        title=f"Training of {card.version}",
        lead=_lead(card),
        tone="good" if card.verdict.accepted else "bad",
        sections=[
            _gate(card.verdict),
            _first_labels(card, pictures),
            _data(card.dataset),
            Section(
                "Network",
                "From the picture to ten probabilities. Filled blocks have parameters to learn.",
                figures=[network_diagram(card.layers)],
            ),
            _training(card.history),
            _calibration(card.calibration),
            _evaluation(card),
            _sample(card.sample, pictures),
            _mistakes(card.metrics, pictures),
            _parity(card.parity),
            _checks(card.verdict),
            *_changes(changes),
            _provenance(card),
        ],
        note=f"Written {card.created_at} from the card of {card.version}.",
    )


def _lead(card: Card) -> str:
    metrics = card.metrics
    if not card.verdict.accepted or not metrics:
        return f"{card.verdict.sentence}."
    return (
        f"Accepted: {percent(metrics.accuracy)} of {metrics.count:,} test digits right "
        f"({_interval(metrics)})."
    )


def _interval(metrics: CardMetrics) -> str:
    low, high = percent(metrics.accuracy_low), percent(metrics.accuracy_high)
    return f"95 % interval {low.removesuffix(' %')} to {high}"


def _first_labels(card: Card, pictures: TrainingPictures) -> Section:
    known = card.dataset.first_labels if card.dataset else None
    labels = [str(label) for label in known or []]
    tiles = [Tile(picture, label) for picture, label in zip(pictures.first, labels, strict=False)]
    return Section(
        "First labels",
        f"The first pictures of the data are labelled {' '.join(labels)}. "
        "If a picture does not show its digit, the data was not read right.",
        figures=digit_strips("First pictures with their labels", tiles),
    )


def _sample(sample: Answer | None, pictures: TrainingPictures) -> Section:
    if not sample:
        return Section("One picture", "Nothing was measured.")
    says = f"Model says: {sample.digit}"
    right = sample.digit == sample.label
    tile = Tile(pictures.sample, says, tone="good" if right else "bad")
    return Section(
        "One picture",
        f"Test picture {sample.index:,}, labelled {sample.label}. {says}, "
        f"{percent(sample.confidence)} sure.",
        figures=[digit_grid(says, [tile], size=112)],
    )


def _added(added: CardAdded) -> str:
    """Return what of people's corrections is in the training part."""
    left_out = ", ".join(f"{count:,} that {why}" for why, count in added.left_out.items())
    return (
        f"Of these, {added.pictures:,} {added.what} are in the training part, "
        f"{added.times} times each{f'; left out: {left_out}' if left_out else ''}."
    )


def _data(dataset: CardDataset | None) -> Section:
    if not dataset or not dataset.counts:
        return Section("Data", "The card does not say what it was fitted on.")
    parts = {part: [*numbers, sum(numbers)] for part, numbers in dataset.counts.items()}
    parts["all"] = [sum(numbers) for numbers in zip(*parts.values(), strict=True)]
    rows = [
        (name, *(f"{numbers[row]:,}" for numbers in parts.values()))
        for row, name in enumerate([*map(str, range(10)), "all"])
    ]
    twice = ", ".join(
        f"{n:,} {DUPLICATES.get(kind, kind)}" for kind, n in (dataset.duplicates or {}).items()
    )
    words = [
        f"{dataset.name}, {plural(parts['all'][-1])} from {dataset.source}.",
        f"Licence: {dataset.licence or 'not stated'}.",
        *([f"Converted: {'; '.join(dataset.converted)}."] if dataset.converted else []),
        *([_added(dataset.added)] if dataset.added else []),
        f"Exact duplicates: {twice or 'not counted'}.",
        "The test part is never trained on or tuned on.",
    ]
    return Section(
        "Data",
        " ".join(words),
        Table(("Digit", *parts), rows, total=True),
    )


def _training(history: Sequence[Epoch]) -> Section:
    if not history:
        return Section("Training", "No epoch was finished.")
    rows = [
        (
            str(epoch.epoch),
            number(epoch.loss),
            percent(epoch.accuracy),
            number(epoch.val_loss),
            percent(epoch.val_accuracy),
            number(epoch.seconds, 1),
        )
        for epoch in history
    ]
    columns = ("Epoch", "Loss", "Accuracy", "Validation loss", "Validation accuracy", "Seconds")
    seconds = number(sum(epoch.seconds for epoch in history), 1)
    return Section(
        "Training",
        f"{plural(len(history), 'epoch')} in {seconds} s; validated on the calibration part.",
        Table(columns, rows),
        training_curves(history),
    )


def _evaluation(card: Card) -> Section:
    metrics = card.metrics
    if not metrics:
        return Section("Evaluation", "Nothing was measured.")
    asked = card.settings.get("min_recall")
    floor = asked if isinstance(asked, int | float) else 0
    rows = [
        (
            str(digit),
            f"{sum(counts):,}",
            Cell(percent(recall), "" if recall >= floor else "bad"),
        )
        for digit, (recall, counts) in enumerate(
            zip(metrics.recall, metrics.confusion, strict=True)
        )
    ]
    return Section(
        "Evaluation",
        f"The ONNX file reads {metrics.correct:,} of {metrics.count:,} test pictures right: "
        f"{percent(metrics.accuracy)} ({_interval(metrics)}). Loss {number(metrics.loss)}, "
        f"calibration error {number(metrics.calibration_error)}. "
        "In the matrix, what is off the diagonal is wrong.",
        Table(("Digit", "Pictures", "Recall"), rows),
        [confusion_matrix(metrics.confusion)],
    )


def _calibration(calibration: CardCalibration | None) -> Section:
    if not calibration:
        return Section("Calibration", "Nothing was measured.")
    curves = calibration.curves()
    rows = [
        (
            kind,
            f"{guarantee.confidence:g}",
            f"{guarantee.accepted:,}",
            f"{guarantee.wrong:,}",
            percent(guarantee.bound),
            percent(guarantee.coverage),
        )
        for kind, curve in curves.items()
        for guarantee in curve.guarantees()
    ]
    digits = sum(curve.digits for curve in curves.values())
    score = calibration.min_digit_score
    refused = (
        f" A digit score below {number(score, 3)} is no digit, below "
        f"{number(calibration.sure_digit_score, 3)} a person has to look: of "
        f"{calibration.no_digits:,} simulated pictures of none that rejects "
        f"{percent(calibration.no_digits_rejected, 1)}, and "
        f"{percent(calibration.no_digits_refused, 1)} are not read."
        if score
        else ""
    )
    return Section(
        "Calibration",
        f"Measured on {plural(digits)} of digits. Temperature "
        f"{number(calibration.temperature, 3)}; calibration error "
        f"{number(calibration.error_before)} before, {number(calibration.error_after)} "
        f"after.{refused} A reading takes, for each kind of picture, the lowest threshold whose "
        "error is at most the one that is accepted (--max-error).",
        Table(("Kind", "Threshold", "Accepted", "Wrong", "Error at most", "Digits read"), rows),
    )


def _mistakes(metrics: CardMetrics | None, pictures: TrainingPictures) -> Section:
    mistakes = metrics.mistakes if metrics else []
    tiles = [
        Tile(
            picture,
            f"{mistake.digit}, was {mistake.label}",
            note=percent(mistake.confidence, 1),
            tone="bad",
            hint=f"test picture {mistake.index}",
        )
        for picture, mistake in zip(pictures.mistakes, mistakes, strict=False)
    ]
    return Section(
        "Worst mistakes",
        "Wrong answers, the surest first: what the model says, what the label was, how sure it was."
        if tiles
        else "None to show.",
        figures=digit_strips("Worst mistakes", tiles),
    )


def verdict_report(verdict: Verdict, version: str) -> Report:
    """Return what the gate found about a version, the failed checks first."""
    return Report(
        title=f"Verdict on {version}",
        lead=f"{verdict.sentence}.",
        tone="good" if verdict.accepted else "bad",
        sections=[_gate(verdict), _checks(verdict)],
    )


def _gate(verdict: Verdict) -> Section:
    rows = [
        (
            Cell("passed", "good") if check.passed else Cell("failed", "bad"),
            check.name,
            check.measured,
            check.requirement,
        )
        for check in _failed_first(verdict)
    ]
    against = f" It was {verdict.comparison}." if verdict.comparison else ""
    serves = (
        "The model may serve, since every check passed."
        if verdict.accepted
        else "A check failed: the model is kept, but does not serve."
    )
    return Section(
        "Gate",
        f"{serves}{against} Shares are lower bounds (95 %).",
        Table(("Verdict", "Check", "Measured", "Required"), rows),
    )


def _checks(verdict: Verdict) -> Section:
    rows = [
        (check.name, f"{check.count:,}" if check.count is not None else "", check.explanation)
        for check in _failed_first(verdict)
    ]
    return Section(
        "What the gate checks",
        "What each check is, and on how many pictures it was measured.",
        Table(("Check", "Pictures", "What it is"), rows),
    )


def _failed_first(verdict: Verdict) -> list[Check]:
    return sorted(verdict.checks, key=lambda check: check.passed)


def _changes(changes: Report | None) -> list[Section]:
    return [Section("Changed answers", changes.lead), *changes.sections] if changes else []


def _parity(parity: CardParity | None) -> Section:
    if not parity:
        return Section("Parity", "Nothing was compared.")
    sizes = " and ".join(f"{size:,}" for size in parity.batch_sizes)
    answers = "the same digits" if parity.same_digits else "different digits"
    return Section(
        "Parity",
        f"Keras and ONNX Runtime give {answers} on {plural(parity.count)} in batches of "
        f"{sizes}; the largest difference of a probability is {parity.max_difference:.1e}.",
    )


def _provenance(card: Card) -> Section:
    device = card.device
    table = {
        "Version": card.version,
        "Written": card.created_at or "not stated",
        "Seed": card.settings.get("seed", "not stated"),
        "Device": f"{device.kind}: {device.detail or device.name}" if device else "not stated",
        "Git commit": card.git_commit or "not in a repository",
        "Data digest": card.dataset.digest if card.dataset else "not stated",
        "Settings": _listed(card.settings),
        "Recipe": _listed(card.recipe),
        "Packages": _listed(card.packages),
    }
    files = {f"SHA-256 of {name}": digest for name, digest in card.files.items()}
    return Section(
        "Provenance", "What it takes to make this model again.", facts({**table, **files})
    )


def _listed(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())
