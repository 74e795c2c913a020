"""Exercises of chapter 3: differences, forward and backward passes, a small autograd."""

from __future__ import annotations

import functools

import numpy as np

from helpers.answers import AnswerError
from helpers.exercises import (
    NotYet,
    Part,
    code,
    exercise,
    expect,
    expect_close,
    expect_number,
    expect_shape,
    explanation,
    naming,
    quiz,
    show,
)
from helpers.exercises.oracles import softmax


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
    expect(isinstance(values, dict), f"{what} should return a dict; got {_brief(values)}.")
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
        f"{what} should return {count} values, separated by commas; got {_brief(got)}.",
    )
    return got


def _brief(value):
    """Describe what came back in a few words, without the entries of its arrays."""
    if isinstance(value, dict):
        return f"a dict with the keys {', '.join(map(str, value))}"
    if isinstance(value, list | tuple) and any(np.ndim(each) for each in value):
        return f"a {type(value).__name__} of {len(value)}"
    return show(value)


def _array(got, what):
    """Return an answer as an array of real numbers, with a sentence where it is none."""
    expect(got is not None, f"{what[:1].upper() + what[1:]} is None: is a `return` missing?")
    try:
        array = np.asarray(got)
    except ValueError:
        raise NotYet(f"{what} has rows of different lengths: {show(got)}.") from None
    expect(array.dtype.kind in "iuf", f"{what} should be numbers; got {show(got)}.")
    return array


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
def check_central_difference(central_difference, case):
    # (sign of the slope, sign of x, h): rising and falling functions on both sides of 0.
    for rising, side, h in ((1, 1, 0.4), (-1, 1, 0.3), (1, -1, 0.7), (-1, -1, 0.15)):
        x, a = side * case.uniform(1.0, 2.0), rising * case.uniform(1.0, 3.0)
        given = f"f(x) = {a:.3g} x**3, x = {x:.3g}, h = {h}"
        with naming(given):
            got = central_difference(code("lambda v: a * v**3", a=a), x, h)
        got = expect_number(got, "central_difference(f, x, h)")
        up, middle, down = a * (x + h) ** 3, a * x**3, a * (x - h) ** 3
        want = (up - down) / (2 * h)
        expect_close(
            got,
            want,
            given=given,
            what="central_difference(f, x, h)",
            mistakes=_difference_mistakes(up, middle, down, h)
            | {
                "that is the difference between x - h/2 and x + h/2; (3.2) steps by h to each "
                "side.": a * ((x + h / 2) ** 3 - (x - h / 2) ** 3) / h,
                "both values are on the right of x; start at x - h.": a
                * ((x + 2 * h) ** 3 - x**3)
                / (2 * h),
                "that is f'(x) itself, as a tiny step or an exact formula gives it. Use the h that "
                "is given: (3.2) has another value for so large a step.": 3 * a * x**2,
            },
        )
    yield 0.5
    points = case.uniform(-3, 3, size=5)
    expect_close(
        central_difference(code("lambda v: np.sin(v)"), points, 1e-4),
        np.cos(points),
        given="f = np.sin and an array of 5 points, where sine rises and falls",
        what="central_difference(f, x, h)",
    )
    with naming("f(x) = x**3 and x = 0, without an h: its default is 1e-5"):
        default = central_difference(code("lambda v: v**3"), 0.0)
    default = expect_number(default, "central_difference(f, x)")
    expect_close(
        default,
        1e-10,
        given="f(x) = x**3 at x = 0 and no h, where the central difference is h**2 and the "
        "default is h = 1e-5",
        what="central_difference(f, x)",
        rtol=1e-2,
        atol=0,
    )


def _difference_mistakes(up, middle, down, h):
    """Estimates that known mistakes give, by the sentence that helps with each."""
    right = (up - down) / (2 * h)
    return {
        "that is the absolute value of the slope. Where f falls, its slope is negative.": abs(
            right
        ),
        "that is the forward difference. Start at x - h instead of x, and divide by the "
        "width of the interval.": (up - middle) / h,
        "that is the backward difference. End at x + h instead of x, and divide by the "
        "width of the interval.": (middle - down) / h,
        "the result is twice too large: from x - h to x + h the width is 2 * h.": 2 * right,
        "the sign is turned: subtract the value on the left from the value on the right.": -right,
        "`/ 2 * h` divides by 2 and then multiplies by h; write `/ (2 * h)`.": right * h * h,
        "that is the rise only; divide it by the width of the interval.": up - down,
        "only the second value is divided. Put parentheses around the difference: "
        "`(f(...) - f(...)) / (2 * h)`.": up - down / (2 * h),
        "that is an estimate of the second derivative; (3.2) does not contain f(x).": (
            up - 2 * middle + down
        )
        / h**2,
        "the step to the right starts at x + h, but only half of the width is counted: "
        "from x to x + h the width is h.": (up - middle) / (2 * h),
    }


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
        "`one, h = np.float32(1), np.float32(h)`, `forward = (np.sin(one + h) - np.sin(one)) / h`, "
        "and return `abs(float(forward) - np.cos(1.0))` with its central counterpart. Then call "
        "the function for each step, collect two lists, and use `np.argmin`.",
    ),
)
def check_float32_errors(float32_errors, steps_float32, case):
    is_right = []

    def judge_function():
        _expect_float32_errors(float32_errors, case)
        is_right.append(True)

    def judge_table():
        table = steps_float32.value
        expect(is_right, "`steps_float32` is judged once `float32_errors` is right.")
        _expect_step_table(table, float32_errors, case)

    yield Part(0.5, judge_function)
    yield Part(0.5, judge_table)


def _expect_float32_errors(float32_errors, case):
    for h in (0.5, *(10.0 ** case.uniform(-1.5, -0.3, size=3))):
        _expect_truncation_error(_two_errors(float32_errors, h), h)
    _expect_float32_rounding(float32_errors, case)


def _two_errors(float32_errors, h):
    """Return the errors of both estimates at one step of float64, as the answer measures them."""
    step = code("np.float64(h)", h=float(h))  # NumPy lets a Python float be float32
    got = _several(float32_errors(step), 2, "`float32_errors(h)`")
    errors = [
        expect_number(each, f"the {name} error")
        for each, name in zip(got, ("forward", "central"), strict=True)
    ]
    expect(
        min(errors) >= 0,
        f"Given h = {h:.2g}: an error is an absolute difference; yours are {show(errors)}.",
    )
    return errors


def _expect_truncation_error(errors, h):
    truth = {
        "forward": abs((np.sin(1 + h) - np.sin(1)) / h - np.cos(1)),
        "central": abs((np.sin(1 + h) - np.sin(1 - h)) / (2 * h) - np.cos(1)),
    }
    expect(
        not np.allclose(errors[::-1], list(truth.values()), rtol=0.02, atol=2e-5),
        f"Given h = {h:.2g}: the two errors are exchanged; the forward error comes first.",
    )
    rises = {
        "forward": abs(np.sin(1 + h) - np.sin(1)),
        "central": abs(np.sin(1 + h) - np.sin(1 - h)),
    }
    width = {"forward": h, "central": 2 * h}
    for (name, want), got in zip(truth.items(), errors, strict=True):
        expect_close(
            got,
            want,
            given=f"h = {h:.2g}, where the error is all truncation",
            what=f"the {name} error |estimate - cos(1)|",
            rtol=0.02,
            atol=2e-5,
            mistakes={
                "that is the estimate itself; its error is |estimate - cos(1)|.": np.cos(1) + want,
                "that is the estimate itself: its error is |estimate - cos(1)|.": np.cos(1) - want,
                "that is a difference of two sines alone: divide it by the width of the interval, "
                "and subtract cos(1).": rises[name],
                "the estimate is twice too large: from x - h to x + h the width is 2 * h.": abs(
                    rises[name] / width[name] * 2 - np.cos(1)
                ),
                "that is the error at x = 0; x is 1.": abs(np.sin(h) / h - 1),
                "that is a relative error; leave the difference undivided.": want / np.cos(1),
                "that is the squared error; take the absolute value.": want**2,
            },
        )


def _expect_float32_rounding(float32_errors, case):
    """Small steps: float32 leaves an error of about 6e-8 / h, float64 next to none."""
    steps = 10.0 ** case.uniform(-6.5, -5.5, size=8)
    errors = np.array([_two_errors(float32_errors, h) for h in steps])
    for name, column in zip(("forward", "central"), errors.T, strict=True):
        scaled = column * steps / 6e-8
        expect(
            np.median(scaled) > 0.01,
            f"Given steps near 1e-6: your {name} errors are near {np.median(column):.1e}, so the "
            "values were float64. NumPy keeps float32 only if x and h both are: np.float32(1) and "
            "np.float32(h).",
        )
        expect(
            np.max(scaled) < 40,
            f"Given h = {steps[np.argmax(scaled)]:.1e}: the {name} error is {column.max():.2g}, "
            "more than rounding in float32 explains. Divide by the step that you took, and keep "
            "the result of `float(...)` for the absolute value.",
        )


