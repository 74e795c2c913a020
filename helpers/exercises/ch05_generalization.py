"""Exercises of chapter 5: random labels, double descent, neighbours, kernels, early stopping."""

from __future__ import annotations

from functools import partial

import numpy as np

from helpers.exercises import (
    NotYet,
    exercise,
    expect,
    expect_close,
    expect_number,
    expect_raises,
    expect_table,
    explanation,
    quiz,
    show,
)

_PARAMETERS = 784 * 256 + 256 + 256 * 10 + 10


def _numbers(values, what, ndim=1):
    try:
        array = np.asarray(values, dtype=float)
    except (TypeError, ValueError):
        raise NotYet(
            f"The {what} should hold numbers of equal rows; it is {show(values)}."
        ) from None
    expect(
        array.ndim == ndim and array.size > 0,
        f"The {what} should have {ndim} dimension(s); its shape is {array.shape}.",
    )
    expect(bool(np.isfinite(array).all()), f"The {what} holds a NaN or an infinity.")
    return array


def _expect_fractions(values, what):
    values = np.asarray(values)
    expect(
        bool(((values >= 0) & (values <= 1)).all()),
        f"The {what} should be fractions between 0 and 1, not percent or losses; it holds "
        f"{show(float(values.flat[np.argmax(np.abs(values - 0.5))]))}.",
    )


def _polynomial_residuals(x, y, other_x, other_y, degree, lowest=0):
    """Residuals of the least-squares fit with the powers lowest..degree, by QR, on both sets."""
    powers = np.arange(lowest, degree + 1)
    q, r = np.linalg.qr(x[:, None] ** powers)
    coefficients = np.linalg.solve(r, q.T @ y)
    return [
        points[:, None] ** powers @ coefficients - targets
        for points, targets in ((x, y), (other_x, other_y))
    ]


def _polynomial_errors(*fit, measure=np.square, **powers):
    return [np.mean(measure(residuals)) for residuals in _polynomial_residuals(*fit, **powers)]


@exercise(
    "5.1",
    "Error against degree",
    aliases=("+5.4",),
    kind="C",
    points=2,
    minutes=15,
    stars=1,
    hints=(
        "A polynomial of degree m is linear in its m + 1 coefficients. Fit them on the training "
        "points alone; then measure the same polynomial twice.",
        "With the matrix A of powers, A[i, j] = x[i]**j for j = 0..m, minimise ||A c - y||^2 by "
        "least squares; the error is the mean of (A c - y)^2.",
        "`for degree in degrees: A = np.vander(x_train, degree + 1); c = np.linalg.lstsq(A, "
        "y_train)[0]; ...` and collect two lists.",
    ),
)
def _(polynomial_errors, case):
    degrees = [0, 1, 3, 5]
    x, other_x = case.uniform(-1, 1, size=24), case.uniform(-1, 1, size=16)
    y, other_y = (np.sin(4 * v) + 1 + 0.3 * case.normal(size=v.size) for v in (x, other_x))
    got = polynomial_errors(x, y, other_x, other_y, degrees)
    expect(
        (isinstance(got, tuple | list) and len(got) == 2) or np.shape(got) == (2, len(degrees)),
        f"`polynomial_errors` should return two arrays, training and validation; got {show(got)}.",
    )
    want = np.array([_polynomial_errors(x, y, other_x, other_y, m) for m in degrees]).T
    own = np.array([_polynomial_errors(other_x, other_y, x, y, m)[0] for m in degrees])
    one_more = np.array([_polynomial_errors(x, y, other_x, other_y, m + 1) for m in degrees]).T
    one_less = np.array([_polynomial_errors(x, y, other_x, other_y, m - 1) for m in degrees[1:]]).T
    no_constant = np.array(
        [_polynomial_errors(x, y, other_x, other_y, m, lowest=1) for m in degrees[1:]]
    ).T
    absolute = np.array(
        [_polynomial_errors(x, y, other_x, other_y, m, measure=np.abs) for m in degrees]
    ).T
    given = f"{x.size} noisy points and degrees {degrees}"
    for row, (values, what, size) in enumerate(
        (
            (got[0], "the list of training errors", x.size),
            (got[1], "the list of validation errors", other_x.size),
        )
    ):
        _expect_powers(values, one_less[row], no_constant[row], given)
        mistakes = {
            "these are root mean squared errors; leave the square root out.": np.sqrt(want[row]),
            "these are sums of squares; divide by the number of points.": want[row] * size,
            "these are halves of the mean squared errors. The half belongs to some loss functions; "
            "the error asked for has none.": want[row] / 2,
            "these are mean absolute errors; square the differences before you take the "
            "mean.": absolute[row],
            "training and validation errors are swapped.": want[1 - row],
            "your polynomials have one degree too many: degree m ends at x**m.": one_more[row],
        }
        if row == 1:
            mistakes[
                "the polynomial was fitted again on the validation points. Fit on the training "
                "points only, then measure there and here."
            ] = own
        expect_close(
            values, want[row], given=given, what=what, rtol=1e-3, atol=1e-5, mistakes=mistakes
        )
        yield 0.5


