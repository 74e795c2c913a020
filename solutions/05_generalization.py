# %% [markdown]
# # 5. Generalization in deep learning
#
# *After [d2l 5.5](https://d2l.ai/chapter_multilayer-perceptrons/generalization-deep.html), in TensorFlow and Keras 3.*
#
# | To read | To run, CPU | To run, GPU | Difficulty | Exercises | Last run with |
# | --- | --- | --- | --- | --- | --- |
# | 60 min | 47 s on 2 cores | not measured | ★★☆ | 16, 33 points | TensorFlow 2.21, Keras 3.15 |

# %% [markdown]
# ## What you will learn
#
# - **Measure** a generalization gap, and show that a network can memorise random labels.
# - **Draw** a double-descent curve and say why its peak is where it is.
# - **Compare** networks with two nonparametric relatives, nearest neighbours and the tangent
#   kernel.
# - **Stop** training early by a rule with patience, and say when that pays.
# - **Compute** l2 and l1 penalties, and show that alone they do not prevent memorising.
#
# ## Before you start
#
# You need least squares from [chapter 1](01_perceptrons.ipynb), the MLP of [chapter
# 2](02_multilayer_perceptrons.ipynb), and gradients as in [chapter 3](03_backpropagation.ipynb).

# %% [markdown]
# ## Setup
#
# The page trains many small networks, so it uses few images: 1,000 to train on, 1,000 for
# validation, 2,000 for the final test. `data.load_fashion_mnist` says which images it found.

# %% tags=["nbval-ignore-output"]
from helpers import check, data, hint, models, plotting, progress, training

import itertools
import time

import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf

keras.utils.set_random_seed(5)
fashion = data.load_fashion_mnist()
print(fashion)
print(training.device())

# %% [markdown]
# ## Images as rows of numbers
#
# Each image becomes a row of 784 numbers. All of them are shifted and scaled by the mean and the
# spread of the *training* pixels, because validation and test images stand for images that nobody
# has seen yet.

# %%
pixels = fashion.train_images[:2000].reshape(2000, 784).astype("float32")
mean, spread = pixels[:1000].mean(), pixels[:1000].std()
x_train, x_valid = np.split((pixels - mean) / spread, 2)
y_train, y_valid = np.split(fashion.train_labels[:2000], 2)
x_test = (fashion.test_images[:2000].reshape(2000, 784).astype("float32") - mean) / spread
y_test = fashion.test_labels[:2000]
print(x_train.shape, x_valid.shape, x_test.shape)

# %% [markdown]
# The network of this page is 784-256-10 with ReLU. It is trained by Adam, a gradient descent that
# adapts the length of the step for each weight. A new seed gives new initial weights.

# %%
def new_model(seed=0):
    model = models.mlp((256,), seed=seed)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=keras.optimizers.Adam(1e-3), loss=loss, metrics=["accuracy"])
    return model

print(new_model().count_params(), "parameters")

# %% tags=["proof"]
assert 200 <= new_model().count_params() / len(x_train) < 205

# %% [markdown]
# That is about 200 parameters for each training image.

# %% [markdown]
# ## The generalization gap
#
# What we want is a small error on new examples, the [generalization
# error](../chapters/glossary.md#generalization-error) $R[f]$. What training makes small is the
# error on the training examples, $R_\text{emp}[f]$. The difference is the [generalization
# gap](../chapters/glossary.md#generalization-gap):
#
# $$\text{gap} = R[f] - R_\text{emp}[f].\tag{5.5.1}$$
#
# $R[f]$ is an average over all examples that could ever come, so it can only be estimated, from
# examples that had no part in training.

# %%
model = new_model()
run = training.fit(
    model, x_train, y_train, epochs=40, batch_size=50, validation_data=(x_valid, y_valid), seed=0
)
plotting.histories({"": run}, "accuracy")

# %% [markdown]
# The training curve goes on to 1.0; the validation curve turns flat after a few epochs. How large
# is the space between them on the test images, which no curve has used?

# %%
def classes(model, x):
    return model(x).numpy().argmax(axis=1)

train_accuracy = np.mean(classes(model, x_train) == y_train)
test_accuracy = np.mean(classes(model, x_test) == y_test)
print("training accuracy above 0.99:", train_accuracy > 0.99)
print("gap above 0.10:", train_accuracy - test_accuracy > 0.10)

# %% tags=["proof"]
assert train_accuracy > 0.99 and 0.10 < train_accuracy - test_accuracy < 0.30
assert np.ptp(run.history["val_accuracy"][10:]) < 0.06

# %% [markdown]
# One image in ten, at least, is lost on the way to images the network has not seen. When a model
# keeps getting better on the training examples and no better, or worse, on others, we speak of
# [overfitting](../chapters/glossary.md#overfitting).

# %% [markdown]
# ### Exercise 5.1 — Error against degree
# *2 points · ★☆☆ · 15 min · stuck? run `hint("5.1")`*
#
# The classical picture of overfitting needs no network. A polynomial of degree $m$ has $m + 1$
# coefficients, and the degree is its complexity.
#
# **Given** training points `x_train`, `y_train`, validation points `x_validation`, `y_validation`,
# and a list `degrees`.
#
# **Write** `polynomial_errors(x_train, y_train, x_validation, y_validation, degrees)`. For each
# degree, fit the polynomial to the training points by least squares, then take its mean squared
# error on both sets.
#
# **Shapes** points of shape (n,) and (k,) in; two arrays out, training errors first, each with
# one number a degree.
#
# **Done when** both arrays are right for noisy points and degrees 0 to 5.

# %%
def polynomial_errors(x_train, y_train, x_validation, y_validation, degrees):
    """Return the training and validation errors of least-squares polynomials."""
    ### BEGIN SOLUTION
    training_errors, validation_errors = [], []
    for degree in degrees:
        coefficients = np.linalg.lstsq(np.vander(x_train, degree + 1), y_train)[0]
        for x, y, errors in (
            (x_train, y_train, training_errors),
            (x_validation, y_validation, validation_errors),
        ):
            errors.append(np.mean((np.vander(x, degree + 1) @ coefficients - y) ** 2))
    return np.array(training_errors), np.array(validation_errors)
    ### END SOLUTION

# %%
check("5.1", polynomial_errors)

# %% tags=["proof"]
rng = np.random.default_rng(0)
points = rng.uniform(-1, 1, size=(2, 20))
targets = np.sin(4 * points) + 0.3 * rng.normal(size=(2, 20))
by_degree = polynomial_errors(points[0], targets[0], points[1], targets[1], range(13))
assert np.all(np.diff(by_degree[0]) < 1e-9) and 2 < np.argmin(by_degree[1]) < 10
assert by_degree[1][-1] > 2 * by_degree[1].min()

# %% [markdown]
# ## No free lunch
#
# Can a learner be good without assuming anything about the world? The [no free lunch
# theorem](../chapters/glossary.md#no-free-lunch-theorem) says no: averaged over all ways in which
# the world could label the unseen inputs with 0 or 1, every learner is right half of the time.
#
# Three binary features give eight inputs. The learner sees five with their labels. The remaining
# three can be labelled in $2^3$ ways. Try them all.

