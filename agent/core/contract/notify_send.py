"""The question to the process that delivers a notification, and its answer: one JSON object each way. Pure.

The address contains a password, so it goes over standard input, where no list of processes shows it.
"""
from typing import Literal

from msgspec import Struct

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
