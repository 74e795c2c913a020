# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 3. Backpropagation
#
# *After [d2l 5.3](https://d2l.ai/chapter_multilayer-perceptrons/backprop.html), in TensorFlow and Keras 3, with a small automatic differentiation library built from scratch.*
#
# | To read | To run, CPU | To run, GPU | Difficulty | Exercises | Last run with |
# | --- | --- | --- | --- | --- | --- |
# | 100 min | 60 s on 2 cores | not measured | ★★★ | 21, 48 points | TensorFlow 2.21, Keras 3.15 |

# %% [markdown]
# ## What you will learn
#
# - **Estimate** a derivative from function values, with a step that is neither too large nor too
#   small.
# - **Derive** the forward and the backward pass of a network with one hidden layer, equation by
#   equation.
# - **Check** any gradient against differences, and find the entry that is wrong.
# - **Build** a small automatic differentiation library and train a network with it.
# - **Count** what training stores and prediction does not.
#
# ## Before you start
#
# You need the linear neuron and its gradient from [chapter 1](01_perceptrons.ipynb), and hidden
# layers, `keras.Sequential` and `GradientTape` from [chapter 2](02_multilayer_perceptrons.ipynb).

# %% [markdown]
# ## Setup
#
# `autograd` and `numeric` are the finished forms of what this page builds; each is used after its
# lesson. The exercises take about five and a half hours, so plan more than one sitting.

# %%
from helpers import autograd, check, data, hint, numeric, plotting, progress, solution, training

import functools
import itertools
import subprocess
import sys
import time
import timeit

import ipywidgets as widgets
import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf

keras.utils.set_random_seed(3)
print(training.device())


# %% [markdown]
# ## A slope from two values
#
# The derivative of $f$ at $x$ says how fast $f$ changes there. Its definition is a limit, which a
# computer cannot take. But it can stop early, at a small step $h$:
#
# $$f'(x) \approx \frac{f(x + h) - f(x)}{h}.\tag{3.1}$$
#
# This is the [forward difference](glossary.md#forward-difference), the plainest form of
# [numerical differentiation](glossary.md#numerical-differentiation). For $f = \exp$ at
# $x = 0$ the true slope is 1.

# %%
def forward_difference(f, x, h):
    return (f(x + h) - f(x)) / h

for step in (1.0, 0.1, 0.01, 0.001):
    estimate = forward_difference(np.exp, 0.0, step)
    print(f"h = {step:<6} estimate {estimate:.5f}   error {estimate - 1:.5f}")

# %% [markdown]
# A step ten times smaller makes the error ten times smaller: it is about $h/2$ here.

# %% [markdown]
# ## A slope from both sides
#
# The forward difference looks to the right only. The [central
# difference](glossary.md#central-difference) looks to both sides:
#
# $$f'(x) \approx \frac{f(x + h) - f(x - h)}{2h}.\tag{3.2}$$
#
# Write both values of $f$ as Taylor series around $x$. The terms with $h^2$ are equal and cancel,
# so what is left over, the [truncation error](glossary.md#truncation-error), is about
# $h^2 f'''(x)/6$ instead of $h f''(x)/2$. The figure draws both estimates for $h = 1$.

# %%
domain = np.linspace(-1.5, 1.5, 100)
chords = {"exp": np.exp(domain), "tangent, slope 1.00": 1 + domain}
for name, left in (("forward", 0.0), ("central", -1.0)):
    rise = (np.e - np.exp(left)) / (1 - left)
    chords[f"{name}, slope {rise:.2f}"] = np.e + rise * (domain - 1)
axes = plt.subplots()[1]
plotting.lines(domain, chords, xlabel="x", ylabel="exp(x)", ax=axes)
axes.plot([-1, 0, 1], np.exp([-1, 0, 1]), "o", color="black")
plt.show()


# %% [markdown]
# The forward line joins the dots at 0 and 1; its slope is 72 % too large. The central line joins
# those at −1 and 1; its slope, 1.18, is 18 % too large even for this huge step.

# %% [markdown]
# ### Exercise 3.1 — Central difference
# *1 point · ★☆☆ · 5 min · stuck? run `hint("3.1")`*
#
# **Given** a function `f`, a number `x` and a step `h`.
#
# **Write** `central_difference(f, x, h=1e-5)` as in (3.2).
#
# **Shapes** a number in, a number out; for an array `x` and a function that works entry by entry,
# an array of the same shape.
#
# **Done when** the result matches (3.2) for rising and falling functions and several $h$.

# %%
def central_difference(f, x, h=1e-5):
    """Return the slope of f at x, estimated from both sides."""
    raise NotImplementedError("Exercise 3.1")


# %%
check("3.1", central_difference)

# %% [markdown]
# ## Rounding against truncation
#
# Is a smaller step always better? A float64 keeps about 16 digits, so each value of $f$ is off by
# about $\varepsilon |f|$ with $\varepsilon \approx 10^{-16}$. In $f(x+h) - f(x-h)$ the leading
# digits cancel, and this [loss of significance](glossary.md#loss-of-significance)
# leaves mostly error. Divided by $h$, this error grows as $h$ shrinks:
#
# $$\text{error} \approx \underbrace{\tfrac{h^2}{6} |f'''|}_{\text{truncation}} + \underbrace{\tfrac{\varepsilon}{h} |f|}_{\text{rounding}}.\tag{3.3}$$
#
# The sum is smallest near $h = \varepsilon^{1/3} \approx 10^{-5}$; for the forward difference near
# $\sqrt{\varepsilon} \approx 10^{-8}$. Both are measured here for sine, as a mean over 50 points.
# Before you look: which of the two curves has the steeper right side, and which the lower minimum?

# %%
steps = 10.0 ** np.linspace(0, -14, 57)
points = np.linspace(0.5, 1.5, 50)

def mean_error(estimate, h):
    return np.mean([abs(estimate(np.sin, x, h) - np.cos(x)) for x in points])

errors = {"forward": [mean_error(forward_difference, h) for h in steps],
          "central": [mean_error(numeric.numerical_gradient, h) for h in steps]}
plotting.lines(steps, errors, xlabel="step h", ylabel="mean error of the slope",
               xscale="log", yscale="log")
best = {name: steps[np.argmin(values)] for name, values in errors.items()}

# %%
for name, values in errors.items():
    print(f"{name}: best h = {best[name]:.0e} with a mean error of {min(values):.0e}")


# %% [markdown]
# Read the curves from right to left. Truncation falls, with slope 1 for the forward and slope 2 for
# the central difference; then rounding takes over and rises. The central difference reaches a
# smaller minimum error, at a larger step. `numeric.numerical_gradient` uses $h = 10^{-5}$ for this
# reason.

# %% [markdown]
# ### Exercise 3.2 — The best step in float32
# *2 points · ★★☆ · 15 min · stuck? run `hint("3.2")`*
#
# Neural networks are trained in float32, which keeps 7 digits.
#
# **Given** $f = \sin$ at $x = 1$, whose slope is $\cos(1)$, and a step `h`.
#
# **Write** `float32_errors(h)`, which returns the absolute errors of the forward and of the central
# difference, both computed in `np.float32`. Convert `h` inside the function: the entries of
# `10.0 ** np.linspace(...)` are float64, and one float64 operand makes the whole result float64.
# Then fill `steps_float32` by calling it for at least 12 steps from 0.1 or more down to $10^{-6}$
# or less, at least one per power of ten, and plot the errors.
#
# **Shapes** a number in, two numbers out; `steps_float32` is a dict with the lists `"h"`,
# `"forward"` and `"central"` and the steps `"best_forward"` and `"best_central"` of the smallest
# errors.
#
# **Done when** both errors fall and rise again. It takes less than a second to run.

# %%
def float32_errors(h):
    """Return the errors of the forward and the central difference of sine at 1."""
    raise NotImplementedError("Exercise 3.2")


steps_float32 = None

# %%
check("3.2", float32_errors, steps_float32)


# %% [markdown]
# ## Many inputs: the gradient
#
# A function of two variables has a slope in each direction. Hold one variable still and move the
# other: that slope is a [partial derivative](glossary.md#partial-derivative). All of
# them together, arranged like the input, form the [gradient](glossary.md#gradient):
#
# $$\nabla f(x_0, x_1) = \left(\frac{\partial f}{\partial x_0}, \frac{\partial f}{\partial x_1}\right).\tag{3.4}$$
#
# The gradient points uphill, where $f$ grows fastest; its negative points downhill. The example is
# a long bowl, $f(x_0, x_1) = x_0^2/10 + x_1^2$, seen from above.

# %%
def bowl(x):
    return x[0] ** 2 / 10 + x[1] ** 2

def draw_bowl(axes):
    across, up = np.meshgrid(np.linspace(-3.4, 3.4, 200), np.linspace(-2.4, 2.4, 200))
    height = bowl([across, up])
    levels = np.arange(0, 7.5, 0.5)
    axes.contourf(across, up, height, levels, cmap="Blues", vmax=10)
    axes.contour(across, up, height, levels, colors="white", linewidths=1.2)
    axes.plot(0, 0, "*", color="black", markersize=10, label="minimum")
    axes.set(xlabel="$x_0$", ylabel="$x_1$", aspect="equal")


# %% [markdown]
# `draw_bowl` shades the bowl, darker where it is higher, with a white line at every half unit of
# height and a star at the minimum. The arrows go on top, one at each point of a grid.

