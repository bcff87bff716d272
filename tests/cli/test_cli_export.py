import csv
import errno
import io
import json
import os
import stat
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pyarrow import parquet

from kantos_async.cli.formats import sinks

needs_pipes = pytest.mark.skipif(sys.platform == "win32", reason="no POSIX files")

#: Long ago: a walk waits for a second that is not over yet.
LONG_AGO = datetime(2024, 1, 1, tzinfo=UTC)

DEALS = [
    {"name": "One", "value": 10, "close_date": "2024-02-29", "stage": "won"},
    {"name": 'Two, "quoted"\nlines', "value": 0.5},
    {"name": "Drei äöü 🌴"},
]


@pytest.fixture
def deals(sandbox):
    return sandbox.insert("obj_deals", DEALS, created_at=LONG_AGO)


def read(path):
    text = Path(path).read_text(encoding="utf-8")
    match Path(path).suffix:
        case ".csv":
            return list(csv.DictReader(io.StringIO(text, newline="")))
        case ".jsonl":
            return [json.loads(line) for line in text.splitlines()]
        case _:
            return json.loads(text)


@pytest.mark.parametrize("kind", ["csv", "jsonl", "json"])
def test_text_formats_hold_every_record(kantos, deals, kind):
    done = kantos("export", "deals", "--to", f"out.{kind}", "--json")
    assert (done.code, done.json["records"]) == (0, 3)
    rows = {row["id"]: row for row in read(f"out.{kind}")}
    assert set(rows) == set(deals)
    for record_id, deal in zip(deals, DEALS, strict=True):
        for slug, value in deal.items():
            assert str(rows[record_id][slug]) == str(value)
        assert rows[record_id]["created_at"].endswith("Z")
    assert not rows[deals[2]]["value"]


def test_parquet_has_the_types_of_the_fields(kantos, deals):
    assert kantos("export", "deals", "--to", "out.parquet").code == 0
    table = parquet.read_table("out.parquet")
    assert {f.name: str(f.type) for f in table.schema} == {
        "id": "string",
        "name": "string",
        "value": "double",
        "stage": "string",
        "close_date": "date32[day]",
        "contact": "string",
        "created_at": "timestamp[us, tz=UTC]",
        "updated_at": "timestamp[us, tz=UTC]",
        "created_by": "string",
    }
    rows = {row["id"]: row for row in table.to_pylist()}
    assert str(rows[deals[0]]["close_date"]) == "2024-02-29"
    assert rows[deals[1]]["value"] == 0.5


def test_an_object_without_records_gives_a_whole_file(kantos):
    for kind in ("csv", "jsonl", "json", "parquet"):
        assert kantos("export", "deals", "--to", f"out.{kind}").code == 0
    assert read("out.json") == read("out.jsonl") == read("out.csv") == []
    assert parquet.read_table("out.parquet").num_rows == 0


def test_it_walks_by_key(kantos, sandbox):
    rows = [{"name": str(number)} for number in range(250)]
    sandbox.insert("obj_deals", rows, created_at=LONG_AGO)
    before = len(sandbox.log)
    assert kantos("export", "deals", "--to", "out.csv", "--fields", "name").code == 0
    names = {row["name"] for row in read("out.csv")}
    assert len(names) == len(read("out.csv")) == 250
    assert any("page=2" not in entry.path for entry in sandbox.log[before:])


def test_parquet_is_written_piece_by_piece(kantos, sandbox, monkeypatch):
    monkeypatch.setattr(sinks._Parquet, "_GROUP", 100)
    rows = [{"name": str(number)} for number in range(250)]
    sandbox.insert("obj_deals", rows, created_at=LONG_AGO)
    assert kantos("export", "deals", "--to", "out.parquet").code == 0
    file = parquet.ParquetFile("out.parquet")
    assert file.num_row_groups == 3
    assert len(set(file.read(["name"])["name"].to_pylist())) == 250


def test_fields_and_conditions_choose(kantos, deals):
    done = kantos(
        "export", "deals", "--to", "out.jsonl", "--fields", "Value", "--where", "value>=1"
    )
    assert done.code == 0
    (row,) = read("out.jsonl")
    assert row["value"] == 10
    assert "name" not in row


def test_a_dash_is_standard_output(kantos, deals):
    done = kantos("export", "deals", "--to", "-", "--fields", "name")
    assert done.out.startswith("id,name,")
    assert len(list(csv.reader(io.StringIO(done.out)))) == 4
    done = kantos("export", "deals", "--to", "-", "--format", "json", "--quiet")
    assert (len(done.json), done.err) == (3, "")


def test_what_it_writes_import_reads(kantos, sandbox, deals):
    for kind in ("csv", "jsonl", "json", "parquet"):
        assert kantos("export", "deals", "--to", f"out.{kind}", "--quiet").code == 0
        done = kantos("import", "deals", f"out.{kind}", "--key", "name", "--force", "--json")
        assert done.code == 0, done.err
        assert (done.json["unchanged"], done.json["rows"]) == (3, 3)


# ---- no half file --------------------------------------------------------------------------


