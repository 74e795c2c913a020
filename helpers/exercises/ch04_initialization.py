"""Chapter 4, numerical stability and initialization: the exercises of d2l 5.4 and our own."""

import functools

import numpy as np

from helpers.answers import AnswerError
from helpers.exercises import (
    NotYet,
    Part,
    exercise,
    expect,
    expect_close,
    expect_number,
    expect_raises,
    expect_shape,
    explanation,
    naming,
    show,
)


def _sigmoid(z):
    return 1.0 / (1.0 + np.exp(-z))


def _tanh_network(weights, x):
    w1, b1, w2, b2 = weights
    return np.tanh(x @ w1 + b1) @ w2 + b2


def _relu_network(weights, x):
    w1, b1, w2, b2 = weights
    return np.maximum(x @ w1 + b1, 0.0) @ w2 + b2


def _as_numbers(got, what):
    """Return an answer as an array of real floats, with a sentence where it is none."""
    expect(got is not None, f"{what} is None: is a `return` missing?")
    try:
        array = np.asarray(got)
    except ValueError:
        raise NotYet(f"{what} has rows of different lengths: {show(got)}.") from None
    expect(array.dtype.kind in "iuf", f"{what} should be real numbers; got {show(got)}.")
    return array.astype(float)


def _as_arrays(got, count, what):
    """Return an answer that must be a list of `count` arrays, with a sentence where it is not."""
    expect(
        isinstance(got, (list, tuple)) and len(got) == count,
        f"{what} must return a list of {count} arrays, in the order they came in.",
    )
    return [_as_numbers(part, f"an array from {what}") for part in got]


# 4.1 ---------------------------------------------------------------------------------------


_TANH = (np.tanh, lambda h: 1.0 - h**2)
_SIGMOID = (_sigmoid, lambda h: h * (1.0 - h))


def _layer_gradients(
    x, weights, activation=_SIGMOID, *, linear_end=False, squares=False, transposed=True
):
    """Return the gradients of the summed output by each matrix and by each layer's output.

    Args:
        activation: The function, and its slope as a function of its value.
        linear_end: Whether the last layer goes without the activation.
        squares: Whether the objective is the sum of squares, not of entries.
        transposed: Whether the gradient goes down through the transposed matrix, as it must.
    """
    function, slope = activation
    activations = [x]
    for w in weights:
        last = linear_end and len(activations) == len(weights)
        activations.append(activations[-1] @ w if last else function(activations[-1] @ w))
    delta = 2 * activations[-1] if squares else np.ones_like(activations[-1])
    by_matrix, by_output = [], []
    for level in range(len(weights), 0, -1):
        by_output.insert(0, delta)
        if not (linear_end and level == len(weights)):
            delta = delta * slope(activations[level])
        by_matrix.insert(0, activations[level - 1].T @ delta)
        matrix = weights[level - 1]
        delta = delta @ (matrix.T if transposed else matrix)
    return by_matrix, by_output


def _ratio(gradients, length=np.linalg.norm):
    return length(gradients[0]) / length(gradients[-1])


def _ratio_mistakes(x, weights):
    """Ratios that known mistakes give, by the sentence that helps."""
    gradients, by_output = _layer_gradients(x, weights)
    want = _ratio(gradients)
    if len(weights) == 1:
        return {
            "With one layer the first and the last matrix are the same, so the ratio is 1. This is "
            "the norm of its gradient; divide by the norm of the last.": np.linalg.norm(
                gradients[0]
            ),
        }
    return {
        "This is the shortest gradient over the longest; here the first gradient is the longer "
        "one.": min(1 / want, want),
        "This is the ratio upside down: the first layer's norm is the numerator.": 1 / want,
        "This is the ratio of squared norms: take the square root of each sum of squares.": want**2,
        "This is a ratio of sums of entries. A norm squares the entries first, so that "
        "signs cannot cancel.": _ratio(gradients, np.sum),
        "This is a ratio of sums of absolute values. The Frobenius norm is the root of the sum of "
        "squares.": _ratio(gradients, lambda slope: np.abs(slope).sum()),
        "This is a ratio of largest singular values. The Frobenius norm takes in all "
        "entries.": _ratio(gradients, lambda slope: np.linalg.norm(slope, 2)),
        "This is a ratio of largest entries. The Frobenius norm takes in all of them.": _ratio(
            gradients, lambda slope: np.abs(slope).max()
        ),
        "The sigmoid's own slope h (1 - h) is missing from the backward pass.": _ratio(
            _layer_gradients(x, weights, (_sigmoid, np.ones_like))[0]
        ),
        "The slope is taken at the activation h. It is sigma'(z) at the input z of the unit, which "
        "is h (1 - h).": _ratio(
            _layer_gradients(x, weights, (_sigmoid, lambda h: _sigmoid(h) * (1 - _sigmoid(h))))[0]
        ),
        "These layers are tanh layers; the exercise asks for the sigmoid.": _ratio(
            _layer_gradients(x, weights, _TANH)[0]
        ),
        "The last layer has no sigmoid here; the exercise puts one behind every matrix.": _ratio(
            _layer_gradients(x, weights, linear_end=True)[0]
        ),
        "These are gradients by the outputs of the layers; the exercise asks for those by the "
        "matrices.": _ratio(by_output),
        "This is the ratio for the second-to-last layer: the last matrix of the list is "
        "the one in the denominator.": _ratio(gradients[:-1]) if len(weights) > 2 else np.nan,
        "This is the norm of the first gradient alone: divide it by that of the "
        "last.": np.linalg.norm(gradients[0]),
        "These layers are ReLU layers; the exercise asks for the sigmoid.": _ratio(
            _layer_gradients(x, weights, (lambda z: np.maximum(z, 0), lambda h: h > 0))[0]
        )
        if _relu_survives(x, weights)
        else np.nan,
        "The matrices are taken in reverse order.": _ratio(_layer_gradients(x, weights[::-1])[0]),
        "This uses the first row of X alone; J is the sum over all rows.": _ratio(
            _layer_gradients(x[:1], weights)[0]
        )
        if len(x) > 1
        else np.nan,
        "J is the sum of the entries of H, and this is the ratio for the sum of their "
        "squares.": _ratio(_layer_gradients(x, weights, squares=True)[0]),
        "This is the best case of the slopes, 0.25 for each layer: the real slopes and matrices "
        "decide the ratio.": 0.25 ** (len(weights) - 1),
        "This starts at the second layer: the numerator belongs to the first matrix.": (
            np.linalg.norm(gradients[1]) / np.linalg.norm(gradients[-1])
        ),
        "This is a logarithm of the ratio.": np.log10(want),
        "This is the ratio of the matrices themselves: take the gradients of J by "
        "them.": np.linalg.norm(weights[0]) / np.linalg.norm(weights[-1]),
        "On the way down the gradient is multiplied by the transposed matrix; the transpose is "
        "missing.": _ratio(_layer_gradients(x, weights, transposed=False)[0]),
        "This is the ratio of the activations: take the gradients of J by the "
        "matrices.": _activation_ratio(x, weights),
    }


def _activation_ratio(x, weights):
    first = _sigmoid(x @ weights[0])
    last = functools.reduce(lambda h, w: _sigmoid(h @ w), weights, x)
    return np.linalg.norm(first) / np.linalg.norm(last)


def _relu_survives(x, weights):
    """Whether a ReLU network passes anything on, so that its ratio is a number."""
    h = functools.reduce(lambda h, w: np.maximum(h @ w, 0), weights, x)
    return bool(h.any())


@exercise(
    "4.1",
    "Gradient-norm ratio of a deep sigmoid network",
    aliases=("+4.1",),
    kind="C",
    points=2,
    minutes=15,
    stars=2,
    hints=(
        "You need the gradient with respect to two matrices only: the first and the last. "
        "The ratio of their lengths says how much of the signal reaches the bottom.",
        r"$\|\partial J/\partial W^{(1)}\|_F \,/\, \|\partial J/\partial W^{(L)}\|_F$ with "
        r"$h^{(l)} = \sigma(h^{(l-1)} W^{(l)})$ and $J = \sum h^{(L)}$.",
        "Turn the matrices into variables or watch them, run the loop over layers inside one "
        "tape, ask the tape for the gradients of the list, take two norms and divide.",
    ),
)
def check_gradient_norm_ratio(gradient_norm_ratio, case):
    for depth, rows, width in ((1, 3, 6), (2, 5, 6), (8, 4, 3), (3, 1, 5), (2, 3, 4)):
        x, weights = _sigmoid_network(case, depth, rows, width, rising=(depth, rows) == (2, 3))
        got = _ratio_of(gradient_norm_ratio, x, weights)
        expect_close(
            got,
            _ratio(_layer_gradients(x, weights)[0]),
            given=f"{depth} sigmoid layer{'s' if depth > 1 else ''} of width {width}, {rows} "
            f"row{'s' if rows > 1 else ''}",
            what="gradient_norm_ratio(X, weights)",
            rtol=1e-3,
            atol=1e-9,
            mistakes=_ratio_mistakes(x, weights),
        )
        if depth == 2:
            yield 0.5
    x, deep = case.normal(size=(4, 16)), [case.normal(size=(16, 16)) / 4.0 for _ in range(30)]
    got = _ratio_of(gradient_norm_ratio, x, deep)
    expect(
        got > 0,
        f"Given 30 sigmoid layers of width 16, the ratio is tiny and positive; yours is {got:.3g}. "
        "Squares of such small numbers vanish in float32, and differences vanish in rounding: use "
        "float64, and a tape or the chain rule.",
    )
    expect_close(
        got,
        _ratio(_layer_gradients(x, deep)[0]),
        given="30 sigmoid layers of width 16",
        what="gradient_norm_ratio(X, weights)",
        rtol=1e-2,
        atol=0,
        mistakes=_ratio_mistakes(x, deep),
    )


def _sigmoid_network(case, depth, rows, width, *, rising):
    """Draw a batch and matrices; with `rising` the first gradient is longer than the last."""
    while True:
        x = case.normal(size=(rows, width)) * (6 if rising else 1)
        weights = [case.normal(size=(width, width)) * (0.15 if rising else 0.8)]
        weights += [case.normal(size=(width, width)) * (2 if rising else 0.8)] * (depth > 1)
        weights += [case.normal(size=(width, width)) * 0.8 for _ in range(depth - 2)]
        if not rising or _ratio(_layer_gradients(x, weights)[0]) > 1.5:
            return x, weights


