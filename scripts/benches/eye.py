"""A main stream looked at the cheaper way, beside full decoding, on labelled clips: what is lost, how late, how cheap.

    scripts/bench eye --clips DIR [--gop 1 2 4] [--still 8 2] [--only NAME ...] [--per-clip]

DIR is that of the motion bench. Each clip is encoded anew the three ways of cameras: a constant bit rate, a variable
one, constant quality. The real eyes look at it, each with a pipe and a detector of its own: one decodes every packet,
the other keyframes and bursts. Both are taken to decode in no time.
"""
import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean
from typing import NamedTuple

import av
import cv2

from agent.capture.clip_rows import ClipRules
from agent.capture.main_decoder import MainDecoder
from agent.capture.motion_feed import SubFeed
from agent.capture.pipe import Pipe
from agent.capture.recorder import Recorder
from agent.capture.sockets import LiveSocket
from agent.config.settings import Camera
from agent.core.media.model import Packet, StreamInfo
from agent.core.vision.event import EventMachine, EventOrder
from agent.core.vision.luma import Luma
from agent.core.vision.motion import Look
from agent.host.clock import Instant
from agent.host.datagram import Outlet
from agent.store.folders import Folders
from scripts.benches.plan import tell
from scripts.benches.score import Report, Score, score_clip, total
from scripts.benches.table import Table, Verdict
from tests.rigs.cameras.h264 import encoded

BITS_A_PIXEL = 0.15         # what cameras spend on pictures this small
BEGIN_MONO_S = 1000.0
PICTURE_S = 0.2             # between the pictures that motion looks at
SURE_S = 1.0                # events of the two ways that are no further apart are one


def rates(width: int, height: int, fps: float) -> dict[str, dict[str, str]]:
    """The encoder's options for each way of spending bits."""
    kbps = round(width * height * fps * BITS_A_PIXEL / 1000)
    return {"CBR": {"b": f"{kbps}k", "maxrate": f"{kbps}k", "bufsize": f"{kbps}k"},
            "VBR": {"b": f"{kbps}k", "maxrate": f"{2 * kbps}k", "bufsize": f"{4 * kbps}k"},
            "quality": {"crf": "26"}}


@dataclass
class StageClock:
    """The device's clock, moved by the film."""

    mono: float = BEGIN_MONO_S

    def mono_s(self) -> float:
        """Seconds since boot."""
        return self.mono

    def film(self, packet: Packet) -> None:
        """It is the time at which this packet comes."""
        self.mono = BEGIN_MONO_S + packet.dts_us / 1e6

    def now(self) -> Instant:
        """This moment."""
        return Instant("0b007001", int(self.mono * 1000), int(self.mono * 1000), "ntp")


class Event(NamedTuple):
    """From its first picture with motion to its last, and when it was found, in seconds of the film."""

    began_s: float
    ended_s: float
    found_s: float


class NotingPipe(Pipe):
    """The real pipe, and what its detector said: the film's second, the look, and the second in which it was said."""

    def __init__(self, camera: Camera, place: Path, clock: StageClock) -> None:
        recorder = Recorder(camera.name, Folders(place), clock, Outlet(place), ClipRules(1, camera.pre_roll_s))
        live = LiveSocket(place / "live.sock")
        super().__init__(camera, recorder, live, clock)
        live.close()
        self._watch, self._begin_s = clock, clock.mono
        self.said: list[tuple[float, Look, float]] = []

    def luma(self, picture: Luma) -> Look:
        """Note what is said of it."""
        look = super().luma(picture)
        self.said.append((picture.mono_s - self._begin_s, look, self._watch.mono - self._begin_s))
        return look

    def events(self) -> list[Event]:
        """What the household is told of."""
        machine, found = EventMachine(self.over_after_s, longest_s=1e9), []
        for at_s, look, said_s in self.said:
            machine, order = machine.step(look.moving, at_s)
            if order is EventOrder.OPEN:
                found.append(Event(at_s, at_s, said_s))
            elif order is EventOrder.EXTEND:
                found[-1] = found[-1]._replace(ended_s=at_s)
        return found


