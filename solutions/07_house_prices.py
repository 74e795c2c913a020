# %% [markdown]
# # 7. Predicting house prices
#
# *After [d2l 5.7](https://d2l.ai/chapter_multilayer-perceptrons/kaggle-house-price.html), in TensorFlow and Keras 3.*
#
# | To read | To run, CPU | To run, GPU | Difficulty | Exercises | Last run with |
# | --- | --- | --- | --- | --- | --- |
# | 60 min | 37 s on 2 cores | not measured | ★★☆ | 11, 28 points | TensorFlow 2.21, Keras 3.15 |

# %% [markdown]
# ## What you will learn
#
# - **Fetch** a file so that a broken or changed download is noticed.
# - **Turn** a table of numbers, words and gaps into a matrix without letting the test rows in.
# - **Measure** a model by K-fold cross-validation, by hand and with one call.
# - **Choose** between models, and say how far to trust the choice.
# - **Write** a submission that Kaggle accepts, from an ensemble over the folds.
#
# ## Before you start
#
# You need linear regression in Keras from [chapter 1](01_perceptrons.ipynb), weight decay from
# [chapter 5](05_generalization.ipynb) and dropout from [chapter 6](06_dropout.ipynb). Some pandas
# helps.

# %% [markdown]
# ## Setup
#
# Besides Keras and pandas, the page uses a few modules of Python's own library, for files, addresses
# and checksums.

# %% tags=["nbval-ignore-output"]
from helpers import check, data, hint, plotting, progress, training

import hashlib
import io
import os
import tempfile
from pathlib import Path
from urllib.request import urlopen

import keras
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

keras.utils.set_random_seed(7)
print(training.device())

# %% [markdown]
# ## Download once, verify always
#
# A download can break off, and a file on a server can change. A
# [checksum](../chapters/glossary.md#checksum) such as SHA-256 notices both: it maps the bytes of a
# file to 64 hexadecimal digits, and nobody knows how to make another file with the same digits.
#
# The function below keeps a verified copy in a [cache](../chapters/glossary.md#cache), so that the
# second call needs no network. It moves the finished file into place in one step, so that no reader
# ever meets half a file.

# %%
def fetch(url, sha256, folder):
    path = Path(folder) / url.rsplit("/", 1)[-1]
    if path.exists() and hashlib.sha256(path.read_bytes()).hexdigest() == sha256:
        return path, "found in the cache"
    content = urlopen(url).read()
    if hashlib.sha256(content).hexdigest() != sha256:
        raise ValueError(f"{path.name} is not the file that was expected")
    path.with_suffix(".partial").write_bytes(content)
    os.replace(path.with_suffix(".partial"), path)
    return path, "downloaded"

# %% [markdown]
# Try it on a small file. Its address starts with `file:` and needs no network; `https:` works
# alike.

# %%
server, cache = Path(tempfile.mkdtemp()), Path(tempfile.mkdtemp())
original = server / "prices.csv"
original.write_bytes(b"Id,SalePrice\n1,150000\n")
expected = "d833d8cc08c08669b45d41c6bfbc949bb191a09607dde282555d07861939233b"
for _ in range(2):
    path, how = fetch(original.as_uri(), expected, cache)
    print(path.name, how)

# %% [markdown]
# The first call downloads and the second finds the copy. Now damage both.

# %%
path.write_bytes(b"damaged")
original.write_bytes(b"Id,SalePrice\n1,15")  # as if the download broke off
try:
    fetch(original.as_uri(), expected, cache)
except ValueError as error:
    print("refused:", error)

# %% tags=["proof"]
assert path.read_bytes() == b"damaged" and not list(cache.glob("*.partial"))

# %% [markdown]
# The function refuses the broken file and writes nothing. `data.load_house_prices()` does the same
# with the real addresses, and takes a generated stand-in where there is no network.

# %% [markdown]
# ## Two tables
#
# Dean De Cock collected the sales of houses in Ames, Iowa, from 2006 to 2010. Kaggle, a site for
# competitions in prediction, split them in two: for one half you see the price, for the other half
# only Kaggle does. The first line of the output says whether you have the real tables; under it
# stand seven of the columns. `train.head()` shows whole rows.

# %% tags=["nbval-ignore-output"]
houses = data.load_house_prices()
print(houses)
train, test = houses.train, houses.test
shown = train.iloc[:, [0, 1, 2, 3, -3, -2, -1]]
pd.DataFrame({"type": shown.dtypes, "values": shown.nunique(), "missing": shown.isna().sum()})

