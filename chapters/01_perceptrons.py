# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 1. Perceptrons
#
# *From a single neuron to why one is not enough. It prepares [d2l 5.1](https://d2l.ai/chapter_multilayer-perceptrons/mlp.html) and follows no single section of it.*
#
# | To read | To run, CPU | To run, GPU | Difficulty | Exercises | Last run with |
# | --- | --- | --- | --- | --- | --- |
# | 55 min | 15 s on 2 cores | not measured | ★☆☆ | 11, 25 points | TensorFlow 2.21, Keras 3.15 |

# %% [markdown]
# ## What you will learn
#
# - **Build** a neuron from a weighted sum, a bias and a step, and choose its weights by hand.
# - **Explain** why one neuron cannot compute XOR and two layers of neurons can.
# - **Train** a perceptron with its learning rule, and a linear neuron with gradient descent.
# - **Compute** the losses that the later chapters minimise, safely.
# - **Rebuild** the linear neuron in Keras and show that both give the same answer.
#
# ## Before you start
#
# You need Python functions and NumPy arrays ([NumPy's own
# introduction](https://numpy.org/doc/stable/user/absolute_beginners.html)), the dot product, and
# what a derivative is. Each exercise has three hints; `check` tells you what is right and what still
# needs work, as often as you like.

# %% [markdown]
# ## Setup
#
# The first line of imports belongs to this workbook; the rest is NumPy, Matplotlib and Keras.

# %%
from helpers import check, hint, plotting, progress, solution, training

import ipywidgets
import keras
import matplotlib.pyplot as plt
import numpy as np

keras.utils.set_random_seed(1)
print(training.device())


# %% [markdown]
# ## A neuron weighs its inputs
#
# A [neuron](glossary.md#neuron) takes $n$ numbers $x_1, \dots, x_n$, multiplies each by
# its own [weight](glossary.md#weight) $w_i$, and adds. It fires, which means it returns
# 1, when the [weighted sum](glossary.md#weighted-sum) is above a
# [threshold](glossary.md#threshold) $\theta$:
#
# $$y = \begin{cases}1 & \text{if } w_1 x_1 + \dots + w_n x_n > \theta,\\ 0 & \text{otherwise.}\end{cases}\tag{1.1}$$
#
# McCulloch and Pitts described such threshold units in 1943, with weights set by hand. Rosenblatt's
# [perceptron](glossary.md#perceptron) of 1958 added a rule that learns the weights. Here
# a unit decides whether to go for a walk from three yes-or-no inputs. Dry weather matters most, so
# it gets the largest weight.

# %%
def threshold_neuron(x, w, theta):
    return int(np.dot(w, x) > theta)

walk_w = np.array([3.0, 1.0, 2.0])  # dry, warm, in company
for day in [(1, 0, 0), (1, 1, 0), (0, 1, 1), (1, 0, 1)]:
    decision = "walk" if threshold_neuron(day, walk_w, 3.5) else "stay"
    print(day, "weighted sum", np.dot(walk_w, day), "->", decision)


# %% [markdown]
# Dry weather alone is worth 3 and is not enough; together with any second reason it is. The other
# two together do not outweigh rain.

# %% [markdown]
# ## The threshold becomes a bias
#
# Move the threshold to the left side and call it a [bias](glossary.md#bias), $b =
# -\theta$:
#
# $$y = \operatorname{step}(w_1 x_1 + \dots + w_n x_n + b), \qquad \operatorname{step}(z) = \begin{cases}1 & z > 0,\\ 0 & z \le 0.\end{cases}\tag{1.2}$$
#
# Nothing changes in the numbers, but the neuron now splits into two parts that the rest of this
# workbook treats separately: an [affine function](glossary.md#affine-function) $z =
# \mathbf{w}^\top \mathbf{x} + b$, and an [activation
# function](glossary.md#activation-function) applied to $z$. For a table $\mathbf{X}$
# with one example per row, all sums are one matrix product.

# %%
def bias_neuron(X, w, b):
    return (X @ w + b > 0).astype(int)

days = np.random.default_rng(1).uniform(0, 1, size=(1000, 3))
one_by_one = np.array([threshold_neuron(day, walk_w, 3.5) for day in days])
all_together = bias_neuron(days, walk_w, -3.5)
print("walks:", one_by_one.sum(), "with the threshold,", all_together.sum(), "with the bias;",
      "days with different decisions:", np.sum(one_by_one != all_together))

# %% [markdown]
# Both forms make the same decision for all 1,000 days. From here on, neurons have a bias.

# %% [markdown]
# ## A gate is four inequalities
#
# A logic gate with two inputs has four rows, and each row is one inequality for $w_1$, $w_2$ and
# $b$. For "$x_1$ but not $x_2$":
#
# | $x_1$ | $x_2$ | wanted | so the weights must satisfy |
# | --- | --- | --- | --- |
# | 0 | 0 | 0 | $b \le 0$ |
# | 1 | 0 | 1 | $w_1 + b > 0$ |
# | 0 | 1 | 0 | $w_2 + b \le 0$ |
# | 1 | 1 | 0 | $w_1 + w_2 + b \le 0$ |
#
# Choosing weights means finding numbers that satisfy all four. A $w_1$ of 1 and a $b$ of −½
# satisfy the first two; a negative $w_2$ takes care of the rest.

# %%
rows = np.array([[0, 0], [1, 0], [0, 1], [1, 1]])
only_x1 = np.array([0, 1, 0, 0])
gate_w, gate_b = np.array([1.0, -1.0]), -0.5
print("sums", rows @ gate_w + gate_b, "-> outputs", bias_neuron(rows, gate_w, gate_b))