# %%
inputs = np.array(list(itertools.product([0, 1], repeat=3)))
seen, unseen, seen_labels = inputs[:5], inputs[5:], np.array([0, 1, 1, 0, 1])
worlds = np.array(list(itertools.product([0, 1], repeat=3)))  # labels of the three unseen inputs

nearest = seen_labels[((unseen[:, None] - seen) ** 2).sum(axis=2).argmin(axis=1)]
guesses = {"majority": np.ones(3), "nearest": nearest, "opposite of nearest": 1 - nearest}
for name, guess in guesses.items():
    print(f"{name:20} right in {np.mean(worlds == guess):.3f} of all cases")

# %% tags=["proof"]
assert all(np.mean(worlds == guess) == 0.5 for guess in guesses.values())

# %% [markdown]
# A sensible rule and its opposite do equally well. A learner generalises only where its
# preferences, its [inductive bias](../chapters/glossary.md#inductive-bias), fit the world. The rest
# of this page asks which preferences networks have, since their size does not say it.

# %% [markdown]
# ## Networks fit random labels
#
# The training set of the next run makes no sense: each image gets one of ten labels by lot. There
# is nothing to learn, so whatever the network fits, it has memorised. Zhang et al. (2017) showed
# this for large networks on CIFAR-10 and ImageNet.

# %%
y_random = np.random.default_rng(0).integers(0, 10, size=1000)
runs, trained = {}, {}
for name, labels in (("true labels", y_train), ("random labels", y_random)):
    model = trained[name] = new_model()
    runs[name] = training.fit(model, x_train, labels, epochs=60, batch_size=50, seed=0)
    fitted = np.mean(classes(model, x_train) == labels)
    print(f"{name:14} training accuracy above 0.99: {fitted > 0.99}")

# %%
curves = {name: run.history["accuracy"] for name, run in runs.items()}
plotting.lines(range(1, 61), curves, xlabel="epoch", ylabel="training accuracy")

# %% [markdown]
# Random labels take longer, and then they fit as well as true ones. Look at new images.

# %%
on_test = np.mean(classes(model, x_test) == y_test)
print("test accuracy after random labels below 0.20:", on_test < 0.2)

# %% tags=["proof"]
assert np.mean(classes(trained["true labels"], x_train) == y_train) > 0.99 and fitted > 0.99
assert test_accuracy > 0.7 and on_test < 0.2
after_ten = [runs[name].history["accuracy"][10] for name in runs]
assert after_ten[0] > after_ten[1] + 0.2

# %% [markdown]
# There the second network guesses. Both runs end with the same number of weights and a training
# error of next to nothing; only one generalises.

# %% [markdown]
# ### Exercise 5.2 — What a capacity bound cannot see (d2l 5.5.1)
# *1 point · ★☆☆ · 3 min · stuck? run `hint("5.2")`*
#
# Classical theory bounds the gap by the complexity of the model class, for example its number of
# parameters or the richest set of labels it can fit. Why do such bounds say little about deep
# networks?
#
# - **a** Networks are too small for the bounds to apply.
# - **b** The class can fit random labels, so a bound for the whole class has to allow a gap of
#   nearly 1, whatever the labels are.
# - **c** Nobody can count the parameters of a deep network.
# - **d** The bounds hold only where the training error is zero.

# %%
### BEGIN SOLUTION
choice_5_2 = "b"
### STUB
# choice_5_2 = None
### END SOLUTION

# %%
check("5.2", choice_5_2)

# %% [markdown]
# ### Exercise 5.3 — Random labels (d2l 5.5.1)
# *3 points · ★★☆ · 20 min · stuck? run `hint("5.3")`*
#
# Turn the lesson into a measurement: replace a share of the labels by random ones, and train a new
# network for each share.
#
# **Given** `x_train` and `y_train` (1,000 images), `x_test` and `y_test` (2,000), `new_model`,
# `classes`, `training.fit`. One run of 60 epochs at batch size 50 takes about two seconds.
#
# **Write** `random_labels`, a dict of lists with one entry for each share 0.0, 0.5 and 1.0:
#
# - `"share"`: the share of training rows whose label is replaced by a random one;
# - `"parameters"`: the number of parameters of the network;
# - `"before"`: accuracy on the test images before training;
# - `"curve"`: the training accuracy after each epoch, as in the history;
# - `"train_accuracy"`: accuracy at the end on the labels it was trained on, as a fraction;
# - `"test_accuracy"`: accuracy on the test images and their true labels;
# - `"epochs"`: the number of the first epoch, counted from 1, at which the curve is above 0.99.
#
# **Shapes** `"curve"` holds three lists with one number an epoch, the others three numbers.
#
# **Done when** all three runs pass 0.99 in training, and the other columns belong to these runs.

# %%
### BEGIN SOLUTION
random_labels = {"share": [0.0, 0.5, 1.0], "parameters": [], "before": [], "curve": [],
                 "train_accuracy": [], "test_accuracy": [], "epochs": []}
for share in random_labels["share"]:
    rng = np.random.default_rng(1)
    replaced = rng.random(1000) < share
    y = np.where(replaced, rng.integers(0, 10, size=1000), y_train)
    model = new_model(seed=1)
    random_labels["before"].append(np.mean(classes(model, x_test) == y_test))
    run = training.fit(model, x_train, y, epochs=60, batch_size=50, seed=1)
    random_labels["curve"].append(run.history["accuracy"])
    random_labels["parameters"].append(model.count_params())
    random_labels["train_accuracy"].append(np.mean(classes(model, x_train) == y))
    random_labels["test_accuracy"].append(np.mean(classes(model, x_test) == y_test))
    above = np.array(run.history["accuracy"]) > 0.99
    random_labels["epochs"].append(int(above.argmax()) + 1)
### STUB
# random_labels = None
### END SOLUTION

# %%
check("5.3", random_labels)

# %% [markdown]
# ### Exercise 5.4 — Complexity and the two runs (d2l 5.5.1)
# *2 points · ★★☆ · 8 min · stuck? run `hint("5.4")`*
#
# d2l asks: in what sense can traditional complexity-based measures fail to account for the
# generalization of deep networks? Answer with the table of exercise 5.3.

# %% [markdown] tags=["answer"]
# **Answer 5.4.** Such a measure depends on the model class and on the number of examples.
# Both are equal in all rows of the table: the same 203,530 parameters, the same 1,000 images. The
# row with share 1 shows that this class fits any labels, with a gap of about 0.9. A bound that
# holds for the whole class must allow this gap, so it allows it for the true labels as well, where
# the gap is only about 0.2. It cannot tell the rows apart. What does differ is the data (true
# labels have structure), how soon gradient descent gets there (fewer epochs) and the solution it
# ends in (a smaller change of the weights is enough). An explanation of generalization has to look
# at these, not only at the size of the class.

# %% tags=["proof"]
distance = {
    name: np.sqrt(
        sum(
            np.sum((after - before) ** 2)
            for after, before in zip(model.get_weights(), new_model().get_weights(), strict=True)
        )
    )
    for name, model in trained.items()
}
assert distance["random labels"] > 1.2 * distance["true labels"]

# %% [markdown]
# ## Interpolation
#
# A model [interpolates](../chapters/glossary.md#interpolation) when its training error is zero.
# With more parameters than examples there are endlessly many ways to do that. The smallest one is
# the [minimum-norm solution](../chapters/glossary.md#minimum-norm-solution),
#
# $$\mathbf{c}_\text{min} = \mathbf{A}^{+}\mathbf{y},\tag{5.5.2}$$
#
# with the pseudo-inverse $\mathbf{A}^{+}$. Adding a part that the examples cannot see gives another.

