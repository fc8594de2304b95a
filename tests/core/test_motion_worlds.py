"""The gate: what the detector reaches on labelled clips; a change that loses some of it is refused (see `floors`)."""
import os
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest

from scripts.benches.floors import DEVELOPMENT, PEEK, shortfalls
from scripts.benches.motion import measure
from scripts.benches.score import Score
from tests.rigs import worlds
from tests.rigs.worlds.world import shown

RATES = 10.0, 5.0
SHOWN_N = 20
ROOT = Path(__file__).parents[2]
CLIPS = Path(os.environ.get("TAIMAT_MOTION_CLIPS") or ROOT.parent / "shared" / "motion-bench")


@pytest.fixture(autouse=True)
def one_thread():
    """As on a device, and as the figures were measured."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    yield
    cv2.setNumThreads(threads)


def scores(folder: Path, clips: tuple[str, ...] | None = None,
           rates: Sequence[float] = RATES) -> Mapping[float, Mapping[str, Score]]:
    """Our detector's, by pictures a second and clip."""
    return {fps: rows["taimat"].clips for fps, rows in measure(folder, rates, ("taimat",), clips).items()}


def test_made_worlds():
    try:
        folder = worlds.worlds(worlds.PEEK)
    except OSError as error:
        pytest.skip(str(error))
    assert shortfalls(PEEK, scores(folder, worlds.PEEK)) == []


@pytest.mark.skipif(not any(CLIPS.glob("gt/*.json")),
                    reason=f"no labelled clips in {CLIPS}; TAIMAT_MOTION_CLIPS names their folder (clips/ and gt/)")
def test_development_clips(thorough: bool):
    """Usually at the rate that a camera has unless it is set."""
    assert shortfalls(DEVELOPMENT, scores(CLIPS, rates=RATES if thorough else RATES[1:])) == []


def test_every_world_shows_its_first_seconds():
    for name, make in worlds.WORLDS.items():
        try:
            world = make()
        except OSError as error:
            pytest.skip(str(error))
        tall, wide = world.stage.height, world.stage.width
        for one in islice(shown(world), SHOWN_N):
            assert (one.picture.shape, one.picture.dtype) == ((tall, wide), np.uint8), name
            assert bool(one.boxes) == (one.label == 1), name
            assert all(0 <= x < x + w <= wide and 0 <= y < y + h <= tall for x, y, w, h in one.boxes), name
        assert one.picture.std() > 3, name


def test_no_scene_is_both_fitted_and_judged():
    assert not {worlds.scene(name) for name in worlds.FITTED} & {worlds.scene(name) for name in worlds.JUDGED}
    assert not set(worlds.FITTED) & set(worlds.JUDGED)


def test_what_has_fallen_is_named():
    blind = Score(events=4, hits=2)
    restless = Score(quiet_clips_false_events=1, false_events=1)
    said = shortfalls(PEEK, {10.0: {"yard": blind, "rain_only": restless}, 2.0: {"rain_only": restless}})
    assert said == ["10 pictures a second: event F1 0.571 is below 0.980",
                    "10 pictures a second: rain_only: 1 false event(s), 0 known",
                    "2 pictures a second: rain_only: 1 false event(s), 0 known"]
