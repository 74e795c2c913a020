"""Right and wrong answers to the exercises of chapter 1, with the words a wrong one must meet."""

from __future__ import annotations

import numpy as np

from tests.exercises.answers import right, wrong


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


def boolean_gate(w1, w2, b):
    return lambda x1, x2: bool(w1 * x1 + w2 * x2 + b > 0)


PAGE_GATES = """
def and_gate(x1, x2):
    return int(x1 + x2 - 1.5 > 0)

def nand_gate(x1, x2):
    return int(-x1 - x2 + 1.5 > 0)

def or_gate(x1, x2):
    return int(x1 + x2 - 0.5 > 0)
"""


def on_the_page(source, gates=PAGE_GATES):
    """Return the `xor_gate` of a page whose cells are `gates` and `source`."""
    page = {"np": np}
    exec(gates + source, page)
    return page["xor_gate"]


def xor_as(expression, gates=PAGE_GATES):
    return on_the_page(f"xor_gate = lambda x1, x2: {expression}", gates)


LINE_THROUGH_A_CORNER = PAGE_GATES.replace("-x1 - x2 + 1.5", "-x1 - x2 + 2")

GATES = [
    right("1.1", "weights as numbers", AND, NAND, OR),
    right(
        "1.1",
        "dot product, other weights",
        numpy_gate([0.5, 0.5], -0.7),
        numpy_gate([-0.5, -0.5], 0.7),
        numpy_gate([0.5, 0.5], -0.2),
    ),
    right(
        "1.1", "booleans", boolean_gate(2, 3, -4), boolean_gate(-2, -3, 4), boolean_gate(2, 3, -1)
    ),
    right(
        "1.1",
        "float32, unequal weights",
        float32_gate(0.3, 0.6, -0.7),
        float32_gate(-0.3, -0.6, 0.7),
        float32_gate(1, 5, -0.5),
    ),
    right(
        "1.1",
        "not greater than zero, signs of NAND",
        lambda a, b: 1 if a + b >= 1.5 else 0,
        lambda a, b: 1 - AND(a, b),
        lambda a, b: 0 if a + b < 0.5 else 1,
    ),
    wrong("1.1", "corner on the line", "passes through that corner", neuron(1, 1, -1), NAND, OR),
    wrong("1.1", "OR through the origin", "passes through that corner", AND, NAND, neuron(1, 1, 0)),
    wrong("1.1", "python and", "one straight line", lambda a, b: int(a == 1 and b == 1), NAND, OR),
    wrong("1.1", "python or", "one straight line", AND, NAND, lambda a, b: int(bool(a or b))),
    wrong("1.1", "product", "one straight line", lambda a, b: int(a * b > 0.5), NAND, OR),
    wrong(
        "1.1", "smaller of both", "one straight line", lambda a, b: int(min(a, b) > 0.5), NAND, OR
    ),
    wrong(
        "1.1", "rounded", "one straight line", AND, NAND, lambda a, b: int(round(a) | round(b) > 0)
    ),
    wrong("1.1", "strip", "one straight line", lambda a, b: int(1.5 < a + b < 2.5), NAND, OR),
    wrong("1.1", "swapped", "What you call AND is OR", OR, NAND, AND),
    wrong("1.1", "signs turned", "all signs are turned", AND, AND, OR),
    wrong("1.1", "raw sum", "returns 0 or 1", lambda a, b: a + b - 1.5, NAND, OR),
    wrong("1.1", "bias too high", "Given (0, 0): OR should be 0", AND, NAND, neuron(1, 1, 0.5)),
    wrong("1.1", "no return", "is None", lambda a, b: None, NAND, OR),
    wrong("1.1", "text", "should be numbers", lambda a, b: str(AND(a, b)), NAND, OR),
    wrong("1.1", "complex", "real numbers", lambda a, b: complex(AND(a, b)), NAND, OR),
    right("1.2", "nand and or", xor_as("and_gate(nand_gate(x1, x2), or_gate(x1, x2))")),
    right(
        "1.2",
        "four nands",
        xor_as("nand_gate(nand_gate(x1, n := nand_gate(x1, x2)), nand_gate(x2, n))"),
    ),
    right(
        "1.2",
        "steps with names",
        on_the_page(
            "def xor_gate(x1, x2):\n    some = or_gate(x1, x2)\n    both = and_gate(x1, x2)\n"
            "    return int(and_gate(some, nand_gate(both, both)))"
        ),
    ),
    right(
        "1.2",
        "a helper of one's own",
        on_the_page(
            "def flip(x):\n    return nand_gate(x, x)\n"
            "def xor_gate(x1, x2):\n"
            "    return or_gate(and_gate(x1, flip(x2)), and_gate(flip(x1), x2))"
        ),
    ),
    right(
        "1.2",
        "gates under other names, keywords",
        on_the_page(
            "inner = {'some': or_gate, 'not_both': nand_gate}\n"
            "def xor_gate(x1, x2, last=and_gate):\n"
            "    some = inner['some'](x1=x1, x2=x2)\n"
            "    return last(x1=some, x2=inner['not_both'](x1, x2))"
        ),
    ),
    wrong("1.2", "not equal", "compares or computes", xor_as("int(x1 != x2)")),
    wrong(
        "1.2",
        "a gate of one's own under another name",
        "compares or computes",
        on_the_page(
            "def xor_gate(x1, x2, last=lambda a, b: int(a + b > 1.5)):\n"
            "    return last(nand_gate(x1, x2), or_gate(x1, x2))"
        ),
    ),
    wrong(
        "1.2",
        "or of nand and and",
        "each of your inner gates",
        xor_as("or_gate(nand_gate(x1, x2), and_gate(x1, x2))"),
    ),
    wrong("1.2", "sum equals one", "compares or computes", xor_as("int(x1 + x2 == 1)")),
    wrong("1.2", "rounded", "compares or computes", xor_as("int(round(x1) != round(x2))")),
    wrong(
        "1.2", "difference", "compares or computes", xor_as("or_gate(x1, x2) - and_gate(x1, x2)")
    ),
    wrong("1.2", "thresholds", "compares or computes", xor_as("int((x1 > 0.5) != (x2 > 0.5))")),
    wrong(
        "1.2",
        "new weights",
        "compares or computes",
        xor_as("int(1.0*x1 + x2 - 2*and_gate(x1, x2) > 0.5)"),
    ),
    wrong("1.2", "bits", "compares or computes", xor_as("or_gate(x1, x2) & nand_gate(x1, x2)")),
    wrong(
        "1.2",
        "if",
        "compares or computes",
        on_the_page(
            "def xor_gate(x1, x2):\n    if and_gate(x1, x2):\n        return 0\n"
            "    return or_gate(x1, x2)"
        ),
    ),
    wrong(
        "1.2",
        "python not",
        "compares or computes",
        xor_as("and_gate(or_gate(x1, x2), not and_gate(x1, x2))"),
    ),
    wrong(
        "1.2",
        "a constant",
        "neither an input",
        xor_as("and_gate(nand_gate(x1, x2), and_gate(or_gate(x1, x2), 1))"),
    ),
    wrong(
        "1.2",
        "gate with a line through a corner",
        "passes through that corner",
        xor_as("and_gate(nand_gate(x1, x2), or_gate(x1, x2))", LINE_THROUGH_A_CORNER),
    ),
    wrong("1.2", "or", "is OR", OR),
    wrong("1.2", "xnor", "the last gate is turned around", lambda a, b: NAND(NAND(a, b), OR(a, b))),
    wrong("1.2", "one row wrong", "Given (0, 1)", neuron(1, -1, -0.5)),
]


