"""Limits are processor time of the submission: a neighbour costs nobody marks."""

from __future__ import annotations

import multiprocessing
import os
import time
from dataclasses import replace

import pytest

from helpers.grading.sandbox import WorkerLost
from tests.grading.conftest import LIMITS

BURN = (
    "def answer(seconds):\n    import time\n    end = time.process_time() + seconds\n"
    "    while time.process_time() < end:\n        pass\n    return seconds"
)
SLEEP = "def answer(seconds):\n    import time\n    time.sleep(seconds)\n    return seconds"
DEAF = (
    "def answer(seconds):\n    while True:\n        try:\n            time.sleep(1)\n"
    "        except BaseException:\n            pass"
)
FORKS = (
    "def answer(seconds):\n    import os\n    for _ in range(3):\n        if os.fork() == 0:\n"
    "            while True:\n                pass\n    import time\n    time.sleep(60)"
)


def _burn(stop) -> None:
    while not stop.is_set():
        sum(range(100_000))


@pytest.fixture
def busy_machine():
    """Keep every core busy several times over."""
    stop = multiprocessing.Event()
    others = [
        multiprocessing.Process(target=_burn, args=(stop,), daemon=True)
        for _ in range(2 * len(os.sched_getaffinity(0)))
    ]
    for process in others:
        process.start()
    yield
    stop.set()
    for process in others:
        process.join()


def _call(server, source: str, seconds: float, limits=LIMITS) -> dict:
    exercise = {"id": "1", "names": ["answer"], "may_change_input": False, "at_end": False}
    with server.worker(limits) as worker:
        load = {"do": "load", "cells": ["import time", source], "exercises": [exercise]}
        worker.ask(load | {"skip": [], "everything": True}, 10)
        worker.ask({"do": "reach", "number": 0, "call": False}, 10)
        asked = {"do": "call", "name": "answer", "args": [seconds], "kwargs": {}}
        return worker.ask(asked, limits.call_seconds)


def test_honest_answer_gets_its_processor_time_on_a_busy_machine(walled_server, busy_machine):
    limits = replace(LIMITS, patience=40.0, notebook_seconds=60.0)
    began = time.monotonic()
    assert _call(walled_server, BURN, 0.5, limits) == {"ok": 0.5}
    assert time.monotonic() - began > 0.5


def test_sleep_is_given_more_than_processor_time_and_not_for_ever(walled_server):
    assert _call(walled_server, SLEEP, 1.2) == {"ok": 1.2}
    with pytest.raises(WorkerLost) as lost:
        _call(walled_server, DEAF, 1.0)
    assert lost.value.reason == "time"


def test_processor_time_of_all_processes_counts(walled_server):
    limits = replace(LIMITS, patience=1000.0, notebook_seconds=1000.0)
    began = time.monotonic()
    with pytest.raises(WorkerLost) as lost:
        _call(walled_server, FORKS, 1.0, limits)
    assert lost.value.reason == "time" and time.monotonic() - began < 100
