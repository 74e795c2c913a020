"""Exercises of chapter 7: preprocessing, folds, tuning, ensembles and a Kaggle submission."""

from __future__ import annotations

import contextlib
import io
import math
from types import SimpleNamespace

import numpy as np
import pandas as pd

from helpers.answers import AnswerError
from helpers.exercises import (
    NotYet,
    exercise,
    expect,
    expect_close,
    expect_number,
    expect_parts,
    expect_raises,
    expect_shape,
    expect_table,
    explanation,
    numbers,
    show,
)


def _houses(case, rows, streets):
    """Draw a small table: four columns of numbers, one of them constant, and two of text."""
    table = pd.DataFrame(
        {
            "area": case.normal(1500, 400, rows).round(),
            "rooms": case.integers(2, 9, rows),
            "kitchens": np.ones(rows, dtype=int),
            "tax": case.normal(0.02, 0.005, rows),  # a standard deviation far below 1
            "street": case.choice(streets, rows),
            "alley": case.choice(["Grvl", "Pave"], rows),
        }
    )
    table.loc[case.choice(rows, 3, replace=False), "area"] = np.nan
    table.loc[case.choice(rows, rows // 2, replace=False), "alley"] = np.nan
    table.loc[[0, 1], ["street", "alley"]] = [[streets[0], "Grvl"], [streets[1], "Pave"]]
    return table


_NUMBERS = ["area", "rooms", "kitchens", "tax"]


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
    for place, column in enumerate(_NUMBERS):
        right = [np.allclose(values[:, place], want[column], 1e-3, 1e-4) for want in want_by_ddof]
        expect(
            column != "kitchens" or any(right),
            f"Given {given}: `kitchens` is constant in `train`. Its standard deviation is 0, which "
            f"counts as 1, so a 2 becomes 1; {show(float(np.abs(values[:, place]).max()))} came "
            "back.",
        )
        if not any(right):
            want = want_by_ddof[0][column]
            expect_close(values[:, place], want, given=given, what=f"the column {column}")
    raise NotYet(
        f"Given {given}: some columns are divided by the standard deviation over n, others by the "
        "one over n - 1. Take the same for all."
    )


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
    words = ["street_Dirt", "street_Grvl", "street_Pave", "street_nan"]
    words += ["alley_Grvl", "alley_Pave", "alley_nan"]
    columns = [*_NUMBERS, *words]
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
    first, second = _as_floats(first, given), _as_floats(second, given, words)
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
        gaps_first = (
            "gaps were filled with the mean before the standard deviation was taken, which "
        )
        gaps_first += "makes it too small. Standardise first, then fill with 0."
        averaged = [each.fillna({"area": train["area"].mean()}) for each in (train, other)]
        mistakes[gaps_first] = [
            _standardised(averaged[name == "other"], averaged[0], d) for d in (1, 0)
        ]
        low, high = train[_NUMBERS].min(), train[_NUMBERS].max()
        mistakes[
            "this is a scale from 0 to 1. Subtract the mean and divide by the standard deviation."
        ] = [((table[_NUMBERS] - low) / (high - low).replace(0, 1)).fillna(0)]
        spread = train[_NUMBERS].std().replace(0, 1)
        mistakes["the median was subtracted. Subtract the mean."] = [
            ((table[_NUMBERS] - train[_NUMBERS].median()) / spread).fillna(0)
        ]
        mistakes["this was divided by the variance. Divide by its root."] = [
            ((table[_NUMBERS] - train[_NUMBERS].mean()) / spread**2).fillna(0)
        ]
        mistakes["a standard deviation below 1 was replaced by 1. Only one of 0 counts as 1."] = [
            ((table[_NUMBERS] - train[_NUMBERS].mean()) / spread.clip(lower=1)).fillna(0)
        ]
        mistakes["all numbers became 0."] = [table[_NUMBERS].fillna(0) * 0.0]
        mistakes[early] = [_standardised(early_table, filled[0], d) for d in (1, 0)]
        wants = [_standardised(table, train, d) for d in (1, 0)]
        _expect_numbers(back[_NUMBERS], wants, f"{given}, the {name} table", mistakes)
    yield 0.7

    for table, back, name in ((train, first, "train"), (other, second, "other")):
        for column in words:
            text, _, category = column.partition("_")
            want = table[text].isna() if category == "nan" else table[text] == category
            unknown = table[text].isna() | ~table[text].isin(train[text].dropna().unique())
            expect_close(
                back[column].to_numpy(),
                want.to_numpy(dtype=float),
                given=f"{given}, the {name} table",
                what=f"the column {column}",
                mistakes={
                    f"in `{column}` a category that `train` does not have counts as missing. It is "
                    "known, only new: such a row has zeros in all columns of its text.": (
                        unknown.to_numpy(dtype=float)
                    )
                }
                if category == "nan"
                else None,
            )


def _is_frame(value):
    return hasattr(value, "columns") and hasattr(value, "to_numpy")


def _as_floats(table, given, categories=()):
    try:
        floats = table.astype(float)
    except (TypeError, ValueError):
        texts = [name for name in table if not _is_numeric(table[name])]
        raise NotYet(f"Given {given}: the columns {texts} still hold text.") from None
    holes = [name for name in floats if not np.isfinite(floats[name]).all()]
    unseen = [name for name in holes if name in categories]
    expect(
        not unseen,
        f"Given {given}: the columns {unseen} hold missing values in `other`, where no row has "
        "this category. Zeros belong there; `reindex` takes `fill_value=0`.",
    )
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
        "The mean of what you see is used for what you do not see. That fails when large values "
        "are hidden more often than small ones, or when a missing value means zero.",
        "Hide every value above the 70th percentile: the mean of the rest is too low. `typical` "
        "averages the values that are neither missing nor absent. In `impute`, a missing value is "
        "0 "
        "where `absent`, and `filling` elsewhere; values that are there stay.",
        "`np.where(truth > np.quantile(truth, 0.7), np.nan, truth)`; "
        "`np.nanmean(values[~absent])`; "
        "`np.where(np.isnan(values), np.where(absent, 0.0, filling), values)`.",
    ),
)
def _check_missing(hide, typical, impute, case):
    sizes = [int(size) for size in case.integers(150, 400, 4)]
    draws = (
        case.normal(100, 20, sizes[0]),
        case.gamma(2.0, 300.0, sizes[1]),
        -case.gamma(2.0, 3.0, sizes[2]),
        case.normal(0, 0.01, sizes[3]),
    )
    for truth in draws:
        _expect_hidden(hide(truth), truth)
    yield 0.4
    cases = [_basements(case, int(case.integers(30, 80))) for _ in range(4)]
    for values, absent, given in cases:
        there = values[~absent]
        wrongs = {
            "this counts houses without a basement. Take the mean over houses that have one.": (
                np.nanmean(values)
            ),
            "this counts a missing value as 0. Leave missing values out of the mean.": (
                np.nan_to_num(there).mean()
            ),
            "this is the median; the mean is asked for.": np.nanmedian(there),
            "the sum was divided by the number of all houses, not of the values that are there.": (
                np.nansum(there) / len(values)
            ),
            "houses without a basement were left out by their value 0; `absent` says which these "
            "are.": np.nanmean(values[values > 0]),
            "this is the mean over the houses *without* a basement.": np.nanmean(values[absent]),
            "houses without a basement were counted as 0. Leave them out.": (
                np.nanmean(np.where(absent, 0.0, values))
            ),
            "a value of 0 was left out. It is there: the house has a basement.": (
                np.nanmean(there[there != 0])
            ),
        }
        got = numbers(typical(values, absent), "typical(values, absent)")
        expect(
            got.size != 1 or not np.isnan(got).any(),
            f"Given {given}: typical(values, absent) is NaN. Leave missing values out of the mean.",
        )
        want = np.nanmean(there)
        expect_close(
            expect_number(got), want, given=given, what="typical(values, absent)", mistakes=wrongs
        )
    yield 0.7
    for values, absent, given in cases:
        gap, filling = np.isnan(values), float(case.normal(50, 400))
        want = np.where(gap, np.where(absent, 0.0, filling), values)
        expect_close(
            _without_gaps(impute(values, absent, filling), given),
            want,
            given=f"{given}, filling {filling:.1f}",
            what="impute(values, absent, filling)",
            mistakes={
                "every gap got `filling`; where there is no basement the area is 0.": np.where(
                    gap, filling, values
                ),
                "every gap became 0, also where the house has a basement.": np.where(
                    gap, 0.0, values
                ),
                "0 and `filling` are swapped.": np.where(
                    gap, np.where(absent, filling, 0.0), values
                ),
                "a gap got the mean of the values, not the number `filling`.": np.where(
                    gap, np.where(absent, 0.0, np.nanmean(values[~absent])), values
                ),
                "a value that is there became 0 because `absent` is true. Change gaps only.": (
                    np.where(absent, 0.0, np.where(gap, filling, values))
                ),
                "a value of 0 was treated as a gap. Only NaN is a gap.": np.where(
                    gap | (values == 0), np.where(absent, 0.0, filling), values
                ),
                "values that are there were replaced, too. Change gaps only.": np.where(
                    absent, 0.0, filling
                ),
            },
        )


