"""Exercises of chapter 1: gates, the perceptron rule, a linear neuron and its losses."""

from __future__ import annotations

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
    quiz,
    show,
)

_CORNERS = ((0, 0), (1, 0), (0, 1), (1, 1))
_GATES = {"AND": (0, 0, 0, 1), "NAND": (1, 1, 1, 0), "OR": (0, 1, 1, 1), "XOR": (0, 1, 1, 0)}


def _fires(gate, x1, x2, name):
    """Return the gate's answer as 0 or 1."""
    got = expect_number(gate(x1, x2), f"{name}({show(x1)}, {show(x2)})")
    expect(
        got in (0.0, 1.0),
        f"Given ({show(x1)}, {show(x2)}): {name} returned {show(got)}. A neuron with a step "
        "returns 0 or 1: compare its sum with zero.",
    )
    return int(got)


def _expect_truth_table(gate, name, wanted):
    got = tuple(_fires(gate, x1, x2, name) for x1, x2 in _CORNERS)
    if got == tuple(wanted):
        return
    flipped = tuple(1 - value for value in wanted)
    expect(got != flipped, f"{name} gives the opposite of what it should: all signs are turned.")
    for other, column in _GATES.items():
        expect(got != column, f"What you call {name} is {other}: compare the two truth tables.")
    row = next(i for i in range(4) if got[i] != wanted[i])
    raise NotYet(
        f"Given {_CORNERS[row]}: {name} should be {wanted[row]}; got {got[row]}. That row is one "
        "inequality: put its inputs into w1*x1 + w2*x2 + b and look at the sign."
    )


def _expect_half_plane(gate, name, case):
    """Expect a point to agree with two opposite neighbours that agree: a line parts no three."""
    centres = [*_CORNERS, *case.uniform(-0.5, 1.5, size=(30, 2))]
    for centre in centres:
        step = case.normal(size=2)
        left, right = np.subtract(centre, step), np.add(centre, step)
        ends = [_fires(gate, float(x1), float(x2), name) for x1, x2 in (left, right)]
        if ends[0] != ends[1]:
            continue
        middle = _fires(gate, float(centre[0]), float(centre[1]), name)
        expect(
            middle == ends[0],
            f"The truth table of {name} is right, but at {show(np.round(centre, 2))} the gate "
            f"gives {middle} and on both sides of that point {ends[0]}. One neuron splits the "
            "plane by one straight line; use w1*x1 + w2*x2 + b > 0 with numbers you choose.",
        )


@exercise(
    "1.1",
    "Gates from weights",
    aliases=("+1.1",),
    kind="C",
    points=2,
    minutes=10,
    stars=1,
    hints=(
        "Each row of a truth table is one inequality for w1, w2 and b. Write the four of AND down "
        "first; NAND is AND with every sign turned.",
        "AND needs b <= 0, w1 + b <= 0, w2 + b <= 0 and w1 + w2 + b > 0. Try w1 = w2 = 1 and look "
        "for a b between the third and the fourth.",
        "`return int(... * x1 + ... * x2 + ... > 0)`, three times, with other numbers.",
    ),
)
def _(and_gate, nand_gate, or_gate, case):
    gates = {"AND": and_gate, "NAND": nand_gate, "OR": or_gate}
    for name, gate in gates.items():
        _expect_truth_table(gate, name, _GATES[name])
    yield 0.5
    for name, gate in gates.items():
        _expect_half_plane(gate, name, case)


@exercise(
    "1.2",
    "XOR by composition",
    aliases=("+1.2",),
    builds_on=("1.1",),
    kind="C",
    points=1,
    minutes=5,
    stars=1,
    hints=(
        "Say XOR in words with the gates you have: one of them is on, and not both of them.",
        '"At least one" is OR, "not both" is NAND. Which gate stands for the "and" between?',
        "`return outer_gate(first_gate(x1, x2), second_gate(x1, x2))`",
    ),
)
def _(xor_gate, case):
    _expect_truth_table(xor_gate, "XOR", _GATES["XOR"])
    yield 0.5
    for corner, wanted in zip(_CORNERS, _GATES["XOR"], strict=True):
        near = np.asarray(corner) + case.normal(scale=1e-3, size=(24, 2))
        got = [_fires(xor_gate, float(x1), float(x2), "XOR") for x1, x2 in near]
        expect(
            wanted in got,
            f"The truth table is right, but everywhere around {corner} XOR gives {1 - wanted}. A "
            "network of neurons changes its answer only at lines; it cannot be right at one point "
            "alone. Call your gates instead of comparing x1 with x2.",
        )


