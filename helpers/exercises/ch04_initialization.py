"""Chapter 4, numerical stability and initialization: the exercises of d2l 5.4 and our own."""

import numpy as np

from helpers.exercises import (
    code,
    exercise,
    expect,
    expect_close,
    expect_number,
    expect_raises,
    expect_shape,
    explanation,
)


def _sigmoid(z):
    return 1.0 / (1.0 + np.exp(-z))


def _tanh_network(weights, x):
    w1, b1, w2, b2 = weights
    return np.tanh(x @ w1 + b1) @ w2 + b2


def _relu_network(weights, x):
    w1, b1, w2, b2 = weights
    return np.maximum(x @ w1 + b1, 0.0) @ w2 + b2


def _as_arrays(got, count, what):
    """Return an answer that must be a list of `count` arrays, with a sentence where it is not."""
    expect(
        isinstance(got, (list, tuple)) and len(got) == count,
        f"{what} must return a list of {count} arrays, in the order they came in.",
    )
    return [np.asarray(part, dtype=float) for part in got]


def _expect_untouched(answer, call, **inputs):
    """Raise unless the lists of arrays among `inputs` survive a call of the answer."""
    lists = [name for name, value in inputs.items() if isinstance(value, list)]
    source = f"""
before = [[part.copy() for part in parts] for parts in ({", ".join(lists)},)]
{call}
after = ({", ".join(lists)},)
result = all(
    np.array_equal(old, new)
    for olds, news in zip(before, after)
    for old, new in zip(olds, news)
)
"""
    expect(
        answer.evaluate(source, **inputs),
        f"{call} changes the arrays it is given in place. Whoever called it loses their data: "
        "work on copies, or build new arrays.",
    )


# 4.1 ---------------------------------------------------------------------------------------


_TANH = (np.tanh, lambda h: 1.0 - h**2)
_SIGMOID = (_sigmoid, lambda h: h * (1.0 - h))


