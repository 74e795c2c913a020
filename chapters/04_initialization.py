# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 4. Numerical stability and initialization
#
# *After [d2l 5.4](https://d2l.ai/chapter_multilayer-perceptrons/numerical-stability-and-init.html), in TensorFlow and Keras 3.*
#
# | To read | To run, CPU | To run, GPU | Difficulty | Exercises | Last run with |
# | --- | --- | --- | --- | --- | --- |
# | 75 min | 40 s on 2 cores | not measured | ★★☆ | 13, 30 points | TensorFlow 2.21, Keras 3.15 |
#
# A network with one hidden layer learns from almost any small random start. Give it twenty layers,
# and from the same start it learns nothing at all: its loss stays at $\ln 10$, epoch after epoch,
# without an error message. Other starts blow up in the second step. Nothing is wrong with the data,
# the model or the code. This page finds out why, and which start makes depth work.

# %% [markdown]
# ## What you will learn
#
# - **Explain** why the gradient of a deep network, a product of matrices, vanishes or explodes.
# - **Show** that hidden units which start equal stay equal, and what breaks the symmetry.
# - **Derive** the variances of Xavier and He, and use both from scratch and in Keras.
# - **Diagnose** a 30-layer network from the histograms of its activations and gradients.
#
# ## Before you start
#
# You need the MLP of [chapter 2](02_multilayer_perceptrons.ipynb) and the backward pass of [chapter
# 3](03_backpropagation.ipynb), matrix products, and the variance of a sum of independent numbers.

# %% [markdown]
# ## Setup
#
# Two small slices of Fashion-MNIST are enough here, scaled to [0, 1], with one image per row. The
# exercises take a little over three hours.

# %%
from helpers import check, data, hint, models, plotting, progress, solution, training

import itertools

import ipywidgets as widgets
import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf

keras.utils.set_random_seed(4)
rng = np.random.default_rng(4)
fashion = data.load_fashion_mnist()
print(fashion)
print(training.device())

# %%
train_X = fashion.train_images[:10_000].reshape(-1, 784).astype("float32") / 255
train_y = fashion.train_labels[:10_000]
test_X = fashion.test_images[:2_000].reshape(-1, 784).astype("float32") / 255
test_y = fashion.test_labels[:2_000]
print("training", train_X.shape, "test", test_X.shape)

# %% [markdown]
# ## A gradient is a product of matrices
#
# A deep network applies one layer after another:
#
# $$\mathbf{h}^{(l)} = f_l(\mathbf{h}^{(l-1)}) \quad\text{and thus}\quad \mathbf{o} = f_L \circ \cdots \circ f_1(\mathbf{x}).\tag{5.4.1}$$
#
# The chain rule turns this into a product. With $\mathbf{M}^{(l)} = \partial_{\mathbf{h}^{(l-1)}}
# \mathbf{h}^{(l)}$,
#
# $$\partial_{\mathbf{W}^{(l)}} \mathbf{o} = \mathbf{M}^{(L)} \cdots \mathbf{M}^{(l+1)} \, \partial_{\mathbf{W}^{(l)}} \mathbf{h}^{(l)}.\tag{5.4.2}$$
#
# So the gradient of the lowest layer contains $L - 1$ matrices. For a tanh layer the matrix is
# $\operatorname{diag}(1 - \tanh^2 z)\,\mathbf{W}^\top$. Multiply five of them.

# %%
stack = [rng.normal(size=(3, 3)) for _ in range(5)]
first_input = rng.normal(size=3)
h, chain_product = first_input, np.eye(3)
for W in stack:
    chain_product = np.diag(1 - np.tanh(h @ W) ** 2) @ W.T @ chain_product
    h = np.tanh(h @ W)

# %% [markdown]
# The tape finds the same derivative without being told the formula.

# %%
watched = tf.Variable(first_input[None])
with tf.GradientTape(persistent=True) as tape:
    o = watched
    for W in stack:
        o = tf.tanh(o @ W)
jacobian = tape.jacobian(o, watched, experimental_use_pfor=False)[0, :, 0]
print("as a product, row 0:", chain_product[0].round(5))
print("by the tape, row 0: ", jacobian[0].numpy().round(5))


# %% [markdown]
# Products of many numbers rarely stay near one. The rest of this page asks when products of many
# matrices do.

# %% [markdown]
# ## The sigmoid passes on a quarter at most
#
# The matrix of a layer holds the slope of its activation. For the sigmoid that slope is $\sigma(z)
# (1 - \sigma(z))$. Where the slope is near zero the unit is
# [saturated](glossary.md#saturation): its input may change and its output does not.

# %%
def sigmoid(z):
    return 1 / (1 + np.exp(-z))

def sigmoid_slope(z):
    return sigmoid(z) * (1 - sigmoid(z))

z = np.linspace(-8, 8, 161)
plotting.functions(z, {"sigmoid": (sigmoid, sigmoid_slope)}, xlabel="z")
print(f"largest slope {sigmoid_slope(z).max():.2f}, at z = 5 only {sigmoid_slope(5.0):.4f}")


# %% [markdown]
# At best the slope lets a quarter of the gradient pass; far from zero, hardly any. The slopes of
# thirty sigmoids multiply to $0.25^{30} \approx 10^{-18}$ at best. Still, the sigmoid was the usual
# choice for decades, as a smooth form of the threshold that neurons seemed to compute. Hochreiter
# described the vanishing gradient in 1991; deep networks became common only after Nair and Hinton
# (2010) and Glorot, Bordes and Bengio (2011) had replaced the sigmoid by ReLU, whose slope is
# exactly 1 wherever it is not 0.

# %% [markdown]
# ## Vanishing gradients
#
# A gradient that shrinks from layer to layer is called a [vanishing
# gradient](glossary.md#vanishing-gradient). The step of gradient descent is
# proportional to it, so the lower layers stop learning while the upper ones go on. To watch it, ask
# the tape for the length of the loss's gradient with respect to each weight matrix.

