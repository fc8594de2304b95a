"""Where the ward's files lie, and whose they are. One `Places` is handed to whoever writes or reads one of them.

A test, or a ward that is got ready on another machine, has the same folders below a prefix.
"""
import contextlib
import fcntl
import grp
import os
import pwd
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from agent.host.files import write_durably
from agent.ward.settings import Settings

HERE = Path("/")
AUTHORITY_USER, WARD_USER = "taimat-ward-authority", "taimat-ward"
PROXY_GROUP, BROKER_GROUP = "ward-taimat-proxy", "mosquitto"
FOR_ALL, FOR_GROUP, OWN_ONLY = 0o644, 0o640, 0o600
READERS = {"broker.key": BROKER_GROUP, "door.key": PROXY_GROUP, "mosquitto.acl": BROKER_GROUP}      # beside root
PUBLIC_ENDS = (".pub", ".crl", ".conf", ".toml")


@dataclass(frozen=True, slots=True)
class Places:
    """The folders of one ward's machine."""

    etc: Path                   # ward.toml, and what is beside it
    authority: Path             # the CAs and the enrolment book
    broker: Path                # what the broker reads of its configuration

    @classmethod
    def below(cls, prefix: Path) -> "Places":
        """Those of the package, below this folder."""
        return cls(prefix / "etc/taimat-ward", prefix / "var/lib/taimat-ward-authority",
                   prefix / "etc/mosquitto/conf.d")

    @classmethod
    def of(cls, config: Path, own: Settings) -> "Places":
        """Those that the settings in the file `config` name."""
        return cls(config.parent, Path(own.authority.folder), HERE / "etc/mosquitto/conf.d")

    @property
    def state(self) -> Path:
        """Database and exports."""
        return self.authority.with_name(WARD_USER)

    @property
    def backups(self) -> Path:
        """Backups, where the settings name no other place."""
        return self.authority.parents[1] / "backups" / WARD_USER

    @property
    def public(self) -> Path:
        """What everybody may read: the CAs that count, and the lists of the revoked."""
        return self.etc / "public"

    @property
    def keys(self) -> Path:
        """The ward's own certificates and keys."""
        return self.etc / "keys"

    @property
    def ca(self) -> Path:
        """Every root and issuing CA that counts."""
        return self.public / "ca.pem"

    @property
    def crl(self) -> Path:
        """The lists of the revoked of all of them."""
        return self.public / "crl.pem"

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Nobody else changes the authority meanwhile: two who add to one list would each forget the other's."""
        self.authority.mkdir(parents=True, exist_ok=True)
        handle = os.open(self.authority, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)


def put(path: Path, data: bytes | str, mode: int, owner: str = "root", group: str = "root") -> None:
    """Write a file whole, and give it to its owner. Raises OSError."""
    write_durably(path, data.encode() if isinstance(data, str) else data, mode)
    give(path, owner, group)


def put_own(places: Places, path: Path, data: bytes | str) -> None:
    """Write a file of ours for who reads it: everybody, one service's group, or root alone. Raises OSError."""
    group = READERS.get(path.name)
    is_public = path.suffix in PUBLIC_ENDS or path.parent == places.keys and path.suffix == ".pem"
    put(path, data, FOR_GROUP if group else FOR_ALL if is_public else OWN_ONLY, group=group or "root")


def folder(path: Path, mode: int, owner: str = "root", group: str = "root") -> None:
    """Make a folder likewise, with those above it. Raises OSError."""
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(mode)
    give(path, owner, group)


def give(path: Path, owner: str, group: str) -> None:
    """Have them own it, as far as they exist here and we are root. Raises OSError."""
    if os.geteuid() == 0:
        with contextlib.suppress(KeyError):
            os.chown(path, pwd.getpwnam(owner).pw_uid, -1)
        with contextlib.suppress(KeyError):
            os.chown(path, -1, grp.getgrnam(group).gr_gid)
