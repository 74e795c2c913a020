"""Notebooks to hand in: a correct one, and functions that change it."""

from __future__ import annotations

import copy
import json

IMPORTS = "from helpers import check, hint, progress\nimport numpy as np"
POINTS = {"1.5": 2, "1.7": 1, "1.8": 1, "1.9": 2, "1.10": 2, "1.3": 1}
_TENSORFLOW_IMPORTS = (
    "from helpers import check\nimport keras\nimport numpy as np\nimport tensorflow as tf"
)
RIGHT = {
    "1.5": (
        "def step(x):\n    return (np.asarray(x) > 0).astype(float)\n\n"
        "def sigmoid(x):\n    return 1 / (1 + np.exp(-np.asarray(x)))"
    ),
    "1.7": (
        "def mean_squared_error(y, t):\n"
        "    if len(y) != len(t):\n        raise ValueError('lengths differ')\n"
        "    return float(np.mean((y - t) ** 2))"
    ),
    "1.8": "sweep = {rate: float(abs(1 - 2 * rate) ** 20) for rate in (0.01, 0.1, 1.1)}",
    "1.9": (
        "class Square:\n    def forward(self, x):\n        self.x = x\n        return x * x\n"
        "    def backward(self, g):\n        return 2 * self.x * g"
    ),
    "1.10": (
        "def descend(gradient, start, rate, steps):\n    w = start.copy()\n"
        "    for _ in range(steps):\n        w = w - rate * gradient(w)\n    return w"
    ),
    "1.3": 'choice_1_3 = "b"',
}
NAMES = {
    "1.5": "step, sigmoid",
    "1.7": "mean_squared_error",
    "1.8": "sweep",
    "1.9": "Square",
    "1.10": "descend",
    "1.3": "choice_1_3",
}
RIGHT_TENSORFLOW = {
    "2.3": (
        "def prelu_gradient(x, a):\n    x = tf.Variable(x)\n"
        "    with tf.GradientTape() as tape:\n        y = tf.where(x > 0, x, a * x)\n"
        "    return tape.gradient(y, x)"
    ),
    "2.17": (
        "def build_model(hidden):\n    return keras.Sequential([keras.Input((5,)),\n"
        "        keras.layers.Dense(hidden, activation='relu'), keras.layers.Dense(2)])"
    ),
}
EXPLANATION = "**Answer 1.4.** Because two pairs of corners lie across each other."


def code_cell(source: str, grade_id: str = "", points: int | None = None) -> dict:
    """Return a code cell; with a grade_id, marked as nbgrader's answers or (with points) tests."""
    metadata = {}
    if grade_id:
        test = points is not None
        metadata["nbgrader"] = {
            "grade": test,
            "grade_id": grade_id,
            "locked": test,
            "schema_version": 3,
            "solution": not test,
            "task": False,
            **({"points": points} if test else {}),
        }
    return {
        "cell_type": "code",
        "execution_count": None,
        "metadata": metadata,
        "outputs": [],
        "source": source,
    }


def text_cell(source: str, grade_id: str = "") -> dict:
    """Return a markdown cell."""
    metadata = {}
    if grade_id:
        metadata["nbgrader"] = {
            "grade": True,
            "grade_id": grade_id,
            "locked": False,
            "points": 3,
            "schema_version": 3,
            "solution": True,
            "task": False,
        }
    return {"cell_type": "markdown", "metadata": metadata, "source": source}


def cells(answers: dict[str, str] | None = None, first: str = "") -> list[dict]:
    """Return the cells of a page: imports, each answer and its check, an explanation.

    Args:
        answers: Sources that replace the right ones; None as a source leaves the answer out.
        first: Source of a cell between the imports and the first answer.
    """
    page = [text_cell("# 1. Perceptrons"), code_cell(IMPORTS)]
    page += [code_cell("learned = [n ** 2 for n in range(5)]\nprint(learned)")]
    if first:
        page.append(code_cell(first))
    for id, source in (RIGHT | (answers or {})).items():
        page.append(text_cell(f"### Exercise {id} — Title\n*1 point*\n\n**Write** it."))
        slug = id.replace(".", "-")
        if source is not None:
            page.append(code_cell(source, f"answer-{slug}"))
        page.append(code_cell(f'check("{id}", {NAMES[id]})', f"check-{slug}", POINTS[id]))
    page += [text_cell(EXPLANATION, "answer-1-4"), code_cell('progress("perceptrons")')]
    return page


def tensorflow_cells() -> list[dict]:
    """Return the cells of a page whose answers use TensorFlow and Keras."""
    page = [code_cell(_TENSORFLOW_IMPORTS)]
    for id, source in RIGHT_TENSORFLOW.items():
        slug, name = id.replace(".", "-"), source.split("(")[0][4:]
        page.append(code_cell(source, f"answer-{slug}"))
        page.append(code_cell(f'check("{id}", {name})', f"check-{slug}", 2))
    return page


def notebook(page: list[dict], minor: int = 5, **metadata) -> dict:
    """Return a notebook of format 4 with the usual metadata."""
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    page = copy.deepcopy(page)
    if minor >= 5:
        for number, cell in enumerate(page):
            cell["id"] = f"cell-{number}"
    return {
        "cells": page,
        "metadata": {"kernelspec": kernel, **metadata},
        "nbformat": 4,
        "nbformat_minor": minor,
    }


def dump(page: list[dict] | dict) -> bytes:
    """Return a notebook file."""
    content = page if isinstance(page, dict) else notebook(page)
    return json.dumps(content, indent=1, ensure_ascii=False).encode()
