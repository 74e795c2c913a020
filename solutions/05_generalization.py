# %% [markdown]
# # 5. Generalization in deep learning
#
# *After [d2l 5.5](https://d2l.ai/chapter_multilayer-perceptrons/generalization-deep.html), in TensorFlow and Keras 3.*
#
# | To read | To run, CPU | To run, GPU | Difficulty | Exercises | Last run with |
# | --- | --- | --- | --- | --- | --- |
# | 60 min | 70 s on 2 cores | not measured | ★★☆ | 16, 33 points | TensorFlow 2.21, Keras 3.15 |

# %% [markdown]
# ## What you will learn
#
# - **Measure** a generalization gap, and show that a network can memorise random labels.
# - **Draw** a double-descent curve and explain the place of its peak.
# - **Compare** networks with two nonparametric relatives, nearest neighbours and the tangent
#   kernel.
# - **Stop** training early by a rule with patience, and say when that pays.
# - **Compute** l2 and l1 penalties, and show that they alone do not prevent memorising.
#
# ## Before you start
#
# You need least squares from [chapter 1](01_perceptrons.ipynb), the MLP of [chapter
# 2](02_multilayer_perceptrons.ipynb), and gradients as in [chapter 3](03_backpropagation.ipynb).

# %% [markdown]
# ## Setup
#
# The page trains many small networks, so it uses few images: 1,000 to train on, 1,000 for
# validation, 2,000 for the final test. The numbers in the text come from the real images; with the
# offline stand-in, yours will differ a little.
#
# Answer a multiple-choice question with its letter in quotes, for example `"a"`.

# %% tags=["nbval-ignore-output"]
from helpers import check, data, hint, models, plotting, progress, solution, training

import itertools

import ipywidgets
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
# standard deviation of the *training* pixels, because validation and test images take the place of
# images that nobody has seen yet.

# %%
pixels = fashion.train_images[:2000].reshape(2000, 784).astype("float32")
mean, spread = pixels[:1000].mean(), pixels[:1000].std()
x_train, x_valid = np.split((pixels - mean) / spread, 2)
y_train, y_valid = np.split(fashion.train_labels[:2000], 2)
x_test = (fashion.test_images[:2000].reshape(2000, 784).astype("float32") - mean) / spread
y_test = fashion.test_labels[:2000]
print(x_train.shape, x_valid.shape, x_test.shape)

# %% [markdown]
# The network of this page is 784-256-10 with ReLU. It is trained with Adam, a form of gradient
# descent that adapts the step size for each weight. A different seed gives different initial
# weights.

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
# There are about 200 parameters for each training image.

# %% [markdown]
# ## The generalization gap
#
# The goal is a small error on new examples, the [generalization
# error](../chapters/glossary.md#generalization-error) $R[f]$. Training makes the error on the
# training examples small, $R_\text{emp}[f]$. The difference is the [generalization
# gap](../chapters/glossary.md#generalization-gap):
#
# $$\text{gap} = R[f] - R_\text{emp}[f].\tag{5.5.1}$$
#
# $R[f]$ is an average over all examples that could ever come, so it can only be estimated, from
# examples that had no part in training.
#
# Predict before you run the cell: where will the two curves be after 40 epochs?

# %%
first_model = new_model()
first_run = training.fit(
    first_model, x_train, y_train, epochs=40, batch_size=50, seed=0,
    validation_data=(x_valid, y_valid),
)
plotting.histories({"": first_run}, "accuracy")

# %% [markdown]
# The training curve rises to 1.0; the validation curve is flat after a few epochs. How large is the
# gap on the test images, which no curve has used?

# %% tags=["nbval-ignore-output"]
def classes(model, x):
    return model(x).numpy().argmax(axis=1)

train_accuracy = np.mean(classes(first_model, x_train) == y_train)
test_accuracy = np.mean(classes(first_model, x_test) == y_test)
print(f"accuracy: {train_accuracy:.3f} in training, {test_accuracy:.3f} on test images")
print(f"generalization gap: {train_accuracy - test_accuracy:.3f}")

# %% tags=["proof"]
assert train_accuracy > 0.99 and 0.10 < train_accuracy - test_accuracy < 0.30
assert np.ptp(first_run.history["val_accuracy"][10:]) < 0.06

# %% [markdown]
# The network is wrong on more than one in ten images that it has not seen. A model that improves on
# the training examples but not on others, or gets worse on those, is
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
# one number per degree, in the order of `degrees`.
#
# **Done when** both arrays are right for noisy points and degrees 0 to 5 in any order.

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
# of this page asks which preferences networks have.

# %% [markdown]
# ## Networks fit random labels
#
# The labels in the next run make no sense: each image gets one of the ten at random. There is
# nothing to learn, so a network that fits them has memorised them. Zhang et al. (2017) showed this
# for large networks on CIFAR-10 and ImageNet.
#
# Predict first: which training accuracy will the network reach on random labels, and will it take
# more epochs?

# %% tags=["nbval-ignore-output"]
y_random = np.random.default_rng(0).integers(0, 10, size=1000)
runs, trained = {}, {}
for name, labels in (("true labels", y_train), ("random labels", y_random)):
    trained[name] = new_model()
    runs[name] = training.fit(trained[name], x_train, labels, epochs=60, batch_size=50, seed=0)
    fitted = np.mean(classes(trained[name], x_train) == labels)
    tested = np.mean(classes(trained[name], x_test) == y_test)
    print(f"{name:14} training accuracy {fitted:.3f}   test accuracy {tested:.3f}")

# %%
curves = {name: run.history["accuracy"] for name, run in runs.items()}
plotting.lines(range(1, 61), curves, xlabel="epoch", ylabel="training accuracy")

# %% tags=["proof"]
assert np.mean(classes(trained["true labels"], x_train) == y_train) > 0.99 and fitted > 0.99
assert test_accuracy > 0.7 and tested < 0.2
after_ten = [runs[name].history["accuracy"][10] for name in runs]
assert after_ten[0] > after_ten[1] + 0.2

# %% [markdown]
# Random labels take longer to fit, but in the end the network fits them as well as the true ones.
# On new images, the second network is only guessing. Both have the same number of weights and a
# training error of almost zero; only one generalises.

