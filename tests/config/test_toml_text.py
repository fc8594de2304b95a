"""Keys and tables set in a TOML text, in whichever way it is written: also those that no page changes yet."""
import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.config.toml_text import Path, add_to_array, remove_key, remove_table, set_key

TEXT = """\
[[camera]]
name = "gate"
motion.fps = 4      # dotted

[[camera.zone]]
name = "door"       # hers
area = [
  [0.1, 0.4],
  [0.6, 0.4],
  [0.6, 1]
]

# the lane
[[camera.zone]]
name = "lane"

# second
[[camera]]
name = "yard"
sensor = {flip = "none"}

[camera.motion]
fps = 5             # enough
"""
ZONES = [{"name": "a", "area": [[0, 0], [1, 0], [1, 0.5]]}, {"name": "b, c", "rule": "ignore"}]


@pytest.mark.parametrize(("path", "value"), [
    (("camera", 0, "motion", "fps"), 3), (("camera", 1, "motion", "fps"), 3), (("camera", 1, "sensor", "flip"), "both"),
    (("camera", 0, "masks"), [[[0, 0], [0.3, 0], [0.3, 1]]]), (("camera", 0, "zone"), ZONES),
    (("camera", 0, "zone"), []), (("camera", 1, "zone"), ZONES), (("sharing", "never"), ["theft"]),
    (("camera", 0, "sensor", "flip"), "both"), (("camera", 1, "motion", "ignore"), [])])
def test_the_key_says_that_and_nothing_else_is_another(path: Path, value: Any):
    after = set_key(TEXT, path, value)
    wanted: Any = tomllib.loads(TEXT)
    here = wanted
    for part in path[:-1]:
        here = here[part] if isinstance(part, int) else here.setdefault(part, {})
    here[path[-1]] = value
    assert tomllib.loads(after) == wanted
    kept = [line for line in TEXT.splitlines() if line.startswith("# ") or "# enough" in line and path[-1] != "fps"]
    assert [line for line in kept if line not in after.splitlines()] == []


def test_a_dictionary_leaves_the_other_keys_alone():
    after = set_key(TEXT, ("camera", 1), {"motion": {"sensitivity": "high"}, "sensor": {"focus": "once"}})
    assert tomllib.loads(after)["camera"][1] == {
        "name": "yard", "sensor": {"flip": "none", "focus": "once"}, "motion": {"fps": 5, "sensitivity": "high"}}


def test_a_line_of_a_list_is_no_header():
    assert tomllib.loads(remove_table(TEXT, ("camera", 0, "zone", 0)))["camera"][0]["zone"] == [{"name": "lane"}]
    text = add_to_array(TEXT, "camera", {"name": "new"})
    assert tomllib.loads(text)["camera"][2] == {"name": "new"} and text.startswith(TEXT.rstrip("\n"))


CORNERS = st.lists(st.tuples(*[st.floats(0, 1).map(lambda value: round(value, 4))] * 2).map(list), max_size=5)
ANY_ZONES = st.lists(st.fixed_dictionaries(
    {"name": st.sampled_from(["door", "lane", "a", "b c", "Sân #1", 'q"]'])},
    optional={"area": CORNERS, "rule": st.sampled_from(["ignore", "enter"]), "dwell_s": st.floats(0, 9)}),
    max_size=5, unique_by=lambda zone: zone["name"])


def comments(text: str) -> list[str]:
    return [line.split("#", 1)[1] for line in text.splitlines() if "#" in line.replace("Sân #1", "")]


@given(lists=st.lists(ANY_ZONES, min_size=1, max_size=3), camera=st.sampled_from([0, 1]))
def test_a_whole_list_takes_the_place_of_another_and_the_rest_stays(lists: list[Any], camera: int):
    text, wanted = TEXT, tomllib.loads(TEXT)
    for zones in lists:
        text = set_key(text, ("camera", camera, "zone"), zones)
        wanted["camera"][camera]["zone"] = zones
        assert tomllib.loads(text) == wanted
        assert {" the lane", " second", " enough", " dotted"} <= set(comments(text))


@given(areas=st.lists(CORNERS, max_size=4), key=st.sampled_from([("masks",), ("motion", "ignore")]))
def test_areas_are_set_and_every_comment_stays(areas: list[Any], key: tuple[str, ...]):
    text = TEXT.replace("motion.fps = 4", "masks = [\n  [[0, 0], [1, 1]],  # the neighbours\n]"
                                                 "  # asked for\nmotion.fps = 4")
    after = set_key(text, ("camera", 0, *key), areas)
    wanted = tomllib.loads(text)
    here = wanted["camera"][0] if key == ("masks",) else wanted["camera"][0]["motion"]
    here[key[-1]] = areas
    assert tomllib.loads(after) == wanted
    assert sorted(comments(after)) == sorted(comments(text))


def test_a_zone_that_keeps_its_name_keeps_its_lines():
    known = tomllib.loads(TEXT)["camera"][0]["zone"]
    new = {"name": "yard", "area": [[0, 0], [1, 0], [1, 1]]}
    after = set_key(TEXT, ("camera", 0, "zone"), [known[0], {**known[1], "rule": "ignore"}, new])
    lines = ['rule = "ignore"', "", "[[camera.zone]]", 'name = "yard"', "area = [", "    [0, 0],", "    [1, 0],",
             "    [1, 1],", "]"]
    assert after == TEXT.replace('name = "lane"\n', "\n".join(['name = "lane"', *lines, ""]))
    back = set_key(after, ("camera", 0, "zone"), known)
    assert back == TEXT


def test_an_array_of_the_whole_file_has_tables_of_its_own():
    after = set_key(TEXT, ("notify",), [{"name": "phone"}, {"name": "mail"}])
    assert after.startswith(TEXT.rstrip("\n")) and after.count("[[notify]]") == 2
    assert tomllib.loads(set_key(after, ("notify",), [{"name": "mail"}]))["notify"] == [{"name": "mail"}]


def test_a_key_is_taken_away_and_what_was_written_behind_it_stays():
    after = remove_key(TEXT, ("camera", 1, "motion", "fps"))
    assert tomllib.loads(after)["camera"][1]["motion"] == {} and "# enough" in after
