"""A small class with invented results, for tests of the files that a run writes."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace

from helpers.grading.results.report import Report, build

RUBRIC = ((1, "names the line"), (1, "says why"))
EXERCISES = [
    SimpleNamespace(id="1.1", title="Gates", kind="C", points=2, rubric=()),
    SimpleNamespace(id="1.10", title="Likelihood", kind="C", points=1, rubric=()),
    SimpleNamespace(id="1.11", title="No line", kind="T", points=2, rubric=RUBRIC),
]
COURSE = SimpleNamespace(CHAPTERS=("perceptrons",), exercises_of=lambda chapter: EXERCISES)


@dataclass
class Sender:
    """The data of `helpers.grading.submissions.Sender`."""

    outer: str
    student: str
    name: str
    number: str = ""
    layout: str = "Moodle"
    email: str = ""
    upload: str = ""


@dataclass
class Roster:
    """The data of `helpers.grading.roster.Roster`."""

    kind: str
    people: list
    columns: list[str] = field(default_factory=list)
    above: list[dict] = field(default_factory=list)


def record(student: str, name: str = "", words: str = "Because.", **changes) -> dict:
    """Return the record of a graded page: 1.1 right, 1.10 wrong, 1.11 an explanation."""
    told = [("1.1", 2.0, "correct", ""), ("1.10", 0.0, "not yet", "Given 3.5: expected 2.")]
    results = [
        {"id": id, "points": points, "outcome": outcome, "message": said, "line": "", "answer": ""}
        for id, points, outcome, said in told
    ]
    pending = {"id": "1.11", "points": 0.0, "outcome": "pending", "message": "", "line": ""}
    return {
        "student": student,
        "name": name or student,
        "file": "01_perceptrons.ipynb",
        "chapter": "perceptrons",
        "status": "graded",
        "reason": "",
        "notes": [],
        "sha256": student,
        "submitted": "",
        "exercises": [*results, pending | {"answer": words}],
        **changes,
    }


def report(*records: dict, marks: dict | None = None, **told) -> Report:
    """Return the report of some records."""
    made = build(list(records), COURSE, marks or {})
    for name, value in told.items():
        setattr(made, name, value)
    return made
