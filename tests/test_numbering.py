"""After an author moves or adds an exercise, every number and count is updated."""

from __future__ import annotations

import pytest

from helpers.exercises import CHAPTERS, exercises_of
from helpers.numbering import renumber, with_counts

PAGE = """# %% [markdown]
# # 1. Perceptrons
#
# | 50 min | 7, 70 points | Keras |
#
# ### Exercise 1.9 — New
# *1 point · stuck? run `hint("1.9")`*
# %%
choice_1_9 = 1.9
check("1.9", choice_1_9)
# %% [markdown]
# ### Exercise 1.1 — Old
# As exercise 1.9 says (see 1.9 and table 1.1).
# **Answer 1.1.** Because.
"""
CHECKS = (
    '@exercise(\n    "1.9",\n    "New",\n    aliases=("1.9",),\n)\nx = 1.1\nquiz(\n    "1.1",\n)\n'
)
ANSWERS = 'right("1.1", "1.9", 1.9)\nwrong(\n    "1.9", "a", "says 1.9")\n'


@pytest.fixture
def root(tmp_path):
    for path, text in {
        "solutions/01_perceptrons.py": PAGE,
        "helpers/exercises/ch01_perceptrons.py": CHECKS,
        "tests/exercises/answers_ch01_perceptrons.py": ANSWERS,
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text, encoding="utf-8")
    return tmp_path


def test_renumber_changes_ids_and_no_other_number(root):
    assert renumber("01_perceptrons", root) == {"1.9": "1.1", "1.1": "1.2"}
    page = (root / "solutions/01_perceptrons.py").read_text(encoding="utf-8")
    assert "### Exercise 1.1 — New" in page and "### Exercise 1.2 — Old" in page
    assert 'choice_1_1 = 1.9\ncheck("1.1", choice_1_1)' in page and 'hint("1.1")' in page
    assert "As exercise 1.1 says (see 1.9 and table 1.1)." in page and "**Answer 1.2.**" in page
    checks = (root / "helpers/exercises/ch01_perceptrons.py").read_text(encoding="utf-8")
    assert checks == CHECKS.replace('    "1.9",', '    "1.1",').replace(
        'quiz(\n    "1.1"', 'quiz(\n    "1.2"'
    )
    answers = (root / "tests/exercises/answers_ch01_perceptrons.py").read_text(encoding="utf-8")
    assert answers == 'right("1.2", "1.9", 1.9)\nwrong(\n    "1.1", "a", "says 1.9")\n'
    assert renumber("01_perceptrons", root) == {}


def test_renumber_refuses_a_number_given_twice(root):
    path = root / "solutions/01_perceptrons.py"
    path.write_text(PAGE.replace("Exercise 1.1", "Exercise 1.9"), encoding="utf-8")
    with pytest.raises(ValueError, match=r"two exercises 1\.9"):
        renumber("01_perceptrons", root)


def test_with_counts_fills_in_the_header_and_the_rows():
    exercises = {chapter: exercises_of(chapter) for chapter in CHAPTERS}
    count = len(exercises["perceptrons"])
    points = sum(exercise.points for exercise in exercises["perceptrons"])
    assert f"| {count}, {points} points |" in with_counts(PAGE, exercises)
    row = "| [1. Perceptrons](a.ipynb) | a neuron | 50 min | 15 s | ★☆☆ | 1 | 2 | 99 h |\n"
    filled = with_counts(row, exercises)
    assert filled.startswith(row[:60]) and f"| {count} | {points} | " in filled
    assert "99 h" not in filled and with_counts(filled, exercises) == filled
