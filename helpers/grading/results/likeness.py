"""Find answers that are more similar than chance explains, for a person to check."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from itertools import combinations
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from helpers.grading.results.report import Report

__all__ = ["alike", "identical"]

_TOKEN = re.compile(r"[^\W\d]\w*|\d[\w.]*|[^\w\s]")
_LENGTH = 5  # tokens per piece
_FEWEST = 25  # shared pieces that are worth checking
_SHARE = 0.5


def alike(report: Report) -> list[dict]:
    """Return pairs of students whose answers share many pieces that few others wrote.

    A piece is five consecutive tokens. Pieces that more than two students and a tenth of the class
    wrote, such as those of a stub or of a very short solution, do not count.

    Returns:
        Pairs, most similar first: names, exercises, and the share of rare pieces in common,
        relative to the student with fewer of them.
    """
    shared: dict[tuple, Counter] = defaultdict(Counter)
    rare_pieces: Counter[str] = Counter()
    for exercise, answers in _answers(report).items():
        pieces = {student: _pieces(text) for student, text in answers.items()}
        holders = defaultdict(list)
        for student, own in pieces.items():
            for piece in own:
                holders[piece].append(student)
        most = max(2, len(pieces) // 10)
        for students in holders.values():
            if len(students) <= most:
                rare_pieces.update(students)
                for pair in combinations(sorted(students), 2):
                    shared[pair][exercise] += 1
    found = []
    for (first, second), by_exercise in shared.items():
        share = by_exercise.total() / min(rare_pieces[first], rare_pieces[second])
        if by_exercise.total() >= _FEWEST and share >= _SHARE:
            exercises = [id for id, count in by_exercise.most_common(8) if count > 2]
            names = [report.name(first), report.name(second)]
            found.append({"students": names, "exercises": exercises, "share": share})
    return sorted(found, key=lambda pair: -pair["share"])[:50]


def identical(report: Report) -> list[list[str]]:
    """Return groups of students who handed in identical files."""
    senders = defaultdict(set)
    for file in report.files:
        if file.get("sha256") and file["status"] == "graded":
            senders[file["sha256"]].add(file["student"])
    groups = [sorted(map(report.name, group)) for group in senders.values() if len(group) > 1]
    return sorted(groups)


def _answers(report: Report) -> dict[str, dict[str, str]]:
    answers: dict[str, dict[str, str]] = defaultdict(dict)
    for row in report.rows:
        if row["answer"] and row["outcome"] != "not attempted":
            answers[row["exercise"]][row["student"]] = row["answer"]
    return answers


def _pieces(text: str) -> set[tuple[str, ...]]:
    tokens = _TOKEN.findall(text)
    return {tuple(tokens[i : i + _LENGTH]) for i in range(len(tokens) - _LENGTH + 1)}
