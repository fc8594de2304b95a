"""Help for a dead camera under a real systemd: asked for by its capture process, given by root within bounds.

One boot, and the tests go on from one another. Which step is taken when is in tests/capture/test_ladder.py.
"""
import time
from collections.abc import Iterator

import pytest

from agent.core.recovery import REBOOT_AGAIN_MS, REBOOT_UP_MS
from tests.rigs.wait import until
from tests.systemd.booted import KEEPER, SETTINGS, demand_libraries, furnish
from tests.systemd.machine import Machine, NoMachine

CAMERA, DRIVER, REBOOT = "taimat-capture@usb.service", "rescue-taimat-driver.service", "rescue-taimat-reboot.service"
CONFIG = """
[[camera]]
name = "usb"
source = "v4l2:/dev/video0"
[recovery]
driver_reload = true
"""
ASK = """
import sys
sys.path.insert(0, "/opt/taimat/current")
from agent.host import rescue
from agent.host.clock import SystemClock
rescue.ask(rescue.FOLDER, sys.argv[1], "usb", SystemClock().now())
"""
# A webcam on USB, as the kernel shows it. Memory plays /sys: no machine of ours has one.
WEBCAM = """
set -e
mount -t tmpfs kernel /sys/class
mkdir -p /sys/class/usb/1-1/1-1:1.0 /sys/class/drivers/uvcvideo /sys/class/video4linux/video0
ln -s ../../../drivers/uvcvideo /sys/class/usb/1-1/1-1:1.0/driver
ln -s ../../usb/1-1/1-1:1.0 /sys/class/video4linux/video0/device
echo untouched >/sys/class/usb/1-1/authorized
"""
PLUG = "/sys/class/usb/1-1/authorized"


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A booted machine with a webcam that gives nothing."""
    folder = tmp_path_factory.mktemp("rescue")
    try:
        demand_libraries()
        with Machine(folder) as made:
            furnish(made, units=(KEEPER,))
            made.write(SETTINGS, CONFIG)
            made.write("/usr/lib/ask.py", ASK)
            made.enable(CAMERA, "rescue-taimat-driver.path", "rescue-taimat-reboot.path")
            made.boot()
            made.until(CAMERA, "ActiveState", "active")
            yield made
    except NoMachine as reason:
        pytest.skip(f"no machine: {reason}")


def answers(machine: Machine, unit: str, said: str, n: int) -> None:
    """Wait until root's journal has this so often."""
    until(lambda: machine.journal("--unit", unit).count(said) == n, said)


def ask(machine: Machine, what: str) -> None:
    """Ask as the camera's process does: what it sees of the file system, its user."""
    inside = ["nsenter", "--mount", "--target", machine.show(CAMERA, "MainPID")]
    user = ["setpriv", "--reuid", "taimat-capture", "--regid", "taimat", "--init-groups"]
    machine.run(*inside, *user, "python3", "/usr/lib/ask.py", what)


def test_a_driver_is_started_anew_with_its_camera_s_unit_stopped_and_once_a_boot(machine: Machine) -> None:
    machine.run("sh", "-c", WEBCAM)
    before = machine.show(CAMERA, "MainPID")
    ask(machine, "driver")
    answers(machine, DRIVER, "usb: has no picture and asks for a restart of its driver", 1)
    until(lambda: machine.run("cat", PLUG) == "1", "it is plugged in again")
    until(lambda: machine.show(CAMERA, "MainPID") not in (before, "0"), "a new process")
    ask(machine, "driver")
    answers(machine, DRIVER, "driver refused: its driver was restarted already", 1)
    assert machine.run("ls", "/run/taimat-rescue") == ""


def test_what_the_settings_forbid_root_refuses(machine: Machine) -> None:
    machine.write(SETTINGS, CONFIG.replace("driver_reload = true", "driver_reload = false\nreboot = false"))
    for what, unit in (("driver", DRIVER), ("reboot", REBOOT)):
        ask(machine, what)
        answers(machine, unit, f"{what} refused: the settings under [recovery] do not allow it", 1)
    machine.write(SETTINGS, CONFIG)


def test_the_machine_restarts_once_and_not_twice_a_day(machine: Machine) -> None:
    if not REBOOT_UP_MS < time.clock_gettime(time.CLOCK_BOOTTIME) * 1000 < REBOOT_AGAIN_MS - 600_000:
        pytest.skip("a container counts its host's time, and this one has not been up for ten minutes to a day")
    ask(machine, "reboot")
    machine.until_restarting()
    machine.boot()
    machine.until(CAMERA, "ActiveState", "active")
    ask(machine, "reboot")
    answers(machine, REBOOT, "was restarted for a camera within 24 hours", 1)
