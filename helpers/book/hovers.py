"""A Sphinx extension that shows a term's definition when the pointer is on a glossary link."""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes

__all__ = ["setup"]

_ENTRY = re.compile(
    r"^#{2,3} (?P<term>.+)\n+\*\*(?P<other>[^*]+)\*\*[^\n]*\n+(?P<words>[^\n]+)", re.M
)


def setup(app: Any) -> dict[str, bool]:
    """Connect the extension to a Sphinx application."""
    app.connect("builder-inited", _read_glossary)
    app.connect("doctree-resolved", _add_titles)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _read_glossary(app: Any) -> None:
    path = app.srcdir / "chapters" / "glossary.md"
    app.workbook_terms = {
        _anchor(entry["term"]): f"{entry['term']} ({entry['other']}): {entry['words']}"
        for entry in _ENTRY.finditer(path.read_text(encoding="utf-8"))
    }


def _anchor(term: str) -> str:
    return re.sub(r"[^\w\- ]", "", term.lower()).replace(" ", "-")


def _add_titles(app: Any, doctree: nodes.document, docname: str) -> None:
    for link in doctree.findall(nodes.reference):
        _, _, anchor = str(link.get("refuri", "")).partition("glossary.html#")
        if anchor in app.workbook_terms:
            link["reftitle"] = app.workbook_terms[anchor]
