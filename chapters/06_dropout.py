# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 6. Dropout
#
# *After [d2l 5.6](https://d2l.ai/chapter_multilayer-perceptrons/dropout.html), in TensorFlow and Keras 3.*
#
# | To read | To run, CPU | To run, GPU | Difficulty | Exercises | Last run with |
# | --- | --- | --- | --- | --- | --- |
# | 45 min | 80 s on 2 cores | not measured | ★★☆ | 13, 29 points | TensorFlow 2.21, Keras 3.15 |

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
# You need the MLP and its training loop from [chapter 2](02_multilayer_perceptrons.ipynb), He
# initialization from [chapter 4](04_initialization.ipynb), and overfitting and weight decay from
# [chapter 5](05_generalization.ipynb).

# %% [markdown]
# ## Setup
#
# The page trains on 1,024 images of Fashion-MNIST and validates on 1,024 others. With so few
# images, overfitting becomes visible within seconds. The numbers in the text come from the real
# images; with the offline stand-in, yours will differ a little.
#
# Answer a multiple-choice question with its letter in quotes, for example `"a"`.

# %%
from helpers import check, data, hint, models, plotting, progress, solution, training

import itertools
import json
import pathlib

import ipywidgets
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
train, valid = (x_train, y_train), (x_valid, y_valid)
print("training", x_train.shape, "validation", x_valid.shape, "classes", len(fashion.class_names))

# %% [markdown]
# ## Noise makes functions smooth
#
# A good model should not change its answer when an input changes a little. Bishop showed in 1995
# that training with noise on the inputs rewards exactly that
# [smoothness](glossary.md#smoothness): it acts like [Tikhonov
# regularization](glossary.md#tikhonov-regularization), a penalty on steep functions.
#
# The cell fits a curve with 15 adjustable bumps to 15 noisy points, once as they are and once as
# 200 copies whose positions are jittered. Nothing else differs. Which curve will be smoother?

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
steepness = {name: np.abs(np.diff(bumps(x_fine) @ weights)).sum() for name, weights in
             {"exact": exact, "smooth": smooth}.items()}
print("total climb and fall:", *(f"{name} {way:.1f}" for name, way in steepness.items()))


# %% [markdown]
# The first curve runs through every point and oscillates in between. The second has seen each point at
# many positions, so it cannot oscillate as much.

# %% [markdown]
# ### Exercise 6.1 — Input noise is ridge regression
# *2 points · ★★☆ · 15 min · stuck? run `hint("6.1")`*
#
# **Given** a linear model $\hat{\mathbf{y}} = \mathbf{X}\mathbf{w}$, and independent Gaussian noise
# of standard deviation `sigma` added to every entry of `X`, drawn again for each prediction.
#
# **Write** `noisy_loss(X, y, w, sigma)`, the expected mean squared error over all such noise, in
# closed form, without random draws; and `noisy_weights(X, y, sigma)`, the weights that minimise it.
#
# **Shapes** `X` is (n, d), `y` is (n,), `w` is (d,); return a number, and an array of shape (d,).
#
# **Done when** the loss is what many random draws give on average, and the weights are those of a
# [ridge regression](glossary.md#ridge-regression) whose strength follows from `sigma`.

# %%
def noisy_loss(X, y, w, sigma):
    """Return the expected mean squared error when X carries noise."""
    raise NotImplementedError("Exercise 6.1")


def noisy_weights(X, y, sigma):
    """Return the weights with the least expected loss."""
    raise NotImplementedError("Exercise 6.1")


# %%
check("6.1", noisy_loss, noisy_weights)

# %% [markdown]
# ## Noise that keeps the mean
#
# [Dropout](glossary.md#dropout) puts noise into every hidden layer: it sets each
# activation $h$ to zero with probability $p$, the [rate](glossary.md#dropout-rate). The
# layer above should still receive the same input on average, so the survivors are scaled up:
#
# $$h' = \begin{cases}0 & \text{with probability } p,\\ \dfrac{h}{1-p} & \text{otherwise.}\end{cases}\tag{5.6.1}$$
#
# Then $\mathrm{E}[h'] = p \cdot 0 + (1-p)\,\frac{h}{1-p} = h$. Scaling in training rather than at
# prediction is called [inverted dropout](glossary.md#inverted-dropout).

# %%
activations = np.array([1.0, 2.0, 3.0, 4.0])
random = np.random.default_rng(0)
many = np.where(random.uniform(size=(100_000, 4)) < 0.5, 0.0, activations / (1 - 0.5))
print("three draws:", *many[:3], sep="\n")
print("mean of 100,000 draws:", np.round(many.mean(axis=0), 2))


# %% [markdown]
# Each draw is 0 or twice the activation; their mean is the activation.