def step(z):
    return (np.asarray(z) > 0).astype(float)


def loop_step(z):
    return np.vectorize(lambda value: 1 if value > 0 else 0)(z)


def tf_step(z):
    import tensorflow as tf

    return tf.cast(tf.convert_to_tensor(z) > 0, tf.float32)


def sigmoid(z):
    small = np.exp(-np.abs(z))
    return np.where(np.asarray(z) >= 0, 1.0, small) / (1 + small)


def clipped_sigmoid(z):
    return 1 / (1 + np.exp(-np.clip(np.asarray(z, dtype=np.float32), -80, 80)))


def tanh_sigmoid(z):
    return 0.5 * (1 + np.tanh(np.asarray(z) / 2))


def tf_sigmoid(z):
    import tensorflow as tf

    return tf.sigmoid(tf.cast(z, tf.float32))


def naive_sigmoid(z):
    return 1 / (1 + np.exp(-np.asarray(z, dtype=float)))


def quiet_naive_sigmoid(z):
    with np.errstate(over="ignore", invalid="ignore"):
        return np.exp(z) / (1 + np.exp(z))


def silenced_sigmoid(z):
    """Let the exponential overflow to infinity without a warning: 1 / (1 + inf) is the right 0."""
    with np.errstate(over="ignore"):
        return 1 / (1 + np.exp(-np.asarray(z, dtype=float)))


