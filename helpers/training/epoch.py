"""Run a whole epoch of a compiled Keras model as one program, on TensorFlow and JAX.

`model.fit` returns to Python after every batch. Here the loop over the batches is part of the
compiled program: the data stays on the device, each batch is gathered there by row number, and
control returns to Python once per epoch. A program is traced from the model itself and calls its
`train_step` and `test_step`, so losses, metrics, optimizers and custom steps are those of
`model.fit`. It is cached for as long as Keras caches the model's `train_function`.
"""

import contextlib
import os
import weakref
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from helpers.backend import BACKEND, keras, tf
from helpers.training import fingerprint, masked_dropout

if BACKEND == "jax":
    import jax

__all__ = [
    "EpochProgram",
    "NotOneProgram",
    "Traced",
    "assign",
    "build",
    "compiled",
    "device_name",
    "first_call",
    "gradients",
    "is_prepared",
    "loop",
    "numbers",
    "program_of",
    "read",
    "resident",
    "take",
    "tensors",
    "values",
    "write",
]

_programs: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()


class NotOneProgram(Exception):
    """A model's step cannot be compiled as part of an epoch; `__cause__` is the original error."""


class Traced:
    """A function of tensors that is compiled once per combination of argument shapes and dtypes.

    Args:
        function: The function to compile.
        dropouts: Dropout layers for which the function sets the masks.
    """

    def __init__(self, function: Callable, dropouts: Sequence[masked_dropout.Masked] = ()):
        self._function, self._dropouts, self._graphs = compiled(function), dropouts, {}

    def __call__(self, *arguments: Any) -> Any:
        """Run the function."""
        return self.graph(*arguments)(*arguments)

    def graph(self, *arguments: Any) -> Callable:
        """Return the function compiled for arguments of these shapes, without running it."""
        structure = repr(keras.tree.map_structure(lambda _: 0, arguments))
        kinds = structure, *((str(a.dtype), *a.shape) for a in keras.tree.flatten(arguments))
        if kinds not in self._graphs:
            with masked_dropout.given(self._dropouts):
                if BACKEND == "jax":
                    self._graphs[kinds] = self._function.lower(*arguments).compile()
                else:  # a call that retraces a tf.function several times logs a warning
                    self._graphs[kinds] = self._function.get_concrete_function(*arguments)
        return self._graphs[kinds]


