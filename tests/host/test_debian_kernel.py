"""A card that gives up, and a FAT boot partition, on the kernel that recorders run: Debian 13's, in QEMU."""
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.rigs.machine import guest

LONGEST_S = 300
FAT_B = 40 << 20
# A SCSI disk in memory that can be taken away, file systems, and a disk of the host's.
DISKS = ("crc32c_generic", "libcrc32c", "crc16", "mbcache", "jbd2", "ext4", "fat", "vfat", "nls_cp437", "nls_ascii",
         "virtio_blk", "scsi_common", "scsi_mod", "sd_mod", "scsi_debug dev_size_mb=64")
pytestmark = pytest.mark.timeout(400)


@pytest.fixture(scope="module")
def saw(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What tests/rigs/machine/card_scenarios.py saw in the guest."""
    disk = tmp_path_factory.mktemp("disk") / "boot"
    if has_fat := shutil.which("mkfs.vfat", path="/usr/sbin:/sbin:/usr/bin"):
        with disk.open("wb") as image:
            image.truncate(FAT_B)
        subprocess.run([has_fat, disk], check=True, capture_output=True)
    try:
        drive = ("-drive", f"file={disk},format=raw,if=virtio") if has_fat else ()
        scenarios = [sys.executable, "-m", "tests.rigs.machine.card_scenarios"]
        said = guest.run(scenarios, Path(__file__).parents[2], LONGEST_S, DISKS, *drive)
    except guest.NoMachine as missing:
        pytest.skip(f"no machine with Debian's kernel: {missing}")
    results = [line for line in said.splitlines() if line.startswith("{")]
    assert results, said[-3000:]
    return json.loads(results[-1])


def test_a_file_system_that_has_given_up_is_known_though_nothing_of_it_can_be_opened(saw: dict[str, Any]) -> None:
    card = saw["card"]
    assert (card["well"], card["kept"]) == (False, True)
    assert (card["given_up"], card["refuses"], card["keeps"]) == (True, True, False)
    # From 6.14 on it can be read; the mount says "emergency_ro" there, and here nothing.
    assert ("emergency_ro" in card["mount"]) == (card["exec"] == card["read"] == "ok")
    assert card["read"] in ("ok", "Input/output error")


def test_errors_of_an_earlier_life_are_no_sign_and_a_device_that_is_gone_is(saw: dict[str, Any]) -> None:
    card = saw["card"]
    assert card["errors_n"] and (card["anew"], card["gone"]) == (False, True)


def test_the_boot_partition_takes_the_note_also_when_it_is_full(saw: dict[str, Any]) -> None:
    if saw["boot"] is None:
        pytest.skip("no mkfs.vfat: apt install dosfstools")
    assert saw["boot"] == {"laid": True, "full": True, "read_only": False, "restarts_n": 1}
