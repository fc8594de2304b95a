"""Events: the data of each kind, and the envelope, CloudEvents 1.0 in structured mode.

The roles write the data; the envelope adds mono_ms, kind and hist. Absent means unknown, never 0. Units are in the
names. `start_ms` is on the monotonic clock of the boot, like `mono_ms`. Source of the envelope:
github.com/cloudevents/spec, cloudevents/formats/json-format.md.
"""
from datetime import UTC
from typing import Any, Literal, NamedTuple

import msgspec
from msgspec import UNSET, Struct, UnsetType

from agent.core.contract.wire.device_side import Health
from agent.core.household.labels import LabelWord
from agent.core.household.sharing_rules import Decision
from agent.core.moment import moment

Phase = Literal["start", "end"]


class ClipRef(Struct, kw_only=True, omit_defaults=True, frozen=True):
    """A clip: its name and its known facts."""

    id: str                             # camera-boot-number
    bytes: int | None = None            # size of its file
    sha256: str | None = None           # hex


class MotionData(Struct, kw_only=True, omit_defaults=True, frozen=True):
    """kind "motion": something moved in front of a camera. Two messages an event, tied by `event`."""

    event: int                          # the device's own number of it
    phase: Phase
    start_ms: int
    dur_ms: int | None = None           # with phase "end"
    score: float | None = None          # the peak, 0..1
    zones: list[str] = []               # fulfilled, in the order in which they first were; at the start: so far
    tracks_n: int | None = None         # objects
    boxes: list[list[float]] = []       # [x, y, w, h] of the largest in its picture, fractions of the picture
    path: list[list[int]] = []          # [ds since the start, object (from 1 on), x, y, w, h], in thousandths
    clip: ClipRef | None = None         # the first clip that shows it
    continues: int | None = None        # the event that this one goes on from: longer than a clip may be
    cut: bool = False                   # the recorder died before the end: dur_ms is what is on the card
    detector: str | None = None         # version of the detector
    settings: str | None = None         # hash of its settings


class LabelData(Struct, kw_only=True, omit_defaults=True, frozen=True):
    """kind "label": what a motion event was, by one look at its best pictures after its end; not each event gets one.
    """

    event: int                          # the device's own number of it, as in its "motion" messages
    label: LabelWord                    # "nothing": the look found nothing that it knows
    score: float                        # confidence, 0..1


class TamperData(Struct, kw_only=True, omit_defaults=True, frozen=True):
    """kind "tamper": something has been done to a camera. Two messages an event, tied by `event`."""

    event: int                          # the device's own number of it
    code: str                           # covered, sprayed, moved, defocused, blinded or frozen
    phase: Phase
    start_ms: int                       # when it began, some seconds before this message
    dur_ms: int | None = None           # with phase "end"
    strength: float | None = None       # how much of the view is affected, 0..1
    detail: str | None = None           # one line for a person
    clip: ClipRef | None = None         # with phase "end": the first clip that shows it
    cut: bool = False                   # its end is unknown: the recorder died or stopped, or the camera was paused


class ClipData(Struct, kw_only=True, omit_defaults=True, frozen=True):
    """kind "clip": a clip is on the card, whole and flushed."""

    id: str                             # camera-boot-number
    start_ms: int
    dur_ms: int
    bytes: int                          # size of its file
    frames: int                         # pictures in it
    codec: str | None = None
    width: int | None = None            # of the picture, in pixels
    height: int | None = None           # of the picture, in pixels
    events: list[int] = []              # events that it shows
    recovered: bool = False             # its recorder died; closed at the next start


class ClockData(Struct, kw_only=True, omit_defaults=True, frozen=True):
    """kind "clock": the wall clock became right ("sync") or was moved by more than 2 s ("step").

    utc = mono_ms + offset_ms holds for every event of the same boot, earlier ones included, if the envelope's clock is
    rtc or ntp. If two of them contradict each other, docs/design/storage.md says which one counts.
    """

    code: Literal["sync", "step"]
    utc_ms: int                         # the wall clock at mono_ms
    offset_ms: int                      # UTC less mono_ms
    step_ms: int | None = None          # size of the step
    err_ms: int | None = None           # its largest error, if the kernel knows it


class StorageData(Struct, kw_only=True, omit_defaults=True, frozen=True):
    """kind "storage": the card has trouble, or recovered."""

    code: str                           # card_full, card_read_only, card_io, ...
    phase: Phase
    detail: str | None = None           # one line for a person
    lost_n: int | None = None           # clips that could not be kept


class CameraData(Struct, kw_only=True, omit_defaults=True, frozen=True):
    """kind "camera": a camera stopped delivering video, or delivers again; with "end", how long there was none."""

    code: str                           # camera_unreachable, camera_auth, camera_stalled, ...
    phase: Phase
    detail: str | None = None
    gap_s: float | None = None          # how long there was no video


class SecurityData(Struct, kw_only=True, omit_defaults=True, frozen=True):
    """kind "security": incidents, counted instead of repeated; or a change of what hides a camera's masks."""

    code: str                           # oversize, rejected, bad_payload, retained, elsewhere, mask_by_camera, ...
    n: int = 1                          # how often since the last such message
    detail: str | None = None
    seq: int | None = None              # the message concerned


class CommandData(Struct, kw_only=True, omit_defaults=True, frozen=True):
    """kind "command": a command came, and what became of it."""

    id: str                             # the command's
    name: str                           # as in the topic
    st: str                             # as in the response
    code: str | None = None
    by: str | None = None               # who ordered it, as the command says


class ConfigData(Struct, kw_only=True, omit_defaults=True, frozen=True):
    """kind "config": the ward's command `set` is in effect, within the limits of the household's settings."""

    ver: int                            # `iat` of the command
    cfg: dict[str, Any]                 # what was asked for
    clamped: dict[str, str] = {}        # keys whose value was limited, and why: as in cfg/reported


class ConsentData(Struct, kw_only=True, omit_defaults=True, frozen=True):
    """kind "consent": the decision on the ward's request for pictures, before any of them leaves the house."""

    request: str                        # the command's id
    code: Decision
    by: str                             # rule | command | page | time | ward: the way it was decided
    case: str | None = None             # as the ward gave it


class DeliveryData(Struct, kw_only=True, omit_defaults=True, frozen=True):
    """kind "delivery": the ward has received what it requested, by its receipt."""

    request: str                        # the command's id
    bytes: int                          # of all that was uploaded
    sha256: str                         # of all of it, hex
    case: str | None = None             # as the ward gave it
    manifest: str | None = None         # SHA-256 of the export's manifest


class Hour(Struct, kw_only=True, omit_defaults=True, frozen=True):
    """One camera's motion in one hour of a boot, after its messages were folded into this."""

    c: str | None                       # the camera
    boot: str
    mono_ms: int                        # of the first
    motion_n: int                       # events
    dur_ms: int                         # their durations in sum, as far as known
    time: str | None = None             # of the first, if the clock was set


class GapData(Struct, kw_only=True, omit_defaults=True, frozen=True):
    """kind "gap": these messages will not come. If they were dropped for this one, it sums them up."""

    code: Literal["outbox_full", "not_kept"]    # the latter answers a `replay`: settled, set aside or folded before
    missing: list[tuple[int, int]]      # first and last seq of each stretch
    n: int                              # messages in them
    hours: list[Hour] = []              # sums of the folded motion


_encoder = msgspec.json.Encoder()


def encode(payload: Struct) -> bytes:
    return _encoder.encode(payload)


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
