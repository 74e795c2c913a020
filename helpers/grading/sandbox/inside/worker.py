"""The process inside the sandbox: a warm server that forks an isolated worker per submission.

The server imports TensorFlow once and runs no student code. Each worker enters separate namespaces,
drops all privileges, and then answers requests about one notebook. It has no checks, no solutions
and no other student's work; its replies are treated as untrusted data.

Started as `python worker.py SETTINGS` with the control socket's number in the settings.
"""

from __future__ import annotations

import ast
import contextlib
import ctypes
import gc
import importlib
import json
import os
import resource
import select
import shutil
import signal
import socket
import sys
import traceback
import types
from pathlib import Path
from typing import Any

import kernel
import magics
import protocol
import slicing
import syscalls

__all__ = [
    "OutOfTime",
    "main",
]

_NEW_NAMESPACES = 0x00020000 | 0x04000000 | 0x08000000 | 0x10000000 | 0x20000000 | 0x40000000
_MS_PRIVATE = 0x4000 | 0x40000
_MS_TMPFS = 2 | 4
_MS_BIND = 0x1000 | 0x4000
_MS_PROC = 2 | 4 | 8
_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS, _PR_SET_CHILD_SUBREAPER = 1, 38, 36
_CAPABILITIES_3 = 0x20080522
_SHELL = ("IPython.core.inputtransformer2", "IPython.core.interactiveshell")
_libc = ctypes.CDLL(None, use_errno=True)


class OutOfTime(BaseException):
    """The student's code used up its time; not an `Exception`, so few handlers catch it."""


def main() -> None:
    """Warm up, report it, then fork a worker whenever the grader requests one."""
    settings = json.loads(sys.argv[1])
    control = socket.socket(fileno=settings["control"])
    _silence_streams()
    versions = _warm_up(settings["warm"])
    control.send(json.dumps({"ready": versions}).encode())
    worker: _Child | None = None
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, 65536, 1)
        if not message:
            os._exit(0)
        request = json.loads(message)
        if request["do"] == "start":
            worker, problem = _Child.start(
                descriptors[0], request["limits"], settings["namespaces"]
            )
            os.close(descriptors[0])
            control.send(json.dumps({"problem": problem}).encode())
        else:
            control.send(json.dumps({"ended": worker.end() if worker else None}).encode())
            worker = None


def _warm_up(modules: list[str]) -> dict[str, str]:
    """Import what notebooks import; replace the checks of a page by functions without effect."""
    feedback = types.ModuleType("helpers.feedback")
    for name in ("check", "hint", "progress", "solution"):
        setattr(feedback, name, kernel.does_nothing)
    importlib.import_module("helpers")
    sys.modules["helpers.feedback"] = feedback
    _reuse_font_lists()
    versions = {"python": ".".join(map(str, sys.version_info[:3]))}
    for name in [*modules, *(_SHELL if modules else ())]:
        with contextlib.suppress(ImportError):
            module = importlib.import_module(name)
            if "." not in name and hasattr(module, "__version__"):
                versions[name] = str(module.__version__)
    gc.collect()
    gc.freeze()
    return versions


def _reuse_font_lists() -> None:
    """Copy matplotlib's font list to where it is looked for; creating it takes seconds."""
    for path in Path(__file__).parent.glob("fontlist-*.json"):
        with contextlib.suppress(OSError, shutil.SameFileError):
            shutil.copy(path, os.environ.get("MPLCONFIGDIR", "/tmp"))


