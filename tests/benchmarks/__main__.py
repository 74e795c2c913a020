"""Write `results/table.md` and `results/plot.png`: each loop as a ratio to `model.fit`.

All loops of a section take turns in one process, and the best of several epochs counts, so that
other load on the machine affects them equally. Seconds depend on the machine, ratios less so.
"""

import argparse
import functools
import itertools
import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from helpers import models, training
from helpers.backend import keras, tf

RESULTS = Path(__file__).parent / "results"
RNG = np.random.default_rng(0)
BATCH = 256
# Three epochs, of a run that claims to be long enough for compilation by XLA to pay off.
LONG_RUN = {"epochs": 60, "initial_epoch": 57}
NETWORKS = {
    "784-256-10": {"hidden_units": (256,), "rate": 0.0},
    "784-256-256-10, dropout": {"hidden_units": (256, 256), "rate": (0.2, 0.5)},
}


class Stopwatch(keras.callbacks.Callback):
    """Records the seconds of each epoch."""

    def __init__(self):
        super().__init__()
        self.seconds = []

    def on_epoch_begin(self, epoch, logs=None):
        """Start."""
        self.start = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        """Stop."""
        self.seconds.append(time.perf_counter() - self.start)


def classifier(steps: int = 1, jit_compile: bool = False, **sizes) -> keras.Model:
    """Build the compiled image classifier."""
    model = models.mlp(**sizes)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    own = {"steps_per_execution": steps, "jit_compile": jit_compile}
    model.compile("sgd", loss, metrics=["accuracy"], **own)
    return model


def own_settings(steps: int) -> dict[str, dict]:
    """Return Keras's settings that make `model.fit` faster, for this number of steps per epoch."""
    found = {}
    for jit_compile, together in itertools.product((False, True), (1, 16, steps)):
        parts = ["jit_compile"] if jit_compile else []
        parts += [f"steps_per_execution={together}"] if together > 1 else []
        label = f"`model.fit`, {', '.join(parts)}" if parts else "`model.fit`"
        found[label] = {"jit_compile": jit_compile, "steps": together}
    return found


