"""A figure's description notices what a reader would notice."""

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


def test_describe_names_curves_and_counts_their_points():
    described = _described(np.linspace(-6, 6, 121), np.zeros(121), label="a")
    assert described == "Figure 5 x 3 in: a (121 points)"


def test_describe_leaves_out_the_range_of_y_which_depends_on_data():
    assert _described([1, 2], [3.0, 4.0]) == _described([1, 2], [5.0, 9.0])
