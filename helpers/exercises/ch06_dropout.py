"""Exercises of chapter 6: noise, dropout, its experiments and its relatives."""

from __future__ import annotations

import contextlib
import io
from functools import partial

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
from helpers.exercises.expectations import expect_entries

_FEW_EPOCHS = 6  # enough to tell runs apart, and short
_SHAPES = [(784, 256), (256,), (256, 256), (256,), (256, 10), (10,)]


def _random_images(case, rows=128, valid_rows=96):
    """Draw images and labels that belong to nothing, so that fitting is memorising."""
    return tuple(
        (case.random((count, 784)).astype("float32"), case.integers(0, 10, size=count))
        for count in (rows, valid_rows)
    )


def _unseen_classes(case):
    """Draw images as above whose validation classes never occur in training: their loss grows."""
    (x, y), (x_valid, y_valid) = _random_images(case)
    return (x, y // 2), (x_valid, 5 + y_valid // 2)


def _expect_entries(got, names, what, given):
    """Return the entries of a dict that a run returned, a trained model among them if named."""
    expect_entries(got, names, what, given)
    expect(
        "model" not in names or hasattr(got["model"], "predict"),
        f"Given {given}: entry 'model' of what `{what}` returned is {show(got.get('model'))}; it "
        "should be the trained Keras model.",
    )
    return got


def _expect_curve(values, length, what, given):
    """Return one finite number per epoch."""
    expect_shape(values, (length,), given=given, what=f"{what}, one number per epoch,")
    curve = np.asarray(values, dtype=float)
    expect(bool(np.isfinite(curve).all()), f"Given {given}: {what} contains a NaN or an infinity.")
    return curve


def _logits(model, x):
    return np.asarray(model.predict(x), dtype=float)


def _accuracy(model, x, y):
    return float(np.mean(_logits(model, x).argmax(axis=1) == y))


def _loss(model, x, y):
    """Mean cross-entropy of the model without dropout, in NumPy."""
    logits = _logits(model, x)
    logits -= logits.max(axis=1, keepdims=True)
    log_share = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    return float(-log_share[np.arange(len(y)), y].mean())


def _expect_network(model, rates, given):
    """Raise `NotYet` unless the model is 784-256-256-10 with these dropout rates."""
    dense = [layer for layer in model.layers if layer["class_name"] == "Dense"]
    units = [layer["config"]["units"] for layer in dense]
    expect(
        units == [256, 256, 10] and tuple(model.input_shape) == (None, 784),
        f"Given {given}: the Dense layers have {units} units and the input {model.input_shape}; "
        "the network should be 784-256-256-10.",
    )
    got = [layer["config"]["rate"] for layer in model.layers if layer["class_name"] == "Dropout"]
    want = [rate for rate in rates if rate]
    swapped = "The rates are swapped. " if got == want[::-1] != want else ""
    expect(
        [rate for rate in got if rate] == want,
        f"Given {given}: the dropout layers have the rates {got}, where {want} is expected. "
        f"{swapped}Use the rates that are given, the first for the first hidden layer.",
    )
    x = np.random.default_rng(0).random((4, 784)).astype("float32")
    expect(
        np.allclose(_logits(model, x), _relu_logits(model, x), rtol=1e-3, atol=1e-3),
        f"Given {given}: at prediction the network does not compute what its three Dense layers "
        "compute with ReLU after the first two. Use the activation of the lesson's network.",
    )


def _relu_logits(model, x):
    """Return what the model's six weights compute with ReLU after the first two layers."""
    weights = [weight for weight in model.weights if np.shape(weight) in _SHAPES]
    h = np.asarray(x, dtype=float)
    for kernel, bias in zip(weights[:-2:2], weights[1:-2:2], strict=True):
        h = np.maximum(h @ kernel + bias, 0)
    return h @ weights[-2] + weights[-1]


def _expect_same_run(once, again, other, name):
    """Raise `NotYet` unless the seed decides a run, and the run before does not."""
    expect(
        bool(np.allclose(once, again, rtol=0.02, atol=0.02)),
        f"Two calls of `{name}` with the same arguments differ: {show(np.ravel(once)[:3])} and "
        f"{show(np.ravel(again)[:3])}. Begin each run with a new network, and use `seed` for the "
        "network and for the training.",
    )
    expect(
        not np.array_equal(once, other),
        f"Two seeds give the same numbers. Use `seed` in `{name}` for the network and the "
        "training.",
    )


def _expect_other_epochs(many, few, name):
    expect(
        not np.array_equal(many, few),
        f"`{name}` gives the same numbers whatever `epochs` is. Hand it to `train_once`.",
    )


def _expect_trained(model, train, valid, given):
    """Raise `NotYet` unless the model knows the labels of the training images better."""
    seen, unseen = _loss(model, *train), _loss(model, *valid)
    # How much more an image's own label counts than those of the others. Of 24 seeds, a trained
    # network had 0.09 or more, one that was not trained on these images 0.04 or less.
    of_labels = _logits(model, train[0])[:, train[1]]
    own = np.trace(of_labels) / len(of_labels)
    others = (of_labels.sum() / len(of_labels) - own) / (len(of_labels) - 1)
    expect(
        seen < unseen - 0.1 or own > others + 0.06,
        f"Given {given}: the model you returned has the loss {seen:.3f} on the training images and "
        f"{unseen:.3f} on the validation images, so it was not trained on the training images. "
        "Hand `train` and `valid` to `train_once`, in this order.",
    )


def _expect_letter(answer, right, reasons):
    """Judge one letter of a question that belongs to an experiment."""
    choice = answer.value
    letters = ", ".join(f'"{letter}"' for letter in sorted(reasons))
    expect(
        isinstance(choice, str) and choice.strip().lower() in reasons,
        f"`{answer.name}` is {show(choice)}; give one of the letters {letters}, in quotes.",
    )
    choice = choice.strip().lower()
    expect(choice == right, f"`{answer.name}` is not {choice}: {reasons.get(choice)}")


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
def check_input_noise(noisy_loss, noisy_weights, case):
    for n, d in ((25, 3), (12, 1), (9, 12)):
        sigma = float(case.uniform(0.4, 0.9) if d > 1 else case.uniform(1.2, 2.0))
        X, w = case.normal(size=(n, d)), case.normal(size=d)
        y = X @ case.normal(size=d) + case.normal(scale=0.5, size=n)
        given = f"X of shape ({n}, {d}) and sigma {sigma:.3g}"
        _expect_noisy_loss(noisy_loss, X, y, w, sigma, given)
        _expect_noisy_weights(noisy_weights, X, y, sigma, given)
        yield 0.5
    _expect_noisy_loss(noisy_loss, X, y, w, 0.0, f"X of shape ({n}, {d}) and sigma 0")


def _expect_noisy_loss(noisy_loss, X, y, w, sigma, given):
    (n, d), clean, squares = X.shape, float(np.mean((X @ w - y) ** 2)), float(w @ w)
    got = noisy_loss(X, y, w, sigma)
    expect(
        np.size(got) == 1 or np.shape(got) != (n,),
        f"Given {given}: noisy_loss returned one number per row; take the mean over the rows.",
    )
    _expect_no_draws(got, noisy_loss(X, y, w, sigma), "noisy_loss")
    _expect_exact(got, clean + sigma**2 * squares, clean, "noisy_loss", given)
    expect_close(
        got,
        clean + sigma**2 * squares,
        given=given,
        what="noisy_loss",
        mistakes={
            "that is the loss without noise; the noise adds a penalty on w.": clean,
            "the penalty adds up the absolute weights; the noise adds the squares.": clean
            + sigma**2 * float(np.abs(w).sum()),
            "the penalty uses sigma; the noise enters squared.": clean + sigma * squares,
            "the penalty is n times too large for a mean over rows.": clean
            + n * sigma**2 * squares,
            "the penalty is divided by d, but each of the d entries adds its own noise.": clean
            + sigma**2 * squares / d,
            "the penalty is divided by n; every row has noise of its own, so the mean over the "
            "rows keeps all of it.": clean + sigma**2 * squares / n,
            "the penalty needs the sum of the squared weights, not their norm.": clean
            + sigma**2 * squares**0.5,
            "the penalty squares the sum of the weights; add up their squares, since the noise of "
            "each entry is independent.": clean + sigma**2 * float(w.sum()) ** 2,
            "this is the root of the loss; leave the square root out.": np.sqrt(
                clean + sigma**2 * squares
            ),
            "the errors are absolute ones; square them.": float(np.mean(np.abs(X @ w - y)))
            + sigma**2 * squares,
            "the penalty is halved; the noise adds sigma² times the sum of the squared "
            "weights.": clean + sigma**2 * squares / 2,
            "you add up the squared errors; take their mean.": n * clean + sigma**2 * squares,
            "the sum over the rows came back; take the mean.": n * (clean + sigma**2 * squares),
            "that is half of the loss; the mean squared error has no factor 1/2.": (
                clean + sigma**2 * squares
            )
            / 2,
        },
    )


def _expect_noisy_weights(noisy_weights, X, y, sigma, given):
    n, d = X.shape

    def weights(strength):
        return np.linalg.lstsq(X.T @ X + strength * np.eye(d), X.T @ y)[0]

    got = noisy_weights(X, y, sigma)
    expect(
        np.shape(got) != (d, 1),
        f"Given {given}: noisy_weights returned a column of shape ({d}, 1); return shape ({d},).",
    )
    _expect_no_draws(got, noisy_weights(X, y, sigma), "noisy_weights")
    _expect_exact(got, weights(n * sigma**2), weights(0.0), "noisy_weights", given)
    centred = X - X.mean(axis=0)
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
            "the strength is added to all entries of X.T @ X; add it to the diagonal.": (
                np.linalg.lstsq(X.T @ X + n * sigma**2, X.T @ y)[0]
            ),
            "a bias was fitted, too; this model has none.": np.linalg.lstsq(
                centred.T @ centred + n * sigma**2 * np.eye(d), centred.T @ (y - y.mean())
            )[0],
        },
    )


