# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 2. Multilayer perceptrons
#
# *After d2l [5.1](https://d2l.ai/chapter_multilayer-perceptrons/mlp.html) and [5.2](https://d2l.ai/chapter_multilayer-perceptrons/mlp-implementation.html), in TensorFlow and Keras 3.*
#
# | To read | To run, CPU | To run, GPU | Difficulty | Exercises | Last run with |
# | --- | --- | --- | --- | --- | --- |
# | 100 min | 180 s on 2 cores | not measured | ★★☆ | 27, 68 points | TensorFlow 2.21, Keras 3.15 |

# %% [markdown]
# ## What you will learn
#
# - **Show** why stacked layers without a nonlinearity are equivalent to one layer, and what a
#   nonlinearity adds.
# - **Compare** activation functions by their shapes and their derivatives.
# - **Write** a multilayer perceptron from TensorFlow variables, and the same one in Keras twice.
# - **Tell** eager from graph execution, and see which device does the work.
# - **Run** experiments on width, depth, learning rate and initialization that can be trusted.
#
# ## Before you start
#
# You need [chapter 1](01_perceptrons.ipynb) (neurons, XOR, gradient descent and cross-entropy) and
# matrix products. The experiments take a few seconds each; every prompt says how many. The printed
# numbers come from the real data; on the offline stand-ins they differ.

# %% [markdown]
# ## Setup
#
# This page adds TensorFlow. It first writes a network in TensorFlow's operations, then in Keras.

# %%
from helpers import check, data, hint, models, plotting, progress, solution, training

import itertools
import tempfile
import time

import ipywidgets
import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf

keras.utils.set_random_seed(2)
print(training.device())


# %% [markdown]
# ## How layers are counted
#
# A [multilayer perceptron](glossary.md#multilayer-perceptron) (MLP) passes its inputs
# through one or more [hidden layers](glossary.md#hidden-layer) to its outputs. The
# number of layers with weights is its [depth](glossary.md#depth); the inputs do not
# count, since they compute nothing. The number of units in a layer is the layer's
# [width](glossary.md#width). Every unit is connected to every unit of the layer before.

# %%
def draw_network(widths):
    axes = plt.subplots(figsize=(5.5, 2.8))[1]
    places = [[(layer, row - (n - 1) / 2) for row in range(n)] for layer, n in enumerate(widths)]
    for left, right in itertools.pairwise(places):
        for start, end in itertools.product(left, right):
            axes.plot(*zip(start, end), color="0.75", linestyle="-", linewidth=0.8, zorder=1)
    for layer in places:
        axes.scatter(*zip(*layer), s=160, edgecolor="black", zorder=2)
    axes.set_xticks(range(len(widths)), ["inputs", *["hidden"] * (len(widths) - 2), "outputs"])
    axes.set(yticks=[], title=f"depth {len(widths) - 1}")
    plt.show()

draw_network((4, 5, 3))
print("weights:", 4 * 5 + 5 * 3, " biases:", 5 + 3)


# %% [markdown]
# Two layers of arrows, so the depth is two: one hidden layer of width five and the output layer.
# Each arrow is a weight; each unit of a layer with weights has a bias as well.

# %% [markdown]
# ## Affine after affine is affine
#
# Put two linear layers on top of each other. The first maps a batch
# $\mathbf{X} \in \mathbb{R}^{n \times d}$ to $h$ numbers per row, the second maps those to $q$:
#
# $$\mathbf{H} = \mathbf{X}\mathbf{W}^{(1)} + \mathbf{b}^{(1)}, \qquad \mathbf{O} = \mathbf{H}\mathbf{W}^{(2)} + \mathbf{b}^{(2)}.\tag{5.1.1}$$
#
# Multiply out, and one layer is left:
#
# $$\mathbf{O} = \mathbf{X}\underbrace{\mathbf{W}^{(1)}\mathbf{W}^{(2)}}_{\mathbf{W}} + \underbrace{\mathbf{b}^{(1)}\mathbf{W}^{(2)} + \mathbf{b}^{(2)}}_{\mathbf{b}}.\tag{5.1.2}$$
#
# An [affine function](glossary.md#affine-function) keeps midpoints: the image of the
# middle of two points is the middle of their images. How far is the stack from doing so?

# %%
def linear_stack(X, W1, b1, W2, b2):
    return (X @ W1 + b1) @ W2 + b2

def midpoint_gap(function, a, b):
    return np.abs(function((a + b) / 2) - (function(a) + function(b)) / 2).max()


# %% [markdown]
# Four inputs, eight hidden units, three outputs, all weights random:

# %%
generator = np.random.default_rng(2)
stack_parts = [generator.normal(size=shape) for shape in ((4, 8), (8,), (8, 3), (3,))]
two_points = generator.normal(size=(2, 1, 4))
stack = lambda X: linear_stack(X, *stack_parts)
print(f"distance from the midpoint: {midpoint_gap(stack, *two_points):.0e}")


# %% [markdown]
# The distance is zero up to rounding: the stack of two behaves like one layer. In the first exercise
# you find that layer.

# %% [markdown]
# ### Exercise 2.1 — A stack of linear layers collapses (d2l 5.1.1)
# *2 points · ★☆☆ · 10 min · stuck? run `hint("2.1")`*
#
# **Given** the arrays of two linear layers, `W1`, `b1`, `W2`, `b2`.
#
# **Write** `collapse(W1, b1, W2, b2)`, which returns `W` and `b` of the single layer that gives the
# same outputs for every input.
#
# **Shapes** `W1` (d, h), `b1` (h,), `W2` (h, q), `b2` (q,); `W` (d, q), and `b` (q,) or one row
# (1, q).
#
# **Done when** $\mathbf{XW} + \mathbf{b}$ equals the stack's output for any `X`. By induction, no
# number of linear layers can do more than one.

# %%
def collapse(W1, b1, W2, b2):
    """Return W and b of the one layer that equals the two."""
    raise NotImplementedError("Exercise 2.1")


# %%
check("2.1", collapse)

# %% [markdown]
# ## Extra linear layers can lose information
#
# A linear layer in the middle never adds anything, and a narrow one removes something. The product
# of a $d \times h$ and an $h \times q$ matrix has a [rank](glossary.md#rank) of at most
# $h$: all inputs are pressed through $h$ numbers. The cell sends five features through two units
# and counts the independent directions that arrive.

# %%
direct = generator.normal(size=(5, 4))
through_two = generator.normal(size=(5, 2)) @ generator.normal(size=(2, 4))
for name, W in {"one layer": direct, "two layers, 2 units between": through_two}.items():
    print(f"{name:28} shape {W.shape}, rank {np.linalg.matrix_rank(W)}")

# %% [markdown]
# Five features go in and two independent directions arrive: the deeper network represents fewer
# functions.

# %% [markdown]
# ## The singular value decomposition
#
# How much is lost in a narrow layer? Every matrix is a sum of matrices of rank 1, ordered by size:
# the [singular value decomposition](glossary.md#singular-value-decomposition), or SVD,
#
# $$\mathbf{W} = \mathbf{U}\,\operatorname{diag}(s_1, s_2, \dots)\,\mathbf{V}^\top = s_1 \mathbf{u}_1 \mathbf{v}_1^\top + s_2 \mathbf{u}_2 \mathbf{v}_2^\top + \dots, \qquad s_1 \ge s_2 \ge \dots \ge 0.$$
#
# The columns $\mathbf{u}_i$ of $\mathbf{U}$ have length 1 and are at right angles to each other, and
# so are the $\mathbf{v}_i$. The size of a matrix is measured by its Frobenius norm, the root of the
# sum of its squared entries, which is also the root of $s_1^2 + s_2^2 + \dots$. Eckart and Young
# showed in 1936 that the first $k$ terms come closest to $\mathbf{W}$ among all matrices of rank $k$.

# %%
U, s, Vt = np.linalg.svd(direct, full_matrices=False)
print("singular values:", s.round(2))
for k in range(1, 5):
    first_terms = sum(s[i] * np.outer(U[:, i], Vt[i]) for i in range(k))
    gap = np.linalg.norm(direct - first_terms)
    print(f"{k} terms: distance {gap:.2f}, root of the remaining s² {np.sqrt((s[k:]**2).sum()):.2f}")


# %% [markdown]
# Each further term brings the sum closer; four terms give back the whole matrix, whose rank is
# four. The error is exactly what the dropped singular values predict.

# %% [markdown]
# ### Exercise 2.2 — A narrow layer loses rank (d2l 5.1.1)
# *2 points · ★★★ · 20 min · stuck? run `hint("2.2")`*
#
# **Given** the weights `W` of one linear layer, and a `width`.
#
# **Write** `squeeze(W, width)`, which returns `W1` and `W2` of two layers with `width` units
# between them, whose product is as close to `W` as it can be (least Frobenius norm of the
# difference). One of the two matrices takes the singular values.
#
# **Shapes** `W` (d, q); `W1` (d, width), `W2` (width, q); width ≤ min(d, q).
#
# **Done when** no other pair comes closer. For the identity of size 4 and width 2 that leaves an
# error of $\sqrt 2$: your example of a deeper linear network that can do less.

