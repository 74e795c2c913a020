"""The sentences a check says: what was given, what was expected, what came back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from helpers.answers import AnswerError


class NotYet(Exception):
    """The answer is not right yet; the message tells the student what to look at."""


def expect(condition: bool, message: str) -> None:
    """Raise `NotYet(message)` unless `condition` holds."""
    if not condition:
        raise NotYet(message)


def show(value: Any, limit: int = 120) -> str:
    """Return `value` in a short form fit for a sentence.

    >>> show(np.array([1.0, 2.5]))
    '[1, 2.5]'
    """
    if isinstance(value, np.ndarray):
        if value.size > 12:
            return f"an array of shape {value.shape}"
        text = np.array2string(value, separator=", ", formatter={"float": "{:.5g}".format})
        text = " ".join(text.split())
    elif isinstance(value, float):
        text = f"{value:.6g}"
    elif hasattr(value, "columns") and hasattr(value, "index"):
        return f"a table of {value.shape[0]} rows and {value.shape[1]} columns"
    else:
        text = repr(value)
    return text if len(text) <= limit else text[: limit - 4] + " ..."


def expect_number(got: Any, what: str = "the result") -> float:
    """Return `got` as a float if it is one finite real number, also as an array of one element."""
    array = _numeric(got, what)
    expect(array.size == 1, f"{_start(what)} should be one number; got {show(got)}.")
    number = float(array.reshape(()))
    expect(np.isfinite(number), f"{_start(what)} is {number}; it should be a finite number.")
    return number


def expect_shape(got: Any, shape: tuple[int, ...], *, given: str, what: str = "the result") -> None:
    """Raise `NotYet` unless `got` is numeric and has `shape`."""
    array = _numeric(got, what)
    expect(
        array.shape == tuple(shape),
        f"Given {given}: {what} should have shape {tuple(shape)}; got shape {array.shape}.",
    )


def expect_close(
    got: Any,
    want: Any,
    *,
    given: str,
    what: str = "the result",
    rtol: float = 1e-4,
    atol: float = 1e-6,
    mistakes: Mapping[str, Any] | None = None,
) -> None:
    """Raise `NotYet` unless `got` has the shape and, within tolerance, the values of `want`.

    Args:
        got: A number, list or array of any numeric dtype.
        want: The expected values.
        given: The input, in words or numbers.
        what: Name of what came back.
        rtol: Allowed difference relative to `want` (1e-4 accepts float32).
        atol: Allowed absolute difference.
        mistakes: Values that a known mistake gives, by the sentence that helps with it.
    """
    array, target = _numeric(got, what), np.asarray(want)
    for sentence, value in (mistakes or {}).items():
        value = np.asarray(value)
        if array.shape == value.shape and np.allclose(array, value, rtol, atol, equal_nan=True):
            is_right = value.shape == target.shape and np.allclose(value, target, rtol, atol)
            expect(is_right, f"Given {given}: {sentence}")
    expect_shape(array, target.shape, given=given, what=what)
    finite = np.isfinite(array) | (array == target)
    expect(
        bool(np.all(finite)),
        f"Given {given}: {what} contains {show(array[~finite].ravel()[:1])} where finite numbers "
        "are expected.",
    )
    if np.allclose(array, target, rtol, atol):
        return
    if target.size == 1:
        expected = f"expected {show(float(target.reshape(())))}"
        raise NotYet(f"Given {given}: {expected} for {what}, got {show(float(array.reshape(())))}.")
    gap = np.abs(array - target)
    worst = np.unravel_index(int(np.argmax(gap)), gap.shape)
    place = "[" + ", ".join(str(int(index)) for index in worst) + "]"
    raise NotYet(
        f"Given {given}: {what} differs most at {place}, where {target[worst]:.6g} is expected and "
        f"{array[worst]:.6g} came back."
    )


def expect_table(
    answer: Any, columns: Sequence[str], *, rows: int | None = None, at_least: int = 1
) -> dict[str, list]:
    """Return the columns of an answer that is a table, all of one length.

    Args:
        answer: Its value is a dict with one list a column, a list of one dict a row, or a data
            frame.
        columns: Columns it must have; others of the same length come along.
        rows: The number of rows, if it is fixed.
        at_least: The smallest number of rows otherwise.

    Raises:
        NotYet: If it is no such table.
    """
    name, value = answer.name, answer.value
    if hasattr(value, "to_dict"):
        value = value.to_dict("list")
    elif isinstance(value, list | tuple) and value and all(isinstance(row, dict) for row in value):
        names = dict.fromkeys(column for row in value for column in row)
        value = {column: [row.get(column) for row in value] for column in names}
    expect(
        isinstance(value, dict) and bool(value),
        f"`{name}` should be a table: a dict with one list a column, a list of one dict a row, or "
        f"a data frame. It is {show(value)}.",
    )
    for column in columns:
        expect(column in value, f"`{name}` lacks the column {column!r}; it has {list(value)}.")
        expect(
            hasattr(value[column], "__len__") and not isinstance(value[column], str),
            f"Column {column!r} of `{name}` should be a list with one entry a row; it is "
            f"{show(value[column])}.",
        )
    lengths = {column: len(value[column]) for column in columns}
    length = lengths[columns[0]]
    expect(
        set(lengths.values()) == {length},
        f"The columns of `{name}` have different lengths: {lengths}.",
    )
    expect(
        length == rows if rows else length >= at_least,
        f"`{name}` has {length} rows; {rows or f'at least {at_least}'} are asked for.",
    )
    return {
        column: list(entries)
        for column, entries in value.items()
        if hasattr(entries, "__len__") and len(entries) == length
    }


def expect_raises(error: type[Exception], call: Callable[[], Any], *, given: str) -> None:
    """Raise `NotYet` unless `call` makes the student's function raise `error`."""
    try:
        got = call()
    except AnswerError as raised:
        expect(
            error.__name__ in raised.bases,
            f"Given {given}: a {error.__name__} is expected, but your code raised {raised}.",
        )
        return
    raise NotYet(
        f"Given {given}: your function should raise a {error.__name__}; it returned {show(got)}."
    )


def _numeric(got: Any, what: str) -> np.ndarray:
    if got is None:
        raise NotYet(f"{_start(what)} is None: is a `return` missing?")
    try:
        array = np.asarray(got)
    except ValueError:
        raise NotYet(f"{_start(what)} has rows of different lengths: {show(got)}.") from None
    if array.dtype.kind not in "biuf":
        raise NotYet(f"{_start(what)} should be numbers; got {show(got)}.")
    return array.astype(float) if array.dtype.kind != "f" else array


def _start(what: str) -> str:
    """Return `what` as a sentence begins: a word with a capital, a code name as it is written.

    >>> _start("the kernel"), _start("step_seconds[1]"), _start("w")
    ('The kernel', 'step_seconds[1]', 'w')
    """
    is_word = what.split(" ")[0] in ("the", "a", "an", "its")
    return what[:1].upper() + what[1:] if is_word else what
