"""Events of labelled clips, named: how many people and vehicles rightly, how many false events, and what it costs.

    scripts/bench label (--clips DIR | --made)

DIR holds clips/NAME.mp4 and gt/NAME.json, as for the motion bench; --made makes such clips first. The limits of words
were chosen on the tuning set: clips out of a DIR, and the made ones that tests/rigs/worlds names for it. All others are
held back. The recorder's own detector, zones and event machine make the events at 5 pictures a second; a false event is
a blob of cv2's MOG2 where nothing real moves within 3 s. The cost is that of the real process on real footage, from its
start to its end.
"""
import argparse
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path

import av
import cv2
import numpy as np

from agent.cameras.demux import Packets
from agent.capture.labeller import PROGRAM
from agent.config.motion import as_set, machine
from agent.config.settings import Camera
from agent.core.contract.helper_messages import LabelQuestion, ShownLook, label_message
from agent.core.household.labels import PEOPLE, EventWord, LabelWord, is_likely
from agent.core.media.model import Box, Packet
from agent.core.vision.best_looks import LOOKS_MAX, BestLooks, RatedLook
from agent.core.vision.event import EventOrder
from agent.core.vision.label import CutOut, word_for
from agent.core.vision.luma import Luma
from agent.core.vision.motion.sharpness import worth
from agent.helpers.event_label import cut_out, scores
from scripts.packaging import weights
from tests.rigs.cameras import footage
from tests.rigs.worlds import worlds
from tests.rigs.worlds.actors import Pose
from tests.rigs.worlds.catalogue import WORDS_JUDGED, WORLDS

CAMERA = Camera(name="yard", source="rtsp://yard")
FPS, WIDE = 5, 320
QUIET_S, BLOB_MIN_PX, FALSE_S = 3.0, 40, 8.0
OTHERS = {"tree", "intel_bottle"}       # photographed, and neither people nor vehicles: a hand
# What each figure of the made scenes is, by the function that draws it. A rider is right by either word.
WORDS_OF: Mapping[str, Set[LabelWord]] = {
    "cut": {"person"}, "folk": {"person"}, "rider": {"person", "vehicle"}, "cyclist": {"person", "vehicle"},
    "crawls": {"person"}, "sheltered": {"person"}, "rider_ahead": {"person", "vehicle"}, "auto_ahead": {"vehicle"},
    "left_motorbike": {"vehicle"}, "auto": {"vehicle"}, "hound": {"animal"}}


@dataclass
class Seen:
    """The best looks at one event, cut out."""

    clip: str
    began_s: float
    looks: BestLooks[CutOut] = field(default_factory=BestLooks)
    boxes: dict[float, Box] = field(default_factory=dict)       # of its looks, by their moment

    def add(self, picture: np.ndarray, luma: Luma, box: Box) -> None:
        """Keep this look if it is among the best."""
        least = self.looks.least(luma.mono_s)
        if (this_worth := worth(luma, box, least)) > least:
            cut = cut_out(av.VideoFrame.from_ndarray(picture, "bgr24"), box)
            self.looks.add(RatedLook(this_worth, luma.mono_s, cut))
            self.boxes[luma.mono_s] = box


def pictures(path: Path, fps: float) -> Iterator[tuple[int, np.ndarray, Luma]]:
    """The clip's pictures at the detector's rate: number, BGR, luma."""
    video, number, due_s = cv2.VideoCapture(str(path)), -1, 0.0
    while video.grab():
        number += 1
        at_s = number / fps
        if at_s + 1e-6 < due_s:
            continue
        due_s += 1 / FPS
        picture = video.retrieve()[1]
        tall = round(picture.shape[0] * WIDE / picture.shape[1] / 8) * 8
        y = cv2.resize(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), (WIDE, tall), interpolation=cv2.INTER_AREA)
        yield number, picture, Luma(y, at_s)


