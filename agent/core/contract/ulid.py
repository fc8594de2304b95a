"""ULIDs: unique ids that sort by time. Pure: the caller passes the time and random bytes.

Source: github.com/ulid/spec.
"""
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"       # Crockford's base 32: no I, L, O, U
LENGTH_N, CHANCE_B = 26, 10


def make(wall_ms: int, chance: bytes) -> str:
    """Returns the ULID for this time (UTC ms, 48 bits) and these ten random bytes."""
    return crockford((wall_ms & (1 << 48) - 1) << 80 | int.from_bytes(chance[:CHANCE_B], "big"), LENGTH_N)


def crockford(number: int, letters_n: int) -> str:
    """Writes a number in Crockford's base 32, with this many letters and digits."""
    return "".join(ALPHABET[number >> 5 * place & 31] for place in reversed(range(letters_n)))
