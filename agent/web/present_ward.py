"""What the household shares with its ward, in words: whether it is in one, what that is told, what it may have."""
from collections.abc import Sequence
from dataclasses import dataclass

from agent.config.derived import sharing_rules
from agent.config.settings import Settings, Ward
from agent.core.contract.decisions import SharingState
from agent.core.household import consent
from agent.core.household.sharing_rules import STRICTEST_FIRST, Rules
from agent.core.label_pace import WordLack
from agent.look.words import PageWords
from agent.web.present_request import purpose

SHUT = Rules("never", {}, "never")


@dataclass(frozen=True, slots=True)
class PurposeView:
    """A purpose, and the rule that holds for it; "": that for all others."""

    name: str
    said: str
    rule: str


@dataclass(frozen=True, slots=True)
class PartView:
    """A part of what the ward is told, which can be switched."""

    name: str
    said: str
    help: str
    told: bool


@dataclass(frozen=True, slots=True)
class ConsentText:
    """The text that a household agrees to by joining: a heading, what the ward is told, and what holds beside."""

    version: int
    head: str
    points: Sequence[str]
    rest: str


@dataclass(frozen=True, slots=True)
class SharingView:
    """The household and its ward."""

    standing: str                   # none: nobody has set a ward up · out: it can join · joining · in
    ward: str
    host: str
    agreed_text: int                # the version that holds; 0: none
    parts: Sequence[PartView]
    people: bool                    # of motion it is told of people and vehicles alone
    lack: str                       # why no event gets a word here, so that it is told of all motion; "": they do
    pictures: str                   # the rule for all purposes; "": not one for all
    pictures_said: str
    default: str
    purposes: Sequence[PurposeView]
    snapshots: str
    held: bool                      # the household has taken back what the configuration still says


def sharing_view(settings: Settings, state: SharingState, lack: WordLack | None, said: PageWords) -> SharingView:
    """By the keeper's word, and by the configuration where that is not stricter."""
    ward, rules = settings.ward, SHUT if state.no_pictures else sharing_rules(settings.sharing)
    names = list(said.purposes)
    names += sorted(name for name in rules.by_purpose if name not in names)
    one = not rules.by_purpose and rules.snapshots == ("never" if rules.default == "never" else "ask")
    parts = [PartView(part, said(f"sharing.part_{part}"), said(f"sharing.part_{part}_help"), part not in state.withheld)
             for part in consent.KINDS_OF]
    return SharingView(
        _standing(ward, state), state.ward or ward.ward, ward.host, state.text, parts, bool(state.only),
        lack_sentence(lack, said), rules.default if one else "",
        said(f"sharing.pictures_{rules.default if one else 'mixed'}"), rules.default,
        [PurposeView(name, purpose(name, said), rules.by_purpose.get(name, "")) for name in names],
        rules.snapshots, state.held)


def lack_sentence(lack: WordLack | None, said: PageWords) -> str:
    """Why whoever is to be told of people and vehicles alone is told of all motion; "" where that is not so."""
    return said(f"label.lack_{lack}") if lack else ""


def is_set_up(ward: Ward) -> bool:
    """Whether somebody has written down which ward it is, and where."""
    return ward.enabled or (ward.ward, ward.host) != (Ward().ward, Ward().host)


def _standing(ward: Ward, state: SharingState) -> str:
    if state.ward:
        return "in"
    if not is_set_up(ward):
        return "none"
    return "joining" if ward.enabled and not state.held else "out"


def consent_text(language: str) -> ConsentText:
    """The present one."""
    lines = consent.TEXTS[language].splitlines()
    points = [line.removeprefix("- ") for line in lines if line.startswith("- ")]
    return ConsentText(consent.VERSION, lines[0], points, " ".join(lines[1 + len(points):]))


def rule_of(text: str) -> str:
    """One of the rules; "" for what is none."""
    return text if text in STRICTEST_FIRST else ""
