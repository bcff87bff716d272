"""The pytest plugin: a sandbox and a client for each test.

It is there in every environment that has this package (entry point `pytest11`) and costs nothing
until a test asks for a fixture. `docs/testing.md` shows its use.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import pytest

# What the fixtures need loads with them, so that neither other people's tests pay for it nor a
# measurement of coverage begins too late.
if TYPE_CHECKING:
    from kantos_async import KantosAsync
    from kantos_async.sandbox import Sandbox

__all__ = ["kantos_client", "kantos_sandbox"]

#: How many of the last requests a failed test shows.
_SHOWN = 20


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line(
        "markers",
        "kantos(plan=..., faults={...}, ...): settings of this test's `kantos_sandbox`, as "
        "`kantos_async.sandbox.Sandbox` takes them; the closest marker wins.",
    )


@pytest.fixture
def kantos_sandbox(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Generator[Sandbox]:
    """A Kantos server of the test's own: a fresh account on a port of its own.

    `@pytest.mark.kantos(...)` sets it up. `KANTOS_BASE_URL` and `KANTOS_API_KEY` lead to it, so
    that the code under test needs no other settings than in production, and cannot reach them.
    """
    # Not one server for all tests: a new one takes some 5 ms, and what an earlier test left
    # running finds its door closed instead of writing into this test's account.
    with _sandbox(request.node) as sandbox:
        monkeypatch.setenv("KANTOS_BASE_URL", sandbox.url)
        monkeypatch.setenv("KANTOS_API_KEY", sandbox.api_key)
        yield sandbox


@pytest.fixture
def kantos_client(kantos_sandbox: Sandbox) -> Generator[KantosAsync]:
    """An async client of `kantos_sandbox`, for one test and its fixtures; it needs no closing.

    It opens at its first use, on whatever event loop that is: of pytest-asyncio, of anyio
    (asyncio or trio), or of the test's own `asyncio.run`.
    """
    import httpx  # noqa: PLC0415

    from kantos_async import KantosAsync  # noqa: PLC0415

    # It outlives the loop, which may end before or after this fixture does, depending on who runs
    # the test; so it keeps no connection open between two requests.
    limits = httpx.Limits(max_keepalive_connections=0)
    http = httpx.AsyncClient(limits=limits, verify=False, trust_env=False)
    client = KantosAsync(kantos_sandbox.api_key, base_url=kantos_sandbox.url, http_client=http)
    yield client
    client._session.wire.abandon()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what a failed test has asked of its sandbox."""
    report = yield
    sandbox: Sandbox | None = getattr(item, "funcargs", {}).get("kantos_sandbox")
    if report.when == "call" and report.failed and sandbox is not None and sandbox.log:
        log = sandbox.log
        lines = [_line(entry) for entry in log[-_SHOWN:]]
        left_out = len(log) - len(lines)
        if left_out:
            lines.insert(0, f"({left_out} more before)")
        report.sections.append(("Requests to kantos_sandbox", "\n".join(lines)))
    return report


def _sandbox(item: pytest.Item) -> Sandbox:
    from kantos_async.sandbox import Faults, Sandbox  # noqa: PLC0415

    settings: dict[str, Any] = {}
    for mark in reversed(list(item.iter_markers("kantos"))):
        if mark.args:
            pytest.fail("@pytest.mark.kantos takes settings by name only", pytrace=False)
        settings |= mark.kwargs
    try:
        if isinstance(settings.get("faults"), dict):
            settings["faults"] = Faults(**settings["faults"])
        return Sandbox(**settings)
    except (TypeError, ValueError) as error:
        pytest.fail(f"@pytest.mark.kantos: {error}", pytrace=False)


def _line(entry: Any) -> str:
    target = f"{entry.path}?{entry.query}" if entry.query else entry.path
    fate = f" ({entry.fate})" if entry.fate else ""
    return f"{entry.method} {target} -> {entry.status or 'no connection'}{fate}"
