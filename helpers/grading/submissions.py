"""Find the sender of each file in a folder or zip from Moodle, Canvas, nbgrader or a person.

The owner of a file is determined by the outermost part of its path, which the course system wrote,
or by a roster, and never by a name inside a student's folder or zip. Only names are read here;
`reading` opens the files in a separate process.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path, PurePosixPath

from helpers.grading.reading import A_LINK, MAX_FILE, Reader, too_large
from helpers.grading.roster import Person, Roster
from helpers.grading.submitted_notebook import chapter_by_name

__all__ = [
    "Collection",
    "MAX_FILES",
    "MAX_FILES_OF_ONE",
    "Place",
    "Sender",
    "Submission",
    "UNSURE_TIME",
    "collect",
    "key_of",
    "readable",
]

MAX_FILES = 200_000
MAX_FILES_OF_ONE = 500
_MOODLE = re.compile(
    r"^(?P<name>.+?)_(?P<id>\d+)_assignsubmission_(?:file|onlinetext)(?:_(?P<rest>.*))?$", re.S
)
_MOODLE_FOLDER = re.compile(
    r"^(?P<name>.+)_(?P<id>\d+)_assignsubmission_(?:file|onlinetext)_?$", re.S
)
_MOODLE_MARK = re.compile(r"_\d+_assignsubmission_(?:file|onlinetext)")
_CANVAS_NUMBER = re.compile(r"[1-9]\d{0,18}")
_CANVAS_ANONYMOUS = re.compile(
    r"^(?P<late>LATE_)?(?P<id>anon_[A-Za-z0-9]{1,12})_(?P<file>[1-9]\d{0,18})_(?P<rest>.+)$", re.S
)
_CANVAS_PAGE = re.compile(
    r"^(?P<name>.*?)_(?P<late>LATE_)?(?P<id>[1-9]\d{0,18})_(?P<rest>(?:text|link)\.html)$", re.S
)
_AGAIN = re.compile(r"(?:-(\d{1,2})| \((\d{1,2})\))$")
# Moodle's export streams its zip: the times in it are those of the download.
UNSURE_TIME = "the time in Moodle's zip, perhaps that of the download"
_FOLDERS_OF_NBGRADER = ("submitted", "autograded", "submissions")
_IGNORED = re.compile(
    r"(^|/)(\.ipynb_checkpoints|\.git|\.venv|\.DS_Store|\._[^/]*|__MACOSX|__pycache__"
    r"|timestamp\.txt|desktop\.ini|thumbs\.db)(/|$)",
    re.I,
)


@dataclass(frozen=True)
class Place:
    """Where a file is.

    Attributes:
        path: The file, or the zip that contains it.
        entry: Number of the entry in the zip, -1 for a file on disk.
    """

    path: str
    entry: int = -1


@dataclass(frozen=True)
class Submission:
    """One submitted file; a student's zip is one file.

    Attributes:
        student: Key of the student: the course system's id, or the whole outer name.
        name: Display name.
        file: File name as handed in, without the prefix of the course system.
        folder: Folder of the file within the student's submission, "" for none.
        place: Where to read it.
        problem: Why it cannot be read, "" if nothing prevents it.
        submitted: When it was handed in, ISO 8601 in the course system's time zone, "" if unknown.
        stamp: Where `submitted` comes from, in words.
        late: Whether the course system marked it as late; None if it does not say.
        order: Sorts a student's files from the oldest to the newest.
    """

    student: str
    name: str
    file: str
    folder: str
    place: Place
    problem: str = ""
    submitted: str = ""
    stamp: str = ""
    late: bool | None = None
    order: tuple = ()


@dataclass(frozen=True)
class Sender:
    """Who an outermost name was recognised as: a row of senders.csv.

    Attributes:
        outer: The outermost name as it arrived.
        student: Key of the student.
        name: Display name.
        email: From the roster, "" if unknown.
        number: The course system's number, "" if there is none.
        layout: "Moodle", "Canvas", "folder" or "file".
        how: How the student was recognised, in a few words.
        files: How many files arrived under this name.
        sure: Whether the match is certain.
        upload: The name under which the course system accepts a file, "" if it accepts none:
            Moodle's folder, or the newest file's name in Canvas, from the user's number on.
    """

    outer: str
    student: str
    name: str
    email: str
    number: str
    layout: str
    how: str
    files: int = 1
    sure: bool = True
    upload: str = ""


@dataclass(frozen=True)
class Collection:
    """All submitted files and their senders."""

    submissions: list[Submission] = field(default_factory=list)
    senders: list[Sender] = field(default_factory=list)


@dataclass(frozen=True)
class _Listed:
    """A file of the source: its path, location, size and time."""

    path: str
    place: Place
    size: int
    time: datetime | None
    problem: str = ""


@dataclass(frozen=True)
class _Outer:
    """What the outermost part of a path says about the sender."""

    outer: str
    layout: str
    name: str
    number: str
    how: str
    inside: str
    late: bool | None = None
    attachment: int = 0
    sure: bool = True
    upload: str = ""
    others: tuple[_Outer, ...] = ()


def collect(
    source: Path, reader: Reader, roster: Roster | None = None, chapters: Iterable[str] = ()
) -> Collection:
    """Return every file in a folder or zip with its student; nothing is opened or unpacked.

    Args:
        source: Folder, zip or notebook.
        reader: The process that lists a zip.
        roster: The class list, if there is one.
        chapters: The course's chapters: folders of these names contain one folder per student.

    Raises:
        ValueError: If there is no such folder or zip, or nothing in it.
    """
    source = Path(source)
    if source.is_dir():
        listed = list(_folder(source))
    elif source.is_file() and source.suffix.lower() == ".ipynb":
        about = source.stat()
        time = datetime.fromtimestamp(about.st_mtime)
        listed = [_Listed(source.name, Place(str(source)), about.st_size, time)]
    elif source.is_file():
        listed = list(_archive(source, reader))
    else:
        raise ValueError(f"{source} does not exist. Name a folder or a course system's zip.")
    if not listed:
        raise ValueError(f"{source} contains no files.")
    outers = _identify([file.path for file in listed], source, list(chapters))
    outers = _settled(outers, roster)
    senders = _recognise(outers, roster)
    stamps = _stamps(source)
    found = [
        _submission(file, outer, senders[_sender(outer)], roster, stamps)
        for file, outer in zip(_few_of_each(listed, outers), outers, strict=True)
        if file is not None
    ]
    return Collection(
        sorted(found, key=lambda s: (s.student, s.file, s.order)),
        sorted(senders.values(), key=lambda s: (s.name.casefold(), s.student)),
    )


def _folder(top: Path) -> Iterator[_Listed]:
    count = 0
    closed: list[OSError] = []
    for folder, names, files in os.walk(top, followlinks=False, onerror=closed.append):
        names[:] = sorted(name for name in names if not _IGNORED.search(name))
        for name in [*names, *sorted(files)]:
            path = Path(folder, name)
            shown = path.relative_to(top).as_posix()
            place = Place(str(path))
            if path.is_symlink():
                yield _Listed(shown, place, 0, None, A_LINK)
                continue
            if name in names or _IGNORED.search(shown):
                continue
            count += 1
            if count > MAX_FILES:
                raise ValueError(f"{top} has more than {MAX_FILES:,} files; is it the right one?")
            try:
                about = path.lstat()
            except OSError as error:
                yield _Listed(shown, place, 0, None, f"The file cannot be read: {error.strerror}.")
                continue
            problem = ""
            if not stat.S_ISREG(about.st_mode):
                problem = "This is not an ordinary file."
            elif about.st_size > MAX_FILE:
                problem = too_large(about.st_size)
            time = datetime.fromtimestamp(about.st_mtime) if about.st_mtime > 0 else None
            yield _Listed(shown, place, about.st_size, time, problem)
    for error in closed:
        path = Path(error.filename)
        if path == top:
            raise error
        problem = f"The folder cannot be opened: {error.strerror}."
        yield _Listed(f"{path.relative_to(top).as_posix()}/?", Place(str(path)), 0, None, problem)


def _archive(source: Path, reader: Reader) -> Iterator[_Listed]:
    entries, problem = reader.list_zip(source)
    if problem:
        raise ValueError(f"{source}: {problem}")
    for entry in entries:
        if _IGNORED.search(entry.path):
            continue
        time = None
        try:
            time = datetime(*entry.time)
        except (TypeError, ValueError):
            pass
        yield _Listed(entry.path, Place(str(source), entry.number), entry.size, time, entry.problem)


def _few_of_each(listed: list[_Listed], outers: list[_Outer]) -> Iterator[_Listed | None]:
    """Yield each file, or None for a sender's surplus files; the last one accepted says so."""
    counts: dict[str, int] = {}
    for outer in outers:
        counts[outer.outer] = counts.get(outer.outer, 0) + 1
    seen: dict[str, int] = {}
    for file, outer in zip(listed, outers, strict=True):
        seen[outer.outer] = seen.get(outer.outer, 0) + 1
        if seen[outer.outer] < MAX_FILES_OF_ONE or counts[outer.outer] == MAX_FILES_OF_ONE:
            yield file
        elif seen[outer.outer] == MAX_FILES_OF_ONE:
            more = counts[outer.outer] - MAX_FILES_OF_ONE
            problem = f"This one and {more:,} more files were skipped: too many files."
            yield replace(file, problem=problem)
        else:
            yield None


