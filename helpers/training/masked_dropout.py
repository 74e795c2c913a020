"""Dropout with masks that are drawn before the step that uses them.

A step that receives its masks as inputs can be compiled by XLA and mapped over many models. On a
CPU, XLA's random number generator is slow and its numbers differ from TensorFlow's. TensorFlow's
generator is therefore reimplemented here: the masks equal those of `keras.layers.Dropout` with the
same seed.

Source: Salmon et al., Parallel random numbers: as easy as 1, 2, 3 (2011), Philox 4x32-10.
"""

import contextlib
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from helpers.backend import BACKEND, keras, tf

__all__ = ["Masked", "draws_all", "draws_in_xla", "given", "layers_of"]

_ROUNDS = 10
_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_KEY_STEPS = (0x9E3779B9, 0xBB67AE85)


class Masked:
    """A dropout layer whose masks are drawn before the step that uses them.

    Attributes:
        layer: The Keras layer.
        mask: Mask for the next call, of the inputs' shape: 1 where an entry is kept, else 0.
    """

    def __init__(self, layer: keras.layers.Dropout):
        self.layer, self.mask = layer, None
        self._unit_shape = tuple(layer.input.shape[1:])

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Apply dropout with the given mask."""
        if not training:
            return inputs
        scaled = inputs * keras.ops.cast(1 / (1 - self.layer.rate), inputs.dtype)
        return keras.ops.where(keras.ops.cast(self.mask, "bool"), scaled, 0)

    def noise(self, rows: int) -> Any:
        """Draw the noise for a batch, uniform in [0, 1)."""
        shape, generator = (rows, *self._unit_shape), self.layer.seed_generator
        return keras.random.uniform(shape, dtype=self.layer.compute_dtype, seed=generator)

    def keeps(self, noise: Any) -> Any:
        """Return the mask for this noise, bool."""
        # As in the backends: JAX keeps entries with small noise, TensorFlow those with large noise.
        return noise < 1 - self.layer.rate if BACKEND == "jax" else noise >= self.layer.rate

    def draw(self, rows: int) -> Any:
        """Draw the mask for a batch, uint8 of shape (rows, ...)."""
        return keras.ops.cast(self.keeps(self.noise(rows)), "uint8")

    def draw_in_xla(self, rows: int) -> Any:
        """Draw the same mask as `draw`, inside a program compiled by XLA, for float32 inputs."""
        generator = self.layer.seed_generator
        seed = tf.cast(generator.next() % (tf.int32.max - 1), tf.int32)  # as Keras does
        count = rows * math.prod(self._unit_shape)
        least = math.ceil(float(np.float32(self.layer.rate)) * 2**23)  # of 23 random bits
        four = [tf.cast(word & (2**23 - 1) >= least, tf.uint32) for word in _philox(seed, count)]
        packed = sum(tf.bitwise.left_shift(kept, 8 * place) for place, kept in enumerate(four))
        mask = tf.reshape(tf.bitcast(packed, tf.uint8), (-1,))[:count]
        return tf.reshape(mask, (rows, *self._unit_shape))

    def take_back(self) -> None:
        """Undo the last draw, so that the next one repeats it."""
        self.layer.seed_generator.state.assign_sub([0, 1])


@contextlib.contextmanager
def given(dropouts: Sequence[Masked]) -> Iterator[None]:
    """Make the layers use their given masks while a program is traced."""
    for dropout in dropouts:
        dropout.layer.call = dropout.call
    try:
        yield
    finally:
        for dropout in dropouts:
            del dropout.layer.call


def layers_of(model: keras.Model) -> list[Masked]:
    """Return the dropout layers of a model whose masks can be given."""
    return [Masked(layer) for layer in model.layers if _is_plain(layer)]


def draws_all(model: keras.Model) -> bool:
    """Return whether a built model draws random numbers only in dropout layers used once each."""
    generators = sum("seed_generator" in v.path for v in model.non_trainable_variables)
    if not generators:
        return True
    if not type(model).__module__.startswith("keras."):
        return False  # custom code may call a layer any number of times
    used_once = {
        part["config"].get("name")
        for part in model.get_config()["layers"]
        if len(part.get("inbound_nodes", ["the layer before"])) == 1
    }
    known = [layer for layer in model.layers if _is_plain(layer) and layer.name in used_once]
    return generators == sum(None not in layer.input.shape[1:] for layer in known)


def draws_in_xla(model: keras.Model) -> bool:
    """Return whether `Masked.draw_in_xla` can draw all random numbers of a built model."""
    dropouts = filter(_is_plain, model.layers)
    return draws_all(model) and all(layer.compute_dtype == "float32" for layer in dropouts)


def _is_plain(layer: keras.Layer) -> bool:
    return type(layer) is keras.layers.Dropout and 0 < layer.rate < 1 and layer.noise_shape is None


def _philox(seed: Any, count: int) -> list:
    """Return four arrays of 32-bit words, `count` or more: entry i of array j is word 4 i + j."""
    key, counter = tf.raw_ops.StatelessRandomGetKeyCounter(seed=seed)
    groups = tf.cast(tf.range(-(-count // 4), dtype=tf.int64), tf.uint64)
    a, b = _halves(groups)  # the counter's first half starts at 0
    c, d = _halves(tf.broadcast_to(counter[1], groups.shape))
    keys = _halves(key[0])
    for _ in range(_ROUNDS):
        (a_low, a_high), (c_low, c_high) = (
            _halves(tf.cast(word, tf.uint64) * multiplier)
            for word, multiplier in zip((a, c), _MULTIPLIERS, strict=True)
        )
        a, b, c, d = c_high ^ b ^ keys[0], c_low, a_high ^ d ^ keys[1], a_low
        keys = [key + step for key, step in zip(keys, _KEY_STEPS, strict=True)]
    return [a, b, c, d]


def _halves(words: Any) -> list:
    """Split 64-bit words into their low and their high 32 bits."""
    return [tf.cast(half, tf.uint32) for half in (words, tf.bitwise.right_shift(words, 32))]
