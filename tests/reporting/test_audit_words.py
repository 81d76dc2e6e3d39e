"""What an audit shows is said with its interval and with what follows from it."""

from dataclasses import replace

from tasks.monitoring.audit_findings import AuditFinding
from tasks.reporting.audit_words import audit_section, estimate, meaning

FOUND = AuditFinding(
    model="20261128-102800-4a0e",
    source="/srv/scans",
    month=None,
    drawn=500,
    answers=412,
    wrong=1,
    error=0.0024,
    low=0.0001,
    high=0.0135,
    accepted=0.005,
    missing=512,
)


def test_the_error_stands_with_its_interval_and_how_many_answers_it_is_from() -> None:
    assert estimate(FOUND) == "1 wrong of 412 answers: 0.24 % (0.01 % to 1.35 %)"
    none = replace(FOUND, answers=0, wrong=0, error=None, low=0.0, high=1.0)
    assert estimate(none) == "500 pictures were drawn, and none is answered yet"


def test_what_follows_is_one_of_four() -> None:
    said = [
        meaning(each)
        for each in (
            FOUND,
            replace(FOUND, missing=0),
            replace(FOUND, high=0.004, missing=0),
            replace(FOUND, low=0.006, missing=0),
        )
    ]
    assert said == [
        "512 more answers would show whether 0.5 % is kept",
        "not certain yet whether the accepted 0.5 % is kept",
        "the accepted 0.5 % is kept",
        "more than the accepted 0.5 %",
    ]


def test_a_section_has_a_row_for_each_model_and_source() -> None:
    section = audit_section([FOUND, replace(FOUND, source="s3://bucket/scans")])
    assert section.table
    assert [row[0] for row in section.table.rows] == ["/srv/scans", "s3://bucket/scans"]
    assert audit_section([]).text == "Nothing was drawn."
