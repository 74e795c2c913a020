"""Reference computations in float64 that checks of several chapters compare with."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import numpy as np

__all__ = [
    "central_differences",
    "cross_entropy",
    "forward",
    "random_layers",
    "relu",
    "sigmoid",
    "softmax",
]

Layers = Sequence[tuple[np.ndarray, np.ndarray]]


def sigmoid(x: np.ndarray) -> np.ndarray:
    """Return 1 / (1 + exp(-x)) for x of any size.

    >>> sigmoid([-1000.0, 0.0, 1000.0]).tolist()
    [0.0, 0.5, 1.0]
    """
    return 0.5 * (1.0 + np.tanh(0.5 * np.asarray(x, "float64")))


def relu(x: np.ndarray) -> np.ndarray:
    """Return max(x, 0)."""
    return np.maximum(np.asarray(x, "float64"), 0.0)


def softmax(logits: np.ndarray) -> np.ndarray:
    """Return the probabilities of each row of logits.

    >>> softmax([[1000.0, 1000.0]]).tolist()
    [[0.5, 0.5]]
    """
    logits = np.asarray(logits, "float64")
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return shifted / shifted.sum(axis=-1, keepdims=True)


def cross_entropy(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return minus the log probability of the true class, one number per row."""
    logits = np.asarray(logits, "float64")
    rows = np.arange(len(labels))
    return np.logaddexp.reduce(logits, axis=1) - logits[rows, labels]


def forward(
    X: np.ndarray, layers: Layers, activation: Callable = relu
) -> tuple[list[np.ndarray], np.ndarray]:
    """Return the input of every layer and the outputs; no activation follows the last layer.

    Args:
        X: Batch of shape (n, d).
        layers: Pairs of weights (m, k) and biases (k,).
        activation: Function after every layer but the last.
    """
    inputs = [np.asarray(X, "float64")]
    for W, b in layers[:-1]:
        inputs.append(activation(inputs[-1] @ W + b))
    W, b = layers[-1]
    return inputs, inputs[-1] @ W + b


def random_layers(
    case: np.random.Generator, sizes: Sequence[int], dtype: str = "float32"
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return pairs of standard normal weights and biases of a network of these sizes.

    >>> [W.shape for W, b in random_layers(np.random.default_rng(0), (3, 5, 2))]
    [(3, 5), (5, 2)]
    """
    return [
        (case.normal(size=(m, n)).astype(dtype), case.normal(size=n).astype(dtype))
        for m, n in itertools.pairwise(sizes)
    ]


def central_differences(
    function: Callable[[np.ndarray], float], x: np.ndarray, h: float = 1e-5
) -> np.ndarray:
    """Return the gradient of a function of an array, by central differences of step h.

    >>> central_differences(lambda v: float(np.sum(v**2)), np.array([1.0, -2.0])).round(6).tolist()
    [2.0, -4.0]
    """
    x = np.array(x, "float64")
    gradient = np.empty_like(x)
    for place in np.ndindex(x.shape):
        step = np.zeros_like(x)
        step[place] = h
        gradient[place] = (function(x + step) - function(x - step)) / (2 * h)
    return gradient
