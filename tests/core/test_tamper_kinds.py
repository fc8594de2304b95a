"""Each kind of tampering is found by its name within 30 seconds, and is over when the usual view is back."""
from collections.abc import Iterator
from dataclasses import replace
from functools import cache

import cv2
import numpy as np
import pytest

from agent.core.vision.luma import Luma
from agent.core.vision.tamper import Kind, Phase, TamperSettings, TamperWatch
from tests import scenes
from tests.core.tamper_material import Told, lorry, starts, watch
from tests.rigs.cameras import footage
from tests.rigs.cameras.tampering import DEEDS, STRENGTHS, Deed, bag, elsewhere, hand, lid, paint, tampered, unsharp
from tests.scenes import START_MONO_S, noise, pictures

AT_S, GONE_S, END_S = 50.0, 90.0, 125.0
LIGHTS = {"day": (1.0, 2.0), "night": (0.3, 5.0)}
DARK_PAINT = (Kind.SPRAYED, 1, "night")
ALL = [pytest.param(kind, strength, light, id=f"{kind.value}-{STRENGTHS[strength]}-{light}")
       for kind in Kind for strength in range(3) for light in LIGHTS
       if (kind, strength, light) != DARK_PAINT]


@cache
def yard_scene(light: str) -> list[Luma]:
    """A picture a second, with a walker."""
    brightness, deviation = LIGHTS[light]
    return list(pictures(END_S, 1, scenes.Walk(start_s=30), noise(deviation), light=brightness))


def done(scene: Iterator[Luma], kind: Kind, deed: Deed, stop_s: float = GONE_S) -> Iterator[Luma]:
    return tampered(scene, kind, deed, START_MONO_S + AT_S, START_MONO_S + stop_s)


def found_and_over(told: Told, kind: Kind) -> bool:
    """The kind, and nothing else, within 30 s of the deed and for no longer than 30 s after it."""
    (start_s, start), (end_s, end) = told
    assert (start.kind, start.phase, end.kind, end.phase) == (kind, Phase.START, kind, Phase.END)
    assert 0 < start.strength <= 1 and start.detail and end.strength == 0
    assert AT_S - 1 <= start.since_mono_s - START_MONO_S <= start_s <= AT_S + 30
    return GONE_S <= end.since_mono_s - START_MONO_S + 1 <= end_s <= GONE_S + 30


@pytest.mark.parametrize(("kind", "strength", "light"), ALL)
def test_each_kind_is_found_and_over(kind, strength, light):
    assert found_and_over(watch(done(iter(yard_scene(light)), kind, DEEDS[kind][strength])), kind)


def test_dark_paint_in_the_dark_looks_like_a_lamp_that_went_out():
    kind, strength, light = DARK_PAINT
    assert watch(done(iter(yard_scene(light)), kind, DEEDS[kind][strength])) == []


@pytest.mark.parametrize(("kind", "fps"), list(zip(Kind, [15.0, 2.0, 7.0, 3.0, 5.0, 10.0], strict=True)))
def test_at_any_rate(kind, fps):
    assert found_and_over(watch(done(pictures(END_S, fps, noise(2)), kind, DEEDS[kind][1])), kind)


@pytest.mark.parametrize("size", [(640, 360), (160, 120), (90, 160)])
@pytest.mark.parametrize("kind", [Kind.COVERED, Kind.MOVED, Kind.SPRAYED])
def test_at_any_size(kind, size):
    scene = (replace(luma, plane=cv2.resize(luma.y, size)) for luma in pictures(END_S, 1, noise(2)))
    assert found_and_over(watch(done(scene, kind, DEEDS[kind][2])), kind)


def test_what_lasts_holds_and_is_told_once():
    guard = TamperWatch()
    told = watch(done(pictures(400, 1, noise(2)), Kind.COVERED, bag, 1e9), guard)
    assert starts(told) == [Kind.COVERED] and len(told) == 1
    assert guard.now == {Kind.COVERED}


def test_a_hand_that_passes_is_nothing():
    assert watch(done(pictures(END_S, 2, noise(2)), Kind.COVERED, hand, AT_S + 6)) == []


def test_a_camera_that_was_turned_for_good_has_a_new_usual_view():
    guard = TamperWatch()
    told = watch(done(pictures(AT_S + 720, 1, noise(2)), Kind.MOVED, elsewhere, 1e9), guard)
    (_, start), (end_s, end) = told
    assert (start.kind, end.kind, end.phase) == (Kind.MOVED, Kind.MOVED, Phase.END)
    assert 600 <= end_s - AT_S <= 640 and "10 minutes" in end.detail
    assert guard.now == frozenset()


