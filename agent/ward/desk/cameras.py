"""The cameras of a device, from its birth and its health, which it may have written any way it likes. Pure."""
from dataclasses import dataclass
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta, Struct

from agent.core.contract.wire.ward_side import Code, Line

CAMERAS_MAX = 32
Kind = TypeVar("Kind", bound=Struct)


class _Camera(Struct, frozen=True):
    c: Line
    st: Code | None = None
    fault: Code | None = None
    rec: bool | None = None


class _ToldCameras(Struct, frozen=True):
    cams: Annotated[list[_Camera], Meta(max_length=CAMERAS_MAX)] = []


@dataclass(frozen=True, slots=True)
class DeviceCamera:
    """One camera by its name; what is not known is None."""

    name: str
    state: str | None = None        # ok | starting | retrying | stalled | paused | ended | failed
    fault: str | None = None
    recording: bool | None = None


def cameras(birth: str | None, health: str | None) -> list[DeviceCamera]:
    """Those that the device names, in its order."""
    states = {each.c: each for each in _read(health).cams}
    named = dict.fromkeys([*(each.c for each in _read(birth).cams), *states])
    return [DeviceCamera(name, found.st, found.fault, found.rec) if (found := states.get(name)) else DeviceCamera(name)
            for name in named]


def _read(text: str | None) -> _ToldCameras:
    try:
        return msgspec.json.decode(text, type=_ToldCameras) if text else _ToldCameras()
    except msgspec.DecodeError:
        return _ToldCameras()
