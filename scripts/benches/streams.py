"""The films of the benches' cameras, made once and kept in the cache: scenes as a cheap camera encodes them.

The bit rate is constant over a second, and the encoder does not look ahead, so the pictures between keyframes of a
small stream have 2 to 3 kB. Every film loops. "rare" is real footage with a visit every 22 seconds, so that each is an
event of its own with all settings as they are.
"""
import contextlib
import fcntl
import hashlib
import subprocess
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import av
import numpy as np

from scripts.benches import scenes
from scripts.benches.plan import tell
from tests.rigs.cameras import footage
from tests.rigs.cameras.rtsp import RtspCamera

MAIN, SUB = (1920, 1080, 15, 30, 2000), (640, 360, 5, 10, 160)      # width, height, fps, GOP, kbit/s
PAINTED = {1080: (960, 540)}        # larger pictures are painted at half their size
NOISE_LEVELS = 1.5
NOISES_N = 16               # different noise pictures: more repeat too late for any detector to notice
EMPTY_S, RARE_S, SHOWN_S = 4, 22, 3     # before visits, before rare ones, and how long each is
VISITS_N = 8
MAKE_S = 900
SCENES = {"calm": scenes.calm, "street": scenes.street, "people": scenes.people, "visitors": scenes.visitors}


@contextlib.contextmanager
def camera(scene: str, with_sub: bool = True, kbps: int = MAIN[4]) -> Iterator[RtspCamera]:
    """A camera that shows `scene`: "rare" or one of SCENES."""
    make = _rare if scene == "rare" else lambda *shape: _scene(scene, *shape)
    with RtspCamera(make(*MAIN[:4], kbps), make(*SUB) if with_sub else None) as server:
        yield server


def _scene(name: str, *shape: int) -> Path:
    width, height, fps, *_ = shape
    size = PAINTED.get(height, (width, height))
    return _film(name, shape, fps, size, lambda: SCENES[name](*size, fps))


def visits(*shape: int) -> Path:
    """Real footage with visits, as a film of this width, height, rate, GOP (pictures) and kbit/s."""
    return _real("visits", shape, VISITS_N, EMPTY_S)


def _rare(*shape: int) -> Path:
    return _real("rare", shape, 2, RARE_S)


def _real(name: str, shape: tuple[int, ...], visits_n: int, empty_s: int) -> Path:
    fps, wide, tall = _shape_of(footage.original())
    return _film(name, shape, fps, (wide, tall), lambda: _visited(wide, tall, fps, visits_n, empty_s))


def _visited(wide: int, tall: int, fps: int, visits_n: int, empty_s: int) -> Iterator[np.ndarray]:
    """The footage's empty yard and, of one picture to the next, its people."""
    plate, real = scenes.plate(wide, tall), footage.frames(wide, tall)
    random = np.random.default_rng(11)
    noises = [random.normal(0, NOISE_LEVELS, (tall, wide)) for _ in range(NOISES_N)]
    for _ in range(visits_n):
        for number in range(empty_s * fps):
            noisy = plate.copy()
            noisy[:tall] = np.clip(plate[:tall] + noises[number * 7 % NOISES_N], 0, 255)
            yield noisy
        yield from islice(real, SHOWN_S * fps)


def _film(name: str, shape: tuple[int, ...], raw_fps: int, size: tuple[int, int],
          pictures: Callable[[], Iterator[np.ndarray]]) -> Path:
    """The pictures (I420 of this size, at `raw_fps`) as a film of this shape, made if it is not there."""
    width, height, fps, gop, kbps = shape
    made_by = hashlib.sha256(b"".join(Path(file).read_bytes() for file in (__file__, scenes.__file__))).hexdigest()[:8]
    target = footage.CACHE / f"{name}-{made_by}-{width}x{height}-{fps}fps-gop{gop}-{kbps}k.mp4"
    footage.CACHE.mkdir(parents=True, exist_ok=True)
    with (footage.CACHE / "films.lock").open("w") as lock:          # two benches at once make it once
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.exists():
            tell(f"making {target} (once, a minute)")
            part = target.with_name(f"part-{target.name}")
            _encode(pictures(), raw_fps, size, shape, part)
            part.rename(target)
    return target


def _shape_of(path: Path) -> tuple[int, int, int]:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        return round(stream.average_rate), stream.width, stream.height


def _encode(pictures: Iterator[np.ndarray], raw_fps: int, size: tuple[int, int], shape: tuple[int, ...],
            target: Path) -> None:
    width, height, fps, gop, kbps = shape
    fit = f"fps={fps},scale={width}:{height}:force_original_aspect_ratio=increase,crop={width}:{height}"
    raw = f"-f rawvideo -pix_fmt yuv420p -s {size[0]}x{size[1]} -r {raw_fps} -i - -vf {fit}"
    encoder = (f"-c:v libx264 -preset veryfast -g {gop} -keyint_min {gop} -sc_threshold 0 -bf 0 -pix_fmt yuv420p "
               "-x264-params mbtree=0:rc-lookahead=0")
    rate = f"-b:v {kbps}k -maxrate {kbps}k -bufsize {kbps}k -f mp4"
    command = ["ffmpeg", "-v", "error", "-y", *raw.split(), *encoder.split(), *rate.split(), str(target)]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        for picture in pictures:
            process.stdin.write(picture.tobytes())
        process.stdin.close()
        if process.wait(MAKE_S):
            raise subprocess.CalledProcessError(process.returncode, command)
