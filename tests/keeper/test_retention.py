"""Retention on a real store: what goes first, whose footage pays, and what clocks can't do."""
import base64
import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from agent.config.settings import Camera, Settings, Store, Ward
from agent.core.evidence.ledger.row import canonical
from agent.host.clock import Instant
from agent.host.datagram import Outlet
from agent.host.stop import Stop
from agent.keeper import deletion as module
from agent.keeper.deletion import retain
from agent.keeper.main import Keeper
from agent.process.heartbeat import Heartbeat
from agent.process.role import Role
from agent.store import boots, clips, holds, identity, ward_settings
from agent.store.database import connect, transaction
from agent.store.decisions import database as decisions
from agent.store.folders import Folders
from agent.store.ward_settings import Given
from tests.conftest import HandClock
from tests.rigs.device.command_desk import ULID

MB = 1_000_000
DAY_S = 86_400.0


def add_clip(db: sqlite3.Connection, folders: Folders, now: Instant, size_b: int = MB, camera: str = "gate",
             kind: str = "motion") -> int:
    """A finished clip, its file as large as its row says without taking room, unless it is to."""
    with transaction(db):
        seq, name = clips.open_row(db, camera, kind, now, "h264", 320, 180)
        clips.finish(db, seq, "done", 1000, size_b, 10)
    path = folders.clip(seq, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    os.truncate(path, size_b)
    return seq


def quota(mb: float, **more: float) -> Store:
    """Settings by which clips may take so much."""
    return Store(quota_gb=mb / 1000, free_floor_pct=1, **more)


def gone(db: sqlite3.Connection, folders: Folders, settings: Store, now: Instant, by_age: bool = True) -> list[int]:
    with closing(decisions.connect(folders)) as own:
        return [clip.seq for clip in retain(own, db, folders, settings, now, by_age)]


@pytest.fixture(autouse=True)
def no_spare(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exactly what is needed goes, so that tests can count."""
    monkeypatch.setattr("agent.core.retention.SPARE_B", 0)


def test_a_noisy_camera_makes_room_for_itself(db, folders, hand_clock: HandClock):
    quiet = [add_clip(db, folders, hand_clock.now(), camera="yard") for _ in range(3)]
    noisy = [add_clip(db, folders, hand_clock.now(), camera="road") for _ in range(20)]
    assert gone(db, folders, quota(10), hand_clock.now()) == noisy[:13]
    assert {clip.seq for clip in clips.finished(db)} == {*quiet, *noisy[13:]}


def test_video_without_events_goes_first_and_no_row_of_another_role_s_changes_that(db, folders, hand_clock: HandClock):
    events = [add_clip(db, folders, hand_clock.now()) for _ in range(3)]
    video = [add_clip(db, folders, hand_clock.now(), kind="continuous") for _ in range(3)]
    clips.hand_out(db, [events[2]])
    assert gone(db, folders, quota(3), hand_clock.now()) == [video[0], events[0], events[1]]


def test_old_video_goes_before_events_and_new_video_after_old_events(db, folders, hand_clock: HandClock):
    settings = quota(2, keep_days=10, keep_continuous_days=2)
    seqs = [add_clip(db, folders, hand_clock.now(), kind=kind) for kind in ("motion", "continuous") * 2]
    assert gone(db, folders, settings, hand_clock.now()) == [seqs[1], seqs[0]]


def test_what_is_held_pays_for_nobody_and_counts_for_its_camera(own, db, folders, hand_clock: HandClock):
    first, second, third = (add_clip(db, folders, hand_clock.now()) for _ in range(3))
    holds.place(own, db, clips.finished(db)[-1:], "case 7", None, hand_clock.now(), 10 * MB)
    assert gone(db, folders, quota(1), hand_clock.now()) == [second, third]
    assert [clip.seq for clip in clips.finished(db)] == [first]


def test_a_boot_whose_clock_was_never_right_is_dated_by_what_came_after_it(db, folders, hand_clock: HandClock):
    lost = Instant("0b00a000", 5_000, 0, "unset")
    hand_clock.state = "saved"
    behind = Instant("0b00b000", 5_000, hand_clock.wall_ms - 300 * 86_400_000, "saved")
    seqs = [add_clip(db, folders, when) for when in (lost, behind)]
    hand_clock.state = "ntp"
    assert gone(db, folders, Store(free_floor_pct=1), hand_clock.now()) == []      # nobody can tell how old they are
    seqs.append(add_clip(db, folders, hand_clock.now()))
    hand_clock.advance(9 * DAY_S)
    assert gone(db, folders, Store(free_floor_pct=1), hand_clock.now()) == []
    hand_clock.advance(1 * DAY_S + 1)
    assert gone(db, folders, Store(free_floor_pct=1), hand_clock.now()) == seqs


def test_a_device_that_never_knows_the_time_for_sure_goes_by_the_clock_that_it_has(db, folders, hand_clock: HandClock):
    hand_clock.state = "saved"
    seq = add_clip(db, folders, hand_clock.now())
    hand_clock.advance(11 * DAY_S)
    assert gone(db, folders, Store(free_floor_pct=1), hand_clock.now()) == [seq]


def test_rows_that_are_dated_later_are_as_old_as_that_says(db, folders, hand_clock: HandClock):
    with transaction(db):
        boots.date(db, "0b00a000", hand_clock.wall_ms - 20 * 86_400_000)
    seq = add_clip(db, folders, Instant("0b00a000", 1000, 0, "unset"))
    assert gone(db, folders, Store(free_floor_pct=1), hand_clock.now()) == [seq]


def test_a_pass_is_bounded_and_the_next_one_goes_on(db, folders, hand_clock: HandClock, monkeypatch):
    monkeypatch.setattr(module, "PASS_N", 4)
    seqs = [add_clip(db, folders, hand_clock.now()) for _ in range(10)]
    hand_clock.advance(11 * DAY_S)
    passes = [gone(db, folders, Store(free_floor_pct=1), hand_clock.now()) for _ in range(4)]
    assert passes == [seqs[:4], seqs[4:8], seqs[8:], []]


def test_deletions_are_acts_and_name_their_reason(own, db, folders, hand_clock: HandClock):
    old = add_clip(db, folders, hand_clock.now())
    hand_clock.advance(11 * DAY_S)
    young = [add_clip(db, folders, hand_clock.now()) for _ in range(2)]
    retain(own, db, folders, quota(1), hand_clock.now(), True)
    acts = [json.loads(row["body"]) for row in db.execute("SELECT body FROM act WHERE kind = 'deletion' ORDER BY id")]
    assert [(act["why"], [int(name[-6:]) for name in act["clips"]]) for act in acts] == [
        ("age", [old]), ("space", [young[0]])]


def keeper_of(folders: Folders, runtime: Path, clock: HandClock, store: Store, ward: Ward | None = None) -> Keeper:
    settings = Settings(store=store, camera=[Camera(name="gate", source="picamera:0")], ward=ward or Ward())
    role = Role(settings, None, folders, runtime, clock, Heartbeat("keeper", "keeper", runtime, clock), Stop())
    return Keeper(role, connect(folders.root), decisions.connect(folders), Outlet(runtime))


def test_the_keeper_names_holds_above_the_ceiling_and_breaks_none(own, db, folders, hand_clock: HandClock,
                                                                  tmp_path: Path):
    for _ in range(5):
        add_clip(db, folders, hand_clock.now())
    held = clips.finished(db)[::-1]
    for clip in held:
        holds.place(own, db, [clip], "case 7", None, hand_clock.now(), 10 * MB)
    keeper = keeper_of(folders, tmp_path, hand_clock, quota(2, hold_max_pct=50))
    keeper.round(asked_for_space=True)
    facts = keeper.facts()
    assert facts.held_b == 5 * MB and len(clips.finished(db)) == 5
    named = ", ".join(f"{clip.name} (case 7)" for clip in held[:3])
    assert facts.holds_over == f"{named}, and 2 more"
    for clip in held[1:]:
        holds.release(own, db, [clip], hand_clock.now())
    keeper.round(asked_for_space=True)
    assert keeper.facts().holds_over is None
    keeper.db.close()


def test_the_keeper_tells_how_long_footage_will_stay(db, folders, hand_clock: HandClock, tmp_path: Path):
    for _ in range(48):
        add_clip(db, folders, hand_clock.now())
        add_clip(db, folders, hand_clock.now(), 3 * MB, "yard", "continuous")
        hand_clock.advance(1800)
    keeper = keeper_of(folders, tmp_path, hand_clock, quota(500, keep_days=10, keep_continuous_days=2))
    keeper.round(asked_for_space=True)
    assert keeper.facts().kept_days == {"gate": pytest.approx(5.2, abs=0.2), "yard": pytest.approx(1.7, abs=0.1)}
    keeper.db.close()


def test_what_the_ward_sets_shortens_retention_from_the_next_look(db, folders, hand_clock: HandClock, tmp_path: Path):
    of_day = []
    for _ in range(9):
        of_day.append(add_clip(db, folders, hand_clock.now()))
        hand_clock.advance(DAY_S)
    key, command_key = Ed25519PrivateKey.generate(), tmp_path / "command.pem"
    command_key.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    ward = Ward(enabled=True, command_key=str(command_key))
    keeper = keeper_of(folders, tmp_path, hand_clock, quota(500, keep_days=10), ward)
    for ver, wish, left in ((1, {"retention_d": 30}, of_day), (2, {"retention_d": 7}, of_day[3:]), (3, {}, of_day[3:]),
                            (4, {"retention_d": 1}, of_day[7:])):
        told = {"v": 1, "dev": identity.name(folders, db)} | (              # in turn as earlier versions had it
            {"ver": ver, "cfg": wish} if ver % 2 else {"id": ULID, "iat": ver, "exp": 9, "name": "set", "args": wish})
        signed = {**told, "sig": base64.b64encode(key.sign(canonical(told))).decode()}
        forgery = {**signed, "cfg" if ver % 2 else "args": {"retention_d": 3}}
        for payload in (json.dumps(forgery), json.dumps(signed)):
            with transaction(db):
                ward_settings.put(db, Given(ver=ver, cfg={"retention_d": 3}, payload=payload))
            hand_clock.advance(61)
            keeper.round(asked_for_space=False)
        assert [clip.seq for clip in clips.finished(keeper.db)][::-1] == left
    keeper.db.close()
