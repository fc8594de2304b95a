"""All targets for a fuzzer with their good inputs, and changes by chance for where there is no fuzzer."""
import json
from collections.abc import Callable
from random import Random
from typing import Any

from tests.rigs.fuzz import camera, inside, wire

TARGETS: dict[str, Callable[[bytes], None]] = wire.TARGETS | inside.TARGETS | camera.TARGETS
SEEDS: dict[str, list[bytes]] = {
    name: [seed if isinstance(seed, bytes) else json.dumps(seed).encode() for seed in seeds]
    for name, seeds in (wire.SEEDS | inside.SEEDS | camera.SEEDS).items()}
ODD: tuple[Any, ...] = (None, True, 0, -1, 1 << 31, 1 << 53, (1 << 63) - 1, 1 << 64, -(1 << 63), 0.1, 1e308, "",
                        "x" * 300, "\x00\x1b[2J\u202e\n", "../../etc", [], {}, [[]], [None], {"": 0})

INSERTED = (b"\xff", b"\0", b"[" * 2000, b'{"a":' * 500, b"9" * 400, b"\\ud800", b"e999")


def changed(seed: bytes, chance: Random) -> bytes:
    """The input with a few changes: of JSON mostly in what it says, of everything in its bytes."""
    try:
        value = json.loads(seed)
    except ValueError:
        return _bytes_changed(seed, chance)
    for _ in range(chance.randint(0, 3)):
        value = _value_changed(value, chance)
    text = json.dumps(value, ensure_ascii=chance.random() < 0.5).encode(errors="surrogatepass")
    return _bytes_changed(text, chance) if chance.random() < 0.3 else text


def _bytes_changed(data: bytes, chance: Random) -> bytes:
    text = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 8))):
        at, much = chance.randrange(len(text) + 1), chance.randint(1, 64)
        match chance.choice(("set", "flip", "cut", "repeat", "insert")):
            case "cut":
                del text[at:at + much]
            case "repeat":
                text[at:at] = text[at:at + much] * chance.choice((1, 1, 500))
            case "insert":
                text[at:at] = chance.choice(INSERTED)
            case _ if at == len(text):
                continue
            case "set":
                text[at] = chance.randrange(256)
            case "flip":
                text[at] ^= 1 << chance.randrange(8)
    return bytes(text)


def _value_changed(value: Any, chance: Random) -> Any:
    """The same with something else somewhere in it."""
    if isinstance(value, dict) and value and chance.random() < 0.9:
        key = chance.choice(sorted(value))
        if chance.random() < 0.1:
            return {name: each for name, each in value.items() if name != key}
        if chance.random() < 0.1:
            return value | {chance.choice(("new", "Điều", "")): chance.choice(ODD)}
        return value | {key: _value_changed(value[key], chance)}
    if isinstance(value, list) and value and chance.random() < 0.9:
        at = chance.randrange(len(value))
        return [*value[:at], *(_value_changed(each, chance) for each in value[at:at + 1]), *value[at + 1:],
                *value[:chance.choice((0, 0, 0, 3))]]
    if isinstance(value, str) and value and chance.random() < 0.6:
        at = chance.randrange(max(0, len(value) - chance.choice((4, len(value)))), len(value))      # often near its end
        return value[:at] + chr(chance.choice((ord(value[at]) ^ 1, chance.randrange(32, 127), 0x202e))) + value[at + 1:]
    return chance.choice(ODD)
