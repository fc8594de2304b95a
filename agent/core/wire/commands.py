"""What each command is, needs and takes: the contract's table of commands. Pure."""
from typing import Annotated, Literal, NamedTuple, TypeVar

import msgspec
from msgspec import Meta, Struct

from agent.core.wire.answers import Clocks, Diagnostics, Pauses, Replayed, Restarted
from agent.core.wire.inbound import BadPayload, Command, Seq, UtcMs

AHEAD_MAX_MS = 30 * 86_400_000      # `exp` lies no further ahead: so long its answer is kept, against a second run


class Nothing(Struct, frozen=True):
    """The args of a command that takes none."""


class Replay(Struct, frozen=True, rename={"first": "from", "last": "to"}):
    """`replay`: offer these seqs again, both included."""

    first: Seq                          # the first of them
    last: Seq                           # the last of them


class TimeHint(Struct, frozen=True):
    """`time_hint`: what time the ward believes it is."""

    utc_ms: UtcMs


class Restart(Struct, frozen=True):
    """`restart`: start the processes of this role anew."""

    role: Literal["capture", "keeper", "link", "web"]   # whose processes


class Snapshot(Struct, frozen=True):
    """`snapshot`: one picture of this camera, now."""

    cam: Annotated[str, Meta(max_length=64)]


class Rule(NamedTuple):
    """What a command needs before it is carried out."""

    args: type[Struct] = Nothing
    answer: type[Struct] | None = None      # what its answer's data is, if it has any
    signed: bool = False            # by the ward's command key: a stolen broker can't give such an order
    without_clock: bool = False     # obeyed while the device can't tell whether it has expired
    to_all: bool = False            # may come on the topic of the whole ward


COMMANDS = {
    "rebirth": Rule(without_clock=True, to_all=True),
    "time_hint": Rule(TimeHint, Clocks, without_clock=True, to_all=True),
    "replay": Rule(Replay, Replayed),
    "pause.state": Rule(answer=Pauses),
    "diagnostics": Rule(answer=Diagnostics),
    "snapshot": Rule(Snapshot),
    "restart": Rule(Restart, Restarted, signed=True),
    "config": Rule(signed=True),
    "update": Rule(signed=True),
    "clip.export": Rule(signed=True),
    "clip.cancel": Rule(signed=True),
}

Args = TypeVar("Args", bound=Struct)


def args(command: Command, kind: type[Args]) -> Args:
    """The command's args as `kind`; what it does not know is ignored. Raises BadPayload."""
    try:
        return msgspec.convert(command.args, kind)
    except msgspec.ValidationError:
        raise BadPayload("wrong args") from None
