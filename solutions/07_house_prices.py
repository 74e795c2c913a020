# %% [markdown]
# # 7. Predicting house prices
#
# *After [d2l 5.7](https://d2l.ai/chapter_multilayer-perceptrons/kaggle-house-price.html), in TensorFlow and Keras 3.*
#
# | To read | To run, CPU | To run, GPU | Difficulty | Exercises | Last run with |
# | --- | --- | --- | --- | --- | --- |
# | 75 min | 85 s on 2 cores | not measured | ★★☆ | 11, 28 points | TensorFlow 2.21, Keras 3.15 |

# %% [markdown]
# ## What you will learn
#
# - **Turn** a table of numbers, words and gaps into a matrix without using the test rows.
# - **Measure** a model by K-fold cross-validation, and compare two models in pairs.
# - **Climb** a ladder of models, one change at a time, from an error of 0.146 to below 0.110.
# - **Find** the rows that a model gets wrong, and learn from them.
# - **Write** a submission that Kaggle accepts, from an ensemble of models.
#
# ## Before you start
#
# You need linear regression in Keras from [chapter 1](01_perceptrons.ipynb), weight decay and L1
# from [chapter 5](05_generalization.ipynb) and dropout from [chapter 6](06_dropout.ipynb). Some
# pandas helps. The stored outputs come from the real tables; if you see other numbers, look at the
# line that names your data.

# %% [markdown]
# ## Setup
#
# Besides Keras and pandas, the page uses a few modules of Python's own library, for files and
# checksums, and ipywidgets for one figure that you can play with.

# %% tags=["nbval-ignore-output"]
from helpers import check, data, hint, plotting, progress, solution, training

import hashlib
import io
import json
import os
from pathlib import Path

import ipywidgets
import keras
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

keras.utils.set_random_seed(7)
print(training.device())

# %% [markdown]
# ## A file you can trust
#
# A download can break off, and a file on a server can change. A
# [checksum](../chapters/glossary.md#checksum) such as SHA-256 detects both: it maps the bytes of a
# file to 64 hexadecimal digits, and nobody knows how to make another file with the same digits.
# `data.load_house_prices()` compares the checksum of each file, keeps a verified copy in a
# [cache](../chapters/glossary.md#cache), and uses a generated stand-in if there is no network.

# %%
whole, broken_off = b"Id,SalePrice\n1,150000\n", b"Id,SalePrice\n1,15"
for content in (whole, broken_off):
    print(hashlib.sha256(content).hexdigest()[:32], "...")

# %% tags=["proof"]
assert hashlib.sha256(whole).hexdigest().startswith("d833d8cc08c08669b45d41c6bfbc949b")

# %% [markdown]
# Even a few missing bytes change the checksum completely.

# %% [markdown]
# ## Two tables
#
# Dean De Cock collected the sales of houses in Ames, Iowa, from 2006 to 2010. Kaggle, a site for
# competitions in prediction, split them in two: for one half you see the price, for the other half
# only Kaggle does. The first line of the output says whether you have the real tables; below it are
# seven of the columns. `train.head()` shows whole rows.

# %% tags=["nbval-ignore-output"]
houses = data.load_house_prices()
print(houses)
shown = houses.train.iloc[:, [0, 1, 2, 3, -3, -2, -1]]
pd.DataFrame({"type": shown.dtypes, "values": shown.nunique(), "missing": shown.isna().sum()})

# %% tags=["ladder"]
train, test = houses.train, houses.test
features = [column for column in test if column != "Id"]
numbers = list(train[features].select_dtypes("number").columns)
texts = [column for column in features if column not in numbers]
print("train", train.shape, " test", test.shape)
print("in train only:", *[column for column in train if column not in test])
print(len(features), "features:", len(numbers), "of numbers,", len(texts), "of text")

# %% tags=["proof"]
assert train.shape == (1460, 81) and test.shape == (1459, 80)
assert (len(numbers), len(texts)) == (36, 43)

# %% [markdown]
# Each row is one sale. `Id` only counts the rows, so it is not a feature: a model could learn
# nothing from it but the order of the list.

# %% [markdown]
# ## Text is not object
#
# Many recipes, d2l's among them, select the numeric columns with `dtypes != "object"`. Since pandas
# 3, text has a type of its own, `str`, so that test selects every column. Asking for numbers works
# in every version.

# %%
print("not object:", (train[features].dtypes != "object").sum(), "columns")
print("numbers:   ", len(numbers), "columns")
try:
    train[features].loc[:, train[features].dtypes != "object"].mean()
except TypeError:
    print("the mean of all that is not object: TypeError, it meets text")

# %% [markdown]
# The old test hands all 79 columns to `mean`, and words have no mean.

# %% [markdown]
# ## Prices are skewed
#
# A few houses cost several times as much as most. On such a
# [skewed](../chapters/glossary.md#skewness) scale, the squared error is mostly about the few
# expensive houses. Logarithms pull the long tail in.

# %% tags=["nbval-ignore-output"]
price = train["SalePrice"]
figure, axes = plt.subplots(1, 2, figsize=(7, 2.6))
axes[0].hist(price / 1000, bins=40)
axes[0].set(xlabel="price (1000 dollars)", ylabel="houses")
axes[1].hist(np.log(price), bins=40)
axes[1].set(xlabel="log of the price")
plt.show()
print(f"skewness {price.skew():.2f}, of the logs {np.log(price).skew():.2f}; "
      f"mean of the logs {np.log(price).mean():.2f}")

# %% tags=["proof"]
assert price.skew() > 1.5 and abs(np.log(price).skew()) < 1
assert abs(np.log(price).mean() - 12) < 0.15

# %% [markdown]
# The left histogram has a long tail; the right one is nearly bell-shaped. Its middle is near 12,
# which is 162,755 dollars; the models below start there.

# %% [markdown]
# ## Standardise, fill, one-hot: d2l's recipe
#
# Square feet run to thousands and bathrooms to three. The first step gives all numbers one scale,
# by [standardization](../chapters/glossary.md#standardization) with the mean $\mu$ and the standard
# deviation $\sigma$ of the column:
#
# $$x \leftarrow \frac{x - \mu}{\sigma}.\tag{5.7.1}$$
#
# Now 0 is the mean, so filling a gap with 0 is [imputation](../chapters/glossary.md#imputation) of
# the mean. Text becomes [one-hot](../chapters/glossary.md#one-hot-encoding) columns, one for each
# category and one for "missing".

# %%
recipe = pd.concat([train[features], test[features]])
recipe[numbers] = (recipe[numbers] - recipe[numbers].mean()) / recipe[numbers].std()
recipe[numbers] = recipe[numbers].fillna(0)
recipe = pd.get_dummies(recipe, dummy_na=True, dtype=float)
print(len(features), "features became", recipe.shape[1], "columns:",
      len(numbers), "of numbers and", recipe.shape[1] - len(numbers), "of zeros and ones")
print("gaps left:", recipe.isna().sum().sum())

# %% tags=["proof"]
assert recipe.shape == (2919, 330) and not recipe.isna().any(axis=None)

# %% [markdown]
# Older copies of d2l print 331 columns for the same recipe. The difference is one word: the table
# says `None` where a house has no veneer, and pandas from 2.0 on reads this word as a missing value.

# %% tags=["nbval-ignore-output"]
veneer = train[["MasVnrType", "MasVnrArea"]].isna()
no_area = veneer["MasVnrType"] & veneer["MasVnrArea"]
print("missing type:", veneer["MasVnrType"].sum(), "- of these the area is missing, too:",
      no_area.sum())
told_apart = train["MasVnrType"].mask(veneer["MasVnrType"] & ~no_area, "None")
print("columns with None as a category:", recipe.shape[1] + ("None" in told_apart.unique()))

# %% tags=["proof"]
assert no_area.sum() == 8 and "None" in told_apart.unique() and recipe.shape[1] == 330
if houses.source == "real":
    assert veneer["MasVnrType"].sum() == 872

# %% [markdown]
# In the real tables, 864 houses without veneer and 8 about which nothing is known became one
# category. The area of the veneer tells them apart again, and the ladder below uses it. Newer
# copies of d2l also print 331, but that count includes the label.

# %% [markdown]
# ## The leak
#
# That recipe takes $\mu$ and $\sigma$ over both tables. Then the test rows help to shape the
# training data, which is [data leakage](../chapters/glossary.md#data-leakage): a measurement made
# on rows that took part is not a measurement on new rows. How far do the training rows move?

# %% tags=["nbval-ignore-output"]
def shift_of_zero(own, other):
    both = pd.concat([own, other])
    return (own.mean() - both.mean()) / both.std()

