"""A household's change in the text of a configuration: what it says then, what stays, and what is refused."""
import tomllib
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.config.load import TEMPLATE, parse
from agent.config.settings import Camera, Motion, Notify, Sensor, Settings, Zone
from agent.core.contract.setup import (
    CAMERAS_MAX,
    AddCamera,
    ChangeCamera,
    MotionKeys,
    RemoveCamera,
    RemoveNotify,
    SensorKeys,
    SetDevice,
    SetHome,
    SetNotify,
    SetSharing,
    SetStore,
    SetTable,
    SetWard,
    SetWeb,
    TextChange,
    WholeZone,
    in_short,
    keys_set,
)
from agent.privileged.setup.changes import SettingsRefused, changed

TITLE = "Cổng trước"
OWN = """\
# Máy nhà bà Sáu, gắn 12/3
[device]
language = "vi"     # bà không đọc tiếng Anh

[[camera]]
name = "gate"       # cổng
source = "rtsp://me:p%40ss@192.168.1.20/1"
off = [
  "22:00-06:00",    # ban đêm
]
masks = [
  [[0, 0], [0.3, 0],
   [0.3, 1]]
]
privacy_mask = "camera"

[camera.motion]
fps = 4             # đủ

# Sân sau: chú Ba gắn
[[camera]]
name = "yard"
source = "picamera:0"

# Phường
[ward]
enabled = false

[[camera]]
name = "lane"
source = 'v4l2:/dev/video0'
# hết
"""


def only(before: str, after: str) -> tuple[list[str], list[str]]:
    """Lines that are gone, and lines that are new, blank ones aside."""
    old, new = (Counter(line for line in text.splitlines() if line) for text in (before, after))
    return list((old - new).elements()), list((new - old).elements())


def refused(text: str, change: TextChange) -> SettingsRefused:
    with pytest.raises(SettingsRefused) as caught:
        changed(text, change, "taimat.toml")
    return caught.value


def cameras(text: str) -> list[dict[str, Any]]:
    return tomllib.loads(text)["camera"]


@pytest.mark.parametrize("text", [OWN, TEMPLATE.read_text(), ""])
def test_a_camera_is_added_and_removed_and_all_else_stays_as_it_was(text: str):
    source = "rtsp://me:q%22u'o@192.168.1.21/1"
    added = changed(text, AddCamera(name="bep", title=f'{TITLE} "2"', source=source), "f")
    gone, new = only(text, added)
    assert gone == [] and len(new) == 4
    assert cameras(added)[-1] == {"name": "bep", "title": f'{TITLE} "2"', "source": source}
    assert parse(added, "f").camera[-1].label == f'{TITLE} "2"'
    removed = changed(added, RemoveCamera(name="bep"), "f")
    assert only(text, removed) == ([], []) and tomllib.loads(removed) == tomllib.loads(text)


def test_a_key_is_set_where_it_stands_or_behind_the_last_one():
    after = changed(OWN, ChangeCamera(name="gate", title=TITLE, enabled=False), "f")
    assert only(OWN, after) == ([], [f'title = "{TITLE}"', "enabled = false"])
    lines = after.splitlines()
    assert lines.index("enabled = false") < lines.index("[camera.motion]")
    again = changed(after, ChangeCamera(name="gate", enabled=True, source="rtsp://x:y@192.168.1.9/2"), "f")
    assert only(after, again)[1] == ['source = "rtsp://x:y@192.168.1.9/2"', "enabled = true"]
    named = changed(OWN, SetDevice(language="en", title="Nhà"), "f")
    assert only(OWN, named) == (['language = "vi"     # bà không đọc tiếng Anh'],
                                ['language = "en"     # bà không đọc tiếng Anh', 'title = "Nhà"'])


