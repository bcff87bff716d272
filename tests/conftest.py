from __future__ import annotations

import signal

import pytest
from hypothesis import settings
from support.rows import ALL

# The everyday tests are the same every day, on a machine of any speed; the long run draws anew.
settings.register_profile("everyday", derandomize=not ALL, deadline=None)
settings.load_profile("everyday")

pytest_plugins = ["pytester"]


def pytest_configure() -> None:
    # A shell that starts a job in the background has it, and its children, ignore Ctrl-C.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """Every async test runs on both loops."""
    return request.param
