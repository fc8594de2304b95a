"""`taimat card make`: what it writes onto a card is what cloud-init and netplan read, however odd a Wi-Fi is called."""
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from agent.cli.card import provision
from agent.cli.card.boot_partition import judge
from agent.core.contract.enrolment import CardSettings
from agent.core.household.access import CODE_RANDOM_B, tidy
from tests.cli.cli import environment, taimat
from tests.rigs.machine.boot_card import debs, stock
from tests.rigs.wait import HANG_S

TEMPLATES = Path(__file__).parents[2] / "firmware_cfg" / "card"
ODD = [("Nhà Bà Tám", "12345678"), ('Quán "Gió" \\ 2', 'a"b\\c: #d{}'), ("no", "0123456789"),
       ("5GHz: yes", " vào nhà ")]


def run(*command: object) -> subprocess.CompletedProcess[str]:
    if not shutil.which(str(command[0])):
        pytest.skip(f"{command[0]} is missing")
    return subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=HANG_S)


def assert_netplan_reads(network: Path, folder: Path) -> None:
    """netplan makes connections of it, without a word of complaint."""
    plan = folder / "etc" / "netplan" / "50-cloud-init.yaml"
    plan.parent.mkdir(parents=True)
    plan.write_text(network.read_text().replace("network:\n", "network:\n  renderer: NetworkManager\n", 1))
    plan.chmod(0o600)
    answer = run("netplan", "generate", "--root-dir", folder)
    assert answer.returncode == 0, answer.stderr
    complaints = [line for line in answer.stderr.splitlines() if "systemctl" not in line and "systemd" not in line]
    assert not [line for line in complaints if "rror" in line or ".yaml" in line], answer.stderr


def test_cloud_init_knows_every_word_of_the_template():
    answer = run("cloud-init", "schema", "-c", TEMPLATES / "user-data")
    assert answer.returncode == 0 and "Valid schema" in answer.stdout + answer.stderr, answer.stdout + answer.stderr


def test_netplan_knows_every_word_of_the_template(tmp_path: Path):
    assert_netplan_reads(TEMPLATES / "network-config", tmp_path)


def test_a_template_that_nobody_filled_in_is_not_ready(tmp_path: Path):
    card = stock(tmp_path)
    for name in ("user-data", "network-config", "meta-data"):
        shutil.copy(TEMPLATES / name, card / name)
    said = [found.why for found in judge(card)]
    assert len(said) == 3
    assert "TEN-WIFI" in said[0] and "password" in said[1] and "no folder taimat" in said[2]


@pytest.mark.parametrize(("wifi", "password"), ODD)
def test_a_wifi_may_be_called_anything(wifi: str, password: str, tmp_path: Path):
    card = stock(tmp_path / "card")
    code = provision.fill(card, CardSettings(hostname="taimat", wifi=wifi, wifi_password=password), debs(tmp_path))
    told = yaml.safe_load((card / "network-config").read_text())["network"]["wifis"]["wlan0"]
    assert told["access-points"] == {wifi: {"password": password}} and told["regulatory-domain"] == "VN"
    assert [found for found in judge(card) if found.severity == "error"] == []
    assert tidy((card / "taimat-code.txt").read_text()) == tidy(code)
    assert len(tidy(code)) == CODE_RANDOM_B * 8 // 5
    assert_netplan_reads(card / "network-config", tmp_path / "root")


def test_with_a_cable_there_is_no_radio(tmp_path: Path):
    card = stock(tmp_path / "card")
    provision.fill(card, CardSettings(hostname="taimat-2"), debs(tmp_path))
    assert "wifis" not in yaml.safe_load((card / "network-config").read_text())["network"]
    assert yaml.safe_load((card / "user-data").read_text())["hostname"] == "taimat-2"
    assert judge(card) == []


def test_each_card_is_new_to_cloud_init_and_has_a_code_of_its_own(tmp_path: Path):
    card = stock(tmp_path / "card")
    made = []
    for _ in range(2):
        code = provision.fill(card, CardSettings(hostname="taimat"), debs(tmp_path))
        made.append((code, yaml.safe_load((card / "meta-data").read_text())["instance-id"]))
    assert len({code for code, _ in made}) == len({number for _, number in made}) == 2


