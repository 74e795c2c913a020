"""Which callbacks need every batch, and how Ctrl-C stops a run."""

import contextlib
import signal
import threading
from collections.abc import Iterator, Sequence
from typing import Any

from helpers.backend import keras

__all__ = ["StopAfterInterrupt", "batch_listener", "begun"]


def batch_listener(callbacks: Sequence[keras.callbacks.Callback]) -> str | None:
    """Return the class name of the first callback that must be called for every batch, or None."""
    for callback in callbacks:
        if isinstance(callback, keras.callbacks.ProgbarLogger):
            return type(callback).__name__
        if type(callback) is keras.callbacks.ModelCheckpoint and callback.save_freq == "epoch":
            continue  # its batch method then does nothing
        for name in _BATCH_METHODS:
            method = getattr(callback, name)
            if getattr(method, "__func__", method) is not getattr(keras.callbacks.Callback, name):
                return type(callback).__name__
    return None


_BATCH_METHODS = [
    f"on_{kind}batch_{edge}" for kind in ("", "train_", "test_") for edge in ("begin", "end")
]


def begun(callbacks: keras.callbacks.CallbackList) -> keras.callbacks.CallbackList:
    """Make callbacks ignore the next start of training and of an epoch, already reported."""

    def skip_once(name: str) -> None:
        method = getattr(callbacks, name)

        def skip(*_: Any) -> None:
            setattr(callbacks, name, method)

        setattr(callbacks, name, skip)

    skip_once("on_train_begin")
    skip_once("on_epoch_begin")
    return callbacks


class StopAfterInterrupt(keras.callbacks.Callback):
    """Stops the run after the current epoch at the first Ctrl-C; a second one raises as usual."""

    def __init__(self, quiet: bool):
        super().__init__()
        self._quiet, self._interrupted = quiet, False

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Stop the run if it was interrupted."""
        if self._interrupted:
            self.model.stop_training = True

    @contextlib.contextmanager
    def during_fit(self) -> Iterator[None]:
        """Handle the interrupt within a `with` block."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def stop(number, frame):
            signal.signal(signal.SIGINT, previous)
            self._interrupted = True
            if not self._quiet:
                print("Interrupted: stopping after this epoch.")

        previous = signal.signal(signal.SIGINT, stop)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, previous)
