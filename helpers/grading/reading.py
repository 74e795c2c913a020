"""Open submitted files, each in a separate process with limited resources.

`python -m helpers.grading.reading` forks a child for each request. The child has limited memory and
CPU time, opens the file or zip, and sends back records of limited size. A file that breaks or hangs
the child, or needs too much memory, is reported in the results and affects no other file.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import io
import json
import os
import re
import resource
import select
import signal
import stat
import struct
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from helpers.grading.submitted_notebook import Notebook, Unreadable, read

__all__ = [
    "A_LINK",
    "Document",
    "Entry",
    "MAX_ANSWER",
    "MAX_ATTACHMENT",
    "MAX_DOCUMENTS",
    "MAX_ENTRIES",
    "MAX_FILE",
    "MAX_FRAME",
    "MAX_LISTED",
    "MAX_RATIO",
    "MAX_UNPACKED",
    "MEMORY_BYTES",
    "PROCESSOR_SECONDS",
    "Reader",
    "WALL_SECONDS",
    "main",
    "too_large",
]

MAX_FILE = 64 * 2**20
MAX_UNPACKED = 512 * 2**20
MAX_RATIO = 200
MAX_ENTRIES = 2_000
MAX_DOCUMENTS = 60
MAX_ATTACHMENT = 2**20
MAX_FRAME = 24 * 2**20
MAX_ANSWER = 48 * 2**20
MAX_LISTED = 200_000
MEMORY_BYTES = 1536 * 2**20
PROCESSOR_SECONDS = 30
WALL_SECONDS = 120.0
A_LINK = "This is a link, not a file; links are not followed."
_HEAD = struct.Struct("<I")
_NOTEBOOK = (".ipynb", ".ipynb.json", ".ipynb.txt")
_IGNORED = re.compile(
    r"(^|/)(\.ipynb_checkpoints|\.git|\.venv|__MACOSX|__pycache__|\.DS_Store|\._)"
)
_NO_DOCUMENT = "This zip contains no notebook (.ipynb)."


@dataclass(frozen=True)
class Document:
    """One file found in a submission.

    Attributes:
        file: Its name; within a student's zip, its path.
        kind: "notebook", "other" (a file next to a notebook) or "problem".
        sha256: Hash of its bytes, "" if they could not be read.
        reason: Why it cannot be graded as a notebook.
        notebook: Its parts that grading uses, if it is a notebook.
        ids: Exercise ids in the notebook and how often each occurs.
        content: The bytes of a small file next to a notebook, in base64.
        time: Its time in the student's zip, for sorting.
    """

    file: str
    kind: str
    sha256: str = ""
    reason: str = ""
    notebook: Notebook | None = None
    ids: dict[str, int] = field(default_factory=dict)
    content: str = ""
    time: tuple[int, ...] = ()


@dataclass(frozen=True)
class Entry:
    """A file that a zip lists."""

    number: int
    path: str
    size: int
    time: tuple[int, ...]
    problem: str = ""


class Reader:
    """The reading process, controlled from the main process."""

    def __init__(self) -> None:
        self._process: subprocess.Popen | None = None

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *error: Any) -> None:
        self.close()

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process.stdin.close()
            self._process.stdout.close()
        self._process = None

    def list_zip(self, path: Path) -> tuple[list[Entry], str]:
        """Return the files in a zip, and why it cannot be listed ("" if it can)."""
        entries: list[Entry] = []
        problem = ""
        for raw in self._ask({"do": "list", "path": str(path)}):
            problem = _text(raw.get("problem", ""), 500) or problem
            for number, name, size, when, trouble in raw.get("entries", []):
                entries.append(
                    Entry(
                        int(number), _text(name, 2000), int(size), _time(when), _text(trouble, 500)
                    )
                )
        return entries, problem

    def read(self, path: str, entry: int, name: str, aliases: dict[str, str]) -> Iterator[Document]:
        """Yield the documents in a file or in an entry of a zip; a broken one is a "problem".

        Args:
            path: The file, or the zip.
            entry: Number of the entry in the zip, -1 for the file itself.
            name: Name of the file as handed in.
            aliases: Current id of each former exercise id.
        """
        count = 0
        asked = {"do": "read", "path": path, "entry": entry, "name": name, "aliases": aliases}
        for raw in self._ask(asked):
            if "problem" in raw:
                count += 1
                yield Document(name, "problem", reason=_text(raw["problem"], 500))
            elif count < MAX_ENTRIES:
                count += 1
                yield _document(raw)
        if count == 0:
            yield Document(name, "problem", reason="The file could not be read.")

    def _ask(self, request: dict) -> Iterator[dict]:
        """Yield the frames of an answer; the last has a problem if the process failed."""
        if self._process is None or self._process.poll() is not None:
            self.close()
            self._start()
        ends = time.monotonic() + WALL_SECONDS + 30
        size = 0
        try:
            self._process.stdin.write(json.dumps(request).encode("ascii") + b"\n")
            self._process.stdin.flush()
            while True:
                head = self._exactly(_HEAD.size, ends)
                length = _HEAD.unpack(head)[0]
                size += length
                if length > MAX_FRAME or size > 2 * MAX_ANSWER:
                    raise ValueError("too long")
                frame = json.loads(self._exactly(length, ends))
                if "end" in frame:
                    if frame["end"]:
                        yield {"problem": frame["end"]}
                    return
                yield frame
        except (OSError, EOFError, ValueError, RecursionError):
            self.close()
            yield {"problem": "The file could not be read: it took too much time or memory."}

    def _start(self) -> None:
        environment = dict(os.environ)
        root = str(Path(__file__).resolve().parents[2])
        paths = [root, environment.get("PYTHONPATH", "")]
        environment["PYTHONPATH"] = os.pathsep.join(path for path in paths if path)
        environment.pop("PYTHONHASHSEED", None)  # hash collisions must not be predictable
        self._process = subprocess.Popen(
            [sys.executable, "-m", "helpers.grading.reading"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
        )

    def _exactly(self, size: int, ends: float) -> bytes:
        data = bytearray()
        stream = self._process.stdout.fileno()
        while len(data) < size:
            left = ends - time.monotonic()
            if left <= 0 or not select.select([stream], [], [], left)[0]:
                raise EOFError("too late")
            part = os.read(stream, min(size - len(data), 2**20))
            if not part:
                raise EOFError("gone")
            data += part
        return bytes(data)


def _document(raw: dict) -> Document:
    """Return the document in a record of the reading process, with limited sizes."""
    notebook = None
    if isinstance(raw.get("code"), list):
        code = [_text(source, None) for source in raw["code"]]
        texts = [(_text(text, None), _text(grade_id, 100)) for text, grade_id in raw["texts"]]
        notes = [_text(note, 300) for note in raw["notes"][:20]]
        notebook = Notebook(code, texts, notes, [n and int(n) for n in raw["counts"]])
    kind = raw.get("kind")
    return Document(
        file=_text(raw.get("file"), 300),
        kind=kind if kind in ("notebook", "other") else "problem",
        sha256=_text(raw.get("sha256"), 64),
        reason=_text(raw.get("reason"), 600),
        notebook=notebook,
        ids={_text(id, 40): int(n) for id, n in list(raw.get("ids", {}).items())[:500]},
        content=_text(raw.get("content"), 2 * MAX_ATTACHMENT),
        time=_time(raw.get("time")),
    )


def _text(value: Any, limit: int | None) -> str:
    text = value if isinstance(value, str) else ""
    return text[:limit].encode("utf-8", errors="surrogatepass").decode("utf-8", errors="replace")


def _time(value: Any) -> tuple[int, ...]:
    return tuple(int(part) for part in value[:6]) if isinstance(value, list) else ()


# The code below runs in the reading process and its children.


def main() -> None:
    """Answer requests, one line of JSON each, until the standard input ends."""
    output = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    for line in sys.stdin.buffer:
        _relay(json.loads(line), output)


def _relay(request: dict, output: Any) -> None:
    """Let a child answer, forward its complete frames, and report how it ended."""
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(ours)
        _answer(request, theirs)
    os.close(theirs)
    problem, size = "", 0
    data = bytearray()
    ends = time.monotonic() + WALL_SECONDS
    while not problem:
        left = ends - time.monotonic()
        if left <= 0 or not select.select([ours], [], [], left)[0]:
            problem = "The file was skipped: reading it took too long."
            break
        part = os.read(ours, 2**20)
        if not part:
            break
        data += part
        size += len(part)
        while len(data) >= _HEAD.size:
            length = _HEAD.unpack_from(data)[0]
            if length > MAX_FRAME or size > MAX_ANSWER:
                problem = "The file contains too much text."
                break
            if len(data) < _HEAD.size + length:
                break
            output.write(data[: _HEAD.size + length])
            del data[: _HEAD.size + length]
    os.close(ours)
    if problem:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
    status = os.waitpid(child, 0)[1]
    if not problem and (status != 0 or data):
        late = os.WIFSIGNALED(status) and os.WTERMSIG(status) in (signal.SIGXCPU, signal.SIGKILL)
        problem = (
            "The file was skipped: reading it took too long."
            if late
            else "The file cannot be read: it is damaged, or needs too much memory."
        )
    _write(output, {"end": problem})
    output.flush()


def _answer(request: dict, pipe: int) -> None:
    """Answer one request within the limits of a child; never return."""
    code = 1
    try:
        _limit()
        with os.fdopen(pipe, "wb") as output:
            if request["do"] == "list":
                _list(request["path"], output)
            else:
                _read(request, output)
        code = 0
    except BaseException:
        pass
    finally:
        os._exit(code)


def _limit() -> None:
    wanted = {
        resource.RLIMIT_AS: MEMORY_BYTES,
        resource.RLIMIT_CPU: PROCESSOR_SECONDS,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_NOFILE: 64,
        resource.RLIMIT_CORE: 0,
    }
    for kind, value in wanted.items():
        hard = resource.getrlimit(kind)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (value, value))
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)


def _write(output: Any, frame: dict) -> int:
    data = json.dumps(frame).encode("ascii")
    output.write(_HEAD.pack(len(data)) + data)
    return len(data)


def _list(path: str, output: Any) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except Exception as error:
        _write(output, {"problem": f"it is not a readable zip ({_said(error)})."})
        return
    if len(entries) > MAX_LISTED:
        _write(output, {"problem": f"it contains more than {MAX_LISTED:,} files."})
        return
    rows = []
    for number, entry in enumerate(entries):
        if entry.is_dir():
            continue
        name = _entry_name(entry)
        rows.append([number, name, entry.file_size, list(entry.date_time), _unsafe(entry, name)])
        if len(rows) == 1000:
            _write(output, {"entries": rows})
            rows = []
    _write(output, {"entries": rows})


def _read(request: dict, output: Any) -> None:
    name, aliases = request["name"], request["aliases"]
    try:
        content, problem = _content(request["path"], request["entry"])
    except MemoryError:
        raise
    except Exception as error:
        content, problem = b"", f"The file cannot be read: {_said(error)}."
    if problem:
        _write(output, {"file": name, "kind": "problem", "reason": problem})
    elif content[:4] == b"PK\x03\x04" and name.lower().endswith(".zip"):
        _read_zip(content, name, aliases, output)
    else:
        _write(output, _described(name, content, aliases))


def _content(path: str, number: int) -> tuple[bytes, str]:
    if number < 0:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(handle, "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return b"", "This is not an ordinary file."
            content = file.read(MAX_FILE + 1)
    else:
        with zipfile.ZipFile(path) as archive, archive.open(archive.infolist()[number]) as file:
            content = file.read(MAX_FILE + 1)
    return (b"", too_large(len(content))) if len(content) > MAX_FILE else (content, "")


def _read_zip(content: bytes, name: str, aliases: dict[str, str], output: Any) -> None:
    """Describe the files of a student's zip; a zip inside it is not opened."""
    total = sent = found = 0
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
        entries = [entry for entry in archive.infolist() if not entry.is_dir()]
    except Exception as error:
        reason = f"The zip is damaged ({_said(error)})."
        _write(output, {"file": name, "kind": "problem", "reason": reason})
        return
    kept = [entry for entry in entries if not _IGNORED.search(_entry_name(entry))]
    kept.sort(key=lambda entry: not entry.filename.lower().endswith(_NOTEBOOK))
    for place, entry in enumerate(kept):
        if place >= MAX_DOCUMENTS or sent > MAX_ANSWER // 2:
            reason = f"{len(kept) - place:,} more files of this zip were skipped: too many."
            _write(output, {"file": name, "kind": "problem", "reason": reason})
            break
        shown = _entry_name(entry)
        problem = _unsafe(entry, shown)
        total += entry.file_size
        if not problem and total > MAX_UNPACKED:
            problem = "The unpacked zip is too large; this file was skipped."
        if not problem and shown.lower().endswith(".zip"):
            problem = "A zip within a zip is not opened. Hand in the notebook itself."
        found += shown.lower().endswith(_NOTEBOOK)
        inner = b""
        if not problem:
            try:
                with archive.open(entry) as file:
                    inner = file.read(MAX_FILE + 1)
                problem = too_large(len(inner)) if len(inner) > MAX_FILE else ""
            except MemoryError:
                raise
            except Exception as error:
                problem = f"The file cannot be unpacked: {_said(error)}."
        document = {"file": shown, "kind": "problem", "reason": problem}
        if not problem:
            document = _described(shown, inner, aliases)
        sent += _write(output, document | {"time": list(entry.date_time)})
    if not kept:
        _write(output, {"file": name, "kind": "problem", "reason": "The zip is empty."})
    elif not found:
        _write(output, {"file": name, "kind": "other", "reason": _NO_DOCUMENT})


