"""Rules for answers to commands. Pure."""
from collections.abc import Iterator
from functools import partial
from itertools import pairwise

import msgspec

from agent.core.contract import wire
from agent.core.contract.wire.commands import COMMANDS
from taimat_conformance.device.prods import ALL, ANSWER_S, Prod
from taimat_conformance.transcript import HeardMessage, SaidMessage, Transcript, table
from taimat_conformance.verdict import ContractRule

PLACE = "Commands"
Pair = tuple[SaidMessage, HeardMessage, wire.Response]


def _answered(look: Transcript) -> Iterator[str]:
    for said in _commands(look):
        answer = look.answer(said)
        if answer or look.length_s - said.at_s >= ANSWER_S:
            late = answer is None or answer[0].at_s - said.at_s > ANSWER_S
            yield f"{said.what}: no final answer within {ANSWER_S:.0f} s" if late else ""


def _commands(look: Transcript) -> Iterator[SaidMessage]:
    return look.tried(*ALL)


def _pairs(look: Transcript, *whats: str) -> Iterator[Pair]:
    """Commands with their final answers, without those that a device with an unset clock could not judge."""
    for said in look.tried(*(whats or ALL)):
        answer = look.answer(said)
        if answer and answer[1].code != "clock_unset":
            yield said, *answer


def _judged(prod: Prod, look: Transcript) -> Iterator[str]:
    for _, _, answer in _pairs(look, prod.what):
        right = (answer.st, answer.code) in prod.due
        due = " or ".join(_words(*each) for each in prod.due)
        yield "" if right else f"{prod.name} got {_words(answer.st, answer.code)}, not {due}"


def _words(state: str, code: str | None) -> str:
    return f"{state}, {code}" if code else state


def _data(look: Transcript) -> Iterator[str]:
    for said, _, answer in _pairs(look):
        rule = COMMANDS.get(said.name)
        if answer.st == "done" and rule and rule.answer:
            try:
                msgspec.convert(answer.data, rule.answer)
            except msgspec.ValidationError as error:
                yield f"{said.name}: {error}"
            else:
                yield ""


def _correlated(look: Transcript) -> Iterator[str]:
    for said, heard, _ in _pairs(look):
        wrong = heard.correlation != said.correlation
        yield f"{said.what}: {heard.correlation!r} came back for {said.correlation!r}" if wrong else ""


def _once(look: Transcript) -> Iterator[str]:
    """The second answer equals the first, and nothing is done again: no birth that tells nothing new."""
    for said, heard, _ in _pairs(look, "twice"):
        first = next(((before, answer) for before, answer, _ in _pairs(look, "rebirth")), None)
        if first is None:
            continue
        again = [now for (_, was), (other, now) in pairwise(look.births)
                 if said.at_s <= other.at_s <= heard.at_s + ANSWER_S and (was.conn, was.cams) == (now.conn, now.cams)]
        same = table(first[1].payload) == table(heard.payload)
        yield "" if same else "the same id got another answer"
        yield f"{len(again)} births after the same id" if again else ""


def _told(look: Transcript) -> Iterator[str]:
    events = {data["id"]: data for heard, event in look.events if event.data.kind == "command"
              for data in [table(heard.payload)["data"]] if isinstance(data.get("id"), str)}
    for said, heard, answer in _pairs(look):
        told = events.get(said.command_id)
        if told:
            right = (told.get("name"), told.get("st"), told.get("code")) == (said.name, answer.st, answer.code)
            yield "" if right else f"{said.what}: told as {told.get('name')}, {told.get('st')}, {told.get('code')}"
        elif look.length_s - heard.at_s > ANSWER_S:
            yield f"{said.what}: no event tells of it"


def _replayed(look: Transcript) -> Iterator[str]:
    for said, heard, answer in _pairs(look, "replay"):
        if answer.st != "done":
            continue
        seq = table(said.payload)["args"]["from"]
        came = any(event.seq == seq or any(first <= seq <= last for first, last in event.data.missing)
                   for other, event in look.events if other.at_s >= said.at_s)
        if came or look.length_s - heard.at_s >= ANSWER_S:
            yield "" if came else f"seq {seq} neither came again, nor was it named by a gap event"


JUDGED = {
    "time_hint": "It tells its clocks", "rebirth": "It takes rebirth", "diagnostics": "It tells its diagnostics",
    "replay": "It takes replay",
    "retained": "A retained command is refused", "expired": "One that has expired is not carried out",
    "too_far": "One that expires in more than 30 days is refused",
    "elsewhere": "A Response Topic that is not below its own rsp/ is refused",
    "unknown": "A name that it does not know is refused", "bad_args": "Wrong args are refused",
    "unsigned": "A grave one without a signature is refused", "forged": "One with a wrong signature is refused",
}
RULES = (
    ContractRule("cmd.answered", f"Each command is answered, within {ANSWER_S:.0f} s", PLACE, _answered),
    *(ContractRule(f"cmd.{what}", says, PLACE, partial(_judged, ALL[what])) for what, says in JUDGED.items()),
    ContractRule("cmd.data", "What an answer tells is what its command asks for", PLACE, _data),
    ContractRule("cmd.correlation", "The Correlation Data comes back", PLACE, _correlated),
    ContractRule("cmd.once", "The same id gets the same answer, and nothing is done again", PLACE, _once),
    ContractRule("cmd.told", "Each command and how it ended is also an event", PLACE, _told),
    ContractRule("cmd.replayed", "What is asked for comes again, or is named by a gap event", PLACE, _replayed),
)
