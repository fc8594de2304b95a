"""`taimat clips list` and `taimat events`, on a store that was filled through its own doors."""
import json
import re
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from agent.cli.events import changes
from agent.config.load import keep_as_good
from agent.host.clock import Instant
from agent.store import clips, events
from agent.store.boots import date
from agent.store.clips import PAGE_N, newest
from agent.store.database import connect, transaction
from agent.store.decisions import browsers
from agent.store.decisions import database as decisions
from agent.store.folders import Folders
from tests.cli.cli import REPO, environment, taimat, write_config
from tests.rigs.wait import HANG_S

BOOT, OLD_BOOT = "0b007001", "0b007000"
NTP = Instant(BOOT, 50_000, 1_795_000_000_000, "ntp")


def add_clip(db: sqlite3.Connection, camera: str, start: Instant) -> tuple[int, str]:
    with transaction(db):
        seq, name = clips.open_row(db, camera, "motion", start, "h264", 640, 360)
        clips.finish(db, seq, "done", 12_300, 3_400_000, 184)
    return seq, name


def add_event(db: sqlite3.Connection, camera: str, start: Instant, clip_seq: int | None, done: bool = True) -> int:
    with transaction(db):
        number = events.open_row(db, camera, "motion", start)
        if clip_seq is not None:
            events.tie(db, number, clip_seq)
        if done:
            events.finish(db, number, 7_100, 0.042, 1, [[0.1, 0.2, 0.3, 0.4]], "1", None, zones=("gate", "path"))
    return number


def test_clips_are_listed_with_local_time_size_and_file(tmp_path: Path, folders: Folders, db: sqlite3.Connection):
    seq, name = add_clip(db, "gate", NTP)
    add_clip(db, "yard", NTP)
    config = write_config(tmp_path)
    lines = taimat(tmp_path, "clips", "list", "-c", config).stdout.splitlines()
    assert len(lines) == 2
    began, camera, kind, long, size, file = lines[0].split("\t")
    assert (camera, kind, long, size, file) == ("gate", "motion", "12.3 s", "3.4 MB", str(folders.clip(seq, name)))
    assert began.startswith("2026-") and not began.startswith(("~", "?"))
    only = taimat(tmp_path, "clips", "list", "-c", config, "--camera", "yard", "--json").stdout.splitlines()
    assert [json.loads(line)["camera"] for line in only] == ["yard"]
    newest_one = taimat(tmp_path, "clips", "list", "-c", config, "--last", "1").stdout.splitlines()
    assert [line.split("\t")[1] for line in newest_one] == ["yard"]


def began_of(printed: str) -> list[str]:
    return [line.split("\t")[0] for line in printed.splitlines()]


def test_a_time_from_a_clock_that_was_not_right_is_marked(tmp_path: Path, folders: Folders, db: sqlite3.Connection):
    add_clip(db, "gate", Instant(OLD_BOOT, 65_000, 1000, "unset"))
    add_clip(db, "gate", Instant(OLD_BOOT, 66_000, 1_795_000_000_000, "saved"))
    shown = began_of(taimat(tmp_path, "clips", "list", "-c", write_config(tmp_path)).stdout)
    assert shown[0].startswith("?") and shown[0].endswith("+0:01:05") and shown[1].startswith("~2026-")
    with transaction(db):
        date(db, OLD_BOOT, 1_795_000_000_000)
    shown = began_of(taimat(tmp_path, "clips", "list", "-c", write_config(tmp_path)).stdout)
    assert all(began.startswith("2026-") for began in shown)


def test_a_list_longer_than_a_page_goes_on(db: sqlite3.Connection):
    for _ in range(PAGE_N + 3):
        add_clip(db, "gate", NTP)
    seqs = [clip.seq for clip in newest(db, None)]
    assert seqs == sorted(seqs, reverse=True) and len(seqs) == PAGE_N + 3


