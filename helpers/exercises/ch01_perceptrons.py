"""Exercises of chapter 1: gates, the perceptron rule, a linear neuron and its losses."""

from __future__ import annotations

import numpy as np

from helpers.answers import AnswerError
from helpers.exercises import (
    NotYet,
    Part,
    exercise,
    expect,
    expect_close,
    expect_number,
    expect_parts,
    expect_raises,
    expect_shape,
    explanation,
    numbers,
    quiz,
    show,
)
from helpers.exercises.oracles import sigmoid as true_sigmoid

_CORNERS = ((0, 0), (1, 0), (0, 1), (1, 1))
_GATES = {"AND": (0, 0, 0, 1), "NAND": (1, 1, 1, 0), "OR": (0, 1, 1, 1), "XOR": (0, 1, 1, 0)}
_HAIR = 0.01  # distance from a corner that must not change the answer


def _fires(answer, points, name):
    """Return the gate's answers at all points as an array of 0 and 1."""
    source = f"result = [{answer.name}(x1, x2) for x1, x2 in points]"
    came = answer.evaluate(source, points=[tuple(map(float, point)) for point in points])
    fired = []
    for (x1, x2), value in zip(points, came, strict=True):
        at = f"{name}({show(float(x1))}, {show(float(x2))})"
        got = expect_number(value, at, booleans=True)
        expect(
            got in (0.0, 1.0),
            f"{at} returned {show(got)}. A neuron with a step returns 0 or 1: compare its sum with "
            "zero.",
        )
        fired.append(int(got))
    return np.array(fired)


def _expect_truth_table(gate, name):
    wanted = _GATES[name]
    got = tuple(_fires(gate, _CORNERS, name).tolist())
    if got == wanted:
        return
    flipped = tuple(1 - value for value in wanted)
    expect(
        got != flipped,
        f"{name} gives the opposite of what it should in all four rows"
        + (": the last gate is turned around." if name == "XOR" else ": all signs are turned."),
    )
    for other, column in _GATES.items():
        expect(got != column, f"What you call {name} is {other}: compare the two truth tables.")
    row = next(i for i in range(4) if got[i] != wanted[i])
    raise NotYet(
        f"Given {_CORNERS[row]}: {name} should be {wanted[row]}; got {got[row]}. "
        + (
            "Write down what each of your inner gates returns for this row, then what the last one "
            "makes of it."
            if name == "XOR"
            else "That row is one inequality: put its inputs into w1*x1 + w2*x2 + b and look at "
            "the sign."
        )
    )


def _expect_clear_corners(gate, name, case, advice):
    """Expect the corner's answer at points on a small circle around each corner."""
    angles = np.linspace(0, 2 * np.pi, 24, endpoint=False) + case.uniform(0, 0.2)
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    for corner, wanted in zip(_CORNERS, _GATES[name], strict=True):
        for radius in (_HAIR, 1e-4):
            near = np.add(corner, radius * circle)
            got = _fires(gate, near, name)
            if (got == wanted).all():
                continue
            x1, x2 = near[np.flatnonzero(got != wanted)[0]].tolist()
            expect(
                not (got != wanted).all(),
                f"The truth table of {name} is right, but everywhere around {corner} it gives "
                f"{1 - wanted}. A network of neurons changes its answer only at lines; it cannot "
                f"be right at one point alone. {advice}",
            )
            raise NotYet(
                f"{name} is right at {corner}, and a hair away, at ({x1:.4f}, {x2:.4f}), it is "
                f"not: a line passes through that corner or within {_HAIR} of it. Move the line "
                "away from the corner by changing the bias of that gate."
            )


def _parted_by_a_line(points, fired):
    """Return whether a straight line parts the points of both kinds.

    If one does, one does that touches a point of each kind: all of those are tried.
    """
    ones, zeros = points[fired == 1], points[fired == 0]
    if not len(ones) or not len(zeros):
        return True
    along = (ones[:, None] - zeros[None, :]).reshape(-1, 2)
    across = np.stack([-along[:, 1], along[:, 0]], axis=1)
    across = np.concatenate([across, -across])
    return bool(((across @ ones.T).min(axis=1) >= (across @ zeros.T).max(axis=1) - 1e-9).any())


def _expect_half_plane(gate, name, case):
    """Expect that one straight line parts the points where the gate fires from the others."""
    points = np.concatenate(
        [case.uniform(-0.5, 1.5, size=(120, 2)), case.uniform(-20, 20, size=(60, 2))]
    )
    expect(
        _parted_by_a_line(points, _fires(gate, points, name)),
        f"The truth table of {name} is right, but no straight line parts the points where it gives "
        "1 from those where it gives 0. One neuron splits the plane by one straight line: return "
        "whether w1*x1 + w2*x2 + b > 0, with numbers that you choose.",
    )


def _gate_part(gate, name, case):
    def check():
        _expect_truth_table(gate, name)
        yield 0.5
        _expect_clear_corners(
            gate,
            name,
            case,
            "One neuron splits the plane by one straight line: return whether "
            "w1*x1 + w2*x2 + b > 0, with numbers that you choose.",
        )
        _expect_half_plane(gate, name, case)

    return Part(1 / 3, check)


@exercise(
    "1.1",
    "Gates from weights",
    aliases=("+1.1",),
    kind="C",
    points=3,
    minutes=10,
    stars=1,
    hints=(
        "Each row of a truth table is one inequality for w1, w2 and b. Write the four of AND down "
        "first; NAND is AND with every sign turned.",
        "AND needs b <= 0, w1 + b <= 0, w2 + b <= 0 and w1 + w2 + b > 0. Try w1 = w2 = 1 and look "
        "for a b halfway between what the third and the fourth row ask for.",
        "`return int(... * x1 + ... * x2 + ... > 0)`, three times, with other numbers.",
    ),
)
def check_gates(and_gate, nand_gate, or_gate, case):
    for name, gate in (("AND", and_gate), ("NAND", nand_gate), ("OR", or_gate)):
        yield _gate_part(gate, name, case)


