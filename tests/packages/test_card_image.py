"""The image for Raspberry Pi Imager: it starts as a card of `taimat card make`, also where Imager wrote its own."""
import hashlib
import json
import lzma
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.cli.card.boot_partition import CODE, judge
from agent.cli.card.provision import fill
from agent.core.contract.enrolment import CardSettings
from scripts.packaging import card_image
from tests.rigs.machine.boot_card import IMAGERS, MIB, START, debs, image_of, stock
from tests.rigs.machine.packaged import MOMENT_S, REPO
from tests.rigs.wait import HANG_S

CLOUD = """
datasource_list: [NoCloud]
datasource: {NoCloud: {seedfrom: 'file:///boot/firmware/'}}
network: {config: disabled}
cloud_init_modules: [write_files, set_hostname, users_groups]
cloud_config_modules: [runcmd]
cloud_final_modules: [scripts_vendor, scripts_user]
"""
# In namespaces of its own, on this computer's system: what it changes is in memory and gone at the end.
FIRST_START = """
set -e
work=$1 seed=$2
mount -t tmpfs changes "$work"
mkdir "$work/upper" "$work/work" "$work/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$work/upper,workdir=$work/work" "$work/root"
cd "$work/root"
mkdir -p boot/firmware
cp "$seed"/* boot/firmware
cp "$seed/../cloud.cfg" etc/cloud/cloud.cfg.d/99_card.cfg
rm -rf var/lib/cloud
mount -t tmpfs dev dev
for device in null:3 zero:5 urandom:9; do mknod -m 666 "dev/${device%:*}" c 1 "${device#*:}"; done
mount -t proc proc proc
mount -t tmpfs run run
for stage in "init --local" init "modules --mode=config" "modules --mode=final"; do
    chroot . cloud-init $stage >&2
done
chroot . hostname
chroot . getent passwd an
ls etc/imagers
chroot . cat /etc/systemd/system/multi-user.target.wants/taimat-from-card.service
"""

@pytest.fixture
def packages(tmp_path: Path) -> dict[str, bytes]:
    """What a release has of packages: three of them are not for a card."""
    (folder := tmp_path / "debs").mkdir()
    for_card = {path.name: path.read_bytes() for path in debs(folder)}
    return {**for_card, "taimat_0.3.0_amd64.deb": b"a PC's", "taimat_0.3.0_arm64.update": b"light",
            "taimat-ward_0.3.0_all.deb": b"a ward's"}


@pytest.fixture
def base(tmp_path: Path) -> Path:
    image = image_of(stock(tmp_path / "stock"), tmp_path / "base.img", "dos")
    with image.open("r+b") as file:
        file.seek(START * 512 + 64 * MIB + 4096)
        file.write(b"the system's own partition")
    return image


@pytest.fixture
def make(tmp_path: Path, packages: dict[str, bytes]) -> Callable[[Path, str], dict[str, object]]:
    def made(image: Path, name: str = "taimat.img.xz") -> dict[str, object]:
        return card_image.make(image, tmp_path / name, card_image.files(REPO, packages), MOMENT_S, is_fast=True)
    return made


def unpacked(packed: Path) -> Path:
    image = packed.with_suffix("")
    image.write_bytes(lzma.decompress(packed.read_bytes()))
    return image


def mounted(packed: Path, folder: Path) -> Path:
    """The files of its boot partition."""
    folder.mkdir()
    subprocess.run(["mcopy", "-s", "-n", "-i", f"{unpacked(packed)}@@{START * 512}", "::/", folder], check=True)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_its_boot_partition_is_that_of_card_make(base: Path, make: Callable, tmp_path: Path):
    make(base)
    found = contents(mounted(tmp_path / "taimat.img.xz", tmp_path / "card"))
    wanted = stock(tmp_path / "by-hand")
    fill(wanted, CardSettings(hostname="taimat"), debs(tmp_path / "debs"))
    expected = contents(wanted)
    code = expected.pop(CODE)
    assert code and found.pop("vendor-data")
    expected["meta-data"] = re.sub(rb"taimat-\w+", b"taimat-1", expected["meta-data"])     # a card has its own
    expected["user-data"] = re.sub(rb'(?m)^(hostname|timezone): "(.*)"$', rb"\1: \2", expected["user-data"])
    assert found == expected
    assert judge(tmp_path / "card") == []


def test_nothing_but_the_boot_partition_changes(base: Path, make: Callable, tmp_path: Path):
    make(base)
    image, was = unpacked(tmp_path / "taimat.img.xz").read_bytes(), base.read_bytes()
    end = START * 512 + 64 * MIB
    assert len(image) == len(was)
    assert (image[:START * 512], image[end:]) == (was[:START * 512], was[end:])


def test_two_images_are_the_same_to_the_bit(base: Path, make: Callable, tmp_path: Path, monkeypatch):
    packed = tmp_path / "base.img.xz"
    packed.write_bytes(lzma.compress(base.read_bytes(), preset=0))
    one = make(base, "one.img.xz")
    monkeypatch.setenv("TZ", "Asia/Ho_Chi_Minh")
    assert make(packed, "two.img.xz") == one, "from a packed base, and in another zone"
    assert (tmp_path / "one.img.xz").read_bytes() == (tmp_path / "two.img.xz").read_bytes()


