"""Exercises of chapter 6: noise, dropout, its experiments and its relatives."""

from __future__ import annotations

import numpy as np

from helpers.answers import AnswerError
from helpers.exercises import (
    NotYet,
    exercise,
    expect,
    expect_close,
    expect_number,
    expect_raises,
    expect_shape,
    explanation,
    quiz,
    show,
)

_ROWS = 1024  # images the page trains on, and as many to validate on


@exercise(
    "6.1",
    "Input noise is ridge regression",
    aliases=("+6.3",),
    kind="C",
    points=2,
    minutes=15,
    stars=2,
    hints=(
        "With noise E the prediction is (X + E)w = Xw + Ew. Square the error and take the mean: "
        "the mixed term vanishes, because E has mean 0.",
        "Each entry of Ew has variance sigma² · (w₁² + ... + w_d²). So the expected loss is the "
        "usual one plus that number.",
        "For the weights set the gradient to zero: `np.linalg.solve(X.T @ X + ... * np.eye(d), "
        "X.T @ y)`. Mind that the loss is a mean over n rows and X.T @ X a sum.",
    ),
)
def _(noisy_loss, noisy_weights, case):
    n, d, sigma = 25, 3, float(case.uniform(0.4, 0.9))
    X, w = case.normal(size=(n, d)), case.normal(size=d)
    y = X @ case.normal(size=d) + case.normal(scale=0.5, size=n)
    clean, squares = float(np.mean((X @ w - y) ** 2)), float(w @ w)
    given = f"X of shape ({n}, {d}) and sigma {sigma:.3g}"
    got = noisy_loss(X, y, w, sigma)
    _expect_no_draws(got, noisy_loss(X, y, w, sigma), "noisy_loss")
    expect_close(
        got,
        clean + sigma**2 * squares,
        given=given,
        what="noisy_loss",
        mistakes={
            "that is the loss without noise; the noise adds a penalty on w.": clean,
            "the penalty uses sigma; the noise enters squared.": clean + sigma * squares,
            "the penalty is n times too large for a mean over rows.": clean
            + n * sigma**2 * squares,
            "the penalty is divided by d, but each of the d entries adds its own noise.": clean
            + sigma**2 * squares / d,
            "the penalty needs the sum of the squared weights, not their norm.": clean
            + sigma**2 * squares**0.5,
            "you add up the squared errors; take their mean.": n * clean + sigma**2 * squares,
            "the sum over the rows came back; take the mean.": n * (clean + sigma**2 * squares),
            "that is half of the loss; the mean squared error has no factor 1/2.": (
                clean + sigma**2 * squares
            )
            / 2,
        },
    )
    draws = case.normal(scale=sigma, size=(20_000, d)) @ w
    by_chance = clean + float(np.mean(draws**2))
    expect_close(
        noisy_loss(X, y, w, sigma),
        by_chance,
        rtol=0.1,
        given="20,000 draws of noise",
        what="noisy_loss",
    )
    yield 0.5

    def weights(strength):
        return np.linalg.solve(X.T @ X + strength * np.eye(d), X.T @ y)

    got = noisy_weights(X, y, sigma)
    _expect_no_draws(got, noisy_weights(X, y, sigma), "noisy_weights")
    expect_close(
        got,
        weights(n * sigma**2),
        given=given,
        what="noisy_weights",
        mistakes={
            "those are the least-squares weights; the penalty is missing.": weights(0.0),
            "the penalty is too weak: the loss is a mean over n rows, X.T @ X a sum.": weights(
                sigma**2
            ),
            "the penalty uses sigma; the noise enters squared.": weights(n * sigma),
            "the penalty counts the columns of X; the mean is over the rows.": weights(
                d * sigma**2
            ),
            "X.T @ X is divided by n, and X.T @ y is not.": n * weights(n * sigma**2),
        },
    )


def _expect_no_draws(once, again, name):
    expect(
        np.shape(once) != np.shape(again) or np.allclose(once, again, rtol=1e-9, atol=0),
        f"Two calls of {name} with the same arguments differ, so it draws noise. Work out the "
        "expectation on paper: the closed form needs no draws.",
    )


def _dropped(got, x, rate, name):
    """Return which entries are zero, after checking that the others are scaled entries of x."""
    expect_shape(got, x.shape, given=f"x of shape {x.shape} and rate {rate}", what=name)
    got = np.asarray(got, dtype=float)
    zero = got == 0
    share = float(zero.mean())
    tolerance = 5 * np.sqrt(rate * (1 - rate) / x.size)
    mistaken = np.isclose(share, 1 - rate, atol=tolerance) and abs(1 - 2 * rate) > 2 * tolerance
    expect(
        not mistaken,
        f"Given rate {rate}: {share:.0%} of the entries are 0. The rate is the fraction to drop, "
        "not the fraction to keep.",
    )
    expect(
        abs(share - rate) <= tolerance,
        f"Given rate {rate} and {x.size} entries: {share:.1%} of them are 0, which chance does not "
        "explain. Each entry is dropped on its own with probability `rate`.",
    )
    expect(
        np.ptp(got[~zero]) > 1e-6,
        f"Given rate {rate}: all entries that are left are {got[~zero][0]:.4g}, which is the mask. "
        "Multiply it by the numbers it belongs to.",
    )
    ratio = float(np.median(got[~zero] / x[~zero]))
    advice = {
        1.0: "The survivors are not scaled: the mean shrinks by the factor 1 - rate.",
        1 / rate: "The survivors are divided by rate; divide by 1 - rate.",
        1 - rate: "The survivors are multiplied by 1 - rate; divide by it.",
    }
    for wrong, sentence in advice.items():
        expect(not np.isclose(ratio, wrong) or np.isclose(wrong, 1 / (1 - rate)), sentence)
    expect_close(
        got[~zero], x[~zero] / (1 - rate), given=f"rate {rate}", what=f"a survivor of {name}"
    )
    return zero


