import pytest

LEADS = """name,email,status
Ann,ann@x.example,qualified
Cyd,cyd@x.example,new
Zoë,zoe@x.example,new
"""
WORDS = ("import", "contacts", "leads.csv", "--key", "email", "--state", "c.state")


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    """The wait for searches to catch up is the library's matter."""
    monkeypatch.setattr("kantos_async.bulk.rules.wait_after", lambda *_: 0.0)


@pytest.fixture
def imported(kantos, people, tmp_path):
    (tmp_path / "leads.csv").write_text(LEADS, encoding="utf-8")
    done = kantos(*WORDS, "--delete-missing", "--max-deletes", "1", "--json")
    assert (done.json["created"], done.json["updated"], done.json["deleted"]) == (1, 1, 1)
    return people


def by_email(sandbox):
    return {r["field_values"]["email"]: r for r in sandbox.records("obj_contacts")}


def test_it_puts_all_back(kantos, sandbox, imported):
    done = kantos("undo", "c.state", "--json")
    assert done.code == 0
    said = done.json
    assert (said["deleted"], said["updated"], said["created"], said["records"]) == (1, 1, 1, 3)
    found = by_email(sandbox)
    assert set(found) == {"ann@x.example", "bob@x.example", "zoe@x.example"}
    assert found["ann@x.example"]["field_values"]["status"] == "new"
    # A deleted record comes back under a new id, and that is said.
    (back,) = [row for row in said["outcomes"] if row["outcome"] == "created"]
    assert back["record_id"] == found["bob@x.example"]["id"] != imported[1]
    assert imported[1] in back["note"]


def test_people_are_told_of_new_ids(kantos, imported):
    done = kantos("undo", "c.state")
    assert done.code == 0
    assert f"bob@x.example: created: under a new id; it was {imported[1]}" in done.err


def test_what_somebody_else_changed_since_is_kept(kantos, sandbox, imported):
    sandbox.update(imported[0], {"status": "lost"})
    done = kantos("undo", "c.state")
    assert done.code == 0
    assert "ann@x.example: kept: somebody changed status since" in done.err
    assert by_email(sandbox)["ann@x.example"]["field_values"]["status"] == "lost"


def test_explain_writes_nothing(kantos, sandbox, imported):
    before = by_email(sandbox)
    done = kantos("undo", "c.state", "--explain", "--json")
    assert done.code == 0
    plan = done.json
    assert (plan["would_create"], plan["would_update"], plan["would_delete"]) == (1, 1, 1)
    assert plan["writes"] == 3
    assert by_email(sandbox) == before


def test_max_requests_stops_and_the_same_command_goes_on(kantos, sandbox, imported):
    done = kantos("undo", "c.state", "--max-requests", "2")
    assert done.code == 5
    assert "--max-requests is reached: 1 of 3 rows are done" in done.err
    assert kantos("undo", "c.state").code == 0
    assert set(by_email(sandbox)) == {"ann@x.example", "bob@x.example", "zoe@x.example"}


def test_a_second_undo_finds_nothing(kantos, imported):
    assert kantos("undo", "c.state").code == 0
    done = kantos("undo", "c.state", "--json")
    assert (done.code, done.json["records"]) == (0, 0)


def test_a_dry_run_before_does_not_change_what_undo_does(kantos, sandbox, imported):
    assert kantos(*WORDS, "--dry-run").code == 0
    assert kantos("undo", "c.state").code == 0
    assert set(by_email(sandbox)) == {"ann@x.example", "bob@x.example", "zoe@x.example"}


def test_a_state_that_is_none(kantos, tmp_path):
    done = kantos("undo", "none.state")
    assert (done.code, done.out) == (2, "")
    assert "none.state" in done.err
    assert not (tmp_path / "none.state").exists()
    (tmp_path / "text.state").write_text("name,email\n" * 1000)
    done = kantos("undo", "text.state")
    assert done.code == 2
    assert done.err.count("\n") == 1
