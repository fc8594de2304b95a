"""`taimat pause`, `resume` and `snapshot`, as the household types them: what they say and leave in the store."""
from pathlib import Path

import pytest
import typer

from agent.capture.sockets import snapshot_socket
from agent.cli.typed import length_ms, next_time_ms
from agent.core.household.pause import Pause
from agent.host.clock import Instant, SystemClock
from agent.host.runtime import camera_socket
from agent.store import pause
from agent.store.folders import Folders
from tests.cli.cli import taimat, write_config
from tests.rigs.cameras.h264 import movie

HOUR_MS = 3_600_000
TWO = '[[camera]]\nname = "gate"\nsource = "file:/gate.mp4"\noff = ["Mon-Fri 07:00-17:00"]\n'


def said_of(folders: Folders, camera: str) -> Pause | None:
    """The word on a camera, as capture will read it."""
    return pause.load(folders).of(camera, SystemClock().now())


def test_pause_for_a_while_list_and_resume(tmp_path: Path, folders: Folders):
    config = write_config(tmp_path, "file:/yard.mp4", TWO)
    said = taimat(tmp_path, "pause", "yard", "--for", "1h30m", "-c", config)
    assert said.returncode == 0 and said.stdout.startswith("paused  yard, until: ")
    word = said_of(folders, "yard")
    assert word.by == "command" and word.until_wall_ms - word.wall_ms == 1.5 * HOUR_MS and not said_of(folders, "gate")
    rows = [line.split("\t") for line in taimat(tmp_path, "pause", "--list", "-c", config).stdout.splitlines()]
    assert [row[:2] for row in rows] == [["yard", "paused"], ["gate", "not paused"]]
    assert rows[0][3] == "taimat pause" and rows[1][4] == "Mon-Fri 07:00-17:00"
    assert "resumed  yard" in taimat(tmp_path, "resume", "yard", "-c", config).stdout
    assert said_of(folders, "yard") is None


def test_without_names_it_is_the_whole_house_until_somebody_resumes(tmp_path: Path, folders: Folders):
    config = write_config(tmp_path, "file:/yard.mp4", TWO)
    assert "all cameras, until: taimat resume" in taimat(tmp_path, "pause", "-c", config).stdout
    assert said_of(folders, "gate").until_wall_ms is None and said_of(folders, "one that comes later")
    said = taimat(tmp_path, "resume", "-c", config)
    assert said_of(folders, "gate") is None and "weekly hours of gate go on" in said.stdout


@pytest.mark.parametrize(("arguments", "told"), [
    (("pause", "nobody"), "known: yard"), (("resume", "nobody"), "known: yard"),
    (("snapshot", "nobody"), "known: yard"),
    (("pause", "--for", "soon"), "as in 30m, 2h"), (("pause", "--until", "25:00"), "as in 18:00"),
    (("pause", "--for", "1h", "--until", "18:00"), "don't go together")])
def test_what_was_not_meant_pauses_nothing(tmp_path: Path, folders: Folders, arguments: tuple[str, ...], told: str):
    said = taimat(tmp_path, *arguments, "-c", write_config(tmp_path, "file:/yard.mp4"))
    assert said.returncode == 2 and told in " ".join(said.stderr.split())
    assert not pause.path(folders).exists()


def test_without_a_store_none_is_made(tmp_path: Path):
    said = taimat(tmp_path, "pause", "-c", write_config(tmp_path, "file:/yard.mp4"))
    assert said.returncode == 73 and "taimat run" in said.stderr and not (tmp_path / "store").exists()


@pytest.mark.parametrize(("text", "minutes"), [("90", 90), ("30m", 30), ("2h", 120), ("1h30m", 90), ("1d", 1440),
                                               ("1d2h3min", 1563), (" 2H ", 120)])
def test_lengths(text: str, minutes: int):
    assert length_ms(text, "--for") == minutes * 60_000


@pytest.mark.parametrize("text", ["", "0", "-5", "2 hours", "h", "1.5h", "10000h"])
def test_no_lengths(text: str):
    with pytest.raises(typer.BadParameter):
        length_ms(text, "--for")


def test_a_time_of_day_is_the_next_one_and_needs_a_clock_that_is_right():
    now = Instant("0b007001", 1, 1_795_000_000_000, "ntp")
    for minute in range(0, 1440, 97):
        then_ms = next_time_ms(f"{minute // 60}:{minute % 60:02d}", now)
        assert 0 < then_ms - now.wall_ms <= 25 * HOUR_MS and then_ms % 60_000 == 0
    with pytest.raises(typer.BadParameter, match="use --for"):
        next_time_ms("18:00", Instant("0b007001", 1, 1_795_000_000_000, "saved"))


def test_a_snapshot_lands_in_a_file_and_a_paused_camera_gives_none(tmp_path: Path, folders: Folders):
    config, info_and_gop = write_config(tmp_path, "file:/yard.mp4"), (movie()[0], movie()[1][:10])
    assert "is Taimat running" in taimat(tmp_path, "snapshot", "yard", "-c", config).stderr
    (tmp_path / "run").mkdir(exist_ok=True)
    shop = snapshot_socket(camera_socket(tmp_path / "run", "snap", "yard"), lambda: info_and_gop, SystemClock())
    said = taimat(tmp_path, "snapshot", "yard", "-o", tmp_path / "now.jpg", "-c", config)
    assert said.returncode == 0 and "now.jpg" in said.stdout
    assert (tmp_path / "now.jpg").read_bytes().startswith(b"\xff\xd8\xff")
    taimat(tmp_path, "pause", "yard", "-c", config)
    said = taimat(tmp_path, "snapshot", "yard", "-o", tmp_path / "later.jpg", "-c", config)
    assert said.returncode == 73 and "is paused" in said.stderr and not (tmp_path / "later.jpg").exists()
    shop.close()
