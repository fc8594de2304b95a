"""What the household has said to the ward on its page, as far as the configuration does not say it yet.

Taking back must not wait for root, nor fail with it: the keeper goes by this word at once, and by the stricter of the
two as long as they differ. In `meta` of the keeper's own database.
"""
import sqlite3

from msgspec import Struct, json
from msgspec.structs import replace

from agent.core.evidence.ledger import Agreed
from agent.core.household import consent
from agent.core.household.consent import Switch
from agent.core.household.labels import PEOPLE
from agent.core.household.sharing_rules import Rules
from agent.host.clock import Instant
from agent.store import meta

KEY = "page_word"
HEARD_MS = 180_000          # root obeys a change within two minutes or never
NO_PICTURES = Rules("never", {}, "never")


class PageWord(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """The household's word."""

    left: str = ""                  # the ward that it has left
    kept: list[Switch] = []         # the parts that it keeps to itself
    people: bool = False            # of motion it tells of people and vehicles alone
    no_pictures: bool = False       # for whatever purpose
    joins: str = ""                 # the ward that it joins as soon as root has said so
    change: str = ""                # the newest change of settings that said something
    boot: str = ""                  # when that was said
    mono_ms: int = 0

    def over(self, agreed: Agreed) -> Agreed:
        """What holds of what the configuration says."""
        if agreed.ward is None or agreed.ward == self.left:
            return replace(agreed, ward=None, text=None, told=[], only=[], pictures={}, snapshots=None,
                           configurable=False)
        rules = rules_of(agreed) if not self.no_pictures else NO_PICTURES
        gone = {kind for switch in self.kept for kind in consent.KINDS_OF[switch]}
        return replace(agreed, told=[kind for kind in agreed.told if kind not in gone],
                       only=[*PEOPLE] if self.people else agreed.only,
                       pictures={"*": rules.default, **rules.by_purpose}, snapshots=rules.snapshots)

    def beside(self, agreed: Agreed) -> "PageWord":
        """As much of it as the configuration, which says this, does not say by now."""
        withheld = consent.withheld(agreed.told)
        return replace(self, left=self.left if agreed.ward == self.left else "",
                       kept=[each for each in self.kept if each not in withheld],
                       people=self.people and not agreed.only and "events" not in withheld,
                       no_pictures=self.no_pictures and not rules_of(agreed).is_shut,
                       joins=self.joins if agreed.ward != self.joins else "")

    def door(self, agreed: Agreed, known_ward: str | None, now: Instant) -> str:
        """By which door came what the configuration says now."""
        heard = self.boot == now.boot and now.mono_ms - self.mono_ms <= HEARD_MS
        joining = agreed.ward is not None and agreed.ward != known_ward
        return consent.BY_PAGE if heard and (not joining or self.joins == agreed.ward) else consent.BY_SETTINGS


def rules_of(agreed: Agreed) -> Rules:
    """The rules for pictures that were agreed to."""
    purposes = {purpose: rule for purpose, rule in agreed.pictures.items() if purpose != "*"}
    return Rules(agreed.pictures.get("*", "never"), purposes, agreed.snapshots or "never")


def read(own: sqlite3.Connection) -> PageWord:
    """The present one; an empty one where nothing was said."""
    return meta.read(own, KEY, PageWord) or PageWord()


def put(own: sqlite3.Connection, word: PageWord) -> None:
    """Note it; in the caller's transaction."""
    meta.put(own, KEY, json.encode(word).decode())
