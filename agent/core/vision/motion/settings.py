"""The settings of motion: two for people, and the method's own constants, each with its unit."""
from dataclasses import dataclass
from typing import Literal

Sensitivity = Literal["low", "normal", "high"]

# For each word: a factor of the evidence that a pixel needs, and the log odds that an object needs.
_WORDS: dict[Sensitivity, tuple[float, float]] = {"low": (1.4, 1.5), "normal": (1.0, 0.5), "high": (0.8, 0.0)}

# A moving object rarely differs everywhere from the background: about this share of it shows as changed.
_SHOWN_SHARE = 0.42


@dataclass(frozen=True, slots=True)
class MotionSettings:
    """Every constant of the detector. Lengths are pixels of the working picture, whose longer side is `work_px`.

    Contrast has no unit: it is brightness relative to that of the surroundings (see `picture.py`). Deviations are
    multiples of a pixel's own usual deviation of contrast.
    """

    # the picture
    work_px: int = 160                 # longer side of the analysed picture
    surround_px: int = 15              # side of the square of surroundings for the contrast
    dark_level: float = 12.0           # grey levels added to the surroundings, so that noise in the dark counts less
    step_min_s: float = 0.04           # pictures that come faster than this are skipped
    gap_max_s: float = 12.0            # after a longer gap the scene is learned again; keyframes may be 10 s apart

    # a pixel
    grow_deviations: float = 2.8       # limit for a changed pixel beside stronger ones
    seed_deviations: float = 5.5       # limit for a pixel that is evidence by itself
    deviation_min: float = 0.022       # variation of contrast even without noise
    shake_px: int = 2                  # how far leaves and a shaken camera move the background

    # learning
    learn_s: float = 3.3               # time constant of the background where nothing is visible
    calm_s: float = 1.0                # shortest interval of learning while nothing is going on,
    calm_max_s: float = 1.25           # and the longest time for which one look may count
    learn_under_s: float = 25.0        # the same under visible things
    relearn_s: float = 0.35            # the same while settling
    doubt_s: float = 0.5               # a global change that ends sooner was a flash or a broken picture
    blank_s: float = 3.0               # a grey picture, as after lost packets, that ends sooner is ignored
    settle_s: float = 1.0              # silence after a global change
    views_max: int = 2                 # remembered other views, such as by night
    view_age_s: float = 10.0           # least time of learning for a remembered view
    view_ask_share: float = 0.05       # with more than this share changed, they are compared,
    view_share: float = 0.25           # and one with less than this share of the difference fits better
    start_s: float = 1.5               # silence after a start, a gap or a new picture size
    absorb_s: float = 4.0              # a changed thing that kept still this long becomes background
    recent_s: float = 0.15             # time constant of "a moment ago"
    lately_s: float = 0.8              # time constant of "a while ago", which shows slower movements
    busy_grow_per_s: float = 0.6       # restlessness gained at unconfirmed changes: 1 doubles the thresholds
    busy_fade_per_s: float = 0.015     # restlessness lost everywhere
    busy_max: float = 3.0              # highest restlessness
    busy_clutter: float = 4.0          # unexplained blobs in a picture that make the scene busy
    global_share: float = 0.30         # share of the picture that no passing object changes at once
    frozen_s: float = 10.0             # identical pictures for this long: the camera hangs

    # a blob
    blob_pct: float = 0.042            # smallest changed area, percent of the picture
    blobs_max: int = 24                # limit; the strongest are used
    tracks_max: int = 40               # limit of followed tracks

    # a track
    certainty: float = 0.5             # log odds from which it is an object
    doubt: float = 2.0                 # it stops being one if they fall this far below that
    lost_s: float = 0.25               # an unconfirmed track ends after this time without a sight
    lost_confirmed_s: float = 0.5      # and a confirmed one after this
    rest_s: float = 0.7                # a confirmed object without motion for this long does not move
    shrink_s: float = 0.5              # time constant with which a box follows an object that shows less of itself
    hold_s: float = 0.7                # "moving" lasts this long after the last sight

    # a person who stopped
    rest_sizes_per_s: float = 0.1      # a confirmed object slower than this, in own sizes, has come to rest
    walk_sizes_per_s: float = 0.4      # and walks again if it is faster than this
    stay_memory_s: float = 30.0        # its place is watched more closely for this long after the last movement
    sway_deviations: float = 1.6       # there a pixel counts that is this far from a while ago,
    sway_s: float = 0.15               # if enough of them do for this long
    left_s: float = 1.5                # after its person has left and it looks as before for this long, it is forgotten

    @classmethod
    def for_people(cls, sensitivity: Sensitivity = "normal", smallest_pct: float = 0.1) -> "MotionSettings":
        """Returns the settings from the two that a household sees.

        `smallest_pct` is the smallest object that matters, in percent of the picture's area. Objects rarely show
        completely, so it is not a sharp limit. Raises KeyError for an unknown word.
        """
        evidence, certainty = _WORDS[sensitivity]
        usual = cls()
        return cls(
            grow_deviations=usual.grow_deviations * evidence,
            seed_deviations=usual.seed_deviations * evidence,
            certainty=certainty,
            blob_pct=smallest_pct * _SHOWN_SHARE,
        )
