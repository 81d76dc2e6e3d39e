"""What the whole gate costs, and what a model reaches in each slice beside what it has to reach.

    python -m tests.bench.gate [MODEL.onnx]

The candidate is the given file, or a copy of the model that ships; that one is what serves. MNIST
is taken from DIGITFLOW_HOME. Seconds are those of the clock, and of the processors for what this
process waits for, which does not count who draws. The clock of a machine with two cores that does
nothing else should show at most 60.
"""

import argparse
import os
import resource
import tempfile
from pathlib import Path

import onnx

from flows.judge import Candidate, judge
from tasks.data.snapshot import ingest
from tasks.device import usable_cores
from tasks.metrics.classification import Parity
from tasks.registry.registry import bundled_model
from tasks.settings.base import home
from tasks.settings.training import GateSettings
from tasks.timing import Stages

TARGET = 60.0  # seconds, two cores
PARITY = Parity(1, [1], same_digits=True, max_difference=0.0)  # Keras is no part of this


def processor_seconds() -> float:
    """Return what this process and all that it started and waited for have used."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def renamed(model: Path, path: Path) -> Path:
    """Write a model under another version, so that it is not compared with itself."""
    proto = onnx.load(model)
    for entry in proto.metadata_props:
        if entry.key == "version":
            entry.value = "candidate"
    onnx.save(proto, path)
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("model", nargs="?", type=Path, help="the candidate")
    given = parser.parse_args().model
    shipped = bundled_model()
    if shipped is None:
        raise SystemExit("this package ships no model")
    snapshot = ingest("mnist", home() / "datasets")
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["DIGITFLOW_HOME"] = scratch  # nothing serves but what ships
        candidate = renamed(given or shipped.onnx, Path(scratch) / "candidate.onnx")
        settings, used = GateSettings(device="cpu"), processor_seconds()
        with Stages() as stages:
            judgement = judge(
                Candidate("candidate", candidate, snapshot, PARITY), settings, Path(scratch)
            )
            seconds = stages.summed()
        used = processor_seconds() - used
    verdict = judgement.verdict
    print(f"candidate {given or shipped.name}, {shipped.name} serves, {usable_cores()} cores\n")
    print(f"{'check':44} {'required':>18}   measured")
    for check in verdict.checks:
        mark = "" if check.passed else "   FAIL"
        print(f"{check.name:44} {check.requirement[-18:]:>18}   {check.measured}{mark}")
    print(f"\n{verdict.sentence}\n\n{'stage':28} {'clock':>8}")
    for stage, clock in seconds.items():
        print(f"{stage:28} {clock:6.1f} s")
    total = sum(seconds.values())
    print(f"{'the whole gate':28} {total:6.1f} s   (target: {TARGET:.0f} s)")
    print(f"{'processors':28} {used:6.1f} s")


if __name__ == "__main__":
    main()
