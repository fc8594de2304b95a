"""`taimat ward account`: key and certificate of one more name at the broker, such as a ward's bridge at its city's; or
of one more server, such as a node of its cluster.

`python -m agent.ward.authority.account`. Neither is kept here: the certificate, which is no secret, is what
`taimat ward revoke` takes to throw an account out.
"""
import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from agent.ward import settings
from agent.ward.authority import certificates
from agent.ward.authority.accounts import CLIENTS, SERVERS
from agent.ward.authority.cas import Cas
from agent.ward.authority.faults import ended
from agent.ward.authority.issuer import AuthorityFault
from agent.ward.authority.places import FOR_ALL, OWN_ONLY, Places, put


def make(places: Places, name: str, hosts: Sequence[str], folder: Path, now: datetime) -> Path:
    """Write NAME.key and NAME.pem into the folder; returns the certificate's file. With `hosts` it is a server's.

    Raises AuthorityFault and OSError.
    """
    path = folder / f"{name}.pem"
    if name in (*SERVERS, *CLIENTS):
        raise AuthorityFault(f"{name}: is the ward's own, and lies in {places.keys}; give another name, as {name}-2")
    if path.exists():
        raise AuthorityFault(f"{path}: is there already; a new one goes into another folder")
    key = ec.generate_private_key(ec.SECP256R1())
    try:
        with places.locked():
            cas, public = Cas(places), key.public_key()
            chain = cas.for_servers(now).server(name, hosts, public, now) if hosts \
                else cas.current(now).account(name, public, now)
    except ValueError as error:
        raise AuthorityFault(str(error)) from error
    put(path.with_suffix(".key"), key.private_bytes(
        certificates.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()), OWN_ONLY)
    put(path, chain, FOR_ALL)
    return path


def run(wishes: argparse.Namespace) -> int:
    """Do it; returns the exit code. Raises ConfigError, AuthorityFault and OSError."""
    places = Places.of(wishes.config, settings.load(wishes.config))
    for name in wishes.names:
        path = make(places, name, wishes.host, wishes.to, datetime.now(UTC))
        print(f"made   {path}  certificate and, as {path.stem}.key, its key")
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """The entry of the command. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="taimat ward account")
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--to", type=Path, required=True)
    parser.add_argument("--host", action="append", default=[])
    parser.add_argument("names", nargs="+")
    return ended(lambda: run(parser.parse_args(argv)))


if __name__ == "__main__":
    sys.exit(main())
