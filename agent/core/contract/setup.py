"""What the household changes on its page, and what root says to it: the words of the set-up. Pure.

A change says what is to be, never how the file is to look; whether the values will do, the configuration's own checks
decide. Another key is a line in the class of its table; another table is a class with `TABLE`.
"""
from typing import Annotated, Any, ClassVar, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

ChangeId = Annotated[str, Meta(pattern=r"^[0-9a-f]{20}\Z")]
CameraName = Annotated[str, Meta(max_length=24)]
Title = Annotated[str, Meta(max_length=40)]
Address = Annotated[str, Meta(max_length=1000)]         # of a picture, as in `source`; a password may be in it

ShownCode = Annotated[str, Meta(pattern=r"^([0-9A-Z]{8})?\Z")]       # a console would obey other characters

Problem = Literal["", "late", "broken_file", "not_valid", "not_allowed", "unknown_camera", "name_taken",
                  "too_many_cameras", "card"]
CAMERAS_MAX = 32


class SetupChange(Struct, kw_only=True, frozen=True, omit_defaults=True, forbid_unknown_fields=True,
                  tag_field="change"):
    """The base of all changes."""


class AddCamera(SetupChange, kw_only=True, frozen=True, tag="add_camera"):
    """Record another camera."""

    name: CameraName                # its key in the configuration: core.household.camera_names makes one of a title
    title: Title = ""
    source: Address
    sub: Address = ""


class ChangeCamera(SetupChange, kw_only=True, frozen=True, tag="change_camera"):
    """Set some keys of a camera; what is absent stays as it is."""

    name: CameraName
    title: Title | UnsetType = UNSET
    source: Address | UnsetType = UNSET
    sub: Address | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET
    audio: bool | UnsetType = UNSET


class RemoveCamera(SetupChange, kw_only=True, frozen=True, tag="remove_camera"):
    """Record a camera no more. What it has recorded stays until it expires."""

    name: CameraName


class SetDevice(SetupChange, kw_only=True, frozen=True, tag="device"):
    """Set keys of `[device]`."""

    TABLE: ClassVar[str] = "device"

    title: Title | UnsetType = UNSET
    language: Literal["vi", "en"] | UnsetType = UNSET


Changes = AddCamera | ChangeCamera | RemoveCamera | SetDevice


def keys_set(change: Changes) -> dict[str, Any]:
    """The keys that a change sets, as plain values, but for the name by which it finds a camera."""
    return {key: value for key, value in msgspec.to_builtins(change).items() if key not in ("change", "name")}


def in_short(change: Changes) -> dict[str, Any]:
    """A change as the ledger tells it, without values."""
    camera = {} if isinstance(change, SetDevice) else {"camera": change.name}
    return {"what": change.__struct_config__.tag, "keys": sorted(keys_set(change)), **camera}


class SetupRequest(Struct, kw_only=True, frozen=True):
    """A change as the keeper hands it to root. `boot` and `mono_ms` say when, so that it is void soon."""

    id: ChangeId
    boot: str
    mono_ms: int
    change: Changes


class SetupResult(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """Root's word: what became of a change."""

    id: str
    done: bool
    problem: Problem = ""           # "" where it is done
    detail: str = ""                # for a technician, in English: file, line, key, without passwords


class LocalCamera(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """A camera on this machine."""

    kind: Literal["picamera", "v4l2"]
    source: str                     # as in the configuration
    title: str                      # as people call it: "Camera Raspberry Pi", "HD Webcam C270"
    detail: str = ""                # what the kernel calls it
    camera: str = ""                # the configured camera that it is; "": none


class LocalCameras(Struct, kw_only=True, frozen=True):
    """All of them, whether they are recorded or not."""

    cameras: list[LocalCamera]


class PairingState(Struct, kw_only=True, frozen=True):
    """The keeper's word: what root shows on the screen while no browser is paired."""

    code: ShownCode                 # "" where nobody is to see it: a browser is paired