def _expect_powers(values, one_less, no_constant, given):
    """Name a missing highest or lowest power; degree 0 cannot show either and is left out."""
    if np.shape(values) != (len(one_less) + 1,):
        return
    for wrong, sentence in (
        (one_less, "have one degree too few: degree m has the m + 1 powers x**0 to x**m."),
        (no_constant, "lack the constant term x**0."),
    ):
        expect(
            not np.allclose(np.asarray(values, dtype=float)[1:], wrong, 1e-3, 1e-5),
            f"Given {given}: your polynomials {sentence}",
        )


quiz(
    "5.2",
    "What a capacity bound cannot see",
    aliases=("5.5.1-quiz",),
    name="choice_5_2",
    right="b",
    reasons={
        "a": "networks are far from too small: on this page one with 200 times more parameters "
        "than images fits everything.",
        "b": "the model class is rich enough for random labels, so any bound that holds for the "
        "whole class is empty, whether the labels are true or not.",
        "c": "the number of parameters of a network is easy to count; it does not tell the two "
        "runs apart.",
        "d": "such measures are about the gap between training and test error, and need no "
        "training error of zero.",
    },
    points=1,
    minutes=3,
    stars=1,
    hints=(
        "What differs between the run on true labels and the run on random labels, and what does "
        "a count of parameters see of it?",
        "A uniform bound says: for every function of the class, the gap is at most B. One function "
        "of the class has a gap of 0.9.",
        "Look for the statement about what the class can fit, not about how large it is.",
    ),
)


@exercise(
    "5.3",
    "Random labels",
    aliases=("5.5.1",),
    kind="X",
    points=3,
    minutes=20,
    stars=2,
    hints=(
        "Only the training labels change from run to run. Network, optimizer, epochs and the test "
        "set stay the same.",
        "For a share s, draw `random_rows = rng.random(1000) < s` and give those rows labels from "
        "`rng.integers(0, 10)`. Accuracy is the mean of `classes(model, x) == y`.",
        "`for share in (0.0, 0.5, 1.0): y = y_train.copy(); y[...] = ...; model = new_model(); "
        "before = ...; run = training.fit(...); table[...].append(...)`",
    ),
)
def _(random_labels, case):
    names = ("share", "parameters", "before", "train_accuracy", "test_accuracy", "epochs")
    columns = expect_table(random_labels, (*names, "curve"), rows=3)
    table = {name: _numbers(columns[name], f"column {name!r} of `random_labels`") for name in names}
    curve = _numbers(columns["curve"], "column 'curve' of `random_labels`", ndim=2)
    share, train, test = table["share"], table["train_accuracy"], table["test_accuracy"]
    expect(
        bool(np.allclose(share, [0.0, 0.5, 1.0])),
        f"Column 'share' should be 0, 0.5, 1 in this order; it is {show(share)}.",
    )
    expect(
        bool((table["parameters"] == _PARAMETERS).all()),
        f"All three runs should use the same network, 784-256-10, with {_PARAMETERS} parameters; "
        f"column 'parameters' holds {show(table['parameters'])}.",
    )
    _expect_fractions(train, "training accuracies")
    _expect_fractions(test, "test accuracies")
    _expect_fractions(table["before"], "test accuracies before training")
    _expect_fractions(curve, "accuracies of 'curve'")
    yield 0.25
    warm = table["before"] > 0.4
    if warm.any():
        first = int(np.argmax(warm))
        raise NotYet(
            f"Before its training, the network of the share {share[first]:g} is right on "
            f"{100 * table['before'][first]:.0f} % of the test images, where about 10 % are chance."
            " It still knows the labels of an earlier run: begin each run with a new network."
        )
    if train.min() <= 0.99:
        low = int(np.argmin(train))
        raise NotYet(
            f"With the share {share[low]:g} the training accuracy is {train[low]:.3f}; the "
            "point is to pass 0.99. Train for more epochs, and measure on the labels the network "
            "was trained on, not on the true ones."
        )
    yield 0.5
    expect(
        not np.allclose(train, test),
        "Training and test accuracy are the same numbers: measure the second on the test images.",
    )
    expect(
        test[0] > 0.6,
        f"With true labels the test accuracy is {test[0]:.3f}; above 0.6 is expected. Do the "
        "labels still belong to their images? Shuffle both with the same order, or neither.",
    )
    expect(
        test[2] < 0.25,
        f"With random labels the test accuracy is {test[2]:.3f}; chance is about 0.1. Did the "
        "network see the true labels of these images, or did you measure on training images?",
    )
    expect(
        test[0] > test[1] > test[2],
        f"The test accuracy should fall as the share grows; it is {show(test)}.",
    )
    for name, values, size in (("train", train, 1000), ("test", test, 2000)):
        counts = values * size
        expect(
            bool(np.allclose(counts, np.round(counts), atol=0.02)),
            f"A {name} accuracy of {values[np.argmax(abs(counts - counts.round()))]:.6g} is no "
            f"whole number of {size} images: use the {size} images that the exercise names.",
        )
    yield 0.75
    _expect_first_epochs(table["epochs"], curve)


