"""Looks without a fault, message by message, and ways to spoil them: for rules, which judge nothing else."""
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

from agent.core.contract import wire
from agent.host.clock import Instant
from taimat_conformance.channels import CLOUD_EVENT, JSON
from taimat_conformance.device import prods, receipts
from taimat_conformance.subscriber.rules import BEHIND, GAP, HELD
from taimat_conformance.subscriber.says import SPOILED, Speaker, later, spoiled
from taimat_conformance.transcript import HeardMessage, SaidMessage, Transcript

WARD, DEV, BOOT = "w07", "c-7f3a9c21b04d", "0b007001"
TOPICS = wire.Topics(WARD, DEV)
BEGAN_MS = 1_795_000_000_000
UP_S = 5000                     # since the device's boot, when the look begins
LENGTH_S = 200.0
WEEK_S = 604_800

Change = Callable[[dict[str, Any]], dict[str, Any]]


def instant(at_s: float) -> Instant:
    """That moment of the look, on the device."""
    return Instant(BOOT, round((UP_S + at_s) * 1000), BEGAN_MS + round(at_s * 1000), "ntp")


def heard(at_s: float, tail: str, payload: dict[str, Any], **more: Any) -> HeardMessage:
    """A message as it should be carried."""
    kind = tail.split("/")[0]
    carried: dict[str, Any] = {
        "status": {"retain": True, "expiry_s": 1200}, "birth": {"retain": True}, "cfg": {"retain": True},
        "health": {"retain": True, "qos": 0, "expiry_s": 90}, "evt": {"content_type": CLOUD_EVENT},
        "rsp": {"expiry_s": WEEK_S}, "ack": {"retain": True}, "cmd": {"expiry_s": 300}}[kind]
    return HeardMessage(at_s, f"{TOPICS.root}/{tail}", json.dumps(payload).encode(),
                        **{"content_type": JSON, **carried, **more})


class DeviceLook:
    """A look at a device that does everything that there is a rule for."""

    def __init__(self) -> None:
        self._heard: list[HeardMessage] = []
        self._said: list[SaidMessage] = []
        self._seq = 100

    def whole(self) -> Transcript:
        """The look."""
        self._tell_of_itself()
        self._obey()
        self._heed_receipts()
        return Transcript(WARD, DEV, tuple(sorted(self._heard, key=lambda each: each.at_s)),
                          tuple(sorted(self._said, key=lambda each: each.at_s)), LENGTH_S, BEGAN_MS)

    def event(self, at_s: float, kind: str, **data: Any) -> int:
        """Something happens, and is told at once; returns its seq."""
        self._seq += 1
        entry = wire.Entry(self._seq, kind, None, BOOT, instant(at_s).mono_ms, instant(at_s).wall_ms, "ntp",
                           json.dumps(data))
        self._heard.append(heard(at_s + 0.02, "evt", json.loads(wire.cloud_event(WARD, DEV, entry, hist=False))))
        return self._seq

    def again(self, at_s: float, seq: int) -> None:
        """That event is sent once more."""
        self._heard.append(replace(next(copies(self._heard, seq)), at_s=at_s))

    def _dated(self, at_s: float, **more: Any) -> dict[str, Any]:
        now = instant(at_s)
        return {"v": 1, "boot": BOOT, "clock": "ntp", "ts": now.wall_ms, **more}

    def _birth(self, at_s: float, **more: Any) -> None:
        self._heard.append(heard(max(at_s, 0.1), "birth", self._dated(
            at_s, mono_ms=instant(at_s).mono_ms, conn=7, agent="1.2", caps=[], cams=[],
            schemas=dict.fromkeys(("status", "birth", "health", "evt", "cmd"), 1)), **more))

    def _health(self, at_s: float, seq: int, **more: Any) -> None:
        self._heard.append(heard(max(at_s, 0.1), "health", self._dated(
            at_s, mono_ms=instant(at_s).mono_ms, seq=seq, int_s=30, cpu_pct=12.5, rssi_dbm=-61, outbox_n=0), **more))

    def _tell_of_itself(self) -> None:
        self._heard.append(heard(0.1, "status", self._dated(-300, online=True, conn=7), stored=True, expiry_s=900))
        self._heard.append(heard(100.0, "status", self._dated(100, online=True, conn=7)))
        self._heard.append(heard(0.1, "cfg/reported", {"v": 1, "ver": 3, "cfg": {}}, stored=True))
        self._birth(-2000.0, stored=True)
        self._health(-10.0, 40, stored=True, expiry_s=80)
        for number in range(6):
            self._health(20.0 + 30 * number, 41 + number)
        self.event(1.2, "motion", event=1, phase="start", start_ms=5)
        self.event(1.3, "motion", event=1, phase="end", start_ms=5)

    def _obey(self) -> None:
        ids: dict[str, str] = {}
        for number, prod in enumerate((*prods.PRODS, prods.TWICE, prods.REPLAY)):
            at_s = 2.0 + number / 2
            ids[prod.what] = ids["rebirth"] if prod is prods.TWICE else f"01KAV0Z6V6M3W2Q8T1B7N5D4{number:02d}"
            args = {"from": self._seq, "to": self._seq} if prod is prods.REPLAY else None
            order = prods.outgoing(prod, TOPICS, ids[prod.what], instant(at_s).wall_ms, bytes([number]), args)
            self._said.append(SaidMessage(at_s, prod.what, order.topic, order.payload, order.correlation))
            if prod is prods.REPLAY:
                self.again(at_s + 0.3, self._seq)
            self._answer(at_s, prod, ids[prod.what], bytes([number]))

    def _answer(self, at_s: float, prod: prods.Prod, command_id: str, correlation: bytes) -> None:
        state, code = prod.due[0]
        coded = {"code": code} if code else {}
        data = {"time_hint": {"boot": BOOT, "mono_ms": 5, "clock": "ntp"},
                "diagnostics": {"versions": {"agent": "1.2"}, "link": {}},
                "replay": {"again_n": 1, "missing_n": 0, "upto": self._seq}}.get(prod.name) if state == "done" else None
        when = instant(2.5 if prod.name == "rebirth" else at_s).wall_ms
        self._heard.append(heard(at_s + 0.1, f"rsp/ops/{command_id}", {
            "v": 1, "id": command_id, "st": state, "ts": when, **coded, **({"data": data} if data else {})},
                                 correlation=correlation))
        if prod is not prods.TWICE:
            self.event(at_s + 0.1, "command", id=command_id, name=prod.name, st=state, **coded)
        if prod.what == "rebirth":
            self._birth(at_s + 0.2)

    def _heed_receipts(self) -> None:
        waits, refused, taken = (self.event(12.0 + number, "security", code="test") for number in range(3))
        self.again(43.0, waits)
        for at_s, what, ack in (
                (13.5, receipts.REFUSAL, wire.Ack(upto=0, reject=[wire.Rejected(seq=refused, code="test")])),
                (14.5, receipts.RECEIPT, wire.Ack(upto=0, also=[taken])),
                (60.0, receipts.RECEIPT, wire.Ack(upto=0, also=[waits]))):
            self._said.append(SaidMessage(at_s, what, TOPICS.ack, wire.encode(ack)))