def _identify(paths: list[str], source: Path, chapters: list[str]) -> list[_Outer]:
    """Return what the outermost part of each path says about the sender."""
    split = [_parts(path) for path in paths]
    above = _wrapping(split, source)
    where = "/".join(split[0][:above])
    split = [parts[above:] for parts in split]
    tops = {parts[0] for parts in split if len(parts) > 1}
    pages = bool(chapters) and bool(tops)
    pages = pages and all(len(parts) > 1 and _is_page(parts[0], chapters) for parts in split)
    if pages:
        return [
            replace(_outermost(parts[1:]), inside="/".join([parts[0], *parts[2:]]))
            if len(parts) > 2
            else _outermost(parts[1:])
            for parts in split
        ]
    found = [_outermost(parts) for parts in split]
    if where and where not in _FOLDERS_OF_NBGRADER:
        found = [replace(outer, how=f"{outer.how}, below {where}") for outer in found]
    return found


def _parts(path: str) -> list[str]:
    parts = [part for part in path.replace("\\", "/").split("/") if part not in ("", ".", "..")]
    return parts or ["unknown"]


def _wrapping(split: list[list[str]], source: Path) -> int:
    """Return how many outer folders contain everything and do not identify a student."""
    depth = 0
    while depth < 4:
        tops = {parts[depth] for parts in split if len(parts) > depth}
        rest = [parts[depth + 1 :] for parts in split]
        if len(tops) != 1 or not all(rest) or _MOODLE_FOLDER.match(top := tops.pop()):
            return depth
        own_names = all(_is_system(parts) for parts in rest)
        packed = source.suffix.lower() == ".zip" and top == source.stem
        inner = len({parts[0] for parts in rest}) > 1 and all(len(parts) > 1 for parts in rest)
        if not own_names and top not in _FOLDERS_OF_NBGRADER and not (packed and inner):
            return depth
        depth += 1
    return depth


