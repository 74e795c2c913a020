"""Exercises of chapter 5: random labels, double descent, neighbours, kernels, early stopping."""

from __future__ import annotations

import itertools
from functools import partial

import numpy as np

from helpers.exercises import (
    NotYet,
    exercise,
    expect,
    expect_close,
    expect_number,
    expect_raises,
    expect_shape,
    explanation,
    quiz,
    show,
)
from helpers.exercises.expectations import expect_entries, in_short

_EPOCHS = 60  # epochs of the page's runs


def _expect_model(model, what, given):
    expect(
        hasattr(model, "predict") and hasattr(model, "weights"),
        f"Given {given}: entry 'model' of what `{what}` returned is {show(model)}; it should be "
        "the trained Keras model.",
    )
    return model


def _expect_curve(values, what, length, given):
    """Return a curve of `length` finite numbers, one per epoch."""
    expect_shape(values, (length,), given=given, what=f"{what}, one number per epoch,")
    curve = np.asarray(values, dtype=float)
    expect(
        bool(np.isfinite(curve).all()),
        f"Given {given}: {what} contains a NaN or an infinity, so the training diverged.",
    )
    return curve


def _expect_fraction(value, what, rows, given):
    """Return a fraction of `rows` images."""
    number = expect_number(value, what)
    expect(
        0 <= number <= 1,
        f"Given {given}: {what} is {number:.6g}; give a fraction between 0 and 1, not percent or a "
        "loss.",
    )
    expect(
        abs(number * rows - round(number * rows)) < 0.02,
        f"Given {given}: {what} is {number:.6g}, which is no fraction of {rows} images. Measure it "
        "on all of them, after the training, and do not round.",
    )
    return number


def _clusters(case, rows, spread=1.0):
    """Draw images of ten classes, each class around a centre of its own, and their labels."""
    centres = case.normal(size=(10, 784))

    def draw(count):
        labels = case.permutation(np.arange(count) % 10)
        noise = spread * case.normal(size=(count, 784))
        return (centres[labels] + noise).astype("float32"), labels

    return [draw(count) for count in rows]


def _accuracy(model, x, y):
    return float(np.mean(np.argmax(np.asarray(model.predict(x)), axis=1) == y))


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


def _largest(residuals):
    return np.square(residuals).max()


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
def check_polynomial_errors(polynomial_errors, case):
    for sizes, degrees in (((24, 16), [3, 0, 5, 1]), ((18, 30), [2, 4, 2, 0]), ((15, 15), [1])):
        x, other_x = (case.uniform(-1, 1, size=size) for size in sizes)
        y, other_y = (np.sin(4 * v) + 1 + 0.3 * case.normal(size=v.size) for v in (x, other_x))
        given = f"{x.size} training points, {other_x.size} validation points, degrees {degrees}"
        got = polynomial_errors(x, y, other_x, other_y, list(degrees))
        expect(
            (isinstance(got, tuple | list) and len(got) == 2) or np.shape(got) == (2, len(degrees)),
            f"Given {given}: return two arrays, training and validation; got {in_short(got)}.",
        )
        _expect_errors(got, (x, y, other_x, other_y), degrees, given)
        yield 0.5


def _expect_errors(got, points, degrees, given):
    """Compare training and validation errors with QR, and name the known mistakes."""
    x, y, other_x, other_y = points
    want = np.array([_polynomial_errors(*points, degree=m) for m in degrees]).T
    own = np.array([_polynomial_errors(other_x, other_y, x, y, degree=m)[0] for m in degrees])
    absolute = np.array([_polynomial_errors(*points, degree=m, measure=np.abs) for m in degrees]).T
    largest = np.array([_polynomial_errors(*points, degree=m, measure=_largest) for m in degrees]).T
    both = np.concatenate([x, other_x]), np.concatenate([y, other_y])
    to_both = np.array(
        [
            [_polynomial_errors(*both, *part, degree=m)[1] for m in degrees]
            for part in ((x, y), (other_x, other_y))
        ]
    )
    in_order = want[:, np.argsort(degrees, kind="stable")]
    one_more = np.array([_polynomial_errors(*points, degree=m + 1) for m in degrees]).T
    for row, (what, size) in enumerate(
        (("training errors", x.size), ("validation errors", other_x.size))
    ):
        _expect_powers(got[row], points, degrees, row, given)
        mistakes = {
            "these are root mean squared errors; leave the square root out.": np.sqrt(want[row]),
            "these are sums of squares; divide by the number of points.": want[row] * size,
            "these are halves of the mean squared errors. The half belongs to some loss functions; "
            "the error asked for has none.": want[row] / 2,
            "these are mean absolute errors; square the differences before you take the "
            "mean.": absolute[row],
            "training and validation errors are swapped.": want[1 - row],
            "these are the largest squared errors; take their mean.": largest[row],
            "these sums of squares are divided by the points minus the coefficients; divide by the "
            "number of points.": want[row] * size / np.maximum(size - np.array(degrees) - 1, 1),
            "the polynomials were fitted to the points of both sets. Fit them to the training "
            "points alone.": to_both[row],
            "your polynomials have one degree too many: degree m ends at x**m.": one_more[row],
            "the errors come in the order of the sorted degrees; keep the order of "
            "`degrees`.": in_order[row],
        }
        if row == 1:
            mistakes[
                "the polynomial was fitted again on the validation points. Fit on the training "
                "points only, then measure there and here."
            ] = own
        expect_close(
            got[row],
            want[row],
            given=given,
            what=f"the list of {what}",
            rtol=1e-3,
            atol=1e-5,
            mistakes=mistakes,
        )


