"""The table of conditions and their words: whole, without circles, readable by a household."""
import re
import string
import unicodedata

import pytest

from agent.core.health.conditions import CODES, RANK
from agent.look.device_words import condition_text, condition_texts, table
from agent.look.words import LANGUAGES, flatten

TEXTS = {language: condition_texts(language) for language in LANGUAGES}


def test_every_code_has_words_in_both_languages_and_no_words_are_left_over():
    assert {language: set(table) for language, table in TEXTS.items()} == {"vi": set(CODES), "en": set(CODES)}


def test_the_languages_say_the_same_with_the_same_gaps():
    def gaps(language):
        return {key: {gap for _, gap, _, _ in string.Formatter().parse(text)} for key, text in flatten(table(language))}

    assert gaps("vi") == gaps("en") and len(gaps("vi")) > 2 * len(CODES)


@pytest.mark.parametrize("language", TEXTS)
@pytest.mark.parametrize("code", CODES)
def test_a_title_is_short_and_a_remedy_is_one_sentence(code, language):
    words = condition_text(code, language)
    assert 0 < len(words.title) <= 50
    assert not words.title.endswith(".")
    assert re.fullmatch(r"[^.]+(\.\w[^.]*)*\.", words.remedy)      # "cmdline.txt" and "H.264" are no ends of sentences
    assert 20 <= len(words.remedy) <= 140
    assert all(unicodedata.is_normalized("NFC", part) for part in words)


@pytest.mark.parametrize("code", CODES)
def test_vietnamese_is_written_with_its_marks(code):
    letters = "".join(condition_text(code, "vi"))
    assert sum(letter in "đĐ" or len(unicodedata.normalize("NFD", letter)) > 1 for letter in letters) >= 5
    assert condition_text(code, "vi").title != condition_text(code, "en").title


@pytest.mark.parametrize(("unit", "service"), [("capture@gate", "taimat-capture@gate"), ("keeper", "taimat-keeper"),
                                               ("capture@network", "taimat-capture-network")])
def test_the_remedy_of_a_unit_that_nobody_started_is_the_very_command(unit: str, service: str):
    for language in TEXTS:
        remedy = condition_text("role_not_started", language, unit).remedy
        assert "sudo systemctl start setup-taimat;" in remedy and remedy.endswith(f" -u {service}.")


def test_no_two_conditions_have_the_same_title():
    for texts in TEXTS.values():
        assert len({words.title for words in texts.values()}) == len(texts)


def test_causes_are_codes_and_never_explain_each_other_in_a_circle():
    def causes(code, path=()):
        assert code not in path, f"{path} leads back to {code}"
        for cause in CODES[code].after:
            causes(cause, (*path, code))

    for code, row in CODES.items():
        assert row.severity in RANK
        assert row.visible_s >= 0
        assert row.clear_s > 0
        causes(code)
