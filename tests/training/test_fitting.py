"""`training.fit` gives the numbers of `model.fit`, and what a long run needs."""

import functools
import os
import signal

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from helpers import models, training
from helpers.backend import keras, tf
from helpers.training import fitting, programs, reporting

RNG = np.random.default_rng(0)
X = RNG.normal(size=(50, 6)).astype("float32")
LABELS = (X[:, :3].argmax(axis=1)).astype("int64")
TARGETS = (X @ np.arange(6, dtype="float32") / 3)[:, None]


@pytest.fixture(autouse=True)
def programs_even_for_short_runs(monkeypatch):
    """Test the compiled loop with the few rows that keep tests fast."""
    monkeypatch.setattr(fitting, "_FEW_STEPS", 0)


def classifier(optimizer="sgd", *, layers=(), metrics=("accuracy",), **compiled):
    keras.utils.set_random_seed(7)
    model = keras.Sequential(
        [
            keras.Input((6,)),
            keras.layers.Dense(8, "tanh"),
            *(layer() for layer in layers),
            keras.layers.Dense(3),
        ]
    )
    model.compile(
        keras.optimizers.get(optimizer) if isinstance(optimizer, str) else optimizer(),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=list(metrics),
        **compiled,
    )
    return model


def dropout():
    return keras.layers.Dropout(0.5, seed=3)


def assert_same_run(build, x=X, y=LABELS, rtol=2e-4, **arguments):
    """Train one model by each loop, batches in the same order, and compare everything."""
    arguments = {"epochs": 3, "batch_size": 16, "shuffle": False, "verbose": 0} | arguments
    ours, keras_own = build(), build()
    history = training.fit(ours, x, y, **arguments)
    expected = keras_own.fit(x, y, **arguments)
    assert set(history.history) == set(expected.history)
    for name, values in expected.history.items():
        np.testing.assert_allclose(history.history[name], values, rtol=rtol, atol=2e-5)
    for got, want in zip(ours.variables, keras_own.variables, strict=True):
        np.testing.assert_allclose(got, want, rtol=rtol, atol=2e-5, err_msg=want.path)
    for got, want in zip(ours.optimizer.variables, keras_own.optimizer.variables, strict=True):
        np.testing.assert_allclose(got, want, rtol=rtol, atol=2e-5, err_msg=want.path)
    return ours, history


def spared_by_weight_decay():
    optimizer = keras.optimizers.AdamW(0.01, weight_decay=0.5)
    optimizer.exclude_from_weight_decay(var_names=["kernel"])
    return optimizer


OPTIMIZERS = {
    "sgd": lambda: keras.optimizers.SGD(0.1),
    "momentum": lambda: keras.optimizers.SGD(0.1, momentum=0.9, nesterov=True),
    "adam": lambda: keras.optimizers.Adam(0.01),
    "weight decay": lambda: keras.optimizers.AdamW(0.01, weight_decay=0.1),
    "weight decay of biases only": spared_by_weight_decay,
    "schedule": lambda: keras.optimizers.SGD(keras.optimizers.schedules.CosineDecay(0.1, 10)),
    "clipped": lambda: keras.optimizers.RMSprop(0.01, global_clipnorm=0.1),
    "averaged": lambda: keras.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.5),
    "accumulated": lambda: keras.optimizers.SGD(0.1, gradient_accumulation_steps=2),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_fit_each_optimizer_gives_the_numbers_of_model_fit(name):
    assert_same_run(lambda: classifier(OPTIMIZERS[name]), validation_data=(X[:20], LABELS[:20]))


def test_fit_dropout_gives_the_numbers_of_model_fit():
    assert_same_run(lambda: classifier(layers=[dropout]))


def test_fit_dropout_under_xla_gives_the_numbers_of_model_fit(monkeypatch):
    monkeypatch.setattr(programs, "_XLA_SECONDS", 0)
    assert_same_run(lambda: classifier("adam", layers=[dropout]))


def shared_dropout():
    noise, inputs = dropout(), keras.Input((6,))
    outputs = keras.layers.Dense(3)(noise(keras.layers.Dense(6)(noise(inputs))))
    return keras.Model(inputs, outputs)


class TwiceDropped(keras.Model):
    def __init__(self):
        super().__init__()
        self.noise, self.out = dropout(), keras.layers.Dense(3)

    def call(self, x, training=False):
        return self.out(self.noise(self.noise(x, training=training), training=training))


