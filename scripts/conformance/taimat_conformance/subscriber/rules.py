"""Rules for the ward's subscriber: its state, its receipts and refusals, its `replay`. Pure."""
from collections.abc import Iterator
from functools import partial

from agent.core.contract import wire
from agent.core.contract.wire.commands import Replay, args
from agent.core.contract.wire.topics import ROOT
from taimat_conformance.channels import RECEIPT, WARD, Channel, carriage, on
from taimat_conformance.form import faults
from taimat_conformance.subscriber.says import SPOILED
from taimat_conformance.transcript import HeardMessage, Transcript
from taimat_conformance.verdict import ContractRule

ANSWER_S = 30.0                 # for a receipt, before a device repeats its event
PATIENCE_S, ASKED_S = 60.0, 30.0        # a gap is asked for after the first, and within the second
SLACK_S = 2.0
PLACE = "Your receipt"
BEHIND = "behind"               # the event behind the gap
HELD, GAP = "held", "gap"       # what fills it: the event held back, and a gap event about the others
FILLERS = (HELD, GAP)
TAKEN = ("past", "plain", BEHIND, *FILLERS)


def receipts(look: Transcript) -> list[tuple[HeardMessage, wire.Ack]]:
    """The receipts, in order; the newest of an earlier look may still lie at the broker."""
    return [each for each in look.read(look.topics.ack, wire.Ack) if not each[0].stored]


def _settled(look: Transcript, seq: int, since_s: float = 0.0) -> float | None:
    """The moment of the first receipt for this seq since `since_s`, or None."""
    return next((heard.at_s for heard, ack in receipts(look)
                 if heard.at_s >= since_s and (seq in ack.also or ack.upto >= seq)), None)


def replays(look: Transcript) -> Iterator[tuple[HeardMessage, wire.Command, Replay]]:
    """The `replay` commands."""
    for heard, command in look.read(f"{look.topics.root}/cmd/replay", wire.Command):
        try:
            yield heard, command, args(command, Replay)
        except wire.BadPayload:
            continue


def _gap(look: Transcript) -> range:
    """The seqs of the gap; empty before the event behind it."""
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
    """Receipts name only seqs that were sent before."""
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


def _asking(look: Transcript) -> Iterator[tuple[HeardMessage, set[int]]]:
    """Each `replay` for seqs of the gap, with these."""
    for heard, _, asked in replays(look):
        if wanted := {seq for seq in _gap(look) if asked.first <= seq <= asked.last}:
            yield heard, wanted


def _asked(patience_s: float, look: Transcript) -> Iterator[str]:
    for behind in look.tried(BEHIND):
        due_s = behind.at_s + patience_s + ASKED_S
        wanted = {seq for heard, asked in _asking(look) if heard.at_s <= due_s for seq in asked}
        if missing := sorted(set(_gap(look)) - wanted):
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
    filled = [said.at_s for said in look.tried(*FILLERS)]
    if {said.what for said in look.tried(*FILLERS)} == set(FILLERS) and look.length_s - max(filled) > patience_s:
        again = [heard.at_s - max(filled) for heard, _ in _asking(look) if heard.at_s > max(filled) + SLACK_S]
        yield f"asked again {again[0]:.0f} s after it was told" if again else ""


def rules(patience_s: float = PATIENCE_S) -> tuple[ContractRule, ...]:
    """All, in the order in which they are shown; a missing event may be `patience_s` late."""
    ward, own = f"{ROOT}/{{look.ward}}", "{look.topics.root}"
    return (
        ContractRule("state.there", "It says that it is at work, retained", PLACE, _online),
        ContractRule("state.form", "What it says of itself is as its schema says", PLACE, partial(_form, WARD, ward)),
        ContractRule("state.carriage", "It has its QoS, retain flag, expiry and content type", PLACE,
                     partial(_carriage, WARD, ward)),
        ContractRule("ack.form", "A receipt is as its schema says", PLACE, partial(_form, RECEIPT, own)),
        ContractRule("ack.carriage", "A receipt has its QoS, retain flag, expiry and content type", "Topics",
                     partial(_carriage, RECEIPT, own)),
        ContractRule("ack.honest", "A receipt names only what was sent", PLACE, _honest),
        ContractRule("ack.each", f"Each event gets a receipt within {ANSWER_S:.0f} s", PLACE,
                     partial(_receipted, TAKEN)),
        ContractRule("ack.repeated", "What is sent again gets a receipt again", "What is promised",
                     partial(_receipted, ("repeat",))),
        ContractRule("ack.later", "A kind and fields that nobody knows are taken",
                     "For a program behind the ward's broker", partial(_receipted, ("later",))),
        ContractRule("ack.burst", "So does each of many at once", PLACE, partial(_receipted, ("burst",))),
        *(ContractRule(f"reject.{word}", says, PLACE, partial(_rejected, word)) for word, says in SPOILED.items()),
        ContractRule("gap.asked", "What is missing is asked for with replay", "Commands", partial(_asked, patience_s)),
        ContractRule("gap.patient", f"It is not asked for within {patience_s:.0f} s: it may only be late", "Commands",
                     partial(_patient, patience_s)),
        ContractRule("gap.closed", "What has come, or a gap event has named, is not asked for again",
                     "What is promised", partial(_closed, patience_s)),
        ContractRule("cmd.form", "Its commands are as their schema says, expire, and are not retained", "Commands",
                     _orderly),
    )