def sigmoid_in_place_of_z(z):
    result = np.zeros_like(z)
    result[...] = sigmoid(z)
    return result


SIGMOIDS = [
    right("1.5", "numpy", step, sigmoid),
    right("1.5", "float32, clipped", step, clipped_sigmoid),
    right("1.5", "vectorised loop, tanh", loop_step, tanh_sigmoid),
    right("1.5", "tensorflow", tf_step, tf_sigmoid),
    right("1.5", "overflow silenced, value right", step, silenced_sigmoid),
    wrong("1.5", "overflows", "an exponential overflows", step, naive_sigmoid),
    wrong(
        "1.5", "infinity over infinity", "infinity divided by infinity", step, quiet_naive_sigmoid
    ),
    wrong("1.5", "step(0) is 1", "step(0) should be 0", lambda z: (z >= 0) * 1.0, sigmoid),
    wrong("1.5", "sign", "that is the sign", np.sign, sigmoid),
    wrong("1.5", "falls", "the sign of the exponent", step, lambda z: sigmoid(-z)),
    wrong("1.5", "tanh", "that is tanh", step, np.tanh),
    wrong("1.5", "tanh of z", "take half of z", step, lambda z: 0.5 * (1 + np.tanh(z))),
    wrong("1.5", "array like z", "the fractions are cut off", step, sigmoid_in_place_of_z),
    wrong("1.5", "above one half", "for the input", lambda z: (z > 0.5) * 1.0, sigmoid),
    wrong("1.5", "flattened", "number of entries is right", step, lambda z: sigmoid(np.ravel(z))),
]


def perceptron(X, y, max_epochs=100, *, order=1, bias=True, sign=1, rate=1, fires=np.greater):
    w, b, mistakes = np.zeros(np.shape(X)[1]), 0.0, 0
    for _ in range(max_epochs):
        before = mistakes
        for row, label in list(zip(X, y, strict=True))[::order]:
            error = label - int(fires(row @ w + b, 0))
            w = w + rate * sign * error * row
            b += rate * sign * error * bias
            mistakes += abs(error)
        if mistakes == before:
            return w, b, mistakes
    raise ValueError("Not separable in the given number of passes.")


def list_perceptron(X, y, max_epochs=100):
    w, b, mistakes = [0.0] * len(X[0]), 0, 0
    for _ in range(max_epochs):
        clean = True
        for row, label in zip(X.tolist(), y.tolist(), strict=True):
            fires = sum(wi * xi for wi, xi in zip(w, row, strict=True)) + b > 0
            if fires != bool(label):
                direction = 1 if label else -1
                w = [wi + direction * xi for wi, xi in zip(w, row, strict=True)]
                b, mistakes, clean = b + direction, mistakes + 1, False
        if clean:
            return w, b, mistakes
    raise ValueError("Not separable.")


