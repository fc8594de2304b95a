"""A machine whose card gives up, under a real systemd: root finds out by itself, restarts it, and knows when to stop.

The card is a real ext4 with all of /var/lib on it, so what root keeps there goes with it; beside it a boot partition. A
container's kernel goes on, so the test mounts them anew, as a boot does. Boot after boot the tests go on from one
another. Which restart is due when is in tests/core/test_card_ladder.py.
"""
import contextlib
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from agent.core.card_ladder import Budget
from tests.rigs.powercut.disk import mend
from tests.rigs.wait import HANG_S, until
from tests.systemd.booted import KEEPER, NETWORK, WEB, conditions, demand_libraries, furnish, health, until_recording
from tests.systemd.machine import Machine, NoMachine

UNIT = "rescue-taimat-card.service"
CARD_B, BOOT_B = 256 << 20, 8 << 20
MEMORY_KB = 12_000
KEPT, NOTE, TOLD = "/var/lib/taimat-rescue/card.json", "/boot/firmware/taimat-restarts.json", "/run/taimat-card"
# What makes the unit's own program hasty; and a container counts its host's time since boot.
HASTY = """
import os, time
from agent.core import card_ladder
from agent.host.clock import SystemClock
began_s = int(open("/proc/1/stat").read().rpartition(")")[2].split()[19]) / os.sysconf("SC_CLK_TCK")
host_s, sleep, card_ladder.PATIENCE_MS = SystemClock.mono_s, time.sleep, 500
SystemClock.mono_s = lambda clock: host_s(clock) - began_s
time.sleep = lambda seconds: sleep(seconds / 20)
"""
PATHS = "Environment=PYTHONPATH=/usr/lib/hasty:/opt/taimat/current:/opt/taimat/current/libraries"
ROLES = ("taimat-capture", "taimat-keeper", "taimat-link", "taimat-web")


@dataclass
class Card:
    """A file system in a file, mounted within the machine's folder."""

    image: Path
    point: Path

    def plug_in(self) -> None:
        subprocess.run(["mount", "-o", "loop,noatime,errors=remount-ro", self.image, self.point], check=True)

    def give_up(self) -> None:
        """What an error in its journal brings about."""
        source = subprocess.run(["findmnt", "-no", "SOURCE", self.point], capture_output=True, text=True, check=True)
        Path(f"/sys/fs/ext4/{Path(source.stdout.strip()).name}/trigger_fs_error").write_text("a test")

    def boot(self) -> None:
        """Mount it anew, as a boot does."""
        subprocess.run(["umount", self.point], check=True, timeout=HANG_S)
        assert mend(self.image)[0] in (0, 1)
        self.plug_in()


def laid(image: Path, point: Path, size_b: int) -> Card:
    """A fresh one with what the folder has held."""
    with image.open("wb") as file:
        file.truncate(size_b)
    subprocess.run(["mkfs.ext4", "-q", "-d", point, image], check=True)
    card = Card(image, point)
    card.plug_in()
    return card


@dataclass
class Recorder:
    """The machine with its two file systems."""

    machine: Machine
    card: Card
    boot_partition: Card

    def start(self, give_up: bool = False) -> None:
        """What a boot does; with `give_up` the card does so before a single unit has started."""
        for each in (self.card, self.boot_partition):
            each.boot()
        if give_up:
            self.card.give_up()
        with contextlib.suppress(NoMachine) if give_up else contextlib.nullcontext():   # it may restart at once
            self.machine.boot()

    def note(self, path: str) -> Budget:
        return msgspec.json.decode((self.machine.root / path.lstrip("/")).read_bytes(), type=Budget)


