"""Read a notebook in any version and form, or say in a sentence why it cannot be read."""

from __future__ import annotations

import json
import re
import types
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

__all__ = [
    "MAX_BYTES",
    "MAX_CELLS",
    "MAX_SOURCE",
    "MAX_TEXT",
    "Notebook",
    "Unreadable",
    "chapter_by_name",
    "chapter_of",
    "chapter_of_ids",
    "course",
    "former_ids",
    "read",
    "written_answer",
]

MAX_BYTES = 64 * 2**20
MAX_CELLS = 2_000
MAX_SOURCE = 200_000
MAX_TEXT = 4_000_000
_CHECK = re.compile(r"""\bcheck\(\s{0,200}["']([+\w.-]{1,40})["']""")
_ANSWER = re.compile(
    r"[*_]{0,3}Answer\s{1,9}(?:to\s{1,9})?([+]?\d[\w+.-]{0,38}[\w])[.:]?[*_]{0,3}[.:]?", re.I
)
_HEADING = re.compile(r"^#{1,6} Exercise (\S{1,40})", re.M)
# The separators of cells in scripts of Jupytext, nbconvert and Databricks.
_CELLS_OF_A_SCRIPT = re.compile(r"^# (?:%%|In\[[ \d]*\]:|COMMAND -+)(.*)$", re.M)
_BYTE_ORDER_MARKS = {b"\xef\xbb\xbf": "utf-8", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
_PLACEHOLDER = re.compile(r"^[\s*_]*write your answer here\.?[\s*_]*$", re.I)
_CONFLICT = re.compile(rb"^[ \t]{0,40}(?:<{7}|>{7})(?: |$)", re.M)


class Unreadable(ValueError):
    """The file cannot be graded as a notebook; the message tells the student why."""


@dataclass
class Notebook:
    """The parts of a notebook that grading uses.

    Attributes:
        code: Source of each code cell, in order.
        texts: Source of each markdown cell and its nbgrader grade_id, "" if there is none.
        notes: Oddities to report to the instructor.
        counts: Execution count of each code cell, None if it was not run; [] if unknown.
        attachments: Content of modules and small data files next to the notebook, by their path
            relative to it.
    """

    code: list[str] = field(default_factory=list)
    texts: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    counts: list[int | None] = field(default_factory=list)
    attachments: dict[str, bytes] = field(default_factory=dict)

    def exercise_ids(self) -> Counter:
        """Return how often each exercise id occurs in checks, answers and headings."""
        found: Counter = Counter()
        for source in self.code:
            found.update(_CHECK.findall(source))
        for text, _ in self.texts:
            found.update(_HEADING.findall(text))
            found.update(match[1] for match in _ANSWER.finditer(text))
        return found

    def with_ids(self, current: Mapping[str, str]) -> Notebook:
        """Return the notebook with former exercise ids replaced by the current ones.

        Args:
            current: Current id of each former id, such as the exercise's number in d2l.
        """
        if not set(current) & set(self.exercise_ids()) and not any(g for _, g in self.texts):
            return self
        slugs = {_slug(old): _slug(new) for old, new in current.items()}

        def renamed(match: re.Match) -> str:
            start, end = match.start(1) - match.start(), match.end(1) - match.start()
            whole = match[0]
            return whole[:start] + current.get(match[1], match[1]) + whole[end:]

        def grade_id(text: str) -> str:
            kind, dash, slug = text.partition("-")
            return kind + dash + slugs.get(slug, slug)

        texts = [
            (_HEADING.sub(renamed, _ANSWER.sub(renamed, text)), grade_id(id))
            for text, id in self.texts
        ]
        code = [_CHECK.sub(renamed, source) for source in self.code]
        return replace(self, code=code, texts=texts)


def read(content: bytes) -> Notebook:
    """Return the notebook in `content`.

    Args:
        content: A file: nbformat 3 to 4.5 in any common encoding, or a script with cells as
            Jupytext, nbconvert or Databricks write them.

    Raises:
        Unreadable: If it cannot be read as a notebook.
    """
    if len(content) > MAX_BYTES:
        raise Unreadable(
            f"The file has {len(content) / 2**20:.0f} MB; at most {MAX_BYTES // 2**20} MB are "
            "read. Clear the outputs (Edit > Clear Outputs of All Cells) and hand it in again."
        )
    _refuse_what_is_no_text(content)
    notes: list[str] = []
    text = _decode(content, notes).strip().strip("\0")
    if not text:
        raise Unreadable("The file is empty.")
    if text[0] != "{":
        return _without_json(text, notes)
    try:
        raw = json.loads(text, parse_int=_short_int)
    except RecursionError:
        raise Unreadable("The file is nested too deeply for a notebook.") from None
    except (ValueError, MemoryError) as error:
        if _CONFLICT.search(content):
            raise Unreadable(
                "The file contains the markers of a merge conflict (<<<<<<<, >>>>>>>). Resolve it "
                "in git and hand in the file again."
            ) from None
        place = getattr(error, "pos", 0)
        cut = place >= len(text.rstrip()) - 2 or "Unterminated" in str(error)
        reason = "is cut off" if cut else "is damaged"
        raise Unreadable(
            f"The file {reason}: it is not a complete notebook (JSON ends at character {place:,} "
            f"of {len(text):,}). Download it again and hand in the whole file."
        ) from None
    return _from_json(raw, notes)


def chapter_of(
    name: str, notebook: Notebook, chapters: Iterable[str], ids: dict[str, str]
) -> str | None:
    """Return the chapter a notebook answers: by its file name, unless its exercises disagree.

    Args:
        name: File name as handed in.
        notebook: Its content.
        chapters: All chapters, in order.
        ids: Chapter of each exercise id.
    """
    return chapter_of_ids(name, notebook.exercise_ids(), list(chapters), ids)


def chapter_of_ids(
    name: str, found: Mapping[str, int], chapters: list[str], ids: dict[str, str]
) -> str | None:
    """Return the chapter as `chapter_of` does, given how often each exercise id occurs."""
    votes: Counter = Counter()
    for id, count in found.items():
        if id in ids:
            votes[ids[id]] += count
    named = chapter_by_name(name, chapters)
    if named and (votes[named] or not votes):
        return named
    return max(votes, key=lambda chapter: (votes[chapter], -chapters.index(chapter)), default=named)


def chapter_by_name(name: str, chapters: list[str]) -> str | None:
    """Return the chapter that a file name contains, by its words or its number.

    >>> chapter_by_name("Kim_06-Dropout (2).ipynb", ["initialization", "dropout"])
    'dropout'
    """
    words = re.sub(r"[^a-z0-9]+", "_", name.lower())
    for chapter in sorted(chapters, key=len, reverse=True):
        if chapter in words or chapter.replace("_", "") in words.replace("_", ""):
            return chapter
    for number in re.findall(r"(?<![0-9])0?([1-9])(?=_[a-z])", words):
        if int(number) <= len(chapters) and re.search(rf"(^|_)0{number}_", words):
            return chapters[int(number) - 1]
    return None


def written_answer(notebook: Notebook, id: str) -> str:
    """Return the text a student wrote for an explanation, "" if there is none."""
    slug = _slug(id)
    for text, _ in notebook.texts:
        marks = list(_ANSWER.finditer(text))
        for place, mark in enumerate(marks):
            if mark[1] != id:
                continue
            end = marks[place + 1].start() if place + 1 < len(marks) else len(text)
            if answer := _said(text[mark.end() : end]):
                return answer
    for text, grade_id in notebook.texts:
        if re.fullmatch(rf"answer-{re.escape(slug)}(-\d+)?", grade_id):
            if answer := _said(_ANSWER.sub("", text)):
                return answer
    return ""


def _slug(id: str) -> str:
    """Return an exercise's id as it occurs in nbgrader's cell ids."""
    return id.replace(".", "-")


def _said(text: str) -> str:
    text = text.strip().strip("*").strip()
    return "" if _PLACEHOLDER.match(text) else text


def _refuse_what_is_no_text(content: bytes) -> None:
    start = content[:512].lstrip(b"\xef\xbb\xbf \t\r\n")
    if not content.strip(b"\0 \t\r\n"):
        raise Unreadable("The file is empty.")
    kinds = {
        b"PK\x03\x04": "a zip archive",
        b"%PDF": "a PDF",
        b"\x89PNG": "a picture",
        b"\xff\xd8\xff": "a picture",
        b"\x1f\x8b": "a gzip archive",
        b"\xd0\xcf\x11\xe0": "a Word document",
        b"{\\rtf": "an RTF document",
    }
    for magic, kind in kinds.items():
        if start.startswith(magic):
            raise Unreadable(f"The file is {kind}, not a notebook (.ipynb).")
    if re.match(rb"(<!doctype html|<html|<\?xml|<head)", start, re.I):
        raise Unreadable(
            "The file is a web page, not a notebook: use File > Download, not the browser's Save."
        )


def _decode(content: bytes, notes: list[str]) -> str:
    for mark, encoding in _BYTE_ORDER_MARKS.items():
        if content.startswith(mark):
            notes.append(f"starts with a byte order mark ({encoding})")
            return content.decode(encoding, errors="replace").lstrip("\ufeff")
    encoding = json.detect_encoding(content[:4])
    if not encoding.startswith("utf-8"):
        notes.append(f"is written in {encoding}")
        return content.decode(encoding, errors="replace")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        notes.append("not UTF-8; read as Windows-1252")
        return content.decode("cp1252", errors="replace")


def _without_json(text: str, notes: list[str]) -> Notebook:
    if _CONFLICT.search(text[:200_000].encode(errors="replace")):
        raise Unreadable(
            "The file contains the markers of a merge conflict (<<<<<<<, >>>>>>>). Resolve it in "
            "git and hand in the file again."
        )
    text = text.replace("\r\n", "\n")
    parts = _CELLS_OF_A_SCRIPT.split(text)
    if len(parts) < 3:
        raise Unreadable(
            f"The file is not a notebook: it starts with {text[:20]!r} where a notebook starts "
            "with '{'."
        )
    notebook = Notebook(notes=[*notes, "a script, not a notebook"])
    for head, body in zip(parts[1::2], parts[2::2], strict=True):
        if "[markdown]" in head or "[raw]" in head:
            notebook.texts.append((_uncommented(body.strip())[:MAX_SOURCE], ""))
        elif body.strip().startswith("# MAGIC %md"):
            body = re.sub(r"^# MAGIC ?(%md ?)?", "", body.strip(), flags=re.M)
            notebook.texts.append((body[:MAX_SOURCE], ""))
        else:
            code = body.strip("\n")
            notebook.code.append(code[:MAX_SOURCE])
            # nbconvert writes the text below a cell as comments at its end.
            below = code.rpartition("\n\n\n")[2]
            if all(line.startswith("#") or not line for line in below.split("\n")):
                notebook.texts.append((_uncommented(below)[:MAX_SOURCE], ""))
    return notebook


def _uncommented(text: str) -> str:
    return re.sub(r"^# ?", "", text, flags=re.M)


def _short_int(digits: str) -> int:
    return int(digits) if len(digits) < 20 else 0


def _from_json(raw: Any, notes: list[str]) -> Notebook:
    if not isinstance(raw, dict):
        raise Unreadable("The file is JSON, but not a notebook.")
    version = _major(raw.get("nbformat"))
    if version not in (None, 2, 3, 4):
        raise Unreadable(
            f"The notebook has format {version}; formats 3 and 4 are read. Save it with a current "
            "JupyterLab and hand it in again."
        )
    cells = raw.get("cells")
    if cells is None and isinstance(raw.get("worksheets"), list):
        sheets = [sheet for sheet in raw["worksheets"] if isinstance(sheet, dict)]
        cells = [
            cell
            for sheet in sheets
            if isinstance(sheet.get("cells"), list)
            for cell in sheet["cells"]
        ]
    if not isinstance(cells, list):
        raise Unreadable("The file is JSON, but has no list of cells: it is not a notebook.")
    if not cells:
        raise Unreadable("The notebook has no cells.")
    if len(cells) > MAX_CELLS:
        raise Unreadable(f"The notebook has {len(cells):,} cells; at most {MAX_CELLS:,} are read.")
    notebook = Notebook(notes=notes)
    broken = room = 0
    for cell in cells:
        if not isinstance(cell, dict):
            broken += 1
            continue
        source = _source(cell.get("source", cell.get("input", "")))
        room += len(source)
        if room > MAX_TEXT:
            raise Unreadable(
                f"The cells have more than {MAX_TEXT:,} characters. Hand in only the page's cells."
            )
        kind = cell.get("cell_type", "code" if "outputs" in cell or "input" in cell else "")
        if kind == "code":
            notebook.code.append(source)
            notebook.counts.append(_count(cell))
        elif kind in ("markdown", "heading", "html", ""):
            notebook.texts.append((source, _grade_id(cell)))
    if broken:
        notebook.notes.append(f"{broken} entries are not cells and were skipped")
    return notebook


def _source(source: Any) -> str:
    if isinstance(source, list):
        source = "".join(part for part in source if isinstance(part, str))
    if not isinstance(source, str):
        return ""
    source = source.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")
    return source.encode(errors="replace").decode()[:MAX_SOURCE].lstrip("\ufeff")


def _count(cell: dict) -> int | None:
    count = cell.get("execution_count", cell.get("prompt_number"))
    return count if isinstance(count, int) and 0 < count < 10**9 else None


def _grade_id(cell: dict) -> str:
    found: Any = cell
    for key in ("metadata", "nbgrader", "grade_id"):
        found = found.get(key) if isinstance(found, dict) else None
    if not isinstance(found, str):
        return ""
    return "".join(c for c in found[:100] if c.isprintable())


def _major(version: Any) -> Any:
    """Return the major format in any spelling: 4, "4", 4.0, "4.5"; None if none is given.

    >>> _major("4.5"), _major(3.0), _major("four")
    (4, 3, 'four')
    """
    if version is None or version == "":
        return None
    if isinstance(version, int | float | str) and not isinstance(version, bool):
        if match := re.fullmatch(r"\s*(\d{1,9})(?:\.\d{1,9})?\s*", str(version)[:40]):
            return int(match[1])
    shown = "".join(c if c.isprintable() else "?" for c in str(version)[:20])
    return shown.encode("ascii", errors="replace").decode() or "?"


def course(module: types.ModuleType) -> tuple[list[str], dict[str, str]]:
    """Return a course's chapters and the chapter of each exercise id."""
    chapters = list(module.CHAPTERS)
    ids = {e.id: chapter for chapter in chapters for e in module.exercises_of(chapter)}
    return chapters, ids


def former_ids(module: types.ModuleType) -> dict[str, str]:
    """Return the current id of each former id and d2l number that means exactly one exercise."""
    chapters, ids = course(module)
    found: dict[str, set[str]] = {}
    for chapter in chapters:
        for exercise in module.exercises_of(chapter):
            for alias in exercise.aliases:
                found.setdefault(alias, set()).add(exercise.id)
    return {old: new.pop() for old, new in found.items() if len(new) == 1 and old not in ids}
