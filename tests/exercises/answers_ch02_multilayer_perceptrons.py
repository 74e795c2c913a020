"""Right and wrong answers to the exercises of chapter 2, with the words a wrong one must meet."""

from __future__ import annotations

import functools
import itertools
import time
import zlib

import numpy as np

from helpers import models
from helpers.backend import keras, tf
from tests.exercises.answers import in_slow_runs, right, wrong

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
    wrong("2.1", "only W", "should be 2 values", lambda W1, b1, W2, b2: W1 @ W2),
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
    wrong("2.2", "full width", "as many columns", lambda W, width: (W, np.eye(W.shape[1]))),
    wrong("2.2", "product", "should be 2 values", lambda W, width: W),
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
        "The first slope is missing",
        with_result(pieces_numpy, lambda b, s: (b, s[1:])),
    ),
    wrong("2.5", "bends alone", "should be 2 values", with_result(pieces_numpy, lambda b, s: b)),
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
    wrong("2.15", "loss alone", "should be 2 values", lambda *a: step_tf(*a)[0]),
]


def twin_loop(sequential):
    inputs = keras.Input(sequential.input_shape[1:])
    outputs = inputs
    for layer in sequential.layers:
        outputs = layer(outputs)
    return keras.Model(inputs, outputs)


def twin_call(sequential):
    inputs = keras.Input(sequential.input_shape[1:])
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


def twin_of_dense_layers(sequential):
    inputs = outputs = keras.Input(sequential.input_shape[1:])
    for layer in sequential.layers:
        outputs = layer(outputs) if isinstance(layer, keras.layers.Dense) else outputs
    return keras.Model(inputs, outputs)


def twin_with_dict(sequential):
    inputs = keras.Input(sequential.input_shape[1:])
    return keras.Model(inputs, {"outputs": sequential(inputs)})


def twin_of_flat_inputs(sequential):
    inputs = keras.Input(sequential.input_shape[-1:])
    return keras.Model(inputs, sequential(inputs))


TWIN = [
    right("2.16", "loop over layers", twin_loop),
    right("2.16", "calls the model", twin_call),
    right("2.16", "reuses its tensors", lambda m: keras.Model(m.inputs[0], m.outputs[0])),
    wrong("2.16", "itself", "build a new model", lambda m: m),
    wrong("2.16", "sequential", "build a new model", lambda m: keras.Sequential(m.layers)),
    wrong("2.16", "copies", "not copies", twin_copies),
    wrong("2.16", "fresh weights", "different outputs", twin_fresh),
    wrong("2.16", "relu at the end", "different outputs", twin_relu),
    wrong("2.16", "dense layers alone", "each layer of the model once", twin_of_dense_layers),
    wrong("2.16", "a dict", "Return one output", twin_with_dict),
    wrong("2.16", "inputs flattened", "", twin_of_flat_inputs),
]

# d2l 5.2: experiments, on a page whose `train` is a formula: runs that take no time, differ from
# seed to seed, and can be run again


def _invented_history(hidden_units=(128,), *, epochs=8, seed=0, **settings):
    settings = {"learning_rate": 0.1, "activation": "relu"} | settings
    rate, words = settings["learning_rate"], sorted(map(str, settings.items()))
    draw = np.random.default_rng(zlib.crc32(repr((tuple(hidden_units), seed, words)).encode()))
    top = 0.1 if "zeros" in str(words) else 0.84 - 0.6 / min(hidden_units) - 0.05 * (rate > 0.5)
    curve = top * (1 - np.exp(-((60 * rate) ** 0.7) * np.arange(1, epochs + 1) / 4))
    noise = 0.012 + 0.4 / min(hidden_units)
    names = ("val_accuracy", "accuracy", "val_loss", "loss")
    shift = {"val_accuracy": 0.0, "accuracy": 0.07, "val_loss": 0.9, "loss": 0.8}
    swing = noise * draw.uniform(-1, 1, size=(4, 30))[:, :epochs]
    rows = {name: curve + shift[name] + swing[place] for place, name in enumerate(names)}
    rows["val_accuracy"] = np.clip(rows["val_accuracy"], 0, 1)
    return {name: (np.round(2000 * row) / 2000).tolist() for name, row in rows.items()}


