"""Notebooks are read in any form; their chapter and their explanations are found."""

from __future__ import annotations

import pytest

from helpers.exercises import CHAPTERS
from helpers.grading import submitted_notebook
from helpers.grading.submitted_notebook import Notebook
from tests.grading import course
from tests.grading.pages import cells, dump, text_cell


@pytest.mark.parametrize(
    ("name", "chapter"),
    [
        ("06_dropout.ipynb", "dropout"),
        ("Kim_06-Dropout (2).ipynb", "dropout"),
        ("02_multilayer_perceptrons.ipynb", "multilayer_perceptrons"),
        ("multilayer perceptrons.ipynb", "multilayer_perceptrons"),
        ("MultilayerPerceptrons.ipynb", "multilayer_perceptrons"),
        ("01_perceptrons-Copy1.ipynb", "perceptrons"),
        ("house-prices-final.ipynb", "house_prices"),
        ("07_submission.ipynb", "house_prices"),
        ("lee_03_homework.ipynb", "backpropagation"),
        ("Untitled7.ipynb", None),
        ("homework 3.ipynb", None),
    ],
)
def test_chapter_by_name_knows_words_and_numbers(name, chapter):
    assert submitted_notebook.chapter_by_name(name, list(CHAPTERS)) == chapter


def test_chapter_of_believes_the_exercises_more_than_a_wrong_name():
    chapters, ids = submitted_notebook.course(course)
    page = submitted_notebook.read(dump(cells()))
    assert submitted_notebook.chapter_of("Untitled.ipynb", page, chapters, ids) == "perceptrons"
    other = "02_multilayer_perceptrons.ipynb"
    assert submitted_notebook.chapter_of(other, page, chapters, ids) == "perceptrons"
    assert (
        submitted_notebook.chapter_of(other, Notebook(), chapters, ids) == "multilayer_perceptrons"
    )
    assert submitted_notebook.chapter_of("Untitled.ipynb", Notebook(), chapters, ids) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("**Answer 1.4.** Because.", "Because."),
        ("**Answer 1.4.**\n\nBecause.\n\nAnd more.", "Because.\n\nAnd more."),
        ("Answer 1.4: Because.", "Because."),
        ("### Answer 1.4\nBecause.", "Because."),
        ("**answer 1.4** Because.", "Because."),
        ("My title\n**Answer 1.4.** Because. **Answer 1.11.** Other.", "Because."),
        ("**Answer 1.4.** *Write your answer here.*", ""),
        ("**Answer 1.4.**", ""),
        ("**Answer 1.44.** Because.", ""),
        ("**Answer 1.45.** Because.", ""),
    ],
)
def test_written_answer_is_found_by_its_number(text, said):
    page = submitted_notebook.read(dump([text_cell(text)]))
    assert submitted_notebook.written_answer(page, "1.4") == said


def test_written_answer_is_found_by_grade_id_where_its_number_is_gone():
    page = submitted_notebook.read(dump([text_cell("Because.", "answer-1-4")]))
    assert submitted_notebook.written_answer(page, "1.4") == "Because."


def test_read_says_what_was_odd():
    assert submitted_notebook.read(b"\xef\xbb\xbf" + dump(cells())).notes == [
        "starts with a byte order mark (utf-8)"
    ]


def test_read_refuses_what_is_too_large(monkeypatch):
    monkeypatch.setattr(submitted_notebook, "MAX_BYTES", 1000)
    with pytest.raises(submitted_notebook.Unreadable, match="Clear the outputs"):
        submitted_notebook.read(dump(cells()))
