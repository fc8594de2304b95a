"""An event across clips in Chromium, from the page as it is served: how soon it plays, and how long a seek takes.

The event lies in clips of a minute; beside it, the same footage in one clip. A seek counts from the player's order to
the browser's "seeked", with the picture there. The page, the browser and its decoder share this machine. The floor is
the same film as a plain file of this disk in the same browser, without any server, at the same places in turns with
ours: what it takes is the browser's own, and above all its decoder's.
"""
import json
import random
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from agent.core.media.model import Packet
from scripts.benches.cut import packets_of
from scripts.benches.needs import Missing
from scripts.benches.plan import Plan, tell
from scripts.benches.table import Spread, Table, Verdict
from tests.rigs.cameras import footage
from tests.rigs.house.household import Household
from tests.rigs.house.run_of_clips import Kept
from tests.rigs.house.webdriver import CHROMIUM, DRIVER, Browser

SHAPES = ((1920, 1080, 15, 2000), (640, 360, 10, 500))        # width, height, fps, kbit/s
MINUTES, SEED = 10, 5
TARGET_MS = 300
TURNS_N = 4                 # between our page and the plain file, so that other work on the machine strikes both
SEEKS_N, QUICK_SEEKS_N = 60, 8
HEAD = ("footage", "clips", "cut, ms", "plays after, ms", "seek, ms: median", "95 of 100", "longest",
        "floor, ms: median", "times the floor")
VIDEO = "document.querySelector('.film video')"
SEEK = """const began = performance.now(), {video} = document.querySelector('.film').player;
const place = arguments[0];
return new Promise((found) => {
  video.addEventListener('seeked', () => found(performance.now() - began), {once: true});
  document.querySelector('.film').player.go(place);
});"""
PLAIN = '<!DOCTYPE html><video src="film.mp4" preload="auto" muted></video>'
PLAIN_VIDEO = "document.querySelector('video')"
PLAIN_SEEK = f"""const began = performance.now(), video = {PLAIN_VIDEO}, place = arguments[0];
return new Promise((found) => {{
  video.addEventListener('seeked', () => found(performance.now() - began), {{once: true}});
  video.currentTime = place / 1000;
}});"""
FIRST = """return new Promise((shown) => {
  const tell = () => shown(performance.now());
  VIDEO.readyState >= 2 ? tell() : VIDEO.addEventListener('loadeddata', tell, {once: true});
});"""


def run(plan: Plan) -> Iterator[Table]:
    """Measure, and give the table. Raises Missing."""
    if not (CHROMIUM and DRIVER):
        raise Missing("no Chromium that can be driven", "apt install chromium chromium-driver")
    table = Table("seek: an event of ten minutes in Chromium", HEAD)
    minutes, seeks_n = (2, QUICK_SEEKS_N) if plan.quick else (MINUTES, plan.rounds(SEEKS_N))
    for width, height, fps, kbps in SHAPES:
        film = footage.clip(width, height, fps, 30, kbps)
        for clips_n in (minutes, 1):
            tell(f"seek: {film.stem} in {clips_n} clips")
            with tempfile.TemporaryDirectory(prefix="taimat-bench-") as folder:
                cut_ms, first_ms, seeks, floor = measure(film, Path(folder), minutes, clips_n, seeks_n)
            late = sorted(seeks.values)[min(len(seeks.values) - 1, round(len(seeks.values) * 0.95))]
            table.rows.append((film.stem, str(clips_n), f"{cut_ms:.0f}", f"{first_ms:.0f}", f"{seeks.median:.0f}",
                               f"{late:.0f}", f"{max(seeks.values):.0f}", f"{floor.median:.0f}",
                               f"{seeks.over(floor).median:.2f}"))
            table.figures[f"{film.stem} in {clips_n}"] = {"cut_ms": cut_ms, "first_ms": first_ms,
                                                         "seeks_ms": seeks.values, "floor_ms": floor.values}
            if clips_n > 1:
                table.verdicts.append(Verdict(f"a seek across clips of {film.stem}, median", TARGET_MS, "ms",
                                              seeks.median))
    yield table


def measure(film: Path, folder: Path, minutes: int, clips_n: int,
            seeks_n: int) -> tuple[float, float, Spread, Spread]:
    """How long the cut takes, when the first picture is there after the page was asked for, each seek, and each one in
    the plain file; ms.
    """
    stream, packets, long_us = packets_of(film)
    run = [Packet(each.data, each.pts_us + n * long_us, each.dts_us + n * long_us, each.key)
           for n in range(minutes * 60_000_000 // long_us + 1) for each in packets]
    run = [each for each in run if each.dts_us < minutes * 60_000_000]
    step_us = minutes * 60_000_000 // clips_n
    starts = [next(n for n, each in enumerate(run) if each.key and each.dts_us >= number * step_us)
              for number in range(clips_n)]
    with Household(folder) as house, Browser() as browser:
        kept = Kept(house, stream, run)
        kept.store(starts)
        event_id = kept.happen(0, minutes * 60_000 - 6_000)
        browser.open(house.link())
        browser.open(f"{house.url}/browsers")           # no live pictures beside it
        began_s = time.perf_counter()
        (listed,) = json.loads(house.get(f"/events/{event_id}.json").body)["films"]
        cut_ms = (time.perf_counter() - began_s) * 1000
        (folder / "film.mp4").write_bytes(house.get(listed["address"]).body)
        (folder / "film.html").write_text(PLAIN)
        chance = random.Random(SEED)
        places = [chance.uniform(0, minutes * 60_000 - 8_000) for _ in range(seeks_n)]
        firsts_ms, seeks_ms, floor_ms = [], [], []
        for turn in range(TURNS_N):
            browser.open(f"{house.url}/events/{event_id}")
            firsts_ms.append(browser.run(FIRST.replace("VIDEO", VIDEO)))
            browser.run(f"{VIDEO}.pause()")
            seeks_ms += [browser.run(SEEK, place) for place in places[turn::TURNS_N]]
            browser.open((folder / "film.html").as_uri())
            browser.run(FIRST.replace("VIDEO", PLAIN_VIDEO))
            floor_ms += [browser.run(PLAIN_SEEK, place) for place in places[turn::TURNS_N]]
        return cut_ms, firsts_ms[0], Spread(tuple(seeks_ms)), Spread(tuple(floor_ms))
