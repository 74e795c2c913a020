"""Check that two compiled models differ only in the values of their variables.

Comparing `get_config()` is not sufficient: Keras leaves numbers out of it (`delta` of a Huber loss,
`axis` of others). The whole state is therefore compared: every attribute of the model, its layers,
loss, metrics and optimizer, recursively. Anything that is not a plain value or an instance of a
Keras class makes a model unknown, and an unknown model equals no other.
"""

import enum
import types
from collections.abc import Iterator
from typing import Any

import numpy as np

from helpers.backend import keras, tf

__all__ = ["Fingerprint", "fingerprint", "is_known"]

# Attributes that record an object's history, address or users, and do not affect its results.
_RECORDS = {
    "_auto_config",
    "_build_shapes_dict",
    "_call_context_args",
    "_call_has_context_arg",
    "_call_signature",
    "_called",
    "_compile_config",
    "_compiled_trainable_state",
    "_distribution_strategy",
    "_inbound_nodes",
    "_initial_epoch",
    "_loss_ids",
    "_losses",
    "_losses_override",
    "_nodes",  # of a functional model, in order of address; `_nodes_by_depth` has them, too
    "_outbound_nodes",
    "_parent_path",
    "_path",
    "_saved_model_arg_spec",
    "_saved_model_inputs_spec",
    "_tracked",
    "_tracker",
    "_trainable_variables_indices",
    "build",
    "call_signature_parameters",
    "history",
    "predict_function",
    "quantize",
    "stop_evaluating",
    "stop_training",
    "test_function",
    "train_function",
}
_NAMES = {"name", "_name", "output_names", "_output_names"}
_STARTS = {"seed", "_initial_seed", "_init_seed"}  # these determine initial values only
_FREE = {
    keras.layers.Dropout: ("rate",),
    keras.regularizers.L1: ("l1",),
    keras.regularizers.L2: ("l2",),
}
_PLAIN = (type(None), bool, int, float, complex, str, bytes, type(Ellipsis), np.generic, np.dtype)


class Fingerprint:
    """The state of a model without the values of its variables.

    Attributes:
        state: Equal for two models if and only if the same program can train both.
        free: The numbers that were left out, as pairs of an object and an attribute's name, in the
            same order for models of equal state.
    """

    def __init__(self, state: tuple, free: list[tuple[Any, str]]):
        self.state, self.free = state, free


class _Unknown(Exception):
    """The state of an object cannot be compared."""


def fingerprint(model: keras.Model, free: bool = False) -> Fingerprint | None:
    """Return the fingerprint of a compiled model, or None if part of its state is unknown.

    Args:
        model: A compiled model.
        free: Whether to leave out the numbers that a stacked program stores for each model: dropout
            rates, L1 and L2 factors and weight decay, if they are not 0.
    """
    walk = _Walk(model, free)
    try:
        return Fingerprint(tuple(walk.tokens(model)), walk.free)
    except (_Unknown, RecursionError):
        return None


def is_known(model: keras.Model) -> bool:
    """Return whether a compiled model consists only of instances of Keras classes."""
    return fingerprint(model) is not None


