"""The body of each kind of row. Absent means unknown, never 0. A new kind needs only another Struct."""
from typing import Any, ClassVar, Literal

from msgspec import Struct

from agent.core.household.sharing_rules import Decision, Kind


class Act(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The base of all bodies; `KIND` is the row's `kind`."""

    KIND: ClassVar[str] = ""


class LedgerBegin(Act, frozen=True, kw_only=True, omit_defaults=True):
    """The first row: the owner of the ledger, and what existed before it."""

    KIND: ClassVar[str] = "begin"

    key: str                        # the public key that signs, hex
    serial: str | None = None       # the board's
    clips_n: int = 0                # the highest clip number by then: clips up to it need no rows
    acts_n: int = 0                 # the highest act number of a lost database
    offset_ms: int | None = None    # of this boot, if its clock was right already


class DatabaseMended(Act, frozen=True, kw_only=True, omit_defaults=True):
    """The database was damaged and goes on with its readable part, possibly with fewer rows of the ledger. Or it is in
    an earlier state, as the ward's receipts prove."""

    KIND: ClassVar[str] = "mend"

    ledger_n: int                   # the number of the last row that was kept; 0: the ledger starts again
    before_n: int | None = None     # the highest row number known from elsewhere
    before: str | None = None       # the first digits of that row's hash
    torn: list[str]                 # tables that have lost something
    ward_n: int | None = None       # the ward has a message with this number, which the device had not used yet


class KeyChange(Act, frozen=True, kw_only=True, omit_defaults=True):
    """The old key was lost: from this row on another key signs. Nothing else proves that this is honest."""

    KIND: ClassVar[str] = "key"

    key: str
    was: str


class ClipSigned(Act, frozen=True, kw_only=True, omit_defaults=True):
    """A finished clip: its digest, the time of recording, and the camera's settings."""

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
    offset_ms: int | None = None    # of its boot, if the clock was right when the row was made
    recovered: bool = False         # its recorder died; closed at the next start
    settings: str | None = None     # hash of the detector's settings, the same as in events
    masks: str | None = None        # hash of the masked areas
    masked_by: str | None = None    # paint | transcode | camera: what masks them
    detector: str | None = None     # its version, if the clip shows an event
    serial: str | None = None       # the board's


class Deletion(Act, frozen=True, kw_only=True, omit_defaults=True):
    """The device deleted these clips, and why."""

    KIND: ClassVar[str] = "deletion"

    clips: list[str]
    why: str


class ClockMoved(Act, frozen=True, kw_only=True, omit_defaults=True):
    """The wall clock became right ("sync") or was moved ("step"). `offset_ms` is valid from then on."""

    KIND: ClassVar[str] = "clock"

    code: Literal["sync", "step"]
    offset_ms: int
    step_ms: int | None = None
    err_ms: int | None = None       # its largest possible error, if the kernel knows it


class Agreed(Act, frozen=True, kw_only=True, omit_defaults=True):
    """What the household agrees to by its settings, from now on. All fields from `ward` on, except `encrypt`, belong
    to a joined ward."""

    KIND: ClassVar[str] = "consent"

    cameras: dict[str, str]         # what each camera records: "motion, with sound", or "off"
    keep_h: int                     # how long clips of events are kept
    keep_continuous_h: int
    ward: str | None = None         # receives events and health; None: no ward
    encrypt: str = "auto"
    configurable: bool = False      # the ward may change some settings within these limits
    text: int | None = None         # the version of the accepted text: core.household.consent
    told: list[str] = []            # kinds of messages that the ward gets, about the time after joining
    only: list[str] = []            # the ward gets motion with these labels and unlabelled motion; []: all motion
    pictures: dict[str, str] = {}   # never, ask or allow, by the ward's purpose; "*": all other purposes
    snapshots: str | None = None    # the same for a live picture
    by: str | None = None           # source of the newest decision: settings | page | provisioning


class Configured(Act, frozen=True, kw_only=True, omit_defaults=True):
    """The ward has set these settings, within the limits of the household."""

    KIND: ClassVar[str] = "ward_config"

    ver: int                        # `iat` of the ward's command, or the number of an older document
    cfg: dict[str, Any]             # what it asked for: core.household.ward_settings


class Updated(Act, frozen=True, kw_only=True, omit_defaults=True):
    """Another version of the agent is in use from now on."""

    KIND: ClassVar[str] = "update"

    version: str
    was: str | None = None          # None: unknown


class DayKeyChange(Act, frozen=True, kw_only=True, omit_defaults=True):
    """A key that encrypts footage was made, or was destroyed together with the footage that it opens."""

    KIND: ClassVar[str] = "day_key"

    day: int
    public: str                     # X25519, hex
    code: Literal["made", "destroyed"]


class HouseholdKeySet(Act, frozen=True, kw_only=True, omit_defaults=True):
    """The household made its own key: from now on it opens what the device can open, and its old key opens nothing."""

    KIND: ClassVar[str] = "household_key"

    public: str                     # X25519, hex
    was: str | None = None          # the key before; absent: none


class CommandKeysSet(Act, frozen=True, kw_only=True, omit_defaults=True):
    """From now on the ward's commands need a signature by this key."""

    KIND: ClassVar[str] = "command_key"

    current: str                    # Ed25519, hex
    next: str | None = None         # signs the next change; absent: no such key
    by: str                         # "file": from the file in the settings; otherwise who signed the change


class WardIdentity(Act, frozen=True, kw_only=True, omit_defaults=True):
    """From now on the ward knows this recorder by this certificate. Repeated before each export."""

    KIND: ClassVar[str] = "ward_identity"

    name: str                       # the certificate's common name: the device's id in all messages
    key: str                        # SHA-256 of its public key (DER SubjectPublicKeyInfo), hex


class CameraPaused(Act, frozen=True, kw_only=True, omit_defaults=True):
    """A camera was paused or resumed."""

    KIND: ClassVar[str] = "pause"

    camera: str
    paused: bool
    by: str                         # page | command | home | schedule | unreadable; never a person


class MasksDeclared(Act, frozen=True, kw_only=True, omit_defaults=True):
    """The household declares that a camera masks areas itself, or withdraws that."""

    KIND: ClassVar[str] = "masks"

    camera: str
    code: str
    areas: str | None = None        # hash of them


class BrowserPaired(Act, frozen=True, kw_only=True, omit_defaults=True):
    """A browser of the household was paired."""

    KIND: ClassVar[str] = "pairing"

    browser: str                    # digest of its token, shortened
    role: str                       # owner | viewer


class RoleGiven(Act, frozen=True, kw_only=True, omit_defaults=True):
    """A browser of the household has another role from now on."""

    KIND: ClassVar[str] = "browser_role"

    browser: str                    # as in its pairing
    role: str                       # owner | viewer
    by: str                         # page | command


class BrowserUnpaired(Act, frozen=True, kw_only=True, omit_defaults=True):
    """A browser of the household was unpaired."""

    KIND: ClassVar[str] = "unpairing"

    browser: str                    # as in its pairing


class SettingsChanged(Act, frozen=True, kw_only=True, omit_defaults=True):
    """The household changed the configuration through root. Values are left out, because they may be passwords."""

    KIND: ClassVar[str] = "settings"

    change: str                     # the id of the change
    by: str                         # page; never a person
    what: str                       # add_camera | change_camera | remove_camera | undo, or the table whose keys are set
    camera: str | None = None
    keys: list[str] = []            # the keys that are set; "motion.ignore" for one of a table in the camera's
    undoes: str | None = None       # the change that was undone


class Exported(Act, frozen=True, kw_only=True, omit_defaults=True):
    """Footage was signed for export: which, for whom, and on whose authority."""

    KIND: ClassVar[str] = "export"

    camera: str
    begin_ms: int                   # the requested time, by the wall clock
    end_ms: int
    by: str                         # command | page | ward: how it was requested
    films: dict[str, str]           # SHA-256 by the film's name
    claim: str                      # SHA-256 of the manifest's claim
    case: str | None = None
    purpose: str | None = None
    officer: str | None = None
    recipients: list[str] = []      # public keys that can open it; empty: not sealed


class HoldPlaced(Act, frozen=True, kw_only=True, omit_defaults=True):
    """Retention must not delete this clip."""

    KIND: ClassVar[str] = "hold"

    clip: str
    reason: str
    until_ms: int | None = None     # wall time; absent: until released


class HoldReleased(Act, frozen=True, kw_only=True, omit_defaults=True):
    """This reason no longer keeps the clip from retention."""

    KIND: ClassVar[str] = "release"

    clip: str
    reason: str
    why: Literal["released", "expired"]


class Decided(Act, frozen=True, kw_only=True, omit_defaults=True):
    """The decision on the ward's request for pictures. Nothing leaves the house without such a row."""

    KIND: ClassVar[str] = "decision"

    request: str                    # the ward's command
    code: Decision
    by: str                         # rule | command | page | time | ward | leaving: how it was decided
    asked: Kind
    camera: str
    case: str
    purpose: str
    officer: str
    basis: str
    begin_ms: int | None = None     # of the requested time, by the wall clock; absent for a snapshot
    end_ms: int | None = None


class Delivered(Act, frozen=True, kw_only=True, omit_defaults=True):
    """The ward has signed that it received what it requested."""

    KIND: ClassVar[str] = "delivery"

    request: str                    # the ward's command
    bytes: int
    sha256: str                     # of the whole upload
    receipt: str                    # the original receipt: JSON
    manifest: str | None = None     # SHA-256 of the export's manifest


class Notified(Act, frozen=True, kw_only=True, omit_defaults=True):
    """A notification was made for a phone of the household. Its content may leave, even if the service refuses it."""

    KIND: ClassVar[str] = "notification"

    to: str                         # the household's name for it; the address is a secret
    service: str                    # the address up to its "://"
    event: int | None = None        # the newest event in it; absent: a trial, which has no event
    events_n: int = 0
    picture: bool = False           # includes the event's picture


class Unauthorised(Act, frozen=True, kw_only=True, omit_defaults=True):
    """A role other than the keeper noted an act of the keeper's. It was not done, and that role is not trustworthy."""

    KIND: ClassVar[str] = "unauthorised"

    claimed: str                    # the kind that it claimed
    body: dict[str, Any]            # as it was noted


BY_ITSELF = ("schedule", "unreadable")      # pauses that no person ordered: a recorder notes them
# Kinds that any role may note. Each other kind needs the keeper's mark: agent/store/ledger.py.
OF_ALL_ROLES = frozenset({Configured.KIND, Delivered.KIND})


def is_of_all_roles(kind: str, body: dict[str, Any]) -> bool:
    """Whether a role other than the keeper may note this act."""
    return kind in OF_ALL_ROLES or (kind == CameraPaused.KIND and body.get("by") in BY_ITSELF)
