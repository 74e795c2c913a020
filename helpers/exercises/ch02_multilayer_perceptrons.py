"""Exercises of chapter 2, multilayer perceptrons (d2l 5.1 and 5.2)."""

from __future__ import annotations

import itertools
import math

import numpy as np

from helpers.exercises import (
    NotYet,
    code,
    exercise,
    expect,
    expect_close,
    expect_number,
    expect_shape,
    explanation,
)

VALIDATION_IMAGES = 2_000


def _sigmoid(x):
    return 0.5 * (1.0 + np.tanh(0.5 * np.asarray(x, "float64")))


def _softmax(logits):
    logits = np.asarray(logits, "float64")
    return np.exp(logits - np.logaddexp.reduce(logits, axis=1)[:, None])


def _pair(answer, size, what):
    """Return `answer` as a list of `size` arrays, or says that it is not one."""
    try:
        parts = [np.asarray(part, "float64") for part in answer]
    except (TypeError, ValueError):
        parts = []
    expect(len(parts) == size, f"{what} must return {size} arrays in the order of the prompt.")
    return parts


def _share(value, what):
    """Return an accuracy on the validation images, which is a multiple of 1 / 2,000."""
    share = expect_number(value, what=what)
    expect(
        0.0 <= share <= 1.0,
        f"{what}: an accuracy lies between 0 and 1, and {share:g} came back. "
        "Divide a percentage by 100.",
    )
    count = share * VALIDATION_IMAGES
    expect(
        abs(count - round(count)) < 0.02,
        f"{what}: {share:g} is not a share of the 2,000 validation images ({count:.2f} of them "
        "would be right). Hand in the validation accuracy as it was measured on x_valid.",
    )
    return share


def _shares(values, what, *, runs):
    """Return the accuracies of at least `runs` runs (a single number counts as one run)."""
    values = np.asarray(values, dtype=object).ravel().tolist()
    expect(
        len(values) >= runs,
        f"{what}: {len(values)} run(s) came back where at least {runs} were asked for. "
        "One run alone does not tell a difference from the luck of its seed.",
    )
    return [_share(value, what) for value in values]


def _not_curves(lists, name):
    """Refuse lists of which every trained one climbs, as an accuracy does from epoch to epoch."""
    trained = [runs for runs in lists if len(runs) > 2 and max(runs) > 0.6]
    climbing = [runs for runs in trained if runs[0] == min(runs) and runs[-1] - runs[0] > 0.04]
    expect(
        not trained or len(climbing) < len(trained),
        f"Every list of trained networks in {name} climbs from its first entry to its last, as "
        "one run does from epoch to epoch. Hand in one number a seed: the accuracy after the last "
        "epoch.",
    )


def _table(answer, name, *, entries):
    """Return the value of `answer` as a dict with at least `entries` entries."""
    table = answer.value
    expect(
        isinstance(table, dict),
        f"{name} must be a dict that maps each setting to what was measured, "
        f"and a {type(table).__name__} came back.",
    )
    expect(
        len(table) >= entries,
        f"{name} has {len(table)} entries, and at least {entries} were asked for.",
    )
    return table


def _numeric_keys(table, name):
    try:
        return {float(key): value for key, value in table.items()}
    except (TypeError, ValueError):
        raise NotYet(f"The keys of {name} must be numbers, such as 256 or 0.1.") from None


def _distinct(values, name):
    expect(
        len(set(values)) > 1,
        f"Every accuracy in {name} is {values[0]:g}. Different settings give different numbers: "
        "build a new model for each setting and evaluate that model.",
    )


# --- d2l 5.1: hidden layers and activation functions -------------------------------------------


@exercise(
    "2.1",
    "A stack of linear layers collapses",
    aliases=("5.1.1",),
    kind="C",
    points=2,
    minutes=10,
    stars=1,
    hints=(
        "Write the output of the stack as one expression in X and multiply out the brackets.",
        "(X W1 + b1) W2 + b2 = X (W1 W2) + (b1 W2 + b2).",
        "One line for W with `@`, one line for b with `@` and `+`, then `return W, b`.",
    ),
)
def _(collapse, case):
    d, h, q = 3, 5, 2
    W1, b1 = case.normal(size=(d, h)), case.normal(size=h)
    W2, b2 = case.normal(size=(h, q)), case.normal(size=q)
    W, b = _pair(collapse(W1, b1, W2, b2), 2, "collapse")
    given = "W1 of shape (3, 5) and W2 of shape (5, 2)"
    expect_close(W, W1 @ W2, given=given, what="W")
    yield 0.5
    expect_close(
        b.ravel(),
        b1 @ W2 + b2,
        given=given,
        what="b",
        mistakes={
            "This b leaves out b1: the second layer multiplies b1 by W2 and passes it on.": b2,
            "This b leaves out b2, which the second layer adds at the end.": b1 @ W2,
        },
    )
    X = case.normal(size=(7, d))
    expect_close(
        X @ W + b, (X @ W1 + b1) @ W2 + b2, given="7 random rows", what="the collapsed layer"
    )
    square = [case.normal(size=(4, 4)) for _ in range(2)]
    W, b = _pair(collapse(square[0], np.ones(4), square[1], np.zeros(4)), 2, "collapse")
    expect_close(
        W,
        square[0] @ square[1],
        given="two square matrices",
        what="W",
        mistakes={"The order is reversed: X meets W1 first.": square[1] @ square[0]},
    )
    expect_close(b.ravel(), np.ones(4) @ square[1], given="two square matrices", what="b")


@exercise(
    "2.2",
    "A narrow layer loses rank",
    aliases=("5.1.1-rank",),
    kind="C",
    points=2,
    minutes=20,
    stars=3,
    hints=(
        "The product of a (d, width) and a (width, q) matrix has rank at most `width`. "
        "Which matrix of that rank is nearest to W?",
        "With the singular value decomposition W = U diag(s) V^T, keep the `width` largest "
        "singular values: W1 = U[:, :width] * s[:width], W2 = V^T[:width].",
        "`U, s, Vt = np.linalg.svd(W, full_matrices=False)`, then two slices and a return.",
    ),
)
def _(squeeze, case):
    d, q = 5, 4
    W = case.normal(size=(d, q))
    for width in (1, 2, 3):
        given = f"a random W of shape (5, 4) and width {width}"
        W1, W2 = _pair(squeeze(W, width), 2, "squeeze")
        expect_shape(W1, (d, width), given=given, what="W1")
        expect_shape(W2, (width, q), given=given, what="W2")
        error = np.linalg.norm(W - W1 @ W2)
        best = math.sqrt((np.linalg.svd(W, compute_uv=False)[width:] ** 2).sum())
        expect(
            np.isfinite(error) and error <= best * 1.001 + 1e-5,
            f"Given {given}, W1 @ W2 misses W by {error:.4f} (Frobenius norm), and {best:.4f} is "
            "possible: keep the largest singular values, each of them once.",
        )
    yield 0.5
    W1, W2 = _pair(squeeze(np.eye(4), 2), 2, "squeeze")
    error = np.linalg.norm(np.eye(4) - W1 @ W2)
    expect(
        abs(error - math.sqrt(2)) < 1e-3,
        "Given the identity of size 4 and width 2, the stack must lose two of four directions: "
        f"an error of sqrt(2) = 1.414 was expected and {error:.4f} came back.",
    )
    W1, W2 = _pair(squeeze(W, q), 2, "squeeze")
    expect_close(W1 @ W2, W, given="a width equal to the rank of W", what="W1 @ W2", atol=1e-5)


