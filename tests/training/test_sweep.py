"""`training.fit` and `k_fold` give the numbers of `model.fit` for every class of Keras."""

import warnings

import numpy as np
import pytest

from helpers import training
from helpers.training.fingerprint import fingerprint
from tests.training import sweep

ALL = list(sweep.cases())
SOME = [  # each was wrong once, or represents a kind of class
    "losses.Huber(delta)",
    "losses.CosineSimilarity(axis)",
    "metrics.AUC(thresholds)",
    "optimizers.SGD(nesterov)",
    "optimizers.AdamW(weight_decay)",
    "layers.BatchNormalization(momentum)",
    "layers.Dropout(rate)",
    "regularizers.L2(l2)",
    "constraints.MaxNorm(max_value)",
    "initializers.VarianceScaling(scale)",
]


def first_that_trains(case: sweep.Case, changed: bool = True):
    """Return a way to build the case's model that `model.fit` can train, and the results."""
    for build in sweep.models(case, changed):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                model, x, y = build()
                history = model.fit(x, y, batch_size=4, epochs=2, shuffle=False, verbose=0)
        except Exception:
            continue
        return build, model, history.history
    return None


def assert_trains_as_model_fit(case: sweep.Case) -> None:
    found = first_that_trains(case)
    if found is None:
        pytest.skip("model.fit does not train it")
    build, wanted, history = found
    ours, x, y = build()
    run = {"batch_size": 4, "epochs": 2, "shuffle": False, "verbose": 0}
    got = training.fit(ours, x, y, **run, check_finite=False).history
    assert list(got) == list(history)
    for name, values in history.items():
        np.testing.assert_allclose(got[name], values, rtol=1e-3, atol=1e-5, err_msg=name)
    for a, b in zip(ours.get_weights(), wanted.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4)


def assert_folds_as_model_fit(case: sweep.Case) -> None:
    found = first_that_trains(case)
    if found is None:
        pytest.skip("model.fit does not train it")
    build = found[0]
    _, x, y = build()
    if first_that_trains(case, changed=False):  # its program must not serve the changed class
        default = next(sweep.models(case, changed=False))
        try:
            training.k_fold(lambda: default()[0], x, y, k=2, epochs=1, batch_size=4, verbose=0)
        except Exception:
            pass  # trained differently from the changed class
    result = training.k_fold(lambda: build()[0], x, y, k=2, epochs=1, batch_size=4, verbose=0)
    for fold, (train, test) in enumerate(training.fold_indices(len(x), 2)):
        rows = train[training.epoch_order(len(train), seed=0, epoch=0)]
        alone = build()[0]
        history = alone.fit(
            x[rows],
            y[rows],
            validation_data=(x[test], y[test]),
            batch_size=4,
            shuffle=False,
            verbose=0,
        ).history
        got = result.histories[f"fold {fold + 1}"]
        for name, values in history.items():
            np.testing.assert_allclose(got[name], values, rtol=2e-3, atol=1e-4, err_msg=name)


def by_label(labels):
    return [case for case in ALL if case.label in labels]


def test_sweep_covers_every_kind():
    assert {case.kind for case in ALL} == {*sweep.KINDS}
    assert len(ALL) > 700
    assert {case.label for case in by_label(SOME)} == {*SOME}


@pytest.mark.parametrize("case", by_label(SOME), ids=lambda case: case.label)
def test_fit_of_some_classes_gives_the_numbers_of_model_fit(case):
    assert_trains_as_model_fit(case)


@pytest.mark.parametrize("case", by_label(SOME[:4]), ids=lambda case: case.label)
def test_k_fold_of_some_classes_gives_the_numbers_of_model_fit(case):
    assert_folds_as_model_fit(case)


@pytest.mark.slow
@pytest.mark.parametrize("case", ALL, ids=lambda case: case.label)
def test_fit_of_every_class_gives_the_numbers_of_model_fit(case):
    assert_trains_as_model_fit(case)


@pytest.mark.slow
@pytest.mark.parametrize("case", ALL, ids=lambda case: case.label)
def test_k_fold_of_every_class_gives_the_numbers_of_model_fit(case):
    assert_folds_as_model_fit(case)


@pytest.mark.parametrize("kind", ["losses", "metrics", "optimizers", "regularizers", "constraints"])
def test_fingerprints_tell_each_argument_from_its_default(kind):
    equal = []
    for case in ALL:
        if case.kind != kind or case.argument is None:
            continue
        try:
            (a, x, y), (b, _, _) = (next(sweep.models(case, changed))() for changed in (1, 0))
        except Exception:
            continue
        one, other = fingerprint(a), fingerprint(b)
        is_rate = case.argument == "learning_rate"  # a variable
        if one is not None and other is not None and one.state == other.state and not is_rate:
            equal.append(case.label)
    assert equal == []
