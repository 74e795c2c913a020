"""Everything a page of the workbook imports; each part loads when it is first used."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from helpers import autograd, data, models, numeric, plotting, training
    from helpers.feedback import check, hint, progress, solution

__all__ = [
    "autograd",
    "check",
    "data",
    "hint",
    "models",
    "numeric",
    "plotting",
    "progress",
    "solution",
    "training",
]

_FEEDBACK = ("check", "hint", "progress", "solution")


def __getattr__(name: str):
    if name not in __all__:
        raise AttributeError(f"helpers has no part named {name!r}; it has {', '.join(__all__)}.")
    if name in _FEEDBACK:
        return getattr(importlib.import_module("helpers.feedback"), name)
    return importlib.import_module(f"helpers.{name}")


def __dir__() -> list[str]:
    return list(__all__)
