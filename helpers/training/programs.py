"""Turn a compiled Keras model into programs that run a whole epoch, on TensorFlow and JAX.

`model.fit` goes back to Python after every batch. Here the loop over the batches is part of the
compiled program: the data stays on the device, each batch is gathered there by its row numbers,
and Python is asked again once an epoch. The step itself is Keras's own `train_step`, so losses,
metrics and optimizers are those of `model.fit`.
"""

import functools
import json
import os
import warnings
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable
from typing import Any

import numpy as np

from helpers.backend import BACKEND, keras, silence, tf
from helpers.training import masked_dropout

if BACKEND == "jax":
    import jax

_KEPT_PROGRAMS = 8
_XLA_SECONDS = 2.5  # shorter runs end sooner without XLA
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
# What configurations name without telling all of it: the user's own code, and adapted layers.
_OWN_CODE = ('"registered_name": "', '"__lambda__"')
_ADAPTED = [name for name, layer in vars(keras.layers).items() if hasattr(layer, "adapt")]
_NAMING = ("name", "keras_history", "input_layers", "output_layers")
_programs: OrderedDict[tuple, "Program"] = OrderedDict()


class Program:
    """Runs whole epochs of one model on resident data, compiled when first used."""

    def __init__(self, model: keras.Model, batch_size: int, xla: bool):
        self.model, self._metrics = model, model.metrics  # kept, so that no other takes their ids
        self._epochs = {
            "train": Traced(_epoch(model, _train_step, batch_size, xla)),
            "test": Traced(_epoch(model, _test_step, batch_size, xla)),
        }

    def run(self, which: str, model: keras.Model, data: tuple, order: np.ndarray) -> dict:
        """Run one epoch for a model of this shape and return its metrics.

        Args:
            which: "train" or "test".
            model: The model whose variables are used and, in training, changed.
            data: Resident arrays (x, y) or (x, y, weights).
            order: Row numbers in the order of visiting, int32.
        """
        model.reset_metrics()
        order = keras.ops.convert_to_tensor(order)
        with silence():
            state = values(model) if BACKEND == "jax" or self.model is not model else ((),) * 4
            if which == "test":
                state = (*state[:2], (), state[3])  # the optimizer has no part in it
            state, logs = self._epochs[which](state, data, order)
            assign(model, state)
        return numbers(logs)


class Steps:
    """Runs one batch after another from Python: for data and callbacks that need it."""

    def __init__(self, model: keras.Model, eager: bool = False):
        self.model = model
        self._steps = {"train": _train_step, "test": _test_step}
        for which, step in self._steps.items():
            bound = functools.partial(step, model)
            eager = eager or BACKEND == "torch" or model.run_eagerly
            self._steps[which] = bound if eager else Traced(bound)

    def run(self, which: str, batches: Iterable[tuple], events: Any) -> dict:
        """Run one epoch over batches, tell the callbacks of each, and return the metrics."""
        self.model.reset_metrics()
        for number, batch in enumerate(batches):
            getattr(events, f"on_{which}_batch_begin")(number)
            batch = keras.tree.map_structure(_tensor, batch)
            state = values(self.model) if BACKEND == "jax" else ()
            with silence():
                state, logs = self._steps[which](state, batch)
            if BACKEND == "jax":
                assign(self.model, state)
            getattr(events, f"on_{which}_batch_end")(number, logs)
            if which == "train" and self.model.stop_training:
                break
        return numbers(self.model.get_metrics_result())


def program_for(model: keras.Model, data: tuple, batch_size: int, xla: bool) -> Program:
    """Return the program for a model, an old one where a model of the same shape has one.

    A program belongs to a private copy of the model, so that it can serve every model that
    differs in nothing but the values of its variables. A model with parts of the user's own
    cannot be compared or copied safely: its program belongs to the model itself, until it is
    compiled again, which gives it new metrics.
    """
    shape = describe(model)
    key = (shape or (id(model), *map(id, model.metrics)), batch_size, xla)

    def make():
        ready = xla and tf is not None and masked_dropout.draws_in_xla(model)
        own = copy(model, data, ready=ready) if shape else model
        return Program(own, batch_size, xla)

    return kept(_programs, key, make, _KEPT_PROGRAMS)