# %%
grid = np.array([(a, b) for a in np.linspace(-3, 3, 9) for b in np.linspace(-2, 2, 7)])
field = np.array([-numeric.numerical_gradient(bowl, corner) for corner in grid])
figure, axes = plt.subplots(figsize=(6, 4))
draw_bowl(axes)
axes.quiver(*grid.T, *field.T, angles="xy", scale_units="xy", scale=6, color="C1", width=0.006)
axes.set_title("negative gradient of the bowl")
plt.show()
print("gradient at (2, 1):", numeric.numerical_gradient(bowl, [2.0, 1.0]).round(6))

# %% [markdown]
# Each arrow crosses the lines of equal height at a right angle, the steepest way down. That is
# seldom the way to the star: most arrows point across the valley, and on its floor, where the lines
# lie far apart, hardly anything is left of them.

# %% [markdown]
# ## A trap: integers
#
# To differentiate numerically you change an entry by $h$. An array of integers cannot hold
# such a change.

# %%
whole = np.array([3, 4])
whole[0] = whole[0] + 1e-5
print("3 plus 0.00001 is stored as", whole[0])


# %% [markdown]
# NumPy cuts off the fraction without a word. A numerical gradient that works in place returns
# nonsense here, so convert to float64 first, on a copy: the caller still needs the original.

# %% [markdown]
# ### Exercise 3.3 — Numerical gradient of any array
# *3 points · ★★☆ · 20 min · stuck? run `hint("3.3")`*
#
# **Given** a function `f` that takes an array and returns one number, and an array `x`.
#
# **Write** `numerical_gradient(f, x)` with central differences and $h = 10^{-5}$.
#
# **Shapes** `x` of any shape and any real dtype, integers and float32 included; the gradient has
# the shape of `x` and is float64.
#
# **Done when** it is right for one, two and three axes and entries of both signs, and `x` is left
# as it was.

# %%
def numerical_gradient(f, x):
    """Return the gradient of f at x, one entry at a time."""
    raise NotImplementedError("Exercise 3.3")


# %%
check("3.3", numerical_gradient)

# %% [markdown]
# ## Downhill, step by step
#
# [Gradient descent](glossary.md#gradient-descent) repeats one step against the
# gradient:
#
# $$\mathbf{x} \leftarrow \mathbf{x} - \eta\, \nabla f(\mathbf{x}).\tag{3.5}$$
#
# The [learning rate](glossary.md#learning-rate) $\eta$ sets its length. Take
# 15 steps down the bowl with three learning rates, using the exact gradient $(x_0/5, 2x_1)$. Which
# of 0.1, 0.8 and 1.02 will end lowest?

# %%
figure, axes = plt.subplots(figsize=(6, 4))
draw_bowl(axes)
ends = {}
for learning_rate, style in ((0.1, "o-"), (0.8, "s--"), (1.02, "^:")):
    point, path = np.array([-2.8, 1.2]), []
    for _ in range(15):
        path.append(point)
        point = point - learning_rate * np.array([point[0] / 5, 2 * point[1]])
    ends[learning_rate] = bowl(point)
    axes.plot(*np.transpose(path), style, markersize=4, label=f"learning rate {learning_rate}")
axes.legend(loc="lower right", fontsize="small", frameon=True)
plt.show()
print({rate: f"height {height:.4f}" for rate, height in ends.items()})


# %% [markdown]
# At 0.1 the path crawls along the valley, and 15 steps are not enough. At 0.8 it swings from side
# to side and is nearly there. At 1.02 each swing is larger than the last: it diverges.

# %% [markdown]
# ### Exercise 3.4 — Gradient descent
# *2 points · ★☆☆ · 10 min · stuck? run `hint("3.4")`*
#
# **Given** a function `gradient` that takes a point and returns its gradient, a point `start`, a
# `learning_rate` and a number of `steps`.
#
# **Write** `gradient_descent(gradient, start, learning_rate, steps)`, which returns every point it
# visits.
#
# **Shapes** `start` of shape (n,), also of integers; the path has shape (steps + 1, n), with the
# start in row 0.
#
# **Done when** the path is right and `start` is left as it was.

# %%
def gradient_descent(gradient, start, learning_rate, steps):
    """Return the path of gradient descent, one point per row."""
    raise NotImplementedError("Exercise 3.4")


# %%
check("3.4", gradient_descent)

# %% [markdown]
# ## The gradient of a loss with respect to a matrix
#
# In a network the variables are the entries of weight matrices. Take one input with two features,
# three classes and a $2 \times 3$ matrix $\mathbf{W}$. The logits are $\mathbf{x}\mathbf{W}$, and
# the loss is the cross-entropy of the true class. Change each of the six weights a little, and you
# have six partial derivatives: a matrix of the shape of $\mathbf{W}$.

# %%
features, label = np.array([0.6, 0.9]), 2
class_weights = np.array([[0.5, 1.0, 0.8], [0.9, 0.1, 0.7]])

def matrix_loss(W):
    logits = features @ W
    return np.log(np.exp(logits).sum()) - logits[label]

matrix_gradient = numeric.numerical_gradient(matrix_loss, class_weights)
print("loss", round(matrix_loss(class_weights), 4), "- gradient of shape", matrix_gradient.shape)
print(matrix_gradient.round(4))

# %% [markdown]
# Both features are positive, so larger weights raise a logit: those of the true class lower the
# loss (negative column), those of the other classes raise it. Every row sums to zero.

# %% [markdown]
# ### Exercise 3.5 — The shape of a gradient (d2l 5.3.1)
# *1 point · ★☆☆ · 3 min · stuck? run `hint("3.5")`*
#
# The input $\mathbf{X}$ of a function $f$ is an $n \times m$ matrix, and $f$ returns one number.
# What shape does the gradient of $f$ with respect to $\mathbf{X}$ have, in the convention of this
# page?
#
# - **a** It is one number.
# - **b** $n \times m$
# - **c** $m \times n$
# - **d** $nm \times nm$
#
# Answer with a letter in quotes, such as `choice_3_5 = "a"`.

# %%
choice_3_5 = None

# %%
check("3.5", choice_3_5)


# %% [markdown]
# ### Exercise 3.6 — The gradient of a bilinear form (d2l 5.3.1)
# *1 point · ★☆☆ · 10 min · stuck? run `hint("3.6")`*
#
# **Given** a matrix `X` and two vectors `a` and `b`, and $f(\mathbf{X}) =
# \mathbf{a}^\top\mathbf{X}\mathbf{b}$.
#
# **Write** `bilinear_gradient(X, a, b)`, the exact gradient of $f$ with respect to $\mathbf{X}$, not
# an estimate by differences: it does not change when the entries of $\mathbf{X}$ are huge.
#
# **Shapes** `X` (n, m), `a` (n,), `b` (m,); the gradient as in the question before.
#
# **Done when** it is right for square and other matrices, and for any $\mathbf{X}$.

# %%
def bilinear_gradient(X, a, b):
    """Return the gradient of aᵀXb with respect to X."""
    raise NotImplementedError("Exercise 3.6")


# %%
check("3.6", bilinear_gradient)

# %% [markdown]
# ## Forward propagation
#
# Differences need two runs of the network for every weight. A network of a million weights needs a
# better way, and it begins with the run itself. [Forward
# propagation](glossary.md#forward-propagation) computes and **keeps** every
# intermediate value. For one example $\mathbf{x} \in \mathbb{R}^d$, one hidden layer without bias
# and weight decay $\lambda$:
#
# $$\mathbf{z} = \mathbf{W}^{(1)}\mathbf{x},\tag{5.3.1}$$
# $$\mathbf{h} = \phi(\mathbf{z}),\tag{5.3.2}$$
# $$\mathbf{o} = \mathbf{W}^{(2)}\mathbf{h},\tag{5.3.3}$$
# $$L = l(\mathbf{o}, \mathbf{y}),\tag{5.3.4}$$
# $$s = \tfrac{\lambda}{2}\left(\|\mathbf{W}^{(1)}\|_F^2 + \|\mathbf{W}^{(2)}\|_F^2\right),\tag{5.3.5}$$
# $$J = L + s.\tag{5.3.6}$$
#
# $\|\cdot\|_F$ is the [Frobenius norm](glossary.md#frobenius-norm). Here $\phi$ is
# tanh, and $l$ is half of the squared distance.

# %%
rng = np.random.default_rng(3)
x, y = rng.normal(size=3), rng.normal(size=2)
W1, W2, weight_decay = rng.normal(size=(4, 3)), rng.normal(size=(2, 4)), 0.1

def objective(W1, W2):
    z = W1 @ x
    h = np.tanh(z)
    o = W2 @ h
    L = ((o - y) ** 2).sum() / 2
    s = weight_decay / 2 * ((W1**2).sum() + (W2**2).sum())
    return {"z": z, "h": h, "o": o, "L": L, "s": s, "J": L + s}

kept = objective(W1, W2)
print({name: np.shape(value) for name, value in kept.items()})


# %% [markdown]
# Two hidden vectors, one output vector, three numbers. $J$ is the
# [objective function](glossary.md#objective-function) that training minimises.

