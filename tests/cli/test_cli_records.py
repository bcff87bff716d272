import io

import pytest


class Terminal(io.StringIO):
    """Standard input of somebody who sits there and types."""

    def isatty(self):
        return True


def emails(done):
    return [record["field_values"]["email"] for record in done.json]


def test_objects_and_their_fields(kantos):
    assert "obj_contacts" in kantos("objects").out
    done = kantos("describe", "contacts")
    assert done.code == 0
    for word in ("email", "unique", "New · Contacted · Qualified · Lost", "→ obj_companies"):
        assert word in done.out
    assert {f["slug"] for f in kantos("describe", "contacts", "--json").json["fields"]} >= {"email"}


@pytest.mark.parametrize("name", ["contacts", "Contacts", "CONTACTS", "obj_contacts"])
def test_an_object_is_found_by_slug_name_and_id(kantos, name):
    assert kantos("describe", name, "--json").json["id"] == "obj_contacts"


def test_an_id_costs_one_request(kantos, sandbox):
    before = len(sandbox.log)
    kantos("describe", "obj_contacts")
    assert len(sandbox.log) == before + 1


def test_a_wrong_object_names_the_near_ones(kantos):
    done = kantos("describe", "contcts")
    assert done == (2, "", "kantos: there is no object 'contcts'; did you mean 'contacts'?\n")
    assert kantos("describe", "obj_contact").err.startswith(
        "kantos: there is no object 'obj_contact'; did you mean"
    )
    done = kantos("describe", "xyz")
    assert done.err == "kantos: there is no object 'xyz'; there are contacts, companies, deals\n"


def test_two_objects_of_one_name_are_told_apart_by_id(kantos, make_object):
    first, second = make_object("Tickets"), make_object("Tickets")
    done = kantos("describe", "tickets ")
    assert done.code == 2
    assert kantos("describe", second).code == 0
    assert kantos("describe", "Tickets").err == (
        f"kantos: several objects are called 'Tickets': say {first!r} or {second!r}\n"
    )


# ---- query ---------------------------------------------------------------------------------


def test_query_shows_records_as_a_table(kantos, people):
    done = kantos("query", "contacts")
    assert done.code == 0
    assert all(record_id in done.out for record_id in people)
    assert "zoe@x.example" in done.out


@pytest.mark.parametrize(
    ("conditions", "found"),
    [
        (["status=new"], ["ann", "zoe"]),
        (["Status = new", "name!=Ann"], ["zoe"]),
        (["status in lost,qualified"], ["bob"]),
        (["status not in lost"], ["ann", "zoe"]),
        (["name~zo"], ["zoe"]),
        (["phone="], ["bob", "zoe"]),
        (["phone!="], ["ann"]),
        (["created_at>=2020-01-01"], ["ann", "bob", "zoe"]),
        (["created_at<2020-01-01T12:00:00+02:00"], []),
    ],
)
def test_conditions(kantos, people, conditions, found):
    where = [word for condition in conditions for word in ("--where", condition)]
    done = kantos("query", "contacts", *where, "--sort", "name", "--json")
    assert [email.split("@")[0] for email in emails(done)] == found


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ("emial=x", "there is no field 'emial'; did you mean 'email'?"),
        ("status=nwe", "'nwe' is no choice of 'status'; did you mean 'New'?"),
        ("status", "write FIELD=VALUE"),
        ("created_at>=yesterday", "'yesterday' is no time like 2024-01-31"),
        ("phone~", "~ needs a value"),
        ("created_at>=0001-01-01T00:00:00+12:00", "'0001-01-01T00:00:00+12:00' is beyond"),
    ],
)
def test_a_condition_that_cannot_be_read_is_named(kantos, condition, said):
    done = kantos("query", "contacts", "--where", condition)
    assert done.code == 2
    assert done.err.startswith(f"kantos: --where {condition!r}: {said}")
    assert done.err.count("\n") == 1


def test_one_operator_twice_on_a_field_is_told(kantos):
    done = kantos("query", "contacts", "--where", "name>=a", "--where", "name>=b")
    assert done.code == 2
    assert "stands twice" in done.err


