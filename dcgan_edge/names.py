"""Names of strangers, made fit to be shown: one function for every name of a file that a person reads."""

from __future__ import annotations

import os

LONGEST = 200  # characters; a path may have 4,095


def shown(name: str | bytes | os.PathLike[str], *, longest: int = LONGEST) -> str:
    r"""Return `name` as one line of printable characters, at most about `longest` of them.

    The middle is left out of a longer one.

    Control characters, line breaks and marks that turn the direction of writing become `\n`, `\x1b` or
    `\u202e`; bytes that are no UTF-8 become `\xff`. What is printable, markup included, stays as it is: rich
    and HTML are told by their callers that it is no markup.
    """
    text = "\\n".join(printable(os.fsdecode(name)).split("\n"))
    if len(text) <= longest:
        return text
    half = longest // 2 - 2
    return f"{text[:half]}...{text[-half:]}"


def printable(text: str) -> str:
    """Return `text`, line breaks kept, with what is not printable in it escaped as `shown` does."""
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() or letter == "\n" else _escaped(letter) for letter in text)


def _escaped(letter: str) -> str:
    code = ord(letter)
    if 0xDC80 <= code <= 0xDCFF:  # how Python carries a byte that is no UTF-8
        return f"\\x{code - 0xDC00:02x}"
    return letter.encode("unicode_escape", "backslashreplace").decode("ascii")
