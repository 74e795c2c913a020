"""A Sphinx extension that shows a term's definition when the pointer is on a glossary link."""

from __future__ import annotations

from typing import Any

from docutils import nodes

from helpers.book.stage import glossary_terms

__all__ = ["setup"]


def setup(app: Any) -> dict[str, bool]:
    """Connect the extension to a Sphinx application."""
    app.connect("builder-inited", _read_glossary)
    app.connect("doctree-resolved", _add_titles)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _read_glossary(app: Any) -> None:
    korean = app.config.language == "ko"
    app.workbook_terms = {
        term.anchor: f"{term.korean} ({term.english}): {term.korean_meaning}"
        if korean
        else f"{term.english} ({term.korean}): {term.meaning}"
        for term in glossary_terms(app.srcdir)
    }


def _add_titles(app: Any, doctree: nodes.document, docname: str) -> None:
    for link in doctree.findall(nodes.reference):
        _, _, anchor = str(link.get("refuri", "")).partition("glossary.html#")
        if anchor in app.workbook_terms:
            link["reftitle"] = app.workbook_terms[anchor]
