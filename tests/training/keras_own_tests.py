"""Run those of Keras's tests that call `fit`, with `training.fit` in its place.

    KERAS_SOURCES=path/to/keras python -m tests.training.keras_own_tests [--keras] [FILE ...]

`KERAS_SOURCES` names a checkout of https://github.com/keras-team/keras at the tag of the installed
release. The test files are copied to a temporary folder, so that they import the installed Keras.
With `--keras`, `model.fit` is not replaced, which shows what fails for other reasons. As a pytest
plugin (`-p tests.training.keras_own_tests`), this module replaces `fit` and writes which tests
called it.
"""

import argparse
import functools
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

# Tests that call `fit` and differ intentionally, each with its reason.
ON_PURPOSE = {
    "callbacks_swap_ema_weights_test.py::SwapEMAWeightsTest::test_swap_ema_weights": (
        "It asks for equal floats; a loop compiled as a whole rounds the last digit differently."
    ),
    "callbacks_swap_ema_weights_test.py::SwapEMAWeightsTest"
    "::test_swap_ema_weights_with_loss_scale_optimizer": "Likewise.",
    "optimizers_optimizer_test.py::OptimizerTest::test_ema_with_model_fit": (
        "It broadcasts one target against two outputs, which `check_finite` refuses."
    ),
    "trainers_trainer_test.py::TestTrainer::test_retracing": (
        "It counts how often a step of the user's own is traced; we trace it once more, so that "
        "variables have values even if the epoch cannot be one program."
    ),
}

_called: set[str] = set()
_outcomes: dict[str, str] = {}
_running: list[str] = []


def pytest_configure(config: pytest.Config) -> None:
    """Replace `model.fit` by `training.fit`, unless Keras's is requested."""
    import keras

    owner = next(kind for kind in keras.Model.__mro__ if "fit" in vars(kind))
    original = owner.fit
    is_ours = os.environ["FIT_IN_TESTS"] == "training"
    inside = []

    @functools.wraps(original)
    def fit(model, *args, **kwargs):
        from helpers import training

        _called.update(_running)
        if inside or not is_ours:
            return original(model, *args, **kwargs)
        inside.append(model)
        try:
            return training.fit(model, *args, **kwargs)
        finally:
            inside.pop()

    owner.fit = fit


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Record which test is running."""
    _running[:] = [item.nodeid]


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Record a test's outcome."""
    if report.when == "call" or report.outcome != "passed":
        _outcomes[report.nodeid] = report.outcome


def pytest_sessionfinish() -> None:
    """Write the outcomes of the tests that called `fit`."""
    path = os.environ["FIT_OUTCOMES"]
    found = {test: _outcomes.get(test, "?") for test in sorted(_called)}
    Path(path).write_text(json.dumps(found, indent=1), encoding="utf-8")


def test_files(sources: Path) -> list[Path]:
    """Return Keras's test files that call `fit`, relative to the checkout."""
    found = sorted(sources.glob("keras/src/**/*_test.py"))
    return [path.relative_to(sources) for path in found if ".fit(" in path.read_text("utf-8")]


def run(sources: Path, files: list[Path], fit: str) -> dict[str, str]:
    """Run test files in one process and return the outcomes of the tests that called `fit`.

    Args:
        sources: The checkout.
        files: Test files, relative to the checkout.
        fit: "training" or "keras".
    """
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(sources / "conftest.py", folder)
        copies = ["_".join(file.parts[2:]) for file in files]
        for file, copy in zip(files, copies, strict=True):
            shutil.copy(sources / file, Path(folder, copy))
        result = Path(folder, "outcomes.json")
        path = os.pathsep.join([os.getcwd(), os.environ.get("PYTHONPATH", "")])
        settings = {"FIT_IN_TESTS": fit, "FIT_OUTCOMES": str(result), "PYTHONPATH": path}
        options = ["-q", "--tb=short", "-p", "tests.training.keras_own_tests"]
        options += ["-p", "no:cacheprovider", "--rootdir", folder]
        options += ["--continue-on-collection-errors"]  # some import JAX or PyTorch
        command = [sys.executable, "-m", "pytest", *options, *copies]
        subprocess.run(command, cwd=folder, env=os.environ | settings, check=False)
        return json.loads(result.read_text("utf-8"))


def main() -> int:
    """Run the tests and list those that fail."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="*", type=Path, help="default: all that call fit")
    parser.add_argument("--keras", action="store_true", help="leave model.fit as it is")
    options = parser.parse_args()
    sources = Path(os.environ["KERAS_SOURCES"]).resolve()
    files = options.files or test_files(sources)
    outcomes = run(sources, files, "keras" if options.keras else "training")
    failed = sorted(test for test, outcome in outcomes.items() if outcome == "failed")
    print(f"{len(outcomes)} tests call fit, {len(failed)} fail:", *failed, sep="\n  ")
    return 0 if {*failed} <= {*ON_PURPOSE} else 1


if __name__ == "__main__":
    sys.exit(main())