def _expect_no_draws(once, again, name):
    expect(
        np.shape(once) != np.shape(again) or np.allclose(once, again, rtol=1e-9, atol=0),
        f"Two calls of {name} with the same arguments differ, so it draws noise. Work out the "
        "expectation on paper: the closed form needs no draws.",
    )


def _expect_exact(got, want, plain, name, given):
    """Tell an average of many draws, which is near the expectation, from the closed form."""
    got, want = np.asarray(got, dtype=float), np.asarray(want)
    if np.shape(got) != want.shape or np.allclose(got, want, rtol=1e-4, atol=1e-6):
        return
    off, penalty = np.linalg.norm(got - want), np.linalg.norm(np.asarray(plain) - want)
    expect(
        not off < 0.03 * penalty,
        f"Given {given}: {name} is close to the expectation but not equal to it, as an average of "
        "draws is. Work it out on paper: the closed form needs no draws.",
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
        f"Given rate {rate} and {x.size} entries: {share:.1%} of them are 0, where about "
        f"{rate:.0%} are expected. Each entry becomes 0 on its own with probability `rate`.",
    )
    expect(
        np.ptp(got[~zero]) > 1e-6,
        f"Given rate {rate}: all entries that are left are {got[~zero][0]:.4g}, which is the mask. "
        "Multiply it by the numbers it belongs to.",
    )
    ratio = float(np.median(got[~zero] / x[~zero]))
    expect(
        np.isclose(ratio, 1 / (1 - rate), rtol=1e-4)
        or not np.isclose(ratio, 1 / (1 - share), rtol=1e-6),
        f"Given rate {rate}: the survivors are divided by {1 - share:.4f}, the fraction that was "
        f"kept this time. Divide by 1 - rate, which is {1 - rate:.4g}.",
    )
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
def check_dropout_layer(dropout_layer, case):
    x = case.uniform(0.5, 2.0, size=(120, 50))
    x *= case.choice([-1, 1], size=x.shape)
    seeds = [int(seed) for seed in case.choice(10_000, size=3, replace=False)]
    for rate in (0.2, 0.5, round(float(case.uniform(0.6, 0.9)), 2)):
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
    expect_close(dropout_layer(x, 0, seeds[0]), x, given="rate 0", what="dropout_layer(x, 0)")
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
def check_monte_carlo(monte_carlo, case):
    n, d, k, draws, rate = 6, 4, 3, 160, 0.5
    x = case.uniform(0.5, 1.5, size=(n, d)).astype("float32")
    w, b = case.normal(size=(d, k)).astype("float32"), case.normal(size=k).astype("float32")
    source = _MODEL + "result = monte_carlo(model, x, draws)"
    inputs = {"x": x, "w": w, "b": b, "d": d, "k": k, "seed": int(case.integers(1, 10_000))}
    given = f"x of shape ({n}, {d}), a model with {k} outputs and {draws} draws"
    got = monte_carlo.evaluate(source, **inputs, rate=rate, draws=draws)
    mean, spread = _expect_moments(got, (n, k), draws, given)
    # Of a linear layer over dropped inputs, both moments are known.
    true_mean, true_spread = x @ w + b, np.sqrt((x**2 * rate / (1 - rate)) @ w**2)
    _expect_statistics(mean, spread, true_mean, true_spread, draws, given)
    yield 0.7
    # One input of 1 and weight 1: each pass gives 0 or 2, so the moments of few passes are known.
    one = np.ones((60, 1), "float32")
    coins = inputs | {"x": one, "w": one[:1], "b": one[0] - 1, "d": 1, "k": 1}
    for few in (2, 3, 5):
        got = monte_carlo.evaluate(source, **coins, rate=0.5, draws=few)
        _expect_coins(*(np.asarray(part, dtype=float) for part in got), few)
    got = monte_carlo.evaluate(source, **inputs, rate=0.0, draws=2)
    # Loose, for the variance may be a difference of two large float32 numbers.
    expect_close(
        got[1], np.zeros((n, k)), given="a model with rate 0", what="the spread", atol=0.02
    )


