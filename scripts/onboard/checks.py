"""The checks of a Pi camera that need nobody to look: each records with our own source and gives rows of the table."""
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from agent.cameras import SourceError
from agent.config.settings import Camera, Sensor
from agent.config.source import parse_source
from scripts.onboard import machine
from scripts.onboard.recording import Recording, open_files_n, record
from scripts.onboard.row import Row, at_most

ROOT = Path("/")
KEYFRAMES_MAX_S, DRIFT_MAX_S, LATE_MAX_S = 2.1, 0.1, 1.0
CPU_MAX_PCT = {"v4l2": 35, "x264": 75}      # of one core, the whole process
FEW_OPENINGS = ("imx500",)      # its power control stops answering after 20 to 25, until the machine restarts
CMA_LOST_MAX_MB, CYCLE_MAX_S = 8, 3.0
BLACK_MAX = 24                              # decoded black, with the encoder's ringing
BOX = 0.3                                   # side of the masks in the corners
PADDED = 1296, 972                          # the camera's memory pads rows of this width
CORNERS = [[(x, y), (x + BOX, y), (x + BOX, y + BOX), (x, y + BOX)] for x in (0, 1 - BOX) for y in (0, 1 - BOX)]


@dataclass(frozen=True, slots=True)
class Task:
    """What to run."""

    camera: Camera
    seconds: float
    reopens_n: int


def run(task: Task) -> Iterator[Row]:
    """All rows, each as soon as it is known. After a failed recording the rest would say nothing."""
    before_n = len(machine.kernel_lines())
    yield found(task)
    yield machine.encoder(ROOT)
    for check in (recorded, masked, adjusted, reopened):
        try:
            yield from check(task)
        except SourceError as error:
            yield Row(check.__doc__.partition(":")[0], False, str(error), "no error")
            break
    yield machine.power(ROOT)
    yield machine.kernel_complaints(before_n)


def reopens_n(task: Task) -> int:
    """How often this camera may be opened again: some need a restart of the machine after 24 openings."""
    from picamera2 import Picamera2
    number = int(parse_source(task.camera.source).target)
    model = Picamera2.global_camera_info()[number]["Model"]
    return min(task.reopens_n, 1) if model.startswith(FEW_OPENINGS) else task.reopens_n


def found(task: Task) -> Row:
    """The camera is there."""
    number = int(parse_source(task.camera.source).target)
    try:
        from picamera2 import Picamera2
    except ImportError as error:
        return Row("camera", False, str(error), "sudo apt install --no-install-recommends python3-picamera2")
    cameras = Picamera2.global_camera_info()
    seen = ", ".join(f"{index}: {each['Model']}" for index, each in enumerate(cameras)) or "none"
    return Row("camera", number < len(cameras), seen, f"number {number}; else seat the ribbon cable")


def recorded(task: Task) -> Iterator[Row]:
    """recording: size, pace, keyframes, time, numbers and cost of one run."""
    seen, camera = record(task.camera, task.seconds), task.camera
    info, steps = seen.infos[-1], seen.steps_s()
    size, wanted = f"{info.width}x{info.height} by {info.encoder}", f"{camera.width & ~1}x{camera.height & ~1}"
    yield Row("picture", size.startswith(wanted) and len(seen.infos) == 1, size, f"{wanted} all the time")
    pace = (len(seen.packets) - 1) / seen.media_s
    yield Row("pictures a second", abs(pace / camera.fps - 1) < 0.03, f"{pace:.2f}", f"{camera.fps}, within 3 %")
    yield at_most("longest time between two pictures", float(steps.max()), 2.5 / camera.fps, "s")
    gops = seen.gops_s()
    yield at_most("time between keyframes", float(gops.max()) if len(gops) else seen.media_s, KEYFRAMES_MAX_S, "s")
    decoded = seen.decoded()
    yield Row("decodes", len(decoded) == len(seen.packets), f"{len(decoded)} of {len(seen.packets)}", "every picture")
    yield from _times(seen)
    yield _numbers(seen)
    share_pct = 100 * seen.cpu_s / seen.media_s
    yield at_most(f"processor for {info.encoder}", share_pct, CPU_MAX_PCT[info.encoder.split()[0]], "% of a core")


