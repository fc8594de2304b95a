"""Sound beside pictures that are told one picture late."""
import pytest

from agent.core.media.model import Sound
from agent.core.media.timeline import LATE_US_MAX, InStep


def pictures(step: InStep, *dts_us: int) -> None:
    for each in dts_us:
        step.picture(each)


def waits(step: InStep, long_us: int, stretches_n: int = 60) -> list[int]:
    """How many stretches come between each one and its release, in the order of release."""
    released: dict[int, int] = {}
    for now in range(stretches_n):
        for sound in step.due(Sound(b"%d" % now, now * long_us, 1), long_us):
            released[int(sound.data)] = now - int(sound.data)
    assert list(released) == sorted(released)
    return list(released.values())


@pytest.mark.parametrize(("frame_us", "long_us"), [
    (40_000, 64_000), (66_667, 64_000), (100_000, 64_000), (200_000, 64_000), (66_667, 20_000), (200_000, 20_000)])
def test_sound_is_as_late_as_pictures_to_the_nearest_stretch(frame_us: int, long_us: int):
    step = InStep()
    pictures(step, 0, frame_us)
    waited = set(waits(step, long_us))
    assert len(waited) == 1 and abs(waited.pop() * long_us - frame_us) <= long_us / 2


def test_until_the_second_picture_nobody_knows_and_sound_waits_but_not_for_ever():
    step = InStep()
    early = [Sound(b"%d" % number, number * 64_000, 1) for number in range(6)]
    assert not any(step.due(sound, 64_000) for sound in early)
    pictures(step, 0, 100_000)
    assert step.due(Sound(b"6", 6 * 64_000, 1), 64_000) == early[:5]
    assert max(waits(InStep(), 20_000)) * 20_000 == LATE_US_MAX


@pytest.mark.parametrize(("then_us", "longest_us"), [(3_600_000_000, LATE_US_MAX), (-3_600_000_000, 0)])
def test_a_picture_that_stood_still_or_a_clock_that_fell_back_holds_no_sound_for_long(then_us: int, longest_us: int):
    step = InStep()
    pictures(step, 0, then_us)
    assert max(waits(step, 20_000)) * 20_000 == longest_us


def test_a_jump_of_the_sounds_own_clock_releases_what_waits_in_its_order():
    step = InStep()
    pictures(step, 0, 200_000)
    early = [Sound(b"a", 0, 1), Sound(b"b", 64_000, 1)]
    assert [step.due(sound, 64_000) for sound in early] == [[], []]
    later = Sound(b"c", -10_000_000, 1)
    assert step.due(later, 64_000) == early
    assert step.due(Sound(b"d", -9_800_000, 1), 64_000) == [later]
