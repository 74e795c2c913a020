"""Functions with which checks test an answer; their messages tell a student what differs."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from helpers.answers import AnswerError

__all__ = [
    "NotYet",
    "expect",
    "expect_close",
    "expect_entries",
    "expect_layers",
    "expect_mapping",
    "expect_number",
    "expect_parts",
    "expect_raises",
    "expect_shape",
    "expect_table",
    "in_short",
    "naming",
    "numbers",
    "show",
    "show_apart",
]


class NotYet(Exception):
    """The answer is not right yet; the message tells the student what to look at."""


def expect(condition: bool, message: str) -> None:
    """Raise `NotYet(message)` unless `condition` holds."""
    if not condition:
        raise NotYet(message)


def show(value: Any, limit: int = 120) -> str:
    """Return `value` in a short form for a sentence.

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
    elif type(value).__name__ == "ModelView":
        return "a Keras model"
    else:
        text = " ".join(repr(value).split())
    return text if len(text) <= limit else text[: limit - 4] + " ..."


def _list(items: Iterable[Any]) -> str:
    return ", ".join(map(str, items))


def _size_of(got: Any) -> str:
    return f"{len(got)} entries" if isinstance(got, list | tuple) else show(got)


def numbers(got: Any, what: str = "the result", *, booleans: bool = False) -> np.ndarray:
    """Return `got` as an array of real numbers; NaN and infinity are allowed.

    Args:
        got: What an answer returned: a number, a list or an array.
        what: Its name in the message.
        booleans: Whether True and False count as 1 and 0.

    Raises:
        NotYet: If it is missing, or complex, text, masked, ragged or another kind of object.
    """
    if got is None:
        raise NotYet(f"{_start(what)} is None: is a `return` missing?")
    if isinstance(got, dict):
        raise NotYet(f"{_start(what)} should be numbers; got a dict with the keys {list(got)}.")
    try:
        array = np.asarray(got)
    except (ValueError, TypeError):
        raise NotYet(f"{_start(what)} has rows of different lengths: {show(got)}.") from None
    kind = array.dtype.kind
    if kind == "c":
        raise NotYet(f"{_start(what)} should be real numbers; got complex ones: {show(got)}.")
    if kind == "b" and not booleans:
        raise NotYet(
            f"{_start(what)} should be numbers; got {show(got)}, which is a truth value. Turn it "
            "into numbers, for example with `.astype(float)`."
        )
    if kind not in "biuf":
        raise NotYet(f"{_start(what)} should be numbers; got {show(got)}.")
    return array.astype(float) if kind != "f" else array


def expect_number(got: Any, what: str = "the result", *, booleans: bool = False) -> float:
    """Return `got` as a float if it is one finite real number, also as an array of one element."""
    array = numbers(got, what, booleans=booleans)
    expect(array.size == 1, f"{_start(what)} should be one number; got {show(got)}.")
    number = float(array.reshape(()))
    expect(np.isfinite(number), f"{_start(what)} is {number}; it should be a finite number.")
    return number


def expect_shape(got: Any, shape: tuple[int, ...], *, given: str, what: str = "the result") -> None:
    """Raise `NotYet` unless `got` is numeric and has `shape`."""
    array = numbers(got, what, booleans=True)
    expect(
        array.shape == tuple(shape),
        f"Given {given}: {what} should have shape {tuple(shape)}; got shape {array.shape}."
        f"{_shape_advice(array.shape, tuple(shape))}",
    )


def _shape_advice(got: tuple[int, ...], want: tuple[int, ...]) -> str:
    """Return a sentence on how a shape differs from the expected one, or ""."""
    if got == ():
        return " The result is one number: is a sum or a mean taken over too many axes?"
    if want == ():
        return " One number is expected: is a sum or a mean over all entries missing?"
    if len(got) > 1 and got == want[::-1]:
        return " Rows and columns are exchanged."
    if np.prod(got) == np.prod(want):
        return " The number of entries is right; only the shape is wrong."
    if len(got) == len(want) - 1:
        return " An axis is missing: is a sum or a mean taken over it?"
    return ""


