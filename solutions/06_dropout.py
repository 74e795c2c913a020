# %% [markdown]
# # 6. Dropout
#
# *After [d2l 5.6](https://d2l.ai/chapter_multilayer-perceptrons/dropout.html), in TensorFlow and Keras 3.*
#
# | To read | To run, CPU | To run, GPU | Difficulty | Exercises | Last run with |
# | --- | --- | --- | --- | --- | --- |
# | 45 min | 58 s on 2 cores | not measured | ★★☆ | 13, 29 points | TensorFlow 2.21, Keras 3.15 |

# %% [markdown]
# ## What you will learn
#
# - **Show** that noise on the inputs makes a fitted function smoother.
# - **Write** inverted dropout and prove that it keeps the mean of every activation.
# - **Build** a network with dropout from scratch and in Keras, and show that both agree.
# - **Measure** what dropout does, over several seeds, with mean and spread.
# - **Use** dropout at prediction time to see where a network is unsure.
#
# ## Before you start
#
# You need the MLP and its training loop from [chapter 2](02_multilayer_perceptrons.ipynb), He's start
# from [chapter 4](04_initialization.ipynb), and overfitting and weight decay from [chapter
# 5](05_generalization.ipynb).

# %% [markdown]
# ## Setup
#
# The page trains on 1,024 images of Fashion-MNIST and validates on 1,024 others. So few images make
# overfitting visible within seconds.

# %% tags=["nbval-ignore-output"]
from helpers import check, data, hint, models, plotting, progress, training

import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf

keras.utils.set_random_seed(6)
fashion = data.load_fashion_mnist()
print(fashion)
print(training.device())

# %%
images = fashion.train_images[:2048].reshape(2048, 784).astype("float32") / 255
labels = fashion.train_labels[:2048]
x_train, y_train = images[:1024], labels[:1024]
x_valid, y_valid = images[1024:], labels[1024:]
print("training", x_train.shape, "validation", x_valid.shape, "classes", len(fashion.class_names))

# %% [markdown]
# ## Noise makes functions smooth
#
# A good model should not change its answer when an input changes a little. Bishop showed in 1995
# that training with noise on the inputs rewards exactly that
# [smoothness](../chapters/glossary.md#smoothness): it acts like [Tikhonov
# regularization](../chapters/glossary.md#tikhonov-regularization), a penalty on steep functions.
#
# The cell fits a curve with 15 adjustable bumps to 15 noisy points, once as they are and once as
# 200 copies whose positions are jittered. Nothing else differs.

# %%
random = np.random.default_rng(3)
x_points = np.linspace(-1, 1, 15)
y_points = np.sin(3 * x_points) + random.normal(0, 0.3, size=15)

def bumps(x):
    return np.exp(-0.5 * ((x[:, None] - np.linspace(-1, 1, 15)) / 0.15) ** 2)

x_jittered = (x_points + random.normal(0, 0.1, size=(200, 15))).ravel()
exact = np.linalg.lstsq(bumps(x_points), y_points, rcond=None)[0]
smooth = np.linalg.lstsq(bumps(x_jittered), np.tile(y_points, 200), rcond=None)[0]

# %%
x_fine = np.linspace(-1, 1, 201)
plt.plot(x_fine, bumps(x_fine) @ exact, label="fitted to 15 points")
plt.plot(x_fine, bumps(x_fine) @ smooth, label="fitted to jittered copies")
plt.plot(x_points, y_points, "ko", markersize=4, label="data")
plt.xlabel("x")
plt.ylabel("y")
plt.legend()
plt.show()
steepness = {name: np.abs(np.diff(bumps(x_fine) @ w)).sum() for name, w in
             {"exact": exact, "smooth": smooth}.items()}
print("the exact curve climbs and falls at least 1.5 times as far:",
      steepness["exact"] > 1.5 * steepness["smooth"])

# %% tags=["proof"]
assert steepness["exact"] > 1.5 * steepness["smooth"]

# %% [markdown]
# The first curve runs through every point and swings in between. The second has seen each point at
# many places, so it cannot swing.

# %% [markdown]
# ### Exercise 6.1 — Input noise is ridge regression
# *2 points · ★★☆ · 15 min · stuck? run `hint("6.1")`*
#
# **Given** a linear model $\hat{\mathbf{y}} = \mathbf{X}\mathbf{w}$, and independent Gaussian noise
# of standard deviation `sigma` added to every entry of `X`, anew at each look.
#
# **Write** `noisy_loss(X, y, w, sigma)`, the expected mean squared error over all such noise, in
# closed form; and `noisy_weights(X, y, sigma)`, the weights that minimise it.
#
# **Shapes** `X` is (n, d), `y` is (n,), `w` is (d,); return a number, and an array of shape (d,).
#
# **Done when** the loss is what many random draws give on average, and the weights are those of a
# [ridge regression](../chapters/glossary.md#ridge-regression) whose strength follows from `sigma`.

# %%
def noisy_loss(X, y, w, sigma):
    """Return the expected mean squared error when X carries noise."""
    ### BEGIN SOLUTION
    return np.mean((X @ w - y) ** 2) + sigma**2 * np.sum(w**2)
    ### STUB
    # raise NotImplementedError("Exercise 6.1")
    ### END SOLUTION


