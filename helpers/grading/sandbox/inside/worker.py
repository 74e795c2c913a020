"""What runs inside the sandbox: a warm server that forks one isolated worker for each submission.

The server imports TensorFlow once and runs no student code. Each worker shuts itself into its own
namespaces, gives up every right it has, and then answers questions about one notebook. It holds no
check, no solution and no other student's work; what it says is data to whoever asks.

Started as `python worker.py SETTINGS` with the control socket's number in the settings.
"""

from __future__ import annotations

import ast
import builtins
import contextlib
import ctypes
import gc
import importlib
import io
import json
import linecache
import os
import random
import resource
import select
import signal
import socket
import sys
import traceback
import types
from typing import Any

import protocol
import slicing
import syscalls

_NEW_NAMESPACES = 0x00020000 | 0x04000000 | 0x08000000 | 0x10000000 | 0x20000000 | 0x40000000
_MS_PRIVATE = 0x4000 | 0x40000
_MS_TMPFS = 2 | 4
_MS_BIND = 0x1000 | 0x4000
_MS_PROC = 2 | 4 | 8
_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS, _PR_SET_CHILD_SUBREAPER = 1, 38, 36
_CAPABILITIES_3 = 0x20080522
_libc = ctypes.CDLL(None, use_errno=True)


class OutOfTime(BaseException):
    """The student's code used up its time; not an `Exception`, so few handlers catch it."""


def main() -> None:
    """Warm up, say so, then fork a worker whenever the grader asks for one."""
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
    """Import what notebooks import; hide the page's own checks behind calls that do nothing."""
    feedback = types.ModuleType("helpers.feedback")
    for name in ("check", "hint", "progress", "solution"):
        setattr(feedback, name, _does_nothing)
    importlib.import_module("helpers")
    sys.modules["helpers.feedback"] = feedback
    versions = {"python": ".".join(map(str, sys.version_info[:3]))}
    for name in modules:
        with contextlib.suppress(ImportError):
            module = importlib.import_module(name)
            if "." not in name and hasattr(module, "__version__"):
                versions[name] = str(module.__version__)
    gc.collect()
    gc.freeze()
    return versions


def _does_nothing(*arguments: Any, **named: Any) -> None:
    """Stand in for check, hint, progress and solution: grading asks its own questions."""


