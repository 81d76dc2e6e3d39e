"""What people answered is kept once, in one half alone, and the last answer counts."""

import multiprocessing
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from tasks.corrections.answers import AnswerFacts
from tasks.corrections.store import Corrections, Half, counted, digest_of, half_of
from tasks.decoding.decode import decode
from tasks.errors import DigitflowError, InputError
from tests.helpers import run

random = np.random.default_rng(5)


def page(*channels: int) -> NDArray[np.uint8]:
    """Return a picture that no other test has."""
    return random.integers(0, 256, (30, 24, *channels), dtype=np.uint8)


@pytest.fixture
def kept(home: Path) -> Corrections:
    return Corrections(home)


def files(kept: Corrections) -> list[tuple[str, str]]:
    """Return the digit and half of every file."""
    return [(file.parent.name, file.parent.parent.name) for file in kept.folder.rglob("*.png")]


@pytest.mark.parametrize("channels", [(), (3,), (4,)])
def test_the_file_of_a_correction_shows_the_pixels_that_a_person_saw(
    kept: Corrections, channels: tuple[int, ...]
) -> None:
    picture = page(*channels)
    if channels == (4,):
        picture[..., 3] = 255
    digest = kept.keep(picture, 7)
    [correction] = kept.kept()
    assert (correction.digit, correction.half) == (7, half_of(digest))
    assert correction.picture == digest == digest_of(picture)
    read = cv2.imread(str(correction.file), cv2.IMREAD_UNCHANGED)
    order = {(): [], (3,): [2, 1, 0], (4,): [2, 1, 0, 3]}[channels]
    assert np.array_equal(read[..., order] if order else read, picture)
    assert decode(correction.file.read_bytes()).width == 24


def test_a_picture_is_kept_once_however_often_it_is_answered(kept: Corrections) -> None:
    picture = page()
    assert len({kept.keep(picture, 3) for _ in range(3)}) == 1
    assert len(files(kept)) == 1
    assert len((kept.folder / "journal.jsonl").read_text().splitlines()) == 1


def test_the_answer_that_comes_last_counts(kept: Corrections) -> None:
    picture = page()
    assert kept.keep(picture, 3) == kept.keep(picture, 5)
    assert files(kept) == [("5", str(half_of(digest_of(picture))))]


def test_a_picture_that_shows_no_digit_after_all_is_forgotten(kept: Corrections) -> None:
    picture = page()
    kept.forget(picture, "no digit")
    assert not kept.folder.exists()
    kept.keep(picture, 3)
    kept.forget(page(), "no digit")
    assert len(kept.kept()) == 1
    kept.forget(picture, "no digit")
    assert kept.kept() == []


def test_the_half_follows_from_the_pixels_and_both_halves_are_filled(kept: Corrections) -> None:
    pictures = [page() for _ in range(200)]
    for number, picture in enumerate(pictures):
        kept.keep(picture, number % 10)
        kept.keep(picture.copy(), (number + 1) % 10)
    assert all(each.half == half_of(each.picture) for each in kept.kept())
    halves = [correction.half for correction in kept.kept()]
    assert len(halves) == 200
    assert 70 <= halves.count(Half.TRAINING) <= 130


def test_pictures_of_another_shape_are_others(kept: Corrections) -> None:
    picture = page()
    assert digest_of(picture) != digest_of(picture.reshape(24, 30))
    assert digest_of(picture) == digest_of(np.asfortranarray(picture))


def test_where_a_correction_is_from_is_told(kept: Corrections) -> None:
    facts = AnswerFacts("ada", "/scans", "a.png", 2, "v1", "review", 4)
    kept.keep(page(), 7, facts)
    [correction] = kept.kept()
    answer = correction.answer
    assert answer is not None
    assert (answer.by, answer.path, answer.page) == ("ada", "a.png", 2)
    assert (answer.model_version, answer.model_status, answer.model_digit) == ("v1", "review", 4)
    [row] = counted([correction])
    assert (row["source"], row["half"], row["pictures"], row["7"]) == (
        *("/scans", str(correction.half), 1, 1),
    )


def test_a_part_of_a_line_costs_nothing_but_itself(kept: Corrections) -> None:
    kept.keep(page(), 7, AnswerFacts(source="/one"))
    journal = kept.folder / "journal.jsonl"
    with journal.open("ab") as file:
        file.write(b'{"time": "2026-11-28T1')  # a machine was lost
    kept.keep(page(), 8, AnswerFacts(source="/two"))
    assert {correction.source for correction in kept.kept()} == {"/one", "/two"}
    journal.unlink()
    assert {correction.source for correction in kept.kept()} == {"unknown"}


def test_a_file_that_a_person_deletes_is_gone(kept: Corrections) -> None:
    kept.keep(page(), 7)
    [correction] = kept.kept()
    correction.file.unlink()
    assert kept.kept() == []
    assert [kept.half(half) for half in Half] == [None, None]


def test_nothing_but_a_digit_is_kept(kept: Corrections) -> None:
    for wrong in (-1, 10):
        with pytest.raises(InputError, match="is no digit"):
            kept.keep(page(), wrong)
    assert not kept.folder.exists()


def test_what_cannot_be_written_is_an_error_that_says_where(kept: Corrections) -> None:
    kept.folder.parent.mkdir(parents=True)
    kept.folder.write_text("a file in its place")
    with pytest.raises(DigitflowError, match=r"corrections: not kept: .*exists"):
        kept.keep(page(), 7)


def _keep_all(home: Path, pictures: list[NDArray[np.uint8]], digit: int) -> list[str]:
    return [Corrections(home).keep(picture, digit) for picture in pictures]


@pytest.mark.processes
def test_two_programs_that_keep_the_same_pictures_lose_none_and_double_none(home: Path) -> None:
    pictures = [page() for _ in range(40)]
    jobs = [(home, pictures, digit) for digit in (1, 2)]
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        pool.starmap(_keep_all, jobs)
    kept = Corrections(home).kept()
    assert len(kept) == len({correction.picture for correction in kept}) == 40
    assert all(
        correction.answer and correction.answer.digit == correction.digit for correction in kept
    )


def test_the_command_lists_and_deletes(
    kept: Corrections, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("corrections") == 0
    assert "nothing was corrected yet" in capsys.readouterr().out
    name = kept.keep(page(), 7, AnswerFacts(by="ada", source="/scans"))
    kept.keep(page(), 8, AnswerFacts(by="bob", source="/scans"))
    assert run("corrections", "--json") == 0
    assert '"source": "/scans"' in capsys.readouterr().out
    assert run("corrections", "remove", "--reason", "x") == 2
    assert run("corrections", "remove", "--by", "bob", "--source", "/other", "--reason", "x") == 0
    assert run("corrections", "remove", "--picture", name[:8], "--reason", "blurred") == 0
    assert [correction.by for correction in kept.kept()] == ["bob"]
    assert '"reason": "blurred"' in (kept.folder / "journal.jsonl").read_text()
