"""Exercises of chapter 5: random labels, double descent, neighbours, kernels, early stopping."""

from __future__ import annotations

import itertools
from functools import partial

import numpy as np

from helpers.answers import AnswerError
from helpers.exercises import (
    NotYet,
    exercise,
    expect,
    expect_close,
    expect_number,
    expect_raises,
    expect_shape,
    explanation,
    oracles,
    quiz,
    show,
)
from helpers.exercises.expectations import expect_entries, in_short, numbers

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
        "on all of them and on no others, after the training, and do not round.",
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
    want = _errors_by_degree(points, degrees)
    remarks = (
        _least_squares_remark(got[0], want[0], degrees),
        "The training errors are right, so the fit is. Measure the same polynomial once more: the "
        f"mean of its squared errors over all {points[2].size} points of `x_validation` and "
        "`y_validation`.",
    )
    for row, what in enumerate(("training", "validation")):
        _expect_powers(got[row], points, degrees, row, given)
        more = (_fit_mistakes, _validation_mistakes)[row](points, degrees, want)
        expect_close(
            got[row],
            want[row],
            given=given,
            what=f"the list of {what} errors",
            rtol=1e-3,
            atol=1e-5,
            mistakes=_error_mistakes(points, degrees, want, row) | more,
            advice=remarks[row],
        )


def _errors_by_degree(points, degrees, **options):
    return np.array([_polynomial_errors(*points, degree=m, **options) for m in degrees]).T


def _least_squares_remark(got, least, degrees):
    """Say what follows from a training error above or below the least possible one."""
    got = np.asarray(got)
    if got.shape != least.shape or got.dtype.kind not in "biuf":
        return ""
    place = int(np.argmax(np.abs(got - least)))
    if got[place] > least[place]:
        return (
            f"For degree {degrees[place]}, least squares reaches the smaller error. Your fit is "
            "another one (too few powers, a penalty, too few steps, other points), or it is "
            "measured in another way than by the mean of the squared errors."
        )
    return (
        f"No polynomial of degree {degrees[place]} has a training error as small as yours. Does "
        "yours have more than m + 1 coefficients, or are the errors scaled or rounded?"
    )


def _error_mistakes(points, degrees, want, row):
    """Errors that another measure or another order gives, on the points of one row."""
    y, size = points[2 * row + 1], points[2 * row + 1].size
    return {
        "these are root mean squared errors; leave the square root out.": np.sqrt(want[row]),
        "these are sums of squares; divide by the number of points.": want[row] * size,
        "these are halves of the mean squared errors. The half belongs to some loss functions; "
        "the error asked for has none.": want[row] / 2,
        "these are mean absolute errors; square the differences before you take the "
        "mean.": _errors_by_degree(points, degrees, measure=np.abs)[row],
        "these are the largest squared errors; take their mean.": _errors_by_degree(
            points, degrees, measure=_largest
        )[row],
        "these sums of squares are divided by the points minus the coefficients; divide by the "
        "number of points.": want[row] * size / np.maximum(size - np.array(degrees) - 1, 1),
        "these are variances of the differences, which leave out their mean; take the mean of "
        "their squares.": _errors_by_degree(points, degrees, measure=np.var)[row],
        "this is R^2, one minus the error in proportion to the variance of y. Return the mean "
        "squared error itself.": 1 - want[row] / np.var(y),
        "your polynomials have one degree too many: degree m ends at x**m.": _errors_by_degree(
            points, [m + 1 for m in degrees]
        )[row],
        "the errors come in the order of the sorted degrees; keep the order of `degrees`.": want[
            row
        ][np.argsort(degrees, kind="stable")],
        "these are the errors of the degrees 0, 1, 2, ...; take those in `degrees`, in their "
        "order.": _errors_by_degree(points, range(len(degrees)))[row],
    }


def _fit_mistakes(points, degrees, want):
    """Training errors that a fit to other points or a wrong order of coefficients gives."""
    x, y, other_x, other_y = points
    swapped = _errors_by_degree((other_x, other_y, x, y), degrees)
    both = np.concatenate([x, other_x]), np.concatenate([y, other_y])
    fits = [np.polynomial.polynomial.polyfit(x, y, m) for m in degrees]
    turned = [np.mean((np.polyval(fit, x) - y) ** 2) for fit in fits]
    return {
        "training and validation errors are swapped.": want[1],
        "the polynomials were fitted to the validation points. Fit them to the training "
        "points.": swapped[1],
        "the fit and the measurement use the validation points. Fit and measure on the training "
        "points here.": swapped[0],
        "the polynomials were fitted to the points of both sets. Fit them to the training "
        "points alone.": _errors_by_degree((*both, x, y), degrees)[1],
        "the coefficients are taken in the wrong order: some functions put the highest power "
        "first (`np.polyfit`, `np.polyval`, `np.vander`), others the constant.": turned,
    }


def _validation_mistakes(points, degrees, want):
    """Validation errors that known mistakes give where the training errors are right."""
    x, y, other_x, other_y = points
    own = ((x - x.mean()) / x.std(), y, (other_x - other_x.mean()) / other_x.std(), other_y)
    return {
        "the validation errors are the training errors once more. Measure on `x_validation` and "
        "`y_validation`.": want[0],
        "the polynomial was fitted again on the validation points. Fit on the training points "
        "only, then measure there and here.": _errors_by_degree((other_x, other_y, x, y), degrees)[
            0
        ],
        "these are differences between validation and training errors; return the validation "
        "errors themselves.": want[1] - want[0],
        "these sums of squares are divided by the number of training points; divide by that of "
        "the validation points.": want[1] * other_x.size / x.size,
        "the validation points were standardised by their own mean and spread. Both sets need "
        "the same polynomial in the same x.": _errors_by_degree(own, degrees)[1],
    }


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
    points = _images_for_random_labels(case)
    y = points[1]
    seed = int(case.integers(1, 1000))
    ask = partial(_ask_random_labels, random_label_run, points)
    drawn = ask(1.0, seed)
    _expect_random_labels(drawn["labels"], y)
    yield 0.25
    half = ask(0.5, seed)
    _expect_half_replaced(half["labels"] == y)
    yield 0.5
    again, other = ask(0.5, seed), ask(0.5, seed + 1)
    _expect_same_run(half["curve"], again["curve"], "random_label_run")
    _expect_labels_by_seed(half, again, other)
    paces, limits = [_pace(drawn, half, again, other)], (0.765, 0.83)
    while len(paces) < 3 and not limits[0] < paces[-1] < limits[1]:  # by chance, perhaps
        points = _images_for_random_labels(case)
        runs = [_ask_random_labels(random_label_run, points, 1.0, seed + i) for i in range(2)]
        paces.append(_pace(*runs))
    _expect_pace(paces, limits, len(y))


