"""Save a training run to one file, and resume it as if it had never stopped."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from helpers import files
from helpers.backend import keras
from helpers.training import epoch

__all__ = ["Run"]


class Run:
    """The state from which a run starts, and the callbacks that save it.

    Args:
        path: File of the run; None saves nothing.
        model: A compiled model, into which a saved run is loaded.
        data: Data to build the model from, if it is not built; None for a dataset.
        start: The epoch at which a new run starts, counted from 0.
        seed: Seed for the order of the rows; None draws a seed if the run is saved, and otherwise
            shuffles as `model.fit` does.

    Attributes:
        epoch: The epoch to start at, counted from 0.
        seed: The seed of this run or of the one that is resumed.
        callbacks: The callbacks that save the run.

    Raises:
        ValueError: If the file is damaged or belongs to another model.
    """

    def __init__(self, path, model: keras.Model, data: Any, start: int, seed: int | None):
        self.epoch, self.seed, self.history = start, seed, {}
        self.callbacks: list[keras.callbacks.Callback] = []
        if path is None:
            return
        self.callbacks.append(_Keeper(Path(path), self))
        if seed is None:
            self.seed = int(np.random.randint(1, 10**9))
        if not Path(path).exists():
            return
        if data is not None:
            epoch.build(model, data)
        elif not model.built:
            raise ValueError(
                f"The run in {path} cannot be resumed with a model that is not built: give the "
                "model an Input, or call model.build first."
            )
        elif not model.optimizer.built:
            model.optimizer.build(model.trainable_variables)
        kept = _load(Path(path), model)
        self.epoch, self.seed, self.history = kept["epoch"], kept["seed"], kept["history"]


class _Keeper(keras.callbacks.Callback):
    """Saves the run after each epoch; must come after `History` in the list of callbacks."""

    def __init__(self, path: Path, run: Run):
        super().__init__()
        self._path, self._run = path, run

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Restore the history of the run that is resumed."""
        history = self.model.history
        history.history.update({name: [*values] for name, values in self._run.history.items()})
        history.epoch[:] = range(self._run.epoch if self._run.history else 0)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Save the model's variables, the epoch, the seed and the history."""
        history = self.model.history.history
        _save(self._path, self.model, epoch=epoch + 1, seed=self._run.seed, history=history)


def _save(path: Path, model: keras.Model, **run: Any) -> None:
    arrays = {f"v{i}": v.numpy() for i, v in enumerate(_variables(model))}
    text = json.dumps(run, default=lambda value: keras.ops.convert_to_numpy(value).tolist())
    with files.replacing(path) as file:
        np.savez(file, run=np.array(text), **arrays)


def _load(path: Path, model: keras.Model) -> dict:
    """Load a saved run into the model; return its epoch, seed and history."""
    try:
        with np.load(path, allow_pickle=False) as file:
            run = json.loads(str(file["run"]))
            values = [file[f"v{i}"] for i in range(len(file.files) - 1)]
    except Exception as error:  # zip, JSON and array errors all mean a damaged file
        raise ValueError(
            f"{path} is not a complete checkpoint ({error}): delete it to start a new run."
        ) from error
    variables = _variables(model)
    if [v.shape for v in values] != [tuple(v.shape) for v in variables]:
        raise ValueError(
            f"{path} was written for a model with other shapes or another optimizer: build the "
            "same model, or use another checkpoint."
        )
    for variable, value in zip(variables, values, strict=True):
        # NumPy's files store bfloat16 as unnamed two-byte values.
        variable.assign(value.view(variable.dtype) if value.dtype.kind == "V" else value)
    return run


def _variables(model: keras.Model) -> list:
    return [
        *model.trainable_variables,
        *model.non_trainable_variables,
        *model.optimizer.variables,
    ]