class _Child:
    """A worker and the process between it and the server, which outlives it by a moment."""

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
        return None, problem or "the worker ended before it began"

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
    """Open the worker's namespaces, fork it, wait for it and tell how it ended; never return."""
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
    """Shut this process in, then answer questions until the grader hangs up; never return."""
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
    # Python or its packages may lie below /tmp: they are held open here and shown again there.
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
    """One notebook: runs the cells that answers need and answers questions about the answers."""

    def __init__(self, connection: socket.socket, limits: dict):
        self.connection = connection
        self.limits = limits
        self.process = os.getpid()
        self.turn = 0
        self.module = types.ModuleType("__main__")
        self.cells: list[slicing.Cell] = []
        self.skip: set[int] = set()
        self.ran: set[int] = set()
        self.failed: dict[int, dict] = {}
        self.exercises: list[dict] = []
        self.union: set[int] = set()
        self.answers: dict[str, Any] = {}
        self.kept: list[Any] = []

    def serve(self) -> None:
        """Answer requests, each a dictionary with "do", until the grader hangs up."""
        signal.signal(signal.SIGALRM, _out_of_time)
        while True:
            request = protocol.receive(self.connection, self._kept_object)
            signal.setitimer(signal.ITIMER_REAL, 0)
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

    def do_load(self, cells: list, exercises: list, skip: list, everything: bool) -> list:
        """Take a notebook's code cells and the exercises to look for; return the plan of each."""
        self.cells = slicing.read_cells(cells)
        self.skip, self.exercises = set(skip), exercises
        count = len(self.cells)
        for plan in exercises:
            names = plan["names"]
            plan["end"], answers = slicing.anchor(self.cells, plan["id"], names)
            if plan["at_end"]:
                plan["end"] = count
            plan["call"] = answers if len(answers) == len(names) and answers != names else []
            touching = [k for k, c in enumerate(self.cells) if set(names) & c.touches]
            plan["later"] = bool(touching) and touching[-1] >= plan["end"]
            wanted = set(names)
            for answer in plan["call"]:
                wanted |= {n.id for n in ast.walk(ast.parse(answer)) if isinstance(n, ast.Name)}
            plan["cells"] = slicing.needed_cells(self.cells, wanted, plan["end"])
            plan["source"] = [k for k in touching if k < plan["end"]] or touching
        for plan in exercises:
            self.union |= set(range(count)) if everything else plan["cells"]
        self._prepare(cells)
        keys = ("id", "end", "call", "later", "source")
        return [{key: plan[key] for key in keys} for plan in exercises]

    def _prepare(self, cells: list[str]) -> None:
        text = "\n".join(cells)
        self.module.__dict__.update(
            __builtins__=builtins,
            display=_does_nothing,
            get_ipython=lambda: _Shell(),
            check=_does_nothing,
            hint=_does_nothing,
            progress=_does_nothing,
            solution=_does_nothing,
        )
        sys.modules["__main__"] = self.module
        random.seed(0)
        sys.modules["numpy"].random.seed(0)
        if "tensorflow" in sys.modules and ("tensorflow" in text or "keras" in text):
            sys.modules["tensorflow"].random.set_seed(0)

    def do_reach(self, number: int, call: bool) -> dict:
        """Run the needed cells up to where exercise `number` is answered; say what is there.

        Args:
            number: Place of the exercise in the list that `load` got.
            call: Whether the student's own check call says what the answers are.
        """
        plan = self.exercises[number]
        for index in sorted(self.union):
            if index < plan["end"] and index not in self.ran and index not in self.skip:
                self._run(index)
        self.kept.clear()
        space = self.module.__dict__
        self.answers, missing = {}, []
        for place, name in enumerate(plan["names"]):
            try:
                if call:
                    self.answers[name] = eval(plan["call"][place], space)
                else:
                    self.answers[name] = space[name]
            except Exception:
                missing.append(name)
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
        elsewhere |= bool(waiting) and any(f["kind"] == "NameError" for f in failures)
        return {"missing": missing, "failures": failures, "elsewhere": elsewhere}

    def _run(self, index: int) -> None:
        self.ran.add(index)
        cell = self.cells[index]
        protocol.send(self.connection, {"cell": index, "turn": self.turn})
        name = f"cell {index + 1}"
        linecache.cache[name] = (len(cell.source), None, cell.source.splitlines(True), name)
        try:
            if cell.error is not None:
                raise cell.error
            with self._time("cell_seconds"), contextlib.redirect_stdout(io.StringIO()):
                flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
                program = compile(cell.tree, name, "exec", flags=flags, dont_inherit=True)
                result = eval(program, self.module.__dict__)
                if hasattr(result, "__await__"):
                    importlib.import_module("asyncio").run(result)
        except BaseException as error:
            self.failed[index] = self._failure(error)["error"]

    def do_value(self, name: str) -> Any:
        """Return the plain value of an answer."""
        return self.answers[name].value

    def do_call(self, name: str, args: list, kwargs: dict) -> Any:
        """Call an answer."""
        with self._time("call_seconds"):
            return self.answers[name](*args, **kwargs)

    def do_evaluate(self, name: str, source: str, inputs: dict) -> Any:
        """Run statements beside the answers."""
        with self._time("call_seconds"):
            return self.answers[name].evaluate(source, **inputs)

    def do_model(self, model: Any, what: str, args: list) -> Any:
        """Use one of the few things a check may do with a model."""
        with self._time("call_seconds"):
            found = getattr(model, what)
            return found(*args) if what in ("predict", "set_weights") else found

    @contextlib.contextmanager
    def _time(self, limit: str):
        signal.setitimer(signal.ITIMER_REAL, self.limits[limit])
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)

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
            raise protocol.WireError("More than 10,000 objects came back.")
        self.kept.append(value)
        return len(self.kept) - 1

    def _kept_object(self, kind: str, number: int, name: str) -> Any:
        return self.kept[number]


def _line_in_a_cell(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if frame.filename.startswith("cell ")]
    return f"line {own[-1].lineno}: {own[-1].line}" if own else ""


class _Shell:
    """Stand in for IPython: every attribute is a call that does nothing."""

    def __getattr__(self, name: str) -> Any:
        return _does_nothing


def _out_of_time(signum: int, frame: Any) -> None:
    raise OutOfTime("the time is over")


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