@exercise(
    "2.3",
    "The derivative of pReLU",
    aliases=("5.1.2",),
    kind="C",
    points=1,
    minutes=5,
    stars=1,
    hints=(
        "pReLU is made of two straight lines, so its derivative takes two values.",
        "1 where x > 0 and alpha where x < 0.",
        "One `np.where` (or `tf.where`) with a condition and two values.",
    ),
)
def _(prelu_derivative, case):
    for alpha in (0.25, 1.5, -0.3):
        x = case.normal(size=(4, 3)) * 3
        want = np.ones_like(x)
        want[x < 0] = alpha
        expect_close(
            prelu_derivative(x, alpha),
            want,
            given=f"a random x of shape (4, 3) and alpha {alpha}",
            what="prelu_derivative(x, alpha)",
            mistakes={
                "That is pReLU itself, not its derivative.": np.where(x > 0, x, alpha * x),
                "That is the derivative of ReLU: below zero pReLU has the slope alpha.": x > 0,
                "The two slopes are exchanged: alpha belongs to x < 0.": np.where(x < 0, 1, alpha),
                "Below zero the derivative is the constant alpha, without a factor x.": np.where(
                    x > 0, 1, alpha * x
                ),
            },
        )


@exercise(
    "2.4",
    "The derivative of Swish",
    aliases=("5.1.3",),
    kind="C",
    points=2,
    minutes=10,
    stars=2,
    hints=(
        "Swish is a product of x and a sigmoid: use the product rule, then the chain rule.",
        "f'(x) = s + beta x s (1 - s) with s = sigmoid(beta x).",
        "Compute s once, in a form that does not overflow (0.5 * (1 + tanh(z / 2)), or "
        "`tf.sigmoid`), then return one expression in s.",
    ),
)
def _(swish_derivative, case):
    h = 1e-5
    for beta in (1.0, 0.5, 2.0):
        x = case.normal(size=(6, 2)) * 2
        s = _sigmoid(beta * x)
        want = ((x + h) * _sigmoid(beta * (x + h)) - (x - h) * _sigmoid(beta * (x - h))) / (2 * h)
        expect_close(
            swish_derivative(x, beta),
            want,
            given=f"a random x of shape (6, 2) and beta {beta}",
            what="swish_derivative(x, beta)",
            atol=1e-5,
            mistakes={
                "That is Swish itself, not its derivative.": x * s,
                "The second term of the product rule is missing.": s,
                "The first term of the product rule is missing.": beta * x * s * (1 - s),
                "That is the derivative of the sigmoid: Swish multiplies it by x first.": s
                * (1 - s),
                "That is the derivative of sigmoid(beta * x): Swish multiplies it by x.": beta
                * s
                * (1 - s),
                "The second term of the product rule lost its factor x.": s + beta * s * (1 - s),
                "The second term of the product rule is subtracted: add it.": s
                - beta * x * s * (1 - s),
                "The derivative of a sigmoid s is s (1 - s), not 1 - s.": s + beta * x * (1 - s),
                "The chain rule's factor beta is missing in the second term.": s + x * s * (1 - s),
                "The sigmoid is taken at x: it belongs at beta * x.": _sigmoid(x)
                + beta * x * _sigmoid(x) * (1 - _sigmoid(x)),
                "That is the derivative for beta = 1. Here beta stands in the sigmoid's argument, "
                "and once more as the factor of the chain rule.": _sigmoid(x)
                + x * _sigmoid(x) * (1 - _sigmoid(x)),
            },
        )
    yield 0.5
    x = np.array([-1000.0, -50.0, 0.0, 50.0, 1000.0])
    got = np.asarray(swish_derivative(x, 1.0), "float64")
    expect(
        np.isfinite(got).all(),
        "Given x = -1000 and x = 1000, NaN or infinity came back: exp(1000) overflows. Use a "
        "sigmoid that never takes the exponential of a large positive number.",
    )
    expect_close(
        got, [0, 0, 0.5, 1, 1], given="x = -1000 ... 1000", what="swish_derivative", atol=1e-5
    )


def _bends(w1, b1, w2):
    """Return bends and slopes of a one-input ReLU network, measured on its outputs."""

    def network(x):
        return np.maximum(np.outer(x, w1) + b1, 0) @ w2

    candidates = np.unique(-b1[w1 != 0] / w1[w1 != 0])
    middles = np.concatenate(
        [[candidates[0] - 1], (candidates[1:] + candidates[:-1]) / 2, [candidates[-1] + 1]]
    )
    h = np.diff(candidates).min() / 8 if len(candidates) > 1 else 0.1
    slopes = (network(middles + h) - network(middles - h)) / (2 * h)
    real = np.abs(np.diff(slopes)) > 1e-9
    return candidates[real], slopes[np.concatenate([[True], real])]


@exercise(
    "2.5",
    "The pieces of a ReLU network",
    aliases=("5.1.4",),
    kind="C",
    points=3,
    minutes=25,
    stars=3,
    hints=(
        "A hidden unit changes from off to on at exactly one x. Between two such places every "
        "unit is either off or linear.",
        "Unit j bends the output at x = -b1[j] / w1[j]. On a piece, the slope is the sum of "
        "w1[j] w2[j] over the units that are on there.",
        "Drop units with w1 = 0 or w2 = 0; `np.unique` sorts and removes doubles; take one point "
        "inside each piece, and sum w1 * w2 where w1 * x + b1 > 0.",
    ),
)
def _(pieces, case):
    size = 5
    sign = np.where(np.arange(size) % 2 == 0, 1.0, -1.0)
    w1 = case.uniform(0.5, 2.0, size) * sign
    w2 = case.uniform(0.5, 2.0, size) * case.choice([-1.0, 1.0], size)
    b1 = -w1 * case.permutation(np.linspace(-2.0, 2.0, size) + case.uniform(-0.3, 0.3, size))
    given = "five hidden units with different bends"
    got, slopes = _pair(pieces(w1, b1, w2), 2, "pieces")
    want, want_slopes = _bends(w1, b1, w2)
    expect_shape(got, want.shape, given=given, what="the breakpoints")
    expect_close(
        got,
        want,
        given=given,
        what="the breakpoints",
        mistakes={
            "The breakpoints must be sorted from left to right.": -b1 / w1,
            "The sign is wrong: w x + b = 0 at x = -b / w.": np.sort(b1 / w1),
        },
    )
    yield 0.3
    expect_shape(slopes, want_slopes.shape, given=given, what="the slopes (one more than bends)")
    expect_close(
        slopes,
        want_slopes,
        given=given,
        what="the slopes, from left to right",
        mistakes={"The slopes run from right to left.": want_slopes[::-1]},
    )
    yield 0.7
    w1 = np.array([1.0, 2.0, -1.0, 0.0, 3.0])
    b1 = np.array([-1.0, 4.0, 1.0, 2.0, -6.0])
    w2 = np.array([1.0, 0.5, 1.0, 5.0, 0.0])
    given = "units of which one has w1 = 0, one has w2 = 0 and two bend at x = 1"
    want, want_slopes = _bends(w1, b1, w2)
    got, slopes = _pair(pieces(w1, b1, w2), 2, "pieces")
    expect(
        got.shape == want.shape,
        f"Given {given}, {want.size} breakpoints were expected and {got.size} came back: a unit "
        "with a zero weight does not bend the output, and a shared place counts once.",
    )
    expect_close(got, want, given=given, what="the breakpoints")
    expect_close(slopes, want_slopes, given=given, what="the slopes")


