"""Bulk runs from blocking code: rows stay in the thread that gave them."""

from __future__ import annotations

import signal
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kantos_async import Kantos
from kantos_async.sandbox import Sandbox


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[Kantos]:
    sandbox.reset()
    with Kantos(sandbox.api_key, base_url=sandbox.url) as opened:
        yield opened


def rows(count: int) -> list[dict[str, str]]:
    return [{"name": f"P {n}", "email": f"p{n}@example.com"} for n in range(count)]


def test_rows_of_a_database_cursor_which_only_its_thread_may_use(
    client: Kantos, sandbox: Sandbox
) -> None:
    with sqlite3.connect(":memory:") as db:
        db.row_factory = sqlite3.Row
        db.execute("CREATE TABLE person (name, email)")
        db.executemany("INSERT INTO person VALUES (:name, :email)", rows(550))
        cursor = (dict(row) for row in db.execute("SELECT * FROM person"))
        run = client.records.upsert_many(cursor, object_id="obj_contacts", key="email")
        assert run.explain().created == 550
        with run:
            assert {outcome.status for outcome in run} == {"created"}
        assert run.report.created == 550
    db.close()
    assert len(sandbox.records("obj_contacts")) == 550


def test_rows_that_the_same_client_reads(client: Kantos, sandbox: Sandbox) -> None:
    sandbox.insert("obj_contacts", rows(150))
    found = (record.id for record in client.records.scan("obj_contacts"))
    report = client.records.delete_many(found, object_id="obj_contacts").result()
    assert (report.deleted, sandbox.records("obj_contacts")) == (150, [])


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="no such signals")
def test_ctrl_c_settles_what_is_under_way(client: Kantos, sandbox: Sandbox, tmp_path: Path) -> None:
    main = threading.main_thread().ident
    assert main is not None
    state = tmp_path / "contacts.state"

    def sync() -> Iterator[str]:
        run = client.records.upsert_many(
            rows(400), object_id="obj_contacts", key="email", state=state
        )
        with run:
            for outcome in run:
                yield outcome.status

    def press() -> None:
        while len(sandbox.records("obj_contacts")) < 50:
            time.sleep(0.005)
        signal.pthread_kill(main, signal.SIGINT)

    pressing = threading.Thread(target=press)
    pressing.start()
    with pytest.raises(KeyboardInterrupt):
        list(sync())
    pressing.join()
    written = len(sandbox.records("obj_contacts"))
    assert 50 <= written < 400
    statuses = list(sync())
    assert statuses.count("created") == 400 - written
    assert len({row["field_values"]["email"] for row in sandbox.records("obj_contacts")}) == 400
    assert len(sandbox.records("obj_contacts")) == 400
