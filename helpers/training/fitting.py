"""Train a compiled Keras model as `model.fit` does, each epoch as one compiled program.

`fit` converts the data to arrays, chooses a training loop, moves the data to the device and trains.
There are two loops: the compiled program of `helpers.training.epoch`, and `model.fit` itself for
everything that this program cannot do, or cannot do faster.
"""

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from helpers.backend import BACKEND, keras, tf
from helpers.training import callbacks as hooks
from helpers.training import checkpoint as checkpoints
from helpers.training import data_adapter, epoch, progress_bar, xla
from helpers.training.non_finite_loss import StopOnNonFiniteLoss

__all__ = ["device", "fit"]


def device() -> str:
    """Return the backend and the device that training uses, in one line.

    Returns:
        For example "TensorFlow on the CPU" or "TensorFlow on the GPU (NVIDIA H100)".
    """
    backend = {"tensorflow": "TensorFlow", "jax": "JAX", "torch": "PyTorch"}[BACKEND]
    return f"{backend} on the {epoch.device_name()}"


def fit(
    model: keras.Model,
    x: Any = None,
    y: Any = None,
    batch_size: int | None = None,
    epochs: int = 1,
    verbose: int | str = "auto",
    callbacks: Sequence[keras.callbacks.Callback] | None = None,
    validation_split: float = 0.0,
    validation_data: Any = None,
    shuffle: bool | str = True,
    class_weight: Mapping[int, float] | None = None,
    sample_weight: Any = None,
    initial_epoch: int = 0,
    steps_per_epoch: int | None = None,
    validation_steps: int | None = None,
    validation_batch_size: int | None = None,
    validation_freq: int | Sequence[int] = 1,
    *,
    seed: int | None = None,
    check_finite: bool = True,
    checkpoint: str | Path | None = None,
    live_plot: bool = False,
) -> keras.callbacks.History:
    """Train a compiled model as `model.fit` does, with the loop over batches compiled as well.

    The arguments up to `validation_freq` are those of `model.fit`, in the same order and with the
    same defaults. Arrays are moved to the device once, and each epoch is one compiled program.
    Everything else goes to `model.fit`: datasets and generators, callbacks that are called for
    every batch, models that run eagerly, data that does not fit on the device, and PyTorch.

    Differences from `model.fit` (`check_finite=False`, or a `TerminateOnNaN` among the callbacks,
    turns off the first two):

    - Data with NaN or infinite entries, and targets that Keras would broadcast to another shape,
      raise a `ValueError` before training starts.
    - A loss that is not finite raises `NonFiniteLoss`, and the weights from before that epoch are
      restored.
    - The first Ctrl-C stops training at the end of the current epoch and keeps the history so far.
    - One progress bar covers the whole run, instead of one line per epoch.

    Args:
        model: A compiled Keras model.
        x: Inputs of shape (rows, ...), in any form that `model.fit` accepts.
        y: Targets of shape (rows, ...); None with a dataset.
        batch_size: Samples per gradient update, 32 by default; the last batch may have fewer.
        epochs: Number of epochs; with `initial_epoch`, the epoch at which to stop.
        verbose: 0 for no output, 1 for a progress bar, 2 for one line per epoch; "auto" for a bar
            in a terminal or a notebook and no output under CI, in tests and in files. With 1 or 2,
            `fit` also prints which loop it uses, and why if that is `model.fit`.
        callbacks: Keras callbacks.
        validation_split: Fraction of the rows, taken from the end, to validate on.
        validation_data: (x, y), (x, y, weights) or a dataset to validate on instead.
        shuffle: Whether the rows are visited in a random order.
        class_weight: Dictionary from class number to weight; other classes have weight 1.
        sample_weight: One weight per row.
        initial_epoch: Epoch at which to start, counted from 0.
        steps_per_epoch: Batches per epoch, for example for an infinite dataset.
        validation_steps: Batches to validate on.
        validation_batch_size: Samples per validation batch; `batch_size` by default.
        validation_freq: Number of epochs from one validation to the next, or a list of the epochs
            to validate after, counted from 1.
        seed: Seed for the order of the rows, which is new in each epoch (see `epoch_order`). None
            shuffles as `model.fit` does, with the same results after
            `keras.utils.set_random_seed`.
        check_finite: Whether to check the data and the loss as described above.
        checkpoint: File to write after each epoch. If it exists, training resumes from it and ends
            with the weights of an uninterrupted run, bit for bit. The state of the callbacks is
            not saved.
        live_plot: Whether to plot the loss during training (in a notebook).

    Returns:
        The `History` object that `model.fit` would return.

    Raises:
        ValueError: If the model is not compiled, or if the data or another argument is invalid;
            raised before training starts.
        NonFiniteLoss: If the loss of an epoch is NaN or infinite.
    """
    _check_compiled(model)
    data_adapter.check_numbers(
        epochs=(epochs, 0),
        batch_size=(32 if batch_size is None else batch_size, 1),
        initial_epoch=(initial_epoch, 0),
        seed=(0 if seed is None else seed, 0),
    )
    arguments = {  # of model.fit
        "x": x,
        "y": y,
        "batch_size": batch_size,
        "epochs": epochs,
        "validation_split": validation_split,
        "validation_data": validation_data,
        "shuffle": shuffle,
        "class_weight": class_weight,
        "sample_weight": sample_weight,
        "initial_epoch": initial_epoch,
        "steps_per_epoch": steps_per_epoch,
        "validation_steps": validation_steps,
        "validation_batch_size": validation_batch_size,
        "validation_freq": validation_freq,
    }
    is_list = isinstance(callbacks, keras.callbacks.CallbackList)
    users = callbacks.callbacks if is_list else keras.tree.flatten(callbacks or [])
    check_finite &= not any(isinstance(c, keras.callbacks.TerminateOnNaN) for c in users)

    # Convert the data to arrays.
    train, held_out = _adapt(model, arguments, check_finite)

    # Choose the loop.
    reason = _why_model_fit(model, arguments, train, held_out, users, is_list)
    run = checkpoints.Run(checkpoint, model, train, initial_epoch, seed)
    arguments["initial_epoch"] = run.epoch

    # Move the data to the device.
    given = [part for part in (train, held_out) if part is not None]
    placed = None if reason else epoch.resident(given)
    if placed is None and reason is None:
        size = sum(array.nbytes for array in keras.tree.flatten(given)) / 2**30
        reason = f"{size:.1f} GiB of data do not fit on the device"

    # Train, and report through callbacks.
    own = [hooks.StopAfterInterrupt(verbose == 0), keras.callbacks.History(), *run.callbacks]
    own += progress_bar.shown(verbose, live_plot, run.epoch)
    first = [StopOnNonFiniteLoss()] if check_finite else []
    events = callbacks if is_list else [*first, *users, *own]
    with contextlib.ExitStack() as stack:
        for callback in own:
            stack.enter_context(getattr(callback, "during_fit", contextlib.nullcontext)())
        if reason is None:
            reason, events = _by_epochs(model, placed, arguments, run, events, verbose)
        if reason is not None:
            _say_path(verbose, f"Training with model.fit: {reason}.")
            if train is not None and run.seed is not None and not steps_per_epoch and shuffle:
                arguments |= _in_seeded_order(given, arguments, run, events)
            model.fit(**arguments, callbacks=events, verbose=0)
    return model.history


