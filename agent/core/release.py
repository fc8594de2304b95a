"""A maker's release: what is in it, what it needs, what the maker signs, and whether it fits a device.

Pure. docs/design/update.md has the reasons. A release is one file, an ar archive like every Debian package:

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
TOLD_FILE = "release.json"              # the first of them where it is installed
SIGNATURE_B = 64
TOLD_B = 65_536
BUNDLE_B = 512 << 20                    # of a whole file, and of all that is packed in it, at most
UNITS = 1       # the generation of systemd/, its users and folders: raised with each change that the code relies on

Version = Annotated[str, Meta(pattern=r"^\d{1,5}\.\d{1,5}\.\d{1,5}\Z")]
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


def believed(told: bytes, signature: bytes, slots: KeySlots, verifies: Verifies) -> tuple[Release, KeySlots]:
    """The release in a `release.json` that a known key has signed, and the keys from then on.

    Nothing is read before the signature holds. The next key signs only what changes the keys. Raises ReleaseRefused.
    """
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
    """What a `release.json` tells. Raises ReleaseRefused."""
    try:
        return msgspec.json.decode(told, type=Release)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ReleaseRefused("bad_bundle", f"its {TOLD_FILE} can't be read ({error}): it needs a newer Taimat, or "
                             "was made wrong") from error


class UpdateSite(Struct, frozen=True, kw_only=True):
    """What a release finds on a device."""

    version: Version                    # that works
    python: tuple[int, ...]
    schema: int                         # of the store, up to which `version` knows it
    units: int                          # UNITS of the installed package; 0: there is none
    architecture: str                   # as Debian calls it, if it does


def demand(release: Release, site: UpdateSite) -> None:
    """See that it may take the place of what works on this device. Raises ReleaseRefused."""
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
