"""Decide whether a run is long enough for XLA's longer compilation to pay off."""

from helpers.backend import BACKEND, keras, tf
from helpers.training import fingerprint, masked_dropout

__all__ = ["pays"]

_XLA_SECONDS = 2.5  # shorter runs are faster without XLA
_XLA_LAYERS = (
    keras.layers.Activation,
    keras.layers.BatchNormalization,
    keras.layers.Dense,
    keras.layers.Dropout,
    keras.layers.Flatten,
    keras.layers.InputLayer,
    keras.layers.LeakyReLU,
    keras.layers.Normalization,
    keras.layers.PReLU,
    keras.layers.ReLU,
    keras.layers.Rescaling,
    keras.layers.Reshape,
)


def pays(model: keras.Model, rows: int, batch_size: int, epochs: int) -> bool:
    """Return whether to use XLA, depending on sizes alone, so that runs are reproducible.

    On a CPU, XLA takes about 0.6 s longer to compile and saves about 40 % of the time of an epoch
    of dense layers. It is slower with convolutions, and it cannot compile some layers and some
    custom code. Its random numbers differ from TensorFlow's, so a model may draw only numbers that
    `helpers.training.masked_dropout` can draw. The constants are operations per second on two cores
    and TensorFlow's seconds per step.

    Args:
        model: A compiled model.
        rows: Rows per epoch.
        batch_size: Samples per step.
        epochs: Number of epochs.
    """
    if BACKEND != "tensorflow" or model.jit_compile:
        return True
    if not model.built or not isinstance(model, keras.Model):
        return False
    operations = 6 * model.count_params() * rows
    seconds = epochs * (operations / 1.5e11 + rows / batch_size * 5e-4)
    return (
        seconds > _XLA_SECONDS
        and all(type(layer) in _XLA_LAYERS for layer in model.layers)
        and masked_dropout.draws_in_xla(model)
        and fingerprint.is_known(model)
        and len(model.outputs) == 1  # Keras weights several losses by sizes that XLA must know
        and not tf.config.list_physical_devices("GPU")
    )
