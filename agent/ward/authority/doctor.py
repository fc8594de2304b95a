"""`taimat ward doctor`: checks each part of a ward, and says what to do about a fault. Takes up to 10 s.

A timer runs it, too. It tries broker and proxy from outside, as two devices whose certificates live five minutes, and
with a revoked certificate. It does not use the accounts' names: a second `reader` would throw the first one out.
"""
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from agent.host import clock_state
from agent.look import words
from agent.look.words import PageWords
from agent.ward import desk, settings
from agent.ward.authority import accounts, backup, footage, probe
from agent.ward.authority.cas import Cas
from agent.ward.authority.certificates import LIST_LIFE
from agent.ward.authority.findings import WardFinding, bad, note, well
from agent.ward.authority.issuer import AuthorityFault
from agent.ward.authority.places import Places
from agent.ward.authority.probe import NAME, OUT_STATUS, BrokerDoor, NoAnswer, Pass, passes, status_at_door
from agent.ward.exits import EXIT_UNDONE, by_root
from agent.ward.settings import Settings

FIRST, SECOND = "c-000000000001", "c-000000000002"      # no key has such a digest
TRIED = "rsp/doctor"                # of a device, with no subscriber
GATEWAY_STATUSES = range(502, 505)  # from a proxy that does not reach its upstream
SOON, BACKUP_OLD, LIST_OLD = timedelta(days=30), timedelta(days=7), timedelta(days=7)
MISSED_OLD = timedelta(days=2)      # of the one that a timer makes each day
FREE_B = 1 << 30
WORDS = Path(desk.__file__).with_name("i18n")


@dataclass(frozen=True, slots=True)
class Examined:
    own: Settings
    places: Places
    now: datetime
    broker: BrokerDoor
    passes: dict[str, Pass]
    revoked: Pass | None


def broker(ward: Examined) -> Iterator[WardFinding]:
    """Checks that the broker answers, has the right certificate, and applies the list of the revoked and the ACL."""
    look = "systemctl status mosquitto, journalctl -u mosquitto, /var/log/mosquitto/mosquitto.log"
    try:
        if ward.broker.verdict(ward.passes[NAME]) == "out":
            yield bad("broker", "keeps_out", look=look)
            return
        yield well("broker", "lets_in", at=f"{ward.own.ward.host}:{ward.own.ward.port}")
        yield _revoked("broker", ward, lambda shown: ward.broker.verdict(shown) == "out")
        yield from _rights(ward)
    except NoAnswer as error:
        yield bad("broker", "no_answer", error=str(error), look=look)


def _revoked(part: str, ward: Examined, is_out: Callable[[Pass], bool]) -> WardFinding:
    if not ward.revoked:
        return bad(part, "no_canary")
    if is_out(ward.revoked):
        return well(part, "keeps_out_revoked")
    return bad(part, "lets_in_revoked", file=str(ward.places.crl))


def _rights(ward: Examined) -> Iterator[WardFinding]:
    """A device may publish on its own topics, and neither publish nor read on those of another."""
    topic = f"cam/v1/{ward.own.ward.ward}"
    mine, others = f"{topic}/{FIRST}/{TRIED}", f"{topic}/{SECOND}/{TRIED}"
    wrong = [code for code, is_wrong in (
        ("device_mute", not ward.broker.publishes(ward.passes[FIRST], mine)),
        ("device_as_other", ward.broker.publishes(ward.passes[FIRST], others)),
        ("device_orders", ward.broker.publishes(ward.passes[FIRST], f"{topic}/{SECOND}/cmd/doctor")),
        ("device_reads_other", bool(ward.broker.hears(ward.passes[FIRST], others, ward.passes[SECOND]))),
        ("stranger_speaks", ward.broker.publishes(ward.passes[NAME], mine)),
    ) if is_wrong]
    yield from (bad("rights", code, file=f"{ward.places.etc}/mosquitto.acl") for code in wrong)
    if not wrong:
        yield well("rights", "rights_hold")
    states = ward.broker.hears(ward.passes[FIRST], f"{topic}/_ward/state")
    is_up = bool(states) and b'"online":true' in states[-1].replace(b" ", b"")
    yield well("ingest", "takes_in") if is_up else bad("ingest", "ingest_away")


def door(ward: Examined) -> Iterator[WardFinding]:
    """Checks that the proxy answers, applies the list of the revoked, and reaches intake and enrolment."""
    host, own = ward.own.authority.host or ward.own.ward.host, ward.own.authority
    at, look = ("localhost", own.door_port, ward.places.ca), "journalctl -u ward-taimat-proxy"

    def status(shown: Pass, path: str = "/") -> int:
        return status_at_door(*at, shown, path)
    try:
        if status(ward.passes[NAME]) == OUT_STATUS:
            yield bad("door", "keeps_out", look=look)
            return
        yield well("door", "lets_in", at=f"{host}:{own.door_port}")
        yield _revoked("door", ward, lambda shown: status(shown) == OUT_STATUS)
        for part, path, unit in (("intake", settings.UPLOADS_PATH, "intake"), ("enrolment", "/renew", "serve")):
            is_up = status(ward.passes[NAME], path) not in GATEWAY_STATUSES
            yield well(part, "answers") if is_up else bad(part, "unreached", look=f"journalctl -u ward-taimat-{unit}")
        status_at_door("localhost", own.enrol_port, ward.places.ca, None)
        yield well("enrol door", "open_for_cards", at=f"{host}:{own.enrol_port}")
    except NoAnswer as error:
        yield bad("door", "no_answer", error=str(error), look=look)