def folded_perceptron(X, y, max_epochs=100):
    rows = np.column_stack([X, np.ones(len(X))]).astype(np.float32)
    weights, mistakes = np.zeros(rows.shape[1], np.float32), 0
    for _ in range(max_epochs):
        wrong_now = 0
        for row, label in zip(rows, y, strict=True):
            if (weights @ row > 0) != (label == 1):
                weights = weights + (2 * label - 1) * row
                wrong_now += 1
        mistakes += wrong_now
        if wrong_now == 0:
            return weights[:-1], weights[-1], mistakes
    raise ValueError("Not separable.")


def batch_perceptron(X, y, max_epochs=100):
    w, b, mistakes = np.zeros(X.shape[1]), 0.0, 0
    for _ in range(10 * max_epochs):
        error = y - (X @ w + b > 0)
        if not error.any():
            return w, b, mistakes
        w, b, mistakes = w + error @ X, b + error.sum(), mistakes + int(abs(error).sum())
    raise ValueError("Not separable.")


def one_pass(X, y, max_epochs=100):
    w, b, mistakes = np.zeros(X.shape[1]), 0.0, 0
    for row, label in zip(X, y, strict=True):
        error = label - int(row @ w + b > 0)
        w, b, mistakes = w + error * row, b + error, mistakes + abs(error)
    return w, b, mistakes


def silent_on_xor(X, y, max_epochs=100):
    try:
        return perceptron(X, y, max_epochs)
    except ValueError:
        return np.zeros(X.shape[1]), 0.0, 0


def one_pass_less(X, y, max_epochs=100):
    return perceptron(X, y, max_epochs - 1 if max_epochs == 2 else max_epochs)


def ends_pass_at_first_mistake(X, y, max_epochs=100):
    w, b, mistakes = np.zeros(X.shape[1]), 0.0, 0
    for _ in range(max_epochs):
        wrong_rows = np.flatnonzero((X @ w + b > 0) != y)
        if not wrong_rows.size:
            return w, b, mistakes
        error = 2 * y[wrong_rows[0]] - 1
        w, b, mistakes = w + error * X[wrong_rows[0]], b + error, mistakes + 1
    raise ValueError("Not separable.")


def gives_up_without_a_word(X, y, max_epochs=100):
    try:
        return perceptron(X, y, max_epochs)
    except ValueError:
        raise ValueError from None


def ignores_max_epochs(X, y, max_epochs=100):
    return perceptron(X, y, 1000)


def counts_passes(X, y, max_epochs=100):
    w, b, _ = perceptron(X, y, max_epochs)
    return w, b, 2 if np.any(w) else 0


RULE = [
    right("1.6", "numpy", perceptron),
    right("1.6", "plain lists", list_perceptron),
    wrong("1.6", "first mistake only", "ends at its first mistake", ends_pass_at_first_mistake),
    wrong("1.6", "no message", "has no message", gives_up_without_a_word),
    right("1.6", "bias as a weight, float32", folded_perceptron),
    wrong("1.6", "no bias", "b stayed 0", lambda X, y, m=9: perceptron(X, y, m, bias=False)),
    wrong(
        "1.6",
        "wrong sign",
        "check the sign of y",
        lambda X, y, m=9: perceptron(X, y, m, sign=-1),
    ),
    wrong(
        "1.6",
        "fires at zero",
        "w stayed 0",
        lambda X, y, m=9: perceptron(X, y, m, fires=np.greater_equal),
    ),
    wrong("1.6", "whole passes", "not the whole pass in one go", batch_perceptron),
    wrong(
        "1.6",
        "backwards",
        "in the opposite order",
        lambda X, y, m=9: perceptron(X, y, m, order=-1),
    ),
    wrong("1.6", "scaled", "added 0.5 times", lambda X, y, m=9: perceptron(X, y, m, rate=0.5)),
    wrong("1.6", "one pass only", "on the wrong side", one_pass),
    wrong("1.6", "counts passes", "count mistakes, not passes", counts_passes),
    wrong("1.6", "silent on XOR", "should raise a ValueError", silent_on_xor),
    wrong("1.6", "ignores max_epochs", "max_epochs=1", ignores_max_epochs),
    wrong("1.6", "one pass more", "max_epochs=1", lambda X, y, m=9: perceptron(X, y, m + 1)),
    wrong("1.6", "one pass less", "two passes were enough", one_pass_less),
    wrong("1.6", "weights only", "w should have shape", lambda X, y, m=9: perceptron(X, y, m)[0]),
]


