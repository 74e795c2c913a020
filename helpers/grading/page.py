"""A notebook between reading and grading; its content is kept on disk to save memory."""

from __future__ import annotations

import hashlib
import json
import posixpath
from dataclasses import dataclass, field
from pathlib import Path

from helpers.grading.reading import Document
from helpers.grading.record import Record
from helpers.grading.submitted_notebook import Notebook

__all__ = ["MAX_ATTACHED_BYTES", "MAX_ATTACHMENTS", "Page", "pack"]

MAX_ATTACHMENTS = 30
MAX_ATTACHED_BYTES = 6 * 2**20


@dataclass
class Page:
    """One notebook that answers a chapter.

    Attributes:
        record: The record of its file.
        area: Key of the group of files that it can see.
        path: Its path among these files.
        order: Sorts a student's pages from the oldest to the newest.
        rule: Why it counts as the newest, in words.
        content: File that holds its content.
    """

    record: Record
    area: str
    path: str
    order: tuple
    rule: str
    content: Path = field(default=Path())

    @property
    def place(self) -> tuple[str, str | None]:
        """The student and the chapter."""
        return self.record.place

    @property
    def sha256(self) -> str:
        """Hash of the notebook's bytes."""
        return self.record.sha256

    def keep(self, room: Path, number: int, notebook: Notebook) -> None:
        """Write the notebook's content to the folder `room`."""
        self.content = room / f"page-{number}.json"
        plain = {"code": notebook.code, "texts": notebook.texts, "counts": notebook.counts}
        self.content.write_text(json.dumps(plain), encoding="ascii")

    def add_attachments(self) -> str:
        """Add the small files next to the notebook to its content; return a hash of them."""
        listed = self.content.parent / f"{self.area}.jsonl"
        if not listed.exists():
            return ""
        found: dict[str, str] = {}
        size = 0
        with open(listed, encoding="ascii") as lines:
            for line in lines:
                path, data = json.loads(line)
                name = posixpath.relpath(path, posixpath.dirname(self.path) or ".")
                size += len(data)
                plain = not name.startswith((".", "/")) and name.isprintable()
                if plain and size <= MAX_ATTACHED_BYTES and len(found) < MAX_ATTACHMENTS:
                    found[name] = data
        content = json.loads(self.content.read_text(encoding="ascii"))
        self.content.write_text(json.dumps(content | {"attachments": found}), encoding="ascii")
        return hashlib.sha256(json.dumps(sorted(found.items())).encode()).hexdigest()


def pack(room: Path, area: str, path: str, document: Document) -> None:
    """Store a small file for the notebooks of its area."""
    with open(room / f"{area}.jsonl", "a", encoding="ascii") as lines:
        lines.write(json.dumps([posixpath.normpath(path), document.content]) + "\n")
