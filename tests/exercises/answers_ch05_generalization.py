"""Right and wrong answers to the exercises of chapter 5, with the words a wrong one must meet."""

from __future__ import annotations

import copy

import numpy as np
import pandas as pd

from tests.exercises.answers import right, wrong


def polynomial(fit, *, error="mean", lowest=0, extra=0, refit=False, swap=False, kind=np.array):
    """Return a `polynomial_errors` that solves by `fit(A, y)` and may make one mistake."""

    def polynomial_errors(x_train, y_train, x_validation, y_validation, degrees):
        rows = []
        for degree in degrees:
            powers = np.arange(lowest, degree + 1 + extra)
            pair = []
            for x, y in ((x_train, y_train), (x_validation, y_validation)):
                source = (x, y) if refit else (x_train, y_train)
                c = fit(source[0][:, None] ** powers, source[1])
                squares = (x[:, None] ** powers @ c - y) ** 2
                pair.append(
                    {
                        "mean": squares.mean(),
                        "root": squares.mean() ** 0.5,
                        "sum": squares.sum(),
                        "half": squares.mean() / 2,
                        "absolute": np.sqrt(squares).mean(),
                    }[error]
                )
            rows.append(pair[::-1] if swap else pair)
        return tuple(kind(column) for column in zip(*rows, strict=True))

    return polynomial_errors


def least_squares(A, y):
    return np.linalg.lstsq(A, y, rcond=None)[0]


def pseudo_inverse(A, y):
    return np.linalg.pinv(A) @ y


def polyfit_errors(x_train, y_train, x_validation, y_validation, degrees):
    fits = [np.polyfit(x_train, y_train, degree) for degree in degrees]
    return np.array(
        [
            [np.mean((np.polyval(fit, x) - y) ** 2) for fit in fits]
            for x, y in ((x_train, y_train), (x_validation, y_validation))
        ]
    )


def float32_errors(x_train, y_train, x_validation, y_validation, degrees):
    data = [values.astype(np.float32) for values in (x_train, y_train, x_validation, y_validation)]
    return tuple(values.astype(np.float32) for values in polyfit_errors(*data, degrees))


POLYNOMIAL = [
    right("5.1", "least squares", polynomial(least_squares)),
    right("5.1", "pseudo-inverse, lists", polynomial(pseudo_inverse, kind=list)),
    right("5.1", "polyfit, one array", polyfit_errors),
    right("5.1", "float32", float32_errors),
    wrong("5.1", "root", "root mean squared", polynomial(least_squares, error="root")),
    wrong("5.1", "sum", "sums of squares", polynomial(least_squares, error="sum")),
    wrong("5.1", "half", "halves of the mean", polynomial(least_squares, error="half")),
    wrong("5.1", "absolute", "mean absolute", polynomial(least_squares, error="absolute")),
    wrong("5.1", "swapped", "swapped", polynomial(least_squares, swap=True)),
    wrong("5.1", "refitted", "training points only", polynomial(least_squares, refit=True)),
    wrong("5.1", "one degree more", "too many", polynomial(least_squares, extra=1)),
    wrong("5.1", "one degree less", "too few", polynomial(least_squares, extra=-1)),
    wrong("5.1", "no constant", "constant term", polynomial(least_squares, lowest=1)),
    wrong("5.1", "one list", "two arrays", lambda *data: [0.1, 0.2, 0.3, 0.4]),
]


def rising(first, above, epochs=60):
    """Return a curve of training accuracy that passes 0.99 in epoch `above`, counted from 1."""
    before = np.linspace(first, 0.98, above - 1)
    return [*before.tolist(), *[0.995] * (epochs - above + 1)]


LABELS = {
    "share": [0.0, 0.5, 1.0],
    "parameters": [203530] * 3,
    "before": [0.0855] * 3,
    "train_accuracy": [1.0, 0.999, 0.996],
    "test_accuracy": [0.81, 0.5015, 0.0985],
    "epochs": [14, 31, 36],
    "curve": [rising(0.56, 14), rising(0.27, 31), rising(0.09, 36)],
}


