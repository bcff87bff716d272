from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from generator.spec import load

ROOT = Path(__file__).parents[2]
COMMITTED = load(ROOT / "openapi" / "kantos.yaml").raw


@pytest.fixture
def document() -> dict[str, Any]:
    """A copy of the API's document, to be changed."""
    return copy.deepcopy(COMMITTED)