class EpochProgram:
    """Runs training or validation epochs on data on the device; compiled for each set of shapes.

    Args:
        model: A compiled model.
        step: "train" or "test".
        batch_size: Samples per step; the last step may have fewer.
        use_xla: Whether the loop over full batches is compiled by XLA.
        dropouts: Dropout layers whose masks are drawn before the step that uses them.
    """

    def __init__(self, model, step, batch_size, use_xla, dropouts=()):
        self._model, self._step = weakref.ref(model), step  # the model keeps its programs alive
        self.batch_size, self.use_xla, self.dropouts = batch_size, use_xla, dropouts
        self._is_built = False
        self._traced = Traced(self._epoch, dropouts)

    def prepare(self, data: Any, order: np.ndarray) -> None:
        """Compile the program for data of these shapes.

        Args:
            data: Arrays on the device, in the form that a training step takes.
            order: Row numbers in the order in which to visit them, int32 of shape (rows,).

        Raises:
            NotOneProgram: If the step cannot be compiled as part of a loop; no step has been run.
        """
        try:
            if not self._is_built:
                self._create_variables(data)
                self._is_built = True
            self._traced.graph(self._state(), data, keras.ops.convert_to_tensor(order))
        except Exception as error:  # model.fit then runs the step, or reports the error
            raise NotOneProgram(f"{type(error).__name__}: {error}".splitlines()[0]) from error

    def _create_variables(self, data: Any) -> None:
        """Create the variables that the first step creates, even if tracing the epoch then fails.

        If a trace fails, TensorFlow leaves the variables created in it without values. A model
        with custom code is therefore traced for a single step first.
        """
        model = self._model()
        if BACKEND == "jax":
            build(model, data)
        elif not fingerprint.is_known(model):
            rows = keras.tree.map_structure(lambda array: array[: self.batch_size], data)

            def step(batch):
                _STEPS[self._step](model, (), batch)

            compiled(step).get_concrete_function(rows)

    def __call__(self, data: Any, order: np.ndarray) -> dict:
        """Run the epoch and return its metrics."""
        order = keras.ops.convert_to_tensor(order)
        state, logs = self._traced(self._state(), data, order)
        if BACKEND == "jax":
            assign(self._model(), state)
        return numbers(logs)

    def _state(self) -> tuple:
        """Return the program's input state; empty on TensorFlow, whose programs read variables."""
        if BACKEND != "jax":
            return ()
        state = values(self._model())
        return state if self._step == "train" else (*state[:2], (), state[3])

    def _epoch(self, state, data, order):
        """Run one step per batch, and return the state and the metrics."""
        model, size = self._model(), self.batch_size
        rows = order.shape[0]
        names = []

        def step(state, batch):
            state, logs = _STEPS[self._step](model, state, batch)
            names[:] = logs if isinstance(logs, dict) else [None]
            return state

        def step_with(masks, state, batch):
            for dropout, mask in zip(self.dropouts, masks, strict=True):
                dropout.mask = mask
            return step(state, batch)

        def full_batches(state, data, order, masks):
            def body(index, carried):
                state, masks = carried
                chosen = keras.ops.slice(order, (index * size,), (size,))
                # The next step's masks are drawn in parallel with this step, which needs others.
                return step_with(masks, state, take(data, chosen)), [
                    dropout.draw_in_xla(size) for dropout in self.dropouts
                ]

            return loop(rows // size, body, (state, masks))[0]

        def batches_of_any_size(state, data, order):
            def body(index, state):
                chosen = order[index * size : tf.minimum((index + 1) * size, rows)]
                return step(state, take(data, chosen))

            return loop(-(-rows // size), body, state)

        if tf is not None and not self.use_xla and rows > size and rows % size:
            state = batches_of_any_size(state, data, order)
        else:
            if rows >= size:
                masks = [dropout.draw(size) for dropout in self.dropouts]
                state = compiled(full_batches, self.use_xla)(state, data, order, masks)
                for dropout in self.dropouts:
                    dropout.take_back()  # undo the masks drawn for a next step
            rest = rows % size
            if rest:  # a smaller batch, so it is compiled separately
                masks = [dropout.draw(rest) for dropout in self.dropouts]
                state = step_with(masks, state, take(data, order[-rest:]))
        logs = _metrics(model, state)
        if {*names} != {*logs}:  # then model.fit reports what the last step returned
            raise NotImplementedError("its step returns values other than the model's metrics")
        return state, logs


def _nothing() -> None:
    """Placeholder for the function of a model that has no programs yet."""


def program_of(model: keras.Model, step: str, batch_size: int, use_xla: bool) -> EpochProgram:
    """Return the program of a model; it is reused until the model is compiled again."""
    model.make_train_function()  # discarded by `compile` and other invalidating calls
    function, programs = _programs.get(model, (_nothing, {}))
    if function() is not model.train_function:
        programs = {}
        _programs[model] = weakref.ref(model.train_function), programs
    key = step, batch_size, use_xla
    if key not in programs:
        mask = tf is not None and use_xla and step == "train" and not model.jit_compile
        dropouts = masked_dropout.layers_of(model) if mask else ()
        programs[key] = EpochProgram(model, *key, dropouts)
    return programs[key]


def is_prepared(model: keras.Model, data: Any) -> bool:
    """Return whether a model is built, after trying to build a plain `Sequential`."""
    x, _, _ = keras.utils.unpack_x_y_sample_weight(data)
    is_simple = type(model) is keras.Sequential and "float" in str(getattr(x, "dtype", ""))
    if not model.built and is_simple:
        with contextlib.suppress(Exception):  # the first step reports the error more clearly
            model.build((None, *x.shape[1:]))
    return model.built


def build(model: keras.Model, data: Any, *, with_optimizer: bool = True) -> None:
    """Create every variable that training needs, from the first rows of the data."""
    first = keras.tree.map_structure(lambda array: keras.ops.convert_to_tensor(array[:2]), data)
    x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(first)
    prediction = first_call(model, x)
    if with_optimizer and not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    model.compute_loss(x, y, prediction, sample_weight)
    model.compute_metrics(x, y, prediction, sample_weight)
    model.reset_metrics()


def first_call(model: keras.Model, x: Any) -> Any:
    """Call a model to create its weights, and restore the state that some layers update."""
    known = model.non_trainable_variables
    before = read(known)
    prediction = model(keras.tree.map_structure(keras.ops.convert_to_tensor, x))
    write(known, before)
    return prediction


def _variables(model: keras.Model) -> tuple[list, ...]:
    """Return a model's variables in the four lists that make up the state of Keras's JAX step."""
    return (
        model.trainable_variables,
        model.non_trainable_variables,
        model.optimizer.variables,
        model.metrics_variables,
    )


def values(model: keras.Model) -> tuple[list, ...]:
    """Return the values of a model's variables, in four lists."""
    return tuple(map(read, _variables(model)))


def assign(model: keras.Model, state: tuple[list, ...]) -> None:
    """Set a model's variables to these values; an empty list leaves those variables unchanged."""
    for part, given in zip(_variables(model), state, strict=True):
        write(part if given else (), given)


def read(variables: list[keras.Variable]) -> list:
    """Return the values of variables, unaffected by later assignments."""
    return [v.value.read_value() if tf else keras.ops.copy(v) for v in variables]


def write(variables: list[keras.Variable], values: list) -> None:
    """Set variables to these values."""
    for variable, value in zip(variables, values, strict=True):
        if tf:
            variable.value.assign(value, read_value=False)  # takes half the time of Keras's assign
        else:
            variable.assign(value)


def _train_step(model: keras.Model, state: tuple, batch: Any) -> tuple[tuple, dict]:
    if BACKEND == "jax":
        logs, state = model.train_step(state, batch)
        return state, logs
    return state, model.train_step(batch)  # TensorFlow's step updates the variables in place


def _test_step(model: keras.Model, state: tuple, batch: Any) -> tuple[tuple, dict]:
    if BACKEND == "jax":
        trainable, non_trainable, optimizer, metrics = state
        before = trainable, non_trainable, metrics
        logs, (trainable, non_trainable, metrics) = model.test_step(before, batch)
        return (trainable, non_trainable, optimizer, metrics), logs
    return state, model.test_step(batch)


_STEPS = {"train": _train_step, "test": _test_step}


def _metrics(model: keras.Model, state: tuple) -> dict:
    if BACKEND == "jax":
        with keras.StatelessScope(list(zip(model.metrics_variables, state[3], strict=True))):
            return model.get_metrics_result()
    return model.get_metrics_result()


def gradients(function: Callable, trainable: list) -> tuple[list, Any]:
    """Return the gradients of a function's first result, and its second result."""
    if BACKEND == "jax":
        return jax.grad(function, has_aux=True)(trainable)
    with tf.GradientTape() as tape:
        tape.watch(trainable)
        loss, kept = function(trainable)
    return tape.gradient(loss, trainable, unconnected_gradients="zero"), kept


def numbers(logs: dict) -> dict:
    """Return metrics as floats, or as arrays if a metric has several values."""
    arrays = {name: keras.ops.convert_to_numpy(value) for name, value in logs.items()}
    return {name: array.item() if array.size == 1 else array for name, array in arrays.items()}


def tensors(arrays: Iterable) -> list:
    """Return variables or arrays as backend tensors."""
    return [keras.ops.convert_to_tensor(array) for array in arrays]


def take(data: Any, rows: Any) -> Any:
    """Gather rows of a structure of arrays, inside a compiled program."""
    if BACKEND == "jax":
        return keras.tree.map_structure(lambda array: array[rows], data)
    return keras.tree.map_structure(lambda array: tf.gather(array, rows), data)


def loop(steps: int, body: Callable, state: tuple) -> tuple:
    """Run `state = body(step, state)` for each step, inside a compiled program."""
    if BACKEND == "jax":
        return jax.lax.fori_loop(0, steps, body, state)
    if steps == 1:
        return body(tf.constant(0), state)
    return tf.while_loop(
        lambda step, _: step < steps,
        lambda step, state: (step + 1, body(step, state)),
        (tf.constant(0), state),
        parallel_iterations=1,
    )[1]


def compiled(function: Callable, use_xla: bool = False) -> Callable:
    """Compile a function of tensors; JAX always uses XLA."""
    if BACKEND == "jax":
        return jax.jit(function)
    return tf.function(function, jit_compile=use_xla or None, autograph=False)


def resident(data: Any) -> Any:
    """Move arrays to the device; return None if they need more than half of its memory."""
    memory = _memory_bytes()
    if memory is not None and sum(a.nbytes for a in keras.tree.flatten(data)) > memory / 2:
        return None
    try:
        return keras.tree.map_structure(keras.ops.convert_to_tensor, data)
    except MemoryError:
        return None
    except Exception as error:
        if type(error).__name__ in ("ResourceExhaustedError", "XlaRuntimeError"):
            return None
        raise


def _memory_bytes() -> int | None:
    """Return the memory of the device in bytes, or None if unknown."""
    if BACKEND == "jax":
        stats = jax.devices()[0].memory_stats()
        if stats:
            return stats["bytes_limit"]
    elif tf is not None and tf.config.list_physical_devices("GPU"):
        return None
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return None


def device_name() -> str:
    """Return the name of the device that programs run on."""
    if BACKEND == "tensorflow":
        gpus = tf.config.list_physical_devices("GPU")
        details = tf.config.experimental.get_device_details(gpus[0]) if gpus else {}
        return f"GPU ({details.get('device_name', gpus[0].name)})" if gpus else "CPU"
    if BACKEND == "jax":
        first = jax.devices()[0]
        return "CPU" if first.platform == "cpu" else f"GPU ({first.device_kind})"
    import torch

    return f"GPU ({torch.cuda.get_device_name()})" if torch.cuda.is_available() else "CPU"
