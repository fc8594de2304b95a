"""The table of conditions and their words: whole, without circles, readable by a household."""
import re
import unicodedata

import pytest

from agent.core.health.conditions import CODES, RANK
from agent.core.health.texts import TEXTS, text


def test_every_code_has_words_in_both_languages_and_no_words_are_left_over():
    assert {language: set(table) for language, table in TEXTS.items()} == {"vi": set(CODES), "en": set(CODES)}


@pytest.mark.parametrize("language", TEXTS)
@pytest.mark.parametrize("code", CODES)
def test_a_title_is_short_and_a_remedy_is_one_sentence(code, language):
    words = text(code, language)
    assert 0 < len(words.title) <= 50
    assert not words.title.endswith(".")
    assert re.fullmatch(r"[^.]+(\.\w[^.]*)*\.", words.remedy)      # "cmdline.txt" and "H.264" are no ends of sentences
    assert 20 <= len(words.remedy) <= 140
    assert all(unicodedata.is_normalized("NFC", part) for part in words)


@pytest.mark.parametrize("code", CODES)
def test_vietnamese_is_written_with_its_marks(code):
    letters = "".join(text(code, "vi"))
    assert sum(letter in "đĐ" or len(unicodedata.normalize("NFD", letter)) > 1 for letter in letters) >= 5
    assert text(code, "vi").title != text(code, "en").title


@pytest.mark.parametrize(("unit", "service"), [("capture@gate", "taimat-capture@gate"), ("keeper", "taimat-keeper"),
                                               ("capture@network", "taimat-capture-network")])
def test_the_remedy_of_a_unit_that_nobody_started_is_the_very_command(unit: str, service: str):
    for language in TEXTS:
        remedy = text("role_not_started", language, unit).remedy
        assert "sudo systemctl start setup-taimat;" in remedy and remedy.endswith(f" -u {service}.")


def test_no_two_conditions_have_the_same_title():
    for table in TEXTS.values():
        assert len({words.title for words in table.values()}) == len(table)


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
