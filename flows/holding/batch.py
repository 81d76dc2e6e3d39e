"""A batch between reading and results: it passes, or is held where it is unlike those before it."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from flows.holding.second_look import BatchReader, seed_of
from tasks.contracts.held import HeldFor
from tasks.errors import DigitflowError
from tasks.holding.batches import BY_DIGITFLOW, Action, Batch, BatchLog
from tasks.holding.held_rows import held_table, held_writer, of_runs, runs_held
from tasks.holding.release import release
from tasks.inputs.base import Roots
from tasks.monitoring.batch_checks import findings
from tasks.monitoring.batch_profile import PROFILE_COLUMNS, BatchProfile, profile_of
from tasks.monitoring.row_sample import SAMPLE_COLUMNS, RowSample
from tasks.outcomes import Status
from tasks.results.commit import WriterContext, last_number
from tasks.results.repair import require_sound
from tasks.results.table import of_run, scan
from tasks.runs import number_noted
from tasks.task import task

EARLIER = 20  # batches of the same source that one is compared with
PASSED = "nothing was odd"


@dataclass(frozen=True)
class Hold:
    """Where the rows of a run lie until its batch passes."""

    results: str
    writer: WriterContext  # of held rows
    number: int  # of the last commit of the results before the run
    number_offset: int | None  # of writers of the results
    began: int  # what runs that hold are ordered by: it grows with either table

    @property
    def log(self) -> str:
        """Return folder or URL of the table of batches."""
        return BatchLog(self.results).table


@dataclass(frozen=True)
class BatchFacts:
    """What a run knows of its batch, whose rows say the rest."""

    run_id: str
    resumed: Sequence[str]  # interrupted runs that it went on from
    roots: Roots
    model_version: str
    started_at: str
    files: int  # that have rows of this run


@dataclass(frozen=True)
class Judged:
    """What became of a batch."""

    findings: Sequence[HeldFor] = ()  # it is held for these; none: its rows are in the results
    superseded: int = 0  # files of it that another run has read meanwhile, whose reading stays


def begin(results: WriterContext) -> Hold:
    """Return where a run that begins now keeps its rows; the table is made where there is none.

    Raises:
        DigitflowError: it cannot be made, or is damaged.
    """
    held = held_table(results.table)
    for table in (held, BatchLog(results.table).table):
        require_sound(table)
    try:
        writer = held_writer(results.table, results.roots, results.run_id)
    except DigitflowError as error:
        raise DigitflowError(
            f"{error}; batches that are odd are held there: let this user write there, or turn "
            "that off (hold: false, or without --hold)"
        ) from error
    began = results.version + writer.version
    return Hold(results.table, writer, last_number(results), results.number_offset, began)


@task(name="check the batch", stage="check")
def judge_batch(hold: Hold, facts: BatchFacts, runs: Path, reader: BatchReader) -> Judged:
    """Hold a batch that is unlike those before it, and let any other into the results.

    Args:
        hold: where its rows are.
        facts: what its run knows of it.
        runs: folder of the runs of this machine.
        reader: looks at some of its pictures again.

    Raises:
        DigitflowError: files have no rows, or a table cannot be read or written.
    """
    log = BatchLog(hold.results)
    members = _members(hold, facts, log)
    if not facts.files and len(members) == 1:
        return Judged()
    seed = seed_of(facts.run_id)
    sample = RowSample(seed)
    batch, profile = _counted(hold, facts, members, runs, sample)
    profile = reader.second_look(profile, sample, seed)
    newest_first = reversed(log.last(batch.source, EARLIER))
    earlier = list(_profiles(newest_first))
    found = findings(profile, earlier)
    if found:  # what is wrong with it is then said surely
        profile = reader.closer_look(profile, sample)
        found = findings(profile, earlier) or found
    odd = [HeldFor(reason=each.reason, sentence=each.sentence) for each in found]
    batch = batch.model_copy(update={"findings": odd, "profile": profile.to_dict()})
    if odd:
        why = ", ".join(dict.fromkeys(each.reason for each in odd))
        log.add(Action.HELD, batch, why, BY_DIGITFLOW)
        return Judged(odd)
    log.add(Action.PASSED, batch, PASSED, BY_DIGITFLOW)
    done = release(batch, hold.results, hold.number_offset)
    all_count = done is not None and not done.superseded
    return Judged((), 0 if all_count else facts.files - _files_in(hold.results, facts.run_id))


class _Counts:
    """Counts rows on their way to the profile, so that they are gone through once."""

    def __init__(self, run_id: str) -> None:
        """Take the run whose files are counted apart."""
        self._run_id = run_id
        self.files = self.own_files = self.pictures = 0
        self.statuses: Counter[str] = Counter()

    def counted(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Yield the same rows."""
        for rows in batches:
            first = pc.equal(rows["page"], 0)
            own = pc.and_(first, pc.equal(rows["run_id"], self._run_id))
            self.pictures += rows.num_rows
            self.files += pc.sum(first, min_count=0).as_py()
            self.own_files += pc.sum(own, min_count=0).as_py()
            self.statuses.update(rows["status"].to_pylist())
            yield rows


def _files_in(results: str, run_id: str) -> int:
    rows = scan(results, ["page"], of_run(run_id))
    return sum(int(pc.sum(pc.equal(batch["page"], 0), min_count=0).as_py()) for batch in rows)


def _members(hold: Hold, facts: BatchFacts, log: BatchLog) -> list[str]:
    """Return the runs whose rows make the batch: those of another one are left out."""
    left = runs_held(hold.writer.table).intersection(facts.resumed) if facts.resumed else set()
    if left:
        left -= log.states().known
    return [facts.run_id, *sorted(left - log.passed(left))]


def _profiles(batches: Iterable[Batch]) -> Iterator[BatchProfile]:
    for batch in batches:
        try:
            yield BatchProfile.from_dict(batch.profile)
        except ValueError:  # another version of digitflow looked at other things
            continue


def _counted(
    hold: Hold, facts: BatchFacts, members: list[str], runs: Path, sample: RowSample
) -> tuple[Batch, BatchProfile]:
    """Return what the rows of a batch add up to, some of which the sample keeps.

    Raises:
        DigitflowError: they are not those of the files that its run has read.
    """
    counts = _Counts(facts.run_id)
    needed = ("run_id", "page", "status", *PROFILE_COLUMNS, *SAMPLE_COLUMNS)
    rows = scan(hold.writer.table, [*dict.fromkeys(needed)], of_runs(members))
    profile = profile_of(sample.through(counts.counted(rows)))
    if counts.own_files != facts.files:
        raise DigitflowError(
            f"{facts.files} files were to be read, {counts.own_files} have rows of run "
            f"{facts.run_id} in {hold.writer.table}: the run is not complete"
        )
    noted = (number_noted(runs / run) for run in members[1:])
    batch = Batch(
        run_id=facts.run_id,
        runs=members,
        roots=list(facts.roots.names),
        source=str(facts.roots),
        model_version=facts.model_version,
        began=min([hold.number, *(number for number in noted if number is not None)]),
        started_at=facts.started_at,
        files=counts.files,
        pictures=counts.pictures,
        read=counts.statuses[Status.READ],
        review=counts.statuses[Status.REVIEW],
        rejected=counts.statuses[Status.REJECTED],
    )
    return batch, profile
