"""The constants of the tamper watch, each with its unit."""
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TamperSettings:
    """Every constant of the watch. Shares are of the structured cells of a coarse grid, unless noted otherwise.
    Contrast is the logarithm of brightness, so a step of 0.05 is an edge of about 5 %."""

    # the picture
    fine_px: int = 320                 # longer side of the picture for detail
    coarse_px: int = 80                # longer side of the picture for structure
    dark_level: float = 12.0           # grey levels added before the logarithm, so that noise in the dark counts less
    look_s: float = 0.9                # pictures that come sooner after a look are skipped
    key_look_s: float = 0.3            # the same, for the first picture after another keyframe
    calm_look_s: float = 3.9           # the same two while all is as usual in a view learned for `learn_s`
    calm_key_look_s: float = 2.4
    gap_max_s: float = 60.0            # after a longer gap the recent sights are dropped; the views are kept
    lately_s: float = 2.5              # time constant of the present view

    # learning
    learn_s: float = 120.0             # time constant of a view
    ready_s: float = 20.0              # a younger view is not used
    ready_looks_n: int = 10            # nor one seen less often
    views_max: int = 4                 # lights (day, night, lamps) in which the view is known
    odd_s: float = 40.0                # a misfit becomes a view after this time without a suspicion
    odd_lost: float = 0.15             # it is a misfit if more cells than this are lost,
    odd_kept: float = 0.60             # fewer are in their place,
    odd_detail: float = 0.75           # or less of the detail is left
    adopt_s: float = 600.0             # a new view that was stable for this long becomes the usual one

    # a cell
    structure_min: float = 0.012       # contrast of the edges in a cell with structure
    structure_noise: float = 1.0       # least power of the edges, in multiples of the noise
    lost: float = 0.25                 # weaker structure than this share of the usual is lost,
    kept: float = 0.60                 # and from this share on it is in its place
    crisp: float = 0.20                # detail of a crisp cell, relative to the picture's usual detail
    outline: float = 0.10              # contrast of a pixel with its neighbours at a hard edge
    dark: float = 28.0                 # grey levels below which a cell is dark
    lit: float = 90.0                  # grey levels from which a cell was well lit
    white: int = 250                   # grey level from which a pixel is blinded

    # the kinds
    judge_min: float = 0.15            # without this many structured cells, of all, nothing can be missed
    ease: float = 0.8                  # factor for these limits while a tampering lasts
    covered: float = 0.70              # lost cells,
    covered_kept_max: float = 0.13     # and at most this many in their place
    other_crisp: float = 0.10          # crisp cells among the lost ones, and
    other_sharp: float = 0.08  # their detail, relative to the usual: from here on it is another view, not a cover
    moved: float = 0.55                # lost cells with another view,
    moved_kept_max: float = 0.25       # and at most this many in their place; an object before the camera leaves more
    turned: float = 0.35               # a small turn loses fewer,
    turned_kept_max: float = 0.33      # and leaves at most this many in their place
    turned_detail: float = 0.40        # or less than this detail where structure seems to be in its place,
    turned_crisp: float = 0.20         # while this many of the lost cells are crisp
    sprayed: float = 0.28              # lost cells
    sprayed_patch: float = 0.24        # and lost ones that have not just gone dark
    sprayed_crisp_max: float = 0.18    # crisp ones among the lost; more means an object before the camera,
    sprayed_sharp_max: float = 0.15    # their detail, relative to the usual,
    sprayed_outlined_max: float = 0.32 # and outlined ones among them
    detail_known: float = 0.10         # known detail, of the usual with its noise; with less nothing can be missed
    detail_left: float = 0.68          # detail, relative to the remaining structure; with less it is out of focus,
    detail_loss: float = 0.55          # if the picture has lost this much of the known detail
    same_light: float = 0.30           # and the light has changed at most this much, mean logarithm
    trace: float = 0.04                # structure left in the dark: with more it is night, not a lid,
    trace_deviations: float = 5.0      # if it exceeds the noise this many times
    daylight_lux: float = 200.0        # the camera's value: with less, a lamp went out
    blinded: float = 0.60              # white pixels of the picture,
    blinded_rise: float = 0.30         # this many more than usual
    glare_rise: float = 0.05           # a lamp in the picture: this many more than usual,
    glare_kept_max: float = 0.40       # at most this many cells in their place,
    glare_crisp_max: float = 0.30  # and fewer crisp ones among the lost, because another view may have its own white

    # time
    covered_s: float = 8.0             # it must last this long before a report
    sprayed_s: float = 14.0
    moved_s: float = 10.0
    defocused_s: float = 14.0
    blinded_s: float = 12.0            # headlights pass in less time
    frozen_s: float = 15.0             # identical to the last bit
    still_s: float = 22.0              # or without noise
    looks_min_n: int = 4               # at least this many looks in that time
    normal_s: float = 10.0             # it must be absent this long before it ends

    # a hanging picture
    stirred: float = 0.12              # limit for pixels that an encoder changes a little,
    overlay: float = 0.03              # and for those that a clock in the picture changes more
    witness_low: int = 24              # only grey levels between these count, because black and white have no noise
    witness_high: int = 235
    witness_min: float = 0.20          # least share of such pixels