# %%
def squeeze(W, width):
    """Return W1 and W2 with `width` units between, their product as close to W as possible."""
    raise NotImplementedError("Exercise 2.2")


# %%
check("2.2", squeeze)


# %% [markdown]
# ## A nonlinearity stops the collapse
#
# Apply a function $\sigma$ to each entry of the hidden layer, and the brackets of (5.1.2) can no
# longer be multiplied out:
#
# $$\mathbf{H} = \sigma(\mathbf{X}\mathbf{W}^{(1)} + \mathbf{b}^{(1)}), \qquad \mathbf{O} = \mathbf{H}\mathbf{W}^{(2)} + \mathbf{b}^{(2)}.\tag{5.1.3}$$
#
# This is an MLP with one hidden layer; $\sigma$ is its [activation
# function](glossary.md#activation-function). Two hidden units with $\sigma(z) = \max(z,
# 0)$ already compute XOR, which no single neuron can.

# %%
def xor_mlp(X):
    H = np.maximum(X @ np.ones((2, 2)) + [0.0, -1.0], 0)  # at least one is on; both are on
    return H @ np.array([1.0, -2.0])

corners = np.array([[0, 0], [1, 0], [0, 1], [1, 1]])
print("XOR:", xor_mlp(corners))
print("distance from the midpoint:", midpoint_gap(xor_mlp, corners[0], corners[3]))


# %% [markdown]
# All four rows of XOR are right. Halfway between (0, 0) and (1, 1) the output is 1 away from the mean
# of the two ends: this network is not affine, so no single layer could replace it.

# %% [markdown]
# ## ReLU and pReLU
#
# The [rectified linear unit](glossary.md#relu), or ReLU, keeps positive numbers and
# drops the others:
#
# $$\operatorname{ReLU}(x) = \max(x, 0).\tag{5.1.4}$$
#
# Its derivative is 0 or 1, so a gradient passes unchanged or not at all. At $x = 0$ there is none;
# libraries return 0 there. The parametrised [pReLU](glossary.md#prelu) lets some of the
# negative side through, so that a unit that is off can still learn:
#
# $$\operatorname{pReLU}(x) = \max(0, x) + \alpha \min(0, x).\tag{5.1.5}$$

# %%
def slope_of(function):
    def slope(x):
        x = tf.constant(x)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = function(x)
        return tape.gradient(y, x)
    return slope


# %% [markdown]
# `slope_of` takes the derivative with a tape, which a later lesson explains. With it, function and
# slope are drawn side by side.

# %%
around_zero = np.linspace(-4, 4, 200)  # without 0, where there is no derivative
relu = tf.nn.relu
prelu = lambda x: tf.maximum(x, 0.0) + 0.25 * tf.minimum(x, 0.0)
plotting.functions(around_zero, {"ReLU": (relu, slope_of(relu)), "pReLU, α = 0.25": (prelu, slope_of(prelu))})


# %% [markdown]
# Left of zero ReLU is flat and its derivative is 0; pReLU keeps a small slope there. Networks used
# sigmoids until about 2010. ReLU replaced them in deep networks because its derivative is 1 on half
# of the line, so gradients survive many layers (Glorot, Bordes and Bengio, 2011), and because it
# costs one comparison.

# %% [markdown]
# ### Exercise 2.3 — The derivative of pReLU (d2l 5.1.2)
# *1 point · ★☆☆ · 5 min · stuck? run `hint("2.3")`*
#
# **Given** an array `x` without zeros, whose entries may be as close to zero as $10^{-9}$, and a
# number `alpha`.
#
# **Write** `prelu_derivative(x, alpha)`, the derivative of (5.1.5) at each entry.
#
# **Shapes** any shape in, the same shape out.
#
# **Done when** it holds for zero, small, large and negative `alpha`, and close to $x = 0$.

# %%
def prelu_derivative(x, alpha):
    """Return the derivative of pReLU at each entry of x."""
    raise NotImplementedError("Exercise 2.3")


# %%
check("2.3", prelu_derivative)

# %% [markdown]
# ## Sigmoid and tanh
#
# The [sigmoid](glossary.md#sigmoid) squashes any number into (0, 1),
# [tanh](glossary.md#tanh) into (−1, 1):
#
# $$\operatorname{sigmoid}(x) = \frac{1}{1 + \exp(-x)},\tag{5.1.6}$$
#
# $$\frac{d}{dx} \operatorname{sigmoid}(x) = \operatorname{sigmoid}(x)\,(1 - \operatorname{sigmoid}(x)),\tag{5.1.7}$$
#
# $$\operatorname{tanh}(x) = \frac{1 - \exp(-2x)}{1 + \exp(-2x)},\tag{5.1.8}$$
#
# $$\frac{d}{dx} \operatorname{tanh}(x) = 1 - \operatorname{tanh}^2(x).\tag{5.1.9}$$
#
# Both derivatives are largest at 0 and die out on both sides; there the unit is
# [saturated](glossary.md#saturation).

# %%
wide = np.linspace(-8, 8, 201)
pairs = {"sigmoid": (tf.sigmoid, slope_of(tf.sigmoid)), "tanh": (tf.tanh, slope_of(tf.tanh))}
plotting.functions(wide, pairs)
for name, (_, slope) in pairs.items():
    slopes = slope(wide).numpy()
    print(f"{name:8} largest slope {slopes.max():.2f}, slope at x = 8 {slopes[-1]:.0e}")

# %% [markdown]
# The sigmoid passes on at most a quarter of a gradient, tanh at best all of it. At $x = 8$ next to
# nothing is left of either.

# %% [markdown]
# ## GELU and Swish
#
# Newer activations are smooth relatives of ReLU. [GELU](glossary.md#gelu) weights $x$
# by the fraction of a standard normal distribution below it, $x\,\Phi(x)$;
# [Swish](glossary.md#swish) by a sigmoid, $x \operatorname{sigmoid}(\beta x)$. Both dip
# below zero before they vanish on the left, so they are not monotonic, and their derivatives
# slightly exceed 1 on the right.

# %%
middle = np.linspace(-6, 6, 601)
swish = lambda x: x * tf.sigmoid(x)
plotting.functions(middle, {"ReLU": (relu, slope_of(relu)), "GELU": (tf.nn.gelu, slope_of(tf.nn.gelu)),
                       "Swish, β = 1": (swish, slope_of(swish))})
for name, function in {"GELU": tf.nn.gelu, "Swish": swish}.items():
    values = function(middle).numpy()
    print(f"{name:5} lowest value {values.min():.2f} at x = {middle[values.argmin()]:.1f}")


# %% [markdown]
# On the far left all three are flat. GELU and Swish differ from ReLU only around zero, where they
# are smooth.

# %% [markdown]
# ### Exercise 2.4 — The derivative of Swish (d2l 5.1.3)
# *2 points · ★★☆ · 10 min · stuck? run `hint("2.4")`*
#
# **Given** an array `x` and a positive number `beta`.
#
# **Write** `swish_derivative(x, beta)`, the derivative of $x \operatorname{sigmoid}(\beta x)$ with
# respect to $x$.
#
# **Shapes** any shape in, the same shape out.
#
# **Done when** it is right for $|x|$ up to $10^6$ and $\beta$ from $10^{-4}$ to $10^6$, without NaN.
# Difference quotients are not accurate enough for that; a formula is.

# %%
def swish_derivative(x, beta):
    """Return the derivative of x * sigmoid(beta * x) at each entry of x."""
    raise NotImplementedError("Exercise 2.4")


# %%
check("2.4", swish_derivative)

# %% [markdown]
# ## A ReLU network is made of straight pieces
#
# Take one input and one output. Hidden unit $j$ computes $\max(w_j x + b_j, 0)$: a straight line
# that is cut off at one place. The output adds such lines, so it is a [piecewise linear
# function](glossary.md#piecewise-linear-function). It bends where units switch on or
# off, and nowhere else.

# %%
in_w, in_b = np.array([1.0, 1.0, -1.0, 1.0]), np.array([2.0, 0.0, -1.0, -2.0])
out_w = np.array([1.0, -2.0, 1.5, 2.0])

def relu_units(x):
    return np.maximum(np.outer(x, in_w) + in_b, 0) * out_w

line = np.linspace(-4, 4, 201)
units = {f"unit {j + 1}": relu_units(line)[:, j] for j in range(4)}
places = -in_b / in_w
figure, axes = plt.subplots(1, 2, figsize=(8, 3))
plotting.lines(line, units, xlabel="x", ylabel="output of a unit", ax=axes[0])
plotting.lines(line, {"": relu_units(line).sum(1)}, xlabel="x", ylabel="their sum", ax=axes[1])
axes[1].plot(places, relu_units(places).sum(1), "o")
plt.show()


# %% [markdown]
# On the left are the units, each times its output weight; on the right is their sum. The four dots
# are the places where a unit's $w_j x + b_j$ crosses zero, and there the sum bends.