def labels(**changes):
    return LABELS | changes


RANDOM_LABELS = [
    right("5.3", "dict of lists", LABELS),
    right("5.3", "data frame", pd.DataFrame(LABELS)),
    right("5.3", "list of rows", pd.DataFrame(LABELS).to_dict("records")),
    right("5.3", "float32 arrays", {k: np.float32(v) for k, v in LABELS.items()}),
    right("5.3", "a column of remarks besides", labels(remark="no rows here")),
    wrong("5.3", "epochs from 0", "count it as 1", labels(epochs=[13, 30, 35])),
    wrong("5.3", "epochs of another run", "by the curves", labels(epochs=[14, 31, 40])),
    wrong(
        "5.3",
        "one model for all runs",
        "begin each run with a new network",
        labels(before=[0.0855, 0.81, 0.5]),
    ),
    wrong(
        "5.3",
        "curves stop early",
        "each should pass 0.99",
        labels(curve=[rising(0.56, 14), rising(0.27, 31), [0.9] * 60]),
    ),
    wrong("5.3", "curves of losses", "not percent or losses", labels(curve=[[2.3, 0.1]] * 3)),
    wrong(
        "5.3",
        "no curves",
        "lacks the column 'curve'",
        {k: v for k, v in LABELS.items() if k != "curve"},
    ),
    wrong("5.3", "parameters as one number", "one entry per row", labels(parameters=203530)),
    wrong("5.3", "not fitted", "to pass 0.99", labels(train_accuracy=[1.0, 0.93, 0.71])),
    wrong(
        "5.3",
        "tested on training images",
        "same numbers",
        labels(test_accuracy=LABELS["train_accuracy"]),
    ),
    wrong("5.3", "labels stay true", "chance is about", labels(test_accuracy=[0.81, 0.8, 0.79])),
    wrong("5.3", "pairs lost", "belong to their", labels(test_accuracy=[0.1, 0.09, 0.1])),
    wrong("5.3", "another network", "same network", labels(parameters=[203530, 1, 203530])),
    wrong("5.3", "percent", "not percent", labels(test_accuracy=[81.0, 50.0, 9.0])),
    wrong("5.3", "invented", "whole number", labels(test_accuracy=[0.81234, 0.5, 0.1])),
    wrong(
        "5.3",
        "random is faster",
        "longer to fit",
        labels(epochs=[36, 31, 14], curve=LABELS["curve"][::-1]),
    ),
    wrong("5.3", "shares missing", "0, 0.5, 1", labels(share=[0.0, 0.2, 1.0])),
    wrong("5.3", "a number", "a table", 0.99),
    wrong("5.3", "two rows", "3 are asked", {k: v[:2] for k, v in LABELS.items()}),
]

WIDTHS = [20, 50, 100, 150, 180, 200, 220, 300, 600, 2000]
CURVE = {
    "width": WIDTHS,
    "train_error": [0.06, 0.037, 0.02, 0.009, 0.0033, 1e-9, 1e-20, 0, 0, 0],
    "test_error": [0.07, 0.066, 0.09, 0.22, 0.6, 60.0, 0.9, 0.2, 0.1, 0.055],
}


def curve(**changes):
    return CURVE | changes