def expect_close(
    got: Any,
    want: Any,
    *,
    given: str,
    what: str = "the result",
    rtol: float = 1e-4,
    atol: float = 1e-6,
    mistakes: Mapping[str, Any] | None = None,
    booleans: bool = False,
    inputs: np.ndarray | None = None,
    advice: str = "",
) -> None:
    """Raise `NotYet` unless `got` has the shape and, within tolerance, the values of `want`.

    Args:
        got: A number, list or array of any numeric dtype.
        want: The expected values.
        given: The input, in words or numbers.
        what: Its name in the message.
        rtol: Allowed difference relative to `want` (1e-4 accepts float32).
        atol: Allowed absolute difference.
        mistakes: Values that known mistakes give, by the message for each. A value that is also
            right for these inputs is skipped.
        booleans: Whether True and False count as 1 and 0.
        inputs: What a function of single numbers was given, shaped like `want`; the message shows
            the number at the place that differs.
        advice: What to look at if the difference is not one of the known mistakes.
    """
    array, target = numbers(got, what, booleans=booleans), np.asarray(want, dtype=float)
    if target.shape == () and array.size == 1:
        array = array.reshape(())
    _expect_unrounded(array, target, given, what, rtol, atol)
    for sentence, value in (mistakes or {}).items():
        value = np.asarray(value, dtype=float)
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
    gap = np.abs(array - target)
    worst = np.unravel_index(int(np.argmax(gap)), gap.shape)
    wanted, came = show_apart(float(target[worst]), float(array[worst]))
    related = _relation(array, target, rtol, atol)
    ending = f" {advice}" if advice else ""
    if target.size == 1:
        raise NotYet(f"Given {given}: expected {wanted} for {what}, got {came}{related}.{ending}")
    place = "[" + ", ".join(str(int(index)) for index in worst) + "]"
    if inputs is not None:
        place = f"{place}, for the input {show(float(inputs[worst]))}"
    raise NotYet(
        f"Given {given}: {what} differs most at {place}: expected {wanted}, got {came}{related}."
        f"{ending}"
    )


_PLAIN_FACTORS = (-1.0, 2.0, 0.5, 3.0, 4.0, 0.25, 10.0, 0.1, 100.0, 0.01, 1000.0, 0.001)


def _relation(got: np.ndarray, want: np.ndarray, rtol: float, atol: float) -> str:
    """Return how `got` differs from the expected values if it is one simple step, or "".

    >>> _relation(np.array([2.0, 4.0]), np.array([1.0, 2.0]), 1e-4, 1e-6)
    ': each entry is 2 times the expected one'
    """

    def same(values: Any) -> bool:
        return bool(np.allclose(got, values, rtol, atol))

    one = want.size == 1
    largest = np.unravel_index(int(np.argmax(np.abs(want))), want.shape)
    if np.abs(want[largest]) > 100 * atol:
        factor = float(got[largest] / want[largest])
        close = [plain for plain in _PLAIN_FACTORS if abs(factor / plain - 1) < rtol]
        factor = close[0] if close else factor
        if (close or not one) and factor and same(factor * want):
            if factor == -1:
                return ": the sign is turned" if one else ": the sign of each entry is turned"
            shown = f"{factor:.4g} times the expected"
            return f", {shown} number" if one else f": each entry is {shown} one"
    if one:
        return ""
    shift = float((got - want).flat[0])
    if abs(shift) > 100 * atol and same(want + shift):
        return f": each entry is {abs(shift):.4g} too {'large' if shift > 0 else 'small'}"
    if np.ptp(want) and not np.ptp(got):
        return f": every entry is {float(got.flat[0]):.4g}"
    for digits in (1, 2, 3):
        if np.array_equal(got, np.round(want, digits)):
            return f": the entries are rounded to {digits} digits"
    if same(np.trunc(want)):
        return ": the fractional parts are missing; store the result as floats, not as integers"
    if got.ndim == 2 and got.shape == got.T.shape and same(want.T):
        return ": rows and columns are exchanged"
    if np.allclose(np.abs(got), np.abs(want), rtol, atol):
        return ": only signs differ"
    if np.allclose(np.sort(got, axis=None), np.sort(want, axis=None), rtol, atol):
        return ": the entries are right, but in the wrong order"
    wrong = int((~np.isclose(got, want, rtol, atol)).sum())
    return f"; {wrong} of {want.size} entries differ"