def _is_system(parts: list[str]) -> bool:
    """Return whether Moodle or Canvas wrote the first of these names."""
    return _outermost(parts).layout in ("Moodle", "Canvas")


def _is_page(name: str, chapters: list[str]) -> bool:
    chapter = chapter_by_name(name, chapters)
    bare = re.sub(r"[^a-z]+", "", name.lower())
    return chapter is not None and bare == chapter.replace("_", "")


def _outermost(parts: list[str]) -> _Outer:
    """Return what the first of `parts` says about the sender.

    >>> _outermost(["Kim Minsu_4711_assignsubmission_file_", "06_dropout.ipynb"]).number
    '4711'
    >>> _outermost(["leejane_LATE_81_992_06_dropout-2.ipynb"]).late
    True
    """
    first, inside = parts[0], "/".join(parts[1:])
    if len(parts) > 1:
        if match := _MOODLE_FOLDER.match(first):
            number = match["id"].lstrip("0") or "0"
            outer, upload = f"{match['name']}_{match['id']}", first.rstrip("_")
            how = f"Moodle's number {number}"
            return _Outer(outer, "Moodle", match["name"], number, how, inside, upload=upload)
        return _Outer(first, "folder", first, "", "name of the folder", inside)
    if match := _MOODLE.match(first):
        number, rest = match["id"].lstrip("0") or "0", match["rest"] or first
        if len(_MOODLE_MARK.findall(first)) > 1:
            how = "the name contains two Moodle numbers: kept apart"
            return _Outer(first, "Moodle", first, "", how, first, sure=False)
        outer, how = f"{match['name']}_{match['id']}", f"Moodle's number {number}"
        upload = f"{outer}{_MOODLE_MARK.search(first)[0].removeprefix('_' + match['id'])}"
        return _Outer(outer, "Moodle", match["name"], number, how, rest, upload=upload)
    if found := _canvas(first):
        return found
    stem = PurePosixPath(first).stem
    stem = stem[: again.start()] if (again := _AGAIN.search(stem)) else stem
    name = re.sub(r"[_ -]*0[1-9][_ -].*$", "", stem, flags=re.S) or stem
    return _Outer(name, "file", name, "", "name of the file", first)