DOUBLE_DESCENT = [
    right("5.5", "dict of lists", CURVE),
    right("5.5", "data frame, widths backwards", pd.DataFrame(CURVE)[::-1]),
    right("5.5", "arrays", {k: np.array(v) for k, v in CURVE.items()}),
    wrong(
        "5.5",
        "tested on training images",
        "same numbers",
        curve(
            test_error=[0.06, 0.037, 0.02, 0.009, 0.0033, 1e-9, 1e-20, 1e-20, 1e-20, 1e-20],
            train_error=[0.06, 0.037, 0.02, 0.009, 0.0033, 1e-9, 1e-20, 1e-20, 1e-20, 1e-20],
        ),
    ),
    wrong(
        "5.5",
        "weight decay",
        "weight decay",
        curve(train_error=[0.07, 0.05, 0.04, 0.035, 0.03, 0.028, 0.026, 0.02, 0.015, 0.01]),
    ),
    wrong(
        "5.5",
        "small ridge",
        "a small penalty",
        curve(train_error=[*CURVE["train_error"][:5], 2e-4, 1e-9, 2e-11, 3e-12, 5e-13]),
    ),
    wrong(
        "5.5",
        "single precision",
        "float32 does, too",
        curve(train_error=[*CURVE["train_error"][:5], 1e-12, 7e-15, 1e-15, 5e-16, 1e-16]),
    ),
    wrong(
        "5.5",
        "too few images",
        "largest test error is at width 100",
        curve(test_error=[0.07, 0.2, 60.0, 0.9, 0.5, 0.4, 0.3, 0.2, 0.1, 0.055]),
    ),
    wrong(
        "5.5",
        "no peak",
        "stands out",
        curve(test_error=[0.07, 0.066, 0.07, 0.08, 0.09, 0.1, 0.09, 0.08, 0.07, 0.055]),
    ),
    wrong(
        "5.5",
        "sums",
        "at the largest width",
        curve(test_error=[v * 20000 for v in CURVE["test_error"]]),
    ),
    wrong("5.5", "threshold missing", "contain 200", {k: v[:5] + v[6:] for k, v in CURVE.items()}),
    wrong("5.5", "few widths", "at least 8", {k: v[:5] for k, v in CURVE.items()}),
]


def knn_loop(train_x, train_y, x, k):
    train_x, x = np.asarray(train_x, dtype=float), np.asarray(x, dtype=float)
    found = []
    for query in x:
        nearest = np.argsort(((train_x - query) ** 2).sum(axis=1))[:k]
        found.append(int(np.bincount(train_y[nearest]).argmax()))
    return found


def knn_matrix(train_x, train_y, x, k, *, dtype=float, order=1, pick=None):
    train_x, x = np.asarray(train_x, dtype=dtype), np.asarray(x, dtype=dtype)
    distances = (x**2).sum(1)[:, None] - 2 * x @ train_x.T + (train_x**2).sum(1)
    nearest = np.argsort(order * distances, axis=1)[:, :k]
    if pick is not None:
        return pick(train_y[nearest], nearest)
    votes = (train_y[nearest][:, :, None] == np.arange(train_y.max() + 1)).sum(axis=1)
    return votes.argmax(axis=1)


def knn_float32(train_x, train_y, x, k):
    return knn_matrix(train_x, train_y, x, k, dtype=np.float32)


def knn_tensorflow(train_x, train_y, x, k):
    import tensorflow as tf

    train_x, x = tf.cast(train_x, tf.float64), tf.cast(x, tf.float64)
    distances = tf.reduce_sum((x[:, None] - train_x) ** 2, axis=2)
    nearest = tf.math.top_k(-distances, k).indices
    votes = tf.reduce_sum(tf.one_hot(tf.gather(train_y, nearest), 10), axis=1)
    return tf.argmax(votes, axis=1)


def knn_manhattan(train_x, train_y, x, k):
    train_x, x = np.asarray(train_x, dtype=float), np.asarray(x, dtype=float)
    nearest = np.argsort(np.abs(x[:, None] - train_x).sum(axis=2), axis=1)[:, :k]
    return np.array([np.bincount(row).argmax() for row in train_y[nearest]])


def knn_uint8(train_x, train_y, x, k):
    nearest = np.argsort(((x[:, None] - train_x) ** 2).sum(axis=2), axis=1)[:, :k]
    return np.array([np.bincount(row).argmax() for row in train_y[nearest]])


def knn_last_of_tied(train_x, train_y, x, k):
    return 9 - np.array(knn_loop(train_x, 9 - train_y, x, k))


def knn_mean(train_x, train_y, x, k):
    return knn_matrix(train_x, train_y, x, k, pick=lambda votes, _: votes.mean(axis=1))


