"""Checks the enrolment, and whether the brokers of ward and household accept this device."""
import time
from datetime import UTC, datetime
from pathlib import Path

from agent.cli.doctor import CheckVerdict, bad, ok, skipped, warn, worst
from agent.cli.exits import with_sudo
from agent.cli.processes import at_work
from agent.config.settings import Home, Ward
from agent.core.delivery import certificate
from agent.core.enrolment import renewal_due
from agent.home import credentials as home_credentials
from agent.host.clock import SystemClock
from agent.host.command_key import PublicKeyProblem
from agent.host.command_key import load as load_command_key
from agent.host.users import as_owner
from agent.host.ward_folder import CERT, EnrolState, WardFolder, WardRecord, shown
from agent.mqtt import credentials
from agent.mqtt.credentials import Credentials, shake_hands
from agent.mqtt.fault import HOUSEHOLD, LinkFault
from agent.mqtt.trial import greet
from agent.store import outbox
from agent.store.card_fault import NO_ROOM, fault_of
from agent.store.database import StoreError, connect
from agent.store.identity import named

DEADLINE_S = 30.0
CERT_SOON_DAYS = 30
REMEDIES = {"unreachable": "check this device's network, [ward] host and port, and that the broker runs",
            "refused": "correct [ward] in the configuration, or ask the ward"}
HOME_REMEDIES = {"unreachable": "check [home] host and port, and that the household's broker runs",
                 "refused": "correct [home] in the configuration, or the household's broker"}
OWN = ("localhost", "127.0.0.1", "::1")
AGAIN = "sudo systemctl restart enrol-taimat; journalctl -u enrol-taimat tells more"
MANY_N = 100               # waiting messages that are too many if the link runs


def examine(ward: Ward, store: Path) -> CheckVerdict:
    """Connects once. If the link runs, it only tries the way, because a second connection would end the link's."""
    if not ward.enabled:
        return skipped("this household is in no ward, so nothing is sent",
                       "to join one, read what taimat config check says about it, and set [ward] enabled = true")
    where = f"{ward.host}:{ward.port}"
    try:
        known = credentials.load(ward, own_id(store))
        holder = at_work(store).get("link")
        if holder:
            return _beside(ward, known, where, holder, store)
        return _found(ward, known, greet(ward, known))
    except LinkFault as fault:
        return bad(str(fault), REMEDIES[fault.kind])
    except StoreError as error:
        full = fault_of(error, store) in NO_ROOM
        return bad(str(error), "see card" if full else f"see permissions, or: {with_sudo()}")


def own_id(store: Path) -> str:
    """Returns the device's id, which a ward's certificate overrides; a stand-in if it has none yet."""
    try:
        return named(store) or "taimat-doctor"
    except OSError:
        return "taimat-doctor"


def _beside(ward: Ward, known: Credentials, where: str, holder: int, store: Path) -> CheckVerdict:
    """Checks the way to the broker and the waiting messages while the link runs."""
    version = shake_hands(ward.host, ward.port, known.tls)
    way = "reachable" + (f" ({version})" if version else "")
    with as_owner(store):
        waiting_n = outbox.waiting(connect(store))[0]
    text = f"{where} is {way}; the running link (process {holder}) has the connection, {waiting_n} messages wait"
    if waiting_n > MANY_N:
        return warn(text, "see why: journalctl -u taimat-link, or the page")
    return _found(ward, known, text)


def _found(ward: Ward, known: Credentials, text: str) -> CheckVerdict:
    """Adds warnings of what will fail later."""
    verdicts = [ok(text)]
    if known.cert_not_after is not None:
        left_days = (known.cert_not_after.timestamp() - SystemClock().now().wall_ms / 1000) / 86_400
        if left_days < CERT_SOON_DAYS:
            verdicts.append(warn(f"this device's certificate ends in {left_days:.0f} days", "enrol it again"))
    if ward.command_key:
        try:
            load_command_key(ward.command_key)
        except PublicKeyProblem as problem:
            verdicts.append(warn(str(problem), "until then each signed command of the ward is refused"))
    if not ward.tls and ward.host not in OWN:
        verdicts.append(warn("the connection is not encrypted", "set tls = true, unless it stays in your own network"))
    return worst(verdicts)


def examine_home(home: Home, store: Path) -> CheckVerdict:
    """Connects under another name than the link's. A problem is only a warning, because recording goes on."""
    try:
        return ok(greet(home, home_credentials(home, f"{own_id(store)}-doctor")))
    except LinkFault as fault:
        return warn(str(fault.to(HOUSEHOLD)), HOME_REMEDIES[fault.kind])


def is_enrolling(config: Path, runtime: Path) -> bool:
    folder = WardFolder(config.with_name("ward"))
    return folder.claim.exists() or folder.record() is not None or shown(runtime) is not None


def examine_enrolment(config: Path, runtime: Path) -> CheckVerdict:
    folder, state = WardFolder(config.with_name("ward")), shown(runtime)
    if state and state.step == "refused":
        return bad(f"{state.code}: {state.detail}", f"when that is done: {AGAIN}")
    record = folder.record()
    if record is None:
        return warn(f"not enrolled yet: {_why(state)}", AGAIN)
    if folder.claim.exists():
        return warn(f"enrolled with {record.called}, but its claim still exists: {_why(state)}",
                    "journalctl -u setup-taimat says why the configuration does not name it yet")
    return _held(folder, record, state)


def _held(folder: WardFolder, record: WardRecord, state: EnrolState | None) -> CheckVerdict:
    try:
        leaf = certificate.of_pem((folder.current / CERT).read_text(encoding="ascii"))
    except (OSError, UnicodeDecodeError, certificate.NotACertificate) as error:
        return bad(f"{folder.current / CERT}: {error}", "ask the ward to enrol this recorder again, with a new claim")
    text = f"{record.dev} of {record.called} ({record.ward}), certificate until {leaf.not_after:%Y-%m-%d}"
    now = datetime.fromtimestamp(time.time(), UTC)
    if renewal_due(datetime.fromtimestamp(record.granted_ms / 1000, UTC), leaf.not_before, leaf.not_after, now):
        return warn(f"{text}, due for renewal: {_why(state)}", AGAIN)
    return ok(text)


def _why(state: EnrolState | None) -> str:
    return f"{state.code}: {state.detail}" if state and state.detail else "not tried since this boot"
