"""systemd's files as a package brings them."""
import re
from collections.abc import Collection
from pathlib import Path

from scripts.packaging.archive import Entry, Files

UNITS_FOLDER = "usr/lib/systemd/system"


def units(folder: Path, by_configuration: Collection[str]) -> Files:
    """Each file below `folder` but for those of `ward/`; users and folders go where systemd's other tools look.

    For each unit that starts by itself there is the link with which `systemctl enable` would answer; none for those
    that the configuration or the owner decides about.
    """
    files = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_file() and not name.startswith("ward/"):
            found = re.fullmatch(r"(.+)\.(sysusers|tmpfiles)\.conf", name)
            place = f"usr/lib/{found[2]}.d/{found[1]}.conf" if found else f"{UNITS_FOLDER}/{name}"
            files[place] = Entry(path.read_bytes())
            for wanted_by in re.findall(r"^WantedBy=(.+)$", path.read_text(), re.MULTILINE):
                if name not in by_configuration:
                    files[f"{UNITS_FOLDER}/{wanted_by}.wants/{name}"] = Entry(link=f"../{name}")
    return files
