"""The ward's services, where systemd runs them; elsewhere, as in a container, a command of the caller's stands in.

mosquitto reads certificates and lists anew when it is told to; the proxy has a unit that sees a file change.
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
    """Whether systemd runs this machine."""
    return SYSTEMD.is_dir()


def start() -> None:
    """Start all of the ward's, now and at each boot, with the broker. Raises AuthorityFault."""
    _run(["systemctl", "restart", "mosquitto.service"])
    _run(["systemctl", "enable", "--now", TARGET])


def reload(command: str, renewed: Iterable[str] = ()) -> None:
    """Have the broker read its files anew, by `command` if there is one; and services their renewed certificates.

    Raises AuthorityFault.
    """
    if command:
        _run(shlex.split(command))
    elif are_here():
        _run(shlex.split(RELOAD))
        if users := [USERS[name] for name in renewed if name in USERS]:
            _run(["systemctl", "try-restart", *users])


def restart_desk() -> None:
    """Have the desk sign with the command key as it is now: at its start systemd gave it a copy. Raises AuthorityFault.
    """
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
