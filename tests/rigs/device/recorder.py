"""A camera's recorder that works in the test's own thread, and the jobs of one clip of real video."""
import os
from pathlib import Path

from agent.capture.clip_rows import ClipRules
from agent.capture.recorder import RETRY_AFTER_S, Recorder
from agent.capture.writer_jobs import BestLook, Block, ClipBegin, ClipEnd, EventClose, EventOpen, Job
from agent.core.media.fragments import Fragmenter
from agent.core.media.model import Packet
from agent.core.vision.event_notes import Summary
from agent.host.datagram import Outlet
from agent.store.folders import Folders
from tests.conftest import HandClock
from tests.rigs.cameras.h264 import movie

START_US = 1_000_000_000        # where the hand clock stands
MOTION = EventOpen(START_US + 1_000_000, 0.5, (), False)
NO_PICTURE, SUMMARY = BestLook((), None, ()), Summary(0.5, tracks_n=1)
STILL = EventClose(START_US + 3_000_000, NO_PICTURE, SUMMARY, "1", "")


def make(folders: Folders, clock: HandClock, runtime: Path, always: bool) -> Recorder:
    return Recorder("gate", folders, clock, Outlet(runtime), ClipRules(1, pre_roll_s=5, always=always))


def obey(recorder: Recorder, *batches: list[Job]) -> None:
    """Let the recorder do these batches, here and now instead of in a thread of its own."""
    for batch in batches or ([],):
        assert recorder.offer(batch)
    recorder.end()
    recorder.run()


def retry(recorder: Recorder, clock: HandClock, *jobs: Job) -> None:
    """Let the recorder try the card again."""
    clock.advance(2 * RETRY_AFTER_S)
    obey(recorder, list(jobs))


def clip(start_us: int = START_US, wall_ms: int = 0) -> tuple[list[Job], list[Job]]:
    """Four seconds of real video from `start_us` on: the jobs of its begin, and those of its end."""
    info, packets = movie()
    packets = [Packet(p.data, p.pts_us + start_us, p.dts_us + start_us, p.key) for p in packets]
    fragmenter = Fragmenter(info, packets[0], wall_ms, 60, 1.8)
    begin = [ClipBegin(info, start_us, "motion"), Block(fragmenter.head)]
    begin += [Block(fragment, fragmenter.dur_us, fragmenter.frames_n) for packet in packets
              if (fragment := fragmenter.add(packet))]
    tail, head = fragmenter.close(packets[-1].dts_us + 100_000)
    return begin, [Block(tail), ClipEnd(head, fragmenter.dur_us, fragmenter.frames_n)]


def open_parts(folders: Folders) -> list[str]:
    """Clips of this store that this process holds open."""
    held = [os.path.realpath(f"/proc/self/fd/{number}") for number in os.listdir("/proc/self/fd")]
    return [path for path in held if path.startswith(str(folders.clips)) and ".mp4.part" in path]
