"""The charts automatically choose rotated labels, notes on empty axes and line styles."""

from __future__ import annotations

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest

from helpers import plotting


@pytest.fixture(autouse=True)
def _figures_stay_open(monkeypatch):
    mpl.use("Agg")
    monkeypatch.setattr(plt, "show", lambda: None)
    yield
    plt.close("all")


@pytest.mark.parametrize(
    ("labels", "turned"),
    [
        (["softmax\nconstant", "softmax\nglorot", "mlp\nconstant", "mlp\nglorot"], False),
        (["validation without dropout", "validation with dropout"], False),
        (["a label of many words", "another one of many", "a third, also long"], True),
        ([f"setting {i}" for i in range(10)], True),
    ],
)
def test_bars_turn_labels_only_where_they_do_not_fit(labels, turned):
    plotting.bars(dict.fromkeys(labels, 1.0), ylabel="height")
    angles = {label.get_rotation() for label in plt.gca().get_xticklabels()}
    assert angles == {20.0 if turned else 0.0}


def test_lines_marks_stand_at_their_positions_and_in_the_legend():
    plotting.lines(
        [1, 10, 1000], {"error": [3, 2, 1]}, xlabel="n", ylabel="e", marks={"n = 10": 10}
    )
    mark = plt.gca().get_lines()[-1]
    assert set(mark.get_xdata()) == {10} and mark.get_label() == "n = 10"
    assert "n = 10" in [text.get_text() for text in plt.gca().get_legend().get_texts()]


def test_histogram_grid_without_numbers_says_so():
    values = {"zero": {"first": np.array([]), "last": np.array([])}, "He": {"first": [1.0]}}
    values["He"]["last"] = np.ones((2, 2))
    plotting.histogram_grid(values, xlabel="size", bins=np.linspace(0, 2, 5), top=3)
    grid = np.reshape(plt.gcf().axes, (2, 2))
    assert [axes.texts[0].get_text() for axes in grid[0]] == ["no values", "no values"]
    assert all(axes.get_ylim() == (0, 3) and axes.patches for axes in grid[1])
    assert [axes.get_title() for axes in grid[0]] == ["first", "last"]


def test_histories_without_validation_differ_in_line_style(monkeypatch):
    monkeypatch.setattr(plt, "show", lambda: None)
    plotting.histories({"small": {"loss": [2.0, 1.0]}, "large": {"loss": [2.0, 0.5]}})
    alone = [line.get_linestyle() for line in plt.gca().lines]
    run = {"loss": [2.0, 1.0], "val_loss": [2.0, 1.5]}
    plotting.histories({"small": run, "large": run})
    beside = [line.get_linestyle() for line in plt.gca().lines]
    plotting.histories({"small": run, "large": run}, validation=False)
    assert alone == [line.get_linestyle() for line in plt.gca().lines] == ["-", "--"]
    assert beside == ["-", "--", "-", "--"]