def _expect_first_epochs(epochs, curve):
    """Judge the number of the first epoch above 0.99 by the curves it is read from."""
    expect(
        bool((curve.max(axis=1) > 0.99).all()),
        f"The curves of training accuracy reach {show(curve.max(axis=1))}; each should pass 0.99. "
        'Hand in `history["accuracy"]` of the three runs, and train for more epochs if needed.',
    )
    want = 1 + (curve > 0.99).argmax(axis=1)
    expect(
        not np.array_equal(epochs, want - 1),
        f"Column 'epochs' holds {show(epochs)}, which counts the first epoch as 0; count it as 1.",
    )
    expect(
        np.array_equal(epochs, want),
        f"Column 'epochs' holds {show(epochs)}; by the curves, training accuracy is first above "
        f"0.99 in the epochs {show(want)}.",
    )
    expect(
        want[2] > want[0],
        f"Random labels should take longer to fit than true ones; 'epochs' is {show(epochs)}. Are "
        "the rows in the order of the shares?",
    )


explanation(
    "5.4",
    "Complexity and the two runs",
    aliases=("5.5.1-explain",),
    points=2,
    minutes=8,
    stars=2,
    hints=(
        "Put the rows for the shares 0 and 1 of your table side by side. Which columns are equal?",
        "A uniform bound has the form: test error <= training error + B(model class, n). Both "
        "runs have the same class and the same n.",
        "Three sentences: what the measure depends on; what that forces B to be; what else must "
        "be looked at.",
    ),
    rubric=(
        (
            1,
            "says that the same model class fits true and random labels, so a bound that depends "
            "only on the class and n must allow a gap of 0.9 and says nothing about true labels",
        ),
        (
            1,
            "names something that such a measure leaves out: the data's structure, the optimizer "
            "and its early steps, the norm of the solution that is found (inductive bias)",
        ),
    ),
)


@exercise(
    "5.5",
    "A double-descent curve on images",
    aliases=("+5.3",),
    kind="X",
    points=3,
    minutes=25,
    stars=2,
    hints=(
        "Reuse `random_features` and `np.linalg.lstsq`. Least squares takes a matrix of targets, "
        "so ten classes cost no more than one.",
        "Targets: `np.eye(10)[labels]`. Error: the mean over all images and all ten outputs of "
        "(prediction - target)^2. `lstsq` gives the one of minimum norm where there are many.",
        "`for width in widths: V = rng.normal(size=(784, width)); train, test = "
        "random_features(x, V), random_features(x_test, V); c = np.linalg.lstsq(train, t)[0]`",
    ),
)
def _(double_descent, case):
    names = ("width", "train_error", "test_error")
    columns = expect_table(double_descent, names)
    table = {
        name: _numbers(columns[name], f"column {name!r} of `double_descent`") for name in names
    }
    order = np.argsort(table["width"])
    width, train, test = (table[name][order] for name in ("width", "train_error", "test_error"))
    expect(len(width) >= 8, f"`double_descent` has {len(width)} widths; give at least 8.")
    expect(
        width[0] <= 50 and bool(np.any(width == 200)) and width[-1] >= 1000,
        "The widths should start at 50 or less, contain 200 (the number of training images), and "
        f"end at 1000 or more; they are {show(width)}.",
    )
    expect(bool((train >= 0).all() and (test > 0).all()), "A squared error cannot be negative.")
    yield 0.25
    wide, narrow = width > 210, width < 180
    expect(
        bool((train[wide] < 1e-4).all()),
        f"With more than 200 features the training error should be zero; it is "
        f"{train[wide].max():.3g} at width {width[wide][np.argmax(train[wide])]:.0f}. Solve by "
        "`np.linalg.lstsq` or `pinv` in float64, without weight decay.",
    )
    expect(
        bool((train[wide] < 1e-18).all()),
        f"With more than 200 features the training error of the minimum-norm solution is zero up "
        f"to rounding, below 1e-18 in float64; yours is {train[wide].max():.3g}. A small penalty "
        "(a ridge) leaves such a rest, and float32 does, too: take neither.",
    )
    expect(
        bool((np.diff(train[narrow]) < 0).all()) and train[0] > 0.01,
        f"Below 200 features the training error should fall with the width; got "
        f"{show(train[narrow])}. Is it the mean over images and outputs, on the training images?",
    )
    expect(
        not np.allclose(train, test),
        "Training and test errors are the same numbers: measure the second on the test images.",
    )
    yield 0.5
    peak = width[np.argmax(test)]
    expect(
        180 <= peak <= 220,
        f"The largest test error is at width {peak:.0f}; expected at 200, where there are as many "
        "features as images. Which images were used to fit, and how many?",
    )
    expect(
        test.max() > 3 * test[narrow].min() and test.max() > 3 * test[-1],
        f"The peak ({test.max():.3g}) hardly stands out from both sides. Use the minimum-norm "
        "solution without weight decay.",
    )
    yield 0.75
    expect(
        0.005 < test[-1] < 0.2,
        f"At the largest width the test error is {test[-1]:.3g}; about 0.03 to 0.08 is expected "
        "for a mean over images and ten outputs with targets 0 and 1.",
    )


def _neighbour_votes(train_x, train_y, x, k, power=2.0, farthest=False):
    votes = []
    for query in x.astype(float):
        distance = (np.abs(train_x.astype(float) - query) ** power).sum(axis=1)
        nearest = np.argsort(-distance if farthest else distance, kind="stable")[:k]
        votes.append(np.bincount(train_y[nearest]).argmax())
    return np.array(votes)


