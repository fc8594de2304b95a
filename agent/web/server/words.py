"""The words of the household's page: its own texts in i18n/, what all pages say, and what several rooms say alike."""
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from agent.core.household.labels import WordLack
from agent.core.household.pause import DAYS
from agent.look import words
from agent.look.words import PageWords

FOLDER = Path(__file__).parents[1] / "i18n"
DAY = re.compile("|".join(DAYS), re.IGNORECASE)


def load(language: str, labels: Mapping[str, str] | None = None) -> PageWords:
    """The words of one of LANGUAGES, with what people call each camera."""
    return words.load(language, FOLDER, labels)


def days_text(days: float, words: PageWords) -> str:
    """A number of days as people say it: whole ones from ten on."""
    whole = float(days).is_integer() or days >= 10
    return words("settings.day" if days == 1 else "settings.days", days=words.number(days, 0 if whole else 1))


def hours_text(off: Sequence[str], words: PageWords) -> str:
    """Weekly hours with the days in the reader's language."""
    return "; ".join(DAY.sub(lambda day: words(f"time.weekday.{DAYS.index(day[0].lower()) + 1}"), line) for line in off)


def lack_sentence(lack: WordLack | None, words: PageWords) -> str:
    """Why whoever is to be told of people and vehicles alone is told of all motion; "" if that is not so."""
    return words(f"label.lack_{lack}") if lack else ""
