"""Exercises of chapter 3: differences, forward and backward passes, a small autograd."""

from __future__ import annotations

import numpy as np

from helpers.answers import AnswerError
from helpers.exercises import (
    NotYet,
    code,
    exercise,
    expect,
    expect_close,
    expect_number,
    expect_shape,
    explanation,
    quiz,
    show,
)


def _difference_gradient(f, x, h=1e-6):
    """The oracle of this chapter: central differences of `f` in float64."""
    point = np.array(x, dtype=np.float64)
    gradient = np.empty_like(point)
    for index in np.ndindex(point.shape):
        up, down = point.copy(), point.copy()
        up[index] += h
        down[index] -= h
        gradient[index] = (f(up) - f(down)) / (2 * h)
    return gradient


def _table(got, keys, what):
    """Return the columns of a table (dict, or pandas DataFrame) as float arrays of one length."""
    names = list(got) if isinstance(got, dict) else [str(n) for n in getattr(got, "columns", [])]
    expect(
        all(key in names for key in keys),
        f"{what} should be a dict with the keys {', '.join(keys)}; got {show(names or got)}.",
    )
    table = {}
    for key in keys:
        try:
            table[key] = np.asarray(list(got[key]), dtype=float)
        except (TypeError, ValueError):
            raise NotYet(f"{what}[{key!r}] should be a list of numbers.") from None
    lengths = {key: len(column) for key, column in table.items()}
    expect(
        len(set(lengths.values())) == 1,
        f"The columns of {what} should be equally long; got {show(lengths)}.",
    )
    finite = all(np.isfinite(column).all() for column in table.values())
    expect(finite, f"{what} contains a number that is not finite.")
    return table


def _part(values, key, what):
    """Return one entry of a dict that an answer returned."""
    expect(
        isinstance(values, dict),
        f"{what} should return a dict; got {show(values)}.",
    )
    expect(
        key in values,
        f"{what}: the key {key!r} is missing; there are {', '.join(map(str, values))}.",
    )
    return values[key]


def _several(got, count, what):
    """Return the `count` values of a tuple, list or array."""
    got = list(got) if isinstance(got, np.ndarray) and got.ndim == 1 else got
    expect(
        isinstance(got, list | tuple) and len(got) == count,
        f"{what} should return {count} values, separated by commas; got {show(got)}.",
    )
    return got


@exercise(
    "3.1",
    "Central difference",
    aliases=("+3.1",),
    kind="C",
    points=1,
    minutes=5,
    stars=1,
    hints=(
        "Step to both sides of x by the same h; the errors of the two sides cancel.",
        "The rise from x - h to x + h is f(x + h) - f(x - h). How wide is that interval?",
        "`return (f(...) - f(...)) / (...)`, with parentheses around the whole width.",
    ),
)
def _(central_difference, case):
    for h in (0.5, 0.25):
        x, a = case.uniform(1.0, 2.0), case.uniform(1.0, 3.0)
        cube = code("lambda v: a * v**3", a=a)
        up, middle, down = a * (x + h) ** 3, a * x**3, a * (x - h) ** 3
        got = expect_number(central_difference(cube, x, h), "central_difference(f, x, h)")
        expect_close(
            got,
            (up - down) / (2 * h),
            given=f"f(x) = {a:.3g} x**3, x = {x:.3g}, h = {h}",
            what="central_difference(f, x, h)",
            mistakes={
                "that is the forward difference. Start at x - h instead of x, and divide by the "
                "width of the interval.": (up - middle) / h,
                "that is the backward difference. End at x + h instead of x, and divide by the "
                "width of the interval.": (middle - down) / h,
                "the result is twice too large: from x - h to x + h the width is 2 * h.": (
                    up - down
                )
                / h,
                "the sign is turned: it is the value on the right minus the value on the left.": (
                    down - up
                )
                / (2 * h),
                "`/ 2 * h` divides by 2 and then multiplies by h; write `/ (2 * h)`.": (up - down)
                / 2
                * h,
                "that is the rise only; divide it by the width of the interval.": up - down,
                "the step to the right starts at x + h, but only half of the width is counted: "
                "from x to x + h the width is h.": (up - middle) / (2 * h),
            },
        )
    yield 0.5
    points = case.uniform(-1, 1, size=5)
    expect_close(
        central_difference(code("lambda v: np.sin(v)"), points, 1e-4),
        np.cos(points),
        given="f = np.sin and an array of 5 points",
        what="central_difference(f, x, h)",
    )
    expect_close(
        central_difference(code("lambda v: v * v"), 3.0),
        6.0,
        given="f(x) = x**2 at x = 3 and no h (the default)",
        what="central_difference(f, x)",
    )


@exercise(
    "3.2",
    "The best step in float32",
    aliases=("+3.2",),
    kind="X",
    points=2,
    minutes=15,
    stars=2,
    hints=(
        "Two errors add up: truncation shrinks with h, rounding grows as h shrinks. In float32 "
        "each value is rounded half a billion times more coarsely than in float64.",
        "The error is |difference - cos(1)|. Keep x, h and the values of sin in np.float32, and "
        "take the absolute value in float64.",
        "`for h in steps: x, h32 = np.float32(1), np.float32(h); forward.append(abs(float((np.sin("
        "x + h32) - np.sin(x)) / h32) - np.cos(1.0)))`, then the index of the smallest error.",
    ),
)
def _(steps_float32, case):
    got = steps_float32.value
    what = "`steps_float32`"
    table = _table(got, ("h", "forward", "central"), what)
    h, forward, central = table["h"], table["forward"], table["central"]
    expect(
        len(h) >= 12 and h.max() >= 0.1 and h.min() <= 1e-6 and h.min() > 0,
        f"{what} should hold at least 12 steps h, from 0.1 or more down to 1e-6 or less; got "
        f"{len(h)} from {h.max():.1g} to {h.min():.1g}.",
    )
    expect(
        bool((forward >= 0).all() and (central >= 0).all()),
        "An error should be an absolute difference; some of yours are negative.",
    )
    large = (h >= 0.05) & (h <= 1)
    for name, errors, estimate in (
        ("forward", forward, (np.sin(1 + h) - np.sin(1)) / h),
        ("central", central, (np.sin(1 + h) - np.sin(1 - h)) / (2 * h)),
    ):
        truth = np.abs(estimate - np.cos(1))
        expect(
            np.allclose(errors[large], truth[large], rtol=0.05, atol=2e-5),
            f"For large h the {name} error of sin at x = 1 comes from truncation alone; at "
            f"h = {h[large][0]:.2g} it should be {truth[large][0]:.3g}, and yours is "
            f"{errors[large][0]:.3g}. Take |estimate - cos(1)|.",
        )
    tiny = h <= 2e-6
    expect(
        max(forward[tiny].max(), central[tiny].max()) > 2e-3,
        f"At h near {h.min():.0e} your errors are still tiny, so the values were float64. NumPy "
        "keeps float32 only if x and h both are: np.float32(1) and np.float32(h).",
    )
    yield 0.5
    for name, errors, low, high in (
        ("best_forward", forward, 1e-5, 1e-2),
        ("best_central", central, 1e-4, 2e-1),
    ):
        best = expect_number(_part(dict(got), name, what), f"{what}[{name!r}]")
        at = h[np.argmin(errors)]
        expect(
            np.isclose(best, at, rtol=0.01),
            f"{what}[{name!r}] is {best:.3g}, but the smallest of your errors stands at "
            f"h = {at:.3g}. Give the step, neither its index nor its error.",
        )
        expect(
            low <= best <= high,
            f"{what}[{name!r}] is {best:.3g}; in float32 it lies between {low:g} and {high:g}.",
        )