# %%
rng = np.random.default_rng(0)
A, targets = rng.normal(size=(20, 50)), rng.normal(size=20)  # 20 examples, 50 parameters
smallest = np.linalg.pinv(A) @ targets
unseen_part = (np.eye(50) - np.linalg.pinv(A) @ A) @ rng.normal(size=50)
for name, c in {"minimum norm": smallest, "another": smallest + unseen_part}.items():
    print(f"{name:12} fits all: {np.allclose(A @ c, targets)}   norm {np.linalg.norm(c):.2f}")

# %% [markdown]
# Both fit the 20 examples exactly. Which one does gradient descent find, from zero?

# %%
c = np.zeros(50)
for _ in range(2000):
    c -= 0.01 * A.T @ (A @ c - targets)
print("gradient descent ends in the minimum-norm solution:", np.allclose(c, smallest))

# %% tags=["proof"]
assert np.allclose(c, smallest) and np.linalg.norm(smallest + unseen_part) > 2 * np.linalg.norm(c)
assert np.allclose((np.eye(50) - np.linalg.pinv(A) @ A) @ c, 0)

# %% [markdown]
# It ends in the smallest solution without being told, since it never leaves the span of the
# examples. This is an [implicit bias](../chapters/glossary.md#implicit-bias), and which
# interpolating solution is found decides how it generalises.

# %% [markdown]
# ## Double descent
#
# Now let the number of parameters grow through the number of examples. The model is linear in $m$
# [random features](../chapters/glossary.md#random-features), a hidden layer whose weights
# $\mathbf{V}$ are drawn once and never trained:
#
# $$\boldsymbol{\phi}(\mathbf{x}) = \max(0, \mathbf{x}\mathbf{V}) / \sqrt{m}.\tag{5.5.3}$$
#
# The last layer is solved by least squares, with minimum norm where there is a choice. One
# repetition draws 100 noisy training examples and goes through thirteen widths.

# %%
def random_features(x, V):
    return np.maximum(x @ V, 0) / np.sqrt(V.shape[1])

widths = np.array([10, 25, 50, 75, 90, 100, 110, 125, 150, 200, 400, 1000, 2000])

def repetition(rng):
    x, x_new, teacher = rng.normal(size=(100, 20)), rng.normal(size=(1000, 20)), rng.normal(size=20)
    y, rows = x @ teacher + 2 * rng.normal(size=100), []
    for width in widths:
        V = rng.normal(size=(20, width))
        c = np.linalg.lstsq(random_features(x, V), y)[0]
        on_training = np.mean((random_features(x, V) @ c - y) ** 2)
        on_test = np.mean((random_features(x_new, V) @ c - x_new @ teacher) ** 2)
        rows.append((on_training, on_test, np.linalg.norm(c)))
    return np.transpose(rows)

# %%
repetitions = np.array([repetition(np.random.default_rng(seed)) for seed in range(5)])
print("repetitions, kinds of numbers, widths:", repetitions.shape)

# %% tags=["proof"]
errors, norms = repetitions[:, :2], np.median(repetitions[:, 2], axis=0)
assert np.all(widths[errors[:, 1].argmax(axis=1)] == 100)
assert np.all(errors[:, 0, widths > 100] < 1e-8) and np.all(errors[:, 0, widths < 90] > 1e-3)
assert np.all(errors[:, 1, -1] < errors[:, 1, widths < 100].min(axis=1))
assert norms.argmax() == 5 and np.all(np.diff(norms[5:]) < 0)

# %% [markdown]
# Draw the median of the five repetitions. The vertical line is the [interpolation
# threshold](../chapters/glossary.md#interpolation-threshold): as many features as examples. A
# training error of zero has no logarithm, so it is left out.

# %%
train_curve, test_curve, _ = np.median(repetitions, axis=0)
visible = np.where(train_curve > 1e-6, train_curve, np.nan)
plotting.lines(widths, {"test": test_curve, "training": visible}, marks={"100 examples": 100},
               xlabel="number of features", ylabel="mean squared error",
               xscale="log", yscale="log", marker=True)
print("widest model better than every model below the threshold:",
      test_curve[-1] < test_curve[widths < 100].min())

# %% [markdown]
# The training curve ends where its error becomes zero. The test curve peaks there. At the threshold
# exactly one solution fits, and it has to bend for every bit of noise, so its coefficients are
# huge. Beyond it there is a choice again, the norm of the smallest solution falls, and so does the
# test error. This is [double descent](../chapters/glossary.md#double-descent) (Belkin et al.,
# 2019).

# %% [markdown]
# ### Exercise 5.5 — A double-descent curve on images
# *3 points · ★★☆ · 25 min · stuck? run `hint("5.5")`*
#
# **Given** the first 200 rows of `x_train` and `y_train`, all of `x_test` and `y_test`,
# `random_features`. Draw `V`, normal and with 784 rows, and solve the last layer by least squares
# with minimum norm, both as in the lesson, without any penalty. Use float64:
# `x_train[:200].astype(float)`. All widths together take about two seconds.
#
# **Write** `double_descent`, a dict of lists with one entry for each width:
#
# - `"width"`: at least eight widths; the smallest at most 50, the largest at least 1,000, and 200
#   among them;
# - `"train_error"` and `"test_error"`: mean squared error over all images and all ten outputs, with
#   one-hot targets `np.eye(10)[labels]`.
#
# **Shapes** three lists of the same length.
#
# **Done when** the training error beyond the threshold is zero up to rounding (below $10^{-18}$), the
# test error peaks at the threshold, and the widest model is good again. Draw the curve.

# %%
### BEGIN SOLUTION
rng = np.random.default_rng(3)
x_few, targets = x_train[:200].astype(float), np.eye(10)[y_train[:200]]
double_descent = {"width": [20, 50, 100, 150, 180, 200, 220, 250, 300, 500, 1000, 2000],
                  "train_error": [], "test_error": []}
for width in double_descent["width"]:
    V = rng.normal(size=(784, width))
    c = np.linalg.lstsq(random_features(x_few, V), targets)[0]
    for name, x, labels in (("train", x_few, y_train[:200]), ("test", x_test, y_test)):
        error = np.mean((random_features(x, V) @ c - np.eye(10)[labels]) ** 2)
        double_descent[f"{name}_error"].append(error)
train_error = np.array(double_descent["train_error"])
plotting.lines(
    double_descent["width"],
    {"test": double_descent["test_error"],
     "training": np.where(train_error > 1e-6, train_error, np.nan)},
    marks={"200 images": 200}, marker=True,
    xlabel="number of features", ylabel="mean squared error", xscale="log", yscale="log",
)
### STUB
# double_descent = None
### END SOLUTION

# %%
check("5.5", double_descent)

# %% [markdown]
# ## Parametric and nonparametric
#
# A [parametric model](../chapters/glossary.md#parametric-model) has a number of parameters fixed in
# advance; after training, the examples may go. A [nonparametric
# model](../chapters/glossary.md#nonparametric-model) grows with the data, for example by keeping
# all of it. Here are the numbers that each must store for $n$ images.

