"""Root's look at a card whose file system has given up, on a real ext4: the machine restarts within its budget.

That the machine really does is in tests/systemd/test_card_boot.py, the decision in tests/core/test_card_ladder.py.
"""
import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from agent.core.card_ladder import HELPED_MS, PATIENCE_MS, WELL_MS
from agent.core.recovery import REBOOT_AGAIN_MS
from agent.host import rescue
from agent.host.files import sync_folder
from agent.host.probes.volume import Abort, refuses
from agent.privileged.rescue_card import LOOK_EVERY_S, CardRescue
from agent.store import restarts
from tests.conftest import HandClock
from tests.rigs.powercut.disk import Disk, logged_disk, missing
from tests.rigs.wait import until

CARD_B, BOOT_B = 32 << 20, 8 << 20
PATIENCE_S, WELL_S, HOUR_S, DAY_S = (
    each / 1000 for each in (PATIENCE_MS, WELL_MS, HELPED_MS, REBOOT_AGAIN_MS))


@dataclass
class Recorder:
    """A machine whose card is a real ext4, with the budget on that card and in a second place, if it has one."""

    card: Disk
    beside: Path | None
    clock: HandClock
    root: Path
    outage_s: float = 0.0                   # for so much longer the card answers with errors
    waits_s: list[float] = field(default_factory=list)      # from an error to the restart
    boots_n: int = 1
    watch: CardRescue = field(init=False)

    def __post_init__(self) -> None:
        self.begin()

    @property
    def places(self) -> list[Path]:
        return [self.card.mount / "root/card.json", *([self.beside] if self.beside else [])]

    def begin(self) -> None:
        """Root's process starts."""
        self.watch = CardRescue(self.card.mount, self.clock, self.power_cut, self.places, self.root)

    def run(self, hours: int) -> None:
        """All is well."""
        for _ in range(hours):
            boots_n = self.boots_n
            self.watch.look()
            self.clock.advance(HOUR_S)
            assert self.boots_n == boots_n and not self.gave_up

    def power_cut(self) -> None:
        """Another boot, with the card mounted anew."""
        self.card.pull_out()
        self.card.trouble()
        assert self.card.mend() in (0, 1)
        self.card.plug_in()
        (self.root / rescue.GIVEN_UP).unlink(missing_ok=True)
        self.boots_n += 1
        self.clock.boot, self.clock.mono = f"{self.boots_n:08x}", 5.0
        self.begin()

    def give_up(self, for_s: float = 0.0) -> None:
        """Let the card fail until its file system has given up; it goes on failing for so long."""
        names = self.card.mount / "stranger"
        names.mkdir(exist_ok=True)
        self.card.trouble("EIO")
        with contextlib.suppress(OSError):                  # the journal's own commit may be first
            (names / f"{len(list(names.iterdir()))}").mkdir()
            sync_folder(self.card.mount)
        until(lambda: refuses(self.card.mount), "the file system gives up")
        self.outage_s = for_s
        self.wait(0.0)

    def heals(self) -> bool:
        """Whether the machine restarts for it, before the roles are told that it does not."""
        began_s, boots_n = self.clock.mono, self.boots_n
        while not self.gave_up:
            now_s = self.clock.mono
            self.watch.look()
            if self.boots_n > boots_n:
                self.waits_s.append(now_s - began_s)
                return True
            self.wait(LOOK_EVERY_S)
        return False

    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.outage_s -= seconds
        if self.outage_s <= 0:
            self.card.trouble()

    @property
    def gave_up(self) -> bool:
        """Whether the roles are told that nothing more is done."""
        return (self.root / rescue.GIVEN_UP).exists()


@pytest.fixture
def card(tmp_path: Path) -> Iterator[Disk]:
    if missing():
        pytest.skip(missing())
    with logged_disk(tmp_path / "disk", CARD_B, "-e", "remount-ro") as made:
        (made.mount / "root").mkdir()
        yield made


@pytest.fixture
def recorder(card: Disk, tmp_path: Path, hand_clock: HandClock) -> Recorder:
    for name in ("proc", "sys", "dev"):
        (tmp_path / "machine").mkdir(exist_ok=True)
        (tmp_path / "machine" / name).symlink_to(f"/{name}")
    (tmp_path / "machine" / rescue.GIVEN_UP).parent.mkdir(parents=True)
    (tmp_path / "boot").mkdir()
    return Recorder(card, tmp_path / "boot/restarts.json", hand_clock, tmp_path / "machine")