@exercise(
    "5.6",
    "k nearest neighbours",
    aliases=("+5.1",),
    kind="C",
    points=3,
    minutes=20,
    stars=2,
    hints=(
        "One matrix of distances, one row a query and one column a training example. Then each row "
        "is an exercise in sorting and counting.",
        "||a - b||^2 = ||a||^2 - 2 a.b + ||b||^2, and a.b for all pairs is one matrix product. "
        "Convert to float first: differences of uint8 wrap around at 0.",
        "`distances = (x**2).sum(1)[:, None] - 2 * x @ train_x.T + (train_x**2).sum(1)`, "
        "`np.argsort(distances, axis=1)[:, :k]`, then `np.bincount(...).argmax()` for each row.",
    ),
)
def _(knn_predict, case):
    classes = case.normal(scale=0.8, size=(4, 6))
    train_y = case.integers(0, 4, size=80)
    train_x = classes[train_y] + case.normal(size=(80, 6))
    x = classes[case.integers(0, 4, size=200)] + case.normal(size=(200, 6))
    x = x[_votes_decide(train_x, train_y, x, 7)]
    for k, queries, given in (
        (1, train_x, "k = 1 and the training points themselves as queries"),
        (1, x, f"k = 1, 80 training points, {len(x)} queries"),
        (7, x, f"k = 7, 80 training points, {len(x)} queries"),
    ):
        got = np.asarray(knn_predict(train_x, train_y, queries, k))
        expect(
            got.ndim != 2 or got.shape[0] != len(queries),
            f"Given {given}: the result has shape {got.shape}; return one label a query, "
            f"shape {(len(queries),)}.",
        )
        expect_close(
            got,
            _neighbour_votes(train_x, train_y, queries, k),
            given=given,
            what="the list of predicted labels",
            mistakes=_neighbour_mistakes(train_x, train_y, queries, k),
        )
    yield 0.5
    tie_y = np.array([3, 1, 3, 1, 2])
    tie_x = np.array([[0.0], [1.0], [2.0], [3.0], [9.0]])
    expect_close(
        knn_predict(tie_x, tie_y, np.array([[1.4]]), 4),
        np.array([1]),
        given="two votes for class 1 and two for class 3",
        what="the predicted label (the smallest of the tied)",
    )
    yield 0.75
    pixels = case.integers(0, 256, size=(60, 30)).astype(np.uint8)
    names = case.integers(0, 10, size=60)
    noisy = np.clip(pixels[:20].astype(int) + case.integers(-40, 41, size=(20, 30)), 0, 255)
    got = np.asarray(knn_predict(pixels, names, noisy.astype(np.uint8), 1))
    expect(
        np.array_equal(got, names[:20]),
        "Given images in uint8 and noisy copies of them: the nearest neighbour of each copy "
        "should be its original. In uint8, 3 - 5 is 254: convert to float before you subtract or "
        "square.",
    )


def _votes_decide(train_x, train_y, x, k):
    """Say for each query whether one label has more votes than any other."""
    nearest = np.argsort(((x[:, None] - train_x) ** 2).sum(axis=2), axis=1)[:, :k]
    votes = np.sort([np.bincount(row, minlength=4) for row in train_y[nearest]], axis=1)
    return votes[:, -1] > votes[:, -2]


def _neighbour_mistakes(train_x, train_y, x, k):
    """Labels that known mistakes give, by the sentence that helps."""
    votes = partial(_neighbour_votes, train_x, train_y, x)
    nearest = np.argsort(((x[:, None] - train_x) ** 2).sum(axis=2), axis=1)[:, :k]
    mistakes = {
        "these are the farthest points' labels: sort the distances upwards.": votes(
            k, farthest=True
        ),
        "these neighbours are nearest in the sum of absolute differences; the Euclidean distance "
        "adds squares.": votes(k, power=1.0),
    }
    if k == 1:
        return mistakes | {"these are the neighbours' positions, not their labels.": nearest[:, 0]}
    return mistakes | {
        "these labels come from the nearest neighbour alone; let the k nearest vote.": votes(1),
        "these are means of labels. Labels are names, not amounts: count votes.": train_y[
            nearest
        ].mean(axis=1),
    }


_NTK = """
model = keras.Sequential(
    [keras.Input((inputs,)), keras.layers.Dense(units, activation="tanh"), keras.layers.Dense(1)]
)
model.set_weights(weights)
result = empirical_ntk(model, first, second)
"""


def _jacobian(weights, x):
    """Derivatives of a tanh network's output by every parameter, one row an example."""
    W1, b1, W2, _ = weights
    hidden = np.tanh(x @ W1 + b1)
    back = (1 - hidden**2) * W2[:, 0]
    by_first = (x[:, :, None] * back[:, None, :]).reshape(len(x), -1)
    return {"W1": by_first, "b1": back, "W2": hidden, "b2": np.ones((len(x), 1))}