# %%
print("images   network 784-256-10   all images (nearest neighbour)")
for n in (100, 1_000, 10_000, 60_000):
    print(f"{n:6,} {new_model().count_params():20,} {784 * n:32,}")

# %% [markdown]
# A network is parametric by this count. By its behaviour it is somewhere between: it has room to
# memorise every example, as the random labels showed. Two nonparametric methods that interpolate
# are therefore good company for it, and they come next.

# %% [markdown]
# ## The nearest neighbour
#
# Nothing is trained in [k-nearest neighbours](../chapters/glossary.md#k-nearest-neighbours): keep
# the examples; for a new input, find the $k$ that are closest to it and let them vote,
#
# $$\hat{y}(\mathbf{x}) = \operatorname{majority}\{y_i : i \in N_k(\mathbf{x})\}.\tag{5.5.4}$$
#
# With $k = 1$ each training example is its own nearest neighbour, at distance 0.

# %%
def nearest_label(x, y, query):
    return y[((x - query) ** 2).sum(axis=1).argmin()]

on_training = [nearest_label(x_train, y_train, query) for query in x_train[:300]]
on_validation = [nearest_label(x_train, y_train, query) for query in x_valid[:300]]
training_error = np.mean(on_training != y_train[:300])
validation_error = np.mean(on_validation != y_valid[:300])
print("training error", training_error)
print("validation error between 0.15 and 0.40:", 0.15 < validation_error < 0.40)

# %% tags=["proof"]
assert training_error == 0.0 and 0.15 < validation_error < 0.40

# %% [markdown]
# The training error is zero, without any training, and says nothing. New images are still
# classified far better than by guessing, which would be wrong nine times out of ten.

# %% [markdown]
# ## Consistency
#
# Where labels are random by nature, no rule is perfect. The best possible error is the [Bayes
# error](../chapters/glossary.md#bayes-error) $r^*$. A method is
# [consistent](../chapters/glossary.md#consistency) if its error approaches $r^*$ as $n$ grows.
#
# Here $x$ is a number, and its label is right with probability 0.8, so $r^* = 0.2$. One neighbour
# errs if exactly one of the two labels, its own and the new one, is off: $2 \cdot 0.8 \cdot 0.2 =
# 0.32$, at most twice $r^*$ (Cover and Hart, 1967). How do $k = \sqrt{n}$ neighbours compare?

# %%
def sample(n, rng):
    x = rng.random(n)
    likely = (np.sin(4 * np.pi * x) > 0).astype(int)
    return x, np.where(rng.random(n) < 0.8, likely, 1 - likely)

# %%
sizes = [10, 100, 1000, 10_000]
wrong = {"one neighbour": [], "√n neighbours": []}
for n in sizes:
    rng = np.random.default_rng(n)
    (x, y), (queries, answers) = sample(n, rng), sample(2000, rng)
    order = [np.argsort(abs(x - query))[: round(n**0.5)] for query in queries]
    wrong["one neighbour"].append(np.mean(y[[near[0] for near in order]] != answers))
    wrong["√n neighbours"].append(np.mean([y[near].mean() > 0.5 for near in order] != answers))
plotting.lines(sizes, wrong | {"Bayes error": [0.2] * 4}, xscale="log",
               xlabel="training examples n", ylabel="share of wrong answers")

# %% tags=["proof"]
assert abs(wrong["one neighbour"][-1] - 0.32) < 0.04
assert abs(wrong["√n neighbours"][-1] - 0.20) < 0.04 and wrong["√n neighbours"][0] > 0.25

# %% [markdown]
# One neighbour settles near 0.32, however much data it gets. A number of neighbours that grows, but
# more slowly than $n$, comes down to the Bayes error, as closely as 2,000 test points can tell:
# consistent, with hardly an assumption made.

# %% [markdown]
# ### Exercise 5.6 — k nearest neighbours
# *3 points · ★★☆ · 20 min · stuck? run `hint("5.6")`*
#
# **Given** training examples `train_x` of shape (n, d), float or uint8, with labels `train_y`,
# integers from 0; queries `x` of shape (q, d); and `k`.
#
# **Write** `knn_predict(train_x, train_y, x, k)`, by Euclidean distance and majority vote. Where two
# labels have equally many votes, the smaller one wins. Try it without a loop over queries: one
# matrix holds all distances.
#
# **Shapes** integer labels of shape (q,) out.
#
# **Done when** $k = 1$ and $k = 7$ agree with a search by hand, and images in uint8 work.

# %%
def knn_predict(train_x, train_y, x, k):
    """Return the majority label of the k nearest training examples of each query."""
    ### BEGIN SOLUTION
    train_x, x = np.asarray(train_x, dtype=float), np.asarray(x, dtype=float)
    distances = (x**2).sum(axis=1)[:, None] - 2 * x @ train_x.T + (train_x**2).sum(axis=1)
    nearest = np.argsort(distances, axis=1)[:, :k]
    votes = np.eye(train_y.max() + 1)[train_y[nearest]].sum(axis=1)
    return votes.argmax(axis=1)
    ### END SOLUTION

# %%
check("5.6", knn_predict)

# %% tags=["proof"]
assert np.array_equal(knn_predict(x_train, y_train, x_valid[:300], 1), on_validation)

# %% [markdown]
# ## The neural tangent kernel
#
# A kernel method predicts by comparing inputs, as neighbours do. Each network has a kernel of its
# own (Jacot et al., 2018). Take the gradient of the output with respect to all parameters
# $\boldsymbol{\theta}$; two inputs are alike if one gradient step moves their outputs together.
# That is the [neural tangent kernel](../chapters/glossary.md#neural-tangent-kernel) (NTK):
#
# $$K(\mathbf{x}, \mathbf{x}') = \sum_p \frac{\partial f(\mathbf{x})}{\partial \theta_p}
# \frac{\partial f(\mathbf{x}')}{\partial \theta_p}.\tag{5.5.5}$$
#
# The network here has one input and a constant 1, one hidden layer of ReLUs, and one output divided
# by $\sqrt{\text{width}}$.

# %%
def output(W, a, X):
    return np.maximum(X @ W, 0) @ a / np.sqrt(a.size)

def jacobian(W, a, X):
    by_W = X[:, :, None] * ((X @ W > 0) * a)[:, None, :]
    by_a = np.maximum(X @ W, 0)
    return np.hstack([by_W.reshape(len(X), -1), by_a]) / np.sqrt(a.size)

# %% [markdown]
# Four inputs, each with its constant 1, have a kernel of 4 x 4.

# %%
X = np.array([[-1.5, 1], [-0.5, 1], [0.5, 1], [1.5, 1]])
y = np.array([0.5, -1.0, 1.0, -0.5])
rng = np.random.default_rng(0)
W, a = rng.normal(size=(2, 3000)), rng.normal(size=3000)
K = jacobian(W, a, X) @ jacobian(W, a, X).T
print("kernel of shape", K.shape, "- symmetric:", np.allclose(K, K.T))
print("near inputs are more alike than far ones:", K[0, 1] > K[0, 3] and K[3, 2] > K[3, 0])

# %% tags=["proof"]
assert np.allclose(K, K.T) and K[0, 1] > K[0, 3] and K[3, 2] > K[3, 0]
assert np.linalg.eigvalsh(K).min() > 0