# %%
print("train", train.shape, " test", test.shape)
print("in train only:", *[column for column in train if column not in test])
features = [column for column in test if column != "Id"]
numbers = list(train[features].select_dtypes("number").columns)
texts = [column for column in features if column not in numbers]
print(len(features), "features:", len(numbers), "of numbers,", len(texts), "of text")

# %% tags=["proof"]
assert train.shape == (1460, 81) and test.shape == (1459, 80)
assert (len(numbers), len(texts)) == (36, 43)

# %% [markdown]
# Each row is one sale. `Id` only counts the rows, so it is not a feature: a model could learn from
# it nothing but the order of the list.

# %% [markdown]
# ## Text is not object
#
# Many recipes, d2l's among them, find the columns of numbers by `dtypes != "object"`. Since pandas
# 3, text has a type of its own, `str`, and that test finds everything. Asking for numbers works in
# every version.

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

# %%
price = train["SalePrice"]
figure, axes = plt.subplots(1, 2, figsize=(7, 2.6))
axes[0].hist(price / 1000, bins=40)
axes[0].set(xlabel="price (1000 dollars)", ylabel="houses")
axes[1].hist(np.log(price), bins=40)
axes[1].set(xlabel="log of the price")
plt.show()

# %%
print("skewness above 1.5:", price.skew() > 1.5,
      "- of the logs below 1:", np.log(price).skew() < 1)
print("typical price: e^12 =", f"{np.exp(12):,.0f} dollars")

# %% tags=["proof"]
assert price.skew() > 1.5 and abs(np.log(price).skew()) < 1
assert abs(np.log(price).mean() - 12) < 0.15

# %% [markdown]
# The left histogram has a long tail, the right one is nearly a bell. Its middle is near 12, a number
# that comes back as the start of a bias.

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
table = pd.concat([train[features], test[features]])
table[numbers] = (table[numbers] - table[numbers].mean()) / table[numbers].std()
table[numbers] = table[numbers].fillna(0)
table = pd.get_dummies(table, dummy_na=True, dtype=float)
print(len(features), "features became", table.shape[1], "columns:",
      len(numbers), "of numbers and", table.shape[1] - len(numbers), "of zeros and ones")
print("with the label:", table.shape[1] + 1)
print("gaps left:", table.isna().sum().sum())

# %% tags=["proof"]
assert table.shape == (2919, 330) and not table.isna().any(axis=None)

# %% [markdown]
# A model sees 330 columns. d2l prints 331 and calls them features; its count includes the label.

# %% [markdown]
# ## The leak
#
# That recipe takes $\mu$ and $\sigma$ over both tables. Then the test rows help to shape the
# training data, which is [data leakage](../chapters/glossary.md#data-leakage): a measurement made
# on rows that took part is not a measurement on new rows. Here the halves are alike, so little
# changes. If the test houses were different, the training rows would move, although nobody touched
# them.

# %%
both = pd.concat([train[numbers], test[numbers]])
shift = (train[numbers].mean() - both.mean()) / both.std()
print("columns whose zero moves:", (shift != 0).sum(), "of", len(numbers),
      "- by less than 0.1 standard deviations:", shift.abs().max() < 0.1)

# %%
larger = pd.concat([train["LotArea"], 3 * test["LotArea"]])  # as if test lots were larger
moved = (train["LotArea"].mean() - larger.mean()) / larger.std()
print("mean of the training lots with test lots 3 times as large, below -0.3:", moved < -0.3)

# %% tags=["proof"]
assert (shift != 0).all() and shift.abs().max() < 0.1 and moved < -0.3

# %% [markdown]
# On this split the leak is harmless: no zero moves by a tenth of a standard deviation. But you know
# that only because you looked. The rule costs nothing: statistics come from training rows alone.

# %% [markdown]
# ### Exercise 7.1 — Preprocessing without a leak
# *3 points · ★★★ · 25 min · stuck? run `hint("7.1")`*
#
# **Given** two data frames with the same columns, some of numbers (with gaps) and some of text
# (with gaps). `other` may hold categories that `train` has not.
#
# **Write** `preprocess(train, other)`: standardise the numbers with the mean and standard deviation
# of `train` (one of 0 counts as 1), then fill gaps with 0; replace each text column `c` by
# `c_category` for every category of `train`, and `c_nan`.
#
# **Shapes** two data frames of numbers with the rows of `train` and `other` and equal columns in
# equal order. A row of `other` with an unknown category has zeros there.
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
# Most gaps of these tables are not accidents. `GarageYrBlt` is empty where no garage was ever
# built, `PoolQC` where there is no pool. Such values are [missing not at
# random](../chapters/glossary.md#missing-not-at-random): the gap itself tells something about the
# price. `LotFrontage` is different; somebody did not write it down.