def test_imagers_list_says_what_the_image_is(base: Path, make: Callable, tmp_path: Path):
    sums = make(base)
    told = json.loads(card_image.listed("https://example.org/t", "0.3.0", sums, MOMENT_S))
    (image,) = told["os_list"]
    packed = (tmp_path / "taimat.img.xz").read_bytes()
    assert image["url"] == "https://example.org/t/taimat_0.3.0.img.xz"
    assert (image["image_download_size"], image["image_download_sha256"]) == (
        len(packed), hashlib.sha256(packed).hexdigest())
    raw = lzma.decompress(packed)
    assert (image["extract_size"], image["extract_sha256"]) == (len(raw), hashlib.sha256(raw).hexdigest())
    assert {"name", "description", "icon", "release_date"} < image.keys() and image["init_format"] == "cloudinit-rpi"
    offered = {tag for device in told["imager"]["devices"] for tag in device["tags"]}
    assert set(image["devices"]) == offered, "a board that Imager offers, and an image for it"


def test_what_imager_writes_does_not_end_the_installation(tmp_path: Path):
    """vendor-data installs what user-data would have installed: the same files, the same commands."""
    yaml = pytest.importorskip("yaml")
    found = card_image.files(REPO, {})
    assert IMAGERS.keys() < found.keys() and "vendor-data" not in IMAGERS
    wanted = yaml.safe_load(found["user-data"])
    script = tmp_path / "vendor-data"
    for folder in ("/etc/systemd/system", "/usr/local/sbin"):
        (tmp_path / folder.lstrip("/")).mkdir(parents=True)
    # It may not write to this computer: its targets are moved, what lies in them stays.
    targets = {each["path"]: f"{tmp_path}{each['path']}" for each in wanted["write_files"]}
    text = found["vendor-data"].decode()
    for path, moved in targets.items():
        text = re.sub(rf"(?m)^((?:cat >|chmod \d+ |\[ ! -e )){re.escape(path)}", rf"\g<1>{moved}", text)
    script.write_text(text)
    (tools := tmp_path / "tools").mkdir()
    (tools / "systemctl").write_text(f'#!/bin/sh\necho "$@" >>{tmp_path}/said\n')
    (tools / "systemctl").chmod(0o755)
    for _ in range(2):      # once is enough; the second time there is nothing to do
        subprocess.run(["sh", script], check=True, env={"PATH": f"{tools}:{os.environ['PATH']}"})
    for each in wanted["write_files"]:
        laid = Path(targets[each["path"]])
        assert laid.read_text() == each["content"]
        assert laid.stat().st_mode & 0o777 == int(each.get("permissions", "0644"), 8)
    assert (tmp_path / "said").read_text().splitlines() == [
        " ".join(command[1:]) for command in wanted["runcmd"] if command[0] == "systemctl"]
    assert all(command[0] == "systemctl" for command in wanted["runcmd"])


def test_cloud_init_does_imagers_part_and_ours(tmp_path: Path):
    """Debian's own cloud-init, all its stages, with the modules that these files use."""
    if os.geteuid() or not shutil.which("cloud-init"):
        pytest.skip("needs root and cloud-init: apt install cloud-init")
    for folder in ("seed", "work"):
        (tmp_path / folder).mkdir()
    (tmp_path / "cloud.cfg").write_text(CLOUD)
    found = card_image.files(REPO, {}) | {name: text.encode() for name, text in IMAGERS.items()}
    for name, data in found.items():
        (tmp_path / "seed" / name).write_bytes(data)
    alone = ("unshare", "--mount", "--uts", "--net", "--pid", "--fork", "--mount-proc")
    done = subprocess.run([*alone, "sh", "-c", FIRST_START, "-", tmp_path / "work", tmp_path / "seed"],
                          capture_output=True, text=True, timeout=HANG_S)
    if "overlay" in done.stderr and "mount:" in done.stderr:
        pytest.skip(f"no overlay here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    name, user, ran, unit = done.stdout.split("\n", 3)
    assert (name, user.partition(":")[0], ran) == ("cua-hang", "an", "etc/imagers"), "what Imager's form says"
    assert unit.startswith("[Unit]\nDescription=Install Taimat"), "and the installation"


@pytest.mark.skipif(not shutil.which("shellcheck"), reason="no shellcheck")
def test_shellcheck_has_nothing_to_say(tmp_path: Path):
    (tmp_path / "vendor-data").write_bytes(card_image.files(REPO, {})["vendor-data"])
    said = subprocess.run(["shellcheck", tmp_path / "vendor-data"], capture_output=True, text=True)
    assert said.returncode == 0, said.stdout


def test_a_base_that_is_no_card_is_refused(tmp_path: Path, make: Callable):
    (tmp_path / "noise.img").write_bytes(bytes(MIB))
    with pytest.raises(card_image.NoImage, match="no FAT partition"):
        make(tmp_path / "noise.img")
    (tmp_path / "empty").mkdir()
    image = image_of(stock(tmp_path / "empty"), tmp_path / "other.img", "dos")
    subprocess.run(["mdel", "-i", f"{image}@@{START * 512}", "::/config.txt"], check=True)
    with pytest.raises(card_image.NoImage, match="config.txt"):
        make(image)
    assert not list(tmp_path.glob("*.img.xz")), "and nothing is left of it"


def test_a_boot_partition_that_is_too_small_is_refused(tmp_path: Path, base: Path, packages: dict[str, bytes]):
    found = card_image.files(REPO, {**packages, "taimat_0.3.0_arm64.deb": bytes(70 * MIB)})
    with pytest.raises(card_image.NoImage, match="[Dd]isk full|space"):
        card_image.make(base, tmp_path / "taimat.img.xz", found, MOMENT_S, is_fast=True)
