"""Measure every rung of page 7's ladder: the same folds, several seeds, all 1,460 rows validated.

Run from the repository's root, with the real tables in WORKBOOK_DATA or the cache:

    python solutions/house_prices_ladder.py            # 2 assignments of the rows to five folds
    python solutions/house_prices_ladder.py --quick    # one seed, linear rungs: what the test repeats

The functions are those of the page: its cells tagged "ladder" are run here. The result is
solutions/house_prices_ladder.json, which the page shows.
"""

from __future__ import annotations

import argparse
import functools
import json
import time
from collections.abc import Callable
from pathlib import Path

import jupytext
import numpy as np

FOLDER = Path(__file__).parent
RESULT = FOLDER / "house_prices_ladder.json"


def recipe() -> dict:
    """Run the page's cells tagged "ladder" and return their names."""
    from helpers import data, training  # first, to silence TensorFlow

    import keras
    import pandas as pd

    houses = data.load_house_prices()
    names = {"keras": keras, "np": np, "pd": pd, "training": training, "houses": houses}
    page = jupytext.read(FOLDER / "07_house_prices.py")
    for cell in page.cells:
        if "ladder" in cell.metadata.get("tags", []):
            exec(cell.source, names)
    return names


class Ladder:
    """The rungs, measured on the folds of each seed."""

    def __init__(self, seeds: int):
        self.seeds = range(seeds)
        self.page = recipe()
        self.y = self.page["y"]
        self.rungs: dict[str, dict] = {}
        self.predictions: dict[str, np.ndarray] = {}

    def measure(self, name: str, build: Callable, x, prepare, *, batch_size: int, epochs: int = 0):
        """Train `build` on every fold of every seed, and keep the out-of-fold predictions."""
        training, started = self.page["training"], time.process_time()
        predictions = np.empty((len(self.seeds), len(self.y)), "float32")
        pick = x.iloc.__getitem__ if hasattr(x, "iloc") else x.__getitem__
        for seed in self.seeds:
            epochs = epochs or self.page["EPOCHS"]
            result = training.k_fold(
                build, x, self.y, k=5, epochs=epochs, batch_size=batch_size, metric="rmse",
                prepare=prepare, seed=seed, verbose=0,
            )  # fmt: skip
            folds = training.fold_indices(len(self.y), 5, seed=seed)
            for model, (rows, held_out) in zip(result.models(), folds, strict=True):
                outside = prepare(pick(rows), pick(held_out))[1]
                predictions[seed, held_out] = model.predict(outside, verbose=0)[:, 0]
        self.keep(name, predictions, time.process_time() - started)

    def keep(self, name: str, predictions: np.ndarray, seconds: float = 0.0) -> None:
        """Record the errors of out-of-fold predictions, (seeds, rows)."""
        self.predictions[name] = predictions
        squares = (predictions - self.y) ** 2
        folds = [
            [float(np.sqrt(squares[seed, rows].mean())) for _, rows in self._folds(seed)]
            for seed in self.seeds
        ]
        scores = np.sqrt(squares.mean(axis=1))
        self.rungs[name] = {
            "score": round(float(scores.mean()), 4),
            "spread": round(float(scores.std()), 4),
            "folds": [[round(error, 4) for error in errors] for errors in folds],
        }
        print(f"{name:55} {self.rungs[name]['score']:.4f}  {seconds:4.0f} s of CPU", flush=True)

    def _folds(self, seed: int):
        return self.page["training"].fold_indices(len(self.y), 5, seed=seed)

    def mean(self, name: str, members: list[str]) -> None:
        """Record the mean of several rungs' predictions."""
        self.keep(name, np.mean([self.predictions[member] for member in members], axis=0))


def linear_rungs(ladder: Ladder, *, quick: bool = False) -> None:
    """Measure the rungs of the linear model, from d2l's recipe to the own column."""
    page, train = ladder.page, ladder.page["train"]
    raw = functools.partial(page["prepare_table"], limit=np.inf)
    clipped, steps = page["prepare_table"], page["STEPS"]
    if not quick:
        ladder.measure("d2l's recipe", page["build"], page["X"], page["prepare"],
                       batch_size=64, epochs=50)  # fmt: skip
        plain = functools.partial(page["build_linear"], 330)
        ladder.measure("trained to its end", plain, page["X"], page["prepare"], batch_size=128)
    rungs = [
        ("L1 penalty", [], raw),
        ("none is a category or zero", steps[:1], raw),
        ("ordered grades", steps[:2], raw),
        ("areas and ages", steps[:3], raw),
        ("logs of skewed columns, clipped", steps[:4], clipped),
        ("products", steps[:5], clipped),
        ("slopes of neighbourhoods", steps, clipped),
        ("two partial sales left out of training", [*steps, page["with_partial"]], None),
        ("a column for partial sales instead", [*steps, page["with_partial"]], clipped),
    ]
    for name, chosen, prepare in rungs[-1:] if quick else rungs:
        x = page["features_of"](train, chosen)
        build = functools.partial(page["build_linear"], x.shape[1], l1=0.001)
        ladder.measure(name, build, x, prepare or page["leave_out"], batch_size=128)


def hidden_rungs(ladder: Ladder) -> None:
    """Measure the hidden layer, the averages, and what did not help."""
    page = ladder.page
    x = page["features_of"](page["train"], [*page["STEPS"], page["with_partial"]])
    columns = x.shape[1]

    def wide(name, builder="build_wide", limit=4.0, **settings):
        build = functools.partial(page[builder], columns, **settings)
        prepare = functools.partial(page["prepare_table"], limit=limit)
        ladder.measure(name, build, x, prepare, batch_size=64)

    first, second = "a hidden layer beside the linear part", "the same, second start"
    robust = "the same with Huber loss"
    wide(first)
    wide(second, seed=1)
    wide(robust, "build_robust")
    ladder.mean("mean of two starts", [first, second])
    linear = "a column for partial sales instead"
    ladder.mean("mean of all four models", [first, second, robust, linear])
    name = "the same mean over both assignments"
    both = ladder.predictions["mean of all four models"].mean(axis=0)
    ladder.keep(name, np.broadcast_to(both, (len(ladder.seeds), len(both))))
    wide("tried: 128 units", units=128)
    wide("tried: dropout 0.4", rate=0.4)
    wide("tried: two hidden layers", depth=2, l2=0.003)
    wide("tried: clipped at 3", limit=3.0)
    wide("tried: half the L1 penalty", l1=0.0005)

    def robust_line():
        model = page["build_linear"](columns, l1=0.00035)
        loss = page["keras"].losses.Huber(delta=0.2)
        return page["compiled"](model, 0.01, 128, loss=loss)

    name = "tried: Huber loss, linear"
    ladder.measure(name, robust_line, x, page["prepare_table"], batch_size=128)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=2, help="assignments of the rows to folds")
    parser.add_argument("--quick", action="store_true", help="one linear rung, nothing written")
    options = parser.parse_args()
    started = time.process_time()
    ladder = Ladder(1 if options.quick else options.seeds)
    linear_rungs(ladder, quick=options.quick)
    if options.quick:
        return
    hidden_rungs(ladder)
    minutes = round((time.process_time() - started) / 60, 1)
    source = ladder.page["houses"].source
    result = {"data": source, "seeds": options.seeds, "minutes": minutes, "rungs": ladder.rungs}
    RESULT.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