def _described(name: str, content: bytes, aliases: dict[str, str]) -> dict:
    """Return the record of one file."""
    record: dict[str, Any] = {"file": name, "sha256": hashlib.sha256(content).hexdigest()}
    is_notebook = name.lower().endswith(_NOTEBOOK)
    try:
        notebook = read(content).with_ids(aliases)
    except Unreadable as reason:
        record |= {"kind": "problem" if is_notebook else "other", "reason": str(reason)}
    else:
        record["kind"] = "notebook"
        record |= {"code": notebook.code, "texts": notebook.texts, "notes": notebook.notes}
        record["counts"] = notebook.counts
        record["ids"] = dict(notebook.exercise_ids().most_common(500))
        if len(json.dumps(record)) > MAX_FRAME // 2:
            record = {"file": name, "sha256": record["sha256"], "kind": "problem"}
            record["reason"] = (
                "The cells contain too much text. Hand in only the cells of the page."
            )
    if not is_notebook and len(content) <= MAX_ATTACHMENT:
        record["content"] = base64.b64encode(content).decode("ascii")
    return record


def _entry_name(entry: zipfile.ZipInfo) -> str:
    """Return an entry's path; some systems write UTF-8 without setting the flag."""
    name = entry.filename
    if not entry.flag_bits & 0x800:
        with contextlib.suppress(UnicodeError):
            name = name.encode("cp437").decode("utf-8")
    return name.replace("\\", "/")


def _unsafe(entry: zipfile.ZipInfo, shown: str) -> str:
    if ".." in PurePosixPath(shown).parts or shown.startswith("/") or re.match(r"[a-zA-Z]:", shown):
        return "Its path points outside the archive; it was not unpacked."
    if stat.S_ISLNK(entry.external_attr >> 16):
        return A_LINK
    if entry.flag_bits & 1:
        return "The file is protected by a password."
    if entry.file_size > MAX_FILE:
        return too_large(entry.file_size)
    if entry.file_size > 2**20 and entry.file_size > MAX_RATIO * max(entry.compress_size, 1):
        return "The file is compressed so strongly that it may be a zip bomb; it was not unpacked."
    return ""


def too_large(size: int) -> str:
    """Return the reason that a file of `size` bytes is not read."""
    return (
        f"The file has {size / 2**20:.0f} MB; at most {MAX_FILE // 2**20} MB are read. Clear the "
        "outputs and hand it in again."
    )


def _said(error: Exception) -> str:
    text = "".join(c for c in str(error)[:120] if c.isprintable())
    return text.rstrip(".") or type(error).__name__


if __name__ == "__main__":
    main()
