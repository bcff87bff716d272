"""Where a command writes: results to standard output, everything else to standard error.

With `--json` standard output is one JSON document and nothing more.
"""

from __future__ import annotations

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

__all__ = ["STANDARD", "Output"]

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
            self._print_json({name.replace(" ", "_"): value for name, value in facts.items()})
            return
        table = Table(title=title, show_header=False, title_justify="left")
        for name, value in facts.items():
            table.add_row(name, _cell(value, justify="right"))
        Console().print(table)

    def table(self, title: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Print things of one kind, one a line: a table, or a JSON array of objects.

        All rows have the members of the first one.
        """
        if self.json:
            self._print_json(rows)
            return
        table = Table(title=title, title_justify="left")
        for name, value in rows[0].items() if rows else ():
            table.add_column(name, justify="right" if _is_number(value) else "left")
        for row in rows:
            table.add_row(*map(_cell, row.values()))
        Console().print(table if rows else f"{title}: none")

    def _print_json(self, document: Any) -> None:
        # Bytes, because JSON is UTF-8 whatever the terminal's encoding.
        sys.stdout.flush()
        sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(document)) + b"\n")
        sys.stdout.flush()


STANDARD = Output()

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
            text = _CONTROL.sub(" ", str(value))
    return Text(text, justify=justify)
