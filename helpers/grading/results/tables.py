"""The results as tables: a row per answer, a row per student, explanations to mark."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path

from helpers import files
from helpers.grading.results.lms import notes, write_uploads
from helpers.grading.results.looks import LOOKS
from helpers.grading.results.marks import (
    answer_hash,
    csv_text,
    exercise_cell,
    mark_key,
    row_cell,
)
from helpers.grading.results.pages import class_page, feedback_page
from helpers.grading.results.report import Report
from helpers.grading.results.store import EXPLANATION_COLUMNS, EXPLANATIONS, Store

__all__ = ["GRADE_COLUMNS", "summary", "write"]

GRADE_COLUMNS = (
    "student", "name", "chapter", "exercise", "kind", "points", "max", "outcome", "message",
)  # fmt: skip

_SENDER_COLUMNS = ("outer", "student", "name", "email", "number", "layout", "how", "files", "sure")


def write(report: Report, store: Store, about: dict) -> None:
    """Write every file of the results, each atomically."""
    folder = store.folder
    rows = [
        row | {"name": report.name(row["student"]), "exercise": exercise_cell(row["exercise"])}
        for row in report.rows
    ]
    files.write_text(folder / "grades.csv", csv_text(GRADE_COLUMNS, rows))
    columns = ["student", "name", "points", "max", "pending", *report.chapters, "notes", "feedback"]
    totals = [report.totals(student) for student in report.students]
    files.write_text(folder / "gradebook.csv", csv_text(columns, totals))
    files.write_text(folder / EXPLANATIONS, csv_text(EXPLANATION_COLUMNS, _explanations(report)))
    store.answers = _answers(report)
    files.write_text(folder / "class.html", class_page(report))
    files.write_text(folder / "senders.csv", csv_text(_SENDER_COLUMNS, map(vars, report.senders)))
    write_uploads(report, folder / "lms")
    pages = {total["feedback"]: total["student"] for total in totals}
    for name, student in pages.items():
        files.write_text(folder / "feedback" / name, feedback_page(report, student))
    for path in (folder / "feedback").glob("*.html"):
        if unicodedata.normalize("NFC", path.name) not in pages:
            path.unlink()
    public = {key: value for key, value in about.items() if key != "allowed_marks"}
    files.write_text(folder / "run.json", json.dumps(public, indent=1))


def _explanations(report: Report) -> list[dict]:
    """Return a row per explanation; the points of one that changed are left empty."""
    rows = []
    for row in report.rows:
        if row["kind"] != "T" or row["outcome"] not in ("pending", "marked"):
            continue
        points, note = f"{row['points']:g}" if row["outcome"] == "marked" else "", ""
        if row["changed"]:
            points, note = "", f"The answer changed after you gave {points} points, which are kept."
        shown = {
            "name": report.name(row["student"]),
            "exercise": exercise_cell(row["exercise"]),
            "points": points,
            "note": note,
            "rubric": "; ".join(f"{share:g}: {text}" for share, text in row["rubric"]),
            "row": row_cell(mark_key(row["student"], row["exercise"])),
        }
        rows.append(row | shown)
    return rows


def _answers(report: Report) -> dict[str, str]:
    return {
        mark_key(row["student"], row["exercise"]): answer_hash(row["answer"])
        for row in report.rows
        if row["answer"]
    }


def summary(report: Report, folder: Path) -> str:
    """Return the text to print at the end of a run."""
    totals = [report.totals(student) for student in report.students]
    points, most = sum(t["points"] for t in totals), sum(t["max"] for t in totals)
    mean = f" ({points / len(totals):.1f} on average)" if totals else ""
    outcomes: dict[str, int] = {}
    for row in report.rows:
        outcomes[row["outcome"]] = outcomes.get(row["outcome"], 0) + 1
    graded = sum(file["status"] == "graded" for file in report.files)
    lines = [
        f"{graded} of {len(report.files)} files from {len(report.students)} students graded; "
        f"{points:g} of {most:g} points{mean}.",
        "Exercises: " + ", ".join(f"{outcomes[k]} {k}" for k in LOOKS if k in outcomes) + ".",
    ]
    for file in report.problems()[:12]:
        lines.append(f"  {report.name(file['student'])}, {file['file']}: {file['reason']}")
    if len(report.problems()) > 12:
        lines.append(f"  and {len(report.problems()) - 12} more; gradebook.csv has all of them.")
    if outcomes.get("pending"):
        lines.append(
            f"{outcomes['pending']} explanations need to be marked: enter the points in "
            f"{folder / EXPLANATIONS}, then run `workbook mark {folder}`."
        )
    if changed := sum(row["changed"] for row in report.rows):
        lines.append(f"{changed} answers changed after you marked them; the marks are kept.")
    if report.late and (undated := report.undated()):
        lines.append(
            f"{undated} files have no submission time, so they count as on time. Moodle's "
            "grading worksheet has the times (--roster)."
        )
    lines += notes(report)
    lines.append(f"Results: {folder / 'gradebook.csv'}, grades.csv, class.html, feedback/, lms/")
    return "\n".join(lines)
