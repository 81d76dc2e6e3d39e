"""What a person sees is what was meant: no markup, no codes, nothing where nobody asked for it."""

import sys
import threading
from collections.abc import Callable

import pytest

from flows.terminal.console import WIDTH_OF_A_FILE, Console, is_quiet, quietly

HOSTILE = "[/red][bold]x[/] :smile: \x1b]0;t\x07 \u202e a\nb \udce9 é"
SHOWN = r"[/red][bold]x[/] :smile: \x1b]0;t\x07 \u202e a\nb \xe9 é"

Write = Callable[[Console], None]


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let both outputs be terminals."""
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("TERM", "xterm")


WRITERS: dict[str, Write] = {
    "log": lambda console: console.log(HOSTILE, HOSTILE),
    "heading": lambda console: console.heading(HOSTILE),
    "table": lambda console: console.table([HOSTILE], [[HOSTILE]]),
}


@pytest.mark.parametrize("name", WRITERS)
def test_text_from_anywhere_is_shown_as_it_is_and_does_nothing(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    WRITERS[name](Console())
    printed = capsys.readouterr().out
    assert SHOWN in printed
    assert all(character.isprintable() or character == "\n" for character in printed)


@pytest.mark.usefixtures("terminal")
def test_a_bar_shows_its_title_as_it_is_and_is_gone_afterwards(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with Console().bar(HOSTILE, 2) as advance:
        advance(2)
    printed = capsys.readouterr()
    assert SHOWN in printed.err
    assert "2/2" in printed.err
    assert "\x1b]0;t" not in printed.err
    assert printed.out == ""


def test_no_bar_is_shown_where_no_terminal_is(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console()
    with console.bar("Training", 3) as advance, console.reading(3) as read:
        advance(1.5)
        read(1, 1)
    assert capsys.readouterr() == ("", "")


@pytest.mark.usefixtures("terminal")
def test_what_threads_have_read_adds_up(capsys: pytest.CaptureFixture[str]) -> None:
    def read() -> None:
        for _ in range(50):
            advance(2, 1)

    with Console().reading(1_000) as advance:
        threads = [threading.Thread(target=read) for _ in range(10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert "1000/1000" in (shown := capsys.readouterr().err)
    assert "500 rejected" in shown


def test_rows_that_are_not_for_a_terminal_are_not_cut_at_its_width(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    path = "scans/" + "0123456789" * 12 + ".png"
    Console().table(["path", "digit"], [[path, "7"], ["b.png", ""]], ["", "dim"])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines] == [["path", "digit"], [path, "7"], ["b.png"]]
    assert max(map(len, lines)) <= WIDTH_OF_A_FILE


def test_a_line_of_any_length_stays_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    Console().log("Found", "x y " * 500)
    assert capsys.readouterr().out.count("\n") == 1


@pytest.mark.usefixtures("terminal")
def test_a_quiet_console_writes_nothing_at_all(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console(quiet=True)
    for write in WRITERS.values():
        write(console)
    with console.bar("x", 1) as advance, console.reading(1) as read:
        advance(1)
        read(1, 0)
    assert capsys.readouterr() == ("", "")


def test_quiet_is_over_with_its_block_whatever_happens_in_it() -> None:
    assert not is_quiet()
    with pytest.raises(ZeroDivisionError), quietly():
        assert is_quiet()
        with quietly(on=False):
            assert not is_quiet()
        assert is_quiet()
        1 / 0  # noqa: B018 - whatever happens inside
    assert not is_quiet()


class Closed:
    """Output that nobody reads any more."""

    encoding = "utf-8"
    tried = 0

    def write(self, _text: str) -> int:
        """Find that out."""
        self.tried += 1
        raise BrokenPipeError

    def flush(self) -> None:
        """Have nothing to write."""

    def isatty(self) -> bool:
        """Be no terminal."""
        return False


def test_who_writes_where_nobody_reads_is_told_and_is_not_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "stdout", Closed())
    console = Console()
    with pytest.raises(BrokenPipeError):
        console.log("Found", "12 files")
    console.log("Found", "what is said later goes nowhere")


def test_where_the_work_has_to_go_on_nobody_is_told_that_nobody_reads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    output = Closed()
    monkeypatch.setattr(sys, "stdout", output)
    console = Console(unread_is_error=False)
    for write in WRITERS.values():
        write(console)
    assert output.tried == 1
