"""The sandbox's file: what its page says of it, and what survives in it."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from kantos_async.sandbox import Core, Sandbox

PAGE = Path(__file__).parents[2] / "docs" / "sandbox.md"
SECOND = 1_705_314_600_000_000  # 2024-01-15T10:30:00Z
(TABLES,) = re.findall(r"```sql\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


@pytest.fixture
def file(tmp_path: Path) -> str:
    return str(tmp_path / "account.db")


def look(file: str, sql: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(file)) as db:
        return db.execute(sql).fetchall()


def test_the_tables_are_those_that_the_page_shows(file: str) -> None:
    Core(database=file).close()
    with closing(sqlite3.connect(":memory:")) as db:
        db.executescript(TABLES)
        sql = 'SELECT m.name, c.name, c.type, c."notnull", c.pk FROM sqlite_master m, '
        sql += "pragma_table_info(m.name) c WHERE m.type = 'table' ORDER BY 1, c.cid"
        assert look(file, sql) == db.execute(sql).fetchall()
        assert look(file, "PRAGMA user_version") == db.execute("PRAGMA user_version").fetchall()


def test_a_file_written_by_hand_from_the_page_is_an_account(file: str) -> None:
    """A backup of a real account: its ids and times, and no keys."""
    fields = [
        {"id": "fld_e", "name": "E-mail", "slug": "email", "type": "email", "unique": True},
        {"id": "fld_t", "name": "Tags", "slug": "tags", "type": "multi_select"},
    ]
    with closing(sqlite3.connect(file)) as db, db:
        db.executescript(TABLES)
        row = ("obj_def_leads", "Leads", "leads", None, 1, json.dumps(fields))
        db.execute("INSERT INTO objects VALUES (?, ?, ?, ?, ?, ?)", row)
        for number, created in ((2, SECOND), (1, SECOND + 1)):
            doc = json.dumps({"email": f"ü{number}@example.com"})
            row = (f"rec_{number}", "obj_def_leads", created, created + 5_000_000, "user_1", doc)
            db.execute("INSERT INTO records VALUES (?, ?, ?, ?, ?, ?)", row)
        user = {"id": "user_1", "name": "Ann", "email": "ann@example.com", "role": "member"}
        db.execute("INSERT INTO users VALUES (?, ?)", ("user_1", json.dumps(user)))
    with Sandbox(database=file, stamp_digits=6) as sb:
        assert sb.records("obj_def_leads") == [
            {
                "id": f"rec_{number}",
                "object_id": "obj_def_leads",
                "field_values": {"email": f"ü{number}@example.com"},
                "created_at": f"2024-01-15T10:30:00.00000{micros}Z",
                "updated_at": f"2024-01-15T10:30:05.00000{micros}Z",
                "created_by": "user_1",
            }
            for number, micros in ((2, 0), (1, 1))
        ]
        headers = {"X-Api-Key": sb.api_key}
        for email, status in (("ü1@example.com", 409), ("ü3@example.com", 201)):
            values = {"email": email, "tags": ["a", "b"]}
            body = {"object_id": "obj_def_leads", "field_values": values}
            made = httpx.post(f"{sb.url}/crm/record", json=body, headers=headers)
            assert made.status_code == status
        assert made.json()["field_values"]["tags"] == ["a", "b"]
        users = httpx.get(f"{sb.url}/crm/users", headers=headers).json()["data"]
        assert user in users
    indexed = "SELECT count(*) FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
    assert look(file, indexed) == [(3,)], "created, updated, and the unique field"


def write(file: str, *statements: str) -> None:
    with closing(sqlite3.connect(file)) as db:
        for statement in statements:
            db.executescript(statement)


def insert(file: str, table: str, *row: Any) -> None:
    with closing(sqlite3.connect(file)) as db, db:
        db.execute(f"INSERT INTO {table} VALUES ({','.join('?' * len(row))})", row)


@pytest.mark.parametrize(
    "statements",
    [
        ("CREATE TABLE t (a)",),
        ("CREATE TABLE t (a)", "PRAGMA user_version = 1"),
        ("PRAGMA user_version = 1",),
        ("CREATE TABLE t (a)", "PRAGMA user_version = 7"),
        (TABLES, "ALTER TABLE records RENAME COLUMN doc TO document"),
        (TABLES, "DROP TABLE keys"),
        (TABLES, "PRAGMA user_version = 0"),
        (TABLES, "PRAGMA user_version = 2"),
    ],
)
def test_what_is_something_else_is_refused_as_it_is(file: str, statements: tuple[str, ...]) -> None:
    write(file, *statements)
    before = Path(file).read_bytes()
    with pytest.raises(ValueError, match=r"not a sandbox's|format \d"):
        Core(database=file)
    assert Path(file).read_bytes() == before
    assert [path.name for path in Path(file).parent.iterdir()] == [Path(file).name]


def test_a_text_is_refused_as_it_is(file: str) -> None:
    Path(file).write_text("hello world " * 200, encoding="utf-8")
    with pytest.raises(ValueError, match="is not a database"):
        Core(database=file)
    assert Path(file).read_text(encoding="utf-8") == "hello world " * 200


DIE = """
import os, sys
from kantos_async.sandbox import Core, store
store.Store._write_object = lambda *_: os._exit(9)
Core(database=sys.argv[1])
"""


def test_killed_at_its_first_start_it_is_new_at_the_next(file: str) -> None:
    died = subprocess.run([sys.executable, "-c", DIE, file], check=False)
    assert died.returncode == 9
    with closing(Core(database=file)) as core:
        assert len(core.store.objects) == 3


def test_ids_and_slugs_may_be_any_text(start_core: Callable[..., Any], file: str) -> None:
    odd = 'a"b\\c/é\n'
    write(file, TABLES)
    field = {"id": "fld_1", "name": "N", "slug": "owner's", "type": "text", "unique": True}
    insert(file, "objects", odd, "X", "x", None, 1, json.dumps([field]))
    insert(file, "records", odd, odd, SECOND, SECOND, odd, '{"owner\'s":"Ann"}')
    api = start_core(database=file)
    (record,) = api.query(odd, filters={"owner's": "Ann"}, sort="owner's")["data"]
    assert record["id"] == record["object_id"] == record["created_by"] == odd
    assert record == api.core.find(odd) == api("GET", f"/crm/record/{quote(odd, safe='')}").json
    body = {"object_id": odd, "field_values": {"owner's": "Ann"}}
    assert api("POST", "/crm/record", body).status == 409
    api.core.faults.set(search_lag=1.0)
    assert len(api.query(odd, filters={"owner's": "Ann"})["data"]) == 1


def test_a_unique_field_may_hold_a_list(start_core: Callable[..., Any], file: str) -> None:
    write(file, TABLES)
    tags = {"id": "fld_1", "name": "T", "slug": "tags", "type": "multi_select", "unique": True}
    insert(file, "objects", "obj_x", "X", "x", None, 1, json.dumps([tags]))
    api = start_core(database=file)
    body = {"object_id": "obj_x", "field_values": {"tags": ["é", {"b": 1}]}}
    assert [api("POST", "/crm/record", body).status for _ in range(2)] == [201, 409]


@pytest.mark.parametrize("kinds", [0, 1])
def test_an_account_without_contacts_has_a_console(file: str, kinds: int) -> None:
    write(file, TABLES)
    for number in range(kinds):
        insert(file, "objects", f"obj_{number}", "X", f"x{number}", None, 1, "[]")
    with pytest.raises(ValueError, match="has no obj_contacts"):
        Sandbox(database=file, seed_records=5)
    with Sandbox(database=file) as sb:
        for query in ("", "?object=", "?object=obj_contacts"):
            state = httpx.get(sb.url.replace("/api", f"/_sandbox/state{query}")).json()
            assert state["records"]["object"] == ("obj_0" if kinds else "")


def test_everything_survives_in_its_order(start_core: Callable[..., Any], file: str) -> None:
    api = start_core(database=file, stamp_digits=3)
    for number in range(25):
        api.create(name=f"N{number}", phone=None, status="new")
        api.clock.move((0.0, 0.001, 2.0)[number % 3])
    fields = [{"name": "Size", "type": "number"}, {"name": "Due", "type": "date"}]
    project = api("POST", "/crm/objects", {"name": "Projects", "fields": fields}).json
    api("POST", f"/crm/objects/{project['id']}/fields", {"name": "Note", "type": "text"})
    api.create(project["id"], size=1.5, due="2026-01-01", note="é\u2028\U0001f600")
    hook = {"type": "update_record", "config": {"fields": {"status": "lost"}}}
    automation = {"name": "A", "trigger": {"type": "record.updated"}, "actions": [hook]}
    made = api("POST", "/crm/automations", automation).json
    first = api.query(per_page=1)["data"][0]
    api("PATCH", f"/crm/record/{first['id']}", {"field_values": {"name": "Z"}})
    api("DELETE", f"/crm/record/{api.query(per_page=1, page=2)['data'][0]['id']}")
    paths = ("/crm/objects", f"/crm/objects/{project['id']}", "/crm/users", "/crm/automations")
    paths += (f"/crm/automations/{made['id']}/runs",)

    def shown(api: Any) -> list[Any]:
        answers = [api("GET", path).json for path in paths]
        for kind in ("obj_contacts", project["id"]):
            answers += [api.query(kind), api.query(kind, sort="updated_at", order="desc")]
        return answers

    before = shown(api)
    api.core.close()
    again = start_core(database=file, stamp_digits=3)
    assert shown(again) == before
    again.clock.move(-3600)
    changed = again("PATCH", f"/crm/record/{first['id']}", {"field_values": {"name": "Y"}}).json
    assert changed["updated_at"] >= before[-4]["data"][0]["updated_at"], "a clock set back"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has other permissions")
def test_nobody_else_may_read_it(file: str) -> None:
    before = os.umask(0o022)
    try:
        with Sandbox(database=file) as sb:
            sb.insert("obj_contacts", [{"name": "Ann"}])
            modes = {stat.S_IMODE(path.stat().st_mode) for path in Path(file).parent.iterdir()}
    finally:
        os.umask(before)
    assert modes == {0o600}


RUN = """
import sys
from kantos_async.sandbox import Sandbox
Sandbox.run(lambda sb: print(sb.url, sb.api_key, flush=True), database=sys.argv[1])
"""


@pytest.fixture
def process(file: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", RUN, file]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


class Writer(threading.Thread):
    """Creates, updates and deletes until the server is gone; knows what was acknowledged."""

    def __init__(self, number: int, url: str, key: str) -> None:
        super().__init__()
        self.number, self.url, self.key = number, url, key
        self.kept: dict[str, Any] = {}
        self.deleted: set[str] = set()
        #: The last record touched: whether that happened is not known.
        self.touched = ""

    def run(self) -> None:
        with httpx.Client(base_url=self.url, headers={"X-Api-Key": self.key}, timeout=10) as http:
            for turn in range(100_000):
                try:
                    self.write(http, turn)
                except httpx.TransportError:
                    return

    def write(self, http: httpx.Client, turn: int) -> None:
        values = {"name": f"{self.number}/{turn}"}
        self.touched = ""
        body = {"object_id": "obj_contacts", "field_values": values}
        made = http.post("/crm/record", json=body).json()
        self.kept[made["id"]] = made
        self.touched = made["id"]
        path = f"/crm/record/{made['id']}"
        self.kept[made["id"]] = http.patch(path, json={"field_values": {"status": "lost"}}).json()
        if turn % 3 == 0:
            assert http.delete(path).status_code == 204
            self.deleted.add(made["id"])
            del self.kept[made["id"]]


def test_killed_among_writes_it_has_all_that_it_acknowledged(
    process: subprocess.Popen[str], file: str
) -> None:
    assert process.stdout is not None
    url, key = process.stdout.readline().split()
    writers = [Writer(number, url, key) for number in range(4)]
    for writer in writers:
        writer.start()
    while sum(len(writer.kept) for writer in writers) < 100:
        writers[0].join(0.01)
        assert writers[0].is_alive()
    process.kill()
    for writer in writers:
        writer.join(10)
    assert look(file, "PRAGMA integrity_check") == [("ok",)]
    with Sandbox(database=file) as again:
        stored = {record["id"]: record for record in again.records("obj_contacts")}
    for writer in writers:
        writer.kept.pop(writer.touched, None)
        assert [stored.get(key) for key in writer.kept] == list(writer.kept.values())
        assert not writer.deleted & stored.keys()
