"""Local objects that represent a student's answers in another process."""

from __future__ import annotations

import builtins
import re
from typing import Any

import numpy as np

from helpers.answers import AnswerChangedInput, AnswerError, AnswerNotCallable
from helpers.grading.sandbox import Worker, WorkerLost

__all__ = [
    "OWN_WORDS",
    "RemoteAnswer",
    "RemoteModel",
    "RemoteObject",
    "StudentError",
    "error_of",
    "lost_answer",
    "request",
]

_WORDS = {
    "time": "Time limit",
    "memory": "Memory limit",
    "ended": "Process ended",
    "nonsense": "Unreadable answer",
}


OWN_WORDS = tuple(f"{word}:" for word in (*_WORDS.values(), "SystemExit"))
_ERROR_NAME = re.compile(r"[A-Za-z_]{1,40}(Error|Exception|Warning)")


class RemoteAnswer:
    """An answer in a worker, with the interface of `helpers.answers.LocalAnswer`."""

    def __init__(self, worker: Worker, name: str):
        self.name = name
        self._worker = worker

    @property
    def value(self) -> Any:
        """The plain value of an answer that is data."""
        return request(self._worker, {"do": "value", "name": self.name})

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the student's function in its process; return a plain value.

        Raises:
            AnswerError: If it raised, hung, used too much memory or ended its process.
            AnswerChangedInput: If it changed an array argument in place.
        """
        asked = {"do": "call", "name": self.name, "args": list(args), "kwargs": kwargs}
        return request(self._worker, asked)

    def evaluate(self, source: str, **inputs: Any) -> Any:
        """Run `source` in the student's namespace and return the plain value of `result`."""
        asked = {"do": "evaluate", "name": self.name, "source": source, "inputs": inputs}
        return request(self._worker, asked)


class RemoteObject:
    """An object that stays in the worker and can only be passed back to it."""

    def __init__(self, worker: Worker, handle: int, name: str):
        self.wire_handle = handle
        self._worker = worker
        self._name = name if name.isidentifier() else "object"

    def __repr__(self) -> str:
        return f"a {self._name}"


class RemoteModel(RemoteObject):
    """A Keras model in the worker, with the interface of `helpers.answers.ModelView`."""

    def predict(self, x: np.ndarray, training: bool = False) -> np.ndarray:
        """Return the outputs for `x`."""
        return self._use("predict", np.asarray(x), bool(training))

    def set_weights(self, weights: list[np.ndarray]) -> None:
        """Replace all weights."""
        self._use("set_weights", list(weights))

    @property
    def weights(self) -> list[np.ndarray]:
        """All weights in Keras's order."""
        return self._use("weights")

    @property
    def config(self) -> dict:
        """`get_config()` of the model."""
        return self._use("config")

    @property
    def layers(self) -> list[dict]:
        """Class name and configuration of each layer."""
        return self._use("layers")

    @property
    def compile_config(self) -> dict:
        """Optimizer, loss and metrics the model was compiled with."""
        return self._use("compile_config")

    @property
    def input_shape(self) -> tuple:
        """Input shape with None for the batch."""
        return self._use("input_shape")

    @property
    def output_shape(self) -> tuple:
        """Output shape with None for the batch."""
        return self._use("output_shape")

    def _use(self, what: str, *args: Any) -> Any:
        return request(self._worker, {"do": "model", "model": self, "what": what, "args": [*args]})


def request(worker: Worker, asked: dict) -> Any:
    """Request a value from a worker; any failure becomes an error of the student's code.

    Raises:
        AnswerError: If there is no value.
        AnswerChangedInput: If the answer changed its input.
        AnswerNotCallable: If the answer is not a function.
    """

    def found(kind: str, handle: int, name: str) -> RemoteObject:
        return (RemoteModel if kind == "model" else RemoteObject)(worker, handle, name)

    try:
        reply = worker.ask(asked, worker.limits.call_seconds, found)
    except WorkerLost as lost:
        raise lost_answer(lost) from lost
    if "ok" in reply:
        return reply["ok"]
    for kind in (AnswerChangedInput, AnswerNotCallable):
        if kind.__name__ in reply:
            raise kind(str(reply[kind.__name__])[:500])
    raise error_of(reply.get("error"), worker.limits.call_seconds)


def lost_answer(lost: WorkerLost) -> AnswerError:
    """Return the loss of a worker as an error of the student's code."""
    return AnswerError(_WORDS[lost.reason], lost.detail)


def error_of(told: Any, seconds: float) -> AnswerError:
    """Return the error that a worker reported, in whatever form."""
    told = told if isinstance(told, dict) else {}
    kind, message, line = (str(told.get(key, ""))[:500] for key in ("kind", "message", "line"))
    bases = told.get("bases")
    bases = tuple(str(base)[:80] for base in bases[:20]) if isinstance(bases, list) else ()
    if kind == "OutOfTime":
        return AnswerError("Time limit", f"it did not finish within {seconds:g} s", line)
    if kind == "SystemExit":
        return AnswerError("SystemExit", "your code asked Python to exit", line)
    return StudentError(kind, message, line, bases)


class StudentError(AnswerError):
    """An error whose name and message come from the student's code; both are quoted.

    >>> str(StudentError("ValueError", "lengths differ"))
    'ValueError: \u201clengths differ\u201d'
    >>> str(StudentError("Correct", "2 of 2 points"))
    'an exception named \u201cCorrect\u201d: \u201c2 of 2 points\u201d'
    """

    def __init__(self, kind: str, message: str, line: str = "", bases: tuple[str, ...] = ()):
        super().__init__(kind or "Error", message, line, bases)
        known = isinstance(getattr(builtins, kind, None), type) or _ERROR_NAME.fullmatch(kind)
        named = kind if known else f"an exception named {_quoted(kind)}"
        self.args = (f"{named}: {_quoted(message)}" if message else named,)


def _quoted(text: str) -> str:
    """Return the student's text in quotation marks, without quotation marks inside."""
    return "\u201c" + re.sub("[\u201c\u201d]", "'", " ".join(text.split())) + "\u201d"
