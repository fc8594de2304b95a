"""What a maker's release is: its files, what it needs, and what the maker signs. Pure. docs/design/system.md."""
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from agent.core.ledger.seals import Verifies

PURPOSE = b"taimat release 1\n"         # the same key may sign other things, but never this by accident
TOLD, SIGNATURE = "release.json", "release.sig"     # the first two files of a bundle, in this order
SIGNATURE_B = 64
TOLD_B = 65_536
BUNDLE_B = 512 << 20                    # of a whole bundle, at most
DISTRIBUTION = "taimat"

Version = Annotated[str, Meta(pattern=r"^\d{1,5}\.\d{1,5}\.\d{1,5}\Z")]
Wheel = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]{0,150}\.whl\Z")]      # no way into another folder
Sha256 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]

Code = Literal[
    "forbidden", "declined", "superseded", "busy", "not_enabled",               # nobody lets it, or nobody would do it
    "no_release_key", "bad_signature", "bad_bundle", "download", "no_room",     # it did not come, or from somebody else
    "not_newer", "wrong_python", "no_way_back", "not_ready",                    # it does not fit here
    "unhealthy_rolled_back", "interrupted"]


class Needs(Struct, frozen=True, forbid_unknown_fields=True):
    """What must be there before."""

    python: Annotated[str, Meta(pattern=r"^\d{1,2}\.\d{1,3}\Z")]    # at least this
    schema: Annotated[int, Meta(ge=1)]      # of the store: an agent that knows it can go on after this one


class Release(Struct, frozen=True, forbid_unknown_fields=True):
    """`release.json`."""

    v: Literal[1]
    version: Version
    files: Annotated[dict[Wheel, Sha256], Meta(min_length=1, max_length=64)]
    needs: Needs


class Refused(Exception):
    """A release that is not installed: `code` for programs, the text for people."""

    def __init__(self, code: Code, text: str) -> None:
        super().__init__(text)
        self.code = code


def order(version: str) -> tuple[int, ...]:
    """What versions are compared by."""
    return tuple(int(part) for part in version.split("."))


def is_version(text: str) -> bool:
    """Whether that is a version as releases have them."""
    try:
        msgspec.convert(text, Version)
    except msgspec.ValidationError:
        return False
    return True


def message(told: bytes) -> bytes:
    """What the maker signs for a `release.json`."""
    return PURPOSE + told


def believed(told: bytes, signature: bytes, key: bytes, verifies: Verifies) -> Release:
    """The release in a `release.json` that the key's holder has signed; nothing is read before that. Raises Refused."""
    if not verifies(key, signature, message(told)):
        raise Refused("bad_signature", "it is not signed by the key that [update] release_key names: get it from its "
                      "maker again, or correct release_key")
    try:
        return msgspec.json.decode(told, type=Release)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refused("bad_bundle", f"its {TOLD} can't be read ({error}): it needs a newer Taimat, or was made wrong"
                      ) from error


def demand(release: Release, current: str, python: tuple[int, ...], schema: int) -> None:
    """See that it may take the place of `current` on this device. Raises Refused."""
    if order(release.version) <= order(current):
        raise Refused("not_newer", f"{release.version} is not newer than {current}, which is installed")
    if order(release.needs.python) > python[:2]:
        raise Refused("wrong_python", f"it needs Python {release.needs.python}: update the system first")
    if release.needs.schema > schema:
        raise Refused("no_way_back", f"{current} could not go on with the store as {release.version} leaves it (schema "
                      f"{release.needs.schema}, known up to {schema}): install a release between the two first")
