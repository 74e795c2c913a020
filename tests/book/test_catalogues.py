"""Translations are valid, nearly complete, and keep fields, code and formulas unchanged."""

from __future__ import annotations

import re

import pytest

pytest.importorskip("sphinx", reason="the book needs the extra `book`")

from babel.messages.checkers import checkers
from babel.messages.pofile import read_po

from helpers.book.catalogues import LOCALE, PAGES, missing, template
from helpers.translation import fields

FILES = sorted(LOCALE.rglob("*.po"))
# Code, formulas and the targets of links; the text of a link is translated.
_KEPT = re.compile(r"`[^`]+`|\$[^$]+\$|\]\(([^)]+)\)|%\([a-z_]+\)s")


def _messages(path):
    with path.open("rb") as file:
        return [message for message in read_po(file, abort_invalid=True) if message.id]


def _name(path):
    return path.relative_to(LOCALE).as_posix()


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_catalogue_is_valid(path):
    problems = []
    for message in _messages(path):
        for check in checkers:
            try:
                if message.string and "%(" in message.id:
                    check(None, message)
            except Exception as error:
                problems.append(f"{message.id}: {error}")
    assert not problems


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_translation_has_the_fields_code_and_formulas_of_its_original(path):
    changed = [
        message.id
        for message in _messages(path)
        if message.string and not message.fuzzy and _kept(message.id) - _kept(message.string)
    ]
    assert not changed


def _kept(text):
    found = {match[0] if not match[1] else match[1] for match in _KEPT.finditer(text)}
    # A download is a Sphinx role, whose text is translated.
    return {part for part in found if not part.startswith("`Download")} | set(
        fields(text) if "helpers" in text else ()
    )


@pytest.mark.parametrize("name", [*PAGES, "sphinx", "titles", "helpers"])
def test_translation_is_complete_but_for_what_changed_lately(name):
    """A sentence that was edited in English is shown in English until it is translated again."""
    path = LOCALE / "ko" / "LC_MESSAGES" / f"{name}.po"
    open_messages = missing(path)
    assert len(open_messages) <= 0.1 * len(_messages(path)), open_messages


def test_same_text_has_one_translation():
    found = {}
    for path in FILES:
        for message in _messages(path):
            if message.string and not message.fuzzy:
                found.setdefault((path.parts[-3], message.id), set()).add(message.string)
    assert not [key for key, strings in found.items() if len(strings) > 1]


def test_translated_text_is_polite_throughout():
    """Sentences of pages and messages end in -니다, -요 or a request; headings need not."""
    plain = []
    for path in FILES:
        for message in _messages(path):
            if message.id.rstrip().endswith((".", "?", "!")) and message.string:
                for sentence in re.findall(r"[가-힣]+다\.", message.string):
                    if not sentence.endswith(("니다.", "시다.")):
                        plain.append(sentence)
    assert not plain


def test_template_of_a_formatted_string_names_its_fields():
    import ast

    node = ast.parse("f'{x} of {len(rows):.3g} rows'", mode="eval").body
    assert template(node) == ("{x} of {len(rows)} rows", True)
