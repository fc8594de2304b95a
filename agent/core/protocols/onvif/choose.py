"""Chooses a camera's streams: one to record, one for motion, and the rate of the latter.

It is separate from the messages because it is a decision.
"""
from collections.abc import Sequence

from agent.core.protocols.onvif.media import Profile

SUB_FPS = 5.0               # motion uses this rate; more pictures are decoded for nothing
SUB_WIDTH_LEAST_PX = 320    # in less, a person at the gate is a few pixels
PLAYABLE = ("h264", "h265")


def choose(profiles: Sequence[Profile]) -> list[tuple[Profile, Profile | None]]:
    """Returns the main profile and the sub-stream's for each picture of the device (a lens, or a recorder's channel).

    The main profile is the largest. The sub is the smallest usable one, H.264 before H.265, which costs more to
    decode. They never share an encoder, because slowing one would slow the other.
    """
    pictures: dict[str, list[Profile]] = {}
    for profile in profiles:
        if profile.encoder.codec in PLAYABLE:
            pictures.setdefault(profile.source, []).append(profile)
    return [_main_and_sub(of_one) for of_one in pictures.values()]


def _main_and_sub(profiles: list[Profile]) -> tuple[Profile, Profile | None]:
    main = max(profiles, key=lambda each: (_size_px(each), each.encoder.fps))
    smaller = [profile for profile in profiles if profile.encoder.token != main.encoder.token
               and _size_px(profile) < _size_px(main) and profile.encoder.width >= SUB_WIDTH_LEAST_PX]
    return main, min(smaller, key=lambda each: (PLAYABLE.index(each.encoder.codec), _size_px(each)), default=None)


def _size_px(profile: Profile) -> int:
    return profile.encoder.width * profile.encoder.height


def slower(now_fps: float, rates: Sequence[float]) -> float | None:
    """Returns the rate to set instead of `now_fps` (0: unknown): the lowest of `rates` that is enough for motion. None
    if the stream is slow enough, or if the camera has no slower rate."""
    enough = [rate for rate in rates if rate >= SUB_FPS]
    wanted = SUB_FPS if not rates else min(enough) if enough else max(rates)
    return None if 0 < now_fps <= wanted else wanted