# %% [markdown]
# ### Exercise 2.5 — The pieces of a ReLU network (d2l 5.1.4)
# *3 points · ★★★ · 25 min · stuck? run `hint("2.5")`*
#
# **Given** the weights of the network $f(x) = \sum_j w^{(2)}_j \max(w^{(1)}_j x + b^{(1)}_j, 0)$.
#
# **Write** `pieces(w1, b1, w2)`, which returns the places where $f$ bends, sorted and each once,
# and the slopes of its pieces from left to right.
#
# **Shapes** three arrays (h,) in; `breakpoints` (k,) and `slopes` (k + 1,) out, k ≤ h.
#
# **Done when** it is right for any number of units, even if some bend at the same place, and leaves
# out units that cannot bend anything because one of their weights is 0. At least one unit bends,
# and units that share a place do not cancel.

# %%
def pieces(w1, b1, w2):
    """Return the sorted breakpoints and the slopes of the pieces between them."""
    raise NotImplementedError("Exercise 2.5")


# %%
check("2.5", pieces)


# %% [markdown]
# ### Exercise 2.6 — Why every ReLU network is piecewise linear (d2l 5.1.4)
# *2 points · ★★☆ · 8 min · stuck? run `hint("2.6")`*
#
# Show that a network of any depth and any number of inputs, with only ReLU or pReLU as activations,
# is a continuous piecewise linear function (each piece affine) of its input.

# %% [markdown]
# **Answer 2.6.** *Write your answer here.*

# %% [markdown]
# ## Universal approximation
#
# Turn this around: choose the bends, and a hidden layer can follow any curve. Put one unit at each
# of $h$ equally spaced places, and let its output weight be the change of slope there. The network
# then interpolates the curve between those places.
#
# That is the idea of the [universal approximation
# theorem](glossary.md#universal-approximation-theorem): one hidden layer that is wide
# enough comes as close as you like to any continuous function on a closed, bounded interval. It says that
# the weights exist. It does not say that training finds them, nor that one wide layer is the
# cheapest way.

# %%
def build_network(curve, width, low=-3.0, high=3.0):
    """Return a one-hidden-layer ReLU network through the curve at width + 1 places."""
    places = np.linspace(low, high, width + 1)
    slopes = np.diff(curve(places)) / np.diff(places)
    w2 = np.diff(slopes, prepend=0.0)
    return lambda x: curve(low) + np.maximum(x[:, None] - places[:-1], 0) @ w2


# %% [markdown]
# No training here: the weights follow from the curve. Three widths for one curve:

# %%
curve = lambda x: np.sin(2 * x) + 0.3 * x
fine = np.linspace(-3, 3, 1201)
fits = {f"{width} units": build_network(curve, width)(fine) for width in (4, 8, 32)}
plotting.lines(fine, {"curve": curve(fine)} | fits, xlabel="x", ylabel="y")

# %% [markdown]
# Four units miss the shape, eight catch it roughly, and 32 follow it closely. Next, plot the
# largest error against the width. Predict: by what factor does it shrink when the width doubles?

# %%
widths = np.array([4, 8, 16, 32, 64, 128, 256])
errors = np.array([np.abs(build_network(curve, h)(fine) - curve(fine)).max() for h in widths])
square_law = errors[-1] * (256 / widths) ** 2
plotting.lines(widths, {"largest error": errors, "proportional to 1 / width²": square_law},
               xlabel="hidden units", ylabel="error", xscale="log", yscale="log")
print("64 -> 128 -> 256 units divide the error by", np.round(errors[-3:-1] / errors[-2:], 1))

# %% [markdown]
# On logarithmic axes a power is a straight line. Doubling the width divides the error by four.

# %% [markdown]
# ## A boundary that bends
#
# A trained network uses its hidden units in the same way: each contributes a line in the plane, and
# the decision boundary bends where it crosses one. The two classes are a ring and the disc inside
# it, which no straight line separates. Move the slider to train a network with another number of
# hidden units. Predict first: how many units does it take to close the boundary?

# %%
angle = generator.uniform(0, 2 * np.pi, size=300)
ring = np.arange(300) % 2
radius = generator.uniform(0, 1, size=300) + 1.3 * ring
ring_x = (radius * [np.cos(angle), np.sin(angle)]).T.astype("float32")

def show_boundary(hidden_units=3):
    ring_model = models.mlp((hidden_units,), 1, inputs=2, activation="tanh", seed=1)
    ring_model.compile("adam", keras.losses.BinaryCrossentropy(from_logits=True))
    ring_model.optimizer.learning_rate = 0.03
    training.fit(ring_model, ring_x, ring, epochs=150, batch_size=50, seed=1)
    predict = lambda X: (ring_model(X.astype("float32")).numpy()[:, 0] > 0).astype(int)
    plotting.decision_boundary(predict, ring_x, ring, title=f"hidden units: {hidden_units}")
    return np.mean(predict(ring_x) == ring)

bent = {units: show_boundary(units) for units in (1, 2, 4)}
print({units: round(float(share), 2) for units, share in bent.items()})

# %%
ipywidgets.interact_manual(show_boundary, hidden_units=(1, 8));


# %% [markdown]
# One unit gives one line, two give a strip or a wedge, and from three or four on the boundary closes
# around the disc. The printed numbers are the accuracies on the points drawn.

# %% [markdown]
# ### Exercise 2.7 — tanh from the sigmoid (d2l 5.1.5a)
# *1 point · ★☆☆ · 5 min · stuck? run `hint("2.7")`*
#
# **Given** a function `sigmoid` and an array `x`.
#
# **Write** `tanh_from_sigmoid(sigmoid, x)`, which returns $\tanh(x)$ and uses nothing but the given
# function and arithmetic. Derive the identity from (5.1.6) and (5.1.8): $\tanh(x) + 1 = 2
# \operatorname{sigmoid}(2x)$. The check also hands in a steeper sigmoid, $\operatorname{sigmoid}(k
# x)$; your result is then $\tanh(k x)$.
#
# **Shapes** any shape in, the same shape out.
#
# **Done when** the result comes from the function that was handed in, for any $k$.

# %%
def tanh_from_sigmoid(sigmoid, x):
    """Return tanh(x), computed with the given sigmoid."""
    raise NotImplementedError("Exercise 2.7")


# %%
check("2.7", tanh_from_sigmoid)


# %% [markdown]
# ### Exercise 2.8 — Any tanh network is a sigmoid network (d2l 5.1.5b)
# *3 points · ★★★ · 25 min · stuck? run `hint("2.8")`*
#
# **Given** `layers`, a list of pairs `(W, b)`: an MLP with tanh after every layer but the last.
#
# **Write** `tanh_to_sigmoid(layers)`, which returns a list of pairs of the same shapes, such that
# the MLP with sigmoid in the place of tanh has the same outputs.
#
# **Shapes** `W` (m, n), `b` (n,), as many pairs as layers.
#
# **Done when** outputs agree for any number of hidden layers, including none. Together with the
# converse, which is analogous, this proves that both activations give the same class of functions:
# the affine layers have biases that absorb the shift.

# %%
def tanh_to_sigmoid(layers):
    """Return the layers of the sigmoid network that equals the given tanh network."""
    raise NotImplementedError("Exercise 2.8")


# %%
check("2.8", tanh_to_sigmoid)

# %% [markdown]
# ## A nonlinearity that looks at the whole batch
#
# All activations so far act on one number at a time. [Batch
# normalization](glossary.md#batch-normalization) does not: while it trains, it
# subtracts from each column the mean over the [minibatch](glossary.md#minibatch) and
# divides by its standard deviation. So the output for a row depends on the other rows in its batch.
# The cell sends the same row through such a layer in two different batches.

# %%
one_row = np.array([[1.0, 2.0]], "float32")
crowds = {"zeros": np.zeros((3, 2), "float32"), "nines": np.full((3, 2), 9, "float32")}
beside = {}
for name, crowd in crowds.items():
    normalization = keras.layers.BatchNormalization(epsilon=1e-5)
    alone = normalization(one_row, training=False)[0].numpy().round(1)
    beside[name] = normalization(np.concatenate([one_row, crowd]), training=True)[0].numpy().round(1)
    print(f"row {one_row[0]} beside {name}: in training {beside[name]}, in prediction {alone}")

# %% [markdown]
# In training the same row comes out large beside zeros and small beside nines. For prediction Keras
# uses running averages instead, here still at their start, so each row is treated by itself.
#
# Does a larger batch help? Predict: how does the spread of the row's output change when the number
# of its batch mates grows from 1 to 255?

# %%
crowd_sizes = np.array([1, 3, 15, 63, 255])
crowd_layer = keras.layers.BatchNormalization(epsilon=1e-5)  # 400 crowds, one per column
outputs = [crowd_layer(np.insert(generator.normal(size=(m, 400)), 0, 1.0, axis=0), training=True)[0]
           for m in crowd_sizes]
spreads = np.array([np.std(output) for output in outputs])
print("spread over 400 crowds:", dict(zip(crowd_sizes.tolist(), spreads.astype(float).round(2).tolist())))


# %% [markdown]
# The more mates a row has, the less its output depends on which they are; the spread falls roughly
# as one over the root of their number.