# %% [markdown]
# One sum is positive, and it is the second: all four inequalities hold.

# %% [markdown]
# ## How many neurons compute a gate?
#
# Other weights satisfy the same inequalities. To see how many, try every neuron whose three numbers
# are multiples of ¼ between −2 and 2: there are $17^3 = 4{,}913$. The gates are AND (1 if both inputs
# are 1), NAND (0 if both are), OR (1 if at least one is) and XOR (1 if exactly one is).

# %%
gates = {"AND": [0, 0, 0, 1], "NAND": [1, 1, 1, 0], "OR": [0, 1, 1, 1], "XOR": [0, 1, 1, 0]}
values = np.arange(-2, 2.25, 0.25)
grid = np.stack(np.meshgrid(values, values, values), axis=-1).reshape(-1, 3)  # w1, w2, b
outputs = (rows @ grid[:, :2].T + grid[:, 2] > 0).astype(int)  # 4 rows, one column per neuron
for name, column in gates.items():
    works = (outputs == np.array(column)[:, None]).all(axis=0)
    print(f"{name:4} {works.sum():4} of {len(grid)} neurons")

# %% [markdown]
# More than eighty neurons compute each of the first three gates, so no answer is the only one.
# For XOR there is none; we come back to that.

# %% [markdown]
# ## The decision line
#
# A neuron with two inputs changes its answer where its sum is zero:
#
# $$w_1 x_1 + w_2 x_2 + b = 0.\tag{1.3}$$
#
# That is a straight line, the [decision boundary](glossary.md#decision-boundary). The
# weights $(w_1, w_2)$ point at right angles to it, to the side where the neuron fires, and the bias
# shifts it away from the origin. With more inputs the line becomes a plane, then a hyperplane.

# %%
plotting.decision_boundary(lambda X: bias_neuron(X, gate_w, gate_b), rows, only_x1)


# %% [markdown]
# The line cuts off the corner (1, 0), the only row of "$x_1$ but not $x_2$" that gives 1. Turn or
# shift it a little and it still does, which is why so many weights are right.

# %% [markdown]
# ## Move the line yourself
#
# With three sliders you set the weights and the bias of a neuron and watch its line and its answers
# at the four corners. Before you move them, predict: which way does the line move when you raise
# $b$, and what happens when you double all three numbers? Where no notebook server runs, you see
# the picture for one choice of weights.

# %%
def show_neuron(w1=1.0, w2=1.0, b=-1.5):
    answers = bias_neuron(rows, np.array([w1, w2]), b)
    axes = plt.subplots(figsize=(3.4, 3.2))[1]
    for value, marker in ((0, "o"), (1, "s")):
        axes.plot(*rows[answers == value].T, marker, markersize=9, label=f"answer {value}")
    edge = np.linspace(-0.5, 1.5, 2)
    if w2:
        axes.plot(edge, -(w1 * edge + b) / w2, "k--", label="sum = 0")
    axes.set(xlabel="x1", ylabel="x2", xlim=(-0.5, 1.5), ylim=(-0.5, 1.5))
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    plt.show()

show_neuron()

# %%
span = (-2.0, 2.0, 0.25)
ipywidgets.interact(show_neuron, w1=span, w2=span, b=span);


# %% [markdown]
# Raising $b$ moves the line against the arrow $(w_1, w_2)$, so the neuron fires in a larger part of
# the plane. Doubling all three numbers changes nothing: the sum doubles, its sign stays.

# %% [markdown]
# ### Exercise 1.1 — Gates from weights
# *3 points · ★☆☆ · 10 min · stuck? run `hint("1.1")`*
#
# **Given** two numbers `x1` and `x2`; each is 0 or 1 on the truth table, and the gates also take
# any number in between or beyond.
#
# **Write** `and_gate(x1, x2)`, `nand_gate(x1, x2)` and `or_gate(x1, x2)`, each a single neuron as in
# (1.2) with weights and a bias that you choose.
#
# **Shapes** two numbers in, the number 0 or 1 out.
#
# **Done when** all twelve rows are right and each gate splits the plane by one straight line, as a
# neuron does. The line keeps clear of the corners: inputs up to 0.01 away from a corner still get
# the corner's answer. Each gate is worth a point, half of it for its four rows.

# %%
def and_gate(x1, x2):
    """Return 1 if both inputs are 1."""
    raise NotImplementedError("Exercise 1.1")


def nand_gate(x1, x2):
    """Return 0 if both inputs are 1."""
    raise NotImplementedError("Exercise 1.1")


def or_gate(x1, x2):
    """Return 1 if at least one input is 1."""
    raise NotImplementedError("Exercise 1.1")


# %%
check("1.1", and_gate, nand_gate, or_gate)

# %% [markdown]
# ## XOR has no line
#
# XOR is 1 when exactly one input is 1. Draw its four rows: the ones sit at two opposite corners of
# a square, the zeros at the other two. Whichever line you draw, at least one corner ends up on the
# wrong side. Classes that one line (or hyperplane) can separate are called [linearly
# separable](glossary.md#linear-separability); XOR's are not. In 1969 Minsky and Papert
# made this small fact famous, and work on neural networks slowed down for years.

# %%
figure, axes = plt.subplots(1, 3, figsize=(8, 2.8), sharey=True)
xor = np.array(gates["XOR"])
for axis, (slope1, slope2, shift) in zip(axes, [(1, 1, -0.5), (-1, -1, 1.5), (1, -1, -0.5)]):
    right = int(((rows @ [slope1, slope2] + shift > 0) == xor).sum())
    for value, marker in ((0, "o"), (1, "s")):
        axis.plot(*rows[xor == value].T, marker, markersize=9, label=f"XOR = {value}")
    axis.axline((0, -shift / slope2), slope=-slope1 / slope2, color="black", linestyle="--")
    axis.set(title=f"{right} of 4 right", xlabel="x1", xlim=(-0.5, 1.5), ylim=(-0.5, 1.5))
