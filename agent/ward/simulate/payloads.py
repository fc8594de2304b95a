"""What a device of ours says, as large as in life: a yard and a gate that are looked at, people who come and go."""
from agent import __version__
from agent.core.contract import wire
from agent.core.contract.wire.events import encode
from agent.host.clock import Instant

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
