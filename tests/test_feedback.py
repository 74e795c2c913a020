"""check, hint and progress describe the four outcomes and raise no exceptions."""

from __future__ import annotations

import json
import os
import re

import numpy as np
import pytest

from helpers import feedback
from helpers.exercises import Exercise, expect, expect_close, registry
from helpers.feedback import CheckFailed, check, hint, progress, solution


def _gates(both, either, case):
    expect_close(both(1, 1), 1, given="(1, 1)", what="both(1, 1)")
    yield 0.5
    expect_close(either(0, 1), 1, given="(0, 1)", what="either(0, 1)")


def _mean(mean, case):
    x = case.normal(size=5)
    expect_close(mean(x), x.mean(), given="five numbers", mistakes={"that is the sum.": x.sum()})
    expect(np.ndim(mean(x)) == 0, "one number is expected.")


@pytest.fixture(autouse=True)
def _two_exercises(monkeypatch):
    hints = ("the idea", "the formula", "the code")
    listed = [
        Exercise("1.1", "Gates", "C", 2, 5, 1, hints, ("both", "either"), _gates),
        Exercise("1.2", "Mean", "C", 1, 5, 1, hints, ("mean",), _mean),
        Exercise("1.3", "Words", "T", 3, 5, 1, hints, rubric=((3, "says it"),)),
    ]
    monkeypatch.setattr(registry, "_registry", {found.id: found for found in listed})
    monkeypatch.setattr(registry, "_load", lambda chapter: None)
    monkeypatch.setattr("helpers.feedback._hints_given", {})
    monkeypatch.setattr("helpers.feedback._tried", set())
    monkeypatch.setattr("helpers.feedback._asked", set())


def test_check_right_answer_says_correct_and_points(capsys):
    check("1.2", np.mean)
    assert capsys.readouterr().out == "✓ 1.2 Mean: Correct, 1 point\n"


@pytest.mark.parametrize("before", [None, "1"])
def test_check_shows_no_progress_bar_of_an_answer(monkeypatch, before):
    monkeypatch.delenv("WORKBOOK_QUIET")
    if before:
        monkeypatch.setenv("WORKBOOK_QUIET", before)
    seen = []
    check("1.2", lambda x: seen.append(os.environ.get("WORKBOOK_QUIET")) or np.mean(x))
    assert set(seen) == {"1"}
    assert os.environ.get("WORKBOOK_QUIET") == before


def test_check_known_mistake_says_its_sentence(capsys):
    check("1.2", np.sum)
    assert "that is the sum" in capsys.readouterr().out


def test_check_half_right_answer_keeps_its_points(capsys):
    check("1.1", lambda a, b: a * b, lambda a, b: 0)
    out = capsys.readouterr().out
    assert "Not yet, 1 of 2 points so far" in out and "either(0, 1)" in out


@pytest.mark.parametrize(
    ("returned", "words"),
    [
        (None, "is None"),
        (float("nan"), "finite"),
        ("a", "should be numbers"),
        (np.ones(5), "shape ()"),
        ([[1], [1, 2]], "different lengths"),
        ({"a": 1}, "should be numbers"),
        (object(), "should be numbers"),
    ],
)
def test_check_wrong_type_shape_or_nan_is_not_yet_with_reason(capsys, returned, words):
    check("1.2", lambda x: returned)
    out = capsys.readouterr().out
    assert "Not yet" in out and words in out


def test_check_exception_shows_type_and_students_line(capsys):
    def broken(x):
        return x["no"]

    check("1.2", broken)
    out = capsys.readouterr().out
    assert "Stopped with an error" in out and 'return x["no"]' in out


@pytest.mark.parametrize("placeholder", [None, ...])
def test_check_placeholder_is_not_attempted(capsys, placeholder):
    check("1.2", placeholder)
    assert "Not attempted" in capsys.readouterr().out


def test_check_stub_is_not_attempted(capsys):
    def stub(x):
        raise NotImplementedError("Exercise 1.2")

    check("1.2", stub)
    assert "Not attempted" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: check("9"), "There is no exercise '9'"),
        (lambda: check("1.10", 1), "did you mean"),
        (lambda: check("1.1", 1), 'Write: check("1.1", both, either)'),
        (lambda: check("1.3", "words"), "is marked by hand"),
        (lambda: check(None), "There is no exercise None"),
        (lambda: hint("1.1", 7), "1, 2 or 3"),
        (lambda: hint("x"), "There is no exercise"),
        (lambda: progress("cats"), "There is no chapter 'cats'"),
    ],
)
def test_wrong_call_gets_a_sentence(capsys, call, words):
    call()
    assert words in capsys.readouterr().out


def test_hint_steps_forward_and_stays_at_the_last(capsys):
    for _ in range(4):
        hint("1.1")
    hint("1.1", 1)
    out = capsys.readouterr().out
    assert [out.count(word) for word in ("the idea", "the formula", "the code")] == [2, 1, 2]


def test_progress_counts_best_result_and_lists_what_is_open(capsys):
    check("1.2", np.mean)
    check("1.2", np.sum)
    check("1.1", lambda a, b: 1, lambda a, b: 0)
    capsys.readouterr()
    progress("perceptrons")
    out = capsys.readouterr().out
    assert "1 of 2 checked exercises done, 2 of 3 points; 3 points are for a person" in out
    assert "Still open: 1.1" in out