quiz(
    "1.3",
    "No line for XOR",
    aliases=("+1.3-quiz",),
    name="choice_1_3",
    right="b",
    reasons={
        "a": "a positive weight does not contradict b <= 0. OR has positive weights and b < 0.",
        "b": "the same sum would be above zero and not above zero.",
        "c": "AND, OR and NAND are four inequalities with three unknowns, too, and have dozens "
        "of solutions on the grid.",
        "d": "it is not a matter of rounding: real numbers with all their digits do not help.",
    },
    points=1,
    minutes=3,
    stars=1,
    hints=(
        "Look for two things that cannot both be true.",
        "Add inequalities that point the same way: (2) with (3), and (1) with (4).",
        "Compare the left sides of your two sums.",
    ),
)

explanation(
    "1.4",
    "The argument in a picture",
    aliases=("+1.3-explain",),
    points=2,
    minutes=5,
    stars=2,
    hints=(
        "What do you know about the points between two points on the same side of a line?",
        "The segment between the two ones and the segment between the two zeros cross.",
        "One sentence on the midpoint, one on the contradiction, one on the second layer.",
    ),
    rubric=(
        (
            1,
            "Says that the midpoint (½, ½) would have to lie on both sides, because each side of "
            "a line contains the segment between any two of its points.",
        ),
        (
            1,
            "Says that a second layer works on the outputs of first-layer neurons, where the four "
            "rows become separable (two lines, then one more).",
        ),
    ),
)


def _true_sigmoid(z):
    with np.errstate(over="ignore"):
        return 1 / (1 + np.exp(-np.asarray(z, dtype=float)))


@exercise(
    "1.5",
    "Step and sigmoid for whole arrays",
    aliases=("+1.4",),
    kind="C",
    points=2,
    minutes=10,
    stars=2,
    hints=(
        "A comparison of an array with zero is an array of booleans; turn it into numbers. For the "
        "sigmoid, treat positive and negative z differently, so that exp never gets a large "
        "positive number.",
        "For z >= 0 use 1 / (1 + exp(-z)); for z < 0 multiply top and bottom by exp(z): "
        "exp(z) / (1 + exp(z)). Both contain exp(-|z|) only.",
        "`small = np.exp(-np.abs(z))`, then `np.where(z >= 0, ..., ...)`. Mind that np.where "
        "computes both of its branches for every entry.",
    ),
)
def _(step, sigmoid, case):
    matrix = case.normal(scale=3, size=(3, 4))
    matrix[1, 2] = 0.0
    expect_close(
        step(matrix),
        (matrix > 0).astype(float),
        given="a (3, 4) array with one entry 0",
        what="step(z)",
        mistakes={
            "step(0) should be 0: a neuron fires only above zero.": (matrix >= 0).astype(float),
            "that is the sign, with -1 on the left; step is 0 there.": np.sign(matrix),
        },
    )
    expect_close(step(np.array([-2, 0, 3])), [0, 0, 1], given="[-2, 0, 3]", what="step(z)")
    expect_close(
        sigmoid(matrix),
        _true_sigmoid(matrix),
        given="a (3, 4) array",
        what="sigmoid(z)",
        mistakes={
            "the sign of the exponent is turned: your curve falls.": _true_sigmoid(-matrix),
            "that is tanh, which runs from -1 to 1; the sigmoid runs from 0 to 1.": np.tanh(matrix),
        },
    )
    yield 0.5
    far = np.concatenate([[-1000.0, 1000.0, 0.0], case.uniform(-1500, 1500, size=20)])
    try:
        sigmoid.evaluate("with np.errstate(over='raise'):\n    result = sigmoid(z)", z=far)
    except AnswerError as error:
        expect(
            error.kind != "FloatingPointError",
            "Given z = ±1000: an exponential overflows on the way and NumPy warns. Feed exp only "
            "numbers that are not positive, such as -|z|.",
        )
        raise
    got = sigmoid(far)
    expect(
        not np.any(np.isnan(np.asarray(got, dtype=float))),
        "Given z = ±1000: sigmoid(z) contains nan, which is infinity divided by infinity. Feed exp "
        "only numbers that are not positive, such as -|z|.",
    )
    expect_close(got, _true_sigmoid(far), given="z between -1500 and 1500", what="sigmoid(z)")
    expect_close(
        sigmoid(np.array([-1000, 20, 0])),
        _true_sigmoid([-1000, 20, 0]),
        given="the integers [-1000, 20, 0]",
        what="sigmoid(z)",
    )


