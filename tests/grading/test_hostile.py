"""Attacks that `cases` does not contain: each earns nothing and affects no other answer."""

from __future__ import annotations

import time

import pytest

from helpers.grading import grade, submitted_notebook
from helpers.grading.reading import Reader
from tests.grading import course, hostile
from tests.grading.cases import WRONG_STEP
from tests.grading.conftest import LIMITS
from tests.grading.pages import cells, dump

_FULL = course.points_of("perceptrons")


@pytest.mark.parametrize("name", hostile.ATTACKS)
def test_attack_earns_nothing_and_costs_nobody(name, walled_server, attacked):
    body = "\n".join(f"    {line}" for line in hostile.ATTACKS[name].split("\n"))
    page = submitted_notebook.read(dump(cells({"1.5": f"def step(x):\n{body}{WRONG_STEP}"})))
    exercises = course.exercises_of("perceptrons")
    results = grade.grade_notebook(page, exercises, walled_server, LIMITS, run_seed=7)
    points = {result["id"]: result["points"] for result in results if result["id"] in _FULL}
    assert points == _FULL | {"1.5": 0.0}
    assert attacked.untouched()
    for result in results:
        assert len(result["message"]) < 1500 and "\x1b" not in result["message"]


@pytest.mark.parametrize("name", hostile.FILES)
def test_file_ends_in_its_line_soon(name, tmp_path):
    (tmp_path / "x.ipynb").write_bytes(hostile.FILES[name])
    began = time.process_time()
    with Reader() as reader:
        documents = list(reader.read(str(tmp_path / "x.ipynb"), -1, "x.ipynb", {}))
        assert len(documents) == 1
        assert documents[0].reason or documents[0].notebook
    assert time.process_time() - began < 10
