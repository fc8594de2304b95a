"""What the kinds of rows tell: the body of each. Absent means unknown, never 0. Further kinds need only another Struct.
"""
from typing import Any, ClassVar, Literal

from msgspec import Struct

from agent.core.household.sharing_rules import Decision, Kind


class Act(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The base of all bodies; `KIND` is the row's `kind`."""

    KIND: ClassVar[str] = ""


class LedgerBegin(Act, frozen=True, kw_only=True, omit_defaults=True):
    """The first row: whose ledger this is, and what was there before it."""

    KIND: ClassVar[str] = "begin"

    key: str                        # the public key that signs, hex
    serial: str | None = None       # the board's
    clips_n: int = 0                # the highest number that a clip had by then: of these no rows need to exist
    offset_ms: int | None = None    # of this boot, if its clock was right already


class DatabaseMended(Act, frozen=True, kw_only=True, omit_defaults=True):
    """The database was damaged, and what could be had of it goes on: maybe with fewer rows of the ledger than before.
    """

    KIND: ClassVar[str] = "mend"

    ledger_n: int                   # the number of the last row that goes on; 0: the ledger begins anew
    before_n: int | None = None     # the highest number that is known from elsewhere
    before: str | None = None       # the first digits of that row's hash
    torn: list[str]                 # tables of which something was lost


class KeyChange(Act, frozen=True, kw_only=True, omit_defaults=True):
    """The old key was lost: from this row on another one signs. Nothing but the row itself says that it is honest."""

    KIND: ClassVar[str] = "key"

    key: str
    was: str


class ClipSigned(Act, frozen=True, kw_only=True, omit_defaults=True):
    """A finished clip: its digest, when it was filmed, and how the camera was set."""

    KIND: ClassVar[str] = "clip"

    clip: str                       # camera-boot-number
    camera: str
    bytes: int
    sha256: str
    type: str                       # motion | continuous
    boot: str                       # of the first frame, like the next three
    mono_ms: int
    wall_ms: int
    clock: str
    dur_ms: int
    frames: int
    codec: str
    width: int
    height: int
    offset_ms: int | None = None    # of its boot, if the clock was right by the time of the row
    recovered: bool = False         # its recorder died; closed at the next start
    settings: str | None = None     # hash of what the detector was set to, the same as in events
    masks: str | None = None        # hash of the areas that are hidden
    masked_by: str | None = None    # paint | transcode | camera: who hides them
    detector: str | None = None     # its version, if the clip shows an event
    serial: str | None = None       # the board's


class Deletion(Act, frozen=True, kw_only=True, omit_defaults=True):
    """Clips that the device deleted, and why."""

    KIND: ClassVar[str] = "deletion"

    clips: list[str]
    why: str


class ClockMoved(Act, frozen=True, kw_only=True, omit_defaults=True):
    """The wall clock became right ("sync") or was moved ("step"); `offset_ms` holds from then on."""

    KIND: ClassVar[str] = "clock"

    code: Literal["sync", "step"]
    offset_ms: int
    step_ms: int | None = None
    err_ms: int | None = None       # how far off it may be at most, where the kernel says so


class Agreed(Act, frozen=True, kw_only=True, omit_defaults=True):
    """What the household agrees to by its settings, from now on. All behind `ward` but `encrypt` is of its joining one.
    """

    KIND: ClassVar[str] = "consent"

    cameras: dict[str, str]         # what is recorded of each: "motion, with sound", or "off"
    keep_h: int                     # how long clips of events are kept
    keep_continuous_h: int
    ward: str | None = None         # who gets events and health; None: nobody
    encrypt: str = "auto"
    configurable: bool = False      # the ward may set a few things within these settings
    text: int | None = None         # the version of the text that was agreed to: core.household.consent
    told: list[str] = []            # kinds of messages that the ward gets, of what happens after the joining
    only: list[str] = []            # of motion it is told of these words alone, and of what has none; []: of all
    pictures: dict[str, str] = {}   # never, ask or allow, by the purpose that the ward names; "*": all others
    snapshots: str | None = None    # likewise for a picture of the moment
    by: str | None = None           # the door of the newest word on all that, settings | page | provisioning


class Configured(Act, frozen=True, kw_only=True, omit_defaults=True):
    """The ward has set these things, from now on, as far as the household's settings let it."""

    KIND: ClassVar[str] = "ward_config"

    ver: int                        # the ward's number of it
    cfg: dict[str, Any]             # what it wished for: core.household.ward_settings


class Updated(Act, frozen=True, kw_only=True, omit_defaults=True):
    """Another version of the agent works from now on."""

    KIND: ClassVar[str] = "update"

    version: str
    was: str | None = None          # None: it is not known what was here before


class DayKeyChange(Act, frozen=True, kw_only=True, omit_defaults=True):
    """A key was made for which footage is encrypted, or destroyed, and with it all that it opens."""

    KIND: ClassVar[str] = "day_key"

    day: int
    public: str                     # X25519, hex
    code: Literal["made", "destroyed"]


class HouseholdKeySet(Act, frozen=True, kw_only=True, omit_defaults=True):
    """The household has made itself a key: from now on it opens what the device can open, and its old one nothing."""

    KIND: ClassVar[str] = "household_key"

    public: str                     # X25519, hex
    was: str | None = None          # the one before; absent: there was none


class CommandKeysSet(Act, frozen=True, kw_only=True, omit_defaults=True):
    """Commands are the ward's from now on if this key has signed them."""

    KIND: ClassVar[str] = "command_key"

    current: str                    # Ed25519, hex
    next: str | None = None         # signs the next change; absent: there is none
    by: str                         # "file": the settings name another file, or the first; else who signed the change


class WardIdentity(Act, frozen=True, kw_only=True, omit_defaults=True):
    """The ward knows this recorder by this certificate from now on; told again before each export."""

    KIND: ClassVar[str] = "ward_identity"

    name: str                       # the certificate's common name: the device's id in all messages
    key: str                        # SHA-256 of its public key (DER SubjectPublicKeyInfo), hex


class CameraPaused(Act, frozen=True, kw_only=True, omit_defaults=True):
    """A camera sees nothing from now on, or sees again."""

    KIND: ClassVar[str] = "pause"

    camera: str
    paused: bool
    by: str                         # page | command | home | schedule | unreadable: the word, never the person


class MasksDeclared(Act, frozen=True, kw_only=True, omit_defaults=True):
    """The household says that a camera hides areas itself, or says so no longer."""

    KIND: ClassVar[str] = "masks"

    camera: str
    code: str
    areas: str | None = None        # hash of them


class BrowserPaired(Act, frozen=True, kw_only=True, omit_defaults=True):
    """A browser of the household was let in."""

    KIND: ClassVar[str] = "pairing"

    browser: str                    # digest of its token, shortened
    role: str                       # owner | viewer


class RoleGiven(Act, frozen=True, kw_only=True, omit_defaults=True):
    """A browser of the household may do more, or less, from now on."""

    KIND: ClassVar[str] = "browser_role"

    browser: str                    # as in its pairing
    role: str                       # owner | viewer
    by: str                         # page | command


class BrowserUnpaired(Act, frozen=True, kw_only=True, omit_defaults=True):
    """A browser of the household is let in no more."""

    KIND: ClassVar[str] = "unpairing"

    browser: str                    # as in its pairing


class SettingsChanged(Act, frozen=True, kw_only=True, omit_defaults=True):
    """The household has root change the configuration. Values are not told: passwords may be among them."""

    KIND: ClassVar[str] = "settings"

    change: str                     # the id of the change
    by: str                         # page: the word, never the person
    what: str                       # add_camera | change_camera | remove_camera | undo, or the table whose keys are set
    camera: str | None = None
    keys: list[str] = []            # that are set; "motion.ignore" for one of a table in the camera's
    undoes: str | None = None       # the change that is undone


class Exported(Act, frozen=True, kw_only=True, omit_defaults=True):
    """Footage was signed to be handed out: which, to whom, on whose word."""

    KIND: ClassVar[str] = "export"

    camera: str
    begin_ms: int                   # the time that was asked for, by the wall clock
    end_ms: int
    by: str                         # command | page | ward: the way it was asked
    films: dict[str, str]           # SHA-256 by the film's name
    claim: str                      # SHA-256 of all that the manifest says of the export
    case: str | None = None
    purpose: str | None = None
    officer: str | None = None
    recipients: list[str] = []      # public keys that it was sealed for; none: whoever has the file


class HoldPlaced(Act, frozen=True, kw_only=True, omit_defaults=True):
    """Retention must leave a clip alone."""

    KIND: ClassVar[str] = "hold"

    clip: str
    reason: str
    until_ms: int | None = None     # wall time; absent: until released


class HoldReleased(Act, frozen=True, kw_only=True, omit_defaults=True):
    """Retention may have the clip again, as far as this reason goes."""

    KIND: ClassVar[str] = "release"

    clip: str
    reason: str
    why: Literal["released", "expired"]


class Decided(Act, frozen=True, kw_only=True, omit_defaults=True):
    """What became of the ward's wish for pictures: nothing leaves the house without such a row."""

    KIND: ClassVar[str] = "decision"

    request: str                    # the ward's command
    code: Decision
    by: str                         # rule | command | page | time | ward | leaving: the way it was decided
    asked: Kind
    camera: str
    case: str
    purpose: str
    officer: str
    basis: str
    begin_ms: int | None = None     # of the time that was asked for, by the wall clock; none with a snapshot
    end_ms: int | None = None


class Delivered(Act, frozen=True, kw_only=True, omit_defaults=True):
    """The ward has signed that it has what it asked for."""

    KIND: ClassVar[str] = "delivery"

    request: str                    # the ward's command
    bytes: int
    sha256: str                     # of all that was uploaded
    receipt: str                    # the receipt as it came: JSON
    manifest: str | None = None     # SHA-256 of the export's manifest


class Notified(Act, frozen=True, kw_only=True, omit_defaults=True):
    """A notification was made for a phone of the household's: what may leave, whether its service takes it or not."""

    KIND: ClassVar[str] = "notification"

    to: str                         # as the household calls it; its address is a secret
    service: str                    # the address up to its "://"
    event: int | None = None        # the newest that it tells of; absent: a trial, which tells of none
    events_n: int = 0
    picture: bool = False           # that event's goes along


class Unauthorised(Act, frozen=True, kw_only=True, omit_defaults=True):
    """A role noted what the keeper alone may do: it was not done, and that role is not to be trusted."""

    KIND: ClassVar[str] = "unauthorised"

    claimed: str                    # the kind that it was to be
    body: dict[str, Any]            # as it was noted


BY_ITSELF = ("schedule", "unreadable")      # nobody's word: a recorder tells of it
# What the roles that may be taken over note; each other kind needs the keeper's mark: agent/store/ledger.py.
OF_ALL_ROLES = frozenset({Configured.KIND, Delivered.KIND})


def is_of_all_roles(kind: str, body: dict[str, Any]) -> bool:
    """Whether a role other than the keeper may note that."""
    return kind in OF_ALL_ROLES or (kind == CameraPaused.KIND and body.get("by") in BY_ITSELF)
