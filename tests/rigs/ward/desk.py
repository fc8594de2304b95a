"""A ward with a desk for tests: broker, ingest, proxy and desk, with the rights and certificates of a real one."""
import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sql

from agent.core.contract.enrolment import Ready
from agent.ward import database, keys, register, ward_side
from agent.ward.device_cache import DeviceCache
from agent.ward.enrolment.book import CloneAlarm, DevicePlace, EnrolmentBook, IssuedCertificate
from agent.ward.register import Arrival
from agent.ward.requests import PictureRequests
from tests.rigs.mqtt.broker import Broker
from tests.rigs.mqtt.certified import certified, furnish, swapped
from tests.rigs.pki import Authority
from tests.rigs.wait import free_port, until
from tests.rigs.ward.answering_device import DEV
from tests.rigs.ward.ingest import WardIngest
from tests.rigs.ward.officers import OfficersDesk
from tests.rigs.ward.proxy import Proxy

URL = "https://ward.example:8443/exports"
SICK, ENROLLED, PLACE = "c-00000000000b", "c-00000000000c", "S-2"
BIRTH = ('{"boot":"b","conn":1,"mono_ms":1,"clock":"ntp","agent":"1.2.3","site":"%s","cert_not_after":'
         '"2028-01-02T00:00:00Z","cams":[{"c":"gate"},{"c":"yard <b>"}]}')
HEALTH = '{"seq":1,"boot":"b","clock":"%s","mono_ms":1,"int_s":3600,"cond":[%s],"cams":[{"c":"gate","st":"ok"}]}'
DAY_MS = 86_400_000


def now_ms() -> int:
    """By the machine's clock."""
    return time.time_ns() // 1_000_000


def report(cache: DeviceCache, dev: str, site: str, *, clock: str = "ntp", cond: str = "") -> None:
    """A device that is online, as the ingest keeps it."""
    at_ms = now_ms()
    status = ward_side.Status(online=True, boot="b", conn=1)
    birth = ward_side.Birth(boot="b", conn=1, mono_ms=1, clock=clock, agent="1")
    health = ward_side.Health(seq=1, boot="b", clock=clock, mono_ms=1, int_s=3600)
    for change in (lambda known: register.with_status(known, status, Arrival(at_ms)),
                   lambda known: register.with_birth(known, birth, BIRTH % site),
                   lambda known: register.with_health(known, health, HEALTH % (clock, cond), Arrival(at_ms))):
        cache.remember(dev, change, at_ms)


def enrol(folder: Path) -> None:
    """Two places: one whose device is enrolled and lacks a card, one whose claim somebody else has used, too."""
    at_ms = now_ms()
    folder.mkdir()
    with EnrolmentBook(folder).change() as entries:
        for serial, household in (("S-1", "Hộ bà Sáu"), (PLACE, "Hộ ông Bảy")):
            entries.expect(DevicePlace(serial=serial, site=f"HH-{serial}", household=household, title="Nhà"),
                           f"digest of {serial}", at_ms, at_ms + DAY_MS)
        claim, twice = entries.claim("digest of S-1"), entries.claim(f"digest of {PLACE}")
        assert claim and twice
        entries.grant(claim, "key", IssuedCertificate(number=7, dev=ENROLLED, serial="S-1", made_ms=at_ms,
                                                      until_ms=at_ms + 700 * DAY_MS))
        entries.note_ready(ENROLLED, Ready(camera=True, card=False, clock=True, broker=True,
                                           why={"card": "no card found in the reader"}), at_ms)
        entries.raise_alarm(CloneAlarm(serial=PLACE, code="claim_used", peer="10.0.0.9", first_ms=at_ms,
                                       last_ms=at_ms, times=1), twice, "another key")


@dataclass(frozen=True, slots=True)
class DeskWard:
    """What a test has of it."""

    desk: OfficersDesk
    config: Path
    requests: PictureRequests
    engine: sql.Engine
    authority: Authority
    broker: Broker
    folder: Path


@contextlib.contextmanager
def ward_with_desk(folder: Path) -> Iterator[DeskWard]:
    """Four devices: one well, one sick, one enrolled, one that has not come yet."""
    authority, broker = Authority(folder / "pki", "ward-ca"), Broker(folder / "broker")
    furnish(broker, "mosquitto.conf", authority, swapped("acl.in", {"@WARD@": "w07"}))
    proxy = Proxy(folder / "proxy", free_port(), folder / "intake.sock", authority, authority.issue("door"))
    for name in ("command.pem", "receipt.pem"):
        keys.make(folder / name)
    accounts = {name: 'cert = "{}"\nkey = "{}"'.format(*authority.issue(name)) for name in ("ops", "desk")}
    more = (f'[ops]\ncommand_key = "{folder}/command.pem"\n{accounts["ops"]}\n[desk]\nsocket = "{proxy.desk}"\n'
            f'{accounts["desk"]}\n[intake]\nurl = "{URL}"\nreceipt_key = "{folder}/receipt.pem"\n'
            f'folder = "{folder}/exports"\ncrl = "{authority.crl}"\n[authority]\nfolder = "{folder}/authority"\n'
            f'name = "Phường Bến Nghé"\nca = "{authority.ca}"')
    enrol(folder / "authority")
    with broker, proxy, WardIngest(folder / "ingest", broker.port, ward=certified(authority, "ingest"),
                                   more=more) as ingest, contextlib.ExitStack() as stack:
        until(lambda: "connected" in ingest.log.read_text())
        engine = database.open_engine(ingest.url)
        stack.callback(engine.dispose)
        cache = DeviceCache(engine)
        report(cache, DEV, "HH-9")
        report(cache, SICK, "HH-8", clock="unset", cond='{"code":"card_full","sev":"alarm"}')
        cache.commit()
        desk = stack.enter_context(OfficersDesk(ingest.config, authority, proxy))
        yield DeskWard(desk, ingest.config, PictureRequests(engine), engine, authority, broker, folder)
