"""firmware_cfg/config.txt read as each board's firmware reads it: filters, scope, names and the limits of a line."""
import re
from pathlib import Path

import pytest

CONFIG = Path(__file__).parents[2] / "firmware_cfg" / "config.txt"
LINES = CONFIG.read_text().splitlines()
BOARDS = ("pi02", "pi3", "pi4", "pi5")

# The names in use and the parameters that each takes, from the overlays' README in raspberrypi/linux.
OVERLAYS = {
    "disable-bt": set(),
    "vc4-kms-v3d": {"cma-128", "cma-192", "cma-256", "noaudio", "nohdmi"},
}
BOARD_PARAMETERS = {"audio"}
SETTINGS = {"arm_64bit", "auto_initramfs", "camera_auto_detect", "disable_splash", "display_auto_detect", "dtoverlay",
            "dtparam", "kernel_watchdog_timeout", "lock_device_private_key"}


def seen_by(board: str) -> list[tuple[str, str]]:
    """The (setting, value) pairs that apply to a board, in order."""
    section, pairs = "all", []
    for line in LINES:
        if match := re.fullmatch(r"\[(.+)]", line):
            section = match[1]
        elif line and not line.startswith("#") and section in ("all", board):
            name, _, value = line.partition("=")
            pairs.append((name, value))
    return pairs


def test_every_line_is_an_entry_a_filter_a_comment_or_empty() -> None:
    for line in LINES:
        assert re.fullmatch(r"|#.*|\[(all|pi02|pi3|pi4|pi5)]|[a-z0-9_]+=[^\s#]*", line), f"not understood: {line!r}"
        assert len(line) <= 98, f"cut off by the firmware: {line!r}"


def test_the_last_section_is_for_all_boards() -> None:
    assert [line for line in LINES if line.startswith("[")][-1] == "[all]"


@pytest.mark.parametrize("board", BOARDS)
def test_each_board_gets_known_settings_once(board: str) -> None:
    names = [name for name, _ in seen_by(board)]
    assert set(names) <= SETTINGS
    single = [name for name in names if name not in ("dtoverlay", "dtparam")]
    assert len(single) == len(set(single))


@pytest.mark.parametrize("board", BOARDS)
def test_overlays_and_parameters_exist_and_stand_in_their_scope(board: str) -> None:
    scope = ""
    for name, value in seen_by(board):
        if name == "dtoverlay":
            scope, *parameters = value.split(",")
            assert scope == "" or set(parameters) <= OVERLAYS[scope]
        elif name == "dtparam":
            assert scope == "", f"dtparam={value} would go to the overlay {scope}, not to the board"
            assert value.partition("=")[0] in BOARD_PARAMETERS
    assert scope == "", "what a tool appends would go to the overlay"


def test_boards_get_what_their_memory_allows() -> None:
    sizes = {board: int(re.search(r"cma-(\d+)", str(seen_by(board)))[1]) for board in ("pi02", "pi3", "pi4")}
    assert sizes["pi02"] <= 128 < sizes["pi3"] <= 192 < sizes["pi4"]
    assert "cma-" not in str(seen_by("pi5"))


def test_the_boards_key_is_locked_where_the_firmware_can() -> None:
    locked = {board for board in BOARDS if ("lock_device_private_key", "1") in seen_by(board)}
    assert locked == {"pi4", "pi5"}
