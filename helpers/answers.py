"""A student's answer as a check uses it: an object that can be called and returns plain values.

A check never has the student's object itself. On the page it gets a `LocalAnswer`; in grading it
gets a proxy with the same three operations (call, `value`, `evaluate`), which run in a sandboxed
process. Both return the same plain values, so one check works with both.
"""

from __future__ import annotations

import contextlib
import copy
import io
import re
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import EllipsisType
from typing import Any, Protocol

import numpy as np

__all__ = [
    "AnswerChangedInput",
    "AnswerError",
    "AnswerNotCallable",
    "Code",
    "LocalAnswer",
    "Model",
    "ModelView",
    "Opaque",
    "answer_error",
    "changed",
    "code",
    "plain",
    "scope",
    "student_line",
    "student_value",
]


class AnswerError(Exception):
    """The student's code raised while a check called it.

    Attributes:
        kind: Name of the exception's class, for example "ValueError".
        bases: Names of all its classes, most derived first.
        line: The student's source line, empty if unknown.
    """

    def __init__(self, kind: str, message: str, line: str = "", bases: tuple[str, ...] = ()):
        super().__init__(f"{kind}: {message}" if message else kind)
        self.kind = kind
        self.message = message
        self.line = line
        self.bases = bases or (kind,)


class AnswerChangedInput(Exception):
    """The student's code changed an argument, or an attribute that all objects of a class share."""


class AnswerNotCallable(Exception):
    """A check called an answer that is not a function."""


@dataclass(frozen=True)
class Code:
    """A function passed to an answer as source text, so that it can be sent to another process.

    Attributes:
        source: A Python expression, for example "lambda v: (a * v**2).sum()"; `np`, `tf` and
            `keras` are in scope.
        names: Plain values the expression refers to.
    """

    source: str
    names: Mapping[str, Any] = field(default_factory=dict)


def code(source: str, **names: Any) -> Code:
    """Return `source` as a function that can be passed to an answer."""
    return Code(source, names)


class Model(Protocol):
    """The operations that a check may use on a Keras model that an answer returned."""

    weights: list[np.ndarray]
    config: dict
    layers: list[dict]
    compile_config: dict
    input_shape: tuple
    output_shape: tuple

    def predict(self, x: np.ndarray, training: bool = False) -> np.ndarray: ...

    def set_weights(self, weights: list[np.ndarray]) -> None: ...


class ModelView:
    """A Keras model in this process, with only the operations that a check may use."""

    def __init__(self, model: Any):
        self._model = model

    def predict(self, x: np.ndarray, training: bool = False) -> np.ndarray:
        """Return the outputs for `x`, of shape (batch, outputs)."""
        return plain(self._model(np.asarray(x), training=training))

    @property
    def weights(self) -> list[np.ndarray]:
        """All weights in Keras's order, each as an array."""
        return [np.asarray(weight) for weight in self._model.get_weights()]

    def set_weights(self, weights: list[np.ndarray]) -> None:
        """Replace all weights."""
        self._model.set_weights(weights)

    @property
    def config(self) -> dict:
        """`get_config()` of the model."""
        return self._model.get_config()

    @property
    def layers(self) -> list[dict]:
        """Class name and configuration of each layer, in order."""
        return [
            {"class_name": type(layer).__name__, "config": layer.get_config()}
            for layer in self._model.layers
        ]

    @property
    def compile_config(self) -> dict:
        """Optimizer, loss and metrics the model was compiled with; empty if it was not."""
        return self._model.get_compile_config() or {} if self._model.compiled else {}

    @property
    def input_shape(self) -> tuple:
        """Input shape with None for the batch."""
        return tuple(self._model.input_shape)

    @property
    def output_shape(self) -> tuple:
        """Output shape with None for the batch."""
        return tuple(self._model.output_shape)


class Opaque:
    """Any other object that an answer returned: it can only be passed back to an answer."""

    def __init__(self, value: Any):
        self._value = value

    def __repr__(self) -> str:
        return f"a {type(self._value).__name__}"


_PLAIN = (bool, int, float, complex, str, EllipsisType, ModelView, Opaque)


