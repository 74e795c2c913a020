"""Right and wrong answers to the exercises of chapter 5, with the words a wrong one must meet."""

from __future__ import annotations

import functools
from collections import Counter

import numpy as np

from tests.exercises.answers import in_slow_runs, right, wrong


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


def sorted_degrees(x_train, y_train, x_validation, y_validation, degrees):
    return polyfit_errors(x_train, y_train, x_validation, y_validation, sorted(degrees))


def popped_degrees(x_train, y_train, x_validation, y_validation, degrees):
    rows = []
    while degrees:
        rows.append(
            polyfit_errors(x_train, y_train, x_validation, y_validation, [degrees.pop(0)])[:, 0]
        )
    return np.transpose(rows)


def fitted_to_both(x_train, y_train, x_validation, y_validation, degrees):
    x, y = np.r_[x_train, x_validation], np.r_[y_train, y_validation]
    fits = [np.polyfit(x, y, degree) for degree in degrees]
    return tuple(
        np.array([np.mean((np.polyval(fit, x) - y) ** 2) for fit in fits])
        for x, y in ((x_train, y_train), (x_validation, y_validation))
    )


def training_errors_twice(*data):
    return (polyfit_errors(*data)[0],) * 2


def fitted_to_validation(x_train, y_train, x_validation, y_validation, degrees):
    return polyfit_errors(x_validation, y_validation, x_train, y_train, degrees)[::-1]


def small_penalty(A, y):
    return np.linalg.solve(A.T @ A + 0.01 * np.eye(A.shape[1]), A.T @ y)


POLYNOMIAL = [
    wrong("5.1", "training errors twice", "once more", training_errors_twice),
    wrong("5.1", "fitted to validation", "to the validation points", fitted_to_validation),
    wrong("5.1", "penalty", "least squares reaches the smaller", polynomial(small_penalty)),
    wrong("5.1", "fitted to both", "points of both sets", fitted_to_both),
    wrong("5.1", "pairs", "a list of", lambda *a: [*map(tuple, polyfit_errors(*a).T)]),
    wrong("5.1", "sorted", "order of the sorted", sorted_degrees),
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


def new_model(seed=0):
    import keras

    from helpers import models

    model = models.mlp((256,), seed=seed)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=keras.optimizers.Adam(1e-3), loss=loss, metrics=["accuracy"])
    return model


def accuracy(model, x, y):
    return np.mean(np.asarray(model(x)).argmax(axis=1) == y)


def fitted(model, x, y, seed, epochs=60, **options):
    from helpers import training

    return training.fit(
        model, x, y, epochs=epochs, batch_size=50, seed=seed, verbose=0, **options
    ).history


def random_label_run(share, seed, x, y, x_test, y_test, *, start=None, labels=None, **changes):
    """Return a run whose entries `changes` replace: functions of the model and all the data."""
    rng = np.random.default_rng(seed)
    draws = np.where(rng.random(len(y)) < share, rng.integers(0, 10, size=len(y)), y)
    labels = draws if labels is None else labels(y, draws, rng)
    model = start or new_model(seed)
    history = fitted(model, x, labels, seed)
    run = {
        "model": model,
        "curve": history["accuracy"],
        "train_accuracy": accuracy(model, x, labels),
        "test_accuracy": accuracy(model, x_test, y_test),
    }
    return run | {
        name: change(model, history, x, y, labels, x_test, y_test)
        for name, change in changes.items()
    }


def changed(**changes):
    return functools.partial(random_label_run, **changes)


def labels_by_keras(share, seed, x, y, x_test, y_test):
    """Train by `model.fit` and measure by `evaluate`."""
    import keras

    rng = np.random.default_rng([seed, 7])
    y = y.copy()
    rows = rng.permutation(len(y))[: round(share * len(y))]
    y[rows] = rng.integers(0, 10, size=len(rows))
    model = new_model(seed)
    keras.utils.set_random_seed(seed)  # the order of the images
    history = model.fit(x, y, epochs=60, batch_size=50, verbose=0).history
    return {
        "curve": np.array(history["accuracy"], dtype="float32"),
        "train_accuracy": model.evaluate(x, y, verbose=0)[1],
        "test_accuracy": model.evaluate(x_test, y_test, verbose=0)[1],
        "model": model,
    }


def shared_model():
    """Return a run that goes on with the network of the run before."""
    model = []

    def run(share, seed, x, y, x_test, y_test):
        model.append(model[0] if model else new_model(seed))
        return random_label_run(share, seed, x, y, x_test, y_test, start=model[0])

    return run