def noisy_weights(X, y, sigma):
    """Return the weights with the least expected loss."""
    ### BEGIN SOLUTION
    penalty = len(X) * sigma**2 * np.eye(X.shape[1])
    return np.linalg.solve(X.T @ X + penalty, X.T @ y)
    ### STUB
    # raise NotImplementedError("Exercise 6.1")
    ### END SOLUTION

# %%
check("6.1", noisy_loss, noisy_weights)

# %% tags=["proof"]
X = random.normal(size=(30, 2))
ridge, plain = noisy_weights(X, X[:, 0], 0.5), noisy_weights(X, X[:, 0], 0.0)
assert np.linalg.norm(ridge) < np.linalg.norm(plain)
assert noisy_loss(X, X[:, 0], ridge, 0.5) < noisy_loss(X, X[:, 0], plain, 0.5)

# %% [markdown]
# ## Noise that keeps the mean
#
# [Dropout](../chapters/glossary.md#dropout) puts noise into every hidden layer: it sets each
# activation $h$ to zero with probability $p$, the [rate](../chapters/glossary.md#dropout-rate). The
# layer above should still receive the same input on average, so the survivors are scaled up:
#
# $$h' = \begin{cases}0 & \text{with probability } p,\\ \dfrac{h}{1-p} & \text{otherwise.}\end{cases}\tag{5.6.1}$$
#
# Then $\mathrm{E}[h'] = p \cdot 0 + (1-p)\,\frac{h}{1-p} = h$. Scaling in training rather than at
# prediction is called [inverted dropout](../chapters/glossary.md#inverted-dropout).

# %%
h, rate = np.array([1.0, 2.0, 3.0, 4.0]), 0.5
draws = np.where(random.uniform(size=(100_000, 4)) < rate, 0.0, h / (1 - rate))
print("three draws:", *draws[:3], sep="\n")
print("mean of 100,000 draws:", np.round(draws.mean(axis=0), 1))

# %% tags=["proof"]
assert np.allclose(draws.mean(axis=0), h, rtol=0.02)

# %% [markdown]
# Each draw is 0 or twice the activation; their mean is the activation.

# %% [markdown]
# ## Rates from zero to one
#
# At $p = 0$ nothing happens; at $p = 1$ nothing is left. In between, every entry of every example
# draws its own fate, so no two examples in a batch go through the same network. The figure drops
# pixels of one image.

# %%
picture = fashion.train_images[1] / 255
rates, masked = (0.0, 0.2, 0.5, 0.8, 1.0), []
for rate in rates:
    kept = random.uniform(size=(28, 28)) >= rate
    masked.append(kept * picture / (1 - rate) if rate < 1 else 0 * picture)
plotting.images(np.minimum(masked, 1), [f"p = {rate}" for rate in rates], columns=5)

# %% [markdown]
# At 0.5 you still recognise the piece of clothing, although half of it is gone. A network that must
# cope with this cannot rely on any single pixel.

# %% [markdown]
# ### Exercise 6.2 — A dropout layer
# *2 points · ★★☆ · 15 min · stuck? run `hint("6.2")`*
#
# **Given** activations `x`, a `rate` and a `seed`.
#
# **Write** `dropout_layer(x, rate, seed)` after (5.6.1). The same seed draws the same mask, another
# seed another one. A rate of 1 gives zeros; a rate outside [0, 1] raises a `ValueError`.
#
# **Shapes** `x` has any shape; the result has the same.
#
# **Done when** each entry is dropped on its own, survivors are scaled, the mean is kept, and `x`
# itself is left alone.

# %%
def dropout_layer(x, rate, seed):
    """Return x with a fraction `rate` of its entries set to zero and the others scaled up."""
    ### BEGIN SOLUTION
    if not 0 <= rate <= 1:
        raise ValueError(f"A dropout rate lies between 0 and 1, and this one is {rate}.")
    if rate == 1:
        return np.zeros_like(x)
    kept = np.random.default_rng(seed).uniform(size=np.shape(x)) >= rate
    return np.where(kept, x / (1 - rate), 0.0)
    ### STUB
    # raise NotImplementedError("Exercise 6.2")
    ### END SOLUTION

# %%
check("6.2", dropout_layer)

# %% tags=["proof"]
assert not dropout_layer(np.ones(9), 1, seed=0).any()
assert abs(dropout_layer(np.ones(100_000), 0.8, seed=0).mean() - 1) < 0.05

# %% [markdown]
# ## A network with dropout, from scratch
#
# d2l's network has two hidden layers of 256 units and drops half of each after its activation. The
# weights start as He proposed (chapter 4). New is the call of `drop`, which stands behind
# `if training`.

# %%
def drop(H, rate):
    kept = tf.random.uniform(tf.shape(H)) >= rate
    return tf.where(kept, H / (1 - rate), 0.0)

sizes = (784, 256, 256, 10)
W = [tf.Variable(tf.random.normal((fan_in, units), stddev=(2 / fan_in) ** 0.5))
     for fan_in, units in zip(sizes, sizes[1:])]
b = [tf.Variable(tf.zeros(units)) for units in sizes[1:]]

