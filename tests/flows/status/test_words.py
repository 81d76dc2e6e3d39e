"""How it stands in words: short in a terminal, the same until something happens on the page."""

from dataclasses import replace

from flows.status.audits import Audits
from flows.status.facts import (
    Approval,
    Batch,
    Facts,
    Held,
    HeldBatch,
    Scheduled,
    Server,
    Serving,
    Waiting,
)
from flows.status.words import NEXT, lead, lines, page
from flows.terminal.console import LABEL_WIDTH
from tests.reporting.test_audit_words import FOUND

BATCH = Batch(
    run_id="predict-20261128-101931-013c",
    source="/srv/scanners/building-7/second-floor/room-212/out/2026/11",
    started_at="2026-11-28T11:19:31+01:00",
    model="20261128-102800-4a0e",
    read=102_470,
    review=5,
    rejected=151,
    rejects={"blank": 100, "truncated": 51},
)
ENDED = "2026-11-28T10:00:00+00:00"
WHY = "3 of the pictures that were found are rejected (--strict)"
FACTS = Facts(
    as_of="2026-11-28T10:20:00+00:00",
    home="/var/lib/digitflow",
    serving=Serving(
        version="20261128-102800-4a0e",
        accuracy=0.99331,
        action="promote",
        since="2026-11-28T10:28:11+00:00",
        by="ada@scanner-host",
        why="passed the gate after its training",
        replaced="20261126-102800-9f3e",
    ),
    batches=[BATCH],
    waiting=Waiting(12, {"low_confidence": 7, "ambiguous": 5}),
    held=Held(),
    server=Server(
        "http://127.0.0.1:4200",
        [
            Scheduled("predict/inbox", "2026-11-28T11:05:00+00:00"),
            Scheduled("train/weekly", paused=True),
            Scheduled(
                "predict/on-promotion", None, False, "2026-11-28T10:00:00+00:00", "Failed", WHY
            ),
        ],
        ["failed", "late"],
    ),
)


def said(facts: Facts) -> str:
    return "\n".join(f"{label:<{LABEL_WIDTH}}{text}" for label, text in lines(facts))


def test_it_is_short_enough_for_a_terminal_and_says_all_of_it() -> None:
    text = said(FACTS)
    assert max(map(len, text.splitlines())) <= 80
    assert len(text.splitlines()) <= 15
    for part in (
        *(
            "Serves       20261128-102800-4a0e, 99.33 % right",
            "promoted 2026-11-28 10:28 UTC by ada",
        ),
        *("reason: passed the gate after its training", "replaced 20261126-102800-9f3e"),
        *("12 pictures wait: 7 low_confidence, 5 ambiguous", "2026-11-28 10:19 UTC 102,470 read"),
        *("100 blank, 51 truncated", "predict/inbox         2026-11-28 11:05 UTC", "paused"),
        *("no schedule          last: Failed", "on: failed, late"),
    ):
        assert part in text


def test_what_waits_for_approval_is_said_with_how_to_approve_it() -> None:
    asked, until = "2026-11-28T10:28:11+00:00", "2026-12-01T10:28:11+00:00"
    waits = replace(FACTS, approvals=[Approval("v2", asked, until), Approval("v3", asked, None)])
    text = said(waits)
    assert max(map(len, text.splitlines())) <= 80
    assert "Approval     v2 waits until 2026-12-01 10:28 UTC: resume its run in the UI" in text
    assert 'or `digitflow models promote v2 --reason "..."`' in text
    assert "v3 waits: see `digitflow models show v3`" in text
    assert "## To approve" in page(waits)
    assert "Waits for approval: v2. Waits for approval: v3. In review" in lead(waits)
    assert "pproval" not in said(FACTS) + page(FACTS) + lead(FACTS)


