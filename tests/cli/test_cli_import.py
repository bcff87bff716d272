import csv
import json
from pathlib import Path

import openpyxl
import pytest

LEADS = """Name,E-mail,Status,phone
Ann,ann@x.example,qualified,+49 30 1
Cyd,cyd@x.example,new,
Zoë,zoe@x.example,new,
"""
MAP = ("--key", "email", "--map", "E-mail=email")


@pytest.fixture
def leads():
    def write(text=LEADS, name="leads.csv"):
        Path(name).write_text(text, encoding="utf-8")
        return name

    return write


def rows_of(path):
    with Path(path).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def by_email(sandbox):
    return {
        record["field_values"]["email"]: record["field_values"]
        for record in sandbox.records("obj_contacts")
    }


def writes(sandbox):
    return sum(entry.method != "GET" for entry in sandbox.log)


# ---- the main job --------------------------------------------------------------------------


def test_it_creates_updates_and_leaves_alone(kantos, sandbox, people, leads):
    done = kantos("import", "contacts", leads(), *MAP, "--json")
    assert done.code == 0
    said = done.json
    assert (said["created"], said["updated"], said["unchanged"]) == (1, 1, 1)
    assert said["rows"] == 3
    found = by_email(sandbox)
    assert len(found) == 4
    assert found["ann@x.example"]["status"] == "qualified"
    assert found["cyd@x.example"] == {"name": "Cyd", "email": "cyd@x.example", "status": "new"}
    done = kantos("import", "contacts", "leads.csv", *MAP)
    assert done.code == 0
    assert "unchanged" in done.out
    assert "created" not in done.out


def test_values_are_converted_by_type(kantos, sandbox):
    book = openpyxl.Workbook()
    book.active.append(["Name", "Value", "Close Date"])
    book.active.append(["One", "1.234,50", "31.12.2024"])
    book.active.append(["Two", 7, "01.02.2025"])
    book.save("deals.xlsx")
    done = kantos(
        *("import", "deals", "deals.xlsx", "--key", "name", "--force"),
        *("--decimal", ",", "--date-format", "%d.%m.%Y", "--json"),
    )
    assert done.code == 0, done.err
    deals = [record["field_values"] for record in sandbox.records("obj_deals")]
    assert sorted(deals, key=lambda deal: deal["name"]) == [
        {"name": "One", "value": 1234.5, "close_date": "2024-12-31"},
        {"name": "Two", "value": 7, "close_date": "2025-02-01"},
    ]


@pytest.mark.usefixtures("people")
@pytest.mark.parametrize(("empty", "phone"), [("skip", "+49 30 1"), ("clear", None)])
def test_an_empty_cell_leaves_alone_or_clears(kantos, sandbox, leads, empty, phone):
    leads("email,phone\nann@x.example,\n")
    done = kantos("import", "contacts", "leads.csv", "--key", "email", "--empty", empty)
    assert done.code == 0
    assert by_email(sandbox)["ann@x.example"].get("phone") == phone


def test_modes(kantos, sandbox, people, leads):
    done = kantos("import", "contacts", leads(), *MAP, "--mode", "update-only", "--json")
    assert (done.code, done.json["updated"], done.json["failed"]) == (1, 1, 1)
    assert "line 3 (cyd@x.example): no record has this key" in done.err
    done = kantos("import", "contacts", "leads.csv", *MAP, "--mode", "create-only", "--json")
    assert (done.code, done.json["created"], done.json["unchanged"]) == (0, 1, 2)


def test_records_by_id(kantos, sandbox, people, leads):
    leads(f"id,status\n{people[0]},lost\n")
    words = ("import", "contacts", "leads.csv", "--key", "id")
    assert "cannot create" in kantos(*words).err
    assert kantos(*words, "--mode", "update-only").code == 0
    assert sandbox.record(people[0])["field_values"]["status"] == "lost"


