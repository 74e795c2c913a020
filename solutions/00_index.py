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
# TensorFlow and Keras 3, and build everything by hand first. Take them in order; each page names
# what it needs.
#
# | Chapter | What you build | To read | To run, CPU | Difficulty | Exercises | Points | To work |
# | --- | --- | --- | --- | --- | --- | --- | --- |
# | [1. Perceptrons](01_perceptrons.ipynb) | a neuron, its learning rule, XOR, losses | 50 min | 15 s on 2 cores | ★☆☆ | 11 | 25 | 2 h |
# | [2. Multilayer perceptrons](02_multilayer_perceptrons.ipynb) | hidden layers, activations, Fashion-MNIST by hand and in Keras | 100 min | 180 s on 2 cores | ★★☆ | 27 | 68 | 7 h |
# | [3. Backpropagation](03_backpropagation.ipynb) | numerical gradients, the chain rule, an autograd of your own | 100 min | 60 s on 2 cores | ★★★ | 21 | 48 | 5.5 h |
# | [4. Initialization](04_initialization.ipynb) | vanishing and exploding gradients, symmetry, Xavier and He | 75 min | 40 s on 2 cores | ★★☆ | 13 | 30 | 3 h |
# | [5. Generalization](05_generalization.ipynb) | random labels, double descent, early stopping, weight decay | 60 min | 70 s on 2 cores | ★★☆ | 16 | 33 | 3 h |
# | [6. Dropout](06_dropout.ipynb) | noise that regularises, Monte Carlo dropout, DropConnect | 45 min | 80 s on 2 cores | ★★☆ | 13 | 29 | 4 h |
# | [7. House prices](07_house_prices.ipynb) | data cleaning, K-fold cross-validation, a Kaggle submission | 60 min | 37 s on 2 cores | ★★☆ | 11 | 28 | 3 h |
#
# Every new term is in the [glossary](../chapters/glossary.md), in English and Korean.

# %% [markdown]
# ## How a page works
#
# Run the cells from top to bottom with <kbd>Shift</kbd>+<kbd>Enter</kbd>. An exercise gives you a
# cell with a stub; replace the line `raise NotImplementedError(...)`, or the `None`, with your
# answer, run it, and run the `check` cell below it. It answers in one of four ways:
#
# | `check` says | and that means |
# | --- | --- |
# | ✓ Correct | all points are yours |
# | ✗ Not yet | one or two sentences on what was given, what was expected and what came back |
# | ○ Not attempted | the stub is still there |
# | ! Stopped with an error | your code raised; the box names your line |
#
# Stuck? Run `hint("6.12")` with the number in the exercise's heading: first the idea, then the
# formula, then the shape of the code. Hints cost no points. After you have tried the check,
# `solution("6.12")` shows the released answer. An exercise without a `check` cell is answered in
# words, and a person marks it.

# %% [markdown]
# ## Your progress
#
# The best result of every check is kept on this computer, also when you close the page.

# %% tags=["nbval-ignore-output"]
from helpers import progress

progress()

# %% [markdown]
# ## Your computer
#
# The next cell names the device that trains your networks. A CPU is enough for every page. If a
# page behaves oddly, run `workbook doctor` in a terminal: it lists what is installed, where the
# data comes from, and what to do.

# %% tags=["nbval-ignore-output"]
from helpers import training

print(training.device())
