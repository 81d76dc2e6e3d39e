"""The worker of `digitflow up`: puts right what was left behind, then runs what comes due.

python -m flows.orchestration.worker NAME POOL
"""

import logging
import runpy
import sys

from tasks.processes.parent import end_with_parent


def main(name: str, pool: str) -> None:
    """Run Prefect's worker in this process, which ends with its parent and alone."""
    end_with_parent()  # at once: loading Prefect takes seconds
    from flows.orchestration.stale_runs import crash_stale_runs

    if stale := crash_stale_runs(pool):
        logging.getLogger(__name__).warning("%d runs whose process is gone have crashed", stale)
    sys.argv = ["prefect", "worker", "start", "--pool", pool, "--name", name]
    runpy.run_module("prefect", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
