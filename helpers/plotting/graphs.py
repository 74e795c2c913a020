"""Draw a computational graph in layers."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np

__all__ = ["graph"]


def graph(
    edges: Iterable[tuple[str, str]],
    *,
    inputs: Sequence[str] = (),
    title: str = "",
) -> None:
    """Draw a computational graph from left to right, each node one layer after its last parent.

    Args:
        edges: (from, to) pairs of node names; a name may contain LaTeX between dollar signs.
        inputs: Nodes drawn as boxes: data and parameters; by default those without parents.

    Raises:
        ValueError: If the edges form a cycle.
    """
    edges = list(edges)
    nodes = list(dict.fromkeys(name for edge in edges for name in edge))
    parents = {node: [start for start, end in edges if end == node] for node in nodes}
    depth = _depths(parents)
    for node in nodes:
        if not parents[node]:
            depth[node] = min(depth[end] for start, end in edges if start == node) - 1
    # An edge that skips layers is routed through a point in each of them, around their nodes.
    routes = [
        [start, *((start, end, d) for d in range(depth[start] + 1, depth[end])), end]
        for start, end in edges
    ]
    layers = _ordered_layers(depth, routes)
    place = {
        member: (1.5 * step, (len(members) - 1) / 2 - row)
        for step, members in layers.items()
        for row, member in enumerate(members)
    }
    first, last = min(layers), max(layers)
    tallest = max(map(len, layers.values()))
    _, axes = plt.subplots(figsize=(1.15 * (last - first + 1) + 0.6, 0.75 * tallest + 0.8))
    for route in routes:
        _draw_edge(axes, [place[member] for member in route])
    boxes = set(inputs) or {node for node in nodes if not parents[node]}
    for node in nodes:
        _draw_node(axes, node, place[node], node in boxes)
    axes.set_xlim(1.5 * first - 0.8, 1.5 * last + 0.8)
    axes.set_ylim(-tallest / 2 - 0.2, tallest / 2 + 0.2)
    count = f"{len(nodes)} nodes, {len(edges)} edges"
    axes.set_title(f"{title}, {count}" if title else count)
    axes.set_axis_off()
    plt.show()


def _draw_edge(axes: mpl.axes.Axes, points: Sequence[tuple[float, float]]) -> None:
    """Draw an arrow that bends at each point between its ends."""
    *bends, end = points
    line = {"color": "0.35", "linestyle": "-", "linewidth": 1.0}
    if len(bends) > 1:
        axes.add_line(mpl.lines.Line2D(*zip(*bends, strict=True), zorder=1, **line))
    arrow = {"arrowstyle": "-|>", "shrinkA": 0 if len(bends) > 1 else 15, "shrinkB": 15, **line}
    axes.annotate("", xy=end, xytext=bends[-1], zorder=1, arrowprops=arrow)


def _draw_node(axes: mpl.axes.Axes, name: str, place: tuple[float, float], boxed: bool) -> None:
    look = {
        "boxstyle": "square,pad=0.45" if boxed else "circle,pad=0.35",
        "facecolor": "#e8f1f8" if boxed else "#fdf0e6",
        "edgecolor": "0.35",
    }
    axes.text(*place, name, ha="center", va="center", zorder=2, bbox=look)


def _depths(parents: Mapping[str, list[str]]) -> dict[str, int]:
    depth: dict[str, int] = {}
    while len(depth) < len(parents):
        ready = [
            node
            for node in parents
            if node not in depth and all(parent in depth for parent in parents[node])
        ]
        if not ready:
            raise ValueError("The edges form a cycle; a computational graph has none.")
        for node in ready:
            depth[node] = 1 + max((depth[parent] for parent in parents[node]), default=-1)
    return depth


def _ordered_layers(
    depth: Mapping[str, int], routes: Iterable[Sequence[Any]]
) -> dict[int, list[Any]]:
    """Return the members of each layer, top first, by the mean height of their neighbours."""
    layers: dict[int, list[Any]] = {}
    before: dict[Any, list[Any]] = {}
    after: dict[Any, list[Any]] = {}
    for route in routes:
        for step, member in enumerate(route, start=depth[route[0]]):
            layers.setdefault(step, [])
            if member not in layers[step]:
                layers[step].append(member)
        for start, end in itertools.pairwise(route):
            before.setdefault(end, []).append(start)
            after.setdefault(start, []).append(end)
    for neighbours, steps in itertools.islice(
        itertools.cycle([(before, sorted(layers)), (after, sorted(layers, reverse=True))]), 6
    ):
        for step in steps:
            height = {
                member: (len(members) - 1) / 2 - row
                for members in layers.values()
                for row, member in enumerate(members)
            }
            layers[step].sort(
                key=lambda member: (
                    -np.mean([height[other] for other in neighbours.get(member, [member])])
                )
            )
    return layers
