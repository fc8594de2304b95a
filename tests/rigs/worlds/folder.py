"""The clips' folder, named after the sources that make them: clips/NAME.mp4 and gt/NAME.json, made once."""
import fcntl
import hashlib
import json
import subprocess
from collections.abc import Callable, Iterable
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from tests.rigs.cameras import footage
from tests.rigs.worlds.catalogue import WORLDS, scene
from tests.rigs.worlds.world import FPS, World, shown

GOP_S = 2                   # a cheap camera's; each keyframe is a small jolt
LIMITED = np.rint(16 + np.arange(256) * (219 / 255)).astype(np.uint8)       # grey level -> that in limited range
CACHE = Path.home() / ".cache" / "taimat"


def folder() -> Path:
    """Where these sources' clips are, or will be."""
    sources = hashlib.sha256()
    for path in (*sorted(Path(__file__).parent.glob("*.py")), Path(footage.__file__)):
        sources.update(path.read_bytes())
    return CACHE / f"worlds-{sources.hexdigest()[:12]}"


def worlds(names: Iterable[str] | None = None, tell: Callable[[str], None] = lambda name: None) -> Path:
    """The folder, with these clips in it (None: all), made first if they are not there.

    `tell` hears of each that is made. Raises KeyError for an unknown name, OSError if the pictures of opencv-doc
    can not be had.
    """
    wanted = list(WORLDS if names is None else names)
    if unknown := [name for name in wanted if name not in WORLDS]:
        raise KeyError(f"no world called {', '.join(unknown)}; there are {', '.join(WORLDS)}")
    place = folder()
    for below in ("clips", "gt"):
        (place / below).mkdir(parents=True, exist_ok=True)
    with (place / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for name in wanted:
            if not _truth(place, name).exists():
                tell(name)
                _make(place, name)
    return place


def _truth(place: Path, name: str) -> Path:
    return place / "gt" / f"{name}.json"


def _make(place: Path, name: str) -> None:
    part, threads = place / f"part-{name}.mp4", cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        truth = _filmed(WORLDS[name](), part)
    except subprocess.SubprocessError as error:
        raise OSError(f"no pictures out of Debian's opencv-doc ({error}); is there a network, and apt-get?") from error
    finally:
        cv2.setNumThreads(threads)
    part.rename(place / "clips" / f"{name}.mp4")
    written = place / f"part-{name}.json"
    written.write_text(json.dumps({"clip": name, "scene": scene(name), **truth}))
    written.rename(_truth(place, name))


def _filmed(world: World, target: Path) -> dict:
    """Encode the world as a camera does; what is true of it."""
    tall, wide = world.stage.height // 2 * 2, world.stage.width
    rate = f"{world.kbps}k"
    options = {"preset": "veryfast", "g": str(GOP_S * FPS), "keyint_min": str(GOP_S * FPS), "sc_threshold": "0",
               "bf": "0", "b": rate, "maxrate": rate, "bufsize": rate, "threads": "1"}
    labels, boxes = [], []
    with av.open(str(target), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options=options)
        pixels = "yuvj420p" if world.full_range else "yuv420p"
        stream.width, stream.height, stream.pix_fmt = wide, tall, pixels
        for number, one in enumerate(shown(world)):
            luma = one.picture[:tall] if world.full_range else LIMITED[one.picture[:tall]]
            frame = av.VideoFrame.from_ndarray(_yuv(luma), pixels)
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            container.mux(stream.encode(frame))
            labels.append(one.label)
            boxes.append(one.boxes)
        container.mux(stream.encode(None))
    return {"fps": FPS, "width": wide, "height": tall, "frames": len(labels), "labels": labels, "boxes": boxes,
            "kind": "made", "source": "opencv-doc (Apache-2.0), drawn figures", "tags": world.tags.split()}


def _yuv(luma: np.ndarray) -> np.ndarray:
    """Without colour, of which motion sees nothing."""
    return np.vstack([luma, np.full((luma.shape[0] // 2, luma.shape[1]), 128, np.uint8)])
