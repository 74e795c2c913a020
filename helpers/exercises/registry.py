"""Define exercises (points, hints and check) once for the page and for grading."""

from __future__ import annotations

import importlib
import inspect
import itertools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from helpers.answers import LocalAnswer
from helpers.exercises.expectations import NotYet, expect, show
from helpers.exercises.points import Outcome, judge

__all__ = [
    "CHAPTERS",
    "Exercise",
    "chapter_of",
    "exercise",
    "exercises_of",
    "explanation",
    "find",
    "quiz",
    "slug",
]

CHAPTERS = (
    "perceptrons",
    "multilayer_perceptrons",
    "backpropagation",
    "initialization",
    "generalization",
    "dropout",
    "house_prices",
)

Kind = Literal["C", "X", "T", "Q"]


@dataclass(frozen=True)
class Exercise:
    """One exercise: the data that a page, a check and a gradebook need.

    Attributes:
        id: Chapter and number on its page, for example "6.12".
        kind: C code, X experiment, T explanation (marked by hand), Q multiple choice.
        minutes: Time a student should plan (minutes).
        stars: Difficulty, 1 to 3.
        hints: The idea, the formula, the shape of the code.
        names: Names of the student's answers, in the order the check takes them.
        check: Called with one answer per name and `case`; raises `NotYet`. It may yield the
            fraction of the points earned so far, or a `Part` that counts separately. None for an
            explanation.
        rubric: (points, criterion) pairs for marking an explanation.
        may_change_input: Whether an answer may write into the arrays it is given.
        aliases: Other names by which `find` finds it, such as the exercise's number in d2l.
        builds_on: Ids of earlier exercises whose answers this one calls. If the student's are
            wrong, it is checked with the released ones.
    """

    id: str
    title: str
    kind: Kind
    points: int
    minutes: int
    stars: int
    hints: tuple[str, str, str]
    names: tuple[str, ...] = ()
    check: Callable[..., Iterator[float] | None] | None = None
    rubric: tuple[tuple[float, str], ...] = ()
    may_change_input: bool = False
    aliases: tuple[str, ...] = ()
    builds_on: tuple[str, ...] = ()

    @property
    def d2l(self) -> str:
        """The exercise's numbers in d2l, "" if it is not from d2l: "5.6.4" or "5.2.1, 5.2.2"."""
        numbers = [alias.split("-")[0] for alias in self.aliases if not alias.startswith("+")]
        return ", ".join(dict.fromkeys(numbers))

    def local_answers(self, targets: Sequence[Any]) -> list[LocalAnswer]:
        """Return the student's objects in this process as answers for `run`."""
        siblings = dict(zip(self.names, targets, strict=True))
        return [
            LocalAnswer(name, target, siblings, self.may_change_input)
            for name, target in siblings.items()
        ]

    def run(self, answers: Sequence[Any], seed: int) -> Outcome:
        """Run the check on `answers`, one for each name, with inputs drawn from `seed`.

        Args:
            answers: Objects with the interface of `LocalAnswer`.
            seed: Seed of the inputs; the same seed draws the same inputs.

        Raises:
            ValueError: If the exercise is an explanation, which is marked by hand.
        """
        if self.check is None:
            raise ValueError(f"Exercise {self.id} is an explanation, which is marked by hand.")
        return judge(self.id, self.check, self.points, answers, seed)


_registry: dict[str, Exercise] = {}


def _register(new: Exercise) -> Exercise:
    if new.id in _registry:
        raise ValueError(f"Exercise {new.id} is defined twice; give the second another id.")
    if len(new.hints) != 3:
        raise ValueError(f"Exercise {new.id} has {len(new.hints)} hints; it needs three.")
    _registry[new.id] = new
    return new


def exercise(
    id: str,
    title: str,
    *,
    kind: Literal["C", "X"],
    points: int,
    minutes: int,
    stars: int,
    hints: tuple[str, str, str],
    may_change_input: bool = False,
    aliases: tuple[str, ...] = (),
    builds_on: tuple[str, ...] = (),
) -> Callable[[Callable], Callable]:
    """Register the decorated function as the check of exercise `id`.

    The function's parameters are the names the student defines, followed by `case`, a seeded
    `numpy.random.Generator`.
    """

    def register(check: Callable) -> Callable:
        names = tuple(inspect.signature(check).parameters)
        if len(names) < 2 or names[-1] != "case":
            raise ValueError(f"The check of exercise {id} must take its answers and then `case`.")
        _register(
            Exercise(
                id,
                title,
                kind,
                points,
                minutes,
                stars,
                tuple(hints),
                names[:-1],
                check,
                may_change_input=may_change_input,
                aliases=aliases,
                builds_on=builds_on,
            )
        )
        return check

    return register


