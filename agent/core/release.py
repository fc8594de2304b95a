"""A maker's release: what is in it, what it needs, what the maker signs, and whether it fits a device.

Pure. docs/design/system.md has the reasons. A release is one file, an ar archive like every Debian package:

    debian-binary      b"2.0\\n"
    _release.json      `Release`; these very bytes are signed, and lie in /usr/lib/taimat/release.json, too
    _release.sig       Ed25519 over PURPOSE and those bytes, 64 bytes
    control.tar.xz     of the whole package (.deb) alone
    data.tar.xz        plain names (ustar): ./usr/lib/taimat/agent/ and, in a .deb, libraries/ and the rest
"""
import hashlib
from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from agent.core.evidence.ledger.seals import Verifies
from agent.core.key_slots import ChangeRefused, KeysChange, KeySlots, change

PURPOSE = b"taimat release 2\n"         # the same key may sign other things, but never this by accident
TOLD, SIGNATURE = "_release.json", "_release.sig"   # members of the file; dpkg passes over names that begin so
SIGNATURE_B = 64
TOLD_B = 65_536
BUNDLE_B = 512 << 20                    # of a whole file, and of all that is packed in it, at most
UNITS = 1       # the generation of systemd/, its users and folders: raised with each change that the code relies on

WHEELS_PURPOSE, WHEELS_TOLD, WHEELS_SIGNATURE = b"taimat release 1\n", "release.json", "release.sig"
DISTRIBUTION = "taimat"

Version = Annotated[str, Meta(pattern=r"^\d{1,5}\.\d{1,5}\.\d{1,5}\Z")]
Wheel = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]{0,150}\.whl\Z")]      # no way into another folder
Sha256 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
Architecture = Literal["amd64", "arm64"]        # as Debian calls them

Code = Literal[
    "forbidden", "declined", "superseded", "busy", "not_enabled",               # nobody lets it, or nobody would do it
    "no_release_key", "bad_signature", "bad_bundle", "download", "no_room",     # it did not come, or from somebody else
    "not_newer", "wrong_python", "wrong_machine", "no_way_back", "not_ready",   # it does not fit here
    "incomplete", "needs_package",                                              # the whole package must come
    "unhealthy_rolled_back", "interrupted"]


class Needs(Struct, frozen=True, forbid_unknown_fields=True):
    """What must be there before."""

    python: Annotated[str, Meta(pattern=r"^\d{1,2}\.\d{1,3}\Z")]    # at least this
    schema: Annotated[int, Meta(ge=1)]      # of the store: an agent that knows it can go on after this one
    units: Annotated[int, Meta(ge=1)]       # UNITS of the installed package, at least


class Trees(Struct, frozen=True, forbid_unknown_fields=True):
    """The folders that it consists of, by their digests."""

    agent: Sha256
    libraries: Sha256


class Release(Struct, frozen=True, forbid_unknown_fields=True):
    """`release.json`."""

    v: Literal[2]
    version: Version
    architecture: Architecture
    needs: Needs
    trees: Trees
    keys: KeysChange | None = None      # releases are signed by these from now on


class WheelNeeds(Struct, frozen=True, forbid_unknown_fields=True):
    """What must be there before a release of wheels."""

    python: Annotated[str, Meta(pattern=r"^\d{1,2}\.\d{1,3}\Z")]
    schema: Annotated[int, Meta(ge=1)]


class WheelRelease(Struct, frozen=True, forbid_unknown_fields=True):
    """A release of wheels."""

    v: Literal[1]
    version: Version
    files: Annotated[dict[Wheel, Sha256], Meta(min_length=1, max_length=64)]
    needs: WheelNeeds
    keys: KeysChange | None = None


class ReleaseRefused(Exception):
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


def tree_digest(files: Mapping[str, str]) -> str:
    """The digest of a folder, from its files' SHA-256 (hex) by their path in it.

    The same as `find -type f -printf '%P\\n' | LC_ALL=C sort | xargs sha256sum | sha256sum` says in that folder.
    """
    lines = (f"{files[path]}  {path}\n" for path in sorted(files, key=str.encode))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def message(told: bytes) -> bytes:
    """What the maker signs for a `release.json`."""
    return PURPOSE + told


def believed(told: bytes, signature: bytes, slots: KeySlots, verifies: Verifies) -> tuple[WheelRelease, KeySlots]:
    """The release in a `release.json` that a known key has signed, and the keys from then on.

    Nothing is read before the signature holds. The next key signs only what changes the keys. Raises ReleaseRefused.
    """
    signer = next((key for key in (slots.current, slots.next)
                   if key and verifies(bytes.fromhex(key), signature, WHEELS_PURPOSE + told)), None)
    if signer is None:
        raise ReleaseRefused("bad_signature", "it is not signed by the key in force of [update] release_key: get it "
                             "from its maker again, or correct release_key")
    release = _read(told)
    if release.keys is None and signer == slots.current:
        return release, slots
    try:
        if release.keys is None:
            raise ChangeRefused("not_entitled")
        return release, change(slots, release.keys, signer)
    except ChangeRefused as refused:
        raise ReleaseRefused("bad_signature", f"the key that has signed it may not sign this ({refused}): get it from "
                             "its maker again") from refused


def _read(told: bytes) -> WheelRelease:
    try:
        return msgspec.json.decode(told, type=WheelRelease)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ReleaseRefused("bad_bundle", f"its {TOLD} can't be read ({error}): it needs a newer Taimat, or was made "
                             "wrong") from error


def demand(release: WheelRelease, current: str, python: tuple[int, ...], schema: int) -> None:
    """See that it may take the place of `current` on this device. Raises Refused."""
    if order(release.version) <= order(current):
        raise ReleaseRefused("not_newer", f"{release.version} is not newer than {current}, which is installed")
    if order(release.needs.python) > python[:2]:
        raise ReleaseRefused("wrong_python", f"it needs Python {release.needs.python}: update the system first")
    if release.needs.schema > schema:
        raise ReleaseRefused("no_way_back", f"{current} could not go on with the store as {release.version} leaves it "
                             f"(schema {release.needs.schema}, known up to {schema}): install a release "
                             "between the two first")