# %% [markdown]
# ## Measures of complexity
#
# Classical theory measures how rich a model class is. The [VC
# dimension](../chapters/glossary.md#vc-dimension) is the largest number of points that the class
# can label in all possible ways. The [Rademacher
# complexity](../chapters/glossary.md#rademacher-complexity) measures how well, on average, the
# class fits labels $+1$ and $-1$ drawn at random: 0 for a single function, 1 for a class that fits
# everything. A small measure guarantees a small gap. The cell estimates the Rademacher complexity
# of polynomials on 20 points, by least squares.

# %%
rng = np.random.default_rng(0)
points_20, signs = np.linspace(-1, 1, 20), rng.choice([-1, 1], size=(20, 1000))
for degree in (0, 1, 4, 9, 19):
    basis, _ = np.linalg.qr(np.vander(points_20, degree + 1))
    agreement = np.mean(signs * np.sign(basis @ (basis.T @ signs) + 1e-9))
    print(f"degree {degree:2}: agreement with random signs {agreement:.2f}")

# %% tags=["proof"]
assert agreement == 1.0

# %% [markdown]
# Degree 19 fits every labelling of 20 points, so its complexity is 1, and the guarantee says
# nothing. The network above is in the same position: it fits random labels of all its training
# images.

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
# choice_5_2 = None  # a letter in quotes
### END SOLUTION

# %%
check("5.2", choice_5_2)

# %% [markdown]
# ### Exercise 5.3 — Random labels (d2l 5.5.1)
# *3 points · ★★☆ · 20 min · stuck? run `hint("5.3")`*
#
# Turn the lesson into a measurement: replace a share of the labels by random ones, and train a new
# network.
#
# **Given** `new_model`, `classes`, `training.fit`; a `share` between 0 and 1, a `seed`, training images
# `x` with labels `y`, and test images `x_test` with `y_test`.
#
# **Write** `random_label_run(share, seed, x, y, x_test, y_test)`. It replaces the label of each
# training image with probability `share` by one of the ten classes, drawn at random, trains
# `new_model(seed)` for 60 epochs at batch size 50, and returns a dict:
#
# - `"model"`: the trained network;
# - `"curve"`: the training accuracy after each epoch, as in the history;
# - `"train_accuracy"`: the accuracy at the end on the labels it was trained on;
# - `"test_accuracy"`: the accuracy at the end on the test images and their labels.
#
# **Shapes** `"curve"` has 60 numbers; the accuracies are fractions between 0 and 1.
#
# **Done when** the numbers belong to the model, for images that the check draws. Each run begins with a
# new network, and the seed decides all random draws: the labels, the initial weights and the order of
# the images.

# %%
def random_label_run(share, seed, x, y, x_test, y_test):
    """Train on labels of which a share is random; return the model and its accuracies."""
    ### BEGIN SOLUTION
    rng = np.random.default_rng(seed)
    replaced = rng.random(len(y)) < share
    labels = np.where(replaced, rng.integers(0, 10, size=len(y)), y)
    model = new_model(seed)
    run = training.fit(model, x, labels, epochs=60, batch_size=50, seed=seed)
    return {
        "model": model,
        "curve": run.history["accuracy"],
        "train_accuracy": np.mean(classes(model, x) == labels),
        "test_accuracy": np.mean(classes(model, x_test) == y_test),
    }
    ### END SOLUTION

# %%
check("5.3", random_label_run)

# %% [markdown]
# Now run it for the shares 0, 0.5 and 1 on this page's images. Predict first: what happens to the test
# accuracy, and to the epoch in which the training accuracy passes 0.99?

# %% tags=["nbval-ignore-output"]
### BEGIN SOLUTION
by_share = {share: random_label_run(share, 1, x_train, y_train, x_test, y_test)
            for share in (0.0, 0.5, 1.0)}
for share, result in by_share.items():
    above = np.array(result["curve"]) > 0.99
    print(f"share {share}: training {result['train_accuracy']:.3f}, test "
          f"{result['test_accuracy']:.3f}, above 0.99 in epoch {above.argmax() + 1}")
### STUB
# # Call random_label_run three times and print its accuracies.
### END SOLUTION

# %% tags=["proof"]
share_tests = [result["test_accuracy"] for result in by_share.values()]
assert share_tests[0] > share_tests[1] + 0.1 > share_tests[2] + 0.3
assert min(result["train_accuracy"] for result in by_share.values()) > 0.99

# %% [markdown]
# ### Exercise 5.4 — Complexity and the two runs (d2l 5.5.1)
# *2 points · ★★☆ · 8 min · stuck? run `hint("5.4")`*
#
# d2l asks: in what sense can traditional complexity-based measures fail to account for the
# generalization of deep networks? Answer with your numbers from exercise 5.3.

# %% [markdown] tags=["answer"]
# **Answer 5.4.** Such a measure depends on the model class and on the number of examples.
# Both are equal in all three runs: the same 203,530 parameters, the same 1,000 images. The run with
# share 1 shows that this class fits any labels, with a gap of about 0.9. A bound that holds for the
# whole class must allow this gap, so it allows it for the true labels as well, where the gap is only
# about 0.2. It cannot tell the runs apart. They differ in the data (true labels have structure), in
# the number of epochs that gradient descent needs, and in the solution that it finds (true labels
# need a smaller change of the weights). An explanation of generalization has to look at these, not
# only at the size of the class.

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
# A model [interpolates](../chapters/glossary.md#interpolation) if its training error is zero. With
# more parameters than examples, infinitely many solutions do so. The smallest one is the
# [minimum-norm solution](../chapters/glossary.md#minimum-norm-solution),
#
# $$\mathbf{c}_\text{min} = \mathbf{A}^{+}\mathbf{y}, \qquad
# \mathbf{A}^{+} = \mathbf{A}^\top(\mathbf{A}\mathbf{A}^\top)^{-1}.\tag{5.5.2}$$
#
# $\mathbf{A}^{+}$ is the [pseudo-inverse](../chapters/glossary.md#pseudo-inverse), `np.linalg.pinv`:
# $\mathbf{A}\mathbf{A}^{+}$ is the identity, so $\mathbf{A}\mathbf{c}_\text{min} = \mathbf{y}$. Adding
# any vector that $\mathbf{A}$ maps to zero gives another solution. Gradient descent from zero finds one
# of them. Which one?

