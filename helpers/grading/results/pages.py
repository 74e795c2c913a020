"""The HTML pages of a run: feedback for each student, and an overview of the class."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from collections import Counter
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2

from helpers.grading.results.likeness import alike, identical
from helpers.grading.results.looks import LOOKS

if TYPE_CHECKING:
    from helpers.grading.results.report import Report

__all__ = ["feedback_page", "class_page", "render"]

_PAGE_BYTES = 90_000
_TEMPLATES = Path(__file__).with_name("templates")
_BINS = 10


def feedback_page(report: Report, student: str) -> str:
    """Return a student's feedback as one page: no scripts, no external files, all escaped."""
    rows = report.rows_of(student)
    room = _PAGE_BYTES - 600 * len(rows)
    for limit in (6000, 3000, 1500, 700, 300, 100):
        if sum(len(_fit(row["answer"], limit)) for row in rows) <= room / 2:
            break
    return render(
        "feedback.html.j2",
        name=_fit(report.name(student), 300),
        total=report.totals(student),
        files=_files(report, student),
        chapters=[_chapter(report, student, chapter, limit) for chapter in report.chapters],
    )


def _files(report: Report, student: str) -> list[dict]:
    shown = []
    for file in [found for found in report.files if found["student"] == student][:60]:
        if file["status"] != "graded":
            problem = _fit(file["reason"], 600)
            shown.append({"name": _fit(file["file"], 200), "problem": problem})
        elif file.get("notes"):
            notes = _fit("; ".join(file["notes"]), 400)
            shown.append({"name": _fit(file["file"], 200), "problem": "", "notes": notes})
    return shown


def _chapter(report: Report, student: str, chapter: str, limit: int) -> dict[str, Any]:
    own = report.rows_of(student, chapter)
    shown = {
        "title": chapter.replace("_", " ").capitalize(),
        "points": sum(row["points"] for row in own),
        "max": sum(row["max"] for row in own),
        "late": report.late_words(student, chapter),
        "words": "",
        "rows": [],
    }
    if own and own[0]["outcome"] in ("not handed in", "not graded"):
        return shown | {"words": LOOKS[own[0]["outcome"]].words}
    return shown | {"rows": [_row(row, limit) for row in own]}


def _row(row: dict, limit: int) -> dict[str, Any]:
    look, marked = LOOKS[row["outcome"]], row["outcome"] == "marked"
    rubric = "; ".join(f"{share:g}: {text}" for share, text in row["rubric"])
    waiting = row["outcome"] == "pending"
    return {
        "look": look.style,
        "sign": look.sign,
        "words": look.words,
        "exercise": row["exercise"],
        "title": row["title"],
        "score": f"{'–' if waiting else format(row['points'], 'g')} of {row['max']:g}",
        "message": "" if marked else _fit(row["message"], max(limit // 3, 250)),
        "line": _fit(row["line"], 300),
        "comment": _fit(row["comment"], 1500),
        "rubric": rubric if marked else "",  # before marking, it would reveal the answer
        "answer": _fit(row["answer"], limit),
    }


def class_page(report: Report) -> str:
    """Return the overview of the class: points, exercises, common messages, missing students."""
    totals = [report.totals(student) for student in report.students]
    most = max((total["max"] for total in totals), default=0.0)
    histogram = _histogram([t["points"] / t["max"] for t in totals if t["max"]])
    files = [file for file in report.files if file["status"] not in ("graded", "beside")]
    return render(
        "class.html.j2",
        students=len(totals),
        files=len(report.files),
        mean=round(sum(t["points"] for t in totals) / len(totals), 1) if totals else 0.0,
        most=most,
        pending=sum(row["outcome"] == "pending" for row in report.rows),
        histogram=histogram,
        tallest=max(row["count"] for row in histogram),
        exercises=_exercises(report),
        missing=[_fit(name, 100) for name in report.missing()],
        alike=alike(report),
        identical=identical(report),
        problems=[
            _fit(f"{report.name(file['student'])}, {file['file']}: {file['reason']}", 400)
            for file in files[:200]
        ],
    )


def _histogram(shares: list[float]) -> list[dict]:
    counts = Counter(min(int(share * _BINS), _BINS - 1) for share in shares)
    width = 100 // _BINS
    return [
        {"range": f"{i * width} to {(i + 1) * width} %", "count": counts[i]} for i in range(_BINS)
    ]


def _exercises(report: Report) -> list[dict]:
    shown = []
    for id in dict.fromkeys(row["exercise"] for row in report.rows):
        own = [r for r in report.rows if r["exercise"] == id and r["outcome"] != "not handed in"]
        if not own or own[0]["kind"] == "T":
            continue
        # Messages to different students differ in their numbers, not in their words.
        words = [re.sub(r"[-+\d.eE]*\d", "…", row["message"]) for row in own]
        said = Counter(filter(None, words))
        message, times = said.most_common(1)[0] if said else ("", 0)
        shown.append(
            {
                "exercise": id,
                "title": own[0]["title"],
                "share": sum(r["points"] for r in own) / (own[0]["max"] * len(own)),
                "correct": sum(r["outcome"] == "correct" for r in own),
                "blank": sum(r["outcome"] == "not attempted" for r in own),
                "message": _fit(message, 240) if times > 1 else "",
                "times": times,
            }
        )
    return sorted(shown, key=lambda row: row["share"])


def _fit(text: str, limit: int) -> str:
    """Return the start of a text whose escaped form has about `limit` characters."""
    text = str(text)
    kept = text[:limit]
    while len(escaped := html.escape(kept)) > limit and kept:
        kept = kept[: max(len(kept) * limit // len(escaped) - 1, 0)]
    return kept if kept == text else f"{kept} …"


@cache
def _environment() -> jinja2.Environment:
    loader = jinja2.FileSystemLoader(_TEMPLATES)
    return jinja2.Environment(
        loader=loader,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )


def render(template: str, **values: Any) -> str:
    """Return a page from a template, with all values escaped."""
    style = (_TEMPLATES / "style.css").read_text(encoding="utf-8")
    style_hash = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    page = _environment().get_template(template)
    return page.render(style=style, style_hash=style_hash, **values)
