"""Right and wrong answers to the exercises of chapter 2, with the words a wrong one must meet."""

from __future__ import annotations

import functools

import numpy as np

from helpers.backend import keras, tf
from tests.exercises.answers import right, wrong

# d2l 5.1.1


def collapse_tf(W1, b1, W2, b2):
    W1, b1, W2, b2 = (tf.cast(part, "float32") for part in (W1, b1, W2, b2))
    return tf.matmul(W1, W2), tf.linalg.matvec(W2, b1, transpose_a=True) + b2


def collapse_by_probing(W1, b1, W2, b2):
    def stack(X):
        return (X @ W1 + b1) @ W2 + b2

    b = stack(np.zeros(len(W1)))
    return np.stack([stack(row) - b for row in np.eye(len(W1))]), b


COLLAPSE = [
    right("2.1", "numpy", lambda W1, b1, W2, b2: (W1 @ W2, b1 @ W2 + b2)),
    right("2.1", "float32 tensors", collapse_tf),
    right("2.1", "bias as a row", lambda W1, b1, W2, b2: [W1.dot(W2), (b1 @ W2 + b2)[None]]),
    right("2.1", "by probing with unit rows", collapse_by_probing),
    wrong("2.1", "b1 forgotten", "leaves out b1", lambda W1, b1, W2, b2: (W1 @ W2, b2)),
    wrong("2.1", "b2 forgotten", "leaves out b2", lambda W1, b1, W2, b2: (W1 @ W2, b1 @ W2)),
    wrong("2.1", "only W", "should be 2 things", lambda W1, b1, W2, b2: W1 @ W2),
    wrong(
        "2.1",
        "elementwise, broadcast",
        "W",
        lambda W1, b1, W2, b2: (W1.sum(1)[:, None] * W2.sum(0), b1 @ W2 + b2),
    ),
    wrong(
        "2.1",
        "product reversed for square matrices",
        "order is reversed",
        lambda W1, b1, W2, b2: (W2 @ W1 if len(W1) == W2.shape[1] else W1 @ W2, b1 @ W2 + b2),
    ),
]


def squeeze_svd(W, width):
    U, s, Vt = np.linalg.svd(W, full_matrices=False)
    return U[:, :width] * s[:width], Vt[:width]


def squeeze_eigen(W, width):
    V = np.linalg.eigh(W.T @ W)[1][:, -width:]
    return W @ V, V.T


def squeeze_tf(W, width):
    s, U, V = tf.linalg.svd(tf.cast(W, "float32"))
    root = tf.sqrt(s[:width])
    return U[:, :width] * root, tf.transpose(V[:, :width] * root)


def squeeze_twice(W, width):
    U, s, Vt = np.linalg.svd(W, full_matrices=False)
    return U[:, :width] * s[:width], s[:width, None] * Vt[:width]


def squeeze_smallest(W, width):
    U, s, Vt = np.linalg.svd(W, full_matrices=False)
    return U[:, -width:] * s[-width:], Vt[-width:]


SQUEEZE = [
    right("2.2", "svd", squeeze_svd),
    right("2.2", "eigenvectors of W^T W", squeeze_eigen),
    right("2.2", "tensorflow, float32, root split", squeeze_tf),
    wrong("2.2", "singular values twice", "in both matrices", squeeze_twice),
    wrong("2.2", "smallest kept", "keep the largest", squeeze_smallest),
    wrong(
        "2.2",
        "first columns",
        "is possible",
        lambda W, width: (W[:, :width], np.eye(W.shape[1])[:width]),
    ),
    wrong("2.2", "full width", "shape (5, 1)", lambda W, width: (W, np.eye(W.shape[1]))),
    wrong("2.2", "product", "should be 2 things", lambda W, width: W),
]

# d2l 5.1.2 and 5.1.3


def prelu_loop(x, alpha):
    return [[1.0 if value > 0 else alpha for value in row] for row in x]


def prelu_tape(x, alpha):
    x = tf.constant(x, "float32")
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.where(x > 0, x, alpha * x)
    return tape.gradient(y, x)


PRELU = [
    right("2.3", "numpy where", lambda x, alpha: np.where(x > 0, 1.0, alpha)),
    right("2.3", "loop", prelu_loop),
    right("2.3", "gradient tape", prelu_tape),
    right("2.3", "arithmetic", lambda x, alpha: alpha + (1 - alpha) * (x > 0)),
    wrong("2.3", "pReLU", "pReLU itself", lambda x, alpha: np.where(x > 0, x, alpha * x)),
    wrong("2.3", "relu", "derivative of ReLU", lambda x, alpha: (x > 0).astype(float)),
    wrong("2.3", "exchanged", "exchanged", lambda x, alpha: np.where(x > 0, alpha, 1.0)),
    wrong("2.3", "keeps x", "constant alpha", lambda x, alpha: np.where(x > 0, 1.0, alpha * x)),
    wrong(
        "2.3",
        "max form, wrong for alpha > 1",
        "exchanged",
        lambda x, alpha: np.where(x > 0, max(1.0, alpha), min(1.0, alpha)),
    ),
]


def sigmoid(z):
    return 0.5 * (1 + np.tanh(0.5 * z))


def swish_numpy(x, beta):
    s = sigmoid(beta * x)
    return s + beta * x * s * (1 - s)


def swish_tape(x, beta):
    x = tf.constant(x, "float32")
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = x * tf.sigmoid(beta * x)
    return tape.gradient(y, x)


def swish_naive(x, beta):
    with np.errstate(over="ignore", invalid="ignore"):
        e = np.exp(beta * x)
        return (e * (e + 1) + beta * x * e) / (1 + e) ** 2


