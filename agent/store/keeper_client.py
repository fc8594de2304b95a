"""Asks the keeper a question of link or page, and waits for a keeper that is being restarted."""
import time
from pathlib import Path
from typing import Any

import msgspec

from agent.host import sockets
from agent.store.database import StoreError
from agent.store.link_questions import SOCKET, LinkAnswer, LinkQuestion

ANSWER_S = 60.0             # a worn card can stall one flush for half a minute
KEEPER_S = 20.0             # for a keeper that is being restarted
AGAIN_S = 0.1


def ask_keeper(runtime: Path, question: LinkQuestion) -> Any:
    """Returns the keeper's answer. Raises StoreError."""
    line, until_mono_s = msgspec.json.encode(question) + b"\n", time.monotonic() + KEEPER_S
    while True:
        try:
            answer = msgspec.json.decode(sockets.ask(runtime / SOCKET, line, timeout_s=ANSWER_S), type=LinkAnswer)
            break
        except (OSError, msgspec.DecodeError) as error:
            # If it is only away, it has not read the question.
            away = isinstance(error, FileNotFoundError | ConnectionRefusedError)
            if not away or time.monotonic() >= until_mono_s:
                raise StoreError(f"the keeper, which writes the store, does not answer: {error}") from None
        time.sleep(AGAIN_S)
    if answer.why:
        raise StoreError(f"the keeper, which writes the store, can't: {answer.why}")
    return msgspec.json.decode(answer.said, type=question.answer)
