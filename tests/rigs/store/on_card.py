"""What a recorder has put on the card: frames of finished clips and of the one that is still open."""
import contextlib
from pathlib import Path

import av

from agent.store.folders import Folders

LAST_B = 200        # cameras repeat parameter sets before keyframes; a frame's end is its own


def payloads(path: Path) -> list[bytes]:
    """The frames of a video, as they lie in it. Raises av.error.FFmpegError."""
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(video=0) if packet.size]


def endings(*paths: Path) -> list[bytes]:
    """How each frame of these videos ends: by this one is known from another, and found in the film that was served."""
    return [payload[-LAST_B:] for path in paths for payload in payloads(path)]


def written(folders: Folders) -> list[bytes]:
    """How each frame ends that lies on the card by now."""
    with contextlib.suppress(av.error.FFmpegError, FileNotFoundError):      # just begun, or just renamed
        return endings(*sorted(folders.clips.rglob("*.mp4*")))
    return []