def _layer_gradients(x, weights, activation=_SIGMOID, linear_end=False):
    """Return the gradients of the summed output by each matrix and by each layer's output.

    Args:
        activation: The function, and its slope as a function of its value.
        linear_end: Whether the last layer goes without the activation.
    """
    function, slope = activation
    activations = [x]
    for w in weights:
        last = linear_end and len(activations) == len(weights)
        activations.append(activations[-1] @ w if last else function(activations[-1] @ w))
    delta = np.ones_like(activations[-1])
    by_matrix, by_output = [], []
    for level in range(len(weights), 0, -1):
        by_output.insert(0, delta)
        if not (linear_end and level == len(weights)):
            delta = delta * slope(activations[level])
        by_matrix.insert(0, activations[level - 1].T @ delta)
        delta = delta @ weights[level - 1].T
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
        "This is the ratio upside down: the first layer's norm belongs on top.": 1 / want,
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
        "the one below the line.": _ratio(gradients[:-1]) if len(weights) > 2 else np.nan,
        "This is the norm of the first gradient alone: divide it by that of the "
        "last.": np.linalg.norm(gradients[0]),
    }


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
def _(gradient_norm_ratio, case):
    for depth, rows in ((1, 3), (2, 5), (8, 4)):
        x = case.normal(size=(rows, 6))
        weights = [case.normal(size=(6, 6)) * 0.8 for _ in range(depth)]
        got = gradient_norm_ratio(x, weights)
        expect_close(
            expect_number(got, what="gradient_norm_ratio(X, weights)"),
            _ratio(_layer_gradients(x, weights)[0]),
            given=f"{depth} sigmoid layer{'s' if depth > 1 else ''} of width 6, {rows} rows",
            what="gradient_norm_ratio(X, weights)",
            rtol=1e-3,
            atol=1e-9,
            mistakes=_ratio_mistakes(x, weights),
        )
        if depth == 2:
            yield 0.5
    deep = [case.normal(size=(16, 16)) / 4.0 for _ in range(30)]
    got = expect_number(
        gradient_norm_ratio(case.normal(size=(4, 16)), deep), what="gradient_norm_ratio"
    )
    expect(
        0 < got < 1e-8,
        f"Given 30 sigmoid layers of width 16, the ratio must be tiny and positive; yours is "
        f"{got:.3g}."
        + (" Squares of such small numbers vanish in float32: use float64." if got == 0 else ""),
    )


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
def _(product_bounds, counterexample, case):
    for count, size in ((2, 4), (5, 3), (1, 3)):
        matrices = [_well_conditioned(case, size) for _ in range(count)]
        got = product_bounds(matrices)
        expect(
            isinstance(got, (list, tuple, np.ndarray)) and len(got) == 2,
            "product_bounds must return the pair lower, upper.",
        )
        values = [np.linalg.svd(matrix, compute_uv=False) for matrix in matrices]
        want = np.array([np.prod([v[-1] for v in values]), np.prod([v[0] for v in values])])
        product = np.linalg.multi_dot(matrices) if count > 1 else matrices[0]
        own = np.linalg.svd(product, compute_uv=False)
        moduli = [np.abs(np.linalg.eigvals(matrix)) for matrix in matrices]
        mistakes = {
            "These come from eigenvalues, which do not bound a product: use singular values.": [
                np.prod([m.min() for m in moduli]),
                np.prod([m.max() for m in moduli]),
            ],
            "The pair is the wrong way round: lower first.": want[::-1],
            "Take products of singular values, not sums.": [
                sum(v[-1] for v in values),
                sum(v[0] for v in values),
            ],
        }
        if count > 1:
            mistakes |= {
                "These are the product's own singular values. A bound is to be found from the "
                "factors, without multiplying them.": [own[-1], own[0]],
                "The upper number is a bound, but a loose one: the Frobenius norm counts every "
                "direction, the largest singular value the worst one.": [
                    want[0],
                    np.prod([np.linalg.norm(matrix) for matrix in matrices]),
                ],
            }
        expect_close(
            np.asarray(got, dtype=float),
            want,
            given=f"{count} random {size} x {size} matri{'ces' if count > 1 else 'x'}",
            what="product_bounds(matrices)",
            rtol=1e-3,
            atol=1e-6,
            mistakes={} if count == 1 else mistakes,
        )
    turns = [_turn(case, 4) for _ in range(10)]
    expect_close(
        np.asarray(product_bounds(turns), dtype=float),
        np.ones(2),
        given="10 orthogonal matrices",
        what="product_bounds(matrices)",
        rtol=1e-3,
    )
    yield 0.6
    got = counterexample()
    expect(
        isinstance(got, (list, tuple, np.ndarray)) and len(got) == 2,
        "counterexample must return two square matrices, A and B.",
    )
    a, b = (np.asarray(matrix, dtype=float) for matrix in got)
    expect(
        a.ndim == 2 and a.shape == b.shape and a.shape[0] == a.shape[1],
        f"counterexample must return two square matrices of one size; yours have shapes "
        f"{a.shape} and {b.shape}.",
    )
    expect(np.isfinite(a).all() and np.isfinite(b).all(), "Every entry must be a finite number.")
    together, alone = _spectral_radius(a @ b), _spectral_radius(a) * _spectral_radius(b)
    symmetric = np.allclose(a, a.T) and np.allclose(b, b.T)
    expect(
        together > 1.01 * alone + 1e-6,
        f"The largest eigenvalue of A B has modulus {together:.3g}, and those of A and B multiply "
        f"to {alone:.3g}: the product has to be the larger one. "
        + (
            "Both of your matrices are symmetric; for those no counterexample exists."
            if symmetric
            else "Try matrices whose own eigenvalues are zero."
        ),
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


def _random_weights(case, inputs=4, hidden=5, outputs=3):
    return [
        case.normal(size=(inputs, hidden)),
        case.normal(size=hidden),
        case.normal(size=(hidden, outputs)),
        case.normal(size=outputs),
    ]


def _transformed(weights, unit, into, out, *, bias=True):
    w1, b1, w2, b2 = (part.copy() for part in weights)
    w1[:, unit] *= into
    if bias:
        b1[unit] *= into
    w2[unit] *= out
    return [w1, b1, w2, b2]


def _judge_transform(got, weights, unit, into, out, network, case, *, call, verb):
    """Judge one transformed set of weights: shapes, the unit, its outputs, its neighbours."""
    parts = _as_arrays(got, 4, call)
    for part, before, name in zip(parts, weights, ("W1", "b1", "W2", "b2"), strict=True):
        expect_shape(part, before.shape, given=f"unit {unit}", what=f"{name} from {call}")
    want = _transformed(weights, unit, into, out)
    w1, b1, w2, b2 = parts
    given = f"Given unit {unit} of 5, {call}"
    expect(
        not all(np.allclose(p, w) for p, w in zip(parts, weights, strict=True)),
        f"{given} returned the weights unchanged: {verb} the column of W1 that feeds the unit.",
    )
    by_row = weights[0].copy()
    by_row[min(unit, len(by_row) - 1)] *= into
    expect(
        not np.allclose(w1[:, unit], weights[0][:, unit]) and not np.allclose(w1, by_row),
        f"{given} did not {verb} column {unit} of W1. In this layout a hidden unit's incoming "
        "weights are a column of W1, not a row.",
    )
    others = [k for k in range(5) if k != unit]
    expect(
        np.allclose(w1[:, others], weights[0][:, others])
        and np.allclose(b1[others], weights[1][others])
        and np.allclose(w2[others], weights[2][others])
        and np.allclose(b2, weights[3]),
        f"{given} changed other units too, or the output bias: only the one unit's incoming "
        "weights, bias and outgoing weights may change.",
    )
    expect_close(
        w1[:, unit],
        want[0][:, unit],
        given=f"unit {unit} of 5",
        what=f"column {unit} of W1 from {call}",
        rtol=1e-4,
        atol=1e-5,
    )
    expect(
        np.allclose(b1[unit], want[1][unit], rtol=1e-4, atol=1e-5),
        f"{given} did not {verb} the unit's bias: it is part of what goes into the unit, like "
        "the weights.",
    )
    expect(
        not np.allclose(w2[unit], weights[2][unit], rtol=1e-4, atol=1e-5),
        f"{given} left row {unit} of W2 as it was: the change of the unit has to be undone on "
        "the way out.",
    )
    expect(
        not np.allclose(w2[unit], weights[2][unit] * into, rtol=1e-4, atol=1e-5)
        or np.isclose(into, out),
        f"{given} multiplied the outgoing row by the same factor as the incoming column: it has "
        "to be divided by it.",
    )
    x = case.normal(size=(7, 4))
    expect_close(
        network(parts, x),
        network(weights, x),
        given=f"7 random rows after {call}",
        what="the network's output with the new weights",
        rtol=1e-3,
        atol=1e-4,
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
def _(flip_unit, rescale_unit, case):
    for unit in (int(case.integers(1, 4)), 0, 4):
        weights = _random_weights(case)
        _judge_transform(
            flip_unit(weights, unit),
            weights,
            unit,
            -1.0,
            -1.0,
            _tanh_network,
            case,
            call=f"flip_unit(weights, {unit})",
            verb="negate",
        )
    _expect_untouched(flip_unit, "flip_unit(weights, unit)", weights=weights, unit=4)
    yield 0.5
    for unit, factor in ((int(case.integers(0, 5)), 3.0), (int(case.integers(0, 5)), 0.25)):
        weights = _random_weights(case)
        _judge_transform(
            rescale_unit(weights, unit, factor),
            weights,
            unit,
            factor,
            1.0 / factor,
            _relu_network,
            case,
            call=f"rescale_unit(weights, {unit}, {factor})",
            verb="scale",
        )
    _expect_untouched(rescale_unit, "rescale_unit(weights, 0, 2.0)", weights=weights)
    for factor in (-2.0, 0.0):
        expect_raises(
            ValueError,
            lambda factor=factor: rescale_unit(weights, 1, factor),
            given=f"factor {factor} (ReLU passes on positive factors only)",
        )


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
    count = {"sum": 1, "classes": len(labels) * classes, "factor": len(labels) / 2}
    sign = 1.0 if variant == "climb" else -1.0
    for _ in range(steps):
        logits = x @ w + b
        axis = 0 if variant == "axis" else 1
        p = np.exp(logits - logits.max(axis=axis, keepdims=True))
        p /= p.sum(axis=axis, keepdims=True)
        error = (logits if variant == "no softmax" else p) - np.eye(classes)[labels]
        scale = sign * learning_rate / count.get(variant, len(labels))
        w = w + scale * (x.T @ error)
        if variant != "fixed bias":
            b = b + scale * error.sum(axis=0)
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
_LINEAR_MISTAKES = _DESCENT_MISTAKES | {
    "half": "The gradient lacks its factor 2: the loss here is the mean of squares, without a "
    "half.",
    "one after the other": "The bias's gradient is taken after the weights have moved: both "
    "gradients of a step belong to the same prediction.",
    "row by row": "This updates after each row. A step takes the gradient over all rows at once.",
}
_SOFTMAX_MISTAKES = _DESCENT_MISTAKES | {
    "axis": "The softmax runs over the rows here: each row's probabilities add up to 1 over the "
    "classes, axis 1.",
    "no softmax": "The error compares logits with one-hot labels: take the softmax of the logits "
    "first.",
    "classes": "The gradient is divided by the number of classes, too: the mean of the "
    "cross-entropy runs over the rows alone.",
    "factor": "This is twice the gradient: no square stands in the cross-entropy, so there is no "
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
def _(fit_linear, fit_softmax, case):
    x = case.normal(size=(40, 3))
    y = x @ case.normal(size=3) + 0.7 + 0.1 * case.normal(size=40)
    settings = {"constant": 0.5, "learning_rate": 0.05, "steps": 4}
    got = fit_linear(x, y, 0.5, 0.05, 4)
    expect(
        isinstance(got, (list, tuple)) and len(got) == 2,
        "fit_linear must return the pair w, b.",
    )
    expect_shape(got[0], (3,), given="X of shape (40, 3)", what="w from fit_linear")
    expect(np.size(got[1]) == 1, "b from fit_linear must be one number.")
    expect_close(
        _flat(got),
        _flat(_linear_descent(x, y, **settings)),
        given="40 rows, 3 columns, constant 0.5, learning rate 0.05, 4 steps",
        what="the array of w and b from fit_linear",
        rtol=1e-3,
        atol=1e-4,
        mistakes=_descent_mistakes(_linear_descent, _LINEAR_MISTAKES, x, y, **settings),
    )
    solution = np.linalg.lstsq(np.column_stack([x, np.ones(40)]), y, rcond=None)[0]
    for constant in (0.0, -2.0):
        expect_close(
            _flat(fit_linear(x, y, constant, 0.1, 250)),
            solution,
            given=f"constant {constant} and 250 steps",
            what="the array of w and b from fit_linear (after so many steps it is the "
            "least-squares solution, whatever the start)",
            rtol=1e-2,
            atol=1e-2,
        )
    yield 0.5
    labels = np.concatenate([np.arange(4), case.integers(0, 4, size=26)])
    x = case.normal(size=(30, 5)) + labels[:, None] * 0.3
    settings = {"constant": 0.3, "learning_rate": 0.2, "steps": 3}
    got = fit_softmax(x, labels, 4, 0.3, 0.2, 3)
    expect(
        isinstance(got, (list, tuple)) and len(got) == 2,
        "fit_softmax must return the pair W, b.",
    )
    expect_shape(
        got[0], (5, 4), given="X of shape (30, 5) and 4 classes", what="W from fit_softmax"
    )
    expect_shape(got[1], (4,), given="4 classes", what="b from fit_softmax")
    expect_close(
        _flat(got),
        _flat(_softmax_descent(x, labels, 4, **settings)),
        given="30 rows, 5 columns, 4 classes, constant 0.3, learning rate 0.2, 3 steps",
        what="the array of all W and b from fit_softmax",
        rtol=1e-3,
        atol=1e-4,
        mistakes=_descent_mistakes(_softmax_descent, _SOFTMAX_MISTAKES, x, labels, 4, **settings),
    )
    low, high = fit_softmax(x, labels, 4, 0.0, 0.2, 20), fit_softmax(x, labels, 4, 5.0, 0.2, 20)
    expect_close(
        _flat(high) - 5.0,
        _flat(low),
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
        f"{name} must be an accuracy between 0 and 1; yours is {number:.4g}. A percentage has to "
        "be divided by 100.",
    )
    return number


@exercise(
    "4.7",
    "A constant start, with and without a hidden layer",
    aliases=("5.4.2-experiment",),
    kind="X",
    points=2,
    minutes=15,
    stars=2,
    hints=(
        "Four short trainings: softmax regression and an MLP, each from a constant and from "
        "Glorot's uniform start. Only the start may differ within a pair.",
        "A softmax regression has no hidden units that could be equal. An MLP from a constant "
        r"start computes $O = h v^\top$: one number $h$ for each image.",
        "A loop over the two values of `kernel_initializer`; inside, build, compile, "
        "`training.fit`, `evaluate`; put the test accuracy under the pair's two names.",
    ),
)
def _(constant_start, case):
    table = constant_start.value
    expect(isinstance(table, dict), "constant_start must be a dict.")
    wanted = {"softmax": "accuracies", "mlp": "accuracies", "distinct_units": "counts"}
    for key in wanted:
        expect(key in table, f"constant_start lacks the entry {key!r}.")
        for start in ("constant", "glorot"):
            expect(
                isinstance(table[key], dict) and start in table[key],
                f"constant_start[{key!r}] lacks the entry {start!r}.",
            )
    scores = {
        (model, start): _accuracy(table[model][start], f"constant_start[{model!r}][{start!r}]")
        for model in ("softmax", "mlp")
        for start in ("constant", "glorot")
    }
    units = {
        start: expect_number(
            table["distinct_units"][start], what=f"constant_start['distinct_units'][{start!r}]"
        )
        for start in ("constant", "glorot")
    }
    yield 0.5
    for model in ("softmax", "mlp"):
        expect(
            scores[model, "glorot"] > 0.6,
            f"The {model} model from Glorot's start reaches {scores[model, 'glorot']:.2f} only; "
            "more than 0.6 is expected on ten kinds of clothes. Scale the pixels to 0..1, train "
            "for a few epochs, and see that the two starts are not exchanged.",
        )
    expect(
        abs(scores["softmax", "constant"] - scores["softmax", "glorot"]) < 0.15,
        "Softmax regression should reach about the same accuracy from both starts; yours are "
        f"{scores['softmax', 'constant']:.2f} and {scores['softmax', 'glorot']:.2f}. Did the two "
        "runs differ in more than the start?",
    )
    expect(
        units["constant"] == 1,
        f"From a constant start all hidden units stay equal, so 1 distinct column is expected; "
        f"you count {units['constant']:.0f}. Round before you compare, and start the biases "
        "equal too.",
    )
    expect(
        units["glorot"] >= 16,
        f"From Glorot's start the columns all differ; you count {units['glorot']:.0f}. Count "
        "columns of the first kernel, of shape (784, units), not rows of something else.",
    )
    expect(
        scores["mlp", "glorot"] - scores["mlp", "constant"] > 0.1,
        "The MLP from a constant start works as one hidden unit and should lose more than 0.1 of "
        f"accuracy; yours are {scores['mlp', 'constant']:.2f} and {scores['mlp', 'glorot']:.2f}. "
        "Are all kernels constant, the last one too, and is there no dropout?",
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
def _(xavier_variance, xavier_bound, case):
    sizes = [(784, 256), (3, 3)] + [tuple(map(int, case.integers(1, 900, 2))) for _ in range(3)]
    for fan_in, fan_out in sizes:
        given = f"fan-in {fan_in}, fan-out {fan_out}"
        variance = 2.0 / (fan_in + fan_out)
        mistakes = {
            "This is the standard deviation: the variance is its square.": variance**0.5,
            "This looks at the fan-in alone; Xavier takes the mean of both.": 1.0 / fan_in,
            "This looks at the fan-out alone; Xavier takes the mean of both.": 1.0 / fan_out,
            "The factor 2 is missing: it comes from the mean of the two fans.": variance / 2,
            "This is He's variance, for ReLU.": 2.0 / fan_in,
        }
        expect_close(
            expect_number(xavier_variance(fan_in, fan_out), what="`xavier_variance`"),
            variance,
            given=given,
            what="xavier_variance(fan_in, fan_out)",
            rtol=1e-5,
            mistakes={} if fan_in == fan_out else mistakes,
        )
    yield 0.5
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
                "This is the width of the whole interval: the bound is half of it.": 2 * bound,
                "This is the root of three times half the variance: use 2 / (fan-in + fan-out).": (
                    bound / 2**0.5
                ),
            },
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
def _(he_weights, case):
    fan_in, fan_out, seed = 400, 150, int(case.integers(1, 10_000))
    given = f"fan-in {fan_in}, fan-out {fan_out}"
    got = he_weights(fan_in, fan_out, seed)
    expect_shape(got, (fan_in, fan_out), given=given, what="he_weights(fan_in, fan_out, seed)")
    weights = np.asarray(got, dtype=float)
    expect(np.isfinite(weights).all(), "he_weights must return finite numbers.")
    expect(weights.std() > 0, "he_weights returned one number everywhere: the draw is missing.")
    deviation = (2.0 / fan_in) ** 0.5
    expect(
        abs(weights.mean()) < 0.05 * deviation,
        f"Given {given}, the mean of the weights is {weights.mean():.3g}; it must be near 0.",
    )
    expect_close(
        weights.std(),
        deviation,
        given=given,
        what="the standard deviation of he_weights",
        rtol=0.03,
        mistakes={
            "The scale given to the generator is the variance; it wants the standard deviation, "
            "its square root.": deviation**2,
            "The factor 2 that makes up for ReLU is missing.": (1.0 / fan_in) ** 0.5,
            "This divides by the fan-out: the sum in a unit runs over its inputs.": (2.0 / fan_out)
            ** 0.5,
            "This is Xavier's deviation; He looks at the fan-in alone.": (2.0 / (fan_in + fan_out))
            ** 0.5,
        },
    )
    expect(
        np.abs(weights).max() > 1.9 * weights.std(),
        "The variance is right and the numbers look uniform: this exercise asks for normal ones.",
    )
    yield 0.5
    expect(
        np.array_equal(weights, np.asarray(he_weights(fan_in, fan_out, seed), dtype=float)),
        f"Given seed {seed} twice, the weights differ: make the generator from the seed.",
    )
    expect(
        not np.array_equal(weights, np.asarray(he_weights(fan_in, fan_out, seed + 1), dtype=float)),
        f"Given seeds {seed} and {seed + 1}, the weights are the same: the seed is not used.",
    )
    small = np.asarray(he_weights(64, 900, seed), dtype=float)
    expect_close(
        small.std(),
        (2.0 / 64) ** 0.5,
        given="fan-in 64, fan-out 900",
        what="the standard deviation of he_weights",
        rtol=0.03,
    )


# 4.10 ---------------------------------------------------------------------------------------

_ACTIVATIONS = {
    "the identity": ("lambda v: v * 1.0", lambda v: v),
    "ReLU": ("lambda v: np.maximum(v, 0.0)", lambda v: np.maximum(v, 0.0)),
    "tanh": ("lambda v: np.tanh(v)", np.tanh),
    "a leaky ReLU with slope 0.3": (
        "lambda v: np.where(np.asarray(v) > 0, v, 0.3 * np.asarray(v))",
        lambda v: np.where(v > 0, v, 0.3 * v),
    ),
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
        "average a million normal draws); return one over the root of fan_in times the result.",
    ),
)
def _(choose_scale, case):
    for name, (source, activation) in _ACTIVATIONS.items():
        fan_in = int(case.integers(50, 600))
        scale = expect_number(choose_scale(code(source), fan_in), what="choose_scale")
        expect(scale > 0, f"A standard deviation must be positive; yours is {scale:.4g}.")
        square = _gaussian_mean(lambda z, phi=activation: phi(z) ** 2)
        mean = _gaussian_mean(activation)
        want = (fan_in * square) ** -0.5
        mistakes = {
            "This is the variance of the weights: return their standard deviation.": want**2,
            "This keeps the variance of a linear network and takes no notice of the "
            "activation.": fan_in**-0.5,
            "This is He's scale for every activation: it is right for ReLU only.": (2 / fan_in)
            ** 0.5,
            "This subtracts the mean of the activations. The mean adds to the next layer's "
            "variance too, so the mean square is what counts.": (fan_in * (square - mean**2))
            ** -0.5,
            "The fan-in is missing: a unit sums over all of its inputs.": square**-0.5,
            "This multiplies by the mean square where it should divide.": (square / fan_in) ** 0.5,
        }
        history = _variances(activation, fan_in, scale)
        worst = float(history[np.argmax(np.abs(np.log(np.maximum(history, 1e-300))))])
        if not 0.9 <= history.min() <= history.max() <= 1.1:
            for sentence, value in mistakes.items():
                expect(
                    abs(scale - value) > 2e-3 * value or abs(value - want) < 1e-2 * want,
                    f"Given {name} and fan-in {fan_in}, the scale {scale:.4g} lets the variance "
                    f"go from 1 to {worst:.3g} within 20 layers. {sentence}",
                )
        expect(
            0.9 <= history.min() and history.max() <= 1.1,
            f"Given {name} and fan-in {fan_in}, the scale {scale:.5g} lets the variance go from "
            f"1 to {worst:.3g} within 20 layers; it must stay between 0.9 and 1.1. If you draw "
            "random numbers, draw more: ReLU never corrects an error.",
        )
        if name == "ReLU":
            yield 0.5


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
        "equal width with ReLU, ten logits.",
        r"A network that says nothing has a loss of $\ln 10 \approx 2.303$ for ten classes. "
        "That is the number to look for.",
        "A loop over the two initializers: `models.mlp` with twenty hidden layers, compile with "
        "SGD, `training.fit`, and keep `.history` under the start's name.",
    ),
)
def _(deep_training, case):
    table = deep_training.value
    expect(isinstance(table, dict), "deep_training must be a dict with the keys 'small' and 'he'.")
    curves = {}
    for start in ("small", "he"):
        expect(start in table, f"deep_training lacks the entry {start!r}.")
        for metric in ("loss", "accuracy"):
            expect(
                isinstance(table[start], dict) and metric in table[start],
                f"deep_training[{start!r}] lacks {metric!r}: hand in the history's dict and "
                "compile with metrics=['accuracy'].",
            )
            values = np.asarray(table[start][metric], dtype=float)
            expect(
                values.ndim == 1 and len(values) >= 3,
                f"deep_training[{start!r}][{metric!r}] must hold one number an epoch, for at "
                "least 3 epochs.",
            )
            expect(
                np.isfinite(values).all(),
                f"deep_training[{start!r}][{metric!r}] holds NaN or infinity: the training "
                "diverged. Lower the learning rate.",
            )
            curves[start, metric] = values
        _accuracy(curves[start, "accuracy"].max(), f"deep_training[{start!r}]['accuracy']")
    expect(
        len({len(values) for values in curves.values()}) == 1,
        "Both starts must be trained for the same number of epochs.",
    )
    yield 0.5
    stuck = curves["small", "loss"]
    expect(
        abs(stuck[-1] - np.log(10)) < 0.15,
        f"From the small start the loss should stay at ln 10 = 2.303; yours ends at "
        f"{stuck[-1]:.3f}. Is the start RandomNormal with stddev 0.01, with 20 hidden layers and "
        "logits (from_logits=True)? Or were the two runs exchanged?",
    )
    expect(
        curves["small", "accuracy"][-1] < 0.25,
        f"A loss of ln 10 and an accuracy of {curves['small', 'accuracy'][-1]:.2f} do not belong "
        "together: ten classes guessed at give about 0.1.",
    )
    learned = curves["he", "loss"]
    expect(
        learned[-1] < min(1.5, learned[0]),
        f"From He's start the loss should fall below 1.5; yours goes from {learned[0]:.3f} to "
        f"{learned[-1]:.3f}. Train longer, or with a larger learning rate.",
    )
    expect(
        curves["he", "accuracy"][-1] > 0.45,
        f"From He's start the accuracy should pass 0.45; yours is "
        f"{curves['he', 'accuracy'][-1]:.2f}.",
    )


