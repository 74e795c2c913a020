"""Right and wrong answers to the exercises of chapter 6, with the words a wrong one must meet."""

from __future__ import annotations

import functools
import itertools

import numpy as np

from tests.exercises.answers import in_slow_runs, right, wrong


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
    for _ in range(5000):
        w = w - 0.05 * (X.T @ (X @ w - y) / len(y) + sigma**2 * w)
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
    noise = np.random.default_rng().normal(scale=sigma, size=(50 * len(X), X.shape[1]))
    noisy = np.tile(X, (50, 1)) + noise
    return np.linalg.lstsq(noisy, np.tile(y, 50), rcond=None)[0]


def summed(X, y, w, sigma):
    return len(y) * no_penalty(X, y, w, sigma) + sigma**2 * np.sum(w**2)


def unscaled_weights(X, y, sigma):
    return len(X) * noisy_weights(X, y, sigma)


def gram_noisy_loss(X, y, w, sigma):
    G = X.T @ X / len(X) + sigma * sigma * np.identity(len(w))
    return float(w @ G @ w - 2 * w @ X.T @ y / len(X) + y @ y / len(X))


def inverse_noisy_weights(X, y, sigma):
    G = X.T @ X / X.shape[0] + np.diag(np.full(X.shape[1], sigma**2))
    return (np.linalg.inv(G) @ (X.T @ y / X.shape[0])).tolist()


def absolute_weights(X, y, w, sigma):
    return no_penalty(X, y, w, sigma) + sigma**2 * np.abs(w).sum()


def square_of_sum(X, y, w, sigma):
    return no_penalty(X, y, w, sigma) + sigma**2 * np.sum(w) ** 2


