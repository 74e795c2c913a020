"""Exercises of chapter 2, multilayer perceptrons (d2l 5.1 and 5.2)."""

from __future__ import annotations

import math

import numpy as np

from helpers.answers import AnswerError
from helpers.exercises import (
    NotYet,
    Part,
    code,
    exercise,
    expect,
    expect_close,
    expect_layers,
    expect_mapping,
    expect_number,
    expect_parts,
    expect_shape,
    explanation,
    numbers,
    show,
    show_apart,
)
from helpers.exercises.oracles import cross_entropy, forward, random_layers, sigmoid
from helpers.exercises.oracles import softmax as softmax_of

VALIDATION_IMAGES = 2_000
# A run on another machine may judge a few images differently.
_FEW_IMAGES = 8 / VALIDATION_IMAGES


def _share(value, what):
    """Return an accuracy on the validation images, which is a multiple of 1 / 2,000."""
    share = expect_number(value, what=what)
    expect(
        not 1.0 < share <= 100.0,
        f"{what} is {share:g}: an accuracy lies between 0 and 1. Is this a percentage or a loss?",
    )
    expect(0.0 <= share <= 1.0, f"{what} is {share:g}: an accuracy lies between 0 and 1.")
    count = share * VALIDATION_IMAGES
    expect(
        abs(count - round(count)) < 0.02,
        f"{what}: {share:g} is not a share of the 2,000 validation images ({count:.2f} of them "
        'would be right). Hand in "val_accuracy" as `train` measured it on x_valid.',
    )
    return share


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
def check_collapse(collapse, case):
    for d, h, q in ((3, 5, 2), (4, 4, 4), (6, 2, 5), (2, 1, 1)):
        W1, b1 = case.normal(size=(d, h)), case.normal(size=h)
        W2, b2 = case.normal(size=(h, q)), case.normal(size=q)
        got = collapse(W1, b1, W2, b2)
        W, b = expect_parts(got, "the result of collapse", "W", "b")
        given = f"W1 of shape ({d}, {h}) and W2 of shape ({h}, {q})"
        reverse = {"The order is reversed: X meets W1 first.": W2 @ W1} if d == h == q else {}
        expect_close(
            W,
            W1 @ W2,
            given=given,
            what="W",
            mistakes=reverse,
            advice="This W is the factor of X when the brackets of (5.1.2) are multiplied out.",
        )
        if d == 3:
            yield 0.5
        b = numbers(b, "b")
        expect(
            b.shape in ((q,), (1, q)),
            f"Given {given}: b should have the shape ({q},) or (1, {q}); got {b.shape}.",
        )
        expect_close(
            b.ravel(),
            b1 @ W2 + b2,
            given=given,
            what="b",
            mistakes={
                "This b leaves out b1: the second layer multiplies b1 by W2 and passes it on.": b2,
                "This b leaves out b2, which the second layer adds at the end.": b1 @ W2,
            }
            | ({"b1 has to pass through W2 before b2 is added.": b1 + b2} if h == q else {}),
            advice="The b of one layer is what the stack returns for X = 0: b1 goes through W2 in "
            "a matrix product, then b2 is added.",
        )


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
def check_squeeze(squeeze, case):
    for d, q in ((5, 4), (3, 6), (4, 4)):
        W = case.normal(size=(d, q))
        for width in range(1, min(d, q) + 1):
            _expect_best_product(squeeze, W, width, f"a random W of shape ({d}, {q})")
        if d == 5:
            yield 0.5
    error = _expect_best_product(squeeze, np.eye(4), 2, "the identity of size 4")
    expect(
        abs(error - math.sqrt(2)) < 1e-3,
        "Given the identity of size 4 and width 2, the stack must lose two of four directions: "
        f"an error of sqrt(2) = 1.414 was expected and {error:.4f} came back.",
    )


def _best(W, width):
    """Return the matrix of rank `width` that is closest to W."""
    U, s, Vt = np.linalg.svd(W, full_matrices=False)
    return U[:, :width] * s[:width] @ Vt[:width]


def _expect_best_product(squeeze, W, width, given):
    """Expect the least Frobenius norm of W - W1 @ W2 (Eckart and Young); return it."""
    given = f"{given} and width {width}"
    W1, W2 = expect_parts(squeeze(W, width), "the result of squeeze", "W1", "W2")
    columns = numbers(W1, "W1").shape[-1:]
    expect(
        columns in ((), (width,)),
        f"Given {given}: W1 has shape {numbers(W1, 'W1').shape}. W1 has as many columns as there "
        "are units between the layers, and W2 as many rows.",
    )
    expect_shape(W1, (len(W), width), given=given, what="W1")
    expect_shape(W2, (width, W.shape[1]), given=given, what="W2")
    product = numbers(W1, "W1") @ numbers(W2, "W2")
    values = np.linalg.svd(W, compute_uv=False)
    best = math.sqrt((values[width:] ** 2).sum())
    error = float(np.linalg.norm(W - product))
    if np.isfinite(error) and error <= best * 1.001 + 1e-5:
        return error
    U, s, Vt = np.linalg.svd(W, full_matrices=False)
    for sentence, other in {
        "the singular values are missing: multiply U or Vt by them.": U[:, :width] @ Vt[:width],
        "the singular values are in both matrices: each belongs in one of them, or its root in "
        "both.": U[:, :width] * s[:width] ** 2 @ Vt[:width],
        "the smallest singular values are kept: keep the largest, which come first.": U[:, -width:]
        * s[-width:]
        @ Vt[-width:],
        "one term is missing: keep `width` singular values.": U[:, : width - 1]
        * s[: width - 1]
        @ Vt[: width - 1],
        "the mean was removed, as in a principal component analysis: decompose W itself.": _best(
            W - W.mean(axis=0), width
        ),
        "the columns of V^T are taken. `np.linalg.svd` returns V^T, whose rows belong to the "
        "singular values: take its first rows.": U[:, :width] * s[:width] @ Vt[:, :width].T,
        "these are columns of W and no singular vectors: decompose W.": W[:, :width]
        @ np.linalg.lstsq(W[:, :width], W, rcond=None)[0],
        "V^T is transposed once more. `np.linalg.svd` returns V^T: take its first rows.": (
            U[:, :width] * s[:width] @ Vt.T[:width]
            if Vt.shape[0] == Vt.shape[1]
            else np.full_like(W, np.inf)
        ),
    }.items():
        wrong = np.allclose(product, other, atol=1e-4)
        expect(not wrong, f"Given {given}: {sentence}")
    raise NotYet(
        f"Given {given}, W1 @ W2 misses W by {error:.4f} (Frobenius norm), and {best:.4f} is "
        "possible: keep the largest singular values, each of them once."
    )


