"""What capture asks the process that names an event, and its answer: MessagePack, each whole and alone on its way."""
import msgspec
from msgspec import Struct

from agent.core.household.labels import EventWord
from agent.core.media.model import Box, Packet, StreamInfo


class ShownLook(Struct, frozen=True, kw_only=True):
    """A look: what its picture is decoded from (the last packet is that picture), and where its largest object is."""

    info: StreamInfo
    packets: list[Packet]
    box: Box


class LabelQuestion(Struct, frozen=True, kw_only=True):
    """The looks at one event."""

    looks: list[ShownLook]


class LabelAnswer(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The word; None where no look could be decoded."""

    label: EventWord | None = None


def encode(piece: LabelQuestion | LabelAnswer) -> bytes:
    """As it is sent."""
    return msgspec.msgpack.encode(piece)


def answer_of(data: bytes) -> LabelAnswer:
    """Raises msgspec.DecodeError."""
    return msgspec.msgpack.decode(data, type=LabelAnswer)


def question_of(data: bytes) -> LabelQuestion:
    """Raises msgspec.DecodeError."""
    return msgspec.msgpack.decode(data, type=LabelQuestion)
