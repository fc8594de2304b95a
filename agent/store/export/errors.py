"""Errors of an export, and how times are written in their texts."""
from agent.core.moment import moment

BRIEF_MS = 1_000        # the ends of a shorter gap read the same, or look like a second of it


class ExportError(Exception):
    """The film cannot be made; the text says why, and what would help."""


class NothingRecorded(ExportError):
    """There is no footage in the time that was asked for."""


def spell(wall_ms: int, form: str = "%Y-%m-%d %H:%M:%S") -> str:
    """Returns a wall time in the machine's own zone as text."""
    return moment(wall_ms).strftime(form)


def spell_gap(begin_ms: int, end_ms: int) -> str:
    """Returns a missing stretch of time as text; one of less than a second by its length."""
    gap_ms = end_ms - begin_ms
    brief = f"{gap_ms / 1000:.1f} s at {spell(begin_ms)}"
    return brief if gap_ms < BRIEF_MS else f"{spell(begin_ms)} to {spell(end_ms)}"