axes[0].set_ylabel("x2")
figure.legend(*axes[0].get_legend_handles_labels(), loc="outside right")
plt.show()
print("most rows right on the whole grid:", (outputs == xor[:, None]).sum(axis=0).max())


# %% [markdown]
# Three good attempts, three rows right each time. None of the 4,913 neurons on the grid gets all
# four.

# %% [markdown]
# ### Exercise 1.2 — XOR by composition
# *2 points · ★☆☆ · 5 min · stuck? run `hint("1.2")`*
#
# **Given** your three gates from exercise 1.1: `and_gate`, `nand_gate` and `or_gate`.
#
# **Write** `xor_gate(x1, x2)`, a function that hands its inputs to these gates, hands what they
# return to gates again, and returns what the last gate gives. No `if`, no comparison, no arithmetic
# and no new weights: the check swaps your gates for its own and follows the numbers through them.
#
# **Shapes** two numbers in, the number 0 or 1 out.
#
# **Done when** the four rows are right, and inputs up to 0.01 away from a corner still give the
# corner's answer.

# %%
def xor_gate(x1, x2):
    """Return 1 if exactly one input is 1."""
    raise NotImplementedError("Exercise 1.2")


# %%
check("1.2", xor_gate)

# %% [markdown]
# ### Exercise 1.3 — No line for XOR
# *1 point · ★☆☆ · 3 min · stuck? run `hint("1.3")`*
#
# A neuron that computed XOR would satisfy these four inequalities: (1) $b \le 0$, (2) $w_1 + b >
# 0$, (3) $w_2 + b > 0$, (4) $w_1 + w_2 + b \le 0$. Which statement shows that no such neuron
# exists? Answer with a letter in quotes, such as `choice_1_3 = "a"`.
#
# - **a** (2) and (3) need positive weights, and positive weights contradict (1).
# - **b** Adding (2) and (3) gives $w_1 + w_2 + 2b > 0$; adding (1) and (4) gives $w_1 + w_2 + 2b
#   \le 0$.
# - **c** Four inequalities with three unknowns never have a solution.
# - **d** The weights exist, but a computer cannot represent them exactly.

# %%
choice_1_3 = None

# %%
check("1.3", choice_1_3)

# %% [markdown]
# ### Exercise 1.4 — The argument in a picture
# *2 points · ★★☆ · 5 min · stuck? run `hint("1.4")`*
#
# Explain to someone who has not seen an inequality today why no straight line parts the ones of XOR
# from its zeros. Use the midpoint of the square. Then say what a second layer of neurons changes.

# %% [markdown]
# **Answer 1.4.** *Write your answer here.*

# %% [markdown]
# ## The first multilayer perceptron
#
# Put two neurons side by side and let a third one read their answers. The first layer maps each row
# to a pair $(h_1, h_2)$, the second maps the pair to the result:
#
# $$\mathbf{H} = \operatorname{step}(\mathbf{X}\mathbf{W}^{(1)} + \mathbf{b}^{(1)}), \qquad \mathbf{y} = \operatorname{step}(\mathbf{H}\mathbf{w}^{(2)} + b^{(2)}).\tag{1.4}$$
#
# Here $h_1$ fires if at least one input is on, $h_2$ if both are, and the output is the gate of the
# lesson above: "$h_1$ but not $h_2$". This is a [multilayer
# perceptron](glossary.md#multilayer-perceptron), and $\mathbf{H}$ is its [hidden
# layer](glossary.md#hidden-layer).

# %%
xor_W1 = np.array([[1.0, 1.0],
                   [1.0, 1.0]])  # one column per hidden neuron
xor_b1 = np.array([-0.5, -1.5])
xor_w2, xor_b2 = np.array([1.0, -1.0]), -0.5

hidden = bias_neuron(rows, xor_W1, xor_b1)
output = bias_neuron(hidden, xor_w2, xor_b2)
for row, pair, answer in zip(rows, hidden, output):
    print("x =", row, " h =", pair, " XOR =", answer)


# %% [markdown]
# Row by row the last column is XOR. The two figures show how.

# %%
def second_layer(H):
    return bias_neuron(H, xor_w2, xor_b2)

def network(X):
    return second_layer(bias_neuron(X, xor_W1, xor_b1))

plotting.decision_boundary(network, rows, xor, title="the inputs: a strip between two lines")
plotting.decision_boundary(second_layer, hidden, xor, xlabel="h1", ylabel="h2",
                           title="the hidden layer: one line")


# %% [markdown]
# Above, the two neurons of the first layer cut out a strip that holds both ones. Below, the same
# rows as the second layer sees them: both ones have become the point (1, 0), three of four points
# are left, and one line separates them.

# %% [markdown]
# ## From a step to a sigmoid
#
# The step is flat everywhere except for its jump. Nudge a weight a little and the output stays as
# it is, so the slope gives no sign of which way to go. The
# [sigmoid](glossary.md#sigmoid) is a smooth step:
#
# $$\sigma(z) = \frac{1}{1 + e^{-z}}, \qquad \sigma'(z) = \sigma(z)\,(1 - \sigma(z)).\tag{1.5}$$
#
# It rises from 0 to 1, is ½ at $z = 0$, and has a slope everywhere. All later chapters train
# networks by following such slopes.

# %%
def naive_sigmoid(z):
    return 1 / (1 + np.exp(-z))