def images(rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw random images and labels with the shapes of Fashion-MNIST."""
    return RNG.random((rows, 784), dtype="float32"), RNG.integers(0, 10, rows)


def seconds(run) -> float:
    """Time one call."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def in_turns(loops: dict, rounds: int) -> dict[str, Stopwatch]:
    """Run all loops repeatedly in turn, and time their epochs."""
    watches = {name: Stopwatch() for name in loops}
    for _ in range(rounds):
        for name, loop in loops.items():
            loop(callbacks=[watches[name]])
    return watches


def matrix_products(rows: int, widths: list[int]) -> float:
    """Time the products of an epoch's forward and backward passes in NumPy, best of eight."""
    pairs = [
        (RNG.random((BATCH, a), dtype="float32"), RNG.random((a, b), dtype="float32"))
        for a, b in itertools.pairwise(widths)
    ]

    def epoch():
        for _ in range(rows // BATCH):
            for layer, (x, w) in enumerate(pairs):
                out = x @ w
                x.T @ out
                if layer:
                    out @ w.T

    return min(seconds(epoch) for _ in range(8))


def fit_section(rows: int, rounds: int, peers: list[tuple[str, str]]) -> list[list]:
    """Compare an epoch, with validation on a sixth of the rows, after the first one."""
    table = []
    x, y = images(rows)
    held_out = (x[: rows // 6], y[: rows // 6])
    for network, sizes in NETWORKS.items():
        steps = -(-rows // BATCH)
        run = {"batch_size": BATCH, "validation_data": held_out, "verbose": 0, "epochs": 3}
        ours, long_run = classifier(**sizes), {**run, **LONG_RUN}
        short = classifier(**sizes)
        loops = {
            label: functools.partial(classifier(**own, **sizes).fit, x, y, **run)
            for label, own in own_settings(steps).items()
        }
        loops |= {
            "`training.fit`, short run": functools.partial(training.fit, short, x, y, **run),
            "`training.fit`, long run (XLA)": functools.partial(
                training.fit, ours, x, y, **long_run
            ),
        }
        watches = in_turns(loops, rounds)
        widths = [784, *sizes["hidden_units"], 10]
        best = {name: min(w.seconds[1:]) for name, w in watches.items()}
        first = {name: w.seconds[0] for name, w in watches.items()}
        best["matrix products only, without validation (NumPy)"] = matrix_products(rows, widths)
        rates = np.broadcast_to(sizes["rate"], len(sizes["hidden_units"]))
        for name, python in peers:
            numbers = (",".join(map(str, part)) for part in (widths, rates))
            command = [python, "-m", "tests.benchmarks.peers", name, str(rows), str(rounds * 2)]
            done = subprocess.run([*command, *numbers], capture_output=True, text=True)
            if done.returncode == 0:
                label = f"plain {name} loop, training only"
                best[label], first[label] = map(float, done.stdout.split())
        base, rival = best["`model.fit`"], min(best[label] for label in own_settings(steps))
        table += [
            [network, name, value, value / base, value / rival, first.get(name)]
            for name, value in best.items()
        ]
    return table


def house_model(hidden_units=(64,), **numbers) -> keras.Model:
    """Build the compiled regressor for data with the shape of the house prices."""
    model = models.mlp(hidden_units, 1, inputs=330)
    model.compile(keras.optimizers.Adam(**numbers), "mse")
    return model


def fold_section(rows: int = 1460, epochs: int = 10) -> list[list]:
    """Compare five folds together with five calls of `model.fit`, including compilation."""
    x, y = RNG.normal(size=(rows, 330)).astype("float32"), RNG.normal(size=rows)
    table = []
    for name, hidden_units in (("linear", ()), ("64-unit MLP", (64,))):

        def one_by_one(hidden_units=hidden_units):
            for train, test in training.fold_indices(rows, 5):
                house_model(hidden_units).fit(
                    x[train],
                    y[train],
                    validation_data=(x[test], y[test]),
                    batch_size=64,
                    epochs=epochs,
                    verbose=0,
                )

        def at_once(hidden_units=hidden_units):
            training.k_fold(
                lambda: house_model(hidden_units), x, y, k=5, epochs=epochs, batch_size=64
            )

        first = seconds(at_once)
        base = seconds(one_by_one)
        again = min(seconds(at_once) for _ in range(3))
        table.append([name, base, first, base / first, again, base / again])
    return table


def search_section(configurations: int, epochs: int, rows: int = 1460) -> list[list]:
    """Compare a search with `model.fit` on three of its models, extrapolated to all."""
    x, y = RNG.normal(size=(rows, 330)).astype("float32"), RNG.normal(size=rows)
    numbers = [{"learning_rate": 10.0**e} for e in np.linspace(-4, -2, configurations)]

    def some():
        for train, test in training.fold_indices(rows, 5)[:3]:
            house_model().fit(
                x[train],
                y[train],
                validation_data=(x[test], y[test]),
                batch_size=64,
                epochs=epochs,
                verbose=0,
            )

    count = configurations * 5
    base = seconds(some) / 3 * count
    took = seconds(
        lambda: training.search(house_model, numbers, x, y, k=5, epochs=epochs, batch_size=64)
    )
    label = f"{configurations} configurations x 5 folds x {epochs} epochs"
    return [[label, base, took, base / took]]


def growth_section(rows: int, quick: bool) -> dict[str, list[list]]:
    """Measure an epoch by width and batch size, and the time per model by their number."""
    x, y = images(rows)
    growth = {"width": [], "batch size": [], "models at once": []}
    widths = (64, 512) if quick else (64, 256, 1024, 4096)
    batches = (32, 2048) if quick else (32, 128, 512, 2048, 8192)
    for kind, value, width, batch in [
        *(("width", width, width, BATCH) for width in widths),
        *(("batch size", batch, 256, batch) for batch in batches),
    ]:
        run = {"batch_size": min(batch, rows), "verbose": 0, **LONG_RUN}
        loops = {
            name: functools.partial(loop, classifier(hidden_units=(width,)), x, y, **run)
            for name, loop in (("ours", training.fit), ("Keras's", keras.Model.fit))
        }
        watches = in_turns(loops, 1 if quick else 3)
        growth[kind].append([value, *(min(w.seconds[1:]) for w in watches.values())])
    features = RNG.normal(size=(1460, 330)).astype("float32")
    for count in (1, 8) if quick else (1, 4, 16, 64):
        numbers = [{"learning_rate": 0.001}] * count
        run = {"k": 5, "epochs": 3, "batch_size": 64}
        for _ in "ab":  # the second call has no compilation
            took = seconds(
                functools.partial(
                    training.search, house_model, numbers, features, features[:, 0], **run
                )
            )
        growth["models at once"].append([count * 5, took / 3, took / 3 / (count * 5)])
    return growth


def markdown(header: list[str], rows: list[list]) -> str:
    """Format a table, with numbers to three significant figures."""
    lines = [header, ["---"] * len(header)]
    for row in rows:
        lines.append(
            ["" if v is None else f"{v:.3g}" if isinstance(v, float) else str(v) for v in row]
        )
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def plot(fits: list[list], growth: dict[str, list[list]]) -> None:
    """Draw the ratios and the growth."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(13, 3.6), layout="constrained")
    names = list(dict.fromkeys(row[1] for row in fits))[::-1]
    for shift, network in enumerate(NETWORKS):
        ratio = {row[1]: row[3] for row in fits if row[0] == network}
        places = np.arange(len(names)) - 0.2 + 0.4 * (1 - shift)
        hatch = "//" if shift else ""
        left.barh(
            places, [ratio.get(n, 0) for n in names], 0.36, label=network, hatch=hatch, alpha=0.8
        )
    left.set_yticks(range(len(names)), [name.replace("`", "") for name in names], fontsize=7)
    left.axvline(1, color="black", linewidth=0.8)
    left.set(xlabel="time per epoch, model.fit = 1")
    left.legend(fontsize=7, loc="lower left", bbox_to_anchor=(0, 1), ncols=2, frameon=False)
    for kind, style in (("width", "o-"), ("batch size", "s--")):
        points = np.array(growth[kind])
        middle.plot(points[:, 0], points[:, 1] / points[:, 2], style, label=kind)
    middle.axhline(1, color="black", linewidth=0.8)
    middle.set(xscale="log", xlabel="width or batch size", ylim=(0, None))
    middle.set_ylabel("time per epoch, model.fit = 1")
    middle.legend(fontsize=7)
    points = np.array(growth["models at once"])
    right.plot(points[:, 0], points[:, 2] * 1000, "o-")
    right.set(xscale="log", xlabel="models trained together", ylim=(0, None))
    right.set_ylabel("ms per epoch and model")
    figure.savefig(RESULTS / "plot.png", dpi=120)


def write(done: dict) -> str:
    """Write the sections that have been measured, and return the table."""
    images_drawn = "6,000" if done["quick"] else "60,000"
    loads = ", ".join(f"{name} {load:.1f}" for name, load in done["loads"].items())
    text = [
        "# Speed",
        f"{training.device()}, {os.cpu_count()} {platform.machine()} cores, TensorFlow "
        f"{tf.__version__}, Keras {keras.__version__}. Written by `python -m tests.benchmarks"
        f"{' --quick' if done['quick'] else ''}`. Load of the machine after each section: {loads} "
        f"(1 per busy core). The seconds are valid for this machine only.",
    ]
    if "fit" in done:
        header = ["network", "loop", "s per epoch", "relative to `model.fit`"]
        header += ["relative to Keras's best settings", "first epoch, s"]
        text += [f"## One epoch, {images_drawn} images, batch {BATCH}"]
        text += [markdown(header, done["fit"])]
    if "folds" in done:
        header = ["model", "five `model.fit`, s", "first `k_fold`, s", "speed-up"]
        text += ["## Five folds, 1460 x 330, 10 epochs, batch 64, including compilation"]
        text += [markdown([*header, "next `k_fold`, s", "speed-up"], done["folds"])]
    if "search" in done:
        header = ["search", "`model.fit` one by one, s", "`search`, s", "speed-up"]
        text += ["## Search, 64-unit MLP, including compilation"]
        text += ["`model.fit` was measured on three of the models and extrapolated to all."]
        text += [markdown(header, done["search"])]
    if "growth" in done:
        text += ["## Growth", "An epoch of a long run, after the first one."]
        for kind in ("width", "batch size"):
            header = [kind, "`training.fit`, s", "`model.fit`, s", "ratio"]
            rows = [[n, ours, own, ours / own] for n, ours, own in done["growth"][kind]]
            text += [markdown(header, rows)]
        header = ["models trained together", "s per epoch", "s per epoch and model"]
        text += [markdown(header, done["growth"]["models at once"])]
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "numbers.json").write_text(json.dumps(done, indent=1) + "\n", encoding="utf-8")
    (RESULTS / "table.md").write_text("\n\n".join(text) + "\n", encoding="utf-8")
    if {"fit", "growth"} <= set(done):
        plot(done["fit"], done["growth"])
    return "\n\n".join(text)


def main() -> None:
    """Run the sections and write the results after each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes, under a minute")
    parser.add_argument(
        "--peer",
        action="append",
        default=[],
        metavar="NAME=PYTHON",
        help="torch or jax, and a Python in which it is installed",
    )
    parser.add_argument(
        "--sections", help="some of fit,folds,search,growth; the results of others are kept"
    )
    options = parser.parse_args()
    peers = [tuple(peer.split("=", 1)) for peer in options.peer] or [
        (name, sys.executable) for name in ("torch", "jax")
    ]
    quick = options.quick
    sections = {
        "fit": lambda: fit_section(6_000 if quick else 60_000, 2 if quick else 3, peers),
        "folds": fold_section,
        "search": lambda: search_section(*((4, 5) if quick else (64, 50))),
        "growth": lambda: growth_section(3_000 if quick else 12_000, quick),
    }
    done = {"quick": quick, "loads": {}}
    kept = RESULTS / "numbers.json"
    if options.sections and kept.exists():
        done = json.loads(kept.read_text(encoding="utf-8")) | {"quick": quick}
    start = time.perf_counter()
    for name in (options.sections or ",".join(sections)).split(","):
        done[name] = sections[name]()
        done["loads"][name] = os.getloadavg()[0]
        table = write(done)
        print(f"{name}: done after {time.perf_counter() - start:.0f} s", flush=True)
    print(table)


if __name__ == "__main__":
    main()
