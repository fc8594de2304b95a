"""What the real picamera2 does under our source, one scenario a process: prints what it saw as one line of JSON.

    scenarios.py NAME          run in the interpreter of environment.py; hangs are for the caller to end
"""
import json
import logging
import os
import platform
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from agent.cameras import effort
from agent.cameras.encode import SoftwareEncoder
from agent.cameras.picamera import PicameraSource
from agent.config.settings import Sensor
from agent.core.media import headroom
from agent.host.board import Board
from agent.host.clock import SystemClock
from tests.rigs.picamera.sensor import MODES, note_requests, play_sensor
from tests.rigs.picamera.stage import (
    FPS,
    HIDDEN,
    SOFTWARE,
    Keeper,
    again,
    camera,
    capture_role,
    decoded,
    failure,
    later,
    run,
    show_footage,
    steps_s,
    threads,
    walk_by,
)
from tests.rigs.picamera.virtual import SensorClock, install
from tests.rigs.wait import HANG_S, Stopwatch, until


def records(clock: SensorClock) -> dict[str, Any]:
    """Five seconds of footage, opening included."""
    show_footage(clock)
    sink = Keeper()
    with Stopwatch() as watch:
        source = run(sink, 5)
    age_s = SystemClock().mono_s() - sink.packets[-1].pts_us / 1e6
    pts = np.array([packet.pts_us for packet in sink.packets])
    luma, frames = sink.lumas[-1], decoded(sink)
    return {"packets": len(pts), "decoded": len(frames), "lost": clock.dropped_n, "infos": sink.formats(),
            "keys_s": [(packet.pts_us - sink.packets[0].pts_us) / 1e6 for packet in sink.packets if packet.key],
            "longest_step_s": max(steps_s(sink)), "monotone": bool((np.diff(pts) > 0).all()),
            "media_s": float(pts[-1] - pts[0]) / 1e6,
            "age_s": age_s, "slowness": watch.slowness, "dropped": source.dropped_n, "threads": sorted(sink.threads),
            "lumas": len(sink.lumas), "luma_shape": luma.y.shape,
            "metadata": (luma.exposure_us, luma.gain, luma.lux, luma.focus), "spread": float(frames[-1].std())}


