"""Right and wrong answers to the exercises of chapter 1, with the words a wrong one must meet."""

from __future__ import annotations

import numpy as np

from tests.exercises.corpus import right, wrong


def neuron(w1, w2, b):
    return lambda x1, x2: int(w1 * x1 + w2 * x2 + b > 0)


AND, NAND, OR = neuron(1, 1, -1.5), neuron(-1, -1, 1.5), neuron(1, 1, -0.5)


def numpy_gate(w, b):
    return lambda x1, x2: np.where(np.dot(w, [x1, x2]) + b > 0, 1, 0)


def float32_gate(w1, w2, b):
    def gate(x1, x2):
        total = np.float32(w1) * np.float32(x1) + np.float32(w2) * np.float32(x2) + np.float32(b)
        return np.float32(total > 0)

    return gate


def if_gate(w1, w2, b):
    def gate(x1, x2):
        if w1 * x1 + w2 * x2 + b > 0:
            return True
        return False

    return gate


GATES = [
    right("+1.1", "weights as numbers", AND, NAND, OR),
    right(
        "+1.1",
        "dot product, other weights",
        numpy_gate([0.5, 0.5], -0.7),
        numpy_gate([-0.5, -0.5], 0.7),
        numpy_gate([0.5, 0.5], -0.2),
    ),
    right("+1.1", "booleans", if_gate(2, 3, -4), if_gate(-2, -3, 4), if_gate(2, 3, -1)),
    right(
        "+1.1",
        "float32, corner on the line",
        float32_gate(0.3, 0.6, -0.6),
        float32_gate(-0.3, -0.6, 0.7),
        float32_gate(1, 1, 0),
    ),
    wrong("+1.1", "python and", "one straight line", lambda a, b: int(a == 1 and b == 1), NAND, OR),
    wrong("+1.1", "python or", "one straight line", AND, NAND, lambda a, b: int(bool(a or b))),
    wrong("+1.1", "swapped", "What you call AND is OR", OR, NAND, AND),
    wrong("+1.1", "signs turned", "all signs are turned", AND, AND, OR),
    wrong("+1.1", "raw sum", "returns 0 or 1", lambda a, b: a + b - 1.5, NAND, OR),
    wrong("+1.1", "bias too high", "Given (0, 0): OR should be 0", AND, NAND, neuron(1, 1, 0.5)),
    wrong("+1.1", "no return", "is None", lambda a, b: None, NAND, OR),
    right("+1.2", "nand and or", lambda a, b: AND(NAND(a, b), OR(a, b))),
    right("+1.2", "four nands", lambda a, b: NAND(NAND(a, NAND(a, b)), NAND(b, NAND(a, b)))),
    right("+1.2", "hidden layer", lambda a, b: neuron(1, -2, -0.5)(OR(a, b), AND(a, b))),
    wrong("+1.2", "not equal", "around (0, 0)", lambda a, b: int(a != b)),
    wrong("+1.2", "sum equals one", "around (1, 0)", lambda a, b: int(a + b == 1)),
    wrong("+1.2", "or", "is OR", OR),
    wrong("+1.2", "xnor", "all signs are turned", lambda a, b: NAND(NAND(a, b), OR(a, b))),
    wrong("+1.2", "one row wrong", "Given (0, 1)", neuron(1, -1, -0.5)),
]

CASES = [*GATES]