def _perceptron_rule(X, y, max_epochs=1000):
    w, b, mistakes = np.zeros(X.shape[1]), 0.0, 0
    for _ in range(max_epochs):
        clean = True
        for row, label in zip(X, y, strict=True):
            error = label - float(row @ w + b > 0)
            if error:
                w, b, mistakes, clean = w + error * row, b + error, mistakes + 1, False
        if clean:
            return w, b, mistakes
    return None


def _separable(case, n=30):
    """Return integer points of both classes with a gap between them, so that sums are exact."""
    while True:
        normal, offset = case.integers(-3, 4, size=2), int(case.integers(-2, 3))
        X = case.integers(-6, 7, size=(n, 2)).astype(float)
        score = X @ normal + offset
        keep = np.abs(score) >= 2
        X, y = X[keep], (score[keep] > 0).astype(int)
        if 5 <= y.sum() <= len(y) - 5 and _perceptron_rule(X, y, max_epochs=3) is None:
            return X, y


def _three(got):
    expect(
        isinstance(got, tuple | list) and len(got) == 3,
        f"train_perceptron should return three things, (w, b, mistakes); got {show(got)}.",
    )
    return got


@exercise(
    "1.6",
    "The perceptron learning rule",
    aliases=("+1.5",),
    kind="C",
    points=3,
    minutes=20,
    stars=2,
    hints=(
        "Two loops: passes outside, rows inside. Only a wrong row changes anything.",
        "error = label - prediction is 0, 1 or -1; add error * row to w and error to b, at once, "
        "before you look at the next row.",
        "Remember the count of mistakes before each pass; `return w, b, mistakes` if it did not "
        "change, and `raise ValueError(...)` after the outer loop.",
    ),
)
def _(train_perceptron, case):
    row = case.integers(1, 5, size=3).astype(float)
    given = f"the single example {show(row)} with label 1"
    try:
        w, b, mistakes = _three(train_perceptron(row[None, :], np.array([1])))
    except AnswerError as error:
        expect(
            error.kind != "ValueError",
            f"Given {given}: your function gave up. One update by this row is enough, if it moves "
            "the weights towards the row: check the sign of y - ŷ.",
        )
        raise
    expect_shape(w, (3,), given=given, what="w")
    expect_close(
        w,
        row,
        given=given,
        what="w",
        mistakes={
            "w stayed 0. At the start the sum is exactly 0, which is not above zero: the neuron is "
            "silent, and that is a mistake here.": np.zeros(3),
        },
    )
    expect_close(
        b,
        1.0,
        given=given,
        what="b",
        mistakes={"b stayed 0; the bias learns, too, as the weight of an input that is 1.": 0.0},
    )
    expect_close(
        mistakes,
        1,
        given=given,
        what="mistakes",
        mistakes={
            "mistakes is 2, but the second pass makes none: count mistakes, not passes.": 2,
            "mistakes is 0: count over all passes, not in the last one alone.": 0,
        },
    )
    zeros = _three(train_perceptron(np.ones((2, 2)), np.array([0, 0])))
    expect_close(
        zeros[2],
        0,
        given="labels that are all 0",
        what="mistakes",
        mistakes={"a sum of exactly 0 is not above zero, so the neuron must not fire.": 1},
    )
    yield 1 / 3
    X, y = _separable(case)
    want = _perceptron_rule(X, y)
    w, b, mistakes = _three(train_perceptron(X, y, 1000))
    given = f"{len(y)} separable points"
    expect_shape(w, (2,), given=given, what="w")
    predictions = (X @ np.asarray(w, dtype=float) + expect_number(b, "b") > 0).astype(int)
    wrong = int((predictions != y).sum())
    expect(
        wrong == 0,
        f"Given {given}: {wrong} of them are on the wrong side of the line you returned, though a "
        "line exists. Go on until a whole pass makes no mistake.",
    )
    expect(
        np.allclose(w, want[0]) and np.isclose(float(b), want[1]),
        f"Given {given}: your line separates them, but it is not the one the rule arrives at when "
        "it starts at zero, takes the rows in order and updates at each mistake at once, by the "
        "row itself (not scaled, and not the whole pass in one go).",
    )
    expect_close(mistakes, want[2], given=given, what="mistakes")
    yield 2 / 3
    xor = np.array(_CORNERS, dtype=float), np.array(_GATES["XOR"])
    expect_raises(ValueError, lambda: train_perceptron(*xor, 25), given="XOR and max_epochs=25")
    expect_raises(
        ValueError,
        lambda: train_perceptron(X, y, 1),
        given="separable points that need several passes, and max_epochs=1",
    )
    given = "one example, whose second pass is the first without a mistake, and max_epochs="
    expect_raises(
        ValueError,
        lambda: train_perceptron(row[None, :], np.array([1]), 1),
        given=f"{given}1",
    )
    try:
        train_perceptron(row[None, :], np.array([1]), 2)
    except AnswerError as error:
        expect(error.kind != "ValueError", f"Given {given}2: two passes were enough.")
        raise


