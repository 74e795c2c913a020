"""Notebooks that ran on the student's machine get full marks, however unusual they are."""

from __future__ import annotations

from dataclasses import replace

import pytest

from helpers.grading import grade, submitted_notebook
from tests.grading import course, odd
from tests.grading.conftest import LIMITS

_CASES = {case.name: case for case in odd.odd()}
# The first import of matplotlib builds a font list, which a real server has already.
_PATIENT = replace(LIMITS, cell_seconds=30.0, notebook_seconds=60.0)
_FULL = course.points_of("perceptrons")


def test_odd_notebooks_are_more_than_a_hundred():
    assert len(_CASES) == len(odd.odd()) > 150


@pytest.mark.parametrize("name", _CASES)
def test_odd_but_honest_notebook_keeps_its_marks(name, walled_server):
    page = submitted_notebook.read(_CASES[name].content)
    exercises = course.exercises_of("perceptrons")
    results = grade.grade_notebook(page, exercises, walled_server, _PATIENT, run_seed=7)
    lost = {r["id"]: r["message"] for r in results if r["points"] < _FULL.get(r["id"], 0)}
    assert lost == {}