def _ratio_of(gradient_norm_ratio, x, weights):
    """Return the answer's ratio, with a sentence where its tape cannot give the gradients."""
    try:
        got = gradient_norm_ratio(x, weights)
    except AnswerError as error:
        if "'_id'" not in error.message and "NoneType" not in error.message:
            raise
        raise NotYet(
            "The tape knows no path from the matrices to J. `weights` holds NumPy arrays: turn "
            "each into a `tf.Variable` before the tape starts, use these in the loop over the "
            "layers, and ask the tape for the gradients of these."
        ) from None
    return expect_number(got, what="gradient_norm_ratio(X, weights)")


# 5.4.3 --------------------------------------------------------------------------------------


def _turn(case, size):
    return np.linalg.qr(case.normal(size=(size, size)))[0]


def _well_conditioned(case, size):
    """Return a random square matrix with singular values between 0.5 and 2."""
    return _turn(case, size) @ np.diag(case.uniform(0.5, 2.0, size)) @ _turn(case, size)


def _spectral_radius(matrix):
    return float(np.abs(np.linalg.eigvals(matrix)).max())


@exercise(
    "4.2",
    "Bounds for a product of matrices",
    aliases=("5.4.3",),
    kind="C",
    points=3,
    minutes=15,
    stars=2,
    hints=(
        "A matrix stretches no vector by more than its largest singular value, and (when square) "
        "by no less than its smallest. What do several stretches in a row do?",
        r"$\prod_i \sigma_{\min}(A_i) \le \sigma(A_1 \cdots A_k) \le \prod_i \sigma_{\max}(A_i)$. "
        r"For eigenvalues of single factors no such rule holds.",
        "Ask `np.linalg.svd(..., compute_uv=False)` of each matrix and multiply the smallest and "
        "the largest. For the counterexample try matrices whose own eigenvalues are all zero.",
    ),
)
def check_product_bounds(product_bounds, counterexample, case):
    yield Part(2 / 3, lambda: _expect_all_bounds(product_bounds, case))
    yield Part(1 / 3, lambda: _expect_counterexample(counterexample()))


def _expect_all_bounds(product_bounds, case):
    for count, size in ((2, 4), (5, 3), (1, 3), (3, 2)):
        _expect_bounds(product_bounds, [_well_conditioned(case, size) for _ in range(count)])
    turns = [_turn(case, 4) for _ in range(10)]
    expect_close(
        product_bounds(turns),
        np.ones(2),
        given="10 orthogonal matrices",
        what="product_bounds(matrices)",
        rtol=1e-3,
    )


def _expect_bounds(product_bounds, matrices):
    got = product_bounds(matrices)
    expect(
        isinstance(got, (list, tuple, np.ndarray)) and len(got) == 2,
        f"product_bounds must return the pair lower, upper; got {show(got)}.",
    )
    expect(
        bool(np.all(np.isfinite(_as_numbers(got, "product_bounds")))),
        f"product_bounds must return finite numbers; got {show(got)}. They follow from the "
        "singular values of the factors.",
    )
    count, size = len(matrices), len(matrices[0])
    given = f"{count} random {size} x {size} matri{'ces' if count > 1 else 'x'}"
    values = [np.linalg.svd(matrix, compute_uv=False) for matrix in matrices]
    low, high = np.prod([v[-1] for v in values]), np.prod([v[0] for v in values])
    one_by_one = (
        ("the lower bound", low, _lower_mistakes(values)),
        ("the upper bound", high, _upper_mistakes(values)),
    )
    for sentence, pair in _bounds_mistakes(matrices, values).items():
        is_right = np.allclose(pair, [low, high], 1e-3)
        expect(is_right or not np.allclose(got, pair, 1e-3), f"Given {given}: {sentence}")
    one_by_one[1][2][
        "This multiplies 1-norms, the largest column sums; take the largest singular values."
    ] = np.prod([np.linalg.norm(matrix, 1) for matrix in matrices])
    for number, (what, want, mistakes) in zip(got, one_by_one, strict=True):
        expect_close(number, want, given=given, what=what, rtol=1e-3, atol=1e-6, mistakes=mistakes)


def _bounds_mistakes(matrices, values):
    """Pairs that known mistakes give, by the sentence that helps."""
    low, high = np.prod([v[-1] for v in values]), np.prod([v[0] for v in values])
    own = np.linalg.svd(functools.reduce(np.matmul, matrices), compute_uv=False)
    moduli = [np.abs(np.linalg.eigvals(matrix)) for matrix in matrices]
    frobenius = np.prod([np.linalg.norm(matrix) for matrix in matrices])
    mistakes = {
        "These come from eigenvalues, which do not bound a product: use singular values.": [
            np.prod([m.min() for m in moduli]),
            np.prod([m.max() for m in moduli]),
        ],
        "The pair is the wrong way round: lower first.": [high, low],
        "These are squares: eigenvalues of AᵀA are squared singular values; take the root.": [
            low**2,
            high**2,
        ],
    }
    if len(matrices) > 1:
        mistakes |= {
            "A bound is a product over the factors, not a mean.": [
                np.mean([v[-1] for v in values]),
                np.mean([v[0] for v in values]),
            ],
            "These are determinants, the products of all singular values of a factor: take the "
            "smallest and the largest of each.": [
                np.prod([np.prod(v) for v in values]),
                np.prod([np.prod(v) for v in values]),
            ],
            "0 is a lower bound and not the tightest one: multiply the smallest singular value of "
            "each factor.": [0.0, high],
            "The lower number is the reciprocal of the upper one: multiply the smallest singular "
            "value of each factor.": [1 / high, high],
            "Take products of singular values, not sums.": [
                sum(v[-1] for v in values),
                sum(v[0] for v in values),
            ],
            "These are the product's own singular values. A bound is to be found from the "
            "factors, without multiplying them.": [own[-1], own[0]],
            "The smallest and the largest single value of all factors bound no product: multiply "
            "over the factors.": [min(v[-1] for v in values), max(v[0] for v in values)],
            "The lower number is that of the product's own singular values: multiply the smallest "
            "of each factor.": [own[-1], high],
        }
    mistakes[
        "The upper number is a bound, but a loose one: the Frobenius norm counts every direction, "
        "the largest singular value the worst one."
    ] = [low, frobenius]
    return mistakes


def _lower_mistakes(values):
    """Lower bounds that known mistakes give, by the sentence that helps."""
    smallest = [v[-1] for v in values]
    return {
        "These are determinants, the products of all singular values of a factor: take the "
        "smallest of each.": np.prod([np.prod(v) for v in values]),
        "The smallest singular value of all factors is taken for each of them; every factor has "
        "its own.": min(smallest) ** len(values),
        "Only the first two matrices count; multiply over all factors.": np.prod(smallest[:2]),
        "This is the reciprocal: the norm of an inverse is 1 over the smallest singular value.": (
            1 / np.prod(smallest)
        ),
        "This is a geometric mean; the bound is the product itself.": np.prod(smallest)
        ** (1 / len(values)),
        "This is the upper bound: for the lower one take the smallest singular value of each "
        "factor.": np.prod([v[0] for v in values]),
        "This is the reciprocal of the upper bound: multiply the smallest singular values.": 1
        / np.prod([v[0] for v in values]),
    }


def _upper_mistakes(values):
    """Upper bounds that known mistakes give, by the sentence that helps."""
    largest = [v[0] for v in values]
    return {
        "The largest singular value of all factors is taken for each of them; every factor has its "
        "own.": max(largest) ** len(values),
        "Only the first two matrices count; multiply over all factors.": np.prod(largest[:2]),
        "This is the lower bound: for the upper one take the largest singular value of each "
        "factor.": np.prod([v[-1] for v in values]),
    }


def _expect_counterexample(got):
    expect(
        isinstance(got, (list, tuple, np.ndarray)) and len(got) == 2,
        "counterexample must return two square matrices, A and B.",
    )
    a, b = (_as_numbers(matrix, "a matrix from counterexample") for matrix in got)
    expect(
        a.ndim == 2 and a.shape == b.shape and a.shape[0] == a.shape[1],
        f"counterexample must return two square matrices of one size; yours have shapes "
        f"{a.shape} and {b.shape}.",
    )
    expect(np.isfinite(a).all() and np.isfinite(b).all(), "Every entry must be a finite number.")
    together, alone = _spectral_radius(a @ b), _spectral_radius(a) * _spectral_radius(b)
    if np.allclose(a, a.T) and np.allclose(b, b.T):
        why = "Both of your matrices are symmetric; for those no counterexample exists."
    elif np.allclose(a @ b, b @ a):
        why = "Your matrices commute, A B = B A; for those no counterexample exists."
    else:
        why = "Try matrices whose own eigenvalues are zero."
    expect(
        together > 1.01 * alone + 1e-6,
        f"The largest eigenvalue of A B has modulus {together:.3g}, and those of A and B multiply "
        f"to {alone:.3g}: the product has to be the larger one. {why}",
    )


explanation(
    "4.3",
    "What the bounds say about gradients",
    aliases=("5.4.3-explain",),
    points=2,
    minutes=10,
    stars=2,
    hints=(
        "The gradient of (5.4.2) is a product of layer matrices. Read the two bounds as the most "
        "and the least it can be stretched.",
        "Ask what happens to (1 + a) and (1 - a) to the power L, and which matrices have all "
        "singular values equal to one.",
        "Say what keeps both bounds near one for every depth, and why a good average alone (the "
        "right variance) does not keep the smallest singular value away from zero.",
    ),
    rubric=(
        (
            1,
            "says that all singular values of every layer's matrix must be near one, since the "
            "bounds are products over the depth",
        ),
        (
            1,
            "names a way to it (orthogonal start, the right scale, normalisation, residual "
            "connections), or says that the right variance alone leaves small singular values",
        ),
    ),
)


# 5.4.1 --------------------------------------------------------------------------------------


def _random_weights(case, inputs=4, hidden=5, outputs=6):
    return [
        case.normal(size=(inputs, hidden)),
        case.normal(size=hidden),
        case.normal(size=(hidden, outputs)),
        case.normal(size=outputs),
    ]