def test_events_are_listed_with_the_clip_that_shows_them(tmp_path: Path, folders: Folders, db: sqlite3.Connection):
    seq, name = add_clip(db, "gate", NTP)
    add_event(db, "gate", NTP, seq)
    add_event(db, "gate", NTP, None, done=False)
    config = write_config(tmp_path)
    rows = [line.split("\t") for line in taimat(tmp_path, "events", "-c", config).stdout.splitlines()]
    assert rows[0][1:] == ["1", "gate", "motion", "7.1 s", "0.042", name, "gate, path"]
    assert rows[1][4] == "goes on"
    event = json.loads(taimat(tmp_path, "events", "-c", config, "--json").stdout.splitlines()[0])
    assert (event["dur_ms"], event["clip"], event["boxes"]) == (7100, name, [[0.1, 0.2, 0.3, 0.4]])


def test_tampering_is_listed_by_what_was_done(tmp_path: Path, db: sqlite3.Connection):
    with transaction(db):
        events.end(db, events.open_row(db, "gate", "tamper", NTP, code="covered", score=0.9), 25_000)
    rows = [line.split("\t") for line in taimat(tmp_path, "events", "-c", write_config(tmp_path)).stdout.splitlines()]
    assert rows[0][1:] == ["1", "gate", "tamper: covered", "25.0 s", "0.900", "", ""]


def test_changes_tell_the_begin_the_end_and_the_clip_of_an_event_once_each(folders: Folders, db: sqlite3.Connection):
    add_event(db, "gate", NTP, None)

    class Writing(threading.Event):
        """The reader's stop. Before each of its looks somebody writes: an event that begins, then one that ends."""

        def wait(self, timeout: float | None = None) -> bool:
            next(writes)
            return super().wait(0)

    told: list[str] = []
    writes, reader = _write(folders, told), connect(folders.root)
    stream = changes(reader, None, Writing())
    seen = [(event.id, event.state, event.clip) for event in (next(stream), next(stream))]
    reader.close()
    writes.close()
    assert seen == [(2, "open", None), (2, "done", told[0])]


def _write(folders: Folders, told: list[str]) -> Iterator[None]:
    writer = connect(folders.root)
    number = add_event(writer, "gate", NTP, None, done=False)
    yield
    yield                               # a look at which nothing is new
    seq, name = add_clip(writer, "gate", NTP)
    told.append(name)
    with transaction(writer):
        events.tie(writer, number, seq)
        events.finish(writer, number, 500, 0.1, 1, [], "1", None)
    writer.close()
    yield


