"""Tampering on real clips: silence over what is only weather and people, and each kind done to them in three strengths.

    scripts/bench tamper --clips DIR [--fps 10 5 1] [--quiet-only] [--per-clip]

DIR holds clips/NAME.mp4. First every clip is watched once and then in a loop of three minutes: any report is a false
alarm. Then each act of tests/rigs/cameras/tampering.py is done to the looped clip for 40 s after 45 s, at the first
rate: found means reported as its own kind within 30 s, over means that no condition holds 30 s after it; other kinds
count as wrong names. Clips whose name says night, noise or dusk are the night.
"""
import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import NamedTuple

import cv2
import numpy as np

from agent.core.vision.luma import Luma
from agent.core.vision.tamper import Kind, Phase, Tampering, TamperWatch
from scripts.benches.motion import decoded
from tests.rigs.cameras.tampering import DEEDS, STRENGTHS, Deed, tampered

LOOP_S = 180.0
START_S, STOP_S, END_S = 45.0, 85.0, 120.0
FOUND_S, OVER_S = 30.0, 30.0
NIGHT = ("night", "noise", "dusk")
Told = list[tuple[float, Tampering]]


class Clip(NamedTuple):
    """A clip in memory."""

    name: str
    fps: float
    planes: list[np.ndarray]

    @property
    def night(self) -> bool:
        """Whether it shows the dark."""
        return any(word in self.name for word in NIGHT)

    def lumas(self, fps: float, seconds: float) -> Iterator[Luma]:
        """The clip in a loop of this length, thinned to `fps`."""
        fps = min(fps, self.fps)
        for i in range(round(seconds * fps)):
            yield Luma(self.planes[int(i * self.fps / fps) % len(self.planes)], i / fps)


def read(path: Path) -> Clip:
    """The whole clip as the recorder decodes it. Raises FootageError."""
    lumas = decoded(path)
    return Clip(path.stem, (len(lumas) - 1) / lumas[-1].mono_s, [luma.y for luma in lumas])


def watch(lumas: Iterator[Luma]) -> tuple[Told, TamperWatch]:
    """Everything that is told of the pictures, with its time, and the watch as it is at the end."""
    guard = TamperWatch()
    return [(luma.mono_s, change) for luma in lumas for change in guard.step(luma)], guard


def false_alarms(clip: Clip, fps: float) -> Told:
    """What is told of a clip with which nothing is wrong, once and looped."""
    once_s = len(clip.planes) / clip.fps
    return [told for seconds in (once_s, LOOP_S) for told in watch(clip.lumas(fps, seconds))[0]]


class Outcome(NamedTuple):
    """What became of one deed."""

    delay_s: float | None       # None: not found in time
    wrong: tuple[str, ...]      # kinds told that were not done
    over: bool


def try_deed(clip: Clip, fps: float, kind: Kind, deed: Deed) -> Outcome:
    """Do it to the clip and see what is told."""
    told, guard = watch(tampered(clip.lumas(fps, END_S), kind, deed, START_S, STOP_S))
    starts = [(at_s, change.kind) for at_s, change in told if change.phase is Phase.START]
    delay_s = next((at_s - START_S for at_s, each in starts if each is kind), None)
    found = delay_s is not None and 0 <= delay_s <= FOUND_S
    return Outcome(delay_s if found else None, tuple(each.value for _, each in starts if each is not kind),
                   not guard.now)


def show(kind: Kind, strength: str, light: str, outcomes: list[Outcome]) -> None:
    """One line of the table."""
    delays = sorted(o.delay_s for o in outcomes if o.delay_s is not None)
    when = f"{median(delays):5.1f} {delays[-1]:5.1f}" if delays else "    -     -"
    wrong = ", ".join(sorted(word for o in outcomes for word in o.wrong)) or "-"
    print(f"{kind.value:10} {strength:7} {light:6} {len(delays):2}/{len(outcomes):<3} {when}  "
          f"{sum(o.over for o in outcomes):2}/{len(outcomes):<3} {wrong}", flush=True)


def cost_ms() -> float:
    """CPU milliseconds a picture: 640x360 at 5 a second, noise over a textured ground."""
    rng = np.random.default_rng(1)
    planes = [cv2.GaussianBlur(rng.integers(0, 255, (360, 640), np.uint8), (0, 0), 1.5) for _ in range(10)]
    guard, pictures_n = TamperWatch(), 1500
    begun_s = time.thread_time()
    for i in range(pictures_n):
        guard.step(Luma(planes[i % 10], i / 5))
    return 1000 * (time.thread_time() - begun_s) / pictures_n


def main(argv: list[str]) -> int:
    """Run the bench; 2 if the folder holds no clips."""
    parser = argparse.ArgumentParser(prog="bench tamper", description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=Path, required=True, help="folder with clips/")
    parser.add_argument("--fps", type=float, nargs="+", default=[10.0, 5.0, 1.0], help="pictures a second")
    parser.add_argument("--quiet-only", action="store_true", help="only look for false alarms")
    parser.add_argument("--per-clip", action="store_true", help="also name the clips where a deed was missed")
    wanted = parser.parse_args(argv)
    paths = sorted((wanted.clips / "clips").glob("*.mp4"))
    if not paths:
        print(f"{wanted.clips}: needs clips/*.mp4", file=sys.stderr)
        return 2
    cv2.setNumThreads(1)
    clips = [read(path) for path in paths]
    for fps in wanted.fps:
        told = [(clip.name, at_s, change) for clip in clips for at_s, change in false_alarms(clip, fps)]
        print(f"{fps:g} pictures a second, {len(clips)} clips: {len(told)} false")
        for name, at_s, change in told:
            print(f"    {name} {at_s:.1f} s: {change.kind.value} {change.phase.value}: {change.detail}")
    print(f"{cost_ms():.3f} ms a picture (640x360, 5 a second)")
    if not wanted.quiet_only:
        campaign(clips, wanted.fps[0], wanted.per_clip)
    return 0


def campaign(clips: list[Clip], fps: float, per_clip: bool) -> None:
    """Each deed on each clip."""
    print("kind       strength light  found  delay s: median, most; over; wrong names")
    for kind, deeds in DEEDS.items():
        for strength, deed in zip(STRENGTHS, deeds, strict=True):
            outcomes = {clip.name: try_deed(clip, fps, kind, deed) for clip in clips}
            for light, dark in (("day", False), ("night", True)):
                show(kind, strength, light, [outcomes[clip.name] for clip in clips if clip.night is dark])
            for name, outcome in outcomes.items() if per_clip else ():
                if outcome.delay_s is None or outcome.wrong or not outcome.over:
                    print(f"    {name}: {outcome}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
