"""Does the household's broker let this recorder in? Asked under a name of its own, for the link may be
connected there.

It stands apart from the ward's broker, for other words and remedies apply.
"""
from pathlib import Path

from agent.cli.doctor.broker import greet, own_id
from agent.cli.doctor.verdict import CheckVerdict, ok, warn
from agent.config.settings import Home
from agent.home.account import credentials
from agent.mqtt.fault import HOUSEHOLD, LinkFault

REMEDIES = {"unreachable": "check [home] host and port, and that the household's broker runs",
            "refused": "correct [home] in the configuration, or the household's broker"}


def examine(home: Home, store: Path) -> CheckVerdict:
    """One connection, ended properly. Trouble is no more than a warning: nothing is recorded by Home Assistant."""
    try:
        return ok(greet(home, credentials(home, f"{own_id(store)}-doctor")))
    except LinkFault as fault:
        return warn(str(fault.to(HOUSEHOLD)), REMEDIES[fault.kind])
