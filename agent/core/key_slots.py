"""A signing key that may get lost: the next key, whose private half is in a safe, replaces the current one.

Pure. A thief of the current key cannot lock out its owner: once there is a next key, the current key cannot change
either of them.
"""
from typing import Annotated

from msgspec import Meta, Struct
from msgspec.structs import replace

from agent.core.evidence.ledger.row import WHOLE_MAX

CHANGE = "keys.change"          # the command; the next key signs no other

PublicKey = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]       # Ed25519, hex


class KeysChange(Struct, frozen=True):
    """`keys.change`: these two keys are valid from now on. Signed with the next key; the current key may sign only to
    name a first next key."""

    ver: Annotated[int, Meta(ge=1, le=WHOLE_MAX - 1)]      # higher than that of the last change: UTC in ms will do
    current: PublicKey                  # Ed25519, hex: signs from now on
    next: PublicKey                     # Ed25519, hex: signs the next change


class KeySlots(Struct, frozen=True, kw_only=True):
    """The valid keys."""

    given: list[PublicKey]              # as in the settings' file; another file starts from its keys
    current: PublicKey
    next: PublicKey | None = None
    ver: int = 0                        # of the last change


class ChangeRefused(Exception):
    """The keys stay as they are. The message is the code of the reason."""


def begin(given: list[str]) -> KeySlots:
    """Returns the slots from the settings' file: one key or two."""
    return KeySlots(given=given, current=given[0], next=given[1] if given[1:] else None)


def change(known: KeySlots, wanted: KeysChange, signer: str) -> KeySlots:
    """Returns the keys after a change that a known key has signed. It may be repeated. Raises ChangeRefused."""
    if (wanted.current, wanted.next) == (known.current, known.next):
        return known
    names_next = signer == known.current == wanted.current and known.next is None
    if not (signer == known.next or names_next) or wanted.current == wanted.next:
        raise ChangeRefused("not_entitled")
    if wanted.ver <= known.ver:
        raise ChangeRefused("old_version")
    return replace(known, current=wanted.current, next=wanted.next, ver=wanted.ver)
