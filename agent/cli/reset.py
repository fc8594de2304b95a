"""`taimat reset --factory`: deletes household and ward from the recorder, which then starts as on its first day.

The package stays. Secrets are overwritten before anything is deleted. After a power cut, the command must run again.
"""
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from agent.cli.exits import with_sudo
from agent.cli.options import Yes
from agent.cli.terminal import console
from agent.config.load import DEFAULT_PATH, ConfigError, load
from agent.config.settings import Store
from agent.core.contract.enrolment import BUNDLE_FILE, BUNDLE_FOLDER
from agent.host import board
from agent.host.files import destroy
from agent.privileged.setup.enrolment import NOTE_FILE as ENROL_NOTE
from agent.privileged.setup.notice import CODE_FILE, NOTE_FILE, NoticePlaces
from agent.store.database import StoreError

UNITS = ("taimat.target", "taimat-*", "setup-taimat*", "enrol-taimat*", "rescue-taimat-*", "update-taimat-install*")
# The watchers go with the target; the set-up makes a first configuration.
FIRST = ("setup-taimat.service", "taimat.target")
SECRETS = ("keys", "page")          # folders of the store
STOP_S, START_S = 240.0, 60.0
RESCUE = Path("/var/lib/taimat-rescue")

Factory = Annotated[bool, typer.Option(
    "--factory", help="Delete all recordings, keys, pairings and settings, and the enrolment in a ward.")]


@dataclass(frozen=True, slots=True)
class Wiped:
    """The places of everything that a household or a ward has put into a recorder."""

    settings: Path
    store: Path
    boot: Path
    others: Sequence[Path] = ()

    def destroy_secrets(self) -> None:
        """Overwrites keys and passwords. Raises OSError."""
        for folder in (self.settings, *(self.store / name for name in SECRETS)):
            for path in folder.rglob("*"):
                if path.is_file() and not path.is_symlink() and path.stat().st_nlink == 1:
                    destroy(path)
        for name in (f"{BUNDLE_FOLDER}/{BUNDLE_FILE}", CODE_FILE, NOTE_FILE, ENROL_NOTE):
            destroy(self.boot / name)

    def delete(self) -> None:
        """Deletes the rest. The folders stay, because one may be a card's mount point. Raises OSError."""
        for folder in (self.settings, self.store, *self.others):
            for entry in folder.iterdir() if folder.is_dir() else ():
                if entry.is_dir() and not entry.is_symlink() and entry.name != "lost+found":
                    shutil.rmtree(entry)
                elif entry.name != "lost+found":
                    entry.unlink()


def reset(factory: Factory = False, yes: Yes = False) -> None:
    if not factory:
        raise typer.BadParameter("there is one reset only, and it deletes all recordings and settings: --factory")
    if os.geteuid() != 0:
        raise StoreError(f"only root can do that: {with_sudo()}")
    called = board.read().serial or os.uname().nodename
    if not yes and typer.prompt(f"All recordings, keys and settings of this recorder are deleted for good.\n"
                                f"Type {called} to go on") != called:
        raise typer.Abort
    runtime = Path(Store().runtime)
    try:
        store = Path(load(DEFAULT_PATH).store.folder)
    except ConfigError:
        store = Path(Store().folder)
    places = Wiped(DEFAULT_PATH.parent, store, NoticePlaces().boot,
                   (RESCUE, runtime, *runtime.parent.glob(f"{runtime.name}-*")))
    try:
        subprocess.run(["systemctl", "stop", *UNITS], check=True, timeout=STOP_S)
        places.destroy_secrets()
        places.delete()
        subprocess.run(["systemd-tmpfiles", "--create", "taimat.conf"], check=True, timeout=START_S)
        os.sync()
        subprocess.run(["systemctl", "start", "--no-block", *FIRST], check=True, timeout=START_S)
    except (OSError, subprocess.SubprocessError) as error:
        raise StoreError(f"the reset is not complete: {error}; run the command again") from error
    console().print("[green]ok[/green]  this recorder starts as on its first day; its code for pairing: sudo taimat "
                    "pair, or the screen")
