"""A Dask cluster gives the same bits, also when one of its machines dies half way."""

from __future__ import annotations

import os
import signal
import sys

import pytest

from helpers.grading import dask, run
from tests.grading.classroom import right_notebook
from tests.grading.test_run import SETTINGS

distributed = pytest.importorskip("distributed")
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="grading needs Linux")


def test_cluster_gives_the_same_bits_with_a_worker_killed_half_way(tmp_path):
    folder = tmp_path / "in"
    for number in range(16):
        answers = {"_1_9": "descend = lambda *a: 0"} if number % 3 else {}
        right_notebook(folder / f"student {number}" / "01_perceptrons.ipynb", **answers)
    run.grade(folder, tmp_path / "here", SETTINGS)
    killed = []
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as machines,
        distributed.Client(machines) as client,
    ):
        pids = list(client.run(os.getpid).values())

        def progress(total: int):
            done = iter(range(1, total + 1))

            def step() -> None:
                if next(done) == total // 2:
                    os.kill(pids[0], signal.SIGKILL)
                    killed.append(pids[0])

            return step

        there = run.Settings(**{**SETTINGS.__dict__, "scheduler": machines.scheduler_address})
        run.grade(folder, tmp_path / "there", there, progress)
    assert killed
    for name in ("grades.csv", "gradebook.csv"):
        assert (tmp_path / "here" / name).read_bytes() == (tmp_path / "there" / name).read_bytes()


def test_no_scheduler_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(dask, "_ANSWER_SECONDS", 1)
    right_notebook(tmp_path / "in" / "kim" / "01_perceptrons.ipynb")
    there = run.Settings(**{**SETTINGS.__dict__, "scheduler": "tcp://127.0.0.1:1"})
    with pytest.raises(ValueError, match="No Dask scheduler answers"):
        run.grade(tmp_path / "in", tmp_path / "out", there)