def _prelu(x, alpha):
    return np.where(x > 0, x, alpha * x)


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
def check_prelu(prelu_derivative, case):
    for alpha in (0.25, 1.5, -0.3, 0.0, 40.0):
        x = case.normal(size=(4, 3)) * 3
        x[0] = [1e-9, -1e-9, -1e4]
        x[1, 0], x[1, 1] = -2.0, 2.0
        want = np.where(x > 0, 1.0, alpha)
        expect_close(
            prelu_derivative(x, alpha),
            want,
            given=f"an x of shape (4, 3) with entries down to 1e-9 and alpha {alpha}",
            what="prelu_derivative(x, alpha)",
            mistakes={
                "That is pReLU itself, not its derivative.": np.where(x > 0, x, alpha * x),
                "That is the derivative of ReLU: below zero pReLU has the slope alpha.": x > 0,
                "The two slopes are exchanged: alpha belongs to x < 0.": np.where(x < 0, 1, alpha),
                "Below zero the derivative is the constant alpha, without a factor x.": np.where(
                    x > 0, 1, alpha * x
                ),
                "Below zero the derivative is alpha, with the sign that alpha has.": np.where(
                    x > 0, 1, -alpha
                ),
                "alpha is 0.25 whatever is given: use the argument.": np.where(x > 0, 1, 0.25),
                "1 and alpha are added where x > 0: there alpha does not count.": np.where(
                    x > 0, 1 + alpha, alpha
                ),
            }
            | {
                "Close to zero a difference quotient with a step of "
                f"{h:g} mixes the two slopes: use their formula.": quotient
                for h in (1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8)
                for quotient in [(_prelu(x + h, alpha) - _prelu(x - h, alpha)) / (2 * h)]
            },
            inputs=x,
            advice="Every x > 0 has the slope 1, and every x < 0 the slope alpha, however close to "
            "0 it is.",
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
def check_swish(swish_derivative, case):
    for beta in (1.0, 0.5, 2.0, 7.5):
        x = case.normal(size=(6, 2)) * 2 / max(beta, 1.0)
        s = sigmoid(beta * x)
        want = s + beta * x * s * (1 - s)
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
                "The sigmoid is taken at x: it belongs at beta * x.": sigmoid(x)
                + beta * x * sigmoid(x) * (1 - sigmoid(x)),
                "beta multiplies the first term, too: it belongs to the second alone.": (
                    beta * s + beta * x * s * (1 - s)
                ),
                "The derivative of a sigmoid s is s (1 - s), not s (1 + s).": s
                + beta * x * s * (1 + s),
                "That is the derivative with respect to beta: x is asked for.": x * x * s * (1 - s),
                "That is the derivative for beta = 1. Here beta is in the sigmoid's argument, "
                "and once more it is the factor of the chain rule.": sigmoid(x)
                + x * sigmoid(x) * (1 - sigmoid(x)),
            },
            inputs=x,
            advice="Take the product rule of x and sigmoid(beta x), then the chain rule.",
        )
    yield 0.5
    for size, beta in (
        (1000.0, 1.0),
        (1e6, 1.0),
        (1e-6, 1e6),
        (3e-6, 1e6),
        (1e4, 1e-4),
        (1e6, 1e6),
    ):
        x = size * np.array([-1.0, -0.7, -0.05, 0.0, 0.05, 0.7, 1.0])
        s = sigmoid(beta * x)
        given = f"x between {-size:g} and {size:g} and beta {beta:g}"
        what = "swish_derivative(x, beta)"
        got = numbers(swish_derivative(x, beta), what)
        expect(
            np.isfinite(got).all(),
            f"Given {given}, NaN or infinity came back: exp(1000) overflows. Use a sigmoid that "
            "never takes the exponential of a large positive number.",
        )
        expect_close(
            got,
            s + beta * x * s * (1 - s),
            given=given,
            what=what,
            atol=2e-5,
            rtol=1e-3,
            inputs=x,
            advice="A difference quotient, a clipped argument or a shortcut for large x loses "
            "accuracy here: use the formula, with a sigmoid that does not overflow.",
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
def check_pieces(pieces, case):
    for size in (5, 1, 8):
        _expect_random_pieces(pieces, case, size)
        yield {5: 0.3, 1: 0.5, 8: 0.7}[size]
    w1 = np.array([1.0, 2.0, -1.0, 0.0, 3.0, -0.5])
    b1 = np.array([-1.0, 4.0, 1.0, 2.0, -6.0, 1.5])
    w2 = np.array([1.0, 0.5, 1.0, 5.0, 0.0, -2.0])
    given = "units of which one has w1 = 0, one has w2 = 0 and two bend at x = 1"
    want, want_slopes = _bends(w1, b1, w2)
    got, slopes = _breakpoints_and_slopes(pieces, w1, b1, w2)
    expect(
        got.shape == want.shape,
        f"Given {given}, {want.size} breakpoints were expected and {got.size} came back: a unit "
        "with a zero weight does not bend the output, and a shared place counts once.",
    )
    expect_close(got, want, given=given, what="the array of breakpoints")
    expect_close(
        slopes,
        want_slopes,
        given=given,
        what="the array of slopes",
        advice="Units that bend at the same place all change the slope there; a unit with w1 = 0 "
        "changes none.",
    )


def _breakpoints_and_slopes(pieces, w1, b1, w2):
    got = expect_parts(pieces(w1, b1, w2), "the result of pieces", "breakpoints", "slopes")
    breakpoints, slopes = numbers(got[0], "the breakpoints"), numbers(got[1], "the slopes")
    expect(
        breakpoints.size != slopes.size + 1,
        f"{breakpoints.size} breakpoints and {slopes.size} slopes came back, and k places cut the "
        "line into k + 1 pieces. Are the two exchanged? The breakpoints come first.",
    )
    return breakpoints, slopes


def _expect_random_pieces(pieces, case, size):
    sign = np.where(np.arange(size) % 2 == 0, 1.0, -1.0)
    w1 = case.uniform(0.5, 2.0, size) * sign
    w2 = case.uniform(0.5, 2.0, size) * case.choice([-1.0, 1.0], size)
    b1 = -w1 * case.permutation(np.linspace(-2.0, 2.0, size) + case.uniform(-0.2, 0.2, size))
    given = f"{size} hidden unit(s) with different bends"
    got, slopes = _breakpoints_and_slopes(pieces, w1, b1, w2)
    want, want_slopes = _bends(w1, b1, w2)
    expect(
        got.shape == want.shape,
        f"Given {given}: {size} breakpoints were expected, and the shape {got.shape} came back. "
        "Unit j bends f where w1[j] x + b1[j] = 0, whatever the sign of w1[j]: one place per unit.",
    )
    expect_close(
        got,
        want,
        given=given,
        what="the array of breakpoints",
        mistakes={
            "The breakpoints must be sorted from left to right.": -b1 / w1,
            "The breakpoints run from right to left.": want[::-1],
            "The sign is wrong: w x + b = 0 at x = -b / w.": np.sort(b1 / w1),
            "The place is -b / w, not -w / b.": np.sort(-w1 / b1),
        },
        advice="Unit j bends f where w1[j] x + b1[j] = 0, and nowhere else: one place per unit.",
    )
    on = np.outer([got[0] - 1, *(got[1:] + got[:-1]) / 2, got[-1] + 1], w1) + b1 > 0
    changes = (np.abs(w1) * w2)[np.argsort(-b1 / w1)]
    expect_close(
        slopes,
        want_slopes,
        given=given,
        what="the array of slopes, from left to right,",
        mistakes={
            "The slopes run from right to left.": want_slopes[::-1],
            "These are the changes of slope at the breakpoints; add them up, from the leftmost "
            "piece on.": changes,
            "The leftmost slope is taken as 0, but units with a negative w1 are on there.": (
                np.concatenate([[0.0], np.cumsum(changes)])
            ),
            "A unit with a negative w1 switches off from left to right: take its w1 w2 away.": (
                np.concatenate([[0.0], np.cumsum((w1 * w2)[np.argsort(-b1 / w1)])])
            ),
            "Only the w2 of the units that are on are added: the slope of a unit is w1 w2.": on
            @ w2,
            "The w1 of the units that are on are added: the slope of a unit is w1 w2.": on @ w1,
            "One slope is missing: k places cut the line into k + 1 pieces.": want_slopes[:-1],
            "The first slope is missing: k places cut the line into k + 1 pieces.": want_slopes[1:],
        },
        advice="The slope of a piece is the sum of w1 w2 over the units that are on there.",
    )


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


# Numbers that know arithmetic, and note every other function that is asked of them: np.exp and its
# like look for a method of their name.
_ARITHMETIC_ONLY = """
used = []

class Number:
    def __init__(self, value):
        self.value = float(value)

    def __float__(self):
        return self.value

    def __neg__(self):
        return Number(-self.value)

def arithmetic(name):
    def act(self, other):
        try:
            return Number(getattr(self.value, name)(float(other)))
        except TypeError:
            return NotImplemented
    return act

def refused(name):
    def act(self, *given):
        used.append("np." + name)
        raise TypeError(name)
    return act

for name in "add sub mul truediv pow radd rsub rmul rtruediv rpow".split():
    setattr(Number, f"__{name}__", arithmetic(f"__{name}__"))
for name in "exp exp2 expm1 log log2 log10 log1p tanh arctanh sinh cosh sqrt".split():
    setattr(Number, name, refused(name))
steep = np.vectorize(lambda value: Number(1 / (1 + np.exp(-1.3 * float(value)))), otypes=[object])
try:
    tanh_from_sigmoid(steep, np.array([Number(-0.4), Number(0.7)]))
except Exception:
    pass
result = sorted(set(used))
"""


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
def check_tanh_identity(tanh_from_sigmoid, case):
    # With a sigmoid of another steepness, every way to tanh through it gives tanh of that
    # steepness, whether it uses 2 s(2x) - 1, 1 - 2 s(-2x), or s(x) alone.
    for steepness, shape in ((1.0, (9,)), (1.7, (3, 4)), (0.6, (2, 2, 2))):
        x = case.normal(size=shape) * 2
        given_sigmoid = code(
            "lambda v: 0.5 * (1.0 + np.tanh(0.5 * k * np.asarray(v)))", k=steepness
        )
        word = "the sigmoid" if steepness == 1 else f"a sigmoid that is {steepness} times as steep"
        s = sigmoid(2 * steepness * x)
        expect_close(
            tanh_from_sigmoid(given_sigmoid, x),
            np.tanh(steepness * x),
            given=f"{word} and random numbers of shape {shape}",
            what="tanh_from_sigmoid(sigmoid, x)",
            atol=1e-5,
            mistakes={
                "The argument is wrong: the sigmoid is taken at 2x.": 2 * sigmoid(steepness * x)
                - 1,
                "Subtract 1: tanh runs from -1 to 1, twice the sigmoid from 0 to 2.": 2 * s,
                "Multiply the sigmoid by 2 before you subtract 1.": s - 1,
                "The sign is turned: your curve falls.": -np.tanh(steepness * x),
                "The sigmoid is taken at x / 2: it is taken at 2x.": 2 * sigmoid(steepness * x / 2)
                - 1,
                "Subtract 1 where you add it: twice the sigmoid runs from 0 to 2.": 2 * s + 1,
                "The given function is not used: build tanh from it.": np.tanh(x),
            },
            inputs=x,
        )
    used = tanh_from_sigmoid.evaluate(_ARITHMETIC_ONLY)
    expect(
        not used,
        "The numbers are right, and the function also calls "
        f"{', '.join(used)}. Use nothing but the given function and arithmetic.",
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
    "That is the converse, which makes a tanh network of a sigmoid network.": {
        "weight": 0.5,
        "bias": 0.5,
        "scale": 0.5,
        "shift": -0.5,
    },
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
def check_tanh_to_sigmoid(tanh_to_sigmoid, case):
    sizes_of = {1: (3, 5, 2), 2: (3, 4, 4, 2), 3: (3, 6, 4, 5, 2), 0: (3, 2)}
    for depth, sizes in sizes_of.items():
        layers = random_layers(case, sizes, "float64")
        given = f"a tanh network with {depth} hidden layer(s)"
        new = expect_layers(tanh_to_sigmoid(layers), layers, "the result of tanh_to_sigmoid")
        X = case.normal(size=(8, 3))
        mistakes = {
            sentence: _tanh_network(_as_sigmoid(layers, **wrong), X, sigmoid)
            for sentence, wrong in _CONVERSION_MISTAKES.items()
        }
        expect_close(
            _tanh_network(new, X, sigmoid),
            _tanh_network(layers, X),
            given=given,
            what="the output of your sigmoid network",
            rtol=1e-3,
            atol=1e-4,
            mistakes=mistakes if depth else {},
            advice="Put tanh(z) = 2 sigmoid(2z) - 1 into one layer after another and collect what "
            "multiplies the inputs and what does not."
            if depth
            else "The one layer has no activation before or after it: nothing changes.",
        )
        yield min(0.5 + 0.2 * (depth > 1), 0.9)


@exercise(
    "2.9",
    "A row and its batch mates",
    aliases=("5.1.6",),
    kind="C",
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
def check_batch_mates(output_beside, case):
    for crowd, scale in ((3, 1.0), (8, 1.0), (1, 2.0), (8, 0.003)):
        row = case.normal(size=4) * scale
        mates = (case.normal(size=(crowd, 4)) * 2 + case.normal()) * scale
        batch = np.concatenate([row[None], mates])

        def standard(values, ddof=0, row=row):
            return (row - values.mean(0)) / np.sqrt(values.var(0, ddof=ddof) + 1e-5)

        got = numbers(output_beside(row, mates), "output_beside(row, mates)")
        expect(
            got.shape != batch.shape,
            f"Given a row of 4 numbers and {crowd} mates: the outputs of all rows came back. "
            "Return those of the given row, in the shape (4,).",
        )
        mean, variance = batch.mean(0), batch.var(0)
        expect_close(
            got.ravel(),
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
                "1e-5 is added to the variance, under the root.": (row - mean)
                / (np.sqrt(variance) + 1e-5),
                "1e-5 is missing under the root.": (row - mean) / np.sqrt(variance),
                "1e-3 is added to the variance, as Keras does by default: here it is 1e-5.": (
                    (row - mean) / np.sqrt(variance + 1e-3)
                ),
                "The root is missing: divide by the root of the variance.": (row - mean)
                / (variance + 1e-5),
                "The root is taken of the standard deviation: the variance is its square.": (
                    (row - mean) / np.sqrt(np.sqrt(variance) + 1e-5)
                ),
                "The mean is not subtracted.": row / np.sqrt(variance + 1e-5),
                "The mean is subtracted, and the division is missing.": row - mean,
                "That is the output of the last mate: return the row's.": (batch[-1] - mean)
                / np.sqrt(variance + 1e-5),
                "That is the output of the first mate: return the row's.": (batch[1] - mean)
                / np.sqrt(variance + 1e-5),
                "The row came back as it is. A layer of Keras does that in prediction, with its "
                "running averages at their start: call it with training=True.": row,
                "The median is taken for the mean.": (row - np.median(batch, axis=0))
                / np.sqrt(variance + 1e-5),
            },
            advice="Mean and variance belong to each column, over all rows of the batch, the row "
            "itself included.",
        )
    yield 0.5
    expect_close(
        numbers(output_beside(row, np.zeros((0, 4))), "output_beside(row, mates)").ravel(),
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


def _example(answer):
    """Return layers and input of a `vanishing_example`, or say what does not fit."""
    layers, x = expect_parts(answer, "the result of vanishing_example", "layers", "x")
    expect(
        isinstance(layers, list | tuple) and bool(layers),
        f"`layers` should be a list of pairs (W, b); got {show(layers)}.",
    )
    pairs = []
    for index, layer in enumerate(layers):
        W, b = expect_parts(layer, f"layers[{index}]", "W", "b")
        pairs.append((numbers(W, f"W of layer {index}"), numbers(b, f"b of layer {index}")))
    x = numbers(x, "x").ravel()
    for index, (W, b) in enumerate(pairs):
        before = x.size if index == 0 else pairs[index - 1][1].size
        expect(
            W.shape == (before, b.size) and b.ndim == 1,
            f"W of layer {index} has the shape {W.shape} and b {b.shape}; what comes before has "
            f"{before} numbers, so W should be ({before}, n) and b (n,).",
        )
    finite = all(np.isfinite(part).all() for pair in pairs for part in pair)
    expect(
        finite and bool(np.isfinite(x).all()),
        "The weights, biases and x should be finite numbers; yours contain NaN or infinity.",
    )
    return pairs, x


def _input_gradient(layers, x, with_sigmoid=True):
    """Return the gradient of the summed output with respect to the first weight matrix."""
    inputs, activations = [np.asarray(x, "float64")], []
    for W, b in layers:
        z = inputs[-1] @ W + b
        activations.append(sigmoid(z) if with_sigmoid else z)
        inputs.append(activations[-1])
    gradient = np.ones_like(inputs[-1])
    for index in reversed(range(len(layers))):
        if with_sigmoid:
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
def check_vanishing(vanishing_example, case):
    layers, x = _example(vanishing_example())
    weak = [i for i, (W, _) in enumerate(layers) if np.linalg.norm(W) < 1]
    expect(
        not weak,
        f"The weights of layer {(weak or [0])[0]} have a Frobenius norm below 1. With weights "
        "near zero any network has small gradients; here the sigmoid must be the cause.",
    )
    linear = np.linalg.norm(_input_gradient(layers, x, with_sigmoid=False))
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
if "Softmax" not in result and "LogSoftmax" not in result:
    import sys

    def taken(*given, **named):
        result.append("Softmax")
        raise RuntimeError("a softmax of a library")

    homes = [(name, place) for name in ("softmax", "log_softmax")
             for place in ("tensorflow.nn", "keras.ops", "keras.activations", "scipy.special",
                           "keras.src.ops.nn", "keras.src.activations.activations")]
    kept = [(sys.modules[place], name, getattr(sys.modules[place], name)) for name, place in homes
            if place in sys.modules and hasattr(sys.modules[place], name)]
    kept += [(owner, name, getattr(owner, name)) for name in ("softmax", "log_softmax")
             for owner in (tf.nn, keras.ops, keras.activations) if hasattr(owner, name)]
    try:
        for owner, name, _ in kept:
            setattr(owner, name, taken)
        softmax(logits)
    except Exception:
        pass
    finally:
        for owner, name, function in kept:
            setattr(owner, name, function)
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
def checksoftmax_of(softmax, case):
    logits = (case.normal(size=(5, 4)) * 2).astype("float32")
    raw = np.exp(logits.astype("float64"))
    shifted = raw / raw.max(axis=1, keepdims=True)
    want = softmax_of(logits)
    mistakes = {
        "The exponentials are not divided by their row sum.": raw,
        "The exponentials, each row less its largest logit, are not divided by their row sum.": (
            shifted
        ),
        "The sum runs over the whole batch; each row has its own.": shifted / shifted.sum(),
        "The logits are divided by their largest: subtract it.": softmax_of(
            logits / logits.max(axis=1, keepdims=True)
        ),
        "The logits are divided by their largest size: subtract the largest logit.": softmax_of(
            logits / np.abs(logits).max(axis=1, keepdims=True)
        ),
        "Those are sigmoids, divided by their row sum: use exponentials.": sigmoid(logits)
        / sigmoid(logits).sum(axis=1, keepdims=True),
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
        advice="Each probability is exp(o_j) divided by the sum of the exponentials of its row, "
        "and nothing else.",
    )
    used = softmax.evaluate(_RECORDED, logits=logits)
    expect(
        not {"Softmax", "LogSoftmax"} & set(used),
        "The numbers are right, and they come from the softmax of a library. Build it yourself "
        "from exponentials, sums and comparisons.",
    )
    yield 0.5
    for logits, given in _extreme_logits(case):
        got = numbers(softmax(logits), "softmax(logits)")
        expect(
            np.isfinite(got).all(),
            f"Given {given}, NaN or infinity came back: subtract from each row its own largest "
            "logit before you take the exponential.",
        )
        expect_close(
            got,
            softmax_of(logits),
            given=given,
            what="softmax(logits)",
            advice="Only differences within a row count: subtract from each row its own largest "
            "logit, and change nothing else.",
        )


def _extreme_logits(case):
    """Return logits as large or small as they may be, each with the words for it."""
    base = np.round(case.normal(size=(5, 4)) * 2)
    shift = np.array([1000, -1000, 0, 80, -200], "float32")[:, None]
    apart = np.array([[3000.0, 0.0, -1.0], [-3000.0, 0.0, 1.0], [0.0, 1.0, -5000.0]])
    return (
        ((base + shift).astype("float32"), "rows near 1000 and near -1000"),
        (apart, "logits of one row that are thousands apart"),
        (np.array([[1e30, 0.0, -1e30], [1.0, 2.0, 3.0]]), "a row with ±1e30"),
        (case.normal(size=(1, 7)), "a single row"),
        (case.normal(size=(6, 1)) * 50, "a single class"),
    )


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
def check_scores(accuracy, confusion_matrix, case):
    yield Part(0.5, lambda: _expect_accuracy(accuracy, case))
    yield Part(0.5, lambda: _expect_confusion(confusion_matrix, case))


def _scores(case, n, classes):
    """Return scores and labels; the last class is never true."""
    labels = case.integers(0, classes - 1, size=n)
    scores = case.normal(size=(n, classes))
    scores[np.arange(n), labels] += 1.0
    return scores, labels


def _expect_accuracy(accuracy, case):
    for n, classes in ((61, 4), (40, 10), (7, 3)):
        scores, labels = _scores(case, n, classes)
        right = scores.argmax(1) == labels
        expect_close(
            accuracy(scores, labels),
            right.mean(),
            given=f"{n} rows of scores for {classes} classes",
            what="accuracy(scores, labels)",
            mistakes={
                "That is the number of right rows: divide it by the number of rows.": right.sum(),
                "That is the share of wrong rows.": 1 - right.mean(),
                "That is a percentage: an accuracy is a share between 0 and 1.": 100 * right.mean(),
                "The number of right rows is divided by the number of classes.": right.sum()
                / classes,
                "One entry per row came back: take their mean.": right,
                "The smallest score is taken; the predicted class has the largest.": np.mean(
                    scores.argmin(1) == labels
                ),
                "That is the share of rows with a score above 0.5 at the label: compare the "
                "largest score's place with it.": (scores[np.arange(n), labels] > 0.5).mean(),
                "The scores are rounded before the largest is taken.": np.mean(
                    scores.round().argmax(1) == labels
                ),
                "The largest size is taken, without the sign: take the largest score.": np.mean(
                    np.abs(scores).argmax(1) == labels
                ),
                "That is the mean over the classes of their own accuracies: every row counts the "
                "same.": np.mean([right[labels == label].mean() for label in set(labels)]),
                "The share is rounded to 2 digits: return it as it is.": round(right.mean(), 2),
            },
            advice="The predicted class of a row is the place of its largest score, "
            "`scores.argmax(axis=1)`.",
        )


def _expect_confusion(confusion_matrix, case):
    for n, classes, never, shift in (
        (61, 4, "true", 0.0),
        (61, 4, "true or predicted", 100.0),
        (200, 3, "true", 0.0),
    ):
        scores, labels = _scores(case, n, classes)
        scores[:, -1] -= shift
        want = np.zeros((classes, classes))
        for true, guess in zip(labels, scores.argmax(1), strict=True):
            want[true, guess] += 1
        given = f"{n} rows of scores for {classes} classes"
        got = numbers(confusion_matrix(scores, labels), "confusion_matrix(scores, labels)")
        expect(
            got.shape == want.shape,
            f"Given {given}, of which the last class is never {never}, a {classes} x {classes} "
            f"matrix was expected and the shape {got.shape} came back: the number of classes is "
            "the number of columns of `scores`.",
        )
        rows = np.maximum(want.sum(axis=1, keepdims=True), 1)
        least, largest = np.zeros_like(want), np.zeros_like(want)
        np.add.at(least, (labels, scores.argmin(1)), 1)
        np.add.at(largest, (labels, np.abs(scores).argmax(1)), 1)
        expect_close(
            got,
            want,
            given=given,
            what="confusion_matrix(scores, labels)",
            mistakes={
                "Rows and columns are exchanged: the row is the true class.": want.T,
                "Counts are asked for, not shares of the whole.": want / n,
                "Counts are asked for, not shares of each row.": want / rows,
                "Each pair is counted at most once: use `np.add.at` or a loop.": np.minimum(
                    want, 1
                ),
                "The smallest score is taken; the predicted class has the largest.": least,
                "The largest size is taken, without the sign: take the largest score.": largest,
                "Only the right rows are counted, on the diagonal: count every row.": np.diag(
                    np.diag(want)
                ),
                "All rows are counted as right: column j is the predicted class.": np.diag(
                    want.sum(axis=1)
                ),
            },
            advice="The predicted class of a row is the place of its largest score, "
            "`scores.argmax(axis=1)`.",
        )


def _with_late_bias(layers, X):
    for W, b in layers[:-1]:
        X = np.maximum(X @ W, 0) + b
    return X @ layers[-1][0] + layers[-1][1]


def _with_relu_in(layers, X, places):
    """Return the outputs of a network with ReLU after the layers in `places` alone."""
    for index, (W, b) in enumerate(layers):
        X = X @ W + b
        X = np.maximum(X, 0) if index in places else X
    return X


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
def check_forward(mlp_forward, case):
    for sizes in ((4, 3), (4, 6, 3), (4, 4, 4, 4), (4, 7, 5, 6, 3)):
        layers = random_layers(case, sizes)
        X = case.normal(size=(5, 4)).astype("float32")
        want = forward(X, layers)[1]
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
                "Return the logits: softmax comes later, with the loss.": softmax_of(want),
                "The last layer's bias is missing.": want - layers[-1][1],
                "The biases are missing.": forward(X, [(W, 0 * b) for W, b in layers])[1],
                "Hidden layers have the sigmoid; ReLU is asked for.": forward(X, layers, sigmoid)[
                    1
                ],
                "Hidden layers have tanh; ReLU is asked for.": forward(X, layers, np.tanh)[1],
                "Hidden layers take the absolute value: ReLU makes negative numbers 0.": forward(
                    X, layers, np.abs
                )[1],
                "The bias is added after ReLU: add it before.": _with_late_bias(layers, X),
                "ReLU follows the first layer alone: it follows every layer but the last.": (
                    _with_relu_in(layers, X, {0})
                ),
                "ReLU is missing before the last layer.": _with_relu_in(
                    layers, X, set(range(len(layers) - 2))
                ),
                "ReLU is applied to X: it follows layers, and X is no layer's output.": forward(
                    np.maximum(X, 0), layers
                )[1],
                "A part of the negative side passes, as in a leaky ReLU: ReLU drops it.": forward(
                    X, layers, lambda z: np.maximum(z, 0.01 * z)
                )[1],
                "Hidden layers of this depth are left out: go through all of `layers`.": (
                    forward(X, [layers[0], layers[-1]])[1]
                    if layers[0][0].shape[1] == layers[-1][0].shape[0]
                    else np.inf * want
                ),
            },
            advice="Layer by layer: an affine map X @ W + b, then ReLU, but not after the last.",
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
def check_sgd_step(sgd_step, case):
    settings = (((4, 6, 3), 8, 0.1), ((5, 6, 4, 3), 16, 0.5), ((4, 3), 5, 0.02))
    for number, (sizes, rows, rate) in enumerate(settings):
        layers = random_layers(case, sizes)
        X = case.normal(size=(rows, sizes[0])).astype("float32")
        y = case.integers(0, 3, size=rows)
        given = f"{rows} rows, layers of sizes {' -> '.join(map(str, sizes))}, learning rate {rate}"
        loss, new = expect_parts(
            _with_watch(lambda: sgd_step(layers, X, y, rate)),  # noqa: B023
            "the result of sgd_step",
            "loss",
            "new pairs",
        )
        losses, gradients = _loss_and_gradients(layers, X, y)
        logits, linear = forward(X, layers)[1], _with_relu_in(layers, X, ())
        expect_close(
            loss,
            losses.mean(),
            given=given,
            what="the loss before the step",
            rtol=1e-3,
            atol=1e-4,
            mistakes={
                "The loss is summed over the batch: take its mean.": losses.sum(),
                "One loss per row came back: take the mean.": losses,
                "That is the loss after the step: return the one from before.": (
                    _loss_and_gradients(_stepped(layers, gradients, rate), X, y)[0].mean()
                ),
                "There is no ReLU between the layers.": cross_entropy(linear, y).mean(),
                "ReLU follows the last layer, too: the loss takes the logits.": cross_entropy(
                    np.maximum(logits, 0), y
                ).mean(),
                "Softmax is applied twice: the cross-entropy takes logits, or probabilities with "
                "from_logits=False.": cross_entropy(softmax_of(logits), y).mean(),
                "Logits are taken for probabilities: say from_logits=True.": _as_probabilities(
                    logits, y
                ),
            },
            advice="The loss is the mean cross-entropy of the logits, with ReLU after every layer "
            "but the last.",
        )
        if number == 0:
            yield 0.3
        new = expect_layers(new, layers, "the new pairs")
        others = {
            "The gradient of ReLU is missing: it is 0 where the unit is off.": _gradients(
                layers, X, y, masked=False
            ),
            "The gradient goes back through the new weights: use the old ones in all layers.": (
                _gradients(layers, X, y, through=_stepped(layers, gradients, rate))
            ),
        }
        _expect_step_taken(new, layers, gradients, rate, rows, given, others)


def _as_probabilities(logits, y):
    """Return the loss of Keras's cross-entropy that takes logits for probabilities."""
    clipped = np.clip(logits, 1e-7, 1 - 1e-7)
    return -np.log(clipped[np.arange(len(y)), y] / clipped.sum(axis=1)).mean()


def _with_watch(call):
    """Call an answer; tell what it means if its tape watched nothing."""
    try:
        return call()
    except AnswerError as error:
        expect(
            "NoneType" not in error.message and "None" not in error.message,
            "A gradient is None, so the step cannot be taken. The tape records variables by "
            "itself, and tensors only after `tape.watch(...)`, called inside the `with` and before "
            "the forward pass; arrays have to become tensors first.",
        )
        raise


def _loss_and_gradients(layers, X, y):
    """Return the loss of each row, and the gradients of their mean by layer."""
    return cross_entropy(forward(X, layers)[1], y), _gradients(layers, X, y)


def _gradients(layers, X, y, *, masked=True, through=None):
    """Return the gradients of the mean loss by layer, or those of a known mistake.

    Args:
        layers: Pairs (W, b).
        X: Shape (n, d).
        y: Labels of shape (n,).
        masked: Whether the derivative of ReLU counts.
        through: Layers whose weights take the gradient back; `layers` without.
    """
    inputs, logits = forward(X, layers)
    delta = (softmax_of(logits) - np.eye(logits.shape[1])[y]) / len(y)
    gradients = []
    for index in reversed(range(len(layers))):
        gradients.insert(0, (inputs[index].T @ delta, delta.sum(0)))
        delta = delta @ (through or layers)[index][0].T
        delta = delta * (inputs[index] > 0) if masked else delta
    return gradients


def _stepped(layers, gradients, rate):
    return [
        tuple(old - rate * gradient for old, gradient in zip(pair, by, strict=True))
        for pair, by in zip(layers, gradients, strict=True)
    ]


def _expect_step_taken(new, layers, gradients, rate, rows, given, others):
    for index, (pair, by, got) in enumerate(zip(layers, gradients, new, strict=True)):
        for place, (name, old, gradient, part) in enumerate(zip("Wb", pair, by, got, strict=True)):
            visible = np.abs(gradient).max() * rate > 0.001
            expect_close(
                part,
                old - rate * gradient,
                given=given,
                what=f"the new {name} of layer {index}",
                rtol=1e-4,
                atol=2e-5,
                advice="It is the old one minus the learning rate times the gradient of the mean "
                "loss, once; all gradients belong to the old parameters.",
                mistakes={
                    "The step goes uphill: subtract the gradient.": old + rate * gradient,
                    "The gradient is summed over the batch: the loss is a mean.": old
                    - rate * rows * gradient,
                    "The gradient is not multiplied by the learning rate.": old - gradient,
                    "The learning rate is 0.1 whatever is given: use the argument.": old
                    - 0.1 * gradient,
                    f"{name} of layer {index} did not change.": old
                    if visible
                    else np.full_like(gradient, np.inf),
                    "That is the gradient, not the new value.": gradient,
                }
                | {
                    sentence: old - rate * wrong[index][place] for sentence, wrong in others.items()
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
def check_twin(functional_twin, case):
    for name, (shape, stack) in _STACKS.items():
        x = case.normal(size=(4, *shape)).astype("float32")
        got = functional_twin.evaluate(_TWIN.format(stack=stack), x=x)
        given = f"a Sequential of {name}"
        expect(
            got["kind"] != "no model",
            f"Given {given}: functional_twin should return a keras.Model; no model came back.",
        )
        expect(
            got["kind"] != "other outputs",
            f"Given {given}: your model returns a dict or a list. Return one output, as the given "
            "model does: keras.Model(inputs, outputs) with one tensor each.",
        )
        expect(
            not got["itself"] and got["kind"] != "Sequential",
            f"Given {given}, a Sequential came back: build a new model with keras.Input and "
            "keras.Model.",
        )
        _expect_same_outputs(*got["before"], given, "")
        if name == "two dense layers":
            yield 0.5
        for whose in ("the given model", "your model"):
            _expect_same_outputs(*got[whose], given, f", after the weights of {whose} were changed")


_STACKS = {
    "two dense layers": (
        (6,),
        "keras.layers.Dense(5, activation='relu'), keras.layers.Dense(3)",
    ),
    "a dense, a batch normalization and a dropout layer": (
        (6,),
        "keras.layers.Dense(5), keras.layers.BatchNormalization(), keras.layers.Dropout(0.5), "
        "keras.layers.Dense(3)",
    ),
    "one layer": ((6,), "keras.layers.Dense(3)"),
    "layers whose inputs have the shape (2, 3)": (
        (2, 3),
        "keras.layers.Dense(4), keras.layers.Reshape((4, 2)), keras.layers.Flatten()",
    ),
}
# No layer may be left out without a trace: all weights, of normalization as well, are drawn.
_TWIN = """
model = keras.Sequential([keras.Input(x.shape[1:]), {stack}])
draw = np.random.default_rng(0)
model.set_weights([draw.uniform(0.3, 1.5, weight.shape) for weight in model.get_weights()])
twin = functional_twin(model)
result = {{"kind": type(twin).__name__, "itself": twin is model}}
if not isinstance(twin, keras.Model):
    result["kind"] = "no model"
elif isinstance(twin(x), dict | list | tuple):
    result["kind"] = "other outputs"
else:
    outputs = lambda: (np.asarray(twin(x)), np.asarray(model(x)))
    result["before"] = outputs()
    model.set_weights([2 * weight + 1 for weight in model.get_weights()])
    result["the given model"] = outputs()
    twin.set_weights([weight / 3 + 0.1 for weight in twin.get_weights()])
    result["your model"] = outputs()
"""


def _expect_same_outputs(twin, model, given, when):
    twin, model = numbers(twin, "twin(x)"), numbers(model, "model(x)")
    expect(
        twin.shape == model.shape and np.allclose(twin, model, rtol=1e-3, atol=1e-4),
        f"Given {given}{when}: the two models give different outputs. "
        + (
            "The twin must call the model's own layers, not copies of them."
            if when
            else "The twin should call each layer of the model once, in their order."
        ),
    )


# --- d2l 5.2: experiments -----------------------------------------------------------------------


# Runs an answer with `train` replaced by one that is instant and gives numbers that no other
# arguments give; the answer's numbers then tell how it called `train` and what it took from it.
_WITH_FAKE_TRAIN = """
import zlib
space = {function}.__globals__
real = space.get("train")
calls = []

def described(hidden_units=(128,), *, epochs=8, seed=0, **settings):
    units = (hidden_units,) if isinstance(hidden_units, int) else tuple(hidden_units)
    named = {{"hidden_units": tuple(int(n) for n in units), "epochs": int(epochs),
             "seed": int(seed)}}
    usual = {{"learning_rate": 0.1, "activation": "relu", "kernel_initializer": "glorot_uniform"}}
    for name, value in sorted(settings.items()):
        value = float(value) if isinstance(value, int | float | np.number) else value
        if name not in usual or value != usual[name]:
            named[name] = value
    return ", ".join(f"{{name}}={{value!r}}" for name, value in named.items())

def history_of(*given, **named):
    draw = np.random.default_rng(zlib.crc32(described(*given, **named).encode()))
    names = ("accuracy", "loss", "val_accuracy", "val_loss")
    epochs = int(named.get("epochs", 8))
    history = {{name: draw.uniform(0.2, 0.9, size=epochs).round(4).tolist() for name in names}}
    history["val_accuracy"][epochs // 2] = 0.95  # the best epoch is not the first
    history["val_accuracy"][-1] = round(float(draw.uniform(0.2, 0.5)), 4)
    return history

def train(*given, **named):
    calls[-1].append(described(*given, **named))
    return history_of(*given, **named)

answers = []
try:
    space["train"] = train
    for arguments in given:
        calls.append([])
        answers.append({function}(*arguments))
finally:
    if real is None:
        space.pop("train", None)
    else:
        space["train"] = real
result = {{"calls": calls, "answers": answers,
          "wanted": [history_of(**arguments) for arguments in wanted],
          "called": [described(**arguments) for arguments in wanted],
          "unseeded": [history_of(**(dict(arguments) | {{"seed": 0}})) for arguments in wanted]}}
"""


def _faked(answer, given, wanted):
    """Return what `answer` made of a fake `train`, and the histories that it should have got."""
    try:
        found = answer.evaluate(
            _WITH_FAKE_TRAIN.format(function=answer.name), given=given, wanted=wanted
        )
    except AnswerError as error:
        expect(
            error.kind != "AttributeError" or "__globals__" not in error.message,
            f"`{answer.name}` should be a function: define it with `def {answer.name}(...):`.",
        )
        raise
    return found


def _other_call(name, calls, wanted, entry):
    """Return the sentence for a number that is none of the known mistakes.

    An answer that keeps its runs may call nothing and be right; this sentence is for wrong numbers.
    """
    if not calls:
        return f"`{name}` never calls `train`, so nothing is trained when it is called."
    if calls == [wanted]:
        return f"`train` is called as it should be; take {entry} from its history."
    asked = " and then ".join(f"train({call})" for call in calls)
    return f"call train({wanted}) and take {entry} from its history. You called {asked}."


def _expect_last_accuracy(answer, given, wanted):
    """Expect the validation accuracy after the last epoch of the run with the wanted arguments."""
    found = _faked(answer, given, wanted)
    names = ("answers", "wanted", "unseeded", "calls", "called")
    pairs = zip(given, *(found[name] for name in names), strict=True)
    for arguments, got, history, unseeded, calls, called in pairs:
        shown = ", ".join(map(repr, arguments))
        curve = history["val_accuracy"]
        got = numbers(got, f"{answer.name}({shown})")
        other = _other_call(answer.name, calls, called, 'the last entry of "val_accuracy"')
        expect_close(
            got,
            curve[-1],
            given=f"{answer.name}({shown})",
            what="the accuracy",
            mistakes={
                "that is the accuracy on the training images: take val_accuracy.": history[
                    "accuracy"
                ][-1],
                "that is the best epoch, chosen after the fact: take the last one.": max(curve),
                "that is the first epoch: take the last one.": curve[0],
                "that is the mean over the epochs: take the last one.": float(np.mean(curve)),
                "that is a loss: take val_accuracy.": history["val_loss"][-1],
                "the whole curve came back: take its last entry.": curve,
                "the seed is not passed on to `train`, so all seeds give one run.": unseeded[
                    "val_accuracy"
                ][-1],
                "that is a percentage: an accuracy is a share between 0 and 1.": 100 * curve[-1],
                other: got,
            },
        )


def _run_again(answer, **arguments):
    """Return "val_accuracy" of one run of the page's `train`.

    The answer itself is not asked: it may look up the table that is to be judged.
    """
    source = f"result = {answer.name}.__globals__['train'](**arguments)['val_accuracy']"
    return numbers(answer.evaluate(source, arguments=arguments), "val_accuracy")


def _expect_run(run, told, what, seed=0, seeds=()):
    """Expect the accuracies of a table, but for a few images, if a network is trained again.

    Args:
        run: Returns the accuracies by seed.
        told: What the table says.
        what: Its place in the table.
        seed: The seed that belongs to this place.
        seeds: Other seeds, for which the run may have been mistaken.
    """
    told, again = numbers(told, what), run(seed)
    if again.shape == told.shape and np.allclose(again, told, rtol=0, atol=_FEW_IMAGES):
        return
    for other in {*seeds} - {seed}:
        expect(
            not np.array_equal(run(other), told),
            f"{what} is what seed {other} gives, and its place is for seed {seed}: list the runs "
            "with the seeds 0, 1 and 2, in this order.",
        )
    worst = np.unravel_index(int(np.argmax(np.abs(again - told))), told.shape)
    shown = show_apart(float(told[worst]), float(again[worst]))
    place = f", at epoch {worst[0] + 1}," if told.ndim else ""
    raise NotYet(
        f"{what} says {shown[0]}{place} and `train` gives {shown[1]} when the check runs it with "
        f"these settings and seed {seed}. Fill the table by calling your function."
    )


_QUESTIONS = {
    "width": "hidden_units",
    "depth": "hidden_units",
    "bottleneck": "hidden_units",
    "activation": "activation",
    "start": "kernel_initializer",
}


@exercise(
    "2.17",
    "One change at a time",
    aliases=("5.2.1", "5.2.2", "5.2.3", "5.2.8", "5.2.9"),
    kind="X",
    points=8,
    minutes=50,
    stars=2,
    hints=(
        "All five questions are one experiment with other settings: a function that trains one "
        "network with one seed, and two loops that call it.",
        '`accuracy_of` is one line: `train(**settings, seed=seed)["val_accuracy"][-1]`. Each entry '
        'of `networks` is a dict from a label to settings, such as {"2 units": {"hidden_units": '
        "(2,)}}.",
        "`results = {question: {label: [accuracy_of(settings, seed) for seed in range(3)] for "
        "label, settings in choices.items()} for question, choices in networks.items()}`",
    ),
)
def check_one_change(accuracy_of, networks, results, case):
    seeds = case.integers(100, 1000, size=4).tolist()

    def results_are_those_of_a_right_function():
        _expect_accuracy_of(accuracy_of, seeds)
        _expect_results(accuracy_of, networks.value, results.value, case)

    yield Part(0.25, lambda: _expect_accuracy_of(accuracy_of, seeds))
    yield Part(0.25, lambda: _expect_networks(networks.value))
    yield Part(0.5, results_are_those_of_a_right_function)


def _expect_accuracy_of(accuracy_of, seeds):
    settings = (
        {"hidden_units": (32,), "activation": "tanh"},
        {"kernel_initializer": "he_normal", "learning_rate": 0.3},
        {"hidden_units": (64, 16)},
        {},
    )
    given = list(zip(settings, seeds, strict=True))
    wanted = [chosen | {"seed": seed} for chosen, seed in given]
    _expect_last_accuracy(accuracy_of, given, wanted)


def _units(settings):
    """Return the hidden units of settings as a tuple."""
    units = settings["hidden_units"]
    units = (units,) if isinstance(units, int) else units
    expect(
        isinstance(units, tuple | list) and all(isinstance(n, int) and n > 0 for n in units),
        f"hidden_units should be a tuple of whole numbers, such as (128,); got {show(units)}.",
    )
    return tuple(units)


def _choices(networks):
    """Return the settings to try by question and label, each of which changes one thing."""
    networks = expect_mapping(networks, "`networks`", keys=_QUESTIONS)
    for question, argument in _QUESTIONS.items():
        choices = expect_mapping(networks[question], f"networks[{question!r}]", at_least=2)
        for label, settings in choices.items():
            what = f"networks[{question!r}][{label!r}]"
            settings = expect_mapping(settings, what)
            expect(
                set(settings) == {argument},
                f"{what} has the settings {list(settings)}. Change one thing at a time: here only "
                f"{argument!r}.",
            )
    return networks


def _expect_networks(networks):
    networks = _choices(networks)
    widths = [_units(settings) for settings in networks["width"].values()]
    expect(
        all(len(units) == 1 for units in widths) and len(set(widths)) >= 5,
        "networks['width'] needs at least five different networks with one hidden layer.",
    )
    expect(
        min(widths)[0] <= 4 and max(widths)[0] >= 256,
        f"The widths run from {min(widths)[0]} to {max(widths)[0]}: include one of at most 4 units "
        "and one of at least 256.",
    )
    depths = {_units(settings) for settings in networks["depth"].values()}
    expect(
        {(128,), (128, 128)} <= depths,
        "networks['depth'] needs the hidden units (128,) and (128, 128).",
    )
    necks = {_units(settings) for settings in networks["bottleneck"].values()}
    expect(
        (1, 128) not in necks,
        "networks['bottleneck'] has the hidden units (1, 128): there the single neuron comes first "
        "and reads the pixels. Put it after the 128 units: (128, 1).",
    )
    expect(
        {(128,), (128, 1)} <= necks,
        "networks['bottleneck'] needs the hidden units (128,) and (128, 1).",
    )
    functions = {str(chosen["activation"]) for chosen in networks["activation"].values()}
    missing = {"relu", "sigmoid", "tanh"} - functions
    expect(not missing, f"networks['activation'] lacks {', '.join(sorted(missing))}.")
    expect(len(functions) >= 4, "networks['activation'] needs one more activation function.")
    starts = [chosen["kernel_initializer"] for chosen in networks["start"].values()]
    zeros = {"zeros", "Zeros", "a Zeros"}  # the names, and a keras.initializers.Zeros()
    expect(
        any(str(start) in zeros for start in starts),
        "networks['start'] lacks the initializer 'zeros'.",
    )
    # An initializer object is known by its class alone; only names can be told to be the same.
    others = [str(start) for start in starts if str(start) not in zeros]
    names = {start for start in others if not start.startswith("a ")}
    expect(
        len(names) + sum(start.startswith("a ") for start in others) >= 3,
        "networks['start'] needs 'zeros' and at least three different other starts.",
    )


def _expect_results(accuracy_of, networks, results, case):
    networks = _choices(networks)
    results = expect_mapping(results, "`results`", keys=_QUESTIONS)
    for question, choices in networks.items():
        if question not in _QUESTIONS:
            continue
        table = expect_mapping(results[question], f"results[{question!r}]", keys=choices)
        for label in choices:
            what = f"results[{question!r}][{label!r}]"
            runs = numbers(table[label], what).ravel()
            expect(
                runs.size >= 3,
                f"{what} has {runs.size} number(s); one accuracy for each of the seeds 0, 1 and 2 "
                "is asked for. One run alone does not tell a difference from the luck of its seed.",
            )
            for seed, run in enumerate(runs):
                _share(float(run), f"{what}[{seed}]")
    places = [(question, label) for question in _QUESTIONS for label in networks[question]]
    narrow = min(networks["width"], key=lambda label: _units(networks["width"][label]))
    drawn = [places[index] for index in case.permutation(len(places))[:2]]
    for (question, label), seed in zip([("width", narrow), *drawn], (2, 1, 2), strict=True):
        told = float(numbers(results[question][label], "the accuracies").ravel()[seed])
        what = f"results[{question!r}][{label!r}][{seed}]"
        settings = networks[question][label]
        _expect_run(
            lambda seed: _run_again(accuracy_of, **settings, seed=seed)[-1],  # noqa: B023
            told,
            what,
            seed,
            range(4),
        )


explanation(
    "2.18",
    "What mattered, and by how much",
    aliases=("5.2.1-explain", "5.2.2-explain", "5.2.8-explain", "5.2.9-explain"),
    points=3,
    minutes=10,
    stars=2,
    hints=(
        "Compare two numbers for each question: the gap between means, and the spread of the seeds "
        "within one setting.",
        "A gap of several spreads is a result; a gap of about one spread is none.",
        "One sentence for each of width, depth, activation and start: the two numbers, then what "
        "you conclude.",
    ),
    rubric=(
        (2, "judges each of the four by its gap and the spread over seeds, with numbers"),
        (1, "draws no conclusion from gaps within the spread, and names a width to use"),
    ),
)


explanation(
    "2.19",
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


_FAST_ENOUGH = 0.7


@exercise(
    "2.20",
    "Learning rate and epochs",
    aliases=("5.2.4",),
    kind="X",
    points=4,
    minutes=25,
    stars=2,
    hints=(
        "One run of twelve epochs already contains every shorter run: keep the whole curve.",
        f"For each rate take the mean of the three curves, epoch by epoch, and look for the first "
        f"epoch at which it is at least {_FAST_ENOUGH}.",
        "`np.mean(curves[rate], axis=0)` has 12 entries; `np.flatnonzero(mean >= 0.7)` the places "
        "where it is high enough; the epoch is the first place plus 1, or None if there is none.",
    ),
)
def check_learning_rate_and_epochs(curve_of, curves, epochs_needed, case):
    seeds = case.integers(100, 1000, size=2).tolist()

    def curves_are_those_of_a_right_function():
        _expect_curve_of(curve_of, seeds)
        _expect_curves(curve_of, curves.value, case)

    yield Part(0.25, lambda: _expect_curve_of(curve_of, seeds))
    yield Part(0.5, curves_are_those_of_a_right_function)
    yield Part(0.25, lambda: _expect_epochs_needed(curves.value, epochs_needed.value))


def _expect_curve_of(curve_of, seeds):
    given = list(zip((0.02, 0.7), seeds, strict=True))
    wanted = [{"learning_rate": rate, "seed": seed, "epochs": 12} for rate, seed in given]
    found = _faked(curve_of, given, wanted)
    names = ("answers", "wanted", "unseeded", "calls", "called")
    pairs = zip(given, *(found[name] for name in names), strict=True)
    for (rate, seed), got, history, unseeded, calls, called in pairs:
        got = numbers(got, "the result of curve_of")
        expect(
            got.shape == (12,),
            f"curve_of({rate}, {seed}) should return 12 numbers, one per epoch; got the shape "
            f"{got.shape}.",
        )
        expect_close(
            got,
            history["val_accuracy"],
            given=f"curve_of({rate}, {seed})",
            what="the validation accuracies",
            mistakes={
                "these are accuracies on the training images: take val_accuracy.": history[
                    "accuracy"
                ],
                "the seed is not passed on to `train`.": unseeded["val_accuracy"],
                "these are losses: take val_accuracy.": history["val_loss"],
                _other_call(curve_of.name, calls, called, '"val_accuracy"'): got,
            },
        )


def _curve_table(curves):
    """Return the curves as arrays of shape (seeds, 12) by learning rate."""
    table = {}
    for rate, runs in expect_mapping(curves, "`curves`", at_least=5).items():
        number = expect_number(rate, f"the learning rate {show(rate)}")
        expect(number > 0, f"The learning rate {show(rate)} in `curves` is not positive.")
        array = numbers(runs, f"curves[{rate}]")
        expect(
            array.ndim == 2 and array.shape[1] == 12 and len(array) >= 3,
            f"curves[{rate}] should hold one curve of 12 epochs for each of the seeds 0, 1 and 2; "
            f"its shape is {array.shape}.",
        )
        for value in array.ravel():
            _share(float(value), f"an entry of curves[{rate}]")
        table[number] = array
    rates = sorted(table)
    expect(
        rates[-1] >= 99 * rates[0],
        f"The rates run from {rates[0]:g} to {rates[-1]:g}: cover at least two powers of ten.",
    )
    return table


def _expect_curves(curve_of, curves, case):
    table = _curve_table(curves)
    rates = sorted(table)
    seeds = case.permutation([1, 2]).tolist()
    for rate, seed in zip((rates[0], rates[int(case.integers(1, len(rates)))]), seeds, strict=True):
        what = f"curves[{rate:g}][{seed}]"
        _expect_run(
            lambda seed: _run_again(curve_of, learning_rate=rate, epochs=12, seed=seed),  # noqa: B023
            table[rate][seed],
            what,
            seed,
            range(4),
        )
    best = max(float(runs.mean(axis=0).max()) for runs in table.values())
    expect(
        best > _FAST_ENOUGH,
        f"No rate reaches an accuracy of {_FAST_ENOUGH}: widen the range of rates.",
    )


# The mean of three curves may miss the level by rounding alone.
_LEVELS = (_FAST_ENOUGH, _FAST_ENOUGH - 1e-9, _FAST_ENOUGH + 1e-9)


def _first_epoch(runs, level):
    """Return the first epoch at which the mean curve is at least `level`, or None."""
    enough = np.flatnonzero(runs.mean(axis=0) >= level)
    return int(enough[0]) + 1 if enough.size else None


def _expect_epochs_needed(curves, needed):
    table = _curve_table(curves)
    needed = expect_mapping(needed, "`epochs_needed`")
    told = {
        expect_number(rate, "a key of `epochs_needed`"): value for rate, value in needed.items()
    }
    for rate, runs in table.items():
        expect(rate in told, f"`epochs_needed` lacks the learning rate {rate:g}.")
        first, *same = (_first_epoch(runs, level) for level in _LEVELS)
        said = told[rate]
        if said is not None:
            said = expect_number(said, f"epochs_needed[{rate:g}]")
        expect(
            said == first or said in same,
            f"epochs_needed[{rate:g}] is {show(said)}, but the mean of your curves is at least "
            f"{_FAST_ENOUGH} "
            + (f"from epoch {first} on." if first else "in no epoch, so the entry is None.")
            + (" Epochs count from 1." if first and said == first - 1 else ""),
        )


_SEARCHED = ("learning_rate", "epochs", "hidden_layers", "hidden_units")


@exercise(
    "2.21",
    "A joint search",
    aliases=("5.2.5a",),
    kind="X",
    points=3,
    minutes=30,
    stars=3,
    hints=(
        "A grid over four quantities grows fast: list the values first and multiply.",
        "`score` turns a configuration into arguments of `train`: the hidden units are "
        "(hidden_units,) * hidden_layers.",
        "`itertools.product` over the values makes configurations; each row is "
        "{**configuration, 'accuracy': score(configuration)}; the best is `max(rows, key=...)`.",
    ),
)
def check_joint_search(score, joint_search, best_configuration, case):
    def rows_are_those_of_a_right_function():
        _expect_score(score)
        _expect_search(score, _rows(joint_search), case)

    yield Part(1 / 3, lambda: _expect_score(score))
    yield Part(1 / 3, rows_are_those_of_a_right_function)
    yield Part(1 / 3, lambda: _expect_best(_rows(joint_search), best_configuration.value))


def _arguments(configuration):
    """Return the arguments of `train` for a configuration of the search."""
    return {
        "hidden_units": (int(configuration["hidden_units"]),) * int(configuration["hidden_layers"]),
        "learning_rate": configuration["learning_rate"],
        "epochs": int(configuration["epochs"]),
    }


def _expect_score(score):
    configurations = [
        {"learning_rate": 0.03, "epochs": 5, "hidden_layers": 3, "hidden_units": 16},
        {"learning_rate": 0.4, "epochs": 3, "hidden_layers": 1, "hidden_units": 200},
    ]
    wanted = [_arguments(chosen) | {"seed": 0} for chosen in configurations]
    _expect_last_accuracy(score, [(chosen,) for chosen in configurations], wanted)


def _rows(joint_search):
    """Return the rows of the search as dicts with the four quantities and the accuracy."""
    rows = joint_search.value
    if hasattr(rows, "to_dict"):
        rows = rows.to_dict("records")
    expect(
        isinstance(rows, list | tuple) and all(isinstance(row, dict) for row in rows),
        f"`joint_search` should be a list of dicts, one per row, or a table; got {show(rows)}.",
    )
    expect(len(rows) >= 12, f"joint_search has {len(rows)} rows, and at least 12 were asked for.")
    for row in rows:
        missing = [name for name in (*_SEARCHED, "accuracy") if name not in row]
        expect(not missing, f"A row of joint_search lacks {', '.join(missing)}.")
        for name in _SEARCHED:
            value = expect_number(row[name], f"{name} in joint_search")
            expect(value > 0, f"{name} in joint_search is {value:g}; it should be positive.")
        _share(row["accuracy"], "an accuracy in joint_search")
    return rows


def _setting(row):
    return tuple(float(row[name]) for name in _SEARCHED)


def _expect_search(score, rows, case):
    seen = [_setting(row) for row in rows]
    expect(len(set(seen)) == len(seen), "Two rows of joint_search describe the same configuration.")
    for position, name in enumerate(_SEARCHED):
        values = {setting[position] for setting in seen}
        expect(
            len(values) > 1,
            f"Every row has {name} = {values.pop():g}: a joint search varies all four quantities.",
        )
    longest = max(row["epochs"] for row in rows)
    short = [row for row in rows if row["epochs"] < longest]
    for choices in (rows, short):
        row = choices[int(case.integers(len(choices)))]
        configuration = {name: row[name] for name in _SEARCHED}
        what = f"the accuracy of {configuration} in joint_search"
        arguments = _arguments(configuration)
        _expect_run(
            lambda seed: _run_again(score, **arguments, seed=seed)[-1],  # noqa: B023
            row["accuracy"],
            what,
        )


def _expect_best(rows, best):
    if hasattr(best, "to_dict"):
        best = best.to_dict()
    best = expect_mapping(best, "`best_configuration`", keys=_SEARCHED)
    for name in _SEARCHED:
        expect_number(best[name], f"{name} in best_configuration")
    seen = {_setting(row): row["accuracy"] for row in rows}
    expect(_setting(best) in seen, "best_configuration is not a row of joint_search.")
    top = max(seen.values())
    expect(
        seen[_setting(best)] == top,
        f"best_configuration has the accuracy {seen[_setting(best)]:.4f} in your table, and "
        f"another row has {top:.4f}.",
    )


explanation(
    "2.22",
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


def _halve(scores, *, lower=False, frozen=False, added=False, last=False):
    """Return the winner and the rounds of successive halving, or those of a known mistake.

    Args:
        scores: Shape (configurations, rounds): what each one scores in each round.
        lower: Whether the lowest scores are kept.
        frozen: Whether the scores of the first round decide all rounds.
        added: Whether the scores of all rounds so far are added up.
        last: Whether the last round's best of all configurations wins.
    """
    left, number, rounds = list(range(len(scores))), 0, []
    while len(left) > 1:
        rounds.append((2**number, len(left)))
        first = 0 if added or frozen else number
        now = scores[:, first : 1 if frozen else number + 1].sum(axis=1)
        left = sorted(left, key=lambda index: now[index] * (1 if lower else -1))[: len(left) // 2]  # noqa: B023
        number += 1
    return (int(np.argmax(scores[:, max(number - 1, 0)])) if last else left[0]), rounds


_HALVING_MISTAKES = {
    "those with the lowest scores were kept: a higher score is better.": {"lower": True},
    "the scores of the first round decided everything: in every round, score those that are "
    "left anew, with that round's epochs.": {"frozen": True},
    "the scores of all rounds were added up: only those of the present round count.": {
        "added": True
    },
    "the winner has the best score of the last round, but was dropped in an earlier one.": {
        "last": True
    },
}


def _draw_scores(case, count):
    """Return scores of `count` configurations, few of them above the mean.

    From five configurations on no known mistake finds the winner, and from eight on each of them
    finds another one.
    """
    while True:
        scores = np.stack([1.5 ** case.permutation(count) - 2.5 for _ in range(6)], axis=1)
        others = [_halve(scores, **mistake)[0] for mistake in _HALVING_MISTAKES.values()]
        told_apart = count < 8 or len(set(others)) == len(others)
        if count < 5 or told_apart and _halve(scores)[0] not in others:
            return scores


@exercise(
    "2.23",
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
def check_halving(successive_halving, case):
    evaluate = code("lambda c, epochs: table[c['name']][int(np.log2(epochs))]", table=[])
    for count in (8, 5, 16, 7, 3, 2, 1):
        scores = _draw_scores(case, count)
        configurations = [{"name": index} for index in range(count)]
        evaluate = code(evaluate.source, table=scores.tolist())
        winner, rounds = expect_parts(
            successive_halving(configurations, evaluate),
            "the result of successive_halving",
            "winner",
            "rounds",
        )
        _expect_rounds(rounds, _halve(scores)[1], f"{count} configurations")
        if count == 8:
            yield 0.3
        _expect_winner(winner, scores, f"{count} configurations")


def _expect_rounds(rounds, wanted, given):
    expect(
        isinstance(rounds, list | tuple | np.ndarray),
        f"The rounds should be a list of pairs (epochs, configurations); got {show(rounds)}.",
    )
    pairs = [expect_parts(pair, "a round", "epochs", "configurations") for pair in rounds]
    got = [tuple(expect_number(part, "an entry of a round") for part in pair) for pair in pairs]
    expect(
        got == wanted,
        f"Given {given}, the rounds (epochs, configurations) {wanted} were expected and "
        f"{[tuple(map(int, pair)) for pair in got]} came back: each round halves the "
        "configurations, rounded down, and doubles the epochs, until one is left.",
    )


def _expect_winner(winner, scores, given):
    expect(
        isinstance(winner, dict) and "name" in winner,
        f"Given {given}: the winner should be one of the given configurations; got {show(winner)}.",
    )
    got, best = winner["name"], _halve(scores)[0]
    if got == best:
        return
    for sentence, mistake in _HALVING_MISTAKES.items():
        expect(got != _halve(scores, **mistake)[0], f"Given {given}, {sentence}")
    raise NotYet(
        f"Given {given}, configuration {best} should win and {got} came back: keep the "
        "configurations with the highest scores of the round."
    )


explanation(
    "2.24",
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


# Both ways to step are watched, and each is slowed down by a time of its own: a number that does
# not follow is not the time of that step.
_STEP = """
import time

seen = {"keras": [], "scratch": [], "gradients": [], "traced": 0, "sizes": {}}
inside = []
space = getattr(step_seconds, "__globals__", {})
usual_step, usual_gradient = keras.Model.train_on_batch, tf.GradientTape.gradient
given_step = space.get("train_step")

def keras_step(self, *given, **named):
    x = given[0] if given else named["x"]
    start = time.perf_counter()
    inside.append(1)
    try:
        return usual_step(self, *given, **named)
    finally:
        inside.pop()
        time.sleep(pauses["keras"])
        seen["keras"].append(time.perf_counter() - start)
        seen["sizes"]["keras"] = [int(np.shape(x)[0]), [tuple(w.shape) for w in self.weights]]

def gradient(tape, target, sources, *given, **named):
    start = time.perf_counter()
    result = usual_gradient(tape, target, sources, *given, **named)
    if not inside and tf.executing_eagerly():
        time.sleep(pauses["scratch"])
        seen["gradients"].append(time.perf_counter() - start)
        shapes = [tuple(source.shape) for source in tf.nest.flatten(sources)]
        seen["sizes"].setdefault("scratch", [256, shapes])[1] = shapes
    elif not inside:
        seen["traced"] += 1
    return result

def scratch_step(parameters, X, *given, **named):
    start, before = time.perf_counter(), len(seen["gradients"])
    result = given_step(parameters, X, *given, **named)
    if len(seen["gradients"]) > before:
        seen["scratch"].append(time.perf_counter() - start)
        seen["sizes"]["scratch"][0] = int(np.shape(X)[0])
    return result

try:
    keras.Model.train_on_batch, tf.GradientTape.gradient = keras_step, gradient
    if given_step is not None:
        space["train_step"] = scratch_step
    told = step_seconds(width)
finally:
    del keras.Model.train_on_batch
    tf.GradientTape.gradient = usual_gradient
    if given_step is not None:
        space["train_step"] = given_step
result = told, seen
"""


def _expect_step_times(step_seconds, width, pauses):
    """Expect the times of the steps that were taken while the answer ran."""
    told, seen = step_seconds.evaluate(_STEP, width=width, pauses=pauses)
    what = f"step_seconds({width})"
    told = expect_mapping(told, what, keys=pauses)
    expect(
        seen["keras"],
        "`step_seconds` never calls `train_on_batch`: build the network of this width and time its "
        "steps each time the function is called.",
    )
    expect(
        seen["gradients"],
        f"While {what} ran, no "
        + (
            "eager step was taken from scratch, only a traced one: time `train_step` without "
            "`tf.function`."
            if seen["traced"]
            else "gradient was taken from scratch: time the whole step, `train_step`, each time "
            "the function is called."
        ),
    )
    for name, (rows, shapes) in seen["sizes"].items():
        matrices = [tuple(shape) for shape in shapes if len(shape) == 2]
        expect(
            matrices == [(784, width), (width, 10)],
            f"While {what} ran, the weight matrices of the step timed as {name!r} had the shapes "
            f"{', '.join(map(str, matrices))}; with one hidden layer of that width they are "
            f"(784, {width}) and ({width}, 10).",
        )
        expect(
            rows == 256,
            f"While {what} ran, the step timed as {name!r} got {rows} images; 256 are asked for.",
        )
    # A step of one's own may take longer than its gradient, which is all that is seen of it.
    bounds = {"keras": _bounds(seen["keras"]), "scratch": _bounds(seen["gradients"], slack=10)}
    if seen["scratch"]:
        bounds["scratch"] = _bounds(seen["scratch"])
    times = {name: expect_number(told[name], f"{what}[{name!r}]") for name in bounds}
    expect(
        not all(low < times[name] / 1000 < high for name, (low, high) in bounds.items()),
        f"{what} returned {show(times)}: are these milliseconds? Seconds are asked for.",
    )
    for name, (low, high) in bounds.items():
        got, place, pause = times[name], f"{what}[{name!r}]", pauses[name]
        other = bounds["keras" if name == "scratch" else "scratch"]
        expect(
            low <= got <= high or not other[0] <= got <= other[1],
            f"{place} is {got:.2g} s, which is the time of the other step: are the two exchanged, "
            "or is the same step timed twice?",
        )
        expect(got > 0, f"{place} is {got:g} s; a time is positive.")
        expect(
            got >= low,
            f"{place} is {got:.2g} s, and each of these steps took {low:.2g} s or more while the "
            f"check watched, since it made them {pause:.2g} s slower. That number is not the time "
            "of the step: time the call itself, each time the function is called.",
        )
        expect(
            got <= high,
            f"{place} is {got:.2g} s, and after the first of these steps none took longer than "
            f"{high:.2g} s while the check watched. Is the first call, with its tracing, part of "
            "the time, or more than one step?",
        )


def _bounds(times, slack=1.2):
    """Return the least and the largest time that fits the steps; the first one traces."""
    return 0.95 * min(times), slack * max(times[1:] or [0.0]) + 0.002


@exercise(
    "2.25",
    "Scratch against framework",
    aliases=("5.2.6",),
    kind="X",
    points=3,
    minutes=20,
    stars=2,
    hints=(
        "Let both do the same work: the same network, the same batch, one training step.",
        "`seconds` calls an action once before it looks at the clock, since tracing costs a "
        "second, and returns the shortest of several repetitions.",
        "Make parameters and model of this width, then return {'scratch': seconds(lambda: "
        "train_step(...), 10), 'keras': seconds(lambda: model.train_on_batch(...), 10)}.",
    ),
)
def check_step_seconds(step_seconds, case):
    for width in (300, 16):
        pauses = {
            "keras": float(case.uniform(0.02, 0.04)),
            "scratch": float(case.uniform(0.07, 0.1)),
        }
        _expect_step_times(step_seconds, width, pauses)
        yield 0.5


_PRODUCT = """
import time

def spread(action):
    action()
    times = []
    for _ in range(7):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return [min(times), max(times)]

start = time.perf_counter()
told = matmul_seconds(size)
took = time.perf_counter() - start
a, b = tf.random.normal((2, size, size))
c, d = a.numpy(), b.numpy()
result = told, took, spread(lambda: tf.matmul(a, b).numpy()) + spread(lambda: c @ d)
"""


def _expect_product_time(matmul_seconds, size, factor):
    """Expect a time within a factor of the check's own; a busy machine gets three attempts."""
    what = f"matmul_seconds({size})"
    for attempt in range(3):
        told, took, own = matmul_seconds.evaluate(_PRODUCT, size=size)
        told = expect_number(told, what)
        expect(told > 0, f"{what} is {told:g} s; a time is positive.")
        # TensorFlow's products and NumPy's swing, each in its own way: all of them are right.
        near = min(max(told, min(own)), max(own))
        expect(
            not took < told < 100 * near,
            f"{what} says that a product takes {show(told)} s, and it returned after {took:.1g} s: "
            "it did not measure anything. Time a product each time the function is called.",
        )
        ratio = told / near
        if 1 / factor < ratio < factor:
            return
        if attempt == 2 or not 0.1 / factor < ratio < 10 * factor:
            break
    expect(
        told < took,  # no measured time is longer than the whole run
        f"{what} is {told:.3g}: are these milliseconds? Seconds are asked for.",
    )
    raise NotYet(
        f"{what} is {told:.2g} s, and the check measures {near:.2g} s here, a factor of "
        f"{max(ratio, 1 / ratio):.0f}. "
        + (
            "Is a first call or the making of the data part of the time, or more than one "
            "repetition?"
            if ratio > 1
            else "Does the timed function do the whole work and wait for its result?"
        )
    )


@exercise(
    "2.26",
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
        "Two float32 matrices from `tf.random.normal((2, size, size))`, then `seconds(lambda: "
        "tf.matmul(a, b).numpy(), 7)`.",
    ),
)
def check_matmul_seconds(matmul_seconds, case):
    for size in (1536, int(case.integers(200, 300))):
        _expect_product_time(matmul_seconds, size, 8)
        yield 0.5


explanation(
    "2.27",
    "The width of the memory bus",
    aliases=("5.2.7b-explain",),
    points=2,
    minutes=10,
    stars=3,
    hints=(
        "Bandwidth is what you can measure; what else do you need to know the width?",
        "Bandwidth = width in bytes x transfers per second.",
        "Say what a copy of a large array tells you, where to find the transfer rate, and give the "
        "division for a CPU and for a GPU.",
    ),
    rubric=(
        (1, "says: width = bandwidth / transfer rate, or channels x 64 bit of a data sheet"),
        (1, "gives the CPU and a GPU width with units, and how each number was found"),
    ),
)
