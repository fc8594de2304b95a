"""Puts one camera together (pumps, pipe, recorder, sockets), and applies pauses and changed settings to it."""
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from agent.cameras import Source, open_source
from agent.cameras.rtsp.pins import CertificatePins
from agent.cameras.transcode import MaskTranscoder
from agent.capture.clip_rows import ClipRules
from agent.capture.clipfile import choose_policy
from agent.capture.labeller import Labeller
from agent.capture.motion_feed import MainFeed, SubFeed
from agent.capture.pipe import Pipe
from agent.capture.pump import Counts, Pump
from agent.capture.recorder import Recorder
from agent.capture.sockets import LiveSocket, LookSocket, busy_socket, cut_socket, snapshot_socket
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

REPORT_GAP_AFTER_S = 10.0   # a gap is reported when it ends, or when it has lasted for so long
# Settings that need no new source: the pipe does not use them; the running pipe adopts them; only a new pipe can.
OF_PAUSES, OF_THE_PIPE = {"off", "title"}, {"motion", "tamper", "zone"}
OF_A_NEW_PIPE = {"name", "source", "sub", "record", "pre_roll_s", "post_roll_s", "merge_gap_s", "cool_down_s",
                 "max_clip_s", "audio"}


def open_main(camera: CameraSettings, clock: Clock, came: Rate, kept: Path) -> Source:
    """Returns a new source of what is recorded, for one attempt. `came` counts the frames that a transcoder gets;
    facts about cameras are in the folder `kept`."""
    source = open_source(camera, camera.source, clock, camera.audio, CertificatePins(kept), kept)
    return MaskTranscoder(source, camera, clock, came) if transcodes(camera) else source


class Camera:
    """The parts of one camera, which start and end together. The pumps run only while the camera may see."""

    def __init__(self, camera: CameraSettings, settings: Settings, folders: Folders, runtime: Path, clock: Clock, *,
                 stuck: Callable[[], None], labeller: Labeller | None = None) -> None:
        """`stuck` ends the process if nothing else frees the camera. Raises OSError for the sockets."""
        self.settings, self.scheme = camera, parse_source(camera.source).scheme
        self._clock, self._stuck, self._kept = clock, stuck, folders.cameras
        rules = ClipRules(settings.store.sync_every_s, camera.pre_roll_s, always=camera.record != "motion",
                          keeps_events_longer=camera.record == "both")
        self._recorder = Recorder(camera.name, folders, clock, Outlet(runtime), rules,
                                  encryption=choose_policy(settings.store.encrypt), labeller=labeller)
        live = LiveSocket(camera_socket(runtime, "live", camera.name))
        looks = LookSocket(camera_socket(runtime, "looks", camera.name))
        self._pipe = Pipe(camera, self._recorder, live, clock, looks)
        watch = self._pipe.watch
        self._sockets = [live, looks,
                         snapshot_socket(camera_socket(runtime, "snap", camera.name), self._pipe.newest, clock),
                         busy_socket(camera_socket(runtime, "busy", camera.name), watch.busy, watch.forget_busy),
                         cut_socket(camera_socket(runtime, "cut", camera.name), partial(self._pipe.tick, cut=True))]
        self._came, self._counts, self._sub_counts = Rate(), Counts(), Counts()
        self._pumps: list[Pump] = []            # the present or latest ones; the main stream's comes first
        self._stop = Stop()                     # of the main stream's; set while the camera must not see
        self._stop.set()
        self._paused: Paused | None = None
        self._reported_gap_mono_s: float | None = None

    @property
    def pump(self) -> Pump | None:
        """Returns the main stream's pump; None while the camera may not see."""
        return None if self._stop.is_set() else self._pumps[0]

    @property
    def encoder(self) -> str | None:
        """Returns what encodes its pictures here; None if nothing does, or it is not known yet."""
        info = self._pipe.record.info
        return info.encoder or None if info is not None else None

    def start(self) -> None:
        """Prepares the card, so that the first packet has a place to go. `set_paused` then opens the camera."""
        self._recorder.start()

    def set_paused(self, paused: Paused | None) -> None:
        """Closes or opens the camera; called about once a second. It opens after its old sources have let go."""
        self._paused = paused
        if paused is not None:
            self._close()
            self._pipe.pause(paused.by)
        elif not self._stop.is_set():
            self._update_sub()
        elif all(pump.state.over for pump in self._pumps):
            self._pipe.pause(None)
            self._open()

    def _open(self) -> None:
        clock, self._stop = self._clock, Stop()
        self._pumps = [Pump(self.settings.name, lambda: open_main(self.settings, clock, self._came, self._kept),
                            MainFeed(self._pipe, clock), clock, self._stop, stuck=self._stuck, counts=self._counts)]
        self._pumps[0].start()
        self._update_sub()

    def _update_sub(self) -> None:
        """Keeps the small stream open while motion is looked for, because only motion needs it."""
        camera, clock = self.settings, self._clock
        if not camera.sub or not camera.motion.enabled:
            self._leave_sub()
        elif all(pump.state.over and not pump.state.ended for pump in self._pumps[1:]):
            sub_feed = SubFeed(self._pipe, clock, camera.masks if transcodes(camera) else ())
            pins = CertificatePins(self._kept)
            pump = Pump(f"{camera.name} (sub)", lambda: open_source(camera, camera.sub, clock, pins=pins),
                        sub_feed, clock, Stop(), stuck=self._stuck, counts=self._sub_counts)
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
        if gap is not None and gap.began_mono_s == self._reported_gap_mono_s:
            self._pipe.gap(replace(gap, over=True))

    def tick(self) -> None:
        self._pipe.tick()
        if any(pump.state.hangs() for pump in self._pumps):
            self._stuck()
        gap = self.pump.state.current_gap() if self.pump is not None else None
        if gap is not None and gap.gap_s > REPORT_GAP_AFTER_S and gap.began_mono_s != self._reported_gap_mono_s:
            self._reported_gap_mono_s = gap.began_mono_s
            self._pipe.gap(gap)

    def adjust(self, camera: CameraSettings) -> bool:
        """Applies other settings without losing a frame; False if that needs a new camera object."""
        changed = {key for key in camera.__struct_fields__ if getattr(camera, key) != getattr(self.settings, key)}
        if changed & OF_A_NEW_PIPE:
            return False
        if not changed <= OF_PAUSES | OF_THE_PIPE and not (self.pump is not None and self.pump.adjust(camera)):
            return False
        if "zone" in changed and self.pump is not None:     # a source remembers on which view zones are drawn
            self.pump.adjust(camera)
        self._pipe.adjust(camera)
        self.settings = camera
        return True

    def facts(self) -> CameraFacts:
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
        """Closes the open clip, ends the recorder and lets go of the camera, so that another process can open it.

        It waits at most `timeout_s` for each part. A source that takes longer ends by itself, or with the process.
        """
        self._close()
        self._pipe.finish()
        self._recorder.finish(timeout_s)
        for served in self._sockets:
            served.close()
        for pump in self._pumps:
            pump.join(timeout_s)
