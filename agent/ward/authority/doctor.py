"""`taimat ward doctor`: part by part whether a ward is well, and what to do where it is not. Within 10 s.

`python -m agent.ward.authority.doctor`. A timer has it look, too, and what it found stands on the desk's page. Broker
and proxy are tried from outside, as two devices that live five minutes, and with a revoked certificate. The accounts'
names are left alone: a second `reader` would throw the first one out.
"""
import argparse
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from agent.host import clock_state
from agent.ward import settings
from agent.ward.authority import accounts, backup, canary
from agent.ward.authority.cas import Cas
from agent.ward.authority.certificates import LIST_LIFE
from agent.ward.authority.faults import ended
from agent.ward.authority.findings import WardFinding, note
from agent.ward.authority.issuer import AuthorityFault
from agent.ward.authority.places import Places
from agent.ward.authority.probe import NAME, OUT_STATUS, BrokerDoor, NoAnswer, Pass, passes, status_at_door
from agent.ward.opslink import EXIT_UNDONE
from agent.ward.settings import Settings

FIRST, SECOND = "c-000000000001", "c-000000000002"      # no key has such a digest
TRIED = "rsp/doctor"                # of a device, where nobody listens
GATEWAY_STATUSES = range(502, 505)  # of a proxy that does not reach who stands behind it
SOON, BACKUP_OLD, LIST_OLD = timedelta(days=30), timedelta(days=7), timedelta(days=7)
MISSED_OLD = timedelta(days=2)      # of the one that a timer makes each day
FREE_B = 1 << 30


@dataclass(frozen=True, slots=True)
class Examined:
    """The ward, and whom we play."""

    own: Settings
    places: Places
    now: datetime
    broker: BrokerDoor
    probe: Pass
    first: Pass
    second: Pass
    revoked: Pass | None


def broker(ward: Examined) -> Iterator[WardFinding]:
    """Whether it is there, with the right certificate; whether it heeds the list and the rights."""
    logs = "journalctl -u mosquitto, /var/log/mosquitto/mosquitto.log"
    try:
        if ward.broker.verdict(ward.probe) == "out":
            yield WardFinding("broker", False, "keeps out who belongs here", "it reads other CAs, or a list of the "
                              f"revoked that has run out: taimat ward renew; {logs}")
            return
        yield WardFinding("broker", True, f"{ward.own.ward.host}:{ward.own.ward.port} lets in who belongs here")
        yield _revoked("broker", ward, lambda shown: ward.broker.verdict(shown) == "out")
        yield from _rights(ward)
    except NoAnswer as error:
        yield WardFinding("broker", False, str(error), f"systemctl status mosquitto; {logs}")


def _revoked(part: str, ward: Examined, is_out: Callable[[Pass], bool]) -> WardFinding:
    if not ward.revoked:
        return WardFinding(part, False, "there is no revoked certificate to try it with", "taimat ward renew makes one")
    if is_out(ward.revoked):
        return WardFinding(part, True, "keeps out the revoked")
    return WardFinding(part, False, f"lets in the revoked: it does not read {ward.places.crl}",
                       "compare its configuration with the package's, and restart it")


def _rights(ward: Examined) -> Iterator[WardFinding]:
    """A device may say what is its own, and neither say nor hear what is another's."""
    topic = f"cam/v1/{ward.own.ward.ward}"
    mine, others = f"{topic}/{FIRST}/{TRIED}", f"{topic}/{SECOND}/{TRIED}"
    wrong = [what for what, is_wrong in (
        ("a device may not tell of itself", not ward.broker.publishes(ward.first, mine)),
        ("a device may speak as another one", ward.broker.publishes(ward.first, others)),
        ("a device may give orders", ward.broker.publishes(ward.first, f"{topic}/{SECOND}/cmd/doctor")),
        ("a device may read another one", bool(ward.broker.hears(ward.first, others, ward.second))),
        ("a name without rights may speak", ward.broker.publishes(ward.probe, mine)),
    ) if is_wrong]
    yield WardFinding("rights", not wrong, "; ".join(wrong) or "a device says and hears what is its own alone",
                      f"{ward.places.etc}/mosquitto.acl is not what counts: see acl_file" if wrong else "")
    states = ward.broker.hears(ward.first, f"{topic}/_ward/state")
    is_up = bool(states) and b'"online":true' in states[-1].replace(b" ", b"")
    yield WardFinding("ingest", is_up, "takes in what devices tell" if is_up else "is not there, or has no database",
                      "" if is_up else "journalctl -u ward-taimat-ingest")


def door(ward: Examined) -> Iterator[WardFinding]:
    """Whether the proxy is there, heeds the list, and reaches intake and enrolment."""
    host, own = ward.own.authority.host or ward.own.ward.host, ward.own.authority
    at = ("localhost", own.door_port, ward.places.ca)

    def status(shown: Pass, path: str = "/") -> int:
        return status_at_door(*at, shown, path)
    try:
        if status(ward.probe) == OUT_STATUS:
            yield WardFinding("door", False, "keeps out who belongs here", "taimat ward renew; journalctl -u "
                              "ward-taimat-proxy")
            return
        yield WardFinding("door", True, f"{host}:{own.door_port} lets in who belongs here")
        yield _revoked("door", ward, lambda shown: status(shown) == OUT_STATUS)
        for part, path, unit in (("intake", settings.UPLOADS_PATH, "intake"), ("enrolment", "/renew", "serve")):
            is_up = status(ward.probe, path) not in GATEWAY_STATUSES
            yield WardFinding(part, is_up, "answers" if is_up else "does not answer the proxy",
                              "" if is_up else f"journalctl -u ward-taimat-{unit}")
        status_at_door("localhost", own.enrol_port, ward.places.ca, None)
        yield WardFinding("enrol door", True, f"{host}:{own.enrol_port} is open for new cards")
    except NoAnswer as error:
        yield WardFinding("door", False, str(error), "journalctl -u ward-taimat-proxy")


