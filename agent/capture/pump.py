"""Runs a source's attempts, waits between them, and knows the source's state. Nothing else tries again.

A pump lives from one start of its camera to the next stop (a pause, other settings); its counts live longer.
"""
import logging
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import msgspec

from agent.cameras import Sink, Source, SourceError, SourceStuck
from agent.capture.writer_jobs import CameraGap
from agent.config.settings import Camera
from agent.core.contract.facts import CameraFacts
from agent.core.media.model import Packet, StreamInfo
from agent.core.passwords import redact
from agent.core.vision.luma import Luma
from agent.host.clock import Clock
from agent.host.stop import Stop

FIRST_WAIT_S, LONGEST_WAIT_S = 0.5, 6.0     # so a camera that is back is recorded within 15 s, opening included
REFUSED_WAIT_S = 30.0       # a wrong password tried often locks people out; a camera opened often may need a restart
HEALTHY_AFTER_S = 30.0
STALLED_AFTER_S = 5.0
HANGS_AFTER_S = 60.0                        # every source gives up well before, unless it hangs in a native call

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Counts:
    opens_n: int = 0
    gaps_n: int = 0             # runs that ended by themselves
    gaps_s: float = 0.0         # total time without video
    dropped_n: int = 0          # by sources that have ended


class Runs(Sink, Protocol):
    """A sink that is informed when a run ends, and of the gaps between runs."""

    def end_run(self) -> float | None:
        """The source has stopped. Returns when its last frame ended, on the device's clock; None without a frame."""

    def gap(self, gap: CameraGap) -> None:
        """A gap is over."""


class _Watched:
    """The pump's sink for one attempt: passes everything on, and notices each packet and picture."""

    def __init__(self, sink: Runs, came: Callable[[], None]) -> None:
        self._sink, self._came = sink, came
        self.stream: Callable[[StreamInfo], None] = sink.stream
        self.audio, self.sound = sink.audio, sink.sound
        self.wants_luma, self.wants_main_luma = sink.wants_luma, sink.wants_main_luma

    def packet(self, packet: Packet) -> None:
        self._came()
        self._sink.packet(packet)

    def luma(self, picture: Luma) -> None:
        self._came()
        self._sink.luma(picture)


class SourceState:
    """The state of one pump's source. Other threads read it, so each value is replaced as a whole."""

    def __init__(self, name: str, sink: Runs, clock: Clock, counts: Counts) -> None:
        self._name, self._report_gap, self._clock, self._counts = name, sink.gap, clock, counts
        self._error: SourceError | None = None
        self._came_mono_s: float | None = None      # when a packet or picture last came
        self._gap_began_mono_s: float | None = None
        self._flows_mono_s: float | None = None     # when the present stretch without a gap began
        self._made_mono_s = self._began_mono_s = clock.mono_s()     # of the pump, and of the present attempt
        self.source: Source | None = None           # of the present attempt
        self.ended = False                          # the source has ended by itself
        self.over = False                           # the pump has ended for good

    # For the pump.

    def attempt(self) -> None:
        self._began_mono_s = self._clock.mono_s()
        self._counts.opens_n += 1

    def came(self) -> None:
        now_mono_s = self._came_mono_s = self._clock.mono_s()
        if self._flows_mono_s is None:
            self._flows_mono_s = now_mono_s
        if self._error is None:
            return
        error, began, self._error = self._error, self._gap_began_mono_s, None
        _log.info("%s: is back", self._name)
        if began is not None:
            self._gap_began_mono_s = None
            self._counts.gaps_s += now_mono_s - began
            self._report_gap(CameraGap(
                error.code, redact(str(error)), now_mono_s - began, over=True, began_mono_s=began))

    def let_go(self) -> None:
        """Ends the attempt, and counts what its source lost."""
        self._counts.dropped_n += _dropped_n(self.source)
        self.source = None

    def fail(self, error: SourceError, ended_mono_s: float | None) -> None:
        """Notes that the attempt failed; `ended_mono_s` is the end of its last frame, if there was one."""
        if self._error is None:
            self._counts.gaps_n += 1
            # libav returns the last frame only after its wait has timed out, so the frame's own time counts.
            self._gap_began_mono_s = ended_mono_s or self._came_mono_s or self._began_mono_s
        self._error, self._flows_mono_s = error, None
        _log.warning("%s: no picture: %s", self._name, error)

    def attempt_s(self) -> float:
        """Returns the seconds since the present attempt began."""
        return self._clock.mono_s() - self._began_mono_s

    # For any thread.

    def hangs(self) -> bool:
        """Whether the attempt neither delivers nor gives up. Then only the end of the process ends it."""
        last_sign_mono_s = max(self._began_mono_s, self._came_mono_s or 0.0)
        return not self.over and self._clock.mono_s() - last_sign_mono_s > HANGS_AFTER_S

    @property
    def fault(self) -> str | None:
        error = self._error
        return error.code if error else None

    def silent_s(self) -> float:
        """Returns the seconds without packet and picture since this pump began."""
        return self._clock.mono_s() - (self._came_mono_s or self._made_mono_s)

    def flows_s(self) -> float:
        """Returns the seconds of packets and pictures without a gap; 0 during a gap."""
        flows_mono_s, came_mono_s = self._flows_mono_s, self._came_mono_s
        return 0.0 if flows_mono_s is None or came_mono_s is None else came_mono_s - flows_mono_s

    def current_gap(self) -> CameraGap | None:
        error, began = self._error, self._gap_began_mono_s
        if error is None or began is None:
            return None
        return CameraGap(error.code, redact(str(error)), self._clock.mono_s() - began, over=False, began_mono_s=began)

    def facts(self, seen: CameraFacts) -> CameraFacts:
        error, now_mono_s = self._error, self._clock.mono_s()
        state, fault = ("retrying", error.code) if error else ("starting" if self._came_mono_s is None else "ok", None)
        if error is None and self._came_mono_s is not None and now_mono_s - self._came_mono_s > STALLED_AFTER_S:
            state, fault = ("ended", None) if self.ended else ("stalled", "camera_no_frames")
        gap, counts = self.current_gap(), self._counts
        return msgspec.structs.replace(
            seen, state=state, fault=fault, detail=redact(str(error)) if error else None, gaps_n=counts.gaps_n,
            gap_s=round(counts.gaps_s + (gap.gap_s if gap else 0.0), 1), reopens_n=max(0, counts.opens_n - 1),
            dropped_n=(seen.dropped_n or 0) + counts.dropped_n + _dropped_n(self.source))