@pytest.fixture(scope="module")
def recorder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorder]:
    """A booted machine that records."""
    folder = tmp_path_factory.mktemp("card")
    try:
        demand_libraries()
        with Machine(folder) as machine:
            furnish(machine, units=(NETWORK, KEEPER, WEB))
            machine.write("/usr/lib/hasty/sitecustomize.py", HASTY)
            machine.write(f"/etc/systemd/system/{UNIT}.d/90-hasty.conf", f"[Service]\n{PATHS}\n")
            machine.enable(UNIT)
            (machine.root / "boot/firmware").mkdir(parents=True)
            made = Recorder(machine, laid(folder / "card", machine.root / "var/lib", CARD_B),
                            laid(folder / "boot", machine.root / "boot/firmware", BOOT_B))
            machine.boot()
            yield made
    except NoMachine as reason:
        pytest.skip(f"no machine: {reason}")


def test_while_the_card_is_well_what_root_keeps_is_root_s_alone_and_its_process_is_small(recorder: Recorder) -> None:
    machine = recorder.machine
    until(lambda: (machine.root / NOTE.lstrip("/")).exists(), "the boot partition has its file")
    assert recorder.note(KEPT).ahead and recorder.note(KEPT).boot == machine.run(
        "cut", "-c", "1-8", "/proc/sys/kernel/random/boot_id")
    until_recording(machine)
    for role in ROLES:
        for place in (KEPT, NOTE, f"{TOLD}/given-up"):
            machine.run("setpriv", "--reuid", role, "--regid", "taimat", "--init-groups",
                        "sh", "-c", f"! echo '{{}}' >{place} && ! rm {place} && ! mv {place} {place}.old")
    until(lambda: health(machine), "a browser is paired")
    memory = machine.run("cat", f"/proc/{machine.show(UNIT, 'MainPID')}/smaps_rollup")
    assert int(re.search(r"Anonymous: +(\d+) kB", memory)[1]) < MEMORY_KB
    assert machine.journal("--unit", UNIT, "--priority", "warning") == ""


def test_a_card_that_gives_up_while_it_records_has_the_machine_restart(recorder: Recorder) -> None:
    recorder.card.give_up()
    recorder.machine.until_restarting()
    assert len(recorder.note(NOTE).restarts_ms) == 1
    recorder.start()
    until_recording(recorder.machine)


def test_one_that_gives_up_before_any_role_has_started_as_well(recorder: Recorder) -> None:
    recorder.machine.run("systemctl", "reboot")             # a restart in order leaves no doubt, and costs nothing
    recorder.machine.until_restarting()
    recorder.start(give_up=True)
    recorder.machine.until_restarting()
    assert len(recorder.note(NOTE).restarts_ms) == 2 and not recorder.note(NOTE).unclear_ms


def test_where_not_even_systemctl_can_be_started_the_kernel_is_asked(recorder: Recorder) -> None:
    closed = recorder.machine.root / f"etc/systemd/system/{UNIT}.d/95-closed.conf"
    closed.write_text("[Service]\nInaccessiblePaths=/usr/bin/systemctl\n")
    recorder.start(give_up=True)
    recorder.machine.until_restarting()
    closed.unlink()


def test_after_three_it_stays_up_and_says_so(recorder: Recorder) -> None:
    recorder.start()
    machine = recorder.machine
    until(lambda: health(machine), "the keeper has let the browser in")
    recorder.card.give_up()
    until(lambda: "card_given_up" in conditions(machine), "the page says so")
    assert "it may have restarted for that three times within a day of running" in machine.journal("--unit", UNIT)
    assert "card_read_only" not in conditions(machine) and "not_recording" not in conditions(machine)


def test_switched_off_and_on_it_records_again(recorder: Recorder) -> None:
    recorder.machine.cut_power()
    recorder.start()
    until_recording(recorder.machine)
    assert health(recorder.machine) and "card_given_up" not in conditions(recorder.machine)


def test_where_root_s_process_can_not_be_started_at_all_pid_1_acts_once_its_patience_is_over(
        recorder: Recorder) -> None:
    """A day in the unit's own file."""
    machine = recorder.machine
    machine.write(f"/etc/systemd/system/{UNIT}.d/95-closed.conf", "[Unit]\nStartLimitBurst=4\n"
                  "[Service]\nRestartSec=100ms\nInaccessiblePaths=/usr/bin/python3\n")
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "restart", UNIT, check=False)
    machine.until_restarting()
