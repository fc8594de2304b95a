"""Keys and tables set in a TOML text, in whichever way it is written: also those that no page changes yet."""
import tomllib
from typing import Any

import pytest

from agent.config.toml_text import Path, add_to_array, remove_table, set_key

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
