"""What is known of one file that arrived, from its arrival to the results."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

__all__ = ["Record"]


@dataclass
class Record:
    """One file that someone handed in, and what came of it.

    Attributes:
        student: Key of the student.
        name: The student's name, for people to read.
        file: File name as handed in.
        chapter: The chapter it answers, None if that is unknown.
        sha256: Hash of its bytes, "" if it could not be read.
        status: "graded"; "ungraded" (the machine failed, nobody's fault); "unreadable"; "replaced"
            by a newer one; "beside" a notebook, which may use it.
        reason: Why it was not graded.
        notes: Oddities worth telling.
        submitted: When it was handed in, ISO 8601, "" if unknown.
        stamp: Where `submitted` comes from.
        late: Whether the course system marked it as late; None where it marks nothing.
        exercises: One plain result for each exercise.
        key: Name of its result among the kept ones, "" if it has none.
        seed: Seed of its inputs, None if it was not graded.
        seconds: Time that grading took (seconds).
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
        """Return the record without what is kept under its key."""
        return {k: v for k, v in asdict(self).items() if k != "exercises"}
