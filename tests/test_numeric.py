import doctest

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from helpers import numeric
from helpers.numeric import gradient_check, numerical_gradient


def squares(x):
    return (x**2).sum()


def test_module_examples_run_as_written():
    assert doctest.testmod(numeric) == (0, 2)


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "int64", "uint8", "bool"])
def test_numerical_gradient_of_any_real_dtype_is_exact_and_leaves_the_input(dtype):
    x = np.array([[3, 4], [1, 0]]).astype(dtype)
    before = x.copy()
    gradient = numerical_gradient(squares, x)
    np.testing.assert_allclose(gradient, 2.0 * before, atol=1e-8)
    assert gradient.dtype == np.float64
    assert x.dtype == before.dtype
    np.testing.assert_array_equal(x, before)


def test_numerical_gradient_of_a_number_is_a_number():
    slope = numerical_gradient(lambda v: v**3, 2)
    assert isinstance(slope, float)
    assert slope == pytest.approx(12, abs=1e-8)


@pytest.mark.parametrize("shape", [(0,), (1,), (2, 3), (2, 1, 3)])
def test_numerical_gradient_of_any_shape_keeps_the_shape(shape):
    assert numerical_gradient(squares, np.ones(shape)).shape == shape


def test_numerical_gradient_accepts_a_list_and_a_result_of_shape_one():
    np.testing.assert_allclose(numerical_gradient(lambda v: v[:1] * v[1:], [2.0, 5.0]), [5, 2])


def test_numerical_gradient_of_a_function_that_changes_its_argument_is_right():
    def spoil(v):
        v *= 2
        return v.sum()

    np.testing.assert_allclose(numerical_gradient(spoil, np.ones(3)), [2, 2, 2])


def test_numerical_gradient_of_a_read_only_array_is_right():
    x = np.arange(3.0)
    x.flags.writeable = False
    np.testing.assert_allclose(numerical_gradient(squares, x), [0, 2, 4], atol=1e-8)


@given(
    arrays.arrays(
        np.float64, arrays.array_shapes(max_dims=3, max_side=3), elements=st.floats(-2, 2)
    )
)
@settings(deadline=None, max_examples=50)
def test_numerical_gradient_agrees_with_calculus(x):
    got = numerical_gradient(lambda v: np.sin(v).sum(), x)
    np.testing.assert_allclose(got, np.cos(x), atol=1e-8)


@pytest.mark.parametrize(
    ("f", "x", "h", "words"),
    [
        (squares, [1.0], 0, "positive number"),
        (squares, [1.0], float("nan"), "positive number"),
        (squares, [1.0, 1e15], 1e-5, r"index \[1\].*larger h"),
        (squares, [1j], 1e-5, "real numbers"),
        (squares, ["a"], 1e-5, "real numbers"),
        (lambda v: v, [1.0, 2.0], 1e-5, r"shape \(2,\)"),
        (lambda v: v.sum() * 1j, [1.0], 1e-5, "real number"),
        (lambda v: None, [1.0], 1e-5, "real number"),
        (lambda v: np.sqrt(np.where(v < 0, np.nan, v)).sum(), [1.0, 0.0], 1e-5, r"index \[1\]"),
        (lambda v: float("inf"), 1.0, 1e-5, "single value"),
    ],
)
def test_numerical_gradient_of_a_wrong_argument_says_what_to_do(f, x, h, words):
    with pytest.raises(ValueError, match=words):
        numerical_gradient(f, x, h)


def test_gradient_check_of_a_right_gradient_passes():
    result = gradient_check(squares, lambda v: 2 * v, np.arange(6.0).reshape(2, 3))
    assert result
    assert result.difference < 1e-8
    assert "agrees" in str(result)


@given(st.integers(0, 3), st.integers(0, 2), st.floats(1e-3, 10))
@settings(deadline=None)
def test_gradient_check_of_a_planted_error_names_its_place(row, column, error):
    x = np.linspace(-1, 1, 12).reshape(4, 3)
    gradient = 2 * x
    gradient[row, column] += error
    result = gradient_check(squares, gradient, x)
    assert not result
    assert result.index == (row, column)
    assert result.difference == pytest.approx(error, rel=1e-4)
    assert f"[{row}, {column}]" in str(result)


def test_gradient_check_prefers_an_entry_that_disagrees_to_a_larger_allowed_difference():
    x = np.array([1e6, 1.0])
    result = gradient_check(squares, 2 * x + np.array([1.0, 0.01]), x, h=1e-3)
    assert not result
    assert result.index == (1,)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_gradient_check_of_a_gradient_that_is_not_finite_fails_there(bad):
    result = gradient_check(squares, [2.0, bad], [1.0, 1.0])
    assert not result
    assert result.index == (1,)


def test_gradient_check_of_a_number_names_the_single_value():
    assert "single value" in str(gradient_check(lambda v: v**2, lambda v: 3 * v, 1.0))


@pytest.mark.parametrize(
    ("gradient", "x", "words"),
    [
        (np.zeros((3, 2)), np.zeros((2, 3)), r"\(3, 2\).*\(2, 3\)"),
        (np.zeros(0), np.zeros(0), "no entries"),
        ([1j], [1.0], "gradient must hold real"),
    ],
)
def test_gradient_check_of_a_wrong_argument_says_what_is_wrong(gradient, x, words):
    with pytest.raises(ValueError, match=words):
        gradient_check(squares, gradient, x)