explanation(
    "2.6",
    "Why every ReLU network is piecewise linear",
    aliases=("5.1.4-explain",),
    points=2,
    minutes=8,
    stars=2,
    hints=(
        "Fix which units are on. What is left of the network?",
        "Sums and compositions of continuous functions are continuous; with a fixed on/off "
        "pattern each layer is affine, and affine after affine is affine.",
        "First continuity, then one region with its pattern, then why there are finitely many.",
    ),
    rubric=(
        (1, "says that for a fixed pattern of active units the network is affine in x"),
        (1, "says that the network is continuous and that there are finitely many patterns"),
    ),
)


@exercise(
    "2.7",
    "tanh from the sigmoid",
    aliases=("5.1.5a",),
    kind="C",
    points=1,
    minutes=5,
    stars=1,
    hints=(
        "Both are S-shaped: tanh is a sigmoid that is stretched and shifted.",
        "tanh(x) + 1 = 2 sigmoid(2x).",
        "One line: call `sigmoid` on twice x, then multiply and subtract.",
    ),
)
def _(tanh_from_sigmoid, case):
    x = case.normal(size=9) * 2
    sigmoid = code("lambda v: 0.5 * (1.0 + np.tanh(0.5 * np.asarray(v)))")
    expect_close(
        tanh_from_sigmoid(sigmoid, x),
        np.tanh(x),
        given="the sigmoid and 9 random numbers",
        what="tanh_from_sigmoid(sigmoid, x)",
        atol=1e-5,
        mistakes={
            "The argument is wrong: the sigmoid is taken at 2x.": 2 * _sigmoid(x) - 1,
            "Subtract 1: tanh runs from -1 to 1, twice the sigmoid from 0 to 2.": 2
            * _sigmoid(2 * x),
            "Multiply the sigmoid by 2 before you subtract 1.": _sigmoid(2 * x) - 1,
        },
    )
    other = code("lambda v: np.asarray(v) ** 2")
    expect_close(
        tanh_from_sigmoid(other, x),
        2 * (2 * x) ** 2 - 1,
        given="another function in the place of the sigmoid",
        what="2 * function(2x) - 1",
        rtol=1e-3,
        mistakes={"The given function is not used: build tanh from it.": np.tanh(x)},
    )


def _tanh_network(layers, X, activation=np.tanh):
    for W, b in layers[:-1]:
        X = activation(X @ W + b)
    return X @ layers[-1][0] + layers[-1][1]


def _as_sigmoid(layers, *, weight=2, bias=2, scale=2, shift=1, inner="both", last=False):
    """Return the sigmoid network of a tanh network, or the one that a known mistake makes.

    Args:
        layers: The pairs (W, b) of the tanh network.
        weight: Factor of W in a layer that a sigmoid follows.
        bias: Factor of b in such a layer.
        scale: Factor of W in a layer that reads hidden units.
        shift: How often the column sums of W are subtracted from b in such a layer.
        inner: Which of the two a layer between two hidden ones gets: "both", "before" a sigmoid,
            "after" one, or "neither".
        last: Whether the last layer is treated as if a sigmoid followed it.
    """
    new = []
    for index, (W, b) in enumerate(layers):
        is_inner = 0 < index < len(layers) - 1
        if index > 0 and not (is_inner and inner in ("before", "neither")):
            W, b = scale * W, b - shift * W.sum(axis=0)
        if (last or index < len(layers) - 1) and not (is_inner and inner in ("after", "neither")):
            W, b = weight * W, bias * b
        new.append((W, b))
    return new


_CONVERSION_MISTAKES = {
    "The weights did not change: sigmoid(z) is not tanh(z).": {
        "weight": 1,
        "bias": 1,
        "scale": 1,
        "shift": 0,
    },
    "The -1 is there, the factors are not: tanh(z) is twice a sigmoid of twice z.": {
        "weight": 1,
        "bias": 1,
        "scale": 1,
    },
    "The sigmoid is taken at 2z: double W and b of every layer that a sigmoid follows.": {
        "weight": 1,
        "bias": 1,
    },
    "The sigmoid is taken at 2z = 2(XW + b): double b as well as W.": {"bias": 1},
    "tanh is twice a sigmoid, less 1: a layer that reads hidden units needs twice its W.": {
        "scale": 1
    },
    "The biases of the layers after a hidden layer must absorb the -1.": {"shift": 0},
    "The biases did not change: double those of hidden layers, and let every layer after a hidden "
    "one absorb the -1.": {"bias": 1, "shift": 0},
    "The -1 has the wrong sign: a layer that reads hidden units loses the column sums of its W.": {
        "shift": -1
    },
    "The -1 meets the old W: subtract its column sums before you double it.": {"shift": 2},
    "A layer between two hidden ones reads hidden units and feeds a sigmoid: it needs both "
    "changes, and got none.": {"inner": "neither"},
    "A layer between two hidden ones feeds a sigmoid, too: double what it has become.": {
        "inner": "after"
    },
    "A layer between two hidden ones reads hidden units, too: it has to absorb the 2 and the "
    "-1 of the layer before.": {"inner": "before"},
    "No sigmoid follows the last layer: it reads hidden units, and that is all.": {"last": True},
}


@exercise(
    "2.8",
    "Any tanh network is a sigmoid network",
    aliases=("5.1.5b",),
    kind="C",
    points=3,
    minutes=25,
    stars=3,
    hints=(
        "Replace tanh(z) by 2 sigmoid(2z) - 1 and hand the factors and the -1 to the layers on "
        "both sides.",
        "A hidden layer doubles its own W and b. The layer after it turns 2 sigmoid - 1 into "
        "weights 2W and bias b minus the column sums of W.",
        "Loop over the layers with their index: if it is not the first, use "
        "(2 * W, b - W.sum(axis=0)); if it is not the last, double both.",
    ),
)
def _(tanh_to_sigmoid, case):
    for depth, sizes in ((1, (3, 5, 2)), (3, (3, 6, 4, 5, 2))):
        layers = [
            (case.normal(size=(m, n)), case.normal(size=n)) for m, n in itertools.pairwise(sizes)
        ]
        given = f"a tanh network with {depth} hidden layer(s)"
        answer = tanh_to_sigmoid(layers)
        try:
            new = [(np.asarray(W, "float64"), np.asarray(b, "float64")) for W, b in answer]
        except (TypeError, ValueError):
            new = []
        expect(
            [W.shape for W, _ in new] == [W.shape for W, _ in layers],
            f"Given {given}, a list of (W, b) pairs with the same shapes was expected.",
        )
        X = case.normal(size=(8, 3))
        expect_close(
            _tanh_network(new, X, _sigmoid),
            _tanh_network(layers, X),
            given=given,
            what="the output of your sigmoid network",
            rtol=1e-3,
            atol=1e-4,
            mistakes={
                sentence: _tanh_network(_as_sigmoid(layers, **wrong), X, _sigmoid)
                for sentence, wrong in _CONVERSION_MISTAKES.items()
            },
        )
        yield 0.5


