"""The builders return uncompiled models with the shapes that pages rely on."""

import numpy as np
import pytest

from helpers import models
from helpers.backend import keras


def test_linear_is_one_dense_layer():
    model = models.linear(inputs=330)
    assert model.count_params() == 331
    assert not model.compiled
    x = np.ones((2, 330), "float32")
    kernel, bias = model.get_weights()
    np.testing.assert_allclose(model(x), x @ kernel + bias, rtol=1e-5)


def test_mlp_puts_out_logits_of_the_formula():
    model = models.mlp((5,), 3, inputs=4, activation="tanh")
    x = np.random.default_rng(0).normal(size=(7, 4)).astype("float32")
    w1, b1, w2, b2 = model.get_weights()
    np.testing.assert_allclose(model(x), np.tanh(x @ w1 + b1) @ w2 + b2, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("rate, layers", [(0.0, []), (0.5, [0.5, 0.5]), ((0.2, 0.0), [0.2])])
def test_mlp_rate_decides_the_dropout_layers(rate, layers):
    model = models.mlp((8, 8), rate=rate)
    rates = [layer.rate for layer in model.layers if isinstance(layer, keras.layers.Dropout)]
    assert rates == layers


def test_mlp_seed_decides_the_weights():
    first, again, other = (models.mlp(seed=seed).get_weights()[0] for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_mlp_layers_of_one_shape_start_differently():
    weights = models.mlp((6, 6), 6, inputs=6).get_weights()
    assert not np.array_equal(weights[0], weights[2])


def test_mlp_takes_an_initializer_by_name_or_object():
    assert not models.mlp(kernel_initializer="zeros").get_weights()[0].any()
    ones = models.mlp(kernel_initializer=keras.initializers.Constant(1.0)).get_weights()[0]
    assert (ones == 1).all()


@pytest.mark.parametrize("rate", [1.0, -0.1, (0.5, 2.0)])
def test_mlp_rate_outside_the_range_is_refused(rate):
    with pytest.raises(ValueError, match=r"must be in \[0, 1\)"):
        models.mlp((8, 8), rate=rate)


def test_mlp_rates_that_do_not_match_the_layers_are_refused():
    with pytest.raises(ValueError, match="2 hidden layers but 3 dropout rates"):
        models.mlp((8, 8), rate=(0.1, 0.2, 0.3))