# %%
rng = np.random.default_rng(0)
A, answers = rng.normal(size=(20, 50)), rng.normal(size=20)  # 20 examples, 50 parameters
smallest = np.linalg.pinv(A) @ answers
invisible = (np.eye(50) - np.linalg.pinv(A) @ A) @ rng.normal(size=50)  # A @ invisible is 0
descended = np.zeros(50)
for _ in range(2000):
    descended -= 0.01 * A.T @ (A @ descended - answers)

solutions = {"minimum norm": smallest, "another": smallest + invisible, "descent": descended}
for name, c in solutions.items():
    error, away = np.abs(A @ c - answers).max(), np.linalg.norm(c - smallest)
    print(f"{name:12} error {error:.3f}   norm {np.linalg.norm(c):.3f}   distance {away:.3f}")

# %% tags=["proof"]
assert np.allclose(descended, smallest)
assert np.linalg.norm(smallest + invisible) > 2 * np.linalg.norm(descended)
assert np.allclose((np.eye(50) - np.linalg.pinv(A) @ A) @ descended, 0)

# %% [markdown]
# All three fit the 20 examples. Gradient descent ends in the smallest solution, because each step is a
# combination of the examples. This is an [implicit bias](../chapters/glossary.md#implicit-bias): the
# optimizer, not the model class, decides which interpolating solution is found.

# %% [markdown]
# ## Double descent
#
# Now let the number of parameters grow past the number of examples. The model is linear in $m$
# [random features](../chapters/glossary.md#random-features), a hidden layer whose weights
# $\mathbf{V}$ are drawn once and never trained:
#
# $$\boldsymbol{\phi}(\mathbf{x}) = \max(0, \mathbf{x}\mathbf{V}) / \sqrt{m}.\tag{5.5.3}$$
#
# The last layer is solved by least squares, with minimum norm where there is a choice. One
# repetition draws 100 noisy training examples and tries thirteen widths.
#
# Predict first: at which width will the test error be largest?

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

# %% tags=["nbval-ignore-output"]
repetitions = np.array([repetition(np.random.default_rng(seed)) for seed in range(5)])
print("width     " + "".join(f"{width:9}" for width in widths[::2]))
for name, row in zip(("training", "test", "norm"), np.median(repetitions, axis=0)):
    print(f"{name:10}" + "".join(f"{value:9.2g}" for value in row[::2]))

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

# %% [markdown]
# The training curve ends where its error becomes zero. The test curve peaks there. At the threshold
# exactly one solution fits, and it has to follow all of the noise, so its coefficients are huge.
# Beyond it, many solutions fit: the norm of the smallest one falls, and the test error falls with
# it, to below that of the best narrow model. This is [double
# descent](../chapters/glossary.md#double-descent) (Belkin et al., 2019).

# %% [markdown]
# ### Exercise 5.5 — A double-descent curve on images
# *3 points · ★★☆ · 25 min · stuck? run `hint("5.5")`*
#
# **Given** `random_features`; a matrix `V` of shape (d, width) for it; training images `x` of shape
# (n, d) with `labels`, and test images `x_test` with `test_labels`, all in float64. Labels are
# classes from 0 to 9.
#
# **Write** `feature_errors(V, x, labels, x_test, test_labels)`: solve the last layer on the training
# images by least squares with minimum norm, without any penalty, for one-hot targets
# `np.eye(10)[labels]`, and return the training error and the test error: mean squared errors over all
# images and all ten outputs.
#
# **Shapes** two numbers out.
#
# **Done when** both errors are right below and beyond the threshold. Beyond it, the training error is
# zero up to rounding (below $10^{-18}$).

# %%
def feature_errors(V, x, labels, x_test, test_labels):
    """Return the training and test error of least squares on random features."""
    ### BEGIN SOLUTION
    c = np.linalg.lstsq(random_features(x, V), np.eye(10)[labels])[0]
    training_error = np.mean((random_features(x, V) @ c - np.eye(10)[labels]) ** 2)
    test_error = np.mean((random_features(x_test, V) @ c - np.eye(10)[test_labels]) ** 2)
    return training_error, test_error
    ### END SOLUTION

# %%
check("5.5", feature_errors)

# %% [markdown]
# Draw the curve for the first 200 training images. Where do you expect its peak?

# %%
### BEGIN SOLUTION
rng = np.random.default_rng(3)
x_few, x_many = x_train[:200].astype(float), x_test.astype(float)
image_widths = [20, 50, 100, 150, 180, 200, 220, 250, 300, 500, 1000, 2000]
image_errors = np.array([
    feature_errors(rng.normal(size=(784, width)), x_few, y_train[:200], x_many, y_test)
    for width in image_widths
])
on_few = np.where(image_errors[:, 0] > 1e-6, image_errors[:, 0], np.nan)
plotting.lines(image_widths, {"test": image_errors[:, 1], "training": on_few},
               marks={"200 images": 200}, marker=True, xscale="log", yscale="log",
               xlabel="number of features", ylabel="mean squared error")
### STUB
# # Call feature_errors for widths from 20 to 2,000 and draw both errors.
### END SOLUTION

# %% tags=["proof"]
assert image_widths[image_errors[:, 1].argmax()] == 200
assert image_errors[-1, 1] < 0.1 < image_errors[:, 1].max() / 3
assert image_errors[-1, 1] < 1.1 * image_errors[:5, 1].min()

# %% [markdown]
# ## Parametric and nonparametric
#
# A [parametric model](../chapters/glossary.md#parametric-model) has a number of parameters fixed in
# advance; after training, it does not need the examples any more. A [nonparametric
# model](../chapters/glossary.md#nonparametric-model) grows with the data, for example by keeping
# all of it. This is how many numbers each must store for $n$ images.