moved = shift_of_zero(train[numbers], test[numbers]).abs()
print(f"zero moves in {(moved > 0).sum()} of {len(numbers)} columns, by {moved.max():.3f} standard "
      "deviations at most")
larger = shift_of_zero(train["LotArea"], 3 * test["LotArea"])
print(f"if test lots were 3 times as large: by {larger:.2f}")

# %% tags=["proof"]
assert (moved > 0).all() and moved.max() < 0.1 and larger < -0.3

# %% [markdown]
# The halves are alike, so this leak is small; you know it only because you looked. The rule costs
# nothing: statistics come from training rows alone.

# %% [markdown]
# ### Exercise 7.1 — Preprocessing without a leak
# *3 points · ★★★ · 25 min · stuck? run `hint("7.1")`*
#
# **Given** two data frames with the same columns, some of numbers (with gaps) and some of text
# (with gaps). `other` may hold categories that `train` does not have.
#
# **Write** `preprocess(train, other)`: standardise the numbers with the mean and standard deviation
# of `train` (a standard deviation of 0 counts as 1), then fill gaps with 0; replace each text
# column `c` by `c_category` for every category of `train`, and `c_nan`.
#
# **Shapes** two data frames of numbers with the rows of `train` and `other`, and the same columns
# in the same order. A row of `other` with an unknown category has zeros there.
#
# **Done when** nothing in the first frame changes when `other` does, and no gap is left.

# %%
def preprocess(train, other):
    """Return both tables as numbers, with statistics and categories of train alone."""
    ### BEGIN SOLUTION
    numbers = train.select_dtypes("number").columns
    mean, std = train[numbers].mean(), train[numbers].std().replace(0, 1)

    def encode(table):
        table = table.copy()
        table[numbers] = ((table[numbers] - mean) / std).fillna(0)
        return pd.get_dummies(table, dummy_na=True, dtype=float)

    train, other = encode(train), encode(other)
    return train, other.reindex(columns=train.columns, fill_value=0.0)
    ### END SOLUTION

# %%
check("7.1", preprocess)

# %% [markdown]
# ## A gap can be an answer
#
# Most gaps of these tables are not accidents. `GarageYrBlt` is empty where no garage was ever built,
# `PoolQC` where there is no pool: these values do not exist, and other columns say so. Such gaps are
# *structural*. `LotFrontage` is different; somebody did not write it down.
#
# Rubin distinguishes three kinds of accidents: a value is missing *completely at random* (nothing
# in the row predicts the gap), *at random* (what you see in the row predicts it), or [not at
# random](../chapters/glossary.md#missing-not-at-random) (the hidden value itself matters, even
# after you know the rest).

# %% tags=["nbval-ignore-output"]
gaps = {name: 100 * train[name].isna().mean()
        for name in ("PoolQC", "Alley", "LotFrontage", "GarageYrBlt")}
plotting.bars(gaps, ylabel="rows without a value (%)")
without = train["GarageType"].isna()
print(f"garage year missing: {train['GarageYrBlt'].isna().sum()} rows, no garage: {without.sum()}")
print(f"median price: {price[without].median():,.0f} dollars without a garage, "
      f"{price[~without].median():,.0f} with one")

# %% tags=["proof"]
assert train["GarageYrBlt"].isna().equals(without) and gaps["PoolQC"] > 95
assert price[without].median() < 0.9 * price[~without].median()

# %% [markdown]
# The two conditions hold in the same rows. For text, the column for "missing" keeps what a gap
# tells. For numbers, the mean throws it away: it invents a garage of average age.

# %% [markdown]
# ### Exercise 7.2 — When the mean is wrong (d2l 5.7.2)
# *3 points · ★★☆ · 20 min · stuck? run `hint("7.2")`*
#
# **Given** true values `truth` without gaps. For the other functions: `values` with gaps (NaN), a
# boolean array `absent` that says which houses have no basement at all, and a number `filling`.
#
# **Write** three functions:
#
# - `hide(truth)` returns the values with 5 to 60 % of them replaced by NaN, so that the mean of the
#   rest misleads: it is off by more than 0.25 standard deviations.
# - `typical(values, absent)` returns the mean of the values that are there, over houses that have a
#   basement.
# - `impute(values, absent, filling)` fills a gap with 0 where the basement is absent, and with
#   `filling` elsewhere.
#
# **Shapes** all arrays are (n,); `typical` returns one number. Do not change the arguments.
#
# **Done when** your `hide` misleads on data that the check chooses, whether values are skewed or
# negative, and `impute` changes nothing but gaps.

# %%
def hide(truth):
    """Return truth with gaps whose place depends on the values."""
    ### BEGIN SOLUTION
    return np.where(truth > np.quantile(truth, 0.7), np.nan, truth)
    ### END SOLUTION


def typical(values, absent):
    """Return the mean of the values that are there, over houses that have the part."""
    ### BEGIN SOLUTION
    return np.nanmean(values[~absent])
    ### END SOLUTION


def impute(values, absent, filling):
    """Return values with 0 in the gaps where absent, and filling in the other gaps."""
    ### BEGIN SOLUTION
    return np.where(np.isnan(values), np.where(absent, 0.0, filling), values)
    ### END SOLUTION

# %%
check("7.2", hide, typical, impute)

# %% [markdown]
# ### Exercise 7.3 — Missing for a reason (d2l 5.7.2)
# *2 points · ★★☆ · 8 min · stuck? run `hint("7.3")`*
#
# If values are not missing completely at random, what can go wrong when you fill the gaps with the
# mean? Give a case in which it does harm, say in which direction, and what you would do instead.

# %% [markdown] tags=["answer"]
# **Answer 7.3.** The mean of the visible values estimates the mean of the hidden ones only if the
# gaps are missing completely at random. If they depend on other columns (missing at random), the
# mean within groups of those columns is a better filling. Take the area of a basement: where there
# is no basement the gap is structural, its value is 0, and the mean gives such a house an average
# basement. The model then learns that basements are worth less than they are. In a survey, people
# with high incomes skip the question more often (not at random); the mean of the rest is too low for
# exactly them. Better: use what the gap means (0, or a category "none"), or fill it and add a
# column that is 1 where a gap was, so that the model can learn what gaps are worth.

# %% [markdown]
# ## Rows to numbers, statistics later
#
# For cross-validation the statistics will change from fold to fold, so split the work. `encode`
# looks at one row at a time and estimates nothing. The list of categories is part of the
# description of the data, like the names of its columns.

# %% tags=["ladder"]
categories = pd.get_dummies(train[texts], dummy_na=True).columns

def encode(table):
    words = pd.get_dummies(table[texts], dummy_na=True)
    words = words.reindex(columns=categories, fill_value=False)
    return np.hstack([table[numbers].to_numpy("float32"), words.to_numpy("float32")])

# %% [markdown]
# `prepare` holds all that is estimated. It learns from its first argument and applies to both. Its
# `fill` is the `impute` of exercise 7.2 (use yours if it passed), and so is the mean that it gets.

# %% tags=["ladder"]
def fill(values, absent, filling):
    return np.where(np.isnan(values), np.where(absent, 0.0, filling), values)

def prepare(x_train, x_other):
    mean, std = np.nanmean(x_train[:, :36], axis=0), np.nanstd(x_train[:, :36], axis=0)
    results = x_train.copy(), x_other.copy()
    for x in results:
        x[:, :36] = (fill(x[:, :36], False, mean) - mean) / np.maximum(std, 1e-6)
    return results

# %% tags=["ladder"]
X, X_test = encode(train), encode(test)
y = np.log(train["SalePrice"]).to_numpy("float32")

# %% tags=["nbval-ignore-output"]
A, B = prepare(X[:1168], X[1168:])
print("X", X.shape, " X_test", X_test.shape, " y", y.shape)
print("gaps before:", np.isnan(X).sum(), " after:", np.isnan(A).sum() + np.isnan(B).sum())
print(f"largest mean of a column: {np.abs(A[:, :36].mean(axis=0)).max():.5f} in the rows learned "
      f"from, {np.abs(B[:, :36].mean(axis=0)).max():.3f} in the others")

# %% tags=["proof"]
assert X.shape == (1460, 330) and not np.isnan(A).any() and not np.isnan(B).any()
assert np.abs(A[:, :36].mean(axis=0)).max() < 5e-4 and np.abs(B[:, :36].mean(axis=0)).max() > 0.05

# %% [markdown]
# The rows that `prepare` learned from have mean 0 in each column of numbers; the others do not.
# That is what new rows look like.