def gradients(X, y, w, b):
    error = X @ w + b - y
    return 2 * X.T @ error / len(y), 2 * error.mean()


def loop_gradients(X, y, w, b):
    dw, db = [0.0] * len(w), 0.0
    for row, target in zip(X, y, strict=True):
        error = sum(row[j] * w[j] for j in range(len(w))) + b - target
        dw = [dw[j] + 2 * error * row[j] / len(y) for j in range(len(w))]
        db += 2 * error / len(y)
    return [dw, db]


def tape_gradients(X, y, w, b):
    import tensorflow as tf

    w, b = tf.Variable(w, dtype=tf.float32), tf.Variable(b, dtype=tf.float32)
    with tf.GradientTape() as tape:
        error = tf.linalg.matvec(tf.cast(X, tf.float32), w) + b - tf.cast(y, tf.float32)
        loss = tf.reduce_mean(error**2)
    return tuple(tape.gradient(loss, [w, b]))


def scaled(factor):
    return lambda *given: tuple(factor(given) * part for part in gradients(*given))


def loses_the_input(X, y, w, b):
    X -= X.mean(axis=0)
    return gradients(X, y, w, b)


GRADIENTS = [
    right("1.7", "numpy", gradients),
    right("1.7", "loop and list", loop_gradients),
    right("1.7", "gradient tape, float32", tape_gradients),
    wrong("1.7", "sum", "the mean over the 5 rows is missing", scaled(lambda given: len(given[1]))),
    wrong("1.7", "no 2", "the 2 of the square is missing", scaled(lambda given: 0.5)),
    wrong("1.7", "sign", "prediction minus target", scaled(lambda given: -1)),
    wrong("1.7", "half sum", "lacks both", scaled(lambda given: len(given[1]) / 2)),
    wrong("1.7", "one thing", "should be 2 values", lambda *given: gradients(*given)[0]),
    wrong(
        "1.7",
        "db over rows",
        "db should have shape",
        lambda X, y, w, b: (gradients(X, y, w, b)[0], 2 * (X @ w + b - y)),
    ),
    wrong("1.7", "changes X", "in place", loses_the_input),
]


def run(x, y, rate, turns=101, factor=1.0, late=False, start=0.0, only_w=False, one_by_one=False):
    w, b, losses = start, 0.0, []
    for _ in range(turns):
        error = w * x + b - y
        if not late:
            losses.append(float(np.mean(error**2)))
        w -= rate * factor * 2 * np.mean(error * x)
        error = w * x + b - y if one_by_one else error
        b -= 0 if only_w else rate * factor * 2 * np.mean(error)
        if late:
            losses.append(float(np.mean((w * x + b - y) ** 2)))
    return losses


def folded_run(x, y, rate):
    X, weights, losses = np.column_stack([x, np.ones_like(x)]), np.zeros(2), []
    for _ in range(101):
        losses.append(np.mean((X @ weights - y) ** 2))
        weights = weights - rate * 2 * X.T @ (X @ weights - y) / len(y)
    return np.array(losses, np.float32)


def tape_run(x, y, rate):
    import tensorflow as tf

    w, b, losses = tf.Variable(0.0), tf.Variable(0.0), []
    x, y = tf.cast(x, tf.float32), tf.cast(y, tf.float32)
    for _ in range(101):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((w * x + b - y) ** 2)
        for variable, gradient in zip([w, b], tape.gradient(loss, [w, b]), strict=True):
            variable.assign_sub(rate * gradient)
        losses.append(loss)
    return tuple(losses)


def run_with(**how):
    return lambda x, y, rate: run(x, y, rate, **how)


VERDICTS = {
    0.0005: "crawls",
    0.003: "crawls",
    0.03: "converges",
    0.1: "converges",
    0.2: "converges",
    0.3: "diverges",
}
OTHERS = {0.002: "crawls", 0.05: "converges", 0.15: "converges", 0.4: "diverges", 1: "diverges"}
NO_DIVERGENCE = {rate: word for rate, word in VERDICTS.items() if rate < 0.3} | {0.05: "converges"}

