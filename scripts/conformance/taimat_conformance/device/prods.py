"""The commands that try a device, and the answer that each must get. Pure.

They only make a device tell about itself.
"""
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from agent.core.contract import wire
from agent.core.contract.wire.commands import AHEAD_MAX_MS, plain
from agent.mqtt.messages import Outgoing

ANSWER_S = 10.0                 # an answer must come within this
LIVES_S = 60
RETAINED_S = 5                  # the retained command stays at the broker for so long
HOUR_MS = 3_600_000
NOBODY = "c-000000000000"       # another device, on whose topics no answer must come


@dataclass(frozen=True, slots=True)
class Prod:
    """One try. `due` are the allowed answers: (state, code)."""

    what: str
    name: str
    due: tuple[tuple[str, str | None], ...]
    args: dict[str, Any] = field(default_factory=dict)
    ahead_ms: int = LIVES_S * 1000      # when it expires
    retain: bool = False
    to: Literal["own", "other", "none"] = "own"     # whose topic of answers its Response Topic is
    sig: str | None = None


DONE, CANCEL = (("done", None),), {"request": "00000000000000000000000000"}
PRODS = (
    Prod("time_hint", "time_hint", DONE),
    Prod("rebirth", "rebirth", DONE),
    Prod("diagnostics", "diagnostics", DONE, to="none"),
    Prod("retained", "time_hint", (("refused", "retained"),), retain=True),
    Prod("expired", "diagnostics", (("expired", None),), ahead_ms=-HOUR_MS),
    Prod("too_far", "diagnostics", (("refused", "exp_too_far"),), ahead_ms=AHEAD_MAX_MS + HOUR_MS),
    Prod("elsewhere", "diagnostics", (("refused", "elsewhere"),), to="other"),
    Prod("unknown", "no-such-command", (("refused", "unsupported"),)),
    Prod("bad_args", "replay", (("refused", "bad_args"),), {"from": "first", "to": None}),
    Prod("unsigned", "clip.cancel", (("refused", "unsigned"),), CANCEL),
    Prod("forged", "clip.cancel", (("refused", "bad_signature"), ("refused", "unknown_key")), CANCEL,
         sig=86 * "A" + "=="),
)
TWICE = Prod("twice", "rebirth", DONE)      # with the id of the first
REPLAY = Prod("replay", "replay", DONE)     # of a seq that was heard
ALL = {prod.what: prod for prod in (*PRODS, TWICE, REPLAY)}


def outgoing(prod: Prod, topics: wire.Topics, command_id: str, now_ms: int, correlation: bytes,
             args: dict[str, Any] | None = None) -> Outgoing:
    """The command, made at this moment (UTC ms). `args` are added to the try's own."""
    hint = {"utc_ms": now_ms} if prod.name == "time_hint" else {}
    order = wire.Command(
        id=command_id, iat=min(now_ms, now_ms + prod.ahead_ms), exp=now_ms + prod.ahead_ms, by="conformance",
        args={**prod.args, **hint, **(args or {})}, sig=prod.sig, dev=topics.dev if prod.sig else None,
        name=prod.name if prod.sig else None)
    whose = {"own": topics, "other": wire.Topics(topics.ward, NOBODY)}.get(prod.to)
    return Outgoing(f"{topics.root}/cmd/{prod.name}", msgspec.json.encode(plain(order)), retain=prod.retain,
                    expiry_s=RETAINED_S if prod.retain else LIVES_S, correlation=correlation,
                    response_topic=whose.response("ops", command_id) if whose else None)