# %%
gaps = {name: 100 * train[name].isna().mean()
        for name in ("PoolQC", "Alley", "LotFrontage", "GarageYrBlt")}
plotting.bars(gaps, ylabel="rows without a value (%)")
without = train["GarageArea"] == 0
print("garage year missing exactly where the garage has no area:",
      train["GarageYrBlt"].isna().equals(without))
print("houses without a garage are cheaper:", price[without].median() < price[~without].median())

# %% tags=["proof"]
assert train["GarageYrBlt"].isna().equals(without) and gaps["PoolQC"] > 95
assert price[without].median() < price[~without].median()

# %% [markdown]
# Nearly no house has a pool, so nearly every `PoolQC` is empty. For text, the column for "missing"
# keeps that information. For numbers, the mean throws it away: it invents a garage of average age.

# %% [markdown]
# ### Exercise 7.2 — When the mean is wrong (d2l 5.7.2)
# *3 points · ★★☆ · 20 min · stuck? run `hint("7.2")`*
#
# **Given** true values `truth` without gaps; and, for the second function, `values` with gaps and a
# boolean array `absent` that says which houses have no basement at all.
#
# **Write** `hide(truth)`, which returns the values with 5 to 60 % of them replaced by NaN, so that
# the mean of the rest misleads: it is off by more than 0.25 standard deviations. And
# `impute(values, absent)`, which fills a gap with 0 where the basement is absent, and elsewhere
# with the mean of the values that are there, over houses that have a basement.
#
# **Shapes** all arrays are (n,).
#
# **Done when** your `hide` misleads on data of the check's choosing, and `impute` changes nothing
# but gaps.

# %%
def hide(truth):
    """Return truth with gaps whose place depends on the values."""
    ### BEGIN SOLUTION
    return np.where(truth > np.quantile(truth, 0.7), np.nan, truth)
    ### END SOLUTION


def impute(values, absent):
    """Return values with 0 where absent, and the mean of the others in the other gaps."""
    ### BEGIN SOLUTION
    gap = np.isnan(values)
    mean = values[~gap & ~absent].mean()
    return np.where(gap, np.where(absent, 0.0, mean), values)
    ### END SOLUTION

# %%
check("7.2", hide, impute)

# %% [markdown]
# ### Exercise 7.3 — Missing for a reason (d2l 5.7.2)
# *2 points · ★★☆ · 8 min · stuck? run `hint("7.3")`*
#
# If values are not missing at random, what goes wrong when you fill the gaps with the mean? Give a
# case in which it does harm, say in which direction, and what you would do instead.

# %% [markdown] tags=["answer"]
# **Answer 7.3.** The mean of the visible values estimates the mean of the hidden ones
# only if hiding has nothing to do with the value. Take the area of a basement: it is missing where
# there is no basement, so the hidden value is 0, and the mean of the others gives a house without a
# basement an average one. The model then learns that basements are worth less than they are. In a
# survey, people with high incomes skip the question more often; the mean of the rest is too low for
# exactly them. Better: use what the gap means (0, or a category "none"), or fill it and add a
# column that is 1 where a gap was, so that the model can learn what gaps are worth.

# %% [markdown]
# ## Rows to numbers, statistics later
#
# For cross-validation the statistics will change from fold to fold, so split the work. `encode`
# looks at one row at a time and estimates nothing. The list of categories is part of the
# description of the data, like the names of its columns.

# %%
categories = pd.get_dummies(train[texts], dummy_na=True).columns

def encode(table):
    words = pd.get_dummies(table[texts], dummy_na=True)
    words = words.reindex(columns=categories, fill_value=False)
    return np.hstack([table[numbers].to_numpy("float32"), words.to_numpy("float32")])

# %% [markdown]
# `prepare` holds all that is estimated. It learns from its first argument and applies to both.

# %%
def prepare(x_train, x_other):
    mean, std = np.nanmean(x_train[:, :36], axis=0), np.nanstd(x_train[:, :36], axis=0)
    results = x_train.copy(), x_other.copy()
    for x in results:
        x[:, :36] = np.nan_to_num((x[:, :36] - mean) / np.maximum(std, 1e-6))
    return results