@exercise(
    "3.3",
    "Numerical gradient of any array",
    aliases=("+3.3",),
    kind="C",
    points=3,
    minutes=20,
    stars=2,
    hints=(
        "Change one entry at a time, both ways, and give f the whole array every time.",
        "Entry i of the gradient is (f(x + h e_i) - f(x - h e_i)) / (2 h), where e_i is 1 at i "
        "and 0 elsewhere. Convert x to float64 first: an integer array cannot hold 3.00001.",
        "`for index in np.ndindex(x.shape):` make two float64 copies, change `up[index]` and "
        "`down[index]`, and fill `gradient[index]`.",
    ),
)
def _(numerical_gradient, case):
    f = code("lambda v: float((c * v**3).sum() + v.prod())", c=0.5)

    def exact(x):
        x = np.asarray(x, dtype=np.float64)
        others = [np.delete(x.ravel(), i).prod() for i in range(x.size)]
        return 1.5 * x**2 + np.reshape(others, x.shape)

    for shape in ((3,), (2, 3), (2, 1, 2)):
        x = case.uniform(0.5, 2.0, size=shape)
        want = exact(x)
        given = f"f(x) = 0.5 sum(x**3) + prod(x) and x of shape {shape}"
        got = np.asarray(numerical_gradient(f, x))
        mistakes = {
            "every entry is twice too large: the interval from x - h to x + h has the width "
            "2 * h.": 2 * want,
            "the sign is turned.": -want,
        }
        if got.size == x.size and got.shape != x.shape:
            raise NotYet(
                f"Given {given}: the gradient has shape {got.shape}. It has the shape of x: one "
                "derivative for each entry, in its place."
            )
        expect(
            not (got.shape == () and x.size > 1),
            f"Given {given}: one number came back. Each of the {x.size} entries needs its own "
            "derivative, with all others held still.",
        )
        expect_close(
            got, want, given=given, what="the gradient", rtol=1e-3, atol=1e-4, mistakes=mistakes
        )
    x, c, h = case.uniform(-1, 1, size=4), 100.0, 1e-5
    want = np.full(4, 2 * c * x.sum())
    expect_close(
        numerical_gradient(code("lambda v: float(c * v.sum() ** 2)", c=c), x),
        want,
        given="f(x) = 100 (x0 + x1 + x2 + x3)**2",
        what="the gradient",
        rtol=0,
        atol=1e-4,
        mistakes={
            "those are forward differences; take f on both sides of x.": want + c * h,
            "those are backward differences; take f on both sides of x.": want - c * h,
            "an entry that was changed stays changed while the next ones are differentiated; set "
            "it back first.": want - 2 * c * h * np.arange(4),
        },
    )
    yield 0.5
    whole = case.integers(1, 5, size=4)
    want = exact(whole)
    given = f"the integer array {show(whole)}"
    got = np.asarray(numerical_gradient(f, whole))
    expect(
        got.shape == want.shape and got.dtype.kind == "f",
        f"Given {given}: the gradient should be 4 floating-point numbers; got {show(got)} of "
        f"dtype {got.dtype}. `np.zeros_like` of an integer array is an integer array.",
    )
    expect(
        np.allclose(got, want, rtol=1e-3, atol=1e-3),
        f"Given {given}: expected {show(want)}, got {show(got)}. An integer array cuts off the "
        "step, so x + h is x again: convert a copy to float64 before you add h.",
    )
    single = case.uniform(1.0, 2.0, size=3).astype(np.float32)
    got = np.asarray(numerical_gradient(f, single))
    expect(
        got.shape == (3,) and np.allclose(got, exact(single), rtol=1e-3),
        f"Given {show(single)} in float32: expected {show(exact(single))}, got {show(got)}. "
        "float32 keeps about 7 digits, too few for a small h: compute in float64.",
    )
    expect(
        got.dtype.itemsize >= 8,
        f"Given an array in float32: the gradient should be float64; it is {got.dtype}. "
        "`np.zeros_like` of a float32 array is a float32 array.",
    )


@exercise(
    "3.4",
    "Gradient descent",
    aliases=("+3.4",),
    kind="C",
    points=2,
    minutes=10,
    stars=1,
    hints=(
        "Against the gradient it goes downhill. Keep a copy of every point you visit.",
        "x(t+1) = x(t) - learning_rate * gradient(x(t)).",
        "Start `path = [x]` with x a float array; in the loop make a new x (`x = x - ...`) and "
        "append it; return `np.array(path)`.",
    ),
)
def _(gradient_descent, case):
    scale, minimum = case.uniform(0.5, 2.0, size=2), case.normal(size=2)
    slope = code("lambda v: a * (v - c)", a=scale, c=minimum)
    start, rate, steps = case.normal(size=2) * 3, 0.3, 6
    times = np.arange(steps + 1)[:, None]

    def at(factor):
        return minimum + factor**times * (start - minimum)

    want = at(1 - rate * scale)
    given = f"the gradient of a quadratic, a start of shape (2,), {steps} steps"
    got = np.asarray(gradient_descent(slope, start, rate, steps))
    for shape, message in (
        ((2,), "only one point came back; return the whole path, with the start in row 0"),
        ((steps, 2), f"{steps} rows came back; the path has the start and {steps} points after it"),
    ):
        expect(got.shape != shape, f"Given {given}: {message}.")
    expect_close(
        got,
        want,
        given=given,
        what="the path",
        mistakes={
            "the path climbs: subtract the gradient instead of adding it.": at(1 + rate * scale),
            "the learning rate is missing: multiply the gradient by it.": at(1 - scale),
            "every row is the last point. `x -= ...` changes the array that the path already "
            "holds; write `x = x - ...`.": np.tile(want[-1], (steps + 1, 1)),
        },
    )
    yield 0.5
    cut_off = [[4, -2], [2, -1], [1, 0]]
    path = gradient_descent(code("lambda v: 2 * v"), np.array([4, -2]), 0.25, 2)
    expect_close(
        path,
        [[4, -2], [2, -1], [1, -0.5]],
        given="the gradient 2x, the integer start [4, -2], learning rate 0.25, 2 steps",
        what="the path",
        mistakes={"integers cut off the fractions: convert the start to float.": cut_off},
    )
    start_only = np.asarray(gradient_descent(code("lambda v: v"), np.ones(3), 0.1, 0))
    expect_shape(start_only, (1, 3), given="0 steps from a start of shape (3,)", what="the path")


quiz(
    "3.5",
    "The shape of a gradient",
    aliases=("5.3.1-quiz",),
    name="choice_3_5",
    right="b",
    reasons={
        "a": "a single number is what f returns. Its gradient says how f reacts to each entry of "
        "X, and there are nm of them.",
        "b": "one partial derivative for each entry of X, arranged as X is.",
        "c": "the transposed arrangement exists (numerator layout), but then X - learning_rate * "
        "gradient would not be defined. Here a gradient has the shape of its variable.",
        "d": "that is the number of second derivatives, the Hessian of f.",
    },
    points=1,
    minutes=3,
    stars=1,
    hints=(
        "How many numbers can you change in X, one at a time?",
        "Entry (i, j) of the gradient is the derivative of f with respect to X[i, j].",
        "Check it on gradient descent: X - learning_rate * gradient has to make sense.",
    ),
)


@exercise(
    "3.6",
    "The gradient of a bilinear form",
    aliases=("5.3.1",),
    kind="C",
    points=1,
    minutes=10,
    stars=1,
    hints=(
        "Write f as a sum over i and j. In which terms does X[i, j] occur?",
        "f(X) = sum of a[i] X[i, j] b[j], so the derivative with respect to X[i, j] is a[i] b[j].",
        "One call of `np.outer`, or a product of a column and a row.",
    ),
)
def _(bilinear_gradient, case):
    for n, m in ((2, 3), (4, 2), (3, 3)):
        X, a, b = case.normal(size=(n, m)), case.normal(size=n), case.normal(size=m)
        want = _difference_gradient(lambda V, a=a, b=b: a @ V @ b, X)
        expect_close(
            bilinear_gradient(X, a, b),
            want,
            given=f"X of shape ({n}, {m}), f(X) = aᵀXb",
            what="the gradient",
            rtol=1e-3,
            atol=1e-5,
            mistakes={
                "the gradient is transposed: rows belong to a, columns to b.": want.T,
                "that is f itself; its gradient has one entry for each entry of X.": a @ X @ b,
                "the derivative no longer contains X: f is linear in each entry.": want * X,
                "that is aᵀX, the derivative with respect to b.": a @ X,
                "that is Xb, the derivative with respect to a.": X @ b,
            },
        )
    expect(
        np.allclose(bilinear_gradient(1e9 * X, a, b), want, rtol=1e-3, atol=1e-5),
        "Given an X with entries near 1e9: the gradient changes, although f is linear in X. "
        "Differences drown in rounding there; write down the exact gradient.",
    )