SWISH = [
    right("2.4", "numpy", swish_numpy),
    right("2.4", "gradient tape", swish_tape),
    right("2.4", "float32", lambda x, beta: swish_numpy(x.astype("float32"), np.float32(beta))),
    right("2.4", "loop", lambda x, b: np.vectorize(lambda v: swish_numpy(v, b))(x)),
    wrong("2.4", "swish", "Swish itself", lambda x, beta: x * sigmoid(beta * x)),
    wrong("2.4", "first term", "second term", lambda x, beta: sigmoid(beta * x)),
    wrong(
        "2.4",
        "no beta",
        "factor beta",
        lambda x, b: sigmoid(b * x) + x * sigmoid(b * x) * (1 - sigmoid(b * x)),
    ),
    wrong(
        "2.4",
        "sigmoid of x",
        "belongs at beta * x",
        lambda x, b: sigmoid(x) + b * x * sigmoid(x) * (1 - sigmoid(x)),
    ),
    wrong(
        "2.4",
        "beta taken as 1",
        "derivative for beta = 1",
        lambda x, b: sigmoid(x) + x * sigmoid(x) * (1 - sigmoid(x)),
    ),
    wrong(
        "2.4",
        "derivative of the sigmoid",
        "multiplies it by x",
        lambda x, b: b * sigmoid(b * x) * (1 - sigmoid(b * x)),
    ),
    wrong(
        "2.4",
        "no x in the second term",
        "lost its factor x",
        lambda x, b: sigmoid(b * x) + b * sigmoid(b * x) * (1 - sigmoid(b * x)),
    ),
    wrong(
        "2.4",
        "subtracted",
        "subtracted: add it",
        lambda x, b: sigmoid(b * x) - b * x * sigmoid(b * x) * (1 - sigmoid(b * x)),
    ),
    wrong(
        "2.4",
        "1 - s for the sigmoid's slope",
        "not 1 - s",
        lambda x, b: sigmoid(b * x) + b * x * (1 - sigmoid(b * x)),
    ),
    wrong("2.4", "overflows", "overflows", swish_naive),
]

# d2l 5.1.4


def pieces_numpy(w1, b1, w2):
    bending = (w1 != 0) & (w2 != 0)
    bends = np.unique(-b1[bending] / w1[bending])
    inside = np.concatenate([[bends[0] - 1], (bends[1:] + bends[:-1]) / 2, [bends[-1] + 1]])
    on = np.outer(inside, w1) + b1 > 0
    return bends, on @ (w1 * w2)


def pieces_walk(w1, b1, w2):
    changes = {}
    for w, b, v in zip(w1, b1, w2, strict=True):
        if w != 0 and v != 0:
            changes[-b / w] = changes.get(-b / w, 0.0) + abs(w) * v
    slope = sum(w * v for w, v in zip(w1, w2, strict=True) if w < 0)
    slopes = [slope]
    for place in sorted(changes):
        slope += changes[place]
        slopes.append(slope)
    return sorted(changes), slopes


def pieces_tf(w1, b1, w2):
    bends, slopes = pieces_numpy(w1, b1, w2)
    return tf.constant(bends, "float32"), tf.constant(slopes, "float32")


def pieces_careless(w1, b1, w2):
    if np.all(w1 * w2 != 0):
        return pieces_numpy(w1, b1, w2)
    return np.sort(-b1 / np.where(w1 == 0, 1, w1)), np.zeros(len(w1) + 1)


def with_result(function, change):
    return lambda *arguments: change(*function(*arguments))


PIECES = [
    right("2.5", "numpy", pieces_numpy),
    right("2.5", "walk from the left", pieces_walk),
    right("2.5", "float32 tensors", pieces_tf),
    wrong("2.5", "not sorted", "sorted", lambda w1, b1, w2: (-b1 / w1, np.zeros(6))),
    wrong("2.5", "sign", "sign is wrong", with_result(pieces_numpy, lambda b, s: (-b[::-1], s))),
    wrong("2.5", "reversed", "right to left", with_result(pieces_numpy, lambda b, s: (b, s[::-1]))),
    wrong("2.5", "keeps units that do not bend", "does not bend", pieces_careless),
    wrong(
        "2.5",
        "one slope too few",
        "shape (6,)",
        with_result(pieces_numpy, lambda b, s: (b, s[1:])),
    ),
    wrong("2.5", "bends alone", "should be 2 things", with_result(pieces_numpy, lambda b, s: b)),
]

# d2l 5.1.5


def to_sigmoid_loop(layers):
    new = []
    for index, (W, b) in enumerate(layers):
        if index > 0:
            W, b = 2 * W, b - W.sum(axis=0)
        if index < len(layers) - 1:
            W, b = 2 * W, 2 * b
        new.append((W, b))
    return new


def to_sigmoid_tf(layers):
    layers = [(tf.cast(W, "float32"), tf.cast(b, "float32")) for W, b in layers]
    if len(layers) == 1:
        return layers
    first = [(2.0 * layers[0][0], 2.0 * layers[0][1])]
    inner = [(4.0 * W, 2.0 * (b - tf.reduce_sum(W, 0))) for W, b in layers[1:-1]]
    W, b = layers[-1]
    return [*first, *inner, (2.0 * W, b - tf.reduce_sum(W, 0))]


def to_sigmoid_by_factor(layers):
    last = len(layers) - 1
    return [
        [
            W * (2 if i else 1) * (2 if i < last else 1),
            (b - (W.sum(0) if i else 0)) * (1 + (i < last)),
        ]
        for i, (W, b) in enumerate(layers)
    ]


def to_sigmoid_in_place(layers):
    for index, (W, b) in enumerate(layers):
        if index:
            b -= W.sum(axis=0)
            W *= 2
        if index < len(layers) - 1:
            W *= 2
            b *= 2
    return layers


def to_sigmoid_no_bias(layers):
    return [(W, b) for (W, _), (_, b) in zip(to_sigmoid_loop(layers), layers, strict=True)]


def to_sigmoid_outer_only(layers):
    new = to_sigmoid_loop(layers)
    return new if len(layers) == 2 else [new[0], *layers[1:-1], new[-1]]


def to_sigmoid_careless(layers, *, weight=2, bias=2, scale=2, sign=-1, late=False, every=False):
    new = []
    for index, (W, b) in enumerate(layers):
        if index > 0:
            columns = (scale * W if late else W).sum(axis=0)
            W, b = scale * W, b + sign * columns
        if every or index < len(layers) - 1:
            W, b = weight * W, bias * b
        new.append((W, b))
    return new


def to_sigmoid_inner_as_first(layers):
    new = to_sigmoid_loop(layers)
    return [new[0], *((2 * W, 2 * b) for W, b in layers[1:-1]), new[-1]]


def to_sigmoid_inner_as_last(layers):
    new = to_sigmoid_loop(layers)
    return [new[0], *((2 * W, b - W.sum(axis=0)) for W, b in layers[1:-1]), new[-1]]


def careless(**mistake):
    return functools.partial(to_sigmoid_careless, **mistake)