# True is 7 and False is -2 on these wires: a composition of gates works in any code, and whatever
# looks at the numbers itself is found out.
_WIRES = """
class Composition(Exception):
    pass

def refuse(*operands):
    raise Composition("looks")

class Wire(int):
    pass

for special in ("eq ne lt le gt ge bool add sub mul truediv floordiv mod pow and or xor neg abs "
                "invert round radd rsub rmul rtruediv rand ror rxor rpow").split():
    setattr(Wire, f"__{special}__", refuse)
Wire.__hash__ = int.__hash__
calls = []

def gate(column):
    def act(*given, **named):
        given += tuple(named.values())
        calls.append(column)
        bits = [{7: 1, -2: 0}.get(int(value)) if hasattr(value, "__int__") else None
                for value in given]
        if None in bits or len(bits) != 2:
            raise Composition("foreign")
        return Wire(7 if column[bits[0] + 2 * bits[1]] else -2)
    return act

space = xor_gate.__globals__
names = {"and_gate": (0, 0, 0, 1), "nand_gate": (1, 1, 1, 0), "or_gate": (0, 1, 1, 1)}
before = {name: space[name] for name in names if name in space}
# An answer may have kept a gate under another name: the function itself is swapped, too.
codes = {name: thing.__code__ for name, thing in before.items()
         if getattr(thing, "__globals__", None) is space and not thing.__code__.co_freevars}
result = []
try:
    space.update({name: gate(column) for name, column in names.items()})
    for name in codes:
        source = f"lambda *given, **named: {name}(*given, **named)"
        before[name].__code__ = eval(source).__code__
    for x1, x2 in ((-2, -2), (7, -2), (-2, 7), (7, 7)):
        calls.clear()
        came = xor_gate(Wire(x1), Wire(x2))
        result.append((int(came), type(came).__name__, len(calls)))
except Composition as error:
    result = str(error)
finally:
    for name in names:
        space.pop(name, None)
    space.update(before)
    for name, code in codes.items():
        before[name].__code__ = code
"""


def _expect_composition(xor_gate):
    """Expect that the answer only hands its inputs, and what gates return, to gates."""
    advice = (
        "Hand x1 and x2 to and_gate, nand_gate and or_gate, hand what these return to another "
        "gate, and return what the last one returns."
    )
    came = xor_gate.evaluate(_WIRES)
    expect(
        came != "looks",
        "The four rows are right, but xor_gate compares or computes with its inputs, or with a "
        f"gate's answer, itself. {advice}",
    )
    expect(
        came != "foreign",
        "The four rows are right, but a gate is called with something that is neither an input "
        f"nor another gate's answer, or not with two of them. {advice}",
    )
    expect(
        all(count for _, _, count in came),
        f"The four rows are right, but xor_gate calls none of your three gates. {advice}",
    )
    expect(
        [code for code, _, _ in came] == [-2, 7, 7, -2],
        f"The four rows are right, but what xor_gate returns is not the answer of a gate. {advice}",
    )


@exercise(
    "1.2",
    "XOR by composition",
    aliases=("+1.2",),
    builds_on=("1.1",),
    kind="C",
    points=2,
    minutes=5,
    stars=1,
    hints=(
        "Say XOR in words with the gates you have: one of them is on, and not both of them.",
        '"At least one" is OR, "not both" is NAND. Which gate is the "and" between them?',
        "`return outer_gate(first_gate(x1, x2), second_gate(x1, x2))`",
    ),
)
def check_xor(xor_gate, case):
    _expect_truth_table(xor_gate, "XOR")
    yield 0.25
    _expect_composition(xor_gate)
    yield 0.5
    _expect_clear_corners(xor_gate, "XOR", case, "Call your gates.")