def test_what_is_not_there_or_not_known_is_said() -> None:
    bare = Facts("", "/home", Serving("v", shipped=True), [], Waiting(), Held(), None)
    assert "v, not measured" in said(bare)
    assert "none was promoted yet" in said(bare)
    assert "no picture waits" in said(bare)
    assert "no server runs for this home" in said(bare)
    broken = replace(
        bare,
        serving=Serving("v", trouble="changed"),
        waiting=Waiting(trouble="locked"),
        server=Server("http://there", trouble="it does not answer"),
    )
    assert "v should serve, and cannot: changed" in said(broken)
    assert "not known: locked" in said(broken)
    assert "not known: it does not answer" in said(broken)
    quiet = replace(bare, server=Server("http://there"))
    assert "off: nobody is told" in said(quiet)


def test_audits_stand_there_where_there_are_some() -> None:
    assert "Audit" not in said(FACTS)
    assert "Audit" not in page(FACTS)
    several = replace(FACTS, audits=Audits((FOUND,) * 5))
    text = said(several)
    assert max(map(len, text.splitlines())) <= 80
    assert "Audit        /srv/scans, by 20261128-102800-4a0e" in text
    assert "  1 wrong of 412 answers: 0.24 % (0.01 % to 1.35 %)" in text
    assert "and 2 more" in text
    assert "\n## Audit\n" in page(several)
    assert page(several).count("| 412 | 1 | 0.24 % |") == 5
    assert "not known: locked" in said(replace(FACTS, audits=Audits(trouble="locked")))


def test_the_page_changes_above_what_passes_only_when_something_happens() -> None:
    def lasting(facts: Facts) -> str:
        before, heading, _ = page(facts).partition(f"\n## {NEXT}\n")
        assert heading
        return before

    server = FACTS.server
    assert server
    later = replace(FACTS, as_of="2026-11-29T00:00:00+00:00", server=replace(server, scheduled=[]))
    assert lasting(later) == lasting(FACTS)
    assert page(later) != page(FACTS)
    for change in (
        {"serving": replace(FACTS.serving, why="another")},
        {"batches": []},
        {"waiting": Waiting(1, {"ambiguous": 1})},
    ):
        assert lasting(replace(FACTS, **change)) != lasting(FACTS)


def test_the_page_is_described_by_what_serves_what_waits_and_what_was_read_last() -> None:
    assert lead(replace(FACTS, batches=[replace(BATCH, source="/in")])) == (
        "Serves: 20261128-102800-4a0e, 99.33 % right on its test part. "
        "In review: 12 pictures wait: 7 low\\_confidence, 5 ambiguous. "
        "Last read, 2026-11-28 10:19 UTC, /in: 102,470 read, 5 for review, 151 rejected."
    )
    broken = replace(FACTS, serving=replace(FACTS.serving, trouble="its file is damaged"))
    cannot = "20261128-102800-4a0e should serve, and cannot: its file is damaged."
    assert lead(broken).startswith(cannot)


def test_words_of_others_are_no_markup_on_the_page() -> None:
    sly = replace(FACTS.serving, why="[x](http://evil.test) | <b>")
    text = page(replace(FACTS, serving=sly))
    assert "[x](" not in text
    assert "<b>" not in text


def test_what_is_held_is_named_with_what_is_odd_and_nothing_is_said_where_nothing_is() -> None:
    odd = {"rejects": "151 of 200 rejected (usual: 1 %)"}
    one = HeldBatch(BATCH.run_id, BATCH.source, ENDED, 102_626, odd)
    found = replace(FACTS, held=Held([one]))
    text = said(found)
    assert max(map(len, text.splitlines())) <= 80
    for part in ("1 batch waits", f"{BATCH.run_id} 102,626 pictures: rejects", "rejected, held"):
        assert part in text
    assert "rejects: 151 of" in page(found)
    assert "Held: 1 batch waits" in lead(found)
    for words in (said(FACTS), page(FACTS), lead(FACTS)):
        assert "held" not in words.lower()
