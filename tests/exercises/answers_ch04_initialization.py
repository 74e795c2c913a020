"""Right and wrong answers to the exercises of chapter 4."""

import functools
import math
from collections.abc import Mapping

import numpy as np

from tests.exercises.answers import right, wrong


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


# 4.1: three ways to the same ratio, and what goes wrong


def norm_ratio(x, weights, *, slope=None, power=1.0, norm=np.linalg.norm, last=-1, unit=sigmoid):
    slope = slope or (lambda h: h * (1 - h))
    activations = [np.asarray(x)]
    for w in weights:
        activations.append(unit(activations[-1] @ w))
    gradients, delta = [], np.ones_like(activations[-1])
    for level in range(len(weights) - 1, -1, -1):
        delta = delta * slope(activations[level + 1])
        gradients.insert(0, activations[level].T @ delta)
        delta = delta @ weights[level].T
    return (norm(gradients[0]) / norm(gradients[last])) ** power


def norm_ratio_by(x, weights, *, linear_end=False, by_outputs=False, first_alone=False):
    """The tape's ratio, with a mistake to choose."""
    from helpers.backend import tf

    matrices = [tf.Variable(w, dtype=tf.float64) for w in weights]
    outputs = [tf.constant(x, dtype=tf.float64)]
    with tf.GradientTape() as tape:
        for level, matrix in enumerate(matrices, start=1):
            z = outputs[-1] @ matrix
            outputs.append(z if linear_end and level == len(matrices) else tf.sigmoid(z))
        total = tf.reduce_sum(outputs[-1])
    gradients = tape.gradient(total, outputs[1:] if by_outputs else matrices)
    return tf.norm(gradients[0]) / (1.0 if first_alone else tf.norm(gradients[-1]))


def zero_for_thirty(x, weights):
    return norm_ratio(x, weights) if len(weights) < 30 else 0.0


def norm_ratio_tape(x, weights):
    from helpers.backend import tf

    matrices = [tf.Variable(w, dtype=tf.float64) for w in weights]
    with tf.GradientTape() as tape:
        h = tf.constant(x, dtype=tf.float64)
        for matrix in matrices:
            h = tf.sigmoid(h @ matrix)
        total = tf.reduce_sum(h)
    gradients = tape.gradient(total, matrices)
    return tf.norm(gradients[0]) / tf.norm(gradients[-1])


def norm_ratio_of(x, weights, *, squares=False, unit="sigmoid"):
    from helpers.backend import tf

    matrices = [tf.Variable(w, dtype=tf.float64) for w in weights]
    with tf.GradientTape() as tape:
        h = tf.constant(x, dtype=tf.float64)
        for matrix in matrices:
            h = getattr(tf.nn, unit)(h @ matrix)
        total = tf.reduce_sum(h**2 if squares else h)
    gradients = tape.gradient(total, matrices)
    return tf.norm(gradients[0]) / tf.norm(gradients[-1])


def norm_ratio_unwatched(x, weights):
    from helpers.backend import tf

    with tf.GradientTape() as tape:
        h = tf.constant(x)
        for w in weights:
            h = tf.sigmoid(h @ w)
        total = tf.reduce_sum(h)
    gradients = tape.gradient(total, weights)
    return tf.norm(gradients[0]) / tf.norm(gradients[-1])


def norm_ratio_autograd(x, weights):
    from helpers import autograd

    matrices, h = [autograd.Variable(w) for w in weights], x
    for matrix in matrices:
        h = autograd.sigmoid(h @ matrix)
    h.sum().backward()
    return np.linalg.norm(matrices[0].grad.data) / np.linalg.norm(matrices[-1].grad.data)


def norm_ratio_single(x, weights):
    """Single precision, and an array of one element back."""
    x, weights = np.float32(x), [np.float32(w) for w in weights]
    return np.array([norm_ratio(x, weights)], dtype=np.float32)


def norm_ratio_jacobians(x, weights):
    """Row by row, with a matrix for each layer."""
    first, last = np.zeros_like(weights[0]), np.zeros_like(weights[-1])
    for row in x:
        states = [row]
        for w in weights:
            states.append(sigmoid(states[-1] @ w))
        back = np.ones(len(states[-1])) @ np.diag(states[-1] * (1 - states[-1]))
        last += np.outer(states[-2], back)
        for level in range(len(weights) - 1, 0, -1):
            back = back @ weights[level].T @ np.diag(states[level] * (1 - states[level]))
        first += np.outer(row, back)
    return np.sqrt((first**2).sum() / (last**2).sum())


# 5.4.1


def flip_unit(weights, unit):
    w1, b1, w2, b2 = (np.array(part) for part in weights)
    w1[:, unit] *= -1
    b1[unit] *= -1
    w2[unit] *= -1
    return [w1, b1, w2, b2]


def rescale_unit(weights, unit, factor):
    if factor <= 0:
        raise ValueError(f"factor is {factor}; it must be positive.")
    w1, b1, w2, b2 = (np.array(part) for part in weights)
    w1[:, unit] *= factor
    b1[unit] *= factor
    w2[unit] /= factor
    return [w1, b1, w2, b2]


def diagonal_flip(weights, unit):
    signs = np.ones(len(weights[1]))
    signs[unit] = -1
    return [weights[0] * signs, weights[1] * signs, signs[:, None] * weights[2], weights[3]]


def diagonal_rescale(weights, unit, factor):
    if not factor > 0:
        raise ValueError("factor must be positive.")
    scale = np.where(np.arange(len(weights[1])) == unit, factor, 1.0)
    return (
        np.float32(weights[0] @ np.diag(scale)),
        np.float32(weights[1] * scale),
        np.float32(np.diag(1 / scale) @ weights[2]),
        np.float32(weights[3]),
    )


def flip_unit_tf(weights, unit):
    from helpers.backend import tf

    signs = 1 - 2 * tf.one_hot(unit, len(weights[1]), dtype=tf.float64)
    return [weights[0] * signs, weights[1] * signs, signs[:, None] * weights[2], weights[3]]


def rescale_unit_loop(weights, unit, factor):
    if factor <= 0:
        raise ValueError("factor must be positive.")
    w1, b1, w2, b2 = (part.tolist() for part in weights)
    for row in w1:
        row[unit] *= factor
    b1[unit] *= factor
    w2[unit] = [value / factor for value in w2[unit]]
    return [w1, b1, w2, b2]


def flip_row(weights, unit):
    w1, b1, w2, b2 = (np.array(part) for part in weights)
    w1[min(unit, len(w1) - 1)] *= -1
    return [w1, b1, w2, b2]


def flip_without_bias(weights, unit):
    w1, _, w2, b2 = flip_unit(weights, unit)
    return [w1, weights[1], w2, b2]


def flip_without_outgoing(weights, unit):
    w1, b1, _, b2 = flip_unit(weights, unit)
    return [w1, b1, weights[2], b2]


