"""What a household pays: the whole agent, all defaults, beside `ffmpeg -c copy` (F) and Debian's motion.

Everybody takes turns, round by round, each alone on the machine but for F, which runs beside every turn. Encryption is
on, a broker and a page are there, and nobody looks at them but in the turn of the viewer. CPU is user and system time
of all processes, after a warm-up.
"""
import contextlib
import http.client
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import median

from scripts.benches import needs, streams
from scripts.benches.others import SHARE_MAX
from scripts.benches.plan import Plan, tell
from scripts.benches.processes import BenchError
from scripts.benches.table import Bar, Spread, Table, Verdict
from scripts.benches.turn import MOTION_OFF, ROLES, Rival, RoleCost, Turn, motion, take, whole
from tests.rigs.cameras.rtsp import RtspCamera

LEAST_ROUNDS_N, TRIES_N = 3, 3
SPARES_N = 5                # turns that are taken again in a run because others were at work
ASLEEP = ("keeper", "link", "web")      # with nobody who looks
QUIET = Rival("taimat, quiet", whole(), long_s=36)
QUIET_MOTION = Rival("motion, quiet", motion, records=False, long_s=36)
PEOPLE = Rival("taimat, people", whole(), "yard")
PEOPLE_MOTION = Rival("motion, people", motion, "yard", records=False)
NO_SUB = Rival("taimat, no sub-stream, from the 20th second on", whole(sub=False), warm_s=20, long_s=30)
OFF = Rival("taimat, motion switched off", whole(more=MOTION_OFF))
WATCHED = Rival("taimat, one viewer", whole(watched=True))
TLS = Rival("taimat, TLS to the broker", whole(tls=True))
H265 = Rival("taimat, H.265, people", whole(), "h265")
PACKAGED = Rival("taimat, quiet, as its package installs it", whole(python=needs.PACKAGED))
TWO, FOUR, EIGHT = (Rival(f"taimat, {n} cameras", whole(), cameras_n=n) for n in (2, 4, 8))
FOUR_MOTION = Rival("motion, 4 cameras", motion, cameras_n=4, records=False)
RIVALS = (QUIET, QUIET_MOTION, PEOPLE, PEOPLE_MOTION, NO_SUB, OFF, WATCHED, TLS, H265, PACKAGED, TWO, FOUR, FOUR_MOTION,
          EIGHT)
Turns = dict[str, list[Turn]]


def run(plan: Plan) -> Iterator[Table]:
    """Measure, and give the tables."""
    needs.demand(needs.motion, needs.mosquitto, needs.packaged)
    rounds_n, spares_n = plan.rounds(LEAST_ROUNDS_N), 0 if plan.quick else SPARES_N
    turns: Turns = {rival.name: list[Turn]() for rival in RIVALS}
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="taimat-bench-")))
        for number in range(rounds_n):
            for rival in RIVALS:
                tell(f"cost: round {number + 1} of {rounds_n}, {rival.name}")
                place = folder / f"{number}-{RIVALS.index(rival)}"
                turn = _turn(rival, place, plan)
                if turn.others > SHARE_MAX and spares_n:
                    spares_n -= 1
                    tell(f"others took {100 * turn.others:.0f} % of the machine: once more")
                    turn = _turn(rival, place.with_name(f"{place.name}-again"), plan)
                turns[rival.name].append(turn)
    yield one_camera(turns)
    yield several(turns)
    yield by_role(turns)


def _turn(rival: Rival, place: Path, plan: Plan) -> Turn:
    """One turn before cameras of its own: none has another's viewers. One that goes wrong is taken again."""
    warm_s, long_s = rival.warm_s, plan.seconds or rival.long_s
    if plan.quick:
        warm_s, long_s = warm_s if rival is NO_SUB else 4.0, plan.seconds or 6.0    # its name tells since when
    failures: list[str] = []
    while len(failures) < TRIES_N:
        try:
            with _cameras(rival) as servers:
                return take(rival, servers, place.with_name(f"{place.name}-{len(failures)}"), warm_s, long_s)
        except (BenchError, OSError, RuntimeError, AssertionError, http.client.HTTPException) as error:
            failures.append(str(error))
            tell(f"{rival.name}, once more: {error}")
    raise BenchError(f"{rival.name}: {failures[-1]}")


