"""Rules for `status` and `birth`. Pure."""
from collections.abc import Iterator
from itertools import pairwise

from agent.core.contract import wire
from agent.ward.presence import STATUS_LIVES_S
from taimat_conformance.channels import SLACK_S
from taimat_conformance.device.prods import ANSWER_S
from taimat_conformance.transcript import Transcript
from taimat_conformance.verdict import ContractRule

REFRESH_S = 600
PLACE = "Is a device there?"
SPOKEN = ("status", "birth", "health", "evt", "cmd")


def _there(look: Transcript) -> Iterator[str]:
    stored = [status for heard, status in look.statuses if heard.stored]
    if not stored:
        yield f"nothing is retained on {look.topics.status}: is the id right, and the device running?"
    else:
        yield "" if stored[-1].online else f"it says offline, {stored[-1].why or 'without a word why'}"


def _refreshed(look: Transcript) -> Iterator[str]:
    """A repeated status is seen by the next one, or is far younger than the birth, by the rest of its life."""
    said = [(heard.at_s - (STATUS_LIVES_S - heard.expiry_s), status) for heard, status in look.statuses
            if status.online and heard.expiry_s is not None]
    if said and _outlived(look, said[0][1]):
        yield ""
    for (before_s, was), (later_s, now) in pairwise(said):
        if was.conn == now.conn:
            late = later_s - before_s > REFRESH_S + SLACK_S
            yield f"said again after {later_s - before_s:.0f} s" if late else ""
    if said and (silent_s := look.length_s - said[-1][0]) > REFRESH_S + SLACK_S:
        yield f"said {silent_s:.0f} s ago, and not again"


def _outlived(look: Transcript, status: wire.Status) -> bool:
    """Whether its connection is older than a status that is not repeated can be."""
    return any(heard.stored and birth.conn == status.conn and birth.ts is not None and status.ts is not None
               and status.ts - birth.ts >= REFRESH_S * 1000 for heard, birth in look.births)


def _conn(look: Transcript) -> Iterator[str]:
    online = [status for _, status in look.statuses if status.online]
    for was, now in pairwise(online):
        if was.boot == now.boot:
            yield "" if now.conn >= was.conn else f"conn {now.conn} after {was.conn}"


def _born(look: Transcript) -> Iterator[str]:
    stored = any(heard.stored for heard, _ in look.births)
    yield "" if stored else f"nothing is retained on {look.topics.birth}"


def _same(look: Transcript) -> Iterator[str]:
    """Each birth has the conn and boot of the status of its connection."""
    for heard, birth in look.births:
        near = [status for other, status in look.statuses if status.online and other.at_s <= heard.at_s + ANSWER_S]
        if near:
            known = (near[-1].boot, near[-1].conn)
            wrong = (birth.boot, birth.conn) != known
            yield f"boot {birth.boot}, conn {birth.conn}; status: boot {known[0]}, conn {known[1]}" if wrong else ""


def _speaks(look: Transcript) -> Iterator[str]:
    for _, birth in look.births:
        missing = [each for each in SPOKEN if each not in birth.schemas]
        yield f"schemas: without {', '.join(missing)}" if missing else ""


def _again(look: Transcript) -> Iterator[str]:
    for asked in look.tried("rebirth"):
        answer = look.answer(asked)
        if answer is None or answer[1].st != "done":
            continue
        before = [birth.conn for heard, birth in look.births if heard.at_s < asked.at_s]
        after = [birth for heard, birth in look.births if asked.at_s <= heard.at_s <= answer[0].at_s + ANSWER_S]
        if after:
            anew = bool(before) and after[0].conn != before[-1]
            yield f"conn {after[0].conn} after {before[-1]}: it has connected anew" if anew else ""
        elif look.length_s - answer[0].at_s >= ANSWER_S:
            yield f"no birth within {ANSWER_S:.0f} s of the answer"


RULES = (
    ContractRule("status.there", "Its status is retained, and says that it is online", PLACE, _there),
    ContractRule("status.refreshed", "\"Online\" is said again each 10 minutes", PLACE, _refreshed),
    ContractRule("status.conn", "conn never falls within a boot", PLACE, _conn),
    ContractRule("birth.there", "Its birth is retained", "Topics", _born),
    ContractRule("birth.conn", "Its birth has the boot and conn of its status", PLACE, _same),
    ContractRule("birth.schemas", "Its birth lists the forms that it speaks", "Topics", _speaks),
    ContractRule("birth.again", "After rebirth comes a birth on the same connection", "Commands", _again),
)
