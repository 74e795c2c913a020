"""The tables of a run: keys and names, marks of changed answers, and lateness."""

from __future__ import annotations

import csv
from datetime import datetime

import pytest

from helpers.grading.results import tables
from helpers.grading.results.late import LatePolicy
from helpers.grading.results.store import EXPLANATIONS, Store
from helpers.grading.submissions import UNSURE_TIME
from tests.grading.results.results import Roster, Sender, record, report


def read(path) -> list[dict]:
    with open(path, encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def test_two_students_of_one_name_keep_a_row_and_a_page_each(tmp_path):
    made = report(record("4711", "Kim"), record("4712", "Kim"))
    tables.write(made, Store(tmp_path), {})
    rows = read(tmp_path / "gradebook.csv")
    assert [(row["student"], row["name"]) for row in rows] == [("4711", "Kim"), ("4712", "Kim")]
    assert len({row["feedback"] for row in rows}) == 2
    assert {path.name for path in (tmp_path / "feedback").iterdir()} == {
        row["feedback"] for row in rows
    }


def test_a_mark_stays_when_the_answer_changes_and_says_so(tmp_path):
    store = Store(tmp_path)
    tables.write(report(record("kim")), store, {})
    (tmp_path / "edited.csv").write_text("student,exercise,points\nkim,Exercise 1.11,1.5\n")
    allowed = report(record("kim")).allowed_marks()
    assert store.enter_marks(tmp_path / "edited.csv", allowed) == 1
    assert store.enter_marks(tmp_path / "edited.csv", allowed) == 0

    changed = report(record("kim", words="Other words."), marks=store.marks)
    tables.write(changed, store, {})
    (row,) = read(tmp_path / EXPLANATIONS)
    assert row["points"] == "" and "gave 1.5 points, which are kept" in row["note"]
    assert changed.totals("kim")["points"] == 3.5
    assert "1 answers changed after you marked them" in tables.summary(changed, tmp_path)

    store.enter_marks(tmp_path / "edited.csv", allowed)  # the same points, confirmed
    again = report(record("kim", words="Other words."), marks=store.marks)
    assert not any(row["changed"] for row in again.rows)


def test_lateness_costs_what_the_policy_says_and_is_told(tmp_path):
    policy = LatePolicy(datetime(2026, 3, 1, 12), per_day=0.25)
    made = report(
        record("early", submitted="2026-03-01T11:59:59"),
        record("late", submitted="2026-03-02T13:00:00"),
        record("unknown"),
        late=policy,
    )
    points = {student: made.totals(student)["points"] for student in made.students}
    assert points == {"early": 2.0, "late": 1.0, "unknown": 2.0}
    assert "2 days late: 1 points deducted" in made.totals("late")["notes"]
    assert "unknown" in made.totals("unknown")["notes"]


def test_those_on_the_roster_who_sent_nothing_are_missing():
    people = [Sender("", "kim", "Kim"), Sender("", "lee", "Lee")]
    for person in people:
        person.key = person.student
    assert report(record("kim"), roster=Roster("list", people)).missing() == ["Lee"]


@pytest.mark.parametrize("name", ["../../etc", "a" * 500, "김" * 200, "", "con", "=1"])
def test_names_make_safe_short_file_names(name):
    from helpers.grading.results.report import page_name

    made = page_name(name, "4711")
    assert "/" not in made and not made.startswith((".", "=")) and len(made.encode()) < 100


def test_lateness_without_a_time_shows_and_costs_nothing():
    policy = LatePolicy(datetime(2026, 3, 1), 0.5)
    made = report(record("5", "Kim", late=True), late=policy)
    assert "marked this as late" in made.totals("5")["notes"] and made.totals("5")["points"] == 2
    downloaded = {"submitted": "2026-03-09T08:00:00", "stamp": UNSURE_TIME}
    made = report(record("11", "Lee", **downloaded), late=policy)
    assert made.totals("11")["points"] == 2 and made.undated() == 1
    assert "unknown" in made.totals("11")["notes"]
