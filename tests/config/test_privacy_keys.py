"""Who paints the masks: what the configuration allows, and what it says of the rest."""
from pathlib import Path

import pytest

from agent.config.derived import declared, silenced, transcodes
from agent.config.load import ConfigError, load

AREA = "[[[0, 0], [0.5, 0], [0.5, 1]]]"


def written(tmp_path: Path, keys: str) -> Path:
    path = tmp_path / "t.toml"
    path.write_text(f'[[camera]]\nname = "gate"\n{keys}\n')
    return path


@pytest.mark.parametrize(("keys", "told"), [
    (f'source = "file:/x.mp4"\nmasks = {AREA}', ['privacy_mask = "transcode"', 'privacy_mask = "camera"']),
    (f'source = "v4l2:/dev/video0"\nmasks = {AREA}\nprivacy_mask = "transcode"', ['leave it at "paint"']),
    (f'source = "picamera:0"\nmasks = {AREA}\nprivacy_mask = "camera"', ['leave it at "paint"']),
    ('source = "file:/x.mp4"\nprivacy_mask = "blur"', ['"paint" or "transcode" or "camera"'])])
def test_what_does_not_go_together_names_the_way_out(tmp_path: Path, keys: str, told: list[str]):
    with pytest.raises(ConfigError) as refused:
        load(written(tmp_path, keys))
    assert all(each in str(refused.value) for each in told)


@pytest.mark.parametrize(("how", "painted"), [("transcode", True), ("camera", False)])
def test_both_ways_out(tmp_path: Path, how: str, painted: bool):
    camera = load(written(tmp_path, f'source = "file:/x.mp4"\nmasks = {AREA}\nprivacy_mask = "{how}"')).camera[0]
    assert (transcodes(camera), declared(camera)) == (painted, not painted)
    assert silenced(camera) == ([] if painted else camera.masks)


def test_without_masks_there_is_nothing_to_do(tmp_path: Path):
    camera = load(written(tmp_path, 'source = "file:/x.mp4"\nprivacy_mask = "transcode"')).camera[0]
    assert not transcodes(camera) and not declared(camera)
