"""Number a page's exercises in the order of the page, and count them in the tables."""

from __future__ import annotations

import re
from pathlib import Path

from helpers import files
from helpers.exercises import CHAPTERS, Exercise, exercises_of

__all__ = ["renumber", "update_counts", "with_counts"]

_HEADING = re.compile(r"^# ### Exercise (\d\.\d+) — ", re.M)
# Contexts in which a number is the id of an exercise.
_PLACES = (
    r'(?:check|hint|solution|find|right|wrong)\(\s*"{id}"',
    r'(?:@exercise|quiz|explanation)\(\s*"{id}"',
    r'(?<=builds_on=\(")(?:\d\.\d+", ")*{id}"',
    r"(?:### |\b)[Ee]xercises? {id}(?![\d-]|\.\d)",
    r"\*\*Answer {id}\.\*\*",
)


def renumber(name: str, root: Path) -> dict[str, str]:
    """Number the exercises of a page 1, 2, 3, ... wherever they occur; return the changes.

    Args:
        name: The page, for example "06_dropout".
        root: The folder that holds `solutions/`, `helpers/` and `tests/`.

    Raises:
        ValueError: If a number occurs twice in the headings of the page.
    """
    source = (root / "solutions" / f"{name}.py").read_text(encoding="utf-8")
    old = _HEADING.findall(source)
    if twice := {id for id in old if old.count(id) > 1}:
        raise ValueError(f"{name} has two exercises {', '.join(sorted(twice))}: change one number.")
    new = {id: f"{int(name[:2])}.{place}" for place, id in enumerate(old, start=1)}
    changed = {id: number for id, number in new.items() if id != number}
    if changed:
        patterns = ["solutions/*.py", "helpers/exercises/ch*.py", "tests/exercises/answers_*.py"]
        for path in [found for pattern in patterns for found in sorted(root.glob(pattern))]:
            text = path.read_text(encoding="utf-8")
            files.write_text(path, _renumbered(text, changed))
    return changed


def _renumbered(text: str, changed: dict[str, str]) -> str:
    """Replace each id once, wherever it refers to an exercise."""
    ids = "(?P<id>" + "|".join(sorted(map(re.escape, changed), key=len, reverse=True)) + ")"
    for place in _PLACES:
        text = re.sub(
            place.replace("{id}", ids),
            lambda match: (
                match[0][: match.start("id") - match.end()]
                + changed[match["id"]]
                + match[0][len(match[0]) + match.end("id") - match.end() :]
            ),
            text,
        )
    names = {id.replace(".", "_"): new.replace(".", "_") for id, new in changed.items()}
    choice = r"\bchoice_(" + "|".join(sorted(names, key=len, reverse=True)) + r")\b"
    return re.sub(choice, lambda match: f"choice_{names[match[1]]}", text)


def update_counts(root: Path) -> None:
    """Write the number, points and hours of the exercises into the pages and the README."""
    exercises = {chapter: exercises_of(chapter) for chapter in CHAPTERS}
    for path in [*sorted((root / "solutions").glob("[0-9]*.py")), root / "README.md"]:
        text = path.read_text(encoding="utf-8")
        if (counted := with_counts(text, exercises)) != text:
            files.write_text(path, counted)


def with_counts(text: str, exercises: dict[str, list[Exercise]]) -> str:
    """Return a page or README whose tables give the number, points and hours of the exercises.

    Args:
        text: A source with rows such as `| [6. Dropout](...) | ... | 13 | 29 | 4 h |`, or the
            header of a chapter, whose title is `# # 6. Dropout`.
        exercises: The exercises of each chapter.
    """
    for number, chapter in enumerate(CHAPTERS, start=1):
        listed = exercises[chapter]
        points = sum(exercise.points for exercise in listed)
        hours = max(1, round(sum(exercise.minutes for exercise in listed) / 60))
        row = rf"^((?:# )?\| \[{number}\. [^\n]*\|) \d+ \| \d+ \| \d+ h \|$"
        text = re.sub(row, rf"\1 {len(listed)} | {points} | {hours} h |", text, flags=re.M)
        if text.startswith(f"# %% [markdown]\n# # {number}. "):
            text = re.sub(
                r"\| \d+, \d+ points \|", f"| {len(listed)}, {points} points |", text, count=1
            )
    return text