# %% [markdown]
# ### Exercise 3.7 — Forward pass of a minibatch
# *2 points · ★☆☆ · 15 min · stuck? run `hint("3.7")`*
#
# Now for $n$ examples together, one per row, with ReLU: $\mathbf{Z} = \mathbf{X}\mathbf{W}^{(1)}$,
# $\mathbf{H} = \max(\mathbf{Z}, 0)$, $\mathbf{O} = \mathbf{H}\mathbf{W}^{(2)}$, $L =
# \frac{1}{2n}\|\mathbf{O} - \mathbf{Y}\|_F^2$, and $s$ and $J$ as before.
#
# **Given** `X`, `Y`, `W1`, `W2` and `weight_decay`.
#
# **Write** `forward(X, Y, W1, W2, weight_decay)`.
#
# **Shapes** `X` (n, d), `Y` (n, q), `W1` (d, h), `W2` (h, q); a dict with the keys `"z"` (n, h),
# `"h"` (n, h), `"o"` (n, q), and the numbers `"L"`, `"s"`, `"J"`.
#
# **Done when** all six values are right for one and for several examples.

# %%
def forward(X, Y, W1, W2, weight_decay):
    """Return every intermediate value of the network for a minibatch."""
    raise NotImplementedError("Exercise 3.7")


# %%
check("3.7", forward)

# %% [markdown]
# ## The computational graph
#
# Draw an arrow from each value to every value that is computed from it, and you have the
# [computational graph](glossary.md#computational-graph). Data and parameters are boxes,
# computed values are circles. The graph answers two questions at a glance. Which values must be
# ready before this one? Follow the arrows that come in. Which values does a weight influence?
# Follow the arrows that go out.

# %%
edges = [("$x$", "$z$"), ("$W^{(1)}$", "$z$"), ("$z$", "$h$"), ("$h$", "$o$"), ("$W^{(2)}$", "$o$"),
         ("$o$", "$L$"), ("$y$", "$L$"), ("$W^{(1)}$", "$s$"), ("$W^{(2)}$", "$s$"),
         ("$L$", "$J$"), ("$s$", "$J$")]
plotting.graph(edges)

# %% [markdown]
# Each weight matrix reaches $J$ on two paths: through the loss $L$ and through the penalty $s$. The
# derivative is the **sum over all paths**, so the gradient of each will have two terms.

# %% [markdown]
# ### Exercise 3.8 — The graph with a bias (d2l 5.3.2a)
# *1 point · ★☆☆ · 10 min · stuck? run `hint("3.8")`*
#
# Add a bias $\mathbf{b}^{(1)}$ to the hidden layer, outside the penalty, and draw one operation per
# node: $\mathbf{u} = \mathbf{W}^{(1)}\mathbf{x}$ and $\mathbf{z} = \mathbf{u} + \mathbf{b}^{(1)}$;
# the rest as before.
#
# **Given** the nodes `x, W1, b1, u, z, h, W2, o, y, L, s, J`.
#
# **Write** `edges_with_bias`, the list of the graph's edges, and draw it with `plotting.graph`.
#
# **Shapes** a list of pairs of names in quotes, from the operand to the result.
#
# **Done when** each edge of the graph is listed once, and nothing else.

# %%
edges_with_bias = None

# %%
check("3.8", edges_with_bias)

# %% [markdown]
# ## The chain rule
#
# Let $\mathsf{Y} = f(\mathsf{X})$ and $\mathsf{Z} = g(\mathsf{Y})$. The [chain
# rule](glossary.md#chain-rule) multiplies the derivatives along the path:
#
# $$\frac{\partial \mathsf{Z}}{\partial \mathsf{X}} = \text{prod}\left(\frac{\partial \mathsf{Z}}{\partial \mathsf{Y}}, \frac{\partial \mathsf{Y}}{\partial \mathsf{X}}\right).\tag{5.3.7}$$
#
# Here prod stands for the product that fits: for vectors it is the product of their
# [Jacobians](glossary.md#jacobian), the matrices of all partial derivatives. The cell
# computes the Jacobian of $\mathbf{o}$ with respect to $\mathbf{x}$ as a product of three, and once
# more by differences.

# %%
tanh_slope = np.diag(1 - kept["h"] ** 2)  # the Jacobian of tanh, entry by entry
product = W2 @ tanh_slope @ W1

rows = [numeric.numerical_gradient(lambda v, i=i: (W2 @ np.tanh(W1 @ v))[i], x) for i in (0, 1)]
print("shapes", W2.shape, tanh_slope.shape, W1.shape, "->", product.shape)
print("as a product:\n", product.round(4), "\nby differences:\n", np.round(rows, 4), sep="")


# %% [markdown]
# The product can be computed from either end. From the left, each step is a row times a matrix, and
# for a loss, which is one number, there is a single row. That is why we go backward.

# %% [markdown]
# ## A circuit with numbers
#
# Before matrices, follow single numbers through $p = ab$, $q = p + c$, $r = \max(q, 0)$, $J = rd$.
# Each operation treats the gradient that arrives in its own way. A **sum passes it on** to both
# operands. A **product swaps**: each operand gets the gradient times the other operand. **ReLU is a
# gate**: open, it passes the gradient on; shut, it stops it.

# %%
def circuit(c, a=2.0, b=-3.0, d=5.0):
    """Return the values, forward, and the gradients, backward, in the order of computation."""
    p = a * b
    q = p + c
    r = max(q, 0.0)
    values = {"a": a, "b": b, "c": c, "d": d, "p": p, "q": q, "r": r, "J": r * d}
    dr, dd = d, r
    dq = dr * (q > 0)
    gradients = {"J": 1.0, "r": dr, "d": dd, "q": dq, "p": dq, "c": dq, "a": dq * b, "b": dq * a}
    return values, gradients


# %% [markdown]
# `fill` draws the circuit after a number of steps: four values forward, then eight gradients
# backward, written below the values. Predict the gradient of $a$ for $c = 10$ before you look.

# %%
wires = [("a", "p"), ("b", "p"), ("p", "q"), ("c", "q"), ("q", "r"), ("r", "J"), ("d", "J")]

def fill(step, c):
    values, gradients = circuit(c)
    known, passed = list(values)[: 4 + min(step, 4)], list(gradients)[: max(step - 4, 0)]
    words = {name: name + (f" = {values[name]:g}" if name in known else "")
             + (f"\ngrad {gradients[name]:g}" if name in passed else "") for name in values}
    plotting.graph([(words[start], words[end]) for start, end in wires])

fill(step=12, c=10.0)
print(circuit(10.0)[1])

# %% [markdown]
# The gradient 5 passes the open gate and the sum unchanged; the product $ab$ turns it into
# $5 \cdot (-3) = -15$ for $a$ and $5 \cdot 2 = 10$ for $b$. With a running kernel, move the sliders:
# `step` fills the graph, and below $c = 6$ the gate shuts.

# %%
_ = widgets.interact(fill, step=widgets.IntSlider(12, min=0, max=12),
                     c=widgets.FloatSlider(1.0, min=-5.0, max=15.0))

# %% [markdown]
# At $c = 1$, where the slider starts, $q = -5$: the value 0 reaches $J$, and every gradient behind
# the gate is 0. A unit whose gate is shut for all examples is called a
# [dead ReLU](glossary.md#dead-relu) and learns
# nothing.

# %% [markdown]
# ## Backward through the output layer
#
# [Backpropagation](glossary.md#backpropagation) walks the graph from $J$ to the weights
# and reuses each gradient for the next. It starts with
#
# $$\frac{\partial J}{\partial L} = 1, \qquad \frac{\partial J}{\partial s} = 1,\tag{5.3.8}$$
# $$\frac{\partial J}{\partial \mathbf{o}} = \text{prod}\left(\frac{\partial J}{\partial L}, \frac{\partial L}{\partial \mathbf{o}}\right) = \frac{\partial L}{\partial \mathbf{o}},\tag{5.3.9}$$
# $$\frac{\partial s}{\partial \mathbf{W}^{(1)}} = \lambda \mathbf{W}^{(1)}, \qquad \frac{\partial s}{\partial \mathbf{W}^{(2)}} = \lambda \mathbf{W}^{(2)}.\tag{5.3.10}$$
#
# $\mathbf{W}^{(2)}$ has two paths to $J$, so its gradient is a sum of two terms:
#
# $$\frac{\partial J}{\partial \mathbf{W}^{(2)}} = \text{prod}\left(\frac{\partial J}{\partial \mathbf{o}}, \frac{\partial \mathbf{o}}{\partial \mathbf{W}^{(2)}}\right) + \text{prod}\left(\frac{\partial J}{\partial s}, \frac{\partial s}{\partial \mathbf{W}^{(2)}}\right) = \frac{\partial J}{\partial \mathbf{o}} \mathbf{h}^\top + \lambda \mathbf{W}^{(2)} \in \mathbb{R}^{q \times h}.\tag{5.3.11}$$

# %%
do = kept["o"] - y
dW2 = np.outer(do, kept["h"]) + weight_decay * W2

dW2_estimate = numeric.numerical_gradient(lambda V: objective(W1, V)["J"], W2)
print("dJ/dW2 of shape", dW2.shape, "by hand\n", dW2.round(4))
print("and by differences\n", dW2_estimate.round(4))

# %% [markdown]
# For half of the squared distance, $\partial L / \partial \mathbf{o}$ is $\mathbf{o} - \mathbf{y}$.
# Note that (5.3.11) needs $\mathbf{h}$, a value from the forward pass: the derivative of
# $o_i = \sum_j W^{(2)}_{ij} h_j$ with respect to $W^{(2)}_{ij}$ is $h_j$.