class _Child:
    """A worker and its guardian, the process between it and the server."""

    def __init__(self, guardian: int, reports: int, worker: int):
        self.guardian, self.reports, self.worker = guardian, reports, worker

    @classmethod
    def start(cls, job: int, limits: dict, namespaces: bool) -> tuple[_Child | None, str]:
        reports, told = os.pipe()
        guardian = os.fork()
        if guardian == 0:
            os.close(reports)
            _guard(job, told, limits, namespaces)
        os.close(told)
        first = os.read(reports, 16).decode()
        if first.strip().isdigit():
            return cls(guardian, reports, int(first)), ""
        problem = first + os.read(reports, 300).decode(errors="replace")
        os.close(reports)
        os.waitpid(guardian, 0)
        return None, problem or "the worker ended before it started"

    def end(self) -> int:
        """Kill the worker if it still runs and return its wait status."""
        if not select.select([self.reports], [], [], 0)[0]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.worker, signal.SIGKILL)
        status = os.read(self.reports, 300).strip()
        os.close(self.reports)
        os.waitpid(self.guardian, 0)
        return int(status) if status.isdigit() else -1


def _guard(job: int, told: int, limits: dict, namespaces: bool) -> None:
    """Create the worker's namespaces, fork it, wait for it and report its end; never return."""
    message = ""
    try:
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if namespaces:
            user, group = os.getuid(), os.getgid()
            _check(_libc.unshare(_NEW_NAMESPACES), "unshare")
            _write("/proc/self/setgroups", "deny")
            _write("/proc/self/uid_map", f"{user} {user} 1")
            _write("/proc/self/gid_map", f"{group} {group} 1")
        else:
            _prctl(_PR_SET_CHILD_SUBREAPER, 1)
        worker = os.fork()
        if worker == 0:
            os.close(told)
            _work(job, limits, namespaces)
        os.close(job)
        os.write(told, str(worker).encode().ljust(16))
        message = str(os.waitpid(worker, 0)[1])
        _end_orphans()
    except BaseException as error:
        message = f"{type(error).__name__}: {error}"[:300]
    finally:
        os.write(told, message.encode().ljust(16))
        os._exit(0)


def _end_orphans() -> None:
    """Kill what a worker without its own process namespace left behind."""
    for _ in range(1000):
        try:
            children = _read(f"/proc/self/task/{os.getpid()}/children").split()
        except OSError:
            children = []
        for child in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(child), signal.SIGKILL)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def _work(job: int, limits: dict, namespaces: bool) -> None:
    """Isolate this process, then answer requests until the grader disconnects; never return."""
    code = 1
    try:
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        os.dup2(job, 3)
        os.closerange(4, 4096)
        if namespaces:
            _own_view_of_the_system(limits["files_bytes"], limits["below_tmp"])
        _limit_resources(limits)
        _give_up_rights()
        if namespaces:
            syscalls.close_rare_calls()
        home = "/tmp/home" if namespaces else limits["home"]
        os.makedirs(home, exist_ok=True)
        os.chdir(home)
        os.environ.update(HOME=home, TMPDIR=home, MPLCONFIGDIR=home)
        _Session(socket.socket(fileno=3), limits).serve()
        code = 0
    except (protocol.WireError, OSError, SystemExit, MemoryError):
        pass
    finally:
        os._exit(code)


def _own_view_of_the_system(size: int, below_tmp: list[str]) -> None:
    _libc.mount.argtypes = [ctypes.c_char_p] * 3 + [ctypes.c_ulong, ctypes.c_char_p]
    room = f"size={size},mode=0755,nr_inodes=50000".encode()
    # Python or its packages may be below /tmp: keep them open here, and mount them there again.
    kept = {path: os.open(path, os.O_PATH) for path in below_tmp}
    _check(_libc.mount(b"none", b"/", None, _MS_PRIVATE, None), "mount /")
    _check(_libc.mount(b"proc", b"/proc", b"proc", _MS_PROC, None), "mount /proc")
    _check(_libc.mount(b"tmpfs", b"/tmp", b"tmpfs", _MS_TMPFS, room), "mount /tmp")
    for path, held in kept.items():
        os.makedirs(path)
        source = f"/proc/self/fd/{held}".encode()
        _check(_libc.mount(source, path.encode(), None, _MS_BIND, None), "mount below /tmp")
        os.close(held)
    for place in (b"/dev/shm", b"/dev/pts"):
        if os.path.isdir(place):
            _check(_libc.mount(b"tmpfs", place, b"tmpfs", _MS_TMPFS, b"size=64m"), "mount /dev")
    with contextlib.suppress(OSError):
        _write("/proc/sys/user/max_user_namespaces", "0")