def _expect_free_count(counts, entries, rate, what):
    expect(
        len(set(counts)) > 1,
        f"Given rate {rate} and {entries} {what}: {len(counts)} seeds drop {counts[0]} each. If "
        "each is drawn on its own, that number varies from seed to seed.",
    )


@exercise(
    "6.2",
    "A dropout layer",
    aliases=("+6.1",),
    kind="C",
    points=2,
    minutes=15,
    stars=2,
    hints=(
        "Draw one uniform number between 0 and 1 for each entry; the entry stays if its number is "
        "at least the rate.",
        "Survivors become x / (1 - rate). At rate 1 that divides by zero, so treat it first.",
        "`kept = np.random.default_rng(seed).uniform(size=x.shape) >= rate`, then "
        "`np.where(kept, ..., 0.0)`.",
    ),
)
def _(dropout_layer, case):
    x = case.uniform(0.5, 2.0, size=(120, 50))
    x *= case.choice([-1, 1], size=x.shape)
    seeds = [int(seed) for seed in case.choice(10_000, size=3, replace=False)]
    for rate in (0.2, 0.5):
        got = dropout_layer(x, rate, seeds[0])
        expect_shape(got, x.shape, given=f"x of shape {x.shape}", what="dropout_layer")
        zero = np.asarray(got) == 0
        for axis, line in ((0, "column"), (1, "row")):
            # A share of m entries has variance rate (1 - rate) / m if each is drawn on its own.
            chance = rate * (1 - rate) / x.shape[axis]
            expect(
                zero.mean(axis=axis).var() < 3 * chance,
                f"Given rate {rate}: whole {line}s live or die together. Draw one number for each "
                "entry, so the mask needs the shape of x.",
            )
        _dropped(got, x, rate, "dropout_layer")
    expect_close(dropout_layer(x, 0.0, seeds[0]), x, given="rate 0", what="dropout_layer(x, 0)")
    yield 0.5
    once, again, other = (dropout_layer(x, 0.5, seed) for seed in (seeds[0], seeds[0], seeds[1]))
    expect(
        np.array_equal(once, again),
        f"Two calls with seed {seeds[0]} give different masks. Make the generator from the seed.",
    )
    expect(
        not np.array_equal(once, other),
        f"Seeds {seeds[0]} and {seeds[1]} give the same mask. Use the seed that is given.",
    )
    for shape in ((40,), (6, 5, 4)):
        got = dropout_layer(np.ones(shape), 0.3, seeds[2])
        expect_shape(got, shape, given=f"x of shape {shape}", what="dropout_layer")
    few = [dropout_layer(np.ones(40), 0.3, seed) for seed in range(12)]
    _expect_free_count([int(np.sum(np.asarray(part) == 0)) for part in few], 40, 0.3, "entries")
    try:
        got = dropout_layer(x, 1.0, seeds[0])
    except AnswerError as raised:
        raise NotYet(f"Given rate 1: your code raised {raised}. It should give zeros.") from None
    finite = np.all(np.isfinite(np.asarray(got, dtype=float)))
    expect(finite, "Given rate 1: the result contains nan or inf, from x / 0. It should be zeros.")
    expect_close(got, np.zeros(x.shape), given="rate 1", what="dropout_layer(x, 1)")
    for rate in (-0.1, 1.5):
        expect_raises(ValueError, lambda rate=rate: dropout_layer(x, rate, 0), given=f"rate {rate}")


_MODEL = """
keras.utils.set_random_seed(seed)
model = keras.Sequential([keras.Input((d,)), keras.layers.Dropout(rate, seed=seed)])
model = keras.Sequential([*model.layers, keras.layers.Dense(k)])
model.build((None, d))
model.set_weights([w, b])
"""


