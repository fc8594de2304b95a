"""Retention: which clips go, and why. Pure: the list of clips in, the doomed ones out.

Two reasons only: a clip is older than the household wants, or its space is needed. Clips on hold never get here.
"""
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple


class Kept(NamedTuple):
    """What the planner has to know of a clip."""

    seq: int
    camera: str
    kind: str               # motion | continuous
    wall_ms: int
    bytes: int
    clock: str              # how far wall_ms is to be believed


@dataclass(frozen=True, slots=True)
class Policy:
    """What the household wants, and what the card needs."""

    keep_ms: int
    keep_continuous_ms: int
    to_free_b: int = 0      # for the quota or the free-space floor


@dataclass(frozen=True, slots=True)
class Doomed:
    """A clip that is to go."""

    seq: int
    bytes: int
    why: str                # age | space


def to_free_b(used_b: int, quota_b: int, free_b: int, total_b: int, floor_pct: float) -> int:
    """Bytes that have to go: over the quota (0: none) or under the free-space floor.

    Some more comes on top, so that it does not repeat at once.
    """
    over_b = used_b - quota_b if quota_b else 0
    under_b = int(total_b * floor_pct / 100) - free_b
    needed_b = max(over_b, under_b)
    return needed_b + min(256_000_000, max(total_b, 0) // 200) if needed_b > 0 else 0


def plan(clips: Iterable[Kept], policy: Policy, now_wall_ms: int | None) -> Iterator[Doomed]:
    """The clips that go, oldest first.

    `clips` come oldest first; `now_wall_ms` is None while the clock can't be trusted with deletion.
    Order is by sequence, never by the clock: a clock that jumped can't make new footage look old.
    """
    needed_b = policy.to_free_b
    for clip in clips:
        if now_wall_ms is not None and _too_old(clip, policy, now_wall_ms):
            why = "age"
        elif needed_b > 0:
            why = "space"
        else:
            continue
        needed_b -= clip.bytes
        yield Doomed(clip.seq, clip.bytes, why)


def _too_old(clip: Kept, policy: Policy, now_wall_ms: int) -> bool:
    limit_ms = policy.keep_ms if clip.kind == "motion" else policy.keep_continuous_ms
    return clip.clock != "unset" and now_wall_ms - clip.wall_ms > limit_ms