def events(path: Path, fps: float) -> Iterator[Seen]:
    """The recorder's events, with their looks."""
    settings, now = as_set(CAMERA), machine(CAMERA)
    detector, zones, seen, before = settings.detector(), settings.counting(), None, ()
    for _, picture, luma in pictures(path, fps):
        counted = zones.step(detector.step(luma), luma.mono_s)
        now, order = now.step(bool(counted.objects), luma.mono_s)
        if seen is not None and order in (EventOrder.CLOSE, EventOrder.TURN):
            yield seen
            seen = None
        if order in (EventOrder.OPEN, EventOrder.TURN):
            seen = Seen(path.stem, luma.mono_s)
        if seen is not None and counted.objects and counted.objects != before:
            seen.add(picture, luma, counted.objects[0].box)
        before = counted.objects
    if seen is not None:
        yield seen


def false_events(path: Path, truth: dict) -> Iterator[Seen]:
    """What MOG2 takes for motion where nothing real moves."""
    background, kernel, away_n = cv2.createBackgroundSubtractorMOG2(), np.ones((3, 3), np.uint8), QUIET_S * truth["fps"]
    seen: Seen | None = None
    for number, picture, luma in pictures(path, truth["fps"]):
        mask = cv2.morphologyEx((background.apply(luma.y) == 255).astype(np.uint8), cv2.MORPH_OPEN, kernel)
        _, _, stats, _ = cv2.connectedComponentsWithStats(mask)
        x, y, w, h, area = max(stats[1:].tolist(), key=lambda each: each[2] * each[3], default=[0] * 5)
        near = truth["labels"][max(0, number - int(away_n)):number + int(away_n) + 1]
        if area < BLOB_MIN_PX or luma.mono_s < QUIET_S or any(near):
            continue
        if seen is None or luma.mono_s - seen.began_s > FALSE_S:
            if seen is not None:
                yield seen
            seen = Seen(path.stem, luma.mono_s)
        high, wide = luma.y.shape
        seen.add(picture, luma, Box(x / wide, y / high, w / wide, h / high))
    if seen is not None:
        yield seen


def named(file: Path, seen: Seen) -> tuple[EventWord | None, EventWord | None] | None:
    """The word for it, and that of its first look alone; None if unsure."""
    looks = sorted(seen.looks.looks, key=lambda look: look.mono_s)
    found = list(scores(file, [look.what for look in looks]))
    return (word_for(found), word_for(found[:1])) if found else None


@dataclass
class Tally:
    """How the events of a set of clips were named."""

    all_n: Counter[str] = field(default_factory=Counter)
    right: Counter[str] = field(default_factory=Counter)
    unsure: Counter[str] = field(default_factory=Counter)
    false: Counter[str] = field(default_factory=Counter)        # by their words
    early: Counter[str] = field(default_factory=Counter)        # what first looks show as likely: right, wrong or false

    def take(self, file: Path, clip: Path, truth: dict) -> None:
        """Name the events of a clip, and print those of somebody."""
        for seen in events(clip, truth["fps"]):
            words = named(file, seen)
            if words is None or clip.stem in OTHERS or not is_true(seen, truth):
                continue
            (word, first), wanted = words, expected(seen)
            if first and is_likely(first):
                self.early["right" if first.word in wanted else "wrong"] += 1
            group = "people and vehicles" if wanted & {*PEOPLE} else "animals" if wanted else "nobody in the looks"
            self.all_n[group] += 1
            self.right[group] += word is not None and word.word in wanted
            self.unsure[group] += word is None
            print(f"{clip.stem:32} {seen.began_s:6.1f} s  {word.word if word else 'unsure':8} "
                  f"{'' if word and word.word in wanted else 'not ' + ' or '.join(sorted(wanted))}", flush=True)
        for seen in false_events(clip, truth):
            if words := named(file, seen):
                self.false[words[0].word if words[0] else "unsure"] += 1
                self.early["false"] += words[1] is not None and is_likely(words[1])

    def lines(self, name: str) -> Iterator[str]:
        """What there is to tell of it."""
        for group, n in self.all_n.items():
            yield (f"{name}, {group}: {n} events, {self.right[group]} named as they should be, "
                   f"{self.unsure[group]} unsure")
        if self.false:
            words = ", ".join(f"{word} {n}" for word, n in self.false.most_common())
            yield f"{name}, false events: {self.false.total()}, named {words}"
        yield f"{name}, likely by the first look alone: " + ", ".join(
            f"{which} {self.early[which]}" for which in ("right", "wrong", "false"))


