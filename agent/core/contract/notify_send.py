"""What the process that delivers a notification is told, and what it answers: one JSON object each way. Pure.

The address has a password in it, so it goes over standard input, where no list of processes shows it.
"""
from typing import Literal

from msgspec import Struct

NotifyFault = Literal["", "not_installed", "bad_address", "refused", "unreachable", "failed", "no_file", "keeper"]


class SendNotification(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """One message to one address."""

    url: str                    # as Apprise writes them
    title: str
    body: str
    jpeg: bytes = b""           # b"": without a picture
    within_s: float = 10.0      # that the service may be silent


class NotificationSent(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """What came of it. No text of Apprise's is handed on, for an address could be in it."""

    fault: NotifyFault = ""     # "": the service has taken it
    status: int | None = None   # of HTTP, with which it was refused