def with_layers(*layers):
    ends = keras.layers.Dense(5, "relu"), keras.layers.Dense(3)
    return keras.Sequential([ends[0], *layers, ends[1]])


DROPOUTS = {  # whether XLA compiles it, and the model
    "an odd number of entries": (True, lambda: with_layers(keras.layers.Dropout(0.3, seed=1))),
    "nearly all": (True, lambda: with_layers(keras.layers.Dropout(0.99, seed=1))),
    "two layers": (True, lambda: with_layers(dropout(), keras.layers.Dense(6), dropout())),
    "all": (False, lambda: with_layers(keras.layers.Dropout(1.0, seed=1))),
    "columns": (False, lambda: with_layers(keras.layers.Dropout(0.5, noise_shape=(1, 5), seed=1))),
    "other noise": (False, lambda: with_layers(dropout(), keras.layers.GaussianDropout(0.3, 2))),
    "half precision": (
        False,
        lambda: with_layers(keras.layers.Dropout(0.5, seed=1, dtype="mixed_bfloat16")),
    ),
    "shared": (False, shared_dropout),
    "a user's own model": (False, TwiceDropped),
}


@pytest.mark.filterwarnings("ignore:Gradients do not exist")  # where all is dropped
@pytest.mark.parametrize("kind", DROPOUTS)
def test_fit_dropout_of_any_kind_in_a_long_run_gives_the_numbers_of_model_fit(kind, monkeypatch):
    monkeypatch.setattr(programs, "_XLA_SECONDS", 0)
    in_xla, make = DROPOUTS[kind]

    def build():
        keras.utils.set_random_seed(7)
        model = make()
        model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        return model

    ours, _ = assert_same_run(build, batch_size=7)
    assert programs.use_xla(ours, 50, 7, 3) == in_xla


def test_fit_batch_normalization_gives_the_numbers_of_model_fit():
    assert_same_run(lambda: classifier(layers=[keras.layers.BatchNormalization]))


def test_fit_regularizers_give_the_numbers_of_model_fit():
    def layer():
        return keras.layers.Dense(4, kernel_regularizer="l2", activity_regularizer="l1")

    assert_same_run(lambda: classifier(layers=[layer]))


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    rows=st.integers(1, 50),
    batch_size=st.integers(1, 60),
    weighted=st.booleans(),
    split=st.sampled_from([0.0, 0.3]),
    xla=st.booleans(),
)
def test_fit_any_sizes_give_the_numbers_of_model_fit(rows, batch_size, weighted, split, xla):
    if int(rows * (1 - split)) in (0, rows):
        split = 0.0
    weights = np.linspace(0.1, 2, rows).astype("float32") if weighted else None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(programs, "_XLA_SECONDS", 0 if xla else 1e9)
        assert_same_run(
            lambda: classifier(weighted_metrics=["accuracy"]),
            X[:rows],
            LABELS[:rows],
            epochs=2,
            batch_size=batch_size,
            sample_weight=weights,
            validation_split=split,
        )


def test_fit_fewer_rows_than_a_batch_under_xla_give_the_numbers_of_model_fit(monkeypatch):
    monkeypatch.setattr(programs, "_XLA_SECONDS", 0)
    assert_same_run(classifier, validation_data=(X[:3], LABELS[:3]))
    assert_same_run(lambda: classifier("adam", layers=[dropout]), X[:9], LABELS[:9])


def test_fit_class_weights_give_the_numbers_of_model_fit():
    assert_same_run(classifier, class_weight={0: 2.0, 2: 0.5})


def test_fit_weighted_validation_gives_the_numbers_of_model_fit():
    held_out = (X[:9], LABELS[:9], np.arange(9, dtype="float32"))
    assert_same_run(lambda: classifier(weighted_metrics=["accuracy"]), validation_data=held_out)


def test_fit_regression_with_two_inputs_gives_the_numbers_of_model_fit():
    def build():
        keras.utils.set_random_seed(1)
        left, right = keras.Input((2,)), keras.Input((4,))
        joined = keras.layers.Concatenate()([left, right])
        model = keras.Model([left, right], keras.layers.Dense(1)(joined))
        model.compile("sgd", "mse", metrics=[keras.metrics.RootMeanSquaredError()])
        return model

    assert_same_run(build, [X[:, :2], X[:, 2:]], TARGETS)


