"""Where a command writes: results to standard output, everything else to standard error.

With `--json` standard output is one JSON document and nothing more.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
from cyclopts import Parameter
from rich.console import Console
from rich.table import Table
from rich.text import Text

from .progress import Bars, Display, Lines, Silent
from .streams import put_bytes

__all__ = ["STANDARD", "Flag", "Output", "printable"]

Flag = Annotated[bool, Parameter(negative="", show_default=False)]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Output:
    """The options that every command shares, and what follows from them."""

    json: Flag = False
    """Print the result as JSON."""

    quiet: Flag = False
    """Print the result and errors only: no progress, no remarks."""

    def remark(self, text: str) -> None:
        """Tell people something in passing, on standard error."""
        if not self.quiet:
            print(text, file=sys.stderr, flush=True)

    @contextmanager
    def progress(self) -> Generator[Display]:
        """Show the steps of long work: bars on a terminal, otherwise plain lines."""
        console = Console(stderr=True)
        if self.quiet:
            yield Silent()
        elif console.is_terminal and not console.is_dumb_terminal:
            with Bars(console) as bars:
                yield bars
        else:
            yield Lines(console)

    def facts(self, title: str, facts: Mapping[str, Any]) -> None:
        """Print one thing by its properties: a table of two columns, or a JSON object."""
        if self.json:
            self.document({name.replace(" ", "_"): value for name, value in facts.items()})
            return
        table = Table(title=title, show_header=False, title_justify="left")
        for name, value in facts.items():
            table.add_row(name, _cell(value, justify="right"))
        _print(table)

    def counts(self, title: str, facts: Mapping[str, Any]) -> None:
        """Print facts of which a person wants to see only those that are not 0 or None."""
        told = facts if self.json else {name: value for name, value in facts.items() if value}
        self.facts(title, told)

    def table(self, title: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Print things of one kind, one a line: a table, or a JSON array of objects.

        All rows have the members of the first one.
        """
        if self.json:
            self.document(rows)
            return
        table = Table(title=title, title_justify="left")
        for place, (name, value) in enumerate(rows[0].items() if rows else ()):
            # Ids come first, and are the last to be cut where the terminal is narrow.
            justify: Any = "right" if _is_number(value) else "left"
            table.add_column(name, justify=justify, no_wrap=not place)
        for row in rows:
            table.add_row(*map(_cell, row.values()))
        _print(table if rows else f"{title}: none")

    def show(self, text: Text) -> None:
        """Print a few lines as they are."""
        _print(text)

    def document(self, document: Any) -> None:
        """Print a JSON document, whether or not `--json` asks for it."""
        try:
            text = msgspec.json.encode(document)
        except UnicodeEncodeError:  # the name of a file may hold bytes that are no text
            text = json.dumps(msgspec.to_builtins(document)).encode()
        # Bytes, because JSON is UTF-8 whatever the terminal's encoding.
        put_bytes(msgspec.json.format(text) + b"\n")


STANDARD = Output()


def printable(text: str) -> str:
    """The text on one line, without what could drive the terminal."""
    return _CONTROL.sub(" ", text)


def _print(what: Table | Text | str) -> None:
    console = Console()
    if not console.is_terminal:
        console.width = _WIDE
    console.print(what)


#: Columns of a file or a pipe, which cut nothing.
_WIDE = 10_000

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]+")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _cell(value: Any, justify: Any = None) -> Text:
    # Text, not markup: a CRM's `[bold]` is data. Control characters could drive the terminal.
    match value:
        case None:
            text = ""
        case bool():
            text = "yes" if value else "no"
        case int():
            text = f"{value:,}"
        case float():
            text = f"{value:,.1f}"
        case _:
            text = printable(str(value))
    return Text(text, justify=justify)
