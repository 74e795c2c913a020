"""`training.fit` gives the results of `model.fit`, and has what long runs need."""

import functools
import os
import signal

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from helpers import models, training
from helpers.backend import keras, tf
from helpers.training import epoch, progress_bar, xla

RNG = np.random.default_rng(0)
X = RNG.normal(size=(50, 6)).astype("float32")
LABELS = (X[:, :3].argmax(axis=1)).astype("int64")
TARGETS = (X @ np.arange(6, dtype="float32") / 3)[:, None]


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
    """Train one model with each loop, with Keras's shuffling, and compare everything."""
    arguments = {"epochs": 3, "batch_size": 16, "verbose": 0} | arguments
    tf.random.set_seed(1)  # decides how the rows are shuffled
    ours, keras_own = build(), build()
    history = training.fit(ours, x, y, **arguments)
    expected = keras_own.fit(x, y, **arguments)
    assert list(history.history) == list(expected.history)
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
    monkeypatch.setattr(xla, "_XLA_SECONDS", 0)
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


@pytest.mark.filterwarnings("ignore:Gradients do not exist")  # if everything is dropped
@pytest.mark.parametrize("kind", DROPOUTS)
def test_fit_dropout_of_any_kind_in_a_long_run_gives_the_numbers_of_model_fit(kind, monkeypatch):
    monkeypatch.setattr(xla, "_XLA_SECONDS", 0)
    in_xla, make = DROPOUTS[kind]

    def build():
        keras.utils.set_random_seed(7)
        model = make()
        model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        return model

    ours, _ = assert_same_run(build, batch_size=7)
    assert xla.pays(ours, 50, 7, 3) == in_xla


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
    in_xla=st.booleans(),
)
def test_fit_any_sizes_give_the_numbers_of_model_fit(rows, batch_size, weighted, split, in_xla):
    if int(rows * (1 - split)) in (0, rows):
        split = 0.0
    weights = np.linspace(0.1, 2, rows).astype("float32") if weighted else None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(xla, "_XLA_SECONDS", 0 if in_xla else 1e9)
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
    monkeypatch.setattr(xla, "_XLA_SECONDS", 0)
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
        cells = keras.layers.LSTM(3, dropout=0.5, seed=1)  # it also advances its seed in validation
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
    assert lines[1].startswith("epoch 1/3: loss ") and "f1" not in lines[1]
    run = {"epochs": 2, "checkpoint": tmp_path / "run.npz"}
    kept = training.fit(build(), X, np.eye(3)[LABELS], **run).history
    again = training.fit(build(), X, np.eye(3)[LABELS], **run).history
    for name, values in kept.items():
        assert np.array_equal(again[name], values)


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
    for number in range(3):
        order = training.epoch_order(50, seed=5, epoch=number)
        run = expected.fit(X[order], LABELS[order], batch_size=16, shuffle=False, verbose=0)
        losses += run.history["loss"]
    np.testing.assert_allclose(history.history["loss"], losses, rtol=1e-4)
    np.testing.assert_allclose(ours.get_weights()[0], expected.get_weights()[0], rtol=1e-3)


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


def test_fit_data_larger_than_the_device_goes_to_model_fit_in_the_same_order(monkeypatch, capsys):
    resident = classifier("adam")
    training.fit(resident, X, LABELS, epochs=2, batch_size=16, seed=1)
    monkeypatch.setattr(epoch, "_memory_bytes", lambda: 1000)
    streamed = classifier("adam")
    training.fit(streamed, X, LABELS, epochs=2, batch_size=16, seed=1, verbose=1)
    assert "do not fit on the device" in capsys.readouterr().out
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

    for names in ("ab", "cd"):  # equal batches: Keras's loss of an output ignores their sizes
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
    training.fit(classifier(), X, LABELS, batch_size=16, callbacks=[callback], verbose=1)
    assert [batch for batch, _ in batches] == [0, 1, 2, 3]
    assert "Training with model.fit: LambdaCallback is called" in capsys.readouterr().out


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
    with pytest.raises(ValueError, match="other shapes"):
        training.fit(classifier("adam"), X, LABELS, checkpoint=path)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ValueError, match="not a complete checkpoint"):
        training.fit(classifier(), X, LABELS, checkpoint=path)


def test_fit_is_quiet_unless_asked(capfd, monkeypatch):
    training.fit(classifier(), X, LABELS, epochs=2)
    assert capfd.readouterr() == ("", "")
    training.fit(classifier(), X, LABELS, epochs=2, verbose=2)
    assert capfd.readouterr().out.count("epoch") == 3
    training.fit(classifier(), X, LABELS, epochs=2, verbose=1)
    assert "loss" in capfd.readouterr().err


