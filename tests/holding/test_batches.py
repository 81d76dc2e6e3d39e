"""What becomes of a batch is written down once, and found again by any of its runs."""

import sys

import pytest

from tasks.holding.batches import Action, BatchLog, held_files, waiting_batches
from tasks.holding.held_rows import held_table
from tasks.results.compact import compact
from tasks.results.table import open_table
from tests.helpers import answers_at_once
from tests.holding.places import batch_of, hold

DECIDER = """
import sys
from tasks.holding.batches import Action, BatchLog
from tests.holding.places import batch_of
results, action = sys.argv[1:]
print("ready", flush=True)
sys.stdin.readline()
print(BatchLog(results).add(Action(action), batch_of("run-1"), "why", by=action))
"""


def test_without_any_batch_nothing_is_known_and_nothing_is_made(results: str) -> None:
    log = BatchLog(results)
    assert (log.states().known, log.last("/pictures", 5), log.batch_with("x")) == (set(), [], None)
    assert (held_files(results), waiting_batches(results)) == (None, [])


def test_a_batch_waits_until_it_is_decided_which_happens_once(results: str) -> None:
    log, batch = BatchLog(results), hold(results, "run-1", "a.png")
    assert log.add(Action.HELD, batch, "turned")
    assert not log.add(Action.HELD, batch, "turned")
    assert log.states().waiting == {"run-1": ["run-1"]}
    [entry] = waiting_batches(results)
    assert (entry.batch, entry.reason) == (batch, "turned")
    found = held_files(results)
    assert found
    assert (found.table, found.waiting, found.dropped) == (held_table(results), ("run-1",), ())
    assert log.add(Action.DROPPED, batch, "no", by="Ada")
    assert not log.add(Action.RELEASED, batch, "yes", by="Bob")
    assert [(each.action, each.by) for each in log.entries(["run-1"])][1:] == [("dropped", "Ada")]
    assert waiting_batches(results) == []
    found = held_files(results)
    assert found
    assert (found.waiting, found.dropped) == ((), ("run-1",))


def test_a_batch_is_found_by_each_of_its_runs_and_by_no_part_of_a_name(results: str) -> None:
    log = BatchLog(results)
    passed = batch_of("run-22").model_copy(update={"runs": ["run-22", "run-11"]})
    log.add(Action.PASSED, passed, "nothing was odd")
    assert [log.batch_with(run) for run in ("run-22", "run-11", "run-1", "run-2")] == [
        *("run-22", "run-22"),
        *(None, None),
    ]
    assert log.passed(["run-11"]) == {"run-22", "run-11"}
    assert log.passed_batches(["run-11"]) == ["run-22"]
    assert log.states().known == set()


def test_only_batches_of_the_source_that_count_are_the_last_ones(results: str) -> None:
    log = BatchLog(results)
    for number in range(4):
        log.add(Action.PASSED, batch_of(f"run-{number}"), "nothing was odd")
    log.add(Action.PASSED, batch_of("other", source="/elsewhere"), "nothing was odd")
    log.add(Action.HELD, batch_of("odd"), "turned")
    assert [each.run_id for each in log.last("/pictures", 3)] == ["run-1", "run-2", "run-3"]
    log.add(Action.RELEASED, batch_of("odd"), "fine")
    assert [each.run_id for each in log.last("/pictures", 2)] == ["run-3", "odd"]


@pytest.mark.processes
def test_of_programs_that_decide_at_once_one_does(results: str) -> None:
    BatchLog(results).add(Action.HELD, batch_of("run-1"), "turned")
    actions = ["released", "dropped", "released", "dropped"]
    said = answers_at_once([[sys.executable, "-c", DECIDER, results, each] for each in actions])
    assert sorted(each.strip() for each in said) == ["False", "False", "False", "True"]
    [entry] = [each for each in BatchLog(results).entries(["run-1"]) if each.action != Action.HELD]
    assert said[actions.index(entry.by)] or entry.by in actions


def test_many_entries_are_compacted_and_say_the_same(results: str) -> None:
    log = BatchLog(results)
    for number in range(5):
        log.add(Action.HELD, batch_of(f"run-{number}"), "turned")
    before = log.entries([f"run-{number}" for number in range(5)])
    assert compact(log.table)
    assert len(open_table(log.table).file_uris()) == 1
    assert log.entries([f"run-{number}" for number in range(5)]) == before
    assert not log.add(Action.HELD, batch_of("run-3"), "turned")