def test_delete_missing_makes_a_mirror(kantos, sandbox, people, leads):
    words = ("import", "contacts", leads(), *MAP, "--delete-missing")
    done = kantos(*words)
    assert done.code == 2
    assert done.err.splitlines()[-1] == (
        "kantos: --delete-missing would delete 1 of 3 records, more than --max-deletes 10% allows; "
        "nothing was written"
    )
    assert writes(sandbox) == 0
    done = kantos(*words, "--max-deletes", "50%", "--json")
    assert (done.code, done.json["deleted"]) == (0, 1)
    assert set(by_email(sandbox)) == {"ann@x.example", "cyd@x.example", "zoe@x.example"}


def test_with_a_bad_row_nothing_is_deleted(kantos, sandbox, people, leads):
    # Bob's row is there, and cannot be read: that must not cost him his record.
    leads("name,email,status\nAnn,ann@x.example,new\nBob,bob@x.example,lsot\n")
    words = ("import", "contacts", "leads.csv", "--key", "email")
    done = kantos(*words, "--delete-missing", "--max-deletes", "9")
    assert done.code == 1
    assert "nothing is deleted: some rows have no key" in done.err
    assert len(sandbox.records("obj_contacts")) == 3


# ---- what went wrong -----------------------------------------------------------------------

BAD = """name,email,status
Ann,ann@x.example,nwe
Bob,bob@,new
Cyd,cyd@x.example
Dan,dan@x.example,new
,eve@x.example,new
Dan 2,dan@x.example,lost
"""


def test_bad_values_are_told_and_the_run_goes_on(kantos, sandbox, leads):
    done = kantos("import", "contacts", leads(BAD), "--key", "email", "--json")
    assert done.code == 1
    said = done.json
    assert (said["rows"], said["created"], said["rejected"], said["failed"]) == (6, 1, 3, 1)
    for line in (
        "line 2: status: 'nwe' is no choice of 'status'; did you mean 'New'?",
        "line 3: email: 'bob@' is no e-mail address",
        "line 4: 2 cells, where the header has 3",
    ):
        assert line in done.err.splitlines()
    assert "line 6 (eve@x.example): POST /crm/record: 422" in done.err
    assert by_email(sandbox)["dan@x.example"]["name"] == "Dan 2"


def test_reject_keeps_bad_values(kantos, leads):
    done = kantos("import", "contacts", leads(BAD), "--key", "email", "--reject", "bad.csv")
    assert done.code == 1
    assert "nwe" not in done.err
    assert rows_of("bad.csv") == [
        {
            "row": "2",
            "column": "status",
            "value": "nwe",
            "reason": "is no choice of 'status'; did you mean 'New'?",
        },
        {"row": "3", "column": "email", "value": "bob@", "reason": "is no e-mail address"},
        {"row": "4", "column": "", "value": "", "reason": "2 cells, where the header has 3"},
    ]


def test_results_repeat_every_row_with_its_outcome(kantos, sandbox, leads):
    done = kantos("import", "contacts", leads(BAD), "--key", "email", "--results", "r.csv")
    assert done.code == 1
    rows = rows_of("r.csv")
    assert [row["name"] for row in rows] == ["Ann", "Bob", "Cyd", "Dan", "", "Dan 2"]
    assert [row["kantos_outcome"] for row in rows] == [
        *("rejected", "rejected", "rejected", "unchanged", "failed", "created")
    ]
    assert rows[0]["kantos_error"].startswith("status: 'nwe' is no choice")
    assert rows[3]["kantos_error"] == "line 7 has the same key, and wins"
    assert "422" in rows[4]["kantos_error"]
    (record,) = sandbox.records("obj_contacts")
    assert rows[5]["kantos_id"] == record["id"]


def test_results_of_jsonl_and_results_read_again(kantos, sandbox, leads):
    leads(
        '{"name": "Ann", "email": "a@x.example"}\n{"email": "b@x.example", "name": "B"}\n',
        "a.jsonl",
    )
    assert (
        kantos("import", "contacts", "a.jsonl", "--key", "email", "--results", "r.jsonl").code == 0
    )
    rows = [json.loads(line) for line in Path("r.jsonl").read_text().splitlines()]
    assert [list(row) for row in rows] == [
        ["name", "email", "kantos_id", "kantos_outcome", "kantos_error"]
    ] * 2
    done = kantos("import", "contacts", "r.jsonl", "--key", "email", "--json")
    assert (done.code, done.json["unchanged"]) == (0, 2)