plotting.functions(np.linspace(-6, 6, 241), {
    "step": (lambda z: (z > 0) * 1.0, lambda z: 0 * z),
    "sigmoid": (naive_sigmoid, lambda z: naive_sigmoid(z) * (1 - naive_sigmoid(z))),
})
print("largest slope of the sigmoid:", naive_sigmoid(0) * (1 - naive_sigmoid(0)))


# %% [markdown]
# Left the functions, right their slopes. The step's slope is zero wherever it exists; the sigmoid's
# is ¼ in the middle and fades to both sides.

# %% [markdown]
# ### Exercise 1.5 — Step and sigmoid for whole arrays
# *2 points · ★★☆ · 10 min · stuck? run `hint("1.5")`*
#
# **Given** an array `z` of any shape, of floats or integers, with values up to ±1000 and beyond.
# The formula in (1.5) overflows there: `np.exp(1000)` is infinite and NumPy warns.
#
# **Write** `step(z)`, which is 1 where `z > 0` and 0 elsewhere, and `sigmoid(z)`, which is right
# for all of them. A sure way is never to take the exponential of a large positive number.
#
# **Shapes** the result has the shape of `z`.
#
# **Done when** both work on vectors, matrices and larger arrays, `step(0)` is 0, and `sigmoid` is
# right at ±1000 without a warning. Each function is worth a point, a `sigmoid` that fails only far
# from 0 half of one.

# %%
def step(z):
    """Return 1 where z is above zero and 0 elsewhere."""
    raise NotImplementedError("Exercise 1.5")


def sigmoid(z):
    """Return 1 / (1 + exp(-z)) for z of any size."""
    raise NotImplementedError("Exercise 1.5")


# %%
check("1.5", step, sigmoid)

# %% [markdown]
# ## A perceptron learns from its mistakes
#
# So far you chose the weights. The [perceptron learning
# rule](glossary.md#perceptron-learning-rule) finds them: go through the examples one at
# a time, and whenever the prediction $\hat y$ differs from the label $y$, move the weights by the
# example itself:
#
# $$\mathbf{w} \leftarrow \mathbf{w} + (y - \hat y)\,\mathbf{x}, \qquad b \leftarrow b + (y - \hat y).\tag{1.6}$$
#
# The error $y - \hat y$ is 0, 1 or −1, so right answers change nothing. Take one example that
# should fire.

# %%
example, label = np.array([2.0, 1.0]), 1
rule_w, rule_b = np.array([-4.0, 0.0]), 0.0
for _ in range(4):
    score = rule_w @ example + rule_b
    mistake = label - int(score > 0)
    print(f"score {score:5.1f}   error {mistake}")
    rule_w, rule_b = rule_w + mistake * example, rule_b + mistake


# %% [markdown]
# Each mistake lifts the score by $\lVert\mathbf{x}\rVert^2 + 1 = 6$, until the neuron fires. From
# then on the weights stay as they are.

# %% [markdown]
# ### Exercise 1.6 — The perceptron learning rule
# *3 points · ★★☆ · 20 min · stuck? run `hint("1.6")`*
#
# **Given** examples `X` and labels `y`, each 0 or 1.
#
# **Write** `train_perceptron(X, y, max_epochs=100)`. Start with all weights and the bias at zero.
# Pass through the rows in their order and apply (1.6) to each row before the next one. Stop after the
# first pass without a mistake. If `max_epochs` passes were not enough, raise a `ValueError` with a
# message that says so.
#
# **Shapes** `X` is (n, d), `y` is (n,); return `w` of shape (d,), the number `b`, and the number of
# all mistakes made on the way, as `(w, b, mistakes)`.
#
# **Done when** it separates what is separable, counts its mistakes, and gives up on XOR instead of
# running forever.

# %%
def train_perceptron(X, y, max_epochs=100):
    """Return weights, bias and the number of mistakes of the perceptron learning rule."""
    raise NotImplementedError("Exercise 1.6")


# %%
check("1.6", train_perceptron)


# %% [markdown]
# ## How many mistakes can it make?
#
# Novikoff proved in 1962: if all examples have length at most $R$, and some separating line keeps a
# distance of at least $\gamma$, the [margin](glossary.md#margin), from every example,
# then the rule makes at most
#
# $$\text{mistakes} \le \left(\frac{R}{\gamma}\right)^2,\tag{1.7}$$
#
# however many examples there are and in whatever order they come. The bound is about lines through
# the origin, so here there is no bias, and labels are ±1, which turns the rule into: if
# $y\,\mathbf{w}^\top\mathbf{x} \le 0$, add $y\,\mathbf{x}$.

# %%
def count_mistakes(X, signs):
    w, mistakes, before = np.zeros(X.shape[1]), 0, -1
    while before < mistakes:  # until a pass without a mistake
        before = mistakes
        for x, sign in zip(X, signs):
            if sign * (w @ x) <= 0:
                w, mistakes = w + sign * x, mistakes + 1
    return mistakes


# %% [markdown]
# The examples lie on a circle with $R = 1$. Those that are closer to the separating line than the
# margin are left out, and the gap shrinks from run to run.

# %%
angles = np.random.default_rng(2).uniform(0, 2 * np.pi, size=2000)
circle = np.stack([np.cos(angles), np.sin(angles)], axis=1)
distance = circle @ [0.6, 0.8]
for margin in (0.5, 0.1, 0.02):
    kept = np.abs(distance) >= margin
    mistakes = count_mistakes(circle[kept], np.sign(distance[kept]))
    print(f"margin {margin:4}: {mistakes:3} mistakes, at most {1 / margin**2:.0f}")


# %% [markdown]
# The narrower the gap, the more mistakes, and each time no more than half of what the bound allows.
# For XOR no line has a margin, so the bound promises nothing.