# %% [markdown]
# ## Backward through the hidden layer
#
# From $\mathbf{o}$ the gradient passes to $\mathbf{h}$, through the activation to $\mathbf{z}$, and
# to the first weights:
#
# $$\frac{\partial J}{\partial \mathbf{h}} = \text{prod}\left(\frac{\partial J}{\partial \mathbf{o}}, \frac{\partial \mathbf{o}}{\partial \mathbf{h}}\right) = {\mathbf{W}^{(2)}}^\top \frac{\partial J}{\partial \mathbf{o}} \in \mathbb{R}^h,\tag{5.3.12}$$
# $$\frac{\partial J}{\partial \mathbf{z}} = \text{prod}\left(\frac{\partial J}{\partial \mathbf{h}}, \frac{\partial \mathbf{h}}{\partial \mathbf{z}}\right) = \frac{\partial J}{\partial \mathbf{h}} \odot \phi'(\mathbf{z}) \in \mathbb{R}^h,\tag{5.3.13}$$
# $$\frac{\partial J}{\partial \mathbf{W}^{(1)}} = \text{prod}\left(\frac{\partial J}{\partial \mathbf{z}}, \frac{\partial \mathbf{z}}{\partial \mathbf{W}^{(1)}}\right) + \text{prod}\left(\frac{\partial J}{\partial s}, \frac{\partial s}{\partial \mathbf{W}^{(1)}}\right) = \frac{\partial J}{\partial \mathbf{z}} \mathbf{x}^\top + \lambda \mathbf{W}^{(1)} \in \mathbb{R}^{h \times d}.\tag{5.3.14}$$
#
# $h_j$ reaches $J$ through every $o_i$: the product with the transpose is the sum over these paths.
# $\odot$ multiplies entry by entry, as the activation works. For tanh, $\phi'(\mathbf{z}) = 1 -
# \mathbf{h}^2$.

# %%
dh = W2.T @ do
dz = dh * (1 - kept["h"] ** 2)
dW1 = np.outer(dz, x) + weight_decay * W1

dW1_estimate = numeric.numerical_gradient(lambda V: objective(V, W2)["J"], W1)
print("dJ/dW1 of shape", dW1.shape, "by hand\n", dW1.round(4))
print("and by differences\n", dW1_estimate.round(4))

# %% [markdown]
# Five lines give all 20 derivatives. Each product of the forward pass has two in the backward pass,
# one for its weights and one for its input, so a backward pass costs about two forward passes.
# Differences ran the network 40 times.

# %% [markdown]
# ## A batch: one example per row
#
# In code, a batch $\mathbf{X}$ has one example per row, as in exercise 3.7. A row is a transposed
# column, and $(\mathbf{A}\mathbf{b})^\top = \mathbf{b}^\top\mathbf{A}^\top$: so **every product
# changes sides**, weights are stored transposed, and the equations become, with their shapes,
#
# $$\frac{\partial J}{\partial \mathbf{O}}\;(n \times q), \qquad \frac{\partial J}{\partial \mathbf{W}^{(2)}} = \mathbf{H}^\top \frac{\partial J}{\partial \mathbf{O}} + \lambda\mathbf{W}^{(2)}\;(h \times q),\tag{3.6}$$
# $$\frac{\partial J}{\partial \mathbf{H}} = \frac{\partial J}{\partial \mathbf{O}} {\mathbf{W}^{(2)}}^\top\;(n \times h), \qquad \frac{\partial J}{\partial \mathbf{Z}} = \frac{\partial J}{\partial \mathbf{H}} \odot \phi'(\mathbf{Z})\;(n \times h),\tag{3.7}$$
# $$\frac{\partial J}{\partial \mathbf{W}^{(1)}} = \mathbf{X}^\top \frac{\partial J}{\partial \mathbf{Z}} + \lambda\mathbf{W}^{(1)}\;(d \times h).\tag{3.8}$$
#
# Each weight acts on every example, which adds one more set of paths: $\mathbf{H}^\top$ times the
# gradient sums over the examples.

# %%
one_row_dO = do[None, :]  # shape (1, q): a batch of one example
row_form = kept["h"][None, :].T @ one_row_dO + weight_decay * W2.T
print("column form", dW2.shape, "row form", row_form.shape)
print(f"largest difference after transposing: {np.abs(row_form - dW2.T).max():.0e}")


# %% [markdown]
# The same numbers, arranged the other way. When you are in doubt about a transpose, write down the
# shapes: only one arrangement fits.

# %% [markdown]
# ### Exercise 3.9 — The backward pass by hand
# *3 points · ★★★ · 25 min · stuck? run `hint("3.9")`*
#
# Write the backward pass that belongs to the minibatch network of exercise 3.7.
#
# **Given** the dict `values` that `forward` returns, and the arguments of `forward`.
#
# **Write** `backward(values, X, Y, W1, W2, weight_decay)`, which returns $\partial J/\partial
# \mathbf{W}^{(1)}$ and $\partial J/\partial \mathbf{W}^{(2)}$, in this order, by (3.6) to (3.8). Take
# $\mathbf{Z}$, $\mathbf{H}$ and $\mathbf{O}$ from `values`: nothing is computed a second time, and
# neither a tape nor differences are needed.
#
# **Shapes** as in 3.7; each gradient has the shape of its matrix.
#
# **Done when** both agree with differences, and depend on what is in `values`.

# %%
def backward(values, X, Y, W1, W2, weight_decay):
    """Return the gradients of J with respect to W1 and W2."""
    raise NotImplementedError("Exercise 3.9")


# %%
check("3.9", backward)


# %% [markdown]
# ### Exercise 3.10 — Forward and backward with a bias (d2l 5.3.2b)
# *3 points · ★★☆ · 25 min · stuck? run `hint("3.10")`*
#
# Back to one example and tanh, with a bias in the hidden layer: $\mathbf{z} =
# \mathbf{W}^{(1)}\mathbf{x} + \mathbf{b}^{(1)}$. The penalty leaves the bias out.
#
# **Given** `x`, `y`, `W1`, `b1`, `W2` and `weight_decay`.
#
# **Write** `cost_with_bias(x, y, W1, b1, W2, weight_decay)`, which returns $J$, and
# `gradients_with_bias` of the same arguments, which returns the gradients of $J$ with respect to
# `W1`, `b1` and `W2`, in this order.
#
# **Shapes** `x` (d,), `y` (q,), `W1` (h, d), `b1` (h,), `W2` (q, h).
#
# **Done when** all gradients agree with differences. Do not estimate them by differences yourself:
# the check also asks for labels so large that differences are lost in rounding.

# %%
def cost_with_bias(x, y, W1, b1, W2, weight_decay):
    """Return the objective J."""
    raise NotImplementedError("Exercise 3.10")


def gradients_with_bias(x, y, W1, b1, W2, weight_decay):
    """Return the gradients of J with respect to W1, b1 and W2."""
    raise NotImplementedError("Exercise 3.10")


# %%
check("3.10", cost_with_bias, gradients_with_bias)

# %% [markdown]
# ## Three gradients that agree
#
# TensorFlow's `GradientTape` records the operations of a forward pass and plays them back. This is
# [automatic differentiation](glossary.md#automatic-differentiation): exact, like the
# equations, but you need not derive them. Here it computes the same gradients from the forward pass
# alone.

# %%
V1, V2 = tf.Variable(W1), tf.Variable(W2)
with tf.GradientTape() as tape:
    o = tf.linalg.matvec(V2, tf.tanh(tf.linalg.matvec(V1, x)))
    loss = tf.reduce_sum((o - y) ** 2) / 2
    penalty = weight_decay / 2 * (tf.reduce_sum(V1**2) + tf.reduce_sum(V2**2))
    J = loss + penalty
tape_dW1, tape_dW2 = tape.gradient(J, [V1, V2])
by_tape = np.abs(dW1 - tape_dW1).max(), np.abs(dW2 - tape_dW2).max()
by_estimate = np.abs(dW1_estimate - tape_dW1).max(), np.abs(dW2_estimate - tape_dW2).max()

# %%
print(f"by hand against tape, W1 and W2:     {by_tape[0]:.0e} and {by_tape[1]:.0e}")
print(f"differences against tape, W1 and W2: {by_estimate[0]:.0e} and {by_estimate[1]:.0e}")


# %% [markdown]
# These are the largest absolute differences. Hand and tape differ by rounding only. Differences are
# coarser, about $10^{-10}$, and still close enough to find a mistake.

# %% [markdown]
# ## What a gradient costs
#
# Backpropagation is [reverse mode](glossary.md#reverse-mode): one pass from the result back gives the derivatives with
# respect to all inputs. [Forward mode](glossary.md#forward-mode) carries a derivative along with each value, from one input
# at a time, so $n$ inputs need $n$ passes. Differences need $2n$ runs. Time the three for growing
# $n$. How will each curve rise? On these logarithmic axes, time in proportion to $n$ has slope 1.

# %%
def wave(v):
    return tf.reduce_sum(tf.sin(v) * tf.cumsum(v))

def reverse_mode(v):
    with tf.GradientTape() as tape:
        tape.watch(v)
        value = wave(v)
    return tape.gradient(value, v)

def forward_mode(v):
    slopes = []
    for unit in tf.unstack(tf.eye(len(v), dtype=v.dtype)):
        with tf.autodiff.ForwardAccumulator(v, unit) as accumulator:
            value = wave(v)
        slopes.append(accumulator.jvp(value))
    return tf.stack(slopes)


# %%
def differences(v):
    return numeric.numerical_gradient(lambda u: wave(tf.constant(u)).numpy(), v.numpy())

