"""Scores reach an nbgrader gradebook, and a person's scores there stay."""

from __future__ import annotations

import sys

import pytest

from helpers.grading import run
from helpers.grading.results.nbgrader import write_scores
from tests.grading import course
from tests.grading.classroom import right_notebook
from tests.grading.test_run import SETTINGS

api = pytest.importorskip("nbgrader.api")
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="grading needs Linux")


@pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")
def test_write_scores_shows_in_the_gradebook_and_keeps_a_persons(tmp_path):
    folder, database = tmp_path / "in", tmp_path / "gradebook.db"
    right_notebook(folder / "kim" / "01_perceptrons.ipynb", _1_8="sweep = {}")
    made = run.grade(folder, tmp_path / "out", SETTINGS)
    for _ in range(2):
        assert write_scores(made, database, list(course.CHAPTERS)) == 7
    place = ("01_perceptrons", "01_perceptrons", "kim")
    with api.Gradebook(f"sqlite:///{database}") as gradebook:
        assert gradebook.find_submission("01_perceptrons", "kim").score == 8
        assert gradebook.find_grade("check-1-5", *place).auto_score == 2
        explained = gradebook.find_grade("answer-1-4", *place)
        assert explained.needs_manual_grade
        explained.manual_score = 1.5
        gradebook.db.commit()
    write_scores(made, database, list(course.CHAPTERS))
    with api.Gradebook(f"sqlite:///{database}") as gradebook:
        assert gradebook.find_submission("01_perceptrons", "kim").score == 9.5
