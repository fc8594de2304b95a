"""Notifications: whatever happens and whenever the service answers, each wanted event is told, and in good time."""
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from agent.core.household.labels import WORD_MS
from agent.core.household.notifications import (
    LATE_MS,
    PICTURE_MS,
    Notification,
    NotifyRule,
    Progress,
    SeenEvent,
    Stand,
    gather,
    of_people,
    pause_ms,
    stand,
    told,
    trial,
)
from agent.core.household.pause import WEEK_MIN, all_hours, ends_in_min
from agent.look.device_words import notification_words

MINUTE_MS = 60_000
T0 = 1_795_478_400_000          # a Tuesday, 0:00 UTC
VI, EN = notification_words("vi"), notification_words("en")
LABELS = {"gate": "Cổng trước", "yard": "Sân sau"}


def week_min(wall_ms: int) -> int:
    return (wall_ms // MINUTE_MS - T0 // MINUTE_MS + 1440) % WEEK_MIN


def local(wall_ms: int) -> datetime:
    return datetime.fromtimestamp(wall_ms / 1000, UTC)


def at(number: int, minute: float, camera: str = "gate", **more: object) -> SeenEvent:
    """An event that began so many minutes after T0, seen a minute later unless told otherwise."""
    return SeenEvent(**{"id": number, "camera": camera, "kind": "motion", "wall_ms": T0 + int(minute * MINUTE_MS),
                        "age_ms": MINUTE_MS, **more})


PEOPLE = NotifyRule(kinds=frozenset({"person", "vehicle"}))


def test_who_wants_people_alone_waits_for_the_word_and_misses_nothing_without_one():
    def seen(**more: object) -> Stand:
        return stand(PEOPLE, at(1, 0, **more), week_min)

    assert seen(going_on=True) is Stand.UNDECIDED and seen(going_on=True, age_ms=LATE_MS) is Stand.DUE
    assert seen(label="person") is seen(label="vehicle") is Stand.DUE
    assert seen(label="animal") is seen(label="other") is seen(label="nothing") is Stand.UNWANTED
    assert seen(label="") is seen(label="", going_on=True) is Stand.DUE, "nobody will tell"
    assert seen(label=None, over_ms=WORD_MS - 1) is Stand.UNDECIDED and seen(label=None, over_ms=WORD_MS) is Stand.DUE
    assert seen(kind="tamper") is Stand.UNWANTED
    assert stand(NotifyRule(kinds=frozenset({"tamper"})), at(1, 0, label="person"), week_min) is Stand.UNWANTED
    assert stand(NotifyRule(kinds=frozenset({"motion"})), at(1, 0, label="nothing"), week_min) is Stand.DUE


def test_a_likely_label_tells_at_once_and_holds_nothing_back():
    def seen(label: str, **more: object) -> Stand:
        return stand(PEOPLE, at(1, 0, label=label, is_likely=True, **more), week_min)

    assert seen("person", going_on=True) is seen("vehicle", going_on=True) is Stand.DUE
    assert seen("animal", going_on=True) is seen("animal", over_ms=WORD_MS - 1) is Stand.UNDECIDED
    assert seen("animal", over_ms=WORD_MS) is Stand.DUE, "no other label came"
    assert of_people([at(1, 0, label="person", is_likely=True, going_on=True)]) is None, "the ward waits for the label"
    assert of_people([at(1, 0, label="person", is_likely=True, over_ms=WORD_MS)]) == [1]


@dataclass(frozen=True)
class Happening:
    """An event of the simulated house, in seconds after T0."""

    begin_s: int
    lasts_s: int
    camera: str
    kind: str
    zone_at_s: int | None       # so long after its begin it fulfils the zone

    def seen(self, number: int, now_s: int) -> SeenEvent:
        """As it stands now."""
        in_zone = self.zone_at_s is not None and now_s >= self.begin_s + self.zone_at_s
        return SeenEvent(id=number, camera=self.camera, kind=self.kind, wall_ms=T0 + self.begin_s * 1000,
                         age_ms=(now_s - self.begin_s) * 1000, going_on=now_s < self.begin_s + self.lasts_s,
                         zones=("yard",) if in_zone else ())


@dataclass
class Life:
    """What a phone got: the events of each message, and when. A kill forgets what was not kept."""

    rule: NotifyRule
    happenings: list[Happening]
    progress: Progress = field(default_factory=lambda: Progress(after_id=0))
    kept: Progress = field(default_factory=lambda: Progress(after_id=0))
    messages: list[tuple[int, Notification, set[int]]] = field(default_factory=list)

    def look(self, now_s: int, up: bool) -> None:
        """One turn of the notifier."""
        now_ms = T0 + now_s * 1000
        if pause_ms(self.rule, self.progress, now_ms, week_min(now_ms)):
            return
        seen = [each.seen(n, now_s) for n, each in enumerate(self.happenings, 1)
                if each.begin_s <= now_s and n > self.progress.after_id]
        message, progress = gather(self.rule, self.progress, seen, week_min)
        if message is None:
            self.progress = progress
        elif up:
            told = settled(progress, len(self.happenings)) - settled(self.progress, len(self.happenings))
            self.messages.append((now_s, message, {n for n in told if self.wants(n)}))
            self.kept = self.progress = msgspec.structs.replace(progress, sent_ms=now_ms)

    def wants(self, number: int) -> bool:
        """Whether the rule lets this one through once it is over."""
        event = self.happenings[number - 1].seen(number, 10**6)
        return stand(self.rule, event, week_min) is Stand.DUE


def settled(progress: Progress, count: int) -> set[int]:
    return {n for n in range(1, count + 1) if n <= progress.after_id} | set(progress.beyond)


RULES = st.builds(
    NotifyRule, kinds=st.sampled_from([frozenset(), frozenset({"motion"}), frozenset({"tamper"})]),
    cameras=st.sampled_from([frozenset(), frozenset({"gate"})]), zones=st.sampled_from([frozenset(), {"yard"}]),
    hours=st.sampled_from([(), all_hours(["22:00-06:00"]), all_hours(["Tue"])]),
    quiet=st.sampled_from([(), all_hours(["00:10-00:40"]), all_hours(["23:00-01:00"])]),
    every_ms=st.sampled_from([MINUTE_MS, 10 * MINUTE_MS]), pictures=st.booleans())
HAPPENINGS = st.lists(st.builds(
    Happening, begin_s=st.integers(0, 7200), lasts_s=st.integers(1, 900), camera=st.sampled_from(["gate", "yard"]),
    kind=st.sampled_from(["motion", "tamper"]), zone_at_s=st.sampled_from([None, 0, 30, 600])), max_size=12)


@given(RULES, HAPPENINGS, st.lists(st.tuples(st.integers(0, 7200), st.booleans(), st.booleans()), max_size=20))
def test_each_wanted_event_is_told_once_never_in_quiet_hours_and_never_too_often(rule, happenings, turns):
    happenings = sorted(happenings, key=lambda each: each.begin_s)
    happenings = [replace(each, zone_at_s=each.zone_at_s if (each.zone_at_s or 0) < each.lasts_s else None)
                  for each in happenings]
    life = Life(rule, happenings)
    for now_s, up, killed in sorted(turns):
        if killed:
            life.progress = life.kept
        life.look(now_s, up)
    for now_s in range(7201, 7201 + 4 * 3600, 60):
        life.look(now_s, up=True)
    wanted = {n for n in range(1, len(happenings) + 1) if life.wants(n)}
    assert sorted(n for _, _, numbers in life.messages for n in numbers) == sorted(wanted)
    assert all(message.events_n == len(numbers) and message.newest.id in numbers
               for _, message, numbers in life.messages)
    times = [now_s for now_s, _, _ in life.messages]
    assert all(later - sooner >= rule.every_ms / 1000 for sooner, later in zip(times, times[1:], strict=False))
    assert all(ends_in_min(rule.quiet, week_min(T0 + now_s * 1000)) is None for now_s in times)
    assert life.progress.after_id == len(happenings) and not life.progress.beyond


def test_an_event_that_goes_on_is_told_at_once_or_waited_for_its_picture_but_not_for_long():
    begun = at(1, 0, going_on=True, age_ms=1000)
    assert stand(NotifyRule(), begun, week_min) is Stand.DUE
    with_picture = NotifyRule(pictures=True)
    assert stand(with_picture, begun, week_min) is Stand.UNDECIDED
    assert stand(with_picture, replace(begun, age_ms=PICTURE_MS), week_min) is Stand.DUE
    assert stand(with_picture, replace(begun, going_on=False), week_min) is Stand.DUE


def test_one_that_goes_on_holds_up_no_other_and_is_told_when_it_reaches_the_zone():
    rule, going_on = NotifyRule(zones=frozenset({"yard"})), at(1, 0, going_on=True)
    message, progress = gather(rule, Progress(after_id=0), [going_on, at(2, 1, zones=("yard",))], week_min)
    assert message and message.newest.id == 2 and progress == Progress(after_id=0, beyond=(2,))
    message, progress = gather(rule, progress, [replace(going_on, zones=("yard",)), at(2, 1, zones=("yard",))],
                               week_min)
    assert message and message.newest.id == 1 and not message.more and progress == Progress(after_id=2)
    never = replace(going_on, age_ms=LATE_MS)
    assert stand(rule, never, week_min) is Stand.UNWANTED, "a camera that is gone leaves its event open for good"


def test_a_zone_is_asked_of_motion_alone():
    covered = at(1, 0, kind="tamper", code="covered")
    assert stand(NotifyRule(zones=frozenset({"yard"})), covered, week_min) is Stand.DUE


def test_hours_count_where_the_clock_is_right():
    rule = NotifyRule(hours=all_hours(["22:00-06:00"]), quiet=all_hours(["00:00-24:00"]))
    noon = at(1, 12 * 60)
    assert stand(rule, noon, week_min) is Stand.UNWANTED and stand(rule, noon, lambda _: None) is Stand.DUE
    assert pause_ms(rule, Progress(after_id=0), T0, week_min(T0)) > 0
    assert pause_ms(rule, Progress(after_id=0), T0, None) == 0


def test_a_pause_ends_when_it_should_and_a_clock_set_back_does_not_make_it_longer():
    rule, sent = NotifyRule(quiet=all_hours(["00:10-00:40"])), Progress(after_id=0, sent_ms=T0)
    assert pause_ms(rule, sent, T0 + 2 * MINUTE_MS, 2 + 1440) == 3 * MINUTE_MS
    assert pause_ms(rule, sent, T0 + 20 * MINUTE_MS, 20 + 1440) == 20 * MINUTE_MS
    assert pause_ms(rule, sent, T0 - 1, None) == 0


def test_the_words():
    message, _ = gather(NotifyRule(), Progress(after_id=0), [
        at(1, 10), at(2, 12, "yard"), at(3, 14), at(4, 65, zones=("lối đi", "yard"))], week_min)
    now_ms = T0 + 66 * MINUTE_MS
    assert told(message, EN, LABELS, local, now_ms) == (
        "Movement at Cổng trước", "At 01:05, in lối đi, yard. 3 more since 00:10: Cổng trước 2, Sân sau 1.")
    assert told(message, VI, LABELS, local, now_ms)[1] == (
        "Lúc 01:05, vùng lối đi, yard. Thêm 3 sự kiện từ 00:10: Cổng trước 2, Sân sau 1.")
    message.newest = replace(message.newest, age_ms=LATE_MS)
    assert told(message, EN, LABELS, local, now_ms + 86_400_000) == (
        "4 events from 00:10 (24/11) to 01:05 (24/11)",
        "Cổng trước 3, Sân sau 1. The newest: Movement at Cổng trước.")
    alone = Notification(at(1, 10, "shed", kind="tamper", code="covered"), T0)
    assert told(alone, EN, LABELS, local, T0) == ("shed: the camera is covered", "At 00:10.")
    assert "Nhà bà Sáu" in trial("Nhà bà Sáu", VI)[1] and "the recorder" in trial("", EN)[1]
