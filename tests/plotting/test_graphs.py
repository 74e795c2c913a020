"""A computational graph is drawn in layers, each node after its parents."""

from __future__ import annotations

import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest

from helpers import plotting


@pytest.fixture(autouse=True)
def _figures_stay_open(monkeypatch):
    mpl.use("Agg")
    monkeypatch.setattr(plt, "show", lambda: None)
    yield
    plt.close("all")


def test_graph_places_each_node_right_of_its_parents():
    edges = [("x", "z"), ("W", "z"), ("z", "h"), ("h", "L"), ("W", "s"), ("s", "J"), ("L", "J")]
    plotting.graph(edges, title="cost")
    across = {text.get_text(): text.get_position()[0] for text in plt.gca().texts}
    assert all(across[start] < across[end] for start, end in edges)
    assert plt.gca().get_title() == "cost, 7 nodes, 7 edges"


def test_graph_with_a_cycle_is_refused():
    with pytest.raises(ValueError, match="form a cycle"):
        plotting.graph([("a", "b"), ("b", "a")])
