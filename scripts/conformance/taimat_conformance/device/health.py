"""Rules for `health`: how often, in what order, in which units. Pure."""
from collections.abc import Iterator
from itertools import pairwise

from agent.core.contract import wire
from taimat_conformance.transcript import HeardMessage, Transcript
from taimat_conformance.verdict import ContractRule

INT_S = range(5, 301)
LATE_S = 2.0                    # beside a tenth of the interval
OFF_MS = 30_000                 # so far NTP keeps no clock off, nor does a message take so long
PLACE = "Health"
# The least and the largest value by the unit in a name.
UNITS = {"_pct": (0, 100), "_dbm": (-130, 20), "_c": (-60, 150), "_n": (0, None), "_b": (0, None), "_s": (0, None),
         "_d": (0, None)}
# What there can be: a chip above 125 degrees has switched itself off, and no camera shows 300 pictures a second.
PLAUSIBLE = {"soc_temp_c": (-40, 125), "fps": (0, 300), "fps_set": (0, 300), "luma": (0, 255), "kbps": (0, 500_000),
             "load1": (0, 1000), "up_s": (0, 10 * 365 * 86_400), "card_days_left": (0, None)}
PARTS = (("disk_free_b", "disk_tot_b"), ("clips_b", "disk_tot_b"))      # the first is a part of the second


def _runs(look: Transcript) -> Iterator[tuple[tuple[HeardMessage, wire.Health], tuple[HeardMessage, wire.Health]]]:
    """Each two consecutive reports of a boot, both from the time of the check."""
    live = [each for each in look.reports if not each[0].stored]
    return ((was, now) for was, now in pairwise(live) if was[1].boot == now[1].boot)


def _interval(look: Transcript) -> Iterator[str]:
    for _, report in look.reports:
        if report.int_s not in INT_S:
            yield f"int_s {report.int_s}: not within {INT_S.start} and {INT_S.stop - 1}"
    for (before, was), (later, now) in _runs(look):
        wait_s = later.at_s - before.at_s
        if now.seq > was.seq + 1:
            continue                # one was lost on the way, as is allowed
        late, early = wait_s > was.int_s * 1.1 + LATE_S, wait_s < min(was.int_s, now.int_s) / 2
        yield f"after {wait_s:.1f} s, where int_s is {was.int_s}" if late or early else ""
    if look.reports:
        heard, last = look.reports[-1]
        silent_s = look.length_s - heard.at_s
        if silent_s > 2 * last.int_s + LATE_S:
            yield f"none for {silent_s:.0f} s, where int_s is {last.int_s}"


def _seq(look: Transcript) -> Iterator[str]:
    for (before, was), (later, now) in _runs(look):
        if _conn(look, before) == _conn(look, later):       # a device that restarts connects anew, and counts anew
            yield "" if now.seq > was.seq else f"seq {now.seq} after {was.seq}"


def _conn(look: Transcript, when: HeardMessage) -> int | None:
    """The number of the connection at that moment."""
    return next((status.conn for heard, status in reversed(look.statuses)
                 if status.online and heard.at_s <= when.at_s), None)


def _units(look: Transcript) -> Iterator[str]:
    for _, report in look.reports:
        yield ", ".join(f"{name} {value}" for name, value in _numbers(report) if not _fits(name, value))
    for (before, was), (later, now) in _runs(look):
        told_s, seen_s = (now.mono_ms - was.mono_ms) / 1000, later.at_s - before.at_s
        off = abs(told_s - seen_s) > seen_s / 5 + LATE_S
        yield f"mono_ms grew by {told_s * 1000:.0f} in {seen_s:.1f} s" if off else ""


def _numbers(report: wire.Health) -> Iterator[tuple[str, float]]:
    for part in (report, *report.cams):
        for name in part.__struct_fields__:
            value = getattr(part, name)
            if isinstance(value, int | float) and not isinstance(value, bool):
                yield name, value


def _fits(name: str, value: float) -> bool:
    return _within(value, next((bounds for unit, bounds in UNITS.items() if name.endswith(unit)), (None, None)))


def _within(value: float, bounds: tuple[float | None, float | None]) -> bool:
    least, most = bounds
    return (least is None or value >= least) and (most is None or value <= most)


def _plausible(look: Transcript) -> Iterator[str]:
    for _, report in look.reports:
        wrong = [f"{name} {value}: there is no such thing" for name, value in _numbers(report)
                 if name in PLAUSIBLE and not _within(value, PLAUSIBLE[name])]
        for part, whole in PARTS:
            has, of = getattr(report, part), getattr(report, whole)
            wrong += [f"{part} {has} is more than {whole} {of}"] if has is not None and of and has > of else []
        yield ", ".join(wrong)


def _clock(look: Transcript) -> Iterator[str]:
    for heard, report in look.reports:
        off_ms = 0.0
        if report.clock == "ntp" and report.ts is not None and look.began_ms is not None and not heard.stored:
            off_ms = report.ts - look.began_ms - heard.at_s * 1000
        yield f"ts is {off_ms / 1000:+.0f} s off, and clock says ntp" if abs(off_ms) > OFF_MS else ""


def _boot(look: Transcript) -> Iterator[str]:
    for heard, report in look.reports:
        near = [status for other, status in look.statuses if status.online and other.at_s <= heard.at_s]
        if near and not heard.stored:
            yield "" if report.boot == near[-1].boot else f"boot {report.boot}; its status says {near[-1].boot}"


RULES = (
    ContractRule("health.interval", "A report comes each int_s seconds", PLACE, _interval),
    ContractRule("health.seq", "seq counts the reports", PLACE, _seq),
    ContractRule("health.units", "Values are in the units that their names end in", PLACE, _units),
    ContractRule("health.plausible", "Values are such as there can be", PLACE, _plausible),
    ContractRule("health.clock", f"A clock that claims NTP is right within {OFF_MS // 1000} s", PLACE, _clock),
    ContractRule("health.boot", "Its boot is that of the status", PLACE, _boot),
)
