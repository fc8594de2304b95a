"""Which clips to delete, and why. Pure: numbers and sizes in, clips out, one by one and in their order.

There are only two reasons: a clip is older than its kind is kept, or its space is needed. Held clips are never passed
in.
"""
import heapq
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

SPARE_B = 256_000_000       # deletes at most this much more than needed, so that it need not run again at once
FILES_FREE_N = 200          # a card with room for fewer files counts as full


class KeptClip(NamedTuple):
    """A clip that may be deleted."""

    seq: int
    bytes: int


class Dated(NamedTuple):
    """A clip and its date, as far as known."""

    seq: int
    wall_ms: int
    sure: bool              # whether the date is trustworthy


class Doomed(NamedTuple):
    """A clip to delete."""

    seq: int
    bytes: int
    why: str                # age | space


class CameraClips(NamedTuple):
    """One camera's clips. Both iterables are in the order of deletion, and are read only as far as needed."""

    camera: str
    bytes: int                      # of all clips, including held ones
    handed_out: Iterable[KeptClip]      # the ward has their footage
    others: Iterable[KeptClip]


class CardLimits(NamedTuple):
    """The household's limits for the card."""

    quota_b: int            # the most for clips; 0: no quota
    floor_pct: float        # share of the card to keep free
    hold_max_pct: float     # share of the clips' room for held clips


def room_b(total_b: int, quota_b: int, floor_pct: float) -> int:
    """Returns the bytes for clips on a card of this size: up to the free-space floor, or to the quota (0: none)."""
    below_floor_b = int(total_b * (1 - floor_pct / 100))
    return min(below_floor_b, quota_b) if quota_b else below_floor_b


def to_free_b(used_b: int, quota_b: int, free_b: int, total_b: int, floor_pct: float) -> int:
    """Returns the bytes to delete: above the quota (0: none) or below the free-space floor, and a reserve.

    If other files have filled the card, deleting every clip may not reach the floor. Then half of the room that clips
    and free space share is enough, so that footage is not given up in vain.
    """
    over_b = used_b - quota_b if quota_b else 0
    under_b = min(int(total_b * floor_pct / 100), (used_b + free_b) // 2) - free_b
    needed_b = max(over_b, under_b)
    return needed_b + min(SPARE_B, max(total_b, 0) // 200) if needed_b > 0 else 0


def to_free_n(free_n: int, total_n: int) -> int:
    """Returns the files to delete if other files have used up the inodes. A file system without inodes has 0."""
    return max(0, min(FILES_FREE_N, total_n // 100) - free_n)


def last_too_old(clips: Iterable[Dated], keep_ms: int, now_wall_ms: int, enough_n: int = 1000) -> int:
    """Returns the number up to which all of a camera's clips of one kind are too old; 0 if none. Oldest number first.

    Numbers are reliable, clocks are not. A clip is older than those recorded after it, even if its date says
    otherwise. So a clip without a trustworthy date (or with a future one) is judged by the next clip that has one, and
    the first young one ends the search. One pass looks at `enough_n` clips.
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
    """Yields one camera's clips in the order of deletion: the oldest first, with the age in numbers.

    Video without events ages `ages_faster`, because it is also kept for a shorter time. Of two clips with the same age
    it goes first, but new video outlasts an event of last week.
    """
    by_motion = ((clip.seq - newest_seq, clip) for clip in motion)
    by_rest = (((clip.seq - newest_seq) * ages_faster, clip) for clip in continuous)
    return (clip for _, clip in heapq.merge(by_motion, by_rest))


def make_room(cameras: Iterable[CameraClips], needed_b: int, needed_n: int = 0) -> Iterator[Doomed]:
    """Yields clips to delete until this many bytes or files are free.

    First go the clips that the ward has, then clips of the camera with the most bytes, one by one. So the room is
    shared fairly (max-min): a camera that records much gets what the others leave, and a camera below its fair share
    loses nothing while another one is above it.
    """
    cameras = list(cameras)
    left_b = {camera.camera: camera.bytes for camera in cameras}
    for piles in ({camera.camera: iter(camera.handed_out) for camera in cameras},
                  {camera.camera: iter(camera.others) for camera in cameras}):
        for clip in _from_the_largest(piles, left_b):
            if needed_b <= 0 and needed_n <= 0:
                return
            needed_b, needed_n = needed_b - clip.bytes, needed_n - 1
            yield Doomed(clip.seq, clip.bytes, "space")


def _from_the_largest(piles: dict[str, Iterator[KeptClip]], left_b: dict[str, int]) -> Iterator[KeptClip]:
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
    """Returns how `make_room` shares the room in the long run between cameras that could fill this much each."""
    got_b, left_b = {}, room_b
    for number, camera in enumerate(sorted(wanted_b, key=wanted_b.__getitem__)):
        got_b[camera] = min(wanted_b[camera], left_b / (len(wanted_b) - number))
        left_b -= got_b[camera]
    return got_b
