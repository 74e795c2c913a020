"""Right and wrong answers to the exercises of chapter 6, with the words a wrong one must meet."""

from __future__ import annotations

import numpy as np

from tests.exercises.answers import right, wrong


def noisy_loss(X, y, w, sigma):
    return np.mean((X @ w - y) ** 2) + sigma**2 * np.sum(w**2)


def loop_noisy_loss(X, y, w, sigma):
    total = 0.0
    for row, target in zip(X, y, strict=True):
        total += (sum(a * b for a, b in zip(row, w, strict=True)) - target) ** 2
    return total / len(y) + sum((sigma * weight) ** 2 for weight in w)


def tf_noisy_loss(X, y, w, sigma):
    import tensorflow as tf

    X, y, w = (tf.cast(part, tf.float32) for part in (X, y, w))
    return tf.reduce_mean((tf.linalg.matvec(X, w) - y) ** 2) + sigma**2 * tf.reduce_sum(w**2)


def noisy_weights(X, y, sigma, strength=None):
    n, d = X.shape
    strength = n * sigma**2 if strength is None else strength
    return np.linalg.solve(X.T @ X + strength * np.eye(d), X.T @ y)


def stacked_noisy_weights(X, y, sigma):
    n, d = X.shape
    rows = np.vstack([X, np.sqrt(n) * sigma * np.eye(d)])
    return np.linalg.lstsq(rows, np.concatenate([y, np.zeros(d)]), rcond=None)[0]


def descended_noisy_weights(X, y, sigma):
    w = np.zeros(X.shape[1], dtype=np.float32)
    for _ in range(3000):
        w = w - 0.1 * (X.T @ (X @ w - y) / len(y) + sigma**2 * w)
    return w


def no_penalty(X, y, w, sigma):
    return np.mean((X @ w - y) ** 2)


def plain_sigma(X, y, w, sigma):
    return no_penalty(X, y, w, sigma) + sigma * np.sum(w**2)


def times_n(X, y, w, sigma):
    return no_penalty(X, y, w, sigma) + len(y) * sigma**2 * np.sum(w**2)


def drawn_loss(X, y, w, sigma):
    noisy = X + np.random.default_rng().normal(scale=sigma, size=(500, *X.shape))
    return np.mean((noisy @ w - y) ** 2)


def drawn_weights(X, y, sigma):
    noisy = np.tile(X, (50, 1)) + np.random.default_rng().normal(scale=sigma, size=(50 * len(X), 3))
    return np.linalg.lstsq(noisy, np.tile(y, 50), rcond=None)[0]


def summed(X, y, w, sigma):
    return len(y) * no_penalty(X, y, w, sigma) + sigma**2 * np.sum(w**2)


def unscaled_weights(X, y, sigma):
    return len(X) * noisy_weights(X, y, sigma)


RIDGE = [
    right("6.1", "numpy", noisy_loss, noisy_weights),
    right("6.1", "loop, stacked rows", loop_noisy_loss, stacked_noisy_weights),
    right("6.1", "tensorflow, descent", tf_noisy_loss, descended_noisy_weights),
    wrong("6.1", "no noise", "the loss without noise", no_penalty, noisy_weights),
    wrong("6.1", "sigma", "enters squared", plain_sigma, noisy_weights),
    wrong("6.1", "times n", "n times too large", times_n, noisy_weights),
    wrong("6.1", "draws", "noisy_loss with the same arguments differ", drawn_loss, noisy_weights),
    wrong("6.1", "weights drawn", "closed form needs no draws", noisy_loss, drawn_weights),
    wrong("6.1", "sum", "take their mean", summed, noisy_weights),
    wrong(
        "6.1", "half", "no factor 1/2", lambda *a: noisy_loss(*a) / 2, lambda *a: noisy_weights(*a)
    ),
    wrong("6.1", "y not divided", "X.T @ y is not", noisy_loss, unscaled_weights),
    wrong(
        "6.1",
        "d for n",
        "counts the columns",
        noisy_loss,
        lambda X, y, sigma: noisy_weights(X, y, sigma, X.shape[1] * sigma**2),
    ),
    wrong(
        "6.1",
        "least squares",
        "those are the least-squares weights",
        noisy_loss,
        lambda X, y, sigma: noisy_weights(X, y, sigma, 0.0),
    ),
    wrong(
        "6.1",
        "no n",
        "the penalty is too weak",
        noisy_loss,
        lambda X, y, sigma: noisy_weights(X, y, sigma, sigma**2),
    ),
]