def _expect_step_table(value, float32_errors, case):
    what = "`steps_float32`"
    table = _table(value, ("h", "forward", "central"), what)
    h = table["h"]
    expect(
        len(h) >= 12 and h.max() >= 0.1 and 0 < h.min() <= 1e-6,
        f"{what} should hold at least 12 steps h, from 0.1 or more down to 1e-6 or less; got "
        f"{len(h)} from {h.max():.1g} to {h.min():.1g}.",
    )
    gaps = np.diff(np.sort(np.log10(h)))
    expect(
        gaps.max() < 1.01,
        f"Between two neighbouring steps of {what} there is a factor of "
        f"{10 ** gaps.max():.3g}; take at least one step per power of ten.",
    )
    for row in case.choice(len(h), size=min(5, len(h)), replace=False):
        again = _two_errors(float32_errors, h[row])
        for name, error in zip(("forward", "central"), again, strict=True):
            expect(
                np.isclose(table[name][row], error, rtol=1e-3, atol=1e-9),
                f"{what} says that the {name} error at h = {h[row]:.3g} is "
                f"{table[name][row]:.6g}; your function returns {error:.6g} for that step. Fill "
                "the table by calling it.",
            )
    for name in ("forward", "central"):
        best = expect_number(_part(dict(value), f"best_{name}", what), f"{what}['best_{name}']")
        errors = table[name]
        lowest = h[np.isclose(errors, errors.min(), rtol=1e-9, atol=0)]
        expect(
            bool(np.isclose(best, lowest, rtol=0.01).any()),
            f"{what}['best_{name}'] is {best:.3g}, but the smallest of your {name} errors is at "
            f"h = {lowest[0]:.3g}. Give the step, neither its index nor its error.",
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
def check_numerical_gradient(numerical_gradient, case):
    for shape, sign in (((3,), 1), ((2, 3), -1), ((2, 1, 2), -1), ((1, 4), 1)):
        x = case.uniform(0.5, 2.0, size=shape) * case.choice([-1.0, 1.0], size=shape)
        _expect_cubic_gradient(numerical_gradient, x, sign * case.uniform(0.4, 0.8))
    _expect_central_step(numerical_gradient, case)
    yield 0.5
    _expect_gradient_of_other_dtypes(numerical_gradient, case)


def _cubic(c):
    """Return f(x) = c sum(x**3) + prod(x) as code."""
    return code("lambda v: float((c * v**3).sum() + v.prod())", c=float(c))


def _cubic_gradient(x, c):
    x = np.asarray(x, dtype=np.float64)
    others = [np.delete(x.ravel(), i).prod() for i in range(x.size)]
    return 3 * c * x**2 + np.reshape(others, x.shape)


def _expect_cubic_gradient(numerical_gradient, x, c):
    given = f"f(x) = {c:.3g} sum(x**3) + prod(x) and x of shape {x.shape}"
    with naming(given):
        got = _array(numerical_gradient(_cubic(c), x), "the gradient")
    want = _cubic_gradient(x, c)
    expect(
        got.size != x.size or got.shape == x.shape,
        f"Given {given}: the gradient has shape {got.shape}. It has the shape of x: one "
        "derivative for each entry, in its place.",
    )
    expect(
        not (got.shape == () and x.size > 1),
        f"Given {given}: one number came back. Each of the {x.size} entries needs its own "
        "derivative, with all others held still.",
    )
    expect_close(
        got,
        want,
        given=given,
        what="the gradient",
        rtol=1e-3,
        atol=1e-4,
        mistakes={
            "the signs are lost: where f falls, the derivative is negative.": np.abs(want),
            "every entry is twice too large: the interval from x - h to x + h has the width "
            "2 * h.": 2 * want,
            "every entry is half of what it should be: from x - h to x + h the width is "
            "2 * h, and you divide by more.": want / 2,
            "that is the slope when all entries move together. Change one entry at a time, and "
            "hold the others still.": np.full(x.shape, want.sum()),
            "all entries of a row move together. Change one entry at a time: it has one index for "
            "each axis.": np.broadcast_to(
                want.sum(axis=tuple(range(1, x.ndim)), keepdims=True), x.shape
            ),
            "the sign is turned.": -want,
            "`/ 2 * h` divides by 2 and then multiplies by h; write `/ (2 * h)`.": want * 1e-10,
            "f got one entry alone; give it the whole array, with one entry changed.": 3
            * c
            * np.square(x)
            + 1,
        },
    )


def _expect_central_step(numerical_gradient, case):
    """A law of central differences: for f = sum(x**3) every entry at x = 0 is exactly h**2."""
    _expect_step(numerical_gradient)
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


def _expect_step(numerical_gradient):
    cubes = code("lambda v: float((v**3).sum())")
    square = float(_array(numerical_gradient(cubes, np.zeros(2)), "the gradient").ravel()[0])
    expect(
        np.isfinite(square),
        f"Given f(x) = sum(x**3) at x = 0: the gradient is {square}. Take the step h = 1e-5 for "
        "every entry, also where the entry is 0.",
    )
    expect(
        square > 0,
        f"Given f(x) = sum(x**3) at x = 0: a central difference is h**2 = 1e-10 there; got "
        f"{square:.3g}.",
    )
    step = np.sqrt(square)
    expect(
        5e-7 < step < 2e-4,
        f"Your step is h = {step:.2g}; the exercise asks for 1e-5. "
        + ("Truncation" if step > 1e-5 else "Rounding")
        + " makes the gradient less accurate with it.",
    )


def _expect_gradient_of_other_dtypes(numerical_gradient, case):
    whole = case.integers(1, 5, size=4) * case.choice([-1, 1], size=4)
    given = f"the integer array {show(whole)}"
    got = _array(numerical_gradient(_cubic(0.5), whole), "the gradient")
    want = _cubic_gradient(whole, 0.5)
    expect(
        got.shape == want.shape and np.allclose(got, want, rtol=1e-3, atol=1e-3),
        f"Given {given}: expected {show(want)}, got {show(got)}. An integer array cuts off the "
        "fraction, so x + h is x again: convert a copy to float64 before you add h, and make the "
        "gradient an array of floats.",
    )
    expect(
        got.dtype.kind == "f",
        f"Given {given}: the gradient should be floating-point numbers; it has dtype {got.dtype}. "
        "`np.zeros_like` of an integer array is an integer array.",
    )
    for _ in range(4):
        single = (case.uniform(1.0, 2.0, size=3) * case.choice([-1, 1], size=3)).astype(np.float32)
        got = _array(numerical_gradient(_cubic(0.5), single), "the gradient")
        want = _cubic_gradient(single, 0.5)
        expect(
            got.shape == (3,) and np.allclose(got, want, rtol=1e-3),
            f"Given {show(single)} in float32: expected {show(want)}, got {show(got)}. "
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
def check_gradient_descent(gradient_descent, case):
    for size, steps in ((2, 6), (1, 4), (3, 9)):
        _expect_path(gradient_descent, size, steps, 3.0, case)
    yield 0.5
    _expect_path(gradient_descent, 2, 5, 3e-3, case)  # near the minimum, where steps are short
    path = gradient_descent(code("lambda v: 2 * v"), np.array([4, -2]), 0.25, 2)
    expect_close(
        path,
        [[4, -2], [2, -1], [1, -0.5]],
        given="the gradient 2x, the integer start [4, -2], learning rate 0.25, 2 steps",
        what="the path",
        mistakes={
            "integers cut off the fractions: convert the start to float.": [
                [4, -2],
                [2, -1],
                [1, 0],
            ]
        },
    )
    start_only = gradient_descent(code("lambda v: v"), np.ones(3), 0.1, 0)
    expect_shape(start_only, (1, 3), given="0 steps from a start of shape (3,)", what="the path")


def _expect_path(gradient_descent, size, steps, distance, case):
    """Descend a bowl whose gradient mixes the entries of x, from `distance` off its minimum."""
    turn = np.linalg.qr(case.normal(size=(size, size)))[0]
    A, minimum = turn @ np.diag(case.uniform(0.5, 2.0, size=size)) @ turn.T, case.normal(size=size)
    A, rate = (A + A.T) / 2, float(case.uniform(0.2, 0.6))
    start = minimum + distance * case.uniform(0.5, 1.5, size=size)
    given = (
        f"f(x) = (x - c)ᵀA(x - c) / 2 with the gradient A(x - c), a start of shape ({size},), "
        f"learning rate {rate:.3g}, {steps} steps"
    )
    with naming(given):
        got = gradient_descent(code("lambda v: A @ (v - c)", A=A, c=minimum), start, rate, steps)
    got = _array(got, "the path")
    paths = {
        variant: _path(A, minimum, start, rate, steps, variant) for variant in _DESCENT_MISTAKES
    }
    want = _path(A, minimum, start, rate, steps)
    _expect_rows(got, want, start, steps, given)
    expect_close(
        got,
        want,
        given=given,
        what="the path",
        mistakes={_DESCENT_MISTAKES[variant]: path for variant, path in paths.items()}
        | {
            "every row is the last point. `x -= ...` changes the array that the path already "
            "holds; write `x = x - ...`.": np.tile(want[-1], (steps + 1, 1)),
            "the start is there twice: append each point after its step.": np.vstack(
                [start, want[:-1]]
            ),
        },
    )


_DESCENT_MISTAKES = {
    "up": "the path climbs: subtract the gradient instead of adding it.",
    "rate": "the learning rate is missing: multiply the gradient by it.",
    "fixed": "those are steps with the learning rate 0.1; use the argument `learning_rate`.",
    "start": "the gradient is taken at the start in every step; take it at the current point.",
    "length": "the gradient is divided by its length; (3.5) takes it as it is.",
    "entries": "one entry of x changes after the other, so later ones get the gradient at another "
    "point. Compute the whole gradient, then change all entries.",
}


def _path(A, minimum, start, rate, steps, variant=""):
    """Return the path of gradient descent, with the one mistake that `variant` names."""
    path = [np.array(start, dtype=float)]
    rate = {"up": -rate, "rate": 1.0, "fixed": 0.1}.get(variant, rate)
    for _ in range(steps):
        x = path[-1].copy()
        if variant == "entries":
            for i in range(x.size):
                x[i] -= rate * (A @ (x - minimum))[i]
        else:
            slope = A @ ((path[0] if variant == "start" else x) - minimum)
            x -= rate * (slope / np.linalg.norm(slope) if variant == "length" else slope)
        path.append(x)
    return np.array(path)


def _expect_rows(got, want, start, steps, given):
    expect(
        got.shape != start.shape or got.shape == want.shape,
        f"Given {given}: only one point came back; return the whole path, with the start in row 0.",
    )
    expect(
        got.shape != want.shape[::-1] or steps + 1 == len(start),
        f"Given {given}: the points are the columns here; each row of the path is a point.",
    )
    expect(
        got.shape != (steps + 2, len(start)),
        f"Given {given}: {steps + 2} rows came back, one step too many.",
    )
    expect(
        got.shape != want.shape
        or np.allclose(got[0], start, rtol=1e-4, atol=1e-6)
        or np.allclose(got, got[-1]),
        f"Given {given}: row 0 of the path is not the start. Each row is a point, not a gradient "
        "or a step.",
    )
    expect(
        got.shape != (steps, len(start)),
        f"Given {given}: {steps} rows came back; the path has the start and {steps} points after "
        "it.",
    )


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
def check_bilinear_gradient(bilinear_gradient, case):
    for n, m in ((2, 3), (4, 2), (3, 3), (1, 5)):
        X, a = case.normal(size=(n, m)), case.normal(size=n)
        b = case.uniform(0.3, 2.0, size=m) * (-1) ** np.arange(m)  # entries of both signs
        with naming(f"X of shape ({n}, {m}), a of shape ({n},), b of shape ({m},)"):
            got = bilinear_gradient(X, a, b)
        want = _difference_gradient(lambda V, a=a, b=b: a @ V @ b, X)
        expect_close(
            got,
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
                "the sign is turned.": -want,
                "that is a alone; multiply each a[i] by b[j].": np.tile(a[:, None], (1, m)),
                "that is b alone; multiply each b[j] by a[i].": np.tile(b, (n, 1)),
                "that is X itself; the derivative of f with respect to X does not contain X.": X,
                "f is linear in each entry, so there is no factor 2.": 2 * want,
                "the entries are right, in the wrong shape: the gradient has the shape of "
                "X.": want.ravel(),
                "the signs are lost: an entry a[i] * b[j] may be negative.": np.abs(want),
                "that is a[i] + b[j]; the derivative is the product a[i] * b[j].": np.add.outer(
                    a, b
                ),
            },
        )
    # The exact gradient does not contain X, whatever X holds. Any difference of f does.
    try:
        got = bilinear_gradient(np.full_like(X, 1e300), a, b)
    except AnswerError:
        got = None
    expect(
        np.shape(got) == want.shape and np.allclose(got, want, rtol=1e-3, atol=1e-5),
        "Given an X with entries of 1e300: the gradient changes, although f is linear in X. "
        "Differences of f are lost in rounding there; write down the exact gradient.",
    )


def _network(case, n=5, d=2, hidden=4, outputs=3):
    """Draw a minibatch and weights away from the kink of ReLU, with units of both signs."""
    while True:
        X, Y = case.normal(size=(n, d)), case.normal(size=(n, outputs))
        W1, W2 = case.normal(size=(d, hidden)), case.normal(size=(hidden, outputs))
        z = X @ W1
        if np.abs(z).min() > 1e-2 and (z > 0).any() and (z < 0).any():
            return X, Y, W1, W2, float(case.uniform(0.1, 0.5))


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
        "are on the right.",
        "z = XW1, h = max(z, 0), o = hW2, L = sum of (o - Y)**2 over all entries, divided by 2n, "
        "s = weight_decay / 2 * (sum of W1**2 + sum of W2**2), J = L + s.",
        '`z = X @ W1` ... and at the end `return {"z": z, "h": h, "o": o, "L": L, "s": s, "J": J}`',
    ),
)
def check_forward(forward, case):
    for position, sizes in enumerate(((5, 2, 4, 3), (1, 3, 2, 4), (7, 4, 5, 1))):
        inputs = _network(case, *sizes)
        with naming(_shapes(X=inputs[0], Y=inputs[1], W1=inputs[2], W2=inputs[3])):
            got = forward(*inputs)
        want, mistakes = _forward(*inputs), _forward_mistakes(*inputs)
        for key in want:
            expect_close(
                _part(got, key, "`forward`"),
                want[key],
                given=f"{sizes[0]} example{'s' if sizes[0] > 1 else ''}, W1 of shape "
                f"{inputs[2].shape}, W2 of shape {inputs[3].shape}",
                what=key,
                mistakes=mistakes[key],
            )
            if position == 0 and key == "o":
                yield 0.5