@exercise(
    "2.9",
    "A row and its batch mates",
    aliases=("5.1.6",),
    kind="X",
    points=2,
    minutes=15,
    stars=2,
    hints=(
        "Put the row and its mates into one batch, apply the nonlinearity, and look at row 0.",
        "sigma(X) = (X - mean) / sqrt(variance + 1e-5), with mean and variance of each column "
        "over the rows of the batch, the row itself included.",
        "`np.concatenate([row[None], mates])`, then `mean(axis=0)`, `var(axis=0)`, and index 0.",
    ),
)
def _(output_beside, case):
    for crowd, scale in ((3, 1.0), (8, 1.0), (8, 0.003)):
        row = case.normal(size=4) * scale
        mates = (case.normal(size=(crowd, 4)) * 2 + case.normal()) * scale
        batch = np.concatenate([row[None], mates])

        def standard(values, ddof=0, row=row):
            return (row - values.mean(0)) / np.sqrt(values.var(0, ddof=ddof) + 1e-5)

        expect_close(
            np.asarray(output_beside(row, mates)).ravel(),
            standard(batch),
            given=f"a row of 4 numbers of size {scale:g} and {crowd} mates",
            what="output_beside(row, mates)",
            rtol=1e-3,
            atol=1e-4,
            mistakes={
                "Statistics are taken along the row: they belong to each column of the batch.": (
                    row - row.mean()
                )
                / np.sqrt(row.var() + 1e-5),
                "The row itself belongs to the batch whose mean and variance are taken.": standard(
                    mates
                ),
                "Divide by the number of rows, not by one less (ddof=0).": standard(batch, 1),
                "One mean is taken over the whole batch: each column has its own.": (
                    row - batch.mean()
                )
                / np.sqrt(batch.var() + 1e-5),
                "1e-5 is added to the variance, under the root.": (row - batch.mean(0))
                / (batch.std(0) + 1e-5),
            },
        )
    yield 0.5
    expect_close(
        np.asarray(output_beside(row, np.zeros((0, 4)))).ravel(),
        np.zeros(4),
        given="no mates at all (an array of shape (0, 4))",
        what="output_beside(row, mates)",
        atol=1e-4,
        mistakes={"Alone, the row is its own mean, so every output is zero.": row},
    )


explanation(
    "2.10",
    "What a batch-wise nonlinearity costs",
    aliases=("5.1.6-explain",),
    points=3,
    minutes=8,
    stars=2,
    hints=(
        "Use what you measured: the same row gave different outputs.",
        "Think of prediction for one example, of a small batch, and of a batch that is split "
        "over two devices.",
        "Name three situations, and for each what goes wrong; end with a remedy.",
    ),
    rubric=(
        (1, "says that an output, and so a prediction, depends on the other rows of the batch"),
        (1, "says that a batch of one (or a very small one) breaks or becomes noisy"),
        (1, "names a remedy such as running averages at prediction time"),
    ),
)


def _input_gradient(layers, x, sigmoid=True):
    """Return the gradient of the summed output with respect to the first weight matrix."""
    inputs, activations = [np.asarray(x, "float64")], []
    for W, b in layers:
        z = inputs[-1] @ W + b
        activations.append(_sigmoid(z) if sigmoid else z)
        inputs.append(activations[-1])
    gradient = np.ones_like(inputs[-1])
    for index in reversed(range(len(layers))):
        if sigmoid:
            gradient = gradient * activations[index] * (1 - activations[index])
        if index:
            gradient = gradient @ layers[index][0].T
    return np.outer(inputs[0], gradient)


@exercise(
    "2.11",
    "A network whose gradients vanish",
    aliases=("5.1.7",),
    kind="C",
    points=2,
    minutes=15,
    stars=2,
    hints=(
        "The derivative of the sigmoid is at most 1/4, and almost 0 far from 0.",
        "Through n layers the gradient carries n factors s (1 - s) <= 1/4: depth makes it small "
        "(0.25 ** 20 is 1e-12), and so does one layer with inputs of size 30.",
        "A list of 20 pairs (np.eye(4), np.zeros(4)), and a row of 4 ordinary numbers.",
    ),
)
def _(vanishing_example, case):
    answer = vanishing_example()
    try:
        layers, x = answer
        layers = [(np.asarray(W, "float64"), np.asarray(b, "float64")) for W, b in layers]
        x = np.asarray(x, "float64").ravel()
        sizes = [x.size] + [b.size for _, b in layers]
        fits = all(
            W.shape == pair for (W, _), pair in zip(layers, itertools.pairwise(sizes), strict=True)
        )
    except (TypeError, ValueError, IndexError):
        layers, fits = [], False
    expect(
        bool(layers) and fits,
        "vanishing_example() must return (layers, x): a list of (W, b) pairs whose shapes chain, "
        "and one row x that fits the first W.",
    )
    weak = [i for i, (W, _) in enumerate(layers) if np.linalg.norm(W) < 1]
    expect(
        not weak,
        f"The weights of layer {(weak or [0])[0]} have a Frobenius norm below 1. With weights "
        "near zero any network has small gradients; here the sigmoid must be the cause.",
    )
    linear = np.linalg.norm(_input_gradient(layers, x, sigmoid=False))
    expect(
        linear >= 1e-2,
        f"Without its sigmoids your network has a gradient norm of {linear:.1e} already, and at "
        "least 0.01 was expected: the sigmoid must be the cause. Is x zero, or a product of "
        "weights small?",
    )
    norm = np.linalg.norm(_input_gradient(layers, x))
    expect(
        norm < 1e-6,
        f"The gradient for the first weights has the norm {norm:.1e}, and less than 1e-6 was "
        "expected. Add layers, or push the inputs of a sigmoid further from zero.",
    )


# --- A multilayer perceptron from scratch and in Keras -----------------------------------------


# Symbolic tensors cannot do all that eager ones can: the operations asked for until then count.
_RECORDED = """
with tf.Graph().as_default() as graph:
    try:
        softmax(logits)
    except Exception:
        pass
result = [operation.type for operation in graph.get_operations()]
"""


@exercise(
    "2.12",
    "A softmax that does not overflow",
    aliases=("+2.1",),
    kind="C",
    points=2,
    minutes=10,
    stars=1,
    hints=(
        "exp(1000) is infinity in any float. Softmax does not change when you subtract the same "
        "number from every logit of a row.",
        "softmax(o)_j = exp(o_j - m) / sum_k exp(o_k - m), with m the largest logit of that row.",
        "Two lines: exponentials of `logits - max(axis=1, keepdims=True)`, then divide by their "
        "row sums, again with `keepdims=True`.",
    ),
)
def _(softmax, case):
    logits = (case.normal(size=(5, 4)) * 2).astype("float32")
    raw = np.exp(logits.astype("float64"))
    want = _softmax(logits)
    mistakes = {
        "The exponentials are not divided by their row sum.": raw,
        "The sum runs over the whole batch: each row has its own.": raw / raw.sum(),
        "The sum runs down the columns: the probabilities of one row add up to 1.": raw
        / raw.sum(0),
        "That is the logarithm of softmax.": np.log(want),
    }
    expect_close(
        softmax(logits),
        want,
        given="ordinary logits of shape (5, 4)",
        what="softmax(logits)",
        mistakes=mistakes,
    )
    used = softmax.evaluate(_RECORDED, logits=logits)
    expect(
        not {"Softmax", "LogSoftmax"} & set(used),
        "The numbers are right, and they come from the softmax of a library. Build it yourself "
        "from exponentials, sums and comparisons.",
    )
    yield 0.5
    shift = np.array([1000, -1000, 0, 80, -200], "float32")[:, None]
    large = np.round(logits) + shift
    got = np.asarray(softmax(large), "float64")
    expect(
        np.isfinite(got).all(),
        "Given one row of logits near 1000 and one near -1000, NaN came back: subtract from each "
        "row its own largest logit before you take the exponential.",
    )
    expect_close(got, _softmax(large), given="rows near 1000 and near -1000", what="softmax")


