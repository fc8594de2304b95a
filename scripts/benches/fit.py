"""Fits the weights of motion's verdict to what the detector judged: see `scripts/bench motion --fit`.

Every judged sight of a track is a row: its measures, and whether it was a real object's. An event needs one sight that
is sure early on, and two quiet seconds need none. So of an event or of quiet seconds mostly the surest row counts: a
logistic regression over bags (Maron and Lozano-Perez, A framework for multiple-instance learning, 1998), by Adam
(Kingma and Ba, 2015), without any random number. The detector runs again with what was fitted, since its verdicts
change what it sees next.
"""
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from agent.config.motion import as_set
from agent.core.vision.luma import Luma
from agent.core.vision.motion import weights
from agent.core.vision.motion.detector import Detector
from agent.core.vision.motion.verdict import MEASURES, Verdict
from scripts.benches.clips import CAMERA, decoded, thinned, truth_of
from scripts.benches.drawn import SCENES, scene
from scripts.benches.plan import tell
from scripts.benches.score import WARM_UP_S, Report, Score, quiet_frames, real_events, score_clip, total

ROUNDS_N, FOLDS_N = 2, 5
STEPS_N, RATE, SLOWER_FROM = 900, 0.03, 0.7         # of Adam; the last part of the steps goes at a third of the rate
KEPT = 0.9, 0.99
SHRINK = 1.0                # weight of the squared weights
WARM_N, AGAIN_N = 100, 25   # all rows count alike at first; then their shares are found anew after so many steps
SOFT, EVEN = 2.0, 0.3       # log odds by which rows of a bag differ clearly; the share that all its rows have alike
EARLY_S, LATE_WORTH = 2.5, 0.1      # of an event: what comes later is worth less
BAG_S = 2.0
BESIDE, BESIDE_PX = 0.35, 0.02      # so near an object, in its sizes and in pictures, a patch may belong to it
INSIDE = 0.5                # share of a patch inside a real object's box that makes it one
USUAL_MAX = 4.0


class Rows(NamedTuple):
    """Judged sights; all arrays have the same length."""

    measures: np.ndarray        # shape (n, len(MEASURES))
    real: np.ndarray            # bool
    bag: np.ndarray             # rows of one event, or of the same quiet seconds, have the same number
    early: np.ndarray           # bool

    @classmethod
    def joined(cls, parts: Sequence["Rows"]) -> "Rows":
        """All of them, their bags kept apart."""
        apart = np.cumsum([0, *(part.bag.max(initial=-1) + 1 for part in parts)])
        numbered = [part._replace(bag=part.bag + first) for part, first in zip(parts, apart, strict=False)]
        return cls(*(np.concatenate(column) for column in zip(*numbered, strict=True)))


def rows_of(detector: Detector, lumas: Iterable[Luma], truth: dict) -> tuple[Rows, list[Report]]:
    """What a detector judges in a clip, with the clip's truth, and what it reports, without boxes. What may or may not
    be real is left out."""
    labels, fps = np.array(truth["labels"]), truth["fps"]
    quiet, events = quiet_frames(labels, fps), real_events(truth)
    measures, real, bag, early, said = [np.empty((0, len(MEASURES)))], [], [], [], []
    for luma in lumas:
        said.append(Report(luma.mono_s, detector.step(luma).moving))
        judged = detector.judged()
        frame = min(len(labels) - 1, max(0, round(luma.mono_s * fps)))
        if judged is None or luma.mono_s < WARM_UP_S:
            continue
        known = _known(judged.boxes, frame, quiet[frame], truth)
        event = next((k for k, (first, last) in enumerate(events) if first <= frame <= last), None)
        keep = (known == 0) | ((known == 1) & (event is not None))
        measures.append(judged.measures[keep])
        for one in known[keep].tolist():
            real.append(one == 1)
            bag.append(2 * event + 1 if one == 1 else 2 * int(luma.mono_s / BAG_S))
            early.append(one == 0 or (frame - events[event][0]) / fps < EARLY_S)
    return Rows(np.concatenate(measures), np.array(real, bool), np.array(bag, int), np.array(early, bool)), said


def _known(boxes: np.ndarray, frame: int, quiet: bool, truth: dict) -> np.ndarray:
    """1 for each box (fractions) on a real object, 0 for one that is certainly none, -1 otherwise."""
    if quiet:
        return np.zeros(len(boxes), int)
    known = np.full(len(boxes), -1)
    there = truth["boxes"][frame] if truth["labels"][frame] == 1 and truth["boxes"] else []
    if not there:
        return known
    x, y, w, h = (np.array(there, float) / ([truth["width"], truth["height"]] * 2)).T
    left, top, right, bottom = boxes.T[:, :, None]
    met = (np.clip(np.minimum(right, x + w) - np.maximum(left, x), 0, None)
           * np.clip(np.minimum(bottom, y + h) - np.maximum(top, y), 0, None)) / ((right - left) * (bottom - top))
    wide, tall = BESIDE * w + BESIDE_PX, BESIDE * h + BESIDE_PX
    near = (left < x + w + wide) & (right > x - wide) & (top < y + h + tall) & (bottom > y - tall)
    known[~near.any(axis=1)] = 0
    known[(met > INSIDE).any(axis=1)] = 1
    return known