def _network(case):
    """Draw a minibatch and weights away from the kink of ReLU."""
    n, d, hidden, outputs = 5, 2, 4, 3
    while True:
        X, Y = case.normal(size=(n, d)), case.normal(size=(n, outputs))
        W1, W2 = case.normal(size=(d, hidden)), case.normal(size=(hidden, outputs))
        if np.abs(X @ W1).min() > 1e-2:
            return X, Y, W1, W2, case.uniform(0.1, 0.5)


def _forward(X, Y, W1, W2, weight_decay):
    z = X @ W1
    h = np.maximum(z, 0)
    o = h @ W2
    loss = ((o - Y) ** 2).sum() / (2 * len(X))
    penalty = weight_decay / 2 * ((W1**2).sum() + (W2**2).sum())
    return {"z": z, "h": h, "o": o, "L": loss, "s": penalty, "J": loss + penalty}


@exercise(
    "3.7",
    "Forward pass of a minibatch",
    aliases=("+3.5",),
    kind="C",
    points=2,
    minutes=15,
    stars=1,
    hints=(
        "Follow (5.3.1) to (5.3.6) with a table of examples: one example a row, so the weights "
        "stand on the right.",
        "z = XW1, h = max(z, 0), o = hW2, L = sum of (o - Y)**2 over all entries, divided by 2n, "
        "s = weight_decay / 2 * (sum of W1**2 + sum of W2**2), J = L + s.",
        '`z = X @ W1` ... and at the end `return {"z": z, "h": h, "o": o, "L": L, "s": s, "J": J}`',
    ),
)
def _(forward, case):
    X, Y, W1, W2, weight_decay = _network(case)
    want = _forward(X, Y, W1, W2, weight_decay)
    got = forward(X, Y, W1, W2, weight_decay)
    n, z, gap = len(X), want["z"], ((want["o"] - Y) ** 2).sum()
    squares = (W1**2).sum() + (W2**2).sum()
    norms = np.sqrt((W1**2).sum()) + np.sqrt((W2**2).sum())
    forgets = "One of the two matrices is missing from the penalty."
    mistakes = {
        "z": {"z came back transposed: it has one row for each example.": z.T},
        "h": {
            "h equals z; the activation is missing.": z,
            "the activation here is ReLU, max(z, 0), not tanh.": np.tanh(z),
            "the activation here is ReLU, max(z, 0), not the sigmoid.": 1 / (1 + np.exp(-z)),
            "all signs are wrong way round: ReLU keeps what is positive.": np.minimum(z, 0),
        },
        "o": {"the activation is missing: o is hW2, and you used z.": z @ W2},
        "L": {
            "the batch size is missing: L is the mean over the examples, so divide by n.": gap / 2,
            "the factor 1/2 is missing.": gap / n,
            "divide by 2n, where n counts the examples and not the entries of o.": gap
            / (2 * want["o"].size),
            "that is the mean over all entries without the factor 1/2; divide by 2n.": gap
            / want["o"].size,
        },
        "s": {
            "the factor 1/2 is missing.": weight_decay * squares,
            "the weight decay is missing.": squares / 2,
            "the norms are squared: add the squares of the entries without a root.": weight_decay
            / 2
            * norms,
            forgets: weight_decay / 2 * (W1**2).sum(),
            forgets + " W1 counts, too.": weight_decay / 2 * (W2**2).sum(),
        },
        "J": {"J equals L; add the penalty s.": want["L"]},
    }
    for position, key in enumerate(want, start=1):
        expect_close(
            _part(got, key, "`forward`"),
            want[key],
            given=f"{n} examples, W1 of shape {W1.shape}, W2 of shape {W2.shape}",
            what=key,
            mistakes=mistakes[key],
        )
        if position == 3:
            yield 0.5


_BIAS_EDGES = {
    ("x", "u"),
    ("W1", "u"),
    ("u", "z"),
    ("b1", "z"),
    ("z", "h"),
    ("h", "o"),
    ("W2", "o"),
    ("o", "L"),
    ("y", "L"),
    ("W1", "s"),
    ("W2", "s"),
    ("L", "J"),
    ("s", "J"),
}


@exercise(
    "3.8",
    "The graph with a bias",
    aliases=("5.3.2a",),
    kind="X",
    points=1,
    minutes=10,
    stars=1,
    hints=(
        "Go through the names in the order they are computed and ask of each: what must be known "
        "to compute it?",
        "u = W1 x, z = u + b1, h = tanh(z), o = W2 h, L from o and y, s from W1 and W2 alone, "
        "J = L + s.",
        'A list of 13 pairs such as `("x", "u")`, from the operand to the result.',
    ),
)
def _(edges_with_bias, case):
    got = edges_with_bias.value
    try:
        edges = {(str(start).strip(), str(end).strip()) for start, end in got}
    except (TypeError, ValueError):
        raise NotYet(
            f"`edges_with_bias` should be a list of pairs (from, to); got {show(got)}."
        ) from None
    names = {name for edge in _BIAS_EDGES for name in edge}
    unknown = sorted({name for edge in edges for name in edge} - names)
    expect(
        not unknown,
        f"The graph has no node {', '.join(unknown)}; the nodes are {', '.join(sorted(names))}.",
    )
    expect(
        ("b1", "s") not in edges,
        "The edge from b1 to s does not belong there: the penalty leaves the bias out.",
    )
    turned = sorted(edge for edge in edges if edge[::-1] in _BIAS_EDGES)
    expect(
        not turned,
        f"{' and '.join(f'{a} to {b}' for a, b in turned[:1])} points against the computation; an "
        "edge runs from an operand to the result.",
    )
    expect(
        ("x", "z") not in edges and ("W1", "z") not in edges,
        "z is computed from u and b1; x and W1 reach it through u.",
    )
    extra = sorted(edges - _BIAS_EDGES)
    expect(
        not extra,
        f"{' and '.join(f'{a} to {b}' for a, b in extra[:1])} is no edge: the second is not "
        "computed from the first.",
    )
    missing = sorted(_BIAS_EDGES - edges)
    if missing:
        _, end = missing[0]
        raise NotYet(
            f"{len(edges)} edges are right and {len(missing)} missing. Look at {end}: what else "
            "does it need?"
        )