def _expect_moments(got, shape, draws, given):
    """Return the two arrays that came back, after a look at their shapes."""
    expect(
        isinstance(got, tuple | list) and len(got) == 2,
        f"monte_carlo should return two values, (mean, standard_deviation); got {show(got)}.",
    )
    for part, what in zip(got, ("the mean", "the standard deviation"), strict=True):
        expect(
            np.shape(part) != (draws, *shape),
            f"Given {given}: {what} has one row for each draw. Take it over the draws.",
        )
        expect(
            np.shape(part) != (draws, shape[1]),
            f"Given {given}: {what} is taken over the examples. Take it over the draws.",
        )
        expect_shape(part, shape, given=given, what=what)
    return [np.asarray(part, dtype=float) for part in got]


def _expect_statistics(mean, spread, true_mean, true_spread, draws, given):
    expect(
        not np.all(spread < 1e-4) or np.allclose(mean, true_mean, rtol=1e-3, atol=1e-3),
        f"Given {given}: the standard deviation is 0 everywhere, so one pass was used for all "
        "draws. Call the model again for each draw.",
    )
    expect(
        not np.all(spread < 1e-4),
        f"Given {given}: the standard deviation is 0 everywhere, so all passes were the same. Call "
        "the model with training=True; `predict` leaves dropout out.",
    )
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


def _expect_coins(mean, spread, draws):
    """Judge the moments of `draws` passes that give 0 or 2 each, with or without ddof=1."""
    given = f"{draws} draws of a model whose passes give 0 or 2"
    expect(
        not np.allclose(mean, 1),
        f"Given {given}: every mean is 1, which is the pass without dropout. Average the passes.",
    )
    twos = mean * draws / 2
    expect(
        np.allclose(twos, np.round(twos), atol=1e-3),
        f"Given {given}: a mean of {mean.flat[np.argmax(abs(twos - twos.round()))]:.3f} is not "
        f"that of {draws} passes. Make as many as `draws` says, no more and no fewer.",
    )
    variance = np.maximum(mean * (2 - mean), 0)
    population, sample = np.sqrt(variance), np.sqrt(variance * draws / (draws - 1))
    deviation = variance  # of a coin, the mean absolute deviation is the variance
    expect(
        np.allclose(spread, population, atol=0.02)
        or np.allclose(spread, sample, atol=0.02)
        or not np.allclose(spread, deviation, atol=0.02),
        f"Given {given}: this is the mean absolute deviation; the standard deviation is the root "
        "of the mean squared deviation.",
    )
    expect(
        np.allclose(spread, population, atol=0.02) or np.allclose(spread, sample, atol=0.02),
        f"Given {given}: where the mean is {mean.flat[np.argmax(variance)]:.3f}, the standard "
        f"deviation is {population.max():.3f}; got {spread.flat[np.argmax(variance)]:.3f}.",
    )


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
        "`models.mlp` takes a pair of rates and a seed, `train_once` does the training, and "
        "`accuracy(model, x, y)` measures without dropout.",
        "`model = models.mlp((256, 256), rate=rates, seed=seed)`, `train_once(...)`, then a dict "
        "with two calls of `accuracy`.",
    ),
)
def check_rates_run(rates_run, rates_matter, case):
    train, valid = _random_images(case)
    seed = int(case.integers(1, 1000))
    found = [
        _ask_rates(rates_run, (0.2, 0.5), run_seed, train, valid)
        for run_seed in (seed, seed, seed + 1)
    ]
    yield 1 / 3
    _expect_same_run(*found, "rates_run")
    fewer = _ask_rates(rates_run, (0.2, 0.5), seed, train, valid, epochs=2)
    _expect_other_epochs(found[0], fewer, "rates_run")
    _ask_rates(rates_run, (0.4, 0.0), seed, train, valid)
    yield 2 / 3
    _expect_letter(
        rates_matter,
        "b",
        {
            "a": "in your table, the training accuracy falls when the rates grow.",
            "b": "the rates act on the fit of the training images first.",
            "c": "compare (0.2, 0.5) with (0.5, 0.2) in your table: their validation accuracies "
            "lie about as close together as the spread over the seeds.",
            "d": "the first hidden layer feeds all that follows; compare the training accuracies "
            "of (0.2, 0.5) and (0.5, 0.2).",
        },
    )


def _ask_rates(rates_run, rates, seed, train, valid, epochs=_FEW_EPOCHS):
    """Return what the run reports after comparing it with the model it returns."""
    given = f"rates {rates}, {len(train[0])} training and {len(valid[0])} validation images"
    got = rates_run(rates, seed, epochs, train, valid)
    got = _expect_entries(got, ("model", "training", "validation"), "rates_run", given)
    _expect_network(got["model"], rates, given)
    if epochs == _FEW_EPOCHS:
        _expect_trained(got["model"], train, valid, given)
    numbers = []
    for name, (x, y) in (("training", train), ("validation", valid)):
        value, own = expect_number(got[name], repr(name)), _accuracy(got["model"], x, y)
        expect(
            0 <= value <= 1,
            f"Given {given}: {name!r} is {value:.4g}; it should be a fraction between 0 and 1.",
        )
        turned = _accuracy(got["model"], *(valid if name == "training" else train))
        expect(
            abs(value - turned) > 1e-5 or abs(value - own) < 1e-5,
            f"Given {given}: {name!r} is the accuracy on the other set of images.",
        )
        expect(
            abs(value - own) < 1e-5,
            f"Given {given}: {name!r} is {value:.4f}, but the model you returned is right on "
            f"{own:.4f} of these images. Measure after the training, without dropout and without "
            "rounding, on the images that are given. The history measures with dropout on.",
        )
        numbers.append(value)
    return numbers + [_loss(got["model"], *valid)]


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
        '`train_once(model, ...)["val_loss"]` is a list with one number per epoch.',
        "One line for the model, with `rate=rate` and `seed=seed`, one for the training, with "
        "`epochs=epochs`, and a dict with the keys `model` and `losses`.",
    ),
)
def check_loss_curve(loss_curve, more_epochs, case):
    train, valid = _unseen_classes(case)
    seed = int(case.integers(1, 1000))

    ask = partial(_ask_losses, loss_curve, train, valid)
    many, few = ask(0.5, seed, _FEW_EPOCHS), ask(0.5, seed, 3)
    ask(0.2, seed, 3)
    yield 0.25
    expect(
        bool(np.isclose(many[0], few[0], rtol=0.02)),
        f"Given the same rate and seed, 6 and 3 epochs: the first losses are {many[0]:.4f} and "
        f"{few[0]:.4f}. The learning rate of the first epoch is the same, so they should agree. "
        "Begin each run with a new network, use `seed` for the network and for the training, hand "
        "`epochs` to `train_once`, and return the losses in the order of the epochs.",
    )
    expect(
        not np.array_equal(few, ask(0.5, seed + 1, 3)),
        "Two seeds give the same numbers. Use `seed` in `loss_curve` for the network and the "
        "training.",
    )
    yield 0.5
    _expect_letter(
        more_epochs,
        "d",
        {
            "a": "look at the last epochs: the loss without dropout is the higher one.",
            "b": "the curve with dropout has its least loss before the last epoch, too.",
            "c": "with dropout, the least loss comes later than without.",
            "d": "dropout delays overfitting and makes it weaker; it does not prevent it.",
        },
    )