def test_a_view_that_keeps_changing_does_not_become_the_usual_one():
    def wander(y, rng):
        wander.n += 1
        return np.roll(elsewhere(y, rng), 60 * (wander.n // 150), axis=1)

    wander.n = 0
    told = watch(done(pictures(AT_S + 720, 1, noise(2)), Kind.MOVED, wander, 1e9))
    assert [(change.kind, change.phase) for _, change in told] == [(Kind.MOVED, Phase.START)]


def test_after_it_was_adopted_tampering_is_found_in_the_new_view():
    guard, moved = TamperWatch(), list(done(pictures(AT_S + 700, 1, noise(2)), Kind.MOVED, elsewhere, 1e9))
    watch(moved, guard)
    last = moved[-1]
    rng = np.random.default_rng(3)
    later = [Luma(lid(last.y, rng), last.mono_s + i) for i in range(1, 30)]
    assert starts(watch(later, guard)) == [Kind.COVERED]


def test_a_lid_in_the_dark_is_told_with_its_doubt_and_lamplight_that_goes_out_is_not():
    (_, told), *_ = watch(done(pictures(END_S, 1, noise(2)), Kind.COVERED, lid))
    assert "all light is out" in told.detail
    lamplit = (replace(luma, lux=90.0) for luma in pictures(END_S, 1, noise(2)))
    assert watch(done(lamplit, Kind.COVERED, lid)) == []
    daylit = (replace(luma, lux=2000.0) for luma in pictures(END_S, 1, noise(2)))
    assert starts(watch(done(daylit, Kind.COVERED, lid))) == [Kind.COVERED]


def test_a_camera_that_starts_blinded_or_hanging_is_told_at_once():
    white = [Luma(np.full((90, 160), 255, np.uint8), START_MONO_S + i) for i in range(30)]
    assert starts(watch(white)) == [Kind.BLINDED]
    still = next(iter(pictures(1, 1, noise(2)))).y
    assert starts(watch(Luma(still, START_MONO_S + i) for i in range(18))) == [Kind.FROZEN]


def test_out_of_a_decoder_it_hangs_if_the_pictures_on_new_keyframes_are_the_same():
    still = next(iter(pictures(1, 1, noise(2)))).y
    refined = [still // 2 * 2, still]
    for gop_s, kinds in ((4, [Kind.FROZEN]), (1000, [])):
        film = [Luma(refined[i % 4 > 0], START_MONO_S + i, key_mono_s=START_MONO_S + i // gop_s * gop_s)
                for i in range(60)]
        assert starts(watch(film)) == kinds


def test_a_flat_view_can_still_be_blinded():
    flat = [Luma(np.full((90, 160), 120 if i < 60 else 255, np.uint8) - (i % 2), START_MONO_S + i) for i in range(90)]
    assert Kind.BLINDED in starts(watch(flat))


def test_another_size_ends_what_held_and_learns_anew():
    guard = TamperWatch()
    scene = list(done(pictures(AT_S + 30, 1, noise(2)), Kind.COVERED, bag, 1e9))
    assert starts(watch(scene, guard)) == [Kind.COVERED]
    small = [Luma(scene[0].y[::2, ::2], scene[-1].mono_s + 1 + i) for i in range(5)]
    (_, end), = watch(small, guard)
    assert (end.kind, end.phase) == (Kind.COVERED, Phase.END) and "size" in end.detail
    assert guard.now == frozenset()


def test_a_gap_and_a_clock_that_goes_back_forget_the_suspicion_but_not_the_view():
    guard, covered = TamperWatch(), list(done(pictures(AT_S + 30, 1, noise(2)), Kind.COVERED, bag, 1e9))
    assert watch(covered[:57], guard) == []
    for away_s in (1000.0, -400.0):
        assert watch([replace(luma, mono_s=luma.mono_s + away_s) for luma in covered[57:60]], guard) == []
    again = [replace(luma, mono_s=luma.mono_s - 400) for luma in covered[60:75]]
    assert starts(watch(again, guard)) == [Kind.COVERED]


def test_one_kind_follows_another():
    scene = list(pictures(AT_S + 130, 1, noise(2)))
    rng = np.random.default_rng(2)
    for i in range(50, 90):
        scene[i] = replace(scene[i], plane=bag(scene[i].y, rng))
    for i in range(90, 140):
        scene[i] = replace(scene[i], plane=elsewhere(scene[i].y, rng))
    told = [(change.kind, change.phase) for _, change in watch(scene)]
    assert told[0] == (Kind.COVERED, Phase.START)
    assert set(told[1:3]) == {(Kind.MOVED, Phase.START), (Kind.COVERED, Phase.END)}
    assert told[3:] == [(Kind.MOVED, Phase.END)]


def test_a_lorry_that_stays_is_learned_and_paint_over_it_is_found():
    scene = pictures(500, 1, lorry(AT_S), noise(2))
    later = tampered(scene, Kind.SPRAYED, paint(0.7, 0.4), START_MONO_S + 450, 1e9)
    assert starts(watch(later)) == [Kind.SPRAYED]


def test_settings_are_honoured():
    hasty = TamperWatch(TamperSettings(defocused_s=5.0))
    told = watch(done(pictures(END_S, 1, noise(2)), Kind.DEFOCUSED, unsharp(0.016)), hasty)
    assert told[0][0] < AT_S + 12


def real(seconds: float) -> list[Luma]:
    """The real footage forth and back, four pictures a second."""
    planes = [plane[:240] for plane in footage.frames(320, 240)][::2]
    there_and_back = planes + planes[::-1]
    return [Luma(there_and_back[i % len(there_and_back)], START_MONO_S + i / 5) for i in range(round(seconds * 5))]


@pytest.mark.skipif(footage.original().stem != "vtest", reason="no real footage")
def test_on_real_footage():
    scene = real(END_S)
    assert watch(scene) == []
    for kind in Kind:
        assert found_and_over(watch(done(iter(scene), kind, DEEDS[kind][1])), kind)