# %% [markdown]
# ## A neuron that predicts a number
#
# Drop the step and the neuron returns its sum: $\hat y = wx + b$. That is [linear
# regression](glossary.md#linear-regression). How wrong it is on one example is the
# squared error $\ell = (wx + b - y)^2$. Its [partial
# derivatives](glossary.md#partial-derivative) tell what a small change of $w$ alone, or
# of $b$ alone, does to $\ell$:
#
# $$\frac{\partial \ell}{\partial w} = 2\,(wx + b - y)\,x, \qquad \frac{\partial \ell}{\partial b} = 2\,(wx + b - y).\tag{1.8}$$
#
# Compare (1.8) with the change that a nudge of 0.001 causes.

# %%
def squared_error(w, b, x=2.0, y=1.0):
    return (w * x + b - y) ** 2

w0, b0, nudge = 1.5, 0.5, 0.001
error_here = w0 * 2.0 + b0 - 1.0
by_nudge_w = (squared_error(w0 + nudge, b0) - squared_error(w0 - nudge, b0)) / (2 * nudge)
by_nudge_b = (squared_error(w0, b0 + nudge) - squared_error(w0, b0 - nudge)) / (2 * nudge)
print(f"for w: formula {2 * error_here * 2.0:.3f}, nudge {by_nudge_w:.3f}")
print(f"for b: formula {2 * error_here:.3f}, nudge {by_nudge_b:.3f}")


# %% [markdown]
# Formula and nudge agree. Here the derivatives are positive: the prediction is too high, so $w$ and
# $b$ should shrink.

# %% [markdown]
# ### Exercise 1.7 — Gradients of the mean squared error
# *2 points · ★★☆ · 10 min · stuck? run `hint("1.7")`*
#
# **Given** examples `X`, targets `y`, weights `w` and the bias `b` of a linear neuron.
#
# **Write** `mse_gradients(X, y, w, b)`: the partial derivatives of the mean of
# $(\mathbf{x}^\top\mathbf{w} + b - y)^2$ over all rows.
#
# **Shapes** `X` is (n, d), `y` is (n,), `w` is (d,), `b` a number; return `(dw, db)` of shape (d,)
# and a number.
#
# **Done when** both agree with small nudges for any n and d.

# %%
def mse_gradients(X, y, w, b):
    """Return the gradients of the mean squared error with respect to w and b."""
    raise NotImplementedError("Exercise 1.7")


# %%
check("1.7", mse_gradients)

# %% [markdown]
# ## Gradient descent
#
# The [gradient](glossary.md#gradient) points uphill, so [gradient
# descent](glossary.md#gradient-descent) goes the other way, in steps that the [learning
# rate](glossary.md#learning-rate) $\eta$ scales:
#
# $$w \leftarrow w - \eta\,\frac{\partial L}{\partial w}, \qquad b \leftarrow b - \eta\,\frac{\partial L}{\partial b}.\tag{1.9}$$
#
# The data are 40 points around the line $y = 2x + 1$.

# %%
random = np.random.default_rng(3)
x_line = random.uniform(0, 3, size=40)
y_line = 2 * x_line + 1 + random.normal(0, 0.3, size=40)

w_line, b_line, rate_line = 0.0, 0.0, 0.1
for _ in range(300):
    errors_line = w_line * x_line + b_line - y_line
    w_line -= rate_line * 2 * np.mean(errors_line * x_line)
    b_line -= rate_line * 2 * np.mean(errors_line)
print(f"gradient descent: y = {w_line:.3f} x + {b_line:.3f}")

# %% [markdown]
# For a straight line there is also an exact answer to compare with: least squares.

# %%
slope, intercept = np.polyfit(x_line, y_line, 1)
print(f"least squares:    y = {slope:.3f} x + {intercept:.3f}")
plt.plot(x_line, y_line, "o", label="40 points")
plt.axline((0, b_line), slope=w_line, color="C1", label="gradient descent")
plt.gca().set(xlabel="x", ylabel="y")
plt.legend()
plt.show()

# %% [markdown]
# 300 steps reach the exact line to three decimals, without solving any equation. It is close to $y =
# 2x + 1$ and not equal to it: 40 noisy points do not determine the true line.

# %% [markdown]
# ## Steps too large and too small
#
# On the parabola $L(w) = w^2$ the gradient is $2w$, so one step gives $w \leftarrow (1 -
# 2\eta)\,w$. Everything follows from the factor $1 - 2\eta$: close to one, the steps crawl; between
# −1 and 1, they reach the minimum; beyond, each step overshoots by more than it corrects and the
# loss [diverges](glossary.md#divergence). Before you look at the figure, predict where
# the steps from $w = 1.5$ land for the rates 0.02, 0.3 and 1.05.

# %%
figure, axes = plt.subplots(1, 3, figsize=(8.5, 2.8), sharey=True)
curve = np.linspace(-2.6, 2.6, 101)
for axis, size in zip(axes, (0.02, 0.3, 1.05)):
    path = 1.5 * (1 - 2 * size) ** np.arange(6)
    axis.plot(curve, curve**2, color="grey")
    axis.plot(path, path**2, "o--")
    axis.set(title=f"learning rate {size}", xlabel="w")
axes[0].set_ylabel("loss")
plt.show()


# %% [markdown]
# Five steps from $w = 1.5$ each time. Left, they hardly move; in the middle they arrive; right,
# they jump from side to side and climb.

