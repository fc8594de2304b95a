"""Tries whether the household's broker accepts this recorder: the page's question to a process of its own, and its
answer. Pure.

One JSON object each way, on the process's standard input and output. The question contains a password.
"""
from typing import Literal

from msgspec import Struct

ANSWER_B_MAX = 16_384


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
