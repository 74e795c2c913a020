"""Build the small Keras models that more than one page uses; every model outputs logits."""

from collections.abc import Sequence

from helpers.backend import keras

__all__ = ["linear", "mlp"]


def linear(units: int = 1, *, inputs: int, seed: int = 0) -> keras.Sequential:
    """Build a linear model: one dense layer, no activation.

    Args:
        units: Number of outputs, at least 1.
        inputs: Number of input features, at least 1.
        seed: Seed of the initial weights.

    Returns:
        An uncompiled model from (batch, inputs) to (batch, units).

    Example:
        >>> linear(inputs=330).output_shape
        (None, 1)
    """
    return mlp((), units, inputs=inputs, seed=seed)


def mlp(
    hidden_units: Sequence[int] = (256,),
    outputs: int = 10,
    *,
    inputs: int = 784,
    activation: str = "relu",
    rate: float | Sequence[float] = 0.0,
    kernel_initializer: str | keras.Initializer = "glorot_uniform",
    seed: int = 0,
) -> keras.Sequential:
    """Build a multilayer perceptron, with dropout after each hidden layer if a rate is given.

    Args:
        hidden_units: Units of each hidden layer, starting at the input; may be empty.
        outputs: Number of outputs, at least 1.
        inputs: Number of input features, at least 1.
        activation: Keras name of the activation of the hidden layers.
        rate: Fraction of activations set to zero, 0 <= rate < 1 (unitless): one for all hidden
            layers, or one for each. A rate of 0 adds no layer.
        kernel_initializer: Keras name of an initializer, or an initializer. With a name, each
            layer gets a different seed; an initializer is used as it is.
        seed: Seed of the initial weights and of the dropout masks.

    Returns:
        An uncompiled model from (batch, inputs) to (batch, outputs) logits.

    Raises:
        ValueError: If a rate is outside [0, 1), or the rates do not match the hidden layers.

    Example:
        >>> mlp((256, 256), rate=(0.2, 0.5)).count_params()
        269322
    """
    hidden_units = tuple(hidden_units)
    rates = (rate,) * len(hidden_units) if isinstance(rate, int | float) else tuple(rate)
    if len(rates) != len(hidden_units):
        raise ValueError(
            f"mlp has {len(hidden_units)} hidden layers but {len(rates)} dropout rates. "
            "Give one rate, or one for each hidden layer."
        )
    if not all(0 <= value < 1 for value in rates):
        raise ValueError(f"A dropout rate must be in [0, 1), but mlp got rate={rate}.")

    layers = [keras.Input((inputs,))]
    for index, (units, layer_rate) in enumerate(zip(hidden_units, rates, strict=True)):
        initializer = _seeded(kernel_initializer, seed + index)
        layers.append(keras.layers.Dense(units, activation, kernel_initializer=initializer))
        if layer_rate:
            layers.append(keras.layers.Dropout(layer_rate, seed=seed + index))
    initializer = _seeded(kernel_initializer, seed + len(hidden_units))
    layers.append(keras.layers.Dense(outputs, kernel_initializer=initializer))
    return keras.Sequential(layers)


def _seeded(initializer: str | keras.Initializer, seed: int) -> keras.Initializer:
    """Return the named initializer with this seed, if it takes one."""
    if not isinstance(initializer, str):
        return initializer
    found = keras.initializers.get(initializer)
    config = found.get_config()
    if "seed" not in config:
        return found
    return type(found).from_config(config | {"seed": seed})
