"""Processes that roles start by name: each does one thing, and its memory is given back when it ends."""
import sys
from collections.abc import Callable
from typing import Any

import msgspec

from agent.host.prctl import die_with_parent

QUESTION_B_MAX = 65_536


def answer_one(kind: Any, answer: Callable[[Any], Any]) -> None:
    """One question of that kind on stdin, one answer on stdout, both JSON."""
    die_with_parent()
    question = msgspec.json.decode(sys.stdin.buffer.read(QUESTION_B_MAX), type=kind)
    sys.stdout.buffer.write(msgspec.json.encode(answer(question)))
