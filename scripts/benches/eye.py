"""A stream looked at the cheaper way, beside full decoding, on labelled clips: what is lost, how late, how cheap.

    scripts/bench eye (--clips DIR | --made [tuning]) [--stream main sub] [--fps 5 10] [--gop 1 2 4] [--still 8 2]
                      [--only NAME ...] [--per-clip]

DIR and --made are those of the motion bench. Each clip is encoded anew the three ways of cameras: a constant bit rate,
a variable one, constant quality. The real eyes look at it, each with a pipe and a detector of its own: one decodes
every packet, the other as the recorder does with a main stream or a sub-stream. Both are taken to decode in no time.
A delay is from the first real motion to the moment at which the pipe says so.
"""
import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from statistics import mean, median, quantiles
from typing import NamedTuple
from unittest.mock import patch

import av
import cv2

from agent.capture.clip_rows import ClipRules
from agent.capture.main_decoder import Decoder, MainDecoder
from agent.capture.motion_feed import SubFeed
from agent.capture.pipe import Pipe
from agent.capture.recorder import Recorder
from agent.capture.sockets import LiveSocket
from agent.config.settings import Camera, Motion
from agent.core.media.model import Packet, StreamInfo
from agent.core.vision.event import EventMachine, EventOrder
from agent.core.vision.luma import Luma
from agent.core.vision.motion import Look
from agent.host.clock import Instant
from agent.host.datagram import Outlet
from agent.host.decoder import BoundedDecoder
from agent.host.luma import luma_of
from agent.store.folders import Folders
from scripts.benches.plan import tell
from scripts.benches.score import LATE_S, LEAD_S, Report, Score, real_events, score_clip, total
from scripts.benches.table import Table, Verdict
from tests.rigs.cameras.h264 import encoded
from tests.rigs.worlds import FITTED, JUDGED, worlds

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
    decoder, key_mono_s = Decoder(info, small=True), None
    for packet in packets:
        clock.film(packet)
        key_mono_s = clock.mono_s() if packet.key else key_mono_s
        picture = decoder.decode(packet)
        if picture is not None and pipe.wants_luma(clock.mono_s()):
            pipe.luma(luma_of(picture, clock.mono_s(), key_mono_s))
    return len(packets)


def of_the_sub(pipe: NotingPipe, clock: StageClock, info: StreamInfo, packets: Sequence[Packet]) -> int:
    """As a sub-stream; how many packets were decoded."""
    decoded_n, decode = 0, BoundedDecoder.decode

    def counted(decoder: BoundedDecoder, packet: Packet | None) -> list[av.VideoFrame]:
        nonlocal decoded_n
        decoded_n += packet is not None
        return decode(decoder, packet)

    feed = SubFeed(pipe, clock)
    with patch.object(BoundedDecoder, "decode", counted):
        feed.stream(info)
        for packet in packets:
            clock.film(packet)
            feed.packet(packet)
            pipe.tick()
    return decoded_n


def of_the_main(pipe: NotingPipe, clock: StageClock, info: StreamInfo, packets: Sequence[Packet]) -> int:
    """Keyframes and bursts; how many packets were decoded."""
    decoder, decoded_n = MainDecoder(info, pipe, clock.mono_s()), 0
    for packet in packets:
        clock.film(packet)
        decoder.offer(packet, clock.mono_s())
        while decoder.step():
            decoded_n += 1
    return decoded_n


Way = Callable[[NotingPipe, StageClock, StreamInfo, Sequence[Packet]], int]
WAYS: dict[str, Way] = {"main": of_the_main, "sub": of_the_sub}


class Seen(NamedTuple):
    """One way's look at one film."""

    events: list[Event]
    score: Score
    decoded_n: int
    cpu_s: float            # of decoding and looking
    waits_s: list[float]    # how long each hit took, from the first real motion to the moment it was said


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

    def cpu(self) -> float:
        """CPU time of the cheaper way, of that of full decoding."""
        return sum(ways["ours"].cpu_s for ways in self.seen.values()) / sum(
            ways["full"].cpu_s for ways in self.seen.values())

    def delay(self, way: str) -> str:
        """How late one way says what it hits: median and 90th percentile."""
        waits_s = [wait_s for ways in self.seen.values() for wait_s in ways[way].waits_s]
        return f"{median(waits_s):.2f}/{quantiles(waits_s, n=10)[-1]:.2f}" if len(waits_s) > 1 else "-"


def _same(one: Event, two: Event) -> bool:
    return one.began_s <= two.ended_s + SURE_S and two.began_s <= one.ended_s + SURE_S


def frames(path: Path) -> list[av.VideoFrame]:
    """The clip's pictures."""
    with av.open(str(path)) as container:
        return [frame.reformat(format="yuv420p") for frame in container.decode(video=0)]


