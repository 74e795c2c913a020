import doctest
import gc
import weakref
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers import autograd  # first, because it silences TensorFlow's log lines
from helpers.autograd import (
    Function,
    Variable,
    exp,
    log,
    log_softmax,
    no_grad,
    relu,
    sigmoid,
    tanh,
)
from helpers.data import synthetic
from helpers.numeric import gradient_check


def test_module_examples_run_as_written():
    assert doctest.testmod(autograd).failed == 0


# Every operation, as a function of two arrays of shapes (2, 3) and (3,), positive entries.
OPERATIONS = {
    "add": lambda a, b: a + b,
    "add a number": lambda a, b: 2 + a + 3 + b,
    "subtract": lambda a, b: a - b,
    "subtract from a number": lambda a, b: (1 - a) * b,
    "multiply": lambda a, b: 3 * a * b,
    "divide": lambda a, b: a / b + 1 / b,
    "negate": lambda a, b: -a * b,
    "power": lambda a, b: a**3 + b**0.5 + a**-1 + b**0,
    "matrix times vector": lambda a, b: a @ b,
    "vector times matrix": lambda a, b: b @ a.T,
    "vector times vector": lambda a, b: (b @ b) * a,
    "matrix times matrix": lambda a, b: a @ (a.T * 2) @ a + b,
    "stack of matrices": lambda a, b: a.reshape(2, 1, 3) @ (b.reshape(3, 1) @ b.reshape(1, 3)),
    "vector times stack": lambda a, b: b @ a.reshape(2, 3, 1) @ b[:1],
    "exp": lambda a, b: exp(-a) * exp(b),
    "log": lambda a, b: log(a * b),
    "tanh": lambda a, b: tanh(a - b),
    "sigmoid": lambda a, b: sigmoid(a - b),
    "relu": lambda a, b: relu(a - b) * a,
    "sum of all": lambda a, b: a.sum() * b,
    "sum over an axis": lambda a, b: a.sum(0) * b + a.sum(-1).sum(),
    "sum keeping axes": lambda a, b: a / a.sum(axis=1, keepdims=True) + b,
    "sum over axes": lambda a, b: a.reshape(2, 3, 1).sum(axis=(0, -1)) * b,
    "mean": lambda a, b: a.mean(axis=0) * b.mean(),
    "transpose": lambda a, b: a.T.transpose(1, 0) * b,
    "permute": lambda a, b: a.reshape(1, 2, 3).transpose(2, 0, 1) * b.reshape(3, 1, 1),
    "index": lambda a, b: a[0] * b[1] + a[:, 1].sum(),
    "repeated index": lambda a, b: a[np.array([0, 0, 1]), np.array([1, 1, 2])] * b,
    "log-softmax": lambda a, b: log_softmax(a * b),
    "array on the left": lambda a, b: np.arange(3.0) * a + np.ones((3, 3)) @ b + np.eye(2) @ a,
    "broadcast both ways": lambda a, b: a.reshape(2, 3, 1) * b,
    "broadcast a scalar": lambda a, b: a * b.sum() + a[0, 0] * b,
}
A = np.array([[0.3, 1.2, 0.7], [1.9, 0.4, 1.1]])
B = np.array([1.6, 0.8, 0.5])


def total(result):
    """Weight the entries, so that a transposed or permuted gradient is detected."""
    return (result * np.cos(np.arange(result.size)).reshape(result.shape)).sum()


@pytest.mark.parametrize("name", OPERATIONS)
def test_backward_of_every_operation_agrees_with_differences(name):
    operation = OPERATIONS[name]
    a, b = Variable(A.copy()), Variable(B.copy())
    total(operation(a, b)).backward()
    for variable, replace in ((a, lambda v: (v, B)), (b, lambda v: (A, v))):
        gradient = np.zeros(variable.shape) if variable.grad is None else variable.grad.data

        def f(values, replace=replace):
            return total(operation(*map(Variable, replace(values)))).data

        result = gradient_check(f, gradient, variable.data)
        assert result, f"{name}: {result}"


@pytest.mark.parametrize("name", OPERATIONS)
def test_second_derivative_of_every_operation_agrees_with_differences(name):
    operation = OPERATIONS[name]

    def slope(values, create_graph=False):
        """Return the sum of tanh of the gradient: nonlinear, so that errors do not cancel."""
        a, b = Variable(values), Variable(B)
        total(operation(a, b)).backward(create_graph=True)
        return a, tanh(a.grad).sum()

    a, result = slope(A.copy())
    a.clear_grad()
    result.backward()
    gradient = np.zeros(a.shape) if a.grad is None else a.grad.data
    check = gradient_check(lambda values: slope(values)[1].data, gradient, A)
    assert check, f"{name}: {check}"