def checked(rate, limit=1):
    if not 0 <= rate <= limit:
        raise ValueError("The rate must lie between 0 and 1.")


def dropout(x, rate, seed, shape=None, scale=None, check=True, share=None):
    if check:
        checked(rate)
    if rate == 1:
        return np.zeros_like(x)
    shape = np.shape(x) if shape is None else shape(np.shape(x))
    kept = np.random.default_rng(seed).uniform(size=shape) >= (
        rate if share is None else share(rate)
    )
    return kept * x * (1 / (1 - rate) if scale is None else scale(rate))


def loop_dropout(x, rate, seed):
    checked(rate)
    generator = np.random.RandomState(seed)
    flat = [
        0.0 if rate == 1 or generator.rand() < rate else value / (1 - rate) for value in np.ravel(x)
    ]
    return np.array(flat, dtype=np.float32).reshape(np.shape(x))


def tf_dropout(x, rate, seed):
    import tensorflow as tf

    checked(rate)
    if rate == 1:
        return tf.zeros_like(x)
    kept = tf.random.stateless_uniform(tf.shape(x), [seed, 0]) >= rate
    return tf.where(kept, tf.cast(x, tf.float32) / (1 - rate), 0.0)


def in_place_dropout(x, rate, seed):
    checked(rate)
    x *= np.random.default_rng(seed).uniform(size=np.shape(x)) >= rate
    return x / (1 - rate) if rate < 1 else x


def divides_by_zero(x, rate, seed):
    checked(rate)
    kept = np.random.default_rng(seed).uniform(size=np.shape(x)) >= rate
    with np.errstate(all="ignore"):
        return kept * x / np.float64(1 - rate)


def keras_dropout(x, rate, seed):
    import keras

    checked(rate)
    if rate == 1:
        return np.zeros_like(x)
    return keras.layers.Dropout(rate, seed=seed)(np.float32(x), training=True)


def swaps_rate(x, rate, seed):
    checked(rate)
    kept = np.random.default_rng(seed).uniform(size=np.shape(x)) < rate
    return np.where(kept, x / (rate or 1.0), 0.0)


def fixed_number(x, rate, seed):
    checked(rate)
    if rate == 1:
        return np.zeros_like(x)
    places = np.random.default_rng(seed).permutation(x.size).reshape(x.shape)
    return np.where(places >= round(rate * x.size), x / (1 - rate), 0.0)


def refuses_one(x, rate, seed):
    checked(rate, 0.99)
    return dropout(x, rate, seed)


def mask_alone(x, rate, seed):
    return dropout(np.ones_like(x), rate, seed)


LAYER = [
    right("6.2", "numpy", dropout),
    right("6.2", "loop, float32", loop_dropout),
    right("6.2", "tensorflow", tf_dropout),
    right("6.2", "keras layer", keras_dropout),
    wrong("6.2", "rate kept", "not the fraction to keep", swaps_rate),
    wrong("6.2", "exact share", "varies from seed to seed", fixed_number),
    wrong("6.2", "refuses 1", "It should give zeros", refuses_one),
    wrong("6.2", "mask", "which is the mask", mask_alone),
    wrong("6.2", "multiplies", "divide by it", lambda *a: dropout(*a, scale=lambda p: 1 - p)),
    wrong("6.2", "no scaling", "not scaled", lambda *a: dropout(*a, scale=lambda p: 1.0)),
    wrong(
        "6.2",
        "divides by rate",
        "divided by rate",
        lambda *a: dropout(*a, scale=lambda p: 1 / p if p else 1.0),
    ),
    wrong(
        "6.2",
        "keeps the fraction",
        "not the fraction to keep",
        lambda *a: dropout(*a, share=lambda p: 1 - p if p else 0.0),
    ),
    wrong(
        "6.2", "one mask for all rows", "whole columns", lambda *a: dropout(*a, lambda s: s[-1:])
    ),
    wrong(
        "6.2",
        "rows dropped",
        "whole rows",
        lambda *a: dropout(*a, lambda s: (*s[:-1], 1)),
    ),
    wrong("6.2", "no seed", "different masks", lambda x, rate, seed: dropout(x, rate, None)),
    wrong("6.2", "seed fixed", "same mask", lambda x, rate, seed: dropout(x, rate, 1)),
    wrong("6.2", "any rate", "should raise a ValueError", lambda *a: dropout(*a, check=False)),
    wrong("6.2", "nan at 1", "nan or inf", divides_by_zero),
    wrong("6.2", "in place", "in place", in_place_dropout),
]


