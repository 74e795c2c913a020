"""Right and wrong answers to exercises, kept as tests of the checks."""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True)
class Case:
    """One answer and the expected result of its check.

    Attributes:
        id: The exercise.
        name: What kind of answer this is, in a few words.
        answers: One object for each name that the exercise requires.
        says: Words the message must contain; None for a right answer.
        slow: Whether it is checked only by slow tests.
    """

    id: str
    name: str
    answers: tuple[Any, ...]
    says: str | None
    slow: bool = False


def right(id: str, name: str, *answers: Any) -> Case:
    """Return an answer that must be accepted as correct."""
    return Case(id, name, answers, None)


def wrong(id: str, name: str, says: str, *answers: Any) -> Case:
    """Return an answer that must be refused with a message that contains `says`."""
    return Case(id, name, answers, says)


def in_slow_runs(names: Container[tuple[str, str]], cases: Iterable[Case]) -> list[Case]:
    """Return the cases; those named as (exercise, name) are left to slow tests."""
    return [replace(case, slow=(case.id, case.name) in names) for case in cases]
