"""Where the ward's files are, who owns them, and the templates of its configuration.

Tests, and wards that are prepared on another machine, have the same folders below a prefix.
"""
import contextlib
import fcntl
import grp
import os
import pwd
import shlex
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

from agent.host.files import write_durably
from agent.ward.authority.issuer import AuthorityFault
from agent.ward.settings import Settings

HERE = Path("/")
AUTHORITY_USER, WARD_USER = "taimat-ward-authority", "taimat-ward"
PROXY_GROUP, BROKER_GROUP = "ward-taimat-proxy", "mosquitto"
FOR_ALL, FOR_GROUP, OWN_ONLY = 0o644, 0o640, 0o600
READERS = {"broker.key": BROKER_GROUP, "door.key": PROXY_GROUP, "mosquitto.acl": BROKER_GROUP}      # beside root
PUBLIC_ENDS = (".pub", ".crl", ".conf", ".toml")


class Places:
    """The folders of one ward's machine."""

    def __init__(self, etc: Path, authority: Path, broker: Path) -> None:
        self.etc = etc                                  # ward.toml, and what is beside it
        self.authority = authority                      # the CAs and the enrolment book
        self.broker = broker                            # the broker's configuration
        self.state = authority.with_name(WARD_USER)     # database and exports
        self.backups = authority.parent.parent / "backups" / WARD_USER  # unless the settings name another place
        self.keys = etc / "keys"                        # the ward's own certificates and keys
        self.public = etc / "public"                    # readable for everyone:
        self.ca = self.public / "ca.pem"                # the valid CAs,
        self.crl = self.public / "crl.pem"              # and their lists of the revoked

    @classmethod
    def below(cls, prefix: Path) -> "Places":
        return cls(prefix / "etc/taimat-ward", prefix / "var/lib/taimat-ward-authority",
                   prefix / "etc/mosquitto/conf.d")

    @classmethod
    def of(cls, config: Path, own: Settings) -> "Places":
        return cls(config.parent, Path(own.authority.folder), HERE / "etc/mosquitto/conf.d")

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Locks the authority: two writers of one list would each lose the other's entries."""
        self.authority.mkdir(parents=True, exist_ok=True)
        handle = os.open(self.authority, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)


def put(path: Path, data: bytes | str, mode: int, owner: str = "root", group: str = "root") -> None:
    """Raises OSError."""
    write_durably(path, data.encode() if isinstance(data, str) else data, mode)
    give(path, owner, group)


def put_own(places: Places, path: Path, data: bytes | str) -> None:
    """Writes a file for its readers: everyone, one service's group, or only root. Raises OSError."""
    group = READERS.get(path.name)
    is_public = path.suffix in PUBLIC_ENDS or path.parent == places.keys and path.suffix == ".pem"
    put(path, data, FOR_GROUP if group else FOR_ALL if is_public else OWN_ONLY, group=group or "root")


def folder(path: Path, mode: int, owner: str = "root", group: str = "root") -> None:
    """Raises OSError."""
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(mode)
    give(path, owner, group)


def give(path: Path, owner: str, group: str) -> None:
    """Sets owner and group if they exist here and this is root. Raises OSError."""
    if os.geteuid() == 0:
        with contextlib.suppress(KeyError):
            os.chown(path, pwd.getpwnam(owner).pw_uid, -1)
        with contextlib.suppress(KeyError):
            os.chown(path, -1, grp.getgrnam(group).gr_gid)


TEMPLATE_FOLDERS = (Path(__file__).resolve().parents[3] / "firmware_cfg" / "ward", Path("/usr/share/taimat-ward"))
WARD_MARK = "@WARD@"            # stands for the ward's name in topics


def template(name: str, ward: str = "") -> str:
    """Returns a file of a ward's configuration, with the ward's name in it. Raises OSError."""
    found = next((place / name for place in TEMPLATE_FOLDERS if (place / name).exists()), TEMPLATE_FOLDERS[-1] / name)
    return found.read_text(encoding="utf-8").replace(WARD_MARK, ward or WARD_MARK)


SYSTEMD = Path("/run/systemd/system")
TARGET = "ward-taimat.target"
USERS = {"ingest": "ward-taimat-ingest.service", "desk": "ward-taimat-desk.service"}    # of an account's certificate
RELOAD = "systemctl reload mosquitto.service"
ENDS_S = 60.0


def has_systemd() -> bool:
    return SYSTEMD.is_dir()


def start_services() -> None:
    """Raises AuthorityFault."""
    _run(["systemctl", "restart", "mosquitto.service"])
    _run(["systemctl", "enable", "--now", TARGET])


def reload_broker(command: str, renewed: Iterable[str] = ()) -> None:
    """Makes the broker read its files, and restarts services with renewed certificates. Raises AuthorityFault."""
    if command:
        _run(shlex.split(command))
    elif has_systemd():
        _run(shlex.split(RELOAD))
        if users := [USERS[name] for name in renewed if name in USERS]:
            _run(["systemctl", "try-restart", *users])


def restart_desk() -> None:
    """The desk gets its copy of the command key only at its start. Raises AuthorityFault."""
    desk = USERS["desk"]
    if has_systemd() and not subprocess.run(["systemctl", "is-active", "--quiet", desk], check=False).returncode:
        _run(["systemctl", "restart", desk])


def _run(command: list[str]) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=ENDS_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise AuthorityFault(f"{shlex.join(command)}: {error}; do it by hand") from error
    except subprocess.CalledProcessError as error:
        said = (error.stderr.strip().splitlines() or ["no word"])[-1]
        raise AuthorityFault(f"{shlex.join(command)}: {said}; journalctl -b -u mosquitto -u 'ward-taimat-*' says why"
                             ) from error
