"""Marks are read back from spreadsheets: ids, encodings and separators are recognised."""

from __future__ import annotations

import csv
import io

import pandas as pd
import pytest

from helpers.grading.results.marks import MarksFile, csv_text, exercise_cell, safe_cell

ALLOWED = {
    f"{student}/{exercise}": 2.0
    for student in ("Kim", "0012345", "12e3", "=lee", "김민수", "Übung")
    for exercise in ("1.1", "1.10")
}


def taken(tmp_path, content: bytes):
    path = tmp_path / "edited.csv"
    path.write_bytes(content)
    return MarksFile(path, ALLOWED).marks()


def edited(student: str, exercise: str = "Exercise 1.10", points: str = "1.5") -> str:
    return f"student,exercise,points\n{student},{exercise},{points}\n"


@pytest.mark.parametrize(
    ("cell", "student"),
    [
        ("Kim", "Kim"),
        ("12345", "0012345"),  # a spreadsheet drops the zeros
        ("12345.0", "0012345"),  # and pandas makes it a float
        ("12000", "12e3"),
        ("1.20E+04", "12e3"),
        ("'=lee", "=lee"),
        ("=lee", "=lee"),
    ],
)
def test_student_is_found_as_a_spreadsheet_rewrites_the_id(tmp_path, cell, student):
    marks, errors = taken(tmp_path, edited(cell).encode())
    assert not errors and list(marks) == [f"{student}/1.10"]


def test_two_ids_that_a_spreadsheet_makes_one_are_refused(tmp_path):
    path = tmp_path / "edited.csv"
    path.write_text(edited("7"))
    _, errors = MarksFile(path, {"007/1.10": 2.0, "07/1.10": 2.0}).marks()
    assert "may be 007 or 07" in errors[0]


def test_exercise_1_10_is_not_1_1_after_a_round_trip(tmp_path):
    rows = [
        {"student": "Kim", "exercise": exercise_cell(id), "points": 1} for id in ("1.1", "1.10")
    ]
    path = tmp_path / "marks.csv"
    path.write_text(csv_text(["student", "exercise", "points"], rows), encoding="utf-8")
    pd.read_csv(path).to_csv(path, index=False)
    assert list(MarksFile(path, ALLOWED).marks()[0]) == ["Kim/1.1", "Kim/1.10"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp949"])
def test_korean_names_are_read_in_every_usual_encoding(tmp_path, encoding):
    marks, errors = taken(tmp_path, edited("김민수").encode(encoding))
    assert not errors and list(marks) == ["김민수/1.10"]


def test_western_names_in_cp1252_are_no_korean(tmp_path):
    assert list(taken(tmp_path, edited("Übung").encode("cp1252"))[0]) == ["Übung/1.10"]


@pytest.mark.parametrize("separator", [";", "\t"])
def test_separators_and_decimal_commas_are_read(tmp_path, separator):
    text = separator.join(["student", "exercise", "points"]) + "\n"
    text += separator.join(["Kim", "1.10", "1,5"]) + "\n"
    assert taken(tmp_path, text.encode())[0]["Kim/1.10"]["points"] == 1.5


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (edited("nobody"), "line 2: there is no answer by nobody"),
        (edited("Kim", points="3"), "not between 0 and 2"),
        (edited("Kim", points="many"), "'many' is not a number"),
        (edited("Kim", exercise="Exercise 9.9"), "exercise 9.9"),
    ],
)
def test_mistakes_are_named_by_line(tmp_path, text, says):
    marks, errors = taken(tmp_path, text.encode())
    assert not marks and says in errors[0]


def test_no_cell_is_a_formula_at_any_separator():
    for text in ("=1+1", " =1", "a;=1", "a\t@x", "a\n+1", "＝1"):
        cell = safe_cell(text)
        for separator in ";\t\n":
            assert not any(
                part.lstrip().startswith(("=", "+", "-", "@", "＝"))
                for part in cell.split(separator)
            )


def test_csv_tells_excel_its_encoding_and_reads_back():
    text = csv_text(["name"], [{"name": "김민수"}])
    assert text.startswith("\ufeff")
    assert next(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))["name"] == "김민수"