def test_after_an_error_the_old_file_is_still_there(kantos, spent_after, monkeypatch):
    rows = [{"name": str(number)} for number in range(250)]
    spent_after(3).insert("obj_deals", rows, created_at=LONG_AGO)
    Path("out.csv").write_text("old")
    done = kantos("export", "deals", "--to", "out.csv")
    assert done.code == 3
    assert "quota" in done.err
    assert [path.name for path in Path().iterdir()] == ["out.csv"]
    assert Path("out.csv").read_text() == "old"


@pytest.mark.parametrize("kind", ["csv", "jsonl", "json", "parquet"])
def test_a_full_disk_leaves_nothing_and_says_so(kantos, deals, monkeypatch, kind):
    real = sinks.open_sink

    class Full(io.BytesIO):
        def write(self, data):
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(
        "kantos_async.cli.export.open_sink", lambda kind, file, columns: real(kind, Full(), columns)
    )
    done = kantos("export", "deals", "--to", f"out.{kind}")
    assert done.code == 2
    assert done.err.splitlines()[-1] == (
        f"kantos: out.{kind}: No space left on device; nothing was left there"
    )
    assert list(Path().iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_full_disk_behind_standard_output(sandbox, deals):
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "kantos_async.cli", "export", "deals", "--to", "-"],
            stdout=full,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            timeout=60,
            check=False,
        )
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == "kantos: standard output: No space left on device"


@needs_pipes
def test_a_named_pipe_is_written_and_stays(kantos, deals):
    os.mkfifo("pipe")
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(Path("pipe").read_bytes()))
    reader.start()
    assert kantos("export", "deals", "--to", "pipe", "--format", "csv").code == 0
    reader.join(30)
    assert stat.S_ISFIFO(os.stat("pipe").st_mode)
    assert len(list(csv.DictReader(io.StringIO(read[0].decode(), newline="")))) == 3


@needs_pipes
@pytest.mark.parametrize("old", ["old\n", None])
def test_a_symbolic_link_stays_and_its_file_is_replaced(kantos, deals, old):
    Path("folder").mkdir()
    target = Path("folder/target.csv")
    if old is not None:
        target.write_text(old, encoding="utf-8")
    Path("link.csv").symlink_to(target)
    assert kantos("export", "deals", "--to", "link.csv").code == 0
    assert Path("link.csv").is_symlink()
    assert len(read("folder/target.csv")) == 3
    assert [path.name for path in Path("folder").iterdir()] == ["target.csv"]


@needs_pipes
def test_a_new_file_has_the_mode_of_the_old_one(kantos, deals):
    for mode in (0o600, 0o664):
        Path("out.csv").write_text("old\n", encoding="utf-8")
        Path("out.csv").chmod(mode)
        assert kantos("export", "deals", "--to", "out.csv").code == 0
        assert stat.S_IMODE(os.stat("out.csv").st_mode) == mode


@needs_pipes
def test_a_reader_that_has_seen_enough_ends_an_export_well(sandbox):
    sandbox.insert("obj_deals", [{"name": "x" * 200} for _ in range(3_000)], created_at=LONG_AGO)
    with subprocess.Popen(
        [sys.executable, "-m", "kantos_async.cli", "export", "deals", "--to", "-", "--quiet"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(60) == 0
        assert process.stderr.read() == b""
    assert len(sandbox.log) < 30


def test_a_file_that_cannot_be_replaced_leaves_the_export_beside_it(kantos, deals, monkeypatch):
    def replace(self, target):
        raise PermissionError(errno.EACCES, "Permission denied", str(target))

    monkeypatch.setattr(Path, "replace", replace)
    done = kantos("export", "deals", "--to", "out.csv")
    (part,) = Path().iterdir()
    assert done.code == 2
    assert (
        done.err.splitlines()[-1] == f"kantos: out.csv: Permission denied; all of it is in {part}"
    )
    assert len(read(part.rename("whole.csv"))) == 3


@pytest.mark.parametrize(
    ("to", "said"),
    [
        ("out.xlsx", "xlsx can be read, not written"),
        ("out.txt", "say --format"),
        ("nowhere/out.csv", "nowhere/out.csv: No such file or directory"),
        (".", "say --format"),
    ],
)
def test_where_it_cannot_write(kantos, to, said):
    done = kantos("export", "deals", "--to", to)
    assert done.code == 2
    assert said in done.err
    assert list(Path().iterdir()) == []


def test_a_condition_that_a_walk_cannot_take(kantos):
    done = kantos("export", "deals", "--to", "out.csv", "--where", "created_at!=2024-01-01")
    assert done.code == 2
    assert "--where" in done.err


def test_a_value_that_is_none_of_its_type_is_named(kantos, sandbox, deals):
    sandbox.core.store.objects["obj_deals"].fields["name"].type = "number"
    try:
        done = kantos("export", "deals", "--to", "out.parquet")
    finally:
        sandbox.core.store.objects["obj_deals"].fields["name"].type = "text"
    assert done.code == 2
    assert "'name' of rec_" in done.err
    assert list(Path().iterdir()) == []
