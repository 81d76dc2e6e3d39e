"""Runs a Python module as a program that ends with the process that has it as a child.

python -m flows.server.with_parent MODULE ARGUMENTS...

Its stdin is a pipe, see `tasks.processes.parent`. What the program itself has started goes on: a
worker may be killed, and the runs that it has started finish their work.
"""

import runpy
import sys

from tasks.processes.parent import end_with_parent


def main(module: str, *arguments: str) -> None:
    """Run `python -m MODULE` in this process."""
    end_with_parent()
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
