"""Connected patches of change, strongest first."""
import cv2
import numpy as np

from agent.core.vision.motion.background import Change

_CORE_SHARE = 0.06          # of a patch's peak: smaller changes are the light around something bright
_MARKS = np.array([[kind & 1, kind >> 1 & 1, kind >> 2] for kind in range(8)])     # kind -> strong, moving, before

# One patch of changed pixels; lengths in pixels of the analysed picture: its box (left, top, right, bottom), centre,
# longer side and area. Of its pixels `strong` changed beyond doubt, `moving` differ from a moment ago, and `before` had
# changed in the picture before.
BLOB = np.dtype([("box", float, 4), ("at", float, 2),
                 *((name, float) for name in ("size", "area", "strong", "moving", "before"))])


def strong_min(area_min: int) -> int:
    """Returns how many pixels of a blob of at least `area_min` must have changed beyond doubt."""
    return max(2, area_min // 3)


def without_halos(change: Change) -> np.ndarray:
    """Returns the mask of changes (uint8 0/1) without pixels that changed little compared with the peak of their
    patch. In the dark, an insect's halo of three grey levels is a large change of contrast."""
    if not change.share:
        return change.mask
    mask, height = change.mask[change.window], change.height[change.window]
    least, most, *_ = cv2.minMaxLoc(height, mask)
    if least >= _CORE_SHARE * most:
        return change.mask
    n, labels = cv2.connectedComponents(mask, connectivity=8, ltype=cv2.CV_16U)
    changed = mask.view(bool)
    patch, height = labels[changed], height[changed]
    peaks = np.zeros(n, np.float32)
    np.maximum.at(peaks, patch, height)
    core = change.mask.copy()
    core[change.window][changed] = height >= _CORE_SHARE * peaks[patch]
    return core


def find_blobs(change: Change, core: np.ndarray, area_min: int, blobs_max: int) -> np.ndarray:
    """Returns the patches (BLOB) of `core` of at least `area_min` pixels with enough strong pixels, at most
    `blobs_max`."""
    window = change.window
    if not change.share or not cv2.countNonZero(change.strong[window].view(np.uint8)):
        return np.empty(0, BLOB)
    found = core[window]
    n, labels, stats, centres = cv2.connectedComponentsWithStats(found, connectivity=8, ltype=cv2.CV_16U)
    kind = change.strong[window].view(np.uint8) + 2 * change.moving[window].view(np.uint8) + 4 * change.before[window]
    marked_px = found.view(bool)
    code = labels[marked_px].astype(np.intp) * len(_MARKS) + kind[marked_px]
    marked = np.bincount(code, minlength=n * len(_MARKS)).reshape(n, -1) @ _MARKS
    strong = marked[:, 0]
    good = ((stats[:, cv2.CC_STAT_AREA] >= area_min) & (strong >= strong_min(area_min))).nonzero()[0]
    good = good[(-strong[good]).argsort(kind="stable")][:blobs_max]
    blobs = np.empty(len(good), BLOB)
    corner = window[1].start, window[0].start
    blobs["box"][:, :2] = stats[good, :2] + corner
    blobs["box"][:, 2:] = blobs["box"][:, :2] + stats[good, 2:4]
    blobs["size"], blobs["area"] = stats[good, 2:4].max(axis=1), stats[good, cv2.CC_STAT_AREA]
    blobs["at"] = centres[good] + corner
    blobs["strong"], blobs["moving"], blobs["before"] = marked[good].T
    return blobs
