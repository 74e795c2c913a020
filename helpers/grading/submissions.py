"""Find who handed in what: a folder or a zip as Moodle, Canvas, nbgrader or a person makes it."""

from __future__ import annotations

import io
import os
import re
import stat
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

MAX_FILE = 64 * 2**20
MAX_ARCHIVE = 8 * 2**30
MAX_RATIO = 200
MAX_FILES = 20_000
_MOODLE = re.compile(r"^(?P<name>.+?)_(?P<id>\d+)_assignsubmission_(?:file|onlinetext)_?$")
_CANVAS = re.compile(r"^(?P<name>[^_]+)(?:_LATE)?_(?P<id>\d+)_(?P<file>\d+)_(?P<rest>.+)$")
_AGAIN = re.compile(r"(?:-(\d+)| \((\d+)\))$")
_NOTEBOOK = (".ipynb", ".ipynb.json", ".ipynb.txt")
_IGNORED = re.compile(
    r"(^|/)(\.ipynb_checkpoints|\.git|\.venv|\.DS_Store|\._[^/]*|__MACOSX|__pycache__"
    r"|timestamp\.txt|desktop\.ini|thumbs\.db)(/|$)",
    re.I,
)
_OTHER = tuple(".py .html .htm .pdf .txt .docx .doc .ipynb_ .zip .rar .7z".split())
_A_LINK = "This is a link, not a file; links are not followed."


@dataclass(frozen=True)
class Submission:
    """One file that someone handed in.

    Attributes:
        student: Name as the course shows it.
        file: File name as handed in.
        packed: The file's bytes, compressed; nothing if there is a problem.
        problem: Why it cannot be graded, "" if it can be tried.
        order: Sorts a student's files for one chapter from the oldest to the newest.
        number: The course system's number for the student, "" where it gives none.
    """

    student: str
    file: str
    packed: bytes
    problem: str = ""
    order: tuple = ()
    number: str = ""

    @property
    def content(self) -> bytes:
        """The file's bytes."""
        return zlib.decompress(self.packed)


def collect(source: Path) -> list[Submission]:
    """Return every notebook in a folder or zip, with what could not be opened as problems.

    Links are not followed and names that climb out (`..`) are refused; nothing is unpacked to disk.

    Raises:
        ValueError: If there is no such folder or zip, or nothing in it.
    """
    source = Path(source)
    if source.is_dir():
        found = list(_folder(source))
    elif source.is_file() and zipfile.is_zipfile(source):
        try:
            with zipfile.ZipFile(source) as archive:
                found = list(_archive(archive, "", 0))
        except zipfile.BadZipFile as error:
            raise ValueError(f"{source} is a damaged zip: {error}. Download it again.") from None
    elif source.is_file() and source.suffix == ".ipynb":
        found = [_file(source.name, source.read_bytes(), "", source.stat().st_mtime)]
    elif source.exists():
        raise ValueError(f"{source} is neither a folder nor a zip nor a notebook.")
    else:
        raise ValueError(f"There is no {source}. Name a folder or the zip of your course system.")
    submissions = _with_own_names([_submission(file) for file in _told_apart(found)])
    if not submissions:
        raise ValueError(f"{source} holds no notebooks.")
    return sorted(submissions, key=lambda s: (s.student, s.file, s.order))


@dataclass(frozen=True)
class _File:
    path: str
    packed: bytes
    problem: str
    time: float | tuple


def _file(path: str, content: bytes, problem: str, time: float | tuple) -> _File:
    return _File(path, zlib.compress(content, 1), problem, time)


def _folder(top: Path) -> Iterator[_File]:
    count = 0
    for folder, names, files in os.walk(top, followlinks=False):
        names[:] = sorted(name for name in names if not _IGNORED.search(name))
        for name in [*names, *sorted(files)]:
            path = Path(folder, name)
            shown = path.relative_to(top).as_posix()
            if path.is_symlink():
                yield _file(shown, b"", _A_LINK, 0)
                continue
            if name in names or _IGNORED.search(shown):
                continue
            count += 1
            if count > MAX_FILES:
                raise ValueError(f"{top} holds more than {MAX_FILES:,} files; is it the right one?")
            about = path.lstat()
            if not stat.S_ISREG(about.st_mode):
                yield _file(shown, b"", "This is not an ordinary file.", 0)
            elif about.st_size > MAX_FILE:
                yield _file(shown, b"", _too_large(about.st_size), about.st_mtime)
            else:
                try:
                    content = path.read_bytes()
                except OSError as error:
                    yield _file(shown, b"", f"The file cannot be read: {error.strerror}.", 0)
                    continue
                if path.suffix.lower() == ".zip":
                    yield from _inner_archive(content, shown, about.st_mtime)
                else:
                    yield _file(shown, content, "", about.st_mtime)


