"""`python -m generator`: write the package, or check that it is as the document says."""

from __future__ import annotations

import argparse
import difflib
import sys
from pathlib import Path

from .render import generate
from .spec import SpecError, load

ROOT = Path(__file__).parent.parent


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0: written, or up to date; 1: out of date; 2: the document cannot be used."""
    parser = argparse.ArgumentParser(prog="python -m generator", description=__doc__)
    parser.add_argument("--spec", type=Path, default=ROOT / "openapi" / "kantos.yaml")
    parser.add_argument("--output", type=Path, default=ROOT / "kantos_async" / "api")
    parser.add_argument("--check", action="store_true", help="write nothing; print what differs")
    options = parser.parse_args(arguments)
    try:
        files = generate(load(options.spec))
    except SpecError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    if options.check:
        return check(files, options.output)
    write(files, options.output)
    return 0


def check(files: dict[str, str], output: Path) -> int:
    """Print how the folder differs from what it should hold; 1 if it does."""
    present = {
        path.relative_to(output).as_posix(): path.read_text(encoding="utf-8")
        for path in output.rglob("*.py")
    }
    difference = [
        line
        for name in sorted(files.keys() | present.keys())
        for line in difflib.unified_diff(
            present.get(name, "").splitlines(keepends=True),
            files.get(name, "").splitlines(keepends=True),
            f"{output.name}/{name} (committed)",
            f"{output.name}/{name} (generated)",
        )
    ]
    sys.stdout.writelines(difference)
    return 1 if difference else 0


def write(files: dict[str, str], output: Path) -> None:
    """Make the folder hold these modules, and no others."""
    for path in output.rglob("*.py"):
        if path.relative_to(output).as_posix() not in files:
            path.unlink()
    for name, source in files.items():
        (output / name).parent.mkdir(parents=True, exist_ok=True)
        (output / name).write_text(source, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    sys.exit(main())
