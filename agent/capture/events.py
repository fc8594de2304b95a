"""One camera's events: the orders of the event machine, and the notes and best pictures of the open event."""
from agent.capture.writer_jobs import BestLook, EarlyLook, EventClose, EventOpen
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

EARLY_S = 1.0               # after an event's begin, its best look so far is shown for a likely label


class EventBuilder:
    """One event from its begin: `note` collects each look that counts, `end` returns the job that closes it."""

    def __init__(self, at_us: int, ring: Ring) -> None:
        """`at_us`: when the event begins. Its picture is later decoded from packets of `ring`."""
        self._ring, self.notes = ring, EventNotes(at_us / 1e6)
        self._looks = BestLooks[BestLook]()
        self._seen: tuple[SeenObject, ...] = ()
        self._early_mono_s = at_us / 1e6 + EARLY_S

    def note(self, counted: Counted, score: float, picture: Luma, info: StreamInfo | None) -> None:
        """Notes a look with something that counts; `info` says how the ring's packets are encoded.

        A decoder that catches up looks at older pictures. The detector repeats its last boxes for a moment after their
        objects may have gone, so a repeated look is no picture of them.
        """
        self.notes.note(counted.objects, counted.zones, score, picture.mono_s)
        if counted.objects != self._seen:
            self._keep(counted, picture, info)
        self._seen = counted.objects

    def _keep(self, counted: Counted, picture: Luma, info: StreamInfo | None) -> None:
        """Keeps the look if it is among the best, with the packets of its picture. Without them, it has only boxes."""
        least = self._looks.least(picture.mono_s)
        if (this_worth := worth(picture, counted.objects[0].box, least)) > least:
            now_us = int(picture.mono_s * 1e6)
            gop = [packet for packet in self._ring.since(now_us) if packet.dts_us <= now_us]
            look = BestLook([seen.box for seen in counted.objects], info, gop)
            self._looks.add(RatedLook(this_worth if gop else this_worth - 1, picture.mono_s, look))

    def early(self, now_mono_s: float) -> list[EarlyLook]:
        """Returns the job for the early look, once."""
        best = next((rated.what for rated in self._looks.looks if rated.what.packets), None)
        if best is None or now_mono_s < self._early_mono_s:
            return []
        self._early_mono_s = float("inf")
        return [EarlyLook(best)]

    def end(self, last_motion_mono_s: float, settings: str) -> EventClose:
        """Returns the job that closes the event; `settings` are those that saw it (config.derived)."""
        peak, *more = [rated.what for rated in self._looks.looks] or [BestLook((), None, ())]
        return EventClose(int(last_motion_mono_s * 1e6), peak, self.notes.summary, DETECTOR_VERSION, settings,
                          more=[look for look in more if look.packets])


class CameraEvents:
    """A camera's event machine, newest look and open event. The pipe's lock guards it."""

    def __init__(self, camera: Camera, ring: Ring) -> None:
        self._ring, self._settings = ring, digest(camera)
        self._machine = machine(camera)
        self._open: EventBuilder | None = None
        self._score = 0.0
        self.counted = Counted()        # of the newest look

    @property
    def over_after_s(self) -> float:
        return self._machine.over_after_s

    @property
    def going_on(self) -> bool:
        return self._open is not None

    def see(self, counted: Counted, score: float) -> None:
        self.counted, self._score = counted, score

    def step(self, counted: Counted, now_mono_s: float) -> EventOrder | None:
        self._machine, order = self._machine.step(bool(counted.objects), now_mono_s)
        return order

    def note(self, picture: Luma, info: StreamInfo | None) -> list[EarlyLook]:
        if self._open is None:
            return []
        if self.counted.objects:
            self._open.note(self.counted, self._score, picture, info)
        return self._open.early(picture.mono_s)

    def begin(self, now_us: int, continues: bool = False) -> EventOpen:
        """Begins an event with the newest look; `continues`: it goes on from one that was too long."""
        self._open = EventBuilder(now_us, self._ring)
        boxes = [seen.box for seen in self.counted.objects]
        return EventOpen(now_us, self._score, boxes, continues, self.counted.zones)

    def end(self) -> list[EventClose]:
        ended, self._open = self._open, None
        return [] if ended is None else [ended.end(self._machine.last_motion_mono_s, self._settings)]

    def adjust(self, camera: Camera) -> bool:
        """Applies other settings; whether motion is now searched differently, so that objects are numbered again."""
        before, self._settings = self._settings, digest(camera)
        if self._settings == before:
            return False
        if self._open is not None:
            self._open.notes.renumber()
        return True

    def forget(self, camera: Camera) -> None:
        """Resets everything, as if no picture had been seen."""
        self._machine, self.counted, self._score = machine(camera), Counted(), 0.0
