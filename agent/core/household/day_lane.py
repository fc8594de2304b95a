"""A camera's day for the household: what was recorded, and why the rest was not.

Pure: the caller passes wall times in milliseconds and the store's facts. The pieces of a lane cover its span without a
hole, so that no reader must guess what an empty place means.
"""
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

JOIN_MS = 2_000         # recordings with a shorter gap are joined
LEAST_MS = 5_000        # a shorter time without a recording is ignored

State = Literal["recorded", "deleted", "paused", "off", "camera", "missing", "quiet", "future"]


class WallSpan(NamedTuple):
    """From a moment up to, but not including, another one."""

    begin_ms: int
    end_ms: int


class Recorded(NamedTuple):
    """One uninterrupted recording. `gone` says why it is deleted; "" if it still exists."""

    begin_ms: int
    end_ms: int
    gone: str = ""


class Absent(NamedTuple):
    """A time without pictures. `why` is "camera", "off" (the whole recorder), or the source of a pause. Without an end
    it lasts until the next recording, or until now."""

    begin_ms: int
    end_ms: int | None
    why: str


class LanePiece(NamedTuple):
    """A part of the lane with one state. `why` gives the reason for "deleted" and "paused"."""

    begin_ms: int
    end_ms: int
    state: State
    why: str = ""


def lane(span: WallSpan, now_ms: int, footage: Sequence[Recorded], absent: Sequence[Absent],
         always: bool) -> list[LanePiece]:
    """Returns the pieces of `span`, in order and without a hole. `always`: the camera is set to record all the time.

    If several states apply, the first of these wins: recorded, deleted, paused, recorder off, camera gone. Unexplained
    time is "missing" between the recordings of a camera that records all the time, otherwise "quiet".
    """
    until_ms = max(span.begin_ms, min(span.end_ms, now_ms))
    kept = _merged((each.begin_ms, each.end_ms) for each in footage if not each.gone)
    gone = sorted(each for each in footage if each.gone)
    away = sorted(Absent(each.begin_ms, _end_ms(each, footage, now_ms), each.why) for each in absent)
    pieces: list[LanePiece] = []
    for begin_ms, end_ms, is_kept in _cut(WallSpan(span.begin_ms, until_ms), kept):
        if is_kept:
            pieces.append(LanePiece(begin_ms, end_ms, "recorded"))
        elif gone or away:
            pieces += _explained(WallSpan(begin_ms, end_ms), gone, away)
        else:
            pieces.append(LanePiece(begin_ms, end_ms, "quiet"))
    if always:
        pieces = _missing(pieces)
    if until_ms < span.end_ms:
        pieces.append(LanePiece(until_ms, span.end_ms, "future"))
    return _joined(pieces)


def _end_ms(absent: Absent, footage: Iterable[Recorded], now_ms: int) -> int:
    if absent.end_ms is not None:
        return absent.end_ms
    return min((each.begin_ms for each in footage if each.begin_ms > absent.begin_ms), default=now_ms)


def _merged(spans: Iterable[tuple[int, int]]) -> list[WallSpan]:
    found: list[WallSpan] = []
    for begin_ms, end_ms in sorted(spans):
        if found and begin_ms - found[-1].end_ms <= JOIN_MS:
            found[-1] = WallSpan(found[-1].begin_ms, max(found[-1].end_ms, end_ms))
        elif end_ms > begin_ms:
            found.append(WallSpan(begin_ms, end_ms))
    return found


def _cut(span: WallSpan, kept: Iterable[WallSpan]) -> Iterable[tuple[int, int, bool]]:
    at_ms = span.begin_ms
    for each in kept:
        begin_ms, end_ms = max(each.begin_ms, at_ms), min(each.end_ms, span.end_ms)
        if end_ms > begin_ms:
            if begin_ms > at_ms:
                yield at_ms, begin_ms, False
            yield begin_ms, end_ms, True
            at_ms = end_ms
    if span.end_ms > at_ms:
        yield at_ms, span.end_ms, False


def _explained(reach: WallSpan, gone: Sequence[Recorded], away: Sequence[Absent]) -> list[LanePiece]:
    near_gone = [each for each in gone if each.begin_ms < reach.end_ms and each.end_ms > reach.begin_ms]
    near_away = [each for each in away if each.begin_ms < reach.end_ms and (each.end_ms or 0) > reach.begin_ms]
    if not near_gone and not near_away:
        return [LanePiece(*reach, "quiet")]
    edges = {reach.begin_ms, reach.end_ms}
    for each in (*near_gone, *near_away):
        edges |= {at_ms for at_ms in each[:2] if at_ms is not None and reach.begin_ms < at_ms < reach.end_ms}
    line = sorted(edges)
    return [LanePiece(begin_ms, end_ms, *_state(begin_ms, near_gone, near_away))
            for begin_ms, end_ms in zip(line, line[1:], strict=False)]


def _state(at_ms: int, gone: Iterable[Recorded], away: Iterable[Absent]) -> tuple[State, str]:
    for footage in gone:
        if footage.begin_ms <= at_ms < footage.end_ms:
            return "deleted", footage.gone
    whys = [each.why for each in away if each.begin_ms <= at_ms < (each.end_ms or 0)]
    paused = [why for why in whys if why not in ("off", "camera")]
    if paused:
        return "paused", paused[-1]
    return ("off", "") if "off" in whys else ("camera", "") if "camera" in whys else ("quiet", "")


def _missing(pieces: Sequence[LanePiece]) -> list[LanePiece]:
    """Quiet time between two recordings of a camera that always records has no explanation."""
    known = [n for n, piece in enumerate(pieces) if piece.state in ("recorded", "deleted")]
    if not known:
        return list(pieces)
    return [piece._replace(state="missing") if piece.state == "quiet" and known[0] < n < known[-1] else piece
            for n, piece in enumerate(pieces)]


def _joined(pieces: Iterable[LanePiece]) -> list[LanePiece]:
    """Joins equal neighbours. A time without a reason that is too short to matter joins the piece before it."""
    found: list[LanePiece] = []
    for piece in pieces:
        short = piece.end_ms - piece.begin_ms < LEAST_MS and piece.state in ("quiet", "missing")
        if found and (short or (found[-1].state == piece.state and found[-1].why == piece.why)):
            found[-1] = found[-1]._replace(end_ms=piece.end_ms)
        else:
            found.append(piece)
    return found