def labels_in_place(share, seed, x, y, x_test, y_test):
    rng = np.random.default_rng(seed)
    y[rng.random(len(y)) < share] = 0
    return random_label_run(0.0, seed, x, y, x_test, y_test)


def trained_on_test_images(share, seed, x, y, x_test, y_test):
    x, y = np.concatenate([x, x_test]), np.concatenate([y, y_test])
    run = random_label_run(share, seed, x, y, x_test, y_test)
    return run | {"train_accuracy": accuracy(run["model"], x[: -len(x_test)], y[: -len(y_test)])}


def labels_of(draw):
    """Return a run that gets its labels by draw(y, rng, share)."""

    def run(share, seed, x, y, x_test, y_test):
        def labels(y, draws, rng):
            return draw(y, np.random.default_rng(seed), share)

        return random_label_run(share, seed, x, y, x_test, y_test, labels=labels)

    return run


def wrong_labels(y, rng, share):
    return flip_labels(y, share, rng)[0]


def first_labels(y, rng, share):
    return np.where(np.arange(len(y)) < share * len(y), rng.integers(0, 10, size=len(y)), y)


def labels_of_seed_0(y, rng, share):
    rng = np.random.default_rng(0)
    return np.where(rng.random(len(y)) < share, rng.integers(0, 10, size=len(y)), y)


def default_batch_size(share, seed, x, y, x_test, y_test):
    """Leave the batch size at Keras's 32."""
    from helpers import training

    rng, model = np.random.default_rng(seed), new_model(seed)
    labels = np.where(rng.random(len(y)) < share, rng.integers(0, 10, size=len(y)), y)
    history = training.fit(model, x, labels, epochs=60, seed=seed, verbose=0).history
    return {
        "model": model,
        "curve": history["accuracy"],
        "train_accuracy": accuracy(model, x, labels),
        "test_accuracy": accuracy(model, x_test, y_test),
    }


def start_of_seed_0(share, seed, *points):
    return random_label_run(share, seed, *points, start=new_model(0))


RANDOM_LABELS = [
    wrong("5.3", "wrong labels only", "wrong label on purpose", labels_of(wrong_labels)),
    wrong("5.3", "the first images", "of the second half", labels_of(first_labels)),
    wrong("5.3", "labels of one seed", "same random labels", labels_of(labels_of_seed_0)),
    wrong("5.3", "start of one seed", "same initial weights", start_of_seed_0),
    wrong("5.3", "default batch size", "learns faster", default_batch_size),
    wrong("5.3", "test images in training", "no test image", trained_on_test_images),
    right("5.3", "fit", random_label_run),
    right("5.3", "Keras's fit, exact number of labels", labels_by_keras),
    right("5.3", "another entry", changed(remark=lambda *_: "nothing")),
    wrong(
        "5.3",
        "tested on training images",
        "on no others",
        changed(test_accuracy=lambda m, h, x, y, labels, *_: accuracy(m, x, y)),
    ),
    wrong(
        "5.3",
        "trained on the true labels",
        "every image gets a random label",
        changed(labels=lambda y, draws, rng: y),
    ),
    wrong(
        "5.3",
        "always half",
        "original label",
        lambda share, *a: random_label_run(0.5 * (share > 0), *a),
    ),
    wrong(
        "5.3",
        "share kept",
        "original label",
        lambda share, *a: random_label_run(1 - share if share else 0, *a),
    ),
    wrong(
        "5.3",
        "all labels shuffled",
        "in another order",
        changed(labels=lambda y, draws, rng: rng.permutation(y) if (y != draws).any() else y),
    ),
    wrong(
        "5.3",
        "measured on the true labels",
        "labels the network was trained on",
        changed(train_accuracy=lambda m, h, x, y, *_: accuracy(m, x, y)),
    ),
    wrong("5.3", "percent", "not percent", changed(test_accuracy=lambda *_: 81.0)),
    wrong("5.3", "rounded", "do not round", changed(test_accuracy=lambda *_: 0.123)),
    wrong(
        "5.3",
        "losses",
        "should be the training accuracy",
        changed(curve=lambda m, h, *_: h["loss"]),
    ),
    wrong("5.3", "short", "shape (60,)", changed(curve=lambda m, h, *_: h["accuracy"][:50])),
    wrong("5.3", "no model", "trained Keras model", changed(model=lambda *_: 3)),
    wrong("5.3", "another model", "model you returned", changed(model=lambda *_: new_model(3))),
    wrong("5.3", "curve missing", "no entry 'curve'", changed(curve=lambda *_: None)),
    wrong("5.3", "one network for all runs", "new network", shared_model()),
    wrong(
        "5.3",
        "seed unused",
        "Use `seed`",
        lambda share, seed, *a: random_label_run(share, 0, *a),
    ),
    wrong(
        "5.3",
        "no seed",
        "with the same arguments",
        lambda share, seed, *a: random_label_run(
            share, int(np.random.default_rng().integers(10**6)), *a
        ),
    ),
    wrong("5.3", "numbers alone", "a dict with the keys", lambda *a: (1.0, 0.1)),
    wrong("5.3", "in place", "in place", labels_in_place),
]


