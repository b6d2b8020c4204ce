import io
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.datasets.encodings import Fault, first_fault, remedy_of


class Slow(io.BytesIO):
    """Gives a few bytes at a time, so that characters are cut."""

    def read(self, size: int | None = -1) -> bytes:
        return super().read(3)


def place(text: bytes) -> tuple[int, int, int] | None:
    fault = first_fault(Slow(text))
    return fault and (fault.line, fault.place, fault.byte)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"", None),
        ("größe €\n😀".encode(), None),
        (b"a\xff", (1, 2, 0xFF)),
        ("größe\n".encode() + b"\n\ngr\xf6\xdfe\n\xff", (4, 3, 0xF6)),
        ("ü".encode() + b"\n" + "😀".encode()[:3], (2, 1, 0xF0)),
        ("größe: ".encode() + b"\xc3 and on", (1, 10, 0xC3)),
    ],
)
def test_the_first_byte_that_is_no_utf_8_is_named_by_its_line_and_place(
    text: bytes, expected: tuple[int, int, int] | None
) -> None:
    assert place(text) == expected


@given(st.binary(max_size=40) | st.text(max_size=12).map(str.encode))
def test_what_is_before_a_fault_is_utf_8_and_nothing_that_begins_with_it(text: bytes) -> None:
    found = place(text)
    if found is None:
        text.decode()
        return
    line, column, byte = found
    lines = text.split(b"\n")
    before = b"\n".join([*lines[: line - 1], lines[line - 1][: column - 1]])
    before.decode()
    assert text[len(before)] == byte
    with pytest.raises(UnicodeDecodeError):
        text[: len(before) + 4].decode()


SAID = "save the file in UTF-8, as `iconv -f {} -t UTF-8` does"
DAMAGED = "the text around it is: mend what is damaged there"


def texts() -> Iterator[tuple[bytes, str]]:
    """Texts with few words beyond ASCII, of which more than one encoding could be said."""
    yield b"q,a\n" + b"x,y\n" * 9_000 + "größe,5\n".encode("cp1252"), SAID.format("WINDOWS-1252")
    yield "questão,não\n".encode("cp1252") * 50, SAID.format("WINDOWS-1252")
    yield "1,テスト\n2,データ\n3,カメラ\n".encode("cp932"), SAID.format("CP932")
    yield "odpowiedź,śćąż\n".encode("cp1250"), SAID.format("ENCODING")
    yield "größe, weiß\n".encode() * 9 + b"gr\xf6\n", DAMAGED
    yield b'{"q":"an emoji \xf0\x9f\x98 cut"}', DAMAGED


@pytest.mark.parametrize(("text", "said"), [*texts()], ids=lambda part: part if isinstance(part, str) else "")
def test_no_encoding_is_named_that_the_text_does_not_show(text: bytes, said: str) -> None:
    fault = first_fault(io.BytesIO(text))
    assert isinstance(fault, Fault)
    assert said in remedy_of(fault.around)
