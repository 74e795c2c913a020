"""Grader processes: each grades one submission at a time and may be killed without loss.

`python -m helpers.grading.local` reads tasks from its standard input and writes results to its
standard output, each a length and JSON. The checks run in it; students' code runs in its sandbox.
"""

from __future__ import annotations

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
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, BinaryIO

from helpers.grading.sandbox import WARM, ForkServer, SandboxError
from helpers.grading.sandbox.limits import Limits
from helpers.grading.submitted_notebook import Notebook

_LENGTH = struct.Struct("<Q")
_MORE_SECONDS = 300.0
_server: tuple[Any, ForkServer] | None = None


def grade_task(task: dict) -> dict:
    """Grade one submission; the same task gives the same result in every process.

    Args:
        task: "code", "texts", "chapter" and the run's "settings".

    Returns:
        "exercises" and "seconds", or "fatal" with what is missing on this system.
    """
    from helpers.grading.grade import grade_notebook

    settings = task["settings"]
    exercises = importlib.import_module(settings["course"]).exercises_of(task["chapter"])
    notebook = Notebook(task["code"], [tuple(text) for text in task["texts"]])
    try:
        server = _warm_server(settings)
        began = time.monotonic()
        results = grade_notebook(
            notebook, exercises, server, Limits(**settings["limits"]), settings["seed"]
        )
    except SandboxError as error:
        return {"fatal": f"The sandbox does not work: {error}"}
    return {
        "exercises": results,
        "seconds": round(time.monotonic() - began, 3),
        "versions": server.versions,
    }


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
    """A grader process seen from the one that hands out the work.

    Args:
        log: File that gets what the process writes to stderr.
    """

    def __init__(self, log: Path | None = None):
        environment = dict(os.environ)
        root = str(Path(__file__).resolve().parents[2])
        paths = [root, environment.get("PYTHONPATH", "")]
        environment["PYTHONPATH"] = os.pathsep.join(path for path in paths if path)
        environment.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        environment.setdefault("CUDA_VISIBLE_DEVICES", "-1")
        errors = open(log, "ab") if log else subprocess.DEVNULL
        self._process = subprocess.Popen(
            [sys.executable, "-m", "helpers.grading.local"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=environment,
        )
        if log:
            errors.close()
        self.output = self._process.stdout

    def submit(self, task: dict) -> None:
        """Hand over a task; the result comes with `result`."""
        _write(self._process.stdin, task)

    def result(self) -> dict:
        """Return the result of the task.

        Raises:
            EOFError: If the process died.
        """
        return _read(self.output)

    def close(self, busy: bool = False) -> None:
        """End the process, at once if it is busy; its sandbox goes with it."""
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(0.0 if busy else 5.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self.output.close()


def grade_all(
    tasks: Iterable[dict],
    done: Callable[[dict, dict], None],
    *,
    processes: int,
    log: Path | None = None,
) -> None:
    """Grade tasks in several processes; a task whose process dies is tried once more.

    Args:
        tasks: As for `grade_task`.
        done: Called with each task and its result, in no particular order.
        processes: Grader processes at once.
        log: File for what they write to stderr.

    Raises:
        ValueError: If the sandbox does not work here.
    """
    waiting = [(task, 0) for task in tasks][::-1]
    running: dict[GraderProcess, tuple[dict, int, float]] = {}
    idle: list[GraderProcess] = []
    selector = selectors.DefaultSelector()
    try:
        while waiting or running:
            while waiting and len(running) < processes:
                task, tries = waiting.pop()
                grader = idle.pop() if idle else GraderProcess(log)
                limits = Limits(**task["settings"]["limits"])
                deadline = time.monotonic() + limits.notebook_seconds + _MORE_SECONDS
                running[grader] = (task, tries, deadline)
                selector.register(grader.output, selectors.EVENT_READ, grader)
                try:
                    grader.submit(task)
                except OSError:
                    continue
            ready = {key.data for key, _ in selector.select(1.0)}
            now = time.monotonic()
            for grader, (task, tries, deadline) in list(running.items()):
                if grader not in ready and now < deadline:
                    continue
                selector.unregister(grader.output)
                del running[grader]
                try:
                    if grader not in ready:
                        raise EOFError("too long")
                    result = grader.result()
                    idle.append(grader)
                except (EOFError, OSError, ValueError):
                    grader.close(busy=True)
                    if tries == 0:
                        waiting.append((task, 1))
                        continue
                    result = {"error": "The grader stopped twice on this notebook."}
                if "fatal" in result:
                    raise ValueError(result["fatal"])
                done(task, result)
    finally:
        for grader in [*running, *idle]:
            grader.close(busy=grader in running)


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
    """End this process soon after its parent."""
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
        raise EOFError("the other end is gone")
    size = _LENGTH.unpack(head)[0]
    data = stream.read(size)
    if len(data) < size:
        raise EOFError("the other end is gone")
    return json.loads(data)


if __name__ == "__main__":
    main()
