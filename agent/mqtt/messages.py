"""What passes between a connection to a broker and its owner. The library is only loaded by `connection.py`."""
from collections.abc import Callable
from dataclasses import dataclass

SESSION_S = 3600                # how long the broker keeps commands and receipts for a device
Tag = int | str


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message to publish."""

    topic: str
    payload: bytes
    qos: int = 1
    retain: bool = False
    expiry_s: int | None = None
    content_type: str = "application/json"
    correlation: bytes | None = None
    response_topic: str | None = None   # if an answer is wanted


@dataclass(frozen=True, slots=True)
class Accepted:
    """The broker's CONNACK: connection accepted."""


@dataclass(frozen=True, slots=True)
class ConnectRefused:
    """The broker's CONNACK: connection refused."""

    reason: int


@dataclass(frozen=True, slots=True)
class Subscribed:
    """The broker's SUBACK, with the number of refused subscriptions."""

    refused_n: int


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """The broker's PUBACK for the message with `tag`; reason 0: delivered; 16: no subscriber; from 128: refused."""

    tag: Tag
    reason: int


@dataclass(frozen=True, slots=True)
class Arrived:
    """A message on one of the subscribed topics."""

    topic: str
    payload: bytes
    retained: bool
    response_topic: str | None
    correlation: bytes | None
    expiry_s: int | None = None         # the rest of its lifetime
    confirm: Callable[[], object] = lambda: None    # tells the broker that it is stored here: see `confirm_later`
    qos: int = 1
    content_type: str | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """The end of the connection, with the broker's reason, if any, and the library's message."""

    reason: int | None
    text: str



@dataclass(frozen=True, slots=True)
class ConnectOptions:
    """What CONNECT asks of the broker."""

    keepalive_s: int
    will: Outgoing | None = None
    will_delay_s: int = 0
    session_s: int = SESSION_S          # the session lives so long after the connection; 0 also drops an earlier one
    confirm_later: bool = False         # each message comes again on the next connection until `confirm` was called


Happening = Accepted | ConnectRefused | Subscribed | Acknowledged | Arrived | Ended
