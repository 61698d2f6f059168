"""File names made safe to print: on one line, without control sequences."""

from __future__ import annotations

import unicodedata

_UNSEEN = ("Cc", "Cf", "Cs", "Zl", "Zp")
"""Unicode categories of control and format characters (among them those that reorder text), surrogates, line ends."""
_JOINERS = "\u200c\u200d"  # part of the spelling of some languages, harmless to terminals
_RAW = range(0xDC80, 0xDD00)
"""Python's surrogates for bytes in file names that are not UTF-8: the byte plus 0xDC00."""


def printable(text: str) -> str:
    """`text` with everything escaped that is not seen, as a Python string would be: an escape sequence, a line break, or
    a byte that is not UTF-8 (`\\xff`)."""
    return "".join(_escaped(sign) if _unseen(sign) else sign for sign in text)


def _unseen(sign: str) -> bool:
    return unicodedata.category(sign) in _UNSEEN and sign not in _JOINERS


def _escaped(sign: str) -> str:
    if ord(sign) in _RAW:
        return f"\\x{ord(sign) - 0xDC00:02x}"
    return sign.encode("unicode_escape").decode()
