"""Is each camera really there, and what does it send? Opened the way the recorder opens it, for a few seconds."""
import threading
from pathlib import Path

from agent.cameras import SourceError
from agent.cameras.open_source import open_source
from agent.cameras.picamera import version
from agent.cameras.rtsp.pins import CertificatePins
from agent.cli.doctor import masks
from agent.cli.doctor.verdict import CheckVerdict, bad, ok, skipped, warn, worst
from agent.cli.processes import at_work
from agent.config.settings import Camera
from agent.config.source import NETWORK, RAW, parse_source
from agent.core.health.texts import EN
from agent.core.media.model import Packet, StreamInfo
from agent.core.vision.luma import Luma
from agent.host.clock import Clock, SystemClock
from agent.host.decoder import TooLarge, is_small
from agent.host.stop import Stop
from agent.store import pause
from agent.store.folders import Folders

LOOK_S = 4.0                # once something comes
LONGEST_LOOK_S = 14.0       # with opening, and waiting for a second keyframe
DEADLINE_S = 45.0           # both streams, and the time that libav needs to give up
KEYFRAMES_FAR_S = 5.0
KEYFRAMES_REMEDY = "set the camera's keyframe (I-frame) interval to 2 s: a clip can only begin at one"
SLOW_SHARE, FAST_SHARE = 0.7, 1.5
SUB_FAST_HINT = "motion looks at fewer, the rest is decoded for nothing: taimat discover --tune asks the camera for 5"
CODECS = {"h264": "H.264", "h265": "H.265"}


class PacketCounter:
    """A sink that only counts what comes."""

    def __init__(self, clock: Clock, stop: Stop, keys_n: int) -> None:
        """Sets `stop` when enough has come, `keys_n` keyframes among it."""
        self._clock, self._stop, self._keys_n = clock, stop, keys_n
        self.info: StreamInfo | None = None
        self.came_us: list[int] = []            # pts of every packet
        self.keys_us: list[int] = []            # and of every keyframe
        self.bytes_n = 0
        self.kept: list[Packet] = []            # the first of them, from a keyframe on
        self._first_mono_s: float | None = None

    def stream(self, info: StreamInfo) -> None:
        """The format."""
        self.info = info

    def packet(self, packet: Packet) -> None:
        """Count it, and end the look when enough has come."""
        self.came_us.append(packet.pts_us)
        self.bytes_n += len(packet.data)
        if (packet.key or self.kept) and len(self.kept) < masks.PACKETS_MAX and self.bytes_n < masks.BYTES_MAX:
            self.kept.append(packet)
        if packet.key:
            self.keys_us.append(packet.pts_us)
        now_mono_s = self._clock.mono_s()
        self._first_mono_s = now_mono_s if self._first_mono_s is None else self._first_mono_s
        if len(self.keys_us) >= self._keys_n and now_mono_s - self._first_mono_s >= LOOK_S:
            self._stop.set()

    def wants_luma(self, mono_s: float) -> bool:
        """Packets tell enough."""
        return False

    def wants_main_luma(self) -> bool:
        """Packets tell enough."""
        return False

    def luma(self, picture: Luma) -> None:
        """Not asked for."""

    @property
    def fps(self) -> float:
        """Packets a second; 0 before the second one."""
        span_s = (max(self.came_us) - min(self.came_us)) / 1e6 if self.came_us else 0.0
        return (len(self.came_us) - 1) / span_s if span_s > 0 else 0.0


def examine(camera: Camera, store: Path) -> CheckVerdict:
    """Open the camera, and its sub-stream if one is set."""
    scheme = parse_source(camera.source).scheme
    holder = at_work(store).get(f"capture@{camera.name}")
    if scheme in RAW and holder:
        return skipped(f"process {holder} records it now, and only one can",
                       "look at the page; or stop it first: systemctl stop 'taimat-*'")
    if pause.load(Folders(store)).of(camera.name, SystemClock().now()):
        return skipped("is paused, so nobody looks", f"to see again: taimat resume {camera.name}")
    pins = CertificatePins(Folders(store).cameras, learns=False)
    try:
        seen = _look(camera, camera.source, pins, keys_n=2)
    except SourceError as error:
        return bad(error.what, error.remedy)
    if not seen.came_us or seen.info is None:
        return bad(f"opened, but no picture came within {LONGEST_LOOK_S:g} s",
                   "switch the camera off and on; set its stream to H.264")
    return worst([_main(camera, scheme, seen), *_sensor(scheme, seen.info),
                  *masks.verdict(camera, seen.info, seen.kept), *_sub(camera, scheme, pins)])


