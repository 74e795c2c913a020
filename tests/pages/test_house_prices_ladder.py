"""The tables in the pages and the README are those that the scripts in solutions/ write."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys

import numpy as np
import pytest

from helpers.authoring import ROOT

LADDER = ROOT / "solutions" / "house_prices_ladder.json"


def _script(name: str):
    spec = importlib.util.spec_from_file_location(name, ROOT / "solutions" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def test_results_table_replaces_itself_and_leaves_the_rest():
    results = _script("results")
    text = f"before\n{results.BEGIN}\nstale\n{results.END}\nafter\n"
    once = results.with_table(text)
    assert once.startswith("before\n") and once.endswith("after\n") and "stale" not in once
    assert results.HEAD in once
    assert results.with_table(once) == once


def test_results_table_stays_a_comment_in_a_page_source():
    results = _script("results")
    text = f"# before\n# {results.BEGIN}\n# {results.END}\n"
    new = results.with_table(text, "# ")
    assert all(line.startswith("#") for line in new.splitlines())
    assert results.with_table(new, "# ") == new


@pytest.mark.skipif(
    not LADDER.exists() or not os.environ.get("WORKBOOK_DATA"),
    reason="needs the ladder's table and the real data",
)
def test_ladder_repeats_one_rung_of_its_table():
    command = [sys.executable, "solutions/house_prices_ladder.py", "--quick"]
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    name = "a column for partial sales instead"
    line = next(line for line in printed.splitlines() if line.startswith(name))
    score = float(line[len(name) :].split()[0])
    stored = json.loads(LADDER.read_text(encoding="utf-8"))["rungs"][name]
    first_assignment = np.sqrt(np.mean(np.square(stored["folds"][0])))
    assert abs(score - first_assignment) < 0.001
