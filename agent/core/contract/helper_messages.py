"""The questions of roles to the processes that they start for one thing, and the answers. Pure.

They go over standard input and output, where no list of processes shows a password: one JSON object each way, if no
other form is named.
"""
from typing import Literal

import msgspec
from msgspec import Struct

from agent.core.household.labels import EventWord
from agent.core.media.model import Box, Packet, StreamInfo

AT_N_MAX = 300


class CameraQuestion(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """Where to search, and with which user and password."""

    at: str = ""                    # an address, ADDRESS:PORT or the URL of a stream; "": this machine's networks
    user: str = ""
    password: str = ""
    known: list[tuple[str, str]] = []       # name and source of the configured cameras


class SeenCamera(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """A camera that was found, or an address that may be a camera."""

    address: str
    kind: str = ""                  # maker and model
    own_name: str = ""              # the name that the household gave it in the camera
    channel: int = 0                # of a recorder with several cameras, from 1
    source: str = ""                # as in the configuration; "" until it is ready
    sub: str = ""
    width: int = 0                  # of the main stream, pixels; 0: unknown
    height: int = 0
    locked: bool = False            # it asks for a user and a password
    ready: bool = False             # its main stream was found
    advice: list[str] = []          # for a technician, in English
    camera: str = ""                # the configured camera that it is; "": not configured


class SearchAnswer(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """The cameras that were found, or why the search did not start."""

    cameras: list[SeenCamera] = []
    problem: Literal["", "no_network", "no_such_address"] = ""


class HomeQuestion(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """Where the broker is, and with which user and password."""

    host: str
    port: int
    tls: bool = False
    ca: str = ""                    # as in `[home]`
    user: str = ""
    password: str = ""


class HomeAnswer(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """The result."""

    fault: Literal["", "unreachable", "refused"] = ""      # "": the broker accepted
    detail: str = ""                # for a technician, in English, without the password


NotifyFault = Literal["", "not_installed", "bad_address", "refused", "unreachable", "failed", "no_file", "keeper"]


class SendNotification(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """One message to one address."""

    url: str                    # in Apprise's form
    title: str
    body: str
    jpeg: bytes = b""           # b"": no picture
    within_s: float = 10.0      # the longest wait for the service's answer


class NotificationSent(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """The result. It contains no text of Apprise, because the address could be in it."""

    fault: NotifyFault = ""     # "": the service accepted the message
    status: int | None = None   # HTTP status of a refusal


class ShownLook(Struct, frozen=True, kw_only=True):
    """A look: the packets up to its picture (the last packet is the picture), and the box of its largest object."""

    info: StreamInfo
    packets: list[Packet]
    box: Box


class LabelQuestion(Struct, frozen=True, kw_only=True):
    """The looks at one event."""

    looks: list[ShownLook]


class LabelAnswer(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The label; None if it is unsure, or no look could be decoded."""

    label: EventWord | None = None


def label_message(piece: LabelQuestion | LabelAnswer) -> bytes:
    """Encodes a question or an answer."""
    return msgspec.msgpack.encode(piece)


def label_answer(data: bytes) -> LabelAnswer:
    """Decodes an answer. Raises msgspec.DecodeError."""
    return msgspec.msgpack.decode(data, type=LabelAnswer)


def label_question(data: bytes) -> LabelQuestion:
    """Decodes a question. Raises msgspec.DecodeError."""
    return msgspec.msgpack.decode(data, type=LabelQuestion)


GOOD, UNKNOWN_KEY, BAD = 0, 10, 11      # verdicts, a byte each
CODES = {GOOD: None, UNKNOWN_KEY: "unknown_key", BAD: "bad_signature"}


class SignedPayload(Struct, frozen=True):
    """A JSON object to verify, with its own signature as `sig`."""

    payload: bytes
    key: str = ""           # hex; "": the ward's
