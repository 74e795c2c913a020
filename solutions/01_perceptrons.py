# %% [markdown]
# # 1. Perceptrons
#
# *From a single neuron to why one is not enough. It prepares [d2l 5.1](https://d2l.ai/chapter_multilayer-perceptrons/mlp.html) and follows no single section of it.*
#
# | To read | To run, CPU | To run, GPU | Difficulty | Exercises | Last run with |
# | --- | --- | --- | --- | --- | --- |
# | 50 min | 12 s on 2 cores | not measured | ★☆☆ | 11, 22 points | TensorFlow 2.21, Keras 3.15 |

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
# what a derivative is. Each exercise has three hints; `check` tells you what is right and what is
# not yet, as often as you like.

# %% [markdown]
# ## Setup
#
# The first line of imports belongs to this workbook; the rest is NumPy, Matplotlib and Keras.

# %% tags=["nbval-ignore-output"]
from helpers import check, hint, plotting, progress, training

import keras
import matplotlib.pyplot as plt
import numpy as np

keras.utils.set_random_seed(1)
print(training.device())

# %% [markdown]
# ## A neuron weighs its inputs
#
# A [neuron](../chapters/glossary.md#neuron) takes $n$ numbers $x_1, \dots, x_n$, multiplies each by
# its own [weight](../chapters/glossary.md#weight) $w_i$, and adds. It fires, which means it returns
# 1, when the [weighted sum](../chapters/glossary.md#weighted-sum) is above a
# [threshold](../chapters/glossary.md#threshold) $\theta$:
#
# $$y = \begin{cases}1 & \text{if } w_1 x_1 + \dots + w_n x_n > \theta,\\ 0 & \text{otherwise.}\end{cases}\tag{1.1}$$
#
# This is Rosenblatt's [perceptron](../chapters/glossary.md#perceptron) of 1958. Here it decides
# whether to go for a walk from three yes-or-no inputs. Dry weather matters most, so it gets the
# largest weight.

# %%
def threshold_neuron(x, w, theta):
    return int(np.dot(w, x) > theta)

w = np.array([3.0, 1.0, 2.0])  # dry, warm, in company
for x in [(1, 0, 0), (1, 1, 0), (0, 1, 1), (1, 0, 1)]:
    print(x, "weighted sum", np.dot(w, x), "-> walk" if threshold_neuron(x, w, 3.5) else "-> stay")

# %% [markdown]
# Dry weather alone is worth 3 and is not enough; together with any second reason it is. No reason
# outweighs rain.

# %% [markdown]
# ## The threshold becomes a bias
#
# Move the threshold to the left side and call it a [bias](../chapters/glossary.md#bias), $b =
# -\theta$:
#
# $$y = \operatorname{step}(w_1 x_1 + \dots + w_n x_n + b), \qquad \operatorname{step}(z) = \begin{cases}1 & z > 0,\\ 0 & z \le 0.\end{cases}\tag{1.2}$$
#
# Nothing changes in the numbers, but the neuron now splits into two parts that the rest of this
# workbook treats separately: an [affine function](../chapters/glossary.md#affine-function) $z =
# \mathbf{w}^\top \mathbf{x} + b$, and an [activation
# function](../chapters/glossary.md#activation-function) applied to $z$. For a table $\mathbf{X}$
# with one example a row, all sums are one matrix product.

# %%
def bias_neuron(X, w, b):
    return (X @ w + b > 0).astype(int)

X = np.random.default_rng(1).uniform(0, 1, size=(1000, 3))
one_by_one = [threshold_neuron(x, w, 3.5) for x in X]
all_at_once = bias_neuron(X, w, -3.5)
print("shape", all_at_once.shape, "- same decisions:", np.array_equal(one_by_one, all_at_once))

# %% tags=["proof"]
assert np.array_equal(one_by_one, all_at_once) and 0 < all_at_once.mean() < 1

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
# Choosing weights means finding numbers that satisfy all four. The cell tries every combination on
# a grid of $17^3$ weights.

# %%
rows = np.array([[0, 0], [1, 0], [0, 1], [1, 1]])
wanted = {"x1 but not x2": [0, 1, 0, 0], "AND": [0, 0, 0, 1], "NAND": [1, 1, 1, 0],
          "OR": [0, 1, 1, 1], "XOR": [0, 1, 1, 0]}

