"""Chooses a camera's streams: one to record, one for motion, and the rate that the latter needs."""
from collections.abc import Sequence

from agent.core.protocols.onvif.media import Profile

SUB_FPS = 5.0               # what motion looks at; every further picture is decoded for nothing
SUB_WIDTH_LEAST_PX = 320    # a person at the gate is a few pixels in less
PLAYABLE = ("h264", "h265")


def choose(profiles: Sequence[Profile]) -> list[tuple[Profile, Profile | None]]:
    """For each picture that the device has (a lens, or a recorder's channel): its main profile and its sub-stream's.

    Main is the largest picture; sub the smallest that still shows something, H.264 before H.265, which costs more to
    decode. The two never share an encoder: slowing the one would slow the other.
    """
    pictures: dict[str, list[Profile]] = {}
    for each in profiles:
        if each.encoder.codec in PLAYABLE:
            pictures.setdefault(each.source, []).append(each)
    return [_main_and_sub(of_one) for of_one in pictures.values()]


def _main_and_sub(profiles: list[Profile]) -> tuple[Profile, Profile | None]:
    main = max(profiles, key=lambda each: (_size_px(each), each.encoder.fps))
    smaller = [each for each in profiles if each.encoder.token != main.encoder.token
               and _size_px(each) < _size_px(main) and each.encoder.width >= SUB_WIDTH_LEAST_PX]
    return main, min(smaller, key=lambda each: (PLAYABLE.index(each.encoder.codec), _size_px(each)), default=None)


def _size_px(profile: Profile) -> int:
    return profile.encoder.width * profile.encoder.height


def slower(now_fps: float, rates: Sequence[float]) -> float | None:
    """The rate to set instead of `now_fps` (0: unknown): the least of `rates` that motion is content with.

    None where the stream is slow enough, or the camera knows none that is slower.
    """
    enough = [rate for rate in rates if rate >= SUB_FPS]
    wanted = SUB_FPS if not rates else min(enough) if enough else max(rates)
    return None if 0 < now_fps <= wanted else wanted
