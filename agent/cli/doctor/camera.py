"""Opens a camera for a few seconds as the recorder does, and judges what it sends."""
import importlib
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import msgspec

from agent.cameras import Sink, SourceError, open_source, picamera, reencode
from agent.cameras.rtsp.pins import CertificatePins
from agent.cli.doctor import CheckVerdict, bad, ok, skipped, systemctl, warn, worst
from agent.cli.exits import with_sudo
from agent.cli.processes import at_work
from agent.config.derived import declared, transcodes
from agent.config.settings import Camera
from agent.config.source import NETWORK, RAW, parse_source
from agent.core.media.model import Packet, StreamInfo
from agent.host.clock import Clock, SystemClock
from agent.host.decoder import TooLarge, is_small
from agent.host.stop import Stop
from agent.host.users import become_reader
from agent.look.device_words import condition_text
from agent.store import pause
from agent.store.folders import Folders

LOOK_S = 4.0                # from the first packet
LONGEST_LOOK_S = 14.0       # with opening, and waiting for a second keyframe
WITHIN_S = 45               # both streams, and libav's own timeout
DEADLINE_S = WITHIN_S + 10.0        # with the start of a process, which takes seconds on a Pi
ANSWER_MAX_B = 65_536
# A unit's settings that may keep it from a camera.
LIMITS = ("User", "Group", "SupplementaryGroups", "Environment", "PrivateUsers", "PrivateNetwork", "IPAddressAllow",
          "IPAddressDeny", "RestrictAddressFamilies", "PrivateDevices", "DevicePolicy", "DeviceAllow", "ProtectHome",
          "ProtectSystem", "InaccessiblePaths", "NoNewPrivileges", "CapabilityBoundingSet", "MemoryDenyWriteExecute",
          "SystemCallFilter", "SystemCallErrorNumber", "MemoryMax", "TasksMax")
KEYFRAMES_FAR_S = 5.0
KEYFRAMES_REMEDY = "set the camera's keyframe (I-frame) interval to 2 s: a clip can only begin at one"
SLOW_SHARE, FAST_SHARE = 0.7, 1.5
SUB_FAST_HINT = "motion detection uses fewer, and decodes the rest in vain: taimat discover --tune sets the camera to 5"
TIGHT_PCT, TOO_MUCH_PCT = 60, 90        # of the time: beyond, pictures come faster than they are painted
MASKS_REMEDY = ("set the camera to fewer pictures a second or a smaller picture; or set the mask in its own menu, and "
                'privacy_mask = "camera"')
CODECS = {"h264": "H.264", "h265": "H.265"}


class PacketCounter(Sink):
    def __init__(self, clock: Clock, stop: Stop, keys_n: int) -> None:
        """Sets `stop` after enough time and `keys_n` keyframes."""
        self._clock, self._stop, self._keys_n = clock, stop, keys_n
        self.info: StreamInfo | None = None
        self.came_us: list[int] = []            # pts of every packet
        self.keys_us: list[int] = []            # and of every keyframe
        self.bytes_n = 0
        self.kept: list[Packet] = []            # the first of them, from a keyframe on
        self._first_mono_s: float | None = None

    def stream(self, info: StreamInfo) -> None:
        self.info = info

    def packet(self, packet: Packet) -> None:
        self.came_us.append(packet.pts_us)
        self.bytes_n += len(packet.data)
        if (packet.key or self.kept) and len(self.kept) < reencode.PACKETS_MAX and self.bytes_n < reencode.BYTES_MAX:
            self.kept.append(packet)
        if packet.key:
            self.keys_us.append(packet.pts_us)
        now_mono_s = self._clock.mono_s()
        self._first_mono_s = now_mono_s if self._first_mono_s is None else self._first_mono_s
        if len(self.keys_us) >= self._keys_n and now_mono_s - self._first_mono_s >= LOOK_S:
            self._stop.set()

    @property
    def fps(self) -> float:
        """Packets a second; 0 before the second one."""
        span_s = (max(self.came_us) - min(self.came_us)) / 1e6 if self.came_us else 0.0
        return (len(self.came_us) - 1) / span_s if span_s > 0 else 0.0


def examine(camera: Camera, store: Path, unit: str) -> CheckVerdict:
    """Opens the camera with the limits of its recording `unit`. Root becomes another user for good."""
    holder = at_work(store).get(f"capture@{camera.name}")
    if parse_source(camera.source).scheme in RAW and holder:
        return skipped(f"process {holder} records it now, and only one process can",
                       "look at the page; or stop it first: systemctl stop 'taimat-*'")
    if pause.load(Folders(store)).of(camera.name, SystemClock().now()):
        return skipped("is paused, so it was not opened", f"to see again: taimat resume {camera.name}")
    limits = _limits(unit)
    if limits and os.getuid() == 0:
        return _look_as_unit(limits, camera, store)
    for kind in ("file", "rtsp.libav", "v4l2"):
        importlib.import_module(f"agent.cameras.{kind}")        # later it may not read root's own Python
    become_reader()
    seen = look(camera, store)
    return worst([seen, ok("opened without the recorder's limits", f"with them: {with_sudo()}")]) if limits else seen