values = np.arange(-2, 2.25, 0.25)
grid = np.stack(np.meshgrid(values, values, values), axis=-1).reshape(-1, 3)  # w1, w2, b
outputs = (rows @ grid[:, :2].T + grid[:, 2] > 0).astype(int)  # 4 rows, one column a neuron
for name, column in wanted.items():
    works = (outputs == np.array(column)[:, None]).all(axis=0)
    print(f"{name:14} {works.sum():4} of {len(grid)} neurons")

# %% tags=["proof"]
assert not (outputs == np.array(wanted["XOR"])[:, None]).all(axis=0).any()
assert all(
    (outputs == np.array(wanted[name])[:, None]).all(axis=0).sum() > 100
    for name in ("x1 but not x2", "AND", "NAND", "OR")
)

# %% [markdown]
# Hundreds of neurons compute each of the first four gates, so there is no single right answer. For
# XOR there is none; we come back to that.

# %% [markdown]
# ## The decision line
#
# A neuron with two inputs changes its answer where its sum is zero:
#
# $$w_1 x_1 + w_2 x_2 + b = 0.\tag{1.3}$$
#
# That is a straight line, the [decision boundary](../chapters/glossary.md#decision-boundary). The
# weights $(w_1, w_2)$ point at right angles to it, to the side where the neuron fires, and the bias
# shifts it away from the origin. With more inputs the line becomes a plane, then a hyperplane.

# %%
w, b = np.array([1.0, -1.0]), -0.5
plotting.decision_boundary(
    lambda X: bias_neuron(X, w, b), rows, np.array(wanted["x1 but not x2"])
)

# %% [markdown]
# The line cuts off the corner (1, 0), the only row of "$x_1$ but not $x_2$" that gives 1. Many
# other lines would do so, too.

# %% [markdown]
# ### Exercise +1.1 — Gates from weights
# *2 points · ★☆☆ · 10 min · stuck? run `hint("+1.1")`*
#
# **Given** two numbers `x1` and `x2`; each is 0 or 1 on the truth table, and the gates also take
# any number in between or beyond.
#
# **Write** `and_gate`, `nand_gate` and `or_gate`, each a single neuron as in (1.2) with weights and
# a bias that you choose.
#
# **Shapes** two numbers in, the number 0 or 1 out.
#
# **Done when** all twelve rows are right and each gate splits the plane by one straight line, as a
# neuron does.

# %%
def and_gate(x1, x2):
    """Return 1 if both inputs are 1."""
    ### BEGIN SOLUTION
    return int(1.0 * x1 + 1.0 * x2 - 1.5 > 0)
    ### STUB
    # raise NotImplementedError("Exercise +1.1")
    ### END SOLUTION


def nand_gate(x1, x2):
    """Return 0 if both inputs are 1."""
    ### BEGIN SOLUTION
    return int(-1.0 * x1 - 1.0 * x2 + 1.5 > 0)
    ### STUB
    # raise NotImplementedError("Exercise +1.1")
    ### END SOLUTION


def or_gate(x1, x2):
    """Return 1 if at least one input is 1."""
    ### BEGIN SOLUTION
    return int(1.0 * x1 + 1.0 * x2 - 0.5 > 0)
    ### STUB
    # raise NotImplementedError("Exercise +1.1")
    ### END SOLUTION

# %%
check("+1.1", and_gate, nand_gate, or_gate)

# %% [markdown]
# ## XOR has no line
#
# XOR is 1 when exactly one input is 1. Draw its four rows: the ones sit at two opposite corners of
# a square, the zeros at the other two. Whichever line you draw, at least one corner ends up on the
# wrong side. Classes that one line (or hyperplane) can part are called [linearly
# separable](../chapters/glossary.md#linear-separability); XOR's are not. In 1969 Minsky and Papert
# made this small fact famous, and work on neural networks slowed down for years.

