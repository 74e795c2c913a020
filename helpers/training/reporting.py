"""Show a training run while it goes on: one progress bar, and a live plot on request."""

import contextlib
import math
import os
import sys
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from helpers.backend import keras

_BRIEF = 0.5  # seconds
_LONG = 5.0  # seconds


def is_quiet() -> bool:
    """Tell whether nobody is watching: output goes to a file, a test or a stored notebook."""
    if os.environ.get("WORKBOOK_QUIET") or os.environ.get("CI"):
        return True
    return not (_in_notebook() or sys.stdout.isatty())


def callbacks(verbose: Any, live_plot: bool, start: int = 0) -> list[keras.callbacks.Callback]:
    """Return the callbacks that show a run.

    Args:
        verbose: 0 for none, 1 for a bar, 2 for one line an epoch, "auto" for a bar where
            somebody is watching: while the run lasts, and afterwards if it was a long one.
        live_plot: Whether to draw the loss while it falls (in a notebook that is watched).
        start: Number of epochs that were trained before.
    """
    if verbose not in (0, 1, 2, "auto"):
        raise ValueError(f'verbose is 0, 1, 2 or "auto", not {verbose!r}.')
    shown = []
    if verbose == 2:
        shown.append(Lines())
    elif verbose == 1 or (verbose == "auto" and not is_quiet()):
        shown.append(Bar(start, always=verbose == 1))
    if live_plot and _in_notebook() and not is_quiet():
        shown.append(LivePlot())
    return shown


@contextlib.contextmanager
def bar(verbose: Any, epochs: int) -> Iterator[Any]:
    """Show a bar over epochs for the length of a block, under `fit`'s rules for `verbose`."""
    shown = _open_bar(epochs, 0, verbose == 1, verbose == 0 or (verbose == "auto" and is_quiet()))
    try:
        yield shown
    finally:
        _close_bar(shown, verbose == 1)


def _open_bar(epochs: int, start: int, always: bool, hidden: bool = False) -> Any:
    from tqdm.auto import tqdm

    delay = 0 if always else _BRIEF
    return tqdm(total=epochs, initial=start, unit="epoch", delay=delay, disable=hidden)


def _close_bar(shown: Any, always: bool) -> None:
    """Close a bar; that of a short run goes, since a loop of runs would leave a page of them."""
    shown.leave = always or shown.format_dict["elapsed"] > _LONG
    shown.close()


class Bar(keras.callbacks.Callback):
    """One bar for the whole run, with the metrics and the remaining time."""

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
        """Fill the bar of a run that was stopped early: it is complete."""
        if math.isfinite((logs or {}).get("loss", math.nan)):
            self.bar.total = self.bar.n

    def close(self) -> None:
        """Close the bar where it stands."""
        if self.bar is not None:
            _close_bar(self.bar, self.always)


class Lines(keras.callbacks.Callback):
    """One printed line an epoch."""

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Print the epoch's metrics."""
        print(f"epoch {epoch + 1}/{self.params['epochs']}: {_metrics(logs)}")

    def close(self) -> None:
        """Leave the lines as they are."""


class LivePlot(keras.callbacks.Callback):
    """A figure of the loss that is redrawn in place, at most twice a second."""

    def __init__(self):
        super().__init__()
        self.display, self.drawn, self.losses = None, 0.0, {}

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Take up the epoch's losses and draw if it is time."""
        for name in ("loss", "val_loss"):
            if name in (logs or {}):
                self.losses.setdefault(name, {})[epoch + 1] = logs[name]
        if time.monotonic() - self.drawn > 0.5:
            self._draw()

    def close(self) -> None:
        """Draw the finished run."""
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
