"""A stage is a plain function wherever no flow of Prefect runs, and its seconds are counted."""

import pickle
import sys
from types import SimpleNamespace

import pytest

from tasks import task as task_file
from tasks.errors import InputError
from tasks.task import in_flow_run, may_pass_later, task
from tasks.timing import OTHER, Stages


@task(name="add two numbers", stage="add", retries=3)
def add(one: int, two: int = 1) -> int:
    """Add."""
    if two < 0:
        raise InputError("negative")
    return one + two


@task
def unnamed() -> str:
    """Do nothing that is counted."""
    return "done"


def context_of(flow: object, task_run: object) -> SimpleNamespace:
    """Return what stands for Prefect's context, in a flow run or a task run or in none."""
    runs = {"FlowRunContext": flow, "TaskRunContext": task_run}
    return SimpleNamespace(
        **{name: SimpleNamespace(get=lambda run=run: run) for name, run in runs.items()}
    )


def test_a_labelled_function_is_called_as_the_function_and_crosses_to_processes_by_name() -> None:
    assert (add(2), add(2, two=3), unnamed()) == (3, 5, "done")
    assert (add.__name__, add.__doc__) == ("add", "Add.")
    assert pickle.loads(pickle.dumps(add)) is add  # noqa: S301 - our own


def test_the_seconds_of_a_stage_with_a_name_are_counted_also_where_it_fails() -> None:
    with Stages() as stages:
        unnamed()
        assert set(stages.summed()) == {OTHER}
        with pytest.raises(InputError):
            add(1, -1)
    add(1, 1)
    assert set(stages.summed()) == {"add", OTHER}
    assert sum(stages.summed().values()) > 0


@pytest.mark.parametrize(
    ("flow", "task_run", "expected"),
    [("a flow run", None, True), ("a flow run", "a task run", False), (None, None, False)],
)
def test_a_stage_is_a_task_run_in_a_flow_run_but_not_within_another_stage(
    monkeypatch: pytest.MonkeyPatch, flow: object, task_run: object, expected: bool
) -> None:
    calls: list[tuple[object, ...]] = []

    def recorded(function: object) -> object:
        assert function is add
        return lambda *args, **kwargs: calls.append((*args, kwargs))

    monkeypatch.setitem(sys.modules, "prefect.context", context_of(flow, task_run))
    monkeypatch.setattr(task_file, "prefect_task", recorded)
    assert in_flow_run() is expected
    answer = add(2, two=5)
    assert (answer, calls) == ((None, [(2, {"two": 5})]) if expected else (7, []))


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (InputError("no such folder"), False),
        (ConnectionError("broken pipe"), True),
        (ValueError("what a library makes of it"), True),
        (None, False),
    ],
)
def test_what_may_pass_is_tried_again_but_not_a_wrong_input(
    error: Exception | None, again: bool
) -> None:
    def result() -> None:
        if error:
            raise error

    assert may_pass_later(None, None, SimpleNamespace(result=result)) is again


def test_who_stops_a_run_is_not_taken_for_a_failure() -> None:
    def stopped() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        may_pass_later(None, None, SimpleNamespace(result=stopped))