# %% [markdown]
# The kernel is a table of likeness, made by the network alone: no label went into it.

# %% [markdown]
# ## A wide network against its kernel
#
# If the kernel stayed constant during training, gradient descent on the squared error would end in
#
# $$f_\infty(\mathbf{x}) = f_0(\mathbf{x}) + K(\mathbf{x}, \mathbf{X})\,
# K(\mathbf{X}, \mathbf{X})^{-1} (\mathbf{y} - f_0(\mathbf{X})),\tag{5.5.6}$$
#
# where $f_0$ is the untrained network. The wider the layer, the less each weight has to move, and
# the better this holds. To see it, train networks of growing width, five seeds each, and keep what
# the kernel of the start predicts.

# %%
line = np.stack([np.linspace(-2, 2, 81), np.ones(81)], axis=1)

def train_and_predict(width, seed):
    rng = np.random.default_rng(seed)
    W, a = rng.normal(size=(2, width)), rng.normal(size=width)
    J = jacobian(W, a, X)
    weights = np.linalg.solve(J @ J.T, y - output(W, a, X))
    by_kernel = output(W, a, line) + jacobian(W, a, line) @ J.T @ weights
    for _ in range(1000):
        step = 0.1 * jacobian(W, a, X).T @ (output(W, a, X) - y)
        W, a = W - step[: 2 * width].reshape(2, width), a - step[2 * width :]
    return output(W, a, line), by_kernel

# %%
layer_widths = [30, 300, 3000]
pairs = {width: [train_and_predict(width, seed) for seed in range(5)] for width in layer_widths}
apart = [np.median([abs(f - k).max() for f, k in pairs[width]]) for width in layer_widths]
plotting.lines(layer_widths, {"": apart}, xlabel="width", ylabel="largest distance (median)",
               xscale="log", yscale="log")

# %% tags=["proof"]
assert apart[0] > 1.5 * apart[1] > 2 * apart[2] and apart[2] < 0.25
narrow, wide = (abs(np.subtract(*pairs[width][0])).max() for width in (30, 3000))
assert narrow > 0.5 and wide < 0.25

# %% [markdown]
# Each tenfold width brings the network nearer to its kernel. The next figure shows the narrowest and
# the widest network of the first seed, after training and as their kernels predict them.

# %%
figure, panels = plt.subplots(1, 2, figsize=(7, 3.4), sharey=True)
for panel, width in zip(panels, (30, 3000), strict=True):
    network, by_kernel = pairs[width][0]
    panel.plot(line[:, 0], network, "-", label="network")
    panel.plot(line[:, 0], by_kernel, "--", label="its kernel")
    panel.plot(X[:, 0], y, "ko", label="training examples")
    panel.set(xlabel="x", title=f"width {width}")
panels[0].set_ylabel("output")
figure.legend(*panel.get_legend_handles_labels(), loc="outside lower center", ncols=3)
plt.show()

# %% tags=["proof"]
steps = [np.abs(np.diff(curve)).max() for curve in pairs[30][0]]
assert steps[1] > 2 * steps[0]

# %% [markdown]
# With 30 units the kernel's prediction jumps wherever one ReLU switches on or off, and the trained
# network does not follow it. With 3,000 units the two curves are hard to tell apart. So a very wide
# network, for all its parameters, behaves like a nonparametric method: it compares a new input with
# the training inputs.

# %% [markdown]
# ### Exercise 5.7 — The empirical neural tangent kernel
# *3 points · ★★★ · 25 min · stuck? run `hint("5.7")`*
#
# **Given** a Keras `model` with one output, and inputs `first` of shape (n, d) and `second` of shape
# (m, d), float32.
#
# **Write** `empirical_ntk(model, first, second)`, formula (5.5.5) for all pairs, with the gradients
# with respect to all trainable variables from `tf.GradientTape`, one gradient for each input.
#
# **Shapes** an array or tensor of shape (n, m) out.
#
# **Done when** it agrees with derivatives worked out by hand for a network with tanh units.

# %%
def empirical_ntk(model, first, second):
    """Return the neural tangent kernel of the model between two sets of inputs."""
    ### BEGIN SOLUTION
    def gradients(x):
        with tf.GradientTape(persistent=True) as tape:
            outputs = tf.unstack(model(tf.convert_to_tensor(x))[:, 0])
        rows = [tape.gradient(output, model.trainable_variables) for output in outputs]
        return tf.stack([tf.concat([tf.reshape(block, -1) for block in row], 0) for row in rows])

    return gradients(first) @ tf.transpose(gradients(second))
    ### END SOLUTION

# %%
check("5.7", empirical_ntk)

# %% tags=["proof"]
keras_network = keras.Sequential(
    [
        keras.Input((2,)),
        keras.layers.Dense(3000, activation="relu", use_bias=False),
        keras.layers.Dense(1, use_bias=False),
    ]
)
keras_network.set_weights([W, a[:, None]])
assert np.allclose(empirical_ntk(keras_network, X.astype("float32"), X.astype("float32")) / 3000, K,
                   rtol=1e-3, atol=1e-3)

# %% [markdown]
# ## Clean labels are fitted before noisy ones
#
# Real labels contain errors, [label noise](../chapters/glossary.md#label-noise). A network can
# memorise them, but not at once: what many examples share is learned before the exceptions (Rolnick
# et al., 2017).
#
# `flip_labels` gives a share of the examples a wrong label and says which.

# %%
def flip_labels(y, share, seed):
    rng = np.random.default_rng(seed)
    flipped = rng.random(len(y)) < share
    wrong_labels = (y + rng.integers(1, 10, size=len(y))) % 10
    return np.where(flipped, wrong_labels, y), flipped

y_noisy, flipped = flip_labels(y_train, 0.4, seed=0)
print(flipped.sum(), "of", len(y_train), "labels flipped")

# %% [markdown]
# During training, a callback keeps the classes that the network gives the training images after
# each epoch.

# %%
memoriser, given = new_model(), []
keep = keras.callbacks.LambdaCallback(
    on_epoch_end=lambda epoch, logs: given.append(classes(memoriser, x_train))
)
noisy_run = training.fit(memoriser, x_train, y_noisy, epochs=60, batch_size=50, seed=0,
                         validation_data=(x_valid, y_valid), callbacks=[keep])
given = np.array(given)
print("classes kept, epochs x images:", given.shape)

# %% [markdown]
# Three shares tell the story: clean examples that get their label; flipped examples that get the
# *wrong* label they were given; and flipped examples that get their *true* label, which the network
# never saw.

# %%
clean = (given == y_noisy)[:, ~flipped].mean(axis=1)
memorised = (given == y_noisy)[:, flipped].mean(axis=1)
corrected = (given == y_train)[:, flipped].mean(axis=1)
plotting.lines(range(1, 61), {"clean, fitted": clean, "flipped, memorised": memorised,
               "flipped, true label": corrected}, xlabel="epoch", ylabel="share of examples")
print("epoch 3: clean above 0.7, memorised below 0.3:", clean[2] > 0.7 and memorised[2] < 0.3)
print("epoch 60: both above 0.95:", clean[-1] > 0.95 and memorised[-1] > 0.95)

