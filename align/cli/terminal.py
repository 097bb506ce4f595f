"""What goes to the terminal: text that commands nothing, to streams that may be full or gone."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import sys
from collections.abc import Iterator
from typing import TextIO

from masks.errors import OutputError

# Names of files may hold escape sequences, which set colours, titles or the clipboard, and marks that turn
# the direction of what follows. Half surrogates stand for bytes of a name that are no UTF-8.
_COMMANDS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: str) -> str:
    """Return a text with its control characters, but for new lines and tabs, written as escapes."""
    return _COMMANDS.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


class StandardError:
    """Standard error as a file that takes everything: that the terminal is closed or the disk full is no
    reason to lose hours of work.
    """

    def __init__(self) -> None:
        self._stream = sys.stderr

    def write(self, text: str) -> int:
        """Write, or don't."""
        with _into_nothing_when_broken(self._stream):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Flush, or don't."""
        with _into_nothing_when_broken(self._stream):
            self._stream.flush()

    def isatty(self) -> bool:
        """Tell whether a person reads it."""
        with contextlib.suppress(ValueError, AttributeError):
            return self._stream.isatty()
        return False

    @property
    def encoding(self) -> str:
        """The stream's own."""
        return getattr(self._stream, "encoding", None) or "utf-8"


@contextlib.contextmanager
def standard_output() -> Iterator[TextIO]:
    """Yield standard output to be written to. One that is closed, or whose reader has gone away, is no error;
    a full one is an `OutputError`.
    """
    try:
        if sys.stdout is None:
            with open(os.devnull, "w", encoding="utf-8") as nothing:
                yield nothing
        else:
            try:
                yield sys.stdout
            finally:
                sys.stdout.flush()
    except BrokenPipeError:
        _into_nothing(sys.stdout)
    except OSError as error:
        _into_nothing(sys.stdout)
        raise OutputError(
            f"standard output cannot be written ({error.strerror}). Send it to another place."
        ) from error


class TerminalLog(logging.Handler):
    """Prints what is logged."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print one message."""
        # Found anew each time: a live display puts what is written to standard error above itself.
        with _into_nothing_when_broken(sys.stderr):
            sys.stderr.write(printable(record.getMessage()) + "\n")


@contextlib.contextmanager
def _into_nothing_when_broken(stream: TextIO) -> Iterator[None]:
    try:
        yield
    # A program that was started without the stream has none; one that is closed raises a ValueError.
    except (OSError, ValueError, AttributeError):
        _into_nothing(stream)


def _into_nothing(stream: TextIO | None) -> None:
    """Let whatever is still written to a stream, at the exit of the interpreter too, go nowhere."""
    if stream is None:
        return
    with contextlib.suppress(OSError, ValueError):
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, stream.fileno())
        os.close(nothing)
