"""The record of one submitted file, from its arrival to the results."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

__all__ = ["Record"]


@dataclass
class Record:
    """One submitted file and its results.

    Attributes:
        student: Key of the student.
        name: The student's display name.
        file: File name as handed in.
        chapter: The chapter it answers, None if that is unknown.
        sha256: Hash of its bytes, "" if it could not be read.
        status: "graded"; "ungraded" (the machine failed, not the student); "unreadable"; "replaced"
            (by a newer one); "beside" (next to a notebook, which may use it).
        reason: Why it was not graded.
        notes: Oddities worth reporting.
        submitted: When it was handed in, ISO 8601, "" if unknown.
        stamp: Where `submitted` comes from.
        late: Whether the course system marked it as late; None if it does not say.
        exercises: One dictionary per exercise.
        key: Key under which its result is stored, "" if it has none.
        seed: Seed of its inputs, None if it was not graded.
        seconds: Grading time (seconds).
        versions: Versions of the packages it was graded with.
    """

    student: str
    name: str
    file: str
    chapter: str | None = None
    sha256: str = ""
    status: str = "unreadable"
    reason: str = ""
    notes: list[str] = field(default_factory=list)
    submitted: str = ""
    stamp: str = ""
    late: bool | None = None
    exercises: list[dict] = field(default_factory=list)
    key: str = ""
    seed: int | None = None
    seconds: float = 0.0
    versions: dict[str, str] = field(default_factory=dict)

    @property
    def place(self) -> tuple[str, str | None]:
        """The student and the chapter."""
        return self.student, self.chapter

    def as_dict(self) -> dict[str, Any]:
        """Return the record as plain values."""
        return asdict(self)

    def slim(self) -> dict[str, Any]:
        """Return the record without the results that are stored under its key."""
        return {k: v for k, v in asdict(self).items() if k != "exercises"}
