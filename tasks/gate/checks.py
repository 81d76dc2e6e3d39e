"""Evidence into a verdict: every check says what was required and what was measured.

It fails closed. What is missing, is not a number, has too few pictures, or makes a check itself
fail is a refusal with its reason.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

import numpy as np

from tasks.contracts.verdict import (
    ACCURACY_ON,
    BY_DEVICE,
    RECALL_OF,
    RECALL_ON,
    REFUSAL_OF,
    Check,
    Verdict,
)
from tasks.gate.evidence import Answers, ChampionAnswers, Evidence, Outdated, SliceAnswers
from tasks.gate.requirements import (
    Baseline,
    Limits,
    at_least,
    at_most,
    failed,
    holds,
    verdict_of,
    within,
)
from tasks.gate.slices import NOTHING, TEST, Slice
from tasks.inference.evaluate_files import NO_ANSWER
from tasks.metrics.calibration import confidence_gap
from tasks.metrics.classification import DIGITS, Share
from tasks.metrics.paired_test import LUCK, Paired, each_once, paired
from tasks.not_measured import NotMeasured
from tasks.settings.training import GateSettings

T = TypeVar("T")

MAX_DIFFERENCE = 1e-4  # of a probability between Keras and ONNX Runtime
INPUT_BYTES = 28 * 28  # of one picture: uint8, never float32
BATCH_SIZES = (1, 7, 1000)
MIB = 2**20
ERRORS_ON = "errors among what is read on "
NOTHING_SERVES = "nothing serves yet"
TOLD = "told"
CHOSEN = (
    "share answered right of pictures that came to people as a model was unsure or wrong: hard ones"
)


class Missing(Exception):
    """A measurement that a check needs is not there; the message is the reason."""


def judge(evidence: Evidence, settings: GateSettings) -> Verdict:
    """Return the verdict on a candidate."""
    checks: list[Check] = []
    for title, check in CHECKS.items():
        try:
            checks += check(evidence, settings)
        except Missing as missing:
            checks.append(failed(title, str(missing)))
        except Exception as error:  # a check that breaks has shown nothing
            checks.append(failed(title, f"the check broke: {type(error).__name__}: {error}"))
    return verdict_of(checks, _baseline(evidence), evidence.acceptance, evidence.candidate.sha256)


def _baseline(evidence: Evidence) -> Baseline | None:
    """Return the version that a candidate was judged against."""
    if isinstance(evidence.serving, ChampionAnswers):
        return Baseline(evidence.serving.model.name, compared=True)
    if isinstance(evidence.serving, Outdated):
        return Baseline(evidence.serving.name, compared=False)
    return None


def _known(measured: T | NotMeasured | None) -> T:
    """Return a measurement, or raise the reason why there is none."""
    if measured is None:
        raise Missing("it was not measured")
    if isinstance(measured, NotMeasured):
        raise Missing(measured.reason)
    return measured


def _data(evidence: Evidence, settings: GateSettings) -> Iterator[Check]:
    facts = _known(evidence.data)
    yield holds(
        "test part of its own",
        "other data than the training part",
        "the same data" if facts.train_digest == facts.test_digest else facts.test_digest[:12],
        facts.train_digest != facts.test_digest and facts.tested > 0,
        "SHA-256 of the pictures and labels of both parts",
    )
    yield within(
        "leaked test pictures",
        facts.leaked,
        Limits(highest=0, form=".0f"),
        count=facts.tested,
        explanation="test pictures that are in another part of the data too",
    )


def _slices(evidence: Evidence, settings: GateSettings) -> Iterator[Check]:
    if not evidence.answers:
        raise Missing("no device answered")
    for device, answers in evidence.answers.items():
        where = "" if len(evidence.answers) == 1 else f"{BY_DEVICE}{device}"
        for slice_ in evidence.slices:
            if slice_.told:
                yield _told(slice_, answers, where)
                continue
            try:
                yield from _slice(slice_, _answered(answers, slice_.name), where)
            except Missing as missing:
                yield failed(f"{ACCURACY_ON}{slice_.name}{where}", str(missing))


def _told(slice_: Slice, answers: Answers | NotMeasured, where: str) -> Check:
    """Show how a slice is answered by which nothing is decided."""
    name = f"{ACCURACY_ON}{slice_.name}{where}"
    try:
        right = _answered(answers, slice_.name).right
    except Missing as missing:
        return holds(name, TOLD, f"unknown ({missing})", True, CHOSEN)
    share = Share(int(right.sum()), len(right))
    check = at_least(name, share, 0.0, CHOSEN)
    return check.model_copy(update={"requirement": TOLD, "passed": True, "finding": ""})


def _slice(slice_: Slice, answers: SliceAnswers, where: str) -> Iterator[Check]:
    count = len(answers.labels)
    if count < slice_.fewest:
        raise Missing(
            f"{count:,} pictures, at least {slice_.fewest:,} are needed: "
            f"{slice_.fewest - count:,} are missing"
        )
    if slice_.name == NOTHING:
        refused = Share(int((~answers.read).sum()), count)
        text = "share of pictures without a digit that is not read"
        yield at_least(f"{REFUSAL_OF}{slice_.name}{where}", refused, slice_.floor, text)
        return
    yield at_least(
        f"{ACCURACY_ON}{slice_.name}{where}",
        Share(int(answers.right.sum()), count),
        slice_.floor,
        "share answered right, read or in review",
    )
    if slice_.recall_floor:
        yield _recall(slice_, answers, where)
    if slice_.coverage_floor:
        read_right = Share(int((answers.read & answers.right).sum()), count)
        text = "share read, and read right"
        yield at_least(f"coverage of {slice_.name}{where}", read_right, slice_.coverage_floor, text)
    if slice_.max_error is not None:
        read = int(answers.read.sum())
        wrong = Share(int((answers.read & ~answers.right).sum()), read)
        yield at_most(f"{ERRORS_ON}{slice_.name}{where}", wrong, slice_.max_error)


def _recall(slice_: Slice, answers: SliceAnswers, where: str) -> Check:
    shares = [
        Share(int((answers.right & (answers.labels == k)).sum()), int((answers.labels == k).sum()))
        for k in range(DIGITS)
    ]
    if absent := [str(digit) for digit, share in enumerate(shares) if not share.count]:
        return failed(f"{RECALL_ON}{slice_.name}{where}", f"no picture of {', '.join(absent)}")
    worst = min(range(DIGITS), key=lambda digit: shares[digit].low)
    text = "share found of the digit that is found least often"
    name = f"{RECALL_OF}{worst} on {slice_.name}{where}"
    return at_least(name, shares[worst], slice_.recall_floor, text)


def _confidence(evidence: Evidence, settings: GateSettings) -> Iterator[Check]:
    answers = _first_device(evidence)
    test = _answered(answers, TEST)
    answered = test.digits != NO_ANSWER
    yield within(
        "calibration error",
        confidence_gap(test.confidences[answered], test.right[answered]),
        Limits(highest=settings.max_calibration_error),
        count=int(answered.sum()),
        explanation="mean gap between confidence and the share of the test part that is right",
    )
    yield at_least(
        "coverage of test part",
        Share(int((test.read & test.right).sum()), len(test.labels)),
        settings.min_coverage,
        f"share read, and read right, where at most {settings.max_error:.2%} errors are accepted",
    )
    with_digits = [
        _answered(answers, slice_.name)
        for slice_ in evidence.slices
        if slice_.name != NOTHING and not slice_.told
    ]
    read = sum(int(some.read.sum()) for some in with_digits)
    wrong = Share(sum(int((some.read & ~some.right).sum()) for some in with_digits), read)
    yield within(
        "errors among what is read",
        wrong.right / read if read else math.nan,
        Limits(highest=settings.max_error),
        count=read,
        explanation=f"{wrong.right:,} wrong of {read:,} read in all slices; upper bound "
        f"{wrong.high:.4f}",
    )


def _runtime(evidence: Evidence, settings: GateSettings) -> Iterator[Check]:
    parity = _known(evidence.parity)
    sizes = " and ".join(f"{size:,}" for size in parity.batch_sizes)
    answer = "same" if parity.same_digits else "different"
    yield holds(
        "parity of digits",
        "all the same",
        f"{answer} on {parity.count:,} pictures in batches of {sizes}",
        parity.count > 0 and parity.same_digits,
        "Keras and ONNX Runtime answer the same digits",
    )
    yield within(
        "parity of probabilities",
        parity.max_difference,
        Limits(highest=MAX_DIFFERENCE, form=".1e"),
        count=parity.count,
        explanation="largest difference between Keras and ONNX Runtime",
    )


def _batches(evidence: Evidence, settings: GateSettings) -> Iterator[Check]:
    batches = _known(evidence.batches)
    differ = [f"{size:,}" for size, same in batches.same.items() if not same]
    sizes = ", ".join(f"{size:,}" for size in batches.same)
    yield holds(
        "same digits in batches",
        f"of {', '.join(f'{size:,}' for size in BATCH_SIZES)}",
        f"others in batches of {', '.join(differ)}" if differ else f"the same in {sizes}",
        batches.count > 0 and not differ and set(batches.same) >= set(BATCH_SIZES),
        f"{batches.count:,} pictures answered in batches of these sizes",
    )


def _resources(evidence: Evidence, settings: GateSettings) -> Iterator[Check]:
    need = _known(evidence.resources)
    yield within(
        "file size, MiB",
        need.file_bytes / MIB,
        Limits(highest=settings.max_file_mib, form=".2f"),
        explanation="size of the ONNX file",
    )
    yield within(
        "input bytes",
        need.input_bytes,
        Limits(highest=INPUT_BYTES, form=".0f"),
        explanation="bytes of one picture as the file takes it",
    )
    yield within(
        "memory, MiB",
        need.memory_mib,
        Limits(highest=settings.max_memory_mib, form=".0f"),
        explanation="memory that a process takes to load the file and answer",
    )
    yield within(
        "pictures per second",
        need.pictures_per_second,
        Limits(lowest=settings.min_speed, form=".0f"),
        explanation="the network alone, per second of processor time on one thread",
    )


def _serving(evidence: Evidence, settings: GateSettings) -> Iterator[Check]:
    if evidence.serving is None or isinstance(evidence.serving, Outdated):
        outdated = evidence.serving
        measured = f"nothing to compare with: {outdated.reason}" if outdated else NOTHING_SERVES
        passed = settings.require == "non-inferiority"
        yield holds("against what serves", settings.require, measured, passed, "paired comparison")
        return
    champion = _known(evidence.serving)
    itself = champion.model.sha256 == evidence.candidate.sha256
    yield holds(
        "another model than what serves",
        "another file",
        f"it is {champion.model.name} itself" if itself else f"compared with {champion.model.name}",
        not itself,
        "a model compared with itself is never worse",
    )
    candidate, pairs = _first_device(evidence), dict[str, Paired]()
    yield _agreement(candidate, champion, settings)
    digits = [slice_ for slice_ in evidence.slices if slice_.name != NOTHING and not slice_.told]
    for slice_ in evidence.slices:
        if slice_.told:
            yield _told_beside(slice_, candidate, champion)
    for slice_ in digits:
        name = f"drop on {slice_.name}"
        try:
            ours, theirs = (
                _answered(candidate, slice_.name),
                _answered(champion.answers, slice_.name),
            )
            pairs[slice_.name] = paired(ours.right, theirs.right)
            most = settings.max_drop if slice_.name == TEST else settings.max_slice_drop
            yield _not_worse(name, pairs[slice_.name], most)
        except Missing as missing:
            yield failed(name, f"{champion.model.name}: {missing}")
    if len(pairs) == len(digits):
        yield from _overall(evidence, candidate, champion, settings)


def _told_beside(slice_: Slice, candidate: Answers, champion: ChampionAnswers) -> Check:
    """Show how a slice is answered beside what serves, by which nothing is decided."""
    name = f"change on {slice_.name}"
    try:
        ours, theirs = (
            _answered(answers, slice_.name).right for answers in (candidate, champion.answers)
        )
    except Missing as missing:
        return holds(name, TOLD, f"unknown ({missing})", True, CHOSEN)
    measured = f"{ours.mean():.4f}, {champion.model.name} {theirs.mean():.4f}"
    return holds(name, TOLD, measured, True, f"{_words(paired(ours, theirs))}; {CHOSEN}")


def _agreement(candidate: Answers, champion: ChampionAnswers, settings: GateSettings) -> Check:
    """Sound the alarm where a candidate contradicts what serves on most of the test part.

    By the data's own labels it may be right all the same: they are what may be wrong.
    """
    ours, theirs = _answered(candidate, TEST), _answered(champion.answers, TEST)
    share, name = (
        float((ours.digits != theirs.digits).mean()),
        "answers that contradict what serves",
    )
    check = within(
        name,
        share,
        Limits(highest=settings.max_disagreement),
        count=len(ours.digits),
        explanation=f"share of the test part that {champion.model.name} answers otherwise",
    )
    if check.passed:
        return check
    alarm = (
        f"{champion.model.name} answers {share:.1%} of the test part otherwise, at most "
        f"{settings.max_disagreement:.0%} are taken: do its pictures lie on their side, are labels "
        "mixed up, or are they digits that it cannot know? If that is meant: --max-disagreement 1"
    )
    return check.model_copy(update={"finding": f"{name}: {alarm}"})


def _overall(
    evidence: Evidence,
    candidate: Answers,
    champion: ChampionAnswers,
    settings: GateSettings,
) -> Iterator[Check]:
    """Compare over all drawn slices, each test digit once; without any, on the test part."""
    names = [
        slice_.name
        for slice_ in evidence.slices
        if slice_.name not in (TEST, NOTHING) and not slice_.told
    ]
    drawn = [name for name in names if (_answered(candidate, name).sources >= 0).any()] or [TEST]
    once = each_once(_answered(candidate, name).sources for name in drawn)
    ours, theirs = (
        np.concatenate([_answered(a, n).right[o] for n, o in zip(drawn, once, strict=True)])
        for a in (candidate, champion.answers)
    )
    whole = paired(ours, theirs)
    yield _not_worse("drop over all slices", whole, settings.max_overall_drop)
    if settings.require == "improvement":
        yield within(
            "improvement by chance",
            whole.chance,
            Limits(highest=LUCK, form=".2g"),
            count=whole.count,
            explanation=f"{_words(whole)}: how likely an equal model is to look so much better",
        )


def _not_worse(name: str, pairs: Paired, most: float) -> Check:
    return within(
        name,
        0.0 - pairs.lower_bound,  # not -0
        Limits(highest=most),
        count=pairs.count,
        explanation=f"most that may be lost (95 % sure); {_words(pairs)}",
    )


def _words(pairs: Paired) -> str:
    return (
        f"{pairs.only_candidate:,} pictures only the candidate answers right, "
        f"{pairs.only_champion:,} only what serves"
    )


def _prediction_changes(evidence: Evidence, settings: GateSettings) -> Iterator[Check]:
    name, text = "changed answers on real pictures", "share of the most recent real pictures"
    most = settings.max_flips
    if evidence.prediction_changes is None:
        yield holds(name, "told", "no earlier batches to read again", True, text)
        return
    if isinstance(evidence.prediction_changes, NotMeasured) and most is None:
        yield holds(name, "told", f"unknown ({evidence.prediction_changes.reason})", True, text)
        return
    changes = _known(evidence.prediction_changes)
    if most is not None and not changes.pages:
        raise Missing("the files of the last batches are gone")
    share = len(changes.changes) / changes.pages if changes.pages else 0.0
    if most is None:
        measured = f"{len(changes.changes):,} of {changes.pages:,}"
        yield holds(name, "told", measured, True, f"{text}; --max-flips would limit it")
    else:
        yield within(name, share, Limits(highest=most), count=changes.pages, explanation=text)


def _answered(answers: Answers | NotMeasured, name: str) -> SliceAnswers:
    known = _known(answers)
    if name not in known:
        raise Missing("the slice was not measured")
    return _known(known[name])


def _first_device(evidence: Evidence) -> Answers:
    return _known(next(iter(evidence.answers.values()), None))


CHECKS: Mapping[str, Callable[[Evidence, GateSettings], Iterator[Check]]] = {
    "data": _data,
    "accuracy": _slices,
    "confidence": _confidence,
    "parity": _runtime,
    "same digits in batches": _batches,
    "resources": _resources,
    "against what serves": _serving,
    "changed answers on real pictures": _prediction_changes,
}
