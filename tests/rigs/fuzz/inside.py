"""What one role or a package's maker sends to another, as targets for a fuzzer: whoever it was may have been lost.

`SEEDS` has good inputs for each of `TARGETS`.
"""
import atexit
import contextlib
import functools
import json
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from agent.config.settings import Settings
from agent.core import json_door
from agent.core.contract import busy, enrolment, live, looks, still
from agent.core.contract.facts import Beat, CameraFacts, Message, Poke, ReachFacts, SoundFacts, speakers
from agent.core.evidence.ledger import seals, stretch
from agent.core.health.facts import Facts, HostFacts
from agent.core.health.machine import HealthMachine
from agent.core.health.report import Report, report
from agent.core.household.notifications import Progress
from agent.core.media.model import Packet, StreamInfo
from agent.core.release import ReleaseRefused
from agent.core.release import read as read_release
from agent.host.clock import Instant
from agent.host.setup_folders import SetupFolders
from agent.keeper.desk import DecisionDesk
from agent.keeper.ledger_writer import LedgerWriter
from agent.keeper.link_desk import LinkDesk
from agent.keeper.ward_signature import WardSignature
from agent.link.outbox_upkeep import OutboxBacklog
from agent.link.report import health
from agent.look import words
from agent.process.monitor import UnitHistory
from agent.store import link_questions
from agent.store.commands import Ordered
from agent.store.database import connect
from agent.store.decisions import browsers
from agent.store.decisions import database as decisions
from agent.store.folders import Folders
from agent.store.link_questions import LinkAnswer
from agent.store.notify import PlaceState
from agent.ward.enrolment import papers
from agent.web.health.health_page import health_of, health_view
from agent.web.server.render import HERE as WEB
from tests.core.ledger_material import week
from tests.core.package_material import hand_out
from tests.rigs.device.beats import own_facts

NOW = Instant("9f2c1a7e", 864_123_400, 1_795_561_300_000, "ntp")
NOW_S = NOW.mono_ms / 1000


class _Clock:
    def mono_s(self) -> float:
        return NOW_S

    def now(self) -> Instant:
        return NOW


def datagram(data: bytes) -> None:
    """A role's inbox: whatever is heard can be judged, sent to the ward and shown."""
    try:
        message = json_door.read(data, Message)
    except msgspec.DecodeError:
        return
    if not speakers(message) or not isinstance(message, Beat):
        return
    unit = UnitHistory(message.role, NOW_S)
    unit.receive(message, NOW_S)
    unit.receive(message, NOW_S)
    facts = Facts(host=HostFacts(clock="ntp"), units=(unit.facts(message.unit, NOW_S),), continuous=frozenset({"gate"}),
                  cameras_n=1)
    _, conditions = HealthMachine().step(facts, NOW_S)
    told: Report = report(facts, conditions, NOW_S)
    msgspec.json.encode(health(told, NOW, seq=1, every_s=30, backlog=OutboxBacklog(), reconnects_n=0))
    msgspec.json.encode(health_of(told, NOW))
    health_view(told, None, NOW, _words())


@functools.cache
def _words() -> words.PageWords:
    return words.load("vi", WEB / "i18n")


def desk(line: bytes) -> None:
    """The keeper's desk: an answer to every line, from the page's user and from the link's."""
    made, token = _desk()
    for user in (os.geteuid(), 65_534):
        json_door.read(made.answer(line.replace(b"TOKEN", token.encode()), user), dict[str, Any])


@functools.cache
def _desk() -> tuple[DecisionDesk, str]:
    """A desk on a store of its own, with an owner's browser."""
    place = Path(tempfile.mkdtemp(prefix="fuzz-"))
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    folders = Folders(place / "store").create()
    with contextlib.closing(decisions.connect(folders)) as own, contextlib.closing(connect(folders.root)) as db:
        db.signer = LedgerWriter(folders, _Clock(), own)
        token = browsers.pair(own, db, "phone", NOW, as_owner=True)
    return DecisionDesk(folders, _Clock(), WardSignature(Settings(), folders), SetupFolders.beside(place / "run"),
                        home=True), token


