"""Rules for every message of a device: its form, QoS and flags, size and topic. Pure."""
import re
from collections.abc import Iterator
from functools import partial

from agent.core.contract.wire.topics import ROOT
from agent.ward import ward_side
from taimat_conformance.channels import FROM_DEVICE, TO_DEVICE, Channel, carriage, on
from taimat_conformance.form import bounds, faults
from taimat_conformance.transcript import Transcript
from taimat_conformance.verdict import ContractRule

PLACES = {"status": "Is a device there?", "birth": "Topics", "health": "Health", "evt": "Events",
          "response": "Commands", "cfg-reported": "Topics"}


def _form(channel: Channel, look: Transcript) -> Iterator[str]:
    for each in on(channel, look.heard, look.topics.root):
        taken = ward_side.KINDS.get(channel.name)
        wrong = faults(each.payload, channel.kind) or (bounds(each.payload, taken) if taken else [])
        yield "; ".join(wrong)


def _carriage(channel: Channel, look: Transcript) -> Iterator[str]:
    for each in on(channel, look.heard, look.topics.root):
        yield "; ".join(carriage(channel, each))


def _size(look: Transcript) -> Iterator[str]:
    for each in look.heard:
        if _own(each.topic, look):
            long = len(each.payload) > ward_side.LARGEST_B
            yield f"{each.topic}: {len(each.payload)} bytes" if long else ""


def _own(topic: str, look: Transcript) -> bool:
    tail = topic.removeprefix(f"{look.topics.root}/")
    return tail != topic and not re.fullmatch(TO_DEVICE, tail)


def _topics(look: Transcript) -> Iterator[str]:
    """Its own topics have no other messages, and no other topic has its messages."""
    own_name = f'"{look.dev}/'.encode(), f'"/cam/{look.ward}/{look.dev}'.encode()
    lured = {f"/rsp/ops/{each.command_id}" for each in look.tried("elsewhere")}
    for each in look.heard:
        if _own(each.topic, look):
            known = any(channel.holds(each.topic, look.topics.root) for channel in FROM_DEVICE)
            yield "" if known else f"{each.topic}: no topic of the contract"
        elif not each.topic.startswith(f"{look.topics.root}/") and (
                any(name in each.payload for name in own_name) or any(each.topic.endswith(tail) for tail in lured)):
            yield f"{each.topic}: not its own"


RULES = (
    *(ContractRule(f"{each.name}.form", f"What comes on {each.name} is as its schema says", PLACES[each.name],
                   partial(_form, each)) for each in FROM_DEVICE),
    *(ContractRule(f"{each.name}.carriage",
                   f"What comes on {each.name} has its QoS, retain flag, expiry and content type",
                   "Topics", partial(_carriage, each)) for each in FROM_DEVICE),
    ContractRule("size", f"No message is larger than {ward_side.LARGEST_B // 1024} KiB", "Topics", _size),
    ContractRule("topics", f"It tells only what is its own, below {ROOT}/(ward)/(dev)", "Topics", _topics),
)