# %% [markdown]
# ## The error of log prices
#
# Being off by 100,000 dollars is a disaster for a house worth 125,000 and quite good for one worth
# four million. What counts is the [relative error](../chapters/glossary.md#relative-error). Kaggle
# measures the [root mean squared error](../chapters/glossary.md#root-mean-squared-error) of
# logarithms:
#
# $$\sqrt{\frac1n \sum_{i=1}^n \left(\log y_i - \log \hat y_i\right)^2}.\tag{5.7.2}$$

# %%
for actual, predicted in [(125_000, 225_000), (4_000_000, 4_100_000), (4_000_000, 7_200_000)]:
    print(f"{actual:>9,} taken for {predicted:>9,}: off by {predicted - actual:>9,} dollars, "
          f"error of the logs {np.log(predicted / actual):.3f}")
for error in (0.142, 0.110):
    print(f"an error of {error:.3f} is a factor of {np.exp(error):.3f}")

# %% tags=["proof"]
assert 225 / 125 == 7.2 / 4 == 1.8
assert round(1000 * np.exp(0.142)) == 1153 and round(1000 * np.exp(0.11)) == 1116

# %% [markdown]
# The first and the last line are wrong by the same factor, 1.8, and the error of the logs is the
# same. An error $e$ means that a typical prediction is off by the factor $\exp(e)$, up or down:
# 1.153, or 15 %, at 0.142, where the baseline below is.

# %% [markdown]
# ### Exercise 7.4 — Error of log prices
# *2 points · ★☆☆ · 10 min · stuck? run `hint("7.4")`*
#
# **Given** true prices in dollars, shape (n,), and predictions in dollars, shape (n,) or (n, 1) as
# Keras returns them. A prediction may be 0 or negative.
#
# **Write** `log_rmse(prices, predictions)` as in (5.7.2); predictions below 1 count as 1.
#
# **Shapes** one number comes back.
#
# **Done when** both shapes give the same number and it is finite.

# %%
def log_rmse(prices, predictions):
    """Return the root mean squared error of the logs of the prices."""
    ### BEGIN SOLUTION
    predictions = np.maximum(np.ravel(predictions), 1)
    return np.sqrt(np.mean((np.log(predictions) - np.log(np.ravel(prices))) ** 2))
    ### END SOLUTION

# %%
check("7.4", log_rmse)

# %% [markdown]
# ## A linear baseline, from scratch
#
# Begin with the simplest model that could work; a [baseline](../chapters/glossary.md#baseline)
# tells you later what the effort was worth. The model predicts the log of the price, $\hat y =
# \mathbf{x}^\top\mathbf{w} + b$, so the mean squared error is the square of (5.7.2). The bias
# starts at 12, the log of a typical price: from 0, the first steps would do nothing but climb
# there.
#
# Predict before you run it: the spread of the log prices is 0.4. Which error can a linear model
# reach on houses that it has not seen?

# %% tags=["nbval-ignore-output"]
w, b = np.zeros(330, "float32"), np.float32(12)
errors = []
for _ in range(200):
    errors.append([np.sqrt(np.mean((rows @ w + b - prices) ** 2))
                   for rows, prices in ((A, y[:1168]), (B, y[1168:]))])
    off_by = A @ w + b - y[:1168]
    w -= 0.02 * 2 * A.T @ off_by / len(A)
    b -= 0.02 * 2 * off_by.mean()
errors = np.array(errors)
plotting.lines(np.arange(200), {"training rows": errors[:, 0], "other rows": errors[:, 1]},
               xlabel="steps of gradient descent taken", ylabel="log RMSE")
half = np.median(np.abs(B @ w + b - y[1168:]))
print(f"error at the end: {errors[-1, 0]:.3f} on training rows, {errors[-1, 1]:.3f} on others; "
      f"half of the others are off by less than {half:.3f}")

# %% tags=["proof"]
assert abs(y.std() - 0.4) < 0.05 and abs(errors[0, 0] - 0.4) < 0.06
assert 0.08 < errors[-1, 0] < errors[0, 0] / 2 and 0.1 < errors[-1, 1] < 0.25 and half < 0.12

# %% [markdown]
# From 0.4, the training error falls by more than half. Half of the houses that the model has not
# seen are predicted to within about a tenth of their price.

# %% [markdown]
# ## The same baseline in Keras
#
# `Dense(1)` with the same start, the same rows and one batch of all of them must take the same
# steps. `weight_decay` is for later; Keras's `L2(l)` adds $l\lVert\mathbf{w}\rVert^2$, so chapter
# 5's $\frac{\lambda}{2}\lVert\mathbf{w}\rVert^2$ is `L2(λ / 2)`.

# %% tags=["ladder"]
def build(learning_rate=0.01, weight_decay=0.0):
    output = keras.layers.Dense(1, kernel_initializer="zeros",
                                bias_initializer=keras.initializers.Constant(12),
                                kernel_regularizer=keras.regularizers.L2(weight_decay / 2))
    model = keras.Sequential([keras.Input(shape=(330,)), output])
    model.compile(optimizer=keras.optimizers.SGD(learning_rate=learning_rate), loss="mse",
                  metrics=[keras.metrics.RootMeanSquaredError(name="rmse")])
    return model

# %% tags=["nbval-ignore-output"]
model = build(learning_rate=0.02)
training.fit(model, A, y[:1168], epochs=200, batch_size=1168)
kernel, bias = model.get_weights()
print(f"largest difference of a weight {np.abs(kernel[:, 0] - w).max():.1e}, of the bias "
      f"{abs(bias[0] - b):.1e}; largest weight {np.abs(w).max():.3f}")

# %% tags=["proof"]
assert np.abs(kernel[:, 0] - w).max() < 1e-3 and abs(bias[0] - b) < 1e-3

# %% [markdown]
# All 331 numbers agree. From here on, Keras does the training.

# %% [markdown]
# ## K-fold: every row is validated once
#
# One held-out part of 292 rows gives an error that depends on which rows they are. [K-fold
# cross-validation](../chapters/glossary.md#k-fold-cross-validation) cuts the rows into $K$ parts,
# trains $K$ times on all but one, and measures on the one left out. Each row is validated exactly
# once, by a model that has not seen it.

# %%
for number, (rows, held_out) in enumerate(training.fold_indices(22, 5, shuffle=False), start=1):
    picture = "".join("V" if row in held_out else "." for row in range(22))
    print(f"fold {number}: {picture} {len(rows)} to train on, {len(held_out)} to validate")

# %% [markdown]
# 22 rows do not divide by 5, so two parts have one row more. d2l's own function cuts parts of $n
# // K$ rows, and its last rows are never validated.

# %% [markdown]
# ### Exercise 7.5 — Fold indices
# *2 points · ★★☆ · 15 min · stuck? run `hint("7.5")`*
#
# **Given** a number of rows `n` and a number of folds `k`.
#
# **Write** `fold_rows(n, k)`: a list of `k` pairs (rows to train on, rows to validate on), with a
# `ValueError` unless $2 \le k \le n$. Deal the rows like cards: row `r` is validated in fold
# `r % k`, so fold 0 validates the rows 0, k, 2k, ...
#
# **Shapes** each part is a list or an array of row numbers from 0 to n - 1.
#
# **Done when** every row is validated in its fold, also where k does not divide n, and every fold
# trains on all other rows.

# %%
def fold_rows(n, k):
    """Return k pairs (rows to train on, rows to validate on)."""
    ### BEGIN SOLUTION
    if not 2 <= k <= n:
        raise ValueError(f"k must be between 2 and the {n} rows; it is {k}.")
    rows = np.arange(n)
    return [(rows[rows % k != fold], rows[rows % k == fold]) for fold in range(k)]
    ### END SOLUTION

# %%
check("7.5", fold_rows)

# %% [markdown]
# ## K-fold by hand
#
# Now the whole measurement. Inside the loop, `prepare` learns from the training rows of that fold
# only, so each validation row is as new as a test row. The loop takes about four seconds.

# %% tags=["nbval-ignore-output"]
fold_errors, validated = [], np.zeros(len(X), dtype=int)
for rows, held_out in training.fold_indices(len(X), 5):
    inside, outside = prepare(X[rows], X[held_out])
    history = training.fit(build(), inside, y[rows], epochs=50, batch_size=64, seed=0,
                           validation_data=(outside, y[held_out])).history
    fold_errors.append(history["val_rmse"][-1])
    validated[held_out] += 1
print("errors", np.round(fold_errors, 3), "mean", np.mean(fold_errors).round(4))
print("rows validated once:", (validated == 1).sum(), "of", len(X))

# %% tags=["proof"]
assert len(set(fold_errors)) == 5
assert (validated == 1).all() and all(0.1 < error < 0.3 for error in fold_errors)

# %% [markdown]
# Five parts of one table, five different errors. With the real data one fold is much worse than the
# others; the section after next asks why.