def kept(programs: OrderedDict, key: Hashable, make: Callable, most: int) -> Any:
    """Return what is kept under a key, made now if need be; beyond `most`, forget the oldest."""
    if key not in programs:
        programs[key] = make()
        if len(programs) > most:
            programs.popitem(last=False)
    programs.move_to_end(key)
    return programs[key]


def build(model: keras.Model, data: tuple) -> None:
    """Create every variable that training needs, from the first rows of the data."""
    x, y, *weight = keras.tree.map_structure(lambda a: keras.ops.convert_to_tensor(a[:2]), data)
    prediction = first_call(model, x)
    model.optimizer.build(model.trainable_variables)
    model.compute_loss(x, y, prediction, *weight)
    model.compute_metrics(x, y, prediction, *weight)
    model.reset_metrics()


def first_call(model: keras.Model, x: Any) -> Any:
    """Call a model, which creates its weights, and leave no other trace: some layers count."""
    known = model.non_trainable_variables
    before = read(known)
    prediction = model(keras.tree.map_structure(keras.ops.convert_to_tensor, x))
    write(known, before)
    return prediction


def use_xla(model: keras.Model, rows: int, batch_size: int, epochs: int) -> bool:
    """Decide whether XLA's longer compilation pays, from sizes alone, so that runs repeat.

    On a CPU, XLA takes some 0.6 s longer to compile and saves about 40 % of an epoch of dense
    layers; with convolutions it is slower, and some layers it cannot compile. It draws random
    numbers of its own, so those of dropout are drawn here (see `helpers.training.masked_dropout`).
    The constants are two cores' operations a second and TensorFlow's seconds a step.
    """
    if BACKEND != "tensorflow" or model.jit_compile:
        return True
    known = all(type(layer) in _XLA_LAYERS for layer in model.layers)
    drawn = masked_dropout.draws_in_xla(model)
    if not known or not drawn or tf.config.list_physical_devices("GPU"):
        return False
    operations = 6 * model.count_params() * rows
    seconds = epochs * (operations / 1.5e11 + rows / batch_size * 5e-4)
    return seconds > _XLA_SECONDS


def copy(model: keras.Model, data: tuple, *, ready: bool) -> keras.Model:
    """Return a built and compiled copy of a built model; its values are not copied.

    Args:
        model: A model that `describe` can describe.
        data: Data of the kind that it is trained on.
        ready: Whether dropout layers become `ReadyDropout`.
    """
    own = keras.models.clone_model(model, clone_function=_own_layer if ready else None)
    own.compile_from_config(model.get_compile_config())
    build(own, data)
    return own


def _own_layer(layer: keras.Layer) -> keras.Layer:
    if masked_dropout.is_plain(layer):
        return masked_dropout.ReadyDropout(layer.rate, name=layer.name, dtype=layer.dtype_policy)
    return type(layer).from_config(layer.get_config())


def _variables(model: keras.Model) -> tuple[list, ...]:
    """Return a model's variables in the four parts of which Keras's JAX step makes a state."""
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
    """Set a model's variables to these values; a list without values leaves its part alone."""
    for part, values in zip(_variables(model), state, strict=True):
        write(part if values else (), values)


def read(variables: list[keras.Variable]) -> list:
    """Return the values of variables, which later changes leave alone."""
    return [v.value.read_value() if tf else keras.ops.copy(v) for v in variables]


def write(variables: list[keras.Variable], values: list) -> None:
    """Set variables to these values."""
    for variable, value in zip(variables, values, strict=True):
        if tf:
            variable.value.assign(value, read_value=False)  # half the time of Keras's assign
        else:
            variable.assign(value)


def _train_step(model: keras.Model, state: tuple, batch: tuple) -> tuple[tuple, dict]:
    if BACKEND == "jax":
        return model.train_step(state, batch)[::-1]
    return state, model.train_step(batch)  # elsewhere a step changes the variables in place


def _test_step(model: keras.Model, state: tuple, batch: tuple) -> tuple[tuple, dict]:
    if BACKEND == "jax":
        trainable, non_trainable, optimizer, metrics = state
        before = trainable, non_trainable, metrics
        logs, (trainable, non_trainable, metrics) = model.test_step(before, batch)
        return (trainable, non_trainable, optimizer, metrics), logs
    return state, model.test_step(batch)