# %% [markdown]
# ### Exercise 2.9 — A row and its batch mates (d2l 5.1.6)
# *2 points · ★★☆ · 15 min · stuck? run `hint("2.9")`*
#
# **Given** a `row` and its `mates`, the other rows of the minibatch.
#
# **Write** `output_beside(row, mates)`: put the row and its mates into one batch, apply
# $\sigma(\mathbf{X}) = (\mathbf{X} - \text{mean}) / \sqrt{\text{variance} + 10^{-5}}$ with mean and
# variance of each column over the batch, and return the row's output.
#
# **Shapes** `row` (d,), `mates` (m, d) with m ≥ 0; (d,) out.
#
# **Done when** it is right for any number of mates, including none.

# %%
def output_beside(row, mates):
    """Return what the batch-wise nonlinearity makes of `row` beside `mates`."""
    raise NotImplementedError("Exercise 2.9")


# %%
check("2.9", output_beside)

# %% [markdown]
# ### Exercise 2.10 — What a batch-wise nonlinearity costs (d2l 5.1.6)
# *3 points · ★★☆ · 8 min · stuck? run `hint("2.10")`*
#
# A network uses a nonlinearity that acts on a whole minibatch at a time. Which problems do you
# expect? Name at least two, say where each shows, and name a remedy.

# %% [markdown]
# **Answer 2.10.** *Write your answer here.*

# %% [markdown]
# ## Gradients that vanish
#
# A gradient that travels back through $n$ sigmoid layers picks up $n$ factors $s(1 - s) \le
# \tfrac14$. Even in the best case, all inputs at 0 and weights of 1, what is left shrinks
# geometrically: the [vanishing gradient](glossary.md#vanishing-gradient). ReLU's factor
# is 1 as long as the unit is on.

# %%
depths = np.arange(1, 21)
sigmoid_at_1 = 1 / (1 + np.exp(-1.0))
chains = {"sigmoid, best case": 0.25**depths,
          "sigmoid at z = 1": (sigmoid_at_1 * (1 - sigmoid_at_1)) ** depths,
          "tanh at z = 1": (1 - np.tanh(1.0) ** 2) ** depths, "ReLU, unit on": 1.0**depths}
axes = plt.subplots()[1]
plotting.lines(depths, chains, xlabel="layers", ylabel="factor of the gradient", yscale="log",
               ax=axes)
axes.set_xticks([1, 5, 10, 15, 20])
plt.show()


# %% [markdown]
# Each layer multiplies by the same factor, so the curves are straight on this axis. Twenty sigmoid
# layers leave less than a millionth of a millionth even in the best case. At the same $z = 1$ tanh
# keeps more than the sigmoid; at $z = 0$ tanh, like ReLU, would keep all.

# %% [markdown]
# ### Exercise 2.11 — A network whose gradients vanish (d2l 5.1.7)
# *2 points · ★★☆ · 15 min · stuck? run `hint("2.11")`*
#
# **Given** nothing: the example is yours.
#
# **Write** `vanishing_example()`, which returns `layers`, a list of pairs `(W, b)` with a sigmoid
# after every layer, and `x`, one input row.
#
# **Shapes** `x` (d,), the first `W` (d, n), shapes chain from there.
#
# **Done when** the gradient of the summed outputs with respect to the first `W` has a norm below
# $10^{-6}$, every `W` has a Frobenius norm of at least 1, and without the sigmoids the same
# gradient would have a norm of at least $10^{-2}$: so it is the sigmoid that makes it vanish.

# %%
def vanishing_example():
    """Return the layers of a sigmoid network, and an input, for which the gradient vanishes."""
    raise NotImplementedError("Exercise 2.11")


# %%
check("2.11", vanishing_example)

# %% [markdown]
# ## Fashion-MNIST
#
# [Fashion-MNIST](glossary.md#fashion-mnist) holds 70,000 grey pictures of clothes, 28 ×
# 28 pixels, in ten classes. We scale pixels to [0, 1] and
# [flatten](glossary.md#flattening) each picture to a row of 784 numbers. The last 2,000
# training images become the [validation set](glossary.md#validation-set), on which all
# choices of this page are made; the test set stays closed.

# %%
fashion = data.load_fashion_mnist()
print(fashion)


# %%
def flatten(images):
    return images.reshape(len(images), -1).astype("float32") / 255

x_train, y_train = flatten(fashion.train_images[:-2000]), fashion.train_labels[:-2000]
x_valid, y_valid = flatten(fashion.train_images[-2000:]), fashion.train_labels[-2000:]
print("training", x_train.shape, "validation", x_valid.shape)
first = [np.flatnonzero(y_train == label)[0] for label in range(10)]
plotting.images(fashion.train_images[first], fashion.class_names, columns=5)

# %% [markdown]
# Ten kinds of clothes. At 28 × 28 pixels, shirts, pullovers and coats look alike.

# %% [markdown]
# ## From scores to a loss
#
# The network outputs ten [logits](glossary.md#logit) $\mathbf{o}$ per row, any real
# numbers. [Softmax](glossary.md#softmax) turns them into probabilities, and the
# [cross-entropy](glossary.md#cross-entropy) is minus the logarithm of the true class's
# probability:
#
# $$\hat y_j = \frac{\exp(o_j)}{\sum_k \exp(o_k)}, \qquad \ell = -\log \hat y_y.\tag{2.1}$$
#
# Written like that, softmax breaks for large logits.

# %%
logits = np.array([[1.0, 2.0, 3.0], [1001.0, 1002.0, 1003.0]])
with np.errstate(over="ignore", invalid="ignore"):
    naive = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
print("as written:\n", naive.round(3))
print("TensorFlow:\n", tf.nn.softmax(logits).numpy().round(3))


# %% [markdown]
# Both rows have the same differences, so they must have the same probabilities; the naive form
# returns `nan` for the second.

# %% [markdown]
# ### Exercise 2.12 — A softmax that does not overflow
# *2 points · ★☆☆ · 10 min · stuck? run `hint("2.12")`*
#
# **Given** a batch of `logits`, as large or small as they may be.
#
# **Write** `softmax(logits)` from exponentials, sums and comparisons, not by calling the softmax of
# a library.
#
# **Shapes** (n, q) in, (n, q) out, every row with the sum 1.
#
# **Done when** it is right for ordinary logits, for rows near 1000 and −1000 in one batch, and for
# rows whose logits are thousands apart.

# %%
def softmax(logits):
    """Return the probabilities of each row of logits."""
    raise NotImplementedError("Exercise 2.12")


# %%
check("2.12", softmax)

# %% [markdown]
# ## How good is a classifier?
#
# The predicted class is the one with the largest logit; softmax keeps the order, so it is not
# needed for that. The fraction of correct predictions is the
# [accuracy](glossary.md#accuracy). One number hides which classes are mixed up; the
# [confusion matrix](glossary.md#confusion-matrix) shows it. A classifier that knows
# nothing gives the accuracy that every network has to exceed.

# %%
guesses = generator.integers(0, 10, size=len(y_valid))
always_zero = np.zeros_like(y_valid)
for name, predicted_classes in {"guessing": guesses, "always class 0": always_zero}.items():
    print(f"{name:15} right in about {np.mean(predicted_classes == y_valid):.1f} of the cases")


# %% [markdown]
# With ten classes of equal size, guessing and always choosing one class are both right one time in
# ten. A network that does no better has learned nothing.

# %% [markdown]
# ### Exercise 2.13 — Accuracy and the confusion matrix
# *2 points · ★★☆ · 15 min · stuck? run `hint("2.13")`*
#
# **Given** `scores`, one row of logits or probabilities per example, and integer `labels`.
#
# **Write** `accuracy(scores, labels)`, the share of rows whose largest score is at the label, and
# `confusion_matrix(scores, labels)`, whose entry [i, j] counts the rows of true class i that are
# predicted as class j.
#
# **Shapes** `scores` (n, q), `labels` (n,); a number, and a (q, q) matrix.
#
# **Done when** both are right even if some class is never true. Each is worth a point.

# %%
def accuracy(scores, labels):
    """Return the share of rows whose largest score is at the label."""
    raise NotImplementedError("Exercise 2.13")


def confusion_matrix(scores, labels):
    """Return the counts of (true class, predicted class)."""
    raise NotImplementedError("Exercise 2.13")


# %%
check("2.13", accuracy, confusion_matrix)


# %% [markdown]
# ## An MLP from scratch: parameters and forward pass
#
# d2l's network has 784 inputs, 256 hidden units and 10 outputs. Its weights start as small random
# numbers with standard deviation $\sigma = 0.01$, its biases as zeros; chapter 4 asks why. A
# [`tf.Variable`](glossary.md#variable) is a tensor that keeps its place in memory while
# its values change. The forward pass is (5.1.3), line by line.

# %%
def new_parameters(sizes=(784, 256, 10), sigma=0.01, seed=2):
    generator = tf.random.Generator.from_seed(seed)
    weights = [generator.normal(shape, stddev=sigma) for shape in itertools.pairwise(sizes)]
    return [(tf.Variable(W), tf.Variable(tf.zeros(W.shape[1]))) for W in weights]

