"""Create the student's copy of the pages, and update it without losing the student's work.

A page of the copy has three kinds of cells: released and unchanged, released and changed by the
student (for example every answer), and added by the student. An update replaces cells of the first
kind by the new release and keeps the others where they were. To distinguish them, a record next
to the copy has an entry for the id of each released cell: the exercise it belongs to, and hashes
of the texts it was released with. Entries are never removed, and the record is written before any
page that needs it, so an interrupted update can be run again.
"""

from __future__ import annotations

import contextlib
import copy
import hashlib
import json
import platform
import re
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
import nbformat.sign

from helpers import files

__all__ = [
    "Changes",
    "bring_up_to_date",
    "merge",
]

FOLDER = "work"
_RECORD = ".released.json"
_PREVIOUS = ".previous"
_HEADING = re.compile(r"^### Exercise (\S+) — (.+?)(?: \(d2l [^)]*\))?$", re.M)
_SECTION = re.compile(r"^#{1,3} ", re.M)
_CHECK = re.compile(r'^check\("([^"]+)", (.+)\)$', re.M)
_TERM = re.compile(r"\]\(glossary\.md#([^)\s]+)\)")


@dataclass
class Changes:
    """The result of one update.

    Attributes:
        folder: The name of the copy's folder.
        made: Pages that were not in the copy.
        updated: Pages that changed.
        kept: Number of the student's cells in the updated pages.
        beside: Number of cells changed both by the student and by the release; the student's are
            below the new ones.
        unreadable: Files of the student that could not be read, and were not changed.
    """

    folder: str = FOLDER
    made: list[str] = field(default_factory=list)
    updated: list[str] = field(default_factory=list)
    kept: int = 0
    beside: int = 0
    unreadable: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        sentences = []
        if self.made:
            sentences.append(
                f"Created your copy of {_count(len(self.made), 'page')} in {self.folder}/."
            )
        if self.updated:
            numbers = ", ".join(name.split("_")[0].lstrip("0") or "0" for name in self.updated)
            kept = f"; kept your {_count(self.kept, 'cell')} in place" if self.kept else ""
            sentences.append(f"Updated {_count(len(self.updated), 'page')} ({numbers}){kept}.")
        if self.beside:
            sentences.append(
                f"{_count(self.beside, 'cell')} that both you and the new release changed: "
                "yours is below the new one."
            )
        if self.unreadable:
            sentences.append(
                f"Not updated, because it cannot be read: {', '.join(self.unreadable)}. "
                "Rename it to get a new page."
            )
        return " ".join(sentences)


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" + ("" if number == 1 else "s")


def bring_up_to_date(chapters: Path, work: Path) -> Changes:
    """Create the copy of the pages in `chapters` if there is none, or update it.

    Args:
        chapters: The folder with the released pages and the glossary.
        work: The student's folder.

    Raises:
        OSError: If a file cannot be written; no file is left incomplete.
    """
    work.mkdir(parents=True, exist_ok=True)
    for left in work.glob(".writing-*"):
        left.unlink()
    record = _read_record(work / _RECORD)
    changes = Changes(work.name)
    titles = _titles(chapters / "glossary.md")
    for path in sorted(chapters.glob("*.ipynb")):
        release = _released(path, titles)
        seen = record["pages"].setdefault(path.stem, {"release": "", "cells": {}, "grades": {}})
        digest = _hash(nbformat.writes(release))
        target = work / path.name
        if target.exists() and seen["release"] == digest:
            continue
        _remember(seen, release, path.with_suffix(".py"))
        files.write_text(work / _RECORD, json.dumps(record))
        if not target.exists():
            _write_notebook(target, release, trusted=True)
            changes.made.append(path.stem)
        elif _update(target, release, seen, changes) is False:
            changes.unreadable.append(path.name)
            continue
        seen["grades"] = _grades(release, seen["cells"])
        seen["release"] = digest
        files.write_text(work / _RECORD, json.dumps(record))
    _copy_texts(chapters, work, record)
    return changes


def _read_record(path: Path) -> dict:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(record["pages"], dict) and isinstance(record["files"], dict):
            return record
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return {"pages": {}, "files": {}}


def _copy_texts(chapters: Path, work: Path, record: dict) -> None:
    """Copy the glossary, unless the student has changed their copy of it."""
    for source in sorted(chapters.glob("*.md")):
        text = source.read_text(encoding="utf-8")
        target = work / source.name
        if target.exists():
            present = target.read_text(encoding="utf-8", errors="replace")
            if present == text or _hash(present) not in record["files"].get(source.name, []):
                continue
        known = record["files"].setdefault(source.name, [])
        if _hash(text) not in known:
            known.append(_hash(text))
            files.write_text(work / _RECORD, json.dumps(record))
        files.write_text(target, text)