def plain(value: Any) -> Any:
    """Return `value` with tensors as NumPy arrays, NumPy scalars as numbers, models as views."""
    if value is None or isinstance(value, _PLAIN):
        return value
    if isinstance(value, np.ma.MaskedArray):
        return Opaque(value)  # a masked entry is not a number
    if isinstance(value, np.ndarray):
        return np.asarray(value)
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Mapping):
        return {plain(key): plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        items = [plain(item) for item in value]
        return tuple(items) if isinstance(value, tuple) else items
    if isinstance(value, range):
        return list(value)
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(value, pandas.DataFrame | pandas.Series):
        return value
    keras = sys.modules.get("keras")
    if keras is not None and isinstance(value, keras.Model):
        return ModelView(value)
    if keras is not None and isinstance(value, keras.callbacks.History):
        return {"epoch": list(value.epoch), "history": plain(value.history)}
    if hasattr(value, "__array__") and not isinstance(value, type):
        with contextlib.suppress(Exception):
            return np.asarray(value)
    return Opaque(value)


def student_value(value: Any) -> Any:
    """Return `value` as the student's function should receive it: arrays copied, code compiled."""
    if isinstance(value, Code):
        names = {name: student_value(item) for name, item in value.names.items()}
        return eval(value.source, scope(value.source) | names)
    if isinstance(value, ModelView):
        return value._model
    if isinstance(value, Opaque):
        return value._value
    if isinstance(value, np.ndarray):
        return value.copy()
    if isinstance(value, dict):
        return {key: student_value(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(student_value(item) for item in value)
    return copy.copy(value)


def scope(source: str) -> dict[str, Any]:
    """Return the modules that `source` names: np always, tf and keras only if it uses them."""
    names: dict[str, Any] = {"np": np}
    if re.search(r"\b(tf|keras)\b", source):
        from helpers import backend

        names |= {"tf": backend.tf, "keras": backend.keras}
    return names


def student_line(error: BaseException) -> str:
    """Return the last line of the student's code in the error's traceback, with its number."""
    if isinstance(error, SyntaxError) and error.text:
        return f"line {error.lineno}: {error.text.strip()}"
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if _is_students(frame.filename)]
    if not own:
        return ""
    return f"line {own[-1].lineno}: {(own[-1].line or '').strip()}".rstrip(": ")


def _is_students(filename: str) -> bool:
    return not (
        filename == "<string>"
        or "site-packages" in filename
        or "/helpers/" in filename.replace("\\", "/")
        or filename.startswith((sys.base_prefix, "<frozen"))
    )


def answer_error(error: BaseException) -> AnswerError:
    """Return the student's exception as data: its class names, its message, the student's line."""
    bases = tuple(base.__name__ for base in type(error).__mro__ if base is not object)
    text = str(error).strip()
    message = text.splitlines()[0][:500] if text else ""
    return AnswerError(type(error).__name__, message, student_line(error), bases)


class LocalAnswer:
    """A student's object in the page's kernel.

    Args:
        name: The name the exercise asks for.
        target: What the student defined.
        siblings: All answers of the exercise by name, in scope of `evaluate`.
        may_change_input: Whether the function may write into the arrays it is given.
    """

    def __init__(
        self,
        name: str,
        target: Any,
        siblings: Mapping[str, Any] | None = None,
        may_change_input: bool = False,
    ):
        self.name = name
        self._target = target
        self._siblings = siblings if siblings is not None else {name: target}
        self._may_change_input = may_change_input

    @property
    def value(self) -> Any:
        """The plain value of an answer that is data."""
        return plain(self._target)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the student's function with copies of the arguments; return a plain value.

        Raises:
            AnswerError: If the student's function raised.
            AnswerChangedInput: If it changed an argument in place, or set an attribute of a class.
        """
        if not callable(self._target):
            raise AnswerNotCallable(
                f"`{self.name}` is a {type(self._target).__name__}, not a function: "
                f"define it with `def {self.name}(...):`."
            )
        given = [student_value(arg) for arg in args]
        named = {name: student_value(arg) for name, arg in kwargs.items()}
        before = {f"argument number {n}": arg for n, arg in enumerate(args, start=1)}
        before |= {f"argument `{name}`": arg for name, arg in kwargs.items()}
        after = dict(zip(before, [*given, *named.values()], strict=True))
        with self._watch(before, after):
            return plain(self._guard(lambda: self._target(*given, **named)))

    def evaluate(self, source: str, **inputs: Any) -> Any:
        """Run `source` in the student's namespace and return the plain value of `result`.

        Args:
            source: Statements that set `result`; np, tf, keras, the exercise's names and the
                inputs are in scope.
            **inputs: Plain values, copied.

        Raises:
            AnswerError: If anything in it raised.
            AnswerChangedInput: If an input was changed in place.
        """
        given = {name: student_value(value) for name, value in inputs.items()}
        names = scope(source) | dict(self._siblings) | given
        with self._watch(
            {f"input `{name}`": value for name, value in inputs.items()},
            {f"input `{name}`": value for name, value in given.items()},
        ):
            self._guard(lambda: exec(source, names))
        return plain(names["result"])

    @contextlib.contextmanager
    def _watch(self, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[None]:
        """Raise `AnswerChangedInput` if the block changed a value, or an attribute of a class.

        Args:
            before: The values of the check, by their descriptions.
            after: The copies that the student's code got, by the same descriptions.
        """
        classes = _classes(self._siblings.values())
        shared = [_shared_state(cls) for cls in classes]
        yield
        for what in () if self._may_change_input else before:
            place = changed(before[what], after[what])
            if place is not None:
                raise AnswerChangedInput(
                    f"`{self.name}` changes its {what}{place} in place. The caller loses "
                    "its data: work on a copy, or build a new array."
                )
        for cls, state in zip(classes, shared, strict=True):
            for attribute, value in _shared_state(cls).items():
                if attribute not in state or state[attribute] != value:
                    raise AnswerChangedInput(
                        f"`{attribute}` is set on the class `{cls.__name__}`, so all its "
                        f"objects share one value: write `self.{attribute} = ...` in a method."
                    )

    @staticmethod
    def _guard(action: Callable[[], Any]) -> Any:
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                return action()
        except Exception as error:
            raise answer_error(error) from error


def changed(old: Any, new: Any) -> str | None:
    """Return where `new` differs from `old`: None if nowhere, "" if as a whole, or ", entry [0]".

    Looks at arrays, tables, numbers and text, also inside lists, tuples, sets and dictionaries.

    >>> changed({"W": [1, 2]}, {"W": [1, 3]})
    ", entry ['W'][1]"
    >>> changed([1, 2], []), changed([np.nan], [np.nan])
    ('', None)
    """
    place = _change(old, new)
    return f", entry {place}" if place else place


def _change(old: Any, new: Any) -> str | None:
    if isinstance(old, np.ndarray):
        return None if isinstance(new, np.ndarray) and _same_array(old, new) else ""
    if isinstance(old, dict):
        if not isinstance(new, dict) or old.keys() != new.keys():
            return ""
        return _first_change((f"[{key!r}]", old[key], new[key]) for key in old)
    if isinstance(old, list | tuple):
        if not isinstance(new, list | tuple) or len(old) != len(new):
            return ""
        pairs = zip(old, new, strict=True)
        return _first_change((f"[{n}]", a, b) for n, (a, b) in enumerate(pairs))
    if hasattr(old, "equals"):
        return None if old.equals(new) else ""
    if isinstance(old, set | str | bool | int | float):
        return None if old == new or old != old else ""
    return None


def _first_change(entries: Iterable[tuple[str, Any, Any]]) -> str | None:
    for place, old, new in entries:
        inner = _change(old, new)
        if inner is not None:
            return place + inner
    return None


def _same_array(old: np.ndarray, new: np.ndarray) -> bool:
    if old.shape != new.shape or old.dtype != new.dtype:
        return False
    if old.dtype == object:
        return all(a is b or a == b for a, b in zip(old.flat, new.flat, strict=True))
    return np.array_equal(old, new, equal_nan=old.dtype.kind in "fc")


def _classes(targets: Iterable[Any]) -> list[type]:
    """Return the student's classes among `targets`, and those of the page they derive from."""
    found = [base for target in targets if isinstance(target, type) for base in target.__mro__]
    outside = ("builtins", "abc", "typing", "enum", "keras", "tensorflow")
    return [cls for cls in dict.fromkeys(found) if cls.__module__.split(".")[0] not in outside]


def _shared_state(cls: type) -> dict[str, tuple]:
    """Return the identity of each value on a class, except numbers, which may be counters."""
    return {
        name: (id(value), len(value) if isinstance(value, list | dict | set) else 0)
        for name, value in vars(cls).items()
        if not name.startswith("__")
        and not callable(value)
        and not isinstance(value, bool | int | str | property | staticmethod | classmethod)
    }