# %%
figure, axes = plt.subplots(1, 3, figsize=(8, 2.8), sharey=True)
xor = np.array(wanted["XOR"])
for axis, (w1, w2, b) in zip(axes, [(1, 1, -0.5), (1, 1, -1.5), (1, -1, -0.5)]):
    right = int(((rows @ [w1, w2] + b > 0) == xor).sum())
    for value, marker in ((0, "o"), (1, "s")):
        axis.plot(*rows[xor == value].T, marker, markersize=9, label=f"XOR = {value}")
    axis.axline((0, -b / w2), slope=-w1 / w2, color="black", linestyle="--")
    axis.set(title=f"{right} of 4 right", xlabel="x1", xlim=(-0.5, 1.5), ylim=(-0.5, 1.5))
axes[0].set_ylabel("x2")
axes[0].legend(loc="center")
plt.show()
print("most rows right on the whole grid:", (outputs == xor[:, None]).sum(axis=0).max())

# %% tags=["proof"]
assert (outputs == xor[:, None]).sum(axis=0).max() == 3

# %% [markdown]
# Three good attempts, three rows right each time. None of the 4913 neurons on the grid gets all
# four.

# %% [markdown]
# ### Exercise +1.2 — XOR by composition
# *1 point · ★☆☆ · 5 min · stuck? run `hint("+1.2")`*
#
# **Given** your three gates from exercise +1.1.
#
# **Write** `xor_gate` by calling gates on the outputs of other gates. No `if`, no comparison, no
# new weights.
#
# **Shapes** two numbers in, the number 0 or 1 out.
#
# **Done when** the four rows are right, and inputs a hair away from a corner still give the
# corner's answer.

# %%
def xor_gate(x1, x2):
    """Return 1 if exactly one input is 1."""
    ### BEGIN SOLUTION
    return and_gate(nand_gate(x1, x2), or_gate(x1, x2))
    ### STUB
    # raise NotImplementedError("Exercise +1.2")
    ### END SOLUTION

# %%
check("+1.2", xor_gate)

# %% [markdown]
# ### Exercise +1.3-quiz — No line for XOR
# *1 point · ★☆☆ · 3 min · stuck? run `hint("+1.3-quiz")`*
#
# A neuron that computed XOR would satisfy these four inequalities: (1) $b \le 0$, (2) $w_1 + b >
# 0$, (3) $w_2 + b > 0$, (4) $w_1 + w_2 + b \le 0$. Which statement shows that no such neuron
# exists?
#
# - **a** (2) and (3) need positive weights, and positive weights contradict (1).
# - **b** Adding (2) and (3) gives $w_1 + w_2 + 2b > 0$; adding (1) and (4) gives $w_1 + w_2 + 2b
#   \le 0$.
# - **c** Four inequalities with three unknowns never have a solution.
# - **d** The weights exist, but a computer cannot represent them exactly.

# %%
### BEGIN SOLUTION
choice_1_3 = "b"
### STUB
# choice_1_3 = None
### END SOLUTION

# %%
check("+1.3-quiz", choice_1_3)

# %% [markdown]
# ### Exercise +1.3-explain — The argument in a picture
# *2 points · ★★☆ · 5 min · stuck? run `hint("+1.3-explain")`*
#
# Explain to someone who has not seen an inequality today why no straight line parts the ones of XOR
# from its zeros. Use the midpoint of the square. Then say what a second layer of neurons changes.

# %% [markdown] tags=["answer"]
# **Answer +1.3-explain.** If two points lie on the same side of a line, every point between them
# lies on that side, too. The two ones of XOR, (1, 0) and (0, 1), have the midpoint (½, ½), so the
# midpoint would belong to the side of the ones. The two zeros, (0, 0) and (1, 1), have the same
# midpoint, so it would belong to the side of the zeros as well. A point cannot lie on both sides,
# so the line does not exist. A second layer does not look at $x_1$ and $x_2$ but at the answers of
# two first-layer neurons. Two lines cut the plane into strips, and in the new coordinates (1, 0)
# and (0, 1) become the same point, so one more line is enough.

# %% [markdown]
# ## Recap
#
# - A neuron is a weighted sum, a bias and a step; its decision boundary is a straight line.
# - AND, NAND and OR are linearly separable, XOR is not: it takes a second layer.

# %% tags=["nbval-ignore-output"]
progress("perceptrons")
