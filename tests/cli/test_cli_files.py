"""Reading files of rows: what comes out of them, and what is said of bad ones."""

import io
import os
import re
import sys
import threading
import zipfile
from datetime import datetime
from types import SimpleNamespace

import openpyxl
import openpyxl.chart
import pyarrow
import pytest
from pyarrow import parquet

from kantos_async.cli.exits import UsageError
from kantos_async.cli.formats import kind_of
from kantos_async.cli.formats.reading import open_source

PEOPLE = [("Ann", "ann@x.example"), ("Zoë", "zoe@x.example")]


def read(path, kind=None, **options):
    with open_source(str(path), kind_of(str(path), kind), **options) as source:
        return list(source.rows())


def refusal(path, kind=None, **options):
    with pytest.raises(UsageError) as caught:
        read(path, kind, **options)
    said = str(caught.value)
    assert "\n" not in said
    return said.removeprefix(str(path))


@pytest.fixture
def write(tmp_path):
    def write(name, content):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


@pytest.fixture
def sheet(tmp_path):
    def sheet(*rows, more=()):
        book = openpyxl.Workbook()
        for row in rows:
            book.active.append(row)
        for title in more:
            book.create_sheet(title).append(["name", "email"])
        path = tmp_path / "rows.xlsx"
        book.save(path)
        return path

    return sheet


# ---- every format --------------------------------------------------------------------------


def test_every_format_gives_the_same_rows(write, sheet, tmp_path):
    lines = [f"{name},{email}" for name, email in PEOPLE]
    objects = [f'{{"name": "{name}", "email": "{email}"}}' for name, email in PEOPLE]
    table = pyarrow.table(dict(zip(("name", "email"), zip(*PEOPLE, strict=True), strict=True)))
    parquet.write_table(table, tmp_path / "rows.parquet")
    for path, places in [
        (write("a.csv", "\r\n".join(["name,email", *lines, ""])), [2, 3]),
        (write("b.csv", b"\xef\xbb\xbf" + "\n".join(["name,email", *lines]).encode()), [2, 3]),
        (write("c.jsonl", "\n\n".join(objects)), [1, 3]),
        (write("d.json", f"[{', '.join(objects)}]"), [1, 2]),
        (sheet(("name", "email"), *PEOPLE), [2, 3]),
        (tmp_path / "rows.parquet", [1, 2]),
    ]:
        rows = read(path)
        assert [tuple(row.cells.items()) for row in rows] == [
            (("name", name), ("email", email)) for name, email in PEOPLE
        ], path
        assert [row.place for row in rows] == places, path
        assert not any(row.problems for row in rows)


def test_standard_input_is_read_twice(monkeypatch):
    with_bytes = SimpleNamespace(buffer=io.BytesIO(b"name\nAnn\n"))
    monkeypatch.setattr(sys, "stdin", with_bytes)
    with open_source("-", kind_of("-", None)) as source:
        assert [row.cells for row in source.rows()] == [{"name": "Ann"}]
        assert [row.cells for row in source.rows()] == [{"name": "Ann"}]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes")
def test_a_named_pipe_is_read_like_a_file(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_bytes(b"name\nAnn\n"))
    writer.start()
    assert [row.cells for row in read(pipe, "csv")] == [{"name": "Ann"}]
    writer.join()


def test_the_ending_names_the_kind():
    assert kind_of("a/b.CSV", None) == "csv"
    assert kind_of("b.ndjson", None) == "jsonl"
    assert kind_of("-", None) == "csv"
    assert kind_of("-", "parquet") == "parquet"
    with pytest.raises(UsageError, match="say --format"):
        kind_of("rows.txt", None)


# ---- CSV -----------------------------------------------------------------------------------


def test_csv_cells_may_hold_lines_quotes_and_commas(write):
    path = write("a.csv", 'a,b\n"two\nlines","say ""hi"", please"\nc,d\n')
    rows = read(path)
    assert rows[0].cells == {"a": "two\nlines", "b": 'say "hi", please'}
    assert rows[1].place == 4


@pytest.mark.parametrize(("delimiter", "mark"), [(";", ";"), ("tab", "\t"), ("|", "|")])
def test_the_delimiter_is_what_was_said(write, delimiter, mark):
    path = write("a.csv", f"a{mark}b\n1,5{mark}2\n")
    assert read(path, delimiter=delimiter)[0].cells == {"a": "1,5", "b": "2"}


def test_columns_without_a_name_at_the_end_are_left_out(write):
    assert read(write("a.csv", "a,b,,\n1,2,,\n"))[0].cells == {"a": "1", "b": "2"}


