"""One result per question, quoted errors, new inputs for a changed notebook, earlier answers."""

from __future__ import annotations

import inspect

import pytest

from helpers.exercises import Exercise, expect
from helpers.grading import grade, proxy
from helpers.grading.submitted_notebook import Notebook
from tests.grading.conftest import LIMITS

_STUB = "def first(x):\n    raise NotImplementedError('Exercise 1.1')"
_RIGHT = "def first(x):\n    return x + 1"
_SECOND = "def second(x):\n    return 2 * first(x)"


def _exercise(id: str, check, kind: str = "C", builds_on: tuple[str, ...] = ()) -> Exercise:
    names = tuple(inspect.signature(check).parameters)[:-1]
    return Exercise(id, id, kind, 2, 5, 1, ("", "", ""), names, check, builds_on=builds_on)


def _quiz(choice, case):
    expect(choice.value == "b", "Not this one.")


def _first(first, case):
    x = int(case.integers(100))
    expect(first(x) == x + 1, f"Given {x}: expected {x + 1}.")


def _second(second, case):
    x = int(case.integers(100))
    expect(second(x) == 2 * (x + 1), "Not the double.")


def _value(value, case):
    expect(value.value == 4, "Not 4.")


def _grade(server, cells, *exercises, released=None, **given) -> dict[str, dict]:
    notebook = Notebook(cells, **given)
    results = grade.grade_notebook(notebook, list(exercises), server, LIMITS, 7, released)
    return {result["id"]: result for result in results}


@pytest.mark.parametrize(
    ("cells", "points"),
    [
        (["choice = 'a'", "check('1.3', 'b')"], 0),
        (["choice = 'b'", "check('1.3', 'a')"], 2),
        (["choice = 'a'", "check('1.3', choice)", "choice = 'b'"], 0),
        (["choice = 'a'", "check('1.3', choice)", "choice = 'b'", "check('1.3', choice)"], 2),
        (["check('1.3', choice)", "choice = 'b'"], 2),
        (["choice = None", "check('1.3', 'b')"], 2),
        (["check('1.3', 'b')"], 2),
        (["choice = None", "check('1.3', choice)", "choice = 'b'"], 2),
        (["check('1.3', 'a')", "check('1.3', 'c')"], 0),
        (["choice = {1: 'a'}.setdefault(1, 'b')", "check('1.3', choice)", "choice = 'b'"], 0),
    ],
)
def test_quiz_is_judged_once_by_the_value_at_its_last_check(walled_server, cells, points):
    result = _grade(walled_server, cells, _exercise("1.3", _quiz, "Q"))["1.3"]
    assert result["points"] == points


_GUESSES = {
    "by the number of workers": "import os\nchoice = 'abcd'[os.getpid() % 4]",
    "by the clock": "import time\nchoice = 'abcd'[int(time.time() * 1000) % 4]",
    "with three spellings": "choice = 'a'\nchoices = choice_ = Choice = 'b'\ncheck('1.3', 'b')",
    "raising a NameError": (
        "class Guess(str):\n    def __eq__(self, other):\n        return nothing\n"
        "choice = Guess('a')"
    ),
}


@pytest.mark.parametrize("source", _GUESSES.values(), ids=_GUESSES)
def test_wrong_quiz_answer_is_asked_for_once(walled_server, source, monkeypatch):
    asked = []

    def check(choice, case):
        asked.append(choice.value)
        expect(False, "Not this one.")

    cells = [source, "check('1.3', choice)", "choice = 'c'", "choice_ = 'd'"]
    _grade(walled_server, cells, _exercise("1.3", check, "Q"))
    assert len([value for value in asked if value is not None]) == 1


def test_wrong_function_is_judged_once(walled_server):
    calls = []

    def check(first, case):
        calls.append(first(1))
        expect(False, "Never right.")

    cells = [
        "def first(x):\n    return 0",
        "check('1.1', lambda x: 3)",
        "def first(x):\n    return 1",
    ]
    _grade(walled_server, cells, _exercise("1.1", check))
    assert len(calls) == 1


def test_function_that_the_check_names_counts_before_another_of_the_name(walled_server):
    cells = ["def first(x):\n    return 0", "def mine(x):\n    return x + 1", "check('1.1', mine)"]
    assert _grade(walled_server, cells, _exercise("1.1", _first))["1.1"]["points"] == 2


def test_seed_changes_with_the_code_and_with_nothing_else(walled_server):
    exercise = _exercise("1.1", _first)
    seeds = [
        _grade(walled_server, [source], exercise, texts=[(text, "")])["1.1"]["seed"]
        for source, text in ((_RIGHT, "a"), (_RIGHT, "b"), (_RIGHT + "  # ", "a"))
    ]
    assert seeds[0] == seeds[1] != seeds[2]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (
            "class Correct(Exception): pass\ndef first(x):\n    raise Correct('2 of 2 points')",
            "Your code stopped with an exception named “Correct”: “2 of 2 points”",
        ),
        (
            "def first(x):\n    raise type('Time limit', (Exception,), {})('the grader failed')",
            "Your code stopped with an exception named “Time limit”: “the grader failed”",
        ),
        (
            "def first(x):\n    raise ValueError('” Correct, 2 points. “')",
            "Your code stopped with ValueError: “' Correct, 2 points. '”",
        ),
        ("def first(x):\n    return 1 / 0", "Your code stopped with ZeroDivisionError: “division"),
    ],
)
def test_error_of_the_student_is_quoted_as_theirs(walled_server, source, message):
    result = _grade(walled_server, [source], _exercise("1.1", _first))["1.1"]
    assert (result["points"], result["outcome"]) == (0, "stopped")
    assert result["message"].startswith(message)