def test_fields_limit_and_how_many_there_are(kantos, people):
    done = kantos("query", "contacts", "--fields", "Email", "--limit", "2", "--json")
    assert [list(record["field_values"]) for record in done.json] == [["email"], ["email"]]
    assert done.err == ""
    assert "2 of 3 records" in kantos("query", "contacts", "--limit", "2").err
    assert "no field 'x'" in kantos("query", "contacts", "--fields", "email,x").err


# ---- one record ----------------------------------------------------------------------------


def test_get_shows_one(kantos, people):
    assert "ann@x.example" in kantos("get", people[0]).out
    assert kantos("get", people[0], "--json").json["field_values"]["email"] == "ann@x.example"
    done = kantos("get", "rec_none")
    assert done.code == 3
    assert "404" in done.err


@pytest.mark.parametrize(
    "words", [("get", ""), ("update", "", "name=x"), ("delete", "", "--yes"), ("get", "--", "")]
)
def test_an_id_that_is_empty_is_wrong_use(kantos, sandbox, words):
    assert kantos(*words) == (2, "", "kantos: a record's id is empty\n")
    assert not sandbox.log


@pytest.mark.parametrize(
    "words",
    [
        ("create", "contacts", "name=\udcff"),
        ("query", "contacts", "--where", "name=\udcff"),
        ("get", "rec_\udcff"),
        ("describe", "\udcff"),
    ],
)
def test_bytes_that_are_no_text_are_wrong_use(kantos, words):
    done = kantos(*words)
    assert done.code in {2, 3}
    assert done.err.startswith("kantos: ")
    assert done.err.count("\n") == 1


def test_create_converts_by_type(kantos, sandbox):
    done = kantos(
        "create", "deals", "Name=Pilot", "value=1200.50", "close_date=2024-02-29", "--json"
    )
    assert done.code == 0
    assert done.json["field_values"] == {
        "name": "Pilot",
        "value": 1200.5,
        "close_date": "2024-02-29",
    }
    assert len(sandbox.records("obj_deals")) == 1


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (["name"], "'name': write FIELD=VALUE"),
        (["name=a", "Name=b"], "'Name=b': the field 'name' is given twice"),
        (["value=much"], "'value=much': 'much' is no number with a decimal point"),
        (["vlaue=1"], "there is no field 'vlaue'; did you mean 'value'?"),
        ([], "no values"),
        (["name="], "no values"),
    ],
)
def test_values_that_cannot_be_read_are_named(kantos, sandbox, values, said):
    done = kantos("create", "deals", *values)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"kantos: {said}")
    assert not sandbox.records("obj_deals")


def test_update_changes_and_clears(kantos, sandbox, people):
    done = kantos("update", people[0], "status=Qualified", "phone=")
    assert done.code == 0
    assert sandbox.record(people[0])["field_values"] == {
        "name": "Ann",
        "email": "ann@x.example",
        "status": "Qualified",
    }
    assert kantos("update", people[0]).code == 2


def test_delete_asks_first(kantos, sandbox, people, monkeypatch):
    assert kantos("delete").code == 2
    done = kantos("delete", people[0])
    assert (done.code, done.err) == (2, "kantos: nobody can be asked here: say --yes\n")
    monkeypatch.setattr("sys.stdin", Terminal("n\n"))
    assert kantos("delete", people[0]).err == "Delete 1 record? [y/N] kantos: nothing was deleted\n"
    assert len(sandbox.records("obj_contacts")) == 3
    monkeypatch.setattr("sys.stdin", Terminal("y\n"))
    assert kantos("delete", people[0]).code == 0
    assert len(sandbox.records("obj_contacts")) == 2


def test_deleting_several_tells_of_each(kantos, sandbox, people):
    done = kantos("delete", people[0], "rec_none", people[1], "--yes", "--json")
    assert done.code == 1
    assert [row["deleted"] for row in done.json] == [True, False, True]
    assert "404" in done.json[1]["error"]
    assert kantos("delete", "rec_none", "--yes").code == 3