def fitted(rows: Rows) -> dict[str, list[float]]:
    """The document for `Verdict` that suits the rows best."""
    usual, spread = rows.measures.mean(axis=0), rows.measures.std(axis=0) + 1e-6
    off = np.clip((rows.measures - usual) / spread, -USUAL_MAX, USUAL_MAX)
    seen = np.column_stack((off, np.maximum(off, 0.0), np.ones(len(off))))
    _, bags = np.unique(2 * rows.bag + rows.early, return_inverse=True)
    worth = np.where(rows.early, 1.0, LATE_WORTH)
    weights, mean, square, shares = np.zeros(seen.shape[1]), 0.0, 0.0, worth
    for step in range(STEPS_N):
        odds = seen @ weights
        if step % AGAIN_N == 0:
            shares = worth * _shares(odds, bags, EVEN if step >= WARM_N else 1.0)
        slope = seen.T @ (shares * (1 / (1 + np.exp(-odds)) - rows.real))
        slope[:-1] += SHRINK * weights[:-1]
        mean = KEPT[0] * mean + (1 - KEPT[0]) * slope
        square = KEPT[1] * square + (1 - KEPT[1]) * slope ** 2
        rate = RATE if step < SLOWER_FROM * STEPS_N else RATE / 3
        weights = weights - rate * (mean / (1 - KEPT[0] ** (step + 1))) / (
            np.sqrt(square / (1 - KEPT[1] ** (step + 1))) + 1e-8)
    n = len(MEASURES)
    columns = np.round((usual, spread, weights[:n], weights[n:-1]), 4).T.tolist()
    return {**dict(zip(MEASURES, columns, strict=True)), "bias": [round(float(weights[-1]), 4)]}


def _shares(odds: np.ndarray, bags: np.ndarray, even: float) -> np.ndarray:
    """Each row's share of its bag: the surest have most, but all together have `even`."""
    surest = np.full(bags.max() + 1, -np.inf)
    np.maximum.at(surest, bags, odds)
    weight = np.exp((odds - surest[bags]) / SOFT)
    return (1 - even) * weight / np.bincount(bags, weight)[bags] + even / np.bincount(bags)[bags]


def written(document: Mapping[str, Sequence[float]], target: Path) -> None:
    """Write the weights, one measure a line."""
    lines = [f'    "{name}": ({", ".join(f"{value:.4f}" for value in values)}{"," * (len(values) == 1)}),\n'
             for name, values in document.items()]
    target.write_text(f'"""{weights.__doc__}"""\n\nWEIGHTS: dict[str, tuple[float, ...]] = {{\n{"".join(lines)}}}\n')


class Clip(NamedTuple):
    """One labelled clip, in a folder (None: drawn); `fold` is that of its place."""

    folder: Path | None
    name: str
    fold: int

    def shown(self) -> tuple[list[Luma], dict]:
        """Its pictures and its truth."""
        if self.folder is None:
            drawn = scene(self.name)
            return drawn.lumas, drawn.truth
        return decoded(self.folder / "clips" / f"{self.name}.mp4"), truth_of(self.folder, self.name)


def clips_in(folders: Iterable[tuple[Path, Iterable[str] | None]]) -> list[Clip]:
    """All clips (or those of these names), with a fold for each place, which the first word of its name tells."""
    found: list[tuple[Path | None, str]] = [
        (folder, name) for folder, names in folders
        for name in names or sorted(path.stem for path in (folder / "gt").glob("*.json"))]
    found += [(None, name) for name in SCENES]
    places = sorted({_place(name) for _, name in found})
    return [Clip(folder, name, places.index(_place(name)) % FOLDS_N) for folder, name in found]


def _place(name: str) -> str:
    for kind in ("dev_", "ho_", "tune_", "peek_"):
        name = name.removeprefix(kind)
    return name.split("_")[0]


def watched(clips: Sequence[Clip], rates: Sequence[float], verdicts: Sequence[Verdict]) -> list[tuple[Rows, Score]]:
    """What the detector judges and reaches in each clip at each rate, with the verdict of the clip's fold."""
    found = []
    for clip in clips:
        tell(f"motion: {clip.name}")
        lumas, truth = clip.shown()
        for fps in rates:
            detector = Detector(as_set(CAMERA).settings, verdict=verdicts[clip.fold])
            rows, said = rows_of(detector, thinned(lumas, fps), truth)
            found.append((rows, score_clip(truth, said)))
    return found


def fit(folders: Iterable[tuple[Path, Iterable[str] | None]], rates: Sequence[float]) -> None:
    """Fit to the clips in the folders, print what is reached in places left out, and write the weights."""
    clips = clips_in(folders)
    folds = np.repeat([clip.fold for clip in clips], len(rates)).tolist()
    rows = [seen for seen, _ in watched(clips, rates, [Verdict.fitted()] * FOLDS_N)]
    for number in range(ROUNDS_N):
        verdicts = [Verdict(fitted(Rows.joined([seen for seen, fold in zip(rows, folds * (len(rows) // len(folds)),
                                                                          strict=True) if fold != left_out])))
                    for left_out in range(FOLDS_N)]
        again = watched(clips, rates, verdicts)
        for k, fps in enumerate(rates):
            reached = total(score for _, score in again[k::len(rates)])
            print(f"round {number + 1}, places left out, {fps:g} pictures a second: event F1 {reached.event_f1:.3f}, "
                  f"{reached.hits} of {reached.events} hits, {reached.false_events} false, "
                  f"{100 * reached.active_share:.1f} % of quiet active")
        rows += [seen for seen, _ in again]
    target = Path(weights.__file__)
    written(fitted(Rows.joined(rows)), target)
    print(f"{target.name}: fitted to {len(clips)} clips")
