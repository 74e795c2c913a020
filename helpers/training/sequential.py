"""Train the models of a search one after another with `fit`, if they cannot be stacked."""

from collections.abc import Callable, Sequence

import numpy as np

from helpers.backend import keras
from helpers.training.data_adapter import ByFold
from helpers.training.fitting import fit

__all__ = ["Sequential"]


class Sequential:
    """Trains every configuration on every fold, each model with its own call of `fit`.

    Args:
        make: Function that takes an index of `models` and returns a new model like that one, whose
            optimizer has no variables yet.
        models: One built, compiled model per configuration; every fold starts from its weights.
        folds: Pairs (training rows, validation rows).
        data: Inputs (or one structure of arrays per fold), targets and weights.
        batch_size: Samples per gradient update.
        seed: Seed for the order of the rows.
    """

    def __init__(self, make: Callable, models: Sequence, folds, data, batch_size: int, seed: int):
        self._folds, self._data, self._batch_size, self._seed = folds, data, batch_size, seed
        self._models = []
        for _ in folds:
            copies = [make(place) for place in range(len(models))]
            for copy, model in zip(copies, models, strict=True):
                for variable, start in zip(_weights(copy), _weights(model), strict=True):
                    variable.assign(start)
            self._models.append(copies)
        self._raw: dict[int, list] = {}

    def train(self, start: int, end: int, runs: Sequence[Sequence], advance: Callable) -> None:
        """Train all models from one epoch to another.

        Args:
            start: The first epoch, counted from 0.
            end: The epoch to stop before.
            runs: For each fold, the record of each configuration.
            advance: Called after each epoch of a model, with the fraction that this is of an
                epoch of all models.
        """
        share = 1 / sum(len(models) for models in self._models)
        for fold, (models, records) in enumerate(zip(self._models, runs, strict=True)):
            for model, run in zip(models, records, strict=True):
                if not run.stopped:
                    self._train_one(model, fold, start, end, run, lambda: advance(share))

    def _train_one(self, model, fold, start, end, run, advance) -> None:
        x, *rest = self._data
        x = x[fold] if isinstance(x, ByFold) else x
        train, test = (
            [_rows(part, rows) for part in (x, *rest) if part is not None]
            for rows in self._folds[fold]
        )
        names = "x", "y", "sample_weight"
        weights = _Averaging(self._raw) if model.optimizer.use_ema else None
        fit(
            model,
            **dict(zip(names, train, strict=False)),
            validation_data=tuple(test),
            epochs=end,
            initial_epoch=start,
            batch_size=self._batch_size,
            seed=self._seed,
            callbacks=[*([weights] if weights else []), _Recorder(run, advance)],
            verbose=0,
            check_finite=False,  # a loss that is not finite is also a result
        )
        if not run.stopped:
            run.keep_last(_values(model))

    def keep(self, configurations: Sequence[int]) -> None:
        """Continue with some of the configurations only."""
        self._models = [[models[c] for c in configurations] for models in self._models]

    def release(self) -> None:
        """Release the models."""
        self._models = []


class _Recorder(keras.callbacks.Callback):
    """Records the epochs of a model, and stops its training when its record says so."""

    def __init__(self, run, advance: Callable):
        super().__init__()
        self._run, self._advance = run, advance

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        if self._run.record(epoch, logs):
            self._run.keep_best(_values(self.model))
        self.model.stop_training = self.model.stop_training or self._run.stopped
        self._advance()


class _Averaging(keras.callbacks.Callback):
    """Restores the weights themselves, which the end of `fit` replaces by their averages."""

    def __init__(self, kept: dict[int, list]):
        super().__init__()
        self._kept = kept

    def on_train_begin(self, logs: dict | None = None) -> None:
        for variable, value in self._kept.get(id(self.model), ()):
            variable.assign(value)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        variables = self.model.trainable_variables
        self._kept[id(self.model)] = [(v, keras.ops.convert_to_numpy(v)) for v in variables]


def _rows(part, rows):
    return keras.tree.map_structure(lambda array: array[rows], part)


def _weights(model: keras.Model) -> list[keras.Variable]:
    return [*model.trainable_variables, *model.non_trainable_variables]


def _values(model: keras.Model) -> list[np.ndarray]:
    return [keras.ops.convert_to_numpy(variable) for variable in _weights(model)]
