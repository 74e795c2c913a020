"""The charts of the pages: curves, histories, images, boundaries, histograms, bars and tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np

from helpers.plotting.style import COLOURS, LINE_STYLES, MARKERS

__all__ = [
    "bars",
    "decision_boundary",
    "functions",
    "histogram_grid",
    "histories",
    "images",
    "lines",
    "table_heat",
]

_MOST_MARKED = 12  # a curve with more points has no markers


def lines(
    x: Sequence[float],
    curves: Mapping[str, Sequence[float]],
    *,
    xlabel: str,
    ylabel: str,
    title: str = "",
    xscale: str = "linear",
    yscale: str = "linear",
    spread: Mapping[str, Sequence[float]] | None = None,
    marker: bool | None = None,
    marks: Mapping[str, float] | None = None,
    ax: mpl.axes.Axes | None = None,
) -> None:
    """Draw one curve per label over a shared x and show the figure.

    Args:
        x: Positions, shape (n,).
        curves: Values by label, each of shape (n,); NaN leaves a gap.
        spread: Half-widths of a band by label, each of shape (n,).
        marker: Whether to mark the points; by default if there are at most 12.
        marks: Positions of vertical lines by label.
        ax: Axes to draw on; then the figure is not shown.

    Raises:
        ValueError: If the length of a curve differs from that of `x`.
    """
    target = ax or plt.subplots()[1]
    x = np.asarray(x)
    for (label, values), symbol in zip(curves.items(), _cycle(MARKERS, len(curves)), strict=True):
        values = np.asarray(values, dtype=float)
        if values.shape != x.shape:
            raise ValueError(f"The curve {label!r} has shape {values.shape}, x has {x.shape}.")
        marked = len(x) <= _MOST_MARKED if marker is None else marker
        (line,) = target.plot(x, values, label=label, marker=symbol if marked else None)
        if spread and label in spread:
            half = np.asarray(spread[label], dtype=float)
            target.fill_between(x, values - half, values + half, color=line.get_color(), alpha=0.2)
    for label, position in (marks or {}).items():
        target.axvline(position, color="black", linestyle=":", linewidth=1.2, label=label)
    target.set(xlabel=xlabel, ylabel=ylabel, title=title, xscale=xscale, yscale=yscale)
    if len(curves) > 4:  # outside the axes, where it hides no curve
        target.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    elif len(curves) > 1 or next(iter(curves), ""):
        target.legend()
    if ax is None:
        plt.show()


def histories(
    runs: Mapping[str, Any], metric: str = "loss", *, validation: bool = True, title: str = ""
) -> None:
    """Draw a metric by epoch for each run, for training and, if available, validation.

    Args:
        runs: `keras.callbacks.History` or its `history` dict by label.
        metric: A key of the history.

    Raises:
        ValueError: If a run has no such metric.
    """
    _, axes = plt.subplots()
    looks = list(zip(_cycle(COLOURS, len(runs)), _cycle(LINE_STYLES, len(runs)), strict=True))
    both = validation and any(f"val_{metric}" in getattr(r, "history", r) for r in runs.values())
    for (label, run), (colour, line) in zip(runs.items(), looks, strict=True):
        values = getattr(run, "history", run)
        if metric not in values:
            raise ValueError(f"The run {label!r} has no metric {metric!r}; it has {list(values)}.")
        # Training is solid and validation dashed; without validation, each run has its style.
        for name, prefix, own_line in (("training", "", "-"), ("validation", "val_", "--")):
            if prefix + metric in values and (both or not prefix):
                curve = values[prefix + metric]
                look = {"linestyle": own_line if both else line, "color": colour}
                axes.plot(
                    range(1, len(curve) + 1), curve, label=f"{label}, {name}".strip(", "), **look
                )
    axes.set(xlabel="epoch", ylabel=metric.replace("_", " "), title=title)
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.legend()
    plt.show()


def functions(
    domain: Sequence[float],
    pairs: Mapping[str, tuple[Callable, Callable]],
    *,
    xlabel: str = "x",
) -> None:
    """Draw functions on the left and their derivatives on the right.

    Args:
        domain: Positions, shape (n,).
        pairs: (function, derivative) by label; each maps shape (n,) to (n,).
    """
    _, (left, right) = plt.subplots(1, 2, figsize=(8.0, 3.0))
    domain = np.asarray(domain, dtype=float)
    values = {label: np.asarray(function(domain)) for label, (function, _) in pairs.items()}
    slopes = {label: np.asarray(slope(domain)) for label, (_, slope) in pairs.items()}
    lines(domain, values, xlabel=xlabel, ylabel="value", title="function", ax=left)
    lines(domain, slopes, xlabel=xlabel, ylabel="slope", title="derivative", ax=right)
    plt.show()


def images(
    pictures: np.ndarray,
    titles: Iterable[str] | None = None,
    *,
    columns: int = 8,
    cmap: str = "gray_r",
) -> None:
    """Show pictures in a grid.

    Args:
        pictures: Shape (n, height, width).
        titles: One per picture.
        columns: Pictures per row.
    """
    pictures = np.asarray(pictures)
    names = list(titles) if titles is not None else [""] * len(pictures)
    columns = min(columns, len(pictures))
    rows = -(-len(pictures) // columns)
    _, grid = plt.subplots(
        rows, columns, figsize=(1.1 * columns, (1.35 if any(names) else 1.1) * rows), squeeze=False
    )
    for axes in grid.flat:
        axes.set_axis_off()
    for axes, picture, name in zip(grid.flat, pictures, names, strict=False):
        axes.imshow(picture, cmap=cmap)
        axes.set_title(name, fontsize="small")
    plt.show()


def decision_boundary(
    predict: Callable[[np.ndarray], np.ndarray],
    x: np.ndarray,
    y: np.ndarray,
    *,
    xlabel: str = "x1",
    ylabel: str = "x2",
    title: str = "",
) -> None:
    """Shade the plane by a classifier's decision and mark the examples by their class.

    Args:
        predict: Maps points of shape (n, 2) to classes or scores of shape (n,); a score above 0.5
            counts as class 1.
        x: Examples, shape (n, 2).
        y: Classes, shape (n,).
    """
    x, y = np.asarray(x, dtype=float), np.asarray(y).ravel()
    low, high = x.min(axis=0), x.max(axis=0)
    margin = 0.25 * np.maximum(high - low, 1e-9)
    first, second = (np.linspace(low[i] - margin[i], high[i] + margin[i], 200) for i in (0, 1))
    plane = np.stack(np.meshgrid(first, second), axis=-1)
    decided = np.asarray(predict(plane.reshape(-1, 2)), dtype=float).reshape(200, 200)
    _, axes = plt.subplots(figsize=(4.0, 3.4))
    axes.contourf(
        first,
        second,
        decided > 0.5 if len(np.unique(y)) == 2 else decided,
        levels=len(np.unique(y)) if len(np.unique(y)) > 2 else [-0.5, 0.5, 1.5],
        colors=["#cfe3f1", "#f8dcc8"] if len(np.unique(y)) == 2 else None,
        alpha=0.8,
    )
    for value, colour, marker in zip(np.unique(y), COLOURS, MARKERS, strict=False):
        axes.scatter(
            *x[y == value].T,
            s=60,
            color=colour,
            marker=marker,
            edgecolor="white",
            label=f"class {value:g}",
            zorder=3,
        )
    axes.set(xlabel=xlabel, ylabel=ylabel, title=title, aspect="equal")
    axes.grid(False)
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    plt.show()


def histogram_grid(
    values: Mapping[str, Mapping[str, np.ndarray]],
    *,
    xlabel: str,
    bins: Sequence[float],
    top: float | None = None,
) -> None:
    """Draw a grid of histograms with a shared x axis, such as initializations by layer.

    Args:
        values: Arrays of any shape by row and column label; an empty one is shown as "no values".
        bins: Edges of the bins.
        top: Upper limit of each density axis; by default it is just above the tallest bar.
    """
    columns = list(next(iter(values.values())))
    size = 2.3 * len(columns), 1.2 * len(values) + 0.2
    figure, grid = plt.subplots(len(values), len(columns), figsize=size, sharex=True, squeeze=False)
    for axes_of_row, (row, by_column) in zip(grid, values.items(), strict=True):
        axes_of_row[0].set_ylabel(row)
        for axes, column in zip(axes_of_row, columns, strict=True):
            numbers = np.ravel(by_column[column])
            axes.set_yticks([])
            if numbers.size:
                axes.hist(numbers, bins=bins, density=True, color=COLOURS[0])
                axes.set_ylim(0, top)
            else:
                axes.text(0.5, 0.4, "no values", transform=axes.transAxes, ha="center")
    for axes, column in zip(grid[0], columns, strict=True):
        axes.set_title(column)
    figure.supxlabel(xlabel, fontsize="medium")
    plt.show()


def bars(
    values: Mapping[str, float],
    *,
    ylabel: str,
    spread: Mapping[str, float] | None = None,
    title: str = "",
    bottom: float | None = None,
) -> None:
    """Draw one bar per label, with an error bar if a spread is given.

    Args:
        values: Height by label.
        spread: Half-length of the error bar by label.
        bottom: Lower limit of the axis; state it in the text if it is not 0.
    """
    figure, axes = plt.subplots()
    errors = [spread[label] for label in values] if spread else None
    axes.bar(list(values), list(values.values()), yerr=errors, capsize=4, color=COLOURS[0])
    axes.set(ylabel=ylabel, title=title)
    axes.grid(False, axis="x")
    if bottom is not None:
        axes.set_ylim(bottom=bottom)
    figure.draw_without_rendering()  # the widths of labels are known only after layout
    room = np.diff(axes.transData.transform([(0, 0), (1, 0)])[:, 0])[0]
    if max(label.get_window_extent().width for label in axes.get_xticklabels()) > 0.95 * room:
        plt.setp(axes.get_xticklabels(), rotation=20, ha="right", rotation_mode="anchor")
    plt.show()


def table_heat(
    values: np.ndarray,
    rows: Sequence[Any],
    columns: Sequence[Any],
    *,
    xlabel: str,
    ylabel: str,
    title: str = "",
    form: str = "{:.2f}",
) -> None:
    """Show a table of numbers as a heat map, with the number in each cell.

    Args:
        values: Shape (len(rows), len(columns)).
        form: Format of the numbers.
    """
    values = np.asarray(values, dtype=float)
    _, axes = plt.subplots()
    picture = axes.imshow(values, aspect="auto")
    middle = (np.nanmin(values) + np.nanmax(values)) / 2
    for (row, column), value in np.ndenumerate(values):
        colour = "black" if value > middle else "white"
        axes.text(column, row, form.format(value), ha="center", va="center", color=colour)
    axes.set_xticks(range(len(columns)), [str(name) for name in columns])
    axes.set_yticks(range(len(rows)), [str(name) for name in rows])
    axes.set(xlabel=xlabel, ylabel=ylabel, title=title)
    axes.grid(False)
    axes.figure.colorbar(picture)
    plt.show()


def _cycle(items: Sequence[Any], count: int) -> list[Any]:
    return [items[index % len(items)] for index in range(count)]