def test_an_earlier_cards_packages_do_not_stay(tmp_path: Path):
    card = stock(tmp_path / "card")
    old = card / "taimat" / "taimat_0.2.0_arm64.deb"
    old.parent.mkdir()
    old.write_bytes(b"old")
    (card / "taimat" / "installed.txt").write_text("done")
    provision.fill(card, CardSettings(hostname="taimat"), debs(tmp_path))
    assert {path.name for path in old.parent.iterdir()} == {path.name for path in debs(tmp_path)}


def test_nobody_gets_in_by_the_template_and_no_question_holds_up_the_start():
    told = yaml.safe_load((TEMPLATES / "user-data").read_text())
    assert told["users"] == [] and told["ssh_pwauth"] is False
    assert not {"password", "chpasswd", "ssh_authorized_keys"} & set(told)
    started = [command for command in told["bootcmd"] if {"start", "stop"} & set(command)]
    assert started and all("--no-block" in command for command in started)
    assert any("mask" in command and "userconfig.service" in command for command in told["bootcmd"])


def test_the_command_asks_for_the_password_and_never_shows_it(tmp_path: Path):
    card = stock(tmp_path / "card")
    first, second = debs(tmp_path)
    command = [sys.executable, "-m", "agent", "card", "make", card, "--wifi", "Nhà", "--package", first,
               "--package", second, "--label", tmp_path / "label.svg"]
    told = subprocess.run(command, input="matkhaunha\n", capture_output=True, text=True, cwd=tmp_path,
                          env=environment(tmp_path), timeout=HANG_S)
    assert told.returncode == 0, told.stdout + told.stderr
    assert "matkhaunha" not in told.stdout + told.stderr
    assert "matkhaunha" in (card / "network-config").read_text()
    code = re.search(r"pairing code:\s+(\S+)", told.stdout)[1]
    label = (tmp_path / "label.svg").read_text()
    assert code in label and "http://taimat.local" in label and "<path" in label


def test_another_folder_gets_nothing(tmp_path: Path):
    told = taimat(tmp_path, "card", "make", tmp_path)
    assert told.returncode == 73 and "no first partition" in told.stderr
    assert not (tmp_path / "user-data").exists()


WRONG = [(["--package", "taimat_0.3.0_amd64.deb"], "", "is for amd64, and a Raspberry Pi takes taimat_0.3.0_arm64.deb"),
         (["--package", "taimat-0.3.0.tar"], "", "taimat-0.3.0.tar is no package: take the release's file"),
         (["--package", "taimat_0.4.0_arm64.deb"], "", "'taimat_0.4.0_arm64.deb' does not exist"),
         (["--wifi", "Nhà"], "1234567", "the Wi-Fi's password has 8 to 63 characters"),
         (["--wifi", "N" * 33], "", "the Wi-Fi's name has more than 32 bytes"),
         (["--hostname", "Nhà Bà Sáu"], "", "'--hostname': takes small letters"),
         (["--country", "vn"], "", "'--country': takes two capital letters, as in VN; it is 'vn'")]


@pytest.mark.parametrize(("options", "password", "answer"), WRONG)
def test_what_does_not_fit_is_refused_before_anything_is_written(options, password, answer, tmp_path: Path):
    card = stock(tmp_path / "card")
    for name in ("taimat_0.3.0_amd64.deb", "taimat-0.3.0.tar"):
        (tmp_path / name).write_bytes(b"a package")
    before = {path: path.read_bytes() for path in card.rglob("*") if path.is_file()}
    told = subprocess.run([sys.executable, "-m", "agent", "card", "make", card, "--label", "label.svg", *options],
                          input=f"{password}\n", capture_output=True, text=True, cwd=tmp_path,
                          env=environment(tmp_path), timeout=HANG_S)
    assert told.returncode == 2 and answer in " ".join(told.stderr.replace("│", " ").split()), told.stderr
    assert before == {path: path.read_bytes() for path in card.rglob("*") if path.is_file()}
    assert not password or password not in told.stdout + told.stderr
    assert not (tmp_path / "label.svg").exists()