@exercise(
    "2.13",
    "Accuracy and the confusion matrix",
    aliases=("+2.2",),
    kind="C",
    points=2,
    minutes=15,
    stars=2,
    hints=(
        "The predicted class of a row is the place of its largest score.",
        "Accuracy is the mean of (predicted == label). Entry [i, j] of the matrix counts the rows "
        "of true class i that were predicted as class j.",
        "`scores.argmax(axis=1)`; a (classes, classes) matrix of zeros with "
        "`np.add.at(matrix, (labels, predicted), 1)`, or a loop over the rows.",
    ),
)
def _(accuracy, confusion_matrix, case):
    classes = 4
    scores = case.normal(size=(61, classes))
    labels = case.integers(0, classes - 1, size=61)
    scores[np.arange(61), labels] += 1.0
    predicted = scores.argmax(1)
    right = predicted == labels
    given = "61 rows of scores for 4 classes"
    expect_close(
        accuracy(scores, labels),
        right.mean(),
        given=given,
        what="accuracy(scores, labels)",
        mistakes={
            "That is the number of right rows: divide it by the number of rows.": right.sum(),
            "That is the share of wrong rows.": 1 - right.mean(),
            "That is a percentage: an accuracy is a share between 0 and 1.": 100 * right.mean(),
        },
    )
    yield 0.5
    for never, shift in (("true", 0.0), ("true or predicted", 100.0)):
        scores[:, 3] -= shift
        want = np.zeros((classes, classes))
        for true, guess in zip(labels, scores.argmax(1), strict=True):
            want[true, guess] += 1
        got = np.asarray(confusion_matrix(scores, labels))
        expect(
            got.shape == want.shape,
            f"Given {given}, of which class 3 is never {never}, a 4 x 4 matrix was expected and "
            f"the shape {got.shape} came back: the number of classes is the number of columns of "
            "`scores`.",
        )
        expect_close(
            got,
            want,
            given=given,
            what="confusion_matrix(scores, labels)",
            mistakes={
                "Rows and columns are exchanged: the row is the true class.": want.T,
                "Counts are asked for, not shares of the whole.": want / 61,
                "Each pair is counted at most once: use `np.add.at` or a loop.": np.minimum(
                    want, 1
                ),
            },
        )


def _forward(X, layers):
    """Return the inputs of every layer and the logits, in float64."""
    inputs = [np.asarray(X, "float64")]
    for W, b in layers[:-1]:
        inputs.append(np.maximum(inputs[-1] @ W + b, 0))
    W, b = layers[-1]
    return inputs, inputs[-1] @ W + b


def _random_layers(case, sizes):
    return [
        (
            case.normal(size=(m, n)).astype("float32"),
            case.normal(size=n).astype("float32"),
        )
        for m, n in itertools.pairwise(sizes)
    ]


@exercise(
    "2.14",
    "The forward pass of any depth",
    aliases=("+2.3",),
    kind="C",
    points=2,
    minutes=10,
    stars=1,
    hints=(
        "Every layer but the last does the same: an affine map, then ReLU.",
        "H(l) = relu(H(l-1) W(l) + b(l)), with H(0) = X; the last layer has no ReLU.",
        "A loop over `layers[:-1]` that overwrites H, then one line for the last pair.",
    ),
)
def _(mlp_forward, case):
    for sizes in ((4, 3), (4, 6, 3), (4, 7, 5, 6, 3)):
        layers = _random_layers(case, sizes)
        X = case.normal(size=(5, 4)).astype("float32")
        want = _forward(X, layers)[1]
        linear = X
        for W, b in layers:
            linear = linear @ W + b
        expect_close(
            mlp_forward(X, layers),
            want,
            given=f"5 rows and layers of sizes {' -> '.join(map(str, sizes))}",
            what="mlp_forward(X, layers)",
            rtol=1e-3,
            atol=1e-4,
            mistakes={
                "ReLU belongs between the layers, not after the last one.": np.maximum(want, 0),
                "There is no ReLU between the layers, so this network is linear.": linear,
                "Return the logits: softmax comes later, with the loss.": _softmax(want),
                "The last layer's bias is missing.": want - layers[-1][1],
            },
        )
        yield 0.3


@exercise(
    "2.15",
    "One step of minibatch SGD",
    aliases=("+2.4",),
    builds_on=("2.14",),
    kind="C",
    points=3,
    minutes=20,
    stars=2,
    hints=(
        "A tape records what happens to variables by itself, and to tensors that you ask it to "
        "`watch`.",
        "Loss: the mean of the cross-entropy of the logits. Each new parameter is the old one "
        "minus learning_rate times its gradient.",
        "Tensors from the arrays; inside `with tf.GradientTape() as tape:` watch, forward pass, "
        "`tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(...))`; after it "
        "`tape.gradient(loss, layers)` and a list of new pairs.",
    ),
)
def _(sgd_step, case):
    for sizes in ((4, 6, 3), (5, 6, 4, 3)):
        layers = _random_layers(case, sizes)
        rows = 8
        X = case.normal(size=(rows, sizes[0])).astype("float32")
        y = case.integers(0, 3, size=rows)
        inputs, logits = _forward(X, layers)
        losses = -np.log(_softmax(logits)[np.arange(rows), y])
        delta = (_softmax(logits) - np.eye(3)[y]) / rows
        gradients = []
        for index in reversed(range(len(layers))):
            gradients.insert(0, (inputs[index].T @ delta, delta.sum(0)))
            delta = (delta @ layers[index][0].T) * (inputs[index] > 0)
        given = f"8 rows, layers of sizes {' -> '.join(map(str, sizes))}, learning rate 0.1"
        answer = sgd_step(layers, X, y, 0.1)
        expect(
            isinstance(answer, (list, tuple)) and len(answer) == 2,
            "sgd_step must return the loss and the list of new (W, b) pairs, in this order.",
        )
        loss, new = answer
        expect_close(
            loss,
            losses.mean(),
            given=given,
            what="the loss before the step",
            rtol=1e-3,
            atol=1e-4,
            mistakes={
                "The loss is summed over the batch: take its mean.": losses.sum(),
                "One loss a row came back: take the mean.": losses,
            },
        )
        yield 0.3
        try:
            new = [(np.asarray(W, "float64"), np.asarray(b, "float64")) for W, b in new]
        except (TypeError, ValueError):
            raise NotYet("The second value must be a list of (W, b) pairs, one a layer.") from None
        expect(
            [W.shape for W, _ in new] == [W.shape for W, _ in layers],
            f"Given {given}: the new pairs must have the shapes of the old ones.",
        )
        for index, ((W, b), (dW, db)) in enumerate(zip(layers, gradients, strict=True)):
            for name, old, gradient, got in (
                ("W", W, dW, new[index][0]),
                ("b", b, db, new[index][1]),
            ):
                expect_close(
                    got,
                    old - 0.1 * gradient,
                    given=given,
                    what=f"the new {name} of layer {index}",
                    rtol=1e-3,
                    atol=1e-4,
                    mistakes={
                        "The step goes uphill: subtract the gradient.": old + 0.1 * gradient,
                        "The gradient is summed over the batch: the loss is a mean.": old
                        - 0.1 * rows * gradient,
                        "The gradient is not multiplied by the learning rate.": old - gradient,
                        f"{name} of layer {index} did not change.": old
                        if np.abs(gradient).max() > 0.01
                        else np.full_like(gradient, np.inf),
                    },
                )