NEIGHBOURS = [
    right("5.6", "loop, list", knn_loop),
    right("5.6", "one matrix", knn_matrix),
    right("5.6", "float32", knn_float32),
    right("5.6", "tensorflow", knn_tensorflow),
    wrong("5.6", "farthest", "farthest", lambda a, b, c, k: knn_matrix(a, b, c, k, order=-1)),
    wrong(
        "5.6", "nearest alone", "let the k nearest vote", lambda a, b, c, k: knn_loop(a, b, c, 1)
    ),
    wrong("5.6", "mean label", "count votes", knn_mean),
    wrong(
        "5.6",
        "positions",
        "not their labels",
        lambda a, b, c, k: knn_matrix(a, b, c, k, pick=lambda _, where: where[:, 0]),
    ),
    wrong("5.6", "absolute differences", "adds squares", knn_manhattan),
    wrong("5.6", "uint8 wraps", "convert to float", knn_uint8),
    wrong("5.6", "tie to the largest", "smallest of the tied", knn_last_of_tied),
    wrong(
        "5.6",
        "all neighbours",
        "one label a query",
        lambda a, b, c, k: knn_matrix(a, b, c, k, pick=lambda votes, _: votes),
    ),
]


def ntk(first, second, *, layers=slice(None), dtype="float32"):
    """Return an `empirical_ntk` by the tape that uses the variables in `layers` only."""

    def rows(model, x):
        import tensorflow as tf

        with tf.GradientTape() as tape:
            outputs = model(tf.convert_to_tensor(x))
        variables = [variable.value for variable in model.trainable_variables]
        blocks = tape.jacobian(outputs, variables[layers])
        return tf.concat([tf.reshape(block, (len(x), -1)) for block in blocks], axis=1)

    def empirical_ntk(model, x, other):
        import tensorflow as tf

        a, b = rows(model, (x, other)[first]), rows(model, (x, other)[second])
        return tf.cast(a @ tf.transpose(b), dtype)

    return empirical_ntk


def ntk_loop(model, first, second):
    import tensorflow as tf

    def gradient(x):
        with tf.GradientTape() as tape:
            output = model(x[None])
        parts = tape.gradient(output, model.trainable_variables)
        return np.concatenate([np.ravel(part) for part in parts])

    left, right_ = [gradient(x) for x in first], [gradient(x) for x in second]
    return [[float(a @ b) for b in right_] for a in left]


def ntk_by_hand(model, first, second):
    W1, b1, W2, _ = (weight.astype(float) for weight in model.get_weights())

    def rows(x):
        hidden = np.tanh(x @ W1 + b1)
        back = (1 - hidden**2) * W2[:, 0]
        inner = np.einsum("ni,nj->nij", x, back).reshape(len(x), -1)
        return np.hstack([inner, back, hidden, np.ones((len(x), 1))])

    return rows(first) @ rows(second).T


def ntk_averaged(model, first, second):
    return ntk(0, 1)(model, first, second).numpy() / model.count_params()


def ntk_outputs(model, first, second):
    return model(first).numpy() @ model(second).numpy().T


def ntk_of_batches(batch, *, full):
    """Return the product of the gradients of the batch's sum or mean, for all pairs or once."""

    def empirical_ntk(model, first, second):
        import tensorflow as tf

        sides = []
        for x in (first, second):
            with tf.GradientTape() as tape:
                output = batch(model(tf.convert_to_tensor(x)))
            parts = tape.gradient(output, model.trainable_variables)
            sides.append(np.concatenate([np.ravel(part) for part in parts]))
        product = float(sides[0] @ sides[1])
        return np.full((len(first), len(second)), product) if full else product

    return empirical_ntk


def batch_sum(outputs):
    import tensorflow as tf

    return tf.reduce_sum(outputs)


def batch_mean(outputs):
    import tensorflow as tf

    return tf.reduce_mean(outputs)


def ntk_without_biases(model, first, second):
    kernels = [ntk(0, 1, layers=slice(i, i + 1))(model, first, second) for i in (0, 2)]
    return sum(kernels)


