"""The walls around a student's code: bubblewrap, namespaces and limits, and a way to talk through.

A `ForkServer` is one sandbox in which a process has TensorFlow loaded and waits. Each `Worker` is
forked from it into namespaces of its own. Nothing that comes out of a worker is believed; whoever
does not answer in time, or answers nonsense, is killed.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

from helpers import data
from helpers.grading.sandbox.cgroup import ControlGroup
from helpers.grading.sandbox.inside import protocol
from helpers.grading.sandbox.limits import Limits

WARM = (
    "numpy pandas matplotlib.pyplot tensorflow keras helpers.answers helpers.backend helpers.data "
    "helpers.models helpers.training helpers.plotting helpers.numeric helpers.autograd"
).split()
_HIDDEN_PARTS = ("exercises", "grading", "lab", "feedback.py", "cli.py", "authoring.py", "*.pyc")
_UNPRIVILEGED = 65534
_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
_SETTINGS = ("ld.so.cache", "ld.so.conf", "ld.so.conf.d", "alternatives", "localtime")
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
    """Return what keeps this system from running untrusted code, "" if nothing does."""
    if sys.platform != "linux":
        return (
            "The sandbox needs Linux (namespaces). Grade in a Linux virtual machine or container; "
            "the README says how."
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
            f"The sandbox does not start: {error} Unprivileged user namespaces may be switched "
            "off (sysctl kernel.unprivileged_userns_clone, user.max_user_namespaces or "
            "kernel.apparmor_restrict_unprivileged_userns), or a container forbids them."
        )
    return ""


class ForkServer:
    """A warm process in a sandbox, from which workers fork.

    Args:
        walls: False runs without bubblewrap and namespaces, with resource limits only.
        warm: Modules to import before the first fork.
        hidden: Folders that must not be seen inside even where they lie below a visible one.
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
            SandboxError: If it does not start; the message has what was written on stderr.
        """
        self.close()
        if "helpers.data" in self.warm:
            data.keep_stand_ins()  # once here, not in every worker
        _remove_left_over_folders()
        self._folder = tempfile.TemporaryDirectory(prefix=f"{_FOLDER}{os.getpid()}-")
        folder = Path(self._folder.name)
        _copy_students_side(folder)
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        settings = {"control": theirs.fileno(), "warm": self.warm, "namespaces": self.walls}
        command = self._command(folder, json.dumps(settings))
        errors = tempfile.TemporaryFile()
        self._process = subprocess.Popen(
            command,
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            env=_environment(folder, self.walls),
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
            limits: What the worker may use.
            ends: `time.monotonic()` at which it is killed whatever it does.

        Raises:
            SandboxError: If no worker can be had.
        """
        if self._process is None or self._process.poll() is not None:
            self.start()
        before = set(_descendants(self.pid))
        if self._group is not None:
            self._group.allow(limits.memory_bytes, limits.processes)
        ours, theirs = socket.socketpair()
        home = tempfile.mkdtemp(prefix=f"{_FOLDER}{os.getpid()}-home-") if not self.walls else ""
        asked = limits.as_dict() | {"home": home, "own_process_count": self.walls}
        shown = [*_shown(), Path(self._folder.name)]
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
        """Kill the present worker and return its wait status, -1 if it is not known."""
        try:
            self._control.send(json.dumps({"do": "end"}).encode())
            return self._answer(20)["ended"]
        except (OSError, ValueError, KeyError, AttributeError):
            self.close()
            return -1

    def _answer(self, seconds: float) -> dict:
        self._control.settimeout(seconds)
        return json.loads(self._control.recv(65536))

    def _command(self, folder: Path, settings: str) -> list[str]:
        python = [sys.executable, "-s", str(folder / "worker.py"), settings]
        if not self.walls:
            return python
        inner = ["bwrap", "--unshare-all", "--die-with-parent", "--new-session", "--hostname", "x"]
        view = _view(folder, self.hidden)
        private = ["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--remount-ro", "/dev"]
        private += _folders(folder, self.hidden, below="/tmp")  # what the private /tmp covered
        course = ["--ro-bind", str(folder), str(folder)]
        if os.getuid() != 0:
            return [*inner, *view, *private, *course, "--remount-ro", "/", "--", *python]
        # Root builds the view, which may need its rights, and then becomes nobody for the rest.
        drop = ["setpriv", f"--reuid={_UNPRIVILEGED}", f"--regid={_UNPRIVILEGED}"]
        drop += ["--clear-groups", "--inh-caps=-all", "--bounding-set=-all"]
        outer = ["bwrap", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
        outer += ["--cap-add", "CAP_SETPCAP", *view, *course]
        outer += ["--dev", "/dev", "--bind", "/proc", "/proc"]
        view_again = ["--ro-bind", "/", "/"]
        return [*outer, "--", *drop, *inner, *view_again, *private, *course, "--", *python]


class Worker:
    """One forked process with one student's code, seen from outside.

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
        self.ends = ends if ends is not None else time.monotonic() + limits.notebook_seconds
        self.server, self.limits, self.home = server, limits, home
        self.cell: int | None = None
        self._connection = connection
        self._lost: WorkerLost | None = None
        self._turn = 0
        self._watch = _MemoryWatch(server.pid, before, limits.memory_bytes)

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
        """Whether the student's code left processes running beside the worker."""
        guardian_and_worker = 2
        return len(self._watch.own()) > guardian_and_worker

    def ask(self, request: dict, seconds: float, found: Any = None) -> dict:
        """Send a request and return the reply.

        Args:
            request: "do" and what it needs.
            seconds: Time for the answer; each cell that is run on the way has its own time.
            found: Turns kept objects of the worker into what stands for them here.

        Raises:
            WorkerLost: If the worker ends, hangs, uses too much memory or talks nonsense.
        """
        if self._lost is not None:
            raise self._lost
        self.cell = None
        self._turn += 1
        try:
            message = protocol.encode(request | {"turn": self._turn})
            deadline = self._deadline(seconds)
            self._connection.settimeout(max(deadline - time.monotonic(), 0.01))
            self._connection.sendall(message)
            seen: set[int] = set()
            while True:
                reply = protocol.receive(self._connection, found, deadline)
                if not isinstance(reply, dict):
                    raise protocol.WireError("A reply is not a reply.")
                turn = reply.pop("turn", None)
                if isinstance(turn, int) and 0 < turn < self._turn and len(seen) < 10_000:
                    seen.add(-len(seen) - 1)
                    continue
                if turn != self._turn:
                    raise protocol.WireError("A reply belongs to no question.")
                if set(reply) != {"cell"}:
                    self.cell = None
                    return reply
                cell = reply["cell"]
                if request["do"] != "reach" or not isinstance(cell, int) or cell in seen:
                    raise protocol.WireError("It tells of cells that it was not asked to run.")
                seen.add(cell)
                self.cell = cell
                deadline = self._deadline(self.limits.cell_seconds)
        except (protocol.Late, TimeoutError):
            self._lose("time", "it did not finish in time and could not be interrupted")
        except (protocol.Closed, OSError):
            self._lose("ended", "")
        except protocol.WireError as error:
            self._lose("nonsense", f"what came back cannot be read: {error}")

    def _deadline(self, seconds: float) -> float:
        return min(time.monotonic() + seconds + self.limits.grace_seconds, self.ends)

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
        """End the worker and whatever it started; return its wait status."""
        if self._lost is not None:
            return -1
        self._watch.stop()
        self._connection.close()
        status = self.server.end_worker()
        if self.home:
            shutil.rmtree(self.home, ignore_errors=True)
        self._lost = WorkerLost("ended", "the worker is closed")
        return status


class _MemoryWatch(threading.Thread):
    """Kill a worker that uses more memory than it may; works without cgroups."""

    def __init__(self, root: int, before: set[int], limit: int):
        super().__init__(daemon=True)
        self.exceeded = False
        self._root, self._before, self._limit = root, before, limit
        self._done = threading.Event()
        self._base = self._used(_private_memory)
        self.start()

    def run(self) -> None:
        while not self._done.wait(0.05):
            if self._used(_private_memory) - self._base <= self._limit:
                continue
            if self._used(_shared_fairly) > self._limit:
                self.exceeded = True
                for pid in self.own():
                    with contextlib.suppress(ProcessLookupError, PermissionError):
                        os.kill(pid, signal.SIGKILL)

    def stop(self) -> None:
        self._done.set()
        self.join()

    def own(self) -> list[int]:
        return [pid for pid in _descendants(self._root) if pid not in self._before]

    def _used(self, measure: Any) -> int:
        return sum(measure(pid) for pid in self.own())


def _private_memory(pid: int) -> int:
    try:
        resident, shared = Path(f"/proc/{pid}/statm").read_text().split()[1:3]
    except (OSError, ValueError):
        return 0
    return (int(resident) - int(shared)) * os.sysconf("SC_PAGE_SIZE")


def _shared_fairly(pid: int) -> int:
    """Return the process's memory with what it shares with others divided by their number."""
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss_Anon:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        pass
    return _private_memory(pid)


def _descendants(pid: int) -> list[int]:
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


def _copy_students_side(folder: Path) -> None:
    """Copy what students import, and the worker; no exercise, no check."""
    package = Path(importlib.util.find_spec("helpers").origin).parent
    ignore = shutil.ignore_patterns("__pycache__", *_HIDDEN_PARTS)
    shutil.copytree(package, folder / "helpers", ignore=ignore)
    for name in ("worker.py", "protocol.py", "slicing.py", "syscalls.py"):
        shutil.copy(Path(__file__).parent / "inside" / name, folder / name)
    (folder / "passwd").write_text(f"student:x:{_inner_user()}:{_inner_user()}::/tmp:/bin/false\n")
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)


