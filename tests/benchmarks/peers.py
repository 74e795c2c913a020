"""Train one epoch after another without Keras's loop: `python -m tests.benchmarks.peers NAME`.

Prints the seconds of the best epoch. Each peer runs in a separate process, since two frameworks
in one process compete for the cores.
"""

import itertools
import os
import sys
import time

import numpy as np

RNG = np.random.default_rng(0)


def torch_loop(rows: int, widths: list[int], rates: list[float], batch_size: int):
    """Return an epoch of a plain PyTorch loop over tensors in memory."""
    import torch

    layers = []
    for inputs, outputs, rate in zip(widths[:-2], widths[1:-1], rates, strict=True):
        layers += [torch.nn.Linear(inputs, outputs), torch.nn.ReLU()]
        layers += [torch.nn.Dropout(rate)] if rate else []
    model = torch.nn.Sequential(*layers, torch.nn.Linear(*widths[-2:]))
    optimizer = torch.optim.SGD(model.parameters(), 0.01)
    loss_of = torch.nn.CrossEntropyLoss()
    x = torch.from_numpy(RNG.random((rows, widths[0]), dtype="float32"))
    y = torch.from_numpy(RNG.integers(0, widths[-1], rows))

    def epoch():
        right, order = 0, torch.randperm(rows)
        for start in range(0, rows, batch_size):
            batch = order[start : start + batch_size]
            optimizer.zero_grad()
            prediction = model(x[batch])
            loss = loss_of(prediction, y[batch])
            loss.backward()
            optimizer.step()
            right += (prediction.argmax(1) == y[batch]).sum()
        return int(right)

    return epoch


def jax_loop(rows: int, widths: list[int], rates: list[float], batch_size: int):
    """Return an epoch of a hand-written JAX program: one `lax.scan` over the batches."""
    import jax
    from jax import numpy as jnp

    x = jnp.asarray(RNG.random((rows, widths[0]), dtype="float32"))
    y = jnp.asarray(RNG.integers(0, widths[-1], rows))
    state = [
        [jnp.asarray(RNG.normal(size=shape) * 0.05, "float32"), jnp.zeros(shape[1])]
        for shape in itertools.pairwise(widths)
    ]

    def loss_of(state, x, y, key):
        for (w, b), rate in zip(state[:-1], rates, strict=True):
            x = jax.nn.relu(x @ w + b)
            if rate:
                key, own = jax.random.split(key)
                x = jnp.where(jax.random.bernoulli(own, 1 - rate, x.shape), x / (1 - rate), 0)
        logits = x @ state[-1][0] + state[-1][1]
        loss = -jnp.take_along_axis(jax.nn.log_softmax(logits), y[:, None], 1).mean()
        return loss, (logits.argmax(1) == y).sum()

    @jax.jit
    def run(state, key):
        def step(carry, batch):
            state, key, right = carry
            key, own = jax.random.split(key)
            gradients, hits = jax.grad(loss_of, has_aux=True)(state, x[batch], y[batch], own)
            state = jax.tree.map(lambda w, g: w - 0.01 * g, state, gradients)
            return (state, key, right + hits), None

        steps = rows // batch_size
        order = jax.random.permutation(key, rows)[: steps * batch_size]
        return jax.lax.scan(step, (state, key, 0), order.reshape(steps, batch_size))[0]

    def epoch():
        nonlocal state
        state, _, right = run(state, jax.random.key(0))
        return int(right)

    return epoch


PEERS = {"torch": torch_loop, "jax": jax_loop}

if __name__ == "__main__":
    name, rows, epochs, *sizes = sys.argv[1:]
    widths, rates = ([float(part) for part in size.split(",")] for size in sizes)
    os.environ["JAX_PLATFORMS"] = "cpu"
    epoch = PEERS[name](int(rows), [int(width) for width in widths], rates, 256)
    times = []
    for _ in range(int(epochs) + 1):
        start = time.perf_counter()
        epoch()
        times.append(time.perf_counter() - start)
    print(min(times[1:]), times[0])