@pytest.mark.parametrize("name", OPERATIONS)
def test_gradient_of_float32_keeps_dtype_and_shape(name):
    a = Variable(A.astype(np.float32))
    b = Variable(B.astype(np.float32))
    OPERATIONS[name](a, b).backward()
    for variable in (a, b):
        if variable.grad is not None:
            assert variable.grad.dtype == np.float32
            assert variable.grad.shape == variable.shape


def test_operation_with_a_number_keeps_float32():
    x = Variable(np.ones(2, np.float32))
    assert (2 * x + 1.5 - 1 / x).dtype == np.float32
    assert sigmoid(x).dtype == np.float32


def test_gradient_of_mixed_dtypes_has_the_dtype_of_its_variable():
    single, double = Variable(np.ones(2, np.float32)), Variable(np.ones(2))
    (single * double).backward()
    assert single.grad.dtype == np.float32
    assert double.grad.dtype == np.float64


@pytest.mark.parametrize("values", [3, [3, 4], np.array([3, 4]), np.array([True, False])])
def test_integer_data_becomes_float64(values):
    x = Variable(values)
    (x * x).backward()
    assert x.grad.dtype == np.float64
    np.testing.assert_allclose(x.grad.data, 2.0 * np.asarray(values))


def test_variable_used_twice_collects_both_contributions():
    x = Variable(3.0)
    (x + x + x * x).backward()
    assert x.grad.data == 8


def test_variable_reached_over_paths_of_different_length_is_passed_on_once_complete():
    calls = []

    class Counted(Function):
        def forward(self, x):
            return 2 * x

        def backward(self, gradient):
            calls.append(float(gradient.data))
            return 2 * gradient

    x = Variable(1.0)
    shared = Counted()(x)
    (shared + exp(shared * 3) * shared).backward()
    assert len(calls) == 1
    assert x.grad.data == pytest.approx(2 * (1 + np.exp(6) * 7))


def test_diamonds_in_a_row_take_linear_time():
    y = x = Variable(1.0)
    for _ in range(200):  # 2**200 paths
        y = (y + y) * 0.5
    y.backward()
    assert x.grad.data == 1


def test_repeated_backward_accumulates_and_clear_starts_again():
    x = Variable(2.0)
    y = x**3
    for times in (1, 2, 3):
        y.backward()
        assert x.grad.data == 12 * times
    x.clear_grad()
    y.backward()
    assert x.grad.data == 12


def test_backward_of_a_leaf_is_one():
    x = Variable([1.0, 2.0])
    x.backward()
    np.testing.assert_array_equal(x.grad.data, [1, 1])


def test_gradients_are_separate_writable_arrays():
    a, b = Variable(np.ones(3)), Variable(np.ones(3))
    (a + b).sum().backward()
    a.grad.data *= 5
    np.testing.assert_array_equal(b.grad.data, np.ones(3))


def test_chain_of_ten_thousand_operations_is_differentiated_and_freed():
    x = Variable(1.0)
    y = x
    for _ in range(10_000):
        y = y + 1.0
    y.backward()
    assert x.grad.data == 1
    assert y.generation == 10_000
    del y


def test_chain_of_ten_thousand_operations_has_a_second_derivative():
    x = Variable(1.0)
    y = x
    for _ in range(10_000):
        y = y * 1.0
    (y * y).backward(create_graph=True)
    first, x.grad = x.grad, None
    first.backward()
    assert x.grad.data == pytest.approx(2)


def test_graph_is_freed_without_the_garbage_collector():
    gc.disable()
    try:
        x = Variable(np.ones(3))
        y = exp(x) * tanh(x)
        y.backward()
        watch = weakref.ref(y.creator)
        del y
        assert watch() is None
    finally:
        gc.enable()


def test_input_data_is_left_as_it_is():
    a, b = Variable(A.copy()), Variable(B.copy())
    for operation in OPERATIONS.values():
        operation(a, b).backward()
    np.testing.assert_array_equal(a.data, A)
    np.testing.assert_array_equal(b.data, B)


def test_higher_derivatives_of_a_power():
    x = Variable(0.0)
    y = x**4
    derivatives = []
    for _ in range(5):
        x.clear_grad()
        y.backward(create_graph=True)
        y = x.grad
        derivatives.append(float(y.data))
    assert derivatives == [0, 0, 0, 24, 0]


