"""A maker's release: its content, its conditions, what the maker signs, and whether it fits a device.

Pure. docs/design/device.md has the reasons. A release is one file, an ar archive like a Debian package:

    debian-binary      b"2.0\\n"
    _release.json      `Release`; exactly these bytes are signed; installed as /usr/lib/taimat/release.json
    _release.sig       Ed25519 over PURPOSE and those bytes, 64 bytes
    control.tar.xz     only in the whole package (.deb)
    data.tar.xz        plain names (ustar): ./usr/lib/taimat/agent/ and, in a .deb, libraries/ and the rest
"""
import hashlib
from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from agent.core.evidence.ledger.seals import Verifies
from agent.core.key_slots import ChangeRefused, KeysChange, KeySlots, change

PURPOSE = b"taimat release 2\n"         # separates these signatures from others by the same key
TOLD, SIGNATURE = "_release.json", "_release.sig"   # members of the file; dpkg ignores such names
TOLD_FILE = "release.json"              # name of the first one after installation
SIGNATURE_B = 64
TOLD_B = 65_536
BUNDLE_B = 512 << 20                    # limit for the whole file, and for its unpacked content
UNITS = 3       # the generation of systemd/, its users and folders: raised with each change that the code needs

Version = Annotated[str, Meta(pattern=r"^\d{1,5}\.\d{1,5}\.\d{1,5}\Z")]
Sha256 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
Architecture = Literal["amd64", "arm64"]        # Debian's names

Code = Literal[
    "forbidden", "declined", "superseded", "busy", "not_enabled",               # not allowed, or nobody could do it
    "no_release_key", "bad_signature", "bad_bundle", "download", "no_room",     # not received, or from another maker
    "not_newer", "wrong_python", "wrong_machine", "no_way_back", "not_ready",   # does not fit this device
    "incomplete", "needs_package",                                              # needs the whole package
    "unhealthy_rolled_back", "interrupted"]


class Needs(Struct, frozen=True, forbid_unknown_fields=True):
    python: Annotated[str, Meta(pattern=r"^\d{1,2}\.\d{1,3}\Z")]    # at least this version
    schema: Annotated[int, Meta(ge=1)]      # of the store: an agent that knows it can replace this one
    units: Annotated[int, Meta(ge=1)]       # UNITS of the installed package, at least


class Trees(Struct, frozen=True, forbid_unknown_fields=True):
    agent: Sha256
    libraries: Sha256


class Release(Struct, frozen=True, forbid_unknown_fields=True):
    """`release.json`."""

    v: Literal[2]
    version: Version
    architecture: Architecture
    needs: Needs
    trees: Trees
    keys: KeysChange | None = None      # from now on these sign releases


class ReleaseRefused(Exception):
    """A release that is not installed: `code` for programs, the message for people."""

    def __init__(self, code: Code, text: str) -> None:
        super().__init__(text)
        self.code = code


def order(version: str) -> tuple[int, ...]:
    """Returns a version as numbers for comparisons."""
    return tuple(int(part) for part in version.split("."))


def is_version(text: str) -> bool:
    """Whether this is a valid version of a release."""
    try:
        msgspec.convert(text, Version)
    except msgspec.ValidationError:
        return False
    return True


def tree_digest(files: Mapping[str, str]) -> str:
    r"""Returns the digest of a folder, from its files' SHA-256 (hex) by their path in it. It equals `find -type f
    -printf '%P\\n' | LC_ALL=C sort | xargs sha256sum | sha256sum` in that folder."""
    lines = (f"{files[path]}  {path}\n" for path in sorted(files, key=str.encode))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def message(told: bytes) -> bytes:
    """Returns the bytes that the maker signs for a `release.json`."""
    return PURPOSE + told


def believed(told: bytes, signature: bytes, slots: KeySlots, verifies: Verifies) -> tuple[Release, KeySlots]:
    """Returns the release in a `release.json` that a known key has signed, and the keys from then on. Nothing is
    parsed before the signature is verified. The next key may sign only a change of the keys. Raises ReleaseRefused."""
    signer = next((key for key in (slots.current, slots.next)
                   if key and verifies(bytes.fromhex(key), signature, message(told))), None)
    if signer is None:
        raise ReleaseRefused("bad_signature", "it is not signed by the key in force of [update] release_key: get it "
                             "from its maker again, or correct release_key")
    release = read(told)
    if release.keys is None and signer == slots.current:
        return release, slots
    try:
        if release.keys is None:
            raise ChangeRefused("not_entitled")
        return release, change(slots, release.keys, signer)
    except ChangeRefused as refused:
        raise ReleaseRefused("bad_signature", f"the key that has signed it may not sign this ({refused}): get it from "
                             "its maker again") from refused


def read(told: bytes) -> Release:
    """Parses a `release.json`. Raises ReleaseRefused."""
    try:
        return msgspec.json.decode(told, type=Release)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ReleaseRefused("bad_bundle", f"its {TOLD_FILE} can't be read ({error}): it needs a newer Taimat, or "
                             "was made wrong") from error


class UpdateSite(Struct, frozen=True, kw_only=True):
    """The facts about a device that a release must fit."""

    version: Version                    # the working version
    python: tuple[int, ...]
    schema: int                         # of the store, the highest that `version` knows
    units: int                          # UNITS of the installed package; 0: no package
    architecture: str                   # Debian's name, if it has one


def check_fits(release: Release, site: UpdateSite) -> None:
    """Checks that the release may replace the version on this device. Raises ReleaseRefused."""
    if release.architecture != site.architecture:
        raise ReleaseRefused("wrong_machine", f"it is made for {release.architecture}, and this machine is "
                             f"{site.architecture}: take the file of that name")
    if order(release.version) <= order(site.version):
        raise ReleaseRefused("not_newer", f"{release.version} is not newer than {site.version}, which is installed")
    if order(release.needs.python) > site.python[:2]:
        raise ReleaseRefused("wrong_python", f"it needs Python {release.needs.python}: update the system first")
    if release.needs.schema > site.schema:
        raise ReleaseRefused("no_way_back", f"{site.version} could not go on with the store as {release.version} "
                             f"leaves it (schema {release.needs.schema}, known up to {site.schema}): install a release "
                             "between the two first")
    if release.needs.units > site.units:
        raise ReleaseRefused("needs_package", f"{release.version} brings along other units, users or folders, which "
                             "belong to the package: install it by apt")
