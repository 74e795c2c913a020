"""Run the check of an exercise on an answer, and add up the points, also for parts of it."""

from __future__ import annotations

import inspect
import re
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from helpers.answers import AnswerChangedInput, AnswerError, AnswerNotCallable
from helpers.exercises.expectations import NotYet, show

__all__ = ["SHOWN", "Outcome", "Part", "judge"]

Status = Literal["correct", "not yet", "not attempted", "stopped"]
SHOWN: dict[Status, tuple[str, str]] = {  # sign and words for each status
    "correct": ("✓", "Correct"),
    "not yet": ("✗", "Not yet"),
    "not attempted": ("○", "Not attempted"),
    "stopped": ("!", "Stopped with an error"),
}


@dataclass(frozen=True)
class Outcome:
    """The result of one check.

    Attributes:
        status: "correct", "not yet", "not attempted" or "stopped" (the student's code raised).
        points: Points earned, 0 <= points <= the exercise's points.
        message: One or two sentences for the student; may be empty if correct.
        line: The student's line that raised, for "stopped".
    """

    status: Status
    points: float
    message: str = ""
    line: str = ""


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


def judge(id: str, check: Callable, points: int, answers: Sequence[Any], seed: int) -> Outcome:
    """Run the check of an exercise on its answers and return the outcome.

    Args:
        id: The exercise.
        check: Its check; see `Exercise`.
        points: Its points.
        answers: Objects with the interface of `LocalAnswer`, one for each parameter but `case`.
        seed: Seed of the inputs; the same seed draws the same inputs.
    """
    missing = {answer.name: why for answer in answers if (why := _missing(answer))}
    if len(missing) == len(answers):
        return Outcome("not attempted", 0.0)
    watched = [_Answer(answer, missing) for answer in answers]
    marks = _Marks(id)
    try:
        steps = check(*watched, np.random.default_rng(seed))
        if inspect.isgenerator(steps):
            for step in steps:
                marks.take(step)
        marks.earned = marks.earned if marks.reasons else 1.0
    except Exception as reason:
        marks.stop(reason)
    if marks.earned == 0.0 and marks.unwritten and not any(a.returned for a in watched):
        return Outcome("not attempted", 0.0)
    return marks.outcome(points)


class _Missing(Exception):
    """A check needs an answer that the student has not given."""


class _Answer:
    """An answer during one check, which records whether it was given and returned a value."""

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
        earned = round(min(self.earned, 1.0) * points, 9)  # thirds of points add up to whole ones
        return Outcome(self.status, earned, " ".join(self.reasons), self.line)


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
    """Return a message if an answer was not given, "" if it was."""
    try:
        found = answer.evaluate(_IS_WRITTEN.format(name=answer.name))
    except AnswerError:
        return ""
    if found == "stub":
        return f"`{answer.name}` is not written yet: it raises NotImplementedError."
    if found is True:
        return f"`{answer.name}` is still {show(answer.value)}: give it a value."
    return ""
