"""One grading run: find the submissions, grade what is not graded yet, write the results."""

from __future__ import annotations

import hashlib
import importlib
import os
import platform
import secrets
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

from helpers.grading.dask import grade_on_cluster
from helpers.grading.local import grade_all
from helpers.grading.results import report
from helpers.grading.results.store import EXPLANATIONS, Store, file_key
from helpers.grading.sandbox.limits import Limits
from helpers.grading.submissions import Submission, collect
from helpers.grading.submitted_notebook import (
    Notebook,
    Unreadable,
    chapter_by_name,
    chapter_of,
    course,
    read,
)

_VERSION = 1


@dataclass(frozen=True)
class Settings:
    """How a run grades.

    Attributes:
        walls: False runs students' code without a sandbox.
        processes: Notebooks graded at once.
        limits: What one notebook may use.
        seed: Seed of the run; None draws one.
        again: Keep the results of what did not change since the last run, with its seed.
        scheduler: Address of a Dask scheduler; "" grades on this machine.
        course: Module with `CHAPTERS` and `exercises_of`.
        warm: Modules the sandbox imports before the first notebook; None for the usual ones.
    """

    walls: bool = True
    processes: int = field(default_factory=lambda: len(os.sched_getaffinity(0)))
    limits: Limits = field(default_factory=Limits)
    seed: int | None = None
    again: bool = False
    scheduler: str = ""
    course: str = "helpers.exercises"
    warm: tuple[str, ...] | None = None


def grade(
    source: Path,
    out: Path,
    settings: Settings,
    progress: Callable[[Iterable, int], Iterable] | None = None,
) -> report.Report:
    """Grade everything in `source` and write the results to `out`.

    A run that was cut off goes on where it stopped. A finished one is graded afresh with new
    inputs, unless `settings.again`.

    Args:
        source: Folder or zip of submissions.
        out: Results folder.
        settings: How to grade.
        progress: Called with the number of submissions; returns a function to call after each.

    Raises:
        ValueError: If there is nothing to grade, `out` is in use, or the sandbox is missing.
    """
    if Path(out).resolve().is_relative_to(Path(source).resolve()):
        raise ValueError(f"The results cannot lie in {source}; name a folder beside it.")
    store = Store(out)
    module = importlib.import_module(settings.course)
    submissions = collect(source)
    with store.alone():
        last = store.run
        _take_over_edits(store, last)
        seed, fingerprint = _seed(settings, last), _fingerprint(module, settings)
        records, tasks = _prepare(submissions, module, settings, seed, fingerprint, source, out)
        keep = {"seed": seed, "fingerprint": fingerprint, "finished": False}
        store.run = {**last, **keep, "began": time.strftime("%Y-%m-%dT%H:%M:%S%z")}
        seconds = _grade(records, tasks, store, settings, progress)
        made = report.build(records, module, store.marks)
        versions = next((r["versions"] for r in records if r.get("versions")), {})
        about = {
            **store.run,
            "finished": True,
            "seconds": round(seconds, 1),
            "settings": _described(settings),
            "versions": versions | {"system": platform.platform()},
            "submissions": [report.described(record) for record in records],
            "allowed_marks": made.allowed_marks(),
        }
        report.write(made, store, about)
        store.run = {**about, "records": [_slim(record) for record in records]}
        store.forget_graded(record["key"] for record in records if "key" in record)
    return made


def mark(out: Path, path: Path | None) -> tuple[int, report.Report]:
    """Take the points of an edited CSV into the results; return how many changed, and the report.

    Args:
        out: Results folder of an earlier run.
        path: The CSV; None takes the folder's own explanations.csv.

    Raises:
        ValueError: If there was no run, or the CSV has lines that cannot be taken.
    """
    store = Store(out)
    if not store.run.get("finished"):
        raise ValueError(f"{out} holds no finished run. Run `workbook grade` first.")
    with store.alone():
        about = store.run
        changed = store.enter_marks(path or store.folder / EXPLANATIONS, about["allowed_marks"])
        records = [_whole(record, store) for record in about.pop("records")]
        module = importlib.import_module(about["settings"]["course"])
        made = report.build(records, module, store.marks)
        report.write(made, store, about)
    return changed, made


def last_course(out: Path) -> str:
    """Return the module name of the course that the last run in `out` graded."""
    return Store(out).run["settings"]["course"]


def _slim(record: dict) -> dict:
    return {key: value for key, value in record.items() if key != "exercises"}


def _whole(record: dict, store: Store) -> dict:
    kept = store.load_graded(record["key"]) if "key" in record else None
    return {"exercises": [], **record, **(kept or {})}


def _seed(settings: Settings, last: dict) -> int:
    cut_off = last.get("finished") is False
    if settings.seed is not None:
        return settings.seed
    if (cut_off or settings.again) and isinstance(last.get("seed"), int):
        return last["seed"]
    return secrets.randbelow(2**31)