@exercise(
    "3.9",
    "The backward pass by hand",
    aliases=("+3.6",),
    kind="C",
    points=3,
    minutes=25,
    stars=3,
    hints=(
        "Go through (5.3.9) to (5.3.14) in order. After each line compare shapes: a gradient has "
        "the shape of its variable.",
        "dJ/do = (o - Y) / n. dJ/dW2 = hᵀ dJ/do + weight_decay W2. dJ/dh = dJ/do W2ᵀ. dJ/dz = "
        "dJ/dh where z > 0, else 0. dJ/dW1 = Xᵀ dJ/dz + weight_decay W1.",
        'Five lines, one for each of do, dW2, dh, dz, dW1; `(values["z"] > 0)` is the gate; '
        "`return dW1, dW2`.",
    ),
)
def _(backward, case):
    X, Y, W1, W2, weight_decay = _network(case)
    values = _forward(X, Y, W1, W2, weight_decay)
    n = len(X)
    got = _several(backward(values, X, Y, W1, W2, weight_decay), 2, "`backward`")
    want = [
        _difference_gradient(lambda W: _forward(X, Y, W, W2, weight_decay)["J"], W1),
        _difference_gradient(lambda W: _forward(X, Y, W1, W, weight_decay)["J"], W2),
    ]
    given = f"{n} examples and weight_decay {weight_decay:.2f}"
    expect(
        not (np.shape(got[0]) == W2.shape and np.shape(got[1]) == W1.shape),
        f"Given {given}: the two gradients came in the wrong order; return dW1, dW2.",
    )
    data1, data2 = want[0] - weight_decay * W1, want[1] - weight_decay * W2
    ungated = X.T @ ((values["o"] - Y) / n @ W2.T)
    for which, full, data, weights in ((2, want[1], data2, W2), (1, want[0], data1, W1)):
        mistakes = {
            "the weight decay is missing: add weight_decay times the weights.": data,
            f"the gradient is {n} times too large: divide by the batch size n, since L is a "
            "mean.": n * data + weight_decay * weights,
            "the sign is turned: dJ/do is (o - Y) / n.": weight_decay * weights - data,
            "the derivative of weight_decay / 2 * w**2 is weight_decay * w, without the 2.": data
            + 2 * weight_decay * weights,
            "the derivative of (o - Y)**2 / (2n) is (o - Y) / n, without a 2.": 2 * data
            + weight_decay * weights,
            "divide by n, which counts the examples and not the entries of Y.": data / Y.shape[1]
            + weight_decay * weights,
        }
        if which == 1:
            mistakes |= {
                "ReLU's derivative is missing: the gradient passes only where z > 0.": ungated
                + weight_decay * W1,
                "ReLU's derivative is 1 where z > 0, not z itself.": X.T
                @ ((values["o"] - Y) / n @ W2.T * values["h"])
                + weight_decay * W1,
                "that is the derivative of tanh; this network has ReLU.": X.T
                @ ((values["o"] - Y) / n @ W2.T * (1 - values["h"] ** 2))
                + weight_decay * W1,
            }
        expect_close(
            got[which - 1],
            full,
            given=given,
            what=f"dJ/dW{which}",
            rtol=1e-3,
            atol=1e-5,
            mistakes=mistakes,
        )
        if which == 2:
            yield 0.5


def _biased_cost(x, y, W1, b1, W2, weight_decay):
    o = W2 @ np.tanh(W1 @ x + b1)
    return ((o - y) ** 2).sum() / 2 + weight_decay / 2 * ((W1**2).sum() + (W2**2).sum())


@exercise(
    "3.10",
    "Forward and backward with a bias",
    aliases=("5.3.2b",),
    kind="C",
    points=3,
    minutes=25,
    stars=2,
    hints=(
        "Only one forward line changes, z = W1 x + b1. Which backward line is new?",
        "z depends on b1 with derivative 1, so dJ/db1 = dJ/dz. The penalty does not contain b1. "
        "The derivative of tanh is 1 - h².",
        "`do = o - y`, `dW2 = np.outer(do, h) + ...`, `dz = (W2.T @ do) * (...)`, "
        "`dW1 = np.outer(dz, x) + ...`, `db1 = ...`",
    ),
)
def _(cost_with_bias, gradients_with_bias, case):
    d, hidden, q = 3, 4, 2
    x, y = case.normal(size=d), case.normal(size=q)
    W1, b1, W2 = (
        case.normal(size=(hidden, d)),
        case.normal(size=hidden),
        case.normal(size=(q, hidden)),
    )
    weight_decay = case.uniform(0.1, 0.5)
    inputs = (x, y, W1, b1, W2, weight_decay)
    given = f"x of shape ({d},), W1 of shape ({hidden}, {d}), weight_decay {weight_decay:.2f}"
    want = _biased_cost(*inputs)
    gap = ((W2 @ np.tanh(W1 @ x + b1) - y) ** 2).sum()
    expect_close(
        cost_with_bias(*inputs),
        want,
        given=given,
        what="J",
        mistakes={
            "the bias is missing: z = W1 x + b1.": _biased_cost(x, y, W1, 0 * b1, W2, weight_decay),
            "the penalty contains the bias; leave b1 out of it.": want
            + weight_decay / 2 * (b1**2).sum(),
            "the penalty is missing.": gap / 2,
            "the factor 1/2 of the loss is missing.": want + gap / 2,
            "both factors 1/2 are missing.": 2 * want,
        },
    )
    yield 0.4
    got = _several(gradients_with_bias(*inputs), 3, "`gradients_with_bias`")
    shapes, right_order = [np.shape(each) for each in got], [W1.shape, b1.shape, W2.shape]
    expect(
        shapes == right_order or sorted(shapes) != sorted(right_order),
        f"Given {given}: the gradients came in the wrong order; return those of W1, b1 and W2.",
    )
    z = W1 @ x + b1
    do = W2 @ np.tanh(z) - y
    wants = {
        "dJ/dW2": _difference_gradient(lambda W: _biased_cost(x, y, W1, b1, W, weight_decay), W2),
        "dJ/db1": _difference_gradient(lambda b: _biased_cost(x, y, W1, b, W2, weight_decay), b1),
        "dJ/dW1": _difference_gradient(lambda W: _biased_cost(x, y, W, b1, W2, weight_decay), W1),
    }
    no_decay = "the weight decay is missing: add weight_decay times the weights."
    no_slope = "the derivative of tanh is missing: multiply by 1 - h**2."
    mistakes = {
        "dJ/dW2": {no_decay: wants["dJ/dW2"] - weight_decay * W2},
        "dJ/db1": {
            "the bias is not regularised: leave weight_decay * b1 out.": wants["dJ/db1"]
            + weight_decay * b1,
            no_slope: W2.T @ do,
            "the derivative of tanh is 1 - h**2 with h = tanh(z), not 1 - z**2.": W2.T
            @ do
            * (1 - z**2),
        },
        "dJ/dW1": {
            no_decay: wants["dJ/dW1"] - weight_decay * W1,
            no_slope: np.outer(W2.T @ do, x) + weight_decay * W1,
        },
    }
    answers = dict(zip(("dJ/dW1", "dJ/db1", "dJ/dW2"), got, strict=True))
    for key, value in wants.items():
        expect_close(
            answers[key],
            value,
            given=given,
            what=key,
            rtol=1e-3,
            atol=1e-5,
            mistakes=mistakes[key],
        )


@exercise(
    "3.11",
    "A gradient check that points",
    aliases=("+3.7",),
    kind="C",
    points=2,
    minutes=15,
    stars=2,
    hints=(
        "Compute the gradient a second time by differences and look for the entry where the two "
        "are furthest apart.",
        "The worst entry is where |gradient - numerical| is largest. `np.argmax` counts through "
        "the flattened array; `np.unravel_index` turns that count into row and column.",
        "`difference = np.abs(...)`, `index = np.unravel_index(np.argmax(difference), ...)`, "
        "`return difference[index], index`",
    ),
)
def _(gradient_check, case):
    f = code("lambda v: float((c * v**2).sum())", c=1.5)
    for shape, sign in (((3, 4), 1), ((3, 4), -1), ((2, 2, 3), 1), ((5,), -1)):
        x = case.uniform(1, 2, size=shape)
        place = tuple(int(case.integers(1, length)) for length in shape)
        gradient = 3.0 * x
        error = case.uniform(0.3, 0.6)
        gradient[place] += sign * error
        milder = tuple([0] * len(shape))
        gradient[milder] += error / 3
        given = f"x of shape {shape} and a gradient that is wrong by {sign * error:.3f} at {place}"
        largest, index = _several(gradient_check(f, gradient, x), 2, "`gradient_check`")
        largest = expect_number(largest, "the largest difference")
        expect(
            not np.isclose(largest, error / 3, rtol=1e-2),
            f"Given {given}: {largest:.3g} is another, smaller difference. Take absolute values "
            "before you look for the largest.",
        )
        expect_close(
            largest,
            error,
            given=given,
            what="the largest difference",
            rtol=1e-3,
            mistakes={
                "the sign is turned: a difference is an absolute value.": -error,
                "that is a relative difference; leave it undivided.": error / abs(3 * x[place]),
                "that is the mean of all differences; take the largest.": error * 4 / 3 / x.size,
                "that is the sum of all differences; take the largest.": error * 4 / 3,
            },
        )
        flat = int(np.ravel_multi_index(place, shape))
        expect(
            len(shape) == 1 or not (np.ndim(index) == 0 and index == flat),
            f"Given {given}: {flat} counts through the flattened array. Return one number for "
            "each axis: np.unravel_index does it.",
        )
        found = tuple(int(i) for i in np.atleast_1d(np.asarray(index, dtype=float)))
        expect(
            found == place,
            f"Given {given}: the place should be {place}; got {show(index)}.",
        )
    yield 0.75
    x = case.uniform(1, 2, size=(2, 2))
    largest = _several(gradient_check(f, 3.0 * x, x), 2, "`gradient_check`")[0]
    expect(
        expect_number(largest, "the largest difference") < 1e-4,
        f"Given a right gradient: the largest difference should be near 0; got {show(largest)}.",
    )


