"""Attacks on what the README promises, longer than a test may take; prints what held.

    python -m tests.bench.attack [mutants] [hostile] [kills] [swaps] [together] [storage]

All of them without an argument. Exit code 1 if a promise was broken. Every reading is a command of
its own; but for those that are killed, none of its processes may take more than 4 GB of address
space. `../shared/hostile` and `../shared/attack-cases` are read where they are there.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tests.bars import save_bar_model
from tests.bench import chaos, together
from tests.bench.attempt import ROOT, Line
from tests.bench.faults import faults
from tests.bench.hostile_files import hostile, mutants
from tests.bench.swaps import swaps

Attack = Callable[[argparse.Namespace, Path, Path], Iterator[Line]]


def kills(rounds: int, files: int, seed: int) -> Iterator[Line]:
    """Kill runs at a random moment, as chaos.py does, whose own table says more."""
    done = chaos.rounds(rounds, files, seed)
    good = [one for one in done if one.same and not one.twice and not one.exit_code]
    most = max(one.again for one in done)
    yield Line(
        "kills", "the rows of an undisturbed run", len(done), len(good), f"{most} read again"
    )


def _together(options: argparse.Namespace, work: Path, model: Path) -> Iterator[Line]:
    rounds = {2: options.rounds_of_two, 4: options.rounds_of_four}
    for name, attack in (("disk", together.on_disk), ("bucket", together.in_bucket)):
        (work / name).mkdir()
        yield from attack(work / name, model, rounds)


ATTACKS: dict[str, Attack] = {
    "mutants": lambda given, work, model: mutants(work, model, given.mutants, given.seed),
    "hostile": lambda given, work, model: hostile(work, model, given.shared),
    "kills": lambda given, work, model: kills(given.kills, given.files, given.seed),
    "swaps": lambda given, work, model: swaps(work, model, given.swapped, given.seed),
    "together": _together,
    "storage": lambda given, work, model: faults(work, model, given.faults, given.seed),
}


def options_of(arguments: list[str] | None = None) -> argparse.Namespace:
    """Return what is to be done, and how often."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    # argparse takes none of them for a choice, too
    parser.add_argument("attacks", nargs="*", choices=[[], *ATTACKS], metavar="|".join(ATTACKS))
    parser.add_argument("--mutants", type=int, default=3000, help="damaged pictures")
    parser.add_argument("--kills", type=int, default=20, help="rounds of them")
    parser.add_argument("--files", type=int, default=100_000, help="that killed runs read")
    parser.add_argument("--swapped", type=int, default=3000, help="files that change")
    parser.add_argument("--rounds-of-two", type=int, default=50, help="on each table")
    parser.add_argument("--rounds-of-four", type=int, default=30, help="on each table")
    parser.add_argument("--faults", type=int, default=20, help="rounds of them")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--shared", type=Path, default=ROOT.parent / "shared")
    return parser.parse_args(arguments)


def lines(options: argparse.Namespace) -> Iterator[Line]:
    """Yield what became of each promise, attack by attack, and say so meanwhile."""
    for name in options.attacks or ATTACKS:
        began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="attack-") as work:
            folder = Path(work)
            for line in ATTACKS[name](options, folder, save_bar_model(folder / "bars.onnx")):
                spent = f"{time.monotonic() - began:.0f} s"
                print(f"{spent:>6}  {line.attack}: {line.held} of {line.tried}", file=sys.stderr)
                yield line


def main(arguments: list[str] | None = None) -> int:
    """Print the table; exit code 1 if a promise was broken."""
    done = list(lines(options_of(arguments)))
    table = Table(box=None, header_style="bold", pad_edge=False)
    for head in ("attack", "promise", "tried", "held", "worst"):
        table.add_column(head, justify="right" if head in ("tried", "held") else "left")
    for one in done:
        held = f"{one.held:,}" if not one.broken else f"[red]{one.held:,}[/red]"
        table.add_row(escape(one.attack), one.promise, f"{one.tried:,}", held, escape(one.worst))
    Console(width=160).print(table)
    broken = sum(one.broken for one in done)
    print(f"{len(done) - broken} of {len(done)} promises held")
    return int(bool(broken))


if __name__ == "__main__":
    sys.exit(main())
