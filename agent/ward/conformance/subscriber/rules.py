"""Rules for the ward's subscriber: its state, its receipts, its refusals, what it asks for again. Pure."""
from collections.abc import Iterator
from functools import partial

from agent.core.contract import wire
from agent.core.contract.wire.commands import Replay, args
from agent.core.contract.wire.topics import ROOT
from agent.ward.conformance.channels import RECEIPT, WARD, Channel, carriage, on
from agent.ward.conformance.form import faults
from agent.ward.conformance.subscriber.says import SPOILED
from agent.ward.conformance.transcript import Heard, Transcript
from agent.ward.conformance.verdict import Rule

ANSWER_S = 30.0                 # for a receipt, before a device sends again
PATIENCE_S, ASKED_S = 60.0, 30.0        # what is missing is asked for after the one, and within the other
SLACK_S = 2.0
PLACE = "Your receipt"
BEHIND = "behind"               # the event behind the hole
HELD, GAP = "held", "gap"       # what fills it: the event that was held back, and the word that others won't come
HOLE = (HELD, GAP)
TAKEN = ("past", "plain", BEHIND, *HOLE)


def receipts(look: Transcript) -> list[tuple[Heard, wire.Ack]]:
    """In order."""
    return look.read(look.topics.ack, wire.Ack)


def _settled(look: Transcript, seq: int, since_s: float = 0.0) -> float | None:
    """When a receipt first named this seq since then, or None."""
    return next((heard.at_s for heard, ack in receipts(look)
                 if heard.at_s >= since_s and (seq in ack.also or ack.upto >= seq)), None)


def replays(look: Transcript) -> Iterator[tuple[Heard, wire.Command, Replay]]:
    """What was asked for again."""
    for heard, command in look.read(f"{look.topics.root}/cmd/replay", wire.Command):
        try:
            yield heard, command, args(command, Replay)
        except wire.BadPayload:
            continue


def _hole(look: Transcript) -> range:
    """The seqs that were left out; empty without what comes behind them."""
    behind = next(look.tried(BEHIND), None)
    before = [said.seq for said in look.said if behind and said.at_s <= behind.at_s and 0 < said.seq < behind.seq]
    return range(max(before) + 1, behind.seq) if behind and before else range(0)


def _online(look: Transcript) -> Iterator[str]:
    stored = [state for heard, state in look.read(look.topics.ward_state, wire.WardState) if heard.stored]
    if not stored:
        yield f"nothing is retained on {look.topics.ward_state}: does it run?"
    else:
        yield "" if stored[-1].online else "it says that it is not at work"


def _form(channel: Channel, root: str, look: Transcript) -> Iterator[str]:
    for each in on(channel, look.heard, root.format(look=look)):
        yield "; ".join(faults(each.payload, channel.kind))


def _carriage(channel: Channel, root: str, look: Transcript) -> Iterator[str]:
    for each in on(channel, look.heard, root.format(look=look)):
        yield "; ".join(carriage(channel, each))


def _honest(look: Transcript) -> Iterator[str]:
    """It names nothing that it was not sent before."""
    first = min((said.seq for said in look.said if said.seq), default=0)
    for heard, ack in receipts(look):
        sent = {said.seq for said in look.said if said.at_s <= heard.at_s}
        named = {*ack.also, *(each.seq for each in ack.reject)}
        unsent = [seq for seq in named if seq not in sent] + [
            seq for seq in range(first, min(ack.upto, max(sent) + 1) + 1) if seq not in sent]
        yield f"seq {unsent[0]} was never sent" if unsent else ""


def _receipted(whats: tuple[str, ...], look: Transcript) -> Iterator[str]:
    for said in look.tried(*whats):
        came_s = _settled(look, said.seq, since_s=said.at_s)
        if came_s is None and look.length_s - said.at_s < ANSWER_S:
            continue
        late = came_s is None or came_s - said.at_s > ANSWER_S
        yield f"no receipt for seq {said.seq} within {ANSWER_S:.0f} s" if late else ""


def _rejected(word: str, look: Transcript) -> Iterator[str]:
    for said in look.tried(word):
        taken = any(said.seq in ack.also for _, ack in receipts(look))
        refused = any(each.seq == said.seq and heard.at_s - said.at_s <= ANSWER_S
                      for heard, ack in receipts(look) for each in ack.reject)
        if taken:
            yield "it got a receipt"
        elif refused or look.length_s - said.at_s >= ANSWER_S:
            yield "" if refused else f"no reject within {ANSWER_S:.0f} s"


