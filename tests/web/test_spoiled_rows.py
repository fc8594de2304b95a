"""A list on the page, or on a terminal, lacks the row that nobody can read, and nothing else."""
import json
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.host.clock import Instant, SystemClock
from agent.store import requests
from agent.store.database import connect, transaction
from tests.cli.cli import taimat_process, write_config
from tests.rigs.house.household import Household, happen
from tests.rigs.ward.requests import insert

NO_TEXT = "CAST(X'FFFE41' AS TEXT)"
SPOILED = {"event": [f"camera = {NO_TEXT}", "wall_ms = 1 << 60", "zones = '['", "boxes = '{}'", "mono_ms = 1 << 61"],
           "clip": [f"codec = {NO_TEXT}", "wall_ms = 1 << 60", "dur_ms = 1 << 61"],
           "request": [f"officer = {NO_TEXT}", "begin_ms = 1 << 50", "state = 'eaten'", "kind = 'film'",
                       "until_ms = -(1 << 60)", "wall_ms = 1 << 50"],
           "absence": [f"why = {NO_TEXT}", "wall_ms = 1 << 60"], "life": [f"boot = {NO_TEXT}", "wall_ms = 1 << 60"],
           "anchor": ["dates_ms = 1 << 60"], "health": ["samples = '['", f"boot = {NO_TEXT}"]}
PAGES = ["/", "/events.json", "/recordings", "/recordings/month", "/recordings/kept", "/requests", "/health",
         "/health/month", "/sharing"]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Household]:
    """One event with its clip, and of each table rows that are spoiled, each in its own way."""
    house, now = Household(tmp_path_factory.mktemp("house")), SystemClock().now()
    happen(house.folders, now, "gate")
    db = connect(house.folders.root)
    for table, changes in SPOILED.items():
        for change in changes:
            _row(db, table, now)
            with transaction(db):
                which = "boot = 'b0b0b0b0'" if table == "anchor" else f"rowid = (SELECT MAX(rowid) FROM {table})"
                db.execute(f"UPDATE {table} SET {change} WHERE {which}")
    db.close()
    with house:
        yield house


def _row(db: sqlite3.Connection, table: str, now: Instant) -> None:
    when = (now.boot, now.mono_ms, now.wall_ms, now.clock)
    match table:
        case "event":
            db.execute("INSERT INTO event (camera, kind, state, boot, mono_ms, wall_ms, clock) "
                       "VALUES ('gate', 'motion', 'done', ?, ?, ?, ?)", when)
        case "clip":
            db.execute("INSERT INTO clip (name, camera, kind, state, boot, mono_ms, wall_ms, clock, codec, width, "
                       "height, dur_ms, bytes) VALUES (hex(randomblob(8)), 'gate', 'motion', 'done', ?, ?, ?, ?, "
                       "'h264', 1, 1, 1, 1)", when)
        case "request":
            insert(db, now=now)
        case "absence":
            db.execute("INSERT INTO absence (camera, why, boot, mono_ms, wall_ms, clock, dur_ms) "
                       "VALUES ('gate', 'camera', ?, ?, ?, ?, 5)", when)
        case "life":
            db.execute("INSERT INTO life (boot, mono_ms, wall_ms, clock, last_mono_ms) VALUES (?, ?, ?, ?, 9)", when)
        case "anchor":
            db.execute("INSERT INTO anchor (boot, from_mono_ms, offset_ms, clock) VALUES ('b0b0b0b0', 0, 1, 'ntp')")
        case "health":
            db.execute("INSERT INTO health (boot, mono_ms, wall_ms, clock, samples) VALUES (?, ?, ?, ?, '[]')", when)


@pytest.mark.parametrize("page", PAGES)
def test_every_page_is_there(house, page: str):
    assert house.get(page).status == 200


def test_events_and_days_show_what_is_sound(house):
    assert len(json.loads(house.get("/events.json").body)["events"]) == 1
    assert len(set(re.findall(r'/events/(\d+)["#?]', house.get("/").text))) == 1


def test_a_spoiled_event_or_clip_is_not_found(house):
    assert house.get("/events/2").status == 404 and house.get("/events/1").status == 200


def test_a_terminal_too(house, tmp_path: Path):
    config = write_config(tmp_path)
    config.write_text(config.read_text().replace(f"{tmp_path}/store", str(house.folders.root)))
    for command, rows_n in (("events", 1), ("clips list", 1), ("clips holds", 1), ("requests list", 0)):
        shown = taimat_process(tmp_path, *command.split(), "-c", config)
        assert shown.returncode == 0 and "Traceback" not in shown.stderr
        assert len([line for line in shown.stdout.splitlines() if line.strip()]) == rows_n, command


def test_the_wards_true_request_is_shown_beside_spoiled_ones(house):
    db, now = connect(house.folders.root), SystemClock().now()
    true = insert(db, now=now)
    assert [each.id for each in requests.newest(db, 50)] == [true] == [each.id for each in requests.open_ones(db)]
    assert house.get("/requests").status == 200
    db.close()
