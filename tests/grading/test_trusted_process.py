"""The process that runs the checks stays small and continues, whatever an answer sends."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from helpers.grading.executors.local import GraderProcess
from tests.grading import course
from tests.grading.conftest import LIMITS
from tests.grading.pages import cells

# Each is a `sweep` (a value) or the cells before it. None of them may affect other points.
_VALUES = {
    "an empty array of giant shape": "sweep = np.empty((2**40, 0))",
    "60 MB of numbers": "sweep = {1: np.zeros(60 * 2**17), 2: 0.1, 3: 0.2}",
    "one array a thousand times": "a = np.zeros(2**20)\nsweep = {k: a for k in range(1000)}",
    "half a million lists": "sweep = [[] for _ in range(500_000)]",
    "300,000 dictionaries": "sweep = [{'': 0} for _ in range(300_000)]",
    "keys of equal hash": (
        "import itertools\nkeys = itertools.product((-1, -2), repeat=15)\n"
        "sweep = dict.fromkeys(itertools.islice(keys, 20_000), 0.1)"
    ),
    "a list of itself": "sweep = []\nsweep.append(sweep)",
    "a text of 100 MB": "sweep = 'x' * 10**8",
    "a table of 100,000 columns": (
        "import pandas as pd\nsweep = pd.DataFrame(np.zeros((1, 100_000), dtype=object))"
    ),
}
_RAW = """
import gc, json, os, struct, sys
session = next(o for o in gc.get_objects() if type(o).__name__ == "_Session")
def tell(header, total=0):
    connection = session.connection
    connection.sendall(struct.pack("<IQ", len(header), total) + header)
"""
_MESSAGES = {
    "cells without end": """
number = 0
while True:
    number += 1
    message = {"t": "d", "k": ["cell", "turn"], "v": [number, session.turn]}
    tell(json.dumps({"value": message, "buffers": []}).encode())
""",
    "old replies without end": """
message = {"t": "d", "k": ["x" * 1000, "turn"], "v": [0, 1]}
while True:
    tell(json.dumps({"value": message, "buffers": []}).encode())
""",
    "wide JSON": 'tell(b\'{"value":[\' + b"[]," * 1_300_000 + b\'0],"buffers":[]}\')',
    "deep JSON": 'tell(b"[" * 4_000_000)',
    "aliased buffers": """
array = {"t": "a", "dtype": "|u1", "shape": [2**25], "b": 0}
header = json.dumps({"value": [array] * 40, "buffers": [2**25]}).encode()
tell(header, 2**25)
session.connection.sendall(bytes(2**25))
""",
    "a giant that never comes": 'tell(b\'{"value":0,"buffers":[67108864]}\', 67108864)',
}


@pytest.fixture(scope="module")
def grader(walls):
    grader = GraderProcess()
    yield grader
    grader.close()


def _grade(grader: GraderProcess, page: list[dict]) -> dict[str, float]:
    code = [cell["source"] for cell in page if cell["cell_type"] == "code"]
    limits = replace(LIMITS, call_seconds=2.0, cell_seconds=3.0, notebook_seconds=40.0)
    settings = {
        "walls": True, "warm": list(course.LEAN), "limits": limits.as_dict(), "seed": 3,
        "course": "tests.grading.course", "hidden": [],
    }  # fmt: skip
    task = {"code": code, "texts": [], "chapter": "perceptrons", "settings": settings}
    grader.submit(task)
    reply = grader.result()
    return {r["id"]: r["points"] for r in reply["exercises"] if r["kind"] != "T"}


def _peak(grader: GraderProcess) -> int:
    """Return the peak memory of the process, in MB."""
    status = Path(f"/proc/{grader._process.pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) // 1024


@pytest.mark.parametrize("name", _VALUES)
def test_value_costs_its_own_points_and_little_memory(name, grader):
    points = _grade(grader, cells({"1.8": _VALUES[name]}))
    assert points == course.points_of("perceptrons") | {"1.8": 0.0}
    assert _peak(grader) < 300


@pytest.mark.parametrize("name", _MESSAGES)
def test_message_costs_its_own_points_and_little_memory(name, grader):
    points = _grade(grader, cells({"1.8": _RAW + _MESSAGES[name]}))
    assert points["1.8"] == 0.0
    assert _peak(grader) < 300