@exercise(
    "6.3",
    "Monte Carlo dropout",
    aliases=("+6.2",),
    kind="C",
    points=2,
    minutes=15,
    stars=2,
    hints=(
        "`model(x)` is the same every time. One argument of the call switches dropout on.",
        "Stack the passes along a new first axis, shape (draws, n, k), and take the mean and the "
        "standard deviation over that axis.",
        "`outputs = np.stack([model(x, training=True) for _ in range(draws)])`, then two methods "
        "with `axis=0`.",
    ),
)
def _(monte_carlo, case):
    n, d, k, draws, rate = 6, 4, 3, 300, 0.5
    x = case.uniform(0.5, 1.5, size=(n, d)).astype("float32")
    w, b = case.normal(size=(d, k)).astype("float32"), case.normal(size=k).astype("float32")
    source = _MODEL + "result = monte_carlo(model, x, draws)"
    inputs = {"x": x, "w": w, "b": b, "d": d, "k": k, "seed": int(case.integers(1, 10_000))}
    got = monte_carlo.evaluate(source, **inputs, rate=rate, draws=draws)
    expect(
        isinstance(got, tuple | list) and len(got) == 2,
        f"monte_carlo should return two things, (mean, standard_deviation); got {show(got)}.",
    )
    mean, spread = (np.asarray(part, dtype=float) for part in got)
    given = f"x of shape ({n}, {d}), a model with {k} outputs and {draws} draws"
    for part, what in ((mean, "the mean"), (spread, "the standard deviation")):
        expect(
            part.shape != (draws, n, k),
            f"Given {given}: {what} has one row for each draw. Take it over the draws.",
        )
        expect(
            part.shape != (draws, k),
            f"Given {given}: {what} is taken over the examples. Take it over the draws.",
        )
        expect_shape(part, (n, k), given=given, what=what)
    expect(
        not np.all(spread < 1e-4),
        f"Given {given}: the standard deviation is 0 everywhere, so all passes were the same. Call "
        "the model with training=True; `predict` leaves dropout out.",
    )
    # Of a linear layer over dropped inputs, both moments are known.
    true_mean, true_spread = x @ w + b, np.sqrt((x**2 * rate / (1 - rate)) @ w**2)
    expect(
        not np.allclose(mean, true_spread, rtol=0.3),
        f"Given {given}: the standard deviation comes first. Return (mean, standard_deviation).",
    )
    expect(
        not np.allclose(mean.sum(axis=1), 1, atol=1e-3),
        f"Given {given}: the means of each example add up to 1, as after a softmax. Take the "
        "model's outputs as they are.",
    )
    expect_close(
        spread,
        true_spread,
        rtol=0.3,
        given=given,
        what="the standard deviation",
        mistakes={
            "that is the variance; take its square root.": true_spread**2,
            "that is the standard error of the mean. Do not divide by the root of `draws`: the "
            "spread of the passes themselves is asked for.": true_spread / np.sqrt(draws),
        },
    )
    expect(
        np.all(np.abs(mean - true_mean) < 6 * true_spread / np.sqrt(draws)),
        f"Given {given}: the mean is further from the outputs without dropout than chance "
        "explains. Average the model's outputs as they are.",
    )
    yield 0.7
    # One input of 1 and weight 1: each pass gives 0 or 2, so two of them have mean 0, 1 or 2.
    one = np.ones((60, 1), "float32")
    coins = inputs | {"x": one, "w": one[:1], "b": one[0] - 1, "d": 1, "k": 1}
    mean = np.asarray(monte_carlo.evaluate(source, **coins, rate=0.5, draws=2)[0], dtype=float)
    given = "2 draws of a model whose passes give 0 or 2"
    expect(
        not np.allclose(mean, 1),
        f"Given {given}: every mean is 1, which is the pass without dropout. Average the passes.",
    )
    expect(
        np.allclose(mean, np.round(mean), atol=1e-4),
        f"Given {given}: the means are not those of two passes. Make as many as `draws` says.",
    )
    got = monte_carlo.evaluate(source, **inputs, rate=0.0, draws=2)
    # Loose, for the variance may be a difference of two large float32 numbers.
    expect_close(
        got[1], np.zeros((n, k)), given="a model with rate 0", what="the spread", atol=0.02
    )


def _number(value, what):
    expect(
        isinstance(value, int | float) and not isinstance(value, bool) and np.isfinite(value),
        f"{what} is {show(value)}; it should be a finite number.",
    )
    return float(value)


def _runs(values, what, low, high, fewest=3):
    """Return one number a seed, after checking form, range, and that the seeds differ."""
    values = values.tolist() if isinstance(values, np.ndarray) else values
    expect(
        isinstance(values, tuple | list) and len(values) >= fewest,
        f"{what} should hold one number a seed, for at least {fewest} seeds; got {show(values)}.",
    )
    numbers = [_number(value, f"A number of {what}") for value in values]
    for number in numbers:
        expect(
            low <= number <= high,
            f"{what} contains {number:.4g}; on this page it lies between {low:g} and {high:g}.",
        )
    expect(
        len(set(numbers)) > 1,
        f"All seeds of {what} give {numbers[0]:.4g}. Use the seed for the weights and the batches.",
    )
    return np.array(numbers)


def _accuracies(values, what, rows=_ROWS, low=0.5, fewest=3):
    numbers = _runs(values, what, low, 1.0, fewest)
    expect(
        np.allclose(numbers * rows, np.round(numbers * rows), atol=0.02),
        f"{what} contains an accuracy that is no fraction of {rows:,} images. Measure it on all of "
        "them, after training, and do not round.",
    )
    return numbers


def _expect_no_accuracies(values, what):
    """Refuse losses that are all whole numbers of images, which no loss is."""
    counts = np.ravel(values) * _ROWS
    expect(
        not np.allclose(counts, np.round(counts), atol=0.02),
        f"{what} holds accuracies: each number is a fraction of {_ROWS:,} images. Take 'val_loss'.",
    )


def _pair(key):
    return tuple(float(part) for part in key) if isinstance(key, tuple | list) else None


_RATES = ((0.0, 0.0), (0.2, 0.5), (0.5, 0.2), (0.5, 0.5))


