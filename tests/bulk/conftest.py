from __future__ import annotations

from typing import Any

import pytest
from support.virtual import virtual_backend


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    """Both loops, on time that jumps."""
    return virtual_backend(request.param)