def _footprint(d, h, q, n):
    parameters = h * d + q * h
    training = 2 * parameters + n * (d + q) + n * (2 * h + q)
    prediction = parameters + n * max(d + h, 2 * h, h + q)
    return training, prediction


@exercise(
    "3.12",
    "Memory for training and prediction",
    aliases=("5.3.3",),
    kind="C",
    points=2,
    minutes=15,
    stars=2,
    hints=(
        "List the arrays and their shapes first, then count. Which of them grow with the batch?",
        "Training: 2(hd + qh) for weights and gradients, n(d + q) for X and Y, n(2h + q) for z, h "
        "and o. Prediction: hd + qh, and the input and output of the operation that needs most.",
        "`parameters = ...`, `training = 2 * parameters + ...`, `prediction = parameters + "
        "batch_size * max(..., ..., ...)`, `return training, prediction`",
    ),
)
def _(stored_numbers, case):
    sizes = [(784, 256, 10, 32), (5, 3, 2, 1)]
    sizes += [tuple(int(size) for size in case.integers(1, 200, size=4)) for _ in range(4)]
    sizes += [(2, 4, 50, 3), (90, 4, 2, 3)]
    for d, h, q, n in sizes:
        given = f"d = {d}, h = {h}, q = {q}, batch_size = {n}"
        got = _several(stored_numbers(d, h, q, n), 2, "`stored_numbers`")
        training, prediction = _footprint(d, h, q, n)
        parameters = h * d + q * h
        expect_close(
            got[0],
            training,
            given=given,
            what="the count for training",
            rtol=1e-9,
            mistakes={
                "the gradients of the weights are missing from training.": training - parameters,
                "the inputs X and Y are missing from training.": training - n * (d + q),
                "the inputs X are missing from training.": training - n * d,
                "the labels Y are missing from training.": training - n * q,
                "the two counts came in the wrong order; training comes first.": prediction,
                "the stored intermediates z, h and o are missing from training.": training
                - n * (2 * h + q),
                "z is kept beside h: both have h numbers for each example.": training - n * h,
                "that does not grow with the batch: X, Y, z, h and o hold one row for each "
                "example.": 2 * parameters + (d + q) + (2 * h + q),
                "there is no bias in this network.": training + 2 * (h + q),
            },
        )
        expect_close(
            got[1],
            prediction,
            given=given,
            what="the count for prediction",
            rtol=1e-9,
            mistakes={
                "prediction keeps no gradients.": prediction + parameters,
                "prediction lets go of what the next operation does not need: only one "
                "operation's input and output live at a time, so take the maximum.": parameters
                + n * (d + 2 * h + q),
                "that forgets the batch: each row has its own numbers.": parameters
                + max(d + h, 2 * h, h + q),
                "the weights have to be there for prediction, too.": prediction - parameters,
                "an operation needs its output beside its input: count both.": parameters
                + n * max(d, h, q),
                "the activation is an operation, too: z and h live at the same time.": parameters
                + n * max(d + h, h + q),
            },
        )


_APPLY = """
def raw(value):
    if isinstance(value, (np.ndarray, np.generic, float, int)):
        return np.asarray(value)
    return np.asarray(getattr(value, "data", value))

function = {name}()
output = function(*inputs)
back = function.backward(gradient)
back = back if isinstance(back, (tuple, list)) else (back,)
result = {{
    "output": None if output is None or raw(output).dtype == object else raw(output),
    "gradients": [None if value is None else raw(value) for value in back],
}}
"""


@exercise(
    "3.13",
    "Five functions",
    aliases=("+3.8",),
    kind="C",
    points=5,
    minutes=30,
    stars=2,
    hints=(
        "`forward` is the operation on arrays. `backward` multiplies the gradient that arrives by "
        "the local derivative, one result for each input.",
        "Square: 2x g. Exp: eˣ g. Add: g, g. Mul: b g, a g. MatMul: g bᵀ, aᵀ g. The x, a and b are "
        "`self.inputs[...].data`.",
        "`def backward(self, gradient): a, b = (v.data for v in self.inputs); return ..., ...`",
    ),
)
def _(Square, Exp, Add, Mul, MatMul, case):
    a, b = case.uniform(0.5, 1.5, size=(2, 2, 3))
    columns = case.normal(size=(3, 4))
    passes = "backward returns the local derivative alone; multiply it by the gradient that arrives"
    jobs = (
        (Square, [a], lambda x: x**2, {passes: [lambda g: 2 * a]}),
        (Exp, [a], np.exp, {passes: [lambda g: np.exp(a)]}),
        (Add, [a, b], lambda x, y: x + y, {passes: [lambda g: np.ones_like(a)] * 2}),
        (
            Mul,
            [a, b],
            lambda x, y: x * y,
            {
                passes: [lambda g: b, lambda g: a],
                "the two gradients are swapped: the derivative of a * b with respect to a is b": [
                    lambda g: g * a,
                    lambda g: g * b,
                ],
            },
        ),
        (
            MatMul,
            [a, columns],
            lambda x, y: x @ y,
            {
                "the two gradients are swapped": [
                    lambda g: a.T @ g,
                    lambda g: g @ columns.T,
                ]
            },
        ),
    )
    for done, (answer, inputs, function, known) in enumerate(jobs, start=1):
        name = answer.name
        want = function(*inputs)
        g = case.normal(size=want.shape)
        got = answer.evaluate(_APPLY.format(name=name), inputs=inputs, gradient=g)
        shapes = " and ".join(str(each.shape) for each in inputs)
        given = f"{name} and inputs of shape {shapes}"
        expect(
            got["output"] is not None and not np.isnan(got["output"]).all(),
            f"Given {given}: forward returned nothing; is a `return` missing?",
        )
        expect_close(got["output"], want, given=given, what="forward")
        gradients = got["gradients"]
        expect(
            all(each is not None for each in gradients),
            f"Given {given}: backward returned nothing; is a `return` missing?",
        )
        expect(
            len(gradients) == len(inputs),
            f"Given {given}: backward returned {len(gradients)} gradients; {name} has "
            f"{len(inputs)} inputs, and each gets its own.",
        )
        for sentence, wrong in known.items():
            same = [
                each.shape == np.shape(bad(g)) and np.allclose(each, bad(g))
                for each, bad in zip(gradients, wrong, strict=True)
            ]
            expect(not all(same), f"Given {given}: {sentence}.")
        for position, (x, each) in enumerate(zip(inputs, gradients, strict=True)):

            def weighed(value, position=position, inputs=inputs, function=function, g=g):
                changed = [*inputs[:position], value, *inputs[position + 1 :]]
                return (g * function(*changed)).sum()

            expect_close(
                each,
                _difference_gradient(weighed, x),
                given=given,
                what=f"the gradient of input {position}",
                rtol=1e-3,
                atol=1e-5,
            )
        if done < len(jobs):
            yield done / len(jobs)