SWEEPS = [
    right("1.8", "six rates", run, VERDICTS),
    right("1.8", "arrays, other rates", folded_run, OTHERS),
    right("1.8", "gradient tape", tape_run, VERDICTS),
    wrong("1.8", "too few", "at least five", run, {0.1: "converges", 1: "diverges"}),
    wrong("1.8", "100 records", "101 are asked for", run_with(turns=100), VERDICTS),
    wrong("1.8", "recorded after the step", "record it first", run_with(late=True), VERDICTS),
    wrong("1.8", "no factor 2", "lack the factor 2", run_with(factor=0.5), VERDICTS),
    wrong("1.8", "another start", "with w = b = 0", run_with(start=1.0), VERDICTS),
    wrong("1.8", "bias not trained", "b never changes", run_with(only_w=True), VERDICTS),
    wrong("1.8", "one after the other", "new w has changed", run_with(one_by_one=True), VERDICTS),
    wrong("1.8", "uphill", "go uphill", run_with(factor=-1), VERDICTS),
    wrong("1.8", "one rate", "after step 1", lambda x, y, rate: run(x, y, 0.05), VERDICTS),
    wrong(
        "1.8", "made up", "with w = b = 0", lambda x, y, r: 17.5 * 0.9 ** np.arange(101), VERDICTS
    ),
    wrong("1.8", "verdict wrong", "it converges", run, {**VERDICTS, 0.1: "crawls"}),
    wrong("1.8", "none diverges", "Try a larger one", run, NO_DIVERGENCE),
    wrong("1.8", "no verdicts", "`verdicts` is still None", run, None),
    wrong("1.8", "words of one's own", "use one of", run, {**VERDICTS, 0.1: "fine"}),
    wrong("1.8", "negative rate", "not positive", run, {**VERDICTS, -0.1: "diverges"}),
]


def sum_of_squares(y, t):
    return 0.5 * np.sum((np.asarray(y) - t) ** 2)


def mean_squared_error(y, t):
    return np.mean((np.asarray(y) - t) ** 2)


def cross_entropy(probabilities, labels, tiny=1e-12, reduce=np.mean):
    labels = labels.argmax(axis=1) if labels.ndim == 2 else labels
    return -reduce(np.log(np.maximum(probabilities[np.arange(len(labels)), labels], tiny)))


def sum_cross_entropy(probabilities, labels):
    labels = np.eye(probabilities.shape[1])[labels] if labels.ndim == 1 else labels
    return -np.sum(labels * np.log(probabilities + 1e-7)) / len(labels)


def keras_cross_entropy(probabilities, labels):
    import keras

    losses = keras.losses
    one_hot = labels.ndim == 2
    loss = losses.categorical_crossentropy if one_hot else losses.sparse_categorical_crossentropy
    return np.mean(loss(labels, np.asarray(probabilities, np.float32)))


def unsafe_cross_entropy(probabilities, labels):
    labels = labels.argmax(axis=1) if labels.ndim == 2 else labels
    with np.errstate(divide="ignore"):
        return -np.log(probabilities[np.arange(len(labels)), labels]).mean()


def one_hot_only(probabilities, labels):
    return -np.mean(np.sum(labels * np.log(np.maximum(probabilities, 1e-12)), axis=1))


def over_entries(probabilities, labels):
    return cross_entropy(probabilities, labels) / probabilities.shape[1]


def loop_sum(y, t):
    return sum((a - b) ** 2 for a, b in zip(np.ravel(y), np.ravel(t), strict=True)) / 2


def tf_mse(y, t):
    import tensorflow as tf

    return tf.reduce_mean(tf.square(tf.cast(y, tf.float32) - tf.cast(t, tf.float32)))