def _expect_powers(values, points, degrees, row, given):
    """Name a missing highest or lowest power; degree 0 cannot show either and is left out."""
    shown = [place for place, degree in enumerate(degrees) if degree]
    if np.shape(values) != (len(degrees),) or np.asarray(values).dtype.kind not in "biuf":
        return
    seen = np.asarray(values, dtype=float)[shown]
    for lowest, less, sentence in (
        (0, 1, "have one degree too few: degree m has the m + 1 powers x**0 to x**m."),
        (1, 0, "lack the constant term x**0."),
    ):
        wrong = [
            _polynomial_errors(*points, degree=degrees[place] - less, lowest=lowest)[row]
            for place in shown
        ]
        expect(
            not np.allclose(seen, wrong, 1e-3, 1e-5),
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
        "images stay the same.",
        "Draw `replaced = rng.random(len(y)) < share` and labels from `rng.integers(0, 10, ...)`. "
        "Accuracy is the mean of `classes(model, x) == labels`.",
        "`labels = np.where(replaced, ..., y)`, `model = new_model(seed)`, `run = "
        'training.fit(model, x, labels, ...)`, then a dict with `run.history["accuracy"]` and two '
        "means.",
    ),
)
def check_random_label_run(random_label_run, case):
    (x, y), (x_test, true_y) = _clusters(case, (150, 90))
    y_test = (true_y + 1) % 10  # a network that learned the training labels is never right here
    seed = int(case.integers(1, 1000))
    ask = partial(_ask_random_labels, random_label_run, (x, y, x_test, y_test))
    first = ask(0.0, seed)
    yield 0.25
    again = ask(0.0, seed)
    _expect_same_run(
        first["curve"], again["curve"], ask(0.0, seed + 1)["curve"], "random_label_run"
    )
    # Training moves the first kernel little, so that another start shows in it for certain.
    expect(
        np.corrcoef(np.ravel(first["kernel"]), np.ravel(again["kernel"]))[0, 1] > 0.8,
        "Two calls of `random_label_run` with the same arguments give different networks. Make the "
        "network by `new_model(seed)`, and use `seed` for all random draws.",
    )
    yield 0.5
    kept = {share: ask(share, seed)["kept"] for share in (0.25, 0.8)}
    for share, got in kept.items():
        want = 1 - 0.9 * share
        expect(
            abs(got - want) < 0.2,
            f"Given the share {share:g}: your network gives {got:.0%} of the training images their "
            f"original label, where about {want:.0%} are expected. Replace the label of a fraction "
            f"`share` of the images; the others keep theirs.",
        )


def _ask_random_labels(random_label_run, points, share, seed):
    """Call the run once and judge its numbers by the model it returns."""
    x, y, x_test, y_test = points
    given = f"the share {share:g}, {len(x)} training images and {len(x_test)} test images"
    names = ("model", "curve", "train_accuracy", "test_accuracy")
    got = random_label_run(share, seed, *points)
    got = expect_entries(got, names, "random_label_run", given)
    model = _expect_model(got["model"], "random_label_run", given)
    curve = _expect_curve(got["curve"], "'curve'", _EPOCHS, given)
    expect(
        bool(((curve >= 0) & (curve <= 1)).all()),
        f"Given {given}: 'curve' goes up to {curve.max():.3g}; it should be the training accuracy "
        'after each epoch, `history["accuracy"]`.',
    )
    train = _expect_fraction(got["train_accuracy"], "'train_accuracy'", len(x), given)
    test = _expect_fraction(got["test_accuracy"], "'test_accuracy'", len(x_test), given)
    kept, right = _accuracy(model, x, y), _accuracy(model, x_test, y_test)
    expect(
        train > 0.99 or abs(train - kept) > 1e-6,
        f"Given {given}: 'train_accuracy' is {train:.3f}, measured with the original labels. "
        "Measure it with the labels the network was trained on.",
    )
    expect(
        train > 0.99,
        f"Given {given}: the training accuracy is {train:.3f} at the end; {_EPOCHS} epochs at "
        "batch size 50 take it above 0.99. Is each batch's label that of its image?",
    )
    expect(
        share > 0 or abs(train - kept) < 1e-6,
        f"Given {given}: 'train_accuracy' is {train:.3f}, but the model you returned is right on "
        f"{kept:.3f} of the training images. Replace no label, and measure after the training.",
    )
    expect(
        share > 0 or right < 0.3,
        f"Given test labels that do not fit the training labels: your model knows {right:.0%} of "
        "them. Train on `x` alone; no test image takes part.",
    )
    expect(
        abs(test - right) < 1e-6,
        f"Given {given}: 'test_accuracy' is {test:.3f}, but the model you returned is right on "
        f"{right:.3f} of the test images. Measure it on `x_test` with `y_test`, after the "
        "training and on that model.",
    )
    return {"curve": curve, "kept": kept, "kernel": model.weights[0]}


