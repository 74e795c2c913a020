"""The exercises: one module per chapter, the registry that holds them, and what checks expect."""

from helpers.answers import Code, code
from helpers.exercises.expectations import (
    NotYet,
    expect,
    expect_close,
    expect_number,
    expect_raises,
    expect_shape,
    expect_table,
    show,
)
from helpers.exercises.registry import (
    CHAPTERS,
    Exercise,
    Outcome,
    chapter_of,
    exercise,
    exercises_of,
    explanation,
    find,
    quiz,
    slug,
)
from helpers.exercises.released import released_answer

__all__ = [
    "CHAPTERS",
    "Code",
    "Exercise",
    "NotYet",
    "Outcome",
    "chapter_of",
    "code",
    "exercise",
    "exercises_of",
    "expect",
    "expect_close",
    "expect_number",
    "expect_raises",
    "expect_shape",
    "expect_table",
    "explanation",
    "find",
    "quiz",
    "released_answer",
    "show",
    "slug",
]