# %%
X, X_test = encode(train), encode(test)
y = np.log(train["SalePrice"]).to_numpy("float32")
A, B = prepare(X[:1168], X[1168:])
print("X", X.shape, " X_test", X_test.shape, " y", y.shape)
print("gaps before:", np.isnan(X).any(), " after:", np.isnan(A).any() or np.isnan(B).any())
print("mean of the rows learned from:", np.abs(A[:, :36].mean(axis=0)).max().round(3),
      "- of the other rows above 0.05:", np.abs(B[:, :36].mean(axis=0)).max() > 0.05)

# %% tags=["proof"]
assert X.shape == (1460, 330) and not np.isnan(A).any() and not np.isnan(B).any()
assert np.abs(A[:, :36].mean(axis=0)).max() < 5e-4 and np.abs(B[:, :36].mean(axis=0)).max() > 0.05

# %% [markdown]
# The rows that `prepare` learned from have mean 0 in each column of numbers, the others have not.
# That is what new rows look like.

# %% [markdown]
# ## The error of log prices
#
# Being wrong by 100,000 dollars is a disaster for a house of 125,000 and quite good for one of four
# million. What counts is the [relative error](../chapters/glossary.md#relative-error). Kaggle
# measures the [root mean squared error](../chapters/glossary.md#root-mean-squared-error) of
# logarithms:
#
# $$\sqrt{\frac1n \sum_{i=1}^n \left(\log y_i - \log \hat y_i\right)^2}.\tag{5.7.2}$$

# %%
for actual, predicted in [(125_000, 225_000), (4_000_000, 4_100_000), (4_000_000, 7_200_000)]:
    print(f"{actual:>9,} taken for {predicted:>9,}: off by {predicted - actual:>9,} dollars, "
          f"error of the logs {np.log(predicted / actual):.3f}")
print("an error of 0.15 means a factor of", np.exp(0.15).round(2))

# %% tags=["proof"]
assert 225 / 125 == 7.2 / 4 == 1.8
assert round(100 * np.exp(0.15)) == 116 and round(100 * np.exp(-0.15)) == 86

# %% [markdown]
# The first and the last line are wrong by the same factor, 1.8, and the error of the logs is the
# same. An error of 0.15 is a price that is 16 % too high, or 14 % too low.

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
# starts at 12, the log of a typical price: from 0 the first steps would do nothing but climb there.

# %%
w, b = np.zeros(330, "float32"), np.float32(12)
errors = []
for _ in range(200):
    residual = A @ w + b - y[:1168]
    w -= 0.02 * 2 * A.T @ residual / len(A)
    b -= 0.02 * 2 * residual.mean()
    errors.append([np.sqrt(np.mean(residual**2)), np.sqrt(np.mean((B @ w + b - y[1168:]) ** 2))])

# %%
errors = np.array(errors)
plotting.lines(np.arange(1, 201), {"training rows": errors[:, 0], "other rows": errors[:, 1]},
               xlabel="step of gradient descent", ylabel="log RMSE")
off = np.median(np.abs(B @ w + b - y[1168:]))
print("error on other rows below 0.25:", errors[-1, 1] < 0.25,
      "- half of them off by less than 0.12:", off < 0.12)

# %% tags=["proof"]
assert abs(y.std() - 0.4) < 0.05 and abs(errors[0, 0] - 0.4) < 0.06
assert 0.08 < errors[-1, 0] < errors[0, 0] / 2 and 0.1 < errors[-1, 1] < 0.25 and off < 0.12

# %% [markdown]
# From 0.4, the spread of the log prices, the training error falls by more than half. Half of the
# houses that the model has not seen are predicted to within about a tenth of their price.

# %% [markdown]
# ## The same baseline in Keras
#
# `Dense(1)` with the same start, the same rows and one batch of all of them must take the same
# steps. `weight_decay` stands ready for later; 0 leaves it out.

# %%
def build(learning_rate=0.01, weight_decay=0.0):
    output = keras.layers.Dense(1, kernel_initializer="zeros",
                                bias_initializer=keras.initializers.Constant(12),
                                kernel_regularizer=keras.regularizers.L2(weight_decay))
    model = keras.Sequential([keras.Input(shape=(330,)), output])
    model.compile(optimizer=keras.optimizers.SGD(learning_rate=learning_rate), loss="mse",
                  metrics=[keras.metrics.RootMeanSquaredError(name="rmse")])
    return model

# %%
model = build(learning_rate=0.02)
training.fit(model, A, y[:1168], epochs=200, batch_size=1168)
kernel, bias = model.get_weights()
print("largest difference of a weight below 0.001:", np.abs(kernel[:, 0] - w).max() < 1e-3)
print("of the bias:", abs(bias[0] - b) < 1e-3)

