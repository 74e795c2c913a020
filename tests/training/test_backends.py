"""The training loops also run on JAX and PyTorch, each in a separate process."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_fit_and_search_on_another_backend_give_its_own_numbers(backend):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed; it comes with the extra `peers`")
    run = subprocess.run(
        [sys.executable, "-m", "tests.training.backends"],
        cwd=ROOT,
        env=os.environ | {"KERAS_BACKEND": backend, "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stdout.count("right") == 4
