"""Grade on a Dask cluster: the same tasks, the same grader processes, the same results."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

from helpers.grading.local import GraderProcess

_TRIES = 3
_ANSWER_SECONDS = 20
_here = threading.local()


def grade_there(task: dict) -> dict:
    """Grade one submission on the cluster's machine, in a grader process of this thread."""
    for _ in range(2):
        if getattr(_here, "grader", None) is None:
            _here.grader = GraderProcess()
        try:
            _here.grader.submit(task)
            return _here.grader.result()
        except (EOFError, OSError, ValueError):
            _here.grader.close(busy=True)
            _here.grader = None
    return {"error": "The grader stopped twice on this notebook."}


def grade_on_cluster(
    address: str, tasks: Iterable[dict], done: Callable[[dict, dict], None]
) -> None:
    """Send tasks to the scheduler at `address`; what a lost machine had is done by another.

    Args:
        address: For example "tcp://10.0.0.1:8786".
        tasks: As for `helpers.grading.local.grade_task`.
        done: Called with each task and its result, in no particular order.

    Raises:
        ValueError: If Dask is not installed, nobody answers, or a machine lacks the sandbox.
    """
    try:
        from distributed import Client, as_completed
    except ImportError:
        raise ValueError(
            "--scheduler needs Dask: install the extra `cluster` (pip install '.[cluster]')."
        ) from None
    tasks = list(tasks)
    try:
        client = Client(address, timeout=_ANSWER_SECONDS)
    except OSError as error:
        raise ValueError(f"No Dask scheduler answers at {address}: {error}.") from error
    with client:
        keys = [f"grade-{task['key']}" for task in tasks]
        futures = client.map(grade_there, tasks, key=keys, retries=_TRIES, pure=False)
        of_key = dict(zip(keys, tasks, strict=True))
        for future in as_completed(futures):
            if future.status == "finished":
                result = future.result()
            else:
                result = {"error": f"The cluster gave up on this notebook ({future.status})."}
            if "fatal" in result:
                client.cancel(futures)
                raise ValueError(result["fatal"])
            done(of_key[future.key], result)
