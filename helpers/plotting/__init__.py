"""Figures in one style, each with a text that describes its content."""

from helpers.plotting.charts import (
    bars,
    decision_boundary,
    functions,
    histogram_grid,
    histories,
    images,
    lines,
    table_heat,
)
from helpers.plotting.graphs import graph
from helpers.plotting.style import describe, use_style

__all__ = [
    "bars",
    "decision_boundary",
    "describe",
    "functions",
    "graph",
    "histogram_grid",
    "histories",
    "images",
    "lines",
    "table_heat",
    "use_style",
]

use_style()