def flip_outgoing(weights, unit):
    w1, b1, w2, b2 = (np.array(part) for part in weights)
    w2[unit] *= -1
    return [w1, b1, w2, b2]


def flip_next(weights, unit):
    return flip_unit(weights, (unit + 1) % 5)


def flip_output_bias(weights, unit):
    w1, b1, w2, b2 = flip_unit(weights, unit)
    return [w1, b1, w2, -b2]


def rescale_inverse(weights, unit, factor):
    if factor <= 0:
        raise ValueError("factor must be positive.")
    return rescale_unit(weights, unit, 1 / factor)


def flip_all(weights, unit):
    return [-weights[0], -weights[1], -weights[2], weights[3]]


def flip_in_place(weights, unit):
    weights[0][:, unit] *= -1
    weights[1][unit] *= -1
    weights[2][unit] *= -1
    return weights


def rescale_column_of_w2(weights, unit, factor):
    w1, b1, w2, b2 = rescale_unit(weights, unit, factor)
    w2 = np.array(weights[2], dtype=float)
    w2[:, unit] /= factor
    return [w1, b1, w2, b2]


def rescale_outgoing_too(weights, unit, factor):
    if factor <= 0:
        raise ValueError("factor must be positive.")
    w1, b1, w2, b2 = rescale_unit(weights, unit, factor)
    w2[unit] = weights[2][unit] * factor
    return [w1, b1, w2, b2]


def rescale_any_factor(weights, unit, factor):
    w1, b1, w2, b2 = (np.array(part) for part in weights)
    w1[:, unit] *= factor
    b1[unit] *= factor
    w2[unit] /= factor or 1.0
    return [w1, b1, w2, b2]


# 5.4.2


def fit_linear(
    x,
    y,
    constant,
    learning_rate,
    steps,
    *,
    factor=2.0,
    mean=True,
    bias=True,
    start=None,
    late=False,
):
    w, b = np.full(x.shape[1], constant, dtype=float), float(constant)
    w, b = (w, 0.0) if start == "bias" else (0 * w, b) if start == "weights" else (w, b)
    for _ in range(steps):
        error = x @ w + b - y
        count = len(y) if mean else 1
        w = w - learning_rate * factor * x.T @ error / count
        error = x @ w + b - y if late else error
        b = b - bias * learning_rate * factor * error.sum() / count
    return w, b


def least_squares(x, y, constant, learning_rate, steps):
    solution = np.linalg.lstsq(np.column_stack([x, np.ones(len(x))]), y, rcond=None)[0]
    return solution[:-1], solution[-1]


def fit_softmax(
    x, labels, classes, constant, learning_rate, steps, *, mean=True, bias=True, axis=1, factor=1.0
):
    w, b = np.full((x.shape[1], classes), float(constant)), np.full(classes, float(constant))
    for _ in range(steps):
        logits = x @ w + b
        p = np.exp(logits - logits.max(axis=axis, keepdims=True))
        p = logits if axis is None else p / p.sum(axis=axis, keepdims=True)
        error = factor * (p - np.eye(classes)[labels])
        count = len(labels) if mean else 1
        w = w - learning_rate * x.T @ error / count
        b = b - bias * learning_rate * error.sum(axis=0) / count
    return w, b


def fit_linear_sgd(x, y, constant, learning_rate, steps):
    w, b = np.full(x.shape[1], float(constant)), float(constant)
    for _ in range(steps):
        for row, target in zip(x, y, strict=True):
            error = row @ w + b - target
            w, b = w - learning_rate * 2 * error * row, b - learning_rate * 2 * error
    return w, b


def one_step_more(fit, more=1):
    return lambda *given: fit(*given[:-1], given[-1] + more)


def fit_linear_rows(x, y, constant, learning_rate, steps):
    w, b = [float(constant)] * x.shape[1], float(constant)
    for _ in range(steps):
        slopes, slope_b = [0.0] * len(w), 0.0
        for row, target in zip(x, y, strict=True):
            error = sum(a * c for a, c in zip(row, w, strict=True)) + b - target
            slopes = [s + 2 * error * a / len(y) for s, a in zip(slopes, row, strict=True)]
            slope_b += 2 * error / len(y)
        w = [a - learning_rate * s for a, s in zip(w, slopes, strict=True)]
        b -= learning_rate * slope_b
    return w, b


def fit_linear_single(x, y, constant, learning_rate, steps):
    w, b = fit_linear(np.float32(x), np.float32(y), constant, learning_rate, steps)
    return np.float32(w), np.float32([b])


def fit_softmax_tape(x, labels, classes, constant, learning_rate, steps):
    from helpers.backend import tf

    w = tf.Variable(tf.fill((x.shape[1], classes), tf.cast(constant, tf.float64)))
    b = tf.Variable(tf.fill((classes,), tf.cast(constant, tf.float64)))
    for _ in range(steps):
        with tf.GradientTape() as tape:
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, x @ w + b)
            loss = tf.reduce_mean(losses)
        slope_w, slope_b = tape.gradient(loss, [w, b])
        w.assign_sub(learning_rate * slope_w)
        b.assign_sub(learning_rate * slope_b)
    return w, b


def fit_softmax_single(x, labels, classes, constant, learning_rate, steps):
    w, b = fit_softmax(np.float32(x), labels, classes, constant, learning_rate, steps)
    return [np.float32(w), np.float32(b)]


def climbing(x, y, constant, learning_rate, steps):
    return fit_linear(x, y, constant, -learning_rate, steps)


def from_zero(x, y, constant, learning_rate, steps):
    return fit_linear(x, y, 0.0, learning_rate, steps)


@functools.cache
def clothes():
    """Return the slices of Fashion-MNIST that the page trains and tests on."""
    from helpers import data

    fashion = data.load_fashion_mnist()
    train, test = fashion.train_images[:10_000], fashion.test_images[:2_000]
    scaled = [images.reshape(-1, 784).astype("float32") / 255 for images in (train, test)]
    return scaled[0], fashion.train_labels[:10_000], scaled[1], fashion.test_labels[:2_000]