class _Walk:
    def __init__(self, model: keras.Model, with_free: bool):
        variables = [*model.variables, *model.metrics_variables]
        variables += model.optimizer.variables if model.optimizer is not None else []
        self._variables = {id(variable): place for place, variable in enumerate(variables)}
        self._seen: dict[int, int] = {}
        self._kept: list[Any] = []  # so that no new object reuses the id of an old one
        self._with_free, self.free = with_free, []
        outputs = getattr(model, "output_names", None) or ()
        self._names_matter = len(outputs) > 1  # with several outputs, logs have their names

    def tokens(self, part: Any) -> Iterator[Any]:
        """Yield hashable tokens that identify the state of this part."""
        if isinstance(part, _PLAIN):
            yield type(part), repr(part)
            return
        if isinstance(part, enum.Enum | type):
            yield part
            return
        if tf is not None and isinstance(part, tf.DType | tf.TensorShape):
            yield type(part), repr(part)
            return
        if id(part) in self._seen:
            yield "seen", self._seen[id(part)]
            return
        self._seen[id(part)] = len(self._seen)
        self._kept.append(part)
        if isinstance(part, keras.Variable):
            yield from self._variable(part)
        elif isinstance(part, dict):
            yield "dict", len(part)
            for key, value in part.items():
                yield from self.tokens(key)
                yield from self.tokens(value)
        elif isinstance(part, list | tuple):
            yield type(part).__name__, len(part)
            for value in part:
                yield from self.tokens(value)
        elif isinstance(part, set | frozenset):
            yield "set", tuple(sorted(map(self._plain, part)))
        elif isinstance(part, np.ndarray) or keras.ops.is_tensor(part):
            yield from self._array(part)
        elif isinstance(part, types.MethodType):
            yield from self.tokens(part.__func__)
            yield from self.tokens(part.__self__)
        elif isinstance(part, types.FunctionType):
            yield from self._function(part)
        elif isinstance(part, types.BuiltinFunctionType | types.ModuleType):
            yield part
        else:
            yield from self._object(part)

    def _plain(self, part: Any) -> str:
        if not isinstance(part, _PLAIN):
            raise _Unknown(part)
        return repr((type(part).__name__, part))

    def _array(self, part: Any) -> Iterator[Any]:
        try:
            array = keras.ops.convert_to_numpy(part)
        except Exception as error:  # a symbolic tensor has no values
            raise _Unknown(part) from error
        if array.dtype.kind == "O":
            raise _Unknown(part)
        yield "array", str(array.dtype), array.shape, array.tobytes()

    def _variable(self, variable: keras.Variable) -> Iterator[Any]:
        if id(variable) not in self._variables:
            raise _Unknown(variable)
        place = self._variables[id(variable)]
        yield "variable", place, tuple(variable.shape), variable.dtype, variable.trainable
        for name, part in sorted(vars(variable).items()):
            if name in ("_constraint", "_regularizer", "_autocast", "_aggregation"):
                yield name
                yield from self.tokens(part)

    def _function(self, function: types.FunctionType) -> Iterator[Any]:
        """Identify a function of Keras by its code, its closure and its default arguments."""
        if not _is_keras(function):
            raise _Unknown(function)
        yield function.__code__
        for cell in function.__closure__ or ():
            yield from self.tokens(cell.cell_contents)
        yield from self.tokens(function.__defaults__)
        yield from self.tokens(function.__kwdefaults__)

    def _object(self, part: Any) -> Iterator[Any]:
        kind = type(part)
        if not _is_keras(kind):
            raise _Unknown(part)
        yield kind
        if isinstance(part, keras.metrics.Metric):  # the model's only after its first step
            for variable in part.variables:
                self._variables.setdefault(id(variable), len(self._variables))
        for name, value in self._attributes(part):
            if name == "_exclude_from_weight_decay":  # it contains addresses of variables
                raise _Unknown(part)
            if name in _NAMES and not isinstance(part, keras.metrics.Metric):
                if not self._names_matter:
                    continue
            if self._is_free(part, name, value):
                self.free.append((part, name))
                yield name, "free"
                continue
            yield name
            yield from self.tokens(value)

    def _attributes(self, part: Any) -> Iterator[tuple[str, Any]]:
        slots = [name for kind in type(part).__mro__ for name in vars(kind).get("__slots__", ())]
        attributes = {name: getattr(part, name) for name in slots if hasattr(part, name)}
        attributes |= getattr(part, "__dict__", {})
        for name, value in sorted(attributes.items()):
            is_start = name in _STARTS or name.endswith("_initializer")
            if not (name in _RECORDS or name.startswith("_self_") or is_start):
                yield name, value

    def _is_free(self, part: Any, name: str, value: Any) -> bool:
        if not self._with_free or not isinstance(value, float) or not value:
            return False
        if isinstance(part, keras.optimizers.Optimizer):
            return name == "weight_decay"
        return name in _FREE.get(type(part), ())


def _is_keras(part: Any) -> bool:
    module = getattr(part, "__module__", None) or ""
    return module.partition(".")[0] == "keras"
