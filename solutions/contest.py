"""Compare recipes for the network 784-256-256-10 on all of Fashion-MNIST (page 6, exercise 6.13).

A page must run within minutes, so its contest uses 1,024 images. This script repeats it on the full
training set, up to five minutes per run on two cores:

    python solutions/contest.py choose            every recipe on 50,000 rows, measured on the
                                                  10,000 validation rows; no test image is read
    python solutions/contest.py test RECIPE       the chosen recipe, five seeds, on the test set
    python solutions/contest.py table             the results as a table in Markdown

Each finished run is saved in contest.json beside this file, and a run that is there is not repeated.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from helpers import data, training

import keras
import numpy as np

RESULTS = Path(__file__).with_suffix(".json")
VALIDATION_ROWS = 10_000


@dataclass(frozen=True)
class Recipe:
    """How the fixed network is trained.

    Attributes:
        rate: Dropout rate after both hidden layers.
        input_rate: Dropout rate of the pixels.
        shift: Largest random shift of a picture (pixels).
        flip: Whether half of the pictures are mirrored.
        mix: Largest weight of another picture and its label in each picture (mixup).
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
    learning_rate: float = 0.001
    epochs: int = 60
    batch_size: int = 256


PLAIN = Recipe()
DROPOUT = replace(PLAIN, rate=0.2)
SHIFT = replace(PLAIN, shift=1)
AVERAGED = replace(SHIFT, smoothing=0.1, average=0.999)
RECIPES = {
    "plain": PLAIN,
    "weight decay": replace(PLAIN, weight_decay=0.05),
    "label smoothing": replace(PLAIN, smoothing=0.1),
    "averaged weights": replace(PLAIN, average=0.999),
    "dropout": DROPOUT,
    "dropout, input dropout": replace(DROPOUT, input_rate=0.1),
    "shift": SHIFT,
    "shift, mirror": replace(SHIFT, flip=True),
    "shift, smoothing, average": AVERAGED,
    "shift, mirror, smoothing, average": replace(AVERAGED, flip=True),
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
    """Return the training rows, the test rows and the data's source."""
    fashion = data.load_fashion_mnist()
    parts = (
        (fashion.train_images, fashion.train_labels),
        (fashion.test_images, fashion.test_labels),
    )
    train, test = (
        (images.reshape(-1, 784).astype("float32") / 255, labels) for images, labels in parts
    )
    return train, test, str(fashion.source)


def main(arguments: list[str] | None = None) -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("stage", choices=("choose", "test", "table"))
    parser.add_argument("recipes", nargs="*")
    parser.add_argument("--seeds", type=int)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--rows", type=int)
    parser.add_argument("--set", nargs="*", default=[])
    options = parser.parse_args(arguments)
    train, test, source = load()
    for name in options.recipes or RECIPES:
        recipe = RECIPES[name]
        for pair in options.set:
            k, v = pair.split("=")
            recipe = replace(recipe, **{k: type(getattr(recipe, k))(eval(v))})
        if options.epochs:
            recipe = replace(recipe, epochs=options.epochs)
        x, y = train
        tr, va = (x[:-10000], y[:-10000]), (x[-10000:], y[-10000:])
        for seed in range(options.seeds or 1):
            print(name, options.set, recipe.epochs, seed, run(recipe, seed, tr, va), flush=True)


if __name__ == "__main__":
    main()
