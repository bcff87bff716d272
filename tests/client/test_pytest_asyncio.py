"""What users of pytest-asyncio do: fixtures that are entered in one task and left in another."""

from __future__ import annotations

import pytest

SUITE = """
import pytest, pytest_asyncio
from support.scripts import ScriptEngine, page

@pytest_asyncio.fixture
async def k():
    async with ScriptEngine(page()).client() as client:
        yield client

@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def shared():
    async with ScriptEngine(page()).client() as client:
        yield client

@pytest.mark.asyncio
async def test_awaited(k):
    assert len(await k.records.query("obj_contacts")) == 0

@pytest.mark.asyncio
async def test_streamed(k):
    async for _ in k.records.query("obj_contacts"):
        raise AssertionError

@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("turn", [1, 2])
async def test_shared(shared, turn):
    assert await shared.records.query("obj_contacts").all() == []
"""


def test_clients_from_fixtures_of_pytest_asyncio_work(
    pytester: pytest.Pytester, pytestconfig: pytest.Config
) -> None:
    pytester.makepyfile(SUITE)
    pytester.makeini(
        "[pytest]\nfilterwarnings = error\nasyncio_default_fixture_loop_scope = function\n"
        f"pythonpath = {pytestconfig.rootpath / 'tests'}\n"
    )
    result = pytester.runpytest_subprocess("-p", "no:anyio", "-p", "no:cacheprovider")
    result.assert_outcomes(passed=4)
