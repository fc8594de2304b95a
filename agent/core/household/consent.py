"""What a household accepts when it joins a ward: the version of the text, and the messages that it covers. Pure.

The text is in agent/look/i18n. A change that sends the ward more must raise VERSION and say so in it. A household that
joined under an earlier version keeps that one, because it was never asked about the later one. It can withdraw and
allow two parts without leaving: its switches `health` and `events`.
"""
from collections.abc import Collection
from typing import Literal

VERSION = 3
# Where a decision comes from: a person who may write the configuration; a paired browser; the ward's own card, for its
# own camera.
BY_SETTINGS, BY_PAGE, BY_CARD = "settings", "page", "provisioning"
TOLD = ("status", "birth", "health", "motion", "label", "tamper", "clip", "camera", "storage", "clock", "security",
        "command", "config", "consent", "delivery", "gap")
Switch = Literal["health", "events"]
KINDS_OF: dict[Switch, tuple[str, ...]] = {"health": ("health", "camera", "storage"),
                                           "events": ("motion", "label", "tamper", "clip")}


def kinds_sent(withheld: Collection[Switch]) -> list[str]:
    """Returns the kinds of messages that a ward gets if the household withholds these parts."""
    gone = {kind for switch in withheld for kind in KINDS_OF[switch]}
    return [kind for kind in TOLD if kind not in gone]


def withheld(kinds: Collection[str]) -> list[Switch]:
    """Returns the parts that contain none of these kinds."""
    return [switch for switch, its in KINDS_OF.items() if not set(its) & set(kinds)]
