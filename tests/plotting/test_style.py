"""The description of a figure contains what a reader would see."""

from __future__ import annotations

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest

from helpers import plotting


@pytest.fixture(autouse=True)
def _no_screen():
    mpl.use("Agg")
    yield
    plt.close("all")


def _described(x, y, **look) -> str:
    figure, axes = plt.subplots()
    axes.plot(x, y, **look)
    return plotting.describe(figure)


def test_describe_names_curves_points_and_the_range_of_x():
    x = np.linspace(-6, 6, 121)
    wide, narrow = _described(x, x**2, label="a"), _described(x / 2, x**2, label="a")
    assert wide == "Figure 5 x 3 in: a (121 points, x from -6 to 6)"
    assert narrow == "Figure 5 x 3 in: a (121 points, x from -3 to 3)"


def test_describe_leaves_out_the_range_of_y_which_depends_on_data():
    assert _described([1, 2], [3.0, 4.0]) == _described([1, 2], [5.0, 9.0])


@pytest.mark.parametrize("x", [[np.nan, np.nan], [], [np.nan, 2.0]])
def test_describe_of_a_curve_without_two_numbers_has_no_range(x):
    assert "x from" not in _described(x, x)


def test_describe_takes_categories_and_dates():
    assert "x from 0 to 1" in _described(["low", "high"], [1, 2])
    assert "2 points" in _described(np.array(["2024-01-01", "2024-01-02"], "datetime64[D]"), [1, 2])
