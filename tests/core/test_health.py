"""The health rules and their machine: thresholds, root causes, holds, and that nothing flaps."""
from dataclasses import replace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.contract.facts import Beat, CameraFacts, RefusedVersion
from agent.core.health.conditions import CODES
from agent.core.health.facts import Facts, HostFacts, UnitFacts
from agent.core.health.machine import EPISODES_N_MAX, HealthMachine
from tests.rigs.device.beats import own_facts

STEP_S = 5.0
WELL = HostFacts(up_s=5e5, mem_avail_b=200_000_000, mem_total_b=440_000_000, mem_limits=True, soc_temp_c=50.0,
                 throttle=0, volt_low=False, clock="ntp", card_missing=False, card_hung=False, card_error=False,
                 card_errors_n=0, card_errors_new_n=0, read_only=False, disk_tot_b=64_000_000_000,
                 disk_free_b=20_000_000_000, inodes_tot_n=4_000_000, inodes_free_n=3_900_000, net_up=True)


def camera(name="gate", **changes):
    """A camera that is well, but for `changes`."""
    well = {"camera": name, "state": "ok", "source": "rtsp", "last_frame_age_s": 0.1, "fps": 15.0, "fps_set": 15.0,
            "luma_fps": 5.0, "recording": True}
    return CameraFacts(**(well | changes))


def unit(role="capture", name=None, *, age_s=1.0, up_s=3600, starts_n=1, cameras=(), **facts):
    """A process with its newest heartbeat."""
    name = name or (f"capture@{cameras[0].camera}" if cameras else role)
    beat = Beat(role=role, unit=name, pid=7, mono_s=0, up_s=up_s, starts_n=starts_n, cameras=list(cameras),
                facts=own_facts(role, **facts))
    return UnitFacts(name, role, age_s, starts_n, beat)


def facts(*units, days_left=None, continuous=(), cameras_n=None, **host):
    """One look at a device that is well, but for what is given."""
    return Facts(host=replace(WELL, **host), units=units, days_left=days_left, continuous=frozenset(continuous),
                 cameras_n=cameras_n)


def lasting(look, for_s=1200.0):
    """What is shown after `look` has been the case for `for_s`."""
    machine, shown = HealthMachine(), ()
    for step in range(int(for_s / STEP_S) + 1):
        machine, shown = machine.step(look, step * STEP_S)
    return shown


def codes(conditions):
    """The conditions' codes, in their order."""
    return [each.code for each in conditions]


def test_a_device_that_is_well_has_no_condition():
    assert lasting(facts(unit(cameras=[camera()]), unit("keeper"), unit("link", broker="connected", outbox_n=0))) == ()


def test_a_full_card_s_detail_tells_how_much_on_it_is_no_clip_where_the_keeper_knows():
    look = facts(unit("keeper", clips_b=3_000_000_000), disk_tot_b=64_000_000_000, disk_free_b=12_000_000)
    assert [each.detail for each in lasting(look)] == ["12 MB free, 60988 MB no clips"]
    look = facts(unit("keeper"), disk_tot_b=64_000_000_000, disk_free_b=12_000_000)
    assert [each.detail for each in lasting(look)] == ["12 MB free"]


def test_a_device_of_which_nothing_is_known_has_no_condition():
    assert lasting(Facts()) == ()