def _ask_losses(loss_curve, train, valid, rate, seed, epochs):
    """Return the losses of a run after comparing the last one with the model it returns."""
    given = f"rate {rate:g}, {epochs} epochs and {len(valid[0])} validation images"
    got = loss_curve(rate, seed, epochs, train, valid)
    got = _expect_entries(got, ("model", "losses"), "loss_curve", given)
    _expect_network(got["model"], (rate, rate), given)
    _expect_trained(got["model"], train, valid, given)
    expect(
        not isinstance(got["losses"], dict),
        f"Given {given}: 'losses' is the whole history; take the list under 'val_loss' alone.",
    )
    curve = _expect_curve(got["losses"], epochs, "'losses'", given)
    own = _loss(got["model"], *valid)
    expect(
        bool(np.isclose(curve[-1], own, rtol=2e-3)),
        f"Given {given}: 'losses' ends with {curve[-1]:.4f}; the model you returned has the loss "
        f"{own:.4f} on the validation images, {_loss(got['model'], *train):.4f} on the training "
        f"images, and is right on {_accuracy(got['model'], *valid):.4f} of the validation images. "
        "Return 'val_loss' of the training that made the model, in the order of the epochs.",
    )
    return curve


_STACK = """
parts = [keras.Input((5,)), *([keras.layers.Dropout(front)] if front else [])]
for units, rate in zip(hidden_units, rates):
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
def check_activation_variances(activation_variances, case):
    for hidden_units in ((7, 6), (6,), (4, 6, 5, 7)):
        stack = _Stack(activation_variances, case, hidden_units)
        _expect_plain_variances(stack)
        _expect_variances_at_prediction(stack)
        yield 0.5
    stack = _Stack(activation_variances, case, (7, 6))
    _expect_variances_in_training(stack)
    dropped = np.where(case.random(stack.x.shape) < 0.5, 0, 2 * stack.x)
    _expect_dropped_inputs(stack, dropped)


class _Stack:
    """A ReLU network with known activations, and the answer's variances of it."""

    def __init__(self, answer, case, hidden_units):
        self.answer, self.hidden_units = answer, hidden_units
        self.count = len(hidden_units)
        self.x = case.normal(size=(3000, 5)).astype("float32")
        self.seed = int(case.integers(1e6))
        sizes, h = (5, *hidden_units, 3), self.x
        self.weights, self.hidden = [], []
        for fan_in, fan_out in zip(sizes, sizes[1:], strict=False):
            kernel = case.normal(size=(fan_in, fan_out)) * 0.7
            self.weights += [kernel, 0.3 + 0.3 * case.random(fan_out)]
            h = np.maximum(h @ self.weights[-2] + self.weights[-1], 0)
            self.hidden.append(h)
        self.hidden.pop()
        self.want = [float(np.var(layer)) for layer in self.hidden]

    def call(self, rates, training, front=0):
        return self.answer.evaluate(
            _STACK,
            x=self.x,
            weights=[np.float32(weight) for weight in self.weights],
            seed=self.seed,
            hidden_units=list(self.hidden_units),
            rates=list(rates),
            training=training,
            front=front,
        )


def _expect_plain_variances(stack):
    count, hidden, want = stack.count, stack.hidden, stack.want
    given = f"a network with {count} hidden layer{'s' * (count > 1)} and no dropout"
    plain = stack.call([0] * count, False)
    inputs, outputs = float(np.var(stack.x)), float(np.var(_last_layer(stack)))
    if np.shape(plain) == (count + 1,):
        expect(
            not np.isclose(plain[0], inputs, rtol=1e-3),
            f"Given {given}: {count + 1} numbers came back, and the first is the variance of x. "
            "The input is no hidden layer; begin with what the second Dense layer reads.",
        )
        expect(
            not np.isclose(plain[-1], outputs, rtol=1e-3),
            f"Given {given}: {count + 1} numbers came back. Leave the output layer out: it is not "
            "hidden.",
        )
    mistakes = {
        "those are standard deviations; take the variance.": np.sqrt(want),
        "those are means of squares; the variance subtracts the squared mean.": [
            float(np.mean(layer**2)) for layer in hidden
        ],
        "those are the variances over the examples, averaged over the units; take the variance "
        "over all entries.": [float(layer.var(axis=0).mean()) for layer in hidden],
        "those are the variances over the units, averaged over the examples; take the variance "
        "over all entries.": [float(layer.var(axis=1).mean()) for layer in hidden],
        "those are the variances of the weights; take what the layers put out for x.": [
            float(np.var(stack.weights[2 * layer])) for layer in range(1, count + 1)
        ],
        "those are the variances of the weights of the hidden layers; take what the layers put "
        "out for x.": [float(np.var(stack.weights[2 * layer])) for layer in range(count)],
        "those are the variances of the activations above 0; take all of them.": [
            float(np.var(layer[layer > 0])) for layer in hidden
        ],
        "they are in the reverse order; begin with the first hidden layer.": want[::-1],
        "those are the variances of what each Dense layer reads, from the input on; leave the "
        "input out, and end with what the output layer reads.": [inputs, *want[:-1]],
    }
    expect_close(
        plain, want, given=given, what="activation_variances", rtol=1e-3, mistakes=mistakes
    )


def _last_layer(stack):
    return stack.hidden[-1] @ stack.weights[-2] + stack.weights[-1]


def _expect_variances_at_prediction(stack):
    count, want = stack.count, stack.want
    resting = stack.call([0.5, 0.3, 0.2, 0.4][:count], False)
    expect(
        np.shape(resting) == (count,),
        f"Given a dropout layer after each of {count} hidden layers: {np.size(resting)} numbers "
        "came back. A dropout layer is not a hidden layer of its own.",
    )
    noisy = _variance_with_half_dropped(stack)
    given = "dropout layers and training=False"
    expect(
        not np.isclose(resting[0], noisy, rtol=0.05) or np.isclose(resting[0], want[0], rtol=1e-3),
        f"Given {given}: dropout is on. Pass `training` to the dropout layers.",
    )
    expect_close(resting, want, given=given, what="activation_variances", rtol=1e-3)
    front = stack.call([0.0] * (count - 1) + [0.5], False, front=0.2)
    given = "a dropout layer in front of the first Dense layer"
    expect(
        np.shape(front) != (count + 1,),
        f"Given {given}: {count + 1} numbers came back. The input is no hidden layer; leave out "
        "what the first Dense layer reads.",
    )
    expect_close(front, want, given=given, what="activation_variances", rtol=1e-3)