# %% tags=["proof"]
assert clean[2] > 0.7 and memorised[2] < 0.3 and corrected[2] > 0.5
assert clean[-1] > 0.95 and memorised[-1] > 0.95 and corrected[-1] < 0.1
assert np.all(clean[:30] > memorised[:30])

# %% [markdown]
# In the first epochs the network gives most flipped examples their true label, against what it was
# told. From then on it learns the wrong labels, too, and at the end it repeats nearly all of them.

# %% [markdown]
# ## Early stopping
#
# So the best network exists only for a while. [Early
# stopping](../chapters/glossary.md#early-stopping) ends the training there. The rule watches the
# validation loss $L_t$ after each epoch $t$. An epoch counts as an improvement if
#
# $$L_t < L_\text{best} - \delta,\tag{5.5.7}$$
#
# with `min_delta` $\delta \ge 0$. After as many epochs in a row without improvement as the
# [patience](../chapters/glossary.md#patience) allows, training stops. Patience keeps one unlucky
# epoch from ending it. In Keras the rule is a callback, and it can bring back the best weights.

# %%
stop = keras.callbacks.EarlyStopping(
    monitor="val_loss", patience=5, min_delta=0.0, restore_best_weights=True
)
model = new_model()
run = training.fit(model, x_train, y_noisy, epochs=60, batch_size=50, seed=0,
                   validation_data=(x_valid, y_valid), callbacks=[stop])
print("stopped before epoch 30:", len(run.history["loss"]) < 30)

# %% [markdown]
# The network of the last section went through all 60 epochs. Compare the two on the test images.

# %%
early, late = (np.mean(classes(network, x_test) == y_test) for network in (model, memoriser))
print("test accuracy at least 0.03 above that of 60 epochs:", early > late + 0.03)

# %% tags=["proof"]
assert len(run.history["loss"]) < 30 and early > late + 0.03

# %% [markdown]
# Stopping keeps what the late epochs destroy. The test images took no part in the decision; the
# validation images did, so they can no longer tell how good the result is.

# %% [markdown]
# ### Exercise 5.8 — Early stopping as a constraint (d2l 5.5.2)
# *1 point · ★☆☆ · 2 min · stuck? run `hint("5.8")`*
#
# Why is early stopping called a [regularization](../chapters/glossary.md#regularization) technique?
#
# - **a** It adds a term to the loss.
# - **b** It removes weights that are not needed.
# - **c** It limits how far the weights can move from their start, and so which functions are within
#   reach.
# - **d** It also trains on the validation examples.

# %%
### BEGIN SOLUTION
choice_5_8 = "c"
### STUB
# choice_5_8 = None
### END SOLUTION

# %%
check("5.8", choice_5_8)

# %% [markdown]
# ### Exercise 5.9 — Why early stopping regularises (d2l 5.5.2)
# *2 points · ★★☆ · 8 min · stuck? run `hint("5.9")`*
#
# Explain in three or four sentences why stopping early acts like a penalty, although the loss does
# not change. Use what you saw about clean and flipped labels.

# %% [markdown] tags=["answer"]
# **Answer 5.9.** A fixed number of steps of bounded size keeps the weights within a
# certain distance of their start, as weight decay keeps them near zero; functions that need larger
# weights cannot be reached in time. Which functions are reached first is not arbitrary: patterns
# that many examples share give gradients that add up, so they are fitted in the first epochs, while
# single exceptions, such as the flipped labels, take many epochs. A stop in between keeps the
# patterns and leaves out most of the exceptions: a little more bias, much less variance. For linear
# regression by gradient descent this can be written down: after $T$ steps of size $\eta$, the
# direction with eigenvalue $s$ is fitted by the share $1 - (1 - \eta s)^T$, which behaves much like
# the share $s / (s + \lambda)$ of an l2 penalty with $\lambda = 1 / (\eta T)$.

# %% tags=["proof"]
eigenvalues, steps = np.geomspace(1e-4, 1, 50), 100
by_stopping = 1 - (1 - 0.1 * eigenvalues) ** steps
by_penalty = eigenvalues / (eigenvalues + 1 / (0.1 * steps))
assert np.abs(by_stopping - by_penalty).max() < 0.22
assert np.corrcoef(by_stopping, by_penalty)[0, 1] > 0.98

# %% [markdown]
# ### Exercise 5.10 — The stopping criterion (d2l 5.5.3)
# *1 point · ★☆☆ · 2 min · stuck? run `hint("5.10")`*
#
# How is the moment to stop usually determined?
#
# - **a** By the error on held-out validation examples after each epoch: stop when it has not
#   improved by some amount for some number of epochs.
# - **b** By the training loss: stop when it no longer falls.
# - **c** By the test error: stop when it is lowest.
# - **d** By a number of epochs that is known to suit networks of this size.

# %%
### BEGIN SOLUTION
choice_5_10 = "a"
### STUB
# choice_5_10 = None
### END SOLUTION

# %%
check("5.10", choice_5_10)

# %% [markdown]
# ### Exercise 5.11 — An early-stopping rule (d2l 5.5.3)
# *3 points · ★★☆ · 20 min · stuck? run `hint("5.11")`*
#
# **Given** a list of validation losses, one an epoch, epochs counted from 0; `patience`, at least
# 1; and `min_delta`, at least 0.
#
# **Write** `early_stop(losses, patience, min_delta=0.0)`, the rule (5.5.7), without Keras. It
# returns the last epoch that runs, which is the last of the list if the rule never stops, and the
# best epoch: the one of the last improvement. The first epoch is always an improvement. An empty
# list is a `ValueError`.
#
# **Shapes** a list of numbers in; two integers out, `(last_epoch, best_epoch)`.
#
# **Done when** it agrees with the rule on lists with plateaus, late improvements and small steps.

# %%
def early_stop(losses, patience, min_delta=0.0):
    """Return the epoch at which training stops and the best epoch before it."""
    ### BEGIN SOLUTION
    if len(losses) == 0:
        raise ValueError("early_stop got no losses; give it one for each epoch.")
    best, best_epoch = losses[0], 0
    for epoch, loss in enumerate(losses):
        if loss < best - min_delta:
            best, best_epoch = loss, epoch
        elif epoch - best_epoch >= patience:
            return epoch, best_epoch
    return len(losses) - 1, best_epoch
    ### END SOLUTION

# %%
check("5.11", early_stop)

# %% tags=["proof"]
by_keras = len(run.history["loss"]) - 1, stop.best_epoch
assert early_stop(noisy_run.history["val_loss"], 5) == by_keras

# %% [markdown]
# ### Exercise 5.12 — When early stopping pays (d2l 5.5.4)
# *1 point · ★☆☆ · 2 min · stuck? run `hint("5.12")`*
#
# What mainly decides whether early stopping improves generalization much or hardly at all?
#
# - **a** The number of classes.
# - **b** Whether training runs on a CPU or on a GPU.
# - **c** The width of the hidden layer.
# - **d** Whether the labels are noisy, or the classes cleanly separable.

# %%
### BEGIN SOLUTION
choice_5_12 = "d"
### STUB
# choice_5_12 = None
### END SOLUTION

# %%
check("5.12", choice_5_12)

