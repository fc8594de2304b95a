"""How large a picture, and with which x264 preset, a board can encode beside its other work. Pure.

The order is fixed: first the costly preset goes, then the size, and never the frame rate. No level is ever raised
again automatically, so that levels do not oscillate.
"""
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

PRESETS = ("superfast", "ultrafast")        # ultrafast takes half the time, and a third more bits for the same picture
WIDTHS_PX = (1920, 1280, 960, 640)
CORE_SHARE_MAX = 0.5                        # of the encoding core: some scenes cost more than the measured one
MACHINE_SHARE_MAX = 0.2                     # of all cores: motion, other cameras and the page need the rest
HARDWARE, HARDWARE_WIDTH_MAX_PX, HARDWARE_PIXELS_PER_S_MAX = "v4l2", 1920, 1920 * 1088 * 30     # Zero 2 W, 3 and 4
FULL_SHARE, BUSY_SHARE, LATE_SHARE = 0.9, 0.6, 0.9


@dataclass(frozen=True, slots=True)
class Level:
    """A way to encode."""

    encoder: str        # "v4l2", or "x264" with its preset: "x264 superfast"
    width: int
    height: int

    @property
    def preset(self) -> str:
        return self.encoder.partition(" ")[2]

    def stands_in(self, hardware: bool) -> bool:
        """Whether x264 replaces the board's own encoder (`hardware`: it has one), which has failed."""
        return hardware and self.encoder != HARDWARE

    def reduced_from(self, width: int, height: int) -> tuple[int, int] | None:
        """Returns the requested size if this level is smaller; else None."""
        return (width, height) if self.width * self.height < (width & ~1) * (height & ~1) else None


@dataclass(frozen=True, slots=True)
class EncodingWork:
    """The encoder's load over a period."""

    seconds: float      # the length of the period
    busy_s: float       # time in which the encoder worked
    frames_n: int       # encoded pictures


def ladder(width: int, height: int) -> tuple[Level, ...]:
    """Returns the levels of x264 for a picture of this size, best first."""
    sizes = _sizes(width, height)
    return (*(Level(f"x264 {preset}", *sizes[0]) for preset in PRESETS),
            *(Level(f"x264 {PRESETS[-1]}", *size) for size in sizes[1:]))


def first_fit(levels: Sequence[Level], fps: int, cores_n: int, cost_s: Mapping[str, float]) -> int:
    """Returns the index of the best level that fits, else the last. `cost_s`: core time a preset and million pixels."""
    share_max = min(CORE_SHARE_MAX, MACHINE_SHARE_MAX * cores_n)
    for index, level in enumerate(levels):
        if level.width * level.height / 1e6 * cost_s[level.preset] * fps <= share_max:
            return index
    return len(levels) - 1


def hardware_ladder(width: int, height: int, fps: int, others: Iterable[float] = ()) -> tuple[Level, ...]:
    """Returns the levels of the board's own encoder, best first, within its design limit of 1920x1080 at 30 fps.

    All cameras share that limit. `others` are the pixels a second that each other camera asks of it; what asks for less
    than an equal share leaves the rest to us.
    """
    left, waiting = float(HARDWARE_PIXELS_PER_S_MAX), sorted(others)
    while waiting and waiting[0] <= left / (len(waiting) + 1):
        left -= waiting.pop(0)
    share = left / (len(waiting) + 1)
    fits = [(wide, tall) for wide, tall in _sizes(width, height)
            if wide <= HARDWARE_WIDTH_MAX_PX and wide * tall * fps <= share]
    return tuple(Level(HARDWARE, *size) for size in fits or _sizes(width, height)[-1:])


def falls_behind(work: EncodingWork, fps: int) -> bool:
    """Whether an encoder is too slow: it works all the time, or most of the time while pictures are missing. Few
    pictures from an idle encoder are not its fault, because cameras slow down in the dark."""
    busy = work.busy_s / work.seconds
    return busy > FULL_SHARE or (busy > BUSY_SHARE and work.frames_n < LATE_SHARE * fps * work.seconds)


def _sizes(width: int, height: int) -> list[tuple[int, int]]:
    return [(width & ~1, height & ~1), *((wide, max(2, round(wide * height / width / 2) * 2))
                                         for wide in WIDTHS_PX if wide < width & ~1)]