def test_a_card_that_is_well_is_left_alone_also_with_errors_of_an_earlier_life(recorder: Recorder) -> None:
    recorder.run(3)
    name = Path(recorder.card.device).name
    recorder.card.remount("errors=continue")
    Path(f"/sys/fs/ext4/{name}/trigger_fs_error").write_text("a test")
    until(lambda: int(Path(f"/sys/fs/ext4/{name}/errors_count").read_text()), "the kernel notes it")
    recorder.run(3)
    assert not recorder.gave_up


def test_two_faults_a_day_heal_day_after_day(recorder: Recorder) -> None:
    for _ in range(6):
        recorder.run(11)
        recorder.give_up()
        assert recorder.heals()
    assert {*recorder.waits_s} == {WELL_S}


def test_while_the_card_refuses_writes_the_machine_stays_up_for_three_minutes(recorder: Recorder) -> None:
    recorder.run(2)
    recorder.give_up(for_s=DAY_S)
    assert recorder.heals() and recorder.waits_s == [PATIENCE_S]


def test_a_power_cut_a_day_takes_no_restart_away(recorder: Recorder) -> None:
    for _ in range(6):
        recorder.run(11)
        recorder.power_cut()
    recorder.run(1)
    recorder.give_up()
    assert recorder.heals()


def test_an_end_in_order_leaves_no_doubt(recorder: Recorder) -> None:
    for _ in range(4):
        recorder.run(1)
        recorder.watch.end()
        recorder.power_cut()
    recorder.run(1)
    assert not restarts.load_budget(recorder.places).unclear_ms
    recorder.give_up()
    recorder.watch.end()                                    # which tells nothing: it can't be written
    recorder.power_cut()
    recorder.run(1)
    assert restarts.load_budget(recorder.places).unclear_ms


def test_errors_for_25_s_in_the_boot_after_a_restart_are_healed_as_well(recorder: Recorder) -> None:
    recorder.run(2)
    for _ in range(2):
        recorder.give_up(for_s=25.0)
        assert recorder.heals()
    recorder.run(2)
    assert recorder.waits_s == [25.0, 25.0]


def test_a_fault_in_the_first_seconds_of_every_boot_costs_three_restarts_a_day_each_after_a_longer_wait(
        recorder: Recorder) -> None:
    for _ in range(3):
        recorder.give_up()
        assert recorder.heals()
    assert recorder.waits_s == [WELL_S, 2 * WELL_S, 4 * PATIENCE_S]
    recorder.give_up()
    assert not recorder.heals()
    for wall_years in (-30, 60):                                # a clock that jumps
        recorder.clock.wall_ms += wall_years * 365 * REBOOT_AGAIN_MS
        recorder.watch.look()
    assert len(recorder.waits_s) == 3
    recorder.clock.advance(DAY_S)                               # nobody came: the next day it is tried again
    recorder.watch.look()
    assert len(recorder.waits_s) == 3 and recorder.boots_n == 5


def test_a_card_that_takes_nothing_and_nothing_beside_it_two_restarts_were_written_ahead(recorder: Recorder) -> None:
    recorder.beside = None
    recorder.begin()
    for _ in range(2):
        recorder.run(1)
        recorder.give_up(for_s=DAY_S)
        assert recorder.heals()
    recorder.run(1)
    recorder.give_up(for_s=DAY_S)
    assert not recorder.heals()
    recorder.power_cut()
    recorder.run(1)                                             # switched off and on: well again


def test_where_nothing_could_ever_be_written_nothing_restarts(recorder: Recorder) -> None:
    recorder.beside = recorder.root / "nowhere/restarts.json"
    for _ in range(3):
        recorder.begin()
        recorder.give_up(for_s=DAY_S)
        assert not recorder.heals()
        recorder.power_cut()


def test_a_card_that_comes_to_itself_meanwhile_is_spared_the_restart(recorder: Recorder) -> None:
    recorder.run(1)
    recorder.give_up()
    watch = recorder.watch
    for look in range(100):
        if look == 1:
            recorder.power_cut()
            recorder.clock.boot = "0b007001"
        watch.look()
        recorder.wait(LOOK_EVERY_S)
    assert recorder.boots_n == 2 and not recorder.gave_up


def test_what_can_not_be_read_any_more_counts_all_the_same(recorder: Recorder) -> None:
    """As on kernel 6.12, where a file system that has given up is not read either."""
    recorder.run(1)
    recorder.give_up()
    recorder.watch.places = [recorder.root / "nowhere/card.json"]
    assert recorder.heals()


@pytest.mark.parametrize("state", ["full", "read-only"])
def test_a_boot_partition_that_is_full_still_takes_the_note_and_one_that_is_read_only_does_not(
        recorder: Recorder, tmp_path: Path, state: str) -> None:
    with logged_disk(tmp_path / "beside", BOOT_B) as boot:
        recorder.beside = boot.mount / "restarts.json"
        recorder.begin()
        recorder.run(1)
        if state == "full":
            with (boot.mount / "kernels").open("wb", buffering=0) as rest, contextlib.suppress(OSError):
                while rest.write(bytes(1 << 16)):
                    pass
            os.sync()
        else:
            boot.remount("ro")
        recorder.give_up()
        assert recorder.heals()                             # it was written ahead on the card
        recorder.give_up()
        assert recorder.heals() is (state == "full")