def _variance_with_half_dropped(stack):
    first = stack.hidden[0]
    return float(2 * np.mean(first**2) - np.mean(first) ** 2)


def _expect_variances_in_training(stack):
    want, dropped = stack.want, stack.call([0.5, 0.0], True)
    expect_close(
        dropped[0],
        _variance_with_half_dropped(stack),
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


def _expect_dropped_inputs(stack, dropped):
    """Compare with the first layer's variance for inputs of which half are dropped."""
    want = np.var(np.maximum(dropped @ stack.weights[0] + stack.weights[1], 0))
    expect_close(
        stack.call([0.0, 0.0], True, front=0.5)[0],
        want,
        given="a dropout layer of rate 0.5 in front of the first Dense layer and training=True",
        what="the first variance",
        rtol=0.15,
        mistakes={
            "the variance is that without dropout. Pass `training` to this layer, too.": (
                stack.want[0]
            )
        },
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
        "At each time the network is measured twice, with `training` True and False.",
        "`measure(epoch, logs)` appends `activation_variances(model, valid[0], mode)` to one list "
        "for each mode; call it once yourself before the training.",
    ),
)
def check_variances_over_time(variances_over_time, case):
    train, valid = _random_images(case)
    seed = int(case.integers(1, 1000))
    ask = partial(_ask_variances, variances_over_time, train, valid)
    plain, noisy = ask(0.0, seed, 3), ask(0.5, seed, 3)
    expect(
        np.allclose(plain["predicting"], plain["training"], rtol=1e-3),
        "Given rate 0: the variances in training mode and in prediction differ, though no layer "
        "drops anything. Are both measured at the same times?",
    )
    expect(
        np.allclose(noisy["predicting"][0], plain["predicting"][0], rtol=1e-3),
        "Given the same seed: row 0 of 'predicting' differs between the rates 0 and 0.5, though "
        "both networks start with the same weights. Row 0 belongs before the first epoch.",
    )
    yield 0.5
    expect(
        not np.all(noisy["training"] < noisy["predicting"]),
        "Given rate 0.5: 'training' holds the smaller variances. Dropping and scaling keeps the "
        "mean and spreads the values, so the two are swapped.",
    )
    want = _variances(noisy["weights"], valid[0], 0.5, case)
    expect(
        np.allclose(noisy["training"][-1], want, rtol=0.2),
        f"Given rate 0.5: the last row of 'training' is {show(noisy['training'][-1])}; with "
        f"dropout on, the model you returned has variances of about {show(np.round(want, 2))}.",
    )
    expect(
        np.all(noisy["training"] > 1.1 * noisy["predicting"]),
        "Given rate 0.5: the variances in training mode should be above those in prediction at "
        "every time. Measure 'training' with dropout on.",
    )
    _expect_rows_of_one_run(noisy["predicting"], ask(0.5, seed, 2)["predicting"])
    expect(
        not np.array_equal(noisy["predicting"], ask(0.5, seed + 1, 3)["predicting"]),
        "Two seeds give the same numbers. Use `seed` in `variances_over_time` for the network and "
        "the training.",
    )


def _expect_rows_of_one_run(three, two):
    """Compare runs of 3 and 2 epochs: the first epoch is the same, the second is not."""
    given = "Given the same rate and seed, 3 and 2 epochs"
    for row, after in ((0, "before the first epoch"), (1, "after the first epoch")):
        expect(
            np.allclose(three[row], two[row], rtol=0.02),
            f"{given}: row {row} of 'predicting' is {show(three[row])} and {show(two[row])}. Both "
            "runs are the same until then, so they should agree. Begin each run with a new "
            f"network, use `seed` for the network and the training, and measure row {row} {after}.",
        )
    expect(
        not np.allclose(three[2], two[2], rtol=1e-3),
        f"{given}: row 2 of 'predicting' is the same, though the learning rate of `train_once` "
        "falls faster over 2 epochs. Call it one time with all `epochs`, and measure in a "
        "callback.",
    )


def _ask_variances(variances_over_time, train, valid, rate, seed, epochs):
    given = f"rate {rate:g} and {epochs} epochs"
    got = variances_over_time(rate, seed, epochs, train, valid)
    names = ("model", "training", "predicting")
    got = _expect_entries(got, names, "variances_over_time", given)
    _expect_network(got["model"], (rate, rate), given)
    arrays = {}
    for name in ("training", "predicting"):
        expect(
            np.shape(got[name]) != (epochs, 2),
            f"Given {given}: {name!r} has {epochs} rows; measure once before the first epoch, too.",
        )
        expect_shape(got[name], (epochs + 1, 2), given=given, what=repr(name))
        arrays[name] = np.asarray(got[name], dtype=float)
    want = _variances(got["model"].weights, valid[0])
    last, first = arrays["predicting"][-1], arrays["predicting"][0]
    mistakes = {
        "those are standard deviations; hand in variances.": np.sqrt(want),
        "these were measured on the training images; take the validation images.": _variances(
            got["model"].weights, train[0]
        ),
    }
    if not np.allclose(first, want, rtol=1e-2):
        mistakes["it equals row 0: measure again after each epoch."] = first
    if np.allclose(arrays["training"][-1], want, rtol=2e-3):
        mistakes["'training' and 'predicting' are swapped."] = last
    expect_close(
        last,
        want,
        given=f"{given}, and the model you returned",
        what="the last row of 'predicting'",
        rtol=2e-3,
        mistakes=mistakes,
    )
    return arrays | {"weights": got["model"].weights}


def _variances(weights, x, rate=0.0, case=None):
    """Return the variances of the hidden layers of these weights, with dropout if there is one."""
    weights = [weight for weight in weights if np.shape(weight) in _SHAPES]
    h, found = np.asarray(x, dtype=float), []
    for kernel, bias in zip(weights[:-2:2], weights[1:-2:2], strict=True):
        h = np.maximum(h @ kernel + bias, 0)
        if rate:
            h = np.where(case.random(h.shape) < rate, 0, h / (1 - rate))
        found.append(float(np.var(h)))
    return found


