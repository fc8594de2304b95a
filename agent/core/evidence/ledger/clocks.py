"""Checks the times of rows. The monotonic clock cannot be set, so it reveals changes of the wall clock."""
from collections.abc import Iterable, Iterator, Sequence

from agent.core.evidence.ledger.findings import Flaw, FlawCode
from agent.core.evidence.ledger.row import Row, RowMoment

STEP_MS = 2_000                 # as in core.clock: NTP makes smaller corrections all the time
DRIFT_PPM = 1_000               # a crystal's error, and the 500 ppm with which NTP slews against it
RIGHT = "ntp"


def moved_ms(before: RowMoment, after: RowMoment) -> int:
    """Returns how far the wall clock was moved between two moments of a boot, in ms; 0 if NTP and a crystal explain
    it."""
    apart_ms = after.offset_ms - before.offset_ms
    allowed_ms = STEP_MS + abs(after.mono_ms - before.mono_ms) * DRIFT_PPM // 1_000_000
    return apart_ms if abs(apart_ms) > allowed_ms else 0


def went_back_ms(right: RowMoment, after: RowMoment) -> int:
    """Returns how far a right clock is behind the right clock before a restart, as a negative number in ms; else 0."""
    back_ms = after.wall_ms - right.wall_ms
    return back_ms if after.clock == RIGHT and back_ms < -STEP_MS else 0


def offsets(rows: Iterable[Row]) -> dict[str, set[int]]:
    """Returns, by boot, the offsets (ms) in rows about the clock."""
    known: dict[str, set[int]] = {}
    for row in rows:
        if row.kind in ("clock", "begin") and isinstance(row.body.get("offset_ms"), int):
            known.setdefault(row.at.boot, set()).add(row.body["offset_ms"])
    return known


def check_clocks(rows: Sequence[Row], acts: Sequence[Row]) -> Iterator[Flaw]:
    """Yields flaws in the times of `rows`, which are in order. `acts` are these rows and the waiting acts."""
    known = offsets(acts)
    back = [row for row in acts if row.kind == "clock" and _steps_back(row)]
    last: dict[str, Row] = {}               # the latest row of each boot
    right: Row | None = None                # the latest row that was sealed with a right clock
    for row in rows:
        if row.at.boot == row.sealed.boot and row.at.mono_ms > row.sealed.mono_ms:
            yield Flaw(FlawCode.MONO_BACK, f"row {row.n} was sealed before the act that it reports", row.n)
        if before := last.get(row.sealed.boot):
            yield from _within_boot(row, before, known.get(row.sealed.boot, set()))
        elif right and not any(_between(right, act, row) for act in back):
            yield from _over_restart(row, right.sealed)
        last[row.sealed.boot] = row
        right = row if row.sealed.clock == RIGHT else right


def _steps_back(row: Row) -> bool:
    step_ms = row.body.get("step_ms")
    return isinstance(step_ms, int) and step_ms < 0


def _between(right: Row, act: Row, row: Row) -> bool:
    if act.at.boot == right.sealed.boot:
        return act.at.mono_ms >= right.sealed.mono_ms
    if act.at.boot == row.sealed.boot:
        return act.at.mono_ms <= row.sealed.mono_ms
    return not act.n or right.n < act.n <= row.n or act.sealed.boot == row.sealed.boot


def _over_restart(row: Row, right: RowMoment) -> Iterator[Flaw]:
    if back_ms := went_back_ms(right, row.sealed):
        yield Flaw(FlawCode.WALL_BACK, f"the clock was right, and after the restart before row {row.n} it is "
                                      f"{-back_ms // 1000} s earlier", row.n)


def _within_boot(row: Row, before: Row, known: set[int]) -> Iterator[Flaw]:
    if row.sealed.mono_ms < before.sealed.mono_ms:
        back_s = (before.sealed.mono_ms - row.sealed.mono_ms) / 1000
        yield Flaw(FlawCode.MONO_BACK, f"row {row.n} was sealed {back_s:.1f} s before the row that it follows", row.n)
    step_ms = moved_ms(before.sealed, row.sealed) if row.n == before.n + 1 else 0
    if step_ms and not any(abs(row.sealed.offset_ms - offset_ms) <= STEP_MS for offset_ms in known):
        yield Flaw(FlawCode.WALL_MOVED, f"before row {row.n} the wall clock jumped by {step_ms / 1000:+.0f} s, "
                                       "and no row reports it", row.n)