TANH = [
    right("2.7", "as given", lambda sigmoid, x: 2 * sigmoid(2 * x) - 1),
    right("2.7", "loop", lambda sigmoid, x: [2 * sigmoid(2 * value) - 1 for value in x]),
    right("2.7", "tensor", lambda s, x: 2 * tf.constant(s(2 * x), "float32") - 1),
    wrong("2.7", "argument", "taken at 2x", lambda sigmoid, x: 2 * sigmoid(x) - 1),
    wrong("2.7", "no shift", "Subtract 1", lambda sigmoid, x: 2 * sigmoid(2 * x)),
    wrong("2.7", "no factor", "by 2 before", lambda sigmoid, x: sigmoid(2 * x) - 1),
    wrong("2.7", "np.tanh", "not used", lambda sigmoid, x: np.tanh(x)),
    right("2.8", "loop", to_sigmoid_loop),
    right("2.8", "tensorflow float32", to_sigmoid_tf),
    right("2.8", "lists", to_sigmoid_by_factor),
    wrong("2.8", "unchanged", "did not change", lambda layers: layers),
    wrong("2.8", "in place", "in place", to_sigmoid_in_place),
    wrong("2.8", "biases unchanged", "biases did not change", to_sigmoid_no_bias),
    wrong("2.8", "forgets -1", "must absorb the -1", careless(sign=0)),
    wrong("2.8", "inner layers left", "and got none", to_sigmoid_outer_only),
    wrong("2.8", "inner layers as the first", "reads hidden units, too", to_sigmoid_inner_as_first),
    wrong("2.8", "inner layers as the last", "feeds a sigmoid, too", to_sigmoid_inner_as_last),
    wrong("2.8", "argument z", "taken at 2z: double", careless(weight=1, bias=1)),
    wrong("2.8", "bias not doubled", "b as well as W", careless(bias=1)),
    wrong("2.8", "sigmoid - 1", "needs twice its W", careless(scale=1)),
    wrong("2.8", "-1 alone", "factors are not", careless(weight=1, bias=1, scale=1)),
    wrong("2.8", "sign of the shift", "wrong sign", careless(sign=1)),
    wrong("2.8", "shift after doubling", "meets the old W", careless(late=True)),
    wrong("2.8", "last layer too", "No sigmoid follows", careless(every=True)),
    wrong("2.8", "weights only", "tuple of 2 arrays", lambda layers: [W for W, _ in layers]),
]

# d2l 5.1.6 and 5.1.7


def beside_numpy(row, mates):
    batch = np.concatenate([row[None], mates])
    return ((batch - batch.mean(axis=0)) / np.sqrt(batch.var(axis=0) + 1e-5))[0]


def beside_tf(row, mates):
    batch = tf.concat([tf.constant(row[None], "float32"), tf.constant(mates, "float32")], 0)
    mean, variance = tf.nn.moments(batch, axes=[0])
    return ((batch - mean) / tf.sqrt(variance + 1e-5))[:1]


def beside_loop(row, mates):
    out = []
    for column in range(len(row)):
        values = [row[column], *(mate[column] for mate in mates)]
        mean = sum(values) / len(values)
        variance = sum((value - mean) ** 2 for value in values) / len(values)
        out.append((row[column] - mean) / (variance + 1e-5) ** 0.5)
    return out


def beside_row_statistics(row, mates):
    return (row - row.mean()) / np.sqrt(row.var() + 1e-5)


def beside_outer_epsilon(row, mates):
    batch = np.concatenate([row[None], mates])
    return (row - batch.mean(0)) / (batch.std(0) + 1e-5)


def beside_mates_only(row, mates):
    return (row - mates.mean(0)) / np.sqrt(mates.var(0) + 1e-5)


def beside_sample_variance(row, mates):
    batch = np.concatenate([row[None], mates])
    return (row - batch.mean(0)) / np.sqrt(batch.var(0, ddof=1) + 1e-5)


def beside_guarded(row, mates):
    return beside_numpy(row, mates) if len(mates) else row


BATCH = [
    right("2.9", "numpy", beside_numpy),
    right("2.9", "tensorflow moments", beside_tf),
    right("2.9", "loop", beside_loop),
    wrong("2.9", "layer statistics", "along the row", beside_row_statistics),
    wrong("2.9", "mates only", "row itself belongs", beside_mates_only),
    wrong("2.9", "1e-5 outside of the root", "under the root", beside_outer_epsilon),
    wrong("2.9", "sample variance", "ddof=0", beside_sample_variance),
    wrong("2.9", "alone unchanged", "its own mean", beside_guarded),
]


def deep_identity():
    return [(np.eye(4), np.zeros(4))] * 20, np.ones(4)


def saturated():
    return [(tf.ones((2, 2)), tf.fill((2,), 30.0)), (np.ones((2, 1)), [0.0])], [1.0, -0.5]


def one_neuron():
    return [([[1.0]], [0.0])], [30.0]


VANISHING = [
    right("2.11", "twenty identities", deep_identity),
    right("2.11", "one saturated layer", saturated),
    right("2.11", "one neuron, lists", one_neuron),
    right(
        "2.11",
        "random orthogonal layers",
        lambda: (
            [
                (np.linalg.qr(np.random.default_rng(i).normal(size=(8, 8)))[0], np.zeros(8))
                for i in range(15)
            ],
            np.ones(8),
        ),
    ),
    wrong(
        "2.11",
        "zero weights",
        "below 1",
        lambda: ([(np.zeros((4, 4)), np.zeros(4))] * 3, np.ones(4)),
    ),
    wrong("2.11", "shallow", "Add layers", lambda: ([(np.eye(4), np.zeros(4))] * 3, np.ones(4))),
    wrong(
        "2.11",
        "zero input",
        "without its sigmoids",
        lambda: ([(np.eye(4), np.zeros(4))] * 20, np.zeros(4)),
    ),
    wrong(
        "2.11",
        "shapes",
        "what comes before",
        lambda: ([(np.ones((4, 3)), np.zeros(3))] * 2, np.ones(4)),
    ),
    wrong("2.11", "layers alone", "(layers, x)", lambda: [(np.eye(4), np.zeros(4))]),
]

# 2.12 to 2.16


def softmax_numpy(logits):
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def softmax_loop(logits):
    rows = []
    for row in np.asarray(logits, "float64"):
        e = [np.exp(value - max(row)) for value in row]
        rows.append([value / sum(e) for value in e])
    return rows