def test_follow_prints_at_once_and_ends_cleanly(tmp_path: Path, folders: Folders, db: sqlite3.Connection):
    config = write_config(tmp_path)
    process = subprocess.Popen([sys.executable, "-m", "agent", "events", "-f", "-c", str(config), "--json"],
                               cwd=tmp_path, env=environment(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               text=True)
    killer = threading.Timer(HANG_S, process.kill)
    killer.start()
    stop = threading.Event()

    def keep_adding() -> None:
        writer = connect(folders.root)
        while not stop.wait(0.3):
            add_event(writer, "gate", NTP, None)
        writer.close()

    adder = threading.Thread(target=keep_adding)
    adder.start()
    line = process.stdout.readline()
    stop.set()
    adder.join()
    process.send_signal(2)
    assert process.wait(HANG_S) == 0 and json.loads(line)["camera"] == "gate"
    killer.cancel()
    assert process.stderr.read() == ""


def test_without_a_store_nothing_is_made_and_the_way_is_shown(tmp_path: Path):
    said = taimat(tmp_path, "clips", "list", "-c", write_config(tmp_path))
    assert said.returncode == 73 and "taimat run" in said.stderr and not (tmp_path / "store").exists()


def test_a_camera_is_shown_by_its_title_and_found_by_it(tmp_path: Path, folders: Folders, db: sqlite3.Connection):
    seq, _ = add_clip(db, "yard", NTP)
    add_event(db, "yard", NTP, seq)
    add_clip(db, "gone", NTP)
    config = write_config(tmp_path, "rtsp://h/1", 'title = "Cổng [trước]"\n')
    listed = [line.split("\t")[1] for line in taimat(tmp_path, "clips", "list", "-c", config).stdout.splitlines()]
    assert listed == ["Cổng [trước]", "gone"]
    one = taimat(tmp_path, "clips", "list", "-c", config, "--camera", "cổng [TRƯỚC]", "--json").stdout
    assert [json.loads(one)[key] for key in ("camera", "title")] == ["yard", "Cổng [trước]"]
    event = taimat(tmp_path, "events", "-c", config, "--camera", "Cổng [trước]").stdout
    assert event.split("\t")[2] == "Cổng [trước]"
    plain = json.loads(taimat(tmp_path, "events", "-c", config, "--json").stdout)
    assert (plain["camera"], plain["title"]) == ("yard", "Cổng [trước]")
    paused = taimat(tmp_path, "pause", "-c", config, "Cổng [trước]")
    assert paused.stdout.startswith("paused  Cổng [trước], until") and not paused.stderr


def test_a_camera_that_there_never_was_is_named_with_those_that_there_are(tmp_path: Path, db: sqlite3.Connection):
    add_clip(db, "gone", NTP)
    config = write_config(tmp_path)
    for words in (["events"], ["clips", "list"], ["clips", "hold", "--from", "00:00", "--reason", "x"],
                  ["export", "--last", "1h"]):
        said = taimat(tmp_path, *words, "--camera", "nix", "-c", config)
        assert said.returncode == 2, words
        told = " ".join(said.stderr.replace("│", " ").split())
        assert "there is no camera called nix; known: gone (no longer configured)" in told
    assert taimat(tmp_path, "clips", "list", "--camera", "gone", "-c", config).returncode == 0


def test_a_typo_does_not_stop_a_look_while_recording_goes_on(tmp_path: Path, folders: Folders, db: sqlite3.Connection):
    add_clip(db, "gate", NTP)
    config = write_config(tmp_path, f"file:{tmp_path}/a.mp4")
    keep_as_good(config)
    config.write_text(config.read_text() + "fps = 5s\n")
    for command in (["clips", "list", "--json"], ["events"], ["requests"], ["pause", "--list"], ["pause", "yard"]):
        said = taimat(tmp_path, *command, "-c", config)
        assert said.returncode == 0 and ":10:7: 5s has a unit" in said.stderr and "last good" in said.stderr
    assert json.loads(taimat(tmp_path, "clips", "list", "--json", "-c", config).stdout)["camera"] == "gate"
    said = taimat(tmp_path, "export", "--last", "1m", "--film", "--camera", "gate", "-c", config)
    assert "5s has a unit" in said.stderr and "its recordings lie between" in said.stderr
    assert taimat(tmp_path, "config", "check", "-c", config).returncode == 78


def test_the_keys_of_each_list_are_those_of_the_guide(tmp_path: Path, folders: Folders, db: sqlite3.Connection):
    """Programs read them."""
    seq, name = add_clip(db, "yard", NTP)
    add_event(db, "yard", NTP, seq)
    config = write_config(tmp_path, f"file:{tmp_path}/a.mp4")
    with closing(decisions.connect(folders)) as own:
        browsers.pair(own, db, "phone", NTP)
    assert taimat(tmp_path, "clips", "hold", name, "--reason", "case 12", "-c", config).returncode == 0
    guide = (REPO / "docs/guide/device.md").read_text()
    told = dict(re.findall(r"(?m)^\| `([a-z -]+)` \| (`seq.*|`clip`.*|`id`, .*|`camera`, .*|`version`.*) \|$", guide))
    assert len(told) == 7
    for command, keys in told.items():
        said = taimat(tmp_path, *command.split(), "--json", "-c", config)
        assert sorted(json.loads(said.stdout.splitlines()[0])) == sorted(re.findall(r"`(\w+)`", keys)), command
    assert taimat(tmp_path, "clips", "--json", "-c", config).stdout == taimat(
        tmp_path, "clips", "list", "--json", "-c", config).stdout
    for command in ("pause", "pair"):
        assert "--json goes with --list" in taimat(tmp_path, command, "--json", "-c", config).stderr
