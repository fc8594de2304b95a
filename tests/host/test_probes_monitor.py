"""The monitor: heartbeats and probes in, a report out."""
import pytest

from agent.core.contract.facts import Beat, CameraFacts
from agent.core.health.report import RoleReport
from agent.host.probes.machine import Probes
from agent.process.monitor import FORGET_S, KNOWN, KNOWN_FOR_S, UNITS_N_MAX, Monitor
from tests.host import trees
from tests.rigs.device.beats import own_facts

UNITS = {"capture@gate": "capture", "keeper": "keeper", "link": "link"}


def monitor(tmp_path, **options):
    """A monitor of a Zero 2 W that expects three units."""
    tree = trees.zero2w(tmp_path)
    return Monitor(Probes(tree.store, root=tree.root), UNITS, now_mono_s=1000.0, **options)


def beat(unit, *, up_s=500.0, starts_n=1, cameras=(), **facts):
    """A heartbeat of `unit`."""
    return Beat(role=unit.partition("@")[0], unit=unit, pid=1, mono_s=0.0, up_s=up_s, starts_n=starts_n,
                cameras=list(cameras), facts=own_facts(unit.partition("@")[0], **facts))


def test_a_report_has_the_machine_the_roles_and_the_cameras(tmp_path):
    watch = monitor(tmp_path)
    gate = CameraFacts(camera="gate", state="ok", source="rtsp", fps=15.0, last_frame_age_s=0.1)
    watch.receive(beat("capture@gate", cameras=[gate], starts_n=3), 1001.0)
    watch.receive(beat("keeper"), 1001.0)
    watch.receive(beat("link", broker="connected"), 1001.0)
    report = watch.look(1002.0)
    assert report.host.soc_temp_c == 51.54
    assert report.cameras == (gate,)
    assert report.roles == {"capture": RoleReport("ok", 2), "keeper": RoleReport("ok", 0), "link": RoleReport("ok", 0)}
    assert report.card_days_left is None
    assert [each.code for each in report.conditions] == ["memory_unlimited"]


def test_a_role_is_unknown_at_first_and_down_after_a_silence(tmp_path):
    watch = monitor(tmp_path)
    watch.receive(beat("capture@gate", cameras=[CameraFacts(camera="gate", state="ok", source="rtsp")]), 1000.0)
    watch.receive(beat("link"), 1000.0)
    assert set(watch.look(1010.0).roles) == {"capture", "link"}
    watch.receive(beat("link"), 1016.0)
    report = watch.look(1016.0)
    states = {role: each.state for role, each in report.roles.items()}
    assert states == {"capture": "down", "keeper": "down", "link": "ok"}
    worst = [(each.code, each.unit) for each in report.conditions[:2]]
    assert worst == [("role_down", "capture@gate"), ("role_down", "keeper")]
    assert report.cameras == (CameraFacts(camera="gate", source="rtsp", state="failed", fault="role_down"),)


def test_three_starts_in_ten_minutes_are_a_loop_and_a_calm_ends_it(tmp_path):
    watch = monitor(tmp_path)
    for now_mono_s, starts_n in ((1000.0, 1), (1100.0, 2), (1200.0, 3)):
        watch.receive(beat("keeper", up_s=1.0, starts_n=starts_n), now_mono_s)
        report = watch.look(now_mono_s)
    assert report.roles["keeper"] == RoleReport("restarting", 2)
    assert ("role_restarting", "keeper") in [(each.code, each.unit) for each in report.conditions]
    watch.receive(beat("keeper", up_s=600.0, starts_n=3), 1800.0)
    assert watch.look(1800.0).roles["keeper"] == RoleReport("ok", 2)


def test_a_unit_that_ran_before_we_did_has_not_just_started(tmp_path):
    watch = monitor(tmp_path)
    for now_mono_s, up_s, starts_n in ((1000.0, 900.0, 7), (1001.0, 0.0, 8), (1002.0, 0.0, 9)):
        watch.receive(beat("keeper", up_s=up_s, starts_n=starts_n), now_mono_s)
    assert watch.look(1003.0).roles["keeper"].state == "ok"


def test_a_unit_that_nobody_expects_is_judged_then_forgotten(tmp_path):
    watch = monitor(tmp_path)
    watch.receive(beat("capture@old"), 1000.0)
    assert "capture@old" in [each.unit for each in watch.look(1001.0).units]
    assert [each.unit for each in watch.look(1001.0 + FORGET_S).units] == sorted(UNITS)