# A graph as chapter 3's page builds it, small and instrumented: the answer meets objects with the
# same attributes, and every call of a function's backward is counted.
_GRAPH = """
class Node:
    def __init__(self, data, creator=None):
        self.data = np.asarray(data, dtype=float)
        self.grad = None
        self.creator = creator
        self.generation = 0 if creator is None else creator.generation + 1

class Op:
    def __init__(self, inputs, data, slopes, calls):
        self.inputs = tuple(inputs)
        self.generation = max(each.generation for each in inputs)
        self.slopes = slopes
        self.calls = calls
        self.output = Node(data, self)

    def backward(self, gradient):
        self.calls.append(self)
        return tuple(gradient if slope == 1 else slope * gradient for slope in self.slopes)

    def input_gradients(self, gradient):
        return self.backward(gradient)

calls = []

def linear(*terms):
    # the sum of slope * variable
    data = sum(slope * each.data for slope, each in terms)
    slopes = [slope for slope, each in terms]
    return Op([each for slope, each in terms], data, slopes, calls).output
"""


def _recursive(error):
    """Whether an answer ran out of Python's stack."""
    return "RecursionError" in error.bases


@exercise(
    "3.14",
    "Backward by a loop",
    aliases=("+3.9",),
    kind="C",
    points=3,
    minutes=25,
    stars=3,
    hints=(
        "Keep the functions that are still to be visited in a list, and always take the one of "
        "the highest generation: everything that uses its output has been visited by then.",
        "result.grad is ones. For the function taken: its input gradients from its output's grad; "
        "add each to its variable's grad; put the variable's creator on the list unless it was "
        "put there before.",
        "`while waiting:` sort by `function.generation`, `pop()`, then a loop over "
        "`zip(function.inputs, function.input_gradients(function.output.grad))`; a set `seen` "
        "holds the creators that were put on the list.",
    ),
)
def _(backward_by_generation, case):
    def run(body, **inputs):
        try:
            return backward_by_generation.evaluate(
                _GRAPH + body + "\nbackward_by_generation(result)\nresult = report()", **inputs
            )
        except AnswerError as error:
            if _recursive(error):
                raise NotYet(
                    "Given a chain of many operations: Python's stack ran out. A function that "
                    "calls itself once for each operation cannot go deeper than about 1000; use "
                    "a loop and a list."
                ) from None
            raise

    slope = float(case.uniform(1.5, 2.5))
    line = run(
        "x = Node([1.0, 2.0]); result = linear((a, linear((3.0, x))))\n"
        "report = lambda: {'x': x.grad, 'result': result_grad()}\n"
        "top = result\nresult_grad = lambda: top.grad",
        a=slope,
    )
    expect(line["x"] is not None, "Given a line of two operations: x.grad is None afterwards.")
    expect_close(
        line["x"],
        [3 * slope] * 2,
        given=f"y = {slope:.2f} * (3 * x) for x of shape (2,)",
        what="x.grad",
        mistakes={
            "only one of the two operations was differentiated; follow the creators to the leaf.": [
                slope
            ]
            * 2,
        },
    )
    yield 0.3
    twice = run(
        "x = Node(2.0); result = linear((a, x), (3.0, x))\nreport = lambda: x.grad", a=slope
    )
    expect_close(
        twice,
        slope + 3,
        given=f"y = {slope:.2f} * x + 3 * x, where x is used twice",
        what="x.grad",
        mistakes={
            "the second contribution replaced the first; gradients add up.": 3.0,
            "only the first contribution counts; gradients add up.": slope,
        },
    )
    shared = run(
        "x, w = Node([1.0, 2.0]), Node([3.0, 4.0])\n"
        "result = linear((1.0, linear((1.0, x), (1.0, w))), (1.0, x))\nreport = lambda: w.grad"
    )
    expect_close(
        shared,
        [1.0, 1.0],
        given="y = (x + w) + x, whose functions hand on the array they get",
        what="w.grad",
        mistakes={
            "adding to the gradient of x changed that of w. `+=` works in place on an array that "
            "both share; write `variable.grad = variable.grad + gradient`.": [2.0, 2.0],
        },
    )
    paths = run(
        "x = Node(1.0); a = linear((2.0, x)); b = linear((3.0, a)); c = linear((5.0, b))\n"
        "result = linear((k, a), (7.0, c)) if flip else linear((7.0, c), (k, a))\n"
        "report = lambda: {'x': x.grad, 'calls': len(calls)}",
        k=slope,
        flip=bool(case.integers(2)),
    )
    expect(
        paths["calls"] == 4,
        f"Given a graph of 4 functions where one value is used on a short and a long path: "
        f"backward was called {paths['calls']} times. Each function is visited once, after all "
        "that use its output: take the highest generation first, and put no function on the list "
        "twice.",
    )
    expect_close(
        paths["x"],
        2 * (slope + 7 * 3 * 5),
        given="a value that is used on a short and on a long path",
        what="x.grad",
        mistakes={
            "the gradient was passed on before the long path had added its share: take the "
            "highest generation first.": 2 * slope,
        },
    )
    yield 0.6
    seed = int(case.integers(2**31))
    random = run(
        "rng = np.random.default_rng(seed)\n"
        "leaves = [Node(float(i)) for i in range(3)]\nnodes = list(leaves); weights = []\n"
        "for _ in range(25):\n"
        "    picks = rng.integers(len(nodes), size=2); slopes = rng.uniform(-1, 1, size=2)\n"
        "    weights.append((picks.tolist(), slopes.tolist()))\n"
        "    nodes.append(linear(*((float(s), nodes[p]) for s, p in zip(slopes, picks))))\n"
        "result = linear(*((1.0, node) for node in nodes))\n"
        "report = lambda: {'grads': [float(leaf.grad) for leaf in leaves], 'calls': len(calls), "
        "'weights': weights}",
        seed=seed,
    )
    sensitivity = np.zeros((28, 3))
    sensitivity[:3] = np.eye(3)
    rng = np.random.default_rng(seed)
    for row in range(3, 28):
        picks, slopes = rng.integers(row, size=2), rng.uniform(-1, 1, size=2)
        sensitivity[row] = slopes @ sensitivity[picks]
    expect_close(
        random["grads"],
        sensitivity.sum(axis=0),
        given="a random graph of 26 functions and 3 leaves",
        what="the gradients of the leaves",
    )
    expect(
        random["calls"] == 26,
        f"Given a random graph of 26 functions: backward was called {random['calls']} times; "
        "each function is visited once.",
    )
    chain = run(
        "x = Node(1.0); result = x\n"
        "for _ in range(10_000):\n    result = linear((1.0, result))\n"
        "report = lambda: x.grad"
    )
    expect_close(chain, 1.0, given="a chain of 10,000 operations", what="x.grad")