def _fingerprint(module: ModuleType, settings: Settings) -> str:
    """Return a text that changes when the checks, the grader or its limits do."""
    parts = [str(_VERSION), repr(sorted(settings.limits.as_dict().items())), str(settings.walls)]
    folders = {Path(module.__file__).parent, Path(__file__).parents[1]}
    for folder in sorted(folders):
        for path in sorted(folder.rglob("*.py")):
            parts.append(hashlib.sha256(path.read_bytes()).hexdigest())
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _take_over_edits(store: Store, last: dict) -> None:
    """Keep points that someone wrote into the results' own CSV and did not enter yet."""
    path = store.folder / EXPLANATIONS
    if path.exists() and last.get("allowed_marks"):
        store.enter_marks(path, last["allowed_marks"])


def _prepare(
    submissions: list[Submission],
    module: ModuleType,
    settings: Settings,
    seed: int,
    fingerprint: str,
    source: Path,
    out: Path,
) -> tuple[list[dict], list[dict]]:
    """Return a record for each submission and a task for each that can be graded."""
    chapters, ids = course(module)
    shared = {
        "walls": settings.walls,
        "warm": list(settings.warm) if settings.warm is not None else None,
        "limits": settings.limits.as_dict(),
        "seed": seed,
        "course": settings.course,
        "hidden": [str(Path(path).resolve()) for path in (source, out)],
    }
    newest: dict[tuple, dict] = {}
    records: list[dict] = []
    found: list[tuple[Submission, dict, Notebook | None]] = []
    for submission in submissions:
        record, notebook = _identify(submission, chapters, ids)
        records.append(record)
        found.append((submission, record, notebook))
        place = (record["student"], record["chapter"])
        if notebook is None or record["chapter"] is None:
            continue
        before = newest.get(place)
        if before is None or before["order"] <= record["order"]:
            newest[place] = record
    tasks = []
    for _, record, notebook in found:
        place = (record["student"], record["chapter"])
        if notebook is None or record["chapter"] is None:
            continue
        if newest[place] is not record:
            record["status"] = "replaced"
            record["reason"] = f"{newest[place]['file']} is newer; it was graded instead."
            continue
        record["key"] = file_key(*place, record["sha256"], seed, fingerprint)
        tasks.append(
            {
                "key": record["key"],
                "code": notebook.code,
                "texts": notebook.texts,
                "chapter": record["chapter"],
                "settings": shared,
            }
        )
    for record in records:
        del record["order"]
    return records, tasks


def _identify(
    submission: Submission, chapters: list[str], ids: dict[str, str]
) -> tuple[dict, Notebook | None]:
    record = {
        "student": submission.student,
        "file": submission.file,
        "chapter": None,
        "sha256": hashlib.sha256(submission.content).hexdigest(),
        "status": "unreadable",
        "reason": submission.problem,
        "notes": [],
        "exercises": [],
        "order": list(submission.order),
    }
    guess = chapter_by_name(submission.file, chapters)
    if submission.problem:
        return record | {"chapter": guess}, None
    try:
        notebook = read(submission.content)
    except Unreadable as error:
        return record | {"reason": str(error), "chapter": guess}, None
    record["notes"] = notebook.notes
    record["chapter"] = chapter_of(submission.file, notebook, chapters, ids)
    if record["chapter"] is None:
        record["reason"] = (
            "No chapter could be told from this notebook: its name has no chapter in it and it "
            "holds no exercise of this course."
        )
        return record, None
    return record | {"status": "graded"}, notebook


def _grade(
    records: list[dict],
    tasks: list[dict],
    store: Store,
    settings: Settings,
    progress: Callable | None,
) -> float:
    """Fill the records with results, from the store where they are there; return the seconds."""
    of_key = {record["key"]: record for record in records if "key" in record}
    step = progress(len(of_key)) if progress else lambda: None
    waiting = []
    for task in tasks:
        if (kept := store.load_graded(task["key"])) is not None:
            of_key[task["key"]].update(kept)
            step()
        else:
            waiting.append(task)

    def done(task: dict, result: dict) -> None:
        if "error" in result:
            result = {"status": "error", "reason": result["error"]}
        else:
            store.keep_graded(task["key"], result)
        of_key[task["key"]].update(result)
        step()

    began = time.monotonic()
    if settings.scheduler:
        grade_on_cluster(settings.scheduler, waiting, done)
    elif waiting:
        log = store.folder / "state" / "grader.log"
        count = min(settings.processes, len(waiting))
        grade_all(waiting, done, processes=count, log=log)
    return time.monotonic() - began


def _described(settings: Settings) -> dict:
    return {
        "walls": settings.walls,
        "processes": settings.processes,
        "limits": settings.limits.as_dict(),
        "scheduler": settings.scheduler,
        "course": settings.course,
    }