@exercise(
    "6.4",
    "Change and swap the rates",
    aliases=("5.6.1",),
    kind="X",
    points=3,
    minutes=20,
    stars=2,
    hints=(
        "Change one thing at a time: for each pair of rates train the same network with the same "
        "seeds, and measure it without dropout on both sets of images.",
        "The gap is the mean training accuracy minus the mean validation accuracy. `max` and `min` "
        "take a `key`.",
        "Two loops, pairs outside and seeds inside: `model = models.mlp((256, 256), rate=rates, "
        "seed=seed)`, `train_once(model, seed)`, then two `append(accuracy(...))`.",
    ),
)
def _(rates_table, fits_best, gap_smallest, case):
    table = rates_table.value
    expect(
        isinstance(table, dict) and all(_pair(key) is not None for key in table),
        f"rates_table should be a dict whose keys are pairs of rates; got {show(table)}.",
    )
    table = {_pair(key): row for key, row in table.items()}
    for pair in _RATES:
        expect(pair in table, f"rates_table has no entry for the rates {pair}.")
    for pair, row in table.items():
        expect(
            isinstance(row, dict) and {"training", "validation"} <= set(row),
            f"rates_table[{pair}] should be a dict with the keys 'training' and 'validation'.",
        )
    low = {pair: 0.5 if max(pair) <= 0.6 else 0.05 for pair in table}
    training = {
        pair: _accuracies(row["training"], f"rates_table[{pair}]['training']", low=low[pair])
        for pair, row in table.items()
    }
    validation = {
        pair: _accuracies(row["validation"], f"rates_table[{pair}]['validation']", low=low[pair])
        for pair, row in table.items()
    }
    counts = {len(runs) for runs in [*training.values(), *validation.values()]}
    expect(len(counts) == 1, "The entries have different numbers of seeds; use the same for all.")
    means = {pair: (training[pair].mean(), validation[pair].mean()) for pair in table}
    for pair in _RATES:
        expect(
            means[pair][0] > means[pair][1] - 0.01,
            f"With the rates {pair}, validation accuracy is above training accuracy. Measure both "
            "without dropout, or check whether the two are swapped.",
        )
    expect(
        means[0.0, 0.0][0] > means[0.5, 0.5][0],
        "Without dropout the training images are fitted worse than with rates 0.5 and 0.5, which "
        "this network does not do: check which model belongs to which row.",
    )
    yield 2 / 3
    best = max(means, key=lambda pair: means[pair][0])
    smallest = min(means, key=lambda pair: means[pair][0] - means[pair][1])
    for answer, want, what in (
        (fits_best, best, "fits_best"),
        (gap_smallest, smallest, "gap_smallest"),
    ):
        value = answer.value
        said = _pair(value)
        expect(said in means, f"{what} is {show(value)}; it should be a pair of your table.")
        index = 0 if what == "fits_best" else 1
        score = {pair: (row[0], row[1] - row[0])[index] for pair, row in means.items()}
        expect(
            score[said] >= score[want] - 1e-9,
            f"{what} is {said}, but your own table says {want}: compare the means over the seeds.",
        )


def _losses(values, what):
    """Return losses of shape (seeds, epochs), after checking that they look like training."""
    try:
        losses = np.asarray(values, dtype=float)
    except (TypeError, ValueError):
        raise NotYet(f"{what} should be an array of shape (seeds, epochs).") from None
    expect(
        losses.ndim == 2 and losses.shape[0] >= 2 and losses.shape[1] >= 40,
        f"{what} should have shape (seeds, epochs) with at least 2 seeds and 40 epochs; its shape "
        f"is {losses.shape}.",
    )
    expect(np.all(np.isfinite(losses)), f"{what} contains nan or inf.")
    _expect_no_accuracies(losses, what)
    expect(
        losses.min() > 0.1 and losses[:, 0].max() < 2.5,
        f"{what} is out of range: the losses run from {losses.min():.3g} to {losses.max():.3g}. "
        "Take `history['val_loss']`, not an accuracy.",
    )
    expect(
        not np.allclose(losses[0], losses[1]),
        f"The runs of {what} are the same. Use another seed for each.",
    )
    steps = np.abs(np.diff(losses, axis=1))
    expect(
        np.median(steps) > 1e-5,
        f"{what} hardly changes from one epoch to the next, as no training on batches does.",
    )
    return losses


@exercise(
    "6.5",
    "Train for longer",
    aliases=("5.6.2",),
    kind="X",
    points=2,
    minutes=15,
    stars=2,
    hints=(
        "The validation loss shows overfitting earlier and more clearly than the accuracy.",
        '`train_once(model, seed, epochs=60)["val_loss"]` is one row of the array.',
        "`curves[name] = np.array([... for seed in (0, 1)])`, once with rate 0.0, once with 0.5.",
    ),
)
def _(curves, case):
    given = curves.value
    expect(
        isinstance(given, dict) and {"without", "with"} <= set(given),
        f"curves should be a dict with the keys 'without' and 'with'; got {show(given)}.",
    )
    losses = {name: _losses(given[name], f"curves['{name}']") for name in ("without", "with")}
    expect(
        losses["without"].shape[1] == losses["with"].shape[1],
        "The two networks have different numbers of epochs; train both for the same time.",
    )
    mean = {name: values.mean(axis=0) for name, values in losses.items()}
    yield 0.5
    expect(
        mean["with"][0] > 1.2 * mean["with"].min(),
        "The loss with dropout hardly falls, so the network did not learn: check the training.",
    )
    expect(
        mean["without"][-1] > 1.1 * mean["without"].min(),
        "Without dropout, the validation loss does not rise again towards the end. With so few "
        "images and so many epochs it does: check the rate, and that you record 'val_loss'.",
    )
    expect(
        mean["with"][-1] < mean["without"][-1],
        "At the end the network with dropout has the higher validation loss. On this page it is "
        "the other way round: check which curve belongs to which rate.",
    )


_STACK = """
parts = [keras.Input((5,)), *([keras.layers.Dropout(front)] if front else [])]
for units, rate in zip((7, 6), rates):
    parts.append(keras.layers.Dense(units, "relu"))
    if rate:
        parts.append(keras.layers.Dropout(rate, seed=seed))
model = keras.Sequential([*parts, keras.layers.Dense(3)])
model.set_weights(weights)
result = activation_variances(model, x, training)
"""


