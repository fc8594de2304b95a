"""What a household reads about its cameras and its device, from a report to sentences."""
from dataclasses import replace

import pytest

from agent.config.settings import Camera
from agent.core.contract.facts import Beat, CameraFacts, KeeperFacts, LinkFacts, SoundFacts
from agent.core.health.conditions import Condition
from agent.core.health.facts import HostFacts, UnitFacts
from agent.core.health.report import Report, RoleReport
from agent.look.device_words import condition_text
from agent.web.health.health_page import health_view
from agent.web.live import present_camera
from agent.web.live.present_camera import tiles
from agent.web.server import words

VI, EN = words.load("vi"), words.load("en")
GATE = Camera(name="gate", source="file:/gate.mp4")


def report(*cameras: CameraFacts, conditions: tuple[Condition, ...] = (), host: HostFacts | None = None,
           units: tuple[UnitFacts, ...] = (), days_left: float | None = None, **roles: RoleReport) -> Report:
    return Report(1000.0, host or HostFacts(clock="ntp"), units, roles, cameras, days_left, conditions)


def wrong(code: str, severity: str = "alarm", camera: str | None = None, unit: str | None = None) -> Condition:
    return Condition(code=code, severity=severity, since_mono_s=400.0, camera=camera, unit=unit)


@pytest.mark.parametrize("facts, tone, state", [
    (CameraFacts(camera="gate", state="ok", recording=True), "recording", "Đang ghi"),
    (CameraFacts(camera="gate", state="ok", recording=False), "idle", "Đang canh, chờ chuyển động"),
    (CameraFacts(camera="gate", state="ok", recording=False, write_fault="card_full"), "alarm",
     "Có hình nhưng không ghi được"),
    (CameraFacts(camera="gate", state="starting"), "idle", "Đang khởi động"),
    (CameraFacts(camera="gate", state="paused", paused_by="page"), "idle", "Đang khởi động"),      # until a moment ago
    (CameraFacts(camera="gate", state="retrying"), "warn", "Mất hình"),
    (CameraFacts(camera="yard", state="ok"), "idle", "Chưa có tin từ camera này")])
def test_a_cameras_everyday_states(hand_clock, facts, tone, state):
    tile = tiles([GATE], report(facts), hand_clock.now(), VI)[0]
    assert (tile.tone, tile.state, tile.remedy) == (tone, state, "")


def test_a_lost_picture_says_since_when_and_what_to_do(hand_clock):
    now = hand_clock.now()
    lost = CameraFacts(camera="gate", state="retrying", last_frame_age_s=900.0)
    tile = tiles([GATE], report(lost, conditions=(wrong("camera_unreachable", camera="gate"),)), now, EN)[0]
    assert tile.tone == "alarm" and tile.state == f"No picture since {EN.clock(now.wall_ms - 900_000)}"
    assert tile.remedy.startswith("The camera can't be reached. Check the camera's power")


@pytest.mark.parametrize("code", ["camera_frozen", "camera_tampered"])
def test_a_camera_that_shows_the_wrong_thing_is_not_said_to_show_nothing(hand_clock, code):
    seen = CameraFacts(camera="gate", state="ok", last_frame_age_s=0.1)
    tile = tiles([GATE], report(seen, conditions=(wrong(code, camera="gate"),)), hand_clock.now(), EN)[0]
    assert (tile.tone, tile.state, tile.remedy) == ("alarm", *condition_text(code, "en"))


def test_without_a_last_picture_it_is_lost_since_it_was_noticed(hand_clock):
    now = hand_clock.now()
    lost = CameraFacts(camera="gate", state="failed")
    tile = tiles([GATE], report(lost, conditions=(wrong("camera_auth", camera="gate"),)), now, EN)[0]
    assert tile.state == f"No picture since {EN.clock(now.wall_ms - 600_000)}"          # 1000 s minus 400 s ago


def test_a_camera_that_is_off_or_another_ones_fault_is_no_alarm(hand_clock):
    off = Camera(name="off", source="file:/x", enabled=False)
    fault = wrong("camera_auth", camera="yard")
    shown = tiles([off, GATE], report(CameraFacts(camera="gate", state="ok", recording=True), conditions=(fault,)),
                  hand_clock.now(), VI)
    assert [tile.tone for tile in shown] == ["off", "recording"]


def test_one_sentence_when_all_is_well_and_nothing_unknown_is_told(hand_clock):
    shown = health_view(report(), None, hand_clock.now(), VI)
    assert (shown.tone, shown.sentence, shown.problems) == ("good", "Mọi thứ đều ổn", [])
    assert shown.details == [("Đồng hồ", "đúng giờ, theo mạng")]
    assert health_view(None, None, hand_clock.now(), VI).sentence == "Đang kiểm tra…"


def test_the_worst_is_the_sentence_and_the_others_follow(hand_clock):
    conditions = (wrong("card_full"), wrong("camera_slow", "warn", camera="gate"), wrong("power_was_low", "info"),
                  wrong("role_down", "warn", unit="capture@gate"))
    shown = health_view(report(conditions=conditions), None, hand_clock.now(), EN)
    since = EN.clock(hand_clock.now().wall_ms - 600_000)
    assert (shown.tone, shown.sentence) == ("alarm", f"The card is full since {since}")
    assert shown.remedy.startswith("Delete other files")
    assert [problem.title for problem in shown.problems] == [
        "The picture stutters (gate)", "Power was too weak for a while",
        "A part of the recorder has stopped (recording)"]


