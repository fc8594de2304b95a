"""A card whose errors made the file system give up: it is named by every role, and the machine restarts, once."""
import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.cli import rescue as root
from agent.config.settings import Recovery, Settings, Store
from agent.core.card_ladder import PATIENCE_MS
from agent.core.recovery import REBOOT_AGAIN_MS, REBOOT_UP_MS
from agent.host import rescue
from agent.host.datagram import Outlet
from agent.host.files import sync_folder
from agent.host.probes import file_system
from agent.host.stop import Stop
from agent.keeper.card_watch import CardWatch
from agent.keeper.main import Keeper
from agent.process.heartbeat import Heartbeat
from agent.process.role import Role
from agent.store.card_fault import fault_of
from agent.store.database import StoreError, connect
from agent.store.decisions import database as decisions
from agent.store.folders import Folders
from tests.rigs.powercut.disk import Disk, logged_disk, missing
from tests.rigs.wait import until

CARD_B = 32 << 20


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    if missing():
        pytest.skip(missing())
    with logged_disk(tmp_path / "disk", CARD_B, "-e", "remount-ro") as made:
        yield made


def give_up(disk: Disk) -> None:
    """Let the card fail until its file system has given up, and be well again."""
    disk.trouble("EIO")
    (disk.mount / "stranger").mkdir(exist_ok=True)
    (disk.mount / f"stranger/{len(list((disk.mount / 'stranger').iterdir()))}").mkdir()
    with contextlib.suppress(OSError):
        sync_folder(disk.mount)
    until(lambda: file_system.refuses(disk.mount), "the file system gives up")
    disk.trouble()


def test_after_an_error_that_is_over_the_keeper_asks_for_a_restart_and_the_card_is_whole(disk, tmp_path, hand_clock):
    folders, requests = Folders(disk.mount / "store").create(), tmp_path / "requests"
    requests.mkdir()
    role = Role(Settings(store=Store(folder=str(folders.root), free_floor_pct=1)), None, folders, tmp_path, hand_clock,
                Heartbeat("keeper", "keeper", tmp_path, hand_clock), Stop(), None)
    keeper = Keeper(role, connect(folders.root), decisions.connect(folders), Outlet(tmp_path))
    keeper.card.requests = requests
    keeper.round(asked_for_space=False)
    assert keeper.fault is None and not file_system.is_aborted(folders.root)
    give_up(disk)
    assert file_system.is_aborted(folders.root)
    with pytest.raises(OSError) as met:
        (folders.clips / "a clip").touch()
    assert fault_of(met.value, folders.root) == "card_read_only"
    with pytest.raises(StoreError) as met:
        connect(folders.root, file="db/new.db")
    assert fault_of(met.value, folders.root) == "card_read_only"
    hand_clock.advance((REBOOT_UP_MS + PATIENCE_MS) / 1000)
    keeper.round(asked_for_space=True)
    assert keeper.facts().card_fault == "card_read_only" and not list(requests.iterdir())
    hand_clock.advance(PATIENCE_MS / 1000)
    keeper.round(asked_for_space=True)
    assert [path.name for path in requests.iterdir()] == ["reboot.card"]
    assert rescue.collect(requests, "reboot", hand_clock.now()) == ["card"]
    keeper.round(asked_for_space=True)
    assert not list(requests.iterdir())                 # root may have refused: it is not asked all the time
    keeper.close()
    disk.pull_out()
    assert disk.mend() in (0, 1)
    disk.plug_in()
    again = CardWatch(folders, True, requests)
    hand_clock.boot, hand_clock.mono = "0b007002", LONG_S
    again.look(hand_clock.now(), failed=False)
    give_up(disk)
    for _ in range(2):
        again.look(hand_clock.now(), failed=True)
        hand_clock.advance(2 * PATIENCE_MS / 1000)
    assert not list(requests.iterdir())                 # the second time within a day it is left to people


LONG_S = 2 * REBOOT_UP_MS / 1000


@pytest.fixture
def kernel(tmp_path: Path) -> Path:
    """A machine whose kernel has noted an error on the file system of the store."""
    number = os.stat(tmp_path).st_dev
    block = tmp_path / "kernel/sys/devices/sda1"
    for folder in (block, tmp_path / "kernel/sys/dev/block", tmp_path / "kernel/sys/fs/ext4/sda1"):
        folder.mkdir(parents=True)
    (tmp_path / f"kernel/sys/dev/block/{os.major(number)}:{os.minor(number)}").symlink_to(block)
    (tmp_path / "kernel/sys/fs/ext4/sda1/errors_count").write_text("1\n")
    return tmp_path / "kernel"


def test_root_restarts_for_what_the_kernel_says_itself_also_where_nothing_can_be_noted(tmp_path, kernel, hand_clock):
    ran: list[list[str]] = []
    settings, record = Settings(store=Store(folder=str(tmp_path))), tmp_path / "nowhere/reboots.json"
    hand_clock.mono = LONG_S
    root.reboot_for_card(settings, record, hand_clock, ran.append, kernel)
    assert ran == [["systemctl", "reboot"]]
    record.parent.mkdir()
    root.reboot_for_card(settings, record, hand_clock, ran.append, kernel)
    with pytest.raises(root.RescueRefused, match="within 24 hours"):
        root.reboot_for_card(settings, record, hand_clock, ran.append, kernel)
    hand_clock.advance(REBOOT_AGAIN_MS / 1000)
    (kernel / "sys/fs/ext4/sda1/errors_count").write_text("0\n")
    with pytest.raises(root.RescueRefused, match="the kernel has noted no error"):
        root.reboot_for_card(settings, record, hand_clock, ran.append, kernel)
    settings.recovery = Recovery(reboot=False)
    with pytest.raises(root.RescueRefused, match="do not allow"):
        root.reboot_for_card(settings, record, hand_clock, ran.append, kernel)
    assert len(ran) == 2
