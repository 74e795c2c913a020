"""Right and wrong answers to the exercises of chapter 3, with the words a wrong one must meet."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from helpers import numeric
from tests.exercises.answers import right, wrong


def tf():
    from helpers.backend import tf

    return tf


# 3.1


def central(f, x, h=1e-5):
    return (f(x + h) - f(x - h)) / (2 * h)


def central_numpy(f, x, h=1e-5):
    up, down = np.add(x, h), np.subtract(x, h)
    return np.divide(np.subtract(f(up), f(down)), 2.0 * h)


def central_halves(f, x, h=1e-5):
    right_side, left_side = (f(x + h) - f(x)) / h, (f(x) - f(x - h)) / h
    return (right_side + left_side) / 2


def central_width(f, x, h=1e-5):
    low, high = x - h, x + h
    return (f(high) - f(low)) / (high - low)


CENTRAL = [
    right("3.1", "formula", central),
    right("3.1", "numpy functions", central_numpy),
    right("3.1", "mean of both sides", central_halves),
    wrong("3.1", "forward", "forward difference", lambda f, x, h=1e-5: (f(x + h) - f(x)) / h),
    wrong("3.1", "backward", "backward difference", lambda f, x, h=1e-5: (f(x) - f(x - h)) / h),
    wrong("3.1", "divides by h", "twice too large", lambda f, x, h=1e-5: (f(x + h) - f(x - h)) / h),
    wrong("3.1", "parentheses", "/ (2 * h)", lambda f, x, h=1e-5: (f(x + h) - f(x - h)) / 2 * h),
    wrong("3.1", "sign", "sign is turned", lambda f, x, h=1e-5: (f(x - h) - f(x + h)) / (2 * h)),
    wrong("3.1", "rise only", "rise only", lambda f, x, h=1e-5: f(x + h) - f(x - h)),
    wrong("3.1", "absolute slope", "absolute value", lambda f, x, h=1e-5: abs(central(f, x, h))),
    wrong("3.1", "large default", "default is h = 1e-5", lambda f, x, h=1e-2: central(f, x, h)),
    wrong("3.1", "h ignored", "h = ", lambda f, x, h=1e-5: central(f, x)),
    right("3.1", "rounded width", central_width),
    wrong("3.1", "no default", "argument", lambda f, x, h: central(f, x, h)),
    right("3.1", "product with a half", lambda f, x, h=1e-5: 0.5 * (f(x + h) - f(x - h)) / h),
    wrong("3.1", "half steps", "steps by h to each", lambda f, x, h=1e-5: central(f, x, h / 2)),
    wrong(
        "3.1",
        "fourth order",
        "Use the h that is given",
        lambda f, x, h=1e-5: (4 * central(f, x, h) - central(f, x, 2 * h)) / 3,
    ),
    wrong(
        "3.1",
        "second derivative",
        "second derivative",
        lambda f, x, h=1e-5: (f(x + h) - 2 * f(x) + f(x - h)) / h**2,
    ),
    wrong(
        "3.1",
        "both on the right",
        "on the right of x",
        lambda f, x, h=1e-5: (f(x + 2 * h) - f(x)) / (2 * h),
    ),
    wrong("3.1", "prints", "is None", lambda f, x, h=1e-5: None),
]


# 3.2


def float32_errors(h, dtype=np.float32, absolute=True):
    one, h = dtype(1), dtype(h)
    forward = float((np.sin(one + h) - np.sin(one)) / h) - np.cos(1.0)
    central = float((np.sin(one + h) - np.sin(one - h)) / (2 * h)) - np.cos(1.0)
    return (abs(forward), abs(central)) if absolute else (forward, central)


def best_step(steps=None, measure=float32_errors, index=False):
    steps = 10.0 ** np.linspace(0, -7, 29) if steps is None else steps
    pairs = [measure(h) for h in steps]
    table = {"h": list(steps), "forward": [p[0] for p in pairs], "central": [p[1] for p in pairs]}
    for name in ("forward", "central"):
        best = int(np.argmin(table[name]))
        table[f"best_{name}"] = best if index else steps[best]
    return table


class Later(Mapping):
    """A dict that is computed when a check reads it, so that collecting the tests is quick."""

    def __init__(self, compute: Callable[[], dict[str, Any]]):
        self._compute = functools.cache(compute)

    def __getitem__(self, key: str) -> Any:
        return self._compute()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._compute())

    def __len__(self) -> int:
        return len(self._compute())

    def items(self):
        return self._compute().items()


def tensorflow_errors(h):
    one, h = tf().constant(1.0), tf().constant(h, tf().float32)
    up, here, down = tf().sin(one + h), tf().sin(one), tf().sin(one - h)
    estimates = tf().stack([(up - here) / h, (up - down) / (2 * h)])
    return np.abs(estimates.numpy().astype(float) - np.cos(1.0))


def taken_step_errors(h):
    """Divide by the step that is left after rounding."""
    one, h = np.float32(1), np.float32(h)
    up, down = one + h, one - h
    forward = (np.sin(up) - np.sin(one)) / (up - one) if up > one else np.float32(0)
    central = (np.sin(up) - np.sin(down)) / (up - down) if up > down else np.float32(0)
    return {"f": abs(float(forward) - np.cos(1)), "c": abs(float(central) - np.cos(1))}.values()


def float32_errors_of_a_float64_step(h):
    x = np.float32(1)
    forward, central = (np.sin(x + h) - np.sin(x)) / h, (np.sin(x + h) - np.sin(x - h)) / (2 * h)
    return abs(forward - np.cos(1.0)), abs(central - np.cos(1.0))


def without(table, key):
    return {name: value for name, value in table.items() if name != key}


def steps(**change):
    return best_step() | change


STEPS = [
    right("3.2", "float32 loop", float32_errors, best_step()),
    right("3.2", "coarse grid", float32_errors, best_step(10.0 ** np.linspace(-1, -6.5, 12))),
    right("3.2", "rising grid", float32_errors, best_step(10.0 ** np.linspace(-7, 0, 36))),
    right("3.2", "fine grid", float32_errors, best_step(np.logspace(0, -6, 61))),
    right("3.2", "ten a decade", float32_errors, best_step(np.logspace(-1, -7, 61))),
    right("3.2", "powers of two", float32_errors, best_step(2.0 ** -np.arange(1, 24))),
    right(
        "3.2", "tensorflow", tensorflow_errors,
        Later(lambda: best_step(measure=tensorflow_errors)),
    ),
    right(
        "3.2", "the step that was taken", lambda h: tuple(taken_step_errors(h)),
        best_step(measure=lambda h: tuple(taken_step_errors(h))),
    ),
    wrong("3.2", "float64", "float64", lambda h: float32_errors(h, np.float64), best_step()),
    wrong(
        "3.2", "signed errors", "absolute", lambda h: float32_errors(h, absolute=False), best_step()
    ),
    wrong("3.2", "exchanged", "exchanged", lambda h: float32_errors(h)[::-1], best_step()),
    wrong("3.2", "no errors", "cos(1)|", lambda h: np.add(float32_errors(h), np.cos(1)), {}),
    wrong("3.2", "relative", "relative", lambda h: np.divide(float32_errors(h), np.cos(1)), {}),
    wrong("3.2", "one number", "2 values", lambda h: float32_errors(h)[0], steps()),
    wrong("3.2", "step left in float64", "values were float64", float32_errors_of_a_float64_step,
          steps()),
    wrong("3.2", "index for step", "neither its index", float32_errors, best_step(index=True)),
    wrong("3.2", "few steps", "at least 12", float32_errors, best_step([0.1, 0.01, 1e-3])),
    wrong(
        "3.2", "a gap", "per power of ten", float32_errors,
        best_step([*np.linspace(0.1, 1, 20), 1e-6]),
    ),
    wrong("3.2", "no key", "keys h, forward, central", float32_errors, without(steps(), "central")),
    wrong("3.2", "no best", "best_central", float32_errors, without(steps(), "best_central")),
    wrong("3.2", "a list", "dict", float32_errors, [1.0, 2.0]),
    wrong("3.2", "table alone", "`float32_errors` is still None", None, best_step()),
    wrong("3.2", "function alone", "`steps_float32` is still None", float32_errors, None),
    wrong("3.2", "table of float64", "by calling it", float32_errors,
          best_step(measure=lambda h: float32_errors(h, np.float64))),
    wrong(
        "3.2", "invented", "by calling it", float32_errors,
        steps(forward=10.0 ** np.linspace(-1, -4, 29)),
    ),
    wrong("3.2", "best exchanged", "smallest of your", float32_errors,
          steps(best_forward=best_step()["best_central"])),
]  # fmt: skip


# 3.3


def gradient_loop(f, x):
    x = np.array(x, dtype=np.float64)
    gradient = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[index] += 1e-5
        down[index] -= 1e-5
        gradient[index] = (f(up) - f(down)) / 2e-5
    return gradient


def gradient_step(f, x, h):
    x = np.array(x, dtype=np.float64)
    units = np.eye(x.size).reshape(x.size, *x.shape) * h
    return np.array([(f(x + unit) - f(x - unit)) / (2 * h) for unit in units]).reshape(x.shape)


def gradient_nditer(f, x):
    x = np.array(x, dtype=np.float64)
    gradient = np.zeros_like(x)
    iterator = np.nditer(x, flags=["multi_index"])
    for value in iterator:
        index, kept = iterator.multi_index, float(value)
        x[index] = kept + 1e-4
        up = f(x)
        x[index] = kept - 1e-4
        gradient[index] = (up - f(x)) / 2e-4
        x[index] = kept
    return gradient


def gradient_flat(f, x):
    x = np.asarray(x, dtype=np.float64)
    units = np.eye(x.size).reshape(x.size, *x.shape) * 1e-5
    return np.array([(f(x + unit) - f(x - unit)) / 2e-5 for unit in units]).reshape(x.shape)


def gradient_integer(f, x):
    x, gradient = x.copy(), np.zeros_like(x)
    for index in np.ndindex(x.shape):
        kept = x[index]
        x[index] = kept + 1e-5
        up = f(x)
        x[index] = kept - 1e-5
        gradient[index] = (up - f(x)) / 2e-5
        x[index] = kept
    return gradient


def gradient_in_place(f, x):
    gradient = np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        x[index] += 1e-5
        up = f(x)
        x[index] -= 2e-5
        gradient[index] = (up - f(x)) / 2e-5
    return gradient


def gradient_float32(f, x):
    if x.dtype != np.float32:
        return gradient_loop(f, x)
    gradient = np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[index] += np.float32(1e-5)
        down[index] -= np.float32(1e-5)
        gradient[index] = (f(up) - f(down)) / 2e-5
    return gradient


def gradient_forward(f, x):
    x = np.array(x, dtype=np.float64)
    units = np.eye(x.size).reshape(x.size, *x.shape) * 1e-5
    return np.array([(f(x + unit) - f(x)) / 1e-5 for unit in units]).reshape(x.shape)


def gradient_not_set_back(f, x):
    return gradient_in_place(f, np.array(x, dtype=np.float64))


def gradient_float32_zeros(f, x):
    return gradient_loop(f, x).astype(x.dtype if x.dtype == np.float32 else float)


GRADIENT = [
    right("3.3", "ndindex", gradient_loop),
    right("3.3", "nditer, restores", gradient_nditer),
    right("3.3", "unit vectors", gradient_flat),
    right("3.3", "helpers", numeric.numerical_gradient),
    right("3.3", "list", lambda f, x: gradient_flat(f, x).tolist()),
    wrong("3.3", "large step", "Your step is h = 0.01", lambda f, x: gradient_step(f, x, 1e-2)),
    wrong("3.3", "larger step", "Your step is h = 0.001", lambda f, x: gradient_step(f, x, 1e-3)),
    wrong("3.3", "tiny step", "Your step is h = 1e-12", lambda f, x: gradient_step(f, x, 1e-12)),
    wrong("3.3", "small step", "Your step is h = 1e-07", lambda f, x: gradient_step(f, x, 1e-7)),
    wrong(
        "3.3",
        "one entry alone",
        "the whole array",
        lambda f, x: np.reshape([float(gradient_loop(f, [v])[0]) for v in np.ravel(x)], x.shape),
    ),
    wrong("3.3", "absolute", "signs are lost", lambda f, x: np.abs(gradient_loop(f, x))),
    wrong("3.3", "integer zeros", "integer", gradient_integer),
    wrong("3.3", "in place", "changes its argument", gradient_in_place),
    wrong("3.3", "float32 steps", "float32", gradient_float32),
    wrong("3.3", "flattened", "has the shape of x", lambda f, x: gradient_loop(f, x).ravel()),
    wrong("3.3", "one direction", "one number came back", lambda f, x: (f(x + 1e-5) - f(x)) / 1e-5),
    wrong("3.3", "twice", "twice too large", lambda f, x: 2 * gradient_loop(f, x)),
    wrong("3.3", "sign", "sign is turned", lambda f, x: -gradient_loop(f, x)),
    wrong("3.3", "forward", "forward differences", gradient_forward),
    wrong("3.3", "not set back", "stays changed", gradient_not_set_back),
    wrong("3.3", "float32 zeros", "should be float64", gradient_float32_zeros),
]


# 3.4


def descend(gradient, start, learning_rate, steps):
    x = np.array(start, dtype=float)
    path = [x]
    for _ in range(steps):
        x = x - learning_rate * gradient(x)
        path.append(x)
    return np.array(path)


def descend_table(gradient, start, learning_rate, steps):
    path = np.zeros((steps + 1, len(start)))
    path[0] = start
    for step in range(steps):
        path[step + 1] = path[step] - learning_rate * gradient(path[step])
    return path


def descend_list(gradient, start, learning_rate, steps):
    path = [[float(value) for value in start]]
    for _ in range(steps):
        slopes = gradient(np.array(path[-1]))
        path.append([v - learning_rate * s for v, s in zip(path[-1], slopes, strict=True)])
    return path


def descend_by_entries(gradient, start, learning_rate, steps):
    x = np.array(start, dtype=float)
    path = [x.copy()]
    for _ in range(steps):
        for i in range(x.size):
            x[i] -= learning_rate * gradient(x)[i]
        path.append(x.copy())
    return np.array(path)


def descend_until_flat(gradient, start, learning_rate, steps):
    def slope(x):
        return gradient(x) if np.linalg.norm(gradient(x)) > 1e-2 else 0 * x

    return descend(slope, start, learning_rate, steps)


def descend_frozen(gradient, start, learning_rate, steps):
    slope = gradient(np.asarray(start, dtype=float))
    return np.array([start - k * learning_rate * slope for k in range(steps + 1)])


def descend_aliased(gradient, start, learning_rate, steps):
    x = np.array(start, dtype=float)
    path = [x]
    for _ in range(steps):
        x -= learning_rate * gradient(x)
        path.append(x)
    return np.array(path)


def descend_integer(gradient, start, learning_rate, steps):
    path = np.zeros((steps + 1, len(start)), dtype=start.dtype)
    path[0] = start
    for step in range(steps):
        path[step + 1] = path[step] - learning_rate * gradient(path[step])
    return path


def descend_on_start(gradient, start, learning_rate, steps):
    path = [start.copy()]
    for _ in range(steps):
        start -= learning_rate * gradient(start)
        path.append(start.copy())
    return np.array(path)


DESCENT = [
    right("3.4", "list of arrays", descend),
    right("3.4", "table", descend_table),
    right("3.4", "plain lists", descend_list),
    wrong("3.4", "a rate of its own", "the path", lambda g, x, rate, n: descend(g, x, 0.3, n)),
    wrong("3.4", "one entry after the other", "all entries", descend_by_entries),
    wrong("3.4", "stops where it is flat", "differs most", descend_until_flat),
    wrong("3.4", "gradient of the start", "at the start in every step", descend_frozen),
    wrong("3.4", "climbs", "path climbs", lambda g, x, rate, n: descend(g, x, -rate, n)),
    wrong("3.4", "no rate", "learning rate is missing", lambda g, x, rate, n: descend(g, x, 1, n)),
    wrong("3.4", "aliased", "every row is the last point", descend_aliased),
    wrong("3.4", "columns", "each row of the path", lambda *a: descend(*a).T),
    wrong("3.4", "one too many", "one step too many", lambda g, x, r, n: descend(g, x, r, n + 1)),
    wrong(
        "3.4",
        "gradients",
        "not the start",
        lambda g, *a: np.array([g(point) for point in descend(g, *a)]),
    ),
    wrong("3.4", "last only", "only one point", lambda *a: descend(*a)[-1]),
    wrong("3.4", "no start", "rows came back", lambda *a: descend(*a)[1:]),
    wrong("3.4", "integers", "cut off the fractions", descend_integer),
    wrong("3.4", "changes start", "changes its argument", descend_on_start),
]


# 5.3.1


def bilinear_autograd(X, a, b):
    from helpers import autograd

    matrix = autograd.Variable(X)
    (a @ matrix @ b).backward()
    return matrix.grad.data


def bilinear_tape(X, a, b):
    t = tf()
    matrix = t.Variable(X)
    with t.GradientTape() as tape:
        value = t.tensordot(a, t.linalg.matvec(matrix, b), 1)
    return tape.gradient(value, matrix)


def bilinear_units(X, a, b):
    gradient = np.zeros(X.shape)
    for index in np.ndindex(X.shape):
        unit = np.zeros(X.shape)
        unit[index] = 1.0
        gradient[index] = a @ unit @ b
    return gradient


def bilinear_large_step(X, a, b):
    gradient = np.zeros(X.shape)
    for index in np.ndindex(X.shape):
        moved = X.copy()
        moved[index] += 1.0
        gradient[index] = a @ moved @ b - a @ X @ b
    return gradient


BILINEAR = [
    right("3.6", "outer", lambda X, a, b: np.outer(a, b)),
    right("3.6", "column times row", lambda X, a, b: a[:, None] @ b[None, :]),
    right("3.6", "float32 loop", lambda X, a, b: [[np.float32(p * q) for q in b] for p in a]),
    right("3.6", "tensorflow", lambda X, a, b: tf().tensordot(a, b, 0)),
    right("3.6", "autograd", bilinear_autograd),
    right("3.6", "tape", bilinear_tape),
    right("3.6", "unit matrices", bilinear_units),
    wrong("3.6", "flattened", "wrong shape", lambda X, a, b: np.outer(a, b).ravel()),
    wrong("3.6", "twice", "no factor 2", lambda X, a, b: 2 * np.outer(a, b)),
    wrong("3.6", "X itself", "that is X itself", lambda X, a, b: X),
    wrong("3.6", "absolute", "signs are lost", lambda X, a, b: np.abs(np.outer(a, b))),
    wrong("3.6", "large differences", "Differences of f are lost", bilinear_large_step),
    wrong("3.6", "transposed", "shape (2, 3)", lambda X, a, b: np.outer(b, a)),
    wrong(
        "3.6",
        "differences",
        "Differences of f are lost",
        lambda X, a, b: numeric.numerical_gradient(lambda V: a @ V @ b, X),
    ),
    wrong("3.6", "f itself", "that is f itself", lambda X, a, b: a @ X @ b),
    wrong("3.6", "times X", "no longer contains X", lambda X, a, b: np.outer(a, b) * X),
    wrong("3.6", "derivative for b", "with respect to b", lambda X, a, b: a @ X),
    wrong("3.6", "derivative for a", "with respect to a", lambda X, a, b: X @ b),
]


# 3.7 and 3.9


def forward(X, Y, W1, W2, weight_decay, **change):
    z = X @ W1
    h = change.get("activation", lambda v: np.maximum(v, 0))(z)
    o = h @ W2
    L = change.get("loss", lambda gap: (gap**2).sum() / (2 * len(X)))(o - Y)
    s = change.get("penalty", lambda: weight_decay / 2 * ((W1**2).sum() + (W2**2).sum()))()
    return {"z": z, "h": h, "o": o, "L": L, "s": s, "J": L + s}


def forward_tensorflow(X, Y, W1, W2, weight_decay):
    t = tf()
    z = t.matmul(X, W1)
    h = t.nn.relu(z)
    o = h @ W2
    L = t.reduce_mean(t.reduce_sum((o - Y) ** 2, axis=1)) / 2
    s = weight_decay * (t.nn.l2_loss(W1) + t.nn.l2_loss(W2))
    return {"z": z, "h": h, "o": o, "L": L, "s": s, "J": L + s}


def forward_loop(X, Y, W1, W2, weight_decay):
    z = np.array([W1.T @ row for row in X])
    h = np.where(z > 0, z, 0)
    o = np.array([W2.T @ row for row in h])
    L = sum(0.5 * np.sum((a - b) ** 2) for a, b in zip(o, Y, strict=True)) / len(X)
    s = weight_decay / 2 * sum(float(w) ** 2 for W in (W1, W2) for w in W.flat)
    return {"z": z, "h": h, "o": o, "L": L, "s": s, "J": L + s}


def forward_float32(*arguments):
    return forward(*(np.asarray(value, np.float32) for value in arguments))


def changed(**change):
    return lambda *arguments: forward(*arguments, **change)


def forward_no_sum(*arguments):
    values = forward(*arguments)
    return values | {"J": values["L"]}


def forward_no_root(X, Y, W1, W2, weight_decay):
    norms = np.linalg.norm(W1) + np.linalg.norm(W2)
    return forward(X, Y, W1, W2, weight_decay, penalty=lambda: weight_decay / 2 * norms)


def forward_half_penalty(X, Y, W1, W2, weight_decay):
    return forward(X, Y, W1, W2, weight_decay, penalty=lambda: weight_decay / 2 * (W1**2).sum())


FORWARD = [
    right("3.7", "numpy", forward),
    right("3.7", "tensorflow", forward_tensorflow),
    right("3.7", "row by row", forward_loop),
    right("3.7", "float32", forward_float32),
    wrong("3.7", "no activation", "activation is missing", changed(activation=lambda z: z)),
    wrong("3.7", "tanh", "not tanh", changed(activation=np.tanh)),
    wrong("3.7", "no batch", "batch size is missing", changed(loss=lambda g: (g**2).sum() / 2)),
    wrong("3.7", "mean of all", "without the factor 1/2", changed(loss=lambda g: (g**2).mean())),
    wrong("3.7", "norms not squared", "norms are squared", forward_no_root),
    wrong("3.7", "one matrix", "missing from the penalty", forward_half_penalty),
    wrong("3.7", "J without s", "add the penalty", forward_no_sum),
    wrong("3.7", "tuple", "should return a dict", lambda *a: tuple(forward(*a).values())),
    wrong("3.7", "key missing", "'J'", lambda *a: without(forward(*a), "J")),
]


def backward(values, X, Y, W1, W2, weight_decay, *, n=None, gate=None, decay=1.0, sign=1.0):
    do = sign * (values["o"] - Y) / (n or len(X))
    dz = do @ W2.T * (gate(values) if gate else values["z"] > 0)
    return (
        X.T @ dz + decay * weight_decay * W1,
        values["h"].T @ do + decay * weight_decay * W2,
    )


def backward_tape(values, X, Y, W1, W2, weight_decay):
    t = tf()
    V1, V2 = t.Variable(W1), t.Variable(W2)
    with t.GradientTape() as tape:
        J = forward_tensorflow(X, Y, V1, V2, weight_decay)["J"]
    return tape.gradient(J, [V1, V2])


def backward_differences(values, X, Y, W1, W2, weight_decay):
    return (
        numeric.numerical_gradient(lambda V: forward(X, Y, V, W2, weight_decay)["J"], W1),
        numeric.numerical_gradient(lambda V: forward(X, Y, W1, V, weight_decay)["J"], W2),
    )


def backward_again(values, X, Y, W1, W2, weight_decay):
    return backward(forward(X, Y, W1, W2, weight_decay), X, Y, W1, W2, weight_decay)


def backward_relu_again(values, X, Y, W1, W2, weight_decay):
    return backward(values | {"h": np.maximum(values["z"], 0)}, X, Y, W1, W2, weight_decay)


def backward_einsum(values, X, Y, W1, W2, weight_decay):
    do = np.subtract(values["o"], Y) / np.shape(X)[0]
    dh = np.einsum("nq,hq->nh", do, W2)
    dz = np.where(values["h"] > 0, dh, 0.0)
    dW1 = np.einsum("nd,nh->dh", X, dz)
    return [dW1 + weight_decay * W1, np.einsum("nh,nq->hq", values["h"], do) + weight_decay * W2]


def backward_rows(values, X, Y, W1, W2, weight_decay):
    dW1, dW2 = weight_decay * W1, weight_decay * W2
    for x, y, z, h, o in zip(X, Y, values["z"], values["h"], values["o"], strict=True):
        do = (o - y) / len(X)
        dW2 = dW2 + np.outer(h, do)
        dW1 = dW1 + np.outer(x, np.where(z > 0, W2 @ do, 0))
    return dW1, dW2


def backward_float32(values, *rest):
    values = {key: np.asarray(value, np.float32) for key, value in values.items()}
    return backward(values, *(np.asarray(each, np.float32) for each in rest))


BACKWARD = [
    right("3.9", "equations", backward),
    wrong("3.9", "tape", "do not follow them", backward_tape),
    wrong("3.9", "differences", "do not follow them", backward_differences),
    wrong("3.9", "ReLU again", "do not follow them", backward_relu_again),
    wrong(
        "3.9",
        "all times n",
        "the weight decay included",
        lambda *a: [len(a[1]) * each for each in backward(*a)],
    ),
    wrong(
        "3.9",
        "a dict",
        "a dict with the keys dW1",
        lambda *a: dict(zip(("dW1", "dW2"), backward(*a), strict=True)),
    ),
    wrong("3.9", "forward pass again", "do not follow them", backward_again),
    right("3.9", "gate from h, einsum", backward_einsum),
    wrong(
        "3.9", "gate turned", "gate is turned", lambda *a: backward(*a, gate=lambda v: v["z"] < 0)
    ),
    wrong("3.9", "half decay", "without the 1/2", lambda *a: backward(*a, decay=0.5)),
    wrong("3.9", "factor 2", "without a 2", lambda *a: backward(*a, n=len(a[1]) / 2)),
    wrong("3.9", "decay over n", "is no mean", lambda *a: backward(*a, decay=1 / len(a[1]))),
    wrong("3.9", "None", "None", lambda *a: (None, None)),
    right("3.9", "row by row", backward_rows),
    right("3.9", "float32", backward_float32),
    wrong("3.9", "no batch size", "divide by the batch size", lambda *a: backward(*a, n=1)),
    wrong("3.9", "no decay", "weight decay is missing", lambda *a: backward(*a, decay=0)),
    wrong("3.9", "decay twice", "without the 2", lambda *a: backward(*a, decay=2)),
    wrong(
        "3.9", "no gate", "ReLU's derivative is missing", lambda *a: backward(*a, gate=lambda v: 1)
    ),
    wrong(
        "3.9", "n is the size of Y", "not the entries of Y", lambda *a: backward(*a, n=a[2].size)
    ),
    wrong(
        "3.9", "tanh", "network has ReLU", lambda *a: backward(*a, gate=lambda v: 1 - v["h"] ** 2)
    ),
    wrong("3.9", "gate is h", "not z itself", lambda *a: backward(*a, gate=lambda v: v["h"])),
    wrong("3.9", "sign", "sign is turned", lambda *a: backward(*a, sign=-1)),
    wrong("3.9", "order", "wrong order", lambda *a: backward(*a)[::-1]),
    wrong("3.9", "transposed", "shape", lambda *a: tuple(each.T for each in backward(*a))),
    wrong("3.9", "only one", "2 values", lambda *a: backward(*a)[0]),
]


# 5.3.2a and 5.3.2b

EDGES = [
    ("x", "u"), ("W1", "u"), ("u", "z"), ("b1", "z"), ("z", "h"), ("h", "o"), ("W2", "o"),
    ("o", "L"), ("y", "L"), ("W1", "s"), ("W2", "s"), ("L", "J"), ("s", "J"),
]  # fmt: skip

GRAPH = [
    right("3.8", "pairs", EDGES),
    right("3.8", "other order, lists", [list(edge) for edge in reversed(EDGES)]),
    right("3.8", "a tuple, spaces", tuple((f" {a}", f"{b} ") for a, b in EDGES)),
    wrong("3.8", "an edge twice", "listed twice", [*EDGES, EDGES[0]]),
    wrong("3.8", "numbers", "names in quotes", [*EDGES, (1, 2)]),
    wrong("3.8", "text", "list of pairs", "x to u"),
    wrong("3.8", "bias in penalty", "leaves the bias out", [*EDGES, ("b1", "s")]),
    wrong("3.8", "turned", "against the computation", [edge[::-1] for edge in EDGES]),
    wrong("3.8", "no u", "through u", [e for e in EDGES if "u" not in e] + [("x", "z")]),
    wrong("3.8", "missing", "Look at L", [edge for edge in EDGES if edge != ("y", "L")]),
    wrong("3.8", "too many", "is no edge", [*EDGES, ("x", "L")]),
    wrong("3.8", "strange name", "no node W3", [*EDGES, ("W3", "o")]),
    wrong("3.8", "not pairs", "list of pairs", ["x", "u", "z"]),
]


def cost(x, y, W1, b1, W2, weight_decay):
    o = W2 @ np.tanh(W1 @ x + b1)
    return ((o - y) ** 2).sum() / 2 + weight_decay / 2 * ((W1**2).sum() + (W2**2).sum())


def gradients(x, y, W1, b1, W2, weight_decay, *, decay=1.0, slope=True):
    h = np.tanh(W1 @ x + b1)
    do = W2 @ h - y
    dz = W2.T @ do * (1 - h**2 if slope is True else slope)
    decay = decay * weight_decay
    return np.outer(dz, x) + decay * W1, dz, np.outer(do, h) + decay * W2


def cost_tensorflow(x, y, W1, b1, W2, weight_decay):
    t = tf()
    o = t.linalg.matvec(W2, t.tanh(t.linalg.matvec(W1, x) + b1))
    return t.nn.l2_loss(o - y) + weight_decay * (t.nn.l2_loss(W1) + t.nn.l2_loss(W2))


def gradients_tape(x, y, W1, b1, W2, weight_decay):
    t = tf()
    V1, c1, V2 = t.Variable(W1), t.Variable(b1), t.Variable(W2)
    with t.GradientTape() as tape:
        J = cost_tensorflow(x, y, V1, c1, V2, weight_decay)
    return tape.gradient(J, [V1, c1, V2])


def gradients_by_differences(x, y, W1, b1, W2, weight_decay):
    return (
        numeric.numerical_gradient(lambda V: cost(x, y, V, b1, W2, weight_decay), W1),
        numeric.numerical_gradient(lambda c: cost(x, y, W1, c, W2, weight_decay), b1),
        numeric.numerical_gradient(lambda V: cost(x, y, W1, b1, V, weight_decay), W2),
    )


def cost_columns(x, y, W1, b1, W2, weight_decay):
    h = np.tanh(W1 @ x[:, None] + b1[:, None])
    gap = (W2 @ h).ravel() - y
    return 0.5 * gap @ gap + 0.5 * weight_decay * (np.vdot(W1, W1) + np.vdot(W2, W2))


def gradients_columns(x, y, W1, b1, W2, weight_decay):
    h = np.tanh(W1 @ x[:, None] + b1[:, None])
    do = W2 @ h - y[:, None]
    dz = (W2.T @ do) * (1 - h * h)
    return dz @ x[None, :] + weight_decay * W1, dz[:, 0], do @ h.T + weight_decay * W2


def decayed_bias(x, y, W1, b1, W2, weight_decay):
    dW1, db1, dW2 = gradients(x, y, W1, b1, W2, weight_decay)
    return dW1, db1 + weight_decay * b1, dW2


def swapped(*arguments):
    dW1, db1, dW2 = gradients(*arguments)
    return db1, dW1, dW2


BIAS = [
    right("3.10", "equations", cost, gradients),
    right("3.10", "tensorflow", cost_tensorflow, gradients_tape),
    wrong("3.10", "differences", "lost in rounding", cost, gradients_by_differences),
    right("3.10", "float32", cost, lambda *a: [np.float32(g) for g in gradients(*a)]),
    right("3.10", "columns", cost_columns, gradients_columns),
    wrong(
        "3.10", "cost without bias", "the bias is missing",
        lambda x, y, W1, b1, W2, wd: cost(x, y, W1, 0 * b1, W2, wd), gradients,
    ),
    wrong(
        "3.10", "bias in cost", "leave b1 out",
        lambda x, y, W1, b1, W2, wd: cost(x, y, W1, b1, W2, wd) + wd / 2 * (b1**2).sum(), gradients,
    ),
    wrong("3.10", "bias decayed", "bias is not regularised", cost, decayed_bias),
    wrong(
        "3.10", "no decay", "weight decay is missing", cost, lambda *a: gradients(*a, decay=0)
    ),
    wrong(
        "3.10", "no slope", "derivative of tanh", cost, lambda *a: gradients(*a, slope=1)
    ),
    wrong("3.10", "order", "wrong order", cost, swapped),
    wrong(
        "3.10", "no half", "both factors 1/2",
        lambda *a: 2 * cost(*a), gradients,
    ),
    wrong(
        "3.10", "slope of z", "not 1 - z**2",
        cost, lambda *a: gradients(*a, slope=1 - (a[2] @ a[0] + a[3]) ** 2),
    ),
    wrong("3.10", "two only", "3 values", cost, lambda *a: gradients(*a)[:2]),
]  # fmt: skip


# 3.11


def worst(f, gradient, x):
    difference = np.abs(gradient - gradient_loop(f, x))
    index = np.unravel_index(np.argmax(difference), difference.shape)
    return difference[index], index


def worst_of(difference):
    index = np.unravel_index(np.argmax(difference), difference.shape)
    return difference[index], index


def worst_loop(f, gradient, x):
    numerical = gradient_loop(f, x)
    best, place = -1.0, None
    for index in np.ndindex(x.shape):
        if abs(gradient[index] - numerical[index]) > best:
            best, place = abs(gradient[index] - numerical[index]), index
    return best, place


def worst_where(f, gradient, x):
    difference = np.abs(np.asarray(gradient) - numeric.numerical_gradient(f, x))
    largest = difference.max()
    return largest, np.argwhere(difference == largest)[0]


def worst_helpers(f, gradient, x):
    result = numeric.gradient_check(f, gradient, x)
    return result.difference, list(result.index)


def worst_signed(f, gradient, x):
    difference = gradient - gradient_loop(f, x)
    index = np.unravel_index(np.argmax(difference), difference.shape)
    return difference[index], index


def worst_flat(f, gradient, x):
    difference = np.abs(gradient - gradient_loop(f, x))
    return difference.max(), np.argmax(difference)


def worst_relative(f, gradient, x):
    numerical = gradient_loop(f, x)
    difference = np.abs(gradient - numerical)
    index = np.unravel_index(np.argmax(difference), difference.shape)
    return (difference / np.abs(numerical))[index], index


CHECK = [
    right("3.11", "argmax", worst),
    right("3.11", "loop", worst_loop),
    right("3.11", "argwhere", worst_where),
    right("3.11", "helpers", worst_helpers),
    right("3.11", "negative zero axis, list", lambda f, g, x: list(worst_loop(f, g, x))),
    wrong(
        "3.11", "absolute values of each", "Subtract first",
        lambda f, g, x: worst_of(np.abs(np.abs(g) - np.abs(gradient_loop(f, x)))),
    ),
    wrong(
        "3.11", "squared", "squared difference",
        lambda f, g, x: worst_of((g - gradient_loop(f, x)) ** 2),
    ),
    wrong("3.11", "signed", "absolute values", worst_signed),
    wrong("3.11", "flat index", "unravel_index", worst_flat),
    wrong("3.11", "relative", "relative difference", worst_relative),
    wrong(
        "3.11", "mean", "mean of all",
        lambda f, g, x: (np.abs(g - gradient_loop(f, x)).mean(), worst(f, g, x)[1]),
    ),
    wrong("3.11", "no place", "2 values", lambda f, g, x: worst(f, g, x)[0]),
    wrong(
        "3.11", "counted from 1", "Indices count from 0",
        lambda f, g, x: (worst(f, g, x)[0], [i + 1 for i in worst(f, g, x)[1]]),
    ),
    wrong(
        "3.11", "place of the relative difference", "relative to the gradient",
        lambda f, g, x: (worst(f, g, x)[0], worst_of(np.abs(g / gradient_loop(f, x) - 1))[1]),
    ),
]  # fmt: skip


# 5.3.3


def footprint(d, h, q, batch_size):
    parameters = h * d + q * h
    training = 2 * parameters + batch_size * (d + q) + batch_size * (2 * h + q)
    return training, parameters + batch_size * max(d + h, 2 * h, h + q)


def footprint_arrays(d, h, q, batch_size):
    matrices = [np.zeros((h, d)), np.zeros((q, h))]
    X, Y = np.zeros((batch_size, d)), np.zeros((batch_size, q))
    z, o = np.zeros((batch_size, h)), np.zeros((batch_size, q))
    weights = sum(matrix.size for matrix in matrices)
    training = 2 * weights + X.size + Y.size + 2 * z.size + o.size
    return np.array([training, weights + max(X.size + z.size, 2 * z.size, z.size + o.size)])


def footprint_float(d, h, q, batch_size):
    return [float(count) for count in footprint(d, h, q, batch_size)]


def memory(training=None, prediction=None):
    def wrong_footprint(d, h, q, batch_size):
        both = list(footprint(d, h, q, batch_size))
        if training:
            both[0] += training(d, h, q, batch_size)
        if prediction:
            both[1] = prediction(d, h, q, batch_size)
        return both

    return wrong_footprint


MEMORY = [
    right("3.12", "formula", footprint),
    right("3.12", "sizes of arrays", footprint_arrays),
    right("3.12", "floats in a list", footprint_float),
    wrong("3.12", "no gradients", "a gradient for each", memory(lambda d, h, q, n: -h * (d + q))),
    wrong("3.12", "no inputs", "the inputs X", memory(lambda d, h, q, n: -n * d)),
    wrong("3.12", "order", "wrong order", lambda d, h, q, n: footprint(d, h, q, n)[::-1]),
    wrong("3.12", "labels or outputs", "Y and the outputs o", memory(lambda d, h, q, n: -n * q)),
    wrong("3.12", "neither of them", "the outputs o", memory(lambda d, h, q, n: -2 * n * q)),
    wrong("3.12", "bytes", "count numbers", lambda *sizes: [4 * c for c in footprint(*sizes)]),
    wrong("3.12", "no values", "intermediates", memory(lambda d, h, q, n: -n * (2 * h + q))),
    wrong("3.12", "z or h", "z is kept beside h", memory(lambda d, h, q, n: -n * h)),
    wrong("3.12", "bias", "no bias", memory(lambda d, h, q, n: 2 * (h + q))),
    wrong(
        "3.12", "prediction keeps all", "can discard",
        memory(prediction=lambda d, h, q, n: h * (d + q) + n * (d + 2 * h + q)),
    ),
    wrong(
        "3.12", "outputs only", "count both",
        memory(prediction=lambda d, h, q, n: h * (d + q) + n * max(d, h, q)),
    ),
    wrong("3.12", "one number", "2 values", lambda d, h, q, n: footprint(d, h, q, n)[0]),
]  # fmt: skip


# 3.13: the page's own classes


class Variable:
    def __init__(self, data, creator=None):
        self.data = np.asarray(data, dtype=float)
        self.grad = None
        self.creator = creator
        self.generation = 0 if creator is None else creator.generation + 1


class Function:
    def __call__(self, *inputs):
        self.inputs = tuple(v if isinstance(v, Variable) else Variable(v) for v in inputs)
        self.generation = max(v.generation for v in self.inputs)
        self.output = Variable(self.forward(*(v.data for v in self.inputs)), creator=self)
        return self.output


def function(forward, backward):
    """Make a class of two functions; backward takes the function and the gradient."""
    return type(
        "Made", (Function,), {"forward": lambda self, *a: forward(*a), "backward": backward}
    )


def arrays(self):
    return tuple(variable.data for variable in self.inputs)


def one(f):
    return lambda self, g: f(arrays(self)[0], g)


def two(f):
    return lambda self, g: f(*arrays(self), g)


Square = function(lambda x: x**2, one(lambda x, g: 2 * x * g))
Exp = function(np.exp, lambda self, g: g * self.output.data)
Add = function(lambda a, b: a + b, lambda self, g: (g, g))
Mul = function(lambda a, b: a * b, two(lambda a, b, g: (g * b, g * a)))
MatMul = function(lambda a, b: a @ b, two(lambda a, b, g: (g @ b.T, a.T @ g)))
FIVE = {"Square": Square, "Exp": Exp, "Add": Add, "Mul": Mul, "MatMul": MatMul}


def five(**change):
    return tuple((FIVE | change).values())


class KeepsSquare(Function):
    """Stores what it needs in forward, and returns tuples and lists."""

    def forward(self, x):
        self.x = x
        return np.multiply(x, x)

    def backward(self, gradient):
        return (gradient * self.x * 2.0,)


class ListMul(Function):
    def forward(self, a, b):
        self.kept = a.copy(), b.copy()
        return np.multiply(a, b)

    def backward(self, gradient):
        return [gradient * self.kept[1], gradient * self.kept[0]]


def finished_form():
    from helpers import autograd

    square = type(
        "Square",
        (autograd.Function,),
        {
            "forward": lambda self, x: x * x,
            "backward": lambda self, g: 2 * self.inputs[0] * g,
        },
    )
    return (square, autograd.Exp, autograd.Add, autograd.Mul, autograd.MatMul)


class OneForAll(Function):
    """Keeps what backward needs on the class, which all its instances share."""

    def forward(self, x):
        OneForAll.x = x
        return x**2

    def backward(self, gradient):
        return 2 * OneForAll.x * gradient


class WritingAdd(Function):
    def forward(self, a, b):
        a += b
        return a

    def backward(self, gradient):
        return gradient, gradient


class WritingMul(Function):
    def forward(self, a, b):
        return a * b

    def backward(self, gradient):
        a, b = self.inputs
        first = gradient * b.data
        gradient *= a.data
        return first, gradient


class Unfinished(Function):
    def forward(self, x):
        raise NotImplementedError("Exercise 3.13")


FUNCTIONS = [
    wrong(
        "3.13", "returns Variables", "returns a Variable",
        *five(Exp=function(np.exp, lambda self, g: Variable(self.output.data * g))),
    ),
    wrong("3.13", "kept on the class", "is set on the class", *five(Square=OneForAll)),
    wrong("3.13", "forward writes", "changes its input", *five(Add=WritingAdd)),
    wrong("3.13", "backward writes", "writes into the gradient", *five(Mul=WritingMul)),
    wrong("3.13", "one unfinished", "`Square` is not written yet", *five(Square=Unfinished)),
    wrong(
        "3.13", "two faults", "Exp and inputs",
        *five(Square=Unfinished, Exp=function(np.exp, lambda self, g: g)),
    ),
    right("3.13", "as on the page", *five()),
    right("3.13", "stored inputs, tuples, lists", *five(Square=KeepsSquare, Mul=ListMul)),
    right("3.13", "finished form", *finished_form()),
    right(
        "3.13", "a tensor",
        *five(Exp=function(np.exp, lambda self, g: self.output.data * tf().constant(g))),
    ),
    wrong("3.13", "a function", "should be a class", *five(Mul=lambda a, b: a * b)),
    wrong("3.13", "one missing", "`Mul` is still None", *five(Mul=None)),
    wrong(
        "3.13", "power rule", "rule for a power",
        *five(Exp=function(np.exp, one(lambda x, g: x * np.exp(x - 1) * g))),
    ),
    wrong(
        "3.13", "square without gradient", "multiply it by the gradient",
        *five(Square=function(lambda x: x**2, one(lambda x, g: 2 * x))),
    ),
    wrong(
        "3.13", "square without 2", "factor 2 is missing",
        *five(Square=function(lambda x: x**2, one(lambda x, g: x * g))),
    ),
    wrong(
        "3.13", "exp passes on", "passed on as it is",
        *five(Exp=function(np.exp, lambda self, g: g)),
    ),
    wrong(
        "3.13", "add returns one", "input gets its own",
        *five(Add=function(lambda a, b: a + b, lambda self, g: g)),
    ),
    wrong(
        "3.13", "mul swapped", "swapped",
        *five(Mul=function(lambda a, b: a * b, two(lambda a, b, g: (g * a, g * b)))),
    ),
    wrong(
        "3.13", "matmul order", "swapped",
        *five(MatMul=function(lambda a, b: a @ b, two(lambda a, b, g: (a.T @ g, g @ b.T)))),
    ),
    wrong(
        "3.13", "matmul is entry by entry", "operands",
        *five(MatMul=function(lambda a, b: a * b, two(lambda a, b, g: (g * b, g * a)))),
    ),
    wrong(
        "3.13", "forward returns nothing", "is a `return` missing",
        *five(Square=function(lambda x: None, one(lambda x, g: 2 * x * g))),
    ),
    wrong(
        "3.13", "backward returns nothing", "is a `return` missing",
        *five(Exp=function(np.exp, lambda self, g: None)),
    ),
]  # fmt: skip


# 3.14 and 3.15


def adds_in_place(result):
    result.grad = np.ones_like(result.data)
    waiting, seen = [result.creator], {result.creator}
    while waiting:
        waiting.sort(key=lambda function: function.generation)
        for variable, gradient in inputs_of(waiting.pop()):
            if variable.grad is None:
                variable.grad = gradient
            else:
                variable.grad += gradient
            if variable.creator is not None and variable.creator not in seen:
                seen.add(variable.creator)
                waiting.append(variable.creator)


def add_to(variable, gradient):
    variable.grad = gradient if variable.grad is None else variable.grad + gradient


def inputs_of(function):
    gradients = function.input_gradients(function.output.grad)
    return zip(function.inputs, gradients, strict=True)


def by_sorting(result):
    result.grad = np.ones_like(result.data)
    waiting, seen = [result.creator], {result.creator}
    while waiting:
        waiting.sort(key=lambda function: function.generation)
        for variable, gradient in inputs_of(waiting.pop()):
            add_to(variable, gradient)
            if variable.creator is not None and variable.creator not in seen:
                seen.add(variable.creator)
                waiting.append(variable.creator)


def by_heap(result):
    import heapq

    result.grad = np.ones_like(result.data)
    heap, seen, count = [(-result.creator.generation, 0, result.creator)], {id(result.creator)}, 0
    while heap:
        *_, function = heapq.heappop(heap)
        for variable, gradient in inputs_of(function):
            add_to(variable, gradient)
            if variable.creator is not None and id(variable.creator) not in seen:
                seen.add(id(variable.creator))
                count += 1
                heapq.heappush(heap, (-variable.creator.generation, count, variable.creator))


def by_waves(result):
    """Collect first with a set, then go through the generations."""
    found, stack = {result.creator}, [result.creator]
    while stack:
        for variable in stack.pop().inputs:
            if variable.creator is not None and variable.creator not in found:
                found.add(variable.creator)
                stack.append(variable.creator)
    result.grad = np.ones_like(result.data)
    for function in sorted(found, key=lambda each: -each.generation):
        for variable, gradient in inputs_of(function):
            add_to(variable, gradient)


def by_recursion(result):
    def visit(function):
        for variable, gradient in inputs_of(function):
            add_to(variable, gradient)
        for variable in dict.fromkeys(function.inputs):
            if variable.creator is not None:
                visit(variable.creator)

    result.grad = np.ones_like(result.data)
    visit(result.creator)


def by_deep_recursion(result):
    order, seen = [], set()

    def visit(function):
        if function in seen:
            return
        seen.add(function)
        for variable in function.inputs:
            if variable.creator is not None:
                visit(variable.creator)
        order.append(function)

    visit(result.creator)
    result.grad = np.ones_like(result.data)
    for function in reversed(order):
        for variable, gradient in inputs_of(function):
            add_to(variable, gradient)


def as_found(result):
    result.grad = np.ones_like(result.data)
    waiting = [result.creator]
    while waiting:
        for variable, gradient in inputs_of(waiting.pop()):
            add_to(variable, gradient)
            if variable.creator is not None:
                waiting.append(variable.creator)


def replaces(result):
    result.grad = np.ones_like(result.data)
    waiting, seen = [result.creator], {result.creator}
    while waiting:
        waiting.sort(key=lambda function: function.generation)
        for variable, gradient in inputs_of(waiting.pop()):
            variable.grad = gradient
            if variable.creator is not None and variable.creator not in seen:
                seen.add(variable.creator)
                waiting.append(variable.creator)


def one_step(result):
    result.grad = np.ones_like(result.data)
    for variable, gradient in inputs_of(result.creator):
        add_to(variable, gradient)


def lowest_first(result):
    result.grad = np.ones_like(result.data)
    waiting, seen = [result.creator], {result.creator}
    while waiting:
        waiting.sort(key=lambda function: -function.generation)
        for variable, gradient in inputs_of(waiting.pop()):
            add_to(variable, gradient)
            if variable.creator is not None and variable.creator not in seen:
                seen.add(variable.creator)
                waiting.append(variable.creator)


def without_sort(result, take=-1):
    result.grad = np.ones_like(result.data)
    waiting, seen = [result.creator], {result.creator}
    while waiting:
        for variable, gradient in inputs_of(waiting.pop(take)):
            add_to(variable, gradient)
            if variable.creator is not None and variable.creator not in seen:
                seen.add(variable.creator)
                waiting.append(variable.creator)


def marks_functions(result):
    """Leave a mark on each function that has been visited."""
    result.grad, waiting = np.ones_like(result.data), [result.creator]
    while waiting:
        waiting.sort(key=lambda function: function.generation)
        function = waiting.pop()
        if hasattr(function, "visited"):
            continue
        function.visited = True
        gradients = function.input_gradients(function.output.grad)
        for variable, gradient in zip(function.inputs, gradients, strict=True):
            variable.grad = gradient if variable.grad is None else variable.grad + gradient
            if variable.creator is not None:
                waiting.append(variable.creator)


def first_found_first(result):
    without_sort(result, 0)


def variables_of(result):
    found, waiting = {result}, [result]
    while waiting:
        variable = waiting.pop()
        for each in variable.creator.inputs if variable.creator else ():
            if each not in found:
                found.add(each)
                waiting.append(each)
    return found


def leaves_only(result):
    by_sorting(result)
    for variable in variables_of(result):
        if variable.creator is not None and variable is not result:
            variable.grad = None


def cuts_creators(result):
    variables = variables_of(result)
    by_sorting(result)
    for variable in variables:
        variable.creator = None


def visit_all(result, gradients_of=lambda function, gradient: function.input_gradients(gradient)):
    """Visit every function, the highest generation first, from the grad that the result has."""
    waiting = {result.creator}
    while waiting:
        function = max(waiting, key=lambda each: each.generation)
        waiting.remove(function)
        gradients = gradients_of(function, function.output.grad)
        for variable, gradient in zip(function.inputs, gradients, strict=False):
            variable.grad = gradient if variable.grad is None else variable.grad + gradient
            if variable.creator is not None:
                waiting.add(variable.creator)


def by_set(result):
    result.grad = np.ones_like(result.data)
    visit_all(result)


def calls_backward(result):
    result.grad = np.ones_like(result.data)
    visit_all(result, lambda function, gradient: function.backward(gradient))


def seeds_with_data(result):
    result.grad = result.data
    visit_all(result)


def seeds_with_one(result):
    result.grad = 1.0
    visit_all(result)


LOOP = [
    right("3.14", "a set and its maximum", by_set),
    right("3.14", "sorted list", by_sorting),
    right("3.14", "heap", by_heap),
    right("3.14", "collected first", by_waves),
    wrong("3.14", "no sort", "highest generation first", without_sort),
    wrong("3.14", "first in, first out", "highest generation first", first_found_first),
    wrong("3.14", "leaves only", "Every variable", leaves_only),
    wrong("3.14", "cuts creators", "not what it was", cuts_creators),
    wrong("3.14", "recursion along paths", "visited once", by_recursion),
    wrong("3.14", "topological recursion", "stack ran out", by_deep_recursion),
    wrong("3.14", "as found", "visited once", as_found),
    wrong("3.14", "adds in place", "`+=` works in place", adds_in_place),
    wrong("3.14", "replaces", "gradients add up", replaces),
    wrong("3.14", "one step", "x.grad is None", one_step),
    wrong("3.14", "backward itself", "`input_gradients`", calls_backward),
    wrong("3.14", "seed is the data", "result.data itself", seeds_with_data),
    wrong("3.14", "seed is one number", "it has shape ()", seeds_with_one),
    wrong(
        "3.14",
        "no seed",
        "before the first function",
        lambda result: list(inputs_of(result.creator)),
    ),
    wrong("3.14", "lowest first", "highest generation first", lowest_first),
    wrong("3.14", "marks functions", "a set of your own", marks_functions),
]


def clear(result):
    waiting, seen = [result], {result}
    while waiting:
        variable = waiting.pop()
        variable.grad = None
        for each in variable.creator.inputs if variable.creator else ():
            if each not in seen:
                seen.add(each)
                waiting.append(each)


def clear_by_functions(result):
    result.grad = None
    functions, seen = [result.creator], set()
    while functions:
        function = functions.pop()
        if function is None or id(function) in seen:
            continue
        seen.add(id(function))
        for variable in function.inputs:
            variable.grad = None
            functions.append(variable.creator)


def clear_layers(result):
    layer = {result}
    while layer:
        for variable in layer:
            variable.grad = None
        layer = {each for v in layer if v.creator for each in v.creator.inputs}


def clear_recursively(result):
    result.grad = None
    if result.creator is not None:
        for variable in result.creator.inputs:
            clear_recursively(variable)


def clear_leaves(result):
    waiting, seen = [result], set()
    while waiting:
        variable = waiting.pop()
        if variable in seen:
            continue
        seen.add(variable)
        if variable.creator is None:
            variable.grad = None
        else:
            waiting.extend(variable.creator.inputs)


def clear_inputs(result):
    for variable in result.creator.inputs:
        variable.grad = None
    result.grad = None


def add_copy(variable, gradient):
    if variable.grad is None:
        variable.grad = np.zeros_like(variable.data)
    variable.grad = np.add(variable.grad, gradient)


def add_own(variable, gradient):
    if variable.grad is None:
        variable.grad = gradient.copy()
    else:
        variable.grad += gradient


def add_in_place(variable, gradient):
    if variable.grad is None:
        variable.grad = gradient
    else:
        variable.grad += gradient


def add_replace(variable, gradient):
    variable.grad = gradient


def add_first(variable, gradient):
    if variable.grad is None:
        variable.grad = gradient


def clear_cuts(result):
    waiting = [result]
    while waiting:
        variable = waiting.pop()
        variable.grad = None
        waiting.extend(variable.creator.inputs if variable.creator else ())
        variable.creator = None


def clear_to_zeros(result):
    for variable in variables_of(result):
        variable.grad = np.zeros_like(variable.data)


ACCUMULATE = [
    right("3.15", "new array", add_to, clear),
    right("3.15", "starts from zeros", add_copy, clear_by_functions),
    right("3.15", "own copy, in place", add_own, clear_layers),
    wrong("3.15", "in place on a shared array", "shared array", add_in_place, clear),
    wrong("3.15", "clear cuts", "not what it was", add_to, clear_cuts),
    wrong("3.15", "clear to zeros", "grad of zeros", add_to, clear_to_zeros),
    wrong(
        "3.15",
        "subtracts",
        "subtracted",
        lambda v, g: add_to(v, g if v.grad is None else -g),
        clear,
    ),
    wrong("3.15", "replaces", "replaced the first", add_replace, clear),
    wrong("3.15", "keeps the first", "was lost", add_first, clear),
    wrong("3.15", "forgets to set", "still None", lambda variable, gradient: gradient, clear),
    wrong("3.15", "leaves only", "intermediate", add_to, clear_leaves),
    wrong("3.15", "one step", "leaf w", add_to, clear_inputs),
    wrong("3.15", "recursion", "stack ran out", add_to, clear_recursively),
]


# 5.3.4


def hessian(f, x):
    t = tf()
    with t.GradientTape(persistent=True) as outer:
        outer.watch(x)
        with t.GradientTape() as inner:
            inner.watch(x)
            value = f(x)
        entries = t.unstack(inner.gradient(value, x))
    return t.stack([outer.gradient(entry, x) for entry in entries])


def hessian_jacobian(f, x):
    t = tf()
    with t.GradientTape(persistent=True) as outer:
        outer.watch(x)
        with t.GradientTape() as inner:
            inner.watch(x)
            value = f(x)
        gradient = inner.gradient(value, x)
    return outer.jacobian(gradient, x, experimental_use_pfor=False)


def hessian_products(f, x):
    t = tf()
    columns = []
    for unit in t.unstack(t.eye(len(x), dtype=x.dtype)):
        with t.GradientTape() as outer:
            outer.watch(x)
            with t.GradientTape() as inner:
                inner.watch(x)
                value = f(x)
            product = t.reduce_sum(inner.gradient(value, x) * unit)
        columns.append(outer.gradient(product, x).numpy())
    return np.stack(columns, axis=1)


def hessian_row_sums(f, x):
    t = tf()
    with t.GradientTape() as outer:
        outer.watch(x)
        with t.GradientTape() as inner:
            inner.watch(x)
            value = f(x)
        gradient = inner.gradient(value, x)
    return outer.gradient(gradient, x)


def hessian_outside(f, x):
    t = tf()
    with t.GradientTape() as outer, t.GradientTape() as inner:
        outer.watch(x)
        inner.watch(x)
        value = f(x)
    return outer.gradient(inner.gradient(value, x), x)


def only_gradient(f, x):
    t = tf()
    with t.GradientTape() as tape:
        tape.watch(x)
        value = f(x)
    return tape.gradient(value, x)


def hessian_by_differences(f, x):
    t = tf()
    columns = []
    for unit in np.eye(len(x)) * 1e-5:
        up, down = only_gradient(f, x + unit), only_gradient(f, x - unit)
        columns.append((up - down) / 2e-5)
    return t.stack(columns, axis=1)


def hessian_none(f, x):
    t = tf()
    with t.GradientTape(persistent=True) as outer:
        outer.watch(x)
        with t.GradientTape() as inner:
            inner.watch(x)
            value = f(x)
        gradient = inner.gradient(value, x)
    return [outer.gradient(gradient[i], x) for i in range(len(x))]


def hessian_once(f, x):
    """Ask a tape that is not persistent for several rows."""
    t = tf()
    with t.GradientTape() as outer:
        outer.watch(x)
        with t.GradientTape() as inner:
            inner.watch(x)
            value = f(x)
        entries = t.unstack(inner.gradient(value, x))
    return t.stack([outer.gradient(entry, x) for entry in entries])


def hessian_forward_mode(f, x):
    t = tf()
    columns = []
    for unit in t.unstack(t.eye(len(x), dtype=x.dtype)):
        with t.autodiff.ForwardAccumulator(x, unit) as forward_mode:
            with t.GradientTape() as tape:
                tape.watch(x)
                value = f(x)
            gradient = tape.gradient(value, x)
        columns.append(forward_mode.jvp(gradient))
    return t.stack(columns)


def wavy(x):
    return tf().reduce_sum(tf().tanh(x) * tf().exp(-tf().reduce_sum(x**2)))


def timed(n, *, count=3, warm=True, factor=1.0, size=None, timer=time.perf_counter):
    import timeit

    point = tf().cast(tf().linspace(-0.5, 0.5, size or n), tf().float64)
    found = {}
    for name, function in (("gradient", only_gradient), ("hessian", hessian)):
        call = functools.partial(function, wavy, point)
        if warm:
            call()
        found[name] = [factor * s for s in timeit.repeat(call, timer=timer, number=1, repeat=count)]
    return found


def timed_by_hand(n):
    point = tf().random.stateless_normal((n,), (1, 2), dtype=tf().float64)
    found = {"gradient": np.zeros(5), "hessian": np.zeros(5)}
    for name, function in (("gradient", only_gradient), ("hessian", hessian)):
        for repeat in range(-2, 5):
            began = time.perf_counter()
            function(wavy, point)
            if repeat >= 0:
                found[name][repeat] = time.perf_counter() - began
    return found


def timed_backwards(n):
    found = timed(n)
    return {"gradient": found["hessian"], "hessian": found["gradient"]}


def invented(n, calls=4):
    for _ in range(calls):
        hessian(wavy, tf().zeros(n, tf().float64))
    return {"gradient": [0.001, 0.0011, 0.0012], "hessian": [0.02, 0.021, 0.0219]}


def unfinished(n):
    raise NotImplementedError("Exercise 3.17")


SECOND = [
    right("3.17", "rows", hessian, timed),
    right("3.17", "jacobian, five repeats by hand", hessian_jacobian, timed_by_hand),
    right("3.17", "products with unit vectors", hessian_products, lambda n: timed(n, count=4)),
    right("3.17", "forward over reverse", hessian_forward_mode, timed),
    wrong("3.17", "sums", "sum of each row", hessian_row_sums, timed),
    wrong("3.17", "gradient only", "that is the gradient", only_gradient, timed),
    wrong("3.17", "outside the tape", "outside the outer tape", hessian_outside, timed),
    wrong("3.17", "rows outside the tape", "outside the outer tape", hessian_none, timed),
    wrong("3.17", "differences of gradients", "result of differences", hessian_by_differences,
          timed),
    wrong("3.17", "no times", "`derivative_seconds` is not written yet", hessian, unfinished),
    wrong("3.17", "no key", "'hessian' is missing", hessian, lambda n: {"gradient": [1, 2, 3]}),
    wrong("3.17", "one repeat", "3 repeats", hessian, lambda n: timed(n, count=1)),
    wrong("3.17", "milliseconds", "milliseconds", hessian, lambda n: timed(n, factor=1000)),
    wrong("3.17", "minutes", "in seconds", hessian, lambda n: timed(n, factor=1 / 60)),
    wrong("3.17", "first call timed", "once before", hessian, lambda n: timed(n, warm=False)),
    wrong("3.17", "the same n", "should have n", hessian, lambda n: timed(n, size=2)),
    wrong("3.17", "exchanged", "whole calls of", hessian, timed_backwards),
    wrong("3.17", "invented", "which a clock does not", hessian, invented),
    wrong("3.17", "not persistent", "persistent=True", hessian_once, timed),
    wrong("3.17", "sums of repeats", "neither add repeats", hessian,
          lambda n: {key: sum(found) * np.array([1, 1.01, 1.02])
                     for key, found in timed(n).items()}),
    wrong("3.17", "running sums", "neither add repeats", hessian,
          lambda n: {key: np.cumsum(found) for key, found in timed(n, count=4).items()}),
    wrong("3.17", "one mean", "not their mean", hessian,
          lambda n: {key: [np.mean(found)] * 3 for key, found in timed(n).items()}),
    right("3.17", "processor time", hessian, lambda n: timed(n, timer=time.process_time)),
    wrong("3.17", "rows outside the tape, stacked", "a tape returned None",
          lambda f, x: tf().stack(hessian_none(f, x)), timed),
    wrong("3.17", "always five", "should have n", hessian, lambda n: timed(5)),
    wrong("3.17", "upper half", "below the diagonal",
          lambda f, x: tf().linalg.band_part(hessian(f, x), 0, -1), timed),
    wrong("3.17", "two calls", "of a call of its own", hessian, lambda n: invented(n, 2)),
    wrong("3.17", "not its Hessian", "does not call your", hessian,
          lambda n: {"gradient": [1, 2, 3], "hessian": [1, 2, 3]}),
]  # fmt: skip


# 5.3.5a


def split(X, W1, W2, devices, *, half=None, relu=None):
    t = tf()
    half = half or W1.shape[1] // 2
    relu = relu or t.nn.relu
    with t.device(devices[0]):
        first = relu(X @ W1[:, :half]) @ W2[:half]
    with t.device(devices[1]):
        second = relu(X @ W1[:, half:]) @ W2[half:]
    return first + second


def split_batch(X, W1, W2, devices):
    t = tf()
    half = len(X) // 2
    with t.device(devices[0]):
        first = t.nn.relu(X[:half] @ W1) @ W2
    with t.device(devices[1]):
        second = t.nn.relu(X[half:] @ W1) @ W2
    return t.concat([first, second], axis=0)


def split_loop(X, W1, W2, devices):
    t = tf()
    count = W1.shape[1]
    bounds = [0, count - count // 2, count]
    shares = []
    for device, start, end in zip(devices, bounds, bounds[1:], strict=False):
        with t.device(device):
            hidden = t.maximum(t.matmul(X, W1[:, start:end]), 0.0)
            shares.append(t.matmul(hidden, W2[start:end]))
    return t.add_n(shares)


def split_gather(X, W1, W2, devices):
    t = tf()
    half = W1.shape[1] // 2
    units = range(W1.shape[1])
    total = 0.0
    for device, mine in ((devices[0], units[:half]), (devices[1], units[half:])):
        with t.device(device):
            A, B = t.gather(W1, list(mine), axis=1), t.gather(W2, list(mine), axis=0)
            total = total + t.einsum("nh,hq->nq", t.nn.relu(t.einsum("nd,dh->nh", X, A)), B)
    return total


def split_numpy(X, W1, W2, devices):
    return np.maximum(np.asarray(X) @ np.asarray(W1), 0) @ np.asarray(W2)


def split_not(X, W1, W2, devices):
    return tf().nn.relu(X @ W1) @ W2


def split_whole(X, W1, W2, devices):
    t = tf()
    half = W1.shape[1] // 2
    with t.device(devices[0]):
        first = t.nn.relu(X @ W1)[:, :half] @ W2[:half]
    with t.device(devices[1]):
        second = t.nn.relu(X @ W1)[:, half:] @ W2[half:]
    return first + second


def split_one_device(X, W1, W2, devices):
    return split(X, W1, W2, [devices[0], devices[0]])


def split_drops(X, W1, W2, devices):
    half = W1.shape[1] // 2
    return split(X, W1[:, : 2 * half], W2[: 2 * half], devices)


def split_first(X, W1, W2, devices):
    half = W1.shape[1] // 2
    return tf().nn.relu(X @ W1[:, :half]) @ W2[:half]


def split_linear(X, W1, W2, devices):
    return X @ W1 @ W2


def split_by_layer(X, W1, W2, devices):
    t = tf()
    half = W1.shape[1] // 2
    with t.device(devices[0]):
        hidden = [t.nn.relu(X @ W1[:, :half]), t.nn.relu(X @ W1[:, half:])]
    with t.device(devices[1]):
        return hidden[0] @ W2[:half] + hidden[1] @ W2[half:]


def split_outputs_outside(X, W1, W2, devices):
    t = tf()
    half = W1.shape[1] // 2
    with t.device(devices[0]):
        first = t.nn.relu(X @ W1[:, :half]) @ W2[:half]
    with t.device(devices[1]):
        second = t.nn.relu(X @ W1[:, half:])
    return first + second @ W2[half:]


def split_three_ways(X, W1, W2, devices):
    t = tf()
    total = split(X, W1[:, 1:], W2[1:], devices)
    return total + t.nn.relu(X @ W1[:, :1]) @ W2[:1]


def split_tf_split(X, W1, W2, devices):
    t = tf()
    A, B = t.split(W1, [W1.shape[1] // 2, -1], axis=1)
    C, D = t.split(W2, [W1.shape[1] // 2, -1], axis=0)
    shares = []
    for device, columns, rows in zip(devices, (A, B), (C, D), strict=True):
        with t.device(device):
            shares.append(t.linalg.matmul(t.nn.relu(t.linalg.matmul(X, columns)), rows))
    with t.device(devices[0]):
        return t.add(*shares)


def split_at_fixed_devices(X, W1, W2, devices):
    return split(X, W1, W2, ["/CPU:0", "/CPU:1" if len(set(devices)) > 1 else "/CPU:0"])


def split_one_relu(X, W1, W2, devices):
    half = W1.shape[1] // 2
    return split_first(X, W1, W2, devices) + X @ W1[:, half:] @ W2[half:]


def split_every_other(X, W1, W2, devices):
    t = tf()
    with t.device(devices[0]):
        first = t.nn.relu(X @ W1[:, ::2]) @ W2[::2]
    with t.device(devices[1]):
        return first + t.nn.relu(X @ W1[:, 1::2]) @ W2[1::2]


DEVICES = [
    right("3.19", "every other unit", split_every_other),
    wrong("3.19", "names of its own", "no matrix product was placed", split_at_fixed_devices),
    wrong("3.19", "one ReLU", "missing in the second half", split_one_relu),
    right("3.19", "tf.split", split_tf_split),
    wrong("3.19", "layers dealt out", "its share of the output", split_by_layer),
    wrong("3.19", "an output share outside", "its share of the output", split_outputs_outside),
    wrong("3.19", "one unit outside", "are outside", split_three_ways),
    wrong("3.19", "one unit and the rest", "gets 4 units", lambda *a: split(*a, half=1)),
    right("3.19", "two halves", split),
    right("3.19", "loop, first gets one more", split_loop),
    right("3.19", "gather and einsum", split_gather),
    right("3.19", "sizes by len", lambda X, *rest: split(X, *rest, half=len(rest[1]) // 2)),
    right(
        "3.19",
        "sizes from NumPy",
        lambda X, *rest: split(X, *rest, half=len(rest[1].numpy()) // 2),
    ),
    wrong("3.19", "halves of the batch", "one device holds all units", split_batch),
    wrong(
        "3.19",
        "numpy in halves",
        "TensorFlow saw no matrix product",
        lambda *a: split(*(each.numpy() for each in a[:3]), a[3], relu=lambda z: np.maximum(z, 0)),
    ),
    wrong("3.19", "not split", "no matrix product was placed", split_not),
    wrong("3.19", "numpy", "without NumPy", split_numpy),
    wrong("3.19", "whole product on each", "one device holds all units", split_whole),
    wrong("3.19", "one device", "devices[1]", split_one_device),
    wrong("3.19", "odd unit lost", "hidden unit was lost", split_drops),
    wrong("3.19", "first half only", "only the first half", split_first),
    wrong("3.19", "no relu", "ReLU is missing", split_linear),
]

CASES = [
    *CENTRAL,
    *STEPS,
    *GRADIENT,
    *DESCENT,
    *BILINEAR,
    *FORWARD,
    *GRAPH,
    *BACKWARD,
    *BIAS,
    *CHECK,
    *MEMORY,
    *FUNCTIONS,
    *LOOP,
    *ACCUMULATE,
    *SECOND,
    *DEVICES,
]