def _images_for_random_labels(case):
    """Draw training images, and test images that a network trained on those never gets right."""
    (x, y), (x_test, true_y) = _clusters(case, (150, 90))
    return x, y, x_test, (true_y + 1) % 10


def _pace(*runs):
    """Return the mean training accuracy in the second to fourth epoch."""
    return float(np.mean([run["curve"][1:4] for run in runs]))


def _ask_random_labels(random_label_run, points, share, seed):
    """Call the run once and judge its numbers by the model it returns."""
    x, y, x_test, y_test = points
    given = f"the share {share:g}, {len(x)} training images and {len(x_test)} test images"
    names = ("model", "curve", "train_accuracy", "test_accuracy")
    got = random_label_run(share, seed, *points)
    got = expect_entries(got, names, "random_label_run", given)
    model = _expect_model(got["model"], "random_label_run", given)
    curve = _expect_training_curve(got["curve"], len(x), given)
    train = _expect_fraction(got["train_accuracy"], "'train_accuracy'", len(x), given)
    test = _expect_fraction(got["test_accuracy"], "'test_accuracy'", len(x_test), given)
    labels = np.argmax(np.asarray(model.predict(x)), axis=1)
    kept, right = float(np.mean(labels == y)), _accuracy(model, x_test, y_test)
    expect(
        not (train < 0.5 < test and abs(train - right) < 1e-6),
        f"Given {given}: 'train_accuracy' ({train:.3f}) and 'test_accuracy' ({test:.3f}) are "
        "swapped.",
    )
    expect(
        train > 0.01 or curve[-1] < 0.99,
        f"Given {given}: 'train_accuracy' is {train:.3f}, though the curve ends at "
        f"{curve[-1]:.3f}. That is a fraction of wrong answers; return the fraction of right ones.",
    )
    expect(
        train > 0.99 or abs(train - kept) > 1e-6,
        f"Given {given}: 'train_accuracy' is {train:.3f}, measured with the original labels. "
        "Measure it with the labels the network was trained on.",
    )
    expect(
        train > 0.99,
        f"Given {given}: the training accuracy is {train:.3f} at the end; {_EPOCHS} epochs at "
        "batch size 50 take it above 0.99. Is each batch's label that of its image, and are the "
        "labels drawn once, before the training?",
    )
    expect(
        curve[-1] > 0.95,
        f"Given {given}: 'curve' ends at {curve[-1]:.3f}, but 'train_accuracy' is {train:.3f}. "
        'Return the training accuracy after each epoch, `history["accuracy"]`, from the first '
        "epoch to the last.",
    )
    expect(
        curve[0] < 0.6,
        f"Given {given}: 'curve' begins at {curve[0]:.3f}. A new network cannot know random labels "
        "after one epoch: begin each run with `new_model(seed)`, and return the accuracies in the "
        "order of the epochs.",
    )
    expect(
        right < 0.35,
        f"Given test labels that do not fit the training labels: your model knows {right:.0%} of "
        "them. Train on `x` alone; no test image takes part.",
    )
    expect(
        abs(test - right) < 1e-6,
        f"Given {given}: 'test_accuracy' is {test:.3f}, but the model you returned is right on "
        f"{right:.3f} of the test images. Measure it on `x_test` with `y_test`, after the "
        "training and on that model.",
    )
    return {"curve": curve, "labels": labels, "kernel": np.ravel(model.weights[0])}


def _expect_training_curve(values, rows, given):
    """Return a curve of training accuracies of `rows` images."""
    curve = _expect_curve(values, "'curve'", _EPOCHS, given)
    expect(
        bool(((curve >= 0) & (curve <= 1)).all()),
        f"Given {given}: 'curve' goes up to {curve.max():.3g}; it should be the training accuracy "
        'after each epoch, `history["accuracy"]`.',
    )
    apart = np.abs(curve * rows - np.round(curve * rows))
    expect(
        apart.max() < 0.02,
        f"Given {given}: 'curve' holds {curve[apart.argmax()]:.6g}, which is no fraction of {rows} "
        'training images. Return `history["accuracy"]` as it is, without averages over epochs, and '
        "train on `x` alone: no test image takes part.",
    )
    return curve


def _expect_random_labels(labels, y):
    """Judge the labels that a network learned for images that all got a random one."""
    given = f"the share 1 and {len(y)} training images"
    kept = np.mean(labels == y)
    expect(
        kept < 0.3,
        f"Given {given}: your network gives {kept:.0%} of the training images their original "
        "label, where about 10% are expected. At share 1 every image gets a random label.",
    )
    expect(
        kept > 0,
        f"Given {given}: no image has its original label. Draw from all ten classes, so that one "
        "image in ten gets its own label again; do not draw a wrong label on purpose.",
    )
    counts = np.bincount(labels, minlength=10)
    expect(
        bool(counts.all()),
        f"Given {given}: no image got the label {show(np.flatnonzero(counts == 0))}. Draw one "
        "label for each image from all ten classes, `rng.integers(0, 10, size=len(y))`.",
    )
    expect(
        not np.array_equal(counts, np.bincount(y, minlength=10)),
        f"Given {given}: each class is as frequent as before, so the labels were only put in "
        "another order. Draw each new label from the ten classes.",
    )


