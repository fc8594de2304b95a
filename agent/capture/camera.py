"""One camera put together: its pumps, its pipe, its recorder, its live socket."""
from collections.abc import Callable
from pathlib import Path

from agent.capture.live import Live
from agent.capture.pipe import Pipe
from agent.capture.pump import Gap, Pump
from agent.capture.recorder import Recorder
from agent.capture.source import Source
from agent.config.settings import Camera as CameraSettings
from agent.config.settings import Settings
from agent.config.source import NETWORK, parse_source
from agent.core.facts import CameraFacts
from agent.core.model import Packet, StreamInfo
from agent.host.clock import Clock
from agent.host.datagram import Outlet
from agent.host.stop import Stop
from agent.store.folders import Folders

TELL_GAP_AFTER_S = 10.0     # a reconnect is told when it is over; a camera that stays away is told before


class _LumaOnly:
    """The sink of a sub-stream: only its pictures count, and its troubles end no run."""

    def __init__(self, pipe: Pipe) -> None:
        self._pipe, self.luma = pipe, pipe.luma

    def wants_luma(self, mono_s: float) -> bool:
        """Asked for each picture that was decoded, so the small stream is alive."""
        self._pipe.sub_came(mono_s)
        return self._pipe.wants_luma(mono_s)

    def stream(self, info: StreamInfo) -> None:
        """The sub-stream's format matters to nobody."""

    def packet(self, packet: Packet) -> None:
        """Nor do its packets."""

    def wants_main_luma(self) -> bool:
        """This is not the main stream."""
        return False

    def end_run(self) -> float | None:
        """The main stream's run goes on."""
        return None

    def gap(self, gap: Gap) -> None:
        """Motion falls back on the main stream; recording has no gap."""


def open_source(camera: CameraSettings, url: str, clock: Clock, luma_only: bool) -> Source:
    """A fresh source for one attempt. Imports only what that kind of camera needs."""
    spec = parse_source(url)
    if spec.scheme in NETWORK:
        from agent.capture.source.rtsp import RtspSource
        return RtspSource(spec.target, clock, luma_only)
    if spec.scheme == "file":
        from agent.capture.source.file import FileSource
        return FileSource(Path(spec.target), clock, camera.loop, luma_only)
    if spec.scheme == "v4l2":
        from agent.capture.source.v4l2 import V4l2Source
        return V4l2Source(camera, spec.target, clock)
    from agent.capture.source.picamera import PicameraSource
    return PicameraSource(camera, int(spec.target), clock)


class Camera:
    """One camera's parts, started together and ended together."""

    def __init__(self, camera: CameraSettings, settings: Settings, folders: Folders, runtime: Path, clock: Clock,
                 outlet: Outlet, stop: Stop, stuck: Callable[[], None]) -> None:
        """Build the parts; `stuck` ends the process when nothing else frees the camera.

        Raises OSError for the live socket.
        """
        self.scheme = parse_source(camera.source).scheme
        self._fps_set = float(camera.fps) if self.scheme in ("v4l2", "picamera") else None
        self._recorder = Recorder(camera.name, folders, clock, outlet, settings.store.sync_every_s,
                                  always=camera.record != "motion", keeps_events_longer=camera.record == "both",
                                  pre_roll_s=camera.pre_roll_s)
        self._live = Live(runtime / f"live-{camera.name}.sock")
        self._pipe = Pipe(camera, self._recorder, self._live, clock, has_sub=bool(camera.sub))
        self._pump = Pump(camera.name, lambda: open_source(camera, camera.source, clock, False), self._pipe,
                          clock, stop, stuck)
        self._sub_pump = Pump(f"{camera.name} (sub)", lambda: open_source(camera, camera.sub, clock, True),
                              _LumaOnly(self._pipe), clock, stop, stuck) if camera.sub else None
        self._stuck = stuck
        self._told_gap_mono_s: float | None = None

    def start(self) -> None:
        """Begin to record; the card first, so that the first packet has somewhere to go."""
        self._recorder.start()
        self._pump.start()
        if self._sub_pump is not None:
            self._sub_pump.start()

    def tick(self) -> None:
        """What has to happen as time passes; called about once a second."""
        self._pipe.tick()
        if self._pump.hangs():
            self._stuck()
        gap = self._pump.current_gap()
        if gap is not None and gap.gap_s > TELL_GAP_AFTER_S and gap.began_mono_s != self._told_gap_mono_s:
            self._told_gap_mono_s = gap.began_mono_s
            self._pipe.gap(gap)

    def facts(self) -> CameraFacts:
        """The camera's part of the heartbeat."""
        facts = self._pump.facts(self._pipe.facts())
        facts.source, facts.fps_set = self.scheme, self._fps_set
        return facts

    def finish(self, timeout_s: float) -> None:
        """Close the open clip and end the recorder; the sources' threads end with the process."""
        self._pipe.finish()
        self._recorder.finish(timeout_s)
        self._live.close()