def scratch_logits(X, training):
    H = X
    for layer in (0, 1):
        H = tf.nn.relu(H @ W[layer] + b[layer])
        if training:
            H = drop(H, 0.5)
    return H @ W[2] + b[2]

# %% [markdown]
# Training is the loop of chapter 2: shuffle, cut into batches, follow the gradient of the
# cross-entropy.

# %%
def train_step(X, y):
    with tf.GradientTape() as tape:
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(y, scratch_logits(X, True))
        loss = tf.reduce_mean(losses)
    for variable, gradient in zip(W + b, tape.gradient(loss, W + b)):
        variable.assign_sub(0.1 * gradient)

compiled_step = tf.function(train_step)
for _ in range(20):
    for batch in np.split(random.permutation(1024), 16):
        compiled_step(x_train[batch], y_train[batch])
predictions = scratch_logits(x_valid, False).numpy().argmax(axis=1)
print("validation accuracy above 0.7:", np.mean(predictions == y_valid) > 0.7)

# %% tags=["proof"]
assert np.mean(predictions == y_valid) > 0.7

# %% [markdown]
# Twenty epochs, and the network is right on more than seven of ten images, although it never
# trained in the form in which it predicts.

# %% [markdown]
# ## The same network in Keras
#
# In Keras, dropout is a layer of its own, `Dropout(rate)`, placed after the activation it acts on.
# `models.mlp` writes the same stack in one call; here it stands in full.
#
# To see that it is the same network, the cell gives it the weights trained from scratch.

# %%
layers = keras.layers
model = keras.Sequential([
    keras.Input(shape=(784,)),
    layers.Dense(256, activation="relu"), layers.Dropout(0.5),
    layers.Dense(256, activation="relu"), layers.Dropout(0.5),
    layers.Dense(10),
])
model.set_weights([weight.numpy() for pair in zip(W, b) for weight in pair])
same = np.allclose(model(x_valid), scratch_logits(x_valid, False), atol=1e-3)
print("same logits at prediction:", same)

# %% tags=["proof"]
assert same

# %% [markdown]
# Without dropout both compute the same numbers. In training they draw different masks, so only
# their averages can agree:

# %%
few = x_valid[:5]
copies = np.repeat(few, 2000, axis=0)  # each copy meets a mask of its own
from_keras = np.mean(np.reshape(model(copies, training=True), (5, 2000, 10)), axis=1)
from_scratch = np.mean(np.reshape(scratch_logits(copies, True), (5, 2000, 10)), axis=1)
gap = np.abs(from_keras - from_scratch).max() / np.std(from_scratch)
print("largest gap of the means below a fifth of the spread of logits:", gap < 0.2)

# %% tags=["proof"]
assert gap < 0.2

# %% [markdown]
# The averages agree, too: what differs between the two is who draws the masks.

# %% [markdown]
# ## Only in training
#
# `model(x)` and `model.predict(x)` leave dropout out; `fit` and `model(x, training=True)` put it
# in. The layer needs no correction when it rests, because inverted dropout has kept the means.

# %%
for mode in (False, True):
    twice = [model(few, training=mode).numpy() for _ in range(2)]
    print(f"training={mode!s:5}: two passes agree: {np.array_equal(*twice)}")

# %% tags=["proof"]
assert not np.array_equal(*twice)

# %% [markdown]
# The prediction is the same each time, the training pass never is.

# %% [markdown]
# ### Exercise 6.3 — Monte Carlo dropout
# *2 points · ★★☆ · 15 min · stuck? run `hint("6.3")`*
#
# **Given** a Keras `model` with dropout layers, inputs `x` and a number of `draws`.
#
# **Write** `monte_carlo(model, x, draws)`: pass `x` through the model `draws` times with dropout
# switched on, and return the mean and the standard deviation of its outputs over the draws. This is
# [Monte Carlo dropout](../chapters/glossary.md#monte-carlo-dropout).
#
# **Shapes** `x` is (n, d); return `(mean, standard_deviation)`, both NumPy arrays of the shape of
# the model's output, (n, k).
#
# **Done when** the statistics are taken over the draws, for each example and output apart.

# %%
def monte_carlo(model, x, draws):
    """Return mean and standard deviation of the outputs over `draws` passes with dropout."""
    ### BEGIN SOLUTION
    outputs = np.stack([model(x, training=True) for _ in range(draws)])
    return outputs.mean(axis=0), outputs.std(axis=0)
    ### STUB
    # raise NotImplementedError("Exercise 6.3")
    ### END SOLUTION

# %%
check("6.3", monte_carlo)

# %% tags=["proof"]
assert (monte_carlo(model, few, 20)[1] > 0).all()

# %% [markdown]
# ## Dropout as a measure of doubt
#
# Gal and Ghahramani read the spread of such passes as
# [uncertainty](../chapters/glossary.md#uncertainty): where thinned networks agree, the data have
# settled the answer; where they differ, they have not. The cell fits a curve to two clusters of
# points and asks for answers far outside of them.

# %%
x_curve = np.concatenate([random.uniform(-2, -0.5, 60), random.uniform(0.5, 2, 60)])
y_curve = np.sin(2 * x_curve) + random.normal(0, 0.1, size=120)
doubter = models.mlp((128, 128), outputs=1, inputs=1, rate=0.1, seed=1)
doubter.compile(optimizer=keras.optimizers.Adam(0.003), loss="mse")
training.fit(doubter, x_curve[:, None], y_curve, epochs=70, batch_size=40, seed=1)