def link_desk(line: bytes) -> None:
    """The keeper's desk for the link: an answer to every line, and none but a refusal for another user."""
    assert b'"not_yours"' in _link_desk().answer(line, 65_534)
    json_door.read(_link_desk().answer(line, os.geteuid()), LinkAnswer)


@functools.cache
def _link_desk() -> LinkDesk:
    made, _ = _desk()
    return LinkDesk(made.folders, _Clock(), made.signature)


def capture(data: bytes) -> None:
    """What a camera's sockets answer to the page."""
    for read, refused in ((still.parse, msgspec.DecodeError), (busy.parse, msgspec.DecodeError),
                          (lambda each: [*live.Parser().feed(each)], live.LiveError)):
        with contextlib.suppress(refused):
            read(data)


def package(data: bytes) -> None:
    """An export, signed by whoever made it: findings, whatever it says."""
    with contextlib.suppress(ValueError, TypeError, KeyError, AttributeError, RecursionError):
        told = json.loads(data)
        manifest, ledger = told["manifest"].encode(errors="replace"), "\n".join(told["ledger"]).encode(errors="replace")
        device = _parcel().device
        small = _parcel().small | seals.signatures(manifest, bytes.fromhex(_parcel().told().key), device.key.sign)
        parcel = replace(_parcel(), manifest=manifest, ledger=[ledger], small=small)
        for finding in _checked(parcel):
            assert finding.says


def _checked(parcel: Any) -> Any:
    """Apart, so that no error of ours passes for one of the input's."""
    try:
        return parcel.check().findings
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise AssertionError(repr(error)) from error


@functools.cache
def _parcel() -> Any:
    return hand_out(week(), 0, 3)


def release(data: bytes) -> None:
    """A `release.json`, read behind its signature."""
    with contextlib.suppress(ReleaseRefused):
        read_release(data)


def bundle(data: bytes) -> None:
    """What lies on a card for a recorder's first start."""
    with contextlib.suppress(UnicodeDecodeError):
        text = data.decode()
        for parse in (enrolment.parse_bundle, enrolment.parse_card):
            with contextlib.suppress(enrolment.BundleError):
                parse(text)


CAMERA = CameraFacts(camera="gate", state="ok", source="rtsp", codec="h264", width=640, height=360, fps=14.5,
                     fps_set=15.0, audio=SoundFacts("recorded", "aac", 16_000), last_frame_age_s=0.1, luma_mean=80.0,
                     score=0.1, tampered=("covered",), recording=True, events_n=3, gap_s=1.5, ladder="driver",
                     ladder_n=1, paused_until_ms=NOW.wall_ms)
BEAT = Beat(role="capture", unit="capture@gate", pid=1, mono_s=NOW_S, up_s=60.0, rss_b=1, cpu_s=0.5, starts_n=3)
KEEPER = {"clips_n": 4, "clips_b": 5, "held_b": 1, "kept_days": {"gate": 3.5}, "clock_err_ms": 3, "deleted_n": 1,
          "card_fault": "card_io", "holds_over": "case", "ledger": {"n": 3, "head": "0" * 16, "key": "0" * 16},
          "lately": [[1, "ntp", 50.0, 1, 2, 3, True, None]]}
LINK = {"broker": "connected", "broker_detail": "x", "home": "off", "outbox_n": 3, "outbox_oldest_s": 5.5}
RELEASE = {"v": 2, "version": "0.2.0", "architecture": "arm64", "needs": {"python": "3.11", "schema": 13, "units": 1},
           "trees": {"agent": "0" * 64, "libraries": "1" * 64}}
OF_BROWSER = (
    {"ask": "know"}, {"ask": "browsers"}, {"ask": "requests"}, {"ask": "sharing"}, {"ask": "setup", "over": False},
    {"ask": "pause", "cameras": ["gate"], "paused": True, "length_ms": 60_000}, {"ask": "unpair", "which": "0" * 12},
    {"ask": "request", "request": "01JDX0000000000000000000AB", "digest": "0" * 64, "code": "approved"},
    {"ask": "role", "which": "0" * 12, "role": "owner"}, {"ask": "new_code"}, {"ask": "try_notify", "to": "Mai"},
    {"ask": "settings", "change": {"change": "change_camera", "name": "gate", "title": "x"}},
    {"ask": "join", "ward": "w07", "text": 1}, {"ask": "seen", "events": [1, 2]},
    {"ask": "hold", "camera": "gate", "begin_ms": 1, "end_ms": 2, "note": "x", "days": 3},
    {"ask": "release", "camera": "gate", "begin_ms": 1, "end_ms": 2, "note": "x"},
    {"ask": "erase", "camera": "gate", "begin_ms": 1, "end_ms": 2, "digest": "0" * 64})