NAN = X.copy()
NAN[3, 2] = np.nan
BAD_INPUT = {
    "no rows": (dict(x=X[:0], y=LABELS[:0]), "no data: x has 0 rows"),
    "lengths": (dict(x=X, y=LABELS[:9]), "x has 50 rows and y has 9: give one"),
    "nan": (
        dict(x=NAN, y=LABELS),
        "infinite entries in 1 of its 50 rows, the first in row 3",
    ),
    "width": (
        dict(x=X[:, :4], y=LABELS),
        r"shape \(50, 4\), but the model takes \(rows, 6\)",
    ),
    "flatten": (dict(x=X.reshape(50, 2, 3), y=LABELS), r"x\.reshape\(-1, 6\)"),
    "labels": (dict(x=X, y=LABELS + 1), "labels from 1 to 3, but the model outputs 3 classes"),
    "one hot": (dict(x=X, y=np.eye(3)[LABELS]), "argmax"),
    "text": (dict(x=X.astype(str), y=LABELS), "not numbers"),
    "missing y": (dict(x=X), "No loss to compute|targets"),
    "weights": (
        dict(x=X, y=LABELS, sample_weight=np.ones(3)),
        "sample_weight has 3: give one entry",
    ),
    "both weights": (
        dict(x=X, y=LABELS, sample_weight=np.ones(50), class_weight={0: 1.0}),
        "not both",
    ),
    "epochs": (dict(x=X, y=LABELS, epochs=-1), "epochs must be a whole number of at least 0"),
    "batch size": (dict(x=X, y=LABELS, batch_size=2.5), "batch_size must be a whole number"),
    "split": (dict(x=X, y=LABELS, validation_split=1.0), "leaves one of the two"),
    "empty split": (dict(x=X[:1], y=LABELS[:1], validation_split=0.1), "leaves one of the two"),
    "validation": (
        dict(x=X, y=LABELS, validation_data=(X[:5], LABELS[:4])),
        "validation x has 5 rows and validation y has 4",
    ),
    "validation width": (
        dict(x=X, y=LABELS, validation_data=(X[:5, :2], LABELS[:5])),
        r"validation x has shape \(5, 2\)",
    ),
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
    with pytest.raises(ValueError, match="mean_squared_error compares them entry by entry"):
        training.fit(model, X, X)


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
    plot = progress_bar.LivePlot()
    with plot.during_fit():
        for epoch in range(3):
            plot.on_epoch_end(epoch, {"loss": 1.0 / (epoch + 1), "val_loss": 2.0})
    assert len(shown) == 1
    assert [len(line.get_xdata()) for line in redrawn[-1].axes[0].lines] == [3, 3]


def test_bar_stays_on_request_and_goes_after_a_short_run(monkeypatch, capsys):
    monkeypatch.setattr(progress_bar, "is_quiet", lambda: False)
    training.fit(classifier(), X, LABELS, epochs=2)
    assert "2/2" not in capsys.readouterr().err
    training.fit(classifier(), X, LABELS, epochs=2, verbose=1)
    assert "2/2" in capsys.readouterr().err
    monkeypatch.setattr(progress_bar, "_BRIEF", 0)
    monkeypatch.setattr(progress_bar, "_LONG", 0)
    stop = keras.callbacks.EarlyStopping("loss", patience=1, min_delta=100)
    training.fit(classifier(), X, LABELS, epochs=50, callbacks=[stop])
    assert capsys.readouterr().err.rstrip().split("\r")[-1].startswith("100%")


def test_reporting_is_quiet_under_ci_and_in_files(monkeypatch):
    monkeypatch.delenv("WORKBOOK_QUIET", raising=False)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("CI", "true")
    assert progress_bar.is_quiet()
    assert progress_bar.shown("auto", live_plot=True) == []
    monkeypatch.delenv("CI")
    assert not progress_bar.is_quiet()
    monkeypatch.setattr("sys.stdout.isatty", lambda: False, raising=False)
    assert progress_bar.is_quiet()


def test_fit_loss_with_a_number_outside_of_its_configuration_gives_the_numbers_of_model_fit():
    def build(delta):
        keras.utils.set_random_seed(1)
        model = models.linear(inputs=6)
        model.compile("sgd", keras.losses.Huber(delta))
        return model

    for delta in (1.0, 0.1):  # models of one shape, one after another
        assert_same_run(lambda delta=delta: build(delta), X, TARGETS)


def test_fit_class_weights_with_a_validation_split_give_the_numbers_of_model_fit():
    assert_same_run(classifier, class_weight={0: 2.0, 2: 0.5}, validation_split=0.3)


def test_fit_cell_run_twice_in_one_process_gives_the_same_numbers_twice():
    def cell():
        keras.utils.set_random_seed(1)
        starts = []
        for _ in "ab":
            model = with_layers(keras.layers.Dropout(0.5))
            model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
            starts.append(training.fit(model, X, LABELS, epochs=2).history["loss"])
        return starts

    assert cell() == cell()


def test_fit_positional_arguments_are_those_of_model_fit():
    tf.random.set_seed(1)
    got = training.fit(classifier(), X, LABELS, 16, 2, 0, None, 0.2)
    want = classifier().fit(X, LABELS, 16, 2, 0, None, 0.2)
    assert list(got.history) == list(want.history)
    np.testing.assert_allclose(got.history["loss"], want.history["loss"], rtol=1e-5)


def test_fit_compiled_again_makes_a_new_program():
    model = models.linear(inputs=6)
    model.compile("sgd", "mse")
    training.fit(model, X, TARGETS)
    first = epoch.program_of(model, "train", 32, False)
    training.fit(model, X, TARGETS)
    assert epoch.program_of(model, "train", 32, False) is first
    model.compile("sgd", "mae")
    assert epoch.program_of(model, "train", 32, False) is not first


def test_fit_programs_go_with_their_model():
    import gc
    import weakref

    model = classifier(layers=[dropout])
    training.fit(model, X, LABELS, batch_size=16)
    gone = weakref.ref(model)
    del model
    gc.collect()
    assert gone() is None


class Variational(keras.Model):
    """A model with a custom `train_step` and custom metrics."""

    def __init__(self):
        super().__init__()
        self.code, self.out = keras.layers.Dense(4), keras.layers.Dense(6)
        self.seeds = keras.random.SeedGenerator(1)
        self.total = keras.metrics.Mean(name="total")

    @property
    def metrics(self):
        return [self.total]

    def call(self, x):
        return self.out(self.code(x))

    def train_step(self, x):
        with tf.GradientTape() as tape:
            code = self.code(x)
            code += keras.random.normal((tf.shape(x)[0], 4), seed=self.seeds)
            loss = tf.reduce_mean((self.out(code) - x) ** 2)
        variables = self.trainable_variables
        self.optimizer.apply(tape.gradient(loss, variables), variables)
        self.total.update_state(loss)
        return {"total": self.total.result()}


class LastLoss(keras.Model):
    """A model whose step returns a value that is not in its metrics."""

    def __init__(self):
        super().__init__()
        self.out = keras.layers.Dense(1)

    def call(self, x):
        return self.out(x)

    def train_step(self, data):
        x, y = data
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((self.out(x) - y) ** 2)
        variables = self.trainable_variables
        self.optimizer.apply(tape.gradient(loss, variables), variables)
        return {"last": loss}


class Endpoint(keras.layers.Layer):
    def call(self, prediction, target):
        self.add_loss(keras.ops.mean(keras.ops.square(prediction - target)))
        return prediction


def endpoint():
    inputs, targets = keras.Input((6,), name="x"), keras.Input((1,), name="y")
    model = keras.Model([inputs, targets], Endpoint()(keras.layers.Dense(1)(inputs), targets))
    model.compile("sgd")
    return model


class OwnLoss(keras.Model):
    def __init__(self):
        super().__init__()
        self.out = keras.layers.Dense(1)

    def call(self, x):
        return self.out(x)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        return keras.ops.mean(keras.ops.abs(y - y_pred)) + keras.ops.mean(x) ** 2


def compiled(kind, *args, **kwargs):
    def build():
        keras.utils.set_random_seed(1)
        model = kind()
        model.compile(*args, **kwargs)
        return model

    return build


OWN_MODELS = {
    "own step": (compiled(Variational, "adam"), (X, None)),
    "own step and logs": (compiled(LastLoss, "adam"), (X, TARGETS)),
    "own loss": (compiled(OwnLoss, "adam"), (X, TARGETS)),
    "endpoint": (endpoint, ({"x": X, "y": TARGETS}, None)),
    "several outputs": (
        compiled(
            lambda: keras.Model(
                inputs := keras.Input((6,)),
                {"a": keras.layers.Dense(1, name="a")(inputs), "b": keras.layers.Dense(1)(inputs)},
            ),
            "sgd",
            {"a": "mse", "b": "mae"},
            loss_weights={"a": 2.0, "b": 0.5},
        ),
        (X, {"a": TARGETS, "b": TARGETS}),
    ),
}


@pytest.mark.parametrize("kind", OWN_MODELS)
def test_fit_models_with_code_of_their_own_give_the_numbers_of_model_fit(kind):
    build, (x, y) = OWN_MODELS[kind]

    def seeded():
        keras.utils.set_random_seed(1)
        return build()

    assert_same_run(seeded, x, y)


class Rows(keras.utils.PyDataset):
    def __len__(self):
        return 4

    def __getitem__(self, place):
        return X[place * 10 :][:10], LABELS[place * 10 :][:10]


def batches():
    while True:
        yield X[:10], LABELS[:10]
        yield X[10:20], LABELS[10:20]


DATA = {
    "generator": lambda: dict(x=batches(), steps_per_epoch=3, shuffle=False),
    "PyDataset": lambda: dict(x=Rows(), shuffle=False, validation_data=Rows()),
    "endless": lambda: dict(
        x=tf.data.Dataset.from_tensor_slices((X, LABELS)).batch(8).repeat(),
        steps_per_epoch=3,
        validation_data=tf.data.Dataset.from_tensor_slices((X, LABELS)).batch(8).repeat(),
        validation_steps=2,
        shuffle=False,
    ),
    "arrays in steps": lambda: dict(x=X, y=LABELS, steps_per_epoch=2),
    "validation of its own size": lambda: dict(
        x=X, y=LABELS, validation_split=0.4, validation_batch_size=7, validation_freq=2
    ),
    "validation after listed epochs": lambda: dict(
        x=X, y=LABELS, validation_data=(X, LABELS), validation_freq=[1, 3]
    ),
    "a late start": lambda: dict(x=X, y=LABELS, initial_epoch=1),
    "shuffled within batches": lambda: dict(x=X, y=LABELS, shuffle="batch"),
}


@pytest.mark.filterwarnings("ignore:.*ran out of data")
@pytest.mark.parametrize("kind", DATA)
def test_fit_each_kind_of_data_gives_the_numbers_of_model_fit(kind):
    runs = []
    for loop in (training.fit, keras.Model.fit):
        model = classifier("adam")
        history = loop(model, **DATA[kind](), epochs=3, verbose=0).history
        runs.append((history, model.get_weights()))
    (got, weights), (want, wanted) = runs
    assert list(got) == list(want)
    for name, values in want.items():
        np.testing.assert_allclose(got[name], values, rtol=2e-4, atol=1e-5, err_msg=name)
    np.testing.assert_allclose(weights[0], wanted[0], rtol=2e-4, atol=1e-5)


def test_fit_seed_gives_the_same_order_on_either_path():
    programs, by_batch = classifier("adam"), classifier("adam")
    listener = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: None)
    got = training.fit(programs, X, LABELS, epochs=3, batch_size=16, seed=4).history
    run = {"epochs": 3, "batch_size": 16, "seed": 4, "callbacks": [listener]}
    want = training.fit(by_batch, X, LABELS, **run).history
    np.testing.assert_allclose(got["loss"], want["loss"], rtol=1e-5)


