"""The results folder: what survives a crash, what an instructor entered, one run at a time."""

from __future__ import annotations

import contextlib
import csv
import fcntl
import hashlib
import io
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from helpers import files

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20")
EXPLANATIONS = "explanations.csv"
EXPLANATION_COLUMNS = (
    "student", "exercise", "title", "max", "points", "comment", "rubric", "answer",
)  # fmt: skip


class Store:
    """A results folder.

    Args:
        folder: Where everything is written; made if it is not there.
    """

    def __init__(self, folder: Path):
        self.folder = Path(folder)
        self._graded = self.folder / "state" / "graded"

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the folder for one run.

        Raises:
            ValueError: If another run holds it.
        """
        self._graded.mkdir(parents=True, exist_ok=True)
        with open(self.folder / "state" / "lock", "w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise ValueError(
                    f"Another run is writing to {self.folder}. Wait for it, or name another folder."
                ) from None
            yield

    def load_graded(self, key: str) -> dict | None:
        """Return the result kept under `key`, None if there is none that is whole."""
        return _read_json(self._graded / f"{key}.json")

    def keep_graded(self, key: str, result: dict) -> None:
        """Keep one submission's result; it is there whole or not at all."""
        files.write_text(self._graded / f"{key}.json", json.dumps(result, ensure_ascii=True))

    def forget_graded(self, keep: Iterable[str]) -> None:
        """Remove results that belong to none of the keys in `keep`."""
        wanted = {f"{key}.json" for key in keep}
        for path in self._graded.glob("*.json"):
            if path.name not in wanted:
                path.unlink(missing_ok=True)

    @property
    def run(self) -> dict:
        """What is known of the last run; {} before the first."""
        return _read_json(self.folder / "state" / "run.json") or {}

    @run.setter
    def run(self, content: dict) -> None:
        files.write_text(self.folder / "state" / "run.json", json.dumps(content, indent=1))

    @property
    def marks(self) -> dict[str, dict]:
        """Points a person gave: by "student/exercise", each with points and comment."""
        path = self.folder / "state" / "marks.json"
        if not path.exists():
            return {}
        marks = _read_json(path)
        if marks is None:
            raise ValueError(f"{path} is damaged. Restore it from a backup; it holds your marks.")
        return marks

    def enter_marks(self, path: Path, allowed: dict[str, float]) -> int:
        """Take the points of an edited CSV; return how many changed. Nothing is taken on an error.

        Args:
            path: A CSV with the columns student, exercise, points and, if wanted, comment.
            allowed: Most points by "student/exercise".

        Raises:
            ValueError: If a line names nobody or gives impossible points; all such lines are named.
        """
        marks, changed, errors = self.marks, 0, []
        for number, row in enumerate(_read_csv(path), start=2):
            points = (row.get("points") or "").strip()
            if not points:
                continue
            name = mark_key(_plain_cell(row.get("student")), _plain_cell(row.get("exercise")))
            most = allowed.get(name)
            if most is None:
                errors.append(f"line {number}: no answer of {name} is known")
                continue
            try:
                value = float(points.replace(",", "."))
            except ValueError:
                errors.append(f"line {number}: {points!r} is no number")
                continue
            if not 0 <= value <= most:
                errors.append(f"line {number}: {points} is not between 0 and {most:g}")
                continue
            comment = _plain_cell(row.get("comment"))
            mark = {"points": value, "comment": comment}
            if {key: marks.get(name, {}).get(key) for key in mark} != mark:
                marks[name], changed = mark, changed + 1
        if errors:
            raise ValueError(f"{path} was not taken over: " + "; ".join(errors[:20]) + ".")
        if changed:
            text = json.dumps(marks, indent=1, ensure_ascii=False)
            files.write_text(self.folder / "state" / "marks.json", text)
        return changed


def mark_key(student: str, exercise: str) -> str:
    """Return the name of one student's answer among the marks.

    >>> mark_key("Kim", "1.4")
    'Kim/1.4'
    """
    return f"{student}/{exercise}"


def file_key(*parts: Any) -> str:
    """Return a file name that is the same for the same parts and differs for others."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:40]


def csv_text(columns: Iterable[str], rows: Iterable[dict]) -> str:
    """Return a CSV in which no cell is a formula to a spreadsheet."""
    out = io.StringIO()
    columns = list(columns)
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([safe_cell(row.get(column, "")) for column in columns])
    return out.getvalue()


def safe_cell(value: Any) -> str:
    """Return a cell's text; what a spreadsheet would run or reinterpret gets an apostrophe first.

    >>> safe_cell("=HYPERLINK(1)"), safe_cell(2.5), safe_cell("+1")
    ("'=HYPERLINK(1)", '2.5', "'+1")
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"{value:g}"
    text = "" if value is None else str(value).replace("\0", "")
    return f"'{text}" if text.lstrip(" \n").startswith(_FORMULA) else text


def _plain_cell(text: str | None) -> str:
    """Return what `safe_cell` was given, whatever a spreadsheet did with its apostrophe."""
    text = (text or "").strip()
    guarded = text.startswith("'") and text[1:].lstrip(" \n").startswith(_FORMULA)
    return text[1:] if guarded else text


def _read_csv(path: Path) -> list[dict]:
    try:
        text = Path(path).read_bytes()
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}.") from error
    try:
        content = text.decode("utf-8-sig")
    except UnicodeDecodeError:
        content = text.decode("cp1252", errors="replace")
    head = content.partition("\n")[0]
    delimiter = max(",;\t", key=head.count)
    csv.field_size_limit(10 * 2**20)
    rows = list(csv.DictReader(io.StringIO(content, newline=""), delimiter=delimiter))
    if rows and not {"student", "exercise", "points"} <= set(rows[0]):
        raise ValueError(f"{path} needs the columns student, exercise and points.")
    return rows


def _read_json(path: Path) -> dict | None:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None