def _expect_same_run(curve, again, other, name):
    """Raise `NotYet` unless a run starts anew at each call and its seed decides it."""
    expect(
        abs(again[0] - curve[0]) < 0.2 and np.abs(again - curve).max() < 0.2,
        f"Two calls of `{name}` with the same arguments give different curves: {curve[0]:.3f} and "
        f"{again[0]:.3f} after the first epoch. Begin each run with a new network, and use `seed` "
        "for the network, for all random draws and for `training.fit`.",
    )
    expect(
        not np.array_equal(curve, other),
        f"Two seeds give the same curve. Use `seed` in `{name}` for the network and the batches.",
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
        "`c = np.linalg.lstsq(random_features(x, V), np.eye(10)[y])[0]`; then `np.mean((... @ c - "
        "...)**2)` once for `x` and once for `x_test`, with the same `V`.",
    ),
)
def check_feature_errors(feature_errors, case):
    n, inputs = 40, 8
    x, x_test = case.normal(size=(n, inputs)), case.normal(size=(25, inputs))
    y, y_test = case.integers(0, 9, size=n), case.integers(0, 10, size=25)  # no 9 in training
    for width in (12, 25, 160, 400):
        V = case.normal(size=(inputs, width))
        given = f"{n} training images, {len(x_test)} test images and {width} features"
        got = _expect_two_errors(feature_errors(V, x, y, x_test, y_test), given)
        want = _feature_errors(V, x, y, x_test, y_test)
        if width > n:
            _expect_interpolation(got[0], given)
        _expect_no_fresh_features(feature_errors, V, x, y, given)
        wrong = _feature_mistakes(V, x, y, x_test, y_test)
        for place, what in enumerate(("the training error", "the test error")):
            expect_close(
                got[place],
                want[place],
                given=given,
                what=what,
                rtol=1e-3,
                atol=1e-12,
                mistakes={sentence: pair[place] for sentence, pair in wrong.items()},
            )
        yield 0.5


def _hidden(V, x, rectify=True):
    features = x @ V / np.sqrt(V.shape[1])
    return np.maximum(features, 0) if rectify else features


def _feature_errors(
    V, x, y, x_test, y_test, *, ridge=0.0, rectify=True, measure=np.mean, wrong_answers=False
):
    """Errors of the minimum-norm fit by the pseudo-inverse, on both sets of images."""
    features, targets = _hidden(V, x, rectify), np.eye(10)[y]
    if ridge:
        gram = features.T @ features + ridge * np.eye(V.shape[1])
        c = np.linalg.solve(gram, features.T @ targets)
    else:
        c = np.linalg.pinv(features) @ targets
    predicted = features @ c, _hidden(V, x_test, rectify) @ c
    if wrong_answers:
        pairs = zip(predicted, (y, y_test), strict=True)
        return [np.mean(part.argmax(axis=1) != labels) for part, labels in pairs]
    test = measure((predicted[1] - np.eye(10)[y_test]) ** 2)
    return [measure((features @ c - targets) ** 2), test]


def _feature_mistakes(V, x, y, x_test, y_test):
    """Pairs of errors that known mistakes give, by the sentence that helps."""
    points = V, x, y, x_test, y_test
    want = np.array(_feature_errors(*points))
    by_image = _feature_errors(*points, measure=lambda e: e.sum(axis=1).mean())
    return {
        "these are sums over the ten outputs; take the mean over images and outputs.": by_image,
        "these are sums of squares; take the mean.": _feature_errors(*points, measure=np.sum),
        "these are root mean squared errors; leave the square root out.": np.sqrt(want),
        "these are mean absolute errors; square the differences.": _feature_errors(
            *points, measure=lambda e: np.sqrt(e).mean()
        ),
        "these are fractions of wrong answers; the error asked for is the mean squared "
        "one.": _feature_errors(*points, wrong_answers=True),
        "the last layer was solved again on the test images. Solve it on the training images, and "
        "use the same coefficients for both.": [
            want[0],
            _feature_errors(V, x_test, y_test, x_test, y_test)[0],
        ],
        "the features lack the ReLU: formula (5.5.3) sets negative ones to 0.": _feature_errors(
            *points, rectify=False
        ),
        "training and test error are swapped.": want[::-1],
        "the labels went in as numbers. A label is a name: the targets are "
        "`np.eye(10)[labels]`.": _number_errors(*points),
    }