inputs = [1, 10, 100]
modes = {"differences": differences, "forward mode": forward_mode, "reverse mode": reverse_mode}
seconds = {name: [] for name in modes}
for n in inputs:
    point_n = tf.linspace(tf.constant(0.1, tf.float64), 1.0, n)
    for name, mode in modes.items():
        call = functools.partial(mode, point_n)
        runs = timeit.repeat(call, number=1, repeat=9, timer=time.process_time)
        seconds[name].append(min(runs))
plotting.lines(inputs, seconds, xlabel="inputs n", ylabel="processor time (s)",
               xscale="log", yscale="log")
print({name: f"{times[-1] / times[0]:.1f} times as long" for name, times in seconds.items()})

# %% [markdown]
# For a hundred times as many inputs, forward mode and differences take many times as long; reverse
# mode hardly changes. A network has millions of inputs (its weights) and one output (its loss), the case
# for which reverse mode is made. With one input and many outputs it would be the other way round.

# %% [markdown]
# ## Gradient checking
#
# A wrong gradient raises no error. The loss may even fall, only more slowly. So before you trust a
# backward pass that you wrote, compare it with differences: [gradient
# checking](glossary.md#gradient-checking). Use float64, a small network and random
# numbers, and look at the **largest** difference, since a mean hides one wrong entry among many. We
# plant an error, a missing weight decay in a single entry.

# %%
planted = dW1.copy()
planted[2, 1] -= weight_decay * W1[2, 1]

def cost(V):
    return objective(V, W2)["J"]

found = numeric.gradient_check(cost, planted, W1)
print(f"largest difference {found.difference:.4f}, at {found.index}")
print(f"given {found.given:.4f}, by differences {found.numerical:.4f}")


# %% [markdown]
# The check names the entry, and the difference is the weight decay that is missing there. For the
# right gradient the largest difference is about $10^{-10}$. With ReLU, stay away from $z = 0$: differences step across the kink and
# disagree with a right gradient there.

# %% [markdown]
# ### Exercise 3.11 — A gradient check that points
# *2 points · ★★☆ · 15 min · stuck? run `hint("3.11")`*
#
# **Given** a function `f` of one array, an array `gradient` that is to be checked, and the point
# `x`.
#
# **Write** `gradient_check(f, gradient, x)`, which returns the largest absolute difference between
# `gradient` and the numerical gradient, and its place. You may call your `numerical_gradient` or
# `numeric.numerical_gradient`.
#
# **Shapes** `x` and `gradient` of one shape; a number and a tuple with one index for each axis.
#
# **Done when** it finds errors of either sign in arrays with one, two and three axes.

# %%
def gradient_check(f, gradient, x):
    """Return the largest difference and its index."""
    raise NotImplementedError("Exercise 3.11")


# %%
check("3.11", gradient_check)

# %% [markdown]
# ## What training has to remember
#
# Look at the backward equations again: (5.3.11) uses $\mathbf{h}$, (5.3.14) uses $\mathbf{x}$, and
# (5.3.13) uses $\phi'(\mathbf{z})$, which code may compute from $\mathbf{z}$ or, for tanh and ReLU,
# from $\mathbf{h}$. What a backward pass needs must be kept until it has used it. Prediction can
# forget a layer as soon as the next one is computed. There is only one copy of the weights and of
# their gradients; the intermediate values exist once per example. The cell runs a 784-256-256-10
# network and adds up the bytes of its inputs, of $\mathbf{z}$ and $\mathbf{h}$ of both hidden
# layers, and of its outputs.

# %%
layer_weights = [np.zeros(shape, np.float32) for shape in ((784, 256), (256, 256), (256, 10))]

def bytes_kept(batch_size):
    value = np.zeros((batch_size, 784), np.float32)
    total = value.nbytes
    for matrix in layer_weights[:-1]:
        pre_activation = value @ matrix
        value = np.maximum(pre_activation, 0)
        total += pre_activation.nbytes + value.nbytes
    return total + (value @ layer_weights[-1]).nbytes

print(f"for one example: {bytes_kept(1):,} bytes")

# %% [markdown]
# That is $784 + 4 \cdot 256 + 10$ numbers of 4 bytes. Now compare growing batches with the weights
# and their gradients. At what batch size do you expect the two to meet?

# %%
batch_sizes = [1, 16, 64, 256, 1024, 4096]
stored = [bytes_kept(batch_size) / 2**20 for batch_size in batch_sizes]
own = 2 * sum(matrix.nbytes for matrix in layer_weights) / 2**20
plotting.lines(batch_sizes, {"inputs and intermediates": stored, "weights, gradients": [own] * 6},
               xlabel="batch size (examples)", ylabel="memory (MiB)", xscale="log", yscale="log")
print(f"weights and gradients {own:.2f} MiB; 256 examples {stored[3]:.2f}, 4096 {stored[5]:.1f} MiB")

# %% [markdown]
# The curves meet at about 300 examples, and the memory for intermediates keeps growing in
# proportion to the batch. When a GPU runs out of memory, the batch is the first thing to shrink.

# %% [markdown]
# ## Trading memory for time
#
# [Activation checkpointing](glossary.md#activation-checkpointing) keeps the output of every $k$-th layer only. The backward pass computes
# the layers in between again, one stretch at a time. For $L$ layers it holds about $L/k + k$
# outputs instead of $L$, and pays one more forward pass. Try it on 100 tanh layers.

# %%
chain = np.random.default_rng(5).normal(0, 0.5, size=(100, 4, 4))

def layer(h, matrix):
    return np.tanh(h @ matrix)


# %%
def checkpointed(start, every):
    """Return the gradient of the last layer's sum and the most outputs held at a time."""
    h, starts = start, []
    for number, matrix in enumerate(chain):
        starts += [h] if number % every == 0 else []
        h = layer(h, matrix)
    gradient, most = np.ones(4), 0
    for index in reversed(range(len(starts))):
        stretch = chain[index * every : (index + 1) * every]
        outputs = list(itertools.accumulate(stretch, layer, initial=starts[index]))
        most = max(most, index + len(outputs))
        for h, matrix in zip(outputs[:0:-1], stretch[::-1]):
            gradient = matrix @ (gradient * (1 - h**2))
    return gradient, most


# %% [markdown]
# Which spacing $k$ needs the least memory?

# %%
spacings = [1, 2, 5, 10, 20, 50, 100]
runs = {every: checkpointed(np.ones(4), every) for every in spacings}
held = [most for _, most in runs.values()]
plotting.lines(spacings, {"outputs held": held}, xlabel="spacing k of the layers kept",
               ylabel="layer outputs held", xscale="log")
print("outputs held:", dict(zip(spacings, held)))


# %% [markdown]
# Every spacing gives the same gradient. The best is $k = \sqrt{L} = 10$, with 20 outputs held
# instead of 101. In TensorFlow, `tf.recompute_grad` does this to a function.

# %% [markdown]
# ### Exercise 3.12 — Memory for training and prediction (d2l 5.3.3)
# *2 points · ★★☆ · 15 min · stuck? run `hint("3.12")`*
#
# Count the numbers (not bytes) that the network (5.3.1) to (5.3.3) has in memory at its peak, for a
# batch of $n$ examples.
#
# **Given** `d` inputs, `h` hidden units, `q` outputs and `batch_size` $n$. Training keeps both
# matrices and a gradient for each, the batch $\mathbf{X}$ ($n \times d$) and $\mathbf{Y}$ ($n
# \times q$), and the intermediates $\mathbf{z}$, $\mathbf{h}$ and $\mathbf{o}$. Prediction keeps
# both matrices and runs three operations, $\mathbf{x} \to \mathbf{z} \to \mathbf{h} \to
# \mathbf{o}$; at any moment only the input and the output of one operation are in memory.
#
# **Write** `stored_numbers(d, h, q, batch_size)`.
#
# **Shapes** whole numbers in, two whole numbers out: training, prediction.
#
# **Done when** both counts are right for wide and narrow layers.

# %%
def stored_numbers(d, h, q, batch_size):
    """Return how many numbers training and prediction keep at their peak."""
    raise NotImplementedError("Exercise 3.12")


# %%
check("3.12", stored_numbers)


# %% [markdown]
# ## A variable remembers where it came from
#
# The rest of this page builds what `GradientTape` does. A program computes one value after the
# other; if each value remembers the operation that made it, and each operation its inputs, then the
# finished value holds the whole computational graph. First the value. Its
# [generation](glossary.md#generation) counts the operations on the longest path to it;
# we need it later.

# %%
class Variable:
    def __init__(self, data, creator=None):
        self.data = np.asarray(data, dtype=float)
        self.grad = None
        self.creator = creator
        self.generation = 0 if creator is None else creator.generation + 1

leaf = Variable([1, 2])
print("data", leaf.data, "- grad", leaf.grad, "- creator", leaf.creator)


# %% [markdown]
# A variable that no function computed is a [leaf](glossary.md#leaf): data, or a
# parameter.

# %% [markdown]
# ## A function computes and remembers
#
# A `Function` is one operation. Calling it computes the output with `forward` and remembers inputs
# and output. `backward` turns the gradient of the output into one gradient for each input: for one
# input an array, for several a tuple. `input_gradients` makes a tuple of either. Both methods are
# left to subclasses, and the base class says so.

