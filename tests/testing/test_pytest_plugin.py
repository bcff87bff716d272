"""The pytest plugin, in test suites of its users: other processes, each with a plugin for loops."""

from __future__ import annotations

from typing import Any

import pytest

#: Tests of users, as any of the plugins for async tests runs them.
SUITE = """
import pytest
from kantos_async import F, Kantos, KantosAsync, RateLimitError
{imports}

{marked}
async def test_a_client_that_nobody_opens_or_closes(kantos_sandbox, kantos_client):
    lead = await kantos_client.records.create(
        object_id="obj_contacts", field_values={{"name": "Ann"}}
    )
    assert kantos_sandbox.record(lead.id)["field_values"] == {{"name": "Ann"}}

{marked}
@pytest.mark.kantos(seed_records=250)
async def test_a_stream_that_is_left(kantos_client):
    async for lead in kantos_client.records.query("obj_contacts"):
        return
    raise AssertionError

{marked}
async def test_a_fresh_account(kantos_sandbox, kantos_client):
    assert kantos_sandbox.log == []
    assert await kantos_client.records.query("obj_contacts").all() == []

{marked}
async def test_a_client_that_is_closed(kantos_client):
    async with kantos_client as k:
        assert await k.objects.list()

{marked}
async def test_a_client_of_the_codes_own(kantos_sandbox):
    async with KantosAsync() as k:
        await k.records.create(object_id="obj_contacts", field_values={{"name": "Ann"}})
    assert len(kantos_sandbox.records("obj_contacts")) == 1

{fixture}
async def lead(kantos_client):
    made = await kantos_client.records.create(
        object_id="obj_contacts", field_values={{"name": "Ann"}}
    )
    yield made
    await kantos_client.records.delete(made.id)

{marked}
async def test_async_fixtures_share_the_client(lead, kantos_client):
    assert await kantos_client.records.get(lead.id) == lead

def test_blocking_code(kantos_sandbox):
    with Kantos() as k:
        k.records.create(object_id="obj_contacts", field_values={{"name": "Ann"}})
    assert len(kantos_sandbox.records("obj_contacts")) == 1

def test_a_loop_of_the_tests_own(kantos_client):
    import asyncio
    async def main():
        return await kantos_client.objects.list()
    assert asyncio.run(main())

def test_a_client_that_is_never_used(kantos_client):
    pass
"""

MARKS = """
import pytest
from kantos_async import RetryPolicy
from kantos_async.sandbox import Faults

def names(sandbox):
    return [name for name in ("drop_after", "html") if getattr(sandbox.faults.plan, name)]

def test_nothing_marked(kantos_sandbox):
    assert kantos_sandbox.core.quota.limit is None
    assert names(kantos_sandbox) == []

@pytest.mark.kantos(plan="free", faults={"drop_after": 0.1, "seed": 7})
class TestMarked:
    def test_the_class(self, kantos_sandbox):
        assert kantos_sandbox.core.quota.limit == 100
        assert names(kantos_sandbox) == ["drop_after"]

    @pytest.mark.kantos(faults=Faults(html=0.5))
    def test_the_closest_wins(self, kantos_sandbox):
        assert kantos_sandbox.core.quota.limit == 100
        assert names(kantos_sandbox) == ["html"]

@pytest.mark.kantos(plna="free")
def test_no_such_setting(kantos_sandbox): pass

@pytest.mark.kantos(faults={"dorp_after": 0.1})
def test_no_such_fault(kantos_sandbox): pass

@pytest.mark.kantos(faults={"drop_after": 7})
def test_out_of_range(kantos_sandbox): pass

@pytest.mark.kantos(faults={"latency": "fast"})
def test_no_number(kantos_sandbox): pass

@pytest.mark.kantos("free")
def test_by_place(kantos_sandbox): pass
"""

FAILING = """
import httpx

def test_it(kantos_sandbox):
    headers = {"X-Api-Key": kantos_sandbox.api_key}
    for page in range(1, 23):
        httpx.get(f"{kantos_sandbox.url}/crm/records/query?page={page}", headers=headers)
    kantos_sandbox.faults.next("drop_after")
    httpx.get(f"{kantos_sandbox.url}/crm/objects", headers=headers)
"""


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run a suite in a process of its own, where a warning is an error."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")

    def run(source: str, *plugins: str, **settings: str) -> pytest.RunResult:
        pytester.makepyfile(source)
        lines = [f"{name} = {value}" for name, value in settings.items()]
        pytester.makeini("\n".join(["[pytest]", "filterwarnings = error", *lines]))
        options = ["--strict-markers", "-p", "no:cacheprovider"]
        for plugin in (*plugins, "kantos_async"):  # the names of entry points
            options += ["-p", plugin]
        return pytester.runpytest_subprocess(*options)

    return run


@pytest.mark.parametrize("scope", ["function", "module"])
def test_on_pytest_asyncio(run: Any, scope: str) -> None:
    source = SUITE.format(
        imports="import pytest_asyncio",
        marked="@pytest.mark.asyncio",
        fixture="@pytest_asyncio.fixture",
    )
    settings = {
        "asyncio_default_fixture_loop_scope": scope,
        "asyncio_default_test_loop_scope": scope,
    }
    run(source, "asyncio", **settings).assert_outcomes(passed=9)


def test_on_pytest_asyncio_in_auto_mode_beside_anyio(run: Any) -> None:
    source = SUITE.format(imports="", marked="", fixture="@pytest.fixture")
    settings = {"asyncio_mode": "auto", "asyncio_default_fixture_loop_scope": "function"}
    run(source, "asyncio", "anyio", **settings).assert_outcomes(passed=9)


def test_on_anyio(run: Any) -> None:
    source = SUITE.format(imports="", marked="@pytest.mark.anyio", fixture="@pytest.fixture")
    run(source, "anyio").assert_outcomes(passed=6 * 2 + 3)


def test_on_anyio_in_auto_mode_beside_pytest_asyncio(run: Any) -> None:
    source = SUITE.format(imports="", marked="", fixture="@pytest.fixture")
    settings = {"anyio_mode": "auto", "asyncio_default_fixture_loop_scope": "function"}
    run(source, "asyncio", "anyio", **settings).assert_outcomes(passed=6 * 2 + 3)


def test_the_marker_sets_the_sandbox_up(run: Any) -> None:
    result = run(MARKS)
    result.assert_outcomes(passed=3, errors=5)
    result.stdout.fnmatch_lines(
        [
            "*@pytest.mark.kantos:*plna*",
            "*@pytest.mark.kantos:*dorp_after*",
            "*@pytest.mark.kantos:*chance from 0 to 1*",
            "*@pytest.mark.kantos: latency must be a finite number*fast*",
            "*@pytest.mark.kantos takes settings by name only*",
        ]
    )


def test_a_failed_test_shows_its_requests(run: Any) -> None:
    result = run(FAILING)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*Requests to kantos_sandbox*",
            "(3 more before)",
            "GET /api/crm/records/query?page=4 -> 400",
            "*page=22 -> 400",
            "GET /api/crm/objects -> 200 (drop_after)",
        ]
    )


def test_it_loads_nothing_until_it_is_needed(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COVERAGE_PROCESS_START", raising=False)  # coverage loads sqlite3
    run(
        """
        import sys

        def test_it():
            ours = {name for name in sys.modules if name.startswith("kantos_async.")}
            assert "kantos_async.testing" in ours
            assert not {"kantos_async.sandbox", "kantos_async.bulk", "kantos_async.sync"} & ours
            assert not {"httpx", "uvicorn", "sqlite3"} & set(sys.modules)
        """
    ).assert_outcomes(passed=1)
