"""A key that can be lost: the current one signs, and the next one, whose private half lies in a safe, replaces it.

Pure. A thief of the current key can't lock its owner out: once there is a next key, nothing that the current one signs
changes either of them.
"""
from typing import Annotated

from msgspec import Meta, Struct
from msgspec.structs import replace

from agent.core.evidence.ledger.row import WHOLE_MAX

CHANGE = "keys.change"          # the command: the only one that the next key signs

PublicKey = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]       # Ed25519, hex


class KeysChange(Struct, frozen=True):
    """`keys.change`: these two keys hold from now on. Signed with the next key; with the current one, only to name a
    next key where there is none.
    """

    ver: Annotated[int, Meta(ge=1, le=WHOLE_MAX - 1)]      # higher than that of the last change: UTC in ms will do
    current: PublicKey                  # Ed25519, hex: signs from now on
    next: PublicKey                     # Ed25519, hex: signs the next change


class KeySlots(Struct, frozen=True, kw_only=True):
    """The keys in force."""

    given: list[PublicKey]              # as the settings' file has them; another file starts anew
    current: PublicKey
    next: PublicKey | None = None
    ver: int = 0                        # of the last change


class ChangeRefused(Exception):
    """The keys stay as they are; the text is the code of the reason."""


def begin(given: list[str]) -> KeySlots:
    """The slots as the settings' file fills them: one key or two."""
    return KeySlots(given=given, current=given[0], next=given[1] if given[1:] else None)


def change(known: KeySlots, wanted: KeysChange, signer: str) -> KeySlots:
    """The keys that hold after a change that one of the known keys has signed. What holds already may be said again.

    Raises ChangeRefused.
    """
    if (wanted.current, wanted.next) == (known.current, known.next):
        return known
    names_next = signer == known.current == wanted.current and known.next is None
    if not (signer == known.next or names_next) or wanted.current == wanted.next:
        raise ChangeRefused("not_entitled")
    if wanted.ver <= known.ver:
        raise ChangeRefused("old_version")
    return replace(known, current=wanted.current, next=wanted.next, ver=wanted.ver)