# %%
print("images   network 784-256-10   all images (nearest neighbour)")
for n in (100, 1_000, 10_000, 60_000):
    print(f"{n:6,} {new_model().count_params():20,} {784 * n:32,}")

# %% [markdown]
# A network is parametric by this count. By its behaviour it is in between: it can memorise every
# example, as the random labels showed. The next sections therefore compare it with two nonparametric
# methods that interpolate.

# %% [markdown]
# ## The nearest neighbour
#
# Nothing is trained in [k-nearest neighbours](../chapters/glossary.md#k-nearest-neighbours): keep
# the examples; for a new input, find the $k$ that are closest to it and let them vote,
#
# $$\hat{y}(\mathbf{x}) = \operatorname{majority}\{y_i : i \in N_k(\mathbf{x})\}.\tag{5.5.4}$$
#
# With $k = 1$ each training example is its own nearest neighbour, at distance 0. The choice of the
# distance, the *metric*, is the inductive bias of this method: it says which images count as alike.
# The cell tries three on the same images: the Euclidean distance, the largest difference in any
# pixel, and the Euclidean distance after each pixel is divided by its standard deviation.

# %% tags=["nbval-ignore-output"]
def nearest_labels(x, y, queries, order=2):
    return np.array([y[np.linalg.norm(x - q, order, axis=1).argmin()] for q in queries])

pixel_scale = x_train.std(axis=0) + 0.01
for name, scale, order in (("Euclidean", 1, 2), ("largest difference", 1, np.inf),
                           ("pixels rescaled", pixel_scale, 2)):
    new_labels = nearest_labels(x_train / scale, y_train, x_valid[:300] / scale, order)
    print(f"{name:20} validation error {np.mean(new_labels != y_valid[:300]):.3f}")
on_training = nearest_labels(x_train, y_train, x_train[:300])
on_validation = nearest_labels(x_train, y_train, x_valid[:300])
print(f"{'Euclidean':20} training error   {np.mean(on_training != y_train[:300]):.3f}")

# %% tags=["proof"]
assert np.array_equal(on_training, y_train[:300])
assert 0.15 < np.mean(on_validation != y_valid[:300]) < 0.40
by_largest = nearest_labels(x_train, y_train, x_valid[:300], np.inf)
assert np.mean(by_largest != y_valid[:300]) > np.mean(on_validation != y_valid[:300]) + 0.05

# %% [markdown]
# The training error is zero without any training and says nothing about new images. All three methods
# interpolate, and the metric decides how well they generalise.

# %% [markdown]
# ## Consistency
#
# Where labels are random, no rule is perfect. The best possible error is the [Bayes
# error](../chapters/glossary.md#bayes-error) $r^*$. A method is
# [consistent](../chapters/glossary.md#consistency) if its error approaches $r^*$ as $n$ grows.
#
# Here $x$ is a number, and its label is the likely one with probability 0.8, so $r^* = 0.2$. One
# neighbour errs if exactly one of the two labels, its own and the new one, is unlikely: $2 \cdot 0.8
# \cdot 0.2 = 0.32$, at most twice $r^*$ (Cover and Hart, 1967). How do $k = \sqrt{n}$ neighbours
# compare?

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
               xlabel="training examples n", ylabel="fraction of wrong answers")

# %% tags=["proof"]
assert abs(wrong["one neighbour"][-1] - 0.32) < 0.04
assert abs(wrong["√n neighbours"][-1] - 0.20) < 0.04 and wrong["√n neighbours"][0] > 0.25

# %% [markdown]
# One neighbour stays near 0.32, however many examples it has. If the number of neighbours grows,
# but more slowly than $n$, the error approaches the Bayes error as closely as 2,000 test points can
# show: the method is consistent, with almost no assumptions.

# %% [markdown]
# ### Exercise 5.6 — k nearest neighbours
# *3 points · ★★☆ · 20 min · stuck? run `hint("5.6")`*
#
# **Given** training examples `train_x` of shape (n, d), float or uint8, with labels `train_y`,
# integers from 0 for any number of classes; queries `x` of shape (q, d); and `k`.
#
# **Write** `knn_predict(train_x, train_y, x, k)`, by Euclidean distance and majority vote. Where
# several labels have the most votes, the smallest of these labels wins, in whatever order they come. A
# loop over the queries is allowed; one matrix of all distances is faster.
#
# **Shapes** integer labels of shape (q,) out.
#
# **Done when** it agrees with a search by hand for several $k$, with ties, and for images in uint8.

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
# A *kernel* $K(\mathbf{x}, \mathbf{x}')$ is a number that says how alike two inputs are. A kernel method
# predicts by comparing a new input with the training inputs, as neighbours do: $f(\mathbf{x}) = \sum_i
# c_i K(\mathbf{x}, \mathbf{x}_i)$. Each network has a kernel of its own (Jacot et al., 2018): two inputs
# are alike if one gradient step moves their outputs together. That is the [neural tangent
# kernel](../chapters/glossary.md#neural-tangent-kernel) (NTK),
#
# $$K(\mathbf{x}, \mathbf{x}') = \sum_p \frac{\partial f(\mathbf{x})}{\partial \theta_p}
# \frac{\partial f(\mathbf{x}')}{\partial \theta_p}.\tag{5.5.5}$$
#
# The network below has one hidden layer of ReLUs. `jacobian` returns the matrix $\mathbf{J}$ of all
# these derivatives by the chain rule: one row per input, one column per parameter.

# %%
def output(W, a, X):
    return np.maximum(X @ W, 0) @ a / np.sqrt(a.size)

def jacobian(W, a, X):
    by_W = X[:, :, None] * ((X @ W > 0) * a)[:, None, :]  # x_i a_j where unit j is on
    by_a = np.maximum(X @ W, 0)
    return np.hstack([by_W.reshape(len(X), -1), by_a]) / np.sqrt(a.size)

four_x = np.array([[-1.5, 1], [-0.5, 1], [0.5, 1], [1.5, 1]])  # one input and a constant 1
four_y = np.array([0.5, -1.0, 1.0, -0.5])
rng = np.random.default_rng(0)
first_W, first_a = rng.normal(size=(2, 3000)), rng.normal(size=3000)
kernel = jacobian(first_W, first_a, four_x) @ jacobian(first_W, first_a, four_x).T
print(np.round(kernel, 1))

