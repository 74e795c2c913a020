"""Turn a compiled Keras model into programs that run a whole epoch, on TensorFlow and JAX.

`model.fit` goes back to Python after every batch. Here the loop over the batches is part of the
compiled program: the data stays on the device, each batch is gathered there by its row numbers,
and Python is asked again once an epoch. The step itself is Keras's own `train_step`, so losses,
metrics and optimizers are those of `model.fit`.
"""

import json
import re
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np

from helpers.quiet import keras, silence, tf

BACKEND = keras.backend.backend()
if BACKEND == "jax":
    import jax

_KEPT_PROGRAMS = 8
_programs: OrderedDict[tuple, "Program"] = OrderedDict()


class Program:
    """Whole-epoch programs of one model, compiled when each is first used."""

    def __init__(self, model: keras.Model, batch_size: int, xla: bool):
        self.model = model
        self.train = _compiled(_epoch(model, _train_step, batch_size, xla))
        self.validate = _compiled(_epoch(model, _test_step, batch_size, xla))


def program_for(model: keras.Model, data: Any, batch_size: int, xla: bool) -> Program:
    """Return the program for a model, an old one where a model of the same shape has one.

    A program belongs to a private copy of the model, so that it can serve every model that
    differs in nothing but the values of its variables. A model with parts of the user's own
    cannot be compared or copied safely: its program belongs to the model itself.
    """
    shape = _shape(model)
    specs = tuple((a.shape, str(a.dtype)) for a in keras.tree.flatten(data))
    key = (shape or id(model), specs, batch_size, xla)
    program = _programs.get(key)
    if program is None or (shape is None and program.model is not model):
        program = Program(_copy(model) if shape else model, batch_size, xla)
    _programs[key] = program
    _programs.move_to_end(key)
    while len(_programs) > _KEPT_PROGRAMS:
        _programs.popitem(last=False)
    return program


def run(program: Program, which: str, model: keras.Model, data: Any, order: Any) -> dict:
    """Run one epoch for a model and return its metrics; the model's variables change."""
    model.reset_metrics()
    with silence():
        if BACKEND == "jax":
            state, logs = getattr(program, which)(_values(model), data, order)
            _assign(model, state)
        else:
            copied = program.model is not model
            if copied:
                _assign(program.model, _values(model))
            _, logs = getattr(program, which)((), data, order)
            if copied and which == "train":
                _assign(model, _values(program.model))
    return {name: float(value) for name, value in logs.items()}


def _variables(model: keras.Model) -> tuple[list, ...]:
    """Return a model's variables in the four parts of which Keras's JAX step makes a state."""
    return (
        model.trainable_variables,
        model.non_trainable_variables,
        model.optimizer.variables,
        model.metrics_variables,
    )


def _values(model: keras.Model) -> tuple[list, ...]:
    return tuple([keras.ops.convert_to_tensor(v) for v in part] for part in _variables(model))


def _assign(model: keras.Model, state: tuple[list, ...]) -> None:
    for part, values in zip(_variables(model), state, strict=True):
        for variable, value in zip(part, values, strict=True):
            variable.assign(value)


def _train_step(model: keras.Model, state: tuple, batch: tuple) -> tuple:
    if BACKEND == "jax":
        return model.train_step(state, batch)[1]
    model.train_step(batch)  # TensorFlow's step changes the variables; there is no state to pass
    return state


def _test_step(model: keras.Model, state: tuple, batch: tuple) -> tuple:
    if BACKEND == "jax":
        trainable, non_trainable, optimizer, metrics = state
        metrics = model.test_step((trainable, non_trainable, metrics), batch)[1][2]
        return trainable, non_trainable, optimizer, metrics
    model.test_step(batch)
    return state


def _epoch(model: keras.Model, step: Callable, batch_size: int, xla: bool) -> Callable:
    """Write the function that takes `step` over all batches of the data and reads the metrics."""

    def full_batches(state, data, order):
        def body(index, state):
            rows = keras.ops.slice(order, (index * batch_size,), (batch_size,))
            return step(model, state, _take(data, rows))

        return _loop(order.shape[0] // batch_size, body, state)

    def epoch(state, data, order):
        state = _compiled(full_batches, xla)(state, data, order)
        rest = order.shape[0] % batch_size
        if rest:  # another shape, so a step of its own
            state = step(model, state, _take(data, order[-rest:]))
        return state, _metrics(model, state)

    return epoch


def _take(data: Any, rows: Any) -> Any:
    if BACKEND == "jax":
        return jax.tree.map(lambda array: array[rows], data)
    return tf.nest.map_structure(lambda array: tf.gather(array, rows), data)


def _metrics(model: keras.Model, state: tuple) -> dict:
    if BACKEND == "jax":
        with keras.StatelessScope(list(zip(model.metrics_variables, state[3], strict=True))):
            return model.get_metrics_result()
    return model.get_metrics_result()


def _loop(steps: int, body: Callable, state: tuple) -> tuple:
    """Run `state = body(step, state)` for each step, inside a program."""
    if BACKEND == "jax":
        return jax.lax.fori_loop(0, steps, body, state)
    return tf.while_loop(
        lambda step, _: step < steps,
        lambda step, state: (step + 1, body(step, state)),
        (tf.constant(0), state),
        parallel_iterations=1,
    )[1]


def _compiled(function: Callable, xla: bool = False) -> Callable:
    if BACKEND == "jax":
        return jax.jit(function)
    return tf.function(function, jit_compile=xla, autograph=False)


def _shape(model: keras.Model) -> str | None:
    """Describe all of a model that is part of its program, or return None if that is unknown."""
    try:
        config = [model.get_config(), model.get_compile_config()]
        text = json.dumps(_without(config, ("seed", "learning_rate")), sort_keys=True, default=str)
    except (NotImplementedError, TypeError, ValueError):
        return None
    if _OWN_PARTS.search(text) or type(model) not in (keras.Sequential, keras.Model):
        return None
    for index, layer in enumerate(model.layers):
        text = text.replace(f'"{layer.name}"', f'"layer {index}"')
    return text.replace(f'"{model.name}"', '"model"')


_OWN_PARTS = re.compile(r'"registered_name": "|"__lambda__"')


def _without(config: Any, keys: tuple[str, ...]) -> Any:
    if isinstance(config, dict):
        return {name: _without(part, keys) for name, part in config.items() if name not in keys}
    return [_without(part, keys) for part in config] if isinstance(config, list) else config


def _copy(model: keras.Model) -> keras.Model:
    """Return a copy of a model, compiled the same way, with the same variables in the same order."""
    copy = keras.models.clone_model(model)
    copy.compile_from_config(model.get_compile_config())
    return copy


def build(model: keras.Model, batch: tuple) -> None:
    """Create every variable that training needs, from a few rows of data."""
    x, y, weight = (*batch, None)[:3]
    prediction = model(x)
    model.optimizer.build(model.trainable_variables)
    model.compute_loss(x, y, prediction, weight)
    model.compute_metrics(x, y, prediction, weight)
    model.reset_metrics()


def resident(data: tuple) -> tuple:
    """Move arrays onto the device, float64 as Keras's float type."""

    def move(array):
        array = np.asarray(array)
        if array.dtype.kind == "f":
            array = array.astype(keras.config.floatx(), copy=False)
        return keras.ops.convert_to_tensor(array)

    return keras.tree.map_structure(move, tuple(part for part in data if part is not None))
