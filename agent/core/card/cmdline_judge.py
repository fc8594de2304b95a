"""Finds mistakes in cmdline.txt: the kernel's command line, which the firmware reads from the first line."""
from collections.abc import Iterator

from agent.core.card.mistake import CardMistake, error, warning

FILE = "cmdline.txt"


def judge(text: str) -> list[CardMistake]:
    return [*_shape(text), *_words(text.lstrip("\ufeff").partition("\n")[0].split())]


def _shape(text: str) -> Iterator[CardMistake]:
    if text.startswith("\ufeff"):
        yield error(FILE, 1, "the file begins with an invisible mark (BOM), which becomes a part of the first word",
                    "save it as UTF-8 without BOM")
    first, *others = text.split("\n")
    if not first.strip():
        yield error(FILE, 1, "the first line is empty, and the firmware reads no other",
                    "put all words into the first line")
    for number, line in enumerate(others, 2):
        if line.strip():
            yield error(FILE, number, "there is a second line, which the firmware does not read",
                        "put its words at the end of the first line, behind a space")


def _words(words: list[str]) -> Iterator[CardMistake]:
    roots = [word for word in words if word.startswith("root=")]
    if len(roots) != 1:
        why = "there is no root=, so the kernel finds no system" if not roots else "root= is there twice"
        yield error(FILE, 1, why, "take the word root=PARTUUID=… from the card as it was flashed")
    elif roots[0] in ("root=", "root=ROOTDEV", "root=PARTUUID=…"):
        yield error(FILE, 1, f"{roots[0]} is a placeholder and names no partition",
                    "take the word root=PARTUUID=… from the card as it was flashed")
    if "rootwait" not in words:
        yield warning(FILE, 1, "rootwait is missing: a kernel that is quicker than its card stops",
                      "add the word rootwait")
    if "cgroup_disable=memory" in words:
        yield warning(FILE, 1, "cgroup_disable=memory: a part of the recorder that leaks takes all memory with it",
                      "take it out")
    if any(word.startswith("systemd.run=") for word in words):
        yield warning(FILE, 1, "systemd.run= is an older Raspberry Pi Imager's: without its file the boot stops",
                      "take out all words that begin with systemd.run and systemd.unit=kernel-command-line")
    if odd := [word for word in words if not word.isascii() or "“" in word]:
        yield warning(FILE, 1, f"{odd[0]} has a character that no word for the kernel has", "type it anew")