def test_error_of_a_cell_is_quoted_as_the_students(walled_server):
    source = "class Right(Exception): pass\nraise Right('Full marks')\nfirst = undefined"
    message = _grade(walled_server, [source], _exercise("1.1", _first))["1.1"]["message"]
    assert message == (
        "`first` could not be defined, because code cell 1 stopped. Your code stopped with an "
        "exception named “Right”: “Full marks”"
    )


def test_student_error_without_a_message_is_named():
    assert str(proxy.StudentError("KeyError", "")) == "KeyError"


_BUILT = (_exercise("1.1", _first), _exercise("1.2", _second, builds_on=("1.1",)))
_RELEASED = {"1.1": _RIGHT}


@pytest.mark.parametrize(
    ("first", "second", "points"),
    [
        (_RIGHT, _SECOND, [2, 2]),
        (_STUB, _SECOND, [0, 2]),
        ("def first(x):\n    return x", _SECOND, [0, 2]),
        ("x = 1", _SECOND, [0, 2]),
        ("def first(x:\n    return x", _SECOND, [0, 2]),
        (_STUB, "def second(x):\n    return first(x)", [0, 0]),
        (_STUB, "def second(x):\n    raise NotImplementedError('Exercise 1.2')", [0, 0]),
        ("def first(x):\n    while True: pass", _SECOND, [0, 2]),
    ],
)
def test_answer_is_judged_with_the_released_earlier_answer(walled_server, first, second, points):
    cells = [first, "check('1.1', first)", second, "check('1.2', second)"]
    results = _grade(walled_server, cells, *_BUILT, released=_RELEASED)
    assert [result["points"] for result in results.values()] == points
    if points == [0, 2]:
        assert results["1.2"]["message"] == (
            "Checked with the released answer to exercise 1.1 in place of yours."
        )


def test_answer_computed_from_an_earlier_one_is_computed_again(walled_server):
    exercises = (_BUILT[0], _exercise("1.2", _value, "X", builds_on=("1.1",)))
    for cells in (
        [_STUB, "check('1.1', first)", "value = first(3)", "check('1.2', value)"],
        [f"{_STUB}\nvalue = first(3)"],
        ["def first(x):\n    return 0\nvalue = first(3)"],
        ["value = first(3)", "check('1.2', value)", _STUB],
    ):
        assert _grade(walled_server, cells, *exercises, released=_RELEASED)["1.2"]["points"] == 2


def test_answer_that_builds_on_two_is_judged_with_both(walled_server):
    def third(third, case):
        expect(third(1) == 5, "Not five.")

    exercises = (*_BUILT, _exercise("1.3", third, builds_on=("1.2",)))
    cells = [_STUB, "def second(x):\n    return 0", "def third(x):\n    return second(x) + 1"]
    released = {"1.1": _RIGHT, "1.2": _SECOND}
    results = _grade(walled_server, cells, *exercises, released=released)
    assert [result["points"] for result in results.values()] == [0, 0, 2]
    assert "exercises 1.1 and 1.2" in results["1.3"]["message"]


def test_course_without_released_answers_judges_as_before(walled_server):
    cells = [_STUB, "check('1.1', first)", _SECOND, "check('1.2', second)"]
    results = _grade(walled_server, cells, *_BUILT)
    assert [result["points"] for result in results.values()] == [0, 0]


def test_released_answer_is_not_told_by_the_code_that_finds_it(walled_server):
    tell = (
        "def second(x):\n    import inspect, linecache\n"
        "    raise ValueError([''.join(linecache.getlines(f'cell {n}')) for n in range(9)])"
    )
    secret = "def first(x):\n    return x + 1  # the released one"
    cells = [_STUB, "check('1.1', first)", tell, "check('1.2', second)"]
    results = _grade(walled_server, cells, *_BUILT, released={"1.1": secret})
    assert "released one" not in str(results)
    assert "Checked with the released answer" in results["1.2"]["message"]


def test_files_beside_the_notebook_are_there(walled_server):
    cells = [
        "import mymath\nfrom tools.deep import one",
        "import pandas as pd\ntable = pd.read_csv('data/numbers.csv')",
        "value = mymath.double(int(table['n'].sum())) + one - 1",
    ]
    files = {
        "mymath.py": b"def double(x):\n    return 2 * x\n",
        "tools/deep.py": b"one = 1\n",
        "data/numbers.csv": b"n\n1\n1\n",
        "../outside.txt": b"no",
        "/etc/passwd": b"no",
        "name\0.txt": b"no",
    }
    result = _grade(walled_server, cells, _exercise("1.1", _value, "X"), attachments=files)["1.1"]
    assert result["points"] == 2, result


def test_cells_are_run_in_the_order_of_their_counts_where_the_page_order_fails(walled_server):
    cells = ["value = start + 1", "start = base + 1", "base = 2", "base = 'used later'"]
    counts = [3, 2, 1, None]
    result = _grade(walled_server, cells, _exercise("1.1", _value, "X"), counts=counts)["1.1"]
    assert result["points"] == 2, result


def test_function_without_end_stops_at_the_time_limit(walled_server):
    source = "def first(x):\n    while True: pass"
    result = _grade(walled_server, [source], _exercise("1.1", _first))["1.1"]
    assert result["message"].startswith("Time limit: it did not finish")
