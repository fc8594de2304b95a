"""Rules about receipts, for a check that sends them itself. Pure."""
from collections.abc import Iterator
from functools import partial

from agent.core.contract import wire
from taimat_conformance.transcript import SaidMessage, Transcript, readable
from taimat_conformance.verdict import ContractRule

AGAIN_S = 30.0                  # a device repeats an event that has had no receipt for so long,
LATE = 1.5                      # and at the latest after so many times as long
SETTLES_S = 2.0                 # a copy may be on its way when the receipt goes out
RECEIPT, REFUSAL = "receipt", "reject"
PLACE = "Your receipt"


def _wanted(again_s: float, look: Transcript) -> Iterator[str]:
    """Events whose receipt came later than the device should repeat them."""
    for seq, receipt in _settled(look, RECEIPT):
        copies = [heard.at_s for heard, event in look.events if event.seq == seq and heard.at_s <= receipt.at_s]
        if copies and receipt.at_s - copies[0] > again_s * LATE:
            yield "" if len(copies) > 1 else f"seq {seq} came once in {receipt.at_s - copies[0]:.0f} s"


def _heeded(what: str, again_s: float, look: Transcript) -> Iterator[str]:
    asked = [said.at_s for said in look.tried("replay")]
    for seq, receipt in _settled(look, what):
        after = [heard.at_s for heard, event in look.events
                 if event.seq == seq and heard.at_s > receipt.at_s + SETTLES_S and not any(
                     receipt.at_s <= at_s <= heard.at_s for at_s in asked)]
        if look.length_s - receipt.at_s > again_s * LATE:
            yield f"seq {seq} came again {after[0] - receipt.at_s:.0f} s after it" if after else ""


def _settled(look: Transcript, what: str) -> Iterator[tuple[int, SaidMessage]]:
    for said in look.tried(what):
        ack = readable(said.payload, wire.Ack)
        for seq in (ack.also + [each.seq for each in ack.reject]) if ack else ():
            yield seq, said


def rules(again_s: float = AGAIN_S) -> tuple[ContractRule, ...]:
    """All; a device waits `again_s` for a receipt."""
    return (
        ContractRule("ack.wanted", f"What gets no receipt is sent again after {again_s:.0f} s", PLACE,
                     partial(_wanted, again_s)),
        ContractRule("ack.heeded", "What has its receipt is not sent again", PLACE, partial(_heeded, RECEIPT, again_s)),
        ContractRule("ack.rejected", "What was rejected is not sent again", PLACE, partial(_heeded, REFUSAL, again_s)),
    )