# %%
def gradient_norms(model, X, y):
    """Return the length of the loss's gradient for each kernel, first layer first."""
    kernels = [layer.kernel for layer in model.layers]
    with tf.GradientTape() as tape:
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(y, model(X))
        loss = tf.reduce_mean(losses)
    slopes = [np.float64(slope) for slope in tape.gradient(loss, kernels)]
    return np.array([np.linalg.norm(slope) for slope in slopes])


# %% [markdown]
# Here are thirty sigmoid layers of 64 units with Keras's usual start. On a logarithmic axis, will
# the curve be straight, or will it flatten out towards the input?

# %%
deep_sigmoid = models.mlp((64,) * 30, activation="sigmoid")
sigmoid_norms = gradient_norms(deep_sigmoid, train_X[:256], train_y[:256])
plotting.lines(np.arange(1, 32), {"30 sigmoid layers": sigmoid_norms},
               xlabel="layer, from the input", ylabel="length of the gradient", yscale="log")
factor = (sigmoid_norms[-1] / sigmoid_norms[1]) ** (1 / 29)

# %%
print(f"first {sigmoid_norms[0]:.0e}, last {sigmoid_norms[-1]:.0e}, factor {factor:.1f} per layer")


# %% [markdown]
# The norms fall on a straight line: each layer costs the same factor. The lowest layers receive less
# than a millionth of a millionth of what the output layer receives. Only the first two points are
# level: the first matrix multiplies 784 pixels and not 64 activations, and a longer input makes a
# longer gradient.

# %% [markdown]
# ### Exercise 4.1 — Gradient-norm ratio of a deep sigmoid network
# *2 points · ★★☆ · 15 min · stuck? run `hint("4.1")`*
#
# **Given** a batch `X` and a list `weights` of $L$ square matrices. There are no biases: $H^{(0)} =
# X$, $H^{(l)} = \sigma(H^{(l-1)} W^{(l)})$, and $J$ is the sum of all entries of $H^{(L)}$.
#
# **Write** `gradient_norm_ratio(X, weights)`: the Frobenius norm of $\partial J / \partial W^{(1)}$
# divided by that of $\partial J / \partial W^{(L)}$.
#
# **Shapes** `X` (n, d), each matrix (d, d); one number out.
#
# **Done when** the ratio is right for one layer, for a few, and tiny for thirty.

# %%
def gradient_norm_ratio(X, weights):
    """Return the length of the first layer's gradient over that of the last layer's."""
    raise NotImplementedError("Exercise 4.1")


# %%
check("4.1", gradient_norm_ratio)

# %% [markdown]
# ## Exploding gradients
#
# The opposite is as bad. Take 100 matrices of size 4 x 4 whose entries are normal with standard
# deviation 1, and multiply them. One factor doubles the root mean square length of a vector, since
# $\mathrm{E}\,\|\mathbf{x}\mathbf{W}\|^2 = 4\,\|\mathbf{x}\|^2$. But occasional large factors raise
# that mean: the typical factor, the geometric mean, is 1.75. So a standard deviation of $1/1.75 =
# 0.57$ should keep the product level. What will 1 and 0.3 do in 100 factors?

# %%
factors = rng.normal(size=(100, 4, 4))
growth = {}
for scale in (1.0, 0.57, 0.3):
    products = itertools.accumulate(scale * factors, np.matmul)
    growth[f"standard deviation {scale}"] = [np.linalg.norm(product) for product in products]
plotting.lines(np.arange(1, 101), growth, xlabel="matrices multiplied",
               ylabel="Frobenius norm", yscale="log")
print({label: f"{lengths[-1]:.0e}" for label, lengths in growth.items()})


# %% [markdown]
# Scaling the factors only tilts the line. There is only a narrow range of scales between explosion
# and extinction, and finding it is what initialization is about.

# %% [markdown]
# ## A training run that explodes
#
# A gradient that grows like this is an [exploding
# gradient](glossary.md#exploding-gradient). See what it does to training: ten ReLU
# layers of 64 units, plain gradient descent with learning rate 0.01 on 256 images, from standard
# deviation 0.18 (He's) and from 0.6.

# %%
def first_losses(deviation, steps=5):
    """Return the loss before each of the first steps of gradient descent."""
    starts = (keras.initializers.RandomNormal(stddev=deviation, seed=seed) for seed in range(11))
    layers = [keras.layers.Dense(64, "relu", kernel_initializer=next(starts)) for _ in range(10)]
    deep = keras.Sequential([keras.Input((784,)), *layers, keras.layers.Dense(10)])
    losses = []
    for _ in range(steps):
        with tf.GradientTape() as loss_tape:
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(
                train_y[:256], deep(train_X[:256])))
        losses.append(float(loss))
        for variable, slope in zip(deep.trainable_variables,
                                   loss_tape.gradient(loss, deep.trainable_variables)):
            variable.assign_sub(0.01 * slope)
    return losses


# %%
exploding_run = {deviation: first_losses(deviation) for deviation in (0.18, 0.6)}
for deviation, losses in exploding_run.items():
    print(f"standard deviation {deviation}:", ", ".join(f"{loss:.3g}" for loss in losses))

# %% [markdown]
# From 0.18 the loss is an ordinary number. From 0.6 it starts in the hundred thousands, one step
# throws the weights far away, and then it is `nan` (not a number), from which no step recovers.

# %% [markdown]
# ## How far a matrix stretches
#
# A matrix turns the circle of all vectors of length 1 into an ellipse. The longest and the shortest
# radius of the ellipse are its largest and smallest
# [singular values](glossary.md#singular-value): no vector is stretched by more or by
# less. They come from the [singular value
# decomposition](glossary.md#singular-value-decomposition) $\mathbf{A} =
# \mathbf{U}\boldsymbol\Sigma\mathbf{V}^\top$, a rotation, a stretch along the axes, and a rotation.
# An [eigenvalue](glossary.md#eigenvalue) $\lambda$ with $\mathbf{A}\mathbf{x} =
# \lambda\mathbf{x}$ is something else: the stretch of a vector that keeps its direction.