def test_fit_own_loss_and_layer_give_the_numbers_of_model_fit():
    class Scale(keras.layers.Layer):
        def build(self, shape):
            self.factor = self.add_weight(shape=(shape[-1],), initializer="ones")

        def call(self, inputs):
            return inputs * self.factor

    def build():
        keras.utils.set_random_seed(1)
        model = keras.Sequential([keras.Input((6,)), Scale(), keras.layers.Dense(1)])
        model.compile("sgd", lambda y, p: keras.ops.abs(y - p))
        return model

    assert_same_run(build, X, TARGETS)


def test_fit_own_layer_with_dropout_gives_the_numbers_of_model_fit():
    class Noisy(keras.layers.Layer):
        def __init__(self):
            super().__init__()
            self.noise = dropout()

        def call(self, inputs, training=False):
            return self.noise(inputs, training=training)

    assert_same_run(lambda: classifier(layers=[Noisy]))


def test_fit_adapted_layer_gives_the_numbers_of_model_fit():
    def build():
        normalization = keras.layers.Normalization()
        normalization.adapt(3 * X + 2)
        keras.utils.set_random_seed(7)
        model = keras.Sequential([keras.Input((6,)), normalization, keras.layers.Dense(1)])
        model.compile("sgd", "mse")
        return model

    assert_same_run(build, X, TARGETS)


def test_fit_recurrent_dropout_gives_the_numbers_of_model_fit():
    def build():
        keras.utils.set_random_seed(7)
        cells = keras.layers.LSTM(3, dropout=0.5, seed=1)  # it advances its seed in validation too
        model = keras.Sequential([keras.Input((6, 1)), cells, keras.layers.Dense(1)])
        model.compile("adam", "mse")
        return model

    x = X[:, :, None]
    assert_same_run(build, x, TARGETS, validation_data=(x[:9], TARGETS[:9]))


def test_fit_metric_of_several_values_is_listed_as_model_fit_gives_it(capsys, tmp_path):
    def build():
        model = classifier()
        model.compile("sgd", "categorical_crossentropy", metrics=[keras.metrics.F1Score(name="f1")])
        return model

    _, history = assert_same_run(build, y=np.eye(3)[LABELS], verbose=2)
    assert len(history.history["f1"][0]) == 3
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("epoch 1/3: loss ") and "f1" not in lines[0]
    run = {"epochs": 2, "checkpoint": tmp_path / "run.npz"}
    kept = training.fit(build(), X, np.eye(3)[LABELS], **run).history
    assert training.fit(build(), X, np.eye(3)[LABELS], **run).history == kept


def test_fit_own_loss_without_a_source_file_is_taken():
    model = models.linear(inputs=6)
    model.compile("sgd", eval("lambda y, p: abs(y - p)"))
    assert training.fit(model, X, TARGETS).history["loss"][0] > 0


def test_fit_own_loss_compiled_again_takes_effect():
    model = models.linear(inputs=6)
    model.compile("sgd", lambda y, p: keras.ops.abs(y - p))
    first = training.fit(model, X, TARGETS).history["loss"][0]
    model.compile("sgd", lambda y, p: 0 * keras.ops.abs(y - p))
    assert first > 0
    assert training.fit(model, X, TARGETS).history["loss"] == [0.0]


def test_fit_unbuilt_model_gives_the_numbers_of_model_fit():
    def build():
        keras.utils.set_random_seed(1)
        model = keras.Sequential([keras.layers.Dense(4, "relu"), keras.layers.Dense(1)])
        model.compile("adam", "mse")
        return model

    assert_same_run(build, X, TARGETS)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_fit_mixed_precision_gives_the_numbers_of_model_fit(policy):
    keras.config.set_dtype_policy(policy)
    try:
        assert_same_run(classifier, rtol=0.02)
    finally:
        keras.config.set_dtype_policy("float32")


