"""`taimat ward card`: the ward's bundle on a card and in an image with a real FAT, read back by mtools."""
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from agent.core.contract.enrolment import (
    BUNDLE_FILE,
    CARD_FILE,
    CODE_FILE,
    Bundle,
    CardSettings,
)
from agent.ward.enrolment.papers import bundle_text, card_text
from tests.cli.cli import taimat
from tests.rigs.machine.boot_card import MIB, START, debs, image_of, stock
from tests.rigs.pki import Authority

WIFI, PASSWORD = 'Quán "Gió" \\ 2 – Bà Tám', 'a"b\\c: #d{}'


@pytest.fixture
def bundles(tmp_path: Path) -> Path:
    """Of one recorder."""
    folder = tmp_path / "bundles" / "S-0412"
    folder.mkdir(parents=True)
    roots = Authority(tmp_path / "pki", "ward-root").ca.read_text()
    bundle = Bundle(ward="w07", ward_name="Phường Bến Nghé", host="ward.example", roots=roots, claim="0" * 26,
                    until_ms=1 << 42, serial="S-0412", site="HH-07-0412")
    (folder / BUNDLE_FILE).write_text(bundle_text(bundle))
    (folder / CODE_FILE).write_text("7K2M-Q9XD\n")
    (folder / CARD_FILE).write_text(card_text(CardSettings(
        hostname="taimat-0412", wifi=WIFI, wifi_password=PASSWORD, country="VN", timezone="Asia/Bangkok",
        sensor="imx219")))
    return folder.parent


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    folder = tmp_path / "packages"
    folder.mkdir()
    debs(folder)
    (folder / "taimat-ward_0.3.0_all.deb").write_bytes(b"the ward's own")
    return folder


def demand_right(card: Path, bundles: Path) -> None:
    """That it is the recorder's."""
    told = yaml.safe_load((card / "network-config").read_text())["network"]["wifis"]["wlan0"]
    assert told["access-points"] == {WIFI: {"password": PASSWORD}}
    user_data = yaml.safe_load((card / "user-data").read_text())
    assert (user_data["hostname"], user_data["timezone"]) == ("taimat-0412", "Asia/Bangkok")
    assert (card / "taimat-code.txt").read_text() == "7K2M-Q9XD\n"
    assert (card / "taimat/enrol.toml").read_bytes() == (bundles / "S-0412" / BUNDLE_FILE).read_bytes()
    config = (card / "config.txt").read_text()
    assert config.count("dtoverlay=imx219\n") == 1 and "camera_auto_detect=0" in config and "dtparam=audio=on" in config
    assert {path.name.partition("_")[0] for path in (card / "taimat").iterdir()} == {
        "taimat", "taimat-board", "enrol.toml"}


def test_a_mounted_card_becomes_the_recorder_s(tmp_path: Path, bundles: Path, packages: Path):
    card = stock(tmp_path / "card")
    told = taimat(tmp_path, "ward", "card", "--device", "S-0412", "--bundles", bundles, "--boot", card,
                  "--packages", packages)
    assert told.returncode == 0, told.stdout + told.stderr
    assert "no mistake found" in told.stdout and "0" * 26 not in told.stdout + told.stderr
    demand_right(card, bundles)


@pytest.mark.parametrize("table", ["dos", "gpt"])
def test_an_image_becomes_the_recorder_s_without_root_however_often(tmp_path: Path, bundles: Path, packages: Path,
                                                                   table: str):
    image = image_of(stock(tmp_path / "card"), tmp_path / "card.img", table)
    for _ in range(2):
        told = taimat(tmp_path, "ward", "card", "--device", "S-0412", "--bundles", bundles, "--image", image,
                      "--packages", packages)
        assert told.returncode == 0, told.stdout + told.stderr
    back = tmp_path / "back"
    back.mkdir()
    subprocess.run(["mcopy", "-s", "-i", f"{image}@@{START * 512}", "::/*", back], check=True)
    demand_right(back, bundles)
    assert subprocess.run(["fsck.vfat", "-n", _partition(image, tmp_path)], capture_output=True).returncode == 0


def _partition(image: Path, folder: Path) -> Path:
    """The FAT partition alone, for a tool that knows no offset."""
    part = folder / "part.img"
    part.write_bytes(image.read_bytes()[START * 512:START * 512 + 64 * MIB])
    return part


def test_what_is_no_bundle_or_no_card_is_told(tmp_path: Path, bundles: Path):
    def said(*words: object) -> str:
        told = taimat(tmp_path, "ward", "card", "--bundles", bundles, *words)
        assert told.returncode not in (0, 1)
        return told.stdout + told.stderr

    card = stock(tmp_path / "card")
    assert "no such bundle" in said("--device", "S-1", "--boot", card)
    assert "no first partition" in said("--device", "S-0412", "--boot", tmp_path)
    assert "not both" in said("--device", "S-0412")
    (tmp_path / "empty.img").write_bytes(bytes(MIB))
    assert "sfdisk" in said("--device", "S-0412", "--image", tmp_path / "empty.img")
    shutil.copytree(bundles / "S-0412", bundles / "S-2")
    assert "is the bundle of S-0412" in said("--device", "S-2", "--boot", card)
    for name, right, wrong in ((BUNDLE_FILE, "claim = ", "claim = 1 #"), (CARD_FILE, 'country = "', 'country = "no ')):
        path = bundles / "S-2" / name
        text = path.read_text()
        line = text[:text.index(right)].count("\n") + 1
        path.write_text(text.replace(right, wrong))
        assert f"{name}: line {line}: " in said("--device", "S-2", "--boot", card)
        path.write_text(text)
    assert not (card / "taimat").exists()
