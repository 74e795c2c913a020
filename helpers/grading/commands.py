"""The instructor's commands: `workbook grade` and `workbook mark`."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from helpers.grading.sandbox.limits import Limits


def add_commands(subparsers: argparse._SubParsersAction) -> None:
    """Add `grade` and `mark` to the command line."""
    limits = Limits()
    grade = subparsers.add_parser("grade", help="grade a folder or zip of notebooks, in a sandbox")
    grade.add_argument("submissions", type=Path, help="folder, or zip of Moodle, Canvas, nbgrader")
    grade.add_argument("--out", type=Path, required=True, help="results folder")
    grade.add_argument("--again", action="store_true", help="regrade only what changed")
    grade.add_argument("--seed", type=int, help="draw the checks' inputs from this seed")
    grade.add_argument("--processes", type=int, help="notebooks at once; one a core by default")
    grade.add_argument("--scheduler", default="", metavar="ADDRESS", help="grade on a Dask cluster")
    grade.add_argument("--nbgrader", type=Path, metavar="DB", help="write scores to a gradebook")
    grade.add_argument(
        "--unsafe", action="store_true", help="no sandbox: students' code can do what you can"
    )
    grade.add_argument("--cell-seconds", type=float, default=limits.cell_seconds)
    grade.add_argument("--call-seconds", type=float, default=limits.call_seconds)
    grade.add_argument("--notebook-seconds", type=float, default=limits.notebook_seconds)
    grade.add_argument("--memory-gb", type=float, default=limits.memory_bytes / 2**30)
    grade.add_argument("--course", default="helpers.exercises", help=argparse.SUPPRESS)
    grade.add_argument("--warm", default=None, help=argparse.SUPPRESS)
    grade.set_defaults(run=_grade)

    mark = subparsers.add_parser("mark", help="take over points for explanations from a CSV")
    mark.add_argument("out", type=Path, help="results folder of a run")
    mark.add_argument("csv", type=Path, nargs="?", help="edited CSV; the folder's own by default")
    mark.add_argument("--nbgrader", type=Path, metavar="DB", help="write scores to a gradebook")
    mark.set_defaults(run=_mark)


def _grade(options: argparse.Namespace) -> int:
    # Imported here, so that the command line works on systems that cannot grade.
    from helpers.grading import sandbox

    if not options.unsafe and not options.scheduler and (problem := sandbox.missing()):
        raise ValueError(
            f"{problem} Nothing was run. `--unsafe` grades without the sandbox; do that only with "
            "notebooks you would run yourself."
        )
    from helpers.grading import run

    if options.processes is not None and options.processes < 1:
        raise ValueError("--processes must be at least 1.")
    if options.unsafe:
        print("No sandbox: students' code runs with your rights.", file=sys.stderr)
    settings = run.Settings(
        walls=not options.unsafe,
        **({"processes": options.processes} if options.processes else {}),
        limits=Limits(
            cell_seconds=options.cell_seconds,
            call_seconds=options.call_seconds,
            notebook_seconds=options.notebook_seconds,
            memory_bytes=int(options.memory_gb * 2**30),
        ),
        seed=options.seed,
        again=options.again,
        scheduler=options.scheduler,
        course=options.course,
        warm=tuple(options.warm.split(",")) if options.warm is not None else None,
    )
    made = run.grade(options.submissions, options.out, settings, _progress)
    _tell(made, options, options.course)
    return 0


def _mark(options: argparse.Namespace) -> int:
    from helpers.grading import run

    changed, made = run.mark(options.out, options.csv)
    print(f"{changed} marks taken over.")
    _tell(made, options, run.last_course(options.out))
    return 0


def _tell(made: Any, options: argparse.Namespace, course: str) -> None:
    from helpers.grading.results import report

    print(report.summary(made, options.out))
    if options.nbgrader:
        from helpers.grading.results.nbgrader import write_scores

        chapters = list(importlib.import_module(course).CHAPTERS)
        count = write_scores(made, options.nbgrader, chapters)
        print(f"{count} scores written to {options.nbgrader}.")


def _progress(total: int) -> Callable[[], None]:
    from tqdm import tqdm

    bar = tqdm(total=total, desc="Grading", unit="notebook", disable=not sys.stderr.isatty())

    def step() -> None:
        bar.update()
        if bar.n >= total:
            bar.close()

    return step
