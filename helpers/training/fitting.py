"""Train a compiled Keras model as `model.fit` does, each epoch as one compiled program.

`fit` adapts the data, chooses a path, places the data and runs. There are two paths: the program
of `helpers.training.epoch`, and `model.fit` itself for all that the program cannot do better.
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
    """Say in one line which backend and device training uses.

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
    """Train a compiled model as `model.fit` does, with the loop over batches compiled too.

    The arguments up to `validation_freq` are those of `model.fit`, in its order and with its
    defaults. Arrays are moved onto the device once, and each epoch is one program. `model.fit`
    itself runs what such a program cannot do better: data sets and generators, callbacks that
    listen to batches, eager models, data larger than the device, PyTorch.

    Differences from `model.fit`, of which `check_finite=False` switches off the first two:

    - Data with NaN or infinite entries, and targets that Keras would broadcast against another
      shape, are refused before training.
    - A loss that is not finite ends the run with `NonFiniteLoss`, and the model keeps its weights
      from before that epoch (unless `callbacks` has a `TerminateOnNaN`, which then decides).
    - The first Ctrl-C ends the run cleanly after the running epoch, with the history so far.
    - One bar shows the run instead of one line per epoch.

    Args:
        model: A compiled Keras model.
        x: Inputs, (rows, ...): whatever `model.fit` takes.
        y: Targets, (rows, ...); None with a data set.
        batch_size: Samples per gradient update, 32 by default; the last batch may have fewer.
        epochs: The epoch to stop after.
        verbose: 0 shows nothing, 1 a progress bar, 2 one line per epoch; "auto" is 1 if somebody
            is watching and 0 under CI, in tests and in files. With 1 or 2, `fit` says which path
            it takes and why.
        callbacks: Keras callbacks.
        validation_split: Fraction of the rows, taken from the end, to validate on.
        validation_data: (x, y), (x, y, weights) or a data set to validate on instead.
        shuffle: Whether the rows are visited in a random order.
        class_weight: A weight for each class number; those not named have 1.
        sample_weight: One weight per row.
        initial_epoch: The epoch to start at, counted from 0.
        steps_per_epoch: Batches per epoch, for data that does not end.
        validation_steps: Batches to validate on.
        validation_batch_size: Rows per batch of the validation; `batch_size` by default.
        validation_freq: Validate after every so many epochs, or after the epochs in a list.
        seed: Seed of a new order of the rows in each epoch (see `epoch_order`). None shuffles as
            `model.fit` does, so that `keras.utils.set_random_seed` gives the same numbers.
        check_finite: Whether to refuse what the first two differences name.
        checkpoint: A file that is written after each epoch. If it exists, the run goes on from
            it, with the same weights bit for bit as a run that was never stopped. The state of
            the callbacks is not part of it.
        live_plot: Whether to draw the loss during the run (in a notebook).

    Returns:
        The history, as from `model.fit`.

    Raises:
        ValueError: If the model, the data or a number cannot be trained with; before any training.
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

    # Adapt the data.
    train, held_out = _adapt(model, arguments, check_finite)

    # Choose the path.
    reason = _why_model_fit(model, arguments, train, held_out, users, is_list)
    run = checkpoints.Run(checkpoint, model, train, initial_epoch, seed)
    arguments["initial_epoch"] = run.epoch

    # Place the data.
    given = [part for part in (train, held_out) if part is not None]
    placed = None if reason else epoch.resident(given)
    if placed is None and reason is None:
        size = sum(array.nbytes for array in keras.tree.flatten(given)) / 2**30
        reason = f"{size:.1f} GiB of data do not fit the device"

    # Run, and report through callbacks.
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
            _say_path(verbose, f"model.fit runs this: {reason}.")
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
    """Return the data to train and to validate on as a step takes them.

    Either is None where it is not given as arrays of numbers.
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
    """Say what keeps an epoch from being one program; None where it can be one."""
    listener = hooks.batch_listener(callbacks)
    own_loop = next((name for name in _LOOPS if _is_overridden(model, name)), None)
    caps = keras.config.max_epochs(), keras.config.max_steps_per_epoch()
    limits = [n for n in ("steps_per_epoch", "validation_steps") if arguments[n] is not None]
    obstacles = {
        "PyTorch compiles no whole epochs": BACKEND == "torch",
        "the model runs eagerly": model.run_eagerly,
        "the model has no optimizer": model.optimizer is None,
        f"the model has its own {own_loop}": own_loop,
        "callbacks are a CallbackList": is_list,
        f"{listener} listens to batches": listener,
        "the model is distributed": _is_distributed(model),
        f"x is a {type(arguments['x']).__name__}, not an array of numbers": train is None,
        f"{' and '.join(limits)} set the number of batches": limits,
        "rows are shuffled within batches": not isinstance(arguments["shuffle"], bool),
        "Keras is set to stop early": any(caps),
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
        None and the callbacks; or, before anything has been trained, why this cannot be done and
        the callbacks with which `model.fit` can go on.
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
            return f"its step cannot be part of a larger program ({error})", hooks.begun(events)
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
    """Measure the model on the data held out; return the metrics by their names in a history."""
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
    """Tell whether to validate after so many epochs."""
    is_number = isinstance(frequency, int)
    return finished % frequency == 0 if is_number else finished in frequency


def _in_seeded_order(data, arguments, run, events) -> dict:
    """Return arguments with which `model.fit` visits the rows in the order of a seed."""
    batch_size = arguments["batch_size"] or 32
    batches = data_adapter.SeededBatches(data[0], batch_size, run.seed, run.epoch)
    events.append(batches.follow)
    changed = dict.fromkeys(("y", "batch_size", "sample_weight", "class_weight"))
    changed |= {"x": batches, "shuffle": False, "validation_split": 0.0}
    if arguments["validation_batch_size"] is None:
        changed["validation_batch_size"] = batch_size
    return changed | ({"validation_data": data[1]} if len(data) > 1 else {})
