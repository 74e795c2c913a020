"""A Sphinx extension: the book in more than one language."""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from sphinx import search
from sphinx.locale import _

from helpers.book.catalogues import PAGES

__all__ = ["LANGUAGES", "Korean", "setup"]

LANGUAGES = {"en": "English", "ko": "한국어"}


class Korean(search.SearchLanguage):
    """Index a Korean word without its particle, so that 퍼셉트론 finds 퍼셉트론은."""

    lang = "ko"
    language_name = "Korean"
    _particles = (
        "(입니다|이므로|이며|이고|이면|에서는|에서|에는|에게|으로|보다|까지|부터|마다|처럼"
        "|에|로|은|는|이|가|을|를|의|와|과|도|만)$"
    )
    # Particles are removed from the reader's query in the same way.
    js_stemmer_code = f"""
    var Stemmer = function () {{
      this.stemWord = function (word) {{
        var stem = word.replace(/{_particles}/, "");
        return /^[가-힣]{{2,}}$/.test(stem) ? stem : word;
      }};
    }};
    """

    def stem(self, word: str) -> str:
        """Return a word without its particle, if two syllables are left."""
        stem = re.sub(self._particles, "", word)
        return stem if re.fullmatch("[가-힣]{2,}", stem) else word


def setup(app: Any) -> dict[str, bool]:
    """Connect the extension to a Sphinx application."""
    search.languages["ko"] = Korean
    app.add_config_value("workbook_languages", ["en"], "html")
    app.connect("config-inited", _name_site)
    app.connect("doctree-read", _translate_prompts)
    app.connect("doctree-resolved", _note_untranslated)
    app.connect("html-page-context", _add_switch)
    app.connect("html-page-context", _mark_languages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _is_translated(app: Any, page: str) -> bool:
    return app.config.language == "en" or page in (
        *PAGES,
        "chapters/glossary",
        "genindex",
        "search",
    )


def _name_site(app: Any, config: Any) -> None:
    """Translate the texts of the configuration."""
    config.html_title = str(_("Keras workbook"))
    config.copyright = str(_("the authors; pages CC BY-SA 4.0"))
    config.html_theme_options["search_bar_text"] = str(_("Search the pages"))


def _translate_prompts(app: Any, doctree: nodes.document) -> None:
    """Translate the labels of folded cells, which Sphinx does not extract from the page."""
    prompts = {
        "Show the released answer": _("Show the released answer"),
        "Hide the released answer": _("Hide the released answer"),
    }
    for cell in doctree.findall(nodes.container):
        for place in ("prompt_show", "prompt_hide"):
            if cell.get(place) in prompts:
                cell[place] = str(prompts[cell[place]])


def _note_untranslated(app: Any, doctree: nodes.document, page: str) -> None:
    if _is_translated(app, page) or not (titles := list(doctree.findall(nodes.title))):
        return
    words = str(_("This page is not translated yet, so it is shown in English."))
    note = nodes.note("", nodes.paragraph("", words), classes=["untranslated"])
    titles[0].parent.insert(titles[0].parent.index(titles[0]) + 1, note)


def _add_switch(app: Any, page: str, template: str, context: dict, doctree: Any) -> None:
    """Link the same page in the other languages; English is in the parent folder."""
    here = app.config.language
    up = "../" * page.count("/") + ("" if here == "en" else "../")
    context["workbook_translations"] = [
        (code, LANGUAGES[code], f"{up}{'' if code == 'en' else f'{code}/'}{page}.html")
        for code in app.config.workbook_languages
        if code != here
    ]


def _mark_languages(app: Any, page: str, template: str, context: dict, doctree: Any) -> None:
    """Mark the parts of a page that are in another language, for screen readers."""
    here, body = app.config.language, context.get("body")
    if not body:
        return
    # A fold over code is named by its own words, which are translated, and not by this label.
    body = body.replace(' aria-label="Toggle hidden content"', "")
    # The empty corner of a table is no heading of a column.
    body = re.sub(r"<th\b([^>]*)>\s*(<p></p>)?\s*</th>", r"<td\1></td>", body)
    context["body"] = body
    if not _is_translated(app, page):
        context["body"] = f'<div lang="en">{body}</div>'.replace(
            'class="untranslated admonition note"', 'class="untranslated admonition note" lang="ko"'
        )
    elif page == "chapters/glossary" and here == "en":
        context["body"] = re.sub(r"<(p|strong)>(?=[^<]*[가-힣])", r'<\1 lang="ko">', body)
    elif page == "chapters/glossary":
        context["body"] = re.sub(r"<(p|strong)>(?=[^<가-힣]*</\1>)", r'<\1 lang="en">', body)
