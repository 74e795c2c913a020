"""Right and wrong answers to the exercises of chapter 7, with the words a wrong one must meet."""

from __future__ import annotations

import io
import itertools

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


PREPROCESS = [
    right("7.1", "pandas", preprocess_pandas),
    right("7.1", "NumPy by hand, float32, list", preprocess_by_hand),
    right("7.1", "columns in another order", preprocess_bool),
    wrong("7.1", "constant column filled", "constant column has", preprocess_constant_filled),
    wrong("7.1", "in place", "in place", preprocess_in_place),
    wrong("7.1", "leak", "comes from both tables", preprocess_leak),
    wrong("7.1", "own statistics", "standardised with its own mean", preprocess_own_statistics),
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


def impute_where(values, absent):
    gap = np.isnan(values)
    return np.where(gap, np.where(absent, 0.0, values[~gap & ~absent].mean()), values)


def impute_loop(values, absent):
    known = [v for v, a in zip(values, absent, strict=True) if v == v and not a]
    mean = sum(known) / len(known)
    return [v if v == v else 0.0 if a else mean for v, a in zip(values, absent, strict=True)]


def impute_pandas(values, absent):
    series = pd.Series(values)
    mean = series[~pd.Series(absent)].mean()
    return series.mask(series.isna() & absent, 0.0).fillna(mean).astype("float32")


def impute_in_place(values, absent):
    values[np.isnan(values)] = 0.0
    return values


MISSING = [
    right("7.2", "quantile and where", hide_large, impute_where),
    right("7.2", "smallest third and a loop", hide_small, impute_loop),
    right("7.2", "chance by size and pandas", hide_by_chance_of_size, impute_pandas),
    wrong("7.2", "at random", "standard deviations", hide_at_random, impute_where),
    wrong("7.2", "hides nothing", "is missing (NaN)", lambda truth: truth, impute_where),
    wrong(
        "7.2",
        "hides nearly all",
        "are hidden; hide",
        lambda truth: np.where(truth < np.quantile(truth, 0.9), np.nan, truth),
        impute_where,
    ),
    wrong("7.2", "scales", "not hidden", lambda truth: hide_large(truth) * 2, impute_where),
    wrong("7.2", "drops", "should have shape", lambda t: t[t < np.median(t)], impute_where),
    wrong(
        "7.2",
        "mean everywhere",
        "every gap got the mean",
        hide_large,
        lambda values, absent: np.where(np.isnan(values), np.nanmean(values), values),
    ),
    wrong(
        "7.2",
        "zero everywhere",
        "every gap became 0",
        hide_large,
        lambda values, absent: np.nan_to_num(values),
    ),
    wrong(
        "7.2",
        "mean over all",
        "counts houses without",
        hide_large,
        lambda v, absent: np.where(np.isnan(v), np.where(absent, 0.0, np.nanmean(v)), v),
    ),
    wrong("7.2", "in place", "chang", hide_large, impute_in_place),
]


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
    wrong("7.4", "dollars", "error in dollars", by(lambda p, y: p - y)),
    wrong("7.4", "base 10", "to base 10", by(lambda p, y: np.log10(p / y))),
    wrong(
        "7.4", "absolute", "absolute differences", by(log_difference, lambda v: np.abs(v).mean())
    ),
    wrong("7.4", "relative", "relative errors", by(lambda p, y: p / y - 1)),
    wrong("7.4", "broadcast", "900 pairs", log_rmse_broadcast),
    wrong("7.4", "not clipped", "count as 1", log_rmse_unclipped),
    wrong("7.4", "an array", "one number", by(log_difference, lambda v: v)),
]


def folds_split(n, k):
    if not 2 <= k <= n:
        raise ValueError("k must be between 2 and n")
    parts = np.array_split(np.arange(n), k)
    return [(np.concatenate(parts[:i] + parts[i + 1 :]), parts[i]) for i in range(k)]


def folds_stride(n, k):
    if k < 2 or k > n:
        raise ValueError(f"{k} folds of {n} rows")
    return [([row for row in range(n) if row % k != i], list(range(i, n, k))) for i in range(k)]


def folds_shuffled(n, k):
    folds = folds_split(n, k)
    order = np.random.default_rng(0).permutation(n).astype("int32")
    return tuple((order[train], order[validation]) for train, validation in folds)


def folds_d2l(n, k):
    size = n // k
    parts = [np.arange(i * size, (i + 1) * size) for i in range(k)]
    return [(np.setdiff1d(np.arange(n), part), part) for part in parts]