class Pump(threading.Thread):
    """Keeps one source running, attempt after attempt; `state` shows how it is."""

    def __init__(self, name: str, make: Callable[[], Source], sink: Runs, clock: Clock, stop: Stop, *,
                 stuck: Callable[[], None], counts: Counts) -> None:
        """`make` returns a source for each attempt; `stuck` is called if only the end of the process frees one."""
        super().__init__(name=f"pump-{name}", daemon=True)
        self._name, self._make, self._sink = name, make, sink
        self._stop_flag, self._stuck = stop, stuck
        self.jitter: Callable[[], float] = random.random
        self._wait_s = FIRST_WAIT_S
        self.state = SourceState(name, sink, clock, counts)

    def run(self) -> None:
        try:
            self._pump()
        finally:
            self.state.over = True

    def leave(self) -> None:
        self._stop_flag.set()

    def _pump(self) -> None:
        while not self._stop_flag.is_set():
            self.state.attempt()
            error = self._attempt()
            ended_mono_s = self._sink.end_run()
            must_stop = self._stop_flag.is_set()
            if error is None or (must_stop and not isinstance(error, SourceStuck)):
                self.state.ended = not must_stop
                return
            self.state.fail(error, ended_mono_s)
            if isinstance(error, SourceStuck):
                self._stuck()
                return
            if self.state.attempt_s() > HEALTHY_AFTER_S:
                self._wait_s = FIRST_WAIT_S
            self._stop_flag.wait(self._next_wait_s())

    def _attempt(self) -> SourceError | None:
        try:
            source = self.state.source = self._make()
            source.run(_Watched(self._sink, self.state.came), self._stop_flag)
        except SourceError as error:
            return error
        except Exception as error:      # a bug, or unforeseen bytes: reported, and the camera is tried again
            _log.exception("%s: an attempt broke off", self._name)
            reason = f"{self._name}: {type(error).__name__}: {redact(str(error))}"
            return SourceError("camera_stream_bad", reason, "please report it")
        finally:
            self.state.let_go()
        return None

    def _next_wait_s(self) -> float:
        if self.state.fault in ("camera_auth", "camera_certificate", "masks_unsafe"):
            return REFUSED_WAIT_S
        wait_s, self._wait_s = self._wait_s, min(self._wait_s * 2, LONGEST_WAIT_S)
        return wait_s * (0.75 + self.jitter() / 2)

    def adjust(self, camera: Camera) -> bool:
        """Applies other settings to the present source; False if it cannot follow, or without a source."""
        source = self.state.source
        return source is not None and source.adjust(camera)


def _dropped_n(source: Source | None) -> int:
    """Returns the packets that the source has lost; most sources cannot lose any."""
    return getattr(source, "dropped_n", 0)