SSE, MSE, CE = sum_of_squares, mean_squared_error, cross_entropy
LOSSES = [
    right("1.9", "numpy", SSE, MSE, CE),
    right("1.9", "loop, one-hot product", loop_sum, MSE, sum_cross_entropy),
    right("1.9", "tensorflow and keras", SSE, tf_mse, keras_cross_entropy),
    wrong("1.9", "no half", "has a factor ½", lambda y, t: np.sum((y - t) ** 2), MSE, CE),
    wrong("1.9", "mse halved", "factor ½ too many", SSE, lambda y, t: MSE(y, t) / 2, CE),
    wrong("1.9", "rows", "not by all entries", SSE, lambda y, t: np.sum((y - t) ** 2) / len(y), CE),
    wrong("1.9", "root", "root of the mean", SSE, lambda y, t: np.sqrt(MSE(y, t)), CE),
    wrong("1.9", "sum", "sums over the rows", SSE, MSE, lambda p, t: CE(p, t, reduce=np.sum)),
    wrong("1.9", "sign", "the minus sign is missing", SSE, MSE, lambda p, t: -CE(p, t)),
    wrong("1.9", "all entries", "divides by all 28 entries", SSE, MSE, over_entries),
    wrong("1.9", "log2", "base 2", SSE, MSE, lambda p, t: CE(p, t) / np.log(2)),
    wrong("1.9", "one-hot only", "", SSE, MSE, one_hot_only),
    wrong("1.9", "log of zero", "log(0) is minus infinity", SSE, MSE, unsafe_cross_entropy),
    wrong("1.9", "coarse guard", "much smaller", SSE, MSE, lambda p, t: CE(p, t, tiny=1e-3)),
]


def nll(y, mean, sigma):
    return np.mean(0.5 * np.log(2 * np.pi * sigma**2) + (y - mean) ** 2 / (2 * sigma**2))


def nll_of_mse(mse, sigma):
    return 0.5 * np.log(2 * np.pi * sigma**2) + mse / (2 * sigma**2)


def loop_nll(y, mean, sigma):
    y = np.ravel(y)
    means = np.ravel(np.broadcast_to(mean, y.shape) if np.ndim(mean) == 0 else mean)
    pairs = zip(y, means, strict=True)
    return sum(nll_of_mse((a - m) ** 2, sigma) for a, m in pairs) / len(y)


def tf_nll(y, mean, sigma):
    import tensorflow as tf

    squared = tf.reduce_mean(tf.square(tf.cast(y, tf.float32) - tf.cast(mean, tf.float32)))
    return nll_of_mse(squared, np.float32(sigma))


def density_nll(y, mean, sigma):
    density = np.exp(-((y - mean) ** 2) / (2 * sigma**2)) / np.sqrt(2 * np.pi * sigma**2)
    with np.errstate(divide="ignore"):
        return -np.log(density).mean()


NLLS = [
    right("1.10", "numpy", nll, nll_of_mse),
    right("1.10", "loop", loop_nll, nll_of_mse),
    right("1.10", "tensorflow, float32", tf_nll, lambda mse, s: nll_of_mse(np.float32(mse), s)),
    wrong("1.10", "density", "logarithm on paper", density_nll, nll_of_mse),
    wrong("1.10", "sign", "the sign is turned", lambda y, m, s: -nll(y, m, s), nll_of_mse),
    wrong("1.10", "sum", "take the mean", lambda y, m, s: nll(y, m, s) * y.size, nll_of_mse),
    wrong(
        "1.10",
        "no constant",
        "is missing",
        lambda y, m, s: np.mean((y - m) ** 2) / (2 * s**2),
        nll_of_mse,
    ),
    wrong(
        "1.10", "variance", "its square, twice", lambda y, m, s: nll(y, m, np.sqrt(s)), nll_of_mse
    ),
    wrong("1.10", "mse itself", "for nll_from_mse", nll, lambda mse, s: mse),
    wrong(
        "1.10",
        "guarded density",
        "stops growing",
        lambda y, m, s: -np.log(np.exp(-nll(y, m, s)) + 1e-300),
        nll_of_mse,
    ),
    wrong(
        "1.10",
        "precedence",
        "in brackets",
        nll,
        lambda mse, s: 0.5 * np.log(2 * np.pi * s**2) + mse / 2 * s**2,
    ),
    wrong(
        "1.10",
        "no 2 in the second",
        "below the squared error",
        nll,
        lambda mse, s: 0.5 * np.log(2 * np.pi * s**2) + mse / s**2,
    ),
]


