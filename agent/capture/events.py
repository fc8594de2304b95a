"""One camera's events: the machine's orders, and of the open event its notes and the packets of its best picture."""
from agent.capture.writer_jobs import BestLook, EventClose, EventOpen
from agent.config.derived import digest
from agent.config.motion import machine
from agent.config.settings import Camera
from agent.core.media.model import StreamInfo
from agent.core.media.ring import Ring
from agent.core.vision.best_looks import BestLooks, RatedLook
from agent.core.vision.event import EventOrder
from agent.core.vision.event_notes import EventNotes
from agent.core.vision.luma import Luma
from agent.core.vision.motion import DETECTOR_VERSION
from agent.core.vision.motion.look import SeenObject
from agent.core.vision.motion.sharpness import worth
from agent.core.vision.zones import Counted


class EventBuilder:
    """One event from its begin on: `note` gathers each look at what counts, `end` gives the job that closes it."""

    def __init__(self, at_us: int, ring: Ring) -> None:
        """The event begins at `at_us`; its picture is decoded, once it is over, from packets of `ring`."""
        self._at_us, self._ring = at_us, ring
        self._notes = EventNotes(at_us / 1e6)
        self._looks = BestLooks[BestLook]()
        self._seen: tuple[SeenObject, ...] = ()

    def begin(self, counted: Counted, score: float, continues: bool) -> EventOpen:
        """The job that opens the event, by the look that shows it."""
        return EventOpen(self._at_us, score, [seen.box for seen in counted.objects], continues, counted.zones)

    def note(self, counted: Counted, score: float, picture: Luma, info: StreamInfo | None) -> None:
        """Note a look at something that counts; `info` tells how the ring's packets are encoded.

        A decoder that catches up looks at pictures of a while ago. The detector repeats its last boxes for a moment
        after their objects may have gone: a look at that time is no picture of them.
        """
        self._notes.note(counted.objects, counted.zones, score, picture.mono_s)
        if counted.objects != self._seen:
            self._keep(counted, picture, info)
        self._seen = counted.objects

    def _keep(self, counted: Counted, picture: Luma, info: StreamInfo | None) -> None:
        """Keep the look if it is among the best, with what it is decoded from. Without that it has boxes alone."""
        least = self._looks.least(picture.mono_s)
        if (this_worth := worth(picture, counted.objects[0].box, least)) > least:
            now_us = int(picture.mono_s * 1e6)
            gop = [packet for packet in self._ring.since(now_us) if packet.dts_us <= now_us]
            look = BestLook([seen.box for seen in counted.objects], info, gop)
            self._looks.add(RatedLook(this_worth if gop else this_worth - 1, picture.mono_s, look))

    def renumber(self) -> None:
        """Another detector goes on, which numbers its objects anew."""
        self._notes.renumber()

    def end(self, last_motion_mono_s: float, settings: str) -> EventClose:
        """The job that closes the event, which was seen by these `settings` (config.derived)."""
        peak, *more = [rated.what for rated in self._looks.looks] or [BestLook((), None, ())]
        return EventClose(int(last_motion_mono_s * 1e6), peak, self._notes.summary, DETECTOR_VERSION, settings,
                          [look for look in more if look.packets])


class CameraEvents:
    """A camera's event machine, its newest look and its open event. Its pipe's lock guards it."""

    def __init__(self, camera: Camera, ring: Ring) -> None:
        self._ring, self._settings = ring, digest(camera)
        self._machine = machine(camera)
        self._open: EventBuilder | None = None
        self._score = 0.0
        self.counted = Counted()        # of the newest look

    @property
    def over_after_s(self) -> float:
        """The stillness that ends an event."""
        return self._machine.over_after_s

    @property
    def going_on(self) -> bool:
        """Whether an event is open."""
        return self._open is not None

    def see(self, counted: Counted, score: float) -> None:
        """The newest look: what of it counts, and its score."""
        self.counted, self._score = counted, score

    def step(self, counted: Counted, now_mono_s: float) -> EventOrder | None:
        """The machine's order for what is seen at this time."""
        self._machine, order = self._machine.step(bool(counted.objects), now_mono_s)
        return order

    def note(self, picture: Luma, info: StreamInfo | None) -> None:
        """The newest look was at this picture; the open event keeps what counts of it."""
        if self._open is not None and self.counted.objects:
            self._open.note(self.counted, self._score, picture, info)

    def begin(self, now_us: int, continues: bool = False) -> EventOpen:
        """Begin an event with the newest look; `continues`: the event before it was too long and goes on in it."""
        self._open = EventBuilder(now_us, self._ring)
        return self._open.begin(self.counted, self._score, continues)

    def end(self) -> list[EventClose]:
        """End the event, if one is open."""
        ended, self._open = self._open, None
        return [] if ended is None else [ended.end(self._machine.last_motion_mono_s, self._settings)]

    def adjust(self, camera: Camera) -> bool:
        """Go on by other settings; whether motion is looked for by others. Then a new detector numbers its objects."""
        before, self._settings = self._settings, digest(camera)
        if self._settings == before:
            return False
        if self._open is not None:
            self._open.renumber()
        return True

    def forget(self, camera: Camera) -> None:
        """Begin anew, as if nothing had been seen."""
        self._machine, self.counted, self._score = machine(camera), Counted(), 0.0