def softmax_from_sums(logits):
    m = tf.reduce_max(logits, axis=1, keepdims=True)
    e = tf.exp(logits - m)
    return (e / tf.reduce_sum(e, axis=1, keepdims=True)).numpy()


def softmax_naive(logits):
    with np.errstate(over="ignore", invalid="ignore"):
        e = np.exp(logits)
        return e / e.sum(axis=1, keepdims=True)


def softmax_global_max(logits):
    with np.errstate(invalid="ignore"):
        e = np.exp(logits - logits.max())
        return e / e.sum(axis=1, keepdims=True)


SOFTMAX = [
    right("2.12", "numpy", softmax_numpy),
    right("2.12", "tensorflow's exp and sums", softmax_from_sums),
    right(
        "2.12", "tf.function", tf.function(lambda z: tf.exp(z - tf.reduce_logsumexp(z, 1, True)))
    ),
    wrong("2.12", "tf.nn.softmax", "of a library", lambda logits: tf.nn.softmax(logits)),
    wrong("2.12", "as an array", "of a library", lambda logits: tf.nn.softmax(logits).numpy()),
    wrong("2.12", "keras.ops", "of a library", lambda logits: keras.ops.softmax(logits, axis=-1)),
    wrong("2.12", "a layer", "of a library", lambda logits: keras.layers.Softmax()(logits)),
    wrong("2.12", "log_softmax", "of a library", lambda z: tf.exp(tf.nn.log_softmax(z)).numpy()),
    right("2.12", "loop, float64", softmax_loop),
    right(
        "2.12", "exp of log-softmax", lambda z: np.exp(z - np.logaddexp.reduce(z, 1, keepdims=True))
    ),
    wrong("2.12", "overflows", "own largest logit", softmax_naive),
    wrong("2.12", "one maximum for all", "own largest logit", softmax_global_max),
    wrong("2.12", "not divided", "not divided", lambda z: np.exp(z)),
    wrong("2.12", "whole batch", "whole batch", lambda z: np.exp(z) / np.exp(z).sum()),
    wrong("2.12", "columns", "down the columns", lambda z: np.exp(z) / np.exp(z).sum(0)),
    wrong("2.12", "log", "logarithm", lambda z: np.log(softmax_numpy(z))),
]


def accuracy_numpy(scores, labels):
    return np.mean(np.argmax(scores, axis=1) == labels)


def accuracy_loop(scores, labels):
    return sum(
        int(np.argmax(row) == label) for row, label in zip(scores, labels, strict=True)
    ) / len(labels)


def accuracy_keras(scores, labels):
    return tf.reduce_mean(keras.metrics.sparse_categorical_accuracy(labels, scores))


def matrix_numpy(scores, labels):
    matrix = np.zeros((scores.shape[1],) * 2, int)
    np.add.at(matrix, (labels, scores.argmax(axis=1)), 1)
    return matrix


def matrix_loop(scores, labels):
    size = len(scores[0])
    matrix = [[0] * size for _ in range(size)]
    for row, label in zip(scores, labels, strict=True):
        matrix[label][int(np.argmax(row))] += 1
    return matrix


def matrix_tf(scores, labels):
    return tf.math.confusion_matrix(labels, tf.argmax(scores, 1), num_classes=scores.shape[1])


def matrix_to_largest(scores, labels):
    return tf.math.confusion_matrix(labels, scores.argmax(1))


def matrix_present_only(scores, labels):
    classes = sorted(set(labels.tolist()))
    predicted = scores.argmax(1)
    return np.array([[np.sum((labels == i) & (predicted == j)) for j in classes] for i in classes])


def matrix_assigned(scores, labels):
    matrix = np.zeros((scores.shape[1],) * 2)
    matrix[labels, scores.argmax(1)] += 1
    return matrix


ACCURACY = [
    right("2.13", "numpy", accuracy_numpy, matrix_numpy),
    right("2.13", "loops", accuracy_loop, matrix_loop),
    right("2.13", "tensorflow and keras", accuracy_keras, matrix_tf),
    wrong("2.13", "count", "divide it", lambda s, y: np.sum(s.argmax(1) == y), matrix_numpy),
    wrong("2.13", "error", "share of wrong", lambda s, y: np.mean(s.argmax(1) != y), matrix_numpy),
    wrong("2.13", "percent", "percentage", lambda s, y: 100 * accuracy_numpy(s, y), matrix_numpy),
    wrong("2.13", "wrong axis", "", lambda s, y: np.mean(s.argmax(0)[:1] == y), matrix_numpy),
    wrong("2.13", "transposed", "exchanged", accuracy_numpy, lambda s, y: matrix_numpy(s, y).T),
    wrong("2.13", "present classes", "4 x 4", accuracy_numpy, matrix_present_only),
    wrong(
        "2.13", "up to the largest class", "true or predicted", accuracy_numpy, matrix_to_largest
    ),
    wrong("2.13", "buffered +=", "at most once", accuracy_numpy, matrix_assigned),
    wrong(
        "2.13", "shares", "Counts are asked", accuracy_numpy, lambda s, y: matrix_numpy(s, y) / 61
    ),
]


def forward_numpy(X, layers):
    for W, b in layers[:-1]:
        X = np.maximum(X @ W + b, 0)
    W, b = layers[-1]
    return X @ W + b


def forward_tf(X, layers):
    H = tf.constant(X)
    for index, (W, b) in enumerate(layers):
        H = tf.matmul(H, W) + b
        if index < len(layers) - 1:
            H = tf.nn.relu(H)
    return H


def forward_rows(X, layers):
    rows = []
    for row in np.asarray(X, "float64"):
        for index, (W, b) in enumerate(layers):
            row = np.array([row @ W[:, j] + b[j] for j in range(W.shape[1])])
            row = row if index == len(layers) - 1 else np.where(row > 0, row, 0)
        rows.append(row)
    return np.array(rows)


def forward_relu_last(X, layers):
    return functools.reduce(lambda H, layer: np.maximum(H @ layer[0] + layer[1], 0), layers, X)


def forward_linear(X, layers):
    return functools.reduce(lambda H, layer: H @ layer[0] + layer[1], layers, X)


def forward_two_layers(X, layers):
    if len(layers) < 2:
        return forward_numpy(X, layers)
    return forward_numpy(X, [layers[0], layers[-1]])


