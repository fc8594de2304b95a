"""An example of each message, made by the agent's own structs where a device sends it."""
import json
from typing import Any

from msgspec import Struct

from agent.core.contract import wire
from agent.core.contract.wire.commands import COMMANDS
from scripts.contract.channels import ORDER

DEV, BOOT, ULID = "c-7f3a9c21b04d", "9f2c1a7e", "01KAV0Z6V6M3W2Q8T1B7N5D4XE"
WALL_MS, MONO_MS = 1_795_561_250_123, 864_123_400
DIGEST = 64 * "9"
IN_EFFECT = {"health_int_s": 60, "retention_d": 10, "log_level": "info"}
CLIP = wire.ClipRef(id="gate-9f2c1a7e-000412", bytes=3_145_728)

STATUS = {
    "online": wire.Status(v=1, online=True, boot=BOOT, conn=184, ts=WALL_MS, clock="ntp", mode="active"),
    "lost": wire.Status(v=1, online=False, boot=BOOT, conn=184, why="lost"),
}
BIRTH = wire.Birth(
    v=1, boot=BOOT, conn=184, mono_ms=MONO_MS, clock="ntp", ts=WALL_MS, agent="0.1.0", seq_next=10_482, outbox_n=0,
    os="debian-13 6.12.47 aarch64", hw="Raspberry Pi Zero 2 W Rev 1.0", site="HH-07-0412",
    schemas={"status": 1, "birth": 1, "health": 1, "evt": 1, "cmd": 1, "cfg": 1}, caps=[],
    cams=[wire.BirthCamera(c="gate", src="picamera", w=1280, h=720, fps_set=15, codec="h264")])
HEALTH = wire.Health(
    v=1, seq=12, boot=BOOT, clock="ntp", mono_ms=MONO_MS, int_s=30, ts=WALL_MS, up_s=864_130, cpu_pct=23.5, load1=0.71,
    mem_avail_b=187_432_960, rss_b=98_566_144, soc_temp_c=61.3, throttle=0, volt_low=False,
    disk_free_b=21_474_836_480, disk_tot_b=31_268_536_320, card_life_d=(900, 2700), clips_n=412, outbox_n=0,
    outbox_old_s=0, rssi_dbm=-61, mqtt_rc_n=3,
    cams=[wire.HealthCamera(c="gate", st="ok", fps=14.97, fps_set=15, kbps=1180, mot_n=37, last_s=0.1)],
    roles={"capture": "ok", "keeper": "ok", "link": "ok", "web": "ok"},
    cond=[wire.HealthCondition(code="hot", sev="warn")],
    ledger=wire.LedgerHead(n=412, head="9f2c1a7e00aa4b5561031946c0ff7300", key="6103194624c0ff73"))

HAPPENINGS: dict[str, tuple[str | None, Struct]] = {        # by kind: the camera, and the data
    "motion": ("gate", wire.MotionData(
        event=77, phase="end", start_ms=MONO_MS - 20_000, dur_ms=20_000, score=0.42, zones=["driveway"], tracks_n=1,
        boxes=[[0.412, 0.3, 0.06, 0.21]], path=[[0, 1, 412, 300, 60, 210], [4, 1, 431, 302, 61, 212]], clip=CLIP)),
    "label": ("gate", wire.LabelData(event=77, label="person", score=0.873)),
    "tamper": ("gate", wire.TamperData(
        event=78, code="covered", phase="start", start_ms=MONO_MS - 4_000, strength=0.97,
        detail="Something covers the camera.")),
    "clip": ("gate", wire.ClipData(
        id=CLIP.id, start_ms=MONO_MS - 25_000, dur_ms=25_000, bytes=3_145_728, frames=375, codec="h264", width=1280,
        height=720, events=[77])),
    "camera": ("gate", wire.CameraData(
        code="camera_unreachable", phase="end", detail="It answers again.", gap_s=41.5)),
    "storage": (None, wire.StorageData(code="card_full", phase="start", lost_n=1)),
    "clock": (None, wire.ClockData(
        code="sync", utc_ms=WALL_MS, offset_ms=WALL_MS - MONO_MS, step_ms=-312, err_ms=40)),
    "security": (None, wire.SecurityData(code="retained", n=3, detail="command")),
    "command": (None, wire.CommandData(id=ULID, name="rebirth", st="done", by="w07/officer-118")),
    "config": (None, wire.ConfigData(ver=WALL_MS, cfg={"health_int_s": 60, "retention_d": 30},
                                     clamped={"retention_d": "household"})),
    "consent": ("gate", wire.ConsentData(request=ULID, code="approved", by="page", case="W07-2026-0093")),
    "delivery": ("gate", wire.DeliveryData(request=ULID, bytes=62_914_560, sha256=DIGEST, case="W07-2026-0093",
                                           manifest=DIGEST)),
    "gap": (None, wire.GapData(code="outbox_full", missing=[(9_001, 9_120)], n=120, hours=[
        wire.Hour(c="gate", boot=BOOT, mono_ms=860_000_000, motion_n=60, dur_ms=540_000)])),
    "health_hist": (None, HEALTH),
}

