"""Motion on labelled clips: our detector beside OpenCV's MOG2 and KNN in one run, with CPU time.

    scripts/bench motion (--clips DIR | --made [fitted]) [--fps 10 5] [--per-clip] [--gate]
    scripts/bench motion --fit DIR ... [--fps 10 5]

DIR holds clips/NAME.mp4 and gt/NAME.json; --made makes such clips first (tests/rigs/worlds): those on which the
detector is only judged, or those that its weights are fitted to. Pictures are decoded, stretched to full range and
taken in turns as the recorder does, and our detector is a default camera's. The peers get the same pictures, shrunk to
a width of 320; their mask is opened, and blobs of 40 pixels or more are motion. They also get a row each in which
motion counts only from the eighth picture in a row on, which spares them most of the weather. CPU is the thread's time
without decoding, one detector's whole clip after the other's, in turns that swap from clip to clip. With --gate our
detector runs alone and must reach the floors in `floors`: the development clips' for DIR, the judged ones for --made.
--fit fits the verdict's weights to all clips of the folders and to the made ones, and writes them. It prints what is
reached in clips of places that the weights were not fitted to.
"""
import argparse
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np

from agent.config.motion import as_set
from agent.core.vision.luma import Luma
from agent.core.vision.motion import DETECTOR_VERSION
from scripts.benches.clips import CAMERA, decoded, thinned, truth_of
from scripts.benches.fit import fit
from scripts.benches.floors import DEVELOPMENT, MADE, shortfalls
from scripts.benches.plan import tell
from scripts.benches.score import Report, Score, score_clip, total
from tests.rigs.worlds import FITTED, JUDGED, worlds

PEERS_PX = 320
BLOB_MIN_PX = 40
IN_A_ROW = 8
MADE_CLIPS = {"judged": JUDGED, "fitted": FITTED}

Boxes = list[tuple[float, ...]]                     # as fractions of the picture
Judge = Callable[[Luma], tuple[bool, Boxes]]        # motion, and where


def ours() -> Judge:
    """Our detector as a household gets it."""
    detector = as_set(CAMERA).detector()

    def judge(luma: Luma) -> tuple[bool, Boxes]:
        look = detector.step(luma)
        return look.moving, [tuple(box) for box in look.boxes]

    return judge


def mog2() -> Judge:
    """OpenCV's Gaussian mixture with its default settings, shadows not counted."""
    return _blobs(cv2.createBackgroundSubtractorMOG2())


def knn() -> Judge:
    """OpenCV's nearest neighbours, likewise."""
    return _blobs(cv2.createBackgroundSubtractorKNN())


def _blobs(background: cv2.BackgroundSubtractor) -> Judge:
    kernel = np.ones((3, 3), np.uint8)

    def judge(luma: Luma) -> tuple[bool, Boxes]:
        mask = cv2.morphologyEx((background.apply(luma.y) == 255).astype(np.uint8), cv2.MORPH_OPEN, kernel)
        _, _, stats, _ = cv2.connectedComponentsWithStats(mask)
        h, w = luma.shape
        boxes = [(x / w, y / h, bw / w, bh / h) for x, y, bw, bh, area in stats[1:].tolist() if area >= BLOB_MIN_PX]
        return bool(boxes), boxes

    return judge


DETECTORS = {"taimat": ours, "cv2 MOG2": mog2, "cv2 KNN": knn}
PATIENT = f", {IN_A_ROW} in a row"


def patient(reports: list[Report]) -> list[Report]:
    """Motion only where it has lasted for IN_A_ROW pictures."""
    lasted, out = 0, []
    for report in reports:
        lasted = lasted + 1 if report.motion else 0
        out.append(report if lasted >= IN_A_ROW else Report(report.at_s, False))
    return out


def for_peers(luma: Luma) -> Luma:
    """The same picture in the peers' size."""
    tall = round(luma.shape[0] * PEERS_PX / luma.shape[1] / 8) * 8
    return replace(luma, limited=False, plane=cv2.resize(luma.y, (PEERS_PX, tall), interpolation=cv2.INTER_AREA))


def turn(judge: Judge, lumas: list[Luma], truth: dict) -> tuple[list[Report], float]:
    """One detector over one clip: its reports, boxes in the clip's pixels, and the CPU seconds it took."""
    lumas = [replace(luma) for luma in lumas]       # nobody else has looked at them
    begun_s = time.thread_time()
    said = [judge(luma) for luma in lumas]
    cpu_s = time.thread_time() - begun_s
    scale = [truth["width"], truth["height"]] * 2
    return [Report(luma.mono_s, motion, [[v * s for v, s in zip(box, scale, strict=True)] for box in boxes])
            for luma, (motion, boxes) in zip(lumas, said, strict=True)], cpu_s


@dataclass
class Result:
    """One row of the table: its score in each clip, and what it cost."""

    clips: dict[str, Score] = field(default_factory=dict)
    cpu_s: float = 0.0
    pictures_n: int = 0

    def add(self, truth: dict, reports: list[Report], cpu_s: float) -> None:
        """Count one clip."""
        self.clips[truth["clip"]] = score_clip(truth, reports)
        self.cpu_s += cpu_s
        self.pictures_n += len(reports)


def rows_of(name: str) -> list[str]:
    """The rows of the table that one detector fills."""
    return [name] if name == "taimat" else [name, name + PATIENT]