@pytest.mark.parametrize(("code", "severity", "look"), [
    ("power_low", "alarm", facts(volt_low=True)),
    ("power_was_low", "info", facts(throttle=0x50000)),
    ("hot", "warn", facts(soc_temp_c=80.0)),
    ("hot", "alarm", facts(soc_temp_c=85.0)),
    ("throttled", "warn", facts(throttle=0x4)),
    ("memory_low", "warn", facts(mem_avail_b=30_000_000)),
    ("memory_unlimited", "info", facts(mem_limits=False)),
    ("watchdog_reset", "info", facts(watchdog_reset=True, up_s=600.0)),
    ("clock_unset", "warn", facts(clock="unset")),
    ("network_down", "warn", facts(unit("link", broker="unreachable"), net_up=False)),
    ("card_missing", "alarm", facts(card_missing=True)),
    ("card_hung", "alarm", facts(card_hung=True)),
    ("card_io", "alarm", facts(card_error=True)),
    ("card_io", "alarm", facts(card_errors_n=4, card_errors_new_n=1)),
    ("card_io", "warn", facts(card_errors_n=4)),
    ("card_io", "alarm", facts(unit(cameras=[camera(write_fault="card_io")]))),
    ("card_read_only", "alarm", facts(read_only=True)),
    ("card_read_only", "alarm", facts(unit("link", card_fault="card_read_only"))),
    ("card_given_up", "alarm", facts(card_given_up=True)),
    ("card_full", "alarm", facts(disk_free_b=2_000_000_000)),
    ("card_full", "alarm", facts(unit(cameras=[camera(write_fault="card_full")]))),
    ("inodes_low", "warn", facts(inodes_free_n=100_000)),
    ("inodes_low", "alarm", facts(unit(cameras=[camera(write_fault="inodes_low")]))),
    ("card_missing", "alarm", facts(unit(cameras=[camera(write_fault="card_missing")]))),
    ("card_ends", "warn", replace(facts(), card_end="worn: 90 %")),
    ("card_went_back", "warn", facts(unit("keeper", card_went_back="message 10481 is at the ward"))),
    ("clip_redated", "warn", facts(unit("keeper", redated_n=3))),
    ("card_drops_writes", "alarm", facts(unit("keeper", card_drops="9 messages were on it, 7 are"))),
    ("database_damaged", "warn", facts(unit("keeper", database_aside="taimat.db.damaged-1"))),
    ("database_unclear", "warn", facts(unit("keeper", database_unclear=True))),
    ("database_held", "warn", facts(unit(cameras=[camera(database_held_by=0)]))),
    ("nothing_signed", "warn", facts(unit("keeper", key_fault="signing.key can't be used"))),
    ("card_days_low", "warn", facts(days_left=1.5)),
    ("holds_over", "warn", facts(unit("keeper", holds_over="gate-0b007001-000007 (case 7)"))),
    ("no_camera", "warn", facts(unit("keeper"), cameras_n=0)),
    ("role_not_started", "alarm", facts(unit("keeper"), UnitFacts("capture@gate", "capture", 61.0))),
    ("role_not_started", "warn", facts(unit("web"), UnitFacts("keeper", "keeper", 61.0))),
    ("role_down", "warn", facts(unit("keeper", age_s=16.0))),
    ("role_down", "warn", facts(unit("web"), UnitFacts("keeper", "keeper", 59.0))),
    ("role_down", "warn", facts(UnitFacts("keeper", "keeper", 61.0))),               # nobody is heard: a deaf monitor
    ("role_down", "alarm", facts(unit("run"), UnitFacts("capture@gate", "capture", 61.0))),
    ("role_down", "alarm", facts(unit(cameras=[camera()], age_s=16.0))),
    ("role_restarting", "warn", facts(unit("web", starts_n=3))),
    ("update_refused", "info", facts(unit("keeper", refused=RefusedVersion("2.0.0", "web dies", "web")))),
    ("config_rejected", "warn", facts(unit("keeper", config_fault="line 3"), unit("link", config_fault="line 3"))),
    ("camera_auth", "alarm", facts(unit(cameras=[camera(state="retrying", fault="camera_auth")]))),
    ("camera_certificate", "alarm", facts(unit(cameras=[camera(state="retrying", fault="camera_certificate")]))),
    ("camera_unreachable", "alarm", facts(unit(cameras=[camera(state="retrying", fault="camera_unreachable")]))),
    ("camera_not_found", "alarm", facts(unit(cameras=[camera(state="retrying", fault="camera_not_found")]))),
    ("camera_no_frames", "alarm", facts(unit(cameras=[camera(state="stalled")]))),
    ("camera_no_frames", "alarm", facts(unit(cameras=[camera(last_frame_age_s=9.5)], age_s=1.0))),
    ("camera_no_frames", "alarm", facts(unit(cameras=[camera(state="starting", last_frame_age_s=None)]))),
    ("camera_frozen", "alarm", facts(unit(cameras=[camera(fault="camera_frozen")]))),
    ("camera_frozen", "alarm", facts(unit(cameras=[camera(tampered=("moved", "frozen"))]))),
    ("camera_tampered", "alarm", facts(unit(cameras=[camera(tampered=("covered",))]))),
    ("camera_stream_bad", "alarm", facts(unit(cameras=[camera(state="failed", fault="camera_stream_bad")]))),
    ("encoder_missing", "alarm", facts(unit(cameras=[camera(state="failed", fault="encoder_missing")]))),
    ("masks_unsafe", "alarm", facts(unit(cameras=[camera(state="retrying", fault="masks_unsafe")]))),
    ("encoder_failed", "warn", facts(unit(cameras=[camera(stands_in=True, width=960, height=540,
                                                          reduced_from="1280x720")]))),
    ("encoder_reduced", "info", facts(unit(cameras=[camera(width=960, height=540, reduced_from="1280x720")]))),
    ("camera_recovering", "info", facts(unit(cameras=[camera(ladder="process", ladder_n=1)], starts_n=4))),
    ("camera_given_up", "alarm", facts(unit(cameras=[camera(state="stalled", ladder="spent", ladder_n=4)]))),
    ("pause_unreadable", "warn", facts(unit(cameras=[camera(state="paused", paused_by="unreadable")]))),
    ("hours_unknown", "warn", facts(unit(cameras=[camera(hours_unknown=True)]))),
    ("camera_slow", "warn", facts(unit(cameras=[camera(fps=8.0)]))),
    ("not_recording", "alarm", facts(unit(cameras=[camera(write_fault="io_timeout")]))),
    ("not_recording", "alarm", facts(unit(cameras=[camera(recording=False)]), continuous=["gate"])),
    ("picture_too_large", "warn", facts(unit(cameras=[camera(too_large="8192x8192", luma_fps=0.0)]))),
    ("motion_blind", "warn", facts(unit(cameras=[camera(luma_fps=0.0)]))),
    ("broker_unreachable", "warn", facts(unit("link", broker="unreachable"))),
    ("broker_refused", "warn", facts(unit("link", broker="refused", broker_detail="not authorised"))),
    ("notifications_wait", "warn", facts(unit("link", notify_fault="unreachable"))),
    ("outbox_growing", "warn", facts(unit("link", broker="connected", outbox_n=1500))),
    ("outbox_growing", "warn", facts(unit("link", broker="connected", outbox_n=3, outbox_oldest_s=1000))),
])
def test_each_fault_is_named_once(code, severity, look):
    assert [(each.code, each.severity) for each in lasting(look)] == [(code, severity)]


