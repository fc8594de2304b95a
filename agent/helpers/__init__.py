"""Short-lived processes that roles start, so that their memory and their risks end with them."""
import sys
from collections.abc import Callable
from typing import Any

import msgspec

from agent.host.prctl import die_with_parent

QUESTION_B_MAX = 65_536


def answer_one(kind: Any, answer: Callable[[Any], Any]) -> None:
    """Reads one question of that kind from stdin, and writes one answer to stdout, both JSON."""
    die_with_parent()
    question = msgspec.json.decode(sys.stdin.buffer.read(QUESTION_B_MAX), type=kind)
    sys.stdout.buffer.write(msgspec.json.encode(answer(question)))
