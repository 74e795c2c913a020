"""Results go back to the course system in the form it takes."""

from __future__ import annotations

import csv
import json
import zipfile
from types import SimpleNamespace

from helpers.grading.results.lms import write_uploads
from tests.grading.results.results import Roster, Sender, record, report


def read(path) -> list[dict]:
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_moodle_worksheet_fills_the_columns_of_the_export(tmp_path):
    columns = ["Identifier", "Full name", "Status", "Grade", "Grade can be changed"]
    people = [
        SimpleNamespace(
            key=key, name=name, row={"Identifier": f"Participant {key}", "Full name": name,
                                     "Status": "Submitted", "Grade can be changed": "Yes"},
        )
        for key, name in (("11", "Kim"), ("12", "Lee"))
    ]  # fmt: skip
    outer = "Kim_11_assignsubmission_file_"
    made = report(
        record("11", "Kim"),
        senders=[Sender(outer, "11", "Kim", "11")],
        roster=Roster("Moodle worksheet", people, columns),
    )
    write_uploads(made, tmp_path)
    kim, lee = read(tmp_path / "moodle-grades.csv")
    assert kim["Identifier"] == "Participant 11" and kim["Grade"] == "2.00"
    assert "2 of 5 points" in kim["Feedback comments"] and kim["Grade can be changed"] == "Yes"
    assert lee["Grade"] == ""
    with zipfile.ZipFile(tmp_path / "moodle-feedback.zip") as archive:
        assert archive.namelist() == [f"{outer}/feedback.html"]
        assert b"Correct" in archive.read(archive.namelist()[0])


def test_canvas_gradebook_uses_the_assignment_of_the_same_name(tmp_path):
    columns = ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "01 Perceptrons (77)"]
    people = [SimpleNamespace(key="5", name="Kim", row={"Student": "Kim", "ID": "5"})]
    above = [{"Student": "    Points Possible", "01 Perceptrons (77)": "5"}]
    made = report(
        record("5", "Kim"),
        senders=[Sender("kim_5_99_01_perceptrons.ipynb", "5", "Kim", "5", "Canvas")],
        roster=Roster("Canvas gradebook", people, columns, above),
    )
    write_uploads(made, tmp_path)
    points, kim = read(tmp_path / "canvas-grades.csv")
    assert points["01 Perceptrons (77)"] == "5" and kim["01 Perceptrons (77)"] == "2"
    with zipfile.ZipFile(tmp_path / "canvas-feedback.zip") as archive:
        assert archive.namelist() == ["kim_5_99_01_perceptrons-feedback.html"]


def test_without_a_roster_the_senders_make_the_files(tmp_path):
    made = report(
        record("11", "Kim"), senders=[Sender("Kim_11_assignsubmission_file_", "11", "Kim", "11")]
    )
    write_uploads(made, tmp_path)
    assert read(tmp_path / "moodle-grades.csv")[0]["Identifier"] == "Participant 11"
    results = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert results["11"]["score"] == 2.0 and len(results["11"]["tests"]) == 3