def test_ragged_rows_are_a_problem_of_their_own(write):
    rows = read(write("a.csv", "a,b\n1\n1,2\n1,2,3\n1,2,\n"))
    said = [[problem.reason for problem in row.problems] for row in rows]
    assert said[0] == ["1 cells, where the header has 2"]
    assert said[1] == said[3] == []
    assert said[2] == ["3 cells, where the header has 2"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", ": the file is empty"),
        (b"\n\n", ": the file holds nothing but blank lines"),
        (
            "name\nAnn\n".encode("utf-16-le"),
            ", line 1: holds NUL bytes, as UTF-16 does; save the file as UTF-8",
        ),
        (b"a,b\n", ": a header, and no rows below it"),
        (b"a,b,a\n1,2,3\n", ": two columns are called 'a' (1 and 3)"),
        (b"a,,b\n1,2,3\n", ": column 2 has no name in the header"),
        (b"a\nx\nZo\xeb\n", ", line 3: byte 0xeb at 3 is not UTF-8; save the file as UTF-8"),
        (b"a,b\nx,\xff\n", ", line 2: byte 0xff at 3 is not UTF-8; save the file as UTF-8"),
        ("a\nb\n".encode("utf-16"), ", line 1: is UTF-16; save the file as UTF-8"),
        (b'a\nb\n"c\nd\n', ", line 3: a quote is opened in this row, and never closed"),
        (b'a\n"b"c\n', ", line 2: ',' expected after '\"'"),
        (b"a,b\r1,2\r3,4\r", ", line 1: lines end by CR alone; save the file with LF or CRLF"),
    ],
)
def test_bad_csv(write, content, said):
    assert refusal(write("a.csv", content)) == said


def test_an_endless_cell_does_not_fill_the_memory(write):
    line = b"x" * 1_000_000 + b"\n"
    path = write("a.csv", b"a,b\n1,2\n" + b'3,"' + line * 50)
    assert refusal(path) == ", line 3: a cell is longer than 1,048,576 characters"
    path = write("b.csv", b"a,b\n" + b"x" * 50_000_000)
    assert refusal(path) == ", line 2: is longer than 1,048,576 bytes"


def test_a_delimiter_of_two_characters_is_none(write):
    assert "--delimiter ', '" in refusal(write("a.csv", "a\n1\n"), delimiter=", ")


# ---- JSON ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.jsonl", '{"a": 1}\n{"a": \n', ", line 2: "),
        ("a.jsonl", '{"a": 1}\n[1]\n', ", line 2: Expected `object`, got `array`"),
        ("a.jsonl", "\n\n", ": no rows"),
        ("a.json", '{"a": 1}', ": Expected `array`, got `object`"),
        ("a.json", "[]", ": no rows"),
        ("a.json", '[{"a": 1}, 2]', ", row 2: Expected `object`, got `int`"),
        ("a.json", "nonsense", ": "),
        ("a.json", f"[{'[' * 100_000}", ": is nested too deeply"),
        ("a.jsonl", f'{{"a": {"[" * 100_000}\n', ", line 1: is nested too deeply"),
    ],
)
def test_bad_json(write, name, content, said):
    assert refusal(write(name, content)).startswith(said)


# ---- XLSX ----------------------------------------------------------------------------------


def test_xlsx_keeps_the_types_of_cells(sheet):
    path = sheet(("n", "d", "t", None), (42, datetime(2024, 2, 29), "x"), (None,), (1.5, None, "y"))
    rows = read(path)
    assert rows[0].cells == {"n": 42, "d": datetime(2024, 2, 29), "t": "x"}
    assert rows[1].cells == {"n": 1.5, "d": None, "t": "y"}
    assert [row.place for row in rows] == [2, 4]
    assert not any(row.problems for row in rows)


def test_a_failed_formula_is_a_problem(sheet):
    (row,) = read(sheet(("a", "b"), ("#N/A", "ok")))
    assert [(p.column, p.reason) for p in row.problems] == [("a", "is an error of the spreadsheet")]


def test_a_formula_without_a_stored_value_is_a_problem(sheet):
    # No program has worked it out, and an empty cell would be another thing.
    rows = read(sheet(("a", "b"), ("=1+1", "x"), ("=A2", None), (3, "=not text")))
    said = [[(p.column, p.value, p.reason) for p in row.problems] for row in rows]
    why = "is a formula without a stored value; open and save the file"
    assert said == [[("a", None, why)], [("a", None, why)], [("b", None, why)]]
    assert [row.cells for row in rows] == [
        {"a": None, "b": "x"},
        {"a": None, "b": None},
        {"a": 3, "b": None},
    ]
    assert "the header is a formula" in refusal(sheet(("a", "=B2"), (1, 2)))


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ('<c r="A2"><f>1+1</f><v>2</v></c>', 2),
        # An empty text is a value too.
        ('<c r="A2" t="str"><f>B2&amp;""</f><v></v></c>', None),
    ],
)
def test_a_formula_counts_by_its_stored_value(sheet, cell, value):
    (row,) = read(
        rewritten(
            sheet(("a", "b"), ("=1+1", "x")),
            "xl/worksheets/sheet1.xml",
            lambda text: re.sub(r'<c r="A2">.*?</c>', lambda _: cell, text),
        )
    )
    assert not row.problems
    assert row.cells == {"a": value, "b": "x"}