# %% [markdown]
# ### Exercise 5.13 — Label noise and early stopping (d2l 5.5.4)
# *3 points · ★★☆ · 20 min · stuck? run `hint("5.13")`*
#
# **Given** `x_train`, `y_train`, `x_valid`, `y_valid`, `flip_labels`, `new_model`. One run of 60
# epochs at batch size 50 takes about two seconds.
#
# **Write** `noise_curves`, a dict with the keys `"clean"` (no label flipped) and `"noisy"` (40 %
# flipped). Each holds the validation accuracy after each epoch, for two seeds or more and 60 epochs
# or more, until the noise is memorised. Only training labels are flipped. Then compare the best
# with the last epoch.
#
# **Shapes** (seeds, epochs) each.
#
# **Done when** your noisy runs lose clearly more between the best and the last epoch than the clean
# ones.

# %%
### BEGIN SOLUTION
noise_curves = {"clean": [], "noisy": []}
for name, share in (("clean", 0.0), ("noisy", 0.4)):
    for seed in (1, 2):
        y, _ = flip_labels(y_train, share, seed)
        run = training.fit(new_model(seed), x_train, y, epochs=60, batch_size=50, seed=seed,
                           validation_data=(x_valid, y_valid))
        noise_curves[name].append(run.history["val_accuracy"])
plotting.lines(range(1, 61), {name: np.mean(rows, axis=0) for name, rows in noise_curves.items()},
               spread={name: np.ptp(rows, axis=0) / 2 for name, rows in noise_curves.items()},
               xlabel="epoch", ylabel="validation accuracy (2 seeds)")
### STUB
# noise_curves = None
### END SOLUTION

# %%
check("5.13", noise_curves)

# %% [markdown]
# ### Exercise 5.14 — Another benefit (d2l 5.5.5)
# *1 point · ★☆☆ · 2 min · stuck? run `hint("5.14")`*
#
# What does early stopping give you even where the labels are clean?
#
# - **a** More examples to train on.
# - **b** Less time and energy spent on training.
# - **c** Freedom from choosing a learning rate.
# - **d** A smaller network.

# %%
### BEGIN SOLUTION
choice_5_14 = "b"
### STUB
# choice_5_14 = None
### END SOLUTION

# %%
check("5.14", choice_5_14)

# %% [markdown]
# ### Exercise 5.15 — Time saved (d2l 5.5.5)
# *2 points · ★☆☆ · 15 min · stuck? run `hint("5.15")`*
#
# **Given** the clean labels `y_train`, the validation images, and the callback of the lesson with a
# patience of 5. Two runs of at most 60 epochs take about four seconds.
#
# **Write** `time_saved`, a dict with the entries
#
# - `"full"`: a run of 60 epochs without the callback, as a dict with `"epochs"` (epochs that ran),
#   `"seconds"` (wall clock, by `time.perf_counter()`) and `"accuracy"` (on the test images);
# - `"stopped"`: the same for a run with the callback, from the same initial weights;
# - `"saved"`: the share of epochs that did not have to run, between 0 and 1.
#
# **Shapes** numbers.
#
# **Done when** the stopped run is shorter, about as good, and the share is right.

# %%
### BEGIN SOLUTION
time_saved = {}
for name in ("full", "stopped"):
    stop = keras.callbacks.EarlyStopping("val_loss", patience=5, restore_best_weights=True)
    model, start = new_model(), time.perf_counter()
    run = training.fit(model, x_train, y_train, epochs=60, batch_size=50, seed=0,
                       validation_data=(x_valid, y_valid),
                       callbacks=[stop] if name == "stopped" else [])
    time_saved[name] = {"epochs": len(run.history["loss"]), "seconds": time.perf_counter() - start,
                        "accuracy": np.mean(classes(model, x_test) == y_test)}
time_saved["saved"] = 1 - time_saved["stopped"]["epochs"] / time_saved["full"]["epochs"]
### STUB
# time_saved = None
### END SOLUTION

# %%
check("5.15", time_saved)

# %% [markdown]
# ## Weight decay and the lasso
#
# The older way to regularise, [regularization](../chapters/glossary.md#regularization) by a penalty
# on the weights, adds one of
#
# $$\tfrac{\lambda}{2}\lVert\mathbf{w}\rVert_2^2 = \tfrac{\lambda}{2}\sum_i w_i^2\tag{5.5.8}$$
#
# $$\lambda\lVert\mathbf{w}\rVert_1 = \lambda\sum_i \lvert w_i\rvert\tag{5.5.9}$$
#
# to the loss. The first, l2, is called [weight decay](../chapters/glossary.md#weight-decay): its
# gradient shrinks each weight in proportion. The second, l1, is the
# [lasso](../chapters/glossary.md#lasso): it pulls every weight by the same amount, so small ones
# end at exactly zero. Fit 20 coefficients, of which only three matter, to 50 noisy examples.

# %%
rng = np.random.default_rng(0)
true_w = np.r_[3.0, -2.0, 1.5, np.zeros(17)]
A = rng.normal(size=(50, 20))
b = A @ true_w + 0.5 * rng.normal(size=50)
found = {"least squares": np.linalg.lstsq(A, b)[0],
         "l2": np.linalg.solve(A.T @ A / 50 + 0.3 * np.eye(20), A.T @ b / 50)}

# %% [markdown]
# The lasso has no closed form. Each round takes a gradient step on the error, and then a step of
# equal size towards zero for all weights.

# %%
w = np.zeros(20)
for _ in range(500):
    moved = w - 0.1 * A.T @ (A @ w - b) / 50
    w = np.sign(moved) * np.maximum(abs(moved) - 0.1 * 0.3, 0)
found["l1"] = w

# %%
_, axes = plt.subplots(1, 3, figsize=(8, 2.6), sharey=True)
for axis, (name, w) in zip(axes, found.items(), strict=True):
    axis.bar(range(1, 21), w)
    axis.set(title=f"{name}: {np.sum(w == 0)} exact zeros", xlabel="coefficient")
axes[0].set_ylabel("value")
plt.show()

# %% tags=["proof"]
assert [np.sum(w == 0) for w in found.values()][:2] == [0, 0] and np.sum(found["l1"] == 0) >= 14
assert np.linalg.norm(found["l2"]) < np.linalg.norm(found["least squares"])
shrunk = [np.abs(found[name][:3]) < np.abs(found["least squares"][:3]) for name in ("l2", "l1")]
assert np.all(shrunk) and np.all(found["l1"][:3] != 0)

# %% [markdown]
# Least squares gives every useless feature a little weight. With the l2 penalty the weights are
# smaller as a whole, and none is zero. The l1 penalty keeps the three that matter, a little too
# small, and drops nearly all others.

# %% [markdown]
# ### Exercise 5.16 — Penalties and their gradients
# *2 points · ★☆☆ · 15 min · stuck? run `hint("5.16")`*
#
# **Given** an array `weights` of any shape, and `strength` $\lambda > 0$.
#
# **Write** `l2_penalty(weights, strength)` by (5.5.8) and `l1_penalty(weights, strength)` by (5.5.9).
# Each returns the penalty and its gradient with respect to the weights. $\lvert w\rvert$ has no
# derivative at 0; take 0 there.
#
# **Shapes** a pair out: one number, and an array of the shape of `weights`.
#
# **Done when** values and gradients are right, for weights of exactly 0, too.

# %%
def l2_penalty(weights, strength):
    """Return half of strength times the sum of squares, and its gradient."""
    ### BEGIN SOLUTION
    return strength / 2 * np.sum(weights**2), strength * weights
    ### END SOLUTION