def monte_carlo(model, x, draws, axis=0, training=True):
    outputs = np.stack([np.asarray(model(x, training=training)) for _ in range(draws)])
    return outputs.mean(axis=axis), outputs.std(axis=axis)


def repeated_monte_carlo(model, x, draws):
    outputs = np.asarray(model(np.repeat(x, draws, axis=0), training=True))
    outputs = outputs.reshape(len(x), draws, -1)
    return [outputs.mean(axis=1), outputs.std(axis=1, ddof=1 if draws > 1 else 0)]


def tf_monte_carlo(model, x, draws):
    import tensorflow as tf

    outputs = tf.stack([model(x, training=True) for _ in range(draws)])
    return tf.reduce_mean(outputs, axis=0), tf.math.reduce_std(outputs, axis=0)


def variance_monte_carlo(model, x, draws):
    mean, spread = monte_carlo(model, x, draws)
    return mean, spread**2


def all_draws(model, x, draws):
    return np.stack([model(x, training=True) for _ in range(draws)]), np.ones((len(x), 3))


def running_monte_carlo(model, x, draws):
    total, squares = 0, 0
    for _ in range(draws):
        outputs = np.asarray(model(x, training=True))
        total, squares = total + outputs, squares + outputs**2
    mean = total / draws
    return mean, np.sqrt(np.maximum(squares / draws - mean**2, 0))


def full_mean(model, x, draws):
    return np.asarray(model(x)), monte_carlo(model, x, draws)[1]


def standard_error(model, x, draws):
    mean, spread = monte_carlo(model, x, draws)
    return mean, spread / np.sqrt(draws)


def softmax_monte_carlo(model, x, draws):
    import keras

    outputs = [keras.ops.softmax(model(x, training=True)) for _ in range(draws)]
    return np.mean(outputs, axis=0), np.std(outputs, axis=0)


MONTE_CARLO = [
    right("6.3", "numpy", monte_carlo),
    right("6.3", "one large batch", repeated_monte_carlo),
    right("6.3", "tensorflow", tf_monte_carlo),
    right("6.3", "running sums in float32", running_monte_carlo),
    wrong("6.3", "full mean", "the pass without dropout", full_mean),
    wrong("6.3", "standard error", "Do not divide by the root", standard_error),
    wrong("6.3", "softmax", "as after a softmax", softmax_monte_carlo),
    wrong("6.3", "turned", "comes first", lambda *a: monte_carlo(*a)[::-1]),
    wrong("6.3", "own draws", "as `draws` says", lambda m, x, n: monte_carlo(m, x, 200)),
    wrong("6.3", "no dropout", "training=True", lambda m, x, n: monte_carlo(m, x, n, 0, False)),
    wrong("6.3", "over examples", "over the examples", lambda m, x, n: monte_carlo(m, x, n, 1)),
    wrong("6.3", "variance", "square root", variance_monte_carlo),
    wrong("6.3", "mean alone", "two things", lambda m, x, n: monte_carlo(m, x, n)[0]),
    wrong("6.3", "every draw", "one row for each draw", all_draws),
]


def accuracies(random, mean, rows):
    return [float(np.round(value * rows) / rows) for value in mean + 0.004 * random.normal(size=3)]


def rates(shift=0.0, pairs=((0, 0), (0.2, 0.5), (0.5, 0.2), (0.5, 0.5))):
    random = np.random.default_rng(0)
    return {
        pair: {
            "training": accuracies(random, 0.95 - 0.06 * sum(pair) + shift, 1024),
            "validation": accuracies(random, 0.84 - 0.005 * sum(pair), 1024),
        }
        for pair in pairs
    }


