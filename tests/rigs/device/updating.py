"""A device that can be updated, below a temporary folder: an installed version, roles whose hearts beat, a kill switch.

Nothing here needs root. What dpkg has laid is in `package`; a version that a test starts with is laid from there.
"""
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path

from agent.config.settings import Settings
from agent.core.contract.facts import Beat, CameraFacts
from agent.core.release import read
from agent.core.trial import TrialPace
from agent.host.clock import SystemClock
from agent.host.datagram import Outlet
from agent.host.updates import UpdateFolders, bundle
from agent.privileged.update.adoption import IS_ACTIVE, TRY, adopt
from agent.privileged.update.root import Root, execute
from agent.privileged.update.versions import Versions
from agent.privileged.update.work import RESTART
from tests.cli.cli import write_config
from tests.rigs.device.bundles import Maker

QUICK = TrialPace(listen_s=0.1, started_s=0.0, settle_s=0.1, deadline_s=20.0, silent_s=2.0)
OLD, NEW = "1.0.0", "2.0.0"
ORDER = "01JAAAAAAAAAAAAAAAAAAAAAAA"
EFFECTS = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.symlink", "os.link", "open")


class Killed(BaseException):
    """The process is dead: nothing after this is done, and nobody catches it."""


class Killer:
    """Ends the main thread before its nth effect on the disk, and lets it have none after that."""

    def __init__(self) -> None:
        """Python's audit hooks stay for good, so there is one of these."""
        self._left_n: int | None = None
        sys.addaudithook(self._hear)

    def _hear(self, event: str, args: tuple[object, ...]) -> None:
        if self._left_n is None or event not in EFFECTS or threading.current_thread() is not threading.main_thread():
            return
        if event == "open" and not (isinstance(args[2], int) and args[2] & (os.O_WRONLY | os.O_RDWR)):
            return
        self._left_n -= 1
        if self._left_n < 0:
            raise Killed

    def after(self, effects_n: int | None) -> None:
        """How many effects are still granted; None: all."""
        self._left_n = effects_n


KILLER = Killer()


class Device:
    """One device; `root` is what its units run as root with."""

    def __init__(self, folder: Path, rule: str = "allow", first: str = OLD) -> None:
        """Version `first` is installed by its package, and its roles run; with "" none is."""
        self.runs = True
        self.maker = Maker(folder / "maker")
        self.folder, self.runtime = folder, Path(tempfile.mkdtemp(prefix="taimat-", dir="/tmp"))
        update = f'[update]\nrule = "{rule}"\nrelease_key = "{self.maker.public}"\n'
        config = write_config(folder, more=update)
        config.write_text(config.read_text().replace(f"{folder}/run", str(self.runtime)))
        doors = UpdateFolders(folder / "asked", folder / "told")
        for path in (doors.asked, folder / "store/updates"):
            path.mkdir(parents=True)
        self.package, self.booted = folder / "package", folder / "booted"
        versions = Versions(self.run, folder / "opt")
        self.root = Root(config, SystemClock(), versions, doors, self.package, self.booted, QUICK, self._deaths,
                         lambda unit: f"{unit}: ImportError: rtsp://me:s3cret@10.0.0.1/")
        self.commands: list[list[str]] = []
        self.ill: set[str] = set()          # versions whose camera delivers nothing
        self.dying: set[str] = set()        # versions whose keeper dies at each start
        self.lives_n, self.born_mono_s = 1, self.root.clock.mono_s()
        if first:
            self.apt(first)
        self.booted.mkdir()
        self._over = threading.Event()
        self._roles = threading.Thread(target=self._beat)
        self._roles.start()

    def make(self, version: str, **other: object) -> None:
        """A version that is there, and has no name."""
        self.maker.lay(self.folder / version, version, **other)
        told = (self.folder / version / "release.json").read_bytes()
        self.root.updater(Settings()).versions.add(read(told), told, self.folder / version)

    def apt(self, version: str, before: str = "", **other: object) -> str:
        """Do what apt does with the package of this version; returns what its maintainer script says."""
        self.maker.lay(self.package, version, **other)
        return adopt(self.root, before)

    def run(self, command: Sequence[str], within_s: float) -> None:
        """What root would have run: a restart gives the roles new lives, and the installer is started by the test."""
        self.commands.append(list(command))
        if list(command) == RESTART:
            self.lives_n, self.born_mono_s = self.lives_n + 1, self.root.clock.mono_s()
        elif list(command) == IS_ACTIVE:
            if not self.runs:
                raise subprocess.CalledProcessError(3, command)
        elif list(command) != TRY:
            execute(command, within_s)

    def named(self) -> tuple[str, str]:
        """What runs, and what is proven."""
        return tuple(os.readlink(self.root.versions.root / name).rpartition("/")[2] for name in ("current", "proven"))

    def versions(self) -> list[str]:
        """All folders of versions."""
        return sorted(path.name for path in (self.root.versions.root / "versions").iterdir())

    def shelves(self) -> list[str]:
        """All folders of libraries."""
        return sorted(path.name for path in (self.root.versions.root / "libraries").iterdir())

    def leftovers(self) -> set[str]:
        """What lies beside versions, libraries and the two names."""
        found = {path.name for path in self.root.versions.root.iterdir()}
        return found - {"versions", "libraries", "current", "proven"}

    def says(self, version: str | None = None) -> str:
        """What `taimat --version` says of the version that runs, or of this one."""
        folder = self.root.versions.root / (f"versions/{version}" if version else "current")
        environment = {"PATH": os.environ["PATH"]}      # with byte code where the device has it
        return subprocess.run([folder / "bin/taimat", "--version"], env=environment, capture_output=True, text=True,
                              check=True).stdout

    def order(self, data: bytes, sha256: str = "a" * 64) -> None:
        """The link has fetched this bundle, and asks for it."""
        bundle(self.folder / "store", sha256).write_bytes(data)
        self.root.doors.ask(ORDER, sha256, self.root.clock.now())

    def power_cut(self) -> None:
        """What lies in memory is gone."""
        for path in self.root.doors.asked.iterdir():
            path.unlink()

    def _current(self) -> str:
        current = self.root.versions.root / "current"
        return os.readlink(current).rpartition("/")[2] if current.is_symlink() else ""

    def _deaths(self, units: Sequence[str]) -> dict[str, int]:
        """What systemd would count."""
        return {unit: 3 if unit == "keeper" and self._current() in self.dying else 0 for unit in units}

    def _beat(self) -> None:
        outlet = Outlet(self.runtime)
        while not self._over.wait(0.02):
            now_mono_s = self.root.clock.mono_s()
            state = "retrying" if self._current() in self.ill else "ok"
            for unit, cameras in (("capture@gate", [CameraFacts(camera="gate", state=state)]), ("keeper", [])):
                if unit == "keeper" and self._current() in self.dying:
                    continue
                outlet.send(Beat(role=unit.partition("@")[0], unit=unit, pid=self.lives_n, mono_s=now_mono_s,
                                 up_s=now_mono_s - self.born_mono_s, cameras=cameras), "update")
        outlet.close()

    def __enter__(self) -> "Device":
        return self

    def __exit__(self, *_: object) -> None:
        KILLER.after(None)
        self._over.set()
        self._roles.join()
        shutil.rmtree(self.runtime)