def _expect_half_replaced(kept):
    """Judge which images kept their label at share 0.5; 0.55 are expected."""
    first, second = kept[: len(kept) // 2].mean(), kept[len(kept) // 2 :].mean()
    expect(
        abs(first - second) < 0.45,
        f"Given the share 0.5: {first:.0%} of the first half of the training images keep their "
        f"label, and {second:.0%} of the second half. Choose the images at random: each with "
        "probability `share`.",
    )
    expect(
        abs(kept.mean() - 0.55) < 0.2,
        f"Given the share 0.5: your network gives {kept.mean():.0%} of the training images their "
        "original label, where about 55% are expected. Replace the label of each image with "
        "probability `share`; the others keep theirs.",
    )


def _expect_labels_by_seed(run, again, other):
    """Compare labels and start of two runs of one seed, and of a run of another seed."""
    # Training moves the first kernel little, so that another start shows in it for certain.
    alike = [np.corrcoef(run["kernel"], one["kernel"])[0, 1] > 0.8 for one in (again, other)]
    agree = [np.mean(run["labels"] == one["labels"]) for one in (again, other)]
    expect(
        alike[0],
        "Two calls of `random_label_run` with the same arguments give different networks. Make the "
        "network by `new_model(seed)`.",
    )
    expect(
        agree[0] > 0.9,
        "Two calls of `random_label_run` with the same arguments draw different labels. Draw them "
        "from a generator with the seed `seed`, made inside the function.",
    )
    expect(
        not alike[1],
        "Two seeds give networks with the same initial weights. Use `seed`: `new_model(seed)`.",
    )
    expect(
        agree[1] < 0.9,
        "Two seeds give the training images the same random labels. Use `seed` for the generator "
        "of the labels.",
    )


def _expect_pace(paces, limits, rows):
    """Compare the paces on several draws of images with that at batch size 50."""
    accuracy = paces[0]
    for wrong, effect, reason in (
        (min(paces) > limits[1], "faster", "a smaller batch size, such as the default 32,"),
        (max(paces) < limits[0], "more slowly", "a larger batch size"),
    ):
        expect(
            not wrong,
            f"Given {rows} training images: your network learns {effect} than `new_model` at batch "
            f"size 50. Its training accuracy in epochs 2 to 4 is {accuracy:.3f} on average, where "
            f"{limits[0]} to {limits[1]} is expected; {reason} does that. Use `batch_size=50`, the "
            "network of `new_model` as it is, and the curve of the history.",
        )


def _expect_same_run(curve, again, name):
    """Raise `NotYet` unless a run starts anew at each call and its seed decides it."""
    gaps = np.abs(again - curve)
    expect(
        gaps[0] < 0.2 and gaps.max() < 0.2,
        f"Two calls of `{name}` with the same arguments give different curves: {curve[0]:.3f} and "
        f"{again[0]:.3f} after the first epoch. Begin each run with a new network, and use `seed` "
        "for the network, for all random draws and for `training.fit`.",
    )
    expect(
        gaps[:4].mean() < 0.008,
        f"Two calls of `{name}` with the same arguments give slightly different curves: "
        f"{show(curve[:4])} and {show(again[:4])} in the first epochs. Something is drawn without "
        "the seed: hand it to `training.fit`, too, which shuffles the images.",
    )


explanation(
    "5.4",
    "Complexity and the two runs",
    aliases=("5.5.1-explain",),
    points=2,
    minutes=8,
    stars=2,
    hints=(
        "Compare what you printed for the shares 0 and 1. Which numbers are equal?",
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
    for width in (12, 36, 160, 400):
        V = case.normal(size=(inputs, width))
        given = f"{n} training images, {len(x_test)} test images and {width} features"
        got = _expect_two_errors(feature_errors(V, x, y, x_test, y_test), given)
        want = _feature_errors(V, x, y, x_test, y_test)
        wrong = _feature_mistakes(V, x, y, x_test, y_test)
        _expect_no_known_mistake(got, want, wrong, given)
        if width > n:
            _expect_interpolation(got[0], given)
        _expect_no_fresh_features(feature_errors, V, x, y, given)
        remarks = _training_remark(got[0], want[0], width > n), _test_remark(width > n)
        for place, what in enumerate(("the training error", "the test error")):
            expect_close(
                got[place],
                want[place],
                given=given,
                what=what,
                rtol=1e-3,
                atol=1e-12,
                advice=remarks[place],
            )
        yield 0.5


def _expect_no_known_mistake(got, want, mistakes, given):
    """Name the mistake that gives both of these errors."""
    for sentence, pair in mistakes.items():
        same = np.allclose(got, pair, rtol=1e-3, atol=1e-12)
        expect(not same or np.allclose(pair, want, 1e-3, 1e-12), f"Given {given}: {sentence}")


def _training_remark(got, want, beyond):
    if beyond:
        return ""
    if got > want:
        return (
            "Least squares on these features reaches the smaller error. Yours has other features "
            "(they are `random_features(x, V)`, not scaled or centred) or is another fit: a "
            "penalty, too few steps, small singular values cut off."
        )
    return (
        "No coefficients for these features and one-hot targets reach an error as small as yours. "
        "Did another feature go in, such as a constant, or are targets or predictions changed?"
    )


def _test_remark(beyond):
    if beyond:
        return (
            "The training error is right, but many solutions have it. Take the one of minimum "
            "norm, by `np.linalg.lstsq` or the pseudo-inverse of the features; the equations "
            "`A.T @ A` have no unique solution here."
        )
    return (
        "The training error is right, so the coefficients are. Use them again: "
        "`random_features(x_test, V)` with the same `V`, against `np.eye(10)[test_labels]`, and "
        "the mean over all test images and outputs."
    )


def _hidden(V, x, rectify=oracles.relu, constant=False):
    features = rectify(x @ V / np.sqrt(V.shape[1]))
    return np.hstack([features, np.ones((len(x), 1))]) if constant else features


def _feature_errors(
    V,
    x,
    y,
    x_test,
    y_test,
    *,
    measure=np.mean,
    wrong_answers=False,
    shift=0.0,
    cut=False,
    **features,
):
    """Errors of the minimum-norm fit by the pseudo-inverse, on both sets of images."""
    targets = [np.eye(10)[labels] - shift for labels in (y, y_test)]
    hidden = [_hidden(V, points, **features) for points in (x, x_test)]
    c = np.linalg.pinv(hidden[0]) @ targets[0]
    predicted = [np.clip(part @ c, 0, 1) if cut else part @ c for part in hidden]
    if wrong_answers:
        pairs = zip(predicted, (y, y_test), strict=True)
        return [np.mean(part.argmax(axis=1) != labels) for part, labels in pairs]
    return [measure((part - aim) ** 2) for part, aim in zip(predicted, targets, strict=True)]


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
            *points, rectify=np.asarray
        ),
        "training and test error are swapped.": want[::-1],
        "the training error is returned twice. Measure on the test images, too.": want[[0, 0]],
        "the test error is returned twice. Measure on the training images, too.": want[[1, 1]],
        "the second number is the difference between test and training error; return the test "
        "error itself.": [want[0], want[1] - want[0]],
        "these are halves of the mean squared errors; the error asked for has no half.": want / 2,
        "the last layer was solved on the test images. Solve it on the training images.": [
            *_feature_errors(V, x_test, y_test, x, y)[::-1]
        ],
        "a constant feature was added; the last layer has the random features "
        "alone.": _feature_errors(*points, constant=True),
        "the features are absolute values; the ReLU of formula (5.5.3) sets negative ones to "
        "0.": _feature_errors(*points, rectify=np.abs),
        "the targets were centred. They are 0 and 1: `np.eye(10)[labels]`.": _feature_errors(
            *points, shift=0.1
        ),
        "the predictions were cut to the range from 0 to 1; compare them as they "
        "are.": _feature_errors(*points, cut=True),
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
        f"{twice[0]:.3g} and {twice[1]:.3g}, and should be equal. Do the same for both sets of "
        "images: the same features, with the `V` that is given for both, the same coefficients and "
        "the same measure.",
    )


def _neighbour_votes(train_x, train_y, x, k, order=2, farthest=False, skip=0, count=None):
    """Let the k nearest vote; the other arguments make a known mistake."""
    count = count or (lambda labels: np.bincount(labels).argmax())
    votes = []
    for query in x.astype(float):
        if order == "cosine":
            distance = -(train_x @ query) / np.linalg.norm(train_x, axis=1)
        elif order == "product":
            distance = -(train_x @ query)
        elif order in ("signed", "squared sum"):
            distance = (train_x - query).sum(axis=1) ** (1 if order == "signed" else 2)
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
        "One matrix of distances, one row per query and one column per training example. Then sort "
        "and count in each row.",
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
    for names in ([9, 2, 5], [12, 3, 14]):
        wide_y = np.array(names)[case.integers(0, 3, size=30)]
        wide_x = case.normal(size=(30, 2))
        queries = case.normal(size=(60, 2))
        queries = queries[_votes_decide(wide_x, wide_y, queries, 5)]
        remark = "; the labels are {}, {} and {}".format(*sorted(names))
        _expect_labels(knn_predict, wide_x, wide_y, queries, 5, remark)
    yield 0.5
    for k, labels in ((2, (3, 8)), (4, (3, 3, 1, 1)), (3, (0, 4, 2)), (5, (6, 6, 2, 2, 4))):
        _expect_smallest_of_tied(knn_predict, case, k, labels)
    yield 0.75
    pixels = case.integers(0, 256, size=(20, 30)).astype(np.uint8)
    names = case.integers(0, 10, size=20).astype(np.uint8)
    copies = [_noisy(case, pixels) for _ in range(3)]
    images = np.concatenate([pixels, *copies[:2]])
    labels = np.concatenate([(names + 1) % 10, names, names]).astype(np.uint8)
    for k, queries, want in ((1, pixels, (names + 1) % 10), (3, copies[2], names)):
        found = knn_predict(images, labels, queries, k)
        got = numbers(found, "the list of predicted labels")
        given = f"k = {k} and 20 images in uint8"
        expect_shape(got, (20,), given=given, what="the list of predicted labels")
        expect(
            np.array_equal(got, want),
            f"Given {given}, with their noisy copies among the training images: "
            f"{np.sum(got != want)} of 20 labels are wrong, though each image is far from all but "
            f"its copies. In uint8, 3 - 5 is 254: convert to float before you subtract or square, "
            "and let the k nearest vote.",
        )
    kind = np.asarray(found).dtype
    expect(
        kind.kind in "iu",
        f"All labels are right, but they are numbers of the kind {kind}. Return integers, as "
        "`train_y` holds them.",
    )


def _noisy(case, pixels):
    noise = case.integers(-40, 41, size=pixels.shape)
    return np.clip(pixels.astype(int) + noise, 0, 255).astype(np.uint8)


def _expect_labels(knn_predict, train_x, train_y, queries, k, remark):
    given = f"k = {k}, {len(train_x)} training points, {len(queries)} queries{remark}"
    got = knn_predict(train_x, train_y, queries, k)
    shape = np.shape(got)
    expect(
        len(shape) != 2 or shape[0] != len(queries),
        f"Given {given}: the result has shape {shape}; return one label per query, "
        f"shape {(len(queries),)}.",
    )
    mistakes = _neighbour_mistakes(train_x, train_y, queries, k)
    distances = np.linalg.norm(queries[:, None] - train_x, axis=2)
    near = train_y[np.argsort(distances, axis=1)[:, :k]]
    want = _neighbour_votes(train_x, train_y, queries, k)
    _expect_same_labels(got, want, near, given, mistakes)


def _expect_same_labels(got, want, near, given, mistakes):
    """Compare labels; name a known mistake, or show the neighbours of a query that is wrong."""
    what = "the list of predicted labels"
    found = numbers(got, what)
    expect_shape(found, want.shape, given=given, what=what)
    for sentence, labels in mistakes.items():
        same = np.allclose(found, labels) and not np.array_equal(labels, want)
        expect(not same, f"Given {given}: {sentence}")
    wrong = np.flatnonzero(found != want)
    if wrong.size:
        first = int(wrong[0])
        counted = ", ".join(map(str, near[first]))
        raise NotYet(
            f"Given {given}: {wrong.size} of {want.size} labels are wrong. One is that of query "
            f"{first}: "
            + (
                f"its {near.shape[1]} nearest training points by Euclidean distance have, from the "
                f"nearest on, the labels {counted}"
                if near.shape[1] > 1
                else f"its nearest training point by Euclidean distance has the label {counted}"
            )
            + f", so the answer is {want[first]}; yours is {found[first]:g}."
        )


def _expect_smallest_of_tied(knn_predict, case, k, labels):
    """Put every order of the tied labels along the distance, each around a query of its own."""
    orders = np.array(sorted(set(itertools.permutations(labels))) * 3)
    places = 1000.0 * np.arange(len(orders))
    steps = case.choice([-1, 1], size=orders.shape) * np.arange(1, k + 1)
    shuffled = case.permutation(orders.size)
    train_x = (places[:, None] + steps).reshape(-1, 1)[shuffled]
    train_y = orders.reshape(-1)[shuffled]
    counts = np.bincount(labels)
    tied = np.flatnonzero(counts == counts.max())
    nearest, farthest = (
        np.array([next(label for label in order[::step] if label in tied) for order in orders])
        for step in (1, -1)
    )
    got = knn_predict(train_x, train_y, places[:, None], k)
    _expect_same_labels(
        got,
        np.full(len(orders), tied[0]),
        orders,
        f"k = {k} and queries whose votes are {sorted(labels)}, so that {show(tied)} tie and the "
        f"smallest of them, {tied[0]}, wins",
        {
            "the tied label that is nearest wins, as with `Counter.most_common`. Where labels "
            "tie, the smallest label wins, in whatever order they come.": nearest,
            "the tied label that is farthest wins. Where labels tie, the smallest label wins, in "
            "whatever order they come.": farthest,
            "the largest of the tied labels wins; the smallest should.": np.full(
                len(orders), tied[-1]
            ),
            "these are means of labels. Labels are names, not amounts: count votes.": orders.mean(
                axis=1
            ),
        },
    )


def _votes_decide(train_x, train_y, x, k):
    """Say for each query whether one label has more votes than any other."""
    nearest = np.argsort(((x[:, None] - train_x) ** 2).sum(axis=2), axis=1)[:, :k]
    votes = np.sort([np.bincount(row, minlength=16) for row in train_y[nearest]], axis=1)
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
        "these neighbours have the largest product with the query; take the smallest Euclidean "
        "distance.": votes(k, order="product"),
        "the differences were added with their signs, so they cancel; square each before you "
        "add.": votes(k, order="signed"),
        "the differences were added before the square, so they cancel; square each before you "
        "add.": votes(k, order="squared sum"),
        "every training point votes: take the k nearest.": votes(len(train_x)),
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
        "these are rounded means of labels. Labels are names, not amounts: count votes.": np.round(
            train_y[nearest].mean(axis=1)
        ),
        "the label of the k-th neighbour alone is taken; let all k vote.": train_y[nearest[:, -1]],
        "the smallest label among the neighbours wins; the most frequent should.": train_y[
            nearest
        ].min(axis=1),
        "these are the numbers of votes; return the label that has most of them.": votes(
            k, count=lambda labels: np.bincount(labels).max()
        ),
    }