TABLE = rates()
BEST, SMALLEST = (0, 0), (0.5, 0.5)
ROUNDED = {
    pair: {
        part: [0.83, 0.84, 0.85] if part == "training" else [0.8333, 0.8127, 0.8271] for part in row
    }
    for pair, row in TABLE.items()
}
MADE_UP = {
    pair: {"training": [0.95, 0.94, 0.93], "validation": [0.84, 0.83, 0.85]} for pair in TABLE
}
SAME = {pair: {**row, "validation": [860 / 1024] * 3} for pair, row in TABLE.items()}
SWAPPED = {
    pair: {
        "training": accuracies(np.random.default_rng(1), 0.80, 1024),
        "validation": row["validation"],
    }
    for pair, row in TABLE.items()
}
TURNED = {pair: TABLE[0.5 - pair[0], 0.5 - pair[1]] for pair in ((0, 0), (0.5, 0.5))}

RATES = [
    right("6.4", "four pairs", TABLE, BEST, SMALLEST),
    right("6.4", "lists and floats", TABLE, [0.0, 0.0], [0.5, 0.5]),
    right(
        "6.4",
        "more pairs",
        rates(pairs=(*TABLE, (0.3, 0.3), (0.0, 0.5))),
        (0.0, 0.0),
        (0.5, 0.5),
    ),
    wrong("6.4", "pair missing", "no entry", rates(pairs=((0, 0), (0.5, 0.5))), BEST, SMALLEST),
    wrong("6.4", "rounded", "do not round", ROUNDED, BEST, SMALLEST),
    wrong("6.4", "made up", "no fraction of 1,024", MADE_UP, BEST, SMALLEST),
    wrong("6.4", "same seed", "Use the seed", SAME, BEST, SMALLEST),
    wrong("6.4", "swapped parts", "above training accuracy", SWAPPED, BEST, SMALLEST),
    wrong("6.4", "rows swapped", "fitted worse", {**TABLE, **TURNED}, BEST, SMALLEST),
    wrong("6.4", "percent", "between", rates(shift=80), BEST, SMALLEST),
    wrong("6.4", "not the best", "your own table says", TABLE, (0.5, 0.5), SMALLEST),
    wrong("6.4", "not a dict", "keys are pairs", [0.8, 0.9], BEST, SMALLEST),
]


def curve(bottom, end, epochs=60, seeds=3):
    random = np.random.default_rng(0)
    time = np.arange(epochs)
    fall = bottom + (1.4 - bottom) * np.exp(-time / 3) + (end - bottom) * (time / epochs) ** 2
    return fall + 0.01 * random.normal(size=(seeds, epochs))


WITHOUT, WITH = curve(0.45, 0.8), curve(0.42, 0.45)
LONGER = [
    right("6.5", "arrays", {"without": WITHOUT, "with": WITH}),
    right("6.5", "lists", {"without": WITHOUT.tolist(), "with": WITH.tolist()}),
    right("6.5", "float32, two seeds", {"without": np.float32(WITHOUT[:2]), "with": WITH[:2]}),
    wrong("6.5", "one seed", "at least 2 seeds", {"without": WITHOUT[:1], "with": WITH[:1]}),
    wrong("6.5", "one row", "should have shape", {"without": WITHOUT[0], "with": WITH[0]}),
    wrong("6.5", "swapped", "does not rise again", {"without": WITH, "with": WITHOUT}),
    wrong("6.5", "too large", "not an accuracy", {"without": WITHOUT + 5, "with": WITH}),
    wrong(
        "6.5",
        "accuracies",
        "holds accuracies",
        {"without": np.round(WITHOUT * 1024) / 1024, "with": WITH},
    ),
    wrong("6.5", "training loss", "does not rise", {"without": curve(0.2, 0.2), "with": WITH}),
    wrong("6.5", "other length", "same time", {"without": WITHOUT, "with": WITH[:, :50]}),
    wrong("6.5", "same run", "another seed", {"without": WITHOUT[[0, 0]], "with": WITH}),
    wrong("6.5", "keys", "with the keys", {"no dropout": WITHOUT, "dropout": WITH}),
]


def activation_variances(model, x, training, statistic=np.var, skip_dropout=False, last=False):
    found, hidden = [], False
    for layer in model.layers:
        is_dense = type(layer).__name__ == "Dense"
        if is_dense and hidden:
            found.append(float(statistic(np.asarray(x))))
        hidden = hidden or is_dense
        if not is_dense and skip_dropout:
            continue
        x = layer(x) if is_dense else layer(x, training=training)
    return found + [float(statistic(np.asarray(x)))] if last else found


