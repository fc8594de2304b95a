"""What all parts of the link share."""
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from agent.config.settings import Settings
from agent.core.contract.decisions import SOCKET, DecisionAnswer, Question
from agent.core.delivery.backoff import Waits
from agent.core.delivery.outbox import OutboxPace
from agent.home import WAITS
from agent.host.clock import Clock
from agent.host.sockets import ask
from agent.link.answers import AnswerQueue
from agent.link.audit import Audit
from agent.link.store_thread import StoreThread
from agent.store.folders import Folders


@dataclass(frozen=True, slots=True)
class LinkContext:
    """This device, its store, and the ways by which a part writes events and sends answers."""

    settings: Settings
    folders: Folders
    runtime: Path
    clock: Clock
    store: StoreThread
    audit: Audit
    answers: AnswerQueue

    def written(self) -> None:
        """To call when a message may have been written into the outbox."""
        self.audit.writer.written()


@dataclass(frozen=True, slots=True)
class LinkTempo:
    """All waits of the link that the contract sets. Tests set shorter ones."""

    waits: Waits = field(default_factory=Waits)             # for the ward's broker
    pace: OutboxPace = field(default_factory=OutboxPace)
    again: Waits = Waits(lost_s=20.0, step_s=20.0, longest_s=600.0)    # for what the broker refused
    will_delay_s: int = 30
    home: Waits = WAITS
    notify: Waits = Waits(lost_s=10.0, step_s=30.0, longest_s=600.0, hopeless_s=(600.0, 1200.0))
    upload: Waits = Waits(lost_s=5.0, step_s=10.0, longest_s=600.0)
    update: Waits = Waits(start_s=60.0, lost_s=30.0, step_s=30.0, longest_s=600.0)      # ordered for all at once


def ask_desk(runtime: Path, question: Question) -> DecisionAnswer:
    """Asks the keeper to decide. Raises OSError, also for an answer that cannot be read."""
    try:
        return msgspec.json.decode(ask(runtime / SOCKET, msgspec.json.encode(question) + b"\n"), type=DecisionAnswer)
    except msgspec.DecodeError as error:
        raise OSError(str(error)) from error