SIGNED = {"kid": "w07-2026", "sig": 86 * "A" + "=="}       # the form of a signature, not one
FROM_WARD: dict[str, dict[str, Any]] = {
    "ack": {"v": 1, "upto": 10_481, "also": [10_484], "reject": [{"seq": 10_479, "code": "schema"}],
            "top": 10_484},
    "command": {"v": 1, "id": ULID, "iat": WALL_MS, "exp": WALL_MS + 86_400_000, "by": "w07/officer-118", "args": {}},
    "ward-state": {"v": 1, "online": True},
}
WANTED = {"cam": "gate", "case": "W07-2026-0093", "purpose": "theft", "officer": "Tran Van B", "receipt_key": DIGEST,
          "basis": "Criminal Procedure Code 2015, article 107", "upload": "https://ward07.example.invalid:8443/exports"}
ARGS: dict[str, dict[str, Any]] = {
    "replay": {"from": 10_470, "to": 10_480}, "time_hint": {"utc_ms": WALL_MS}, "restart": {"role": "capture"},
    "set": {"health_int_s": 60, "retention_d": 30},
    "update": {"version": "0.2.0", "url": "https://ward07.example.invalid:8444/taimat_0.2.0_arm64.update",
               "sha256": DIGEST, "bytes": 81_788_928},
    "snapshot": WANTED, "clip.cancel": {"request": ULID},
    "keys.change": {"ver": WALL_MS, "current": DIGEST, "next": 64 * "7"},
    "clip.export": WANTED | {"from": "2026-11-24T21:00:00Z", "to": "2026-11-24T21:15:00Z"},
}


def _plain(payload: Struct) -> dict[str, Any]:
    """As it is on the wire."""
    return json.loads(wire.encode(payload))


def _event(kind: str, camera: str | None, data: Struct) -> dict[str, Any]:
    entry = wire.Entry(10_481, kind, camera, BOOT, MONO_MS, WALL_MS, "ntp", wire.encode(data).decode())
    return json.loads(wire.cloud_event("w07", DEV, entry, hist=kind == "health_hist"))


FROM_DEVICE: dict[str, dict[str, Any]] = {
    "status": {name: _plain(each) for name, each in STATUS.items()},
    "birth": {"birth": _plain(BIRTH)},
    "health": {"health": _plain(HEALTH)},
    "evt": {kind: _event(kind, *told) for kind, told in HAPPENINGS.items()},
    "response": {"done": _plain(wire.Response(v=1, id=ULID, st="done", ts=WALL_MS)),
                 "refused": _plain(wire.Response(v=1, id=ULID, st="refused", code="retained", ts=WALL_MS))},
    "cfg-reported": {"cfg-reported": _plain(wire.Reported(v=1, ver=WALL_MS, cfg=IN_EFFECT,
                                                          clamped={"retention_d": "household"}))},
}


def samples(message: str) -> dict[str, Any]:
    """Examples of a message by their names; `message` is a payload's name, or an order's."""
    if message.startswith(ORDER):
        return {message: _order(message.removeprefix(ORDER))}
    return FROM_DEVICE.get(message) or {message: FROM_WARD[message]}


def _order(name: str) -> dict[str, Any]:
    order = FROM_WARD["command"] | {"args": ARGS.get(name, {})}
    return order | {"dev": DEV, "name": name, **SIGNED} if COMMANDS[name].signed else order
