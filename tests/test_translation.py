"""With WORKBOOK_LANG=ko, messages are in Korean, or in English if they have no translation."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys

import numpy as np
import pytest

from helpers import check, feedback, hint, progress, translation
from helpers.translation import Translations, entries, fields, translated, with_particles

CATALOGUE = translation._LOCALE / "ko" / "LC_MESSAGES" / "helpers.po"
KOREAN = re.compile("[가-힣]")


@pytest.fixture
def korean(monkeypatch):
    monkeypatch.setenv("WORKBOOK_LANG", "ko")
    monkeypatch.setattr("helpers.feedback._hints_given", {})


def _entries():
    with CATALOGUE.open(encoding="utf-8") as file:
        return [entry for entry in entries(file) if entry[1]]


def test_check_right_answer_says_so_in_korean(korean, capsys):
    check("1.3", "b")
    assert capsys.readouterr().out == "✓ 1.3 XOR를 나누는 직선은 없다: 정답, 1점\n"


def test_check_wrong_answer_gives_the_reason_in_korean(korean, capsys):
    check("1.3", "c")
    told = capsys.readouterr().out
    assert "아직 아님" in told and "격자 위에 해가 수십 개씩 있습니다" in told


def test_check_translates_each_of_several_reasons(korean, capsys):
    check("1.1", lambda a, b: int(a + b - 0.5 > 0), lambda a, b: None, lambda a, b: 2)
    told = capsys.readouterr().out
    assert "AND 대신 OR를 만들었습니다" in told
    assert "None이 나왔습니다. `return`이 빠지지 않았나요?" in told
    assert "OR(0, 0)의 값으로 2가 나왔습니다" in told


def test_check_shows_the_line_of_an_error_in_korean(korean, capsys):
    check("1.5", lambda z: 1 / 0, lambda z: z)
    told = capsys.readouterr().out
    assert "오류로 중단됨" in told and "ZeroDivisionError" in told


def test_check_with_too_few_answers_says_in_korean_how_to_write_it(korean, capsys):
    check("1.1", np.add)
    assert "이렇게 쓰세요: check(" in capsys.readouterr().out


def test_hint_and_progress_are_korean(korean, capsys):
    hint("1.2")
    progress("perceptrons")
    told = capsys.readouterr().out
    assert "게이트를 합성한 XOR: 힌트 1/3" in told and "퍼셉트론: 확인 문제 10개 중" in told
    assert not re.search(r"[a-z]{3,} [a-z]{3,}", told)


def test_hint_of_a_chapter_without_a_translation_is_english(korean, capsys):
    hint("5.1")
    told = capsys.readouterr().out
    assert "힌트" in told and re.search(r"[a-z]{3,} [a-z]{3,}", told)


@pytest.mark.parametrize("language", ["en", "xx", "../ko"])
def test_language_without_a_catalogue_changes_nothing(language):
    assert translated("the result", language) == "the result"


def test_english_loads_no_catalogue():
    code = (
        "import sys; from helpers import hint; hint('1.1');"
        "assert 'helpers.translation' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env=_without_language())


def _without_language():
    return {name: value for name, value in os.environ.items() if name != "WORKBOOK_LANG"}


def test_each_translation_has_the_fields_of_its_original():
    assert not [
        text
        for flags, text, words in _entries()
        if words and "python-brace-format" in flags and set(fields(text)) != set(fields(words))
    ]


def test_each_pattern_is_found_again_in_its_own_message():
    """Each message, filled with plain values, gives its own translation with the same values."""
    lost = []
    for flags, text, words in _entries():
        if "python-brace-format" not in flags or not words:
            continue
        values = {
            field: f": {n}" if f"}}{field}" in text else str(n)
            for n, field in enumerate(fields(text))
        }
        message, wanted = text, words
        for field, value in values.items():
            message, wanted = message.replace(field, value), wanted.replace(field, value)
        if translated(message, "ko") != with_particles(wanted):
            lost.append((message, translated(message, "ko")))
    assert not lost


@pytest.mark.parametrize(
    "message",
    [
        "Given a (3, 4) array: nobody has translated this sentence.",
        "Given something new: expected 1 for w, got 2.",
        "Not a: nobody has translated this sentence.",
    ],
)
def test_message_with_an_untranslated_part_stays_english_as_a_whole(message):
    assert translated(message, "ko") == message


def test_students_own_words_are_kept():
    told = translated(
        "Given XOR and the default: expected a ValueError, but your code raised "
        "TypeError: I have no idea what went wrong.",
        "ko",
    )
    assert "TypeError: I have no idea what went wrong" in told and "XOR, 기본값" in told


def test_fuzzy_and_empty_translations_are_left_out():
    found = Translations(
        io.StringIO('#, fuzzy\nmsgid "a b"\nmsgstr "가"\n\nmsgid "c"\nmsgstr ""\n')
    )
    assert found.gettext("a b") == "a b" and found.gettext("c") == "c"


def test_every_sentence_of_the_catalogue_is_korean():
    foreign = [
        text
        for _, text, words in _entries()
        if not KOREAN.search(words)
        and re.search(r"[a-z]{3,} [a-z]{3,}", re.sub("`[^`]*`", "", words))
    ]
    assert not foreign


def test_box_keeps_its_english_without_a_language(capsys, monkeypatch):
    monkeypatch.delenv("WORKBOOK_LANG", raising=False)
    feedback._show_box("○", "Progress", "#000", ["the result"])
    assert capsys.readouterr().out == "○ Progress\n  the result\n"