# %% [markdown]
# ### Exercise 1.8 — A sweep of learning rates
# *3 points · ★★☆ · 15 min · stuck? run `hint("1.8")`*
#
# **Given** `x_line` and `y_line` from above. Predict first: which of the rates 0.001, 0.1 and 1
# makes the loss fall fastest, and does any of them make it rise?
#
# **Write** `descend(x, y, learning_rate)`, which starts at $w = b = 0$, takes 100 steps of gradient
# descent and returns the 101 mean squared errors (before the first step and after each step); and
# `verdicts`, a dict from at least five learning rates to one of the words `"crawls"`,
# `"converges"`, `"diverges"` for `x_line` and `y_line`. Find at least one rate for each word.
#
# A run *diverges* if its last loss is above its first, *converges* if its last loss is within 5 %
# of the best last loss of your rates, and *crawls* if it falls but does not get there.
#
# **Shapes** `x` and `y` (n,); 101 numbers out; `verdicts[learning_rate]` is a word.
#
# **Done when** the losses are those of gradient descent for any data and rate, and the words fit
# the rates. Each of the two is worth half of the points.

# %%
def descend(x, y, learning_rate):
    """Return the mean squared errors of 100 steps of gradient descent, the first one included."""
    raise NotImplementedError("Exercise 1.8")


# %%
verdicts = None

# %%
check("1.8", descend, verdicts)

# %% [markdown]
# ## A matrix is a map
#
# Several neurons that read the same inputs form a [layer](glossary.md#layer). With $n$
# inputs and $m$ neurons their weights are a matrix $\mathbf{W}$ of shape $n \times m$, and
# $\mathbf{x}\mathbf{W}$ takes a point of $n$ dimensions to a point of $m$ dimensions. It keeps
# straight lines straight, parallel lines parallel and the origin where it is; the bias then shifts
# everything. What it can do is turn, stretch, shear, and flatten.

# %%
ticks = np.linspace(-1, 1, 9)
square = np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2)
maps = {"before": np.eye(2), "sheared": np.array([[1.0, 0.3], [0.8, 1.0]]),
        "flattened": np.array([[1.0, 0.5], [0.6, 0.3]])}
figure, axes = plt.subplots(1, 3, figsize=(8.5, 2.9), sharex=True, sharey=True)
for axis, (title, W) in zip(axes, maps.items()):
    axis.scatter(*(square @ W).T, c=square[:, 0], s=12)
    axis.set(title=f"{title}, rank {np.linalg.matrix_rank(W)}", xlabel="first coordinate")
axes[0].set_ylabel("second coordinate")
plt.show()
print("5 points, 3 inputs, 2 neurons: (5, 3) @ (3, 2) ->", (np.ones((5, 3)) @ np.ones((3, 2))).shape)

# %% [markdown]
# The middle map moves points and loses none. The right one has [rank](glossary.md#rank)
# 1: it presses the whole square onto one line, and no later layer can tell those points apart.

# %% [markdown]
# ## Losses: how wrong is a prediction?
#
# For numbers, the [sum of squares](glossary.md#sum-of-squares) and the [mean squared
# error](glossary.md#mean-squared-error) differ by a factor only:
#
# $$\text{SSE} = \tfrac12 \sum_i (\hat y_i - y_i)^2, \qquad \text{MSE} = \frac1n \sum_i (\hat y_i - y_i)^2.\tag{1.10}$$
#
# For classes, a network returns one probability per class, and the
# [cross-entropy](glossary.md#cross-entropy) looks at the probability $p$ of the true
# class alone: it is $-\log p$, averaged over the examples. Being sure and wrong costs without
# limit.

# %%
probability = np.linspace(0.01, 1, 200)
plotting.lines(
    probability,
    {"cross-entropy": -np.log(probability), "squared error": (1 - probability) ** 2},
    xlabel="probability given to the true class", ylabel="loss",
)
for name, p in (("a coin flip", 0.5), ("one in a hundred", 0.01)):
    print(f"{name} costs {-np.log(p):.3f}")


# %% [markdown]
# Both losses are zero for a sure and right answer. Only the cross-entropy, and its slope, grows
# without bound on the left.

# %% [markdown]
# ### Exercise 1.9 — Three losses
# *3 points · ★★☆ · 15 min · stuck? run `hint("1.9")`*
#
# **Given** predictions `y` and targets `t` of equal, arbitrary shape; class `probabilities` with
# rows that sum to 1; `labels` in either form: [one-hot](glossary.md#one-hot-encoding)
# rows or integer class numbers.
#
# **Write** `sum_of_squares(y, t)` and `mean_squared_error(y, t)` as in (1.10), over all entries,
# and `cross_entropy(probabilities, labels)`, the mean over the rows. A probability of exactly zero
# must give a large, finite loss, more than 10; the guard against it must not change other losses.
#
# **Shapes** `probabilities` is (n, k); `labels` is (n, k) or (n,); each loss is one number.
#
# **Done when** both label forms agree, and a probability of exactly 0 or 1 gives no `inf`, no `nan`
# and no warning. Each loss is worth a point, a `cross_entropy` that fails only at 0 and 1 half of
# one.

# %%
def sum_of_squares(y, t):
    """Return half the sum of the squared differences."""
    raise NotImplementedError("Exercise 1.9")


def mean_squared_error(y, t):
    """Return the mean of the squared differences."""
    raise NotImplementedError("Exercise 1.9")


def cross_entropy(probabilities, labels):
    """Return the mean of -log(probability of the true class)."""
    raise NotImplementedError("Exercise 1.9")


# %%
check("1.9", sum_of_squares, mean_squared_error, cross_entropy)

# %% [markdown]
# ## Why squares? A Gaussian answers
#
# Suppose each target is the prediction $\mu$ plus Gaussian noise of standard deviation $\sigma$.
# Then the data have a [likelihood](glossary.md#likelihood), the product of the
# densities, and its negative logarithm is a sum:
#
# $$-\log p(y \mid \mu, \sigma) = \tfrac12 \log(2\pi\sigma^2) + \frac{(y - \mu)^2}{2\sigma^2}.\tag{1.11}$$
#
# The first term does not contain $\mu$, and the second is the squared error times a constant.
# Logarithms matter for the computer, too: a product of hundreds of small densities is zero in
# floating point.

