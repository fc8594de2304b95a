"""Retention: which clips go, and why. Pure: numbers and sizes in, the doomed out, one by one and in their order.

Two reasons only: a clip is older than its kind is kept, or its space is needed. Clips on hold never get here.
"""
import heapq
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

SPARE_B = 256_000_000       # at most so much more than needed goes, so that it does not repeat at once
FILES_FREE_N = 200          # a card that has room for fewer files than that is as full as one without space


class KeptClip(NamedTuple):
    """A clip that may go."""

    seq: int
    bytes: int


class Dated(NamedTuple):
    """A clip and its age, as far as that is known."""

    seq: int
    wall_ms: int
    sure: bool              # whether its date may be believed


class Doomed(NamedTuple):
    """A clip that is to go."""

    seq: int
    bytes: int
    why: str                # age | space


class CameraClips(NamedTuple):
    """One camera's clips. Both iterables come in the order in which the clips are to go, and are read as far as needed.
    """

    camera: str
    bytes: int                      # of all of them, those on hold among them
    handed_out: Iterable[KeptClip]      # the ward has their footage
    others: Iterable[KeptClip]


class CardLimits(NamedTuple):
    """What the household wants of the card's room."""

    quota_b: int            # the most that clips may take; 0: whatever the card has
    floor_pct: float        # so much of the card is to be free
    hold_max_pct: float     # of the clips' room, what clips on hold may take


def room_b(total_b: int, quota_b: int, floor_pct: float) -> int:
    """Bytes that clips may take on a card of this size: up to the free-space floor, or to the quota (0: none)."""
    below_floor_b = int(total_b * (1 - floor_pct / 100))
    return min(below_floor_b, quota_b) if quota_b else below_floor_b


def to_free_b(used_b: int, quota_b: int, free_b: int, total_b: int, floor_pct: float) -> int:
    """Bytes that have to go: over the quota (0: none) or under the free-space floor, and some more on top."""
    over_b = used_b - quota_b if quota_b else 0
    under_b = int(total_b * floor_pct / 100) - free_b
    needed_b = max(over_b, under_b)
    return needed_b + min(SPARE_B, max(total_b, 0) // 200) if needed_b > 0 else 0


def to_free_n(free_n: int, total_n: int) -> int:
    """Files that have to go, because those of others have used the inodes up; a file system without inodes has 0."""
    return max(0, min(FILES_FREE_N, total_n // 100) - free_n)


def last_too_old(clips: Iterable[Dated], keep_ms: int, now_wall_ms: int, enough_n: int = 1000) -> int:
    """Of one camera's clips of one kind, oldest number first: the number up to which all are too old; 0 for none.

    Numbers don't lie, clocks do. What was recorded before a clip is older than it, whatever its own date says: a clip
    without a date that may be believed (or with one that is still to come) is judged by the next one that has one, and
    the first young one ends it. `enough_n` clips are enough for one pass.
    """
    last = 0
    for number, clip in enumerate(clips):
        if last and number >= enough_n:
            break
        if clip.sure and clip.wall_ms <= now_wall_ms:
            if now_wall_ms - clip.wall_ms <= keep_ms:
                break
            last = clip.seq
    return last


def going_order(motion: Iterable[KeptClip], continuous: Iterable[KeptClip], newest_seq: int,
                ages_faster: float) -> Iterator[KeptClip]:
    """One camera's clips in the order in which they make room: the oldest first, where age is counted in numbers.

    Video without events ages `ages_faster`, as it is kept for a shorter time, too: of two clips of one age it goes
    first, but what was recorded just now outlasts an event of last week.
    """
    by_motion = ((clip.seq - newest_seq, clip) for clip in motion)
    by_rest = (((clip.seq - newest_seq) * ages_faster, clip) for clip in continuous)
    return (clip for _, clip in heapq.merge(by_motion, by_rest))


def make_room(shelves: Iterable[CameraClips], needed_b: int, needed_n: int = 0) -> Iterator[Doomed]:
    """Clips that go because so many bytes or files are needed.

    First those that the ward has go, then one by one from the camera that has most.
    So the room is shared fairly (max-min): a camera that records much has what the others leave, and one below its fair
    share loses nothing as long as another is above it.
    """
    shelves = list(shelves)
    left_b = {shelf.camera: shelf.bytes for shelf in shelves}
    for piles in ({shelf.camera: iter(shelf.handed_out) for shelf in shelves},
                  {shelf.camera: iter(shelf.others) for shelf in shelves}):
        for clip in _from_the_largest(piles, left_b):
            if needed_b <= 0 and needed_n <= 0:
                return
            needed_b, needed_n = needed_b - clip.bytes, needed_n - 1
            yield Doomed(clip.seq, clip.bytes, "space")


def _from_the_largest(piles: dict[str, Iterator[KeptClip]], left_b: dict[str, int]) -> Iterator[KeptClip]:
    """Each time the next clip of the camera that has most; `left_b` is kept true."""
    heap = [(-left_b[camera], camera) for camera in piles]
    heapq.heapify(heap)
    while heap:
        camera = heap[0][1]
        clip = next(piles[camera], None)
        if clip is None:
            heapq.heappop(heap)
            continue
        left_b[camera] -= clip.bytes
        heapq.heapreplace(heap, (-left_b[camera], camera))
        yield clip


def shares(room_b: float, wanted_b: Mapping[str, float]) -> dict[str, float]:
    """How the room is shared in the long run between cameras that could fill so much each: `make_room`'s doing."""
    got_b, left_b = {}, room_b
    for number, camera in enumerate(sorted(wanted_b, key=wanted_b.__getitem__)):
        got_b[camera] = min(wanted_b[camera], left_b / (len(wanted_b) - number))
        left_b -= got_b[camera]
    return got_b