@functools.cache
def train_once(start, hidden_units, seed, constant=0.01, epochs=5):
    from helpers import models, training
    from helpers.backend import keras

    x, y, test_x, test_y = clothes()
    initializer = keras.initializers.Constant(constant) if start == "constant" else "glorot_uniform"
    model = models.mlp(hidden_units, kernel_initializer=initializer, seed=seed)
    model.compile(
        optimizer=keras.optimizers.SGD(0.1),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    if epochs:
        training.fit(model, x, y, epochs=epochs, batch_size=64, seed=seed)
    return model, model.evaluate(test_x, test_y, verbose=0)[1]


def train_from(start, hidden_units, seed):
    """Train with one of two seeds, so that the many cases share a few trainings."""
    return train_once(start, tuple(hidden_units), seed % 2)


def train_by_hand(start, hidden_units, seed):
    """The same runs; the accuracy as an array, in a list."""
    model, accuracy = train_from(start, hidden_units, seed)
    return [model, np.float32(accuracy)]


class Measured(Mapping):
    """The table of `train_from` with seed 0, filled when a check reads it."""

    def __init__(self, **changes):
        self.changes = changes

    def __getitem__(self, key):
        change = self.changes.get(key, {})
        if key == "seed":
            return self.changes.get("seed", 0)
        if key == "distinct_units":
            return {"constant": 1, "glorot": 64} | change
        units = {"softmax": (), "mlp": (64,)}[key]
        return {start: train_from(start, units, 0)[1] for start in ("constant", "glorot")} | change

    def __iter__(self):
        return iter(("seed", "softmax", "mlp", "distinct_units"))

    def __len__(self):
        return 4


# 5.4.3


def product_bounds(matrices):
    values = [np.linalg.svd(matrix, compute_uv=False) for matrix in matrices]
    return math.prod(v[-1] for v in values), math.prod(v[0] for v in values)


def product_bounds_gram(matrices):
    moduli = [np.sqrt(np.linalg.eigvalsh(np.float32(m).T @ np.float32(m))) for m in matrices]
    return np.array([np.prod([m[0] for m in moduli]), np.prod([m[-1] for m in moduli])])


def product_bounds_tf(matrices):
    from helpers.backend import tf

    values = tf.linalg.svd(np.stack(matrices), compute_uv=False)
    return tf.reduce_prod(values[:, -1]), tf.reduce_prod(values[:, 0])


def product_bounds_norms(matrices):
    low = high = 1.0
    for matrix in matrices:
        low /= np.linalg.norm(np.linalg.inv(matrix), 2)
        high *= np.linalg.norm(matrix, 2)
    return [low, high]


def product_bounds_eigenvalues(matrices):
    low = high = 1.0
    for matrix in matrices:
        squares = np.linalg.eigvals(matrix @ matrix.T).real
        low, high = low * np.sqrt(squares.min()), high * np.sqrt(squares.max())
    return [float(low), float(high)]


def random_counterexample():
    def radius(matrix):
        return np.abs(np.linalg.eigvals(matrix)).max()

    draw = np.random.default_rng(0)
    while True:
        a, b = draw.normal(size=(2, 3, 3))
        if radius(a @ b) > 1.2 * radius(a) * radius(b):
            return a, b


def lower_zero(matrices):
    return 0.0, product_bounds(matrices)[1]


def determinants(matrices):
    product = math.prod(abs(np.linalg.det(matrix)) for matrix in matrices)
    return product, product


def eigenvalue_bounds(matrices):
    moduli = [np.abs(np.linalg.eigvals(matrix)) for matrix in matrices]
    return math.prod(m.min() for m in moduli), math.prod(m.max() for m in moduli)


def frobenius_bounds(matrices):
    return product_bounds(matrices)[0], math.prod(np.linalg.norm(m) for m in matrices)


def own_values(matrices):
    product = functools.reduce(np.matmul, matrices)
    values = np.linalg.svd(product, compute_uv=False)
    return values[-1], values[0]


def upper_first(matrices):
    return product_bounds(matrices)[::-1]


def squared_bounds(matrices):
    return tuple(np.square(product_bounds(matrices)))


def single_bounds(matrices):
    values = [np.linalg.svd(matrix, compute_uv=False) for matrix in matrices]
    return min(v[-1] for v in values), max(v[0] for v in values)


def nilpotent():
    return np.array([[0.0, 1.0], [0.0, 0.0]]), np.array([[0.0, 0.0], [1.0, 0.0]])


def shears():
    return [[[1, 3], [0, 1]], [[1, 0], [3, 1]]]


def shears_single():
    return np.float32([[1, 2, 0], [0, 1, 0], [0, 0, 1]]), np.float32(
        [[1, 0, 0], [2, 1, 0], [0, 0, 1]]
    )


def symmetric_pair():
    return np.array([[2.0, 1.0], [1.0, 3.0]]), np.array([[1.0, 0.5], [0.5, 2.0]])


def commuting_pair():
    return np.array([[1.0, 1.0], [0.0, 2.0]]), np.array([[1.0, 1.0], [0.0, 2.0]])


def odd_shapes():
    return np.ones((2, 3)), np.ones((3, 2))


# 4.8, 4.9


def xavier_variance(fan_in, fan_out):
    return 2 / (fan_in + fan_out)


def xavier_bound(fan_in, fan_out):
    return math.sqrt(6 / (fan_in + fan_out))


def xavier_variance_means(fan_in, fan_out):
    return np.float32(1 / np.mean([fan_in, fan_out]))


def xavier_bound_from_variance(fan_in, fan_out):
    return np.sqrt(3 * np.float32(xavier_variance(fan_in, fan_out)))


def xavier_bound_keras(fan_in, fan_out):
    from helpers.backend import tf

    return tf.sqrt(6.0 / tf.cast(fan_in + fan_out, tf.float32))


def he_weights(fan_in, fan_out, seed):
    return np.random.default_rng(seed).normal(0, math.sqrt(2 / fan_in), size=(fan_in, fan_out))


def he_weights_keras(fan_in, fan_out, seed):
    from helpers.backend import keras

    return keras.initializers.HeNormal(seed=seed)((fan_in, fan_out))


def he_random_normal(fan_in, fan_out, seed):
    from helpers.backend import keras

    deviation = math.sqrt(2 / fan_in)
    return keras.initializers.RandomNormal(stddev=deviation, seed=seed)((fan_in, fan_out))


def he_truncated(fan_in, fan_out, seed):
    from helpers.backend import keras

    deviation = math.sqrt(2 / fan_in)
    return keras.initializers.TruncatedNormal(stddev=deviation, seed=seed)((fan_in, fan_out))


def he_variance_scaling(fan_in, fan_out, seed):
    from helpers.backend import keras

    found = keras.initializers.VarianceScaling(2.0, "fan_in", "untruncated_normal", seed=seed)
    return found((fan_in, fan_out)).numpy()


def he_weights_tensorflow(fan_in, fan_out, seed):
    from helpers.backend import tf

    return tf.random.Generator.from_seed(seed).normal((fan_in, fan_out)) * (2 / fan_in) ** 0.5


def he_weights_rolled(fan_in, fan_out, seed):
    draw = np.random.default_rng(0).normal(0, (2 / fan_in) ** 0.5, fan_in * fan_out)
    return np.roll(draw, seed).reshape(fan_in, fan_out)


def he_weights_legacy(fan_in, fan_out, seed):
    draw = np.random.RandomState(seed).randn(fan_in, fan_out)
    return np.float32(draw * (2 / fan_in) ** 0.5)


def he_weights_list(fan_in, fan_out, seed):
    import random

    source = random.Random(seed)
    deviation = math.sqrt(2 / fan_in)
    return [[source.gauss(0, deviation) for _ in range(fan_out)] for _ in range(fan_in)]


def normal_with(deviation, seeded=True, transpose=False):
    def weights(fan_in, fan_out, seed):
        generator = np.random.default_rng(seed if seeded else None)
        shape = (fan_out, fan_in) if transpose else (fan_in, fan_out)
        return generator.normal(0, deviation(fan_in, fan_out), size=shape)

    return weights


def he_uniform(fan_in, fan_out, seed):
    bound = math.sqrt(6 / fan_in)
    return np.random.default_rng(seed).uniform(-bound, bound, size=(fan_in, fan_out))


def he_two_values(fan_in, fan_out, seed):
    signs = np.random.default_rng(seed).choice([-1.0, 1.0], size=(fan_in, fan_out))
    return signs * math.sqrt(2 / fan_in)


def he_laplace(fan_in, fan_out, seed):
    draw = np.random.default_rng(seed).laplace(size=(fan_in, fan_out))
    return draw * math.sqrt(1 / fan_in)


def he_one_column(fan_in, fan_out, seed):
    column = np.random.default_rng(seed).normal(0, math.sqrt(2 / fan_in), size=(fan_in, 1))
    return np.tile(column / column.std() * math.sqrt(2 / fan_in), (1, fan_out)) - column.mean()


def he_one_row(fan_in, fan_out, seed):
    row = np.random.default_rng(seed).normal(size=(1, fan_out))
    row = (row - row.mean()) / row.std() * math.sqrt(2 / fan_in)
    return np.repeat(row, fan_in, axis=0)


# 4.10


def mean_of(function):
    z = np.linspace(-8, 8, 4001)
    return np.sum(function(z) * np.exp(-(z**2) / 2)) / np.sum(np.exp(-(z**2) / 2))


def choose_scale(activation, fan_in):
    return (fan_in * mean_of(lambda z: activation(z) ** 2)) ** -0.5


def choose_scale_draws(activation, fan_in):
    z = np.random.default_rng(0).normal(size=4_000_000)
    return float(1 / np.sqrt(fan_in * np.mean(np.square(activation(z)))))


def choose_scale_hermite(activation, fan_in):
    z, weights = np.polynomial.hermite_e.hermegauss(100)
    return np.float32((fan_in * np.average(activation(z) ** 2, weights=weights)) ** -0.5)


def choose_scale_quantiles(activation, fan_in):
    from statistics import NormalDist

    z = np.array([NormalDist().inv_cdf((i + 0.5) / 200_000) for i in range(200_000)])
    return 1 / np.sqrt(fan_in * np.mean(activation(z) ** 2))


def choose_variance(activation, fan_in):
    return choose_scale(activation, fan_in) ** 2


def without_activation(activation, fan_in):
    return fan_in**-0.5


def he_for_all(activation, fan_in):
    return (2 / fan_in) ** 0.5


def centred(activation, fan_in):
    square, mean = mean_of(lambda z: activation(z) ** 2), mean_of(activation)
    return (fan_in * (square - mean**2)) ** -0.5


def without_fan_in(activation, fan_in):
    return mean_of(lambda z: activation(z) ** 2) ** -0.5


def choose_scale_scalars(activation, fan_in):
    z = np.linspace(-8, 8, 1601)
    squares = [float(activation(value)) ** 2 for value in z]
    density = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    return 1 / math.sqrt(fan_in * float(np.trapezoid(squares * density, z)))


def narrow_grid(activation, fan_in):
    z = np.linspace(-1.5, 1.5, 1001)
    density = np.exp(-(z**2) / 2)
    return (fan_in * np.sum(activation(z) ** 2 * density) / np.sum(density)) ** -0.5


def unweighted_grid(activation, fan_in):
    return (fan_in * np.mean(activation(np.linspace(-8, 8, 4001)) ** 2)) ** -0.5


def density_without_2(activation, fan_in):
    z = np.linspace(-8, 8, 1601)
    density = np.exp(-(z**2))
    return (fan_in * np.sum(activation(z) ** 2 * density) / np.sum(density)) ** -0.5


def mean_size(activation, fan_in):
    return 1 / (fan_in**0.5 * mean_of(lambda z: np.abs(activation(z))))


def positive_half(activation, fan_in):
    z = np.linspace(0, 8, 8001)
    density = np.exp(-(z**2) / 2)
    return (fan_in * np.sum(activation(z) ** 2 * density) / np.sum(density)) ** -0.5


def few_draws(activation, fan_in):
    z = np.random.default_rng(1).normal(size=100)
    return (fan_in * np.mean(activation(z) ** 2)) ** -0.5


# 4.7


def start_cases():
    """The cases of 4.7; they train when a check calls them."""
    return [
        right("4.7", "one function", train_from, Measured()),
        right(
            "4.7",
            "list, NumPy scalars",
            train_by_hand,
            Measured(distinct_units={"constant": np.int64(1), "glorot": np.float64(64)}),
        ),
        right(
            "4.7", "a list, single precision",
            lambda *given: [train_from(*given)[0], np.float32(train_from(*given)[1])], Measured(),
        ),
        wrong(
            "4.7", "another run", "returns", train_from,
            Measured(softmax={"constant": 0.74, "glorot": 0.78}),
        ),
        wrong(
            "4.7", "accuracy of other images", "of the test images right",
            lambda *given: (train_from(*given)[0], 0.9), Measured(),
        ),
        wrong(
            "4.7", "zero start", "shuts every ReLU",
            lambda start, units, seed: train_once(start, tuple(units), seed % 2, constant=0.0),
            Measured(),
        ),
        wrong("4.7", "no seed", "under 'seed'", train_from, Measured(seed=None)),
        wrong(
            "4.7", "seed not passed on", "pass the seed on",
            lambda start, units, seed: train_once(start, tuple(units), 0), Measured(),
        ),
        wrong(
            "4.7", "model alone", "and its test accuracy",
            lambda *given: train_from(*given)[0], Measured(),
        ),
        wrong(
            "4.7", "not trained", "before it was trained",
            lambda start, units, seed: train_once(start, tuple(units), seed % 2, epochs=0),
            Measured(),
        ),
        wrong(
            "4.7", "always Glorot", "still be equal",
            lambda start, units, seed: train_from("glorot", units, seed), Measured(),
        ),
        wrong(
            "4.7", "always constant", "has equal hidden units",
            lambda start, units, seed: train_from("constant", units, seed), Measured(),
        ),
        wrong(
            "4.7", "no hidden layer", "kernels of shapes",
            lambda start, units, seed: train_from(start, (), seed), Measured(),
        ),
        wrong(
            "4.7", "percent", "percentage by 100",
            lambda *given: (train_from(*given)[0], 83.0), Measured(),
        ),
        wrong(
            "4.7", "invented", "by calling it", train_from,
            Measured(mlp={"constant": 0.6}),
        ),
        wrong(
            "4.7", "softmax hurt", "by calling it", train_from,
            Measured(softmax={"constant": 0.1}),
        ),
        wrong(
            "4.7", "counts exchanged", "Count with", train_from,
            Measured(distinct_units={"constant": 64, "glorot": 1}),
        ),
        wrong("4.7", "missing", "['mlp']['glorot']", train_from, {"softmax": {"constant": 0.7,
              "glorot": 0.7}, "mlp": {"constant": 0.2}, "distinct_units": {}}),
    ]  # fmt: skip


# 4.11


@functools.cache
def deep_once(start, epochs=6, shared=False, width=64, layers=20, deviation=0.01, logits=True):
    """Train the 20-layer MLP of exercise 4.11; the other arguments make mistakes."""
    from helpers import training
    from helpers.backend import keras

    x, y, *_ = clothes()

    def initializer(seed):
        if start == "small":
            return keras.initializers.RandomNormal(stddev=deviation, seed=seed)
        return keras.initializers.HeNormal(seed=seed)

    parts = [keras.Input((784,))]
    for layer in range(layers):
        own = initializer(7 if shared else layer)
        parts.append(keras.layers.Dense(width, "relu", kernel_initializer=own))
    parts.append(keras.layers.Dense(10, kernel_initializer=initializer(layers)))
    model = keras.Sequential(parts)
    model.compile(
        optimizer=keras.optimizers.SGD(0.03),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=logits),
        metrics=["accuracy"],
    )
    if not epochs:
        return model, {}
    history = training.fit(model, x, y, epochs=epochs, batch_size=64, seed=0)
    return model, history.history


