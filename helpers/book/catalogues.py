"""Update the gettext catalogues of the book from its sources."""

from __future__ import annotations

import ast
import io
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from babel.messages import Catalog, Message
from babel.messages.pofile import read_po, write_po

from helpers.book.stage import glossary_terms
from helpers.exercises import CHAPTERS

__all__ = ["LOCALE", "PAGES", "derived", "missing", "template", "update"]

LOCALE = Path(__file__).with_name("locale")
# Pages with a catalogue; all others are shown in English.
PAGES = ("index", "start", "chapters/map", "chapters/01_perceptrons")
# Modules with the messages of check, hint and progress in the chapters of PAGES.
_SPOKEN = (
    "feedback.py",
    "answers.py",
    "exercises/points.py",
    "exercises/registry.py",
    "exercises/expectations.py",
    "exercises/released.py",
    "exercises/ch01_perceptrons.py",
)
# Texts of Sphinx and the theme that have no Korean translation there.
_OF_SPHINX = ("Link to this heading", "Link to this definition", "Permalink to this image")
# Single words and names that those modules show.
_WORDS = (
    "Correct",
    "Progress",
    "integer",
    "one-hot",
    "large",
    "small",
    *(name.replace("_", " ") for name in CHAPTERS),
)
# Phrases with numbers are translated here, so that a translator need not repeat them when a number
# changes.
_FORMS = {
    "ko": (
        (r"(\d+) min", r"\1분"),
        (r"([\d.]+) h", r"\1시간"),
        (r"(\d+) s on (\d+) cores", r"코어 \2개에서 \1초"),
        (r"(\d+), (\d+) points", r"\1문제, \2점"),
        (r"([\d.]+) over folds", r"폴드 간 \1"),
        (r"([\d.]+) over seeds", r"시드 간 \1"),
        (r"not measured", r"측정하지 않음"),
        (
            r"\*(\d+) points? · (\S+) · (\d+) min · stuck\? run `(.+)`\*",
            r"*\1점 · \2 · \3분 · 막히면 `\4`를 실행하세요*",
        ),
    )
}
_LINK = re.compile(r"\[[^\]]+\]\(glossary\.md#([^)]+)\)")
_NO_WORDS = re.compile(r"[\d\W_]*|\\?[a-zA-Z]|\$[^$]*\$|TensorFlow [\d.]+, Keras [\d.]+")


def update(language: str, source: Path, work: Path) -> dict[str, int]:
    """Update the catalogues of a language.

    Args:
        language: For example "ko".
        source: The staged sources of the book.
        work: A folder for the messages that Sphinx extracts.

    Returns:
        The number of messages in each catalogue that still need a translator.
    """
    shutil.rmtree(work, ignore_errors=True)  # it may contain messages of deleted pages
    command = [sys.executable, "-m", "sphinx", "-q", "-b", "gettext", "-c", str(LOCALE.parent)]
    subprocess.run([*command, str(source), str(work)], check=True)
    templates = {page: _read(work / f"{page}.pot") for page in PAGES}
    templates["sphinx"] = _theme()
    templates["titles"] = _titles(work)
    templates["helpers"] = _extracted([LOCALE.parents[1] / name for name in _SPOKEN])
    folder = LOCALE / language / "LC_MESSAGES"
    known = _known(folder)
    terms = {term.anchor: term.korean for term in glossary_terms(source)}
    for name, found in templates.items():
        path = folder / f"{name}.po"
        catalogue = _read(path, language) if path.exists() else Catalog(locale=language)
        catalogue.update(found)
        catalogue.obsolete.clear()
        for message in catalogue:
            if message.id and (not message.string or message.fuzzy):
                _fill(message, language, known, terms)
        _write(catalogue, path)
    return {name: len(missing(folder / f"{name}.po")) for name in templates}


def missing(path: Path) -> list[str]:
    """Return the messages of a catalogue that a translator should translate."""
    return [
        message.id
        for message in _read(path)
        if message.id and (not message.string or message.fuzzy) and _has_words(message)
    ]


def _has_words(message: Message) -> bool:
    if _NO_WORDS.fullmatch(message.id) or re.search(r"\\tag\{", message.id):
        return False
    code = re.sub(r"`[^`]*`|\[[^\]]*\]\([^)]*\)", "", message.id)
    return bool(re.search(r"[A-Za-z]{2}", code))


def _fill(message: Message, language: str, known: dict[str, str], terms: dict[str, str]) -> None:
    """Translate a message that needs no translator: numbers, a list of terms, a known text."""
    found = known.get(message.id, "")
    for form, words in _FORMS.get(language, ()):
        if re.fullmatch(form, message.id):
            found = re.sub(form, words, message.id)
    links = _LINK.findall(message.id)
    if links and not re.search(r"\w", _LINK.sub("", message.id)):
        found = _LINK.sub(lambda link: f"[{terms[link[1]]}](glossary.md#{link[1]})", message.id)
    if found:
        message.string = found
        message.flags.discard("fuzzy")


def _known(folder: Path) -> dict[str, str]:
    """Return all translations of a language, by their English text."""
    return {
        message.id: message.string
        for path in sorted(folder.rglob("*.po"))
        for message in _read(path)
        if message.id and message.string and not message.fuzzy
    }


