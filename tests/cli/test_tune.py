"""`taimat tune` on real footage: files and the store's own clips, as tables, JSON and pictures."""
import json
import re
import shutil
import sqlite3
import time
from pathlib import Path

import pytest

from agent.config.derived import digest
from agent.config.settings import Camera
from agent.core.household.labels import EventWord
from agent.host.clock import Instant, SystemClock
from agent.store import clips, events
from agent.store.database import transaction
from agent.store.folders import Folders
from tests.cli.cli import taimat, taimat_process, write_config
from tests.rigs.cameras import footage


@pytest.fixture(scope="module")
def film() -> Path:
    """People who cross a yard all the time, 35 s."""
    return footage.clip(320, 180, 10, 10, 300, seconds=35)


@pytest.fixture(scope="module")
def short() -> Path:
    """The first 4 s of it."""
    return footage.clip(320, 180, 10, 10, 300, seconds=4)


def lines(printed: str) -> list[dict]:
    return [json.loads(line) for line in printed.splitlines()]


def put_clip(folders: Folders, db: sqlite3.Connection, file: Path, ago_s: float, clock: str = "ntp") -> None:
    """A clip of the camera "yard" that began so long ago."""
    begin = Instant("0b007001", 50_000, int((time.time() - ago_s) * 1000), clock)
    with transaction(db):
        seq, name = clips.open_row(db, "yard", "motion", begin, "h264", 320, 180)
        clips.finish(db, seq, "done", 4000, file.stat().st_size, 40)
    target = folders.clip(seq, name)
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(file, target)


def test_a_film_is_looked_at_as_set_and_four_other_ways(tmp_path: Path, film: Path):
    said = taimat_process(tmp_path, "tune", film, "--json")
    assert said.returncode == 0 and said.stderr == ""
    now, *others = lines(said.stdout)
    assert [each["variant"] for each in others] == [
        "sensitivity low", "sensitivity high", "smallest 0.05 %", "smallest 0.2 %"]
    assert (now["variant"], now["sensitivity"], now["fps"]) == ("now", "normal", 5.0)
    assert now["events_n"] == len(now["events"]) >= 1 and now["moving_s"] > 8
    assert 165 <= now["looks_n"] <= 180 and now["silent_s"]["settling"] >= 1
    assert now["missed"] == now["added"] == []
    assert now["events"][0]["at"].startswith(f"{film.name} 0:0") and len(now["events"][0]["largest"]) == 4


def test_what_if_is_one_variant_of_everything_that_was_asked_for(tmp_path: Path, film: Path):
    said = taimat_process(tmp_path, "tune", film, "--json", "--sensitivity", "high", "--smallest", "40", "--fps", "10",
                  "--ignore", "0,0 1,0 1,1 0,1")
    now, other = lines(said.stdout)
    assert other["variant"] == "sensitivity high, smallest 40 %, 10 fps, 1 more ignored"
    assert other["looks_n"] >= 1.9 * now["looks_n"]
    assert other["events"] == [] and other["missed"] == now["events"]


def test_tables_tell_events_and_variants(tmp_path: Path, film: Path):
    said = taimat_process(tmp_path, "tune", film, film)
    assert said.returncode == 0 and f"{film.name} and 1 more, 1:09 min" in said.stdout
    rows = [line.split("\t") for line in said.stdout.splitlines() if "\t" in line]
    assert rows[0][0].startswith(film.name) and "% of the picture: " in rows[0][3]
    assert [row[0] for row in rows if row[0] == "now" or row[0].startswith("sens")] == [
        "now", "sensitivity low", "sensitivity high"]


def test_no_event_is_explained(tmp_path: Path, short: Path):
    config = write_config(tmp_path, "rtsp://yard")
    config.write_text(config.read_text() + "motion.ignore = [[[0, 0], [1, 0], [1, 1], [0, 1]]]\n")
    said = taimat_process(tmp_path, "tune", short, "-c", config, "--camera", "yard")
    assert "no event: never more than 0 % of the picture changed, and it takes 0.042 % in one place" in said.stdout
    assert "areas ignored: 1" in said.stdout
    assert [line.split("\t")[0] for line in said.stdout.splitlines()][-1] == "nothing ignored"


def zoned(folder: Path, *zones: str, more: str = "") -> Path:
    """The camera "yard" with zones; each is the keys of one."""
    config = write_config(folder, "rtsp://yard")
    config.write_text(config.read_text() + more + "".join(f"[[camera.zone]]\n{zone}\n" for zone in zones))
    return config


WATCHED = 'name = "yard"\narea = [[0, 0], [1, 0], [1, 1], [0, 1]]'
LONG = 'name = "bench"\nrule = "dwell"\ndwell_s = 500\narea = [[0, 0], [1, 0], [1, 1], [0, 1]]'
IGNORED = 'name = "tree"\nrule = "ignore"\narea = [[0, 0], [1, 0], [1, 1], [0, 1]]'


def test_zones_are_told_and_it_is_told_what_there_would_be_without_them(tmp_path: Path, film: Path):
    config = zoned(tmp_path, WATCHED, LONG)
    now, *others = lines(taimat_process(tmp_path, "tune", film, "--json", "-c", config, "--camera", "yard").stdout)
    assert now["zones"] == ["yard", "bench"] and {tuple(event["zones"]) for event in now["events"]} == {("yard",)}
    assert (others[-1]["variant"], others[-1]["zones"]) == ("without zones", [])
    assert others[-1]["missed"] == others[-1]["added"] == [] and others[-1]["events"][0]["zones"] == []


