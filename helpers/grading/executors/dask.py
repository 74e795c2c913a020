"""Grade on a Dask cluster, with the same tasks, grader processes and results."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from helpers.grading.executors import MachineError, Result, Task
from helpers.grading.executors.local import GraderProcess

__all__ = ["DaskExecutor", "grade_there"]

_TRIES = 3
_ANSWER_SECONDS = 10
_AT_ONCE = 4
_here = threading.local()


def grade_there(task: dict) -> dict:
    """Grade one submission on a machine of the cluster, in this thread's grader process."""
    from distributed import get_worker

    where = {"worker": get_worker().address}
    for _ in range(2):
        if getattr(_here, "grader", None) is None:
            _here.grader = GraderProcess()
        try:
            _here.grader.submit(task)
            return _here.grader.result() | where
        except (EOFError, OSError, ValueError):
            _here.grader.close(busy=True)
            _here.grader = None
    return {"error": "The grader process died twice on this notebook."} | where


def _missing_there(walls: bool) -> str:
    """Return why this machine of the cluster cannot grade, "" if it can."""
    from helpers.grading import sandbox

    return sandbox.missing() if walls else ""


class DaskExecutor:
    """Grades on a cluster; the tasks of a machine that fails or cannot grade go to another.

    Args:
        address: Address of the scheduler, for example "tcp://10.0.0.1:8786".
        say: Called with a message about each machine that is not used.
    """

    def __init__(self, address: str, say: Callable[[str], None] = lambda text: None):
        self.address, self.say = address, say
        self._unfit: set[str] = set()

    def run(self, tasks: Iterable[Task]) -> Iterator[tuple[Task, Result]]:
        """Yield each task with its result, in no particular order.

        Raises:
            ValueError: If Dask is not installed or the address is invalid.
            MachineError: If the scheduler does not answer or is lost, or no machine can grade.
        """
        try:
            from distributed import Client
        except ImportError:
            raise ValueError(
                "--scheduler needs Dask: install the extra `cluster` (pip install '.[cluster]')."
            ) from None
        _check_address(self.address)
        try:
            client = Client(self.address, timeout=_ANSWER_SECONDS, set_as_default=False)
        except (OSError, ValueError) as error:
            raise MachineError(f"No Dask scheduler answers at {self.address}: {error}.") from error
        try:
            yield from self._run(client, iter(tasks))
        finally:
            with contextlib.suppress(Exception):
                client.close(timeout=2)

    def _run(self, client: Any, tasks: Iterator[Task]) -> Iterator[tuple[Task, Result]]:
        first = next(tasks, None)
        if first is None:
            return
        self._leave_out_the_unfit(client, first.settings["walls"])
        from distributed import as_completed

        waiting = as_completed(loop=client.loop)
        running: dict[str, tuple[Task, int]] = {}

        def submit(task: Task, tries: int) -> None:
            key = f"grade-{task.key}-{tries}"
            running[key] = (task, tries)
            allowed = self._fit(client) if self._unfit else None
            waiting.add(
                client.submit(
                    grade_there, task.load(), key=key, pure=False, retries=_TRIES, workers=allowed
                )
            )

        submit(first, 0)
        while running:
            for task in _few(tasks, self._room(client) - len(running)):
                submit(task, 0)
            future = self._next(client, waiting)
            task, tries = running.pop(future.key)
            if future.status == "finished":
                reply = future.result()
            elif client.status != "running" or future.status == "cancelled":
                raise MachineError(self._gone())
            else:
                reply = {"error": f"The cluster gave up on this notebook ({future.exception()!r})."}
            future.release()
            result = Result.told(reply)
            if "fatal" in reply:
                self._leave_out(reply["worker"], reply["fatal"])
            if result.failure and tries < _TRIES - 1:
                submit(task, tries + 1)
            else:
                yield task, result

    def _leave_out_the_unfit(self, client: Any, walls: bool) -> None:
        try:
            client.wait_for_workers(1, timeout=_ANSWER_SECONDS)
            problems = client.run(_missing_there, walls, on_error="return")
        except Exception as error:
            raise MachineError(f"The cluster at {self.address} fails: {error}.") from error
        for address, problem in problems.items():
            if problem:
                self._leave_out(address, str(problem))
        self._fit(client)

    def _leave_out(self, worker: str, problem: str) -> None:
        if worker not in self._unfit:
            self._unfit.add(worker)
            self.say(f"The machine {worker} cannot grade and is not used: {problem}")

    def _fit(self, client: Any) -> list[str]:
        workers = self._workers(client)
        fit = [worker for worker in workers if worker not in self._unfit]
        if workers and not fit:
            raise MachineError(
                f"No machine of the cluster at {self.address} can grade: all {len(workers)} lack "
                "the sandbox. Install the package bubblewrap there."
            )
        return fit

    def _room(self, client: Any) -> int:
        return max(2, _AT_ONCE * len(self._workers(client)))

    def _workers(self, client: Any) -> list[str]:
        try:
            return list(client.scheduler_info(n_workers=-1)["workers"])
        except TypeError:  # before 2025.2
            return list(client.scheduler_info()["workers"])
        except Exception as error:
            raise MachineError(self._gone()) from error

    def _next(self, client: Any, waiting: Any) -> Any:
        """Return the next future that is done; raise if the scheduler is lost."""
        found: list[Any] = []
        thread = threading.Thread(target=lambda: found.append(_first(waiting)), daemon=True)
        thread.start()
        while thread.is_alive():
            thread.join(0.5)
            if thread.is_alive() and client.status != "running":
                raise MachineError(self._gone())
        if not found or found[0] is None:
            raise MachineError(self._gone())
        return found[0]

    def _gone(self) -> str:
        return (
            f"The connection to the scheduler at {self.address} was lost. Results so far are kept: "
            "start it and run the same command again."
        )


def _first(waiting: Any) -> Any:
    try:
        return next(waiting)
    except BaseException:
        return None


def _few(tasks: Iterator[Task], count: int) -> Iterator[Task]:
    for _ in range(count):
        if (task := next(tasks, None)) is None:
            return
        yield task


def _check_address(address: str) -> None:
    """Check within seconds that the address is valid and that a server listens there.

    Raises:
        ValueError: If the address is invalid.
        MachineError: If no server listens there.
    """
    match = re.fullmatch(r"(?:(\w+)://)?(\[[^\]]+\]|[^:/\s]+):(\d{1,5})/?", address)
    if not match:
        raise ValueError(f"--scheduler {address!r} is not an address such as tcp://10.0.0.1:8786.")
    try:
        host = match[2].strip("[]")
        socket.create_connection((host, int(match[3])), timeout=_ANSWER_SECONDS).close()
    except (OSError, OverflowError, UnicodeError) as error:
        raise MachineError(f"No Dask scheduler answers at {address}: {error}.") from error
