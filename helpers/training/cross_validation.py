"""Compare models by K-fold cross-validation, all folds and all configurations together."""

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
    batch_size: int = 32,
    sample_weight: Any = None,
    metric: str | None = None,
    mode: str = "auto",
    prepare: Callable | None = None,
    patience: int | None = None,
    seed: int = 0,
    verbose: int | str = "auto",
) -> "SearchResult":
    """Train one model on each of k folds, all together, and validate it on the rest.

    Each model ends where `training.fit` with this seed would take it on its fold alone. In its
    history, too, all is as there, but for the losses of single outputs where there are several:
    Keras averages these over batches, and here a smaller last batch counts by its rows.

    Args:
        build: Returns a compiled model; every fold starts from its values.
        x: Inputs, (rows, ...): an array, a structure of arrays, or what `prepare` takes.
        y: Targets, (rows, ...): an array, or a structure of arrays for several outputs.
        k: Number of folds, at least 2; see `fold_indices`.
        epochs: Epochs to train, at least 1.
        batch_size: Samples per gradient update of each model.
        sample_weight: One weight per row, in training and in validation.
        metric: Which metric the table shows; None takes the loss.
        mode: "min" if a lower metric is better, "max" if a higher one is, "auto" if the metric
            itself tells, as Keras's own metrics do.
        prepare: `prepare(x_train, x_other)` returns both as arrays. It is called once for each
            fold, so that what it learns from the data it learns from training rows only.
        patience: Epochs without a better validation metric after which a model keeps its best
            epoch's weights, as with Keras's `EarlyStopping`; None trains all epochs.
        seed: Seed of the folds and of the order of the rows.
        verbose: 0 for no bar, 1 for a bar, "auto" for one if somebody is watching.

    Returns:
        The table, the histories, the models and a plot.

    Raises:
        ValueError: If the data cannot be trained with or split, or if the metric is unknown;
            before any training.
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
    """Train every configuration on every fold, all together, and compare them.

    Configurations of one architecture are one program, also where they differ in learning rate,
    weight decay, dropout rate, regularization, initial weights or seed.

    Args:
        build: `build(**configuration)` returns a compiled model.
        configurations: The arguments to try, at least one dictionary.
        x: Inputs, as in `k_fold`.
        y: Targets, as in `k_fold`.
        k: Number of folds.
        epochs: Epochs to train.
        batch_size: Samples per gradient update of each model.
        sample_weight: One weight per row, in training and in validation.
        metric: Which metric to compare by; None takes the loss.
        mode: Whether a lower ("min") or a higher metric ("max") is better; "auto" asks the metric.
        prepare: Preprocessing, fitted inside each fold.
        patience: Early stopping of each model.
        halving: Keep the best 1/halving of the configurations at each of several epochs, the last
            of them at epochs/halving (successive halving); None trains all to the end.
        seed: Seed of the folds and of the order of the rows.
        verbose: Whether to show a bar.

    Returns:
        The table, best configuration first, the histories, the models and a plot.

    Raises:
        ValueError: If the data or the configurations cannot be trained with, or if the metric is
            unknown; before any training.
    """
    configurations = [dict(configuration) for configuration in configurations]
    if not configurations:
        raise ValueError("There is no configuration to try: give at least one dictionary.")
    if mode not in ("auto", "min", "max"):
        raise ValueError(f'mode is "auto", "min" or "max", not {mode!r}.')
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
    """What a search found.

    Attributes:
        metric: The name of the metric in the table.
        runs: The record of each configuration on each fold.
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

        One row for each configuration; its index is the configuration's place in the list that was
        given. Columns: the configuration, the mean and the spread (standard deviation) of the
        metric over the folds, and one column for each fold.
        """
        folds = [f"fold {f + 1}" for f in range(self._k)]
        rows = []
        for c, configuration in enumerate(self._configurations):
            scores = [self.runs[c, f].score for f in range(self._k)]
            summary = {"mean": np.mean(scores), "spread": np.std(scores)}
            rows.append({**configuration, **summary, **dict(zip(folds, scores, strict=True))})
        table = pd.DataFrame(rows)
        ranks = [math.inf if math.isnan(m) else self._sign * m for m in table["mean"]]
        # A configuration that halving dropped ranks below all that went on.
        key = [
            (-survived, rank) for survived, rank in zip(self._rungs_survived, ranks, strict=True)
        ]
        return table.loc[sorted(table.index, key=key.__getitem__)]

    @property
    def histories(self) -> dict[str, dict[str, list[float]]]:
        """The best configuration's metrics by epoch, one history for each fold."""
        return self.histories_of(self.table.index[0])

    def histories_of(self, configuration: int) -> dict[str, dict[str, list[float]]]:
        """Return one configuration's histories, by its place in the list that was given."""
        return {f"fold {f + 1}": self.runs[configuration, f].history for f in range(self._k)}

    def models(self, configuration: int | None = None) -> list[keras.Model]:
        """Return the trained models of a configuration, one for each fold.

        Args:
            configuration: Place in the list that was given; None takes the best.
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
        """Return the places of the best configurations, and rank the others below them."""
        survivors = {*self.table.index[:keep]}
        for c in survivors:
            self._rungs_survived[c] += 1
        return survivors

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
    """One configuration on one fold: its history, its score and the weights that count."""

    def __init__(self, name: str, sign: int, patience: int | None):
        self._name, self._sign, self._patience = name, sign, patience
        self.history: dict[str, list[float]] = {}
        self.weights: list[np.ndarray] = []
        self.score, self.stopped, self._best_epoch = math.nan, False, 0

    def record(self, epoch: int, logs: Mapping[str, float]) -> bool:
        """Add an epoch's metrics; tell whether its weights are the best so far and must be kept."""
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
        """Keep the weights of the epoch that was recorded last."""
        self.weights = weights

    def keep_last(self, weights: list[np.ndarray]) -> None:
        """Keep the weights at the end of training, unless those of the best epoch count."""
        if not self._patience:
            self.weights = weights


