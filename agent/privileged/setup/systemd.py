"""Starts, stops and opens the roles' units through systemd.

The sandbox lets systemctl reach PID 1 by its socket. It waits for nothing, because a unit may take a minute.
"""
import logging
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

from agent.config.unit_wishes import PAGE_SOCKETS
from agent.core.unit_plan import UnitSteps

# Where visitors of the page connect: for an inherited socket, the socket unit's own rules count.
PAGE_UNITS = ("taimat-web.service", *PAGE_SOCKETS)
# The units that we may stop if the configuration does not want them.
OURS = re.compile(r"(taimat-(capture@[a-z0-9-]+|capture-network|link|web|web-https?)|rescue-taimat-card)"
                  r"\.(service|socket)\Z")
UP = ("active", "activating", "reloading", "refreshing")
STARTS = ("start", "restart")             # jobs after which a unit is up
WITHIN_S = 30.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class UnitStates:
    up: frozenset[str]              # run or are about to
    closed: frozenset[str]          # cannot start: masked by the owner, or not installed


def states() -> UnitStates:
    """Reads the states of our units. Raises OSError and subprocess.SubprocessError.

    A unit that is being restarted is down for a moment; its job tells that it will be up. Jobs are read first: one that
    ends in between has left its unit up.
    """
    jobs = [line.split() for line in _systemctl("list-jobs", "--no-legend", "--plain").splitlines()]
    coming = {job[1] for job in jobs if len(job) > 2 and job[2] in STARTS}
    names = ("taimat-*.service", "taimat-keeper.service", "taimat-link.service", "taimat-web.service",
             "taimat-capture-network.service", "rescue-taimat-card.service", *PAGE_SOCKETS)
    said = _systemctl("show", "--property=Id,LoadState,ActiveState", *names)
    units = [dict(line.split("=", 1) for line in block.splitlines() if "=" in line) for block in said.split("\n\n")]
    return UnitStates(frozenset(unit["Id"] for unit in units
                                if unit.get("ActiveState") in UP or unit.get("Id") in coming),
                      frozenset(unit["Id"] for unit in units if unit.get("LoadState") in ("masked", "not-found")))


def _systemctl(*words: str) -> str:
    return subprocess.run(["systemctl", *words], check=True, text=True, capture_output=True, stdin=subprocess.DEVNULL,
                          timeout=WITHIN_S).stdout


def admit(units: Sequence[str], networks: Sequence[str], before: Sequence[str]) -> None:
    """Lets these networks reach the units instead of those in `before`, until the next boot.

    What the units' own files allow stays. Raises OSError and subprocess.SubprocessError.
    """
    for unit in units:
        said = _systemctl("show", "--property=IPAddressAllow", "--value", unit)
        allowed = [network for network in said.split() if network not in before]
        wanted = [*allowed, *(network for network in networks if network not in allowed)]
        _systemctl("set-property", "--runtime", unit, "IPAddressAllow=", f"IPAddressAllow={' '.join(wanted)}")
        _log.info("%s hears also: %s", unit, " ".join(networks) or "nobody else")


def start(unit: str) -> None:
    """Starts a unit that is not a role's; logs errors."""
    try:
        _systemctl("start", "--no-block", unit)
    except (OSError, subprocess.SubprocessError) as error:
        _log.error("%s: %s", unit, error)


def carry_out(steps: UnitSteps, states: UnitStates) -> None:
    """Stops units first, because a camera may move from one unit to another; then starts others. Logs refusals.

    Sockets start only with their service, because another program may have the port.
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
