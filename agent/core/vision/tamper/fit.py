"""Measures how much of a known view is present, and what replaces it: the numbers for the kinds of tampering."""
from typing import NamedTuple

import cv2
import numpy as np

from agent.core.vision.tamper.settings import TamperSettings
from agent.core.vision.tamper.sight import common, grid
from agent.core.vision.tamper.view import Lately, View

_TINY = 1e-9
_WITHIN = 255           # value of a cell without a pixel outside the limits


class Fit(NamedTuple):
    """The comparison of the picture with a view. Shares are of its structured cells, 0..1, unless noted otherwise."""

    known: bool                 # the view is known well enough
    structured: float           # of all cells: those with structure that can be lost
    lost: float                 # their structure is gone
    kept: float                 # their structure is in its place
    crisp: float                # of the lost ones: they have other detail
    outlined: float             # of the lost ones: something in them has a hard edge
    sharp: float                # power of the lasting detail in the lost ones, relative to the usual one
    patch: float                # lost, and not because it went dark there
    detail_left: float          # known detail where structure is left, relative to that structure
    detail_known: float         # power of the known detail there, relative to the usual detail with its noise
    detail_loss: float          # power of the missing detail there, relative to the known detail
    trace: float                # structure left in all cells together
    trace_deviations: float     # the same in multiples of the noise
    light: float                # change of the light, mean logarithm
    dark: bool                  # the whole picture is dark,
    lamplight: bool             # and by the camera's value it was never daylight
    white: float                # of the picture: blinded pixels
    white_rise: float           # of the picture: blinded pixels beyond the usual ones


def share(some: np.ndarray, of: np.ndarray) -> float:
    return float(np.count_nonzero(some & of) / max(1, np.count_nonzero(of)))


def ratio(part: np.ndarray, whole: np.ndarray, cells: np.ndarray) -> float:
    return float(part[cells].sum() / (whole[cells].sum() + _TINY))


def compare(now: Lately, view: View, s: TamperSettings) -> Fit:
    usual, there = common(view.edges, view.edges), common(now.edges, view.edges)
    larger = np.maximum(common(view.axes, view.axes), common(now.axes, now.axes))     # other edges are not similar
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
