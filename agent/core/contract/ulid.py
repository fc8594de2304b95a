"""ULIDs: unique ids that sort by time. Pure: the caller passes the time and random bytes.

Source: github.com/ulid/spec.
"""
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"       # Crockford's base 32
LENGTH_N, CHANCE_B = 26, 10


def make(wall_ms: int, chance: bytes) -> str:
    """Returns the ULID for this time (UTC ms, 48 bits) and these ten random bytes."""
    number = (wall_ms & (1 << 48) - 1) << 80 | int.from_bytes(chance[:CHANCE_B], "big")
    return "".join(ALPHABET[number >> 5 * place & 31] for place in reversed(range(LENGTH_N)))