def _shapes(**arrays):
    """Return "X of shape (5, 2), W1 of shape (2, 4)"."""
    return ", ".join(f"{name} of shape {np.shape(array)}" for name, array in arrays.items())


def _forward_mistakes(X, Y, W1, W2, weight_decay):
    """For each value of the forward pass, what known mistakes give."""
    want = _forward(X, Y, W1, W2, weight_decay)
    n, z, gap = len(X), want["z"], ((want["o"] - Y) ** 2).sum()
    first, second = (W1**2).sum(), (W2**2).sum()
    forgets = "one of the two matrices is missing from the penalty"
    return {
        "z": {
            "z came back transposed: it has one row for each example.": z.T,
            "z holds what belongs into h: it is the value before the ReLU.": np.maximum(z, 0),
        },
        "h": {
            "h equals z; the activation is missing.": z,
            "the activation here is ReLU, max(z, 0), not tanh.": np.tanh(z),
            "the activation here is ReLU, max(z, 0), not the sigmoid.": 1 / (1 + np.exp(-z)),
            "all signs are wrong way round: ReLU keeps what is positive.": np.minimum(z, 0),
            "that is |z|; ReLU makes what is negative 0.": np.abs(z),
            "that is a leaky ReLU; here what is negative becomes 0.": np.where(z > 0, z, 0.01 * z),
        },
        "o": {
            "the activation is missing: o is hW2, and you used z.": z @ W2,
            "o has no activation; it is hW2 itself.": np.maximum(want["o"], 0),
            "o has no softmax; it is hW2 itself.": softmax(want["o"]),
        },
        "L": {
            "the batch size is missing: L is the mean over the examples, so divide by n.": gap / 2,
            "the factor 1/2 is missing.": gap / n,
            "the factor 1/2 and the batch size n are missing: L is the sum divided by 2n.": gap,
            "divide by 2n, where n counts the examples and not the entries of o.": gap
            / (2 * want["o"].size),
            "that is the mean over all entries without the factor 1/2; divide by 2n.": gap
            / want["o"].size,
            "the norm is squared: add up the squares without a root.": np.sqrt(gap) / (2 * n),
            "those are absolute values; the norm adds up squares.": np.abs(want["o"] - Y).sum()
            / (2 * n),
            "`/ 2 * n` divides by 2 and multiplies by n; write `/ (2 * n)`.": gap / 2 * n,
        },
        "s": {
            "the factor 1/2 is missing.": weight_decay * (first + second),
            "the factor 1/2 belongs to both norms.": weight_decay * (first / 2 + second),
            "the factor 1/2 belongs to both of them.": weight_decay * (first + second / 2),
            "the penalty is no mean over the examples: do not divide by n.": want["s"] / n,
            "the weight decay is missing.": (first + second) / 2,
            "that is the penalty for a weight decay of 0.1; use the argument `weight_decay`.": 0.05
            * (first + second),
            "the weight decay and the factor 1/2 are missing.": first + second,
            "the norms are squared: add the squares of the entries without a root.": weight_decay
            / 2
            * (np.sqrt(first) + np.sqrt(second)),
            "that is the norm of all weights; the penalty adds squared norms.": weight_decay
            / 2
            * np.sqrt(first + second),
            "entries are squared before they are added.": weight_decay / 2 * (W1.sum() + W2.sum()),
            f"{forgets}: W2 counts, too.": weight_decay / 2 * first,
            f"{forgets}: W1 counts, too.": weight_decay / 2 * second,
        },
        "J": {
            "J equals L; add the penalty s.": want["L"],
            "J equals s; add the loss L.": want["s"],
            "the penalty is added, not subtracted: J = L + s.": want["L"] - want["s"],
            "J is the sum of L and s, not their product.": want["L"] * want["s"],
        },
    }


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
def check_edges_with_bias(edges_with_bias, case):
    listed = _edges(edges_with_bias.value)
    edges = set(listed)
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
    twice = sorted(edge for edge in edges if listed.count(edge) > 1)
    expect(
        not twice,
        f"The edge {' to '.join(twice[0]) if twice else ''} is listed twice; each edge belongs to "
        "the graph once.",
    )


def _edges(value):
    """Return a list of (from, to) pairs of names."""
    expect(
        not isinstance(value, dict),
        "`edges_with_bias` is a dict, which keeps one result for each operand; W1 has two. Write a "
        'list of pairs such as ("x", "u").',
    )
    expect(
        isinstance(value, list | tuple),
        '`edges_with_bias` should be a list of pairs of names, such as ("x", "u"); it is '
        f"{show(value)}.",
    )
    pairs = list(value)
    for pair in pairs:
        expect(
            isinstance(pair, list | tuple)
            and len(pair) == 2
            and all(isinstance(name, str) for name in pair),
            "`edges_with_bias` should be a list of pairs (from, to) of names in quotes, such as "
            f'("x", "u"); it contains {show(pair)}.',
        )
    return [(start.strip(), end.strip()) for start, end in pairs]


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
def check_backward(backward, case):
    for position, sizes in enumerate(((5, 2, 4, 3), (1, 3, 2, 4), (6, 4, 5, 1))):
        X, Y, W1, W2, weight_decay = _network(case, *sizes)
        values = _forward(X, Y, W1, W2, weight_decay)
        with naming(_shapes(X=X, Y=Y, W1=W1, W2=W2)):
            got = _several(backward(values, X, Y, W1, W2, weight_decay), 2, "`backward`")
        n = len(X)
        given = f"{n} example{'s' if n > 1 else ''} and weight_decay {weight_decay:.2f}"
        expect(
            not (np.shape(got[0]) == W2.shape and np.shape(got[1]) == W1.shape),
            f"Given {given}: the two gradients came in the wrong order; return dW1, dW2.",
        )
        _expect_backward(got, values, X, Y, W1, W2, weight_decay, given)
        if position == 0:
            yield 0.5
    # Values that belong to no forward pass: what recomputes one of them, or differentiates J,
    # does not follow them. Only z and h have the same units open.
    X, Y, W1, W2, weight_decay = _network(case)
    z = case.normal(size=(len(X), W1.shape[1]))
    h = np.where(z > 0, case.uniform(0.5, 2.0, size=z.shape), 0.0)
    other = {**_forward(X, Y, W1, W2, weight_decay), "z": z, "h": h, "o": case.normal(size=Y.shape)}
    got = _several(backward(other, X, Y, W1, W2, weight_decay), 2, "`backward`")
    want = _equations(other, X, Y, W1, W2, weight_decay)
    agrees = all(
        np.shape(each) == right.shape and np.allclose(each, right, rtol=1e-3, atol=1e-5)
        for each, right in zip(got, want, strict=True)
    )
    expect(
        agrees,
        "Given `values` with other numbers for z, h and o than a forward pass would put there: the "
        "gradients do not follow them. Take z, h and o from `values`; the backward pass computes "
        "nothing of the forward pass again, and needs neither a tape nor differences.",
    )


def _equations(values, X, Y, W1, W2, weight_decay):
    """Return both gradients by (5.3.9) to (5.3.14)."""
    do = (values["o"] - Y) / len(X)
    dz = do @ W2.T * (values["z"] > 0)
    return X.T @ dz + weight_decay * W1, values["h"].T @ do + weight_decay * W2


