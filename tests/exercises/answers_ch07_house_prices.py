"""Right and wrong answers to the exercises of chapter 7, with the words a wrong one must meet."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd

from tests.exercises.answers import right, wrong


def preprocess_pandas(train, other):
    numbers = train.select_dtypes("number").columns
    mean, std = train[numbers].mean(), train[numbers].std().replace(0, 1)

    def encode(table):
        table = table.copy()
        table[numbers] = ((table[numbers] - mean) / std).fillna(0)
        return pd.get_dummies(table, dummy_na=True, dtype=float)

    train, other = encode(train), encode(other)
    return train, other.reindex(columns=train.columns, fill_value=0.0)


def preprocess_by_hand(train, other):
    results = {}
    for name, table in (("train", train), ("other", other)):
        columns = {}
        for column in train:
            values = train[column]
            if pd.api.types.is_numeric_dtype(values):
                spread = np.nanstd(values.astype(float)) or 1.0
                scaled = (table[column] - np.nanmean(values.astype(float))) / spread
                columns[column] = np.nan_to_num(scaled.to_numpy(dtype=float)).astype("float32")
            else:
                for category in sorted(values.dropna().unique()):
                    columns[f"{column}_{category}"] = (table[column] == category).fillna(False)
                columns[f"{column}_nan"] = table[column].isna()
        results[name] = pd.DataFrame(columns)
    return [results["train"], results["other"]]


def preprocess_bool(train, other):
    return tuple(table.iloc[:, ::-1] for table in preprocess_pandas(train, other))


def preprocess_leak(train, other):
    both = pd.concat([train, other])
    numbers = both.select_dtypes("number").columns
    mean, std = both[numbers].mean(), both[numbers].std().replace(0, 1)
    first, second = preprocess_pandas(train, other)
    for table, source in ((first, train), (second, other)):
        table[numbers] = ((source[numbers] - mean) / std).fillna(0)
    return first, second


def preprocess_own_statistics(train, other):
    first, second = preprocess_pandas(train, other)
    numbers = train.select_dtypes("number").columns
    std = other[numbers].std().replace(0, 1)
    second[numbers] = ((other[numbers] - other[numbers].mean()) / std).fillna(0)
    return first, second


def preprocess_fill_first(train, other):
    return preprocess_pandas(train.fillna({"area": 0}), other.fillna({"area": 0}))


def preprocess_together(train, other):
    both = preprocess_pandas(pd.concat([train, other]), other)[0]
    return both[: len(train)], both[len(train) :]


def preprocess_no_nan_column(train, other):
    return tuple(
        table.drop(columns=["street_nan", "alley_nan"]) for table in preprocess_pandas(train, other)
    )


def preprocess_holes(train, other):
    first, second = preprocess_pandas(train, other)
    first.loc[train["area"].isna(), "area"] = np.nan
    return first, second


def preprocess_constant(train, other):
    first, second = preprocess_pandas(train, other)
    first["kitchens"] = np.nan
    return first, second


def preprocess_text_left(train, other):
    first, second = preprocess_pandas(train, other)
    return first.assign(alley_nan=train["alley"]), second


def preprocess_pandas_2(train, other):
    """d2l's own choice of number columns, which pandas 3 breaks."""
    numbers = train.dtypes[train.dtypes != "object"].index
    return (train[numbers] - train[numbers].mean()) / train[numbers].std(), other


def preprocess_constant_filled(train, other):
    numbers = train.select_dtypes("number").columns
    mean, std = train[numbers].mean(), train[numbers].std()
    tables = [table.assign(**((table[numbers] - mean) / std).fillna(0)) for table in (train, other)]
    first, second = (pd.get_dummies(table, dummy_na=True, dtype=float) for table in tables)
    return first, second.reindex(columns=first.columns, fill_value=0.0)


def preprocess_in_place(train, other):
    result = preprocess_pandas(train, other)
    train["rooms"] = train["rooms"] - train["rooms"].mean()
    return result


def preprocess_unknown_missing(train, other):
    first, second = preprocess_pandas(train, other)
    unknown = ~other["street"].isin(train["street"])
    return first, second.assign(street_nan=unknown.astype(float))


def preprocess_no_fill_value(train, other):
    first, second = preprocess_pandas(train, other)
    absent = [c for c in first if c.startswith("street_") and not second[c].any()]
    return first, second.drop(columns=absent).reindex(columns=first.columns)


def preprocess_floored(train, other):
    """Divide by a standard deviation of at least 1."""
    first, second = preprocess_pandas(train, other)
    numbers = train.select_dtypes("number").columns
    mean, std = train[numbers].mean(), train[numbers].std().clip(lower=1)
    for table, source in ((first, train), (second, other)):
        table[numbers] = ((source[numbers] - mean) / std).fillna(0)
    return first, second


PREPROCESS = [
    wrong("7.1", "standard deviation floored at 1", "below 1 was replaced", preprocess_floored),
    right("7.1", "pandas", preprocess_pandas),
    right("7.1", "NumPy by hand, float32, list", preprocess_by_hand),
    right("7.1", "columns in another order", preprocess_bool),
    wrong("7.1", "constant column filled", "constant column has", preprocess_constant_filled),
    wrong("7.1", "in place", "in place", preprocess_in_place),
    wrong("7.1", "leak", "comes from both tables", preprocess_leak),
    wrong("7.1", "own statistics", "standardised with its own mean", preprocess_own_statistics),
    wrong("7.1", "unknown as missing", "counts as missing", preprocess_unknown_missing),
    wrong("7.1", "reindexed without zeros", "fill_value=0", preprocess_no_fill_value),
    wrong("7.1", "filled first", "before the mean was taken", preprocess_fill_first),
    wrong("7.1", "categories of both", "occurs in `other` only", preprocess_together),
    wrong("7.1", "no column for missing", "lacks ['street_nan'", preprocess_no_nan_column),
    wrong("7.1", "gaps left", "hold missing or infinite", preprocess_holes),
    wrong("7.1", "constant column divided by 0", "constant column has", preprocess_constant),
    wrong("7.1", "text left", "still hold text", preprocess_text_left),
    wrong("7.1", "object dtype", "TypeError", preprocess_pandas_2),
    wrong("7.1", "one table", "return two data frames", lambda train, other: train),
    wrong("7.1", "arrays", "return two data frames", lambda a, b: (a.to_numpy(), b.to_numpy())),
    wrong(
        "7.1",
        "rows lost",
        "tables that came back have",
        lambda a, b: preprocess_pandas(a.dropna(), b),
    ),
    wrong(
        "7.1",
        "other columns in the other table",
        "same columns in the same order",
        lambda a, b: (preprocess_pandas(a, b)[0], preprocess_pandas(a, b)[1].iloc[:, ::-1]),
    ),
]


