"""`taimat ward rotate ca`: a new issuing CA, or a new root above it.

`python -m agent.ward.authority.rotate`. The former ones count until the last certificate that they can have signed has
run out; a device that has its own renewed gets the new ones, and the roots with it.
"""
import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from agent.ward import settings
from agent.ward.authority import certificates, secret
from agent.ward.authority.cas import Cas
from agent.ward.authority.faults import ended
from agent.ward.authority.issuer import AuthorityFault
from agent.ward.authority.places import Places
from agent.ward.authority.renew import renew
from agent.ward.authority.root import RootCa
from agent.ward.settings import Settings


def rotate(own: Settings, places: Places, wishes: argparse.Namespace, now: datetime) -> str:
    """Do it; returns what to print. Raises AuthorityFault and OSError."""
    cas, name = Cas(places), own.authority.name
    with places.locked():
        moment = cas.next_moment(now)
        if wishes.root:
            key, kept = secret.new(wishes.token, wishes.passphrase_file)
            root = RootCa.make(name, key, moment)
            cas.add_root(root, kept, now)
        else:
            root = RootCa(cas.roots()[0], secret.unlock(cas.root_key(), wishes.passphrase_file))
        cas.add_issuer(root.issuer(name, moment), now)
        if wishes.drop_former:
            cas.drop_issuers(root, now)
    renew(own, places, now, wishes.reload)
    made = certificates.common_name(cas.current(now).certificate)
    if wishes.drop_former:
        return f"{made} signs from now on, and nothing counts that another one has signed: enrol those devices anew"
    until = now + certificates.DEVICE_LIFE
    return f"{made} signs from now on; what the former one has signed counts on, until {until:%Y-%m-%d} at the latest"


def run(wishes: argparse.Namespace) -> int:
    """Do it; returns the exit code."""
    if wishes.root and wishes.drop_former:
        raise AuthorityFault("--root and --drop-former do not go together: a former root's devices would not trust the "
                             "new one, so enrol them anew: taimat ward init on a machine of its own")
    own = settings.load(wishes.config)
    print(rotate(own, Places.of(wishes.config, own), wishes, datetime.now(UTC)))
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """The entry of the command. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="taimat ward rotate ca")
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--root", action="store_true")
    parser.add_argument("--drop-former", action="store_true")
    parser.add_argument("--token", default="")
    parser.add_argument("--passphrase-file", type=Path)
    parser.add_argument("--reload", default="")
    return ended(lambda: run(parser.parse_args(argv)))


if __name__ == "__main__":
    sys.exit(main())