# %% tags=["proof"]
assert np.abs(kernel[:, 0] - w).max() < 1e-3 and abs(bias[0] - b) < 1e-3

# %% [markdown]
# All 331 numbers agree. From here on Keras does the steps.

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
# `ValueError` unless $2 \le k \le n$. Do not call `training.fold_indices`.
#
# **Shapes** each part is a list or an array of row numbers from 0 to n - 1.
#
# **Done when** every row is validated exactly once, no fold trains on its validation rows, and the
# validation parts differ by at most one row.

# %%
def fold_rows(n, k):
    """Return k pairs (rows to train on, rows to validate on)."""
    ### BEGIN SOLUTION
    if not 2 <= k <= n:
        raise ValueError(f"k must be between 2 and the {n} rows; it is {k}.")
    parts = np.array_split(np.arange(n), k)
    return [(np.concatenate(parts[:i] + parts[i + 1 :]), parts[i]) for i in range(k)]
    ### END SOLUTION

# %%
check("7.5", fold_rows)

# %% [markdown]
# ## K-fold by hand
#
# Now the whole measurement. Inside the loop, `prepare` learns from the training rows of that fold
# only, so each validation row is as new as a test row. The loop takes about four seconds.

# %%
fold_errors, validated = [], np.zeros(len(X), dtype=int)
for rows, held_out in training.fold_indices(len(X), 5):
    inside, outside = prepare(X[rows], X[held_out])
    history = training.fit(build(), inside, y[rows], epochs=50, batch_size=64, seed=0,
                           validation_data=(outside, y[held_out])).history
    fold_errors.append(history["val_rmse"][-1])
    validated[held_out] += 1
print("every row validated once:", (validated == 1).all())
print("all five errors between 0.1 and 0.3:", all(0.1 < error < 0.3 for error in fold_errors))

# %% tags=["nbval-ignore-output"]
print("errors", np.round(fold_errors, 3), "mean", np.mean(fold_errors).round(3))

# %% tags=["proof"]
assert len(set(fold_errors)) == 5
assert (validated == 1).all() and all(0.1 < error < 0.3 for error in fold_errors)

# %% [markdown]
# Five parts of one table, five different errors. Their spread is the honest margin of the mean: a
# change of the model that gains less than that may be luck.

# %% [markdown]
# ## K-fold with one call
#
# `training.k_fold` takes the builder, the rows and `prepare`, and trains all five models at once
# instead of one after the other.

# %%
result = training.k_fold(build, X, y, k=5, epochs=50, batch_size=64, metric="rmse", prepare=prepare)
result.plot()
mean = result.table["mean"].iloc[0]
print("as by hand, to within 0.01:", abs(mean - np.mean(fold_errors)) < 0.01)

# %% tags=["nbval-ignore-output"]
result.table

# %% tags=["proof"]
assert abs(mean - np.mean(fold_errors)) < 0.01
curve = np.mean([history["val_rmse"] for history in result.histories.values()], axis=0)
assert len(curve) == 50 and abs(curve[-1] - curve[-10]) < result.table["spread"].iloc[0]

# %% [markdown]
# The answer is the same. The curve is the mean over the folds and the band their spread; what the
# last ten epochs change is small beside it. Does the leak matter here? Standardise once over all
# rows, before the folds are cut, and compare.

# %%
leaky = prepare(X, X)[0]
with_leak = training.k_fold(build, leaky, y, k=5, epochs=50, batch_size=64, metric="rmse")
difference = abs(with_leak.table["mean"].iloc[0] - mean)
print("difference below 0.01:", difference < 0.01)

# %% tags=["proof"]
assert difference < 0.01

# %% [markdown]
# Means over 1,168 and over 1,460 rows are nearly equal, so this leak is small. It would not be with
# fifty rows, or with a statistic that uses the label.

# %% [markdown]
# ## Where the errors are
#
# One number hides which houses it comes from. Every row was validated once, so each has a
# prediction from a model that never saw it. The difference to the truth is the
# [residual](../chapters/glossary.md#residual).

# %%
residual = np.empty(len(y))
for model, (rows, held_out) in zip(result.models(), training.fold_indices(len(X), 5), strict=True):
    _, outside = prepare(X[rows], X[held_out])
    residual[held_out] = model.predict(outside, verbose=0)[:, 0] - y[held_out]

# %%
plt.plot(y, residual, "o", markersize=2, alpha=0.5)
plt.axhline(0, color="black", linewidth=1)
plt.xlabel("log of the price")
plt.ylabel("prediction - truth, in logs")
plt.show()