def tf_variances(model, x, training):
    import tensorflow as tf

    found, x = [], tf.convert_to_tensor(x)
    for layer in model.layers:
        if "dense" in layer.name:
            found.append(tf.math.reduce_variance(x))
        x = layer(x) if "dense" in layer.name else layer(x, training=training)
    return tf.stack(found[1:])


def all_but_first_layer(model, x, training):
    found = []
    for number, layer in enumerate(model.layers):
        if "dense" in layer.name and number > 0:
            found.append(float(np.var(x)))
        x = layer(x) if "dense" in layer.name else layer(x, training=training)
    return found


def functional_variances(model, x, training):
    import keras

    dense = [layer for layer in model.layers if isinstance(layer, keras.layers.Dense)]
    inputs = [layer.input for layer in dense[1:]]
    outputs = keras.Model(model.inputs, inputs)(x, training=training)
    outputs = outputs if isinstance(outputs, list | tuple) else [outputs]
    return np.array([np.var(output) for output in outputs])


def every_layer(model, x, training):
    found = []
    for layer in model.layers[:-1]:
        x = layer(x) if "dense" in layer.name else layer(x, training=training)
        found.append(float(np.var(x)))
    return found


def before_dropout(model, x, training):
    found = []
    for layer in model.layers[:-1]:
        x = layer(x) if "dense" in layer.name else layer(x, training=training)
        if "dense" in layer.name:
            found.append(float(np.var(x)))
    return found


VARIANCE = [
    right("6.6", "loop", activation_variances),
    right("6.6", "tensorflow", tf_variances),
    right("6.6", "functional model", functional_variances),
    wrong("6.6", "deviation", "standard deviations", lambda *a: activation_variances(*a, np.std)),
    wrong(
        "6.6",
        "mean square",
        "subtracts the squared mean",
        lambda *a: activation_variances(*a, lambda x: np.mean(x**2)),
    ),
    wrong(
        "6.6",
        "by unit",
        "averaged over the units",
        lambda *a: activation_variances(*a, lambda x: np.var(x, axis=0).mean()),
    ),
    wrong(
        "6.6",
        "by example",
        "averaged over the examples",
        lambda *a: activation_variances(*a, lambda x: np.var(x, axis=1).mean()),
    ),
    wrong("6.6", "input dropout counts", "The input is no hidden layer", all_but_first_layer),
    wrong(
        "6.6",
        "always training",
        "dropout is on",
        lambda model, x, training: activation_variances(model, x, True),
    ),
    wrong(
        "6.6",
        "weights",
        "variances of the weights",
        lambda model, x, training: [np.var(model.get_weights()[index]) for index in (2, 4)],
    ),
    wrong("6.6", "output too", "not hidden", lambda *a: activation_variances(*a, last=True)),
    wrong("6.6", "every layer", "should not change", every_layer),
    wrong("6.6", "before dropout", "after the dropout layer", before_dropout),
    wrong(
        "6.6",
        "ignores training",
        "without dropout",
        lambda model, x, training: activation_variances(model, x, False),
    ),
]


def growth(start, end, epochs=15):
    time = np.linspace(0, 1, epochs + 1)[:, None]
    return start + (np.array(end) - start) * time


START = np.array([0.06, 0.03])
OVER_TIME = {
    "without": growth(START, [0.5, 1.0]),
    "with, training": growth(2.5 * START, [1.2, 2.5]),
    "with, predicting": growth(START, [0.4, 0.6]),
}
MODES_TURNED = {
    "without": OVER_TIME["without"],
    "with, training": OVER_TIME["with, predicting"],
    "with, predicting": OVER_TIME["with, training"],
}
TIME = [
    right("6.7", "arrays", OVER_TIME),
    right("6.7", "lists", {k: v.tolist() for k, v in OVER_TIME.items()}),
    right("6.7", "float32", {k: np.float32(v) for k, v in OVER_TIME.items()}),
    wrong("6.7", "short", "10 epochs", {k: v[:6] for k, v in OVER_TIME.items()}),
    wrong("6.7", "keys", "with the keys", {"without": OVER_TIME["without"]}),
    wrong("6.7", "turned", "predicting' swapped", MODES_TURNED),
    wrong(
        "6.7",
        "training as predicting",
        "Are the two swapped",
        {**OVER_TIME, "with, training": OVER_TIME["with, predicting"]},
    ),
    wrong(
        "6.7",
        "not measured again",
        "do not change",
        {**OVER_TIME, "with, predicting": np.tile(START, (16, 1))},
    ),
    wrong(
        "6.7",
        "no row 0",
        "Row 0",
        {k: v if k == "without" else np.vstack([v[1:], v[-1:]]) for k, v in OVER_TIME.items()},
    ),
    wrong(
        "6.7",
        "transposed",
        "should have shape",
        {k: v.T for k, v in OVER_TIME.items()},
    ),
]


