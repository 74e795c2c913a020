# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

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

# %%
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

# %% [markdown]
# There are about 200 parameters for each training image.

# %% [markdown]
# ## The generalization gap
#
# The goal is a small error on new examples, the [generalization
# error](glossary.md#generalization-error) $R[f]$. Training makes the error on the
# training examples small, $R_\text{emp}[f]$. The difference is the [generalization
# gap](glossary.md#generalization-gap):
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

# %%
def classes(model, x):
    return model(x).numpy().argmax(axis=1)

train_accuracy = np.mean(classes(first_model, x_train) == y_train)
test_accuracy = np.mean(classes(first_model, x_test) == y_test)
print(f"accuracy: {train_accuracy:.3f} in training, {test_accuracy:.3f} on test images")
print(f"generalization gap: {train_accuracy - test_accuracy:.3f}")


# %% [markdown]
# The network is wrong on more than one in ten images that it has not seen. A model that improves on
# the training examples but not on others, or gets worse on those, is
# [overfitting](glossary.md#overfitting).

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
    raise NotImplementedError("Exercise 5.1")


# %%
check("5.1", polynomial_errors)

# %% [markdown]
# ## No free lunch
#
# Can a learner be good without assuming anything about the world? The [no free lunch
# theorem](glossary.md#no-free-lunch-theorem) says no: averaged over all ways in which
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

# %% [markdown]
# A sensible rule and its opposite do equally well. A learner generalises only where its
# preferences, its [inductive bias](glossary.md#inductive-bias), fit the world. The rest
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

# %%
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

# %% [markdown]
# Random labels take longer to fit, but in the end the network fits them as well as the true ones.
# On new images, the second network is only guessing. Both have the same number of weights and a
# training error of almost zero; only one generalises.

# %% [markdown]
# ## Measures of complexity
#
# Classical theory measures how rich a model class is. The [VC
# dimension](glossary.md#vc-dimension) is the largest number of points that the class
# can label in all possible ways. The [Rademacher
# complexity](glossary.md#rademacher-complexity) measures how well, on average, the
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
choice_5_2 = None  # a letter in quotes

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
    raise NotImplementedError("Exercise 5.3")


# %%
check("5.3", random_label_run)

# %% [markdown]
# Now run it for the shares 0, 0.5 and 1 on this page's images. Predict first: what happens to the test
# accuracy, and to the epoch in which the training accuracy passes 0.99?

# %%
# Call random_label_run three times and print its accuracies.

# %% [markdown]
# ### Exercise 5.4 — Complexity and the two runs (d2l 5.5.1)
# *2 points · ★★☆ · 8 min · stuck? run `hint("5.4")`*
#
# d2l asks: in what sense can traditional complexity-based measures fail to account for the
# generalization of deep networks? Answer with your numbers from exercise 5.3.

# %% [markdown]
# **Answer 5.4.** *Write your answer here.*

# %% [markdown]
# ## Interpolation
#
# A model [interpolates](glossary.md#interpolation) if its training error is zero. With
# more parameters than examples, infinitely many solutions do so. The smallest one is the
# [minimum-norm solution](glossary.md#minimum-norm-solution),
#
# $$\mathbf{c}_\text{min} = \mathbf{A}^{+}\mathbf{y}, \qquad
# \mathbf{A}^{+} = \mathbf{A}^\top(\mathbf{A}\mathbf{A}^\top)^{-1}.\tag{5.5.2}$$
#
# $\mathbf{A}^{+}$ is the [pseudo-inverse](glossary.md#pseudo-inverse), `np.linalg.pinv`:
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


# %% [markdown]
# All three fit the 20 examples. Gradient descent ends in the smallest solution, because each step is a
# combination of the examples. This is an [implicit bias](glossary.md#implicit-bias): the
# optimizer, not the model class, decides which interpolating solution is found.

# %% [markdown]
# ## Double descent
#
# Now let the number of parameters grow past the number of examples. The model is linear in $m$
# [random features](glossary.md#random-features), a hidden layer whose weights
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


# %%
repetitions = np.array([repetition(np.random.default_rng(seed)) for seed in range(5)])
print("width     " + "".join(f"{width:9}" for width in widths[::2]))
for name, row in zip(("training", "test", "norm"), np.median(repetitions, axis=0)):
    print(f"{name:10}" + "".join(f"{value:9.2g}" for value in row[::2]))

# %% [markdown]
# Draw the median of the five repetitions. The vertical line is the [interpolation
# threshold](glossary.md#interpolation-threshold): as many features as examples. A
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
# descent](glossary.md#double-descent) (Belkin et al., 2019).

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
    raise NotImplementedError("Exercise 5.5")


# %%
check("5.5", feature_errors)

# %% [markdown]
# Draw the curve for the first 200 training images. Where do you expect its peak?

# %%
# Call feature_errors for widths from 20 to 2,000 and draw both errors.

