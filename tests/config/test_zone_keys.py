"""[[camera.zone]]: every mistake at its key with its remedy; zones as the core has them; the settings' digest."""
import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.cli.config import document
from agent.config.derived import digest, silenced
from agent.config.load import ConfigError, parse
from agent.config.settings import Camera
from agent.config.zones import ZONES_MAX, zones_of
from agent.core.media.model import Point
from agent.core.vision.zones import Direction, Zone, ZoneRule
from agent.core.vision.zones.geometry import lies_within
from tests.core.zone_looks import area
from tests.rigs.examples import examples

CAMERA = '[[camera]]\nname = "gate"\nsource = "rtsp://h/1"\n'
AREA = "area = [[0.2, 0.2], [0.4, 0.2], [0.4, 0.4]]\n"
WHOLE = "[[0, 0], [1, 0], [1, 1], [0, 1]]"


def zone(name: str = "door", rest: str = AREA) -> str:
    return f'[[camera.zone]]\nname = "{name}"\n{rest}'


def camera(*zones: str, keys: str = "") -> Camera:
    return parse(CAMERA + keys + "".join(zones), "t.toml").camera[0]


def told(text: str) -> str:
    with pytest.raises(ConfigError) as error:
        parse(text, "t.toml")
    return str(error.value)


def test_zones_come_out_as_the_core_knows_them_but_for_those_that_are_ignored():
    drawn = camera(zone("tree", 'rule = "ignore"\narea = [[0.8, 0.8], [1, 0.8], [1, 1]]\n'),
                   zone("cổng phụ 2", 'rule = "dwell"\ndwell_s = 5\n' + AREA),
                   zone("step", 'rule = "cross"\nline = [[0, 1], [1, 0]]\ndirection = "left"\n'))
    corners = (Point(0.2, 0.2), Point(0.4, 0.2), Point(0.4, 0.4))
    assert zones_of(drawn) == [Zone("cổng phụ 2", ZoneRule.DWELL, corners, dwell_s=5),
                               Zone("step", ZoneRule.CROSS, line=(Point(0, 1), Point(1, 0)), direction=Direction.LEFT)]
    assert silenced(drawn) == [[(0.8, 0.8), (1, 0.8), (1, 1)]]


@pytest.mark.parametrize(("zones", "expected"), [
    (zone(rest='rule = "enters"\n' + AREA),
     't.toml:6: camera[1].zone[1].rule: takes "watch" or "ignore" or "enter" or "dwell" or "cross"; it is \'enters\''),
    (zone(rest=""), "t.toml:4: camera[1].zone[1].area: takes at least 3 corners"),
    (zone(rest="area = [[0, 0], [1, 1]]\n"), "t.toml:6: camera[1].zone[1].area: takes at least 3 corners"),
    (zone(rest="area = [[0, 0], [1, 1], [1, 1.5]]\n"), "t.toml:6: camera[1].zone[1].area: takes at least 3 corners"),
    (zone(rest="area = [[0, 0], [0.5, 0.5], [1, 1]]\n"), "t.toml:6: camera[1].zone[1].area: encloses next to nothing"),
    (zone(rest="area = 5\n"), "t.toml:6: camera[1].zone[1].area: takes a list of [x, y] corners"),
    (zone() + zone(), 't.toml:8: camera[1].zone[2].name: "door" is taken by another zone of this camera'),
    (zone(""), "t.toml:5: camera[1].zone[1].name: takes text in quotes: letters, digits"),
    (zone("a,b"), "t.toml:5: camera[1].zone[1].name: takes text in quotes: letters, digits"),
    (zone("a\\n"), "t.toml:5: camera[1].zone[1].name: takes text in quotes: letters, digits"),
    (zone("a" * 21), "t.toml:5: camera[1].zone[1].name: takes text in quotes: letters, digits"),
    ("[[camera.zone]]\n" + AREA, "t.toml:4: camera[1].zone[1].name: is missing"),
    (zone(rest='rule = "dwell"\n' + AREA), "t.toml:4: camera[1].zone[1].dwell_s: is missing"),
    (zone(rest="dwell_s = 3\n" + AREA), 't.toml:6: camera[1].zone[1].dwell_s: is for rule = "dwell"'),
    (zone(rest='direction = "left"\n' + AREA), 't.toml:6: camera[1].zone[1].direction: is for rule = "cross"'),
    (zone(rest="line = [[0, 0], [1, 1]]\n" + AREA), 't.toml:6: camera[1].zone[1].line: is for rule = "cross"'),
    (zone(rest='rule = "cross"\n'), "t.toml:4: camera[1].zone[1].line: takes at least 2 points"),
    (zone(rest='rule = "cross"\nline = [[0, 0], [0, 2]]\n'), "t.toml:7: camera[1].zone[1].line: takes at least 2"),
    (zone(rest='rule = "cross"\nline = [[0, 1], [1, 0], [1, 0]]\n'),
     "t.toml:7: camera[1].zone[1].line: has the same point twice in a row"),
    (zone(rest='rule = "cross"\nline = [[0, 1], [1, 0]]\ndwell_s = 3\n' + AREA),
     "t.toml:9: camera[1].zone[1].area: is for the other rules"),
    (zone(rest="dwel_s = 3\n" + AREA), "t.toml:6: camera[1].zone[1].dwel_s: unknown key; did you mean dwell_s"),
    ("".join(map(zone, map(str, range(ZONES_MAX + 1)))), f"camera[1].zone[{ZONES_MAX + 1}]: is one too many"),
    ("zone = 3\n", "t.toml:4: camera[1].zone: is one of several: write [[camera.zone]]"),
])
def test_a_mistake_is_named_with_its_place_and_remedy(zones: str, expected: str):
    assert expected in told(CAMERA + zones)