quiz(
    "1.3",
    "No line for XOR",
    aliases=("+1.3-quiz",),
    name="choice_1_3",
    right="b",
    reasons={
        "a": "a positive weight does not contradict b <= 0. OR has positive weights and b < 0.",
        "b": "the same sum would be above zero and not above zero.",
        "c": "AND, OR and NAND are four inequalities with three unknowns, too, and have dozens "
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
    "1.4",
    "The argument in a picture",
    aliases=("+1.3-explain",),
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


_ABOVE_ZERO = "Every z above 0, however small, gives 1; 0 and what is below give 0."


def _expect_step(step, case):
    matrix = case.normal(scale=3, size=(3, 4))
    matrix[1, 2] = 0.0
    wanted = (matrix > 0).astype(float)
    expect_close(
        step(matrix),
        wanted,
        given="a (3, 4) array with one entry 0",
        what="step(z)",
        mistakes={
            "step(0) should be 0: a neuron fires only above zero.": (matrix >= 0).astype(float),
            "step(0) should be 0, not one half.": np.heaviside(matrix, 0.5),
            "that is the sign, with -1 on the left; step is 0 there.": np.sign(matrix),
            "it is turned around: step is 1 above zero and 0 elsewhere.": 1 - wanted,
            "that is ReLU, which keeps the number; step returns 1 there.": np.maximum(matrix, 0),
        },
        booleans=True,
        inputs=matrix,
        advice=_ABOVE_ZERO,
    )
    for z, given in (
        (np.array([-2, 0, 3]), "the integers [-2, 0, 3]"),
        (np.array([1e-6, -1e-6, 0.4, 1000.0]), "[1e-6, -1e-6, 0.4, 1000]"),
        (case.normal(size=(2, 3, 2)), "an array of shape (2, 3, 2)"),
    ):
        expect_close(
            step(z),
            (z > 0).astype(float),
            given=given,
            what="step(z)",
            booleans=True,
            inputs=z,
            advice=_ABOVE_ZERO,
        )


_NOISY = """
import warnings
with np.errstate(over="raise", invalid="raise", divide="raise"), warnings.catch_warnings():
    warnings.simplefilter("error", RuntimeWarning)
    result = sigmoid(z)
"""


def _expect_sigmoid(sigmoid, case):
    matrix = case.normal(scale=3, size=(3, 4))
    expect_close(
        sigmoid(matrix),
        true_sigmoid(matrix),
        given="a (3, 4) array",
        what="sigmoid(z)",
        mistakes={
            "the sign of the exponent is turned: your curve falls.": true_sigmoid(-matrix),
            "that is tanh, which runs from -1 to 1; the sigmoid runs from 0 to 1.": np.tanh(matrix),
            "the sign of z is lost for part of the entries: below zero the sigmoid is less than "
            "one half.": true_sigmoid(np.abs(matrix)),
            "above zero the sigmoid is more than one half: its two sides are exchanged there.": (
                true_sigmoid(-np.abs(matrix))
            ),
            "that is the sigmoid of 2z: with tanh, take half of z.": true_sigmoid(2 * matrix),
            "that is the sigmoid of z / 2.": true_sigmoid(matrix / 2),
            "that is the slope of the sigmoid.": true_sigmoid(matrix) * true_sigmoid(-matrix),
        },
        inputs=matrix,
        advice="It is 1 / (1 + exp(-z)), or exp(z) / (1 + exp(z)), which is the same.",
    )
    for z, given in (
        (np.array([-3, 0, 20]), "the integers [-3, 0, 20]"),
        (case.normal(size=(2, 3, 2)), "an array of shape (2, 3, 2)"),
    ):
        expect_close(
            sigmoid(z),
            true_sigmoid(z),
            given=given,
            what="sigmoid(z)",
            inputs=z,
            mistakes={
                "the fractions are cut off: an array made like z holds integers, as z does. Make "
                "the result an array of floats.": np.trunc(true_sigmoid(z))
            },
        )
    yield 0.5
    far = np.concatenate([[-1000.0, 1000.0, 0.0], case.uniform(-1500, 1500, size=20)])
    got = numbers(sigmoid(far), "sigmoid(z) for z up to ±1500")
    expect(
        not np.any(np.isnan(got)),
        "Given z = ±1000: sigmoid(z) contains nan, which is infinity divided by infinity. Feed exp "
        "only numbers that are not positive, such as -|z|.",
    )
    expect_close(
        got,
        true_sigmoid(far),
        given="z between -1500 and 1500",
        what="sigmoid(z)",
        inputs=far,
        advice="Far from 0 the sigmoid is 0 or 1: do not cut z off where it still changes.",
    )
    try:
        sigmoid.evaluate(_NOISY, z=far)
    except AnswerError as error:
        expect(
            error.kind not in ("FloatingPointError", "RuntimeWarning"),
            "Given z = ±1000: an exponential overflows on the way and NumPy warns. Feed exp only "
            "numbers that are not positive, such as -|z|.",
        )
        raise
    expect_close(
        sigmoid(np.array([-1000, 20, 0])),
        true_sigmoid([-1000, 20, 0]),
        given="the integers [-1000, 20, 0]",
        what="sigmoid(z)",
    )


@exercise(
    "1.5",
    "Step and sigmoid for whole arrays",
    aliases=("+1.4",),
    kind="C",
    points=2,
    minutes=10,
    stars=2,
    hints=(
        "A comparison of an array with zero is an array of booleans; turn it into numbers. For the "
        "sigmoid, treat positive and negative z differently, so that exp never gets a large "
        "positive number.",
        "For z >= 0 use 1 / (1 + exp(-z)); for z < 0 multiply top and bottom by exp(z): "
        "exp(z) / (1 + exp(z)). Both contain exp(-|z|) only.",
        "`small = np.exp(-np.abs(z))`, then `np.where(z >= 0, ..., ...)`. Mind that np.where "
        "computes both of its branches for every entry.",
    ),
)
def check_step_and_sigmoid(step, sigmoid, case):
    yield Part(0.5, lambda: _expect_step(step, case))
    yield Part(0.5, lambda: _expect_sigmoid(sigmoid, case))


def _perceptron_rule(X, y, max_epochs=1000, restart=False):
    """Return weights, bias, mistakes and passes of the rule, None if the passes run out.

    Args:
        X: Examples of shape (n, d).
        y: Labels 0 and 1.
        max_epochs: The largest number of passes.
        restart: Whether a pass ends at its first mistake, which is not the rule.
    """
    w, b, mistakes = np.zeros(X.shape[1]), 0.0, 0
    for passes in range(1, max_epochs + 1):
        clean = True
        for row, label in zip(X, y, strict=True):
            error = label - float(row @ w + b > 0)
            if error:
                w, b, mistakes, clean = w + error * row, b + error, mistakes + 1, False
                if restart:
                    break
        if clean:
            return w, b, mistakes, passes
    return None


def _separable(case, n, scale):
    """Return scaled integer points of both classes with a gap between them: sums are exact."""
    while True:
        normal, offset = case.integers(-3, 4, size=2), int(case.integers(-2, 3))
        X = case.integers(-6, 7, size=(n, 2)).astype(float)
        score = X @ normal + offset
        keep = np.abs(score) >= 2
        X, y = scale * X[keep], (score[keep] > 0).astype(int)
        if not 5 <= y.sum() <= len(y) - 5 or _perceptron_rule(X, y, max_epochs=3) is not None:
            continue
        line, other = (np.append(*_perceptron_rule(X, y, 10_000, how)[:2]) for how in (0, 1))
        if not np.array_equal(line, other):
            return X, y


@exercise(
    "1.6",
    "The perceptron learning rule",
    aliases=("+1.5",),
    kind="C",
    points=3,
    minutes=20,
    stars=2,
    hints=(
        "Two loops: passes outside, rows inside. Only a wrong row changes anything.",
        "error = label - prediction is 0, 1 or -1; add error * row to w and error to b before you "
        "look at the next row.",
        "Remember the count of mistakes before each pass; `return w, b, mistakes` if it did not "
        "change, and `raise ValueError(...)` after the outer loop.",
    ),
)
def check_perceptron_rule(train_perceptron, case):
    def trained(*given, **named):
        got = train_perceptron(*given, **named)
        return expect_parts(got, "train_perceptron's result", "w", "b", "mistakes")

    for d in (3, 1):
        _expect_single_update(train_perceptron, trained, case.integers(1, 5, size=d).astype(float))
    _, _, mistakes = trained(np.ones((2, 2)), np.array([0, 0]))
    expect_close(
        mistakes,
        0,
        given="labels that are all 0",
        what="mistakes",
        mistakes={"a sum of exactly 0 is not above zero, so the neuron must not fire.": 1},
    )
    yield 1 / 3
    for n, scale in ((30, 1.0), (50, 0.5), (24, 3.0)):
        X, y = _separable(case, n, scale)
        _expect_the_rules_line(trained, X, y)
    yield 2 / 3
    _expect_to_give_up(train_perceptron, X, y)


def _expect_single_update(train_perceptron, trained, row):
    given = f"the single example {show(row)} with label 1"
    try:
        w, b, mistakes = trained(row[None, :], np.array([1]))
    except AnswerError as error:
        expect(
            error.kind != "ValueError" or "raise" not in error.line,
            f"Given {given}: your function gave up. One update by this row is enough, if it moves "
            "the weights towards the row: check the sign of y - ŷ.",
        )
        raise
    expect_shape(w, row.shape, given=given, what="w")
    expect_close(
        w,
        row,
        given=given,
        what="w",
        mistakes={
            "w stayed 0. At the start the sum is exactly 0, which is not above zero: the neuron is "
            "silent, and that is a mistake here.": np.zeros(row.size),
            "the row is added twice: with labels 0 and 1 the error y - ŷ is 1.": 2 * row,
            "the row is subtracted: check the sign of y - ŷ.": -row,
        }
        | {
            f"the row is added {factor} times: (1.6) adds the row itself, without a learning rate."
            "": factor * row
            for factor in (0.5, 0.1, 0.01, 0.001)
        }
        | {
            f"one update from w = 0 makes w the row itself, and {show(numbers(w, 'w'))} came back. "
            "Start with all weights and the bias at zero.": w
        },
    )
    expect_close(
        b,
        1.0,
        given=given,
        what="b",
        mistakes={"b stayed 0; the bias learns, too, as the weight of an input that is 1.": 0.0},
    )
    expect_close(
        mistakes,
        1,
        given=given,
        what="mistakes",
        mistakes={
            "mistakes is 2, but the second pass makes none: count mistakes, not passes.": 2,
            "mistakes is 0: count over all passes, not in the last one alone.": 0,
        },
    )


def _expect_the_rules_line(trained, X, y):
    want = _perceptron_rule(X, y)
    given = f"{len(y)} separable points"
    try:
        w, b, mistakes = trained(X, y, 1000)
    except AnswerError as error:
        expect(
            error.kind != "ValueError" or "raise" not in error.line,
            f"Given {given} and max_epochs=1000: your function gave up, though the rule needs "
            f"{want[3]} passes. Each mistake adds (y - ŷ) times the row to w and y - ŷ to b, and "
            "y - ŷ is -1 where the neuron fires and should not.",
        )
        raise
    expect_shape(w, (2,), given=given, what="w")
    w, b = numbers(w, "w"), expect_number(b, "b")
    wrong = int(((X @ w + b > 0) != y).sum())
    expect(
        wrong == 0,
        f"Given {given}: {wrong} of them are on the wrong side of the line you returned, though a "
        "line exists. Go on until a whole pass makes no mistake.",
    )
    expect(
        not np.allclose(np.append(w, b), np.append(*_perceptron_rule(X, y, 10_000, True)[:2])),
        f"Given {given}: your line is the one you get when a pass ends at its first mistake. Go on "
        "to the next row after a mistake; a pass ends at the last row.",
    )
    backwards = _perceptron_rule(X[::-1], y[::-1])
    expect(
        np.allclose(np.append(w, b), np.append(*want[:2]))
        or not np.allclose(np.append(w, b), np.append(*backwards[:2])),
        f"Given {given}: your line is the one that the rule finds in the opposite order. Take the "
        "rows from the first to the last.",
    )
    expect(
        np.allclose(np.append(w, b), np.append(*want[:2])),
        f"Given {given}: your line separates them, but it is not the one the rule arrives at when "
        "it starts at zero, takes the rows in order and updates after each mistake, before the "
        "next row, by the row itself (not scaled, and not the whole pass in one go).",
    )
    expect_close(
        mistakes,
        want[2],
        given=given,
        what="mistakes",
        mistakes={
            "that is the number of passes: count every mistake.": want[3],
            "that is the number of passes with a mistake: count every mistake.": want[3] - 1,
            "the errors y - ŷ are summed, and 1 and -1 cancel: count each mistake once.": b,
            "the updates are right; mistakes counts them over all passes, from 0 on.": want[2] + 1,
        },
    )


def _expect_to_give_up(train_perceptron, X, y):
    xor = np.array(_CORNERS, dtype=float), np.array(_GATES["XOR"])
    expect_raises(
        ValueError,
        lambda: train_perceptron(*xor, 25),
        given="XOR and max_epochs=25",
        with_message=True,
    )
    expect_raises(ValueError, lambda: train_perceptron(*xor), given="XOR and the default")
    expect_raises(
        ValueError,
        lambda: train_perceptron(X, y, 1),
        given="separable points that need several passes, and max_epochs=1",
    )
    one = np.array([[2.0, 1.0]]), np.array([1])

    def given(passes):
        return (
            "one example, whose second pass is the first without a mistake, and "
            f"max_epochs={passes}"
        )

    expect_raises(ValueError, lambda: train_perceptron(*one, 1), given=given(1))
    try:
        train_perceptron(*one, 2)
    except AnswerError as error:
        expect(error.kind != "ValueError", f"Given {given(2)}: two passes were enough.")
        raise


@exercise(
    "1.7",
    "Gradients of the mean squared error",
    aliases=("+1.6",),
    kind="C",
    points=2,
    minutes=10,
    stars=2,
    hints=(
        "Formula (1.8) is right for one row. The mean over rows of a derivative is the derivative "
        "of the mean.",
        "dw = 2/n * X^T (Xw + b - y) and db = 2/n * sum(Xw + b - y).",
        "`error = X @ w + b - y`, then one matrix product and one mean.",
    ),
)
def check_mse_gradients(mse_gradients, case):
    for n, d in ((5, 1), (12, 3), (4, 4), (40, 2)):
        X, w = case.normal(size=(n, d)), case.normal(size=d)
        y, b = case.normal(size=n), float(case.normal() + 2)
        error = X @ w + b - y
        full = np.append(2 * X.T @ error / n, 2 * error.mean())
        no_bias = np.append(2 * X.T @ (X @ w - y) / n, 2 * (X @ w - y).mean())
        turned = 2 * X @ error / n if n == d else np.full(d, np.nan)
        got = expect_parts(mse_gradients(X, y, w, b), "the result of mse_gradients", "dw", "db")
        for part, want, what, extra in (
            (got[0], full[:-1], "dw", {"X belongs in the product as its transpose.": turned}),
            (got[1], full[-1], "db", {}),
        ):
            expect_close(
                part,
                want,
                given=f"X of shape ({n}, {d})",
                what=what,
                rtol=1e-3,
                atol=1e-5,
                advice=f"With the error X @ w + b - y, one number per row, {what} is the mean over "
                "the rows of 2 * error" + (" * row." if what == "dw" else "."),
                mistakes={
                    f"{what} is {n} times too large: the mean over the {n} rows is missing.": want
                    * n,
                    f"{what} is half of what it should be: the 2 of the square is missing.": want
                    / 2,
                    f"{what} has the right size and the wrong sign: the error is prediction minus "
                    "target.": -want,
                    f"{what} lacks both the 2 and the mean.": want * n / 2,
                    f"{what} is computed without the bias: the prediction is X @ w + b.": (
                        no_bias[:-1] if what == "dw" else no_bias[-1]
                    ),
                    f"{what} is divided by the {d} inputs, not by the {n} rows.": want * n / d,
                    f"{what} is divided by all {n * d} entries of X: take the mean over the {n} "
                    "rows.": want / d if d > 1 else np.full_like(want, np.nan),
                    f"{what} is multiplied by {n}: in Python `/ 2 * n` divides by 2 only.": want
                    * n
                    * n
                    / 4,
                    f"{what} is divided by 2n: the derivative of the square multiplies by 2.": want
                    / 4,
                    f"{what} is the gradient of the absolute error: take the squared one.": (
                        X.T @ np.sign(error) / n if what == "dw" else np.sign(error).mean()
                    ),
                    f"{what} is a product of two means: take the mean of error times input.": (
                        2 * error.mean() * X.mean(axis=0) if what == "dw" else np.nan
                    ),
                    f"{what} is the parameter after a step: return the gradient alone.": (
                        w - 0.1 * want if what == "dw" else b - 0.1 * want
                    ),
                }
                | {
                    f"{what} is a difference quotient with a nudge of {h:g}, which is not exact: "
                    "use the formula.": want + h * (np.mean(X**2, axis=0) if what == "dw" else 1)
                    for h in (1e-2, 1e-3)
                }
                | extra,
            )
        if d == 1:
            yield 0.25


_VERDICTS = ("crawls", "converges", "diverges")


def line_data():
    """Return `x_line` and `y_line` of the page, which asserts that they are the same."""
    random = np.random.default_rng(3)
    x = random.uniform(0, 3, size=40)
    return x, 2 * x + 1 + random.normal(0, 0.3, size=40)


def _descent(x, y, rate, steps=100, *, factor=1.0, one_by_one=False, start=0.0, bias=1.0):
    """Return the losses of gradient descent from w = b = start, or those of a known mistake."""
    w, b, losses = start, start, []
    for _ in range(steps + 1):
        error = w * x + b - y
        losses.append(np.mean(error**2))
        w -= factor * rate * 2 * np.mean(error * x)
        b -= bias * factor * rate * 2 * np.mean(w * x + b - y if one_by_one else error)
    return np.array(losses)


@exercise(
    "1.8",
    "A sweep of learning rates",
    aliases=("+1.7",),
    kind="X",
    points=3,
    minutes=15,
    stars=2,
    hints=(
        "`descend` is the loop of the lesson with a list: it starts at w = b = 0 each time it is "
        "called. For the verdicts, spread the learning rates over three powers of ten.",
        "Record the loss of the current w and b first, then step: 101 records need 101 turns.",
        "`sweep = {rate: descend(x_line, y_line, rate) for rate in (...)}`; `best` is the smallest "
        "last loss; then one word for each rate by the three rules of the prompt.",
    ),
)
def check_learning_rates(descend, verdicts, case):
    yield Part(0.5, lambda: _expect_descent(descend, case))
    yield Part(0.5, lambda: _expect_verdicts(verdicts))


def _expect_descent(descend, case):
    for rate, n in ((0.05, 40), (0.01, 25), (0.002, 60)):
        x = case.uniform(0, 3, size=n)
        y = case.uniform(-3, 3) * x + case.uniform(1, 2) + case.normal(0, 0.3, size=n)
        want = _descent(x, y, rate)
        what, given = "the losses of descend", f"{n} points and learning rate {rate}"
        got = numbers(descend(x, y, rate), what)
        expect(
            got.shape == (101,),
            f"Given {given}: {what} have the shape {got.shape}. 101 are asked for, one before the "
            "first step and one after each of 100 steps.",
        )
        expect_close(
            got,
            want,
            given=given,
            what=what,
            rtol=1e-3,
            mistakes={
                "the gradients lack the factor 2.": _descent(x, y, rate, factor=0.5),
                "the gradients are sums over the rows: take means.": _descent(x, y, rate, factor=n),
                "the steps go uphill: subtract the gradient.": _descent(x, y, -rate),
                "the loss is recorded after the step: record it first.": _descent(x, y, rate, 101)[
                    1:
                ],
                "b moves by an error that the new w has changed already: compute both gradients "
                "before you change w or b.": _descent(x, y, rate, one_by_one=True),
                "the losses are halved: take the mean of the squared errors.": want / 2,
                "that is the root of the mean squared error.": np.sqrt(want),
                "the losses are sums over the rows: take means.": want * n,
                "these are the losses for x_line and y_line: use the arguments x and y.": _descent(
                    *line_data(), rate
                ),
                "the learning rate is 0.1 whatever is given: use the argument.": _descent(
                    x, y, 0.1
                ),
                "all losses are the last one: record the loss in every step.": want[-1] + 0 * want,
                "all losses are the first one: w and b never change.": want[0] + 0 * want,
                "w and b start at 1: start at 0.": _descent(x, y, rate, start=1.0),
                "b never changes: subtract its gradient, too.": _descent(x, y, rate, bias=0.0),
                _first_difference(got, want): got,
            },
        )


def _first_difference(got, want):
    """Return the sentence for losses that are none of the known mistakes."""
    step = int(np.argmin(np.isclose(got, want, rtol=1e-3)))
    if step == 0:
        return (
            f"the first loss is {got[0]:.6g}, and with w = b = 0 the mean squared error is "
            f"{want[0]:.6g}. Start at 0 each time the function is called."
        )
    return (
        f"the loss after step {step} is the first that differs: {want[step]:.6g} is expected and "
        f"{got[step]:.6g} came back. One step takes the gradients of the mean over all rows, "
        "(1.8), at the current w and b, and subtracts them times the learning rate, (1.9)."
    )


def _expect_verdicts(verdicts):
    given = verdicts.value
    expect(
        isinstance(given, dict) and len(given) >= 5,
        f"`verdicts` should be a dict with at least five learning rates; got {show(given)}.",
    )
    rates = {}
    for rate in given:
        number = expect_number(rate, f"the learning rate {show(rate)}")
        expect(number > 0, f"The learning rate {show(rate)} in `verdicts` is not positive.")
        rates[rate] = number
    with np.errstate(over="ignore", invalid="ignore"):
        losses = {rate: _descent(*line_data(), number) for rate, number in rates.items()}
    start = next(iter(losses.values()))[0]
    best = min(curve[-1] for curve in losses.values() if np.isfinite(curve[-1]))
    for rate, curve in losses.items():
        word = "diverges" if not curve[-1] <= start else "crawls"
        word = "converges" if curve[-1] <= 1.05 * best else word
        said = given[rate]
        expect(
            isinstance(said, str) and said in _VERDICTS,
            f"verdicts[{rate}] is {show(said)}; use one of {', '.join(_VERDICTS)}.",
        )
        expect(
            said == word,
            f"verdicts[{rate}] says {said}, but the loss goes from {start:.3g} to "
            f"{curve[-1]:.3g} and the best of your rates ends at {best:.3g}: it {word}.",
        )
    expect(
        best < 0.2 * start,
        f"The best run only falls from {start:.3g} to {best:.3g}. Take some learning rates "
        "between your largest that does not diverge and a tenth of it.",
    )
    for word in _VERDICTS:
        expect(
            word in given.values(),
            f"None of your learning rates {word}. Try "
            + ("a larger one." if word == "diverges" else "a smaller one."),
        )


@exercise(
    "1.9",
    "Three losses",
    aliases=("+1.8",),
    kind="C",
    points=3,
    minutes=15,
    stars=2,
    hints=(
        "The cross-entropy needs one number from each row: the probability of the true class. A "
        "one-hot row and an integer are two ways to point at it.",
        "-mean(log(max(p_true, tiny))), with a tiny like 1e-12; log(0) is minus infinity.",
        "`if labels.ndim == 2: labels = labels.argmax(axis=1)`, then index with "
        "`probabilities[np.arange(n), labels]`.",
    ),
)
def check_losses(sum_of_squares, mean_squared_error, cross_entropy, case):
    pairs = [(case.normal(size=shape), case.normal(size=shape)) for shape in ((6,), (4, 3), (5, 5))]
    pairs.append((case.integers(-5, 5, size=8), case.integers(-5, 5, size=8)))
    yield Part(1 / 3, lambda: _expect_sum_of_squares(sum_of_squares, pairs))
    yield Part(1 / 3, lambda: _expect_mean_squared_error(mean_squared_error, pairs))
    yield Part(1 / 3, lambda: _expect_cross_entropy(cross_entropy, case))


def _expect_sum_of_squares(sum_of_squares, pairs):
    for y, t in pairs:
        total, n = float(((y - t) ** 2).sum()), y.size
        expect_close(
            sum_of_squares(y, t),
            total / 2,
            given=f"arrays of shape {y.shape}",
            what="sum_of_squares(y, t)",
            mistakes={
                "sum_of_squares is twice too large: (1.10) has a factor ½.": total,
                "sum_of_squares is a mean; do not divide by the number of entries.": total / n / 2,
                "sum_of_squares lacks the squares, so errors cancel.": float((y - t).sum()) / 2,
                "sum_of_squares squares the sum: square each difference first.": float(
                    (y - t).sum()
                )
                ** 2
                / 2,
                "sum_of_squares takes absolute values where squares are asked for.": float(
                    np.abs(y - t).sum()
                )
                / 2,
                "sum_of_squares adds up y + t where y - t is asked for.": float(
                    ((y + t) ** 2).sum()
                )
                / 2,
                "that is the root of the sum: leave it out.": float(np.sqrt(total)),
                "that is half of the root of the sum: leave the root out.": float(np.sqrt(total))
                / 2,
            },
        )


def _expect_mean_squared_error(mean_squared_error, pairs):
    for y, t in pairs:
        total, n = float(((y - t) ** 2).sum()), y.size
        expect_close(
            mean_squared_error(y, t),
            total / n,
            given=f"arrays of shape {y.shape}",
            what="mean_squared_error(y, t)",
            mistakes={
                "mean_squared_error has a factor ½ too many.": total / n / 2,
                "mean_squared_error is a sum; divide by the number of entries.": total,
                "mean_squared_error divides by the rows, not by all entries.": total / len(y),
                "that is the root of the mean squared error.": float(np.sqrt(total / n)),
                "that is the mean absolute error: square the differences.": float(
                    np.abs(y - t).mean()
                ),
                "mean_squared_error squares the mean: square each difference first.": float(
                    (y - t).mean() ** 2
                ),
                "that is the variance of the differences: do not subtract their mean.": float(
                    (y - t).var()
                ),
            },
            advice="Square each difference y - t, then take the mean over all entries.",
        )


def _expect_cross_entropy(cross_entropy, case):
    for n, k in ((7, 4), (4, 4), (1, 3), (30, 2)):
        p = case.dirichlet(np.ones(k) * 2, size=n)
        labels = case.integers(0, k - (n == 1), size=n)  # the last class may be missing
        _expect_both_forms(cross_entropy, p, labels)
    yield 0.5
    sure = np.array([[0.0, 1.0], [1.0, 0.0]])
    with_kinds = (("integer", np.array([0, 1])), ("one-hot", np.eye(2)))
    for kind, labels in with_kinds:
        what = f"the loss of sure and wrong predictions ({kind} labels)"
        loss = float(numbers(cross_entropy(sure, labels), what).reshape(()))
        expect(
            np.isfinite(loss),
            f"Given probability 0 for every true class ({kind} labels): the loss is {loss}, since "
            "log(0) is minus infinity. Keep zeros out of the logarithm with a tiny number, so that "
            "the loss is large and finite.",
        )
        expect(
            loss > 10,
            f"Given probability 0 for every true class: the loss is {loss:.3g}; a sure and wrong "
            "answer must cost more than 10. Guard the logarithm with a much smaller number.",
        )
        expect_close(
            cross_entropy(sure, 1 - labels),
            0.0,
            atol=1e-5,
            what="cross_entropy",
            given=f"probability 1 for every true class ({kind} labels)",
        )
        _expect_no_warning(cross_entropy, sure, labels)
    small = np.array([[1e-3, 1 - 1e-3], [1 - 1e-4, 1e-4]])
    expect_close(
        cross_entropy(small, np.array([0, 1])),
        -np.log([1e-3, 1e-4]).mean(),
        given="probabilities of 0.001 and 0.0001 for the true classes",
        what="cross_entropy",
        rtol=0.01,
        mistakes={
            "the number that guards the logarithm is too large and changes the loss.": -np.log(
                [1e-3, 1e-3]
            ).mean()
        },
    )


_QUIET_LOSS = """
import warnings
with np.errstate(over="raise", invalid="raise", divide="raise"), warnings.catch_warnings():
    warnings.simplefilter("error", RuntimeWarning)
    result = float(cross_entropy(p, labels))
"""


def _expect_no_warning(cross_entropy, p, labels):
    try:
        cross_entropy.evaluate(_QUIET_LOSS, p=p, labels=labels)
    except AnswerError as error:
        expect(
            error.kind not in ("FloatingPointError", "RuntimeWarning"),
            "Given a probability of 0: the result is finite, but NumPy warns on the way, because "
            "log(0) is taken or multiplied. Keep zeros out of the logarithm.",
        )
        raise


def _expect_both_forms(cross_entropy, p, labels):
    n, k = p.shape
    one_hot = np.eye(k)[labels]
    each = -np.log(p[np.arange(n), labels])
    others = -(one_hot * np.log(p) + (1 - one_hot) * np.log(1 - p)).sum(axis=1)
    mistakes = {
        "cross_entropy is negative: the minus sign is missing.": -each.mean(),
        "cross_entropy sums over the rows; take the mean.": each.sum(),
        f"cross_entropy divides by all {n * k} entries; divide by the {n} rows.": each.sum()
        / n
        / k,
        "cross_entropy also counts the wrong classes; look at the true class alone.": others.mean(),
        "that is a logarithm to base 2; use the natural one.": each.mean() / np.log(2),
        "that is a logarithm to base 10; use the natural one.": each.mean() / np.log(10),
        "one loss per row came back: take their mean.": each,
        "the mean is taken before the logarithm: take the logarithm of each row first.": -np.log(
            p[np.arange(n), labels].mean()
        ),
        "the logarithm is missing.": -p[np.arange(n), labels].mean(),
        "those are the largest probabilities of the rows: take the ones of the labels.": -np.log(
            p.max(axis=1)
        ).mean(),
        "those are squared differences; take minus the logarithm of the true class's "
        "probability.": ((p - one_hot) ** 2).mean(),
        "those are squared differences, summed over the classes; take minus the logarithm of the "
        "true class's probability.": ((p - one_hot) ** 2).sum(axis=1).mean(),
    } | {
        f"{guard:g} is added to every probability and changes the loss: guard the logarithm with "
        "a much smaller number.": -np.log(p[np.arange(n), labels] + guard).mean()
        for guard in (0.1, 0.01, 0.001)
    }
    for given, form in (
        (f"one-hot labels of shape ({n}, {k})", one_hot),
        (f"integer labels of shape ({n},)", labels),
    ):
        try:
            got = cross_entropy(p, form)
        except AnswerError as error:
            expected = {"ValueError", "IndexError", "TypeError", "InvalidArgumentError"}
            if not expected & set(error.bases):
                raise
            raise NotYet(
                f"Given {given} and probabilities of shape ({n}, {k}), your code raised {error}. "
                "Labels come in both forms, and a class may be missing among them: look at their "
                "number of axes first."
            ) from None
        expect_close(
            got,
            each.mean(),
            given=given,
            what="cross_entropy",
            mistakes=mistakes,
            advice="From each row take the probability of its label, then minus the logarithm, "
            "then the mean over the rows.",
        )


@exercise(
    "1.10",
    "Gaussian negative log-likelihood",
    aliases=("+1.9",),
    kind="C",
    points=2,
    minutes=10,
    stars=2,
    hints=(
        "Take the logarithm on paper, not in the computer: the density itself can be zero.",
        "Mean of ½ log(2πσ²) + (y - μ)² / (2σ²). Only the second term differs between entries, "
        "and the mean of (y - μ)² has a name.",
        "Two lines: the squared differences, then the mean of (1.11); in `nll_from_mse`, put "
        "`mse` where the squared differences were.",
    ),
)
def check_gaussian(gaussian_nll, nll_from_mse, case):
    yield Part(0.5, lambda: _expect_gaussian_nll(gaussian_nll, case))
    yield Part(0.5, lambda: _expect_nll_from_mse(nll_from_mse, case))


_TERM_BY_TERM = (
    "Compare your expression with (1.11) term by term: ½ log(2πσ²), then the squared error divided "
    "by 2σ²."
)


def _nll(mse, sigma):
    return 0.5 * np.log(2 * np.pi * sigma**2) + mse / (2 * sigma**2)


def _nll_mistakes(mse, sigma, entries):
    """Return what known mistakes give, by the sentence that names each."""
    constant, scaled = 0.5 * np.log(2 * np.pi * sigma**2), mse / (2 * sigma**2)
    unsquared = 0.5 * np.log(2 * np.pi * sigma)
    return {
        "the sign is turned: it is the negative log-likelihood.": -constant - scaled,
        "the sum over the entries came back; take the mean.": entries * (constant + scaled),
        "the term ½ log(2πσ²) is missing.": scaled,
        "the term with the squared error is missing.": constant,
        "sigma is the standard deviation; the formula contains its square, twice.": unsquared
        + mse / (2 * sigma),
        "sigma is not squared inside the logarithm.": unsquared + scaled,
        "sigma is not squared below the squared error.": constant + mse / (2 * sigma),
        "the 2 below the squared error is missing: it is 2σ².": constant + 2 * scaled,
        "the ½ before the logarithm is missing.": 2 * constant + scaled,
        "the 2π inside the logarithm is missing.": np.log(sigma) + scaled,
        "the π inside the logarithm is missing.": 0.5 * np.log(2 * sigma**2) + scaled,
        "the logarithm is subtracted: both terms are added.": scaled - constant,
        "`/ 2 * sigma**2` multiplies by sigma**2: put 2 * sigma**2 in brackets.": constant
        + mse / 2 * sigma**2,
        "that is a logarithm to base 10; use the natural one.": constant / np.log(10) + scaled,
        "that is a logarithm to base 2; use the natural one.": constant / np.log(2) + scaled,
        "sigma is taken as 1: use the argument.": 0.5 * np.log(2 * np.pi) + mse / 2,
        "sigma is squared twice: it is the standard deviation, and its square is the variance.": (
            2 * constant - 0.5 * np.log(2 * np.pi) + mse / (2 * sigma**4)
        ),
        "the ½ belongs to log(2π) as well: ½ log(2πσ²).": np.log(2 * np.pi)
        + np.log(sigma)
        + scaled,
        "the root of the squared error is taken: leave it squared.": constant
        + np.sqrt(mse) / (2 * sigma**2),
    }


def _expect_gaussian_nll(gaussian_nll, case):
    for shape, sigma in (((5, 2), 2.3), ((9,), 0.6), ((3, 3), case.uniform(1.2, 3.0))):
        y, mean = case.normal(size=shape), case.normal(size=shape)
        mse = float(np.mean((y - mean) ** 2))
        expect_close(
            gaussian_nll(y, mean, float(sigma)),
            _nll(mse, sigma),
            given=f"two arrays of shape {shape} and sigma {sigma:.3g}",
            what="gaussian_nll",
            advice=_TERM_BY_TERM,
            mistakes=_nll_mistakes(mse, sigma, y.size)
            | {
                "absolute errors are taken: square them.": np.mean(
                    _nll(0, sigma) + np.abs(y - mean) / (2 * sigma**2)
                ),
                "the mean of y is taken for the predictions: use the argument `mean`.": _nll(
                    y.var(), sigma
                ),
                "the standard deviation of y is taken for sigma: use the argument.": _nll(
                    mse, y.std()
                ),
                "the standard deviation of the errors is taken for sigma: use the argument.": _nll(
                    mse, (y - mean).std()
                ),
                "the sum is divided by the number of rows: divide by the number of all entries.": (
                    _nll(mse, sigma) * y.size / len(y)
                ),
            },
        )
        mse = float(np.mean((y - 0.5) ** 2))
        expect_close(
            gaussian_nll(y, 0.5, float(sigma)),
            _nll(mse, sigma),
            given=f"the same number 0.5 as every mean and sigma {sigma:.3g}",
            what="gaussian_nll",
            mistakes=_nll_mistakes(mse, sigma, y.size),
            advice=_TERM_BY_TERM,
        )
    yield 0.5
    far = np.array([60.0, 100.0])
    got = numbers(gaussian_nll(far, 0.0, 1.0), "gaussian_nll")
    expect(
        np.all(np.isfinite(got)),
        "Given targets 60 and 100 standard deviations away: the result is not finite, because the "
        "density there is zero in floating point. Take the logarithm on paper, as in (1.11).",
    )
    expect_close(
        got,
        _nll(np.mean(far**2), 1.0),
        given="targets 60 and 100 standard deviations away",
        what="gaussian_nll",
        mistakes={
            "the loss stops growing far from the mean, because something is clipped or guarded. "
            "Take the logarithm on paper, as in (1.11).": got
            if (got < _nll(np.mean(far**2), 1.0)).all()
            else np.nan
        },
    )


def _expect_nll_from_mse(nll_from_mse, case):
    for sigma in (2.3, 0.6, float(case.uniform(1.2, 3.0))):
        mse = float(case.uniform(0.5, 9.0))
        expect_close(
            nll_from_mse(mse, sigma),
            _nll(mse, sigma),
            given=f"mse {mse:.4g} and sigma {sigma:.3g}",
            what="nll_from_mse",
            advice=_TERM_BY_TERM,
            mistakes=_nll_mistakes(mse, sigma, 1)
            | {"the mse is a square already: do not square it again.": _nll(mse**2, sigma)},
        )


@exercise(
    "1.11",
    "Least squares with Dense(1)",
    aliases=("+1.10",),
    kind="C",
    points=2,
    minutes=15,
    stars=2,
    hints=(
        "The model of the lesson with d inputs instead of one. If the weights are close but not "
        "close enough, take more epochs; if they jump around, a larger batch.",
        "The gradient of a batch of all rows has no noise, so plain gradient descent settles on "
        "the least-squares solution.",
        "`keras.Sequential([keras.Input(shape=(X.shape[1],)), keras.layers.Dense(1)])`, "
        '`compile(optimizer=..., loss="mse")`, `training.fit(model, X, y, epochs=..., '
        "batch_size=...)`, `return model`.",
    ),
)
def check_fit_linear(fit_linear, case):
    for n, d in ((160, int(case.integers(2, 5))), (61, 1)):
        _expect_fit(fit_linear, case, n, d)
        if n == 160:
            yield 0.5


_TRAINED = """
tapes = []
enter = tf.GradientTape.__enter__

def counted(tape):
    tapes.append(1)
    return enter(tape)

try:
    tf.GradientTape.__enter__ = counted
    model = fit_linear(X, y)
finally:
    tf.GradientTape.__enter__ = enter
layers = getattr(model, "layers", None)
result = {"kind": type(model).__name__, "is_model": layers is not None}
if layers is not None:
    layers = [layer for layer in layers if type(layer).__name__ != "InputLayer"]
    result["layers"] = [type(layer).__name__ for layer in layers]
    result["weights"] = [np.asarray(weight) for weight in model.get_weights()]
    result["steps"] = -1 if tapes else 0
    if getattr(model, "compiled", False):
        result["loss"] = getattr(model.loss, "__name__", None) or getattr(
            model.loss, "name", model.loss)
        result["steps"] = int(model.optimizer.iterations)
    if len(layers) == 1 and result["layers"] == ["Dense"]:
        config = layers[0].get_config()
        result["config"] = {name: config[name] for name in ("units", "activation", "use_bias")}
"""


def _expect_one_neuron(found):
    expect(
        found["is_model"],
        f"fit_linear should return the Keras model itself; got a {found['kind']}. (`fit` returns "
        "the history.)",
    )
    expect(
        found["layers"] == ["Dense"],
        "The model should be one Dense layer and nothing else; it has "
        f"{', '.join(found['layers']) or 'no layer'}.",
    )
    config = found["config"]
    expect(config["units"] == 1, f"The layer has {config['units']} units; one neuron is wanted.")
    expect(
        config["activation"] == "linear",
        f"The activation is {show(config['activation'])}; a neuron that predicts a number has "
        "none.",
    )
    expect(config["use_bias"], "The layer has no bias, so every prediction for x = 0 is 0.")


def _least_squares(X, y):
    return np.linalg.lstsq(np.column_stack([X, np.ones(len(X))]), y, rcond=None)[0]


def _expect_fit(fit_linear, case, n, d):
    scale, shift = case.uniform(0.8, 1.2, size=d), case.uniform(-0.3, 0.3, size=d)
    X = (case.normal(size=(n, d)) * scale + shift).astype("float32")
    slope = case.uniform(0.5, 2.0, size=d) * case.choice([-1, 1], size=d)
    y = (X @ slope + case.uniform(1, 3) + case.normal(scale=0.5, size=n)).astype("float32")
    found = fit_linear.evaluate(_TRAINED, X=X, y=y)
    _expect_one_neuron(found)
    got = np.concatenate([numbers(weight, "a weight").ravel() for weight in found["weights"]])
    given = f"{n} examples with {d} inputs"
    expect(got.size == d + 1, f"Given {given}: the model has {got.size} weights, not {d + 1}.")
    expect(
        np.isfinite(got).all(),
        f"Given {given}: the weights are not finite, because training diverged. Take a smaller "
        "learning rate.",
    )
    expect(
        found["steps"] != 0,
        "The model was never trained: compile it with an optimizer and a loss, and call "
        "`training.fit`.",
    )
    expect(
        not 0 < found["steps"] < 10,
        f"The optimizer took {found['steps']} step(s), too few to learn the weights: train for "
        "more epochs.",
    )
    exact = _least_squares(X, y)
    gap = np.abs(got - exact).max()
    if gap <= 1e-2:
        return
    for sentence, other in _other_fits(X, y).items():
        near = np.abs(got - other).max() <= 1e-2 + 0.02 * gap
        expect(not near, f"Given {given}: {sentence}")
    loss = found.get("loss", "mse")
    expect(
        "squared" in str(loss) or loss == "mse",
        f"The model was compiled with the loss {show(loss)}: least squares needs the mean squared "
        "error.",
    )
    expect(
        not 0 <= found["steps"] < 60,
        f"Given {given}: the largest difference to the least-squares weights is {gap:.3g}, and at "
        f"most 0.01 is allowed. The optimizer took {found['steps']} steps: train for more epochs.",
    )
    raise NotYet(
        f"Given {given}: the largest difference to the least-squares weights is {gap:.3g}, and at "
        "most 0.01 is allowed. Either the steps are too small to arrive (larger learning rate, "
        "more epochs) or small batches keep the weights in motion (batches of all rows). Train on "
        "X and y as they are given, all rows of them."
    )


def _other_fits(X, y):
    """Return the weights that known mistakes arrive at, by the sentence that names each."""
    n, d = X.shape
    mean, std = X.mean(axis=0), X.std(axis=0)
    level = np.append(np.zeros(d), y.mean())
    return {
        "these are the weights for standardised inputs. The model gets X as it is: train it on X "
        "as it is.": _least_squares((X - mean) / std, y),
        "these are the weights for inputs with their mean removed: train on X as it is.": (
            _least_squares(X - mean, y)
        ),
        "these are the weights for standardised targets: train on y as it is.": _least_squares(
            X, (y - y.mean()) / y.std()
        ),
        "these are the weights that fit the first half of the rows: train on all of them.": (
            _least_squares(X[: n // 2], y[: n // 2])
        ),
        "these are the weights that fit the first 80 % of the rows: train on all of them, without "
        "a validation split.": _least_squares(X[: int(0.8 * n)], y[: int(0.8 * n)]),
        "the bias stayed 0: it has to learn, too.": np.append(
            np.linalg.lstsq(X, y, rcond=None)[0], 0.0
        ),
        "the model predicts the mean of y for every row. Do the shapes of predictions (n, 1) and "
        "targets fit?": level,
        "the weights are turned in sign.": -_least_squares(X, y),
    }