@exercise(
    "5.7",
    "The empirical neural tangent kernel",
    aliases=("+5.5",),
    kind="C",
    points=3,
    minutes=25,
    stars=3,
    hints=(
        "One number for a pair of inputs: how much a step that moves the output at the one input "
        "moves the output at the other.",
        "With J(x) = d f(x) / d theta as one row of length P (all parameters) for each input, the "
        "kernel is J(first) J(second)^T. `tape.gradient` gives the blocks of one row, one block a "
        "weight.",
        "`with tf.GradientTape(persistent=True) as tape: outputs = tf.unstack(model(x)[:, 0])`; "
        "one row an output: `tf.concat([tf.reshape(block, -1) for block in tape.gradient(...)], "
        "0)`; then `J1 @ tf.transpose(J2)`.",
    ),
)
def _(empirical_ntk, case):
    inputs, units = 3, int(case.integers(4, 8))
    shapes = ((inputs, units), (units,), (units, 1), (1,))
    weights = [case.normal(size=shape).astype("float32") for shape in shapes]
    first, second = (case.normal(size=(n, inputs)).astype("float32") for n in (4, 6))
    got = empirical_ntk.evaluate(
        _NTK, inputs=inputs, units=units, weights=weights, first=first, second=second
    )
    doubles = [weight.astype(float) for weight in weights]
    here, there = (_jacobian(doubles, x.astype(float)) for x in (first, second))
    blocks = {name: here[name] @ there[name].T for name in here}
    want = sum(blocks.values())
    outputs = np.outer(*((_output(doubles, x)) for x in (first, second)))
    _expect_gradient_of_each_input(got, want)
    expect_close(
        got,
        want,
        given=f"a network 3-{units}-1, four first and six second inputs",
        what="the kernel",
        rtol=1e-3,
        atol=1e-4,
        mistakes={
            "the kernel is transposed: rows belong to `first`, columns to `second`.": want.T,
            "the biases are missing; they are parameters, too.": blocks["W1"] + blocks["W2"],
            "only the last layer is in the kernel: use all trainable variables.": blocks["W2"]
            + blocks["b2"],
            "only the first layer is in the kernel: use all trainable variables.": blocks["W1"]
            + blocks["b1"],
            "the kernel is divided by the number of parameters; leave the sum.": want
            / sum(block.shape[1] for block in here.values()),
            "this is the product of the outputs. The kernel multiplies their gradients.": outputs,
        },
    )
    yield 0.75
    got = empirical_ntk.evaluate(
        _NTK, inputs=inputs, units=units, weights=weights, first=first, second=first
    )
    want = sum(block @ block.T for block in here.values())
    expect_close(
        got,
        want,
        given="the same inputs on both sides",
        what="the kernel (symmetric, with no negative eigenvalue)",
        rtol=1e-3,
        atol=1e-4,
    )


def _expect_gradient_of_each_input(got, want):
    """Name the product of two batch gradients, which has one number for all pairs."""
    numbers = np.asarray(got, dtype=float)
    for batch, value in (("sum", want.sum()), ("mean", want.mean())):
        expect(
            numbers.size == 0 or not np.allclose(numbers, value, rtol=1e-3, atol=1e-4),
            f"Given four first and six second inputs: {value:.5g} is the product of the two batch "
            f"gradients, that of the {batch} of the first outputs and that of the {batch} of the "
            "second. The tape adds up what it is not asked for one by one: take one gradient for "
            "each input.",
        )


def _output(weights, x):
    return (np.tanh(x @ weights[0] + weights[1]) @ weights[2] + weights[3])[:, 0]


quiz(
    "5.8",
    "Early stopping as a constraint",
    aliases=("5.5.2-quiz",),
    name="choice_5_8",
    right="c",
    reasons={
        "a": "the loss function stays as it is; that is what weight decay changes.",
        "b": "no weight is removed; all of them are trained until the stop.",
        "c": "few epochs keep the weights near their start, so only a part of the functions the "
        "network can represent is within reach.",
        "d": "the validation rows give one number an epoch; no gradient is taken on them.",
    },
    points=1,
    minutes=2,
    stars=1,
    hints=(
        "Regularisation prefers some functions to others. Which functions can a network be after "
        "three epochs?",
        "After T steps of size eta, the weights have moved by at most eta times the sum of T "
        "gradient norms.",
        "Look for the statement about which weights can be reached.",
    ),
)

explanation(
    "5.9",
    "Why early stopping regularises",
    aliases=("5.5.2-explain",),
    points=2,
    minutes=8,
    stars=2,
    hints=(
        "Compare: weight decay limits the size of the weights. What does a limit on epochs limit?",
        "For a linear model and gradient descent from zero, the component along an eigenvector "
        "with eigenvalue s is fitted by the share 1 - (1 - eta s)^T.",
        "Three sentences: what is limited; which patterns come first; which effect on the fit of "
        "noise that has.",
    ),
    rubric=(
        (
            1,
            "says that a limit on the number of steps limits how far the weights can move from "
            "their start, so it restricts the functions that can be reached, as a penalty does",
        ),
        (
            1,
            "says that common, simple patterns are fitted first and the noise of single examples "
            "later, so stopping trades a little bias for less variance",
        ),
    ),
)

quiz(
    "5.10",
    "The stopping criterion",
    aliases=("5.5.3-quiz",),
    name="choice_5_10",
    right="a",
    reasons={
        "a": "the validation error, measured once an epoch, with some patience for its noise.",
        "b": "the training loss keeps falling while the network learns the noise, so it never "
        "says stop.",
        "c": "the test set is for the end. Whoever stops by it has tuned on it and reports a "
        "number that is too good.",
        "d": "the right number of epochs differs with data, network, optimizer and step size.",
    },
    points=1,
    minutes=2,
    stars=1,
    hints=(
        "Which error stands for unseen examples and may be looked at while you tune?",
        "Stop when it has not fallen by more than min_delta for `patience` epochs in a row.",
        "Training rows, validation rows, test rows: one of the three is there for such decisions.",
    ),
)


