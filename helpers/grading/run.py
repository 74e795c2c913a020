"""One grading run: collect and read submissions, grade the new ones, store and write results."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import importlib
import os
import platform
import posixpath
import secrets
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import ModuleType

from helpers.grading.executors import Executor, MachineError, Result, Task
from helpers.grading.executors.dask import DaskExecutor
from helpers.grading.executors.local import LocalExecutor
from helpers.grading.page import Page, pack
from helpers.grading.reading import Document, Reader
from helpers.grading.record import Record
from helpers.grading.results import report, tables
from helpers.grading.results.late import LatePolicy
from helpers.grading.results.store import EXPLANATIONS, Store, file_key
from helpers.grading.roster import Person, Roster, read_roster
from helpers.grading.sandbox.limits import Limits
from helpers.grading.submissions import Collection, Sender, Submission, collect
from helpers.grading.submitted_notebook import (
    chapter_by_name,
    chapter_of_ids,
    course,
    former_ids,
)

__all__ = ["Settings", "grade", "keep_marks", "last_course", "mark", "mark_in_browser"]

_VERSION = 2
_ADVICE = {
    errno.ENOSPC: "Free some space",
    errno.EDQUOT: "Free some of your quota",
    errno.EACCES: "Give yourself permission to read and write there",
    errno.EPERM: "Give yourself permission to read and write there",
    errno.EROFS: "Name a results folder that can be written to",
    errno.EMFILE: "Allow more open files (ulimit -n)",
}


@dataclass(frozen=True)
class Settings:
    """Settings of a grading run.

    Attributes:
        walls: False runs students' code without a sandbox.
        processes: Notebooks graded in parallel.
        limits: Resource limits of one notebook.
        seed: Seed of the run; None draws one.
        again: Keep the results of what did not change since the last run; what changed gets new
            inputs.
        scheduler: Address of a Dask scheduler; "" grades on this machine.
        roster: CSV with the class list, None if there is none.
        late: Deduction for late submissions; None for none.
        course: Module with `CHAPTERS` and `exercises_of`.
        warm: Modules that the sandbox imports before the first notebook; None for the default.
    """

    walls: bool = True
    processes: int = field(default_factory=lambda: len(os.sched_getaffinity(0)))
    limits: Limits = field(default_factory=Limits)
    seed: int | None = None
    again: bool = False
    scheduler: str = ""
    roster: Path | None = None
    late: LatePolicy | None = None
    course: str = "helpers.exercises"
    warm: tuple[str, ...] | None = None


def grade(
    source: Path,
    out: Path,
    settings: Settings,
    progress: Callable[[int], Callable[[], None]] | None = None,
    say: Callable[[str], None] | None = None,
) -> report.Report:
    """Grade everything in `source` and write the results to `out`.

    A run that was interrupted, or that left notebooks ungraded because a machine failed, continues
    where it stopped. A finished run is graded again with new inputs, unless `settings.again`.

    Args:
        source: Folder or zip of submissions.
        out: Results folder.
        settings: How to grade.
        progress: Called with the number of notebooks; returns a function to call after each.
        say: Called with messages for the instructor; by default they go to stderr.

    Raises:
        ValueError: If there is nothing to grade, `out` is in use, or the sandbox is missing.
        MachineError: If the machine failed; what was graded is kept.
    """
    if Path(out).resolve().is_relative_to(Path(source).resolve()):
        raise ValueError(f"The results cannot be inside {source}; name a folder outside it.")
    try:
        return _grade(source, out, settings, progress, say or _to_stderr)
    except OSError as error:
        raise MachineError(_advice(error, Path(out))) from error


def _grade(
    source: Path,
    out: Path,
    settings: Settings,
    progress: Callable[[int], Callable[[], None]] | None,
    say: Callable[[str], None],
) -> report.Report:
    module = importlib.import_module(settings.course)
    roster = read_roster(settings.roster) if settings.roster else None
    store = Store(out)
    with Reader() as reader:
        collection = collect(source, reader, roster, module.CHAPTERS)
        with store.alone():
            last = store.run
            _take_over_edits(store, last)
            room = store.folder / "state" / "read"
            shutil.rmtree(room, ignore_errors=True)
            room.mkdir(parents=True)
            seed, fingerprint = _seed(settings, last), _fingerprint(module, settings)
            records, pages = _read(collection, reader, module, room)
            seeds = _seeds(pages, settings, last, seed)
            tasks = _tasks(pages, seeds, settings, fingerprint, source, out)
            kept = {"seed": seed, "fingerprint": fingerprint, "finished": False, "written": False}
            kept["seeds"] = {"/".join(map(str, place)): pair for place, pair in seeds.items()}
            began = {"began": time.strftime("%Y-%m-%dT%H:%M:%S%z")}
            store.run = {**last, **kept, **began}
            try:
                seconds = _grade_tasks(
                    records, tasks, store, _executor(settings, store, say), progress
                )
            finally:
                shutil.rmtree(room, ignore_errors=True)
            ungraded = sum(record.status == "ungraded" for record in records)
            about = {
                **kept,
                **began,
                "finished": not ungraded,
                "written": True,
                "seconds": round(seconds, 1),
                "settings": _described(settings),
                "versions": _versions(records),
            }
            return _write(records, collection.senders, roster, module, store, about)


def _write(
    records: list[Record],
    senders: list[Sender],
    roster: Roster | None,
    module: ModuleType,
    store: Store,
    about: dict,
) -> report.Report:
    """Build the report, write the results and store what `mark` needs."""
    # Someone may have entered points during the run.
    _take_over_edits(store, store.run)
    made = report.build([record.as_dict() for record in records], module, store.marks)
    made.senders, made.roster = senders, roster
    made.late = LatePolicy.from_plain(about["settings"].get("late"))
    about |= {
        "submissions": [report.described(record.as_dict()) for record in records],
        "allowed_marks": made.allowed_marks(),
    }
    tables.write(made, store, {k: v for k, v in about.items() if k not in ("seeds", "written")})
    store.run = about | {
        "records": [record.slim() for record in records],
        "senders": [asdict(sender) for sender in senders],
        "roster": asdict(roster) if roster else None,
    }
    store.forget_graded(record.key for record in records if record.key)
    return made


def mark(out: Path, path: Path | None) -> tuple[int, report.Report]:
    """Enter the points of an edited CSV; return how many changed, and the report.

    Args:
        out: Results folder of an earlier run.
        path: The CSV; None for explanations.csv in `out`.

    Raises:
        ValueError: If there was no run, or the CSV has invalid lines.
    """
    store = Store(out)
    with store.alone():
        about = _about(store)
        changed = store.enter_marks(path or store.folder / EXPLANATIONS, about["allowed_marks"])
        made = _report(store, about)
        _write_again(made, store, about)
    return changed, made


def keep_marks(out: Path, marks: dict[str, dict]) -> tuple[int, report.Report]:
    """Enter marks by "student/exercise"; return how many changed, and the report.

    Raises:
        ValueError: If there was no run.
    """
    store = Store(out)
    with store.alone():
        about = _about(store)
        changed = store.keep_marks(marks)
        made = _report(store, about)
        _write_again(made, store, about)
    return changed, made


def mark_in_browser(out: Path, say: Callable[[str], None], names: bool, port: int) -> report.Report:
    """Serve the explanations of a run until Ctrl-C, then write the results again.

    Args:
        out: Results folder of an earlier run.
        say: Called with the address to open.
        names: Whether the students' names are shown.
        port: Port to use; 0 for a free one.

    Raises:
        ValueError: If there was no run.
    """
    from helpers.grading.results import browser

    store = Store(out)
    with store.alone():
        about = _about(store)
        with contextlib.suppress(KeyboardInterrupt):
            browser.serve(browser.Marking(_report(store, about), store, names), say, port)
        made = _report(store, about)
        _write_again(made, store, about)
    return made


def _about(store: Store) -> dict:
    if not store.run.get("written"):
        raise ValueError(f"{store.folder} contains no finished run. Run `workbook grade` first.")
    return store.run


def _report(store: Store, about: dict) -> report.Report:
    records = [_whole(record, store) for record in about["records"]]
    module = importlib.import_module(about["settings"]["course"])
    made = report.build([record.as_dict() for record in records], module, store.marks)
    made.senders = [Sender(**sender) for sender in about.get("senders", [])]
    made.roster = _roster(about.get("roster"))
    made.late = LatePolicy.from_plain(about["settings"].get("late"))
    return made


def _write_again(made: report.Report, store: Store, about: dict) -> None:
    kept = ("seeds", "written", "records", "senders", "roster")
    tables.write(made, store, {key: value for key, value in about.items() if key not in kept})


def last_course(out: Path) -> str:
    """Return the module name of the course that the last run in `out` graded."""
    return Store(out).run["settings"]["course"]


def _roster(plain: dict | None) -> Roster | None:
    if plain is None:
        return None
    people = [Person(**person) for person in plain["people"]]
    return Roster(plain["kind"], people, plain["columns"], plain["above"])


def _whole(slim: dict, store: Store) -> Record:
    record = Record(**slim)
    if record.key and (kept := store.load_graded(record.key)):
        record.exercises = kept["exercises"]
    return record


def _seed(settings: Settings, last: dict) -> int:
    if settings.seed is not None:
        return settings.seed
    if (_cut_off(last) or settings.again) and isinstance(last.get("seed"), int):
        return last["seed"]
    return secrets.randbelow(2**31)


def _cut_off(last: dict) -> bool:
    return last.get("finished") is False


def _seeds(pages: list[Page], settings: Settings, last: dict, seed: int) -> dict[tuple, list]:
    """Return the hash and the seed of each graded page.

    Pages share the run's seed. A page that changed or arrived after feedback was given gets another
    seed, because the feedback shows the old inputs.
    """
    known = {}
    if last.get("seed") == seed and (settings.again or _cut_off(last)):
        known = last.get("seeds", {})
    seeds = {}
    for page in pages:
        before = known.get("/".join(map(str, page.place)))
        if before and before[0] == page.sha256:
            own = before[1]
        elif known:
            mixed = hashlib.sha256(f"{seed}/{page.sha256}".encode()).digest()
            own = int.from_bytes(mixed[:4], "little") % 2**31
        else:
            own = seed
        seeds[page.place] = [page.sha256, own]
    return seeds


def _fingerprint(module: ModuleType, settings: Settings) -> str:
    """Return a hash that changes with the checks, the grader or its limits."""
    parts = [str(_VERSION), repr(sorted(settings.limits.as_dict().items())), str(settings.walls)]
    folders = {Path(module.__file__).parent, Path(__file__).parents[1]}
    for folder in sorted(folders):
        for path in sorted(folder.rglob("*.py")):
            parts.append(hashlib.sha256(path.read_bytes()).hexdigest())
    parts += [repr(_released(module, chapter)) for chapter in module.CHAPTERS]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _take_over_edits(store: Store, last: dict) -> None:
    """Enter points that are in the CSV of the results folder but not entered yet."""
    path = store.folder / EXPLANATIONS
    if path.exists() and last.get("allowed_marks"):
        store.enter_marks(path, last["allowed_marks"])


def _read(
    collection: Collection, reader: Reader, module: ModuleType, room: Path
) -> tuple[list[Record], list[Page]]:
    """Return a record for each file, and the newest page for each student and chapter.

    Args:
        collection: The submitted files.
        reader: The process that opens them.
        module: The course.
        room: Folder for their contents, so that a large class does not fill the memory.
    """
    chapters, ids = course(module)
    aliases = former_ids(module)
    records: list[Record] = []
    found: list[Page] = []
    others: list[tuple[Record, str]] = []
    for submission in collection.submissions:
        for document in _documents(submission, reader, aliases):
            record = _record(submission, document)
            record.chapter = chapter_by_name(record.file, chapters)
            records.append(record)
            area = _area(submission, document)
            if document.notebook is not None:
                told = chapter_of_ids(record.file, document.ids, chapters, ids)
                # A script without exercises is a file next to a notebook, not a page.
                if document.kind == "notebook" and (told or _is_notebook(record.file)):
                    _add_page(found, record, submission, document, told, room)
                else:
                    record.reason = "The file contains no exercise of this course."
                    others.append((record, area))
            elif document.kind == "other":
                others.append((record, area))
            if document.content:
                pack(room, area, _path(submission, document), document)
    newest = _newest(found)
    has_notebook = {record.student for record in records if _is_notebook(record.file)}
    has_notebook |= {page.record.student for page in newest}
    for record, _ in others:
        if record.student in has_notebook:
            record.status, record.chapter = "beside", None
            record.reason = f"Submitted with the notebook; not graded itself. {record.reason}"
    return records, newest


def _documents(
    submission: Submission, reader: Reader, aliases: dict[str, str]
) -> Iterator[Document]:
    if submission.problem:
        yield Document(submission.file, "problem", reason=submission.problem)
        return
    place = submission.place
    yield from reader.read(place.path, place.entry, submission.file, aliases)


def _record(submission: Submission, document: Document) -> Record:
    name = document.file or submission.file
    return Record(
        student=submission.student,
        name=submission.name,
        file=name.rpartition("/")[2] or submission.file,
        sha256=document.sha256,
        reason=document.reason,
        notes=list(document.notebook.notes) if document.notebook else [],
        submitted=submission.submitted,
        stamp=submission.stamp,
        late=submission.late,
    )


def _add_page(
    found: list[Page],
    record: Record,
    submission: Submission,
    document: Document,
    chapter: str | None,
    room: Path,
) -> None:
    record.chapter = chapter
    if chapter is None:
        record.reason = (
            "The chapter of this notebook is unknown: its name contains no chapter, and it has no "
            "exercise of this course."
        )
        return
    record.status, record.reason = "graded", ""
    page = Page(
        record,
        area=_area(submission, document),
        path=_path(submission, document),
        order=(_is_notebook(record.file), submission.order, document.time, record.file),
        rule=_rule(submission),
    )
    page.keep(room, len(found), document.notebook)
    found.append(page)


def _is_notebook(name: str) -> bool:
    return name.lower().endswith((".ipynb", ".ipynb.json", ".ipynb.txt"))


def _area(submission: Submission, document: Document) -> str:
    """Return the key of the files that a notebook can see: loose ones, or those of its zip."""
    packed = bool(document.time) or document.file != submission.file
    return file_key(submission.student, repr(submission.place) if packed else "")


def _path(submission: Submission, document: Document) -> str:
    return posixpath.join(submission.folder, document.file)


def _rule(submission: Submission) -> str:
    if submission.order and submission.order[0]:
        return "its number in Canvas is higher"
    if submission.submitted:
        return f"it is from {submission.submitted.replace('T', ' ')}, {submission.stamp}"
    return "its name has the higher number"


def _newest(found: list[Page]) -> list[Page]:
    """Return the newest page for each student and chapter; mark the others as replaced."""
    newest: dict[tuple, Page] = {}
    for page in found:
        before = newest.get(page.place)
        if before is None or before.order <= page.order:
            newest[page.place] = page
    for page in found:
        best = newest[page.place]
        if best is not page:
            page.record.status = "replaced"
            page.record.reason = (
                f"{best.record.file} is newer ({best.rule}); it was graded instead."
            )
    return list(newest.values())


def _tasks(
    pages: list[Page],
    seeds: dict[tuple, list],
    settings: Settings,
    fingerprint: str,
    source: Path,
    out: Path,
) -> list[Task]:
    shared = {
        "walls": settings.walls,
        "warm": list(settings.warm) if settings.warm is not None else None,
        "limits": settings.limits.as_dict(),
        "course": settings.course,
        "hidden": [str(Path(path).resolve()) for path in (source, out)],
    }
    module = importlib.import_module(settings.course)
    released = {chapter: _released(module, chapter) for chapter in module.CHAPTERS}
    tasks = []
    for page in pages:
        record, seed = page.record, seeds[page.place][1]
        record.seed = seed
        beside = page.add_attachments()
        own = {"seed": seed, "released": released[record.chapter]}
        record.key = file_key(*page.place, record.sha256, beside, seed, fingerprint)
        tasks.append(Task(record.key, record.chapter, page.content, shared | own))
    return tasks


def _released(module: ModuleType, chapter: str) -> dict[str, str]:
    """Return the released answers that other exercises of a chapter build on, if there are any."""
    find = getattr(module, "released_answer", None)
    ids = {id for exercise in module.exercises_of(chapter) for id in exercise.builds_on}
    return {id: source for id in sorted(ids) if find and (source := find(id))}


def _executor(settings: Settings, store: Store, say: Callable[[str], None]) -> Executor:
    if settings.scheduler:
        return DaskExecutor(settings.scheduler, say)
    return LocalExecutor(settings.processes, store.folder / "state" / "grader.log")


def _grade_tasks(
    records: list[Record],
    tasks: list[Task],
    store: Store,
    executor: Executor,
    progress: Callable[[int], Callable[[], None]] | None,
) -> float:
    """Fill the records with results, stored or new; return the grading time (seconds)."""
    of_key: dict[str, list[Record]] = {}
    for record in records:
        if record.key:
            of_key.setdefault(record.key, []).append(record)
    step = progress(len(tasks)) if progress else lambda: None
    waiting = []
    for task in tasks:
        if (kept := store.load_graded(task.key)) is None:
            waiting.append(task)
            continue
        _fill(of_key[task.key], Result.told(kept))
        step()
    began = time.monotonic()
    if waiting:
        for task, result in executor.run(waiting):
            if not result.failure:
                store.keep_graded(task.key, result.as_dict())
            _fill(of_key[task.key], result)
            step()
    return time.monotonic() - began


def _fill(records: list[Record], result: Result) -> None:
    for record in records:
        if result.failure:
            record.status = "ungraded"
            record.reason = (
                f"{result.failure} This is the machine's failure, not the student's; run the same "
                "command again to grade it."
            )
        record.exercises, record.seconds = result.exercises, result.seconds
        record.versions = result.versions


def _versions(records: list[Record]) -> dict[str, str]:
    graded = next((record.versions for record in records if record.versions), {})
    return graded | {"system": platform.platform()}


def _described(settings: Settings) -> dict:
    return {
        "walls": settings.walls,
        "processes": settings.processes,
        "limits": settings.limits.as_dict(),
        "scheduler": settings.scheduler,
        "late": settings.late.as_plain() if settings.late else None,
        "roster": str(settings.roster or ""),
        "course": settings.course,
    }


def _advice(error: OSError, out: Path) -> str:
    """Return what went wrong on this machine, where, and what to do."""
    path = error.filename or out
    advice = _ADVICE.get(error.errno, "Correct this")
    return (
        f"{path}: {error.strerror or error}. {advice}, then run the same command again: it "
        "continues where it stopped, and no result is lost."
    )


def _to_stderr(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