def _expect_backward(got, values, X, Y, W1, W2, weight_decay, given):
    full = [
        _difference_gradient(lambda W: _forward(X, Y, W, W2, weight_decay)["J"], W1),
        _difference_gradient(lambda W: _forward(X, Y, W1, W, weight_decay)["J"], W2),
    ]
    n, do = len(X), (values["o"] - Y) / len(X)
    for place, weights in ((1, W2), (0, W1)):
        data, decay = full[place] - weight_decay * weights, weight_decay * weights
        mistakes = {
            "the weight decay is missing: add weight_decay times the weights.": data,
            f"the gradient is {n} times too large: divide by the batch size n, since L is a "
            "mean.": n * data + decay,
            "the sign is turned: dJ/do is (o - Y) / n.": decay - data,
            "the whole gradient, the weight decay included, is n times too large; only dJ/do is "
            "divided by n.": n * (data + decay),
            "the derivative of weight_decay / 2 * w**2 is weight_decay * w, without the 2.": data
            + 2 * decay,
            "the derivative of weight_decay / 2 * w**2 is weight_decay * w, without the 1/2.": data
            + decay / 2,
            "the derivative of (o - Y)**2 / (2n) is (o - Y) / n, without a 2.": 2 * data + decay,
            "the derivative of (o - Y)**2 / (2n) is (o - Y) / n, without the 1/2.": data / 2
            + decay,
            "divide by n, which counts the examples and not the entries of Y.": data / Y.shape[1]
            + decay,
            "the weight decay is divided by n as well; the penalty is no mean.": data + decay / n,
            "the penalty is added to J, so its gradient is added.": data - decay,
            "that is the gradient for a weight decay of 0.1; use the argument `weight_decay`.": data
            + 0.1 * weights,
            "the gradient came back transposed; it has the shape of its matrix.": full[place].T,
        }
        if place == 0:
            mistakes |= _gate_mistakes(values, X, do, W2, decay)
        else:
            mistakes["O is the product of H and W2, so its gradient contains H, not Z."] = (
                values["z"].T @ do + decay
            )
        expect_close(
            got[place],
            full[place],
            given=given,
            what=f"dJ/dW{place + 1}",
            rtol=1e-3,
            atol=1e-5,
            mistakes=mistakes,
        )


def _gate_mistakes(values, X, do, W2, decay):
    def gated(gate):
        return X.T @ (do @ W2.T * gate) + decay

    h = values["h"]
    return {
        "ReLU's derivative is missing: the gradient passes only where z > 0.": gated(1.0),
        "ReLU's derivative is 1 where z > 0, not z itself.": gated(h),
        "that is the derivative of tanh; this network has ReLU.": gated(1 - h**2),
        "the gate is turned: the gradient passes where z > 0.": gated(values["z"] < 0),
        "ReLU's derivative is 0 where z < 0; the sign of z is -1 there.": gated(
            np.sign(values["z"])
        ),
        "the gate looks at z, not at the gradient: it passes the gradient, of either sign, where "
        "z > 0.": X.T @ np.maximum(do @ W2.T, 0) + decay,
    }


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
def check_bias_network(cost_with_bias, gradients_with_bias, case):
    yield Part(1 / 3, lambda: _expect_biased_costs(cost_with_bias, case))
    yield Part(2 / 3, lambda: _expect_bias_gradients(gradients_with_bias, case))


def _expect_biased_costs(cost_with_bias, case):
    for d, hidden, q in ((3, 4, 2), (1, 2, 3)):
        inputs = _bias_network(case, d, hidden, q)
        with naming(_shapes(x=inputs[0], W1=inputs[2], b1=inputs[3], W2=inputs[4])):
            cost = cost_with_bias(*inputs)
        _expect_biased_cost(cost, *inputs)


def _expect_bias_gradients(gradients_with_bias, case):
    for d, hidden, q in ((3, 4, 2), (1, 2, 3)):
        inputs = _bias_network(case, d, hidden, q)
        with naming(_shapes(x=inputs[0], W1=inputs[2], b1=inputs[3], W2=inputs[4])):
            got = _several(gradients_with_bias(*inputs), 3, "`gradients_with_bias`")
        _expect_biased_gradients(got, *inputs)
    # Differences of a J near 1e28 are lost in its rounding; the equations are not.
    x, y, *rest = _bias_network(case, 3, 4, 2)
    inputs = (x, y * 1e14, *rest)
    got = _several(gradients_with_bias(*inputs), 3, "`gradients_with_bias`")
    wants = _biased_gradients(*inputs)
    expect(
        all(
            np.shape(each) == want.shape and np.allclose(each, want, rtol=1e-3)
            for each, want in zip(got, wants, strict=True)
        ),
        "Given labels y near 1e14: the gradients are off. Differences of J are lost in rounding "
        "there; write down the derivatives of the equations.",
    )


def _bias_network(case, d, hidden, q):
    """Draw x, y, W1, b1, W2 and the weight decay of a tanh network for one example."""
    return (
        case.normal(size=d),
        case.normal(size=q),
        case.normal(size=(hidden, d)),
        case.normal(size=hidden),
        case.normal(size=(q, hidden)),
        float(case.uniform(0.1, 0.5)),
    )


def _biased_gradients(x, y, W1, b1, W2, weight_decay):
    h = np.tanh(W1 @ x + b1)
    do = W2 @ h - y
    dz = W2.T @ do * (1 - h**2)
    return np.outer(dz, x) + weight_decay * W1, dz, np.outer(do, h) + weight_decay * W2


def _expect_biased_cost(got, x, y, W1, b1, W2, weight_decay):
    want = _biased_cost(x, y, W1, b1, W2, weight_decay)
    gap = ((W2 @ np.tanh(W1 @ x + b1) - y) ** 2).sum()
    penalty = want - gap / 2
    norms = np.linalg.norm(W1) + np.linalg.norm(W2)
    expect_close(
        got,
        want,
        given=f"x of shape {x.shape}, W1 of shape {W1.shape}, weight_decay {weight_decay:.2f}",
        what="J",
        mistakes={
            "the bias is missing: z = W1 x + b1.": _biased_cost(x, y, W1, 0 * b1, W2, weight_decay),
            "the penalty contains the bias; leave b1 out of it.": want
            + weight_decay / 2 * (b1**2).sum(),
            "the penalty is missing.": gap / 2,
            "the factor 1/2 of the loss is missing.": want + gap / 2,
            "the factor 1/2 of the penalty is missing.": want + penalty,
            "both factors 1/2 are missing.": 2 * want,
            "that is half of J.": want / 2,
            "the loss adds up squares, not absolute values.": np.abs(
                W2 @ np.tanh(W1 @ x + b1) - y
            ).sum()
            / 2
            + penalty,
            "the loss is half of the squared distance, without a mean over its entries.": gap
            / 2
            / y.size
            + penalty,
            "the norms in the penalty are squared.": gap / 2 + weight_decay / 2 * norms,
            "the activation is missing: h = tanh(z).": ((W2 @ (W1 @ x + b1) - y) ** 2).sum() / 2
            + penalty,
            "the activation here is tanh, not ReLU.": (
                (W2 @ np.maximum(W1 @ x + b1, 0) - y) ** 2
            ).sum()
            / 2
            + penalty,
        },
    )


