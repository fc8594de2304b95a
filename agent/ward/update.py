"""`taimat ward update`: orders a release for devices. The release's maker has signed it; each household decides.

Most releases tell devices by which keys later ones will be signed, and so one that the maker's next key has signed ends
the present one: `taimat ward rotate release` orders it, and no release that does not.
"""
from collections.abc import Sequence
from pathlib import Path

import msgspec

from agent.config.load import ConfigError
from agent.core.contract.wire.commands import Update
from agent.core.evidence.ledger import fingerprint
from agent.core.release import Release, ReleaseRefused, message, read
from agent.host import files, release_file
from agent.host.command_key import verifies
from agent.ward import settings
from agent.ward.exits import OPS, ended
from agent.ward.orders import give


def opened(bundle: Path) -> Release:
    """What the release in this file tells. Raises ConfigError."""
    try:
        with bundle.open("rb") as file:
            told, signature, _ = release_file.begin(file)
        release = read(told)
    except OSError as error:
        raise ConfigError(f"{bundle}: {error.strerror}") from error
    except ReleaseRefused as error:
        raise ConfigError(f"{bundle}: {error}; it takes a release of scripts/package") from error
    if release.keys and not verifies(bytes.fromhex(release.keys.current), signature, message(told)):
        raise ConfigError(f"{bundle}: it names a key by which it is not signed, so no device would take it: get it "
                          "from its maker again")
    return release


def update_of(bundle: Path, version: str, url: str) -> Update:
    """The command's args for this release, which devices download from `url`. Raises ConfigError."""
    try:
        return msgspec.convert({"version": version, "url": url, "sha256": files.sha256(bundle),
                                "bytes": bundle.stat().st_size}, Update)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{url}: {error}; it takes an https:// URL") from error


@ended(OPS)
def run(config: Path, bundle: Path, url: str, devices: Sequence[str], *, wait_s: float, as_json: bool,
        rotates: bool = False) -> int:
    """Order the release in the file `bundle`, which devices fetch from `url`; `rotates`: it changes the release key."""
    own, release = settings.load(config), opened(bundle)
    if rotates and release.keys is None:
        raise ConfigError(f"{bundle}: it names no keys, so it changes none: its maker runs scripts/package "
                          "--rotate-key, and makes the release anew")
    if rotates and not as_json:
        current, following = (fingerprint(bytes.fromhex(key)) for key in (release.keys.current, release.keys.next))
        print(f"a device that takes {release.version} obeys release key {current} from then on, no other one; only "
              f"{following} can replace it", flush=True)
    args = msgspec.to_builtins(update_of(bundle, release.version, url))
    return give(own, devices, "update", args, wait_s, as_json)
