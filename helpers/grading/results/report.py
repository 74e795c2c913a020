"""What a run leaves behind: two tables, a page for each student, and a summary for the screen."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from helpers import files
from helpers.grading.results.store import (
    EXPLANATION_COLUMNS,
    EXPLANATIONS,
    Store,
    csv_text,
    mark_key,
)

GRADE_COLUMNS = ("student", "chapter", "exercise", "kind", "points", "max", "outcome", "message")
_PAGE_BYTES = 90_000
_LOOK = {
    "correct": ("✓", "Correct", "good"),
    "marked": ("✓", "Marked by a person", "good"),
    "not yet": ("✗", "Not yet", "bad"),
    "stopped": ("!", "Stopped with an error", "bad"),
    "pending": ("…", "Waiting for a person", "wait"),
    "not attempted": ("○", "Not attempted", "none"),
    "not graded": ("!", "Not graded", "bad"),
    "not handed in": ("○", "Not handed in", "none"),
}


@dataclass
class Report:
    """All results of a run, with the marks that people gave.

    Attributes:
        rows: One for each student and exercise.
        students: All students, sorted.
        chapters: Chapters that anyone handed in, in the course's order.
        files: The submissions' records.
        senders: How each outermost name was recognised (`helpers.grading.submissions.Sender`).
        roster: The class list, if one was given (`helpers.grading.roster.Roster`).
    """

    rows: list[dict]
    students: list[str]
    chapters: list[str]
    files: list[dict]
    senders: list[Any] = field(default_factory=list)
    roster: Any = None

    def allowed_marks(self) -> dict[str, float]:
        """Return the most points a person can give, by "student/exercise"."""
        return {mark_key(row["student"], row["exercise"]): row["max"] for row in self.rows}

    def problems(self) -> list[dict]:
        """Return the files that were not graded and why."""
        return [file for file in self.files if file["status"] != "graded"]

    def totals(self, student: str) -> dict[str, Any]:
        """Return a student's row of the gradebook."""
        own = [row for row in self.rows if row["student"] == student]
        total = {"student": student, "points": sum(row["points"] for row in own)}
        total["max"] = sum(row["max"] for row in own)
        total["pending"] = sum(row["max"] for row in own if row["outcome"] == "pending")
        for chapter in self.chapters:
            total[chapter] = sum(row["points"] for row in own if row["chapter"] == chapter)
        reasons = [
            f"{file['file']}: {file['reason']}"
            for file in self.problems()
            if file["student"] == student
        ]
        return total | {"notes": " ".join(reasons)}


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
    students = sorted({record["student"] for record in records}, key=lambda s: (s.casefold(), s))
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
    }
    if result is not None:
        row |= {key: result[key] for key in ("points", "outcome", "message", "line", "answer")}
    return row


def _marked(row: dict, marks: dict[str, dict]) -> dict:
    mark = marks.get(mark_key(row["student"], row["exercise"]))
    if mark is None:
        return row
    given = {"points": min(mark["points"], row["max"]), "comment": mark["comment"]}
    return row | given | {"outcome": "marked"}


def described(record: dict) -> dict:
    """Return a submission for run.json, without its results."""
    keys = ("student", "file", "chapter", "sha256", "status", "reason", "notes", "seconds")
    return {key: record[key] for key in keys if key in record}


def write(report: Report, store: Store, about: dict) -> None:
    """Write every file of the results, each atomically."""
    folder = store.folder
    files.write_text(folder / "grades.csv", csv_text(GRADE_COLUMNS, report.rows))
    columns = ["student", "points", "max", "pending", *report.chapters, "notes"]
    totals = [report.totals(student) for student in report.students]
    files.write_text(folder / "gradebook.csv", csv_text(columns, totals))
    files.write_text(folder / EXPLANATIONS, csv_text(EXPLANATION_COLUMNS, _explanations(report)))
    names = set()
    for student in report.students:
        name = page_name(student)
        names.add(name)
        files.write_text(folder / "feedback" / name, page(report, student))
    for path in (folder / "feedback").glob("*.html"):
        if path.name not in names:
            path.unlink()
    public = {key: value for key, value in about.items() if key != "allowed_marks"}
    files.write_text(folder / "run.json", json.dumps(public, indent=1))