parameters = new_parameters()
print("numbers to learn:", sum(int(tf.size(part)) for pair in parameters for part in pair))


# %% [markdown]
# 784 · 256 + 256 numbers belong to the hidden layer, 256 · 10 + 10 to the output layer: 203,530
# together, almost all of them in the first matrix.

# %%
def scratch_mlp(X, parameters):
    (W1, b1), (W2, b2) = parameters
    H = tf.maximum(tf.matmul(X, W1) + b1, 0.0)
    return tf.matmul(H, W2) + b2

print("logits for three images:", scratch_mlp(x_train[:3], parameters).shape)


# %% [markdown]
# One row per image, one column per class.

# %% [markdown]
# ### Exercise 2.14 — The forward pass of any depth
# *2 points · ★☆☆ · 10 min · stuck? run `hint("2.14")`*
#
# **Given** a batch `X` and `layers`, a list of pairs `(W, b)` of any length from one on.
#
# **Write** `mlp_forward(X, layers)`, the logits of the MLP with ReLU after every layer but the
# last, in NumPy or TensorFlow.
#
# **Shapes** `X` (n, d), `W` (m, k), `b` (k,); (n, q) out.
#
# **Done when** it is right for one layer and for more, of any widths.

# %%
def mlp_forward(X, layers):
    """Return the logits of a ReLU network of any depth."""
    raise NotImplementedError("Exercise 2.14")


# %%
check("2.14", mlp_forward)


# %% [markdown]
# ## One training step from scratch
#
# [`GradientTape`](glossary.md#gradient-tape) records what is computed from variables
# and then returns the derivative of the loss with respect to each of them; chapter 3 builds such a
# tape. A step of [minibatch stochastic gradient descent](glossary.md#minibatch-sgd)
# moves every parameter a little against its gradient:
#
# $$\mathbf{W} \leftarrow \mathbf{W} - \eta \frac{\partial \ell}{\partial \mathbf{W}}.\tag{2.2}$$

# %%
def mean_cross_entropy(logits, y):
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=logits))

def train_step(parameters, X, y, learning_rate):
    with tf.GradientTape() as tape:
        loss = mean_cross_entropy(scratch_mlp(X, parameters), y)
    for pair, gradients in zip(parameters, tape.gradient(loss, parameters)):
        for parameter, gradient in zip(pair, gradients):
            parameter.assign_sub(learning_rate * gradient)
    return loss


# %% [markdown]
# The tape sees the forward pass inside its `with`; `assign_sub` subtracts in place, outside of it.
# Three steps on the same 256 images:

# %%
first_losses = [float(train_step(parameters, x_train[:256], y_train[:256], 0.1)) for _ in range(3)]
print("losses:", " ".join(f"{loss:.2f}" for loss in first_losses))


# %% [markdown]
# The first loss is $\log 10 \approx 2.30$: ten classes, all equally likely. Each step lowers it.

# %% [markdown]
# ### Exercise 2.15 — One step of minibatch SGD
# *3 points · ★★☆ · 20 min · stuck? run `hint("2.15")`*
#
# **Given** `layers`, a list of pairs `(W, b)` of plain arrays (not variables); a minibatch `X`,
# `y`; and a `learning_rate`.
#
# **Write** `sgd_step(layers, X, y, learning_rate)`, which returns the mean cross-entropy before the
# step and the list of new pairs after it. A tape records tensors, as opposed to variables, only if
# you convert the arrays with `tf.convert_to_tensor` and call `tape.watch(tensors)` inside the `with`
# before the forward pass, as in `slope_of` above; or derive the gradients yourself. Any depth, ReLU
# between layers.
#
# **Shapes** `X` (n, d) float32, `y` (n,) integers; a number and pairs shaped as before.
#
# **Done when** loss and all new parameters are right for any learning rate, and the given arrays are
# unchanged.

# %%
def sgd_step(layers, X, y, learning_rate):
    """Return the loss before the step, and the parameters after it."""
    raise NotImplementedError("Exercise 2.15")


# %%
check("2.15", sgd_step)


# %% [markdown]
# ## Ten epochs
#
# An [epoch](glossary.md#epoch) visits every image once, in a new random order, in
# batches of 256. With learning rate 0.1 and ten epochs these are d2l's settings. `tf.function`
# compiles the step; how that works is a lesson further down.

# %%
def train_from_scratch(parameters, X, y, epochs=10, batch_size=256, shuffle=True):
    compiled_step = tf.function(train_step)
    order, losses = np.arange(len(X)), []
    for _ in range(epochs):
        if shuffle:
            generator.shuffle(order)
        batches = order[: len(X) // batch_size * batch_size].reshape(-1, batch_size)
        steps = [compiled_step(parameters, X[rows], y[rows], 0.1) for rows in batches]
        losses.append(float(np.mean(steps)))
    return losses


# %% [markdown]
# `order` is shuffled and cut into rows of 256 places; a remainder of fewer images is left out of
# that epoch.

# %%
parameters = new_parameters()
scratch_losses = train_from_scratch(parameters, x_train, y_train)
scratch_accuracy = np.mean(np.argmax(scratch_mlp(x_valid, parameters), axis=1) == y_valid)

# %%
print(f"mean loss in the first epoch {scratch_losses[0]:.3f}, in the last {scratch_losses[-1]:.3f}")
print(f"validation accuracy {scratch_accuracy:.3f}")


# %% [markdown]
# With nothing but matrix products, a maximum and a tape, more than eight in ten images are
# classified correctly.

# %% [markdown]
# ## The same network in Keras
#
# `keras.Sequential` stacks layers; [`Dense`](glossary.md#dense-layer) is an affine map
# with its activation. `compile` joins it with an optimizer and a loss. The loss takes logits
# (`from_logits=True`), so softmax and logarithm are computed together and nothing overflows.

# %%
def concise_mlp():
    model = keras.Sequential([
        keras.Input((784,)),
        keras.layers.Dense(256, activation="relu"),
        keras.layers.Dense(10),
    ])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=keras.optimizers.SGD(0.1), loss=loss, metrics=["accuracy"])
    return model

twin = concise_mlp()
print([(variable.path.split("/")[-1], tuple(variable.shape)) for variable in twin.weights])

# %% [markdown]
# Is it the same network? Start both from the same numbers, show both the same batches in the same
# order, and compare all weights afterwards.

# %%
scratch = new_parameters()
twin.set_weights([part.numpy() for pair in scratch for part in pair])
twin.fit(x_train[:5120], y_train[:5120], batch_size=256, epochs=2, shuffle=False, verbose=0)
train_from_scratch(scratch, x_train[:5120], y_train[:5120], epochs=2, shuffle=False)
gaps = [np.abs(part.numpy() - weight).max() for part, weight in
        zip(itertools.chain(*scratch), twin.get_weights())]
moved = np.abs(scratch[0][0].numpy() - new_parameters()[0][0].numpy()).max()

# %%
print(f"after 40 steps: largest difference {max(gaps):.0e}, largest move of a weight {moved:.0e}")

# %% [markdown]
# After forty steps the largest difference among all 203,530 numbers is rounding, and the weights have
# moved thousands of times as far: Keras does what we wrote by hand.

# %% [markdown]
# ## Training it
#
# `training.fit` of this workbook takes a compiled Keras model and the arguments of `model.fit`,
# runs a whole epoch as one program, and returns the same history. We train on all 58,000 images for
# ten epochs, with three seeds. Predict: how far apart are the three accuracies?

# %%
runs, trained_models = {}, []
for seed in range(3):
    keras.utils.set_random_seed(seed)
    trained_models.append(concise_mlp())
    runs[f"seed {seed}"] = training.fit(trained_models[-1], x_train, y_train, epochs=10,
                                        batch_size=256, seed=seed,
                                        validation_data=(x_valid, y_valid)).history
plotting.histories({"Keras": runs["seed 2"], "scratch": {"loss": scratch_losses}})
last = np.array([run["val_accuracy"][-1] for run in runs.values()])
print("validation accuracy:", last.round(4), f"mean {last.mean():.3f}, spread {last.std():.3f}")

# %% [markdown]
# The two training curves converge. In the first epochs Keras is ahead, because its default start
# (Glorot, chapter 4) has larger weights than $\sigma = 0.01$. The three seeds end within about a
# hundredth of each other.

# %% [markdown]
# ## What the network learned
#
# Each hidden unit has one weight per pixel, so its weights are a picture: dark where a bright pixel
# switches the unit on, light where it holds it back. And the confusion matrix shows which clothes the
# network mixes up. Predict before you run the cell: which two classes are confused most often?

# %%
first_weights = trained_models[-1].get_weights()[0]  # (784, 256)
strongest = np.argsort(-np.linalg.norm(first_weights, axis=0))[:10]
plotting.images(first_weights.T[strongest].reshape(-1, 28, 28), [f"unit {j}" for j in strongest],
                columns=5)

