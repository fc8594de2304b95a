"""A clip of a store in the clear, as whoever may read its keys gets it."""
import io
from typing import BinaryIO

from agent.store.clips import Clip
from agent.store.encryption.clear_file import ClearStream, open_clip
from agent.store.encryption.file_keys import Keyring
from agent.store.folders import Folders


def clear(folders: Folders, clip: Clip) -> BinaryIO:
    """The finished clip's video, encrypted on the card or not."""
    return io.BufferedReader(ClearStream(open_clip(folders.clip(clip.seq, clip.name), Keyring(folders).file_key)))
