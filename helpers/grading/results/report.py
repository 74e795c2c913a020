"""All results of a run with the manual marks, as every table and page shows them."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from dataclasses import dataclass, field
from functools import cached_property
from types import ModuleType
from typing import Any

from helpers.grading.results.late import LatePolicy
from helpers.grading.results.marks import answer_hash, mark_key
from helpers.grading.submissions import UNSURE_TIME

__all__ = ["Report", "build", "described", "page_name"]


def page_name(name: str, student: str = "") -> str:
    """Return the file name of a student's page: it identifies the student and is unique.

    Args:
        name: The student's name.
        student: The student's key; by default the name.

    >>> page_name("김민수", "4711")
    '김민수-de650d61.html'
    >>> page_name("../=Kim") == page_name("../=Kim") != page_name("kim")
    True
    """
    words = re.sub(r"[\W_]+", "-", unicodedata.normalize("NFC", name)).strip("-")
    words = words.encode()[:60].decode(errors="ignore").strip("-") or "student"
    return f"{words}-{hashlib.sha256((student or name).encode()).hexdigest()[:8]}.html"


@dataclass
class Report:
    """All results of a run, with the manual marks.

    Attributes:
        rows: One dictionary per student and exercise.
        students: Keys of all students, sorted by name.
        chapters: Chapters that anyone handed in, in the course's order.
        files: The submissions' records.
        senders: How each outermost name was recognised (`helpers.grading.submissions.Sender`).
        roster: The class list, if one was given (`helpers.grading.roster.Roster`).
        late: Deduction for lateness; None for none.
        all_chapters: Every chapter of the course, in order.
    """

    rows: list[dict]
    students: list[str]
    chapters: list[str]
    files: list[dict]
    senders: list[Any] = field(default_factory=list)
    roster: Any = None
    late: LatePolicy | None = None
    all_chapters: tuple[str, ...] = ()

    @cached_property
    def _own(self) -> dict[str, list[dict]]:
        """The rows of each student, grouped once: a class has tens of thousands."""
        own: dict[str, list[dict]] = {student: [] for student in self.students}
        for row in self.rows:
            own[row["student"]].append(row)
        return own

    def rows_of(self, student: str, chapter: str | None = None) -> list[dict]:
        """Return a student's rows, of one chapter or of all."""
        own = self._own[student]
        return own if chapter is None else [row for row in own if row["chapter"] == chapter]

    def name(self, student: str) -> str:
        """Return a student's display name."""
        for person in self.roster.people if self.roster else ():
            if person.key == student and person.name:
                return person.name
        for file in self.files:
            if file["student"] == student and file.get("name"):
                return file["name"]
        return student

    def missing(self) -> list[str]:
        """Return the names on the roster of those who handed in nothing."""
        people = self.roster.people if self.roster else ()
        return [person.name or person.key for person in people if person.key not in self.students]

    def allowed_marks(self) -> dict[str, float]:
        """Return the maximum points for each answer, by "student/exercise"."""
        return {mark_key(row["student"], row["exercise"]): row["max"] for row in self.rows}

    def problems(self) -> list[dict]:
        """Return the files that were not graded and why."""
        return [file for file in self.files if file["status"] not in ("graded", "beside")]

    def deduction(self, student: str, chapter: str) -> float:
        """Return the points deducted from a student's chapter for lateness."""
        if self.late is None:
            return 0.0
        own = self.rows_of(student, chapter)
        return self.late.deduction(self._submitted(student, chapter), sum(r["points"] for r in own))

    def late_words(self, student: str, chapter: str) -> str:
        """Return a sentence on lateness, "" if there is nothing to report."""
        file = self._graded(student, chapter)
        if file is None:
            return ""
        submitted = self._submitted(student, chapter)
        if file.get("late") and not submitted:
            return "The course system marked this as late, without a time: nothing was deducted."
        return self.late.words(submitted, self.deduction(student, chapter)) if self.late else ""

    def undated(self) -> int:
        """Return how many graded files have no time from which lateness can be determined."""
        graded = [file for file in self.files if file["status"] == "graded"]
        return sum(not _time_of(file) for file in graded)

    def _submitted(self, student: str, chapter: str) -> str:
        file = self._graded(student, chapter)
        return _time_of(file) if file else ""

    def _graded(self, student: str, chapter: str) -> dict | None:
        for file in self.files:
            if (file["student"], file["chapter"], file["status"]) == (student, chapter, "graded"):
                return file
        return None

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
    """Return the report of a run's records, with the manual marks.

    Args:
        records: One dictionary per submission.
        module: The course, with `CHAPTERS` and `exercises_of`.
        marks: Manual marks, by "student/exercise".
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
    return Report(rows, students, chapters, records, all_chapters=tuple(module.CHAPTERS))


def _time_of(file: dict) -> str:
    """Return when a file was handed in, "" if its time may be that of the download."""
    return "" if file.get("stamp") == UNSURE_TIME else file.get("submitted", "")


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
    changed = bool(mark.get("answer")) and mark["answer"] != answer_hash(row["answer"])
    return row | given | {"outcome": "marked", "changed": changed}


def described(record: dict) -> dict:
    """Return a submission for run.json, without its results."""
    keys = ("student", "name", "file", "chapter", "sha256", "status", "reason", "notes", "seconds")
    return {key: record[key] for key in keys if key in record}