@exercise(
    "6.6",
    "Variance of activations",
    aliases=("5.6.3",),
    kind="C",
    points=2,
    minutes=15,
    stars=2,
    hints=(
        "Pass x through `model.layers` one by one, and look at it before each Dense layer that is "
        "not the first.",
        "The variance is over all entries of the (n, units) array: `np.var(x)`.",
        "`for layer in model.layers:` if it is Dense and not the first Dense, append the variance; "
        "then `x = layer(x)`, with `training=training` for a Dropout layer.",
    ),
)
def _(activation_variances, case):
    x = case.normal(size=(3000, 5)).astype("float32")
    weights, h, hidden = [], x, []
    for fan_in, fan_out in ((5, 7), (7, 6), (6, 3)):
        weights += [case.normal(size=(fan_in, fan_out)) * 0.7, case.normal(size=fan_out) * 0.3]
        h = np.maximum(h @ weights[-2] + weights[-1], 0)
        hidden.append(h)
    want = [float(np.var(layer)) for layer in hidden[:2]]
    inputs = {"x": x, "weights": [np.float32(w) for w in weights], "seed": int(case.integers(1e6))}

    def call(rates, training, front=0):
        options = {"rates": rates, "training": training, "front": front}
        return activation_variances.evaluate(_STACK, **inputs, **options)

    plain, given = call([0, 0], False), "a network with two hidden layers and no dropout"
    expect(
        np.shape(plain) != (3,),
        f"Given {given}: three numbers came back. Leave the output layer out: it is not hidden.",
    )
    expect_close(
        plain,
        want,
        given=given,
        what="activation_variances",
        rtol=1e-3,
        mistakes={
            "those are standard deviations; take the variance.": np.sqrt(want),
            "those are means of squares; the variance subtracts the squared mean.": [
                float(np.mean(layer**2)) for layer in hidden[:2]
            ],
            "those are the variances over the examples, averaged over the units; take the variance "
            "over all entries.": [float(layer.var(axis=0).mean()) for layer in hidden[:2]],
            "those are the variances over the units, averaged over the examples; take the variance "
            "over all entries.": [float(layer.var(axis=1).mean()) for layer in hidden[:2]],
            "those are the variances of the weights; take what the layers put out for x.": [
                float(np.var(weights[index])) for index in (2, 4)
            ],
        },
    )
    noisy = float(2 * np.mean(hidden[0] ** 2) - np.mean(hidden[0]) ** 2)
    resting = call([0.5, 0.3], False)
    expect(
        np.shape(resting) == (2,),
        "Given dropout layers: the number of variances should not change. A dropout layer is not a "
        "hidden layer of its own.",
    )
    given = "dropout layers and training=False"
    expect(
        not np.isclose(resting[0], noisy, rtol=0.05) or np.isclose(resting[0], want[0], rtol=1e-3),
        f"Given {given}: dropout is on. Pass `training` to the dropout layers.",
    )
    expect_close(resting, want, given=given, what="activation_variances", rtol=1e-3)
    front = call([0.0, 0.5], False, front=0.2)
    given = "a dropout layer in front of the first Dense layer"
    expect(
        np.shape(front) != (3,),
        f"Given {given}: three numbers came back. The input is no hidden layer; leave out what the "
        "first Dense layer reads.",
    )
    expect_close(front, want, given=given, what="activation_variances", rtol=1e-3)
    yield 0.5
    dropped = call([0.5, 0.0], True)
    expect_close(
        dropped[0],
        noisy,
        given="rate 0.5 after the first hidden layer and training=True",
        what="its variance",
        rtol=0.05,
        mistakes={
            "the variance is that without dropout. Measure after the dropout layer, and pass "
            "`training` to it.": want[0]
        },
    )
    expect(
        dropped[1] > 1.02 * want[1],
        "Given rate 0.5 after the first hidden layer and training=True: the second layer's "
        "variance does not feel the dropout below it. Pass on what came out of the dropout layer.",
    )


@exercise(
    "6.7",
    "Variance over time",
    aliases=("5.6.3-experiment",),
    builds_on=("6.6",),
    kind="X",
    points=2,
    minutes=15,
    stars=2,
    hints=(
        "Measure once before training, then after each epoch: a `LambdaCallback` calls a function "
        "of yours with the number of the epoch and its losses.",
        "The network with dropout is measured twice at each time, with `training` True and False.",
        "Lists first: `measure(epoch, logs)` appends `activation_variances(model, x_valid, mode)` "
        "to one for each mode; at the end `variances[name] = np.array(rows)`.",
    ),
)
def _(variances, case):
    given, names = variances.value, ("without", "with, training", "with, predicting")
    expect(
        isinstance(given, dict) and set(names) <= set(given),
        "variances should be a dict with the keys "
        + ", ".join(repr(name) for name in names)
        + f"; got {show(given)}.",
    )
    arrays = {}
    for name in names:
        try:
            array = np.asarray(given[name], dtype=float)
        except (TypeError, ValueError):
            raise NotYet(f"variances[{name!r}] should be an array of numbers.") from None
        expect(
            array.ndim == 2 and array.shape[1] == 2 and array.shape[0] >= 11,
            f"variances[{name!r}] should have shape (epochs + 1, 2) with at least 10 epochs; its "
            f"shape is {array.shape}.",
        )
        expect(
            np.all(np.isfinite(array)) and np.all(array > 0),
            f"variances[{name!r}] contains numbers that are not positive.",
        )
        arrays[name] = array
    without, training, predicting = (arrays[name] for name in names)
    expect(
        without.shape == training.shape == predicting.shape,
        "The three arrays have different numbers of rows; measure all at the same times.",
    )
    expect(
        not np.allclose(predicting[0], predicting[-1], rtol=0.02),
        "The variances of the network with dropout do not change: measure again after each epoch.",
    )
    yield 0.5
    expect(
        not np.allclose(without[0], training[0], rtol=0.02)
        or np.allclose(without[0], predicting[0], rtol=0.02),
        "Before training, 'with, training' holds the variances without dropout. Are 'with, "
        "training' and 'with, predicting' swapped?",
    )
    expect(
        np.allclose(without[0], predicting[0], rtol=0.02),
        "Before training, the two networks differ, though without dropout and with the same seed "
        "they have the same weights. Row 0 belongs before the first epoch, with seed 0.",
    )
    expect(
        np.all(training > predicting),
        "In training mode the variance should be above that in prediction, at every time: dropping "
        "and scaling keeps the mean and spreads the values. Are the two swapped?",
    )
    expect(
        np.all(without[-1] > without[0]),
        "Without dropout, the variance should grow during training, in both layers.",
    )


