"""Isolate students' code with bubblewrap, namespaces and limits, and communicate with it.

A `ForkServer` is one sandbox in which a process has loaded TensorFlow and waits. Each `Worker` is
forked from it into separate namespaces. Data from a worker is never trusted; a worker that does not
answer in time, or sends an invalid reply, is killed.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

from helpers import data
from helpers.grading.sandbox import memory, visible
from helpers.grading.sandbox.cgroup import ControlGroup
from helpers.grading.sandbox.inside import protocol
from helpers.grading.sandbox.limits import Limits

__all__ = ["ForkServer", "SandboxError", "WARM", "Worker", "WorkerLost", "missing"]

WARM = (
    "numpy pandas matplotlib.pyplot tensorflow keras helpers.answers helpers.backend helpers.data "
    "helpers.models helpers.training helpers.plotting helpers.numeric helpers.autograd"
).split()
_START_SECONDS = 180
_FOLDER = "workbook-grading-"


class SandboxError(Exception):
    """The sandbox cannot be built here; the message says what is missing."""


class WorkerLost(Exception):
    """The worker is gone.

    Attributes:
        reason: "time", "memory", "ended" or "nonsense".
        cell: Index of the cell that was running, None outside of cells.
        detail: A few words for the student.
    """

    def __init__(self, reason: str, detail: str, cell: int | None = None):
        super().__init__(detail)
        self.reason, self.detail, self.cell = reason, detail, cell


@lru_cache(maxsize=1)
def missing() -> str:
    """Return why this system cannot run untrusted code, "" if it can."""
    if sys.platform != "linux":
        return (
            "The sandbox needs Linux (namespaces). Grade in a Linux virtual machine or container; "
            ".github/INSTRUCTORS.md says how."
        )
    if shutil.which("bwrap") is None:
        return (
            "The program bwrap is missing. Install the package bubblewrap "
            "(`apt install bubblewrap`, `dnf install bubblewrap`)."
        )
    if os.getuid() == 0 and shutil.which("setpriv") is None:
        return "The program setpriv is missing; it is part of util-linux."
    try:
        with ForkServer(warm=()) as server, server.worker(Limits()) as worker:
            worker.ask({"do": "load", "cells": [], "exercises": [], "skip": [], "everything": 0}, 9)
    except (SandboxError, WorkerLost) as error:
        return (
            f"The sandbox does not start: {error} Unprivileged user namespaces may be turned "
            "off (sysctl kernel.unprivileged_userns_clone, user.max_user_namespaces or "
            "kernel.apparmor_restrict_unprivileged_userns), or forbidden by a container."
        )
    return ""


class ForkServer:
    """A warm process in a sandbox, from which workers fork.

    Args:
        walls: False runs without bubblewrap and namespaces, with resource limits only.
        warm: Modules to import before the first fork.
        hidden: Folders that must not be visible inside, even if they are below a visible one.
    """

    def __init__(self, walls: bool = True, warm: Iterable[str] = WARM, hidden: Iterable[Path] = ()):
        self.walls = walls
        self.warm = list(warm)
        self.hidden = [Path(path).resolve() for path in hidden]
        self.versions: dict[str, str] = {}
        self._folder: tempfile.TemporaryDirectory | None = None
        self._process: subprocess.Popen | None = None
        self._control: socket.socket | None = None
        self._group: ControlGroup | None = None

    def __enter__(self) -> ForkServer:
        self.start()
        return self

    def __exit__(self, *error: Any) -> None:
        self.close()

    @property
    def pid(self) -> int:
        """Process id of the outermost process of the sandbox."""
        return self._process.pid if self._process else 0

    def start(self) -> None:
        """Start the server and wait until it is warm.

        Raises:
            SandboxError: If it does not start; the message contains its stderr.
        """
        self.close()
        if "helpers.data" in self.warm:
            data.keep_stand_ins()  # once here, not in every worker
        _remove_left_over_folders()
        self._folder = tempfile.TemporaryDirectory(prefix=f"{_FOLDER}{os.getpid()}-")
        folder = Path(self._folder.name)
        visible.copy_students_side(folder)
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        settings = {"control": theirs.fileno(), "warm": self.warm, "namespaces": self.walls}
        command = [sys.executable, "-s", str(folder / "worker.py"), json.dumps(settings)]
        if self.walls:
            command = visible.command(folder, self.hidden, command)
        errors = tempfile.TemporaryFile()
        self._process = subprocess.Popen(
            command,
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            env=visible.environment(folder, self.walls),
            cwd=folder,
            start_new_session=True,
        )
        theirs.close()
        if self.walls and (group := ControlGroup.make()):
            self._group = group
            group.add(self._process.pid)
        try:
            self.versions = self._answer(_START_SECONDS)["ready"]
        except (OSError, ValueError, KeyError) as error:
            self._process.wait(5) if isinstance(error, ValueError) else None
            errors.seek(0)
            said = errors.read(2000).decode(errors="replace").strip() or f"{error!r}"
            self.close()
            raise SandboxError(said) from error

    def close(self) -> None:
        """End the server and everything in it."""
        if self._control is not None:
            self._control.close()
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        if self._folder is not None:
            self._folder.cleanup()
        if self._group is not None:
            self._group.remove()
        self._control = self._process = self._folder = self._group = None

    def worker(self, limits: Limits, ends: float | None = None) -> Worker:
        """Fork a worker; restart the server first if it is gone.

        Args:
            limits: Resource limits of the worker.
            ends: Value of `time.monotonic()` at which it is killed in any case.

        Raises:
            SandboxError: If no worker can be started.
        """
        if self._process is None or self._process.poll() is not None:
            self.start()
        before = set(memory.descendants(self.pid))
        if self._group is not None:
            self._group.allow(limits.memory_bytes, limits.processes)
        ours, theirs = socket.socketpair()
        home = tempfile.mkdtemp(prefix=f"{_FOLDER}{os.getpid()}-home-") if not self.walls else ""
        asked = limits.as_dict() | {"home": home, "own_process_count": self.walls}
        shown = [*visible.shown(), Path(self._folder.name)]
        asked["below_tmp"] = [str(path) for path in shown if path.is_relative_to("/tmp")]
        request = json.dumps({"do": "start", "limits": asked}).encode()
        try:
            socket.send_fds(self._control, [request], [theirs.fileno()])
            problem = self._answer(20)["problem"]
        except (OSError, ValueError, KeyError) as error:
            self.close()
            raise SandboxError(f"The fork server does not answer: {error!r}.") from error
        finally:
            theirs.close()
        if problem:
            raise SandboxError(f"No worker could be started: {problem}.")
        return Worker(self, ours, limits, before, home, ends)

    def end_worker(self) -> int:
        """Kill the current worker and return its wait status, -1 if unknown."""
        try:
            self._control.send(json.dumps({"do": "end"}).encode())
            return self._answer(20)["ended"]
        except (OSError, ValueError, KeyError, AttributeError):
            self.close()
            return -1

    def _answer(self, seconds: float) -> dict:
        self._control.settimeout(seconds)
        return json.loads(self._control.recv(65536))


class Worker:
    """One forked process with one student's code, controlled from outside the sandbox.

    Attributes:
        cell: Index of the cell that runs now, None if none does.
    """

    def __init__(
        self,
        server: ForkServer,
        connection: socket.socket,
        limits: Limits,
        before: set[int],
        home: str,
        ends: float | None = None,
    ):
        self.ends = (
            ends
            if ends is not None
            else (time.monotonic() + limits.notebook_seconds * limits.patience)
        )
        self.server, self.limits, self.home = server, limits, home
        self.cell: int | None = None
        self._connection = connection
        self._lost: WorkerLost | None = None
        self._turn = self._cells = 0
        self._watch = memory.Watch(server.pid, before, limits.memory_bytes)

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *error: Any) -> None:
        self.close()

    @property
    def lost(self) -> bool:
        """Whether this worker is gone."""
        return self._lost is not None

    @property
    def has_company(self) -> bool:
        """Whether the student's code left other processes running."""
        guardian_and_worker = 2
        return len(self._watch.own()) > guardian_and_worker

    def ask(self, request: dict, seconds: float, found: Any = None) -> dict:
        """Send a request and return the reply.

        Args:
            request: "do" and its arguments.
            seconds: Time for the reply (seconds); each cell that runs for it has its own limit.
            found: Returns the local object that represents one kept in the worker.

        Raises:
            WorkerLost: If the worker ends, hangs, uses too much memory or replies wrongly.
        """
        if self._lost is not None:
            raise self._lost
        self.cell = None
        self._turn += 1
        try:
            if request["do"] == "load":
                self._cells = len(request["cells"])
            message = protocol.encode(request | {"turn": self._turn})
            self._connection.settimeout(self._patience(seconds))
            self._connection.sendall(message)
            late = self._clock(seconds)
            seen: set[int] = set()
            stale = 0
            while True:
                reply = protocol.receive(self._connection, found, late)
                if not isinstance(reply, dict):
                    raise protocol.WireError("A reply is not a dictionary.")
                turn = reply.pop("turn", None)
                if isinstance(turn, int) and 0 < turn < self._turn and stale < 1000:
                    stale += 1
                    continue
                if turn != self._turn:
                    raise protocol.WireError("A reply belongs to no request.")
                if set(reply) != {"cell"}:
                    self.cell = None
                    return reply
                cell = reply["cell"]
                known = isinstance(cell, int) and 0 <= cell < self._cells and cell not in seen
                if request["do"] != "reach" or not known:
                    raise protocol.WireError("It reports cells that it was not asked to run.")
                seen.add(cell)
                self.cell = cell
                late = self._clock(self.limits.cell_seconds)
        except (protocol.Late, TimeoutError):
            self._lose("time", "it did not finish in time and could not be interrupted")
        except (protocol.Closed, OSError):
            self._lose("ended", "")
        except protocol.WireError as error:
            self._lose("nonsense", f"the reply cannot be read: {error}")

    def _clock(self, seconds: float) -> Callable[[], bool]:
        """Return a function that returns whether `seconds` of CPU time have been used.

        Time that other processes use does not count. A worker that sleeps is stopped after a
        longer wall-clock time.
        """
        used = self._watch.processor_seconds()
        wall = min(time.monotonic() + self._patience(seconds), self.ends)
        allowed = seconds + self.limits.grace_seconds

        def late() -> bool:
            return time.monotonic() >= wall or self._watch.processor_seconds() - used >= allowed

        return late

    def _patience(self, seconds: float) -> float:
        return seconds * self.limits.patience + self.limits.grace_seconds

    def _lose(self, reason: str, detail: str) -> None:
        status = self.close()
        if self._watch.exceeded:
            reason, detail = (
                "memory",
                (f"it used more than {self.limits.memory_bytes / 2**30:.1f} GB of memory"),
            )
        elif reason == "ended":
            detail = _how_it_ended(status)
        self._lost = WorkerLost(reason, detail, self.cell)
        raise self._lost

    def close(self) -> int:
        """End the worker and all processes that it started; return its wait status."""
        if self._lost is not None:
            return -1
        self._watch.stop()
        self._connection.close()
        status = self.server.end_worker()
        if self.home:
            shutil.rmtree(self.home, ignore_errors=True)
        self._lost = WorkerLost("ended", "the worker is closed")
        return status


def _how_it_ended(status: int) -> str:
    if status < 0:
        return "it ended the Python process"
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        with contextlib.suppress(ValueError):
            return f"it ended the Python process ({signal.Signals(number).name})"
        return f"it ended the Python process (signal {number})"
    return f"it ended the Python process (exit status {os.WEXITSTATUS(status)})"


def _remove_left_over_folders() -> None:
    """Remove folders of servers that were killed before they could clean up."""
    for path in Path(tempfile.gettempdir()).glob(f"{_FOLDER}*"):
        pid = path.name.removeprefix(_FOLDER).partition("-")[0]
        with contextlib.suppress(OSError):
            mine = path.lstat().st_uid == os.getuid() and not path.is_symlink()
            if pid.isdigit() and mine and not Path(f"/proc/{pid}").exists():
                shutil.rmtree(path, ignore_errors=True)