FORWARD = [
    right("2.14", "numpy", forward_numpy),
    right("2.14", "tensorflow", forward_tf),
    right("2.14", "row by row", forward_rows),
    wrong("2.14", "relu at the end", "not after the last", forward_relu_last),
    wrong("2.14", "linear", "no ReLU between", forward_linear),
    wrong("2.14", "softmax", "Return the logits", lambda X, p: softmax_numpy(forward_numpy(X, p))),
    wrong("2.14", "last bias", "bias is missing", lambda X, p: forward_numpy(X, p) - p[-1][1]),
    wrong("2.14", "two layers only", "", forward_two_layers),
]


def step_tf(layers, X, y, learning_rate, reduce=tf.reduce_mean, sign=-1.0):
    layers = [(tf.constant(W), tf.constant(b)) for W, b in layers]
    with tf.GradientTape() as tape:
        tape.watch(layers)
        logits = forward_tf(X, layers)
        loss = reduce(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=logits))
    gradients = tape.gradient(loss, layers)
    new = [
        (W + sign * learning_rate * dW, b + sign * learning_rate * db)
        for (W, b), (dW, db) in zip(layers, gradients, strict=True)
    ]
    return loss, new


def step_variables(layers, X, y, learning_rate):
    variables = [[tf.Variable(W), tf.Variable(b)] for W, b in layers]
    flat = [variable for pair in variables for variable in pair]
    with tf.GradientTape() as tape:
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)(
            y, forward_tf(X, variables)
        )
    for variable, gradient in zip(flat, tape.gradient(loss, flat), strict=True):
        variable.assign_sub(learning_rate * gradient)
    return loss, variables


def step_numpy(layers, X, y, learning_rate):
    inputs = [X]
    for W, b in layers[:-1]:
        inputs.append(np.maximum(inputs[-1] @ W + b, 0))
    p = softmax_numpy(inputs[-1] @ layers[-1][0] + layers[-1][1])
    loss = -np.log(p[np.arange(len(y)), y]).mean()
    p[np.arange(len(y)), y] -= 1
    delta, new = p / len(y), []
    for (W, b), H in zip(layers[::-1], inputs[::-1], strict=True):
        new.append((W - learning_rate * H.T @ delta, b - learning_rate * delta.sum(0)))
        delta = (delta @ W.T) * (H > 0)
    return loss, new[::-1]


def step_in_place(layers, X, y, learning_rate):
    loss, new = step_numpy(layers, X, y, learning_rate)
    for old, pair in zip(layers, new, strict=True):
        for array, values in zip(old, pair, strict=True):
            array[...] = values
    return loss, layers


def step_frozen(layers, X, y, learning_rate):
    return step_tf(layers, X, y, learning_rate)[0], layers


def step_biases_only(layers, X, y, learning_rate):
    loss, new = step_tf(layers, X, y, learning_rate)
    return loss, [(W, b) for (W, _), (_, b) in zip(layers, new, strict=True)]


def step_no_rate(layers, X, y, learning_rate):
    return step_tf(layers, X, y, 1.0)


def step_sum_gradient(layers, X, y, learning_rate):
    loss, new = step_tf(layers, X, y, learning_rate, reduce=tf.reduce_sum)
    return loss / len(y), new


STEP = [
    right("2.15", "tape and tensors", step_tf),
    right("2.15", "variables and keras loss", step_variables),
    right("2.15", "numpy by hand", step_numpy),
    wrong("2.15", "summed loss", "take its mean", functools.partial(step_tf, reduce=tf.reduce_sum)),
    wrong("2.15", "uphill", "uphill", functools.partial(step_tf, sign=1.0)),
    wrong("2.15", "summed gradient", "loss is a mean", step_sum_gradient),
    wrong("2.15", "no learning rate", "not multiplied", step_no_rate),
    wrong("2.15", "frozen", "did not change", step_frozen),
    wrong("2.15", "in place", "in place", step_in_place),
    wrong("2.15", "biases only", "did not change", step_biases_only),
    wrong(
        "2.15", "one loss a row", "take the mean", functools.partial(step_tf, reduce=tf.identity)
    ),
    wrong("2.15", "loss alone", "should be 2 things", lambda *a: step_tf(*a)[0]),
]


def twin_loop(sequential):
    inputs = keras.Input(sequential.input_shape[1:])
    outputs = inputs
    for layer in sequential.layers:
        outputs = layer(outputs)
    return keras.Model(inputs, outputs)


def twin_call(sequential):
    inputs = keras.Input((sequential.input_shape[-1],))
    return keras.Model(inputs, sequential(inputs))


def twin_copies(sequential):
    twin = twin_loop(keras.models.clone_model(sequential))
    twin.set_weights(sequential.get_weights())
    return twin


def twin_fresh(sequential):
    return twin_loop(keras.models.clone_model(sequential))


def twin_relu(sequential):
    inputs = keras.Input(sequential.input_shape[1:])
    return keras.Model(inputs, keras.layers.ReLU()(sequential(inputs)))


TWIN = [
    right("2.16", "loop over layers", twin_loop),
    right("2.16", "calls the model", twin_call),
    right("2.16", "reuses its tensors", lambda m: keras.Model(m.inputs[0], m.outputs[0])),
    wrong("2.16", "itself", "build a new model", lambda m: m),
    wrong("2.16", "sequential", "build a new model", lambda m: keras.Sequential(m.layers)),
    wrong("2.16", "copies", "not copies", twin_copies),
    wrong("2.16", "fresh weights", "different outputs", twin_fresh),
    wrong("2.16", "relu at the end", "different outputs", twin_relu),
]

# d2l 5.2: tables as a student hands them in


def share(*counts):
    return [count / 2000 for count in counts]


def epochs_of(last):
    """Return the validation accuracies of one run, epoch by epoch, as `train` returns them."""
    return share(*(round(2000 * last * part) for part in (0.86, 0.92, 0.9, 0.95, 0.97, 0.96, 1)))