def hides(clock: SensorClock) -> dict[str, Any]:
    """A privacy mask over the middle of the picture."""
    show_footage(clock)
    sink = Keeper()
    run(sink, 2.5, masks=[HIDDEN])
    frames, lumas = np.array(decoded(sink)), np.array([luma.y for luma in sink.lumas])
    return {"decoded": len(frames), "video": float(_inside(frames).max()), "luma": float(_inside(lumas).max()),
            "outside": float(frames[:, :frames.shape[1] // 5].mean()),
            "luma_outside": float(lumas[:, :lumas.shape[1] // 5].mean())}


def _inside(pictures: np.ndarray) -> np.ndarray:
    """What HIDDEN covers of some pictures."""
    _, height, width = pictures.shape
    return pictures[:, height // 4:height * 3 // 4, width // 4:width * 3 // 4]


def goes_blind(_: SensorClock) -> dict[str, Any]:
    """A frame that can't be masked: nothing may be handed on from then on."""
    from picamera2 import MappedArray
    sink, healthy, broken = Keeper(), MappedArray.__init__, threading.Event()

    def map_array(self: Any, *arguments: Any, **named: Any) -> None:
        if broken.is_set() and named.get("write"):       # our painting alone; the encoder goes on
            raise RuntimeError("failed to find buffer")
        healthy(self, *arguments, **named)

    MappedArray.__init__ = map_array
    later(2, broken.set)
    told = failure(lambda: run(sink, 10, masks=[HIDDEN]))
    broken.clear()
    return {**told, "brightest": float(np.array(decoded(sink))[:, 100:260, 170:470].max()), **again()}


def encoder_raises(_: SensorClock) -> dict[str, Any]:
    """x264 fails in the middle, in the camera's own event loop."""
    sink, healthy, broken = Keeper(), SoftwareEncoder.encode, threading.Event()

    def encode(self: SoftwareEncoder, *arguments: Any) -> bytes:
        if broken.is_set():
            raise RuntimeError("x264 is out of memory")
        return healthy(self, *arguments)

    SoftwareEncoder.encode = encode
    later(1.5, broken.set)
    told = failure(lambda: run(sink, 10))
    broken.clear()
    return {**told, "packets": len(sink.packets), **again()}


def stalls(clock: SensorClock) -> dict[str, Any]:
    """After two seconds no frame comes any more, and no error either."""
    from agent.cameras.picamera.session import PicameraSession
    sink, fell_silent_s, gave_up_s, close = Keeper(), [], [], PicameraSession.close

    def stall() -> None:
        clock.stalled = True
        fell_silent_s.append(time.monotonic())

    def note_and_close(self: PicameraSession) -> None:
        gave_up_s.append(time.monotonic())
        close(self)

    PicameraSession.close = note_and_close
    later(2, stall)
    told = failure(lambda: run(sink, 30))
    silent_s, clock.stalled = time.monotonic() - fell_silent_s[0], False
    return {**told, "packets": len(sink.packets), "told_s": gave_up_s[0] - fell_silent_s[0], "silent_s": silent_s,
            **again()}


def meets_errors(clock: SensorClock) -> dict[str, Any]:
    """One second of spoilt frames in the middle."""
    sink = Keeper()
    for at_s, spoilt in ((1.5, True), (2.5, False)):
        later(at_s, lambda spoilt=spoilt: setattr(clock, "error_frames", spoilt))
    told = failure(lambda: run(sink, 4))
    return {**told, "packets": len(sink.packets), "decoded": len(decoded(sink)), "longest_step_s": max(steps_s(sink))}


def bad_sink(_: SensorClock) -> dict[str, Any]:
    """The sink breaks its promise and raises."""
    sink = Keeper()

    def raise_at_ten(packet: Any) -> None:
        sink.packets.append(packet)
        if len(sink.packets) == 10:
            raise ZeroDivisionError("a bug in the sink")

    sink.packet = raise_at_ten
    return {**failure(lambda: run(sink, 10)), "packets": len(sink.packets), **again()}


def slow_sink(_: SensorClock) -> dict[str, Any]:
    """The sink sleeps for two seconds once; the camera must not wait for it."""
    sink, slept = Keeper(), []

    def sleep_once(packet: Any) -> None:
        sink.packets.append(packet)
        if len(sink.packets) == 10:
            time.sleep(2)
            slept.append(1)

    sink.packet = sleep_once
    source = run(sink, 4.5)
    return {"slept": len(slept), "longest_step_s": max(steps_s(sink)), "dropped": source.dropped_n}


def no_encoder(_: SensorClock) -> dict[str, Any]:
    """The board tells of an encoder whose device can't be opened; the camera must be free again each time."""
    machine = Board(model=None, ram_b=416 << 20, serial=None, encoder=Path("/dev/video11"))

    def source() -> PicameraSource:
        return PicameraSource(camera(), 0, SystemClock(), machine)

    tries, sink = [failure(lambda: run(Keeper(), 5, source())) for _ in range(effort.HARDWARE_TRIES_N)], Keeper()
    run(sink, 1.5, source())
    return {"tries": tries, "then": sink.formats(), "packets": len(sink.packets)}


def no_camera(_: SensorClock) -> dict[str, Any]:
    """A camera number that does not exist."""
    return failure(lambda: run(Keeper(), 5, PicameraSource(camera(), 3, SystemClock(), SOFTWARE)))


def in_use(_: SensorClock) -> dict[str, Any]:
    """Another user has the camera open."""
    from picamera2 import Picamera2
    other = Picamera2(0)
    told = failure(lambda: run(Keeper(), 5))
    other.close()
    return {**told, **again()}


def hangs(_: SensorClock) -> dict[str, Any]:
    """The camera does not come back from closing."""
    from picamera2 import Picamera2

    from agent.cameras import picamera
    picamera.CLOSE_S = 1.0
    Picamera2.stop = lambda _: time.sleep(HANG_S)
    return failure(lambda: run(Keeper(), 2))


def reopens(_: SensorClock) -> dict[str, Any]:
    """Fifty sessions one after the other, each ended after three frames."""
    import psutil
    me, seen = psutil.Process(), []
    for _ in range(50):
        sink = Keeper(enough_n=3)
        run(sink, 20, fps=30)
        seen.append((len(sink.packets), me.num_fds(), me.num_threads(), me.memory_info().rss))
    packets, files, threads, rss_b = zip(*seen, strict=True)
    return {"packets": packets, "files": files, "threads": threads, "rss_mb": [each / 1e6 for each in rss_b]}


def adjusts(clock: SensorClock) -> dict[str, Any]:
    """Other settings at run time, from another thread: a mask, exposure, focus, the pace at night."""
    show_footage(clock)
    sink, source = Keeper(), PicameraSource(camera(), 0, SystemClock(), SOFTWARE)
    wanted = camera(masks=[HIDDEN], sensor=Sensor(exposure_ev=1, focus="fixed", focus_m=2, night_fps=5))
    answers: dict[str, Any] = {}

    def adjust() -> None:
        answers["before"] = dict(clock.told)
        with Stopwatch() as watch:
            answers["larger"] = source.adjust(camera(width=1280, height=720))
            answers["flipped"] = source.adjust(camera(sensor=Sensor(flip="both")))
            answers["took_over"] = source.adjust(wanted)
        answers["took_s"] = watch.fair_s

    later(2, adjust)
    run(sink, 4.5, source)
    frames = np.array(decoded(sink))
    return {**answers, "after": clock.told, "longest_step_s": max(steps_s(sink)), "infos": sink.formats(),
            "first": float(_inside(frames[:5]).max()), "last": float(_inside(frames[-15:]).max()),
            "first_luma": float(_inside(sink.lumas[0].y[None]).max()),
            "last_luma": float(_inside(sink.lumas[-1].y[None]).max())}


def darkens(clock: SensorClock) -> dict[str, Any]:
    """Night falls, and frames take three times as long."""
    sink = Keeper()
    later(2, lambda: setattr(clock, "dark", True))
    with Stopwatch() as watch:
        run(sink, 7, sensor=Sensor(night_fps=5))
    steps, keys = steps_s(sink), [packet.pts_us for packet in sink.packets if packet.key]
    return {"day_s": float(np.median(steps[:12])), "night_s": float(np.median(steps[-10:])),
            "decoded": len(decoded(sink)), "packets": len(sink.packets),
            "longest_gop_s": max(np.diff(keys)) / 1e6, "longest_step_s": max(steps),
            "age_s": SystemClock().mono_s() - sink.packets[-1].pts_us / 1e6, "slowness": watch.slowness}


def steps_down(_: SensorClock) -> dict[str, Any]:
    """A machine on which hardly anything fits."""
    headroom.CORE_SHARE_MAX = 1e-6
    sink = Keeper()
    run(sink, 1.5, width=1280, height=720)
    return {"infos": sink.formats(), "asked": sink.infos[0].reduced_from, "packets": len(sink.packets)}


def lags(_: SensorClock) -> dict[str, Any]:
    """Encoding takes longer than measured, but for the smallest picture."""
    effort.WINDOW_S = 1.5
    healthy = SoftwareEncoder.encode

    def encode(self: SoftwareEncoder, frame: Any, pts_us: int) -> bytes:
        time.sleep(1.2 / FPS if frame.width > 640 else 0)
        return healthy(self, frame, pts_us)

    SoftwareEncoder.encode = encode
    sink = Keeper()
    told = failure(lambda: run(sink, 9, width=960, height=540))
    return {**told, "infos": sink.formats(), "longest_step_s": max(steps_s(sink))}


def too_old(_: SensorClock) -> dict[str, Any]:
    """A picamera2 whose masks may not reach the encoder: with masks nothing is opened, without it records."""
    from agent.cameras import picamera
    picamera.found_version = lambda: "0.3.31"
    masked, plain = Keeper(), Keeper(enough_n=6)
    told = failure(lambda: run(masked, 5, masks=[HIDDEN]))
    source = run(plain, 20)
    return {**told, "masked": len(masked.packets), "plain": len(plain.packets),
            "takes_masks": source.adjust(camera(masks=[HIDDEN])), "takes_others": source.adjust(camera())}


def chooses_a_mode(clock: SensorClock) -> dict[str, Any]:
    """A sensor with modes: libcamera tells them without a buffer, and the stream tells how much it shows."""
    del clock
    allocated, asked = play_sensor(MODES), note_requests()
    kept = Path(tempfile.mkdtemp(prefix="pi"))
    views, buffers = [], []
    for fps in (15, 30):
        sink = Keeper(enough_n=6)
        run(sink, 20, PicameraSource(camera(fps=fps), 0, SystemClock(), SOFTWARE, kept))
        views.append((sink.infos[0].view_pct, sink.infos[0].whole_up_to_fps))
        buffers.append(allocated.copy())
        until(lambda: (kept / "gate.sensor.json").exists())
    return {"asked": asked, "views": views, "buffers": buffers, "kept": (kept / "gate.sensor.json").read_text()}


def keeps_the_view(clock: SensorClock) -> dict[str, Any]:
    """A mask was drawn on the middle of the view; then come other settings, another kernel, and no masks."""
    del clock
    play_sensor(MODES)
    kept = Path(tempfile.mkdtemp(prefix="pi"))

    def opened(**settings: Any) -> Any:
        sink = Keeper(enough_n=4)
        told = failure(lambda: run(sink, 20, PicameraSource(camera(**settings), 0, SystemClock(), SOFTWARE, kept)))
        until(lambda: (kept / "gate.sensor.json").exists() and not threads("sensor memory"))
        return told.get("code"), len(sink.packets) > 0, told.get("text"), sink.infos and sink.infos[0].view_pct

    seen = [opened(fps=30, masks=[HIDDEN]), opened(fps=15, masks=[HIDDEN]),
            opened(fps=15, masks=[HIDDEN], sensor=Sensor(flip="both"))]
    platform.release = lambda: "another"
    play_sensor([(MODES[0][0], MODES[0][1], (0, 0, 640, 360)), MODES[1]])    # its driver crops elsewhere
    seen += [opened(fps=30, masks=[HIDDEN])]
    seen += [opened(fps=30), opened(fps=30, masks=[HIDDEN])]
    return {"seen": seen}


def flips_and_tunes(_: SensorClock) -> dict[str, Any]:
    """The picture upside down, by a tuning file of our own; then as it comes, by libcamera's."""
    import libcamera
    from picamera2 import Picamera2
    looked, seen = [], []
    look = libcamera.CameraManager.singleton

    def singleton() -> Any:             # libcamera reads the variable when it looks for cameras
        looked.append(os.environ.get("LIBCAMERA_RPI_TUNING_FILE"))
        return look()

    def see() -> None:
        transform = Picamera2._cm.cameras[0].camera_config["transform"]
        seen.append((bool(transform.hflip), bool(transform.vflip)))

    libcamera.CameraManager.singleton = singleton
    for sensor in (Sensor(flip="both", tuning=__file__), Sensor(tuning="/no/such.json"), Sensor()):
        later(1, see)
        run(Keeper(), 1.5, sensor=sensor)
        looked.append("closed")
    return {"seen": seen, "looked": looked}


def odd_sizes(clock: SensorClock) -> dict[str, Any]:
    """Sizes that no camera has, and a picture format in which no mask can be painted."""
    import libcamera
    odd, adjusted = Keeper(enough_n=5), Keeper(enough_n=5)
    run(odd, 20, width=641, height=361)
    run(adjusted, 20, width=800, height=600)        # the virtual camera makes its largest of that
    libcamera.StreamConfiguration.pixel_format = property(lambda _: libcamera.PixelFormat("NV12"), lambda *_: None)
    return {"odd": odd.formats(), "adjusted": adjusted.formats(), **failure(lambda: run(Keeper(), 5))}


def films_an_event(clock: SensorClock) -> dict[str, Any]:
    """The whole capture role: a still yard, people crossing it, the still yard again."""
    walk_by(clock, 7, 11)
    db = capture_role(HANG_S, lambda db: db.execute("SELECT 1 FROM clip WHERE state = 'done'").fetchone() is not None,
                      pre_roll_s=3, post_roll_s=1, merge_gap_s=1)
    events = db.execute("SELECT state, mono_ms, dur_ms FROM event").fetchall()
    (clip,) = db.execute("SELECT state, mono_ms, dur_ms, frames, width, height FROM clip").fetchall()
    return {"events": [tuple(event) for event in events], "clip": tuple(clip)}


SCENARIOS: dict[str, Callable[[SensorClock], dict[str, Any]]] = {
    call.__name__: call for call in (
        records, hides, goes_blind, encoder_raises, stalls, meets_errors, bad_sink, slow_sink, no_encoder, no_camera,
        in_use, hangs, reopens, adjusts, darkens, steps_down, lags, too_old, chooses_a_mode, keeps_the_view,
        flips_and_tunes, odd_sizes, films_an_event)}


def main(name: str) -> None:
    """Run one scenario; the process ends at once, whatever the camera's threads do."""
    os.environ["LIBCAMERA_LOG_LEVELS"] = "*:FATAL"
    logging.basicConfig(level="WARNING")
    print(json.dumps(SCENARIOS[name](install())), flush=True)
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1])
