"""An export out of recordings that are in the page cache: MB/s, beside cat of the same clips in the same round.

Once to memory (/dev/shm), where only our work counts, and once to a disk, flushed, as an export really ends. `cat`
writes the clips to a file, flushed likewise, or nowhere. The time of SHA-256, which reads the film back, is in ours and
told by itself, too.
"""
import contextlib
import os
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import av

from agent.core.media.model import Packet, StreamInfo
from agent.host.files import sha256
from agent.store.database import connect
from agent.store.export import prepare, write
from agent.store.folders import Folders
from scripts.benches.plan import Plan, tell
from scripts.benches.table import Spread, Table, Verdict
from tests.core.cut_material import record
from tests.rigs.cameras import footage
from tests.rigs.store import shelf

SHAPES = ((1280, 720, 15, 2000), (640, 360, 10, 500))       # width, height, fps, kbit/s
FILM_MB, QUICK_MB = 400, 60
TARGET_MB = 200             # in a second
MEMORY = Path("/dev/shm")
WAYS = ("export", "SHA-256", "copy", "cat")
HEAD = ("footage", "to", "export", "of it SHA-256", "cat to a file", "cat", "export/cat to a file")


def run(plan: Plan) -> Iterator[Table]:
    """Measure, and give the table."""
    table = Table("cut: MB/s from page cache", HEAD)
    for width, height, fps, kbps in SHAPES:
        for name, place in (("memory", MEMORY), ("disk", Path(tempfile.gettempdir()))):
            film = footage.clip(width, height, fps, 30, kbps)
            tell(f"cut: {film.stem}, to {name}")
            with tempfile.TemporaryDirectory(prefix="taimat-bench-", dir=place) as folder:
                rounds = measure(film, Path(folder), QUICK_MB if plan.quick else FILM_MB, plan.rounds(5))
            speeds = {what: Spread(tuple(each[what] for each in rounds)) for what in rounds[0]}
            table.rows.append((film.stem, name, *(speeds[what].text(0) for what in WAYS),
                               speeds["export"].over(speeds["copy"]).text()))
            table.figures[f"{film.stem} to {name}"] = {what: spread.values for what, spread in speeds.items()}
            if name == "memory":
                took = Verdict(f"{TARGET_MB} MB of {film.stem}", 1, "s", TARGET_MB / speeds["export"].median)
                table.verdicts.append(took)
    yield table


def measure(film: Path, folder: Path, wanted_mb: int, rounds_n: int) -> list[dict[str, float]]:
    """MB/s of each way, a dictionary a round."""
    folders = Folders(folder / "store").create()
    with contextlib.closing(connect(folders.root)) as db:
        fill(db, folders, film, wanted_mb * 1_000_000)
        target, copy = folder / "film.mp4", folder / "copy.mp4"
        (written,) = write(prepare(db, folders, "gate", 0, 1 << 50), target)
        clips = sorted(folders.clips.rglob("*.mp4"))
        ways = {
            "export": lambda: write(prepare(db, folders, "gate", 0, 1 << 50), target, replace=True),
            "copy": lambda: subprocess.run(["sh", "-c", 'cat "$@" > "$0" && sync "$0"', copy, *clips], check=True),
            "SHA-256": lambda: sha256(copy),
            "cat": lambda: subprocess.run(["sh", "-c", 'cat "$@" > "$0"', os.devnull, *clips], check=True)}
        return [{name: written.size_b / 1e6 / seconds(way) for name, way in ways.items()} for _ in range(rounds_n)]


def fill(db: sqlite3.Connection, folders: Folders, film: Path, wanted_b: int) -> None:
    """Clips of a camera that films this again and again."""
    stream, packets, long_us = packets_of(film)
    for number in range(wanted_b // sum(len(packet.data) for packet in packets) + 1):
        later = [Packet(each.data, each.pts_us + number * long_us, each.dts_us + number * long_us, each.key)
                 for each in packets]
        shelf.put(db, folders, record(stream, later, (number + 1) * long_us))


def packets_of(film: Path) -> tuple[StreamInfo, list[Packet], int]:
    """Its stream, its packets, and how long it is, microseconds."""
    with av.open(str(film)) as container:
        video = container.streams.video[0]
        stream = StreamInfo("h264", video.width, video.height, bytes(video.codec_context.extradata))
        packets = [Packet(bytes(each), round(each.pts * each.time_base * 1_000_000),
                          round(each.dts * each.time_base * 1_000_000), each.is_keyframe)
                   for each in container.demux(video) if each.size]
    return stream, packets, packets[-1].dts_us + packets[1].dts_us - packets[0].dts_us


def seconds(way: Callable[[], object]) -> float:
    """How long it takes."""
    began_s = time.perf_counter()
    way()
    return time.perf_counter() - began_s