@contextlib.contextmanager
def _cameras(rival: Rival) -> Iterator[Sequence[RtspCamera]]:
    with contextlib.ExitStack() as stack:
        scene, h265 = ("yard", True) if rival.scene == "h265" else (rival.scene, False)
        yield [stack.enter_context(streams.camera(scene, with_sub=rival is not NO_SUB, h265=h265))
               for _ in range(rival.cameras_n)]


def _spread(turns: Turns, rival: Rival, value: Callable[[Turn], float]) -> Spread:
    return Spread(tuple(value(turn) for turn in turns[rival.name]))


def _floors(turns: Turns, rival: Rival) -> Spread:
    return _spread(turns, rival, lambda turn: turn.floors)


def _cpu(turns: Turns, rival: Rival) -> Spread:
    return _spread(turns, rival, lambda turn: turn.cpu_s_per_min)


def _pss(turns: Turns, rival: Rival) -> Spread:
    return _spread(turns, rival, lambda turn: turn.pss_mb)


def _wakeups(turns: Turns, rival: Rival, *roles: str) -> Spread:
    """A second: of these roles, or of all."""
    return _spread(turns, rival, lambda turn: sum(turn.roles[role].wakeups_per_s for role in roles or turn.roles))


def _a_further(one: Spread, many: Spread) -> float:
    """What each further camera adds to one, by round; the median."""
    return median((more - less) / (EIGHT.cameras_n - 1) for less, more in zip(one.values, many.values, strict=True))


def _doubt(turns: Turns, *rivals: Rival) -> str:
    """Why nobody can judge by these turns; "" if one can."""
    if (rounds_n := len(turns[rivals[0].name])) < LEAST_ROUNDS_N:
        return f"{rounds_n} of {LEAST_ROUNDS_N} rounds"
    share = max(turn.others for rival in rivals for turn in turns[rival.name])
    return f"others took up to {100 * share:.0f} % of the machine" if share > SHARE_MAX else ""


def _row(turns: Turns, rival: Rival) -> tuple[str, ...]:
    written = _spread(turns, rival, lambda turn: turn.mb_per_min)
    return (rival.name, _cpu(turns, rival).text(), _floors(turns, rival).text(),
            f"{_wakeups(turns, rival).median:.0f}", _pss(turns, rival).text(0), f"{written.median:.1f}",
            f"{100 * max(turn.others for turn in turns[rival.name]):.0f}")


HEAD = ("", "CPU s/min", "x F", "wake-ups/s", "PSS MB", "writes MB/min", "others at most, %")


def _table(title: str, turns: Turns, rivals: Sequence[Rival]) -> Table:
    table = Table(title, HEAD, [_row(turns, rival) for rival in rivals])
    table.figures = {rival.name: [_plain(turn) for turn in turns[rival.name]] for rival in rivals}
    unit = Spread(tuple(turn.floor_cpu_s_per_min for rival in rivals for turn in turns[rival.name]))
    table.notes.append(f"F: {unit.text()} CPU s/min; {len(turns[QUIET.name])} rounds, medians (min-max), ratios of one "
                       "and the same time; taimat records all the time, motion while something moves")
    return table


def _plain(turn: Turn) -> dict[str, object]:
    return {**turn._asdict(), "roles": {role: cost._asdict() for role, cost in turn.roles.items()}}


