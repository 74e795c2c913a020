"""The script for the contest of page 6: its layer, its network, and resuming its results."""

from __future__ import annotations

import importlib.util
import json
import sys
from dataclasses import asdict, replace

import numpy as np
import pytest

from helpers.authoring import ROOT

SHAPES = [(784, 256), (256,), (256, 256), (256,), (256, 10), (10,)]


@pytest.fixture(scope="module")
def contest():
    spec = importlib.util.spec_from_file_location("contest", ROOT / "solutions" / "contest.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["contest"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["contest"]


def a_run(name="plain", seed=0, stage="choose", accuracy=0.9):
    return {"stage": stage, "name": name, "seed": seed, "accuracy": accuracy, "loss": 0.3} | {
        "seconds": 100.0
    }


def test_moved_in_training_shifts_whole_pictures_by_whole_pixels(contest):
    picture = np.zeros((28, 28), dtype="float32")
    picture[10, 12] = 1
    batch = np.tile(picture.reshape(1, 784), (400, 1))
    moved = np.asarray(contest.Moved(1, False, seed=0)(batch, training=True)).reshape(-1, 28, 28)
    assert np.all(moved.sum(axis=(1, 2)) == 1)
    places = {(int(row), int(column)) for _, row, column in np.argwhere(moved)}
    assert places == {(row, column) for row in (9, 10, 11) for column in (11, 12, 13)}


def test_moved_with_mirror_keeps_the_rows_and_mirrors_half(contest):
    picture = np.zeros((28, 28), dtype="float32")
    picture[5, 3] = 1
    batch = np.tile(picture.reshape(1, 784), (400, 1))
    moved = np.asarray(contest.Moved(0, True, seed=0)(batch, training=True)).reshape(-1, 28, 28)
    columns = np.argwhere(moved)[:, 2]
    assert set(columns.tolist()) == {3, 24} and 0.4 < np.mean(columns == 24) < 0.6


def test_moved_at_prediction_changes_nothing(contest):
    batch = np.random.default_rng(0).random((3, 784)).astype("float32")
    assert np.array_equal(contest.Moved(1, True, seed=0)(batch, training=False), batch)


def test_build_every_recipe_trains_the_fixed_network_alone(contest):
    for recipe in contest.RECIPES.values():
        model = contest.build(recipe, 0, steps=10)
        assert [tuple(weight.shape) for weight in model.trainable_variables] == SHAPES


def test_run_same_seed_gives_the_same_numbers(contest):
    random = np.random.default_rng(0)
    images = random.random((300, 784)).astype("float32"), random.integers(0, 10, size=300)
    recipe = replace(contest.RECIPES["shift, smoothing, average"], epochs=1)
    first, second = (contest.run(recipe, 3, images, images) for _ in range(2))
    assert first["accuracy"] == second["accuracy"]
    assert first["loss"] == pytest.approx(second["loss"], rel=1e-5)


def test_missing_runs_leave_out_those_of_the_same_stage_name_and_seed(contest):
    runs = [a_run(seed=0), a_run(seed=1), a_run(stage="test")]
    assert contest.missing(runs, "choose", ["plain", "shift"], 2) == [("shift", 0), ("shift", 1)]


def test_best_takes_the_validation_accuracy_and_ignores_the_test(contest):
    runs = [a_run("a", accuracy=0.8), a_run("b", accuracy=0.9), a_run("a", 0, "test", 0.99)]
    assert contest.best(runs) == "b"


def test_best_without_runs_says_what_to_do_first(contest):
    with pytest.raises(SystemExit, match="choose"):
        contest.best([])


def test_stored_results_belong_to_the_recipes_and_come_from_the_real_images(contest):
    runs = contest.saved(contest.RESULTS)
    assert all(run["recipe"] == asdict(contest.RECIPES[run["name"]]) for run in runs)
    assert all(run["data"] == "real" for run in runs)


def test_table_prints_one_line_per_stage_and_recipe(contest, tmp_path, capsys):
    path = tmp_path / "contest.json"
    path.write_text(json.dumps([a_run(), a_run("shift"), a_run("shift", 0, "test")]))
    contest.main(["table"], path)
    assert len(capsys.readouterr().out.strip().splitlines()) == 5