RIDGE = [
    right("6.1", "Gram matrix, inverse as a list", gram_noisy_loss, inverse_noisy_weights),
    wrong("6.1", "absolute weights", "adds the squares", absolute_weights, noisy_weights),
    wrong("6.1", "square of the sum", "add up their squares", square_of_sum, noisy_weights),
    wrong("6.1", "root", "leave the square root", lambda *a: noisy_loss(*a) ** 0.5, noisy_weights),
    wrong(
        "6.1",
        "a loss per row",
        "one number per row",
        lambda X, y, w, sigma: (X @ w - y) ** 2 + sigma**2 * w @ w,
        noisy_weights,
    ),
    wrong(
        "6.1",
        "a column",
        "returned a column",
        noisy_loss,
        lambda *a: noisy_weights(*a)[:, None],
    ),
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


def binomial_dropout(x, rate, seed):
    checked(rate)
    if rate == 1.0:
        return 0.0 * x
    kept = np.random.default_rng(seed).binomial(1, 1 - rate, size=x.shape)
    return x * kept / (1.0 - rate)


def dropout_of_kept_share(x, rate, seed):
    kept = dropout(np.ones_like(x), rate, seed) > 0
    return x * kept / max(kept.mean(), 1e-9)


LAYER = [
    right("6.2", "binomial", binomial_dropout),
    wrong("6.2", "divides by the share kept", "kept this time", dropout_of_kept_share),
    wrong("6.2", "flat", "should have shape", lambda x, *a: dropout(np.ravel(x), *a)),
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


def absolute_deviation(model, x, draws):
    outputs = np.stack([np.asarray(model(x, training=True)) for _ in range(draws)])
    mean = outputs.mean(axis=0)
    return mean, np.abs(outputs - mean).mean(axis=0)


def median_monte_carlo(model, x, draws):
    outputs = np.stack([np.asarray(model(x, training=True)) for _ in range(draws)])
    return np.median(outputs, axis=0), outputs.std(axis=0)


MONTE_CARLO = [
    wrong("6.3", "a draw less", "no more and no fewer", lambda m, x, n: monte_carlo(m, x, n - 1)),
    wrong("6.3", "a draw more", "no more and no fewer", lambda m, x, n: monte_carlo(m, x, n + 1)),
    wrong("6.3", "mean absolute deviation", "mean absolute deviation", absolute_deviation),
    wrong("6.3", "median", "", median_monte_carlo),
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
    wrong("6.3", "mean alone", "two values", lambda m, x, n: monte_carlo(m, x, n)[0]),
    wrong("6.3", "every draw", "one row for each draw", all_draws),
]


def train_once(model, seed, train, valid, epochs=15, weight_decay=0.0, callbacks=()):
    """Train as the page does."""
    import keras

    from helpers import training

    model.compile(
        optimizer=keras.optimizers.AdamW(weight_decay=weight_decay),
        metrics=["accuracy"],
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    cosine = keras.callbacks.LearningRateScheduler(
        lambda epoch: 0.0015 * (1 + np.cos(np.pi * epoch / epochs))
    )
    return training.fit(
        model,
        *train,
        epochs=epochs,
        batch_size=128,
        seed=seed,
        verbose=0,
        callbacks=[cosine, *callbacks],
        validation_data=valid,
    ).history


def mlp(rate, seed):
    from helpers import models

    return models.mlp((256, 256), rate=rate, seed=seed)


def accuracy(model, x, y):
    return float(np.mean(np.asarray(model(x)).argmax(axis=1) == y))


def rates_run(rates, seed, epochs, train, valid, *, build=mlp, **changes):
    model = build(rates, seed)
    history = train_once(model, seed, train, valid, epochs)
    run = {
        "model": model,
        "training": accuracy(model, *train),
        "validation": accuracy(model, *valid),
    }
    return run | {name: change(run, history) for name, change in changes.items()}


def rates_by_layers(rates, seed, epochs, train, valid):
    import keras

    keras.utils.set_random_seed(seed)
    layers = [keras.Input((784,))]
    for rate in rates:
        layers += [keras.layers.Dense(256, "relu"), keras.layers.Dropout(rate)]
    model = keras.Sequential([*layers, keras.layers.Dense(10)])
    train_once(model, seed, train, valid, epochs)
    found = [model.evaluate(*part, verbose=0)[1] for part in (train, valid)]
    return {"model": model, "training": found[0], "validation": np.float32(found[1])}


def rates_of_shared_model():
    models = {}

    def run(rates, seed, *a):
        model = models.setdefault(tuple(rates), mlp(rates, seed))
        return rates_run(rates, seed, *a, build=lambda *_: model)

    return run


def swapped_sets(run):
    return run | {"training": run["validation"], "validation": run["training"]}


def swapped_rates(rates, *a):
    return rates_run(rates[::-1], *a)


def changed(run, **changes):
    return functools.partial(run, **changes)


def linear_network(rates, seed):
    import keras

    keras.utils.set_random_seed(seed)
    hidden = [
        layer
        for rate in rates
        for layer in (keras.layers.Dense(256), keras.layers.Dropout(rate, seed=seed))
    ]
    return keras.Sequential([keras.Input((784,)), *hidden, keras.layers.Dense(10)])


RATES = [
    right("6.4", "mlp", rates_run, "b"),
    right("6.4", "layers, evaluate", rates_by_layers, "B"),
    right("6.4", "another entry", changed(rates_run, note=lambda *_: "none"), " b "),
    wrong("6.4", "rates swapped", "The rates are swapped", swapped_rates, "b"),
    wrong(
        "6.4",
        "one rate for all",
        "Use the rates that are given",
        lambda rates, *a: rates_run(rates[0], *a),
        "b",
    ),
    wrong(
        "6.4",
        "training accuracy with dropout on",
        "dropout on",
        changed(rates_run, training=lambda run, history: history["accuracy"][-1]),
        "b",
    ),
    wrong(
        "6.4",
        "test accuracy on training images",
        "'validation' is",
        changed(rates_run, validation=lambda run, history: run["training"]),
        "b",
    ),
    wrong(
        "6.4",
        "percent",
        "between 0 and 1",
        changed(rates_run, training=lambda run, history: 100 * run["training"]),
        "b",
    ),
    wrong(
        "6.4",
        "rounded",
        "without rounding",
        changed(rates_run, training=lambda run, history: round(run["training"] - 0.004, 2)),
        "b",
    ),
    wrong(
        "6.4",
        "another network",
        "784-256-256-10",
        changed(rates_run, build=lambda r, s: mlp3(s)),
        "b",
    ),
    wrong("6.4", "no activation", "with ReLU", changed(rates_run, build=linear_network), "b"),
    wrong(
        "6.4",
        "epochs unused",
        "whatever `epochs` is",
        lambda r, s, e, *a: rates_run(r, s, 5, *a),
        "b",
    ),
    wrong(
        "6.4",
        "trained on the validation images",
        "in this order",
        lambda r, s, e, train, valid: swapped_sets(rates_run(r, s, e, valid, train)),
        "b",
    ),
    wrong("6.4", "seed unused", "Two seeds", lambda r, s, *a: rates_run(r, 3, *a), "b"),
    wrong("6.4", "one network", "Begin each run with a new network", rates_of_shared_model(), "b"),
    wrong("6.4", "no model", "no entry 'model'", changed(rates_run, model=lambda *_: None), "b"),
    wrong("6.4", "numbers alone", "a dict with the keys", lambda *a: (0.9, 0.8), "b"),
    wrong("6.4", "conclusion", "about as close together", rates_run, "c"),
    wrong("6.4", "no letter", "in quotes", rates_run, (0.5, 0.5)),
]


def mlp3(seed):
    from helpers import models

    return models.mlp((256, 128), rate=0.2, seed=seed)


def loss_curve(rate, seed, epochs, train, valid, key="val_loss", rates=None, change=list):
    model = mlp((rate, rate) if rates is None else rates(rate), seed)
    history = train_once(model, seed, train, valid, epochs)
    return {"model": model, "losses": history if key is None else change(history[key])}


def loss_curve_by_callback(rate, seed, epochs, train, valid):
    import keras

    losses, model = [], mlp((rate, rate), seed)
    measure = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: losses.append(model.evaluate(*valid, verbose=0)[0])
    )
    train_once(model, seed, train, valid, epochs, callbacks=[measure])
    return {"model": model, "losses": np.array(losses, "float32")}


def cut_curve(rate, seed, epochs, train, valid):
    """Train for more epochs than are asked for, and cut the losses."""
    found = loss_curve(rate, seed, 2 * epochs, train, valid)
    return found | {"losses": found["losses"][:epochs]}


LONGER = [
    right("6.5", "history", loss_curve, "d"),
    right("6.5", "callback", loss_curve_by_callback, "d"),
    right("6.5", "tuple", changed(loss_curve, change=tuple), "D"),
    wrong("6.5", "accuracies", "ends with", changed(loss_curve, key="val_accuracy"), "d"),
    wrong("6.5", "training loss", "ends with", changed(loss_curve, key="loss"), "d"),
    wrong("6.5", "whole history", "'val_loss' alone", changed(loss_curve, key=None), "d"),
    wrong("6.5", "fixed epochs", "shape (6,)", lambda r, s, e, *a: loss_curve(r, s, 12, *a), "d"),
    wrong("6.5", "more epochs, cut", "ends with", cut_curve, "d"),
    wrong(
        "6.5",
        "one layer drops",
        "have the rates",
        changed(loss_curve, rates=lambda rate: (rate, 0.0)),
        "d",
    ),
    wrong(
        "6.5",
        "sets swapped",
        "in this order",
        lambda r, s, e, train, valid: loss_curve(r, s, e, valid, train),
        "d",
    ),
    wrong(
        "6.5",
        "sorted",
        "in the order of the epochs",
        changed(loss_curve, change=lambda losses: sorted(losses, reverse=True)),
        "d",
    ),
    wrong("6.5", "no dropout", "", lambda r, *a: loss_curve(0.0, *a), "d"),
    wrong("6.5", "seed unused", "Two seeds", lambda r, s, *a: loss_curve(r, 1, *a), "d"),
    wrong("6.5", "conclusion", "before the last epoch", loss_curve, "b"),
    wrong("6.5", "losses alone", "a dict with the keys", lambda *a: loss_curve(*a)["losses"], "d"),
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


def two_numbers(model, x, training):
    found = activation_variances(model, x, training)
    return (found + [found[-1]])[:2]


def first_two(model, x, training):
    return activation_variances(model, x, training)[:2]


def what_each_dense_reads(model, x, training):
    found = []
    for layer in model.layers:
        if "dense" in layer.name:
            found.append(float(np.var(x)))
        x = layer(x) if "dense" in layer.name else layer(x, training=training)
    return found


def without_front(model, x, training):
    """Skip a dropout layer in front of the network."""
    from helpers.backend import keras

    front = isinstance(model.layers[0], keras.layers.Dropout)
    inner = keras.Sequential([keras.Input((x.shape[1],)), *model.layers[front:]])
    return activation_variances(inner, x, training)


VARIANCE = [
    wrong("6.6", "padded to two", "should have shape (1,)", two_numbers),
    wrong("6.6", "cut to two", "should have shape (4,)", first_two),
    wrong("6.6", "input counted", "begin with what the second", what_each_dense_reads),
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
    wrong("6.6", "every layer", "not a hidden layer of its own", every_layer),
    wrong("6.6", "dropped inputs skipped", "to this layer, too", without_front),
    wrong("6.6", "before dropout", "after the dropout layer", before_dropout),
    wrong(
        "6.6",
        "ignores training",
        "without dropout",
        lambda model, x, training: activation_variances(model, x, False),
    ),
]


def variances_over_time(
    rate,
    seed,
    epochs,
    train,
    valid,
    *,
    first=True,
    statistic=np.var,
    swap=False,
    on=None,
    late=True,
):
    import keras

    model, rows = mlp(rate, seed), {True: [], False: []}

    def measure(epoch=None, logs=None):
        for mode in (True, False):
            x = (valid if on is None else on(train, valid))[0]
            if late or not rows[mode]:
                rows[mode].append(activation_variances(model, x, mode, statistic))
            else:
                rows[mode].append(rows[mode][0])

    if first:
        measure()
    watch = keras.callbacks.LambdaCallback(on_epoch_end=measure)
    train_once(model, seed, train, valid, epochs, callbacks=[watch])
    if not first:
        measure()
    return {
        "model": model,
        "training": np.array(rows[not swap]),
        "predicting": np.array(rows[swap]),
    }


def variances_epoch_by_epoch(rate, seed, epochs, train, valid):
    """Read the activations from a model of several outputs after each epoch."""
    import keras

    model, rows = mlp(rate, seed), {"training": [], "predicting": []}

    class Watch(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            self.on_epoch_end(0)

        def on_epoch_end(self, epoch, logs=None):
            rows["training"].append(functional_variances(model, valid[0], True))
            rows["predicting"].append(tf_variances(model, valid[0], False))

    train_once(model, seed, train, valid, epochs, callbacks=[Watch()])
    return rows | {"model": model}


def short_rows(*a):
    run = variances_over_time(*a)
    return run | {name: run[name][1:] for name in ("training", "predicting")}


def invented_training(rate, *a):
    run = variances_over_time(rate, *a)
    return run | {"training": 2 * run["predicting"]} if rate else run


def ends_joined(rate, seed, epochs, *a):
    """Measure before and after the training, and draw a line between."""
    run = variances_over_time(rate, seed, epochs, *a)
    return run | {
        name: np.linspace(*run[name][[0, -1]], epochs + 1) for name in ("training", "predicting")
    }


def trained_epoch_by_epoch(rate, seed, epochs, train, valid):
    """Call train_once for each epoch, so that its learning rate never falls."""
    model, rows = mlp(rate, seed), {True: [], False: []}
    for epoch in range(epochs + 1):
        if epoch:
            train_once(model, seed, train, valid, 1)
        for mode in (True, False):
            rows[mode].append(activation_variances(model, valid[0], mode))
    return {"model": model, "training": rows[True], "predicting": rows[False]}


def over_time(**options):
    return functools.partial(variances_over_time, **options)


TIME = [
    right("6.7", "arrays", variances_over_time),
    right("6.7", "a callback of its own, lists", variances_epoch_by_epoch),
    right(
        "6.7",
        "float32",
        lambda *a: {
            k: v if k == "model" else np.float32(v) for k, v in variances_over_time(*a).items()
        },
    ),
    wrong("6.7", "row 0 missing", "once before the first epoch", short_rows),
    wrong("6.7", "ends joined", "after the first epoch", ends_joined),
    wrong("6.7", "trained epoch by epoch", "one time with all", trained_epoch_by_epoch),
    wrong("6.7", "row 0 at the end", "Row 0 belongs", over_time(first=False)),
    wrong("6.7", "deviations", "hand in variances", over_time(statistic=np.std)),
    wrong("6.7", "swapped", "are swapped", over_time(swap=True)),
    wrong("6.7", "training invented", "has variances of about", invented_training),
    wrong("6.7", "training images", "validation images", over_time(on=lambda t, v: t)),
    wrong("6.7", "measured once", "measure again", over_time(late=False)),
    wrong("6.7", "seed unused", "Two seeds", lambda r, s, *a: variances_over_time(r, 1, *a)),
    wrong("6.7", "rate unused", "Use the rates", lambda r, *a: variances_over_time(0.5, *a)),
    wrong("6.7", "array alone", "a dict with the keys", lambda *a: np.ones((4, 2))),
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


def base_with_dropout(model, x, draws):
    settled = np.argmax(model(x, training=True), axis=1)
    passes = [np.argmax(model(x, training=True), axis=1) for _ in range(draws)]
    return np.mean(np.any(np.array(passes) != settled, axis=0))


def over_axis_0(model, x, draws):
    settled = np.argmax(model(x), axis=0)
    passes = [np.argmax(model(x, training=True), axis=0) for _ in range(draws)]
    return np.mean(np.any(np.array(passes) != settled, axis=0))


def one_large_batch(model, x, draws):
    settled = np.argmax(model.predict(x, verbose=0), axis=-1)
    passes = np.argmax(model(np.tile(x, (draws, 1)), training=True), axis=-1).reshape(draws, -1)
    return float((passes != settled).any(axis=0).mean())


def mostly_differs(model, x, draws):
    settled = np.argmax(model(x), axis=1)
    passes = np.array([np.argmax(model(x, training=True), axis=1) for _ in range(draws)])
    return np.mean((passes != settled).mean(axis=0) > 0.5)


CHANGES = [
    wrong("6.9", "majority", "", mostly_differs),
    wrong("6.9", "percent", "between 0 and 1", lambda *a: 100 * disagreement(*a)),
    right("6.9", "one large batch", one_large_batch),
    wrong("6.9", "base with dropout", "every pass with dropout", base_with_dropout),
    wrong("6.9", "argmax over axis 0", "`argmax` over axis 1", over_axis_0),
    wrong(
        "6.9",
        "a draw less",
        "",
        lambda m, x, n: disagreement(m, x, n - 1) if n > 1 else disagreement(m, x, 1),
    ),
    wrong("6.9", "a draw more", "", lambda m, x, n: disagreement(m, x, n + 1)),
    right("6.9", "numpy", disagreement),
    right("6.9", "loop", loop_disagreement),
    right("6.9", "tensorflow", tf_disagreement),
    wrong("6.9", "no dropout", "training=True", lambda *a: disagreement(*a, training=False)),
    wrong("6.9", "mean", "an example counts", lambda *a: disagreement(*a, over=np.mean)),
    wrong("6.9", "all", "you ask for all", lambda *a: disagreement(*a, over=np.all)),
    wrong(
        "6.9",
        "agreement",
        "count those that differ",
        lambda *a: disagreement(*a, over=np.all, differ=np.equal),
    ),
    wrong("6.9", "one pass", "as many passes", lambda m, x, n: disagreement(m, x, 1)),
    wrong("6.9", "own draws", "no more passes", lambda m, x, n: disagreement(m, x, 50)),
    wrong("6.9", "among passes", "pass without dropout", passes_differ),
    wrong("6.9", "logits", "classes rather than the logits", logits_differ),
    wrong("6.9", "mean pass", "class of their mean", mean_class_differs),
    wrong("6.9", "count", "between 0 and 1", lambda m, x, n: len(x) * disagreement(m, x, n)),
]


def decay_run(rate, decay, seed, epochs, train, valid, *, key="val_loss", place=-1, loss=None):
    model = mlp(rate, seed)
    history = train_once(model, seed, train, valid, epochs, weight_decay=decay)
    return {"model": model, "loss": loss(history) if loss else history[key][place]}


def verdict(table, *, sums=lambda a, b: a + b, share=0.2, base=(0.0, 0.0), largest=max):
    mean = {recipe: np.mean(losses) for recipe, losses in table.items()}
    decay = max(decay for _, decay in table)
    dropped, decayed = (mean[base] - mean[key] for key in ((0.5, 0.0), (0.0, decay)))
    both = mean[base] - mean[0.5, decay]
    total = sums(dropped, decayed)
    if abs(both - total) <= share * abs(total):
        return "additive"
    if both > total:
        return "more"
    return "diminished" if both > largest(dropped, decayed) else "cancel"


def verdict_by_ratio(table):
    plain = sum(table[0.0, 0.0]) / 3
    gains = {key: plain - sum(losses) / 3 for key, losses in table.items() if any(key)}
    both = next(gain for (rate, decay), gain in gains.items() if rate and decay)
    single = [gain for (rate, decay), gain in gains.items() if not (rate and decay)]
    ratio = both / sum(single)
    if 0.8 <= ratio <= 1.2:
        return "additive"
    return "more" if ratio > 1 else "diminished" if both > max(single) else "cancel"


def verdict_of_losses(table):
    """Compare the losses in place of the gains."""
    mean = {recipe: np.mean(losses) for recipe, losses in table.items()}
    decay = max(decay for _, decay in table)
    total = mean[0.5, 0.0] + mean[0.0, decay]
    both = mean[0.5, decay]
    return "additive" if abs(both - total) <= 0.2 * total else "more" if both > total else "cancel"


def verdict_by_position(table):
    plain, decayed, dropped, both = map(np.mean, table.values())
    return verdict_by_ratio(
        {
            (0.0, 0.0): [plain] * 3,
            (0.0, 1.0): [decayed] * 3,
            (0.5, 0.0): [dropped] * 3,
            (0.5, 1.0): [both] * 3,
        }
    )


def verdict_with_decay_1(table):
    return verdict({recipe: table[recipe] for recipe in itertools.product((0.0, 0.5), (0.0, 1.0))})


def in_single_precision(run):
    return run | {"loss": np.float32(run["loss"])}


def decided(**options):
    return functools.partial(verdict, **options)


def decaying(**options):
    return functools.partial(decay_run, **options)


CELLS = [
    right("6.11", "by the rule", decay_run, verdict),
    right("6.11", "ratio", decay_run, verdict_by_ratio),
    right(
        "6.11",
        "float32",
        lambda *a: in_single_precision(decay_run(*a)),
        verdict,
    ),
    wrong(
        "6.11", "decay unused", "Hand the decay", lambda r, d, *a: decay_run(r, 0.0, *a), verdict
    ),
    wrong("6.11", "rate unused", "Use the rates", lambda r, *a: decay_run(0.5, *a), verdict),
    wrong("6.11", "accuracy", "which is the accuracy", decaying(key="val_accuracy"), verdict),
    wrong("6.11", "training loss", "last 'val_loss'", decaying(key="loss"), verdict),
    wrong(
        "6.11",
        "best epoch",
        "last 'val_loss'",
        decaying(loss=lambda h: min(h["val_loss"])),
        verdict,
    ),
    wrong(
        "6.11",
        "epochs unused",
        "whatever `epochs` is",
        lambda r, d, s, e, *a: decay_run(r, d, s, 3, *a),
        verdict,
    ),
    wrong(
        "6.11",
        "medians",
        "the rule says",
        decay_run,
        lambda table: verdict({recipe: [np.median(losses)] for recipe, losses in table.items()}),
    ),
    wrong("6.11", "decay of 1", "Take the decay above 0", decay_run, verdict_with_decay_1),
    wrong("6.11", "first epoch", "last 'val_loss'", decaying(place=0), verdict),
    wrong("6.11", "seed unused", "Two seeds", lambda r, d, s, *a: decay_run(r, d, 1, *a), verdict),
    wrong("6.11", "always additive", "the rule says", decay_run, lambda table: "additive"),
    wrong("6.11", "10 percent", "the rule says", decay_run, decided(share=0.1)),
    wrong("6.11", "smaller gain", "the rule says", decay_run, decided(largest=min)),
    wrong("6.11", "larger gain as sum", "the rule says", decay_run, decided(sums=max)),
    wrong("6.11", "losses compared", "the rule says", decay_run, verdict_of_losses),
    wrong("6.11", "by position", "the rule says", decay_run, verdict_by_position),
    wrong("6.11", "other words", "return one of", decay_run, lambda table: "good"),
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


def connect(shape=None, scale=None, bias=1.0):
    return lambda *a: drop_connect(*a, shape, scale, bias)


def dropped_by_keras(x, w, b, rate, seed):
    import keras

    checked(rate, 0.999)
    return keras.ops.matmul(np.float32(x), keras.random.dropout(np.float32(w), rate, seed=seed)) + b


CONNECT = [
    right("6.12", "Keras's dropout of the weights", dropped_by_keras, "a"),
    right("6.12", "numpy", drop_connect, "a"),
    right("6.12", "loop", loop_drop_connect, "A"),
    right("6.12", "tensorflow", tf_drop_connect, "a"),
    wrong("6.12", "inputs", "Whole inputs", connect(lambda s: (s[0], 1)), "a"),
    wrong("6.12", "outputs", "Whole outputs", connect(lambda s: (1, s[1])), "a"),
    wrong("6.12", "result dropped", "biases or outputs are dropped", drops_outputs, "a"),
    wrong("6.12", "biases dropped", "biases or outputs are dropped", drops_biases, "a"),
    wrong("6.12", "rate kept", "to drop, not to keep", keeps_rate, "a"),
    wrong("6.12", "exact share", "varies from seed to seed", drops_exact_share, "a"),
    wrong(
        "6.12",
        "no seed",
        "",
        lambda x, w, b, r, s: drop_connect(x, w, b, r, None),
        "a",
    ),
    wrong("6.12", "not scaled", "not scaled", connect(scale=1.0), "a"),
    wrong("6.12", "a mask per row", "one mask serves", mask_for_each_row, "a"),
    wrong("6.12", "biases scaled", "biases are scaled", drops_biases_too, "a"),
    wrong("6.12", "no biases", "biases are missing", connect(bias=0.0), "a"),
    wrong(
        "6.12", "seed fixed", "same mask", lambda x, w, b, r, s: drop_connect(x, w, b, r, 3), "a"
    ),
    wrong("6.12", "any rate", "should raise a ValueError", unchecked_drop_connect, "a"),
    wrong("6.12", "conclusion", "one lost activation", drop_connect, "b"),
]


def noisy_model(*noise, units=(256, 256, 10), front=(), last=None, activation="relu"):
    import keras

    layers = [keras.Input((784,)), *front]
    for number, width in enumerate(units):
        kind = activation if number < len(units) - 1 else last
        layers += [keras.layers.Dense(width, kind), *noise[number : number + 1]]
    return keras.Sequential(layers)


def shift(largest=1):
    """Return a layer that moves each picture by up to `largest` whole pixels."""
    import keras

    ops, width = keras.ops, 28 + 2 * largest

    class Shift(keras.layers.Layer):
        def __init__(self):
            super().__init__()
            self.draws = keras.random.SeedGenerator(1)

        def call(self, x, training=False):
            if not training:
                return x
            margin = (largest, largest)
            padded = ops.pad(ops.reshape(x, (-1, 28, 28)), ((0, 0), margin, margin))
            moves = keras.random.randint((ops.shape(x)[0], 2), 0, 2 * largest + 1, seed=self.draws)
            rows, columns = (moves[:, place, None] + np.arange(28) for place in (0, 1))
            places = ops.reshape(rows[:, :, None] * width + columns[:, None, :], (-1, 784))
            return ops.take_along_axis(ops.reshape(padded, (-1, width * width)), places, axis=1)

    return Shift()


def gaussian(rate, seed):
    import keras

    return [keras.layers.GaussianDropout(rate, seed=seed + place) for place in (0, 1)]


def shifted(seed):
    import keras

    keras.utils.set_random_seed(seed)
    return noisy_model(*gaussian(0.2, seed), front=[shift()])


def shifted_alone(seed):
    import keras

    keras.utils.set_random_seed(seed)
    return noisy_model(front=[shift()])


def contrast_and_shift(seed):
    import keras

    layers = keras.layers
    keras.utils.set_random_seed(seed)
    contrast = layers.RandomContrast(0.5, value_range=(0, 1))
    return noisy_model(
        *gaussian(0.1, seed),
        front=[layers.Reshape((28, 28, 1)), contrast, layers.Reshape((784,)), shift()],
    )


def functional(seed):
    import keras

    keras.utils.set_random_seed(seed)
    inputs = keras.Input((784,))
    x = shift()(inputs)
    for noise in gaussian(0.2, seed):
        x = noise(keras.layers.Dense(256, "relu")(x))
    return keras.Model(inputs, keras.layers.Dense(10)(x))


def mask_layer(rate=0.5, scaled=True):
    """Return dropout as a layer of one's own."""
    import keras

    class Mask(keras.layers.Layer):
        def call(self, x, training=False):
            if not training:
                return x
            if scaled:
                return keras.random.dropout(x, rate)
            kept = keras.random.uniform(keras.ops.shape(x)) >= rate
            return x * keras.ops.cast(kept, x.dtype)

    return Mask()


def always_noisy(seed):
    import keras

    class Noise(keras.layers.Layer):
        def call(self, x):
            return x + 0.1 * keras.random.normal(keras.ops.shape(x))

    return noisy_model(Noise())


def with_dropout(seed):
    import keras

    return noisy_model(keras.layers.Dropout(0.2), keras.layers.GaussianNoise(0.1))


def convolutional(seed):
    import keras

    layers = keras.layers
    front = layers.Reshape((28, 28, 1)), layers.Conv2D(1, 3, padding="same"), layers.Flatten()
    return noisy_model(*gaussian(0.2, seed), front=front)


def normalised(seed):
    import keras

    return noisy_model(*gaussian(0.2, seed), front=[keras.layers.BatchNormalization()])


def learned_noise(seed):
    import keras

    class Learned(keras.layers.Layer):
        def build(self, shape):
            self.size = self.add_weight(shape=(), initializer="ones")

        def call(self, x, training=False):
            return x + self.size * keras.random.normal(keras.ops.shape(x)) if training else x

    return noisy_model(Learned())


def too_noisy(seed):
    import keras

    keras.utils.set_random_seed(seed)
    return noisy_model(front=[keras.layers.GaussianNoise(3.0)])


NOISE = [
    right("6.13", "shift and Gaussian factors", shifted),
    right("6.13", "contrast and shift", contrast_and_shift),
    right("6.13", "functional", functional),
    wrong("6.13", "dropout", "contains a Dropout layer", with_dropout),
    wrong("6.13", "dropout by hand", "whatever it is called", lambda s: noisy_model(mask_layer())),
    wrong(
        "6.13",
        "dropout behind the second layer",
        "whatever it is called",
        lambda s: noisy_model(*gaussian(0.2, s)[:1], mask_layer(0.2)),
    ),
    wrong(
        "6.13",
        "dropped pixels",
        "whatever it is called",
        lambda s: noisy_model(front=[mask_layer(0.2, scaled=False)]),
    ),
    wrong("6.13", "convolution", "three Dense layers", convolutional),
    wrong("6.13", "batch normalisation", "three Dense layers", normalised),
    wrong("6.13", "learned noise", "three Dense layers", learned_noise),
    wrong("6.13", "no noise", "no noise in the model", lambda seed: noisy_model()),
    wrong("6.13", "wider", "fixed at 784", lambda s: noisy_model(units=(512, 256, 10))),
    wrong("6.13", "always on", "must be off", always_noisy),
    wrong("6.13", "softmax", "logits", lambda s: noisy_model(*gaussian(0.2, s), last="softmax")),
    wrong("6.13", "tanh", "with ReLU", lambda s: noisy_model(*gaussian(0.2, s), activation="tanh")),
    wrong("6.13", "underfits", "A win is a lower loss", too_noisy),
    wrong("6.13", "no model", "should return a Keras model", lambda seed: None),
]

# These train for seconds and tell little that the others do not.
SLOW = {
    ("6.3", "mean alone"),
    ("6.3", "softmax"),
    ("6.3", "own draws"),
    ("6.5", "callback"),
    ("6.11", "ratio"),
    ("6.11", "medians"),
    ("6.11", "smaller gain"),
    ("6.11", "larger gain as sum"),
    ("6.11", "losses compared"),
    ("6.11", "other words"),
    ("6.11", "always additive"),
    ("6.13", "shift and Gaussian factors"),
    ("6.13", "functional"),
    ("6.13", "underfits"),
}

CASES = in_slow_runs(
    SLOW,
    [
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
    ],
)