def _times(seen: Recording) -> Iterator[Row]:
    """Media time against the device's own clock: a drift, and how old a picture is when it comes."""
    late_s = np.array(seen.came_s) - np.array([packet.pts_us / 1e6 for packet in seen.packets])
    part = max(1, len(late_s) // 4)         # the least of some: what came late is not what drifts
    drift_s = float(abs(late_s[-part:].min() - late_s[:part].min()))
    yield at_most(f"media time against the clock, over {seen.media_s:.0f} s", drift_s, DRIFT_MAX_S, "s")
    yield Row("age of a picture when it comes", late_s.min() >= 0 and float(np.median(late_s)) <= LATE_MAX_S,
              f"{np.median(late_s):.3f} s", f"0 to {LATE_MAX_S:g} s: the sensor has the device's clock")


def _numbers(seen: Recording) -> Row:
    """What the camera tells with each small picture."""
    last = seen.lumas[-1]
    told = {"exposure_us": last.exposure_us, "gain": last.gain, "lux": last.lux, "focus": last.focus}
    missing = [name for name, value in told.items() if value is None]
    text = ", ".join(f"{name} {value:.4g}" for name, value in told.items() if value is not None)
    return Row("the camera's own numbers", not missing, text + f" ({len(seen.lumas)} pictures)",
               "all four" + (f"; missing: {', '.join(missing)}" if missing else ""))


def masked(task: Task) -> Iterator[Row]:
    """masks: a width that is padded in memory, a mask in each corner, black there and nowhere else."""
    width, height = PADDED
    seen = record(msgspec.structs.replace(task.camera, width=width, height=height, masks=CORNERS), 3)
    frame = seen.decoded()[-1].to_ndarray(format="yuv420p")
    tall = seen.infos[-1].height
    y, chroma = frame[:tall], frame[tall:].reshape(2, tall // 2, -1)
    hidden, shown = _corners(y), _middle(y)
    brightest = max(int(corner.max()) for corner in hidden)
    yield Row("masks in the video", brightest <= BLACK_MAX < shown.max(),
              f"{brightest} in the corners, up to {shown.max()} between them",
              f"at most {BLACK_MAX} in the corners, more between them")
    tint = max(float(np.abs(corner.astype(int) - 128).max()) for plane in chroma for corner in _corners(plane))
    yield at_most("colour of the masks", tint, 12, "levels from grey")
    corners = max(int(corner.max()) for corner in _corners(seen.last_y))
    yield Row("masks for motion", corners == 0, str(corners), "0, black")


def _corners(plane: np.ndarray) -> list[np.ndarray]:
    """What surely lies under the masks."""
    tall, wide = int(plane.shape[0] * BOX), int(plane.shape[1] * BOX)
    return [plane[rows, columns] for rows in (slice(tall), slice(-tall, None)) for columns in (slice(wide),
                                                                                               slice(-wide, None))]


def _middle(plane: np.ndarray) -> np.ndarray:
    tall, wide = plane.shape
    return plane[tall * 4 // 10:tall * 6 // 10, wide * 4 // 10:wide * 6 // 10]


def adjusted(task: Task) -> Iterator[Row]:
    """settings at run time: darker by two stops and back, without a gap."""
    answers = []
    darker = msgspec.structs.replace(task.camera, sensor=msgspec.structs.replace(task.camera.sensor, exposure_ev=-2))
    seen = record(task.camera, min(8, task.seconds), meanwhile=lambda source: answers.append(source.adjust(darker)))
    longest_s, quarter = float(seen.steps_s().max()), max(1, len(seen.means) // 4)
    before, after = np.median(seen.means[:quarter * 2]), np.median(seen.means[-quarter:])
    yield Row("settings while it records", answers == [True] and longest_s <= 2.5 / task.camera.fps,
              f"longest time between pictures {longest_s:.3f} s; brightness {before:.0f}, then {after:.0f}",
              "no gap; darker, unless the scene is dark")


def reopened(task: Task) -> Iterator[Row]:
    """reopening: open, three pictures, close, again and again; memory of the camera and files stay the same."""
    plain = msgspec.structs.replace(task.camera, sensor=Sensor())
    record(plain, 20, enough_n=3)           # the first one loads what stays loaded
    before_b, before_n, began_s = machine.cma_free_b(ROOT), open_files_n(), time.monotonic()
    again_n = reopens_n(task)
    for _ in range(again_n):
        record(plain, 20, enough_n=3)
    cycle_s = (time.monotonic() - began_s) / again_n
    yield at_most(f"opened and closed {again_n} times: each", cycle_s, CYCLE_MAX_S, "s")
    yield at_most("files left open", open_files_n() - before_n, 0, "")
    after_b = machine.cma_free_b(ROOT)
    if before_b is None or after_b is None:
        yield Row("camera memory (CMA) lost", None, "this machine has none", f"at most {CMA_LOST_MAX_MB} MB")
    else:
        yield at_most("camera memory (CMA) lost", (before_b - after_b) / 1e6, CMA_LOST_MAX_MB, "MB")
