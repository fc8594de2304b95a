"""`taimat ward renew`: the ward's own certificates at two thirds of their life, and fresh lists of the revoked.

`python -m agent.ward.authority.renew`. A timer runs it each day; so a list of 90 days ends only where nobody has looked
at the ward's machine for three months.
"""
import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from agent.ward import settings
from agent.ward.authority import accounts, canary, units
from agent.ward.authority.cas import Cas
from agent.ward.authority.faults import ended
from agent.ward.authority.places import Places
from agent.ward.settings import Settings


def renew(own: Settings, places: Places, now: datetime, reload: str) -> list[str]:
    """Do it; returns the names of the certificates that are new. Raises AuthorityFault and OSError."""
    cas = Cas(places)
    with places.locked():
        canary.see_to(places, cas, now)
        cas.revoke((), now)
        renewed = accounts.see_to_all(places, cas, own.authority.host or own.ward.host, now)
    units.reload(reload, renewed)
    return renewed


def run(wishes: argparse.Namespace) -> int:
    """Do it; returns the exit code."""
    own = settings.load(wishes.config)
    places = Places.of(wishes.config, own)
    renewed = renew(own, places, datetime.now(UTC), wishes.reload)
    ends = Cas(places).first_end()
    print(f"{places.crl}: made anew, holds until {ends:%Y-%m-%d}")
    print(f"{places.keys}: certificates made anew: {', '.join(renewed) or 'none was due'}")
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """The entry of the command. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="taimat ward renew")
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--reload", default="")
    return ended(lambda: run(parser.parse_args(argv)))


if __name__ == "__main__":
    sys.exit(main())