def _archive(archive: zipfile.ZipFile, above: str, depth: int) -> Iterator[_File]:
    entries = archive.infolist()
    if len(entries) > MAX_FILES:
        raise ValueError(f"The archive holds more than {MAX_FILES:,} files; is it the right one?")
    total = 0
    for entry in entries:
        shown = above + entry.filename.replace("\\", "/")
        if entry.is_dir() or _IGNORED.search(shown):
            continue
        problem = _unsafe(entry, shown)
        if not problem:
            total += entry.file_size
            if total > MAX_ARCHIVE:
                problem = "The archive unpacks to too much; the rest of it was left out."
        content = b""
        if not problem:
            try:
                with archive.open(entry) as file:
                    content = file.read(MAX_FILE + 1)
                if len(content) > MAX_FILE:
                    content, problem = b"", _too_large(len(content))
            except (OSError, RuntimeError, NotImplementedError, zipfile.BadZipFile, EOFError) as e:
                problem = f"The file cannot be unpacked: {str(e)[:100]}."
            except Exception as error:
                problem = f"The file cannot be unpacked ({type(error).__name__})."
        if shown.lower().endswith(".zip") and content and depth == 0:
            yield from _inner_archive(content, shown, tuple(entry.date_time))
            continue
        yield _file(shown, content, problem, tuple(entry.date_time))


def _inner_archive(content: bytes, shown: str, time: float | tuple) -> Iterator[_File]:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as inner:
            yield from _archive(inner, shown[:-4] + "/", 1)
    except zipfile.BadZipFile:
        yield _file(shown, b"", "The zip is damaged.", time)


def _unsafe(entry: zipfile.ZipInfo, shown: str) -> str:
    if ".." in PurePosixPath(shown).parts or shown.startswith("/") or re.match(r"[a-zA-Z]:", shown):
        return "Its path climbs out of the archive; it was not unpacked."
    if stat.S_ISLNK(entry.external_attr >> 16):
        return _A_LINK
    if entry.flag_bits & 1:
        return "The file is locked with a password."
    if entry.file_size > MAX_FILE:
        return _too_large(entry.file_size)
    if entry.file_size > 2**20 and entry.file_size > MAX_RATIO * max(entry.compress_size, 1):
        return "The file is packed so tightly that it looks like a zip bomb; it was not unpacked."
    return ""


def _too_large(size: int) -> str:
    return (
        f"The file has {size / 2**20:.0f} MB; at most {MAX_FILE // 2**20} MB are read. Clear the "
        "outputs and hand it in again."
    )


def _told_apart(files: list[_File]) -> list[_File]:
    """Keep notebooks, and other files only of students who handed in no notebook in that place."""
    notebooks = [f for f in files if f.path.lower().endswith(_NOTEBOOK)]
    places = {_student(f.path)[0] for f in notebooks}
    others = [
        f
        for f in files
        if f not in notebooks
        and (f.path.lower().endswith(_OTHER) or f.problem or "." not in f.path.rpartition("/")[2])
        and _student(f.path)[0] not in places
    ]
    return [*notebooks, *others]


def _submission(file: _File) -> Submission:
    student, number, attempt = _student(file.path)
    name = PurePosixPath(file.path).name
    if match := _CANVAS.match(name):
        name = match["rest"]
    time = file.time if isinstance(file.time, tuple) else (file.time,)
    return Submission(student, _readable(name), file.packed, file.problem, (attempt, time), number)


def _with_own_names(found: list[Submission]) -> list[Submission]:
    """Tell students of the same name apart by their numbers."""
    numbers: dict[str, set[str]] = {}
    for submission in found:
        numbers.setdefault(submission.student, set()).add(submission.number)
    return [
        replace(s, student=f"{s.student} ({s.number})")
        if len(numbers[s.student]) > 1 and s.number
        else s
        for s in found
    ]


def _student(path: str) -> tuple[str, str, int]:
    """Return who handed in the file at `path`, their number, and which attempt it is.

    >>> _student("Kim Minsu_4711_assignsubmission_file_/06_dropout.ipynb")
    ('Kim Minsu', '4711', 0)
    >>> _student("leejane_LATE_81_992_06_dropout-2.ipynb")
    ('leejane', '81', 2)
    >>> _student("submitted/lee/06_dropout/06_dropout.ipynb")
    ('lee', '', 0)
    """
    parts = PurePosixPath(path.replace("\\", "/")).parts
    parts = [part for part in parts if part not in ("/", "..")]
    stem = PurePosixPath(parts[-1]).stem if parts else "unknown"
    again = _AGAIN.search(stem)
    attempt = int((again[1] or again[2])[:6]) if again else 0
    for part in parts[:-1]:
        if match := _MOODLE.match(part):
            return _readable(match["name"]), match["id"], attempt
    if match := _CANVAS.match(parts[-1] if parts else ""):
        return _readable(match["name"]), match["id"], attempt
    folders = parts[:-1]
    if folders and folders[0] in ("submitted", "autograded", "submissions"):
        folders = folders[1:]
    if folders:
        return _readable(folders[0]), "", attempt
    name = re.sub(r"[_ -]*0[1-9][_ -].*$", "", stem[: again.start()] if again else stem)
    return _readable(name or stem), "", attempt


def _readable(name: str) -> str:
    """Return a name without control and direction characters, at most 120 long."""
    name = name.encode("utf-8", errors="replace").decode()
    name = unicodedata.normalize("NFC", name)
    name = "".join(c if c.isprintable() else "\ufffd" for c in name).strip()
    return name[:120] or "unknown"
