"""The instructor's commands: `workbook grade` and `workbook mark`."""

from __future__ import annotations

import argparse
import importlib
import re
import sys
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from helpers.grading.results.late import LatePolicy
from helpers.grading.sandbox.limits import Limits

__all__ = ["add_commands", "recognised"]

if TYPE_CHECKING:
    from helpers.grading.submissions import Sender

_UNGRADED = 3
_LINE_SECONDS = 10.0
_MOST_LINES = 8


def add_commands(subparsers: argparse._SubParsersAction) -> None:
    """Add `grade` and `mark` to the command line."""
    limits = Limits()
    grade = subparsers.add_parser("grade", help="grade a folder or zip of notebooks, in a sandbox")
    grade.add_argument("submissions", type=Path, help="folder, or zip of Moodle, Canvas, nbgrader")
    grade.add_argument("--out", type=Path, required=True, help="results folder")
    grade.add_argument(
        "--roster",
        type=Path,
        metavar="CSV",
        help="class list of Moodle or Canvas, or a CSV of id, name and email",
    )
    grade.add_argument(
        "--again", action="store_true", help="grade only what changed, with new inputs"
    )
    grade.add_argument("--seed", type=int, help="seed for the inputs of the checks")
    grade.add_argument("--processes", type=int, help="parallel notebooks; one per core by default")
    grade.add_argument("--scheduler", default="", metavar="ADDRESS", help="grade on a Dask cluster")
    grade.add_argument("--due", metavar="TIME", help="due time, such as 2026-03-01T23:59")
    grade.add_argument(
        "--late-per-day",
        type=float,
        default=0.0,
        metavar="SHARE",
        help="0.1 deducts a tenth per day",
    )
    grade.add_argument("--nbgrader", type=Path, metavar="DB", help="nbgrader gradebook to fill")
    grade.add_argument(
        "--unsafe", action="store_true", help="no sandbox: students' code has your permissions"
    )
    grade.add_argument("--cell-seconds", type=float, default=limits.cell_seconds)
    grade.add_argument("--call-seconds", type=float, default=limits.call_seconds)
    grade.add_argument("--notebook-seconds", type=float, default=limits.notebook_seconds)
    grade.add_argument("--memory-gb", type=float, default=limits.memory_bytes / 2**30)
    grade.add_argument("--course", default="helpers.exercises", help=argparse.SUPPRESS)
    grade.add_argument("--warm", default=None, help=argparse.SUPPRESS)
    grade.set_defaults(run=_grade)

    mark = subparsers.add_parser("mark", help="enter points for explanations from a CSV")
    mark.add_argument("out", type=Path, help="results folder of a run")
    mark.add_argument("csv", type=Path, nargs="?", help="edited CSV; explanations.csv by default")
    mark.add_argument("--browser", action="store_true", help="mark in a browser, answer by answer")
    mark.add_argument("--names", action="store_true", help="show students' names in the browser")
    mark.add_argument("--port", type=int, default=0, help="local port; a free one by default")
    mark.add_argument("--nbgrader", type=Path, metavar="DB", help="nbgrader gradebook to fill")
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
        print("No sandbox: students' code runs with your permissions.", file=sys.stderr)
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
        roster=options.roster,
        late=_late(options),
        course=options.course,
        warm=tuple(options.warm.split(",")) if options.warm is not None else None,
    )
    made = run.grade(options.submissions, options.out, settings, _progress)
    _tell(made, options, options.course)
    print(recognised(made.senders, bool(options.roster)))
    return _ungraded(made.files)