# %%
shear = np.array([[1.0, 2.0], [0.0, 1.0]])
angles = np.linspace(0, 2 * np.pi, 200)
circle = np.array([np.cos(angles), np.sin(angles)])
axes = plt.subplots(figsize=(4.5, 3))[1]
axes.plot(*circle, label="vectors of length 1")
axes.plot(*(shear @ circle), label="after the matrix")
axes.set(xlabel="$x_0$", ylabel="$x_1$", aspect="equal")
axes.legend(loc="lower right", fontsize="small")
plt.show()
print("singular values:", np.linalg.svd(shear, compute_uv=False).round(3))
print("moduli of the eigenvalues:", np.abs(np.linalg.eigvals(shear)))


# %% [markdown]
# This matrix stretches some vectors 2.41-fold and shrinks others to 0.41, while both of its
# eigenvalues are 1. `np.linalg.svd` returns the singular values in descending order; eigenvalues
# may be complex, so their size is the modulus.

# %% [markdown]
# ### Exercise 4.2 — Bounds for a product of matrices (d2l 5.4.3)
# *3 points · ★★☆ · 15 min · stuck? run `hint("4.2")`*
#
# **Given** a list of square matrices of one size, in the order in which they are multiplied.
#
# **Write** `product_bounds(matrices)`: the pair `lower, upper` between which every [singular
# value](glossary.md#singular-value) of the product must lie, computed from the factors
# alone, without multiplying them. Then `counterexample()`: two square matrices A and B that show
# that eigenvalues obey no such rule, since the largest modulus of an eigenvalue of A B exceeds the
# product of the largest moduli of A and of B.
#
# **Shapes** k matrices (n, n) in, two numbers out; nothing in, two matrices out.
#
# **Done when** the bounds are the tightest that the factors' singular values allow, equal 1 for
# orthogonal matrices, and the counterexample holds.

# %%
def product_bounds(matrices):
    """Return lower and upper bounds of the singular values of the product."""
    raise NotImplementedError("Exercise 4.2")


def counterexample():
    """Return A and B such that A B has a larger eigenvalue than those of A and B allow."""
    raise NotImplementedError("Exercise 4.2")


# %%
check("4.2", product_bounds, counterexample)


# %% [markdown]
# ### Exercise 4.3 — What the bounds say about gradients (d2l 5.4.3)
# *2 points · ★★☆ · 10 min · stuck? run `hint("4.3")`*
#
# The gradient (5.4.2) is a product of layer matrices. What do the bounds of exercise 4.2 demand
# of each layer if the gradient is to stay well conditioned at any depth? Is it enough that the
# entries have the right variance?

# %% [markdown]
# **Answer 4.3.** *Write your answer here.*

# %% [markdown]
# ## Equal units stay equal
#
# A second danger has nothing to do with depth. Swap two hidden units together with their weights
# and the network computes the same function: this is its [permutation
# symmetry](glossary.md#permutation-symmetry). If all weights start at one constant, the
# hidden units are equal, so their gradients are equal, so they are equal after every step.
#
# The function trains four ReLU units from a constant start by gradient descent on 500 images;
# `rate` is for the next section.

# %%
def train_from_constant(rate, steps=30):
    """Return how far apart the four hidden units end, and how far their weights moved."""
    X, y = tf.constant(train_X[:500]), train_y[:500]
    W1, W2 = tf.Variable(tf.fill((784, 4), 0.01)), tf.Variable(tf.fill((4, 10), 0.01))
    for _ in range(steps):
        kept = tf.cast(rng.uniform(size=(500, 4)) >= rate, tf.float32)
        with tf.GradientTape() as tape:
            H = tf.nn.relu(X @ W1) * kept
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(y, H @ W2)
            loss = tf.reduce_mean(losses)
        for W, slope in zip((W1, W2), tape.gradient(loss, (W1, W2))):
            W.assign_sub(0.1 * slope)
    return float(np.ptp(W1.numpy(), axis=1).max()), float(np.abs(W1 - 0.01).max())


# %%
apart, moved = train_from_constant(rate=0.0)
print(f"largest move of a weight {moved:.3f}, largest difference between units {apart:.0e}")

# %% [markdown]
# The weights did move, and all four units moved alike. This network has the power of one hidden
# unit, whatever its width.

# %% [markdown]
# ## Dropout breaks the symmetry
#
# Minibatches do not help, because every unit sees the same minibatch.
# [Dropout](glossary.md#dropout) (chapter 6) does: it sets each unit's output to zero at
# random, so two equal units see different gradients in the very first step. The usual remedy is
# simpler: [random initialization](glossary.md#random-initialization).

# %%
apart_with_dropout, _ = train_from_constant(rate=0.5)
print(f"with dropout 0.5, largest difference between units {apart_with_dropout:.3f}")


# %% [markdown]
# The same start, the same images, and now the units go different ways.

# %% [markdown]
# ## The same in Keras
#
# `models.mlp` builds a `keras.Sequential`; `keras.initializers.Constant` starts its kernels, and
# minibatches replace the full gradient. Count the units that differ from the first by more than
# 0.001 in some weight, and the first itself.

# %%
def distinct_units(model):
    """Count the hidden units of the first layer that differ from its first unit, plus one."""
    W1 = model.layers[0].get_weights()[0]
    return 1 + int((np.abs(W1 - W1[:, :1]).max(axis=0) > 1e-3).sum())


