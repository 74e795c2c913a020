"""TensorFlow answers through the proxy, and the workbook's pages as submissions."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from helpers import data, exercises
from helpers.exercises import released
from helpers.grading import grade, submitted_notebook
from helpers.grading.sandbox import ForkServer, missing
from helpers.grading.sandbox.limits import Limits
from tests.grading import course, real_pages
from tests.grading.pages import RIGHT_TENSORFLOW, dump, tensorflow_cells

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted((ROOT / "solutions").glob("0[1-7]_*.ipynb"))
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="grading needs Linux")


@pytest.fixture(scope="module")
def warm_server():
    with ForkServer(walls=not missing()) as server:
        yield server


def _grade(page: submitted_notebook.Notebook, listed, server) -> dict[str, dict]:
    ids = {id for exercise in listed for id in exercise.builds_on}
    given = {id: released.released_answer(id) for id in ids}
    results = grade.grade_notebook(page, listed, server, Limits(), run_seed=11, released=given)
    return {result["id"]: result for result in results}


def test_tensorflow_answers_get_full_marks_twice_the_same(warm_server):
    page = submitted_notebook.read(dump(tensorflow_cells()))
    listed = course.exercises_of("multilayer_perceptrons")
    results = _grade(page, listed, warm_server)
    assert {id: r["points"] for id, r in results.items()} == {"2.3": 2.0, "2.17": 2.0}
    assert _grade(page, listed, warm_server) == results


def test_tensorflow_wrong_model_loses_only_its_points(warm_server):
    page = tensorflow_cells()
    page[-2]["source"] = RIGHT_TENSORFLOW["2.17"].replace("relu", "tanh")
    results = _grade(
        submitted_notebook.read(dump(page)),
        course.exercises_of("multilayer_perceptrons"),
        warm_server,
    )
    assert (results["2.3"]["points"], results["2.17"]["points"]) == (2.0, 0.0)


_KINDS = real_pages.kinds()
# Every page in one kind; the rest takes minutes and is left to slow tests.
_OFTEN = [
    pytest.param(path, kind, marks=[] if number % len(PAGES) == place else [pytest.mark.slow])
    for place, path in enumerate(PAGES)
    for number, kind in enumerate(_KINDS)
]


@pytest.mark.parametrize(("path", "kind"), _OFTEN, ids=lambda value: getattr(value, "stem", value))
def test_real_page_in_an_odd_or_hostile_kind_gets_what_is_due(path, kind, warm_server):
    listed = [e for e in exercises.exercises_of(path.stem[3:]) if e.kind == "C"][:3]
    content, lost = _KINDS[kind](real_pages.cells_of(path, listed), listed)
    results = _grade(submitted_notebook.read(content), listed, warm_server)
    wanted = {e.id: 0.0 if e.id in lost else float(e.points) for e in listed}
    told = {id: r["message"] for id, r in results.items() if r["points"] != wanted[id]}
    assert told == {}


@pytest.mark.slow
@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_released_solution_gets_full_marks_and_the_page_none(path, warm_server):
    chapter = path.stem[3:]
    listed = exercises.exercises_of(chapter)
    solved = _grade(submitted_notebook.read(path.read_bytes()), listed, warm_server)
    wanted = {e.id: "pending" if e.check is None else "correct" for e in listed}
    told = {id: r["message"] for id, r in solved.items() if r["outcome"] != wanted[id]}
    assert told == {}
    untouched = _grade(
        submitted_notebook.read((ROOT / "chapters" / path.name).read_bytes()), listed, warm_server
    )
    assert {r["outcome"] for r in untouched.values()} == {"not attempted"}


def test_page_gets_its_data_where_none_was_ever_loaded(tmp_path, monkeypatch):
    monkeypatch.delenv("WORKBOOK_DATA", raising=False)
    monkeypatch.setenv("WORKBOOK_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(data, "_ORIGINS", (data.HOUSE_PRICES,))
    cells = tensorflow_cells()
    source = cells[1]["source"].replace("    x =", "    assert len(houses.train)\n    x =")
    loaded = "from helpers import data\nfrom helpers.data.synthetic import houses as late\n"
    cells[1]["source"] = f"{loaded}houses = data.load_house_prices()\n{source}"
    page = submitted_notebook.read(dump(cells))
    listed = [e for e in course.exercises_of("multilayer_perceptrons") if e.id == "2.3"]
    with ForkServer(walls=not missing(), warm=("numpy", "helpers.data")) as server:
        results = _grade(page, listed, server)
    assert results["2.3"]["points"] == 2.0, results
    assert len([*(tmp_path / "cache" / "stand-ins").iterdir()]) == 1