@exercise(
    "3.15",
    "Accumulate and clear",
    aliases=("+3.10",),
    kind="C",
    points=2,
    minutes=15,
    stars=2,
    hints=(
        "The first gradient is kept, every later one is added; clearing sets every grad that the "
        "result can reach back to None.",
        "`a += g` changes the array that `a` names, and two variables may share one array; "
        "`a = a + g` makes a new one.",
        "`variable.grad = gradient if variable.grad is None else ...`; for clearing, a list "
        "`waiting = [result]` and a loop that adds the inputs of each creator.",
    ),
)
def _(accumulate, clear_gradients, case):
    g, k = case.normal(size=3), case.normal(size=3)
    got = accumulate.evaluate(
        _GRAPH + "a, b = Node(np.zeros(3)), Node(np.zeros(3))\n"
        "given = g.copy()\naccumulate(a, g)\nfirst = np.array(a.grad, dtype=float)\n"
        "accumulate(b, g)\naccumulate(a, k)\n"
        "kept = bool((g == given).all())\n"
        "result = {'first': first, 'a': a.grad, 'b': b.grad, 'kept': kept}",
        g=g,
        k=k,
    )
    expect(
        not np.isnan(got["first"]).all(),
        "Given a variable without a gradient: its grad is still None afterwards; set "
        "`variable.grad`.",
    )
    expect_close(got["first"], g, given="a variable whose grad is None", what="variable.grad")
    expect(
        got["kept"] and np.allclose(got["b"], g),
        "Given one array handed to two variables: adding to the first changed the other. `+=` "
        "works in place on a shared array; write `variable.grad = variable.grad + gradient`.",
    )
    expect_close(
        got["a"],
        g + k,
        given="two gradients, one after the other",
        what="variable.grad",
        mistakes={
            "the second gradient replaced the first; add them.": k,
            "the second gradient was lost; add them.": g,
        },
    )
    yield 0.5
    build = (
        "x, w = Node(1.0), Node(2.0)\ninner = linear((2.0, x), (1.0, w))\n"
        "result_node = linear((3.0, inner), (1.0, x))\n"
        "everything = [x, w, inner, result_node]\n"
        "for node in everything:\n    node.grad = np.ones(())\n"
        "clear_gradients(result_node)\n"
        "result = [node.grad is None for node in everything]"
    )
    cleared = clear_gradients.evaluate(_GRAPH + build)
    zeroed = "clear means None, as before the first backward"
    for name, done in zip(("leaf x", "leaf w", "intermediate", "result"), cleared, strict=True):
        what = "the result itself" if name == "result" else f"the {name}"
        expect(
            done,
            f"Given y = 3 * (2x + w) + x: {what} still holds a gradient; {zeroed}, for every "
            "variable the result came from and for the result.",
        )
    try:
        deep = clear_gradients.evaluate(
            _GRAPH + "x = Node(1.0); node = x\n"
            "for _ in range(5000):\n    node = linear((1.0, node))\n"
            "for _ in range(12):\n    node = linear((1.0, node), (1.0, node))\n"
            "x.grad = np.ones(())\nclear_gradients(node)\nresult = x.grad is None"
        )
    except AnswerError as error:
        if not _recursive(error):
            raise
        raise NotYet(
            "Given a chain of 5000 operations: Python's stack ran out. Use a loop and a list "
            "instead of a function that calls itself."
        ) from None
    expect(deep, "Given a chain of 5000 operations: the leaf still holds its gradient.")


explanation(
    "3.16",
    "Loop against recursion",
    aliases=("+3.11-explain",),
    points=3,
    minutes=10,
    stars=2,
    hints=(
        "Count what is held on Python's stack, and count how often each function is visited.",
        "The chain of 10,000 operations is as deep as it is long. A row of diamonds y = x + x has "
        "2 to the power of its length paths.",
        "One sentence on depth, one on the number of visits, one on the order.",
    ),
    rubric=(
        (
            1,
            "Depth: recursion needs one stack frame for each operation of the longest path and "
            "stops at Python's limit (about 1000); a loop keeps a list on the heap.",
        ),
        (
            1,
            "Work: recursion along paths visits a shared value once for each path (exponentially "
            "many in a row of diamonds); the loop visits each function once.",
        ),
        (
            1,
            "Order: highest generation first (a topological order) makes sure that a gradient is "
            "complete before it is passed on.",
        ),
    ),
)


_TIMED = ("gradient_seconds", "hessian_seconds")


def _expect_measured(timings):
    """Judge a table of repeated timings by what any clock and any machine would show."""
    table = _table(timings, ("n", *_TIMED), "`timings`")
    sizes = table["n"]
    expect(
        len(sizes) >= 4 and (np.diff(sizes) > 0).all() and sizes[-1] >= 8 * sizes[0],
        f"`timings` should hold at least 4 growing sizes n, the last at least 8 times the first; "
        f"got {show(sizes)}.",
    )
    for name in _TIMED:
        runs = table[name]
        expect(
            runs.ndim == 2 and runs.shape[1] >= 3,
            f"timings[{name!r}] should hold a list of at least 3 repeats for each n, not one "
            f"number; got shape {runs.shape}.",
        )
        expect(
            bool((runs > 1e-6).all()),
            f"timings[{name!r}] should hold measured seconds, above 0; got {show(runs.min(1))}.",
        )
        expect(
            bool((runs < 100).all()),
            f"timings[{name!r}] holds {show(float(runs.max()))} seconds; are these milliseconds?",
        )
        typed = np.mean([float(f"{seconds:.2e}") == seconds for seconds in runs.ravel()])
        expect(
            typed < 0.5 and np.ptp(runs, axis=1).any(),
            f"The numbers in timings[{name!r}] have three digits or repeat each other, which a "
            "clock's do not. Hand in every repeat as `timeit.repeat` or `time.perf_counter` gave "
            "it, without rounding.",
        )
    first, second = (table[name].min(axis=1) for name in _TIMED)
    expect(
        bool((second > first).all()),
        "In `timings` a Hessian took less time than a gradient, which it contains. Were the "
        "columns exchanged, or was the first call, which prepares things, timed with the rest?",
    )
    growth, factor = second[-1] / second[0], sizes[-1] / sizes[0]
    expect(
        growth > 1.5,
        f"From n = {sizes[0]:g} to n = {sizes[-1]:g} the Hessian took {growth:.2g} times as long; "
        "it computes n rows, so that should grow with n. `jacobian` without "
        "experimental_use_pfor=False builds a graph at every call, which hides it.",
    )
    expect(
        growth < 5 * factor**2 and first[-1] / first[0] < 5 * factor,
        f"From n = {sizes[0]:g} to n = {sizes[-1]:g} the Hessian took {growth:.2g} and the "
        f"gradient {first[-1] / first[0]:.2g} times as long, far more than the work grows. Time "
        "the same function at every n, and call it once before you start the clock.",
    )
    measured = sum(float(table[name].sum()) for name in _TIMED)
    total = expect_number(_part(timings, "total_seconds", "`timings`"), "timings['total_seconds']")
    expect(
        measured <= total < 50 * measured + 60,
        f"All repeats together took {measured:.3g} s, and timings['total_seconds'] is {total:.3g}. "
        "Start its clock before the first size and stop it after the last: it contains the "
        "repeats, and the calls before them.",
    )


@exercise(
    "3.17",
    "Second derivatives, timed",
    aliases=("5.3.4",),
    kind="X",
    points=3,
    minutes=25,
    stars=3,
    hints=(
        "The inner tape gives the gradient; it has to be computed inside the outer tape, which "
        "then differentiates each of its n entries.",
        "Row i of the Hessian is the gradient of entry i of the gradient. The outer tape is asked "
        "n times, so it must be persistent.",
        "`with tf.GradientTape(persistent=True) as outer: outer.watch(x); with tf.GradientTape() "
        "as inner: ...`, then a list of `outer.gradient(gradient[i], x)`, whose parts are "
        "taken inside the outer tape; `timeit.repeat(lambda: hessian(f, x), number=1, repeat=3)`.",
    ),
)
def _(hessian, timings, case):
    n = 4
    A, x = case.normal(size=(n, n)), case.normal(size=n)
    want = np.diag(np.exp(x)) + A + A.T
    f = code("lambda v: tf.reduce_sum(tf.exp(v)) + tf.tensordot(v, tf.linalg.matvec(A, v), 1)", A=A)
    gradient = np.exp(x) + (A + A.T) @ x
    got = hessian(f, code("tf.constant(x)", x=x))
    expect(
        got is not None,
        "Given f(x) = sum(exp(x)) + xᵀAx: `hessian` returned None. A tape does that when the inner "
        "gradient was computed outside the outer tape, or x was not watched.",
    )
    expect_close(
        got,
        want,
        given="f(x) = sum(exp(x)) + xᵀAx with x of shape (4,)",
        what="the Hessian",
        rtol=1e-4,
        mistakes={
            "that is the gradient; differentiate each of its entries once more.": gradient,
            "that is the sum of each row: a tape adds up the entries of what it differentiates. "
            "Ask for one entry at a time.": want.sum(axis=1),
            "only the diagonal came back; row i holds the derivatives of entry i with respect to "
            "all n entries.": np.diag(want),
            "the entries off the diagonal are missing.": np.diag(np.diag(want)),
        },
    )
    yield 0.5
    _expect_measured(timings.value)


