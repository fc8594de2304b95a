"""The constants of the tamper watch, each with its unit."""
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TamperSettings:
    """Every constant of the watch. Shares are of the cells of a coarse grid that have structure, unless told otherwise.

    Contrast is the logarithm of brightness, so a step of 0.05 is an edge of about 5 %.
    """

    # the picture
    fine_px: int = 320                 # longer side of the picture in which detail is judged
    coarse_px: int = 80                # and of the one in which it is judged what is in its place
    dark_level: float = 12.0           # grey levels added before the logarithm, so that noise in the dark weighs less
    look_s: float = 0.9                # pictures that come sooner after a look are not looked at
    key_look_s: float = 0.3            # likewise, for the first picture on another keyframe
    calm_look_s: float = 3.9           # the same two while all is as usual in a view learned for `learn_s`
    calm_key_look_s: float = 2.4
    gap_max_s: float = 60.0            # after a longer gap what was seen lately no longer counts; the views do
    lately_s: float = 2.5              # time constant of what is seen now

    # learning
    learn_s: float = 120.0             # time constant of a view
    ready_s: float = 20.0              # a view younger than this misses nothing
    ready_looks_n: int = 10            # nor one seen less often
    views_max: int = 4                 # lights (day, night, lamps) in which the view is known
    odd_s: float = 40.0                # what does not fit becomes a view of its own after so long without a suspicion
    odd_lost: float = 0.15             # it does not fit if more cells than this are lost,
    odd_kept: float = 0.60             # fewer are in their place,
    odd_detail: float = 0.75           # or less of the detail is left
    adopt_s: float = 600.0             # a new view that has been stable for this long is the usual one

    # a cell
    structure_min: float = 0.012       # contrast of the edges in a cell that has structure
    structure_noise: float = 1.0       # and how many times the power of the noise theirs must be
    lost: float = 0.25                 # structure weaker than this share of the usual is lost,
    kept: float = 0.60                 # and from this on it is in its place
    crisp: float = 0.20                # detail in a cell, of what is usual in the picture, that makes it crisp
    outline: float = 0.10              # contrast of a pixel with its neighbours at a hard edge
    dark: float = 28.0                 # grey levels below which a cell is dark
    lit: float = 90.0                  # grey levels from which a cell was well lit
    white: int = 250                   # grey level from which a pixel is blinded

    # the kinds
    judge_min: float = 0.15            # structured cells, of all, without which nothing can be missed
    ease: float = 0.8                  # of these limits is enough while something holds
    covered: float = 0.70              # lost cells,
    covered_kept_max: float = 0.13     # and no more than this left in their place
    other_crisp: float = 0.10          # crisp cells among the lost ones, and
    other_sharp: float = 0.08          # detail in them, of what was there, that make it another view and no cover
    moved: float = 0.55                # lost cells where there is another view,
    moved_kept_max: float = 0.25       # and those left in their place; something in front of the camera leaves more
    turned: float = 0.35               # a little turn loses fewer,
    turned_kept_max: float = 0.33      # and either leaves no more than this
    turned_detail: float = 0.40        # or less than this of the detail where structure seems to be in its place,
    turned_crisp: float = 0.20         # while the lost cells are as crisp as this
    sprayed: float = 0.28              # lost cells
    sprayed_patch: float = 0.24        # and those of them that have not just gone dark
    sprayed_crisp_max: float = 0.18    # crisp ones among the lost; more is an object before the camera,
    sprayed_sharp_max: float = 0.15    # detail in them, of what was there,
    sprayed_outlined_max: float = 0.32 # and outlined ones among them
    detail_known: float = 0.10         # detail, of the usual with its noise, without which none can be missed
    detail_left: float = 0.68          # detail, of the structure that is left, below which it is out of focus,
    detail_loss: float = 0.55          # if the picture has lost so much of the known detail in all
    same_light: float = 0.30           # and the light has changed by no more than this, mean logarithm
    trace: float = 0.04                # structure left in the dark that tells night from a lid,
    trace_deviations: float = 5.0      # and how many times the noise it must be
    daylight_lux: float = 200.0        # what the camera tells: it was lamplight that went out, if it was less
    blinded: float = 0.60              # white pixels of the picture,
    blinded_rise: float = 0.30         # this many more than usual
    glare_rise: float = 0.05           # a lamp in the picture: this many more than usual,
    glare_kept_max: float = 0.40       # no more cells than this in their place,
    glare_crisp_max: float = 0.30      # and fewer crisp ones among the lost, for another view may have its own white

    # time
    covered_s: float = 8.0             # how long it must hold to be told
    sprayed_s: float = 14.0
    moved_s: float = 10.0
    defocused_s: float = 14.0
    blinded_s: float = 12.0            # headlights pass in less
    frozen_s: float = 15.0             # identical to the last bit
    still_s: float = 22.0              # or without any noise
    looks_min_n: int = 4               # looks in that time, at least
    normal_s: float = 10.0             # how long it must be absent until it is over

    # a hanging picture
    stirred: float = 0.12              # pixels that an encoder may change by a little,
    overlay: float = 0.03              # and those that a clock in the picture may change by more
    witness_low: int = 24              # only grey levels between these tell anything: black and white have no noise
    witness_high: int = 235
    witness_min: float = 0.20          # share of the pixels that must be such