@exercise(
    "2.16",
    "The same weights in the functional API",
    aliases=("+2.5",),
    kind="C",
    points=2,
    minutes=15,
    stars=2,
    hints=(
        "A layer is an object that you can call more than once: on a new input it keeps its "
        "weights.",
        "outputs = layer_n(... layer_1(inputs)), and the model is keras.Model(inputs, outputs).",
        "`inputs = keras.Input(...)` with `sequential.input_shape[1:]`, a loop over "
        "`sequential.layers`, and `return keras.Model(inputs, outputs)`.",
    ),
)
def _(functional_twin, case):
    probe = """
model = keras.Sequential([
    keras.Input((6,)),
    keras.layers.Dense(5, activation="relu"),
    keras.layers.Dense(3),
])
model.set_weights(weights)
twin = functional_twin(model)
result = {"kind": type(twin).__name__, "itself": twin is model}
result["before"] = np.asarray(twin(x))
model.set_weights([2 * weight for weight in weights])
result["after"] = np.asarray(twin(x))
"""
    layers = _random_layers(case, (6, 5, 3))
    x = case.normal(size=(4, 6)).astype("float32")
    weights = [array for layer in layers for array in layer]
    got = functional_twin.evaluate(probe, weights=weights, x=x)
    given = "a Sequential of sizes 6 -> 5 -> 3"
    expect(
        not got["itself"] and got["kind"] != "Sequential",
        f"Given {given}, a Sequential came back: build a new model with keras.Input and "
        "keras.Model.",
    )
    before = _forward(x, layers)[1]
    expect_close(
        got["before"],
        before,
        given=given,
        what="twin(x)",
        rtol=1e-3,
        atol=1e-4,
        mistakes={"ReLU is applied once too often.": np.maximum(before, 0)},
    )
    yield 0.5
    expect_close(
        got["after"],
        _forward(x, [(2 * W, 2 * b) for W, b in layers])[1],
        given="the same model after its weights were doubled",
        what="twin(x)",
        rtol=1e-3,
        atol=1e-4,
        mistakes={
            "The twin kept the old weights: it must call the model's own layers, not copies.": (
                before
            )
        },
    )


# --- d2l 5.2: experiments -----------------------------------------------------------------------


@exercise(
    "2.17",
    "How many hidden units?",
    aliases=("5.2.1",),
    kind="X",
    points=3,
    minutes=20,
    stars=2,
    hints=(
        "Change one thing only: the number of units. Data, seed, epochs and learning rate stay.",
        "Take widths that double or quadruple, from a few units to several hundred, and keep the "
        "validation accuracy after the last epoch.",
        "A loop over widths: `train(hidden_units=(width,))` returns a history; store the last "
        'entry of its "val_accuracy" under the width; draw with `plotting.lines`.',
    ),
)
def _(width_sweep, case):
    table = _numeric_keys(_table(width_sweep, "width_sweep", entries=5), "width_sweep")
    widths = sorted(table)
    expect(
        widths[0] <= 4 and widths[-1] >= 256,
        f"The widths run from {widths[0]:g} to {widths[-1]:g}: include one of at most 4 units and "
        "one of at least 256, or the curve cannot show where width stops to matter.",
    )
    runs = [_shares(table[width], f"width {width:g}", runs=1) for width in widths]
    _not_curves(runs, "width_sweep")
    means = [np.mean(shares) for shares in runs]
    yield 0.5
    _distinct([float(mean) for mean in means], "width_sweep")
    expect(
        max(means) > 0.6,
        f"The best accuracy is {max(means):.3f}: more than 0.6 was expected. Train for some "
        "epochs, and evaluate on scaled images.",
    )
    expect(
        max(means) - means[0] > 0.01,
        f"Your narrowest network, of {widths[0]:g} units, is as good as the best: are the "
        "accuracies stored under the right widths?",
    )


@exercise(
    "2.18",
    "One more hidden layer",
    aliases=("5.2.2",),
    kind="X",
    points=2,
    minutes=15,
    stars=1,
    hints=(
        "One run of each does not tell a difference from luck: use several seeds.",
        "Compare two means and look at the spread within each group before you conclude.",
        "A dict {1: [...], 2: [...]}: for each depth a list with one validation accuracy a seed, "
        "from `train(hidden_units=(128,) * depth, seed=seed)`.",
    ),
)
def _(depth_comparison, case):
    name = "depth_comparison"
    table = _numeric_keys(_table(depth_comparison, name, entries=2), name)
    expect(
        {1.0, 2.0} <= set(table),
        "depth_comparison needs the keys 1 and 2, the number of hidden layers.",
    )
    every = []
    for depth in (1.0, 2.0):
        runs = _shares(table[depth], f"{depth:g} hidden layer(s)", runs=3)
        expect(
            min(runs) > 0.3,
            f"A run with {depth:g} hidden layer(s) has the accuracy {min(runs):.3f}: more than 0.3 "
            "was expected after a few epochs. Was it trained?",
        )
        expect(
            len(set(runs)) > 1,
            f"Every accuracy with {depth:g} hidden layer(s) is {runs[0]:g}: give each run a seed "
            "of its own.",
        )
        every.append(runs)
        yield 0.5
    _not_curves(every, "depth_comparison")
    expect(
        every[0] != every[1],
        "Both depths have the same accuracies: build a new network for each depth.",
    )


@exercise(
    "2.19",
    "A layer with a single neuron",
    aliases=("5.2.3",),
    kind="X",
    points=2,
    minutes=10,
    stars=1,
    hints=(
        "Insert a layer of one unit between the hidden layer and the outputs.",
        "The hidden widths are (128,) without it and (128, 1) with it.",
        "A dict with the keys (128,) and (128, 1), which are also what `train` takes, each with a "
        "list of the validation accuracies of three seeds.",
    ),
)
def _(bottleneck, case):
    table = _table(bottleneck, "bottleneck", entries=2)
    expect(
        (1, 128) not in table,
        "bottleneck has the key (1, 128): there the single neuron comes first and reads the "
        "pixels. Put it after the 128 units: (128, 1).",
    )
    expect(
        {(128,), (128, 1)} <= set(table),
        "bottleneck needs the keys (128,) and (128, 1), the hidden units of the two networks as "
        "you hand them to `train`.",
    )
    without = _shares(table[128,], "(128,)", runs=3)
    narrow = _shares(table[128, 1], "(128, 1)", runs=3)
    _not_curves([without], "bottleneck")
    yield 0.5
    expect(
        np.mean(without) - np.mean(narrow) > 0.05,
        f"The mean accuracy is {np.mean(without):.3f} with the hidden units (128,) and "
        f"{np.mean(narrow):.3f} with (128, 1): a clear loss was expected. Was each list measured "
        "with the network of its key?",
    )


explanation(
    "2.20",
    "Why a single neuron is a bad idea",
    aliases=("5.2.3-explain",),
    points=2,
    minutes=5,
    stars=1,
    hints=(
        "Everything the outputs know about the image has to pass through this layer.",
        "One number per image; with ReLU it is zero for a half line of inputs, where no gradient "
        "passes.",
        "Two reasons: what can be represented, and what can be trained.",
    ),
    rubric=(
        (1, "says that all information is squeezed into one number, so logits lie on a line"),
        (1, "says that when this ReLU is off no gradient reaches the layers before it"),
    ),
)