# %% [markdown]
# ## Thinned networks
#
# A unit whose activation is 0 might as well be absent, with all its connections. So each pass trains one
# [thinned network](glossary.md#thinned-network): the units that are left. With $n$ hidden
# units there are $2^n$ of them, which share their weights. Dropout therefore trains an *ensemble*, and
# the full network at prediction takes about the average of its members.
#
# A unit also cannot rely on any particular other unit being present. Without dropout, units adapt
# to each other's mistakes, which Srivastava et al. call
# [co-adaptation](glossary.md#co-adaptation). Move the sliders to draw other members.

# %%
def thinned(rate=0.5, seed=1):
    masks = [np.ones(4), *(np.random.default_rng(seed).uniform(size=(2, 6)) >= rate), np.ones(3)]
    spots = [[(layer, (place + 1) / (len(mask) + 1), on) for place, on in enumerate(mask)]
             for layer, mask in enumerate(masks)]
    _, axis = plt.subplots(figsize=(5, 3))
    for left, right in zip(spots, spots[1:]):
        for (x0, y0, on0), (x1, y1, on1) in itertools.product(left, right):
            axis.plot([x0, x1], [y0, y1], "-", color="0.3" if on0 and on1 else "0.92")
    for x, y, on in itertools.chain(*spots):
        axis.scatter(x, y, 90, "C0" if on else "w", edgecolors="0.6", zorder=2)
    axis.set(xticks=range(4), xticklabels=["input", "hidden 1", "hidden 2", "output"], yticks=[],
             title=f"rate {rate}: {int(masks[1].sum() + masks[2].sum())} of 12 hidden units left")
    plt.show()


# %%
thinned()
ipywidgets.interact(thinned, rate=(0.0, 1.0, 0.1), seed=(0, 20));

# %% [markdown]
# Filled units are active; pale connections carry nothing in this pass. The next pass draws another
# network.

# %% [markdown]
# ## Rates from zero to one
#
# At $p = 0$ nothing happens; at $p = 1$ nothing is left. In between, each entry of each example is
# dropped independently, so no two examples in a batch go through the same network. The figure drops
# pixels of one image.

# %%
picture = fashion.train_images[1] / 255
shown_rates, masked = (0.0, 0.2, 0.5, 0.8, 1.0), []
random = np.random.default_rng(1)
for rate in shown_rates:
    kept = random.uniform(size=(28, 28)) >= rate
    masked.append(kept * picture / (1 - rate) if rate < 1 else 0 * picture)
plotting.images(np.minimum(masked, 1), [f"p = {rate}" for rate in shown_rates], columns=5)


# %% [markdown]
# At 0.5 you still recognise the piece of clothing, although half of it is gone. A network that must
# cope with this cannot rely on any single pixel. Information lost at the input cannot be restored
# later, so rates near the input are usually lower than those of later layers, for example 0.2
# before 0.5.

# %% [markdown]
# ### Exercise 6.2 — A dropout layer
# *2 points · ★★☆ · 15 min · stuck? run `hint("6.2")`*
#
# **Given** activations `x`, a `rate` and a `seed`.
#
# **Write** `dropout_layer(x, rate, seed)` according to (5.6.1). The same seed draws the same mask,
# and a different seed draws a different one. A rate of 1 gives zeros; a rate outside [0, 1] raises
# a `ValueError`.
#
# **Shapes** `x` has any shape; the result has the same.
#
# **Done when** each entry is dropped on its own, survivors are scaled, the mean is kept, and `x`
# itself is unchanged.

# %%
def dropout_layer(x, rate, seed):
    """Return x with a fraction `rate` of its entries set to zero and the others scaled up."""
    raise NotImplementedError("Exercise 6.2")


# %%
check("6.2", dropout_layer)


# %% [markdown]
# ## A network with dropout, from scratch
#
# d2l's network has two hidden layers of 256 units and drops half of each after its activation. The
# weights use He initialization (chapter 4). The new part is the call to `drop`, guarded by
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

compiled_step, random = tf.function(train_step), np.random.default_rng(2)
for _ in range(20):
    for batch in np.split(random.permutation(1024), 16):
        compiled_step(x_train[batch], y_train[batch])
predictions = scratch_logits(x_valid, False).numpy().argmax(axis=1)
print(f"validation accuracy {np.mean(predictions == y_valid):.3f}")

# %% [markdown]
# The network predicts well although it never trained in the form in which it predicts.
#
# What does the backward pass do with a dropped unit? Its activation is multiplied by 0, so by the chain
# rule its gradient is multiplied by 0, too: the weights into it and out of it get no update from this
# example. Look at the gradient for one image.

# %%
with tf.GradientTape() as tape:
    one_loss = tf.reduce_sum(scratch_logits(x_train[:1], True) ** 2)
