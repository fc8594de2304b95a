"""Rules for `evt`: the envelope, the order, repetitions, lateness. Pure."""
from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise

import msgspec

from agent.ward import ward_side
from taimat_conformance.transcript import HeardMessage, Transcript, table
from taimat_conformance.verdict import ContractRule

LATE_S = 60.0                   # an event is history from then on
SLACK_S = 5.0
PLACE, PROMISED = "Events", "What is promised"


def _envelope(look: Transcript) -> Iterator[str]:
    source = f"/cam/{look.ward}/{look.dev}"
    for _, event in look.events:
        due = {"id": (event.id, f"{look.dev}/{event.seq}"), "type": (event.type, f"cam.{event.data.kind}.v1")}
        wrong = [f"{name} {said}, not {right}" for name, (said, right) in due.items() if said != right]
        if event.source != source and not event.source.startswith(f"{source}/"):
            wrong.append(f"source {event.source}, not {source} or a camera of it")
        yield "; ".join(wrong)


def _dated(look: Transcript) -> Iterator[str]:
    for _, event in look.events:
        if event.clock == "unset":
            yield "time, though its clock is unset" if event.time else ""
        else:
            yield "" if event.time else f"no time, though its clock is {event.clock}"


def _zero_s(look: Transcript) -> dict[str, float]:
    """By boot, the moment of mono_ms 0 in seconds since the check began: the fastest message is the most exact."""
    found: dict[str, float] = defaultdict(lambda: float("inf"))
    dated = [(heard, report.boot, report.mono_ms) for heard, report in look.reports]
    dated += [(heard, birth.boot, birth.mono_ms) for heard, birth in look.births]
    for heard, boot, mono_ms in dated:
        if not heard.stored:
            found[boot] = min(found[boot], heard.at_s - mono_ms / 1000)
    for heard, event in look.events:
        if event.boot in found:
            found[event.boot] = min(found[event.boot], heard.at_s - event.data.mono_ms / 1000)
    return dict(found)


def _fresh(look: Transcript) -> list[tuple[HeardMessage, ward_side.Event]]:
    """The first copy of each event from the time of the check."""
    zero, seen, found = _zero_s(look), set[int](), []
    for heard, event in look.events:
        if event.boot in zero and zero[event.boot] + event.data.mono_ms / 1000 > 0 and event.seq not in seen:
            found.append((heard, event))
        seen.add(event.seq)
    return found


def _order(look: Transcript) -> Iterator[str]:
    for (_, was), (_, now) in pairwise(_fresh(look)):
        yield "" if now.seq > was.seq else f"seq {now.seq} came first after {was.seq}"


def _gapless(look: Transcript) -> Iterator[str]:
    there = {event.seq for _, event in look.events} | set(_named(look))
    for was, now in pairwise(sorted(event.seq for _, event in _fresh(look))):
        few = now - was < ward_side.LARGEST_B
        missing = [seq for seq in range(was + 1, now) if seq not in there] if few else [was + 1]
        yield f"seq {missing[0]} is missing before {now}" if missing else ""


def _named(look: Transcript) -> Iterator[int]:
    """Seqs that the device says will not come."""
    for heard, event in look.events:
        for first, last in event.data.missing:
            yield from range(first, min(last + 1, first + ward_side.LARGEST_B))
        seq = table(heard.payload)["data"].get("seq")
        if event.data.kind == "security" and isinstance(seq, int):
            yield seq


def _repeated(look: Transcript) -> Iterator[str]:
    """A repetition differs in `hist` at most."""
    first: dict[int, bytes] = {}
    for heard, event in look.events:
        alike = _timeless(heard)
        if event.seq in first:
            yield "" if alike == first[event.seq] else f"seq {event.seq} was another message before"
        first.setdefault(event.seq, alike)


def _timeless(heard: HeardMessage) -> bytes:
    event = table(heard.payload)
    event["data"].pop("hist", None)
    return msgspec.json.encode(event, order="deterministic")


def _late(look: Transcript) -> Iterator[str]:
    zero, now_boot = _zero_s(look), look.births[-1][1].boot if look.births else None
    for heard, event in look.events:
        if event.boot in zero:
            age_s = heard.at_s - zero[event.boot] - event.data.mono_ms / 1000
            if abs(age_s - LATE_S) > SLACK_S:
                right = event.data.hist == (age_s > LATE_S)
                yield "" if right else f"seq {event.seq}: hist is {event.data.hist} after {age_s:.0f} s"
        elif now_boot and event.boot != now_boot:
            yield "" if event.data.hist else f"seq {event.seq} is of another boot, and no hist"


RULES = (
    ContractRule("evt.envelope", "id is dev/seq, source and type name device and kind", PLACE, _envelope),
    ContractRule("evt.time", "time is there, unless the clock is unset", PROMISED, _dated),
    ContractRule("evt.order", "New events come in the order of seq", PROMISED, _order),
    ContractRule("evt.gapless", "No seq is missing, unless a gap event names it", PROMISED, _gapless),
    ContractRule("evt.repeated", "The same seq is the same message", PROMISED, _repeated),
    ContractRule("evt.hist", "What is sent more than a minute late says hist", PROMISED, _late),
)
