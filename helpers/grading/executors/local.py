"""Grader processes: each grades one submission at a time and may be killed without loss.

`python -m helpers.grading.executors.local` reads tasks from its standard input and writes results
to its standard output, each as a length and JSON. The checks run in this process; students' code
runs in its sandbox.
"""

from __future__ import annotations

import base64
import contextlib
import importlib
import json
import os
import selectors
import struct
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from helpers.grading.executors import MachineError, Result, Task
from helpers.grading.sandbox import WARM, ForkServer, SandboxError
from helpers.grading.sandbox.limits import Limits
from helpers.grading.submitted_notebook import Notebook

__all__ = ["GraderProcess", "LocalExecutor", "grade_task", "main"]

_LENGTH = struct.Struct("<Q")
_MORE_SECONDS = 300.0
_NO_SANDBOX = "The sandbox does not work"
_server: tuple[Any, ForkServer] | None = None


def grade_task(task: dict) -> dict:
    """Grade one submission; the same task gives the same result in every process.

    Args:
        task: As `Task.load` returns it.

    Returns:
        "exercises", "seconds" and "versions", or "fatal" with what is missing on this system.
    """
    from helpers.grading.grade import grade_notebook

    settings = task["settings"]
    exercises = importlib.import_module(settings["course"]).exercises_of(task["chapter"])
    notebook = _notebook(task)
    try:
        server = _warm_server(settings)
        began = time.monotonic()
        results = grade_notebook(
            notebook,
            exercises,
            server,
            Limits(**settings["limits"]),
            settings["seed"],
            settings.get("released"),
        )
    except SandboxError as error:
        return {"fatal": f"{_NO_SANDBOX}: {error}"}
    return {
        "exercises": results,
        "seconds": round(time.monotonic() - began, 3),
        "versions": server.versions,
    }


def _notebook(task: dict) -> Notebook:
    return Notebook(
        task["code"],
        [tuple(text) for text in task["texts"]],
        counts=task.get("counts", []),
        attachments={
            name: base64.b64decode(content) for name, content in task.get("attachments", {}).items()
        },
    )


def _warm_server(settings: dict) -> ForkServer:
    global _server
    key = (settings["walls"], tuple(settings["warm"] or WARM), tuple(settings["hidden"]))
    if _server is None or _server[0] != key:
        if _server is not None:
            _server[1].close()
        _server = (key, ForkServer(*key))
        _server[1].start()
    return _server[1]


class GraderProcess:
    """A grader process, controlled from the main process.

    Args:
        log: File for the stderr of the process.
    """

    def __init__(self, log: Path | None = None):
        environment = dict(os.environ)
        root = str(Path(__file__).resolve().parents[3])
        paths = [root, environment.get("PYTHONPATH", "")]
        environment["PYTHONPATH"] = os.pathsep.join(path for path in paths if path)
        environment.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        environment.setdefault("CUDA_VISIBLE_DEVICES", "-1")
        errors = open(log, "ab") if log else subprocess.DEVNULL
        self._process = subprocess.Popen(
            [sys.executable, "-m", "helpers.grading.executors.local"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=environment,
        )
        if log:
            errors.close()
        self.output = self._process.stdout

    def submit(self, task: dict) -> None:
        """Send a task; `result` returns its result."""
        _write(self._process.stdin, task)

    def result(self) -> dict:
        """Return the result of the task.

        Raises:
            EOFError: If the process died.
        """
        return _read(self.output)

    def close(self, busy: bool = False) -> None:
        """End the process and its sandbox, immediately if it is busy."""
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(0.0 if busy else 5.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self.output.close()


class LocalExecutor:
    """Grades in several processes on this machine; a task whose process dies is retried once.

    Args:
        processes: Number of grader processes.
        log: File for their stderr.
    """

    def __init__(self, processes: int, log: Path | None = None):
        self.processes, self.log = processes, log

    def run(self, tasks: Iterable[Task]) -> Iterator[tuple[Task, Result]]:
        """Yield each task with its result, in no particular order.

        Raises:
            MachineError: If the sandbox does not work here.
        """
        left, again = iter(tasks), []
        running: dict[GraderProcess, tuple[Task, int, float]] = {}
        idle: list[GraderProcess] = []
        selector = selectors.DefaultSelector()
        try:
            while True:
                while len(running) < self.processes:
                    task, tries = again.pop() if again else (next(left, None), 0)
                    if task is None:
                        break
                    grader = idle.pop() if idle else GraderProcess(self.log)
                    running[grader] = (task, tries, time.monotonic() + _most_seconds(task))
                    selector.register(grader.output, selectors.EVENT_READ, grader)
                    with contextlib.suppress(OSError):
                        grader.submit(task.load())
                if not running:
                    return
                ready = {key.data for key, _ in selector.select(1.0)}
                for grader, (task, tries, deadline) in list(running.items()):
                    if grader not in ready and time.monotonic() < deadline:
                        continue
                    selector.unregister(grader.output)
                    del running[grader]
                    result = _result_of(grader, grader in ready)
                    if not result.failure:
                        idle.append(grader)
                        yield task, result
                    else:
                        grader.close(busy=True)
                        if tries == 0:
                            again.append((task, 1))
                        elif result.failure.startswith(_NO_SANDBOX):
                            raise MachineError(result.failure)
                        else:
                            yield task, result
        finally:
            for grader in [*running, *idle]:
                grader.close(busy=grader in running)
            selector.close()


def _most_seconds(task: Task) -> float:
    limits = Limits(**task.settings["limits"])
    return limits.notebook_seconds * limits.patience + _MORE_SECONDS


def _result_of(grader: GraderProcess, is_ready: bool) -> Result:
    try:
        if not is_ready:
            raise EOFError("too long")
        return Result.told(grader.result())
    except (EOFError, OSError, ValueError):
        return Result(failure="The grader process died twice on this notebook.")


def main() -> None:
    """Serve tasks until the standard input ends."""
    output = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    try:
        while True:
            task = _read(sys.stdin.buffer)
            try:
                result = grade_task(task)
            except Exception as error:
                traceback.print_exc()
                result = {"error": f"The grader stopped ({type(error).__name__}: {error})."[:500]}
            _write(output, result)
    except (EOFError, BrokenPipeError):
        pass
    finally:
        if _server is not None:
            _server[1].close()


def _end_with(parent: int) -> None:
    """End this process when its parent has ended."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def _write(stream: BinaryIO, content: dict) -> None:
    data = json.dumps(content).encode("ascii")
    stream.write(_LENGTH.pack(len(data)) + data)
    stream.flush()


def _read(stream: BinaryIO) -> dict:
    head = stream.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        raise EOFError("the other process has ended")
    size = _LENGTH.unpack(head)[0]
    data = stream.read(size)
    if len(data) < size:
        raise EOFError("the other process has ended")
    return json.loads(data)


if __name__ == "__main__":
    main()
