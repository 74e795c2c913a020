"""Train an ordinary compiled Keras model, each epoch as one compiled program."""

import contextlib
import math
import random
import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from helpers.backend import BACKEND, keras
from helpers.training import checkpoints, inputs, programs, reporting
from helpers.training.cross_validation import Result, fold_indices, k_fold, search
from helpers.training.programs import epoch_order

__all__ = [
    "NonFiniteLoss",
    "Result",
    "device",
    "epoch_order",
    "fit",
    "fold_indices",
    "k_fold",
    "search",
]


_FEW_STEPS = 12  # a step takes some 6 ms in Python, a small model's program some 150 ms


class NonFiniteLoss(ArithmeticError):
    """The loss became NaN or infinite; `history` is the run up to then.

    The model keeps its weights from the end of the last epoch with a finite loss.
    """

    history: keras.callbacks.History


def device() -> str:
    """Say in one line which backend and device training uses.

    Returns:
        For example "TensorFlow on the CPU" or "TensorFlow on the GPU (NVIDIA H100)".
    """
    backend = {"tensorflow": "TensorFlow", "jax": "JAX", "torch": "PyTorch"}[BACKEND]
    return f"{backend} on the {programs.device_name()}"


def fit(
    model: keras.Model,
    x: Any,
    y: Any = None,
    *,
    epochs: int = 1,
    batch_size: int = 32,
    validation_data: Any = None,
    validation_split: float = 0.0,
    sample_weight: Any = None,
    class_weight: Mapping[int, float] | None = None,
    callbacks: Sequence[keras.callbacks.Callback] | None = None,
    shuffle: bool = True,
    seed: int | None = None,
    verbose: int | str = "auto",
    initial_epoch: int = 0,
    checkpoint: str | Path | None = None,
    live_plot: bool = False,
) -> keras.callbacks.History:
    """Train a compiled model as `model.fit` does, with the loop over batches compiled too.

    Arrays are moved onto the device once and each epoch is one program. Data that does not fit
    there, a `tf.data.Dataset`, and callbacks that listen to batches are trained batch by batch.
    Mixed precision comes with the model: build it under
    `keras.config.set_dtype_policy("mixed_bfloat16")` or `"mixed_float16"`.
    Ctrl-C ends the run cleanly after the running epoch, with the history so far.

    Args:
        model: A compiled Keras model.
        x: Inputs, (rows, ...), an array, tensor, data frame or a structure of them; or a data set
            that yields (x, y) or (x, y, weights) in batches.
        y: Targets, (rows, ...); None with a data set.
        epochs: The epoch to stop after, at least 1.
        batch_size: Rows a step; the last batch of an epoch may have fewer.
        validation_data: (x, y), (x, y, weights) or a data set, measured after each epoch.
        validation_split: Fraction of the rows, taken from the end, to validate on instead.
        sample_weight: One weight a row.
        class_weight: A weight for each class number; those not named have 1.
        callbacks: Keras callbacks.
        shuffle: Whether the rows are visited in a new order each epoch (see `epoch_order`).
        seed: Seed of that order; None draws one from Python's `random`, so
            `keras.utils.set_random_seed` fixes it.
        verbose: 0 shows nothing, 1 a progress bar, 2 a line an epoch; "auto" is 1 where somebody
            is watching and 0 under CI, in tests and in files.
        initial_epoch: The epoch to start at, counted from 0.
        checkpoint: A file that is written after each epoch. If it exists, the run goes on from
            it, with the same weights bit for bit as a run that was never stopped. The state of
            the callbacks is not part of it.
        live_plot: Whether to draw the loss during the run (in a notebook).

    Returns:
        The history, with the keys of `model.fit`'s.

    Raises:
        ValueError: If the model, the data or a number cannot be trained with; before any training.
        NonFiniteLoss: If the loss of an epoch is NaN or infinite.
    """
    inputs.check_model(model)
    inputs.check_numbers(epochs, batch_size, validation_split, initial_epoch, seed)
    callbacks = keras.tree.flatten(callbacks or [])
    if inputs.is_arrays(x):
        data = inputs.arrays(x, y, sample_weight, class_weight)
        if validation_data is None and validation_split:
            data, validation_data = inputs.split(data, validation_split)
    else:
        data = inputs.Batches(x, y, sample_weight, class_weight, validation_split)
    held_out = None if validation_data is None else inputs.held_out(validation_data)
    inputs.check_fit(model, data)
    inputs.check_fit(model, held_out, "validation ")
    programs.build(model, inputs.first_rows(data))

    run = {"epoch": initial_epoch, "history": {}}
    run["seed"] = random.randint(1, 10**9) if seed is None else int(seed)
    run["xla"] = programs.use_xla(model, inputs.rows(data), batch_size, epochs)
    run["eager"] = _is_short(data, held_out, batch_size, epochs)
    if checkpoint is not None:
        run |= checkpoints.load(checkpoint, model) or {}
    say = (lambda _: None) if verbose == 0 else print
    runner = _Runner(model, data, held_out, batch_size, run, shuffle, _listeners(callbacks), say)

    shown = reporting.callbacks(verbose, live_plot, run["epoch"])
    events = keras.callbacks.CallbackList(
        [*callbacks, *shown], add_history=True, model=model, epochs=epochs, verbose=0
    )
    with _ctrl_c_ends_epoch(model, say), contextlib.ExitStack() as stack:
        for callback in shown:
            stack.callback(callback.close)
        events.on_train_begin()
        model.history.history.update({name: [*old] for name, old in run["history"].items()})
        model.history.epoch[:] = range(run["epoch"] if run["history"] else 0)
        logs = {}
        for epoch in range(run["epoch"], epochs):
            logs = _one_epoch(model, runner, events, epoch)
            if checkpoint is not None:
                kept = {"epoch": epoch + 1, "history": model.history.history}
                checkpoints.save(checkpoint, model, **run | kept)
            if model.stop_training:
                break
        model.optimizer.finalize_variable_values(model.trainable_variables)
        events.on_train_end(logs)
    return model.history