# 5.4.4 --------------------------------------------------------------------------------------


def _lars(weights, gradients, learning_rate, trust, weight_decay, *, variant=""):
    """Return the weights after a LARS step, with the one mistake that `variant` names."""
    length = {
        "squared": lambda part: np.sum(np.square(part)),
        "absolute": lambda part: np.sum(np.abs(part)),
        "largest": lambda part: np.max(np.abs(part)),
    }.get(variant, np.linalg.norm)
    norms, slopes = [length(w) for w in weights], [length(g) for g in gradients]
    if variant == "global":
        norms = [np.sqrt(np.sum(np.square(norms)))] * len(norms)
        slopes = [np.sqrt(np.sum(np.square(slopes)))] * len(slopes)
    updated = []
    for w, g, norm, slope in zip(weights, gradients, norms, slopes, strict=True):
        below = slope + (0.0 if variant == "denominator" else weight_decay * norm)
        if variant == "joint":
            below = length(g + weight_decay * w)
        local = trust * norm / below if norm > 0 and below > 0 else 1.0
        local = {
            "upside down": trust * below / norm if norm > 0 else 1.0,
            "plain": 1.0,
            "trust": local / trust,
            "direction": local / norm if norm > 0 else 1.0,
        }.get(variant, local)
        step = local * (g + (0.0 if variant in ("decay", "apart") else weight_decay * w))
        if variant == "apart":
            step = step + weight_decay * w
        step = (1.0 if variant == "rate" else learning_rate) * step
        updated.append({"sign": w + step, "step": -step}.get(variant, w - step))
    return updated


