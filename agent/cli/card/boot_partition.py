"""Finds mistakes in the files of a boot partition that a recorder needs to start."""
import tomllib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from agent.core.card import boot_judge, cloud_init, packages
from agent.core.card.cloud_init import YamlFile, YamlPath
from agent.core.card.mistake import CardMistake, error, warning
from agent.core.card.overlay_names import from_list, from_readme
from agent.core.household.access import CODE_RANDOM_B, tidy

OVERLAYS, NAMES = (Path(__file__).with_name(name) for name in ("overlays.txt", "names.toml"))
FILE_B_MAX = 1 << 20
CODE = "taimat-code.txt"
CODE_N = CODE_RANDOM_B * 8 // 5
INSTALLS = "/boot/firmware/taimat"          # named by a user-data that installs from the card
TABS = "a line begins with a tab, which YAML does not know"


class NoYaml(Exception):
    """PyYAML is not installed."""


def judge(card: Path) -> list[CardMistake]:
    """Returns all findings on a mounted boot partition. Raises NoYaml, and OSError if a file cannot be read."""
    config = _text(card / boot_judge.CONFIG)
    if config is None:
        return [error(boot_judge.CONFIG, 0, f"{card} is no boot partition of a Raspberry Pi: it has no config.txt",
                      "name the folder where the card's first partition (bootfs) is mounted")]
    code = _text(card / CODE)
    readme = _text(card / "overlays" / "README")
    names = readme and from_readme(readme) or from_list(OVERLAYS.read_text(encoding="utf-8"))
    findings = boot_judge.judge_config(config, names, _known("config"), paired_by_label=code is not None)
    cmdline = _text(card / boot_judge.CMDLINE)
    if cmdline is None:
        findings.append(error(boot_judge.CMDLINE, 0, "it is missing, and the kernel finds no system without it",
                              "copy it from the card as it was flashed"))
    else:
        findings += boot_judge.judge_cmdline(cmdline)
    findings += _cloud(card)
    if code is not None and len(tidy(code)) != CODE_N:
        findings.append(warning(CODE, 1, f"a pairing code has {CODE_N} letters and digits, so this one is ignored",
                                "make one with taimat card make, or remove the file"))
    return findings


def _known(file: str) -> list[str]:
    return tomllib.loads(NAMES.read_text(encoding="utf-8"))[file].split()


def _cloud(card: Path) -> Iterator[CardMistake]:
    """Judges the three files of cloud-init, if the card has them: other systems do without."""
    user_data = _text(card / cloud_init.USER)
    if user_data is None:
        return
    wrong = cloud_init.begins_right(user_data)
    yield from wrong or _yaml(cloud_init.USER, user_data, partial(cloud_init.judge_user, known=_known("user_data")))
    meta_data = _text(card / cloud_init.META_FILE)
    if meta_data is None:
        yield error(cloud_init.META_FILE, 0, "it is missing, and cloud-init ignores the other files without it",
                    "copy it from firmware_cfg/card, or from the card as it was flashed")
    else:
        yield from _yaml(cloud_init.META_FILE, meta_data, cloud_init.judge_meta)
    network = _text(card / cloud_init.NETWORK)
    if network is not None:
        yield from _yaml(cloud_init.NETWORK, network, cloud_init.judge_network)
    if INSTALLS in user_data:
        folder = card / packages.FOLDER
        yield from packages.judge({path.name: path.stat().st_size for path in folder.iterdir()}
                                  if folder.is_dir() else None)


def _yaml(file: str, text: str, rules: Callable[[YamlFile], list[CardMistake]]) -> list[CardMistake]:
    read = _read(file, text.removeprefix("\ufeff"))
    return [read] if isinstance(read, CardMistake) else rules(read)


def _text(path: Path) -> str | None:
    """Reads a file, if it exists; bytes that are not UTF-8 become U+FFFD. Raises OSError."""
    if not path.is_file():
        return None
    with path.open("rb") as file:
        return file.read(FILE_B_MAX).decode("utf-8", errors="replace").replace("\r\n", "\n")


def _read(file: str, text: str) -> YamlFile | CardMistake:
    """Parses a file as cloud-init does: values and the line of each key, or the mistake. Raises NoYaml."""
    try:
        import yaml
    except ImportError:
        raise NoYaml from None
    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        lines: dict[YamlPath, int] = {}
        if node is None:
            return YamlFile(None, lines)
        value = loader.construct_document(node)
        _number(loader, node, (), lines)
        return YamlFile(value, lines)
    except yaml.YAMLError as problem:
        return _why_unread(file, problem, text)


def _number(loader: Any, node: Any, path: YamlPath, lines: dict[YamlPath, int]) -> None:
    for index, item in enumerate(node.value if isinstance(node.value, list) else ()):
        marked, below = item if isinstance(item, tuple) else (item, item)
        key = loader.construct_object(marked, deep=True) if isinstance(item, tuple) else index
        lines[(*path, key)] = marked.start_mark.line + 1
        _number(loader, below, (*path, key), lines)


def _why_unread(file: str, problem: Any, text: str) -> CardMistake:
    mark = getattr(problem, "problem_mark", None) or getattr(problem, "context_mark", None)
    line = mark.line + 1 if mark else 1
    rows = text.splitlines()
    row = rows[min(line, len(rows)) - 1] if rows else ""
    if "\t" in row[:len(row) - len(row.lstrip())]:
        return error(file, line, TABS, "indent by spaces, two for each step")
    why = getattr(problem, "problem", None) or "it can't be read"
    return error(file, line, f"YAML: {why}",
                 "look at this line and the one above: a missing colon, quote or space, or another indentation")