# %%
heights = np.random.default_rng(4).normal(170, 8, size=500)  # cm
for mean in (160, 170, 180):
    density = np.exp(-0.5 * ((heights - mean) / 8) ** 2) / np.sqrt(2 * np.pi * 8**2)
    mse = np.mean((heights - mean) ** 2)
    print(f"mean {mean} cm: product {np.prod(density)}, "
          f"mean of -log {-np.log(density).mean():.2f}, mean squared error {mse:.0f} cm²")


# %% [markdown]
# The product is 0.0 for every candidate and says nothing. The mean of $-\log$ ranks the candidates
# exactly as the mean squared error does.

# %% [markdown]
# ### Exercise 1.10 — Gaussian negative log-likelihood
# *2 points · ★★☆ · 10 min · stuck? run `hint("1.10")`*
#
# **Given** targets `y`, predictions `mean` (a number or an array like `y`) and a standard deviation
# `sigma > 0`.
#
# **Write** `gaussian_nll(y, mean, sigma)`, the mean of (1.11) over the entries, also where a
# density would be zero in floating point; and `nll_from_mse(mse, sigma)`, the same number from the
# mean squared error alone. The second function is the proof: for a fixed $\sigma$ the likelihood
# sees the mean only through the MSE, and falls as it grows.
#
# **Shapes** arrays of any shape in, one number out.
#
# **Done when** both functions agree with (1.11). Each of them is worth a point, a `gaussian_nll`
# that fails only where the density is zero half of one.

# %%
def gaussian_nll(y, mean, sigma):
    """Return the mean negative log-likelihood of y under a normal distribution."""
    raise NotImplementedError("Exercise 1.10")


def nll_from_mse(mse, sigma):
    """Return the mean negative log-likelihood that belongs to a mean squared error."""
    raise NotImplementedError("Exercise 1.10")


# %%
check("1.10", gaussian_nll, nll_from_mse)

# %% [markdown]
# ## The same neuron in Keras
#
# Keras calls a neuron a *unit* and writes a layer as `Dense(units)`: one unit and no activation is
# a linear neuron. `Sequential` stacks layers, `compile` names the loss and the
# [optimizer](glossary.md#optimizer), and `training.fit` runs the epochs; Keras's own
# `model.fit` takes the same arguments. With a batch of all 40 rows, one
# [epoch](glossary.md#epoch) is one step of gradient descent, so from the same start the
# same numbers must come out.

# %%
neuron = keras.layers.Dense(1, kernel_initializer="zeros")
keras_line = keras.Sequential([keras.Input(shape=(1,)), neuron])
keras_line.compile(optimizer=keras.optimizers.SGD(learning_rate=0.1), loss="mse")
history = training.fit(keras_line, x_line[:, None], y_line, epochs=300, batch_size=40)

kernel, bias = keras_line.get_weights()
print(f"Keras:        y = {kernel[0, 0]:.3f} x + {bias[0]:.3f}")
print(f"from scratch: y = {w_line:.3f} x + {b_line:.3f}")
print(f"mean squared error in the last epoch: {history.history['loss'][-1]:.4f}")


# %% [markdown]
# The lines agree to three decimals, and the remaining error is the noise of the points: `Dense(1)`
# with the loss `"mse"` is the neuron from above.

# %% [markdown]
# ### Exercise 1.11 — Least squares with Dense(1)
# *2 points · ★★☆ · 15 min · stuck? run `hint("1.11")`*
#
# **Given** examples `X` with inputs of about unit size, and targets `y`.
#
# **Write** `fit_linear(X, y)`: build a Keras model with one linear neuron, train it on the mean
# squared error, and return it. Choose optimizer, learning rate, batch size and epochs so that it
# takes a few seconds at most. Train on all rows of `X` and `y` as they are given.
#
# **Shapes** `X` is (n, d) for any d, `y` is (n,); the model maps (n, d) to (n, 1).
#
# **Done when** its weights and its bias are within 0.01 of the least-squares solution on data of
# the check's choosing.

# %%
def fit_linear(X, y):
    """Return a Keras model of one linear neuron, trained on X and y."""
    raise NotImplementedError("Exercise 1.11")


# %%
check("1.11", fit_linear)

# %% [markdown]
# ## Limits of a linear neuron: one direction only
#
# A linear model is [monotonic](glossary.md#monotonicity) in each input: if raising an
# input helps once, it helps always. Often that holds roughly, as for income and the chance to repay
# a loan. For body temperature and the risk of dying it does not: above 37 °C a rise is bad news,
# below 37 °C it is good news. Here a straight line must fail, while the hand-made input "squared
# distance from 37 °C" lets the same neuron fit. Hidden layers find such inputs by themselves.

# %%
temperature = np.linspace(34, 42, 81)  # °C
risk = 0.02 + 0.006 * (temperature - 37) ** 2
inputs = {"temperature": temperature, "squared distance": (temperature - 37) ** 2}
fitted = {"risk": risk}
for name, values in inputs.items():
    fitted[f"neuron on {name}"] = np.polyval(np.polyfit(values, risk, 1), values)
plotting.lines(temperature, fitted, xlabel="body temperature (°C)", ylabel="risk")
for name, values in fitted.items():
    error = np.sqrt(np.mean((values - risk) ** 2))
    print(f"{name:27} risk at 34 °C {values[0]:.3f}, at 37 °C {values[30]:.3f}, error {error:.3f}")

