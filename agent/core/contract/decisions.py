"""Questions of other roles to the keeper, the only role that stores the household's decisions: one line of JSON, one
answer.

The page asks for a browser and passes its token. The keeper trusts the token, not the page.
"""
from typing import Annotated, Literal

import msgspec

from agent.core.contract.setup import Changes
from agent.core.household.access import BrowserRole

QUESTION_B_MAX = 16_384
ANSWER_B_MAX = 65_536
SOCKET = "keeper/decisions.sock"        # in the runtime folder

Whole = Annotated[int, msgspec.Meta(ge=-(1 << 53), le=1 << 53)]  # numbers that a database can count with and add up

Why = Literal["", "wrong_code", "locked", "stale_link", "not_paired", "unknown", "too_late", "not_yours",
              "not_understood", "card", "unknown_key", "bad_signature", "other_order", "bad_args", "expired",
              "old_version", "not_entitled", "no_setup", "no_room", "nothing_there", "viewer", "last_owner",
              "not_shown", "not_undone"]


class Question(msgspec.Struct, kw_only=True, frozen=True, omit_defaults=True, tag_field="ask"):
    """The base of all questions."""


class PairBrowser(Question, kw_only=True, frozen=True, omit_defaults=True, tag="pair"):
    """A person typed the pairing code: pair this browser."""

    code: str
    browser: str                    # the browser's own name


class OpenLink(Question, kw_only=True, frozen=True, omit_defaults=True, tag="link"):
    """A person opened a link that pairs one browser once."""

    link: str
    browser: str


class BrowserQuestion(Question, kw_only=True, frozen=True, omit_defaults=True):
    """The base of a paired browser's questions. The keeper answers them only to owners."""

    token: str


class ViewerQuestion(BrowserQuestion, kw_only=True, frozen=True, omit_defaults=True):
    """The base of questions that viewers may ask, too."""


class KnowBrowser(ViewerQuestion, kw_only=True, frozen=True, omit_defaults=True, tag="know"):
    """Is this browser paired, and in which role?"""


class ListBrowsers(BrowserQuestion, kw_only=True, frozen=True, omit_defaults=True, tag="browsers"):
    """Which browsers are paired, and which code pairs the next one?"""


class UnpairBrowser(BrowserQuestion, kw_only=True, frozen=True, omit_defaults=True, tag="unpair"):
    """Unpair this browser, or unpair all of them and make a new code."""

    which: str = ""                 # its id; "": all, including the asking browser


class GiveRole(BrowserQuestion, kw_only=True, frozen=True, omit_defaults=True, tag="role"):
    """Give a paired browser the role of an owner or of a viewer."""

    which: str                      # its id
    role: BrowserRole


class NewCode(BrowserQuestion, kw_only=True, frozen=True, omit_defaults=True, tag="new_code"):
    """Make a new pairing code. Paired browsers stay paired."""


class ListRequests(BrowserQuestion, kw_only=True, frozen=True, omit_defaults=True, tag="requests"):
    """Which requests of the ward wait for the household? Others can write the shared database: the keeper answers."""


class DecideRequest(BrowserQuestion, kw_only=True, frozen=True, omit_defaults=True, tag="request"):
    """The household's decision on a request of the ward."""

    request: str                    # the ward's command
    digest: str                     # of the request that was shown: WardRequest.digest
    code: Literal["approved", "refused"]
    shown: str = ""  # digest of the recordings that were shown: ExportPreview.digest; "": those that exist now


class PauseCameras(BrowserQuestion, kw_only=True, frozen=True, omit_defaults=True, tag="pause"):
    """Pause cameras or resume them."""

    cameras: list[str] | None = None        # None: all present and future cameras
    paused: bool = True
    length_ms: Whole | None = None          # None: until resumed


class ChangeSettings(BrowserQuestion, kw_only=True, frozen=True, omit_defaults=True, tag="settings"):
    """Let root change the configuration. The answer is the change's id; root writes the result into a file."""

    change: Changes


class JoinWard(BrowserQuestion, kw_only=True, frozen=True, omit_defaults=True, tag="join"):
    """Join the ward that the configuration names. The answer is that of ChangeSettings. Leaving it, and changing what
    it may know and have, are changes of settings. What they withdraw counts at once."""

    ward: str                       # the ward's name as it was shown
    text: Whole                     # the version of the text that was shown: core.household.consent


