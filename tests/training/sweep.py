"""All public Keras classes that models consist of, with each argument changed from its default.

`cases()` lists them from the installed release, so that a new class or argument is covered as soon
as it appears. A value that a class rejects makes no case.
"""

import inspect
import itertools
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from helpers.backend import keras

KINDS = ("losses", "metrics", "optimizers", "layers", "regularizers", "constraints", "initializers")
RNG = np.random.default_rng(0)
ROWS = 12
SHAPES = ((6,), (8, 3), (8, 8, 3), (4, 8, 8, 3))

# These are names, or determine initial values, which a program takes from the model.
NO_DIFFERENCE = {"name", "seed", "kwargs", "args", "self", "dtype", "autocast"}
_ABSTRACT = {"Layer", "Loss", "Metric", "Optimizer", "Regularizer", "Constraint", "Initializer"}
_ABSTRACT |= {"Wrapper", "InputLayer", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer"}
_REQUIRED = {  # by name of the argument
    "activation": "tanh",
    "activity_regularizer": "l2",
    "alpha": 0.3,
    "axes": 1,
    "class_id": 1,
    "data_format": "channels_last",
    "dims": (2, 1),
    "equation": "...x,xy->...y",
    "factor": 0.3,
    "filters": 2,
    "function": keras.ops.tanh,
    "fn": keras.losses.mean_squared_error,
    "gain": 2.0,
    "head_dim": 2,
    "height": 6,
    "height_factor": 0.2,
    "input_dim": 8,
    "key_dim": 2,
    "kernel_size": 2,
    "max_value": 2.0,
    "min_value": 0.1,
    "n": 3,
    "norm": lambda: None,
    "num_classes": 3,
    "num_heads": 2,
    "num_key_value_heads": 1,
    "num_query_heads": 2,
    "num_tokens": 4,
    "output_dim": 3,
    "output_shape": (3,),
    "padding": 1,
    "precision": 0.5,
    "rate": 0.5,
    "recall": 0.5,
    "scale": 0.5,
    "sensitivity": 0.5,
    "specificity": 0.5,
    "stddev": 0.5,
    "target_class_ids": (0,),
    "target_shape": (-1, 2),
    "units": 4,
    "value": 0.3,
    "width": 6,
    "width_factor": 0.2,
}
_OTHER = {  # values other than None and names, by argument
    "activation": "relu",
    "average": "micro",
    "axis": 0,
    "bias_constraint": "non_neg",
    "bias_regularizer": "l2",
    "clipnorm": 0.01,
    "clipvalue": 0.01,
    "curve": "PR",
    "depthwise_constraint": "max_norm",
    "depthwise_regularizer": "l2",
    "ema_overwrite_frequency": 2,
    "from_logits": True,
    "global_clipnorm": 0.01,
    "gradient_accumulation_steps": 2,
    "ignore_class": 1,
    "interpolation": "nearest",
    "kernel_constraint": "max_norm",
    "kernel_regularizer": "l2",
    "loss_scale_factor": 4.0,
    "mask_value": 0.5,
    "max_value": 0.5,
    "merge_mode": "sum",
    "noise_shape": (ROWS // 3, 1),
    "padding": "same",
    "pointwise_regularizer": "l2",
    "recurrent_activation": "tanh",
    "recurrent_constraint": "max_norm",
    "recurrent_regularizer": "l2",
    "reduction": "sum",
    "threshold": 0.3,
    "thresholds": [0.2, 0.7],
    "weight_decay": 0.1,
}


class Case(NamedTuple):
    """One class with one argument changed from its default; none if `argument` is None."""

    kind: str
    name: str
    argument: str | None
    value: Any

    @property
    def label(self) -> str:
        """The name of the case in pytest."""
        return f"{self.kind}.{self.name}({self.argument or ''})"

    def make(self, changed: bool = True) -> Any:
        """Return an object of the class, with or without the changed argument."""
        kind = getattr(getattr(keras, self.kind), self.name)
        arguments = _required(self.kind, self.name, kind)
        if changed and self.argument:
            arguments[self.argument] = self.value
        return kind(**arguments)


def cases() -> Iterator[Case]:
    """Yield every case of the installed release."""
    for kind in KINDS:
        for name, found in sorted(vars(getattr(keras, kind)).items()):
            if not isinstance(found, type) or name in _ABSTRACT or not name[0].isupper():
                continue
            if kind == "metrics" and name.startswith("Mean") and name.endswith("Wrapper"):
                continue
            yield Case(kind, name, None, None)
            for argument, parameter in _parameters(found).items():
                value = _other(argument, parameter.default)
                if argument not in NO_DIFFERENCE and value is not None:
                    yield Case(kind, name, argument, value)


def _parameters(kind: type) -> dict[str, inspect.Parameter]:
    """Return the arguments of a class, including those that it passes on to its parents."""
    found: dict[str, inspect.Parameter] = {}
    for parent in kind.__mro__[:-1]:
        init = vars(parent).get("__init__")
        if init is None:
            continue
        parameters = inspect.signature(init).parameters
        found = {**parameters, **found}
        if not any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
            break
    return found


def _required(kind: str, name: str, found: type) -> dict[str, Any]:
    dense = keras.layers.Dense(3)
    special = {
        "Bidirectional": {"layer": keras.layers.SimpleRNN(3)},
        "TimeDistributed": {"layer": dense},
        "SpectralNormalization": {"layer": dense},
        "RNN": {"cell": keras.layers.SimpleRNNCell(3)},
        "StackedRNNCells": {"cells": [keras.layers.SimpleRNNCell(3)]},
        "LossScaleOptimizer": {"inner_optimizer": keras.optimizers.Adam(0.01)},
        "Discretization": {"bin_boundaries": [-0.5, 0.5]},
        "MeanIoU": {"num_classes": 2},
        "Permute": {"dims": (2, 1)},
        "LinearTransform": {},
        "UpSampling1D": {},
    }
    if name in special:
        return special[name]
    arguments = {}
    for argument, parameter in _parameters(found).items():
        is_named = parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
        if is_named and parameter.default is parameter.empty and argument in _REQUIRED:
            arguments[argument] = _REQUIRED[argument]
    if kind == "optimizers" and "learning_rate" in _parameters(found):
        arguments["learning_rate"] = 0.05
    return arguments


def _other(argument: str, default: Any) -> Any:
    """Return a value other than the default, or None if there is none to try."""
    if isinstance(default, bool):
        return not default
    if isinstance(default, float):
        other = default * 0.5 + 0.1
        return other if abs(other - default) > 0.01 else default + 0.1
    if isinstance(default, int):
        return default + 1
    if isinstance(default, tuple) and default and isinstance(default[0], int):
        return tuple(part + 1 for part in default)
    if argument.endswith("_initializer"):
        return None
    if default is inspect.Parameter.empty:
        required = _REQUIRED.get(argument)
        is_float = isinstance(required, float)
        return required * 0.5 if is_float else required + 1 if type(required) is int else None
    other = _OTHER.get(argument)
    return None if other == default else other


def models(case: Case, changed: bool = True) -> Iterator[Callable[[], tuple]]:
    """Yield ways to build a compiled model with the object of a case, and data for it.

    Each returns (model, x, y); the first one that `model.fit` can train is used.
    """
    shapes = SHAPES if case.kind == "layers" else SHAPES[:1]
    targets = ("one-hot", "labels") if case.kind in ("losses", "metrics") else ("one-hot",)
    whole = (False, True) if case.kind == "layers" else (False,)
    for shape, target, is_whole in itertools.product(shapes, targets, whole):

        def build(shape=shape, target=target, is_whole=is_whole) -> tuple:
            keras.utils.set_random_seed(1)
            keras.utils.clear_session(free_memory=False)  # for equal names in every model
            x = np.random.default_rng(0).normal(size=(ROWS, *shape)).astype("float32")
            x = np.abs(x * 3).astype("int32") if is_whole else x
            labels = np.arange(ROWS) % 3
            y = np.eye(3, dtype="float32")[labels] if target == "one-hot" else labels
            return _compiled(case, case.make(changed), x), x, y

        yield build


def _compiled(case: Case, part: Any, x: np.ndarray) -> keras.Model:
    inputs = keras.Input(x.shape[1:], dtype=str(x.dtype))
    hidden = part(inputs) if case.kind == "layers" else inputs
    if case.kind in ("regularizers", "constraints", "initializers"):
        argument = {f"kernel_{case.kind[:-1]}": part}
        hidden = keras.layers.Dense(4, **argument)(hidden)
    if len(hidden.shape) > 2:
        hidden = keras.layers.Flatten()(hidden)
    hidden = keras.ops.cast(hidden, "float32")
    model = keras.Model(inputs, keras.layers.Dense(3, "sigmoid")(hidden))
    optimizer = part if case.kind == "optimizers" else keras.optimizers.SGD(0.1)
    loss = part if case.kind == "losses" else "mse"
    model.compile(optimizer, loss, metrics=[part] if case.kind == "metrics" else [])
    return model
