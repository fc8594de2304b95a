"""The path of a camera's packets and sound: timeline, ring, segmenter, clip writer and live picture."""
import logging
from collections.abc import Sequence

from agent.capture.clip_writer import ClipWriter
from agent.capture.events import CameraEvents
from agent.capture.recorder import Recorder
from agent.capture.sockets import LiveSocket
from agent.capture.writer_jobs import Job
from agent.config.settings import Camera
from agent.core.contract.facts import CameraFacts, SoundFacts
from agent.core.media.model import AudioInfo, Packet, Sound, StreamInfo
from agent.core.media.mp4.traks import holds
from agent.core.media.ring import Ring
from agent.core.media.segmenter import KEEP, Action, End, Segmenter, Turn, Write
from agent.core.media.timeline import Jump, Soundline, Timeline
from agent.core.vision.event import EventOrder
from agent.host.clock import Clock
from agent.host.meter import Rate, rounded

SILENT_S = 10.0             # after so long without the promised sound, it is reported as missing
CONFIRM_S = 2.0             # the detector confirms motion up to this long after its first picture
SHORTEST_CUT_US = 5_000_000     # whoever asks often must not fill the database with clips
CONTINUOUS_CLIP_S = 60.0    # short enough for fair retention, long enough for few commits

_log = logging.getLogger(__name__)


class SoundTrack:
    """Dates the sound of a source. `facts` and one line in the log say why sound is not kept."""

    def __init__(self, camera: str, wanted: bool) -> None:
        self._camera, self._wanted = camera, wanted
        self._known: tuple[AudioInfo | None, str] | None = None
        self._line: Soundline | None = None
        self._came_us: int | None = None
        self._dropped_n = 0
        self.audio: AudioInfo | None = None     # the format that is recorded

    @property
    def dropped_n(self) -> int:
        """Returns the stretches that fit nowhere in time."""
        return self._dropped_n + (self._line.dropped_n if self._line else 0)

    def learn(self, info: AudioInfo | None, unsupported: str) -> bool:
        """Sets the format of the sound that follows, as `Sink.audio` reports it; whether it is a different one."""
        if self._known == (info, unsupported):
            return False
        self._known = info, unsupported
        before, self.audio = self.audio, info if info is not None and holds(info) else None
        if self.audio is None:
            codec = unsupported or (info.codec if info else "")
            _log.warning("%s: %s; it is recorded without sound", self._camera,
                         f"its sound is {codec}, which cannot be kept as it is: AAC or G.711 can" if codec
                         else "sends no sound")
        self.restart()
        return self.audio != before

    def restart(self) -> None:
        self._dropped_n = self.dropped_n
        self._line = Soundline(self.audio.rate_hz) if self.audio else None

    def date(self, sound: Sound, now_us: int) -> list[Sound]:
        """Takes the next stretch, on the source's clock; returns those that can be dated now, on the device's clock."""
        self._came_us = now_us
        return self._line.date(sound, now_us) if self._line else []

    def facts(self, now_mono_s: float) -> SoundFacts | None:
        """Returns the facts for the heartbeat; None before the source has reported its sound."""
        if not self._wanted:
            return SoundFacts("off")
        if self._known is None:
            return None
        info, unsupported = self._known
        if self.audio is None:
            return SoundFacts("unsupported", unsupported or info.codec) if unsupported or info else SoundFacts("none")
        silent = self._came_us is None or now_mono_s - self._came_us / 1e6 > SILENT_S
        return SoundFacts("silent" if silent else "recorded", self.audio.codec, self.audio.rate_hz)