_LARS_MISTAKES = {
    "sign": "The step climbs: subtract it.",
    "step": "These are the steps alone; return the new weights.",
    "global": "The norms are taken over all layers together; LARS takes one pair for each layer.",
    "rate": "The global learning rate is missing.",
    "trust": "The trust coefficient is missing from the local rate.",
    "plain": "These are plain gradient steps, the same rate for all layers: the local rate is "
    "missing.",
    "direction": "Each step has the same length here. The weights' norm belongs into the local "
    "rate, so that a step is a share of its layer's weights.",
    "squared": "These are squared norms: take the root.",
    "absolute": "These are sums of absolute values: the norm is the root of the sum of squares.",
    "largest": "These are largest entries: the norm is the root of the sum of squares.",
    "upside down": "The local rate is upside down: the weights' norm belongs on top.",
}
_LARS_DECAY_MISTAKES = {
    "decay": "The weight decay is in the local rate and not in the step itself: add beta w to the "
    "gradient.",
    "denominator": "The weight decay is in the step and not in the local rate: add beta ||w|| "
    "below the line.",
    "joint": "Below the line stands the norm of g + beta w. LARS adds the two norms: ||g|| + beta "
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
def _(lars_step, case):
    shapes = ((4, 6), (6,), (6, 3))
    weights = [case.normal(size=shape) for shape in shapes]
    gradients = [
        case.normal(size=shape) * size for shape, size in zip(shapes, (1e-6, 1.0, 1e6), strict=True)
    ]
    rate, trust = 0.5, 0.02
    for weight_decay in (0.0, 0.1):
        call = f"lars_step(weights, gradients, {rate}, {trust}, {weight_decay})"
        got = _as_arrays(lars_step(weights, gradients, rate, trust, weight_decay), 3, call)
        want = _lars(weights, gradients, rate, trust, weight_decay)

        sentences = _LARS_MISTAKES | (_LARS_DECAY_MISTAKES if weight_decay else {})
        mistakes = {
            sentence: _joined(_lars(weights, gradients, rate, trust, weight_decay, variant=variant))
            for variant, sentence in sentences.items()
        }
        for part, before in zip(got, weights, strict=True):
            expect_shape(part, before.shape, given="its own layer", what=f"an array from {call}")
        expect_close(
            _joined(got),
            _joined(want),
            given="gradients of about 1e-6, 1 and 1e6 in three layers, weight decay "
            f"{weight_decay}",
            what="the array of all new weights",
            rtol=1e-4,
            atol=1e-5,
            mistakes=mistakes,
        )
    _expect_untouched(
        lars_step,
        "lars_step(weights, gradients, 0.5, 0.02, 0.1)",
        weights=weights,
        gradients=gradients,
    )
    yield 0.7
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
    trusted = np.array([-0.002, 0.004, -0.006, 1.0, 1.0])
    expect_close(
        np.concatenate(got),
        np.array([-0.1, 0.2, -0.3, 1.0, 1.0]),
        given="one layer of zeros with a gradient, one layer of ones without",
        what="the array of all new weights",
        rtol=1e-4,
        mistakes={
            "where a norm is zero the local rate is 1, without the trust coefficient.": trusted,
        },
    )


def _joined(parts):
    return np.concatenate([np.ravel(part) for part in parts])


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
