"""A Dask cluster gives identical results, even if one of its machines dies or cannot grade."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import replace

import pytest

from helpers.grading import run
from helpers.grading.executors import MachineError, dask
from helpers.grading.results.store import Store
from tests.grading.classroom import right_notebook
from tests.grading.test_run import SETTINGS

distributed = pytest.importorskip("distributed")
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="grading needs Linux")


@contextmanager
def _cluster(workers: int):
    with (
        distributed.LocalCluster(
            n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=None
        ) as machines,
        distributed.Client(machines) as client,
    ):
        yield machines.scheduler_address, client


def _class(folder, size: int):
    for number in range(size):
        answers = {"_1_9": "descend = lambda *a: 0"} if number % 3 else {}
        right_notebook(folder / f"student {number}" / "01_perceptrons.ipynb", **answers)
    return folder


def test_cluster_gives_the_same_bits_with_a_worker_killed_half_way(tmp_path):
    folder = _class(tmp_path / "in", 12)
    run.grade(folder, tmp_path / "here", SETTINGS)
    killed = []
    with _cluster(2) as (address, client):
        pids = list(client.run(os.getpid).values())

        def progress(total: int):
            done = iter(range(1, total + 1))

            def step() -> None:
                if next(done) == total // 2:
                    os.kill(pids[0], signal.SIGKILL)
                    killed.append(pids[0])

            return step

        run.grade(folder, tmp_path / "there", replace(SETTINGS, scheduler=address), progress)
    assert killed
    for name in ("grades.csv", "gradebook.csv"):
        assert (tmp_path / "here" / name).read_bytes() == (tmp_path / "there" / name).read_bytes()


def test_a_machine_without_the_sandbox_is_left_out(tmp_path, walls):
    folder = _class(tmp_path / "in", 4)
    said = []
    with _cluster(2) as (address, client):
        unfit = sorted(client.scheduler_info()["workers"])[0]
        client.run(exec, "import os; os.environ['PATH'] = '/nowhere'", workers=[unfit])
        there = replace(SETTINGS, scheduler=address, walls=True)
        made = run.grade(folder, tmp_path / "out", there, say=said.append)
        assert [made.totals(student)["points"] for student in made.students] == [9, 7, 7, 9]
        assert len(said) == 1 and unfit in said[0] and "bwrap is missing" in said[0]
        client.run(exec, "import os; os.environ['PATH'] = '/nowhere'")
        client.run(_forget)
        with pytest.raises(MachineError, match="No machine of the cluster"):
            run.grade(folder, tmp_path / "none", there, say=said.append)
    assert not (tmp_path / "none" / "gradebook.csv").exists()


def _forget() -> None:
    from helpers.grading import sandbox

    sandbox.missing.cache_clear()


def test_a_killed_scheduler_ends_the_run_and_the_same_command_goes_on(tmp_path):
    folder, out = _class(tmp_path / "in", 8), tmp_path / "out"
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    scheduler = subprocess.Popen(
        [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1",
         "--port", str(port), "--no-dashboard"], **quiet,
    )  # fmt: skip
    address = f"tcp://127.0.0.1:{port}"
    worker = subprocess.Popen(
        [sys.executable, "-m", "distributed.cli.dask_worker", address, "--nthreads", "1",
         "--no-dashboard", "--no-nanny", "--death-timeout", "20"], **quiet,
    )  # fmt: skip
    try:
        _wait_for(port)
        there = replace(SETTINGS, scheduler=address, seed=None)

        def progress(total: int):
            done = iter(range(1, total + 1))
            return lambda: next(done) == 3 and scheduler.kill()

        with pytest.raises(MachineError, match="run the same command again"):
            run.grade(folder, out, there, progress)
    finally:
        for process in (scheduler, worker):
            process.kill()
            process.wait()
    seed = Store(out).run["seed"]
    kept = set((out / "state" / "graded").iterdir())
    assert len(kept) >= 3 and not Store(out).run["finished"]
    made = run.grade(folder, out, replace(SETTINGS, seed=None))
    assert Store(out).run["seed"] == seed and Store(out).run["finished"]
    assert kept <= set((out / "state" / "graded").iterdir())
    assert [made.totals(student)["points"] for student in made.students].count(9) == 3


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            return socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.2)
    raise AssertionError("no scheduler")


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("tcp://127.0.0.1:1", "No Dask scheduler answers"),
        ("tcp://nowhere.invalid:8786", "No Dask scheduler answers"),
        ("localhost", "is not an address"),
        ("http//x y:1", "is not an address"),
        ("tcp://127.0.0.1:99999", "No Dask scheduler answers"),
    ],
)
def test_nonsense_addresses_fail_fast(tmp_path, monkeypatch, address, words):
    monkeypatch.setattr(dask, "_ANSWER_SECONDS", 2)
    right_notebook(tmp_path / "in" / "kim" / "01_perceptrons.ipynb")
    with pytest.raises(ValueError, match=words):
        run.grade(tmp_path / "in", tmp_path / "out", replace(SETTINGS, scheduler=address))
