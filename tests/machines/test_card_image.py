"""The image for Raspberry Pi Imager on an emulated machine: Imager's form filled in, and its first start alone.

The machine boots a kernel of its own and Debian's cloud-init; the boot partition is the image's.
"""
import dataclasses
import lzma
import tempfile
from pathlib import Path

import pytest

from scripts.packaging import card_image
from scripts.packaging.wheels import NoWheel
from tests.machines.debian import NotDebian, supply
from tests.machines.emulated import Emulated
from tests.machines.foreign import ARCHITECTURE
from tests.machines.guest import guest
from tests.machines.recorder import SLOW_S, offer_swap, pairing_code, phone
from tests.rigs.house.owner import asks_for_the_code, opened
from tests.rigs.machine.boot_card import IMAGERS, MIB, START, image_of, stock
from tests.rigs.machine.packaged import MOMENT_S, REPO, packaged
from tests.rigs.wait import until

pytestmark = [pytest.mark.machine, pytest.mark.timeout(3 * 3600)]
BOOT_MIB = 256
# As Raspberry Pi OS has it. The network stays the machine's own, by which the tests reach it.
CLOUD = "datasource_list: [NoCloud]\ndatasource: {NoCloud: {seedfrom: 'file:///boot/firmware/'}}\n" \
        "network: {config: disabled}\n"
INSTALL = "DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends cloud-init </dev/null"
STICK = "LABEL=stick /media/stick ext4 ro 0 0\n"


def test_a_card_that_imager_has_customised_becomes_a_recorder(tmp_path: Path) -> None:
    try:
        made, fresh = packaged(machine=ARCHITECTURE), guest()
        needs = supply(ARCHITECTURE, fresh.status, made.deb, "cloud-init")
    except (NoWheel, NotDebian) as reason:
        pytest.skip(str(reason))
    base = image_of(stock(tmp_path / "stock"), tmp_path / "base.img", "dos", BOOT_MIB)
    debs = {path.name: path.read_bytes() for path in (made.deb, made.board)}
    card_image.make(base, tmp_path / "image.xz", card_image.files(REPO, debs), MOMENT_S, is_fast=True)
    with lzma.open(tmp_path / "image.xz") as image:
        image.seek(START * 512)
        (boot := tmp_path / "boot.img").write_bytes(image.read(BOOT_MIB * MIB))
    with tempfile.TemporaryDirectory(prefix="tm") as folder, Emulated(
            Path(folder), dataclasses.replace(fresh, boot=boot)) as machine:
        machine.stick(needs)
        machine.boot(by_instructions=True)
        offer_swap(machine)
        machine.run(f"mkdir -p /media/stick && echo '{STICK}' >>/etc/fstab && mount /media/stick && apt-get update")
        machine.run(INSTALL, limit_s=2 * SLOW_S)
        machine.put("/etc/cloud/cloud.cfg.d/99_card.cfg", CLOUD.encode())
        for name, text in IMAGERS.items():
            machine.put(f"/boot/firmware/{name}", text.encode())
        machine.reboot()
        until(lambda: made.version in machine.run("cat /boot/firmware/taimat/installed.txt", check=False),
              "the packages of the card are installed", 4 * SLOW_S)
        assert machine.run("hostname") == "cua-hang" and "an:" in machine.run("getent passwd an"), "Imager's own, too"
        assert machine.run("ls /boot/firmware/taimat") == "installed.txt"
        assert asks_for_the_code(opened(phone(machine), "/", SLOW_S))
        assert pairing_code(machine)
