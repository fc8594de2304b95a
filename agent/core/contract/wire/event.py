"""The envelope of an event: CloudEvents 1.0 in structured mode.

Source: github.com/cloudevents/spec, cloudevents/formats/json-format.md.
"""
from datetime import UTC
from typing import Any, NamedTuple

import msgspec
from msgspec import UNSET, Struct, UnsetType

from agent.core.contract.wire.device_side import Health
from agent.core.contract.wire.events import (
    CameraData,
    ClipData,
    ClockData,
    CommandData,
    ConfigData,
    ConsentData,
    DeliveryData,
    GapData,
    LabelData,
    MotionData,
    SecurityData,
    StorageData,
    TamperData,
)
from agent.core.moment import moment

KINDS: dict[str, type[Struct]] = {
    "motion": MotionData, "label": LabelData, "tamper": TamperData, "clip": ClipData, "camera": CameraData,
    "storage": StorageData, "clock": ClockData, "security": SecurityData, "command": CommandData, "config": ConfigData,
    "gap": GapData, "consent": ConsentData, "delivery": DeliveryData,
    "health_hist": Health,          # a report of the time without a broker
}




class Entry(NamedTuple):
    """A message in the outbox: the columns of its row, in their order."""

    seq: int
    kind: str
    camera: str | None
    boot: str
    mono_ms: int
    wall_ms: int
    clock: str
    data: str       # JSON object


class CloudEvent(Struct, kw_only=True, frozen=True):
    """What a subscriber receives on `evt`. `seq`, `boot` and `clock` are extension attributes of ours."""

    specversion: str = "1.0"            # of CloudEvents
    id: str                             # dev/seq: a message with the same id is the same message
    source: str                         # /cam/{ward}/{dev}, and the camera if it concerns one camera
    type: str                           # cam.{kind}.v1
    time: str | UnsetType = UNSET       # left out while the clock is unset: the ward dates it by boot and mono_ms
    datacontenttype: str = "application/json"  # of data
    seq: int                            # counts the device's events, never reset
    boot: str
    clock: str
    data: dict[str, Any]                # by its kind


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(dict[str, Any])


def rfc3339(wall_ms: int) -> str:
    """Returns UTC milliseconds since 1970 as RFC 3339 text with milliseconds."""
    return moment(wall_ms, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def cloud_event(ward: str, dev: str, entry: Entry, hist: bool) -> bytes:
    """Builds the payload for `entry`. `hist` marks an event that is sent late. The stored data is passed on unchanged,
    together with the columns of its row."""
    source = f"/cam/{ward}/{dev}"
    return _encoder.encode(CloudEvent(
        id=f"{dev}/{entry.seq}",
        source=f"{source}/{entry.camera}" if entry.camera else source,
        type=f"cam.{entry.kind}.v1",
        time=UNSET if entry.clock == "unset" else rfc3339(entry.wall_ms),
        seq=entry.seq, boot=entry.boot, clock=entry.clock,
        data={"mono_ms": entry.mono_ms, "kind": entry.kind, **_decoder.decode(entry.data), "hist": hist}))