def look(way: Way, still_s: float, fps: float, film: tuple[StreamInfo, Sequence[Packet]], truth: dict) -> Seen:
    """Show one film to one eye."""
    clock, camera = StageClock(), Camera(name="clip", source="file:clip", post_roll_s=still_s, merge_gap_s=still_s,
                                         motion=Motion(fps=fps))
    with tempfile.TemporaryDirectory(prefix="eye") as place:
        pipe = NotingPipe(camera, Path(place), clock)
        begun_s = time.thread_time()
        decoded_n = way(pipe, clock, *film)
        cpu_s = time.thread_time() - begun_s
    reports = [Report(at_s, said.moving) for at_s, said, _ in pipe.said]
    return Seen(pipe.events(), score_clip(truth, reports), decoded_n, cpu_s, waits(truth, pipe.said))


def waits(truth: dict, said: Sequence[tuple[float, Look, float]]) -> list[float]:
    """How long each hit took until it was said."""
    found = []
    for first, last in real_events(truth):
        began_s, ended_s = first / truth["fps"], (last + 1) / truth["fps"]
        hit_s = next((told_s for at_s, one, told_s in said
                      if one.moving and began_s - LEAD_S <= at_s <= ended_s + LATE_S), None)
        if hit_s is not None:
            found.append(max(0.0, hit_s - began_s))
    return found


COLUMNS = ("", "full", "ours", "lost", "extra", "begins later s, mean/max", "found later s, mean/max", "late",
           "decoded %", "CPU %", "hits full", "hits ours", "of", "false full", "false ours",
           "delay full s, median/p90", "delay ours")


def tabulate(title: str, tallies: dict[str, Tally]) -> Table:
    """One table."""
    table = Table(title, COLUMNS)
    gops = []       # what finding an event takes longer, in GOPs
    for name, tally in tallies.items():
        begins = [ours.began_s - full.began_s for full, ours in tally.matched()]
        found = [ours.found_s - full.found_s for full, ours in tally.matched()]
        late_n = sum(later_s > tally.gop_s + PICTURE_S for later_s in found)
        full, ours = (total([ways[way].score for ways in tally.seen.values()]) for way in ("full", "ours"))
        lost_n, extra_n = tally.alone_n("full", "ours"), tally.alone_n("ours", "full")
        table.rows.append((
            name, str(tally.events_n("full")), str(tally.events_n("ours")), str(lost_n), str(extra_n), _spread(begins),
            _spread(found), str(late_n), f"{100 * tally.share():.0f}", f"{100 * tally.cpu():.0f}", str(full.hits),
            str(ours.hits), str(full.events), str(full.false_events), str(ours.false_events), tally.delay("full"),
            tally.delay("ours")))
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
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--clips", type=Path, help="folder with clips/ and gt/")
    where.add_argument("--made", nargs="?", const="judged", choices=("judged", "fitted"), help="made clips")
    parser.add_argument("--stream", nargs="+", choices=WAYS, default=["main"], help="the recorder's ways")
    parser.add_argument("--fps", type=float, nargs="+", default=[5], help="pictures a second that motion looks at")
    parser.add_argument("--gop", type=float, nargs="+", default=[1, 2, 4], help="seconds between keyframes")
    parser.add_argument("--still", type=float, nargs="+", default=[8, 2], help="seconds of stillness that end an event")
    parser.add_argument("--only", nargs="+", metavar="NAME", default=(), help="clips to look at; else all")
    parser.add_argument("--per-clip", action="store_true", help="also print each clip's events")
    wanted = parser.parse_args(argv)
    folder = wanted.clips or worlds(FITTED if wanted.made == "fitted" else JUDGED)
    truths = [json.loads(path.read_text()) for path in sorted((folder / "gt").glob("*.json"))]
    truths = [truth for truth in truths if not wanted.only or truth["clip"] in wanted.only]
    if not truths:
        print(f"{folder}: needs gt/*.json and clips/*.mp4", file=sys.stderr)
        return 2
    cv2.setNumThreads(1)
    for title, found in measure(folder, truths, wanted).items():
        print(tabulate(title, found).text(), flush=True)
        if wanted.per_clip:
            tell_clips(found)
    return 0


def measure(folder: Path, truths: Sequence[dict], wanted: argparse.Namespace) -> dict[str, dict[str, Tally]]:
    """Show each clip to all eyes; by table and row."""
    found: dict[str, dict[str, Tally]] = {}
    for truth in truths:
        tell(f"eye: {truth['clip']}")
        pictures = frames(folder / "clips" / f"{truth['clip']}.mp4")
        for gop_s, (rate, options) in product(wanted.gop, rates(truth["width"], truth["height"], truth["fps"]).items()):
            film = encoded(pictures, round(truth["fps"]), round(truth["fps"] * gop_s), **options)
            for still_s, fps in product(wanted.still, wanted.fps):
                full = look(in_full, still_s, fps, film, truth)
                for stream in wanted.stream:
                    title = f"Full decoding and a {stream} stream; {fps:g} looks/s; {still_s:g} s of stillness"
                    tally = found.setdefault(title, {}).setdefault(f"{rate}, GOP {gop_s:g} s", Tally(gop_s))
                    tally.packets_n += len(film[1])
                    tally.seen[truth["clip"]] = {
                        "full": full, "ours": look(WAYS[stream], still_s, fps, film, truth)}
    return found