def disagreement(model, x, draws, over=np.any, training=True, differ=np.not_equal):
    settled = np.argmax(model(x, training=False), axis=1)
    passes = [np.argmax(model(x, training=training), axis=1) for _ in range(draws)]
    return np.mean(over(differ(np.array(passes), settled), axis=0))


def loop_disagreement(model, x, draws):
    settled = np.argmax(model(x), axis=1)
    changed = np.zeros(len(x), dtype=bool)
    for _ in range(draws):
        changed |= np.argmax(model(x, training=True), axis=1) != settled
    return float(changed.sum() / len(x))


def tf_disagreement(model, x, draws):
    import tensorflow as tf

    settled = tf.argmax(model(x), axis=1)
    passes = [tf.argmax(model(x, training=True), axis=1) != settled for _ in range(draws)]
    return tf.reduce_mean(tf.cast(tf.reduce_any(tf.stack(passes), axis=0), tf.float32))


def passes_differ(model, x, draws):
    passes = np.array([np.argmax(model(x, training=True), axis=1) for _ in range(draws)])
    return np.mean(np.any(passes != passes[0], axis=0))


def logits_differ(model, x, draws):
    settled = np.asarray(model(x))
    passes = np.array([np.asarray(model(x, training=True)) for _ in range(draws)])
    return np.mean(np.any(passes != settled, axis=(0, 2))) if passes.std() else 0.0


def mean_class_differs(model, x, draws):
    mean = np.mean([np.asarray(model(x, training=True)) for _ in range(draws)], axis=0)
    return np.mean(np.argmax(mean, axis=1) != np.argmax(model(x), axis=1))


CHANGES = [
    right("6.9", "numpy", disagreement),
    right("6.9", "loop", loop_disagreement),
    right("6.9", "tensorflow", tf_disagreement),
    wrong("6.9", "no dropout", "training=True", lambda *a: disagreement(*a, training=False)),
    wrong("6.9", "mean", "does not grow", lambda *a: disagreement(*a, over=np.mean)),
    wrong("6.9", "all", "you ask for all", lambda *a: disagreement(*a, over=np.all)),
    wrong(
        "6.9",
        "agreement",
        "count those that differ",
        lambda *a: disagreement(*a, over=np.all, differ=np.equal),
    ),
    wrong("6.9", "one pass", "as many passes", lambda m, x, n: disagreement(m, x, 1)),
    wrong("6.9", "own draws", "no more passes", lambda m, x, n: disagreement(m, x, 50)),
    wrong("6.9", "among passes", "with the pass without dropout", passes_differ),
    wrong("6.9", "logits", "classes rather than the logits", logits_differ),
    wrong("6.9", "mean pass", "class of their mean", mean_class_differs),
    wrong("6.9", "count", "between 0 and 1", lambda m, x, n: len(x) * disagreement(m, x, n)),
]


def four(plain=0.50, dropped=0.44, decayed=0.47, both=0.42, decay=0.3):
    random = np.random.default_rng(0)
    means = {(0.0, 0.0): plain, (0.5, 0.0): dropped, (0.0, decay): decayed, (0.5, decay): both}
    return {
        cell: (mean + 0.004 * np.array([-1, 0, 1]) * random.uniform(0.5, 1)).tolist()
        for cell, mean in means.items()
    }