# %%
for rate in (0.0, 0.5):
    constant = keras.initializers.Constant(0.01)
    model = models.mlp((8,), rate=rate, kernel_initializer=constant)
    model.compile(optimizer=keras.optimizers.SGD(0.1),
                  loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    training.fit(model, train_X, train_y, epochs=2, batch_size=100, seed=0)
    print(f"dropout {rate}: {distinct_units(model)} distinct units of 8")


# %% [markdown]
# Two hundred minibatches leave eight equal units; with dropout all eight differ. Scratch and Keras
# agree.

# %% [markdown]
# ### Exercise 4.4 — Two more symmetries (d2l 5.4.1)
# *3 points · ★★☆ · 20 min · stuck? run `hint("4.4")`*
#
# **Given** the `weights` of a network with one hidden layer, the list `[W1, b1, W2, b2]`: $O =
# \phi(X W_1 + b_1) W_2 + b_2$.
#
# **Write** two functions that return a new list with the same outputs. `flip_unit(weights, unit)`
# negates what goes into one tanh unit and undoes this after the unit. `rescale_unit(weights, unit,
# factor)` multiplies what goes into one ReLU unit by `factor` and undoes this after the unit; a
# factor that is not positive is a `ValueError`.
#
# **Shapes** W1 (d, h), b1 (h,), W2 (h, q), b2 (q,), in and out; `unit` counts from 0.
#
# **Done when** only the one unit's weights change, and both the outputs and the given arrays stay
# the same.

# %%
def flip_unit(weights, unit):
    """Return the weights of the same tanh network with the sign of one hidden unit flipped."""
    raise NotImplementedError("Exercise 4.4")


def rescale_unit(weights, unit, factor):
    """Return the weights of the same ReLU network with one hidden unit scaled by `factor`."""
    raise NotImplementedError("Exercise 4.4")


# %%
check("4.4", flip_unit, rescale_unit)


# %% [markdown]
# ### Exercise 4.5 — Which symmetries a network has (d2l 5.4.1)
# *2 points · ★★☆ · 10 min · stuck? run `hint("4.5")`*
#
# Which symmetries besides the permutation of hidden units can a network have, and which property of
# the activation is behind each? Which kind of symmetry has to be broken at the start, and why do
# the others do no harm?

# %% [markdown]
# **Answer 4.5.** *Write your answer here.*

# %% [markdown]
# ### Exercise 4.6 — A constant start for linear and softmax regression (d2l 5.4.2)
# *3 points · ★★☆ · 20 min · stuck? run `hint("4.6")`*
#
# Does a constant start hurt a model without hidden units?
#
# **Given** data, a `constant` at which every weight and every bias starts, a `learning_rate` and a
# number of `steps` of gradient descent on all rows together.
#
# **Write** `fit_linear(X, y, constant, learning_rate, steps)` for $\hat y = Xw + b$ with the mean
# of $(\hat y - y)^2$ as loss, returning `w, b`; and `fit_softmax(X, labels, classes, constant,
# learning_rate, steps)` for logits $XW + b$ with the mean cross-entropy, returning `W, b`.
#
# **Shapes** X (n, d); y (n,), w (d,), b one number; labels (n,) integers, W (d, classes), b
# (classes,).
#
# **Done when** the first steps match the formulas and the start no longer shows at the end.

# %%
def fit_linear(X, y, constant, learning_rate, steps):
    """Return w and b after gradient descent on the mean squared error from a constant start."""
    raise NotImplementedError("Exercise 4.6")


def fit_softmax(X, labels, classes, constant, learning_rate, steps):
    """Return W and b after gradient descent on the cross-entropy from a constant start."""
    raise NotImplementedError("Exercise 4.6")


# %%
check("4.6", fit_linear, fit_softmax)


# %% [markdown]
# ### Exercise 4.7 — A constant start, with and without a hidden layer (d2l 5.4.2)
# *2 points · ★★☆ · 20 min · stuck? run `hint("4.7")`*
#
# **Given** `train_X`, `train_y`, `test_X`, `test_y`, `distinct_units` and `models.mlp(hidden_units,
# kernel_initializer=..., seed=...)`, which without hidden units is softmax regression.
#
# **Write** `train_from(start, hidden_units, seed)`, which trains a model from the start
# `"constant"` (all kernels 0.01) or `"glorot"` (Keras's `"glorot_uniform"`) and returns it with its
# test accuracy. Pass the seed on to `models.mlp` and to `training.fit`: the same seed gives the
# same accuracy. Five epochs of SGD with learning rate 0.1 and batch size 64 take about a second.
# Then fill `constant_start` by calling it with one seed: under `"seed"` this seed, under
# `"softmax"` (hidden units `()`) and under `"mlp"` (`(64,)`) a dict with the test accuracy from
# each start, under `"distinct_units"` a dict with the count for the MLP from each start. Which of
# the four will suffer?
#
# **Shapes** a Keras model and a number between 0 and 1; counts from 1 to 64.
#
# **Done when** new runs with your seed confirm the table.

# %%
def train_from(start, hidden_units, seed):
    """Return a model trained from the start, and its test accuracy."""
    raise NotImplementedError("Exercise 4.7")


constant_start = None

# %%
check("4.7", train_from, constant_start)

# %% [markdown]
# ## What Keras does by default
#
# If you name no initializer, `Dense` draws its kernel from `glorot_uniform` and sets its bias to
# zero. A bias may start at zero, because the kernel has broken the symmetry already. The next
# sections show where this default comes from.

# %%
default_layer = keras.layers.Dense(256)
default_layer.build((None, 784))
default_kernel, default_bias = default_layer.get_weights()
print(type(default_layer.kernel_initializer).__name__, default_kernel.shape,
      "- biases from", default_bias.min(), "to", default_bias.max())

# %% [markdown]
# "Glorot" is the same as "Xavier": Xavier Glorot is one person, with a first name and a last name.

# %% [markdown]
# ## The variance on the way forward
#
# Look at one output of a layer without bias and activation, with
# [fan-in](glossary.md#fan-in) $n_\mathrm{in}$:
#
# $$o_i = \sum_{j=1}^{n_\mathrm{in}} w_{ij} x_j.\tag{5.4.3}$$
#
# Let the weights be independent with mean 0 and variance $\sigma^2$, the inputs with mean 0 and
# variance $\gamma^2$. All mixed terms have mean 0, so $\mathrm{E}[o_i] = 0$ and
#
# $$\mathrm{Var}[o_i] = \sum_{j} \mathrm{E}[w_{ij}^2]\,\mathrm{E}[x_j^2] = n_\mathrm{in}\,\sigma^2\gamma^2.\tag{5.4.4}$$
#
# The variance stays as it is if $n_\mathrm{in}\sigma^2 = 1$. Try three values around that.

# %%
inputs = rng.normal(0, 2.0, size=(2_000, 400))  # gamma = 2
ratios = {}
for sigma in (0.02, 0.05, 0.1):
    outputs = inputs @ rng.normal(0, sigma, size=(400, 500))
    ratios[sigma] = outputs.var() / inputs.var()
    print(f"sigma {sigma}: variance times {ratios[sigma]:.1f}, formula {400 * sigma**2:.1f}")

# %% [markdown]
# The middle one, $\sigma = 1/\sqrt{400}$, hands the variance on unchanged.

# %% [markdown]
# ## The variance on the way back
#
# Gradients run through the transposed matrix, so each is a sum over the
# [fan-out](glossary.md#fan-out), and the same argument requires $n_\mathrm{out}\sigma^2
# = 1$. Both cannot hold unless the layer is square. [Xavier
# initialization](glossary.md#xavier-initialization) takes the mean:
#
# $$\tfrac12 (n_\mathrm{in} + n_\mathrm{out})\,\sigma^2 = 1 \quad\text{or equivalently}\quad \sigma = \sqrt{\frac{2}{n_\mathrm{in} + n_\mathrm{out}}}.\tag{5.4.5}$$

# %%
both_ways = {}
for fan_in, fan_out in [(500, 500), (800, 200)]:
    W = rng.normal(0, np.sqrt(2 / (fan_in + fan_out)), size=(fan_in, fan_out))
    forward = (rng.normal(size=(2_000, fan_in)) @ W).var()
    backward = (rng.normal(size=(2_000, fan_out)) @ W.T).var()
    both_ways[fan_in, fan_out] = forward, backward
    print(f"{fan_in} -> {fan_out}: forward {forward:.1f}, backward {backward:.1f}, "
          f"mean {(forward + backward) / 2:.1f}")

# %% [markdown]
# In the square layer both variances stay at 1. In the other one the forward variance grows, the
# backward variance shrinks, and their mean is 1: a compromise.

# %% [markdown]
# ## Normal or uniform
#
# Only the variance matters in this argument. A variable uniform on $(-a, a)$ has variance $a^2/3$,
# and with Xavier's variance
#
# $$w_{ij} \sim U\!\left(-\sqrt{\frac{6}{n_\mathrm{in} + n_\mathrm{out}}},\; \sqrt{\frac{6}{n_\mathrm{in} + n_\mathrm{out}}}\right).$$
#
# Keras has both forms. Its normal one is cut off at two standard deviations and widened so that the
# variance is still right.

# %%
drawn = {name: np.array(getattr(keras.initializers, name)(seed=1)((784, 256)))
         for name in ("GlorotUniform", "GlorotNormal")}
for name, W in drawn.items():
    print(f"{name}: variance x (fan-in + fan-out) / 2 = {W.var() * 1040 / 2:.1f}, "
          f"largest |w| x sqrt(1040) = {np.abs(W).max() * np.sqrt(1040):.2f}")


# %% [markdown]
# Both have Xavier's variance. The largest uniform weight reaches $\sqrt{6} \approx 2.45$, as the
# formula says.

# %% [markdown]
# ### Exercise 4.8 — Xavier's variance and uniform bound
# *1 point · ★☆☆ · 5 min · stuck? run `hint("4.8")`*
#
# **Given** a layer's `fan_in` and `fan_out`, positive integers.
#
# **Write** `xavier_variance(fan_in, fan_out)`, the variance of its weights, and
# `xavier_bound(fan_in, fan_out)`, the $a$ of the uniform distribution on $(-a, a)$ with that
# variance.
#
# **Shapes** two numbers in, one number out.
#
# **Done when** both are right for layers of any size.

# %%
def xavier_variance(fan_in, fan_out):
    """Return the variance of Xavier's weights."""
    raise NotImplementedError("Exercise 4.8")


def xavier_bound(fan_in, fan_out):
    """Return the bound of Xavier's uniform weights."""
    raise NotImplementedError("Exercise 4.8")


# %%
check("4.8", xavier_variance, xavier_bound)


# %% [markdown]
# ## ReLU needs twice as much
#
# The derivation left the activation out. Near zero, tanh is almost the identity, so Xavier suits
# it. ReLU sets the negative half of its inputs to zero, and with them half of the mean square:
# $\mathrm{E}[\max(0, z)^2] = \frac12 \mathrm{E}[z^2]$ for symmetric $z$. [He
# initialization](glossary.md#he-initialization) makes up for it:
#
# $$\sigma^2 = \frac{2}{n_\mathrm{in}}.$$
#
# What is left of the mean square after thirty layers of 300 units?

# %%
def size_by_layer(scale, activation="relu", depth=30, width=300):
    """Return the root mean square of each layer's activations, from weights scale x He's."""
    draw = np.random.default_rng(0)
    function = {"relu": lambda v: np.maximum(v, 0), "tanh": np.tanh, "sigmoid": sigmoid}[activation]
    H, found = draw.normal(size=(100, width)), []
    for _ in range(depth):
        H = function(H @ draw.normal(0, scale * np.sqrt(2 / width), size=(width, width)))
        found.append(np.sqrt((H**2).mean()))
    return np.array(found)

left = {"Xavier": size_by_layer(np.sqrt(0.5)), "He": size_by_layer(1.0)}
for name, found in left.items():
    print(f"{name}: mean square in layer 30 over layer 1: {(found[-1] / found[0]) ** 2:.1e}")


# %% [markdown]
# With Xavier's variance the mean square halves in each layer, to a billionth; with He's it survives.

# %% [markdown]
# ## The scale against the depth
#
# How precisely must the scale be right? The figure shows the size of the activations by layer for
# 0.8, 0.9, 1, 1.1 and 1.25 times He's deviation. What do you expect if it is ten per cent too large
# in each of thirty layers?

# %%
def draw_sizes(scales, activation="relu"):
    curves = {f"{scale:g} x He's": size_by_layer(scale, activation) for scale in scales}
    plotting.lines(np.arange(1, 31), curves, xlabel="layer, from the input",
                   ylabel="size of the activations", yscale="log", title=activation)

draw_sizes((1.25, 1.1, 1.0, 0.9, 0.8))
print("layer 30 at 1.1 x He's:", size_by_layer(1.1)[-1].round(1))

# %% [markdown]
# Over thirty layers, ten per cent becomes a factor of $1.1^{30} \approx 17$. With a running kernel,
# move the slider, and choose tanh: it saturates instead of exploding, which hides the error in the
# forward pass.

# %%
_ = widgets.interact(lambda scale, activation: draw_sizes((1.0, scale), activation),
                     scale=widgets.FloatSlider(1.1, min=0.5, max=2.0, step=0.05),
                     activation=["relu", "tanh", "sigmoid"])


# %% [markdown]
# For ReLU every scale but one is a straight line up or down: ReLU never corrects an error.

# %% [markdown]
# ### Exercise 4.9 — He's initialization
# *2 points · ★☆☆ · 10 min · stuck? run `hint("4.9")`*
#
# **Given** `fan_in`, `fan_out` and an integer `seed`.
#
# **Write** `he_weights(fan_in, fan_out, seed)`: normally distributed weights with mean 0 and He's
# variance. The same seed gives the same weights, another seed gives others.
#
# **Shapes** (fan_in, fan_out) out.
#
# **Done when** mean, spread, shape and seed are right for wide and for narrow layers.

# %%
def he_weights(fan_in, fan_out, seed):
    """Return normal weights of shape (fan_in, fan_out) with He's variance."""
    raise NotImplementedError("Exercise 4.9")


# %%
check("4.9", he_weights)


# %% [markdown]
# ### Exercise 4.10 — The scale that keeps the variance
# *3 points · ★★★ · 25 min · stuck? run `hint("4.10")`*
#
# **Given** any elementwise `activation`, a function of NumPy arrays, and the width `fan_in`. Each
# layer computes $z^{(l+1)}_i = \sum_j w_{ij}\,\phi(z^{(l)}_j)$ with independent normal weights of
# mean 0. In a wide network the $z^{(l)}_j$ are normal with mean 0, too.
#
# **Write** `choose_scale(activation, fan_in)`: the standard deviation of the weights for which the
# variance of $z$ stays 1.
#
# **Shapes** a function and an integer in, one number out.
#
# **Done when** the expected variance stays within 10 % of 1 across 20 layers for the identity,
# ReLU, leaky ReLU, tanh and sigmoid: an error of half a per cent per layer is too much.

# %%
def choose_scale(activation, fan_in):
    """Return the standard deviation of the weights that keeps the variance of z at 1."""
    raise NotImplementedError("Exercise 4.10")


# %%
check("4.10", choose_scale)


# %% [markdown]
# ## Four starts through thirty layers
#
# Now all four starts side by side: zero, small (0.01), Xavier and He. Thirty ReLU layers of 100
# units get the same 256 normal inputs, and the objective is the sum of the outputs times fixed
# random numbers. `signals` keeps every layer's activations and every matrix's gradient.

# %%
def signals(deviation, depth=30, width=100):
    """Return activations and gradients of a ReLU network, one array per layer."""
    draw = np.random.default_rng(4)
    X, V = draw.normal(size=(256, width)), draw.normal(size=(256, width))
    weights = [tf.Variable(deviation * draw.normal(size=(width, width))) for _ in range(depth)]
    with tf.GradientTape() as signal_tape:
        activations = [tf.constant(X)]
        for W in weights:
            activations.append(tf.nn.relu(activations[-1] @ W))
        slopes = signal_tape.gradient(tf.reduce_sum(V * activations[-1]), weights)
    return [H.numpy() for H in activations[1:]], [slope.numpy() for slope in slopes]


# %%
results = {"zero": signals(0.0), "small": signals(0.01),
           "Xavier": signals(np.sqrt(1 / 100)), "He": signals(np.sqrt(2 / 100))}
for name, (_, gradients) in results.items():
    print(f"{name:6} gradients that are not all zero: {sum(map(np.any, gradients))} of 30")

# %% [markdown]
# A zero start never moves. The other three all have gradients; the next figures show what they are
# worth.

# %% [markdown]
# ## Activations by layer
#
# One number per layer first: the root of the mean square of its activations, on a logarithmic axis.
# The zero start gives zeros from the first layer on, which no logarithm can show. Which of the
# other three will fall, and how fast?

# %%
depth = np.arange(1, 31)
sizes = {name: np.array([np.sqrt((H**2).mean()) for H in activations])
         for name, (activations, _) in results.items()}
plotting.lines(depth, {name: sizes[name] for name in ("small", "Xavier", "He")},
               xlabel="layer, from the input", ylabel="size of the activations", yscale="log")
print("in layer 30:", {name: f"{size[-1]:.0e}" for name, size in sizes.items()})

# %% [markdown]
# Small weights lose a factor of about fourteen per layer, Xavier's about 1.4, which is the square
# root of two that ReLU costs. He's line is level.

# %% [markdown]
# ## Histograms of the activations
#
# A size says little about the shape. These are the activations of layers 1, 10 and 30, all on the
# same axes. ReLU makes about half of them exactly zero, so the bar at zero extends beyond the top
# of the plot.

# %%
histograms = {name: {f"layer {index}": activations[index - 1] for index in (1, 10, 30)}
         for name, (activations, _) in results.items()}
plotting.histogram_grid(histograms, xlabel="activation", bins=np.linspace(0, 3, 41), top=1)


# %% [markdown]
# By layer 10 the small start has nothing left but the bar at zero; by layer 30 the same is true of
# Xavier's. Only He's network still has a spread of values there.

# %% [markdown]
# ## Histograms of the gradients
#
# The gradients of the same networks span many orders of magnitude, so this figure shows the
# logarithm of their absolute values, for the first, the middle and the last matrix. Entries that
# are exactly zero have no logarithm; they are left out.

# %%
def powers(slope):
    return np.log10(np.abs(slope[slope != 0]))

logarithms = {name: {f"matrix {index}": powers(gradients[index - 1]) for index in (1, 15, 30)}
         for name, (_, gradients) in results.items()}
plotting.histogram_grid(logarithms, xlabel="log10 |gradient|", bins=np.linspace(-40, 6, 93))

# %% [markdown]
# Each row has its hump in one place: near $10^{-33}$ for the small start, near $10^{-4}$ for Xavier's,
# near 1 for He's. The gradient of a matrix is the product of what comes from below and what comes
# from above, so a signal lost anywhere is lost for all matrices.

# %% [markdown]
# ## The same start in Keras
#
# `kernel_initializer="he_normal"` is all it takes. To see that it is the same thing, take the
# kernels of the Keras model, run the loop from above in NumPy, and compare the logits.

# %%
deep_he = models.mlp((100,) * 30, kernel_initializer="he_normal")
by_keras = deep_he(train_X[:256]).numpy()
by_hand = train_X[:256]
for layer in deep_he.layers[:-1]:
    kernel, bias = layer.get_weights()
    by_hand = np.maximum(by_hand @ kernel + bias, 0)
kernel, bias = deep_he.layers[-1].get_weights()
by_hand = by_hand @ kernel + bias

# %%
print("by hand:", by_hand[0, :4].round(4), "by Keras:", by_keras[0, :4].round(4))

# %%
deviation = deep_he.layers[5].get_weights()[0].std() * np.sqrt(100 / 2)
print(f"standard deviation of a kernel over He's: {deviation:.1f}")

# %% [markdown]
# The same numbers come out, and the kernels have He's deviation.

# %% [markdown]
# ## The gradient that does not vanish
#
# Back to the figure of the thirty sigmoid layers. Beside it, put a network of the same depth and
# width with ReLU and He's start, on the same images and with the same loss.

# %%
deep_relu = models.mlp((64,) * 30, activation="relu", kernel_initializer="he_normal")
relu_norms = gradient_norms(deep_relu, train_X[:256], train_y[:256])
plotting.lines(np.arange(1, 32), {"sigmoid, Glorot": sigmoid_norms, "ReLU, He": relu_norms},
               xlabel="layer, from the input", ylabel="length of the gradient", yscale="log")

# %%
print(f"first over last: sigmoid {sigmoid_norms[0] / sigmoid_norms[-1]:.0e}, "
      f"ReLU {relu_norms[0] / relu_norms[-1]:.1f}")


# %% [markdown]
# From He's start the line is nearly level: over thirty layers the gradient stays within a factor of
# about thirty, where the sigmoid network loses eighteen powers of ten.

# %% [markdown]
# ## Dead units, counted
#
# ReLU has a danger of its own. A unit whose input is negative for every image passes no gradient
# (the shut gate of chapter 3), so its own weights no longer change. A step that is too long can do that.
# Train 784-128-128-10 for two epochs with growing learning rates, and count the hidden units, 256 in
# all, that are zero for all 2,000 test images. At which rate do units begin to die?

# %%
def dead_units(learning_rate):
    """Train, and return the number of dead hidden units and the test accuracy."""
    model = models.mlp((128, 128), kernel_initializer="he_normal")
    model.compile(optimizer=keras.optimizers.SGD(learning_rate), metrics=["accuracy"],
                  loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    training.fit(model, train_X, train_y, epochs=2, batch_size=64, seed=0)
    H, dead = test_X, 0
    for layer in model.layers[:2]:
        H = layer(H).numpy()
        dead += int((H.max(axis=0) == 0).sum())
    return dead, model.evaluate(test_X, test_y, verbose=0)[1]


# %%
dead_after = {rate: dead_units(rate) for rate in (0.01, 0.1, 0.3, 0.5, 0.7)}
plotting.bars({f"{rate:g}": dead for rate, (dead, _) in dead_after.items()},
              ylabel="dead units of 256", title="by learning rate")
for rate, (dead, accuracy) in dead_after.items():
    print(f"learning rate {rate}: {dead:3} dead units, test accuracy {accuracy:.3f}")


# %% [markdown]
# A handful are dead at every rate, since the start happened to shut them. From 0.3 on, the steps
# kill units: dozens, then half of them, then most, and the accuracy falls with the units that are
# left. Leaky ReLU, GELU and Swish (chapter 2) keep a slope below zero.

# %% [markdown]
# ### Exercise 4.11 — Train a 20-layer MLP from two starts
# *3 points · ★★☆ · 20 min · stuck? run `hint("4.11")`*
#
# **Given** `train_X` and `train_y`.
#
# **Write** `train_deep(start)`, which builds an MLP with 20 hidden ReLU layers of 64 units and 10
# logits, from `RandomNormal(stddev=0.01)` kernels for the start `"small"` and from He's normal ones
# for `"he"`, trains it, and returns the model and its history's dict. Six epochs of SGD with
# learning rate 0.03 and batch size 64 take about two seconds. An initializer that is used twice
# draws the same numbers twice, so give each layer its own, with its own seed (`models.mlp` would
# share one). Then draw both loss curves with `plotting.histories`. Where will the small start be
# after six epochs?
#
# **Shapes** a model, and a dict with `"loss"` and `"accuracy"`, one number per epoch, at least 3.
#
# **Done when** new runs show what the two starts lead to.

# %%
def train_deep(start):
    """Return a 20-layer MLP trained from the start, and its history."""
    raise NotImplementedError("Exercise 4.11")




# %%
check("4.11", train_deep)


# %% [markdown]
# ## Beyond
#
# Keeping the variance is a [heuristic](glossary.md#heuristic) about the average.
# [Orthogonal initialization](glossary.md#orthogonal-initialization) controls every
# direction: all singular values are one, and so are those of the product. Xiao and others trained
# convolutional networks of 10,000 layers from such a start. Normalization layers and residual
# connections keep the signal alive during training, when no initialization can.
#
# Repeat the product of 100 matrices, now with orthogonal 4 x 4 factors, next to Gaussian ones of
# the right variance.

# %%
def worst_over_best(factors):
    products = itertools.accumulate(factors, np.matmul)
    spectra = [np.linalg.svd(product, compute_uv=False) for product in products]
    return [max(spectrum[-1] / spectrum[0], 1e-16) for spectrum in spectra]

turns = np.linalg.qr(factors)[0]
spectra_ratios = {"orthogonal": worst_over_best(turns),
                  "Gaussian, variance 1/4": worst_over_best(factors / 2)}
plotting.lines(np.arange(1, 101), spectra_ratios, xlabel="matrices multiplied",
               ylabel="smallest / largest singular value", yscale="log")


# %% [markdown]
# The orthogonal product treats all directions alike, however many factors it has. The Gaussian one,
# of the same variance, keeps one direction and forgets the others, down to the rounding error.

# %% [markdown]
# ### Exercise 4.12 — A LARS step (d2l 5.4.4)
# *2 points · ★★☆ · 15 min · stuck? run `hint("4.12")`*
#
# Yang You, Igor Gitman and Boris Ginsburg correct gradients of the wrong size after the fact, by
# [layer-wise adaptive rate scaling](glossary.md#layer-wise-adaptive-rate-scaling), LARS.
#
# **Given** lists `weights` and `gradients` with one array per layer, the global `learning_rate`
# $\alpha$, the `trust` coefficient $\eta$ and the `weight_decay` $\beta$.
#
# **Write** `lars_step(weights, gradients, learning_rate, trust, weight_decay)`, which returns the
# list of new weights $w_l - \alpha \lambda_l (g_l + \beta w_l)$ with the local rate $\lambda_l =
# \eta \|w_l\| / (\|g_l\| + \beta \|w_l\|)$; where $\|w_l\|$ or the denominator is 0, take
# $\lambda_l = 1$.
#
# **Shapes** each new array has its layer's shape.
#
# **Done when** gradients of $10^{-6}$ and $10^6$ give steps of the right length, zeros give no NaN,
# and the given arrays are unchanged.

# %%
def lars_step(weights, gradients, learning_rate, trust, weight_decay):
    """Return the weights after one step with a learning rate of its own for each layer."""
    raise NotImplementedError("Exercise 4.12")


# %%
check("4.12", lars_step)

# %% [markdown]
# ### Exercise 4.13 — Can divergence be mended afterwards? (d2l 5.4.4)
# *2 points · ★★☆ · 10 min · stuck? run `hint("4.13")`*
#
# If some gradients are far too small or far too large, which part of the damage does a layer-wise
# rate mend, and which part can it not?

# %% [markdown]
# **Answer 4.13.** *Write your answer here.*

# %% [markdown]
# ## Recap
#
# - A gradient is a product of one matrix per layer, so it tends to vanish or to explode with depth.
# - A sigmoid's slope passes on a quarter of the gradient at most; ReLU with He's start keeps its
#   size.
# - Units that start equal stay equal: start at random. A bias may start at zero.
# - Xavier: variance $2 / (n_\mathrm{in} + n_\mathrm{out})$, for tanh-like units. He: $2 /
#   n_\mathrm{in}$, for ReLU.
# - A ReLU unit that is negative for every example is dead: it passes no gradient.
# - When a deep network does not learn, look at the histograms of activations and gradients by
#   layer.

# %%
progress("initialization")

# %% [markdown]
# ## Terms
#
# [eigenvalue](glossary.md#eigenvalue) ·
# [exploding gradient](glossary.md#exploding-gradient) ·
# [fan-in](glossary.md#fan-in) ·
# [fan-out](glossary.md#fan-out) ·
# [He initialization](glossary.md#he-initialization) ·
# [heuristic](glossary.md#heuristic) ·
# [layer-wise adaptive rate scaling](glossary.md#layer-wise-adaptive-rate-scaling) ·
# [orthogonal initialization](glossary.md#orthogonal-initialization) ·
# [permutation symmetry](glossary.md#permutation-symmetry) ·
# [random initialization](glossary.md#random-initialization) ·
# [saturation](glossary.md#saturation) ·
# [singular value](glossary.md#singular-value) ·
# [singular value decomposition](glossary.md#singular-value-decomposition) ·
# [vanishing gradient](glossary.md#vanishing-gradient) ·
# [Xavier initialization](glossary.md#xavier-initialization)
#
# ## Sources
#
# - Zhang, Lipton, Li, Smola, *Dive into Deep Learning*, [section
#   5.4](https://d2l.ai/chapter_multilayer-perceptrons/numerical-stability-and-init.html), CC BY-SA
#   4.0: formulas (5.4.1) to (5.4.5), exercises 5.4.1 to 5.4.4.
# - Hochreiter, *Untersuchungen zu dynamischen neuronalen Netzen*, diploma thesis, TU München, 1991.
# - Nair and Hinton, "Rectified linear units improve restricted Boltzmann machines", *ICML* 2010.
# - Glorot, Bordes, Bengio, ["Deep sparse rectifier neural
#   networks"](https://proceedings.mlr.press/v15/glorot11a.html), *AISTATS* 2011.
# - Glorot and Bengio, ["Understanding the difficulty of training deep feedforward neural
#   networks"](https://proceedings.mlr.press/v9/glorot10a.html), *AISTATS* 2010, section 4.2.
# - He, Zhang, Ren, Sun, ["Delving deep into rectifiers"](https://arxiv.org/abs/1502.01852), *ICCV*
#   2015, section 2.2.
# - You, Gitman, Ginsburg, ["Large batch training of convolutional
#   networks"](https://arxiv.org/abs/1708.03888), 2017, section 5.
# - Xiao and others, ["Dynamical isometry and a mean field theory of
#   CNNs"](https://arxiv.org/abs/1806.05393), *ICML* 2018.