def page(source, *names):
    """Return the named objects of a page whose cells are `train` and `source`."""
    scope = {"np": np, "itertools": itertools, "keras": keras, "train": _invented_history}
    exec(source, scope)
    return [scope[name] for name in names]


ACCURACY_OF = """
def accuracy_of(settings, seed):
    return train(**settings, seed=seed)["val_accuracy"][-1]
"""
NETWORKS = """
networks = {
    "width": {n: {"hidden_units": (n,)} for n in (2, 8, 32, 128, 512)},
    "depth": {"1": {"hidden_units": (128,)}, "2": {"hidden_units": (128, 128)}},
    "bottleneck": {"no": {"hidden_units": (128,)}, "yes": {"hidden_units": (128, 1)}},
    "activation": {name: {"activation": name} for name in ("relu", "sigmoid", "tanh", "gelu")},
    "start": {str(name): {"kernel_initializer": name}
              for name in ("zeros", "glorot_uniform", "he_normal", "ones")},
}
"""
RESULTS = """
results = {question: {label: [accuracy_of(settings, seed) for seed in range(3)]
                      for label, settings in choices.items()}
           for question, choices in networks.items()}
"""
ONE_CHANGE = ACCURACY_OF, NETWORKS, RESULTS


def one_change(*changes, more=""):
    """Return the answers to 2.17 of a page whose source has (old, new) replaced."""
    source = "".join(ONE_CHANGE)
    for old, new in changes:
        assert old in source, old
        source = source.replace(old, new)
    return page(source + more, "accuracy_of", "networks", "results")


