"""Compare models by K-fold cross-validation, training all folds and configurations together."""

import contextlib
import functools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from helpers.backend import keras
from helpers.training import data_adapter, epoch, progress_bar, sequential, stacked, xla
from helpers.training.fingerprint import fingerprint

__all__ = ["SearchResult", "fold_indices", "k_fold", "search"]


def fold_indices(
    rows: int, k: int, *, shuffle: bool = True, seed: int = 0
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Split row numbers into k folds, each of which is used once for validation.

    Args:
        rows: Number of rows, at least k.
        k: Number of folds, at least 2. The first `rows % k` folds have one row more.
        shuffle: Whether rows are assigned to folds at random.
        seed: Seed for this random assignment.

    Returns:
        List of k pairs (training rows, validation rows) of int64 arrays.

    Raises:
        ValueError: If there are fewer than two folds or more folds than rows.

    Example:
        >>> [validation.tolist() for _, validation in fold_indices(5, 2, shuffle=False)]
        [[0, 1, 2], [3, 4]]
    """
    if k < 2:
        raise ValueError(f"K-fold cross-validation needs at least two folds, but k is {k}.")
    if k > rows:
        raise ValueError(f"There are {k} folds but only {rows} rows: use at most k={rows}.")
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
    batch_size: int = 32,
    sample_weight: Any = None,
    metric: str | None = None,
    mode: str = "auto",
    prepare: Callable | None = None,
    patience: int | None = None,
    seed: int = 0,
    verbose: int | str = "auto",
) -> "SearchResult":
    """Train k models together, each on all folds but one, and validate it on the remaining fold.

    Each model ends with the weights and the history that `training.fit` with this seed would give
    on the same rows. The one difference is in models with several outputs: Keras averages the loss
    of each output over batches; here a smaller last batch is weighted by its number of rows.

    Args:
        build: Function that returns a compiled model; every fold starts from its weights.
        x: Inputs of shape (rows, ...): an array, a structure of arrays, or any data that `prepare`
            accepts.
        y: Targets of shape (rows, ...): an array, or a structure of arrays for several outputs.
        k: Number of folds, at least 2; see `fold_indices`.
        epochs: Epochs to train, at least 1.
        batch_size: Samples per gradient update of each model.
        sample_weight: One weight per row, in training and in validation.
        metric: Metric that the table shows; None for the loss.
        mode: "min" if a lower metric is better, "max" if a higher one is, "auto" to infer this
            from the metric as Keras's `EarlyStopping` does.
        prepare: Preprocessing: `prepare(x_train, x_other)` returns both as arrays. It is called
            once per fold, so that it can be fitted to the training rows only.
        patience: Epochs without improvement of the validation metric after which a model's
            training stops. The model keeps the weights of its best epoch, as with Keras's
            `EarlyStopping(restore_best_weights=True)`. None trains for all epochs.
        seed: Seed for the folds and the order of the rows.
        verbose: 0 for no bar, 1 for a bar, "auto" for a bar in a terminal or a notebook.

    Returns:
        A `SearchResult` with the table, the histories and the models.

    Raises:
        ValueError: If the data is invalid or cannot be split, or if the metric is unknown; raised
            before training starts.
    """
    return search(
        lambda: build(),
        [{}],
        x,
        y,
        k=k,
        epochs=epochs,
        batch_size=batch_size,
        sample_weight=sample_weight,
        metric=metric,
        mode=mode,
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
    batch_size: int = 32,
    sample_weight: Any = None,
    metric: str | None = None,
    mode: str = "auto",
    prepare: Callable | None = None,
    patience: int | None = None,
    halving: int | None = None,
    seed: int = 0,
    verbose: int | str = "auto",
) -> "SearchResult":
    """Train every configuration on every fold, all together, and compare the configurations.

    Configurations with the same architecture run in one compiled program, even if they differ in
    learning rate, weight decay, dropout rate, regularization, initial weights or seed.

    Args:
        build: `build(**configuration)` returns a compiled model.
        configurations: Dictionaries of arguments for `build`, at least one.
        x: Inputs, as in `k_fold`.
        y: Targets, as in `k_fold`.
        k: Number of folds.
        epochs: Epochs to train.
        batch_size: Samples per gradient update of each model.
        sample_weight: One weight per row, in training and in validation.
        metric: Metric to compare by; None for the loss.
        mode: "min", "max" or "auto", as in `k_fold`.
        prepare: Preprocessing, fitted inside each fold, as in `k_fold`.
        patience: Early stopping of each model, as in `k_fold`.
        halving: Factor of successive halving: at each of several epochs, the last of which is
            epochs/halving, only the best 1/halving of the configurations continue. None trains all
            configurations for all epochs.
        seed: Seed for the folds and the order of the rows.
        verbose: Whether to show a bar, as in `k_fold`.

    Returns:
        A `SearchResult` with the table (best configuration first), the histories and the models.

    Raises:
        ValueError: If the data or a configuration is invalid, or if the metric is unknown; raised
            before training starts.
    """
    configurations = [dict(configuration) for configuration in configurations]
    if not configurations:
        raise ValueError("configurations is empty: give at least one dictionary.")
    if mode not in ("auto", "min", "max"):
        raise ValueError(f'mode must be "auto", "min" or "max", not {mode!r}.')
    data_adapter.check_numbers(
        epochs=(epochs, 1),
        batch_size=(batch_size, 1),
        seed=(seed, 0),
        halving=(2 if halving is None else halving, 2),
        patience=(1 if patience is None else patience, 1),
    )
    x, y, sample_weight, folds = _data(x, y, sample_weight, k, seed, prepare)
    first = [_first_rows(part) for part in _of_fold((x, y, sample_weight), 0)]
    make = functools.partial(_make, build, configurations, first[0])
    models = [make(place) for place in range(len(configurations))]
    for model in models:
        data_adapter.check_data(model, _of_fold((x, y, sample_weight), 0))

    metric = (metric or "loss").removeprefix("val_")
    sign = _sign(make(0), first, metric, mode)
    result = SearchResult(build, configurations, len(folds), metric, sign, first[0], patience)
    rungs = _rungs(len(configurations), epochs, halving)
    with progress_bar.bar(verbose, epochs) as bar:
        data = x, y, sample_weight
        groups = _groups(make, models, folds, data, batch_size, epochs, seed, verbose != 0)
        share = 1 / (len(configurations) * len(folds))
        for start, end in zip([0, *rungs], [*rungs, epochs], strict=True):
            for group in groups:
                size = len(group.configurations) * len(group.folds) * share
                runs = [[result.runs[c, f] for c in group.configurations] for f in group.folds]
                advance = functools.partial(_advance, bar, size)
                group.trainer.train(start, end, runs, advance)
            if end in rungs:
                _drop(groups, result, rungs[end])
        for group in groups:
            group.trainer.release()
    return result


class SearchResult:
    """The result of `k_fold` or `search`.

    Attributes:
        metric: The name of the metric in the table.
        runs: The record of each run, with the pair (configuration, fold) as key.
    """

    def __init__(self, build, configurations, k, metric, sign, first_rows, patience):
        self.metric = metric
        self.runs = {
            (c, f): _Run(f"val_{metric}", sign, patience)
            for c in range(len(configurations))
            for f in range(k)
        }
        self._build, self._configurations, self._k = build, configurations, k
        self._sign, self._first_rows = sign, first_rows
        self._rungs_survived = [0] * len(configurations)

    @property
    def table(self) -> pd.DataFrame:
        """The comparison, best configuration first.

        One row per configuration, with its position in the list of configurations as index. The
        columns are the configuration's arguments, the mean and the spread (standard deviation) of
        the metric over the folds, and the metric on each fold.
        """
        folds = [f"fold {f + 1}" for f in range(self._k)]
        rows = []
        for c, configuration in enumerate(self._configurations):
            scores = [self.runs[c, f].score for f in range(self._k)]
            summary = {"mean": np.mean(scores), "spread": np.std(scores)}
            rows.append({**configuration, **summary, **dict(zip(folds, scores, strict=True))})
        table = pd.DataFrame(rows)
        ranks = [math.inf if math.isnan(m) else self._sign * m for m in table["mean"]]
        # Configurations that halving dropped rank below those that continued.
        key = [
            (-survived, rank) for survived, rank in zip(self._rungs_survived, ranks, strict=True)
        ]
        return table.loc[sorted(table.index, key=key.__getitem__)]

    @property
    def histories(self) -> dict[str, dict[str, list[float]]]:
        """The best configuration's metrics by epoch, one history per fold."""
        return self.histories_of(self.table.index[0])

    def histories_of(self, configuration: int) -> dict[str, dict[str, list[float]]]:
        """Return the histories of a configuration, given its position in the list."""
        return {f"fold {f + 1}": self.runs[configuration, f].history for f in range(self._k)}

    def models(self, configuration: int | None = None) -> list[keras.Model]:
        """Return the trained models of a configuration, one per fold.

        Args:
            configuration: Position in the list of configurations; None for the best one.
        """
        configuration = self.table.index[0] if configuration is None else configuration
        models = []
        for fold in range(self._k):
            model = _make(self._build, self._configurations, self._first_rows, configuration)
            variables = [*model.trainable_variables, *model.non_trainable_variables]
            for variable, value in zip(
                variables, self.runs[configuration, fold].weights, strict=True
            ):
                variable.assign(value)
            models.append(model)
        return models

    def drop_all_but(self, keep: int) -> set[int]:
        """Return the positions of the best configurations, and rank the others below them."""
        survivors = {*self.table.index[:keep]}
        for c in survivors:
            self._rungs_survived[c] += 1
        return survivors

    def plot(self, best: int = 5) -> None:
        """Plot the validation metric by epoch, mean and spread over the folds.

        Args:
            best: Number of configurations to show, best first.
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
    """One configuration on one fold: its history, its score and its final weights."""

    def __init__(self, name: str, sign: int, patience: int | None):
        self._name, self._sign, self._patience = name, sign, patience
        self.history: dict[str, list[float]] = {}
        self.weights: list[np.ndarray] = []
        self.score, self.stopped, self._best_epoch = math.nan, False, 0

    def record(self, epoch: int, logs: Mapping[str, float]) -> bool:
        """Add an epoch's metrics; return whether its weights must be kept as the best so far."""
        is_first = not self.history
        for name, value in logs.items():
            self.history.setdefault(name, []).append(value)
        score = float(logs[self._name])
        is_number = not math.isnan(score)
        is_lower = math.isnan(self.score) or self._sign * score < self._sign * self.score
        is_better = is_first or (is_number and is_lower)
        if is_better or not self._patience:
            self.score, self._best_epoch = score, epoch
        self.stopped = bool(self._patience) and epoch - self._best_epoch >= self._patience
        return bool(self._patience) and is_better

    def keep_best(self, weights: list[np.ndarray]) -> None:
        """Keep the weights of the epoch that was just recorded."""
        self.weights = weights

    def keep_last(self, weights: list[np.ndarray]) -> None:
        """Keep the weights at the end of training, unless the best epoch's weights are kept."""
        if not self._patience:
            self.weights = weights


class _Group:
    """Configurations and folds that are trained together."""

    def __init__(self, trainer: Any, configurations: list[int], folds: list[int]):
        self.trainer, self.configurations, self.folds = trainer, configurations, folds


def _groups(make, models, folds, data, batch_size, epochs, seed, say) -> list[_Group]:
    """Group the runs that one program can train: same architecture and same size of fold."""
    found = [fingerprint(model, free=True) for model in models]
    reasons = [stacked.obstacle(*pair) for pair in zip(models, found, strict=True)]
    by_state: dict[Any, list[int]] = {}
    for c, reason in enumerate(reasons):
        by_state.setdefault(None if reason else found[c].state, []).append(c)
    obstacles = sorted({reason for reason in reasons if reason})
    if obstacles and say:
        count = f"{len(by_state[None])} of {len(models)}"
        print(f"{count} configurations train one after another: {', '.join(obstacles)}.")
    groups = []
    for state, places in by_state.items():
        for size in sorted({len(train) for train, _ in folds}):
            chosen = [f for f, (train, _) in enumerate(folds) if len(train) == size]
            x, *rest = data
            if isinstance(x, data_adapter.ByFold):
                x = data_adapter.ByFold(x[f] for f in chosen)
            parts = [folds[f] for f in chosen], (x, *rest), batch_size, seed
            starts = [models[c] for c in places]
            fresh = functools.partial(_place, make, places)
            if state is None:
                trainer = sequential.Sequential(fresh, starts, *parts)
            else:
                runs = len(places) * len(chosen) * epochs
                use_xla = xla.pays(starts[0], size, batch_size, runs)
                prints = [found[c] for c in places]
                trainer = stacked.Stack(starts, prints, fresh, *parts, use_xla)
            groups.append(_Group(trainer, places, chosen))
    return groups


def _advance(bar: Any, size: float, part: float) -> None:
    bar.update(round(part * size, 6))


def _place(make: Callable, places: Sequence[int], place: int) -> keras.Model:
    return make(places[place])


def _make(build, configurations, first_rows, place) -> keras.Model:
    """Build a configuration's model and create its weights."""
    with _names_of_a_new_process():
        model = build(**configurations[place])
    if not getattr(model, "compiled", False) or model.optimizer is None:
        raise ValueError("build returns a model that is not compiled: call model.compile in it.")
    if not model.built:
        epoch.first_call(model, first_rows)
    return model


@contextlib.contextmanager
def _names_of_a_new_process() -> Iterator[None]:
    """Restart Keras's numbering of unnamed layers and metrics, so that models have equal names."""
    names = keras.src.backend.common.global_state
    kept = names.get_global_attribute("object_name_uids")
    names.set_global_attribute("object_name_uids", None)
    try:
        yield
    finally:
        names.set_global_attribute("object_name_uids", kept)


def _sign(model: keras.Model, first: tuple, metric: str, mode: str) -> int:
    """Return 1 if a lower metric is better and -1 if a higher one is, without training.

    Raises:
        ValueError: If the metric is unknown, or if its direction cannot be inferred.
    """
    epoch.build(model, keras.utils.pack_x_y_sample_weight(*first), with_optimizer=False)
    known = model.get_metrics_result()
    if metric not in known:
        raise ValueError(f"metric must be one of {', '.join(known)}, not {metric!r}.")
    if np.ndim(keras.ops.convert_to_numpy(known[metric])):
        raise ValueError(f"metric must be a single number, but {metric} has several values.")
    if mode != "auto":
        return 1 if mode == "min" else -1
    watch = keras.callbacks.EarlyStopping(f"val_{metric}", patience=2)
    watch.set_model(model)
    watch.on_train_begin()
    try:
        for value in (0.0, 1.0):
            watch.on_epoch_end(0, {f"val_{metric}": value})
    except ValueError as error:
        raise ValueError(
            f"Keras does not define whether a lower or a higher {metric} is better: pass "
            'mode="min" or mode="max".'
        ) from error
    return -1 if watch.best == 1.0 else 1


def _rungs(configurations: int, epochs: int, halving: int | None) -> dict[int, int]:
    """Return how many configurations to keep, for each epoch after which some are dropped."""
    rungs, kept, times = {}, configurations, 1
    while halving and kept > 1:
        kept, times = math.ceil(kept / halving), times + 1
        rungs[times] = kept
    ends = {max(1, epochs // halving ** (times + 1 - rung)): n for rung, n in rungs.items()}
    return {end: n for end, n in ends.items() if end < epochs}


def _drop(groups: list[_Group], result: SearchResult, keep: int) -> None:
    """Continue with the best configurations only."""
    survivors = result.drop_all_but(keep)
    for group in [*groups]:
        kept = [c for c in group.configurations if c in survivors]
        if not kept:
            group.trainer.release()
            groups.remove(group)
        elif kept != group.configurations:
            group.trainer.keep([group.configurations.index(c) for c in kept])
            group.configurations = kept


def _data(x, y, sample_weight, k, seed, prepare) -> tuple:
    """Return inputs (one array per fold if prepared), targets and weights, and the folds."""
    if prepare is None:
        parts = data_adapter.to_arrays(x, y, sample_weight)
        if parts is None or parts[1] is None:
            raise ValueError("k_fold and search need x and y as arrays of numbers, not datasets.")
        parts = data_adapter.with_class_weights(*parts, None)
        x, y, sample_weight = map(keras.tree.lists_to_tuples, parts)
        return x, y, sample_weight, fold_indices(data_adapter.rows_of(y), k, seed=seed)
    parts = data_adapter.to_arrays(y, None, sample_weight)
    if parts is None:
        raise ValueError("k_fold and search need y as an array of numbers.")
    y, _, sample_weight = parts
    folds = fold_indices(data_adapter.rows_of(y), k, seed=seed)
    return _prepared(x, y, folds, prepare), y, sample_weight, folds


def _prepared(x, y, folds, prepare) -> data_adapter.ByFold:
    """Return one array of inputs per fold, with all rows in the original order."""
    if len(x) != len(y):
        raise ValueError(f"x has {len(x)} rows and y has {len(y)}: each row needs one target.")
    pick = (lambda rows: x.iloc[rows]) if hasattr(x, "iloc") else (lambda rows: x[rows])
    arrays = []
    for fold, (train, test) in enumerate(folds):
        parts = prepare(pick(train), pick(test))
        rows = []
        for part, where in zip(parts, (train, test), strict=True):
            found = data_adapter.to_arrays(part, y[where], of=f"fold {fold + 1}'s ")
            if found is None:
                raise ValueError(f"prepare did not return arrays of numbers in fold {fold + 1}.")
            rows.append(found[0])
        if rows[0].shape[1:] != rows[1].shape[1:]:
            raise ValueError(
                f"prepare returned rows of shape {rows[0].shape[1:]} for training and "
                f"{rows[1].shape[1:]} for validation in fold {fold + 1}: give both parts the same "
                "columns."
            )
        whole = np.empty((len(y), *rows[0].shape[1:]), rows[0].dtype)
        whole[train], whole[test] = rows
        arrays.append(whole)
    shapes = {array.shape for array in arrays}
    if len(shapes) > 1:
        raise ValueError(
            f"prepare returned different numbers of columns in different folds, {sorted(shapes)}: "
            "fix the columns, for example the list of categories, before splitting."
        )
    return data_adapter.ByFold(arrays)


def _of_fold(data: tuple, fold: int) -> tuple:
    x, *rest = data
    return (x[fold] if isinstance(x, data_adapter.ByFold) else x, *rest)


def _first_rows(part: Any) -> Any:
    return None if part is None else keras.tree.map_structure(lambda array: array[:2], part)
