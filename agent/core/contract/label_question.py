"""The question of capture to the process that labels an event, and its answer. Both are single MessagePack messages."""
import msgspec
from msgspec import Struct

from agent.core.household.labels import EventWord
from agent.core.media.model import Box, Packet, StreamInfo


class ShownLook(Struct, frozen=True, kw_only=True):
    """A look: the packets up to its picture (the last packet is the picture), and the box of its largest object."""

    info: StreamInfo
    packets: list[Packet]
    box: Box


class LabelQuestion(Struct, frozen=True, kw_only=True):
    """The looks at one event."""

    looks: list[ShownLook]


class LabelAnswer(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The label; None if no look could be decoded."""

    label: EventWord | None = None


def encode(piece: LabelQuestion | LabelAnswer) -> bytes:
    """Encodes a question or an answer."""
    return msgspec.msgpack.encode(piece)


def answer_of(data: bytes) -> LabelAnswer:
    """Decodes an answer. Raises msgspec.DecodeError."""
    return msgspec.msgpack.decode(data, type=LabelAnswer)


def question_of(data: bytes) -> LabelQuestion:
    """Decodes a question. Raises msgspec.DecodeError."""
    return msgspec.msgpack.decode(data, type=LabelQuestion)