def test_every_code_of_the_table_has_an_example_above():
    marks = test_each_fault_is_named_once.pytestmark
    assert {example[0] for mark in marks if mark.name == "parametrize" for example in mark.args[1]} == set(CODES)


LOST = {"state": "retrying", "fault": "camera_not_found", "last_frame_age_s": 60.0, "fps": 0.0, "luma_fps": 0.0}
UNREACHABLE = {"state": "retrying", "fault": "camera_unreachable"}


@pytest.mark.parametrize(("cause", "look"), [
    (["card_full"], facts(unit(cameras=[camera(write_fault="card_full", recording=False)]), disk_free_b=0,
                          days_left=0.0, continuous=["gate"])),
    (["card_io"], facts(unit(cameras=[camera(write_fault="card_io")]), card_error=True)),
    # A restart comes before another card.
    (["card_read_only"], facts(unit(cameras=[camera(write_fault="card_io")]),
                               unit("keeper", card_fault="card_read_only"), card_errors_n=1, card_errors_new_n=1)),
    (["card_given_up"], facts(unit(cameras=[camera(write_fault="card_read_only", recording=False)]),
                              unit("keeper", card_fault="card_read_only"), card_given_up=True, read_only=True,
                              card_errors_n=1, continuous=["gate"])),
    (["card_hung"], facts(unit(cameras=[camera(write_fault="io_timeout")]), card_hung=True)),
    (["card_missing"], facts(unit(cameras=[camera(write_fault="card_read_only")]), card_missing=True, disk_free_b=0,
                             inodes_free_n=0)),
    (["card_read_only"], facts(unit(cameras=[camera(write_fault="card_read_only"),
                                             camera("yard", write_fault="card_read_only")]))),
    (["power_low"], facts(unit(cameras=[camera(source="picamera", **LOST)]), volt_low=True, throttle=0x50005)),
    (["power_low"], facts(unit(cameras=[camera(fps=5.0)]), volt_low=True, throttle=0x50007)),
    (["hot"], facts(unit(cameras=[camera(fps=5.0)]), soc_temp_c=86.0, throttle=0x80008)),
    (["throttled"], facts(unit(cameras=[camera(fps=5.0)]), throttle=0x2)),
    (["role_down"], facts(unit(cameras=[camera(**LOST), camera("yard", state="stalled")], age_s=20.0))),
    (["role_restarting"], facts(unit(cameras=[camera(**LOST)], starts_n=5))),
    (["role_restarting"], facts(unit(cameras=[camera()], starts_n=5, age_s=20.0))),
    (["camera_not_found"], facts(unit(cameras=[camera(source="v4l2", recording=False, **LOST)]), continuous=["gate"])),
    (["camera_not_found"], facts(unit(cameras=[camera(source="v4l2", ladder="spent", ladder_n=2, **LOST)]))),
    (["camera_given_up"], facts(unit(cameras=[camera(state="retrying", fault="camera_no_frames", recording=False,
                                                     ladder="spent", ladder_n=3)]), continuous=["gate"])),
    (["camera_frozen"], facts(unit(cameras=[camera(tampered=("covered", "frozen"))]))),
    (["camera_unreachable"], facts(unit(cameras=[camera(tampered=("covered",), **UNREACHABLE)]))),
    (["network_down"], facts(unit(cameras=[camera(**UNREACHABLE)]), unit("link", broker="connected"), net_up=False)),
    (["network_down"], facts(unit("link", broker="unreachable", outbox_n=2000), net_up=False, clock="unset")),
    (["network_down"], facts(unit("link", notify_fault="unreachable"), net_up=False)),
    (["clock_unset"], facts(unit("link", broker="refused", outbox_n=2000), clock="unset")),
    (["broker_refused"], facts(unit("link", broker="refused", outbox_n=2000))),
    # two faults that have nothing to do with each other are both told, the worse first
    (["camera_not_found", "broker_refused"], facts(unit(cameras=[camera(source="picamera", **LOST)]),
                                                   unit("link", broker="refused"))),
    (["role_down", "camera_auth"], facts(unit(cameras=[camera()], age_s=20.0),
                                         unit(cameras=[camera("yard", state="retrying", fault="camera_auth")]))),
    (["power_low", "camera_unreachable"], facts(unit(cameras=[camera(**UNREACHABLE)]), volt_low=True)),
    (["camera_auth", "not_recording"], facts(
        unit(name="capture", cameras=[camera(state="failed", fault="camera_auth"), camera("yard", recording=False)]),
        continuous=["gate", "yard"])),
])
def test_a_root_cause_is_named_and_its_symptoms_are_not(cause, look):
    assert codes(lasting(look)) == cause