# %% tags=["proof"]
assert np.allclose(kernel, kernel.T) and np.linalg.eigvalsh(kernel).min() > 0
assert kernel[0, 1] > kernel[0, 3] and kernel[3, 2] > kernel[3, 0]

# %% [markdown]
# The table is symmetric, and nearby inputs have larger entries than distant ones. No label went
# into it.
#
# Close to the start $\boldsymbol{\theta}_0$ the network is nearly linear in its parameters, $f(\mathbf{x})
# \approx f_0(\mathbf{x}) + \mathbf{J}(\mathbf{x})(\boldsymbol{\theta} - \boldsymbol{\theta}_0)$. Gradient
# descent on a linear model takes the smallest step that fits, formula (5.5.2) with
# $\mathbf{A} = \mathbf{J}(\mathbf{X})$. Since $\mathbf{J}\mathbf{J}^\top = K$, it ends in
#
# $$f_\infty(\mathbf{x}) = f_0(\mathbf{x}) + K(\mathbf{x}, \mathbf{X})\,
# K(\mathbf{X}, \mathbf{X})^{-1} (\mathbf{y} - f_0(\mathbf{X})).\tag{5.5.6}$$
#
# The wider the layer, the less each weight moves, and the better this holds.

# %%
line = np.stack([np.linspace(-2, 2, 81), np.ones(81)], axis=1)

def train_and_predict(width, seed):
    rng = np.random.default_rng(seed)
    W, a = rng.normal(size=(2, width)), rng.normal(size=width)
    J = jacobian(W, a, four_x)
    weights = np.linalg.solve(J @ J.T, four_y - output(W, a, four_x))
    by_kernel = output(W, a, line) + jacobian(W, a, line) @ J.T @ weights
    for _ in range(1000):
        step = 0.1 * jacobian(W, a, four_x).T @ (output(W, a, four_x) - four_y)
        W, a = W - step[: 2 * width].reshape(2, width), a - step[2 * width :]
    return output(W, a, line), by_kernel

pairs = {width: [train_and_predict(width, seed) for seed in range(5)] for width in (30, 300, 3000)}
for width, both in pairs.items():
    apart = np.median([np.abs(f - k).max() for f, k in both])
    print(f"width {width:4}: largest distance {apart:.2f} (median of 5 seeds)")

# %%
figure, panels = plt.subplots(1, 2, figsize=(7, 3.4), sharey=True)
for panel, width in zip(panels, (30, 3000), strict=True):
    network, by_kernel = pairs[width][0]
    panel.plot(line[:, 0], network, "-", label="network")
    panel.plot(line[:, 0], by_kernel, "--", label="its kernel")
    panel.plot(four_x[:, 0], four_y, "ko", label="training examples")
    panel.set(xlabel="x", title=f"width {width}")
panels[0].set_ylabel("output")
figure.legend(*panel.get_legend_handles_labels(), loc="outside lower center", ncols=3)
plt.show()

# %% tags=["proof"]
narrow, wide = (
    [np.abs(np.subtract(*pair)).max() for pair in pairs[width]] for width in (30, 3000)
)
assert np.median(narrow) > 3 * np.median(wide) and np.median(wide) < 0.25 and narrow[0] > 0.5

# %% [markdown]
# With 30 units the trained network does not follow its kernel. With 3,000 units the two curves almost
# agree. So a very wide network, for all its parameters, behaves like a nonparametric method: it
# compares a new input with the training inputs.

# %% [markdown]
# ### Exercise 5.7 — The empirical neural tangent kernel
# *3 points · ★★★ · 25 min · stuck? run `hint("5.7")`*
#
# **Given** a Keras `model` with one output, and inputs `first` of shape (n, d) and `second` of shape
# (m, d), float32.
#
# **Write** `empirical_ntk(model, first, second)`, formula (5.5.5) for all pairs, using the
# derivatives with respect to all trainable variables of the model, for example from
# `tf.GradientTape`.
#
# **Shapes** an array or tensor of shape (n, m) out.
#
# **Done when** it agrees with derivatives worked out by hand for networks with one and two hidden
# layers of tanh units.

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
keras_network.set_weights([first_W, first_a[:, None]])
assert np.allclose(
    empirical_ntk(keras_network, four_x.astype("float32"), four_x.astype("float32")) / 3000,
    kernel, rtol=1e-3, atol=1e-3)

# %% [markdown]
# ## Clean labels are fitted before noisy ones
#
# Real labels contain errors, [label noise](../chapters/glossary.md#label-noise). A network can
# memorise them, but it learns what many examples share before it learns the exceptions (Rolnick et
# al., 2017).
#
# `flip_labels` gives a fraction of the examples a wrong label and says which.

# %%
def flip_labels(y, share, seed):
    rng = np.random.default_rng(seed)
    flipped = rng.random(len(y)) < share
    wrong_labels = (y + rng.integers(1, 10, size=len(y))) % 10
    return np.where(flipped, wrong_labels, y), flipped

y_noisy, flipped = flip_labels(y_train, 0.4, seed=0)
print(flipped.sum(), "of", len(y_train), "labels flipped")

# %% [markdown]
# During training, a callback records the class that the network predicts for each training image
# after each epoch. Predict first: will it learn the wrong labels as fast as the true ones?

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
# Three fractions: clean examples that get their label; flipped examples that get the *wrong* label they
# were given; and flipped examples that get their *true* label, which the network never saw.

# %% tags=["nbval-ignore-output"]
clean = (given == y_noisy)[:, ~flipped].mean(axis=1)
memorised = (given == y_noisy)[:, flipped].mean(axis=1)
corrected = (given == y_train)[:, flipped].mean(axis=1)
plotting.lines(range(1, 61), {"clean, fitted": clean, "flipped, memorised": memorised,
               "flipped, true label": corrected}, xlabel="epoch", ylabel="fraction of examples")
for epoch in (1, 3, 10, 60):
    print(f"epoch {epoch:2}: clean {clean[epoch - 1]:.2f}, memorised {memorised[epoch - 1]:.2f}, "
          f"true label {corrected[epoch - 1]:.2f}")