def test_a_removed_camera_takes_its_own_tables_along_and_no_comment_of_another():
    after = changed(OWN, RemoveCamera(name="gate"), "f")
    assert [camera["name"] for camera in cameras(after)] == ["yard", "lane"]
    assert only(OWN, after)[1] == []
    for comment in ("# Máy nhà bà Sáu, gắn 12/3", "# Sân sau: chú Ba gắn", "# Phường", "# hết"):
        assert comment in after.splitlines()
    assert "motion" not in after


def test_a_file_from_another_system_keeps_its_line_ends_and_its_mark():
    foreign = "\ufeff" + OWN.replace("\n", "\r\n")
    after = changed(foreign, ChangeCamera(name="yard", title=TITLE), "f")
    assert after.startswith("\ufeff#") and after.count("\n") == after.count("\r\n") == foreign.count("\n") + 1
    assert after[1:].replace("\r\n", "\n") == changed(OWN, ChangeCamera(name="yard", title=TITLE), "f")


@pytest.mark.parametrize("text", [
    'camera = [{name = "gate", source = "picamera:0"}]\n',
    'device.title = "x"\n[[camera]]\nname="gate"\nsource="picamera:0"',
    '[[ camera ]]\n"name" = \'gate\'\nsource = """picamera:0"""'])
def test_other_ways_to_write_it_are_changed_or_refused_and_never_spoiled(text: str):
    for change in (AddCamera(name="bep", source="picamera:1"), ChangeCamera(name="gate", title=TITLE),
                   RemoveCamera(name="gate"), SetDevice(title=TITLE)):
        try:
            after = changed(text, change, "f")
        except SettingsRefused as error:
            assert error.problem == "broken_file"
        else:
            assert tomllib.loads(after) != tomllib.loads(text) and parse(after, "f")


@pytest.mark.parametrize(("change", "problem"), [
    (AddCamera(name="gate", source="picamera:1"), "name_taken"),
    (AddCamera(name="network", source="picamera:1"), "name_taken"),
    (AddCamera(name="Cổng", source="picamera:1"), "not_valid"),
    (AddCamera(name="x", source="picamera:1", title="a\nb"), "not_valid"),
    (AddCamera(name="x", source="file:/etc/shadow"), "not_allowed"),
    (AddCamera(name="x", source="v4l2:/dev/../etc/shadow"), "not_allowed"),
    (AddCamera(name="x", source="v4l2:/dev/mem"), "not_allowed"),
    (AddCamera(name="x", source="rtsp://192.168.1.2/1", sub="file:/etc/shadow"), "not_allowed"),
    (ChangeCamera(name="gate", source="file:/etc/shadow"), "not_allowed"),
    (ChangeCamera(name="gate", source="http://192.168.1.2/"), "not_valid"),
    (ChangeCamera(name="bep", enabled=True), "unknown_camera"),
    (ChangeCamera(name="gate", privacy_mask="paint"), "not_valid"),
    (ChangeCamera(name="gate", off=["Mon 25:00-26:00"]), "not_valid"),
    (ChangeCamera(name="gate", sensor=SensorKeys(flip="both")), "not_valid"),
    (ChangeCamera(name="gate", zone=[WholeZone(name="a"), WholeZone(name="a")]), "not_valid"),
    (ChangeCamera(name="yard", masks=[[(0, 0), (2, 0), (1, 1)]]), "not_valid"),
    (SetStore(keep_days=0), "not_valid"), (SetHome(enabled=True), "not_valid"),
    (SetWeb(afar=["0.0.0.0/0"]), "not_valid"), (SetWeb(afar=["::/0"]), "not_valid"), (SetWeb(afar=["x"]), "not_valid"),
    (SetWard(enabled=True), "not_valid"),
    (SetSharing(never=["fire"], allow=["fire"]), "not_valid"),
    (RemoveCamera(name="bep"), "unknown_camera")])
def test_what_can_not_be_is_refused_with_its_reason(change: TextChange, problem: str):
    assert refused(OWN, change).problem == problem


