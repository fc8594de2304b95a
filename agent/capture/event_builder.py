"""One event while it goes on: notes of what its looks show, and the packets of its best picture."""
from agent.capture.writer_jobs import BestLook, EventClose, EventOpen
from agent.core.media.model import Luma, StreamInfo
from agent.core.media.ring import Ring
from agent.core.vision.event_notes import EventNotes
from agent.core.vision.motion import DETECTOR_VERSION
from agent.core.vision.motion.look import SeenObject
from agent.core.vision.motion.sharpness import worth
from agent.core.vision.zones import Counted


class EventBuilder:
    """Begun with the event; `take` is given every look at what counts, `end` tells the whole."""

    def __init__(self, at_us: int, ring: Ring) -> None:
        """The event begins at `at_us`; its picture is decoded, once it is over, from packets of `ring`."""
        self._at_us, self._ring = at_us, ring
        self._notes = EventNotes(at_us / 1e6)
        self._best, self._best_worth = BestLook((), None, ()), 0.0
        self._seen: tuple[SeenObject, ...] = ()

    def begin(self, counted: Counted, score: float, continues: bool) -> EventOpen:
        """The job that opens the event, by the look that shows it."""
        return EventOpen(self._at_us, score, [seen.box for seen in counted.objects], continues, counted.zones)

    def take(self, counted: Counted, score: float, picture: Luma, info: StreamInfo | None) -> None:
        """A look at something that counts, the picture it looked at, and how the ring's packets are encoded.

        An eye that catches up looks at what came a while ago. The detector repeats its last boxes for a moment, when
        their objects may be gone: such a look is no picture of them.
        """
        self._notes.take(counted.objects, counted.zones, score, picture.mono_s)
        if counted.objects != self._seen:
            this_worth = worth(picture.y, counted.objects[0].box, self._best_worth)
            if this_worth > self._best_worth or not self._best.packets:
                now_us = int(picture.mono_s * 1e6)
                gop = [packet for packet in self._ring.since(now_us) if packet.dts_us <= now_us]
                self._best = BestLook([seen.box for seen in counted.objects], info, gop)
                self._best_worth = this_worth
        self._seen = counted.objects

    def renumber(self) -> None:
        """Another detector goes on, which numbers its objects anew."""
        self._notes.renumber()

    def end(self, last_motion_mono_s: float, settings: str) -> EventClose:
        """The job that closes the event; `settings` are those that it was seen by."""
        return EventClose(int(last_motion_mono_s * 1e6), self._best, self._notes.summary, DETECTOR_VERSION, settings)