def _epoch(model: keras.Model, step: Callable, batch_size: int, xla: bool) -> Callable:
    """Write the function that takes `step` over all batches of the data and reads the metrics."""
    layers = masked_dropout.layers(model) if step is _train_step else []

    def step_with(masks, state, batch):
        for layer, mask in zip(layers, masks, strict=True):
            layer.mask = mask
        return step(model, state, batch)[0]

    def full_batches(state, data, order, masks):
        def body(index, carried):
            state, masks = carried
            rows = keras.ops.slice(order, (index * batch_size,), (batch_size,))
            # The next step's masks are drawn beside this step, which does not wait for them.
            return step_with(masks, state, take(data, rows)), [
                layer.draw_in_xla(batch_size) for layer in layers
            ]

        return loop(order.shape[0] // batch_size, body, (state, masks))[0]

    def epoch(state, data, order):
        given = state
        if tf:
            assign(model, given)
            state = ()
        if order.shape[0] >= batch_size:
            masks = [layer.draw(batch_size) for layer in layers]
            state = compiled(full_batches, xla)(state, data, order, masks)
            for layer in layers:
                layer.take_back()  # what the last step drew for a next one
        rest = order.shape[0] % batch_size
        if rest:  # another shape, so a step of its own
            masks = [layer.draw(rest) for layer in layers]
            state = step_with(masks, state, take(data, order[-rest:]))
        logs = _metrics(model, state)
        state = values(model) if tf else state
        changed = (0, 1, 2, 3) if step is _train_step else (1, 3)
        return tuple(state[i] if i in changed and given[i] else () for i in range(4)), logs

    return epoch


def gradients(function: Callable, trainable: list) -> tuple[list, Any]:
    """Return the gradient of a function's first result, and its other result."""
    if BACKEND == "jax":
        return jax.grad(function, has_aux=True)(trainable)
    with tf.GradientTape() as tape:
        tape.watch(trainable)
        loss, kept = function(trainable)
    return tape.gradient(loss, trainable, unconnected_gradients="zero"), kept


def numbers(logs: dict) -> dict:
    """Return metrics as floats, or as lists where a metric has several values."""
    return {name: keras.ops.convert_to_numpy(value).tolist() for name, value in logs.items()}


def tensors(values: Iterable) -> list:
    """Return variables or arrays as tensors of the backend."""
    return [keras.ops.convert_to_tensor(value) for value in values]


def take(data: Any, rows: Any) -> Any:
    if BACKEND == "jax":
        return jax.tree.map(lambda array: array[rows], data)
    return tf.nest.map_structure(lambda array: tf.gather(array, rows), data)


def _metrics(model: keras.Model, state: tuple) -> dict:
    if BACKEND == "jax":
        with keras.StatelessScope(list(zip(model.metrics_variables, state[3], strict=True))):
            return model.get_metrics_result()
    return model.get_metrics_result()


def loop(steps: int, body: Callable, state: tuple) -> tuple:
    """Run `state = body(step, state)` for each step, inside a program."""
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


def compiled(function: Callable, xla: bool = False) -> Callable:
    """Compile a function of tensors; JAX always uses XLA."""
    if BACKEND == "jax":
        return jax.jit(function)
    return tf.function(function, jit_compile=xla, autograph=False)


class Traced:
    """A function compiled once for each kind of arguments it meets."""

    def __init__(self, function: Callable):
        self._function, self._graphs = compiled(function), {}

    def __call__(self, *arguments: Any) -> Any:
        if BACKEND == "jax":
            return self._function(*arguments)
        structure = repr(keras.tree.map_structure(lambda _: 0, arguments))
        kinds = (structure, *((a.dtype, *a.shape) for a in keras.tree.flatten(arguments)))
        if kinds not in self._graphs:
            # Asked for by hand, because tf.function warns when it makes several by itself.
            self._graphs[kinds] = self._function.get_concrete_function(*arguments)
        return self._graphs[kinds](*arguments)


def describe(model: keras.Model, free: tuple[str, ...] = ()) -> str | None:
    """Describe all of a model that is part of its program; None where that cannot be known.

    Args:
        model: A built, compiled model.
        free: Names of further numbers that may differ, as long as they are not 0.
    """
    if not type(model).__module__.startswith("keras."):
        return None
    if isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer):
        return None  # a copy of it holds its variables in another order
    if spares_weights(model.optimizer):
        return None  # which its configuration does not tell
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Keras warns of lambdas, which end in None here
            config, compiled_with = model.get_config(), model.get_compile_config()
        outputs = config.get("output_layers", [])
        several = [output[0] for output in outputs if isinstance(output, list)]  # logs name them
        layers = [name for name in _layer_names(config) if name not in several]
        names = {name: f"layer {index}" for index, name in enumerate(dict.fromkeys(layers))}
        parts = _program_part(config, free, names), _program_part(compiled_with, free, {})
        text = json.dumps(parts, sort_keys=True)
    except (NotImplementedError, OSError, TypeError, ValueError):  # OSError: no source of a lambda
        return None
    if any(part in text for part in _OWN_CODE) or has_layer(text, *_ADAPTED):
        return None
    return text


