from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kantos_async.sandbox import Sandbox

os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
os.environ["RUNTIME__LOG_LEVEL"] = "CRITICAL"

dlt = pytest.importorskip("dlt")

Query = Callable[[str], list[tuple[Any, ...]]]


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    with Sandbox(seed=1) as running:
        monkeypatch.setenv("KANTOS_API_KEY", running.api_key)
        monkeypatch.setenv("KANTOS_BASE_URL", running.url)
        yield running


@pytest.fixture(params=["duckdb", "sqlite"])
def pipeline(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """A pipeline into a database of its own: DuckDB, or SQLite by SQLAlchemy."""
    if request.param == "duckdb":
        destination = dlt.destinations.duckdb(str(tmp_path / "warehouse.duckdb"))
    else:
        destination = dlt.destinations.sqlalchemy(f"sqlite:///{tmp_path}/warehouse.db")
    return dlt.pipeline(
        f"crm_{request.param}",
        destination=destination,
        dataset_name="crm",
        pipelines_dir=str(tmp_path / "pipelines"),
    )


@pytest.fixture
def query(pipeline: Any) -> Query:
    """`query("id, name from contacts")`."""

    def query(what: str) -> list[tuple[Any, ...]]:
        columns, table = what.split(" from ")
        with pipeline.sql_client() as client:
            table, _, rest = table.partition(" ")
            name = client.make_qualified_table_name(table)
            with client.execute_query(f"SELECT {columns} FROM {name} {rest}") as cursor:
                return [tuple(row) for row in cursor.fetchall()]

    return query