def test_many_failures_are_not_a_wall_of_text(kantos, leads):
    rows = "".join(f"{n}@x.example,x,\n" for n in range(50))
    rows += "".join(f"{n}@y.example,new,rec_none\n" for n in range(50))
    leads("email,status,company\n" + rows)
    done = kantos("import", "contacts", "leads.csv", "--key", "email", "--quiet")
    assert done.code == 1
    lines = done.err.splitlines()
    assert len(lines) == 22
    assert sum("is no choice" in line for line in lines) == 10
    assert sum("422" in line for line in lines) == 10
    assert lines[-2:] == ["... and 40 more bad values", "... and 40 more failed rows"]


# ---- stopping and going on -----------------------------------------------------------------


def test_max_requests_stops_and_the_same_command_goes_on(kantos, sandbox, leads):
    text = "name,email\n" + "".join(f"P{n},p{n}@x.example\n" for n in range(10))
    words = ("import", "contacts", leads(text), "--key", "email", "--results", "r.csv")
    done = kantos(*words, "--max-requests", "6", "--json")
    assert done.code == 5
    assert f"--max-requests is reached: {done.json['created']} of 10 rows are done" in done.err
    assert sum(row["kantos_outcome"] == "not reached" for row in rows_of("r.csv")) == (
        10 - done.json["created"]
    )
    assert len(rows_of("r.csv")) == 10
    assert kantos(*words).code == 0
    assert len(sandbox.records("obj_contacts")) == 10
    assert all(row["kantos_id"] for row in rows_of("r.csv"))


@pytest.mark.parametrize("most", [3, 4, 5])
def test_max_requests_count_everything_and_promise_no_progress(kantos, sandbox, leads, most):
    there = [{"name": f"P{n}", "email": f"p{n}@x.example"} for n in range(250)]
    sandbox.insert("obj_contacts", there)
    text = "name,email\n" + "".join(f"{each['name']},{each['email']}\n" for each in there)
    words = ("import", "contacts", leads(f"{text}New,new@x.example\n"), "--key", "email")
    before = len(sandbox.log)
    done = kantos(*words, "--max-requests", str(most))
    assert len(sandbox.log) - before <= most
    assert writes(sandbox) == 0
    # The same command would come no further: no code that asks for it.
    assert done.code == 2
    assert f"at least {most + 1} are needed" in done.err.splitlines()[-1]
    assert "goes on with the rest" not in done.err


@pytest.mark.parametrize(("name", "least"), [("contacts", 3), ("obj_contacts", 2)])
def test_max_requests_that_cannot_be_kept_send_nothing(kantos, sandbox, leads, name, least):
    words = ("import", name, leads(), *MAP, "--max-requests", str(least - 1))
    done = kantos(*words)
    assert done == (2, "", f"kantos: --max-requests {least - 1}: at least {least} are needed\n")
    assert not sandbox.log


def test_results_give_the_id_of_the_record_to_a_row_that_another_overrides(kantos, people, leads):
    leads("name,email\nAnn 1,ann@x.example\nAnn 2,ann@x.example\n")
    words = ("import", "contacts", "leads.csv", "--key", "email", "--results", "r.csv")
    assert kantos(*words).code == 0
    assert [(row["kantos_id"], row["kantos_outcome"]) for row in rows_of("r.csv")] == [
        (people[0], "unchanged"),
        (people[0], "updated"),
    ]


def test_results_of_a_run_that_wrote_nothing_hold_every_row(kantos, spent_after, leads):
    spent_after(2)  # the object, and the first read
    Path("r.csv").write_text("old", encoding="utf-8")
    words = ("import", "contacts", leads("name,email\nA,a@x.example\nB,b@x.example\n"))
    done = kantos(*words, "--key", "email", "--results", "r.csv")
    assert done.code == 3
    assert [(row["email"], row["kantos_outcome"]) for row in rows_of("r.csv")] == [
        ("a@x.example", "not reached"),
        ("b@x.example", "not reached"),
    ]
    assert {path.name for path in Path().iterdir()} == {"leads.csv", "r.csv"}


