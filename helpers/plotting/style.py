"""The style of all figures, and the text that describes a figure."""

from __future__ import annotations

import html
import os
from collections.abc import Mapping
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np

__all__ = ["COLOURS", "LINE_STYLES", "MARKERS", "describe", "use_style"]

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
LINE_STYLES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
_MOST_PARTS = 12


def use_style() -> None:
    """Apply the workbook's style: 5 x 3 inches, colour and line style that vary together."""
    mpl.rcParams.update(
        {
            "figure.figsize": (5.0, 3.0),
            "figure.dpi": 100,
            "figure.constrained_layout.use": True,
            "axes.prop_cycle": mpl.cycler(color=COLOURS) + mpl.cycler(linestyle=LINE_STYLES),
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "axes.axisbelow": True,
            "axes.titlesize": "medium",
            "grid.alpha": 0.3,
            "image.cmap": "cividis",
            "legend.frameon": False,
            "lines.linewidth": 1.8,
        }
    )
    try:
        from IPython import get_ipython
    except ImportError:
        return
    if shell := get_ipython():
        # The inline backend clears every formatter for figures when it starts, so start it first.
        plt.switch_backend(plt.get_backend())
        _say_what_figures_hold(shell.display_formatter.formatters)


def _say_what_figures_hold(formatters: Mapping[str, Any]) -> None:
    """Output a figure's description as text and as the alternative text of its image.

    JupyterLab adds no alternative text to PNG output, so figures are shown as HTML. A stored page
    has the PNG, with the text in its metadata for nbconvert, because tests compare HTML.
    """
    figures = mpl.figure.Figure
    draw = formatters["image/png"].lookup_by_type(figures)
    draw = getattr(draw, "without_text", draw)

    def png(figure):
        return draw(figure), {"alt": describe(figure)}

    def as_html(figure):
        return (
            f'<img alt="{html.escape(describe(figure))}" '
            f'src="data:image/png;base64,{draw(figure).strip()}">'
        )

    def no_png(figure):
        return None

    png.without_text = no_png.without_text = draw
    formatters["text/plain"].for_type(
        figures, lambda figure, printer, _: printer.text(describe(figure))
    )
    if os.environ.get("WORKBOOK_QUIET"):
        formatters["image/png"].for_type(figures, png)
    else:
        formatters["image/png"].for_type(figures, no_png)
        formatters["text/html"].for_type(figures, as_html)


def describe(figure: mpl.figure.Figure) -> str:
    """Return a description of a figure: axes, labels, and the number of points of each part.

    A notebook stores this text with the figure, so that a test detects changes. It includes the
    range of x, which the page chooses, but not that of y, which often depends on data.
    """
    parts = []
    for axes in figure.axes:
        lines = [
            f"{_name(line, 'line')} ({len(line.get_xdata())} points{_x_range(line)})"
            for line in axes.get_lines()
        ]
        scatters = [
            f"{_name(points, 'points')} ({len(points.get_offsets())} points)"
            for points in axes.collections
            if isinstance(points, mpl.collections.PathCollection)
        ]
        pictures = [f"image {'x'.join(map(str, im.get_array().shape))}" for im in axes.images]
        bars = [f"{len(group)} bars" for group in axes.containers if hasattr(group, "patches")]
        labels = [text for text in (axes.get_title(), axes.get_xlabel(), axes.get_ylabel()) if text]
        parts.append(", ".join([*labels, *lines, *scatters, *pictures, *bars]) or "empty axes")
    width, height = figure.get_size_inches()
    shown = "; ".join(parts[:_MOST_PARTS])
    more = f"; and {len(parts) - _MOST_PARTS} more" if len(parts) > _MOST_PARTS else ""
    return f"Figure {width:g} x {height:g} in: {shown}{more}"


def _x_range(line: mpl.lines.Line2D) -> str:
    x = np.ma.masked_invalid(np.asarray(line.get_xdata(orig=False), dtype=float))
    return f", x from {x.min():.3g} to {x.max():.3g}" if x.count() > 1 else ""


def _name(artist: mpl.artist.Artist, kind: str) -> str:
    label = str(artist.get_label())
    return kind if label.startswith("_") else label
