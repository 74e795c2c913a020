"""Read and write the CSV in which a person enters points, even if a spreadsheet changes it."""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

__all__ = [
    "MarksFile",
    "answer_hash",
    "csv_text",
    "exercise_cell",
    "mark_key",
    "plain_cell",
    "row_cell",
    "safe_cell",
]

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_ENCODINGS = ("utf-8-sig", "cp949", "cp1252")
_NUMBER = re.compile(r"[+-]?\d+([.,]\d+)?([eE][+-]?\d+)?")
_NEEDED = {"student", "exercise", "points"}


def mark_key(student: str, exercise: str) -> str:
    """Return the key of the mark for one student's answer.

    >>> mark_key("Kim", "1.4")
    'Kim/1.4'
    """
    return f"{student}/{exercise}"


def answer_hash(answer: str) -> str:
    """Return a hash that shows whether an answer changed after it was marked."""
    return hashlib.sha256(answer.encode(errors="replace")).hexdigest()[:16]


def exercise_cell(id: str) -> str:
    """Return an exercise id as text for a table, since a spreadsheet reads 1.10 as 1.1.

    >>> exercise_cell("1.10")
    'Exercise 1.10'
    """
    return f"Exercise {id}"


def row_cell(key: str) -> str:
    """Return a name for a row of the marks that no spreadsheet changes.

    A spreadsheet reads an id such as 3-4 as a date and cuts 20 digits to 15; this stays text.

    >>> row_cell("3-4/1.10")
    'row-37eec4d53c'
    """
    return f"row-{hashlib.sha256(key.encode(errors='replace')).hexdigest()[:10]}"


def csv_text(columns: Iterable[str], rows: Iterable[dict]) -> str:
    """Return a CSV without formulas; its byte order mark tells Excel that it is UTF-8."""
    out = io.StringIO()
    columns = list(columns)
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([safe_cell(row.get(column, "")) for column in columns])
    return "\ufeff" + out.getvalue()


def safe_cell(value: Any) -> str:
    """Return a cell's text; text that a spreadsheet would run gets a leading apostrophe.

    So does text after a tab, line break or semicolon at which a spreadsheet could split the cell.

    >>> safe_cell("=HYPERLINK(1)"), safe_cell(2.5), safe_cell("+1"), safe_cell("a;=b")
    ("'=HYPERLINK(1)", '2.5', "'+1", "a;'=b")
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"{value:g}"
    text = "" if value is None else str(value).replace("\0", "")
    if text.lstrip(" \n").startswith(_FORMULA):
        text = f"'{text}"
    return re.sub(r'([;\t\n]\s*"?)(?=[=+\-@\uff1d\uff0b\uff0d\uff20])', r"\1'", text)


def plain_cell(text: str | None) -> str:
    """Return the text that `safe_cell` was given, with or without its apostrophe."""
    text = (text or "").strip()
    guarded = text.startswith("'") and text[1:].lstrip(" \n").startswith(_FORMULA)
    return text[1:] if guarded else text


class MarksFile:
    """An edited CSV with the columns student, exercise, points and optionally comment.

    Args:
        path: The file, in UTF-8, CP949 or CP1252, split at commas, semicolons or tabs.
        allowed: Maximum points by "student/exercise".

    Raises:
        ValueError: If the file cannot be read or lacks a column.
    """

    def __init__(self, path: Path, allowed: dict[str, float]):
        self.path, self.allowed = Path(path), allowed
        self._students = sorted({key.rpartition("/")[0] for key in allowed})
        self._named = {row_cell(key): key for key in allowed}
        self._rows = self._read()

    def marks(self) -> tuple[dict[str, dict], list[str]]:
        """Return the marks by "student/exercise", and a message for each invalid line."""
        marks, errors, lines = {}, [], {}
        for number, row in enumerate(self._rows, start=2):
            if not (points := (row.get("points") or "").strip()):
                continue
            try:
                key = self._key(row)
                if lines.setdefault(key, number) != number:
                    raise ValueError(f"line {lines[key]} is for the same answer")
                marks[key] = {
                    "points": self._points(points, self.allowed[key]),
                    "comment": plain_cell(row.get("comment")),
                }
            except ValueError as error:
                errors.append(f"line {number}: {error}")
        return marks, errors

    def _key(self, row: dict) -> str:
        exercise = plain_cell(row.get("exercise")).removeprefix("Exercise").strip()
        cell = plain_cell(row.get("student"))
        if (key := self._named.get(plain_cell(row.get("row")))) is not None:
            student = key.rpartition("/")[0]
            if cell in self._students and cell != student and _number(cell) is None:
                raise ValueError(f"the row belongs to {student}, but names {cell}")
            return key
        for student in self._meant(cell):
            if mark_key(student, exercise) in self.allowed:
                return mark_key(student, exercise)
        raise ValueError(f"there is no answer by {cell or 'nobody'} to exercise {exercise}")

    def _meant(self, cell: str) -> list[str]:
        """Return the students that a cell may mean; a spreadsheet rewrites ids such as 0012345."""
        if cell in self._students:
            return [cell]
        value = _number(cell)
        alike = [
            student
            for student in self._students
            if student.strip() == cell or (value is not None and _number(student) == value)
        ]
        if len(alike) > 1:
            raise ValueError(f"{cell} may be {' or '.join(alike)}; write the id as text")
        return alike

    @staticmethod
    def _points(text: str, most: float) -> float:
        try:
            value = float(text.replace(",", "."))
        except ValueError:
            raise ValueError(f"{text!r} is not a number") from None
        if not 0 <= value <= most:
            raise ValueError(f"{text} is not between 0 and {most:g}")
        return value

    def _read(self) -> list[dict]:
        try:
            content = self.path.read_bytes()
        except OSError as error:
            raise ValueError(f"{self.path} cannot be read: {error.strerror}.") from error
        read = [rows for rows in map(lambda name: _rows(content, name), _ENCODINGS) if rows]
        if not read:
            return []
        # Bytes are often valid in several encodings: the right one gives the names of students.
        best = max(read, key=lambda rows: sum(bool(self._known(row)) for row in rows))
        if not set(best[0]) >= _NEEDED:
            raise ValueError(f"{self.path} needs the columns student, exercise and points.")
        return best

    def _known(self, row: dict) -> bool:
        return plain_cell(row.get("student")) in self._students


def _rows(content: bytes, encoding: str) -> list[dict]:
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        return []
    head = text.partition("\n")[0]
    delimiter = max(",;\t", key=head.count)
    csv.field_size_limit(10 * 2**20)
    try:
        return list(csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter))
    except csv.Error:
        return []


def _number(text: str) -> float | None:
    return float(text.replace(",", ".")) if _NUMBER.fullmatch(text) else None
