"""The household's own key to its footage: made of a secret on paper; the device has the public half.

With it a card opens on any computer, when the device is broken or its keys are gone. A household that loses it makes
another one, for which the device then wraps the keys of all days that it still has.
"""
import sqlite3

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from agent.core.evidence.encrypted import DamagedError, LockedError
from agent.core.household.access import ALPHABET, code_from, tidy
from agent.store import meta
from agent.store.database import transaction
from agent.store.encryption import days
from agent.store.encryption.ciphers import EPHEMERAL_B, KEY_B, public_of, unwrap
from agent.store.encryption.file_keys import Household

SECRET_B = 20               # 160 bits, 32 letters: nobody guesses it, and it fits on a label


def secret_from(random: bytes) -> str:
    """The secret that `SECRET_B` random bytes make, as it is written down, without dashes."""
    return code_from(random)


def install(db: sqlite3.Connection, secret: str) -> None:
    """Have the device wrap all its days' keys for this secret from now on, and for no other."""
    with transaction(db):
        meta.put(db, days.HOUSEHOLD, public_of(_private(secret)).hex())
        db.execute("UPDATE day_key SET for_household = NULL")


def opener(db: sqlite3.Connection, typed: str) -> Household:
    """How a keyring gets days' keys with the secret that somebody typed. Raises LockedError for what can't be one."""
    secret = tidy(typed)
    if len(secret) != SECRET_B * 8 // 5:
        raise LockedError(f"a household's key has {SECRET_B * 8 // 5} letters and digits, and this has {len(secret)}: "
                          "type it as it was printed")
    private = _private(secret)

    def day_private(day: int) -> bytes:
        key = days.get(db, day)
        if key is None or key.for_household is None:
            gone = "was destroyed: it was erased" if key and key.gone else "was never wrapped for a household's key"
            raise LockedError(f"the key of day {day} {gone}")
        wrapped = key.for_household
        try:
            return unwrap(wrapped[:EPHEMERAL_B], wrapped[EPHEMERAL_B:], private, f"day {day}")
        except DamagedError:
            raise LockedError("this is not the household's key of this device, or not its newest") from None

    return day_private


def _private(secret: str) -> bytes:
    number = 0
    for letter in secret:
        number = number << 5 | ALPHABET.index(letter)
    return HKDF(SHA256(), KEY_B, salt=None, info=b"taimat household key 1").derive(number.to_bytes(SECRET_B, "big"))