# %% [markdown]
# The cloud tilts down to the right. Compare its two ends.

# %%
cheap, dear = y < np.quantile(y, 0.1), y > np.quantile(y, 0.9)
print("cheapest tenth predicted too high:", residual[cheap].mean() > 0)
print("dearest tenth predicted too low:", residual[dear].mean() < 0)

# %% tags=["proof"]
assert residual[cheap].mean() > 0 > residual[dear].mean()
assert np.isclose(np.sqrt(np.mean(residual**2)), mean, atol=0.01)

# %% [markdown]
# The model pulls unusual houses towards the middle, as every model does that cannot see all that
# makes a price. A point far from the line is a sale to look at by hand.

# %% [markdown]
# ### Exercise 7.6 — Without standardising (d2l 5.7.5)
# *2 points · ★★☆ · 15 min · stuck? run `hint("7.6")`*
#
# **Given** `build`, `X`, `y` and `prepare`.
#
# **Write** an experiment that measures the baseline (50 epochs, batches of 64, five folds) twice:
# with `prepare`, and with inputs whose gaps become 0 but that are not standardised. Where a loss
# is no longer finite, `training.fit` raises `training.NonFiniteLoss` and `training.k_fold` gives
# NaN; hand in `np.inf` for such an error. It costs about eight seconds.
#
# **Shapes** `without_standardising` is a dict with the keys `"standardised"` and `"raw"`, each a
# list of five errors.
#
# **Done when** both lists are complete.

# %%
### BEGIN SOLUTION
def fill_only(x_train, x_other):
    return np.nan_to_num(x_train), np.nan_to_num(x_other)

without_standardising = {"standardised": [], "raw": []}
for name, prepared in (("standardised", prepare), ("raw", fill_only)):
    for rows, held_out in training.fold_indices(len(X), 5):
        inside, outside = prepared(X[rows], X[held_out])
        try:
            history = training.fit(build(), inside, y[rows], epochs=50, batch_size=64, seed=0,
                                   validation_data=(outside, y[held_out])).history
            error = history["val_rmse"][-1]
        except training.NonFiniteLoss:
            error = np.inf
        without_standardising[name].append(error)
print("raw inputs diverge in all folds:", np.isinf(without_standardising["raw"]).all())
### STUB
# without_standardising = None
### END SOLUTION

# %%
check("7.6", without_standardising)

# %% [markdown]
# ## Choosing between models
#
# Learning rate, weight decay, width: what training does not learn is a
# [hyperparameter](../chapters/glossary.md#hyperparameter), and choosing one is [model
# selection](../chapters/glossary.md#model-selection). `training.search`, known from chapter 2,
# measures a list of configurations on the same folds, all at once.
#
# The best of many is partly the luckiest of many. So its error is a little too good, more so the
# more you tried, and the test table must stay out of it.

# %%
rates = [0.0001, 0.001, 0.01, 0.03]
searched = training.search(build, [{"learning_rate": rate} for rate in rates], X, y,
                           k=5, epochs=50, batch_size=64, metric="rmse", prepare=prepare)
table = searched.table.sort_values("learning_rate")
plotting.lines(rates, {"five folds": table["mean"]}, spread={"five folds": table["spread"]},
               xlabel="learning rate", ylabel="log RMSE", xscale="log")
print("the smallest learning rate is the worst:", table["mean"].idxmax() == table.index[0])

# %% tags=["nbval-ignore-output"]
searched.table.round(3)

# %% tags=["proof"]
assert table["mean"].idxmax() == table.index[0]
others = table.iloc[1:]
assert (others["mean"] - others["spread"]).max() < (others["mean"] + others["spread"]).min()

# %% [markdown]
# With 50 epochs, 0.0001 has not arrived. The bands of one standard deviation around the other three
# overlap: five folds cannot tell them apart.

# %% [markdown]
# ### Exercise 7.7 — Tune by K-fold (d2l 5.7.3)
# *3 points · ★★☆ · 25 min · stuck? run `hint("7.7")`*
#
# **Given** `build(learning_rate, weight_decay)` and `training.search`.
#
# **Write** a search over at least two learning rates and at least two values of weight decay, six
# configurations or more in all. It costs about a second a configuration.
#
# **Shapes** `tuning` is a table with the columns `learning_rate`, `weight_decay` and `mean` (the
# log RMSE over five folds), one row a configuration; the search's `.table` is one.
#
# **Done when** the best configuration is at least as good as the lesson's.