@pytest.mark.parametrize("dark", [
    f"motion.ignore = [{WHOLE}]\n", f'masks = [{WHOLE}]\nprivacy_mask = "camera"\n',
    f'masks = [{WHOLE}]\nprivacy_mask = "transcode"\n'], ids=["ignored", "hidden by the camera", "painted"])
@pytest.mark.parametrize(("drawn", "key"), [
    (zone(), "area"), (zone(rest='rule = "cross"\nline = [[0.1, 0.1], [0.9, 0.9]]\n'), "line")], ids=["area", "line"])
def test_a_zone_where_nothing_is_ever_seen_is_a_mistake(dark: str, drawn: str, key: str):
    assert f"camera[1].zone[1].{key}: lies within an area that is ignored or masked" in told(CAMERA + dark + drawn)


def test_so_is_one_within_an_ignored_zone_but_not_one_that_reaches_beyond():
    ignored = zone("tree", 'rule = "ignore"\narea = [[0, 0], [0.5, 0], [0.5, 0.5], [0, 0.5]]\n')
    assert "camera[1].zone[2].area: lies within" in told(CAMERA + ignored + zone())
    assert len(camera(ignored, zone(rest="area = [[0.2, 0.2], [0.6, 0.2], [0.4, 0.4]]\n")).zone) == 2
    assert len(camera(ignored, zone("wall", 'rule = "ignore"\n' + AREA)).zone) == 2


def test_an_area_that_reaches_out_between_the_arms_of_another_does_not_lie_in_it():
    arms = [Point(*at) for at in ((0, 0), (1, 0), (1, 1), (0.6, 1), (0.6, 0.3), (0.4, 0.3), (0.4, 1), (0, 1))]
    assert lies_within(area(0.1, 0.1, 0.9, 0.2), arms)
    assert not lies_within([Point(0.1, 0.9), Point(0.9, 0.9)], arms)
    assert lies_within(arms, arms)


def test_zones_of_the_defaults_are_every_camera_s_and_their_mistakes_are_told_there():
    common = '[camera_defaults]\n[[camera_defaults.zone]]\nname = "street"\n'
    both = '[[camera]]\nname = "yard"\nsource = "rtsp://h/2"\n[[camera.zone]]\nname = "door"\n' + AREA
    gate, yard = parse(common + AREA + CAMERA + both, "t.toml").camera
    assert [each.name for each in (*gate.zone, *yard.zone)] == ["street", "door"]
    assert told(common + CAMERA) == (
        "t.toml:2: camera_defaults.zone[1].area: takes at least 3 corners, each [x, y] with 0 <= x, y <= 1 "
        '(0, 0 is the top left of the picture): rule = "watch" is about what is in it')


names = st.from_regex(r"\A[a-zđạổ]{1,5}( [0-9]{1,3})?\Z")
rules = st.sampled_from(["watch", "enter"])


@settings(max_examples=examples(25))
@given(st.lists(st.tuples(names, rules, st.integers(1, 9)), max_size=4, unique_by=lambda each: each[0]))
def test_zones_that_are_shown_read_back_as_the_same(drawn: list):
    text = CAMERA + "".join(zone(name, f'rule = "{rule}"\narea = [[0, 0.{at}], [1, 0.{at}], [1, 1]]\n')
                            for name, rule, at in drawn)
    read = parse(text, "t.toml")
    assert parse("\n".join(document(read)), "t.toml") == read


# The digest.

def test_the_digest_is_that_of_sorted_json_without_spaces():
    text = ('{"masks":[],"motion":{"enabled":true,"fps":5,"ignore":[],"sensitivity":"normal","smallest_pct":0.1},'
            '"zone":[{"area":[[0.2,0.2],[0.4,0.2],[0.4,0.4]],"direction":"both","dwell_s":0,"line":[],"name":"cổng",'
            '"rule":"watch"}]}')
    assert digest(camera(zone("cổng"))) == hashlib.sha256(text.encode()).hexdigest()[:12]


@pytest.mark.parametrize("keys", [
    "motion.fps = 4\n", 'motion.sensitivity = "low"\n', f"motion.ignore = [{WHOLE}]\n",
    f'masks = [{WHOLE}]\nprivacy_mask = "camera"\n', f'masks = [{WHOLE}]\nprivacy_mask = "transcode"\n', zone(),
    zone(rest='rule = "ignore"\n' + AREA)])
def test_what_changes_what_is_detected_changes_the_digest(keys: str):
    others = {digest(camera()), digest(camera(keys='motion.sensitivity = "high"\n'))}
    assert digest(camera(keys)) not in others


@pytest.mark.parametrize("keys", [
    "pre_roll_s = 9\n", "cool_down_s = 9\n", 'sub = "rtsp://h/2"\n', "motion.fps = 5.0\n", "motion.fps = 5\n",
    'motion.sensitivity = "normal"\n', "zone = []\n"])
def test_what_does_not_leaves_it(keys: str):
    assert digest(camera(keys=keys)) == digest(camera())


def test_cameras_that_are_set_alike_have_the_same():
    assert digest(Camera(name="other", source="picamera:0")) == digest(camera())