def test_a_condition_says_where_and_since_when_and_what_would_have_explained_it():
    look = facts(unit(cameras=[camera(state="retrying", fault="camera_auth", detail="401 from 192.168.1.20")]))
    shown, = lasting(look)
    assert (shown.unit, shown.camera, shown.since_mono_s) == ("capture@gate", "gate", 0.0)
    assert shown.detail == "401 from 192.168.1.20"
    assert {"role_down", "network_down"} <= set(shown.depends_on)


def test_a_cause_that_shows_later_than_its_symptom_would_holds_it_back():
    """The network is named after 20 s, its camera's fault would be after 10: the camera never shows."""
    look = facts(unit(cameras=[camera(state="retrying", fault="camera_unreachable")]), net_up=False)
    machine, seen = HealthMachine(), []
    for step in range(20):
        machine, shown = machine.step(look, step * STEP_S)
        seen += codes(shown)
    assert set(seen) == {"network_down"}


def test_a_symptom_that_already_shows_makes_way_for_its_cause():
    machine, shown = HealthMachine(), ()
    for step in range(10):
        machine, shown = machine.step(facts(unit(cameras=[camera(**UNREACHABLE)])), step * STEP_S)
    assert codes(shown) == ["camera_unreachable"]
    for step in range(10, 20):
        machine, shown = machine.step(facts(unit(cameras=[camera(**UNREACHABLE)]), net_up=False), step * STEP_S)
    assert codes(shown) == ["network_down"]