def one_camera(turns: Turns) -> Table:
    """All that one camera may mean."""
    rivals = [rival for rival in RIVALS if rival.cameras_n == 1]
    table = _table("One camera: 1080p15, 2 Mbit/s, GOP 30, and a 640x360 sub-stream at 5 fps; RTSP over TCP",
                   turns, rivals)
    for rival, limit in ((QUIET, 3.0), (PEOPLE, 4.5), (NO_SUB, 5.0), (OFF, 1.5)):
        table.verdicts.append(Verdict(rival.name, limit, "F", _floors(turns, rival).median, _doubt(turns, rival)))
    against = _cpu(turns, QUIET).over(_cpu(turns, QUIET_MOTION)).median
    table.verdicts += [
        Verdict("taimat against motion, quiet", 1, "x", against, _doubt(turns, QUIET, QUIET_MOTION)),
        Verdict("web, link and keeper, quiet", 8, "wake-ups/s", _wakeups(turns, QUIET, *ASLEEP).median,
                _doubt(turns, QUIET))]
    table.bars = [Bar(rival.name, _floors(turns, rival).median, rival.name.partition(",")[0]) for rival in rivals]
    table.scale = "x F"
    return table


def several(turns: Turns) -> Table:
    """What each further camera costs."""
    ours, theirs = {1: QUIET, 2: TWO, 4: FOUR, 8: EIGHT}, {1: QUIET_MOTION, 4: FOUR_MOTION}
    table = _table("Several cameras: quiet scenes, a server for each", turns, [*ours.values(), *theirs.values()])
    further = _a_further(_floors(turns, QUIET), _floors(turns, EIGHT))
    grown_mb = _a_further(_pss(turns, QUIET), _pss(turns, EIGHT))
    against = _cpu(turns, FOUR).over(_cpu(turns, FOUR_MOTION)).median
    table.verdicts += [
        Verdict("four cameras against motion", 0.75, "x", against, _doubt(turns, FOUR, FOUR_MOTION)),
        Verdict("each further camera, CPU", 1.5, "F", further, _doubt(turns, QUIET, EIGHT)),
        Verdict("each further camera, memory", 8, "MB PSS", grown_mb, _doubt(turns, QUIET, EIGHT))]
    for count, rival in ours.items():
        table.bars.append(Bar(f"taimat, {count}", _floors(turns, rival).median, "taimat"))
    one, four = (_floors(turns, rival).median for rival in theirs.values())
    table.bars += [Bar(f"motion, {count}", one + (four - one) * (count - 1) / 3, "motion", derived=count not in theirs)
                   for count in ours]
    table.notes.append("motion with 2 and 8 cameras is drawn on the line through 1 and 4, and was not measured")
    table.scale = "x F"
    return table


def by_role(turns: Turns) -> Table:
    """What each role holds and takes with one quiet camera."""
    table = Table("By role: one quiet camera, a broker, a page that nobody looks at",
                  ("", "PSS MB", "private MB", "CPU s/min", "wake-ups/s"))
    rounds = turns[QUIET.name]
    for role in (*ROLES, "supervisor"):
        costs = RoleCost(*(median(values) for values in zip(*(turn.roles[role] for turn in rounds), strict=True)))
        table.rows.append(_role_row(role, costs))
        table.bars.append(Bar(role, costs.pss_b / 1e6))
    total = RoleCost(*(median(sum(turn.roles[role][at] for role in ROLES) for turn in rounds) for at in range(4)))
    table.rows.append(_role_row("all four roles", total))
    packaged_mb = _pss(turns, PACKAGED).median
    table.figures = {role: rounds[-1].roles[role]._asdict() for role in (*ROLES, "supervisor")}
    doubt, capture_mb = _doubt(turns, QUIET), median(turn.roles["capture"].pss_b for turn in rounds) / 1e6
    table.verdicts += [Verdict("all four roles", 150, "MB PSS", total.pss_b / 1e6, doubt),
                       Verdict("all four roles, as their package installs them", 165, "MB PSS", packaged_mb,
                               _doubt(turns, PACKAGED)),
                       Verdict("capture", 75, "MB PSS", capture_mb, doubt)]
    table.notes.append("on a device systemd takes the supervisor's place; other Pythons on this machine, if any run, "
                       "share libraries with ours, which lowers both")
    table.scale = "MB PSS"
    return table


def _role_row(role: str, cost: RoleCost) -> tuple[str, ...]:
    return (role, f"{cost.pss_b / 1e6:.1f}", f"{cost.private_b / 1e6:.1f}", f"{cost.cpu_s_per_min:.3f}",
            f"{cost.wakeups_per_s:.1f}")
