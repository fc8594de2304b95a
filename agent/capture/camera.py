"""One camera put together: its pumps, its pipe, its recorder, its sockets; how pauses and other settings change it."""
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from agent.cameras import Source, open_source
from agent.cameras.rtsp.pins import CertificatePins
from agent.cameras.transcode import MaskTranscoder
from agent.capture.busy import busy_socket
from agent.capture.encryption_policy import choose_policy
from agent.capture.labeller import Labeller
from agent.capture.live import LiveSocket
from agent.capture.looks import LookSocket
from agent.capture.motion_feed.main import MainFeed
from agent.capture.motion_feed.sub import SubFeed
from agent.capture.pipe import Pipe
from agent.capture.pump import Counts, Pump
from agent.capture.recorder import Recorder
from agent.capture.snapshot import SnapshotSocket
from agent.config.derived import transcodes
from agent.config.settings import Camera as CameraSettings
from agent.config.settings import Settings
from agent.config.source import parse_source
from agent.core.contract.facts import CameraFacts
from agent.core.household.pause import Paused
from agent.host.clock import Clock
from agent.host.datagram import Outlet
from agent.host.meter import Rate
from agent.host.runtime import camera_socket
from agent.host.stop import Stop
from agent.store.folders import Folders

TELL_GAP_AFTER_S = 10.0     # a reconnect is told when it is over; a camera that stays away is told before
# Settings that need no new source: of the pauses, of the pipe while it runs, of a pipe made anew.
OF_NOBODY, OF_THE_PIPE = {"off", "title"}, {"motion", "tamper", "zone"}
OF_A_NEW_PIPE = {"name", "source", "sub", "record", "pre_roll_s", "post_roll_s", "merge_gap_s", "cool_down_s",
                 "max_clip_s", "audio"}


def open_main(camera: CameraSettings, clock: Clock, came: Rate, pins: CertificatePins) -> Source:
    """A fresh source for one attempt at what is recorded; `came` counts what a source that transcodes is given."""
    source = open_source(camera, camera.source, clock, camera.audio, pins)
    return MaskTranscoder(source, camera, clock, came) if transcodes(camera) else source