def in_full(pipe: NotingPipe, clock: StageClock, info: StreamInfo, packets: Sequence[Packet]) -> int:
    """Decode every packet; how many that were."""
    feed = SubFeed(pipe, clock)
    feed.stream(info)
    for packet in packets:
        clock.film(packet)
        feed.packet(packet)
    return len(packets)


def cheaply(pipe: NotingPipe, clock: StageClock, info: StreamInfo, packets: Sequence[Packet]) -> int:
    """Keyframes and bursts; how many packets were decoded."""
    decoder, decoded_n = MainDecoder(info, pipe, clock.mono_s()), 0
    for packet in packets:
        clock.film(packet)
        decoder.offer(packet, clock.mono_s())
        while decoder.step():
            decoded_n += 1
    return decoded_n


WAYS: dict[str, Callable[[NotingPipe, StageClock, StreamInfo, Sequence[Packet]], int]] = {
    "full": in_full, "ours": cheaply}


class Seen(NamedTuple):
    """One way's look at one film."""

    events: list[Event]
    score: Score
    decoded_n: int


@dataclass
class Tally:
    """One way of encoding, over all clips."""

    gop_s: float
    packets_n: int = 0
    seen: dict[str, dict[str, Seen]] = field(default_factory=dict)      # by clip and way

    def matched(self) -> Iterator[tuple[Event, Event]]:
        """Events of full decoding with ours that are the same."""
        for ways in self.seen.values():
            for full in ways["full"].events:
                if ours := next((one for one in ways["ours"].events if _same(full, one)), None):
                    yield full, ours

    def alone_n(self, way: str, other: str) -> int:
        """How many events of one way the other one has not."""
        return sum(not any(_same(one, two) for two in ways[other].events)
                   for ways in self.seen.values() for one in ways[way].events)

    def events_n(self, way: str) -> int:
        """How many events one way finds."""
        return sum(len(ways[way].events) for ways in self.seen.values())

    def share(self) -> float:
        """Packets decoded the cheaper way, of all."""
        return sum(ways["ours"].decoded_n for ways in self.seen.values()) / self.packets_n


def _same(one: Event, two: Event) -> bool:
    return one.began_s <= two.ended_s + SURE_S and two.began_s <= one.ended_s + SURE_S


def frames(path: Path) -> list[av.VideoFrame]:
    """The clip's pictures."""
    with av.open(str(path)) as container:
        return [frame.reformat(format="yuv420p") for frame in container.decode(video=0)]


def look(way: str, still_s: float, film: tuple[StreamInfo, Sequence[Packet]], truth: dict) -> Seen:
    """Show one film to one eye."""
    clock, camera = StageClock(), Camera(name="clip", source="file:clip", post_roll_s=still_s, merge_gap_s=still_s)
    with tempfile.TemporaryDirectory(prefix="eye") as place:
        pipe = NotingPipe(camera, Path(place), clock)
        decoded_n = WAYS[way](pipe, clock, *film)
    reports = [Report(at_s, said.moving) for at_s, said, _ in pipe.said]
    return Seen(pipe.events(), score_clip(truth, reports), decoded_n)


COLUMNS = ("", "full", "ours", "lost", "extra", "begins later s, mean/max", "found later s, mean/max", "late",
           "decoded %", "hits full", "hits ours", "of", "false full", "false ours")