SEEDS = "for seed in range(3)"
LAST = '["val_accuracy"][-1]'
SWEEPS = [
    right("2.17", "as released", *one_change()),
    right(
        "2.17",
        "initializer objects, lists of units, five seeds, arrays",
        *one_change(
            ("(n,)", "[n]"),
            ("(128, 1)", "[128, 1]"),
            (SEEDS, "for seed in range(5)"),
            ("[accuracy_of", "np.array([accuracy_of"),
            ("range(5)]", "range(5)])"),
            (
                '"he_normal", "ones")',
                'keras.initializers.RandomNormal(stddev=0.1, seed=1), "ones")',
            ),
        ),
    ),
    right(
        "2.17",
        "a history first, a loop, more widths",
        *one_change(
            (
                "return train(**settings, seed=seed)",
                "history = train(seed=seed, **settings)\n    curve = history",
            ),
            (LAST, '["val_accuracy"]\n    return np.float32(curve[len(curve) - 1])'),
            ("(2, 8, 32, 128, 512)", "(1, 4, 16, 64, 256, 1024)"),
        ),
    ),
    right(
        "2.17",
        "the defaults by name",
        *one_change(
            (
                "train(**settings, seed=seed)",
                'train(**({"hidden_units": (128,), "activation": '
                '"relu"} | settings), seed=seed, epochs=8)',
            ),
        ),
    ),
    right(
        "2.17",
        "zeros as an object",
        *one_change(('("zeros", "glorot', '(keras.initializers.Zeros(), "glorot')),
    ),
    wrong(
        "2.17", "seed not passed on", "seed is not passed on", *one_change((", seed=seed)", ")"))
    ),
    wrong(
        "2.17",
        "best epoch",
        "that is the best epoch",
        *one_change(("train(", "max(train("), (LAST, '["val_accuracy"])')),
    ),
    wrong(
        "2.17",
        "training accuracy",
        "on the training images",
        *one_change((LAST, '["accuracy"][-1]')),
    ),
    wrong("2.17", "loss", "that is a loss", *one_change((LAST, '["val_loss"][-1]'))),
    wrong(
        "2.17", "first epoch", "that is the first epoch", *one_change((LAST, '["val_accuracy"][0]'))
    ),
    wrong("2.17", "whole curve", "take its last entry", *one_change((LAST, '["val_accuracy"]'))),
    wrong(
        "2.17",
        "percent",
        "that is a percentage",
        *one_change(("return train", "return 100 * train")),
    ),
    wrong(
        "2.17",
        "settings forgotten",
        "call train(hidden_units=(32,)",
        *one_change(("**settings, ", "")),
    ),
    wrong(
        "2.17",
        "four epochs",
        "call train(hidden_units=(32,)",
        *one_change(("seed=seed)", "seed=seed, epochs=4)")),
    ),
    wrong(
        "2.17",
        "invented",
        "never calls `train`",
        *one_change(("return train(**settings, seed=seed)" + LAST, "return 0.8 + seed / 2000")),
    ),
    wrong("2.17", "no return", "is None", *one_change(("return train", "train"))),
    wrong(
        "2.17", "seeds 1, 2 and 3", "in this order", *one_change((SEEDS, "for seed in (1, 2, 3)"))
    ),
    wrong(
        "2.17",
        "one seed three times",
        "is what seed 0 gives",
        *one_change((SEEDS, "for seed in (0, 0, 0)")),
    ),
    wrong(
        "2.17", "two seeds", "the luck of its seed", *one_change((SEEDS, "for seed in range(2)"))
    ),
    wrong(
        "2.17",
        "one number",
        "the luck of its seed",
        *one_change(("[accuracy_of(settings, seed) " + SEEDS + "]", "accuracy_of(settings, 0)")),
    ),
    wrong(
        "2.17",
        "epochs of one run",
        "is what seed 0 gives",
        *one_change(
            (
                "[accuracy_of(settings, seed) " + SEEDS + "]",
                'train(**settings)["val_accuracy"][-3:]',
            )
        ),
    ),
    wrong(
        "2.17",
        "an invented table",
        "when the check runs it with",
        *one_change(("accuracy_of(settings, seed) for", "0.8 + seed / 2000 for")),
    ),
    right(
        "2.17",
        "runs are kept",
        *one_change(
            more="""
kept = {}
honest = accuracy_of
def accuracy_of(settings, seed):
    key = repr(settings), seed
    if key not in kept:
        kept[key] = honest(settings, seed)
    return kept[key]
"""
        ),
    ),
    wrong(
        "2.17",
        "a table that the function looks up",
        "when the check runs it with",
        *one_change(
            more="""
results = {question: {label: [0.8, 0.8005, 0.801] for label in choices}
           for question, choices in networks.items()}
looked_up = {(repr(settings), seed): results[question][label][seed]
             for question, choices in networks.items()
             for label, settings in choices.items() for seed in range(3)}
honest = accuracy_of
def accuracy_of(settings, seed):
    return looked_up.get((repr(settings), seed)) or honest(settings, seed)
"""
        ),
    ),
    wrong(
        "2.17",
        "percentages in the table",
        "a percentage or a loss",
        *one_change(("[accuracy_of", "[100 * accuracy_of")),
    ),
    wrong(
        "2.17",
        "means in the table",
        "is not a share",
        *one_change(("[accuracy_of(settings, seed) " + SEEDS + "]", "[0.81234, 0.8, 0.79]")),
    ),
    wrong(
        "2.17", "narrow range", "one of at most 4 units", *one_change(("(2, 8, 32", "(16, 24, 32"))
    ),
    wrong(
        "2.17",
        "four widths",
        "at least five",
        *one_change(("(2, 8, 32, 128, 512)", "(2, 8, 32, 512)")),
    ),
    wrong("2.17", "neuron first", "reads the pixels", *one_change(("(128, 1)", "(1, 128)"))),
    wrong(
        "2.17",
        "two things changed",
        "Change one thing at a time",
        *one_change(
            ('{"hidden_units": (128, 128)}', '{"hidden_units": (128, 128), "learning_rate": 0.2}')
        ),
    ),
    wrong("2.17", "no tanh", "lacks tanh", *one_change(('"tanh"', '"elu"'))),
    wrong("2.17", "three activations", "one more activation", *one_change((', "gelu"', ""))),
    wrong(
        "2.17",
        "no zeros",
        "lacks the initializer 'zeros'",
        *one_change(('("zeros", ', '("random_normal", ')),
    ),
    wrong(
        "2.17",
        "a question left out",
        "lacks the keys 'start'",
        *one_change(more='del networks["start"], results["start"]'),
    ),
    wrong(
        "2.17", "a label left out", "lacks the keys", *one_change(more='del results["depth"]["2"]')
    ),
    wrong(
        "2.17",
        "units without a dict",
        "should be a dict",
        *one_change(more='networks["width"] = {n: (n,) for n in networks["width"]}'),
    ),
    wrong(
        "2.17",
        "text for accuracies",
        "should be numbers",
        *one_change(("[accuracy_of(settings, seed)", "[str(accuracy_of(settings, seed))")),
    ),
    wrong(
        "2.17",
        "not a number",
        "should be a finite number",
        *one_change(("[accuracy_of(settings, seed)", "[float('nan')")),
    ),
    wrong(
        "2.17",
        "function alone",
        "`networks` is still None",
        *one_change(more="networks = results = None"),
    ),
    wrong("2.17", "no function", "should be a function", *one_change(more="accuracy_of = 0.8")),
]

