"""What root has systemd do with the units of the roles.

systemctl speaks to PID 1 by a socket, which the sandbox lets through, and waits for nothing: a unit may take a minute.
"""
import logging
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

from agent.config.unit_wishes import PAGE_SOCKETS
from agent.core.unit_plan import UnitSteps

# Where visitors of the page come in: systemd judges a handed socket by the socket's own lines.
PAGE_UNITS = ("taimat-web.service", *PAGE_SOCKETS)
# What is stopped where the configuration does not want it. Other units are none of our business.
OURS = re.compile(r"(taimat-(capture@[a-z0-9-]+|capture-network|link|web|web-https?)|rescue-taimat-card)"
                  r"\.(service|socket)\Z")
UP = ("active", "activating", "reloading", "refreshing")
WITHIN_S = 30.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class UnitStates:
    up: frozenset[str]              # that run or are about to
    closed: frozenset[str]          # that nobody can start: masked by the owner, or not installed


def states() -> UnitStates:
    """How our units are. Raises OSError and subprocess.SubprocessError."""
    names = ("taimat-*.service", "taimat-keeper.service", "taimat-link.service", "taimat-web.service",
             "taimat-capture-network.service", "rescue-taimat-card.service", *PAGE_SOCKETS)
    said = _systemctl("show", "--property=Id,LoadState,ActiveState", *names)
    units = [dict(line.split("=", 1) for line in block.splitlines() if "=" in line) for block in said.split("\n\n")]
    return UnitStates(frozenset(unit["Id"] for unit in units if unit.get("ActiveState") in UP),
                      frozenset(unit["Id"] for unit in units if unit.get("LoadState") in ("masked", "not-found")))


def _systemctl(*words: str) -> str:
    return subprocess.run(["systemctl", *words], check=True, text=True, capture_output=True, stdin=subprocess.DEVNULL,
                          timeout=WITHIN_S).stdout


def admit(networks: Sequence[str], before: Sequence[str]) -> None:
    """Have the page hear these networks, too, and no more those before; until the machine is started anew.

    What the units' own files allow stays. Raises OSError and subprocess.SubprocessError.
    """
    for unit in PAGE_UNITS:
        said = _systemctl("show", "--property=IPAddressAllow", "--value", unit)
        allowed = [each for each in said.split() if each not in before]
        wanted = [*allowed, *(each for each in networks if each not in allowed)]
        _systemctl("set-property", "--runtime", unit, "IPAddressAllow=", f"IPAddressAllow={' '.join(wanted)}")
        _log.info("%s hears also: %s", unit, " ".join(networks) or "nobody from afar")


def start(unit: str) -> None:
    """Have a unit started that is no role's. A refusal is logged."""
    try:
        _systemctl("start", "--no-block", unit)
    except (OSError, subprocess.SubprocessError) as error:
        _log.error("%s: %s", unit, error)


def carry_out(steps: UnitSteps, states: UnitStates) -> None:
    """Have it done: what is to stop first, for a camera may move from one unit to another. A refusal is logged.

    Sockets start with their service, or not at all where another program has the port: nobody else may start them.
    """
    closed = states.closed.union(PAGE_SOCKETS)
    chosen = (("stop", [unit for unit in steps.stop if OURS.match(unit)]),
              *((verb, [unit for unit in getattr(steps, verb) if unit not in closed])
                for verb in ("start", "restart", "reload")))
    for verb, units in chosen:
        if units:
            _log.info("%s %s", verb, " ".join(units))
            try:
                _systemctl(verb, "--no-block", "--", *units)
            except subprocess.CalledProcessError as refused:
                _log.error("systemctl %s: %s", verb, refused.stderr.strip())