quiz(
    "6.8",
    "Dropout at test time",
    aliases=("5.6.4-quiz",),
    name="choice_6_8",
    right="c",
    reasons={
        "a": "masks are drawn at random; no label is needed for that.",
        "b": "dropout deletes nothing for good. Each step draws a new mask; all weights remain.",
        "c": "the full network gives about the average of the thinned ones.",
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
def check_disagreement(disagreement, case):
    n = 6001  # odd, so that a half is no fraction of it
    # One input of 1, which a pass with rate 0.5 turns into 0 or 2. The logits (h, 1/2) give
    # class 0 for 1 and 2, and class 1 for 0: half of the passes differ.
    coin = {"w": np.array([[1.0, 0.0]]), "b": np.array([0.0, 0.5]), "k": 2}
    # The logits (1/2, h - 0.3, 3h - 3.3) give class h for h = 0, 1, 2: every pass differs.
    always = {"w": np.array([[0.0, 1.0, 3.0]]), "b": np.array([0.5, -0.3, -3.3]), "k": 3}
    x, seed = np.ones((n, 1), dtype="float32"), int(case.integers(1, 10_000))

    def share(logits, rate, draws, given):
        source = _MODEL + "result = disagreement(model, x, draws)"
        inputs = {"x": x, "d": 1, "seed": seed, "rate": rate, "draws": draws} | logits
        got = expect_number(disagreement.evaluate(source, **inputs), "disagreement(...)")
        given = f"{n} examples and {given}"
        passes = got * n * draws
        expect(
            draws == 1
            or abs(got * n - round(got * n)) < 0.02
            or abs(passes - round(passes)) > 0.08,
            f"Given {given}: {got:.6g} is the fraction of the {draws} times {n} passes that "
            "differ. An example counts once, if any of its passes differs.",
        )
        expect(
            0 <= got <= 1,
            f"Given {given}: {show(got)} came back; it should be a fraction between 0 and 1.",
        )
        expect(
            abs(got * n - round(got * n)) < 0.02,
            f"Given {given}: {got:.6g} is no fraction of {n} examples. The class of an example is "
            "the place of its largest logit: take `argmax` over axis 1. Then count examples.",
        )
        return got

    _expect_no_change(share(coin, 0.0, 3, "a model with rate 0"))
    given = "1 draw of a model whose class changes in half of its passes"
    got = share(coin, 0.5, 1, given)
    if got == 0:  # a mistaken axis may give 0 for one draw, and shows with more
        share(coin, 0.5, 11, "11 draws of that model")
    _expect_one_draw(got, given)
    yield 0.5
    given = "1 draw of a model whose class changes in every pass with dropout"
    every = share(always, 0.5, 1, given)
    expect(
        not 0.4 < every < 0.6,
        f"Given {given}: the disagreement is {every:.2f}, which is how often two passes with "
        "dropout differ. Compare each with the pass without dropout.",
    )
    expect_close(
        every,
        1.0,
        given=given,
        what="the disagreement",
        mistakes={
            "the passes are not compared with the pass without dropout. Call the model with "
            "training=False for that one.": 0.0
        },
    )
    given = "4 draws of a model whose class changes in half of its passes"
    _expect_four_draws(share(coin, 0.5, 4, given), given)


def _expect_no_change(got):
    expect_close(
        got,
        0.0,
        given="a model with rate 0",
        what="the disagreement",
        mistakes={"you count the passes that agree; count those that differ.": 1.0},
    )


def _expect_one_draw(got, given):
    expect(
        got > 1e-9,
        f"Given {given}: the disagreement is 0. Call the model with training=True for the draws, "
        "as many as it says, and compare each with the pass without dropout.",
    )
    expect_close(
        got,
        0.5,
        rtol=0.1,
        given=given,
        what="the disagreement",
        mistakes={
            "every example counts as changed. Compare the classes rather than the logits, take "
            "`any` over the draws rather than the examples, and make no more passes than `draws` "
            "says.": 1.0,
            "that is what two passes give. Make as many as `draws` says.": 0.75,
        },
    )


def _expect_four_draws(got, given):
    advice = {
        0.5: "it does not grow with the draws. Make as many passes as `draws` says; an example "
        "counts if any of them differs.",
        0.5**4: "an example counts if any of its draws differs; you ask for all of them, or for "
        "the class of their mean.",
        1 - 0.5**3: "one pass is missing: make as many as `draws` says.",
        1 - 0.5**5: "one pass too many: make as many as `draws` says.",
    }
    for value, sentence in advice.items():
        near = 0.04 * np.sqrt(value * (1 - value)) + 0.004  # some three standard deviations
        expect(abs(got - value) > near, f"Given {given}: {sentence}")
    expect_close(got, 1 - 0.5**4, rtol=0, atol=0.025, given=given, what="the disagreement")


explanation(
    "6.10",
    "Why dropout is off at test time",
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
        "`decay_run` builds one network and trains it once. `verdict` sees the losses only.",
        "The gain of a recipe is the mean loss of (0, 0) minus its own mean loss. Compare the gain "
        "of both with the sum of the two single gains.",
        '`train_once(model, ..., weight_decay=decay)["val_loss"][-1]`; in `verdict`: `mean = '
        "{recipe: np.mean(losses) for recipe, losses in table.items()}`, three gains, and an `if` "
        "for each word.",
    ),
)
def check_decay_run(decay_run, verdict, case):
    train, valid = _unseen_classes(case)
    seed = int(case.integers(1, 1000))
    ask = partial(_ask_decay, decay_run, train, valid)
    free, decayed = (ask(0.0, decay, seed, _FEW_EPOCHS) for decay in (0.0, 10.0))
    expect(
        decayed["norm"] < 0.96 * free["norm"],
        f"Given the weight decay 10 in place of 0: the weights have the norm {decayed['norm']:.2f} "
        f"in place of {free['norm']:.2f}, so they did not shrink. Hand the decay to `train_once`.",
    )
    yield 1 / 6
    losses = [ask(0.5, 1.0, run_seed, 4)["loss"] for run_seed in (seed, seed, seed + 1)]
    _expect_same_run(*losses, "decay_run")
    _expect_other_epochs(losses[0], ask(0.5, 1.0, seed, 2)["loss"], "decay_run")
    yield 1 / 3
    for word, gains in _GAINS.items():
        for single, other, both in gains:
            _expect_verdict(verdict, case, word, (single, other, both))
    yield 2 / 3
    for _ in range(30):
        gains = np.round(case.uniform(0.01, 0.2, size=3), 3)
        word, margin = _verdict(*gains)
        if margin > 0.002:
            _expect_verdict(verdict, case, word, gains)


_GAINS = {  # single gains and the gain of both, near each border of the rule
    "additive": [(0.1, 0.05, 0.15), (0.1, 0.05, 0.17), (0.04, 0.06, 0.085), (0.2, 0.02, 0.19)],
    "more": [(0.1, 0.05, 0.19), (0.02, 0.03, 0.07)],
    "diminished": [(0.1, 0.05, 0.11), (0.05, 0.1, 0.115)],
    "cancel": [(0.1, 0.05, 0.09), (0.05, 0.1, 0.02), (0.1, 0.05, -0.1)],
}


def _ask_decay(decay_run, train, valid, rate, decay, seed, epochs):
    given = f"rate {rate:g}, weight decay {decay:g} and {epochs} epochs"
    got = decay_run(rate, decay, seed, epochs, train, valid)
    got = _expect_entries(got, ("model", "loss"), "decay_run", given)
    _expect_network(got["model"], (rate, rate), given)
    _expect_trained(got["model"], train, valid, given)
    loss, own = expect_number(got["loss"], "'loss'"), _loss(got["model"], *valid)
    expect(
        not np.isclose(loss, _accuracy(got["model"], *valid), atol=1e-6),
        f"Given {given}: 'loss' is {loss:.4f}, which is the accuracy. Take 'val_loss'.",
    )
    expect(
        bool(np.isclose(loss, own, rtol=2e-3)),
        f"Given {given}: 'loss' is {loss:.4f}; the model you returned has the loss {own:.4f} on "
        "the validation images. Take the last 'val_loss' of its training.",
    )
    kernels = [weight for weight in got["model"].weights if np.ndim(weight) == 2]
    norm = float(np.sqrt(sum(np.sum(np.square(kernel)) for kernel in kernels)))
    return {"loss": loss, "norm": norm}


def _verdict(single, other, both):
    """Return the word of the rule and the distance to the nearest border."""
    total, larger = single + other, max(single, other)
    margin = min(abs(abs(both - total) - 0.2 * total), abs(both - larger))
    if abs(both - total) <= 0.2 * total:
        return "additive", margin
    if both > total:
        return "more", margin
    return ("diminished" if both > larger else "cancel"), margin


def _expect_verdict(verdict, case, word, gains):
    single, other, both = (float(gain) for gain in gains)
    plain, decay = float(case.uniform(0.6, 2.0)), float(case.choice([0.3, 1.0, 3.0]))
    means = {(0.0, 0.0): plain, (0.5, 0.0): plain - single, (0.0, decay): plain - other}
    means[0.5, decay] = plain - both
    noise = case.exponential(0.03, size=(4, 3))
    noise -= noise.mean(axis=1, keepdims=True)  # the means stay, medians and first entries do not
    order = case.permutation(len(means))
    rows = list(means.items())
    table = {rows[place][0]: (rows[place][1] + noise[place]).tolist() for place in order}
    given = (
        f"mean losses with which dropout alone gains {single:.3f}, weight decay alone "
        f"{other:.3f} and both together {both:.3f}"
    )
    try:
        said = verdict(table)
    except AnswerError as raised:
        known = raised.kind == "KeyError"
        expect(
            not known,
            f"Given {given}: `verdict` looks up {raised.message}, which is no key of this table; "
            f"its keys are {show(list(table))}. Take the decay above 0 from the keys.",
        )
        raise
    words = ("additive", "more", "diminished", "cancel")
    expect(said in words, f"Given {given}: verdict returned {show(said)}; return one of {words}.")
    expect(said == word, f"Given {given}: the rule says {word!r}; your verdict is {said!r}.")


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
def check_drop_connect(drop_connect, connect_noise, case):
    for d, k, rate in ((80, 60, 0.4), (50, 90, 0.7)):
        w, b = case.uniform(0.5, 1.5, size=(d, k)), case.uniform(1, 2, size=k)
        w *= case.choice([-1, 1], size=w.shape)
        x = case.normal(size=(4, d))
        seeds = [int(seed) for seed in case.choice(10_000, size=2, replace=False)]
        _expect_biases_stay(drop_connect, x, w, b, rate, seeds[0])
        zero = _expect_single_weights(drop_connect, x, w, b, rate, seeds[0])
        yield 1 / 3
        _expect_seeded_weights(drop_connect, x, w, b, rate, seeds, zero)
    for wrong in (-0.2, 1.0):
        expect_raises(
            ValueError, lambda wrong=wrong: drop_connect(x, w, b, wrong, 0), given=f"rate {wrong}"
        )
    yield 2 / 3
    _expect_letter(
        connect_noise,
        "a",
        {
            "a": "each unit has a mask of its own.",
            "b": "that is dropout on the inputs: one lost activation is lost to all units above.",
            "c": "scaling by 1 / (1 - rate) keeps the mean for weights as for activations.",
            "d": "only one pass is thinned; the next one draws a new mask, and all weights remain.",
        },
    )


def _expect_biases_stay(drop_connect, x, w, b, rate, seed):
    d, k = w.shape
    expect_close(
        drop_connect(x, w, b, 0.0, seed),
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
    rest = drop_connect(np.zeros((2, d)), w, b, rate, seed)
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


def _expect_single_weights(drop_connect, x, w, b, rate, seed):
    """Return which weights are dropped, after checking that each is dropped on its own."""
    d, k = w.shape
    seen = drop_connect(np.eye(d), w, b, rate, seed)
    expect_shape(seen, (d, k), given="the identity matrix as x", what="drop_connect")
    seen = np.asarray(seen) - b
    seen = np.where(np.abs(seen) < 1e-5, 0.0, seen)
    twins = np.asarray(drop_connect(np.tile(x[:1], (3, 1)), w, b, rate, seed))
    expect(
        np.allclose(twins, twins[0], rtol=1e-4),
        "Given three equal rows: the outputs differ. Here one mask serves the whole batch.",
    )
    expect(
        not np.any(np.all(seen == 0, axis=1)),
        "Whole inputs are dropped, so all weights of an input die together. Give the mask the "
        "shape of w.",
    )
    expect(
        not np.any(np.all(seen == 0, axis=0)),
        "Whole outputs are dropped, so all weights of a unit die together. Give the mask the shape "
        "of w.",
    )
    return _dropped(seen, w, rate, "the weights in use")


def _expect_seeded_weights(drop_connect, x, w, b, rate, seeds, zero):
    d = len(w)
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


def _expect_fixed_network(model):
    """Raise `NotYet` unless the model at prediction is the ReLU network of its six weights."""
    expect(hasattr(model, "layers"), f"build_noisy should return a Keras model; got {show(model)}.")
    expect(
        tuple(model.input_shape) == (None, 784) and tuple(model.output_shape) == (None, 10),
        f"The model maps {model.input_shape} to {model.output_shape}; it should map (None, 784) to "
        "(None, 10).",
    )
    weights = [weight for weight in model.weights if np.asarray(weight).dtype.kind == "f"]
    shapes = [np.shape(weight) for weight in weights]
    expect(
        [shape for shape in shapes if shape in _SHAPES] == _SHAPES,
        f"The model has weights of the shapes {shapes}; the network is fixed at 784-256-256-10.",
    )


def _expect_plain_at_prediction(model, case):
    x = case.random((8, 784)).astype("float32")
    want = _relu_logits(model, x)
    got, again = _logits(model, x), _logits(model, x)
    expect(
        np.allclose(got, again, atol=1e-5),
        "Two passes with training=False differ: the noise must be off at prediction. In a layer of "
        "your own, look at the argument `training` of `call`.",
    )
    expect(
        not np.allclose(got.sum(axis=1), 1, atol=1e-4) or np.any(got < 0),
        "The outputs are shares that add up to 1, as after a softmax; return logits, as "
        "`train_once` expects.",
    )
    expect(
        np.allclose(got, want, rtol=1e-3, atol=1e-3),
        "At prediction the model does not compute what its three Dense layers compute with ReLU "
        "after the first two: something else acts there, too. The noise must be off, and no other "
        "layer may change the numbers.",
    )


def _expect_no_dropout(model):
    """Look for single entries set to zero, in weights that hand each entry on to the logits."""
    names = [layer["class_name"] for layer in model.layers]
    found = [name for name in names if name.endswith("Dropout") and name != "GaussianDropout"]
    expect(
        not found,
        f"The model contains a {(found or [''])[0]} layer. Invent another noise; multiplicative "
        "Gaussian noise, shifted pictures and additive noise are some.",
    )
    kernels = [np.zeros(shape, dtype="float32") for shape in _SHAPES]
    for unit in range(10):  # relu(z) - relu(-z) = z, so a logit is zero only if its entry was
        pixel = 28 * (12 + unit // 5) + 12 + unit % 5
        kernels[0][pixel, [2 * unit, 2 * unit + 1]] = 1, -1
        for above, sign in ((2 * unit, 1), (2 * unit + 1, -1)):
            kernels[2][[2 * unit, 2 * unit + 1], above] = sign, -sign
            kernels[4][above, unit] = sign
    before, places = model.weights, iter(kernels)
    model.set_weights([next(places) if np.shape(w) in _SHAPES else w for w in before])
    zero = np.asarray(model.predict(np.ones((512, 784), dtype="float32"), training=True)) == 0
    model.set_weights(before)
    share = zero.mean()
    expect(
        not 0.01 < share or np.var(zero.mean(axis=1)) > 0.3 * share * (1 - share),
        f"With training=True, {share:.0%} of the activations are exactly 0, each on its own: that "
        "is dropout, whatever it is called. Invent another noise.",
    )


_CONTEST = """
from helpers import training
rows = images.reshape(-1, 784).astype("float32") / 255
model = build_noisy(seed)
untrained = np.asarray(model(rows[2048:], training=False))
model.compile(
    optimizer=keras.optimizers.AdamW(weight_decay=0.0), metrics=["accuracy"],
    loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
)
cosine = keras.callbacks.LearningRateScheduler(
    lambda epoch: 0.0015 * (1 + np.cos(np.pi * epoch / 40)))
best = keras.callbacks.EarlyStopping("val_loss", patience=40, restore_best_weights=True)
training.fit(
    model, rows[:1024], labels[:1024], epochs=40, batch_size=128, seed=seed, verbose=0,
    callbacks=[cosine, best], validation_data=(rows[1024:2048], labels[1024:2048]),
)
result = untrained, np.asarray(model(rows[2048:], training=False))
"""
# Mean loss and accuracy of dropout, `models.mlp((256, 256), rate=0.5, seed=seed)`, in this contest,
# by the source of the images: as page 6 prints them for the real images, and over the seeds below
# for the stand-in. Training it again in each check would double the check's time.
_DROPOUT = {"real": (0.525, 0.819), "stand-in": (0.508, 0.804)}
_SPREAD = 0.008  # standard deviation of dropout's loss over five seeds


def _contest(build_noisy):
    """Train as the page does, with two seeds; return loss and accuracy, and those of dropout."""
    from helpers import data

    with contextlib.redirect_stdout(io.StringIO()):  # the page has named its data already
        fashion = data.load_fashion_mnist()
    images, labels = fashion.train_images[:6144], fashion.train_labels[:6144]
    results = []
    for seed in (11, 12):
        inputs = {"seed": seed, "images": images, "labels": labels[:2048]}
        untrained, logits = (
            np.asarray(part, dtype=float) for part in build_noisy.evaluate(_CONTEST, **inputs)
        )
        before = np.mean(untrained.argmax(axis=1) == labels[2048:])
        expect(
            before < 0.5,
            f"The model that build_noisy returns is right on {before:.0%} of the unseen images "
            "before any training. Return a new network, which `contest` trains.",
        )
        logits -= logits.max(axis=1, keepdims=True)
        log_share = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        unseen = labels[2048:]
        loss = -log_share[np.arange(len(unseen)), unseen].mean()
        results.append((loss, np.mean(logits.argmax(axis=1) == unseen)))
    return [float(mean) for mean in np.mean(results, axis=0)], _DROPOUT[fashion.source]


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
        "Too much noise underfits 1,024 images. Try small amounts first, and one kind of noise at "
        "a time: a shift by whole pixels keeps the picture sharp, one by fractions blurs it. Two "
        "kinds that each help a little may help more together.",
        "`Reshape((28, 28, 1))`, a layer that changes the contrast, one that moves pictures by "
        "whole pixels, `Flatten()`, then the three Dense layers, with a little `GaussianDropout` "
        "after the hidden ones.",
    ),
)
def check_noise_of_your_own(build_noisy, case):
    model = build_noisy(1)
    _expect_fixed_network(model)
    shapes = build_noisy.evaluate(
        "result = [tuple(v.shape) for v in build_noisy(2).trainable_variables]"
    )
    expect(
        [tuple(shape) for shape in shapes] == _SHAPES,
        f"The trainable weights have the shapes {[tuple(s) for s in shapes]}; only the three Dense "
        "layers may have any.",
    )
    _expect_plain_at_prediction(model, case)
    x = np.zeros((8, 28, 28), dtype="float32")
    x[:, 6:22, 8:20] = case.uniform(0.2, 1.0, size=(8, 16, 12))
    noisy = [np.asarray(model.predict(x.reshape(8, 784), training=True)) for _ in range(2)]
    expect(
        not np.allclose(noisy[0], noisy[1], atol=1e-6),
        "Two passes with training=True agree, so there is no noise in the model.",
    )
    _expect_no_dropout(model)
    yield 0.5
    (loss, accuracy), (plain_loss, plain_accuracy) = _contest(build_noisy)
    expect(
        loss < plain_loss - _SPREAD,
        f"Over two seeds your noise has the mean loss {loss:.4f} on the 4,096 unseen images, and "
        f"dropout {plain_loss:.4f}. A win is a lower loss by more than {_SPREAD}, the standard "
        "deviation over the seeds. Try another amount or another noise.",
    )
    yield 0.75
    expect(
        accuracy > plain_accuracy,
        f"Your noise has the lower loss, {loss:.4f} against {plain_loss:.4f}, but its accuracy "
        f"is {accuracy:.4f} against {plain_accuracy:.4f}. Win both.",
    )
