"""Finds which of our packages are on a card. It uses names and sizes only and reads no file."""
import re
from collections.abc import Mapping

from agent.core.card.mistake import CardMistake, error, warning

FOLDER = "taimat"
ARCHITECTURE = "arm64"
_PACKAGE = re.compile(r"(taimat|taimat-board)_(.+)_(arm64|amd64|all)\.deb")
_DEB = re.compile(r"(.+_.+)_(\w[\w-]*)\.deb")
# the first installs the packages from there; with the second they are installed
REPOSITORY, INSTALLED = "taimat.sources", "installed.txt"


def unfit(name: str) -> str | None:
    """Returns why a card takes no file of this name as a package, with the remedy; None if it takes it."""
    named = _DEB.fullmatch(name)
    if named is None:
        return f"{name} is no package: take the release's file taimat_VERSION_{ARCHITECTURE}.deb under its own name"
    if named[2] not in (ARCHITECTURE, "all"):
        return f"{name} is for {named[2]}, and a Raspberry Pi takes {named[1]}_{ARCHITECTURE}.deb"
    return None


def judge(sizes_b: Mapping[str, int] | None) -> list[CardMistake]:
    """Returns all mistakes. `sizes_b` has the files in the card's folder by name; None if there is no folder."""
    if sizes_b is None:
        return [error(FOLDER, 0, "there is no folder taimat on the card, so nothing will be installed",
                      f"make it, and copy taimat_VERSION_{ARCHITECTURE}.deb and taimat-board_VERSION_all.deb into it")]
    if REPOSITORY in sizes_b or INSTALLED in sizes_b:
        return []
    found = [named for name in sizes_b if (named := _PACKAGE.fullmatch(name))]
    problems = [error(FOLDER, 0, f"{named[0]} is empty: the copy was cut off",
                      "copy it again, and eject the card before you pull it out")
                for named in found if not sizes_b[named[0]]]
    for wanted, of_kind in (("taimat", ARCHITECTURE), ("taimat-board", "all")):
        fitting = [named for named in found if named[1] == wanted and named[3] == of_kind]
        if not fitting:
            say = error if wanted == "taimat" else warning
            problems.append(say(FOLDER, 0, f"{wanted}_VERSION_{of_kind}.deb is missing",
                                "copy it into the folder taimat"))
        elif len(fitting) > 1:
            problems.append(warning(FOLDER, 0, f"{wanted} is there in {len(fitting)} versions", "leave the newest"))
    return problems
