"""Every submission of the corpus gets the expected result and affects no other."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import pytest

from helpers.grading import grade, sandbox, submitted_notebook
from tests.grading import cases, course
from tests.grading.conftest import LIMITS

_FULL = course.points_of("perceptrons")
_CASES = cases.all_cases(cases.World("/none", "/none", 1, "NONE"))
_CAN_BE_READ = [case.name for case in _CASES if not case.reason]
_OPEN = [case.name for case in _CASES if not case.reason and not case.walls]


@lru_cache
def _cases(world: cases.World) -> dict[str, cases.Case]:
    return {case.name: case for case in cases.all_cases(world)}


def _case(attacked, name: str) -> cases.Case:
    return _cases(attacked.world)[name]


def _grade(case: cases.Case, server, limits=LIMITS) -> dict[str, dict]:
    page = submitted_notebook.read(case.content)
    chapter = submitted_notebook.chapter_of(case.file, page, *submitted_notebook.course(course))
    assert chapter == "perceptrons"
    exercises = course.exercises_of(chapter)
    results = grade.grade_notebook(page, exercises, server, limits, run_seed=7)
    return {result["id"]: result for result in results}


def _wrong(case: cases.Case, results: dict[str, dict]) -> list[tuple]:
    wanted = {id: case.points.get(id, points) for id, points in _FULL.items()}
    return [
        (id, results[id]["points"], results[id]["message"], points)
        for id, points in wanted.items()
        if points is not cases.ANY and results[id]["points"] != points
    ]


def test_corpus_is_large_and_half_honest():
    kinds = [case.kind for case in _CASES]
    assert kinds.count("hostile") + kinds.count("broken") >= 60
    assert kinds.count("honest") >= 60
    assert len({case.name for case in _CASES}) == len(_CASES)


@pytest.mark.parametrize("case", [c for c in _CASES if c.reason], ids=lambda case: case.name)
def test_read_broken_file_names_the_reason(case):
    with pytest.raises(submitted_notebook.Unreadable, match=case.reason):
        submitted_notebook.read(case.content)


@pytest.mark.parametrize("name", _CAN_BE_READ)
def test_grade_in_the_sandbox_gives_what_is_due(name, attacked, walled_server):
    case = _case(attacked, name)
    assert _wrong(case, _grade(case, walled_server)) == []
    assert attacked.untouched()


@pytest.mark.parametrize("name", _OPEN)
def test_grade_without_walls_gives_what_is_due(name, attacked, open_server):
    if _OPEN.index(name) % 4 and not sandbox.missing():
        pytest.skip("this one ran in the sandbox")
    case = _case(attacked, name)
    assert _wrong(case, _grade(case, open_server)) == []


def test_grade_twice_gives_the_same_bits(attacked, walled_server):
    case = _case(attacked, "as it should be")
    assert _grade(case, walled_server) == _grade(case, walled_server)


def test_two_students_share_no_place(walled_server):
    """A notebook cannot find files that another one wrote."""
    from tests.grading.pages import cells, dump

    leave = (
        "import os\nleft = []\nfor folder, names, files in os.walk('/'):\n"
        "    names[:] = [n for n in names if n not in ('proc', 'usr', '.venv', '.pyenv')]\n"
        "    try:\n        open(os.path.join(folder, 'note'), 'w').close()\n"
        "        left.append(folder)\n    except OSError:\n        pass\n"
        "sweep = {1: 0.1, 2: 0.2, 3: float(len(left))} if left else {}"
    )
    look = (
        "import os\nfound = [f for f, _, files in os.walk('/') if 'note' in files]\n"
        "sweep = {} if found else {1: 0.1, 2: 0.2, 3: 0.3}"
    )
    patient = replace(LIMITS, cell_seconds=30.0, notebook_seconds=60.0)
    for source in (leave, look):
        case = cases.Case("", "honest", dump(cells({"1.8": source})))
        assert _wrong(case, _grade(case, walled_server, patient)) == []