class RecordPath:
    """The part of a pipe that records. The pipe's lock guards it; nothing in it blocks or raises."""

    def __init__(self, camera: Camera, recorder: Recorder, live: LiveSocket, clock: Clock, ring: Ring,
                 events: CameraEvents) -> None:
        self._camera, self._recorder, self._live, self._clock = camera, recorder, live, clock
        self._ring, self._events = ring, events
        self._segmenter = _segmenter(camera, ring)
        self._clips, self._sound = ClipWriter(camera, recorder, clock, ring), SoundTrack(camera.name, camera.audio)
        self._timeline = Timeline()
        self.info: StreamInfo | None = None         # how the pictures are encoded
        self._frames, self._bytes = Rate(), Rate()
        self._last_frame_mono_s: float | None = None

    def stream(self, info: StreamInfo) -> None:
        if info != self.info:
            self.end_run()
            self.info = self._clips.info = info
            self._live.stream(info)

    def packet(self, packet: Packet, now_mono_s: float) -> None:
        now_us = int(now_mono_s * 1e6)
        self._last_frame_mono_s = now_mono_s
        self._frames.total += 1
        self._bytes.total += len(packet.data)
        try:
            dated = self._timeline.date(packet, now_us)
        except Jump as jump:
            _log.info("%s: a new run begins because of the camera's %s", self._camera.name, jump)
            self.end_run()
            dated = self._timeline.date(packet, now_us)
        for ours in dated:
            self._ring.push(ours)
            if self._recorder.clip_lost.is_set():
                self._recorder.clip_lost.clear()
                self._segmenter.lost()
                self._clips.lose()
            actions = self._segmenter.packet(ours)
            if actions is KEEP:
                self._clips.write(ours)
            elif actions:
                self._carry_out(actions)
            if self._clips.batch:
                self._clips.stop_waiting(ours.dts_us)
                self.send()
            self._live.packet(ours)

    def audio(self, info: AudioInfo | None, unsupported: str) -> None:
        if self._sound.learn(info, unsupported):
            self._ring.clear_sound()
            self._segmenter.cut()
            self._clips.audio = self._sound.audio

    def sound(self, sound: Sound, now_us: int) -> None:
        for ours in self._sound.date(sound, now_us):
            self._ring.push_sound(ours)
            self._clips.add_sound(ours)
        self.send()

    def follow(self, order: EventOrder | None, now_us: int) -> None:
        if order is EventOrder.OPEN:
            self._clips.add(self._events.begin(now_us))
            self._carry_out(self._segmenter.open(now_us))
        elif order is EventOrder.EXTEND:
            self._carry_out(self._segmenter.extend(now_us))
        elif order is EventOrder.TURN:
            self._carry_out(self._segmenter.turn(now_us))
        elif order is EventOrder.CLOSE:
            self._carry_out(self._segmenter.close())
            self._clips.add(*self._events.end())
        self.send()

    def keep(self, now_us: int, until_us: int) -> None:
        """Records from the pre-roll until `until_us`, with or without an event."""
        self._carry_out(self._segmenter.keep(now_us, until_us))

    def add(self, *jobs: Job) -> None:
        """Adds jobs after what was recorded so far; `send` hands them over."""
        self._clips.add(*jobs)

    def send(self) -> None:
        if not self._clips.send():
            self._segmenter.lost()

    def tick(self, now_us: int, cut: bool) -> None:
        """Closes a clip whose sound has stopped; with `cut` an open one at a keyframe soon."""
        if cut:
            self._segmenter.cut(SHORTEST_CUT_US)
        self._clips.stop_waiting(now_us)
        self.send()

    def end_run(self) -> int | None:
        """Closes the open clip because the source has stopped. Returns when its last frame ended, in microseconds."""
        end_us = self._segmenter.end_of_media_us
        self._carry_out(self._segmenter.end_run())
        self._clips.close()
        self.send()
        self._ring.clear()
        self._timeline = Timeline()
        self._sound.restart()
        return end_us

    def pause(self) -> None:
        """Closes what is open, and cancels any time that was still to be recorded."""
        self.end_run()
        self._segmenter.kept_until_us = None
        self._carry_out(self._segmenter.close())

    def forget(self) -> None:
        """Forgets every picture, and ends the live picture."""
        self.info = self._clips.info = self._last_frame_mono_s = None
        self._frames, self._bytes = Rate(), Rate()
        self._live.look_away()

    def newest(self) -> tuple[StreamInfo, list[Packet]] | None:
        """Returns the newest GOP so far, on the device's clock; None without a picture."""
        gop = self._ring.newest_gop()
        return (self.info, gop) if self.info is not None and gop else None

    def describe(self, facts: CameraFacts, now_mono_s: float) -> None:
        if self.info is not None:
            info = self.info
            facts.codec, facts.width, facts.height = info.codec, info.width, info.height
            facts.encoder, facts.stands_in = info.encoder or None, info.stands_in or None
            facts.reduced_from = "x".join(map(str, info.reduced_from)) if info.reduced_from else None
        bytes_per_s, last_mono_s = self._bytes.per_s(now_mono_s), self._last_frame_mono_s
        facts.fps = rounded(self._frames.per_s(now_mono_s))
        facts.kbps = rounded(bytes_per_s * 8 / 1000 if bytes_per_s is not None else None)
        facts.last_frame_age_s = rounded(now_mono_s - last_mono_s if last_mono_s is not None else None)
        facts.audio = self._sound.facts(now_mono_s)
        if self._camera.audio:
            facts.sound_dropped_n = self._sound.dropped_n + self._clips.sound_lost_n
        facts.recording, facts.events_n = self._recorder.recording, self._recorder.events_n
        facts.dropped_n = self._ring.overflow_n + self._clips.refused_n + self._recorder.dropped_n
        rows, facts.slow_card = self._recorder.rows, self._recorder.slow_card or None
        facts.write_errors_n, facts.database_held_by = self._recorder.errors_n, rows.held_by
        facts.write_fault = self._recorder.fault or (
            "database_held" if rows.held_by is not None and not rows.numbers else None)

    def _carry_out(self, actions: Sequence[Action]) -> None:
        """Carries out the segmenter's actions. A clip begins with its first packet, which has its time."""
        for action in actions:
            match action:
                case Write():
                    for packet in action.packets:
                        self._clips.write(packet)
                case End():
                    self._clips.end(action.until_us)
                case Turn():
                    self._clips.add(*self._events.end(), self._events.begin(action.at_us, continues=True))


def _segmenter(camera: Camera, ring: Ring) -> Segmenter:
    """In motion mode, the event machine ends clips by splitting long events: twice the longest is only a bound."""
    always = camera.record != "motion"
    longest_s = min(camera.max_clip_s, CONTINUOUS_CLIP_S) if always else 2 * camera.max_clip_s
    return Segmenter(ring, always, pre_roll_us=int((camera.pre_roll_s + CONFIRM_S) * 1e6),
                     post_roll_us=int(camera.post_roll_s * 1e6), longest_us=int(longest_s * 1e6))
