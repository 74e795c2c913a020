"""The book builds without warnings, and its links and alternative texts are complete."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlparse

import pytest

from helpers.exercises import CHAPTERS, exercises_of

pytest.importorskip("sphinx", reason="the book needs the extra `book`")


class _Page(HTMLParser):
    """The ids, links and images of a page."""

    def __init__(self, text: str):
        super().__init__()
        self.ids, self.links, self.images = set(), [], []
        self.listed = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.listed += [found["id"]] if found.get("id") else []
        self.ids.update(found[name] for name in ("id", "name") if found.get(name))
        if tag == "a" and found.get("href"):
            self.links.append(found["href"])
        if tag == "img":
            self.images.append(found)


@pytest.fixture(scope="module")
def pages(site) -> dict[Path, _Page]:
    found = [path for path in site.rglob("*.html") if "_static" not in path.parts]
    return {path.resolve(): _Page(path.read_text(encoding="utf-8")) for path in found}


def test_every_internal_link_and_anchor_leads_somewhere(pages, site):
    dead = []
    for path, page in pages.items():
        for link in page.links:
            parts = urlparse(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            anchor = unquote(parts.fragment)
            if not target.exists() or (
                anchor and target in pages and anchor not in pages[target].ids
            ):
                dead.append(f"{path.name}: {link}")
    assert not dead


def test_every_page_is_valid_html_with_unique_ids(pages):
    html5lib = pytest.importorskip("bleach._vendor.html5lib")
    wrong = []
    for path, page in pages.items():
        parser = html5lib.HTMLParser()
        parser.parse(path.read_text(encoding="utf-8"))
        wrong += [f"{path.name}: {code} at {place}" for place, code, _ in parser.errors]
        twice = {name for name in page.listed if page.listed.count(name) > 1}
        wrong += [f"{path.name}: the id {name} is given twice" for name in twice]
    assert not wrong


def test_nothing_is_loaded_from_another_host(site):
    loaded = []
    for path in site.rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        loaded += re.findall(r'<(?:script|link|img)[^>]+(?:src|href)="(https?://[^"]+)"', text)
    assert not [address for address in loaded if "keras-workbook" not in address]


def test_every_image_has_words(pages):
    silent = [
        (path.name, image.get("src"))
        for path, page in pages.items()
        for image in page.images
        if not image.get("alt")
    ]
    assert not silent


@pytest.mark.parametrize("number", range(1, 8))
def test_each_exercise_has_its_hints_and_its_answer_folded(site, number):
    chapter = CHAPTERS[number - 1]
    text = (site / "chapters" / f"{number:02}_{chapter}.html").read_text(encoding="utf-8")
    listed = exercises_of(chapter)
    assert text.count("Hint 1: the idea") == len(listed)
    assert text.count("A model answer") == sum(found.kind == "T" for found in listed)
    assert "Show the released answer" in text
    assert "BEGIN SOLUTION" not in text and "### STUB" not in text


def test_korean_site_has_chapter_1_in_korean_and_the_others_in_english(site):
    first = (site / "ko" / "chapters" / "01_perceptrons.html").read_text(encoding="utf-8")
    assert '<html lang="ko"' in first and "<h1>1. 퍼셉트론" in first
    assert "공개된 답 보기" in first and "힌트 1: 아이디어" in first
    second = (site / "ko" / "chapters" / "02_multilayer_perceptrons.html").read_text("utf-8")
    assert "<h1>2. 다층 퍼셉트론" in second and "아직 번역되지 않아" in second
    assert re.search(r'<div lang="en">.*Affine after affine', second, re.S)


def test_code_formulas_and_output_are_the_same_in_both_languages(site):
    kept = re.compile(r'<pre[^>]*>.*?</pre>|<div class="math[^>]*>.*?</div>', re.S)
    texts = [
        kept.findall((site / folder / "chapters" / "01_perceptrons.html").read_text("utf-8"))
        for folder in ("", "ko")
    ]
    assert texts[0] == texts[1] and len(texts[0]) > 60


def test_each_page_links_the_same_page_in_the_other_language(pages, site):
    here = site.resolve()
    for path in pages:
        other = here / "ko" / path.relative_to(here)
        if "ko" in path.relative_to(here).parts:
            other = here / path.relative_to(here / "ko")
        targets = {
            (path.parent / link).resolve() for link in pages[path].links if link[:4] != "http"
        }
        assert other in targets, path


def test_korean_glossary_explains_a_term_in_korean_first(site):
    text = (site / "ko" / "chapters" / "glossary.html").read_text(encoding="utf-8")
    first = text[text.index('id="dropout"') :]
    assert first.index("학습할 때 활성값을") < first.index("Random removal of activations")


def test_search_finds_a_korean_word_with_a_particle():
    from helpers.book.languages import Korean

    index = Korean({})
    assert index.stem("퍼셉트론은") == index.stem("퍼셉트론") == "퍼셉트론"
    assert index.stem("가중치를") == "가중치" and index.stem("층은") == "층은"


def test_a_link_to_the_glossary_tells_its_term(site):
    text = (site / "chapters" / "01_perceptrons.html").read_text(encoding="utf-8")
    assert re.search(r'href="glossary.html#[^"]+" title="[^"]{20,}', text)