def test_there_are_no_more_cameras_than_a_recorder_could_ever_have():
    many = "".join(f'[[camera]]\nname = "c{n}"\nsource = "picamera:0"\n' for n in range(CAMERAS_MAX))
    assert refused(many, AddCamera(name="x", source="picamera:1")).problem == "too_many_cameras"


@pytest.mark.parametrize(("broken", "line"), [
    (OWN.replace('"yard"', '"yard'), "taimat.toml:22:"), (OWN.replace("fps", "fpss"), "taimat.toml:18")])
def test_a_broken_file_is_named_with_its_line(broken: str, line: str):
    error = refused(broken, SetDevice(title=TITLE))
    assert error.problem == "broken_file" and line in str(error)


def test_no_password_is_in_what_is_said():
    for text, change in ((OWN, AddCamera(name="x", source="rtsp://me:geheim@/1")),
                         (OWN, AddCamera(name="X", source="rtsp://me:geheim@192.168.1.2/1")),
                         (OWN.replace('"rtsp://me:p%40ss@', '"rtsp://me:geheim@ @'), SetDevice(title=TITLE))):
        assert "geheim" not in str(refused(text, change))


@given(title=st.text(max_size=40), where=st.sampled_from(["gate", "yard", "lane"]))
def test_whatever_is_typed_the_file_says_that_or_stays(title: str, where: str):
    change = ChangeCamera(name=where, title=title, enabled=False)
    try:
        after = changed(OWN, change, "f")
    except SettingsRefused as error:
        assert error.problem == "not_valid"
        return
    wanted = tomllib.loads(OWN)
    next(camera for camera in wanted["camera"] if camera["name"] == where).update(title=title, enabled=False)
    assert tomllib.loads(after) == wanted
    assert [line for line in OWN.splitlines() if "#" in line and line not in after.splitlines()] == []


CORNER = st.tuples(*[st.integers(0, 1000).map(lambda n: n / 1000)] * 2)
AREA = st.lists(CORNER, min_size=3, max_size=6)
ZONES = st.lists(st.builds(
    WholeZone, name=st.sampled_from(["cửa", "sân", "ngõ 1", "a.b"]), rule=st.sampled_from(["watch", "ignore", "enter"]),
    area=AREA), max_size=4, unique_by=lambda zone: zone.name)
ZONED = OWN.replace("[camera.motion]", """\
# Chỗ để xe
[[camera.zone]]
name = "sân"        # sân trước
area = [[0, 0],     # góc
        [1, 0], [1, 1]]

[camera.motion]""", 1)


@given(zones=ZONES, masks=st.lists(AREA, max_size=3), ignore=st.lists(AREA, max_size=2),
       where=st.sampled_from(["gate", "yard", "lane"]))
def test_whatever_is_drawn_the_file_says_that_or_stays(zones: list[WholeZone], masks: Any, ignore: Any, where: str):
    change = ChangeCamera(name=where, zone=zones, masks=masks, motion=MotionKeys(ignore=ignore))
    try:
        after = changed(ZONED, change, "f")
    except SettingsRefused as error:
        assert error.problem == "not_valid"         # a zone within a mask, or one without an inside
        return
    wanted = tomllib.loads(ZONED)
    camera = next(camera for camera in wanted["camera"] if camera["name"] == where)
    drawn = keys_set(change)
    camera.update(zone=drawn["zone"], masks=drawn["masks"])
    camera.setdefault("motion", {})["ignore"] = drawn["motion"]["ignore"]
    assert tomllib.loads(after) == wanted
    kept = {line.split("# ")[1] for line in ZONED.splitlines() if "# " in line}
    gone = {"sân trước", "góc"} if where == "gate" and "sân" not in {zone.name for zone in zones} else set()
    assert {line.split("# ")[1] for line in after.splitlines() if "# " in line} >= kept - gone