KERNELS = [
    right("5.7", "jacobian", ntk(0, 1)),
    right("5.7", "jacobian, float64", ntk(0, 1, dtype="float64")),
    right("5.7", "loop of gradients", ntk_loop),
    right("5.7", "by hand in NumPy", ntk_by_hand),
    wrong("5.7", "transposed", "is transposed", ntk(1, 0)),
    wrong("5.7", "last layer", "only the last layer", ntk(0, 1, layers=slice(2, 4))),
    wrong("5.7", "first layer", "only the first layer", ntk(0, 1, layers=slice(0, 2))),
    wrong("5.7", "no biases", "biases are missing", ntk_without_biases),
    wrong("5.7", "averaged", "divided by the number of parameters", ntk_averaged),
    wrong("5.7", "batch sum", "of the sum of the first", ntk_of_batches(batch_sum, full=False)),
    wrong("5.7", "batch mean", "of the mean of the first", ntk_of_batches(batch_mean, full=True)),
    wrong("5.7", "outputs", "product of the outputs", ntk_outputs),
]


def stopping(*, compare=np.less, against_best=True, reset=True, late=0, everything=False, base=0):
    """Return an `early_stop` that counts waiting epochs and may make one mistake."""

    def early_stop(losses, patience, min_delta):
        if not losses:
            raise ValueError("There are no losses.")
        reference, best_epoch, waited = losses[0], 0, 0
        for epoch in range(1, len(losses)):
            if compare(losses[epoch], reference - min_delta):
                best_epoch, waited = epoch, 0 if reset else waited
                reference = losses[epoch]
            else:
                waited += 1
                if waited >= patience + late:
                    best = int(np.argmin(losses)) if everything else best_epoch
                    return epoch + base, best + base
            if not against_best:
                reference = losses[epoch]
        return len(losses) - 1 + base, best_epoch + base

    return early_stop


def stopping_by_argmin(losses, patience, min_delta):
    """Start anew after each improvement instead of counting."""
    losses = np.asarray(losses, dtype=np.float32)
    if losses.size == 0:
        raise ValueError("There are no losses.")
    best = 0
    while True:
        later = np.flatnonzero(losses[best + 1 :] < losses[best] - min_delta)
        if later.size and later[0] < patience:
            best += int(later[0]) + 1
        else:
            return np.array([min(best + patience, len(losses) - 1), best])


def stopping_ignoring_delta(losses, patience, min_delta):
    return stopping()(losses, patience, 0.0)


def stopping_swapped(losses, patience, min_delta):
    return stopping()(losses, patience, min_delta)[::-1]


def stopping_at_lowest(losses, patience, min_delta):
    """Move the reference with every lower loss, also by less than min_delta."""
    if not losses:
        raise ValueError("There are no losses.")
    lowest, best, waited = losses[0], 0, 0
    for epoch in range(1, len(losses)):
        waited = 0 if losses[epoch] < lowest - min_delta else waited + 1
        best = epoch if waited == 0 else best
        lowest = min(lowest, losses[epoch])
        if waited >= patience:
            return epoch, best
    return len(losses) - 1, best


def stopping_by_keras(losses, patience, min_delta):
    import keras

    if not losses:
        raise ValueError("There are no losses.")
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    rule = keras.callbacks.EarlyStopping(
        monitor="val_loss", patience=patience, min_delta=min_delta, mode="min"
    )
    rule.set_model(model)
    rule.on_train_begin()
    model.stop_training = False
    for epoch, loss in enumerate(losses):
        rule.on_epoch_end(epoch, {"val_loss": loss})
        if model.stop_training:
            break
    return epoch, rule.best_epoch