def deep_with(**changes):
    """Runs whose history of one start is changed."""

    def train_deep(start):
        model, history = deep_once(start)
        return model, history | changes.get(start, {})

    return train_deep


def deep_history_object(start):
    class History:
        pass

    model, history = deep_once(start)
    from helpers.backend import keras

    found = keras.callbacks.History()
    found.history, found.epoch = dict(history), list(range(len(history["loss"])))
    return [model, found]


DEEP = [
    right("4.11", "history's dict", deep_once),
    right("4.11", "history itself, list", deep_history_object),
    right("4.11", "arrays", deep_with(he={"val_loss": [1.0] * 6})),
    wrong(
        "4.11", "exchanged", "0.01",
        lambda start: deep_once("he" if start == "small" else "small"),
    ),
    wrong("4.11", "history alone", "the model and its history", lambda start: deep_once(start)[1]),
    wrong(
        "4.11", "another model's history", "every bias",
        lambda start: (deep_once(start, 0)[0], deep_once(start)[1]),
    ),
    wrong("4.11", "few layers", "20 Dense layers", lambda start: deep_once(start, 3, layers=3)),
    wrong("4.11", "shared", "the same kernel", lambda start: deep_once(start, 3, shared=True)),
    wrong("4.11", "one epoch", "at least 3 epochs", lambda start: deep_once(start, 1)),
    wrong("4.11", "no logits", "from_logits=True", lambda start: deep_once(start, 3, logits=False)),
    wrong(
        "4.11", "small start too large", "RandomNormal(stddev=0.01)",
        lambda start: deep_once(start, 3, deviation=0.05),
    ),
    wrong("4.11", "percent", "between 0 and 1", deep_with(small={"accuracy": [10.0] * 6})),
    wrong("4.11", "no accuracy", "lacks 'accuracy'",
          lambda start: (deep_once(start)[0], {"loss": [2.3] * 3})),
    wrong("4.11", "flat", "nothing is learned",
          deep_with(he={"loss": [2.3026] * 6, "accuracy": [0.1] * 6})),
    wrong("4.11", "not cross-entropy", "near ln 10", deep_with(he={"loss": [0.2] * 6})),
    wrong("4.11", "diverged", "diverged", deep_with(he={"loss": [2.0, float("nan"), 2.0]})),
    wrong("4.11", "impossible pair", "do not belong together",
          deep_with(small={"accuracy": [0.7] * 6})),
]  # fmt: skip


