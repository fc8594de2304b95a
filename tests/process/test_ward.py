"""The whole agent and a real broker: every event reaches the ward once by its id, through kills on every side."""
import os
import random
import signal
import time
from pathlib import Path
from typing import Any

from tests.process.agent import Agent
from tests.rigs.cameras import footage
from tests.rigs.mqtt.broker import Broker
from tests.rigs.wait import free_port, until
from tests.rigs.ward.contract import Ear, breaches
from tests.rigs.ward.receiver import Ingest

CONFIG = '''
[[camera]]
name = "gate"
source = "file:{path}"
loop = true
pre_roll_s = 1
max_clip_s = 10
[ward]
enabled = true
ward = "w07"
host = "127.0.0.1"
port = {broker}
tls = false
delivery = "{delivery}"
health_every_s = 5
[web]
port = {web}
'''


def config(broker: int, delivery: str) -> str:
    return CONFIG.format(path=footage.clip(320, 180, 10, 10, 300), broker=broker, web=free_port(), delivery=delivery)


def kinds(ingest: Ingest) -> list[tuple[str, int]]:
    """Kind and number (the event's or the clip's) of all that reached the ward, in order."""
    return [(event["data"]["kind"], event["data"].get("event", 0)) for event in ingest.events()]


def sees(health: dict[str, Any]) -> bool:
    """Whether the health report has a camera that is past its start."""
    return any(camera["st"] != "starting" for camera in health.get("cams", ()))


def test_events_reach_the_ward_once_through_kills_of_broker_link_and_capture(tmp_path: Path):
    dice = random.Random(seed := random.randrange(1 << 30))
    print("seed", seed)
    with Broker(tmp_path) as broker, Ingest(broker.port, tmp_path) as ingest, \
            Agent(tmp_path, config(broker.port, "receipt"), joined=True) as agent:
        until(lambda: len(ingest.events()) >= 3, "the first event")
        for role in ("link", "capture"):
            time.sleep(dice.uniform(0, 3))
            os.kill(until(lambda role=role: agent.pids().get(role), role), signal.SIGKILL)
        broker.kill()
        offline_from = len(agent.events())
        until(lambda: len(agent.events()) > offline_from, "an event while the broker is away")
        broker.start()
        until(lambda: not agent.messages("motion") and not agent.messages("clip"), "the outbox is empty")
        agent.interrupt()
        rows = agent.events()
        started = [event["data"]["event"] for event in ingest.events()
                   if event["data"]["kind"] == "motion" and event["data"]["phase"] == "start"]
        waiting = [message["event"] for message in agent.messages("motion") if message["phase"] == "start"]
        # What has just come may still wait here for its receipt.
        assert len(started) == len(set(started)) and sorted({*started, *waiting}) == [event.id for event in rows]
        ends = [event["data"]["event"] for event in ingest.events()
                if event["data"]["kind"] == "motion" and event["data"]["phase"] == "end"]
        finished = [event.id for event in rows if event.state in ("done", "cut")]
        waiting = [message["event"] for message in agent.messages("motion") if message["phase"] == "end"]
        assert len(ends) == len(set(ends)) and sorted({*ends, *waiting}) == finished
        clips = {event["data"]["id"] for event in ingest.events() if event["data"]["kind"] == "clip"}
        assert clips | {message["id"] for message in agent.messages("clip")} == {clip.name for clip in agent.clips()}


def test_a_plain_broker_gets_health_with_every_role_and_events_in_order(tmp_path: Path):
    with Broker(tmp_path) as broker, Ear(broker.port) as ear, \
            Ingest(broker.port, tmp_path, receipts=False) as ingest, Agent(tmp_path, config(broker.port, "puback")):
        health = until(lambda: (h := ingest.last("health")) and len(h.get("roles", {})) >= 4 and sees(h) and h,
                       "health of all roles, with a camera that is past its start")
        assert set(health["roles"].values()) == {"ok"} and health["cams"][0]["st"] == "ok"
        assert health["disk_free_b"] > 0 and "soc_temp_c" not in health or health["soc_temp_c"] > 0
        until(lambda: ("clip", 0) in kinds(ingest), "a clip is announced")
        seqs = [event["seq"] for event in ingest.events()]
        assert seqs == list(range(1, len(seqs) + 1))
        assert ingest.last("status")["online"] is True
        assert until(lambda: ingest.last("birth")["cams"], "a birth that knows the camera")[0]["codec"] == "h264"
        assert not breaches(ear.heard), "what the contract in docs/reference does not say"