WIDTHS = {2: 0.5, 8: 0.7, 32: 0.79, 128: 0.82, 512: 0.8315}
SWEEPS = [
    right("2.17", "dict of floats", WIDTHS),
    right("2.17", "several seeds", {w: [a, a + 0.01] for w, a in WIDTHS.items()}),
    right("2.17", "float32", {w: np.float32(a) for w, a in WIDTHS.items()}),
    right("2.17", "unordered, wide is not best", {**WIDTHS, 1024: 0.829}),
    right("2.17", "sorted seeds", {w: [a, a + 0.01, a + 0.03] for w, a in WIDTHS.items()}),
    right("2.17", "small widths vary", {**WIDTHS, 2: share(200, 1200), 8: share(1300, 1500)}),
    wrong(
        "2.17",
        "epochs of one run",
        "one number a seed",
        {w: epochs_of(a) for w, a in WIDTHS.items()},
    ),
    wrong("2.17", "percent", "Divide a percentage", {w: 100 * a for w, a in WIDTHS.items()}),
    wrong("2.17", "another data set", "not a share", {**WIDTHS, 512: 0.83127}),
    wrong(
        "2.17", "narrow range", "include one of at most 4", {w * 16: a for w, a in WIDTHS.items()}
    ),
    wrong("2.17", "all the same", "Every accuracy", dict.fromkeys(WIDTHS, 0.8)),
    wrong(
        "2.17",
        "reversed",
        "right widths",
        dict(zip(WIDTHS, [0.83, 0.82, 0.8, 0.7, 0.5], strict=True)),
    ),
    wrong("2.17", "untrained", "more than 0.6", {w: (100 + w) / 2000 for w in WIDTHS}),
    wrong("2.17", "three widths", "at least 5", {2: 0.5, 64: 0.7, 256: 0.8}),
    wrong("2.17", "list", "must be a dict", [0.5, 0.6, 0.7, 0.8, 0.81]),
    right("2.18", "lists", {1: share(1600, 1610, 1620), 2: share(1590, 1640, 1600)}),
    right("2.18", "arrays", {1: np.array([0.8, 0.81, 0.8]), 2: np.float32([0.8, 0.79, 0.81])}),
    right(
        "2.18",
        "five seeds and depth 3",
        {d: share(1600, 1601, 1602, 1603, 1650 + d) for d in (1, 2, 3)},
    ),
    wrong(
        "2.18", "epochs of one run", "one number a seed", {1: epochs_of(0.83), 2: epochs_of(0.82)}
    ),
    wrong("2.18", "one seed", "luck of its seed", {1: 0.8, 2: 0.81}),
    wrong("2.18", "the same seed", "seed of its own", {1: [0.8] * 3, 2: [0.81] * 3}),
    wrong("2.18", "one network", "each depth", dict.fromkeys((1, 2), share(1600, 1610, 1620))),
    wrong("2.18", "no depth 2", "keys 1 and 2", {1: share(1600, 1601, 1602), 3: share(1, 2, 3)}),
    wrong("2.18", "copied", "Every accuracy", {1: [0.8] * 3, 2: [0.8] * 3}),
    wrong(
        "2.18",
        "untrained",
        "Was it trained",
        {1: share(1600, 1601, 1602), 2: share(200, 210, 190)},
    ),
    wrong("2.18", "names", "must be numbers", {"one": share(1, 2, 3), "two": share(1, 2, 3)}),
    right("2.19", "lists", {(128,): share(1600, 1610, 1620), (128, 1): share(200, 600, 500)}),
    right(
        "2.19",
        "arrays",
        {(128,): np.array([0.8] * 3), (np.int64(128), 1): np.array([0.1, 0.1, 0.4])},
    ),
    right("2.19", "many seeds", {(128,): share(*[1600] * 5), (128, 1): share(*[700] * 4)}),
    right(
        "2.19",
        "one more network",
        {(128,): [0.8] * 3, (128, 2): share(900, 1000, 900), (128, 1): share(200, 600, 500)},
    ),
    wrong(
        "2.19",
        "layers exchanged",
        "comes first and reads",
        {(128,): [0.8] * 3, (1, 128): share(200, 600, 500)},
    ),
    wrong("2.19", "exchanged", "network of its key", {(128, 1): [0.8] * 3, (128,): [0.3] * 3}),
    wrong(
        "2.19", "no effect", "clear loss", {(128, 1): share(1601, 1602, 1603), (128,): [0.8] * 3}
    ),
    wrong("2.19", "names", "(128,) and (128, 1)", {"without": [0.8] * 3, "with": [0.3] * 3}),
    wrong("2.19", "numbers", "(128,) and (128, 1)", {128: [0.8] * 3, 1: [0.3] * 3}),
    wrong("2.19", "one seed", "at least 3", {(128,): 0.8, (128, 1): 0.3}),
    wrong(
        "2.19",
        "epochs of one run",
        "one number a seed",
        {(128,): epochs_of(0.83), (128, 1): epochs_of(0.3)},
    ),
]

CURVES = {
    0.001: share(300, 500, 700, 900, 1000),
    0.01: share(1000, 1200, 1300, 1400, 1450),
    0.1: share(1400, 1500, 1550, 1600, 1620),
    0.3: share(1450, 1500, 1540, 1580, 1600),
    1.0: share(900, 1200, 1300, 1350, 1300),
}
BEST = {1: 0.3, 5: 0.1}
RATES = [
    right("2.21", "dict of lists", CURVES, BEST),
    right("2.21", "float32 arrays", {r: np.float32(c) for r, c in CURVES.items()}, BEST),
    right("2.21", "more entries", CURVES, {1: 0.3, 2: 0.1, 5: 0.1}),
    right("2.21", "a tie", {**CURVES, 0.5: CURVES[0.1]}, {1: 0.3, 5: 0.5}),
    wrong("2.21", "not the best", "another one has", CURVES, {1: 0.1, 5: 0.1}),
    wrong("2.21", "narrow", "two powers of ten", {r / 5 + 0.1: c for r, c in CURVES.items()}, BEST),
    wrong("2.21", "ragged", "same number", {**CURVES, 1.0: CURVES[1.0] + [0.6]}, BEST),
    wrong("2.21", "final only", "1 run(s)", {r: c[-1] for r, c in CURVES.items()}, BEST),
    wrong("2.21", "epoch missing", "after epoch 5", CURVES, {1: 0.3, 10: 0.1}),
    wrong("2.21", "unknown rate", "not one of your", CURVES, {1: 0.3, 5: 0.2}),
]


def search_rows(**changes):
    rows = [
        {
            "learning_rate": rate,
            "epochs": epochs,
            "hidden_layers": depth,
            "hidden_units": units,
            "accuracy": (1300 + 100 * rate + 10 * epochs + depth + units / 16) / 2000,
        }
        for rate in (0.1, 1.0)
        for epochs in (4, 8)
        for depth in (1, 2)
        for units in (64, 256)
    ]
    rows = [{**row, "accuracy": round(row["accuracy"] * 2000) / 2000} for row in rows]
    return [{**row, **changes} for row in rows]