def _number_errors(V, x, y, x_test, y_test):
    features = _hidden(V, x)
    c = np.linalg.pinv(features) @ y
    return [np.mean((features @ c - y) ** 2), np.mean((_hidden(V, x_test) @ c - y_test) ** 2)]


def _expect_two_errors(got, given):
    expect(
        (isinstance(got, tuple | list) and len(got) == 2) or np.shape(got) == (2,),
        f"Given {given}: return two numbers, the training and the test error; got {show(got)}.",
    )
    return [
        expect_number(value, what)
        for value, what in zip(got, ("the training error", "the test error"), strict=True)
    ]


def _expect_interpolation(error, given):
    expect(
        error < 1e-4,
        f"Given {given}: with more features than images the training error should be zero; it is "
        f"{error:.3g}. Do the features have their ReLU, and is the fit without a penalty?",
    )
    expect(
        error < 1e-18,
        f"Given {given}: the training error of the minimum-norm solution is zero up to rounding, "
        f"below 1e-18 in float64; yours is {error:.3g}. A small penalty (a ridge) leaves such a "
        "remainder, and so does float32.",
    )


def _expect_no_fresh_features(feature_errors, V, x, y, given):
    """Hand in the training images as test images: both errors must be the same number."""
    twice = _expect_two_errors(feature_errors(V, x, y, x, y), given)
    expect(
        bool(np.isclose(*twice, rtol=1e-6, atol=1e-15)),
        f"Given {given}, with the training images as test images, too: the errors are "
        f"{twice[0]:.3g} and {twice[1]:.3g}, and should be equal. The test images need the same "
        "features as the training images: use the `V` that is given for both.",
    )


def _neighbour_votes(train_x, train_y, x, k, order=2, farthest=False, skip=0, count=None):
    """Let the k nearest vote; the other arguments make a known mistake."""
    count = count or (lambda labels: np.bincount(labels).argmax())
    votes = []
    for query in x.astype(float):
        if order == "cosine":
            distance = -(train_x @ query) / np.linalg.norm(train_x, axis=1)
        else:
            distance = np.linalg.norm(train_x.astype(float) - query, order, axis=1)
        nearest = np.argsort(-distance if farthest else distance, kind="stable")
        votes.append(count(train_y[nearest[skip : skip + k]]))
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
def check_knn_predict(knn_predict, case):
    classes = case.normal(scale=0.8, size=(4, 6))
    train_y = case.integers(0, 4, size=80)
    train_x = classes[train_y] + case.normal(size=(80, 6))
    x = classes[case.integers(0, 4, size=200)] + case.normal(size=(200, 6))
    for k in (1, 7):
        queries = x[_votes_decide(train_x, train_y, x, k)]
        _expect_labels(knn_predict, train_x, train_y, queries, k, "")
    _expect_labels(knn_predict, train_x, train_y, train_x, 1, ", which are the training points")
    wide_y = np.array([9, 2, 5])[case.integers(0, 3, size=30)]
    wide_x = case.normal(size=(30, 2))
    queries = case.normal(size=(60, 2))
    queries = queries[_votes_decide(wide_x, wide_y, queries, 5)]
    _expect_labels(knn_predict, wide_x, wide_y, queries, 5, "; the labels are 2, 5 and 9")
    yield 0.5
    for k, labels in ((2, (1, 3)), (4, (3, 3, 1, 1)), (3, (0, 4, 2)), (5, (6, 6, 2, 2, 4))):
        _expect_smallest_of_tied(knn_predict, case, k, labels)
    yield 0.75
    pixels = case.integers(0, 256, size=(60, 30)).astype(np.uint8)
    names = case.integers(0, 10, size=60).astype(np.uint8)
    noisy = np.clip(pixels[:20].astype(int) + case.integers(-40, 41, size=(20, 30)), 0, 255)
    got = np.asarray(knn_predict(pixels, names, noisy.astype(np.uint8), 1))
    expect_shape(got, (20,), given="20 images in uint8", what="the list of predicted labels")
    expect(
        np.array_equal(got, names[:20]),
        "Given images in uint8 and noisy copies of them: the nearest neighbour of each copy "
        "should be its original. In uint8, 3 - 5 is 254: convert to float before you subtract or "
        "square.",
    )


def _expect_labels(knn_predict, train_x, train_y, queries, k, remark):
    given = f"k = {k}, {len(train_x)} training points, {len(queries)} queries{remark}"
    got = np.asarray(knn_predict(train_x, train_y, queries, k))
    expect(
        got.ndim != 2 or got.shape[0] != len(queries),
        f"Given {given}: the result has shape {got.shape}; return one label per query, "
        f"shape {(len(queries),)}.",
    )
    expect_close(
        got,
        _neighbour_votes(train_x, train_y, queries, k),
        given=given,
        what="the list of predicted labels",
        mistakes=_neighbour_mistakes(train_x, train_y, queries, k),
    )