def folds_last_takes_all(n, k):
    starts = [i * (n // k) for i in range(k)] + [n]
    parts = [np.arange(a, b) for a, b in itertools.pairwise(starts)]
    return [(np.setdiff1d(np.arange(n), part), part) for part in parts]


def folds_overlap(n, k):
    return [(np.arange(n), validation) for _, validation in folds_split(n, k)]


def folds_without_check(n, k):
    parts = np.array_split(np.arange(n), max(k, 1))
    return [(np.setdiff1d(np.arange(n), part), part) for part in parts]


def folds_same(n, k):
    return [folds_split(n, k)[0]] * k


FOLDS = [
    right("7.5", "array_split", folds_split),
    right("7.5", "every k-th row, lists", folds_stride),
    right("7.5", "shuffled, int32, tuple", folds_shuffled),
    wrong("7.5", "d2l's remainder", "never validated", folds_d2l),
    wrong("7.5", "last part too large", "differ by at most", folds_last_takes_all),
    wrong("7.5", "trains on all", "in the training part and in", folds_overlap),
    wrong("7.5", "no ValueError", "should raise a ValueError", folds_without_check),
    wrong("7.5", "one fold again and again", "never validated", folds_same),
    wrong("7.5", "validation parts alone", "each fold is a pair", lambda n, k: list(range(k))),
    wrong("7.5", "k - 1 folds", "pairs is expected", lambda n, k: folds_split(n, k)[1:]),
    wrong(
        "7.5",
        "counted from 1",
        "rows run from 0",
        lambda n, k: [(a + 1, b + 1) for a, b in folds_split(n, k)],
    ),
    wrong(
        "7.5",
        "training part too small",
        "together they should be all",
        lambda n, k: [(a[1:], b) for a, b in folds_split(n, k)],
    ),
]

FIVE = [0.151, 0.163, 0.149, 0.18, 0.158]
RAW = [
    right("7.6", "diverged", {"standardised": FIVE, "raw": [np.inf] * 5}),
    right("7.6", "arrays", {"standardised": np.array(FIVE), "raw": np.full(5, 3.5)}),
    right("7.6", "nan", {"standardised": tuple(FIVE), "raw": [float("nan"), 8, 9, 1e9, 2.0]}),
    wrong("7.6", "raw as good", "about as good", {"standardised": FIVE, "raw": FIVE}),
    wrong("7.6", "no dict", "should be a dict", FIVE),
    wrong("7.6", "one number", "one a fold", {"standardised": 0.15, "raw": [1.0] * 5}),
    wrong("7.6", "dollars", "in dollars", {"standardised": [3e4] * 5, "raw": [1e9] * 5}),
    wrong("7.6", "typed in", "are equal", {"standardised": [0.15] * 5, "raw": [3.0] * 5}),
    wrong("7.6", "too good", "too good", {"standardised": [0.02] * 5, "raw": [3.0] * 5}),
    wrong("7.6", "words", "list of 5 errors", {"standardised": ["a"] * 5, "raw": [3.0] * 5}),
]


def tuning(rates=(0.001, 0.003, 0.01), decays=(0.0, 0.01), *, folds=True, change=lambda t: t):
    rows = []
    for i, learning_rate in enumerate(rates):
        for j, weight_decay in enumerate(decays):
            errors = np.array(FIVE) + 0.02 * i + 0.003 * j
            row = {"learning_rate": learning_rate, "weight_decay": weight_decay}
            row |= {"mean": errors.mean(), "spread": errors.std()}
            rows.append(row | ({f"fold {n}": e for n, e in enumerate(errors)} if folds else {}))
    return change(pd.DataFrame(rows))


TUNING = [
    right("7.7", "a search's table", tuning()),
    right("7.7", "list of dicts", tuning(folds=False).to_dict("records")),
    right("7.7", "dict of lists", tuning(folds=False).to_dict("list")),
    right(
        "7.7",
        "one configuration diverged",
        tuning(folds=False, change=lambda t: t.assign(mean=[*t["mean"][:-1], np.inf])),
    ),
    wrong("7.7", "too few", "at least 6 are asked", tuning(rates=(0.01,))),
    wrong("7.7", "one learning rate", "value of learning_rate", tuning((0.01,), range(6))),
    wrong("7.7", "no mean", "lacks the column 'mean'", tuning().drop(columns="mean")),
    wrong(
        "7.7",
        "the same six times",
        "2 different configurations",
        tuning(change=lambda t: pd.concat([t.iloc[[0, 3]]] * 3)),
    ),
    wrong("7.7", "all bad", "already there", tuning(change=lambda t: t.assign(
        mean=t["mean"] + 0.2), folds=False)),
    wrong("7.7", "squares", "too good", tuning(change=lambda t: t.assign(
        mean=t["mean"] ** 2), folds=False)),
    wrong("7.7", "mean made up", "not the mean of its fold", tuning(change=lambda t: t.assign(
        mean=t["mean"] - 0.03))),
    wrong("7.7", "a number", "should be a table", 0.15),
]  # fmt: skip


def improved(linear=0.16, hidden=0.14, *, units=(0, 64, 64, 128), rate=(0, 0, 0.3, 0.5), decay=0.0):
    means = [linear if not unit else hidden + 0.001 * i for i, unit in enumerate(units)]
    return pd.DataFrame({"hidden_units": units, "rate": rate, "weight_decay": decay, "mean": means})


IMPROVED = [
    right("7.8", "frame", improved()),
    right("7.8", "dicts", improved().to_dict("records")),
    right("7.8", "tuples of units", improved(units=((), (64,), (64, 64), (128,)))),
    wrong("7.8", "no linear row", "no row with hidden_units 0", improved(units=(8, 16, 32, 64))),
    wrong("7.8", "linear alone", "no row with a hidden layer", improved(
        units=(0,) * 4).assign(mean=[0.15, 0.16, 0.17, 0.18])),
    wrong("7.8", "not better", "not better yet", improved(hidden=0.17)),
    wrong("7.8", "no regularisation", "dropout or weight decay", improved(rate=(0,) * 4)),
    wrong("7.8", "three rows", "at least 4", improved().iloc[:3]),
    wrong("7.8", "in dollars", "in dollars", improved(linear=3e4, hidden=2e4)),
    wrong("7.8", "no rate", "lacks the column 'rate'", improved().drop(columns="rate")),
]  # fmt: skip


def log_mean(predictions):
    return np.exp(np.mean(predictions, axis=0))


def price_mean(predictions):
    return np.mean(np.exp(predictions), axis=0)


def geometric_by_product(predictions):
    return np.prod(np.exp(predictions), axis=0) ** (1 / len(predictions))


def price_mean_loop(predictions):
    return [sum(np.exp(row[j]) for row in predictions) / len(predictions) for j in range(7)]


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
    wrong("7.10", "index column", "no index column", lambda i, p: pd.DataFrame(
        {"Id": i, "SalePrice": np.ravel(p)}).to_csv(), problems_pandas),
    wrong("7.10", "logs", "write dollars", lambda i, p: csv_pandas(i, np.log(p)), problems_pandas),
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
    wrong("7.10", "no price check", "empty price", csv_pandas, without("price")),
    wrong("7.10", "sets of ids", "one house twice", csv_pandas, problems_by_set),
    wrong("7.10", "wants the order", "another order", csv_pandas, problems_by_order),
    wrong("7.10", "returns True", "list of sentences", csv_pandas, lambda text, ids: True),
]  # fmt: skip


def score(**changes):
    half = float(np.std(FIVE))
    mean = float(np.mean(FIVE))
    value = {"fold_errors": FIVE, "estimate": mean, "low": mean - half, "high": mean + half}
    return value | changes


SCORE = [
    right("7.11", "mean and spread", score()),
    right("7.11", "arrays", score(fold_errors=np.array(FIVE, "float32"))),
    right("7.11", "root of the mean square", score(
        estimate=float(np.sqrt(np.mean(np.square(FIVE)))))),
    right("7.11", "hopes for the ensemble", score(estimate=0.155)),
    wrong("7.11", "outside", "outside of your fold", score(estimate=0.25, high=0.3)),
    wrong("7.11", "the best fold", "the mean of your fold", score(
        estimate=0.15, low=0.14)),
    wrong("7.11", "order", "should rise", score(low=0.2)),
    wrong("7.11", "too wide", "set the width", score(low=0.02, high=0.3)),
    wrong("7.11", "four folds", "should hold 5", score(fold_errors=FIVE[:4])),
    wrong("7.11", "no dict", "should be a dict", 0.16),
    wrong("7.11", "no number", "numbers", score(estimate="about 0.16")),
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
