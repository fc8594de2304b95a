"""What other roles ask of the keeper, which alone keeps the household's decisions: a line of JSON, and its answer.

The page speaks for a browser and hands in its token; the keeper believes the token and not the page.
"""
from typing import Literal

import msgspec

from agent.core.contract.setup import Changes
from agent.core.household.access import BrowserRole

QUESTION_B_MAX = 16_384
ANSWER_B_MAX = 65_536
SOCKET = "keeper/decisions.sock"        # in the runtime folder

Why = Literal["", "wrong_code", "locked", "stale_link", "not_paired", "unknown", "too_late", "not_yours",
              "not_understood", "card", "unknown_key", "bad_signature", "other_order", "bad_args", "expired",
              "old_version", "not_entitled", "no_setup", "no_room", "nothing_there", "viewer", "last_owner",
              "not_shown", "not_undone"]


class Question(msgspec.Struct, kw_only=True, frozen=True, omit_defaults=True, tag_field="ask"):
    """The base of all questions."""


class PairBrowser(Question, kw_only=True, frozen=True, omit_defaults=True, tag="pair"):
    """Somebody has typed the pairing code: let this browser in."""

    code: str
    browser: str                    # how it calls itself


class OpenLink(Question, kw_only=True, frozen=True, omit_defaults=True, tag="link"):
    """Somebody has opened a link that lets a browser in once."""

    link: str
    browser: str


class BrowserQuestion(Question, kw_only=True, frozen=True, omit_defaults=True):
    """The base of what a paired browser asks. It is answered to owners alone."""

    token: str


class ViewerQuestion(BrowserQuestion, kw_only=True, frozen=True, omit_defaults=True):
    """The base of what a viewer may ask, too."""


class KnowBrowser(ViewerQuestion, kw_only=True, frozen=True, omit_defaults=True, tag="know"):
    """Is this browser paired, and in which role?"""


class ListBrowsers(BrowserQuestion, kw_only=True, frozen=True, omit_defaults=True, tag="browsers"):
    """Which browsers are paired, and what is the code for another one?"""


class UnpairBrowser(BrowserQuestion, kw_only=True, frozen=True, omit_defaults=True, tag="unpair"):
    """Let this browser in no more, or all of them and with another code from now on."""

    which: str = ""                 # its id; "": all, the asking one too


class GiveRole(BrowserQuestion, kw_only=True, frozen=True, omit_defaults=True, tag="role"):
    """Let a paired browser do all that the household may, or look alone."""

    which: str                      # its id
    role: BrowserRole


class NewCode(BrowserQuestion, kw_only=True, frozen=True, omit_defaults=True, tag="new_code"):
    """Have another pairing code from now on. Those that are paired stay so."""


class ListRequests(BrowserQuestion, kw_only=True, frozen=True, omit_defaults=True, tag="requests"):
    """Which requests of the ward wait for the household? The rows of the shared database may say anything."""


class DecideRequest(BrowserQuestion, kw_only=True, frozen=True, omit_defaults=True, tag="request"):
    """The household's word on a request of the ward."""

    request: str                    # the ward's command
    digest: str                     # of what was shown: WardRequest.digest
    code: Literal["approved", "refused"]


class PauseCameras(BrowserQuestion, kw_only=True, frozen=True, omit_defaults=True, tag="pause"):
    """Have cameras see nothing, or let them see again."""

    cameras: list[str] | None = None        # None: all there are and will be
    paused: bool = True
    length_ms: int | None = None            # None: until it is lifted


class ChangeSettings(BrowserQuestion, kw_only=True, frozen=True, omit_defaults=True, tag="settings"):
    """Have root change the configuration; the answer is the change's id, and what became of it comes as a file."""

    change: Changes


class JoinWard(BrowserQuestion, kw_only=True, frozen=True, omit_defaults=True, tag="join"):
    """Join the ward that the configuration names; the answer is as to a change of settings.

    Leaving it, and what it is told and may have, are changes of settings: what they take back counts at once.
    """

    ward: str                       # as it was shown
    text: int                       # the version of the text that was shown: core.household.consent


class AskSharing(ViewerQuestion, kw_only=True, frozen=True, omit_defaults=True, tag="sharing"):
    """What does the household share with its ward, and which deliveries are receipted?"""


class AskSetup(ViewerQuestion, kw_only=True, frozen=True, omit_defaults=True, tag="setup"):
    """Does the set-up still wait for the household? With `over`, it has been through it, or wants none.

    A viewer is told that nobody changes settings, for it can't.
    """

    over: bool = False