def rewritten(path, part, change):
    """The same file with another part."""
    new = path.with_name("rewritten.xlsx")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(new, "w") as to:
        for name in old.namelist():
            data = old.read(name)
            if name == part:
                data = change(data.decode()).encode()
            to.writestr(name, data)
    return new


@pytest.mark.parametrize(
    ("part", "change"),
    [
        ("xl/worksheets/sheet1.xml", lambda text: text[: len(text) // 2]),
        ("xl/worksheets/sheet1.xml", lambda text: text.replace('r="A2"', 'r="2A"')),
        ("xl/workbook.xml", lambda text: text.replace("sheets", "shets")),
        ("xl/workbook.xml", lambda text: "no XML"),
    ],
)
def test_a_broken_spreadsheet_is_one_line(sheet, part, change):
    assert refusal(rewritten(sheet(("a", "b"), ("x", "y")), part, change))


def test_a_spreadsheet_whose_data_are_broken(sheet, write):
    content = bytearray(sheet(("a", "b"), *[(n, "y") for n in range(500)]).read_bytes())
    at = content.index(b"xl/worksheets/sheet1.xml") + 200
    content[at : at + 50] = bytes(50)
    assert refusal(write("broken.xlsx", bytes(content)))


def test_a_sheet_that_is_a_chart_is_none_of_rows(sheet, tmp_path):
    book = openpyxl.Workbook()
    book.active.append(["a"])
    book.active.append([1])
    book.create_chartsheet("Chart").add_chart(openpyxl.chart.BarChart())
    book.save(tmp_path / "chart.xlsx")
    assert [row.cells for row in read(tmp_path / "chart.xlsx")] == [{"a": 1}]


def test_of_several_sheets_one_must_be_named(sheet):
    path = sheet(("name", "email"), *PEOPLE, more=["Old"])
    assert refusal(path) == ": has 2 sheets, say --sheet: 'Sheet', 'Old'"
    assert len(read(path, sheet="Sheet")) == 2
    assert refusal(path, sheet="Shet") == ": has no sheet 'Shet'; did you mean 'Sheet'?"
    assert refusal(path, sheet="Old") == ": a header, and no rows below it"


def test_what_is_no_spreadsheet(write, sheet):
    assert ": is no XLSX file" in refusal(write("a.xlsx", "name\nAnn\n"))
    assert refusal(sheet()) == ": the sheet is empty"


# ---- Parquet, and files that are none ------------------------------------------------------


def test_what_is_no_parquet(write, tmp_path):
    assert ": is no Parquet file" in refusal(write("a.parquet", b"PAR1 no"))
    parquet.write_table(pyarrow.table({"a": []}), tmp_path / "b.parquet")
    assert refusal(tmp_path / "b.parquet") == ": a header, and no rows below it"


@pytest.mark.parametrize(
    "values",
    [
        pyarrow.array([1_706_659_200_000_000_001, None], pyarrow.timestamp("ns")),
        pyarrow.array([1, None], pyarrow.time64("ns")),
        pyarrow.array([1, None], pyarrow.duration("ns")),
        pyarrow.array([2**40, None], pyarrow.timestamp("s")),
    ],
)
def test_times_of_parquet_that_nobody_else_has_are_problems(tmp_path, values):
    parquet.write_table(pyarrow.table({"a": ["x", "y"], "t": values}), tmp_path / "a.parquet")
    rows = read(tmp_path / "a.parquet")
    assert [row.cells for row in rows] == [{"a": "x", "t": None}, {"a": "y", "t": None}]
    assert [[problem.column for problem in row.problems] for row in rows] == [["t"], []]


def test_parquet_whose_columns_have_no_name(tmp_path):
    parquet.write_table(pyarrow.table({"a": [1], "": [2]}), tmp_path / "a.parquet")
    assert refusal(tmp_path / "a.parquet") == ": column 2 has no name"


def test_parquet_whose_data_are_broken(write, tmp_path):
    path = tmp_path / "a.parquet"
    parquet.write_table(pyarrow.table({"a": list(map(str, range(1_000)))}), path)
    content = bytearray(path.read_bytes())
    content[20:1_000] = b"\xff" * 980
    assert refusal(write("b.parquet", bytes(content))).startswith(": cannot be read (")


def test_a_directory(tmp_path):
    assert refusal(tmp_path, "csv") == ": is a directory"
