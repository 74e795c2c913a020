"""Write a run's scores into an nbgrader gradebook, where its formgrader shows them."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from helpers.exercises import slug
from helpers.grading.results.report import Report

__all__ = ["grade_id", "write_scores"]


def write_scores(report: Report, database: Path, chapters: list[str]) -> int:
    """Write every score to the gradebook and return how many were written.

    Assignments and notebooks are named as the pages ("06_dropout"); what the gradebook has of them
    is used, the rest is made. A score that a person entered in formgrader is left alone.

    Args:
        report: The run's results.
        database: The SQLite file, made if it is not there.
        chapters: All chapters of the course, in order.

    Raises:
        ValueError: If nbgrader is not installed.
    """
    # nbgrader runs `alembic` as a program, which lies beside this Python.
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    try:
        from nbgrader.api import Gradebook
    except ImportError:
        raise ValueError(
            "--nbgrader needs nbgrader: install the extra (pip install '.[nbgrader]')."
        ) from None
    count = 0
    with Gradebook(f"sqlite:///{Path(database).resolve()}") as gradebook:
        for chapter in report.chapters:
            name = f"{chapters.index(chapter) + 1:02d}_{chapter}"
            rows = [row for row in report.rows if row["chapter"] == chapter]
            cells = _make_cells(gradebook, name, rows)
            for student in report.students:
                own = [row for row in rows if row["student"] == student]
                if any(row["outcome"] != "not handed in" for row in own):
                    count += _write_student(gradebook, name, student, own, cells)
            gradebook.db.commit()
    return count


def grade_id(row: dict) -> str:
    """Return the nbgrader name of an exercise's graded cell, as the pages have it.

    >>> grade_id({"exercise": "1.4", "kind": "T"})
    'answer-1-4'
    """
    return f"{'answer' if row['kind'] == 'T' else 'check'}-{slug(row['exercise'])}"


def _make_cells(gradebook: Any, name: str, rows: list[dict]) -> dict[str, Any]:
    gradebook.update_or_create_assignment(name)
    notebook = gradebook.update_or_create_notebook(name, name)
    known = {cell.name: cell for cell in notebook.grade_cells}
    for row in rows:
        cell = grade_id(row)
        if cell not in known:
            kind = "markdown" if row["kind"] == "T" else "code"
            known[cell] = gradebook.update_or_create_grade_cell(
                cell, name, name, max_score=row["max"], cell_type=kind
            )
            gradebook.update_or_create_source_cell(cell, name, name, cell_type=kind, source="")
    return known


def _write_student(
    gradebook: Any, name: str, student: str, rows: list[dict], cells: dict[str, Any]
) -> int:
    from nbgrader.api import Grade

    gradebook.update_or_create_student(student)
    submission = gradebook.update_or_create_submission(name, student)
    notebook = next(n for n in submission.notebooks if n.name == name)
    grades = {grade.name: grade for grade in notebook.grades}
    for row in rows:
        cell = grade_id(row)
        grade = grades.get(cell) or Grade(cell_id=cells[cell].id, notebook=notebook)
        if row["outcome"] == "marked":
            grade.manual_score, grade.needs_manual_grade = row["points"], False
        elif row["outcome"] == "pending":
            grade.needs_manual_grade = grade.manual_score is None
        else:
            grade.auto_score, grade.needs_manual_grade = row["points"], False
    return len(rows)
