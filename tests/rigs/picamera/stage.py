"""What the scenarios of the Pi camera share: a sink that keeps everything, settings, ways to run and to look back."""
import contextlib
import os
import signal
import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import numpy as np

from agent.cameras import SourceError
from agent.cameras.picamera import PicameraSource
from agent.capture.main import main
from agent.cli.config import document
from agent.config.settings import Camera, Settings, Store
from agent.core.media.model import Packet, StreamInfo
from agent.core.vision.luma import Luma
from agent.host.board import Board
from agent.host.clock import SystemClock
from agent.host.stop import Stop
from agent.store.database import StoreError, connect
from tests.rigs.cameras import footage
from tests.rigs.picamera.virtual import SensorClock
from tests.rigs.wait import HANG_S, Stopwatch

FPS = 15
SOFTWARE = Board(model=None, ram_b=4 << 30, serial=None, encoder=None)
STREAMS = threading.Event()     # the camera's first picture of this run has come: from here on seconds count
HIDDEN = [(0.25, 0.25), (0.75, 0.25), (0.75, 0.75), (0.25, 0.75)]


class Keeper:
    """A sink that keeps everything and wants five pictures a second."""

    def __init__(self, enough_n: int = 1 << 30) -> None:
        """`enough` is set when this many packets have come."""
        self.infos: list[StreamInfo] = []
        self.packets: list[Packet] = []
        self.lumas: list[Luma] = []
        self.threads: set[str] = set()
        self.enough = Stop()
        self._enough_n, self._next_luma_mono_s = enough_n, 0.0

    def stream(self, info: StreamInfo) -> None:
        self.infos.append(info)
        STREAMS.set()

    def packet(self, packet: Packet) -> None:
        self.threads.add(threading.current_thread().name)
        self.packets.append(packet)
        if len(self.packets) >= self._enough_n:
            self.enough.set()

    def wants_main_luma(self) -> bool:
        return True

    def wants_luma(self, mono_s: float) -> bool:
        return mono_s >= self._next_luma_mono_s

    def luma(self, picture: Luma) -> None:
        self.threads.add(threading.current_thread().name)
        self._next_luma_mono_s = picture.mono_s + 0.15
        self.lumas.append(replace(picture, plane=picture.plane.copy()))

    def formats(self) -> list[tuple[str, int, int]]:
        """Who encoded, and how large."""
        return [(info.encoder, info.width, info.height) for info in self.infos]


def camera(**settings: Any) -> Camera:
    """The settings of the camera under test."""
    return Camera(name="gate", source="picamera:0", **{"width": 640, "height": 360, "fps": FPS, **settings})


def later(seconds: float, call: Callable[[], Any]) -> threading.Event:
    """Do something in the middle of a run, unless the event that is returned has been set by then."""
    cancelled = threading.Event()

    def wait() -> None:
        STREAMS.wait(HANG_S)
        if not cancelled.wait(seconds):
            call()

    threading.Thread(target=wait, daemon=True).start()
    return cancelled


def run(sink: Keeper, seconds: float, source: PicameraSource | None = None, **settings: Any) -> PicameraSource:
    """Run the source for this long, or until the sink has enough. What the source raises goes through."""
    source = source or PicameraSource(camera(**settings), 0, SystemClock(), SOFTWARE)
    STREAMS.clear()
    cancelled = later(seconds, sink.enough.set)
    try:
        source.run(sink, sink.enough)
    finally:
        cancelled.set()
    return source


def decoded(sink: Keeper) -> list[np.ndarray]:
    """The brightness of every frame that the packets decode to."""
    decoder = av.CodecContext.create("h264", "r")
    decoder.extradata = sink.infos[0].config
    packets = [av.Packet(packet.data) for packet in sink.packets]
    return [frame.to_ndarray(format="gray") for packet in [*packets, None] for frame in decoder.decode(packet)]


def steps_s(sink: Keeper) -> list[float]:
    """The times between frames."""
    return [float(step) / 1e6 for step in np.diff([packet.pts_us for packet in sink.packets])]


def show_footage(clock: SensorClock) -> None:
    """The sensor sees the surveillance footage instead of colour bars."""
    clip = footage.clip(640, 360, 10, 20, 1000, seconds=8)
    films = {size: [frame.ravel() for frame in footage.frames(*size, clip)] for size in ((640, 360), (320, 180))}
    clock.picture = lambda width, height, number: films[width, height][number % len(films[width, height])]


def threads(name: str) -> list[threading.Thread]:
    """The running threads with this name."""
    return [thread for thread in threading.enumerate() if thread.name == name]


def failure(call: Callable[[], Any]) -> dict[str, Any]:
    """How the call ended, and after what time."""
    with Stopwatch() as watch:
        try:
            call()
            told = {"error": None}
        except SourceError as error:
            told = {"error": type(error).__name__, "code": error.code, "text": str(error)}
        except Exception as error:
            told = {"error": type(error).__name__, "text": str(error)}
    return {**told, "took_s": watch.fair_s}


def again() -> dict[str, Any]:
    """Whether a fresh source works afterwards, and after what time."""
    sink = Keeper(enough_n=6)
    with Stopwatch() as watch:
        run(sink, 60)
    return {"packets_again": len(sink.packets), "back_s": watch.fair_s}


def walk_by(clock: SensorClock, from_s: float, to_s: float) -> None:
    """The sensor sees an empty yard, and people in it between these times, from its first picture on."""
    sizes, clip = ((640, 360), (320, 180)), footage.clip(640, 360, 10, 20, 1000, seconds=8)
    first_s: list[float] = []
    films = {size: [frame.ravel() for frame in footage.frames(*size, clip)] for size in sizes}
    empty = {size: np.median(film[::8], axis=0).astype(np.uint8) for size, film in films.items()}

    def picture(width: int, height: int, number: int) -> np.ndarray:
        first_s[:] = first_s or [time.monotonic()]
        seconds = time.monotonic() - first_s[0]
        if from_s < seconds < to_s:
            return films[width, height][int((seconds - from_s) * 10) % len(films[width, height])]
        return empty[width, height]

    clock.picture = picture


def capture_role(seconds: float, ended: Callable[[sqlite3.Connection], bool], **settings: Any) -> sqlite3.Connection:
    """The real capture role with this camera, in this process; returns its store, once `ended` or after `seconds`."""
    place = Path(tempfile.mkdtemp(prefix="pi"))
    config = place / "taimat.toml"
    config.write_text("\n".join(document(Settings(
        store=Store(folder=str(place / "store"), runtime=str(place / "run")), camera=[camera(**settings)]))))
    threading.Thread(target=_stop_when, args=(place / "store", seconds, ended), daemon=True).start()
    assert main(["--config", str(config), "--camera", "gate"]) == 0
    return connect(place / "store")


def _stop_when(store: Path, seconds: float, ended: Callable[[sqlite3.Connection], bool]) -> None:
    end_s = time.monotonic() + seconds
    while time.monotonic() < end_s:
        time.sleep(0.2)
        with contextlib.suppress(sqlite3.Error, StoreError), contextlib.closing(connect(store)) as db:
            if ended(db):
                break
    os.kill(os.getpid(), signal.SIGTERM)