def test_strange_units_are_bounded_and_counted_and_never_crowd_out_our_own(tmp_path):
    watch = monitor(tmp_path)
    for number in range(200):
        watch.receive(beat(f"capture@{number}"), 1000.0)
    watch.receive(beat("keeper"), 1000.0)
    report = watch.look(1001.0)
    assert len(report.units) == UNITS_N_MAX
    assert watch.dropped_n == 200 - (UNITS_N_MAX - len(UNITS))
    assert report.roles["keeper"].state == "ok"


def test_a_card_that_fills_gets_its_forecast_after_an_hour(tmp_path):
    watch = monitor(tmp_path)
    assert watch.look(1000.0).card_days_left is None
    assert watch.look(2000.0).card_days_left is None
    assert watch.look(4700.0).card_days_left is not None


def test_what_is_written_in_a_day_and_how_long_the_card_takes_it(tmp_path):
    watch = monitor(tmp_path)
    watch.look(1000.0)
    stat = next((tmp_path / "sys").rglob("mmcblk0/stat"))
    words = stat.read_text().split()
    stat.write_text(" ".join([*words[:6], str(int(words[6]) + 2_000_000), *words[7:]]))
    report = watch.look(1000.0 + 7200)
    assert report.card_written_b_per_day == pytest.approx(2_000_000 * 512 * 12)
    assert report.card_life_days[1] == pytest.approx(2.5 * report.card_life_days[0])


def test_a_recorder_without_a_camera_and_a_unit_that_nobody_enabled_are_not_well(tmp_path):
    watch = monitor(tmp_path, cameras_n=0)
    for now_mono_s in (1000.0, 1070.0):
        for unit in ("keeper", "link"):
            watch.receive(beat(unit), now_mono_s)
        found = {(each.code, each.unit, each.severity) for each in watch.look(now_mono_s).conditions}
        assert ("no_camera", None, "warn") in found
    assert ("role_not_started", "capture@gate", "alarm") in found and "role_down" not in {code for code, *_ in found}


def test_days_of_trouble_that_the_keeper_has_counted_are_a_sign_of_the_card_s_end(tmp_path):
    watch = monitor(tmp_path)
    for ill_days_n, code in ((2, False), (3, True)):
        watch.receive(beat("keeper", card_ill_days=ill_days_n), 1001.0)
        assert ("card_ends" in [each.code for each in watch.look(1001.0).conditions]) == code


def test_what_its_maker_promises_is_compared_with_what_was_written(tmp_path):
    watch = monitor(tmp_path, endurance_tb=0.001)
    (tmp_path / "sys/fs/ext4/mmcblk0p2/lifetime_write_kbytes").write_text(f"{10**6}\n")
    assert "card_ends" in [each.code for each in watch.look(1001.0).conditions]


def test_a_page_that_wakes_goes_on_from_what_the_link_knows(tmp_path):
    runtime = tmp_path
    link, page, later = (monitor(tmp_path / name) for name in ("link", "page", "later"))
    for now_mono_s in range(1000, 9000, 600):                   # long enough for a forecast
        link.receive(beat("capture@gate", cameras=[CameraFacts(camera="gate", state="ok", source="rtsp")], starts_n=3),
                     now_mono_s)
        link.receive(beat("link", outbox_n=1), now_mono_s)
        known = link.look(now_mono_s)
    link.leave_known(runtime, "link", now_mono_s + 1)
    page.take_over(runtime, "link", now_mono_s + 31)                    # half a minute later, on a slow card
    seen = page.look(now_mono_s + 31)
    assert seen.conditions == known.conditions and [each.code for each in seen.conditions] == [
        "role_not_started", "memory_unlimited"]
    assert (seen.roles, seen.cameras) == (known.roles, known.cameras)
    assert seen.card_days_left == pytest.approx(known.card_days_left, rel=0.01)
    assert seen.card_written_b_per_day == known.card_written_b_per_day
    assert {unit.unit: round(unit.age_s) for unit in seen.units}["link"] == 1       # as it was for the link

    later.take_over(runtime, "link", now_mono_s + 1 + KNOWN_FOR_S)
    assert later.look(1001.0).roles == {}


@pytest.mark.parametrize("text", ["", "{", "[]", '{"mono_s":1000}', '{"mono_s":1000,"units":{"link":[1,2,3]}}'])
def test_what_no_link_writes_is_not_taken_over(tmp_path, text: str):
    runtime = tmp_path / "run"
    (runtime / "link").mkdir(parents=True)
    (runtime / "link" / KNOWN).write_text(text)
    page = monitor(tmp_path)
    page.take_over(runtime, "link", 1001.0)
    assert page.look(1001.0).roles == {}