def measure(folder: Path, rates: Sequence[float], names: Sequence[str] = tuple(DETECTORS),
            clips: Iterable[str] | None = None) -> dict[float, dict[str, Result]]:
    """Each of the named detectors on each clip (None: all in the folder) at each rate; clips are decoded once."""
    found = {fps: {row: Result() for name in names for row in rows_of(name)} for fps in rates}
    wanted = sorted(path.stem for path in (folder / "gt").glob("*.json")) if clips is None else clips
    for number, clip in enumerate(wanted):
        truth = truth_of(folder, clip)
        lumas = decoded(folder / "clips" / f"{clip}.mp4")
        small = [for_peers(luma) for luma in lumas] if set(names) - {"taimat"} else []
        for fps, rows in found.items():
            for name in names[::1 if number % 2 else -1]:
                reports, cpu_s = turn(DETECTORS[name](), thinned(lumas if name == "taimat" else small, fps), truth)
                rows[name].add(truth, reports, cpu_s)
                if name + PATIENT in rows:
                    rows[name + PATIENT].add(truth, patient(reports), cpu_s)
    return found


def figure(value: float | None, digits: int = 3) -> str:
    """A number for the table; absent is a dash."""
    return "-" if value is None else f"{value:.{digits}f}"


COLUMNS = ("event F1", "hits", "false", "in quiet clips", "active %", "delay s, median/p90", "frame F1", "box centre",
           "box IoU", "CPU ms")
NAME_WIDE = max(len(name + PATIENT) for name in DETECTORS)


def percent(share: float | None) -> str:
    """A share for the table."""
    return "-" if share is None else f"{100 * share:.1f}"


def row(result: Result) -> list[str]:
    """One detector's cells of the table."""
    t = total(result.clips.values())
    delay = f"{figure(t.delay_s(0.5), 2)}/{figure(t.delay_s(0.9), 2)}"
    return [figure(t.event_f1), f"{t.hits}/{t.events}", str(t.false_events), str(t.quiet_clips_false_events),
            percent(t.active_share), delay, figure(t.frame_f1), figure(t.box_centre_recall, 2), figure(t.box_iou, 2),
            figure(1000 * result.cpu_s / result.pictures_n, 2)]


def show(fps: float, found: dict[str, Result], per_clip: bool) -> None:
    """Print the tables for one rate."""
    print(f"{fps:g} pictures a second (taimat's detector is version {DETECTOR_VERSION})")
    print(" " * NAME_WIDE + "".join(f"  {column}" for column in COLUMNS))
    for name, result in found.items():
        cells = zip(row(result), COLUMNS, strict=True)
        print(f"{name:{NAME_WIDE}}" + "".join(f"  {cell:>{len(column)}}" for cell, column in cells))
    if "cv2 MOG2" in found:
        print(f"CPU of taimat / CPU of MOG2: {found['taimat'].cpu_s / found['cv2 MOG2'].cpu_s:.2f}")
    print()
    if per_clip:
        show_clips(found)


def show_clips(found: dict[str, Result]) -> None:
    """Print each clip's events, and for each detector hits, false events and the share of quiet reported as motion."""
    wide = max(len(name) for name in found)
    print(f"{'hits, false, active %':32} of" + "".join(f"  {name:>{wide}}" for name in found))
    for clip, score in found["taimat"].clips.items():
        cells = (f"{one.hits:4} {one.false_events:4} {percent(one.active_share):>6}"
                 for one in (result.clips[clip] for result in found.values()))
        print(f"{clip:32} {score.events:2}" + "".join(f"  {cell:>{wide}}" for cell in cells))
    print()


def asked(argv: list[str]) -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(prog="bench motion", description=__doc__.splitlines()[0])
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--clips", type=Path, metavar="DIR", help="folder with clips/ and gt/")
    where.add_argument("--made", nargs="?", const="judged", choices=tuple(MADE_CLIPS),
                       help="clips made out of opencv-doc and seeds (minutes, once)")
    where.add_argument("--fit", type=Path, nargs="+", metavar="DIR", help="fit the weights to these and made clips")
    parser.add_argument("--fps", type=float, nargs="+", default=[10.0, 5.0], help="pictures a second to analyse")
    parser.add_argument("--per-clip", action="store_true", help="also print each clip")
    parser.add_argument("--gate", action="store_true", help="our detector only; 1 if it falls below its floors")
    return parser.parse_args(argv)


def main(argv: list[str]) -> int:
    """Run the bench; 1 if a gate is wanted and something fell below its floor, 2 if there are no labelled clips."""
    wanted = asked(argv)
    names = MADE_CLIPS.get("fitted" if wanted.fit else wanted.made)
    cv2.setNumThreads(1)
    try:
        folder = worlds(names, lambda name: tell(f"motion: making {name}")) if names else wanted.clips
    except OSError as error:
        print(error, file=sys.stderr)
        return 2
    if wanted.fit:
        fit([(folder, names), *((each, None) for each in wanted.fit)], wanted.fps)
        return 0
    if not any((folder / "gt").glob("*.json")):
        print(f"{folder}: needs gt/*.json and clips/*.mp4", file=sys.stderr)
        return 2
    found = measure(folder, wanted.fps, ("taimat",) if wanted.gate else tuple(DETECTORS), names)
    for fps, rows in found.items():
        show(fps, rows, wanted.per_clip)
    if not wanted.gate:
        return 0
    short = shortfalls(MADE if wanted.made else DEVELOPMENT, {fps: rows["taimat"].clips for fps, rows in found.items()})
    print("\n".join(short) or "no figure is below its floor")
    return 1 if short else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
