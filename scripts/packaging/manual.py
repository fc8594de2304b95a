"""The manual pages of the command, made of its own help; scripts/reference writes them, and the packages bring them."""
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from agent.__main__ import LazyCommand

LINE_N = 70                 # letters, which some escapes make longer
OWN_OPTIONS = ("help", "version")
ENDS = Path(__file__).with_name("debian")           # taimat.1.end in a package's folder: what no help says


def document(root: Any, package: str, path: str, about: str) -> str:
    """The page of `package` in roff: the commands below `path`, and the end that a person has written."""
    command = next((each for name, each in walk(root, "taimat", groups=True) if name == path), root)
    exits = [each.strip().partition(" ") for each in (root.epilog or "").partition("[/bold]")[2].split(" · ")]
    return "\n".join([
        '.TH TAIMAT 1 "" "Taimat" "User commands"', ".SH NAME", f"taimat \\- {plain(about)}", ".SH SYNOPSIS",
        f".B {plain(path)}", ".I command", ".RI [ options ]", ".RI [ arguments ]", ".SH DESCRIPTION",
        *text(command.help or ""), ".PP", "Most commands need the rights of root:", f'.BR "sudo {plain(path)}" .',
        ".SH COMMANDS", *_commands(command, path), ".SH EXIT STATUS",
        *(line for code, _, meaning in exits for line in (".TP", f".B {code}", plain(meaning))),
        (ENDS / package / "taimat.1.end").read_text(encoding="utf-8")])


def walk(parent: Any, path: str, groups: bool = False) -> Iterator[tuple[str, Any]]:
    """Every command that help shows, by its path and in order; with `groups`, those of commands, too."""
    for name, listed in sorted(parent.commands.items()):
        command = listed.load() if isinstance(listed, LazyCommand) else listed
        if hasattr(command, "commands"):
            if groups:
                yield f"{path} {name}", command
            yield from walk(command, f"{path} {name}", groups)
        elif not listed.hidden:
            yield f"{path} {name}", command


def shown(command: Any) -> list[tuple[str, str]]:
    """Each argument and option of a command, and what it does."""
    return [(_words(each), _help(each)) for each in command.params if each.name not in OWN_OPTIONS]


def _words(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return parameter.metavar
    return " ".join([", ".join(reversed(parameter.opts)), *([parameter.metavar] if parameter.metavar else [])])


def _help(parameter: Any) -> str:
    default = f" Default: `{parameter.default}`." if parameter.default not in (None, False, "") else ""
    variable = f" Also from the environment: `{parameter.envvar}`." if parameter.envvar else ""
    return f"{parameter.help}{default}{variable}"


def _commands(root: Any, path: str) -> Iterator[str]:
    for name, command in walk(root, path):
        if path == "taimat" and name.startswith("taimat ward"):
            continue                    # a package of its own, with a page of its own
        arguments = [each.metavar for each in command.params if each.param_type_name == "argument"]
        yield f'.SS "{plain(" ".join([name, *arguments]))}"'
        yield from text(command.help or "")
        for words, told in shown(command):
            yield from (".TP", f".B {plain(words)}", wrapped(told.replace("`", "")))


def text(told: str) -> Iterator[str]:
    """Paragraphs."""
    for number, paragraph in enumerate(told.strip().split("\n\n")):
        yield from ([".PP"] if number else [])
        yield wrapped(paragraph)


def wrapped(told: str) -> str:
    return "\n".join(map(plain, textwrap.wrap(told, LINE_N, break_long_words=False, break_on_hyphens=False)))


def plain(told: str) -> str:
    """A line without anything that roff would take for a command, in ASCII."""
    escaped = told.replace("\\", "\\e").replace("-", "\\-").replace('"', "\\(dq").replace("~", "\\(ti")
    ascii_only = re.sub(r"[^\x00-\x7f]", lambda letter: f"\\[u{ord(letter[0]):04X}]", escaped)
    return re.sub(r"^([.'])", r"\\&\1", ascii_only)
