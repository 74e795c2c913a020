"""The results as tables: a row per answer, a row per student, explanations to mark."""

from __future__ import annotations

import hashlib
import json
import unicodedata
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

from helpers import files
from helpers.grading.results.late import LatePolicy
from helpers.grading.results.lms import write_uploads
from helpers.grading.results.marks import csv_text, exercise_cell, mark_key
from helpers.grading.results.outcomes import LOOKS
from helpers.grading.results.pages import feedback_page, overview_page, page_name
from helpers.grading.results.store import EXPLANATION_COLUMNS, EXPLANATIONS, Store

__all__ = ["GRADE_COLUMNS", "Report", "build", "described", "summary", "write"]

GRADE_COLUMNS = (
    "student", "name", "chapter", "exercise", "kind", "points", "max", "outcome", "message",
)  # fmt: skip

_SENDER_COLUMNS = ("outer", "student", "name", "email", "number", "layout", "how", "files", "sure")


@dataclass
class Report:
    """All results of a run, with the marks that people gave.

    Attributes:
        rows: One for each student and exercise.
        students: Keys of all students, sorted by name.
        chapters: Chapters that anyone handed in, in the course's order.
        files: The submissions' records.
        senders: How each outermost name was recognised (`helpers.grading.submissions.Sender`).
        roster: The class list, if one was given (`helpers.grading.roster.Roster`).
        late: What lateness costs; None for nothing.
    """

    rows: list[dict]
    students: list[str]
    chapters: list[str]
    files: list[dict]
    senders: list[Any] = field(default_factory=list)
    roster: Any = None
    late: LatePolicy | None = None

    @cached_property
    def _own(self) -> dict[str, list[dict]]:
        """The rows of each student, found once: a class has tens of thousands."""
        own: dict[str, list[dict]] = {student: [] for student in self.students}
        for row in self.rows:
            own[row["student"]].append(row)
        return own

    def rows_of(self, student: str, chapter: str | None = None) -> list[dict]:
        """Return a student's rows, of one chapter or of all."""
        own = self._own[student]
        return own if chapter is None else [row for row in own if row["chapter"] == chapter]

    def name(self, student: str) -> str:
        """Return a student's name, for people to read."""
        for person in self.roster.people if self.roster else ():
            if person.key == student and person.name:
                return person.name
        for file in self.files:
            if file["student"] == student and file.get("name"):
                return file["name"]
        return student

    def missing(self) -> list[str]:
        """Return the names on the roster that nothing came from."""
        people = self.roster.people if self.roster else ()
        return [person.name or person.key for person in people if person.key not in self.students]

    def allowed_marks(self) -> dict[str, float]:
        """Return the most points a person can give, by "student/exercise"."""
        return {mark_key(row["student"], row["exercise"]): row["max"] for row in self.rows}

    def problems(self) -> list[dict]:
        """Return the files that were not graded and why."""
        return [file for file in self.files if file["status"] not in ("graded", "beside")]

    def deduction(self, student: str, chapter: str) -> float:
        """Return the points that lateness takes from a student's chapter."""
        if self.late is None:
            return 0.0
        own = self.rows_of(student, chapter)
        return self.late.deduction(self._submitted(student, chapter), sum(r["points"] for r in own))

    def late_words(self, student: str, chapter: str) -> str:
        """Return a sentence on lateness, "" where there is nothing to say."""
        submitted = self._submitted(student, chapter)
        return self.late.words(submitted, self.deduction(student, chapter)) if self.late else ""

    def _submitted(self, student: str, chapter: str) -> str:
        for file in self.files:
            if (file["student"], file["chapter"], file["status"]) == (student, chapter, "graded"):
                return file.get("submitted", "")
        return ""

    def totals(self, student: str) -> dict[str, Any]:
        """Return a student's row of the gradebook."""
        own = self.rows_of(student)
        by_chapter = {
            chapter: sum(row["points"] for row in own if row["chapter"] == chapter)
            - self.deduction(student, chapter)
            for chapter in self.chapters
        }
        notes = [
            f"{file['file']}: {file['reason']}"
            for file in self.problems()
            if file["student"] == student
        ]
        notes += filter(None, (self.late_words(student, chapter) for chapter in self.chapters))
        return {
            "student": student,
            "name": self.name(student),
            "points": sum(by_chapter.values()),
            "max": sum(row["max"] for row in own),
            "pending": sum(row["max"] for row in own if row["outcome"] == "pending"),
            **by_chapter,
            "notes": " ".join(notes),
            "feedback": page_name(self.name(student), student),
        }