def test_news_alone_does_not_spoil_the_sentence(hand_clock):
    shown = health_view(report(conditions=(wrong("watchdog_reset", "info"),)), None, hand_clock.now(), EN)
    assert (shown.tone, shown.sentence) == ("good", "Everything is fine") and len(shown.problems) == 1


@pytest.mark.parametrize(("unit", "sentence"), [
    ("link", "A process holds the list of recordings (ward link)"), (None, "A process holds the list of recordings")])
def test_the_part_that_holds_the_database_is_named(hand_clock, unit, sentence):
    shown = health_view(report(conditions=(wrong("database_held", "warn", unit=unit),)), None, hand_clock.now(), EN)
    assert shown.tone == "warn" and shown.sentence.startswith(sentence)
    assert "(" not in shown.sentence.removeprefix(sentence)


def test_the_details_in_units_that_people_know(hand_clock):
    link = Beat(role="link", unit="link", pid=1, mono_s=1, up_s=1, facts=LinkFacts(broker="unreachable", outbox_n=7))
    host = HostFacts(clock="saved", soc_temp_c=51.6, mem_avail_b=210_000_000, mem_total_b=430_000_000, up_s=93_700.0,
                     disk_free_b=1_500_000_000, disk_tot_b=62_000_000_000, net_up=False)
    shown = health_view(report(host=host, units=(UnitFacts("link", "link", 1.0, 0, link),), days_left=2.5,
                          capture=RoleReport("ok", 2)), "no_weights", hand_clock.now(), VI)
    assert shown.details == [
        ("Nhiệt độ", "52 °C"), ("Bộ nhớ", "còn 210 MB trên 430 MB"),
        ("Thẻ nhớ", "còn 1,5 GB trên 62 GB, đủ cho khoảng 2,5 ngày nữa"), ("Đồng hồ", "chưa chắc đúng"),
        ("Mạng", "không có mạng"), ("Phường", "không liên lạc được, 7 tin chờ gửi"), ("Chạy liên tục", "1 ngày 2 giờ"),
        ("Cái gì đã chuyển động", "máy không nhìn: phần đó chưa được cài"),
        ("Ghi hình", "chạy, đã khởi động lại 2 lần")]


def test_the_details_tell_how_long_footage_stays_and_a_card_lasts(hand_clock):
    keeper = Beat(role="keeper", unit="keeper", pid=1, mono_s=1, up_s=1,
                  facts=KeeperFacts(kept_days={"yard": 10.0, "gate": 2.5}))
    seen = replace(report(host=HostFacts(clock="ntp", disk_free_b=6_400_000_000, disk_tot_b=64_000_000_000),
                          units=(UnitFacts("keeper", "keeper", 1.0, 0, keeper),)),
                   card_written_b_per_day=21_600_000_000.0, card_life_days=(296.0, 741.0))
    assert health_view(seen, None, hand_clock.now(), EN).details[1:3] == [
        ("Recordings stay", "gate: 2.5 days; yard: 10 days"),
        ("Card wear", "22 GB written a day; at that rate a new card lasts 0.8 to 2.0 years")]


SILENT = SoundFacts("silent", "aac", 16000)


@pytest.mark.parametrize(("state", "heard", "vi", "en"), [
    ("starting", None, "có ghi", "on"), ("ok", SoundFacts("recorded", "aac", 16000), "có ghi", "on"),
    ("ok", SILENT, "camera báo là có", "none comes"),
    ("paused", SILENT, "có ghi", "on"),
    ("ok", SoundFacts("none"), "camera không gửi", "sends none"),
    ("ok", SoundFacts("unsupported", "g726"), "camera gửi dạng g726", "sends g726")])
def test_a_camera_that_is_to_have_sound_says_whether_it_has(state: str, heard: SoundFacts | None, vi: str, en: str):
    gate = Camera(name="gate", source="rtsp://10.0.0.5/1", audio=True)
    seen = report(CameraFacts(camera="gate", state=state, audio=heard))
    assert vi in present_camera.sound_text(gate, seen, VI) and en in present_camera.sound_text(gate, seen, EN)
    assert (present_camera.sound_text(gate, seen, EN) == EN("sound.on")) == (en == "on")


def test_of_sound_that_nobody_asked_for_nothing_is_said():
    off = report(CameraFacts(camera="gate", state="ok", audio=SoundFacts("off")))
    assert present_camera.sound_text(GATE, off, EN) == ""
    assert present_camera.sound_text(Camera(name="gate", source="rtsp://h/1", audio=True), None, VI) == VI("sound.on")


def test_a_recorder_that_records_nothing_is_not_said_to_be_well(hand_clock):
    conditions = (wrong("role_not_started", unit="capture@network"), wrong("no_camera", "warn"))
    shown = health_view(report(conditions=conditions), None, hand_clock.now(), EN)
    assert shown.tone == "alarm" and "never started (recording)" in shown.sentence
    assert "journalctl -u setup-taimat -u taimat-capture-network" in shown.remedy
    assert [each.title for each in shown.problems] == ["No camera is set up"]