def _limit_resources(limits: dict) -> None:
    used = int(_read("/proc/self/statm").split()[0]) * resource.getpagesize()
    wanted = {
        resource.RLIMIT_AS: used + limits["memory_bytes"] + 2**31,
        resource.RLIMIT_CPU: limits["notebook_seconds"] * 4,
        resource.RLIMIT_NPROC: limits["processes"],
        resource.RLIMIT_NOFILE: limits["open_files"],
        resource.RLIMIT_FSIZE: limits["files_bytes"],
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_MEMLOCK: 2**20,
    }
    for kind, value in wanted.items():
        if kind == resource.RLIMIT_NPROC and not limits["own_process_count"]:
            continue
        hard = resource.getrlimit(kind)[1]
        value = int(value) if hard == resource.RLIM_INFINITY else min(int(value), hard)
        resource.setrlimit(kind, (value, value))
    with contextlib.suppress(OSError):
        _write("/proc/self/oom_score_adj", "1000")


def _give_up_rights() -> None:
    class Header(ctypes.Structure):
        _fields_ = [("version", ctypes.c_uint32), ("pid", ctypes.c_int)]

    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    none = (ctypes.c_uint32 * 6)()
    _check(_libc.capset(ctypes.byref(Header(_CAPABILITIES_3, 0)), none), "capset")


