"""An answer returns plain values, protects its inputs and converts exceptions to data."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from helpers.answers import (
    AnswerChangedInput,
    AnswerError,
    AnswerNotCallable,
    LocalAnswer,
    Opaque,
    code,
    plain,
)


def test_plain_numpy_scalars_become_python_numbers():
    values = plain({"a": np.float32(0.5), 2: (np.int64(3), [np.bool_(True)])})
    assert values == {"a": 0.5, 2: (3, [True])}
    assert type(values["a"]) is float and type(values[2][0]) is int and values[2][1][0] is True


def test_plain_tensor_and_variable_become_arrays():
    from helpers import backend

    tf = backend.tf
    for tensor in (tf.constant([[1.0, 2.0]]), tf.Variable([[1.0, 2.0]])):
        np.testing.assert_array_equal(plain(tensor), [[1.0, 2.0]])


def test_plain_other_object_is_opaque_and_comes_back_as_itself():
    class Thing:
        number = 7

    answer = LocalAnswer("make", Thing)
    thing = answer()
    assert isinstance(thing, Opaque)
    assert LocalAnswer("read", lambda given: given.number)(thing) == 7


def test_call_array_argument_is_copied_and_change_is_reported():
    x = np.zeros(3)

    def fill(array):
        array[:] = 1.0
        return array

    with pytest.raises(AnswerChangedInput, match="argument number 1"):
        LocalAnswer("fill", fill)(x)
    assert x.sum() == 0.0
    assert LocalAnswer("fill", fill, may_change_input=True)(x).sum() == 3.0


def test_call_array_with_nan_unchanged_is_not_reported():
    x = np.array([np.nan, 1.0])
    assert LocalAnswer("size", np.size)(x) == 2


def test_call_frame_argument_is_copied():
    frame = pd.DataFrame({"a": [1.0, 2.0]})

    def drop(table):
        table["a"] = 0.0
        return table

    LocalAnswer("drop", drop, may_change_input=True)(frame)
    assert frame["a"].sum() == 3.0


def test_call_changed_frame_or_array_in_a_list_is_refused():
    def drop(table):
        table["a"] = 0.0

    def shift(layers):
        layers[0][1][:] = 1.0

    with pytest.raises(AnswerChangedInput, match="argument number 1"):
        LocalAnswer("drop", drop)(pd.DataFrame({"a": [1.0, 2.0]}))
    with pytest.raises(AnswerChangedInput, match="argument number 1"):
        LocalAnswer("shift", shift)([(np.eye(2), np.zeros(2))])


def test_call_exception_becomes_data_with_students_line():
    def divide(x):
        return x / 0

    with pytest.raises(AnswerError) as caught:
        LocalAnswer("divide", divide)(1)
    assert caught.value.kind == "ZeroDivisionError"
    assert "ArithmeticError" in caught.value.bases
    assert caught.value.line.endswith("return x / 0")


def test_call_system_exit_of_student_is_not_swallowed_as_value():
    def leave():
        raise SystemExit(3)

    with pytest.raises((AnswerError, SystemExit)):
        LocalAnswer("leave", leave)()


def test_call_printing_answer_prints_nothing(capsys):
    LocalAnswer("loud", lambda: print("x" * 1000))()
    assert capsys.readouterr().out == ""


def test_call_data_answer_says_it_is_no_function():
    with pytest.raises(AnswerNotCallable, match="float, not a function"):
        LocalAnswer("ratio", 0.5)(1)


def test_call_code_argument_arrives_as_function_with_its_names():
    answer = LocalAnswer("apply", lambda f, x: f(x))
    scale = np.array([1.0, 2.0])
    assert answer(code("lambda v: float(np.sum(a * v))", a=scale), np.array([3.0, 4.0])) == 11.0


def test_evaluate_sees_all_answers_of_the_exercise():
    targets = {"double": lambda x: 2 * x, "half": lambda x: x / 2}
    answer = LocalAnswer("double", targets["double"], targets)
    assert answer.evaluate("result = half(double(x)) + np.e * 0", x=5.0) == 5.0


def test_evaluate_exception_is_the_students():
    with pytest.raises(AnswerError, match="KeyError"):
        LocalAnswer("f", dict).evaluate("result = f()['missing']")


def test_model_view_shows_outputs_weights_and_layers():
    from helpers import backend

    keras = backend.keras
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, activation="relu")])
    view = LocalAnswer("build", lambda: model)()
    kernel, bias = np.ones((3, 2), "float32"), np.zeros(2, "float32")
    view.set_weights([kernel, bias])
    np.testing.assert_allclose(view.predict(np.ones((4, 3), "float32")), 3.0)
    assert [weight.shape for weight in view.weights] == [(3, 2), (2,)]
    assert view.layers[0]["config"]["activation"] == "relu"
    assert view.compile_config == {} and view.output_shape == (None, 2)
