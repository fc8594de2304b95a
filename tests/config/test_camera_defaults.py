"""[camera_defaults]: said once for all cameras, overruled by each, and its mistakes told at their own place."""
import msgspec
import pytest

from agent.config.load import ConfigError, parse
from agent.config.settings import Settings

GATE = '[[camera]]\nname = "gate"\nsource = "rtsp://h/1"\n'
YARD = '[[camera]]\nname = "yard"\nsource = "rtsp://h/2"\n'
MASK = "[[[0, 0], [1, 0], [1, 1]]]"


def told(text: str) -> str:
    """The mistakes that are found."""
    with pytest.raises(ConfigError) as error:
        parse(text, "t.toml")
    return str(error.value)


def test_a_camera_s_own_keys_come_before_them_key_by_key():
    common = '[camera_defaults]\nrecord = "both"\npre_roll_s = 3\nmotion = {fps = 2, sensitivity = "high"}\n'
    gate, yard = parse(common + GATE + "pre_roll_s = 9\nmotion.fps = 7\n" + YARD, "t.toml").camera
    assert (gate.record, gate.pre_roll_s, gate.motion.fps, gate.motion.sensitivity) == ("both", 9, 7, "high")
    assert (yard.record, yard.pre_roll_s, yard.motion.fps, yard.motion.sensitivity) == ("both", 3, 2, "high")


def test_a_list_is_replaced_as_a_whole():
    common = f'[camera_defaults]\nmasks = {MASK}\nprivacy_mask = "camera"\n'
    gate, yard = parse(common + GATE + "masks = []\n" + YARD, "t.toml").camera
    assert gate.masks == [] and len(yard.masks) == 1


@pytest.mark.parametrize("text", ["", "[camera_defaults]\n", '[camera_defaults]\nrecord = "both"\n'])
def test_without_cameras_they_are_about_nothing(text: str):
    assert msgspec.to_builtins(parse(text, "t.toml")) == msgspec.to_builtins(Settings())


@pytest.mark.parametrize(("text", "expected"), [
    ("[camera_defaults]\nrecrod = true\n" + GATE + YARD,
     "t.toml:2: camera_defaults.recrod: unknown key; did you mean record"),
    ("[camera_defaults]\nmotion = {fps = 99}\n" + GATE,
     "t.toml:2: camera_defaults.motion.fps: takes a number of pictures a second from 1 to 15; it is 99"),
    ('[camera_defaults]\nsource = "rtsp://h/1"\n', "t.toml:2: camera_defaults.source: belongs to one camera"),
    ('[camera_defaults]\nname = 5\n', "t.toml:2: camera_defaults.name: belongs to one camera"),
    ("camera_defaults = 5\n" + GATE, "t.toml:1: camera_defaults: "),
    # Right by itself, and wrong for a camera: told where it is written, not where it is missing.
    (f"[camera_defaults]\nmasks = {MASK}\n" + GATE, "t.toml:2: camera_defaults.masks: can't be painted"),
    (f"[camera_defaults]\nmasks = []\n{GATE}masks = {MASK}\n", "t.toml:6: camera[1].masks: can't be painted"),
])
def test_a_mistake_is_told_where_it_is_written(text: str, expected: str):
    assert told(text).startswith(expected) and "\n" not in told(text)