def _asking(look: Transcript) -> Iterator[tuple[Heard, set[int]]]:
    """Each that asks for something of the hole, and for what of it."""
    for heard, _, asked in replays(look):
        if wanted := {seq for seq in _hole(look) if asked.first <= seq <= asked.last}:
            yield heard, wanted


def _asked(patience_s: float, look: Transcript) -> Iterator[str]:
    for behind in look.tried(BEHIND):
        due_s = behind.at_s + patience_s + ASKED_S
        wanted = {seq for heard, asked in _asking(look) if heard.at_s <= due_s for seq in asked}
        if missing := sorted(set(_hole(look)) - wanted):
            yield f"seq {missing[0]} was not asked for within {patience_s + ASKED_S:.0f} s"
        else:
            yield ""


def _patient(patience_s: float, look: Transcript) -> Iterator[str]:
    for behind in look.tried(BEHIND):
        for heard, _ in _asking(look):
            after_s = heard.at_s - behind.at_s
            yield f"asked after {after_s:.0f} s" if after_s < patience_s - SLACK_S else ""


def _orderly(look: Transcript) -> Iterator[str]:
    for heard in look.heard:
        if heard.topic.startswith(f"{look.topics.root}/cmd/"):
            wrong = faults(heard.payload, wire.Command)
            wrong += ["retained"] if heard.retain else []
            wrong += ["does not expire at the broker"] if heard.expiry_s is None else []
            yield "; ".join(wrong)


def _closed(patience_s: float, look: Transcript) -> Iterator[str]:
    filled = [said.at_s for said in look.tried(*HOLE)]
    if {said.what for said in look.tried(*HOLE)} == set(HOLE) and look.length_s - max(filled) > patience_s:
        again = [heard.at_s - max(filled) for heard, _ in _asking(look) if heard.at_s > max(filled) + SLACK_S]
        yield f"asked again {again[0]:.0f} s after it was told" if again else ""


def rules(patience_s: float = PATIENCE_S) -> tuple[Rule, ...]:
    """All, in the order in which they are shown; `patience_s` is how long what is missing may be late."""
    ward, own = f"{ROOT}/{{look.ward}}", "{look.topics.root}"
    return (
        Rule("state.there", "It says that it is at work, retained", PLACE, _online),
        Rule("state.form", "What it says of itself is as its schema says", PLACE, partial(_form, WARD, ward)),
        Rule("state.carriage", "It has its QoS, retain flag, expiry and content type", PLACE,
             partial(_carriage, WARD, ward)),
        Rule("ack.form", "A receipt is as its schema says", PLACE, partial(_form, RECEIPT, own)),
        Rule("ack.carriage", "A receipt has its QoS, retain flag, expiry and content type", "Topics",
             partial(_carriage, RECEIPT, own)),
        Rule("ack.honest", "A receipt names only what was sent", PLACE, _honest),
        Rule("ack.each", f"Each event gets a receipt within {ANSWER_S:.0f} s", PLACE, partial(_receipted, TAKEN)),
        Rule("ack.repeated", "What is sent again gets a receipt again", "What is promised",
             partial(_receipted, ("repeat",))),
        Rule("ack.later", "A kind and fields that nobody knows are taken", "For a program behind the ward's broker",
             partial(_receipted, ("later",))),
        Rule("ack.burst", "So does each of many at once", PLACE, partial(_receipted, ("burst",))),
        *(Rule(f"reject.{word}", says, PLACE, partial(_rejected, word)) for word, says in SPOILED.items()),
        Rule("gap.asked", "What is missing is asked for with replay", "Commands", partial(_asked, patience_s)),
        Rule("gap.patient", f"It is not asked for within {patience_s:.0f} s: it may only be late", "Commands",
             partial(_patient, patience_s)),
        Rule("gap.closed", "What has come, or a gap event has named, is not asked for again", "What is promised",
             partial(_closed, patience_s)),
        Rule("cmd.form", "Its commands are as their schema says, expire, and are not retained", "Commands", _orderly),
    )