# %%
### BEGIN SOLUTION
configurations = [
    {"learning_rate": learning_rate, "weight_decay": weight_decay}
    for learning_rate in (0.001, 0.01, 0.03)
    for weight_decay in (0.0, 0.01, 0.3)
]
tuning = training.search(build, configurations, X, y, k=5, epochs=50, batch_size=64,
                         metric="rmse", prepare=prepare).table
grid = tuning.pivot(index="learning_rate", columns="weight_decay", values="mean")
plotting.table_heat(grid, grid.index, grid.columns, xlabel="weight decay", ylabel="learning rate",
                    title="log RMSE, mean of five folds", form="{:.3f}")
### STUB
# tuning = None
### END SOLUTION

# %%
check("7.7", tuning)

# %% [markdown]
# ### Exercise 7.8 — A better model (d2l 5.7.4)
# *4 points · ★★★ · 40 min · stuck? run `hint("7.8")`*
#
# **Given** the linear baseline.
#
# **Write** a builder with hidden layers, weight decay and dropout, and search over at least four
# configurations: one linear (`hidden_units` 0), one at least with a hidden layer, and one at least
# of those with dropout or weight decay. Plan one to four seconds a configuration.
#
# **Shapes** `improved` is a table with the columns `hidden_units`, `rate`, `weight_decay` and
# `mean`; the search's `.table` is one.
#
# **Done when** your best hidden layer beats the linear row on the same folds.

# %%
### BEGIN SOLUTION
def build_deep(hidden_units, rate, weight_decay):
    penalty = keras.regularizers.L2(weight_decay)
    hidden = []
    if hidden_units:
        hidden = [keras.layers.Dense(hidden_units, activation="relu", kernel_regularizer=penalty),
                  keras.layers.Dropout(rate)]
    output = keras.layers.Dense(1, bias_initializer=keras.initializers.Constant(12),
                                kernel_regularizer=penalty)
    model = keras.Sequential([keras.Input(shape=(330,)), *hidden, output])
    model.compile(optimizer=keras.optimizers.Adam(learning_rate=0.001), loss="mse",
                  metrics=[keras.metrics.RootMeanSquaredError(name="rmse")])
    return model

configurations = [
    {"hidden_units": units, "rate": rate, "weight_decay": weight_decay}
    for units, rate, weight_decay in [
        (0, 0.0, 0.0), (0, 0.0, 0.003), (128, 0.3, 0.003), (128, 0.5, 0.003)]
]
better = training.search(build_deep, configurations, X, y, k=5, epochs=200, batch_size=64,
                         metric="rmse", prepare=prepare)
improved = better.table
best = improved.iloc[0]
print("the best has a hidden layer and dropout:", best["hidden_units"] > 0 and best["rate"] > 0)
### STUB
# improved = None
### END SOLUTION

# %%
check("7.8", improved)

# %% [markdown]
# ## An ensemble over the folds
#
# K-fold left five models behind, each trained on other rows. Together they are an
# [ensemble](../chapters/glossary.md#ensemble): their errors partly cancel in the mean. Each model
# must see the test rows as its own fold prepared them.

# %%
logs = []
for model, (rows, _) in zip(result.models(), training.fold_indices(len(X), 5), strict=True):
    _, prepared_test = prepare(X[rows], X_test)
    logs.append(model.predict(prepared_test, verbose=0)[:, 0])

# %%
logs = np.array(logs)
disagreement = logs.std(axis=0)
print("predictions", logs.shape, "- all finite:", np.isfinite(logs).all())
print("the models disagree by less than 0.1 on most houses:", np.median(disagreement) < 0.1)

# %% tags=["proof"]
assert logs.shape == (5, 1459) and np.isfinite(logs).all() and np.median(disagreement) < 0.1

# %% [markdown]
# The five agree closely on most houses. There are two ways to average their log prices into one
# price: average the logs and take the exponential, or average the prices. The first is the
# [geometric mean](../chapters/glossary.md#geometric-mean) and fits the metric, which looks at logs.

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
# Kaggle wants a file with two columns, `Id` and `SalePrice`, one row for each test house. Write it
# to a temporary name first and move it into place in one step, then read it back: what counts is
# the file, not the table it came from.

# %%
submission = pd.DataFrame({"Id": test["Id"], "SalePrice": np.exp(logs.mean(axis=0)).round(2)})
path = Path("submissions") / "submission.csv"
path.parent.mkdir(exist_ok=True)
submission.to_csv(path.with_suffix(".partial"), index=False)
os.replace(path.with_suffix(".partial"), path)

