"""What can go wrong with an export."""
from datetime import datetime


class ExportError(Exception):
    """The film can't be made; the text says why, and what would help."""


class NothingRecorded(ExportError):
    """There is no footage in the time that was asked for."""


def spell(wall_ms: int, form: str = "%Y-%m-%d %H:%M:%S") -> str:
    """A wall time in the machine's own zone."""
    return datetime.fromtimestamp(wall_ms / 1000).strftime(form)