# 5.4.4


def lars_step(
    weights, gradients, learning_rate, trust, weight_decay, *, decay_in_step=True, sign=-1, power=1
):
    updated = []
    for w, g in zip(weights, gradients, strict=True):
        norm, below = np.linalg.norm(w) ** power, np.linalg.norm(g) ** power
        below = below + weight_decay * norm
        local = trust * norm / below if norm > 0 and below > 0 else 1.0
        updated.append(w + sign * learning_rate * local * (g + decay_in_step * weight_decay * w))
    return updated


def lars_step_tf(weights, gradients, learning_rate, trust, weight_decay):
    from helpers.backend import tf

    updated = []
    for w, g in zip(weights, gradients, strict=True):
        w, g = tf.constant(w), tf.constant(g)
        below = tf.norm(g) + weight_decay * tf.norm(w)
        usable = tf.logical_and(tf.norm(w) > 0, below > 0)
        local = tf.where(usable, trust * tf.norm(w) / tf.where(below > 0, below, 1.0), 1.0)
        updated.append(w - learning_rate * local * (g + weight_decay * w))
    return updated


def lars_step_sums(weights, gradients, learning_rate, trust, weight_decay):
    updated = ()
    for w, g in zip(weights, gradients, strict=True):
        norm = math.sqrt(sum(float(v) ** 2 for v in np.ravel(w)))
        below = math.sqrt(sum(float(v) ** 2 for v in np.ravel(g))) + weight_decay * norm
        local = trust * norm / below if norm * below else 1.0
        updated += (w - learning_rate * local * (g + weight_decay * w),)
    return updated


def lars_step_single(weights, gradients, learning_rate, trust, weight_decay):
    single = [np.float32(part) for part in weights], [np.float32(part) for part in gradients]
    return [part.tolist() for part in lars_step(*single, learning_rate, trust, weight_decay)]


def lars_by(rate, *, decay=True):
    """A step with the local rate `rate(w, g, trust, beta)`, decayed inside of it or not at all."""

    def step(weights, gradients, learning_rate, trust, weight_decay):
        return [
            w - learning_rate * rate(w, g, trust, weight_decay) * (g + decay * weight_decay * w)
            for w, g in zip(weights, gradients, strict=True)
        ]

    return step


def length(part):
    return np.linalg.norm(part)


def lars_apart(weights, gradients, learning_rate, trust, weight_decay):
    return [
        new - learning_rate * weight_decay * w
        for w, new in zip(
            weights,
            lars_step(weights, gradients, learning_rate, trust, weight_decay, decay_in_step=False),
            strict=True,
        )
    ]


