"""Changes that the household makes on its page, and root's answers. Pure.

A change says what the settings become, not how the file looks. The configuration's own checks decide whether the
values are valid. To add a key, add a line to the class of its table; to add a table, add a class tagged with its name.
"""
from collections.abc import Iterator
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from agent.core.household.sharing_rules import Rule, Telling, TellingEvents

ChangeId = Annotated[str, Meta(pattern=r"^[0-9a-f]{20}\Z")]
CameraName = Annotated[str, Meta(max_length=24)]
Title = Annotated[str, Meta(max_length=40)]
Address = Annotated[str, Meta(max_length=1000)]         # of a picture, as in `source`; it may contain a password

ShownCode = Annotated[str, Meta(pattern=r"^([0-9A-Z]{8})?\Z")]       # a console would interpret other characters

Problem = Literal["", "late", "broken_file", "not_valid", "not_allowed", "unknown_camera", "name_taken",
                  "too_many_cameras", "not_last", "camera_notified", "zone_notified", "unknown_notify", "card"]
CAMERAS_MAX = 32

Number = int | float                    # 5 stays 5 in the file and does not become 5.0
Area = Annotated[list[tuple[Number, Number]], Meta(max_length=64)]    # corners as fractions (0..1) of width and height
Areas = Annotated[list[Area], Meta(max_length=32)]
WeekHours = Annotated[list[Annotated[str, Meta(max_length=64)]], Meta(max_length=32)]
Purposes = Annotated[list[Annotated[str, Meta(max_length=32)]], Meta(max_length=32)]


class SetupChange(Struct, kw_only=True, frozen=True, omit_defaults=True, forbid_unknown_fields=True,
                  tag_field="change"):
    """The base of all changes."""


