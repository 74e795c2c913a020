"""Train an ordinary compiled Keras model, each epoch as one compiled program."""

import random

import numpy as np

from helpers import programs
from helpers.folds import fold_indices
from helpers.quiet import keras, tf

__all__ = ["device", "fit", "fold_indices"]


def device() -> str:
    """Say in one line which backend and device training uses."""
    if programs.BACKEND != "tensorflow":
        return f"Training with {programs.BACKEND}."
    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        return "Training on the CPU with TensorFlow."
    name = tf.config.experimental.get_device_details(gpus[0]).get("device_name", "GPU")
    return f"Training on the GPU ({name}) with TensorFlow."


def fit(
    model,
    x,
    y=None,
    *,
    epochs=1,
    batch_size=32,
    validation_data=None,
    validation_split=0.0,
    sample_weight=None,
    class_weight=None,
    callbacks=None,
    shuffle=True,
    seed=None,
    verbose="auto",
    initial_epoch=0,
    checkpoint=None,
    live_plot=False,
) -> keras.callbacks.History:
    """Train a compiled Keras model as `model.fit` does."""
    data = programs.resident((x, y, sample_weight))
    held_out = None if validation_data is None else programs.resident(validation_data)
    programs.build(model, keras.tree.map_structure(lambda a: a[:2], data))
    rows = data[0].shape[0]
    seed = random.randint(1, 10**9) if seed is None else seed
    program = programs.program_for(model, (data, held_out or ()), batch_size, xla=False)
    if program.model is not model:
        programs.build(program.model, keras.tree.map_structure(lambda a: a[:2], data))
    events = keras.callbacks.CallbackList(
        callbacks, add_history=True, model=model, epochs=epochs, verbose=0
    )
    model.stop_training = False
    events.on_train_begin()
    logs = {}
    for epoch in range(initial_epoch, epochs):
        events.on_epoch_begin(epoch)
        order = epoch_order(rows, seed, epoch) if shuffle else np.arange(rows, dtype="int32")
        logs = programs.run(program, "train", model, data, order)
        if held_out is not None:
            order = np.arange(held_out[0].shape[0], dtype="int32")
            val = programs.run(program, "validate", model, held_out, order)
            logs |= {f"val_{name}": value for name, value in val.items()}
        events.on_epoch_end(epoch, logs)
        if model.stop_training:
            break
    events.on_train_end(logs)
    return model.history


def epoch_order(rows: int, seed: int, epoch: int) -> np.ndarray:
    """Return the order in which `fit` visits the rows in an epoch (the same on every backend)."""
    return np.random.default_rng((seed, epoch)).permutation(rows).astype("int32")