# %% [markdown]
# ## K-fold with one call
#
# `training.k_fold` takes the builder, the rows and `prepare`, and trains all five models together
# instead of one after the other. Below it, the same on inputs standardised once over all rows: does
# this leak matter? Compare *in pairs*: the same fold, both ways. The spread between folds is the
# same in both runs and cancels in the difference.

# %% tags=["nbval-ignore-output"]
settings = {"k": 5, "epochs": 50, "batch_size": 64, "metric": "rmse"}
result = training.k_fold(build, X, y, prepare=prepare, **settings)
with_leak = training.k_fold(build, prepare(X, X)[0], y, **settings)
result.plot()
baseline, leaky = (table.filter(like="fold").iloc[0].to_numpy()
                   for table in (result.table, with_leak.table))
print("baseline:      ", baseline.round(4), f"mean {baseline.mean():.4f}, sd {baseline.std():.4f}")
print("with leak:     ", leaky.round(4), f"mean {leaky.mean():.4f}")
pairs = leaky - baseline
print("difference:    ", pairs.round(5), f"mean {pairs.mean():.5f}, sd {pairs.std():.5f}")

# %% tags=["proof"]
assert abs(baseline.mean() - np.mean(fold_errors)) < 0.01
curve = np.mean([history["val_rmse"] for history in result.histories.values()], axis=0)
assert len(curve) == 50 and abs(curve[-1] - curve[-10]) < baseline.std()
assert abs(pairs.mean()) < 0.01 and pairs.std() < baseline.std()

# %% [markdown]
# The mean agrees with the loop. Single folds differ by much more than the two ways of standardising
# differ within a fold, which is why comparing in pairs shows small effects that two means hide.
# Here the leak is worth almost nothing. It would matter with fifty rows, or with a statistic that
# uses the label.

# %% [markdown]
# ## Find the house that ruins a fold
#
# One number hides which houses it comes from. Every row was validated once, so each has a
# prediction from a model that never saw it. The difference from the truth is the
# [residual](../chapters/glossary.md#residual).

# %%
def logs_by(member, inputs):
    return keras.ops.convert_to_numpy(member(inputs))[:, 0]

# %% tags=["nbval-ignore-output"]
residual, fold_of = np.empty(len(y)), np.empty(len(y), dtype=int)
folds = training.fold_indices(len(X), 5)
for number, (member, (rows, held_out)) in enumerate(zip(result.models(), folds, strict=True)):
    _, outside = prepare(X[rows], X[held_out])
    residual[held_out] = logs_by(member, outside) - y[held_out]
    fold_of[held_out] = number
plt.plot(y, residual, "o", markersize=2, alpha=0.5)
plt.axhline(0, color="black", linewidth=1)
plt.xlabel("log of the price")
plt.ylabel("prediction - truth, in logs")
plt.show()
for row in np.argsort(-np.abs(residual))[:2]:
    print(f"Id {train['Id'][row]}, fold {fold_of[row] + 1}: predicted {np.exp(y + residual)[row]:,.0f} "
          f"dollars, sold for {price[row]:,}; {train['GrLivArea'][row]:,} square feet, "
          f"{train['SaleCondition'][row]}")

# %% [markdown]
# Two points are far from the cloud: very large houses, predicted at several times their price. How
# much of the error is theirs? Play with the number of houses left out of the *measurement*.

# %% tags=["nbval-ignore-output"]
def without_worst(houses_left_out=0):
    kept = np.argsort(np.abs(residual))[: len(y) - houses_left_out]
    squares = [residual[kept][fold_of[kept] == fold] ** 2 for fold in range(5)]
    return np.sqrt([part.mean() for part in squares])

def draw(houses_left_out=0):
    values = without_worst(houses_left_out)
    names = [f"fold {fold}" for fold in range(1, 6)]
    plotting.bars(dict(zip(names, values, strict=True)), ylabel="log RMSE")

print("all houses:       ", without_worst(0).round(3))
print("without the worst:", without_worst(2).round(3))
draw(2)

# %% tags=["nbval-ignore-output"]
slider = ipywidgets.interact(draw, houses_left_out=ipywidgets.IntSlider(0, 0, 20))

# %% tags=["proof"]
everything = without_worst(0)
assert np.allclose(everything, baseline, atol=0.01)
assert without_worst(2).max() < everything.max() and without_worst(20).max() < everything.max()
if houses.source == "real":
    worst_two = set(train["Id"][np.argsort(-np.abs(residual))[:2]])
    assert worst_two == {524, 1299} and everything.max() > 0.17 and without_worst(2).max() < 0.14

# %% [markdown]
# With the real data, most of the gap between the folds is two houses, Id 524 and Id 1299. The spread
# of the folds told little about the model and much about two sales; they come back below.

# %% [markdown]
# ## Units, penalties and Adam
#
# Why standardise at all? Measure a column in square metres instead of square feet: its numbers
# shrink by a factor of 10.8, so its weight grows by a factor of 10.8, and a penalty on the squared
# weight grows by a factor of 116, though the model is the same. On standardised columns a weight
# has one meaning, the effect of one standard deviation, so one penalty treats all columns alike.
# Step sizes have the same problem: a gradient contains the input.

# %% tags=["nbval-ignore-output"]
raw = np.nan_to_num(X[:1168])
for name, inputs in (("standardised", A), ("raw", raw)):
    gradient = np.abs(2 * inputs.T @ (12 - y[:1168]) / len(inputs))[:36]
    print(f"{name:12} gradients of the 36 numbers from {gradient.min():.3f} to {gradient.max():,.3f}")

# %% tags=["proof"]
assert gradient.max() > 100

# %% [markdown]
# One learning rate cannot serve raw columns. Adam divides each gradient by its own typical size, so
# it survives raw inputs, but the penalty still depends on units.

# %% [markdown]
# ### Exercise 7.6 — Without standardising (d2l 5.7.5)
# *2 points · ★★☆ · 15 min · stuck? run `hint("7.6")`*
#
# **Given** `build` and `prepare`; training rows `x_train`, `y_train` and other rows `x_other`,
# `y_other` in the form of `X` and `y`. Predict first: what happens without standardising?
#
# **Write** `raw_and_standardised(x_train, y_train, x_other, y_other)`, which trains the baseline (50
# epochs, batches of 64) twice: with inputs whose gaps become 0 but that are not standardised, and
# with `prepare`. It returns the two log RMSEs on the other rows. If the loss is no longer finite,
# `training.fit` raises `training.NonFiniteLoss`: then the error is `np.inf`.
#
# **Shapes** (error raw, error standardised), two numbers.
#
# **Done when** the check's own rows, some of them with inputs near 1, give the errors of models
# that were actually trained.

# %%
def raw_and_standardised(x_train, y_train, x_other, y_other):
    """Return the log RMSE of the baseline on raw and on standardised inputs."""
    ### BEGIN SOLUTION
    def error_of(inside, outside):
        try:
            history = training.fit(build(), inside, y_train, epochs=50, batch_size=64, seed=0,
                                   validation_data=(outside, y_other)).history
        except training.NonFiniteLoss:
            return np.inf
        return history["val_rmse"][-1]

    filled = np.nan_to_num(x_train), np.nan_to_num(x_other)
    return error_of(*filled), error_of(*prepare(x_train, x_other))
    ### END SOLUTION

# %%
check("7.6", raw_and_standardised)

# %% [markdown]
# ## Choosing between models
#
# Learning rate, weight decay, width: a setting that training does not learn is a
# [hyperparameter](../chapters/glossary.md#hyperparameter), and choosing one is [model
# selection](../chapters/glossary.md#model-selection). `training.search`, known from chapter 2,
# measures a list of configurations on the same folds.
#
# The best of many is partly the luckiest of many. So its error is a little too low, and the more
# configurations you try, the more so. The test table must play no part in the choice.

# %% tags=["nbval-ignore-output"]
rates = [0.0001, 0.001, 0.01, 0.03]
searched = training.search(build, [{"learning_rate": rate} for rate in rates], X, y,
                           prepare=prepare, **settings)
by_rate = searched.table.set_index("learning_rate").loc[rates]
plotting.lines(rates, {"five folds": by_rate["mean"]}, spread={"five folds": by_rate["spread"]},
               xlabel="learning rate", ylabel="log RMSE", xscale="log")
against = by_rate.filter(like="fold") - by_rate.filter(like="fold").loc[0.01]
print("difference from the rate 0.01, fold by fold:")
print(against.round(4).to_string(header=False))

# %% tags=["proof"]
assert by_rate["mean"].idxmax() == 0.0001
if houses.source == "real":
    assert (against.loc[0.001] > 0).all() and by_rate.loc[0.001, "mean"] < 2 * by_rate["mean"].min()