def _expect_smallest_of_tied(knn_predict, case, k, labels):
    """Put every order of the tied labels along the distance, each around a query of its own."""
    orders = np.array(sorted(set(itertools.permutations(labels))))
    places = 1000.0 * np.arange(len(orders))
    steps = case.choice([-1, 1], size=orders.shape) * np.arange(1, k + 1)
    shuffled = case.permutation(orders.size)
    train_x = (places[:, None] + steps).reshape(-1, 1)[shuffled]
    train_y = orders.reshape(-1)[shuffled]
    counts = np.bincount(labels)
    tied = np.flatnonzero(counts == counts.max())
    given = f"k = {k} and queries whose votes are {sorted(labels)}, so that {show(tied)} tie"
    nearest = np.array([next(label for label in order if label in tied) for order in orders])
    expect_close(
        knn_predict(train_x, train_y, places[:, None], k),
        np.full(len(orders), tied[0]),
        given=given,
        what="the list of predicted labels",
        mistakes={
            "the tied label that is nearest wins, as with `Counter.most_common`. Where labels "
            "tie, the smallest label wins, in whatever order they come.": nearest,
            "the largest of the tied labels wins; the smallest should.": np.full(
                len(orders), tied[-1]
            ),
        },
    )


def _votes_decide(train_x, train_y, x, k):
    """Say for each query whether one label has more votes than any other."""
    nearest = np.argsort(((x[:, None] - train_x) ** 2).sum(axis=2), axis=1)[:, :k]
    votes = np.sort([np.bincount(row, minlength=12) for row in train_y[nearest]], axis=1)
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
        "adds squares.": votes(k, order=1),
        "these neighbours are nearest in the largest difference; the Euclidean distance adds "
        "squares.": votes(k, order=np.inf),
        "these neighbours have the smallest angle; take the smallest Euclidean distance.": votes(
            k, order="cosine"
        ),
        "the nearest neighbour has no vote. A query is no training example, so no neighbour is "
        "left out.": votes(k, skip=1),
        "one neighbour too many votes: take k of them.": votes(k + 1),
    }
    if k == 1:
        return mistakes | {"these are the neighbours' positions, not their labels.": nearest[:, 0]}
    return mistakes | {
        "these labels come from the nearest neighbour alone; let the k nearest vote.": votes(1),
        "one neighbour is missing: k of them vote.": votes(k - 1),
        "these are medians of labels. Labels are names, not amounts: count votes.": votes(
            k, count=lambda labels: int(np.median(labels))
        ),
        "these are means of labels. Labels are names, not amounts: count votes.": train_y[
            nearest
        ].mean(axis=1),
    }


_NTK = """
layers = [keras.layers.Dense(units, activation="tanh") for units in hidden_units]
model = keras.Sequential([keras.Input((inputs,)), *layers, keras.layers.Dense(1)])
model.set_weights(weights)
if frozen:
    model.layers[0].trainable = False
result = empirical_ntk(model, first, second)
"""


class _TanhNetwork:
    """A tanh network in NumPy that differentiates its output by each of its weights."""

    def __init__(self, case, inputs, hidden_units):
        sizes = (inputs, *hidden_units, 1)
        self.hidden_units = hidden_units
        self.weights = [
            case.normal(size=shape).astype("float32")
            for fan_in, units in itertools.pairwise(sizes)
            for shape in ((fan_in, units), (units,))
        ]

    def outputs(self, x):
        kernels, biases = self.weights[::2], self.weights[1::2]
        h = [x.astype(float)]
        for kernel, bias in zip(kernels[:-1], biases[:-1], strict=True):
            h.append(np.tanh(h[-1] @ kernel + bias))
        return h, (h[-1] @ kernels[-1] + biases[-1])[:, 0]

    def jacobian(self, x):
        """Return one array per weight, each of shape (rows, entries of the weight)."""
        h, _ = self.outputs(x)
        back, blocks = np.ones((len(x), 1)), []
        for layer in reversed(range(len(h))):
            by_kernel = (h[layer][:, :, None] * back[:, None, :]).reshape(len(x), -1)
            blocks = [by_kernel, back, *blocks]
            back = back @ self.weights[2 * layer].T * (1 - h[layer] ** 2)
        return blocks


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
def check_empirical_ntk(empirical_ntk, case):
    network = _TanhNetwork(case, 3, (5,))
    first, second = (case.normal(size=(n, 3)).astype("float32") for n in (4, 6))
    _expect_kernel(empirical_ntk, network, first, second)
    yield 0.5
    network = _TanhNetwork(case, 2, (4, 3))
    first = case.normal(size=(3, 2)).astype("float32")
    _expect_kernel(empirical_ntk, network, first, first)
    yield 0.75
    _expect_kernel(empirical_ntk, network, first, first[:2], frozen=True)