def _stopping(losses, patience, min_delta=0.0):
    best, best_epoch = np.inf, 0
    for epoch, loss in enumerate(losses):
        if loss < best - min_delta:
            best, best_epoch = loss, epoch
        elif epoch - best_epoch >= patience:
            return epoch, best_epoch
    return len(losses) - 1, best_epoch


@exercise(
    "5.11",
    "An early-stopping rule",
    aliases=("5.5.3",),
    kind="C",
    points=3,
    minutes=20,
    stars=2,
    hints=(
        "Walk through the losses once and remember two things: the best loss so far, and the epoch "
        "it was reached in.",
        "Epoch t improves if losses[t] < best - min_delta. Stop at the first epoch t that does not "
        "improve with t - best_epoch >= patience.",
        "`for epoch, loss in enumerate(losses): if loss < best - min_delta: ... elif epoch - "
        "best_epoch >= patience: return epoch, best_epoch`, and one return after the loop.",
    ),
)
def _(early_stop, case):
    def ask(losses, patience, min_delta, sentence):
        got = early_stop(list(losses), patience, min_delta)
        given = f"losses {losses}, patience {patience} and min_delta {min_delta}"
        expect(
            (isinstance(got, tuple | list) and len(got) == 2) or np.shape(got) == (2,),
            f"Given {given}: return two numbers, the last and the best epoch; got {show(got)}.",
        )
        last, best = (
            expect_number(value, what)
            for value, what in zip(got, ("the last epoch", "the best epoch"), strict=True)
        )
        want = _stopping(losses, patience, min_delta)
        expect(
            (last, best) != (want[0] + 1, want[1] + 1),
            f"Given {given}: epochs count from 0, as in Python; yours count from 1.",
        )
        expect(
            (last, best) != want[::-1] or want[0] == want[1],
            f"Given {given}: the two numbers are swapped; the last epoch comes first.",
        )
        expect(
            (last, best) == want,
            f"Given {given}: expected last epoch {want[0]} and best epoch {want[1]}; got "
            f"{last:g} and {best:g}. {sentence}",
        )

    ask([5.0, 4.0, 3.0, 2.0], 2, 0.0, "While the loss falls, every epoch runs.")
    ask(
        [3.0, 2.0, 2.5, 2.6, 0.5],
        2,
        0.0,
        "The best epoch is the best of those that ran; losses after the stop are not known yet. "
        "With patience p, training stops at the p-th epoch in a row without improvement.",
    )
    ask(
        [3.0, 2.0, 2.5, 2.4, 2.3, 1.0],
        3,
        0.0,
        "Compare each loss with the best so far, not with the loss before it.",
    )
    ask(
        [3.0, 2.0, 2.5, 2.6, 1.5, 1.6, 1.7, 1.0],
        3,
        0.0,
        "An improvement sets the count of waiting epochs back to zero.",
    )
    yield 0.5
    ask(
        [2.0, 2.0, 2.0, 2.0],
        2,
        0.0,
        "An equal loss is no improvement: compare with <, not with <=.",
    )
    ask(
        [2.0, 1.75, 1.75, 1.0],
        2,
        0.25,
        "An improvement must be larger than min_delta: by exactly min_delta, or less, is not "
        "enough.",
    )
    ask(
        [2.0, 1.9, 1.8, 1.7, 1.6, 1.5],
        3,
        0.25,
        "Small steps add up: compare with the best loss that counted, not with the lowest seen.",
    )
    yield 0.75
    for _ in range(20):
        losses = (case.integers(0, 60, size=int(case.integers(1, 25))) / 16).tolist()
        ask(losses, int(case.integers(1, 6)), float(case.integers(0, 4)) / 8, "")
    expect_raises(ValueError, lambda: early_stop([], 2, 0.0), given="an empty list of losses")


quiz(
    "5.12",
    "When early stopping pays",
    aliases=("5.5.4-quiz",),
    name="choice_5_12",
    right="d",
    reasons={
        "a": "more classes make a task harder, but with clean labels the last epoch is about as "
        "good as the best one.",
        "b": "the device changes the seconds an epoch takes, not what it learns.",
        "c": "wide and narrow networks both gain where labels are noisy and hardly gain where they "
        "are clean.",
        "d": "with wrong or inherently random labels, there is noise to memorise; with separable "
        "classes, there is next to none.",
    },
    points=1,
    minutes=2,
    stars=1,
    hints=(
        "What does the network learn in the late epochs, and when does that hurt?",
        "In the lesson on label noise, which accuracy rises last?",
        "Think of the labels, not of the network.",
    ),
)


