"""One turn at the cameras: who takes it, and what it took, alone on the machine.

F is `ffmpeg -rtsp_transport tcp -c copy -f segment` on one camera's main stream: it receives and writes, and does
nothing else, the least that any recorder pays on this machine. It runs alone, before each turn and after the last one.
Beside other work the same code takes less CPU, because it then meets warmer caches; one turn has F beside it to show
by how much.
"""
import contextlib
import http.client
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple

from agent.host.clock import SystemClock
from agent.store.database import connect
from agent.store.decisions import browsers
from agent.store.decisions import database as decisions
from agent.store.folders import Folders
from agent.web.server.access import COOKIE
from agent.web.server.sleep import PORTER
from scripts.benches import needs, streams
from scripts.benches.copied import Interpreter
from scripts.benches.device import Device, device, network, roles
from scripts.benches.latency import subscriber
from scripts.benches.others import others
from scripts.benches.processes import (
    BenchError,
    bytes_under,
    cpu_s,
    memory_b,
    own_cpu_s,
    running,
    wait_until,
    wakeups_n,
)
from tests.rigs.cameras.rtsp import RtspCamera
from tests.rigs.house.phone import reading
from tests.rigs.mqtt.broker import Broker
from tests.rigs.wait import accepts

ROLES = ("capture", "keeper", "link", "web")
START_S = 150
LEAST_SHARE = 0.7           # of the main streams' bytes; who always records and wrote less did not do its work
MOTION_OFF = "\n[camera.motion]\nenabled = false"
WATCHED = "/live/gate-1.mp4"
# As the household would set it: by its own defaults motion looks at pictures of the same rate, and is silent half a
# minute after an event, as we are.
MOTION_CONF = """daemon off
setup_mode off
log_level 5
target_dir {folder}
netcam_url {sub}
netcam_high_url {main}
netcam_params rtsp_transport=tcp
netcam_high_params rtsp_transport=tcp
width 640
height 360
framerate 5
movie_output on
movie_passthrough on
movie_codec mp4
movie_max_time 60
picture_output off
pre_capture 3
post_capture 25
event_gap 8
webcontrol_port 0
stream_port 0
"""

Start = Callable[[Sequence[RtspCamera], Path, Interpreter], AbstractContextManager[dict[str, int]]]


class Rival(NamedTuple):
    """Who takes a turn, before which cameras."""

    name: str
    start: Start
    scene: str = "calm"
    cameras_n: int = 1
    with_sub: bool = True
    python: str = "copied"          # which of the bench's interpreters: "copied", "drowsy", "packaged" or "shared"
    beside_f: bool = False
    records: bool = True            # all the time
    warm_s: float = 8
    long_s: float = 16


class RoleCost(NamedTuple):
    """What one process holds and takes, its children with it."""

    cpu_s_per_min: float
    wakeups_per_s: float
    pss_b: float
    private_b: float


class Turn(NamedTuple):
    """One turn: each process by its role, F before and after it, and the share of the machine that others took."""

    roles: dict[str, RoleCost]
    floor_cpu_s_per_min: float
    mb_per_min: float
    others: float

    @property
    def cpu_s_per_min(self) -> float:
        """Of all processes."""
        return sum(cost.cpu_s_per_min for cost in self.roles.values())

    @property
    def floors(self) -> float:
        """The same in F."""
        return self.cpu_s_per_min / self.floor_cpu_s_per_min

    @property
    def pss_mb(self) -> float:
        """Of all processes but the supervisor, whose place systemd takes on a device."""
        return sum(cost.pss_b for role, cost in self.roles.items() if role != "supervisor") / 1e6


@contextlib.contextmanager
def floor(server: RtspCamera, place: Path) -> Iterator[int]:
    """F's process id while it runs."""
    place.mkdir(parents=True)
    command = ["ffmpeg", "-v", "error", "-nostdin", "-rtsp_transport", "tcp", "-i", server.url, "-c", "copy",
               "-f", "segment", "-segment_time", "60", "-reset_timestamps", "1", place / "%d.mp4"]
    with running("ffmpeg", command, place) as pid:
        yield pid


def floor_alone(place: Path, warm_s: float, long_s: float) -> float:
    """F's CPU in seconds a minute, with nothing beside it but its camera. Raises BenchError when it ends by itself."""
    with streams.camera("street", with_sub=False) as server, floor(server, place) as pid:
        time.sleep(warm_s)
        began_s, before_s = time.monotonic(), cpu_s(pid)
        time.sleep(long_s)
        return (cpu_s(pid) - before_s) * 60 / (time.monotonic() - began_s)