def _expect_kernel(empirical_ntk, network, first, second, frozen=False):
    inputs = first.shape[1]
    got = empirical_ntk.evaluate(
        _NTK,
        inputs=inputs,
        hidden_units=list(network.hidden_units),
        weights=network.weights,
        first=first,
        second=second,
        frozen=frozen,
    )
    sizes = "-".join(map(str, (inputs, *network.hidden_units, 1)))
    given = f"a network {sizes}, {len(first)} first and {len(second)} second inputs"
    if frozen:
        given += ", the first layer not trainable"
    blocks = [
        a @ b.T for a, b in zip(network.jacobian(first), network.jacobian(second), strict=True)
    ]
    want = sum(blocks[2:]) if frozen else sum(blocks)
    _expect_gradient_of_each_input(got, want, given)
    outputs = np.outer(network.outputs(first)[1], network.outputs(second)[1])
    expect_close(
        got,
        want,
        given=given,
        what="the kernel",
        rtol=1e-3,
        atol=1e-4,
        mistakes={
            "the kernel is transposed: rows belong to `first`, columns to `second`.": want.T,
            "the biases are missing; they are parameters, too.": sum(blocks[::2]),
            "only the last layer is in the kernel: use all trainable variables.": sum(blocks[-2:]),
            "only the first layer is in the kernel: use all trainable variables.": sum(blocks[:2]),
            "the kernel is divided by the number of parameters; leave the sum.": want
            / sum(weight.size for weight in network.weights),
            "this is the product of the outputs. The kernel multiplies their gradients.": outputs,
            "this is the product of the inputs. The kernel multiplies gradients of the "
            "outputs.": first @ second.T,
            "this is the product of the last hidden layer's outputs, the part of the last layer's "
            "weights; add the products for all other trainable variables.": blocks[-2],
            "a layer that is not trainable is in the kernel: take "
            "`model.trainable_variables`.": sum(blocks),
        },
    )


def _expect_gradient_of_each_input(got, want, given):
    """Name the product of two batch gradients, which has one number for all pairs."""
    if want.size == 1 or got is None or np.asarray(got).dtype.kind not in "biuf":
        return
    numbers = np.asarray(got, dtype=float)
    for batch, value in (("sum", want.sum()), ("mean", want.mean())):
        expect(
            numbers.size == 0 or not np.allclose(numbers, value, rtol=1e-3, atol=1e-4),
            f"Given {given}: {value:.5g} is the product of the two batch gradients, that of the "
            f"{batch} of the first outputs and that of the {batch} of the second. The tape adds up "
            "what it is not asked for one by one: take one gradient for each input.",
        )


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
def check_early_stop(early_stop, case):
    ask = partial(_ask_early_stop, early_stop)
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
    ask([4.0], 1, 0.0, "A single epoch is the last and the best.")
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
    ask([2.0, 1.75, 1.8, 1.9], 2, None, "Without a third argument, min_delta is 0.")
    yield 0.75
    for _ in range(40):
        losses = (case.integers(-20, 60, size=int(case.integers(1, 25))) / 16).tolist()
        ask(losses, int(case.integers(1, 6)), float(case.integers(0, 4)) / 8, "")
    expect_raises(ValueError, lambda: early_stop([], 2, 0.0), given="an empty list of losses")


