"""A bucket whose server fails at random: runs end well or say why, and the next one goes on."""

import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tasks.results import table as results
from tests.bars import bar, encoded
from tests.bench.attempt import Line, Outcome, ended, started
from tests.bench.bucket import Bucket, lent_bucket
from tests.s3 import Failing

PICTURES = 60
TROUBLES = ("500 InternalError", "503 SlowDown", "cut", "lost", "403 AccessDenied")
SHARES = (0.02, 0.1, 0.3)  # of the requests that fail, from round to round
REQUESTS = 2000  # after which the server fails no more


def faults(work: Path, model: Path, rounds: int, seed: int) -> Iterator[Line]:
    """Read pictures of a bucket into results in it while requests fail, and then once more."""
    chance = random.Random(seed)  # noqa: S311 - the faults are the experiment
    ends, wrong = list[Outcome](), list[str]()
    with lent_bucket(work / "server.log") as bucket, Failing(bucket.server).running() as failing:
        for number in range(rounds):
            source, table = _filled(bucket, number), f"{bucket.url}/{number}/results"
            variables = {"DIGITFLOW_RESULTS": table, "AWS_ENDPOINT_URL": failing.url}
            share = SHARES[number % len(SHARES)]
            for troubles in (_troubles(share, chance), []):
                failing.troubles = troubles
                run = started(source, model, work / str(number), **variables)
                outcome = ended(run)
                ends.append(outcome)
            wrong += _wrong(table, outcome)
    good = sum(bool(one.summary) or one.clear for one in ends)
    told = Counter(one.told for one in ends if not one.summary)
    worst = "; ".join(f"{times} x {what}" for what, times in told.most_common(2))
    yield Line("storage", "ends well or says why in a line", len(ends), good, worst or "all well")
    worst = wrong[0] if wrong else "all right"
    yield Line("storage", "every row once, the next time", rounds, rounds - len(wrong), worst)


def _filled(bucket: Bucket, number: int) -> str:
    for at in range(PICTURES):
        bucket.put(f"{number}/scans/{at:03}.png", encoded(bar(at % 10)))
    return f"{bucket.url}/{number}/scans"


def _troubles(share: float, chance: random.Random) -> list[str]:
    return [chance.choice(TROUBLES) if chance.random() < share else "" for _ in range(REQUESTS)]


def _wrong(table: str, last: Outcome) -> list[str]:
    """Return what is wrong with the rows after an undisturbed run, nothing if all is well."""
    if not last.summary:
        return [f"undisturbed: {last.told}"]
    columns = ["path", "page", "run_id", "status", "digit"]
    every = results.select(table, results.Query(history=True), columns).to_pylist()
    twice = len(every) - len({(row["path"], row["page"], row["run_id"]) for row in every})
    current = results.select(table, columns=columns).to_pylist()
    right = {
        row["path"]
        for row in current
        if row["status"] == "read" and row["digit"] == int(row["path"][:3]) % 10
    }
    if twice or len(current) != PICTURES or len(right) != PICTURES:
        return [f"{len(right)} of {PICTURES} right, {len(current)} current rows, {twice} twice"]
    return []
