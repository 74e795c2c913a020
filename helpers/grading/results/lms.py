"""Write the results in the forms that Moodle, Canvas and Gradescope take back."""

from __future__ import annotations

import csv
import html
import io
import json
import re
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from helpers import files
from helpers.grading.results.pages import feedback_page

if TYPE_CHECKING:
    from helpers.grading.results.report import Report

__all__ = ["write_uploads"]

_MOODLE_COLUMNS = [
    "Identifier", "Full name", "Email address", "Grade", "Maximum Grade", "Feedback comments",
]  # fmt: skip
_CANVAS_COLUMNS = ["Student", "ID", "SIS User ID", "SIS Login ID", "Section"]
_A_DATE = (1980, 1, 1, 0, 0, 0)  # the same bytes from the same results


def write_uploads(report: Report, folder: Path) -> None:
    """Write what the course system takes back; which forms, the submissions and the roster tell.

    - Moodle: `moodle-grades.csv` (offline grading worksheet), `moodle-feedback.zip` (feedback
      files, in the folders that Moodle's own download has).
    - Canvas: `canvas-grades.csv` (gradebook import), `canvas-feedback.zip` (re-upload of files).
    - Always: `results.json`, each student in the form of Gradescope's results.
    """
    layouts = {sender.layout for sender in report.senders}
    kind = report.roster.kind if report.roster else ""
    if "Moodle" in layouts or kind.startswith("Moodle"):
        files.write_text(folder / "moodle-grades.csv", _moodle_worksheet(report))
        _write_zip(folder / "moodle-feedback.zip", report, "Moodle", _moodle_name)
    if "Canvas" in layouts or kind.startswith("Canvas"):
        files.write_text(folder / "canvas-grades.csv", _canvas_gradebook(report))
        _write_zip(folder / "canvas-feedback.zip", report, "Canvas", _canvas_name)
    content = {student: _gradescope(report, student) for student in report.students}
    files.write_text(folder / "results.json", json.dumps(content, indent=1, ensure_ascii=False))


def _moodle_worksheet(report: Report) -> str:
    """Return Moodle's grading worksheet, in the columns of the roster where it is one."""
    roster = report.roster
    rows, columns = [], list(_MOODLE_COLUMNS)
    if roster and roster.kind == "Moodle worksheet":
        columns = list(roster.columns)
        for person in roster.people:
            row = dict(person.row)
            if person.key in report.students:
                row |= _moodle_marks(report, person.key)
            rows.append(row)
        columns += [name for name in ("Grade", "Feedback comments") if name not in columns]
    else:
        for sender in _newest(report, "Moodle"):
            row = {
                "Identifier": f"Participant {sender.number}" if sender.number else sender.student,
                "Full name": sender.name,
                "Email address": sender.email,
            }
            rows.append(row | _moodle_marks(report, sender.student))
    return _csv(columns, rows)


def _moodle_marks(report: Report, student: str) -> dict[str, str]:
    total = report.totals(student)
    comment = f"{total['points']:g} of {total['max']:g} points. {total['notes']}".strip()
    return {
        "Grade": f"{total['points']:.2f}",
        "Maximum Grade": f"{total['max']:.2f}",
        "Feedback comments": f"<p>{html.escape(comment)}</p>",
    }


def _canvas_gradebook(report: Report) -> str:
    """Return Canvas's gradebook CSV, in the columns of the roster where it is an export of it."""
    roster = report.roster
    by_column = {}
    columns = list(_CANVAS_COLUMNS)
    if roster and roster.kind == "Canvas gradebook":
        columns = list(roster.columns)
    for chapter in report.chapters:
        found = [name for name in columns if _same_words(chapter, name)]
        by_column[found[0] if found else chapter] = chapter
        columns += [] if found else [chapter]
    above = [dict(row) for row in roster.above] if roster else []
    if not above:
        most = {"Student": "    Points Possible"}
        above = [most | {name: _most(report, chapter) for name, chapter in by_column.items()}]
    rows = []
    if roster and roster.kind == "Canvas gradebook":
        people = [(person.key, dict(person.row)) for person in roster.people]
    else:
        people = [
            (sender.student, {"Student": sender.name, "ID": sender.number})
            for sender in _newest(report, "Canvas")
        ]
    for student, row in people:
        if student in report.students:
            total = report.totals(student)
            row |= {name: f"{total[chapter]:g}" for name, chapter in by_column.items()}
        rows.append(row)
    return _csv(columns, [*above, *rows])


def _same_words(chapter: str, column: str) -> bool:
    return re.sub(r"\W+", "", chapter.replace("_", "")) in re.sub(r"[\W_]+", "", column.lower())


def _most(report: Report, chapter: str) -> str:
    own = report.rows_of(report.students[0], chapter) if report.students else []
    return f"{sum(row['max'] for row in own):g}"


def _newest(report: Report, layout: str) -> list[Any]:
    """Return one sender for each student of a course system."""
    found = {s.student: s for s in report.senders if s.layout == layout}
    return [found[student] for student in report.students if student in found]


def _moodle_name(sender: Any) -> str:
    return f"{sender.outer}/feedback.html"


def _canvas_name(sender: Any) -> str:
    return f"{sender.outer.rsplit('.', 1)[0]}-feedback.html"


def _write_zip(path: Path, report: Report, layout: str, name: Any) -> None:
    with files.replacing(path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for sender in _newest(report, layout):
            entry = zipfile.ZipInfo(name(sender), _A_DATE)
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, feedback_page(report, sender.student))


def _gradescope(report: Report, student: str) -> dict[str, Any]:
    """Return a student's results in the form of Gradescope's results.json."""
    total = report.totals(student)
    tests = [
        {
            "name": f"{row['exercise']} {row['title']}",
            "score": row["points"],
            "max_score": row["max"],
            "output": row["comment"] or row["message"],
            "status": "passed" if row["points"] == row["max"] else "failed",
            "tags": [row["chapter"], row["outcome"]],
        }
        for row in report.rows_of(student)
    ]
    return {"name": total["name"], "score": total["points"], "max": total["max"], "tests": tests}


def _csv(columns: list[str], rows: list[dict]) -> str:
    """Return a CSV as a course system reads it: no byte order mark, values as they are."""
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, extrasaction="ignore", restval="", lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()