def test_newton_step_minimises_a_quadratic_at_once():
    x = Variable(5.0)
    (3 * (x - 2) ** 2).backward(create_graph=True)
    first, x.grad = x.grad, None
    first.backward()
    assert x.data - first.data / x.grad.data == pytest.approx(2)


def test_backward_without_create_graph_records_nothing():
    x = Variable(2.0)
    (x**3).backward()
    assert x.grad.creator is None


def test_no_grad_records_nothing_and_ends_with_its_block():
    x = Variable(2.0)
    with no_grad():
        assert (x * x).creator is None
    with pytest.raises(ZeroDivisionError), no_grad():
        raise ZeroDivisionError
    assert (x * x).creator is not None


@pytest.mark.parametrize("value", [-1000.0, 0.0, 1000.0])
def test_sigmoid_and_its_gradient_hold_far_from_zero(value):
    x = Variable(value)
    with np.errstate(all="raise"):
        y = sigmoid(x)
        y.backward()
    assert y.data == {-1000.0: 0, 0.0: 0.5, 1000.0: 1}[value]
    assert x.grad.data == {-1000.0: 0, 0.0: 0.25, 1000.0: 0}[value]


def test_base_class_names_the_missing_method():
    class Half(Function):
        pass

    with pytest.raises(NotImplementedError, match=r"Half\.forward"):
        Half()(1.0)
    with pytest.raises(NotImplementedError, match=r"Function\.backward"):
        Function().backward(Variable(1.0))


class Reused(Function):
    def forward(self, x):
        return x * 2

    def backward(self, gradient):
        return gradient * 2


def twice(function, x):
    return function(function(x))


class TooMany(Reused):
    def backward(self, gradient):
        return gradient, gradient


class WrongShape(Reused):
    def backward(self, gradient):
        return Variable(np.ones(5))


@pytest.mark.parametrize(
    ("action", "words"),
    [
        (lambda x: twice(Reused(), x), "Make a new one"),
        (lambda x: TooMany()(x).backward(), "2 gradients for 1 inputs"),
        (lambda x: WrongShape()(x).backward(), r"\(5,\) for input 0 of shape \(3,\)"),
        (lambda x: x**x, "exponent"),
        (lambda x: Variable("text"), "real numbers"),
        (lambda x: Variable([1j]), "real numbers"),
        (lambda x: Variable(x), "real numbers"),
    ],
)
def test_misuse_says_what_to_do(action, words):
    with pytest.raises(ValueError, match=words):
        action(Variable(np.ones(3)))


def mlp(sizes, seed):
    rng = np.random.default_rng(seed)
    return [
        (Variable(rng.normal(0, fan_in**-0.5, (fan_in, fan_out))), Variable(np.zeros(fan_out)))
        for fan_in, fan_out in pairwise(sizes)
    ]


def logits(parameters, x, activation):
    for weights, bias in parameters[:-1]:
        x = activation(x @ weights + bias)
    weights, bias = parameters[-1]
    return x @ weights + bias


def descend(parameters, loss, learning_rate):
    for pair in parameters:
        for variable in pair:
            variable.clear_grad()
    loss.backward()
    for pair in parameters:
        for variable in pair:
            variable.data -= learning_rate * variable.grad.data


def test_mlp_learns_xor():
    x = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]])
    y = np.array([[0.0], [1], [1], [0]])
    parameters = mlp((2, 8, 1), seed=0)
    for _ in range(2000):
        output = sigmoid(logits(parameters, x, tanh))
        descend(parameters, ((output - y) ** 2).mean(), learning_rate=1.0)
    assert np.abs(output.data - y).max() < 0.1


def test_mlp_learns_the_digits():
    with np.load(Path(synthetic.__file__).with_name("digits.npz")) as digits:
        x, labels = digits["images"].reshape(-1, 64) / 16, digits["labels"]
    rng = np.random.default_rng(0)
    order = rng.permutation(len(x))
    train, test = order[:1400], order[1400:]
    one_hot = np.eye(10)[labels]
    parameters = mlp((64, 32, 10), seed=0)
    for _ in range(15):
        for batch in np.array_split(rng.permutation(train), 28):
            scores = log_softmax(logits(parameters, x[batch], relu))
            descend(parameters, -(one_hot[batch] * scores).sum() / len(batch), learning_rate=0.3)
    with no_grad():
        predicted = logits(parameters, x[test], relu).data.argmax(axis=1)
    assert (predicted == labels[test]).mean() > 0.93