quiz(
    "6.8",
    "Dropout at test time",
    aliases=("5.6.4-quiz",),
    name="choice_6_8",
    right="c",
    reasons={
        "a": "masks are drawn at random; no label is needed for that.",
        "b": "dropout deletes nothing for good. Each step draws a new mask; all weights remain.",
        "c": "the full network stands for the average of the thinned ones.",
        "d": "inverted dropout has scaled in training already, so at test time the activations "
        "have the right size without any scaling.",
    },
    points=1,
    minutes=3,
    stars=1,
    hints=(
        "What would you see if you asked the same question twice?",
        "Compare one pass of the full network with the mean of many passes with dropout.",
        "One answer speaks of chance and of an average.",
    ),
)


@exercise(
    "6.9",
    "How often would the answer change?",
    aliases=("5.6.4",),
    kind="C",
    points=2,
    minutes=15,
    stars=2,
    hints=(
        "One pass without dropout gives the settled classes; each pass with dropout gives others.",
        "An example counts once, however many of its passes disagree: any over the draws, then the "
        "mean over the examples.",
        "`np.any(passes != settled, axis=0)` with `passes` of shape (draws, n) and `settled` of "
        "shape (n,).",
    ),
)
def _(disagreement, case):
    n, d, k = 3000, 1, 2
    # One input of 1 and logits (input, 1/2): class 0, unless the input is dropped (class 1).
    x, w, b = np.ones((n, d)), np.array([[1.0, 0.0]]), np.array([0.0, 0.5])
    inputs = {"x": x.astype("float32"), "w": w, "b": b, "d": d, "k": k}
    inputs["seed"] = int(case.integers(1, 10_000))
    source = _MODEL + "result = disagreement(model, x, draws)"

    def share(rate, draws):
        got = disagreement.evaluate(source, **inputs, rate=rate, draws=draws)
        return expect_number(got, "disagreement(model, x, draws)")

    expect_close(
        share(0.0, 3),
        0.0,
        given="a model with rate 0",
        what="the disagreement",
        mistakes={"you count the passes that agree; count those that differ.": 1.0},
    )
    got = share(0.5, 1)
    expect(
        got > 1e-9,
        "Given a model whose class changes in half of its passes: the disagreement is 0. Call the "
        "model with training=True for the draws, and compare each with the pass without dropout.",
    )
    expect(
        got <= 1,
        f"Given {n} examples: {show(got)} came back; it should be a fraction between 0 and 1.",
    )
    expect_close(
        got,
        0.5,
        rtol=0.1,
        given="1 draw of a model whose class changes in half of its passes",
        what="the disagreement",
        mistakes={
            "every example counts as changed. Compare the classes rather than the logits, take "
            "`any` over the draws rather than the examples, and make no more passes than `draws` "
            "says.": 1.0
        },
    )
    yield 0.5
    got, given = share(0.5, 4), "4 draws of a model whose class changes in half of its passes"
    advice = {
        0.5: "it does not grow with the draws. Make as many passes as `draws` says; an example "
        "counts if any of them differs, so this is not the mean over all passes.",
        0.5**4: "an example counts if any of its draws differs; you ask for all of them, or for "
        "the class of their mean.",
    }
    for value, sentence in advice.items():
        expect(abs(got - value) > 0.03, f"Given {given}: {sentence}")
    expect_close(got, 1 - 0.5**4, rtol=0.05, given=given, what="the disagreement")


explanation(
    "6.10",
    "Why it rests at test time",
    aliases=("5.6.4-explain",),
    points=2,
    minutes=5,
    stars=2,
    hints=(
        "Think of one prediction, of many predictions, and of their average.",
        "The scaling by 1/(1 - p) keeps a mean. Which one?",
        "One sentence each: what is lost, why no correction, when to leave it on.",
    ),
    rubric=(
        (
            1,
            "Says that predictions with dropout are random and worse than, or costlier to average "
            "to, what the full network gives in one pass.",
        ),
        (
            1,
            "Says that inverted dropout keeps the expected activations, so no rescaling is needed, "
            "and names uncertainty (Monte Carlo dropout) as a reason to leave it on.",
        ),
    ),
)