@pytest.mark.parametrize(("code", "bad", "better", "well"), [
    ("hot", {"soc_temp_c": 81.0}, {"soc_temp_c": 78.0}, {"soc_temp_c": 76.0}),
    ("memory_low", {"mem_avail_b": 30_000_000}, {"mem_avail_b": 45_000_000}, {"mem_avail_b": 60_000_000}),
    ("card_full", {"disk_free_b": 2_000_000_000}, {"disk_free_b": 4_000_000_000}, {"disk_free_b": 5_000_000_000}),
    ("card_days_low", {"days_left": 1.9}, {"days_left": 2.5}, {"days_left": 3.5}),
])
def test_a_condition_goes_only_when_its_value_has_come_back_by_a_margin(code, bad, better, well):
    machine, seen, now_mono_s = HealthMachine(), [], 0.0
    for look in (better, bad, better, well):
        for _ in range(250):
            now_mono_s += STEP_S
            machine, shown = machine.step(facts(**look), now_mono_s)
        seen.append(codes(shown))
    assert seen == [[], [code], [code], []]


@pytest.mark.parametrize("look", [
    facts(watchdog_reset=True, up_s=90_000.0),                                      # old news
    facts(unit(cameras=[camera(state="starting", last_frame_age_s=None)], up_s=20)),        # a camera may take its time
    facts(unit("link")),                                                            # tells nothing of itself
    facts(net_up=False),                                                            # nothing misses the network
    facts(unit(cameras=[camera(recording=False)])),                                 # between two events
    facts(UnitFacts("keeper", "keeper", 10.0)),                                     # not heard yet
])
def test_what_is_no_fault(look):
    assert lasting(look) == ()


def test_a_card_that_is_well_again_is_not_called_failing_for_long():
    machine, _ = HealthMachine().step(facts(unit("keeper", card_fault="card_io")), 0.0)
    machine, shown = machine.step(facts(unit("keeper")), 5.0)
    assert codes(shown) == ["card_io"]
    assert machine.step(facts(unit("keeper")), 20.0)[1] == ()


def test_a_symptom_that_outlives_its_cause_shows_when_the_cause_is_over():
    lost = unit(cameras=[camera(source="picamera", **LOST)])
    machine, _ = HealthMachine().step(facts(lost, volt_low=True), 0.0)
    seen = {}
    for step in range(1, 60):
        machine, shown = machine.step(facts(lost), step * STEP_S)
        seen[step * STEP_S] = codes(shown)
    assert seen[CODES["power_low"].clear_s - STEP_S] == ["power_low"]
    assert seen[CODES["power_low"].clear_s] == ["camera_not_found"]


def test_a_fault_that_is_shorter_than_its_time_to_show_is_never_shown():
    machine, seen = HealthMachine(), []
    for step in range(40):
        slow = step in (3, 4)
        machine, shown = machine.step(facts(unit(cameras=[camera(fps=5.0 if slow else 15.0)])), step * STEP_S)
        seen += shown
    assert seen == []


def test_a_severity_rises_at_once_and_falls_with_patience():
    machine, seen = HealthMachine(), []
    for step, temp_c in enumerate([81.0] * 4 + [86.0] + [80.0] * 20):
        machine, shown = machine.step(facts(soc_temp_c=temp_c), step * STEP_S)
        seen.append(shown[0].severity if shown else None)
    assert seen[:5] == [None, None, "warn", "warn", "alarm"]
    assert seen[5:16] == ["alarm"] * 11         # 60 s after the last sight of it
    assert set(seen[16:]) == {"warn"}


FLAPS = st.sampled_from([
    lambda on: facts(soc_temp_c=80.1 if on else 79.9),
    lambda on: facts(soc_temp_c=86.0 if on else 20.0),
    lambda on: facts(soc_temp_c=85.1 if on else 81.0),
    lambda on: facts(volt_low=on),
    lambda on: facts(mem_avail_b=35_000_000 if on else 36_000_000),
    lambda on: facts(disk_free_b=3_199_000_000 if on else 3_201_000_000),
    lambda on: facts(card_hung=on),
    lambda on: facts(unit(cameras=[camera(state="stalled" if on else "ok")])),
    lambda on: facts(unit("link", broker="unreachable" if on else "connected")),
    lambda on: facts(unit("link", broker="connected", outbox_n=1001 if on else 999)),
    lambda on: facts(unit("keeper", age_s=16.0 if on else 14.0)),
])


