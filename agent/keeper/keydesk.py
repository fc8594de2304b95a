"""Where the page asks the keeper for the key of one file. A thread of its own: playback does not wait for hashing.

On a device the units let only the page and the keeper at its folder (docs/design/system.md): not capture, which parses
strangers' bytes, and not the link.
"""
from pathlib import Path

import msgspec

from agent.core.encrypted import AES_GCM, DamagedError, FileHead
from agent.host.desk import Desk
from agent.store.encryption.days import private_file
from agent.store.encryption.keyring import DESK, QUESTION_B_MAX, Answer, Question
from agent.store.folders import Folders


def open_desk(runtime: Path, folders: Folders) -> Desk:
    """Answer at `DESK` in the runtime folder. Raises OSError."""
    path = runtime / DESK
    path.parent.mkdir(mode=0o770, exist_ok=True)
    return Desk(path, "keys", lambda question: msgspec.json.encode(_answer(question, folders)), QUESTION_B_MAX)


def _answer(question: bytes, folders: Folders) -> Answer:
    from agent.store.encryption.ciphers import file_key  # only here, see opening.py

    try:
        asked = msgspec.json.decode(question, type=Question)
        private = private_file(folders.keys, asked.day).read_bytes()
        # The cipher of the file itself does not matter to its key.
        return Answer(key=file_key(FileHead(AES_GCM, asked.day, asked.ephemeral, asked.wrapped), private, asked.name))
    except FileNotFoundError:
        return Answer(why="gone")
    except (DamagedError, OSError, msgspec.DecodeError) as error:
        return Answer(why=str(error))
