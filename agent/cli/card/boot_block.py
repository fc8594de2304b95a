"""Adds the recorder's lines to the boot files of Raspberry Pi OS, and removes them again. All other lines stay.

In config.txt our lines are one block at the end. A comment in it lists the words that were added to cmdline.txt, so
that the card itself knows what to undo.
"""
import re
import tomllib
from pathlib import Path

from agent.core.card.config_txt import overlays, parameters, settings

BEGIN, END = "# >>> taimat-board >>>", "# <<< taimat-board <<<"
ADDED = "# words in cmdline.txt: "
# docs/design/device.md has the reason for each word.
WORDS = ("cgroup_enable=memory", "fsck.repair=yes", "panic=10", "watchdog_disarm=0", "quiet")
DISPLAY = "vc4-kms-v3d"
SMALL = ("pi02", "pi3+")                    # boards with 512 MB
_BLOCK = re.compile(rf"(?ms)^{BEGIN}$.*?^{END}$\n?")
LINES = tomllib.loads(Path(__file__).with_name("boot_block.toml").read_text(encoding="utf-8"))


def added(config: str, cmdline: str) -> tuple[str, str]:
    """Returns config.txt and cmdline.txt with the recorder's lines. Lines that are there are not added twice."""
    config, cmdline = removed(config, cmdline)
    there = cmdline.split()
    words = [word for word in WORDS if word not in there]
    memory = [LINES["camera_memory"].format(board=board) for board in SMALL if _has_default(board, config)]
    block = "".join([BEGIN, "\n", LINES["head"], *memory, LINES["tail"], ADDED, " ".join(words), "\n", END, "\n"])
    return _ended(config) + block, _with(cmdline, words)


def removed(config: str, cmdline: str) -> tuple[str, str]:
    """Returns config.txt and cmdline.txt without the recorder's lines, as they were before."""
    block = _BLOCK.search(config)
    if block is None:
        return config, cmdline
    ours = next((line.removeprefix(ADDED).split() for line in block[0].splitlines() if line.startswith(ADDED)), [])
    first, newline, more = cmdline.partition("\n")
    at_end = " ".join(["", *ours])
    if ours and first.endswith(at_end):
        first = first.removesuffix(at_end)
    elif set(ours) & set(first.split()):        # a person has added words since
        first = " ".join(word for word in first.split() if word not in ours)
    return config[:block.start()] + config[block.end():], first + newline + more


def with_sensor(config: str, sensor: str) -> str:
    """Returns config.txt with the driver of a camera sensor that the board does not find by itself; only once."""
    if re.search(rf"(?m)^dtoverlay={re.escape(sensor)}\b", config):
        return config
    by_hand = re.sub(r"(?m)^camera_auto_detect=1$", "camera_auto_detect=0", config)
    return f"{_ended(by_hand)}\n[all]\ndtoverlay={sensor}\ndtoverlay=\n"


def _has_default(board: str, config: str) -> bool:
    all_settings = settings(config)
    sized = any(name.startswith("cma-") for _, scope, name in parameters(board, all_settings) if scope == DISPLAY)
    return not sized and any(each.name == DISPLAY for each in overlays(board, all_settings))


def _ended(text: str) -> str:
    return text if not text or text.endswith("\n") else f"{text}\n"


def _with(cmdline: str, words: list[str]) -> str:
    first, newline, more = cmdline.partition("\n")
    return (" ".join([first.rstrip(), *words]) if words else first) + newline + more