into, out_of = (part.numpy() for part in tape.gradient(one_loss, [W[1], W[2]]))
dead = ~out_of.any(axis=1)
print(f"{dead.mean():.0%} of the second layer's units send nothing on in this pass")
print("largest gradient of a weight into one of them:", np.abs(into[:, dead]).max())

# %% [markdown]
# The fraction is above one half, because ReLU switches off some units as well. None of these units'
# weights gets an update.

# %% [markdown]
# ## The same network in Keras
#
# In Keras, dropout is a layer of its own, `Dropout(rate)`, placed after the activation it acts on.
# `models.mlp` builds the same stack in one call; here it is in full.
#
# To see that it is the same network, the cell gives it the weights trained from scratch.

# %%
layers = keras.layers
dropout_model = keras.Sequential([
    keras.Input(shape=(784,)),
    layers.Dense(256, activation="relu"), layers.Dropout(0.5),
    layers.Dense(256, activation="relu"), layers.Dropout(0.5),
    layers.Dense(10),
])
dropout_model.set_weights([weight.numpy() for pair in zip(W, b) for weight in pair])
distance = np.abs(dropout_model(x_valid) - scratch_logits(x_valid, False)).max()
print(f"largest difference of the logits at prediction: {distance:.3f}")

# %% [markdown]
# Without dropout both compute the same numbers. In training they draw different masks, so only
# their averages can agree:

# %%
few = x_valid[:5]
copies = np.repeat(few, 2000, axis=0)  # each copy has a mask of its own
from_keras = np.mean(np.reshape(dropout_model(copies, training=True), (5, 2000, 10)), axis=1)
from_scratch = np.mean(np.reshape(scratch_logits(copies, True), (5, 2000, 10)), axis=1)
apart = np.abs(from_keras - from_scratch).max()
print(f"the means differ by at most {apart:.2f}, the logits have a standard deviation of "
      f"{np.std(from_scratch):.2f}")

# %% [markdown]
# The averages agree, too: the two differ only in the masks that they draw.

# %% [markdown]
# ## Only in training
#
# `model(x)` and `model.predict(x)` run without dropout; `fit` and `model(x, training=True)` run
# with it. No correction is needed at prediction, because inverted dropout has kept the means.

# %%
for mode in (False, True):
    passes = [dropout_model(few, training=mode).numpy()[0, :3] for _ in range(2)]
    print(f"training={mode!s:5}:", *np.round(passes, 2))


# %% [markdown]
# Three logits of one image, two passes each. The prediction is the same each time; the training pass
# never is.

# %% [markdown]
# ### Exercise 6.3 — Monte Carlo dropout
# *2 points · ★★☆ · 15 min · stuck? run `hint("6.3")`*
#
# **Given** a Keras `model` with dropout layers, inputs `x` and a number of `draws`.
#
# **Write** `monte_carlo(model, x, draws)`: pass `x` through the model `draws` times with dropout
# switched on, and return the mean and the standard deviation of its outputs over the draws. This is
# [Monte Carlo dropout](glossary.md#monte-carlo-dropout).
#
# **Shapes** `x` is (n, d); return `(mean, standard_deviation)`, both NumPy arrays of the shape of
# the model's output, (n, k).
#
# **Done when** the statistics are taken over exactly `draws` passes, for each example and output
# separately.

# %%
def monte_carlo(model, x, draws):
    """Return mean and standard deviation of the outputs over `draws` passes with dropout."""
    raise NotImplementedError("Exercise 6.3")


# %%
check("6.3", monte_carlo)

# %% [markdown]
# ## Dropout as a measure of doubt
#
# Gal and Ghahramani read the spread of such passes as
# [uncertainty](glossary.md#uncertainty): where thinned networks agree, the data have
# settled the answer; where they differ, they have not. The cell fits a curve to two clusters of
# points, with a gap between them, and asks for predictions in the gap and far outside. Where do you
# expect a wide band?

# %%
random = np.random.default_rng(4)
x_curve = np.concatenate([random.uniform(-2, -0.5, 60), random.uniform(0.5, 2, 60)])
y_curve = np.sin(2 * x_curve) + random.normal(0, 0.1, size=120)
doubter = models.mlp((128, 128), outputs=1, inputs=1, rate=0.1, seed=1)
doubter.compile(optimizer=keras.optimizers.Adam(0.003), loss="mse")
training.fit(doubter, x_curve[:, None], y_curve, epochs=70, batch_size=40, seed=1)

x_wide = np.linspace(-5, 5, 101, dtype="float32")[:, None]
doubts = np.stack([doubter(x_wide, training=True)[:, 0] for _ in range(200)])
mean, spread = doubts.mean(axis=0), doubts.std(axis=0)

# %%
plt.fill_between(x_wide[:, 0], mean - 2 * spread, mean + 2 * spread, alpha=0.3,
                 label="± 2 standard deviations")