def test_an_input_that_cannot_be_read_on_leaves_the_last_results(kantos, leads):
    Path("r.csv").write_text("old", encoding="utf-8")
    words = ("import", "contacts", leads('name,email\nA,a@x.example\n"B,b@x.example\n'))
    assert kantos(*words, "--key", "email", "--results", "r.csv").code == 2
    assert Path("r.csv").read_text(encoding="utf-8") == "old"
    assert {path.name for path in Path().iterdir()} == {"leads.csv", "r.csv"}


def test_an_error_that_ends_the_run_says_how_far_it_came(kantos, spent_after, leads):
    limited = spent_after(40)
    leads("name,email\n" + "".join(f"P{n},p{n}@x.example\n" for n in range(100)))
    done = kantos("import", "contacts", "leads.csv", "--key", "email", "--results", "r.csv")
    assert done.code == 3
    assert "of 100 rows are done; the same command goes on with the rest" in done.err
    assert "quota is expected back at" in done.err.splitlines()[-1]
    outcomes = [row["kantos_outcome"] for row in rows_of("r.csv")]
    assert len(outcomes) == 100
    assert outcomes.count("created") == len(limited.records("obj_contacts"))
    assert outcomes.count("created") + outcomes.count("not reached") == 100


def test_a_state_file_makes_the_second_run_cheap(kantos, sandbox, leads, monkeypatch):
    text = "name,email\n" + "".join(f"P{n},p{n}@x.example\n" for n in range(250))
    words = ("import", "obj_contacts", leads(text), "--key", "email", "--state", "c.state")
    assert kantos(*words).code == 0
    # The wait for searches to catch up is the library's matter.
    monkeypatch.setattr("kantos_async.bulk.rules.wait_after", lambda *_: 0.0)
    done = kantos(*words, "--json")
    assert (done.code, done.json["unchanged"]) == (0, 250)
    assert done.json["requests"] <= 6
    done = kantos(
        "import",
        "companies",
        leads("name\nAcme\n"),
        "--key",
        "name",
        "--force",
        "--state",
        "c.state",
    )
    assert done.code == 2
    assert "c.state is the state of a sync with another object" in done.err
    assert done.err.count("\n") <= 3


# ---- plans ---------------------------------------------------------------------------------


def test_explain_tells_the_plan_and_writes_nothing(kantos, sandbox, people, leads):
    done = kantos("import", "contacts", leads(), *MAP, "--explain", "--json")
    assert done.code == 0
    plan = done.json
    assert (plan["would_create"], plan["would_update"], plan["unchanged"]) == (1, 1, 1)
    assert plan["path"] == "lookup"
    assert plan["requests"] == plan["reads"] + plan["writes"]
    assert plan["writes"] == 2
    assert writes(sandbox) == 0


def test_a_dry_run_shows_old_and_new_and_writes_nothing(kantos, sandbox, people, leads):
    done = kantos("import", "contacts", leads(), *MAP, "--dry-run")
    assert done.code == 4
    assert writes(sandbox) == 0
    lines = [line.rstrip() for line in done.out.splitlines()]
    at = lines.index(f"~ ann@x.example  {people[0]}")
    assert lines[at + 1] == "    status: new → qualified"
    at = lines.index("+ cyd@x.example")
    assert "    name: Cyd" in lines[at : at + 4]
    assert not any("zoe" in line for line in lines)