def _ask_early_stop(early_stop, losses, patience, min_delta, sentence):
    arguments = (patience,) if min_delta is None else (patience, min_delta)
    got = early_stop(list(losses), *arguments)
    given = f"losses {losses}, patience {patience}"
    given += "" if min_delta is None else f" and min_delta {min_delta}"
    expect(
        (isinstance(got, tuple | list) and len(got) == 2) or np.shape(got) == (2,),
        f"Given {given}: return two numbers, the last and the best epoch; got {show(got)}.",
    )
    last, best = (
        expect_number(value, what)
        for value, what in zip(got, ("the last epoch", "the best epoch"), strict=True)
    )
    want = _stopping(losses, patience, min_delta or 0.0)
    expect(
        (last, best) != (losses[want[0]], losses[want[1]]) or (last, best) == want,
        f"Given {given}: these are the losses of the two epochs; return the epochs' numbers.",
    )
    expect(
        (last, best) != (want[0] + 1, want[1]) or want[0] + 1 == want[1],
        f"Given {given}: the first number is the number of epochs that ran; return the number of "
        "the last epoch, counted from 0.",
    )
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
        f"{last:g} and {best:g}. {sentence}".rstrip(),
    )


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
        "Only the training labels are flipped; the curve is the accuracy on the validation images "
        "with their true labels.",
        '`validation_data=(x_valid, y_valid)` puts the curve into `run.history["val_accuracy"]`.',
        "`labels, _ = flip_labels(y, share, seed)`, `run = training.fit(new_model(seed), x, "
        "labels, ..., validation_data=...)`, and return one entry of the history.",
    ),
)
def check_noise_curve(noise_curve, case):
    (x, y), (x_valid, y_valid) = _clusters(case, (150, 160))
    seed = int(case.integers(1, 1000))

    def ask(share, seed, labels=y_valid):
        given = f"the share {share:g} and {len(x_valid)} validation images"
        got = noise_curve(share, seed, x, y, x_valid, labels)
        expect(
            not isinstance(got, dict),
            f"Given {given}: return the curve alone, not the whole history: "
            '`history["val_accuracy"]`.',
        )
        curve = _expect_curve(got, "the curve", _EPOCHS, given)
        expect(
            bool(((curve >= 0) & (curve <= 1)).all()),
            f"Given {given}: the curve runs from {curve.min():.3g} to {curve.max():.3g}; it should "
            "hold accuracies as fractions, not percent or losses.",
        )
        _expect_validation_accuracy(curve, len(x_valid), len(x), given)
        return curve

    clean = ask(0.0, seed)
    expect(
        clean[-1] > 0.8,
        f"Given clean labels of ten clusters far apart: the validation accuracy ends at "
        f"{clean[-1]:.2f}, where nearly 1 is expected. Flip no label when the share is 0.",
    )
    moved = ask(0.0, seed, (y_valid + 1) % 10)
    expect(
        moved[-1] < 0.2,
        f"Given validation labels that no network can predict: your curve ends at {moved[-1]:.2f}. "
        "It looks like the training images; measure with `x_valid` and `y_valid`.",
    )
    yield 0.5
    wrong = ask(1.0, seed)
    expect(
        wrong[-1] < 0.03,
        f"Given the share 1, where each training label is wrong: the validation accuracy ends at "
        f"{wrong[-1]:.2f}. Flip the fraction `share` of the training labels, by `flip_labels`, and "
        "leave the validation labels as they are.",
    )
    noisy = ask(0.4, seed)
    _expect_same_run(noisy, ask(0.4, seed), ask(0.4, seed + 1), "noise_curve")
    yield 0.75
    expect(
        bool((np.diff(noisy) < 0).any()),
        "Given the share 0.4: your curve never falls from one epoch to the next. Return the "
        "accuracy after each epoch, not the best so far.",
    )
    expect(
        noisy.max() > 0.75,
        f"Given the share 0.4: the best validation accuracy is {noisy.max():.2f}, where about "
        f"{clean.max():.2f} is expected. Flip the training labels only; the validation images keep "
        "their true labels.",
    )


def _expect_validation_accuracy(curve, rows, training_rows, given):
    """Raise `NotYet` unless a curve counts validation images; name losses and training images."""

    def apart(count):
        return np.abs(curve * count - np.round(curve * count))

    if apart(rows).max() < 0.02:
        return
    on_training = apart(training_rows).max() < 0.02
    raise NotYet(
        f"Given {given}: the curve holds {curve[np.argmax(apart(rows))]:.6g}, which is no fraction "
        f"of {rows} images. "
        + (
            "It is the accuracy on the training images; measure on the validation images."
            if on_training
            else "Is it a loss? Take 'val_accuracy', without rounding."
        )
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
        "The callback ends the run; the history then has fewer than 60 entries.",
        '`len(run.history["loss"])` epochs ran; saved = 1 - epochs that ran / 60.',
        '`stop = keras.callbacks.EarlyStopping("val_loss", patience=patience, ...)`, '
        "`training.fit(..., callbacks=[stop])`, then a dict with the four entries.",
    ),
)
def check_stopped_run(stopped_run, case):
    (x, y), (x_valid, y_valid) = _clusters(case, (150, 100), spread=4.0)
    # With labels of chance, the validation loss rises again after a few epochs.
    y_valid = np.where(case.random(len(y_valid)) < 0.5, case.integers(0, 10, 100), y_valid)
    seed = int(case.integers(1, 1000))
    for patience in (2, 6):
        given = f"patience {patience} and {len(x_valid)} validation images"
        got = stopped_run(patience, seed, x, y, x_valid, y_valid)
        names = ("model", "val_loss", "epochs", "saved")
        got = expect_entries(got, names, "stopped_run", given)
        losses = _expect_stop(got["val_loss"], patience, given)
        _expect_restored(got["model"], losses, x_valid, y_valid, given)
        yield 0.5
        _expect_saved(got, len(losses), given)


def _expect_stop(val_loss, patience, given):
    """Return the validation losses of a run that the rule of the lesson ended."""
    expect_shape(val_loss, (np.size(val_loss),), given=given, what="'val_loss', a list,")
    losses = np.asarray(val_loss, dtype=float)
    expect(
        len(losses) < _EPOCHS,
        f"Given {given}: all {len(losses)} epochs ran, though the validation loss rises again. Is "
        "the EarlyStopping callback in `callbacks`, and does it watch 'val_loss'?",
    )
    last, best = _stopping(losses.tolist(), patience, 0.0)
    expect(
        last == len(losses) - 1 and last - best == patience,
        f"Given {given}: by the losses you returned, training should end "
        f"{patience} epochs after its best epoch; it ran {len(losses)} epochs, and the best was "
        f"epoch {best + 1}. Hand `patience` to the callback, watch 'val_loss', and keep min_delta "
        "at 0.",
    )
    return losses


