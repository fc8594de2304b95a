"""A household's change in the text of a configuration: what it says then, what stays, and what is refused."""
import tomllib
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.cli.setup.changes import SettingsRefused, changed
from agent.config.load import TEMPLATE, parse
from agent.core.contract.setup import (
    CAMERAS_MAX,
    AddCamera,
    ChangeCamera,
    Changes,
    RemoveCamera,
    SetDevice,
)

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


def refused(text: str, change: Changes) -> SettingsRefused:
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
    (RemoveCamera(name="bep"), "unknown_camera")])
def test_what_can_not_be_is_refused_with_its_reason(change: Changes, problem: str):
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
