from __future__ import annotations

import signal

import pytest

pytest_plugins = ["pytester"]


def pytest_configure() -> None:
    # A shell that starts a job in the background has it, and its children, ignore Ctrl-C.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """Every async test runs on both loops."""
    return request.param