def test_no_event_is_explained_by_zones_and_they_can_be_left_out(tmp_path: Path, short: Path):
    config = zoned(tmp_path, LONG)
    said = taimat_process(tmp_path, "tune", short, "-c", config, "--camera", "yard", "--without-zones")
    assert "zones: bench" in said.stdout
    assert re.search(r"no event: something moved for \d\.\d s, but nothing fulfilled a zone", said.stdout)
    last = said.stdout.splitlines()[-1].split("\t")
    assert last[:2] == ["without zones", "1"] and last[4].startswith(short.name)


def test_what_a_zone_ignores_is_ignored(tmp_path: Path, short: Path):
    config = zoned(tmp_path, IGNORED)
    now, *others = lines(taimat_process(tmp_path, "tune", short, "--json", "-c", config, "--camera", "yard").stdout)
    assert now["events"] == now["zones"] == [] and len(now["ignore"]) == 1
    assert others[-1]["variant"] == "nothing ignored" and len(others[-1]["added"]) == 1


def test_a_camera_that_cools_down_tells_fewer_events(tmp_path: Path, folders: Folders, db: sqlite3.Connection,
                                                     short: Path):
    for ago_s in (600, 500, 100):
        put_clip(folders, db, short, ago_s)
    config = zoned(tmp_path, more="cool_down_s = 300\n")
    now = lines(taimat_process(tmp_path, "tune", "--last", "1h", "--json", "-c", config).stdout)[0]
    assert [round(event["began_s"], -1) for event in now["events"]] == [0, 500] and now["silent_s"]["cool_down"] > 0.5


def test_a_day_of_leaves_in_a_corner_is_told_with_what_ignoring_it_would_change(
        tmp_path: Path, folders: Folders, db: sqlite3.Connection, short: Path):
    put_clip(folders, db, short, 600)
    now, set_to = SystemClock().now(), digest(Camera(name="yard", source="rtsp://yard"))
    with transaction(db):
        for word, box, n in (("nothing", [0.02, 0.05, 0.2, 0.2], 31), ("person", [0.5, 0.5, 0.1, 0.3], 9)):
            for _ in range(n):
                event = events.open_row(db, "yard", "motion", now)
                events.finish(db, event, 1000, 0.5, 1, [box], "3", None, settings=set_to)
                events.label(db, event, EventWord(word, 0.7))
    said = taimat_process(tmp_path, "tune", "--last", "1h", "-c", write_config(tmp_path, "rtsp://yard")).stdout
    assert "Of 40 labelled events 31 were nothing that the recorder knows" in said and "in the upper left of" in said
    area = re.search(r"taimat tune --camera yard --last 1h --ignore '(.*)'", said)[1]
    assert area == "0.02,0.05 0.22,0.05 0.22,0.25 0.02,0.25"
    again = taimat_process(tmp_path, "tune", "--last", "1h", "--ignore", area, "-c", tmp_path / "taimat.toml")
    assert again.returncode == 0


def test_clips_of_the_last_hours_are_told_in_the_time_of_day(tmp_path: Path, folders: Folders, db: sqlite3.Connection,
                                                             short: Path):
    for ago_s in (9 * 3600, 3600, 1800):
        put_clip(folders, db, short, ago_s)
    put_clip(folders, db, short, 900, clock="unset")
    config = write_config(tmp_path, "rtsp://yard")
    said = taimat_process(tmp_path, "tune", "--last", "2h", "--json", "-c", config)
    now = lines(said.stdout)[0]
    assert said.returncode == 0 and 38 <= now["looks_n"] <= 42
    assert [event["began_s"] for event in now["events"]] == [pytest.approx(1.5, abs=1), pytest.approx(1801.5, abs=1)]
    assert now["events"][0]["at"].startswith(time.strftime("%Y-", time.localtime()))
    said = taimat_process(tmp_path, "tune", "--last", "1d", "--camera", "yard", "--json", "-c", config)
    all_day = lines(said.stdout)[0]
    assert 57 <= all_day["looks_n"] <= 63


def test_a_file_that_is_no_video_is_told_and_the_others_are_looked_at(tmp_path: Path, short: Path):
    text = tmp_path / "notes.mp4"
    text.write_text("no video")
    said = taimat_process(tmp_path, "tune", text, short, tmp_path, "--json")
    assert said.returncode == 1 and len(lines(said.stdout)) == 5
    assert f"{text}: is no video that can be looked at" in said.stderr and "ffprobe" in said.stderr
    assert f"{tmp_path}: is no video" in said.stderr


MISTAKES = {
    "nothing": ([], 2, "say which footage"),
    "both": (["FILM", "--last", "24h"], 2, "say which footage"),
    "gone": (["gone.mp4"], 2, "there is no file gone.mp4"),
    "length": (["--last", "soon"], 2, "--last takes a length"),
    "stranger": (["--last", "2h", "--camera", "gate"], 2, "there is no camera called gate; known: yard"),
    "none": (["--last", "2h"], 1, "no clip of yard is from the last 2h"),
    "word": (["FILM", "--sensitivity", "most"], 2, "'low', 'normal', 'high'"),
    "no zones": (["FILM", "--without-zones"], 2, "--without-zones needs a camera with zones that decide"),
    "area": (["FILM", "--ignore", "0,0 1,1"], 2, "--ignore takes three or more corners"),
    "outside": (["FILM", "--ignore", "0,0 1,1 0,nan"], 2, "--ignore takes three or more corners"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_told_with_its_remedy(tmp_path: Path, folders: Folders, db: sqlite3.Connection, short: Path,
                                           name: str):
    words, code, told = MISTAKES[name]
    config = write_config(tmp_path, "rtsp://yard")
    said = taimat(tmp_path, "tune", "-c", config, *[short if word == "FILM" else word for word in words])
    shown = " ".join(said.stderr.replace("│", " ").split())
    assert said.returncode == code and told in shown and "Traceback" not in shown
