"""Functions for students on a page: check an answer, show a hint, a solution or the progress."""

from __future__ import annotations

import contextlib
import functools
import html
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from helpers import files
from helpers.exercises import CHAPTERS, Exercise, Outcome, exercises_of, find, released
from helpers.exercises.points import SHOWN

__all__ = ["CheckFailed", "check", "hint", "progress", "solution"]

_PAGE_SEED = 0
# The colours are for the border only: each has a contrast of 3 or more on a light and on a dark
# page. No colour has the 4.5 that text needs on both, so the text has the page's colour.
_RED, _BLUE = "#cf222e", "#0969da"
_COLOURS = {
    "correct": "#1a7f37",
    "not yet": "#9a6700",
    "not attempted": "#6e7781",
    "stopped": _RED,
}
_DRIVE = Path("/content/drive/MyDrive")
_hints_given: dict[str, int] = {}
_tried: set[str] = set()
_asked: set[str] = set()


class CheckFailed(AssertionError):
    """An exercise is not correct; raised only when nbgrader runs the page."""


def check(id: str, *answers: Any) -> None:
    """Check the answers to an exercise and show the result.

    Args:
        id: The number in the exercise's heading, for example "6.12".
        *answers: Your answers, in the order of the exercise.

    Raises:
        CheckFailed: Only inside nbgrader, where a failed check must stop the cell.
    """
    try:
        exercise = find(id)
        if exercise.check is None:
            raise ValueError(f"Exercise {id} is an explanation, which is marked by hand.")
        if len(answers) != len(exercise.names):
            raise ValueError(
                f"Exercise {id} checks {len(exercise.names)} answers, but got {len(answers)}. "
                f'Write: check("{id}", {", ".join(exercise.names)})'
            )
    except ValueError as error:
        _show_box("!", "Nothing was checked", _RED, [str(error)])
        return
    with _no_bars():
        outcome = _judge(exercise, answers)
    if outcome.status != "not attempted":
        _tried.add(exercise.id)
    _remember(exercise, outcome)
    _show_outcome(exercise, outcome)
    if os.environ.get("NBGRADER_EXECUTION") and outcome.status != "correct":
        raise CheckFailed(f"Exercise {id}: {outcome.status}. {outcome.message}")


def _judge(exercise: Exercise, answers: tuple) -> Outcome:
    """Check the answers, with released earlier ones if the student's earlier ones are wrong."""

    def run() -> Outcome:
        return exercise.run(exercise.local_answers(answers), _PAGE_SEED)

    return released.judged_again(exercise, run(), run)


@contextlib.contextmanager
def _no_bars() -> Iterator[None]:
    """Hide progress bars of training while an answer is checked."""
    before = os.environ.get("WORKBOOK_QUIET")
    os.environ["WORKBOOK_QUIET"] = "1"
    try:
        yield
    finally:
        del os.environ["WORKBOOK_QUIET"]
        if before is not None:
            os.environ["WORKBOOK_QUIET"] = before


def hint(id: str, step: int | None = None) -> None:
    """Show the next hint of an exercise: the idea, then the formula, then the shape of the code.

    Args:
        id: The number in the exercise's heading.
        step: 1, 2 or 3 to see that hint again; the next one by default.
    """
    try:
        exercise = find(id)
        if step is None:
            step = min(_hints_given.get(exercise.id, 0) + 1, 3)
        if step not in (1, 2, 3):
            raise ValueError(f"The step must be 1, 2 or 3, not {step!r}.")
    except ValueError as error:
        _show_box("!", "No hint", _RED, [str(error)])
        return
    lines = [exercise.hints[step - 1]]
    if not _hints_given:
        lines.append("Hints cost no points. Run `hint` again for the next one; there are three.")
    if step == 3 and _released_page(exercise):
        lines.append(f'Still stuck? `solution("{exercise.id}")` shows the released answer.')
    _hints_given[exercise.id] = max(step, _hints_given.get(exercise.id, 0))
    _show_box("→", f"{exercise.id} {exercise.title}: hint {step} of 3", _BLUE, lines)


def solution(id: str) -> None:
    """Show the released answer of an exercise, after its check was run or on the second call.

    Args:
        id: The number in the exercise's heading.
    """
    try:
        exercise = find(id)
        answer = _released_answer(exercise)
    except (ValueError, OSError) as error:
        _show_box("!", "No solution", _RED, [str(error)])
        return
    seen = exercise.id in _tried or exercise.id in _asked or exercise.id in _load_points()
    _asked.add(exercise.id)
    if not seen:
        what = "Run its check first" if exercise.check else "Write down your own answer first"
        line = f'{what}, or run `solution("{exercise.id}")` again to see the released answer.'
        _show_box("○", f"{exercise.id} {exercise.title}: not tried yet", _BLUE, [line])
        return
    _show_markdown(f"**{exercise.id} {exercise.title}: the released answer**\n\n{answer}")


def _released_answer(exercise: Exercise) -> str:
    """Return the released answer and its idea as Markdown.

    Raises:
        ValueError: If this copy of the course has no solutions.
    """
    page = _released_page(exercise)
    if page is None:
        raise ValueError("Your course does not include the released answers; ask your instructor.")
    cells = json.loads(page.read_text(encoding="utf-8"))["cells"]
    parts, inside = [], False
    for cell in cells:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown" and re.match(r"#{1,3} ", source):
            inside = source.startswith(f"### Exercise {exercise.id} ")
        elif inside and "answer" in cell["metadata"].get("tags", ()):
            parts.append(source)
        elif inside and "### BEGIN SOLUTION" in source:
            parts.append(f"```python\n{_without_stubs(source)}\n```")
    if exercise.check is not None:
        parts.append(f"**The idea.** {exercise.hints[0]}")
    return "\n\n".join(parts)