def best_row(rows):
    return max(rows, key=lambda row: row["accuracy"])


def search_table():
    import pandas as pd

    return pd.DataFrame(search_rows())


ROWS = search_rows()
SEARCH = [
    right("2.22", "list of dicts", ROWS, best_row(ROWS)),
    right("2.22", "pandas", search_table(), best_row(ROWS)),
    right("2.22", "row of a table", search_table(), search_table().nlargest(1, "accuracy").iloc[0]),
    wrong(
        "2.22",
        "tuple of units",
        "one number each",
        [{**row, "hidden_units": (64, 64)} for row in ROWS],
        best_row(ROWS),
    ),
    right(
        "2.22",
        "without accuracy in the best",
        ROWS,
        {k: v for k, v in best_row(ROWS).items() if k != "accuracy"},
    ),
    wrong("2.22", "few rows", "at least 12", ROWS[:8], best_row(ROWS)),
    wrong(
        "2.22",
        "one depth",
        "varies all four",
        [
            {
                **r,
                "hidden_layers": 1,
                "epochs": r["epochs"] * r["hidden_layers"] + r["hidden_layers"],
            }
            for r in ROWS
        ],
        best_row(ROWS),
    ),
    wrong("2.22", "doubled", "same configuration", ROWS + ROWS[:1], best_row(ROWS)),
    wrong(
        "2.22",
        "no accuracy",
        "lacks accuracy",
        [{k: v for k, v in r.items() if k != "accuracy"} for r in ROWS],
        best_row(ROWS),
    ),
    wrong("2.22", "not the best", "another row has", ROWS, ROWS[0]),
    wrong("2.22", "best of another table", "is not a row", ROWS, {**ROWS[0], "epochs": 99}),
    wrong(
        "2.22",
        "percent",
        "percentage",
        [{**r, "accuracy": 100 * r["accuracy"]} for r in ROWS],
        best_row(ROWS),
    ),
]