# %%
class Function:
    def __call__(self, *inputs):
        self.inputs = tuple(v if isinstance(v, Variable) else Variable(v) for v in inputs)
        self.generation = max(v.generation for v in self.inputs)
        self.output = Variable(self.forward(*(v.data for v in self.inputs)), creator=self)
        return self.output

    def forward(self, *arrays):
        raise NotImplementedError(f"{type(self).__name__}.forward is missing")

    def backward(self, gradient):
        raise NotImplementedError(f"{type(self).__name__}.backward is missing")

    def input_gradients(self, gradient):
        gradients = self.backward(gradient)
        return tuple(gradients) if isinstance(gradients, tuple | list) else (gradients,)


# %% [markdown]
# Why not leave the two bodies empty with `pass`? Forget a method and see.

# %%
class Forgetful(Function):
    pass

try:
    Forgetful()(2.0)
except NotImplementedError as error:
    print("NotImplementedError:", error)


# %% [markdown]
# The base class names the class and the method. Now a class that has the method, but with an empty
# body:

# %%
class Silent(Function):
    def forward(self, x):
        pass

print("with pass:", Silent()(2.0).data)


# %% [markdown]
# An empty body returns `None`, NumPy turns that into `nan`, and the mistake shows up far away from
# its cause, as a loss that is not a number.

# %% [markdown]
# ## Two functions
#
# Each function knows its own derivative and nothing else. `backward` multiplies the gradient that
# arrives by the local derivative: one link of the chain rule.

# %%
class Sub(Function):
    def forward(self, a, b):
        return a - b

    def backward(self, gradient):
        return gradient, -gradient

print("gradients of a and of b:", Sub().input_gradients(1.0))


# %% [markdown]
# Raise $a$ and the difference grows as much; raise $b$ and it shrinks as much. `Tanh` has one
# input, and its derivative $1 - \tanh^2(x)$ needs nothing but the output, which `__call__` has kept.

# %%
class Tanh(Function):
    def forward(self, x):
        return np.tanh(x)

    def backward(self, gradient):
        return (1 - self.output.data**2) * gradient

made = Sub()(Tanh()(0.5), 1.0)
print("value", made.data.round(4), "- made by", type(made.creator).__name__,
      "- generation", made.generation)


# %% [markdown]
# `made` knows `Sub`; `Sub` knows its inputs; the first of them knows `Tanh`; and so on to the leaves.

# %% [markdown]
# ### Exercise 3.13 — Five functions
# *5 points · ★★☆ · 30 min · stuck? run `hint("3.13")`*
#
# **Given** the class `Function` above.
#
# **Write** the classes `Square`, `Exp`, `Add`, `Mul` (entry by entry) and `MatMul` (the product of
# two matrices), each with `forward` and `backward`. `forward` receives arrays; in `backward`, the
# arrays are `self.inputs[0].data` and so on.
#
# **Shapes** `Add` and `Mul` take two arrays of one shape, `MatMul` takes (n, d) and (d, h); each
# gradient has the shape of its input.
#
# **Done when** all five agree with differences and modify no array but their own. Each is worth a
# point.

# %%
class Square(Function):
    """Return x * x."""

    def forward(self, x):
        raise NotImplementedError("Exercise 3.13")

    def backward(self, gradient):
        raise NotImplementedError("Exercise 3.13")


class Exp(Function):
    """Return e to the power of x."""

    def forward(self, x):
        raise NotImplementedError("Exercise 3.13")

    def backward(self, gradient):
        raise NotImplementedError("Exercise 3.13")


class Add(Function):
    """Return a + b."""

    def forward(self, a, b):
        raise NotImplementedError("Exercise 3.13")

    def backward(self, gradient):
        raise NotImplementedError("Exercise 3.13")


class Mul(Function):
    """Return a * b, entry by entry."""

    def forward(self, a, b):
        raise NotImplementedError("Exercise 3.13")

    def backward(self, gradient):
        raise NotImplementedError("Exercise 3.13")


class MatMul(Function):
    """Return the matrix product of a and b."""

    def forward(self, a, b):
        raise NotImplementedError("Exercise 3.13")

    def backward(self, gradient):
        raise NotImplementedError("Exercise 3.13")


# %%
check("3.13", Square, Exp, Add, Mul, MatMul)


# %% [markdown]
# ## Backward along a line
#
# Where every function has one input, the graph is a line, and a loop follows it from the result to
# the leaf. The gradient of the result with respect to itself is 1.

# %%
def backward_line(result):
    result.grad = np.ones_like(result.data)
    function = result.creator
    while function is not None:
        (variable,) = function.inputs
        (variable.grad,) = function.input_gradients(function.output.grad)
        function = variable.creator


# %% [markdown]
# Each turn of the loop is one link of the chain rule. Try it on a long chain:

# %%
bottom = top = Variable(0.5)
for _ in range(10_000):
    top = Tanh()(top)
backward_line(top)
print(f"{top.generation:,} operations, gradient {bottom.grad:.3e}")


# %% [markdown]
# Ten thousand operations are no problem for a loop. A function that calls itself once for every
# operation would stop at about a thousand: Python limits the depth of its stack.

# %% [markdown]
# ## Branches need an order
#
# Where a value is used twice, two gradients arrive, and they add up. Let $a = \tanh(x)$, $b =
# \tanh(a)$ and $y = b - a$. The value $a$ is used by `Sub` and by the second `Tanh`. This loop
# keeps a list of functions to visit and takes whichever was found last.

# %%
def backward_as_found(result):
    result.grad, waiting = np.ones_like(result.data), [result.creator]
    while waiting:
        function = waiting.pop()
        gradients = function.input_gradients(function.output.grad)
        for variable, gradient in zip(function.inputs, gradients, strict=True):
            variable.grad = gradient if variable.grad is None else variable.grad + gradient
            if variable.creator is not None:
                waiting.append(variable.creator)


# %% [markdown]
# It looks right: gradients are added, and no function is left out.

# %%
root = Variable(0.5)
used_twice = Tanh()(root)
backward_as_found(Sub()(Tanh()(used_twice), used_twice))
truth = numeric.numerical_gradient(lambda v: np.tanh(np.tanh(v)) - np.tanh(v), 0.5)
print(f"as found {root.grad:.4f}, true {truth:.4f}")

# %% [markdown]
# Wrong. The first `Tanh` was visited as soon as `Sub` had put a gradient on $a$, before the second
# `Tanh` had added its share; then it was visited again, and the first share counted twice.

# %% [markdown]
# ## Order by generation
#
# A function may pass its gradient on only when all that use its output have been visited. The
# generation of a function is the highest generation of its inputs, so whatever uses its output has
# a higher one. Visit the **highest generation first**, and each gradient is complete before it is
# passed on. This is a [topological order](glossary.md#topological-order). Put no
# function on the list twice.

# %%
x_leaf = Variable(0.5)
a = Tanh()(x_leaf)
b = Tanh()(a)
result = Sub()(b, a)
for name, variable in (("result", result), ("b", b), ("a", a)):
    function = variable.creator
    print(f"{type(function).__name__:4} made {name}, generation {function.generation}")


# %% [markdown]
# In this order, `Sub` and the second `Tanh` both reach $a$ before the first `Tanh` is visited.

# %% [markdown]
# ### Exercise 3.14 — Backward by a loop
# *3 points · ★★★ · 25 min · stuck? run `hint("3.14")`*
#
# **Given** a `result`, a variable that functions made. Every `grad` is `None`. Use `creator` of a
# variable, and `inputs`, `output`, `generation` and `input_gradients(gradient)` of a function.
#
# **Write** `backward_by_generation(result)`, which sets `grad` of every variable that the result
# came from.
#
# **Shapes** each `grad` has the shape of its `data`.
#
# **Done when** shared values are right, each function is visited once, intermediate values keep
# their `grad`, the graph is otherwise unchanged, and a chain of 10,000 operations works.

# %%
def backward_by_generation(result):
    """Set the gradients of all variables that led to the result."""
    raise NotImplementedError("Exercise 3.14")


# %%
check("3.14", backward_by_generation)

# %% [markdown]
# ## Backward twice
#
# Training calls backward again and again, and often wants gradients to add up, for example over two
# small batches. Call the loop twice on a line of two operations. The second call should add the
# same gradient once more, so the ratio should be 2.

# %%
low = Variable(0.5)
high = Tanh()(Tanh()(low))
backward_as_found(high)
once = low.grad
backward_as_found(high)
print(f"first call {once:.4f}, second call {low.grad:.4f}, ratio {low.grad / once:.2f}")


# %% [markdown]
# It is 3. The value between the two operations kept its gradient from the first call, got another,
# and passed both on. So intermediate gradients must be cleared before the next call, or not be kept
# at all.

# %% [markdown]
# ### Exercise 3.15 — Accumulate and clear
# *2 points · ★★☆ · 15 min · stuck? run `hint("3.15")`*
#
# **Given** variables and functions as above.
#
# **Write** `accumulate(variable, gradient)`, which adds an array to `variable.grad` (`None` at
# first), and `clear_gradients(result)`, which sets `grad` back to `None` for the result and every
# variable it came from.
#
# **Shapes** `gradient` has the shape of `variable.data`.
#
# **Done when** an array that two variables share is not overwritten, a chain of 5,000 operations is
# cleared, and nothing but `grad` has changed.

# %%
def accumulate(variable, gradient):
    """Add a gradient to those that arrived before."""
    raise NotImplementedError("Exercise 3.15")


def clear_gradients(result):
    """Forget all gradients of the graph."""
    raise NotImplementedError("Exercise 3.15")