CURVE_OF = """
def curve_of(learning_rate, seed):
    return train(learning_rate=learning_rate, seed=seed, epochs=12)["val_accuracy"]

curves = {rate: [curve_of(rate, seed) for seed in range(3)]
          for rate in (0.003, 0.01, 0.03, 0.1, 0.3, 1.0)}
epochs_needed = {}
for rate, runs in curves.items():
    mean = np.mean(runs, axis=0)
    epochs_needed[rate] = int(np.argmax(mean >= 0.7)) + 1 if mean.max() >= 0.7 else None
"""


COUNTED_BY_HAND = """
for rate, runs in curves.items():
    reached = [n + 1 for n in range(12) if sum(run[n] for run in runs) / 3 >= 0.7]
    epochs_needed[rate] = reached[0] if reached else None
"""


def rates(*changes, more=""):
    """Return the answers to 2.20 of a page whose source has (old, new) replaced."""
    source = CURVE_OF
    for old, new in changes:
        assert old in source, old
        source = source.replace(old, new)
    return page(source + more, "curve_of", "curves", "epochs_needed")


CURVES = [
    right("2.20", "as released", *rates()),
    right(
        "2.20",
        "arrays, five seeds",
        *rates(
            ("return train", "return np.array(train"),
            ('["val_accuracy"]', '["val_accuracy"], "float32")'),
            ("range(3)", "range(5)"),
        ),
    ),
    right(
        "2.20",
        "other rates, a table per rate",
        *rates(
            ("(0.003, 0.01, 0.03, 0.1, 0.3, 1.0)", "(0.005, 0.02, 0.05, 0.2, 0.5)"),
            (
                "[curve_of(rate, seed) for seed in range(3)]",
                "np.stack([curve_of(rate, seed) for seed in range(3)])",
            ),
        ),
    ),
    right(
        "2.20",
        "counted by hand",
        *rates(more=COUNTED_BY_HAND),
    ),
    wrong("2.20", "seed not passed on", "seed is not passed on", *rates((" seed=seed,", ""))),
    wrong("2.20", "training accuracy", "on the training images", *rates(('["val_', '["'))),
    wrong("2.20", "losses", "these are losses", *rates(("val_accuracy", "val_loss"))),
    wrong("2.20", "eight epochs", "should return 12 numbers", *rates((", epochs=12", ""))),
    wrong(
        "2.20",
        "last epoch alone",
        "should return 12 numbers",
        *rates(('["val_accuracy"]', '["val_accuracy"][-1:]')),
    ),
    wrong(
        "2.20",
        "one rate for all",
        "call train(",
        *rates(("learning_rate=learning_rate", "learning_rate=0.1")),
    ),
    wrong(
        "2.20",
        "invented",
        "never calls `train`",
        *rates(
            (
                'train(learning_rate=learning_rate, seed=seed, epochs=12)["val_accuracy"]',
                "[0.06 * n for n in range(1, 13)]",
            )
        ),
    ),
    wrong(
        "2.20",
        "one run for all seeds",
        "seed 0 gives",
        *rates(("[curve_of(rate, seed)", "[curve_of(rate, 0)")),
    ),
    wrong(
        "2.20",
        "an invented table",
        "when the check runs it with",
        *rates(
            ("[curve_of(rate, seed) for", "[[0.5 + n / 50 + seed / 2000 for n in range(12)] for")
        ),
    ),
    wrong(
        "2.20",
        "one curve",
        "one curve of 12 epochs for each of the seeds",
        *rates(("range(3)", "range(1)")),
    ),
    wrong("2.20", "narrow", "two powers of ten", *rates(("0.003, 0.01, ", "0.04, 0.05, "))),
    wrong("2.20", "four rates", "at least 5", *rates(("0.003, 0.01, ", ""))),
    wrong("2.20", "counted from 0", "Epochs count from 1", *rates((")) + 1 if", ")) if"))),
    wrong("2.20", "0 for never", "so the entry is None", *rates(("else None", "else 0"))),
    wrong(
        "2.20",
        "last run alone",
        "the mean of your curves",
        *rates(("np.mean(runs, axis=0)", "np.maximum.reduce(runs) + 0.05")),
    ),
    wrong(
        "2.20",
        "a rate left out",
        "lacks the learning rate 0.1",
        *rates(more="del epochs_needed[0.1]"),
    ),
    wrong(
        "2.20",
        "names for rates",
        "should be numbers",
        *rates(more="curves = {str(r): c for r, c in curves.items()}"),
    ),
    wrong(
        "2.20", "no epochs", "`epochs_needed` is still None", *rates(more="epochs_needed = None")
    ),
]

