"""Derivatives by central differences, and the check that compares a gradient with them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["GradientCheck", "gradient_check", "numerical_gradient"]


def numerical_gradient(f: Callable, x: ArrayLike, h: float = 1e-5) -> np.ndarray | float:
    """Estimate the gradient of `f` at `x`, one entry at a time.

    Each entry costs two calls of `f` and has an error of the order of `h` squared.

    Args:
        f: Function of one array that returns one number. It receives a float64 copy of `x`.
        x: Array or number, any shape; integers are converted, and `x` is not changed.
        h: Step in the units of `x`, > 0.

    Returns:
        float64 array of the shape of `x`; a float if `x` is a number.

    Raises:
        ValueError: If `x` is not real, if `h` is not positive or too small to change `x`, or if
            `f` returns more than one number or one that is not finite.

    Example:
        >>> numerical_gradient(lambda v: (v**2).sum(), [3, 4]).round(6)
        array([6., 8.])

    Source: Goodfellow et al. 2016, Deep Learning, section 11.5.
    """
    if not (isfinite(h) and h > 0):
        raise ValueError(f"The step h must be a positive number; got {h!r}.")
    point = _float64_copy(x, "x")
    gradient = np.empty_like(point)
    for index in np.ndindex(point.shape):
        gradient[index] = _central_difference(f, point, index, h)
    return gradient if gradient.ndim else float(gradient)


def _central_difference(f: Callable, point: np.ndarray, index: tuple, h: float) -> float:
    lower, upper = point.copy(), point.copy()
    lower[index] -= h
    upper[index] += h
    spacing = upper[index] - lower[index]  # what is left of 2 * h after rounding
    if spacing == 0:
        raise ValueError(
            f"At {_place(index)} x is {point[index]:.6g}, and a step of {h:g} is lost to "
            "rounding. Choose a larger h."
        )
    # [()] turns an array without axes into a number and leaves others unchanged
    return (_number(f, upper[()], index) - _number(f, lower[()], index)) / spacing


def _number(f: Callable, argument: ArrayLike, index: tuple) -> float:
    value = np.asarray(f(argument))
    if value.size != 1:
        raise ValueError(
            f"f must return one number; it returned an array of shape {value.shape}. "
            "Sum it, or take its mean, first."
        )
    if value.dtype.kind not in "fiub":
        raise ValueError(f"f must return a real number; it returned {value.dtype}.")
    value = float(value.reshape(()))
    if not isfinite(value):
        raise ValueError(f"f is {value} when x is changed by a small step at {_place(index)}.")
    return value


@dataclass(frozen=True)
class GradientCheck:
    """The result of `gradient_check`; true if the gradient passed.

    Attributes:
        passed: Whether every entry agrees.
        index: Index of the entry that differs most.
        difference: Absolute difference at this index.
        given: The given gradient at this index.
        numerical: The central difference at this index.
    """

    passed: bool
    index: tuple[int, ...]
    difference: float
    given: float
    numerical: float

    def __bool__(self) -> bool:
        return self.passed

    def __str__(self) -> str:
        verdict = "The gradient agrees" if self.passed else "The gradient is wrong"
        return (
            f"{verdict}: the largest difference is {self.difference:.1e}, at {_place(self.index)}: "
            f"given {self.given:.6g}, numerically {self.numerical:.6g}."
        )


def gradient_check(
    f: Callable,
    gradient: ArrayLike | Callable,
    x: ArrayLike,
    *,
    h: float = 1e-5,
    rtol: float = 1e-5,
    atol: float = 1e-7,
) -> GradientCheck:
    """Compare a gradient with central differences and report the largest difference.

    Two numbers agree when they differ by at most `atol` + `rtol` times the larger of them. The
    reported entry is the one that differs most, among those that disagree if there are any.

    Args:
        f: Function of one array that returns one number.
        gradient: The gradient to check: an array of the shape of `x`, or a function that returns
            it for `x`.
        x: Array or number, any shape.
        h: Step of the central difference, in the units of `x`, > 0.
        rtol: Relative tolerance, >= 0 (unitless).
        atol: Absolute tolerance, >= 0, in the units of the gradient.

    Returns:
        GradientCheck: true or false, and a sentence when printed.

    Raises:
        ValueError: If the shape of the gradient is not that of `x`, and as in `numerical_gradient`.

    Example:
        >>> print(gradient_check(lambda v: (v**2).sum(), lambda v: 3 * v, [0.0, 2.0]))
        The gradient is wrong: the largest difference is 2.0e+00, at index [1]: given 6, \
numerically 4.
    """
    point = _float64_copy(x, "x")
    given = gradient(point.copy()[()]) if callable(gradient) else gradient
    given = _float64_copy(given, "gradient")
    if given.shape != point.shape:
        raise ValueError(
            f"The gradient has shape {given.shape} and x has shape {point.shape}: "
            "a gradient has one entry for each entry of x."
        )
    if not given.size:
        raise ValueError("x has no entries, so there is no gradient to check.")
    numerical = np.asarray(numerical_gradient(f, point, h))
    difference = np.where(np.isfinite(given), np.abs(given - numerical), np.inf)
    agrees = difference <= atol + rtol * np.maximum(np.abs(given), np.abs(numerical))
    agrees &= np.isfinite(given)
    candidates = difference if agrees.all() else np.where(agrees, -1.0, difference)
    index = tuple(int(i) for i in np.unravel_index(np.argmax(candidates), candidates.shape))
    return GradientCheck(
        passed=bool(agrees.all()),
        index=index,
        difference=float(difference[index]),
        given=float(given[index]),
        numerical=float(numerical[index]),
    )


def _float64_copy(values: ArrayLike, name: str) -> np.ndarray:
    array = np.asarray(values)
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{name} must hold real numbers; its dtype is {array.dtype}.")
    return np.array(array, dtype=np.float64)


def _place(index: tuple) -> str:
    return f"index [{', '.join(map(str, index))}]" if index else "the single value"