def _released(path: Path, titles: Mapping[str, str]) -> nbformat.NotebookNode:
    """Return a released page for the copy, with definitions on links and this Python's version."""
    release = nbformat.read(path, as_version=4)
    release.nbformat_minor = 5
    for cell in release.cells:
        if cell.cell_type == "markdown":
            cell.source = _TERM.sub(lambda link: _with_title(link, titles), cell.source)
    # JupyterLab adds these when it opens a page; without them, the page is marked unsaved.
    release.metadata["language_info"] = {
        "codemirror_mode": {"name": "ipython", "version": 3},
        "file_extension": ".py",
        "mimetype": "text/x-python",
        "name": "python",
        "nbconvert_exporter": "python",
        "pygments_lexer": "ipython3",
        "version": platform.python_version(),
    }
    return release


def _titles(glossary: Path) -> dict[str, str]:
    """Return the first paragraph of each term's definition by the anchor of its heading."""
    try:
        text = glossary.read_text(encoding="utf-8")
    except OSError:
        return {}
    titles = {}
    for part in re.split(r"^#{2,4} ", text, flags=re.M)[1:]:
        heading, *paragraphs = [lines.strip() for lines in part.split("\n\n") if lines.strip()]
        plain = [lines for lines in paragraphs if not lines.startswith(("**", "|", "-", "["))]
        if plain and '"' not in plain[0]:
            anchor = re.sub(r"[^\w\- ]", "", heading.splitlines()[0].lower()).replace(" ", "-")
            titles[anchor] = " ".join(plain[0].replace("`", "").split())
    return titles


def _with_title(link: re.Match, titles: Mapping[str, str]) -> str:
    title = titles.get(link[1])
    return f'](glossary.md#{link[1]} "{title}")' if title else link[0]


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _places(cells: list) -> list[list[str]]:
    """Return for each cell the names that identify it across releases; none outside exercises.

    An exercise is identified by what it checks and by its title, not by its number, which changes
    when another exercise is inserted before it.
    """
    answers = {}
    for cell in cells:
        if cell.cell_type == "code":
            answers.update(_CHECK.findall(cell.source))
    places, exercise, counts = [], [], Counter()
    for cell in cells:
        role = ""
        if cell.cell_type == "markdown" and (heading := _HEADING.search(cell.source)):
            role = "prompt"
            exercise = [f"title {heading[2].strip()}"]
            if heading[1] in answers:
                exercise.insert(0, f"names {answers[heading[1]]}")
        elif cell.cell_type == "markdown" and _SECTION.search(cell.source):
            exercise = []
        grade_id = cell.metadata.get("nbgrader", {}).get("grade_id", "")
        if grade_id:
            role = str(grade_id).split("-")[0]
        if not (role and exercise):
            places.append([])
            continue
        counts[exercise[0], role] += 1
        places.append([f"{role} {counts[exercise[0], role]} {name}" for name in exercise])
    return places


def _remember(seen: dict, release: nbformat.NotebookNode, paired: Path) -> None:
    """Add a release's cells to the record of the page."""
    text = paired.read_text(encoding="utf-8") if paired.exists() else None
    for cell, names in zip(release.cells, _places(release.cells), strict=True):
        entry = seen["cells"].setdefault(cell.id, {"names": names, "texts": []})
        entry["names"] = names
        answered = text is not None and names and not _in_pair(cell, text)
        if not answered and _hash(cell.source) not in entry["texts"]:
            entry["texts"].append(_hash(cell.source))


def _in_pair(cell, text: str) -> bool:
    """Return whether the page's paired `.py` has this cell; answers typed into it are not there."""
    if cell.cell_type == "code":
        return cell.source in text
    if "**Answer" not in cell.source:
        return True
    return "\n".join(f"# {line}" if line else "#" for line in cell.source.splitlines()) in text


def _grades(release: nbformat.NotebookNode, cells: dict) -> dict[str, dict]:
    return {
        cell.metadata.nbgrader.grade_id: cells[cell.id]
        for cell in release.cells
        if "nbgrader" in cell.metadata
    }


def _update(target: Path, release, seen: dict, changes: Changes) -> bool | None:
    """Merge a release into the student's page; return False if the page cannot be read."""
    before = target.read_bytes()
    try:
        mine = nbformat.reads(before.decode("utf-8"), as_version=4)
        merged, kept, beside = merge(mine, release, seen)
        text = nbformat.writes(merged)
        text.encode("utf-8")
    except Exception:  # a damaged file belongs to the student and is not changed
        return False
    if text == nbformat.writes(mine):
        return True
    previous = target.parent / _PREVIOUS
    with files.replacing(previous / target.name) as file:
        file.write(before)
    _write_notebook(target, merged, trusted=_is_trusted(mine))
    changes.updated.append(target.stem)
    changes.kept += kept
    changes.beside += beside
    return True


