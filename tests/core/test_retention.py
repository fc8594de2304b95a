"""Retention: what goes and what stays, whatever the clock does, and that no camera pays for another."""
from collections.abc import Iterable, Sequence

from hypothesis import given
from hypothesis import strategies as st

from agent.core.retention import (
    CameraClips,
    Dated,
    Doomed,
    KeptClip,
    going_order,
    last_too_old,
    make_room,
    room_b,
    shares,
    to_free_b,
    to_free_n,
)

DAY_MS = 86_400_000
NOW = 1_795_000_000_000


def dated(*ages_days: float | None) -> list[Dated]:
    """Clips of these ages, numbered from 1; None: the clock was not sure, and told a date long gone."""
    return [Dated(n, 0 if age is None else int(NOW - age * DAY_MS), age is not None)
            for n, age in enumerate(ages_days, 1)]


def test_age_takes_the_oldest_numbers_up_to_the_first_young_one():
    assert last_too_old(dated(12, 11, 9, 3), 10 * DAY_MS, NOW) == 2
    assert last_too_old(dated(9, 3), 10 * DAY_MS, NOW) == 0
    assert last_too_old([], 10 * DAY_MS, NOW) == 0


def test_a_clip_without_a_sure_date_is_as_old_as_the_next_one_that_has_one():
    assert last_too_old(dated(None, None, 11, None, 9), 10 * DAY_MS, NOW) == 3
    assert last_too_old(dated(None, None), 10 * DAY_MS, NOW) == 0


def test_a_date_that_is_still_to_come_keeps_no_other_clip():
    assert last_too_old(dated(-5000, 12, 9), 10 * DAY_MS, NOW) == 2


def test_nothing_recorded_after_a_young_clip_is_old_whatever_its_date_says():
    assert last_too_old(dated(12, 2, 5000, 1), 10 * DAY_MS, NOW) == 1


def test_enough_for_one_pass_ends_it_but_not_before_a_date_is_known():
    assert last_too_old(dated(19, 18, 17, 16), 10 * DAY_MS, NOW, enough_n=2) == 2
    assert last_too_old(dated(None, None, None, 16, 15), 10 * DAY_MS, NOW, enough_n=2) == 4


@given(st.lists(st.tuples(st.floats(0, 30), st.booleans(), st.floats(-20_000, 20_000)), max_size=40))
def test_age_never_takes_what_is_young_as_long_as_sure_dates_are_right(clips: list[tuple[float, bool, float]]):
    ages = sorted((age for age, _, _ in clips), reverse=True)
    told = [Dated(n, int(NOW - (age if sure else lie) * DAY_MS), sure)
            for n, (age, (_, sure, lie)) in enumerate(zip(ages, clips, strict=True), 1)]
    last = last_too_old(told, 10 * DAY_MS, NOW)
    assert all(age > 10 - 1e-6 for age in ages[:last])
    assert all(age <= 10 + 1e-6 for age, clip in zip(ages[last:], told[last:], strict=True) if clip.sure)


def test_quota_and_floor_ask_for_the_larger_of_the_two():
    assert to_free_b(used_b=900, quota_b=0, free_b=500, total_b=1000, floor_pct=10) == 0
    assert to_free_b(used_b=900, quota_b=700, free_b=500, total_b=1000, floor_pct=10) == 205
    assert to_free_b(used_b=9000, quota_b=7000, free_b=0, total_b=10_000, floor_pct=10) == 2050
    assert to_free_b(used_b=9000, quota_b=0, free_b=0, total_b=10_000, floor_pct=10) == 1050


def test_half_of_the_clips_stay_on_a_card_that_other_files_fill():
    assert to_free_b(used_b=400, quota_b=0, free_b=0, total_b=10_000, floor_pct=10) == 250
    assert to_free_b(used_b=200, quota_b=0, free_b=200, total_b=10_000, floor_pct=10) == 0


def test_a_card_without_room_for_files_is_full_too_and_one_without_inodes_is_not():
    assert to_free_n(free_n=10, total_n=100_000) == 190
    assert to_free_n(free_n=5_000, total_n=100_000) == to_free_n(0, 0) == 0


def test_clips_may_take_what_the_floor_leaves_or_the_quota():
    assert (room_b(1000, 0, 10), room_b(1000, 300, 10), room_b(1000, 5000, 10)) == (900, 300, 900)


def pile(*seqs: int, size_b: int = 100) -> list[KeptClip]:
    return [KeptClip(seq, size_b) for seq in seqs]


def numbers(clips: Iterable[KeptClip | Doomed]) -> list[int]:
    return [clip.seq for clip in clips]