_SHAPES = "W1 of shape (4, 5), b1 (5,), W2 (5, 6), b2 (6,)"


def _transformed(weights, unit, into, out, *, bias=True):
    w1, b1, w2, b2 = (part.copy() for part in weights)
    w1[:, unit] *= into
    if bias:
        b1[unit] *= into
    w2[unit] *= out
    return [w1, b1, w2, b2]


def _judge_transform(got, weights, unit, into, out, network, case, *, call, verb):
    """Judge one transformed set of weights: shapes, the unit, its neighbours, its outputs."""
    parts = _as_arrays(got, 4, call)
    for part, before, name in zip(parts, weights, ("W1", "b1", "W2", "b2"), strict=True):
        expect_shape(part, before.shape, given=f"unit {unit}", what=f"{name} from {call}")
    _expect_unit_changed(parts, weights, unit, into, out, f"Given unit {unit} of 5, {call}", verb)
    x = case.normal(size=(7, 4))
    expect_close(
        network(parts, x),
        network(weights, x),
        given=f"7 random rows after {call}",
        what="the network's output with the new weights",
        rtol=1e-3,
        atol=1e-4,
    )


def _expect_unit_changed(parts, weights, unit, into, out, given, verb):
    def same(a, b):
        return np.allclose(a, b, rtol=1e-4, atol=1e-5)

    w1, b1, w2, b2 = parts
    want = _transformed(weights, unit, into, out)
    others = [k for k in range(5) if k != unit]
    expect(
        not all(same(p, w) for p, w in zip(parts, weights, strict=True)),
        f"{given} returned the weights unchanged: {verb} the column of W1 that feeds the unit.",
    )
    expect(
        same(b2, weights[3]), f"{given} changed b2, the output's bias, which belongs to no unit."
    )
    rows = [k for k in range(4) if not same(w1[k], weights[0][k])]
    expect(
        not (len(rows) == 1 and not same(w1[rows[0], others], weights[0][rows[0], others])),
        f"{given} changed row {rows[0] if rows else ''} of W1. In this layout a hidden unit's "
        "incoming weights are a column of W1, not a row.",
    )
    columns = [k for k in range(w2.shape[1]) if not same(w2[:, k], weights[2][:, k])]
    expect(
        not (len(columns) == 1 and not same(w2[others], weights[2][others])),
        f"{given} changed column {columns[0] if columns else ''} of W2. A hidden unit's outgoing "
        "weights are a row of W2, not a column.",
    )
    moved = [k for k in others if not same(w1[:, k], weights[0][:, k])]
    moved += [k for k in others if not same(b1[k], weights[1][k])]
    moved += [k for k in others if not same(w2[k], weights[2][k])]
    expect(
        not moved,
        f"{given} changed unit {moved[0] if moved else ''}, too: only the incoming weights, the "
        f"bias and the outgoing weights of unit {unit} may change. `unit` counts from 0.",
    )
    expect(
        not same(w1[:, unit], weights[0][:, unit]),
        f"{given} left column {unit} of W1 as it was: {verb} what goes into the unit, its incoming "
        "weights and its bias.",
    )
    inverse = into != out and same(w1[:, unit], weights[0][:, unit] * out)
    expect(
        not inverse,
        f"{given} divides what goes into the unit by the factor: multiply it, and divide the "
        "outgoing weights.",
    )
    expect_close(
        w1[:, unit],
        want[0][:, unit],
        given=f"unit {unit} of 5",
        what=f"column {unit} of W1",
        rtol=1e-4,
        atol=1e-5,
        mistakes={}
        if into == out
        else {
            "the factor is cut off to a whole number.": weights[0][:, unit] * int(into),
            "that is the root of the factor: multiply what goes in by the whole factor.": (
                weights[0][:, unit] * into**0.5
            ),
            "the factor is added; multiply by it.": weights[0][:, unit] + into,
        },
    )
    expect(
        same(b1[unit], want[1][unit]),
        f"{given} did not {verb} the unit's bias: it is part of what goes into the unit, like "
        "the weights.",
    )
    expect(
        not same(w2[unit], weights[2][unit]),
        f"{given} left row {unit} of W2 as it was: the change of the unit has to be undone on "
        "the way out.",
    )
    expect(
        not same(w2[unit], weights[2][unit] * into) or into == out,
        f"{given} multiplied the outgoing row by the same factor as the incoming column: it has "
        "to be divided by it.",
    )
    expect_close(
        w2[unit],
        want[2][unit],
        given=f"unit {unit} of 5",
        what=f"row {unit} of W2",
        rtol=1e-4,
        atol=1e-5,
    )


@exercise(
    "4.4",
    "Two more symmetries",
    aliases=("5.4.1",),
    kind="C",
    points=3,
    minutes=20,
    stars=2,
    hints=(
        "Change what goes into one hidden unit in a way that the activation passes on, and undo "
        "the change where the unit's output is used.",
        r"$\tanh(-z) = -\tanh(z)$; and $\max(0, c z) = c \max(0, z)$ for $c > 0$.",
        "Copy the four arrays. Column `unit` of W1 and entry `unit` of b1 get one factor, row "
        "`unit` of W2 gets its inverse. Refuse a factor that is not positive.",
    ),
)
def check_symmetries(flip_unit, rescale_unit, case):
    yield Part(0.5, lambda: _expect_flip(flip_unit, case))
    yield Part(0.5, lambda: _expect_rescale(rescale_unit, case))


def _expect_flip(flip_unit, case):
    for unit in (int(case.integers(1, 4)), 0, 4):
        weights = _random_weights(case)
        call = f"flip_unit(weights, {unit})"
        with naming(f"{call}, {_SHAPES}"):
            got = flip_unit(weights, unit)
        _judge_transform(
            got, weights, unit, -1.0, -1.0, _tanh_network, case, call=call, verb="negate"
        )


def _expect_rescale(rescale_unit, case):
    for unit, low, high in ((int(case.integers(0, 5)), 2, 4), (int(case.integers(0, 5)), 0.2, 0.6)):
        weights, factor = _random_weights(case), round(float(case.uniform(low, high)), 2)
        call = f"rescale_unit(weights, {unit}, {factor})"
        with naming(f"{call}, where the factor is positive, {_SHAPES}"):
            got = rescale_unit(weights, unit, factor)
        _judge_transform(
            got, weights, unit, factor, 1 / factor, _relu_network, case, call=call, verb="scale"
        )
    for factor in (-2.0, 0.0):
        expect_raises(
            ValueError,
            lambda factor=factor: _named(rescale_unit(weights, 1, factor)),
            given=f"factor {factor} (ReLU passes on positive factors only)",
        )


class _named:
    """What came back, under a name that fits into a sentence."""

    def __init__(self, got):
        self.got = got

    def __repr__(self):
        return "None" if self.got is None else "new weights"


explanation(
    "4.5",
    "Which symmetries a network has",
    aliases=("5.4.1-explain",),
    points=2,
    minutes=10,
    stars=2,
    hints=(
        "A symmetry is a change of the weights that the outputs cannot see. Which changes can a "
        "tanh unit hide? Which a ReLU unit?",
        "Permuting units is one. Find the property of each activation that gives another, and "
        "ask whether gradient descent leaves such a symmetric point by itself.",
        "Three sentences: the sign of a tanh unit, the scale of a ReLU unit, and why a constant "
        "start is harmful although these two symmetries are not.",
    ),
    rubric=(
        (1, "names a symmetry besides permutation, with the property of the activation behind it"),
        (
            1,
            "says that harm comes from starting where units are equal, since equal units get "
            "equal gradients; random starts (or dropout) break it",
        ),
    ),
)


# 5.4.2 --------------------------------------------------------------------------------------


def _linear_descent(x, y, constant, learning_rate, steps, *, variant=""):
    """Return w and b after gradient descent, with the one mistake that `variant` names."""
    w = np.full(x.shape[1], 0.0 if variant in ("zero", "zero weights") else float(constant))
    b = 0.0 if variant in ("zero", "zero bias") else float(constant)
    factor = (1.0 if variant == "half" else 2.0) / (1 if variant == "sum" else len(y))
    sign = 1.0 if variant == "climb" else -1.0
    for _ in range(steps):
        if variant == "row by row":
            for row, target in zip(x, y, strict=True):
                error = row @ w + b - target
                w, b = w - learning_rate * 2 * error * row, b - learning_rate * 2 * error
            continue
        error = x @ w + b - y
        w = w + sign * learning_rate * factor * (x.T @ error)
        if variant == "one after the other":
            error = x @ w + b - y
        if variant != "fixed bias":
            b = b + sign * learning_rate * factor * error.sum()
    return w, b


def _softmax_descent(x, labels, classes, constant, learning_rate, steps, *, variant=""):
    """Return W and b after gradient descent, with the one mistake that `variant` names."""
    zero_w, zero_b = variant in ("zero", "zero weights"), variant in ("zero", "zero bias")
    w = np.full((x.shape[1], classes), 0.0 if zero_w else float(constant))
    b = np.full(classes, 0.0 if zero_b else float(constant))
    count = {
        "sum": 1,
        "classes": len(labels) * classes,
        "factor": len(labels) / 2,
        "double": len(labels) * 2,
    }
    sign = 1.0 if variant == "climb" else -1.0

    def error():
        logits = x @ w + b
        axis = 0 if variant == "axis" else 1
        p = np.exp(logits - logits.max(axis=axis, keepdims=True))
        p /= p.sum(axis=axis, keepdims=True)
        outputs = {"no softmax": logits, "squares": 2 * logits, "sigmoid": _sigmoid(logits)}
        weight = 2 if variant == "squares" else 1
        return outputs.get(variant, p) - weight * np.eye(classes)[labels]

    for _ in range(steps):
        gap = error()
        scale = sign * learning_rate / count.get(variant, len(labels))
        w = w + scale * (x.T @ gap)
        if variant == "one after the other":
            gap = error()
        if variant != "fixed bias":
            step = scale * gap.sum(axis=0)
            b = b + (step / len(labels) if variant == "bias mean" else step)
    return w, b


