"""Standard streams whose reader has left, or that were closed before we began."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from typing import Any, TextIO, cast

__all__ = ["has_left", "lenient_streams", "put_bytes"]


class _Lenient:
    """A text stream that goes mute when its reader leaves: that must not end a command's work.

    rich in particular would end the process.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.is_mute = False

    def write(self, text: str) -> int:
        if not self.is_mute:
            try:
                return self._stream.write(text)
            except BrokenPipeError:
                self.mute()
        return len(text)

    def flush(self) -> None:
        if not self.is_mute:
            try:
                self._stream.flush()
            except BrokenPipeError:
                self.mute()

    def mute(self) -> None:
        self.is_mute = True
        # What is in its buffer goes to the null device, or Python would complain at exit.
        with contextlib.suppress(OSError, ValueError):
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, self._stream.fileno())
            os.close(null)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def lenient_streams() -> Generator[None]:
    """Let standard output and standard error go mute, instead of failing, while the block runs.

    So they are where they were closed from the start. A letter that a terminal lacks shows its
    code.
    """
    before = sys.stdout, sys.stderr
    with ExitStack() as opened:
        streams: list[TextIO] = []
        for stream in before:
            if stream is None:
                stream = opened.enter_context(open(os.devnull, "w", encoding="utf-8"))  # noqa: PLW2901
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")
            streams.append(cast("TextIO", _Lenient(stream)))
        sys.stdout, sys.stderr = streams
        try:
            yield
        finally:
            sys.stdout, sys.stderr = before
            streams[1].flush()


def put_bytes(data: bytes) -> None:
    """Write to standard output as it is, whatever the encoding of its text."""
    sys.stdout.flush()
    if has_left(sys.stdout):
        return
    try:
        sys.stdout.buffer.write(data)
    except BrokenPipeError:
        cast("_Lenient", sys.stdout).mute()
    sys.stdout.flush()


def has_left(stream: TextIO) -> bool:
    """Whether the stream's reader was seen to have left."""
    return bool(getattr(stream, "is_mute", False))
