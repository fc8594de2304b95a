"""A real PostgreSQL for tests: a cluster of its own in a folder, on a Unix socket only."""
import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.rigs.wait import HANG_S

USER = "postgres"
DEBIANS = sorted(map(str, Path("/usr/lib/postgresql").glob("*/bin")), reverse=True)
PLACES = os.pathsep.join([*DEBIANS, os.environ["PATH"]])
INITDB, CONTROL = shutil.which("initdb", path=PLACES), shutil.which("pg_ctl", path=PLACES)


def missing() -> str:
    """What this machine lacks for it, or ""."""
    if not INITDB or not CONTROL:
        return "no PostgreSQL: apt install postgresql"
    if os.geteuid() == 0 and USER not in (entry.pw_name for entry in pwd.getpwall()):
        return f"PostgreSQL does not run as root, and there is no user {USER}"
    return ""


class Postgres:
    """Use as a context manager; `url` is its database."""

    def __init__(self, flush: bool = False) -> None:
        """Make the cluster; with `flush` a commit is on the disk, as at a city's."""
        self._fsync = "on" if flush else "off"
        self._folder = Path(tempfile.mkdtemp(prefix="pg-"))         # a socket's path must be short
        self._user = USER if os.geteuid() == 0 else None
        if self._user:
            shutil.chown(self._folder, self._user)
        self._run(INITDB, "-D", self._folder / "data", "-U", USER, "-A", "trust", "--no-sync", "--locale=C.UTF-8")
        self.url = f"postgresql://{USER}@/postgres?host={self._folder}"

    def start(self) -> "Postgres":
        """Start the server; returns when it answers."""
        options = f"-c listen_addresses= -c unix_socket_directories={self._folder} -c fsync={self._fsync}"
        self._run(CONTROL, "-D", self._folder / "data", "-l", self._folder / "log", "-o", options, "-w", "start")
        return self

    def stop(self) -> None:
        """End it at once, whoever is connected."""
        self._run(CONTROL, "-D", self._folder / "data", "-m", "immediate", "-w", "stop")

    def _run(self, *command: object) -> None:
        subprocess.run(list(map(str, command)), check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                       user=self._user, cwd=self._folder, timeout=HANG_S)

    def __enter__(self) -> "Postgres":
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self._folder)
