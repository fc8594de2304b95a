"""Which tracks are objects: the rules, one function each. All lengths in pixels of the analysed picture."""
from math import exp

from agent.core.vision.motion.settings import MotionSettings
from agent.core.vision.motion.track import Track

_CLOSE_S = 0.1            # pictures this close in time overlap as the settings ask
_OVERLAP_FADE_S = 0.5     # with more time between them, less can be asked
_SLOW_S = 0.15            # pictures this far apart in time show more of the way: a big blob needs one sight less
_BIG_OVERLAP = 0.9        # a big solid blob needs this much of the overlap the others need
_BIG_FAST = 2.0           # and may be so many times faster
_FAST = 1.5               # what is so many times faster than people has to hold a line
_HIDDEN_PX = 1.0          # what the background's tolerance hides of its length
_OWN_UNREST = 0.5         # what waits makes its own place restless, by this share of what a place can gain meanwhile
_ROUNDING_S = 0.01        # times are sums of fractions
_IN_SIGHT_SHARE = 0.75    # what stays in place has been in sight for this share of its life


def is_object(t: Track, restless: float, clutter: float, now_mono_s: float, dt_s: float, s: MotionSettings) -> bool:
    """True if the track has shown itself to be an object.

    `restless` is how restless its place is (0..busy_max), `clutter` how many blobs a picture belong to nothing,
    `dt_s` the time since the picture before.
    """
    big = _is_big(t, s)
    if t.hits_n < s.confirm_hits_n - (big and dt_s > _SLOW_S):
        return False
    overlap_min = s.overlap * exp(-max(0.0, dt_s - _CLOSE_S) / _OVERLAP_FADE_S)
    age_s = now_mono_s - t.born_mono_s + _ROUNDING_S
    if big and t.overlap > _BIG_OVERLAP * overlap_min and not _is_fast(t, age_s, _BIG_FAST, s):
        return True
    if age_s < s.confirm_s + s.clutter_s * clutter:
        return False
    return (t.overlap > overlap_min and _travels(t, restless, age_s, s)) or _stays(t, restless, age_s, now_mono_s, s)


def buzzes(t: Track, now_mono_s: float, s: MotionSettings) -> bool:
    """True for a confirmed track that turned out to be fast for its size and to turn: an insect near the lens."""
    return _is_fast(t, now_mono_s - t.born_mono_s, 1.0, s) and t.surprise_px > _surprise_max_px(t, s)


def is_slow(t: Track, now_mono_s: float, s: MotionSettings) -> bool:
    """True for what walks."""
    return not _is_fast(t, now_mono_s - t.born_mono_s, 1.0, s)


def _surprise_max_px(t: Track, s: MotionSettings) -> float:
    return s.surprise_px + s.surprise_sizes * t.size_px


def _is_fast(t: Track, age_s: float, times: float, s: MotionSettings) -> bool:
    return t.path_px > times * s.speed_sizes_per_s * age_s * (t.size_px + _HIDDEN_PX)


def _is_big(t: Track, s: MotionSettings) -> bool:
    return t.blob.share > s.big_pct / 100 and t.blob.strong_n > s.big_solid * t.blob.area


def _travels(t: Track, restless: float, age_s: float, s: MotionSettings) -> bool:
    """Far enough for its size, straight enough, and where it was expected; what is fast has to show that on a line."""
    surprise_max_px = _surprise_max_px(t, s) * (s.fast_surprise if _is_fast(t, age_s, 1.0, s) else 1.0)
    others = max(0.0, restless - _OWN_UNREST * s.busy_grow_per_s * age_s)
    way_min_px = (s.travel_px + s.travel_sizes * t.size_px) * (1 + others)
    return (not _is_fast(t, age_s, _FAST, s) and t.net_px > way_min_px and t.net_px > s.straight * t.path_px
            and t.surprise_px < surprise_max_px)


def _stays(t: Track, restless: float, age_s: float, now_mono_s: float, s: MotionSettings) -> bool:
    """Keeps moving in one place that is calm otherwise."""
    return (age_s > s.stay_s and now_mono_s - t.moved_mono_s < s.rest_s
            and t.overlap > s.stay_overlap and restless < s.stay_busy_max
            and t.unbroken_s > _IN_SIGHT_SHARE * age_s and not _is_fast(t, age_s, 1.0, s))
