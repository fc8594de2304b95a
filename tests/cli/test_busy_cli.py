"""`taimat busy`, as a technician types it: blocks, reasons, forgetting, and what is said when nothing is known."""
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.cli.picture import picture, reasons
from agent.core.contract.busy import Busy
from agent.core.vision.replay.outcome import SILENCES
from agent.store.folders import Folders
from tests.cli.cli import taimat, write_config
from tests.rigs.cameras.busy_areas import BusyCam, busy_at

WINDY = busy_at([(0, 0, 0.05), (1, 0, 0.2), (15, 8, 0.9)], "settling", "busy")
MOTION_OFF = '[[camera]]\nname = "shed"\nsource = "file:/shed.mp4"\n[camera.motion]\nenabled = false\n'


@pytest.fixture
def config(tmp_path: Path, folders: Folders) -> Path:
    (tmp_path / "run").mkdir()
    return write_config(tmp_path, "file:/yard.mp4", MOTION_OFF)


@pytest.fixture
def cam(tmp_path: Path, config: Path) -> Iterator[BusyCam]:
    with BusyCam(tmp_path / "run", "yard", WINDY) as cam:
        yield cam


def test_the_grid_is_drawn_and_the_reasons_are_told(tmp_path: Path, config: Path, cam: BusyCam):
    said = taimat(tmp_path, "busy", "yard", "-c", config)
    lines = said.stdout.splitlines()
    assert said.returncode == 0 and len(lines) == 11 + 1 + 2
    assert lines[1].startswith("│░░▒▒··") and lines[9].endswith("··██│")
    assert lines[-2] == "now: the scene is being learned, so no motion is reported yet" and "wind" in lines[-1]
    assert not cam.forgotten_n


def test_it_forgets_when_told_to(tmp_path: Path, config: Path, cam: BusyCam):
    said = taimat(tmp_path, "busy", "yard", "--forget", "-c", config)
    assert said.stdout.startswith("forgotten  yard") and "no place is restless" in said.stdout
    assert cam.forgotten_n == 1


def test_programs_get_the_figures(tmp_path: Path, config: Path, cam: BusyCam):
    told = json.loads(taimat(tmp_path, "busy", "yard", "--json", "-c", config).stdout)
    assert told == {"camera": "yard", "forgotten": False, "grid": [list(row) for row in WINDY.grid], "moving": False,
                    "silences": ["settling", "busy"]}


def test_who_has_no_answer_is_told_why_and_what_to_do(tmp_path: Path, config: Path):
    def fails(code: int, told: str, name: str = "yard") -> None:
        said = taimat(tmp_path, "busy", name, "-c", config)
        assert said.returncode == code and told in " ".join(said.stderr.split())

    fails(2, "known: yard, shed", "nobody")
    fails(2, "does not look for motion", "shed")
    fails(73, "is Taimat running")
    with BusyCam(tmp_path / "run", "yard", Busy(state="no_picture")):
        fails(73, "has no picture now")
    taimat(tmp_path, "pause", "yard", "-c", config)
    fails(73, "is paused, so there is nothing to be seen")


def test_every_silence_has_its_words():
    told = [reasons(busy_at((), each)) for each in SILENCES]
    assert all(" " in sentence for (sentence,) in told) and len({each[0] for each in told}) == len(SILENCES)
    assert reasons(busy_at((), moving=True)) == ["something moves"] and reasons(busy_at(())) == ["nothing moves"]


def test_a_cell_is_as_wide_as_it_looks_high():
    assert {len(line.plain) for line in picture(WINDY.grid)} == {2 * 16 + 2}