@exercise(
    "6.11",
    "Dropout and weight decay",
    aliases=("5.6.5",),
    kind="X",
    points=3,
    minutes=20,
    stars=3,
    hints=(
        "Two loops over two values each, and a third over seeds. Everything else stays the same.",
        "The gain of a recipe is the mean loss of (0, 0) minus its own mean loss. Compare the gain "
        "of both with the sum of the two single gains.",
        '`train_once(model, seed, epochs=30, weight_decay=decay)["val_loss"][-1]`, with a new '
        "model for each run.",
    ),
)
def _(two_by_two, verdict, case):
    table = two_by_two.value
    expect(
        isinstance(table, dict) and all(_pair(key) is not None for key in table),
        f"two_by_two should be a dict whose keys are pairs (rate, decay); got {show(table)}.",
    )
    table = {_pair(key): runs for key, runs in table.items()}
    decays = sorted({decay for _, decay in table})
    wanted = {(rate, decay) for rate in (0.0, 0.5) for decay in decays}
    expect(
        len(decays) == 2 and decays[0] == 0 and set(table) == wanted,
        "two_by_two should have four keys: rate 0 or 0.5, with decay 0 or one value above 0; it "
        f"has {sorted(table)}.",
    )
    runs = {pair: _runs(runs, f"two_by_two[{pair}]", 0.15, 3.0) for pair, runs in table.items()}
    _expect_no_accuracies(np.concatenate(list(runs.values())), "two_by_two")
    losses = {pair: values.mean() for pair, values in runs.items()}
    values = list(losses.values())
    expect(
        np.ptp(values) > 1e-3,
        "All four mean losses are the same, so rate and decay did not reach the training.",
    )
    expect(
        losses[0.5, 0.0] < losses[0.0, 0.0],
        "Dropout alone does not lower the validation loss. After 30 epochs on this page's images "
        "it does: check the rates, the epochs, and that you took the last 'val_loss'.",
    )
    yield 2 / 3
    said = verdict.value
    words = ("additive", "more", "diminished", "cancel")
    expect(said in words, f"verdict is {show(said)}; use one of {', '.join(words)}.")
    plain, decay = losses[0.0, 0.0], decays[1]
    singles = plain - losses[0.5, 0.0], plain - losses[0.0, decay]
    both = plain - losses[0.5, decay]
    total = sum(singles)
    if total > 0 and abs(both - total) <= 0.2 * total:
        right = "additive"
    elif both > total:
        right = "more"
    else:
        right = "diminished" if both > max(singles) else "cancel"
    expect(
        said == right,
        f"verdict is {said}. In your table dropout alone gains {singles[0]:.3f}, weight decay "
        f"alone {singles[1]:.3f} and both together {both:.3f}: by the rule that is {right}.",
    )


@exercise(
    "6.12",
    "DropConnect",
    aliases=("5.6.6",),
    kind="C",
    points=2,
    minutes=15,
    stars=2,
    hints=(
        "Everything is as in dropout, but the mask belongs to the weights.",
        "x @ (mask * w / (1 - rate)) + b, with a mask of the shape of w.",
        "Check the rate, draw `kept` with `size=w.shape`, and put `np.where(kept, ..., 0.0)` into "
        "the matrix product.",
    ),
)
def _(drop_connect, case):
    d, k, rate = 80, 60, 0.4
    w, b = case.uniform(0.5, 1.5, size=(d, k)), case.uniform(1, 2, size=k)
    x = case.normal(size=(4, d))
    seeds = [int(seed) for seed in case.choice(10_000, size=2, replace=False)]
    expect_close(
        drop_connect(x, w, b, 0.0, seeds[0]),
        x @ w + b,
        atol=1e-4,
        given="rate 0",
        what="drop_connect",
        mistakes={
            "the biases are missing.": x @ w,
            "all weights are dropped. The rate is the fraction to drop, not to keep.": np.tile(
                b, (len(x), 1)
            ),
        },
    )
    rest = drop_connect(np.zeros((2, d)), w, b, rate, seeds[0])
    expect_shape(rest, (2, k), given="x that is 0", what="drop_connect")
    expect(
        np.all(np.asarray(rest) != 0),
        "Given x that is 0: some outputs are 0, so biases or outputs are dropped. The mask belongs "
        "to the weights alone.",
    )
    expect_close(
        rest,
        np.tile(b, (2, 1)),
        given="x that is 0",
        what="drop_connect",
        mistakes={"the biases are scaled; they stay as they are.": np.tile(b / (1 - rate), (2, 1))},
    )
    seen = np.asarray(drop_connect(np.eye(d), w, b, rate, seeds[0])) - b
    expect_shape(seen, (d, k), given="the identity matrix as x", what="drop_connect")
    seen = np.where(np.abs(seen) < 1e-5, 0.0, seen)
    rows_dropped = np.all(seen == 0, axis=1).mean()
    expect(
        rows_dropped == 0,
        "Whole inputs are dropped, so all weights of an input die together. Give the mask the "
        "shape of w.",
    )
    expect(
        np.all(np.any(seen != 0, axis=0)),
        "Whole outputs are dropped, so all weights of a unit die together. Give the mask the shape "
        "of w.",
    )
    zero = _dropped(seen, w, rate, "the weights in use")
    twins = np.asarray(drop_connect(np.tile(x[:1], (3, 1)), w, b, rate, seeds[0]))
    expect(
        np.allclose(twins, twins[0], rtol=1e-4),
        "Given three equal rows: the outputs differ. One mask serves the whole batch.",
    )
    yield 0.5
    once, again = (drop_connect(np.eye(d), w, b, rate, seeds[0]) for _ in range(2))
    expect(
        np.array_equal(once, again),
        f"Two calls with seed {seeds[0]} give different masks. Make the generator from the seed.",
    )
    wanted = x @ np.where(zero, 0.0, w / (1 - rate)) + b
    expect_close(
        drop_connect(x, w, b, rate, seeds[0]),
        wanted,
        atol=1e-4,
        given="the same seed twice",
        what="drop_connect",
    )
    expect(
        not np.allclose(drop_connect(x, w, b, rate, seeds[1]), wanted),
        f"Seeds {seeds[0]} and {seeds[1]} give the same mask. Use the seed that is given.",
    )
    few = [np.asarray(drop_connect(np.eye(6), w[:6, :7], b[:7], 0.5, seed)) for seed in range(12)]
    counts = [int(np.sum(np.abs(part - b[:7]) < 1e-5)) for part in few]
    _expect_free_count(counts, 42, 0.5, "weights")
    for wrong in (-0.2, 1.0):
        expect_raises(
            ValueError, lambda wrong=wrong: drop_connect(x, w, b, wrong, 0), given=f"rate {wrong}"
        )


