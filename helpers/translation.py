"""Translate the messages of `check`, `hint` and `progress`.

A check builds its messages in English, also in grading, where nothing is translated. On a page, the
finished message is looked up. A catalogue entry with fields, such as "{what} lacks the keys
{keys}", is a pattern that matches the message; the texts in its fields are then translated in the
same way.
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
# Fields that may contain text of the student. If any other field contains words without a
# translation, the pattern does not match.
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
    """Return the translation of a message, or the message if it has none.

    Args:
        text: The message in English.
        language: For example "ko". Without a catalogue, the message is returned unchanged.
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
    """The messages of a `.po` file; those with fields become patterns."""

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
        # The pattern with the most text outside its fields is tried first.
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
        """Translate a text of several messages, one after the other."""
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
        """Return the translated values by field; None if one needs a translation and has none."""
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
    """Return a Korean text with each particle in the form that fits the word before it.

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


# A field directly before another field: a number, or a text without punctuation.
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
    """Return the fields of a message, in order.

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