@given(FLAPS, st.lists(st.booleans(), min_size=2, max_size=120))
def test_whatever_the_facts_do_a_condition_stays_for_its_hold_time_at_least(look, flags):
    machine, came_s = HealthMachine(), {}
    for step, on in enumerate(flags):
        now_s = step * STEP_S
        machine, shown = machine.step(look(on), now_s)
        for gone in set(came_s) - set(codes(shown)):
            assert now_s - came_s.pop(gone) >= CODES[gone].clear_s
        for code in codes(shown):
            came_s.setdefault(code, now_s)


@given(FLAPS, st.integers(2, 400))
def test_a_fact_that_toggles_at_each_look_changes_its_condition_once(look, steps):
    machine, changes, before = HealthMachine(), 0, ()
    for step in range(steps):
        machine, shown = machine.step(look(step % 2 == 0), step * 2.0)
        now = [(each.code, each.severity) for each in shown]
        changes += now != before and (bool(now) or bool(before))
        before = now
    assert changes <= 1


@given(st.data())
def test_no_condition_shown_explains_another_one_shown(data):
    pick = data.draw
    one_of, maybe = (lambda *values: pick(st.sampled_from(values))), (lambda: pick(st.booleans()))
    gate = camera(source=one_of("rtsp", "picamera", "v4l2", "file"), fps=one_of(15.0, 3.0), recording=maybe(),
                  state=one_of("ok", "retrying"), write_fault=one_of(None, "card_full", "card_io", "odd"))
    look = facts(unit(cameras=[gate], age_s=one_of(1.0, 30.0), starts_n=one_of(1, 4)),
                 unit("link", broker=one_of("connected", "unreachable", "refused"), outbox_n=one_of(0, 2000)),
                 continuous=["gate"], volt_low=maybe(), read_only=maybe(), net_up=maybe(), card_hung=maybe(),
                 clock=one_of("unset", "ntp"), soc_temp_c=one_of(40.0, 81.0, 90.0))
    shown = lasting(look, 700.0)
    for symptom in shown:
        assert not [cause for cause in shown if cause.code in symptom.depends_on
                    and cause.unit in (None, symptom.unit) and cause.camera in (None, symptom.camera)]


def test_a_flood_of_faults_is_bounded_and_counted_and_the_worst_are_kept():
    cameras = [camera(f"c{number}", luma_fps=0.0) for number in range(400)]
    cameras += [camera(f"d{number}", state="failed") for number in range(9)]
    machine, _ = HealthMachine().step(facts(*(unit(cameras=[each]) for each in cameras), volt_low=True), 0.0)
    assert len(machine.episodes) == EPISODES_N_MAX
    assert machine.dropped_n == 410 - EPISODES_N_MAX
    assert sum(code == "camera_no_frames" for code, _, _ in machine.episodes) == 9


@pytest.mark.parametrize("facts", ['{"of":"link","broker":3}', '{"of":"link","outbox_n":"many"}', '{"of":"nobody"}'])
def test_a_heartbeat_with_facts_of_another_form_is_none(facts):
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(f'{{"type":"beat","role":"link","unit":"link","pid":1,"mono_s":1,"up_s":1,"facts":{facts}}}',
                            type=Beat)


def test_who_holds_the_database_is_named_by_its_heartbeat_s_process():
    held = camera(database_held_by=7)
    found, = lasting(facts(unit("link"), unit(cameras=[held, camera("yard", database_held_by=7)])))
    assert (found.code, found.unit, found.detail) == ("database_held", "link", "process 7")
    for pid, said in ((4711, "process 4711"), (0, "process ?")):
        found, = lasting(facts(unit("link"), unit(cameras=[camera(database_held_by=pid)])))
        assert (found.unit, found.detail) == (None, said)


def test_a_camera_that_can_begin_no_clip_for_a_held_database_does_not_record():
    held = camera(database_held_by=9, write_fault="database_held", recording=False)
    assert set(codes(lasting(facts(unit(cameras=[held]))))) == {"database_held", "not_recording"}