def _expect_noisy_model(model, case):
    expect(
        hasattr(model, "layers"),
        f"build_noisy should return a Keras model; got {show(model)}.",
    )
    expect(
        tuple(model.input_shape) == (None, 784) and tuple(model.output_shape) == (None, 10),
        f"The model maps {model.input_shape} to {model.output_shape}; it should map (None, 784) to "
        "(None, 10).",
    )
    dense = [layer for layer in model.layers if layer["class_name"] == "Dense"]
    units = [layer["config"]["units"] for layer in dense]
    expect(
        units == [256, 256, 10],
        f"The Dense layers have {units} units; the network is fixed at 256, 256 and 10.",
    )
    shapes = [np.shape(weight) for weight in model.weights]
    kernels = [shape for shape in shapes if len(shape) == 2]
    count = sum(int(np.prod(shape)) for shape in shapes if len(shape))
    expect(
        kernels[:3] == [(784, 256), (256, 256), (256, 10)] and count <= 269_322 + 100,
        f"The model has weights of shapes {shapes}; only those of 784-256-256-10 may be trained.",
    )
    names = [layer["class_name"] for layer in model.layers]
    expect(
        not any(name in ("Dropout", "SpatialDropout1D", "SpatialDropout2D") for name in names),
        "The model contains a Dropout layer. Invent another noise; multiplicative Gaussian noise, "
        "shifted pictures and additive noise are some.",
    )
    expect(
        dense[-1]["config"]["activation"] != "softmax",
        "The last layer has a softmax; return logits, as `train_once` expects.",
    )
    x = np.zeros((8, 28, 28), dtype="float32")
    x[:, 6:22, 8:20] = case.uniform(0.2, 1.0, size=(8, 16, 12))
    x = x.reshape(8, 784)
    noisy = [np.asarray(model.predict(x, training=True)) for _ in range(2)]
    quiet = [np.asarray(model.predict(x, training=False)) for _ in range(2)]
    expect(
        not np.allclose(noisy[0], noisy[1], atol=1e-6),
        "Two passes with training=True agree, so there is no noise in the model.",
    )
    expect(
        np.allclose(quiet[0], quiet[1], atol=1e-5),
        "Two passes with training=False differ: the noise must rest at prediction. In a layer of "
        "your own, look at the argument `training` of `call`.",
    )


@exercise(
    "6.13",
    "A noise of your own",
    aliases=("5.6.7",),
    kind="X",
    points=4,
    minutes=45,
    stars=3,
    hints=(
        "Ask what may change in a picture without changing its class. Noise of that kind teaches "
        "more than noise that knows nothing of pictures.",
        "Noise needs time: a noisy network learns slowly and overfits late, so train for 40 epochs "
        "or more. Try small amounts first.",
        "`Reshape((28, 28, 1))`, a layer that moves pictures by a pixel or less, `Flatten()`, "
        "then the three Dense layers, with noise behind the hidden ones too; two loops as in 5.6.1 "
        "for the scores.",
    ),
)
def _(build_noisy, scores, case):
    _expect_noisy_model(build_noisy(1), case)
    yield 0.5
    given = scores.value
    expect(
        isinstance(given, dict) and {"dropout", "noise"} <= set(given),
        f"scores should be a dict with the keys 'dropout' and 'noise'; got {show(given)}.",
    )
    losses = {}
    for name in ("dropout", "noise"):
        row = given[name]
        expect(
            isinstance(row, dict) and {"loss", "accuracy"} <= set(row),
            f"scores['{name}'] should be a dict with the keys 'loss' and 'accuracy'.",
        )
        losses[name] = _runs(row["loss"], f"scores['{name}']['loss']", 0.15, 1.0)
        _expect_no_accuracies(losses[name], f"scores['{name}']['loss']")
        _accuracies(row["accuracy"], f"scores['{name}']['accuracy']")
    gain = losses["dropout"].mean() - losses["noise"].mean()
    expect(
        losses["dropout"].mean() > 0.3,
        f"The mean loss of dropout is {losses['dropout'].mean():.3f}; rates 0.5 and 0.5 do not "
        "reach that on this page's images. Measure on `x_valid`.",
    )
    expect(
        gain > 0,
        f"Your noise has a mean loss {-gain:.3f} above that of dropout. Try another amount, "
        "another noise or more epochs.",
    )
    spread = max(losses["dropout"].std(), losses["noise"].std())
    expect(
        gain > spread,
        f"Your noise gains {gain:.4f}, and the spread over the seeds is {spread:.4f}: too little "
        "to tell from chance. Look for a larger gain, or more seeds.",
    )
