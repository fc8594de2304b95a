"""What uploads may take of the disk: announcements alone take next to nothing from anybody."""
from hypothesis import given
from hypothesis import strategies as st

from agent.ward.uploads.service import AHEAD_B, COPIES_N, ComingUpload, is_within_share, kept_b

SIZES = st.integers(1, 10**12)
UPLOADS = st.builds(lambda dev, all_b, share: ComingUpload(dev, all_b, int(all_b * share)),
                    st.sampled_from("abc"), SIZES, st.floats(0, 1))


@given(st.lists(UPLOADS, max_size=8))
def test_room_is_kept_for_what_has_come_and_a_little_for_each_device(coming):
    came_b, devices_n = sum(each.have_b for each in coming), len({each.dev for each in coming})
    assert came_b <= kept_b(coming) <= came_b + COPIES_N * AHEAD_B * devices_n
    assert kept_b([each._replace(have_b=each.bytes) for each in coming]) == sum(each.bytes for each in coming)


@given(st.lists(UPLOADS, max_size=8), SIZES)
def test_a_device_announces_no_more_than_its_share_and_takes_none_of_another_s(coming, wish_b):
    mine_b = sum(each.bytes for each in coming if each.dev == "a")
    assert is_within_share("a", wish_b, coming, mine_b + wish_b)
    assert not is_within_share("a", wish_b, coming, mine_b + wish_b - 1)
    assert is_within_share("d", wish_b, coming, wish_b)