_DESCENT_MISTAKES = {
    "sum": "The gradient is a sum over the rows: divide it by their number.",
    "climb": "These steps climb: subtract the gradient.",
    "fixed bias": "The bias never moved from its start.",
    "zero": "This is the result of a start at zero: start every weight and every bias at the "
    "constant.",
    "zero weights": "The weights start at zero here; they start at the constant, like the bias.",
    "zero bias": "The bias starts at zero here; it starts at the constant, like the weights.",
}
_AFTER = (
    "The bias's gradient is taken after the weights have moved: both gradients of a step belong to "
    "the same prediction."
)
_LINEAR_MISTAKES = _DESCENT_MISTAKES | {
    "one after the other": _AFTER,
    "half": "The gradient lacks its factor 2: the loss here is the mean of squares, without a "
    "half.",
    "row by row": "This updates after each row. A step takes the gradient over all rows together.",
}
_SOFTMAX_MISTAKES = _DESCENT_MISTAKES | {
    "axis": "The softmax runs over the rows here: each row's probabilities add up to 1 over the "
    "classes, axis 1.",
    "one after the other": _AFTER,
    "sigmoid": "These are sigmoids of the logits; take the softmax over each row.",
    "squares": "This is descent on squared errors of the logits; the loss is the cross-entropy of "
    "their softmax.",
    "bias mean": "The gradient of the bias is divided by the number of rows twice.",
    "no softmax": "The error compares logits with one-hot labels: take the softmax of the logits "
    "first.",
    "classes": "The gradient is divided by the number of classes, too: the mean of the "
    "cross-entropy runs over the rows alone.",
    "double": "This is half of the gradient: with P - Y no factor 1/2 is needed.",
    "factor": "This is twice the gradient: the cross-entropy has no square, so there is no "
    "factor 2.",
}


def _descent_mistakes(descent, sentences, *data, constant, learning_rate, steps):
    """Flattened results of known mistakes, by the sentence that helps."""
    wrong = {
        sentence: _flat(descent(*data, constant, learning_rate, steps, variant=variant))
        for variant, sentence in sentences.items()
    }
    for count, words in ((steps - 1, "one too few"), (steps + 1, "one too many")):
        sentence = f"These are {count} steps, {words}; `steps` says how many updates there are."
        wrong[sentence] = _flat(descent(*data, constant, learning_rate, count))
    wrong[f"The learning rate {learning_rate} is not used: these are steps with 0.1."] = _flat(
        descent(*data, constant, 0.1, steps)
    )
    return wrong


def _flat(pair):
    return np.concatenate([np.ravel(np.asarray(part, dtype=float)) for part in pair])


@exercise(
    "4.6",
    "A constant start for linear and softmax regression",
    aliases=("5.4.2",),
    kind="C",
    points=3,
    minutes=20,
    stars=2,
    hints=(
        "Write plain gradient descent twice. The only new thing is the start: every weight and "
        "every bias holds the same number.",
        r"Mean squared error: $\nabla_w = \frac{2}{n} X^\top(\hat y - y)$. Softmax with "
        r"cross-entropy: $\nabla_W = \frac{1}{n} X^\top (P - Y)$, $Y$ one-hot.",
        "Fill w and b with the constant, loop over the steps: prediction, error, two gradients, "
        "two updates. For softmax subtract each row's largest logit before exp.",
    ),
)
def check_constant_fits(fit_linear, fit_softmax, case):
    yield Part(0.5, lambda: _expect_linear_fit(fit_linear, case))
    yield Part(0.5, lambda: _expect_softmax_fit(fit_softmax, case))


def _expect_linear_fit(fit_linear, case):
    for rows, columns in ((40, 3), (25, 1)):
        _expect_linear_steps(fit_linear, rows, columns, case)
    _expect_least_squares(fit_linear, case)


def _expect_softmax_fit(fit_softmax, case):
    # In the second data set no row has the last of the classes.
    for rows, columns, classes, labelled in ((30, 5, 4, 4), (24, 2, 4, 3)):
        data = _softmax_data(rows, columns, labelled, case)
        _expect_softmax_steps(fit_softmax, *data, classes, case)
    _expect_shifted_softmax(fit_softmax, case)


def _settings(case):
    """Draw a start, a learning rate and a small number of steps."""
    constant = round(float(case.uniform(0.2, 0.9)), 2) * int(case.choice([-1, 1]))
    rate, steps = round(float(case.uniform(0.03, 0.15)), 3), int(case.integers(3, 7))
    words = f"constant {constant}, learning rate {rate}, {steps} steps"
    return {"constant": constant, "learning_rate": rate, "steps": steps}, words


def _pair(got, what):
    expect(isinstance(got, (list, tuple)) and len(got) == 2, f"{what} must return a pair.")
    return [_as_numbers(part, f"a part of what {what} returns") for part in got]


def _expect_linear_steps(fit_linear, rows, columns, case):
    x = case.normal(size=(rows, columns))
    y = x @ case.normal(size=columns) + 0.7 + 0.1 * case.normal(size=rows)
    settings, words = _settings(case)
    w, b = _pair(fit_linear(x, y, *settings.values()), "fit_linear")
    expect(
        not (w.size == 1 != columns and b.shape == (columns,)),
        "The pair from fit_linear is the wrong way round: w first, then b.",
    )
    expect_shape(w, (columns,), given=f"X of shape {x.shape}", what="w from fit_linear")
    expect(b.size == 1, f"b from fit_linear must be one number; it has shape {b.shape}.")
    solution = np.linalg.lstsq(np.column_stack([x, np.ones(rows)]), y, rcond=None)[0]
    expect(
        not np.allclose(_flat((w, b)), solution, rtol=1e-3),
        f"Given {words}: these are the least-squares weights, which descent reaches after many "
        "steps only. Take as many steps as `steps` says.",
    )
    expect_close(
        _flat((w, b)),
        _flat(_linear_descent(x, y, **settings)),
        given=f"{rows} rows, {columns} columns, {words}",
        what="the array of w and b from fit_linear",
        rtol=1e-4,  # few steps: float32 is off by 1e-6
        atol=1e-5,
        mistakes=_descent_mistakes(_linear_descent, _LINEAR_MISTAKES, x, y, **settings),
    )


def _expect_least_squares(fit_linear, case):
    x = case.normal(size=(40, 3))
    y = x @ case.normal(size=3) + 0.7 + 0.1 * case.normal(size=40)
    solution = np.linalg.lstsq(np.column_stack([x, np.ones(40)]), y, rcond=None)[0]
    for constant in (0.0, -2.0):
        expect_close(
            _flat(_pair(fit_linear(x, y, constant, 0.1, 250), "fit_linear")),
            solution,
            given=f"constant {constant} and 250 steps",
            what="the array of w and b from fit_linear (after so many steps it is the "
            "least-squares solution, whatever the start)",
            rtol=1e-2,
            atol=1e-2,
        )


def _softmax_data(rows, columns, classes, case):
    labels = np.concatenate([np.arange(classes), case.integers(0, classes, size=rows - classes)])
    return case.normal(size=(rows, columns)) + labels[:, None] * 0.3, labels


def _expect_softmax_steps(fit_softmax, x, labels, classes, case):
    (rows, columns), used = x.shape, len(np.unique(labels))
    settings, words = _settings(case)
    w, b = _pair(fit_softmax(x, labels, classes, *settings.values()), "fit_softmax")
    given = f"X of shape {x.shape} and {classes} classes"
    given += f", of which {used} occur in the labels" if used < classes else ""
    expect_shape(w, (columns, classes), given=given, what="W from fit_softmax")
    expect_shape(b, (classes,), given=f"{classes} classes", what="b from fit_softmax")
    expect_close(
        _flat((w, b)),
        _flat(_softmax_descent(x, labels, classes, **settings)),
        given=f"{rows} rows, {columns} columns, {classes} classes, {words}",
        what="the array of all W and b from fit_softmax",
        rtol=1e-4,  # few steps: float32 is off by 1e-6
        atol=1e-5,
        mistakes=_descent_mistakes(
            _softmax_descent, _SOFTMAX_MISTAKES, x, labels, classes, **settings
        ),
    )


def _expect_shifted_softmax(fit_softmax, case):
    x, labels = _softmax_data(30, 5, 4, case)
    low, high = (
        _flat(_pair(fit_softmax(x, labels, 4, start, 0.2, 20), "fit_softmax"))
        for start in (0.0, 5.0)
    )
    expect_close(
        high - 5.0,
        low,
        given="starts at constant 5 and at constant 0, 20 steps each",
        what="the array of W and b from 5, less 5 (softmax cannot see a number that is added to "
        "all logits, so both starts take the same steps)",
        rtol=1e-2,
        atol=1e-3,
    )


def _accuracy(value, name):
    number = expect_number(value, what=name)
    expect(
        0.0 <= number <= 1.0,
        f"{name} should be an accuracy between 0 and 1; it is {number:.4g}. "
        + (
            "Divide a percentage by 100."
            if number > 10
            else "`model.evaluate` returns the loss first, and then the accuracy."
        ),
    )
    return number


@exercise(
    "4.7",
    "A constant start, with and without a hidden layer",
    aliases=("5.4.2-experiment",),
    kind="X",
    points=2,
    minutes=20,
    stars=2,
    hints=(
        "Four short trainings: softmax regression and an MLP, each from a constant and from "
        "Glorot's uniform start. Only the start may differ within a pair.",
        "A softmax regression has no hidden units that could be equal. An MLP from a constant "
        r"start computes $O = h v^\top$: one number $h$ for each image.",
        'In the function: choose `keras.initializers.Constant(0.01)` or `"glorot_uniform"`, then '
        "`models.mlp(hidden_units, kernel_initializer=..., seed=seed)`, compile, `training.fit`, "
        "and return the model with `model.evaluate(test_X, test_y, verbose=0)[1]`.",
    ),
)
def check_constant_start(train_from, constant_start, case):
    drawn, table = int(case.integers(1, 1000)), constant_start.value
    seed = table["seed"] if isinstance(table, dict) and _is_seed(table.get("seed")) else drawn
    runs = {
        (name, start): _trained(train_from, start, units, seed)
        for name, units in (("mlp", (64,)), ("softmax", ()))
        for start in _STARTS
    }
    _expect_units(runs["mlp", "constant"], runs["mlp", "glorot"])
    for (name, start), run in runs.items():
        _expect_start(f"train_from({start!r}, {_UNITS[name]}, {seed})", run, start)
    other = _trained(train_from, "glorot", (), seed + 1)
    expect(
        not np.allclose(runs["softmax", "glorot"].weights[0], other.weights[0]),
        f"train_from('glorot', (), seed) gives the same weights for the seeds {seed} and "
        f"{seed + 1}: pass the seed on to `models.mlp`.",
    )
    yield 0.5
    _expect_start_table(table, runs)


