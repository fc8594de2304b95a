"""The package `taimat-board`: firmware_cfg/board as it lies on a Raspberry Pi, with its maintainer scripts."""
from pathlib import Path

from scripts.packaging.archive import Entry, Files
from scripts.packaging.deb import DEBIAN, Package, changelog, scripts

NAME = "taimat-board"
SUMMARY = "settings that make a Raspberry Pi a recorder that nobody need look after"
DESCRIPTION = """
Few writes to the card, a watchdog that resets a board that hangs, the right time, no swap on the card, Debian's
security updates by themselves, and boot files without the radio and console that a recorder never uses. For machines
that are recorders and nothing else.

Each setting has its reason beside it in its file; removing the package undoes it, and gives the boot files back.
"""


def build(source: Path, version: str, moment_s: int) -> Package:
    """The package of the checkout `source`."""
    folder = source / "firmware_cfg/board"
    files: Files = {str(path.relative_to(folder / "root")): Entry(path.read_bytes())
                    for path in (folder / "root").rglob("*") if path.is_file()}
    conffiles = tuple(sorted(path for path in files if path.startswith("etc/")))
    # What a technician fills in and copies: `taimat card make` looks for the card's files here.
    files |= {f"usr/share/{NAME}/card/{path.name}": Entry(path.read_bytes())
              for path in (source / "firmware_cfg/card").iterdir()}
    files |= {f"usr/share/doc/{NAME}/examples/fstab.data": Entry((source / "firmware_cfg/fstab.data").read_bytes()),
              f"usr/share/doc/{NAME}/copyright": Entry((DEBIAN / "board/copyright").read_bytes()),
              f"usr/share/doc/{NAME}/changelog.gz": Entry(changelog(NAME, version, source, moment_s)),
              f"usr/share/lintian/overrides/{NAME}": Entry((DEBIAN / "board/overrides").read_bytes())}
    # Its scripts run the recorder's code, which lays the boot files' lines.
    relations = {"Depends": f"taimat (>= {version}), systemd (>= 257)", "Recommends": "unattended-upgrades"}
    return Package(name=NAME, version=version, architecture="all", summary=SUMMARY, description=DESCRIPTION,
                   relations=relations, files=files, conffiles=conffiles, scripts=scripts(folder / "maintainer"))