class AskSharing(ViewerQuestion, kw_only=True, frozen=True, omit_defaults=True, tag="sharing"):
    """What does the household share with its ward, and which deliveries are receipted?"""


class AskSetup(ViewerQuestion, kw_only=True, frozen=True, omit_defaults=True, tag="setup"):
    """Does the set-up still wait for the household? With `over`, the household has finished or declined it. A viewer
    cannot change settings, so it gets the answer of a device without changes."""

    over: bool = False


class TryNotify(BrowserQuestion, kw_only=True, frozen=True, omit_defaults=True, tag="try_notify"):
    """Send a trial to a target of `[[notify]]`. The answer's `change` is its id; the link reports the result."""

    to: str                         # its name


class MarkSeen(ViewerQuestion, kw_only=True, frozen=True, omit_defaults=True, tag="seen"):
    """A person looked at these events."""

    events: list[Whole]


class SpanQuestion(BrowserQuestion, kw_only=True, frozen=True, omit_defaults=True):
    """The base of questions about a camera's recordings of a time."""

    camera: str
    begin_ms: Whole                 # wall times
    end_ms: Whole


class HoldClips(SpanQuestion, kw_only=True, frozen=True, omit_defaults=True, tag="hold"):
    """Keep the recordings, even if the card needs room."""

    note: str                       # the reason; it goes into the ledger
    days: Annotated[int, msgspec.Meta(ge=0, le=36_500)]     # how long


class ReleaseClips(SpanQuestion, kw_only=True, frozen=True, omit_defaults=True, tag="release"):
    """End the holds of the recordings that were made with this note."""

    note: str


class EraseSpan(SpanQuestion, kw_only=True, frozen=True, omit_defaults=True, tag="erase"):
    """Erase the recordings for good: whole clips, and only those that were shown."""

    held: bool = False              # also clips on hold
    digest: str                     # of the clips that were shown: store.erase.digest


class UseFirstCode(Question, kw_only=True, frozen=True, omit_defaults=True, tag="code"):
    """Root found a pairing code on the boot partition: use it if no browser was ever paired."""

    code: str


class PauseFromHome(Question, kw_only=True, frozen=True, omit_defaults=True, tag="home"):
    """Pause or resume one camera, as Home Assistant asked the link."""

    camera: str
    paused: bool


class PictureForHome(Question, kw_only=True, frozen=True, omit_defaults=True, tag="home_picture"):
    """Home Assistant asks for the picture of the camera's newest event."""

    camera: str


class HandOutEvent(Question, kw_only=True, frozen=True, omit_defaults=True, tag="notify"):
    """The link is about to notify a target of `[[notify]]`: write it into the ledger, and return the picture."""

    to: str                         # its name
    event: Whole                    # the newest
    events_n: Whole


class ChangeCommandKeys(Question, kw_only=True, frozen=True, omit_defaults=True, tag="keys"):
    """Use other command keys of the ward. The link passes the ward's command on."""

    command: str                    # `keys.change` as it came, with the ward's signature


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
    """What the household shares, as the keeper applies it. It may be stricter than the configuration."""

    ward: str = ""                  # the ward that the household has joined; "": none
    text: int = 0                   # the version of the text that the household agreed to
    by: str = ""                    # where the newest decision came from
    withheld: list[str] = []        # values of core.household.consent.Switch
    only: list[str] = []            # the ward gets motion with these labels and unlabelled motion; []: all motion
    no_pictures: bool = False       # no pictures for any purpose
    held: bool = False              # the household has withdrawn what the configuration still allows
    receipted: list[str] = []       # requests whose file the ward's intake has receipted with its signature


class DecisionAnswer(msgspec.Struct, kw_only=True, frozen=True, omit_defaults=True):
    """The keeper's answer to any question. `why` is "" if it was done."""

    why: Why = ""
    token: str = ""                 # of a browser that was paired just now
    role: BrowserRole = "viewer"    # of the asking browser
    code: str = ""                  # the pairing code
    browsers: list[PairedBrowser] = []
    setup: Literal["", "waits", "over"] = ""        # "": this device lets nobody change settings
    change: str = ""                # the id of a change of settings; its result: agent/host/setup_folders.py
    sharing: SharingState = SharingState()
    picture: bytes = b""            # JPEG
    waiting: dict[str, str] = {}    # requests that wait for the household's decision, each with WardRequest.digest