def test_fit_shuffled_gives_the_numbers_of_model_fit_on_the_same_batches():
    ours, expected = classifier("adam"), classifier("adam")
    history = training.fit(ours, X, LABELS, epochs=3, batch_size=16, seed=5)
    losses = []
    for epoch in range(3):
        order = training.epoch_order(50, seed=5, epoch=epoch)
        run = expected.fit(X[order], LABELS[order], batch_size=16, shuffle=False, verbose=0)
        losses += run.history["loss"]
    np.testing.assert_allclose(history.history["loss"], losses, rtol=1e-4)
    np.testing.assert_allclose(ours.get_weights()[0], expected.get_weights()[0], rtol=1e-3)


def test_fit_very_short_run_makes_no_program_and_gives_the_same_numbers(monkeypatch):
    kept = dict(programs._programs)
    monkeypatch.setattr(fitting, "_FEW_STEPS", 12)
    assert_same_run(lambda: classifier("adam", layers=[dropout]), batch_size=17, epochs=2)
    assert dict(programs._programs) == kept


def test_fit_data_set_gives_the_numbers_of_model_fit():
    held_out = tf.data.Dataset.from_tensor_slices((X[:20], LABELS[:20])).batch(8)
    data = tf.data.Dataset.from_tensor_slices((X, LABELS)).batch(16)
    keras.utils.set_random_seed(3)
    ours = classifier("adam")
    got = training.fit(ours, data, epochs=3, validation_data=held_out, verbose=0)
    again = tf.data.Dataset.from_tensor_slices((X, LABELS)).batch(16)
    want = classifier("adam").fit(again, epochs=3, validation_data=held_out, verbose=0)
    for name, values in want.history.items():
        np.testing.assert_allclose(got.history[name], values, rtol=1e-4, err_msg=name)


def test_fit_tensors_and_frames_are_taken_as_arrays():
    import pandas as pd

    for x, y in ((tf.constant(X), tf.constant(LABELS)), (pd.DataFrame(X), pd.Series(LABELS))):
        assert len(training.fit(classifier(), x, y).history["loss"]) == 1


def test_fit_frame_of_numbers_and_indicators_is_taken_as_its_array():
    import pandas as pd

    frame = pd.DataFrame(X).assign(indicator=X[:, 0] > 0).drop(columns=5)
    history = training.fit(classifier(), frame, LABELS, seed=0).history
    assert history == training.fit(classifier(), frame.to_numpy("float32"), LABELS, seed=0).history
    with_a_gap = frame.convert_dtypes()
    with_a_gap.loc[3, 0] = pd.NA
    with pytest.raises(ValueError, match="NaN or infinite entries in 1 of its 50 rows"):
        training.fit(classifier(), with_a_gap, LABELS)
    with pytest.raises(ValueError, match="encode categories"):
        training.fit(classifier(), frame.assign(indicator=["yes", "no"] * 25), LABELS)


def test_fit_inputs_in_any_structure_give_the_numbers_of_model_fit():
    def build():
        keras.utils.set_random_seed(1)
        inputs = keras.Input((2,), name="left"), keras.Input((4,), name="right")
        joined = keras.layers.Concatenate()(inputs)
        model = keras.Model(list(inputs), keras.layers.Dense(1)(joined))
        model.compile("sgd", "mse")
        return model

    parts = X[:, :2], X[:, 2:]
    for x in ([*parts], parts, {"left": parts[0], "right": parts[1]}):
        assert_same_run(build, x, TARGETS)


def test_fit_data_larger_than_the_device_trains_by_batch_and_says_so(monkeypatch, capsys):
    resident = classifier("adam")
    training.fit(resident, X, LABELS, epochs=2, batch_size=16, seed=1)
    monkeypatch.setattr(programs, "_memory_bytes", lambda: 1000)
    streamed = classifier("adam")
    training.fit(streamed, X, LABELS, epochs=2, batch_size=16, seed=1)
    assert "do not fit the device" in capsys.readouterr().out
    np.testing.assert_allclose(resident.get_weights()[0], streamed.get_weights()[0], rtol=1e-4)


def test_fit_same_seed_repeats_bit_for_bit():
    runs = []
    for _ in range(2):
        model = classifier("adam", layers=[dropout])
        training.fit(model, X, LABELS, epochs=2, seed=3)
        runs.append(model.get_weights())
    assert all(np.array_equal(a, b) for a, b in zip(*runs, strict=True))


def test_fit_global_seed_decides_the_order():
    losses = []
    for _ in range(2):
        model = classifier()  # sets the global seed
        losses.append(training.fit(model, X, LABELS, batch_size=8).history["loss"])
    assert losses[0] == losses[1]