# %% [markdown]
# ## Parametric and nonparametric
#
# A [parametric model](glossary.md#parametric-model) has a number of parameters fixed in
# advance; after training, it does not need the examples any more. A [nonparametric
# model](glossary.md#nonparametric-model) grows with the data, for example by keeping
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
# Nothing is trained in [k-nearest neighbours](glossary.md#k-nearest-neighbours): keep
# the examples; for a new input, find the $k$ that are closest to it and let them vote,
#
# $$\hat{y}(\mathbf{x}) = \operatorname{majority}\{y_i : i \in N_k(\mathbf{x})\}.\tag{5.5.4}$$
#
# With $k = 1$ each training example is its own nearest neighbour, at distance 0. The choice of the
# distance, the *metric*, is the inductive bias of this method: it says which images count as alike.
# The cell tries three on the same images: the Euclidean distance, the largest difference in any
# pixel, and the Euclidean distance after each pixel is divided by its standard deviation.

# %%
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


# %% [markdown]
# The training error is zero without any training and says nothing about new images. All three methods
# interpolate, and the metric decides how well they generalise.

# %% [markdown]
# ## Consistency
#
# Where labels are random, no rule is perfect. The best possible error is the [Bayes
# error](glossary.md#bayes-error) $r^*$. A method is
# [consistent](glossary.md#consistency) if its error approaches $r^*$ as $n$ grows.
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
    raise NotImplementedError("Exercise 5.6")


# %%
check("5.6", knn_predict)


# %% [markdown]
# ## The neural tangent kernel
#
# A *kernel* $K(\mathbf{x}, \mathbf{x}')$ is a number that says how alike two inputs are. A kernel method
# predicts by comparing a new input with the training inputs, as neighbours do: $f(\mathbf{x}) = \sum_i
# c_i K(\mathbf{x}, \mathbf{x}_i)$. Each network has a kernel of its own (Jacot et al., 2018): two inputs
# are alike if one gradient step moves their outputs together. That is the [neural tangent
# kernel](glossary.md#neural-tangent-kernel) (NTK),
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
    raise NotImplementedError("Exercise 5.7")


# %%
check("5.7", empirical_ntk)


# %% [markdown]
# ## Clean labels are fitted before noisy ones
#
# Real labels contain errors, [label noise](glossary.md#label-noise). A network can
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

# %%
clean = (given == y_noisy)[:, ~flipped].mean(axis=1)
memorised = (given == y_noisy)[:, flipped].mean(axis=1)
corrected = (given == y_train)[:, flipped].mean(axis=1)
plotting.lines(range(1, 61), {"clean, fitted": clean, "flipped, memorised": memorised,
               "flipped, true label": corrected}, xlabel="epoch", ylabel="fraction of examples")
for epoch in (1, 3, 10, 60):
    print(f"epoch {epoch:2}: clean {clean[epoch - 1]:.2f}, memorised {memorised[epoch - 1]:.2f}, "
          f"true label {corrected[epoch - 1]:.2f}")

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
# stopping](glossary.md#early-stopping) ends training there. The rule watches the
# validation loss $L_t$ after each epoch $t$. An epoch counts as an improvement if
#
# $$L_t < L_\text{best} - \delta,\tag{5.5.7}$$
#
# with `min_delta` $\delta \ge 0$. Training stops after as many epochs in a row without improvement
# as the [patience](glossary.md#patience) allows. Patience keeps one unlucky epoch from
# ending training. In Keras the rule is a callback, and it can restore the best weights.

# %%
stop = keras.callbacks.EarlyStopping(
    monitor="val_loss", patience=5, min_delta=0.0, restore_best_weights=True
)
stopped_model = new_model()
stopped = training.fit(stopped_model, x_train, y_noisy, epochs=60, batch_size=50, seed=0,
                       validation_data=(x_valid, y_valid), callbacks=[stop])
early, late = (np.mean(classes(model, x_test) == y_test) for model in (stopped_model, memoriser))
print(f"stopped after epoch {len(stopped.history['loss'])}: test accuracy {early:.3f}")
print(f"all 60 epochs: test accuracy {late:.3f}")

# %% [markdown]
# Stopping keeps what the late epochs destroy. The validation images decided when to stop, so they can
# no longer tell how good the result is; the test images can.
#
# Move the slider to see which epoch each patience would have chosen on the run of 60 epochs.

# %%
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

# %%
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
# Why is early stopping called a [regularization](glossary.md#regularization) technique?
#
# - **a** It adds a term to the loss.
# - **b** It removes weights that are not needed.
# - **c** It limits how far the weights can move from their start, and so which functions are within
#   reach.
# - **d** It also trains on the validation examples.

# %%
choice_5_8 = None  # a letter in quotes

# %%
check("5.8", choice_5_8)