def test_hint_says_once_that_hints_are_free(capsys):
    hint("1.1")
    hint("1.1")
    out = capsys.readouterr().out
    assert out.count("Hints cost no points") == 1 and "1.1 Gates: hint 2 of 3" in out


PAGE = [
    ("markdown", "### Exercise 1.1 — Gates\nWrite them."),
    ("code", "given = 1"),
    (
        "code",
        "def both(a, b):\n    ### BEGIN SOLUTION\n    return a * b\n    ### STUB\n    # pass\n"
        "    ### END SOLUTION",
    ),
    ("markdown", "### Exercise 1.3 — Words"),
    ("markdown", "**Answer 1.3.** Because."),
    ("markdown", "## Next"),
]


@pytest.fixture
def released(tmp_path, monkeypatch):
    """Write a released page to the folder where `solution` looks for it."""
    cells = [
        {
            "cell_type": kind,
            "source": source,
            "metadata": {"tags": ["answer"]} if source.startswith("**Answer") else {},
        }
        for kind, source in PAGE
    ]
    (tmp_path / "solutions").mkdir()
    (tmp_path / "helpers").mkdir()
    page = tmp_path / "solutions" / "01_perceptrons.ipynb"
    page.write_text(json.dumps({"cells": cells}), encoding="utf-8")
    monkeypatch.setattr(feedback, "__file__", str(tmp_path / "helpers" / "feedback.py"))


def test_solution_shows_code_and_idea_after_a_check_was_tried(released, capsys):
    check("1.1", lambda a, b: 0, lambda a, b: 0)
    capsys.readouterr()
    solution("1.1")
    out = capsys.readouterr().out
    assert "def both(a, b):\n    return a * b\n```" in out and "The idea.** the idea" in out
    assert "given" not in out and "pass" not in out and "SOLUTION" not in out


def test_last_hint_names_the_released_answer(released, capsys):
    hint("1.1", 2)
    assert "solution(" not in capsys.readouterr().out
    hint("1.1")
    assert '`solution("1.1")` shows the released answer' in capsys.readouterr().out


def test_solution_is_shown_on_asking_twice(released, capsys):
    solution("1.3")
    first = capsys.readouterr().out
    assert "Because" not in first and 'run `solution("1.3")` again' in first
    solution("1.3")
    assert "Because" in capsys.readouterr().out


def test_solution_where_the_course_ships_none_says_so(released, capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(feedback, "__file__", str(tmp_path / "a" / "b" / "feedback.py"))
    solution("1.1")
    assert "does not include the released answers" in capsys.readouterr().out
    hint("1.1", 3)
    assert "solution(" not in capsys.readouterr().out


def test_solution_of_every_exercise_has_an_answer(monkeypatch):
    monkeypatch.undo()
    from helpers.exercises import CHAPTERS, exercises_of

    for chapter in CHAPTERS:
        for exercise in exercises_of(chapter):
            answer = feedback._released_answer(exercise)
            assert "SOLUTION" not in answer and "STUB" not in answer
            assert ("```python" if exercise.check else "**Answer") in answer, exercise.id


def test_progress_is_kept_in_the_drive_where_it_is_mounted(tmp_path, monkeypatch):
    monkeypatch.delenv("WORKBOOK_STATE")
    monkeypatch.setattr(feedback, "_DRIVE", tmp_path)
    check("1.2", np.mean)
    assert json.loads((tmp_path / "workbook" / "progress.json").read_text()) == {"1.2": 1.0}


def test_progress_damaged_file_starts_anew(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("WORKBOOK_STATE", str(tmp_path))
    (tmp_path / "progress.json").write_text("{broken")
    check("1.2", np.mean)
    assert json.loads((tmp_path / "progress.json").read_text()) == {"1.2": 1.0}


def test_check_unwritable_state_still_answers(tmp_path, monkeypatch, capsys):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("WORKBOOK_STATE", str(tmp_path / "file" / "inside"))
    check("1.2", np.mean)
    assert "Correct" in capsys.readouterr().out


def test_check_inside_nbgrader_raises(monkeypatch):
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    check("1.2", np.mean)
    with pytest.raises(CheckFailed, match="not yet"):
        check("1.2", np.sum)


def test_box_in_a_notebook_escapes_the_students_words(monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.get_ipython", lambda: object())
    monkeypatch.setattr("IPython.display.display", lambda bundle, raw: shown.append(bundle))

    def evil(x):
        raise ValueError("<script>alert(1)</script> `x < 1`")

    check("1.2", evil)
    assert "<script>" not in shown[0]["text/html"]
    assert "&lt;script&gt;" in shown[0]["text/html"]
    assert "<code>x &lt; 1</code>" in shown[0]["text/html"]
    assert "`x < 1`" in shown[0]["text/plain"]


def _contrast(first: str, second: str) -> float:
    """Return the contrast of two colours by WCAG 2.2."""

    def luminance(colour):
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("background", ["#ffffff", "#111111"])
def test_box_border_has_contrast_and_its_words_the_pages_own_colour(monkeypatch, background):
    colours = set(feedback._COLOURS.values()) | {feedback._BLUE}
    assert all(_contrast(colour, background) >= 3 for colour in colours)
    shown = []
    monkeypatch.setattr("IPython.get_ipython", lambda: object())
    monkeypatch.setattr("IPython.display.display", lambda bundle, raw: shown.append(bundle))
    check("1.2", np.mean)
    assert not re.search(r"[\" ;]color:", shown[0]["text/html"])
    assert 'role="status"' in shown[0]["text/html"]