STOPPING = [
    right("5.11", "counting", stopping()),
    right("5.11", "restart after each improvement", stopping_by_argmin),
    right("5.11", "Keras's own callback", stopping_by_keras),
    wrong("5.11", "equal counts", "compare with <", stopping(compare=np.less_equal)),
    wrong(
        "5.11", "against the loss before", "not with the loss before", stopping(against_best=False)
    ),
    wrong("5.11", "never reset", "back to zero", stopping(reset=False)),
    wrong("5.11", "one epoch late", "with patience", stopping(late=1)),
    wrong("5.11", "best of all", "not known yet", stopping(everything=True)),
    wrong("5.11", "from 1", "count from 0", stopping(base=1)),
    wrong("5.11", "no min_delta", "larger than min_delta", stopping_ignoring_delta),
    wrong("5.11", "lowest seen", "small steps add up", stopping_at_lowest),
    wrong("5.11", "swapped", "swapped", stopping_swapped),
    wrong("5.11", "one number", "two numbers", lambda losses, patience, min_delta: 3),
]

EPOCHS = np.arange(60)
CLEAN = np.stack([0.84 - 0.2 * np.exp(-EPOCHS / shift) for shift in (3, 4)])
NOISY = np.stack([0.74 - 0.2 * np.exp(-EPOCHS / 2) - 0.0025 * EPOCHS - s for s in (0.0, 0.01)])
NOISE_CURVES = [
    right("5.13", "arrays", {"clean": CLEAN, "noisy": NOISY}),
    right("5.13", "lists", {"clean": CLEAN.tolist(), "noisy": NOISY.tolist()}),
    right(
        "5.13",
        "three seeds, list of arrays",
        {"clean": [*CLEAN, CLEAN[0] - 0.01], "noisy": [*NOISY, NOISY[0] - 0.02]},
    ),
    wrong("5.13", "swapped", "noise", {"clean": NOISY, "noisy": CLEAN}),
    wrong("5.13", "one seed", "one row a seed", {"clean": CLEAN[:1], "noisy": NOISY[:1]}),
    wrong("5.13", "same seed twice", "own seed", {"clean": CLEAN[[0, 0]], "noisy": NOISY}),
    wrong("5.13", "losses", "not percent or losses", {"clean": 1 / CLEAN, "noisy": 1 / NOISY}),
    wrong(
        "5.13",
        "noisy test labels",
        "validation images with true",
        {"clean": CLEAN, "noisy": NOISY * 0.6},
    ),
    wrong("5.13", "no noise", "memorised", {"clean": CLEAN, "noisy": CLEAN - 0.01}),
    wrong(
        "5.13",
        "training curve",
        "training images",
        {"clean": np.minimum(1, 1.02 - 0.2 * np.exp(-EPOCHS / 3 - [[0], [0.1]])), "noisy": NOISY},
    ),
    wrong("5.13", "a list", "the keys 'clean' and 'noisy'", [0.8, 0.7]),
    wrong("5.13", "few epochs", "at least 60", {"clean": CLEAN[:, :5], "noisy": NOISY[:, :5]}),
    wrong("5.13", "59 epochs", "at least 60", {"clean": CLEAN[:, :59], "noisy": NOISY[:, :59]}),
]

SAVED = {
    "full": {"epochs": 60, "seconds": 3.2, "accuracy": 0.84},
    "stopped": {"epochs": 15, "seconds": 1.9, "accuracy": 0.83},
    "saved": 0.75,
}


def saved(**changes):
    """Return SAVED with entries such as stopped_epochs=60 changed."""
    table = copy.deepcopy(SAVED)
    for name, value in changes.items():
        run, _, key = name.partition("_")
        if key:
            table[run][key] = value
        else:
            table[run] = value
    return table