def subscriber_look(patience_s: float = 60.0) -> Transcript:
    """A look at a ward's subscriber that does everything that there is a rule for."""
    speaker, said, acks = Speaker(TOPICS), list[SaidMessage](), list[HeardMessage]()

    def tell(at_s: float, what: str, event: dict[str, Any] | bytes, seq: int, refused: bool = False) -> None:
        said.append(SaidMessage(at_s, what, TOPICS.evt, speaker.wrap(event).payload))
        named = {"also": [], "reject": [{"seq": seq, "code": "schema"}]} if refused else {"also": [seq], "reject": []}
        acks.append(heard(at_s + 0.3, "ack", {"v": 1, "upto": 0, **named}))

    def event(at_s: float, seq: int) -> dict[str, Any]:
        return speaker.event(instant(at_s), seq)

    asked_s = 6.0 + patience_s + 2
    tell(2.0, "past", speaker.gap(instant(2.0), 100, 1, 99), 100)
    tell(2.5, "plain", event(2.5, 101), 101)
    tell(3.0, "later", later(event(3.0, 102)), 102)
    tell(4.0, "repeat", event(2.5, 101), 101)
    for number, word in enumerate(SPOILED):
        tell(5.0, word, spoiled(word, event(5.0, 103 + number)), 103 + number, refused=True)
    tell(5.5, "plain", event(5.5, 109), 109)
    tell(6.0, BEHIND, event(6.0, 112), 112)             # 110 and 111 are left out
    for seq in range(113, 123):
        tell(7.0, "burst", event(7.0, seq), seq)
    tell(asked_s + 0.1, HELD, event(6.0, 110), 110)
    tell(asked_s + 0.2, GAP, speaker.gap(instant(asked_s), 123, 111, 111), 123)
    replay = heard(asked_s, "cmd/replay", {
        "v": 1, "id": "01KAV0Z6V6M3W2Q8T1B7N5D4XE", "iat": BEGAN_MS, "exp": BEGAN_MS + 300_000,
        "args": {"from": 110, "to": 111}})
    state = replace(heard(0.1, "status", {"v": 1, "online": True}, stored=True, expiry_s=250), topic=TOPICS.ward_state)
    return Transcript(WARD, DEV, (state, *sorted((*acks, replay), key=lambda each: each.at_s)), tuple(said),
                      asked_s + patience_s + 10)


def edited(look: Transcript, tail: str, change: Change,
           only: Callable[[HeardMessage], bool] = lambda _: True) -> Transcript:
    """The look with other payloads on a topic that begins so."""
    def new(each: HeardMessage) -> HeardMessage:
        hit = each.topic.startswith(f"{TOPICS.root}/{tail}") and only(each)
        return replace(each, payload=json.dumps(change(json.loads(each.payload))).encode()) if hit else each
    return replace(look, heard=tuple(map(new, look.heard)))


def carried(look: Transcript, tail: str, only: Callable[[HeardMessage], bool] = lambda _: True,
            **how: Any) -> Transcript:
    """The look with messages on a topic that begins so carried, or come, differently."""
    return replace(look, heard=tuple(
        replace(each, **how) if each.topic.startswith(f"{TOPICS.root}/{tail}") and only(each) else each
        for each in look.heard))


def without(look: Transcript, gone: Callable[[HeardMessage], bool]) -> Transcript:
    """The look without some of what was heard."""
    return replace(look, heard=tuple(each for each in look.heard if not gone(each)))


def plus(look: Transcript, *more: HeardMessage) -> Transcript:
    """The look with more heard."""
    return replace(look, heard=tuple(sorted((*look.heard, *more), key=lambda each: each.at_s)))


def id_of(look: Transcript, what: str) -> str:
    """Of the command that was given to try this."""
    return next(look.tried(what)).command_id


def copies(all_heard: Iterable[HeardMessage], seq: int) -> Iterator[HeardMessage]:
    """Of an event."""
    return (each for each in all_heard if each.topic == TOPICS.evt and f'"seq": {seq},'.encode() in each.payload)
