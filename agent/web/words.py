"""The words of the household's page: its own texts in i18n/, and what all pages say.

It stands alone because tests and benches speak these words, too, without a page.
"""
from collections.abc import Mapping
from pathlib import Path

from agent.look import words
from agent.look.words import PageWords

FOLDER = Path(__file__).with_name("i18n")


def load(language: str, labels: Mapping[str, str] | None = None) -> PageWords:
    """The words of one of LANGUAGES, with what people call each camera."""
    return words.load(language, FOLDER, labels)