class KeysOfTable(Struct, kw_only=True, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """The base of tables within a camera. An absent key stays as it is."""


class MotionKeys(KeysOfTable, kw_only=True, frozen=True):
    enabled: bool | UnsetType = UNSET
    sensitivity: Literal["low", "normal", "high"] | UnsetType = UNSET
    smallest_pct: Number | UnsetType = UNSET
    ignore: Areas | UnsetType = UNSET


class SensorKeys(KeysOfTable, kw_only=True, frozen=True):
    flip: Literal["none", "horizontal", "vertical", "both"] | UnsetType = UNSET
    exposure_ev: Number | UnsetType = UNSET
    night_fps: int | UnsetType = UNSET


class WholeZone(KeysOfTable, kw_only=True, frozen=True):
    """One whole `[[camera.zone]]`. An absent key gets its default."""

    name: Annotated[str, Meta(max_length=20)]
    rule: Literal["watch", "ignore", "enter", "dwell", "cross"] = "watch"
    area: Area = []
    line: Area = []
    direction: Literal["both", "left", "right"] = "both"
    dwell_s: Number = 0


class AddCamera(SetupChange, kw_only=True, frozen=True, tag="add_camera"):
    """Add a camera."""

    name: CameraName                # its key in the configuration; core.household.camera_names makes one from a title
    title: Title = ""
    source: Address
    sub: Address = ""


class ChangeCamera(SetupChange, kw_only=True, frozen=True, tag="change_camera"):
    """Set some keys of a camera. An absent key stays as it is."""

    name: CameraName
    title: Title | UnsetType = UNSET
    source: Address | UnsetType = UNSET
    sub: Address | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET
    record: Literal["motion", "continuous", "both"] | UnsetType = UNSET
    off: WeekHours | UnsetType = UNSET
    audio: bool | UnsetType = UNSET
    cool_down_s: Number | UnsetType = UNSET
    masks: Areas | UnsetType = UNSET
    privacy_mask: Literal["paint", "transcode", "camera"] | UnsetType = UNSET
    motion: MotionKeys | UnsetType = UNSET
    zone: Annotated[list[WholeZone], Meta(max_length=32)] | UnsetType = UNSET       # all zones
    sensor: SensorKeys | UnsetType = UNSET


class RemoveCamera(SetupChange, kw_only=True, frozen=True, tag="remove_camera"):
    """Stop recording a camera. Its recordings stay until they expire."""

    name: CameraName


class SetDevice(SetupChange, kw_only=True, frozen=True, tag="device"):
    """Set keys of `[device]`."""

    title: Title | UnsetType = UNSET
    language: Literal["vi", "en"] | UnsetType = UNSET


class SetStore(SetupChange, kw_only=True, frozen=True, tag="store"):
    """Set how long footage is kept."""

    keep_days: Number | UnsetType = UNSET
    keep_continuous_days: Number | UnsetType = UNSET


class SetSharing(SetupChange, kw_only=True, frozen=True, tag="sharing"):
    """Set what the ward may know and have. A list replaces the whole list."""

    health: Telling | UnsetType = UNSET
    events: TellingEvents | UnsetType = UNSET
    default: Rule | UnsetType = UNSET
    never: Purposes | UnsetType = UNSET
    ask: Purposes | UnsetType = UNSET
    allow: Purposes | UnsetType = UNSET
    snapshots: Rule | UnsetType = UNSET


class SetWard(SetupChange, kw_only=True, frozen=True, tag="ward"):
    """Join the ward that root has configured, or leave it."""

    enabled: bool | UnsetType = UNSET


class SetHome(SetupChange, kw_only=True, frozen=True, tag="home"):
    """Set the household's own broker."""

    enabled: bool | UnsetType = UNSET
    host: Annotated[str, Meta(max_length=253)] | UnsetType = UNSET
    port: int | UnsetType = UNSET
    tls: bool | UnsetType = UNSET
    user: Annotated[str, Meta(max_length=64)] | UnsetType = UNSET
    password: Annotated[str, Meta(max_length=128)] | UnsetType = UNSET      # root writes it into its own file
    snapshots: bool | UnsetType = UNSET


class SetNotify(SetupChange, kw_only=True, frozen=True, tag="notify"):
    """Add a target for notifications, or change the one with that name. An absent key stays as it is."""

    name: Title
    url: Address | UnsetType = UNSET            # root writes it into its own file
    kinds: list[Literal["motion", "tamper", "person", "vehicle", "animal", "other"]] | UnsetType = UNSET
    cameras: Annotated[list[CameraName], Meta(max_length=CAMERAS_MAX)] | UnsetType = UNSET
    zones: Annotated[list[Annotated[str, Meta(max_length=20)]], Meta(max_length=32)] | UnsetType = UNSET
    hours: WeekHours | UnsetType = UNSET
    quiet: WeekHours | UnsetType = UNSET
    at_most_every_min: int | UnsetType = UNSET
    pictures: bool | UnsetType = UNSET


class RemoveNotify(SetupChange, kw_only=True, frozen=True, tag="remove_notify"):
    """Remove a target for notifications."""

    name: Title


class SetWeb(SetupChange, kw_only=True, frozen=True, tag="web"):
    """Set the networks that may open the page, beside the house's own. The list replaces the whole list."""

    afar: Annotated[list[Annotated[str, Meta(max_length=43)]], Meta(max_length=8)] | UnsetType = UNSET


class UndoChange(SetupChange, kw_only=True, frozen=True, tag="undo"):
    """Restore the configuration as it was before the newest change, if nothing has changed it since. An undo is a
    change, too, and can be undone."""

    of: ChangeId


SECRETS = {"password": "password_file", "url": "url_file"}  # keys of a change, and the key of the file that root writes
SetTable = SetDevice | SetStore | SetSharing | SetWard | SetHome | SetWeb
TextChange = AddCamera | ChangeCamera | RemoveCamera | SetNotify | RemoveNotify | SetTable
Changes = TextChange | UndoChange


def keys_set(change: Changes) -> dict[str, Any]:
    """Returns the keys that a change sets, as plain values, without those that name a camera or another change. A
    secret is not included, because the configuration has the file that contains it."""
    plain = msgspec.json.decode(msgspec.json.encode(change))        # a corner becomes a list, as in TOML
    return {key: value for key, value in plain.items() if key not in ("change", "name", "of", *SECRETS)}


def in_short(change: Changes) -> dict[str, Any]:
    """Summarises a change for the ledger, without values: what, its keys like "motion.ignore", and the camera."""
    about = {"camera": change.name} if isinstance(change, AddCamera | ChangeCamera | RemoveCamera) else {}
    undone = {"undoes": change.of} if isinstance(change, UndoChange) else {}
    secret = [key for key in SECRETS if getattr(change, key, UNSET) is not UNSET]
    return {"what": change.__struct_config__.tag, "keys": sorted([*_dotted(keys_set(change)), *secret]), **about,
            **undone}


def secret_of(change: Changes) -> tuple[str, str] | None:
    """Returns the key for the file of a change's secret, and the secret; None if the change has no secret."""
    for key, file_key in SECRETS.items():
        if (secret := getattr(change, key, UNSET)) is not UNSET:
            return file_key, secret
    return None


def _dotted(values: dict[str, Any]) -> Iterator[str]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from (f"{key}.{inner}" for inner in _dotted(value))
        else:
            yield key


class SetupRequest(Struct, kw_only=True, frozen=True):
    """A change as the keeper gives it to root. `boot` and `mono_ms` date it, because it expires soon."""

    id: ChangeId
    boot: str
    mono_ms: int
    change: Changes


class SetupResult(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """Root's answer: the result of a change."""

    id: str
    done: bool
    problem: Problem = ""           # "" if it is done
    detail: str = ""                # for a technician, in English: file, line, key, without passwords


class LastChange(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """Root's answer: the newest change, while it can be undone, as in the ledger."""

    id: str
    wall_ms: int                    # when it was made
    what: str
    keys: list[str] = []
    camera: str | None = None
    undoes: str | None = None


class LocalCamera(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """A camera on this machine."""

    kind: Literal["picamera", "v4l2"]
    source: str                     # as in the configuration
    title: str                      # the name for people: "Camera Raspberry Pi", "HD Webcam C270"
    detail: str = ""                # the kernel's name
    camera: str = ""                # the configured camera that it is; "": not configured


class LocalCameras(Struct, kw_only=True, frozen=True):
    """All cameras on this machine, recorded or not."""

    cameras: list[LocalCamera]


class PairingState(Struct, kw_only=True, frozen=True):
    """The keeper's message: the code that root shows on the screen while no browser is paired."""

    code: ShownCode                 # "" if a browser is paired, so that nobody sees the code
