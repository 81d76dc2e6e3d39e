"""The report of one reading run, from its counts and some of its pictures."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tasks.monitoring.audit_findings import AuditFinding
from tasks.outcomes import MEANINGS, Status
from tasks.reporting.audit_words import audit_section
from tasks.reporting.document import (
    MISSING,
    Cell,
    Report,
    Section,
    Table,
    facts,
    number,
    percent,
    plural,
)
from tasks.reporting.svg import Tile, Tone, bars, digit_grid, digit_strips
from tasks.results.summary import Summary, SummaryKind

OUTCOMES: dict[Status, tuple[str, Tone]] = {
    Status.READ: ("read", "good"),
    Status.REVIEW: ("for review", "warn"),
    Status.REJECTED: ("rejected", "bad"),
}

REJECTED_SIDE = 96  # units of a rejected picture
LONGEST_NAME = 12  # characters below one

STAGES = {
    "list": "listing the files, and finding those to read",
    "start": "loading the model",
    "read": "reading files",
    "decode": "decoding pictures",
    "canonical": "bringing them to canonical form",
    "network": "the network",
    "rows": "making rows",
    "commit": "committing rows",
    "decide": "deciding anew what was read under another accepted error",
    "wait": "waiting of one process for another",
    "compact": "writing many small files of the table anew as few",
    "check": "counting the rows",
    "other": "everything else",
}


@dataclass(frozen=True)
class Sample:
    """One picture of a run in its canonical form (uint8 (28, 28)) and what became of it."""

    path: str
    picture: NDArray[np.uint8]
    digit: int | None
    confidence: float | None
    status: str
    reason: str
    page: int = 0


@dataclass(frozen=True)
class RejectedPage:
    """A picture that was rejected; the first of a file may be shown as it is (uint8 (h, w, 3))."""

    path: str
    page: int
    reason: str
    detail: str
    picture: NDArray[np.uint8] | None = None


@dataclass(frozen=True)
class Unshown:
    """A picture of a run that could not be decoded again for its report."""

    path: str
    page: int
    why: str


def reading_report(
    summary: Summary,
    samples: Sequence[Sample],
    unshown: Sequence[Unshown] = (),
    rejected: Sequence[RejectedPage] = (),
    audits: Sequence[AuditFinding] = (),
) -> Report:
    """Return what became of the pictures of one run.

    Args:
        summary: of the run.
        samples: pictures to show; each section shows the least sure first.
        unshown: pictures that were to be shown.
        rejected: some of those that were rejected.
        audits: what people's answers show of its sources so far.
    """
    unaccounted = summary.found - sum(summary.count_of(status) for status in Status)
    tone: Tone = "good" if summary.read == summary.found and not summary.held else "warn"
    sections = [
        *([_held(summary)] if summary.held else []),
        _outcome(summary, unaccounted),
        *([_kinds(summary.kinds)] if summary.kinds else []),
        _reasons(summary.reasons),
        _digits(summary.digits),
        _review(summary, _of(samples, Status.REVIEW)),
        *_rejected(summary, rejected),
        _read(summary, _of(samples, Status.READ)),
        *([unshown_section(unshown)] if unshown else []),
        *([audit_section(audits)] if audits else []),
        _time(summary.stages),
        _provenance(summary),
    ]
    return Report(
        title=f"Reading of {summary.root}",
        lead=_lead(summary, unaccounted),
        sections=sections,
        tone="bad" if unaccounted else tone,
        note=f"Run {summary.run_id}, started {summary.started_at}.",
    )


def held_commands(run_id: str) -> list[str]:
    """Return what a person may do about a batch that is held."""
    return [f'digitflow held {verb} {run_id} --reason "..."' for verb in ("release", "drop")]


def _held(summary: Summary) -> Section:
    rows = [(each.reason, each.sentence) for each in summary.held]
    release, drop = held_commands(summary.run_id)
    return Section(
        "Held",
        "This batch is unlike those before it. None of its rows is among the results. Look at "
        f"its pictures below; {release} lets it count, {drop} never.",
        Table(("Reason", "What is odd"), rows),
    )


def unshown_section(unshown: Sequence[Unshown]) -> Section:
    """Return which pictures a report does not show, and why."""
    rows = [(each.path, str(each.page), each.why) for each in unshown]
    words = f"{plural(len(rows))} could not be decoded again for this report."
    return Section("Not shown", words, Table(("File", "Page", "Why"), rows))


def _lead(summary: Summary, unaccounted: int) -> str:
    counts = ", ".join(
        f"{summary.count_of(status):,} {words}" for status, (words, _) in OUTCOMES.items()
    )
    files = summary.files or summary.found
    inside = f" in {plural(files, 'file')}" if files != summary.found else ""
    lead = f"Found {plural(summary.found)}{inside}: {counts}."
    if summary.held:
        lead = f"Held, and among no results until it is released. {lead}"
    if anew := summary.decided_anew:
        lead += f" {plural(anew, 'file')} of them were read before, under another accepted error."
    if before := summary.unchanged:
        lead += f" {plural(before, 'more file')} had not changed since an earlier reading."
    if others := summary.others:
        lead += f" {plural(others, 'more file')} were read by another run meanwhile."
    if champion := summary.instead_of:
        lead += f" {summary.model_version} read in place of the champion: {champion.why}."
    if summary.strictness > 1:
        lead += (
            f" It was read {summary.strictness:g} times as strictly as the calibration asks for, "
            "since people found more errors on this source than are accepted."
        )
    if unaccounted:
        lead += f" The counts do not add up: {unaccounted:+,}, which is a defect of digitflow."
    if known := summary.accuracy:
        share = percent(known.right / known.labelled if known.labelled else None)
        lead += f" Of {known.labelled:,} whose digit is known, {known.right:,} ({share}) right."
    return lead


def _outcome(summary: Summary, unaccounted: int) -> Section:
    found = summary.found
    counts = {words: (summary.count_of(status), tone) for status, (words, tone) in OUTCOMES.items()}
    if unaccounted:
        counts["unaccounted for"] = (unaccounted, "bad")
    rows: list[Sequence[str | Cell]] = [
        (
            Cell(words, tone if count else ""),
            f"{count:,}",
            percent(count / found if found else None),
        )
        for words, (count, tone) in counts.items()
    ]
    rows.append(("found", f"{found:,}", percent(1 if found else None)))
    return Section(
        "Outcome",
        f"{number(summary.seconds, 1)} s, {number(summary.pictures_per_second, 0)} pictures "
        f"a second. {'' if unaccounted else 'Every picture found has exactly one outcome.'} "
        f"{summary.promise or summary.threshold.threshold().sentence()}.",
        Table(("Outcome", "Pictures", "Share"), rows, total=True),
    )


def _kinds(kinds: Sequence[SummaryKind]) -> Section:
    rows: list[Sequence[str]] = []
    for each in kinds:
        promised = each.threshold.threshold() if each.threshold else None
        rows.append(
            (
                each.kind,
                f"{promised.confidence:g}" if promised else "strictest" if each.read else "none",
                percent(promised.bound if promised else None),
                percent(promised.coverage if promised else 0, 0),
                f"{each.found:,}",
                f"{each.read:,}",
                percent(each.read / each.found if each.found else None, 0),
            )
        )
    return Section(
        "Kinds of pictures",
        "Each kind is read from a confidence of its own, so that no kind has more errors than are "
        "accepted. Threshold, bound and expectation are those of calibration digits of that kind.",
        Table(
            ("Kind", "Threshold", "Error at most", "Expected", "Pictures", "Read", "Share"), rows
        ),
    )


def _reasons(counts: Mapping[str, int]) -> Section:
    meanings = {reason.value: meaning for reason, meaning in MEANINGS.items()}
    rows = [
        (code, f"{count:,}", meanings.get(code, MISSING))
        for code, count in sorted(counts.items(), key=lambda item: -item[1])
    ]
    rows.append(("all", f"{sum(counts.values()):,}", ""))
    return Section(
        "Reasons",
        "Why each picture has its outcome.",
        Table(("Reason", "Pictures", "Meaning"), rows, total=True),
    )


def _digits(counts: Sequence[int]) -> Section:
    return Section(
        "Digits",
        f"How often each digit was the answer: {sum(counts):,} in all, those for review included.",
        figures=[bars("Answers by digit", counts)],
    )


def _of(samples: Sequence[Sample], status: Status) -> list[Sample]:
    """Return the samples of a status, the least sure first, the pages of a file together."""
    chosen = sorted(
        (sample for sample in samples if sample.status == status),
        key=lambda sample: _sureness(sample.confidence),
    )
    files = {path: place for place, path in enumerate(dict.fromkeys(each.path for each in chosen))}
    return sorted(chosen, key=lambda sample: files[sample.path])


def _named(sample: Sample) -> str:
    return f"{sample.path}, page {sample.page}" if sample.page else sample.path


def _sureness(confidence: float | None) -> float:
    return -1.0 if confidence is None or math.isnan(confidence) else confidence


def _tiles(samples: Sequence[Sample], tone: Tone = "") -> list[Tile]:
    return [
        Tile(
            sample.picture,
            MISSING if sample.digit is None else str(sample.digit),
            note=percent(sample.confidence, 1),
            tone=tone,
            hint=_named(sample),
        )
        for sample in samples
    ]


def _review(summary: Summary, samples: Sequence[Sample]) -> Section:
    if not summary.review:
        return Section("For review", "No picture waits for a person.")
    rows = [
        (
            _named(sample),
            MISSING if sample.digit is None else str(sample.digit),
            percent(sample.confidence, 1),
            sample.reason,
        )
        for sample in samples
    ]
    return Section(
        "For review",
        f"{plural(summary.review)} for a person to look at"
        f"{_shown(len(samples), summary.review)}, the least sure first: the likeliest digit "
        "and how sure the model is.",
        Table(("File", "Digit", "Sure", "Reason"), rows) if rows else None,
        digit_strips("For review", _tiles(samples, "warn")),
    )


def _shown(shown: int, of: int) -> str:
    return "" if shown >= of else f", {shown:,} of them shown"


def _rejected(summary: Summary, pages: Sequence[RejectedPage]) -> list[Section]:
    """Return a section for each reason, the most frequent first."""
    if not summary.rejected:
        return [Section("Rejected", "Every picture could be read.")]
    by_reason: dict[str, list[RejectedPage]] = {}
    for page in pages:
        by_reason.setdefault(page.reason, []).append(page)
    if not by_reason:  # read before, and decided anew
        return [Section("Rejected", f"{plural(summary.rejected)} could not be read.")]
    codes = sorted(by_reason, key=lambda code: -summary.reasons.get(code, 0))
    return [_rejected_for(code, by_reason[code], summary) for code in codes]


def _rejected_for(code: str, pages: Sequence[RejectedPage], summary: Summary) -> Section:
    by_file: dict[str, list[RejectedPage]] = {}
    for page in pages:
        by_file.setdefault(page.path, []).append(page)
    several = any(page.page for page in pages)
    rows, tiles = [], []
    for path, some in by_file.items():
        details = "; ".join(dict.fromkeys(page.detail for page in some if page.detail))
        listed = [_ranges([page.page for page in some])] if several else []
        rows.append((path, *listed, details))
        alone = f"page {some[0].page}" if some[0].page else ""
        note = alone if len(some) == 1 else plural(len(some), "page")
        tiles += [
            Tile(255 - page.picture, _end(path), note=note, tone="bad", hint=path)
            for page in some
            if page.picture is not None
        ]
    meanings = {reason.value: meaning for reason, meaning in MEANINGS.items()}
    count = summary.reasons.get(code, len(pages))
    return Section(
        f"Rejected: {code}",
        f"{plural(count)}: {meanings.get(code, MISSING)}{_shown(len(pages), count)}.",
        Table(("File", *(["Pages (from 0)"] if several else []), "Detail"), rows),
        [digit_grid(f"Rejected: {code}", tiles, size=REJECTED_SIDE)] if tiles else [],
    )


def _ranges(numbers: Sequence[int]) -> str:
    """Return numbers in order as `0, 3 to 7`."""
    runs: list[list[int]] = []
    for each in numbers:
        if runs and each == runs[-1][-1] + 1:
            runs[-1].append(each)
        else:
            runs.append([each])
    return ", ".join(f"{run[0]} to {run[-1]}" if len(run) > 1 else f"{run[0]}" for run in runs)


def _end(path: str) -> str:
    return path if len(path) <= LONGEST_NAME else "…" + path[1 - LONGEST_NAME :]


def _read(summary: Summary, samples: Sequence[Sample]) -> Section:
    if not summary.read:
        return Section("Read", "No picture was read.")
    words = f"{_shown(len(samples), summary.read)}, the least sure first" if samples else ""
    return Section(
        "Read",
        f"{plural(summary.read)} read{words}.",
        figures=digit_strips("Read", _tiles(samples)),
    )


def _time(stages: Mapping[str, float]) -> Section:
    total = sum(stages.values())
    longest = sorted(stages.items(), key=lambda stage: -stage[1])
    rows = [
        (STAGES[name], f"{number(seconds, 2)} s", percent(seconds / total))
        for name, seconds in longest
    ]
    rows.append(("the whole run", f"{number(total, 2)} s", percent(1)))
    return Section(
        "Time",
        f"Most of it went into {STAGES[longest[0][0]]}.",
        Table(("Stage", "Time", "Share"), rows, total=True),
    )


def _provenance(summary: Summary) -> Section:
    rows = {
        "Folder": summary.root,
        "Results table": summary.results,
        "Also written to": summary.out or "no other file",
        "Model": summary.model_version,
        **({"In place of": summary.instead_of.version} if summary.instead_of else {}),
        "Canonical form": summary.canonical_version,
        "Ran on": f"{summary.provider}: {summary.device}",
        "Run": summary.run_id,
        "Started": summary.started_at,
    }
    return Section("Provenance", "Where the rows are, and what read them.", facts(rows))