@exercise(
    "5.13",
    "Label noise and early stopping",
    aliases=("5.5.4",),
    kind="X",
    points=3,
    minutes=20,
    stars=2,
    hints=(
        "Two noise levels times two seeds: four runs. Only the training labels are noisy; the "
        "curve is the accuracy on validation images with true labels.",
        '`validation_data=(x_valid, y_valid)` puts the curve into `run.history["val_accuracy"]`.',
        "`for name, noise in (('clean', 0.0), ('noisy', 0.4)): for seed in (0, 1): y, _ = "
        "flip_labels(y_train, noise, seed); ... curves[name].append(...)`",
    ),
)
def _(noise_curves, case):
    value = noise_curves.value
    expect(
        isinstance(value, dict) and {"clean", "noisy"} <= set(value),
        "`noise_curves` should be a dict with the keys 'clean' and 'noisy'; it is "
        f"{show(list(value) if isinstance(value, dict) else value)}.",
    )
    curves = {
        name: _numbers(value[name], f"entry {name!r} of `noise_curves`", ndim=2)
        for name in ("clean", "noisy")
    }
    for name, rows in curves.items():
        expect(
            rows.shape[0] >= 2 and rows.shape[1] >= 60,
            f"Entry {name!r} has shape {rows.shape}; give one row a seed (at least 2) and one "
            "column an epoch (at least 60: memorising takes that long).",
        )
        _expect_fractions(rows, f"accuracies of {name!r}")
        expect(
            len(np.unique(rows, axis=0)) == len(rows),
            f"Two rows of {name!r} are identical: give each run its own seed.",
        )
    expect(
        curves["clean"].shape[1] == curves["noisy"].shape[1],
        "Train both noise levels for the same number of epochs.",
    )
    yield 0.25
    best = {name: rows.max(axis=1).mean() for name, rows in curves.items()}
    loss = {name: (rows.max(axis=1) - rows[:, -1]).mean() for name, rows in curves.items()}
    expect(
        best["clean"] > 0.6 and best["noisy"] > 0.5,
        f"The best accuracies are {best['clean']:.2f} (clean) and {best['noisy']:.2f} (noisy). "
        "Measure on the validation images with true labels; only training labels are flipped.",
    )
    expect(
        best["clean"] < 0.999 or curves["clean"][:, -1].mean() < 0.999,
        "An accuracy of 1.0 looks like the training images; measure on the validation images.",
    )
    yield 0.5
    expect(
        loss["noisy"] > 0.04,
        f"With 40 % noise the last epoch is only {loss['noisy']:.3f} below the best; the network "
        "has not memorised the noise. Is the noise in the training labels?",
    )
    expect(
        loss["noisy"] > 2 * loss["clean"],
        f"From the best to the last epoch, the clean runs lose {loss['clean']:.3f} and the noisy "
        f"runs {loss['noisy']:.3f}; much more is expected with noise. Are the two swapped?",
    )


quiz(
    "5.14",
    "Another benefit",
    aliases=("5.5.5-quiz",),
    name="choice_5_14",
    right="b",
    reasons={
        "a": "early stopping needs a validation set, so it leaves fewer rows to train on.",
        "b": "the epochs after the stop need not be computed, and for a large model they are most "
        "of the bill.",
        "c": "the step size must still be chosen; a bad one is stopped earlier, not mended.",
        "d": "the network has the same number of weights, however short the training.",
    },
    points=1,
    minutes=2,
    stars=1,
    hints=(
        "What does an epoch cost?",
        "Share saved = 1 - (epochs run) / (epochs planned).",
        "Think of your time and of the electricity bill.",
    ),
)


@exercise(
    "5.15",
    "Time saved",
    aliases=("5.5.5",),
    kind="X",
    points=2,
    minutes=15,
    stars=1,
    hints=(
        "Two runs from the same start on clean labels: one with the callback, one without.",
        "`time.perf_counter()` before and after `training.fit`; the number of epochs is "
        '`len(run.history["loss"])`; saved = 1 - epochs stopped / epochs full.',
        "`for name, callbacks in (('full', []), ('stopped', [keras.callbacks.EarlyStopping(...)])"
        "): start = time.perf_counter(); run = training.fit(...); ...`",
    ),
)
def _(time_saved, case):
    value = time_saved.value
    expect(
        isinstance(value, dict) and {"full", "stopped", "saved"} <= set(value),
        "`time_saved` should be a dict with the keys 'full', 'stopped' and 'saved'; it is "
        f"{show(list(value) if isinstance(value, dict) else value)}.",
    )
    runs = {}
    for name in ("full", "stopped"):
        run = value[name]
        expect(
            isinstance(run, dict) and {"epochs", "seconds", "accuracy"} <= set(run),
            f"Entry {name!r} should be a dict with the keys 'epochs', 'seconds' and 'accuracy'; it "
            f"is {show(run)}.",
        )
        runs[name] = {
            key: expect_number(run[key], f"{key!r} of the {name} run")
            for key in ("epochs", "seconds", "accuracy")
        }
        expect(
            runs[name]["epochs"] >= 1 and runs[name]["epochs"] % 1 == 0,
            f"'epochs' of the {name} run should be a whole number; it is {runs[name]['epochs']:g}.",
        )
        expect(
            runs[name]["seconds"] > 0,
            f"'seconds' of the {name} run is {runs[name]['seconds']:g}; take the time after "
            "the fit minus the time before it.",
        )
        _expect_fractions([runs[name]["accuracy"]], f"accuracy of the {name} run")
    yield 0.25
    full, stopped = runs["full"], runs["stopped"]
    expect(
        full["epochs"] == 60,
        f"The full run has {full['epochs']:g} epochs; let it run for the 60 of the exercise, "
        "without the callback.",
    )
    expect(
        2 <= stopped["epochs"] < full["epochs"],
        f"The stopped run has {stopped['epochs']:g} epochs and the full run {full['epochs']:g}. "
        "Is the EarlyStopping callback in `callbacks`, with a patience below the number of epochs?",
    )
    yield 0.5
    expect(
        full["accuracy"] > 0.6 and stopped["accuracy"] > full["accuracy"] - 0.05,
        f"The accuracies are {full['accuracy']:.3f} (full) and {stopped['accuracy']:.3f} "
        "(stopped); on clean labels the stopped run should lose less than 0.05. Use a patience of "
        "about 5 epochs and start both from the same weights.",
    )
    saved = expect_number(value["saved"], "'saved'")
    want = 1 - stopped["epochs"] / full["epochs"]
    expect_close(
        saved,
        want,
        given=f"{stopped['epochs']:g} of {full['epochs']:g} epochs",
        what="'saved', the share of epochs not run",
        rtol=0.02,
        atol=0.005,
        mistakes={
            "this is the share of epochs that ran; the saved share is the rest.": 1 - want,
            "give a fraction between 0 and 1, not percent.": 100 * want,
            "this is a number of epochs; divide by the epochs of the full run.": full["epochs"]
            - stopped["epochs"],
        },
    )


