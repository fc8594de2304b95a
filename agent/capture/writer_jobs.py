"""The recorder's jobs. Only batches of these reach its thread."""
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from agent.core.household.labels import EventWord
from agent.core.media.model import Box, Packet, StreamInfo
from agent.core.vision.event_notes import Summary
from agent.host.clock import Instant


@dataclass(frozen=True, slots=True)
class ClipBegin:
    info: StreamInfo
    start_us: int           # of its first frame, on the device's clock
    kind: str               # motion | continuous


@dataclass(frozen=True, slots=True)
class Block:
    """Whole bytes of the open clip: its head or a fragment, and the clip's length with them."""

    data: bytes
    dur_us: int = 0
    frames: int = 0
    flush: bool = False     # this block and all before it


@dataclass(frozen=True, slots=True)
class ClipEnd:
    """The clip is complete: `head` replaces its first head, then the file gets its final name."""

    head: bytes
    dur_us: int
    frames: int


@dataclass(frozen=True, slots=True)
class ClipLost:
    """The queue refused a part of the open clip. Recovery saves the rest."""


@dataclass(frozen=True, slots=True)
class BestLook:
    """The best look at an event's objects, and the packets from which its picture, the last one, is decoded."""

    boxes: Sequence[Box]
    info: StreamInfo | None
    packets: Sequence[Packet]


@dataclass(frozen=True, slots=True)
class EventOpen:
    at_us: int
    score: float
    boxes: Sequence[Box]
    continues: bool         # it goes on from the event before, which was too long
    zones: Sequence[str] = ()       # those that are fulfilled


@dataclass(frozen=True, slots=True)
class EarlyLook:
    """The best look so far at the open event, for a likely label while it goes on."""

    look: BestLook


@dataclass(frozen=True, slots=True)
class EventClose:
    """The event is over, or goes on as another one."""

    last_motion_us: int
    peak: BestLook
    summary: Summary
    detector: str           # the version that saw it
    settings: str           # a digest of the detector's settings: config.derived
    more: Sequence[BestLook] = ()       # other good looks, for the event's label


@dataclass(slots=True)
class OpenEvent:
    """The open event; `id` is set when its row is committed."""

    start: Instant
    may_be_named: bool                      # a label may come after its end
    id: int | None = None
    continues: int | None = None            # the event that this one goes on from


@dataclass(frozen=True, slots=True)
class EventLabel:
    """The label of an event that is over, None if there will be none; or of an early look at one that goes on."""

    event: OpenEvent
    label: EventWord | None
    early: bool = False


@dataclass(frozen=True, slots=True)
class CameraGap:
    """The camera delivers nothing, although no user has paused it, or delivers again (`over`)."""

    code: str           # why, as a condition's code
    detail: str
    gap_s: float
    over: bool
    began_mono_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Tamper:
    """The camera was tampered with, or that is over; or (`cut`) the watch ends, so its end will not be seen."""

    code: str               # what, as in core.vision.tamper.Kind
    phase: Literal["start", "end", "cut"]
    at_us: int              # when it began
    strength: float         # how much of the view is affected, 0..1
    detail: str
    shown_until_us: int     # a clip that begins before this belongs to it


@dataclass(frozen=True, slots=True)
class PauseNote:
    """The camera is paused, or may see again."""

    by: str | None          # who paused it, as in core.household.pause; None: it may see


Happening = PauseNote | CameraGap | Tamper | EventOpen | EventClose | EventLabel
Job = Happening | EarlyLook | ClipBegin | Block | ClipEnd | ClipLost


def size_b(batch: Sequence[Job]) -> int:
    """Returns the bytes of video in a batch, including those for its events' pictures."""
    looks = [look for job in batch if isinstance(job, EventClose) for look in (job.peak, *job.more)]
    looks += [job.look for job in batch if isinstance(job, EarlyLook)]
    pictures = (packet for look in looks for packet in look.packets)
    return sum(len(job.data) for job in batch if isinstance(job, Block)) + sum(len(packet.data) for packet in pictures)