def _limits(unit: str) -> list[str]:
    """Reads the unit's settings; [] if systemd does not run or does not know the unit."""
    said = systemctl(f"--property=LoadState,{','.join(LIMITS)}", unit).splitlines()
    return [line for line in said if not line.startswith("LoadState=")] if "LoadState=loaded" in said else []


def _look_as_unit(limits: list[str], camera: Camera, store: Path) -> CheckVerdict:
    """Asks a process with these limits. Raises OSError and msgspec.MsgspecError."""
    rules = [f"--property={line}" for line in (f"RuntimeMaxSec={WITHIN_S}", *limits)]
    with subprocess.Popen(["systemd-run", "--quiet", "--collect", "--pipe", "--wait", *rules, sys.executable, "-P",
                           "-m", "agent.cli.doctor.camera"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(msgspec.json.encode((camera, str(store))))
        process.stdin.close()
        return msgspec.json.decode(process.stdout.read(ANSWER_MAX_B), type=CheckVerdict)


def look(camera: Camera, store: Path) -> CheckVerdict:
    scheme, pins = parse_source(camera.source).scheme, CertificatePins(Folders(store).cameras, learns=False)
    try:
        seen = _look(camera, camera.source, pins, keys_n=2)
    except SourceError as error:
        return bad(error.what, error.remedy)
    if not seen.came_us or seen.info is None:
        return bad(f"opened, but no picture came within {LONGEST_LOOK_S:g} s",
                   "switch the camera off and on; set its stream to H.264")
    return worst([_main(camera, scheme, seen), *_sensor(scheme, seen.info),
                  *masks_verdict(camera, seen.info, seen.kept), *_sub(camera, scheme, pins)])


def none() -> CheckVerdict:
    return bad("none is configured and enabled, so nothing is recorded", "add a [[camera]] with its source")


def _look(camera: Camera, url: str, pins: CertificatePins, keys_n: int) -> PacketCounter:
    """Opens the stream until `keys_n` keyframes have come. Raises SourceError."""
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
    try:
        is_small(seen.info)
    except TooLarge as error:
        return warn(f"pictures of {error} are recorded, but are too large for motion detection",
                    "lower the camera's resolution, or set sub to its small stream")
    if len(seen.keys_us) < 2:
        return warn(f"{text}, no second keyframe within {span_s:.0f} s", KEYFRAMES_REMEDY)
    keys_s = (seen.keys_us[-1] - seen.keys_us[0]) / 1e6 / (len(seen.keys_us) - 1)
    text += f", a keyframe every {keys_s:.1f} s"
    if keys_s > KEYFRAMES_FAR_S:
        return warn(text, KEYFRAMES_REMEDY)
    if scheme in RAW and seen.fps < camera.fps * SLOW_SHARE:
        return warn(f"{text}, but {camera.fps} are configured",
                    "lower fps, or width and height: this board or camera can't do more")
    return ok(text)


def _sensor(scheme: str, info: StreamInfo) -> list[CheckVerdict]:
    """What part of its view a Pi camera shows, and whether masks could be painted on it."""
    verdicts = []
    if info.view_pct == 100:
        verdicts.append(ok("the whole width of its sensor"))
    elif info.view_pct is not None:
        hint = (f"for the whole width set fps = {info.whole_up_to_fps} or less" if info.whole_up_to_fps
                else "only a smaller picture has the whole width: lower width and height")
        verdicts.append(ok(f"the middle {info.view_pct} % of the width of its sensor", hint))
    if info.stands_in:
        verdicts.append(warn("the board's own encoder failed, x264 replaces it",
                             condition_text("encoder_failed", "en").remedy))
    if scheme == "picamera" and not picamera.hides_masks():
        verdicts.append(ok(f"picamera2 {picamera.found_version()} records, but cannot paint masks",
                           f"before you set masks: {picamera.REMEDY.partition(';')[0]}"))
    return verdicts


def masks_verdict(camera: Camera, info: StreamInfo, packets: Sequence[Packet]) -> list[CheckVerdict]:
    """Judges the masks: paints them on what the camera has sent, from a keyframe on."""
    if declared(camera):
        return [ok(f"{len(camera.masks)} masks, painted by the camera itself, as you declare: see the live page")]
    if not transcodes(camera):
        return []
    try:
        cost = reencode.masking_cost(camera, info, packets)
    except SourceError as error:
        return [bad(f"masks: {error.what}", error.remedy)]
    if cost is None:
        return [warn("masks: too few pictures came to measure the cost of painting", "run this again")]
    text = (f"painting the masks (decode, paint, x264) takes {cost.cpu_pct:.0f} % of one of {os.cpu_count() or 1} "
            f"cores, and {cost.busy_pct:.0f} % of the time")
    if cost.busy_pct > TOO_MUCH_PCT:
        return [bad(f"{text}: pictures will be missing", MASKS_REMEDY)]
    return [warn(f"{text}: little is left for a busy scene", MASKS_REMEDY)] if cost.busy_pct > TIGHT_PCT else [ok(text)]


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


if __name__ == "__main__":
    asked, place = msgspec.json.decode(sys.stdin.buffer.read(), type=tuple[Camera, str])
    sys.stdout.buffer.write(msgspec.json.encode(look(asked, Path(place))))