@exercise(
    "5.16",
    "Penalties and their gradients",
    aliases=("+5.2",),
    kind="C",
    points=2,
    minutes=15,
    stars=1,
    hints=(
        "Each function returns two things: one number, and an array shaped like the weights that "
        "says how this number changes with each weight.",
        "l2: (lambda / 2) sum w^2, gradient lambda w. l1: lambda sum |w|, gradient lambda sign(w), "
        "and sign(0) = 0.",
        "`return strength / 2 * (weights**2).sum(), ...` and `return strength * "
        "np.abs(weights).sum(), ...`",
    ),
)
def _(l2_penalty, l1_penalty, case):
    strength = float(case.uniform(0.2, 0.9))
    for shape in ((5,), (3, 4)):
        weights = case.normal(size=shape) * 1.7
        flat = weights.reshape(-1)
        flat[case.integers(flat.size)] = 0.0
        squares, absolute = (weights**2).sum(), np.abs(weights).sum()
        given = f"weights of shape {shape}, one of them 0, and strength {strength:.3f}"
        _expect_penalty(
            l2_penalty(weights, strength),
            strength / 2 * squares,
            strength * weights,
            given,
            "l2_penalty",
            {
                "the half is missing: formula (5.5.8) has lambda / 2.": strength * squares,
                "this is the norm; the l2 penalty squares it.": strength / 2 * np.sqrt(squares),
                "this is the mean over the weights; the penalty is the sum.": strength
                / 2
                * (weights**2).mean(),
                "the strength is missing.": squares / 2,
                "this is the l1 penalty.": strength * absolute,
            },
            {
                "this is twice the gradient: the half in front of the sum cancels the 2.": 2
                * strength
                * weights,
                "the strength is missing.": weights,
                "the sign is turned: the gradient points to where the penalty grows.": -strength
                * weights,
                "the gradient is divided by the number of weights; the penalty is a sum.": strength
                * weights
                / weights.size,
            },
        )
        _expect_penalty(
            l1_penalty(weights, strength),
            strength * absolute,
            strength * np.sign(weights),
            given,
            "l1_penalty",
            {
                "the absolute values are missing: positive and negative weights cancel.": strength
                * weights.sum(),
                "there is no half in the l1 penalty.": strength / 2 * absolute,
                "this is the mean over the weights; the penalty is the sum.": strength
                * np.abs(weights).mean(),
                "the strength is missing.": absolute,
                "this is the l2 penalty.": strength / 2 * squares,
            },
            {
                "the gradient at a weight of 0 should be 0; a comparison such as w > 0 or w >= 0 "
                "sends it to one side.": strength * np.where(weights > 0, 1.0, -1.0),
                "the gradient at a weight of exactly 0 should be 0.": strength
                * np.where(weights >= 0, 1.0, -1.0),
                "the gradient of |w| is its sign, whatever the size of w.": strength * weights,
                "the strength is missing.": np.sign(weights),
                "the sign is turned: the gradient points to where the penalty grows.": -strength
                * np.sign(weights),
            },
        )
        yield 0.5


def _expect_penalty(got, value, gradient, given, name, value_mistakes, gradient_mistakes):
    expect(
        isinstance(got, tuple | list) and len(got) == 2,
        f"Given {given}: {name} should return two things, the penalty and its gradient; got "
        f"{show(got)}.",
    )
    expect_close(got[0], value, given=given, what=f"the value of {name}", mistakes=value_mistakes)
    finite = np.asarray(got[1], dtype=float)
    expect(
        bool(np.isfinite(finite).all()),
        f"Given {given}: the gradient of {name} holds a NaN. w / |w| divides 0 by 0; use the sign.",
    )
    expect_close(
        got[1], gradient, given=given, what=f"the gradient of {name}", mistakes=gradient_mistakes
    )
