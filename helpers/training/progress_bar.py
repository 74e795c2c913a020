"""Show the progress of a run: a progress bar, a line per epoch, or a plot of the loss."""

import contextlib
import math
import os
import sys
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from helpers.backend import keras

__all__ = ["LivePlot", "bar", "is_quiet", "shown"]

_BRIEF = 0.5  # seconds
_LONG = 5.0  # seconds


def is_quiet() -> bool:
    """Return whether output goes to a file, a test or a stored notebook, so nobody watches it."""
    if os.environ.get("WORKBOOK_QUIET") or os.environ.get("CI"):
        return True
    return not (_in_notebook() or sys.stdout.isatty())


def shown(verbose: Any, live_plot: bool, start: int = 0) -> list[keras.callbacks.Callback]:
    """Return the callbacks that display a run.

    Args:
        verbose: 0 for none, 1 for a bar, 2 for one line per epoch, "auto" for a bar in a terminal
            or a notebook, which is removed after a short run.
        live_plot: Whether to plot the loss during training (in a notebook).
        start: Number of epochs that have been trained already.
    """
    found = []
    if verbose == 2:
        found.append(Lines())
    elif verbose == 1 or (verbose == "auto" and not is_quiet()):
        found.append(Bar(start, always=verbose == 1))
    if live_plot and _in_notebook() and not is_quiet():
        found.append(LivePlot())
    return found


@contextlib.contextmanager
def bar(verbose: Any, epochs: int) -> Iterator[Any]:
    """Show a progress bar over epochs within a `with` block; `verbose` is as in `fit`."""
    is_hidden = verbose == 0 or (verbose == "auto" and is_quiet())
    opened = _open_bar(epochs, 0, verbose == 1, is_hidden)
    try:
        yield opened
    finally:
        _close_bar(opened, verbose == 1)


def _open_bar(epochs: int, start: int, always: bool, hidden: bool = False) -> Any:
    from tqdm.auto import tqdm

    delay = 0 if always else _BRIEF
    return tqdm(total=epochs, initial=start, unit="epoch", delay=delay, disable=hidden)


def _close_bar(opened: Any, always: bool) -> None:
    """Close a bar, and remove it after a short run: a loop of runs would leave many bars."""
    opened.leave = always or opened.format_dict["elapsed"] > _LONG
    opened.close()


class Bar(keras.callbacks.Callback):
    """One progress bar for the whole run, with the metrics and the remaining time."""

    def __init__(self, start: int = 0, always: bool = True):
        super().__init__()
        self.start, self.always, self.bar = start, always, None

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Open the bar."""
        self.bar = _open_bar(self.params["epochs"], self.start, self.always)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Advance the bar by one epoch."""
        self.bar.set_postfix_str(_metrics(logs), refresh=False)
        self.bar.update(epoch + 1 - self.bar.n)

    def on_train_end(self, logs: dict | None = None) -> None:
        """Show the bar of a run that stopped early as complete."""
        if math.isfinite((logs or {}).get("loss", math.nan)):
            self.bar.total = self.bar.n

    @contextlib.contextmanager
    def during_fit(self) -> Iterator[None]:
        """Close the bar when the run ends, also after an error."""
        try:
            yield
        finally:
            if self.bar is not None:
                _close_bar(self.bar, self.always)


class Lines(keras.callbacks.Callback):
    """Prints one line per epoch."""

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Print the epoch's metrics."""
        print(f"epoch {epoch + 1}/{self.params['epochs']}: {_metrics(logs)}")


class LivePlot(keras.callbacks.Callback):
    """A plot of the loss that is redrawn in place, at most twice per second."""

    def __init__(self):
        super().__init__()
        self.display, self.drawn, self.losses = None, 0.0, {}

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Add the epoch's losses, and redraw the plot if half a second has passed."""
        for name in ("loss", "val_loss"):
            if name in (logs or {}):
                self.losses.setdefault(name, {})[epoch + 1] = logs[name]
        if time.monotonic() - self.drawn > 0.5:
            self._draw()

    @contextlib.contextmanager
    def during_fit(self) -> Iterator[None]:
        """Draw the complete plot when the run ends."""
        try:
            yield
        finally:
            if self.losses:
                self._draw()

    def _draw(self) -> None:
        import matplotlib.pyplot as plt
        from IPython.display import display

        figure, axes = plt.subplots(figsize=(5, 3))
        for (name, values), style in zip(self.losses.items(), ("-", "--"), strict=False):
            axes.plot(list(values), list(values.values()), style, label=name)
        axes.set(xlabel="epoch", ylabel="loss")
        axes.legend()
        if self.display is None:
            self.display = display(figure, display_id=True)
        else:
            self.display.update(figure)
        plt.close(figure)
        self.drawn = time.monotonic()


def _metrics(logs: dict | None) -> str:
    pairs = (logs or {}).items()
    return ", ".join(f"{name} {value:.4g}" for name, value in pairs if not np.ndim(value))


def _in_notebook() -> bool:
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return shell is not None and hasattr(shell, "kernel")
