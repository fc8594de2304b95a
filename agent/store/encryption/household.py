"""The household's own key to its footage, derived from a secret on paper; the device only has the public half.

It opens a card on any computer if the device is broken or its keys are gone. A household that loses it makes another
one. The device then wraps the keys of all days that it still has for the new one.
"""
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from agent.core.evidence.encrypted import DamagedError, LockedError
from agent.core.household.access import ALPHABET, tidy
from agent.store.encryption.ciphers import EPHEMERAL_B, KEY_B, public_of, unwrap
from agent.store.encryption.file_keys import Household, living
from agent.store.folders import Folders

SECRET_B = 20               # 160 bits, 32 letters: it cannot be guessed, and fits on a label


def public_half(secret: str) -> bytes:
    """Returns the public key for which the device wraps its day keys, if the household makes this its secret."""
    return public_of(_private(secret))


def opener(folders: Folders, typed: str) -> Household:
    """Returns a function that opens day keys with the typed secret. Raises LockedError and OSError."""
    secret = tidy(typed)
    if len(secret) != SECRET_B * 8 // 5:
        raise LockedError(f"a household's key has {SECRET_B * 8 // 5} letters and digits, and this has {len(secret)}: "
                          "type it as it was printed")
    private = _private(secret)
    wrapped_of = {day.id: day.for_household for day in living(folders)}

    def day_private(day: int) -> bytes:
        if day not in wrapped_of:
            raise LockedError(f"the key of day {day} was destroyed: it was erased")
        if (wrapped := wrapped_of[day]) is None:
            raise LockedError(f"the key of day {day} was never wrapped for a household's key")
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