x_wide = np.linspace(-5, 5, 101, dtype="float32")[:, None]
passes = np.stack([doubter(x_wide, training=True)[:, 0] for _ in range(200)])
mean, spread = passes.mean(axis=0), passes.std(axis=0)

# %%
band = mean - 2 * spread, mean + 2 * spread
plt.fill_between(x_wide[:, 0], *band, alpha=0.3, label="± 2 standard deviations")
plt.plot(x_wide[:, 0], mean, label="mean of 200 passes")
plt.plot(x_curve, y_curve, "k.", markersize=3, label="data")
plt.xlabel("x")
plt.ylabel("y")
plt.legend()
plt.show()
inside = (np.abs(x_wide[:, 0]) > 0.5) & (np.abs(x_wide[:, 0]) < 2)
doubt = spread[np.abs(x_wide[:, 0]) > 4].mean() / spread[inside].mean()
print("spread beyond ±4 more than twice that among the data:", doubt > 2)

# %% tags=["proof"]
assert doubt > 2

# %% [markdown]
# Among the data the band is narrow; outside, it opens like a fan. The network cannot know what
# comes there, and now it says so.

# %% [markdown]
# ## One run proves nothing
#
# The exercises below compare training recipes. Two runs of the *same* recipe already differ,
# because the initial weights, the masks and the order of the batches do. So train each recipe with
# several seeds, and report the mean and the [standard
# deviation](../chapters/glossary.md#standard-deviation) over the seeds. A difference smaller than
# the spread is no result.
#
# `train_once` is one run; you will use it in most exercises. Its learning rate falls from 0.003
# towards zero along a cosine, so that a run comes to rest and the last epoch speaks for it. One run
# of 15 epochs takes less than a second.