def dense(d, units=1, **options):
    import keras

    return keras.Sequential([keras.Input(shape=(d,)), keras.layers.Dense(units, **options)])


def solved(X, y, model=None):
    exact = np.linalg.lstsq(np.column_stack([X, np.ones(len(X))]), y, rcond=None)[0]
    model = model or dense(X.shape[1])
    model.set_weights([exact[:-1, None], exact[-1:]])
    return model


def trained(X, y, rate=0.2, epochs=150, returned="model", loss="mse", model=None):
    import keras

    model = model or dense(X.shape[1], kernel_initializer="zeros")
    model.compile(optimizer=keras.optimizers.SGD(rate), loss=loss)
    history = model.fit(X, y, epochs=epochs, batch_size=len(X), verbose=0)
    return model if returned == "model" else history


def functional(X, y):
    import keras

    inputs = keras.Input(shape=(X.shape[1],))
    return trained(X, y, model=keras.Model(inputs, keras.layers.Dense(1)(inputs)))


def solved_and_touched(X, y):
    model = solved(X, y)
    model.compile(optimizer="sgd", loss="mse")
    model.optimizer.learning_rate = 0.0
    model.fit(X, y, epochs=1, batch_size=len(X), verbose=0)
    return model


def tape_trained(X, y):
    import tensorflow as tf

    model = dense(X.shape[1])
    targets = tf.constant(y[:, None])
    for _ in range(200):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((model(X) - targets) ** 2)
        for variable, gradient in zip(
            model.trainable_variables, tape.gradient(loss, model.trainable_variables), strict=True
        ):
            variable.assign_sub(0.2 * gradient)
    return model


def two_layers(X, y):
    import keras

    layers = keras.layers
    return keras.Sequential([keras.Input(shape=(X.shape[1],)), layers.Dense(4), layers.Dense(1)])


KERAS = [
    right("1.11", "model.fit", trained),
    right("1.11", "functional", functional),
    wrong("1.11", "closed form", "was never trained", solved),
    wrong("1.11", "closed form, one step", "too few to learn", solved_and_touched),
    right("1.11", "gradient tape", tape_trained),
    wrong("1.11", "untrained", "was never trained", lambda X, y: dense(X.shape[1])),
    wrong("1.11", "too few epochs", "train for more epochs", lambda X, y: trained(X, y, epochs=2)),
    wrong(
        "1.11",
        "standardised",
        "standardised inputs",
        lambda X, y: trained((X - X.mean(0)) / X.std(0), y, epochs=200),
    ),
    wrong(
        "1.11",
        "half the rows",
        "first half of the rows",
        lambda X, y: trained(X[: len(X) // 2], y[: len(X) // 2], epochs=200),
    ),
    wrong(
        "1.11",
        "absolute error",
        "needs the mean squared error",
        lambda X, y: trained(X, y, 0.05, 150, loss="mae"),
    ),
    wrong(
        "1.11", "diverged", "training diverged", lambda X, y: trained(X, y, rate=5.0, epochs=300)
    ),
    wrong(
        "1.11", "history", "the Keras model itself", lambda X, y: trained(X, y, 0.1, 1, "history")
    ),
    wrong("1.11", "relu", "activation", lambda X, y: dense(X.shape[1], activation="relu")),
    wrong("1.11", "two layers", "one Dense layer and nothing else", two_layers),
    wrong("1.11", "two units", "2 units", lambda X, y: dense(X.shape[1], 2)),
    wrong("1.11", "no bias", "no bias", lambda X, y: dense(X.shape[1], use_bias=False)),
]

CASES = [*GATES, *SIGMOIDS, *RULE, *GRADIENTS, *SWEEPS, *LOSSES, *NLLS, *KERAS]
