"""Write the results in the formats that Moodle, Canvas and Gradescope can import."""

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
from helpers.grading.submitted_notebook import chapter_by_name

if TYPE_CHECKING:
    from helpers.grading.results.report import Report

__all__ = ["notes", "write_uploads"]

# Moodle's importer refuses a worksheet without Identifier, Grade and Last modified (grade).
_MOODLE_COLUMNS = [
    "Identifier", "Full name", "Email address", "Grade", "Maximum Grade", "Last modified (grade)",
    "Feedback comments",
]  # fmt: skip
_CANVAS_COLUMNS = ["Student", "ID", "SIS User ID", "SIS Login ID", "Section"]
_CANVAS_ASSIGNMENT = re.compile(r"(?P<title>.*) \(\d+\)$", re.S)
_A_DATE = (1980, 1, 1, 0, 0, 0)  # fixed, so that equal results give equal bytes


def write_uploads(report: Report, folder: Path) -> None:
    """Write the files for the course system that the submissions and the roster come from.

    - Moodle: `moodle-grades.csv` (offline grading worksheet), `moodle-feedback.zip` (feedback
      files, in the folders of Moodle's download).
    - Canvas: `canvas-grades.csv` (gradebook import), `canvas-feedback.zip` (re-upload of files).
    - Always: `results.json`, each student in the format of Gradescope's results.
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


def notes(report: Report) -> list[str]:
    """Return sentences that an instructor should read before uploading the files."""
    roster = report.roster
    kind = roster.kind if roster else ""
    told = []
    if kind == "Moodle worksheet":
        own = _points_of_all(report)
        maxima = {_number(person.row.get("Maximum Grade", "")) for person in roster.people}
        told += [_scaled_words("Moodle", most, own) for most in sorted(filter(None, maxima))]
    if kind == "Canvas gradebook":
        for column, chapter in _columns_of_chapters(report, list(roster.columns)).items():
            if column not in roster.columns:
                told.append(
                    f"Canvas has no assignment for {column}: it will ask during the import which "
                    "one to use."
                )
            elif most := _possible(report, column):
                told.append(_scaled_words(f"Canvas's {column}", most, _most(report, chapter)))
    return [sentence for sentence in told if sentence]


def _scaled_words(where: str, most: float, own: float) -> str:
    if most == own:
        return ""
    return (
        f"{where} has a maximum of {most:g} points and the pages have {own:g}: the points in "
        f"lms/ are multiplied by {most:g}/{own:g}."
    )


def _number(text: str) -> float:
    try:
        return max(float(text.replace(",", ".")), 0.0)
    except ValueError:
        return 0.0


def _is_open(report: Report, student: str, chapter: str | None = None) -> bool:
    """Return whether some work of a student was left ungraded, which makes the points wrong."""
    return any(
        file["student"] == student
        and file["status"] == "ungraded"
        and chapter in (None, file["chapter"])
        for file in report.files
    )


def _points_of_all(report: Report) -> float:
    return sum(_most(report, chapter) for chapter in report.chapters)


def _moodle_worksheet(report: Report) -> str:
    """Return Moodle's grading worksheet, with the roster's columns if that is one."""
    roster = report.roster
    rows, columns = [], list(_MOODLE_COLUMNS)
    if roster and roster.kind == "Moodle worksheet":
        columns = list(roster.columns)
        for person in roster.people:
            row = dict(person.row)
            if person.key in report.students:
                row |= _moodle_marks(report, person.key, _number(row.get("Maximum Grade", "")))
            rows.append(row)
        wanted = ("Grade", "Last modified (grade)", "Feedback comments")
        columns += [name for name in wanted if name not in columns]
    else:
        for sender in _newest(report, "Moodle"):
            row = {
                "Identifier": f"Participant {sender.number}" if sender.number else sender.student,
                "Full name": sender.name,
                "Email address": sender.email,
            }
            row |= {"Maximum Grade": f"{_points_of_all(report):.2f}", "Last modified (grade)": "-"}
            rows.append(row | _moodle_marks(report, sender.student))
    return _csv(columns, rows)


def _moodle_marks(report: Report, student: str, most: float = 0.0) -> dict[str, str]:
    """Return a student's cells.

    Args:
        report: The run's results.
        student: Key of the student.
        most: The assignment's maximum in Moodle, which silently skips a grade above it.
    """
    if _is_open(report, student):
        return {}
    total = report.totals(student)
    scale = most / total["max"] if most and total["max"] else 1.0
    waiting = f" {total['pending']:g} points are still to be marked." if total["pending"] else ""
    comment = f"{total['points']:g} of {total['max']:g} points.{waiting} {total['notes']}".strip()
    return {
        "Grade": f"{total['points'] * scale:.2f}",
        "Feedback comments": f"<p>{html.escape(comment)}</p>",
    }


def _canvas_gradebook(report: Report) -> str:
    """Return Canvas's gradebook CSV, with the roster's columns if that is an export of it."""
    roster = report.roster
    is_export = bool(roster) and roster.kind == "Canvas gradebook"
    columns = list(roster.columns) if is_export else list(_CANVAS_COLUMNS)
    by_column = _columns_of_chapters(report, columns)
    columns += [name for name in by_column if name not in columns]
    scales = {name: 1.0 for name in by_column}
    for name, chapter in by_column.items():
        if (most := _possible(report, name)) and _most(report, chapter):
            scales[name] = most / _most(report, chapter)
    above = [dict(row) for row in roster.above] if is_export else []
    possible = [row for row in above if _is_possible(row)]
    if not possible:
        above = [*above, {"Student": "    Points Possible"}]
        possible = above[-1:]
    for name, chapter in by_column.items():
        possible[0][name] = possible[0].get(name) or f"{_most(report, chapter):g}"
    rows = []
    if is_export:
        people = [(person.key, dict(person.row)) for person in roster.people]
    else:
        people = [
            (sender.student, {"Student": sender.name, "ID": sender.number})
            for sender in _newest(report, "Canvas")
            if sender.number
        ]
    for student, row in people:
        if student in report.students:
            total = report.totals(student)
            for name, chapter in by_column.items():
                if _handed_in(report, student, chapter) and not _is_open(report, student, chapter):
                    row[name] = f"{round(total[chapter] * scales[name], 2):g}"
        rows.append(row)
    return _csv(columns, [*above, *rows])


def _columns_of_chapters(report: Report, columns: list[str]) -> dict[str, str]:
    """Return the page of each column of the gradebook that gets points.

    A page uses the assignment with its name. If there is none, or more than one, it gets a new
    column, and Canvas asks during the import what to do with it.
    """
    every = list(report.all_chapters)
    named: dict[str, list[str]] = {}
    for column in columns:
        if match := _CANVAS_ASSIGNMENT.match(column):
            named.setdefault(chapter_by_name(match["title"], every) or "", []).append(column)
    found = {}
    for chapter in report.chapters:
        fits = named.get(chapter, [])
        exact = [column for column in fits if _squeezed(column) == _squeezed(chapter)]
        fits = exact if len(exact) == 1 else fits
        found[fits[0] if len(fits) == 1 else chapter] = chapter
    return found


def _squeezed(name: str) -> str:
    """Return the letters of a title, so that "01 Perceptrons (77)" matches the page's name."""
    return re.sub(r"[\W\d_]+", "", name.lower())