def l1_penalty(weights, strength):
    """Return strength times the sum of absolute values, and its gradient."""
    ### BEGIN SOLUTION
    return strength * np.sum(np.abs(weights)), strength * np.sign(weights)
    ### END SOLUTION

# %%
check("5.16", l2_penalty, l1_penalty)

# %% [markdown]
# ## Penalties in Keras
#
# In Keras a penalty belongs to a layer, and `model.losses` holds what the layers add to the loss.
# Mind the convention: `keras.regularizers.L2(s)` adds $s \sum_i w_i^2$ without the half, so $s =
# \lambda / 2$.

# %%
def penalised_model(penalty):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([
        keras.Input((784,)),
        keras.layers.Dense(256, activation="relu", kernel_regularizer=penalty),
        keras.layers.Dense(10, kernel_regularizer=penalty),
    ])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=keras.optimizers.Adam(1e-3), loss=loss, metrics=["accuracy"])
    return model

# %%
model = penalised_model(keras.regularizers.L2(0.05))
by_hand = [0.1 / 2 * np.sum(layer.kernel.numpy() ** 2) for layer in model.layers]
print("Keras adds the l2 penalty with strength 0.1:", np.allclose(by_hand, model.losses))

# %% tags=["proof"]
assert np.allclose(by_hand, model.losses)
kernel = model.layers[1].kernel.numpy()
assert np.allclose(l2_penalty(kernel, 0.1)[0], keras.regularizers.L2(0.05)(kernel))
assert np.allclose(l1_penalty(kernel, 0.1)[0], keras.regularizers.L1(0.1)(kernel))

# %% [markdown]
# Both layers add what formula (5.5.8) says. Biases are left out, as is usual.

# %% [markdown]
# ## Penalties alone do not stop memorising
#
# For a linear model the penalty decides how complex the solution may be. Is it the same for a
# network? Train on random labels again, with the strengths that are usual in deep learning, and
# with one that is a hundred times larger.

# %%
penalties = {"l2, 0.0001": keras.regularizers.L2(1e-4), "l1, 0.00001": keras.regularizers.L1(1e-5),
             "l2, 0.01": keras.regularizers.L2(1e-2)}
penalised = {}
for name, penalty in penalties.items():
    model = penalised_model(penalty)
    run = training.fit(model, x_train, y_random, epochs=60, batch_size=50, seed=0)
    penalised[name] = run.history["accuracy"]
    print(f"{name:12} memorises 95 % of the random labels: {max(penalised[name]) > 0.95}")
plotting.lines(range(1, 61), penalised, xlabel="epoch", ylabel="training accuracy")

# %% tags=["proof"]
final = {name: max(accuracies) for name, accuracies in penalised.items()}
slower = training.fit(
    penalised_model(penalties["l2, 0.01"]), x_train, y_train, epochs=30, batch_size=50, seed=0
).history["accuracy"]
assert slower[-1] < runs["true labels"].history["accuracy"][29] - 0.01
assert final["l2, 0.0001"] > 0.99 and final["l1, 0.00001"] > 0.99 and final["l2, 0.01"] < 0.95

# %% [markdown]
# With the usual strengths the network memorises as if there were no penalty. The strong one slows
# it down, and it slows the learning of true labels, too. Where penalties help networks, they do so
# less by forbidding complex solutions than by steering the training, often together with early
# stopping. The next chapter adds [dropout](06_dropout.ipynb), which disturbs memorising itself.

# %% [markdown]
# ## Recap
#
# - The generalization gap is what counts. A training error of zero says nothing about it: networks
#   fit random labels, too, and nearest neighbours reach zero without training.
# - No learner is good in every world. What a network prefers comes from the data, the architecture
#   and gradient descent, which picks one of many interpolating solutions.
# - The test error peaks where parameters and examples are equally many, and falls again beyond.
# - A very wide network follows its tangent kernel, a nonparametric method.
# - Clean labels are fitted before noisy ones, so stopping early pays where labels are noisy; where
#   they are clean it saves time.
# - Usual penalties do not keep a network from interpolating.

# %% tags=["nbval-ignore-output"]
progress("generalization")

# %% [markdown]
# ## Terms
#
# [Bayes error](../chapters/glossary.md#bayes-error) ·
# [consistency](../chapters/glossary.md#consistency) ·
# [double descent](../chapters/glossary.md#double-descent) ·
# [early stopping](../chapters/glossary.md#early-stopping) ·
# [generalization error](../chapters/glossary.md#generalization-error) ·
# [generalization gap](../chapters/glossary.md#generalization-gap) ·
# [implicit bias](../chapters/glossary.md#implicit-bias) ·
# [inductive bias](../chapters/glossary.md#inductive-bias) ·
# [interpolation](../chapters/glossary.md#interpolation) ·
# [interpolation threshold](../chapters/glossary.md#interpolation-threshold) ·
# [k-nearest neighbours](../chapters/glossary.md#k-nearest-neighbours) ·
# [label noise](../chapters/glossary.md#label-noise) ·
# [lasso](../chapters/glossary.md#lasso) ·
# [minimum-norm solution](../chapters/glossary.md#minimum-norm-solution) ·
# [neural tangent kernel](../chapters/glossary.md#neural-tangent-kernel) ·
# [no free lunch theorem](../chapters/glossary.md#no-free-lunch-theorem) ·
# [nonparametric model](../chapters/glossary.md#nonparametric-model) ·
# [overfitting](../chapters/glossary.md#overfitting) ·
# [parametric model](../chapters/glossary.md#parametric-model) ·
# [patience](../chapters/glossary.md#patience) ·
# [random features](../chapters/glossary.md#random-features) ·
# [regularization](../chapters/glossary.md#regularization) ·
# [weight decay](../chapters/glossary.md#weight-decay)
#
# ## Sources
#
# - Zhang, Lipton, Li, Smola, *Dive into Deep Learning*, [section
#   5.5](https://d2l.ai/chapter_multilayer-perceptrons/generalization-deep.html), CC BY-SA 4.0:
#   exercises 5.3 to 5.5.5. The formulas, (5.5.1) to (5.5.9), are numbered by this page.
# - Wolpert, "The lack of a priori distinctions between learning algorithms", *Neural Computation* 8,
#   1996.
# - Wolpert and Macready, "No free lunch theorems for optimization", *IEEE Transactions on
#   Evolutionary Computation* 1, 1997.
# - Zhang, Bengio, Hardt, Recht, Vinyals, ["Understanding deep learning requires rethinking
#   generalization"](https://arxiv.org/abs/1611.03530), *ICLR* 2017.
# - Belkin, Hsu, Ma, Mandal, ["Reconciling modern machine-learning practice and the classical
#   bias-variance trade-off"](https://arxiv.org/abs/1812.11118), *PNAS* 116, 2019.
# - Cover and Hart, "Nearest neighbor pattern classification", *IEEE Transactions on Information
#   Theory* 13, 1967.
# - Jacot, Gabriel, Hongler, ["Neural tangent kernel"](https://arxiv.org/abs/1806.07572), *NeurIPS*
#   2018.
# - Rolnick, Veit, Belongie, Shavit, ["Deep learning is robust to massive label
#   noise"](https://arxiv.org/abs/1705.10694), 2017.