plt.plot(x_wide[:, 0], mean, label="mean of 200 passes")
plt.plot(x_curve, y_curve, "k.", markersize=3, label="data")
plt.xlabel("x")
plt.ylabel("y")
plt.legend()
plt.show()
far = np.abs(x_wide[:, 0])
regions = {"in the gap, |x| < 0.4": far < 0.4, "among the data": (far > 0.6) & (far < 1.9),
           "outside, |x| > 4": far > 4}
for name, region in regions.items():
    print(f"{name:22} standard deviation {spread[region].mean():.3f}")


# %% [markdown]
# Far outside, the band is wide. In the gap it is no wider than among the data, although there are
# no points there to say what happens. The spread grows with the size of the activations, and so
# with the distance from the origin; it does not know where the data are. Treat a wide band as a
# warning, but do not treat a narrow one as proof of knowledge.

# %% [markdown]
# ## One run proves nothing
#
# The exercises below compare training recipes. Two runs of the *same* recipe already differ,
# because the initial weights, the masks and the order of the batches do. So train each recipe with
# several seeds, and report the mean and the [standard
# deviation](glossary.md#standard-deviation) over the seeds. A difference smaller than
# the standard deviation is not a result.
#
# `train_once` is one run; you will use it in most exercises. It takes `train` and `valid`, pairs of
# images and labels. Its learning rate falls from 0.003 to nearly zero along a cosine. In the
# exercises, 784-256-256-10 is the network of the lesson, with ReLU, and `seed` decides the whole run:
# use it for the first weights and for the training.

