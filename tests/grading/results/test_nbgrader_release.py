"""A course that runs on nbgrader can use chapters/ unchanged."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import nbformat
import pytest

from helpers import authoring
from helpers.exercises import exercises_of, slug

nbgrader = pytest.importorskip("nbgrader", reason="nbgrader is in the extra `test`")
PAGE = authoring.pages(["01"])[0]


def _course(folder: Path, monkeypatch):
    """Return nbgrader's API over a course whose released assignment is the student's page."""
    from nbgrader.apps import NbGraderAPI
    from traitlets.config import Config

    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    config = Config()
    config.CourseDirectory.root = str(folder)
    config.CourseDirectory.db_url = f"sqlite:///{folder / 'gradebook.db'}"
    config.GenerateAssignment.preprocessors = [  # no ClearSolutions: the page already has stubs
        "nbgrader.preprocessors.LockCells",
        "nbgrader.preprocessors.ComputeChecksums",
        "nbgrader.preprocessors.SaveCells",
    ]
    config.ExecutePreprocessor.timeout = 300
    source = folder / "source" / PAGE.name
    source.mkdir(parents=True)
    (source / PAGE.student.name).write_bytes(PAGE.student.read_bytes())
    api = NbGraderAPI(config=config)
    result = api.generate_assignment(PAGE.name)
    assert result["success"], result["log"]
    return api


def _hand_in(folder: Path, student: str, notebook: nbformat.NotebookNode) -> None:
    place = folder / "submitted" / student / PAGE.name
    place.mkdir(parents=True)
    nbformat.write(notebook, place / PAGE.student.name)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")
def test_autograde_released_solution_gets_full_marks_and_stubs_none(tmp_path, monkeypatch):
    api = _course(tmp_path, monkeypatch)
    stubs = nbformat.read(PAGE.student, as_version=4)
    solved = nbformat.read(PAGE.student, as_version=4)
    answers = {cell.id: cell.source for cell in nbformat.read(PAGE.solution, as_version=4).cells}
    for cell in solved.cells:
        if cell.metadata.get("nbgrader", {}).get("solution"):
            cell.source = answers[cell.id]
    _hand_in(tmp_path, "solved", solved)
    _hand_in(tmp_path, "stubs", stubs)
    for student in ("solved", "stubs"):
        result = api.autograde(PAGE.name, student)
        assert result["success"], result["log"]
    checked = [found for found in exercises_of("perceptrons") if found.check is not None]
    with api.gradebook as gradebook:
        for student, full in (("solved", True), ("stubs", False)):
            submission = gradebook.find_submission(PAGE.name, student)
            scores = {
                grade.name: grade.auto_score
                for notebook in submission.notebooks
                for grade in notebook.grades
                if grade.name.startswith("check-")
            }
            wanted = {f"check-{slug(found.id)}": found.points if full else 0 for found in checked}
            assert scores == wanted


@pytest.mark.parametrize("page", authoring.pages(["0"]), ids=lambda page: page.name)
def test_student_page_passes_nbgraders_own_validator(page):
    from nbgrader.nbgraderformat import MetadataValidator

    notebook = nbformat.read(page.student, as_version=4)
    nbformat.validate(notebook)
    MetadataValidator().validate_nb(notebook)
    names = [
        cell.metadata.nbgrader.grade_id for cell in notebook.cells if "nbgrader" in cell.metadata
    ]
    assert len(names) == len(set(names))
