"""Compare models by K-fold cross-validation, all folds and all configurations at once."""

import functools
import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from helpers.backend import keras
from helpers.training import inputs, programs, reporting, stacks

_HIGHER_IS_BETTER = ("acc", "auc", "precision", "recall", "f1", "r2_score", "iou")


def fold_indices(
    rows: int, k: int, *, shuffle: bool = True, seed: int = 0
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Split rows into k folds of which each is the validation part once.

    Args:
        rows: Number of rows, at least k.
        k: Number of folds, at least 2. The first `rows % k` folds have one row more.
        shuffle: Whether rows are assigned to folds at random.
        seed: Seed of that assignment.

    Returns:
        k pairs (rows to train on, rows to validate on) of int64 arrays.

    Raises:
        ValueError: If there are fewer than two folds or more folds than rows.

    Example:
        >>> [validation.tolist() for _, validation in fold_indices(5, 2, shuffle=False)]
        [[0, 1, 2], [3, 4]]
    """
    if k < 2:
        raise ValueError(f"K-fold needs at least two folds, and k is {k}.")
    if k > rows:
        raise ValueError(f"There are {k} folds but only {rows} rows: use k of at most {rows}.")
    order = np.random.default_rng(seed).permutation(rows) if shuffle else np.arange(rows)
    parts = np.array_split(order, k)
    return [(np.concatenate(parts[:i] + parts[i + 1 :]), part) for i, part in enumerate(parts)]


def k_fold(
    build: Callable[[], keras.Model],
    x: Any,
    y: Any,
    *,
    k: int = 5,
    epochs: int,
    batch_size: int = 64,
    metric: str | None = None,
    prepare: Callable | None = None,
    patience: int | None = None,
    seed: int = 0,
    verbose: int | str = "auto",
) -> "Result":
    """Train one model on each of k folds, all at once, and validate it on the rest.

    Each model ends where `training.fit` with this seed would take it on its fold alone.

    Args:
        build: Returns a compiled model; every fold starts from its values.
        x: Inputs, (rows, ...): an array, or what `prepare` takes.
        y: Targets, (rows, ...).
        k: Number of folds, at least 2; see `fold_indices`.
        epochs: Epochs to train, at least 1.
        batch_size: Rows a step of each model.
        metric: Which metric the table shows; None takes the loss.
        prepare: `prepare(x_train, x_other)` returns both as arrays. It is called once for each
            fold, so that what it learns from the data it learns from training rows only.
        patience: Epochs without a better validation metric after which a model keeps its best
            epoch's weights, as with Keras's `EarlyStopping`; None trains all epochs.
        seed: Seed of the folds and of the order of the rows.
        verbose: 0 for no bar, 1 for a bar, "auto" for one where somebody is watching.

    Returns:
        The table, the histories, the models and a plot.

    Raises:
        ValueError: If the data cannot be trained with or split.
    """
    return search(
        lambda: build(),
        [{}],
        x,
        y,
        k=k,
        epochs=epochs,
        batch_size=batch_size,
        metric=metric,
        prepare=prepare,
        patience=patience,
        seed=seed,
        verbose=verbose,
    )


def search(
    build: Callable[..., keras.Model],
    configurations: Sequence[Mapping[str, Any]],
    x: Any,
    y: Any,
    *,
    k: int = 5,
    epochs: int,
    batch_size: int = 64,
    metric: str | None = None,
    prepare: Callable | None = None,
    patience: int | None = None,
    halving: int | None = None,
    seed: int = 0,
    verbose: int | str = "auto",
) -> "Result":
    """Train every configuration on every fold, all at once, and compare them.

    Configurations of one architecture are one program, also where they differ in learning rate,
    weight decay, dropout rate, regularization, initial weights or seed. Keras numbers metrics
    without a name, `AUC()` for one, anew in each model: name them, so that they stay one program.

    Args:
        build: `build(**configuration)` returns a compiled model.
        configurations: The arguments to try, at least one dictionary.
        x: As in `k_fold`, and so are the arguments not named here.
        halving: Keep the best 1/halving of the configurations at each of several epochs, the last
            of them at epochs/halving (successive halving); None trains all to the end.
        y: Targets, (rows, ...).
        k: Number of folds.
        epochs: Epochs to train.
        batch_size: Rows a step of each model.
        metric: Which metric to compare by; None takes the loss.
        prepare: Preprocessing, fitted inside each fold.
        patience: Early stopping of each model.
        seed: Seed of the folds and of the order of the rows.
        verbose: Whether to show a bar.

    Returns:
        The table, best configuration first, the histories, the models and a plot.

    Raises:
        ValueError: If the data or the configurations cannot be trained with.
    """
    configurations = [dict(configuration) for configuration in configurations]
    if not configurations:
        raise ValueError("There is no configuration to try: give at least one dictionary.")
    if halving is not None and halving < 2:
        raise ValueError(f"halving is at least 2, not {halving}.")
    inputs.check_numbers(epochs, batch_size, seed=seed)
    y = inputs.one_array(y, "y")
    folds = fold_indices(len(y), k, seed=seed)
    x = _prepared(x, y, folds, prepare)
    models = [build(**configuration) for configuration in configurations]
    first = x[0] if isinstance(x, list) else x
    for model in models:
        inputs.check_model(model)
        if not model.built:
            programs.first_call(model, first[:1])
        inputs.check_fit(model, (first, y))

    result = Result(build, configurations, len(folds), metric, first[:1])
    with reporting.bar(verbose, epochs) as bar:
        run = (batch_size, epochs, seed, verbose != 0)
        groups = _groups(build, configurations, models, folds, x, y, *run)
        try:
            _train(groups, result, epochs, patience, halving, bar)
        finally:
            for group in groups:
                group.trainer.release()
    return result


class Result:
    """What a search found.

    Attributes:
        table: One row for each configuration, best first; its index is the configuration's
            place in the list that was given. Columns: the configuration, the mean and the spread
            (standard deviation) of the metric over the folds, and one column for each fold.
        metric: The name of the metric in the table.
    """

    def __init__(self, build, configurations, k, metric, first_row):
        self.metric = (metric or "loss").removeprefix("val_")
        self._build, self._configurations, self._k = build, configurations, k
        self._first_row = first_row
        self._dropped_as = [0] * len(configurations)
        self._runs = {(c, f): _Run() for c in range(len(configurations)) for f in range(k)}

    @property
    def table(self) -> pd.DataFrame:
        """The comparison, best configuration first."""
        folds = [f"fold {f + 1}" for f in range(self._k)]
        rows = []
        for c, configuration in enumerate(self._configurations):
            scores = [self._runs[c, f].score for f in range(self._k)]
            summary = {"mean": np.mean(scores), "spread": np.std(scores)}
            rows.append({**configuration, **summary, **dict(zip(folds, scores, strict=True))})
        table = pd.DataFrame(rows)
        rank = [_rank(mean, self.metric) for mean in table["mean"]]
        # A configuration that halving dropped stands below all that outlived it.
        return table.loc[sorted(table.index, key=lambda c: (self._dropped_as[c], rank[c]))]

    @property
    def histories(self) -> dict[str, dict[str, list[float]]]:
        """The best configuration's metrics by epoch, one history for each fold."""
        return self.histories_of(self.table.index[0])

    def histories_of(self, configuration: int) -> dict[str, dict[str, list[float]]]:
        """Return one configuration's histories, by its place in the list that was given."""
        return {f"fold {f + 1}": self._runs[configuration, f].history for f in range(self._k)}

    def models(self, configuration: int | None = None) -> list[keras.Model]:
        """Return the trained models of a configuration, one for each fold.

        Args:
            configuration: Place in the list that was given; None takes the best.
        """
        configuration = self.table.index[0] if configuration is None else configuration
        models = []
        for fold in range(self._k):
            model = self._build(**self._configurations[configuration])
            programs.first_call(model, self._first_row)
            kept = itertools.chain(*self._runs[configuration, fold].weights)
            for variable, value in zip(_weights(model), kept, strict=True):
                variable.assign(value)
            models.append(model)
        return models

    def plot(self, best: int = 5) -> None:
        """Plot the validation metric by epoch, mean and spread over the folds.

        Args:
            best: How many configurations to show, from the best on.
        """
        from helpers import plotting

        lines, spread = {}, {}
        for configuration in self.table.index[:best]:
            histories = self.histories_of(configuration).values()
            epochs = min(len(history["val_loss"]) for history in histories)
            values = [history[f"val_{self.metric}"][:epochs] for history in histories]
            settings = self._configurations[configuration].items()
            label = ", ".join(f"{name} {value}" for name, value in settings) or "mean of the folds"
            lines[label], spread[label] = np.mean(values, axis=0), np.std(values, axis=0)
        shortest = min(map(len, lines.values()))
        plotting.lines(
            np.arange(1, shortest + 1),
            {label: line[:shortest] for label, line in lines.items()},
            xlabel="epoch",
            ylabel=f"validation {self.metric}",
            spread={label: line[:shortest] for label, line in spread.items()},
        )


class _Run:
    """One configuration on one fold: its history, and the weights that count."""

    def __init__(self):
        self.history: dict[str, list[float]] = {}
        self.score, self.best_epoch, self.stopped = math.nan, 0, False
        self.weights: tuple[list, list] = ([], [])


class _Group:
    """Configurations and folds that are trained together."""

    def __init__(self, trainer: Any, configurations: list[int], folds: list[int], orders: Callable):
        self.trainer, self.configurations, self.folds = trainer, configurations, folds
        self.orders = orders


def _train(groups, result, epochs, patience, halving, bar) -> None:
    """Run all epochs; after each, take notes, and stop or drop what need not go on."""
    rungs = _rungs(len(result._configurations), epochs, halving)
    runs = result._runs
    for epoch in range(epochs):
        for group in groups:
            places = [(c, f) for f in group.folds for c in group.configurations]
            if all(runs[place].stopped for place in places):
                continue
            logs, val_logs = group.trainer.epoch(group.orders(epoch))
            if result.metric not in val_logs:
                known = ", ".join(val_logs)
                raise ValueError(f"metric is one of {known}, not {result.metric!r}.")
            if val_logs[result.metric].ndim > 2:
                raise ValueError(f"metric must be one number, but {result.metric} has several.")
            last = epoch == epochs - 1
            weights = group.trainer.weights() if patience or last or epoch + 1 in rungs else None
            for i, f in enumerate(group.folds):
                for j, c in enumerate(group.configurations):
                    run = runs[c, f]
                    if run.stopped:
                        continue
                    for prefix, values in (("", logs), ("val_", val_logs)):
                        for name, array in values.items():
                            value = array[i, j].tolist()
                            run.history.setdefault(prefix + name, []).append(value)
                    score = float(val_logs[result.metric][i, j])
                    better = not patience or not run.history["loss"][1:]
                    better = better or _rank(score, result.metric) < _rank(run.score, result.metric)
                    if better:
                        run.score, run.best_epoch = score, epoch
                        if weights is not None:
                            run.weights = tuple([v[i, j].copy() for v in part] for part in weights)
                    run.stopped = bool(patience) and epoch - run.best_epoch >= patience
        if epoch + 1 in rungs:
            _drop(groups, result, rungs[epoch + 1])
        bar.update(1)


def _rungs(configurations: int, epochs: int, halving: int | None) -> dict[int, int]:
    """Return after how many epochs how many configurations are kept."""
    rungs, kept, times = {}, configurations, 1
    while halving and kept > 1:
        kept, times = math.ceil(kept / halving), times + 1
        rungs[times] = kept
    return {max(1, epochs // halving ** (times + 1 - rung)): n for rung, n in rungs.items()}


def _drop(groups: list[_Group], result: Result, keep: int) -> None:
    """Keep the best configurations only."""
    survivors = set(result.table.index[:keep])
    for c, rank in enumerate(result._dropped_as):
        result._dropped_as[c] = rank + (c not in survivors)
    for group in [*groups]:
        kept = [c for c in group.configurations if c in survivors]
        if not kept:
            group.trainer.release()
            groups.remove(group)
        elif kept != group.configurations:
            group.trainer.keep([group.configurations.index(c) for c in kept])
            group.configurations = kept


def _groups(build, named, models, folds, x, y, batch_size, epochs, seed, say) -> list[_Group]:
    """Put together what one program can train: one architecture, folds of one size."""
    by_shape: dict[Any, list[int]] = {}
    obstacles: set[str] = set()
    for c, model in enumerate(models):
        alone = stacks.obstacle(model)
        obstacles |= {alone} if alone else set()
        by_shape.setdefault(None if alone else stacks.describe(model), []).append(c)
    if obstacles and say:
        count = f"{len(by_shape[None])} of {len(models)}"
        print(f"{count} configurations train one after another: {', '.join(sorted(obstacles))}.")
    groups = []
    for shape, configurations in by_shape.items():
        sizes = sorted({len(train) for train, _ in folds})
        for size in sizes:
            chosen = [f for f, (train, _) in enumerate(folds) if len(train) == size]
            parts = [models[c] for c in configurations], [folds[f] for f in chosen]
            own_x = [x[f] for f in chosen] if isinstance(x, list) else x
            if shape is None:
                builders = [functools.partial(build, **named[c]) for c in configurations]
                trainer = _OneByOne(builders, *parts, own_x, y, batch_size, seed)
            else:
                runs = len(configurations) * len(chosen) * epochs
                xla = programs.use_xla(parts[0][0], size, batch_size, runs)
                trainer = stacks.Stack(*parts, own_x, y, batch_size, xla)
            orders = _orders(size, len(chosen), seed)
            groups.append(_Group(trainer, configurations, chosen, orders))
    return groups


def _orders(rows: int, folds: int, seed: int) -> Callable[[int], list[np.ndarray]]:
    return lambda epoch: [programs.epoch_order(rows, seed, epoch)] * folds


class _OneByOne:
    """Trains models one after another, where they cannot be stacked."""

    def __init__(self, builders, models, folds, x, y, batch_size, seed):
        self.folds, self.x, self.y, self.batch_size, self.seed = folds, x, y, batch_size, seed
        self.epochs = 0
        self.models = [[build() for build in builders] for _ in folds]
        self.averaging = {
            id(model): [_Unaveraged()]
            for copies in self.models
            for model in copies
            if model.optimizer.use_ema
        }
        first = x[0] if isinstance(x, list) else x
        for copies in self.models:
            for model, start in zip(copies, models, strict=True):
                programs.first_call(model, first[:1])
                pairs = zip(_weights(model), _weights(start), strict=True)
                for variable, value in pairs:
                    variable.assign(value)

    def epoch(self, _: Any) -> tuple[dict, dict]:
        from helpers import training

        logs: list[list[dict]] = []
        for f, ((train, test), models) in enumerate(zip(self.folds, self.models, strict=True)):
            x = self.x[f] if isinstance(self.x, list) else self.x
            logs.append([])
            for model in models:
                try:
                    history = training.fit(
                        model,
                        x[train],
                        self.y[train],
                        validation_data=(x[test], self.y[test]),
                        epochs=self.epochs + 1,
                        initial_epoch=self.epochs,
                        batch_size=self.batch_size,
                        seed=self.seed,
                        callbacks=self.averaging.get(id(model)),
                        verbose=0,
                    ).history
                    logs[-1].append({name: values[0] for name, values in history.items()})
                except training.NonFiniteLoss:
                    logs[-1].append({})
        self.epochs += 1
        names = next((list(log) for part in logs for log in part if log), ["loss", "val_loss"])
        table = {n: np.array([[log.get(n, math.nan) for log in p] for p in logs]) for n in names}
        return (
            {name: values for name, values in table.items() if not name.startswith("val_")},
            {name[4:]: values for name, values in table.items() if name.startswith("val_")},
        )

    def weights(self) -> list[list[np.ndarray]]:
        parts = [[programs.values(model)[:2] for model in models] for models in self.models]
        to_numpy = keras.ops.convert_to_numpy
        return [
            [
                np.array([[to_numpy(m[part][i]) for m in models] for models in parts])
                for i in range(len(parts[0][0][part]))
            ]
            for part in (0, 1)
        ]

    def keep(self, configurations: list[int]) -> None:
        self.models = [[models[c] for c in configurations] for models in self.models]

    def release(self) -> None:
        self.models = []


class _Unaveraged(keras.callbacks.Callback):
    """Goes on from the weights themselves, where each end of `fit` leaves their averages."""

    def __init__(self):
        super().__init__()
        self.values = ()

    def on_epoch_begin(self, epoch, logs=None):
        if self.values:
            programs.write(self.model.trainable_variables, self.values)

    def on_epoch_end(self, epoch, logs=None):
        self.values = programs.read(self.model.trainable_variables)


def _prepared(x, y, folds, prepare) -> np.ndarray | list[np.ndarray]:
    """Return the inputs as one array, or as one array for each fold with every row in place."""
    if prepare is None:
        return inputs.arrays(x, y)[0]
    if len(x) != len(y):
        raise ValueError(f"x has {len(x)} rows and y has {len(y)}: each row needs one target.")
    pick = (lambda rows: x.iloc[rows]) if hasattr(x, "iloc") else (lambda rows: x[rows])
    arrays = []
    for fold, (train, test) in enumerate(folds):
        parts = prepare(pick(train), pick(test))
        rows = [
            inputs.arrays(part, y[where], of=f"fold {fold + 1}'s ")[0]
            for part, where in zip(parts, (train, test), strict=True)
        ]
        if rows[0].shape[1:] != rows[1].shape[1:]:
            raise ValueError(
                f"prepare gave {rows[0].shape[1:]} columns to train on and {rows[1].shape[1:]} to "
                f"validate on in fold {fold + 1}: give both the columns of the training rows."
            )
        whole = np.empty((len(y), *rows[0].shape[1:]), rows[0].dtype)
        whole[train], whole[test] = rows
        arrays.append(whole)
    shapes = {array.shape for array in arrays}
    if len(shapes) > 1:
        raise ValueError(
            f"prepare gave a different number of columns in different folds, {sorted(shapes)}: "
            "fix the columns before the folds, for example the list of categories."
        )
    return arrays


def _weights(model: keras.Model) -> list[keras.Variable]:
    return [*model.trainable_variables, *model.non_trainable_variables]


def _rank(score: float, metric: str) -> float:
    """Return a number that is smaller for a better score, and largest for none."""
    if math.isnan(score):
        return math.inf
    return -score if any(name in metric for name in _HIGHER_IS_BETTER) else score
