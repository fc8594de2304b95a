"""The capture role with the virtual Pi camera, taking note of what each of its parts costs: run by `picamera.py`.

    picamera_inside.py CONFIG SCENE WARM_S MEASURE_S        prints one line of JSON
"""
import itertools
import json
import os
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np

from tests.rigs.cameras import footage
from tests.rigs.picamera.virtual import install

SIZES = (1280, 720), (320, 180)
NOISE_LEVELS, PICTURES_N = 1.5, 16
GOP_N = 30
CALLS_S: Counter[str] = Counter()       # CPU seconds inside the calls that are timed
STARTED_S: list[float] = []             # CPU seconds of this process until it had the first packet


def timed(owner: Any, name: str, part: str) -> None:
    """Count the CPU time of a method's calls for this part."""
    call = getattr(owner, name)

    def wrapped(*arguments: Any) -> Any:
        began_s = time.thread_time()
        try:
            return call(*arguments)
        finally:
            CALLS_S[part] += time.thread_time() - began_s

    setattr(owner, name, wrapped)


def scene(name: str) -> Callable[[int, int, int], np.ndarray] | None:
    """What the sensor sees: "yard" with people all the time, "quiet" without them; else bars, which need no room."""
    if name not in ("yard", "quiet"):
        return None
    random, films = np.random.default_rng(3), {}
    for size in SIZES:
        film = [frame.ravel() for _, frame in zip(range(5 * PICTURES_N), footage.frames(*size), strict=False)]
        if name == "quiet":
            plate = np.median(film[::8], axis=0)
            film = [np.clip(plate + random.normal(0, NOISE_LEVELS, plate.size), 0, 255).astype(np.uint8)
                    for _ in range(PICTURES_N)]
        films[size] = film
    return lambda width, height, number: films[width, height][number % len(films[width, height])]


def note_first_packet() -> None:
    """Fills STARTED_S."""
    from agent.cameras.encode import AccessUnits
    give = AccessUnits.give

    def noting(*arguments: Any) -> None:
        if not STARTED_S:
            STARTED_S.append(time.process_time())
        give(*arguments)

    AccessUnits.give = noting


def encode_elsewhere() -> None:
    """As on a board with an encoder of its own, whose work and memory are not this process's: video of a file comes."""
    from agent.cameras.effort import Headroom
    from agent.cameras.picamera.session import X264
    from tests.rigs.cameras.film_webcam import h264_pictures
    units = itertools.cycle(list(itertools.islice(h264_pictures(), GOP_N)))

    def encode_one(self: X264, _: str, request: Any) -> None:
        self.outputframe(next(units), True, self._timestamp(request))

    Headroom._first = lambda *_: 0      # nothing to measure
    X264._start, X264._encode_one = lambda _: None, encode_one


def costs_s() -> Counter[str]:
    """CPU seconds so far by part: the timed calls, each Python thread, and the whole process."""
    found = Counter(CALLS_S)
    for thread in threading.enumerate():
        found[f"thread {thread.name}"] += time.clock_gettime(time.pthread_getcpuclockid(thread.ident))
    found["process"] = time.process_time()
    return found


def pss_mb() -> float:
    """Proportional set size of this process (proc(5), smaps_rollup)."""
    with open("/proc/self/smaps_rollup") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1000


def watch(warm_s: float, measure_s: float) -> None:
    """Measure while the role records, print it, and end the role."""
    time.sleep(warm_s)
    before = costs_s()
    time.sleep(measure_s)
    after = costs_s()
    after.subtract(before)
    print(json.dumps({"costs_s": after, "pss_mb": pss_mb(), "started_s": STARTED_S[0]}), flush=True)
    os.kill(os.getpid(), signal.SIGTERM)


def main(config: str, scene_name: str, warm_s: str, measure_s: str) -> int:
    """Measure one run. Returns the role's exit code."""
    os.environ["LIBCAMERA_LOG_LEVELS"] = "*:FATAL"
    clock = install()
    clock.picture = scene(scene_name)
    import libcamera

    from agent.cameras.encode import SoftwareEncoder
    from agent.cameras.picamera.session import Frames
    from agent.capture import main as role
    timed(SoftwareEncoder, "encode", "encode")
    timed(Frames, "take", "take")
    timed(libcamera.CameraManager, "get_ready_requests", "redraw")
    note_first_packet()
    if scene_name == "board":
        encode_elsewhere()
    threading.Thread(target=watch, args=(float(warm_s), float(measure_s)), name="bench", daemon=True).start()
    return role.main(["--config", config, "--camera", "gate"])


if __name__ == "__main__":
    code = main(*sys.argv[1:])
    os._exit(code)