@pytest.mark.parametrize("change", [
    ChangeCamera(name="gate", record="both", off=["Mon-Fri 07:00-17:00"], cool_down_s=30, audio=True),
    ChangeCamera(name="gate", privacy_mask="transcode", motion=MotionKeys(sensitivity="high", smallest_pct=0.5)),
    ChangeCamera(name="yard", sensor=SensorKeys(flip="both", exposure_ev=-0.5, night_fps=5)),
    SetStore(keep_days=5, keep_continuous_days=1.5), SetSharing(default="never", allow=["fire"], snapshots="ask"),
    SetHome(enabled=True, host="192.168.1.5", port=1884, tls=True, snapshots=True), SetWard(enabled=False),
    SetNotify(name="Mai", kinds=["tamper"], cameras=["gate"], zones=["sân"], hours=["22:00-06:00"], quiet=["Sun"],
              at_most_every_min=15, pictures=True),
    SetWeb(afar=["100.64.0.0/10", "fd7a:115c:a1e0::/48"])])
def test_each_key_of_the_contract_is_set_and_comments_stay(change: TextChange):
    secret = {"url_file": "/etc/taimat/u"} if isinstance(change, SetNotify) else {}
    for text in (OWN, changed(OWN, change, "f", secret)):
        after = changed(text, change, "f", secret)
        said = tomllib.loads(after)
        table = said[change.__struct_config__.tag] if isinstance(change, SetTable) else next(
            each for each in said["notify" if secret else "camera"] if each["name"] == change.name)
        for key, value in keys_set(change).items():
            assert table[key] == ({**table[key], **value} if isinstance(value, dict) else value)
        assert [line for line in OWN.splitlines() if line.startswith("#") and line not in after.splitlines()] == []
        for comment in ("# ban đêm", "# cổng", "# đủ", "# bà không đọc tiếng Anh"):
            assert comment in after


def test_a_camera_that_notifications_are_about_stays():
    notified = changed(OWN, SetNotify(name="Mai", cameras=["gate"]), "f", {"url_file": "/u"})
    with pytest.raises(SettingsRefused, match="Mai names gate") as refused:
        changed(notified, RemoveCamera(name="gate"), "f")
    assert refused.value.problem == "camera_notified"
    assert "notify" not in tomllib.loads(changed(notified, RemoveNotify(name="Mai"), "f"))


def test_a_zone_that_notifications_are_about_stays_with_its_name():
    area = [(0, 0), (1, 0), (1, 1)]
    gate, yard, way = (WholeZone(name=name, area=area) for name in ("cổng", "sân", "lối vào"))
    drawn = changed(OWN, ChangeCamera(name="gate", zone=[gate, yard]), "f")
    notified = changed(drawn, SetNotify(name="Mai", zones=["cổng"]), "f", {"url_file": "/u"})
    for change in (ChangeCamera(name="gate", zone=[way, yard]),
                   RemoveCamera(name="gate")):
        with pytest.raises(SettingsRefused, match="Mai names the zone cổng") as refused:
            changed(notified, change, "f")
        assert refused.value.problem == "zone_notified"
    assert "sân" not in changed(notified, ChangeCamera(name="gate", zone=[gate]), "f")


def test_the_ledger_hears_keys_and_no_values():
    told = in_short(ChangeCamera(name="gate", source="rtsp://me:secret@h/1", motion=MotionKeys(ignore=[]), zone=[]))
    assert told == {"what": "change_camera", "camera": "gate", "keys": ["motion.ignore", "source", "zone"]}
    assert in_short(SetHome(host="h")) == {"what": "home", "keys": ["host"]}


def test_every_key_of_the_contract_is_one_of_the_configuration():
    settings = Settings()
    tables = [(each, type(getattr(settings, each.__struct_config__.tag))) for each in SetTable.__args__]
    for kind, known in [*tables, (ChangeCamera, Camera), (MotionKeys, Motion), (SensorKeys, Sensor), (WholeZone, Zone),
                        (SetNotify, Notify)]:
        assert set(kind.__struct_fields__) - {"password", "url"} <= set(known.__struct_fields__)
