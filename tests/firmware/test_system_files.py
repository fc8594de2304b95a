"""The other files in firmware_cfg/, each read by the strictest thing that reads it offline."""
import configparser
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.rigs.wait import HANG_S

FOLDER = Path(__file__).parents[2] / "firmware_cfg"
SETTING_FILES = ("config.txt", "sysctl.conf", "journald.conf", "system.conf", "timesyncd.conf", "udev.rules",
                 "fstab.data")
# The keys in use by section, from the manual pages of systemd 257.
KEYS = {
    "journald.conf": {"Journal": {"Storage", "RuntimeMaxUse"}},
    "system.conf": {"Manager": {"RuntimeWatchdogSec", "RebootWatchdogSec", "WatchdogDevice"}},
    "timesyncd.conf": {"Time": {"SaveIntervalSec"}},
}


def settings(name: str) -> list[str]:
    """The lines of a file that set something."""
    return [line for line in (FOLDER / name).read_text().splitlines() if line and line[0] not in "#["]


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    """The finished command with its output; skips the test where its tool is missing."""
    if not shutil.which(command[0]):
        pytest.skip(f"{command[0]} is missing")
    return subprocess.run(command, capture_output=True, text=True, timeout=HANG_S)


@pytest.mark.parametrize("name", SETTING_FILES)
def test_every_setting_has_its_why_above_it(name: str) -> None:
    previous = ""
    for line in (FOLDER / name).read_text().splitlines():
        if line and line[0] not in "#[":
            assert previous.startswith("# "), f"no why above {line!r}"
            assert "#" not in line, f"a comment behind a setting: {line!r}"
        previous = line


@pytest.mark.parametrize("name", SETTING_FILES)
def test_comments_fit_a_narrow_terminal(name: str) -> None:
    for line in (FOLDER / name).read_text().splitlines():
        assert len(line) <= 98 or name == "fstab.data" and not line.startswith("#"), line


def test_the_command_line_is_one_line_of_known_words_and_the_readme_says_why() -> None:
    text, readme = (FOLDER / "cmdline.txt").read_text(), (FOLDER / "README.md").read_text()
    assert text.count("\n") == 1 and text.endswith("\n")
    words = text.split()
    assert "cgroup_enable=memory" in words and not any(word.startswith("console=") for word in words)
    for word in words:
        assert f"| `{word}` |" in readme


def test_every_file_has_its_place_in_the_readme() -> None:
    rows = set(re.findall(r"^\| `([^`=]+)` \| ", (FOLDER / "README.md").read_text(), re.MULTILINE))
    assert {file.name for file in FOLDER.iterdir() if file.is_file()} - {"README.md"} <= rows


def test_the_kernel_has_every_sysctl_key() -> None:
    for line in settings("sysctl.conf"):
        key, value = line.split(" = ")
        assert Path("/proc/sys", *key.split(".")).exists(), f"unknown to this kernel: {key}"
        assert value.isdigit()


@pytest.mark.parametrize("name", KEYS)
def test_systemd_drop_ins_use_known_keys(name: str) -> None:
    parser = configparser.ConfigParser(delimiters=("=",), comment_prefixes=("#",))
    parser.optionxform = str
    parser.read_string((FOLDER / name).read_text())
    assert {section: set(parser[section]) for section in parser.sections()} == KEYS[name]


def test_the_watchdog_fits_the_timer_of_the_soc() -> None:
    for line in settings("system.conf"):
        if seconds := re.fullmatch(r"\w+Sec=(\d+)s", line):
            assert int(seconds[1]) < 16


def test_udev_understands_the_rule_and_it_leaves_the_mailbox_alone() -> None:
    answer = run("udevadm", "verify", FOLDER / "udev.rules")
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert not any("vcio" in line for line in settings("udev.rules"))


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
