"""Exercises of chapter 7: preprocessing, folds, tuning, ensembles and a Kaggle submission."""

from __future__ import annotations

import io
import math

import numpy as np
import pandas as pd

from helpers.exercises import (
    NotYet,
    exercise,
    expect,
    expect_close,
    expect_number,
    expect_raises,
    expect_shape,
    expect_table,
    explanation,
    show,
)


def _houses(case, rows, streets):
    """Draw a small table: three columns of numbers, one of them constant, and two of text."""
    table = pd.DataFrame(
        {
            "area": case.normal(1500, 400, rows).round(),
            "rooms": case.integers(2, 9, rows),
            "kitchens": np.ones(rows, dtype=int),
            "street": case.choice(streets, rows),
            "alley": case.choice(["Grvl", "Pave"], rows),
        }
    )
    table.loc[case.choice(rows, 3, replace=False), "area"] = np.nan
    table.loc[case.choice(rows, rows // 2, replace=False), "alley"] = np.nan
    table.loc[[0, 1], ["street", "alley"]] = [[streets[0], "Grvl"], [streets[1], "Pave"]]
    return table


_NUMBERS, _TEXTS = ["area", "rooms", "kitchens"], ["street", "alley"]


def _standardised(table, by, ddof):
    spread = by[_NUMBERS].std(ddof=ddof).replace(0, 1)
    return ((table[_NUMBERS] - by[_NUMBERS].mean()) / spread).fillna(0)


def _expect_numbers(got, want_by_ddof, given, mistakes):
    """Compare the standardised columns; a standard deviation over n or over n - 1 is right."""
    values = got.to_numpy(dtype=float)
    for want in want_by_ddof:
        if np.allclose(values, want, rtol=1e-3, atol=1e-4):
            return
    for sentence, wrongs in mistakes.items():
        same = any(np.allclose(values, wrong, rtol=1e-3, atol=1e-4) for wrong in wrongs)
        expect(not same, f"Given {given}: {sentence}")
    expect_close(values, want_by_ddof[0], given=given, what="the number columns", rtol=1e-3)


@exercise(
    "7.1",
    "Preprocessing without a leak",
    aliases=("+7.1",),
    kind="C",
    points=3,
    minutes=25,
    stars=3,
    hints=(
        "Everything that is computed from rows comes from `train`: means, standard deviations, and "
        "the list of categories. `other` only receives them.",
        "(x - mean of train) / standard deviation of train, where a standard deviation of 0 counts "
        "as 1; then 0 for what is missing. For text: one column a category of train, and one for "
        "missing.",
        "`numbers = train.select_dtypes('number').columns`; `mean, std = train[numbers].mean(), "
        "train[numbers].std().replace(0, 1)`; treat both tables alike; `pd.get_dummies(table, "
        "dummy_na=True, dtype=float)`; last, `other.reindex(columns=train.columns, "
        "fill_value=0.0)`.",
    ),
)
def _(preprocess, case):
    train = _houses(case, 24, ["Pave", "Grvl", "Dirt"])
    other = _houses(case, 9, ["Pave", "Grvl", "Cobbles"])
    train.loc[2, "street"] = "Dirt"
    other.loc[2, ["street", "kitchens"]] = ["Cobbles", 2]
    given = "24 training rows and 9 others"
    got = preprocess(train, other)
    expect(
        isinstance(got, tuple | list) and len(got) == 2 and all(map(_is_frame, got)),
        f"`preprocess` should return two data frames, train and other; got {show(got)}.",
    )
    first, second = got
    expect(
        len(first) == 24 and len(second) == 9,
        f"Given {given}: the tables that came back have {len(first)} and {len(second)} rows.",
    )
    columns = [*_NUMBERS, "street_Dirt", "street_Grvl", "street_Pave", "street_nan"]
    columns += ["alley_Grvl", "alley_Pave", "alley_nan"]
    expect(
        "street_Cobbles" not in first and "street_Cobbles" not in second,
        f"Given {given}: the street 'Cobbles' occurs in `other` only, so no model trained on "
        "`train` can know it. Take the categories from `train` alone.",
    )
    for table, name in ((first, "train"), (second, "other")):
        absent = [column for column in columns if column not in table]
        expect(
            not absent,
            f"Given {given}: the {name} table lacks {absent}; it has "
            f"{list(table.columns)}. Text columns become `column_category` and `column_nan`.",
        )
        more = [column for column in table if column not in columns]
        expect(not more, f"Given {given}: the {name} table has columns nobody asked for: {more}.")
    expect(
        list(first.columns) == list(second.columns),
        f"Given {given}: both tables need the same columns in the same order; a model reads them "
        "by position.",
    )
    first, second = _as_floats(first, given), _as_floats(second, given)
    yield 0.3

    both = pd.concat([train, other])
    filled = [table.fillna({"area": 0}) for table in (train, other)]
    for table, back, name in ((train, first, "train"), (other, second, "other")):
        leaky = "the mean or standard deviation comes from both tables. Take them from `train`."
        own = "`other` was standardised with its own mean. Use the mean of `train`."
        early = "missing values were filled with 0 before the mean was taken. Standardise first."
        mistakes = {leaky: [_standardised(table, both, d) for d in (1, 0)]}
        if name == "other":
            mistakes[own] = [_standardised(other, other, d) for d in (1, 0)]
        early_table = filled[name == "other"]
        mistakes[early] = [_standardised(early_table, filled[0], d) for d in (1, 0)]
        wants = [_standardised(table, train, d) for d in (1, 0)]
        _expect_numbers(back[_NUMBERS], wants, f"{given}, the {name} table", mistakes)
    yield 0.7

    for table, back, name in ((train, first, "train"), (other, second, "other")):
        for column in columns[3:]:
            text, _, category = column.partition("_")
            want = table[text].isna() if category == "nan" else table[text] == category
            expect_close(
                back[column].to_numpy(),
                want.to_numpy(dtype=float),
                given=f"{given}, the {name} table",
                what=f"the column {column}",
            )


def _is_frame(value):
    return hasattr(value, "columns") and hasattr(value, "to_numpy")


def _as_floats(table, given):
    try:
        floats = table.astype(float)
    except (TypeError, ValueError):
        texts = [name for name in table if not _is_numeric(table[name])]
        raise NotYet(f"Given {given}: the columns {texts} still hold text.") from None
    holes = [name for name in floats if not np.isfinite(floats[name]).all()]
    expect(
        not holes,
        f"Given {given}: the columns {holes} hold missing or infinite values. Missing numbers "
        "become 0 after standardising; a constant column has standard deviation 0, which counts "
        "as 1.",
    )
    return floats


def _is_numeric(column):
    return pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column)


@exercise(
    "7.2",
    "When the mean is wrong",
    aliases=("5.7.2",),
    kind="C",
    points=3,
    minutes=20,
    stars=2,
    hints=(
        "The mean of what you see stands in for what you do not see. That fails when large values "
        "hide more often than small ones, or when a missing value means zero.",
        "Hide every value above the 70th percentile: the mean of the rest is too low. In `impute`, "
        "a missing value is 0 where `absent`, and elsewhere the mean of the values that were "
        "observed in houses that have the thing.",
        "`np.where(truth > np.quantile(truth, 0.7), np.nan, truth)`; and `gap = np.isnan(values)`, "
        "`mean = values[~gap & ~absent].mean()`, `np.where(gap, np.where(absent, 0.0, mean), "
        "values)`.",
    ),
)
def _(hide, impute, case):
    for truth in (case.normal(100, 20, 400), case.gamma(2.0, 300.0, 400)):
        given = f"400 values with mean {truth.mean():.0f}"
        got = hide(truth)
        expect_shape(got, truth.shape, given=given, what="hide(truth)")
        got = np.asarray(got, dtype=float)
        hidden = np.isnan(got)
        expect(hidden.any(), f"Given {given}: no value of hide(truth) is missing (NaN).")
        expect(
            0.05 <= hidden.mean() <= 0.6,
            f"Given {given}: {hidden.mean():.0%} of the values are hidden; hide between 5 and 60 "
            "per cent.",
        )
        expect_close(
            got[~hidden], truth[~hidden], given=given, what="the values that are not hidden"
        )
        off = abs(got[~hidden].mean() - truth.mean()) / truth.std()
        expect(
            off > 0.25,
            f"Given {given}: the visible mean is off by {off:.2f} standard deviations, so filling "
            "with the mean would do no harm. Let a value's own size decide whether it is hidden; "
            "the aim is more than 0.25.",
        )
    yield 0.4
    truth = case.uniform(400, 1200, 60).round()
    absent = case.random(60) < 0.3
    lost = ~absent & (case.random(60) < 0.2)
    absent[0], lost[1], absent[1:3], lost[2] = True, True, False, False
    truth[absent] = 0.0
    values = truth.copy()
    values[lost | (absent & (case.random(60) < 0.7))] = np.nan
    values[0] = np.nan
    gap = np.isnan(values)
    mean = values[~gap & ~absent].mean()
    want = np.where(gap, np.where(absent, 0.0, mean), values)
    given = f"60 basements of which {int(absent.sum())} are not there and {int(gap.sum())} missing"
    got = impute(values, absent)
    expect_close(
        got,
        want,
        given=given,
        what="impute(values, absent)",
        mistakes={
            "every gap got the mean; where there is no basement the area is 0.": np.where(
                gap, np.nanmean(values), values
            ),
            "every gap became 0, also where the house has a basement.": np.where(gap, 0.0, values),
            "the mean counts houses without a basement. Take it over houses that have one.": (
                np.where(gap, np.where(absent, 0.0, np.nanmean(values)), values)
            ),
        },
    )


explanation(
    "7.3",
    "Missing for a reason",
    aliases=("5.7.2-explain",),
    points=2,
    minutes=8,
    stars=2,
    hints=(
        "Ask of a missing value: could I have guessed from the value itself, or from the rest of "
        "the row, that it would be missing?",
        "Missing at random: the gap does not depend on the hidden value, once you know the rest of "
        "the row. Otherwise the visible values are a biased sample.",
        "Name one column of this table, say why its gaps are not random, say in which direction "
        "the mean errs, and what you would put there instead.",
    ),
    rubric=(
        (1, "Names a case in which missingness depends on the value (a basement that is not there, "
            "a hidden high income) and says in which direction the mean of the rest errs."),
        (1, "Proposes a better treatment: a known value such as 0 or a category of its own, or an "
            "indicator column beside the filled one."),
    ),
)  # fmt: skip


@exercise(
    "7.4",
    "Error of log prices",
    aliases=("+7.2",),
    kind="C",
    points=2,
    minutes=10,
    stars=1,
    hints=(
        "A relative error on a cheap house should count as much as on an expensive one. Logarithms "
        "turn ratios into differences.",
        "sqrt(mean((log y - log max(prediction, 1))^2)), over all houses, whatever the shapes (n,) "
        "and (n, 1).",
        "Flatten both with `np.ravel`, clip the predictions with `np.maximum(..., 1)`, take logs, "
        "and the root of the mean square.",
    ),
)
def _(log_rmse, case):
    prices = case.lognormal(12, 0.4, 30)
    predictions = prices * np.exp(case.normal(0.05, 0.2, 30))
    want = np.sqrt(np.mean((np.log(predictions) - np.log(prices)) ** 2))
    given = "30 prices and predictions"
    every_pair = np.log(predictions)[:, None] - np.log(prices)
    mistakes = {
        "this is the mean square; take its square root.": want**2,
        "this is an error in dollars; take logarithms first.": np.sqrt(
            np.mean((predictions - prices) ** 2)
        ),
        "these are logarithms to base 10; the metric uses the natural one.": want / math.log(10),
        "this is the mean of the absolute differences, not the root of the mean square.": np.mean(
            np.abs(np.log(predictions / prices))
        ),
        "this compares the relative errors; take logarithms.": np.sqrt(
            np.mean((predictions / prices - 1) ** 2)
        ),
    }
    expect_close(expect_number(log_rmse(prices, predictions)), want, given=given, mistakes=mistakes)
    yield 0.5
    column = expect_number(log_rmse(prices, predictions[:, None].astype(np.float32)))
    expect_close(
        column,
        want,
        given=given + ", the predictions in a column of shape (30, 1), as Keras returns them",
        rtol=1e-3,
        mistakes={
            "(30,) and (30, 1) were broadcast to all 900 pairs. Flatten both first.": np.sqrt(
                np.mean(every_pair**2)
            )
        },
    )
    below = predictions.copy()
    below[:3] = [0.0, -5000.0, 0.5]
    got = log_rmse(prices, below)
    clipped = np.sqrt(np.mean((np.log(np.maximum(below, 1)) - np.log(prices)) ** 2))
    given = "predictions of 0, -5000 and 0.5 dollars among others"
    expect(
        np.size(got) == 1 and bool(np.isfinite(np.asarray(got, dtype=float)).all()),
        f"Given {given}: the result is {show(got)}. Predictions below 1 count as 1, whose "
        "logarithm is 0.",
    )
    expect_close(expect_number(got), clipped, given=given)


@exercise(
    "7.5",
    "Fold indices",
    aliases=("+7.3",),
    kind="C",
    points=2,
    minutes=15,
    stars=2,
    hints=(
        "Cut the rows into k parts that differ by at most one row. Each part is the validation "
        "part once, and the rest is for training.",
        "With n = q k + r, the first r parts have q + 1 rows and the others q. d2l's own n // k "
        "leaves the last r rows out of every validation part.",
        "`parts = np.array_split(np.arange(n), k)`; for each i the pair "
        "`(np.concatenate(parts[:i] + parts[i + 1:]), parts[i])`; before that, a ValueError "
        "unless 2 <= k <= n.",
    ),
)
def _(fold_rows, case):
    pairs = [(10, 5), (11, 4), (7, 7), (5, 2)]
    pairs += [(int(case.integers(20, 60)), int(case.integers(3, 9))) for _ in range(3)]
    for n, k in pairs:
        given = f"n = {n}, k = {k}"
        got = fold_rows(n, k)
        expect(
            isinstance(got, list | tuple) and len(got) == k,
            f"Given {given}: a list of {k} pairs is expected; got {show(got)}.",
        )
        validated = np.concatenate([_fold(pair, n, k)[1] for pair in got])
        counts = np.bincount(validated, minlength=n)
        left_out = np.flatnonzero(counts == 0)
        expect(
            left_out.size == 0,
            f"Given {given}: the rows {show(left_out)} are never validated. Give the remainder of "
            "n / k to some folds.",
        )
        expect(
            counts.max() == 1,
            f"Given {given}: row {int(counts.argmax())} is validated {int(counts.max())} times.",
        )
        sizes = [len(pair[1]) for pair in got]
        expect(
            max(sizes) - min(sizes) <= 1,
            f"Given {given}: the validation parts have {sizes} rows; they should differ by at most "
            "one.",
        )
    yield 0.7
    for n, k in ((10, 1), (10, 0), (4, 5)):
        expect_raises(ValueError, lambda n=n, k=k: fold_rows(n, k), given=f"n = {n}, k = {k}")


def _fold(pair, n, k):
    given = f"n = {n}, k = {k}"
    expect(
        isinstance(pair, list | tuple) and len(pair) == 2,
        f"Given {given}: each fold is a pair (training rows, validation rows); got {show(pair)}.",
    )
    rows = [np.asarray(part) for part in pair]
    for part in rows:
        expect(
            part.ndim == 1 and part.size > 0 and part.dtype.kind in "iu",
            f"Given {given}: rows should be whole numbers in one dimension; got {show(part)}.",
        )
        expect(
            part.min() >= 0 and part.max() < n,
            f"Given {given}: rows run from 0 to {n - 1}; got {show(part)}.",
        )
    train, validation = rows
    both = np.intersect1d(train, validation)
    expect(
        both.size == 0,
        f"Given {given}: row {both[0] if both.size else ''} is in the training part and in the "
        "validation part of one fold.",
    )
    expect(
        len(np.unique(train)) == len(train) and len(train) + len(validation) == n,
        f"Given {given}: a fold trains on {len(train)} rows and validates on {len(validation)}; "
        f"together they should be all {n}, each once.",
    )
    return train, validation


def _errors(values, name, count):
    """Return a list of log RMSEs, one a fold."""
    try:
        errors = np.asarray(values, dtype=float)
    except (TypeError, ValueError):
        raise NotYet(
            f"`{name}` should be a list of {count} errors; it is {show(values)}."
        ) from None
    expect(
        errors.shape == (count,),
        f"`{name}` should hold {count} errors, one a fold; its shape is {errors.shape}.",
    )
    return errors


def _expect_plausible(errors, name):
    errors = np.asarray(errors, dtype=float)
    expect(
        bool(np.isfinite(errors).all()) and errors.min() > 0,
        f"`{name}` holds {show(errors)}; errors are finite and above 0.",
    )
    expect(
        errors.max() < 1.5,
        f"`{name}` holds {errors.max():.4g}. Measured on log prices an error is a few tenths at "
        "most; is it in dollars, or did the training diverge?",
    )
    expect(
        errors.min() > 0.07,
        f"`{name}` holds {errors.min():.4g}, which is too good for this table: were rows of the "
        "validation part trained on, or is it a square?",
    )
    expect(
        len(np.unique(errors)) > 1 or errors.size == 1,
        f"All values of `{name}` are equal; each fold has other rows and so another error.",
    )


@exercise(
    "7.6",
    "Without standardising",
    aliases=("5.7.5",),
    kind="X",
    points=2,
    minutes=15,
    stars=2,
    hints=(
        "Give `k_fold` two ways to prepare the inputs: the lesson's `prepare`, and one that only "
        "fills the gaps with 0.",
        "A step of gradient descent changes a weight by learning_rate times the gradient, and the "
        "gradient contains the input: 10,000 square feet against 3 bathrooms.",
        "In a loop over the folds: prepare, `build()`, `training.fit`, then the last `val_rmse`. "
        "Where the training stops with a loss that is not finite, write `np.inf`.",
    ),
)
def _(without_standardising, case):
    value = without_standardising.value
    expect(
        isinstance(value, dict) and {"standardised", "raw"} <= set(value),
        "`without_standardising` should be a dict with the keys 'standardised' and 'raw'; it is "
        f"{show(value)}.",
    )
    standardised = _errors(value["standardised"], "standardised", 5)
    raw = _errors(value["raw"], "raw", 5)
    _expect_plausible(standardised, "standardised")
    expect(not (raw <= 0).any(), f"`raw` holds {show(raw)}; an error is above 0, or infinite.")
    broken = ~np.isfinite(raw)
    expect(
        bool((broken | (raw > 2 * standardised.mean())).all()),
        f"`raw` holds {show(raw)}, about as good as with standardising. Leave the numbers as they "
        "are (square feet, years), and keep optimizer, learning rate and epochs equal.",
    )


def _expect_means_of_folds(table, name):
    folds = [column for column in table if str(column).startswith("fold")]
    if folds:
        means = table[folds].to_numpy(dtype=float).mean(axis=1)
        expect(
            np.allclose(means, table["mean"].to_numpy(dtype=float), rtol=0.02, atol=1e-3),
            f"The column 'mean' of `{name}` is not the mean of its fold columns.",
        )


@exercise(
    "7.7",
    "Tune by K-fold",
    aliases=("5.7.3",),
    kind="X",
    points=3,
    minutes=25,
    stars=2,
    hints=(
        "Change one thing at a time at first, then combine what helped. Compare means over the "
        "folds, and look at the spread before you believe a small difference.",
        "A learning rate that is too small has not arrived after the last epoch; one that is too "
        "large jumps about. Try factors of 3, not of 1.1.",
        "`configurations = [{'learning_rate': a, 'weight_decay': b} for a in ... for b in ...]`, "
        "then `training.search(build, configurations, X, y, ...)` and hand in its `.table`.",
    ),
)
def _(tuning, case):
    columns = ["learning_rate", "weight_decay", "mean"]
    table = pd.DataFrame(expect_table(tuning, columns, at_least=6))
    for column in ("learning_rate", "weight_decay"):
        different = table[column].nunique()
        expect(
            different >= 2,
            f"`tuning` tries only {different} value of {column}; try at least two of each.",
        )
    settings = table[["learning_rate", "weight_decay"]].drop_duplicates()
    expect(
        len(settings) >= 6,
        f"`tuning` has {len(settings)} different configurations; at least 6 are asked for.",
    )
    means = table["mean"].to_numpy(dtype=float)
    _expect_plausible(means[np.isfinite(means) & (means < 1.5)], "mean")
    best = np.nanmin(means)
    expect(
        best < 0.21,
        f"The best configuration of `tuning` reaches {best:.3f}. The baseline of the lesson is "
        "already there or better: try larger learning rates.",
    )
    expect(
        np.nanmax(means) > 1.005 * best,
        "All configurations of `tuning` give nearly the same error; spread the learning rates "
        "over a factor of ten.",
    )
    _expect_means_of_folds(table, "tuning")


@exercise(
    "7.8",
    "A better model",
    aliases=("5.7.4",),
    kind="X",
    points=4,
    minutes=40,
    stars=3,
    hints=(
        "With 1,460 rows and 330 columns a hidden layer overfits in seconds. Add width and "
        "regularization together.",
        "Dropout after the hidden layer and an l2 penalty on the kernels; Adam with a learning "
        "rate near 0.001; 100 to 200 epochs.",
        "`build(hidden_units, rate, weight_decay)` returns `Sequential([Input, Dense(units, relu, "
        "L2), Dropout, Dense(1)])`, and with `hidden_units=0` the linear model. Search over six "
        "configurations, the linear one among them.",
    ),
)
def _(improved, case):
    columns = ["hidden_units", "rate", "weight_decay", "mean"]
    table = pd.DataFrame(expect_table(improved, columns, at_least=4))
    means = table["mean"].to_numpy(dtype=float)
    linear = np.array([_is_linear(units) for units in table["hidden_units"]])
    expect(
        bool(linear.any()),
        "`improved` has no row with hidden_units 0: put the linear model beside the others, "
        "measured on the same folds.",
    )
    expect(not linear.all(), "`improved` has no row with a hidden layer.")
    regularised = (table["rate"].astype(float) > 0) | (table["weight_decay"].astype(float) > 0)
    expect(
        bool((regularised & ~linear).any()),
        "`improved` has no hidden layer with dropout or weight decay; try both.",
    )
    _expect_plausible(means, "mean")
    expect(
        means[~linear].min() < means[linear].min(),
        f"The best hidden layer reaches {means[~linear].min():.4f} and the linear model "
        f"{means[linear].min():.4f}: not better yet. More dropout, more weight decay, or a smaller "
        "learning rate with more epochs?",
    )
    _expect_means_of_folds(table, "improved")


def _is_linear(units):
    return units is None or np.size(units) == 0 or (np.size(units) == 1 and not np.any(units))


@exercise(
    "7.9",
    "Two ways to average",
    aliases=("+7.4",),
    kind="C",
    points=2,
    minutes=10,
    stars=1,
    hints=(
        "One model a fold gives one prediction a house and fold. Averaging the logs and averaging "
        "the prices are not the same.",
        "exp(mean of log prices) is the geometric mean; mean of exp(log prices) the arithmetic "
        "mean. The first is never larger.",
        "`np.exp(predictions.mean(axis=0))` and `np.exp(predictions).mean(axis=0)`.",
    ),
)
def _(average_logs, average_prices, case):
    # At log prices near 12 one dollar hides in the tolerance, at log prices near 2 it does not.
    draws = {
        f"log prices of 5 models for 7 houses, all near {near}": case.normal(near, 0.4, (5, 7))
        for near in (12, 2)
    }
    for given, predictions in draws.items():
        geometric, arithmetic = _averages(predictions, np.exp)
        mistakes = {"the prices were averaged here, not their logs.": arithmetic}
        _expect_average(average_logs, "average_logs", predictions, geometric, mistakes, given)
    yield 0.5
    for given, predictions in draws.items():
        geometric, arithmetic = _averages(predictions, np.exp)
        mistakes = {"the logs were averaged here, not the prices.": geometric}
        _expect_average(average_prices, "average_prices", predictions, arithmetic, mistakes, given)


def _averages(predictions, inverse):
    return inverse(predictions.mean(axis=0)), inverse(predictions).mean(axis=0)


def _expect_average(function, name, predictions, want, mistakes, given):
    over_houses = "the mean runs over the houses. Average over the models, axis 0."
    one_less = (
        "each price is one dollar off: `expm1` undoes `log1p`. These are plain logarithms, whose "
        "inverse is `exp`."
    )
    powers = (
        "these are powers of {base}. The logarithms are natural ones, whose inverse is the "
        "exponential."
    )
    wrong = {
        "this is still the log of the price; take the exponential.": [predictions.mean(axis=0)],
        over_houses: [average.T for average in _averages(predictions.T, np.exp)],
        one_less: _averages(predictions, np.expm1),
        powers.format(base=10): _averages(predictions, lambda logs: 10.0**logs),
        powers.format(base=2): _averages(predictions, np.exp2),
    }
    got = function(predictions)
    for sentence, values in wrong.items():
        for value in values:
            expect(
                np.shape(got) != value.shape or not np.allclose(got, value, rtol=1e-6),
                f"Given {given}: {sentence}",
            )
    expect_close(got, want, given=given, what=name, mistakes=mistakes)


def _valid_submission(ids, prices):
    rows = "".join(f"{row},{price:.2f}\n" for row, price in zip(ids, prices, strict=True))
    return "Id,SalePrice\n" + rows


@exercise(
    "7.10",
    "Write and validate a submission",
    aliases=("5.7.1",),
    kind="C",
    points=3,
    minutes=25,
    stars=2,
    hints=(
        "Kaggle reads two columns, Id and SalePrice, one row for each house of the test table. "
        "Your validator reads the text back and compares the ids.",
        "Problems: another header; ids that are missing, unknown or there twice; prices that are "
        "not finite numbers above 0. The order of the rows does not matter.",
        "`pd.DataFrame({'Id': ids, 'SalePrice': prices}).to_csv(index=False)`; and "
        "`pd.read_csv(io.StringIO(text))`, `pd.to_numeric(table['SalePrice'], errors='coerce')`, "
        "`table['Id'].duplicated()`, sets of ids; append one sentence to a list for each problem.",
    ),
)
def _(submission_csv, submission_problems, case):
    ids = np.arange(1461, 1461 + 40)
    prices = case.lognormal(12, 0.4, 40)
    text = submission_csv(ids, prices)
    expect(
        isinstance(text, str),
        f"`submission_csv` should return the text of the file; got {show(text)}.",
    )
    header = text.splitlines()[0] if text.strip() else ""
    expect(
        header.replace('"', "").strip() == "Id,SalePrice",
        f"The first line of the text is {header!r}; Kaggle wants Id,SalePrice and no index column.",
    )
    table = pd.read_csv(io.StringIO(text))
    expect(
        table["Id"].dtype.kind != "f",
        f"The second line of the text is {text.splitlines()[1]!r}: ids are whole numbers, without "
        "a decimal point.",
    )
    expect(
        len(table) == 40 and list(table["Id"]) == list(ids),
        f"Given 40 ids from 1461: the text has {len(table)} rows, with the ids "
        f"{show(list(table['Id']))}.",
    )
    expect_close(
        table["SalePrice"].to_numpy(),
        prices,
        given="40 prices",
        what="the column SalePrice",
        rtol=1e-3,
        mistakes={"these are logs of prices; write dollars.": np.log(prices)},
    )
    column = submission_csv(ids, prices[:, None].astype(np.float32))
    expect(
        isinstance(column, str) and "[" not in column and len(column.splitlines()) == 41,
        "Given prices of shape (40, 1), as Keras predicts them: the text is not a table of 40 "
        "rows. Flatten the prices first.",
    )
    yield 0.4

    good = _valid_submission(ids, prices)
    shuffled = case.permutation(40)
    for name, fine in (
        ("a valid text", good),
        ("a valid text in another order", _valid_submission(ids[shuffled], prices[shuffled])),
    ):
        found = _problems(submission_problems(fine, ids), name)
        expect(not found, f"Given {name}: your validator complains: {show(found)}.")
    yield 0.6
    lines = good.splitlines()
    row = int(case.integers(2, 38))
    broken = {
        "a text whose second column is named Price": good.replace("SalePrice", "Price"),
        "a text that lacks a house": "\n".join(lines[:row] + lines[row + 1 :]),
        "a text with one house twice": "\n".join([*lines, lines[row]]),
        "a text with an id that is not in the test table": "\n".join([*lines, "99999,150000"]),
        "a text in which one house takes another's id": good.replace(
            f"{ids[row]},", f"{ids[row - 1]},"
        ),
        "a text with an empty price": "\n".join(
            [*lines[:row], f"{ids[row - 1]},", *lines[row + 1 :]]
        ),
        "a text with a negative price": "\n".join(
            [*lines[:row], f"{ids[row - 1]},-1000", *lines[row + 1 :]]
        ),
        "a text with the price 'inf'": "\n".join(
            [*lines[:row], f"{ids[row - 1]},inf", *lines[row + 1 :]]
        ),
        "a text with the price 'unknown'": "\n".join(
            [*lines[:row], f"{ids[row - 1]},unknown", *lines[row + 1 :]]
        ),
    }
    for name, bad in broken.items():
        found = _problems(submission_problems(bad, ids), name)
        expect(bool(found), f"Given {name}: your validator finds nothing wrong with it.")
    two = "\n".join([*lines[:row], f"{ids[row - 1]},-1000", *lines[row + 1 : -1]])
    name = "a text with a negative price that lacks a house, too"
    found = _problems(submission_problems(two, ids), name)
    expect(
        len(found) > 1,
        f"Given {name}: your validator says {show(found)}; it should name both problems.",
    )


def _problems(found, given):
    fine = isinstance(found, list | tuple) and all(isinstance(item, str) for item in found)
    expect(
        fine,
        f"Given {given}: `submission_problems` should return a list of sentences, empty if there "
        f"is nothing to say; got {show(found)}.",
    )
    return found


@exercise(
    "7.11",
    "Estimate the score",
    aliases=("5.7.1-experiment",),
    builds_on=("7.8",),
    kind="X",
    points=2,
    minutes=10,
    stars=2,
    hints=(
        "Kaggle's test rows are rows the model has not seen. So were the validation rows of each "
        "fold.",
        "The estimate is the mean of the fold errors; their standard deviation says how far off "
        "one part may be by luck.",
        "Take the fold columns of your best configuration's row; `estimate` is their mean, and "
        "`low` and `high` lie one standard deviation below and above.",
    ),
)
def _(score, case):
    value = score.value
    names = {"fold_errors", "estimate", "low", "high"}
    expect(
        isinstance(value, dict) and names <= set(value),
        f"`score` should be a dict with the keys fold_errors, estimate, low and high; it is "
        f"{show(value)}.",
    )
    folds = _errors(value["fold_errors"], "fold_errors", 5)
    _expect_plausible(folds, "fold_errors")
    estimate, low, high = (
        expect_number(value[name], f"`{name}`") for name in ("estimate", "low", "high")
    )
    expect(
        folds.min() <= estimate <= folds.max(),
        f"`estimate` is {estimate:.4f}, outside of your fold errors ({folds.min():.4f} to "
        f"{folds.max():.4f}).",
    )
    expect(
        abs(estimate - folds.mean()) <= max(2e-3, 0.6 * folds.std(ddof=1)),
        f"`estimate` is {estimate:.4f}; the mean of your fold errors is {folds.mean():.4f}, and "
        f"they spread by {folds.std(ddof=1):.4f} around it: stay nearer to the mean.",
    )
    expect(
        low < estimate < high,
        f"`low`, `estimate` and `high` are {low:.4f}, {estimate:.4f} and {high:.4f}; they should "
        "rise.",
    )
    width = (high - low) / 2
    expect(
        0.3 * folds.std() <= width <= 2.5 * folds.std(ddof=1),
        f"Your interval is {width:.4f} to each side, and the fold errors spread by "
        f"{folds.std(ddof=1):.4f}. Let the spread set the width.",
    )
