"""Mistakes of beginners at the command line and in the configuration: each answer names the place, what is wrong, and
the remedy."""
import sqlite3
from pathlib import Path

import pytest

from agent.store import clips
from agent.store.database import transaction
from tests.cli.cli import taimat, write_config
from tests.conftest import HandClock

CAMERA = '[[camera]]\nname = "gate"\nsource = "rtsp://10.0.0.7/1"\n'
# What is typed, and words of the answer. `C` stands for a configuration with the camera yard.
TYPED = [
    ("evnts", "'evnts'", "did you mean events?"),
    ("help", "'help'", "taimat --help lists the commands"),
    ("start", "'start'", "sudo systemctl start taimat.target"),
    ("stop", "'stop'", "sudo systemctl stop taimat.target"),
    ("clips delete C", "'delete'", "taimat clips erase"),
    ("config set store.keep_days 5", "'set'", "edit that, then taimat config check"),
    ("config xyz", "'xyz'", "taimat config --help lists them"),
    ("C events", "-c", "as in: taimat run -c"),
    ("clips --camera yard C", "--camera", "as in: taimat clips list --camera"),
    ("events --lst 3 C", "--lst", "--last"),
    ("events yard C", "(yard)", "a camera is named by --camera NAME"),
    ("config check taimat.toml", "(taimat.toml)", "a configuration is named by --config FILE"),
    ("doctor all C", "(all)", "see taimat doctor --help"),
    ("events C --camera", "'--camera' requires an argument", "write its value behind it"),
    ("events --last ten C", "'--last'", "--last N: Show the newest N."),
    ("events --last 0 C", "'--last'", "--last N: Show the newest N."),
    ("events --kind cat C", "'cat'", "'motion', 'tamper', 'person'"),
    ("events --camera gaet C", "gaet", "known: yard"),
    ("clips hold yard-1 C", "'--reason'", "--reason TEXT: The reason, such as a case number."),
    ("clips hold yard-1 --reason x C", "no clip yard-1", "taimat clips list tells"),
    ("clips erase C", "say what", "--all for all there is"),
    ("export C", "say which time", "or --last 10m"),
    ("export --last 10x C", "--last", "it is '10x'"),
    ("export --from 25.11.2026 C", "--from", "2026-11-25 14:00"),
    ("export --film --case 1 --last 1h C", "--film", "leave out --film, or --case"),
    ("pause --for 2 hours C", "hours is taken for a camera", "as in 30m, 2h"),
    ("pause --until 25:00 C", "--until", "as in 18:00; it is '25:00'"),
    ("snapshot C", "'CAMERA'", "CAMERA: The camera's name in the configuration"),
    ("tune --last 1h --sensitivity extreme C", "--sensitivity", "'low', 'normal', 'high'"),
    ("tune nofile.mp4 C", "nofile.mp4", "taimat clips list tells where"),
    ("requests approve seven C", "'NO.'", "NO.: The request's number in the list."),
    ("update install nofile.deb C", "'nofile.deb'", "FILE: The release's file."),
    ("card make .", "config.txt", "name the folder where that (bootfs) is mounted"),
    ("discover --network 192.168.1 C", "192.168.1", "as in 192.168.1.0/24"),
    ("demo nofile.mp4", "nofile.mp4: there is no such file", "name a video, a camera, or nothing"),
    ("demo --broker localhost", "--broker localhost", "HOST:PORT, as in localhost:1883"),
    ("events -c nowhere.toml", "nowhere.toml: No such file", "taimat config init"),
    ("events -c .", "is a folder", "name the file in it"),
]
WRITTEN = [
    ("keep_days = 5", ":1: keep_days: unknown key", "it stands below the line [store]"),
    ("fps = 5", ":1: fps: unknown key", "it stands below the line [[camera]]"),
    ("[stroe]\nkeep_days = 5", ":1: stroe: unknown key", "did you mean store?"),
    ('[[camera]]\nname = "gate"', ":1: camera[1].source: is missing", "rtsp://user:***@address/path"),
    (CAMERA + "loop = ture", ":4:8: ture stands where", "it takes true or false"),
    (CAMERA + "fps = fast", ":4:7: fast stands where", "a whole number of pictures a second from 1 to 60"),
    (CAMERA + "enabled = yes", ":4:11: yes is written true", "Write: enabled = true"),
    (CAMERA + CAMERA, ":5: camera[2].name: ", "each needs a name of its own"),
    (CAMERA.replace("gate", "Gate 1"), ":2: camera[1].name", "lower-case letters, digits"),
    (CAMERA.replace("rtsp://10.0.0.7/1", "10.0.0.7"), ":3: camera[1].source", "takes rtsp:// before an address"),
    (CAMERA.replace("[[camera]]", "[camera]"), ":1: camera: is one of several", "write [[camera]]"),
    ("[store]\nkeep_days: 5", ":2:10: between a key and its value", "Write: keep_days = 5"),
    ("[store]\nfolder = /mnt/disk", ":2:10: text stands in quotes", 'Write: folder = "/mnt/disk"'),
    ("[web]\nport = 80880", ":2: web.port", "from 1 to 65535; it is 80880"),
    ('[device]\nlanguage = "vn"', ":2: device.language", 'takes "vi" or "en"'),
]


@pytest.mark.parametrize(("typed", "what", "remedy"), TYPED, ids=[typed for typed, *_ in TYPED])
def test_a_mistake_at_the_command_line(typed: str, what: str, remedy: str, folders, db: sqlite3.Connection,
                                       hand_clock: HandClock, tmp_path: Path):
    with transaction(db):
        clips.open_row(db, "yard", "motion", hand_clock.now(), "h264", 640, 360)
    config = write_config(tmp_path, f"file:{tmp_path}/a.mp4")
    words = [part for word in typed.split() for part in (("-c", str(config)) if word == "C" else (word,))]
    said = taimat(tmp_path, *words)
    told = " ".join(said.stderr.replace("│", " ").split())
    assert said.returncode and what in told and remedy in told, told
    assert "Traceback" not in told


@pytest.mark.parametrize(("text", "place", "remedy"), WRITTEN)
def test_a_mistake_in_the_configuration(text: str, place: str, remedy: str, tmp_path: Path):
    (tmp_path / "t.toml").write_text(f"{text}\n")
    said = taimat(tmp_path, "config", "check", "-c", tmp_path / "t.toml")
    assert said.returncode == 78 and f"t.toml{place}" in said.stderr and remedy in said.stderr, said.stderr


def test_nobody_is_led_to_a_command_that_does_the_opposite(tmp_path: Path):
    assert "release" not in taimat(tmp_path, "clips", "delete").stderr
    assert "setup" not in taimat(tmp_path, "stop").stderr
