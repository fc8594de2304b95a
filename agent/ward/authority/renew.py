"""`taimat ward renew`: the ward's own certificates at two thirds of their life, and fresh lists of the revoked.

A timer runs it each day; so a list of 90 days ends only where nobody has looked at the ward's machine for three months.

`taimat ward rotate ca` makes a new issuing CA, or a new root above it. The former ones count until the last certificate
that they can have signed has run out; a device that has its own renewed gets the new ones, and the roots with it.
"""
from datetime import UTC, datetime
from pathlib import Path

from agent.ward import settings
from agent.ward.authority import accounts, canary, certificates, secret, units
from agent.ward.authority.cas import Cas
from agent.ward.authority.issuer import AuthorityFault
from agent.ward.authority.places import Places
from agent.ward.authority.root import RootCa
from agent.ward.exits import by_root
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


@by_root
def run_renew(config: Path, reload: str) -> int:
    """Renew what is due, and print it."""
    own = settings.load(config)
    places = Places.of(config, own)
    renewed = renew(own, places, datetime.now(UTC), reload)
    ends = Cas(places).first_end()
    print(f"{places.crl}: made anew, holds until {ends:%Y-%m-%d}")
    print(f"{places.keys}: certificates made anew: {', '.join(renewed) or 'none was due'}")
    return 0


@by_root
def run_rotate(config: Path, *, root: bool, drop_former: bool, token: str, passphrase_file: Path | None,
               reload: str) -> int:
    """Make a new issuing CA, with `root` below a new root, and print what counts now."""
    if root and drop_former:
        raise AuthorityFault("--root and --drop-former do not go together: a former root's devices would not trust the "
                             "new one, so enrol them anew: taimat ward init on a machine of its own")
    own, now = settings.load(config), datetime.now(UTC)
    places = Places.of(config, own)
    cas, name = Cas(places), own.authority.name
    with places.locked():
        moment = cas.next_moment(now)
        if root:
            key, kept = secret.new(token, passphrase_file)
            above = RootCa.make(name, key, moment)
            cas.add_root(above, kept, now)
        else:
            above = RootCa(cas.roots()[0], secret.unlock(cas.root_key(), passphrase_file))
        cas.add_issuer(above.issuer(name, moment), now)
        if drop_former:
            cas.drop_issuers(above, now)
    renew(own, places, now, reload)
    made, until = certificates.common_name(cas.current(now).certificate), now + certificates.DEVICE_LIFE
    former = "nothing counts that another one has signed: enrol those devices anew" if drop_former else \
        f"what the former one has signed counts on, until {until:%Y-%m-%d} at the latest"
    print(f"{made} signs from now on{', and' if drop_former else ';'} {former}")
    return 0