# %% tags=["proof"]
assert clean[2] > 0.7 and memorised[2] < 0.3 and corrected[2] > 0.5
assert clean[-1] > 0.95 and memorised[-1] > 0.95 and corrected[-1] < 0.1
assert np.all(clean[:30] > memorised[:30])

# %% [markdown]
# In the first epochs the network gives most flipped examples their true label, not the label that
# it was trained on. Then it learns the wrong labels, too, and at the end it repeats nearly all of
# them.
#
# Garg et al. (2021) turn this order into a *guarantee*: add examples with random labels to the training
# set. If the network fits the clean part well and the random part badly, its error on new data is
# provably small, because a network that memorises would fit both. The bound needs no measure of
# complexity, only the two training errors, here those at epoch 3.

# %% [markdown]
# ## Early stopping
#
# The network is at its best for only a few epochs. [Early
# stopping](../chapters/glossary.md#early-stopping) ends training there. The rule watches the
# validation loss $L_t$ after each epoch $t$. An epoch counts as an improvement if
#
# $$L_t < L_\text{best} - \delta,\tag{5.5.7}$$
#
# with `min_delta` $\delta \ge 0$. Training stops after as many epochs in a row without improvement
# as the [patience](../chapters/glossary.md#patience) allows. Patience keeps one unlucky epoch from
# ending training. In Keras the rule is a callback, and it can restore the best weights.

# %% tags=["nbval-ignore-output"]
stop = keras.callbacks.EarlyStopping(
    monitor="val_loss", patience=5, min_delta=0.0, restore_best_weights=True
)
stopped_model = new_model()
stopped = training.fit(stopped_model, x_train, y_noisy, epochs=60, batch_size=50, seed=0,
                       validation_data=(x_valid, y_valid), callbacks=[stop])
early, late = (np.mean(classes(model, x_test) == y_test) for model in (stopped_model, memoriser))
print(f"stopped after epoch {len(stopped.history['loss'])}: test accuracy {early:.3f}")
print(f"all 60 epochs: test accuracy {late:.3f}")

# %% tags=["proof"]
assert len(stopped.history["loss"]) < 30 and early > late + 0.03

# %% [markdown]
# Stopping keeps what the late epochs destroy. The validation images decided when to stop, so they can
# no longer tell how good the result is; the test images can.
#
# Move the slider to see which epoch each patience would have chosen on the run of 60 epochs.

# %% tags=["nbval-ignore-output"]
noisy_losses = noisy_run.history["val_loss"]

def show_patience(patience=5):
    best = last = 0
    while last < len(noisy_losses) - 1 and last - best < patience:
        last += 1
        best = last if noisy_losses[last] < noisy_losses[best] else best
    plotting.lines(range(1, 61), {"": noisy_losses}, xlabel="epoch", ylabel="validation loss",
                   marks={f"best: {best + 1}": best + 1, f"stop: {last + 1}": last + 1})

show_patience(5)
ipywidgets.interact(show_patience, patience=(1, 30));

# %% [markdown]
# With a patience of 1 a single unlucky epoch ends the training. A large patience costs epochs and,
# because the best weights are restored, little else.

# %% [markdown]
# ## The same question for a trained network
#
# Does the test error also peak when all layers are trained, at the width where the network begins
# to fit every label? Train 784-width-10 on 300 images, 30 % of them with a wrong label, for 150
# epochs. Predict the shape of both curves before you look.

