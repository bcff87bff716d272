"""Fault plans in files."""

from __future__ import annotations

from pathlib import Path

import msgspec

from .faults import Faults

__all__ = ["read_plan"]


def read_plan(path: Path) -> Faults:
    """Read a fault plan from a `.yaml`, `.yml`, `.json` or `.toml` file.

    Raises:
        ValueError: naming the file, and the member that is unknown or out of range.
        OSError: when the file cannot be read.
    """
    content = path.read_bytes()
    try:
        match path.suffix.lower():
            case ".yaml" | ".yml":
                return msgspec.yaml.decode(content, type=Faults)
            case ".json":
                return msgspec.json.decode(content, type=Faults)
            case ".toml":
                return msgspec.toml.decode(content, type=Faults)
            case other:
                raise ValueError(
                    f"a plan is .yaml, .json or .toml, not {other or 'without ending'}"
                )
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
