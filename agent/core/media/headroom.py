"""How large a picture, and by which preset of x264, a board can encode beside its other work. Pure.

The order is fixed: first the costly preset goes, then the size; the frame rate never. Nothing ever goes up again by
itself, so that nothing goes up and down.
"""
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

PRESETS = ("superfast", "ultrafast")        # ultrafast takes half the time, and a third more bits for the same picture
WIDTHS_PX = (1920, 1280, 960, 640)
CORE_SHARE_MAX = 0.5                        # of the core that encodes: some scenes are worse than what was measured
MACHINE_SHARE_MAX = 0.2                     # of all cores: motion, other cameras and the page want theirs
HARDWARE, HARDWARE_WIDTH_MAX_PX, HARDWARE_PIXELS_PER_S_MAX = "v4l2", 1920, 1920 * 1088 * 30     # Zero 2 W, 3 and 4
FULL_SHARE, BUSY_SHARE, LATE_SHARE = 0.9, 0.6, 0.9


@dataclass(frozen=True, slots=True)
class Level:
    """One way to encode."""

    encoder: str        # "v4l2", or "x264" with its preset: "x264 superfast"
    width: int
    height: int

    @property
    def preset(self) -> str:
        """x264's preset; "" for the hardware."""
        return self.encoder.partition(" ")[2]

    def stands_in(self, hardware: bool) -> bool:
        """Whether x264 does what the board's own encoder, where it has one (`hardware`), has failed to do."""
        return hardware and self.encoder != HARDWARE

    def reduced_from(self, width: int, height: int) -> tuple[int, int] | None:
        """The size that was asked for, if this is less of a picture."""
        return (width, height) if self.width * self.height < (width & ~1) * (height & ~1) else None


@dataclass(frozen=True, slots=True)
class EncodingWork:
    """What encoding took over a while."""

    seconds: float      # how long the while was
    busy_s: float       # how much of it the encoder was at work
    frames_n: int       # pictures that it got through


def ladder(width: int, height: int) -> tuple[Level, ...]:
    """The levels of x264 for a picture of this size, best first."""
    sizes = _sizes(width, height)
    return (*(Level(f"x264 {preset}", *sizes[0]) for preset in PRESETS),
            *(Level(f"x264 {PRESETS[-1]}", *size) for size in sizes[1:]))


def first_fit(levels: Sequence[Level], fps: int, cores_n: int, cost_s: Mapping[str, float]) -> int:
    """The index of the best level that fits; the last one's if none does.

    `cost_s` is what each preset takes of one core for a million pixels.
    """
    share_max = min(CORE_SHARE_MAX, MACHINE_SHARE_MAX * cores_n)
    for index, level in enumerate(levels):
        if level.width * level.height / 1e6 * cost_s[level.preset] * fps <= share_max:
            return index
    return len(levels) - 1


def hardware_ladder(width: int, height: int, fps: int) -> tuple[Level, ...]:
    """The levels of the board's own encoder, best first: at most what it is made for, 1920x1080 at 30 a second."""
    fits = [(wide, tall) for wide, tall in _sizes(width, height)
            if wide <= HARDWARE_WIDTH_MAX_PX and wide * tall * fps <= HARDWARE_PIXELS_PER_S_MAX]
    return tuple(Level(HARDWARE, *size) for size in fits or _sizes(width, height)[-1:])


def falls_behind(work: EncodingWork, fps: int) -> bool:
    """Whether an encoder can't keep up: it is always at work, or much of the time while pictures go missing.

    Few pictures from an idle encoder are not its fault: cameras slow down in the dark.
    """
    busy = work.busy_s / work.seconds
    return busy > FULL_SHARE or (busy > BUSY_SHARE and work.frames_n < LATE_SHARE * fps * work.seconds)


def _sizes(width: int, height: int) -> list[tuple[int, int]]:
    """The size itself and the smaller ones of its shape, all even."""
    return [(width & ~1, height & ~1), *((wide, max(2, round(wide * height / width / 2) * 2))
                                         for wide in WIDTHS_PX if wide < width & ~1)]
