"""Collect the workbook's best results in one table, in README.md and on the index page.

    python solutions/results.py            # write the table between the markers of both files
    python solutions/results.py --check    # fail if a file does not hold the table

Nothing is trained here. Each row is read from where its number was made: the stored output of an
executed page, or the JSON file that a script of this folder wrote. A row whose source is missing is
left out. After a change of solutions/00_index.py, run `workbook notebooks 00`.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import nbformat
import numpy as np

from helpers import files

FOLDER = Path(__file__).parent
BEGIN, END = "<!-- results: begin -->", "<!-- results: end -->"
HEAD = "| Task | Model | Score | Spread | Minutes | Command |"


@dataclass(frozen=True)
class Row:
    """One line of the table; texts as they are shown."""

    task: str
    model: str
    score: str
    spread: str
    minutes: str
    command: str

    def __str__(self) -> str:
        cells = (self.task, self.model, self.score, self.spread, self.minutes, f"`{self.command}`")
        return "| " + " | ".join(cells) + " |"


def printed(page: str) -> str:
    """Return all text that an executed page stores."""
    notebook = nbformat.read(FOLDER / f"{page}.ipynb", as_version=4)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return "\n".join(
        output.get("text", "") or output.get("data", {}).get("text/plain", "") for output in outputs
    )


def house_prices_page() -> Iterator[Row]:
    """Read the errors that page 7 prints: of its baseline, and of its ensemble."""
    text, task = printed("07_house_prices"), "House prices, log RMSE of unseen rows"
    command = "workbook notebooks 07"
    if "Ames, real data" not in text:
        return
    baseline = re.search(r"baseline: .*mean (0\.\d+), sd (0\.\d+)", text)
    if baseline:
        yield Row(
            task, "linear, d2l's recipe", baseline[1], f"{baseline[2]} over folds", "-", command
        )
    best = re.search(r"^(0\.\d+)  mean of all four", text, re.M)
    if best:
        yield Row(
            task,
            "mean of a linear and three wide and deep models, ten folds",
            best[1],
            "-",
            "-",
            command,
        )


def house_prices_ladder() -> Iterator[Row]:
    """Read the last rung of the ladder, measured with several seeds."""
    path = FOLDER / "house_prices_ladder.json"
    if not path.exists():
        return
    measured = json.loads(path.read_text(encoding="utf-8"))
    shown = (name for name in measured["rungs"] if not name.startswith(("tried", "the same")))
    rungs = {name: measured["rungs"][name] for name in shown}
    name = min(rungs, key=lambda rung: rungs[rung]["score"])
    yield Row(
        "House prices, log RMSE of unseen rows",
        f"{name}, {measured['seeds']} seeds",
        f"{rungs[name]['score']:.4f}",
        f"{rungs[name]['spread']:.4f} over seeds",
        f"{measured['minutes']:.0f}",
        "python solutions/house_prices_ladder.py",
    )


def fashion_contest() -> Iterator[Row]:
    """Read the runs of the contest that were measured on the test images."""
    path = FOLDER / "contest.json"
    runs = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    tested = [run for run in runs if run.get("stage") == "test"]
    if tested:
        scores = [run["accuracy"] for run in tested]
        minutes = sum(run.get("seconds", 0) for run in tested) / 60
        yield Row(
            "Fashion-MNIST, test accuracy",
            f"784-256-256-10, {tested[0]['name']}, {len(scores)} seeds",
            f"{np.mean(scores):.4f}",
            f"{np.std(scores):.4f} over seeds",
            f"{minutes:.0f}",
            "python solutions/contest.py test",
        )


def images_on_pages() -> Iterator[Row]:
    """Read the accuracies that pages 2 and 3 print."""
    text, command = printed("02_multilayer_perceptrons"), "workbook notebooks 02"
    if plain := re.search(r"validation accuracy: \[[\d. ]+\] mean (0\.\d+), spread (0\.\d+)", text):
        task, model = "Fashion-MNIST, validation accuracy", "784-256-10, d2l's recipe, 3 seeds"
        yield Row(task, model, plain[1], f"{plain[2]} over seeds", "-", command)
    if digits := re.search(r"accuracy on 10000 new digits: (0\.\d+)", text):
        yield Row(
            "MNIST, test accuracy",
            "784-512-512-10 with dropout, in Keras",
            digits[1],
            "-",
            "-",
            command,
        )
    epoch = r"test accuracy (0\.\d+) after (\d+) s of processor time"
    if epochs := re.findall(epoch, printed("03_backpropagation")):
        accuracy, seconds = epochs[-1]
        model, minutes = "784-128-10 in the autograd of page 3", f"{float(seconds) / 60:.1f}"
        yield Row("MNIST, test accuracy", model, accuracy, "-", minutes, "workbook notebooks 03")


SOURCES: tuple[Callable[[], Iterator[Row]], ...] = (
    house_prices_page,
    house_prices_ladder,
    images_on_pages,
    fashion_contest,
)


def table() -> str:
    """Return the whole table in Markdown."""
    rule = "|" + " --- |" * HEAD.count(" | ") + " --- |"
    return "\n".join([HEAD, rule, *(str(row) for source in SOURCES for row in source())])


def with_table(text: str, prefix: str = "") -> str:
    """Return `text` with the table between its markers; text without markers stays as it is."""
    lines = "\n".join(prefix + line for line in ("", *table().splitlines(), ""))
    between = re.compile(f"{re.escape(BEGIN)}.*?{re.escape(END)}", re.S)
    inside = "\n".join(line.rstrip() for line in f"{BEGIN}\n{lines}\n{prefix}{END}".splitlines())
    return between.sub(lambda _: inside, text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing, fail on a difference")
    options = parser.parse_args()
    print(table())
    for path, prefix in ((FOLDER.parent / "README.md", ""), (FOLDER / "00_index.py", "# ")):
        old = path.read_text(encoding="utf-8")
        new = with_table(old, prefix)
        if options.check and new != old:
            raise SystemExit(f"{path.name} does not hold this table: run python {__file__}")
        if new != old:
            files.write_text(path, new)


if __name__ == "__main__":
    main()
