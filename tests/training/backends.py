"""Run the training loops on the backend in KERAS_BACKEND; a script for `test_backends`."""

import tempfile
from pathlib import Path

import numpy as np

from helpers import models, training
from helpers.backend import keras

RNG = np.random.default_rng(0)
X = RNG.normal(size=(50, 6)).astype("float32")
LABELS = X[:, :3].argmax(axis=1)


def build(learning_rate: float = 0.01, rate: float = 0.3) -> keras.Model:
    """Build a classifier with dropout and with state like that of batch normalization."""
    model = models.mlp((8,), 3, inputs=6, rate=rate, seed=1)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(learning_rate), loss, metrics=["accuracy"])
    return model


def normalized() -> keras.Model:
    """Build a classifier whose layers keep statistics."""
    keras.utils.set_random_seed(1)
    layers = [keras.layers.Dense(8, "tanh"), keras.layers.BatchNormalization()]
    model = keras.Sequential([keras.Input((6,)), *layers, keras.layers.Dense(3)])
    model.compile(
        keras.optimizers.SGD(0.1, momentum=0.9),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    return model


def check_fit() -> None:
    """Compare with the backend's `model.fit`."""
    weights = np.linspace(0.5, 2, 50).astype("float32")
    for make in (build, normalized):
        ours, own = make(), make()
        run = {"epochs": 3, "batch_size": 16, "shuffle": False, "verbose": 0}
        run |= {"validation_data": (X[:20], LABELS[:20]), "sample_weight": weights}
        got, want = training.fit(ours, X, LABELS, **run), own.fit(X, LABELS, **run)
        assert set(got.history) == set(want.history)
        for name, values in want.history.items():
            np.testing.assert_allclose(got.history[name], values, rtol=1e-4, atol=1e-5)
        for a, b in zip(ours.get_weights(), own.get_weights(), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5)


def check_callbacks() -> None:
    """Train batch by batch for a callback that needs every batch."""
    batches = []
    callback = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: batches.append(batch)
    )
    run = {"epochs": 2, "batch_size": 16, "seed": 3}
    one, other = build(), build()
    training.fit(one, X, LABELS, callbacks=[callback], **run)
    training.fit(other, X, LABELS, **run)
    assert batches == [0, 1, 2, 3] * 2
    np.testing.assert_allclose(one.get_weights()[0], other.get_weights()[0], rtol=1e-3, atol=1e-5)


def check_resume() -> None:
    """Resume from a checkpoint, with bit-identical results."""
    straight, resumed = build(), build()
    wanted = training.fit(straight, X, LABELS, epochs=4, seed=2)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.npz"
        training.fit(resumed, X, LABELS, epochs=2, seed=2, checkpoint=path)
        resumed = build()
        history = training.fit(resumed, X, LABELS, epochs=4, checkpoint=path)
    assert history.history == wanted.history
    for a, b in zip(straight.get_weights(), resumed.get_weights(), strict=True):
        assert np.array_equal(a, b)


def check_search() -> None:
    """Compare training all models together with training each one alone."""
    configurations = [{"learning_rate": 0.1, "rate": 0.2}, {"learning_rate": 0.01, "rate": 0.5}]
    run = {"epochs": 2, "batch_size": 16}
    result = training.search(build, configurations, X, LABELS, k=3, metric="accuracy", **run)
    for place, configuration in enumerate(configurations):
        trained = result.models(place)
        for fold, (train, test) in enumerate(training.fold_indices(50, 3)):
            alone = build(**configuration)
            held_out = (X[test], LABELS[test])
            want = training.fit(
                alone, X[train], LABELS[train], validation_data=held_out, seed=0, **run
            )
            got = result.histories_of(place)[f"fold {fold + 1}"]
            for name, values in want.history.items():
                np.testing.assert_allclose(got[name], values, rtol=1e-3, atol=1e-5)
            a, b = trained[fold].get_weights()[0], alone.get_weights()[0]
            np.testing.assert_allclose(a, b, rtol=1e-2, atol=1e-4)


if __name__ == "__main__":
    print(training.device())
    for check in (check_fit, check_callbacks, check_resume, check_search):
        check()
        print(f"{check.__name__}: right")
