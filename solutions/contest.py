"""Compare training recipes for the network 784-256-256-10 on all of Fashion-MNIST.

Page 6 must run within minutes, so its contest (exercise 6.13) uses 1,024 images. This script repeats
it on the whole training set; one run takes up to five minutes on two cores.

    python solutions/contest.py choose    train each recipe on 50,000 images and measure it on the
                                          10,000 validation images; reads no test image
    python solutions/contest.py test      train the recipe with the best validation accuracy on all
                                          60,000 images, five seeds, and measure it on the test images
    python solutions/contest.py table     print all results as a table

Every finished run is saved in contest.json beside this file, and a saved run is not repeated.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from helpers import data, files, training

import keras
import numpy as np

RESULTS = Path(__file__).with_suffix(".json")
VALIDATION_ROWS = 10_000
SEEDS = 5


@dataclass(frozen=True)
class Recipe:
    """How the fixed network is trained.

    Attributes:
        rate: Dropout rate after both hidden layers.
        input_rate: Dropout rate of the pixels.
        shift: Largest random shift of a picture (pixels).
        flip: Whether half of the pictures are mirrored.
        smoothing: Probability taken from the right class and spread over all (label smoothing).
        weight_decay: Decoupled weight decay of AdamW.
        average: Momentum of the moving average of the weights; 0 keeps the last weights.
        learning_rate: Learning rate of the first step; it falls to 0 along a cosine.
        epochs: Number of epochs.
        batch_size: Samples per gradient update.
    """

    rate: float = 0.0
    input_rate: float = 0.0
    shift: int = 0
    flip: bool = False
    smoothing: float = 0.0
    weight_decay: float = 0.0
    average: float = 0.0
    learning_rate: float = 0.002
    epochs: int = 30
    batch_size: int = 256


PLAIN = Recipe()
AVERAGED = replace(PLAIN, smoothing=0.1, average=0.998)
SHIFTED = replace(AVERAGED, shift=1)
RECIPES = {
    "plain": PLAIN,
    "weight decay": replace(PLAIN, weight_decay=0.05),
    "dropout": replace(PLAIN, rate=0.2),
    "dropout, input dropout": replace(PLAIN, rate=0.2, input_rate=0.1),
    "shift": replace(PLAIN, shift=1),
    "smoothing, average": AVERAGED,
    "dropout, input dropout, smoothing, average": replace(AVERAGED, rate=0.2, input_rate=0.1),
    "shift, smoothing, average": SHIFTED,
    "shift, dropout, smoothing, average": replace(SHIFTED, rate=0.1),
    "shift, mirror, smoothing, average": replace(SHIFTED, flip=True),
    "shift, smoothing, average, 60 epochs": replace(SHIFTED, average=0.999, epochs=60),
    "shift, smoothing, average, 120 epochs": replace(SHIFTED, average=0.999, epochs=120),
    "shift, dropout, smoothing, average, 120 epochs": replace(
        SHIFTED, rate=0.1, average=0.999, epochs=120
    ),
}


class Moved(keras.layers.Layer):
    """Shift each picture by up to `shift` pixels and mirror half of them, in training alone."""

    def __init__(self, shift: int, flip: bool, seed: int):
        super().__init__()
        self.shift, self.flip = shift, flip
        self.draws = keras.random.SeedGenerator(seed)

    def call(self, x, training=False):
        if not training:
            return x
        ops, width = keras.ops, 28 + 2 * self.shift
        margin = (self.shift, self.shift)
        padded = ops.pad(ops.reshape(x, (-1, 28, 28)), ((0, 0), margin, margin))
        pictures = ops.shape(x)[0]
        moves = keras.random.randint((pictures, 2), 0, 2 * self.shift + 1, seed=self.draws)
        rows, columns = moves[:, :1] + np.arange(28), moves[:, 1:] + np.arange(28)
        if self.flip:
            mirrored = keras.random.uniform((pictures, 1), seed=self.draws) < 0.5
            columns = ops.where(mirrored, width - 1 - columns, columns)
        places = ops.reshape(rows[:, :, None] * width + columns[:, None, :], (-1, 784))
        return ops.take_along_axis(ops.reshape(padded, (-1, width * width)), places, axis=1)


def build(recipe: Recipe, seed: int, steps: int) -> keras.Model:
    """Return the compiled network; only its three Dense layers have weights."""
    keras.utils.set_random_seed(seed)
    layers = [keras.Input((784,))]
    if recipe.shift or recipe.flip:
        layers.append(Moved(recipe.shift, recipe.flip, seed))
    if recipe.input_rate:
        layers.append(keras.layers.Dropout(recipe.input_rate, seed=seed))
    for number in (1, 2):
        layers.append(keras.layers.Dense(256, "relu", kernel_initializer="he_normal"))
        if recipe.rate:
            layers.append(keras.layers.Dropout(recipe.rate, seed=seed + number))
    model = keras.Sequential([*layers, keras.layers.Dense(10)])
    model.compile(
        optimizer=keras.optimizers.AdamW(
            keras.optimizers.schedules.CosineDecay(recipe.learning_rate, steps),
            weight_decay=recipe.weight_decay,
            use_ema=recipe.average > 0,
            ema_momentum=recipe.average or 0.99,
        ),
        loss=keras.losses.CategoricalCrossentropy(
            from_logits=True, label_smoothing=recipe.smoothing
        ),
    )
    return model


def run(recipe: Recipe, seed: int, train: tuple, held_out: tuple) -> dict:
    """Train once and return accuracy and loss on `held_out` with the seconds it took."""
    images, labels = train
    steps = recipe.epochs * -(-len(images) // recipe.batch_size)
    model, start = build(recipe, seed, steps), time.perf_counter()
    training.fit(
        model,
        images,
        np.eye(10, dtype="float32")[labels],
        epochs=recipe.epochs,
        batch_size=recipe.batch_size,
        seed=seed,
        verbose=0,
    )
    seconds = time.perf_counter() - start
    logits = np.asarray(model(held_out[0]), dtype=float)
    logits -= logits.max(axis=1, keepdims=True)
    log_probabilities = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    right = log_probabilities[np.arange(len(logits)), held_out[1]]
    accuracy = np.mean(logits.argmax(axis=1) == held_out[1])
    return {"accuracy": float(accuracy), "loss": float(-right.mean()), "seconds": round(seconds, 1)}


def load() -> tuple[tuple, tuple, str]:
    """Return the training images, the test images, and the source of both."""
    fashion = data.load_fashion_mnist()
    train, test = (
        (images.reshape(-1, 784).astype("float32") / 255, labels)
        for images, labels in (
            (fashion.train_images, fashion.train_labels),
            (fashion.test_images, fashion.test_labels),
        )
    )
    return train, test, fashion.source


def saved(path: Path) -> list[dict]:
    """Return the finished runs, of which each is a flat dict."""
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else []


def missing(runs: list[dict], stage: str, names: Iterable[str], seeds: int) -> list[tuple]:
    """Return the (name, seed) pairs of a stage that are not among the finished runs."""
    done = {(run["stage"], run["name"], run["seed"]) for run in runs}
    wanted = itertools.product(names, range(seeds))
    return [(name, seed) for name, seed in wanted if (stage, name, seed) not in done]


def best(runs: list[dict]) -> str:
    """Return the name of the recipe with the highest mean validation accuracy."""
    chosen = summary(runs, "choose")
    if not chosen:
        raise SystemExit("No recipe was measured yet: run the stage `choose` first.")
    return max(chosen, key=lambda name: np.mean([run["accuracy"] for run in chosen[name]]))


def summary(runs: list[dict], stage: str) -> dict[str, list[dict]]:
    """Return the runs of a stage by the name of their recipe."""
    found: dict[str, list[dict]] = {}
    for run in runs:
        if run["stage"] == stage:
            found.setdefault(run["name"], []).append(run)
    return found


def table(runs: list[dict]) -> str:
    """Return mean and standard deviation of each recipe as a table in Markdown."""
    lines = ["| Images | Recipe | Runs | Accuracy | Loss | Seconds |", "| --- " * 6 + "|"]
    for stage, images in (("choose", "validation"), ("test", "test")):
        for name, rows in summary(runs, stage).items():
            accuracy, loss = ([row[key] for row in rows] for key in ("accuracy", "loss"))
            spread = f" ± {np.std(accuracy):.4f}" if len(rows) > 1 else ""
            lines.append(
                f"| {images} | {name} | {len(rows)} | {np.mean(accuracy):.4f}{spread} | "
                f"{np.mean(loss):.4f} | {np.median([row['seconds'] for row in rows]):.0f} |"
            )
    return "\n".join(lines)


def train_missing(
    stage: str, names: Iterable[str], seeds: int, path: Path, limit: int | None = None
) -> None:
    """Train what is missing of a stage, one run after the other, and save each run."""
    wanted = missing(saved(path), stage, names, seeds)[:limit]
    if not wanted:
        return
    train, test, source = load()
    if stage == "choose":
        images, labels = train
        train, test = (
            (images[:-VALIDATION_ROWS], labels[:-VALIDATION_ROWS]),
            (images[-VALIDATION_ROWS:], labels[-VALIDATION_ROWS:]),
        )
    for name, seed in wanted:
        result = {"stage": stage, "name": name, "seed": seed, "data": source}
        result |= run(RECIPES[name], seed, train, test) | {"recipe": asdict(RECIPES[name])}
        runs = saved(path) + [result]
        files.write_text(path, json.dumps(runs, indent=1) + "\n")
        print(f"{stage} {name}, seed {seed}: accuracy {result['accuracy']:.4f}", flush=True)


def main(arguments: list[str] | None = None, path: Path = RESULTS) -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("stage", choices=("choose", "test", "table"))
    parser.add_argument("--recipes", nargs="*", help="some of the recipes, by name")
    parser.add_argument("--limit", type=int, help="stop after so many runs")
    options = parser.parse_args(arguments)
    if options.stage == "choose":
        train_missing("choose", options.recipes or RECIPES, 1, path, options.limit)
    elif options.stage == "test":
        train_missing("test", [best(saved(path))], SEEDS, path, options.limit)
    print(table(saved(path)))


if __name__ == "__main__":
    main()
