"""A control group for the sandbox, if the system allows one; `memory.Watch` works without it."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

__all__ = ["ControlGroup"]

_ROOT = Path("/sys/fs/cgroup")
_CONTROLLERS = ("memory", "pids")


class ControlGroup:
    """A cgroup v2 group below the current one, with limits on memory and processes.

    Args:
        folder: The group's folder, made by `make`.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self._base: int | None = None

    @classmethod
    def make(cls, root: Path = _ROOT) -> ControlGroup | None:
        """Return a new group, or None if control groups cannot be written.

        Args:
            root: Where cgroup v2 is mounted.
        """
        own = _own_group(root)
        if own is None:
            return None
        folder = own / f"workbook-{os.getpid()}-{os.urandom(4).hex()}"
        try:
            given = (own / "cgroup.subtree_control").read_text().split()
            for name in set(_CONTROLLERS) - set(given):
                (own / "cgroup.subtree_control").write_text(f"+{name}")
            folder.mkdir()
        except OSError:
            return None
        return cls(folder)

    def allow(self, memory_bytes: int, processes: int) -> None:
        """Set the group's limits, in addition to what the warm server uses.

        Args:
            memory_bytes: Memory of all processes together (bytes).
            processes: Processes and threads.
        """
        with contextlib.suppress(OSError, ValueError):
            if self._base is None:
                self._base = int((self.folder / "memory.current").read_text())
            (self.folder / "memory.max").write_text(str(self._base + memory_bytes))
            (self.folder / "memory.swap.max").write_text("0")
            threads_of_the_server = 200
            (self.folder / "pids.max").write_text(str(processes + threads_of_the_server))

    def add(self, pid: int) -> None:
        """Move a process, and whatever it starts from now on, into the group."""
        with contextlib.suppress(OSError):
            (self.folder / "cgroup.procs").write_text(str(pid))

    def remove(self) -> None:
        """Kill what is left in the group and remove it."""
        with contextlib.suppress(OSError):
            (self.folder / "cgroup.kill").write_text("1")
        with contextlib.suppress(OSError):
            self.folder.rmdir()


def _own_group(root: Path) -> Path | None:
    """Return the folder of this process's group, if it is a writable cgroup v2."""
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return None
    path = next((line[3:] for line in lines if line.startswith("0::")), None)
    if path is None:
        return None
    own = root / path.lstrip("/")
    try:
        offered = (own / "cgroup.controllers").read_text().split()
    except OSError:
        return None
    return own if set(_CONTROLLERS) <= set(offered) and os.access(own, os.W_OK) else None