def test_a_place_that_drops_what_it_took_counts_for_none(recorder: Recorder) -> None:
    recorder.beside = None
    recorder.run(1)
    recorder.card.trouble("drop")
    budget = restarts.load_budget(recorder.places)
    assert not restarts.write_budget(recorder.places[0], budget.restarted(recorder.clock.now()))


SPOILED = {"empty": b"", "zeros": bytes(512), "noise": bytes(range(256)) * 2, "torn": b'{"boot":"00000001","mono_ms":6',
           "a stranger's": b'{"restarts_ms": "none"}', "below zero": b'{"lived_ms": -1}', "a list": b"[]"}


@pytest.mark.parametrize("what", SPOILED)
def test_a_note_that_can_not_be_read_allows_nothing_for_a_day_unless_there_is_another(
        recorder: Recorder, what: str) -> None:
    recorder.run(1)
    recorder.places[0].write_bytes(SPOILED[what])
    assert restarts.load_budget(recorder.places).boot == "0b007001"
    recorder.beside = None
    recorder.power_cut()
    recorder.run(1)
    recorder.give_up()
    assert not recorder.heals()
    recorder.power_cut()
    recorder.run(25)
    recorder.give_up()
    assert recorder.heals()


def test_nothing_but_a_plain_file_is_read_or_written(recorder: Recorder, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("{}")
    for lay in (lambda at: at.symlink_to(secret), os.mkfifo, os.mkdir):
        place = tmp_path / f"place-{lay.__name__}"
        lay(place)
        assert restarts.load_budget([place]) == restarts.UNKNOWN
        assert not restarts.write_budget(place, restarts.UNKNOWN)
    assert secret.read_text() == "{}"


def test_a_boot_folder_on_the_system_s_own_card_is_no_second_place(monkeypatch: pytest.MonkeyPatch,
                                                                   tmp_path: Path) -> None:
    monkeypatch.setattr(restarts, "PLACES", (tmp_path / "card.json", Path("/usr/restarts.json"),
                                                   Path("/proc/restarts.json"), tmp_path / "none/restarts.json"))
    assert restarts.places() == [tmp_path / "card.json", Path("/proc/restarts.json")]


@pytest.fixture
def kernel(tmp_path: Path) -> Path:
    """A kernel that has noted an error on the file system of the store, whose mount is in `told`."""
    number = os.stat(tmp_path).st_dev
    device = f"{os.major(number)}:{os.minor(number)}"
    block = tmp_path / "kernel/sys/devices/sda1"
    for folder in (block, tmp_path / "kernel/sys/dev/block", tmp_path / "kernel/sys/fs/ext4/sda1",
                   tmp_path / "kernel/proc/self"):
        folder.mkdir(parents=True)
    (tmp_path / f"kernel/sys/dev/block/{device}").symlink_to(block)
    (tmp_path / "kernel/sys/fs/ext4/sda1/errors_count").write_text("1\n")
    return tmp_path / "kernel"


@pytest.mark.parametrize(("device", "options", "told"), [
    ("own", "rw - ext4 /dev/sda1 rw,emergency_ro", True), ("own", "ro - ext4 /dev/sda1 rw,emergency_ro", True),
    ("own", "rw - xfs /dev/sda1 rw,shutdown", True), ("own", "rw - ext4 /dev/sda1 rw", False),
    ("own", "ro - ext4 /dev/sda1 rw", False), ("own", "rw - ext4 /dev/sda1 ro", False),
    ("179:2", "rw - ext4 /dev/mmcblk0p2 rw", True), ("0:39", "rw - overlay overlay rw", False)])
def test_what_the_kernel_tells(tmp_path: Path, kernel: Path, device: str, options: str, told: bool) -> None:
    """A device that is gone from under its mount; errors alone, or a mount that only our sandbox makes read-only."""
    number = os.stat(tmp_path).st_dev
    own = f"{os.major(number)}:{os.minor(number)}"
    (kernel / "proc/self/mountinfo").write_text(
        f"21 20 {own} / / rw - ext4 /dev/sda1 rw\n"
        f"36 21 {own if device == 'own' else device} / {tmp_path} {options.partition(' ')[0]} {options}\n"
        .replace("rw rw -", "rw -").replace("ro ro -", "ro -"))
    assert Abort(tmp_path, kernel).seen() is told