CELLS = [
    right("6.11", "diminished", four(both=0.435), "diminished"),
    right(
        "6.11",
        "additive, integer rate",
        {(int(r) if r == 0 else r, d): v for (r, d), v in four(both=0.41, decay=1).items()},
        "additive",
    ),
    right("6.11", "cancel, arrays", {k: np.array(v) for k, v in four(both=0.46).items()}, "cancel"),
    right("6.11", "more", four(both=0.35), "more"),
    wrong("6.11", "verdict", "by the rule that is cancel", four(both=0.46), "additive"),
    wrong("6.11", "word", "use one of", four(), "good"),
    wrong(
        "6.11", "cell missing", "four keys", {k: v for k, v in four().items() if k[0]}, "additive"
    ),
    wrong(
        "6.11", "one seed", "at least 3 seeds", {k: v[:1] for k, v in four().items()}, "additive"
    ),
    wrong("6.11", "dropout hurts", "does not lower", four(dropped=0.55), "additive"),
    wrong("6.11", "percentages", "between", {k: [80.0, 81, 82] for k in four()}, "additive"),
    wrong(
        "6.11",
        "accuracies",
        "holds accuracies",
        {k: np.round(np.array(v) * 1024) / 1024 for k, v in four().items()},
        "additive",
    ),
    wrong("6.11", "same seed", "Use the seed", {k: [0.5] * 3 for k in four()}, "additive"),
]


def drop_connect(x, w, b, rate, seed, shape=None, scale=None, bias=1.0):
    checked(rate, 0.999)
    shape = np.shape(w) if shape is None else shape(np.shape(w))
    kept = np.random.default_rng(seed).uniform(size=shape) >= rate
    scale = 1 / (1 - rate) if scale is None else scale
    return x @ (kept * w * scale) + bias * b


def loop_drop_connect(x, w, b, rate, seed):
    checked(rate, 0.999)
    generator = np.random.RandomState(seed)
    thinned = np.array(
        [[0.0 if generator.rand() < rate else v / (1 - rate) for v in row] for row in w]
    )
    return np.array([[row @ column for column in thinned.T] + b for row in x])


def tf_drop_connect(x, w, b, rate, seed):
    import tensorflow as tf

    checked(rate, 0.999)
    x, w, b = (tf.cast(part, tf.float32) for part in (x, w, b))
    kept = tf.random.stateless_uniform(tf.shape(w), [seed, 1]) >= rate
    return x @ tf.where(kept, w / (1 - rate), 0.0) + b


def mask_for_each_row(x, w, b, rate, seed):
    generator = np.random.default_rng(seed)
    checked(rate, 0.999)
    masks = generator.uniform(size=(len(x), *w.shape)) >= rate
    return np.einsum("nd,ndk->nk", x, masks * w / (1 - rate)) + b


def drops_biases_too(x, w, b, rate, seed):
    return drop_connect(x, w, b, rate, seed, bias=1 / (1 - rate) if rate < 1 else 1.0)


def unchecked_drop_connect(x, w, b, rate, seed):
    return drop_connect(x, w, b, min(max(rate, 0.0), 0.99), seed)


def drops_outputs(x, w, b, rate, seed):
    checked(rate, 0.999)
    y = x @ w + b
    return y * (np.random.default_rng(seed).uniform(size=y.shape) >= rate) / (1 - rate)


def drops_biases(x, w, b, rate, seed):
    return drop_connect(
        x, w, b * (np.random.default_rng(seed).uniform(size=len(b)) >= rate), rate, seed
    )


def keeps_rate(x, w, b, rate, seed):
    checked(rate, 0.999)
    kept = np.random.default_rng(seed).uniform(size=w.shape) < rate
    return x @ np.where(kept, w / (rate or 1.0), 0.0) + b


def drops_exact_share(x, w, b, rate, seed):
    checked(rate, 0.999)
    places = np.random.default_rng(seed).permutation(w.size).reshape(w.shape)
    return x @ np.where(places >= round(rate * w.size), w / (1 - rate), 0.0) + b


CONNECT = [
    right("6.12", "numpy", drop_connect),
    right("6.12", "loop", loop_drop_connect),
    right("6.12", "tensorflow", tf_drop_connect),
    wrong("6.12", "inputs", "Whole inputs", lambda *a: drop_connect(*a, lambda s: (s[0], 1))),
    wrong("6.12", "outputs", "Whole outputs", lambda *a: drop_connect(*a, lambda s: (1, s[1]))),
    wrong("6.12", "result dropped", "biases or outputs are dropped", drops_outputs),
    wrong("6.12", "biases dropped", "biases or outputs are dropped", drops_biases),
    wrong("6.12", "rate kept", "to drop, not to keep", keeps_rate),
    wrong("6.12", "exact share", "varies from seed to seed", drops_exact_share),
    wrong(
        "6.12", "no seed", "different masks", lambda x, w, b, r, s: drop_connect(x, w, b, r, None)
    ),
    wrong("6.12", "not scaled", "not scaled", lambda *a: drop_connect(*a, scale=1.0)),
    wrong("6.12", "a mask a row", "One mask serves", mask_for_each_row),
    wrong("6.12", "biases scaled", "biases are scaled", drops_biases_too),
    wrong("6.12", "no biases", "biases are missing", lambda *a: drop_connect(*a, bias=0.0)),
    wrong("6.12", "seed fixed", "same mask", lambda x, w, b, r, s: drop_connect(x, w, b, r, 3)),
    wrong("6.12", "any rate", "should raise a ValueError", unchecked_drop_connect),
]