_NTK = """
layers = [keras.layers.Dense(units, activation="tanh") for units in hidden_units]
model = keras.Sequential([keras.Input((inputs,)), *layers, keras.layers.Dense(1)])
model.set_weights(weights)
if frozen:
    model.layers[0].trainable = False
kernel = empirical_ntk(model, first, second)
kernel = kernel.numpy() if hasattr(kernel, "numpy") else kernel
moved = max(float(abs(old - new).max()) for old, new in zip(weights, model.get_weights()))
result = kernel, moved
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

    def by_input(self, x):
        """Return the derivatives of the output with respect to each input, of the shape of `x`."""
        h, _ = self.outputs(x)
        back = np.ones((len(x), 1))
        for layer in reversed(range(len(h))):
            back = back @ self.weights[2 * layer].T
            back = back * (1 - h[layer] ** 2) if layer else back
        return back

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
        "kernel is J(first) J(second)^T. `tape.gradient` gives the blocks of one row, one per "
        "variable.",
        "`with tf.GradientTape(persistent=True) as tape: outputs = tf.unstack(model(x)[:, 0])`; "
        "one row per output: `tf.concat([tf.reshape(block, -1) for block in tape.gradient(...)], "
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
    second = case.normal(size=(3, 2)).astype("float32")
    _expect_kernel(empirical_ntk, network, first, second)
    yield 0.75
    _expect_kernel(empirical_ntk, network, first, first[:2], frozen=True)


def _expect_kernel(empirical_ntk, network, first, second, frozen=False):
    inputs = first.shape[1]
    got, moved = empirical_ntk.evaluate(
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
    expect(
        moved == 0,
        f"Given {given}: your function changes the weights of the model. The kernel only needs "
        "their gradients; take no training step.",
    )
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
            "only the first two layers are in the kernel: use all trainable variables.": sum(
                blocks[:4]
            ),
            **_kernel_mistakes(network, first, second, want),
        },
        advice="Entry [i, j] belongs to first[i] and second[j]: multiply the derivatives of the "
        "two outputs by each weight, and add up over all trainable weights.",
    )


def _kernel_mistakes(network, first, second, want):
    """Kernels that known mistakes give, by the sentence that helps."""
    sides = [np.hstack(network.jacobian(x)) for x in (first, second)]
    length = [np.linalg.norm(side, axis=1) for side in sides]
    sums = [np.array([block.sum(axis=1) for block in network.jacobian(x)]) for x in (first, second)]
    outputs = [network.outputs(x)[1] for x in (first, second)]
    by_input = [network.by_input(x) for x in (first, second)]
    return {
        "each gradient is divided by its length; leave the products as they are.": want
        / np.outer(*length),
        "the kernel is divided by the number of hidden units; leave the sum.": want
        / network.hidden_units[0],
        "the derivatives of each variable are added up before they are multiplied. Multiply "
        "derivative by derivative, then add up.": sums[0].T @ sums[1],
        "all derivatives are added up before they are multiplied. Multiply derivative by "
        "derivative, then add up.": np.outer(sums[0].sum(axis=0), sums[1].sum(axis=0)),
        "these are derivatives of the squared outputs; differentiate the outputs themselves.": 4
        * np.outer(*outputs)
        * want,
        "these are derivatives with respect to the inputs; take them with respect to the "
        "weights.": by_input[0] @ by_input[1].T,
        "the entries have lost their signs; a kernel may be negative.": np.abs(want),
        "the sign is wrong.": -want,
        "these are distances between the gradients; take their products.": np.linalg.norm(
            sides[0][:, None] - sides[1], axis=2
        ),
        "this is the kernel of `first` with itself; the columns belong to `second`.": sides[0]
        @ sides[0].T,
        "this is the kernel of `second` with itself; the rows belong to `first`.": sides[1]
        @ sides[1].T,
        "rows and columns are the weights here. One row belongs to one input: J(first) times the "
        "transpose of J(second).": sides[0].T @ sides[0],
    }


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
        "d": "the validation rows give one number per epoch; no gradient is taken on them.",
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
        "a": "the validation error, measured once per epoch, with some patience for its noise.",
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


def _stopping(
    losses, patience, min_delta=0.0, better=None, late=0, reset=True, first=0, start=None
):
    """Apply the rule of the lesson; the arguments after min_delta make a known mistake."""
    better = better or (lambda loss, best, before, delta: loss < best - delta)
    best, best_epoch, waited = losses[0] if start is None else start, 0, first
    for epoch, loss in enumerate(losses):
        compared = epoch > 0 or start is not None
        if compared and better(loss, best, losses[epoch - 1], min_delta):
            best, best_epoch = loss, epoch
            waited = 0 if reset else waited
        elif epoch:
            waited += 1
        if waited >= max(patience + late, 1):
            return epoch, best_epoch
    return len(losses) - 1, best_epoch


def _lowest_seen(losses, patience, min_delta):
    """Compare with the lowest loss so far, also where it was lower by less than min_delta."""
    lowest = np.minimum.accumulate(losses)
    better = [
        True,
        *(loss < low - min_delta for loss, low in zip(losses[1:], lowest, strict=False)),
    ]
    best = 0
    for epoch in range(len(losses)):
        best = epoch if better[epoch] else best
        if epoch - best >= patience:
            return epoch, best
    return len(losses) - 1, best


def _with_best(place):
    """Return the rule with another best epoch: `place` of the losses and of the right answer."""
    return lambda losses, patience, delta: (
        _stopping(losses, patience, delta)[0],
        place(losses, *_stopping(losses, patience, delta)),
    )


_STOPPING_MISTAKES = {
    "A loss that is equal, or lower by exactly min_delta, is no improvement: compare with <, not "
    "with <=.": partial(_stopping, better=lambda loss, best, before, delta: loss <= best - delta),
    "`min_delta` is not used: an improvement must be larger than min_delta.": partial(
        _stopping, better=lambda loss, best, before, delta: loss < best
    ),
    "`min_delta` has the wrong sign: an improvement must be larger than min_delta, so compare "
    "with best - min_delta.": partial(
        _stopping, better=lambda loss, best, before, delta: loss < best + delta
    ),
    "Compare each loss with the best so far, not with the loss before it.": partial(
        _stopping, better=lambda loss, best, before, delta: loss < before - delta
    ),
    "A change upwards is no improvement: compare without the absolute value.": partial(
        _stopping, better=lambda loss, best, before, delta: abs(loss - best) > delta
    ),
    "min_delta is an amount of loss; do not multiply it by the best loss.": partial(
        _stopping, better=lambda loss, best, before, delta: loss < best * (1 - delta)
    ),
    "A smaller loss is the better one; yours looks for larger ones.": partial(
        _stopping, better=lambda loss, best, before, delta: loss > best + delta
    ),
    "Yours stops one epoch late: with patience p, training stops at the p-th epoch in a row "
    "without improvement.": partial(_stopping, late=1),
    "Yours stops one epoch early: with patience p, training stops at the p-th epoch in a row "
    "without improvement.": partial(_stopping, late=-1),
    "The best loss begins at 0, which hardly any loss is below; begin with the first loss or with "
    "infinity.": partial(_stopping, start=0.0),
    "The best loss begins at 1; begin with the first loss or with infinity.": partial(
        _stopping, start=1.0
    ),
    "The first epoch is always an improvement; do not count it as an epoch of waiting.": partial(
        _stopping, first=1
    ),
    "An improvement sets the count of waiting epochs back to zero.": partial(
        _stopping, reset=False
    ),
    "Yours never stops before the end of the list: with patience p, training stops at the p-th "
    "epoch in a row without improvement.": partial(_stopping, late=10**6),
    "Small steps add up: compare with the best loss that counted, not with the lowest "
    "seen.": _lowest_seen,
    "The best epoch is the best of those that ran; losses after the stop are not known "
    "yet.": _with_best(lambda losses, last, best: int(np.argmin(losses))),
    "The best epoch is that of the last improvement by more than min_delta, not that of the "
    "smallest loss.": _with_best(lambda losses, last, best: int(np.argmin(losses[: last + 1]))),
    "The second number is the loss of the best epoch; return the epoch's number.": _with_best(
        lambda losses, last, best: losses[best]
    ),
    "The second number is the last epoch once more; return the epoch of the last "
    "improvement.": _with_best(lambda losses, last, best: last),
}


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
    ask = partial(_ask_early_stop, early_stop, case)
    for losses, patience in (
        ([5.0, 4.0, 3.0, 2.0], 2),
        ([3.0, 2.0, 2.5, 2.6, 0.5], 2),
        ([3.0, 2.0, 2.5, 2.4, 2.3, 1.0], 3),
        ([3.0, 2.0, 2.5, 2.6, 1.5, 1.6, 1.7, 1.0], 3),
        ([4.0], 1),
    ):
        ask(losses, patience, 0.0)
    yield 0.5
    ask([2.0, 2.0, 2.0, 2.0], 2, 0.0)
    ask([2.0, 1.75, 1.75, 1.0], 2, 0.25)
    ask([2.0, 1.9, 1.8, 1.7, 1.6, 1.5], 3, 0.25)
    ask([2.0, 1.75, 1.749, 1.748, 1.7479], 2, None)
    yield 0.75
    for _ in range(40):
        losses = (case.integers(-20, 60, size=int(case.integers(1, 25))) / 16).tolist()
        ask(losses, int(case.integers(1, 6)), float(case.integers(0, 4)) / 8)
    expect_raises(ValueError, lambda: early_stop([], 2, 0.0), given="an empty list of losses")


def _ask_early_stop(early_stop, case, losses, patience, min_delta):
    """Compare one answer with the rule, and name the mistake if it differs."""
    arguments = (patience,) if min_delta is None else (patience, min_delta)
    got = early_stop(list(losses), *arguments)
    given = f"losses {losses}, patience {patience}"
    given += " and no third argument" if min_delta is None else f" and min_delta {min_delta}"
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
    if (last, best) != want:
        asked = (list(losses), patience, min_delta or 0.0)
        reason = _stopping_mistake(early_stop, case, asked, (last, best))
        if min_delta is None:
            reason = "Without a third argument, min_delta is 0."
        raise NotYet(
            f"Given {given}: expected last epoch {want[0]} and best epoch {want[1]}; got {last:g} "
            f"and {best:g}. {reason}"
        )
    expect(
        all(np.asarray(part).dtype.kind in "iu" for part in got),
        f"Given {given}: the epochs are right, but {show(got)} holds numbers with a decimal point. "
        "Return integers, which can be used as an index.",
    )


def _stopping_mistake(early_stop, case, asked, answer):
    """Say which known mistake gives this answer, and those to more questions."""
    seen = [(asked, answer)]
    for _ in range(20):
        losses = (case.integers(1, 60, size=int(case.integers(5, 12))) / 16).tolist()
        more = losses, int(case.integers(1, 4)), float(case.integers(0, 4)) / 8
        try:
            seen.append((more, tuple(map(float, early_stop(list(losses), *more[1:])))))
        except (AnswerError, TypeError, ValueError):
            break
    for sentence, rule in _STOPPING_MISTAKES.items():
        if all(tuple(rule(*question)) == told for question, told in seen):
            return sentence
    last, best = _stopping(*asked)
    reason = f"Here epoch {best} is the last that improves by more than {asked[2]:g}"
    if last - best == asked[1]:
        return f"{reason}, and the {asked[1]} after it are no improvement, so training stops."
    return f"{reason}, and the list ends before {asked[1]} epochs in a row without improvement."


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
    seed = int(case.integers(1, 1000))
    _expect_clean_curves(noise_curve, case, seed)
    yield 0.5
    # The training images, each once or several times, as validation images: at the end the network
    # repeats the labels it was given, so the accuracy shows which of them were flipped.
    [(x, y)] = _clusters(case, (100,))
    rows = np.repeat(np.arange(100), case.integers(1, 6, size=100))
    ask = partial(_ask_noise_curve, noise_curve, (x, y, x[rows], y[rows]))
    wrong, noisy = ask(1.0, seed), ask(0.5, seed)
    expect(
        wrong[-1] > 0.6 or bool((np.diff([wrong, noisy]) < 0).any()),
        "Given the shares 0.5 and 1: your curves never fall from one epoch to the next. Return the "
        "accuracy after each epoch, not the best so far.",
    )
    expect(
        wrong[-1] < 0.03,
        "Given the share 1, where each training label is wrong, and the training images with their "
        f"true labels as validation images: the accuracy ends at {wrong[-1]:.2f}, where 0 is "
        "expected. Flip the fraction `share` of the training labels, by `flip_labels`, and leave "
        "the validation labels as they are.",
    )
    expect(
        abs(noisy[-1] - 0.5) < 0.24,
        "Given the share 0.5 and the training images with their true labels as validation images: "
        f"the accuracy ends at {noisy[-1]:.2f}, where about 0.5 is expected, the fraction that is "
        "not flipped. Flip the fraction `share`, and train on all images.",
    )
    yield 0.75
    _expect_same_run(noisy, ask(0.5, seed), "noise_curve")
    others = []
    while not others or (others[-1][-1] == noisy[-1] and len(others) < 2):
        others.append(ask(0.5, seed + 1 + len(others)))
    expect(
        others[-1][-1] != noisy[-1],
        "Two seeds flip the same training labels. Use `seed`: `flip_labels(y, share, seed)`.",
    )
    both = np.array([noisy, others[0]])
    expect(
        (both[:, 2:4] - both[:, -1:]).mean() < 0.085,
        "Given 100 training images: the network memorises the flipped labels more slowly than "
        "`new_model` at batch size 50. A larger batch size does that: use `batch_size=50`.",
    )


def _expect_clean_curves(noise_curve, case, seed):
    """Judge runs on clean labels of 50 images, where each epoch at batch size 50 is one step.

    The order of the images has no effect on such a run, so two seeds that give the same curve have
    the same initial weights. Curves of chance are drawn again before they count.
    """
    for _ in range(2):
        (x, y), (x_valid, y_valid) = _clusters(case, (50, 390), spread=1.5)
        y_valid = np.where(np.arange(390) % 4 == 0, (y_valid + 1) % 10, y_valid)
        ask = partial(_ask_noise_curve, noise_curve, (x, y, x_valid, y_valid))
        clean, other = ask(0.0, seed), ask(0.0, seed + 1)
        expect(
            clean[-1] < 0.79,
            "Given the share 0 and validation images of which a fourth have labels that no network "
            f"can predict: your curve ends at {clean[-1]:.2f}, where at most 0.75 is possible. "
            "Measure with `x_valid` and `y_valid`, and train on `x` alone.",
        )
        expect(
            clean[-1] > 0.6,
            "Given the share 0 and validation images of which three fourths can be predicted: the "
            f"accuracy ends at {clean[-1]:.2f}, where about 0.75 is expected. Flip no label when "
            "the share is 0, and return the accuracy on the validation images after each epoch.",
        )
        pace = (clean[1:3] + other[1:3]).mean() / 2
        same = np.abs(clean - other).max() < 0.006
        if pace < 0.625 and not same:
            return
    expect(
        not same,
        "Two seeds give the same curve on clean labels, so the networks have the same initial "
        "weights. Use `seed`: `new_model(seed)`.",
    )
    raise NotYet(
        f"Given 50 training images, which are one batch of 50: your curve is at {pace:.2f} in the "
        "second and third epoch, where 0.45 to 0.6 is expected. The network makes more steps per "
        "epoch than one, as with the default batch size of 32: use `batch_size=50`."
    )


def _ask_noise_curve(noise_curve, points, share, seed):
    """Call the run once and return its curve, a fraction of the validation images per epoch."""
    x, _, x_valid, _ = points
    given = f"the share {share:g}, {len(x)} training and {len(x_valid)} validation images"
    got = noise_curve(share, seed, *points)
    expect(
        not isinstance(got, dict),
        f'Given {given}: return the curve alone, not the whole history: `history["val_accuracy"]`.',
    )
    curve = _expect_curve(got, "the curve", _EPOCHS, given)
    expect(
        bool(((curve >= 0) & (curve <= 1)).all()),
        f"Given {given}: the curve runs from {curve.min():.3g} to {curve.max():.3g}; it should "
        "hold accuracies as fractions, not percent or losses.",
    )
    _expect_validation_accuracy(curve, len(x_valid), len(x), given)
    return curve


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
            else "Is it a loss or an average? Take 'val_accuracy' of this run as it is."
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
    y_valid = _half_random(case, y_valid)
    seed = int(case.integers(1, 1000))
    given = f"patience 2 and {len(x_valid)} validation images"
    got = stopped_run(2, seed, x, y, x_valid, y_valid)
    first = _judge_stopped_run(got, 2, x_valid, y_valid, given)
    yield 0.5
    _expect_saved(got, len(first["losses"]), given)
    (x, y), (x_valid, y_valid) = _clusters(case, (100, 100), spread=2.0)
    y_valid = _half_random(case, y_valid)
    given = f"patience {_EPOCHS}, so that all {_EPOCHS} epochs run"
    got = stopped_run(_EPOCHS, seed + 1, x, y, x_valid, y_valid)
    second = _judge_stopped_run(got, _EPOCHS, x_valid, y_valid, given)
    _expect_saved(got, _EPOCHS, given)
    expect(
        np.corrcoef(first["kernel"], second["kernel"])[0, 1] < 0.8,
        "Two seeds give networks with the same initial weights. Begin each run with a new network, "
        "`new_model(seed)`.",
    )
    rise = second["losses"][3] / second["losses"][-1]
    for wrong, effect, size in ((rise > 0.71, "many", "smaller"), (rise < 0.53, "few", "larger")):
        expect(
            not wrong,
            f"Given 100 training images: the validation loss of epoch 4 is {rise:.0%} of the last "
            f"one, where 54% to 70% is expected. The network makes too {effect} steps per epoch, "
            f"as with a {size} batch size, or learns from other data: use `batch_size=50`, "
            "`new_model(seed)`, and `x` and `y` as they are.",
        )


def _half_random(case, labels):
    """Replace about half of the labels by random ones."""
    random = case.integers(0, 10, size=len(labels))
    return np.where(case.random(len(labels)) < 0.5, random, labels)


def _judge_stopped_run(got, patience, x_valid, y_valid, given):
    """Judge losses and model of one run; return the losses and the first kernel."""
    names = ("model", "val_loss", "epochs", "saved")
    got = expect_entries(got, names, "stopped_run", given)
    losses = _expect_stop(got["val_loss"], patience, given)
    _expect_restored(got["model"], losses, x_valid, y_valid, given)
    return {"losses": losses, "kernel": np.ravel(got["model"].weights[0])}


def _expect_stop(val_loss, patience, given):
    """Return the validation losses of a run that the rule of the lesson ended."""
    expect_shape(val_loss, (np.size(val_loss),), given=given, what="'val_loss', a list,")
    losses = np.asarray(val_loss, dtype=float)
    if patience == _EPOCHS:
        expect(
            len(losses) == _EPOCHS,
            f"Given {given}: 'val_loss' has {len(losses)} entries. Train for at most {_EPOCHS} "
            "epochs, and hand `patience` to the callback.",
        )
        return losses
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
        f"epoch {np.argmin(losses) + 1}. Hand `patience` to the callback, watch 'val_loss', and "
        "keep min_delta at 0. Return the losses of all epochs that ran.",
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
        flat[case.permutation(flat.size)[:3]] = 0.0, 0.01, -0.02
        given = f"weights of shape {shape}, one of them 0, and strength {strength:.3f}"
        if len(shape) == 1:
            given = f"weights {show(weights)} and strength {strength:.3f}"
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
            "the strength is squared, too; it is a factor in front of the sum.": strength**2
            / 2
            * squares,
            "the weights are added before the square; square each weight, then add.": strength
            / 2
            * weights.sum() ** 2,
            **_matrix_norms(weights, 2, lambda norm: strength / 2 * norm**2),
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
            "this is half of the gradient: the derivative of w^2 is 2 w, which cancels the half in "
            "front of the sum.": strength / 2 * weights,
            "the strength is squared; the gradient has it once.": strength**2 * weights,
            "this is the gradient of the l1 penalty.": strength * np.sign(weights),
            "the gradients are added up; return one number for each weight.": strength
            * weights.sum(),
        },
        f"Formula (5.5.8): strength / 2 = {strength / 2:.4f} times the sum of all squared weights, "
        f"{squares:.4f}; its derivative by each weight is strength times that weight.",
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
            "the strength is squared, too; it is a factor in front of the sum.": strength**2
            * absolute,
            "the absolute value is taken after the sum; take that of each weight, then "
            "add.": strength * abs(weights.sum()),
            **_matrix_norms(weights, 1, lambda norm: strength * norm),
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
            "the gradient of |w| is its sign, not |w|.": strength * np.abs(weights),
            "the gradient is -strength where a weight is negative.": strength
            * np.ones_like(weights),
            "there is no half in the l1 penalty.": strength / 2 * np.sign(weights),
            "the gradient is divided by the number of weights; the penalty is a sum.": strength
            * np.sign(weights)
            / weights.size,
            "the gradients are added up; return one number for each weight.": strength
            * np.sign(weights).sum(),
        },
        f"Formula (5.5.9): strength = {strength:.4f} times the sum of all absolute values, "
        f"{absolute:.4f}; its derivative is strength at every weight above 0, however small, "
        "-strength below 0, and 0 at 0.",
    )


def _matrix_norms(weights, order, penalty):
    """Return the penalty by the norm of a matrix, which is another than that of its entries."""
    if weights.ndim != 2:
        return {}
    sentence = "`np.linalg.norm` of a matrix is no sum over its entries; flatten the weights first."
    return {sentence: penalty(np.linalg.norm(weights, order))}


def _expect_penalty(got, value, gradient, given, name, value_mistakes, gradient_mistakes, formula):
    expect(
        isinstance(got, tuple | list) and len(got) == 2,
        f"Given {given}: {name} should return two things, the penalty and its gradient; got "
        f"{show(got)}.",
    )
    expect(
        np.shape(got[0]) != np.shape(gradient)
        or np.shape(got[1]) != ()
        or np.shape(gradient) == (),
        f"Given {given}: the two parts are swapped. Return the penalty first, then its gradient.",
    )
    expect(
        np.size(got[0]) == 1,
        f"Given {given}: the value of {name} has shape {np.shape(got[0])}. The penalty is one "
        "number: the sum over all weights, whatever their shape.",
    )
    expect_close(
        got[0],
        value,
        given=given,
        what=f"the value of {name}",
        mistakes=value_mistakes,
        advice=formula,
    )
    gradients = np.asarray(got[1])
    expect(
        gradients.shape in (np.shape(gradient), ()),
        f"Given {given}: the gradient of {name} has shape {gradients.shape}; return one number for "
        f"each weight, in the shape of the weights, {np.shape(gradient)}.",
    )
    expect(
        gradients.dtype.kind != "f" or bool(np.isfinite(gradients).all()),
        f"Given {given}: the gradient of {name} holds a NaN. w / |w| divides 0 by 0; use the sign.",
    )
    expect_close(
        got[1],
        gradient,
        given=given,
        what=f"the gradient of {name}",
        mistakes=gradient_mistakes,
        advice=formula,
    )
