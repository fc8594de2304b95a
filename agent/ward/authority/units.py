"""The ward's services, if systemd runs them; in a container, a command of the caller stands in.

mosquitto reads certificates and lists again on a signal; a unit of the proxy watches the files.
"""
import shlex
import subprocess
from collections.abc import Iterable
from pathlib import Path

from agent.ward.authority.issuer import AuthorityFault

SYSTEMD = Path("/run/systemd/system")
TARGET = "ward-taimat.target"
USERS = {"ingest": "ward-taimat-ingest.service", "desk": "ward-taimat-desk.service"}    # of an account's certificate
RELOAD = "systemctl reload mosquitto.service"
ENDS_S = 60.0


def are_here() -> bool:
    return SYSTEMD.is_dir()


def start() -> None:
    """Raises AuthorityFault."""
    _run(["systemctl", "restart", "mosquitto.service"])
    _run(["systemctl", "enable", "--now", TARGET])


def reload(command: str, renewed: Iterable[str] = ()) -> None:
    """Makes the broker read its files, and restarts services with renewed certificates. Raises AuthorityFault."""
    if command:
        _run(shlex.split(command))
    elif are_here():
        _run(shlex.split(RELOAD))
        if users := [USERS[name] for name in renewed if name in USERS]:
            _run(["systemctl", "try-restart", *users])


def restart_desk() -> None:
    """The desk gets its copy of the command key only at its start. Raises AuthorityFault."""
    if are_here() and not subprocess.run(["systemctl", "is-active", "--quiet", USERS["desk"]], check=False).returncode:
        _run(["systemctl", "restart", USERS["desk"]])


def _run(command: list[str]) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=ENDS_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise AuthorityFault(f"{shlex.join(command)}: {error}; do it by hand") from error
    except subprocess.CalledProcessError as error:
        said = (error.stderr.strip().splitlines() or ["no word"])[-1]
        raise AuthorityFault(f"{shlex.join(command)}: {said}; journalctl -b -u mosquitto -u 'ward-taimat-*' says why"
                             ) from error