def _canvas(name: str) -> _Outer | None:
    """Return what Canvas wrote in front of a file: name, LATE, user id, attachment id.

    Canvas keeps underscores and digits in names ("lee_5"), so some file names have two readings;
    the others are then in `others`.

    >>> [(o.name, o.number) for o in [_canvas("lee_5_81_992_x.ipynb")] for o in (o, *o.others)]
    [('lee', '5'), ('lee_5', '81')]
    """
    if match := _CANVAS_ANONYMOUS.match(name):
        own = match["id"]
        how, late = "Canvas's anonymous id", match["late"] is not None
        number = int(match["file"])
        return _Outer(own, "Canvas", own, "", how, match["rest"], late, number, upload=name)
    if match := _CANVAS_PAGE.match(name):
        number, late = match["id"], match["late"] is not None
        outer, how = f"{match['name']}_{number}", f"Canvas's number {number}"
        return _Outer(outer, "Canvas", match["name"], number, how, match["rest"], late)
    parts = name.split("_")
    found = []
    for place in range(1, len(parts) - 2):
        number, attachment = parts[place : place + 2]
        if not (_CANVAS_NUMBER.fullmatch(number) and _CANVAS_NUMBER.fullmatch(attachment)):
            continue
        late = parts[place - 1] == "LATE" and place > 1
        who = "_".join(parts[: place - late])
        found.append(
            _Outer(
                f"{who}_{number}",
                "Canvas",
                who or number,
                number,
                f"Canvas's number {number}",
                "_".join(parts[place + 2 :]),
                late,
                int(attachment),
                upload="_".join(parts[place:]),
            )
        )
    return replace(found[0], others=tuple(found[1:])) if found else None


def _settled(outers: list[_Outer], roster: Roster | None) -> list[_Outer]:
    """Return the outermost names with one reading each; ambiguous ones are kept apart or shown."""
    taken = {outer.number for outer in outers if outer.layout == "Canvas" and not outer.others}
    settled = []
    for outer in outers:
        readings = (outer, *outer.others)
        if len(readings) == 1:
            settled.append(outer)
            continue
        fits = [r for r in readings if roster and roster.has("Canvas", r.number, r.name)]
        if len(fits) == 1:
            settled.append(replace(fits[0], others=()))
        elif roster or outer.number in taken:
            whole = f"{outer.outer}_{outer.attachment}_{outer.inside}"
            how = "the name can be read in two ways: kept apart"
            settled.append(
                replace(
                    readings[-1], outer=whole, number="", how=how, sure=False, upload="", others=()
                )
            )
        else:
            how = f"{outer.how}, but the name can be read in two ways"
            settled.append(replace(outer, how=how, sure=False, others=()))
    return settled


def _sender(outer: _Outer) -> tuple[str, str]:
    return outer.layout, outer.number or outer.outer


def _recognise(outers: list[_Outer], roster: Roster | None) -> dict[tuple, Sender]:
    """Return the sender of each outermost name; ambiguous matches are kept separate."""
    first: dict[tuple, _Outer] = {}
    newest: dict[tuple, _Outer] = {}
    counts: dict[tuple, int] = {}
    for outer in outers:
        place = _sender(outer)
        first.setdefault(place, outer)
        if outer.upload and outer.attachment >= newest.get(place, outer).attachment:
            newest[place] = outer
        counts[_sender(outer)] = counts.get(_sender(outer), 0) + 1
    matches = {place: _match(outer, roster) for place, outer in first.items()}
    claimed: dict[str, list[tuple]] = {}
    for place, (person, _) in matches.items():
        if person is not None:
            claimed.setdefault(person.key, []).append(place)
    numbers = {outer.number for outer in first.values() if outer.number}
    used: set[str] = set()
    senders = {}
    for place, outer in first.items():
        person, how = matches[place]
        sure = outer.sure and (roster is None or person is not None)
        if person is not None and len(claimed[person.key]) > 1:
            how = (
                f"{len(claimed[person.key])} senders match {person.name} on the roster: kept apart"
            )
            person, sure = None, False
        key = person.key if person else outer.number or key_of(outer.outer)
        others = roster.keys if roster and not person else ()
        if key in used or key in others or (not person and not outer.number and key in numbers):
            key, sure = f"{outer.layout} {key}", False
        used.add(key)
        senders[place] = Sender(
            outer=readable(outer.outer),
            student=key,
            name=readable(person.name if person and person.name else outer.name),
            email=person.email if person else "",
            number=outer.number,
            layout=outer.layout,
            how=readable(f"{outer.how}; {how}" if how else outer.how, 300),
            files=counts[place],
            sure=sure,
            upload=newest[place].upload if place in newest else "",
        )
    return senders