def test_fit_models_of_one_shape_share_a_program():
    first = classifier(lambda: keras.optimizers.SGD(0.1))
    training.fit(first, X, LABELS, batch_size=10)
    weights = first.get_weights()
    kept = dict(programs._programs)
    second = classifier(lambda: keras.optimizers.SGD(0.01))
    training.fit(second, X, LABELS, batch_size=10)
    assert dict(programs._programs) == kept
    assert all(np.array_equal(a, b) for a, b in zip(weights, first.get_weights(), strict=True))
    third = classifier(lambda: keras.optimizers.SGD(0.01, momentum=0.5))
    training.fit(third, X, LABELS, batch_size=10)
    assert dict(programs._programs) != kept


def test_fit_models_with_inner_models_share_a_program():
    def build(units, seed):
        keras.utils.set_random_seed(seed)
        inner = keras.Sequential([keras.Input((6,)), keras.layers.Dense(units, "relu")])
        wrapped = keras.layers.TimeDistributed(keras.layers.Dense(3))
        ends = keras.layers.Reshape((units, 1)), wrapped, keras.layers.GlobalAveragePooling1D()
        model = keras.Sequential([keras.Input((6,)), inner, *ends])
        model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        return model

    assert_same_run(lambda: build(4, 1))
    kept = dict(programs._programs)
    assert_same_run(lambda: build(4, 2))
    assert dict(programs._programs) == kept
    assert_same_run(lambda: build(5, 1))


def test_fit_layers_named_after_their_settings_give_the_numbers_of_model_fit():
    for activation in ("tanh", "relu", "sigmoid"):
        layer = functools.partial(keras.layers.Dense, 4, activation, name=activation)
        assert_same_run(lambda layer=layer: classifier(layers=[layer]))


def test_fit_history_has_the_names_of_this_models_outputs():
    def build(names):
        keras.utils.set_random_seed(1)
        inputs = keras.Input((6,))
        model = keras.Model(inputs, [keras.layers.Dense(1, name=name)(inputs) for name in names])
        model.compile("sgd", ["mse", "mae"])
        return model

    for names in ("ab", "cd"):  # batches of one size: Keras forgets sizes in an output's loss
        assert_same_run(lambda names=names: build(names), X, [TARGETS, TARGETS], batch_size=10)


def test_fit_epoch_callbacks_are_called_in_order():
    seen = []
    callback = keras.callbacks.LambdaCallback(
        on_train_begin=lambda logs: seen.append("begin"),
        on_epoch_begin=lambda epoch, logs: seen.append(epoch),
        on_epoch_end=lambda epoch, logs: seen.append(sorted(logs)),
        on_train_end=lambda logs: seen.append("end"),
    )
    training.fit(classifier(), X, LABELS, epochs=2, callbacks=[callback])
    assert seen == ["begin", 0, ["accuracy", "loss"], 1, ["accuracy", "loss"], "end"]


def test_fit_early_stopping_restores_the_best_weights():
    stop = keras.callbacks.EarlyStopping("loss", patience=1, restore_best_weights=True)
    model = classifier(lambda: keras.optimizers.SGD(0.0))
    before = model.get_weights()
    history = training.fit(model, X, LABELS, epochs=20, callbacks=[stop])
    assert len(history.history["loss"]) < 20
    assert np.array_equal(before[0], model.get_weights()[0])


def test_fit_learning_rate_callback_takes_effect():
    arguments = {"callbacks": [keras.callbacks.LearningRateScheduler(lambda e: 0.1 / (e + 1))]}
    _, history = assert_same_run(classifier, **arguments)
    np.testing.assert_allclose(history.history["learning_rate"], [0.1, 0.05, 0.1 / 3], rtol=1e-6)


def test_fit_batch_callback_is_called_and_announced(capsys):
    batches = []
    callback = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: batches.append((batch, logs["loss"]))
    )
    training.fit(classifier(), X, LABELS, batch_size=16, callbacks=[callback])
    assert [batch for batch, _ in batches] == [0, 1, 2, 3]
    assert "LambdaCallback listens to batches" in capsys.readouterr().out