# %%
def train_once(model, seed, epochs=15, weight_decay=0.0, callbacks=()):
    """Train a built model on the page's images and return its history, a dict of lists."""
    model.compile(
        optimizer=keras.optimizers.AdamW(weight_decay=weight_decay), metrics=["accuracy"],
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    cosine = keras.callbacks.LearningRateScheduler(
        lambda epoch: 0.0015 * (1 + np.cos(np.pi * epoch / epochs)))
    return training.fit(
        model, x_train, y_train, epochs=epochs, batch_size=128, seed=seed,
        callbacks=[cosine, *callbacks], validation_data=(x_valid, y_valid),
    ).history

def accuracy(model, x, y):
    return float(np.mean(model(x).numpy().argmax(axis=1) == y))

# %%
same_recipe = []
for seed in (0, 1, 2):
    model = models.mlp((256, 256), rate=0.5, seed=seed)
    train_once(model, seed, epochs=8)
    same_recipe.append(accuracy(model, x_valid, y_valid))
print("three seeds, all above 0.7:", min(same_recipe) > 0.7)
print("all equal:", len(set(same_recipe)) == 1)

# %% tags=["proof"]
assert min(same_recipe) > 0.7 and len(set(same_recipe)) > 1

# %% [markdown]
# The three runs are good and not equal. Two digits after the decimal point are about all that one
# run can tell.

# %% [markdown]
# ### Exercise 6.4 — Change and swap the rates (d2l 5.6.1)
# *3 points · ★★☆ · 20 min · stuck? run `hint("6.4")`*
#
# **Given** `train_once` and `accuracy`. What happens when you change the rates of the two hidden
# layers, and when you swap them?
#
# **Write** `rates_table`, a dict from a pair `(rate1, rate2)` to a dict with the keys `"training"`
# and `"validation"`, each a list of accuracies over at least three seeds, measured without dropout
# after training. Cover at least (0, 0), (0.2, 0.5), (0.5, 0.2) and (0.5, 0.5), for the network
# 784-256-256-10, with 15 to 30 epochs. Twelve runs take about ten seconds.
#
# **Write** also `fits_best` and `gap_smallest`, the pairs with the highest mean training accuracy
# and with the smallest mean difference between training and validation accuracy.
#
# **Shapes** every list has one number a seed, and all have the same length; a pair is a tuple of
# two rates.
#
# **Done when** the table is complete, its numbers are possible, and your two pairs follow from it.
# Draw it with error bars.

# %%
### BEGIN SOLUTION
rates_table = {}
for rates in ((0, 0), (0.2, 0.5), (0.5, 0.2), (0.5, 0.5)):
    rates_table[rates] = {"training": [], "validation": []}
    for seed in (0, 1, 2):
        model = models.mlp((256, 256), rate=rates, seed=seed)
        train_once(model, seed)
        rates_table[rates]["training"].append(accuracy(model, x_train, y_train))
        rates_table[rates]["validation"].append(accuracy(model, x_valid, y_valid))

means = {rates: {part: np.mean(row[part]) for part in row} for rates, row in rates_table.items()}
gaps = {rates: row["training"] - row["validation"] for rates, row in means.items()}
fits_best = max(means, key=lambda rates: means[rates]["training"])
gap_smallest = min(gaps, key=gaps.get)
for part in ("training", "validation"):
    runs = np.array([row[part] for row in rates_table.values()])
    plt.errorbar(range(4), runs.mean(axis=1), runs.std(axis=1), fmt="o", capsize=4, label=part)
plt.xticks(range(4), [f"{first} / {second}" for first, second in rates_table])
plt.xlabel("rate of layer 1 / rate of layer 2")
plt.ylabel("accuracy")
plt.legend()
plt.show()
### STUB
# rates_table = None
# fits_best = None
# gap_smallest = None
### END SOLUTION

# %%
check("6.4", rates_table, fits_best, gap_smallest)

# %% tags=["proof"]
assert fits_best == (0, 0) and gaps[0.5, 0.5] < gaps[0, 0] - 0.01
assert means[0.2, 0.5]["training"] > means[0.5, 0.5]["training"]
assert np.ptp([row["validation"] for row in means.values()]) < 0.06

# %% [markdown]
# ### Exercise 6.5 — Train for longer (d2l 5.6.2)
# *2 points · ★★☆ · 15 min · stuck? run `hint("6.5")`*
#
# **Given** the networks 784-256-256-10 without dropout and with rates 0.5 and 0.5. The history of
# `train_once` holds the validation loss of each epoch as `"val_loss"`.
#
# **Write** `curves`, a dict with the keys `"without"` and `"with"`, each an array of validation
# losses of shape (seeds, epochs), for at least two seeds and the same number of epochs, at least
# 40. Four runs of 40 epochs take about seven seconds.
#
# **Shapes** (seeds, epochs), the same epochs in both.
#
# **Done when** the losses are possible and show what more epochs do to each network. Draw the mean
# over the seeds.

# %%
### BEGIN SOLUTION
curves = {}
for name, rate in (("without", 0.0), ("with", 0.5)):
    curves[name] = np.array([
        train_once(models.mlp((256, 256), rate=rate, seed=seed), seed, epochs=40)["val_loss"]
        for seed in (0, 1)
    ])

plotting.lines(
    range(1, 41),
    {f"{name} dropout": losses.mean(axis=0) for name, losses in curves.items()},
    spread={f"{name} dropout": losses.std(axis=0) for name, losses in curves.items()},
    xlabel="epoch", ylabel="validation loss",
)
### STUB
# curves = None
### END SOLUTION

# %%
check("6.5", curves)

# %% tags=["proof"]
final = {name: losses[:, -1].mean() for name, losses in curves.items()}
assert final["without"] > 1.1 * curves["without"].mean(axis=0).min()
assert final["with"] < 1.2 * curves["with"].mean(axis=0).min()
assert final["with"] < final["without"] - 0.05

# %% [markdown]
# ### Exercise 6.6 — Variance of activations (d2l 5.6.3)
# *2 points · ★★☆ · 15 min · stuck? run `hint("6.6")`*
#
# **Given** a `keras.Sequential` model of `Dense` and `Dropout` layers, of which a dropout layer may
# come first; inputs `x`; and `training`, which switches dropout.
#
# **Write** `activation_variances(model, x, training)`: for each hidden layer, the variance over all
# examples and units of what the next `Dense` layer reads, so after the activation and after a
# dropout layer, where there is one.
#
# **Shapes** `x` is (n, d); return one number a hidden layer, as a list or array.
#
# **Done when** it counts hidden layers rather than Keras layers and obeys `training`.

# %%
def activation_variances(model, x, training):
    """Return the variance of what each Dense layer after the first reads."""
    ### BEGIN SOLUTION
    variances = []
    after_hidden = [layer for layer in model.layers if isinstance(layer, keras.layers.Dense)][1:]
    for layer in model.layers:
        if layer in after_hidden:
            variances.append(float(np.var(x)))
        x = layer(x, training=training) if isinstance(layer, keras.layers.Dropout) else layer(x)
    return variances
    ### STUB
    # raise NotImplementedError("Exercise 6.6")
    ### END SOLUTION

# %%
check("6.6", activation_variances)

# %% [markdown]
# ### Exercise 6.7 — Variance over time (d2l 5.6.3)
# *2 points · ★★☆ · 15 min · stuck? run `hint("6.7")`*
#
# **Given** your `activation_variances`, and the networks without dropout and with rates 0.5 and
# 0.5, both with seed 0.
#
# **Write** `variances`, a dict of three arrays of shape (epochs + 1, 2): `"without"` for the
# network without dropout; `"with, training"` and `"with, predicting"` for the other one, with
# `training` true and false. Row 0 is measured before training, row $k$ after epoch $k$, on
# `x_valid`. Train at least 10 epochs; `train_once` takes `callbacks`, and
# `keras.callbacks.LambdaCallback(on_epoch_end=...)` is one. It takes about two seconds.
#
# **Shapes** (epochs + 1, 2) each: a row a time, a column a hidden layer.
#
# **Done when** all rows are there and the three arrays fit together. Draw both hidden layers over
# time.

# %%
### BEGIN SOLUTION
variances = {}
for name, rate, modes in (("without", 0.0, (False,)), ("with", 0.5, (True, False))):
    model, rows = models.mlp((256, 256), rate=rate, seed=0), {mode: [] for mode in modes}

    def measure(epoch=None, logs=None):
        for mode in modes:
            rows[mode].append(activation_variances(model, x_valid, mode))

    measure()
    watch = keras.callbacks.LambdaCallback(on_epoch_end=measure)
    train_once(model, 0, epochs=10, callbacks=[watch])
    for mode in modes:
        label = f"{name}, {'training' if mode else 'predicting'}" if rate else name
        variances[label] = np.array(rows[mode])

figure, axes = plt.subplots(1, 2, figsize=(7.5, 3), sharey=True)
for layer, axis in enumerate(axes):
    plotting.lines(
        range(11), {name: values[:, layer] for name, values in variances.items()},
        xlabel="epoch", ylabel="variance of activations", yscale="log",
        title=f"hidden layer {layer + 1}", ax=axis,
    )
axes[0].get_legend().remove()
axes[1].set_ylabel("")
plt.show()
### STUB
# variances = None
### END SOLUTION

# %%
check("6.7", variances)

# %% tags=["proof"]
assert (variances["with, training"] > 1.2 * variances["with, predicting"]).all()
assert (variances["without"][-1] > variances["without"][0]).all()
assert (variances["with, predicting"][-1] < variances["without"][-1]).all()

# %% [markdown]
# ### Exercise 6.8 — Dropout at test time (d2l 5.6.4)
# *1 point · ★☆☆ · 3 min · stuck? run `hint("6.8")`*
#
# Why is dropout not normally used at test time?
#
# - **a** The test images have no labels, so the layer cannot compute its masks.
# - **b** Half of the weights were deleted during training, so nothing is left to drop.
# - **c** One prediction should not depend on chance, and the full network already gives about the
#   average of all thinned ones in a single pass.
# - **d** Without the scaling by $1/(1-p)$ the activations would be too small.

# %%
### BEGIN SOLUTION
choice_6_8 = "c"
### STUB
# choice_6_8 = None
### END SOLUTION

# %%
check("6.8", choice_6_8)

# %% [markdown]
# ### Exercise 6.9 — How often would the answer change? (d2l 5.6.4)
# *2 points · ★★☆ · 15 min · stuck? run `hint("6.9")`*
#
# **Given** a Keras classification `model` with dropout, inputs `x` and a number of `draws`.
#
# **Write** `disagreement(model, x, draws)`: the fraction of examples for which at least one of
# `draws` passes with dropout predicts another class than the pass without.
#
# **Shapes** `x` is (n, d), the model returns (n, k) logits; return one number between 0 and 1.
#
# **Done when** it is 0 for a network without dropout and grows with the number of draws.

# %%
def disagreement(model, x, draws):
    """Return the fraction of examples whose class some pass with dropout changes."""
    ### BEGIN SOLUTION
    settled = np.argmax(model(x, training=False), axis=1)
    passes = [np.argmax(model(x, training=True), axis=1) for _ in range(draws)]
    return np.mean(np.any(np.array(passes) != settled, axis=0))
    ### STUB
    # raise NotImplementedError("Exercise 6.9")
    ### END SOLUTION

# %%
check("6.9", disagreement)

# %% tags=["proof"]
wobble = [disagreement(model, x_valid, draws) for draws in (1, 10)]
assert 0.02 < wobble[0] < wobble[1] < 0.9

# %% [markdown]
# ### Exercise 6.10 — Why it rests at test time (d2l 5.6.4)
# *2 points · ★★☆ · 5 min · stuck? run `hint("6.10")`*
#
# Explain why dropout is normally switched off at test time: what would be lost by leaving it on,
# and why does switching it off need no correction of the weights? Name one reason to leave it on.

# %% [markdown] tags=["answer"]
# **Answer 6.10.** With dropout on, each prediction comes from one randomly thinned
# network: it changes from pass to pass, and a single thinned network is worse than the full one.
# Averaging many passes would repair both, at many times the cost. With dropout off, one pass gives
# nearly that average, because inverted dropout has scaled the survivors by $1/(1-p)$ in training,
# so that every layer receives on average what the full layer below sends; nothing is left to
# correct (it is exact for a linear layer and approximate through the nonlinearities). A reason to
# leave it on is uncertainty: the spread of the passes shows where the network is unsure.

# %% [markdown]
# ### Exercise 6.11 — Dropout and weight decay (d2l 5.6.5)
# *3 points · ★★★ · 20 min · stuck? run `hint("6.11")`*
#
# **Given** `train_once`, which takes a `weight_decay` that shrinks all weights a little at each
# step ([weight decay](../chapters/glossary.md#weight-decay)); values from 0.3 to 3 are worth a try.
#
# **Write** `two_by_two`, a dict from `(rate, decay)` to a list of final validation losses over at
# least three seeds, for the four combinations of rate 0 or 0.5 (in both layers) and weight decay 0
# or one value of yours above 0. Use the same number of epochs everywhere, at least 30. Twelve runs
# take about 16 seconds.
#
# **Write** `verdict`. The gain of a recipe is the mean loss of (0, 0) minus its own. Compare the
# gain of both together with the gains of each alone: `"additive"` if it is within 20 % of their
# sum, `"more"` above that; below, `"diminished"` if it is still larger than the larger single gain,
# and `"cancel"` if it is not.
#
# **Shapes** four keys, each with a list of one loss a seed; `verdict` is one word.
#
# **Done when** the table is complete and the verdict follows from it.

# %%
### BEGIN SOLUTION
two_by_two = {}
for rate in (0.0, 0.5):
    for decay in (0.0, 1.0):
        two_by_two[rate, decay] = []
        for seed in (0, 1, 2):
            model = models.mlp((256, 256), rate=rate, seed=seed)
            history = train_once(model, seed, epochs=30, weight_decay=decay)
            two_by_two[rate, decay].append(history["val_loss"][-1])

mean_loss = {cell: np.mean(losses) for cell, losses in two_by_two.items()}
plain = mean_loss[0.0, 0.0]
alone = plain - mean_loss[0.5, 0.0], plain - mean_loss[0.0, 1.0]
both = plain - mean_loss[0.5, 1.0]
if both > max(alone):
    ratio = both / sum(alone)
    verdict = "more" if ratio > 1.2 else "additive" if ratio >= 0.8 else "diminished"
else:
    verdict = "cancel"
names = dict(zip(two_by_two, ("neither", "decay", "dropout", "both")))
plotting.bars(
    {names[cell]: loss for cell, loss in mean_loss.items()},
    spread={names[cell]: np.std(losses) for cell, losses in two_by_two.items()},
    ylabel="validation loss",
)
### STUB
# two_by_two = None
# verdict = None
### END SOLUTION

# %%
check("6.11", two_by_two, verdict)

# %% tags=["proof"]
assert min(alone) > 0 and both > 0

# %% [markdown]
# ### Exercise 6.12 — DropConnect (d2l 5.6.6)
# *2 points · ★★☆ · 15 min · stuck? run `hint("6.12")`*
#
# Instead of activations, [DropConnect](../chapters/glossary.md#dropconnect) drops single weights.
#
# **Given** inputs `x`, weights `w`, biases `b`, a `rate` and a `seed`.
#
# **Write** `drop_connect(x, w, b, rate, seed)`: the affine layer $\mathbf{x}\mathbf{w} +
# \mathbf{b}$ in which each weight is zero with probability `rate`, and the others are scaled so
# that the mean is kept. One mask serves the whole batch; the biases stay. A rate outside [0, 1)
# raises a `ValueError`.
#
# **Shapes** `x` is (n, d), `w` is (d, k), `b` is (k,); the result is (n, k).
#
# **Done when** the weights are dropped one by one, neither the inputs nor the outputs, and the mean
# over seeds is $\mathbf{x}\mathbf{w} + \mathbf{b}$.

# %%
def drop_connect(x, w, b, rate, seed):
    """Return x @ w + b with a fraction `rate` of the weights dropped."""
    ### BEGIN SOLUTION
    if not 0 <= rate < 1:
        raise ValueError(f"The rate of DropConnect lies in [0, 1), and this one is {rate}.")
    kept = np.random.default_rng(seed).uniform(size=np.shape(w)) >= rate
    return x @ np.where(kept, w / (1 - rate), 0.0) + b
    ### STUB
    # raise NotImplementedError("Exercise 6.12")
    ### END SOLUTION

# %%
check("6.12", drop_connect)

# %% tags=["proof"]
w, b = random.normal(size=(20, 3)), np.ones(3)
x = x_train[:2, 300:320]
average = np.mean([drop_connect(x, w, b, 0.5, seed) for seed in range(4000)], axis=0)
assert np.allclose(average, x @ w + b, atol=0.3)

# %% [markdown]
# ## Noise that knows what a picture is
#
# Dropout knows nothing of its data: it treats pixels, or activations, one by one. Pictures offer
# better noise. A shirt moved by one pixel is the same shirt, so a random shift changes hundreds of
# pixels at once, all in a way that keeps the class. A change of contrast does so, too. Such noise is
# called [data augmentation](../chapters/glossary.md#data-augmentation). Keras has it as layers that,
# like dropout, act in training alone.

# %%
shift = layers.RandomTranslation(0.1, 0.1, fill_mode="constant", seed=2)
shirt = picture[None, :, :, None]
moved = [shift(shirt, training=True)[0, :, :, 0] for _ in range(4)]
plotting.images(np.array([picture, *moved]), ["as it is"] + ["moved"] * 4, columns=5)
print("at prediction it stands still:", np.allclose(shift(shirt, training=False), shirt))

# %% [markdown]
# Each picture lies up to three pixels away from its place, and no class is lost. `GaussianNoise`,
# `GaussianDropout` and layers of your own are other sources of noise.

# %% [markdown]
# ### Exercise 6.13 — A noise of your own (d2l 5.6.7)
# *4 points · ★★★ · 45 min · stuck? run `hint("6.13")`*
#
# **Given** the fixed network 784-256-256-10, and dropout with rates 0.5 and 0.5 as the recipe to
# beat.
#
# **Write** `build_noisy(seed)`: an uncompiled Keras model from (n, 784) to (n, 10) logits whose
# trainable layers are `Dense` 256, 256 and 10, with random noise of your choice between them or in
# front. The noise acts in training alone and is not a `Dropout` layer.
#
# **Write** `scores`, a dict with the keys `"dropout"` and `"noise"`, each a dict of two lists over
# at least three seeds: `"accuracy"`, measured on `x_valid` after training, and `"loss"`, the last
# `"val_loss"`. Train both recipes for the same number of epochs, at least 40. Six runs take about
# 15 seconds.
#
# **Shapes** the model maps (n, 784) to (n, 10); every list has one number a seed.
#
# **Done when** your noise has the lower mean loss, by more than the larger of the two standard
# deviations over the seeds. Say in a comment how the accuracies compare, and whether another rate
# of dropout might have changed the result.

# %%
def build_noisy(seed):
    """Return the network with noise of your own, not compiled."""
    ### BEGIN SOLUTION
    # Pictures moved a little and of another contrast, and factors around 1 on hidden activations.
    keras.utils.set_random_seed(seed)
    return keras.Sequential([
        keras.Input(shape=(784,)),
        layers.Reshape((28, 28, 1)),
        layers.RandomTranslation(0.5 / 28, 0.5 / 28, fill_mode="constant"),
        layers.RandomContrast(0.5, value_range=(0, 1)),
        layers.Flatten(),
        layers.Dense(256, activation="relu"), layers.GaussianDropout(0.4),
        layers.Dense(256, activation="relu"), layers.GaussianDropout(0.4),
        layers.Dense(10),
    ])
    ### STUB
    # raise NotImplementedError("Exercise 6.13")
    ### END SOLUTION


### BEGIN SOLUTION
def build_dropout(seed):
    """Return the recipe to beat."""
    return models.mlp((256, 256), rate=0.5, seed=seed)


recipes = {"dropout": build_dropout, "noise": build_noisy}
scores = {name: {"loss": [], "accuracy": []} for name in recipes}
for name, build in recipes.items():
    for seed in (0, 1, 2):
        model = build(seed)
        scores[name]["loss"].append(train_once(model, seed, epochs=40)["val_loss"][-1])
        scores[name]["accuracy"].append(accuracy(model, x_valid, y_valid))

figure, axes = plt.subplots(1, 2, figsize=(6.5, 3))
for axis, score in zip(axes, ("loss", "accuracy")):
    runs = np.array([row[score] for row in scores.values()])
    axis.errorbar(list(scores), runs.mean(axis=1), runs.std(axis=1), fmt="o", capsize=4)
    axis.set(ylabel=f"validation {score}")
    axis.margins(x=0.4)
plt.show()
# The loss falls by more than the spread over the seeds; the accuracies are closer together.
### STUB
# scores = None
### END SOLUTION

# %%
check("6.13", build_noisy, scores)

# %% tags=["proof"]
gain = np.mean(scores["dropout"]["loss"]) - np.mean(scores["noise"]["loss"])
assert gain > max(np.std(row["loss"]) for row in scores.values())

# %% [markdown]
# ## Recap
#
# - Noise on the inputs makes a fitted function smoother; for a linear model it is ridge regression.
# - Inverted dropout zeroes each activation with probability $p$ and divides the others by $1 - p$,
#   so every mean is kept.
# - In Keras it is the layer `Dropout(rate)`, active in `fit` and with `training=True` only.
# - A network with dropout fits the training images less closely, and its validation loss does not
#   rise again; what dropout adds to weight decay has to be measured.
# - Several passes with dropout on show where a network is unsure.
# - Noise that respects what the data mean, such as shifted pictures, can do better than dropout, if
#   the training is long enough to profit from it.

# %% tags=["nbval-ignore-output"]
progress("dropout")

# %% [markdown]
# ## Terms
#
# [data augmentation](../chapters/glossary.md#data-augmentation) ·
# [DropConnect](../chapters/glossary.md#dropconnect) ·
# [dropout](../chapters/glossary.md#dropout) ·
# [dropout rate](../chapters/glossary.md#dropout-rate) ·
# [inverted dropout](../chapters/glossary.md#inverted-dropout) ·
# [Monte Carlo dropout](../chapters/glossary.md#monte-carlo-dropout) ·
# [ridge regression](../chapters/glossary.md#ridge-regression) ·
# [smoothness](../chapters/glossary.md#smoothness) ·
# [standard deviation](../chapters/glossary.md#standard-deviation) ·
# [Tikhonov regularization](../chapters/glossary.md#tikhonov-regularization) ·
# [uncertainty](../chapters/glossary.md#uncertainty) ·
# [weight decay](../chapters/glossary.md#weight-decay)
#
# ## Sources
#
# - Zhang, Lipton, Li, Smola, *Dive into Deep Learning*, [section
#   5.6](https://d2l.ai/chapter_multilayer-perceptrons/dropout.html), CC BY-SA 4.0: formula (5.6.1),
#   exercises 6.4 to 5.6.7.
# - Bishop, "Training with noise is equivalent to Tikhonov regularization", *Neural Computation* 7,
#   1995.
# - Srivastava, Hinton, Krizhevsky, Sutskever, Salakhutdinov, "Dropout: a simple way to prevent
#   neural networks from overfitting", *JMLR* 15, 2014.
# - Wan, Zeiler, Zhang, LeCun, Fergus, "Regularization of neural networks using DropConnect", *ICML*
#   2013.
# - Gal and Ghahramani, "Dropout as a Bayesian approximation", *ICML* 2016.