def merge(mine, release, seen: Mapping) -> tuple[nbformat.NotebookNode, int, int]:
    """Return the release with the student's cells in it.

    Args:
        mine: The student's page.
        release: The released page.
        seen: Record of the page's releases, including this one: `cells` by id, and `grades`
            of the release that `mine` was last merged with.

    Returns:
        The merged page, the number of the student's cells in it, and how many of these are below
        a released cell that both sides changed.
    """
    new = release.cells
    ids_lost = not any(cell.get("id") in seen["cells"] for cell in mine.cells)
    known = _known(mine.cells, seen, ids_lost)
    claims = _claims(mine.cells, known, new)
    chosen, added, anchor, beside = {}, defaultdict(list), -1, 0
    for cell, entry, index in zip(mine.cells, known, claims, strict=True):
        own = entry is None or _hash(cell.source) not in entry["texts"]
        if index is None and not ids_lost and cell.get("id") not in seen["cells"]:
            entry, own = None, True  # a copy that the student made of a released cell
        if index is not None:
            anchor = index
            released = new[index]
            changed_too = cell.get("id") != released.id and cell.source != released.source
            if own and changed_too and not _is_answer(released):
                added[index].append(cell)
                beside += 1
            else:
                chosen[index] = cell, own
            continue
        following = anchor + 1
        if entry is not None and following < len(new) and following not in claims:
            if new[following].cell_type == cell.cell_type:
                anchor = following  # the new cell that replaces this one
        if own:
            added[anchor].append(cell)
    taken = {cell.id for cell in new}
    cells = _with_own_ids(added[-1], taken)
    for index, released in enumerate(new):
        cells.append(_merged(released, *chosen.get(index, (None, False))))
        cells += _with_own_ids(added[index], taken)
    merged = copy.deepcopy(mine)
    merged.nbformat, merged.nbformat_minor = 4, 5
    merged.metadata = nbformat.from_dict(
        {**release.metadata, **mine.metadata}
        | {"language_info": release.metadata.get("language_info", {})}
    )
    merged.cells = cells
    kept = sum(own for _, own in chosen.values()) + sum(map(len, added.values()))
    return merged, kept, beside


def _known(cells: list, seen: Mapping, ids_lost: bool) -> list[dict | None]:
    """Return the record of each cell, None for a cell that no release had.

    A cell that was cut and pasted has a new id, and so have all cells of a page that was saved by
    a program without cell ids. Graded cells are then found by name, and lessons by their text.
    """
    texts = {}
    if ids_lost:
        texts = {text: entry for entry in seen["cells"].values() for text in entry["texts"]}
    return [
        seen["cells"].get(cell.get("id"))
        or seen["grades"].get(cell.metadata.get("nbgrader", {}).get("grade_id"))
        or texts.get(_hash(cell.source))
        for cell in cells
    ]


def _claims(cells: list, known: list[dict | None], new: list) -> list[int | None]:
    """Return for each of the student's cells the index of its released cell, if it has one."""
    by_id = {cell.id: index for index, cell in enumerate(new)}
    by_text = {(cell.cell_type, cell.source): index for index, cell in enumerate(new)}
    by_name: dict[str, int | None] = {}
    for index, names in enumerate(_places(new)):
        for name in names:
            by_name[name] = None if name in by_name else index
    claims: list[int | None] = [None] * len(cells)
    taken: set[int] = set()

    def claim(place: int, index: int | None) -> None:
        if claims[place] is None and index is not None and index not in taken:
            claims[place] = index
            taken.add(index)

    for place, cell in enumerate(cells):
        claim(place, by_id.get(cell.get("id")))
    for place, entry in enumerate(known):
        for name in entry["names"] if entry else ():
            claim(place, by_name.get(name))
    for place, cell in enumerate(cells):
        if known[place] and not known[place]["names"]:
            claim(place, by_text.get((cell.cell_type, cell.source)))
    return claims


def _is_answer(cell) -> bool:
    return bool(cell.metadata.get("nbgrader", {}).get("solution"))


def _merged(released, cell, own: bool):
    """Return the released cell with the student's content."""
    if cell is None or (not own and cell.source != released.source):
        return copy.deepcopy(released)
    merged = copy.deepcopy(cell)
    merged["id"] = released.id
    merged.metadata.pop("nbgrader", None)
    if "nbgrader" in released.metadata:
        merged.metadata["nbgrader"] = copy.deepcopy(released.metadata.nbgrader)
    return merged


def _with_own_ids(cells: list, taken: set[str]) -> list:
    """Return copies of the student's cells, with a new id where it is missing or in use."""
    copies = [copy.deepcopy(cell) for cell in cells]
    for cell in copies:
        number = 0
        while not cell.get("id") or cell["id"] in taken:
            number += 1
            cell["id"] = _hash(f"{cell.source}\n{number}")
        taken.add(cell["id"])
    return copies


def _is_trusted(notebook: nbformat.NotebookNode) -> bool:
    with contextlib.suppress(Exception):
        return nbformat.sign.NotebookNotary().check_signature(notebook)
    return False


def _write_notebook(path: Path, notebook: nbformat.NotebookNode, *, trusted: bool) -> None:
    files.write_text(path, nbformat.writes(notebook) + "\n")
    if trusted:  # otherwise JupyterLab marks the page as not trusted
        with contextlib.suppress(Exception):
            nbformat.sign.NotebookNotary().sign(notebook)