def _inner_user() -> int:
    return os.getuid() or _UNPRIVILEGED


def _view(folder: Path, hidden: list[Path]) -> list[str]:
    """Return bubblewrap's arguments for what can be seen inside, all of it read-only."""
    view: list[str] = []
    for path in _SYSTEM:
        if os.path.islink(path):
            view += ["--symlink", os.readlink(path), path]
        elif os.path.isdir(path):
            view += ["--ro-bind", path, path]
    view += ["--dir", "/etc", "--ro-bind", str(folder / "passwd"), "/etc/passwd"]
    for name in _SETTINGS:
        view += ["--ro-bind-try", f"/etc/{name}", f"/etc/{name}"]
    return view + _folders(folder, hidden)


def _shown() -> list[Path]:
    """Return the folders of Python, its packages and the data."""
    shown = [Path(path) for path in _python_folders()]
    return shown + [path for path in _data_folders().values() if path]


def _folders(folder: Path, hidden: list[Path], below: str = "/") -> list[str]:
    """Return bubblewrap's arguments for Python, its packages and the data that lie `below`."""
    shown = [path for path in _shown() if path.is_relative_to(below)]
    view: list[str] = []
    made: set[Path] = set()
    for path in [*shown, folder]:
        for parent in reversed(path.parents):
            if parent not in made and str(parent) != "/" and not str(parent).startswith("/usr"):
                made.add(parent)
                view += ["--dir", str(parent)]
    for path in shown:
        view += ["--ro-bind", str(path), str(path)]
    for path in [*hidden, *_installed_course(shown)]:
        visible = [*shown, Path("/usr")] if below == "/" else shown
        if any(path.is_relative_to(other) for other in visible):
            view += ["--tmpfs", str(path)]
    return view