# %% [markdown]
# After 50 epochs, 0.0001 has not converged. The bands of the other three overlap, and one might
# call them equal. The pairs say more: on the real data 0.001 is worse than 0.01 in all five folds.

# %% [markdown]
# ### Exercise 7.7 — Tune by K-fold (d2l 5.7.3)
# *3 points · ★★☆ · 25 min · stuck? run `hint("7.7")`*
#
# **Given** `build(learning_rate, weight_decay)`, `prepare` and `training.search`; rows `x` and `y` in
# the form of `X` and `y`.
#
# **Write** `tune(x, y)`, which searches over at least two learning rates and at least two values of
# weight decay, six configurations or more in all, 0.01 with no decay among them, by five folds, 50
# epochs and batches of 64, and returns the search's `.table`. Run it on `X` and `y` and look at it.
#
# **Shapes** a table with the columns `learning_rate`, `weight_decay` and `mean` (the log RMSE over
# five folds), one row per configuration.
#
# **Done when** on the check's own rows, a configuration that it draws gets the same error when the
# check trains it.

# %%
def tune(x, y):
    """Return the table of a search over learning rate and weight decay."""
    ### BEGIN SOLUTION
    configurations = [
        {"learning_rate": learning_rate, "weight_decay": weight_decay}
        for learning_rate in (0.003, 0.01, 0.03)
        for weight_decay in (0.0, 0.02)
    ]
    return training.search(build, configurations, x, y, k=5, epochs=50, batch_size=64,
                           metric="rmse", prepare=prepare).table
    ### END SOLUTION

# %%
check("7.7", tune)

# %% [markdown]
# ## Trained to its end, and past it
#
# The baseline stopped after 50 epochs. Was that too early? Here is the same linear model with
# [Adam](../chapters/glossary.md#adam), whose steps do not depend on the scale of a gradient, and
# with a learning rate that falls to zero along a cosine, so that training converges. A second run
# adds an L1 penalty, known from chapter 5, and both start from a bias of 12, the centre of the log
# prices.
#
# Predict before you run it: does the error of the baseline fall if you train it to convergence?

# %% tags=["ladder"]
EPOCHS = 100