@exercise(
    "1.7",
    "Gradients of the mean squared error",
    aliases=("+1.6",),
    kind="C",
    points=2,
    minutes=10,
    stars=2,
    hints=(
        "Formula (1.8) is right for one row. The mean over rows of a derivative is the derivative "
        "of the mean.",
        "dw = 2/n * X^T (Xw + b - y) and db = 2/n * sum(Xw + b - y).",
        "`error = X @ w + b - y`, then one matrix product and one mean.",
    ),
)
def _(mse_gradients, case):
    for n, d in ((5, 1), (12, 3), (40, 4)):
        X, w = case.normal(size=(n, d)), case.normal(size=d)
        y, b = case.normal(size=n), float(case.normal())

        def loss(w, b, X=X, y=y):
            return np.mean((X @ w + b - y) ** 2)

        nudges = 1e-5 * np.eye(d)
        dw = np.array([(loss(w + e, b) - loss(w - e, b)) / 2e-5 for e in nudges])
        db = (loss(w, b + 1e-5) - loss(w, b - 1e-5)) / 2e-5
        got = mse_gradients(X, y, w, b)
        expect(
            isinstance(got, tuple | list) and len(got) == 2,
            f"mse_gradients should return two things, (dw, db); got {show(got)}.",
        )
        for part, want, what in ((got[0], dw, "dw"), (got[1], db, "db")):
            mistakes = {
                f"{what} is {n} times too large: the mean over the {n} rows is missing.": want * n,
                f"{what} is half of what it should be: the 2 of the square is missing.": want / 2,
                f"{what} has the right size and the wrong sign: the error is prediction minus "
                "target.": -want,
                f"{what} lacks both the 2 and the mean.": want * n / 2,
            }
            expect_close(
                part,
                want,
                given=f"X of shape ({n}, {d})",
                what=what,
                rtol=1e-3,
                atol=1e-5,
                mistakes=mistakes,
            )
        if d == 1:
            yield 0.25


_VERDICTS = ("crawls", "converges", "diverges")
# Of the page's x_line and y_line at w = b = 0: the loss and the squared length of its gradient.
_LINE_LOSS, _LINE_GRADIENT = 17.540, 248.34


def _loss_curves(sweep):
    expect(
        isinstance(sweep, dict) and len(sweep) >= 5,
        "sweep should be a dict from at least five learning rates to their losses; got "
        f"{show(sweep)}.",
    )
    curves = {}
    for rate, losses in sweep.items():
        expect(
            isinstance(rate, int | float) and rate > 0,
            f"The key {show(rate)} of sweep is not a positive learning rate.",
        )
        losses = np.asarray(losses, dtype=float)
        expect(
            losses.shape == (101,),
            f"sweep[{rate}] should hold 101 losses, one before the first step and one after each "
            f"of 100 steps; its shape is {losses.shape}.",
        )
        curves[float(rate)] = losses
    return curves


