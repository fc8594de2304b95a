"""What a household pays: the whole agent, all defaults, against `ffmpeg -c copy` (F) and Debian's motion.

Everybody takes turns, round by round, each alone on the machine with the cameras' servers and a broker. Encryption is
on, and nobody looks at the page but in the turn of the viewer. CPU is user and system time of all processes, after a
warm-up. The agent runs from a copy of interpreter, packages and sources (scripts/benches/copied.py), so PSS counts
their pages whole.
"""
import contextlib
import http.client
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median

from scripts.benches import needs, streams
from scripts.benches.copied import DROWSY_S, Interpreter, copied, ordinary
from scripts.benches.others import SHARE_MAX
from scripts.benches.plan import Plan, tell
from scripts.benches.processes import BenchError
from scripts.benches.table import Bar, Spread, Table, Verdict
from scripts.benches.turn import MOTION_OFF, ROLES, Rival, RoleCost, Turn, floor_alone, motion, take, whole
from tests.rigs.cameras.rtsp import RtspCamera

LEAST_ROUNDS_N, TRIES_N = 3, 3
SPARES_N = 3                # turns that are taken again in a run because others were at work
FLOOR_WARM_S, FLOOR_LONG_S = 1.0, 5.0
ASLEEP = ("keeper", "link", "web")      # with nobody who looks
CALM = Rival("taimat, calm", whole(), long_s=20)
CALM_MOTION = Rival("motion, calm", motion, records=False)
STREET = Rival("taimat, street", whole(), "street", long_s=20)
STREET_MOTION = Rival("motion, street", motion, "street", records=False)
PEOPLE = Rival("taimat, people and cars", whole(), "people")
NO_SUB = Rival("taimat, street, no sub-stream, from the 20th second on", whole(sub=False), "street", with_sub=False,
               warm_s=20, long_s=16)
OFF = Rival("taimat, motion switched off", whole(more=MOTION_OFF), warm_s=6, long_s=12)
WATCHED = Rival("taimat, calm, page open with a live picture", whole(watched=True))
PAGE_ASLEEP = Rival("taimat, calm, the page asleep", whole(asleep=True), python="drowsy")
PACKAGED = Rival("taimat, calm, the page asleep, under Debian's Python", whole(asleep=True), python="packaged")
BESIDE = Rival("taimat, calm, beside F, files shared with the bench", whole(), python="shared", beside_f=True)
FOUR = Rival("taimat, calm, 4 cameras", whole(), cameras_n=4)
FOUR_MOTION = Rival("motion, calm, 4 cameras", motion, cameras_n=4, records=False)
RIVALS = (CALM, CALM_MOTION, STREET, STREET_MOTION, PEOPLE, NO_SUB, OFF, WATCHED, PAGE_ASLEEP, PACKAGED, BESIDE, FOUR,
          FOUR_MOTION)
Turns = dict[str, list[Turn]]


def run(plan: Plan) -> Iterator[Table]:
    """Measure, and give the tables."""
    needs.demand(needs.motion, needs.mosquitto, needs.packaged)
    rounds_n, turns = plan.rounds(LEAST_ROUNDS_N), {rival.name: list[Turn]() for rival in RIVALS}
    for scene in {rival.scene for rival in RIVALS}:
        with streams.camera(scene):
            pass                                    # its films are made before anything is measured
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="taimat-bench-")))
        pythons = {"copied": stack.enter_context(copied(sys.executable)), "shared": ordinary(sys.executable),
                   "drowsy": stack.enter_context(copied(sys.executable, drowsy=True)),
                   "packaged": stack.enter_context(copied(needs.PACKAGED, drowsy=True))}
        rounds = _Rounds(folder, pythons, plan)
        for number in range(rounds_n):
            for rival in RIVALS:
                tell(f"cost: round {number + 1} of {rounds_n}, {rival.name}")
                turns[rival.name].append(rounds.turn(rival))
    yield one_camera(turns)
    yield several(turns)
    yield by_role(turns)