def _python_folders() -> list[str]:
    prefixes = {sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix}
    found = [path for path in {*prefixes, *_package_folders()} if os.path.isdir(path)]
    tops = [p for p in found if not any(p != q and Path(p).is_relative_to(q) for q in found)]
    return sorted(path for path in tops if not Path(path).is_relative_to("/usr") and path != "/")


def _package_folders() -> list[str]:
    return [path for path in sys.path if path.endswith(("site-packages", "dist-packages"))]


def _installed_course(shown: list[Path]) -> list[Path]:
    package = Path(importlib.util.find_spec("helpers").origin).parent
    return [package] if any(package.is_relative_to(path) for path in [*shown, "/usr"]) else []


def _data_folders() -> dict[str, Path | None]:
    """Return the folders the pages' data comes from, by the variable that names each."""
    named = os.environ.get("WORKBOOK_DATA")
    folders = {
        "WORKBOOK_DATA": Path(named).expanduser().resolve() if named else None,
        "WORKBOOK_CACHE": data.cache_folder().resolve(),
    }
    return {name: path if path and path.is_dir() else None for name, path in folders.items()}


def _environment(folder: Path, walls: bool) -> dict[str, str]:
    one = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    one += ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
    environment = dict.fromkeys(one, "1") | {
        "PATH": "/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "HOME": "/tmp",
        "PYTHONPATH": os.pathsep.join([str(folder), *_package_folders()]),
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONNOUSERSITE": "1",
        "MPLBACKEND": "Agg",
        "MPLCONFIGDIR": "/tmp" if walls else str(folder),
        "KERAS_BACKEND": "tensorflow",
        "KERAS_HOME": "/tmp/.keras",
        "CUDA_VISIBLE_DEVICES": "-1",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "WORKBOOK_OFFLINE": "1",
        "WORKBOOK_CACHE": "/tmp/workbook-cache",
    }
    for name in ("TF_ENABLE_ONEDNN_OPTS", "WORKBOOK_DEBUG"):
        if name in os.environ:
            environment[name] = os.environ[name]
    return environment | {name: str(path) for name, path in _data_folders().items() if path}
