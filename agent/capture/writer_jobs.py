"""The jobs of the recorder; nothing but batches of them crosses to its thread."""
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from agent.core.household.labels import EventWord
from agent.core.media.model import Box, Packet, StreamInfo
from agent.core.vision.event_notes import Summary
from agent.host.clock import Instant


@dataclass(frozen=True, slots=True)
class ClipBegin:
    """Open a file for a new clip."""

    info: StreamInfo
    start_us: int           # of its first frame, on the device's clock
    kind: str               # motion | continuous


@dataclass(frozen=True, slots=True)
class Block:
    """Whole bytes of the open clip: its head or a fragment, and how far the clip has come with them."""

    data: bytes
    dur_us: int = 0
    frames: int = 0
    flush: bool = False     # with all that came before


@dataclass(frozen=True, slots=True)
class ClipEnd:
    """The clip is complete: the head that a player wants over its first one, then its final name."""

    head: bytes
    dur_us: int
    frames: int


@dataclass(frozen=True, slots=True)
class ClipLost:
    """A part of the open clip was refused: what there is of it is the recovery's."""


@dataclass(frozen=True, slots=True)
class BestLook:
    """The best look at an event's objects, and the packets its picture is decoded from (the last one is that picture).
    """

    boxes: Sequence[Box]
    info: StreamInfo | None
    packets: Sequence[Packet]


@dataclass(frozen=True, slots=True)
class EventOpen:
    """Motion is confirmed."""

    at_us: int
    score: float
    boxes: Sequence[Box]
    continues: bool         # the event before this one, which was too long, goes on in it
    zones: Sequence[str] = ()       # that are fulfilled


@dataclass(frozen=True, slots=True)
class EventClose:
    """The event is over, or goes on as another one."""

    last_motion_us: int
    peak: BestLook
    summary: Summary
    detector: str           # the version that saw it
    settings: str           # and what it was set to: config.derived
    more: Sequence[BestLook] = ()       # other good looks, for the event's word


@dataclass(slots=True)
class OpenEvent:
    """The event that is going on; `id` is known once its row is committed."""

    start: Instant
    may_be_named: bool                      # a word for it may come after its end
    id: int | None = None
    continues: int | None = None            # the event that this one goes on from


@dataclass(frozen=True, slots=True)
class EventLabel:
    """What an event that is over was; None: nobody will tell."""

    event: OpenEvent
    label: EventWord | None


@dataclass(frozen=True, slots=True)
class CameraGap:
    """The camera delivers nothing for a while, or delivers again (`over`)."""

    code: str
    detail: str
    gap_s: float
    over: bool


@dataclass(frozen=True, slots=True)
class Tamper:
    """Something has been done to the camera, or that is over; or it is looked at no longer, and nobody can tell."""

    code: str               # what, as in core.vision.tamper.Kind
    phase: Literal["start", "end", "cut"]
    at_us: int              # when that which is told began
    strength: float         # how much of the view is affected, 0..1
    detail: str
    shown_until_us: int     # a clip that begins before this belongs to it


@dataclass(frozen=True, slots=True)
class PauseNote:
    """The camera is to see nothing from now on, or sees again."""

    by: str | None          # by whose word, as in core.household.pause; None: it may see


Happening = PauseNote | CameraGap | Tamper | EventOpen | EventClose | EventLabel
Job = Happening | ClipBegin | Block | ClipEnd | ClipLost


def size_b(batch: Sequence[Job]) -> int:
    """The bytes of video in a batch, those for its events' pictures included."""
    looks = (look for job in batch if isinstance(job, EventClose) for look in (job.peak, *job.more))
    pictures = (packet for look in looks for packet in look.packets)
    return sum(len(job.data) for job in batch if isinstance(job, Block)) + sum(len(packet.data) for packet in pictures)