_STARTS = ("constant", "glorot")
_UNITS = {"mlp": "(64,)", "softmax": "()"}
# Trains, and looks at what came back on the images of the page: the accuracy, and the weights of
# the pixels that are dark in nearly every image, which training leaves near their start.
_TRAIN = """
from helpers import data
found = train_from(start, hidden_units, seed)
pair = list(found) if isinstance(found, (tuple, list)) else [found]
result = {"kinds": [type(each).__name__ for each in pair]}
if len(pair) == 2 and hasattr(pair[0], "get_weights"):
    images = data.load_fashion_mnist()
    rows = images.test_images[:2000].reshape(-1, 784).astype("float32") / 255
    classes = np.asarray(pair[0](rows)).argmax(axis=-1)
    light = images.train_images[:10_000].reshape(-1, 784).mean(axis=0)
    result |= {
        "weights": [np.asarray(weight) for weight in pair[0].get_weights()],
        "accuracy": pair[1],
        "measured": float((classes == images.test_labels[:2000]).mean()),
        "dark": np.argsort(light)[:10],
    }
"""


def _is_seed(value):
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31


class _Trained:
    """A model that an answer trained, and the test accuracy it came with."""

    def __init__(self, weights, accuracy, dark):
        self.weights = [np.asarray(weight) for weight in weights]
        self.accuracy = accuracy
        self.dark = self.weights[0][np.asarray(dark)]


def _trained(train_from, start, hidden_units, seed):
    """Run the answer's training, and measure what it gives back."""
    call = f"train_from({start!r}, {hidden_units}, {seed})"
    got = train_from.evaluate(_TRAIN, start=start, hidden_units=hidden_units, seed=seed)
    expect(
        "weights" in got,
        f"{call} should return a Keras model and its test accuracy, in this order; it returned "
        f"{' and '.join(got['kinds'])}.",
    )
    accuracy = _accuracy(got["accuracy"], f"the accuracy from {call}")
    sizes = [784, *hidden_units, 10]
    wanted = [(i, o) for i, o in zip(sizes, sizes[1:], strict=False)]
    kernels = [np.shape(weight) for weight in got["weights"] if np.ndim(weight) == 2]
    expect(
        kernels == wanted,
        f"{call} should return a model with kernels of shapes {wanted}; it has {kernels}.",
    )
    expect(
        abs(accuracy - got["measured"]) < 0.003,
        f"{call} returns the accuracy {accuracy:.4f}, and its model gets {got['measured']:.4f} of "
        "the test images right. Evaluate the trained model on `test_X` and `test_y`.",
    )
    return _Trained(got["weights"], accuracy, got["dark"])


def _expect_units(constant, glorot):
    """The equal hidden units of a constant start, and the different ones of Glorot's."""
    first = constant.weights[0]
    spread = float(np.ptp(first, axis=1).max())
    expect(
        spread < 1e-3,
        "After training from the constant start the 64 hidden units should still be equal; their "
        f"weights differ by up to {spread:.2g}. Are both kernels Constant(0.01), and is there no "
        "dropout?",
    )
    expect(
        np.ptp(first) > 1e-3,
        f"The kernel of the model from the constant start is still {first.flat[0]:.3g} everywhere. "
        + (
            "A start at zero shuts every ReLU; start at 0.01."
            if abs(first.flat[0]) < 1e-6
            else "It was returned before it was trained."
        ),
    )
    expect(
        np.ptp(glorot.weights[0], axis=1).max() > 1e-2,
        "The model from Glorot's start has equal hidden units, so it did not start there.",
    )
    _expect_learned("an MLP", glorot.accuracy)
    expect(
        glorot.accuracy - constant.accuracy > 0.1,
        "An MLP from a constant start works as one hidden unit and loses more than 0.1 of "
        f"accuracy; yours reach {constant.accuracy:.3f} and {glorot.accuracy:.3f}.",
    )


def _expect_start(call, run, start):
    """Judge the start by the weights of dark pixels."""
    if start == "constant":
        middle = float(np.median(run.dark))
        expect(
            abs(middle - 0.01) < 4e-3,
            f"{call}: the weights of pixels that are dark in every image are near {middle:.3g} "
            "after training, so they did not start at 0.01.",
        )
        return
    limit, widest = (6 / sum(run.weights[0].shape)) ** 0.5, float(np.abs(run.dark).max())
    expect(
        0.85 * limit < widest < 1.12 * limit,
        f"{call}: the weights of pixels that are dark in every image reach {widest:.3g} after "
        f"training; Glorot's uniform start reaches {limit:.3g}. Is it 'glorot_uniform'?",
    )


def _expect_learned(what, accuracy):
    expect(
        accuracy > 0.55,
        f"From Glorot's start {what} reaches {accuracy:.3f} only; more than 0.55 is expected on "
        "ten kinds of clothes. Train on all of `train_X` for five epochs with learning rate 0.1, "
        "with logits as outputs (from_logits=True), and evaluate on `test_X` and `test_y`.",
    )


def _expect_start_table(table, runs):
    """Compare the table with what its function gives for its seed."""
    expect(isinstance(table, dict), "`constant_start` must be a dict of dicts.")
    for key in ("softmax", "mlp", "distinct_units"):
        for start in _STARTS:
            expect(
                isinstance(table.get(key), dict) and start in table[key],
                f"`constant_start` lacks the entry [{key!r}][{start!r}].",
            )
    expect(
        _is_seed(table.get("seed")),
        "`constant_start` needs the seed that its runs had, a whole number, under 'seed'; it has "
        f"{show(table.get('seed'))}.",
    )
    for (name, start), run in runs.items():
        entry = f"constant_start[{name!r}][{start!r}]"
        score = _accuracy(table[name][start], entry)
        expect(
            abs(score - run.accuracy) < 0.01,
            f"{entry} is {score:.4f}, and train_from({start!r}, {_UNITS[name]}, {table['seed']}) "
            f"returns {run.accuracy:.4f}. Fill the table by calling it, and pass the seed on to "
            "the model and to `training.fit`.",
        )
    for start, wanted in (("constant", 1), ("glorot", 64)):
        count = expect_number(
            table["distinct_units"][start], what=f"constant_start['distinct_units'][{start!r}]"
        )
        expect(
            count == wanted,
            f"constant_start['distinct_units'][{start!r}] is {count:g}; the trained MLP has "
            f"{wanted}. Count with `distinct_units(model)`.",
        )


# 4.8, 4.9 ---------------------------------------------------------------------------------


@exercise(
    "4.8",
    "Xavier's variance and uniform bound",
    aliases=("+4.2",),
    kind="C",
    points=1,
    minutes=5,
    stars=1,
    hints=(
        "The forward pass asks for one variance and the backward pass for another: Xavier takes "
        "the compromise. A uniform distribution's variance follows from its bound.",
        r"$\sigma^2 = 2 / (n_\mathrm{in} + n_\mathrm{out})$; a variable uniform on $(-a, a)$ has "
        r"variance $a^2 / 3$.",
        "Each function is one line. In the second, solve a squared over three equals the variance "
        "for a.",
    ),
)
def check_xavier(xavier_variance, xavier_bound, case):
    sizes = [(784, 256), (3, 3)] + [tuple(map(int, case.integers(1, 900, 2))) for _ in range(3)]
    yield Part(0.5, lambda: _expect_variance(xavier_variance, sizes))
    yield Part(0.5, lambda: _expect_bound(xavier_bound, sizes))


def _expect_variance(xavier_variance, sizes):
    for fan_in, fan_out in sizes:
        given = f"fan-in {fan_in}, fan-out {fan_out}"
        variance = 2.0 / (fan_in + fan_out)
        mistakes = {
            "This is the standard deviation: the variance is its square.": variance**0.5,
            "This looks at the fan-in alone; Xavier takes the mean of both.": 1.0 / fan_in,
            "This looks at the fan-out alone; Xavier takes the mean of both.": 1.0 / fan_out,
            "The factor 2 is missing: it comes from the mean of the two fans.": variance / 2,
            "This is He's variance, for ReLU.": 2.0 / fan_in,
            "This is the bound of the uniform distribution: the variance is a third of its "
            "square.": (3 * variance) ** 0.5,
            "This divides by the product of the fans; Xavier divides by their sum.": 2.0
            / (fan_in * fan_out),
            "The result is cut off to a whole number: `/` divides, `//` cuts off.": 0.0,
            "Only the fan-in is below the 2: put parentheses around the sum.": 2.0 / fan_in
            + fan_out,
            "This is the mean of the variances 1 / fan-in and 1 / fan-out. Xavier takes the mean "
            "of the fans: half of their sum, times the variance, is 1.": (1 / fan_in + 1 / fan_out)
            / 2,
            "This is the geometric mean of the fans; Xavier takes half of their sum.": 1.0
            / (fan_in * fan_out) ** 0.5,
        }
        expect_close(
            expect_number(xavier_variance(fan_in, fan_out), what="`xavier_variance`"),
            variance,
            given=given,
            what="xavier_variance(fan_in, fan_out)",
            rtol=1e-5,
            mistakes={} if fan_in == fan_out else mistakes,
        )


