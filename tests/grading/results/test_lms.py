"""Results are written in the formats that course systems import."""

from __future__ import annotations

import csv
import json
import zipfile
from types import SimpleNamespace

from helpers.grading.results.lms import notes, write_uploads
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
    upload = "Kim_11_assignsubmission_file"
    made = report(
        record("11", "Kim"),
        senders=[Sender("Kim_11", "11", "Kim", "11", upload=upload)],
        roster=Roster("Moodle worksheet", people, columns),
    )
    write_uploads(made, tmp_path)
    kim, lee = read(tmp_path / "moodle-grades.csv")
    assert kim["Identifier"] == "Participant 11" and kim["Grade"] == "2.00"
    assert "2 of 5 points" in kim["Feedback comments"] and kim["Grade can be changed"] == "Yes"
    assert lee["Grade"] == ""
    with zipfile.ZipFile(tmp_path / "moodle-feedback.zip") as archive:
        assert archive.namelist() == [f"{upload}/feedback.html"]
        assert b"Correct" in archive.read(archive.namelist()[0])


def test_canvas_gradebook_uses_the_assignment_of_the_same_name(tmp_path):
    columns = ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "01 Perceptrons (77)"]
    people = [SimpleNamespace(key="5", name="Kim", row={"Student": "Kim", "ID": "5"})]
    above = [{"Student": "    Points Possible", "01 Perceptrons (77)": "5"}]
    made = report(
        record("5", "Kim"),
        senders=[Sender("kim_5", "5", "Kim", "5", "Canvas", upload="5_99_01_x.ipynb")],
        roster=Roster("Canvas gradebook", people, columns, above),
    )
    write_uploads(made, tmp_path)
    points, kim = read(tmp_path / "canvas-grades.csv")
    assert points["01 Perceptrons (77)"] == "5" and kim["01 Perceptrons (77)"] == "2"
    with zipfile.ZipFile(tmp_path / "canvas-feedback.zip") as archive:
        assert archive.namelist() == ["Kim_5_99_01_x-feedback.html"]


def test_without_a_roster_the_senders_make_the_files(tmp_path):
    made = report(record("11", "Kim"), senders=[Sender("Kim_11", "11", "Kim", "11")])
    write_uploads(made, tmp_path)
    assert read(tmp_path / "moodle-grades.csv")[0]["Identifier"] == "Participant 11"
    results = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert results["11"]["score"] == 2.0 and len(results["11"]["tests"]) == 3


def _canvas(tmp_path, columns: list[str], possible: str, **told) -> list[dict]:
    people = [SimpleNamespace(key="5", name="Kim", row={"Student": "Kim", "ID": "5"})]
    above = [{"Student": "    Points Possible", **dict.fromkeys(columns[5:], possible)}]
    made = report(
        record("5", "Kim", **told),
        senders=[Sender("kim_5", "5", "Kim", "5", "Canvas")],
        roster=Roster("Canvas gradebook", people, columns, above),
        all_chapters=("perceptrons", "multilayer_perceptrons"),
    )
    write_uploads(made, tmp_path)
    return read(tmp_path / "canvas-grades.csv"), notes(made)


_OF_STUDENT = ["Student", "ID", "SIS User ID", "SIS Login ID", "Section"]


def test_canvas_points_go_to_no_other_pages_assignment(tmp_path):
    columns = [*_OF_STUDENT, "Multilayer Perceptrons (78)", "Perceptrons Current Score"]
    (_, kim), told = _canvas(tmp_path, columns, "5")
    assert kim["Multilayer Perceptrons (78)"] == kim["Perceptrons Current Score"] == ""
    assert kim["perceptrons"] == "2" and "it will ask during the import" in told[0]


def test_canvas_points_overwrite_no_second_assignment_of_a_page(tmp_path):
    columns = [*_OF_STUDENT, "Perceptrons quiz (1)", "Perceptrons notebook (2)"]
    (_, kim), _ = _canvas(tmp_path, columns, "5")
    assert kim["perceptrons"] == "2" and kim["Perceptrons quiz (1)"] == ""
    columns = [*_OF_STUDENT, "Perceptrons quiz (1)", "01_perceptrons (2)"]
    (_, kim), _ = _canvas(tmp_path, columns, "5")
    assert kim["01_perceptrons (2)"] == "2" and "perceptrons" not in kim


def test_points_are_scaled_to_the_assignments_own(tmp_path):
    (_, kim), told = _canvas(tmp_path, [*_OF_STUDENT, "Perceptrons (1)"], "100")
    assert kim["Perceptrons (1)"] == "40" and "100 points and the pages have 5" in told[0]


def test_what_the_machine_left_ungraded_is_no_zero_in_the_course_system(tmp_path):
    columns = [*_OF_STUDENT, "Perceptrons (1)"]
    (_, kim), _ = _canvas(tmp_path, columns, "5", status="ungraded", exercises=[])
    assert kim["Perceptrons (1)"] == ""
    made = report(
        record("11", "Kim", status="ungraded", exercises=[]),
        senders=[Sender("Kim_11", "11", "Kim", "11", upload="Kim_11_assignsubmission_file")],
    )
    write_uploads(made, tmp_path)
    assert read(tmp_path / "moodle-grades.csv")[0]["Grade"] == ""
    with zipfile.ZipFile(tmp_path / "moodle-feedback.zip") as archive:
        assert archive.namelist() == []