def lars_gradient_guard(weights, gradients, learning_rate, trust, weight_decay):
    updated = []
    for w, g in zip(weights, gradients, strict=True):
        norm, slope = np.linalg.norm(w), np.linalg.norm(g)
        local = trust * norm / (slope + weight_decay * norm) if norm and slope else 1.0
        updated.append(w - learning_rate * local * (g + weight_decay * w))
    return updated


def lars_steps_alone(weights, *given):
    return [new - w for w, new in zip(weights, lars_step(weights, *given), strict=True)]


def lars_trust_at_zero(weights, gradients, learning_rate, trust, weight_decay):
    updated = lars_step(weights, gradients, learning_rate, trust, weight_decay)
    return [
        new if length(w) else w - learning_rate * trust * g
        for w, g, new in zip(weights, gradients, updated, strict=True)
    ]


def lars_global(weights, gradients, learning_rate, trust, weight_decay):
    norm = math.sqrt(sum((w**2).sum() for w in weights))
    below = math.sqrt(sum((g**2).sum() for g in gradients)) + weight_decay * norm
    local = trust * norm / below
    return [
        w - learning_rate * local * (g + weight_decay * w)
        for w, g in zip(weights, gradients, strict=True)
    ]


def lars_epsilon(weights, gradients, learning_rate, trust, weight_decay):
    return lars_by(lambda w, g, t, b: t * length(w) / (length(g) + b * length(w) + 1e-8))(
        weights, gradients, learning_rate, trust, weight_decay
    )


def lars_without_guard(weights, gradients, learning_rate, trust, weight_decay):
    with np.errstate(all="ignore"):
        return [
            w
            - learning_rate
            * (trust * np.linalg.norm(w) / (np.linalg.norm(g) + weight_decay * np.linalg.norm(w)))
            * (g + weight_decay * w)
            for w, g in zip(weights, gradients, strict=True)
        ]


def lars_stuck_at_zero(weights, gradients, learning_rate, trust, weight_decay):
    updated = []
    for w, g in zip(weights, gradients, strict=True):
        below = np.linalg.norm(g) + weight_decay * np.linalg.norm(w)
        local = trust * np.linalg.norm(w) / below if below else 1.0
        updated.append(w - learning_rate * local * (g + weight_decay * w))
    return updated


def lars_in_place(weights, gradients, learning_rate, trust, weight_decay):
    new = lars_step(weights, gradients, learning_rate, trust, weight_decay)
    for old, part in zip(weights, new, strict=True):
        old[...] = part
    return weights