def _expect_biased_gradients(got, x, y, W1, b1, W2, weight_decay):
    given = f"x of shape {x.shape}, W1 of shape {W1.shape}, weight_decay {weight_decay:.2f}"
    shapes, right_order = [np.shape(each) for each in got], [W1.shape, b1.shape, W2.shape]
    expect(
        shapes == right_order or sorted(shapes) != sorted(right_order),
        f"Given {given}: the gradients came in the wrong order; return those of W1, b1 and W2.",
    )

    def cost(W1=W1, b1=b1, W2=W2):
        return _biased_cost(x, y, W1, b1, W2, weight_decay)

    want1 = _difference_gradient(lambda W: cost(W1=W), W1)
    want_b = _difference_gradient(lambda b: cost(b1=b), b1)
    want2 = _difference_gradient(lambda W: cost(W2=W), W2)
    z = W1 @ x + b1
    dh = W2.T @ (W2 @ np.tanh(z) - y)
    no_decay = "the weight decay is missing: add weight_decay times the weights."
    no_slope = "the derivative of tanh is missing: multiply by 1 - h**2."
    of_z = "the derivative of tanh is 1 - h**2 with h = tanh(z), not 1 - z**2."
    sign = "the sign is turned: dJ/do is o - y."
    half = "the derivative of weight_decay / 2 * w**2 is weight_decay * w, without the "
    mistakes = {
        "dJ/dW2": {
            no_decay: want2 - weight_decay * W2,
            half + "2.": want2 + weight_decay * W2,
            half + "1/2.": want2 - weight_decay * W2 / 2,
            sign: 2 * weight_decay * W2 - want2,
            "the derivative of half of a square has no factor 2.": 2 * want2 - weight_decay * W2,
        },
        "dJ/db1": {
            "the bias is not regularised: leave weight_decay * b1 out.": want_b + weight_decay * b1,
            no_slope: dh,
            of_z: dh * (1 - z**2),
            sign: -want_b,
        },
        "dJ/dW1": {
            no_decay: want1 - weight_decay * W1,
            half + "2.": want1 + weight_decay * W1,
            half + "1/2.": want1 - weight_decay * W1 / 2,
            no_slope: np.outer(dh, x) + weight_decay * W1,
            of_z: np.outer(dh * (1 - z**2), x) + weight_decay * W1,
        },
    }
    without = dict(
        zip(mistakes, _biased_gradients(x, y, W1, 0 * b1, W2, weight_decay)[::-1], strict=True)
    )
    for key, value in without.items():
        mistakes[key]["the bias is missing in z: z = W1 x + b1."] = value
    h, o = np.tanh(z), W2 @ np.tanh(z)
    mistakes["dJ/dW2"]["the activation here is tanh, not ReLU."] = (
        np.outer(W2 @ np.maximum(z, 0) - y, np.maximum(z, 0)) + weight_decay * W2
    )
    mistakes["dJ/dW2"]["o is the product of W2 and h, so its gradient contains h, not z."] = (
        np.outer(o - y, z) + weight_decay * W2
    )
    for key, each in (("dJ/dW1", W1), ("dJ/dW2", W2)):
        want = want1 if key == "dJ/dW1" else want2
        sentence = "that is the gradient for a weight decay of 0.1; use the argument."
        mistakes[key][sentence] = want + (0.1 - weight_decay) * each
    mistakes["dJ/db1"]["dz/db1 is 1, but J depends on z: dJ/db1 is dJ/dz."] = np.ones_like(b1)
    mistakes["dJ/db1"]["the derivative of tanh is 1 - h**2, where h is tanh(z) already."] = dh * (
        1 - np.tanh(h) ** 2
    )
    of_sigmoid = "the derivative of tanh is 1 - h**2; h * (1 - h) is that of the sigmoid."
    mistakes["dJ/db1"][of_sigmoid] = dh * h * (1 - h)
    mistakes["dJ/db1"]["the gradient of a bias has an entry for each unit; do not add them up."] = (
        want_b.sum()
    )
    answers = dict(zip(("dJ/dW1", "dJ/db1", "dJ/dW2"), got, strict=True))
    for key, want in (("dJ/dW2", want2), ("dJ/db1", want_b), ("dJ/dW1", want1)):
        expect_close(
            answers[key],
            want,
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
def check_gradient_check(gradient_check, case):
    for shape, kind in (
        ((3, 4), "too large"),
        ((3, 4), "too small"),
        ((2, 2, 3), "turned"),
        ((5,), "too small"),
        ((4, 2), "turned"),
    ):
        _expect_planted_error(gradient_check, shape, kind, case)
    yield 0.75
    f = code("lambda v: float((c * v**2).sum())", c=1.5)
    x = case.uniform(1, 2, size=(2, 2)) * case.choice([-1.0, 1.0], size=(2, 2))
    largest = _several(gradient_check(f, 3.0 * x, x), 2, "`gradient_check`")[0]
    expect(
        abs(expect_number(largest, "the largest difference")) < 1e-4,
        f"Given a right gradient: the largest difference should be near 0; got {show(largest)}.",
    )


def _expect_planted_error(gradient_check, shape, kind, case):
    """Plant one error, and a third of it where the gradient is small, so relatively large."""
    f = code("lambda v: float((c * v**2).sum())", c=1.5)
    x = case.uniform(1, 2, size=shape) * case.choice([-1.0, 1.0], size=shape)
    first, second = case.choice(x.size, size=2, replace=False)
    place, milder = (tuple(map(int, np.unravel_index(i, shape))) for i in (first, second))
    x[milder] /= 20
    truth = 3.0 * x
    signed = float(case.uniform(0.3, 0.6)) * (-1 if kind == "too small" else 1)
    signed = float(-2 * truth[place]) if kind == "turned" else signed
    error = abs(signed)
    gradient = truth.copy()
    gradient[place] += signed
    gradient[milder] += error / 3
    given = f"x of shape {shape} and a gradient that is wrong by {signed:.3f} at {place}"
    with naming(given):
        pair = gradient_check(f, gradient, x)
    largest, index = _several(pair, 2, "`gradient_check`")
    expect(
        not (np.ndim(largest) == 1 and np.ndim(index) == 0),
        f"Given {given}: the two results came in the wrong order; the difference comes first.",
    )
    largest = expect_number(largest, "the largest difference")
    expect(
        kind != "turned" or np.isclose(largest, error, rtol=1e-2) or largest > error / 2,
        f"Given {given}, which has the right size and the wrong sign: your largest difference is "
        f"{largest:.3g}. Subtract first and take the absolute value afterwards: |a - b|, not "
        "||a| - |b||.",
    )
    expect(
        not np.isclose(abs(largest), error / 3, rtol=1e-2),
        f"Given {given}: {largest:.3g} is another, smaller difference. Take absolute values "
        "before you look for the largest.",
    )
    expect(
        abs(largest) > 1e-6,
        f"Given {given}: {largest:.3g} is one of the smallest differences. Take absolute values, "
        "and then the largest.",
    )
    _expect_largest(largest, gradient, truth, place, error, given)
    _expect_place(index, gradient, truth, place, given)


def _expect_largest(largest, gradient, truth, place, error, given):
    gap = np.abs(gradient - truth)
    relative = _relative(gap, np.abs(truth), np.abs(gradient), place)
    expect(
        not np.isclose(largest, list(relative), rtol=1e-3).any() or np.isclose(largest, error),
        f"Given {given}: {largest:.3g} is a relative difference; leave it undivided.",
    )
    expect_close(
        largest,
        error,
        given=given,
        what="the largest difference",
        rtol=1e-3,
        mistakes={
            "the sign is turned: a difference is an absolute value.": -error,
            "that is the mean of all differences; take the largest.": gap.mean(),
            "that is the sum of all differences; take the largest.": gap.sum(),
            "that is the squared difference; take the absolute value.": error**2,
            "that is the norm of all differences; take the largest.": np.linalg.norm(gap),
            "that is the entry of the gradient; return the difference there.": gradient[place],
            "that is the numerical gradient; return the difference there.": truth[place],
        },
    )


def _relative(gap, sizes, given_sizes, place):
    """Return the relative differences that one may take for the largest."""
    for below in (sizes, np.maximum(sizes, given_sizes), sizes + given_sizes):
        yield (gap / below).max()
        yield (gap / below)[place]


def _expect_place(index, gradient, truth, place, given):
    gap, shape = np.abs(gradient - truth), truth.shape
    flat = int(np.ravel_multi_index(place, shape))
    found = np.ravel(_array(index, "the place")).tolist()
    expect(
        len(shape) == 1 or found != [flat],
        f"Given {given}: {flat} counts through the flattened array. Return one number for "
        "each axis: np.unravel_index does it.",
    )
    expect(
        len(found) == len(shape),
        f"Given {given}: the place needs {len(shape)} indices, one for each axis; got "
        f"{show(index)}.",
    )
    others = {
        "where the difference is largest relative to the gradient. Compare the differences "
        "themselves": np.argmax(gap / np.abs(truth)),
        "where the gradient is largest. Look for the largest difference": np.argmax(
            np.abs(gradient)
        ),
        "where the right gradient is largest. Look for the largest difference": np.argmax(
            np.abs(truth)
        ),
    }
    for words, other in others.items():
        named = [int(i) for i in np.unravel_index(other, shape)]
        expect(
            found != named or tuple(found) == place, f"Given {given}: {tuple(named)} is {words}."
        )
    one_based = found == [i + 1 for i in place]
    expect(
        tuple(found) == place,
        f"Given {given}: the place should be {place}; got {show(index)}."
        + (" Indices count from 0." if one_based else ""),
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
def check_stored_numbers(stored_numbers, case):
    sizes = [(784, 256, 10, 32), (5, 3, 2, 1)]
    sizes += [tuple(int(size) for size in case.integers(1, 200, size=4)) for _ in range(4)]
    sizes += [(2, 4, 50, 3), (90, 4, 2, 3), (3, 60, 7, 5)]
    for d, h, q, n in sizes:
        got = _several(stored_numbers(d, h, q, n), 2, "`stored_numbers`")
        given = f"d = {d}, h = {h}, q = {q}, batch_size = {n}"
        training, prediction = _footprint(d, h, q, n)
        by_training, by_prediction = _footprint_mistakes(d, h, q, n)
        for each, want, what, mistakes in (
            (got[0], training, "the count for training", by_training),
            (got[1], prediction, "the count for prediction", by_prediction),
        ):
            expect_close(each, want, given=given, what=what, rtol=1e-9, mistakes=mistakes)


def _footprint_mistakes(d, h, q, n):
    training, prediction = _footprint(d, h, q, n)
    parameters = h * d + q * h
    training_mistakes = {
        "training keeps both matrices and a gradient for each, 2(hd + qh) numbers; you count them "
        "once.": training - parameters,
        "the matrices and their gradients are missing from training.": training - 2 * parameters,
        "the batch X and Y is missing from training.": training - n * (d + q),
        "nd numbers are missing from training: the inputs X.": training - n * d,
        "nq numbers are missing from training. Both the labels Y and the outputs o have "
        "nq.": training - n * q,
        "2nq numbers are missing from training: the labels Y and the outputs o.": training
        - 2 * n * q,
        "the two counts came in the wrong order; training comes first.": prediction,
        "the stored intermediates z, h and o are missing from training.": training
        - n * (2 * h + q),
        "z and h are missing from training.": training - 2 * n * h,
        "z is kept beside h: both have h numbers for each example.": training - n * h,
        "that does not grow with the batch: X, Y, z, h and o hold one row for each example.": 2
        * parameters
        + (d + q)
        + (2 * h + q),
        "X and Y hold one row for each example, too.": training - (n - 1) * (d + q),
        "z, h and o hold one row for each example.": training - (n - 1) * (2 * h + q),
        "the weights and their gradients do not grow with the batch.": training
        + 2 * (n - 1) * parameters,
        "the gradients of the intermediates are not counted here.": training + n * (2 * h + q),
        "there is no bias in this network.": training + 2 * (h + q),
        "those are bytes; count numbers.": 4 * training,
    }
    every = n * (d + 2 * h + q)
    prediction_mistakes = {
        "prediction keeps no gradients.": prediction + parameters,
        "prediction can discard what the next operation does not need: only one "
        "operation's input and output live at a time, so take the maximum.": parameters + every,
        "that forgets the batch: each row has its own numbers.": parameters
        + max(d + h, 2 * h, h + q),
        "the weights have to be there for prediction, too.": prediction - parameters,
        "an operation needs its output beside its input: count both.": parameters
        + n * max(d, h, q),
        "the activation is an operation, too: z and h live at the same time.": parameters
        + n * max(d + h, h + q),
        "the last operation is missing: h and o live at the same time, too.": parameters
        + n * max(d + h, 2 * h),
        "that is the first operation alone; take the largest of the three.": parameters
        + n * (d + h),
        "that is the activation alone; take the largest of the three operations.": parameters
        + n * 2 * h,
        "that is the last operation alone; take the largest of the three.": parameters
        + n * (h + q),
        "twice the largest array is too much: an operation keeps its own input and "
        "output.": parameters + 2 * n * max(d, h, q),
        "both matrices stay in memory all the time.": max(
            d * h + n * (d + h), 2 * n * h, h * q + n * (h + q)
        ),
        "prediction has no labels Y.": prediction + n * q,
        "that is the smallest moment; the peak is the largest.": parameters
        + n * min(d + h, 2 * h, h + q),
        "those are bytes; count numbers.": 4 * prediction,
        "prediction needs less than training: it can discard what the next operation does not "
        "need.": training,
    }
    return training_mistakes, prediction_mistakes


_APPLY = """
def raw(value):
    if isinstance(value, (np.ndarray, np.generic, float, int)):
        return np.asarray(value)
    return np.asarray(getattr(value, "data", value))

def plain(value):
    array = None if value is None else raw(value)
    return None if array is None or array.dtype == object else np.array(array)

def several(value):
    each = value if isinstance(value, (tuple, list)) else (value,)
    variables.extend(  # those of helpers.autograd differentiate gradients, too
        type(one).__name__ for one in each
        if hasattr(one, "creator") and type(one).__module__ != "helpers.autograd"
    )
    return [plain(one) for one in each]

variables = []
given = [each.copy() for each in inputs]
function = {name}()
made = function(*inputs)
output = plain(made)
{name}()(*others)
kept = [plain(each) for each in function.inputs]
arrived = gradient.copy()
first = several(function.backward(arrived))
second = several(function.backward(gradient.copy()))
result = {{
    "output": output,
    "gradients": first,
    "again": second,
    "inputs kept": all(np.array_equal(a, b) for a, b in zip(inputs + kept, given * 2)),
    "gradient kept": np.array_equal(arrived, gradient),
    "variables": variables,
}}
"""
_PASSES_ON = "backward returns the local derivative alone; multiply it by the gradient that arrives"
_SWAPPED = "the two gradients are swapped"


def _function_jobs(case):
    """For each class: two sets of inputs, its operation, and gradients that mistakes give."""
    a, b, c, d = case.normal(size=(4, 2, 3))
    left, columns, more = case.normal(size=(2, 3)), case.normal(size=(3, 4)), case.normal(size=4)
    return {
        "Square": (
            [a],
            [c],
            lambda x: x**2,
            {
                _PASSES_ON: lambda g: [2 * a],
                "the derivative of x * x is 2x; the factor 2 is missing": lambda g: [a * g],
                "the derivative of x * x is 2x; x itself is missing": lambda g: [2 * g],
                "the derivative of x * x is 2x; that is twice the output": lambda g: [2 * a**2 * g],
            },
        ),
        "Exp": (
            [a],
            [c],
            np.exp,
            {
                _PASSES_ON: lambda g: [np.exp(a)],
                "the gradient is passed on as it is; multiply it by e to the power of x, which is "
                "the output": lambda g: [g],
                "the derivative of e to the power of x is e to the power of x, not x": lambda g: [
                    a * g
                ],
                "x * e**(x - 1) is the rule for a power of x; the derivative of e to the power of "
                "x is the output": lambda g: [a * np.exp(a - 1) * g],
            },
        ),
        "Add": (
            [a, b],
            [c, d],
            lambda x, y: x + y,
            {
                _PASSES_ON: lambda g: [np.ones_like(a)] * 2,
                "the derivative of a + b is 1 with respect to both, so both get the gradient as it "
                "is": lambda g: [b * g, a * g],
                "the second sign is that of a subtraction": lambda g: [g, -g],
                "the gradient is not shared out: each input gets all of it": lambda g: [g / 2] * 2,
            },
        ),
        "Mul": (
            [a, b],
            [c, d],
            lambda x, y: x * y,
            {
                _PASSES_ON: lambda g: [b, a],
                f"{_SWAPPED}: the derivative of a * b with respect to a is b": lambda g: [
                    g * a,
                    g * b,
                ],
                "the gradient is passed on as it is; multiply it by the other input": lambda g: [
                    g,
                    g,
                ],
            },
        ),
        "MatMul": (
            [left, columns],
            [left + 1, columns * more],
            lambda x, y: x @ y,
            {
                f"{_SWAPPED}: the first belongs to a and has its shape": lambda g: [
                    left.T @ g,
                    g @ columns.T,
                ],
                "the gradient is passed on as it is; multiply it by the other matrix, "
                "transposed": lambda g: [g, g],
            },
        ),
    }


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
def check_five_functions(Square, Exp, Add, Mul, MatMul, case):
    jobs = _function_jobs(case)
    for answer in (Square, Exp, Add, Mul, MatMul):
        judge = functools.partial(_judge_function, answer, *jobs[answer.name], case)
        yield Part(1 / len(jobs), judge)


def _judge_function(answer, inputs, others, function, known, case):
    """Judge one class, and name it where it stops with an error."""
    name = answer.name
    expect(
        answer.evaluate(f"result = isinstance({name}, type) and '__call__' in dir({name})"),
        f"`{name}` should be a class that derives from Function: `class {name}(Function):`.",
    )
    try:
        _expect_function(answer, name, inputs, others, function, known, case)
    except AnswerError as error:
        if error.kind == "NotImplementedError":
            raise NotYet(f"`{name}` is not finished: a method is still missing.") from None
        line = f", in your {error.line}" if error.line else ""
        shapes = [str(np.shape(each)) for each in inputs]
        raise NotYet(
            f"Given {name} and inputs of shape {' and '.join(shapes)}, so a gradient of shape "
            f"{np.shape(function(*inputs))}: `{name}` stopped with {error}{line}."
        ) from None


def _expect_function(answer, name, inputs, others, function, known, case):
    """Judge one class: its output, its gradients, and that it leaves everything else alone."""
    g = case.normal(size=function(*inputs).shape)
    got = answer.evaluate(_APPLY.format(name=name), inputs=inputs, others=others, gradient=g)
    want = function(*inputs)
    given = f"{name} and inputs of shape {' and '.join(str(each.shape) for each in inputs)}"
    expect(
        got["output"] is not None and not np.isnan(got["output"]).all(),
        f"Given {given}: forward returned nothing; is a `return` missing?",
    )
    expect_close(got["output"], want, given=given, what="forward")
    expect(
        got["inputs kept"],
        f"Given {given}: the inputs are not what they were. `a += b` and `out=a` write into the "
        "array of the caller; write `a + b`, which makes a new one.",
    )
    expect(
        not got["variables"],
        f"Given {given}: backward returns a Variable. Compute with arrays, such as "
        "`self.inputs[0].data`, and return arrays.",
    )
    _expect_function_gradients(got["gradients"], inputs, others, function, g, known, given)
    expect(
        got["gradient kept"],
        f"Given {given}: backward writes into the gradient that it is given, which may belong to "
        "another variable, too. Return a new array.",
    )
    expect(
        all(np.allclose(a, b) for a, b in zip(got["gradients"], got["again"], strict=True)),
        f"Given {given}: a second call of backward with the same gradient returns something else. "
        "backward should change nothing that it needs again.",
    )


def _expect_function_gradients(gradients, inputs, others, function, g, known, given):
    expect(
        all(each is not None for each in gradients),
        f"Given {given}: backward returned nothing; is a `return` missing?",
    )
    expect(
        len(gradients) == len(inputs),
        f"Given {given}: backward returned {len(gradients)} gradient(s) for {len(inputs)} "
        "input(s); each input gets its own.",
    )
    for sentence, wrong in known.items():
        same = [
            each.shape == np.shape(bad) and np.allclose(each, bad)
            for each, bad in zip(gradients, wrong(g), strict=True)
        ]
        expect(not all(same), f"Given {given}: {sentence}.")
    wants = _input_gradients(inputs, function, g)
    confused = _input_gradients(others, function, g)
    for position, (want, other, each) in enumerate(zip(wants, confused, gradients, strict=True)):
        expect_close(
            each,
            want,
            given=given,
            what=f"the gradient of input {position}",
            rtol=1e-3,
            atol=1e-5,
            mistakes={
                "the gradient is that of another call, made in between. The instance, and not the "
                "class, keeps what backward needs: write `self.x`.": other,
                "the sign is turned.": -want,
                "the gradient came back transposed.": want.T,
            },
        )


def _input_gradients(inputs, function, g):
    """Return the gradient of each input by differences, for the gradient `g` of the output."""

    def weighed(value, position):
        return (g * function(*inputs[:position], value, *inputs[position + 1 :])).sum()

    return [
        _difference_gradient(functools.partial(weighed, position=position), x)
        for position, x in enumerate(inputs)
    ]


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
        each = tuple(gradient if slope == 1 else slope * gradient for slope in self.slopes)
        return each if len(each) > 1 else each[0]

    def input_gradients(self, gradient):
        gradients = self.backward(gradient)
        return gradients if isinstance(gradients, tuple) else (gradients,)

calls = []

def linear(*terms):
    # the sum of slope * variable
    data = sum(slope * each.data for slope, each in terms)
    slopes = [slope for slope, each in terms]
    return Op([each for slope, each in terms], data, slopes, calls).output

def nodes_of(result):
    # every variable that the result came from, and the result
    found, waiting, seen = [], [result], {id(result)}
    while waiting:
        node = waiting.pop()
        found.append(node)
        for each in node.creator.inputs if node.creator is not None else ():
            if id(each) not in seen:
                seen.add(id(each))
                waiting.append(each)
    return found

def structure(result):
    # all that backward must leave as it is
    def parts(node, op):
        return (() if op is None else
                (tuple(map(id, op.inputs)), id(op.output), op.generation, sorted(vars(op))))
    return [
        (id(node), id(node.creator), np.asarray(node.data, dtype=object).tolist(),
         node.generation, sorted(vars(node)), *parts(node, node.creator))
        for node in nodes_of(result)
    ]
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
def check_backward_by_generation(backward_by_generation, case):
    slope = float(case.uniform(1.5, 2.5))
    _expect_line(backward_by_generation, slope)
    yield 0.3
    _expect_shared_values(backward_by_generation, slope)
    for flip in (False, True):
        _expect_short_and_long_path(backward_by_generation, slope, flip)
    yield 0.6
    for _ in range(6):
        _expect_random_graph(backward_by_generation, int(case.integers(2**31)))
    chain = _walk(
        backward_by_generation,
        "x = Node(1.0); result = x\n"
        "for _ in range(10_000):\n    result = linear((1.0, result))\n"
        "report = lambda: x.grad",
    )
    expect_close(chain, 1.0, given="a chain of 10,000 operations", what="x.grad")


def _walk(backward_by_generation, body, **inputs):
    """Build a graph in the answer's process, run the answer on it and return its report."""
    source = (
        f"{_GRAPH}{body}\nbefore = structure(result)\ntop = result\n"
        "backward_by_generation(result)\n"
        "result = {'report': report(), 'kept': structure(top) == before, "
        "'empty': [i for i, node in enumerate(nodes_of(top)) if node.grad is None], "
        "'top': top.grad, 'data': top.data}"
    )
    try:
        got = backward_by_generation.evaluate(source, **inputs)
    except AnswerError as error:
        if any(words in error.message for words in ("0-d", "not iterable", "zip()")):
            raise NotYet(_ONE_INPUT) from None
        if error.kind == "TypeError" and "NoneType" in error.message:
            raise NotYet(
                "A gradient is None when it is passed on. Set result.grad to ones before the first "
                "function is visited, and visit a function after all that use its output."
            ) from None
        if not _recursive(error):
            raise
        raise NotYet(
            "Given a chain of many operations: Python's stack ran out. A function that "
            "calls itself once for each operation cannot go deeper than about 1000; use "
            "a loop and a list."
        ) from None
    expect(
        got["kept"],
        "The graph is not what it was: a `creator`, a `generation`, the `inputs` of a function or "
        "the `data` of a variable changed, or a mark was left on one. Backward sets `grad` and "
        "nothing else; keep what has been visited in a set of your own.",
    )
    _expect_seed(got["top"], got["data"])
    return got["report"] if not got["empty"] else _Gaps(got["report"], got["empty"])


_ONE_INPUT = (
    "Given a function with one input: its `backward` returns an array and not a tuple. Call "
    "`input_gradients`, which returns a tuple in any case."
)


def _expect_seed(top, data):
    words = "the derivative of the result with respect to itself, is 1 for each entry"
    expect(not _is_missing(top), f"result.grad, {words}; it is None.")
    expect(
        np.shape(top) == np.shape(data),
        f"result.grad, {words}; it has shape {np.shape(top)} and should have that of result.data, "
        f"{np.shape(data)}.",
    )
    top = np.asarray(top)
    expect(
        bool(np.all(top == 1)) or not np.allclose(top, data),
        f"result.grad, {words}; it is result.data itself.",
    )
    expect(
        not np.any(top > 1),
        f"result.grad, {words}; it is {show(top)} at the end. `+=` works in place on an array that "
        "several variables share; write `variable.grad = variable.grad + gradient`.",
    )
    expect(bool(np.all(top == 1)), f"result.grad, {words}; it is {show(top)}.")


class _Gaps:
    """A report of a graph in which variables were left without a gradient."""

    def __init__(self, report, empty):
        self.report = report
        self.empty = empty


def _is_missing(value):
    """Whether a gradient is None, also where it came back as an array."""
    return value is None or (isinstance(value, np.ndarray) and value.dtype == object)


def _complete(report, given):
    """Return a report if every variable of its graph has a gradient."""
    expect(
        not isinstance(report, _Gaps),
        f"Given {given}: variables between the result and the leaves have no grad afterwards. "
        "Every variable that the result came from gets one, and keeps it.",
    )
    return report


def _expect_line(answer, slope):
    report = _walk(
        answer, "x = Node([1.0, 2.0]); result = linear((a, linear((3.0, x))))\n"
        "report = lambda: x.grad", a=slope,
    )  # fmt: skip
    gaps = isinstance(report, _Gaps)
    x_grad = report.report if gaps else report
    expect(
        not _is_missing(x_grad),
        "Given a line of two operations: x.grad is None afterwards. Follow the creators until you "
        "come to a variable without one.",
    )
    expect(np.shape(x_grad) != (), _ONE_INPUT)
    expect_close(
        x_grad,
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
    _complete(report, "a line of two operations")


def _expect_shared_values(answer, slope):
    given = f"y = {slope:.2f} * x + 3 * x, where x is used twice"
    twice = _walk(
        answer, "x = Node(2.0); result = linear((a, x), (3.0, x))\nreport = lambda: x.grad",
        a=slope,
    )  # fmt: skip
    expect_close(
        _complete(twice, given),
        slope + 3,
        given=given,
        what="x.grad",
        mistakes={
            "the second contribution replaced the first; gradients add up.": 3.0,
            "only the first contribution counts; gradients add up.": slope,
        },
    )
    given = "y = (x + w) + x, whose functions pass on the array they get"
    shared = _walk(
        answer,
        "x, w = Node([1.0, 2.0]), Node([3.0, 4.0])\n"
        "result = linear((1.0, linear((1.0, x), (1.0, w))), (1.0, x))\nreport = lambda: w.grad",
    )
    expect_close(
        _complete(shared, given),
        [1.0, 1.0],
        given=given,
        what="w.grad",
        mistakes={
            "adding to the gradient of x changed that of w. `+=` works in place on an array that "
            "both share; write `variable.grad = variable.grad + gradient`.": [2.0, 2.0],
        },
    )


def _expect_short_and_long_path(answer, slope, flip):
    given = "a graph of 4 functions where one value is used on a short and on a long path"
    paths = _walk(
        answer,
        "x = Node(1.0); a = linear((2.0, x)); b = linear((3.0, a)); c = linear((5.0, b))\n"
        "result = linear((k, a), (7.0, c)) if flip else linear((7.0, c), (k, a))\n"
        "report = lambda: {'x': x.grad, 'a': a.grad, 'calls': len(calls)}",
        k=slope,
        flip=flip,
    )
    paths = _complete(paths, given)
    early = (
        "the gradient was passed on before the long path had added its share: take the "
        "highest generation first."
    )
    expect(
        paths["calls"] == 4,
        f"Given {given}: backward was called {paths['calls']} times. Each function is visited "
        "once, after all that use its output: take the highest generation first, and put no "
        "function on the list twice.",
    )
    for name, factor in (("a", 1), ("x", 2)):
        want = factor * (slope + 7 * 3 * 5)
        mistakes = {early: factor * slope}
        expect_close(paths[name], want, given=given, what=f"{name}.grad", mistakes=mistakes)


def _expect_random_graph(answer, seed):
    given = "a random graph of 26 functions and 3 leaves"
    random = _walk(
        answer,
        "rng = np.random.default_rng(seed)\n"
        "leaves = [Node(float(i)) for i in range(3)]\nnodes = list(leaves)\n"
        "for _ in range(25):\n"
        "    picks = rng.integers(len(nodes), size=2); slopes = rng.uniform(-1, 1, size=2)\n"
        "    nodes.append(linear(*((float(s), nodes[p]) for s, p in zip(slopes, picks))))\n"
        "result = linear(*((1.0, nodes[i]) for i in rng.permutation(len(nodes))))\n"
        "report = lambda: {'grads': [float(leaf.grad) for leaf in leaves], 'calls': len(calls)}",
        seed=seed,
    )
    sensitivity = np.zeros((28, 3))
    sensitivity[:3] = np.eye(3)
    rng = np.random.default_rng(seed)
    for row in range(3, 28):
        picks, slopes = rng.integers(row, size=2), rng.uniform(-1, 1, size=2)
        sensitivity[row] = slopes @ sensitivity[picks]
    random = _complete(random, given)
    expect_close(
        random["grads"], sensitivity.sum(axis=0), given=given, what="the gradients of the leaves"
    )
    expect(
        random["calls"] == 26,
        f"Given {given}: backward was called {random['calls']} times; each function is visited "
        "once.",
    )


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
def check_accumulate_and_clear(accumulate, clear_gradients, case):
    yield Part(0.5, lambda: _expect_sums(accumulate, case))
    yield Part(0.5, lambda: _expect_clearing(clear_gradients))


def _expect_sums(accumulate, case):
    for shape in ((3,), (2, 2), ()):
        _expect_accumulated(accumulate, case.normal(size=shape), case.normal(size=shape))


def _expect_clearing(clear_gradients):
    _expect_cleared(clear_gradients)
    try:
        deep = clear_gradients.evaluate(
            _GRAPH + "x = Node(1.0); node = x\n"
            "for _ in range(5000):\n    node = linear((1.0, node))\n"
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


def _expect_accumulated(accumulate, g, k):
    got = accumulate.evaluate(
        _GRAPH + "a, b = Node(np.zeros(g.shape)), Node(np.zeros(g.shape))\n"
        "given, other = np.array(g), np.array(k)\naccumulate(a, given)\nfirst = a.grad\n"
        "first = None if first is None else np.array(first, dtype=float)\n"
        "accumulate(b, given)\naccumulate(a, other)\n"
        "kept = np.array_equal(given, g) and np.array_equal(other, k)\n"
        "data = not np.any(a.data) and a.creator is None\n"
        "result = {'first': first, 'a': a.grad, 'b': b.grad, 'kept': kept, 'data': data}",
        g=g,
        k=k,
    )
    expect(
        not _is_missing(got["first"]),
        "Given a variable without a gradient: its grad is still None afterwards; set "
        "`variable.grad`.",
    )
    expect(got["data"], "`accumulate` changes `variable.data`; only `grad` may change.")
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
            "the second gradient was subtracted; add them.": g - k,
            "the gradients were multiplied; add them.": g * k,
            "the gradients were averaged; add them.": (g + k) / 2,
        },
    )


def _expect_cleared(clear_gradients):
    got = clear_gradients.evaluate(
        _GRAPH + "x, w = Node(1.0), Node(2.0)\ninner = linear((2.0, x), (1.0, w))\n"
        "top = linear((3.0, inner), (1.0, x))\nbeside = linear((2.0, x))\nstranger = Node(5.0)\n"
        "everything = [x, w, inner, top]\n"
        "for node in [*everything, beside, stranger]:\n    node.grad = np.ones(())\n"
        "before = structure(top)\nclear_gradients(top)\n"
        "for node in everything:\n    node.grad = getattr(node, 'grad', 'deleted')\n"
        "result = {'cleared': [node.grad is None for node in everything],\n"
        "          'grads': [node.grad is None or bool(np.all(node.grad == 0))\n"
        "                    for node in everything],\n"
        "          'kept': structure(top) == before,\n"
        "          'others': [node.grad is not None for node in (beside, stranger)]}"
    )
    names = ("leaf x", "leaf w", "intermediate", "result")
    for name, done, zero in zip(names, got["cleared"], got["grads"], strict=True):
        what = "the result itself" if name == "result" else f"the {name}"
        expect(
            done,
            f"Given y = 3 * (2x + w) + x: {what} "
            + ("has a grad of zeros" if zero else "still holds a gradient")
            + "; clear means None, as before the first backward, for every variable the result "
            "came from and for the result.",
        )
    expect(
        got["kept"],
        "Given y = 3 * (2x + w) + x: the graph is not what it was. A `creator`, the `inputs` of a "
        "function or the `data` of a variable changed; clearing sets `grad` and nothing else.",
    )
    expect(
        all(got["others"]),
        "Given y = 3 * (2x + w) + x and v = 2x: `clear_gradients(y)` cleared v, too, from which y "
        "was not computed.",
    )


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


# A Hessian that takes at least 0.02 s by the clock and of the processor, and counts its calls.
_SLOW = """
import time
names = derivative_seconds.__globals__
own, calls, sizes, took = names.get("hessian"), [], [], []

def slow(f, x, *more, **options):
    calls.append(bool(tf.executing_eagerly()))
    sizes.append(int(x.shape[0]))
    began, busy = time.perf_counter(), time.thread_time()
    while min(time.perf_counter() - began, time.thread_time() - busy) < 0.02:
        pass
    found = own(f, x, *more, **options)
    took.append(time.perf_counter() - began)
    return found

names["hessian"] = slow
try:
    result = {"seconds": derivative_seconds(n), "eager": all(calls), "sizes": sizes, "took": took}
finally:
    names["hessian"] = own
"""


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
        "Row i of the Hessian is the gradient of entry i of the gradient. Taking entry i is an "
        "operation too: do it inside the outer tape. That tape is asked n times, so make it with "
        "persistent=True.",
        "`with tf.GradientTape(persistent=True) as outer:` `outer.watch(x)`, the inner tape, and "
        "`entries = tf.unstack(inner.gradient(value, x))`, all inside; outside of it "
        "`tf.stack([outer.gradient(entry, x) for entry in entries])`. For the times: "
        "`call = functools.partial(hessian, f, x)`, `call()`, `timeit.repeat(call, number=1, "
        "repeat=3)`.",
    ),
)
def check_hessian(hessian, derivative_seconds, case):
    yield Part(0.5, lambda: _expect_hessians(hessian, case))
    yield Part(0.5, lambda: _expect_times(derivative_seconds, case))


