"""What a simulated device sends, as large as a real one's: two cameras, a gate and a yard, and people who pass."""
import random

from agent import __version__
from agent.core.contract import wire
from agent.core.contract.wire.events import encode
from agent.host.clock import Clock, Instant
from agent.mqtt.messages import Outgoing
from agent.mqtt.session import Session

STATUS_LIVES_S, STATUS_EVERY_S = 1200, 600.0
SCHEMAS = {"status": 1, "birth": 1, "health": 1, "evt": 1, "cmd": 1}
CAMERAS = ("gate", "yard")
HEAD = wire.LedgerHead(n=10481, head="5d1b0c3f7a9e24468ac0e1f3b5d79b02", key="3f9a0c77d1e2")
PATH = [[ds, 1, 120 + 9 * ds, 400 + 2 * ds, 85, 240] for ds in range(0, 60, 5)]


def status(now: Instant, conn: int, online: bool) -> bytes:
    """`status`; offline, it is the will's."""
    if not online:
        return encode(wire.Status(v=wire.VERSION, online=False, boot=now.boot, conn=conn, why="lost"))
    return encode(wire.Status(v=wire.VERSION, online=True, boot=now.boot, conn=conn, ts=now.wall_ms, clock=now.clock,
                              mode="active"))


def birth(now: Instant, conn: int, seq_next: int, outbox_n: int) -> bytes:
    """`birth`."""
    cameras = [wire.BirthCamera(c=name, src="rtsp", w=1920, h=1080, fps_set=15, codec="h264") for name in CAMERAS]
    return encode(wire.Birth(
        v=wire.VERSION, boot=now.boot, conn=conn, mono_ms=now.mono_ms, clock=now.clock, ts=now.wall_ms,
        agent=__version__, schemas=SCHEMAS, caps=[], cams=cameras, seq_next=seq_next, outbox_n=outbox_n,
        os="debian-13 6.12.47 aarch64", hw="Raspberry Pi 4 Model B Rev 1.5", site="HH-07-0412",
        cfg_sha256="9f2c1a7e5d1b0c3f7a9e24468ac0e1f39f2c1a7e5d1b0c3f7a9e24468ac0e1f3",
        cert_not_after="2028-11-25T08:00:00Z"))


def health(now: Instant, seq: int, every_s: int, outbox_n: int, reconnects_n: int) -> bytes:
    """`health`."""
    cameras = [wire.HealthCamera(c=name, st="ok", fps=14.97, fps_set=15, drop_n=0, kbps=1180, mot_n=37, luma=96,
                                 last_s=0.1, gaps_n=2, gap_s=11.5, rec=False, kept_d=13.2) for name in CAMERAS]
    return encode(wire.Health(
        v=wire.VERSION, seq=seq, boot=now.boot, clock=now.clock, mono_ms=now.mono_ms, int_s=every_s, ts=now.wall_ms,
        clk_err_ms=12, up_s=now.mono_ms // 1000, cpu_pct=23.5, load1=0.71, mem_avail_b=187_432_960, rss_b=98_566_144,
        soc_temp_c=61.3, throttle=0, disk_free_b=21_474_836_480, disk_tot_b=31_268_536_320, disk_wr_b=84_825_604_096,
        clips_n=412, clips_b=9_793_699_840, outbox_n=outbox_n, rssi_dbm=-61, net_tx_b=734_003_200,
        net_rx_b=93_415_538_688, mqtt_rc_n=reconnects_n, cams=cameras,
        roles={"capture": "ok", "keeper": "ok", "link": "ok", "web": "ok"}, ledger=HEAD))


def motion(now: Instant, event: int) -> str:
    """The data of an event, as the outbox keeps it: somebody was at the gate for 20 s."""
    return encode(wire.MotionData(
        event=event, phase="end", start_ms=max(0, now.mono_ms - 20_000), dur_ms=20_000, score=0.42, zones=["driveway"],
        tracks_n=1, boxes=[[0.31, 0.42, 0.085, 0.24]], path=PATH,
        clip=wire.ClipRef(id=f"gate-{now.boot}-{event:06d}", bytes=3_145_728), detector="2",
        settings="5d1b0c3f7a9e")).decode()


class Reports:
    """A device's status, birth and health: what it sends by itself, and when."""

    def __init__(self, topics: wire.Topics, clock: Clock, every_s: int) -> None:
        """`every_s` is the interval of health reports. Nothing is due before `come_up`."""
        self._topics, self._clock, self._every_s = topics, clock, every_s
        self._health_mono_s = self._status_mono_s = float("inf")
        self._conn = self._health_seq = 0
        self.silent = False                     # no health: then what is on its way can be counted

    def will(self) -> Outgoing:
        """The will of the next connection."""
        self._conn += 1
        return Outgoing(self._topics.status, status(self._clock.now(), self._conn, online=False), retain=True)

    def come_up(self, session: Session, seq_next: int, outbox_n: int) -> None:
        """Send the birth; status and health are due now."""
        payload = birth(self._clock.now(), self._conn, seq_next, outbox_n)
        session.post(Outgoing(self._topics.birth, payload, retain=True))
        self._health_mono_s = self._status_mono_s = float("-inf")

    def be_silent(self, silent: bool) -> None:
        """Stop health, or begin again at a random moment of the interval, as real devices do."""
        self.silent = silent
        self._health_mono_s = self._clock.mono_s() + self._every_s * random.random()

    def wait_s(self, now_mono_s: float) -> float:
        """Seconds until health is due. A status is sent with the health that follows."""
        return float("inf") if self.silent else self._health_mono_s - now_mono_s

    def send_due(self, session: Session, now: Instant, outbox_n: int) -> int:
        """Send what is due; returns the number of health reports."""
        now_mono_s = now.mono_ms / 1000
        if now_mono_s >= self._status_mono_s:
            self._status_mono_s = now_mono_s + STATUS_EVERY_S
            online = status(now, self._conn, online=True)
            session.post(Outgoing(self._topics.status, online, retain=True, expiry_s=STATUS_LIVES_S))
        if now_mono_s < self._health_mono_s or self.silent:
            return 0
        self._health_mono_s = now_mono_s + self._every_s
        self._health_seq += 1
        report = health(now, self._health_seq, self._every_s, outbox_n, max(0, session.connects_n - 1))
        session.post(Outgoing(self._topics.health, report, qos=0, retain=True, expiry_s=3 * self._every_s))
        return 1