def _expect_unrounded(array, target, given, what, rtol, atol) -> None:
    """Raise `NotYet` where the right values were rounded, and too coarsely."""
    if array.shape != target.shape or not array.any() or np.allclose(array, target, rtol, atol):
        return
    for digits in range(1 if target.size > 2 else 2, 8):  # one number may be short by chance
        expect(
            not np.allclose(array, np.round(target, digits), rtol=0, atol=1e-12),
            f"Given {given}: {what} is rounded to {digits} decimals. Return it unrounded.",
        )


def show_apart(first: float, second: float) -> tuple[str, str]:
    """Return two different numbers with enough digits to show the difference.

    >>> show_apart(0.472, 0.4721), show_apart(0.47200001, 0.47200002)
    (('0.472', '0.4721'), ('0.47200001', '0.47200002'))
    """
    for digits in range(6, 18):
        shown = f"{first:.{digits}g}", f"{second:.{digits}g}"
        if shown[0] != shown[1]:
            break
    return shown


def expect_parts(got: Any, what: str, *parts: str) -> tuple:
    """Return what an answer returned as a tuple with one entry per name in `parts`.

    >>> expect_parts([1, 2], "f(x)", "w", "b")
    (1, 2)
    """
    expect(
        isinstance(got, tuple | list)
        and len(got) == len(parts)
        or isinstance(got, np.ndarray)
        and got.ndim > 0
        and len(got) == len(parts),
        f"{_start(what)} should be {len(parts)} values, ({', '.join(parts)}); got {show(got)}.",
    )
    return tuple(got)


def expect_layers(got: Any, like: Sequence[tuple], what: str) -> list[tuple[np.ndarray, ...]]:
    """Return what an answer returned as a list of tuples of arrays with the shapes of `like`.

    Args:
        got: What the answer returned; for a network, pairs of weights and biases.
        like: Tuples of arrays whose number and shapes are expected.
        what: Its name in the message.
    """
    shapes = [tuple(np.shape(part) for part in layer) for layer in like]
    expect(
        isinstance(got, list | tuple) and len(got) == len(like),
        f"{_start(what)} should be a list of {len(like)} layers, one tuple of arrays per layer; "
        f"got {_size_of(got)}.",
    )
    layers = []
    for index, (layer, wanted) in enumerate(zip(got, shapes, strict=True)):
        expect(
            isinstance(layer, list | tuple) and len(layer) == len(wanted),
            f"Entry {index} of {what} should be a tuple of {len(wanted)} arrays; got "
            f"{show(layer)}.",
        )
        arrays = tuple(numbers(part, f"entry {index} of {what}") for part in layer)
        found = tuple(array.shape for array in arrays)
        expect(
            found == wanted,
            f"The arrays in entry {index} of {what} have the shapes {_list(found)}; expected "
            f"{_list(wanted)}.",
        )
        layers.append(arrays)
    return layers


def expect_mapping(got: Any, what: str, *, keys: Iterable[Any] = (), at_least: int = 1) -> dict:
    """Return what an answer returned as a dict with at least the given keys.

    Args:
        got: What the answer returned.
        what: Its name in the message.
        keys: Keys that it must have.
        at_least: The smallest number of entries.
    """
    expect(isinstance(got, dict), f"{_start(what)} should be a dict; got {show(got)}.")
    missing = [key for key in keys if key not in got]
    expect(
        not missing,
        f"{_start(what)} lacks the keys {_list(map(repr, missing))}; it has "
        f"{show(list(got)) if got else 'none'}.",
    )
    expect(
        len(got) >= at_least,
        f"{_start(what)} has {len(got)} entries; it needs at least {at_least}.",
    )
    return got