# %%
def train_once(model, seed, train, valid, epochs=15, weight_decay=0.0, callbacks=()):
    """Train a built model and return its history, a dict of lists."""
    model.compile(
        optimizer=keras.optimizers.AdamW(weight_decay=weight_decay), metrics=["accuracy"],
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    cosine = keras.callbacks.LearningRateScheduler(
        lambda epoch: 0.0015 * (1 + np.cos(np.pi * epoch / epochs)))
    return training.fit(
        model, *train, epochs=epochs, batch_size=128, seed=seed,
        callbacks=[cosine, *callbacks], validation_data=valid,
    ).history

def accuracy(model, x, y):
    return float(np.mean(model(x, training=False).numpy().argmax(axis=1) == y))


# %%
same_recipe = []
for seed in range(5):
    seeded_model = models.mlp((256, 256), rate=0.5, seed=seed)
    train_once(seeded_model, seed, train, valid)
    same_recipe.append(accuracy(seeded_model, *valid))
print("five seeds:", np.round(same_recipe, 3))
print(f"mean {np.mean(same_recipe):.3f}, standard deviation {np.std(same_recipe):.3f}")

# %% [markdown]
# The five runs differ in the second or third digit after the decimal point. With one run each, you
# cannot distinguish two recipes that differ by less than about 0.01.

# %% [markdown]
# ## With and without
#
# Now the picture that dropout is known for: the losses of one network without dropout and one with
# rates 0.5 and 0.5, over 40 epochs. Predict four curves before you run the cell: which one ends lowest,
# and which one rises?

# %%
pair_histories = {
    name: train_once(models.mlp((256, 256), rate=rate, seed=0), 0, train, valid, epochs=40)
    for name, rate in (("without", 0.0), ("with", 0.5))
}
plotting.lines(
    range(1, 41),
    {f"{name}, {part}": history[key] for name, history in pair_histories.items()
     for part, key in (("training", "loss"), ("validation", "val_loss"))},
    xlabel="epoch", ylabel="loss",
)


# %% [markdown]
# Without dropout the training loss falls to almost zero, and the validation loss rises after a few
# epochs. With dropout the training loss stays above zero, since each pass uses another thinned network.
# Its validation loss reaches its minimum later and then rises as well, more slowly.

# %% [markdown]
# ### Exercise 6.4 — Change and swap the rates (d2l 5.6.1)
# *3 points · ★★☆ · 20 min · stuck? run `hint("6.4")`*
#
# What happens when you change the rates of the two hidden layers, and when you swap them?
#
# **Given** `train_once` and `accuracy`; `rates`, a pair such as (0.2, 0.5) for the first and the second
# hidden layer; a `seed`; a number of `epochs`; `train` and `valid`, pairs of images and labels.
#
# **Write** `rates_run(rates, seed, epochs, train, valid)`: train the network 784-256-256-10 with these
# rates and return a dict with `"model"`, `"training"` and `"validation"`: the accuracies on both sets of
# images, measured without dropout after the training.
#
# **Write** also `rates_matter`, the letter of the statement that your runs below support:
#
# - **a** Higher rates raise the training accuracy.
# - **b** Higher rates lower the training accuracy and narrow the gap to the validation accuracy, which
#   changes less.
# - **c** Swapping the two rates changes the validation accuracy by many standard deviations.
# - **d** Only the rate of the second hidden layer has an effect.
#
# **Shapes** two fractions between 0 and 1.
#
# **Done when** the accuracies belong to the model, for images that the check draws, and the letter is
# right.

# %%
def rates_run(rates, seed, epochs, train, valid):
    """Train with two dropout rates; return the model and its accuracies without dropout."""
    raise NotImplementedError("Exercise 6.4")


# %% [markdown]
# Run it for four pairs, three seeds and 15 epochs, which takes about ten seconds, and draw the means with error
# bars. Predict first: which pair fits the training images worst?

# %%
# Call rates_run for four pairs and three seeds, and draw the means with error bars.

# %%
rates_matter = None  # a letter in quotes

# %%
check("6.4", rates_run, rates_matter)


# %% [markdown]
# ### Exercise 6.5 — Train for longer (d2l 5.6.2)
# *2 points · ★★☆ · 15 min · stuck? run `hint("6.5")`*
#
# **Given** `train_once`, whose history holds the validation loss after each epoch as `"val_loss"`; a
# dropout `rate` for both hidden layers of 784-256-256-10; a `seed`; a number of `epochs`; `train` and
# `valid`.
#
# **Write** `loss_curve(rate, seed, epochs, train, valid)`: train the network for that many epochs
# and return a dict with `"model"` and `"losses"`, its validation loss after each epoch.
#
# **Write** also `more_epochs`, the letter of the statement that your curves below support:
#
# - **a** At the end, the loss is higher with dropout.
# - **b** With dropout, the validation loss never rises again.
# - **c** With dropout, the least validation loss comes earlier.
# - **d** With dropout, the least validation loss is lower and comes later; after it the loss rises again,
#   more slowly than without.
#
# **Shapes** `losses` is a list or array with one number per epoch, in order.
#
# **Done when** the losses belong to the model, for images that the check draws, and the letter is
# right.

# %%
def loss_curve(rate, seed, epochs, train, valid):
    """Return the model and its validation loss after each epoch."""
    raise NotImplementedError("Exercise 6.5")


# %% [markdown]
# Train both networks for 80 epochs with two seeds, and draw the mean curves.

# %%
# Call loss_curve for the rates 0 and 0.5, two seeds and 80 epochs, and draw the mean curves.

# %%
more_epochs = None  # a letter in quotes

# %%
check("6.5", loss_curve, more_epochs)


# %% [markdown]
# ### Exercise 6.6 — Variance of activations (d2l 5.6.3)
# *2 points · ★★☆ · 15 min · stuck? run `hint("6.6")`*
#
# **Given** a `keras.Sequential` model of `Dense` and `Dropout` layers, where a dropout layer may
# come first; inputs `x`; and `training`, which switches dropout on or off.
#
# **Write** `activation_variances(model, x, training)`: for each hidden layer, the variance over all
# examples and units of what the next `Dense` layer reads, that is, after the activation and after
# the dropout layer, if there is one.
#
# **Shapes** `x` is (n, d); return one number per hidden layer, as a list or array.
#
# **Done when** it is right for networks with one, two and four hidden layers, counts hidden layers
# rather than Keras layers, and obeys `training`.

# %%
def activation_variances(model, x, training):
    """Return the variance of what each Dense layer after the first reads."""
    raise NotImplementedError("Exercise 6.6")


# %%
check("6.6", activation_variances)


# %% [markdown]
# ### Exercise 6.7 — Variance over time (d2l 5.6.3)
# *2 points · ★★☆ · 15 min · stuck? run `hint("6.7")`*
#
# **Given** your `activation_variances`; `train_once`, which takes `callbacks`, such as
# `keras.callbacks.LambdaCallback(on_epoch_end=...)`; a dropout `rate` for both hidden layers; a
# `seed`; a number of `epochs`; `train` and `valid`.
#
# **Write** `variances_over_time(rate, seed, epochs, train, valid)`: train the network 784-256-256-10 and
# return a dict with `"model"` and two arrays, `"training"` and `"predicting"`: the variances of both
# hidden layers on the validation images, with `training` true and false. Row 0 is measured before
# training, row $k$ after epoch $k$.
#
# **Shapes** (epochs + 1, 2) each: one row per time, one column per hidden layer.
#
# **Done when** all rows are there and belong to the model, for images that the check draws.

# %%
def variances_over_time(rate, seed, epochs, train, valid):
    """Return the model and the variances of its hidden layers before and after each epoch."""
    raise NotImplementedError("Exercise 6.7")


# %% [markdown]
# Draw both hidden layers over 10 epochs. Predict first: with dropout, will the variance at prediction
# be above or below that of the network without?

# %%
# Call variances_over_time for the rates 0 and 0.5 and draw one panel per hidden layer.

# %%
check("6.7", variances_over_time)

# %% [markdown]
# ### Exercise 6.8 — Dropout at test time (d2l 5.6.4)
# *1 point · ★☆☆ · 3 min · stuck? run `hint("6.8")`*
#
# Why is dropout not normally used at test time?
#
# - **a** The test images have no labels, so the layer cannot compute its masks.
# - **b** Half of the weights were deleted during training, so nothing is left to drop.
# - **c** A prediction should not depend on chance, and the full network already gives about the
#   average of all thinned networks in a single pass.
# - **d** Without the scaling by $1/(1-p)$ the activations would be too small.

# %%
choice_6_8 = None  # a letter in quotes

# %%
check("6.8", choice_6_8)


# %% [markdown]
# ### Exercise 6.9 — How often would the answer change? (d2l 5.6.4)
# *2 points · ★★☆ · 15 min · stuck? run `hint("6.9")`*
#
# **Given** a Keras classification `model` with dropout, inputs `x` and a number of `draws`.
#
# **Write** `disagreement(model, x, draws)`: the fraction of examples for which at least one of
# `draws` passes with dropout predicts another class than the pass without dropout.
#
# **Shapes** `x` is (n, d), the model returns (n, k) logits; return one number between 0 and 1.
#
# **Done when** it is 0 for a network without dropout and grows with the number of draws.

# %%
def disagreement(model, x, draws):
    """Return the fraction of examples whose class some pass with dropout changes."""
    raise NotImplementedError("Exercise 6.9")


# %%
check("6.9", disagreement)


# %% [markdown]
# ### Exercise 6.10 — Why dropout is off at test time (d2l 5.6.4)
# *2 points · ★★☆ · 5 min · stuck? run `hint("6.10")`*
#
# Explain why dropout is normally switched off at test time: what would be lost by leaving it on,
# and why does switching it off need no correction of the weights? Name one reason to leave it on.

# %% [markdown]
# **Answer 6.10.** *Write your answer here.*

# %% [markdown]
# ### Exercise 6.11 — Dropout and weight decay (d2l 5.6.5)
# *3 points · ★★★ · 20 min · stuck? run `hint("6.11")`*
#
# **Given** `train_once`, which takes a `weight_decay` that shrinks all weights a little at each step
# ([weight decay](glossary.md#weight-decay)); a dropout `rate` for both hidden layers, a
# `decay`, a `seed`, a number of `epochs`, `train` and `valid`.
#
# **Write** `decay_run(rate, decay, seed, epochs, train, valid)`: train 784-256-256-10 and return a dict
# with `"model"` and `"loss"`, the last validation loss.
#
# **Write** `verdict(table)`. The table is a dict from `(rate, decay)` to a list of losses, one per
# seed, for rate 0 and 0.5 and for decay 0 and one value above 0, in any order. The gain of a recipe
# is the mean loss of (0, 0) minus its own. Compare the gain of both together with the gains of each
# alone: return `"additive"` if the joint gain is within 20 % of the sum of the single gains, and
# `"more"` above that; below, return `"diminished"` if it is still larger than the larger single
# gain, and `"cancel"` if it is not.
#
# **Shapes** `loss` is one number; `verdict` returns one word.
#
# **Done when** the loss belongs to the model, for images that the check draws, and the verdict follows
# the rule for every table in which both single gains are above 0.

# %%
def decay_run(rate, decay, seed, epochs, train, valid):
    """Train with dropout and weight decay; return the model and its last validation loss."""
    raise NotImplementedError("Exercise 6.11")


def verdict(table):
    """Say in one word how the gains of dropout and weight decay combine."""
    raise NotImplementedError("Exercise 6.11")


# %% [markdown]
# Fill the table with three seeds, 30 epochs and a decay of 1; twelve runs take about 16 seconds. Predict
# your verdict first.

# %%
# Fill a table of four recipes by decay_run, draw it, and print your verdict on it.

# %%
check("6.11", decay_run, verdict)


# %% [markdown]
# ### Exercise 6.12 — DropConnect (d2l 5.6.6)
# *2 points · ★★☆ · 15 min · stuck? run `hint("6.12")`*
#
# Instead of activations, [DropConnect](glossary.md#dropconnect) drops individual
# weights.
#
# **Given** inputs `x`, weights `w`, biases `b`, a `rate` and a `seed`.
#
# **Write** `drop_connect(x, w, b, rate, seed)`: the affine layer $\mathbf{x}\mathbf{w} +
# \mathbf{b}$ in which each weight is zero with probability `rate`, and the others are scaled so
# that the mean is kept. One mask serves the whole batch; this is a simplification, since Wan et al. draw
# a mask for each example. The biases stay. A rate outside [0, 1) raises a `ValueError`.
#
# **Write** also `connect_noise`. What happens to the noise when individual weights are dropped
# instead of activations? The cell below the function measures how the noise of two units of the
# layer is correlated.
#
# - **a** Each unit gets its own noise, because each loses different inputs.
# - **b** All units of the layer get the same noise, because they lose the same inputs.
# - **c** There is no noise, because the mean is kept.
# - **d** The weights that were dropped are lost for good.
#
# **Shapes** `x` is (n, d), `w` is (d, k), `b` is (k,); the result is (n, k).
#
# **Done when** the weights are dropped one by one, not whole inputs or outputs, the mean over seeds
# is $\mathbf{x}\mathbf{w} + \mathbf{b}$, and the letter is right.

# %%
def drop_connect(x, w, b, rate, seed):
    """Return x @ w + b with a fraction `rate` of the weights dropped."""
    raise NotImplementedError("Exercise 6.12")


# %% [markdown]
# If two units have the same weights, how strongly is their noise correlated?

# %%
# Correlate the outputs of two units over 2,000 seeds, for drop_connect and for dropout_layer.

# %%
connect_noise = None  # a letter in quotes

# %%
check("6.12", drop_connect, connect_noise)

# %% [markdown]
# ## Noise that knows what a picture is
#
# Dropout knows nothing about its data: it treats pixels, or activations, one by one. Pictures offer
# better noise. A shirt moved by one pixel is the same shirt, so a random shift changes hundreds of
# pixels together, all in a way that keeps the class. So does a change of contrast. Such noise is
# called [data augmentation](glossary.md#data-augmentation). Keras has layers for it
# that, like dropout, act only in training.

# %%
shirt = picture[None, :, :, None].astype("float32")
for interpolation in ("bilinear", "nearest"):
    move = layers.RandomTranslation(1.5 / 28, 1.5 / 28, fill_mode="constant", seed=2,
                                    interpolation=interpolation)
    moved = [move(shirt, training=True)[0, :, :, 0] for _ in range(4)]
    plotting.images(np.array([picture, *moved]), ["as it is"] + [interpolation] * 4, columns=5)
print("largest change at prediction:", np.abs(move(shirt, training=False) - shirt).max())

# %% [markdown]
# Each picture is shifted by up to one and a half pixels, and the class is still visible. With
# bilinear interpolation a shift by a fraction of a pixel blurs the picture; with the nearest pixel
# it stays sharp, and the shifts are whole pixels.

# %% [markdown]
# ## An honest contest
#
# Does such noise beat dropout? A contest can mislead in three ways: by a number of epochs that
# suits one recipe and not the other; by choosing the epoch on the images that judge it; and by one
# lucky seed. So `contest` gives each recipe 40 epochs, keeps the weights of its best epoch on
# `valid`, and judges them on 4,096 images that played no part until then, by loss and by accuracy.

# %%
unseen_x = fashion.train_images[2048:6144].reshape(4096, 784).astype("float32") / 255
unseen_y = fashion.train_labels[2048:6144]

def contest(build, seeds=(0, 1, 2)):
    """Return the losses and the accuracies on unseen images, one pair per seed."""
    results = []
    for seed in seeds:
        model = build(seed)
        best = keras.callbacks.EarlyStopping("val_loss", patience=40, restore_best_weights=True)
        train_once(model, seed, train, valid, epochs=40, callbacks=[best])
        results.append(model.evaluate(unseen_x, unseen_y, batch_size=512, verbose=0))
    return np.array(results)


# %%
contestants = {
    "no noise": lambda seed: models.mlp((256, 256), seed=seed),
    "dropout": lambda seed: models.mlp((256, 256), rate=0.5, seed=seed),
}
standings = {name: contest(build) for name, build in contestants.items()}
for name, results in standings.items():
    (loss, score), (loss_spread, score_spread) = results.mean(axis=0), results.std(axis=0)
    print(f"{name:9} loss {loss:.4f} ± {loss_spread:.4f}   accuracy {score:.4f} ± {score_spread:.4f}")


# %% [markdown]
# At its best epoch, dropout beats the network without noise, by less than the curves of exercise 6.5
# suggest: stopping early does part of its work.

# %% [markdown]
# ### Exercise 6.13 — A noise of your own (d2l 5.6.7)
# *4 points · ★★★ · 45 min · stuck? run `hint("6.13")`*
#
# **Given** the fixed network 784-256-256-10 with ReLU, and `contest`. The recipe to beat is dropout with
# rates 0.5 and 0.5.
#
# **Write** `build_noisy(seed)`: an uncompiled Keras model from (n, 784) to (n, 10) logits whose only
# trainable layers are `Dense` 256, 256 and 10, with random noise of your choice between them or in
# front. The noise acts only in training. It is not dropout: it does not set single pixels or activations
# to zero one by one, under whatever name.
#
# **Shapes** the model maps (n, 784) to (n, 10).
#
# **Done when** your noise has the lower mean loss on the unseen images, by more than the standard
# deviation of dropout over the seeds, and the higher mean accuracy. The check trains your model with two
# seeds of its own, which takes several seconds.

# %%
def build_noisy(seed):
    """Return the network with noise of your own, not compiled."""
    raise NotImplementedError("Exercise 6.13")


# %%
check("6.13", build_noisy)

# %% [markdown]
# Run the contest with your noise, with three seeds. By how many standard deviations does it win?

# %%
# Call contest with build_noisy and compare it with the standings.

# %% [markdown]
# ## With all of the images
#
# The contest used 1,024 images. With all 60,000, one run of the same network takes minutes, too long
# for a page. `python solutions/contest.py choose` trained each recipe on 50,000 images and measured it
# on 10,000 others; `python solutions/contest.py test` trained the most accurate one on all 60,000, with
# five seeds, and only then read the test images. Label smoothing asks for 0.9 instead of 1 for the right
# class; the average is a moving average of the weights over the last steps. Predict first: does
# dropout still help with 50 times as many images?

# %%
stored = pathlib.Path("../solutions/contest.json")
runs = json.loads(stored.read_text()) if stored.exists() else []
if not runs:
    print("This copy has no solutions/contest.json, which contains the results.")
for run in sorted(runs, key=lambda run: -run["accuracy"]):
    if run["stage"] == "choose":
        print(f"{run['accuracy']:.4f}  {run['name']}")
on_test = [run["accuracy"] for run in runs if run["stage"] == "test"]
if on_test:
    print(f"test images, {len(on_test)} seeds: {np.mean(on_test):.4f} ± {np.std(on_test):.4f}")

# %% [markdown]
# On their own, neither dropout nor a shift changes the accuracy much. Smoothing with averaged weights
# gains half a percentage point, and shifts help once the run is long: more epochs then pay off, because
# no two epochs show the same pictures. Added to that recipe, dropout costs accuracy. Each recipe was
# tried with one seed only, so a difference of 0.002 means nothing.

# %% [markdown]
# ## Recap
#
# - Noise on the inputs makes a fitted function smoother; for a linear model it is ridge regression.
# - Inverted dropout zeroes each activation with probability $p$ and divides the others by $1 - p$,
#   so every mean is kept. Each pass trains one of many thinned networks.
# - In Keras it is the layer `Dropout(rate)`, active only in `fit` and with `training=True`.
# - A network with dropout fits the training images less closely. Its validation loss reaches a
#   lower minimum, later, and then rises too, but more slowly. Whether dropout still helps alongside
#   weight decay has to be measured.
# - The spread of several passes with dropout is a hint of uncertainty, not a measure of where the data
#   are: it is narrow in a gap between them.
# - In a contest at the best epoch of each recipe, small shifts and changes of contrast with a little
#   Gaussian noise beat dropout on these images.

# %%
progress("dropout")

# %% [markdown]
# ## Terms
#
# [co-adaptation](glossary.md#co-adaptation) ·
# [data augmentation](glossary.md#data-augmentation) ·
# [DropConnect](glossary.md#dropconnect) ·
# [dropout](glossary.md#dropout) ·
# [dropout rate](glossary.md#dropout-rate) ·
# [inverted dropout](glossary.md#inverted-dropout) ·
# [Monte Carlo dropout](glossary.md#monte-carlo-dropout) ·
# [ridge regression](glossary.md#ridge-regression) ·
# [smoothness](glossary.md#smoothness) ·
# [standard deviation](glossary.md#standard-deviation) ·
# [thinned network](glossary.md#thinned-network) ·
# [Tikhonov regularization](glossary.md#tikhonov-regularization) ·
# [uncertainty](glossary.md#uncertainty) ·
# [weight decay](glossary.md#weight-decay)
#
# ## Sources
#
# - Zhang, Lipton, Li, Smola, *Dive into Deep Learning*, [section
#   5.6](https://d2l.ai/chapter_multilayer-perceptrons/dropout.html), CC BY-SA 4.0: formula (5.6.1),
#   its exercises 5.6.1 to 5.6.7.
# - Bishop, "Training with noise is equivalent to Tikhonov regularization", *Neural Computation* 7,
#   1995.
# - Srivastava, Hinton, Krizhevsky, Sutskever, Salakhutdinov, "Dropout: a simple way to prevent
#   neural networks from overfitting", *JMLR* 15, 2014.
# - Wan, Zeiler, Zhang, LeCun, Fergus, "Regularization of neural networks using DropConnect", *ICML*
#   2013.
# - Gal and Ghahramani, "Dropout as a Bayesian approximation", *ICML* 2016.