QUESTIONS = (*(each | {"token": "TOKEN"} for each in OF_BROWSER),
             {"ask": "pair", "code": "7K2MQ9XD", "browser": "phone"}, {"ask": "link", "link": "x", "browser": "phone"},
             {"ask": "home", "camera": "gate", "paused": True}, {"ask": "home_picture", "camera": "gate"},
             {"ask": "notify", "to": "Mai", "event": 1, "events_n": 2}, {"ask": "keys", "command": "{}"},
             {"ask": "code", "code": "7K2MQ9XD"})

ORDERED = Ordered("01KAV0Z6V6M3W2Q8T1B7N5D4XE", "clip.export", "ops", "accepted", b'{"st":"accepted"}', True, "ops",
                  b"42", NOW)
LINK_QUESTIONS = (
    link_questions.count_connection(), link_questions.settle_messages([1, 2]),
    link_questions.settle_messages([1], "schema"),
    link_questions.tell_ward("security", '{"code":"x"}'), link_questions.fold_outbox(0),
    link_questions.settle_deferred(),
    link_questions.overtake(9, [1], [2]), link_questions.note_command(ORDERED),
    *(link_questions.finish_command(replace(ORDERED, name=name), "done", None, {"a": 1}, json.dumps(
        {"id": ORDERED.id, "iat": 1, "exp": 2, "name": name, "args": given}).encode()) for name, given in (
            ("replay", {"from": 1, "to": 9}), ("clip.cancel", {"request": ORDERED.id}), ("snapshot", {}),
            ("set", {"retention_d": 3}))),
    link_questions.got_answer("x"), link_questions.close_interrupted(), link_questions.follow_commands("requests"),
    link_questions.end_request("x", "", "{}"), link_questions.end_request("x", "undelivered"),
    link_questions.note_upload("x", 5),
    link_questions.move_update("x", "failed", "download"), link_questions.approve_update(),
    link_questions.keep_notified({"Mai": PlaceState(progress=Progress(after_id=1))}), link_questions.show_home(None))

TARGETS: dict[str, Callable[[bytes], None]] = {
    "datagram": datagram, "desk": desk, "link_desk": link_desk, "capture": capture, "package": package,
    "release": release, "bundle": bundle}
SEEDS: dict[str, list[Any]] = {
    "datagram": [msgspec.json.encode(each) for each in (
        msgspec.structs.replace(BEAT, cameras=[CAMERA]), Poke(what="requests"), ReachFacts(net_up=True),
        msgspec.structs.replace(BEAT, role="keeper", unit="keeper", facts=own_facts("keeper", **KEEPER)),
        msgspec.structs.replace(BEAT, role="link", unit="link", facts=own_facts("link", **LINK)))],
    "desk": [*QUESTIONS],
    "link_desk": [msgspec.json.encode(each) for each in LINK_QUESTIONS],
    "capture": [still.answer(still.Still(state="ok", age_ms=1, width=64, height=48), b"\xff\xd8\xff\xd9"),
                live.stream_bytes(StreamInfo("h264", 64, 48, b"config")),
                live.packet_head(Packet(b"data", 0, 0, True)) + b"data",
                busy.answer(busy.Busy(state="ok", grid=((0.1, 0.2),))),
                looks.line(looks.DetectorLook(mono_s=1.0, score=0.1, least=0.1, zones=("yard",)))],
    "package": [{"manifest": _parcel().manifest.decode(),
                 "ledger": [line.decode().strip() for line in _parcel().ledger]}],
    "release": [RELEASE],
    "bundle": [papers.card_text(enrolment.CardSettings(hostname="gate")).encode()]}
assert stretch.read(b"".join(_parcel().ledger)), "a stretch of the ledger goes along"
