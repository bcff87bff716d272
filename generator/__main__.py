"""`python -m generator`: write the package, or check that it is as the document says."""

from __future__ import annotations

import argparse
import difflib
import sys
from pathlib import Path

from .blocking import FILE, BlockingError, blocking_client
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
    handle = check if options.check else write
    try:
        code = handle(generate(load(options.spec)), options.output)
        package = options.output.parent
        if (package / "client.py").exists():  # the client that is built on what was generated
            code |= handle({FILE: blocking_client(package)}, package / "sync", FILE)
    except (SpecError, BlockingError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return code


def check(files: dict[str, str], output: Path, pattern: str = "*.py") -> int:
    """Print how the folder's generated files differ from what they should be; 1 if they do."""
    wanted = {name: source.encode() for name, source in files.items()}
    present = {
        path.relative_to(output).as_posix(): path.read_bytes() for path in output.rglob(pattern)
    }
    # Bytes, not lines: a file too many may be empty, and other line ends are a difference.
    different = [
        name
        for name in sorted(wanted.keys() | present.keys())
        if wanted.get(name) != present.get(name)
    ]
    for name in different:
        lines = difflib.unified_diff(
            _lines(present.get(name)),
            _lines(wanted.get(name)),
            f"{output.name}/{name} (committed)",
            f"{output.name}/{name} (generated)",
        )
        said = "differs in its bytes" if name in wanted else "is not generated"
        sys.stdout.write("".join(lines) or f"{output.name}/{name} {said}\n")
    return 1 if different else 0


def _lines(source: bytes | None) -> list[str]:
    """Lines to be shown: what is no text, and the other ends of lines, as escapes."""
    text = (source or b"").decode("utf-8", "backslashreplace").replace("\r", "\\r")
    return [f"{line}\n" for line in text.removesuffix("\n").split("\n")] if text else []


def write(files: dict[str, str], output: Path, pattern: str = "*.py") -> int:
    """Make the folder hold these files, and no others of the pattern; 0."""
    for path in output.rglob(pattern):
        if path.relative_to(output).as_posix() not in files:
            path.unlink()
    for name, source in files.items():
        (output / name).parent.mkdir(parents=True, exist_ok=True)
        (output / name).write_text(source, encoding="utf-8", newline="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
