"""Tasks, results, and the interface of executors, which grade locally or on a cluster."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

__all__ = ["Executor", "MachineError", "Result", "Task"]


class MachineError(ValueError):
    """This machine or the cluster failed, not a student's code; the run can be continued later."""


@dataclass(frozen=True)
class Task:
    """One notebook to grade.

    Attributes:
        key: Key under which its result is stored.
        chapter: The chapter whose exercises it answers.
        page: File with the content of the notebook, as `Page.keep` wrote it.
        settings: Settings shared by all tasks of the run, and this task's seed and released
            answers.
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
    """The result of one task.

    Attributes:
        exercises: One dictionary per exercise.
        seconds: Grading time (seconds).
        versions: Versions of the packages it was graded with.
        failure: Why the machine could not grade it, "" if it did.
    """

    exercises: list[dict] = field(default_factory=list)
    seconds: float = 0.0
    versions: dict[str, str] = field(default_factory=dict)
    failure: str = ""

    @classmethod
    def told(cls, reply: dict) -> Result:
        """Return the result contained in a grader process's reply."""
        if "exercises" not in reply:
            return cls(failure=str(reply.get("error") or reply.get("fatal") or "no result")[:500])
        return cls(reply["exercises"], float(reply["seconds"]), dict(reply["versions"]))

    def as_dict(self) -> dict:
        """Return the values that are stored."""
        return {"exercises": self.exercises, "seconds": self.seconds, "versions": self.versions}


class Executor(Protocol):
    """Grades tasks, locally or on a cluster."""

    def run(self, tasks: Iterable[Task]) -> Iterator[tuple[Task, Result]]:
        """Yield each task with its result, in no particular order.

        Raises:
            MachineError: If grading cannot continue; the results yielded before are complete.
        """
        ...