class TryNotify(BrowserQuestion, kw_only=True, frozen=True, omit_defaults=True, tag="try_notify"):
    """Send a trial to a place of `[[notify]]`; the answer's `change` is its id, and the link tells how it went."""

    to: str                         # its name


class MarkSeen(ViewerQuestion, kw_only=True, frozen=True, omit_defaults=True, tag="seen"):
    """Somebody has looked at these events."""

    events: list[int]


class HoldClips(BrowserQuestion, kw_only=True, frozen=True, omit_defaults=True, tag="hold"):
    """Keep a camera's recordings of a time, whatever the card needs."""

    camera: str
    begin_ms: int                   # wall times, as with EraseSpan
    end_ms: int
    note: str                       # what for; it goes into the ledger
    days: int                       # for so long


class ReleaseClips(BrowserQuestion, kw_only=True, frozen=True, omit_defaults=True, tag="release"):
    """Let a camera's recordings of a time go when theirs has come, as far as this note had them kept."""

    camera: str
    begin_ms: int
    end_ms: int
    note: str


class EraseSpan(BrowserQuestion, kw_only=True, frozen=True, omit_defaults=True, tag="erase"):
    """Erase a camera's recordings of a time for good: whole clips, those alone that were shown."""

    camera: str
    begin_ms: int
    end_ms: int
    held: bool = False              # also what is on hold
    digest: str                     # of the clips that were shown: store.erase.digest


class UseFirstCode(Question, kw_only=True, frozen=True, omit_defaults=True, tag="code"):
    """Root has found a pairing code on the boot partition: use it, if no browser was ever paired."""

    code: str


class PauseFromHome(Question, kw_only=True, frozen=True, omit_defaults=True, tag="home"):
    """The same for one camera, by the word of Home Assistant, which the link hands on."""

    camera: str
    paused: bool


class PictureForHome(Question, kw_only=True, frozen=True, omit_defaults=True, tag="home_picture"):
    """Home Assistant is to show the picture of the event that has just ended before this camera."""

    camera: str


class HandOutEvent(Question, kw_only=True, frozen=True, omit_defaults=True, tag="notify"):
    """The link is about to tell a place of `[[notify]]` of events: put it into the ledger, and hand out the picture."""

    to: str                         # its name
    event: int                      # the newest
    events_n: int


class ChangeCommandKeys(Question, kw_only=True, frozen=True, omit_defaults=True, tag="keys"):
    """Obey other keys of the ward, by its own word, which the link hands on."""

    command: str                    # `keys.change` as it came: the ward's signature is in it


Questions = (PairBrowser | OpenLink | KnowBrowser | ListBrowsers | UnpairBrowser | GiveRole | NewCode | ListRequests
             | DecideRequest | PauseCameras | ChangeSettings | JoinWard | AskSharing | AskSetup | MarkSeen | HoldClips
             | ReleaseClips | EraseSpan | TryNotify | PauseFromHome | PictureForHome | HandOutEvent | ChangeCommandKeys
             | UseFirstCode)


class PairedBrowser(msgspec.Struct, kw_only=True, frozen=True):
    """A paired browser as the household sees it."""

    id: str                         # the first digits of its token's digest, as in the ledger
    name: str
    role: BrowserRole
    paired_wall_ms: int
    used_wall_ms: int


class SharingState(msgspec.Struct, kw_only=True, frozen=True, omit_defaults=True):
    """What the keeper goes by, which may be stricter than the configuration."""

    ward: str = ""                  # that the household is in; "": in none
    text: int = 0                   # the version of the text that was agreed to
    by: str = ""                    # the door of the newest word on it
    withheld: list[str] = []        # of core.household.consent.Switch
    only: list[str] = []            # of motion the ward is told of these words alone, and of what has none; []: of all
    no_pictures: bool = False       # for whatever purpose
    held: bool = False              # the household has taken back what the configuration still says
    receipted: list[str] = []       # requests whose file the ward's intake has by its own signature


class DecisionAnswer(msgspec.Struct, kw_only=True, frozen=True, omit_defaults=True):
    """The keeper's answer to any question; `why` is "" where it was done."""

    why: Why = ""
    token: str = ""                 # of a browser that was let in just now
    role: BrowserRole = "viewer"    # of the browser that asks
    code: str = ""                  # the pairing code
    browsers: list[PairedBrowser] = []
    setup: Literal["", "waits", "over"] = ""        # "": nobody changes settings here
    change: str = ""                # the id of a change of settings; what became of it: agent/host/setup_folders.py
    sharing: SharingState = SharingState()
    picture: bytes = b""            # JPEG
    waiting: dict[str, str] = {}    # requests for the household to decide on, each with WardRequest.digest