@exercise(
    "2.21",
    "Learning rate and epochs",
    aliases=("5.2.4",),
    kind="X",
    points=3,
    minutes=20,
    stars=2,
    hints=(
        "One run of many epochs already contains every shorter run: keep the whole history.",
        "Take rates that grow by a constant factor, over at least two powers of ten. For a number "
        "of epochs, the best rate is the one with the highest accuracy at that epoch.",
        'A loop that stores `train(learning_rate=rate)["val_accuracy"]` under each rate; then '
        "`max(rates, key=lambda rate: learning_rates[rate][epoch - 1])` for the first and the "
        "last epoch.",
    ),
)
def _(learning_rates, best_rate, case):
    table = _numeric_keys(_table(learning_rates, "learning_rates", entries=5), "learning_rates")
    rates = sorted(table)
    expect(
        rates[0] > 0 and rates[-1] / rates[0] >= 99,
        f"The learning rates run from {rates[0]:g} to {rates[-1]:g}: spread them over at least two "
        "powers of ten.",
    )
    curves = {rate: _shares(table[rate], f"learning rate {rate:g}", runs=5) for rate in rates}
    lengths = {len(curve) for curve in curves.values()}
    expect(
        len(lengths) == 1,
        f"The curves have {sorted(lengths)} epochs: train every rate for the same number, so that "
        "they can be compared.",
    )
    _distinct([curve[-1] for curve in curves.values()], "learning_rates")
    epochs = lengths.pop()
    expect(
        max(curve[-1] for curve in curves.values()) > 0.6,
        "No rate reaches an accuracy of 0.6 in the end: widen the range of rates.",
    )
    yield 0.5
    best = _numeric_keys(_table(best_rate, "best_rate", entries=2), "best_rate")
    for epoch in (1, epochs):
        expect(epoch in best, f"best_rate needs the best rate after epoch {epoch}.")
        claimed = expect_number(best[epoch], what=f"best_rate[{epoch}]")
        near = min(rates, key=lambda rate: abs(rate - claimed))
        expect(
            abs(near - claimed) <= 1e-6 * near,
            f"best_rate[{epoch}] is {claimed:g}, which is not one of your learning rates.",
        )
        top = max(curves[rate][epoch - 1] for rate in rates)
        expect(
            curves[near][epoch - 1] == top,
            f"After epoch {epoch} the rate {claimed:g} has an accuracy of "
            f"{curves[near][epoch - 1]:.4f} in your table, and another one has {top:.4f}.",
        )


_SEARCHED = ("learning_rate", "epochs", "hidden_layers", "hidden_units")


@exercise(
    "2.22",
    "A joint search",
    aliases=("5.2.5a",),
    kind="X",
    points=3,
    minutes=30,
    stars=3,
    hints=(
        "A grid over four quantities grows fast: list the values first and multiply.",
        "Epochs come free: one run of 12 epochs holds the results after 4 and after 8 as well.",
        "`itertools.product` over depths, widths and rates; for each run one row a number of "
        "epochs: {'learning_rate': ..., 'epochs': ..., 'hidden_layers': ..., 'hidden_units': ..., "
        "'accuracy': ...}; the best row is `max(rows, key=...)`.",
    ),
)
def _(joint_search, best_configuration, case):
    rows = joint_search.value
    if hasattr(rows, "to_dict"):
        rows = rows.to_dict("records")
    expect(
        isinstance(rows, (list, tuple)) and all(isinstance(row, dict) for row in rows),
        "joint_search must be a list of dicts, one a row, or a pandas table.",
    )
    expect(len(rows) >= 12, f"joint_search has {len(rows)} rows, and at least 12 were asked for.")
    for row in rows:
        missing = [name for name in (*_SEARCHED, "accuracy") if name not in row]
        expect(not missing, f"A row of joint_search lacks {', '.join(missing)}.")
    try:
        seen = [tuple(float(row[name]) for name in _SEARCHED) for row in rows]
    except (TypeError, ValueError):
        raise NotYet(f"{', '.join(_SEARCHED)} must be one number each, in every row.") from None
    expect(len(set(seen)) == len(seen), "Two rows of joint_search describe the same configuration.")
    for position, name in enumerate(_SEARCHED):
        values = {setting[position] for setting in seen}
        expect(
            len(values) > 1,
            f"Every row has {name} = {values.pop():g}: a joint search varies all four quantities.",
        )
    shares = [_share(row["accuracy"], "accuracy") for row in rows]
    _distinct(shares, "joint_search")
    expect(max(shares) > 0.6, f"The best row has the accuracy {max(shares):.3f}: train longer.")
    yield 0.7
    best = best_configuration.value
    if hasattr(best, "to_dict"):
        best = best.to_dict()
    expect(
        isinstance(best, dict) and all(name in best for name in _SEARCHED),
        f"best_configuration must be a dict with {', '.join(_SEARCHED)}.",
    )
    key = tuple(float(best[name]) for name in _SEARCHED)
    expect(key in seen, "best_configuration is not a row of joint_search.")
    expect(
        shares[seen.index(key)] == max(shares),
        f"best_configuration has the accuracy {shares[seen.index(key)]:.4f} in your table, and "
        f"another row has {max(shares):.4f}.",
    )


explanation(
    "2.23",
    "Why several hyperparameters are harder than one",
    aliases=("5.2.5b-explain",),
    points=2,
    minutes=8,
    stars=2,
    hints=(
        "Count the runs of a grid with 5 values for each of 1, 2, 4 quantities.",
        "The best learning rate for 2 epochs is not the best for 20: they interact.",
        "Three points: the number of combinations, interaction, and the luck of the best of many "
        "noisy results.",
    ),
    rubric=(
        (1, "says that the number of combinations grows exponentially with the quantities"),
        (1, "says that they interact (or that the best of many noisy results is lucky)"),
    ),
)