def test_of_one_age_video_without_events_goes_first_but_new_video_outlasts_old_events():
    motion, continuous = pile(1, 4, 9, 70), pile(2, 3, 60, 99)
    assert numbers(going_order(motion, continuous, 100, 3)) == [2, 3, 60, 1, 4, 9, 70, 99]
    assert numbers(going_order(motion, continuous, 100, 1)) == [1, 2, 3, 4, 9, 60, 70, 99]


def shelf(camera: str, *others: int, handed_out: Sequence[int] = (), size_b: int = 100, held_b: int = 0) -> CameraClips:
    return CameraClips(camera, size_b * (len(others) + len(handed_out)) + held_b, pile(*handed_out, size_b=size_b),
                       pile(*others, size_b=size_b))


def test_space_takes_no_more_than_needed():
    assert list(make_room([shelf("gate", 1, 2, 3, 4)], 150)) == [Doomed(1, 100, "space"), Doomed(2, 100, "space")]
    assert list(make_room([shelf("gate", 1, 2)], 0)) == []
    assert numbers(make_room([shelf("gate", 1, 2)], 9000)) == [1, 2]


def test_a_camera_that_records_much_makes_the_room_and_not_the_oldest_clip_of_all():
    assert numbers(make_room([shelf("yard", 1, 2), shelf("road", 3, 4, 5, 6, 7, 8)], 400)) == [3, 4, 5, 6]
    assert numbers(make_room([shelf("yard", 1, 2), shelf("road", 3, 4, 5, 6)], 400)) == [3, 4, 5, 1]


def test_what_the_ward_has_goes_before_all_else():
    shelves = [shelf("yard", 4, handed_out=[2]), shelf("road", 1, 5, 6, 7, handed_out=[3])]
    assert numbers(make_room(shelves, 300)) == [3, 2, 1]


def test_files_are_made_room_for_as_bytes_are():
    assert numbers(make_room([shelf("gate", 1, 2, 3)], 0, 2)) == [1, 2]


def test_what_is_on_hold_counts_for_its_own_camera():
    assert numbers(make_room([shelf("yard", 1, 2), shelf("road", 3, held_b=500)], 100)) == [3]


STOCKS = st.dictionaries(st.sampled_from("abcde"), st.tuples(
    st.lists(st.integers(1, 1000), max_size=20),            # sizes of what may go
    st.lists(st.integers(1, 1000), max_size=3),             # of what the ward has
    st.integers(0, 3000)), max_size=5)                      # on hold


@given(STOCKS, st.integers(0, 40_000))
def test_no_camera_under_its_fair_share_loses_footage_for_space_while_another_is_above(stocks, needed_b: int):
    shelves, number = [], 0
    for camera, (others, handed_out, held_b) in stocks.items():
        first = [KeptClip(number := number + 1, size_b) for size_b in handed_out]
        rest = [KeptClip(number := number + 1, size_b) for size_b in others]
        shelves.append(CameraClips(camera, sum(others) + sum(handed_out) + held_b, first, rest))
    gone = list(make_room(shelves, needed_b))
    freed_b = sum(clip.bytes for clip in gone)
    every = [clip for shelf in shelves for clip in (*shelf.handed_out, *shelf.others)]
    assert freed_b - (gone[-1].bytes if gone else 0) < needed_b or not gone
    assert freed_b >= needed_b or len(gone) == len(every)
    went = set(numbers(gone))
    left_b = {shelf.camera: shelf.bytes - sum(clip.bytes for clip in (*shelf.handed_out, *shelf.others)
                                              if clip.seq in went) for shelf in shelves}
    losers = {shelf.camera: max((clip.bytes for clip in shelf.others if clip.seq in went), default=0)
              for shelf in shelves}
    spared = [shelf.camera for shelf in shelves if any(clip.seq not in went for clip in shelf.others)]
    for loser, largest_b in losers.items():
        for other in spared if largest_b else ():
            assert left_b[loser] + largest_b >= left_b[other], "it had less, and lost footage all the same"
        assert not largest_b or all(clip.seq in went for shelf in shelves for clip in shelf.handed_out)


@given(st.dictionaries(st.sampled_from("abcde"), st.integers(0, 300), min_size=1), st.integers(0, 900))
def test_in_the_long_run_the_room_is_shared_as_told(stocks: dict[str, int], room: int):
    cameras, left = list(stocks), dict(stocks)
    shelves = [CameraClips(camera, stocks[camera], (), pile(*range(1000 * n, 1000 * n + stocks[camera]), size_b=1))
               for n, camera in enumerate(cameras)]
    for clip in make_room(shelves, sum(stocks.values()) - room):
        left[cameras[clip.seq // 1000]] -= 1
    assert all(abs(left[camera] - share) < 1 + 1e-6 for camera, share in shares(room, stocks).items())
