"""What is shown spells out what is not there to be read."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.visible import encodable, visible

ANY_TEXT = st.text(st.characters(exclude_categories=()))  # lone surrogates and controls included


@settings(deadline=None)  # a busy machine is no defect
@given(ANY_TEXT)
def test_visible_text_encodes_and_stays_on_one_line(text: str) -> None:
    shown = visible(text)
    shown.encode("utf-8")
    assert len(shown.splitlines()) <= 1
    assert visible(shown) == shown


def test_bytes_that_are_not_utf8_and_reversed_text_are_spelled_out() -> None:
    assert visible("a\udcff\u202egnp.exe\n") == r"a\xff\u202egnp.exe\n"


def test_control_codes_of_one_and_two_bytes_are_spelled_out() -> None:
    assert visible("\x1b[2J\x9b31m\x07\x08\r\0\u2066") == r"\x1b[2J\x9b31m\x07\x08\r\x00\u2066"


@given(ANY_TEXT | st.text(st.characters(categories=("Cs", "L"))))
def test_encodable_text_is_what_it_was_where_it_has_an_encoding(text: str) -> None:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        encodable(text).encode("utf-8")
    else:
        assert encodable(text) == text