class Camera:
    """One camera's parts, started together and ended together.

    The recorder and the sockets live as long as it does, the pumps only while it may see.
    """

    def __init__(self, camera: CameraSettings, settings: Settings, folders: Folders, runtime: Path, clock: Clock,
                 outlet: Outlet, stuck: Callable[[], None], labeller: Labeller | None = None) -> None:
        """Build the parts; `stuck` ends the process when nothing else frees the camera.

        Raises OSError for the sockets.
        """
        self.settings, self.scheme = camera, parse_source(camera.source).scheme
        self._clock, self._stuck, self._pins = clock, stuck, CertificatePins(folders.cameras)
        self._recorder = Recorder(camera.name, folders, clock, outlet, settings.store.sync_every_s,
                                  always=camera.record != "motion", keeps_events_longer=camera.record == "both",
                                  pre_roll_s=camera.pre_roll_s, encryption=choose_policy(settings.store.encrypt),
                                  labeller=labeller)
        live = LiveSocket(camera_socket(runtime, "live", camera.name))
        looks = LookSocket(camera_socket(runtime, "looks", camera.name))
        self._pipe = Pipe(camera, self._recorder, live, clock, looks)
        self._sockets = [live, looks]
        self._sockets.append(SnapshotSocket(camera_socket(runtime, "snap", camera.name), self._pipe.newest, clock))
        watch = self._pipe.watch
        self._sockets.append(busy_socket(camera_socket(runtime, "busy", camera.name), watch.busy, watch.forget_busy))
        self._came, self._counts, self._sub_counts = Rate(), Counts(), Counts()
        self._pumps: list[Pump] = []            # the present or the last ones: the main stream's first
        self._stop = Stop()                     # of the main stream's; set while the camera is to see nothing
        self._stop.set()
        self._paused: Paused | None = None
        self._told_gap_mono_s: float | None = None

    @property
    def pump(self) -> Pump | None:
        """The main stream's pump, while the camera may see."""
        return None if self._stop.is_set() else self._pumps[0]

    def start(self) -> None:
        """Have the card ready, so that the first packet has somewhere to go; `obey` then opens the camera."""
        self._recorder.start()

    def obey(self, paused: Paused | None) -> None:
        """See, or see nothing, as it holds now; called about once a second.

        To see again waits until the sources have let go of the camera.
        """
        self._paused = paused
        if paused is not None:
            self._close()
            self._pipe.pause(paused.by)
        elif not self._stop.is_set():
            self._see_to_sub()
        elif all(pump.state.over for pump in self._pumps):
            self._pipe.pause(None)
            self._open()

    def _open(self) -> None:
        clock, self._stop = self._clock, Stop()
        self._pumps = [Pump(self.settings.name, lambda: open_main(self.settings, clock, self._came, self._pins),
                            MainFeed(self._pipe, clock), clock, self._stop, self._stuck, self._counts)]
        self._pumps[0].start()
        self._see_to_sub()

    def _see_to_sub(self) -> None:
        """Have the small stream open as long as motion, which alone needs it, is looked for."""
        camera, clock = self.settings, self._clock
        if not camera.sub or not camera.motion.enabled:
            self._leave_sub()
        elif all(pump.state.over and not pump.state.ended for pump in self._pumps[1:]):
            sub_feed = SubFeed(self._pipe, clock, camera.masks if transcodes(camera) else ())
            pump = Pump(f"{camera.name} (sub)", lambda: open_source(camera, camera.sub, clock, pins=self._pins),
                        sub_feed, clock, Stop(), self._stuck, self._sub_counts)
            self._pumps[1:] = [pump]
            pump.start()

    def _leave_sub(self) -> None:
        for pump in self._pumps[1:]:
            pump.leave()

    def _close(self) -> None:
        if (pump := self.pump) is None:
            return
        self._stop.set()
        self._leave_sub()
        gap = pump.state.current_gap()
        if gap is not None and gap.began_mono_s == self._told_gap_mono_s:
            self._pipe.gap(replace(gap, over=True))

    def tick(self) -> None:
        """Let time pass; called about once a second."""
        self._pipe.tick()
        if any(pump.state.hangs() for pump in self._pumps):
            self._stuck()
        gap = self.pump.state.current_gap() if self.pump is not None else None
        if gap is not None and gap.gap_s > TELL_GAP_AFTER_S and gap.began_mono_s != self._told_gap_mono_s:
            self._told_gap_mono_s = gap.began_mono_s
            self._pipe.gap(gap)

    def adjust(self, camera: CameraSettings) -> bool:
        """Go on by other settings without a missing frame; False when only a camera built anew can obey them."""
        changed = {key for key in camera.__struct_fields__ if getattr(camera, key) != getattr(self.settings, key)}
        if changed & OF_A_NEW_PIPE:
            return False
        if not changed <= OF_NOBODY | OF_THE_PIPE and not (self.pump is not None and self.pump.adjust(camera)):
            return False
        self._pipe.adjust(camera)
        self.settings = camera
        return True

    def facts(self) -> CameraFacts:
        """The camera's part of the heartbeat."""
        facts = self._pipe.facts()
        if self._pumps:
            facts = self._pumps[0].state.facts(facts)
        if self.pump is None:
            facts.state, facts.fault, facts.detail = "starting", None, None
        if self._paused is not None:
            facts.state, facts.paused_by = "paused", self._paused.by
            facts.paused_until_ms = self._paused.until_wall_ms
        facts.source = self.scheme
        fps_set = float(self.settings.fps) if self.scheme in ("v4l2", "picamera") else None
        facts.fps_set = fps_set or self._came.per_s(self._clock.mono_s()) or None
        return facts

    def finish(self, timeout_s: float) -> None:
        """Close the open clip, end the recorder, let go of the camera: another process finds it free.

        Each is waited for at most `timeout_s`; a source that takes longer ends by itself, or with the process.
        """
        self._close()
        self._pipe.finish()
        self._recorder.finish(timeout_s)
        for each in self._sockets:
            each.close()
        for pump in self._pumps:
            pump.join(timeout_s)
