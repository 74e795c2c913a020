"""Exercises of chapter 1: gates, the perceptron rule, a linear neuron and its losses."""

from __future__ import annotations

import numpy as np

from helpers.answers import AnswerError
from helpers.exercises import (
    NotYet,
    exercise,
    expect,
    expect_close,
    expect_number,
    expect_raises,
    expect_shape,
    explanation,
    quiz,
    show,
)

_CORNERS = ((0, 0), (1, 0), (0, 1), (1, 1))
_GATES = {"AND": (0, 0, 0, 1), "NAND": (1, 1, 1, 0), "OR": (0, 1, 1, 1), "XOR": (0, 1, 1, 0)}


def _fires(gate, x1, x2, name):
    """Return the gate's answer as 0 or 1."""
    got = expect_number(gate(x1, x2), f"{name}({show(x1)}, {show(x2)})")
    expect(
        got in (0.0, 1.0),
        f"Given ({show(x1)}, {show(x2)}): {name} returned {show(got)}. A neuron with a step "
        "returns 0 or 1: compare its sum with zero.",
    )
    return int(got)


def _expect_truth_table(gate, name, wanted):
    got = tuple(_fires(gate, x1, x2, name) for x1, x2 in _CORNERS)
    if got == tuple(wanted):
        return
    flipped = tuple(1 - value for value in wanted)
    expect(got != flipped, f"{name} gives the opposite of what it should: all signs are turned.")
    for other, column in _GATES.items():
        expect(got != column, f"What you call {name} is {other}: compare the two truth tables.")
    row = next(i for i in range(4) if got[i] != wanted[i])
    raise NotYet(
        f"Given {_CORNERS[row]}: {name} should be {wanted[row]}; got {got[row]}. That row is one "
        "inequality: put its inputs into w1*x1 + w2*x2 + b and look at the sign."
    )


def _expect_half_plane(gate, name, case):
    """Opposite neighbours of a point that agree must agree with the point: a line parts no three."""
    centres = [*_CORNERS, *case.uniform(-0.5, 1.5, size=(30, 2))]
    for centre in centres:
        step = case.normal(size=2)
        left, right = np.subtract(centre, step), np.add(centre, step)
        ends = [_fires(gate, float(x1), float(x2), name) for x1, x2 in (left, right)]
        if ends[0] != ends[1]:
            continue
        middle = _fires(gate, float(centre[0]), float(centre[1]), name)
        expect(
            middle == ends[0],
            f"The truth table of {name} is right, but at {show(np.round(centre, 2))} the gate gives "
            f"{middle} and on both sides of that point {ends[0]}. One neuron splits the plane by "
            "one straight line; use w1*x1 + w2*x2 + b > 0 with numbers you choose.",
        )


@exercise(
    "+1.1",
    "Gates from weights",
    kind="C",
    points=2,
    minutes=10,
    stars=1,
    hints=(
        "Each row of a truth table is one inequality for w1, w2 and b. Write the four of AND down "
        "first; NAND is AND with every sign turned.",
        "AND needs b <= 0, w1 + b <= 0, w2 + b <= 0 and w1 + w2 + b > 0. Try w1 = w2 = 1 and look "
        "for a b between the third and the fourth.",
        "`return int(... * x1 + ... * x2 + ... > 0)`, three times, with other numbers.",
    ),
)
def _(and_gate, nand_gate, or_gate, case):
    gates = {"AND": and_gate, "NAND": nand_gate, "OR": or_gate}
    for name, gate in gates.items():
        _expect_truth_table(gate, name, _GATES[name])
    yield 0.5
    for name, gate in gates.items():
        _expect_half_plane(gate, name, case)


@exercise(
    "+1.2",
    "XOR by composition",
    kind="C",
    points=1,
    minutes=5,
    stars=1,
    hints=(
        "Say XOR in words with the gates you have: one of them is on, and not both of them.",
        '"At least one" is OR, "not both" is NAND. Which gate stands for the "and" between?',
        "`return outer_gate(first_gate(x1, x2), second_gate(x1, x2))`",
    ),
)
def _(xor_gate, case):
    _expect_truth_table(xor_gate, "XOR", _GATES["XOR"])
    yield 0.5
    for corner, wanted in zip(_CORNERS, _GATES["XOR"], strict=True):
        near = np.asarray(corner) + case.normal(scale=1e-3, size=(24, 2))
        got = [_fires(xor_gate, float(x1), float(x2), "XOR") for x1, x2 in near]
        expect(
            wanted in got,
            f"The truth table is right, but everywhere around {corner} XOR gives {1 - wanted}. A "
            "network of neurons changes its answer only at lines; it cannot be right at one point "
            "alone. Call your gates instead of comparing x1 with x2.",
        )


quiz(
    "+1.3-quiz",
    "No line for XOR",
    name="choice_1_3",
    right="b",
    reasons={
        "a": "a positive weight does not contradict b <= 0. OR has positive weights and b < 0.",
        "b": "the same sum would be above zero and not above zero.",
        "c": "AND, OR and NAND are four inequalities with three unknowns, too, and have hundreds "
        "of solutions on the grid.",
        "d": "it is not a matter of rounding: real numbers with all their digits do not help.",
    },
    points=1,
    minutes=3,
    stars=1,
    hints=(
        "Look for two things that cannot both be true.",
        "Add inequalities that point the same way: (2) with (3), and (1) with (4).",
        "Compare the left sides of your two sums.",
    ),
)

explanation(
    "+1.3-explain",
    "The argument in a picture",
    points=2,
    minutes=5,
    stars=2,
    hints=(
        "What do you know about the points between two points on the same side of a line?",
        "The segment between the two ones and the segment between the two zeros cross.",
        "One sentence on the midpoint, one on the contradiction, one on the second layer.",
    ),
    rubric=(
        (
            1,
            "Says that the midpoint (½, ½) would have to lie on both sides, because each side of "
            "a line contains the segment between any two of its points.",
        ),
        (
            1,
            "Says that a second layer works on the outputs of first-layer neurons, where the four "
            "rows become separable (two lines, then one more).",
        ),
    ),
)
