"""The keeper's socket where readers ask for the key of a file.

It stands alone because the desk signs rows of the ledger: the signing key's file may not know the desk.
"""
from pathlib import Path

import msgspec

from agent.core.evidence.encrypted import AES_GCM, DamagedError, FileHead
from agent.host.sockets import SocketServer
from agent.keeper.desk import PAGE_USER, is_from
from agent.store.encryption.file_keys import QUESTION_B_MAX, SOCKET, KeyAnswer, KeyQuestion, private_file
from agent.store.folders import Folders


def open_key_socket(runtime: Path, folders: Folders) -> SocketServer:
    """Answer the page at `SOCKET` in the runtime folder: a recorder shall open nothing that is past. Raises OSError."""
    def answer(question: bytes, user: int) -> bytes:
        given = _found(question, folders) if is_from(user, PAGE_USER) else KeyAnswer(why="the page alone gets keys")
        return msgspec.json.encode(given)
    return SocketServer(runtime / SOCKET, "keys", answer, QUESTION_B_MAX)


def _found(question: bytes, folders: Folders) -> KeyAnswer:
    from agent.store.encryption.ciphers import file_key  # only here: see clear_file.py

    try:
        asked = msgspec.json.decode(question, type=KeyQuestion)
        private = private_file(folders.keys, asked.day).read_bytes()
        # The cipher of the file itself does not matter to its key.
        head = FileHead(AES_GCM, asked.day, asked.ephemeral, asked.wrapped)
        return KeyAnswer(key=file_key(head, private, asked.name))
    except FileNotFoundError:
        return KeyAnswer(why="gone")
    except (DamagedError, OSError, msgspec.DecodeError) as error:
        return KeyAnswer(why=str(error))