def _explanations(report: Report) -> list[dict]:
    rows = []
    for row in report.rows:
        if row["kind"] != "T" or row["outcome"] not in ("pending", "marked"):
            continue
        points = f"{row['points']:g}" if row["outcome"] == "marked" else ""
        rubric = "; ".join(f"{share:g}: {text}" for share, text in row["rubric"])
        rows.append(row | {"points": points, "rubric": rubric})
    return rows


def page_name(student: str) -> str:
    """Return the file name of a student's page: safe, readable, and no one else's.

    >>> page_name("../=Kim") == page_name("../=Kim") != page_name("kim")
    True
    """
    words = re.sub(r"[^A-Za-z0-9]+", "-", student).strip("-")[:40] or "student"
    return f"{words}-{hashlib.sha256(student.encode()).hexdigest()[:8]}.html"


_STYLE = """
:root{color-scheme:light dark;--line:#d0d7de;--soft:#f6f8fa;--good:#1a7f37;--bad:#9a3412;
--wait:#0550ae;--none:#57606a}
@media(prefers-color-scheme:dark){:root{--line:#3d444d;--soft:#161b22;--good:#4ac26b;--bad:#f0883e;
--wait:#79c0ff;--none:#9198a1}}
body{font:16px/1.5 system-ui,sans-serif;max-width:52rem;margin:2rem auto;padding:0 1rem}
h1{margin-bottom:.2rem}h2{margin-top:2.2rem;border-bottom:1px solid var(--line)}
meter{width:12rem;vertical-align:middle}
article{border:1px solid var(--line);border-left-width:5px;border-radius:6px;margin:.8rem 0;
padding:.6rem 1rem}
article h3{margin:0;font-size:1rem;display:flex;gap:.6rem;justify-content:space-between}
.good{border-left-color:var(--good)}.bad{border-left-color:var(--bad)}
.wait{border-left-color:var(--wait)}.none{border-left-color:var(--none)}
.good b{color:var(--good)}.bad b{color:var(--bad)}
.wait b{color:var(--wait)}.none b{color:var(--none)}
p{margin:.4rem 0;overflow-wrap:anywhere}
pre{background:var(--soft);padding:.6rem;border-radius:6px;overflow:auto;font-size:.85rem;
white-space:pre-wrap;overflow-wrap:anywhere}
summary{cursor:pointer;color:var(--none)}.note{color:var(--none)}
"""


def page(report: Report, student: str) -> str:
    """Return a student's feedback as one page: no script, nothing loaded, everything escaped."""
    rows = [row for row in report.rows if row["student"] == student]
    room = _PAGE_BYTES - 600 * len(rows)
    for limit in (6000, 3000, 1500, 700, 300, 100):
        if sum(len(_fit(row["answer"], limit)) for row in rows) <= room / 2:
            break
    total = report.totals(student)
    style_hash = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    pending = f", {total['pending']:g} more wait for a person" if total["pending"] else ""
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        f"style-src 'sha256-{style_hash}'; base-uri 'none'; form-action 'none'\">",
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>Feedback for {_fit(student, 300)}</title><style>{_STYLE}</style></head><body>",
        f"<h1>{_fit(student, 300)}</h1>",
        f"<p>{total['points']:g} of {total['max']:g} points{pending} "
        f"{_meter(total['points'], total['max'])}</p>",
    ]
    for file in [f for f in report.files if f["student"] == student][:60]:
        if file["status"] != "graded":
            reason = _fit(file["reason"], 600)
            parts.append(f"<p><b>{_fit(file['file'], 200)}</b>: {reason}</p>")
        elif file.get("notes"):
            notes = _fit("; ".join(file["notes"]), 400)
            parts.append(f'<p class="note">{_fit(file["file"], 200)}: {notes}.</p>')
    for chapter in report.chapters:
        own = [row for row in rows if row["chapter"] == chapter]
        points, most = sum(r["points"] for r in own), sum(r["max"] for r in own)
        title = chapter.replace("_", " ").capitalize()
        parts.append(f"<h2>{html.escape(title)}</h2>")
        if own and own[0]["outcome"] in ("not handed in", "not graded"):
            words = _LOOK[own[0]["outcome"]][1]
            parts.append(f'<p class="note">{words} ({most:g} points).</p>')
            continue
        parts.append(f"<p>{points:g} of {most:g} points {_meter(points, most)}</p>")
        parts += [_article(row, limit) for row in own]
    return "\n".join([*parts, "</body></html>", ""])