def _expect_hessians(hessian, case):
    for n in (4, 1, 6):
        _expect_hessian(hessian, n, case)
    _expect_exact_hessian(hessian, case)


def _expect_times(derivative_seconds, case):
    for n in case.choice(np.arange(3, 12), size=2, replace=False):
        # A machine that is busy may stretch a repeat; it gets more than one attempt.
        single = any(_expect_clock(derivative_seconds, int(n)) for _ in range(3))
        expect(
            single,
            "Each of your repeats is much longer than a call of `hessian` took. A repeat is the "
            "time of one call: neither add repeats up, nor measure several calls without dividing.",
        )
    _expect_real_times(derivative_seconds)


def _expect_hessian(hessian, n, case):
    A, x = case.normal(size=(n, n)), case.normal(size=n)
    f = code("lambda v: tf.reduce_sum(tf.exp(v)) + tf.tensordot(v, tf.linalg.matvec(A, v), 1)", A=A)
    got = _hessian_explained(lambda: hessian(f, code("tf.constant(x)", x=x)))
    want = np.diag(np.exp(x)) + A + A.T
    given = f"f(x) = sum(exp(x)) + xᵀAx with x of shape ({n},)"
    expect(not _is_missing(got) and not _holds_none(got), f"Given {given}: {_NO_PATH}")
    expect_close(
        got,
        want,
        given=given,
        what="the Hessian",
        rtol=1e-4,
        mistakes={
            "that is the gradient; differentiate each of its entries once more.": np.exp(x)
            + (A + A.T) @ x,
            "that is the sum of each row: a tape adds up the entries of what it differentiates. "
            "Ask for one entry at a time.": want.sum(axis=1),
            "the sum of each row is on the diagonal: a tape adds up the entries of what it "
            "differentiates. Ask for one entry at a time.": np.diag(want.sum(axis=1)),
            "that is the outer product of the gradient with itself; differentiate it once more.": (
                np.outer(*[np.exp(x) + (A + A.T) @ x] * 2)
            ),
            "only the diagonal came back; row i holds the derivatives of entry i with respect to "
            "all n entries.": np.diag(want),
            "the entries off the diagonal are missing.": np.diag(np.diag(want)),
            "the entries below the diagonal are missing.": np.triu(want),
            "the entries above the diagonal are missing.": np.tril(want),
            "every entry is half of what it should be.": want / 2,
        },
    )