def lists(ward: Examined) -> Iterator[WardFinding]:
    ends = Cas(ward.places).first_end()
    is_fresh = ends - ward.now > LIST_LIFE - LIST_OLD
    yield (well if is_fresh else bad)("revoked", "lists_hold" if is_fresh else "lists_old", day=_day(ends))


def ends(ward: Examined) -> Iterator[WardFinding]:
    """Checks when the ward's own certificates and CAs expire, and whether they fit their hosts."""
    host = ward.own.authority.host or ward.own.ward.host
    for own in accounts.own_certificates(ward.places):
        if own.certificate is None:
            yield bad("certificate", "certificate_missing", file=str(own.path))
            continue
        ends = own.certificate.not_valid_after_utc
        if own.name in accounts.SERVERS and host not in accounts.hosts_of(own.certificate):
            yield bad("certificate", "certificate_elsewhere", name=own.name, day=_day(ends), host=host)
        elif ends - ward.now > SOON:
            yield well("certificate", "certificate_holds", name=own.name, day=_day(ends))
        else:
            yield bad("certificate", "certificate_ends", name=own.name, day=_day(ends))
    cas = [*Cas(ward.places).roots(), Cas(ward.places).current(ward.now).certificate]
    first = min(each.not_valid_after_utc for each in cas)
    is_ok = first - ward.now > timedelta(days=2 * 365)
    yield (well if is_ok else bad)("CAs", "cas_hold" if is_ok else "cas_end", day=_day(first))


def secrets(ward: Examined) -> Iterator[WardFinding]:
    """Checks that keys are readable only for their users, and that the newest backup is young."""
    private = [*ward.places.keys.glob("*.key"), *ward.places.authority.glob("*.key")]
    private += [Path(path) for path in (ward.own.ops.command_key, ward.own.intake.receipt_key) if path]
    wide = [str(path) for path in private if path.exists() and path.stat().st_mode & 0o007]
    yield bad("keys", "keys_open", files=", ".join(wide)) if wide else well("keys", "keys_kept")
    made, shelf = backup.last(ward.places), ward.own.backup.folder
    look = f"{shelf}, journalctl -u ward-taimat-backup" if shelf else "taimat ward backup --to FOLDER"
    if made is None:
        yield bad("backup", "backup_none", look=look)
    elif ward.now - made < (MISSED_OLD if shelf else BACKUP_OLD):
        yield well("backup", "backup_young", day=_day(made))
    else:
        yield bad("backup", "backup_old", day=_day(made), look=look)


def uploads(ward: Examined) -> Iterator[WardFinding]:
    """Checks that footage is in both places: a restored desk would promise files that are gone."""
    shelf, beside = Path(ward.own.intake.folder), ward.own.backup.folder
    made = backup.last(ward.places)
    found = footage.lack(shelf, Path(beside, footage.FOLDER) if beside else None, made.timestamp() if made else 0.0)
    if found.lost:
        yield bad("footage", "footage_lost", n=str(len(found.lost)), first=str(found.lost[0]), folder=str(shelf),
                  beside=f"{beside}/{footage.FOLDER}")
    if found.single:
        yield bad("footage", "footage_single", n=str(len(found.single)), first=str(found.single[0]),
                  beside=f"{beside}/{footage.FOLDER}")
    if not (found.lost or found.single):
        yield well("footage", "footage_kept", n=str(found.here_n))


def machine(ward: Examined) -> Iterator[WardFinding]:
    folder = ward.own.intake.folder
    free_b, needs_b = shutil.disk_usage(_there(Path(folder))).free, max(FREE_B, int(ward.own.intake.free_gb * 1e9))
    is_free = free_b > needs_b
    yield (well if is_free else bad)("disk", "disk_free" if is_free else "disk_full", free=f"{free_b / 1e9:.0f}",
                                     needs=f"{needs_b / 1e9:.0f}", folder=folder)
    state = clock_state.read()
    at = f"{(local := ward.now.astimezone()):%H:%M} {words.zone_of(local)}"
    yield (well("clock", "clock_set", zone=ward.own.ward.zone, now=at) if state == "ntp" else
           bad("clock", "clock_unset", state=state))


PARTS = (broker, door, lists, ends, secrets, uploads, machine)


def examine(own: Settings, places: Places, now: datetime) -> Iterator[WardFinding]:
    """Yields each finding as it comes. Raises AuthorityFault and OSError if nothing can be examined."""
    with passes(Cas(places).current(now), now) as issue:
        ward = Examined(own, places, now, BrokerDoor(own.ward.host, own.ward.port, places.ca),
                        passes={name: issue(name) for name in (NAME, FIRST, SECOND)},
                        revoked=probe.find_canary(places))
        for part in PARTS:
            try:
                yield from part(ward)
            except (AuthorityFault, OSError) as error:
                yield bad(part.__name__, "fault", error=str(error))


def _day(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d}"


def _there(path: Path) -> Path:
    return next(each for each in (path, *path.parents) if each.exists())


def _json(found: WardFinding, english: PageWords) -> str:
    text, remedy = found.said(english)
    return msgspec.json.encode({"part": found.part, "ok": found.ok, "code": found.code, "text": text,
                                "remedy": remedy}).decode()


@by_root
def run(config: Path, as_json: bool) -> int:
    own = settings.load(config)
    places, now = Places.of(config, own), datetime.now(UTC)
    began_s, found, english = time.monotonic(), list[WardFinding](), words.load("en", WORDS)
    for each in examine(own, places, now):
        found.append(each)
        print(_json(each, english) if as_json else each.line(english), flush=True)
    note(places, found, now)
    bad_n = sum(not each.ok for each in found)
    if not as_json:
        print(f"{bad_n or 'nothing'} to do; looked for {time.monotonic() - began_s:.1f} s")
    return EXIT_UNDONE if bad_n else 0
