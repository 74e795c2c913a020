"""Write a run's results into an nbgrader course, and read marks that a person entered there.

nbgrader's formgrader lists the assignments that have a folder below `source/` and shows the
notebooks below `autograded/`. Both are written here from the results: no student's code is run, and
text written by a student is never markup.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from helpers import files
from helpers.authoring import nbgrader_metadata
from helpers.exercises import slug
from helpers.grading.results.looks import LOOKS
from helpers.grading.results.marks import mark_key
from helpers.grading.results.report import Report
from helpers.grading.results.store import Store

__all__ = ["grade_id", "read_marks", "write_scores"]

_OURS = "keras-workbook"
_RECORDS = Path("state", "nbgrader.json")


def write_scores(report: Report, database: Path, chapters: list[str], store: Store) -> int:
    """Write every score and comment to the gradebook and return how many scores were written.

    Assignments and notebooks have the names of the pages ("06_dropout"); missing ones are created.
    Scores and comments that a person entered in formgrader are kept; `read_marks` adds them to the
    results.

    Args:
        report: The run's results.
        database: The SQLite file in the course's folder, created if it does not exist.
        chapters: All chapters of the course, in order.
        store: Records which marks were written, to distinguish them from a person's.

    Raises:
        ValueError: If nbgrader is not installed.
    """
    count = 0
    root = Path(database).resolve().parent
    written = _written(store, database)
    with _opened(database) as gradebook:
        for chapter in report.chapters:
            name = _assignment(chapters, chapter)
            rows = [row for row in report.rows if row["chapter"] == chapter]
            cells = _make_cells(gradebook, name, rows)
            _write_notebook(root / "source" / name, name, rows, None)
            for student in report.students:
                own = [row for row in rows if row["student"] == student]
                if any(row["outcome"] != "not handed in" for row in own):
                    _write_student(gradebook, name, report, student, own, cells, written)
                    is_name = "/" not in student and not student.startswith(".")
                    for place in ("submitted", "autograded") if is_name else ():
                        _write_notebook(root / place / student / name, name, own, place)
                    count += len(own)
            gradebook.db.commit()
    _keep_written(store, database, written)
    return count


def read_marks(report: Report, database: Path, chapters: list[str], store: Store) -> dict:
    """Return the marks that a person entered in formgrader, by "student/exercise".

    Args:
        report: The run's results.
        database: The gradebook; if it does not exist, there are no marks.
        chapters: All chapters of the course, in order.
        store: The record of the marks that were written from here.
    """
    if not Path(database).exists():
        return {}
    known = {_assignment(chapters, chapter): chapter for chapter in report.chapters}
    written = _written(store, database)
    most = {mark_key(row["student"], row["exercise"]): row["max"] for row in report.rows}
    by_cell = {(row["chapter"], grade_id(row)): row["exercise"] for row in report.rows}
    found: dict[str, dict] = {}
    with _opened(database) as gradebook:
        for assignment in gradebook.assignments:
            if assignment.name not in known:
                continue
            for submission in assignment.submissions:
                for notebook in submission.notebooks:
                    comments = {comment.name: comment for comment in notebook.comments}
                    for grade in notebook.grades:
                        exercise = by_cell.get((known[assignment.name], grade.name), "")
                        key = mark_key(submission.student_id, exercise)
                        own = comments.get(f"answer-{slug(exercise)}")
                        text = (own.manual_comment if own else None) or ""
                        entered = [grade.manual_score, text]
                        if key not in most or grade.manual_score is None:
                            continue
                        if entered != written.get(key):
                            points = min(max(float(grade.manual_score), 0.0), most[key])
                            found[key] = {"points": points, "comment": text}
    return found


def grade_id(row: dict) -> str:
    """Return the nbgrader name of an exercise's graded cell, as in the pages.

    >>> grade_id({"exercise": "1.4", "kind": "T"})
    'answer-1-4'
    """
    return f"{'answer' if row['kind'] == 'T' else 'check'}-{slug(row['exercise'])}"


def _assignment(chapters: list[str], chapter: str) -> str:
    return f"{chapters.index(chapter) + 1:02d}_{chapter}"


@contextlib.contextmanager
def _opened(database: Path) -> Iterator[Any]:
    # nbgrader runs the program `alembic`, which is installed next to this Python.
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    try:
        from nbgrader.api import Gradebook
    except ImportError:
        raise ValueError(
            "--nbgrader needs nbgrader: install the extra (pip install '.[nbgrader]')."
        ) from None
    with Gradebook(f"sqlite:///{Path(database).resolve()}") as gradebook:
        yield gradebook


def _records(store: Store) -> dict[str, dict[str, list]]:
    """Return points and comment of each mark that was written, by gradebook."""
    try:
        return json.loads((store.folder / _RECORDS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def _written(store: Store, database: Path) -> dict[str, list]:
    """Return points and comment of each mark that was written to this gradebook before."""
    return _records(store).get(str(Path(database).resolve()), {})


def _keep_written(store: Store, database: Path, written: dict[str, list]) -> None:
    every = _records(store) | {str(Path(database).resolve()): written}
    files.write_text(store.folder / _RECORDS, json.dumps(every, indent=1))


def _make_cells(gradebook: Any, name: str, rows: list[dict]) -> dict[str, Any]:
    gradebook.update_or_create_assignment(name)
    notebook = gradebook.update_or_create_notebook(name, name)
    known = {("grade", cell.name): cell for cell in notebook.grade_cells}
    known |= {("solution", cell.name): cell for cell in notebook.solution_cells}
    sources = {cell.name for cell in notebook.source_cells}
    for row in rows:
        cell, answer = grade_id(row), f"answer-{slug(row['exercise'])}"
        kind = "markdown" if row["kind"] == "T" else "code"
        if ("grade", cell) not in known:
            known["grade", cell] = gradebook.update_or_create_grade_cell(
                cell, name, name, max_score=row["max"], cell_type=kind
            )
        if ("solution", answer) not in known:
            known["solution", answer] = gradebook.update_or_create_solution_cell(answer, name, name)
        for own in {cell, answer} - sources:
            gradebook.update_or_create_source_cell(own, name, name, cell_type=kind, source="")
            sources.add(own)
    return known


def _write_student(
    gradebook: Any,
    name: str,
    report: Report,
    student: str,
    rows: list[dict],
    cells: dict[tuple[str, str], Any],
    written: dict[str, list],
) -> None:
    from nbgrader.api import Comment, Grade

    last, _, first = report.name(student).partition(",")
    gradebook.update_or_create_student(student, last_name=last.strip(), first_name=first.strip())
    submission = gradebook.update_or_create_submission(name, student)
    notebook = next(n for n in submission.notebooks if n.name == name)
    grades = {grade.name: grade for grade in notebook.grades}
    comments = {comment.name: comment for comment in notebook.comments}
    for row in rows:
        cell, answer = grade_id(row), f"answer-{slug(row['exercise'])}"
        grade = grades.get(cell) or Grade(cell_id=cells["grade", cell].id, notebook=notebook)
        comment = comments.get(answer) or Comment(
            cell_id=cells["solution", answer].id, notebook=notebook
        )
        key = mark_key(student, row["exercise"])
        before = [grade.manual_score, comment.manual_comment or ""]
        if row["outcome"] == "marked" and before == [row["points"], row["comment"]]:
            written[key] = before
        is_persons = grade.manual_score is not None and before != written.get(key)
        if row["outcome"] == "marked" and not is_persons:
            grade.manual_score, grade.needs_manual_grade = row["points"], False
            comment.manual_comment = row["comment"] or None
            written[key] = [row["points"], row["comment"]]
        elif row["outcome"] in ("marked", "pending"):
            grade.needs_manual_grade = grade.manual_score is None
        else:
            grade.auto_score, grade.needs_manual_grade = row["points"], False
        comment.auto_comment = row["message"] if row["kind"] != "T" else None


def _write_notebook(folder: Path, name: str, rows: list[dict], place: str | None) -> None:
    """Write a notebook where formgrader looks for it, unless nbgrader has written one there.

    Below `submitted` only the folder is created, so that no one runs a student's code.

    Args:
        folder: The assignment's folder.
        name: Name of the notebook.
        rows: The exercises, of one student or of all.
        place: "submitted" or "autograded", None for the source.
    """
    path = folder / f"{name}.ipynb"
    if place == "submitted":
        folder.mkdir(parents=True, exist_ok=True)
        return
    if path.exists():
        try:
            is_ours = _OURS in json.loads(path.read_text(encoding="utf-8"))["metadata"]
        except (OSError, ValueError, LookupError, TypeError):
            is_ours = False
        if not is_ours:
            return
    cells: list[dict] = []
    for row in {row["exercise"]: row for row in rows}.values():
        cells += _cells_of(row, place is not None)
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number}"
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    content = {
        "cells": cells,
        "metadata": {"kernelspec": kernel, _OURS: {"written": True}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    files.write_text(path, json.dumps(content, indent=1))


def _cells_of(row: dict, is_answered: bool) -> list[dict]:
    """Return the cells of one exercise: heading, answer and, for checked ones, the outcome."""
    answer, id = row["answer"] if is_answered else "", f"answer-{slug(row['exercise'])}"
    # Indented, so that Markdown shows the student's text literally.
    words = "\n".join(f"    {line}" for line in (answer or "No answer.").split("\n"))
    title = {"cell_type": "markdown", "metadata": {},
             "source": f"### Exercise {row['exercise']}\n\n{row['title']}"}  # fmt: skip
    if row["kind"] == "T":
        about = nbgrader_metadata(id, grade=True, solution=True, points=row["max"])
        rubric = "\n".join(f"- {share:g}: {text}" for share, text in row["rubric"])
        title["source"] += f"\n\n{rubric}" if is_answered else ""
        return [title, {"cell_type": "markdown", "metadata": {"nbgrader": about}, "source": words}]
    check = nbgrader_metadata(grade_id(row), grade=True, solution=False, points=row["max"])
    look = LOOKS[row["outcome"]]
    said = f"{look.sign} {look.words}. {row['message']}\n" if is_answered else ""
    stream = [{"output_type": "stream", "name": "stdout", "text": said}] if said else []
    return [
        title,
        _code(answer, nbgrader_metadata(id, grade=False, solution=True), []),
        _code(f'check("{row["exercise"]}")', check, stream),
    ]


def _code(source: str, about: dict[str, Any], outputs: list[dict]) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "execution_count": None,
        "metadata": {"nbgrader": about},
        "outputs": outputs,
        "source": source,
    }
