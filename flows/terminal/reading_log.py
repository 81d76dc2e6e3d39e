"""The lines that a person reads about a reading."""

from pathlib import Path

from tasks.metrics.promise import Promise
from tasks.progress import ProgressLog
from tasks.reporting.document import plural
from tasks.reporting.reading_report import held_commands
from tasks.results.pending import Pending, ReprocessPolicy
from tasks.results.summary import Summary
from tasks.runs import REPORT_FILE

LEAST_SHOWN = 0.005  # seconds of a stage


def log_promise(promise: Promise, log: ProgressLog) -> None:
    """Say what is promised, and what of each kind of picture is expected to be read."""
    log.log("Promise", promise.sentence())
    if len(promise.confidences) > 1:
        log.log("", f"expects to read: {promise.expectation()}")


def log_strictness(asked: float, possible: float, log: ProgressLog) -> None:
    """Say that less is read since people found more errors than are accepted.

    Args:
        asked: by how much the bounds of the model were to be raised.
        possible: by how much they were: beyond that it would read nothing.
        log: is told.
    """
    if asked > 1:
        most = "" if possible == asked else f", of {asked:g} that people's answers ask for"
        log.log("", f"{possible:g} times as strict as its calibration asks for{most} (--tighten)")


def log_pending(pending: Pending, choice: ReprocessPolicy, log: ProgressLog) -> None:
    """Say what is not read again, and why."""
    if pending.resumed:
        runs = ", ".join(choice.resumed)
        log.log("Resumed", f"{plural(pending.resumed, 'file')} stay as read by {runs}")
    if pending.held:
        log.log("Held", f"{plural(pending.held, 'file')} of batches that are held, or were dropped")
    if earlier := pending.unchanged - pending.resumed - pending.held:
        files = plural(earlier, "file")
        if choice.retries:
            log.log("Left alone", f"{files} without a picture that is asked for again")
        else:
            log.log("Up to date", f"{files} as read before (--again reads all of them again)")


def log_reading(summary: Summary, run: Path, log: ProgressLog) -> None:
    """Say what came out, in counts that add up."""
    reasons = ", ".join(
        f"{count:,} {reason}" for reason, count in summary.reasons.items() if reason != "ok"
    )
    log.log("Found", f"{summary.found:,} pictures in {plural(summary.files, 'file')}")
    if summary.decided_anew:
        files = plural(summary.decided_anew, "file")
        log.log("", f"{files} of these as read before, decided anew by the error accepted now")
    if summary.others:
        log.log("", f"{plural(summary.others, 'file')} were read by another run meanwhile")
    log.log(
        "Outcome",
        f"{summary.read:,} read + {summary.review:,} for review + {summary.rejected:,} rejected"
        f" = {summary.found:,}" + (f" ({reasons})" if reasons else ""),
    )
    if summary.held:
        log.log("Held", "its rows are no results until it is released, for it is odd:")
        for each in summary.held:
            log.log("", f"{each.reason}: {each.sentence}")
        for command in held_commands(summary.run_id):
            log.log("", command)
    log.log("Speed", f"{summary.pictures_per_second:,.0f} pictures/s ({summary.provider})")
    longest = sorted(summary.stages.items(), key=lambda stage: -stage[1])
    spent = " + ".join(f"{name} {took:.2f}" for name, took in longest if took >= LEAST_SHOWN)
    log.log("Time", f"{summary.seconds:.2f} s = {spent}")
    log.log("Results", f"{summary.results} (run {summary.run_id})")
    if summary.out:
        log.log("Output", summary.out)
    log.log("Report", str(run / REPORT_FILE))
