"""A device's folders as the package makes them, with owners, groups and modes, and its roles as users of their own.

Needs root. The users need no accounts: numbers do, as the kernel sees them.
"""
import errno
import os
import pickle
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from agent.store.folders import Folders

SYSTEMD = Path(__file__).parents[3] / "systemd"
FIRST = 61_201
UMASK = 0o007               # as the units have it


def _lines(kind: str) -> Iterator[list[str]]:
    for line in (SYSTEMD / f"taimat.{kind}.conf").read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            yield line.split()


class Users:
    """The roles' users and groups, as sysusers.d names them."""

    def __init__(self) -> None:
        self.uids, self.gids = {"root": 0}, {"root": 0}
        self._members: dict[str, list[int]] = {}
        for kind, name, *rest in _lines("sysusers"):
            if kind == "g":
                self.gids[name] = FIRST + len(self.gids)
            elif kind == "m":
                self._members.setdefault(name, []).append(self.gids[rest[0]])
            else:
                self.uids[name] = FIRST + len(self.uids)

    def become(self, role: str) -> None:
        """Turn this process into the role's, for good; "root" stays what it is."""
        if role == "root":
            return
        user = f"taimat-{role}"
        os.setgroups(self._members.get(user, []))
        os.setgid(self.gids["taimat"])
        os.setuid(self.uids[user])
        os.umask(UMASK)


class Premises:
    """A store and a runtime folder of such a device. A context manager: gone after it."""

    def __init__(self) -> None:
        self.users = Users()
        self._place = Path(tempfile.mkdtemp(prefix="tm-"))      # not below pytest's own, which is root's alone
        self._place.chmod(0o755)
        for _, path, mode, owner, group, _ in _lines("tmpfiles"):
            folder = self._place / path.lstrip("/")
            folder.mkdir(parents=True, exist_ok=True)
            os.chown(folder, self.users.uids[owner], self.users.gids[group])
            folder.chmod(int(mode, 8))
        self.runtime = self._place / "run/taimat"
        self.folders = Folders(self._place / "var/lib/taimat")
        self.config = self._place / "etc/taimat/taimat.toml"

    def as_role(self, role: str, work: Callable[[], Any]) -> Any:
        """What `work` returns in a process of that role's user; what it raises is raised here."""
        with self.process(role, work) as pipe:
            said, raised = pickle.loads(pipe())
        if raised is not None:
            raise raised
        return said

    @contextmanager
    def process(self, role: str, work: Callable[[], Any]) -> Iterator[Callable[[], bytes]]:
        """Such a process while the block lasts; the function waits for what it has to say."""
        ours, its = os.pipe()
        if not (pid := os.fork()):
            self._work(role, work, its)
        os.close(its)
        try:
            with os.fdopen(ours, "rb") as pipe:
                yield pipe.read
        finally:
            os.waitpid(pid, 0)

    def _work(self, role: str, work: Callable[[], Any], its: int) -> None:
        try:
            self.users.become(role)
            said: tuple[Any, Exception | None] = work(), None
        except Exception as error:
            said = None, error
        os.write(its, pickle.dumps(said))
        os._exit(0)

    def refuses(self, role: str, work: Callable[[], Any]) -> str:
        """The name of the error that the kernel answers the role with; "" where it lets it."""
        try:
            self.as_role(role, work)
        except OSError as error:
            return errno.errorcode[error.errno or 0]
        return ""

    def __enter__(self) -> "Premises":
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._place)