def lists(ward: Examined) -> Iterator[WardFinding]:
    """Whether the lists of the revoked are fresh."""
    ends = Cas(ward.places).first_end()
    is_fresh = ends - ward.now > LIST_LIFE - LIST_OLD
    yield WardFinding("revoked", is_fresh, f"lists hold until {ends:%Y-%m-%d}; then nobody is let in",
                      "" if is_fresh else "taimat ward renew; systemctl status ward-taimat-renew.timer")


def ends(ward: Examined) -> Iterator[WardFinding]:
    """When the ward's own certificates and CAs end, and whether they fit their hosts."""
    host = ward.own.authority.host or ward.own.ward.host
    for own in accounts.own_certificates(ward.places):
        if own.certificate is None:
            yield WardFinding("certificate", False, f"{own.path}: there is none", "taimat ward init makes it")
            continue
        ends, is_right = own.certificate.not_valid_after_utc, True
        if own.name in accounts.SERVERS:
            is_right = host in accounts.hosts_of(own.certificate)
        is_ok = is_right and ends - ward.now > SOON
        text = f"{own.name} until {ends:%Y-%m-%d}" + ("" if is_right else f", and not for {host}")
        yield WardFinding("certificate", is_ok, text, "" if is_ok else "taimat ward renew")
    cas = [*Cas(ward.places).roots(), Cas(ward.places).current(ward.now).certificate]
    first = min(each.not_valid_after_utc for each in cas)
    is_ok = first - ward.now > timedelta(days=2 * 365)
    yield WardFinding("CAs", is_ok, f"hold until {first:%Y-%m-%d}", "" if is_ok else "taimat ward rotate ca")


def secrets(ward: Examined) -> Iterator[WardFinding]:
    """Whether keys are for their users alone, and the newest backup is young."""
    private = [*ward.places.keys.glob("*.key"), *ward.places.authority.glob("*.key")]
    private += [Path(path) for path in (ward.own.ops.command_key, ward.own.intake.receipt_key) if path]
    wide = [str(path) for path in private if path.exists() and path.stat().st_mode & 0o007]
    yield WardFinding("keys", not wide, "for their users alone" if not wide else f"others can read {', '.join(wide)}",
                      "chmod o= them, and ask yourself who may have a copy" if wide else "")
    made, shelf = backup.last(ward.places), ward.own.backup.folder
    is_young = made is not None and ward.now - made < (MISSED_OLD if shelf else BACKUP_OLD)
    remedy = f"{shelf}: journalctl -u ward-taimat-backup" if shelf else "taimat ward backup --to FOLDER, each day"
    yield WardFinding("backup", is_young, f"newest of {made:%Y-%m-%d}" if made else "there is none",
                      "" if is_young else remedy)


def machine(ward: Examined) -> Iterator[WardFinding]:
    """Disk and clock."""
    free = shutil.disk_usage(_there(Path(ward.own.intake.folder))).free
    needs = max(FREE_B, int(ward.own.intake.free_gb * 1e9))
    remedy = "" if free > needs else f"make room where {ward.own.intake.folder} lies: no upload is taken there"
    yield WardFinding("disk", free > needs, f"{free / 1e9:.0f} GB free, {needs / 1e9:.0f} GB stay so", remedy)
    state = clock_state.read()
    yield WardFinding("clock", state == "ntp", "set by NTP" if state == "ntp" else f"not set by NTP ({state})",
                      "" if state == "ntp" else "timedatectl set-ntp true, and see whether a time server is reached")


PARTS = (broker, door, lists, ends, secrets, machine)


def examine(own: Settings, places: Places, now: datetime) -> Iterator[WardFinding]:
    """Each finding as it comes. Raises AuthorityFault and OSError where nothing can be examined."""
    with passes(Cas(places).current(now), now) as issue:
        ward = Examined(own, places, now, BrokerDoor(own.ward.host, own.ward.port, places.ca), issue(NAME),
                        issue(FIRST), issue(SECOND), canary.find(places))
        for part in PARTS:
            try:
                yield from part(ward)
            except (AuthorityFault, ConnectionError) as error:
                yield WardFinding(part.__name__, False, str(error))


def _there(path: Path) -> Path:
    return next(each for each in (path, *path.parents) if each.exists())


def run(wishes: argparse.Namespace) -> int:
    """Do it; returns the exit code."""
    own = settings.load(wishes.config)
    places, now = Places.of(wishes.config, own), datetime.now(UTC)
    began_s, found = time.monotonic(), list[WardFinding]()
    for each in examine(own, places, now):
        found.append(each)
        print(msgspec.json.encode(each).decode() if wishes.json else each.line(), flush=True)
    note(places, found, now)
    bad_n = sum(not each.ok for each in found)
    if not wishes.json:
        print(f"{bad_n or 'nothing'} to do; looked for {time.monotonic() - began_s:.1f} s")
    return EXIT_UNDONE if bad_n else 0


def main(argv: Sequence[str] | None = None) -> int:
    """The entry of the command. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="taimat ward doctor")
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--json", action="store_true")
    return ended(lambda: run(parser.parse_args(argv)))


if __name__ == "__main__":
    sys.exit(main())