# %%
check("3.15", accumulate, clear_gradients)

# %% [markdown]
# ### Exercise 3.16 — Loop against recursion
# *3 points · ★★☆ · 10 min · stuck? run `hint("3.16")`*
#
# A colleague writes `backward` as a function that calls itself on the creator of each input.
# Compare it with your loop: how deep does it go, how often does it visit a function in a row of
# diamonds ($y \leftarrow y + y$, repeated), and what makes the loop's gradients complete?

# %% [markdown]
# **Answer 3.16.** *Write your answer here.*

# %% [markdown]
# ## The finished form
#
# `helpers/autograd.py` holds the same two classes, some 600 lines with all operations. It differs
# from ours in five ways. Operators such as `*` and `@` call the functions. Only leaves keep a
# `grad`, so a second call adds the same gradient again. A function refers to its output weakly, so
# a graph is freed as soon as nobody needs it. A gradient that was broadcast is summed back to the
# shape of its variable. And gradients are themselves variables; we come to that next.

# %%
finished = autograd.Variable(0.5)
inner = autograd.tanh(finished)
difference = autograd.tanh(inner) - inner
difference.backward()
first_call = finished.grad.data
difference.backward()
print(f"true {truth:.4f}, first call {first_call:.4f}, second call {finished.grad.data:.4f}")

# %% [markdown]
# Two calls give twice the gradient. And a bias that is added to five rows:

# %%
bias = autograd.Variable(np.zeros(3))
((np.ones((5, 2)) @ autograd.Variable(np.ones((2, 3))) + bias) ** 2).sum().backward()
print("gradient of the bias:", bias.grad.data)

# %% [markdown]
# It has the shape of the bias, one number per entry: the five rows are summed.

# %% [markdown]
# ## The same as the tape
#
# One more proof that nothing is missing: the network of (5.3.1) to (5.3.6) on a new example, with
# operators on `autograd.Variable` and with `GradientTape`.

# %%
new_x, new_y = np.array([0.2, -1.0, 0.7]), np.array([1.0, -0.5])
U1, U2 = autograd.Variable(W1), autograd.Variable(W2)
error = U2 @ autograd.tanh(U1 @ new_x) - new_y
((error**2).sum() / 2 + weight_decay / 2 * ((U1**2).sum() + (U2**2).sum())).backward()

with tf.GradientTape() as second_tape:
    tape_error = tf.linalg.matvec(V2, tf.tanh(tf.linalg.matvec(V1, new_x))) - new_y
    tape_J = tf.reduce_sum(tape_error**2) / 2 + weight_decay / 2 * (
        tf.reduce_sum(V1**2) + tf.reduce_sum(V2**2))
theirs = second_tape.gradient(tape_J, [V1, V2])
gaps = [np.abs(u.grad.data - v).max() for u, v in zip((U1, U2), theirs, strict=True)]
print("autograd", U2.grad.data[0].round(4), "tape", theirs[1][0].numpy().round(4))

# %% [markdown]
# These are the first rows of the gradient of $\mathbf{W}^{(2)}$. All entries of both gradients agree
# to twelve digits: our loop does what the tape does.

# %% [markdown]
# ## Derivatives of derivatives
#
# In our classes `backward` computes with arrays, `x.data`, so no graph of it is kept. Let it
# compute with variables instead, and the backward pass builds a graph of its own. With
# `create_graph=True` the gradient has a creator, and you can call `backward` on it: second
# derivatives, third, any. For $f(x) = x^4$ at 2 the derivatives are 32, 48, 48 and 24.

# %%
two = autograd.Variable(2.0)
power = two**4
derivatives = []
for _ in range(4):
    two.clear_grad()
    power.backward(create_graph=True)
    power = two.grad
    derivatives.append(float(power.data))
print(derivatives)

# %% [markdown]
# Each pass differentiated the graph that the pass before it had built.

# %% [markdown]
# ## A tape inside a tape
#
# In TensorFlow an outer tape records what an inner tape does. Two things are easily missed. Taking
# entry $i$ of a gradient is an operation, too: done **outside** the outer tape it is not recorded.
# And a tape can be used only once, unless it was made with `persistent=True`. Take $f(x_0, x_1) =
# x_0^2 x_1$ at (3, 5): its gradient is $(2 x_0 x_1, x_0^2)$, and its second derivatives are $2 x_1
# = 10$, $2 x_0 = 6$, 6 and 0.

# %%
pair = tf.constant([3.0, 5.0])
with tf.GradientTape(persistent=True) as outer:
    outer.watch(pair)
    with tf.GradientTape() as inner_tape:
        inner_tape.watch(pair)
        value = pair[0] ** 2 * pair[1]
    pair_gradient = inner_tape.gradient(value, pair)
    entry_inside = pair_gradient[0]
entry_outside = pair_gradient[1]
print("gradient", pair_gradient.numpy())
print("entry 0, taken inside: ", outer.gradient(entry_inside, pair).numpy())
print("entry 1, taken outside:", outer.gradient(entry_outside, pair))


# %% [markdown]
# `None` means that the tape knows no path from the entry to the variable. Without `persistent=True`
# the second use would raise a `RuntimeError`. And a tape that is asked for the derivative of the
# whole gradient returns the **sum** over its entries, here (16, 6).

# %% [markdown]
# ### Exercise 3.17 — Second derivatives, timed (d2l 5.3.4)
# *3 points · ★★★ · 25 min · stuck? run `hint("3.17")`*
#
# The matrix of all second derivatives of $f$ is its [Hessian](glossary.md#hessian).
#
# **Given** a TensorFlow function `f` of one tensor `x` that returns a scalar; and a number `n`.
#
# **Write** `hessian(f, x)` with a tape inside a tape, not with differences: make the outer tape
# persistent, and ask it for one row after the other, or for its
# `jacobian(..., experimental_use_pfor=False)`. Then
# `derivative_seconds(n)`: for a function of your choice and an `x` with `n` entries, call a gradient
# (one tape) and your `hessian` once, and then time at least 3 more calls of each. Draw both times
# for growing n, say 4 to 64. Which curve will rise, and how fast?
#
# **Shapes** `x` (n,), the Hessian (n, n); `derivative_seconds` returns a dict `{"gradient":
# [seconds, ...], "hessian": [seconds, ...]}` with at least 3 numbers each.
#
# **Done when** the Hessian is right, and the times are those of single calls after the first.

# %%
def hessian(f, x):
    """Return the matrix of second derivatives of f at x."""
    raise NotImplementedError("Exercise 3.17")


def derivative_seconds(n):
    """Return the seconds that each of several gradients and Hessians of n inputs takes."""
    raise NotImplementedError("Exercise 3.17")




# %%
check("3.17", hessian, derivative_seconds)

# %% [markdown]
# ### Exercise 3.18 — What second derivatives cost (d2l 5.3.4)
# *2 points · ★★☆ · 10 min · stuck? run `hint("3.18")`*
#
# What happens to the computational graph when you ask for second derivatives, and how long do you
# expect their calculation to take?

# %% [markdown]
# **Answer 3.18.** *Write your answer here.*

# %% [markdown]
# ## The autograd learns XOR
#
# [Chapter 1](01_perceptrons.ipynb) composed XOR from three gates with weights chosen by hand. Now a
# network with 8 hidden units finds its own. The loop is the one that every framework runs: forward,
# clear, backward, step.

# %%
X, Y = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]]), np.array([[0.0], [1], [1], [0]])
draw = np.random.default_rng(0)
xor_start = [draw.normal(size=(2, 8)), np.zeros(8), draw.normal(size=(8, 1)), np.zeros(1)]

# %% [markdown]
# Four rows, 33 numbers to learn. A thousand steps:

# %%
parameters = [autograd.Variable(array.copy()) for array in xor_start]
losses = []
for _ in range(1000):
    A1, c1, A2, c2 = parameters
    output = autograd.sigmoid(autograd.tanh(X @ A1 + c1) @ A2 + c2)
    xor_loss = ((output - Y) ** 2).mean()
    losses.append(float(xor_loss.data))
    for parameter in parameters:
        parameter.clear_grad()
    xor_loss.backward()
    for parameter in parameters:
        parameter.data -= 1.0 * parameter.grad.data
print("outputs:", output.data.round(2).ravel(), f"- loss {losses[0]:.3f} to {losses[-1]:.5f}")


# %% [markdown]
# All four rows are right. The next cell shows where the network draws its border.

# %%
def network(points):
    A1, c1, A2, c2 = (parameter.data for parameter in parameters)
    hidden = np.tanh(points @ A1 + c1)
    return 1 / (1 + np.exp(-(hidden @ A2 + c2)))[:, 0]

plotting.decision_boundary(network, X, Y)

# %% [markdown]
# One line could not do it. The hidden units bend the border around two opposite corners.

# %% [markdown]
# ## The same network in Keras
#
# The concise form: two `Dense` layers, the same start, the same full batch of 4, plain gradient
# descent. `dtype="float64"` makes the arithmetic comparable.

# %%
model = keras.Sequential([
    keras.Input((2,), dtype="float64"),
    keras.layers.Dense(8, activation="tanh", dtype="float64"),
    keras.layers.Dense(1, activation="sigmoid", dtype="float64"),
])
model.set_weights(xor_start)
model.compile(optimizer=keras.optimizers.SGD(learning_rate=1.0), loss="mse")
history = training.fit(model, X, Y, epochs=1000, batch_size=4, verbose=0)

