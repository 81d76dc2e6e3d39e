"""The label `@task` of a stage: a task run inside a flow run of Prefect, elsewhere the function.

It takes the options of Prefect's own `@task` and loads nothing, so that the same stages run in a
notebook, in a test and with `--no-prefect`.
"""

import sys
from collections.abc import Callable, Iterable, Mapping
from functools import cache, partial, wraps
from typing import Any, ParamSpec, TypedDict, TypeVar, Unpack, overload

from tasks.errors import DigitflowError
from tasks.timing import timed

P = ParamSpec("P")
T = TypeVar("T")


class TaskOptions(TypedDict, total=False):
    """What Prefect's `@task` takes, as far as a stage may need it."""

    name: str
    task_run_name: str | Callable[[Mapping[str, Any]], str]  # may name parameters in braces
    retries: int
    retry_delay_seconds: float | list[float]
    retry_condition_fn: Callable[[Any, Any, Any], bool]
    timeout_seconds: float
    tags: Iterable[str]


@overload
def task(function: Callable[P, T], /) -> Callable[P, T]: ...


@overload
def task(
    *, stage: str | None = None, **options: Unpack[TaskOptions]
) -> Callable[[Callable[P, T]], Callable[P, T]]: ...


def task(
    function: Callable[P, T] | None = None,
    /,
    *,
    stage: str | None = None,
    **options: Unpack[TaskOptions],
) -> Any:
    """Label a function as a stage.

    Args:
        function: the stage.
        stage: name under which its seconds are counted, where a run counts them.
        options: of Prefect's `@task`.
    """
    if function is None:
        return partial(_labelled, stage=stage, options=options)
    return _labelled(function, stage, options)


def _labelled(function: Callable[P, T], stage: str | None, options: TaskOptions) -> Callable[P, T]:
    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        if in_flow_run():
            result: T = prefect_task(call)(*args, **kwargs)
            return result
        with timed(stage):
            return function(*args, **kwargs)

    _options[call] = options
    return call


_options: dict[Callable[..., Any], TaskOptions] = {}  # by the labelled function


@cache
def prefect_task(function: Callable[..., Any]) -> Any:
    """Return the Prefect task of a labelled function.

    It is made of what stands under the function's name, so that clusters find it by that name: a
    plain function inside would cross to them by value, with all that it refers to.
    """
    from prefect import Task
    from prefect.cache_policies import NO_CACHE

    options = _options[function]
    name = options.get("name", function.__name__.replace("_", " "))
    named: dict[str, Any] = {"name": name, "task_run_name": name, **options}
    # NO_CACHE: hashing arguments costs more than it saves, and every stage is to run
    return Task(function, cache_policy=NO_CACHE, **named)


def in_flow_run() -> bool:
    """Tell whether this is called by a flow run of Prefect, and by none of its task runs."""
    context = sys.modules.get("prefect.context")  # without it nothing runs with Prefect
    if context is None:
        return False
    return bool(context.FlowRunContext.get()) and not context.TaskRunContext.get()


def may_pass_later(_task: object, _run: object, state: Any) -> bool:
    """Tell Prefect to try again whatever failed, unless its input is at fault."""
    try:
        state.result()
    except DigitflowError:
        return False
    except Exception:  # what a broken connection raises is the library's choice
        return True
    return False