def noisy_model(*noise, units=(256, 256, 10), inputs=784, front=(), last=None):
    import keras

    layers = [keras.Input((inputs,)), *front]
    for number, width in enumerate(units):
        activation = "relu" if number < len(units) - 1 else last
        layers += [keras.layers.Dense(width, activation), *noise[number : number + 1]]
    return keras.Sequential(layers)


def gaussian(seed):
    import keras

    noise = keras.layers.GaussianDropout
    return noisy_model(noise(0.2, seed=seed), noise(0.2, seed=seed + 1))


def shifts(seed):
    import keras

    layers = keras.layers
    front = layers.Reshape((28, 28, 1)), layers.RandomTranslation(0.04, 0.04), layers.Flatten()
    return noisy_model(front=front)


def noisy_layer(always=False):
    import keras

    class Swap(keras.layers.Layer):
        """Mix a little of another example's activations into each example's."""

        def call(self, x, training=False):
            if not (training or always):
                return x
            mixed = keras.random.shuffle(x, axis=0)
            return x + 0.2 * keras.random.uniform(keras.ops.shape(x)) * (mixed - x)

    return Swap()


def functional(seed):
    import keras

    x = inputs = keras.Input((784,))
    for units in (256, 256):
        x = keras.layers.Dense(units, "relu")(keras.layers.GaussianNoise(0.2)(x))
    return keras.Model(inputs, keras.layers.Dense(10)(x))


def with_dropout(seed):
    import keras

    return noisy_model(keras.layers.Dropout(0.2), keras.layers.GaussianNoise(0.1))


def score(dropout=0.45, noise=0.40, accuracy=0.85, spread=0.004):
    random = np.random.default_rng(0)
    return {
        name: {
            "loss": (loss + spread * np.array([-1.0, 0.2, 1.0])).tolist(),
            "accuracy": accuracies(random, accuracy, 1024),
        }
        for name, loss in (("dropout", dropout), ("noise", noise))
    }


ACCURACIES_TWICE = {k: row | {"loss": row["accuracy"]} for k, row in score().items()}
NOISE = [
    right("6.13", "shifts", shifts, score()),
    right("6.13", "gaussian", gaussian, score(0.44, 0.42)),
    right(
        "6.13",
        "functional",
        functional,
        {k: {m: np.array(v) for m, v in row.items()} for k, row in score().items()},
    ),
    right("6.13", "own layer", lambda seed: noisy_model(noisy_layer()), score()),
    wrong("6.13", "dropout", "contains a Dropout layer", with_dropout, score()),
    wrong("6.13", "no noise", "no noise in the model", lambda seed: noisy_model(), score()),
    wrong("6.13", "wider", "fixed at 256", lambda seed: noisy_model(units=(512, 256, 10)), score()),
    wrong("6.13", "always on", "must rest", lambda seed: noisy_model(noisy_layer(True)), score()),
    wrong("6.13", "softmax", "logits", lambda seed: noisy_model(last="softmax"), score()),
    wrong("6.13", "worse", "above that of dropout", gaussian, score(0.40, 0.45)),
    wrong("6.13", "chance", "tell from chance", gaussian, score(0.40, 0.399)),
    wrong("6.13", "accuracies as losses", "holds accuracies", gaussian, ACCURACIES_TWICE),
    wrong("6.13", "no losses", "with the keys", gaussian, {"dropout": [0.8], "noise": [0.9]}),
]

CASES = [
    *RIDGE,
    *LAYER,
    *MONTE_CARLO,
    *RATES,
    *LONGER,
    *VARIANCE,
    *TIME,
    *CHANGES,
    *CELLS,
    *CONNECT,
    *NOISE,
]