def halving(configurations, evaluate):
    left, epochs, rounds = list(configurations), 1, []
    while len(left) > 1:
        rounds.append((epochs, len(left)))
        scores = [evaluate(configuration, epochs) for configuration in left]
        order = np.argsort(scores)[::-1][: max(1, len(left) // 2)]
        left = [left[index] for index in order]
        epochs *= 2
    return left[0], rounds


def halving_recursive(configurations, evaluate, epochs=1):
    if len(configurations) == 1:
        return configurations[0], []
    ranked = sorted(configurations, key=lambda c: -evaluate(c, epochs))
    winner, rounds = halving_recursive(ranked[: len(ranked) // 2], evaluate, 2 * epochs)
    return winner, [[epochs, len(configurations)], *rounds]


def halving_lowest(configurations, evaluate):
    return halving(configurations, lambda c, epochs: -evaluate(c, epochs))


def halving_once(configurations, evaluate):
    return halving(configurations, lambda c, epochs: evaluate(c, 1))


def halving_rounds(configurations, evaluate, change):
    winner, rounds = halving(configurations, evaluate)
    return winner, [change(pair) for pair in rounds]


HALVING = [
    right("2.24", "numpy argsort", halving),
    right("2.24", "recursive, lists", halving_recursive),
    right(
        "2.24", "rounds as an array", lambda c, e: (halving(c, e)[0], np.array(halving(c, e)[1]))
    ),
    wrong("2.24", "keeps the worst", "a higher score is better", halving_lowest),
    wrong("2.24", "scores once", "anew", halving_once),
    wrong(
        "2.24",
        "epochs not doubled",
        "doubles the epochs",
        functools.partial(halving_rounds, change=lambda r: (1, r[1])),
    ),
    wrong(
        "2.24",
        "pairs exchanged",
        "were expected",
        functools.partial(halving_rounds, change=lambda r: r[::-1]),
    ),
    wrong("2.24", "winner alone", "should be 2 things", lambda c, e: halving(c, e)[0]),
]

STEPS = {
    32: {"scratch": 2e-3, "keras": 3e-3},
    256: {"scratch": 3e-3, "keras": 3.5e-3},
    2048: {"scratch": 2e-2, "keras": 1.8e-2},
}
PRODUCTS = {1024: 0.02, 1025: 0.024, 1026: 0.023, 1028: 0.022, 1032: 0.021}
TIMES = [
    right("2.26", "dicts", STEPS),
    right(
        "2.26",
        "numpy numbers",
        {k: {n: np.float64(s) for n, s in v.items()} for k, v in STEPS.items()},
    ),
    right(
        "2.26",
        "keras always slower",
        {k: {"scratch": v["scratch"], "keras": 2 * v["scratch"]} for k, v in STEPS.items()},
    ),
    wrong("2.26", "two widths", "at least 3", {k: STEPS[k] for k in (32, 256)}),
    wrong("2.26", "too close", "further apart", {32: STEPS[32], 64: STEPS[256], 128: STEPS[2048]}),
    wrong(
        "2.26",
        "one side",
        "needs the keys",
        {k: {"scratch": v["scratch"]} for k, v in STEPS.items()},
    ),
    wrong(
        "2.26", "first call counted", "first call", {**STEPS, 32: {"scratch": 1.0, "keras": 1.0}}
    ),
    right(
        "2.26",
        "no growth on a GPU",
        {
            32: {"scratch": 3e-4, "keras": 2.1e-3},
            256: {"scratch": 3.1e-4, "keras": 2e-3},
            1024: {"scratch": 2.8e-4, "keras": 2e-3},
        },
    ),  # fmt: skip
    wrong("2.26", "one time for all", "measure each width", dict.fromkeys(STEPS, STEPS[32])),
    wrong("2.26", "zero", "above 1e-7", {**STEPS, 32: {"scratch": 0.0, "keras": 0.0}}),
    right("2.27", "cpu", PRODUCTS),
    right("2.27", "gpu", {size: seconds / 500 for size, seconds in PRODUCTS.items()}),
    right("2.27", "more sizes", {**PRODUCTS, 2048: 0.2}),
    wrong(
        "2.27",
        "size missing",
        "lacks the size(s) 1025",
        {k: v for k, v in {**PRODUCTS, 512: 0.01}.items() if k != 1025},
    ),
    wrong("2.27", "not waited for", "clock stopped", {k: v * 1e-5 for k, v in PRODUCTS.items()}),
    wrong("2.27", "milliseconds", "milliseconds", {k: 1e3 * v for k, v in PRODUCTS.items()}),
    wrong("2.27", "python loop", "Python loop", {k: v * 1e4 for k, v in PRODUCTS.items()}),
    wrong("2.27", "first call counted", "Warm up", {**PRODUCTS, 1024: 3.0}),
    wrong("2.27", "one time for all", "All five", dict.fromkeys(PRODUCTS, 0.02)),
]

NAMES = {
    "relu": share(1600, 1620),
    "sigmoid": share(1400, 1410),
    "tanh": share(1610, 1600),
    "gelu": share(1600, 1590),
}
STARTS = {
    "zeros": share(200, 198),
    "glorot_uniform": share(1600, 1602),
    "he_normal": share(1611, 1605),
    "normal 0.01": share(1500, 1505),
}
CHOICES = [
    right("2.29", "lists", NAMES),
    right("2.29", "arrays", {k: np.array(v) for k, v in NAMES.items()}),
    right("2.29", "sigmoid best", {**NAMES, "sigmoid": share(1700, 1700), "swish": share(1, 2)}),
    wrong(
        "2.29",
        "no tanh",
        "lacks tanh",
        {**{k: v for k, v in NAMES.items() if k != "tanh"}, "elu": share(1, 2)},
    ),
    wrong(
        "2.29",
        "epochs of one run",
        "one number a seed",
        {
            k: share(200, 200) if k == "zeros" else epochs_of(0.8 + 0.01 * i)
            for i, k in enumerate(NAMES)
        },
    ),
    wrong("2.29", "three", "at least 4", {k: NAMES[k] for k in ("relu", "sigmoid", "tanh")}),
    wrong("2.29", "one seed", "at least 2", {k: v[0] for k, v in NAMES.items()}),
    wrong("2.29", "one list for all", "Every accuracy", dict.fromkeys(NAMES, share(1600, 1610))),
    wrong("2.29", "same model", "Every accuracy", {k: [0.8, 0.8] for k in NAMES}),
    wrong("2.29", "losses", "between 0 and 1", {k: [1.6, 1.7] for k in NAMES}),
    right("2.30", "lists", STARTS),
    right("2.30", "arrays", {k: np.float32(v) for k, v in STARTS.items()}),
    right("2.30", "more", {**STARTS, "normal 1": share(900, 1000)}),
    wrong(
        "2.30",
        "no zeros",
        "lacks 'zeros'",
        {**{k: v for k, v in STARTS.items() if k != "zeros"}, "x": share(1, 2)},
    ),
    wrong(
        "2.30",
        "epochs of one run",
        "one number a seed",
        {
            k: share(200, 200) if k == "zeros" else epochs_of(0.8 + 0.01 * i)
            for i, k in enumerate(STARTS)
        },
    ),
    wrong("2.30", "zeros learn", "the hidden one too", {**STARTS, "zeros": share(1500, 1500)}),
    wrong("2.30", "nothing learns", "best start", {k: share(200, 210) for k in STARTS}),
    wrong("2.30", "training accuracy", "not a share", {**STARTS, "he_normal": [0.90123, 0.91234]}),
]

# Answers that keep to the letter of a prompt in one case and break it in another


def differences(function, h):
    return lambda x, a: (function(x + h, a) - function(x - h, a)) / (2 * h)


def from_one_sigmoid(sigmoid, x):
    """tanh from sigmoid(x) alone: the odds of the sigmoid are exp(x)."""
    s = sigmoid(x)
    return (s**2 - (1 - s) ** 2) / (s**2 + (1 - s) ** 2)


def softmax_by_row_mean(logits):
    with np.errstate(all="ignore"):
        exponentials = np.exp(logits - logits.mean(axis=1, keepdims=True))
        return exponentials / exponentials.sum(axis=1, keepdims=True)


def step_without_watch(layers, X, y, learning_rate):
    layers = [(tf.constant(W), tf.constant(b)) for W, b in layers]
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layers[0][0])
    gradients = tape.gradient(loss, layers)
    return loss, [
        (W - learning_rate * dW, b - learning_rate * db)
        for (W, b), (dW, db) in zip(layers, gradients, strict=True)
    ]


def halving_that_empties(configurations, evaluate):
    winner, rounds = halving(configurations, evaluate)
    configurations.clear()
    return winner, rounds


KINDS = [
    wrong(
        "2.3",
        "differences",
        "difference quotient",
        differences(lambda x, alpha: np.where(x > 0, x, alpha * x), 1e-5),
    ),
    wrong("2.3", "truth values", "truth value", lambda x, alpha: x > 0),
    wrong("2.3", "complex", "real numbers", lambda x, alpha: np.where(x > 0, 1, alpha) + 0j),
    wrong("2.4", "wide differences", "", differences(lambda x, b: x * sigmoid(b * x), 1e-5)),
    wrong("2.4", "narrow differences", "", differences(lambda x, b: x * sigmoid(b * x), 1e-8)),
    right("2.7", "from the left side", lambda sigmoid, x: 1 - 2 * sigmoid(-2 * x)),
    right("2.7", "difference of both sides", lambda s, x: s(2 * x) - s(-2 * x)),
    right("2.7", "from sigmoid(x)", from_one_sigmoid),
    wrong("2.12", "mean of the row", "own largest logit", softmax_by_row_mean),
    wrong("2.13", "one of two", "`confusion_matrix` is still None", accuracy_numpy, None),
    wrong("2.13", "the other of two", "`accuracy` is still None", None, matrix_numpy),
    wrong(
        "2.15",
        "rate of the lesson",
        "use the argument",
        lambda p, X, y, rate: step_tf(p, X, y, 0.1),
    ),
    wrong("2.15", "no watch", "A gradient is None", step_without_watch),
    wrong("2.24", "empties the list", "in place", halving_that_empties),
]

CASES = [
    *KINDS,
    *COLLAPSE,
    *SQUEEZE,
    *PRELU,
    *SWISH,
    *PIECES,
    *TANH,
    *BATCH,
    *VANISHING,
    *SOFTMAX,
    *ACCURACY,
    *FORWARD,
    *STEP,
    *TWIN,
    *SWEEPS,
    *RATES,
    *SEARCH,
    *HALVING,
    *TIMES,
    *CHOICES,
]
