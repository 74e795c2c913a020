"""Measure the memory and CPU time of a submission's processes, and enforce the memory limit."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path

__all__ = ["Watch", "descendants"]

_TICKS = os.sysconf("SC_CLK_TCK")


class Watch(threading.Thread):
    """Kills a worker that exceeds its memory limit; works without cgroups.

    Args:
        root: Process id of the sandbox.
        before: Processes of the sandbox that do not belong to the submission.
        limit: Memory of all the submission's processes together, shared pages included (bytes).
    """

    def __init__(self, root: int, before: set[int], limit: int):
        super().__init__(daemon=True)
        self.exceeded = False
        self._root, self._before, self._limit = root, before, limit
        self._done = threading.Event()
        self._base = self._used(_resident)
        self._seconds = 0.0
        self.start()

    def run(self) -> None:
        """Check twenty times per second until stopped."""
        while not self._done.wait(0.05):
            if self._used(_resident) - self._base <= self._limit:
                continue
            if self._used(_shared_fairly) > self._limit:
                self.exceeded = True
                for pid in self.own():
                    with contextlib.suppress(ProcessLookupError, PermissionError):
                        os.kill(pid, signal.SIGKILL)

    def stop(self) -> None:
        """Stop watching."""
        self._done.set()
        self.join()

    def own(self) -> list[int]:
        """Return the processes of the submission."""
        return [pid for pid in descendants(self._root) if pid not in self._before]

    def processor_seconds(self) -> float:
        """Return the CPU time that the submission has used so far, ended children included."""
        self._seconds = max(self._seconds, sum(map(_processor_seconds, self.own())))
        return self._seconds

    def _used(self, measure: Callable[[int], int]) -> int:
        return sum(map(measure, self.own()))


def descendants(pid: int) -> list[int]:
    """Return a process and all its descendants."""
    found = []
    queue = [pid]
    while queue:
        parent = queue.pop()
        try:
            for task in os.listdir(f"/proc/{parent}/task"):
                listed = Path(f"/proc/{parent}/task/{task}/children").read_text()
                queue += [int(child) for child in listed.split()]
        except OSError:
            continue
        found.append(parent)
    return found


def _resident(pid: int) -> int:
    """Return a process's memory that is not backed by a file: private and shared pages."""
    return _sum_of_lines(f"/proc/{pid}/status", ("RssAnon:", "RssShmem:"))


def _shared_fairly(pid: int) -> int:
    """Return a process's memory, with shared pages divided by the number of their users."""
    fair = _sum_of_lines(f"/proc/{pid}/smaps_rollup", ("Pss_Anon:", "Pss_Shmem:"))
    return fair or _resident(pid)


def _sum_of_lines(path: str, names: tuple[str, ...]) -> int:
    try:
        lines = Path(path).read_text().splitlines()
        return sum(int(line.split()[1]) for line in lines if line.startswith(names)) * 1024
    except (OSError, ValueError, IndexError):
        return 0


def _processor_seconds(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return sum(int(ticks) for ticks in fields[11:15]) / _TICKS
    except (OSError, ValueError):
        return 0.0