@exercise(
    "1.8",
    "A sweep of learning rates",
    aliases=("+1.7",),
    kind="X",
    points=2,
    minutes=15,
    stars=2,
    hints=(
        "Put the loop of the lesson into a loop over learning rates, and start again at w = b = 0 "
        "for each. Spread the learning rates over three powers of ten.",
        "Record the loss of the current w and b first, then step: 101 records need 101 turns.",
        "`for learning_rate in (...): w, b, losses = 0.0, 0.0, []`, inside it the 101 turns, and "
        "after them `sweep[learning_rate] = losses`.",
    ),
)
def _(sweep, verdicts, case):
    curves = _loss_curves(sweep.value)
    given = verdicts.value
    rates = sorted(curves)
    starts = np.array([curves[rate][0] for rate in rates])
    expect(
        np.allclose(starts, starts[0], rtol=1e-3),
        "The first losses differ between learning rates. All runs start at w = b = 0, so set both "
        "back inside the outer loop, and record the loss before the first step.",
    )
    firsts = np.array([curves[rate][1] for rate in rates])
    drop = (starts[0] - firsts) / np.array(rates)
    # One step of size r changes a quadratic loss by -r g² + r² c: the drop over r is a line in r,
    # and where r goes to 0 it is g², the squared length of the gradient at the start.
    line = np.polyfit(rates, drop, 1)
    for wrong, factor in (("lack the factor 2", 0.5), ("lack the mean over the 40 rows", 40)):
        expect(
            not np.isclose(line[1], factor * _LINE_GRADIENT, rtol=0.02),
            f"The first steps are {factor:g} times as long as they should be: the gradients "
            f"{wrong}.",
        )
    expect(
        np.isclose(starts[0], _LINE_LOSS, rtol=0.01),
        f"The first loss is {starts[0]:.4g}. At w = b = 0 it is the mean of y_line squared, "
        f"{_LINE_LOSS:.4g}.",
    )
    expect(
        np.isclose(line[1], _LINE_GRADIENT, rtol=0.05)
        and np.allclose(np.polyval(line, rates), drop, rtol=1e-2, atol=1e-2 * line[1]),
        "The losses after the first step do not belong to gradient descent with these learning "
        "rates: for a squared loss, their drop over the learning rate must be a straight line. Use "
        "the gradients of (1.8), averaged over all 40 rows, and update w and b together.",
    )
    yield 0.5
    best = min(losses[-1] for losses in curves.values() if np.isfinite(losses[-1]))
    expect(
        isinstance(given, dict) and {float(rate) for rate in given} == set(curves),
        "verdicts should be a dict with the same learning rates as sweep.",
    )
    for rate, losses in curves.items():
        word = "diverges" if not losses[-1] <= losses[0] else "crawls"
        word = "converges" if losses[-1] <= 1.05 * best else word
        said = next(value for key, value in given.items() if float(key) == rate)
        expect(said in _VERDICTS, f"verdicts[{rate}] is {show(said)}; use {', '.join(_VERDICTS)}.")
        expect(
            said == word,
            f"verdicts[{rate}] says {said}, but the loss goes from {losses[0]:.3g} to "
            f"{losses[-1]:.3g} and the best of the sweep ends at {best:.3g}: it {word}.",
        )
    for word in _VERDICTS:
        expect(
            word in given.values(),
            f"No learning rate of your sweep {word}. Try "
            + ("a larger one." if word == "diverges" else "a smaller one."),
        )
    expect(
        best < 0.2 * starts[0],
        f"The best run only falls from {starts[0]:.3g} to {best:.3g}. Take some learning rates "
        "between your largest that does not diverge and a tenth of it.",
    )


