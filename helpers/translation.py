"""Say in another language what `check`, `hint` and `progress` say in English.

A check builds its sentences in English, also in grading, where nothing is translated. On the page,
the finished sentence is looked up: a catalogue entry with fields, such as "{what} lacks the keys
{keys}", is a pattern that the sentence fits, and what fills a field is translated in turn.
"""

from __future__ import annotations

import ast
import gettext
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import IO

__all__ = ["Translations", "entries", "fields", "translated", "with_particles"]

_LOCALE = Path(__file__).parent / "book" / "locale"
_FIELD = re.compile(r"(\{[^{}]+\})")
# Fields that may hold a student's own words. Where another field has words without a translation,
# the sentence is another one, or it stays in English as a whole.
_FREE = re.compile(r"show|raised|error|line|list|got|repr")
_PARTICLE = re.compile(
    r"(?P<end>\w)(?P<after>[^\w\s]*)(?P<particle>이\(가\)|은\(는\)|을\(를\)|과\(와\)|\(으\)로|\(이\)어야)"
)
_FORMS = {  # after a final consonant, and after a vowel
    "이(가)": ("이", "가"),
    "은(는)": ("은", "는"),
    "을(를)": ("을", "를"),
    "과(와)": ("과", "와"),
    "(으)로": ("으로", "로"),
    "(이)어야": ("이어야", "여야"),
}


def translated(text: str, language: str) -> str:
    """Return a message in a language, or unchanged if it has no translation.

    Args:
        text: What the page is about to show.
        language: For example "ko"; one without a catalogue changes nothing.
    """
    return _catalogue(language).gettext(text)


@lru_cache
def _catalogue(language: str) -> gettext.NullTranslations:
    path = _LOCALE / language / "LC_MESSAGES" / "helpers.po"
    if not language.isalpha() or not path.exists():
        return gettext.NullTranslations()
    with path.open(encoding="utf-8") as file:
        return Translations(file)


class Translations(gettext.NullTranslations):
    """The messages of a `.po` file, with those that have fields as patterns."""

    def _parse(self, fp: IO[str]) -> None:
        self._fixed: dict[str, str] = {}
        patterns = []
        for flags, text, words in entries(fp):
            if not text or not words or "fuzzy" in flags:
                continue
            if "python-brace-format" in flags:
                patterns.append((text, words))
            else:
                self._fixed[text] = words
        # The pattern with the most words of its own fits best.
        patterns.sort(key=lambda pair: len(_FIELD.sub("", pair[0])), reverse=True)
        self._patterns = [(_pattern(text), fields(text), words) for text, words in patterns]

    def gettext(self, message: str) -> str:
        """Return the translation of a message, or the message."""
        return self._translate(message) or message

    def _translate(self, text: str) -> str | None:
        if text in self._fixed:
            return self._fixed[text]
        return self._sentences(text) or self._filled(text)

    def _sentences(self, text: str) -> str | None:
        """Translate several messages that follow each other."""
        for end in re.finditer(r"[.?!)] ", text):
            first = text[: end.start() + 1]
            head = self._fixed.get(first) or self._filled(first)
            tail = head and self._translate(text[end.end() :])
            if tail:
                return f"{head} {tail}"
        return None

    def _filled(self, text: str) -> str | None:
        for pattern, names, words in self._patterns:
            found = pattern.fullmatch(text)
            values = found and self._values(names, found.groups())
            if values is not None:
                parts = [values.get(part, part) for part in _FIELD.split(words)]
                return with_particles("".join(parts))
        return None

    def _values(self, names: Iterable[str], values: Iterable[str]) -> dict[str, str] | None:
        """Return what fills the fields, translated; None if words of ours have no translation."""
        filled = {}
        for name, value in zip(names, values, strict=True):
            words = self._translate(value) or self._translate(value[:1].lower() + value[1:])
            if words is None and value.startswith(" "):
                words = self._translate(value[1:])
                words = words and f" {words}"
            is_free = _FREE.search(name)
            if words is None and not is_free and re.search(r"[a-z]{2,} [a-z]{2,}", value):
                return None
            filled[name] = words or value
        return filled


def with_particles(text: str) -> str:
    """Return a Korean text with the form of each particle that fits what precedes it.

    >>> with_particles("3이(가), (2,)을(를), 값은(는), None이(가)")
    '3이, (2,)를, 값은, None이(가)'
    """

    def chosen(found: re.Match[str]) -> str:
        end = found["end"]
        if end in "0136789":  # 영, 일, 삼, 육, 칠, 팔
            closed, is_rieul = end != "9", end in "178"
        elif end in "245":
            closed, is_rieul = False, False
        elif "가" <= end <= "힣":
            closed, is_rieul = (ord(end) - 0xAC00) % 28 > 0, (ord(end) - 0xAC00) % 28 == 8
        else:
            return found[0]
        if found["particle"] == "(으)로" and is_rieul:
            closed = False
        return found["end"] + found["after"] + _FORMS[found["particle"]][not closed]

    return _PARTICLE.sub(chosen, text).replace("(이)어야", "이어야")


# A field that another one follows directly: a number, or a text without a mark of punctuation.
_BEFORE_A_FIELD = r"((?>[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?)|[^:;,]+)"


def _pattern(text: str) -> re.Pattern[str]:
    parts = _FIELD.split(text)
    source = ""
    for n, part in enumerate(parts):
        if n % 2 == 0:
            source += re.escape(part)
        else:
            is_followed = not parts[n + 1] and n + 2 < len(parts)
            source += _BEFORE_A_FIELD if is_followed else "(.*?)"
    return re.compile(source, re.S)


def fields(text: str) -> list[str]:
    """Return the fields of a message, in their order.

    >>> fields("{what} has {len(got)} entries.")
    ['{what}', '{len(got)}']
    """
    return _FIELD.findall(text)


def entries(lines: Iterable[str]) -> Iterator[tuple[str, str, str]]:
    """Yield the flags, the message and the translation of each entry of a `.po` file.

    >>> list(entries(['#, fuzzy', 'msgid "a"', 'msgstr ""', '"b"', '"c"']))
    [('#, fuzzy', 'a', 'bc')]
    """
    flags, parts = "", {"msgid": "", "msgstr": ""}
    into = ""
    for line in [*lines, 'msgid ""']:
        word, _, rest = line.strip().partition(" ")
        if word == "#," or (word == "msgid" and into == "msgstr"):
            if into == "msgstr":
                yield flags, parts["msgid"], parts["msgstr"]
                flags, into = "", ""
            flags = line.strip() if word == "#," else flags
        if word in parts:
            into = word
            parts[word] = ast.literal_eval(rest)
        elif line.startswith('"'):
            parts[into] += ast.literal_eval(line.strip())