# %% [markdown]
# ### Exercise 5.9 — Why early stopping regularises (d2l 5.5.2)
# *2 points · ★★☆ · 8 min · stuck? run `hint("5.9")`*
#
# Explain in three or four sentences why stopping early acts like a penalty, although the loss does
# not change. Use what you saw about clean and flipped labels.

# %% [markdown]
# **Answer 5.9.** *Write your answer here.*

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
choice_5_10 = None  # a letter in quotes

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
    raise NotImplementedError("Exercise 5.11")


# %%
check("5.11", early_stop)

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
choice_5_12 = None  # a letter in quotes

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
    raise NotImplementedError("Exercise 5.13")


# %%
check("5.13", noise_curve)

# %% [markdown]
# Compare clean labels with 40 % flipped ones, two seeds each. How much is lost between the best and the
# last epoch? Predict both numbers.

# %%
# Draw the mean curve of two seeds for each share, and print best minus last.

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
choice_5_14 = None  # a letter in quotes

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
    raise NotImplementedError("Exercise 5.15")


# %%
check("5.15", stopped_run)

# %% [markdown]
# What does it save on the clean labels of this page, and what does it cost in accuracy?

# %%
# Call stopped_run on this page's images and print what it saves.

# %% [markdown]
# ## Weight decay and the lasso
#
# The older kind of [regularization](glossary.md#regularization) is a penalty on the
# weights. It adds one of
#
# $$\tfrac{\lambda}{2}\lVert\mathbf{w}\rVert_2^2 = \tfrac{\lambda}{2}\sum_i w_i^2\tag{5.5.8}$$
#
# $$\lambda\lVert\mathbf{w}\rVert_1 = \lambda\sum_i \lvert w_i\rvert\tag{5.5.9}$$
#
# to the loss. The first, l2, is called [weight decay](glossary.md#weight-decay): its
# gradient shrinks each weight in proportion. The second, l1, is the
# [lasso](glossary.md#lasso): it pulls every weight by the same amount, so small ones
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
    raise NotImplementedError("Exercise 5.16")


def l1_penalty(weights, strength):
    """Return strength times the sum of absolute values, and its gradient."""
    raise NotImplementedError("Exercise 5.16")


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

# %% [markdown]
# Keras agrees with formula (5.5.8) for both layers. The biases are not penalised, as usual.

# %% [markdown]
# ## Penalties alone do not stop memorising
#
# For a linear model the penalty decides how complex the solution may be. Is it the same for a
# network? Train on random labels again, with the strengths that are usual in deep learning, and
# with one that is a hundred times larger. Which of them will still reach a training accuracy of 0.99?

# %%
penalties = {"l2, 0.0001": keras.regularizers.L2(1e-4), "l1, 0.00001": keras.regularizers.L1(1e-5),
             "l2, 0.01": keras.regularizers.L2(1e-2)}
penalised = {}
for name, penalty in penalties.items():
    history = training.fit(penalised_model(penalty), x_train, y_random, epochs=60, batch_size=50,
                           seed=0).history
    penalised[name] = history["accuracy"]
    print(f"{name:12} training accuracy on random labels: {max(penalised[name]):.3f}")
plotting.lines(range(1, 61), penalised, xlabel="epoch", ylabel="training accuracy")

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

# %%
progress("generalization")

# %% [markdown]
# ## Terms
#
# [Bayes error](glossary.md#bayes-error) ·
# [consistency](glossary.md#consistency) ·
# [double descent](glossary.md#double-descent) ·
# [early stopping](glossary.md#early-stopping) ·
# [generalization error](glossary.md#generalization-error) ·
# [generalization gap](glossary.md#generalization-gap) ·
# [implicit bias](glossary.md#implicit-bias) ·
# [inductive bias](glossary.md#inductive-bias) ·
# [interpolation](glossary.md#interpolation) ·
# [interpolation threshold](glossary.md#interpolation-threshold) ·
# [k-nearest neighbours](glossary.md#k-nearest-neighbours) ·
# [label noise](glossary.md#label-noise) ·
# [lasso](glossary.md#lasso) ·
# [minimum-norm solution](glossary.md#minimum-norm-solution) ·
# [neural tangent kernel](glossary.md#neural-tangent-kernel) ·
# [no free lunch theorem](glossary.md#no-free-lunch-theorem) ·
# [nonparametric model](glossary.md#nonparametric-model) ·
# [overfitting](glossary.md#overfitting) ·
# [parametric model](glossary.md#parametric-model) ·
# [patience](glossary.md#patience) ·
# [pseudo-inverse](glossary.md#pseudo-inverse) ·
# [Rademacher complexity](glossary.md#rademacher-complexity) ·
# [random features](glossary.md#random-features) ·
# [regularization](glossary.md#regularization) ·
# [VC dimension](glossary.md#vc-dimension) ·
# [weight decay](glossary.md#weight-decay)
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