@exercise(
    "1.9",
    "Three losses",
    aliases=("+1.8",),
    kind="C",
    points=3,
    minutes=15,
    stars=2,
    hints=(
        "The cross-entropy needs one number from each row: the probability of the true class. A "
        "one-hot row and an integer are two ways to point at it.",
        "-mean(log(max(p_true, tiny))), with a tiny like 1e-12; log(0) is minus infinity.",
        "`if labels.ndim == 2: labels = labels.argmax(axis=1)`, then index with "
        "`probabilities[np.arange(n), labels]`.",
    ),
)
def _(sum_of_squares, mean_squared_error, cross_entropy, case):
    for shape in ((6,), (4, 3)):
        y, t = case.normal(size=shape), case.normal(size=shape)
        total, n = float(((y - t) ** 2).sum()), y.size
        expect_close(
            sum_of_squares(y, t),
            total / 2,
            given=f"arrays of shape {shape}",
            what="sum_of_squares(y, t)",
            mistakes={
                "sum_of_squares is twice too large: (1.10) has a factor ½.": total,
                "sum_of_squares is a mean; do not divide by the number of entries.": total / n / 2,
                "sum_of_squares lacks the squares, so errors cancel.": float((y - t).sum()) / 2,
            },
        )
        expect_close(
            mean_squared_error(y, t),
            total / n,
            given=f"arrays of shape {shape}",
            what="mean_squared_error(y, t)",
            mistakes={
                "mean_squared_error has a factor ½ too many.": total / n / 2,
                "mean_squared_error is a sum; divide by the number of entries.": total,
                "mean_squared_error divides by the rows, not by all entries.": total / shape[0],
                "that is the root of the mean squared error.": float(np.sqrt(total / n)),
            },
        )
    yield 1 / 3
    n, k = 7, 4
    p = case.dirichlet(np.ones(k) * 2, size=n)
    labels = case.integers(0, k, size=n)
    one_hot = np.eye(k)[labels]
    each = -np.log(p[np.arange(n), labels])
    mistakes = {
        "cross_entropy is negative: the minus sign is missing.": -each.mean(),
        "cross_entropy sums over the rows; take the mean.": each.sum(),
        f"cross_entropy divides by all {n * k} entries; divide by the {n} rows.": each.sum()
        / n
        / k,
        "cross_entropy also counts the wrong classes; look at the true class alone.": -(
            one_hot * np.log(p) + (1 - one_hot) * np.log(1 - p)
        )
        .sum(axis=1)
        .mean(),
        "that is a logarithm to base 2; use the natural one.": each.mean() / np.log(2),
        "that is a logarithm to base 10; use the natural one.": each.mean() / np.log(10),
    }
    expect_close(
        cross_entropy(p, one_hot),
        each.mean(),
        given="one-hot labels of shape (7, 4)",
        what="cross_entropy",
        mistakes=mistakes,
    )
    expect_close(
        cross_entropy(p, labels),
        each.mean(),
        given="integer labels of shape (7,)",
        what="cross_entropy",
        mistakes=mistakes,
    )
    yield 2 / 3
    sure = np.array([[0.0, 1.0], [1.0, 0.0]])
    for given, labels in (("integer", np.array([0, 1])), ("one-hot", np.eye(2))):
        loss = expect_number(
            cross_entropy(sure, labels), f"The loss of sure and wrong predictions ({given} labels)"
        )
        expect(
            loss > 10,
            f"Given probability 0 for every true class: the loss is {loss:.3g}; a sure and wrong "
            "answer must cost more than 10. Guard the logarithm with a much smaller number.",
        )
        expect_close(
            cross_entropy(sure, 1 - labels),
            0.0,
            atol=1e-5,
            what="cross_entropy",
            given=f"probability 1 for every true class ({given} labels)",
        )