# %% tags=["nbval-ignore-output"]
few_labels, _ = flip_labels(y_train[:300], 0.3, seed=0)
unit_counts, trained_errors = (2, 4, 8, 16, 64, 256), []
for units in unit_counts:
    small = models.mlp((units,), seed=0)
    small.compile(optimizer=keras.optimizers.Adam(2e-3), metrics=["accuracy"],
                  loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    training.fit(small, x_train[:300], few_labels, epochs=150, batch_size=50, seed=0)
    trained_errors.append((np.mean(classes(small, x_train[:300]) != few_labels),
                           np.mean(classes(small, x_test) != y_test)))
    print("{} units: training error {:.3f}, test error {:.3f}".format(units, *trained_errors[-1]))
on_noisy, on_new = np.transpose(trained_errors)
plotting.lines(unit_counts, {"training (noisy labels)": on_noisy, "test": on_new}, marker=True,
               xscale="log", xlabel="hidden units", ylabel="fraction of wrong answers")

# %% tags=["proof"]
assert on_noisy[0] > 0.1 > on_noisy[-3:].max() + 0.05
assert on_new[-1] < on_new[0] - 0.05 and on_new[-1] < on_new.min() + 0.03

# %% [markdown]
# From 16 units on, the network fits nearly every label, wrong ones included. According to the
# classical picture, the test error should rise there. It does not: the widest network is the best
# or close to it. A peak as sharp as that of the least-squares fit does not appear in this small
# experiment. Nakkiran et al. (2020) found one in larger networks with 10 to 20 % wrong labels, both
# over the width and over the number of epochs.

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
# choice_5_8 = None  # a letter in quotes
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
# weights cannot be reached in time. Patterns that many examples share give gradients that add up, so
# they are fitted in the first epochs, while single exceptions, such as the flipped labels, take many
# epochs. A stop in between keeps the patterns and leaves out most of the exceptions: a little more
# bias, much less variance. For linear
# regression by gradient descent this can be written down: after $T$ steps of size $\eta$, the
# direction with eigenvalue $s$ is fitted to the fraction $1 - (1 - \eta s)^T$, which is close to the
# fraction $s / (s + \lambda)$ of an l2 penalty with $\lambda = 1 / (\eta T)$.

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
# choice_5_10 = None  # a letter in quotes
### END SOLUTION

# %%
check("5.10", choice_5_10)

# %% [markdown]
# ### Exercise 5.11 — An early-stopping rule (d2l 5.5.3)
# *3 points · ★★☆ · 20 min · stuck? run `hint("5.11")`*
#
# **Given** a list of validation losses, one per epoch, epochs counted from 0; `patience`, at least
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
by_keras = len(stopped.history["loss"]) - 1, stop.best_epoch
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
# - **d** Whether the labels are noisy (wrong, or different for similar inputs) or determined by the
#   input.

# %%
### BEGIN SOLUTION
choice_5_12 = "d"
### STUB
# choice_5_12 = None  # a letter in quotes
### END SOLUTION

# %%
check("5.12", choice_5_12)

# %% [markdown]
# ### Exercise 5.13 — Label noise and early stopping (d2l 5.5.4)
# *3 points · ★★☆ · 20 min · stuck? run `hint("5.13")`*
#
# Cats and dogs are *separable*: a photograph determines the label, and training to the end does
# little harm. Whether a patient dies within a year *varies* between patients with the same record:
# fitting every label means fitting chance. Flipped labels imitate the second kind.
#
# **Given** `flip_labels`, `new_model`; a `share` of labels to flip, a `seed`, training images `x` with
# labels `y`, and validation images `x_valid` with `y_valid`.
#
# **Write** `noise_curve(share, seed, x, y, x_valid, y_valid)`. It flips that share of the training
# labels, trains `new_model(seed)` for 60 epochs at batch size 50, and returns the validation accuracy
# after each epoch. The validation labels stay true.
#
# **Shapes** 60 fractions between 0 and 1.
#
# **Done when** the curve belongs to the validation images, for images that the check draws and for
# several shares. Each run begins with a new network, and the seed decides all random draws: the flips,
# the initial weights and the order of the images.

# %%
def noise_curve(share, seed, x, y, x_valid, y_valid):
    """Return the validation accuracy after each epoch of training on flipped labels."""
    ### BEGIN SOLUTION
    labels, _ = flip_labels(y, share, seed)
    history = training.fit(new_model(seed), x, labels, epochs=60, batch_size=50, seed=seed,
                           validation_data=(x_valid, y_valid)).history
    return history["val_accuracy"]
    ### END SOLUTION

# %%
check("5.13", noise_curve)

# %% [markdown]
# Compare clean labels with 40 % flipped ones, two seeds each. How much is lost between the best and the
# last epoch? Predict both numbers.

# %% tags=["nbval-ignore-output"]
### BEGIN SOLUTION
noise_curves = {
    name: np.array([noise_curve(share, seed, x_train, y_train, x_valid, y_valid)
                    for seed in (1, 2)])
    for name, share in (("clean", 0.0), ("40 % flipped", 0.4))
}
plotting.lines(range(1, 61), {name: rows.mean(axis=0) for name, rows in noise_curves.items()},
               spread={name: np.ptp(rows, axis=0) / 2 for name, rows in noise_curves.items()},
               xlabel="epoch", ylabel="validation accuracy (2 seeds)")
lost = {name: rows.max(axis=1) - rows[:, -1] for name, rows in noise_curves.items()}
for name, values in lost.items():
    print(f"{name:13} best minus last: {values.mean():.3f} ± {values.std():.3f}")
### STUB
# # Draw the mean curve of two seeds for each share, and print best minus last.
### END SOLUTION

# %% tags=["proof"]
assert lost["40 % flipped"].mean() > max(0.04, 2 * lost["clean"].mean())

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
# choice_5_14 = None  # a letter in quotes
### END SOLUTION

# %%
check("5.14", choice_5_14)

# %% [markdown]
# ### Exercise 5.15 — Time saved (d2l 5.5.5)
# *2 points · ★☆☆ · 15 min · stuck? run `hint("5.15")`*
#
# **Given** `new_model`, the callback of the lesson, a `patience` and a `seed`, training images `x` with
# labels `y`, and validation images `x_valid` with `y_valid`.
#
# **Write** `stopped_run(patience, seed, x, y, x_valid, y_valid)`: train `new_model(seed)` at batch
# size 50 for at most 60 epochs, with early stopping on the validation loss and the best weights
# restored. Return a dict:
#
# - `"model"`: the trained network;
# - `"val_loss"`: the validation loss after each epoch that ran;
# - `"epochs"`: the number of epochs that ran;
# - `"saved"`: the fraction of the 60 epochs that did not have to run, between 0 and 1.
#
# **Shapes** one loss per epoch that ran; two numbers.
#
# **Done when** the run ends `patience` epochs after its best epoch, or after 60 epochs if the patience
# lasts that long, and the numbers belong to it. Each run begins with a new network.

# %%
def stopped_run(patience, seed, x, y, x_valid, y_valid):
    """Train with early stopping; return the model, its losses and the fraction saved."""
    ### BEGIN SOLUTION
    model = new_model(seed)
    stop = keras.callbacks.EarlyStopping("val_loss", patience=patience, restore_best_weights=True)
    losses = training.fit(model, x, y, epochs=60, batch_size=50, seed=seed, callbacks=[stop],
                          validation_data=(x_valid, y_valid)).history["val_loss"]
    saved = 1 - len(losses) / 60
    return {"model": model, "val_loss": losses, "epochs": len(losses), "saved": saved}
    ### END SOLUTION

# %%
check("5.15", stopped_run)

# %% [markdown]
# What does it save on the clean labels of this page, and what does it cost in accuracy?

# %% tags=["nbval-ignore-output"]
### BEGIN SOLUTION
short = stopped_run(5, 0, x_train, y_train, x_valid, y_valid)
short_accuracy = np.mean(classes(short["model"], x_test) == y_test)
full_accuracy = np.mean(classes(trained["true labels"], x_test) == y_test)
print(f"{short['epochs']} of 60 epochs, {short['saved']:.0%} saved")
print(f"test accuracy {short_accuracy:.3f}, after 60 epochs {full_accuracy:.3f}")
### STUB
# # Call stopped_run on this page's images and print what it saves.
### END SOLUTION

# %% tags=["proof"]
assert short["saved"] > 0.3 and short_accuracy > full_accuracy - 0.05

# %% [markdown]
# ## Weight decay and the lasso
#
# The older kind of [regularization](../chapters/glossary.md#regularization) is a penalty on the
# weights. It adds one of
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
features = rng.normal(size=(50, 20))
noisy_b = features @ true_w + 0.5 * rng.normal(size=50)
gram, moment = features.T @ features / 50, features.T @ noisy_b / 50
found = {"least squares": np.linalg.solve(gram, moment),
         "l2": np.linalg.solve(gram + 0.3 * np.eye(20), moment)}

# %% [markdown]
# The lasso has no closed form. Each round takes a gradient step on the error, and then a step of
# equal size towards zero for all weights.

# %%
lasso = np.zeros(20)
for _ in range(500):
    moved = lasso - 0.1 * (gram @ lasso - moment)
    lasso = np.sign(moved) * np.maximum(abs(moved) - 0.1 * 0.3, 0)
found["l1"] = lasso
for name, w in found.items():
    print(f"{name:13} norm {np.linalg.norm(w):.2f}, exact zeros {np.sum(w == 0):2}, "
          f"largest useless weight {np.abs(w[3:]).max():.2f}")

# %%
_, axes = plt.subplots(1, 3, figsize=(8, 2.6), sharey=True)
for axis, (name, w) in zip(axes, found.items(), strict=True):
    axis.bar(range(1, 21), w)
    axis.set(title=name, xlabel="coefficient")
axes[0].set_ylabel("value")
plt.show()

# %% tags=["proof"]
assert [np.sum(w == 0) for w in found.values()] == [0, 0, 17]
assert np.linalg.norm(found["l2"]) < np.linalg.norm(found["least squares"])
grown = np.abs(found["l2"][3:]) > np.abs(found["least squares"][3:])
assert 2 <= grown.sum() <= 12
shrunk = [np.abs(found[name][:3]) < np.abs(found["least squares"][:3]) for name in ("l2", "l1")]
assert np.all(shrunk) and np.all(found["l1"][:3] != 0)

# %% [markdown]
# Least squares gives every useless feature a little weight. The l2 penalty makes the norm smaller and
# shrinks the three weights that matter, but none is zero, and several useless ones even grow: they take
# over part of what the large ones lost. The l1 penalty keeps the three, a little too small, and drops
# all 17 others.

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
penalty_model = penalised_model(keras.regularizers.L2(0.05))
by_hand = [0.1 / 2 * np.sum(layer.kernel.numpy() ** 2) for layer in penalty_model.layers]
print("by (5.5.8):", np.round(by_hand, 2), "  by Keras:", np.round(penalty_model.losses, 2))

# %% tags=["proof"]
assert np.allclose(by_hand, penalty_model.losses)
one_kernel = penalty_model.layers[1].kernel.numpy()
assert np.allclose(l2_penalty(one_kernel, 0.1)[0], keras.regularizers.L2(0.05)(one_kernel))
assert np.allclose(l1_penalty(one_kernel, 0.1)[0], keras.regularizers.L1(0.1)(one_kernel))

# %% [markdown]
# Keras agrees with formula (5.5.8) for both layers. The biases are not penalised, as usual.

# %% [markdown]
# ## Penalties alone do not stop memorising
#
# For a linear model the penalty decides how complex the solution may be. Is it the same for a
# network? Train on random labels again, with the strengths that are usual in deep learning, and
# with one that is a hundred times larger. Which of them will still reach a training accuracy of 0.99?

# %% tags=["nbval-ignore-output"]
penalties = {"l2, 0.0001": keras.regularizers.L2(1e-4), "l1, 0.00001": keras.regularizers.L1(1e-5),
             "l2, 0.01": keras.regularizers.L2(1e-2)}
penalised = {}
for name, penalty in penalties.items():
    history = training.fit(penalised_model(penalty), x_train, y_random, epochs=60, batch_size=50,
                           seed=0).history
    penalised[name] = history["accuracy"]
    print(f"{name:12} training accuracy on random labels: {max(penalised[name]):.3f}")
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
# memorising, and it slows the learning of true labels, too. Penalties help networks mainly because they
# change the course of the training, often together with early stopping; they do not exclude complex
# solutions. The next chapter adds [dropout](06_dropout.ipynb), which disturbs memorising itself.

# %% [markdown]
# ## Recap
#
# - The generalization gap matters. A training error of zero says nothing about it: networks fit random
#   labels, too, and nearest neighbours reach zero without training.
# - Measures of the model class, such as the VC dimension and the Rademacher complexity, guarantee
#   nothing for a network that fits random labels.
# - No learner is good in every world. The preferences of a network come from the data, the
#   architecture and gradient descent, which finds one of many interpolating solutions.
# - The test error peaks where parameters and examples are equally many, and falls again beyond.
# - A very wide network follows its tangent kernel, a nonparametric method.
# - Clean labels are fitted before noisy ones. Stopping early improves the result where labels are noisy
#   or vary; where the image decides the label, it saves time.
# - The usual penalties do not keep a network from interpolating.

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
# [pseudo-inverse](../chapters/glossary.md#pseudo-inverse) ·
# [Rademacher complexity](../chapters/glossary.md#rademacher-complexity) ·
# [random features](../chapters/glossary.md#random-features) ·
# [regularization](../chapters/glossary.md#regularization) ·
# [VC dimension](../chapters/glossary.md#vc-dimension) ·
# [weight decay](../chapters/glossary.md#weight-decay)
#
# ## Sources
#
# - Zhang, Lipton, Li, Smola, *Dive into Deep Learning*, [section
#   5.5](https://d2l.ai/chapter_multilayer-perceptrons/generalization-deep.html), CC BY-SA 4.0:
#   its exercises 5.5.1 to 5.5.5. The formulas, (5.5.1) to (5.5.9), are numbered by this page.
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
# - Nakkiran, Kaplun, Bansal, Yang, Barak, Sutskever, ["Deep double
#   descent"](https://arxiv.org/abs/1912.02292), *ICLR* 2020.
# - Garg, Balakrishnan, Kolter, Lipton, ["RATT: leveraging unlabeled data to guarantee
#   generalization"](https://arxiv.org/abs/2105.00303), *ICML* 2021.
# - Rolnick, Veit, Belongie, Shavit, ["Deep learning is robust to massive label
#   noise"](https://arxiv.org/abs/1705.10694), 2017.