# %%
predicted = trained_models[-1].predict(x_valid, verbose=0).argmax(axis=1)
mixed_up = np.zeros((10, 10), int)
np.add.at(mixed_up, (y_valid, predicted), 1)
off_diagonal = mixed_up - np.diag(np.diag(mixed_up))
true, guess = np.unravel_index(off_diagonal.argmax(), (10, 10))
axes = plt.subplots(figsize=(6.0, 4.6))[1]
axes.imshow(np.log1p(mixed_up), aspect="auto")
for (i, j), count in np.ndenumerate(mixed_up):
    axes.text(j, i, count, ha="center", va="center", color="white" if count < 50 else "black")
axes.set_xticks(range(10), fashion.class_names, rotation=90)
axes.set_yticks(range(10), fashion.class_names)
axes.set(xlabel="predicted class", ylabel="true class")
plt.show()
print(f"most often: {off_diagonal.max()} images of {fashion.class_names[true]} are predicted as",
      fashion.class_names[guess])

# %% [markdown]
# Some units look for the outline of a sleeve or a shoe, others for contrasts that mean little to
# us. Most mistakes are between clothes with similar outlines.

# %% [markdown]
# ## The same network in the functional API
#
# `Sequential` can only stack. In the [functional
# API](glossary.md#functional-api) you call each layer on the output of another, name
# inputs and outputs, and the graph may branch or share. A layer keeps its weights wherever it is
# called. So a second model on the trained layers costs nothing: this one also returns the 256
# hidden activations.

# %%
hidden_layer, output_layer = trained_models[-1].layers
inputs = keras.Input((784,))
hidden = hidden_layer(inputs)
two_outputs = keras.Model(inputs, {"hidden": hidden, "logits": output_layer(hidden)})

result = two_outputs(x_valid)
logit_gap = np.abs(result["logits"] - trained_models[-1](x_valid)).max()
print("hidden activations", result["hidden"].shape)

# %%
print(f"largest difference between the logits of both models: {logit_gap:.0e}")
print(f"fraction of hidden activations that are zero: {np.mean(result['hidden'] == 0):.2f}")


# %% [markdown]
# The same logits come out of both models, since they are the same two layers. A good part of the
# hidden activations is zero: different images switch on different units.

# %% [markdown]
# ### Exercise 2.16 — The same weights in the functional API
# *2 points · ★★☆ · 15 min · stuck? run `hint("2.16")`*
#
# **Given** `sequential`, a built `keras.Sequential` of any layers.
#
# **Write** `functional_twin(sequential)`, which returns a `keras.Model` made with the functional
# API that shares the layers of the given model.
#
# **Shapes** the input and output shapes of the given model.
#
# **Done when** both give identical outputs, also after the weights of either of them change.

# %%
def functional_twin(sequential):
    """Return a functional model that shares the layers of a Sequential."""
    raise NotImplementedError("Exercise 2.16")


# %%
check("2.16", functional_twin)


# %% [markdown]
# ## Experiments that can be trusted
#
# The next exercises ask what a [hyperparameter](glossary.md#hyperparameter) does:
# width, depth, learning rate, activation, start. Three habits make the answers worth something:
# change one thing at a time, judge on images that took no part in training, and repeat with other
# [seeds](glossary.md#seed), so that you know how much luck there is. Small experiments
# are enough: 6,000 images, eight epochs, 128 hidden units, less than a second per run.