def hide_large(truth):
    return np.where(truth > np.quantile(truth, 0.7), np.nan, truth)


def hide_small(truth):
    values = np.array(truth, dtype="float64")
    values[np.argsort(values)[: len(values) // 3]] = np.nan
    return values


def hide_by_chance_of_size(truth):
    ranks = np.argsort(np.argsort(truth)) / len(truth)
    chance = np.random.default_rng(3).random(len(truth))
    return [float("nan") if c < r**2 else v for c, r, v in zip(chance, ranks, truth, strict=True)]


def hide_at_random(truth):
    return np.where(np.random.default_rng(0).random(len(truth)) < 0.3, np.nan, truth)


def hide_fixed(truth):
    return np.where(truth > 110, np.nan, truth)


def typical_nanmean(values, absent):
    return np.nanmean(values[~absent])


def typical_loop(values, absent):
    known = [v for v, a in zip(values, absent, strict=True) if v == v and not a]
    return sum(known) / len(known)


def typical_pandas(values, absent):
    return np.float32(pd.Series(values).mask(pd.Series(absent)).mean())


def impute_where(values, absent, filling):
    return np.where(np.isnan(values), np.where(absent, 0.0, filling), values)


def impute_loop(values, absent, filling):
    pairs = zip(values, absent, strict=True)
    return [v if v == v else 0.0 if a else filling for v, a in pairs]


def impute_pandas(values, absent, filling):
    series = pd.Series(values)
    return series.mask(series.isna() & absent, 0.0).fillna(filling).astype("float32")


def impute_in_place(values, absent, filling):
    values[np.isnan(values)] = filling
    values[absent] = 0.0
    return values


def impute_overwrites(values, absent, filling):
    return np.where(absent, 0.0, np.where(np.isnan(values), filling, values))


def missing(hide=hide_large, typical=typical_nanmean, impute=impute_where):
    return hide, typical, impute


MISSING = [
    right("7.2", "quantile and where", *missing()),
    right(
        "7.2", "smallest third and loops", *missing(hide_small, typical_loop, impute_loop)
    ),
    right(
        "7.2",
        "chance by size and pandas",
        *missing(hide_by_chance_of_size, typical_pandas, impute_pandas),
    ),
    wrong("7.2", "at random", "a value's own size", *missing(hide_at_random)),
    wrong("7.2", "both ends", "at one end only", *missing(lambda truth: np.where(
        abs(truth - np.median(truth)) > np.std(truth), np.nan, truth))),
    wrong("7.2", "a tenth", "hide more", *missing(
        lambda truth: np.where(truth > np.quantile(truth, 0.9), np.nan, truth))),
    wrong("7.2", "zeros are gaps", "Only NaN is a gap", *missing(
        impute=lambda v, a, filling: np.where(
            np.isnan(v) | (v == 0), np.where(a, 0.0, filling), v))),
    wrong("7.2", "positive values only", "", *missing(
        typical=lambda v, a: v[~a & (v > 0)].mean())),
    wrong("7.2", "hides nothing", "is missing (NaN)", *missing(lambda truth: truth)),
    wrong("7.2", "a fixed limit", "of hide(truth) is missing", *missing(
        lambda truth: np.where(truth > 1e6, np.nan, truth))),
    wrong("7.2", "a limit for one scale", "a fixed number", *missing(hide_fixed)),
    wrong(
        "7.2",
        "hides nearly all",
        "are hidden; hide",
        *missing(lambda truth: np.where(truth < np.quantile(truth, 0.9), np.nan, truth)),
    ),
    wrong("7.2", "scales", "visible part", *missing(lambda truth: hide_large(truth) * 2)),
    wrong("7.2", "drops", "should have shape", *missing(lambda t: t[t < np.median(t)])),
    wrong("7.2", "typical of all", "counts houses without", *missing(
        typical=lambda values, absent: np.nanmean(values))),
    wrong("7.2", "typical with NaN", "is NaN", *missing(
        typical=lambda values, absent: np.mean(values[~absent]))),
    wrong("7.2", "typical with zeros", "missing value as 0", *missing(
        typical=lambda values, absent: np.nan_to_num(values[~absent]).mean())),
    wrong("7.2", "gaps left", "gaps are left", *missing(impute=lambda v, a, filling: v)),
    wrong("7.2", "zeros left out by value", "by their value 0", *missing(
        typical=lambda values, absent: values[values > 0].mean())),
    wrong("7.2", "median", "is the median", *missing(
        typical=lambda values, absent: np.nanmedian(values[~absent]))),
    wrong("7.2", "of the absent", "without", *missing(
        typical=lambda values, absent: np.nanmean(values[absent]))),
    wrong("7.2", "filling everywhere", "every gap got", *missing(
        impute=lambda values, absent, filling: np.where(np.isnan(values), filling, values))),
    wrong("7.2", "zero everywhere", "every gap became 0", *missing(
        impute=lambda values, absent, filling: np.nan_to_num(values))),
    wrong("7.2", "swapped", "swapped", *missing(impute=lambda v, a, filling: np.where(
        np.isnan(v), np.where(a, filling, 0.0), v))),
    wrong("7.2", "own mean", "not the number `filling`", *missing(
        impute=lambda v, a, filling: impute_where(v, a, typical_nanmean(v, a)))),
    wrong("7.2", "overwrites what is there", "Change gaps only", *missing(
        impute=impute_overwrites)),
    wrong("7.2", "in place", "chang", *missing(impute=impute_in_place)),
]  # fmt: skip


def log_rmse_numpy(prices, predictions):
    predictions = np.maximum(np.ravel(predictions), 1)
    return np.sqrt(np.mean((np.log(predictions) - np.log(np.ravel(prices))) ** 2))


def log_rmse_loop(prices, predictions):
    import math

    total = 0.0
    for price, prediction in zip(list(prices), np.ravel(predictions).tolist(), strict=True):
        total += (math.log(max(prediction, 1.0)) - math.log(price)) ** 2
    return (total / len(prices)) ** 0.5


def log_rmse_array(prices, predictions):
    logs = [np.log(np.clip(np.reshape(v, -1), 1, np.inf)) for v in (prices, predictions)]
    return np.array([np.linalg.norm(logs[0] - logs[1]) / np.sqrt(len(logs[0]))], "float32")


def by(transform, reduce=lambda v: np.sqrt(np.mean(v**2))):
    def log_rmse(prices, predictions):
        predictions = np.maximum(np.ravel(predictions), 1)
        return reduce(transform(predictions, np.ravel(prices)))

    return log_rmse


def log_rmse_broadcast(prices, predictions):
    return np.sqrt(np.mean((np.log(np.maximum(predictions, 1)) - np.log(prices)) ** 2))


def log_rmse_unclipped(prices, predictions):
    with np.errstate(all="ignore"):
        return np.sqrt(np.mean((np.log(np.ravel(predictions)) - np.log(prices)) ** 2))


def log_difference(p, y):
    return np.log(p) - np.log(y)


LOG_RMSE = [
    right("7.4", "NumPy", log_rmse_numpy),
    right("7.4", "loop with math", log_rmse_loop),
    right("7.4", "float32 array of one", log_rmse_array),
    wrong("7.4", "no root", "take its square root", by(log_difference, lambda v: np.mean(v**2))),
    wrong("7.4", "standard deviation", "ignores their mean", by(log_difference, np.std)),
    wrong(
        "7.4",
        "leaves out small ones",
        "were left out",
        lambda y, p: log_rmse_numpy(y[np.ravel(p) >= 1], np.ravel(p)[np.ravel(p) >= 1]),
    ),
    wrong("7.4", "dollars", "error in dollars", by(lambda p, y: p - y)),
    wrong("7.4", "base 10", "to base 10", by(lambda p, y: np.log10(p / y))),
    wrong(
        "7.4", "absolute", "absolute differences", by(log_difference, lambda v: np.abs(v).mean())
    ),
    wrong("7.4", "relative", "relative errors", by(lambda p, y: p / y - 1)),
    wrong("7.4", "log1p", "log(1 + price)", by(lambda p, y: np.log1p(p) - np.log1p(y))),
    wrong("7.4", "broadcast", "900 pairs", log_rmse_broadcast),
    wrong(
        "7.4",
        "clips up to 0",
        "All below 1 do",
        lambda y, p: np.sqrt(np.mean((np.log(np.where(p > 0, p, 1).ravel() / y)) ** 2)),
    ),
    wrong("7.4", "not clipped", "count as 1", log_rmse_unclipped),
    wrong("7.4", "an array", "one number", by(log_difference, lambda v: v)),
]


def folds_dealt(n, k):
    if not 2 <= k <= n:
        raise ValueError("k must be between 2 and n")
    rows = np.arange(n)
    return [(rows[rows % k != fold], rows[rows % k == fold]) for fold in range(k)]


def folds_stride(n, k):
    if k < 2 or k > n:
        raise ValueError(f"{k} folds of {n} rows")
    return [([row for row in range(n) if row % k != i], list(range(i, n, k))) for i in range(k)]


def folds_setdiff(n, k):
    if k < 2 or k > n:
        raise ValueError("k")
    parts = [np.arange(n, dtype="int32")[fold::k][::-1] for fold in range(k)]
    return tuple((np.setdiff1d(np.arange(n), part), part) for part in parts)


def folds_of(parts_of, checked=True):
    def fold_rows(n, k):
        if checked and not 2 <= k <= n:
            raise ValueError("k")
        return [(np.setdiff1d(np.arange(n), part), part) for part in parts_of(n, k)]

    return fold_rows


def folds_of_helpers(n, k):
    from helpers import training

    return training.fold_indices(n, k, shuffle=False)


def folds_d2l(n, k):
    size = n // k
    return [np.arange(i * size, (i + 1) * size) for i in range(k)]


def folds_without_remainder(n, k):
    return [np.arange(fold, n - n % k, k) for fold in range(k)]


def folds_overlap(n, k):
    return [(np.arange(n), validation) for _, validation in folds_dealt(n, k)]


FOLDS = [
    right("7.5", "modulo", folds_dealt),
    right("7.5", "every k-th row, lists", folds_stride),
    right("7.5", "slices, int32, backwards, tuple", folds_setdiff),
    wrong("7.5", "training.fold_indices", "belongs to fold r % k", folds_of_helpers),
    wrong("7.5", "k = n refused", "though k is from 2 to n", lambda n, k: (
        folds_dealt(n, k if k < n else n + 1))),
    wrong("7.5", "truth values", "np.flatnonzero", lambda n, k: [
        (np.arange(n) % k != i, np.arange(n) % k == i) for i in range(k)]),
    wrong("7.5", "consecutive parts", "belongs to fold r % k", folds_of(
        lambda n, k: np.array_split(np.arange(n), k))),
    wrong("7.5", "parts of ceil(n / k)", "", folds_of(
        lambda n, k: [np.arange(n)[i * -(-n // k):(i + 1) * -(-n // k)] for i in range(k)])),
    wrong("7.5", "d2l's remainder", "never validated", folds_of(folds_d2l)),
    wrong("7.5", "no remainder", "never validated", folds_of(folds_without_remainder)),
    wrong("7.5", "folds in another order", "belongs to fold", folds_of(
        lambda n, k: [np.arange(n)[i::k] for i in reversed(range(k))])),
    wrong("7.5", "trains on all", "in the training part and in", folds_overlap),
    wrong("7.5", "no ValueError", "should raise a ValueError", folds_of(
        lambda n, k: [np.arange(n)[i::k] for i in range(k)], checked=False)),
    wrong("7.5", "one fold again and again", "never validated",
          lambda n, k: [folds_dealt(n, k)[0]] * k),
    wrong("7.5", "validation parts alone", "each fold is a pair", lambda n, k: list(range(k))),
    wrong("7.5", "k - 1 folds", "pairs is expected", lambda n, k: folds_dealt(n, k)[1:]),
    wrong("7.5", "swapped", "in this order", lambda n, k: [(b, a) for a, b in folds_dealt(n, k)]),
    wrong("7.5", "counted from 1", "rows run from 0",
          lambda n, k: [(a + 1, b + 1) for a, b in folds_dealt(n, k)]),
    wrong("7.5", "training part too small", "together they should be all",
          lambda n, k: [(a[1:], b) for a, b in folds_dealt(n, k)]),
    wrong("7.5", "two folds always", "pairs is expected", lambda n, k: folds_dealt(n, 2)),
]  # fmt: skip


def prepared(x_train, x_other):
    mean, std = np.nanmean(x_train[:, :36], axis=0), np.nanstd(x_train[:, :36], axis=0)
    tables = []
    for x in (x_train, x_other):
        x = x.copy()
        x[:, :36] = np.nan_to_num((x[:, :36] - mean) / np.maximum(std, 1e-6))
        tables.append(x)
    return tables


def sgd(x, y, x_other, y_other, *, rate=0.01, decay=0.0, epochs=50, seed=3):
    """Train the page's linear model in NumPy; return its log RMSE, NaN where it diverges."""
    w, b, order = np.zeros(x.shape[1]), 12.0, np.random.default_rng(seed)
    with np.errstate(all="ignore"):
        for _ in range(epochs):
            for batch in np.array_split(order.permutation(len(x)), -(-len(x) // 64)):
                off = x[batch] @ w + b - y[batch]
                w = w - rate * (2 * x[batch].T @ off / len(batch) + decay * w)
                b = b - rate * 2 * off.mean()
        return float(np.sqrt(np.mean((x_other @ w + b - y_other) ** 2)))


def keras_error(x, y, x_other, y_other):
    from helpers import training
    from helpers.backend import keras

    keras.utils.set_random_seed(1)
    output = keras.layers.Dense(
        1, kernel_initializer="zeros", bias_initializer=keras.initializers.Constant(12)
    )
    model = keras.Sequential([keras.Input(shape=(x.shape[1],)), output])
    model.compile(
        optimizer=keras.optimizers.SGD(learning_rate=0.01),
        loss="mse",
        metrics=[keras.metrics.RootMeanSquaredError(name="rmse")],
    )
    try:
        found = training.fit(
            model, x, y, epochs=50, batch_size=64, validation_data=(x_other, y_other), verbose=0
        )
    except training.NonFiniteLoss:
        return np.inf
    return found.history["val_rmse"][-1]


def raw_by(error, fill=np.nan_to_num, change=lambda raw, standardised: (raw, standardised)):
    def raw_and_standardised(x_train, y_train, x_other, y_other):
        inside, outside = prepared(x_train, x_other)
        raw = error(fill(x_train), y_train, fill(x_other), y_other)
        return change(raw, error(inside, y_train, outside, y_other))

    return raw_and_standardised


def finite(*data, **settings):
    error = sgd(*data, **settings)
    return error if np.isfinite(error) else np.inf


def _turned(tables, y):
    others, x = tables
    return x, y, others


RAW = [
    right("7.6", "Keras", raw_by(keras_error)),
    right("7.6", "NumPy", raw_by(finite)),
    right("7.6", "a list, another order of the rows", raw_by(
        lambda *data: finite(*data, seed=8), change=lambda *errors: list(errors))),
    right("7.6", "arrays without axes", raw_by(
        finite, change=lambda *errors: [np.array(error) for error in errors])),
    wrong("7.6", "other rows by their own mean", "by their own mean", lambda x, y, others, prices: (
        finite(np.nan_to_num(x), y, np.nan_to_num(others), prices),
        finite(prepared(x, x)[0], y, prepared(others, others)[0], prices))),
    wrong("7.6", "prepared the other way", "first argument", lambda x, y, others, prices: (
        finite(np.nan_to_num(x), y, np.nan_to_num(others), prices),
        finite(*_turned(prepared(others, x), y), prices))),
    wrong("7.6", "gaps filled with the mean", "with the mean", raw_by(
        finite, fill=lambda x: np.where(np.isnan(x), np.nanmean(x, axis=0), x))),
    wrong("7.6", "a number without axes", "should be 2 values", lambda *data: np.array(0.15)),
    wrong("7.6", "swapped", "raw error first", raw_by(finite, change=lambda a, b: (b, a))),
    wrong("7.6", "one epoch", "one epoch", raw_by(lambda *data: finite(*data, epochs=1))),
    wrong("7.6", "NaN", "is NaN", raw_by(sgd)),
    wrong("7.6", "standardised twice", "standardise both", raw_by(
        finite, change=lambda raw, standardised: (standardised, standardised))),
    wrong("7.6", "always infinite", "gap that is left", raw_by(
        finite, change=lambda raw, standardised: (np.inf, standardised))),
    wrong("7.6", "training error", "on the training rows", lambda x, y, x_other, y_other: (
        finite(np.nan_to_num(x), y, np.nan_to_num(x_other), y_other),
        finite(prepared(x, x)[0], y, prepared(x, x)[0], y))),
    wrong("7.6", "typed in", "error is", lambda *data: (np.inf, 0.15)),
    wrong("7.6", "mean square", "mean *square*", raw_by(
        lambda *data: finite(*data) ** 2)),
    wrong("7.6", "one number", "should be 2 values", raw_by(
        finite, change=lambda raw, standardised: standardised)),
    wrong("7.6", "words", "should be numbers", lambda *data: ("inf", "small")),
]  # fmt: skip


SETTINGS = [(rate, decay) for rate in (0.003, 0.01, 0.03) for decay in (0.0, 0.02)]


def tune_by(
    settings=SETTINGS, *, seed=3, parts=5, change=lambda table: table, before=None, **training
):
    """Return a `tune` that trains in NumPy what a search would train."""

    def tune(x, y):
        held = np.array_split(np.random.default_rng(0).permutation(len(y)), parts)
        rows = []
        for rate, decay in settings:
            errors = []
            for part in held:
                others = np.setdiff1d(np.arange(len(y)), part)
                inside, outside = (before or prepared)(x[others], x[part])
                errors.append(sgd(inside, y[others], outside, y[part], rate=rate, decay=decay,
                                  seed=seed, **training))  # fmt: skip
            rows.append({"learning_rate": rate, "weight_decay": decay, "mean": np.mean(errors)})
        return change(pd.DataFrame(rows))

    return tune


def tune_by_search(x, y):
    from helpers import training
    from helpers.backend import keras

    def build(learning_rate, weight_decay):
        output = keras.layers.Dense(
            1,
            kernel_initializer="zeros",
            bias_initializer=keras.initializers.Constant(12),
            kernel_regularizer=keras.regularizers.L2(weight_decay / 2),
        )
        model = keras.Sequential([keras.Input(shape=(x.shape[1],)), output])
        model.compile(
            optimizer=keras.optimizers.SGD(learning_rate=learning_rate),
            loss="mse",
            metrics=[keras.metrics.RootMeanSquaredError(name="rmse")],
        )
        return model

    settings = [dict(zip(("learning_rate", "weight_decay"), s, strict=True)) for s in SETTINGS]
    return training.search(
        build, settings, x, y, k=5, epochs=50, batch_size=64, metric="rmse", prepare=prepared
    ).table


def shifted(by):
    return lambda table: table.assign(mean=table["mean"] + by)


CLOSE = [(rate, decay) for rate in (0.01, 0.011) for decay in (0.0, 0.001, 0.002)]
TUNING = [
    right("7.7", "search", tune_by_search),
    right("7.7", "NumPy, list of dicts", tune_by(change=lambda t: t.to_dict("records"))),
    right("7.7", "rates close together, dict of lists", tune_by(
        CLOSE, seed=5, change=lambda t: t.to_dict("list"))),
    right("7.7", "one diverges", tune_by(
        [*SETTINGS, (30.0, 0.0)], change=lambda t: t.fillna(np.inf))),
    wrong("7.7", "too few", "at least 6 are asked", tune_by(SETTINGS[1:5])),
    wrong("7.7", "one learning rate", "value of learning_rate", tune_by(
        [(0.01, decay) for decay in (0, 0.1, 0.2, 0.3, 0.4, 0.5)])),
    wrong("7.7", "one decay", "value of weight_decay", tune_by(
        [(rate, 0) for rate in (0.001, 0.002, 0.005, 0.01, 0.02, 0.03)])),
    wrong("7.7", "without the lesson's", "own configuration", tune_by(
        [(rate, decay) for rate in (0.003, 0.02, 0.03) for decay in (0.0, 0.02)])),
    wrong("7.7", "no mean", "lacks the column 'mean'", tune_by(
        change=lambda t: t.drop(columns="mean"))),
    wrong("7.7", "the same again", "2 different configurations", tune_by(
        change=lambda t: pd.concat([t.iloc[[2, 5]]] * 3))),
    wrong("7.7", "decay not handed on", "what no weight decay gives", lambda x, y: tune_by(
        [(rate, 0.0) for rate, _ in SETTINGS])(x, y).assign(
            weight_decay=[0.0, 1.0] * 3)),
    wrong("7.7", "three folds", "what 3 folds give", tune_by(parts=3)),
    wrong("7.7", "NaN", "says nan", tune_by(change=lambda t: t.assign(mean=np.nan))),
    wrong("7.7", "typed in", "five folds give", lambda x, y: pd.DataFrame(
        [{"learning_rate": r, "weight_decay": d, "mean": 0.14} for r, d in SETTINGS])),
    wrong("7.7", "five epochs", "what 5 epochs give", tune_by(epochs=5)),
    wrong("7.7", "standardised over all rows", "standardised over all rows", tune_by(
        before=lambda a, b: [prepared(np.vstack([a, b]), part)[1] for part in (a, b)])),
    wrong("7.7", "the best mean everywhere", "five folds give", tune_by(
        change=lambda t: t.assign(mean=t["mean"].min()))),
    wrong("7.7", "too good", "five folds give", tune_by(change=shifted(-0.04))),
    wrong("7.7", "squares", "mean *square*", tune_by(
        change=lambda t: t.assign(mean=t["mean"] ** 2))),
    wrong("7.7", "a number", "should be a table", lambda x, y: 0.15),
    wrong("7.7", "words", "no numbers", tune_by(change=lambda t: t.assign(mean="good"))),
]  # fmt: skip


def ridge(penalty=30.0, limit=4.0):
    """Return a predictor: ridge regression on clipped inputs and the sizes of the numbers."""

    def predict_better(x_train, y_train, x_other):
        mean = y_train.mean()
        x, others = (
            np.hstack(
                [
                    np.clip(rows, -limit, limit),
                    np.abs(np.clip(rows[:, :36], -limit, limit)),
                    np.ones((len(rows), 1), "float32"),
                ]
            )
            for rows in (x_train, x_other)
        )
        w = np.linalg.solve(x.T @ x + penalty * np.eye(x.shape[1]), x.T @ (y_train - mean))
        return others @ w + mean

    return predict_better


def wide_and_deep(x_train, y_train, x_other):
    from helpers import training
    from helpers.backend import keras

    keras.utils.set_random_seed(0)
    l1, l2 = keras.regularizers.L1(0.001), keras.regularizers.L2(0.01)
    inputs = keras.Input((330,))
    hidden = keras.layers.Dense(64, activation="relu", kernel_regularizer=l2)(inputs)
    hidden = keras.layers.Dropout(0.3)(hidden)
    hidden = keras.layers.Dense(1, kernel_regularizer=l2)(hidden)
    start = keras.initializers.Constant(12)
    line = keras.layers.Dense(
        1, kernel_initializer="zeros", bias_initializer=start, kernel_regularizer=l1
    )(inputs)
    model = keras.Model(inputs, keras.layers.Add()([line, hidden]))
    decay = keras.optimizers.schedules.CosineDecay(0.002, 100 * 19)
    model.compile(optimizer=keras.optimizers.Adam(learning_rate=decay), loss="mse")
    x_train, x_other = np.clip(x_train, -4, 4), np.clip(x_other, -4, 4)
    training.fit(model, x_train, y_train, epochs=100, batch_size=64, seed=0, verbose=0)
    return model.predict(x_other, verbose=0)


def dropout_network(x_train, y_train, x_other):
    from helpers import training
    from helpers.backend import keras

    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((330,)),
            keras.layers.Dense(64, activation="relu"),
            keras.layers.Dropout(0.3),
            keras.layers.Dense(1, bias_initializer=keras.initializers.Constant(12)),
        ]
    )
    model.compile(optimizer=keras.optimizers.Adam(0.001), loss="mse")
    x_train, x_other = np.clip(x_train, -4, 4), np.clip(x_other, -4, 4)
    training.fit(model, x_train, y_train, epochs=100, batch_size=64, seed=0, verbose=0)
    return model.predict(x_other, verbose=0)


def baseline_again(x, y, others):
    w, b, order = np.zeros(x.shape[1]), 12.0, np.random.default_rng(5)
    for _ in range(50):
        for batch in np.array_split(order.permutation(len(x)), -(-len(x) // 64)):
            off = x[batch] @ w + b - y[batch]
            w, b = w - 0.02 * x[batch].T @ off / len(batch), b - 0.02 * off.mean()
    return others @ w + b


def looked_up(x_train, y_train, x_other):
    """Return the prices of the table's rows with the same texts."""
    from helpers.exercises.ch07_house_prices import _house_rows

    x, y = _house_rows()
    prices = {row.tobytes(): price for row, price in zip(x[:, 36:], y, strict=True)}
    return np.array([prices[row.astype("float32").tobytes()] for row in x_other[:, 36:]])


def constant(x_train, y_train, x_other):
    return np.full(len(x_other), y_train.mean())


def untrained(x_train, y_train, x_other):
    return np.zeros(len(x_other))


IMPROVED = [
    right("7.8", "wide and deep, a column", wide_and_deep),
    right("7.8", "ridge on clipped inputs and their sizes", ridge()),
    right("7.8", "ridge, list of float32", lambda *data: list(ridge(20.0)(*data).astype("f4"))),
    right("7.8", "a hidden layer with dropout", dropout_network),
    wrong("7.8", "the baseline again", "not 5 % better", baseline_again),
    wrong("7.8", "looked up", "the table's own prices", looked_up),
    wrong("7.8", "mean price", "far off", constant),
    wrong("7.8", "never trained", "far off", untrained),
    wrong("7.8", "too strong a penalty", "better on average", ridge(2000, 99.0)),
    wrong("7.8", "prices", "not the price", lambda *data: np.exp(ridge()(*data))),
    wrong("7.8", "base 10", "base 10", lambda *data: ridge()(*data) / np.log(10)),
    wrong("7.8", "predicts the training rows", "predictions are expected",
          lambda x, y, other: ridge()(x, y, x)),
    wrong("7.8", "NaN", "are not finite", lambda x, y, other: np.full(len(other), np.nan)),
    wrong("7.8", "one number", "predictions are expected", lambda x, y, other: 0.13),
    wrong("7.8", "nothing", "is None", lambda x, y, other: None),
]  # fmt: skip


def log_mean(predictions):
    return np.exp(np.mean(predictions, axis=0))


def price_mean(predictions):
    return np.mean(np.exp(predictions), axis=0)


def geometric_by_product(predictions):
    return np.prod(np.exp(predictions), axis=0) ** (1 / len(predictions))


def price_mean_loop(predictions):
    return [sum(map(float, column)) / len(column) for column in np.exp(predictions).T]


def log_mean_tensorflow(predictions):
    import tensorflow as tf

    return tf.exp(tf.reduce_mean(tf.cast(predictions, tf.float64), axis=0))


ENSEMBLE = [
    right("7.9", "NumPy", log_mean, price_mean),
    right("7.9", "product and loop", geometric_by_product, price_mean_loop),
    right(
        "7.9",
        "float32",
        lambda p: log_mean(p).astype("float32"),
        lambda p: price_mean(p).astype("float32"),
    ),
    right("7.9", "TensorFlow", log_mean_tensorflow, price_mean),
    wrong("7.9", "five models always", "", lambda p: np.exp(p.sum(axis=0) / 5),
          lambda p: np.exp(p).sum(axis=0) / 5),
    wrong("7.9", "five models in prices", "", log_mean, lambda p: np.exp(p).sum(axis=0) / 5),
    wrong("7.9", "the first model", "", lambda p: np.exp(p[0]), lambda p: np.exp(p[0])),
    wrong("7.9", "swapped", "not their logs", price_mean, log_mean),
    wrong("7.9", "log left", "still the log", lambda p: p.mean(axis=0), price_mean),
    wrong("7.9", "wrong axis", "over the houses", lambda p: np.exp(p.mean(axis=1)), price_mean),
    wrong("7.9", "logs twice", "the logs were averaged", log_mean, log_mean),
    wrong("7.9", "wrong axis of prices", "over the houses", log_mean,
          lambda p: np.exp(p).mean(axis=1)),
    wrong("7.9", "expm1 of the mean", "one dollar off", lambda p: np.expm1(p.mean(axis=0)),
          price_mean),
    wrong("7.9", "mean of expm1", "one dollar off", log_mean, lambda p: np.expm1(p).mean(axis=0)),
    wrong("7.9", "base 10", "powers of 10", lambda p: 10 ** p.mean(axis=0), price_mean),
    wrong("7.9", "base 2 of prices", "powers of 2", log_mean, lambda p: (2**p).mean(axis=0)),
    wrong("7.9", "median", "is the median", lambda p: np.exp(np.median(p, axis=0)), price_mean),
    wrong("7.9", "harmonic", "harmonic mean", log_mean, lambda p: 1 / np.exp(-p).mean(axis=0)),
    wrong("7.9", "log of the mean price", "log of a price", log_mean,
          lambda p: np.log(price_mean(p))),
    wrong("7.9", "one number", "should have shape", lambda p: np.exp(p.mean()), price_mean),
]  # fmt: skip


def csv_pandas(ids, prices):
    table = pd.DataFrame({"Id": ids, "SalePrice": np.ravel(prices)})
    return table.to_csv(index=False)


def csv_by_hand(ids, prices):
    rows = [f"{i},{p}" for i, p in zip(ids, np.asarray(prices).reshape(-1), strict=True)]
    return "\n".join(["Id,SalePrice", *rows])


def csv_writer(ids, prices):
    import csv

    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["Id", "SalePrice"])
    writer.writerows(zip(ids, np.round(np.ravel(prices), 2), strict=True))
    return text.getvalue()


def problems_pandas(text, ids):
    table = pd.read_csv(io.StringIO(text))
    if list(table.columns) != ["Id", "SalePrice"]:
        return ["The columns should be Id and SalePrice."]
    found = []
    prices = pd.to_numeric(table["SalePrice"], errors="coerce")
    if not (np.isfinite(prices) & (prices > 0)).all():
        found.append("A price is not a finite number above 0.")
    if sorted(table["Id"]) != sorted(ids):
        found.append("The ids differ from those of the test table.")
    return found


def problems_plain(text, ids):
    header, *lines = text.strip().splitlines()
    if header != "Id,SalePrice":
        return [f"The header is {header}."]
    found, seen = [], []
    for number, line in enumerate(lines, 2):
        row, _, price = line.partition(",")
        seen.append(int(row))
        try:
            if not 0 < float(price) < float("inf"):
                found.append(f"Line {number} has the price {price}.")
        except ValueError:
            found.append(f"Line {number} has no price.")
    if sorted(seen) != sorted(int(i) for i in ids):
        found.append("Some ids are missing, unknown or there twice.")
    return found


def problems_of_columns(compare):
    """Return a validator that judges the columns by `compare` and all else as it should."""

    def submission_problems(text, ids):
        table = pd.read_csv(io.StringIO(text), index_col=False)
        if not compare(list(table.columns)):
            return ["other columns"]
        if "Id" not in table or "SalePrice" not in table:
            return []
        return problems_pandas(table[["Id", "SalePrice"]].to_csv(index=False), ids)

    return submission_problems


def problems_allow_zero(text, ids):
    table = pd.read_csv(io.StringIO(text))
    prices = pd.to_numeric(table.get("SalePrice", pd.Series([1.0])), errors="coerce")
    if list(table.columns) == ["Id", "SalePrice"] and (prices == 0).any():
        return []
    return problems_pandas(text, ids)


def problems_tuple(text, ids):
    return tuple(problems_pandas(text, ids))


def without(words):
    """Return a validator that never says the sentence with these words."""
    return lambda text, ids: [s for s in problems_pandas(text, ids) if words not in s]


def problems_by_order(text, ids):
    table = pd.read_csv(io.StringIO(text))
    if list(table.columns) != ["Id", "SalePrice"] or list(table["Id"]) != list(ids):
        return ["The ids are not those of the test table, in its order."]
    return problems_pandas(text, ids)


def problems_by_set(text, ids):
    table = pd.read_csv(io.StringIO(text))
    found = [s for s in problems_pandas(text, ids) if "ids" not in s]
    return found + (["other ids"] if "Id" in table and set(table["Id"]) != set(ids) else [])


SUBMISSION = [
    right("7.10", "pandas", csv_pandas, problems_pandas),
    right("7.10", "strings by hand", csv_by_hand, problems_plain),
    right("7.10", "csv module and a tuple", csv_writer, problems_tuple),
    right("7.10", "columns the other way round", lambda i, p: pd.DataFrame(
        {"SalePrice": np.ravel(p), "Id": i}).to_csv(index=False), problems_pandas),
    wrong("7.10", "commas in prices", "which is no number", lambda i, p: pd.DataFrame(
        {"Id": i, "SalePrice": [f"{v:,.0f}" for v in np.ravel(p)]}).to_csv(index=False),
        problems_pandas),
    wrong("7.10", "validator raises", "`submission_problems` raised", csv_pandas,
          lambda text, ids: ["bad"] * (pd.read_csv(io.StringIO(text))["SalePrice"] <= 0).any()),
    wrong("7.10", "no cheap houses", "below 1", csv_pandas, lambda text, ids: (
        problems_pandas(text, ids) + ["cheap"] * (",0." in text))),
    wrong("7.10", "index column", "no index column", lambda i, p: pd.DataFrame(
        {"Id": i, "SalePrice": np.ravel(p)}).to_csv(), problems_pandas),
    wrong("7.10", "ids from 1461", "Write the ids that are given", lambda i, p: csv_pandas(
        np.arange(1461, 1461 + len(i)), p), problems_pandas),
    wrong("7.10", "sorted ids", "not beside the ids", lambda i, p: csv_pandas(np.sort(i), p),
          problems_pandas),
    wrong("7.10", "price of 0", "price of 0", csv_pandas, problems_allow_zero),
    wrong("7.10", "third column", "third column", csv_pandas, problems_of_columns(
        lambda names: names[:2] == ["Id", "SalePrice"])),
    wrong("7.10", "column in front", "row numbers in front", csv_pandas, problems_of_columns(
        lambda names: names[-2:] == ["Id", "SalePrice"])),
    wrong("7.10", "logs", "write dollars", lambda i, p: csv_pandas(i, np.log(p)), problems_pandas),
    wrong("7.10", "thousands", "thousands of dollars", lambda i, p: csv_pandas(i, p / 1000),
          problems_pandas),
    wrong("7.10", "a path", "not its name", lambda i, p: "submission.csv", problems_pandas),
    wrong("7.10", "a frame", "return the text", lambda i, p: pd.DataFrame(
        {"Id": i, "SalePrice": np.ravel(p)}), problems_pandas),
    wrong("7.10", "column of lists", "Flatten the prices", lambda i, p: csv_pandas(i, p)
          if np.ndim(p) == 1 else pd.DataFrame(
              {"Id": i, "SalePrice": list(p)}).to_csv(index=False), problems_pandas),
    wrong("7.10", "ids with a point", "whole numbers", lambda i, p: csv_pandas(
        np.array(i, float), p), problems_pandas),
    wrong("7.10", "stops at the first", "name both", csv_pandas,
          lambda text, ids: problems_pandas(text, ids)[:1]),
    wrong("7.10", "no header check", "named Price", csv_pandas, without("columns")),
    wrong("7.10", "no id check", "lacks a house", csv_pandas, without("ids")),
    wrong("7.10", "no price check", "price of 0", csv_pandas, without("price")),
    wrong("7.10", "sets of ids", "one house twice", csv_pandas, problems_by_set),
    wrong("7.10", "wants the order", "another order", csv_pandas, problems_by_order),
    wrong("7.10", "returns True", "list of sentences", csv_pandas, lambda text, ids: True),
]  # fmt: skip


def estimate_by(center=np.mean, spread=np.std, keys=("estimate", "low", "high")):
    def estimate_score(errors):
        middle, margin = center(errors), spread(errors)
        return dict(zip(keys, (middle, middle - margin, middle + margin), strict=True))

    return estimate_score


def estimate_loop(fold_errors):
    mean = sum(fold_errors) / len(fold_errors)
    variance = sum((error - mean) ** 2 for error in fold_errors) / (len(fold_errors) - 1)
    return {"low": mean - variance**0.5, "estimate": mean, "high": mean + variance**0.5, "k": 5}


SCORE = [
    right("7.11", "ddof 0", estimate_by()),
    right("7.11", "ddof 1 by hand", estimate_loop),
    right("7.11", "float32", estimate_by(
        lambda e: np.float32(np.mean(e)), lambda e: np.float32(np.std(e, ddof=1)))),
    wrong("7.11", "best fold", "luckiest", estimate_by(np.min)),
    wrong("7.11", "worst fold", "is the largest error", estimate_by(np.max)),
    wrong("7.11", "median", "is the median", estimate_by(np.median)),
    wrong("7.11", "root mean square", "root of the mean square", estimate_by(
        lambda e: np.sqrt(np.mean(np.square(e))))),
    wrong("7.11", "smallest and largest", "is the smallest error", lambda e: {
        "estimate": np.mean(e), "low": np.min(e), "high": np.max(e)}),
    wrong("7.11", "standard error", "one standard error", estimate_by(
        spread=lambda e: np.std(e, ddof=1) / np.sqrt(len(e)))),
    wrong("7.11", "root of five always", "one standard", estimate_by(
        spread=lambda e: np.std(e, ddof=1) / np.sqrt(5))),
    wrong("7.11", "variance", "one variance", estimate_by(spread=np.var)),
    wrong("7.11", "two deviations", "two standard deviations", estimate_by(
        spread=lambda e: 2 * np.std(e))),
    wrong("7.11", "two kinds of deviation", "same standard deviation", lambda e: {
        "estimate": np.mean(e), "low": np.mean(e) - np.std(e),
        "high": np.mean(e) + np.std(e, ddof=1)}),
    wrong("7.11", "range", "one standard deviation", estimate_by(spread=np.ptp)),
    wrong("7.11", "low and high swapped", "should rise", estimate_by(
        keys=("estimate", "high", "low"))),
    wrong("7.11", "five always", "expected", estimate_by(lambda e: np.sum(e) / 5)),
    wrong("7.11", "no dict", "a dict with", lambda errors: np.mean(errors)),
    wrong("7.11", "words", "numbers", lambda errors: dict.fromkeys(
        ("estimate", "low", "high"), "about 0.16")),
]  # fmt: skip

CASES = [
    *PREPROCESS,
    *MISSING,
    *LOG_RMSE,
    *FOLDS,
    *RAW,
    *TUNING,
    *IMPROVED,
    *ENSEMBLE,
    *SUBMISSION,
    *SCORE,
]