CASES = [
    right("4.1", "backward by hand", norm_ratio),
    right("4.1", "gradient tape", norm_ratio_tape),
    right("4.1", "single precision", norm_ratio_single),
    right("4.1", "row by row with Jacobians", norm_ratio_jacobians),
    wrong("4.1", "upside down", "upside down", functools.partial(norm_ratio, power=-1.0)),
    wrong("4.1", "squared norms", "squared norms", functools.partial(norm_ratio, power=2.0)),
    wrong("4.1", "sums", "sums of entries", functools.partial(norm_ratio, norm=np.sum)),
    wrong("4.1", "no slope", "own slope", functools.partial(norm_ratio, slope=np.ones_like)),
    wrong(
        "4.1",
        "slope at the activation",
        "taken at the activation",
        functools.partial(norm_ratio, slope=lambda h: sigmoid(h) * (1 - sigmoid(h))),
    ),
    wrong(
        "4.1",
        "tanh",
        "tanh layers",
        functools.partial(norm_ratio, unit=np.tanh, slope=lambda h: 1 - h**2),
    ),
    wrong(
        "4.1",
        "absolute values",
        "sums of absolute values",
        functools.partial(norm_ratio, norm=lambda g: np.abs(g).sum()),
    ),
    wrong(
        "4.1",
        "spectral norm",
        "largest singular values",
        functools.partial(norm_ratio, norm=lambda g: np.linalg.norm(g, 2)),
    ),
    wrong(
        "4.1",
        "largest entry",
        "ratio of largest entries",
        functools.partial(norm_ratio, norm=lambda g: np.abs(g).max()),
    ),
    wrong(
        "4.1",
        "no sigmoid at the end",
        "no sigmoid here",
        functools.partial(norm_ratio_by, linear_end=True),
    ),
    wrong(
        "4.1",
        "by outputs",
        "by the outputs of the layers",
        functools.partial(norm_ratio_by, by_outputs=True),
    ),
    wrong(
        "4.1", "first alone", "the ratio is 1", functools.partial(norm_ratio_by, first_alone=True)
    ),
    right("4.1", "own autograd", norm_ratio_autograd),
    wrong("4.1", "squares", "sum of their squares", functools.partial(norm_ratio_of, squares=True)),
    wrong("4.1", "ReLU", "are ReLU layers", functools.partial(norm_ratio_of, unit="relu")),
    wrong("4.1", "one row", "first row of X alone", lambda x, ws: norm_ratio_tape(x[:1], ws)),
    wrong("4.1", "reverse order", "reverse order", lambda x, ws: norm_ratio_tape(x, ws[::-1])),
    wrong("4.1", "best case", "best case", lambda x, weights: 0.25 ** (len(weights) - 1)),
    wrong("4.1", "tape of arrays", "knows no path", norm_ratio_unwatched),
    wrong("4.1", "zero for thirty", "use float64", zero_for_thirty),
    wrong("4.1", "a pair", "one number", lambda x, weights: (1.0, 2.0)),
    right("4.4", "copies", flip_unit, rescale_unit),
    right("4.4", "diagonal matrices, float32 tuple", diagonal_flip, diagonal_rescale),
    right("4.4", "TensorFlow and lists", flip_unit_tf, rescale_unit_loop),
    wrong("4.4", "row of W1", "a column of W1, not a row", flip_row, rescale_unit),
    wrong("4.4", "no bias", "the unit's bias", flip_without_bias, rescale_unit),
    wrong("4.4", "outgoing kept", "on the way out", flip_without_outgoing, rescale_unit),
    wrong("4.4", "outgoing only", "left column", flip_outgoing, rescale_unit),
    wrong("4.4", "counts from 1", "counts from 0", flip_next, rescale_unit),
    wrong("4.4", "divides first", "divides what goes into", flip_unit, rescale_inverse),
    wrong("4.4", "output bias too", "changed b2", flip_output_bias, rescale_unit),
    wrong("4.4", "all units", "changed unit", flip_all, rescale_unit),
    wrong("4.4", "unchanged", "unchanged", lambda weights, unit: list(weights), rescale_unit),
    wrong("4.4", "in place", "in place", flip_in_place, rescale_unit),
    wrong("4.4", "column of W2", "not a column", flip_unit, rescale_column_of_w2),
    wrong("4.4", "times both", "divided by it", flip_unit, rescale_outgoing_too),
    wrong("4.4", "negative factor", "positive factors only", flip_unit, rescale_any_factor),
    right("4.6", "NumPy", fit_linear, fit_softmax),
    right("4.6", "row loop and tape", fit_linear_rows, fit_softmax_tape),
    right("4.6", "single precision", fit_linear_single, fit_softmax_single),
    wrong("4.6", "closed form", "least-squares weights", least_squares, fit_softmax),
    wrong(
        "4.6",
        "as many classes as labels show",
        "occur in the labels",
        fit_linear,
        lambda x, labels, classes, *rest: fit_softmax(x, labels, int(labels.max()) + 1, *rest),
    ),
    wrong(
        "4.6",
        "a rate of its own",
        "is not used",
        lambda x, y, constant, rate, steps: fit_linear(x, y, constant, 0.1, steps),
        fit_softmax,
    ),
    wrong(
        "4.6", "b first", "wrong way round", lambda *given: fit_linear(*given)[::-1], fit_softmax
    ),
    wrong(
        "4.6",
        "softmax half",
        "half of the gradient",
        fit_linear,
        functools.partial(fit_softmax, factor=0.5),
    ),
    wrong("4.6", "linear alone", "`fit_softmax` is still None", fit_linear, None),
    wrong("4.6", "half", "factor 2", functools.partial(fit_linear, factor=1.0), fit_softmax),
    wrong(
        "4.6", "sum", "sum over the rows", functools.partial(fit_linear, mean=False), fit_softmax
    ),
    wrong("4.6", "climbs", "climb", climbing, fit_softmax),
    wrong("4.6", "from zero", "start at zero", from_zero, fit_softmax),
    wrong(
        "4.6", "bias stays", "never moved", functools.partial(fit_linear, bias=False), fit_softmax
    ),
    wrong(
        "4.6",
        "softmax sum",
        "sum over the rows",
        fit_linear,
        functools.partial(fit_softmax, mean=False),
    ),
    wrong(
        "4.6",
        "softmax bias stays",
        "never moved",
        fit_linear,
        functools.partial(fit_softmax, bias=False),
    ),
    wrong("4.6", "a step too many", "one too many", one_step_more(fit_linear), fit_softmax),
    wrong("4.6", "a step too few", "one too few", one_step_more(fit_linear, -1), fit_softmax),
    wrong("4.6", "softmax step too many", "one too many", fit_linear, one_step_more(fit_softmax)),
    wrong("4.6", "row by row", "after each row", fit_linear_sgd, fit_softmax),
    wrong(
        "4.6",
        "bias from zero",
        "the bias starts at zero",
        functools.partial(fit_linear, start="bias"),
        fit_softmax,
    ),
    wrong(
        "4.6",
        "weights from zero",
        "the weights start at zero",
        functools.partial(fit_linear, start="weights"),
        fit_softmax,
    ),
    wrong(
        "4.6",
        "bias after the weights",
        "same prediction",
        functools.partial(fit_linear, late=True),
        fit_softmax,
    ),
    wrong("4.6", "softmax over rows", "axis 1", fit_linear, functools.partial(fit_softmax, axis=0)),
    wrong(
        "4.6",
        "no softmax",
        "softmax of the logits",
        fit_linear,
        functools.partial(fit_softmax, axis=None),
    ),
    wrong(
        "4.6",
        "softmax factor 2",
        "twice the gradient",
        fit_linear,
        functools.partial(fit_softmax, factor=2.0),
    ),
    wrong(
        "4.6",
        "mean over classes",
        "number of classes",
        fit_linear,
        functools.partial(fit_softmax, factor=0.25),
    ),
    *start_cases(),
    right("4.2", "svd", product_bounds, nilpotent),
    right("4.2", "Gram matrices, float32", product_bounds_gram, shears),
    right("4.2", "TensorFlow", product_bounds_tf, shears_single),
    right("4.2", "norms of inverses", product_bounds_norms, nilpotent),
    right("4.2", "eigenvalues of A A^T", product_bounds_eigenvalues, random_counterexample),
    wrong("4.2", "lower zero", "not the tightest", lower_zero, nilpotent),
    wrong("4.2", "determinants", "determinants", determinants, nilpotent),
    wrong("4.2", "trivial", "finite numbers", lambda matrices: (0.0, np.inf), nilpotent),
    wrong("4.2", "bounds alone", "`counterexample` is still None", product_bounds, None),
    wrong("4.2", "eigenvalues", "come from eigenvalues", eigenvalue_bounds, nilpotent),
    wrong("4.2", "Frobenius", "loose one", frobenius_bounds, nilpotent),
    wrong("4.2", "own values", "product's own", own_values, nilpotent),
    wrong("4.2", "squares", "take the root", squared_bounds, nilpotent),
    wrong("4.2", "single values", "multiply over the factors", single_bounds, nilpotent),
    wrong("4.2", "commuting", "commute", product_bounds, commuting_pair),
    wrong("4.2", "complex", "real numbers", product_bounds, lambda: (1j * np.eye(2), np.eye(2))),
    wrong("4.2", "upper first", "lower first", upper_first, nilpotent),
    wrong("4.2", "symmetric", "are symmetric", product_bounds, symmetric_pair),
    wrong("4.2", "no gain", "has to be the larger", product_bounds, commuting_pair),
    wrong("4.2", "not square", "square matrices of one size", product_bounds, odd_shapes),
    right("4.8", "formula", xavier_variance, xavier_bound),
    right("4.8", "mean of fans, float32", xavier_variance_means, xavier_bound_from_variance),
    right("4.8", "TensorFlow", xavier_variance, xavier_bound_keras),
    wrong(
        "4.8",
        "deviation",
        "standard deviation",
        lambda i, o: xavier_variance(i, o) ** 0.5,
        xavier_bound,
    ),
    wrong(
        "4.8", "product of the fans", "product of the fans", lambda i, o: 2 / (i * o), xavier_bound
    ),
    wrong("4.8", "whole number", "cut off", lambda i, o: 2 // (i + o), xavier_bound),
    wrong(
        "4.8",
        "root of the 6",
        "over the whole fraction",
        xavier_variance,
        lambda i, o: 6**0.5 / (i + o),
    ),
    wrong("4.8", "lower bound", "positive", xavier_variance, lambda i, o: -xavier_bound(i, o)),
    wrong("4.8", "bound by fan-in", "both fans", xavier_variance, lambda i, o: (6 / i) ** 0.5),
    wrong("4.8", "fan-in only", "fan-in alone", lambda i, o: 1 / i, xavier_bound),
    wrong("4.8", "no 2", "factor 2", lambda i, o: 1 / (i + o), xavier_bound),
    wrong(
        "4.8",
        "bound is deviation",
        "reaches further",
        xavier_variance,
        lambda i, o: xavier_variance(i, o) ** 0.5,
    ),
    wrong("4.8", "no root", "square root", xavier_variance, lambda i, o: 6 / (i + o)),
    wrong("4.8", "whole width", "half of it", xavier_variance, lambda i, o: 2 * xavier_bound(i, o)),
    right("4.9", "generator", he_weights),
    right("4.9", "generator of TensorFlow", he_weights_tensorflow),
    wrong("4.9", "one draw, rolled", "moved or changed", he_weights_rolled),
    right("4.9", "Keras, truncated normal", he_weights_keras),
    right("4.9", "RandomState, float32", he_weights_legacy),
    right("4.9", "nested lists", he_weights_list),
    wrong(
        "4.9", "variance as scale", "wants the standard deviation", normal_with(lambda i, o: 2 / i)
    ),
    right("4.9", "RandomNormal", he_random_normal),
    right("4.9", "VarianceScaling", he_variance_scaling),
    wrong("4.9", "TruncatedNormal", "cut off at two", he_truncated),
    wrong("4.9", "root of the 2", "over the whole fraction", normal_with(lambda i, o: 2**0.5 / i)),
    wrong(
        "4.9", "root of the fan", "over the whole fraction", normal_with(lambda i, o: 2 / i**0.5)
    ),
    wrong("4.9", "no 2", "factor 2", normal_with(lambda i, o: (1 / i) ** 0.5)),
    wrong("4.9", "fan-out", "divides by the fan-out", normal_with(lambda i, o: (2 / o) ** 0.5)),
    wrong("4.9", "Xavier", "Xavier's", normal_with(lambda i, o: (2 / (i + o)) ** 0.5)),
    wrong(
        "4.9",
        "transposed",
        "shape (450, 200)",
        normal_with(lambda i, o: (2 / i) ** 0.5, transpose=True),
    ),
    wrong(
        "4.9",
        "not seeded",
        "from the seed",
        normal_with(lambda i, o: (2 / i) ** 0.5, seeded=False),
    ),
    wrong("4.9", "uniform", "draw normal ones", he_uniform),
    wrong("4.9", "two values", "draw normal ones", he_two_values),
    wrong("4.9", "Laplace", "draw normal ones", he_laplace),
    wrong("4.9", "one column repeated", "repeat each other", he_one_column),
    wrong("4.9", "one row repeated", "repeat each other", he_one_row),
    wrong("4.9", "no scale", "the deviation is 1", normal_with(lambda i, o: 1.0)),
    wrong("4.9", "seed ignored", "seed is not used", lambda i, o, seed: he_weights(i, o, 0)),
    right("4.10", "grid", choose_scale),
    right("4.10", "four million draws", choose_scale_draws),
    right("4.10", "Gauss-Hermite, float32", choose_scale_hermite),
    right("4.10", "quantiles", choose_scale_quantiles),
    wrong("4.10", "variance", "return their standard deviation", choose_variance),
    wrong("4.10", "no activation", "takes no notice", without_activation),
    wrong("4.10", "He always", "right for ReLU only", he_for_all),
    wrong("4.10", "centred", "subtracts the mean", centred),
    wrong("4.10", "no fan-in", "fan-in is missing", without_fan_in),
    wrong("4.10", "positive half", "all positive", positive_half),
    wrong("4.10", "hundred draws", "draw ten million", few_draws),
    right("4.10", "one number at a time", choose_scale_scalars),
    wrong("4.10", "upside down", "upside down", lambda f, n: 1 / choose_scale(f, n)),
    wrong("4.10", "density without 2", "has no 2", density_without_2),
    wrong("4.10", "narrow grid", "go to 6 at least", narrow_grid),
    wrong("4.10", "no weights", "normal density", unweighted_grid),
    wrong("4.10", "root missing", "has its root", lambda f, n: choose_scale(f, n) ** 2 * n**0.5),
    wrong("4.10", "mean size", "mean of its square", mean_size),
    wrong("4.10", "always ReLU", "on which the scale depends", lambda f, n: 1.3 / n**0.5),
    *DEEP,
    right("4.12", "NumPy", lars_step),
    right("4.12", "TensorFlow", lars_step_tf),
    right("4.12", "sums in a loop, tuple", lars_step_sums),
    right("4.12", "single precision, lists", lars_step_single),
    wrong("4.12", "climbs", "climbs", functools.partial(lars_step, sign=1)),
    wrong("4.12", "squared", "squared norms", functools.partial(lars_step, power=2)),
    wrong("4.12", "global", "over all layers together", lars_global),
    wrong(
        "4.12",
        "decay not in step",
        "not in the step itself",
        functools.partial(lars_step, decay_in_step=False),
    ),
    wrong("4.12", "no guard", "holds NaN", lars_without_guard),
    wrong("4.12", "stuck", "never will", lars_stuck_at_zero),
    wrong("4.12", "in place", "in place", lars_in_place),
    wrong("4.12", "plain", "plain gradient steps", lars_by(lambda w, g, trust, beta: 1.0)),
    wrong(
        "4.12",
        "no trust",
        "trust coefficient is missing",
        lars_by(lambda w, g, trust, beta: length(w) / (length(g) + beta * length(w))),
    ),
    wrong(
        "4.12",
        "direction only",
        "same length here",
        lars_by(lambda w, g, trust, beta: trust / (length(g) + beta * length(w))),
    ),
    wrong(
        "4.12",
        "absolute values",
        "sums of absolute values",
        lars_by(
            lambda w, g, trust, beta: (
                trust * np.abs(w).sum() / (np.abs(g).sum() + beta * np.abs(w).sum())
            )
        ),
    ),
    wrong(
        "4.12",
        "largest entries",
        "largest entries",
        lars_by(
            lambda w, g, trust, beta: (
                trust * np.abs(w).max() / (np.abs(g).max() + beta * np.abs(w).max())
            )
        ),
    ),
    wrong(
        "4.12",
        "norm of the sum",
        "adds the two norms",
        lars_by(lambda w, g, trust, beta: trust * length(w) / length(g + beta * w)),
    ),
    wrong("4.12", "decay apart", "beside the local rate", lars_apart),
    wrong("4.12", "epsilon", "use a condition", lars_epsilon),
    wrong(
        "4.12",
        "only long weights",
        "the array of all steps",
        lars_by(
            lambda w, g, t, b: t * length(w) / (length(g) + b * length(w)) if length(w) > 1 else 1.0
        ),
    ),
    wrong(
        "4.12",
        "first layer",
        "loop over all layers",
        lambda ws, *rest: [lars_step(ws, *rest)[0], *ws[1:]],
    ),
    wrong(
        "4.12",
        "rates exchanged",
        "in its place",
        lambda ws, gs, rate, trust, beta: lars_step(ws, gs, trust, rate, beta),
    ),
    wrong("4.12", "guards the gradient", "contains the weight decay", lars_gradient_guard),
    wrong("4.12", "steps alone", "return the new weights", lars_steps_alone),
    wrong("4.12", "trust at zero", "without the trust", lars_trust_at_zero),
]