def _without_gaps(got, given):
    """Return `got` as an array; raise `NotYet` if it holds NaN."""
    got = numbers(got, "impute(values, absent, filling)")
    left = int(np.isnan(got).sum())
    expect(not left, f"Given {given}: {left} gaps are left (NaN). `impute` should fill each one.")
    return got


def _expect_hidden(got, truth):
    """Raise `NotYet` unless `got` is `truth` with gaps that bias the mean of the rest."""
    given = f"{truth.size} values with mean {truth.mean():.3g}"
    got = numbers(got, "hide(truth)")
    expect_shape(got, truth.shape, given=given, what="hide(truth)")
    hidden = np.isnan(got)
    expect(hidden.any(), f"Given {given}: no value of hide(truth) is missing (NaN).")
    expect(
        0.05 <= hidden.mean() <= 0.6,
        f"Given {given}: {hidden.mean():.0%} of the values are hidden; hide between 5 and 60 "
        "per cent. A limit that is a fixed number, or a multiple of the mean, hides more or less "
        "as the values change; a quantile always hides the same share.",
    )
    expect_close(got[~hidden], truth[~hidden], given=given, what="the visible part")
    off = abs(truth[~hidden].mean() - truth.mean()) / truth.std()
    if off > 0.25:
        return
    advice = "Let a value's own size decide whether it is hidden."
    if abs(truth[hidden].mean() - truth.mean()) > 0.5 * truth.std():
        advice = f"Only {hidden.mean():.0%} of the values are hidden: hide more of the same kind."
    elif truth[hidden].std() > 1.3 * truth[~hidden].std():
        advice = "Small and large values are hidden alike, and cancel: hide at one end only."
    raise NotYet(
        f"Given {given}: the visible mean is off by {off:.2f} standard deviations; it should be "
        f"more than 0.25. {advice}"
    )