def test_a_dry_run_shows_deletions(kantos, sandbox, people, leads):
    words = ("import", "contacts", leads(), *MAP, "--delete-missing", "--max-deletes", "2")
    done = kantos(*words, "--dry-run", "--json")
    assert done.code == 4
    deleted = [change for change in done.json["changes"] if change["kind"] == "deleted"]
    assert [(c["key"], c["record_id"], c["before"]["name"]) for c in deleted] == [
        ("bob@x.example", people[1], "Bob")
    ]
    plan = done.json["plan"]
    assert (plan["would_create"], plan["would_update"], plan["would_delete"]) == (1, 1, 1)
    before = len(sandbox.log)
    assert kantos(*words).code == 0
    # The plan's requests, and one to find the object; its schema is asked for by the plan too.
    assert len(sandbox.log) - before == plan["requests"] + 2


@pytest.mark.parametrize("way", ["--explain", "--dry-run"])
def test_a_plan_too_can_stop_at_max_requests(kantos, people, leads, way):
    done = kantos("import", "contacts", leads(), *MAP, way, "--max-requests", "3")
    assert done.code == 5
    assert "--max-requests is reached" in done.err.splitlines()[-1]


def test_a_dry_run_that_finds_nothing_ends_with_0(kantos, sandbox, people, leads):
    leads("name,email\nAnn,ann@x.example\n")
    done = kantos("import", "contacts", "leads.csv", "--key", "email", "--dry-run")
    assert done.code == 0


def test_a_dry_run_with_a_state_leaves_undo_alone(kantos, sandbox, people, leads):
    words = ("import", "contacts", leads(), *MAP, "--state", "c.state")
    assert kantos(*words, "--dry-run").code == 4
    done = kantos(*words, "--json")
    assert (done.code, done.json["created"], done.json["updated"]) == (0, 1, 1)


# ---- bad input, each on one line -----------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "leads.csv: the file is empty"),
        ("name,email\n", "leads.csv: a header, and no rows below it"),
        ("name,email,name\na,b,c\n", "leads.csv: two columns are called 'name' (1 and 3)"),
        (
            "name,email,Compny\na,b,c\n",
            "the column 'Compny' is no field of Contacts; did you mean 'company'? "
            "(say --map 'Compny=FIELD' or --ignore 'Compny')",
        ),
        ("name,email,Email\na,b,c\n", "'email' and 'Email' both fill 'email'; --ignore one"),
        ("name;email\na;b\n", "; where cells are set apart by ';', say --delimiter ';'"),
        ("name\temail\na\tb\n", "; where cells are set apart by tabs, say --delimiter tab"),
        ("name\na\n", "no column fills the key field 'email': name it by --map 'COLUMN=email'"),
        ('name,email\n"a,b\n', "leads.csv, line 2: a quote is opened in this row"),
    ],
)
def test_a_file_that_cannot_be_imported(kantos, sandbox, leads, text, said):
    done = kantos("import", "contacts", leads(text), "--key", "email")
    assert (done.code, done.out) == (2, "")
    assert done.err.splitlines()[-1].startswith("kantos: ")
    assert said in done.err.splitlines()[-1]
    assert sandbox.records("obj_contacts") == []