def none() -> CheckVerdict:
    """There is no camera to look at."""
    return bad("none is configured and enabled, so nothing is recorded", "add a [[camera]] with its source")


def _look(camera: Camera, url: str, pins: CertificatePins, keys_n: int) -> PacketCounter:
    """One attempt, ended by us once `keys_n` keyframes have come. Raises SourceError."""
    clock, stop = SystemClock(), Stop()
    timer = threading.Timer(LONGEST_LOOK_S, stop.set)
    timer.start()
    counter = PacketCounter(clock, stop, keys_n)
    try:
        open_source(camera, url, clock, pins=pins).run(counter, stop)
    finally:
        timer.cancel()
    return counter


def _main(camera: Camera, scheme: str, seen: PacketCounter) -> CheckVerdict:
    assert seen.info is not None
    span_s = (max(seen.came_us) - min(seen.came_us)) / 1e6
    mbit_per_s = seen.bytes_n * 8 / span_s / 1e6 if span_s > 0 else 0.0
    text = (f"{CODECS[seen.info.codec]} {seen.info.width}x{seen.info.height}, {seen.fps:.1f} pictures a second, "
            f"{mbit_per_s:.1f} Mbit/s")
    if large := _too_large(seen.info):
        return large
    if len(seen.keys_us) < 2:
        return warn(f"{text}, no second keyframe within {span_s:.0f} s", KEYFRAMES_REMEDY)
    keys_s = (seen.keys_us[-1] - seen.keys_us[0]) / 1e6 / (len(seen.keys_us) - 1)
    text += f", a keyframe every {keys_s:.1f} s"
    if keys_s > KEYFRAMES_FAR_S:
        return warn(text, KEYFRAMES_REMEDY)
    if scheme in RAW and seen.fps < camera.fps * SLOW_SHARE:
        return warn(f"{text}, but {camera.fps} were asked for",
                    "lower fps, or width and height: this board or camera can't do more")
    return ok(text)


def _sensor(scheme: str, info: StreamInfo) -> list[CheckVerdict]:
    """What a Pi camera shows of what it sees, and whether masks could be painted over it."""
    told = []
    if info.view_pct == 100:
        told.append(ok("all of the width that its sensor can see"))
    elif info.view_pct is not None:
        hint = (f"all of it comes with fps = {info.whole_up_to_fps} or less" if info.whole_up_to_fps
                else "all of it comes in a smaller picture only: lower width and height")
        told.append(ok(f"the middle {info.view_pct} % of the width that its sensor can see", hint))
    if info.stands_in:
        told.append(warn("the board's own encoder failed, x264 stands in", EN["encoder_failed"].remedy))
    if scheme == "picamera" and not version.hides():
        told.append(ok(f"picamera2 {version.found()} records, but could not hide anything", f"before you set masks: "
                       f"{version.REMEDY.partition(';')[0]}"))
    return told


def _too_large(info: StreamInfo) -> CheckVerdict | None:
    try:
        is_small(info)
    except TooLarge as error:
        return warn(f"pictures of {error} are recorded, but are too large to be looked at for motion",
                    "lower the camera's resolution, or set sub to its small stream")
    return None


def _sub(camera: Camera, scheme: str, pins: CertificatePins) -> list[CheckVerdict]:
    if not camera.sub:
        hint = "set sub to the camera's small stream (taimat discover finds it): it saves most of the work"
        return [ok("no sub-stream is set", hint)] if scheme in NETWORK else []
    try:
        seen = _look(camera, camera.sub, pins, keys_n=1)
    except SourceError as error:
        return [warn(f"sub-stream: {error.what}", f"{error.remedy}; until then motion costs much more")]
    if not seen.fps or seen.info is None:
        return [warn("sub-stream: no picture came", "correct sub, or leave it out")]
    text = f"sub-stream {seen.info.width}x{seen.info.height}, {seen.fps:.1f} pictures a second"
    return [ok(text, SUB_FAST_HINT if seen.fps > FAST_SHARE * camera.motion.fps else "")]
