"""A camera's day: every moment is told, and told truly."""
from hypothesis import given
from hypothesis import strategies as st

from agent.core.household.day_lane import JOIN_MS, Absent, LanePiece, Recorded, WallSpan, lane

MIN = 60_000
DAY = WallSpan(0, 24 * 60 * MIN)
NOON = 12 * 60 * MIN


def told(footage, absent=(), now_ms=DAY.end_ms, always=False):
    """States with their minutes."""
    return [(piece.state, piece.why, piece.begin_ms // MIN, piece.end_ms // MIN)
            for piece in lane(DAY, now_ms, footage, absent, always)]


def test_a_quiet_day_of_motion_has_recordings_and_quiet():
    assert told([Recorded(NOON, NOON + MIN)]) == [
        ("quiet", "", 0, 720), ("recorded", "", 720, 721), ("quiet", "", 721, 1440)]


def test_clips_that_follow_each_other_are_one_recording():
    clips = [Recorded(0, 5 * MIN), Recorded(5 * MIN + JOIN_MS, 10 * MIN), Recorded(10 * MIN - 3000, 20 * MIN)]
    assert told(clips, now_ms=20 * MIN) == [("recorded", "", 0, 20), ("future", "", 20, 1440)]


def test_each_gap_says_why():
    clips = [Recorded(0, 60 * MIN), Recorded(60 * MIN, 90 * MIN, "erased"), Recorded(600 * MIN, 1440 * MIN)]
    away = [Absent(120 * MIN, 180 * MIN, "page"), Absent(180 * MIN, 200 * MIN, "off"),
            Absent(300 * MIN, 310 * MIN, "camera")]
    assert told(clips, away, always=True) == [
        ("recorded", "", 0, 60), ("deleted", "erased", 60, 90), ("missing", "", 90, 120), ("paused", "page", 120, 180),
        ("off", "", 180, 200), ("missing", "", 200, 300), ("camera", "", 300, 310), ("missing", "", 310, 600),
        ("recorded", "", 600, 1440)]


def test_before_the_first_and_after_the_last_recording_nothing_is_missing():
    assert [state for state, *_ in told([Recorded(NOON, NOON + MIN)], always=True)] == ["quiet", "recorded", "quiet"]


def test_an_absence_without_an_end_lasts_until_something_was_recorded_or_until_now():
    away = [Absent(60 * MIN, None, "camera")]
    assert ("camera", "", 60, 720) in told([Recorded(NOON, NOON + MIN)], away)
    assert told([], away, now_ms=90 * MIN) == [("quiet", "", 0, 60), ("camera", "", 60, 90), ("future", "", 90, 1440)]


def test_a_pause_is_told_before_a_recorder_that_was_off_and_a_recording_before_both():
    away = [Absent(0, 60 * MIN, "off"), Absent(0, 60 * MIN, "schedule"), Absent(0, 60 * MIN, "camera")]
    assert told([Recorded(30 * MIN, 60 * MIN)], away)[:2] == [("paused", "schedule", 0, 30), ("recorded", "", 30, 60)]


def test_a_day_that_has_not_begun_is_all_future():
    assert lane(DAY, -5, [], [], always=False) == [LanePiece(0, DAY.end_ms, "future")]


times = st.integers(-3 * NOON, 3 * NOON)
spans = st.tuples(times, st.integers(1, NOON)).map(lambda it: (it[0], it[0] + it[1]))
footages = st.builds(lambda span, gone: Recorded(*span, gone), spans, st.sampled_from(["", "", "age", "erased"]))
absences = st.builds(lambda span, open_, why: Absent(span[0], None if open_ else span[1], why), spans,
                     st.booleans(), st.sampled_from(["off", "camera", "page", "schedule"]))


@given(st.lists(footages, max_size=12), st.lists(absences, max_size=8), times, st.booleans())
def test_the_pieces_cover_the_day_without_a_hole_and_say_nothing_untrue(clips, away, now_ms, always):
    pieces = lane(DAY, now_ms, clips, away, always)
    assert pieces[0].begin_ms == DAY.begin_ms and pieces[-1].end_ms == DAY.end_ms
    for before, after in zip(pieces, pieces[1:], strict=False):
        assert before.end_ms == after.begin_ms and before[2:] != after[2:]
    for piece in pieces:
        assert piece.begin_ms < piece.end_ms
        if piece.state == "recorded":
            assert any(clip.begin_ms <= piece.begin_ms <= clip.end_ms + JOIN_MS for clip in clips if not clip.gone)
        if piece.state == "deleted":
            assert any(clip.gone == piece.why for clip in clips)
        if piece.state == "paused":
            assert any(each.why == piece.why for each in away)
        if piece.state in ("off", "camera"):
            assert any(each.why == piece.state for each in away)
        if piece.state == "future":
            assert piece.begin_ms >= min(now_ms, DAY.end_ms) and piece.end_ms == DAY.end_ms


@given(st.lists(footages, max_size=12), st.lists(absences, max_size=8), st.booleans())
def test_what_was_recorded_and_is_there_is_always_told_as_recorded(clips, away, always):
    pieces = lane(DAY, DAY.end_ms, clips, away, always)
    for clip in (each for each in clips if not each.gone):
        for at_ms in (clip.begin_ms, (clip.begin_ms + clip.end_ms) // 2, clip.end_ms - 1):
            if DAY.begin_ms <= at_ms < DAY.end_ms:
                assert next(each.state for each in pieces if each.begin_ms <= at_ms < each.end_ms) == "recorded"