class _Session:
    """One notebook: runs the cells that its answers need and answers requests about them."""

    def __init__(self, connection: socket.socket, limits: dict):
        self.connection = connection
        self.limits = limits
        self.process = os.getpid()
        self.turn = 0
        self.kernel = kernel.Kernel()
        self.cells: list[slicing.Cell] = []
        self.skip: set[int] = set()
        self.ran: set[int] = set()
        self.failed: dict[int, dict] = {}
        self.exercises: list[dict] = []
        self.features: list[set[str]] = []
        self.order: list[int] = []
        self.answers: dict[str, Any] = {}
        self.kept: list[Any] = []

    def serve(self) -> None:
        """Answer requests, each a dictionary with "do", until the grader disconnects."""
        signal.signal(signal.SIGALRM, _out_of_time)
        signal.signal(signal.SIGPROF, _out_of_time)
        while True:
            request = protocol.receive(self.connection, self._kept_object)
            _stop_clocks()
            self.turn = request.pop("turn")
            try:
                reply = {"ok": getattr(self, "do_" + request.pop("do"))(**request)}
            except BaseException as error:
                reply = self._failure(error)
            self._reply(reply)

    def _reply(self, reply: dict) -> None:
        if os.getpid() != self.process:
            os._exit(0)
        try:
            message = protocol.encode(reply | {"turn": self.turn}, self._keep)
        except BaseException as error:
            message = protocol.encode(self._failure(error) | {"turn": self.turn})
        self.connection.sendall(message)

    def do_load(
        self,
        cells: list,
        exercises: list,
        skip: list,
        everything: bool,
        order: list | None = None,
        files: dict | None = None,
        replaced: dict | None = None,
    ) -> list:
        """Load a notebook's code cells and the exercises to look for; return the plan of each.

        Args:
            cells: Sources of the code cells.
            exercises: For each, "id", "names", "may_change_input" and "at_end".
            skip: Cells that must not run.
            everything: Whether to run every cell, not only those that answers need.
            order: Cells in the order in which to run them; None for notebook order.
            files: Content of the files next to the notebook, by name.
            replaced: "names" that only the cells "given" may define.
        """
        self.cells = slicing.read_cells(cells, magics.parse)
        self.skip, self.exercises = set(skip), exercises
        self.features = kernel.future_features(cell.tree for cell in self.cells)
        if replaced:
            slicing.without(self.cells, set(replaced["names"]), set(replaced["given"]))
        slicing.without_stubs(self.cells, {name for plan in exercises for name in plan["names"]})
        count = len(self.cells)
        needed: set[int] = set()
        for plan in exercises:
            self._plan(plan)
            needed |= set(range(count)) if everything else plan["cells"]
        listed = order if everything and order else range(count)
        self.order = [index for index in listed if index in needed]
        content = {name: bytes(data) for name, data in (files or {}).items()}
        self.kernel.prepare("\n".join(cells), content)
        keys = ("id", "end", "call", "later", "source", "written")
        return [{key: plan[key] for key in keys} for plan in exercises]

    def _plan(self, plan: dict) -> None:
        """Add to a plan where the answer ends, what it needs and what its check names."""
        names = plan["names"]
        plan["end"], answers = slicing.anchor(self.cells, plan["id"], names)
        if plan["at_end"]:
            plan["end"] = len(self.cells)
        plan["call"] = answers if len(answers) == len(names) and answers != names else []
        touching = [k for k, c in enumerate(self.cells) if set(names) & c.touches]
        plan["later"] = bool(touching) and touching[-1] >= plan["end"]
        wanted = set(names)
        for answer in plan["call"]:
            wanted |= {n.id for n in ast.walk(ast.parse(answer)) if isinstance(n, ast.Name)}
        plan["cells"] = slicing.needed_cells(self.cells, wanted, plan["end"])
        plan["source"] = [k for k in touching if k < plan["end"]] or touching
        plan["written"] = slicing.is_written(self.cells, names)

    def do_reach(self, number: int, other: bool, again: bool = False) -> dict:
        """Run the needed cells up to where exercise `number` is answered; report its answers.

        Args:
            number: Index of the exercise in the list given to `load`.
            other: Whether to take the other candidate, if both a name and the student's check
                call give an answer.
            again: Whether to run cells again that lacked a name, which others may have defined.
        """
        plan = self.exercises[number]
        if again:
            lacking = {k for k, error in self.failed.items() if error["kind"] == "NameError"}
            self.ran -= lacking
            self.failed = {k: self.failed[k] for k in self.failed if k not in lacking}
        for index in self.order:
            if index < plan["end"] and index not in self.ran and index not in self.skip:
                self._run(index)
        self.kept.clear()
        self.answers, missing = {}, []
        for place, name in enumerate(plan["names"]):
            try:
                self.answers[name] = self._answer(plan, place, other)
            except Exception:
                missing.append(name)
                self.answers[name] = None
        local = importlib.import_module("helpers.answers").LocalAnswer
        targets = dict(self.answers)
        for name, target in targets.items():
            self.answers[name] = local(name, target, targets, plan["may_change_input"])
        failures = [
            {"cell": k, **self.failed[k]}
            for k in sorted(self.failed)
            if k in plan["cells"] or k in plan["source"]
        ]
        waiting = [
            cell
            for index, cell in enumerate(self.cells[: plan["end"]])
            if index not in self.ran and not cell.checks
        ]
        elsewhere = any(name in cell.source for name in missing for cell in waiting)
        lacking = any(f["kind"] in ("NameError", "FileNotFoundError") for f in failures)
        return {
            "missing": missing,
            "failures": failures,
            "elsewhere": elsewhere or (bool(waiting) and lacking),
        }

    def _answer(self, plan: dict, place: int, other: bool) -> Any:
        """Return the answer for one name, of up to two candidates.

        A function that the student passes to `check` is the answer. Other answers are taken from
        the variable of the exercise's name, or from the call of `check` if that is empty.

        Args:
            plan: The exercise.
            place: Index of the name.
            other: Whether to take the other candidate, if there are two.
        """
        name, names = plan["names"][place], self.kernel.names
        found = [] if _is_empty(names.get(name)) else [names[name]]
        if plan["call"]:
            with contextlib.suppress(Exception):
                named = eval(plan["call"][place], names)
                is_first = callable(named) and all(map(callable, found))
                found.insert(0 if is_first else len(found), named)
        return found[min(int(other), len(found) - 1)] if found else names[name]

    def _run(self, index: int) -> None:
        self.ran.add(index)
        cell = self.cells[index]
        protocol.send(self.connection, {"cell": index, "turn": self.turn})
        self.kernel.features = self.features[index]
        try:
            if cell.error is not None:
                raise cell.error
            with self._time("cell_seconds"):
                error = self.kernel.run(f"cell {index + 1}", cell.source, cell.tree)
        except BaseException as raised:
            error = raised
        if error is not None:
            self.failed[index] = self._failure(error)["error"]

    def do_value(self, name: str) -> Any:
        """Return the plain value of an answer."""
        return self.answers[name].value

    def do_call(self, name: str, args: list, kwargs: dict) -> Any:
        """Call an answer."""
        with self._time("call_seconds"):
            return self.answers[name](*args, **kwargs)

    def do_evaluate(self, name: str, source: str, inputs: dict) -> Any:
        """Run statements in the namespace of the answers."""
        with self._time("call_seconds"):
            return self.answers[name].evaluate(source, **inputs)

    def do_model(self, model: Any, what: str, args: list) -> Any:
        """Perform one of the operations that a check may use on a model."""
        with self._time("call_seconds"):
            found = getattr(model, what)
            return found(*args) if what in ("predict", "set_weights") else found

    @contextlib.contextmanager
    def _time(self, limit: str):
        """Raise `OutOfTime` in the block after its CPU time, or a longer wall-clock time."""
        seconds = self.limits[limit]
        signal.setitimer(signal.ITIMER_PROF, seconds)
        signal.setitimer(signal.ITIMER_REAL, seconds * self.limits["patience"])
        try:
            yield
        finally:
            _stop_clocks()

    def _failure(self, error: BaseException) -> dict:
        answers = importlib.import_module("helpers.answers")
        if isinstance(error, answers.AnswerChangedInput | answers.AnswerNotCallable):
            return {type(error).__name__: str(error)[:500]}
        if isinstance(error, answers.AnswerError):
            found = error
        else:
            try:
                found = answers.answer_error(error)
                if isinstance(error, OutOfTime):
                    found.line = _line_in_a_cell(error)
            except BaseException:
                found = answers.AnswerError(type(error).__name__[:80], "")
        return {
            "error": {
                "kind": str(found.kind)[:80],
                "message": str(found.message)[:500],
                "line": str(found.line)[:300],
                "bases": [str(base)[:80] for base in found.bases][:20],
            }
        }

    def _keep(self, value: Any) -> int:
        if len(self.kept) > 10_000:
            raise protocol.WireError("More than 10,000 objects were returned.")
        self.kept.append(value)
        return len(self.kept) - 1

    def _kept_object(self, kind: str, number: int, name: str) -> Any:
        return self.kept[number]


def _line_in_a_cell(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if frame.filename.startswith("cell ")]
    return f"line {own[-1].lineno}: {own[-1].line}" if own else ""


def _is_empty(value: Any) -> bool:
    return value is None or value is Ellipsis


def _stop_clocks() -> None:
    for clock in (signal.ITIMER_PROF, signal.ITIMER_REAL):
        signal.setitimer(clock, 0)


def _out_of_time(signum: int, frame: Any) -> None:
    raise OutOfTime("the time limit was reached")


def _silence_streams() -> None:
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1) if os.environ.get("WORKBOOK_DEBUG") else (0, 1, 2):
        os.dup2(nowhere, stream)


def _prctl(option: int, value: int) -> None:
    _check(_libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0), "prctl")


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def _read(path: str) -> str:
    with open(path) as file:
        return file.read()


def _write(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)


if __name__ == "__main__":
    main()