def test_a_column_of_jsonl_that_is_no_field(kantos, sandbox, leads):
    leads('{"email": "a@x.example"}\n{"email": "b@x.example", "nmae": "B"}\n', "a.jsonl")
    done = kantos("import", "contacts", "a.jsonl", "--key", "email")
    assert done.code == 2
    assert "the column 'nmae' is no field of Contacts; did you mean 'name'?" in done.err
    assert writes(sandbox) == 0
    assert kantos("import", "contacts", "a.jsonl", "--key", "email", "--map", "nmae=name").code == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--key", "emial"), "--key: Contacts has no field 'emial'; did you mean 'email'?"),
        (("--key", "name"), "does not keep 'name' unique"),
        (("--key", "name", "--delete-missing", "--force"), "--delete-missing needs a unique key"),
        (("--key", "email", "--map", "email"), "--map 'email': write COLUMN=FIELD"),
        (("--key", "email", "--map", "name=nmae"), "no field 'nmae'; did you mean 'name'?"),
        (("--key", "email", "--map", "Nam=name"), "there is no column 'Nam'; did you mean 'Name'?"),
        (("--key", "email", "--ignore", "Phone"), "there is no column 'Phone'"),
        (
            ("--key", "email", "--map", "phone=name", "--ignore", "phone"),
            "--map 'phone=name': --ignore 'phone' leaves that column out",
        ),
        (
            ("--key", "email", "--map", "phone=name", "--map", "phone=phone"),
            "--map 'phone=phone': the column 'phone' is mapped twice",
        ),
        (
            ("--key", "email", "--delete-missing", "--mode", "update-only"),
            "--delete-missing goes with --mode upsert only",
        ),
        (("--key", "email", "--max-deletes", "-5"), "--max-deletes '-5': must be like 50, or 10%"),
        (("--key", "id"), "--key id cannot create: the server chooses ids; say --mode update-only"),
        (("--key", "email", "--max-deletes", "some"), "--max-deletes 'some'"),
        (("--key", "email", "--results", "leads.csv"), "leads.csv: is given twice"),
        (("--key", "email", "--results", "a.csv", "--reject", "./a.csv"), "given twice"),
        (("--key", "email", "--results", "a.xlsx"), "a.xlsx: must end in .csv or .jsonl"),
        (("--key", "email", "--reject", "no/a.csv"), "no/a.csv: No such file"),
        (("--key", "email", "--results", "no/a.csv"), "no/a.csv: No such file"),
        ((), "--key"),
    ],
)
def test_wrong_options_are_named(kantos, sandbox, leads, words, said):
    leads("Name,email,phone\nA,a@x.example,\n")
    done = kantos("import", "contacts", "leads.csv", *words)
    assert done.code == 2
    assert said in done.err.splitlines()[-1]
    assert writes(sandbox) == 0
    assert Path("leads.csv").stat().st_size


def test_system_columns_are_left_out_and_named(kantos, leads):
    leads("id,name,email,created_at\nx,A,a@x.example,2020-01-01\n")
    done = kantos("import", "contacts", "leads.csv", "--key", "email")
    assert done.code == 0
    assert "left out, since the server sets them: id, created_at" in done.err


def test_a_key_that_is_not_unique_can_be_forced(kantos, sandbox, leads):
    words = ("import", "companies", leads("name\nAcme\n"), "--key", "name")
    assert kantos(*words).code == 2
    done = kantos(*words, "--force")
    assert done.code == 0
    assert "does not keep 'name' unique" in done.err


def test_a_reference_to_nothing_fails_its_row_only(kantos, sandbox, leads):
    leads("name,email,company\nA,a@x.example,rec_none\nB,b@x.example,\n")
    done = kantos("import", "contacts", "leads.csv", "--key", "email", "--json")
    assert (done.code, done.json["created"], done.json["failed"]) == (1, 1, 1)
    assert "line 2 (a@x.example): POST /crm/record: 422" in done.err


def test_files_that_cannot_be_read(kantos, monkeypatch, leads):
    Path("folder.csv").mkdir()
    words = ("--key", "email")
    assert kantos("import", "contacts", "folder.csv", *words).err == (
        "kantos: folder.csv: is a directory\n"
    )
    assert kantos("import", "contacts", "none.csv", *words).err == (
        "kantos: none.csv: No such file or directory\n"
    )

    def refuse(self, *args, **kwargs):
        raise PermissionError(13, "Permission denied", str(self))

    leads()
    monkeypatch.setattr(Path, "open", refuse)
    assert kantos("import", "contacts", "leads.csv", *words).err == (
        "kantos: leads.csv: Permission denied\n"
    )


def test_a_full_disk_under_the_results(kantos, sandbox, leads, monkeypatch):
    def full(self, row, *said):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("kantos_async.cli.formats.sinks._Csv.write", full)
    text = "name,email\n" + "".join(f"P{n},p{n}@x.example\n" for n in range(5))
    done = kantos("import", "contacts", leads(text), "--key", "email", "--results", "r.csv")
    assert done.code == 2
    assert done.err.splitlines()[-1] == "kantos: r.csv: No space left on device"
    assert "the same command goes on with the rest" in done.err