def _one_epoch(model: keras.Model, runner: "_Runner", events: Any, epoch: int) -> dict:
    events.on_epoch_begin(epoch)
    before = programs.values(model)
    logs = runner.train(epoch, events)
    if not math.isfinite(logs["loss"]):
        programs.assign(model, before)
        events.on_train_end(logs)
        rate = float(model.optimizer.learning_rate)
        error = NonFiniteLoss(
            f"The loss became {logs['loss']} in epoch {epoch + 1} with learning rate {rate:g}; the "
            f"model keeps its weights from before that epoch. Try learning rate {rate / 10:g}, "
            "inputs scaled to around 1, or clipnorm=1.0 in the optimizer."
        )
        error.history = model.history
        raise error
    logs |= runner.validate(events)
    events.on_epoch_end(epoch, logs)
    return logs


def _is_short(data: Any, held_out: Any, batch_size: int, epochs: int) -> bool:
    """Tell whether a whole run takes less time than writing a program for it."""
    parts = [part for part in (data, held_out) if part is not None]
    if BACKEND != "tensorflow" or not all(isinstance(part, tuple) for part in parts):
        return False
    return epochs * sum(math.ceil(inputs.rows(part) / batch_size) for part in parts) <= _FEW_STEPS


class _Runner:
    """Runs epochs as programs on resident data, or batch by batch where that cannot be."""

    def __init__(self, model, data, held_out, batch_size, run, shuffle, listeners, say):
        self.model, self.data, self.held_out = model, data, held_out
        self.batch_size, self.seed, self.shuffle = batch_size, run["seed"], shuffle
        self.program = self.steps = None
        by_batch = listeners or BACKEND == "torch" or model.run_eagerly or run["eager"]
        if listeners:
            say(f"{listeners[0]} listens to batches, so this run goes batch by batch.")
        if isinstance(data, tuple) and not by_batch:
            moved = programs.resident((data, held_out if isinstance(held_out, tuple) else ()))
            if moved is None:
                size = sum(array.nbytes for array in keras.tree.flatten(data)) / 2**30
                say(f"{size:.1f} GiB of data do not fit the device: training batch by batch.")
            else:
                self.data = moved[0]
                self.held_out = moved[1] or held_out
                self.program = programs.program_for(model, self.data, batch_size, run["xla"])
        if self.program is None or not isinstance(held_out, tuple | None):
            self.steps = programs.Steps(model, run["eager"])

    def train(self, epoch: int, events: Any) -> dict:
        return self._run("train", self.data, epoch if self.shuffle else None, events)

    def validate(self, events: Any) -> dict:
        if self.held_out is None:
            return {}
        events.on_test_begin()
        logs = self._run("test", self.held_out, None, events)
        events.on_test_end(logs)
        return {f"val_{name}": value for name, value in logs.items()}

    def _run(self, which: str, data: Any, shuffled: int | None, events: Any) -> dict:
        if not isinstance(data, tuple):
            return self.steps.run(which, data, events)
        rows = inputs.rows(data)
        order = np.arange(rows, dtype="int32")
        if shuffled is not None:
            order = epoch_order(rows, self.seed, shuffled)
        if self.program is not None:
            return self.program.run(which, self.model, data, order)
        size = self.batch_size
        parts = (order[start : start + size] for start in range(0, rows, size))
        batches = (keras.tree.map_structure(lambda a, p=part: a[p], data) for part in parts)
        return self.steps.run(which, batches, events)


def _listeners(callbacks: Sequence[keras.callbacks.Callback]) -> list[str]:
    """Name the callbacks that need to be told of every batch."""
    found = []
    for callback in callbacks:
        if isinstance(callback, keras.callbacks.BackupAndRestore):
            raise ValueError(
                "BackupAndRestore works in model.fit only: name a file in fit's checkpoint instead."
            )
        if getattr(callback, "save_freq", None) == "epoch":  # its batch methods then do nothing
            continue
        for name in _BATCH_METHODS:
            method = getattr(callback, name)
            if getattr(method, "__func__", method) is not getattr(keras.callbacks.Callback, name):
                found.append(type(callback).__name__)
                break
    return found


_BATCH_METHODS = [
    f"on_{kind}batch_{edge}" for kind in ("", "train_", "test_") for edge in ("begin", "end")
]


@contextlib.contextmanager
def _ctrl_c_ends_epoch(model: keras.Model, say: Any) -> Iterator[None]:
    """Let the first interrupt end the run after the running epoch; a second raises as usual."""
    model.stop_training = False
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number, frame):
        signal.signal(signal.SIGINT, previous)
        model.stop_training = True
        say("Interrupted: stopping after this epoch.")

    previous = signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)
