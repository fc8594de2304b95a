"""What comes in from the ward and to it, as targets for a fuzzer: bytes in, nothing but the declared errors out.

`SEEDS` has good inputs for each of `TARGETS`.
"""
import base64
import io
import json
from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.core.contract import wire
from agent.core.contract.helper_messages import BAD, GOOD, UNKNOWN_KEY
from agent.core.contract.wire.commands import COMMANDS, plain
from agent.core.evidence.ledger.row import canonical, fingerprint
from agent.core.household.ward_settings import KEYS, outcome
from agent.helpers import signature
from agent.host import tar
from agent.host.clock import Instant
from agent.link import answers
from agent.mqtt.messages import Arrived
from agent.store.export.archive import Item
from agent.store.export.archive import tar as packed
from agent.ward import ward_side

TOPICS = wire.Topics("w07", "c-7f3a9c21b04d")
NOW = Instant("9f2c1a7e", 864_123_400, 1_795_561_300_000, "ntp")
WARD = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
KEY = WARD.public_key().public_bytes_raw()
OWN = {"health_int_s": 30, "retention_d": 30, "log_level": "info"}
ORDER = {"id": "01JDX0000000000000000000AB", "iat": NOW.wall_ms, "exp": NOW.wall_ms + 60_000, "by": "ops"}
CLIP = {"case": "HS-2026-117", "purpose": "crime", "officer": "Lê Văn A", "basis": "Điều 89", "cam": "gate",
        "upload": "https://ward/", "receipt_key": "0" * 64, "from": "2026-11-20T08:00:00Z",
        "to": "2026-11-20T08:05:00+07:00"}


def signed(payload: dict[str, Any]) -> dict[str, Any]:
    """As the ward's desk sends it to this device."""
    words = {**payload, "dev": TOPICS.dev, "kid": fingerprint(KEY)}
    return {**words, "sig": base64.b64encode(WARD.sign(canonical(words))).decode()}


SEEDS = {
    "command": [ORDER, {**ORDER, "args": {"from": 1, "to": 9}}, {**ORDER, "args": {"utc_ms": 1}},
                signed({**ORDER, "name": "restart", "args": {"role": "link"}}),
                signed({**ORDER, "name": "set", "args": {"health_int_s": 60, "retention_d": 7, "log_level": "debug"}}),
                signed({**ORDER, "name": "clip.export", "args": CLIP})],
    "message": [{"specversion": "1.0", "id": f"{TOPICS.dev}/7", "source": "/cam/w07/c/gate", "type": "cam.gap.v1",
                 "seq": 7, "boot": "9f2c1a7e", "clock": "ntp", "time": "2026-11-24T23:20:50.1Z",
                 "data": {"mono_ms": 5, "kind": "gap", "missing": [[2, 5]]}},
                {"online": True, "boot": "9f2c1a7e", "conn": 3, "why": "lost", "clock": "ntp"},
                {"seq": 1, "boot": "9f2c1a7e", "clock": "ntp", "mono_ms": 5, "int_s": 30,
                 "cond": [{"code": "hot", "sev": "warn"}]}],
    "archive": [b"".join(packed("export", [Item("a.json", 2, [b"{}"]), Item("b.mp4", 0, [])], 0))],
    "receipt": [{"upto": 10_481, "also": [10_483], "reject": [{"seq": 10_482, "code": "schema"}]}, {"online": True}]}


def command(payload: bytes) -> None:
    """Judged for each name that it may come under; its signature checked; and it can be said again."""
    order = _decoded(wire.Command, payload)
    if order is None:
        return
    assert wire.decode(wire.Command, json.dumps(plain(order)).encode()) == order
    for name in (*COMMANDS, "no.such"):
        for to_all in (False, True):
            found = answers.judge(order, name, Arrived("", payload, False, None, None), TOPICS, NOW, to_all=to_all)
            assert found or name in COMMANDS
    _is_checked(payload, "command")
    holds = outcome(order.args, OWN)        # as of `set`: within the bounds and the household's wish
    assert holds.values.keys() == KEYS.keys() and holds.values["retention_d"] <= OWN["retention_d"]
    assert holds.values["health_int_s"] >= OWN["health_int_s"] and holds.clamped.keys() <= order.args.keys()


def receipt(payload: bytes) -> None:
    """A receipt or the ingest's state, or refused."""
    _decoded(wire.Ack, payload)
    _decoded(wire.WardState, payload)


def message(payload: bytes) -> None:
    """What a device says to the ward: taken, and the same when it is read again, or refused with a word."""
    for what in ward_side.KINDS:
        try:
            found = ward_side.read(ward_side.Place(TOPICS.dev, what), payload)
        except ward_side.Unacceptable as bad:
            assert bad.code in ("too_large", "too_deep", "not_json", "schema", "id")
            continue
        again = ward_side.read(ward_side.Place(TOPICS.dev, what), found.text.encode())
        assert again.told == found.told
        ward_side.answer_in(found.text)
        ward_side.ledger_head(found.text)


def archive(data: bytes) -> None:
    """An upload or a bundle: its files, no more of them than there are bytes, or refused."""
    file = io.BytesIO(data)
    try:
        for member in tar.members(file, len(data)):
            assert sum(map(len, tar.pieces(file, member.size_b))) == member.size_b <= len(data)
    except tar.NotPlainTar as bad:
        assert str(bad)


def _is_checked(payload: bytes, name: str) -> None:
    """A signature holds for the words that were signed, and for no others."""
    if (found := signature.judge(payload, KEY)) == GOOD:
        words = json.loads(payload)
        assert any(canonical(words) == canonical(seed) for seed in SEEDS[name])
    assert found in (GOOD, BAD, UNKNOWN_KEY)


def _decoded(kind: type[Any], payload: bytes) -> Any:
    try:
        return wire.decode(kind, payload)
    except wire.BadPayload as bad:
        assert len(str(bad)) < 20
        return None


TARGETS: dict[str, Callable[[bytes], None]] = {
    "command": command, "receipt": receipt, "message": message, "archive": archive}