def quiz(
    id: str,
    title: str,
    *,
    name: str,
    right: str,
    reasons: Mapping[str, str],
    points: int,
    minutes: int,
    stars: int,
    hints: tuple[str, str, str],
    aliases: tuple[str, ...] = (),
) -> None:
    """Register a multiple-choice question whose answer is one letter in the variable `name`.

    Args:
        right: The correct letter.
        reasons: For each letter, why it is wrong (or right).
    """

    def check(answer: Any, case: np.random.Generator) -> None:
        choice = answer.value
        letters = ", ".join(sorted(reasons))
        if not isinstance(choice, str) or choice.strip().lower() not in reasons:
            raise NotYet(
                f"`{name}` is {show(choice)}; give one of the letters {letters} in quotes."
            )
        choice = choice.strip().lower()
        expect(choice == right, f"Not {choice}: {reasons[choice]}")

    _register(
        Exercise(
            id, title, "Q", points, minutes, stars, tuple(hints), (name,), check, aliases=aliases
        )
    )


def explanation(
    id: str,
    title: str,
    *,
    points: int,
    minutes: int,
    stars: int,
    hints: tuple[str, str, str],
    rubric: Sequence[tuple[float, str]],
    aliases: tuple[str, ...] = (),
) -> None:
    """Register an explanation, which is marked by hand with a rubric.

    Args:
        rubric: (points, criterion) pairs; their points add up to `points`.
    """
    if sum(share for share, _ in rubric) != points:
        raise ValueError(f"The rubric of exercise {id} does not add up to {points} points.")
    _register(
        Exercise(
            id,
            title,
            "T",
            points,
            minutes,
            stars,
            tuple(hints),
            rubric=tuple(rubric),
            aliases=aliases,
        )
    )


def chapter_of(id: str) -> str:
    """Return the chapter an exercise id belongs to.

    Raises:
        ValueError: If the id does not have the form of an exercise id.

    >>> chapter_of("1.5"), chapter_of("6.12")
    ('perceptrons', 'dropout')
    """
    match = re.fullmatch(r"(\d)\.\d+", str(id))
    if not match or not 1 <= int(match[1]) <= len(CHAPTERS):
        raise ValueError(
            f"There is no exercise {id!r}. An id looks like '1.5' or '6.12'; it is in the heading "
            "of the exercise."
        )
    return CHAPTERS[int(match[1]) - 1]


def exercises_of(chapter: str) -> list[Exercise]:
    """Return the exercises of a chapter in the order of its page.

    Args:
        chapter: A name of `CHAPTERS`.

    Raises:
        ValueError: If there is no such chapter.
    """
    if chapter not in CHAPTERS:
        raise ValueError(f"There is no chapter {chapter!r}; there are {', '.join(CHAPTERS)}.")
    _load(chapter)
    listed = [found for found in _registry.values() if chapter_of(found.id) == chapter]
    return sorted(listed, key=lambda found: int(found.id.split(".")[1]))


def _load(chapter: str) -> None:
    importlib.import_module(f"helpers.exercises.ch{CHAPTERS.index(chapter) + 1:02}_{chapter}")


def find(id: str) -> Exercise:
    """Return the exercise with this id or alias.

    Raises:
        ValueError: If there is none; the message names similar ids.
    """
    if not re.fullmatch(r"\d\.\d+", str(id)):
        for found in itertools.chain.from_iterable(map(exercises_of, CHAPTERS)):
            if id in found.aliases:
                return found
    listed = {found.id: found for found in exercises_of(chapter_of(id))}
    if id not in listed:
        near = [other for other in listed if other.startswith(id[:3])] or list(listed)
        raise ValueError(f"There is no exercise {id!r}; did you mean {', '.join(near)}?")
    return listed[id]


def slug(id: str) -> str:
    """Return an exercise id in characters that nbgrader allows.

    >>> slug("6.12")
    '6-12'
    """
    return id.replace(".", "-")