def expect_table(
    answer: Any, columns: Sequence[str], *, rows: int | None = None, at_least: int = 1
) -> dict[str, list]:
    """Return the columns of an answer that is a table, all of one length.

    Args:
        answer: Its value is a dict with one list per column, a list of one dict per row, or a data
            frame.
        columns: Columns it must have; others of the same length are also returned.
        rows: The number of rows, if it is fixed.
        at_least: The smallest number of rows otherwise.

    Raises:
        NotYet: If it is not such a table.
    """
    name, value = answer.name, answer.value
    if hasattr(value, "to_dict"):
        value = value.to_dict("list")
    elif isinstance(value, list | tuple) and value and all(isinstance(row, dict) for row in value):
        names = dict.fromkeys(column for row in value for column in row)
        value = {column: [row.get(column) for row in value] for column in names}
    expect(
        isinstance(value, dict) and bool(value),
        f"`{name}` should be a table: a dict with one list per column, a list of one dict per "
        f"row, or a data frame. It is {show(value)}.",
    )
    for column in columns:
        expect(column in value, f"`{name}` lacks the column {column!r}; it has {list(value)}.")
        expect(
            hasattr(value[column], "__len__") and not isinstance(value[column], str),
            f"Column {column!r} of `{name}` should be a list with one entry per row; it is "
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
        f"`{name}` has {length} rows; {rows or f'at least {at_least}'} are required.",
    )
    return {
        column: list(entries)
        for column, entries in value.items()
        if hasattr(entries, "__len__") and len(entries) == length
    }


@contextlib.contextmanager
def naming(given: str) -> Iterator[None]:
    """Add to an error of the student's code what the code was given."""
    try:
        yield
    except AnswerError as error:
        if error.kind != "NotImplementedError":
            error.args = (f"{error} (given {given})",)  # the same error: graders quote its words
        raise


def expect_raises(
    error: type[Exception], call: Callable[[], Any], *, given: str, with_message: bool = False
) -> None:
    """Raise `NotYet` unless `call` makes the student's function raise `error`.

    Args:
        error: The class of the exception.
        call: Calls the answer.
        given: What it is called with.
        with_message: Whether the exception must carry a message.
    """
    try:
        got = call()
    except AnswerError as raised:
        expect(
            error.__name__ in raised.bases,
            f"Given {given}: expected a {error.__name__}, but your code raised {raised}.",
        )
        expect(
            not with_message or raised.message.strip(),
            f"Given {given}: the {error.__name__} has no message. Say in it what went wrong: "
            f'`raise {error.__name__}("...")`.',
        )
        return
    raise NotYet(
        f"Given {given}: your function should raise a {error.__name__}; it returned {show(got)}."
    )


def _start(what: str) -> str:
    """Return `what` as the start of a sentence: words are capitalised, names in code are not.

    >>> _start("the kernel"), _start("step_seconds[1]"), _start("w")
    ('The kernel', 'step_seconds[1]', 'w')
    """
    is_word = what.split(" ")[0] in ("the", "a", "an", "its")
    return what[:1].upper() + what[1:] if is_word else what


def in_short(got: Any) -> str:
    """Return a value as a message shows it: a list or tuple by its length only."""
    return f"a {type(got).__name__} of {len(got)}" if isinstance(got, tuple | list) else show(got)


def expect_entries(got: Any, names: Sequence[str], what: str, given: str) -> dict:
    """Return a dict that an answer returned; raise `NotYet` if it lacks entries.

    Args:
        got: What was returned.
        names: The entries that it needs, none of them None.
        what: The function that returned it.
        given: What the function was called with.
    """
    expect(
        isinstance(got, dict),
        f"Given {given}: `{what}` should return a dict with the keys "
        f"{', '.join(map(repr, names))}; it returned {in_short(got)}.",
    )
    for name in names:
        expect(
            name in got and got[name] is not None,
            f"Given {given}: the dict that `{what}` returned has no entry {name!r}. It has "
            f"{', '.join(map(repr, got)) or 'none'}.",
        )
    return got
