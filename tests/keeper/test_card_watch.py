"""A card whose errors made the file system give up is named by every role; see also tests/cli/test_rescue_card.py."""
import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.config.settings import Settings, Store
from agent.host.datagram import Outlet
from agent.host.files import sync_folder
from agent.host.probes import volume
from agent.host.stop import Stop
from agent.keeper.damage import CardWatch
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
    with contextlib.suppress(OSError):          # the journal's own commit may be first
        (disk.mount / "stranger").mkdir()
        sync_folder(disk.mount)
    until(lambda: volume.refuses(disk.mount), "the file system gives up")
    disk.trouble()


def test_after_an_error_that_is_over_every_role_says_what_the_card_is(disk, tmp_path, hand_clock):
    folders = Folders(disk.mount / "store").create()
    role = Role(Settings(store=Store(folder=str(folders.root), free_floor_pct=1)), None, folders, tmp_path, hand_clock,
                Heartbeat("keeper", "keeper", tmp_path, hand_clock), Stop())
    keeper = Keeper(role, connect(folders.root), decisions.connect(folders), Outlet(tmp_path))
    keeper.round(asked_for_space=False)
    assert keeper.fault is None and not volume.Abort(folders.root).seen()
    give_up(disk)
    assert volume.Abort(folders.root).seen()
    with pytest.raises(OSError) as met:
        (folders.clips / "a clip").touch()
    assert fault_of(met.value, folders.root) == "card_read_only"
    with pytest.raises(StoreError) as met:
        connect(folders.root, file="db/new.db")
    assert fault_of(met.value, folders.root) == "card_read_only"
    keeper.round(asked_for_space=True)
    assert keeper.facts().card_fault == "card_read_only"
    keeper.close()
    disk.pull_out()
    assert disk.mend() in (0, 1)
    disk.plug_in()
    keeper.card.look(failed=False)
    assert not keeper.card.refuses


def test_a_card_that_nobody_writes_is_found_out_by_what_the_kernel_notes(disk):
    folders = Folders(disk.mount / "store").create()
    watch = CardWatch(folders)
    give_up(disk)
    watch.look(failed=False)
    assert watch.refuses