def _halve(configurations, later, sign=1):
    """Return the winner and the rounds when scores come from "early", then from `later`."""
    left, epochs, rounds = list(configurations), 1, []
    while len(left) > 1:
        rounds.append((epochs, len(left)))
        measure = "early" if epochs < 2 else later
        left = sorted(left, key=lambda c: -sign * c[measure])[: len(left) // 2]
        epochs *= 2
    return left[0], rounds


@exercise(
    "2.24",
    "Successive halving",
    aliases=("5.2.5c",),
    kind="C",
    points=3,
    minutes=20,
    stars=2,
    hints=(
        "Try everything for a short time, keep the better half, and give it twice the time.",
        "In each round: evaluate all that are left with the present number of epochs, sort by "
        "score, keep max(1, n // 2), double the epochs; stop when one is left.",
        "A `while len(left) > 1` loop; append (epochs, len(left)) to `rounds` before you halve; "
        "return `left[0], rounds`.",
    ),
)
def _(successive_halving, case):
    for count in (8, 5):
        early = case.permutation(count).astype(float)
        configurations = [
            {"name": index, "early": score, "late": -score} for index, score in enumerate(early)
        ]
        evaluate = code("lambda c, epochs: c['early'] if epochs < 2 else c['late']")
        best, rounds = _halve(configurations, "late")
        given = f"{count} configurations"
        answer = successive_halving(configurations, evaluate)
        expect(
            isinstance(answer, (list, tuple)) and len(answer) == 2,
            "successive_halving must return the winner and the list of rounds.",
        )
        winner, got = answer
        try:
            got = [(int(epochs), int(size)) for epochs, size in got]
        except (TypeError, ValueError):
            raise NotYet("The rounds must be pairs (epochs, number of configurations).") from None
        expect(
            got == rounds,
            f"Given {given}, the rounds (epochs, configurations) {rounds} were expected and {got} "
            "came back: each round halves the configurations, rounded down, and doubles the "
            "epochs, until one is left.",
        )
        yield 0.5
        expect(isinstance(winner, dict), "The winner must be one of the given configurations.")
        expect(
            winner != _halve(configurations, "late", sign=-1)[0],
            f"Given {given}, those with the lowest scores were kept: a higher score is better.",
        )
        expect(
            winner != _halve(configurations, "early")[0] or winner == best,
            f"Given {given}, the scores of the first round decided everything: in every round, "
            "score those that are left anew, with that round's epochs.",
        )
        expect(
            winner == best,
            f"Given {given}, configuration {best['name']} should win and {winner.get('name')} came "
            "back: keep the configurations with the highest scores of the round.",
        )


explanation(
    "2.25",
    "A strategy for many hyperparameters",
    aliases=("5.2.5c-explain",),
    points=2,
    minutes=8,
    stars=2,
    hints=(
        "How would you spend a fixed number of epochs over many candidates?",
        "Random points try as many values of each quantity as there are runs; a grid repeats "
        "them. Bad candidates show early.",
        "Say how to draw candidates, how to stop bad ones early, and what the last word is.",
    ),
    rubric=(
        (1, "draws candidates at random (rates on a log scale) or by a model, not on a grid"),
        (1, "stops weak ones early, and confirms the best on data that took no part"),
    ),
)


def _seconds(value, what):
    seconds = expect_number(value, what=what)
    expect(
        1e-7 < seconds < 600,
        f"{what} is {seconds:g} s: a time above 1e-7 s and below 600 s was expected.",
    )
    return seconds


@exercise(
    "2.26",
    "Scratch against framework",
    aliases=("5.2.6",),
    kind="X",
    points=3,
    minutes=20,
    stars=2,
    hints=(
        "Let both do the same work: the same network, the same batch, one training step.",
        "Call each once before you look at the clock (tracing costs a second), then time several "
        "repetitions and keep the smallest.",
        "A dict {width: {'scratch': seconds, 'keras': seconds}}; use "
        "`time.perf_counter()` and `min` over repetitions.",
    ),
)
def _(step_seconds, case):
    table = _numeric_keys(_table(step_seconds, "step_seconds", entries=3), "step_seconds")
    widths = sorted(table)
    expect(
        widths[-1] >= 16 * widths[0],
        f"The widths run from {widths[0]:g} to {widths[-1]:g}: take them further apart (a factor "
        "of 16 at least), or the growth drowns in noise.",
    )
    for name in ("scratch", "keras"):
        times = []
        for width in widths:
            expect(
                isinstance(table[width], dict) and name in table[width],
                f"step_seconds[{width:g}] needs the keys 'scratch' and 'keras'.",
            )
            times.append(_seconds(table[width][name], f"step_seconds[{width:g}]['{name}']"))
        yield 0.4
        expect(len(set(times)) > 1, f"All times of '{name}' are equal: measure each width.")
        expect(
            times[-1] > times[0] / 2,  # on a GPU both may be nothing but the way into the device
            f"'{name}' took {times[0]:.2g} s a step with {widths[0]:g} units and {times[-1]:.2g} s "
            f"with {widths[-1]:g}: the wide network has far more to multiply. Was the first call, "
            "with its tracing, part of the time?",
        )


@exercise(
    "2.27",
    "Aligned and misaligned matrices",
    aliases=("5.2.7a",),
    kind="X",
    points=2,
    minutes=15,
    stars=2,
    hints=(
        "Time the product alone: make the matrices before you start the clock.",
        "Warm up once, repeat at least five times, keep the smallest time. On a GPU, wait for the "
        "result (`.numpy()`) before you stop the clock.",
        "A dict {size: seconds} for 1024, 1025, 1026, 1028, 1032, from float32 matrices and "
        "`tf.linalg.matmul`.",
    ),
)
def _(matmul_seconds, case):
    table = _numeric_keys(_table(matmul_seconds, "matmul_seconds", entries=5), "matmul_seconds")
    sizes = (1024, 1025, 1026, 1028, 1032)
    missing = [size for size in sizes if size not in table]
    expect(not missing, f"matmul_seconds lacks the size(s) {', '.join(map(str, missing))}.")
    times = [_seconds(table[size], f"matmul_seconds[{size}]") for size in sizes]
    yield 0.5
    rates = [2 * size**3 / seconds for size, seconds in zip(sizes, times, strict=True)]
    expect(
        max(rates) < 2e15,
        f"A size reaches {max(rates):.1e} operations a second, more than any one device: the clock "
        "stopped before the result was there, or the product was not computed.",
    )
    expect(
        min(rates) > 2e8,
        f"A size reaches only {min(rates):.1e} operations a second: was the making of the "
        "matrices, or a Python loop, part of the time, or are these milliseconds?",
    )
    expect(len(set(times)) > 1, "All five times are equal: measure each size by itself.")
    expect(
        max(times) < 20 * min(times),
        f"The times differ by a factor of {max(times) / min(times):.0f}: sizes this close do "
        "not. Warm up before the clock starts, and keep the smallest of several repetitions.",
    )


explanation(
    "2.28",
    "The width of the memory bus",
    aliases=("5.2.7b-explain",),
    points=2,
    minutes=10,
    stars=3,
    hints=(
        "Bandwidth is what you can measure; what else do you need to know the width?",
        "Bandwidth = width in bytes x transfers a second.",
        "Say what a copy of a large array tells you, where the transfer rate stands, and give the "
        "division for a CPU and for a GPU.",
    ),
    rubric=(
        (1, "says: width = bandwidth / transfer rate, or channels x 64 bit of a data sheet"),
        (1, "gives the CPU and a GPU width with units, and how each number was found"),
    ),
)


@exercise(
    "2.29",
    "Activation functions compared",
    aliases=("5.2.8",),
    kind="X",
    points=2,
    minutes=15,
    stars=1,
    hints=(
        "Only the activation changes; learning rate, epochs and seeds stay.",
        "A difference smaller than the spread between seeds is no difference.",
        "A dict {name: [one validation accuracy a seed]} for 'relu', 'sigmoid', 'tanh' and at "
        "least one more, from `train(activation=name, seed=seed)`.",
    ),
)
def _(activations, case):
    table = _table(activations, "activations", entries=4)
    missing = [name for name in ("relu", "sigmoid", "tanh") if name not in table]
    expect(not missing, f"activations lacks {', '.join(missing)}.")
    runs = {name: _shares(values, f"'{name}'", runs=2) for name, values in table.items()}
    _not_curves(runs.values(), "activations")
    yield 0.5
    _distinct([float(np.mean(shares)) for shares in runs.values()], "activations")
    expect(
        np.mean(runs["relu"]) > 0.5,
        f"'relu' reaches {np.mean(runs['relu']):.3f}: more than 0.5 was expected. Train for some "
        "epochs on scaled images.",
    )


@exercise(
    "2.30",
    "Initializations compared",
    aliases=("5.2.9",),
    kind="X",
    points=2,
    minutes=15,
    stars=2,
    hints=(
        "Include the extreme: all weights zero. What does the first hidden layer compute then?",
        "Keras takes names ('zeros', 'glorot_uniform', 'he_normal') and objects "
        "(`keras.initializers.RandomNormal(stddev=0.01)`).",
        "A dict {name: [one validation accuracy a seed]} with 'zeros' and at least three more, "
        "from `train(kernel_initializer=..., seed=seed)`.",
    ),
)
def _(initializations, case):
    table = _table(initializations, "initializations", entries=4)
    expect("zeros" in table, "initializations lacks 'zeros'.")
    runs = {name: _shares(values, f"'{name}'", runs=2) for name, values in table.items()}
    _not_curves(runs.values(), "initializations")
    yield 0.5
    zero = np.mean(runs.pop("zeros"))
    expect(
        zero < 0.3,
        f"All-zero weights reach {zero:.3f}: with ReLU they cannot learn, and about 0.1 was "
        "expected. Are all kernels zero, the hidden one too?",
    )
    best = max(np.mean(shares) for shares in runs.values())
    expect(best > 0.5, f"The best start reaches {best:.3f}: more than 0.5 was expected.")
    _distinct([float(np.mean(shares)) for shares in runs.values()], "initializations")