@contextlib.contextmanager
def motion(servers: Sequence[RtspCamera], place: Path, _: Interpreter) -> Iterator[dict[str, int]]:
    """Debian's motion: looks at the sub-streams, writes the main streams as they come while something moves."""
    for number, server in enumerate(servers):
        text = MOTION_CONF.format(folder=place, main=server.url, sub=server.sub_url)
        (place / f"camera{number}.conf").write_text(f"camera_id {number + 1}\n{text}" if number else text)
    others_too = "".join(f"camera {place}/camera{number}.conf\n" for number in range(1, len(servers)))
    (place / "motion.conf").write_text((place / "camera0.conf").read_text() + others_too)
    with running("motion", [needs.MOTION, "-n", "-c", place / "motion.conf"], place) as pid:
        yield {"motion": pid}


def whole(sub: bool = True, more: str = "", watched: bool = False, asleep: bool = False) -> Start:
    """The whole agent as `taimat run` starts it, all defaults, with a broker and a page.

    `more` is written into each [[camera]]; `watched` has a browser read a live picture. `asleep`: the turn begins when
    the page sleeps, for which a drowsy interpreter is needed.
    """
    @contextlib.contextmanager
    def start(servers: Sequence[RtspCamera], place: Path, python: Interpreter) -> Iterator[dict[str, int]]:
        with contextlib.ExitStack() as stack:
            broker = stack.enter_context(Broker(place / "broker"))
            stack.enter_context(subscriber(broker.port))        # else the outbox would grow
            bodies = [network(server, "continuous", sub=sub) + more for server in servers]
            mine = device(place / "device", bodies, broker, python=python)
            supervisor = stack.enter_context(mine.agent())
            wait_until(lambda: set(ROLES) <= set(roles(supervisor)), START_S, "all roles run", mine.log)
            wait_until(lambda: len([*mine.clips.rglob("*.part")]) >= len(servers), START_S, "clips are open", mine.log)
            if watched:
                stack.enter_context(viewer(mine))
            if asleep:
                wait_until(lambda: _sleeps(roles(supervisor)["web"]), START_S, "the page sleeps", mine.log)
            yield roles(supervisor)
    return start


def _sleeps(page: int) -> bool:
    return PORTER.name in Path(f"/proc/{page}/cmdline").read_text()


@contextlib.contextmanager
def viewer(mine: Device) -> Iterator[None]:
    """A paired browser reads a live picture meanwhile."""
    folders = Folders(mine.store)
    with contextlib.closing(decisions.connect(folders)) as own, contextlib.closing(connect(folders.root)) as db:
        token = browsers.pair(own, db, "the bench's", SystemClock().now())
    wait_until(lambda: accepts(mine.port), START_S, "the page answers", mine.log)
    line = http.client.HTTPConnection("127.0.0.1", mine.port, timeout=START_S)
    line.request("GET", WATCHED, headers={"cookie": f"{COOKIE}={token}"})
    answer = line.getresponse()
    if answer.status != 200:
        raise BenchError(f"{WATCHED}: {answer.status}")

    with reading(answer, WATCHED):
        yield
    line.close()


def take(rival: Rival, servers: Sequence[RtspCamera], place: Path, warm_s: float, long_s: float,
         python: Interpreter) -> Turn:
    """One turn, F not yet known. Raises BenchError when a process ends, or does not record what it should."""
    place.mkdir(parents=True)
    beside_f = floor(servers[0], place / "floor") if rival.beside_f else contextlib.nullcontext()
    with beside_f, rival.start(servers, place, python) as pids:
        time.sleep(warm_s)
        with others() as beside:
            before = _counted(pids, place)
            time.sleep(long_s)
            after = _counted(pids, place)
        held = {role: memory_b(pid) for role, pid in pids.items()}
    took_s = after[0] - before[0]
    spent = {role: RoleCost((after[1][role][0] - before[1][role][0]) * 60 / took_s,
                            (after[1][role][1] - before[1][role][1]) / took_s, held[role][0], held[role][1])
             for role in pids}
    written_b = after[2] - before[2]
    if rival.records and written_b < LEAST_SHARE * len(servers) * streams.MAIN[4] * 125 * took_s:
        raise BenchError(f"{rival.name} wrote {written_b} bytes in {took_s:.0f} s: that is not all of the streams")
    return Turn(spent, 0.0, written_b * 60e-6 / took_s, beside.share)


def _counted(pids: dict[str, int], place: Path) -> tuple[float, dict[str, tuple[float, int]], int]:
    """When, CPU and wake-ups by role, and bytes written by all but F."""
    by_role = {role: _of(role, pid) for role, pid in pids.items()}
    return time.monotonic(), by_role, bytes_under(place) - bytes_under(place / "floor")


def _of(role: str, pid: int) -> tuple[float, int]:
    """CPU and wake-ups of one process and its children; the supervisor's are roles of their own."""
    if role == "supervisor":
        return own_cpu_s(pid), wakeups_n(pid, alone=True)
    return cpu_s(pid), wakeups_n(pid)