class _Rounds:
    """Turns one after the other, with F between them."""

    def __init__(self, folder: Path, pythons: Mapping[str, Interpreter], plan: Plan) -> None:
        self._folder, self._pythons, self._plan = folder, pythons, plan
        self._spares_n, self._taken_n = 0 if plan.quick else SPARES_N, 0
        self._floor = self._measured_floor()

    def turn(self, rival: Rival) -> Turn:
        """One turn; once more if others were at work, and spare turns are left."""
        turn = self._one(rival)
        if turn.others > SHARE_MAX and self._spares_n:
            self._spares_n -= 1
            tell(f"others took {100 * turn.others:.0f} % of the machine: once more")
            turn = self._one(rival)
        return turn

    def _one(self, rival: Rival) -> Turn:
        """A turn before cameras of its own, because none may have another's viewers. If it fails, it is repeated."""
        warm_s, long_s = rival.warm_s, self._plan.seconds or rival.long_s
        if self._plan.quick:
            warm_s, long_s = (warm_s if rival is NO_SUB else 4.0), self._plan.seconds or 6.0
        failures: list[str] = []
        while len(failures) < TRIES_N:
            try:
                with _cameras(rival) as servers:
                    turn = take(rival, servers, self._place(), warm_s, long_s, self._pythons[rival.python])
                before, self._floor = self._floor, self._measured_floor()
                return turn._replace(floor_cpu_s_per_min=(before + self._floor) / 2)
            except (BenchError, OSError, RuntimeError, AssertionError, http.client.HTTPException) as error:
                failures.append(str(error))
                tell(f"{rival.name}, once more: {error}")
        raise BenchError(f"{rival.name}: {failures[-1]}")

    def _measured_floor(self) -> float:
        return floor_alone(self._place(), FLOOR_WARM_S, 2.0 if self._plan.quick else FLOOR_LONG_S)

    def _place(self) -> Path:
        self._taken_n += 1
        return self._folder / str(self._taken_n)


@contextlib.contextmanager
def _cameras(rival: Rival) -> Iterator[Sequence[RtspCamera]]:
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(streams.camera(rival.scene, with_sub=rival.with_sub))
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
    return median((more - less) / (FOUR.cameras_n - 1) for less, more in zip(one.values, many.values, strict=True))


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
    table.notes.append(f"F: {unit.text()} CPU s/min, alone before and after each turn; {len(turns[CALM.name])} rounds, "
                       "medians (min-max); taimat records all the time, motion while something moves")
    return table


def _plain(turn: Turn) -> dict[str, object]:
    return {**turn._asdict(), "roles": {role: cost._asdict() for role, cost in turn.roles.items()}}


def one_camera(turns: Turns) -> Table:
    """All that one camera may mean."""
    rivals = [rival for rival in RIVALS if rival.cameras_n == 1]
    table = _table("One camera: 1080p15, 2 Mbit/s, GOP 30, and a 640x360 sub-stream at 5 fps with P-frames of 2 to 3 "
                   "kB; RTSP over TCP; leaves, a sensor's grain, a clock in the picture; street is calm with wind",
                   turns, rivals)
    for rival, limit in ((CALM, 2.5), (STREET, 3.0), (PEOPLE, 4.0), (NO_SUB, 4.5), (OFF, 1.5)):
        table.verdicts.append(Verdict(rival.name, limit, "F", _floors(turns, rival).median, _doubt(turns, rival)))
    capture = _spread(turns, STREET, lambda turn: turn.roles["capture"].cpu_s_per_min / turn.floor_cpu_s_per_min)
    table.verdicts.append(Verdict("capture alone, street", 2.4, "F", capture.median, _doubt(turns, STREET)))
    for name, mine, theirs, limit in (("calm", CALM, CALM_MOTION, 0.85), ("street", STREET, STREET_MOTION, 0.95)):
        against = _cpu(turns, mine).over(_cpu(turns, theirs)).median
        table.verdicts.append(Verdict(f"taimat against motion, {name}", limit, "x", against,
                                      _doubt(turns, mine, theirs)))
    table.verdicts.append(Verdict("web, link and keeper, calm", 8, "wake-ups/s",
                                  _wakeups(turns, CALM, *ASLEEP).median, _doubt(turns, CALM)))
    table.notes.append("every target is judged alone on the machine; the same code is cheaper beside F, which keeps "
                       "caches warm: the last row")
    table.notes.append("warmed: bytecode is made beforehand, as an installation makes it, and files are in the page "
                       "cache; each turn is a fresh start on an empty store")
    table.bars = [Bar(rival.name, _floors(turns, rival).median, rival.name.partition(",")[0]) for rival in rivals]
    table.scale = "x F"
    return table


