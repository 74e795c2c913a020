"""Every check accepts right answers of several kinds and explains what is wrong with others."""

from __future__ import annotations

import importlib
from collections import Counter
from pathlib import Path

import pytest

from helpers.exercises import CHAPTERS, chapter_of, exercises_of, find

HERE = Path(__file__).parent
CASES = [
    case
    for name in sorted(path.stem for path in HERE.glob("answers_*.py"))
    for case in importlib.import_module(f"tests.exercises.{name}").CASES
]


def _label(case) -> str:
    return (
        f"{chapter_of(case.id)}-{case.id}-{'right' if case.says is None else 'wrong'}-{case.name}"
    )


def _each_case_with_seeds():
    """Give each answer two seeds; the second one is slow if the check trains networks."""
    for case in CASES:
        for seed in (0, 20260):
            trains = find(case.id).kind == "X"
            marks = [pytest.mark.slow] if case.slow or seed and trains else []
            yield pytest.param(case, seed, marks=marks, id=f"{_label(case)}-{seed}")


@pytest.mark.parametrize("case, seed", _each_case_with_seeds())
def test_check_answer_gets_its_outcome(case, seed):
    exercise = find(case.id)
    outcome = exercise.run(exercise.local_answers(case.answers), seed)
    if case.says is None:
        assert outcome.status == "correct", outcome
        assert outcome.points == exercise.points
    else:
        assert outcome.status in ("not yet", "stopped"), outcome
        assert case.says.lower() in outcome.message.lower(), outcome.message
        assert outcome.points < exercise.points


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_every_code_and_experiment_exercise_has_right_and_wrong_answers(chapter):
    right = Counter(case.id for case in CASES if case.says is None)
    wrong = Counter(case.id for case in CASES if case.says is not None)
    thin = {
        exercise.id: (right[exercise.id], wrong[exercise.id])
        for exercise in exercises_of(chapter)
        if exercise.kind in "CX" and (right[exercise.id] < 3 or wrong[exercise.id] < 4)
    }
    assert not thin, f"fewer than 3 right or 4 wrong answers: {thin}"


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_quiz_right_letter_passes_and_every_other_gets_its_reason(chapter):
    for exercise in (found for found in exercises_of(chapter) if found.kind == "Q"):
        statuses = {}
        for letter in "abcdef":
            outcome = exercise.run(exercise.local_answers([letter]), seed=0)
            statuses[letter] = outcome.status
            assert outcome.status == "correct" or outcome.message
        assert list(statuses.values()).count("correct") == 1, exercise.id
        refused = exercise.run(exercise.local_answers([3]), seed=0)
        assert "letters" in refused.message


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_untouched_placeholder_is_not_attempted(chapter):
    def stub(*args, **kwargs):
        raise NotImplementedError("Exercise")

    for exercise in (found for found in exercises_of(chapter) if found.check is not None):
        for placeholder in (None, ...):
            targets = [placeholder] * len(exercise.names)
            outcome = exercise.run(exercise.local_answers(targets), seed=0)
            assert outcome.status == "not attempted", exercise.id
        if exercise.kind == "C":
            outcome = exercise.run(exercise.local_answers([stub] * len(exercise.names)), seed=0)
            assert outcome.status == "not attempted", (exercise.id, outcome)
