import csv
import hashlib
import io
import subprocess
import sys

from kantos_async.cli.people import COLUMNS, STATUSES, people, write_csv


def as_csv(rows: int, seed: int = 1) -> str:
    file = io.StringIO(newline="")
    write_csv(file, rows, seed)
    return file.getvalue()


def test_the_same_seed_gives_the_same_bytes_on_every_python():
    digest = hashlib.sha256(as_csv(2_000).encode()).hexdigest()
    assert digest == "5a9562f1bd5a85f2f292912748bfa5b8644cc9766ad912f80020331ef9b05e9f"


def test_another_seed_invents_other_people():
    assert as_csv(20, seed=1) != as_csv(20, seed=2)


def test_rows_are_what_a_crm_must_cope_with():
    rows = list(people(2_000))
    assert len({row["email"] for row in rows}) == 2_000
    assert all(row["email"].isascii() and row["email"].endswith(".example") for row in rows)
    assert {row["status"] for row in rows} == set(STATUSES)
    assert sum(not row["name"].isascii() for row in rows) > 1_000
    notes = "".join(row["notes"] for row in rows)
    assert all(awkward in notes for awkward in ("\n", '"', ",", "🌴", "€", "次"))
    assert any(row["signed_on"] for row in rows)
    assert any(not row["signed_on"] for row in rows)
    assert all(float(row["deal_value"]) > 0 for row in rows)


def test_the_file_reads_back_as_what_was_written():
    rows = list(csv.DictReader(io.StringIO(as_csv(500), newline="")))
    assert tuple(rows[0]) == COLUMNS
    assert rows == list(people(500))


def test_run_as_a_module_it_writes_utf8_whatever_the_locale():
    done = subprocess.run(
        [sys.executable, "-m", "kantos_async.cli.people", "50"],
        env={"PYTHONIOENCODING": "ascii"},
        capture_output=True,
        timeout=30,
        check=True,
    )
    assert done.stdout.decode("utf-8") == as_csv(50)