def _released_page(exercise: Exercise) -> Path | None:
    """Return the executed page with the exercise's answer, None if the course has none."""
    chapter = int(exercise.id.split(".")[0])
    folder = Path(__file__).resolve().parent.parent / "solutions"
    return next(iter(sorted(folder.glob(f"{chapter:02}_*.ipynb"))), None)


def _without_stubs(source: str) -> str:
    source = re.sub(r"^ *### STUB\n.*?(?=^ *### END SOLUTION)", "", source, flags=re.M | re.S)
    return re.sub(r"^ *### (BEGIN|END) SOLUTION\n?", "", source, flags=re.M).strip()


def progress(chapter: str | None = None) -> None:
    """Show which exercises are done, with points, for one chapter or for all.

    Args:
        chapter: A chapter's name such as "dropout"; all chapters by default.
    """
    try:
        chapters = CHAPTERS if chapter is None else (chapter,)
        listed = {name: exercises_of(name) for name in chapters}
    except ValueError as error:
        _show_box("!", "No progress to show", _RED, [str(error)])
        return
    points = _load_points()
    rows = []
    for name, exercises in listed.items():
        checked = [exercise for exercise in exercises if exercise.check is not None]
        words = sum(exercise.points for exercise in exercises if exercise.check is None)
        possible = sum(exercise.points for exercise in checked)
        earned = sum(min(points.get(exercise.id, 0.0), exercise.points) for exercise in checked)
        done = sum(points.get(exercise.id, 0.0) >= exercise.points for exercise in checked)
        row = (
            f"{name.replace('_', ' ')}: {done} of {len(checked)} checked exercises done, "
            f"{earned:g} of {possible} points; {words} points are for a person to mark"
        )
        missing = [e.id for e in checked if points.get(e.id, 0.0) < e.points]
        still = _say(f". Still open: {', '.join(missing)}") if chapter and missing else ""
        rows.append(_say(row) + still)
    rows.append(
        "A check that accepts part of an answer gives part of its points, and your best result "
        "counts. Answers in words have no check: a person marks them."
    )
    if _DRIVE.parent.parent.is_dir() and not _DRIVE.is_dir():
        rows.append("Colab forgets this progress unless you mount your Drive (the folder icon).")
    _show_box("▣", "Progress", _BLUE, rows)


def _show_outcome(exercise: Exercise, outcome: Outcome) -> None:
    mark, words = SHOWN[outcome.status]
    title = f"{exercise.id} {_say(exercise.title)}: {_say(words)}"
    lines = [outcome.message] if outcome.message else []
    if outcome.status == "correct":
        title += f", {_say(_points(exercise.points))}"
    elif outcome.points:
        title += _say(f", {outcome.points:g} of {_points(exercise.points)} so far")
    if outcome.line:
        lines.append(f"It happened in your {outcome.line}")
    if outcome.status == "not attempted":
        lines.append("Write your answer in the cell above, run it, and run this cell again.")
    _show_box(mark, title, _COLOURS[outcome.status], lines)


def _points(number: int) -> str:
    return f"{number} point" if number == 1 else f"{number} points"


def _show_box(mark: str, title: str, colour: str, lines: list[str]) -> None:
    """Show a titled box in a notebook, and the same text elsewhere."""
    title, lines = _say(title), [_say(line) for line in lines]
    text = "\n".join([f"{mark} {title}", *(f"  {line}" for line in lines)])
    code = functools.partial(re.sub, r"`([^`]+)`", r"<code>\1</code>")
    body = "".join(f"<div>{code(html.escape(line))}</div>" for line in lines)
    # A screen reader announces a status when it appears.
    box = (
        f'<div role="status" aria-live="polite" style="border-left:4px solid {colour};'
        f'padding:4px 12px;max-width:60em"><strong>{mark} {html.escape(title)}</strong>{body}</div>'
    )
    _show(text, "text/html", box)


def _say(text: str) -> str:
    """Return a message in the reader's language, WORKBOOK_LANG; English by default."""
    language = os.environ.get("WORKBOOK_LANG", "en")
    if language == "en":
        return text
    from helpers import translation

    return translation.translated(text, language)


def _show_markdown(text: str) -> None:
    _show(text, "text/markdown", text)


def _show(text: str, kind: str, rich: str) -> None:
    """Display `rich` in a notebook, `text` elsewhere."""
    try:
        from IPython import get_ipython
        from IPython.display import display
    except ImportError:
        get_ipython = None
    if get_ipython is None or get_ipython() is None:
        print(text)
        return
    display({"text/plain": text, kind: rich}, raw=True)


def _progress_file() -> Path:
    if folder := os.environ.get("WORKBOOK_STATE"):
        return Path(folder) / "progress.json"
    if _DRIVE.is_dir():  # Colab with the student's Drive, which is kept after the session
        return _DRIVE / "workbook" / "progress.json"
    from platformdirs import user_state_path

    return user_state_path("workbook") / "progress.json"


def _load_points() -> dict[str, float]:
    try:
        stored = json.loads(_progress_file().read_text(encoding="utf-8"))
        return {str(id): float(points) for id, points in stored.items()}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}


def _remember(exercise: Exercise, outcome: Outcome) -> None:
    """Store the best result of each exercise, if the disk can be written to."""
    points = _load_points()
    if outcome.points <= points.get(exercise.id, -1.0) or outcome.status == "not attempted":
        return
    points[exercise.id] = outcome.points
    with contextlib.suppress(OSError):
        files.write_text(_progress_file(), json.dumps(points, indent=1))