def _check_compiled(model: keras.Model) -> None:
    if not getattr(model, "compiled", False):
        raise ValueError(
            "The model is not compiled: call model.compile(optimizer=..., loss=...) before fit."
        )


def _say_path(verbose: int | str, text: str) -> None:
    if verbose in (1, 2):
        print(text)


def _adapt(model: keras.Model, arguments: dict, check: bool) -> tuple:
    """Return the training and the validation data in the form that a training step takes.

    Each is None if it was not given as arrays of numbers.
    """
    given = arguments["x"], arguments["y"], arguments["sample_weight"]
    train = data_adapter.to_arrays(*given)
    if train is None:
        data_adapter.check_text(model, arguments["x"])
        return None, None
    held_out = arguments["validation_data"]
    if held_out is not None:
        held_out = data_adapter.unpack(held_out)
        held_out = held_out and data_adapter.to_arrays(*held_out, of="validation ")
    elif arguments["validation_split"]:
        train, held_out = data_adapter.split(train, arguments["validation_split"])
    if check:
        data_adapter.check_data(model, train)
        if held_out is not None:
            data_adapter.check_data(model, held_out, "validation ")
    train = data_adapter.with_class_weights(*train, arguments["class_weight"])
    return data_adapter.pack(*train), held_out and data_adapter.pack(*held_out)


_LOOPS = ("fit", "evaluate", "make_train_function", "make_test_function")


