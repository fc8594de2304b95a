"""Recorded footage looked at again, as `taimat tune` and the page do: CPU seconds for a minute of it, and memory.

Real footage with somebody in sight nearly all the time, which costs the detector most. One thread, decoding included.
For memory the film is repeated, and compared after a few and after many.
"""
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import psutil

from agent.config.motion import as_set
from agent.config.settings import Camera
from agent.core.vision.replay import Variant
from agent.footage import reel, whatif
from scripts.benches.plan import Plan, tell
from scripts.benches.table import Spread, Table, Verdict
from tests.rigs.cameras import footage

SHAPES = ((640, 360, 10, 500), (640, 360, 15, 500), (1920, 1080, 15, 2000))     # width, height, fps, kbit/s
CAMERA = Camera(name="yard", source="rtsp://yard")
TARGET_S = 3.0              # for a minute: 20 times real time
GROWTH_MAX_MB = 8.0
FEW_N, MANY_N = 6, 40       # films; a few fill the traces


def run(plan: Plan) -> Iterator[Table]:
    """Measure, and give the table."""
    cv2.setNumThreads(1)
    now = as_set(CAMERA)
    ways = {1: [now], 6: [now, *whatif.usual(now), now]}
    table = Table("taimat tune: footage looked at again", ("footage", "variants", "CPU s for a minute", "x real time"))
    for width, height, fps, kbps in SHAPES:
        film = footage.clip(width, height, fps, 30, kbps)
        for variants_n, variants in ways.items():
            tell(f"tune: {width}x{height} at {fps}, {variants_n} variants")
            taken = Spread(tuple(looked(film, variants) for _ in range(plan.rounds(5, quick_n=1))))
            name = f"{width}x{height} {fps} fps, {variants_n} variants"
            table.rows.append((film.stem, str(variants_n), taken.text(), f"{60 / taken.median:.0f}"))
            table.figures[name] = taken.values
            if width == SHAPES[0][0]:
                table.verdicts.append(Verdict(f"a minute of {name}", TARGET_S, "s", taken.median))
    width, height, fps, kbps = SHAPES[0]
    many_n = FEW_N + 1 if plan.quick else MANY_N
    table.verdicts.append(memory(footage.clip(width, height, fps, 30, kbps), ways[6], many_n))
    yield table


def looked(film: Path, variants: list[Variant], films_n: int = 1) -> float:
    """Seconds of one core that a minute of the film takes."""
    replay, began_s = whatif.replay(CAMERA, variants), time.process_time()
    played = list(reel.play([reel.ReelFile(film)] * films_n, replay, lambda take, done_s: None))
    replay.end()
    return 60 * (time.process_time() - began_s) / sum(each.ended_s - each.began_s for each in played)


def memory(film: Path, variants: list[Variant], many_n: int) -> Verdict:
    """How much more memory many films take than a few."""
    looked(film, variants, FEW_N)
    before_b = psutil.Process().memory_info().rss
    looked(film, variants, many_n)
    grown_mb = (psutil.Process().memory_info().rss - before_b) / 1e6
    return Verdict(f"more memory for {many_n} films than for {FEW_N}", GROWTH_MAX_MB, "MB", grown_mb)