def tabulate(still_s: float, tallies: dict[str, Tally]) -> Table:
    """One stillness' table."""
    table = Table(f"Events by full decoding and by keyframes and bursts; {still_s:g} s of stillness end one", COLUMNS)
    gops = []       # what finding an event takes longer, in GOPs
    for name, tally in tallies.items():
        begins = [ours.began_s - full.began_s for full, ours in tally.matched()]
        found = [ours.found_s - full.found_s for full, ours in tally.matched()]
        late_n = sum(later_s > tally.gop_s + PICTURE_S for later_s in found)
        full, ours = (total([ways[way].score for ways in tally.seen.values()]) for way in WAYS)
        lost_n, extra_n = tally.alone_n("full", "ours"), tally.alone_n("ours", "full")
        table.rows.append((
            name, str(tally.events_n("full")), str(tally.events_n("ours")), str(lost_n), str(extra_n), _spread(begins),
            _spread(found), str(late_n), f"{100 * tally.share():.0f}", str(full.hits), str(ours.hits),
            str(full.events), str(full.false_events), str(ours.false_events)))
        table.figures[name] = {"lost_n": lost_n, "extra_n": extra_n, "begins_later_s": begins, "found_later_s": found,
                               "decoded_share": tally.share(), "full": vars(full), "ours": vars(ours)}
        gops += [later_s / tally.gop_s for later_s in found]
    lost_n = sum(figures["lost_n"] for figures in table.figures.values())
    table.verdicts += [Verdict("events lost, all in all", 0, "", lost_n),
                       Verdict("found later, on average", 1, "GOP", mean(gops) if gops else 0.0)]
    table.notes.append("late: found more than one GOP after full decoding found them")
    return table


def _spread(values: Sequence[float]) -> str:
    return f"{mean(values):.2f}/{max(values):.1f}" if values else "-"


def tell_clips(tallies: dict[str, Tally]) -> None:
    """Each clip's events, both ways: from-to@found."""
    for name, tally in tallies.items():
        for clip, ways in tally.seen.items():
            print(f"  {name}, {clip}:", "; ".join(f"{way} {_told(seen)}" for way, seen in ways.items()))


def _told(seen: Seen) -> str:
    events = [f"{one.began_s:.1f}-{one.ended_s:.1f}@{one.found_s:.1f}" for one in seen.events]
    score = seen.score
    return (f"{' '.join(events) or '-'} ({score.hits}/{score.events} hits, "
            f"{score.false_events} false, {seen.decoded_n} decoded)")


def main(argv: list[str]) -> int:
    """Run the bench; 2 if the folder holds no labelled clips."""
    parser = argparse.ArgumentParser(prog="bench eye", description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=Path, required=True, help="folder with clips/ and gt/")
    parser.add_argument("--gop", type=float, nargs="+", default=[1, 2, 4], help="seconds between keyframes")
    parser.add_argument("--still", type=float, nargs="+", default=[8, 2], help="seconds of stillness that end an event")
    parser.add_argument("--only", nargs="+", metavar="NAME", default=(), help="clips to look at; else all")
    parser.add_argument("--per-clip", action="store_true", help="also print each clip's events")
    wanted = parser.parse_args(argv)
    truths = [json.loads(path.read_text()) for path in sorted((wanted.clips / "gt").glob("*.json"))]
    truths = [truth for truth in truths if not wanted.only or truth["clip"] in wanted.only]
    if not truths:
        print(f"{wanted.clips}: needs gt/*.json and clips/*.mp4", file=sys.stderr)
        return 2
    cv2.setNumThreads(1)
    tallies: dict[float, dict[str, Tally]] = {still_s: {} for still_s in wanted.still}
    for truth in truths:
        tell(f"eye: {truth['clip']}")
        pictures = frames(wanted.clips / "clips" / f"{truth['clip']}.mp4")
        for gop_s in wanted.gop:
            for rate, options in rates(truth["width"], truth["height"], truth["fps"]).items():
                film = encoded(pictures, round(truth["fps"]), round(truth["fps"] * gop_s), **options)
                for still_s in wanted.still:
                    tally = tallies[still_s].setdefault(f"{rate}, GOP {gop_s:g} s", Tally(gop_s))
                    tally.packets_n += len(film[1])
                    tally.seen[truth["clip"]] = {way: look(way, still_s, film, truth) for way in WAYS}
    for still_s, found in tallies.items():
        print(tabulate(still_s, found).text(), flush=True)
        if wanted.per_clip:
            tell_clips(found)
    return 0