def _basements(case, count):
    """Draw values with gaps, some of them negative or 0, and which houses have no basement."""
    truth = (case.uniform(400, 1200, count) - case.choice([0, 600])).round()
    absent = case.random(count) < case.uniform(0.1, 0.5)
    absent[:5] = [True, True, False, False, False]
    truth[absent] = 0.0
    truth[1] = 3.0  # known although absent: a value that is there is never changed
    truth[3] = 0.0  # known, of a house that has a basement
    lost = np.where(absent, case.random(count) < 0.6, case.random(count) < 0.2)
    lost[:5] = [True, False, True, False, False]
    values = np.where(lost, np.nan, truth)
    given = (
        f"{count} houses, {int(absent.sum())} of them without a basement, and "
        f"{int(lost.sum())} gaps in the values"
    )
    return values, absent, given


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
        "The mean of what is visible is right if gaps are missing completely at random: neither "
        "the "
        "hidden value nor the rest of the row predicts them. Otherwise the visible values are a "
        "biased sample.",
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
        "this is the standard deviation of the differences, which ignores their mean. Take the "
        "root of the mean square.": np.std(np.log(predictions / prices)),
        "the sum of squares was divided by n - 1; the mean divides by n.": want * np.sqrt(30 / 29),
        "this is the root of the *sum* of squares; divide by n first.": want * np.sqrt(30),
        "this is the median of the squares; take their mean.": np.sqrt(
            np.median(np.log(predictions / prices) ** 2)
        ),
        "the log was taken of the error in dollars. Take the logs of both prices first.": np.log(
            np.sqrt(np.mean((predictions - prices) ** 2))
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
    few = case.lognormal(2, 0.4, 20) + 1
    near = few * np.exp(case.normal(0.05, 0.2, 20)) + 0.1
    expect_close(
        expect_number(log_rmse(few, near)),
        np.sqrt(np.mean(np.log(near / few) ** 2)),
        given="20 prices of a few dollars",
        mistakes={
            "this is the error of log(1 + price). Take `np.log`; `np.log1p` adds 1 first.": np.sqrt(
                np.mean((np.log1p(near) - np.log1p(few)) ** 2)
            )
        },
    )
    below = predictions.copy()
    below[:3] = [0.0, -5000.0, 0.5]
    got = numbers(log_rmse(prices, below))
    clipped = np.sqrt(np.mean((np.log(np.maximum(below, 1)) - np.log(prices)) ** 2))
    given = "predictions of 0, -5000 and 0.5 dollars among others"
    expect(
        got.size == 1 and bool(np.isfinite(got).all()),
        f"Given {given}: the result is {show(got)}. Predictions below 1 count as 1, whose "
        "logarithm is 0.",
    )
    magnitudes = np.maximum(np.abs(below), 1)
    expect_close(
        expect_number(got),
        clipped,
        given=given,
        mistakes={
            "the sign of a negative prediction was dropped. It counts as 1.": np.sqrt(
                np.mean((np.log(magnitudes) - np.log(prices)) ** 2)
            ),
            "predictions below 1 were left out. Each counts as 1, a very large error.": np.sqrt(
                np.mean((np.log(below[3:]) - np.log(prices[3:])) ** 2)
            ),
            "only predictions of 0 and less count as 1 here. All below 1 do.": np.sqrt(
                np.mean((np.log(np.where(below > 0, below, 1)) - np.log(prices)) ** 2)
            ),
            **{
                f"predictions were clipped at {low:g}. Those below 1 count as 1.": np.sqrt(
                    np.mean((np.log(np.maximum(below, low)) - np.log(prices)) ** 2)
                )
                for low in (1e-12, 1e-10, 1e-9, 1e-8, 1e-7, 1e-6, 1e-3, 0.01, 0.1)
            },
        },
    )


@exercise(
    "7.5",
    "Fold indices",
    aliases=("+7.3",),
    kind="C",
    points=2,
    minutes=15,
    stars=2,
    hints=(
        "Deal the rows like cards: row 0 to fold 0, row 1 to fold 1, and after fold k - 1 from the "
        "start again. Each fold validates its own rows and trains on the rest.",
        "Row r is validated in fold r % k, so fold i validates the rows i, i + k, i + 2k, ... "
        "below "
        "n. If k does not divide n, the first n % k folds have one row more.",
        "`rows = np.arange(n)`; for each i in range(k) the pair `(rows[rows % k != i], rows[rows % "
        "k "
        "== i])`; before that, a ValueError unless 2 <= k <= n.",
    ),
)
def _check_folds(fold_rows, case):
    pairs = [(11, 4), (10, 5), (7, 7), (5, 2), (9, 8)]
    for _ in range(3):
        k = int(case.integers(3, 9))
        pairs.append((k * int(case.integers(4, 9)) + int(case.integers(1, k)), k))
    for n, k in pairs:
        given = f"n = {n}, k = {k}"
        try:
            got = fold_rows(n, k)
        except AnswerError as error:
            expect(
                "ValueError" not in error.bases,
                f"Given {given}: your function raised {error}, though k is from 2 to n.",
            )
            raise
        expect(
            isinstance(got, list | tuple) and len(got) == k,
            f"Given {given}: a list of {k} pairs is expected; got {show(got)}.",
        )
        folds = [_fold(pair, n, k) for pair in got]
        expect(
            k == 2 or len(folds[0][0]) >= len(folds[0][1]),
            f"Given {given}: fold 0 trains on {len(folds[0][0])} rows and validates on "
            f"{len(folds[0][1])}. A pair is (rows to train on, rows to validate on), in this "
            "order.",
        )
        counts = np.bincount(np.concatenate([validation for _, validation in folds]), minlength=n)
        left_out = np.flatnonzero(counts == 0)
        expect(
            left_out.size == 0,
            f"Given {given}: the rows {show(left_out)} are never validated. Deal all {n} rows, "
            "also "
            f"the last {n % k or k}.",
        )
        expect(
            counts.max() == 1,
            f"Given {given}: row {int(counts.argmax())} is validated {int(counts.max())} times.",
        )
        for fold, (_, validation) in enumerate(folds):
            want = np.arange(fold, n, k)
            expect(
                np.array_equal(np.sort(validation), want),
                f"Given {given}: fold {fold} should validate the rows {show(want)}, since row r "
                f"belongs to fold r % k; yours validates {show(np.sort(validation))}.",
            )
    yield 0.7
    for n, k in ((10, 1), (10, 0), (4, 5), (6, -2)):
        expect_raises(ValueError, lambda n=n, k=k: fold_rows(n, k), given=f"n = {n}, k = {k}")


def _fold(pair, n, k):
    given = f"n = {n}, k = {k}"
    expect(
        isinstance(pair, list | tuple) and len(pair) == 2,
        f"Given {given}: each fold is a pair (training rows, validation rows); got {show(pair)}.",
    )
    rows = [np.asarray(part) for part in pair]
    for part, name in zip(rows, ("train", "validate"), strict=True):
        expect(part.size > 0, f"Given {given}: a fold has no rows to {name} on.")
        expect(
            part.dtype.kind != "b",
            f"Given {given}: got truth values, one per row. Return the row numbers, for example "
            "with `np.flatnonzero`.",
        )
        expect(
            part.ndim == 1 and part.dtype.kind in "iu",
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


def _table_rows(case, count, near_one=False):
    """Draw rows in the form of the page's `X` and `y`: 36 numbers with gaps, 294 zeros and ones.

    The numbers come in 18 correlated pairs, and the price depends on the differences within pairs.
    Gradient descent learns differences slowly, so the error tells the learning rate and the epochs.
    With `near_one`, the last fifth are mostly the dearest rows and lack most values of three
    columns that matter much, so that it shows whose means and which filling are used.
    """
    shared, own = case.normal(0, 1, (count, 18)), case.normal(0, 1, (2, count, 18))
    pairs = np.sqrt(0.7) * shared + np.sqrt(0.3) * own
    effects = 0.08 * case.choice([-1, 1], 18)
    log_price = 12 + (own[0] - own[1]) / np.sqrt(2) @ effects + case.normal(0, 0.05, count)
    numbers = np.hstack(list(pairs))[:, case.permutation(36)]
    if near_one:
        numbers = numbers * case.uniform(0.4, 1.2, 36)
        log_price += 0.15 * numbers[:, :3].sum(axis=1)
        numbers[:, :3] += 3
        order = np.argsort(log_price + case.normal(0, np.std(log_price), count))
        numbers, log_price = numbers[order], log_price[order]
    else:
        numbers = (numbers + 4) * 10 ** case.uniform(0, 4, 36)
    words = case.random((count, 294)) < case.uniform(0.01, 0.1, 294)
    gaps = np.where(near_one & (np.arange(count) >= 0.8 * count), 0.7, 0.1)[:, None]
    numbers[:, :3] = np.where(case.random((count, 3)) < gaps, np.nan, numbers[:, :3])
    return np.hstack([numbers, words]).astype("float32"), log_price.astype("float32")


def _prepared(x_train, x_other):
    """Standardise the 36 numbers by the training rows and fill their gaps with the mean."""
    mean, std = np.nanmean(x_train[:, :36], axis=0), np.nanstd(x_train[:, :36], axis=0)
    results = []
    for x in (x_train, x_other):
        numbers = np.nan_to_num((x[:, :36] - mean) / np.maximum(std, 1e-6))
        results.append(np.hstack([numbers, x[:, 36:]]).astype("float32"))
    return results


def _baseline(
    train, other, learning_rate=0.01, weight_decay=0.0, *, epochs=50, batch_size=64, seed=0
):
    """Return the log RMSE on `other` of the page's linear model, trained by NumPy on `train`."""
    (x, y), (x_other, y_other) = train, other
    weights, bias = np.zeros(x.shape[1], "float32"), np.float32(12)
    order = np.random.default_rng(seed)
    with np.errstate(all="ignore"):
        for _ in range(epochs):
            rows = order.permutation(len(x))
            for start in range(0, len(x), batch_size):
                batch = rows[start : start + batch_size]
                off = x[batch] @ weights + bias - y[batch]
                slope = 2 * x[batch].T @ off / len(batch) + weight_decay * weights
                weights, bias = (
                    weights - np.float32(learning_rate) * slope,
                    bias - np.float32(2 * learning_rate * off.mean()),
                )
        error = float(np.sqrt(np.mean((x_other @ weights + bias - y_other) ** 2)))
    return error if np.isfinite(error) else math.inf


@exercise(
    "7.6",
    "Without standardising",
    aliases=("5.7.5",),
    kind="X",
    points=2,
    minutes=15,
    stars=2,
    hints=(
        "Train the same model on two versions of the inputs: one that only fills the gaps with 0, "
        "and the one that the lesson's `prepare` makes.",
        "A step of gradient descent changes a weight by learning_rate times the gradient, and the "
        "gradient contains the input: 10,000 square feet against 3 bathrooms.",
        "For each version `(inside, outside)`: `history = training.fit(build(), inside, y_train, "
        "epochs=50, batch_size=64, validation_data=(outside, y_other)).history`, then "
        "`history['val_rmse'][-1]`; `except training.NonFiniteLoss:` the error is `np.inf`. The "
        "raw "
        "version is `np.nan_to_num(x_train), np.nan_to_num(x_other)`.",
    ),
)
def _check_raw(raw_and_standardised, case):
    for near_one in (False, True):
        x, y = _table_rows(case, 320, near_one)
        train, other = (x[:256], y[:256]), (x[256:], y[256:])
        given = "256 rows whose numbers are " + ("near 1" if near_one else "from 1 to 100,000")
        try:
            got = raw_and_standardised(*train, *other)
        except AnswerError as error:
            expect(
                error.kind != "NonFiniteLoss",
                f"Given {given}: `training.NonFiniteLoss` was not caught. Catch it, and return "
                "`np.inf` for that run.",
            )
            raise
        pair = expect_parts(got, "the pair of errors", "raw", "standardised")
        for error, name in zip(pair, ("raw", "standardised"), strict=True):
            size = numbers(error, f"the {name} error").size
            expect(size == 1, f"The {name} error should be one number; got {show(error)}.")
        raw, standardised = (float(np.ravel(error)[0]) for error in pair)
        expect(
            not math.isnan(raw) and not math.isnan(standardised),
            f"Given {given}: an error is NaN. Catch `training.NonFiniteLoss` and return `np.inf` "
            "for that run.",
        )
        if not near_one:
            expect(
                not (math.isinf(standardised) and not math.isinf(raw)),
                f"Given {given}: the raw inputs gave {raw:.4g} and the standardised ones diverged. "
                "Return the raw error first.",
            )
        _expect_error(standardised, _standardised_inputs, train, other, given, "standardised")
        _expect_error(raw, _raw_inputs, train, other, given, "raw")
        yield 0.5


def _standardised_inputs(x_train, x_other):
    """Return the inputs that `prepare` makes, and those of a few mistakes by their sentences."""
    swapped = _prepared(x_other, x_train)
    return _prepared(x_train, x_other), {
        "the other rows were standardised by their own mean. Call `prepare(x_train, x_other)`.": (
            _prepared(x_train, x_train)[0],
            _prepared(x_other, x_other)[0],
        ),
        "`prepare` learned from the other rows. Its first argument is `x_train`.": swapped[::-1],
    }


def _raw_inputs(x_train, x_other):
    """Return the inputs with 0 in their gaps, and those of a mistake by its sentence."""
    mean = np.nanmean(x_train, axis=0)
    filled = "the gaps were filled with the mean. On raw inputs they become 0."
    own = [np.where(np.isnan(x), np.nanmean(x, axis=0), x) for x in (x_train, x_other)]
    return [np.nan_to_num(x_train), np.nan_to_num(x_other)], {
        filled: [own[0].astype("float32"), np.where(np.isnan(x_other), mean, x_other)],
        filled.replace("the mean", "the mean of each table"): own,
    }


def _expect_error(got, inputs_of, train, other, given, name):
    """Raise `NotYet` unless `got` is the error of a model that the check trains here."""
    (inside, outside), wrong_inputs = inputs_of(train[0], other[0])
    trained, others = (inside, train[1]), (outside, other[1])
    want = _baseline(trained, others)
    if math.isinf(want) or want > 100:
        expect(
            got > 10,
            f"Given {given}: the {name} error is {got:.4g}, but on raw inputs of this size the "
            "loss is no longer finite. Did you standardise both versions?",
        )
        return
    # The order of the batches matters more where the inputs are not standardised.
    tolerance = 0.002 + 0.005 * want if name == "standardised" else 0.003 + 0.02 * want
    mistakes = {
        f"In yours {sentence}": _baseline((x_in, train[1]), (x_out, other[1]))
        for sentence, (x_in, x_out) in wrong_inputs.items()
    }
    nearer = [
        value
        for value in mistakes.values()
        if abs(got - value) < abs(got - want) and abs(value - want) > 0.008
    ]
    if abs(got - want) < tolerance and not nearer:
        return
    found = f"Given {given}: the {name} error is {got:.4f}; the baseline has {want:.4f} on these "
    found += "other rows."
    expect(
        not math.isinf(got),
        f"{found} A gap that is left (NaN) also makes the loss NaN: fill it first.",
    )
    mistakes |= {
        "Yours is a mean *square* error; take its root.": want**2,
        "Yours is the error on the training rows.": _baseline(trained, trained),
    }
    for epochs in (1, 5, 10, 20, 30, 100):
        words = "one epoch of training gives" if epochs == 1 else f"{epochs} epochs give"
        sentence = f"Yours is what about {words}; 50 are asked for."
        mistakes[sentence] = _baseline(trained, others, epochs=epochs)
    for size in (32, 128, 256):
        sentence = f"Yours is what batches of {size} give; 64 are asked for."
        mistakes[sentence] = _baseline(trained, others, batch_size=size)
    near = min(mistakes, key=lambda sentence: abs(got - mistakes[sentence]))
    if abs(got - mistakes[near]) > 2 * tolerance:
        near = "Train a new `build()` for 50 epochs in batches of 64, on the rows that are given."
    raise NotYet(f"{found} {near}")


@exercise(
    "7.7",
    "Tune by K-fold",
    aliases=("5.7.3",),
    kind="X",
    points=3,
    minutes=25,
    stars=2,
    hints=(
        "Change one thing at a time at first, then combine what helped. Compare fold by fold "
        "before "
        "you believe a small difference.",
        "A learning rate that is too small has not arrived after the last epoch; one that is too "
        "large jumps about. Try factors of 3, not of 1.1.",
        "`configurations = [{'learning_rate': a, 'weight_decay': b} for a in ... for b in ...]`, "
        "then `training.search(build, configurations, x, y, k=5, epochs=50, batch_size=64, "
        "metric='rmse', prepare=prepare).table`.",
    ),
)
def _check_tuning(tune, case):
    x, y = _table_rows(case, 320)
    # Three odd values, which shrink their column only where they take part in its statistics.
    for row, column in zip(case.choice(320, 3, replace=False), (33, 34, 35), strict=True):
        x[row, column] = x[:, column].mean() + 30 * x[:, column].std()
    table = _search_table(tune(x, y))
    for column in ("learning_rate", "weight_decay"):
        different = table[column].nunique()
        expect(
            different >= 2,
            f"The table tries only {different} value of {column}; try at least two of each.",
        )
    settings = table[["learning_rate", "weight_decay"]].drop_duplicates()
    expect(
        len(settings) >= 6,
        f"The table has {len(settings)} different configurations; at least 6 are asked for.",
    )
    lesson = table[np.isclose(table["learning_rate"], 0.01) & (table["weight_decay"] == 0)]
    expect(
        len(lesson) > 0,
        "The lesson's own configuration, learning rate 0.01 without weight decay, is not in the "
        "table. Without it you cannot tell whether another one is better.",
    )
    yield 0.3
    others = table[~np.isclose(table["learning_rate"], 0.01)].sample(1, random_state=case)
    decayed = table[table["weight_decay"] == table["weight_decay"].max()]
    near = (decayed["learning_rate"] - 0.01).abs().argsort()
    decayed = decayed.iloc[near[:1]]
    # The lesson's configuration, one of another rate and one with the largest weight decay are
    # trained here again on the same folds.
    for _, row in pd.concat([lesson.head(1), others, decayed]).drop_duplicates().iterrows():
        rate, decay, mean = row["learning_rate"], row["weight_decay"], row["mean"]
        want = _fold_mean(x, y, rate, decay)
        name = f"learning rate {rate:g} and weight decay {decay:g}"
        if not np.isfinite(want) or want > 1:
            expect(
                not np.isfinite(mean) or mean > 0.5,
                f"With {name} training diverges, but your table says {mean:.4f}.",
            )
            continue
        expect(
            np.isfinite(mean),
            f"With {name} your table says {mean}; the check's own five folds give {want:.4f}. Hand "
            "`prepare` to the search: raw inputs make training diverge.",
        )
        squared = abs(mean - want**2) < 0.1 * want**2
        expect(
            not squared,
            f"With {name} your table says {mean:.4f}, which is a mean *square* error. Give the "
            'search `metric="rmse"`.',
        )
        if abs(mean - want) < 0.003 + 0.02 * want:
            continue
        found = f"On 320 rows of the check, with {name}: your table says {mean:.4f}, and the "
        found += f"check's own five folds give {want:.4f}."
        if decay:
            without = _fold_mean(x, y, rate, 0.0)
            expect(
                abs(mean - without) > 0.003,
                f"{found} That is what no weight decay gives: hand `weight_decay` on to `build`.",
            )
        for why, settings in _WRONG_SEARCHES.items():
            expect(abs(mean - _fold_mean(x, y, rate, decay, **settings)) > 0.005, f"{found} {why}")
        raise NotYet(
            f"{found} Search on the `x` and `y` that are given, with `prepare` inside each fold, "
            "five folds, 50 epochs and batches of 64."
        )


_WRONG_SEARCHES = {
    "That is what inputs give that were standardised over all rows. Hand `prepare` to the search, "
    "so that each fold is standardised by its own training rows.": {"leak": True},
    **{
        f"That is what {epochs} epochs give; 50 are asked for.": {"epochs": epochs}
        for epochs in (5, 10, 20, 100)
    },
    **{f"That is what {k} folds give; five are asked for.": {"k": k} for k in (3, 4, 10)},
    **{
        f"That is what batches of {size} give; 64 are asked for.": {"batch_size": size}
        for size in (32, 128, 256)
    },
}


def _search_table(value):
    """Return what `tune` returned as a data frame of numbers."""
    columns = ["learning_rate", "weight_decay", "mean"]
    answer = SimpleNamespace(name="tune(x, y)", value=value)
    table = pd.DataFrame({c: v for c, v in expect_table(answer, columns).items() if c in columns})
    try:
        return table.astype(float).reset_index(drop=True)
    except (TypeError, ValueError):
        raise NotYet("The table of `tune` holds entries that are no numbers.") from None


def _fold_mean(x, y, learning_rate, weight_decay, *, k=5, leak=False, **settings):
    errors = []
    for rows, held_out in _folds_of_the_page(len(y), k):
        inside, outside = _prepared(x[rows], x[held_out])
        if leak:
            everything = _prepared(x, x)[0]
            inside, outside = everything[rows], everything[held_out]
        errors.append(
            _baseline(
                (inside, y[rows]), (outside, y[held_out]), learning_rate, weight_decay, **settings
            )
        )
    return float(np.mean(errors))


def _folds_of_the_page(count, k=5, seed=0):
    """Return the folds of `training.fold_indices`, without loading TensorFlow."""
    parts = np.array_split(np.random.default_rng(seed).permutation(count), k)
    return [(np.concatenate(parts[:i] + parts[i + 1 :]), part) for i, part in enumerate(parts)]


@exercise(
    "7.8",
    "A better model",
    aliases=("5.7.4",),
    kind="X",
    points=4,
    minutes=40,
    stars=3,
    hints=(
        "With 1,460 rows and 330 columns a hidden layer alone overfits in seconds. Keep the linear "
        "model with its L1 penalty, and let a small hidden layer add what it misses.",
        "Clip the inputs to -4 ... 4, so that no single lot swings a prediction. The output is the "
        "sum of `linear_part(0.001)` and of 64 hidden units with an L2 penalty of 0.01, some "
        "dropout and one output; Adam from 0.002 along a cosine, 100 epochs in batches of 64.",
        "`inputs = Input((330,))`; `hidden = Dense(64, 'relu', kernel_regularizer=L2(0.01))("
        "inputs)`, then `Dropout(0.3)` and `Dense(1, kernel_regularizer=L2(0.01))`; `model = "
        "Model(inputs, Add()([linear_part(0.001)(inputs), hidden]))`; "
        "`compiled(model, 0.002, 64)`; `training.fit(...)` on `np.clip(x_train, -4, 4)`; "
        "`model.predict(np.clip(x_other, -4, 4), verbose=0)`.",
    ),
)
def _check_better(predict_better, case):
    x, table_prices = _house_rows()
    y = table_prices + _bend(x, case)
    folds = _folds_of_the_page(len(y), seed=int(case.integers(1, 1000)))
    errors, lessons = [], []
    for fold in case.choice(5, 2, replace=False):
        rows, held_out = folds[fold]
        inside, outside = _prepared(x[rows], x[held_out])
        given = f"fold {int(fold) + 1}, {len(rows)} rows to train on and {len(held_out)} others"
        got = predict_better(inside, y[rows], outside)
        errors.append(_error_of_predictions(got, y[held_out], table_prices[held_out], given))
        # One order of the batches changes the baseline's error by some per cent.
        runs = [_baseline((inside, y[rows]), (outside, y[held_out]), seed=s) for s in range(4)]
        lessons.append(np.mean(runs))
        expect(
            errors[-1] < 2 * lessons[-1],
            f"Given {given}: your error is {errors[-1]:.4f} and the baseline's {lessons[-1]:.4f} "
            "on the same rows. That is far off: does the model start near 12, the mean of the log "
            "prices, and is the learning rate small enough?",
        )
    pairs = " and ".join(
        f"{own:.4f} against {lesson:.4f}" for own, lesson in zip(errors, lessons, strict=True)
    )
    expect(
        np.mean(errors) < 0.95 * np.mean(lessons),
        f"On two folds your errors are {pairs} of the baseline: not 5 % better on average yet. "
        "Along one column the log prices are bent, which a linear model cannot follow, but hidden "
        "units can. Are the inputs clipped, are there penalties or dropout, and is the model "
        "trained to its end?",
    )


def _bend(x, case):
    """Return an effect on log prices, largest at both ends of a column that varies.

    Its mean, which lies between 0.4 and 0.6, tells predictions of the given prices from a model of
    the page's own table.
    """
    numbers = np.clip(_prepared(x, x)[0][:, :36], -3, 3)
    ends = np.abs(numbers - numbers.mean(axis=0))
    varied = np.mean(np.abs(numbers - np.median(numbers, axis=0)) > 0.3, axis=0) > 0.5
    # Of a skewed column both ends are nearly one, which a linear model can follow.
    skewed = [abs(np.corrcoef(a, b)[0, 1]) > 0.4 for a, b in zip(numbers.T, ends.T, strict=True)]
    bend = ends[:, case.choice(np.flatnonzero(varied & ~np.array(skewed)))]
    spread = 0.2 * (bend - bend.mean()) / bend.std()
    return (spread + case.uniform(0.4, 0.6)).astype("float32")


def _error_of_predictions(got, truth, table_prices, given):
    """Return the log RMSE of what a student's function predicted for rows it has not seen."""
    count, got = len(truth), numbers(got, "the prediction")
    expect(
        got.size == count,
        f"Given {given}: {count} predictions are expected, one for each row of `x_other`; got "
        f"{show(got) if got.size < 12 else got.shape}.",
    )
    expect_shape(np.reshape(got, -1), (count,), given=given, what="the prediction")
    got = np.reshape(got, -1)
    expect(
        bool(np.isfinite(got).all()),
        f"Given {given}: {int((~np.isfinite(got)).sum())} predictions are not finite. Did the "
        "training diverge?",
    )
    expect(
        np.median(got) < 100,
        f"Given {given}: the middle prediction is {np.median(got):,.0f}. Predict the log of the "
        "price, near 12, not the price.",
    )
    expect(
        not 4.5 < np.median(got) < 6,
        f"Given {given}: the middle prediction is {np.median(got):.2f}, which looks like a "
        "logarithm to base 10. Predict the natural log of the price, near 12.",
    )
    known = float(np.sqrt(np.mean((got - table_prices) ** 2)))
    expect(
        known > 0.3,
        f"Given {given}: your predictions are the table's own prices, to within {known:.4f}, and "
        "not those that the check has changed. Train on `x_train` and `y_train` only.",
    )
    return float(np.sqrt(np.mean((got - truth) ** 2)))


def _house_rows():
    """Return the page's `X` and `y`, of the real tables or of the stand-in."""
    from helpers import data

    with contextlib.redirect_stdout(io.StringIO()):  # the page has named its data already
        houses = data.load_house_prices()
    features = [column for column in houses.test if column != "Id"]
    table = houses.train[features]
    numbers = list(table.select_dtypes("number").columns)
    words = pd.get_dummies(table.drop(columns=numbers), dummy_na=True)
    x = np.hstack([table[numbers].to_numpy("float32"), words.to_numpy("float32")])
    return x, np.log(houses.train["SalePrice"]).to_numpy("float32")


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
    draws = {}
    for models, near in ((5, 12), (2, 2), (int(case.integers(6, 12)), 2), (3, 12), (1, 2)):
        houses = int(case.integers(4, 9))
        given = f"log prices of {models} models for {houses} houses, all near {near}"
        draws[given] = case.normal(near, 0.4, (models, houses))
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
        "this is the log of a price; return the price.": [np.log(np.exp(predictions).mean(axis=0))],
        "this is the median of the models; take their mean.": [
            np.exp(np.median(predictions, axis=0)),
            np.median(np.exp(predictions), axis=0),
        ],
        "this is the harmonic mean; the arithmetic mean of the prices is asked for.": [
            1 / np.exp(-predictions).mean(axis=0)
        ],
        "the logs were added. Take their mean.": [np.exp(predictions.sum(axis=0))],
        "the prices were added. Take their mean.": [np.exp(predictions).sum(axis=0)],
        "this is the prediction of one model. Average over all of them.": [
            *np.exp(predictions[[0, -1]])
        ],
        over_houses: [average.T for average in _averages(predictions.T, np.exp)],
        one_less: _averages(predictions, np.expm1),
        powers.format(base=10): _averages(predictions, lambda logs: 10.0**logs),
        powers.format(base=2): _averages(predictions, np.exp2),
    }
    got = numbers(function(predictions), name)
    for sentence, values in wrong.items():
        for value in values:
            is_right = value.shape == want.shape and np.allclose(value, want, rtol=1e-5)
            is_this = value.shape == got.shape and np.allclose(got, value, rtol=1e-6)
            expect(is_right or not is_this, f"Given {given}: {sentence}")
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
    first = int(case.integers(2, 90000))
    ids = case.permutation(np.arange(first, first + 60))[:40]
    prices = case.lognormal(12, 0.4, 40)
    text = submission_csv(ids, prices)
    expect(
        isinstance(text, str),
        f"`submission_csv` should return the text of the file; got {show(text)}.",
    )
    expect(bool(text.strip()), "`submission_csv` returned an empty text.")
    expect(
        "\n" in text.strip(),
        f"`submission_csv` returned the one line {text.strip()!r}. Return the contents of the "
        "file, not its name: a header and one line for each house.",
    )
    header = text.splitlines()[0]
    expect(
        sorted(header.replace('"', "").strip().split(",")) == ["Id", "SalePrice"],
        f"The first line of the text is {header!r}; Kaggle wants Id,SalePrice and no index column.",
    )
    table = pd.read_csv(io.StringIO(text))
    expect(
        table["Id"].dtype.kind != "f",
        f"The second line of the text is {text.splitlines()[1]!r}: ids are whole numbers, without "
        "a decimal point.",
    )
    expect(
        len(table) == 40 and set(table["Id"]) == set(ids),
        f"Given the 40 ids {show(list(map(int, ids[:4])))[:-1]}, ...]: the text has {len(table)} "
        f"rows, with the ids {show(list(table['Id'][:4]))[:-1]}, ...]. Write the ids that are "
        "given.",
    )
    no_numbers = table["SalePrice"][pd.to_numeric(table["SalePrice"], errors="coerce").isna()]
    expect(
        no_numbers.empty,
        f"The text has the price {show(next(iter(no_numbers), None))}, which is no number. Write "
        "digits and a decimal point only.",
    )
    by_id = table.set_index("Id")["SalePrice"].loc[ids].to_numpy(dtype=float)
    expect(
        not np.allclose(np.sort(by_id), np.sort(prices), rtol=1e-3)
        or np.allclose(by_id, prices, rtol=1e-3),
        "Given 40 ids and prices: the prices are not beside the ids that they belong to. Keep the "
        "order of both.",
    )
    expect_close(
        by_id,
        prices,
        given="40 prices",
        what="the column SalePrice",
        rtol=1e-3,
        mistakes={
            "these are logs of prices; write dollars.": np.log(prices),
            "these are thousands of dollars; write dollars.": prices / 1000,
        },
    )
    try:
        column = submission_csv(ids, prices[:, None].astype(np.float32))
    except AnswerError as error:
        raise NotYet(
            f"Given prices of shape (40, 1), as Keras predicts them: your function raised {error}. "
            "Flatten the prices first."
        ) from None
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
        ("a valid text with prices below 1", _valid_submission(ids, prices / 1e6)),
    ):
        found = _problems(submission_problems, fine, ids, name)
        expect(not found, f"Given {name}: your validator complains: {show(found)}.")
    yield 0.6
    few = good.splitlines()[:4]
    found = _problems(submission_problems, "\n".join(few), ids[:3], "a valid text of 3 rows")
    expect(not found, f"Given a valid text of 3 rows: your validator complains: {show(found)}.")
    lines = good.splitlines()
    row = int(case.integers(2, 38))
    broken = {
        "a text whose second column is named Price": good.replace("SalePrice", "Price"),
        "a text with a third column": "\n".join(
            [lines[0] + ",Note", *(line + ",ok" for line in lines[1:])]
        ),
        "a text with a column of row numbers in front": "\n".join(
            ["," + lines[0], *(f"{place},{line}" for place, line in enumerate(lines[1:]))]
        ),
        "a text with a price of 0": "\n".join(
            [*lines[:row], f"{ids[row - 1]},0", *lines[row + 1 :]]
        ),
        "a text that lacks a house": "\n".join(lines[:row] + lines[row + 1 :]),
        "a text with one house twice": "\n".join([*lines, lines[row]]),
        "a text with an id that is not in the test table": "\n".join(
            [*lines, f"{first + 999},150000"]
        ),
        "a text in which one house takes another's id": "\n".join(
            [
                *lines[:row],
                lines[row].replace(f"{ids[row - 1]},", f"{ids[row]},"),
                *lines[row + 1 :],
            ]
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
        found = _problems(submission_problems, bad, ids, name)
        expect(bool(found), f"Given {name}: your validator finds nothing wrong with it.")
    two = "\n".join([*lines[:row], f"{ids[row - 1]},-1000", *lines[row + 1 : -1]])
    name = "a text with a negative price that lacks a house, too"
    found = _problems(submission_problems, two, ids, name)
    expect(
        len(found) > 1,
        f"Given {name}: your validator says {show(found)}; it should name both problems.",
    )


def _problems(submission_problems, text, ids, given):
    """Return what the student's validator finds in a text."""
    try:
        found = submission_problems(text, ids)
    except AnswerError as error:
        if error.kind == "NotImplementedError":
            raise
        where = f" ({error.line})" if error.line else ""
        raise NotYet(
            f"Given {given}: `submission_problems` raised {error}{where}. It should return a list "
            "of sentences, whatever the text holds."
        ) from None
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
        "`estimate, margin = np.mean(fold_errors), np.std(fold_errors)`, and `low` and `high` are "
        "`estimate - margin` and `estimate + margin`.",
    ),
)
def _check_estimate(estimate_score, case):
    for k in (6, 10, int(case.integers(3, 9)), 2):
        errors = case.uniform(0.1, 0.2) + case.normal(0, 0.015, k)
        given = f"the errors {show(np.round(errors, 4))}"
        got = estimate_score(errors)
        names = ("estimate", "low", "high")
        expect(
            isinstance(got, dict) and set(names) <= set(got),
            f"Given {given}: a dict with the keys estimate, low and high is expected; got "
            f"{show(got)}.",
        )
        estimate, low, high = (expect_number(got[name], f"`{name}`") for name in names)
        expect_close(
            estimate,
            errors.mean(),
            given=given,
            what="`estimate`",
            mistakes={
                "`estimate` is the smallest error. The best fold is the luckiest: take the mean.": (
                    errors.min()
                ),
                "`estimate` is the median; the mean is asked for.": np.median(errors),
                "`estimate` is the largest error; take the mean.": errors.max(),
                "`estimate` is the root of the mean square of the errors; take their mean.": (
                    np.sqrt(np.mean(errors**2))
                ),
            }
            if k > 2
            else None,
        )
        expect(
            low < estimate < high,
            f"Given {given}: `low`, `estimate` and `high` are {low:.4f}, {estimate:.4f} and "
            f"{high:.4f}; they should rise.",
        )
        margins = [errors.std(ddof=ddof) for ddof in (0, 1)]
        for name, margin in (("low", estimate - low), ("high", high - estimate)):
            if any(np.isclose(margin, spread, rtol=1e-3) for spread in margins):
                continue
            expect(
                not any(np.isclose(margin, spread / math.sqrt(k), rtol=1e-3) for spread in margins),
                f"Given {given}: `{name}` is one standard error away, which says how well the mean "
                "is known. One standard deviation is asked for: do not divide by the root of k.",
            )
            expect(
                not any(np.isclose(margin, spread**2, rtol=1e-3) for spread in margins),
                f"Given {given}: `{name}` is one variance away; take the root.",
            )
            expect(
                not any(
                    np.isclose(margin, times * spread, rtol=1e-3)
                    for spread in margins
                    for times in (2, 1.96)
                ),
                f"Given {given}: `{name}` is two standard deviations away; one is asked for.",
            )
            end = errors.min() if name == "low" else errors.max()
            expect(
                not np.isclose(margin, abs(end - estimate), rtol=1e-3),
                f"Given {given}: `{name}` is the {'smallest' if name == 'low' else 'largest'} "
                "error. One standard deviation from the estimate is asked for.",
            )
            expect(
                not np.isclose(margin, np.abs(errors - errors.mean()).mean(), rtol=1e-3),
                f"Given {given}: `{name}` is one mean absolute deviation away; the standard "
                "deviation is asked for.",
            )
            raise NotYet(
                f"Given {given}: `{name}` is {margin:.4f} from the estimate; one standard "
                f"deviation of the errors is {margins[1]:.4f} (ddof 1) or {margins[0]:.4f} "
                "(ddof 0)."
            )
        expect(
            np.isclose(estimate - low, high - estimate, rtol=1e-3),
            f"Given {given}: `low` is {estimate - low:.4f} below the estimate and `high` is "
            f"{high - estimate:.4f} above. Take the same standard deviation for both.",
        )
