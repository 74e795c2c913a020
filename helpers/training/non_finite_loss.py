"""Stop a run whose loss becomes NaN or infinite."""

import math

import numpy as np

from helpers.backend import keras

__all__ = ["NonFiniteLoss", "StopOnNonFiniteLoss"]


class NonFiniteLoss(ArithmeticError):
    """The loss became NaN or infinite.

    The model has the weights from the end of the last epoch with a finite loss.

    Attributes:
        history: The `History` of the run up to the error.
    """

    history: keras.callbacks.History


class StopOnNonFiniteLoss(keras.callbacks.Callback):
    """Stops a run if its loss is not finite, and restores the weights from before that epoch."""

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Save the weights and the optimizer's state."""
        model = self.model
        kept = [*model.trainable_variables, *model.non_trainable_variables]
        kept += getattr(model.optimizer, "variables", [])
        self._kept = [(variable, keras.ops.copy(variable)) for variable in kept]

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Raise if the epoch's loss is not finite."""
        loss = (logs or {}).get("loss", 0.0)
        if np.ndim(loss) or math.isfinite(loss):
            return
        for variable, value in self._kept:
            variable.assign(value)
        rate = float(getattr(self.model.optimizer, "learning_rate", math.nan))
        error = NonFiniteLoss(
            f"The loss became {loss} in epoch {epoch + 1} with learning rate {rate:g}; the model "
            f"keeps its weights from before that epoch. Try learning rate {rate / 10:g}, inputs "
            "scaled to around 1, or clipnorm=1.0 in the optimizer."
        )
        error.history = self.model.history
        raise error