plotting.lines(np.arange(1, 1001), {"our autograd": losses, "Keras": history.history["loss"]},
               xlabel="step", ylabel="loss", yscale="log")
xor_gap = np.abs(np.divide(history.history["loss"], losses) - 1).max()

# %%
print(f"largest relative difference of the losses in 1000 steps: {xor_gap:.0e}")

# %% [markdown]
# The two curves lie on top of each other for a thousand steps: Keras computes what you have built.

# %% [markdown]
# ## The autograd reads digits
#
# Is it more than a toy? Train 784-128-10 with ReLU on all 60,000 digits of MNIST, in float32, on
# minibatches of 128, with the cross-entropy of chapter 2. How accurate will three epochs be?

# %%
digits = data.load_mnist()
print(digits)

# %%
train_X, test_X = (images.reshape(-1, 784).astype(np.float32) / 255
                   for images in (digits.train_images, digits.test_images))
one_hot = np.eye(10, dtype=np.float32)[digits.train_labels]
draw = np.random.default_rng(1)
B1, B2 = (autograd.Variable(draw.normal(0, np.sqrt(2 / shape[0]), shape).astype(np.float32))
          for shape in ((784, 128), (128, 10)))
d1, d2 = (autograd.Variable(np.zeros(units, np.float32)) for units in (128, 10))

def logits(images):
    return autograd.relu(images @ B1 + d1) @ B2 + d2


# %% [markdown]
# The loop has the same four parts as for XOR.

# %%
began, accuracies = time.process_time(), []
for epoch in range(3):
    for batch in np.split(draw.permutation(60_000)[:59_904], 468):
        batch_loss = -(autograd.log_softmax(logits(train_X[batch])) * one_hot[batch]).sum() / 128
        for parameter in (B1, d1, B2, d2):
            parameter.clear_grad()
        batch_loss.backward()
        for parameter in (B1, d1, B2, d2):
            parameter.data -= 0.3 * parameter.grad.data
    with autograd.no_grad():
        right = logits(test_X).data.argmax(axis=1) == digits.test_labels
    accuracies.append(right.mean())
    print(f"epoch {epoch + 1}: test accuracy {right.mean():.4f} after "
          f"{time.process_time() - began:.0f} s of processor time")

# %% [markdown]
# On the real digits three epochs reach about 0.97 in less than a minute of processor time, with
# functions like those you wrote and nothing but NumPy underneath.

# %% [markdown]
# ## A graph on two devices
#
# A graph can be cut and its parts computed on different devices. To try it without two GPUs, split
# the CPU into two [logical devices](glossary.md#logical-device). TensorFlow wants that
# declared before it starts, so this cell runs a script in a fresh Python. It gives half of the
# **batch** to each device, which is called [data
# parallelism](glossary.md#data-parallelism).

# %%
script = """import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_visible_devices(cpu)
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
X, W = tf.random.stateless_normal((6, 3), (1, 2)), tf.random.stateless_normal((3, 4), (3, 4))
with tf.device("/CPU:0"):
    top = tf.nn.relu(X[:3] @ W)
with tf.device("/CPU:1"):
    bottom = tf.nn.relu(X[3:] @ W)
gap = tf.reduce_max(abs(tf.concat([top, bottom], axis=0) - tf.nn.relu(X @ W)))
print(top.device[-5:], "and", bottom.device[-5:], f"- difference from one device {gap:.6f}")
"""
print(subprocess.run([sys.executable, "-c", script], capture_output=True, text=True).stdout)


# %% [markdown]
# Each device needs all of the weights and half of the data. In the exercise you cut the other way:
# [model parallelism](glossary.md#model-parallelism).

# %% [markdown]
# ### Exercise 3.19 — A hidden layer on two devices (d2l 5.3.5a)
# *3 points · ★★★ · 20 min · stuck? run `hint("3.19")`*
#
# The network is $\mathbf{O} = \operatorname{relu}(\mathbf{X}\mathbf{W}^{(1)})\,\mathbf{W}^{(2)}$.
# Suppose its hidden layer is too large for one device.
#
# **Given** tensors `X`, `W1`, `W2` and a list `devices` of two names, such as `["/CPU:0",
# "/CPU:1"]` or `["/GPU:0", "/GPU:1"]`.
#
# **Write** `split_forward(X, W1, W2, devices)` with TensorFlow. Each device gets half of the hidden
# **units** (for an odd number, one gets one more): its columns of `W1` and its rows of `W2`. Take
# sizes from `W1.shape`: to see the devices, the check also records your function as a graph, where
# `.numpy()` has no value.
#
# **Shapes** `X` (n, d), `W1` (d, h), `W2` (h, q); the output is (n, q).
#
# **Done when** the output equals that of one device, each device computes its share inside
# `tf.device`, and none multiplies by a whole matrix.

# %%
def split_forward(X, W1, W2, devices):
    """Return the network's output, each half of the hidden units on its own device."""
    raise NotImplementedError("Exercise 3.19")


# %%
check("3.19", split_forward)

# %% [markdown]
# ### Exercise 3.20 — Partitioning a graph (d2l 5.3.5a)
# *2 points · ★★☆ · 10 min · stuck? run `hint("3.20")`*
#
# A computational graph is too large for your GPU. Can you partition it over more than one? Say
# where you would cut, and what travels between the devices in a training step.

# %% [markdown]
# **Answer 3.20.** *Write your answer here.*

# %% [markdown]
# ### Exercise 3.21 — Partition, or a smaller minibatch (d2l 5.3.5b)
# *2 points · ★★☆ · 10 min · stuck? run `hint("3.21")`*
#
# What are the advantages and disadvantages of such a partition over training on a smaller
# minibatch?

# %% [markdown]
# **Answer 3.21.** *Write your answer here.*

# %% [markdown]
# ## Recap
#
# - A central difference has an error of order $h^2$ until rounding takes over; $10^{-5}$ is a good
#   step in float64.
# - Forward propagation keeps the intermediate values; backpropagation walks the graph in reverse
#   and multiplies by one local derivative at a time, for about the cost of two forward passes.
# - A sum passes a gradient on, a product swaps its operands, ReLU is a gate.
# - A gradient has the shape of its variable. Where a value is used twice, its gradients add up.
# - Check a hand-written gradient against differences, and look at the largest difference.
# - Automatic differentiation needs a value that knows its creator, a function that knows its
#   inputs, and a loop ordered by generation.
# - Training stores intermediates for every example of the batch; prediction does not.

# %%
progress("backpropagation")

# %% [markdown]
# ## Terms
#
# [activation checkpointing](glossary.md#activation-checkpointing) ·
# [automatic differentiation](glossary.md#automatic-differentiation) ·
# [backpropagation](glossary.md#backpropagation) ·
# [central difference](glossary.md#central-difference) ·
# [chain rule](glossary.md#chain-rule) ·
# [computational graph](glossary.md#computational-graph) ·
# [data parallelism](glossary.md#data-parallelism) ·
# [dead ReLU](glossary.md#dead-relu) ·
# [forward difference](glossary.md#forward-difference) ·
# [forward mode](glossary.md#forward-mode) ·
# [forward propagation](glossary.md#forward-propagation) ·
# [Frobenius norm](glossary.md#frobenius-norm) ·
# [generation](glossary.md#generation) ·
# [gradient](glossary.md#gradient) ·
# [gradient checking](glossary.md#gradient-checking) ·
# [gradient descent](glossary.md#gradient-descent) ·
# [Hessian](glossary.md#hessian) ·
# [Jacobian](glossary.md#jacobian) ·
# [leaf](glossary.md#leaf) ·
# [learning rate](glossary.md#learning-rate) ·
# [logical device](glossary.md#logical-device) ·
# [loss of significance](glossary.md#loss-of-significance) ·
# [model parallelism](glossary.md#model-parallelism) ·
# [numerical differentiation](glossary.md#numerical-differentiation) ·
# [objective function](glossary.md#objective-function) ·
# [partial derivative](glossary.md#partial-derivative) ·
# [reverse mode](glossary.md#reverse-mode) ·
# [topological order](glossary.md#topological-order) ·
# [truncation error](glossary.md#truncation-error)
#
# ## Sources
#
# - Zhang, Lipton, Li, Smola, *Dive into Deep Learning*, [section
#   5.3](https://d2l.ai/chapter_multilayer-perceptrons/backprop.html), CC BY-SA 4.0: the network,
#   formulas (5.3.1) to (5.3.14), exercises 5.3.1 to 5.3.5.
# - LeCun and Cortes, MNIST, CC BY-SA 3.0: the handwritten digits.
# - Chen, Xu, Zhang, Guestrin, ["Training deep nets with sublinear memory
#   cost"](https://arxiv.org/abs/1604.06174), 2016: activation checkpointing.
# - Saito, *Deep Learning from Scratch*, O'Reilly Japan: numerical gradients, gradient checking.
# - Saito, [DeZero](https://github.com/oreilly-japan/deep-learning-from-scratch-3), MIT licence, and
#   Karpathy, [micrograd](https://github.com/karpathy/micrograd), MIT licence: the design of the
#   autograd.
# - Rumelhart, Hinton, Williams, ["Learning representations by back-propagating
#   errors"](https://doi.org/10.1038/323533a0), *Nature* 323, 1986.
# - Goodfellow, Bengio, Courville, [*Deep Learning*](https://www.deeplearningbook.org), MIT Press,
#   2016, sections 6.5 and 11.5.
