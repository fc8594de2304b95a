"""Whether the household's broker would let this recorder in: what the page asks of a process of its own. Pure.

One JSON object each way, on the process's standard input and output; a password is in the question.
"""
from typing import Literal

from msgspec import Struct

ANSWER_B_MAX = 16_384


class HomeQuestion(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """Where the broker is, and as whom."""

    host: str
    port: int
    tls: bool = False
    ca: str = ""                    # as in `[home]`
    user: str = ""
    password: str = ""


class HomeAnswer(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """What came of it."""

    fault: Literal["", "unreachable", "refused"] = ""      # "": it lets us in
    detail: str = ""                # for a technician, in English, without the password