def test_fit_without_checks_goes_on_as_model_fit_does():
    def build():
        model = models.linear(inputs=6)
        model.compile(keras.optimizers.SGD(1e10), "mse")
        return model

    run = {"epochs": 3, "batch_size": 8, "verbose": 0}
    with np.errstate(all="ignore"):
        got = training.fit(build(), X, TARGETS, check_finite=False, **run).history["loss"]
        want = build().fit(X, TARGETS, **run).history["loss"]
    np.testing.assert_array_equal(np.isnan(got), np.isnan(want))
    stop = keras.callbacks.TerminateOnNaN()
    assert len(training.fit(build(), X, TARGETS, callbacks=[stop], **run).epoch) < 3
    training.fit(classifier(), NAN, LABELS, check_finite=False)


def test_fit_uncompiled_model_is_refused():
    with pytest.raises(ValueError, match="not compiled"):
        training.fit(models.mlp(), X, LABELS)


def test_fit_callback_that_evaluates_the_model_sees_its_metrics():
    found = []
    model = classifier()

    def measure(epoch, logs):
        found.append(model.evaluate(X[:9], LABELS[:9], verbose=0, return_dict=True)["loss"])

    callback = keras.callbacks.LambdaCallback(on_epoch_end=measure)
    training.fit(model, X, LABELS, epochs=2, validation_data=(X, LABELS), callbacks=[callback])
    assert found[1] == pytest.approx(model.evaluate(X[:9], LABELS[:9], verbose=0)[0])