def _match(outer: _Outer, roster: Roster | None) -> tuple[Person | None, str]:
    if roster is None or not outer.sure:
        return None, ""
    return roster.match(outer.layout, outer.number, outer.name)


def _submission(
    file: _Listed,
    outer: _Outer,
    sender: Sender,
    roster: Roster | None,
    stamps: dict[str, datetime],
) -> Submission:
    folder, _, name = outer.inside.rpartition("/")
    time, stamp = file.time, "the file's time"
    if outer.layout == "Canvas":
        time, stamp = None, ""  # the zip has the time of its download
    elif found := stamps.get(str(Path(file.place.path).parent)):
        time, stamp = found, "nbgrader's timestamp"
    elif outer.layout == "Moodle":
        stamp = UNSURE_TIME
    elif file.place.entry >= 0:
        stamp = "the zip's time"
    told = roster.submitted(sender.student) if roster else ""
    order = (outer.attachment, (time or datetime.min).isoformat(), _attempt(name), name)
    return Submission(
        student=sender.student,
        name=sender.name,
        file=readable(name, 200),
        folder=readable(folder, 300) if folder else "",
        place=file.place,
        problem=file.problem,
        submitted=told or (time.isoformat(timespec="seconds") if time else ""),
        stamp="the roster" if told else stamp if time else "",
        late=outer.late,
        order=order,
    )


def _attempt(name: str) -> int:
    again = _AGAIN.search(PurePosixPath(name).stem)
    return int(again[1] or again[2]) if again else 0


def _stamps(source: Path) -> dict[str, datetime]:
    """Return the times that nbgrader wrote, by folder."""
    stamps: dict[str, datetime] = {}
    if not source.is_dir():
        return stamps
    tops = [source, *(source / name for name in _FOLDERS_OF_NBGRADER)]
    for top in tops:
        for path in sorted(top.glob("*/*/timestamp.txt"))[:MAX_FILES]:
            try:
                with open(path, encoding="ascii", errors="replace") as file:
                    text = file.read(60).strip().removesuffix("UTC").strip()
                stamps[str(path.parent)] = datetime.fromisoformat(text).replace(tzinfo=None)
            except (OSError, ValueError):
                continue
    return stamps


def key_of(outer: str) -> str:
    """Return a key for an outermost name: the name if it is plain, else with a hash.

    Names that look the same (composed or decomposed letters, invisible characters, spaces at the
    ends) or are cut to the same length keep different keys.

    >>> key_of("Kim Minsu"), key_of("Kim Minsu ") == key_of("Kim Minsu")
    ('Kim Minsu', False)
    """
    shown = readable(outer, 80)
    if shown == outer and not re.search(r"~[0-9a-f]{8}$", outer):
        return outer
    raw = outer.encode("utf-8", errors="surrogatepass")
    return f"{shown}~{hashlib.sha256(raw).hexdigest()[:8]}"


def readable(name: str, limit: int = 120) -> str:
    """Return a composed name without control or invisible characters, cut to `limit`."""
    name = name.encode("utf-8", errors="replace").decode()
    name = unicodedata.normalize("NFC", name)
    name = "".join(c for c in name if unicodedata.category(c) != "Cf" or c in "\u200c\u200d")
    name = re.sub("(?<![\u0600-\u0dff])[\u200c\u200d]", "", name)  # they matter in Arabic and Indic
    name = "".join(c if c.isprintable() or c in "\u200c\u200d" else "\ufffd" for c in name)
    return name.strip()[:limit].strip() or "unknown"
