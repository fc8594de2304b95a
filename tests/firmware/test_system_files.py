"""What firmware_cfg/ lays onto a system, each file read by the strictest thing that reads it offline."""
import configparser
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.rigs.wait import HANG_S

FOLDER = Path(__file__).parents[2] / "firmware_cfg"
ROOT = FOLDER / "board" / "root"
PAPER = FOLDER.parent / "docs" / "design" / "device.md"
FILES = {str(path.relative_to(ROOT)): path for path in sorted(ROOT.rglob("*")) if path.is_file()}
SETTING_FILES = {**FILES, "fstab.data": FOLDER / "fstab.data"}
APT = "etc/apt/apt.conf.d/52taimat-board"
SYSTEM, UDEV = "usr/lib/systemd/system.conf.d/90-taimat.conf", "usr/lib/udev/rules.d/90-taimat-board.rules"
# The keys in use by section: from the manual pages of systemd 257, rpi-swap and NetworkManager.
KEYS = {
    "usr/lib/systemd/journald.conf.d/90-taimat.conf": {"Journal": {"Storage", "RuntimeMaxUse"}},
    SYSTEM: {"Manager": {"RuntimeWatchdogSec", "RebootWatchdogSec", "WatchdogDevice"}},
    "usr/lib/systemd/timesyncd.conf.d/90-taimat.conf": {"Time": {"SaveIntervalSec"}},
    "usr/lib/rpi/swap.conf.d/90-taimat.conf": {"Main": {"Mechanism"}},
    "usr/lib/NetworkManager/conf.d/90-taimat.conf": {"connection-taimat-wifi": {"match-device", "wifi.powersave"}},
}
COMMENTS = ("#", "//")
TIMER_S, FED_S = 16, 8          # of the SoC; the kernel feeds it at half of that


def settings(name: str) -> list[str]:
    """The lines of a file that set something."""
    return [line for line in SETTING_FILES[name].read_text().splitlines()
            if line.strip() and not line.startswith(("#", "[", "//"))]


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    """The finished command with its output; skips the test where its tool is missing."""
    if not shutil.which(command[0]):
        pytest.skip(f"{command[0]} is missing")
    return subprocess.run(command, capture_output=True, text=True, timeout=HANG_S)


@pytest.mark.parametrize("name", SETTING_FILES)
def test_every_setting_has_its_why_above_it(name: str) -> None:
    paragraph: list[str] = []
    for line in SETTING_FILES[name].read_text().splitlines():
        if not line.strip():
            paragraph = []
        elif not line.startswith(("#", "//", "[")):
            assert any(each.startswith(COMMENTS) for each in paragraph), f"no why above {line!r}"
            assert not re.search(r"\s(#|//)", line), f"a comment behind a setting: {line!r}"
        paragraph.append(line)


@pytest.mark.parametrize("name", SETTING_FILES)
def test_comments_fit_a_narrow_terminal(name: str) -> None:
    for line in SETTING_FILES[name].read_text().splitlines():
        assert len(line) <= 98 or name == "fstab.data" and not line.startswith("#"), line


def test_every_file_has_its_row_in_the_paper() -> None:
    rows = set(re.findall(r"^\| `/([^`]+)` \| ", PAPER.read_text(), re.MULTILINE))
    assert set(FILES) == rows


def test_the_kernel_has_every_sysctl_key() -> None:
    for line in settings("usr/lib/sysctl.d/90-taimat.conf"):
        key, value = line.split(" = ")
        assert Path("/proc/sys", *key.split(".")).exists(), f"unknown to this kernel: {key}"
        assert value.isdigit()


@pytest.mark.parametrize("name", KEYS)
def test_drop_ins_use_known_keys(name: str) -> None:
    parser = configparser.ConfigParser(delimiters=("=",), comment_prefixes=("#",))
    parser.optionxform = str
    parser.read_string(FILES[name].read_text())
    assert {section: set(parser[section]) for section in parser.sections()} == KEYS[name]


def test_the_watchdog_fits_the_timer_of_the_soc_also_as_old_drivers_reckon() -> None:
    times = {key: int(seconds) for key, seconds in re.findall(r"^(\w+Sec)=(\d+)s$", FILES[SYSTEM].read_text(), re.M)}
    assert set(times) == {"RuntimeWatchdogSec", "RebootWatchdogSec"}
    assert all(seconds > 15 and seconds % TIMER_S > FED_S + 2 for seconds in times.values())


def test_apt_reads_its_file_and_updates_what_a_raspberry_pi_has() -> None:
    answer = run("apt-config", "-c", FILES[APT], "dump", "--format", "%F=%v%n")
    assert answer.returncode == 0, answer.stderr
    told = answer.stdout.splitlines()
    assert "APT::Periodic::Unattended-Upgrade=1" in told
    assert any("origin=Raspberry Pi Foundation," in line for line in told)
    assert not any("taimat" in line.lower() for line in told if "Origins" in line), "the household decides on ours"


def test_udev_understands_the_rule_and_it_leaves_the_mailbox_alone() -> None:
    answer = run("udevadm", "verify", FILES[UDEV])
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert not any("vcio" in line for line in settings(UDEV))


@pytest.mark.parametrize("name", ["postinst", "prerm"])
def test_a_shell_reads_the_maintainer_scripts(name: str) -> None:
    script = FOLDER / "board" / "maintainer" / name
    answer = run("sh", "-n", script)
    assert answer.returncode == 0, answer.stderr
    assert script.read_text().startswith("#!/bin/sh\n") and "set -e" in script.read_text()


def test_a_real_ext4_takes_the_mount_options(tmp_path: Path) -> None:
    source, folder, kind, options, dump, order = settings("fstab.data")[0].split()
    assert (source, folder, kind, dump, order) == ("LABEL=taimat-data", "/var/lib/taimat", "ext4", "0", "2")
    assert "commit=" not in options and "data=" not in options
    if os.geteuid() != 0:
        pytest.skip("mounting needs root")
    image, place = tmp_path / "card", tmp_path / "place"
    place.mkdir()
    with image.open("wb") as card:
        card.truncate(16 << 20)
    made = run("mkfs.ext4", "-q", "-L", source.removeprefix("LABEL="), image)
    assert made.returncode == 0, made.stderr
    for_mount = ",".join(option for option in options.split(",") if option != "nofail" and not option.startswith("x-"))
    mounted = run("mount", "-t", kind, "-o", f"loop,{for_mount}", image, place)
    if "loop device" in mounted.stderr:
        pytest.skip(f"no loop devices here: {mounted.stderr.strip()}")
    assert mounted.returncode == 0, mounted.stderr
    try:
        mounts = Path("/proc/mounts").read_text().splitlines()
        effective = next(line.split()[3] for line in mounts if str(place) in line)
    finally:
        subprocess.run(["umount", place], check=True)
    assert {"rw", "noatime", "nodev", "nosuid", "noexec", "errors=remount-ro"} <= set(effective.split(","))