def test_fit_loss_not_finite_stops_with_the_last_good_weights():
    model = models.linear(inputs=6)
    model.compile(keras.optimizers.SGD(1e10), "mse")
    before = model.get_weights()
    with pytest.raises(training.NonFiniteLoss, match=r"epoch 1 .*learning rate 1e\+10") as stopped:
        training.fit(model, X, TARGETS, epochs=3, batch_size=2)
    assert stopped.value.history.history == {}
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


def test_fit_interrupt_ends_with_the_history_so_far(capsys):
    def interrupt(epoch, logs):
        if epoch == 1:
            os.kill(os.getpid(), signal.SIGINT)

    callback = keras.callbacks.LambdaCallback(on_epoch_begin=interrupt)
    handler = signal.getsignal(signal.SIGINT)
    history = training.fit(classifier(), X, LABELS, epochs=9, callbacks=[callback])
    assert len(history.history["loss"]) == 2
    assert "stopping after this epoch" in capsys.readouterr().out
    assert signal.getsignal(signal.SIGINT) is handler


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_fit_resumed_from_a_checkpoint_is_bit_identical(tmp_path, dtype):
    def build():
        narrow = functools.partial(keras.layers.Dense, 4, dtype=dtype)
        return classifier("adam", layers=[dropout, narrow])

    straight = build()
    wanted = training.fit(straight, X, LABELS, epochs=4, seed=2)
    path = tmp_path / "run.npz"

    def interrupt(epoch, logs):
        if epoch == 1:
            os.kill(os.getpid(), signal.SIGINT)

    callback = keras.callbacks.LambdaCallback(on_epoch_begin=interrupt)
    stopped = build()
    training.fit(stopped, X, LABELS, epochs=4, seed=2, checkpoint=path, callbacks=[callback])
    resumed = build()
    resumed.set_weights([w * 0 for w in resumed.get_weights()])
    history = training.fit(resumed, X, LABELS, epochs=4, checkpoint=path)
    assert history.history == wanted.history
    assert history.epoch == [0, 1, 2, 3]
    for got, want in zip(resumed.variables, straight.variables, strict=True):
        assert np.array_equal(got, want)
    assert os.listdir(tmp_path) == ["run.npz"]


def test_fit_damaged_or_foreign_checkpoint_is_refused(tmp_path):
    path = tmp_path / "run.npz"
    training.fit(classifier(), X, LABELS, checkpoint=path)
    with pytest.raises(ValueError, match="another shape"):
        training.fit(classifier("adam"), X, LABELS, checkpoint=path)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ValueError, match="not a complete checkpoint"):
        training.fit(classifier(), X, LABELS, checkpoint=path)


def test_fit_is_quiet_unless_asked(capfd, monkeypatch):
    training.fit(classifier(), X, LABELS, epochs=2)
    assert capfd.readouterr() == ("", "")
    training.fit(classifier(), X, LABELS, epochs=2, verbose=2)
    assert capfd.readouterr().out.count("epoch") == 2
    training.fit(classifier(), X, LABELS, epochs=2, verbose=1)
    assert "loss" in capfd.readouterr().err


NAN = X.copy()
NAN[3, 2] = np.nan
BAD_INPUT = {
    "no rows": (dict(x=X[:0], y=LABELS[:0]), "no data: x has 0 rows"),
    "lengths": (dict(x=X, y=LABELS[:9]), "x has 50 rows and y has 9"),
    "nan": (
        dict(x=NAN, y=LABELS),
        "infinite entries in 1 of its 50 rows, the first in row 3",
    ),
    "width": (
        dict(x=X[:, :4], y=LABELS),
        r"shape \(50, 4\), but the model takes \(rows, 6\)",
    ),
    "flatten": (dict(x=X.reshape(50, 2, 3), y=LABELS), r"x\.reshape\(-1, 6\)"),
    "labels": (dict(x=X, y=LABELS + 1), "labels from 1 to 3, but the model puts out 3 classes"),
    "one hot": (dict(x=X, y=np.eye(3)[LABELS]), "argmax"),
    "text": (dict(x=X.astype(str), y=LABELS), "not numbers"),
    "missing y": (dict(x=X), "targets y are missing"),
    "weights": (dict(x=X, y=LABELS, sample_weight=np.ones(3)), "3 entries for 50 rows"),
    "both weights": (
        dict(x=X, y=LABELS, sample_weight=np.ones(50), class_weight={0: 1.0}),
        "not both",
    ),
    "epochs": (dict(x=X, y=LABELS, epochs=0), "epochs is a whole number of at least 1"),
    "batch size": (dict(x=X, y=LABELS, batch_size=2.5), "batch_size is a whole number"),
    "split": (dict(x=X, y=LABELS, validation_split=1.0), "validation_split lies in"),
    "empty split": (dict(x=X[:1], y=LABELS[:1], validation_split=0.1), "leaves one of the two"),
    "validation": (
        dict(x=X, y=LABELS, validation_data=(X[:5], LABELS[:4])),
        "validation x has 5 rows and validation y has 4",
    ),
    "validation width": (
        dict(x=X, y=LABELS, validation_data=(X[:5, :2], LABELS[:5])),
        r"validation x has shape \(5, 2\)",
    ),
    "generator": (dict(x=(row for row in X)), "cannot be gone through once an epoch"),
    "verbose": (dict(x=X, y=LABELS, verbose=3), "verbose is"),
}


