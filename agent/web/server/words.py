"""The words of the household's page: its texts in i18n/, and phrases that several rooms share."""
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace

from agent.core.household.labels import WordLack
from agent.core.household.pause import DAYS
from agent.look import words
from agent.look.words import PageWords

FOLDER = Path(__file__).parents[1] / "i18n"
DAY = re.compile("|".join(DAYS), re.IGNORECASE)
View = SimpleNamespace          # values in words, by the names that a template uses


def load(language: str, labels: Mapping[str, str] | None = None) -> PageWords:
    return words.load(language, FOLDER, labels)


def days_text(days: float, words: PageWords) -> str:
    """Returns a number of days as people say it: whole from ten on."""
    whole = float(days).is_integer() or days >= 10
    return words("settings.day" if days == 1 else "settings.days", days=words.number(days, 0 if whole else 1))


def hours_text(off: Sequence[str], words: PageWords) -> str:
    return "; ".join(DAY.sub(lambda day: words(f"time.weekday.{DAYS.index(day[0].lower()) + 1}"), line) for line in off)


def lack_sentence(lack: WordLack | None, words: PageWords) -> str:
    """Says why events get no label, so that all motion is sent; "" if they get one."""
    return words(f"label.lack_{lack}") if lack else ""