def is_true(seen: Seen, truth: dict) -> bool:
    """Whether something real moves in the event's looks."""
    frames = [round(look.mono_s * truth["fps"]) for look in seen.looks.looks]
    return any(truth["labels"][min(frame, len(truth["labels"]) - 1)] for frame in frames)


def expected(seen: Seen) -> Set[str]:
    """The words that are right for what moves in an event: of a made scene those of whom the looks show."""
    if seen.clip not in WORLDS:
        return {"person", "vehicle"} if "car" in seen.clip else {"person"}
    world, words = WORLDS[seen.clip](), set[str]()
    for film_s in (look.mono_s for look in seen.looks.looks):
        at_s, box = film_s + sum(lost_s for at_s, lost_s in world.skips if film_s >= at_s), seen.boxes[film_s]
        for actor in world.actors:
            if (pose := actor.way(at_s)) and _shows(box, pose):
                words |= WORDS_OF[actor.look.__qualname__.partition(".")[0]]
    return words


def _shows(box: Box, pose: Pose) -> bool:
    """Whether somebody who stands like that is in the box, or a part of them."""
    x, y = box.x + box.w / 2, box.y + box.h / 2
    return abs(pose.x - x) <= 0.8 * max(box.w, pose.tall / 2) and abs(pose.y - pose.tall / 2 - y) <= 0.8 * max(
        box.h, pose.tall)


def cost(file: Path) -> tuple[float, float]:
    """CPU milliseconds and memory (MB) of the process that names one event of 1080p by LOOKS_MAX looks."""
    with av.open(str(footage.clip(1920, 1080, 15, 30, 2000))) as film:
        demuxed = Packets(film.streams.video[0])
        found = [item for packet in film.demux(video=0) if packet.size for item in demuxed.convert(packet)]
    packets = [item for item in found if isinstance(item, Packet)]
    keys = [n for n, packet in enumerate(packets) if packet.key][1:LOOKS_MAX + 1]
    looks = [ShownLook(info=demuxed.info, packets=packets[n:n + 15], box=Box(0.4, 0.3, 0.1, 0.3)) for n in keys]
    path = os.pathsep.join((str(file.parents[1]), str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")))
    process = subprocess.Popen([sys.executable, "-P", "-m", PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               env={**os.environ, "PYTHONPATH": path})
    process.stdin.write(label_message(LabelQuestion(looks=looks)))
    process.stdin.close()
    process.stdout.read()
    _, _, used = os.wait4(process.pid, 0)
    return 1000 * (used.ru_utime + used.ru_stime), used.ru_maxrss / 1000


def main(argv: Sequence[str]) -> int:
    """Measure, and print."""
    parser = argparse.ArgumentParser(prog="bench label", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--clips", type=Path, metavar="DIR")
    which.add_argument("--made", action="store_true")
    options = parser.parse_args(argv)
    folder = worlds() if options.made else options.clips
    file = next(weights.fetched().rglob("*.tflite"))
    cv2.setNumThreads(1)
    cpu_ms, memory_mb = cost(file)      # first: a child's peak is at least what this process has when it forks
    tallies = {"tuning": Tally(), "held back": Tally()}
    for path in sorted((folder / "gt").glob("*.json")):
        tally = tallies["held back" if path.stem in WORDS_JUDGED else "tuning"]
        tally.take(file, folder / "clips" / f"{path.stem}.mp4", json.loads(path.read_text()))
    print("\n".join(line for name, tally in tallies.items() for line in tally.lines(name)))
    print(f"one event of 1080p, {LOOKS_MAX} looks of 15 packets: {cpu_ms:.0f} ms of CPU, {memory_mb:.0f} MB")
    return 0