@exercise(
    "1.10",
    "Gaussian negative log-likelihood",
    aliases=("+1.9",),
    kind="C",
    points=2,
    minutes=10,
    stars=2,
    hints=(
        "Take the logarithm on paper, not in the computer: the density itself can be zero.",
        "Mean of ½ log(2πσ²) + (y - μ)² / (2σ²). Only the second term differs between entries, "
        "and the mean of (y - μ)² has a name.",
        "Two lines: the squared differences, then the mean of (1.11); in `nll_from_mse`, put "
        "`mse` where the squared differences were.",
    ),
)
def _(gaussian_nll, nll_from_mse, case):
    y, mean = case.normal(size=(5, 2)), case.normal(size=(5, 2))
    sigma = float(case.uniform(1.5, 3.0))
    mse = float(np.mean((y - mean) ** 2))
    constant, scaled = 0.5 * np.log(2 * np.pi * sigma**2), mse / (2 * sigma**2)
    expect_close(
        gaussian_nll(y, mean, sigma),
        constant + scaled,
        given=f"two arrays of shape (5, 2) and sigma {sigma:.3g}",
        what="gaussian_nll",
        mistakes={
            "the sign is turned: it is the negative log-likelihood.": -constant - scaled,
            "you take the sum over the entries; take the mean.": 10 * (constant + scaled),
            "the term ½ log(2πσ²) is missing.": scaled,
            "sigma is the standard deviation; the formula contains its square.": 0.5
            * np.log(2 * np.pi * sigma)
            + mse / (2 * sigma),
            "the 2 below (y - μ)² is missing: it is 2σ².": constant + 2 * scaled,
        },
    )
    expect_close(
        gaussian_nll(y, 0.5, sigma),
        constant + np.mean((y - 0.5) ** 2) / (2 * sigma**2),
        given="the same number 0.5 as every mean",
        what="gaussian_nll",
    )
    yield 0.5
    far = gaussian_nll(np.array([60.0, 100.0]), 0.0, 1.0)
    expect(
        np.all(np.isfinite(np.asarray(far, dtype=float))),
        "Given targets 60 and 100 standard deviations away: the result is not finite, because the "
        "density there is zero in floating point. Take the logarithm on paper, as in (1.11).",
    )
    expect_close(
        far,
        0.5 * np.log(2 * np.pi) + np.mean([60.0**2, 100.0**2]) / 2,
        given="targets 60 and 100 standard deviations away",
        what="gaussian_nll",
    )
    expect_close(
        nll_from_mse(mse, sigma),
        constant + scaled,
        given=f"mse {mse:.4g} and sigma {sigma:.3g}",
        what="nll_from_mse",
        mistakes={
            "the term ½ log(2πσ²) is missing.": scaled,
            "the 2 below the mse is missing: it is 2σ².": constant + 2 * scaled,
        },
    )


@exercise(
    "1.11",
    "Least squares with Dense(1)",
    aliases=("+1.10",),
    kind="C",
    points=2,
    minutes=15,
    stars=2,
    hints=(
        "The model of the lesson with d inputs instead of one. If the weights are close but not "
        "close enough, take more epochs; if they jump around, a larger batch.",
        "The gradient of a batch of all rows has no noise, so plain gradient descent settles on "
        "the least-squares solution.",
        "`keras.Sequential([keras.Input(shape=(X.shape[1],)), keras.layers.Dense(1)])`, "
        '`compile(optimizer=..., loss="mse")`, `training.fit(model, X, y, epochs=..., '
        "batch_size=...)`, `return model`.",
    ),
)
def _(fit_linear, case):
    n, d = 160, int(case.integers(2, 5))
    X = case.normal(size=(n, d)).astype("float32")
    y = (X @ case.normal(size=d) + case.normal() + case.normal(scale=0.5, size=n)).astype("float32")
    model = fit_linear(X, y)
    expect(
        hasattr(model, "layers"),
        f"fit_linear should return the Keras model itself; got {show(model)}. (`fit` returns the "
        "history.)",
    )
    layers = [layer for layer in model.layers if layer["class_name"] != "InputLayer"]
    expect(
        len(layers) == 1 and layers[0]["class_name"] == "Dense",
        "The model should be one Dense layer and nothing else; it has "
        f"{', '.join(layer['class_name'] for layer in layers) or 'no layer'}.",
    )
    config = layers[0]["config"]
    expect(config["units"] == 1, f"The layer has {config['units']} units; one neuron is wanted.")
    expect(
        config["activation"] == "linear",
        f"The activation is {show(config['activation'])}; a neuron that predicts a number has "
        "none.",
    )
    expect(config["use_bias"], "The layer has no bias, so every prediction for x = 0 is 0.")
    yield 0.5
    kernel, bias = (np.asarray(weight, dtype=float) for weight in model.weights)
    exact = np.linalg.lstsq(np.column_stack([X, np.ones(n)]), y, rcond=None)[0]
    gap = np.abs(np.append(kernel.ravel(), bias) - exact).max()
    expect(
        gap <= 1e-2,
        f"Given {n} examples with {d} inputs: the largest difference to the least-squares weights "
        f"is {gap:.3g}, and at most 0.01 is allowed. Train longer, with a larger batch, or with "
        "another learning rate; the loss must be the mean squared error.",
    )
