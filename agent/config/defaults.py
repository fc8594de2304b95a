"""`[camera_defaults]`: values for all cameras, given once; a camera's own keys override them."""
from collections.abc import Iterator
from dataclasses import replace
from itertools import takewhile
from typing import Any

from agent.config.check import ConfigProblem, check_table
from agent.config.settings import Camera

TABLE = "camera_defaults"
OWN = ("name", "title", "source")        # what two cameras cannot share

Toml = dict[str, Any]


def apart(table: Toml) -> tuple[Toml, Any]:
    """Splits the parsed file into the rest and its defaults (any TOML value; {} if missing)."""
    return {key: value for key, value in table.items() if key != TABLE}, table.get(TABLE, {})


def check_common(common: Any) -> Iterator[ConfigProblem]:
    path = (TABLE,)
    for problem in check_table(common, Camera, path):
        if problem.path not in ((TABLE, key) for key in OWN):
            yield problem
    if isinstance(common, dict):
        for key in OWN:
            if key in common:
                yield ConfigProblem((*path, key), "belongs to one camera: give it in its [[camera]]")


def merged(own: Toml, common: Toml) -> Toml:
    """Returns the file with the defaults copied into each camera. Both parts are checked already."""
    if "camera" not in own:
        return own
    return {**own, "camera": [_over(camera, common) for camera in own["camera"]]}


def _over(camera: Toml, common: Toml) -> Toml:
    inner = {key: _over(camera[key], value) for key, value in common.items()
             if isinstance(value, dict) and key in camera}
    return {**common, **camera, **inner}


def placed(problem: ConfigProblem, own: Toml, common: Toml) -> ConfigProblem:
    """Returns the problem at the place where its value is written: in the camera or in the defaults."""
    if len(problem.path) < 3 or problem.path[0] != "camera":
        return problem
    rest = tuple(takewhile(lambda part: isinstance(part, str), problem.path[2:]))      # lists are replaced as a whole
    if not _has(own["camera"][problem.path[1]], rest) and _has(common, rest):
        return replace(problem, path=(TABLE, *problem.path[2:]))
    return problem


def _has(table: Any, path: tuple[str | int, ...]) -> bool:
    for key in path:
        if not isinstance(table, dict) or key not in table:
            return False
        table = table[key]
    return True