def build(records: list[dict], module: ModuleType, marks: dict[str, dict]) -> Report:
    """Return the report of a run's records, with the marks in place.

    Args:
        records: One for each submission.
        module: The course, with `CHAPTERS` and `exercises_of`.
        marks: Points that people gave, by "student/exercise".
    """
    graded: dict[tuple, dict] = {}
    for record in records:
        place = (record["student"], record["chapter"])
        better = place not in graded or record["status"] == "graded"
        if record["chapter"] and record["status"] != "replaced" and better:
            graded[place] = record
    names = {record["student"]: record.get("name", "") for record in records}
    students = sorted(names, key=lambda key: (names[key].casefold(), key.casefold(), key))
    handed_in = {chapter for _, chapter in graded}
    chapters = [chapter for chapter in module.CHAPTERS if chapter in handed_in]
    rows = []
    for student in students:
        for chapter in chapters:
            record = graded.get((student, chapter))
            results = {r["id"]: r for r in record["exercises"]} if record else {}
            for exercise in module.exercises_of(chapter):
                row = _row(student, chapter, exercise, results.get(exercise.id))
                if record and not results:
                    row |= {"outcome": "not graded", "message": record["reason"]}
                rows.append(_marked(row, marks))
    return Report(rows, students, chapters, records)


def _row(student: str, chapter: str, exercise: Any, result: dict | None) -> dict:
    row = {
        "student": student,
        "chapter": chapter,
        "exercise": exercise.id,
        "title": exercise.title,
        "kind": exercise.kind,
        "max": float(exercise.points),
        "points": 0.0,
        "outcome": "not handed in",
        "message": "",
        "line": "",
        "answer": "",
        "rubric": [[float(points), text] for points, text in exercise.rubric],
        "comment": "",
        "changed": False,
    }
    if result is not None:
        row |= {key: result[key] for key in ("points", "outcome", "message", "line", "answer")}
    return row


def _marked(row: dict, marks: dict[str, dict]) -> dict:
    mark = marks.get(mark_key(row["student"], row["exercise"]))
    if mark is None:
        return row
    given = {"points": min(mark["points"], row["max"]), "comment": mark["comment"]}
    changed = bool(mark.get("answer")) and mark["answer"] != _hash(row["answer"])
    return row | given | {"outcome": "marked", "changed": changed}


def described(record: dict) -> dict:
    """Return a submission for run.json, without its results."""
    keys = ("student", "name", "file", "chapter", "sha256", "status", "reason", "notes", "seconds")
    return {key: record[key] for key in keys if key in record}


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
    files.write_text(folder / "class.html", overview_page(report))
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
    """Return a row for each answer in words; where one changed, its points wait for you."""
    rows = []
    for row in report.rows:
        if row["kind"] != "T" or row["outcome"] not in ("pending", "marked"):
            continue
        points, note = f"{row['points']:g}" if row["outcome"] == "marked" else "", ""
        if row["changed"]:
            points, note = "", f"The answer changed after you gave {points} points; they stay."
        shown = {
            "name": report.name(row["student"]),
            "exercise": exercise_cell(row["exercise"]),
            "points": points,
            "note": note,
            "rubric": "; ".join(f"{share:g}: {text}" for share, text in row["rubric"]),
        }
        rows.append(row | shown)
    return rows


def _answers(report: Report) -> dict[str, str]:
    return {
        mark_key(row["student"], row["exercise"]): _hash(row["answer"])
        for row in report.rows
        if row["answer"]
    }


def _hash(answer: str) -> str:
    return hashlib.sha256(answer.encode(errors="replace")).hexdigest()[:16]


def summary(report: Report, folder: Path) -> str:
    """Return what the screen shows at the end of a run."""
    totals = [report.totals(student) for student in report.students]
    points, most = sum(t["points"] for t in totals), sum(t["max"] for t in totals)
    mean = f" ({points / len(totals):.1f} on average)" if totals else ""
    outcomes: dict[str, int] = {}
    for row in report.rows:
        outcomes[row["outcome"]] = outcomes.get(row["outcome"], 0) + 1
    graded = sum(file["status"] == "graded" for file in report.files)
    lines = [
        f"{graded} of {len(report.files)} files of {len(report.students)} students graded; "
        f"{points:g} of {most:g} points{mean}.",
        "Exercises: " + ", ".join(f"{outcomes[k]} {k}" for k in LOOKS if k in outcomes) + ".",
    ]
    for file in report.problems()[:12]:
        lines.append(f"  {report.name(file['student'])}, {file['file']}: {file['reason']}")
    if len(report.problems()) > 12:
        lines.append(f"  and {len(report.problems()) - 12} more; gradebook.csv has all of them.")
    if outcomes.get("pending"):
        lines.append(
            f"{outcomes['pending']} explanations wait for you: fill in the points in "
            f"{folder / EXPLANATIONS}, then run `workbook mark {folder}`."
        )
    if changed := sum(row["changed"] for row in report.rows):
        lines.append(f"{changed} answers changed after you marked them; the marks stay.")
    lines.append(f"Results: {folder / 'gradebook.csv'}, grades.csv, class.html, feedback/, lms/")
    return "\n".join(lines)
