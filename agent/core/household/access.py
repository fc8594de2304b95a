"""The device's pairing code, the lock that makes guessing it hopeless, and what a browser that is in may do. Pure."""
from dataclasses import dataclass
from typing import Literal

BrowserRole = Literal["owner", "viewer"]            # whose word counts; who may look

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"       # Crockford's base 32: no I, L, O, U
ALIKE = str.maketrans("ILO", "110")                 # what people read instead, by the same source
CODE_RANDOM_B = 5                                   # 40 bits are 8 letters
CODE_N = 8
UNLIKE_MIN_N = 4                                    # different ones that a code of somebody's own must have
CODE_KEY = "pairing_code"                           # where the store keeps it, see store.meta

TRIES_N = 5
LOCKED_S = 300.0


def code_from(random: bytes) -> str:
    """The pairing code that `CODE_RANDOM_B` random bytes make: 8 letters and digits that nobody mixes up."""
    number = int.from_bytes(random, "big")
    return "".join(ALPHABET[number >> shift & 31] for shift in range(8 * len(random) - 5, -1, -5))


def grouped(code: str) -> str:
    """The code as people read it out: "7K2M-Q9XD"."""
    return "-".join(code[at:at + 4] for at in range(0, len(code), 4))


def tidy(typed: str) -> str:
    """What somebody typed, as the code is written: any case, with spaces and dashes or none, O for 0, I or L for 1."""
    letters = typed.upper().translate(ALIKE)
    return "".join(letter for letter in letters if letter in ALPHABET)[:64]


@dataclass(frozen=True, slots=True)
class PairingLock:
    """Counts wrong tries for the whole device, whoever makes them; `step` returns its successor.

    Five wrong ones in a row lock it for five minutes, in which the right code is answered like a wrong one: 40 bits at
    that rate last longer than any card.
    """

    wrong_n: int = 0
    until_mono_s: float = float("-inf")

    def locked(self, now_mono_s: float) -> bool:
        """Whether every try is refused now."""
        return now_mono_s < self.until_mono_s

    def step(self, right: bool, now_mono_s: float) -> tuple["PairingLock", bool]:
        """Take one try; return the next lock and whether the visitor is let in."""
        if self.locked(now_mono_s):
            return self, False
        if right:
            return PairingLock(), True
        wrong_n = self.wrong_n + 1
        return (PairingLock(0, now_mono_s + LOCKED_S) if wrong_n >= TRIES_N else PairingLock(wrong_n)), False
