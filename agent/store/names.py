"""The names of our files on the card. A file with another name is not ours."""
import os
import re
from collections.abc import Iterator
from pathlib import Path

from agent.host.files import is_plain

OURS = re.compile(r"^(?P<camera>[a-z0-9][a-z0-9-]*)-(?P<boot>[0-9a-f]{8})-(?P<seq>[0-9]{6,12})\.mp4\Z")
FOLDER = re.compile(r"^[0-9]{6}\Z")
PART = ".part"
CLIPS_A_FOLDER = 1000       # keeps a folder small enough for a technician's file manager


def picture(camera: str, boot: str, mono_ms: int) -> str:
    """Returns the name of an event's picture, without the ending, by when the event began."""
    return f"{camera}-{boot}-{mono_ms}"


def clip_folders(clips: Path) -> list[Path]:
    """Lists the folders of clips, in order. Raises OSError."""
    return sorted(Path(entry.path) for entry in os.scandir(clips) if FOLDER.match(entry.name) and entry.is_dir())


def clip_files(clips: Path, first: int, upto: int | None) -> Iterator[Path]:
    """Yields the finished clips with these numbers, both included; None: all from `first` on. Raises OSError."""
    for folder in clip_folders(clips):
        if int(folder.name) * CLIPS_A_FOLDER + CLIPS_A_FOLDER > first:
            for name in sorted(os.listdir(folder)):
                match = OURS.match(name)
                in_range = match and first <= int(match["seq"]) and (upto is None or int(match["seq"]) <= upto)
                if in_range and is_plain(path := folder / name):
                    yield path
        if upto is not None and int(folder.name) * CLIPS_A_FOLDER > upto:
            return


def highest(clips: Path) -> int:
    """Returns the highest number in the last folder with a clip, finished or not; 0 without clips. Raises OSError."""
    if not clips.exists():
        return 0
    for folder in reversed(clip_folders(clips)):
        matches = (OURS.match(name.removesuffix(PART)) for name in os.listdir(folder))
        if found := max((int(match["seq"]) for match in matches if match), default=0):
            return found
    return 0
