"""A recorder's lines in the boot files: each board sees what it is to see, stock lines stay, and all can be undone."""
import re
from pathlib import Path

import pytest

from agent.cli.card import boot_block
from agent.cli.card.boot_partition import judge
from agent.core.card.config_txt import BOARDS, overlays, parameters, seen_by, settings
from tests.cli.cli import taimat_process
from tests.rigs.machine.boot_card import CMDLINE, CONFIG, README, stock

PAPER = Path(__file__).parents[2] / "docs" / "design" / "device.md"
# What somebody has made of a stock card before the package came.
CARDS = {
    "stock": (CONFIG, CMDLINE),
    "no newline at the end": (CONFIG, CMDLINE.rstrip("\n")),
    "an open section at the end": (CONFIG + "[pi4]\ndtoverlay=imx708\n", CMDLINE),
    "a sensor and a clock": (CONFIG.replace("auto_detect=1\nd", "auto_detect=0\nd") + "dtoverlay=imx219\n"
                             "dtoverlay=i2c-rtc,ds3231\n", CMDLINE),
    "words of ours already there": (CONFIG, CMDLINE.replace("resize", "panic=10 quiet")),
    "two spaces": (CONFIG, CMDLINE.replace(" rootwait", "  rootwait")),
}


def seen(board: str, config: str) -> list[tuple[str, str]]:
    return [(each.name, each.value) for each in seen_by(board, settings(config))]


@pytest.mark.parametrize("card", CARDS)
def test_what_is_added_is_added_once_and_leaves_no_trace_when_undone(card: str):
    before = CARDS[card]
    fitted = boot_block.added(*before)
    assert boot_block.added(*fitted) == fitted
    assert boot_block.removed(*fitted) == before
    assert boot_block.removed(*before) == before


@pytest.mark.parametrize("board", BOARDS)
def test_no_board_loses_a_stock_line(board: str):
    config, _ = boot_block.added(CONFIG, CMDLINE)
    before, now = seen(board, CONFIG), seen(board, config)
    assert now[:len(before)] == before


@pytest.mark.parametrize("board", BOARDS)
def test_each_board_gets_its_own(board: str):
    config, _ = boot_block.added(CONFIG, CMDLINE)
    added = seen(board, config)[len(seen(board, CONFIG)):]
    assert added[:4] == [("dtoverlay", ""), ("dtparam", "audio=off"), ("dtoverlay", "disable-bt"),
                         ("kernel_watchdog_timeout", "60")]
    assert added[-1] == ("dtoverlay", ""), "what a tool appends would go to an overlay"
    assert ((("dtoverlay", "vc4-kms-v3d,cma-128") in added) == (board in ("pi02", "pi3+")))
    locked = ("lock_device_private_key", "1") in added
    assert locked == (board.removesuffix("00") in ("pi4", "pi5", "cm4", "cm5"))


@pytest.mark.parametrize("board", BOARDS)
def test_the_sound_is_the_boards_and_not_an_overlays(board: str):
    config, _ = boot_block.added(CONFIG, CMDLINE)
    scopes = [scope for each, scope, name in parameters(board, settings(config)) if each.value == "audio=off"]
    assert scopes == [""]


def test_the_screen_is_left_alone():
    config, _ = boot_block.added(CONFIG, CMDLINE)
    assert "nohdmi" not in config and "hdmi" not in boot_block.LINES["head"]


def test_who_has_chosen_a_size_of_camera_memory_keeps_it():
    config, _ = boot_block.added(CONFIG.replace("kms-v3d", "kms-v3d,cma-256"), CMDLINE)
    assert "cma-128" not in config
    config, _ = boot_block.added(CONFIG.replace("dtoverlay=vc4", "#dtoverlay=vc4"), CMDLINE)
    assert not any(each.name == "vc4-kms-v3d" for each in overlays("pi02", settings(config)))


def test_the_judge_has_nothing_to_say_against_it(tmp_path: Path):
    config, cmdline = boot_block.added(CONFIG, CMDLINE)
    assert judge(stock(tmp_path, config=config, cmdline=cmdline)) == []
    assert judge(stock(tmp_path, config=config, cmdline=cmdline, readme=README)) == []


def test_every_line_has_its_why_above_it_and_is_read_whole():
    config, _ = boot_block.added(CONFIG, CMDLINE)
    block = config[config.index(boot_block.BEGIN):].splitlines()
    assert all(len(line) <= 98 for line in block)
    plain = re.sub(r"\[.*]\n", "", "\n".join(block))
    parts = re.split(r"(?m)^#.*$", plain)
    assert all(part.strip("\n").count("\n") <= 1 for part in parts), "two settings share a why"


def test_every_word_of_the_command_line_has_its_why():
    _, cmdline = boot_block.added(CONFIG, CMDLINE)
    assert len(cmdline.splitlines()) == 1
    assert set(boot_block.WORDS) <= set(cmdline.split())
    assert all(f"| `{word}` |" in PAPER.read_text() for word in boot_block.WORDS)


def test_words_that_somebody_added_later_stay():
    config, cmdline = boot_block.added(CONFIG, CMDLINE)
    _, undone = boot_block.removed(config, cmdline.rstrip("\n") + " usb-storage.quirks=1:2:u\n")
    assert undone == CMDLINE.rstrip("\n") + " usb-storage.quirks=1:2:u\n"


def test_the_command_fits_a_card_and_takes_it_back(tmp_path: Path):
    card = stock(tmp_path / "card")
    assert taimat_process(tmp_path, "card", "fit", card).returncode == 0
    assert boot_block.BEGIN in (card / "config.txt").read_text() and "panic=10" in (card / "cmdline.txt").read_text()
    assert "as it was" in taimat_process(tmp_path, "card", "fit", card).stdout
    assert taimat_process(tmp_path, "card", "fit", "--undo", card).returncode == 0
    assert ((card / "config.txt").read_text(), (card / "cmdline.txt").read_text()) == (CONFIG, CMDLINE)


def test_a_folder_that_is_no_card_is_left_alone(tmp_path: Path):
    told = taimat_process(tmp_path, "card", "fit", tmp_path)
    assert told.returncode == 73 and "first partition" in told.stderr and "Traceback" not in told.stderr
    assert not list(tmp_path.glob("*.txt"))
