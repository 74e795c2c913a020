# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Deep learning in Keras: the map
#
# Seven chapters take you from one neuron to a Kaggle submission. They follow chapter 5 of
# [Dive into Deep Learning](https://d2l.ai/chapter_multilayer-perceptrons/index.html), in
# TensorFlow and Keras 3, and build everything by hand first. Work through them in order; each page
# lists its prerequisites.
#
# | Chapter | What you build | To read | To run, CPU | Difficulty | Exercises | Points | To work |
# | --- | --- | --- | --- | --- | --- | --- | --- |
# | [1. Perceptrons](01_perceptrons.ipynb) | a neuron, its learning rule, XOR, losses | 50 min | 15 s on 2 cores | ★☆☆ | 11 | 25 | 2 h |
# | [2. Multilayer perceptrons](02_multilayer_perceptrons.ipynb) | hidden layers, activations, Fashion-MNIST by hand and in Keras | 100 min | 180 s on 2 cores | ★★☆ | 27 | 68 | 7 h |
# | [3. Backpropagation](03_backpropagation.ipynb) | numerical gradients, the chain rule, your own autograd | 100 min | 60 s on 2 cores | ★★★ | 21 | 48 | 5.5 h |
# | [4. Initialization](04_initialization.ipynb) | vanishing and exploding gradients, symmetry, Xavier and He | 75 min | 40 s on 2 cores | ★★☆ | 13 | 30 | 3 h |
# | [5. Generalization](05_generalization.ipynb) | random labels, double descent, early stopping, weight decay | 60 min | 70 s on 2 cores | ★★☆ | 16 | 33 | 3 h |
# | [6. Dropout](06_dropout.ipynb) | noise that regularises, Monte Carlo dropout, DropConnect | 45 min | 80 s on 2 cores | ★★☆ | 13 | 29 | 4 h |
# | [7. House prices](07_house_prices.ipynb) | data cleaning, K-fold cross-validation, a Kaggle submission | 60 min | 37 s on 2 cores | ★★☆ | 11 | 28 | 3 h |
#
# Every new term is in the [glossary](glossary.md), in English and Korean.

# %% [markdown]
# ## How a page works
#
# Run the cells from top to bottom with <kbd>Shift</kbd>+<kbd>Enter</kbd>. An exercise gives you a
# cell with a stub; replace the line `raise NotImplementedError(...)`, or the `None`, with your
# answer, run it, and run the `check` cell below it. There are four possible results:
#
# | Result | Meaning |
# | --- | --- |
# | ✓ Correct | you have all the points |
# | ✗ Not yet | one or two sentences say what the input was, what was expected and what your code returned |
# | ○ Not attempted | the stub is still there |
# | ! Stopped with an error | your code raised an exception; the box shows the line |
#
# Stuck? Run `hint("6.12")` with the number in the exercise's heading: first the idea, then the
# formula, then the shape of the code. Hints cost no points. After you have run the check,
# `solution("6.12")` shows the released answer. An exercise without a `check` cell is answered in
# words and marked by hand.

# %% [markdown]
# ## Results
#
# The best results of the pages on unseen rows of the real data. Minutes are wall-clock time on two
# cores, for all seeds together.
#
# <!-- results: begin -->
#
# | Task | Model | Score | Spread | Minutes | Command |
# | --- | --- | --- | --- | --- | --- |
# | House prices, log RMSE of unseen rows | linear, d2l's recipe | 0.1417 | 0.0252 over folds | - | `workbook notebooks 07` |
# | House prices, log RMSE of unseen rows | mean of a linear and three wide and deep models, ten folds | 0.1073 | - | - | `workbook notebooks 07` |
# | House prices, log RMSE of unseen rows | mean of all four models, 2 seeds | 0.1075 | 0.0013 over seeds | 4 | `python solutions/house_prices_ladder.py` |
# | Fashion-MNIST, validation accuracy | 784-256-10, d2l's recipe, 3 seeds | 0.867 | 0.002 over seeds | - | `workbook notebooks 02` |
# | MNIST, test accuracy | 784-512-512-10 with dropout, in Keras | 0.9866 | - | - | `workbook notebooks 02` |
# | MNIST, test accuracy | 784-128-10 in the autograd of page 3 | 0.9689 | - | 0.8 | `workbook notebooks 03` |
# | Fashion-MNIST, test accuracy | 784-256-256-10, shift, smoothing, average, 120 epochs, 5 seeds | 0.9094 | 0.0019 over seeds | 48 | `python solutions/contest.py test` |
#
# <!-- results: end -->

# %% [markdown]
# ## Your progress
#
# The best result of every check is saved on this computer, even if you close the page.

# %%
from helpers import progress

progress()

# %% [markdown]
# ## Your computer
#
# The next cell names the device that trains your networks. A CPU is enough for every page. If a
# page behaves oddly, run `workbook doctor` in a terminal: it lists what is installed, where the
# data comes from, and how to fix problems.

# %%
from helpers import training

print(training.device())
