"""`k_fold` and `search` train every model as `fit` would train it on its own."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers import models, training
from helpers.backend import keras
from helpers.training import epoch, stacked
from helpers.training.fingerprint import fingerprint

RNG = np.random.default_rng(0)
X = RNG.normal(size=(45, 4)).astype("float32")
Y = (X @ [1.0, -2.0, 0.5, 0.0] + 0.3).astype("float32")
LABELS = (Y > 0).astype("int64")


def regressor(units=6, rate=0.0, learning_rate=0.02, weight_decay=None, l2=0.0, seed=0, **kwargs):
    model = models.mlp((units,), 1, inputs=4, rate=rate, seed=seed)
    if l2:
        model = keras.Sequential(
            [keras.Input((4,)), keras.layers.Dense(1, kernel_regularizer=keras.regularizers.L2(l2))]
        )
        model.layers[0].set_weights([np.ones((4, 1)), np.zeros(1)])
    optimizer = keras.optimizers.Adam(learning_rate, weight_decay=weight_decay, **kwargs)
    model.compile(optimizer, "mse", metrics=[keras.metrics.RootMeanSquaredError(name="rmse")])
    return model


def assert_each_as_alone(result, build, configurations, x=X, y=Y, *, k, epochs, batch_size, **more):
    for place, configuration in enumerate(configurations):
        trained = result.models(place)
        for fold, (train, test) in enumerate(training.fold_indices(len(x), k)):
            alone = build(**configuration)
            history = training.fit(
                alone,
                x[train],
                y[train],
                validation_data=(x[test], y[test]),
                epochs=epochs,
                batch_size=batch_size,
                seed=0,
                **more,
            ).history
            got = result.histories_of(place)[f"fold {fold + 1}"]
            assert set(got) == set(history)
            for name, values in history.items():
                np.testing.assert_allclose(got[name], values, rtol=2e-4, atol=1e-6, err_msg=name)
            for ours, wanted in zip(trained[fold].get_weights(), alone.get_weights(), strict=True):
                np.testing.assert_allclose(ours, wanted, rtol=2e-3, atol=2e-5)


@given(st.integers(2, 60), st.integers(2, 60), st.booleans(), st.integers(0, 9))
def test_fold_indices_validate_every_row_once(rows, k, shuffle, seed):
    if k > rows:
        with pytest.raises(ValueError, match="only"):
            training.fold_indices(rows, k)
        return
    folds = training.fold_indices(rows, k, shuffle=shuffle, seed=seed)
    assert sorted(np.concatenate([test for _, test in folds])) == list(range(rows))
    for train, test in folds:
        assert sorted([*train, *test]) == list(range(rows))
        assert len(test) in (rows // k, rows // k + 1)


@pytest.mark.parametrize("k", [5, 4])  # 4 does not divide 45
def test_k_fold_gives_each_fold_what_fit_gives_it_alone(k):
    run = {"k": k, "epochs": 3, "batch_size": 8}
    result = training.k_fold(regressor, X, Y, **run)
    assert_each_as_alone(result, regressor, [{}], **run)
    assert set(result.histories) == {f"fold {i + 1}" for i in range(k)}
    last = [history["val_loss"][-1] for history in result.histories.values()]
    np.testing.assert_allclose(result.table["mean"], np.mean(last))
    np.testing.assert_allclose(result.table["spread"], np.std(last))


def test_k_fold_classification_under_xla_matches_fit(monkeypatch):
    def build():
        model = models.mlp((5,), 2, inputs=4, rate=0.4, seed=3)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.SGD(0.1, momentum=0.9), loss, metrics=["accuracy"])
        return model

    run = {"k": 5, "epochs": 3, "batch_size": 16}
    result = training.k_fold(build, X, LABELS, metric="accuracy", **run)
    assert_each_as_alone(result, build, [{}], X, LABELS, **run)
    monkeypatch.setattr("helpers.training.xla.pays", lambda *_: True)
    compiled = training.k_fold(build, X, LABELS, metric="accuracy", **run)
    pd.testing.assert_frame_equal(result.table, compiled.table)


@pytest.mark.parametrize("xla", [False, True])
@pytest.mark.parametrize(
    "options",
    [
        {"beta_1": 0.5, "beta_2": 0.8, "epsilon": 0.1},
        {"amsgrad": True, "beta_2": 0.5},
        {"weight_decay": 0.3},
        {"clipvalue": 0.01},
        {"learning_rate": keras.optimizers.schedules.ExponentialDecay(0.05, 3, 0.5)},
    ],
    ids=lambda options: "+".join(options),
)
def test_k_fold_adam_with_options_matches_fit(options, xla, monkeypatch):
    monkeypatch.setattr("helpers.training.xla.pays", lambda *_: xla)
    run = {"k": 3, "epochs": 3, "batch_size": 8}
    result = training.k_fold(lambda: regressor(**options), X, Y, **run)
    assert_each_as_alone(result, lambda: regressor(**options), [{}], **run)


def test_search_with_stacked_numbers_matches_fit():
    configurations = [
        {"rate": 0.2, "learning_rate": 0.1, "seed": 0, "weight_decay": 0.01},
        {"rate": 0.6, "learning_rate": 0.01, "seed": 1, "weight_decay": 0.3},
        {"rate": 0.5, "learning_rate": 0.03, "seed": 1, "weight_decay": 0.1},
    ]
    assert len({fingerprint(_built(c), free=True).state for c in configurations}) == 1
    run = {"k": 3, "epochs": 3, "batch_size": 8}
    result = training.search(regressor, configurations, X, Y, **run)
    assert_each_as_alone(result, regressor, configurations, **run)
    assert list(result.table.columns) == [*configurations[0], "mean", "spread"] + [
        f"fold {i}" for i in (1, 2, 3)
    ]
    assert result.table["mean"].is_monotonic_increasing


def _built(configuration):
    model = regressor(**configuration)
    epoch.build(model, (X[:2], Y[:2]), with_optimizer=False)
    return model


def test_search_over_architectures_and_regularization_matches_fit():
    configurations = [{"units": 3}, {"units": 5}, {"l2": 0.1}, {"l2": 1.0}, {"rate": 0.5}]
    run = {"k": 3, "epochs": 2, "batch_size": 16}
    result = training.search(regressor, configurations, X, Y, **run)
    assert_each_as_alone(result, regressor, configurations, **run)


@pytest.mark.parametrize("xla", [False, True])
def test_search_in_blocks_matches_all_at_once(monkeypatch, xla):
    monkeypatch.setattr("helpers.training.xla.pays", lambda *_: xla)
    rates = [0.3, 0.1, 0.03, 0.01, 0.001]  # blocks of two models, the last of which is padded
    configurations = [
        {"learning_rate": rate, "seed": i, "rate": 0.2} for i, rate in enumerate(rates)
    ]
    run = {"k": 4, "epochs": 4, "batch_size": 8, "halving": 2}
    whole = training.search(regressor, configurations, X, Y, **run)
    weights = 2 * 4 * _built(configurations[0]).count_params()
    monkeypatch.setattr(stacked, "_BLOCK_WEIGHTS", weights)
    blocks = training.search(regressor, configurations, X, Y, **run)
    pd.testing.assert_frame_equal(whole.table, blocks.table, rtol=1e-4)
    for a, b in zip(whole.models(), blocks.models(), strict=True):
        np.testing.assert_allclose(a.get_weights()[0], b.get_weights()[0], rtol=1e-3, atol=1e-5)


def test_search_of_what_cannot_be_stacked_matches_fit(capsys):
    configurations = [{"clipnorm": 0.1}, {"learning_rate": 0.1}]
    run = {"k": 3, "epochs": 2, "batch_size": 16}
    result = training.search(regressor, configurations, X, Y, **run)
    note = "1 of 2 configurations train one after another: the optimizer clips norms.\n"
    assert capsys.readouterr().out == note
    assert_each_as_alone(result, regressor, configurations, **run)


def regularized_activity():
    keras.utils.set_random_seed(1)
    both = keras.regularizers.L1L2(0.01, 0.1)
    layer = keras.layers.Dense(3, activity_regularizer="l2", kernel_regularizer=both)
    penalty = keras.layers.ActivityRegularization(l1=0.1)
    model = keras.Sequential([keras.Input((4,)), layer, penalty, keras.layers.Dense(1)])
    model.compile("adam", "mse")
    return model


def summed_loss():
    model = models.mlp((3,), 1, inputs=4)
    model.compile("adam", keras.losses.MeanSquaredError(reduction="sum"))
    return model


def several_values():
    model = models.mlp((3,), 2, inputs=4)
    model.compile("adam", "mse", metrics=[keras.metrics.R2Score(class_aggregation=None)])
    return model


def adapted_to_data():
    normalization = keras.layers.Normalization()
    normalization.adapt(3 * X + 2)
    out = keras.layers.Dense(1, kernel_initializer="ones")
    model = keras.Sequential([keras.Input((4,)), normalization, out])
    model.compile("adam", "mse")
    return model


@pytest.mark.parametrize(
    "build", [regularized_activity, summed_loss, several_values, adapted_to_data]
)
def test_k_fold_stacks_what_is_not_plain(build, capsys):
    y = np.stack([Y, -Y], axis=1) if build is several_values else Y
    run = {"k": 3, "epochs": 2, "batch_size": 8}
    result = training.k_fold(build, X, y, **run)
    assert not capsys.readouterr().out
    assert_each_as_alone(result, build, [{}], X, y, **run)


def test_k_fold_by_a_metric_of_several_values_is_refused():
    with pytest.raises(ValueError, match="single number, but r2_score has several values"):
        y = np.stack([Y, -Y], axis=1)
        training.k_fold(several_values, X, y, k=3, epochs=1, metric="r2_score")


def test_search_numbers_that_are_not_stacked_are_told_apart():
    def build(l2):
        keras.utils.set_random_seed(1)
        norm = keras.layers.LayerNormalization(gamma_regularizer=keras.regularizers.L2(l2))
        model = keras.Sequential([keras.Input((4,)), norm, keras.layers.Dense(1)])
        model.compile("adam", "mse")
        return model

    configurations = [{"l2": 0.1}, {"l2": 10.0}]
    run = {"k": 3, "epochs": 2, "batch_size": 16}
    result = training.search(build, configurations, X, Y, **run)
    assert_each_as_alone(result, build, configurations, **run)


class CountingModel(keras.Model):
    """A model without `build`, which creates its weights in the first call and counts its calls."""

    def __init__(self):
        super().__init__()
        self.out = keras.layers.Dense(1, kernel_initializer="ones")
        self.calls = self.add_weight(shape=(), initializer="zeros", trainable=False)

    def call(self, x):
        self.calls.assign_add(1.0)
        return self.out(x) * (1 + self.calls / 10)


def counting():
    model = CountingModel()
    model.compile("adam", "mse")
    return model


def scaled_loss():
    model = models.mlp((3,), 1, inputs=4)
    model.compile(keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam(0.05)), "mse")
    return model


def averaged_weights():
    model = models.mlp((3,), 1, inputs=4)
    model.compile(keras.optimizers.Adam(0.05, use_ema=True, ema_momentum=0.5), "mse")
    return model


def spectral_normalization():
    keras.utils.set_random_seed(1)
    layer = keras.layers.SpectralNormalization(keras.layers.Dense(3))
    model = keras.Sequential([keras.Input((4,)), layer, keras.layers.Dense(1)])
    model.compile("adam", "mse")
    return model


def one_dropout_twice():
    noise, inputs = keras.layers.Dropout(0.5, seed=1), keras.Input((4,))
    outputs = keras.layers.Dense(1, kernel_initializer="ones")(noise(noise(inputs)))
    model = keras.Model(inputs, outputs)
    model.compile("sgd", "mse")
    return model


def decay_of_biases_only():
    optimizer = keras.optimizers.AdamW(0.01, weight_decay=0.5)
    optimizer.exclude_from_weight_decay(var_names=["kernel"])
    model = models.mlp((3,), 1, inputs=4)
    model.compile(optimizer, "mse")
    return model


def embedding_of_a_label():
    embedding = keras.layers.Embedding(2, 3, embeddings_initializer=keras.initializers.Constant(1))
    model = keras.Sequential(
        [keras.Input((1,), dtype="int32"), embedding, keras.layers.Flatten(), keras.layers.Dense(1)]
    )
    model.layers[-1].set_weights([np.ones((3, 1)), np.zeros(1)])
    model.compile("adam", "mse")
    return model


@pytest.mark.parametrize(
    ("build", "reason"),
    [
        (one_dropout_twice, "random numbers are drawn outside dropout layers that are used once"),
        (decay_of_biases_only, "the model has custom parts"),
        (embedding_of_a_label, "embeddings have sparse gradients"),
        (spectral_normalization, "TensorFlow cannot map SpectralNormalization"),
        (averaged_weights, "the optimizer averages weights"),
        (scaled_loss, "the optimizer scales the loss"),
        (counting, "the model has custom parts"),
    ],
)
def test_k_fold_of_what_cannot_be_stacked_matches_fit(build, reason, capsys):
    run = {"k": 3, "epochs": 2, "batch_size": 16}
    x = LABELS[:, None] if build is embedding_of_a_label else X
    result = training.k_fold(build, x, Y, **run)
    note = f"1 of 1 configurations train one after another: {reason}.\n"
    assert capsys.readouterr().out == note
    assert_each_as_alone(result, build, [{}], x, **run)


def test_search_next_call_repeats_bit_for_bit():
    run = {"k": 3, "epochs": 2, "batch_size": 16}
    first, second = (
        training.search(regressor, [{"rate": 0.3}, {"rate": 0.5}], X, Y, **run) for _ in range(2)
    )
    pd.testing.assert_frame_equal(first.table, second.table, check_exact=True)


def test_search_early_stopping_keeps_the_best_epoch_as_keras_does():
    configurations = [{"learning_rate": 0.9}, {"learning_rate": 0.001}]
    run = {"k": 3, "epochs": 12, "batch_size": 8}
    result = training.search(regressor, configurations, X, Y, patience=2, **run)
    lengths = [len(h["loss"]) for c in (0, 1) for h in result.histories_of(c).values()]
    assert min(lengths) < 12
    for place, configuration in enumerate(configurations):
        for fold, (train, test) in enumerate(training.fold_indices(45, 3)):
            stop = keras.callbacks.EarlyStopping(
                "val_loss", patience=2, restore_best_weights=True, start_from_epoch=0
            )
            alone = regressor(**configuration)
            history = training.fit(
                alone,
                X[train],
                Y[train],
                validation_data=(X[test], Y[test]),
                epochs=12,
                batch_size=8,
                seed=0,
                callbacks=[stop],
            )
            got = result.histories_of(place)[f"fold {fold + 1}"]["val_loss"]
            np.testing.assert_allclose(got, history.history["val_loss"], rtol=1e-3)
            score = result.table.loc[place, f"fold {fold + 1}"]
            np.testing.assert_allclose(score, min(got))
            weights = result.models(place)[fold].get_weights()
            np.testing.assert_allclose(weights[0], alone.get_weights()[0], rtol=1e-2, atol=1e-4)


def test_search_halving_trains_the_best_to_the_end():
    rates = [1e-5, 1e-4, 0.05, 1e-3]
    configurations = [{"learning_rate": rate} for rate in rates]
    run = {"k": 3, "epochs": 8, "batch_size": 16}
    result = training.search(regressor, configurations, X, Y, halving=2, **run)
    epochs = [len(result.histories_of(c)["fold 1"]["loss"]) for c in range(4)]
    assert epochs == [2, 2, 8, 4]
    assert list(result.table["learning_rate"])[:2] == [0.05, 1e-3]
    whole = training.search(regressor, configurations, X, Y, **run)
    np.testing.assert_allclose(result.table.loc[2, "mean"], whole.table.loc[2, "mean"], rtol=1e-5)


def test_search_loss_not_finite_comes_last():
    result = training.search(
        lambda learning_rate: _exploding(learning_rate),
        [{"learning_rate": 1e20}, {"learning_rate": 0.01}],
        X,
        Y,
        k=3,
        epochs=2,
        batch_size=8,
    )
    assert list(result.table.index) == [1, 0]
    assert not np.isfinite(result.table.loc[0, "mean"])


def _exploding(learning_rate):
    model = models.linear(inputs=4)
    model.compile(keras.optimizers.SGD(learning_rate), "mse")
    return model


HIGHER = {
    "accuracy": lambda: "accuracy",
    "hits": lambda: keras.metrics.BinaryAccuracy(name="hits"),
    "cosine": lambda: keras.metrics.CosineSimilarity(name="cosine"),
    "score": lambda: keras.metrics.FBetaScore(average="micro", threshold=0.5, name="score"),
}


@pytest.mark.parametrize("name", HIGHER)
def test_search_ranks_the_highest_first_where_the_metric_says_so(name):
    def build(learning_rate):
        keras.utils.set_random_seed(0)
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, "sigmoid")])
        metric = HIGHER[name]()
        model.compile(keras.optimizers.SGD(learning_rate), "binary_crossentropy", metrics=[metric])
        return model

    rates = [{"learning_rate": 0.0}, {"learning_rate": 1.0}]
    run = {"k": 3, "epochs": 8, "metric": name, "batch_size": 16}
    y = np.eye(2, dtype="float32")[LABELS]
    result = training.search(build, rates, X, y, **run)
    assert list(result.table["mean"]) == sorted(result.table["mean"], reverse=True)
    assert list(result.table.index) == [1, 0]
    stopped = training.search(build, rates[1:], X, y, patience=2, **run)
    for fold, history in stopped.histories.items():
        assert stopped.table.loc[0, fold] == max(history[f"val_{name}"])
    halved = training.search(build, rates, X, y, halving=2, **run)
    assert list(halved.table.index) == [1, 0]
    assert len(halved.histories_of(1)["fold 1"]["loss"]) == 8


def test_k_fold_names_metrics_as_a_new_process_would():
    def build():
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1, "sigmoid")])
        model.compile("sgd", "binary_crossentropy", metrics=[keras.metrics.AUC()])
        return model

    keras.metrics.AUC(), build()  # Keras numbers the names: the next ones are auc_2 and dense_1
    y = LABELS[:, None].astype("float32")
    before = keras.metrics.AUC().name
    result = training.k_fold(build, X, y, k=3, epochs=1, metric="auc", verbose=0)
    assert {*result.histories["fold 1"]} == {"loss", "auc", "val_loss", "val_auc"}
    after = keras.metrics.AUC().name
    assert int(after.rpartition("_")[2]) == int(before.rpartition("_")[2]) + 1


def test_search_by_a_metric_of_unknown_direction_asks_for_a_mode():
    def build(learning_rate):
        model = models.linear(inputs=4)
        mean = keras.metrics.MeanMetricWrapper(lambda y, p: y * 0 + p, name="level")
        model.compile(keras.optimizers.SGD(learning_rate), "mse", metrics=[mean])
        return model

    run = {"k": 3, "epochs": 1, "metric": "level"}
    rates = [{"learning_rate": 0.0}, {"learning_rate": 0.1}]
    with pytest.raises(ValueError, match='pass mode="min" or mode="max"'):
        training.search(build, rates, X, Y, **run)
    for mode in ("min", "max"):
        table = training.search(build, rates, X, Y, mode=mode, **run).table
        assert list(table["mean"]) == sorted(table["mean"], reverse=mode == "max")


@pytest.mark.parametrize("clipnorm", [None, 1.0])  # stacked, and one by one
def test_k_fold_with_weights_and_several_targets_matches_fit(clipnorm):
    def build():
        keras.utils.set_random_seed(1)
        inputs = keras.Input((4,))
        outputs = [keras.layers.Dense(1, name=name)(inputs) for name in "ab"]
        model = keras.Model(inputs, outputs)
        model.compile(keras.optimizers.SGD(0.1, clipnorm=clipnorm), ["mse", "mae"])
        return model

    weights = np.linspace(0, 2, 45).astype("float32")
    run = {"epochs": 2, "batch_size": 8}
    result = training.k_fold(build, X, [Y, -Y], k=3, sample_weight=weights, **run)
    for fold, (train, test) in enumerate(training.fold_indices(45, 3)):
        alone = build()
        history = training.fit(
            alone,
            X[train],
            [Y[train], -Y[train]],
            sample_weight=weights[train],
            validation_data=(X[test], [Y[test], -Y[test]], [weights[test]] * 2),
            seed=0,
            **run,
        ).history
        got = result.histories[f"fold {fold + 1}"]
        assert {*got} == {*history}
        for name, values in history.items():
            if clipnorm or name in ("loss", "val_loss"):  # losses of outputs: see k_fold
                np.testing.assert_allclose(got[name], values, rtol=1e-4, err_msg=name)


def test_k_fold_prepare_sees_training_rows_only():
    seen = []

    def prepare(train, other):
        seen.append((set(train.index), set(other.index)))
        mean = train.mean()
        return (train - mean).to_numpy(), (other - mean).to_numpy()

    frame = pd.DataFrame(X)
    result = training.k_fold(regressor, frame, Y, k=3, epochs=2, batch_size=8, prepare=prepare)
    for fold, (train, test) in enumerate(training.fold_indices(45, 3)):
        assert seen[fold] == (set(train), set(test))
        alone, mean = regressor(), X[train].mean(axis=0)
        history = training.fit(
            alone,
            X[train] - mean,
            Y[train],
            validation_data=(X[test] - mean, Y[test]),
            epochs=2,
            batch_size=8,
            seed=0,
        )
        got = result.histories[f"fold {fold + 1}"]["val_loss"]
        np.testing.assert_allclose(got, history.history["val_loss"], rtol=1e-3)


NAN = X.copy()
NAN[7] = np.nan
BAD = {
    "folds": ({"k": 46}, "46 folds but only 45 rows"),
    "one fold": ({"k": 1}, "at least two folds"),
    "metric": ({"metric": "accuracy"}, "metric must be one of loss, rmse"),
    "nan": ({"x": NAN}, "infinite entries in 1 of its 45 rows"),
    "width": ({"x": X[:, :2]}, "but the model takes"),
    "none": ({"configurations": []}, "configurations is empty"),
    "halving": ({"halving": 1}, "halving must be a whole number of at least 2"),
    "epochs": ({"epochs": 0}, "epochs must be a whole number"),
    "columns": (
        {"prepare": lambda train, other: (train, other[:, :2])},
        "give both parts the same columns",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_search_bad_input_is_refused(name):
    arguments, message = BAD[name]
    arguments = {"configurations": [{}], "x": X, "y": Y, "k": 3, "epochs": 1} | arguments
    with pytest.raises(ValueError, match=message):
        training.search(regressor, **arguments)


def test_search_uncompiled_model_is_refused():
    with pytest.raises(ValueError, match="not compiled"):
        training.k_fold(lambda: models.linear(inputs=4), X, Y, epochs=1)


def test_result_plot_draws_one_line_a_configuration():
    import matplotlib.pyplot as plt

    result = training.search(
        regressor, [{"units": 2}, {"units": 3}], X, Y, k=3, epochs=2, metric="rmse"
    )
    result.plot()
    plt.close("all")
