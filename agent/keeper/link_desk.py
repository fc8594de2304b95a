"""The keeper's sockets for link and page as readers: questions to the database, which they may not write, and keys.

The link's socket is separate, so that a link that asks all the time delays no question at the household's desk.
"""
import logging
import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from agent.core import json_door
from agent.core.contract import wire
from agent.core.evidence.encrypted import AES_GCM, DamagedError, FileHead
from agent.host.clock import Clock
from agent.host.sockets import SocketServer
from agent.keeper.desk import LINK_USER, PAGE_USER, is_from
from agent.keeper.ward_signature import NotGenuine, WardSignature
from agent.store import damage, link_questions
from agent.store.database import StoreError, connect
from agent.store.encryption import file_keys
from agent.store.encryption.file_keys import KeyAnswer, KeyQuestion, private_file
from agent.store.folders import Folders
from agent.store.holds import HoldError
from agent.store.link_questions import LinkAnswer, LinkQuestion, Questions, Writer

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class LinkDesk:
    """Serves on its own thread. Each question opens the database again, because it may have been replaced."""

    folders: Folders
    clock: Clock
    signature: WardSignature
    _uncopied_n: int = field(default=0, init=False)     # commits since its connections' last checkpoint

    def open(self, runtime: Path) -> SocketServer:
        """Listens in the runtime folder. Raises OSError."""
        return SocketServer(runtime / link_questions.SOCKET, "link's desk", self.answer, link_questions.QUESTION_B_MAX)

    def answer(self, line: bytes, user: int) -> bytes:
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
            _log.error("a question of user %d is refused: %s", user, said.why)
        return msgspec.json.encode(said)

    def _judged(self, line: bytes, user: int) -> LinkAnswer:
        if is_from(user, LINK_USER) or is_from(user, PAGE_USER):        # a line of another user is not even read
            asked = json_door.read(line, Questions)
            if is_from(user, PAGE_USER if isinstance(asked, link_questions.PAGE_QUESTIONS) else LINK_USER):
                return LinkAnswer(said=self._said(asked))
        return LinkAnswer(why="not_yours")

    def _said(self, asked: LinkQuestion) -> msgspec.Raw:
        with closing(connect(self.folders.root)) as db:
            db.uncopied_n = self._uncopied_n
            said = asked.write(db, Writer(self.clock, self.clock.now(), self.signature.settings, self.signature.check))
            self._uncopied_n = db.uncopied_n
        return msgspec.Raw(msgspec.json.encode(said))


def open_key_socket(runtime: Path, folders: Folders) -> SocketServer:
    """Gives the page keys of files, at `SOCKET`: a recorder can open no old file. Raises OSError."""
    def answer(question: bytes, user: int) -> bytes:
        given = _found(question, folders) if is_from(user, PAGE_USER) else KeyAnswer(why="only the page gets keys")
        return msgspec.json.encode(given)
    return SocketServer(runtime / file_keys.SOCKET, "keys", answer, file_keys.QUESTION_B_MAX)


def _found(question: bytes, folders: Folders) -> KeyAnswer:
    from agent.store.encryption.ciphers import file_key  # only here: see clear_file.py

    try:
        asked = msgspec.json.decode(question, type=KeyQuestion)
        private = private_file(folders.keys, asked.day).read_bytes()
        # The file's cipher does not matter for its key.
        head = FileHead(AES_GCM, asked.day, asked.ephemeral, asked.wrapped)
        return KeyAnswer(key=file_key(head, private, asked.name))
    except FileNotFoundError:
        return KeyAnswer(why="gone")
    except (DamagedError, OSError, msgspec.DecodeError) as error:
        return KeyAnswer(why=str(error))