def _expect_bound(xavier_bound, sizes):
    for fan_in, fan_out in sizes:
        given = f"fan-in {fan_in}, fan-out {fan_out}"
        bound = (6.0 / (fan_in + fan_out)) ** 0.5
        expect_close(
            expect_number(xavier_bound(fan_in, fan_out), what="`xavier_bound`"),
            bound,
            given=given,
            what="xavier_bound(fan_in, fan_out)",
            rtol=1e-5,
            mistakes={
                "This is the standard deviation. A uniform variable reaches further: its bound "
                "is the root of three times the variance.": (bound**2 / 3) ** 0.5,
                "The square root is missing.": bound**2,
                "The root belongs over the whole fraction, 6 / (fan-in + fan-out).": 6**0.5
                / (fan_in + fan_out),
                "A bound is a positive number; the distribution reaches from -a to a.": -bound,
                "This is the width of the whole interval: the bound is half of it.": 2 * bound,
                "The 12 belongs to the width of the interval, 2a: the variance is a**2 / 3.": (
                    bound * 2**0.5
                ),
                "The root is taken of 6 / fan_in + fan_out: put parentheses around the sum.": (
                    (6.0 / fan_in + fan_out) ** 0.5
                ),
                "This is the root of three times half the variance: use 2 / (fan-in + fan-out).": (
                    bound / 2**0.5
                ),
            }
            | (
                {}
                if fan_in == fan_out
                else {
                    "This looks at the fan-in alone; Xavier's variance contains both fans.": (
                        6.0 / fan_in
                    )
                    ** 0.5,
                    "This belongs to the variance 1 / fan-in; Xavier's contains both fans.": (
                        3.0 / fan_in
                    )
                    ** 0.5,
                }
            ),
        )


@exercise(
    "4.9",
    "He's initialization",
    aliases=("+4.3",),
    kind="C",
    points=2,
    minutes=10,
    stars=1,
    hints=(
        "ReLU throws away half of the mean square. Which variance of the weights makes up for it?",
        r"$n_\mathrm{in}\,\sigma^2 / 2 = 1$.",
        "Make a seeded generator, draw normal numbers of shape (fan_in, fan_out), multiply by "
        "the standard deviation.",
    ),
)
def check_he_weights(he_weights, case):
    seed = int(case.integers(1, 10_000))
    weights = _expect_he(he_weights, 450, 200, seed)
    yield 0.5
    expect(
        np.array_equal(weights, _as_numbers(he_weights(450, 200, seed), "he_weights")),
        f"Given seed {seed} twice, the weights differ: make the generator from the seed.",
    )
    for other in (seed + 1, seed + 1000):
        again = _as_numbers(he_weights(450, 200, other), "he_weights")
        expect(
            not np.allclose(weights, again),
            f"Given seeds {seed} and {other}, the weights are the same: the seed is not used.",
        )
    # A far seed: the generators of TensorFlow draw the same stream, moved, from neighbouring ones.
    again = _as_numbers(he_weights(450, 200, seed + 1_000_003), "he_weights")
    related = np.abs(np.corrcoef(weights.ravel(), again.ravel())[0, 1])
    sizes = [np.sort(np.abs(each), axis=None) for each in (weights, again)]
    expect(
        related < 0.5 and not np.allclose(*sizes, rtol=1e-3, atol=1e-4 * weights.std()),
        f"Given seeds {seed} and {seed + 1_000_003}, the weights hold the same numbers, moved or "
        "changed a little: make a generator from the seed, and draw from it.",
    )
    _expect_he(he_weights, 64, 900, seed)
    _expect_he(he_weights, 900, 200, seed + 2)


def _expect_he(he_weights, fan_in, fan_out, seed):
    """Judge shape, mean, spread, form and independence of one draw."""
    given = f"fan-in {fan_in}, fan-out {fan_out}, seed {seed}"
    got = he_weights(fan_in, fan_out, seed)
    expect_shape(got, (fan_in, fan_out), given=given, what="he_weights(fan_in, fan_out, seed)")
    weights = _as_numbers(got, "he_weights(fan_in, fan_out, seed)")
    expect(np.isfinite(weights).all(), "he_weights must return finite numbers.")
    expect(
        weights.std() > 0,
        f"he_weights returned {weights.flat[0]:g} everywhere: "
        + ("the draw is missing." if weights.any() else "the deviation is 0. `//` cuts off."),
    )
    edge = np.isclose(np.abs(weights), np.abs(weights).max(), rtol=1e-6).mean()
    expect(
        not 0.01 < edge < 0.9,
        f"Given {given}: {100 * edge:.0f} % of the weights sit at the largest value, so the draw "
        "is clipped. Normal numbers have no bound.",
    )
    with np.errstate(invalid="ignore"):
        repeated = max(
            np.abs(np.corrcoef(side) - np.eye(len(side))).max() for side in (weights, weights.T)
        )
    expect(
        repeated < 0.8,
        f"Given {given}: rows or columns of the weights repeat each other, so units start equal. "
        "Draw every weight on its own.",
    )
    deviation = (2.0 / fan_in) ** 0.5
    expect(
        abs(weights.mean()) < 0.05 * weights.std(),
        f"Given {given}: the mean of the weights is {weights.mean():.3g}; it must be near 0.",
    )
    expect_close(
        weights.std(),
        deviation,
        given=given,
        what="the standard deviation of he_weights",
        rtol=0.02,
        mistakes={
            "a normal distribution that is cut off at two deviations is too narrow: Keras's "
            "HeNormal makes up for it, TruncatedNormal does not.": 0.8796 * deviation,
            "the root belongs over the whole fraction: the deviation is the root of 2 / fan_in.": 2
            / fan_in**0.5,
            "the root belongs over the whole fraction, sqrt(2 / fan_in).": 2**0.5 / fan_in,
            "the scale given to the generator is the variance; it wants the standard deviation, "
            "its square root.": deviation**2,
            "the factor 2 that makes up for ReLU is missing.": (1.0 / fan_in) ** 0.5,
            "this divides by the fan-out: the sum in a unit runs over its inputs.": (2.0 / fan_out)
            ** 0.5,
            "this is Xavier's deviation; He looks at the fan-in alone.": (2.0 / (fan_in + fan_out))
            ** 0.5,
            "the deviation is 1: multiply by the root of 2 / fan_in.": 1.0,
            "this is the deviation for 784 inputs: use the argument `fan_in`.": (2.0 / 784) ** 0.5,
        },
    )
    within = float((np.abs(weights) < weights.std()).mean())
    expect(
        0.62 < within < 0.72,
        f"Given {given}: the variance is right, and {within:.3f} of the numbers are within one "
        "standard deviation. For normal numbers it is 0.68, for uniform ones 0.58: draw normal "
        "ones.",
    )
    return weights


# 4.10 ---------------------------------------------------------------------------------------

_ACTIVATIONS = {  # tanh first: it tells mistakes apart that look alike for the identity
    "tanh": ("lambda v: np.tanh(v)", np.tanh),
    "the identity": ("lambda v: v * 1.0", lambda v: v),
    "ReLU": ("lambda v: np.maximum(v, 0.0)", lambda v: np.maximum(v, 0.0)),
    "the sigmoid": ("lambda v: 1.0 / (1.0 + np.exp(-np.asarray(v)))", _sigmoid),
}


def _gaussian_mean(function, variance=1.0):
    """Return the mean of function(z) for z normal with mean 0: a sum on a fine grid."""
    z = np.linspace(-9.0, 9.0, 20_001)
    density = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    return float(np.sum(function(np.sqrt(variance) * z) * density) * (z[1] - z[0]))


def _variances(activation, fan_in, scale, layers=20):
    """Return the expected pre-activation variance after each layer, from variance 1."""
    history = [1.0]
    for _ in range(layers):
        square = _gaussian_mean(lambda z: activation(z) ** 2, history[-1])
        history.append(fan_in * scale**2 * square)
    return np.array(history[1:])


@exercise(
    "4.10",
    "The scale that keeps the variance",
    aliases=("+4.4",),
    kind="C",
    points=3,
    minutes=25,
    stars=3,
    hints=(
        "Write the variance of a unit's input in one layer through the mean square of what comes "
        "out of the activation one layer below, and ask that it stay 1.",
        r"$1 = n_\mathrm{in}\,\sigma^2\,\mathrm{E}[\phi(z)^2]$ with $z \sim N(0, 1)$: the mean of "
        r"the square, not the variance.",
        "Lay a fine grid over -8..8, weight phi(z) squared with the normal density and sum (or "
        "average ten million normal draws); return one over the root of fan_in times the result.",
    ),
)
def check_choose_scale(choose_scale, case):
    slope, tilt = round(float(case.uniform(0.2, 0.6)), 2), round(float(case.uniform(0.5, 2.0)), 2)
    drawn = {
        f"a leaky ReLU with slope {slope}": (
            f"lambda v: np.where(np.asarray(v) > 0, v, {slope} * np.asarray(v))",
            lambda v: np.where(v > 0, v, slope * v),
        ),
        f"{tilt} tanh": (f"lambda v: {tilt} * np.tanh(v)", lambda v: tilt * np.tanh(v)),
    }
    for name, (source, activation) in (_ACTIVATIONS | drawn).items():
        _expect_scale(choose_scale, name, source, activation, int(case.integers(50, 600)))
        if name == "ReLU":
            yield 0.5


# The activation as the answer meets it: it keeps how many numbers it was asked for, and whether
# they were drawn (in no order) or laid out as a grid.
_WATCHED = """
function, asked = {source}, []

def activation(v):
    z = np.ravel(np.asarray(v, dtype=float))
    asked.append((len(z), bool(len(z) > 3 and (np.diff(z[:1000]) < 0).any()
                               and (np.diff(z[:1000]) > 0).any()),
                  float(np.abs(z).max()) if len(z) else 0.0, float(z.min()) if len(z) else 0.0))
    return function(v)

result = {{"scale": choose_scale(activation, fan_in), "asked": asked[:5000]}}
"""


