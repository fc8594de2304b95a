"""`taimat ward revoke`: throws a device out, at once and for good.

The broker reads its list of the revoked on a signal, but keeps existing connections. So this writes the list, signals
the broker, and connects under the device's own name: the broker closes the device's connection, and does not accept it
again. It deletes the device's retained messages. Last it tests broker and proxy with a certificate that was revoked for
that.
"""
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509

from agent.ward import settings
from agent.ward.authority import certificates
from agent.ward.authority.backup import copy_lists
from agent.ward.authority.cas import Cas
from agent.ward.authority.issuer import DEVICE, AuthorityFault
from agent.ward.authority.places import Places, reload_broker
from agent.ward.authority.probe import NAME, OUT_STATUS, BrokerDoor, NoAnswer, Pass, drive, passes, status_at_door
from agent.ward.enrolment.book import EnrolmentBook
from agent.ward.exits import by_root
from agent.ward.settings import Settings

SERIAL = re.compile(r"[0-9a-fA-F]{16,40}")        # of a certificate; a device's id and a place's are shorter
HEEDED_S = ANSWERS_S = 15        # within 5 s as a rule; a busy machine is no reason to say that it is still in
RETAINED = ("status", "birth", "health", "cfg/reported")
MADE_BY = "revoke"


@dataclass(frozen=True, slots=True)
class Leaving:
    serials: frozenset[int]
    names: frozenset[str]


def leaving(places: Places, word: str, now: datetime) -> Leaving:
    """Finds certificates by device, serial number or file, and notes them in the book.

    Raises AuthorityFault, BookFault.
    """
    if Path(word).is_file():
        try:
            shown = x509.load_pem_x509_certificate(Path(word).read_bytes())
            return Leaving(frozenset({shown.serial_number}), frozenset({certificates.common_name(shown)}))
        except (OSError, ValueError, LookupError) as error:
            raise AuthorityFault(f"{word}: not a certificate in PEM") from error
    book = EnrolmentBook(places.authority)
    if book.path.exists():
        with book.change() as entries:
            gone = entries.revoke(word, MADE_BY, int(now.timestamp() * 1000)) or entries.certificates(word)
        if gone:
            return Leaving(frozenset(each.number for each in gone), frozenset(each.dev for each in gone))
    number = word.removeprefix("0x").replace(":", "")
    if SERIAL.fullmatch(number):
        return Leaving(frozenset({int(number, 16)}), frozenset())
    raise AuthorityFault(f"{word}: the enrolment book knows no such device; name its id or serial number as "
                         "taimat ward watch shows it, or its certificate: the file, or the serial number in hex")


def revoke(own: Settings, places: Places, words: Sequence[str], reload: str) -> str:
    """Returns what to print. Raises AuthorityFault, BookFault, NoAnswer and OSError."""
    began_s, now, cas = time.monotonic(), datetime.now(UTC), Cas(places)
    broker = BrokerDoor(own.ward.host, own.ward.port, places.ca, ANSWERS_S)
    with places.locked(), passes(cas.current(now), now) as issue:
        gone = [leaving(places, word, now) for word in words]
        probe = issue(NAME)
        cas.revoke({probe.serial, *(serial for each in gone for serial in each.serials)}, now)
        reload_broker(reload)
        _await(lambda: broker.verdict(probe) == "out", began_s,
               f"the broker does not apply {places.crl}: is it its crlfile, and did it get the signal?")
        for name in sorted({name for each in gone for name in each.names}):
            _take_over(broker, own.ward.ward, issue(name))
        said = _at_the_door(own, places, probe, began_s)
        not_kept = copy_lists(own, places)
    names = ", ".join(words)
    done = f"{names}: out of the broker{said} after {time.monotonic() - began_s:.2f} s"
    return f"{done}\n{not_kept}" if not_kept else done


def _at_the_door(own: Settings, places: Places, probe: Pass, began_s: float) -> str:
    door = ("localhost", own.authority.door_port, places.ca, probe)
    try:
        _await(lambda: status_at_door(*door, answer_s=ANSWERS_S) == OUT_STATUS, began_s,
               f"the proxy does not apply {places.crl}: systemctl status ward-taimat-proxy-reload.path")
    except NoAnswer as error:
        return f" (no proxy to ask: {error})"
    return " and of the proxy"


def _await(is_done: Callable[[], bool], began_s: float, or_else: str) -> None:
    while not is_done():
        if time.monotonic() - began_s > HEEDED_S:
            raise AuthorityFault(f"it may still be in: {or_else}")
        time.sleep(0.1)


def _take_over(broker: BrokerDoor, ward: str, own: Pass) -> None:
    """Connects in its place, which ends its connection, and deletes its retained messages."""
    with broker.entered(own, clean=True) as client:
        if DEVICE.fullmatch(own.name):
            gone = [client.publish(f"cam/v1/{ward}/{own.name}/{what}", b"", qos=1, retain=True) for what in RETAINED]
            drive(client, lambda: all(each.is_published() for each in gone))


def throw_out(own: Settings, places: Places, words: Sequence[str], reload: str = "") -> str:
    """Like `revoke`, but raises AuthorityFault with the remedy if a device may still be in."""
    try:
        return revoke(own, places, words, reload)
    except (NoAnswer, ConnectionError) as error:
        raise AuthorityFault(f"it may still be in: {error}; it is on the list, and is kept out from the broker's next "
                             "start on: run this again then") from error


@by_root
def run(config: Path, words: Sequence[str], reload: str) -> int:
    own = settings.load(config)
    print(throw_out(own, Places.of(config, own), words, reload))
    return 0
