"""The keeper's desk for link and page as readers of the database, which may not write it.

It has a socket of its own, so that a link that asks all the time keeps nobody waiting at the household's desk.
"""
import logging
import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from agent.core import json_door
from agent.core.contract import wire
from agent.host.clock import Clock
from agent.host.sockets import SocketServer
from agent.keeper.desk import LINK_USER, PAGE_USER, is_from
from agent.keeper.ward_signature import NotGenuine, WardSignature
from agent.store import damage
from agent.store.database import StoreError, connect
from agent.store.folders import Folders
from agent.store.holds import HoldError
from agent.store.link_questions import (
    PAGE_QUESTIONS,
    QUESTION_B_MAX,
    SOCKET,
    LinkAnswer,
    LinkQuestion,
    Questions,
    Writer,
)

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class LinkDesk:
    """Serves on a thread of its own; each question opens the database anew, for it may have been replaced."""

    folders: Folders
    clock: Clock
    signature: WardSignature
    _uncopied_n: int = field(default=0, init=False)     # commits since the last checkpoint of one of its connections

    def open(self, runtime: Path) -> SocketServer:
        """Listen in the runtime folder. Raises OSError."""
        return SocketServer(runtime / SOCKET, "link's desk", self.answer, QUESTION_B_MAX)

    def answer(self, line: bytes, user: int) -> bytes:
        """The answer to a line of JSON that this user has sent."""
        try:
            said = self._judged(line, user)
        except HoldError as error:
            return msgspec.json.encode(LinkAnswer(why=str(error)))
        except (msgspec.DecodeError, wire.BadPayload, NotGenuine, OverflowError, UnicodeError) as error:
            said = LinkAnswer(why=f"not understood: {error}")
        except (OSError, sqlite3.Error, StoreError, *damage.OF_A_ROW) as error:
            damage.meet(error)
            said = LinkAnswer(why=str(error))
        if said.why:
            _log.error("user %d asked for the link: %s", user, said.why)
        return msgspec.json.encode(said)

    def _judged(self, line: bytes, user: int) -> LinkAnswer:
        if is_from(user, LINK_USER) or is_from(user, PAGE_USER):        # nothing of anybody else's is read
            asked = json_door.read(line, Questions)
            if is_from(user, PAGE_USER if isinstance(asked, PAGE_QUESTIONS) else LINK_USER):
                return LinkAnswer(said=self._said(asked))
        return LinkAnswer(why="not_yours")

    def _said(self, asked: LinkQuestion) -> msgspec.Raw:
        with closing(connect(self.folders.root)) as db:
            db.uncopied_n = self._uncopied_n
            said = asked.write(db, Writer(self.clock, self.clock.now(), self.signature.settings, self.signature.demand))
            self._uncopied_n = db.uncopied_n
        return msgspec.Raw(msgspec.json.encode(said))
