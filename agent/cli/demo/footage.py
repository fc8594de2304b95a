"""What the demo's camera shows: the named source, else real surveillance footage, else a generated scene."""
import hashlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from agent.cli.demo.debian import Apt, NotToBeHad, bar, extract_file

PACKAGE, INSIDE = "opencv-doc", "/usr/share/doc/opencv-doc/examples/data/vtest.avi"
AS_THEY_ARE = ("h264", "hevc")
WIDEST_PX = 1280            # larger video is made smaller when it has to be converted anyway
KEYFRAME_EVERY_S = 2
ROUND_S, IN_SIGHT_S = 20, (4, 14)     # a figure crosses the generated scene, then it is empty


class CannotPlay(Exception):
    """The source is no video; the text names it and the remedy."""


@dataclass(frozen=True, slots=True)
class Footage:
    source: str         # for the configuration
    loop: bool
    text: str           # what it is, for people


@dataclass(frozen=True, slots=True)
class Shape:
    width: int
    height: int
    rate: Fraction      # pictures a second
    frames_n: int       # 0 if unknown


SCENE = Shape(768, 432, Fraction(10), 400)


def choose(named: str | None, cache: Path) -> Footage:
    """Returns the footage for a file, URL, device or None; downloads and converts it once. Raises CannotPlay."""
    if named is None:
        return _own(cache)
    if named.startswith("/dev/"):
        return Footage(f"v4l2:{named}", False, f"the webcam {named}")
    if named.startswith(("rtsp:", "rtsps:", "picamera:", "v4l2:")):
        return Footage(named, False, "the camera that you named")
    path = Path(named.removeprefix("file:")).absolute()
    return Footage(f"file:{_playable(path, cache)}", True, f"{path.name}, over and over")


def _own(cache: Path) -> Footage:
    real = cache / "vtest.avi"
    try:
        if Path(INSIDE).exists():
            real = Path(INSIDE)
        elif not real.exists():
            with tempfile.TemporaryDirectory(dir=cache) as folder:
                for package in Apt(cache).fetch([PACKAGE], Path(folder)):
                    extract_file(package, INSIDE, real)
        return Footage(f"file:{_playable(real, cache)}", True,
                       f"real surveillance footage (vtest.avi of Debian's {PACKAGE}), over and over")
    except (NotToBeHad, CannotPlay) as error:
        why = str(error)
    scene = cache / "scene.mp4"
    if not scene.exists():
        _encode(_scene(), SCENE, scene, "drawing a scene")
    return Footage(f"file:{scene}", True, f"a generated scene, because real footage is not available: {why}")


def _playable(path: Path, cache: Path) -> Path:
    """Returns the file if a camera could send it, else its H.264 copy. Raises CannotPlay."""
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise CannotPlay(f"{path}: has no video in it; choose another file")
            stream = container.streams.video[0]
            if stream.codec_context.name in AS_THEY_ARE:
                return path
            status = path.stat()
            digest = hashlib.sha256(f"{path} {status.st_size} {status.st_mtime_ns}".encode()).hexdigest()[:12]
            copy = cache / f"{path.stem}-{digest}.mp4"
            if not copy.exists():
                rate = stream.average_rate or Fraction(25)
                width = min(stream.width, WIDEST_PX) // 2 * 2
                height = round(stream.height * width / stream.width) // 2 * 2
                _encode(container.decode(stream), Shape(width, height, rate, stream.frames), copy,
                        f"converting {path.name} to H.264")
            return copy
    except FileNotFoundError:
        raise CannotPlay(f"{path}: there is no such file; name a video, a camera, or nothing") from None
    except (av.error.FFmpegError, OSError) as error:
        text = getattr(error, "strerror", None) or error
        raise CannotPlay(f"{path}: is no video that can be read ({text}); try another file") from None


def _encode(frames: Iterator[av.VideoFrame], shape: Shape, target: Path, text: str) -> None:
    """Writes `frames` as H.264 like a camera's: no B-frames, a keyframe every two seconds."""
    part = target.with_name(f"part-{target.name}")
    options = {"preset": "veryfast", "crf": "23", "bf": "0", "g": str(max(1, round(shape.rate * KEYFRAME_EVERY_S)))}
    with bar(text, shape.frames_n or None) as progress, av.open(str(part), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=shape.rate, options=options)
        stream.width, stream.height, stream.pix_fmt = shape.width, shape.height, "yuv420p"
        for number, frame in enumerate(frames):
            picture = frame.reformat(shape.width, shape.height, "yuv420p")
            picture.pict_type = av.video.frame.PictureType.NONE        # the encoder chooses its own keyframes
            picture.pts, picture.time_base = number, 1 / shape.rate
            container.mux(stream.encode(picture))
            progress(number + 1)
        container.mux(stream.encode(None))
    part.rename(target)


def _scene() -> Iterator[av.VideoFrame]:
    """A rough wall with sensor noise; a figure walks past it, to and fro, with still seconds in between."""
    random = np.random.default_rng(1)
    wall = np.kron(random.integers(70, 150, (SCENE.height // 16, SCENE.width // 16)), np.ones((16, 16)))
    figure_height, figure_width = SCENE.height // 3, SCENE.width // 16
    for number in range(SCENE.frames_n):
        picture = wall + random.normal(0, 2, wall.shape)
        round_n, second = divmod(number / int(SCENE.rate), ROUND_S)
        if IN_SIGHT_S[0] <= second < IN_SIGHT_S[1]:
            share = (second - IN_SIGHT_S[0]) / (IN_SIGHT_S[1] - IN_SIGHT_S[0])
            left = int((1 - share if round_n % 2 else share) * (SCENE.width - figure_width))
            rows, columns = slice(figure_height, 2 * figure_height), slice(left, left + figure_width)
            picture[rows, columns] = 30 + np.arange(figure_height)[:, None] / 2
        yield av.VideoFrame.from_ndarray(np.clip(picture, 0, 255).astype(np.uint8), "gray")