SCORE = """
def score(configuration):
    units = (configuration["hidden_units"],) * configuration["hidden_layers"]
    return train(units, learning_rate=configuration["learning_rate"],
                 epochs=configuration["epochs"])["val_accuracy"][-1]

joint_search = []
for epochs, layers, units, rate in itertools.product((4, 12), (1, 2), (32, 128), (0.03, 0.1)):
    row = {"learning_rate": rate, "epochs": epochs, "hidden_layers": layers, "hidden_units": units}
    joint_search.append({**row, "accuracy": score(row)})
best_configuration = max(joint_search, key=lambda row: row["accuracy"])
"""


def search(*changes, more=""):
    """Return the answers to 2.21 of a page whose source has (old, new) replaced."""
    source = SCORE
    for old, new in changes:
        assert old in source, old
        source = source.replace(old, new)
    return page(source + more, "score", "joint_search", "best_configuration")


PANDAS = """
import pandas as pd
joint_search = pd.DataFrame(joint_search)
best_configuration = joint_search.loc[joint_search["accuracy"].idxmax()]
"""
SEARCH = [
    right("2.21", "as released", *search()),
    right("2.21", "pandas", *search(more=PANDAS)),
    right(
        "2.21",
        "best without its accuracy",
        *search(
            more="\nbest_configuration = {**best_configuration}\ndel best_configuration['accuracy']"
        ),
    ),
    right(
        "2.21",
        "seed by name, list of units",
        *search(
            ('(configuration["hidden_units"],)', '[configuration["hidden_units"]]'),
            ("train(units,", "train(hidden_units=units, seed=0,"),
        ),
    ),
    wrong(
        "2.21",
        "one layer always",
        "call train(hidden_units=(16, 16, 16)",
        *search((' * configuration["hidden_layers"]', "")),
    ),
    wrong(
        "2.21",
        "layers and units exchanged",
        "call train(hidden_units=(16, 16, 16)",
        *search(
            (
                '(configuration["hidden_units"],) * configuration["hidden_layers"]',
                '(configuration["hidden_layers"],) * configuration["hidden_units"]',
            )
        ),
    ),
    wrong(
        "2.21",
        "epochs ignored",
        "call train(",
        *search((',\n                 epochs=configuration["epochs"]', "")),
    ),
    wrong(
        "2.21", "rate ignored", "call train(", *search(('configuration["learning_rate"]', "0.1"))
    ),
    wrong(
        "2.21",
        "training accuracy",
        "on the training images",
        *search(('"val_accuracy"', '"accuracy"')),
    ),
    wrong(
        "2.21",
        "best epoch",
        "that is the best epoch",
        *search(
            ("return train", "return max(train"), ('["val_accuracy"][-1]', '["val_accuracy"])')
        ),
    ),
    wrong("2.21", "loss", "that is a loss", *search(("val_accuracy", "val_loss"))),
    wrong(
        "2.21",
        "invented",
        "never calls `train`",
        *search(("return train(units", "return 0.8\n    train(units")),
    ),
    wrong(
        "2.21",
        "an invented table",
        "when the check runs it with",
        *search(("score(row)}", "round(1600 + 100 * rate + epochs + layers) / 2000}")),
    ),
    wrong(
        "2.21",
        "the last epoch under every number of epochs",
        "when the check runs it with",
        *search(("score(row)}", 'score({**row, "epochs": 12})}')),
    ),
    wrong("2.21", "few rows", "at least 12", *search(("(32, 128), (0.03", "(32,), (0.03"))),
    wrong(
        "2.21",
        "one depth",
        "varies all four",
        *search(("(1, 2), (32, 128)", "(1,), (8, 16, 32, 128)")),
    ),
    wrong(
        "2.21", "doubled", "same configuration", *search(more="joint_search += joint_search[:1]")
    ),
    wrong(
        "2.21",
        "no accuracy",
        "lacks accuracy",
        *search((', "accuracy": score(row)}', "}"), ('row["accuracy"]', 'row["epochs"]')),
    ),
    wrong(
        "2.21",
        "percent",
        "a percentage or a loss",
        *search(('"accuracy": score', '"accuracy": 100 * score')),
    ),
    wrong(
        "2.21",
        "tuple of units",
        "should be one number",
        *search(("score(row)}", 'score(row), "hidden_units": (units, units)}')),
    ),
    wrong("2.21", "worst named", "another row has", *search(("= max(", "= min("))),
    wrong(
        "2.21",
        "best of another table",
        "is not a row",
        *search(more="\nbest_configuration = {**best_configuration, 'epochs': 99}"),
    ),
    wrong(
        "2.21",
        "best accuracy alone",
        "should be a dict",
        *search(more="\nbest_configuration = best_configuration['accuracy']"),
    ),
    wrong(
        "2.21",
        "not searched",
        "`joint_search` is still None",
        *search(more="joint_search = best_configuration = None"),
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
    right("2.23", "numpy argsort", halving),
    right("2.23", "recursive, lists", halving_recursive),
    right(
        "2.23", "rounds as an array", lambda c, e: (halving(c, e)[0], np.array(halving(c, e)[1]))
    ),
    wrong("2.23", "keeps the worst", "a higher score is better", halving_lowest),
    wrong("2.23", "scores once", "anew", halving_once),
    wrong(
        "2.23",
        "epochs not doubled",
        "doubles the epochs",
        functools.partial(halving_rounds, change=lambda r: (1, r[1])),
    ),
    wrong(
        "2.23",
        "pairs exchanged",
        "were expected",
        functools.partial(halving_rounds, change=lambda r: r[::-1]),
    ),
    wrong("2.23", "winner alone", "should be 2 values", lambda c, e: halving(c, e)[0]),
]

# Times: the answers run on a page that has what the lessons above the exercise define

TIMED_PAGE = """
def seconds(action, repetitions=3):
    action()
    times = []
    for _ in range(repetitions):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return min(times)

def new_parameters(sizes):
    return [(tf.Variable(0.01 * tf.random.normal(shape)), tf.Variable(tf.zeros(shape[1])))
            for shape in itertools.pairwise(sizes)]

def train_step(parameters, X, y, learning_rate):
    with tf.GradientTape() as tape:
        (W1, b1), (W2, b2) = parameters
        logits = tf.matmul(tf.maximum(tf.matmul(X, W1) + b1, 0.0), W2) + b2
        loss = tf.reduce_mean(
            tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=logits))
    for pair, gradients in zip(parameters, tape.gradient(loss, parameters)):
        for parameter, gradient in zip(pair, gradients):
            parameter.assign_sub(learning_rate * gradient)
    return loss
"""
STEP_SECONDS = """
def step_seconds(width):
    weights = new_parameters((784, width, 10))
    model = models.mlp((width,))
    model.compile(optimizer=keras.optimizers.SGD(0.1),
                  loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    scratch = seconds(lambda: train_step(weights, X, y, 0.1), 5)
    by_keras = seconds(lambda: model.train_on_batch(X, y), 5)
    return {"scratch": scratch, "keras": by_keras}
"""
MATMUL_SECONDS = """
def matmul_seconds(size):
    a, b = tf.random.normal((2, size, size))
    return seconds(lambda: tf.matmul(a, b).numpy(), 7)
"""


COLD_SECONDS = """
def seconds(action, repetitions):
    start = time.perf_counter()
    action()
    return time.perf_counter() - start
"""


def timed(name, source, *changes):
    """Return a function of a timed page; the page is run when the function is first called."""
    for old, new in changes:
        assert old in source, old
        source = source.replace(old, new)

    def answer(given):
        draw = np.random.default_rng(1)
        scope = {"np": np, "tf": tf, "keras": keras, "models": models, "time": time}
        scope |= {"itertools": itertools, "X": draw.uniform(size=(256, 784)).astype("float32")}
        scope["y"] = draw.integers(0, 10, size=256)
        exec(TIMED_PAGE + source, scope)
        return scope[name](given)

    return answer


def steps(*changes):
    return timed("step_seconds", STEP_SECONDS, *changes)


def products(*changes):
    return timed("matmul_seconds", MATMUL_SECONDS, *changes)


DICT = 'return {"scratch": scratch, "keras": by_keras}'
TIMES = [
    right("2.25", "as released", steps()),
    right(
        "2.25",
        "numpy numbers",
        steps(
            (
                DICT,
                'return {"scratch": np.float64(scratch), "keras": np.float32(by_keras)}',
            )
        ),
    ),
    right(
        "2.25",
        "the mean of ten",
        steps(
            (
                "seconds(lambda: model.train_on_batch(X, y), 5)",
                "seconds(lambda: [model.train_on_batch(X, y) for _ in range(10)], 2) / 10",
            )
        ),
    ),
    wrong(
        "2.25",
        "invented",
        "never calls `train_on_batch`",
        lambda width: {"scratch": 0.004, "keras": 0.005},
    ),
    wrong(
        "2.25",
        "milliseconds",
        "are these milliseconds",
        steps((DICT, 'return {"scratch": 1e3 * scratch, "keras": 1e3 * by_keras}')),
    ),
    wrong(
        "2.25",
        "first call counted",
        "Is the first call",
        timed("step_seconds", COLD_SECONDS + STEP_SECONDS),
    ),
    wrong(
        "2.25",
        "a hundred steps",
        "or more than one step",
        steps(
            (
                "seconds(lambda: train_step(weights, X, y, 0.1), 5)",
                "seconds(lambda: [train_step(weights, X, y, 0.1) for _ in range(100)], 1)",
            )
        ),
    ),
    wrong(
        "2.25",
        "forward pass alone",
        "no gradient was taken from scratch",
        steps(
            (
                "train_step(weights, X, y, 0.1)",
                "tf.matmul(tf.matmul(X, weights[0][0]), weights[1][0])",
            )
        ),
    ),
    wrong(
        "2.25",
        "traced step",
        "without `tf.function`",
        steps(
            (
                "weights = new",
                "train_step = tf.function(globals()['train_step'])\n    weights = new",
            )
        ),
    ),
    wrong(
        "2.25",
        "keys exchanged",
        "are the two exchanged",
        steps((DICT, 'return {"scratch": by_keras, "keras": scratch}')),
    ),
    wrong(
        "2.25",
        "steps taken, times invented",
        "not the time of the step",
        steps((DICT, 'return {"scratch": 0.02, "keras": 0.02}')),
    ),
    wrong(
        "2.25",
        "one width for all",
        "they are (784, 300)",
        steps(("(784, width, 10)", "(784, 256, 10)"), ("mlp((width,))", "mlp((256,))")),
    ),
    wrong(
        "2.25", "one side", "lacks the keys 'scratch'", steps((DICT, 'return {"keras": by_keras}'))
    ),
    wrong("2.25", "a pair", "should be a dict", steps((DICT, "return scratch, by_keras"))),
    wrong(
        "2.25",
        "negative",
        "a time is positive",
        steps((DICT, 'return {"scratch": -scratch, "keras": by_keras}')),
    ),
    right("2.26", "as released", products()),
    right(
        "2.26",
        "operator, made in NumPy",
        products(
            (
                "tf.random.normal((2, size, size))",
                "np.random.rand(2, size, size).astype('float32')",
            ),
            ("tf.matmul(a, b).numpy()", "(tf.constant(a) @ b).numpy()"),
        ),
    ),
    right(
        "2.26",
        "mean of a loop",
        products(
            (
                "seconds(lambda: tf.matmul(a, b).numpy(), 7)",
                "seconds(lambda: [tf.matmul(a, b).numpy() for _ in range(5)], 2) / 5",
            )
        ),
    ),
    wrong("2.26", "one time for all", "", lambda size: 0.01),
    wrong("2.26", "from a rate", "did not measure", lambda size: 2 * size**3 / 1e11),
    wrong(
        "2.26",
        "milliseconds",
        "are these milliseconds",
        products(("return seconds", "return 1e3 * seconds")),
    ),
    wrong(
        "2.26", "elementwise", "do the whole work", products(("tf.matmul(a, b)", "(a[:9] * b[:9])"))
    ),
    wrong(
        "2.26",
        "of the size 100",
        "do the whole work",
        products(("(2, size, size)", "(2, 100, 100)")),
    ),
    wrong(
        "2.26",
        "twelve products",
        "more than one repetition",
        products(
            ("tf.matmul(a, b).numpy(), 7)", "[tf.matmul(a, b).numpy() for _ in range(12)], 1)")
        ),
    ),
    wrong("2.26", "no return", "is None", products(("return seconds", "seconds"))),
    wrong("2.26", "zero", "a time is positive", lambda size: 0.0),
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


def halving_by_sums(configurations, evaluate):
    left, epochs, rounds, total = list(configurations), 1, [], {}
    while len(left) > 1:
        rounds.append((epochs, len(left)))
        for each in left:
            total[each["name"]] = total.get(each["name"], 0) + evaluate(each, epochs)
        left = sorted(left, key=lambda each: -total[each["name"]])[: len(left) // 2]
        epochs *= 2
    return left[0], rounds


def halving_that_empties(configurations, evaluate):
    winner, rounds = halving(configurations, evaluate)
    configurations.clear()
    return winner, rounds


def batch_with(divisor):
    def output_beside(row, mates):
        batch = np.vstack([row, mates])
        return (row - batch.mean(axis=0)) / divisor(batch.var(axis=0))

    return output_beside


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
    wrong(
        "2.4",
        "differences scaled by beta",
        "difference quotient",
        lambda x, b: differences(lambda x, b: x * sigmoid(b * x), 1e-6 / b)(x, b),
    ),
    wrong("2.4", "narrow differences", "", differences(lambda x, b: x * sigmoid(b * x), 1e-8)),
    right("2.7", "from the left side", lambda sigmoid, x: 1 - 2 * sigmoid(-2 * x)),
    right("2.7", "difference of both sides", lambda s, x: s(2 * x) - s(-2 * x)),
    right("2.7", "from sigmoid(x)", from_one_sigmoid),
    right("2.7", "floats and ufuncs", lambda s, x: np.subtract(2 * s(2 * np.asarray(x, float)), 1)),
    wrong(
        "2.7",
        "tanh of a measured steepness",
        "also calls np.log",
        lambda s, x: np.tanh(np.log(s(1.0) / (1 - s(1.0))) * x),
    ),
    wrong("2.9", "epsilon of Keras", "1e-3 is added", batch_with(lambda v: np.sqrt(v + 1e-3))),
    wrong("2.9", "no root", "The root is missing", batch_with(lambda v: v + 1e-5)),
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
    wrong("2.23", "adds up scores", "were added up", halving_by_sums),
    wrong("2.23", "empties the list", "in place", halving_that_empties),
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
    *CURVES,
    *SEARCH,
    *HALVING,
    *TIMES,
]
# The check measures, too: what needs more than one training step of a wide network takes seconds.
CASES = in_slow_runs(
    {
        ("2.25", "numpy numbers"),
        ("2.25", "the mean of ten"),
        ("2.25", "first call counted"),
        ("2.25", "a hundred steps"),
        ("2.25", "one side"),
        ("2.25", "a pair"),
        ("2.25", "negative"),
        ("2.25", "traced step"),
        ("2.25", "one width for all"),
        ("2.26", "mean of a loop"),
        ("2.26", "twelve products"),
    },
    CASES,
)