# %%
def build(hidden_units=(128,), *, learning_rate=0.1, seed=0, **settings):
    """Return a compiled MLP; `settings` are `activation` and `kernel_initializer`."""
    model = models.mlp(hidden_units, seed=seed, **settings)
    model.compile(optimizer=keras.optimizers.SGD(learning_rate), metrics=["accuracy"],
                  loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


# %% [markdown]
# `models.mlp` stacks the `Dense` layers of a network. `train` is what the exercises call: whatever it
# does not name itself goes to `build`.

# %%
x_small, y_small = x_train[:6000], y_train[:6000]

def train(hidden_units=(128,), *, epochs=8, seed=0, **settings):
    """Train an MLP on x_small and return its history; `val_accuracy` is measured on x_valid."""
    return training.fit(build(hidden_units, seed=seed, **settings), x_small, y_small,
                        epochs=epochs, batch_size=100, seed=seed,
                        validation_data=(x_valid, y_valid)).history

baseline = [train(seed=seed)["val_accuracy"][-1] for seed in range(3)]

# %%
print(f"baseline {np.mean(baseline):.3f}, standard deviation over seeds {np.std(baseline):.3f}")


# %% [markdown]
# Seeds alone move the accuracy by about a hundredth. A difference smaller than that is no result.

# %% [markdown]
# ### Exercise 2.17 — One change at a time (d2l 5.2.1, 5.2.2, 5.2.3, 5.2.8, 5.2.9)
# *8 points · ★★☆ · 50 min · stuck? run `hint("2.17")`*
#
# **Given** `train`. Five questions: how many hidden units (`"width"`); does a second hidden layer of
# 128 units help (`"depth"`); what does a layer of a single neuron after the 128 units do
# (`"bottleneck"`); which activation works best (`"activation"`); does it matter how the weights start
# (`"start"`)? Note a prediction for each before you train.
#
# **Write** `accuracy_of(settings, seed)`, which trains one network with these arguments of `train`
# and returns its validation accuracy after the last epoch; `networks`, the settings to try for each
# question; and `results`, their accuracies with the seeds 0, 1 and 2, filled by `accuracy_of`. Include
# five widths from at most 4 to at least 256; the hidden units `(128,)`, `(128, 128)` and `(128, 1)`
# where they belong; `"relu"`, `"sigmoid"`, `"tanh"` and one more activation; the start `"zeros"` and
# three more (names or objects of `keras.initializers`). Sixty runs take about 30 seconds.
#
# **Shapes** `networks[question][label]` is a dict of one argument, such as `{"hidden_units": (2,)}`;
# `results[question][label]` is a list of three accuracies.
#
# **Done when** the function takes its number from the right run, each question changes one thing
# only, and training again gives the numbers in your table.

# %%
def accuracy_of(settings, seed):
    """Return the validation accuracy after the last epoch of one run of `train`."""
    raise NotImplementedError("Exercise 2.17")


# %%
networks = None
results = None

# %%
check("2.17", accuracy_of, networks, results)


# %% [markdown]
# ### Exercise 2.18 — What mattered, and by how much (d2l 5.2.1, 5.2.2, 5.2.8, 5.2.9)
# *3 points · ★★☆ · 10 min · stuck? run `hint("2.18")`*
#
# What do your results say about width, depth, activation and start? Compare for each the gap between
# the means with the spread over seeds, and name the width that you would use.

# %% [markdown]
# **Answer 2.18.** *Write your answer here.*

# %% [markdown]
# ### Exercise 2.19 — Why a single neuron is a bad idea (d2l 5.2.3)
# *2 points · ★☆☆ · 5 min · stuck? run `hint("2.19")`*
#
# Why is it a bad idea to insert a hidden layer with a single neuron? Say what such a network can
# represent, and what can go wrong while it trains.

# %% [markdown]
# **Answer 2.19.** *Write your answer here.*

# %% [markdown]
# ### Exercise 2.20 — Learning rate and epochs (d2l 5.2.4)
# *4 points · ★★☆ · 25 min · stuck? run `hint("2.20")`*
#
# **Given** `train`. Predict: if you divide the learning rate by three, how many times as many epochs
# does the network need to reach an accuracy of 0.7?
#
# **Write** `curve_of(learning_rate, seed)`, the validation accuracies after each of 12 epochs;
# `curves`, which maps at least five rates, over two powers of ten or more, to the curves of the seeds
# 0, 1 and 2; and `epochs_needed`, which maps the same rates to the first epoch at which the mean of
# the three curves is at least 0.7, or to `None` if there is none. Eighteen runs take about 15 seconds.
#
# **Shapes** 12 numbers; `{rate: [curve, curve, curve], ...}`; `{rate: epoch or None, ...}`.
#
# **Done when** the curves are those of `train`, training again gives them, and `epochs_needed`
# agrees with them.

# %%
def curve_of(learning_rate, seed):
    """Return the validation accuracy after each of 12 epochs."""
    raise NotImplementedError("Exercise 2.20")


# %%
curves = None
epochs_needed = None

# %%
check("2.20", curve_of, curves, epochs_needed)

# %% [markdown]
# ## Many rates in one program
#
# Six learning rates are six runs of one architecture: the same operations on other numbers. Stack
# their weights, and one program trains them all. `training.search` does so. It takes `build` and a
# list of its arguments. And it needs no validation set: it cuts the rows into `k` parts, trains
# every network `k` times, each time without one part, and validates on the part left out. That is
# [K-fold cross-validation](glossary.md#k-fold-cross-validation); chapter 7 comes back
# to it.

# %%
rates = [{"learning_rate": rate} for rate in (0.003, 0.01, 0.03, 0.1, 0.3, 1.0)]
found = training.search(build, rates, x_small, y_small, k=3, epochs=8, batch_size=100,
                        metric="accuracy")
print(found.table[["learning_rate", "mean", "spread"]].round(3).to_string(index=False))


# %% [markdown]
# Eighteen networks, best rate first, each with its mean accuracy over three parts and the spread
# between them. The slowest rate and the fastest end up last. Networks of different widths or depths
# are different programs, and `training.search` runs those one after another.

# %% [markdown]
# ### Exercise 2.21 — A joint search (d2l 5.2.5a)
# *3 points · ★★★ · 30 min · stuck? run `hint("2.21")`*
#
# **Given** `train`.
#
# **Write** `score(configuration)`, the validation accuracy after the last epoch of a run with seed 0
# of a configuration `{"learning_rate": 0.1, "epochs": 4, "hidden_layers": 1, "hidden_units": 64}`;
# `joint_search`, a list of at least twelve configurations, each with its `"accuracy"`, all four
# quantities varied and none twice; and `best_configuration`, its best row. Sixteen runs take about
# ten seconds.
#
# **Shapes** rows `{"learning_rate": 0.1, "epochs": 4, "hidden_layers": 1, "hidden_units": 64,
# "accuracy": ...}`.
#
# **Done when** `score` takes its number from the right run, scoring a row again gives its accuracy,
# and the best row is named. Each of the three is worth a point.

# %%
def score(configuration):
    """Return the validation accuracy after the last epoch of a run of this configuration."""
    raise NotImplementedError("Exercise 2.21")


# %%
joint_search = None
best_configuration = None

# %%
check("2.21", score, joint_search, best_configuration)


# %% [markdown]
# ### Exercise 2.22 — Why several hyperparameters are harder than one (d2l 5.2.5b)
# *2 points · ★★☆ · 8 min · stuck? run `hint("2.22")`*
#
# Why is it so much harder to deal with several hyperparameters than with one?

# %% [markdown]
# **Answer 2.22.** *Write your answer here.*

# %% [markdown]
# ### Exercise 2.23 — Successive halving (d2l 5.2.5c)
# *3 points · ★★☆ · 20 min · stuck? run `hint("2.23")`*
#
# **Given** a list of `configurations`, and `evaluate(configuration, epochs)`, which returns a score
# (higher is better).
#
# **Write** `successive_halving(configurations, evaluate)`: score all with one epoch, keep the
# better half (rounded down, at least one), double the epochs, and go on until one is left. Return
# the winner and the list of rounds.
#
# **Shapes** the winner is one of the configurations; rounds are pairs `(epochs, number of
# configurations scored)`, for eight of them `[(1, 8), (2, 4), (4, 2)]`.
#
# **Done when** the winner and the rounds are right for any number of configurations from one on, and
# the given list is unchanged.

# %%
def successive_halving(configurations, evaluate):
    """Return the winner and the rounds (epochs, configurations scored)."""
    raise NotImplementedError("Exercise 2.23")


# %%
check("2.23", successive_halving)

# %% [markdown]
# ### Exercise 2.24 — A strategy for many hyperparameters (d2l 5.2.5c)
# *2 points · ★★☆ · 8 min · stuck? run `hint("2.24")`*
#
# Describe an efficient strategy to tune several hyperparameters jointly: how candidates are chosen,
# how runs are cut short, and how you make sure of the result.

# %% [markdown]
# **Answer 2.24.** *Write your answer here.*

# %% [markdown]
# ## Eager and graph execution
#
# By default TensorFlow is [eager](glossary.md#eager-execution): Python asks for each
# operation, one after the other; on a CPU it waits for the result, on a GPU it may go on until a
# value is read. `tf.function` [traces](glossary.md#tracing) instead: it runs the
# Python function once, records which operations it asks for, and from then on runs that
# [graph](glossary.md#graph-execution) without Python. Anything else that Python does,
# such as counting calls, happens only while tracing.

# %%
calls = {"eager": 0, "graph": 0}

def counted_step(name, parameters, X, y):
    calls[name] += 1
    return train_step(parameters, X, y, 0.1)

graph_step = tf.function(counted_step)

# %% [markdown]
# The same ten steps from the same start, once eager and once traced:

# %%
after_ten = {}
for name, step in {"eager": counted_step, "graph": graph_step}.items():
    stepped = new_parameters()
    for start in range(0, 2560, 256):
        step(name, stepped, x_train[start : start + 256], y_train[start : start + 256])
    after_ten[name] = stepped[0][0].numpy()
weight_gap = np.abs(after_ten["eager"] - after_ten["graph"]).max()
print("times Python ran the function:", calls)

# %% [markdown]
# Ten steps each and the same weights up to rounding, but the traced function entered Python once.
#
# A trace belongs to the types, shapes and Python values of its arguments. A new shape or another
# Python number means tracing again, which costs more than the step itself. More tensors of the same
# shape do not. Predict the three counts before you run the cell.

# %%
traces = []

@tf.function
def scaled_sum(x, factor):
    traces.append(x.shape)
    return factor * tf.reduce_sum(x)

counts = []
for action in (lambda k: scaled_sum(tf.ones(3), tf.constant(float(k))),
               lambda k: scaled_sum(tf.ones(3), float(k)), lambda k: scaled_sum(tf.ones(k + 4), 1.0)):
    traces.clear()
    [action(k) for k in range(1, 6)]
    counts.append(len(traces))
print("traces for 5 tensors, 5 Python numbers, 5 shapes:", counts)

# %% [markdown]
# Five tensors of one shape share a trace; five Python numbers take five. After a few shapes
# TensorFlow makes one trace for any length. Pass numbers that change to a traced function as
# tensors, and keep all batches the same shape.

# %% [markdown]
# ## A whole epoch as one program
#
# `model.fit` runs a graph for each batch and comes back to Python in between. When steps are small,
# that return is a good part of the time. `training.fit` puts the loop over batches into the graph
# as well: the images stay on the device, the epoch's random order goes in, and Keras's own
# `train_step` runs for each batch. This is the core of it.

# %%
epoch_model = concise_mlp()

def all_batches(X, y, order, batch_size):
    for start in tf.range(0, tf.size(order) - batch_size + 1, batch_size):
        rows = order[start : start + batch_size]
        epoch_model.train_step((tf.gather(X, rows), tf.gather(y, rows)))

run_epoch = tf.function(all_batches)

# %% [markdown]
# Because this function is traced, its `for` is not a Python loop but a loop inside the graph.

# %%
x_tensor, y_tensor = tf.constant(x_small), tf.constant(y_small)
for _ in range(3):
    epoch_model.reset_metrics()
    run_epoch(x_tensor, y_tensor, tf.constant(generator.permutation(6000)), 100)
accuracy_seen = float(epoch_model.get_metrics_result()["accuracy"])
steps_taken = int(epoch_model.optimizer.iterations)
print("steps taken in three calls:", steps_taken)


# %%
def seconds(action, repetitions=3):
    """Return the shortest time of several repetitions, after one to warm up."""
    action()
    times = []
    for _ in range(repetitions):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return min(times)

whole = seconds(lambda: run_epoch(x_tensor, y_tensor, tf.range(6000), 100))
in_steps = seconds(lambda: epoch_model.fit(x_small, y_small, batch_size=100, verbose=0))
print(f"accuracy in the third epoch {accuracy_seen:.3f}")
print(f"one epoch: model.fit {in_steps:.3f} s, one program {whole:.3f} s")


# %% [markdown]
# Both epochs do the same arithmetic; the difference is what happens between the batches.

# %% [markdown]
# ### Exercise 2.25 — Scratch against framework (d2l 5.2.6)
# *3 points · ★★☆ · 20 min · stuck? run `hint("2.25")`*
#
# **Given** `new_parameters`, `train_step`, `models.mlp` and `seconds` (which returns the shortest of
# several repetitions, after one call to warm up). Predict: how does the comparison change as the
# network grows?
#
# **Write** `step_seconds(width)`, the time of one training step on 256 images with one hidden layer
# of this width: from scratch, as an eager call of `train_step`, and with Keras's `train_on_batch`.
# Draw both for widths from 32 to 2048 (the drawing is not checked). A call takes about two seconds.
#
# **Shapes** `{"scratch": seconds, "keras": seconds}`.
#
# **Done when** both times are those of the steps that the function takes: the check watches them and
# makes each of the two slower by a time of its own. The first call, which traces, takes far longer.

# %%
def step_seconds(width):
    """Return the seconds of one training step from scratch and with Keras."""
    raise NotImplementedError("Exercise 2.25")


# %%
# Call step_seconds for several widths and draw both times here.

# %%
check("2.25", step_seconds)

# %% [markdown]
# ## What runs where
#
# TensorFlow places each operation on a [device](glossary.md#device): on a GPU if there
# is one and it knows the operation, otherwise on the CPU. Every tensor knows where it lives, and
# `tf.device` overrules the choice. Moving data between devices takes time, so keep it where it is
# used. A GPU pays off for large matrix products; a network as small as ours keeps it waiting for
# the next small step.

# %%
for device in tf.config.list_logical_devices():
    print(device.name, device.device_type)
product = tf.matmul(x_train[:256], parameters[0][0])
print("this product was computed on", product.device)

# %%
with tf.device("CPU:0"):
    on_cpu = tf.matmul(x_train[:256], parameters[0][0])
print("placed by hand:", on_cpu.device.split("device:")[-1])


# %% [markdown]
# Without a GPU all of it says CPU. With one, the first cell lists it, and the product runs there
# unless you place it by hand.

# %% [markdown]
# ### Exercise 2.26 — Aligned and misaligned matrices (d2l 5.2.7a)
# *2 points · ★★☆ · 15 min · stuck? run `hint("2.26")`*
#
# **Given** `seconds`. Predict: is the product slower at 1025 than at 1024 on your machine, and by how
# much?
#
# **Write** `matmul_seconds(size)`, the time of the matrix product of two square float32 matrices, and
# print it for the sizes 1024, 1025, 1026, 1028 and 1032 (the printing is not checked). With a GPU,
# compare its times as well (`tf.device("GPU:0")`, and `.numpy()` to wait for the result).
#
# **Shapes** a whole number in, seconds out.
#
# **Done when** the time is within a factor of eight of what the check measures for the product alone.

# %%
def matmul_seconds(size):
    """Return the seconds of the product of two square float32 matrices."""
    raise NotImplementedError("Exercise 2.26")


# %%
# Call matmul_seconds for the five sizes and print the times here.

# %%
check("2.26", matmul_seconds)

# %% [markdown]
# ### Exercise 2.27 — The width of the memory bus (d2l 5.2.7b)
# *2 points · ★★★ · 10 min · stuck? run `hint("2.27")`*
#
# Determine the memory bus width of your CPU and of a GPU (yours, or one from a data sheet). Explain
# how a width follows from a bandwidth, and why sizes that are not a multiple of 8 or 16 can be
# slower. The cell below measures the bandwidth of a copy.

# %%
large = np.ones(32 * 1024**2, dtype="float32")
copy = np.empty_like(large)
elapsed = seconds(lambda: np.copyto(copy, large), 5)
print(f"copying reads and writes {2 * large.nbytes / elapsed / 1e9:.1f} GB/s")

# %% [markdown]
# **Answer 2.27.** *Write your answer here.*

# %% [markdown]
# ## Handwritten digits with trained weights
#
# Training and [inference](glossary.md#inference) are usually different programs: one
# writes the weights to a file, the other builds the same network and reads them. We do both with
# [MNIST](glossary.md#mnist), 28 × 28 pictures of the digits 0 to 9. The network has two
# hidden layers with dropout, which chapter 6 explains, and the optimizer is Adam, which adapts the
# step of each weight. Twelve epochs take half a minute.

# %%
digits = data.load_mnist()
print(digits)


# %%
def digits_mlp():
    return models.mlp((512, 512), rate=(0.2, 0.3))

x_digits, x_new = flatten(digits.train_images), flatten(digits.test_images)
digit_model = digits_mlp()
steps = 12 * -(-len(x_digits) // 128)
falling = keras.optimizers.schedules.CosineDecay(0.002, steps)  # the learning rate falls to 0
digit_model.compile(keras.optimizers.Adam(falling), metrics=["accuracy"],
                    loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
digit_history = training.fit(digit_model, x_digits, digits.train_labels,
                             epochs=12, batch_size=128, seed=2)

# %%
with tempfile.TemporaryDirectory() as folder:
    digit_model.save_weights(f"{folder}/digits.weights.h5")
    loaded = digits_mlp()
    loaded.load_weights(f"{folder}/digits.weights.h5")
digit_classes = loaded.predict(x_new, verbose=0).argmax(axis=1)
digit_right = digit_classes == digits.test_labels
print(f"accuracy on {len(x_new)} new digits: {digit_right.mean():.4f}; below, some mistakes")
wrong_first = np.argsort(digit_right, kind="stable")[:8]
titles = [f"{digits.test_labels[i]} read as {digit_classes[i]}" for i in wrong_first]
plotting.images(digits.test_images[wrong_first], titles, columns=4)

# %% [markdown]
# The loaded network has never seen a training step and reads new digits as well as the trained one,
# since it has the same weights. The test set was used once, for this number.

# %% [markdown]
# ## One at a time, or in a batch
#
# A service may get its pictures one by one. Each call then pays for the trip into TensorFlow and
# back to compute a product of one row, and reads all weights to use them once. A batch pays once
# and uses each weight that it reads many times. The answers are the same.

# %%
one_by_one = np.concatenate([loaded(x_new[i : i + 1]) for i in range(200)])
in_a_batch = loaded(x_new[:200]).numpy()

# %%
single = seconds(lambda: [loaded(x_new[i : i + 1]) for i in range(200)], 2)
batch = seconds(lambda: loaded(x_new[:200]), 2)
print(f"largest difference between the logits {np.abs(one_by_one - in_a_batch).max():.0e}")
print(f"200 digits: one by one {1e3 * single:.1f} ms, in a batch {1e3 * batch:.1f} ms")

# %% [markdown]
# The logits agree up to rounding; the batch takes a small part of the time.

# %% [markdown]
# ## Recap
#
# - Linear layers collapse into one; a nonlinearity between them makes a network that can bend.
# - ReLU networks are piecewise linear; with enough units one hidden layer follows any curve.
# - Sigmoid and tanh give the same class of functions and saturate; ReLU passes gradients when on.
# - An MLP in twenty lines of TensorFlow and in seven of Keras takes the same steps.
# - A traced function leaves Python out; an epoch as one program leaves it out for longer.
# - Hyperparameters are compared one at a time, on validation images, with several seeds.

# %%
progress("multilayer_perceptrons")

# %% [markdown]
# ## Terms
#
# [accuracy](glossary.md#accuracy) ·
# [activation function](glossary.md#activation-function) ·
# [affine function](glossary.md#affine-function) ·
# [batch normalization](glossary.md#batch-normalization) ·
# [confusion matrix](glossary.md#confusion-matrix) ·
# [cross-entropy](glossary.md#cross-entropy) ·
# [dense layer](glossary.md#dense-layer) ·
# [depth](glossary.md#depth) ·
# [device](glossary.md#device) ·
# [eager execution](glossary.md#eager-execution) ·
# [epoch](glossary.md#epoch) ·
# [Fashion-MNIST](glossary.md#fashion-mnist) ·
# [flattening](glossary.md#flattening) ·
# [functional API](glossary.md#functional-api) ·
# [GELU](glossary.md#gelu) ·
# [gradient tape](glossary.md#gradient-tape) ·
# [graph execution](glossary.md#graph-execution) ·
# [hidden layer](glossary.md#hidden-layer) ·
# [hyperparameter](glossary.md#hyperparameter) ·
# [inference](glossary.md#inference) ·
# [K-fold cross-validation](glossary.md#k-fold-cross-validation) ·
# [logit](glossary.md#logit) ·
# [minibatch](glossary.md#minibatch) ·
# [minibatch SGD](glossary.md#minibatch-sgd) ·
# [MNIST](glossary.md#mnist) ·
# [multilayer perceptron](glossary.md#multilayer-perceptron) ·
# [piecewise linear function](glossary.md#piecewise-linear-function) ·
# [pReLU](glossary.md#prelu) ·
# [rank](glossary.md#rank) ·
# [ReLU](glossary.md#relu) ·
# [saturation](glossary.md#saturation) ·
# [seed](glossary.md#seed) ·
# [sigmoid](glossary.md#sigmoid) ·
# [singular value decomposition](glossary.md#singular-value-decomposition) ·
# [softmax](glossary.md#softmax) ·
# [Swish](glossary.md#swish) ·
# [tanh](glossary.md#tanh) ·
# [tracing](glossary.md#tracing) ·
# [universal approximation theorem](glossary.md#universal-approximation-theorem) ·
# [validation set](glossary.md#validation-set) ·
# [vanishing gradient](glossary.md#vanishing-gradient) ·
# [variable](glossary.md#variable) ·
# [width](glossary.md#width)
#
# ## Sources
#
# - Zhang, Lipton, Li, Smola, *Dive into Deep Learning*, sections
#   [5.1](https://d2l.ai/chapter_multilayer-perceptrons/mlp.html) and
#   [5.2](https://d2l.ai/chapter_multilayer-perceptrons/mlp-implementation.html), CC BY-SA 4.0:
#   outline, notation, formulas (5.1.1) to (5.1.9), exercises 5.1.1 to 5.2.9.
# - Eckart and Young, "The approximation of one matrix by another of lower rank", *Psychometrika* 1,
#   1936.
# - Glorot, Bordes, Bengio, "Deep sparse rectifier neural networks", *AISTATS* 2011.
# - Cybenko, "Approximation by superpositions of a sigmoidal function", *Mathematics of Control,
#   Signals and Systems* 2, 1989.
# - Hendrycks and Gimpel, "Gaussian error linear units", 2016.
# - Ramachandran, Zoph, Le, "Searching for activation functions", 2017.
# - Ioffe and Szegedy, "Batch normalization", *ICML* 2015.
# - Xiao, Rasul, Vollgraf, "Fashion-MNIST", 2017.
# - LeCun and Cortes, "The MNIST database of handwritten digits", 1998.
# - Jamieson and Talwalkar, "Non-stochastic best arm identification and hyperparameter optimization",
#   *AISTATS* 2016 (successive halving).
