"""Motion on labelled clips: our detector beside OpenCV's MOG2 in one run, by the clips' own scorer, with CPU time.

    scripts/bench motion --clips DIR [--fps 10 5] [--per-clip]

DIR holds clips/NAME.mp4, gt/NAME.json and score.py. MOG2 gets the same 320-pixel-wide luma; its mask is opened, and
blobs of 40 pixels or more are motion. CPU is the thread's time without decoding, one detector's whole clip after the
other's, in turns that swap from clip to clip.
"""
import argparse
import importlib.util
import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np

from agent.core.model import Luma
from agent.core.motion import DETECTOR_VERSION, Detector, MotionSettings

WIDE = 320
BLOB_MIN_PX = 40

Report = tuple[bool, list[list[float]]]             # motion, boxes as fractions
Judge = Callable[[Luma], Report]


def ours() -> Judge:
    """Our detector as a household gets it."""
    detector = Detector(MotionSettings.for_people())

    def judge(luma: Luma) -> Report:
        look = detector.step(luma)
        return look.moving, [list(box) for box in look.boxes]

    return judge


def mog2() -> Judge:
    """OpenCV's Gaussian mixture with its default settings, shadows not counted."""
    background = cv2.createBackgroundSubtractorMOG2()
    kernel = np.ones((3, 3), np.uint8)

    def judge(luma: Luma) -> Report:
        mask = cv2.morphologyEx((background.apply(luma.y) == 255).astype(np.uint8), cv2.MORPH_OPEN, kernel)
        _, _, stats, _ = cv2.connectedComponentsWithStats(mask)
        h, w = luma.y.shape
        boxes = [[x / w, y / h, bw / w, bh / h] for x, y, bw, bh, area in stats[1:].tolist() if area >= BLOB_MIN_PX]
        return bool(boxes), boxes

    return judge


DETECTORS = {"taimat": ours, "cv2 MOG2": mog2}


def decoded(path: Path, clip_fps: float, fps: float) -> Iterator[Luma]:
    """The clip's luma, 320 wide, thinned to `fps`."""
    video, due_s, i = cv2.VideoCapture(str(path)), 0.0, 0
    while True:
        ok, frame = video.read()
        if not ok:
            return
        at_s, i = i / clip_fps, i + 1
        if at_s + 1e-6 < due_s:
            continue
        due_s += 1 / fps
        y = cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)
        tall = round(y.shape[0] * WIDE / y.shape[1] / 8) * 8
        yield Luma(cv2.resize(y, (WIDE, tall), interpolation=cv2.INTER_AREA), at_s)


def turn(judge: Judge, lumas: list[Luma], truth: dict) -> tuple[list[dict], float]:
    """One detector over one clip: the reports the scorer wants, and the CPU seconds it took."""
    begun_s = time.thread_time()
    reports = [judge(luma) for luma in lumas]
    cpu_s = time.thread_time() - begun_s
    scale = [truth["width"], truth["height"]] * 2
    rows = []
    for luma, (motion, boxes) in zip(lumas, reports, strict=True):
        in_pixels = [[v * s for v, s in zip(box, scale, strict=True)] for box in boxes]
        rows.append({"t": luma.mono_s, "motion": motion, "boxes": in_pixels})
    return rows, cpu_s


def measure(folder: Path, fps: float, scorer: ModuleType) -> dict[str, dict]:
    """For each detector: the scorer's result for each clip, CPU seconds and pictures."""
    found = {name: {"clips": {}, "cpu_s": 0.0, "pictures_n": 0} for name in DETECTORS}
    for number, path in enumerate(sorted((folder / "gt").glob("*.json"))):
        truth = json.loads(path.read_text())
        lumas = list(decoded(folder / "clips" / f"{truth['clip']}.mp4", truth["fps"], fps))
        for name in list(DETECTORS)[::1 if number % 2 else -1]:
            rows, cpu_s = turn(DETECTORS[name](), lumas, truth)
            found[name]["clips"][truth["clip"]] = scorer.score_clip(truth, rows)
            found[name]["cpu_s"] += cpu_s
            found[name]["pictures_n"] += len(lumas)
    return found


def figure(value: float | None, digits: int = 3) -> str:
    """A number for the table; absent is a dash."""
    return "-" if value is None else f"{value:.{digits}f}"


COLUMNS = ("event F1", "hits", "false", "false in quiet clips", "active", "delay s, median/p90", "box centre",
           "box IoU", "CPU ms")


def row(result: dict, scorer: ModuleType) -> list[str]:
    """One detector's cells of the table."""
    t = scorer.total(result["clips"].values())
    quiet_n = sum(r.get("false_events", 0) for r in result["clips"].values() if r["nuisance_only"])
    delay = f"{figure(t['latency_median_s'], 2)}/{figure(t['latency_p90_s'], 2)}"
    return [figure(t["event_f1"]), f"{t['hits']}/{t['events']}", str(t["false_events"]), str(quiet_n),
            figure(t["false_active_share"]), delay, figure(t["box_centre_recall"], 2), figure(t["box_iou"], 2),
            figure(1000 * result["cpu_s"] / result["pictures_n"], 2)]


def show(fps: float, found: dict[str, dict], scorer: ModuleType, per_clip: bool) -> None:
    """Print the table for one rate."""
    print(f"{fps:g} pictures a second (taimat's detector is version {DETECTOR_VERSION})")
    print(f"{'':10}" + "".join(f"  {column}" for column in COLUMNS))
    for name, result in found.items():
        cells = zip(row(result, scorer), COLUMNS, strict=True)
        print(f"{name:10}" + "".join(f"  {cell:>{len(column)}}" for cell, column in cells))
        for clip, r in result["clips"].items() if per_clip else ():
            print(f"    {clip:36} {r.get('hits', 0)}/{r.get('events', 0)} hits, {r.get('false_events', 0)} false")
    mine, theirs = (found[name]["cpu_s"] for name in DETECTORS)
    print(f"CPU of taimat / CPU of MOG2: {mine / theirs:.2f}\n")


def load_scorer(folder: Path) -> ModuleType:
    """The clips' own score.py as a module."""
    spec = importlib.util.spec_from_file_location("clip_scorer", folder / "score.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main(argv: list[str]) -> int:
    """Run the bench; 2 if the folder holds no labelled clips."""
    parser = argparse.ArgumentParser(prog="bench motion", description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=Path, required=True, help="folder with clips/, gt/ and score.py")
    parser.add_argument("--fps", type=float, nargs="+", default=[10.0, 5.0], help="pictures a second to analyse")
    parser.add_argument("--per-clip", action="store_true", help="also print each clip")
    wanted = parser.parse_args(argv)
    if not (wanted.clips / "score.py").is_file() or not any((wanted.clips / "gt").glob("*.json")):
        print(f"{wanted.clips}: needs score.py, gt/*.json and clips/*.mp4", file=sys.stderr)
        return 2
    cv2.setNumThreads(1)
    scorer = load_scorer(wanted.clips)
    for fps in wanted.fps:
        show(fps, measure(wanted.clips, fps, scorer), scorer, wanted.per_clip)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