@pytest.mark.parametrize("name", BAD_INPUT)
def test_fit_bad_input_is_refused_in_one_sentence_before_training(name):
    arguments, message = BAD_INPUT[name]
    model = classifier()
    before = model.get_weights()
    with pytest.raises(ValueError, match=message):
        training.fit(model, **arguments)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


def test_fit_target_of_another_width_is_refused():
    model = models.linear(inputs=6)
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match="MeanSquaredError compares them entry by entry"):
        training.fit(model, X, X)


def test_fit_uncompiled_model_is_refused():
    with pytest.raises(ValueError, match="not compiled"):
        training.fit(models.mlp(), X, LABELS)
    model = models.mlp()
    model.compile("sgd")
    with pytest.raises(ValueError, match="without an optimizer or a loss"):
        training.fit(model, X, LABELS)


def test_fit_endless_or_misplaced_data_set_is_refused():
    data = tf.data.Dataset.from_tensor_slices((X, LABELS)).batch(8)
    with pytest.raises(ValueError, match="never ends"):
        training.fit(classifier(), data.repeat())
    with pytest.raises(ValueError, match="leave y, sample_weight"):
        training.fit(classifier(), data, LABELS)


def test_device_names_backend_and_device():
    assert training.device() in ("TensorFlow on the CPU",) or "GPU" in training.device()


def test_live_plot_redraws_one_figure_in_place(monkeypatch):
    shown, redrawn = [], []

    class Handle:
        update = staticmethod(redrawn.append)

    def display(figure, display_id):
        shown.append(figure)
        return Handle()

    monkeypatch.setattr("IPython.display.display", display)
    plot = reporting.LivePlot()
    for epoch in range(3):
        plot.on_epoch_end(epoch, {"loss": 1.0 / (epoch + 1), "val_loss": 2.0})
    plot.close()
    assert len(shown) == 1
    assert [len(line.get_xdata()) for line in redrawn[-1].axes[0].lines] == [3, 3]


def test_bar_stays_on_request_and_goes_after_a_short_run(monkeypatch, capsys):
    monkeypatch.setattr(reporting, "is_quiet", lambda: False)
    training.fit(classifier(), X, LABELS, epochs=2)
    assert "2/2" not in capsys.readouterr().err
    training.fit(classifier(), X, LABELS, epochs=2, verbose=1)
    assert "2/2" in capsys.readouterr().err
    monkeypatch.setattr(reporting, "_BRIEF", 0)
    monkeypatch.setattr(reporting, "_LONG", 0)
    stop = keras.callbacks.EarlyStopping("loss", patience=1, min_delta=100)
    training.fit(classifier(), X, LABELS, epochs=50, callbacks=[stop])
    assert capsys.readouterr().err.rstrip().split("\r")[-1].startswith("100%")


def test_reporting_is_quiet_under_ci_and_in_files(monkeypatch):
    monkeypatch.delenv("WORKBOOK_QUIET", raising=False)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("CI", "true")
    assert reporting.is_quiet()
    assert reporting.callbacks("auto", live_plot=True) == []
    monkeypatch.delenv("CI")
    assert not reporting.is_quiet()
    monkeypatch.setattr("sys.stdout.isatty", lambda: False, raising=False)
    assert reporting.is_quiet()