def several(turns: Turns) -> Table:
    """What each further camera costs."""
    rivals = (CALM, FOUR, CALM_MOTION, FOUR_MOTION)
    table = _table("Several cameras: calm scenes, a server for each", turns, rivals)
    against = _cpu(turns, FOUR).over(_cpu(turns, FOUR_MOTION)).median
    doubt = _doubt(turns, CALM, FOUR)
    table.verdicts += [
        Verdict("four cameras against motion", 0.7, "x", against, _doubt(turns, FOUR, FOUR_MOTION)),
        Verdict("each further camera, CPU", 1.3, "F", _a_further(_floors(turns, CALM), _floors(turns, FOUR)), doubt),
        Verdict("each further camera, memory", 7, "MB PSS", _a_further(_pss(turns, CALM), _pss(turns, FOUR)), doubt)]
    table.bars = [Bar(rival.name, _floors(turns, rival).median, rival.name.partition(",")[0]) for rival in rivals]
    table.scale = "x F"
    return table


def by_role(turns: Turns) -> Table:
    """What each role holds and takes with one calm camera."""
    table = Table("By role: one calm camera, a broker, a page at which nobody looks yet",
                  ("", "PSS MB", "private MB", "CPU s/min", "wake-ups/s"))
    rounds = turns[CALM.name]
    for role in (*ROLES, "supervisor"):
        costs = RoleCost(*(median(values) for values in zip(*(turn.roles[role] for turn in rounds), strict=True)))
        table.rows.append(_role_row(role, costs))
        table.bars.append(Bar(role, costs.pss_b / 1e6))
    table.rows += [_role_row("all four roles", _all_roles(rounds)),
                   _role_row("all four roles, page open", _all_roles(turns[WATCHED.name])),
                   _role_row("all four roles, page asleep", _all_roles(turns[PAGE_ASLEEP.name])),
                   _role_row("all four roles, page asleep, under Debian's Python", _all_roles(turns[PACKAGED.name])),
                   _role_row("all four roles, files shared with the bench", _all_roles(turns[BESIDE.name]))]
    table.figures = {role: rounds[-1].roles[role]._asdict() for role in (*ROLES, "supervisor")}
    table.verdicts += [Verdict(what, limit, "MB PSS", _pss(turns, rival).median, _doubt(turns, rival))
                       for what, limit, rival in (("all four roles, page asleep", 135, PAGE_ASLEEP),
                                                  ("all four roles, page asleep, Debian's Python", 135, PACKAGED),
                                                  ("all four roles, page open", 160, WATCHED))]
    less_mb = _pss(turns, CALM).median - _pss(turns, BESIDE).median
    table.notes.append("under systemd the page sleeps ten minutes after its last visitor; in the rows that say so it "
                       f"sleeps after {DROWSY_S:.0f} s")
    table.notes.append("on a device systemd takes the supervisor's place; PSS is of a copied interpreter with its "
                       f"packages: run from the bench's own files the same code seems {less_mb:.1f} MB smaller")
    table.scale = "MB PSS"
    return table


def _all_roles(rounds: Sequence[Turn]) -> RoleCost:
    return RoleCost(*(median(sum(turn.roles[role][at] for role in ROLES) for turn in rounds) for at in range(4)))


def _role_row(role: str, cost: RoleCost) -> tuple[str, ...]:
    return (role, f"{cost.pss_b / 1e6:.1f}", f"{cost.private_b / 1e6:.1f}", f"{cost.cpu_s_per_min:.3f}",
            f"{cost.wakeups_per_s:.1f}")
