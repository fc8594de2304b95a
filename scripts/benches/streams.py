"""What the benches' camera shows: the real footage, its yard with nobody in it, and that yard with visits.

The empty yard is the real footage's own: the median of its pictures, with a sensor's noise added (modelled: Gaussian).
In the visits, four seconds of it and three of the real footage take turns, so people come and go; the rare ones are 22
seconds apart, so that each is an event of its own with all settings as they are. Every film loops.
"""
import contextlib
import fcntl
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import numpy as np

from scripts.benches.plan import tell
from tests.rigs.cameras import footage
from tests.rigs.cameras.rtsp import RtspCamera

MAIN, SUB = (1920, 1080, 15, 30, 2000), (640, 360, 5, 10, 160)      # width, height, fps, GOP, kbit/s
NOISE_LEVELS = 1.5
NOISES_N = 16               # different noise pictures: more repeat too late for any detector to notice
PLATE_FROM_N = 40
EMPTY_S, RARE_S, SHOWN_S = 4, 22, 3     # before visits, before rare ones, and how long each is
VISITS_N = 8
QUIET_S = 60
MAKE_S = 900


@contextlib.contextmanager
def camera(scene: str, with_sub: bool = True, kbps: int = MAIN[4], h265: bool = False) -> Iterator[RtspCamera]:
    """A camera that shows `scene`: "yard", "quiet", "visits" or "rare". Its films are made once and kept in the cache.

    `h265` is for the main stream of the yard.
    """
    make = {"yard": _yard, "quiet": _quiet, "visits": visits, "rare": _rare}[scene]
    main = footage.clip(*MAIN[:4], kbps, "h265") if h265 else make(*MAIN[:4], kbps)
    with RtspCamera(main, make(*SUB) if with_sub else None) as server:
        yield server


def _yard(*shape: int) -> Path:
    return footage.clip(*shape)


def _quiet(*shape: int) -> Path:
    return _film("quiet", shape, lambda plate, fps: _noisy(plate for _ in range(QUIET_S * fps)))


def visits(*shape: int) -> Path:
    """The yard with visits, as a film of this width, height, rate, GOP (pictures) and kbit/s."""
    return _film("visits", shape, lambda plate, fps: _visited(plate, fps, VISITS_N, EMPTY_S))


def _rare(*shape: int) -> Path:
    return _film("rare", shape, lambda plate, fps: _visited(plate, fps, 2, RARE_S))


def _visited(plate: np.ndarray, fps: int, visits_n: int, empty_s: int) -> Iterator[np.ndarray]:
    real = footage.frames(plate.shape[1], plate.shape[0] * 2 // 3)
    for _ in range(visits_n):
        yield from _noisy(plate for _ in range(empty_s * fps))
        for _, picture in zip(range(SHOWN_S * fps), real, strict=False):
            yield picture


def _noisy(pictures: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    """The pictures with noise in their brightness."""
    random = np.random.default_rng(11)
    noises = None
    for number, picture in enumerate(pictures):
        tall = picture.shape[0] * 2 // 3
        if noises is None:
            noises = [random.normal(0, NOISE_LEVELS, (tall, picture.shape[1])) for _ in range(NOISES_N)]
        noisy = picture.copy()
        noisy[:tall] = np.clip(picture[:tall] + noises[number * 7 % NOISES_N], 0, 255)
        yield noisy


def _film(name: str, shape: tuple[int, ...], pictures: Callable[[np.ndarray, int], Iterator[np.ndarray]]) -> Path:
    """The pictures (I420, at the footage's own rate) as a film of this shape, made if it is not there."""
    width, height, fps, gop, kbps = shape
    target = footage.CACHE / f"{name}-{footage.original().stem}-{width}x{height}-{fps}fps-gop{gop}-{kbps}k.mp4"
    with (footage.CACHE / "films.lock").open("w") as lock:          # two benches at once make it once
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.exists():
            tell(f"making {target} (once, half a minute)")
            raw_fps, wide, tall = _shape_of(footage.original())
            part = target.with_name(f"part-{target.name}")
            _encode(pictures(_plate(wide, tall), raw_fps), raw_fps, (wide, tall), shape, part)
            part.rename(target)
    return target


def _shape_of(path: Path) -> tuple[int, int, int]:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        return round(stream.average_rate), stream.width, stream.height


def _plate(wide: int, tall: int) -> np.ndarray:
    """The place without its people: each pixel's median over the footage, I420."""
    pictures = list(footage.frames(wide, tall))
    return np.median(pictures[::max(1, len(pictures) // PLATE_FROM_N)], axis=0).astype(np.uint8)


def _encode(pictures: Iterator[np.ndarray], raw_fps: int, size: tuple[int, int], shape: tuple[int, ...],
            target: Path) -> None:
    width, height, fps, gop, kbps = shape
    fit = f"fps={fps},scale={width}:{height}:force_original_aspect_ratio=increase,crop={width}:{height}"
    raw = f"-f rawvideo -pix_fmt yuv420p -s {size[0]}x{size[1]} -r {raw_fps} -i - -vf {fit}"
    encoder = f"-c:v libx264 -preset veryfast -g {gop} -keyint_min {gop} -sc_threshold 0 -bf 0 -pix_fmt yuv420p"
    rate = f"-b:v {kbps}k -maxrate {kbps * 3 // 2}k -bufsize {kbps * 2}k -f mp4"
    command = ["ffmpeg", "-v", "error", "-y", *raw.split(), *encoder.split(), *rate.split(), str(target)]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        for picture in pictures:
            process.stdin.write(picture.tobytes())
        process.stdin.close()
        if process.wait(MAKE_S):
            raise subprocess.CalledProcessError(process.returncode, command)