def compiled(model, learning_rate, batch_size, loss="mse"):
    steps = EPOCHS * -(-1168 // batch_size)
    decay = keras.optimizers.schedules.CosineDecay(learning_rate, steps)
    model.compile(optimizer=keras.optimizers.Adam(learning_rate=decay), loss=loss,
                  metrics=[keras.metrics.RootMeanSquaredError(name="rmse")])
    return model

def linear_part(l1):
    return keras.layers.Dense(1, kernel_initializer="zeros",
                              bias_initializer=keras.initializers.Constant(12),
                              kernel_regularizer=keras.regularizers.L1(l1))

def build_linear(columns, l1=0.0):
    model = keras.Sequential([keras.Input(shape=(columns,)), linear_part(l1)])
    return compiled(model, learning_rate=0.01, batch_size=128)

# %% tags=["nbval-ignore-output"]
to_the_end = training.search(build_linear, [{"columns": 330, "l1": l1} for l1 in (0.0, 0.001)], X, y,
                             k=5, epochs=EPOCHS, batch_size=128, metric="rmse", prepare=prepare)
to_the_end.plot()

# %% tags=["nbval-ignore-output"]
to_the_end.table[["l1", "mean", "spread"]].round(4)

# %% tags=["proof"]
by_l1 = to_the_end.table.set_index("l1")["mean"]
assert by_l1[0.001] < by_l1[0.0] - 0.002

# %% [markdown]
# Training to convergence made the unpenalised model *worse* than the baseline on the real data: 1,168
# rows do not determine 330 weights, and the 50 epochs of the baseline were early stopping in
# disguise.
# With the penalty, training to the end pays. Better inputs come next.

# %% [markdown]
# ### Exercise 7.8 — A better model (d2l 5.7.4)
# *4 points · ★★★ · 40 min · stuck? run `hint("7.8")`*
#
# **Given** prepared rows of 330 columns, as `prepare` returns them: `x_train` with log prices
# `y_train`, and `x_other`. `linear_part` and `compiled` are above.
#
# **Write** `predict_better(x_train, y_train, x_other)`, which trains a Keras model of your own, with
# hidden layers, weight decay and dropout as you like, and returns its predictions of the log prices
# of `x_other`. Try your model with `training.k_fold` on `X` and `y` first. Prepared numbers reach 30
# standard deviations; you may clip them. Keep one call to about five seconds.
#
# **Shapes** (n, 330), (n,), (m, 330) in; (m,) or (m, 1) out.
#
# **Done when** on two folds that the check draws, the mean of your errors is at least 5 % below that
# of the baseline (50 epochs, learning rate 0.01). The rows come from the table, but the check changes
# their log prices: it raises all by one number, and those at both ends of one column further, which a
# linear model cannot follow.

# %%
def predict_better(x_train, y_train, x_other):
    """Return the predicted log prices of x_other."""
    ### BEGIN SOLUTION
    penalty = keras.regularizers.L2(0.01)
    inputs = keras.Input((330,))
    hidden = keras.layers.Dense(64, activation="relu", kernel_regularizer=penalty)(inputs)
    hidden = keras.layers.Dropout(0.3)(hidden)
    hidden = keras.layers.Dense(1, kernel_regularizer=penalty)(hidden)
    both = keras.layers.Add()([linear_part(0.001)(inputs), hidden])
    model = compiled(keras.Model(inputs, both), learning_rate=0.002, batch_size=64)
    training.fit(model, np.clip(x_train, -4, 4), y_train, epochs=EPOCHS, batch_size=64)
    return model.predict(np.clip(x_other, -4, 4), verbose=0)
    ### END SOLUTION

# %%
check("7.8", predict_better)

# %% [markdown]
# ## None, zero and grades
#
# The first rung repairs what was lost when the file was read: no veneer becomes a category, and a
# value for a part of the house that does not exist becomes 0. `MSSubClass` is a code, so it becomes
# text. The second rung keeps an order that one-hot columns forget: a kitchen is poor, fair,
# typical, good or excellent, in this order.

# %% tags=["ladder"]
OWNERS = dict.fromkeys(["TotalBsmtSF", "BsmtFinSF1", "BsmtFinSF2", "BsmtUnfSF", "BsmtFullBath",
                        "BsmtHalfBath"], "BsmtQual") | dict.fromkeys(
                            ["GarageCars", "GarageArea"], "GarageType")

def with_none(table):
    gaps = {name: fill(table[name].to_numpy(float), table[owner].isna().to_numpy(), np.nan)
            for name, owner in OWNERS.items()}
    no_veneer = table["MasVnrType"].isna() & table["MasVnrArea"].notna()
    return table.assign(**gaps, MasVnrType=table["MasVnrType"].mask(no_veneer, "None"),
                        GarageYrBlt=table["GarageYrBlt"].fillna(table["YearBuilt"]),
                        Functional=table["Functional"].fillna("Typ"),
                        MSSubClass=table["MSSubClass"].astype(str))

# %% tags=["ladder"]
ORDERS = dict.fromkeys(
    ["ExterQual", "ExterCond", "BsmtQual", "BsmtCond", "HeatingQC", "KitchenQual", "FireplaceQu",
     "GarageQual", "GarageCond", "PoolQC"], "Po Fa TA Gd Ex") | dict.fromkeys(
         ["BsmtFinType1", "BsmtFinType2"], "Unf LwQ Rec BLQ ALQ GLQ") | {
    "BsmtExposure": "No Mn Av Gd", "Functional": "Sal Sev Maj2 Maj1 Mod Min2 Min1 Typ",
    "GarageFinish": "Unf RFn Fin", "Fence": "MnWw GdWo MnPrv GdPrv", "CentralAir": "N Y",
    "LotShape": "IR3 IR2 IR1 Reg", "LandSlope": "Sev Mod Gtl", "PavedDrive": "N P Y"}

EVERYWHERE = {"ExterQual", "ExterCond", "HeatingQC", "KitchenQual", "CentralAir"}

def with_grades(table):
    ranks = {name: {grade: rank for rank, grade in enumerate(order.split(), start=1)}
             for name, order in ORDERS.items()}
    return table.assign(**{
        name: table[name].map(ranks[name]).fillna(np.nan if name in EVERYWHERE else 0).astype(float)
        for name in ORDERS})

# %% tags=["nbval-ignore-output"]
graded = with_grades(with_none(train))
for name in ("KitchenQual", "PoolQC", "Fence"):
    print(f"{name:12} {train[name].nunique()} words became the numbers", *sorted(graded[name].unique()))

# %% tags=["proof"]
assert graded[list(ORDERS)].notna().all(axis=None) and graded["KitchenQual"].max() == 5

# %% [markdown]
# What is absent has rank 0, below the lowest grade. A kitchen is never absent, so a gap there stays a
# gap, which is filled with the mean later.

# %% [markdown]
# ## Areas, ages, logs and products
#
# A buyer sees one living area, an age, and a price that grows by factors. The next rungs add sums,
# ages, logarithms of [skewed](../chapters/glossary.md#skewness) columns, and products, which a
# linear model cannot make by itself. The last rung is a product, too: a square foot is worth more in
# some neighbourhoods than in others, so each gets a slope of its own.

# %% tags=["ladder"]
def with_areas_and_ages(table):
    table = table.assign(
        TotalArea=table["TotalBsmtSF"].fillna(0) + table["GrLivArea"],
        Baths=table["FullBath"] + table["BsmtFullBath"].fillna(0)
        + (table["HalfBath"] + table["BsmtHalfBath"].fillna(0)) / 2,
        Porches=table[[c for c in table if c.endswith(("Porch", "PorchSF"))]].sum(axis=1),
        AreaPerRoom=table["GrLivArea"] / table["TotRmsAbvGrd"],
        Grades=table[["ExterQual", "KitchenQual", "BsmtQual", "HeatingQC", "FireplaceQu",
                      "GarageQual"]].sum(axis=1),
        Age=(table["YrSold"] - table["YearBuilt"]).clip(lower=0),
        SinceRemodelling=(table["YrSold"] - table["YearRemodAdd"]).clip(lower=0),
        Remodelled=(table["YearBuilt"] != table["YearRemodAdd"]) * 1.0)
    return table.assign(IsNew=(table["Age"] == 0) * 1.0, MoSold=table["MoSold"].astype(str))

# %% tags=["ladder"]
SKEWED = ["LotArea", "LotFrontage", "GrLivArea", "1stFlrSF", "2ndFlrSF", "TotalBsmtSF", "BsmtFinSF1",
          "BsmtFinSF2", "BsmtUnfSF", "LowQualFinSF", "MasVnrArea", "WoodDeckSF", "OpenPorchSF",
          "EnclosedPorch", "ScreenPorch", "3SsnPorch", "PoolArea", "MiscVal", "TotalArea", "Porches",
          "AreaPerRoom"]

def with_logs(table):
    return table.assign(**{name: np.log1p(table[name]) for name in SKEWED})

# %% tags=["ladder"]
PAIRS = [("OverallQual", "TotalArea"), ("OverallQual", "OverallCond"), ("OverallQual", "Age"),
         ("OverallCond", "Age"), ("ExterQual", "ExterCond"), ("KitchenQual", "KitchenAbvGr"),
         ("BsmtQual", "BsmtFinSF1"), ("GarageQual", "GarageArea")]
SQUARES = ["OverallQual", "OverallCond", "TotalArea", "GrLivArea", "TotalBsmtSF", "Age"]
PRESENT = ["GarageArea", "TotalBsmtSF", "Fireplaces", "2ndFlrSF", "PoolArea", "MasVnrArea",
           "WoodDeckSF"]

def with_products(table):
    pairs = [*PAIRS, *zip(SQUARES, SQUARES, strict=True)]
    products = {f"{a} x {b}": table[a] * table[b] for a, b in pairs}
    present = {f"has {name}": (table[name] > 0) * 1.0 for name in PRESENT}
    return pd.concat([table, pd.DataFrame(products | present)], axis=1)

# %% tags=["ladder"]
PLACES = sorted(train["Neighborhood"].unique())

def with_slopes(table):
    area = table["TotalArea"] - np.log(2500)  # 0 for a house of 2,500 square feet
    slopes = {f"area in {place}": area * (table["Neighborhood"] == place) for place in PLACES}
    return pd.concat([table, pd.DataFrame(slopes)], axis=1)

# %% [markdown]
# One function applies the steps and makes one-hot columns, and `prepare_table` estimates the rest
# inside each fold: fill values, means and standard deviations. A value more than four standard
# deviations out is clipped, so no single lot can swing a prediction.

# %% tags=["ladder"]
STEPS = [with_none, with_grades, with_areas_and_ages, with_logs, with_products, with_slopes]

def features_of(table, steps=STEPS, like=None):
    for step in steps:
        table = step(table)
    table = pd.get_dummies(table.drop(columns=["Id", "SalePrice"], errors="ignore"), dummy_na=True)
    return table if like is None else table.reindex(columns=like.columns, fill_value=False)

# %% tags=["ladder"]
def prepare_table(x_train, x_other, limit=4.0, free=("partial",)):
    number = x_train.select_dtypes("number").columns
    filling = x_train[number].mean()
    mean, std = filling, x_train[number].fillna(filling).std().replace(0, 1)
    limits = pd.Series({name: np.inf if name in free else limit for name in number})
    parts = [((x[number].fillna(filling) - mean) / std).clip(-limits, limits, axis=1)
             for x in (x_train, x_other)]
    words = [x.drop(columns=number) for x in (x_train, x_other)]
    return [np.hstack([part, word]).astype("float32")
            for part, word in zip(parts, words, strict=True)]

# %% tags=["nbval-ignore-output"]
x_rich = features_of(train)
print("79 features, as they are:", X.shape[1], "columns, with all steps:", x_rich.shape[1])
inside, outside = prepare_table(x_rich[:1168], x_rich[1168:])
print("largest absolute number:", f"{np.abs(inside[:, :50]).max():.1f}, {np.abs(outside).max():.1f}")

# %% tags=["proof"]
assert np.isfinite(inside).all() and np.isfinite(outside).all() and np.abs(outside).max() <= 4

# %% [markdown]
# Fewer columns than before carry more: ordered grades replace groups of zeros and ones.

# %% [markdown]
# ## Two sales that were not sales
#
# De Cock, who collected the table, warns of five houses above 4,000 square feet. He calls three of
# them outliers: *partial sales* of unfinished houses, whose price is not that of the finished
# house. How many of these three can you see?

# %% tags=["nbval-ignore-output"]
def is_partial_giant(table):
    return (table["SaleCondition"] == "Partial") & (table["GrLivArea"] > 4000)

giants = {name: part["Id"][is_partial_giant(part)].tolist() for name, part in
          (("training", train), ("test", test))}
print(giants)

# %% tags=["nbval-ignore-output"]
for number in giants["training"]:
    row = train[train["Id"] == number].iloc[0]
    print(f"Id {number}: {row['GrLivArea']:,} square feet, quality {row['OverallQual']}, "
          f"sold for {row['SalePrice']:,} dollars")

# %% [markdown]
# Two are training rows. They have the best quality and the price of an average house. The third is
# a *test* row, Id 2550, and its price will count.
#
# Leaving the two out of training repairs the weights of all other houses, but then the model
# expects a palace for Id 2550. A column that is 1 for partial giants does both: its weight absorbs
# the error of these rows, so the other weights are fitted as if they were absent, and it carries
# what they teach over to a new row like them. No test row helped to find it: the two training rows
# and De Cock's advice did.

# %% tags=["ladder"]
def with_partial(table):
    giant = (table["SaleCondition"] == "Partial") & (table["GrLivArea"] > np.log1p(4000))
    return table.assign(partial=giant * 1.0)

def leave_out(x_train, x_other):
    return prepare_table(x_train, x_other.assign(partial=0.0))

# %% tags=["nbval-ignore-output"]
x_best = features_of(train, [*STEPS, with_partial])
ruled = training.k_fold(lambda: build_linear(x_best.shape[1], l1=0.001), x_best, y, k=5,
                        epochs=EPOCHS, batch_size=128, metric="rmse", prepare=prepare_table)
rule, dollars = {}, pd.DataFrame({"sold for": price[is_partial_giant(train)]})
for name, how in (("left out", leave_out), ("own column", prepare_table)):
    logs = np.empty(len(y))
    for member, (rows, held_out) in zip(ruled.models(), training.fold_indices(len(y), 5), strict=True):
        logs[held_out] = logs_by(member, how(x_best.iloc[rows], x_best.iloc[held_out])[1])
    rule[name] = np.sqrt([np.mean((logs - y)[held_out] ** 2)
                          for _, held_out in training.fold_indices(len(y), 5)])
    dollars[name] = np.exp(logs[dollars.index]).round()
    print(f"{name:10}", rule[name].round(3), f"mean {rule[name].mean():.4f}")
dollars

# %% tags=["proof"]
with_column, left = rule["own column"].mean(), rule["left out"].mean()
assert with_column < baseline.mean() - 0.005
if houses.source == "real":
    assert giants == {"training": [524, 1299], "test": [2550]}
    assert with_column < left - 0.005 and with_column < 0.115
    assert (dollars["own column"] < dollars["left out"] / 2).all()

# %% [markdown]
# On the real data the two ruined folds gain most. Each of the two sales was predicted by a model that
# had seen the other one only, so this is honest evidence for the rule, but it is the evidence of two
# houses, and neither prediction is exact.

# %% [markdown]
# ## A hidden layer beside the linear part
#
# The next model is [wide and deep](../chapters/glossary.md#wide-and-deep-model): a linear part with
# its L1 penalty, and beside it 64 hidden units with weight decay and dropout. The sum of the two
# parts is the prediction. The linear part starts at zero and need not be learnt through the hidden
# layer; the hidden units add what a line misses. A variant of the model uses the [Huber
# loss](../chapters/glossary.md#huber-loss), which is half the square for errors up to 0.2 and
# linear beyond, so a few strange sales weigh less.

# %% tags=["ladder"]
def hidden_part(inputs, units, depth, rate, l2, seed, activation="relu"):
    penalty = keras.regularizers.L2(l2)
    for layer in range(depth):
        start = keras.initializers.HeNormal(seed=10 * seed + layer)
        inputs = keras.layers.Dense(units, activation, kernel_initializer=start,
                                    kernel_regularizer=penalty)(inputs)
        inputs = keras.layers.Dropout(rate, seed=seed)(inputs)
    start = keras.initializers.GlorotUniform(seed=10 * seed + 9)
    return keras.layers.Dense(1, kernel_initializer=start, kernel_regularizer=penalty)(inputs)

# %% tags=["ladder"]
def build_wide(columns, units=64, depth=1, rate=0.1, l1=0.001, l2=0.01, seed=0, loss="mse"):
    inputs = keras.Input(shape=(columns,))
    both = [linear_part(l1)(inputs), hidden_part(inputs, units, depth, rate, l2, seed)]
    model = keras.Model(inputs, keras.layers.Add()(both))
    return compiled(model, learning_rate=0.002, batch_size=64, loss=loss)

def build_robust(columns, seed=1):
    robust_loss = keras.losses.Huber(delta=0.2)
    return build_wide(columns, l1=0.00035, l2=0.0035, seed=seed, loss=robust_loss)

# %%
for name, example in (("linear", build_linear(300)), ("wide and deep", build_wide(300))):
    print(f"{name:13} on 300 columns: {example.count_params():6,} weights")

# %% tags=["proof"]
assert build_wide(300).count_params() == 301 + 300 * 64 + 64 + 65

# %% [markdown]
# The model has 65 times as many weights as the linear model, and more than ten times as many
# weights as there are rows: without penalties and dropout this model would memorise the table.

# %% [markdown]
# ## The ladder
#
# Every rung below was measured with the same folds, two assignments of all 1,460 rows to five
# folds, and everything fitted inside the fold. It takes minutes, too long for a page: `python
# solutions/house_prices_ladder.py` runs the functions of this page on the real data. In a copy without
# `solutions/house_prices_ladder.json`, which holds the results, the table is empty. Predict first: which
# rung gains most, and which rung loses?

# %% tags=["nbval-ignore-output"]
stored = Path("../solutions/house_prices_ladder.json")
measured = json.loads(stored.read_text())["rungs"] if stored.exists() else {}
rungs = [name for name in measured if not name.startswith(("tried", "the same"))]
errors_in = {name: np.ravel(measured[name]["folds"]) for name in rungs}
better = [(errors_in[name] < errors_in[before]).sum() for before, name in zip(rungs, rungs[1:])]
ladder = pd.DataFrame({
    "rung": rungs, "error": [measured[name]["score"] for name in rungs],
    "spread over seeds": [measured[name]["spread"] for name in rungs],
    "folds better than the rung before": ["", *(f"{count} of 10" for count in better)][:len(rungs)]})
ladder

# %% tags=["nbval-ignore-output"]
if len(ladder):
    plt.figure(figsize=(5, 3.6))
    plt.errorbar(ladder["error"], ladder["rung"], xerr=ladder["spread over seeds"], fmt="o-")
    plt.gca().invert_yaxis()
    plt.xlabel("log RMSE of all rows")
    plt.show()

# %% tags=["proof"]
if len(ladder):
    scores = ladder.set_index("rung")["error"]
    assert scores["trained to its end"] > scores["d2l's recipe"] > scores["L1 penalty"]
    assert scores.iloc[-1] < 0.110 and scores["d2l's recipe"] > 0.135

# %% [markdown]
# Training d2l's model to its end made it worse, an L1 penalty and logs made it better, and the
# largest single step is the column for two rows: an outlier costs more than an architecture gains.
# Leaving these two out of training gained nothing, since they are still predicted, as palaces. The
# last rows are averages, the subject of the next section.

# %% tags=["nbval-ignore-output"]
tried = {name.removeprefix("tried: "): rung["score"] for name, rung in measured.items()
         if name.startswith("tried") or "beside" in name}
for name, score_of_rung in tried.items():
    print(f"{score_of_rung:.4f}  {name}")

# %% [markdown]
# These did not help, or not beyond the spread; they are listed because a ladder that shows only
# gains hides how much was tried.

# %% [markdown]
# ## An ensemble
#
# K-fold leaves five models behind, each trained on different rows. Models with different starts, or
# of a different kind, are wrong about different houses. Together they are an
# [ensemble](../chapters/glossary.md#ensemble): their errors partly cancel in the mean. To measure
# this, give every row the mean prediction of the models that have not seen it. Predict first: can
# the mean of two models be better than both?

# %% tags=["nbval-ignore-output"]
columns = x_best.shape[1]
ten = {"k": 10, "epochs": EPOCHS, "metric": "rmse", "prepare": prepare_table}
line = training.k_fold(lambda: build_linear(columns, l1=0.001), x_best, y, batch_size=128, **ten)
wide = training.search(build_wide, [{"columns": columns, "seed": start} for start in (0, 1)],
                       x_best, y, batch_size=64, **ten)
robust = training.k_fold(lambda: build_robust(columns), x_best, y, batch_size=64, **ten)
families = {"linear": line.models(), "wide, start 0": wide.models(0),
            "wide, start 1": wide.models(1), "wide, Huber loss": robust.models()}

# %% [markdown]
# Ten folds instead of five, so that each model learns from 90 % of the rows.

# %%
def predict_unseen(members):
    logs = np.empty(len(y))
    for member, (rows, held_out) in zip(members, training.fold_indices(len(y), 10), strict=True):
        _, outside = prepare_table(x_best.iloc[rows], x_best.iloc[held_out])
        logs[held_out] = logs_by(member, outside)
    return logs

# %% tags=["nbval-ignore-output"]
unseen = {name: predict_unseen(members) for name, members in families.items()}
unseen["mean of both starts"] = (unseen["wide, start 0"] + unseen["wide, start 1"]) / 2
unseen["mean of all four"] = np.mean([unseen[name] for name in families], axis=0)
error_of = {name: np.sqrt(np.mean((logs - y) ** 2)) for name, logs in unseen.items()}
for name, value in error_of.items():
    print(f"{value:.4f}  {name}")
agreement = np.corrcoef([unseen[name] - y for name in families])
print("correlation of the errors:", agreement[0, 1].round(3), "of other models,",
      agreement[1, 2].round(3), "of other starts")

# %% tags=["proof"]
assert error_of["mean of both starts"] < max(error_of["wide, start 0"], error_of["wide, start 1"])
assert error_of["mean of all four"] < np.mean([error_of[name] for name in families])
assert agreement[0, 1] < agreement[1, 2] < 1
if houses.source == "real":
    assert error_of["mean of all four"] < 0.109

# %% [markdown]
# The less alike the errors are, the more of them cancels. Here they are very much alike, even more
# so between starts than between kinds of model, so averaging gains little. But the mean is never
# worse than the average of its members, and nobody knows the best member before the upload.
#
# There are two ways to average log prices into one price: average the logs and take the exponential,
# or average the prices. The first is the [geometric mean](../chapters/glossary.md#geometric-mean)
# and fits the metric, which looks at logs.

# %% [markdown]
# ### Exercise 7.9 — Two ways to average
# *2 points · ★☆☆ · 10 min · stuck? run `hint("7.9")`*
#
# **Given** `predictions`, natural logarithms of prices in dollars, of shape (k, n): k models, n
# houses.
#
# **Write** `average_logs(predictions)` and `average_prices(predictions)`; both return prices in
# dollars.
#
# **Shapes** (k, n) in, (n,) out.
#
# **Done when** both are right. Compare them on `logs`: which is larger, and why always?

# %%
def average_logs(predictions):
    """Return the exponential of the mean log price of each house."""
    ### BEGIN SOLUTION
    return np.exp(np.mean(predictions, axis=0))
    ### END SOLUTION


def average_prices(predictions):
    """Return the mean price of each house."""
    ### BEGIN SOLUTION
    return np.mean(np.exp(predictions), axis=0)
    ### END SOLUTION

# %%
check("7.9", average_logs, average_prices)

# %% [markdown]
# ## The submission
#
# Kaggle wants a file with two columns, `Id` and `SalePrice`, one row for each test house. Each of the
# forty models predicts the test rows as its own fold prepared them; the file holds the exponential
# of the mean log price. Write it to a temporary name first and move it into place in one step, then
# read it back: what counts is the file, not the table it came from.

# %%
x_test = features_of(test, [*STEPS, with_partial], like=x_best)
logs = []
for number, (rows, _) in enumerate(training.fold_indices(len(y), 10)):
    _, prepared_test = prepare_table(x_best.iloc[rows], x_test)
    logs += [logs_by(members[number], prepared_test) for members in families.values()]
logs = np.array(logs)
submission = pd.DataFrame({"Id": test["Id"], "SalePrice": np.exp(logs.mean(axis=0)).round(2)})
path = Path("submissions") / "submission.csv"
path.parent.mkdir(exist_ok=True)
submission.to_csv(path.with_suffix(".partial"), index=False)
os.replace(path.with_suffix(".partial"), path)

# %% tags=["nbval-ignore-output"]
back = pd.read_csv(path)
print(path.as_posix(), back.shape, *back.columns)
print(f"rows with the Id of their test house: {(back['Id'] == test['Id']).sum()}")
print(f"prices from {back['SalePrice'].min():,.0f} to {back['SalePrice'].max():,.0f} dollars; half of "
      f"the houses split the models by less than {np.median(logs.std(axis=0)):.3f}")
for number in giants["test"]:
    print(f"Id {number}: {back.set_index('Id')['SalePrice'][number]:,.0f} dollars")

# %% tags=["proof"]
assert logs.shape == (40, 1459) and np.isfinite(logs).all() and np.median(logs.std(axis=0)) < 0.1
assert list(back.columns) == ["Id", "SalePrice"] and back["Id"].equals(test["Id"])
assert back["SalePrice"].between(1e4, 2e6).all() and not list(path.parent.glob("*.partial"))
if houses.source == "real":
    assert back.set_index("Id")["SalePrice"][2550] < 300_000

# %% [markdown]
# On the real data the giant among the test rows gets a price near those of the two houses like it;
# the baseline predicts four times as much. To hand the file in, open the competition [House Prices:
# Advanced Regression
# Techniques](https://www.kaggle.com/c/house-prices-advanced-regression-techniques), join it, choose
# *Submit Predictions*, and upload it; a score appears within a minute. A file made from the
# stand-in is valid in form and worthless in content.

# %% [markdown]
# ### Exercise 7.10 — Write and validate a submission (d2l 5.7.1)
# *3 points · ★★☆ · 25 min · stuck? run `hint("7.10")`*
#
# **Given** `ids`, an array of shape (n,) in any order, and `prices` of shape (n,) or (n, 1); and, for
# the validator, the `text` of a file.
#
# **Write** `submission_csv(ids, prices)`, which returns the text of a submission, and
# `submission_problems(text, ids)`, which returns a list of sentences, one for each kind of problem
# it finds: columns other than these two (including an extra column), ids that are missing, unknown
# or repeated, prices that are not finite numbers above 0.
#
# **Shapes** a string; a list, empty if the string is valid. The order of the rows does not matter.
#
# **Done when** your validator accepts valid texts and finds all of the check's faults.

# %%
def submission_csv(ids, prices):
    """Return the text of a file that Kaggle accepts."""
    ### BEGIN SOLUTION
    table = pd.DataFrame({"Id": ids, "SalePrice": np.ravel(prices)})
    return table.to_csv(index=False)
    ### END SOLUTION


def submission_problems(text, ids):
    """Return one sentence for each problem of a submission."""
    ### BEGIN SOLUTION
    table = pd.read_csv(io.StringIO(text))
    if list(table.columns) != ["Id", "SalePrice"]:
        return [f"The columns are {list(table.columns)}, not Id and SalePrice."]
    problems = []
    if table["Id"].duplicated().any():
        problems.append("Some ids are there twice.")
    if set(table["Id"]) != set(ids):
        problems.append("Some ids are missing or unknown.")
    prices = pd.to_numeric(table["SalePrice"], errors="coerce")
    if not (np.isfinite(prices) & (prices > 0)).all():
        problems.append("Some prices are not finite numbers above 0.")
    return problems
    ### END SOLUTION

# %%
check("7.10", submission_csv, submission_problems)

# %% [markdown]
# ### Exercise 7.11 — Estimate the score (d2l 5.7.1)
# *2 points · ★★☆ · 10 min · stuck? run `hint("7.11")`*
#
# **Given** the log RMSEs of the folds of one model, an array of shape (k,).
#
# **Write** `estimate_score(fold_errors)`, which says what you expect Kaggle to answer, before you
# upload.
#
# **Shapes** a dict of three numbers: `estimate`, the mean of the errors; `low` and `high`, one
# standard deviation of the errors (ddof 0 or 1) below and above it.
#
# **Done when** the numbers are right for any number of folds. Run it on the folds of your best model;
# if you do upload, compare.

# %%
def estimate_score(fold_errors):
    """Return the expected score and an interval around it."""
    ### BEGIN SOLUTION
    estimate, margin = np.mean(fold_errors), np.std(fold_errors, ddof=1)
    return {"estimate": estimate, "low": estimate - margin, "high": estimate + margin}
    ### END SOLUTION

# %%
check("7.11", estimate_score)

# %% [markdown]
# ## Recap
#
# - Means, standard deviations and categories come from training rows; a fold has its own.
# - A gap may be an answer. The mean is a good guess only for values that are missing completely at
#   random.
# - Log prices turn relative errors into differences, and the metric into a mean squared error.
# - In K-fold cross-validation every row is validated once. Compare two models fold by fold, and look
#   at the rows behind a bad fold before you trust the spread.
# - Better inputs and a column for two strange sales gained more than the hidden layer; the average
#   of different models gained a little on top.
# - Each model of an ensemble needs its inputs prepared with the statistics of its own fold.

# %% tags=["nbval-ignore-output"]
progress("house_prices")

# %% [markdown]
# ## Terms
#
# [Adam](../chapters/glossary.md#adam) ·
# [baseline](../chapters/glossary.md#baseline) ·
# [cache](../chapters/glossary.md#cache) ·
# [checksum](../chapters/glossary.md#checksum) ·
# [data leakage](../chapters/glossary.md#data-leakage) ·
# [ensemble](../chapters/glossary.md#ensemble) ·
# [geometric mean](../chapters/glossary.md#geometric-mean) ·
# [Huber loss](../chapters/glossary.md#huber-loss) ·
# [hyperparameter](../chapters/glossary.md#hyperparameter) ·
# [imputation](../chapters/glossary.md#imputation) ·
# [K-fold cross-validation](../chapters/glossary.md#k-fold-cross-validation) ·
# [missing not at random](../chapters/glossary.md#missing-not-at-random) ·
# [model selection](../chapters/glossary.md#model-selection) ·
# [one-hot encoding](../chapters/glossary.md#one-hot-encoding) ·
# [relative error](../chapters/glossary.md#relative-error) ·
# [residual](../chapters/glossary.md#residual) ·
# [root mean squared error](../chapters/glossary.md#root-mean-squared-error) ·
# [skewness](../chapters/glossary.md#skewness) ·
# [standardization](../chapters/glossary.md#standardization) ·
# [wide and deep model](../chapters/glossary.md#wide-and-deep-model)
#
# ## Sources
#
# - Zhang, Lipton, Li, Smola, *Dive into Deep Learning*, [section
#   5.7](https://d2l.ai/chapter_multilayer-perceptrons/kaggle-house-price.html), CC BY-SA 4.0: the
#   task, the recipe, formulas (5.7.1) and (5.7.2), exercises 7.2, 7.6 to 7.8, 7.10 and 7.11.
# - De Cock, "Ames, Iowa: Alternative to the Boston Housing Data as an End of Semester Regression
#   Project", *Journal of Statistics Education* 19(3), 2011.
# - Kaggle, [House Prices: Advanced Regression
#   Techniques](https://www.kaggle.com/c/house-prices-advanced-regression-techniques).
# - Rubin, "Inference and missing data", *Biometrika* 63(3), 1976.
# - Cheng et al., "Wide & Deep Learning for Recommender Systems", *DLRS* 2016: a linear part beside
#   hidden layers.
