"""What commands print, on whatever there is to print on.

Owns the way of every line to standard output and error. Invariant: no text is a traceback, whatever
is in it and wherever it goes. What the terminal's encoding has no character for, and what could move
a cursor or turn the reading direction, is escaped as Python would; a pipe that was closed ends the
command quietly, and a full disk in words.
"""

import errno
import io
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final, TextIO, cast

import click

_KEPT: Final = frozenset("\n\t")
_LAST_STREAM: Final = 2


def say(text: object = "", *, err: bool = False) -> None:
    """Print a line. Raises ClickException if it cannot be written; BrokenPipeError if the reader is gone."""
    stream = sys.stderr if err else sys.stdout
    try:
        stream.write(shown(str(text), stream.encoding or "ascii") + "\n")
        stream.flush()
    except OSError as error:
        _give_up(stream)
        if error.errno == errno.EPIPE:
            raise
        reason = (error.strerror or type(error).__name__).lower()
        raise click.ClickException(f"what was to be said cannot be written: {reason}") from None


def answer(values: object, text: str = "", *, as_json: bool) -> None:
    """Print what a command answers: to a program as one line of JSON, to a person as text, if there is any."""
    if as_json:
        say(json.dumps(values))
    elif text:
        say(text)


def counted(count: int, word: str) -> str:
    """Return so many of a thing: 1 account, 2 accounts."""
    plural = {"copy": "copies"}.get(word, f"{word}s")
    return f"{count:,} {word if count == 1 else plural}"


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines of a table, its head first."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def shown(text: str, encoding: str) -> str:
    """Return the text as this encoding can carry it."""
    if not text.isprintable():
        text = "".join(c if c.isprintable() or c in _KEPT else repr(c)[1:-1] for c in text)
    return text.encode(encoding, "backslashreplace").decode(encoding)


def make_output_writable() -> None:
    """Make every line of this process, a library's too, one that can be written. Call it first of all.

    A stream that the parent process closed becomes one that goes nowhere: the next file that is
    opened, the accounts for example, would have its number and get what is printed.
    """
    # In a chroot there may be no such device, and none is needed as long as all streams are open.
    if any(map(_is_closed, range(_LAST_STREAM + 1))):
        while (number := os.open(os.devnull, os.O_RDWR)) <= _LAST_STREAM:
            os.set_inheritable(number, True)
        os.close(number)
    sys.stdin = sys.stdin or _null_stream("r")
    sys.stdout, sys.stderr = sys.stdout or _null_stream("w"), sys.stderr or _null_stream("w")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _is_closed(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return True
    return False


def _null_stream(mode: str) -> TextIO:
    return cast("TextIO", Path(os.devnull).open(mode))


def _give_up(stream: TextIO) -> None:
    """Let what is still to be written go nowhere, or the interpreter would complain of it at its end."""
    if stream is sys.stdout:
        sys.stdout = _null_stream("w")
    else:
        sys.stderr = _null_stream("w")
