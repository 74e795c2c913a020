"""The exercises: one module per chapter, their registry, and the functions that checks use."""

from helpers.answers import Code, code
from helpers.exercises.expectations import (
    NotYet,
    expect,
    expect_close,
    expect_layers,
    expect_mapping,
    expect_number,
    expect_parts,
    expect_raises,
    expect_shape,
    expect_table,
    naming,
    numbers,
    show,
    show_apart,
)
from helpers.exercises.points import Outcome, Part
from helpers.exercises.registry import (
    CHAPTERS,
    Exercise,
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
    "Part",
    "chapter_of",
    "code",
    "exercise",
    "exercises_of",
    "expect",
    "expect_close",
    "expect_layers",
    "expect_mapping",
    "expect_number",
    "expect_parts",
    "expect_raises",
    "expect_shape",
    "expect_table",
    "explanation",
    "find",
    "naming",
    "numbers",
    "quiz",
    "released_answer",
    "show",
    "show_apart",
    "slug",
]