def _is_possible(row: dict[str, str]) -> bool:
    return any("Points Possible" in str(value) for value in row.values())


def _possible(report: Report, column: str) -> float:
    """Return the points of an assignment in Canvas's export, 0.0 if it gives none."""
    above = report.roster.above if report.roster else []
    return next((_number(row.get(column, "")) for row in above if _is_possible(row)), 0.0)


def _handed_in(report: Report, student: str, chapter: str) -> bool:
    """Return whether a student handed in anything for a page, even an unreadable file."""
    if any(row["outcome"] != "not handed in" for row in report.rows_of(student, chapter)):
        return True
    return report.chapters == [chapter]


def _most(report: Report, chapter: str) -> float:
    own = report.rows_of(report.students[0], chapter) if report.students else []
    return sum(row["max"] for row in own)


def _newest(report: Report, layout: str) -> list[Any]:
    """Return one sender per student of a course system."""
    found = {s.student: s for s in report.senders if s.layout == layout}
    return [found[student] for student in report.students if student in found]


def _moodle_name(sender: Any) -> str:
    return f"{sender.upload}/feedback.html"


def _canvas_name(sender: Any) -> str:
    """Return a name whose first two numbers are the user's and the attachment's, as Canvas expects.

    The student's name comes first, without digits, which Canvas would take for these numbers.
    Canvas shows the file in a comment, under the attachment's name.
    """
    own = sender.upload.removesuffix(".ipynb")
    name = re.sub(r"[\W\d_]+", "", sender.name)
    return f"{name}_{own}-feedback.html" if sender.number else f"{own}-feedback.html"


def _write_zip(path: Path, report: Report, layout: str, name: Any) -> None:
    with files.replacing(path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for sender in _newest(report, layout):
            if not sender.upload or _is_open(report, sender.student):
                continue
            entry = zipfile.ZipInfo(name(sender), _A_DATE)
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, feedback_page(report, sender.student))


def _gradescope(report: Report, student: str) -> dict[str, Any]:
    """Return a student's results in the format of Gradescope's results.json."""
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
    """Return a CSV for a course system: no byte order mark, values unchanged."""
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, extrasaction="ignore", restval="", lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()