def derived(language: str, source: Path, target: Path) -> None:
    """Write the catalogues that need no translator.

    The glossary contains both languages, which are swapped. Of other pages, only the title is
    translated.
    """
    folder = target / language / "LC_MESSAGES"
    titles = LOCALE / language / "LC_MESSAGES" / "titles.po"
    catalogue = _read(titles, language)
    for term in glossary_terms(source):
        catalogue.add(term.english, f"{term.korean} ({term.english})")
        link = f"[chapter {term.chapter}]({term.chapter:02}_{CHAPTERS[term.chapter - 1]}.ipynb)"
        catalogue.add(
            f"**{term.korean}** · {link}",
            link.replace(f"chapter {term.chapter}", f"{term.chapter}장"),
        )
        catalogue.add(term.meaning, term.korean_meaning)
        catalogue.add(term.korean_meaning, term.meaning)
    _write(catalogue, folder / "chapters" / "glossary.po")
    pages = [path.relative_to(source).with_suffix("").as_posix() for path in source.rglob("*.*")]
    for page in pages:
        if page not in (*PAGES, "chapters/glossary"):
            _write(_read(titles, language), folder / f"{page}.po")


def _read(path: Path, language: str | None = None) -> Catalog:
    with path.open("rb") as file:
        return read_po(file, locale=language)


def _write(catalogue: Catalog, path: Path) -> None:
    """Write a catalogue without dates and line numbers, which would make needless differences."""
    for message in catalogue:
        message.locations = []
        if "%(" not in message.id:  # "80 %" is not a format
            message.flags.discard("python-format")
    text = io.BytesIO()
    write_po(text, catalogue, width=100, omit_header=True, include_previous=False)
    header = (
        'msgid ""\nmsgstr ""\n"Project-Id-Version: Keras workbook\\n"\n'
        f'"Language: {catalogue.locale}\\n"\n"MIME-Version: 1.0\\n"\n'
        '"Content-Type: text/plain; charset=utf-8\\n"\n"Content-Transfer-Encoding: 8bit\\n"\n\n'
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(header + text.getvalue().decode().strip() + "\n", encoding="utf-8")


def _theme() -> Catalog:
    """Return the texts that the theme, `languages.py` and Sphinx show around a page."""
    import pydata_sphinx_theme

    catalogue = _read(Path(pydata_sphinx_theme.__file__).parent / "locale" / "sphinx.pot")
    for message in _extracted([LOCALE.parent / "languages.py"], called="_"):
        catalogue.add(message.id)
    for text in _OF_SPHINX:
        catalogue.add(text)
    return catalogue


def _titles(work: Path) -> Catalog:
    """Return the titles of pages without a catalogue, which the navigation shows."""
    catalogue = Catalog()
    for path in sorted(work.rglob("*.pot")):
        name = path.relative_to(work).with_suffix("").as_posix()
        count = 2 if name == "chapters/glossary" else 1  # also its introduction
        if name not in PAGES:
            for message in list(_read(path))[1 : 1 + count]:
                catalogue.add(message.id)
    return catalogue


def _extracted(paths: list[Path], called: str = "") -> Catalog:
    """Return the sentences in Python modules, or only the arguments of the function `called`."""
    catalogue = Catalog()
    for path in paths:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for text, fields in _sentences(tree, called):
            catalogue.add(text, flags=["python-brace-format"] if fields else [])
    if not called:
        for text in _WORDS:
            catalogue.add(text)
    return catalogue


def _sentences(tree: ast.AST, called: str) -> Iterator[tuple[str, bool]]:
    if called:
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == called:
                yield template(node.args[0])
        return
    for node in _texts(tree):
        text, fields = template(node)
        if _is_sentence(text, fields):
            yield text, fields


def _texts(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the largest expressions that are text, and those inside their fields."""
    for child in ast.iter_child_nodes(node):
        is_docstring = isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant)
        if is_docstring or isinstance(node, ast.JoinedStr | ast.BinOp) and _is_text(child):
            yield from () if is_docstring else _texts(child)
            continue
        if template(child)[0]:
            yield child
        yield from _texts(child)


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant | ast.JoinedStr)


def template(node: ast.AST) -> tuple[str, bool]:
    """Return a text expression with its fields in braces, and whether it has any.

    >>> template(ast.parse("f'{name} has {len(rows)} rows' + rest", mode="eval").body)
    ('{name} has {len(rows)} rows{rest}', True)
    """
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value, False
    if isinstance(node, ast.JoinedStr):
        parts = [
            part.value if isinstance(part, ast.Constant) else _field(part.value)
            for part in node.values
        ]
        return "".join(parts), not all(isinstance(part, ast.Constant) for part in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        sides = [
            template(side) if template(side)[0] else (_field(side), True)
            for side in (node.left, node.right)
        ]
        if any(template(side)[0] for side in (node.left, node.right)):
            return sides[0][0] + sides[1][0], sides[0][1] or sides[1][1]
    return "", False


def _field(node: ast.AST) -> str:
    return "{" + re.sub(r"[{}]", "", ast.unparse(node)) + "}"


def _is_sentence(text: str, fields: bool) -> bool:
    """Return whether a text may be shown to a student: it is neither source code nor a name."""
    if re.search(r"\n|^result = |^[#^'(]|<div|px |END SOLUTION|text/", text):
        return False
    words = re.sub(r"\{[^{}]*\}", "", text)
    return " " in (words if fields else text.strip()) and bool(re.search(r"[A-Za-z]{2}", words))