def _meter(points: float, most: float) -> str:
    return f'<meter min="0" max="{most or 1:g}" value="{points:g}">{points:g}</meter>'


def _article(row: dict, limit: int) -> str:
    sign, words, colour = _LOOK[row["outcome"]]
    title = f"{html.escape(row['exercise'])} {html.escape(row['title'])}"
    points = f"– of {row['max']:g}" if row["outcome"] == "pending" else (
        f"{row['points']:g} of {row['max']:g}"
    )  # fmt: skip
    parts = [
        f'<article class="{colour}">',
        f"<h3><span>{title}</span><span>{points}</span></h3>",
        f"<p><b>{sign} {words}</b></p>",
    ]
    room = max(limit // 3, 250)
    if row["message"] and row["outcome"] != "marked":
        parts.append(f"<p>{_fit(row['message'], room)}</p>")
    if row["line"]:
        parts.append(f"<p>In your {_fit(row['line'], 300)}</p>")
    if row["comment"]:
        parts.append(f"<p>{_fit(row['comment'], 1500)}</p>")
    if row["rubric"]:
        rubric = "; ".join(f"{share:g}: {html.escape(text)}" for share, text in row["rubric"])
        parts.append(f'<p class="note">Marked by: {rubric}</p>')
    if row["answer"]:
        answer = _fit(row["answer"], limit)
        parts.append(f"<details><summary>Your answer</summary><pre>{answer}</pre></details>")
    return "\n".join([*parts, "</article>"])


def _fit(text: str, limit: int) -> str:
    """Return text escaped, at most about `limit` characters long when escaped."""
    text = str(text)
    escaped = html.escape(text[:limit])
    while len(escaped) > limit:
        text = text[: max(len(text[:limit]) * limit // len(escaped) - 1, 0)]
        escaped = html.escape(text)
        if not text:
            break
    return escaped if escaped == html.escape(str(text)) and len(text) < limit else escaped + " …"


def summary(report: Report, folder: Path) -> str:
    """Return what the screen shows at the end of a run."""
    points = sum(row["points"] for row in report.rows)
    most = sum(row["max"] for row in report.rows)
    outcomes: dict[str, int] = {}
    for row in report.rows:
        outcomes[row["outcome"]] = outcomes.get(row["outcome"], 0) + 1
    graded = sum(file["status"] == "graded" for file in report.files)
    lines = [
        f"{graded} of {len(report.files)} files of {len(report.students)} students graded; "
        f"{points:g} of {most:g} points.",
        "Exercises: " + ", ".join(f"{outcomes[k]} {k}" for k in _LOOK if k in outcomes) + ".",
    ]
    for file in report.problems()[:12]:
        lines.append(f"  {file['student']}, {file['file']}: {file['reason']}")
    if len(report.problems()) > 12:
        lines.append(f"  and {len(report.problems()) - 12} more; gradebook.csv has all of them.")
    if outcomes.get("pending"):
        lines.append(
            f"{outcomes['pending']} explanations wait for you: fill in the points in "
            f"{folder / EXPLANATIONS}, then run `workbook mark {folder}`."
        )
    lines.append(f"Results: {folder / 'gradebook.csv'}, grades.csv, feedback/*.html, run.json")
    return "\n".join(lines)
