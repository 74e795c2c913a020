"""A small course with one exercise of each kind, for tests of the grader."""

from __future__ import annotations

import inspect

import numpy as np

from helpers.exercises import (
    Exercise,
    code,
    expect,
    expect_close,
    expect_number,
    expect_raises,
    expect_shape,
    show,
)

CHAPTERS = ("perceptrons", "multilayer_perceptrons")
LEAN = ("numpy", "pandas", "helpers.answers")
_HINTS = ("idea", "formula", "shape")
_of_chapter: dict[str, list[Exercise]] = {chapter: [] for chapter in CHAPTERS}


def exercises_of(chapter: str) -> list[Exercise]:
    """Return the exercises of one of `CHAPTERS`."""
    return _of_chapter[chapter]


def points_of(chapter: str) -> dict[str, float]:
    """Return the points of each checked exercise of a chapter."""
    return {e.id: float(e.points) for e in _of_chapter[chapter] if e.check is not None}


def _add(chapter: str, id: str, points: int, kind: str = "C"):
    def register(check):
        names = tuple(inspect.signature(check).parameters)[:-1]
        new = Exercise(id, f"Title of {id}", kind, points, 5, 1, _HINTS, names, check)
        _of_chapter[chapter].append(new)
        return check

    return register


@_add("perceptrons", "1.5", 2)
def _(step, sigmoid, case):
    x = case.normal(size=7)
    expect_close(step(x), (x > 0).astype(float), given=show(x), what="step(x)")
    yield 0.5
    expect_close(sigmoid(x), 1 / (1 + np.exp(-x)), given=show(x), what="sigmoid(x)")


@_add("perceptrons", "1.7", 1)
def _(mean_squared_error, case):
    y, target = case.normal(size=5), case.normal(size=5)
    wanted = np.mean((y - target) ** 2)
    got = expect_number(mean_squared_error(y, target), "the error")
    expect_close(got, wanted, given="y and t")
    expect_raises(ValueError, lambda: mean_squared_error(y, target[:2]), given="other lengths")


@_add("perceptrons", "1.8", 1, "X")
def _(sweep, case):
    table = sweep.value
    expect(isinstance(table, dict) and len(table) >= 3, "`sweep` needs three step sizes.")
    expect(all(isinstance(v, float) for v in table.values()), "`sweep` needs numbers.")


@_add("perceptrons", "1.9", 2)
def _(Square, case):
    value = float(case.normal())
    result = Square.evaluate("f = Square()\nresult = (f.forward(x), f.backward(1.0))", x=value)
    expect_close(result[0], value**2, given=show(value), what="forward")
    expect_close(result[1], 2 * value, given=show(value), what="backward")


@_add("perceptrons", "1.10", 2)
def _(descend, case):
    target = case.normal(size=3)
    gradient = code("lambda w: 2 * (w - target)", target=target)
    got = descend(gradient, np.zeros(3), 0.1, 100)
    expect_shape(got, (3,), given="a bowl", what="the end point")
    expect_close(got, target, given="a bowl", what="the end point", atol=1e-3)


@_add("perceptrons", "1.3", 1, "Q")
def _(choice_1_3, case):
    expect(str(choice_1_3.value).strip().lower() == "b", "Not this one.")


_of_chapter["perceptrons"].append(
    Exercise(
        "1.4",
        "Why no line",
        "T",
        3,
        5,
        1,
        _HINTS,
        rubric=((1.0, "draws"), (2.0, "says why")),
    )
)


@_add("multilayer_perceptrons", "2.3", 2)
def _(prelu_gradient, case):
    x = case.normal(size=(2, 3)).astype(np.float32)
    expect_close(prelu_gradient(x, 0.1), np.where(x > 0, 1.0, 0.1), given=show(x))


@_add("multilayer_perceptrons", "2.17", 2)
def _(build_model, case):
    model = build_model(4)
    x = case.normal(size=(3, 5)).astype(np.float32)
    w1, b1, w2, b2 = model.weights
    wanted = np.maximum(x @ w1 + b1, 0) @ w2 + b2
    expect(model.output_shape == (None, 2), f"The output shape is {model.output_shape}.")
    expect_close(model.predict(x), wanted, given="random x", atol=1e-4)
    yield 0.5
    model.set_weights([np.zeros_like(w) for w in model.weights])
    expect_close(model.predict(x), np.zeros((3, 2)), given="weights of zero")