def _expect_restored(model, losses, x_valid, y_valid, given):
    """Compare the model's own validation loss with the least of the run."""
    model = _expect_model(model, "stopped_run", given)
    logits = np.asarray(model.predict(x_valid), dtype=float)
    logits -= logits.max(axis=1, keepdims=True)
    log_share = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    own = -log_share[np.arange(len(y_valid)), y_valid].mean()
    expect(
        not np.isclose(own, losses[-1], rtol=1e-3) or np.isclose(losses[-1], losses.min()),
        f"Given {given}: the model you returned has the weights of the last epoch, with loss "
        f"{own:.4f}. Bring back the best ones, with `restore_best_weights=True`.",
    )
    expect(
        bool(np.isclose(own, losses.min(), rtol=2e-3)),
        f"Given {given}: the model you returned has the validation loss {own:.4f}; the least of "
        f"'val_loss' is {losses.min():.4f}. Return the losses and the model of one run, measured "
        "on `x_valid` and `y_valid`.",
    )


def _expect_saved(got, ran, given):
    epochs, saved = expect_number(got["epochs"], "'epochs'"), expect_number(got["saved"], "'saved'")
    expect(
        epochs == ran,
        f"Given {given}: 'epochs' is {epochs:g}, but the losses have {ran} entries, one for each "
        "epoch that ran.",
    )
    expect_close(
        saved,
        1 - ran / _EPOCHS,
        given=f"{given}, and {ran} of {_EPOCHS} epochs",
        what="'saved', the fraction of the epochs that did not run",
        rtol=0,
        atol=0.006,
        mistakes={
            "this is the fraction of the epochs that ran; the saved fraction is the rest.": ran
            / _EPOCHS,
            "give a fraction between 0 and 1, not percent.": 100 * (1 - ran / _EPOCHS),
            "this is a number of epochs; divide by the 60 of a full run.": _EPOCHS - ran,
            "one epoch is counted twice or left out: the history has one entry for each epoch "
            "that ran.": 1 - (ran - 1) / _EPOCHS,
            "one epoch too many is counted: the history has one entry for each epoch that ran.": 1
            - (ran + 1) / _EPOCHS,
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
def check_penalties(l2_penalty, l1_penalty, case):
    for shape, low, high in (((5,), 0.2, 0.9), ((3, 4), 1.5, 4.0), ((2, 3, 2), 0.01, 0.1)):
        strength = float(case.uniform(low, high))
        weights = case.normal(size=shape) * 1.7
        flat = weights.reshape(-1)
        flat[case.integers(flat.size)] = 0.0
        given = f"weights of shape {shape}, one of them 0, and strength {strength:.3f}"
        _expect_l2(l2_penalty(weights, strength), weights, strength, given)
        _expect_l1(l1_penalty(weights, strength), weights, strength, given)
        yield 0.5


def _expect_l2(got, weights, strength, given):
    squares = (weights**2).sum()
    _expect_penalty(
        got,
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
            "this is the l1 penalty.": strength * np.abs(weights).sum(),
        },
        {
            "this is twice the gradient: the half in front of the sum cancels the 2.": 2
            * strength
            * weights,
            "the strength is missing.": weights,
            "the sign is wrong: the gradient points to where the penalty grows.": -strength
            * weights,
            "the gradient is divided by the number of weights; the penalty is a sum.": strength
            * weights
            / weights.size,
        },
    )


def _expect_l1(got, weights, strength, given):
    absolute = np.abs(weights).sum()
    _expect_penalty(
        got,
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
            "this is the l2 penalty.": strength / 2 * (weights**2).sum(),
        },
        {
            "the gradient at a weight of 0 should be 0; a comparison such as w > 0 or w >= 0 "
            "sends it to one side.": strength * np.where(weights > 0, 1.0, -1.0),
            "the gradient at a weight of exactly 0 should be 0.": strength
            * np.where(weights >= 0, 1.0, -1.0),
            "the gradient of |w| is its sign, whatever the size of w.": strength * weights,
            "the strength is missing.": np.sign(weights),
            "the sign is wrong: the gradient points to where the penalty grows.": -strength
            * np.sign(weights),
        },
    )


def _expect_penalty(got, value, gradient, given, name, value_mistakes, gradient_mistakes):
    expect(
        isinstance(got, tuple | list) and len(got) == 2,
        f"Given {given}: {name} should return two things, the penalty and its gradient; got "
        f"{show(got)}.",
    )
    expect_close(got[0], value, given=given, what=f"the value of {name}", mistakes=value_mistakes)
    gradients = np.asarray(got[1])
    expect(
        gradients.dtype.kind != "f" or bool(np.isfinite(gradients).all()),
        f"Given {given}: the gradient of {name} holds a NaN. w / |w| divides 0 by 0; use the sign.",
    )
    expect_close(
        got[1], gradient, given=given, what=f"the gradient of {name}", mistakes=gradient_mistakes
    )