class _Group:
    """Configurations and folds that are trained together."""

    def __init__(self, trainer: Any, configurations: list[int], folds: list[int]):
        self.trainer, self.configurations, self.folds = trainer, configurations, folds


def _groups(make, models, folds, data, batch_size, epochs, seed, say) -> list[_Group]:
    """Put together what one program can train: one architecture, folds of one size."""
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
    """Build a configuration's model with all weights."""
    with _names_of_a_new_process():
        model = build(**configurations[place])
    if not getattr(model, "compiled", False) or model.optimizer is None:
        raise ValueError("build returns a model that is not compiled: call model.compile in it.")
    if not model.built:
        epoch.first_call(model, first_rows)
    return model


@contextlib.contextmanager
def _names_of_a_new_process() -> Iterator[None]:
    """Let Keras number layers and metrics without a name from the start, for equal names."""
    names = keras.src.backend.common.global_state
    kept = names.get_global_attribute("object_name_uids")
    names.set_global_attribute("object_name_uids", None)
    try:
        yield
    finally:
        names.set_global_attribute("object_name_uids", kept)


def _sign(model: keras.Model, first: tuple, metric: str, mode: str) -> int:
    """Return 1 if a lower metric is better, -1 if a higher one is; train nothing.

    Raises:
        ValueError: If there is no such metric, or if it does not tell.
    """
    epoch.build(model, keras.utils.pack_x_y_sample_weight(*first), with_optimizer=False)
    known = model.get_metrics_result()
    if metric not in known:
        raise ValueError(f"metric is one of {', '.join(known)}, not {metric!r}.")
    if np.ndim(keras.ops.convert_to_numpy(known[metric])):
        raise ValueError(f"metric must be one number, but {metric} has several.")
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
            f"Nothing tells whether a lower or a higher {metric} is better: pass "
            'mode="min" or mode="max".'
        ) from error
    return -1 if watch.best == 1.0 else 1


def _rungs(configurations: int, epochs: int, halving: int | None) -> dict[int, int]:
    """Return after how many epochs how many configurations are kept."""
    rungs, kept, times = {}, configurations, 1
    while halving and kept > 1:
        kept, times = math.ceil(kept / halving), times + 1
        rungs[times] = kept
    ends = {max(1, epochs // halving ** (times + 1 - rung)): n for rung, n in rungs.items()}
    return {end: n for end, n in ends.items() if end < epochs}


def _drop(groups: list[_Group], result: SearchResult, keep: int) -> None:
    """Go on with the best configurations only."""
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
    """Return inputs, targets and weights as arrays, and the folds; prepared inputs by fold."""
    if prepare is None:
        parts = data_adapter.to_arrays(x, y, sample_weight)
        if parts is None or parts[1] is None:
            raise ValueError("k_fold and search take x and y as arrays of numbers, no data sets.")
        parts = data_adapter.with_class_weights(*parts, None)
        x, y, sample_weight = map(keras.tree.lists_to_tuples, parts)
        return x, y, sample_weight, fold_indices(data_adapter.rows_of(y), k, seed=seed)
    parts = data_adapter.to_arrays(y, None, sample_weight)
    if parts is None:
        raise ValueError("k_fold and search take y as an array of numbers.")
    y, _, sample_weight = parts
    folds = fold_indices(data_adapter.rows_of(y), k, seed=seed)
    return _prepared(x, y, folds, prepare), y, sample_weight, folds


def _prepared(x, y, folds, prepare) -> data_adapter.ByFold:
    """Return one array for each fold with every row in place."""
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
                raise ValueError(f"prepare gave no array of numbers in fold {fold + 1}.")
            rows.append(found[0])
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
    return data_adapter.ByFold(arrays)


def _of_fold(data: tuple, fold: int) -> tuple:
    x, *rest = data
    return (x[fold] if isinstance(x, data_adapter.ByFold) else x, *rest)


def _first_rows(part: Any) -> Any:
    return None if part is None else keras.tree.map_structure(lambda array: array[:2], part)
