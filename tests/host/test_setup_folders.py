"""The two folders where the keeper and root meet: what root believes of what lies there, whoever laid it."""
import os
from pathlib import Path

import msgspec
import pytest

from agent.core.contract.setup import SetDevice, SetupRequest, SetupResult
from agent.host.clock import Instant
from agent.host.setup_folders import FRESH_MS, LARGEST_B, RESULTS_N, WAITING_MAX_N, NoSetup, SetupFolders

NOW = Instant("boot", 1_000_000, 1_795_561_300_000, "ntp")
CHANGE = SetDevice(title="Nhà bà Sáu")


@pytest.fixture
def folders(tmp_path: Path) -> SetupFolders:
    made = SetupFolders.beside(tmp_path / "run")
    made.asked.mkdir()
    made.told.mkdir(parents=True)
    return made


def at(mono_ms: int, boot: str = "boot") -> Instant:
    return Instant(boot, mono_ms, NOW.wall_ms, "ntp")


def ask(folders: SetupFolders, now: Instant = NOW) -> str:
    change_id = folders.new_id(now)
    folders.ask(change_id, CHANGE, now)
    return change_id


def test_changes_come_in_their_order_and_once(folders: SetupFolders):
    asked = [ask(folders, at(mono_ms)) for mono_ms in (9_999, 10_000, 999_999)]
    assert folders.is_called()
    taken = folders.collect(NOW)
    assert [each.id for each, _ in taken] == asked and taken[0][0].change == CHANGE
    assert folders.collect(NOW) == [] and not folders.is_called()


@pytest.mark.parametrize("asked", [at(NOW.mono_ms - FRESH_MS - 1), at(NOW.mono_ms + 1), at(NOW.mono_ms, "another")])
def test_an_old_change_is_told_as_such(folders: SetupFolders, asked: Instant):
    ask(folders, asked)
    assert [fresh for _, fresh in folders.collect(NOW)] == [False]


def test_no_more_than_so_many_wait(folders: SetupFolders):
    for _ in range(WAITING_MAX_N):
        ask(folders)
    with pytest.raises(NoSetup):
        folders.new_id(NOW)


def test_where_nobody_sets_up_nothing_is_asked(tmp_path: Path):
    with pytest.raises(NoSetup):
        SetupFolders.beside(tmp_path / "run").new_id(NOW)


def encoded(change_id: str) -> bytes:
    return msgspec.json.encode(SetupRequest(id=change_id, boot=NOW.boot, mono_ms=NOW.mono_ms, change=CHANGE))


def test_links_pipes_folders_and_giants_are_no_changes_and_hold_up_nobody(folders: SetupFolders, tmp_path: Path):
    name = f"change.{'0' * 20}"
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(encoded("0" * 20))
    for lay in (lambda path: path.symlink_to(elsewhere), lambda path: os.mkfifo(path), lambda path: path.mkdir(),
                lambda path: path.write_bytes(b" " * LARGEST_B + encoded("0" * 20)),
                lambda path: path.write_bytes(encoded("1" * 20)), lambda path: path.write_bytes(b"\xff{"),
                lambda path: path.write_bytes(b'{"id": "\xff"}'),
                lambda path: path.write_bytes(b'{"x":' + 60_000 * b"["),
                lambda path: path.write_bytes(b'{"id": "../../etc", "boot": "boot", "mono_ms": 1, "change": {}}')):
        lay(folders.asked / name)
        assert folders.collect(NOW) == []
        assert not list(folders.asked.iterdir())
    assert elsewhere.exists()


@pytest.mark.parametrize("change", [
    {"change": "device", "title": "x", "folder": "/tmp"}, {"change": "update", "rule": "allow"},
    {"change": "change_camera", "name": "gate", "reader": "libav"}, {"change": "add_camera", "name": "gate"},
    {"change": "device", "language": "fr"}, {"change": "device", "title": "x" * 41}])
def test_only_typed_changes_are_changes(folders: SetupFolders, change: dict[str, str]):
    change_id = "0" * 20
    body = {"id": change_id, "boot": NOW.boot, "mono_ms": NOW.mono_ms, "change": change}
    (folders.asked / f"change.{change_id}").write_bytes(msgspec.json.encode(body))
    assert folders.collect(NOW) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_another_user_s_file_is_no_change(folders: SetupFolders):
    change_id = ask(folders)
    os.chown(folders.asked / f"change.{change_id}", 65_534, -1)
    assert folders.collect(NOW) == []


def test_results_are_kept_for_a_while_and_found_by_their_id(folders: SetupFolders):
    for number in range(RESULTS_N + 5):
        folders.tell(SetupResult(id=f"{number:020x}", done=True))
    assert folders.result(f"{0:020x}") is None
    assert folders.result(f"{RESULTS_N:020x}") == SetupResult(id=f"{RESULTS_N:020x}", done=True)
    assert folders.result("../found") is None
