"""What encoding a text that is no UTF-8 seems to be in, for the error that refuses it."""

from collections.abc import Mapping
from typing import Final

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

_OF_OTHER_LETTERS: Final = frozenset({"cp1251", "koi8_r"})
_LOOKED_AT: Final = 1 << 16
_MOST_LETTERS: Final = 0.2
"""Of a text in other letters than Latin ones more bytes than this are beyond ASCII."""


def remedy_of(text: bytes) -> str:
    """Say by what command a text becomes UTF-8."""
    text = text[-_LOOKED_AT:]
    guess = from_bytes(text, cp_isolation=list(NAMES)).best()
    encoding = guess.encoding if guess is not None else "cp1252"
    if encoding in _OF_OTHER_LETTERS and sum(byte > 0x7F for byte in text) < _MOST_LETTERS * len(text):
        encoding = "cp1252"
    seems = "" if guess is None else ", which it seems to be in; `iconv -l` lists others"
    return f"save the file in UTF-8, as `iconv -f {NAMES.get(encoding, 'WINDOWS-1252')} -t UTF-8` does{seems}"
