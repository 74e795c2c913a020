"""What an exercise is: its points, hints and check, defined once for the page and for grading."""

from __future__ import annotations

import importlib
import inspect
import itertools
import re
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from helpers.answers import (
    AnswerChangedInput,
    AnswerError,
    AnswerNotCallable,
    LocalAnswer,
)
from helpers.exercises.expectations import NotYet, expect, show

__all__ = [
    "CHAPTERS",
    "Exercise",
    "Outcome",
    "Part",
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

Status = Literal["correct", "not yet", "not attempted", "stopped"]
Kind = Literal["C", "X", "T", "Q"]


@dataclass(frozen=True)
class Outcome:
    """What came of one check.

    Attributes:
        status: "correct", "not yet", "not attempted" or "stopped" (the student's code raised).
        points: Points earned, 0 <= points <= the exercise's points.
        message: One or two sentences for the student; empty when correct and nothing is to say.
        line: The student's own line that raised, for "stopped".
    """

    status: Status
    points: float
    message: str = ""
    line: str = ""


@dataclass(frozen=True)
class Exercise:
    """One exercise: what a page, a check and a gradebook need to know of it.

    Attributes:
        id: "6.12": the chapter and the place on its page.
        kind: C code, X experiment, T explanation (a person marks it), Q multiple choice.
        minutes: Time a student should plan (minutes).
        stars: Difficulty, 1 to 3.
        hints: The idea, the formula, the shape of the code.
        names: Names of the student's answers, in the order the check takes them.
        check: Called with one answer per name and `case`; raises `NotYet`. It may yield the
            fraction of the points earned so far, or a `Part` that counts by itself. None for an
            explanation.
        rubric: (points, criterion) pairs for the person who marks an explanation.
        may_change_input: Whether an answer may write into the arrays it is given.
        aliases: Other names that `find` knows it by, such as the exercise's number in d2l.
        builds_on: Ids of earlier exercises whose answers this one calls: where the student's are
            wrong, it is judged with the released ones.
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
        """The exercise's numbers in d2l, "" where it is our own: "5.6.4" or "5.2.1, 5.2.2"."""
        numbers = [alias.split("-")[0] for alias in self.aliases if not alias.startswith("+")]
        return ", ".join(dict.fromkeys(numbers))

    def local_answers(self, targets: Sequence[Any]) -> list[LocalAnswer]:
        """Return the student's objects of this process as answers for `run`."""
        siblings = dict(zip(self.names, targets, strict=True))
        return [
            LocalAnswer(name, target, siblings, self.may_change_input)
            for name, target in siblings.items()
        ]

    def run(self, answers: Sequence[Any], seed: int) -> Outcome:
        """Run the check on `answers`, one for each name, with the inputs that `seed` draws.

        Args:
            answers: Objects with the interface of `LocalAnswer`.
            seed: Seed of the inputs; the same seed draws the same inputs.

        Raises:
            ValueError: If the exercise is an explanation, which only a person can mark.
        """
        if self.check is None:
            raise ValueError(f"Exercise {self.id} is an explanation: a person marks it.")
        missing = {answer.name: why for answer in answers if (why := _missing(answer))}
        if len(missing) == len(answers):
            return Outcome("not attempted", 0.0)
        watched = [_Answer(answer, missing) for answer in answers]
        marks = _Marks(self.id)
        try:
            steps = self.check(*watched, np.random.default_rng(seed))
            if inspect.isgenerator(steps):
                for step in steps:
                    marks.take(step)
            marks.earned = marks.earned if marks.reasons else 1.0
        except Exception as reason:
            marks.stop(reason)
        if marks.earned == 0.0 and marks.unwritten and not any(a.returned for a in watched):
            return Outcome("not attempted", 0.0)
        return marks.outcome(self.points)


@dataclass(frozen=True)
class Part:
    """A part of a check that earns its share of the points whether or not the others pass.

    Attributes:
        share: Fraction of the exercise's points.
        check: Called without arguments; raises `NotYet`, or yields the fraction of this part's
            points earned so far.
    """

    share: float
    check: Callable[[], Iterator[float] | None]


class _Missing(Exception):
    """A check needs an answer that the student has not given."""


class _Answer:
    """An answer during one check: knows whether it was given, and whether it returned anything."""

    def __init__(self, answer: Any, missing: Mapping[str, str]):
        self.name = answer.name
        self.returned = False
        self._answer = answer
        self._missing = missing

    @property
    def value(self) -> Any:
        return self._use(lambda: self._answer.value, self.name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._use(lambda: self._answer(*args, **kwargs), self.name)

    def evaluate(self, source: str, **inputs: Any) -> Any:
        named = [name for name in self._missing if re.search(rf"\b{name}\b", source)]
        return self._use(lambda: self._answer.evaluate(source, **inputs), *named)

    def _use(self, action: Callable[[], Any], *names: str) -> Any:
        for name in names:
            if name in self._missing:
                raise _Missing(self._missing[name])
        result = action()
        self.returned = True
        return result


class _Marks:
    """The points of one check, and the reasons why some are missing."""

    def __init__(self, id: str):
        self.id = id
        self.earned = 0.0
        self.unwritten = False
        self.status: Status = "correct"
        self.reasons: list[str] = []
        self.line = ""

    def take(self, step: float | Part) -> None:
        """Count one step of a check: a fraction earned so far, or a part to run."""
        if not isinstance(step, Part):
            self.earned = float(step)
            return
        before = self.earned
        try:
            fractions = step.check()
            if inspect.isgenerator(fractions):
                for fraction in fractions:
                    self.earned = before + step.share * float(fraction)
            self.earned = before + step.share
        except Exception as reason:
            self.stop(reason)

    def stop(self, reason: Exception) -> None:
        """Note why a check, or a part of it, ended early."""
        status: Status = "not yet"
        if isinstance(reason, AnswerError):
            sentence, line = str(reason), reason.line
            status = "stopped"
            if reason.kind == "NotImplementedError":
                status, self.unwritten, line = "not yet", True, ""
                sentence = "A part of this answer still raises NotImplementedError: write it, too."
        elif isinstance(reason, NotYet | AnswerChangedInput | AnswerNotCallable):
            sentence, line = str(reason), ""
        elif isinstance(reason, _Missing):
            sentence, line = str(reason), ""
            self.unwritten = True
        else:
            sentence, line = _bug(self.id, reason), ""
        if not self.reasons:
            self.status, self.line = status, line
        if sentence not in self.reasons:
            self.reasons.append(sentence)

    def outcome(self, points: int) -> Outcome:
        if not self.reasons:
            return Outcome("correct", float(points))
        return Outcome(
            self.status, min(self.earned, 1.0) * points, " ".join(self.reasons), self.line
        )


def _bug(id: str, error: Exception) -> str:
    """Return the sentence for an error of the check itself."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if Path(frame.filename).parent.name == "exercises"]
    place = (own or frames)[-1]
    return (
        f"This check has a bug, not your answer; please report it: exercise {id}, "
        f"{type(error).__name__}: {error} ({Path(place.filename).name}, line {place.lineno})."
    )


# Whether the name is bound to a placeholder, to a function that only raises NotImplementedError,
# or to a class with nothing but such methods.
_IS_WRITTEN = """
def is_written(thing):
    if isinstance(thing, type):
        methods = [part for part in vars(thing).values() if hasattr(part, "__code__")]
        return not methods or any(map(is_written, methods))
    code = getattr(thing, "__code__", None)
    return code is None or set(code.co_names) != {{"NotImplementedError"}}
result = {name} is None or {name} is ... or ("" if is_written({name}) else "stub")
"""


def _missing(answer: Any) -> str:
    """Return the sentence that names an answer which was not given, "" for one that was."""
    try:
        found = answer.evaluate(_IS_WRITTEN.format(name=answer.name))
    except AnswerError:
        return ""
    if found == "stub":
        return f"`{answer.name}` is not written yet: it raises NotImplementedError."
    if found is True:
        return f"`{answer.name}` is still {show(answer.value)}: give it a value."
    return ""


_registry: dict[str, Exercise] = {}


def _register(new: Exercise) -> Exercise:
    if new.id in _registry:
        raise ValueError(f"Exercise {new.id} is defined twice; give the second its own id.")
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
        right: The right letter.
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
    """Register a question answered in words, which a person marks by `rubric`.

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
        ValueError: If the id has no form of an exercise of this workbook.

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
        ValueError: If there is none; the message names those that start alike.
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
    """Return an exercise id in nbgrader's alphabet.

    >>> slug("6.12")
    '6-12'
    """
    return id.replace(".", "-")
