"""The package taimat-board: what it lays onto a Raspberry Pi, and that its scripts give the boot files back."""
import gzip
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from agent.cli.card.boot_block import BEGIN
from agent.cli.card.provision import TEMPLATES
from scripts.packaging import board
from tests.rigs.machine.boot_card import CMDLINE, CONFIG, stock
from tests.rigs.machine.packaged import MOMENT_S, REPO
from tests.rigs.wait import HANG_S

BOARD = REPO / "firmware_cfg" / "board"
DEBIAN = "/usr/bin/python3"


@pytest.fixture
def package():
    return board.build(REPO, "0.3.0", MOMENT_S)


@pytest.fixture
def scripts(tmp_path: Path) -> Path:
    """The maintainer scripts for a card of the test's own, run with the checkout in the place of the other package."""
    if subprocess.run([DEBIAN, "-c", "import typer, rich, msgspec"], capture_output=True).returncode:
        pytest.skip(f"{DEBIAN} has no typer, rich or msgspec")
    for name in ("postinst", "prerm"):
        text = (BOARD / "maintainer" / name).read_text()
        assert text.count("boot=/boot/firmware\n") == text.count("PYTHONPATH=/usr/lib/taimat ") == 1
        text = text.replace("boot=/boot/firmware\n", f"boot={tmp_path}/card\n").replace("/run/", f"{tmp_path}/run/")
        (tmp_path / name).write_text(text.replace("PYTHONPATH=/usr/lib/taimat ", f"PYTHONPATH={REPO} "))
    (tmp_path / "run" / "systemd" / "system").mkdir(parents=True)
    return tmp_path


def run(script: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["sh", script, *words], capture_output=True, text=True, timeout=HANG_S,
                          env={"PATH": os.environ["PATH"]})


def files(card: Path) -> tuple[str, str]:
    return (card / "config.txt").read_text(), (card / "cmdline.txt").read_text()


def test_what_lies_in_etc_is_the_owners_and_all_else_goes_without_a_trace(package):
    assert package.conffiles == ("etc/apt/apt.conf.d/52taimat-board",)
    assert all(path.startswith(("usr/lib/", "usr/share/", "etc/apt/")) for path in package.files)
    assert set(package.scripts) == {"postinst", "prerm"}


def test_the_cards_files_come_with_it_where_the_command_looks_for_them(package):
    laid = {Path(f"/{path}").name for path in package.files if Path(f"/{path}").parent == TEMPLATES[1]}
    assert laid == {path.name for path in TEMPLATES[0].iterdir()} == {"user-data", "network-config", "meta-data"}
    assert package.files["usr/share/doc/taimat-board/examples/fstab.data"].data.endswith(b"0 2\n")
    assert gzip.decompress(package.files["usr/share/doc/taimat-board/changelog.gz"].data).startswith(b"taimat-board ")


def test_installing_twice_and_removing_leaves_the_boot_files_as_they_were(scripts: Path):
    card = stock(scripts / "card")
    for _ in range(2):
        done = run(scripts / "postinst", "configure", "")
        assert done.returncode == 0, done.stderr
        config, cmdline = files(card)
        assert config.startswith(CONFIG) and config.count(BEGIN) == 1 and cmdline.count("panic=10") == 1
    assert (scripts / "run" / "reboot-required").exists()
    assert run(scripts / "prerm", "upgrade", "0.4.0").returncode == 0
    assert files(card) == (config, cmdline)
    assert run(scripts / "prerm", "remove").returncode == 0
    assert files(card) == (CONFIG, CMDLINE)


def test_a_computer_without_such_boot_files_is_no_hindrance(scripts: Path):
    assert run(scripts / "postinst", "configure", "").returncode == 0
    assert run(scripts / "prerm", "remove").returncode == 0
    assert not (scripts / "card").exists()


def test_a_card_that_takes_no_writing_holds_up_neither_installation_nor_removal(scripts: Path):
    if os.geteuid() != 0:
        pytest.skip("a read-only card needs root")
    card = stock(scripts / "card")
    mounted = subprocess.run(["mount", "--bind", "-o", "ro", card, card], capture_output=True, text=True)
    if mounted.returncode or os.access(card / "config.txt", os.W_OK):
        pytest.skip(f"nothing can be mounted here: {mounted.stderr}")
    try:
        done = run(scripts / "postinst", "configure", "")
        assert done.returncode == 0 and "can't be changed; later: sudo taimat card fit" in done.stdout
        assert run(scripts / "prerm", "remove").returncode == 0
    finally:
        subprocess.run(["umount", card], check=True)


@pytest.mark.skipif(not shutil.which("shellcheck"), reason="no shellcheck")
@pytest.mark.parametrize("name", ["postinst", "prerm"])
def test_shellcheck_has_nothing_to_say(name: str):
    said = subprocess.run(["shellcheck", BOARD / "maintainer" / name], capture_output=True, text=True)
    assert said.returncode == 0, said.stdout
