"""The device's pairing code, the lock against guessing it, and the roles of paired browsers. Pure."""
from dataclasses import dataclass
from typing import Literal

BrowserRole = Literal["owner", "viewer"]            # an owner decides; a viewer only looks

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"       # Crockford's base 32: no I, L, O, U
ALIKE = str.maketrans("ILO", "110")                 # letters that people read instead, from the same source
CODE_RANDOM_B = 5                                   # 40 bits are 8 letters
CODE_N = 8
UNLIKE_MIN_N = 4                                    # different characters that a self-chosen code must have
CODE_KEY = "pairing_code"                           # its key in the store, see store.meta

TRIES_N = 5
LOCKED_S = 300.0


def code_from(random: bytes) -> str:
    """Writes bytes as letters and digits that look different, 8 for 5 bytes: `CODE_RANDOM_B` make a pairing code."""
    number = int.from_bytes(random, "big")
    return "".join(ALPHABET[number >> shift & 31] for shift in range(8 * len(random) - 5, -1, -5))


def grouped(code: str) -> str:
    """Formats the code for people: "7K2M-Q9XD"."""
    return "-".join(code[at:at + 4] for at in range(0, len(code), 4))


def tidy(typed: str) -> str:
    """Normalises typed text: any case, with or without spaces and dashes, O for 0, I or L for 1."""
    letters = typed.upper().translate(ALIKE)
    return "".join(letter for letter in letters if letter in ALPHABET)[:64]


@dataclass(frozen=True, slots=True)
class PairingLock:
    """Counts wrong tries for the whole device. Immutable: `step` returns the next lock.

    Five wrong tries in a row lock it for five minutes, during which even the right code is refused. At that rate
    guessing 40 bits takes longer than any card lives.
    """

    wrong_n: int = 0
    until_mono_s: float = float("-inf")

    def locked(self, now_mono_s: float) -> bool:
        return now_mono_s < self.until_mono_s

    def step(self, right: bool, now_mono_s: float) -> tuple["PairingLock", bool]:
        """Takes one try. Returns the next lock and whether the visitor may enter."""
        if self.locked(now_mono_s):
            return self, False
        if right:
            return PairingLock(), True
        wrong_n = self.wrong_n + 1
        return (PairingLock(0, now_mono_s + LOCKED_S) if wrong_n >= TRIES_N else PairingLock(wrong_n)), False
