"""Automatic differentiation in NumPy: the finished form of what chapter 3 builds.

A `Variable` holds an array and the `Function` that created it. `Variable.backward` goes from a
result back to the variables it was computed from and adds the derivatives to their `grad`.

Source: the design follows micrograd (A. Karpathy) and DeZero (K. Saito): one class for values,
one for operations, and a loop ordered by generation in place of recursion.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from numbers import Real

import numpy as np
from numpy.typing import ArrayLike

__all__ = [
    "Function",
    "Variable",
    "exp",
    "log",
    "log_softmax",
    "no_grad",
    "relu",
    "sigmoid",
    "tanh",
]

_recording = ContextVar("recording", default=True)


@contextmanager
def _record(on: bool) -> Iterator[None]:
    token = _recording.set(on)
    try:
        yield
    finally:
        _recording.reset(token)


def no_grad() -> AbstractContextManager[None]:
    """Return a context in which operations are computed but not recorded.

    Example:
        >>> w = Variable(2.0)
        >>> with no_grad():
        ...     y = w * 3
        >>> y.creator is None
        True
    """
    return _record(False)


class Variable:
    """An array that remembers how it was computed.

    Args:
        data: Array or number, any shape. Integers become float64, since a derivative needs a
            continuous value; float32 and float64 are kept, and the array is not copied.
        name: Optional label, for printing and for graphs.

    Attributes:
        data: The array.
        grad: Variable of the same shape, or None before the first `backward`. Only leaves
            (variables that no function created) receive one.
        creator: The function that created this variable, or None for a leaf.
        generation: Number of functions on the longest path from a leaf to here.

    Raises:
        ValueError: If `data` is not an array of real numbers.

    Example:
        >>> x = Variable(3.0)
        >>> y = x * x + 2 * x
        >>> y.backward()
        >>> x.grad
        Variable(8.)
    """

    __array_ufunc__ = None  # lets `array * variable` reach Variable.__rmul__

    def __init__(self, data: ArrayLike, name: str | None = None) -> None:
        self.data = _real_array(data)
        self.name = name
        self.grad = None
        self.creator = None
        self.generation = 0

    def backward(self, create_graph: bool = False) -> None:
        """Add the derivative of this variable to the `grad` of every leaf it depends on.

        A variable that is not a scalar counts as the sum of its entries. Gradients accumulate
        over repeated calls until `clear_grad`.

        Args:
            create_graph: Record the backward pass too, so that the gradients can themselves
                be differentiated.
        """
        with _record(create_graph):
            seed = Variable(np.ones_like(self.data))
            if self.creator is None:
                self._accumulate(seed, create_graph)
                return
            pending = {self.creator: seed}  # function -> gradient of its output
            for function in _latest_first(self.creator):
                for variable, gradient in function._input_gradients(pending.pop(function)):
                    if variable.creator is None:
                        variable._accumulate(gradient, create_graph)
                    elif variable.creator in pending:
                        pending[variable.creator] = pending[variable.creator] + gradient
                    else:
                        pending[variable.creator] = gradient

    def _accumulate(self, gradient: Variable, create_graph: bool) -> None:
        if self.grad is not None:
            self.grad = self.grad + gradient
        elif create_graph:
            self.grad = gradient
        else:  # two variables may receive the same array, so each gets a copy
            self.grad = Variable(gradient.data.copy())

    def clear_grad(self) -> None:
        """Reset the gradient to None, before the next `backward`."""
        self.grad = None

    @property
    def shape(self) -> tuple[int, ...]:
        return self.data.shape

    @property
    def ndim(self) -> int:
        return self.data.ndim

    @property
    def size(self) -> int:
        return self.data.size

    @property
    def dtype(self) -> np.dtype:
        return self.data.dtype

    @property
    def T(self) -> Variable:  # as in NumPy
        return self.transpose()

    def __len__(self) -> int:
        return len(self.data)

    def __repr__(self) -> str:
        label = "" if self.name is None else f", name={self.name!r}"
        values = np.array2string(self.data, separator=", ", prefix="Variable(")
        return f"Variable({values}{label})"

    def __neg__(self):
        return Neg()(self)

    def __add__(self, other):
        return Add()(self, _as_variable(other, self))

    def __radd__(self, other):
        return Add()(_as_variable(other, self), self)

    def __sub__(self, other):
        return Sub()(self, _as_variable(other, self))

    def __rsub__(self, other):
        return Sub()(_as_variable(other, self), self)

    def __mul__(self, other):
        return Mul()(self, _as_variable(other, self))

    def __rmul__(self, other):
        return Mul()(_as_variable(other, self), self)

    def __truediv__(self, other):
        return Div()(self, _as_variable(other, self))

    def __rtruediv__(self, other):
        return Div()(_as_variable(other, self), self)

    def __pow__(self, exponent):
        return Pow(exponent)(self)

    def __matmul__(self, other):
        return _matmul(self, _as_variable(other, self))

    def __rmatmul__(self, other):
        return _matmul(_as_variable(other, self), self)

    def __getitem__(self, index):
        return GetItem(index)(self)

    def sum(self, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Variable:
        """Return the sum over `axis` (all axes by default)."""
        return Sum(axis, keepdims)(self)

    def mean(self, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Variable:
        """Return the mean over `axis` (all axes by default)."""
        total = self.sum(axis, keepdims)
        return total * (total.size / self.size)

    def reshape(self, *shape: int | tuple[int, ...]) -> Variable:
        """Return the same entries in another shape; one length may be -1."""
        return Reshape(shape[0] if len(shape) == 1 else shape)(self)

    def transpose(self, *axes: int) -> Variable:
        """Return the array with its axes permuted (reversed by default)."""
        return Transpose(axes or None)(self)


class Function:
    """One differentiable operation; subclasses define `forward` and `backward`.

    Calling an instance computes the output and records the inputs. One instance serves one call.

    Attributes:
        inputs: The variables it was called with.
        generation: The highest generation among the inputs.

    Raises:
        ValueError: If an instance is called a second time while recording.

    Example:
        >>> class Square(Function):
        ...     def forward(self, x):
        ...         return x**2
        ...     def backward(self, gradient):
        ...         (x,) = self.inputs
        ...         return 2 * x * gradient
        >>> x = Variable([1.0, 5.0])
        >>> Square()(x).backward()
        >>> x.grad
        Variable([ 2., 10.])
    """

    inputs: tuple[Variable, ...] | None = None
    generation: int = 0

    def __call__(self, *inputs: Variable | ArrayLike) -> Variable:
        if self.inputs is not None:
            name = type(self).__name__
            raise ValueError(
                f"This {name} was called before and still holds its inputs. "
                f"Make a new one for every call: {name}()(x)."
            )
        inputs = tuple(_as_variable(value) for value in inputs)
        output = Variable(self.forward(*(variable.data for variable in inputs)))
        if _recording.get():
            self.inputs = inputs
            self.generation = max(variable.generation for variable in inputs)
            self._output = weakref.ref(output)  # weak, since output refers to creator
            output.creator = self
            output.generation = self.generation + 1
        return output

    @property
    def output(self) -> Variable:
        """The variable this function created."""
        return self._output()

    def forward(self, *arrays: np.ndarray) -> np.ndarray:
        """Return the output array for the input arrays."""
        raise NotImplementedError(
            f"{type(self).__name__}.forward is missing: it computes the output from the inputs."
        )

    def backward(self, gradient: Variable) -> Variable | tuple[Variable, ...]:
        """Return the gradient of each input, as Variables, given that of the output.

        A gradient that was broadcast in `forward` may be returned in the output's shape: it is
        summed to the shape of its input afterwards.
        """
        raise NotImplementedError(
            f"{type(self).__name__}.backward is missing: it turns the gradient of the output "
            "into one gradient for each input."
        )

    def _input_gradients(self, gradient: Variable) -> Iterator[tuple[Variable, Variable]]:
        gradients = self.backward(gradient)
        if not isinstance(gradients, tuple):
            gradients = (gradients,)
        if len(gradients) != len(self.inputs):
            raise ValueError(
                f"{type(self).__name__}.backward returned {len(gradients)} gradients for "
                f"{len(self.inputs)} inputs. Return one for each input, in order."
            )
        for position, (variable, value) in enumerate(zip(self.inputs, gradients, strict=True)):
            value = _as_variable(value, variable)
            if value.shape != variable.shape:
                if not _broadcasts(variable.shape, value.shape):
                    raise ValueError(
                        f"{type(self).__name__}.backward returned a gradient of shape "
                        f"{value.shape} for input {position} of shape {variable.shape}. "
                        "A gradient has the shape of its variable."
                    )
                value = SumTo(variable.shape)(value)
            if value.dtype != variable.dtype:
                value = Cast(variable.dtype)(value)
            yield variable, value


def _latest_first(function: Function) -> list[Function]:
    """Return `function` and all functions that it depends on, highest generation first.

    A function's generation exceeds that of every function it depends on, so in this order the
    gradient of an output is complete before it is passed on.
    """
    found = {function}
    stack = [function]
    while stack:
        for variable in stack.pop().inputs:
            creator = variable.creator
            if creator is not None and creator not in found:
                found.add(creator)
                stack.append(creator)
    return sorted(found, key=lambda each: each.generation, reverse=True)


def _real_array(data: ArrayLike) -> np.ndarray:
    array = np.asarray(data)
    if array.dtype.kind in "biu":
        return array.astype(np.float64)
    if array.dtype.kind != "f":
        raise ValueError(
            f"A Variable holds real numbers; got {type(data).__name__} of dtype {array.dtype}. "
            "Pass a number, a list of numbers or a NumPy array (for a Variable's array: v.data)."
        )
    return array


def _as_variable(value: Variable | ArrayLike, like: Variable | None = None) -> Variable:
    """Wrap `value`; a plain number takes the dtype of `like`, so that float32 stays float32."""
    if isinstance(value, Variable):
        return value
    if like is not None and isinstance(value, Real) and not isinstance(value, np.generic):
        return Variable(np.asarray(value, like.dtype))
    return Variable(value)


def _broadcasts(small: tuple[int, ...], large: tuple[int, ...]) -> bool:
    try:
        return np.broadcast_shapes(small, large) == large
    except ValueError:
        return False


class Neg(Function):
    def forward(self, x):
        return -x

    def backward(self, gradient):
        return -gradient


class Add(Function):
    def forward(self, a, b):
        return a + b

    def backward(self, gradient):
        return gradient, gradient


class Sub(Function):
    def forward(self, a, b):
        return a - b

    def backward(self, gradient):
        return gradient, -gradient


class Mul(Function):
    def forward(self, a, b):
        return a * b

    def backward(self, gradient):
        a, b = self.inputs
        return gradient * b, gradient * a


class Div(Function):
    def forward(self, a, b):
        return a / b

    def backward(self, gradient):
        a, b = self.inputs
        return gradient / b, -gradient * a / (b * b)


class Pow(Function):
    """Raise to a constant power."""

    def __init__(self, exponent):
        try:
            self.exponent = float(exponent)
        except TypeError:
            raise ValueError(
                "The exponent of a Variable is a plain number. "
                "For a variable exponent write exp(b * log(a))."
            ) from None

    def forward(self, x):
        return x**self.exponent

    def backward(self, gradient):
        (x,) = self.inputs
        if self.exponent == 0:
            return gradient * 0  # 0 * x**-1 would be NaN at x = 0
        return gradient * (self.exponent * x ** (self.exponent - 1))


class MatMul(Function):
    """Multiply matrices, or stacks of matrices; both operands have two axes or more."""

    def forward(self, a, b):
        return a @ b

    def backward(self, gradient):
        a, b = self.inputs
        return gradient @ _swap(b), _swap(a) @ gradient


class Exp(Function):
    def forward(self, x):
        return np.exp(x)

    def backward(self, gradient):
        return gradient * self.output


class Log(Function):
    def forward(self, x):
        return np.log(x)

    def backward(self, gradient):
        (x,) = self.inputs
        return gradient / x


class Tanh(Function):
    def forward(self, x):
        return np.tanh(x)

    def backward(self, gradient):
        return gradient * (1 - self.output * self.output)


class ReLU(Function):
    """Replace negative entries by 0; the derivative at 0 is 0, as in TensorFlow."""

    def forward(self, x):
        return np.maximum(x, 0)

    def backward(self, gradient):
        (x,) = self.inputs
        return gradient * (x.data > 0).astype(x.dtype)


class Sum(Function):
    def __init__(self, axis=None, keepdims=False):
        self.axis = axis
        self.keepdims = keepdims

    def forward(self, x):
        return x.sum(axis=self.axis, keepdims=self.keepdims)

    def backward(self, gradient):
        (x,) = self.inputs
        if self.axis is not None and not self.keepdims:
            axes = self.axis if isinstance(self.axis, tuple) else (self.axis,)
            axes = {axis % x.ndim for axis in axes}
            gradient = gradient.reshape(
                tuple(1 if axis in axes else length for axis, length in enumerate(x.shape))
            )
        return BroadcastTo(x.shape)(gradient)


class BroadcastTo(Function):
    def __init__(self, shape):
        self.shape = shape

    def forward(self, x):
        return np.broadcast_to(x, self.shape)

    def backward(self, gradient):
        return gradient  # summed to the input's shape by the caller


class SumTo(Function):
    """Undo broadcasting: sum over the axes along which an array was stretched."""

    def __init__(self, shape):
        self.shape = shape

    def forward(self, x):
        added = x.ndim - len(self.shape)
        stretched = (
            axis for axis in range(added, x.ndim) if self.shape[axis - added] != x.shape[axis]
        )
        return x.sum(axis=(*range(added), *stretched), keepdims=True).reshape(self.shape)

    def backward(self, gradient):
        return BroadcastTo(self.inputs[0].shape)(gradient)


class Reshape(Function):
    def __init__(self, shape):
        self.shape = shape

    def forward(self, x):
        return x.reshape(self.shape)

    def backward(self, gradient):
        return gradient.reshape(self.inputs[0].shape)


class Transpose(Function):
    def __init__(self, axes=None):
        self.axes = axes

    def forward(self, x):
        return x.transpose(self.axes)

    def backward(self, gradient):
        return Transpose(None if self.axes is None else tuple(np.argsort(self.axes)))(gradient)


class GetItem(Function):
    """Select entries by an index, a slice or an array of indices."""

    def __init__(self, index):
        self.index = index

    def forward(self, x):
        return x[self.index]

    def backward(self, gradient):
        return PutItem(self.index, self.inputs[0].shape)(gradient)


class PutItem(Function):
    """Place entries in an array of zeros; entries with the same index are added."""

    def __init__(self, index, shape):
        self.index = index
        self.shape = shape

    def forward(self, x):
        array = np.zeros(self.shape, x.dtype)
        np.add.at(array, self.index, x)
        return array

    def backward(self, gradient):
        return gradient[self.index]


class Cast(Function):
    def __init__(self, dtype):
        self.dtype = dtype

    def forward(self, x):
        return x.astype(self.dtype)

    def backward(self, gradient):
        return gradient  # cast to the input's dtype by the caller


def _swap(x: Variable) -> Variable:
    """Exchange the last two axes."""
    return x.transpose(*range(x.ndim - 2), x.ndim - 1, x.ndim - 2)


def _matmul(a: Variable, b: Variable) -> Variable:
    """Multiply as `@` does for arrays: a vector counts as a row (left) or a column (right)."""
    rows = a.reshape(1, -1) if a.ndim == 1 else a
    columns = b.reshape(-1, 1) if b.ndim == 1 else b
    product = MatMul()(rows, columns)
    if b.ndim == 1:
        product = product.reshape(product.shape[:-1])
    if a.ndim == 1:
        axis = product.ndim - 1 if b.ndim == 1 else product.ndim - 2
        product = product.reshape(product.shape[:axis] + product.shape[axis + 1 :])
    return product


def exp(x: Variable | ArrayLike) -> Variable:
    """Return e to the power of `x`, entry by entry."""
    return Exp()(x)


def log(x: Variable | ArrayLike) -> Variable:
    """Return the natural logarithm of `x`, entry by entry."""
    return Log()(x)


def tanh(x: Variable | ArrayLike) -> Variable:
    """Return the hyperbolic tangent of `x`, entry by entry."""
    return Tanh()(x)


def relu(x: Variable | ArrayLike) -> Variable:
    """Return `x` where it is positive and 0 elsewhere."""
    return ReLU()(x)


def sigmoid(x: Variable | ArrayLike) -> Variable:
    """Return 1 / (1 + exp(-x)), without overflow for any `x`."""
    return 0.5 * tanh(0.5 * _as_variable(x)) + 0.5


def log_softmax(x: Variable | ArrayLike) -> Variable:
    """Return the logarithm of the softmax over the last axis.

    Args:
        x: Variable of logits, shape (..., classes).

    Returns:
        Variable of the same shape; `-(one_hot * log_softmax(x)).sum(-1)` is the cross-entropy.

    Example:
        >>> log_softmax(Variable([[1000.0, 1000.0]]))
        Variable([[-0.69314718, -0.69314718]])
    """
    x = _as_variable(x)
    shifted = x - x.data.max(axis=-1, keepdims=True)
    return shifted - log(exp(shifted).sum(axis=-1, keepdims=True))
