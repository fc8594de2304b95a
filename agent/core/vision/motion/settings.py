"""The settings of motion: two numbers for people, and the method's own constants, each with its unit."""
from dataclasses import dataclass
from typing import Literal

Sensitivity = Literal["low", "normal", "high"]

# How each word changes the evidence a pixel needs, and the time a track must be watched.
_WORDS: dict[Sensitivity, tuple[float, float]] = {"low": (1.4, 1.6), "normal": (1.0, 1.0), "high": (0.8, 0.75)}

# A moving object rarely differs from what is behind it everywhere: about this share of it shows as changed.
_SHOWN_SHARE = 0.42


@dataclass(frozen=True, slots=True)
class MotionSettings:
    """Every constant of the detector. Lengths are pixels of the working picture, whose longer side is `work_px`.

    Contrast has no unit: it is brightness relative to the surroundings' brightness (see `picture.py`). Deviations are
    multiples of a pixel's own usual deviation of contrast.
    """

    # the picture
    work_px: int = 160                 # longer side of the picture that is analysed
    surround_px: int = 15              # side of the square that brightness is compared with
    dark_level: float = 12.0           # grey levels added to the surroundings, so that noise in the dark weighs less
    step_min_s: float = 0.04           # pictures that come faster than this are skipped
    gap_max_s: float = 12.0            # a longer gap means that the scene is learned anew; keyframes may be 10 s apart

    # a pixel
    grow_deviations: float = 2.8       # a changed pixel beside stronger ones
    seed_deviations: float = 5.5       # a pixel that is evidence by itself
    deviation_min: float = 0.022       # contrast that even a noiseless picture may wander
    shake_px: int = 2                  # how far leaves and a shaken camera move the background

    # learning
    learn_s: float = 3.3               # time constant of the background where nothing is seen
    calm_s: float = 1.0                # while nothing is going on, the scene is learned no more often than this
    learn_under_s: float = 25.0        # and under something that is seen
    relearn_s: float = 0.35            # and while settling
    doubt_s: float = 0.5               # a global change over sooner than this was a flash or a broken picture
    blank_s: float = 3.0               # and a grey picture, as after lost packets, sooner than this
    settle_s: float = 1.0              # silence after a global change
    views_max: int = 2                 # other views, such as by night, that are remembered
    view_age_s: float = 10.0           # once they have been learned for this long
    view_ask_share: float = 0.05       # with more than this share changed, they are asked,
    view_share: float = 0.25           # and one of which less than this share of that differs fits better
    start_s: float = 1.5               # silence after a start, a gap or a new picture size
    absorb_s: float = 4.0              # what changed and then kept still this long becomes background
    recent_s: float = 0.15             # time constant of "a moment ago"
    lately_s: float = 0.8              # and of "a while ago", which shows slower movements
    busy_grow_per_s: float = 0.6       # restlessness gained where changes stay unconfirmed: 1 doubles the thresholds
    busy_fade_per_s: float = 0.015     # and lost everywhere
    busy_max: float = 3.0              # highest restlessness
    busy_clutter: float = 4.0          # blobs a picture that belong to nothing, from which the scene is called busy
    global_share: float = 0.30         # share of the picture that no passing object changes at once
    frozen_s: float = 10.0             # pictures identical to the last bit for this long: the camera hangs

    # a blob
    blob_pct: float = 0.042            # smallest changed area, percent of the picture
    blobs_max: int = 24                # the strongest are looked at
    tracks_max: int = 40               # followed at a time

    # a track
    confirm_s: float = 0.3             # shortest time watched before it counts
    confirm_hits_n: int = 3            # and the fewest sightings
    clutter_s: float = 0.05            # more time for each blob that belongs to nothing
    travel_px: float = 2.2             # shortest way, plus
    travel_sizes: float = 0.12         # this many times its own size
    straight: float = 0.45             # net way over walked way
    overlap: float = 0.5               # share of the blob that was already changed in the picture before
    hollow_px: float = 20.0            # something this large may show its outline only, so its box is taken for it
    surprise_px: float = 1.0           # mean distance from where it was expected, plus
    surprise_sizes: float = 0.26       # this many times its own size
    speed_sizes_per_s: float = 2.0     # own sizes a second that no person and few vehicles reach, insects do
    fast_surprise: float = 0.3         # what is that fast may surprise by this share of what others may
    big_pct: float = 1.0               # percent of the picture from which a solid blob needs only `confirm_hits_n`
    big_solid: float = 0.5             # share of strong pixels in such a blob
    stay_s: float = 1.2                # something that moves in place this long counts too
    stay_overlap: float = 0.62         # with this overlap
    stay_busy_max: float = 0.8         # where the restlessness is no higher
    lost_s: float = 0.25               # unseen this long, an unconfirmed track ends
    lost_confirmed_s: float = 0.5      # and a confirmed one
    crisp_min: float = 0.78            # crispness of an object's edges over that of the scene's own, at the least
    rest_s: float = 0.7                # a confirmed object of which nothing has moved this long does not move
    shrink_s: float = 0.5              # time constant with which a box follows an object that shows less of itself
    hold_s: float = 0.7                # "moving" lasts this long after the last sight

    # somebody who stopped
    rest_sizes_per_s: float = 0.1      # a confirmed object slower than this, in own sizes, has come to rest
    walk_sizes_per_s: float = 0.4      # and walks again when faster than this
    stay_memory_s: float = 30.0        # its place is watched more closely for this long after the last movement
    sway_deviations: float = 1.6       # there a pixel counts that is this far from a while ago,
    sway_s: float = 0.15               # if enough of them do for this long
    left_s: float = 1.5                # walked out of, and as before for this long, it is forgotten

    @classmethod
    def for_people(cls, sensitivity: Sensitivity = "normal", smallest_pct: float = 0.1) -> "MotionSettings":
        """The settings behind the two that a household sees.

        `smallest_pct` is the smallest object that matters, in percent of the picture's area; as objects rarely show
        all of themselves, it is a size to choose by, not a sharp limit. Raises KeyError for an unknown word.
        """
        evidence, patience = _WORDS[sensitivity]
        usual = cls()
        return cls(
            grow_deviations=usual.grow_deviations * evidence,
            seed_deviations=usual.seed_deviations * evidence,
            confirm_s=usual.confirm_s * patience,
            stay_s=usual.stay_s * patience,
            blob_pct=smallest_pct * _SHOWN_SHARE,
            big_pct=max(usual.big_pct, smallest_pct),
        )