# %% [markdown]
# The straight line calls 34 °C the safest temperature of all with a risk of 0.011; it is 0.074. The curve
# is the same linear neuron, reading an input that someone thought of; it fits without error here
# only because the risk was made from that very input.

# %% [markdown]
# ## Limits of a linear neuron: pixels
#
# Is it a cat or a dog? A linear model on pixels would say that a brighter pixel at one place always
# speaks for the same animal, whatever surrounds it. But invert a picture and the cat is still a
# cat. For pixel values $\mathbf{x}$ between 0 and 1 the inverted picture is $1 - \mathbf{x}$, and
#
# $$(1 - \mathbf{x})^\top\mathbf{w} + b = \Big(\sum_i w_i + 2b\Big) - (\mathbf{x}^\top\mathbf{w} + b),\tag{1.12}$$
#
# so the score turns around. Our animals are crosses and rings, half of them inverted.

# %%
down, across = np.mgrid[-4:4, -4:4] + 0.5
shapes = {"cross": np.abs(down) == np.abs(across),
          "ring": np.abs(np.hypot(down, across) - 2.9) < 0.7}
pictures, labels = [], []
for label, shape in enumerate(shapes.values()):
    for inverted in (False, True) * 100:
        picture = np.where(shape ^ inverted, 0.9, 0.1)
        pictures.append(picture + random.uniform(-0.1, 0.1, size=(8, 8)))
        labels.append(label)
pictures, labels = np.array(pictures), np.array(labels)
plotting.images(pictures[[0, 1, 200, 201]], ["cross", "inverted", "ring", "inverted"], columns=4)


# %%
def linear_accuracy(pictures, labels):
    X = np.column_stack([pictures.reshape(len(pictures), -1), np.ones(len(pictures))])
    train, test = np.arange(len(X)) % 4 < 2, np.arange(len(X)) % 4 >= 2
    weights = np.linalg.lstsq(X[train], 2.0 * labels[train] - 1, rcond=0.01)[0]
    return np.mean((X[test] @ weights > 0) == labels[test])

print(f"accuracy without inverted pictures {linear_accuracy(pictures[::2], labels[::2]):.2f}")
print(f"accuracy with inverted pictures    {linear_accuracy(pictures, labels):.2f}")

# %% [markdown]
# Without inverted pictures one neuron reads both shapes without a mistake; with them it guesses.
# The meaning of a pixel depends on its neighbours, and that takes hidden layers: chapter 2.

# %% [markdown]
# ## Recap
#
# - A neuron is an affine function followed by an activation; with a step, its decision boundary is
#   a straight line.
# - AND, NAND and OR are linearly separable, XOR is not: a hidden layer moves the rows so that one
#   line is enough.
# - The perceptron rule learns from mistakes alone, at most $(R/\gamma)^2$ of them, and never ends
#   if no line exists.
# - Gradient descent needs a slope and a learning rate that is neither too large nor too small.
# - The mean squared error is a Gaussian likelihood in disguise; the cross-entropy is the same idea
#   for classes.
# - `keras.layers.Dense(1)` is the linear neuron, and it shares the limits of every linear model.

# %%
progress("perceptrons")

# %% [markdown]
# ## Terms
#
# [activation function](glossary.md#activation-function) ·
# [affine function](glossary.md#affine-function) ·
# [bias](glossary.md#bias) ·
# [cross-entropy](glossary.md#cross-entropy) ·
# [decision boundary](glossary.md#decision-boundary) ·
# [divergence](glossary.md#divergence) ·
# [epoch](glossary.md#epoch) ·
# [gradient](glossary.md#gradient) ·
# [gradient descent](glossary.md#gradient-descent) ·
# [hidden layer](glossary.md#hidden-layer) ·
# [layer](glossary.md#layer) ·
# [learning rate](glossary.md#learning-rate) ·
# [likelihood](glossary.md#likelihood) ·
# [linear regression](glossary.md#linear-regression) ·
# [linear separability](glossary.md#linear-separability) ·
# [margin](glossary.md#margin) ·
# [mean squared error](glossary.md#mean-squared-error) ·
# [monotonicity](glossary.md#monotonicity) ·
# [multilayer perceptron](glossary.md#multilayer-perceptron) ·
# [neuron](glossary.md#neuron) ·
# [one-hot encoding](glossary.md#one-hot-encoding) ·
# [optimizer](glossary.md#optimizer) ·
# [partial derivative](glossary.md#partial-derivative) ·
# [perceptron](glossary.md#perceptron) ·
# [perceptron learning rule](glossary.md#perceptron-learning-rule) ·
# [rank](glossary.md#rank) ·
# [sigmoid](glossary.md#sigmoid) ·
# [sum of squares](glossary.md#sum-of-squares) ·
# [threshold](glossary.md#threshold) ·
# [weight](glossary.md#weight) ·
# [weighted sum](glossary.md#weighted-sum)
#
# ## Sources
#
# - Zhang, Lipton, Li, Smola, *Dive into Deep Learning*, [section
#   5.1](https://d2l.ai/chapter_multilayer-perceptrons/mlp.html), CC BY-SA 4.0: the limits of linear
#   models and the notation.
# - McCulloch and Pitts, "A logical calculus of the ideas immanent in nervous activity", *Bulletin
#   of Mathematical Biophysics* 5, 1943.
# - Rosenblatt, "The perceptron: a probabilistic model for information storage and organization in
#   the brain", *Psychological Review* 65, 1958.
# - Novikoff, "On convergence proofs on perceptrons", *Symposium on the Mathematical Theory of
#   Automata*, 1962.
# - Minsky and Papert, *Perceptrons*, MIT Press, 1969.