def feature_errors(
    V, x, y, x_test, y_test, *, solve=None, rectify=True, measure=np.mean, fresh=None
):
    def features(points, V):
        hidden = points @ V
        return (np.maximum(hidden, 0) if rectify else hidden) / np.sqrt(V.shape[1])

    solve = solve or (lambda A, b: np.linalg.lstsq(A, b, rcond=None)[0])
    other = V if fresh is None else fresh(V)
    c = solve(features(x, V), np.eye(10)[y])
    return (
        measure((features(x, V) @ c - np.eye(10)[y]) ** 2),
        measure((features(x_test, other) @ c - np.eye(10)[y_test]) ** 2),
    )


def dual_errors(V, x, y, x_test, y_test):
    """Solve the smaller of the two normal equations."""

    def solve(A, b):
        if A.shape[0] < A.shape[1]:
            return A.T @ np.linalg.solve(A @ A.T, b)
        return np.linalg.solve(A.T @ A, A.T @ b)

    return feature_errors(V, x, y, x_test, y_test, solve=solve)


def unscaled_errors(V, x, y, x_test, y_test):
    return feature_errors(
        V * np.sqrt(V.shape[1]), x, y, x_test, y_test, solve=lambda A, b: np.linalg.pinv(A) @ b
    )


def ridge_errors(strength):
    def solve(A, b):
        return np.linalg.solve(A.T @ A + strength * np.eye(A.shape[1]), A.T @ b)

    return functools.partial(feature_errors, solve=solve)


def float32_errors_of_features(V, x, y, x_test, y_test):
    V, x, x_test = (np.float32(part) for part in (V, x, x_test))
    solve = lambda A, b: np.linalg.lstsq(np.float32(A), np.float32(b), rcond=None)[0]  # noqa: E731
    return feature_errors(V, x, y, x_test, y_test, solve=solve)


def basic_solution(A, b):
    """Fit the first columns alone, which is no solution of minimum norm."""
    c = np.zeros((A.shape[1], b.shape[1]))
    c[: len(A)] = np.linalg.lstsq(A[:, : len(A)], b, rcond=None)[0]
    return c


def label_errors(V, x, y, x_test, y_test):
    A, B = (np.maximum(p @ V, 0) for p in (x, x_test))
    c = np.linalg.lstsq(A, y, rcond=None)[0]
    return np.mean((A @ c - y) ** 2), np.mean((B @ c - y_test) ** 2)


def sums_over_outputs(errors):
    return errors.sum(axis=1).mean()


def class_by_class_errors(V, x, y, x_test, y_test):
    A, B = (np.clip(points @ V, 0, None) / V.shape[1] ** 0.5 for points in (x, x_test))
    errors = np.zeros(2)
    for label in range(10):
        c = np.linalg.lstsq(A, (y == label).astype(float), rcond=None)[0]
        errors[0] += np.mean((A @ c - (y == label)) ** 2) / 10
        errors[1] += np.mean((B @ c - (y_test == label)) ** 2) / 10
    return errors[0], errors[1]


def fractions_wrong(V, x, y, x_test, y_test):
    A, B = (np.maximum(points @ V, 0) for points in (x, x_test))
    c = np.linalg.lstsq(A, np.eye(10)[y], rcond=None)[0]
    return np.mean((A @ c).argmax(1) != y), np.mean((B @ c).argmax(1) != y_test)


def solved_again(V, x, y, x_test, y_test):
    return feature_errors(V, x, y, x, y)[0], feature_errors(V, x_test, y_test, x_test, y_test)[0]


def cut_off(A, b):
    return np.linalg.pinv(A, rcond=0.02) @ b


def halves(*a):
    return tuple(error / 2 for error in feature_errors(*a))