explanation(
    "3.18",
    "What second derivatives cost",
    aliases=("5.3.4-explain",),
    points=2,
    minutes=10,
    stars=2,
    hints=(
        "The gradient is computed by operations, too. What would a tape record of them?",
        "The gradient has n entries, and a backward pass starts from one number.",
        "One sentence on the size of the graph, one on the number of backward passes, one on what "
        "this means for a million parameters.",
    ),
    rubric=(
        (
            1,
            "The backward pass becomes part of the graph: it grows by a constant factor (about "
            "twofold or threefold), and all its intermediates are stored, too.",
        ),
        (
            1,
            "The Hessian of n parameters needs about n backward passes and n² numbers, so its "
            "time is about n times that of a gradient; a Hessian-vector product costs one.",
        ),
    ),
)

_PLACEMENT = """
tensors = tf.constant(X), tf.constant(W1), tf.constant(W2)
recorded = tf.function(lambda: split_forward(*tensors, devices), autograph=False)
result = [
    (op.type, op.device, [t.shape.as_list() for t in op.inputs])
    for op in recorded.get_concrete_function().graph.get_operations()
    if op.type in ("MatMul", "BatchMatMulV2", "BatchMatMulV3", "Einsum")
]
"""


@exercise(
    "3.19",
    "A hidden layer on two devices",
    aliases=("5.3.5a",),
    kind="C",
    points=3,
    minutes=20,
    stars=3,
    hints=(
        "A hidden unit needs all of x, its own column of W1 and its own row of W2. So units can "
        "be dealt out.",
        "With W1 = [A B] (columns) and W2 = [C over D] (rows): o = relu(XA) C + relu(XB) D.",
        "`half = W1.shape[1] // 2`; `with tf.device(devices[0]): first = "
        "tf.nn.relu(X @ W1[:, :half]) @ W2[:half]`, the same for the rest, and their sum.",
    ),
)
def _(split_forward, case):
    here = ["/CPU:0", "/CPU:0"]
    given = "5 examples, 3 inputs, {} hidden units, 2 outputs"
    for hidden in (6, 7):
        X, W1, W2 = (
            case.normal(size=shape).astype(np.float32)
            for shape in ((5, 3), (3, hidden), (hidden, 2))
        )
        tensors = [code("tf.constant(a)", a=each) for each in (X, W1, W2)]
        half = hidden // 2
        z = X @ W1
        h = np.maximum(z, 0)
        expect_close(
            split_forward(*tensors, here),
            h @ W2,
            given=given.format(hidden),
            what="the output",
            rtol=1e-3,
            atol=1e-4,
            mistakes={
                "only the first half of the units counts; add the second half's share.": h[:, :half]
                @ W2[:half],
                "only the second half of the units counts; add the first half's share.": h[:, half:]
                @ W2[half:],
                "the ReLU is missing.": z @ W2,
                "the two shares are averaged; add them.": h @ W2 / 2,
                "that is the hidden layer; multiply each half by its rows of W2.": h,
                "a hidden unit was lost: 7 // 2 is 3, so the second half starts at 3 and goes to "
                "the end.": h[:, : 2 * half] @ W2[: 2 * half],
                "an output activation was added; o is the sum alone.": np.maximum(h @ W2, 0),
            },
        )
    yield 0.5
    examples, inputs, hidden, outputs = 11, 5, 8, 2  # no two operands share a size
    X, W1, W2 = (
        case.normal(size=shape).astype(np.float32)
        for shape in ((examples, inputs), (inputs, hidden), (hidden, outputs))
    )
    devices = ["/CPU:0", "/CPU:1"]
    try:
        placed = split_forward.evaluate(_PLACEMENT, X=X, W1=W1, W2=W2, devices=devices)
    except AnswerError as error:
        raise NotYet(
            "The output is right. Now the placement: your function cannot be recorded as a "
            f"TensorFlow graph ({error.kind}). Use TensorFlow's own operations (`@`, tf.nn.relu, "
            "slices) inside `with tf.device(...)`, without NumPy, and take sizes from `W1.shape`."
        ) from None
    expect(
        placed,
        "The output is right. Now the placement: TensorFlow saw no matrix product. Use its own "
        "operations (`@`, tf.nn.relu, slices) inside `with tf.device(...)`, without NumPy.",
    )
    for number, wanted in enumerate(("CPU:0", "CPU:1")):
        expect(
            any(device.endswith(wanted) for _, device, _ in placed),
            f"Given the devices {devices}: no matrix product was placed on devices[{number}]. "
            f"Compute each half inside `with tf.device(devices[{number}])`.",
        )
    whole = [shapes for _, _, shapes in placed if any(hidden in shape for shape in shapes)]
    expect(
        not whole,
        f"Given {hidden} hidden units: one product has operands of shapes "
        f"{' and '.join(map(str, sum(whole[:1], [])))}, so "
        "one device holds all units. Slice W1 and W2 before you multiply, so that each device "
        "computes its own half.",
    )
    for number, wanted in enumerate(("CPU:0", "CPU:1")):
        mine = [sum(shapes, []) for _, device, shapes in placed if device.endswith(wanted)]
        for layer, size in (
            ("hidden layer, X times its columns of W1", inputs),
            ("output, its units times its rows of W2", outputs),
        ):
            expect(
                any(size in shapes for shapes in mine),
                f"Given the devices {devices}: devices[{number}] does not compute its share of "
                f"the {layer}. A device that holds half of the units does both of their products.",
            )
    lost = [device for _, device, _ in placed if not device]
    expect(
        not lost,
        f"Given the devices {devices}: {len(lost)} matrix product(s) stand outside of "
        "`with tf.device(...)`. Each belongs to one of the two devices.",
    )
    uneven = [shapes for _, _, shapes in placed if hidden // 2 not in sum(shapes, [])]
    expect(
        not uneven,
        f"Given {hidden} hidden units: one product has operands of shapes "
        f"{' and '.join(map(str, sum(uneven[:1], [])))}. Each device gets {hidden // 2} units.",
    )


explanation(
    "3.20",
    "Partitioning a graph",
    aliases=("5.3.5a-explain",),
    points=2,
    minutes=10,
    stars=2,
    hints=(
        "Cut the graph; every edge you cut is data that travels.",
        "You can cut across the layers (one device after the other) or through a layer (units "
        "dealt out). What travels, and who waits, in each case?",
        "Say how the cut is made, what is sent forward, and what is sent back.",
    ),
    rubric=(
        (
            1,
            "Yes: either the layers are dealt out (only activations at the cut travel) or the "
            "units of a layer are (partial results are summed).",
        ),
        (
            1,
            "Names the cost: activations travel forward and their gradients back over every cut "
            "edge in each step, or devices wait for one another without pipelining.",
        ),
    ),
)

explanation(
    "3.21",
    "Partition, or a smaller minibatch",
    aliases=("5.3.5b-explain",),
    points=2,
    minutes=10,
    stars=2,
    hints=(
        "Which of the numbers in exercise 3.12 does a smaller minibatch reduce, and which not?",
        "Training stores 2(hd + qh) numbers whatever the batch is, and n(d + 2h + 2q) that "
        "shrink with it.",
        "Two advantages and two disadvantages, each with its reason.",
    ),
    rubric=(
        (
            1,
            "For the partition: the batch and so the statistics of training stay as they are, and "
            "weights that do not fit one device fit two, which no batch size can achieve.",
        ),
        (
            1,
            "Against it: communication, idle devices and more complicated code; a smaller batch "
            "(with accumulated gradients, if the large batch is wanted) needs one device only, "
            "but has noisier gradients and uses a device less well.",
        ),
    ),
)