_NO_PATH = (
    "a tape returned None. It does that when the inner gradient, or a row of it, was computed "
    "outside the outer tape, or when x was not watched."
)


def _hessian_explained(call):
    """Return what a call of the answer's Hessian gives, with a sentence where a tape cannot."""
    try:
        return call()
    except AnswerError as error:
        if "persistent" in error.message:
            raise NotYet(
                "Your outer tape is asked for more than one row, or for a Jacobian, and may be "
                "asked once: make it with `tf.GradientTape(persistent=True)`."
            ) from None
        if "(None)" in error.message or "NoneType" in error.message:
            line = f" Your {error.line} uses it." if error.line else ""
            raise NotYet(f"In your `hessian` {_NO_PATH}{line}") from None
        raise


def _holds_none(got):
    return isinstance(got, list | tuple) and any(each is None for each in got)


def _expect_exact_hessian(hessian, case):
    """A factor that tapes hold still: the Hessian is 2 stop(x) on its diagonal, differences 6x."""
    x = case.uniform(1, 2, size=3)
    got = hessian(
        code("lambda v: tf.reduce_sum(v**2 * tf.stop_gradient(v))"), code("tf.constant(x)", x=x)
    )
    expect_close(
        got,
        np.diag(2 * x),
        given="f(x) = sum(x**2 * tf.stop_gradient(x)), where a tape takes the second factor for a "
        "constant and differences do not",
        what="the Hessian",
        rtol=1e-6,
        mistakes={
            "that is the result of differences; ask two tapes.": np.diag(4 * x),
            "that is the result of differences: ask two tapes.": np.diag(6 * x),
        },
    )


