"""The released answers of exercises that others build on, so that a mistake counts only once."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from helpers.exercises.points import Outcome
from helpers.exercises.registry import CHAPTERS, Exercise, chapter_of, exercises_of

__all__ = [
    "judged_again",
    "needed_by",
    "released_answer",
]

_FOLDER = Path(__file__).resolve().parents[2] / "solutions"
_HEADING = re.compile(r"^# ### Exercise (\S+)", re.M)
_STUB = re.compile(r"^[ \t]*### STUB\n.*?(?=^[ \t]*### END SOLUTION)", re.M | re.S)
_MARKER = re.compile(r"^[ \t]*### (BEGIN|END) SOLUTION[^\n]*\n?", re.M)


def released_answer(id: str, folder: Path = _FOLDER) -> str:
    """Return the source of an exercise's released answer, "" if the course has none.

    Args:
        id: The exercise.
        folder: Where the solutions are.
    """
    chapter = chapter_of(id)
    path = Path(folder) / f"{CHAPTERS.index(chapter) + 1:02}_{chapter}.py"
    return "\n\n".join(_answers(path).get(id, ()))


@lru_cache
def _answers(path: Path) -> dict[str, list[str]]:
    """Return the cells with answers of a page, by exercise."""
    try:
        page = path.read_text(encoding="utf-8")
    except OSError:
        return {}
    found: dict[str, list[str]] = {}
    id = ""
    for cell in re.split(r"^# %%", page, flags=re.M):
        head, _, body = cell.partition("\n")
        if "[markdown]" in head:
            named = _HEADING.findall(body)
            id = named[-1] if named else id
        elif id and "### BEGIN SOLUTION" in body:
            found.setdefault(id, []).append(_MARKER.sub("", _STUB.sub("", body)).strip("\n"))
    return found


def needed_by(exercise: Exercise, listed: Sequence[Exercise] | None = None) -> list[Exercise]:
    """Return the exercises that one builds on, directly or through others, in page order.

    Args:
        exercise: The exercise.
        listed: Where to look for the others; its chapter by default.
    """
    listed = exercises_of(chapter_of(exercise.id)) if listed is None else listed
    builds_on = {found.id: found.builds_on for found in listed}
    needed: set[str] = set()
    queue = list(exercise.builds_on)
    while queue:
        id = queue.pop()
        if id not in needed and id != exercise.id:
            needed.add(id)
            queue += builds_on.get(id, ())
    return [found for found in listed if found.id in needed]


def judged_again(
    exercise: Exercise,
    outcome: Outcome,
    run: Callable[[], Outcome],
    answer: Callable[[str], str] = released_answer,
    page: dict[str, Any] | None = None,
) -> Outcome:
    """Return the outcome of an answer on the page, using the released earlier answers.

    Args:
        exercise: The exercise that was checked.
        outcome: Its outcome with the student's earlier answers.
        run: Checks the answer again.
        answer: Returns the source of a released answer by id.
        page: The page's names; those of the running notebook by default.

    Returns:
        `outcome`, unless the released answers earn more.
    """
    if outcome.status == "correct" or not exercise.builds_on or exercise.kind != "C":
        return outcome  # checking an experiment again does not compute its table again
    earlier = [found for found in needed_by(exercise) if answer(found.id)]
    page = sys.modules["__main__"].__dict__ if page is None else page
    names = [name for found in earlier for name in found.names]
    kept = {name: page[name] for name in names if name in page}
    try:
        page.update(_values([answer(found.id) for found in earlier], names, page))
        again = run()
    except Exception:
        return outcome
    finally:
        for name in names:
            page.pop(name, None)
        page.update(kept)
    if again.points <= outcome.points:
        return outcome
    return Outcome(again.status, again.points, _told(earlier, again.message), again.line)


def _values(sources: Iterable[str], names: Sequence[str], page: dict[str, Any]) -> dict[str, Any]:
    """Return the values that `sources` define, without changing the page."""
    space = dict(page)
    for source in sources:
        exec(source, space)
    return {name: space[name] for name in names}


def _told(earlier: Sequence[Exercise], message: str) -> str:
    listed = " and ".join(found.id for found in earlier)
    note = (
        f"Checked with the released answer to exercise {listed} in place of yours, which needs "
        "more work."
    )
    if len(earlier) > 1:
        note = (
            f"Checked with the released answers to exercises {listed} in place of yours, which "
            "need more work."
        )
    return f"{note} {message}".strip()
