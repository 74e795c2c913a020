"""The results folder: stored results, an instructor's marks, and a lock for one run at a time."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from helpers import files
from helpers.grading.results.marks import MarksFile

__all__ = ["EXPLANATIONS", "EXPLANATION_COLUMNS", "Store", "file_key"]

EXPLANATIONS = "explanations.csv"
EXPLANATION_COLUMNS = (
    "student", "name", "exercise", "title", "max", "points", "comment", "note", "rubric", "answer",
    "row",
)  # fmt: skip


class Store:
    """A results folder.

    Args:
        folder: Where everything is written; created if it does not exist.
    """

    def __init__(self, folder: Path):
        self.folder = Path(folder)
        self._graded = self.folder / "state" / "graded"

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Lock the folder for one run.

        Raises:
            ValueError: If another run has locked it.
        """
        self._graded.mkdir(parents=True, exist_ok=True)
        with open(self.folder / "state" / "lock", "w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise ValueError(
                    f"Another run is writing to {self.folder}. Wait for it, or use another folder."
                ) from None
            yield

    def load_graded(self, key: str) -> dict | None:
        """Return the result stored under `key`, None if there is no complete one."""
        return _read_json(self._graded / f"{key}.json")

    def keep_graded(self, key: str, result: dict) -> None:
        """Store one submission's result, atomically."""
        files.write_text(self._graded / f"{key}.json", json.dumps(result, ensure_ascii=True))

    def forget_graded(self, keep: Iterable[str]) -> None:
        """Remove results that belong to none of the keys in `keep`."""
        wanted = {f"{key}.json" for key in keep}
        for path in self._graded.glob("*.json"):
            if path.name not in wanted:
                path.unlink(missing_ok=True)

    @property
    def run(self) -> dict:
        """Data on the last run; {} before the first."""
        return _read_json(self.folder / "state" / "run.json") or {}

    @run.setter
    def run(self, content: dict) -> None:
        files.write_text(self.folder / "state" / "run.json", json.dumps(content, indent=1))

    @property
    def marks(self) -> dict[str, dict]:
        """Manual marks, by "student/exercise": points, comment, hash of the answer."""
        path = self.folder / "state" / "marks.json"
        if not path.exists():
            return {}
        marks = _read_json(path)
        if marks is None:
            raise ValueError(f"{path}, which has your marks, is damaged. Restore it from a backup.")
        return marks

    @property
    def answers(self) -> dict[str, str]:
        """Hashes of the explanations in the last results, by "student/exercise"."""
        return _read_json(self.folder / "state" / "answers.json") or {}

    @answers.setter
    def answers(self, hashes: dict[str, str]) -> None:
        files.write_text(self.folder / "state" / "answers.json", json.dumps(hashes, indent=1))

    def enter_marks(self, path: Path, allowed: dict[str, float]) -> int:
        """Enter the points of an edited CSV; return how many changed. An error changes nothing.

        Args:
            path: A CSV with the columns student, exercise, points and optionally comment.
            allowed: Maximum points by "student/exercise".

        Raises:
            ValueError: If a line has no known answer or invalid points; the message lists them.
        """
        entered, errors = MarksFile(path, allowed).marks()
        if errors:
            raise ValueError(f"{path} was not entered: " + "; ".join(errors[:20]) + ".")
        return self.keep_marks(entered)

    def keep_marks(self, entered: dict[str, dict]) -> int:
        """Save marks by "student/exercise", each with points and comment; return how many are new.

        A mark is stored with the hash of its answer, so that a changed answer is detected.
        """
        marks, answers = self.marks, self.answers
        new = {key: {**mark, "answer": answers.get(key, "")} for key, mark in entered.items()}
        changed = {key: mark for key, mark in new.items() if marks.get(key) != mark}
        if changed:
            text = json.dumps(marks | changed, indent=1, ensure_ascii=False)
            files.write_text(self.folder / "state" / "marks.json", text)
        return len(changed)

    def put_back_mark(self, key: str, mark: dict | None) -> None:
        """Restore the previous value of a mark; None removes it."""
        marks = {name: kept for name, kept in self.marks.items() if name != key}
        marks |= {} if mark is None else {key: mark}
        text = json.dumps(marks, indent=1, ensure_ascii=False)
        files.write_text(self.folder / "state" / "marks.json", text)


def file_key(*parts: Any) -> str:
    """Return a file name made of a hash of the parts."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:40]


def _read_json(path: Path) -> dict | None:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None