DOUBLE_DESCENT = [
    wrong("5.5", "halves", "halves of the mean", halves),
    wrong(
        "5.5",
        "singular values cut off",
        "singular values cut off",
        functools.partial(feature_errors, solve=cut_off),
    ),
    right("5.5", "class by class", class_by_class_errors),
    wrong("5.5", "fractions", "fractions of wrong answers", fractions_wrong),
    wrong("5.5", "solved again", "solved again on the test images", solved_again),
    right("5.5", "least squares", feature_errors),
    right("5.5", "normal equations", dual_errors),
    right("5.5", "pseudo-inverse, another scale", unscaled_errors),
    right("5.5", "one array", lambda *a: np.array(feature_errors(*a))),
    wrong("5.5", "no ReLU", "ReLU", functools.partial(feature_errors, rectify=False)),
    wrong(
        "5.5",
        "fresh features",
        "`V` that is given for both",
        functools.partial(
            feature_errors, fresh=lambda V: np.random.default_rng(0).normal(size=V.shape)
        ),
    ),
    wrong("5.5", "swapped", "swapped", lambda *a: feature_errors(*a)[::-1]),
    wrong("5.5", "weight decay", "", ridge_errors(0.1)),
    wrong("5.5", "small ridge", "remainder", ridge_errors(1e-7)),
    wrong("5.5", "single precision", "float32", float32_errors_of_features),
    wrong(
        "5.5",
        "not of minimum norm",
        "test error",
        functools.partial(feature_errors, solve=basic_solution),
    ),
    wrong("5.5", "sums", "take the mean", functools.partial(feature_errors, measure=np.sum)),
    wrong(
        "5.5",
        "sums over outputs",
        "mean over images and outputs",
        functools.partial(feature_errors, measure=sums_over_outputs),
    ),
    wrong("5.5", "roots", "square root", lambda *a: np.sqrt(feature_errors(*a))),
    wrong("5.5", "labels as numbers", "A label is a name", label_errors),
    wrong("5.5", "one number", "two numbers", lambda *a: feature_errors(*a)[1]),
    wrong("5.5", "training error twice", "returned twice", lambda *a: feature_errors(*a)[:1] * 2),
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
    classes = int(train_y.max()) + 1
    votes = tf.reduce_sum(tf.one_hot(tf.gather(train_y, nearest), classes), axis=1)
    return tf.argmax(votes, axis=1)


def knn_manhattan(train_x, train_y, x, k):
    train_x, x = np.asarray(train_x, dtype=float), np.asarray(x, dtype=float)
    nearest = np.argsort(np.abs(x[:, None] - train_x).sum(axis=2), axis=1)[:, :k]
    return np.array([np.bincount(row).argmax() for row in train_y[nearest]])


def knn_uint8(train_x, train_y, x, k):
    nearest = np.argsort(((x[:, None] - train_x) ** 2).sum(axis=2), axis=1)[:, :k]
    return np.array([np.bincount(row).argmax() for row in train_y[nearest]])


def knn_last_of_tied(train_x, train_y, x, k):
    return 20 - np.array(knn_loop(train_x, 20 - train_y, x, k))


def knn_mean(train_x, train_y, x, k):
    return knn_matrix(train_x, train_y, x, k, pick=lambda votes, _: votes.mean(axis=1))


def knn_counter(train_x, train_y, x, k, *, rng=None):
    """Vote by Counter, so that the nearest of the tied labels wins, or one at random."""
    train_x, x = np.asarray(train_x, dtype=float), np.asarray(x, dtype=float)
    found = []
    for query in x:
        nearest = np.argsort(((train_x - query) ** 2).sum(axis=1), kind="stable")[:k]
        votes = Counter(train_y[nearest].tolist())
        most = max(votes.values())
        tied = [label for label, count in votes.items() if count == most]
        found.append(tied[0] if rng is None else rng.choice(tied))
    return np.array(found)


def knn_sorted_counter(train_x, train_y, x, k):
    train_x, x = np.asarray(train_x, dtype=float), np.asarray(x, dtype=float)
    found = []
    for query in x:
        nearest = np.argsort(((train_x - query) ** 2).sum(axis=1))[:k]
        found.append(Counter(sorted(train_y[nearest].tolist())).most_common(1)[0][0])
    return found


def knn_weighted(train_x, train_y, x, k):
    train_x, x = np.asarray(train_x, dtype=float), np.asarray(x, dtype=float)
    distances = np.sqrt(((x[:, None] - train_x) ** 2).sum(axis=2))
    nearest = np.argsort(distances, axis=1)[:, :k]
    weights = 1 / (np.take_along_axis(distances, nearest, axis=1) + 1e-9)
    votes = np.zeros((len(x), int(train_y.max()) + 1))
    for label in range(votes.shape[1]):
        votes[:, label] = (weights * (train_y[nearest] == label)).sum(axis=1)
    return votes.argmax(axis=1)


def knn_partition(train_x, train_y, x, k):
    train_x, found = np.float64(train_x), []
    for query in np.float64(x):
        nearest = np.argpartition(np.linalg.norm(train_x - query, axis=1), k - 1)[:k]
        labels, counts = np.unique(train_y[nearest], return_counts=True)
        found.append(labels[counts.argmax()])
    return np.array(found)


def knn_cosine(train_x, train_y, x, k):
    train_x, x = np.float64(train_x), np.float64(x)
    angles = x @ train_x.T / np.linalg.norm(train_x, axis=1)
    return np.array([np.bincount(train_y[np.argsort(-row)[:k]]).argmax() for row in angles])


def knn_without_nearest(train_x, train_y, x, k):
    return knn_matrix(
        train_x,
        train_y,
        x,
        k + 1,
        pick=lambda votes, _: np.array([np.bincount(row[1:]).argmax() for row in votes]),
    )


def knn_ten_classes(train_x, train_y, x, k):
    return knn_matrix(
        train_x,
        train_y,
        x,
        k,
        pick=lambda votes, _: np.array([np.bincount(r, minlength=10)[:10].argmax() for r in votes]),
    )


def knn_floats(*a):
    return np.array(knn_loop(*a), dtype=float)


def knn_uint8_nearest(train_x, train_y, x, k):
    return knn_loop(train_x, train_y, x, 1 if x.dtype == np.uint8 else k)


NEIGHBOURS = [
    wrong("5.6", "ten classes", "3, 12 and 14", knn_ten_classes),
    wrong("5.6", "floats", "Return integers", knn_floats),
    wrong("5.6", "k unused for uint8", "20 images in uint8", knn_uint8_nearest),
    right("5.6", "partition and unique", knn_partition),
    wrong("5.6", "angle", "smallest angle", knn_cosine),
    wrong("5.6", "nearest left out", "nearest neighbour has no vote", knn_without_nearest),
    right("5.6", "sorted counter", knn_sorted_counter),
    wrong("5.6", "nearest of the tied", "Counter.most_common", knn_counter),
    wrong(
        "5.6",
        "a tied label at random",
        "queries whose votes are",
        lambda *a: knn_counter(*a, rng=np.random.default_rng()),
    ),
    wrong("5.6", "weighted votes", "Given k =", knn_weighted),
    wrong("5.6", "one too many", "too many votes", lambda a, b, c, k: knn_loop(a, b, c, k + 1)),
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
    wrong("5.6", "tie to the largest", "largest of the tied", knn_last_of_tied),
    wrong(
        "5.6",
        "all neighbours",
        "one label per query",
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
    """Differentiate layer by layer in NumPy, from the last one down."""

    def rows(x):
        layers = [
            (*map(np.asarray, layer.get_weights()), layer.trainable) for layer in model.layers
        ]
        h = [x.astype(float)]
        for kernel, bias, _ in layers[:-1]:
            h.append(np.tanh(h[-1] @ kernel + bias))
        back, blocks = np.ones((len(x), 1)), []
        for (kernel, _, trainable), below in zip(layers[::-1], h[::-1], strict=True):
            if trainable:
                blocks += [np.einsum("ni,nj->nij", below, back).reshape(len(x), -1), back]
            back = back @ kernel.T * (1 - below**2)
        return np.hstack(blocks)

    return rows(first) @ rows(second).T


def ntk_all_weights(model, first, second):
    for layer in model.layers:
        layer.trainable = True
    return ntk(0, 1)(model, first, second)


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
    return ntk(0, 1, layers=slice(None, None, 2))(model, first, second)


def product_of_inputs(model, first, second):
    return first @ second.T


def ntk_with_training_step(model, first, second):
    kernel = ntk(0, 1)(model, first, second)
    model.set_weights([weight + 0.01 for weight in model.get_weights()])
    return kernel


def ntk_of_equal_lengths(model, first, second):
    """Take the one set for the other where both have as many inputs."""
    return ntk(0, 1)(model, first, first if len(first) == len(second) else second)


def ntk_cosine(model, first, second):
    sides = [np.diag(ntk(0, 1)(model, x, x).numpy()) ** 0.5 for x in (first, second)]
    return ntk(0, 1)(model, first, second).numpy() / np.outer(*sides)


KERNELS = [
    wrong("5.7", "a step of training", "changes the weights", ntk_with_training_step),
    wrong("5.7", "first with itself", "of `first` with itself", ntk_of_equal_lengths),
    wrong("5.7", "angles", "divided by its length", ntk_cosine),
    wrong("5.7", "inputs", "product of the inputs", product_of_inputs),
    right("5.7", "jacobian", ntk(0, 1)),
    right("5.7", "jacobian, float64", ntk(0, 1, dtype="float64")),
    right("5.7", "loop of gradients", ntk_loop),
    right("5.7", "by hand in NumPy", ntk_by_hand),
    wrong("5.7", "frozen weights too", "not trainable", ntk_all_weights),
    wrong("5.7", "transposed", "is transposed", ntk(1, 0)),
    wrong("5.7", "last layer", "only the last layer", ntk(0, 1, layers=slice(-2, None))),
    wrong("5.7", "first layer", "only the first layer", ntk(0, 1, layers=slice(0, 2))),
    wrong("5.7", "no biases", "biases are missing", ntk_without_biases),
    wrong("5.7", "averaged", "divided by the number of parameters", ntk_averaged),
    wrong("5.7", "batch sum", "of the sum of the first", ntk_of_batches(batch_sum, full=False)),
    wrong("5.7", "batch mean", "of the mean of the first", ntk_of_batches(batch_mean, full=True)),
    wrong("5.7", "outputs", "product of the outputs", ntk_outputs),
]


def stopping(*, compare=np.less, against_best=True, reset=True, late=0, everything=False, base=0):
    """Return an `early_stop` that counts waiting epochs and may make one mistake."""

    def early_stop(losses, patience, min_delta=0.0):
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


def stopping_by_argmin(losses, patience, min_delta=0.0):
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


def stopping_ignoring_delta(losses, patience, min_delta=0.0):
    return stopping()(losses, patience, 0.0)


def stopping_swapped(losses, patience, min_delta=0.0):
    return stopping()(losses, patience, min_delta)[::-1]


def stopping_at_lowest(losses, patience, min_delta=0.0):
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


def stopping_by_keras(losses, patience, min_delta=0.0):
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


def stopping_emptying(losses, patience, min_delta=0.0):
    """Return the right numbers and take every loss out of the caller's list."""
    answer = stopping()(list(losses), patience, min_delta)
    losses.clear()
    return answer


def stopping_with_default(losses, patience, min_delta=0.5):
    return stopping()(losses, patience, min_delta)


def stopping_by_recursion(losses, patience, min_delta=0.0, start=0):
    if not losses:
        raise ValueError("There are no losses.")
    for epoch in range(start + 1, len(losses)):
        if losses[epoch] < losses[start] - min_delta:
            return stopping_by_recursion(losses, patience, min_delta, epoch)
        if epoch - start >= patience:
            return epoch, start
    return len(losses) - 1, start


def stopping_with_losses(losses, patience, min_delta=0.0):
    return tuple(losses[epoch] for epoch in stopping()(losses, patience, min_delta))


def stopping_with_count(losses, patience, min_delta=0.0):
    last, best = stopping()(losses, patience, min_delta)
    return last + 1, best


def stopping_with_small_default(losses, patience, min_delta=0.01):
    return stopping()(losses, patience, min_delta)


def stopping_with_floats(*a):
    return tuple(map(float, stopping()(*a)))


def stopping_at_smallest(losses, patience, min_delta=0.0):
    last, _ = stopping()(losses, patience, min_delta)
    return last, int(np.argmin(losses[: last + 1]))


STOPPING = [
    wrong("5.11", "small default", "min_delta is 0", stopping_with_small_default),
    wrong("5.11", "floats", "Return integers", stopping_with_floats),
    wrong("5.11", "smallest loss", "not that of the smallest", stopping_at_smallest),
    wrong("5.11", "never stops", "never stops before", stopping(late=10**6)),
    right("5.11", "recursion", stopping_by_recursion),
    wrong("5.11", "losses", "the losses of the two epochs", stopping_with_losses),
    wrong("5.11", "number of epochs", "number of epochs that ran", stopping_with_count),
    wrong("5.11", "another default", "min_delta is 0", stopping_with_default),
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
    wrong("5.11", "one number", "two numbers", lambda *_: 3),
]


def flip_labels(y, share, seed):
    rng = np.random.default_rng(seed)
    flipped = rng.random(len(y)) < share
    wrong_labels = (y + rng.integers(1, 10, size=len(y))) % 10
    return np.where(flipped, wrong_labels, y), flipped


def noise_curve(
    share, seed, x, y, x_valid, y_valid, *, key="val_accuracy", both=False, epochs=60, random=False
):
    labels = flip_labels(y, share, seed)[0]
    if random:
        rng = np.random.default_rng(seed)
        labels = np.where(rng.random(len(y)) < share, rng.integers(0, 10, len(y)), y)
    if both:
        y_valid = flip_labels(y_valid, share, seed + 1)[0]
    history = fitted(new_model(seed), x, labels, seed, epochs, validation_data=(x_valid, y_valid))
    return history if key is None else history[key]


def noise_curve_by_callback(share, seed, x, y, x_valid, y_valid):
    """Measure after each epoch without validation data."""
    import keras

    curve, model = [], new_model(seed)
    measure = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: curve.append(accuracy(model, x_valid, y_valid))
    )
    fitted(model, x, flip_labels(y, share, seed)[0], seed, callbacks=[measure])
    return np.array(curve)


def noise_curve_of_training_images(share, seed, x, y, x_valid, y_valid):
    return noise_curve(share, seed, x, y, x, y)


def noisy(**options):
    return functools.partial(noise_curve, **options)


def best_so_far(*a):
    return np.maximum.accumulate(noise_curve(*a))


def noise_curve_of(share, seed, x, y, x_valid, y_valid, *, start=None, flips=None, batch_size=50):
    """Return the curve with another seed for the network or the flips, or another batch size."""
    from helpers import training

    labels = flip_labels(y, share, seed if flips is None else flips)[0]
    return training.fit(
        new_model(seed if start is None else start),
        x,
        labels,
        epochs=60,
        batch_size=batch_size,
        seed=seed,
        validation_data=(x_valid, y_valid),
        verbose=0,
    ).history["val_accuracy"]


NOISE_CURVES = [
    wrong(
        "5.13",
        "start of one seed",
        "new_model(seed)",
        functools.partial(noise_curve_of, start=0),
    ),
    wrong(
        "5.13",
        "flips of one seed",
        "flip the same",
        functools.partial(noise_curve_of, flips=0),
    ),
    wrong(
        "5.13",
        "default batch size",
        "default batch size",
        functools.partial(noise_curve_of, batch_size=32),
    ),
    wrong("5.13", "random labels", "where 0 is expected", noisy(random=True)),
    wrong("5.13", "best so far", "not the best so far", best_so_far),
    right("5.13", "history", noise_curve),
    right("5.13", "callback, array", noise_curve_by_callback),
    right("5.13", "float32", lambda *a: np.float32(noise_curve(*a))),
    wrong("5.13", "whole history", "not the whole history", noisy(key=None)),
    wrong("5.13", "training accuracy", "training images", noisy(key="accuracy")),
    wrong("5.13", "losses", "or losses", noisy(key="val_loss")),
    wrong(
        "5.13", "training images", "accuracy on the training images", noise_curve_of_training_images
    ),
    wrong("5.13", "noisy validation labels", "leave the validation labels", noisy(both=True)),
    wrong("5.13", "few epochs", "shape (60,)", noisy(epochs=40)),
    wrong("5.13", "always clean", "by `flip_labels`", lambda share, *a: noise_curve(0.0, *a)),
    wrong("5.13", "always noisy", "", lambda share, *a: noise_curve(0.4, *a)),
    wrong("5.13", "seed unused", "Use `seed`", lambda share, seed, *a: noise_curve(share, 1, *a)),
    wrong("5.13", "percent", "not percent", lambda *a: 100 * np.array(noise_curve(*a))),
]


def stopped_run(
    patience,
    seed,
    x,
    y,
    x_valid,
    y_valid,
    *,
    monitor="val_loss",
    restore=True,
    extra=0,
    stop=True,
    epochs=60,
    saved=lambda ran: 1 - ran / 60,
    reported=lambda ran: ran,
):
    import keras

    model = new_model(seed)
    rule = keras.callbacks.EarlyStopping(
        monitor, patience=patience + extra, restore_best_weights=restore
    )
    history = fitted(
        model,
        x,
        y,
        seed,
        epochs,
        validation_data=(x_valid, y_valid),
        callbacks=[rule] if stop else [],
    )
    ran = len(history["loss"])
    return {
        "model": model,
        "val_loss": history["val_loss"],
        "epochs": reported(ran),
        "saved": saved(ran),
    }


def stopping_run(**options):
    return functools.partial(stopped_run, **options)


def stopped_by_hand(patience, seed, x, y, x_valid, y_valid):
    """Train epoch by epoch and keep the best weights in a list."""
    model, losses, best = new_model(seed), [], None
    for _ in range(60):
        fitted(model, x, y, seed + len(losses), 1)
        losses.append(model.evaluate(x_valid, y_valid, verbose=0)[0])
        if losses[-1] == min(losses):
            best = model.get_weights()
        elif len(losses) - 1 - int(np.argmin(losses)) >= patience:
            break
    model.set_weights(best)
    ran = np.int64(len(losses))
    return {"model": model, "val_loss": np.array(losses), "epochs": ran, "saved": 1 - ran / 60}


def stopped_run_of_seed_0(patience, seed, *points):
    return stopped_run(patience, 0, *points)


TIME_SAVED = [
    wrong("5.15", "seed unused", "same initial weights", stopped_run_of_seed_0),
    wrong("5.15", "at most 40 epochs", "at most 60", stopping_run(epochs=40)),
    right("5.15", "callback", stopped_run),
    right("5.15", "by hand", stopped_by_hand),
    right("5.15", "rounded", stopping_run(saved=lambda ran: round(1 - ran / 60, 2))),
    wrong("5.15", "no callback", "all 60 epochs", stopping_run(stop=False)),
    wrong("5.15", "training loss", "all 60 epochs", stopping_run(monitor="loss")),
    wrong("5.15", "last weights", "restore_best_weights", stopping_run(restore=False)),
    wrong("5.15", "one epoch more", "Hand `patience`", stopping_run(extra=1)),
    wrong("5.15", "patience unused", "Hand `patience`", lambda p, *a: stopped_run(5, *a)),
    wrong("5.15", "fraction that ran", "epochs that ran", stopping_run(saved=lambda ran: ran / 60)),
    wrong("5.15", "percent", "not percent", stopping_run(saved=lambda ran: 100 - ran / 0.6)),
    wrong("5.15", "number of epochs", "divide by", stopping_run(saved=lambda ran: 60 - ran)),
    wrong("5.15", "one off", "one epoch", stopping_run(saved=lambda ran: 1 - (ran + 1) / 60)),
    wrong("5.15", "seconds", "'saved'", stopping_run(saved=lambda ran: 0.55)),
    wrong("5.15", "counted from 0", "one for each", stopping_run(reported=lambda ran: ran - 1)),
    wrong("5.15", "number alone", "a dict with the keys", lambda *a: 0.5),
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


def tape_l2(weights, strength):
    import tensorflow as tf

    return by_tape(lambda w: strength * tf.nn.l2_loss(w), weights)


def tape_l1(weights, strength):
    import tensorflow as tf

    return by_tape(lambda w: strength * tf.reduce_sum(tf.abs(w)), weights)


def by_tape(penalty, weights):
    import tensorflow as tf

    w = tf.Variable(weights)
    with tf.GradientTape() as tape:
        value = penalty(w)
    return value, tape.gradient(value, w)


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
    wrong(
        "5.16",
        "small weights cut off",
        "however small",
        *penalties(l1=lambda w, s: (s * abs(w).sum(), s * np.sign(w) * (abs(w) > 0.05))),
    ),
    wrong(
        "5.16",
        "norm of a matrix",
        "flatten the weights",
        *penalties(
            l2=lambda w, s: (s / 2 * np.linalg.norm(w, 2 if w.ndim < 3 else None) ** 2, s * w)
        ),
    ),
    right("5.16", "NumPy", *penalties()),
    right("5.16", "float32", *penalties(kind=np.float32)),
    right("5.16", "loop", *penalties(l1=loop_l1)),
    right("5.16", "tape", tape_l2, tape_l1),
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
        "sign is wrong",
        *penalties(l2=lambda w, s: (s / 2 * (w**2).sum(), -s * w)),
    ),
]

# These train for seconds and tell little that the others do not.
SLOW = {
    ("5.3", "labels of one seed"),
    ("5.3", "start of one seed"),
    ("5.3", "default batch size"),
    ("5.13", "start of one seed"),
    ("5.13", "flips of one seed"),
    ("5.13", "default batch size"),
    ("5.13", "random labels"),
    ("5.3", "Keras's fit, exact number of labels"),
    ("5.3", "always half"),
    ("5.3", "share kept"),
    ("5.3", "all labels shuffled"),
    ("5.3", "measured on the true labels"),
    ("5.3", "in place"),
    ("5.3", "no seed"),
    ("5.13", "float32"),
    ("5.13", "always noisy"),
    ("5.13", "noisy validation labels"),
    ("5.15", "by hand"),
}

CASES = in_slow_runs(
    SLOW,
    [
        *POLYNOMIAL,
        *RANDOM_LABELS,
        *DOUBLE_DESCENT,
        *NEIGHBOURS,
        *KERNELS,
        *STOPPING,
        *NOISE_CURVES,
        *TIME_SAVED,
        *PENALTIES,
    ],
)
