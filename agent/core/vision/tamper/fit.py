"""How much of a known view is there now, and what is in its place: the numbers that the kinds are told from."""
from typing import NamedTuple

import cv2
import numpy as np

from agent.core.vision.tamper.lately import Lately
from agent.core.vision.tamper.settings import TamperSettings
from agent.core.vision.tamper.sight import common, grid
from agent.core.vision.tamper.view import View

_TINY = 1e-9
_WITHIN = 255           # what a cell shows in which no pixel is outside


class Fit(NamedTuple):
    """The comparison of the picture with a view. Shares are of its structured cells, 0..1, unless told otherwise."""

    known: bool                 # the view is known well enough to be missed
    structured: float           # of all cells: those with structure that can be missed
    lost: float                 # their structure is gone
    kept: float                 # their structure is in its place
    crisp: float                # of the lost ones: there is other detail in them
    outlined: float             # of the lost ones: something in them has a hard edge
    sharp: float                # power of the lasting detail in the lost ones, of what was there
    patch: float                # they are lost, and not because it went dark there
    detail_left: float          # known detail where structure is left, of that structure
    detail_known: float         # power of the known detail there, of all that is usual with its noise
    detail_loss: float          # power of the detail that is missing there, of that of the known detail
    trace: float                # structure left in all cells together
    trace_deviations: float     # how many times the noise that is
    light: float                # how much the light has changed, mean logarithm
    dark: bool                  # the whole picture is dark,
    lamplight: bool             # and the camera says that it was never daylight
    white: float                # of the picture: blinded pixels
    white_rise: float           # of the picture: blinded pixels where there are none usually


def share(some: np.ndarray, of: np.ndarray) -> float:
    """The share of the cells `of` that are `some`; 0 without cells."""
    return float(np.count_nonzero(some & of) / max(1, np.count_nonzero(of)))


def ratio(part: np.ndarray, whole: np.ndarray, cells: np.ndarray) -> float:
    """Sum of `part` over that of `whole` in these cells."""
    return float(part[cells].sum() / (whole[cells].sum() + _TINY))


def compare(now: Lately, view: View, s: TamperSettings) -> Fit:
    """Compare the present picture with `view`."""
    usual, there = common(view.edges, view.edges), common(now.edges, view.edges)
    larger = np.maximum(common(view.axes, view.axes), common(now.axes, now.axes))     # other edges are no likeness
    left = np.maximum(there / (usual + _TINY), common(now.axes, view.axes) / (larger + _TINY))
    structured = (usual > s.structure_min ** 2) & (usual > s.structure_noise * now.edge_noise)
    lost, kept = structured & (left < s.lost), structured & (left > s.kept)
    remains = structured & ~lost
    known, detail = view.detail(), now.detail()
    typical = known[structured].sum() / max(1, np.count_nonzero(structured))
    faded = (now.levels < s.dark) & (view.levels < s.lit)
    light = np.log((now.levels + s.dark_level) / (view.levels + s.dark_level))
    noise = now.noise_left * now.edge_noise * usual / 2 * view.cell_n
    return Fit(
        known=view.ready,
        structured=np.count_nonzero(structured) / structured.size,
        lost=share(lost, structured),
        kept=share(kept, structured),
        crisp=share(detail > s.crisp * typical, lost),
        outlined=share(grid(cv2.inRange(now.fine, -s.outline, s.outline)) < _WITHIN, lost),
        sharp=ratio(detail, known, lost),
        patch=share(lost & ~faded, structured),
        detail_left=ratio(common(now.fine, view.fine), known * np.minimum(left, 1), remains),
        detail_known=ratio(known, view.power, remains),
        detail_loss=ratio(view.power - now.power, known, remains),
        trace=ratio(there, usual, structured),
        trace_deviations=float((there * view.cell_n)[structured].sum() / np.sqrt(noise[structured].sum() + _TINY)),
        light=cv2.mean(cv2.absdiff(light, 0))[0],
        dark=cv2.mean(now.levels)[0] < s.dark,
        lamplight=view.lux is not None and view.lux < s.daylight_lux,
        white=cv2.mean(now.white)[0],
        white_rise=cv2.mean(cv2.max(now.white - view.white, 0))[0],
    )