TIME_SAVED = [
    right("5.15", "numbers", SAVED),
    right("5.15", "NumPy scalars", saved(full_epochs=np.int64(60), saved=np.float32(0.75))),
    right("5.15", "rounded, other counts", saved(stopped_epochs=17, saved=0.72)),
    wrong("5.15", "no callback", "EarlyStopping callback", saved(stopped_epochs=60, saved=0.0)),
    wrong(
        "5.15", "share that ran", "share of epochs that ran", saved(stopped_epochs=12, saved=0.2)
    ),
    wrong("5.15", "percent", "not percent", saved(saved=75)),
    wrong("5.15", "epochs saved", "divide by the epochs", saved(saved=45)),
    wrong("5.15", "negative seconds", "the time after", saved(full_seconds=-3.2)),
    wrong(
        "5.15",
        "stopped too early",
        "should lose less",
        saved(stopped_epochs=2, stopped_accuracy=0.7, saved=58 / 60),
    ),
    wrong("5.15", "keys missing", "'saved'", {"full": SAVED["full"]}),
    wrong("5.15", "40 epochs in full", "let it run", saved(full_epochs=40, saved=25 / 40)),
    wrong("5.15", "short full run", "let it run", saved(full_epochs=16, saved=1 / 16)),
]


def penalties(l2=None, l1=None, kind=np.asarray):
    """Return both penalties as functions; `l2` and `l1` replace the right (value, gradient)."""

    def l2_penalty(weights, strength):
        weights = kind(weights)
        return (l2 or (lambda w, s: (s / 2 * (w**2).sum(), s * w)))(weights, strength)

    def l1_penalty(weights, strength):
        weights = kind(weights)
        return (l1 or (lambda w, s: (s * abs(w).sum(), s * np.sign(w))))(weights, strength)

    return l2_penalty, l1_penalty


def tape_penalties():
    import tensorflow as tf

    def by_tape(penalty):
        def function(weights, strength):
            w = tf.Variable(weights)
            with tf.GradientTape() as tape:
                value = penalty(w, strength)
            return value, tape.gradient(value, w)

        return function

    return (
        by_tape(lambda w, s: s * tf.nn.l2_loss(w)),
        by_tape(lambda w, s: s * tf.reduce_sum(tf.abs(w))),
    )


def loop_l1(w, s):
    value, gradient = 0.0, np.zeros_like(w)
    for index, weight in np.ndenumerate(w):
        value += s * abs(weight)
        gradient[index] = s if weight > 0 else -s if weight < 0 else 0.0
    return value, gradient


def quotient_l1(w, s):
    with np.errstate(invalid="ignore"):
        return s * abs(w).sum(), s * w / abs(w)


PENALTIES = [
    right("5.16", "NumPy", *penalties()),
    right("5.16", "float32", *penalties(kind=np.float32)),
    right("5.16", "loop", *penalties(l1=loop_l1)),
    right("5.16", "tape", *tape_penalties()),
    wrong(
        "5.16",
        "no half",
        "half is missing",
        *penalties(l2=lambda w, s: (s * (w**2).sum(), 2 * s * w)),
    ),
    wrong(
        "5.16",
        "gradient twice",
        "twice the gradient",
        *penalties(l2=lambda w, s: (s / 2 * (w**2).sum(), 2 * s * w)),
    ),
    wrong(
        "5.16",
        "mean",
        "penalty is the sum",
        *penalties(l2=lambda w, s: (s / 2 * (w**2).mean(), s * w)),
    ),
    wrong(
        "5.16",
        "no absolute value",
        "cancel",
        *penalties(l1=lambda w, s: (s * w.sum(), s * np.sign(w))),
    ),
    wrong(
        "5.16",
        "one-sided zero",
        "weight of 0",
        *penalties(l1=lambda w, s: (s * abs(w).sum(), s * np.where(w > 0, 1, -1))),
    ),
    wrong("5.16", "NaN at zero", "use the sign", *penalties(l1=quotient_l1)),
    wrong("5.16", "value alone", "two things", *penalties(l2=lambda w, s: s / 2 * (w**2).sum())),
    wrong(
        "5.16",
        "sign turned",
        "sign is turned",
        *penalties(l2=lambda w, s: (s / 2 * (w**2).sum(), -s * w)),
    ),
]

CASES = [
    *POLYNOMIAL,
    *RANDOM_LABELS,
    *DOUBLE_DESCENT,
    *NEIGHBOURS,
    *KERNELS,
    *STOPPING,
    *NOISE_CURVES,
    *TIME_SAVED,
    *PENALTIES,
]