def recognised(senders: list[Sender], roster: bool) -> str:
    """Return a summary of the students that were recognised, and how.

    Args:
        senders: As `submissions.collect` returned them.
        roster: Whether there was a class list.
    """
    ways: dict[str, int] = {}
    for sender in senders:
        way = re.sub(r"(number|with) \d+", r"\1", sender.how)
        ways[way] = ways.get(way, 0) + 1
    told = "; ".join(f"{count} by {way}" for way, count in sorted(ways.items(), key=_often))
    lines = [f"Students: {len(senders)} recognised. {told}."]
    unsure = [sender for sender in senders if not sender.sure]
    names: dict[str, list[str]] = {}
    for sender in senders:
        names.setdefault(sender.name, []).append(sender.student)
    for sender in unsure[:_MOST_LINES]:
        lines.append(f"  Please check: {sender.name} is kept as {sender.student!r}: {sender.how}.")
    for name, keys in [(name, keys) for name, keys in names.items() if len(keys) > 1][:_MOST_LINES]:
        lines.append(f"  {len(keys)} students are called {name}: {', '.join(keys)[:200]}.")
    if len(unsure) > _MOST_LINES:
        lines.append(f"  and {len(unsure) - _MOST_LINES} more to check.")
    if unsure and not roster:
        lines.append("  With a class list (--roster), more of them can be identified.")
    return "\n".join(lines)


def _often(way: tuple[str, int]) -> tuple[int, str]:
    return -way[1], way[0]


def _ungraded(files: list[dict]) -> int:
    """Warn of notebooks that a machine failure left ungraded; return the exit status."""
    left = [file for file in files if file["status"] == "ungraded"]
    if not left:
        return 0
    print(
        f"\nNOT FINISHED: {len(left)} notebooks were not graded, because this machine failed. They "
        "have no points yet. Run the same command again: it grades only these, with the same "
        "inputs. The first reasons:",
        file=sys.stderr,
    )
    for file in left[:5]:
        print(f"  {file['name']}, {file['file']}: {file['reason'][:300]}", file=sys.stderr)
    return _UNGRADED


def _late(options: argparse.Namespace) -> LatePolicy | None:
    if not options.due:
        if options.late_per_day:
            raise ValueError("--late-per-day needs --due, the time after which work is late.")
        return None
    if not 0 <= options.late_per_day <= 1:
        raise ValueError("--late-per-day must be from 0 to 1; 0.1 deducts a tenth per day.")
    try:
        due = datetime.fromisoformat(options.due).replace(tzinfo=None)
    except ValueError:
        raise ValueError(
            f"--due {options.due} is not a time: write it as 2026-03-01T23:59."
        ) from None
    return LatePolicy(due, options.late_per_day)


def _mark(options: argparse.Namespace) -> int:
    from helpers.grading import run

    if options.browser:
        made = run.mark_in_browser(options.out, print, options.names, options.port)
        _tell(made, options, run.last_course(options.out))
        return 0
    changed, made = run.mark(options.out, options.csv)
    print(f"{changed} marks entered.")
    _tell(made, options, run.last_course(options.out))
    return 0


def _tell(made: Any, options: argparse.Namespace, course: str) -> None:
    from helpers.grading.results import tables

    if options.nbgrader:
        made = _with_nbgrader(made, options, course)
    print(tables.summary(made, options.out))


def _with_nbgrader(made: Any, options: argparse.Namespace, course: str) -> Any:
    """Exchange marks with a gradebook; return the results with the marks entered there."""
    from helpers.grading import run
    from helpers.grading.results.nbgrader import read_marks, write_scores
    from helpers.grading.results.store import Store

    chapters, store = list(importlib.import_module(course).CHAPTERS), Store(options.out)
    entered = read_marks(made, options.nbgrader, chapters, store)
    if entered:
        changed, made = run.keep_marks(options.out, entered)
        print(f"{changed} marks from formgrader entered.")
    count = write_scores(made, options.nbgrader, chapters, store)
    print(f"{count} scores written to {options.nbgrader}.")
    return made


def _progress(total: int) -> Callable[[], None]:
    """Return a function to call after each notebook: it shows a bar, or lines in a file."""
    if sys.stderr.isatty():
        from tqdm import tqdm

        bar = tqdm(total=total, desc="Grading", unit="notebook")

        def step() -> None:
            bar.update()
            if bar.n >= total:
                bar.close()

        return step
    began = said = time.monotonic()
    done = 0

    def line() -> None:
        nonlocal done, said
        done += 1
        now = time.monotonic()
        if now - said >= _LINE_SECONDS or done == total:
            said = now
            print(
                f"{done} of {total} notebooks after {now - began:.0f} s",
                file=sys.stderr,
                flush=True,
            )

    if total:
        print(f"Grading {total} notebooks", file=sys.stderr, flush=True)
    return line