def _expect_scale(choose_scale, name, source, activation, fan_in):
    got = choose_scale.evaluate(_WATCHED.format(source=source), fan_in=fan_in)
    scale = expect_number(got["scale"], what="choose_scale(activation, fan_in)")
    given = f"Given {name} and fan-in {fan_in}"
    expect(scale > 0, f"{given}: a standard deviation is positive; yours is {scale:.4g}.")
    history = _variances(activation, fan_in, scale)
    if 0.9 <= history.min() and history.max() <= 1.1:
        return
    worst = float(history[np.argmax(np.abs(np.log(np.maximum(history, 1e-300))))])
    words = f"{given}: with the scale {scale:.5g} the variance goes from 1 to {worst:.3g} within "
    words += "20 layers; it must stay between 0.9 and 1.1."
    want = (fan_in * _gaussian_mean(lambda z: activation(z) ** 2)) ** -0.5
    asked = got["asked"]
    expect(
        not asked or min(lowest for *_, lowest in asked) < 0,
        f"{words} Your z are all positive; a normal z is negative half of the time.",
    )
    expect(
        not asked or sum(size for size, *_ in asked) > 4,
        f"{words} Your function looks at the activation at {sum(size for size, *_ in asked)} "
        "point(s). The mean of phi(z)**2 runs over all of z's distribution.",
    )
    for sentence, value in _scale_mistakes(activation, fan_in, got["asked"]).items():
        expect(
            abs(scale - value) > 2e-3 * value or abs(value - want) < 1e-2 * want,
            f"{words} {sentence}",
        )
    raise NotYet(f"{words} {_scale_advice(scale, want, got['asked'])}")


def _scale_mistakes(activation, fan_in, asked):
    square = _gaussian_mean(lambda z: activation(z) ** 2)
    mean = _gaussian_mean(activation)
    want = (fan_in * square) ** -0.5
    uniform = float(np.mean(activation(np.linspace(-1, 1, 2001)) ** 2))
    narrow = _gaussian_mean(lambda z: activation(z) ** 2, 0.5)
    mistakes = {
        "The normal density is exp(-z**2 / 2); yours has no 2.": (fan_in * narrow) ** -0.5,
        "The normal density is exp(-z**2 / 2) / sqrt(2 pi); yours lacks the root.": (
            fan_in * square * np.sqrt(2 * np.pi)
        )
        ** -0.5,
        "This uses the slope of the activation, which counts on the way back. On the way forward "
        "it is the mean of phi(z)**2.": (fan_in * max(_slope_square(activation), 1e-12)) ** -0.5,
        "This uses the root of the mean of |phi(z)|; the variance needs the mean of its square.": (
            fan_in * max(_gaussian_mean(lambda z: np.abs(activation(z))), 1e-12)
        )
        ** -0.5,
        "This is upside down: divide by the root.": (fan_in * square) ** 0.5,
        "This is the variance of the weights: return their standard deviation.": want**2,
        "This keeps the variance of a linear network and takes no notice of the activation.": fan_in
        ** -0.5,
        "This subtracts the mean of the activations. The mean adds to the next layer's "
        "variance too, so the mean square is what counts.": (fan_in * max(square - mean**2, 1e-12))
        ** -0.5,
        "The fan-in is missing: a unit sums over all of its inputs.": square**-0.5,
        "This multiplies by the mean square where it should divide.": (square / fan_in) ** 0.5,
        "This divides by the mean square; a standard deviation has its root.": 1
        / (fan_in**0.5 * square),
        "This uses the mean of |phi(z)|; the variance needs the mean of its square.": 1
        / (fan_in**0.5 * max(_gaussian_mean(lambda z: np.abs(activation(z))), 1e-12)),
        "This averages over a uniform z between -1 and 1; z is normal with variance 1.": (
            fan_in * uniform
        )
        ** -0.5,
        "This divides by the fan-in; a standard deviation has its root.": 1
        / (fan_in * square**0.5),
    }
    if not asked:
        constant = "This is He's scale for every activation: it is right for ReLU only."
        mistakes = {constant: (2 / fan_in) ** 0.5} | mistakes
    return mistakes


def _slope_square(activation):
    """Return the mean square of the activation's slope for a standard normal z."""
    return _gaussian_mean(lambda z: ((activation(z + 1e-6) - activation(z - 1e-6)) / 2e-6) ** 2)


def _scale_advice(scale, want, asked):
    """What to change, from what the activation was asked for."""
    off = f"It is {100 * abs(scale / want - 1):.2g} % off; half a per cent is too much."
    if not asked:
        return "Your function never calls `activation`, on which the scale depends."
    if any(drawn for _, drawn, *_ in asked):
        count = sum(size for size, drawn, *_ in asked if drawn)
        if count < 10_000_000:
            few = f"Your function draws {count:,} numbers"
            return f"{off} {few}: draw ten million, or lay out a grid."
        return (
            f"{off} fan_in * scale**2 * the mean of phi(z)**2 should be 1, for z with variance 1."
        )
    widest = max(reach for _, _, reach, _ in asked)
    if widest < 4:
        return f"{off} Your z reach from {-widest:.2g} to {widest:.2g}: go to 6 at least."
    return f"{off} Weight phi(z)**2 with the normal density exp(-z**2 / 2), on a fine grid."


# 4.11 ---------------------------------------------------------------------------------------


@exercise(
    "4.11",
    "Train a 20-layer MLP from two starts",
    aliases=("+4.5",),
    kind="X",
    points=3,
    minutes=20,
    stars=2,
    hints=(
        "Two networks, alike in everything but `kernel_initializer`: twenty hidden layers of "
        "equal width with ReLU, ten logits. Each layer needs an initializer of its own.",
        r"A network that says nothing has a loss of $\ln 10 \approx 2.303$ for ten classes. "
        "That is the number to look for.",
        "A loop `for layer in range(20)` that appends `keras.layers.Dense(64, "
        '"relu", kernel_initializer=keras.initializers.HeNormal(seed=layer))`; then the '
        "logits, `keras.Sequential`, compile with SGD, `training.fit`, and "
        "`return model, history.history`.",
    ),
)
def check_deep_training(train_deep, case):
    small, loss = _deep_run(train_deep, "small")
    _expect_deviation(small, "small", 0.01)
    expect(
        abs(loss[-1] - np.log(10)) < 0.15,
        f"From the small start the loss should stay at ln 10 = 2.303; yours ends at {loss[-1]:.3f}."
        + (" Are the outputs logits (from_logits=True)?" if loss[-1] > 2.4 else ""),
    )
    yield 0.5
    he, loss = _deep_run(train_deep, "he")
    _expect_deviation(he, "he", (2 / 64) ** 0.5)
    _expect_falling(loss)


def _deep_run(train_deep, start):
    """Train once more, and return the kernels and the losses."""
    got = train_deep(start)
    call = f"train_deep({start!r})"
    expect(
        isinstance(got, (list, tuple)) and len(got) == 2 and hasattr(got[0], "layers"),
        f"{call} should return the model and its history; got {show(got)}.",
    )
    model, history = got
    history = history.get("history", history) if isinstance(history, dict) else None
    expect(
        history is not None,
        f"{call} should return a history's dict beside the model: `history.history`.",
    )
    curves = {}
    for metric in ("loss", "accuracy"):
        expect(
            metric in history,
            f"The history from {call} lacks {metric!r}; it has {list(history)}. Compile with "
            "metrics=['accuracy'].",
        )
        values = _as_numbers(history[metric], f"the {metric} from {call}")
        expect(
            values.ndim == 1 and len(values) >= 3,
            f"The {metric} from {call} must hold one number per epoch, for at least 3 epochs.",
        )
        expect(
            np.isfinite(values).all(),
            f"The {metric} from {call} holds NaN or infinity: the training diverged. Take learning "
            "rate 0.03.",
        )
        curves[metric] = values
    dense = [layer["config"] for layer in model.layers if layer["class_name"] == "Dense"]
    shape = [(config["units"], config["activation"]) for config in dense]
    expect(
        shape == [(64, "relu")] * 20 + [(10, "linear")],
        f"{call} should return 20 Dense layers of 64 ReLU units and one of 10 logits; yours has "
        f"{len(shape)}, the first and last of them {shape[:1]} and {shape[-1:]}.",
    )
    biases = [np.asarray(weight) for weight in model.weights if np.ndim(weight) == 1]
    expect(
        not biases or any(bias.any() for bias in biases),
        f"Every bias of the model from {call} is still zero, so it did not learn. Return the model "
        "that `training.fit` trained, with a loss for logits (from_logits=True).",
    )
    _expect_start_of_training(curves, call)
    return [np.asarray(w) for w in model.weights if np.ndim(w) == 2], curves["loss"]


def _expect_start_of_training(curves, call):
    loss, accuracy = curves["loss"], curves["accuracy"]
    expect(
        0 <= accuracy.min() and accuracy.max() <= 1,
        f"The accuracies from {call} should be between 0 and 1; they reach {accuracy.max():.3g}.",
    )
    expect(
        not (abs(loss[-1] - np.log(10)) < 0.05 and accuracy[-1] > 0.3),
        f"From {call}: a loss of ln 10 and an accuracy of {accuracy[-1]:.2f} do not belong "
        "together: ten classes guessed at give about 0.1.",
    )
    expect(
        0.3 < loss[0] < 2.6,
        f"The first loss from {call} is {loss[0]:.3g}. Ten classes start near ln 10 = 2.303: hand "
        "in the history of `training.fit`, with the cross-entropy of logits as the loss.",
    )


def _expect_deviation(kernels, start, deviation):
    hidden = kernels[1:20]
    same = [level for level in range(1, 19) if np.allclose(hidden[level], hidden[level - 1])]
    expect(
        not same,
        f"From the {start!r} start hidden layers {same[0] + 1 if same else ''} and "
        f"{same[0] + 2 if same else ''} have the same kernel: an initializer used twice draws the "
        "same numbers twice. Give each layer its own, with its own seed.",
    )
    found = float(np.median([kernel.std() for kernel in hidden]))
    expect(
        abs(found / deviation - 1) < 0.2,
        f"From the {start!r} start the hidden kernels should have a standard deviation near "
        f"{deviation:.3g}; yours have {found:.3g}. "
        + (
            "It is RandomNormal(stddev=0.01)."
            if start == "small"
            else "It is He's, the root of 2 / 64."
        ),
    )


def _expect_falling(loss):
    if loss[-1] < 1.5:
        return
    expect(
        loss.max() - loss.min() > 0.02,
        f"From He's start the loss stays at {loss[-1]:.3f} in all {len(loss)} epochs, so nothing "
        "is learned. Are the outputs logits (from_logits=True), and the learning rate 0.03?",
    )
    raise NotYet(
        f"From He's start the loss should fall below 1.5; yours goes from {loss[0]:.3f} to "
        f"{loss[-1]:.3f} in {len(loss)} epochs. Six epochs of SGD with learning rate 0.03 and "
        "batch size 64 are enough."
    )