# A random graph is a list of steps; each takes earlier values and adds one. All values stay
# within a bounded range, so that float64 leaves ten digits to compare.
UNARY = ("tanh", "sigmoid", "relu", "exp of tanh", "log of square", "sum rows", "mean", "transpose")
BINARY = ("add", "subtract", "multiply", "divide", "matmul", "broadcast row", "broadcast column")
STEP = st.one_of(
    st.tuples(st.sampled_from(UNARY), st.integers(0, 99)),
    st.tuples(st.sampled_from(BINARY), st.integers(0, 99), st.integers(0, 99)),
)


def grow(steps, leaves, ops):
    """Compute the graph with the operations of one library; all values have shape (3, 3)."""
    values = list(leaves)
    for name, *picks in steps:
        values.append(ops[name](*(values[pick % len(values)] for pick in picks)))
    return ops["total"](values[-1], *leaves)


def autograd_ops():
    return {
        "tanh": tanh,
        "sigmoid": sigmoid,
        "relu": relu,
        "exp of tanh": lambda a: exp(tanh(a)),
        "log of square": lambda a: log(a * a + 1),
        "sum rows": lambda a: tanh(a.sum(axis=1, keepdims=True)) * np.ones((3, 3)),
        "mean": lambda a: a.mean() + np.zeros((3, 3)),
        "transpose": lambda a: a.T,
        "add": lambda a, b: 0.5 * (a + b),
        "subtract": lambda a, b: 0.5 * (a - b),
        "multiply": lambda a, b: tanh(a * b),
        "divide": lambda a, b: a / (1 + b**2),
        "matmul": lambda a, b: tanh(a @ b),
        "broadcast row": lambda a, b: 0.5 * (a + b[1]),
        "broadcast column": lambda a, b: tanh(a * b[:, 2:]),
        "total": lambda last, *leaves: (last + 0.1 * sum(leaves, start=0.0)).sum(),
    }


def tensorflow_ops():
    import tensorflow as tf

    return {
        "tanh": tf.tanh,
        "sigmoid": tf.sigmoid,
        "relu": tf.nn.relu,
        "exp of tanh": lambda a: tf.exp(tf.tanh(a)),
        "log of square": lambda a: tf.math.log(a * a + 1),
        "sum rows": lambda a: (
            tf.tanh(tf.reduce_sum(a, 1, keepdims=True)) * tf.ones((3, 3), a.dtype)
        ),
        "mean": lambda a: tf.reduce_mean(a) + tf.zeros((3, 3), a.dtype),
        "transpose": tf.transpose,
        "add": lambda a, b: 0.5 * (a + b),
        "subtract": lambda a, b: 0.5 * (a - b),
        "multiply": lambda a, b: tf.tanh(a * b),
        "divide": lambda a, b: a / (1 + b**2),
        "matmul": lambda a, b: tf.tanh(a @ b),
        "broadcast row": lambda a, b: 0.5 * (a + b[1]),
        "broadcast column": lambda a, b: tf.tanh(a * b[:, 2:]),
        "total": lambda last, *leaves: tf.reduce_sum(last + 0.1 * tf.add_n(leaves)),
    }


@given(st.lists(STEP, min_size=1, max_size=12), st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=60)
def test_random_graph_agrees_with_tensorflow_to_ten_digits(steps, seed):
    import tensorflow as tf

    rng = np.random.default_rng(seed)
    arrays = [rng.normal(size=(3, 3)) for _ in range(2)]
    ours = [Variable(array) for array in arrays]
    theirs = [tf.Variable(array) for array in arrays]

    result = grow(steps, ours, autograd_ops())
    result.backward(create_graph=True)
    first = [variable.grad for variable in ours]
    for variable in ours:
        variable.clear_grad()
    sum(((gradient * gradient).sum() for gradient in first), start=Variable(0.0)).backward()

    with tf.GradientTape() as outer:
        with tf.GradientTape() as inner:
            expected = grow(steps, theirs, tensorflow_ops())
        expected_first = inner.gradient(expected, theirs)
        squared = tf.add_n([tf.reduce_sum(gradient**2) for gradient in expected_first])
    expected_second = outer.gradient(squared, theirs, unconnected_gradients="zero")

    np.testing.assert_allclose(result.data, expected, rtol=1e-10, atol=1e-10)
    for gradient, other in zip(first, expected_first, strict=True):
        np.testing.assert_allclose(gradient.data, other, rtol=1e-10, atol=1e-10)
    for variable, other in zip(ours, expected_second, strict=True):
        got = np.zeros((3, 3)) if variable.grad is None else variable.grad.data
        np.testing.assert_allclose(got, other, rtol=1e-10, atol=1e-10)
