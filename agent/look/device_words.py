"""What the device says of itself in Vietnamese and English: conditions, notifications, consent, and to Home Assistant.

The texts are in i18n/device.*.toml, apart from those of the pages, because link and command line need no others.
"""
import functools
import tomllib
from collections.abc import Mapping
from typing import Any

from agent.core.health.conditions import ConditionText
from agent.core.home_assistant import HomeTexts
from agent.look.words import FOLDER

UNIT = "taimat-UNIT"        # in a remedy: stands for the systemd unit


@functools.cache
def table(language: str) -> dict[str, Any]:
    """Returns all texts in a language ("vi" or "en"), as they are in the file."""
    return tomllib.loads((FOLDER / f"device.{language}.toml").read_text(encoding="utf-8"))


@functools.cache
def condition_texts(language: str) -> dict[str, ConditionText]:
    """Returns title and remedy of each condition by its code."""
    return {code: ConditionText(**texts) for code, texts in table(language)["condition"].items()}


def condition_text(code: str, language: str, unit: str | None = None) -> ConditionText:
    """Returns title and remedy of a condition. `unit` is the process, as in its heartbeat. Raises KeyError."""
    said = condition_texts(language)[code]
    if unit is None:
        return said
    # The process of all network cameras is not an instance of the unit for a single camera.
    service = "taimat-capture-network" if unit == "capture@network" else f"taimat-{unit}"
    return said._replace(remedy=said.remedy.replace(UNIT, service))


def notification_words(language: str) -> Mapping[str, str]:
    """Returns the parts of notifications, with gaps to fill."""
    return table(language)["notification"]


def home_texts(language: str) -> HomeTexts:
    """Returns the texts for Home Assistant."""
    return HomeTexts(table(language)["home"], condition_texts(language))


def consent_text(language: str) -> str:
    """Returns what a household accepts when it joins a ward: the text of version core.household.consent.VERSION."""
    return table(language)["consent"]