def _why_model_fit(model, arguments, train, held_out, callbacks, is_list) -> str | None:
    """Return why an epoch cannot run as one program, or None if it can."""
    listener = hooks.batch_listener(callbacks)
    own_loop = next((name for name in _LOOPS if _is_overridden(model, name)), None)
    caps = keras.config.max_epochs(), keras.config.max_steps_per_epoch()
    limits = [n for n in ("steps_per_epoch", "validation_steps") if arguments[n] is not None]
    obstacles = {
        "PyTorch cannot compile a whole epoch": BACKEND == "torch",
        "the model runs eagerly": model.run_eagerly,
        "the model has no optimizer": model.optimizer is None,
        f"the model overrides {own_loop}": own_loop,
        "callbacks is a CallbackList": is_list,
        f"{listener} is called for every batch": listener,
        "training is distributed": _is_distributed(model),
        f"x is a {type(arguments['x']).__name__}, not an array of numbers": train is None,
        f"the number of batches is set by {' and '.join(limits)}": limits,
        "rows are shuffled in batch-sized chunks": not isinstance(arguments["shuffle"], bool),
        "Keras's configuration limits the epochs or the steps": any(caps),
        "the validation data is not an array of numbers": (
            arguments["validation_data"] is not None and held_out is None
        ),
    }
    return next((reason for reason, holds in obstacles.items() if holds), None)


def _is_overridden(model: keras.Model, name: str) -> bool:
    return name in vars(model) or getattr(type(model), name) is not getattr(keras.Model, name)


def _is_distributed(model: keras.Model) -> bool:
    if tf is None:
        return keras.distribution.distribution() is not None
    return tf.distribute.has_strategy() or (
        model.distribute_strategy is not tf.distribute.get_strategy()
    )


def _by_epochs(model, data, arguments, run, callbacks, verbose) -> tuple:
    """Run each epoch as one program.

    Returns:
        None and the callbacks. If the model's step cannot be compiled, the reason and the callbacks
        with which `model.fit` can continue; nothing has been trained then.
    """
    train_data, held_out = (*data, None)[:2]
    epochs = arguments["epochs"]
    rows, batch_size = data_adapter.rows_of(train_data), arguments["batch_size"] or 32
    use_xla = epoch.is_prepared(model, train_data) and xla.pays(model, rows, batch_size, epochs)
    train = epoch.program_of(model, "train", batch_size, use_xla)
    orders = data_adapter.orders(rows, arguments["shuffle"], run.seed, run.epoch)
    steps = -(-rows // batch_size)
    parameters = {"verbose": 0, "epochs": epochs, "steps": steps}
    events = keras.callbacks.CallbackList(callbacks, model=model, **parameters)

    model.stop_training = False
    events.on_train_begin()
    logs = None
    for number in range(run.epoch, epochs):
        model.reset_metrics()
        events.on_epoch_begin(number)
        order = next(orders)
        try:
            train.prepare(train_data, order)
        except epoch.NotOneProgram as error:
            return (
                f"the model's step cannot be compiled as part of an epoch ({error})",
                hooks.begun(events),
            )
        if number == run.epoch:
            _say_path(verbose, f"Each epoch is one compiled program{' with XLA' * use_xla}.")
        logs = train(train_data, order)
        if held_out is not None and _is_due(number + 1, arguments["validation_freq"]):
            logs |= _validate(model, held_out, arguments, use_xla, events)
        events.on_epoch_end(number, logs)
        if model.stop_training:
            break
    if isinstance(model.optimizer, keras.optimizers.Optimizer) and epochs > 0:
        model.optimizer.finalize_variable_values(model.trainable_variables)
    events.on_train_end(logs)
    return None, events


def _validate(model, held_out, arguments, use_xla, events) -> dict:
    """Evaluate the model on the validation data and return metrics named as in a history."""
    batch_size = arguments["validation_batch_size"] or arguments["batch_size"] or 32
    test = epoch.program_of(model, "test", batch_size, use_xla)
    order = np.arange(data_adapter.rows_of(held_out), dtype="int32")
    try:
        test.prepare(held_out, order)
        events.on_test_begin()
        model.reset_metrics()
        logs = test(held_out, order)
        events.on_test_end(logs)
    except epoch.NotOneProgram:
        x, y, weights = keras.utils.unpack_x_y_sample_weight(held_out)
        logs = model.evaluate(x, y, batch_size, 0, weights, callbacks=events, return_dict=True)
    return {f"val_{name}": value for name, value in logs.items()}


def _is_due(finished: int, frequency: int | Sequence[int]) -> bool:
    """Return whether to validate after this number of epochs."""
    is_number = isinstance(frequency, int)
    return finished % frequency == 0 if is_number else finished in frequency


def _in_seeded_order(data, arguments, run, events) -> dict:
    """Return arguments with which `model.fit` visits the rows in the order of the seed."""
    batch_size = arguments["batch_size"] or 32
    batches = data_adapter.SeededBatches(data[0], batch_size, run.seed, run.epoch)
    events.append(batches.follow)
    changed = dict.fromkeys(("y", "batch_size", "sample_weight", "class_weight"))
    changed |= {"x": batches, "shuffle": False, "validation_split": 0.0}
    if arguments["validation_batch_size"] is None:
        changed["validation_batch_size"] = batch_size
    return changed | ({"validation_data": data[1]} if len(data) > 1 else {})
