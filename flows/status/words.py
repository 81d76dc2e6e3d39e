"""How it stands, in words: lines for a terminal of 80 columns, and a page for the Prefect UI."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

from flows.status.audits import Audits
from flows.status.facts import Batch, Facts, Held, Scheduled, Server, Serving, Waiting
from tasks.reporting.audit_words import audit_section, estimate, meaning
from tasks.reporting.document import (
    Report,
    Section,
    Table,
    as_markdown,
    percent,
    plural,
    to_markdown,
)
from tasks.reporting.document import facts as facts_table
from tasks.results.summary import in_words
from tasks.settings.base import inbox

NEXT = "Next runs"
INDENTED = 65  # characters of an indented line beside the labels
LEAST_NAME = 20  # of these, for the name of a source
FAILED = ("Failed", "Crashed", "TimedOut")  # states that are explained
ALERTS_OFF = "off: nobody is told when a run fails (see deployments/README.md)"
UNPROMOTED = "ships with digitflow, and none was promoted yet"
AUDITS = 3  # shown in a terminal
SEE_HELD = "digitflow held"
SEE_REVIEW = "digitflow review"


def lines(facts: Facts) -> Iterator[tuple[str, str]]:
    """Yield what `digitflow status` prints, each line with its label."""
    yield from _labelled("Serves", _serving(facts.serving))
    yield from _labelled("Held", _held(facts.held))
    yield from _labelled("Approval", list(_approvals(facts)))
    yield from _labelled("Review", _waiting(facts.waiting))
    yield from _labelled("Audit", _audits(facts.audits))
    yield from _labelled("Batches", _batches(facts.batches, facts.held))
    if (server := facts.server) is None:
        yield NEXT, "no server runs for this home: start `digitflow up`"
    elif server.trouble:
        yield NEXT, f"not known: {server.trouble}"
    else:
        yield from _labelled(NEXT, _scheduled(server.scheduled))
        yield "Alerts", alerts_in_words(server)
        yield "UI", server.url


def page(facts: Facts) -> str:
    """Return the same as markdown; from the heading of NEXT on is what passes by itself."""
    serving, server, words = facts.serving, facts.server, _held(facts.held)
    approvals = "; ".join(_approvals(facts))
    sections = [
        *([Section("To approve", approvals)] if approvals else []),
        *([Section("Held", words[0], _held_table(facts.held))] if words else []),
        Section("In review", "; ".join(_waiting(facts.waiting))),
        *_audit_sections(facts.audits),
        Section("Last batches", "" if facts.batches else "none yet", _batch_table(facts.batches)),
    ]
    if server and not server.trouble:
        sections += [
            Section(NEXT, table=_schedule_table(server)),
            Section("Alerts", alerts_in_words(server)),
        ]
    how = Section("How it came to that", table=facts_table(_how(serving)))
    if serving.action is None:
        how = Section("How it came to that", "" if serving.trouble else f"It {UNPROMOTED}.")
    return to_markdown(
        Report(
            title="What serves",
            lead=sentence(serving),
            sections=[how, *sections],
            note=f"As of {moment(facts.as_of)}. Home: {facts.home}",
        )
    )


def lead(facts: Facts) -> str:
    """Return what matters most in markdown: what serves, how much waits, what was read last."""
    serving = sentence(facts.serving)
    said = [serving if facts.serving.trouble else f"Serves: {serving}"]
    said += [f"Held: {words}" for words in _held(facts.held)[:1]]
    said += [f"Waits for approval: {one.version}" for one in facts.approvals]
    said.append(f"In review: {_waiting(facts.waiting)[0]}")
    if facts.batches:
        last = facts.batches[0]
        counts = in_words(last.read, last.review, last.rejected)
        said.append(f"Last read, {moment(last.started_at)}, {source_name(last.source)}: {counts}")
    return " ".join(as_markdown(f"{each}.") for each in said)


def sentence(serving: Serving) -> str:
    """Return in one sentence what serves."""
    if serving.trouble:
        named = f"{serving.version} should serve, and cannot" if serving.version else "Nothing"
        return f"{named}: {serving.trouble}"
    right = "not measured" if serving.accuracy is None else f"{percent(serving.accuracy)} right"
    return f"{serving.version}, {right} on its test part"


def alerts_in_words(server: Server) -> str:
    """Return who is told when something goes wrong."""
    return f"on: {', '.join(server.alerts)}" if server.alerts else ALERTS_OFF


def moment(time: str | None) -> str:
    """Return an ISO time as `2026-11-28 10:05 UTC`, whatever its zone."""
    at = _parsed(time)
    return f"{at:%Y-%m-%d %H:%M} UTC" if at else str(time)


def by_reason(counts: Mapping[str, int]) -> str:
    """Return `100 blank, 51 truncated`."""
    return ", ".join(f"{count:,} {reason}" for reason, count in counts.items())


def _serving(serving: Serving) -> list[str]:
    said = [sentence(serving)]
    if serving.action is None:
        return said if serving.trouble else [*said, UNPROMOTED]
    done = "promoted" if serving.action == "promote" else "rolled back to"
    said.append(f"{done} {moment(serving.since)} by {serving.by}")
    if serving.shipped:
        said.append("it ships with digitflow")
    if serving.override:
        said.append("against the gate (--override)")
    said.append(f"reason: {serving.why}")
    if serving.replaced:
        said.append(f"replaced {serving.replaced}")
    return said


def _how(serving: Serving) -> dict[str, str]:
    done = "promoted" if serving.action == "promote" else "rolled back to"
    told = {done: moment(serving.since), "by": serving.by, "reason": serving.why}
    against = {"against the gate": "yes (--override)"} if serving.override else {}
    return {name: str(value) for name, value in told.items()} | {
        **against,
        "replaced": serving.replaced or "nothing",
    }


def _approvals(facts: Facts) -> Iterator[str]:
    """Yield how each version that waits for a person is approved."""
    for one in facts.approvals:
        if one.until:
            yield f"{one.version} waits until {moment(one.until)}: resume its run in the UI"
        else:
            yield f"{one.version} waits: see `digitflow models show {one.version}`"
        yield f'or `digitflow models promote {one.version} --reason "..."`'


def _waiting(waiting: Waiting) -> list[str]:
    if waiting.trouble:
        return [f"not known: {waiting.trouble}"]
    if not waiting.pictures:
        return ["no picture waits"]
    verb = "waits" if waiting.pictures == 1 else "wait"
    return [
        f"{plural(waiting.pictures)} {verb}: {by_reason(waiting.reasons)}",
        f"say what they are: `{SEE_REVIEW}`",
    ]


def _audits(audits: Audits) -> list[str]:
    """Return three lines for each; nothing where nothing was drawn."""
    if audits.trouble:
        return [f"not known: {audits.trouble}"]
    said = []
    for each in audits.findings[:AUDITS]:
        by = f", by {each.model}"
        name = _short(source_name(each.source), max(LEAST_NAME, INDENTED - len(by)))
        said += [f"{name}{by}", f"  {estimate(each)}", f"  {meaning(each)}"]
    if more := len(audits.findings) - AUDITS:
        said += [f"and {more:,} more: see `digitflow drift`"] if more > 0 else []
    return said


def _audit_sections(audits: Audits) -> list[Section]:
    if audits.trouble:
        return [Section("Audit", f"not known: {audits.trouble}")]
    return [audit_section(audits.findings)] if audits.findings else []


def _held(held: Held) -> list[str]:
    """Return what is held in lines; none where nothing is."""
    if held.trouble:
        return [f"not known: {held.trouble}"]
    if not held.batches:
        return []
    count = len(held.batches)
    said = [f"{count:,} {'batch waits' if count == 1 else 'batches wait'} to be released"]
    for each in held.batches:
        said.append(f"{each.run_id} {each.pictures:,} pictures: {', '.join(each.findings)}")
        said.append(f"  {_short(source_name(each.source), INDENTED)}")
    return [*said, f"see `{SEE_HELD}`"]


def _held_table(held: Held) -> Table | None:
    rows = [
        [
            *(moment(each.since), each.run_id, source_name(each.source), f"{each.pictures:,}"),
            "; ".join(f"{reason}: {sentence}" for reason, sentence in each.findings.items()),
        ]
        for each in held.batches
    ]
    return Table(("since", "run", "source", "pictures", "what is odd"), rows) if rows else None


def _batches(batches: list[Batch], held: Held) -> list[str]:
    said, waiting = [], {each.run_id for each in held.batches}
    for batch in batches:
        said.append(
            f"{moment(batch.started_at)} {batch.read:>6,} read {batch.review:>5,} review "
            f"{batch.rejected:>5,} rejected{', held' if batch.run_id in waiting else ''}"
        )
        rejects = f": {by_reason(batch.rejects)}" if batch.rejects else ""
        room = max(LEAST_NAME, INDENTED - len(rejects))
        said.append(f"  {_short(source_name(batch.source), room)}{rejects}")
    return said or ["none yet"]


def source_name(source: str) -> str:
    """Return `inbox` for the usual one, for others what was given."""
    return "inbox" if source == inbox() else source


def _short(name: str, room: int) -> str:
    return name if len(name) <= room else f"…{name[1 - room :]}"


def _batch_table(batches: list[Batch]) -> Table | None:
    rows = [
        [
            *(moment(batch.started_at), source_name(batch.source)),
            *(f"{count:,}" for count in (batch.read, batch.review, batch.rejected)),
            *(by_reason(batch.rejects), batch.model),
        ]
        for batch in batches
    ]
    columns = ("started", "source", "read", "for review", "rejected", "rejects", "model")
    return Table(columns, rows) if rows else None


def _scheduled(deployments: Sequence[Scheduled]) -> list[str]:
    said = []
    for one in deployments:
        last = f"last: {one.state}" if one.state else ""
        said.append(f"{one.deployment:<21} {_when(one):<20} {last}".rstrip())
        if one.state in FAILED and one.message:
            said.append(f"  {one.message[:INDENTED]}")
    return said or ["nothing is deployed there"]


def _when(one: Scheduled) -> str:
    if one.paused:
        return "paused"
    return moment(one.next) if one.next else "no schedule"


def _schedule_table(server: Server) -> Table:
    rows = [
        [
            one.deployment,
            _when(one),
            *([moment(one.ended), one.state, one.message or ""] if one.state else ["", "", ""]),
        ]
        for one in server.scheduled
    ]
    return Table(("deployment", "next", "last ended", "as", "with"), rows)


def _labelled(label: str, texts: list[str]) -> Iterator[tuple[str, str]]:
    for number, text in enumerate(texts):
        yield "" if number else label, text


def _parsed(time: str | None) -> datetime | None:
    try:
        return datetime.fromisoformat(time or "").astimezone(UTC)
    except ValueError:
        return None