# 5.4.4 --------------------------------------------------------------------------------------


def _lars(weights, gradients, learning_rate, trust, weight_decay, *, variant=""):
    """Return the weights after a LARS step, with the one mistake that `variant` names."""
    length = {
        "squared": lambda part: np.sum(np.square(part)),
        "absolute": lambda part: np.sum(np.abs(part)),
        "largest": lambda part: np.max(np.abs(part)),
        "spectral": lambda part: np.linalg.norm(part, 2),
    }.get(variant, np.linalg.norm)
    norms, slopes = [length(w) for w in weights], [length(g) for g in gradients]
    if variant == "global":
        norms = [np.sqrt(np.sum(np.square(norms)))] * len(norms)
        slopes = [np.sqrt(np.sum(np.square(slopes)))] * len(slopes)
    updated, shared = [], None
    for w, g, norm, slope in zip(weights, gradients, norms, slopes, strict=True):
        below = slope + (0.0 if variant == "denominator" else weight_decay * norm)
        if variant == "joint":
            below = length(g + weight_decay * w)
        if variant == "twice":
            below = length(g + weight_decay * w) + weight_decay * norm
        local = trust * norm / below if norm > 0 and below > 0 else 1.0
        shared = local if shared is None else shared
        local = {
            "same layer": 0.0 if updated else local,
            "first layer": shared,
            "small trust": local / trust * 0.001 if norm > 0 else local,
            "upside down": trust * below / norm if norm > 0 else 1.0,
            "plain": 1.0,
            "trust": local / trust,
            "direction": local / norm if norm > 0 else 1.0,
        }.get(variant, local)
        decay = {"decay": 0.0, "apart": 0.0, "pushes": -weight_decay, "twice": 2 * weight_decay}
        decay = decay.get(variant, weight_decay)
        step = local * (g + decay * w)
        if variant == "apart":
            step = step + weight_decay * w
        step = (1.0 if variant == "rate" else learning_rate) * step
        results = {"sign": w + step, "step": -step, "plus step": step}
        updated.append(results.get(variant, w - step))
    return updated


_LARS_MISTAKES = {
    "sign": "The step climbs: subtract it.",
    "same layer": "Only the first layer takes a step: loop over all layers.",
    "spectral": "These are largest singular values: the norm of a matrix is the root of the sum of "
    "the squares of its entries.",
    "step": "These are the steps alone; return the new weights.",
    "plus step": "These are the steps alone; return the weights less the steps.",
    "first layer": "The first layer's local rate is used for all layers; each layer has its own.",
    "small trust": "The trust coefficient is 0.001 here; use the argument `trust`.",
    "global": "The norms are taken over all layers together; LARS takes one pair for each layer.",
    "rate": "The global learning rate is missing.",
    "trust": "The trust coefficient is missing from the local rate.",
    "plain": "These are plain gradient steps, the same rate for all layers: the local rate is "
    "missing.",
    "direction": "Each step has the same length here. The weights' norm belongs in the local "
    "rate, so that a step is a share of its layer's weights.",
    "squared": "These are squared norms: take the root.",
    "absolute": "These are sums of absolute values: the norm is the root of the sum of squares.",
    "largest": "These are largest entries: the norm is the root of the sum of squares.",
    "upside down": "The local rate is upside down: the weights' norm is the numerator.",
}
_LARS_DECAY_MISTAKES = {
    "twice": "The weight decay is added twice: g + beta w is the step, and g alone is in the "
    "denominator.",
    "pushes": "The weight decay makes the weights longer: add beta w to the gradient.",
    "decay": "The weight decay is in the local rate and not in the step itself: add beta w to the "
    "gradient.",
    "denominator": "The weight decay is in the step and not in the local rate: add beta ||w|| "
    "to the denominator.",
    "joint": "The denominator is the norm of g + beta w. LARS adds the two norms: ||g|| + beta "
    "||w||.",
    "apart": "The weight decay is taken off beside the local rate. Here it is part of the step "
    "that the local rate scales: g + beta w.",
}


@exercise(
    "4.12",
    "A LARS step",
    aliases=("5.4.4",),
    kind="C",
    points=2,
    minutes=15,
    stars=2,
    hints=(
        "Every layer gets a learning rate of its own, so that its step is a fixed fraction of its "
        "own weights, however long its gradient is.",
        r"$\lambda_l = \eta\,\|w_l\| \,/\, (\|g_l\| + \beta \|w_l\|)$ and "
        r"$w_l \leftarrow w_l - \alpha \lambda_l (g_l + \beta w_l)$.",
        "Loop over the pairs of weights and gradients; two norms each; the local rate, or 1 where "
        "a norm is zero; collect the new arrays in a list.",
    ),
)
def check_lars_step(lars_step, case):
    shapes = ((4, 6), (6,), (6, 3), (3, 4))
    for weight_decay in (0.0, round(float(case.uniform(0.05, 0.3)), 2)):
        sizes = (1.0, 1.0, 1.0, 1e-2)  # weights shorter than 1 get a local rate, too
        weights = [
            case.normal(size=shape) * size for shape, size in zip(shapes, sizes, strict=True)
        ]
        gradients = [
            case.normal(size=shape) * size
            for shape, size in zip(shapes, (1e-6, 1.0, 1e6, 1.0), strict=True)
        ]
        rate, trust = (
            round(float(case.uniform(0.2, 0.9)), 2),
            round(float(case.uniform(0.01, 0.05)), 3),
        )
        _expect_lars(lars_step, weights, gradients, rate, trust, weight_decay)
    yield 0.7
    _expect_lars_at_zero(lars_step)
    still = lars_step([np.array([3.0, 4.0])], [np.zeros(2)], 0.1, 0.02, 0.5)
    expect_close(
        _as_arrays(still, 1, "lars_step")[0],
        [2.994, 3.992],
        given="a gradient of zeros, weights [3, 4], learning rate 0.1, trust 0.02 and weight decay "
        "0.5",
        what="the new weights",
        rtol=1e-5,
        mistakes={
            "the denominator is not 0 here, since it contains the weight decay. Take the local "
            "rate 1 only where the weights' norm or the denominator is 0.": [2.85, 3.8],
            "the layer did not move; its weight decay does not depend on the gradient.": [3.0, 4.0],
        },
    )


def _expect_lars(lars_step, weights, gradients, rate, trust, weight_decay):
    call = f"lars_step(weights, gradients, {rate}, {trust}, {weight_decay})"
    got = _as_arrays(lars_step(weights, gradients, rate, trust, weight_decay), 4, call)
    for part, before in zip(got, weights, strict=True):
        expect_shape(part, before.shape, given="its own layer", what=f"an array from {call}")
    sentences = _LARS_MISTAKES | (_LARS_DECAY_MISTAKES if weight_decay else {})
    want = _lars(weights, gradients, rate, trust, weight_decay)
    # In units of each layer's own step, so that a step that is a little too short shows.
    units = [np.sqrt(np.mean((w - new) ** 2)) for w, new in zip(weights, want, strict=True)]

    def steps(parts):
        moved = zip(weights, parts, units, strict=True)
        return np.concatenate([np.ravel(w - new) / unit for w, new, unit in moved])

    given = f"gradients of about 1e-6, 1, 1e6 and 1 in four layers, {call}"
    mistakes = {
        sentence: steps(_lars(weights, gradients, rate, trust, weight_decay, variant=variant))
        for variant, sentence in sentences.items()
    }
    found, wanted = steps(got), steps(want)
    first = weights[0].size
    known = any(np.allclose(found, mistake, 1e-3, 1e-3) for mistake in mistakes.values())
    expect(
        known
        or np.allclose(found[:first], wanted[:first], 1e-3, 1e-3)
        or not np.allclose(found[first:], wanted[first:], 1e-3, 1e-3)
        or np.allclose(found[first:], 0),
        f"Given {given}: the layer whose gradients are about 1e-6 gets a step of the wrong length. "
        "A small number in the denominator matters there; use a condition instead.",
    )
    expect_close(
        found,
        wanted,
        given=given,
        what="the array of all steps, in units of each layer's own step,",
        rtol=1e-3,
        atol=1e-3,
        mistakes=mistakes,
    )


def _expect_lars_at_zero(lars_step):
    zero = [np.zeros(3), np.ones(2)]
    slopes = [np.array([1.0, -2.0, 3.0]), np.zeros(2)]
    got = _as_arrays(lars_step(zero, slopes, 0.1, 0.02, 0.0), 2, "lars_step")
    expect(
        np.isfinite(np.concatenate(got)).all(),
        "Given a layer whose gradient is zero, the step holds NaN: where a norm is zero the local "
        "rate is 1.",
    )
    expect(
        not np.allclose(got[0], zero[0]),
        "Given a layer of zeros (a fresh bias), the step does nothing and never will: where the "
        "weights' norm is zero the local rate is 1.",
    )
    expect_close(
        np.concatenate(got),
        np.array([-0.1, 0.2, -0.3, 1.0, 1.0]),
        given="one layer of zeros with a gradient, one layer of ones without",
        what="the array of all new weights",
        rtol=1e-4,
        mistakes={
            "where a norm is zero the local rate is 1, without the trust coefficient.": np.array(
                [-0.002, 0.004, -0.006, 1.0, 1.0]
            ),
            "where a norm is zero the step is the learning rate times the gradient; here the trust "
            "coefficient is in its place.": np.array([-0.02, 0.04, -0.06, 1.0, 1.0]),
        },
    )


explanation(
    "4.13",
    "Can divergence be mended afterwards?",
    aliases=("5.4.4-explain",),
    points=2,
    minutes=10,
    stars=2,
    hints=(
        "Compare the length of a layer's step with the length of its weights, for a plain "
        "gradient step and for LARS.",
        r"Put $\beta = 0$ into the step and take its norm: what is left of $\|g_l\|$?",
        "Say what LARS makes the step independent of, and what it cannot bring back: a gradient "
        "of exact zeros or infinities has no direction.",
    ),
    rubric=(
        (
            1,
            "says that the step's length relative to the weights no longer depends on the size of "
            "the gradient, layer by layer",
        ),
        (
            1,
            "names a limit: a gradient that underflowed or overflowed carries no direction, or the "
            "forward signal stays lost",
        ),
    ),
)
