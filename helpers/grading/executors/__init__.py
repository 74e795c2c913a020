"""What is graded, what comes of it, and the interface of whoever grades: here or on a cluster."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

__all__ = ["Executor", "MachineError", "Result", "Task"]


class MachineError(ValueError):
    """This machine, or the cluster, failed: nothing that a student did; the run can go on later."""


@dataclass(frozen=True)
class Task:
    """One notebook to grade.

    Attributes:
        key: Name of its result among the kept ones.
        chapter: The chapter whose exercises it answers.
        page: File with what was read of the notebook, as `pack` wrote it.
        settings: What every task of the run shares, and the seed of this one.
    """

    key: str
    chapter: str
    page: Path
    settings: dict[str, Any]

    def load(self) -> dict:
        """Return the task as plain values, for a grader process."""
        content = json.loads(self.page.read_text(encoding="ascii"))
        return content | {"key": self.key, "chapter": self.chapter, "settings": self.settings}


@dataclass(frozen=True)
class Result:
    """What came of one task.

    Attributes:
        exercises: One plain result for each exercise.
        seconds: Time it took (seconds).
        versions: Versions of the packages it was graded with.
        failure: Why the machine could not grade it, "" if it did.
    """

    exercises: list[dict] = field(default_factory=list)
    seconds: float = 0.0
    versions: dict[str, str] = field(default_factory=dict)
    failure: str = ""

    @classmethod
    def told(cls, reply: dict) -> Result:
        """Return the result in a grader process's reply."""
        if "exercises" not in reply:
            return cls(failure=str(reply.get("error") or reply.get("fatal") or "no result")[:500])
        return cls(reply["exercises"], float(reply["seconds"]), dict(reply["versions"]))

    def as_dict(self) -> dict:
        """Return what is kept of it."""
        return {"exercises": self.exercises, "seconds": self.seconds, "versions": self.versions}


class Executor(Protocol):
    """Grades tasks somewhere."""

    def run(self, tasks: Iterable[Task]) -> Iterator[tuple[Task, Result]]:
        """Yield each task with its result, in no particular order.

        Raises:
            MachineError: If nothing can be graded; what was yielded before is whole.
        """
        ...
