"""Where a text shows that it is no UTF-8, and what it seems to be in: for the error that refuses it."""

import re
from collections.abc import Mapping
from typing import BinaryIO, Final, NamedTuple

from charset_normalizer import from_bytes

NAMES: Final[Mapping[str, str]] = {
    "cp932": "CP932",
    "euc_jp": "EUC-JP",
    "gb18030": "GB18030",
    "big5": "BIG5",
    "euc_kr": "EUC-KR",
    "cp1251": "WINDOWS-1251",
    "koi8_r": "KOI8-R",
    "cp1252": "WINDOWS-1252",
}
"""Those that are tried, with what iconv calls them: Shift-JIS and its like, and those of Windows."""

_LATIN: Final = "cp1252"
_LOOKED_AT: Final = 1 << 16
_OF_OTHER_WORDS: Final = re.compile(rb"[\x80-\xff]{4}|[\x82\x83][\x40-\xf1][\x82\x83][\x40-\xf1]")
"""Words in letters beyond ASCII alone, or in kana of Shift-JIS, half of whose bytes are within it."""

_NO_LATIN_LETTER: Final = re.compile(rb"[\x80-\xbf]")
_CUT: Final = re.compile(rb"[\xf0-\xf4][\x80-\xbf]{2}(?![\x80-\xbf])")
"""The beginning of a character of four bytes in UTF-8, such as an emoji."""


class Fault(NamedTuple):
    """The first byte of a text that is none of UTF-8: its line, which of that line it is, and the text around it."""

    line: int
    place: int
    byte: int
    around: bytes


def first_fault(stream: BinaryIO) -> Fault | None:
    """Return where a text is no UTF-8; None if it is."""
    line, place, before, data = 1, 1, b"", b""
    while True:
        piece = stream.read(_LOOKED_AT)
        data += piece
        end, is_cut = _end_of_good(data)
        line += data.count(b"\n", 0, end)
        place = end - data.rfind(b"\n", 0, end) + (place - 1 if b"\n" not in data[:end] else 0)
        if end < len(data) and not (is_cut and piece):
            return Fault(line, place, data[end], (before + data)[-_LOOKED_AT:] + stream.read(_LOOKED_AT))
        if not piece:
            return None
        before, data = data[:end], data[end:]


def remedy_of(around: bytes) -> str:
    """Say by what command a text becomes UTF-8, as far as what is around its fault tells."""
    if _is_damaged(around):
        return "the text around it is: mend what is damaged there, or leave it out by `iconv -c -f UTF-8 -t UTF-8`"
    encoding = _guessed(around)
    if encoding is None:
        return (
            "save the file in UTF-8, as `iconv -f ENCODING -t UTF-8` does from the one it is in (`iconv -l` lists them)"
        )
    seems = f"it seems to be in {NAMES[encoding]}"
    return f"{seems}: save the file in UTF-8, as `iconv -f {NAMES[encoding]} -t UTF-8` does (`iconv -l` lists others)"


def _end_of_good(data: bytes) -> tuple[int, bool]:
    """Return how far data is UTF-8, and whether what follows may only be the beginning of a character."""
    try:
        data.decode()
    except UnicodeDecodeError as error:
        return error.start, error.reason == "unexpected end of data"
    return len(data), False


def _is_damaged(around: bytes) -> bool:
    """Tell whether a text is UTF-8 but for a few bytes."""
    good = sum(character > "\x7f" for character in around.decode(errors="ignore"))
    bad = around.decode(errors="replace").count("\ufffd")
    return good >= bad or (bad == 1 and _CUT.search(around) is not None)


def _guessed(around: bytes) -> str | None:
    guess = from_bytes(around, cp_isolation=list(NAMES)).best()
    encoding = guess.encoding if guess is not None else None
    if _OF_OTHER_WORDS.search(around):
        return None if encoding == _LATIN else encoding
    return _LATIN if encoding is not None or _NO_LATIN_LETTER.search(around) is None else None