def has_layer(description: str, *classes: str) -> bool:
    """Tell whether a described model has a layer of one of these Keras classes, at any depth."""
    return any(f'"class_name": "{name}"' in description for name in classes)


def spares_weights(optimizer: keras.optimizers.Optimizer) -> bool:
    """Tell whether some weights were excluded from weight decay; nothing public tells it."""
    return hasattr(optimizer, "_exclude_from_weight_decay")


def _layer_names(config: Any) -> list[str]:
    """List the names of a model's layers, those of nested models too."""
    if isinstance(config, list | tuple):
        return [name for part in config for name in _layer_names(part)]
    if not isinstance(config, dict):
        return []
    own = [config["name"]] if "name" in config and {"trainable", "batch_shape"} & {*config} else []
    return own + _layer_names([*config.values()])


def _program_part(config: Any, free: tuple[str, ...], names: dict[str, str]) -> Any:
    """Leave out of a configuration what only decides values of variables, and free numbers."""
    if isinstance(config, list | tuple):
        return [_program_part(part, free, names) for part in config]
    if not isinstance(config, dict):
        return config
    kept = {}
    for key, part in config.items():
        is_value = key == "seed" or key.endswith("_initializer")
        is_rate = key == "learning_rate" and not isinstance(part, dict)
        is_title = key == "name" and {"layers", "learning_rate"} & {*config}
        if is_value or is_rate or is_title:
            continue
        if key in free and isinstance(part, float) and part:
            kept[key] = "free"
        elif key in _NAMING:
            kept[key] = keras.tree.map_structure(lambda name: names.get(name, name), part)
        else:
            kept[key] = _program_part(part, free, names)
    return kept


def resident(data: tuple) -> tuple | None:
    """Move arrays onto the device; None if they would take more than half of its memory."""
    memory = _memory_bytes()
    if memory is not None and sum(a.nbytes for a in keras.tree.flatten(data)) > memory / 2:
        return None
    try:
        with silence():
            return keras.tree.map_structure(keras.ops.convert_to_tensor, data)
    except MemoryError:
        return None
    except Exception as error:
        if type(error).__name__ in ("ResourceExhaustedError", "XlaRuntimeError"):
            return None
        raise


def _memory_bytes() -> int | None:
    """Return the size of the device's memory, where the system tells it."""
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


def _tensor(part: Any) -> Any:
    """Turn an array, or another library's tensor, into one of this backend."""
    return part if keras.ops.is_tensor(part) else keras.ops.convert_to_tensor(np.asarray(part))


def device_name() -> str:
    """Name the device that programs run on."""
    if BACKEND == "tensorflow":
        gpus = tf.config.list_physical_devices("GPU")
        details = tf.config.experimental.get_device_details(gpus[0]) if gpus else {}
        return f"GPU ({details.get('device_name', gpus[0].name)})" if gpus else "CPU"
    if BACKEND == "jax":
        first = jax.devices()[0]
        return "CPU" if first.platform == "cpu" else f"GPU ({first.device_kind})"
    import torch

    return f"GPU ({torch.cuda.get_device_name()})" if torch.cuda.is_available() else "CPU"


def epoch_order(rows: int, seed: int, epoch: int) -> np.ndarray:
    """Return the order in which `fit` visits the rows in an epoch, the same on every backend.

    Args:
        rows: Number of rows.
        seed: The seed given to `fit`.
        epoch: Epoch, counted from 0.

    Returns:
        A permutation of 0 ... rows - 1, int32, of shape (rows,).

    Example:
        >>> sorted(epoch_order(4, seed=0, epoch=0).tolist())
        [0, 1, 2, 3]
    """
    return np.random.default_rng((seed, epoch)).permutation(rows).astype("int32")