def _two_timings(got):
    """Return both lists of repeats, as arrays of seconds."""
    timings = {}
    for key in ("gradient", "hessian"):
        repeats = _array(_part(got, key, "`derivative_seconds`"), f"derivative_seconds(n)[{key!r}]")
        expect(
            repeats.ndim == 1 and repeats.size >= 3,
            f"derivative_seconds(n)[{key!r}] should be a list of at least 3 repeats; got "
            f"{show(repeats)}.",
        )
        expect(
            bool((np.isfinite(repeats) & (repeats > 0)).all()),
            f"derivative_seconds(n)[{key!r}] should hold seconds above 0; got {show(repeats)}.",
        )
        expect(
            np.ptp(repeats) > 0,
            f"derivative_seconds(n)[{key!r}] holds one number {repeats.size} times; give the time "
            "of each repeat, not their mean.",
        )
        timings[key] = repeats
    return timings


def _expect_clock(derivative_seconds, n):
    """Time a Hessian whose duration is known; return whether a repeat is as short as a call."""
    got = _hessian_explained(lambda: derivative_seconds.evaluate(_SLOW, n=n))
    repeats = _two_timings(got["seconds"])["hessian"]
    expect(
        bool(got["sizes"]),
        "`derivative_seconds` does not call your `hessian`; it should measure that function.",
    )
    other = [size for size in got["sizes"] if size != n]
    expect(
        not other,
        f"derivative_seconds({n}) calls `hessian` with {other[:1]} inputs; x should have n = {n}.",
    )
    if got["eager"]:
        _expect_slow_times(repeats, len(got["sizes"]))
        return bool(repeats.sum() < 1.5 * np.sum(got["took"][-repeats.size :]) + 0.01)
    return True


def _expect_slow_times(repeats, calls):
    words = "Given a `hessian` that takes at least 0.02 s: "
    expect(
        repeats.min() < 10,
        f"{words}your shortest repeat is {repeats.min():.3g}. These are no seconds; do you count "
        "milliseconds or nanoseconds?",
    )
    expect(
        calls >= repeats.size,
        f"{words}it was called {calls} time{'' if calls == 1 else 's'} for {repeats.size} repeats. "
        "Each repeat is the measured time of a call of its own.",
    )
    expect(
        calls > repeats.size,
        f"{words}it was called {calls} times for {repeats.size} repeats, so the first call is "
        "among them. Call it once before you start the clock.",
    )
    expect(
        repeats.min() > 0.019,
        f"{words}your shortest repeat is {repeats.min():.3g}. Measure whole calls of `hessian`, in "
        'seconds, under the key "hessian".',
    )


def _expect_real_times(derivative_seconds, attempts=3):
    """A Hessian contains a gradient; a busy machine gets more than one attempt to show it."""
    for _attempt in range(attempts):
        first, again = (_two_timings(derivative_seconds(24)) for _ in range(2))
        expect(
            not np.array_equal(first["hessian"], again["hessian"]),
            "Two calls of derivative_seconds(24) return the same times to the last digit, which a "
            "clock does not. Measure in every call.",
        )
        if first["hessian"].min() > first["gradient"].min():
            return
    raise NotYet(
        "For n = 24 your Hessian takes less time than your gradient, which it contains. Do both "
        "measure the same f and the same n?"
    )


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


def _exchanged_rows(h, W2):
    """Return what comes of giving each half of the units the rows of W2 of the other half."""
    half = h.shape[1] // 2
    if h.shape[1] % 2:
        return {}
    exchanged = h[:, :half] @ W2[half:] + h[:, half:] @ W2[:half]
    return {"the halves of W2 are exchanged: a unit's row of W2 has the unit's number.": exchanged}


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
def check_split_forward(split_forward, case):
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
        with naming(given.format(hidden)):
            got = split_forward(*tensors, here)
        expect_close(
            got,
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
                "the ReLU belongs on the hidden units of each half, not on the sum.": np.maximum(
                    z @ W2, 0
                ),
                **_exchanged_rows(h, W2),
                "the ReLU is missing in the second half.": h[:, :half] @ W2[:half]
                + z[:, half:] @ W2[half:],
                "the ReLU is missing in the first half.": z[:, :half] @ W2[:half]
                + h[:, half:] @ W2[half:],
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
    # Names that no answer can have written down; nothing runs on them.
    numbers = [int(number) for number in case.choice(np.arange(2, 9), size=2, replace=False)]
    devices = [f"/CPU:{number}" for number in numbers]
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
    for number, wanted in enumerate(f"CPU:{number}" for number in numbers):
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
    for number, wanted in enumerate(f"CPU:{number}" for number in numbers):
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
        f"Given the devices {devices}: {len(lost)} matrix product(s) are outside of "
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