# %%
back = pd.read_csv(path)
print(path.as_posix(), back.shape, *back.columns)
print("one row for each test house:", back["Id"].equals(test["Id"]))
print("all prices between 10,000 and 2,000,000 dollars:", back["SalePrice"].between(1e4, 2e6).all())

# %% tags=["proof"]
assert list(back.columns) == ["Id", "SalePrice"] and back["Id"].equals(test["Id"])
assert back["SalePrice"].between(1e4, 2e6).all() and not list(path.parent.glob("*.partial"))

# %% [markdown]
# To hand it in, open the competition [House Prices: Advanced Regression
# Techniques](https://www.kaggle.com/c/house-prices-advanced-regression-techniques), join it, choose
# *Submit Predictions*, and upload the file; a score appears within a minute. With Kaggle's own
# program: `kaggle competitions submit -c house-prices-advanced-regression-techniques -f
# submissions/submission.csv -m "linear, five folds"`. A file made from the stand-in is valid in
# form and worthless in content.

# %% [markdown]
# ### Exercise 7.10 — Write and validate a submission (d2l 5.7.1)
# *3 points · ★★☆ · 25 min · stuck? run `hint("7.10")`*
#
# **Given** `ids` of shape (n,) and `prices` of shape (n,) or (n, 1); and, for the validator, the
# `text` of a file.
#
# **Write** `submission_csv(ids, prices)`, which returns the text of a submission, and
# `submission_problems(text, ids)`, which returns a list of sentences, one for each kind of problem
# it finds: other columns, ids that are missing, unknown or there twice, prices that are no finite
# numbers above 0.
#
# **Shapes** a text; a list, empty if the text is valid. The order of the rows does not matter.
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
# **Given** your best configuration of exercise 7.8 (or any other that you measured).
#
# **Write** what you expect Kaggle to answer, before you upload.
#
# **Shapes** `score` is a dict: `fold_errors`, the five log RMSEs; `estimate`, your guess of the
# score, near the mean of these five; `low` and `high`, an interval around it as wide as the folds
# suggest.
#
# **Done when** the numbers fit each other. If you do upload, compare.

# %%
### BEGIN SOLUTION
best = improved.iloc[0]
own_errors = [float(best[column]) for column in improved if column.startswith("fold")]
estimate, margin = np.mean(own_errors), np.std(own_errors, ddof=1)
score = {"fold_errors": own_errors, "estimate": estimate,
         "low": estimate - margin, "high": estimate + margin}
print("between 0.1 and 0.2:", 0.1 < estimate < 0.2)
### STUB
# score = None
### END SOLUTION

# %%
check("7.11", score)

# %% [markdown]
# ## Recap
#
# - A checksum notices a broken or changed download; a move into place leaves no half file.
# - Means, standard deviations and categories come from training rows; a fold has its own.
# - A gap may be an answer. The mean is a good guess only for values that are missing at random.
# - Log prices turn relative errors into differences, and the metric into a mean squared error.
# - In K-fold cross-validation every row is validated once; the spread between folds is the margin.
# - A hidden layer can beat the linear model on 1,460 rows; the folds say which configuration does.
# - Each model of an ensemble needs the inputs prepared as in its own fold.

# %% tags=["nbval-ignore-output"]
progress("house_prices")

# %% [markdown]
# ## Terms
#
# [baseline](../chapters/glossary.md#baseline) ·
# [cache](../chapters/glossary.md#cache) ·
# [checksum](../chapters/glossary.md#checksum) ·
# [data leakage](../chapters/glossary.md#data-leakage) ·
# [ensemble](../chapters/glossary.md#ensemble) ·
# [geometric mean](../chapters/glossary.md#geometric-mean) ·
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
# [standardization](../chapters/glossary.md#standardization)
#
# ## Sources
#
# - Zhang, Lipton, Li, Smola, *Dive into Deep Learning*, [section
#   5.7](https://d2l.ai/chapter_multilayer-perceptrons/kaggle-house-price.html), CC BY-SA 4.0: the
#   task, the recipe, formulas (5.7.1) and (5.7.2), exercises 7.10 to 5.7.5.
# - De Cock, "Ames, Iowa: Alternative to the Boston Housing Data as an End of Semester Regression
#   Project", *Journal of Statistics Education* 19(3), 2011.
# - Kaggle, [House Prices: Advanced Regression
#   Techniques](https://www.kaggle.com/c/house-prices-advanced-regression-techniques).
# - Rubin, "Inference and missing data", *Biometrika* 63(3), 1976.
