"""Does the ward's broker let this device in? Asked the way the link asks: name, connection, TLS, CONNACK."""
import select
import time
from pathlib import Path

from agent.cli.doctor.verdict import CheckVerdict, bad, ok, skipped, warn, worst
from agent.cli.exits import with_sudo
from agent.cli.processes import at_work
from agent.config.settings import Home, Ward
from agent.host.clock import SystemClock
from agent.host.command_key import PublicKeyProblem
from agent.host.command_key import load as load_command_key
from agent.host.users import as_owner
from agent.mqtt import credentials
from agent.mqtt.connection import SESSION_S, Accepted, Connection, ConnectRefused, Ended
from agent.mqtt.credentials import Credentials
from agent.mqtt.fault import LinkFault, of_reason, of_text
from agent.mqtt.handshake import shake_hands
from agent.store import outbox
from agent.store.database import StoreError, connect
from agent.store.identity import named

CONNECT_S = 8.0
KEEPALIVE_S, TICK_S = 60, 0.2
DEADLINE_S = 30.0
CERT_SOON_DAYS = 30
REMEDIES = {"unreachable": "check this device's network, [ward] host and port, and that the broker runs",
            "refused": "correct [ward] in the configuration, or ask the ward"}
OWN = ("localhost", "127.0.0.1", "::1")
MANY_N = 100               # messages that wait although the link runs


def examine(ward: Ward, store: Path) -> CheckVerdict:
    """One connection, ended properly; while the link runs only the way there, for a second one would throw it out."""
    if not ward.enabled:
        return skipped("this household is in no ward: nothing is told to anybody",
                       "to join one, read what taimat config check says of it, and set [ward] enabled = true")
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
        return bad(str(error), f"see permissions, or: {with_sudo()}")


def own_id(store: Path) -> str:
    """The device's id at the ward as long as no certificate says it; another one where it has none yet."""
    try:
        return named(store) or "taimat-doctor"
    except OSError:
        return "taimat-doctor"


def greet(broker: Ward | Home, known: Credentials) -> str:
    """Connect, wait for CONNACK, say goodbye. Returns what was found; raises LinkFault."""
    where, began_s = f"{broker.host}:{broker.port}", time.monotonic()
    session_s = SESSION_S if isinstance(broker, Ward) else 0        # what waits for the link goes on waiting
    connection = Connection(broker.host, broker.port, known, KEEPALIVE_S, _Nothing(), None, 0, session_s,
                            confirm_later=True)
    connection.dial()
    tls = getattr(connection.socket(), "version", lambda: None)()
    try:
        _demand_connack(connection, where)
        connection.close()
        connection.turn(readable=False)
    finally:
        connection.cut()
    took_ms = 1000 * (time.monotonic() - began_s)
    return f"{where} accepts this device as {known.dev} ({tls or 'no TLS'}, MQTT 5, {took_ms:.0f} ms)"


class _Nothing:
    subscriptions = ()


def _demand_connack(connection: Connection, where: str) -> None:
    until_s = time.monotonic() + CONNECT_S
    while (left_s := until_s - time.monotonic()) > 0 and (socket_ := connection.socket()):
        readable, _, _ = select.select([socket_], [], [], 0 if connection.holds_more() else min(left_s, TICK_S))
        for happening in connection.turn(bool(readable) or connection.holds_more()):
            match happening:
                case Accepted():
                    return
                case ConnectRefused(reason) | Ended(int(reason), _):
                    raise of_reason(reason, where)
                case Ended(None, text):
                    fault = of_text(text, where)
                    if fault.code != "closed":
                        raise fault
    raise LinkFault("silent", f"{where}: no MQTT answer: is it an MQTT 5 broker, and does it want TLS?")


def _beside(ward: Ward, known: Credentials, where: str, holder: int, store: Path) -> CheckVerdict:
    """The link is at work: look at the way to the broker and at what waits to be sent."""
    version = shake_hands(ward.host, ward.port, known.tls)
    way = "reachable" + (f" ({version})" if version else "")
    with as_owner(store):
        waiting_n = outbox.waiting(connect(store))[0]
    text = f"{where} is {way}; the running link (process {holder}) has the connection, {waiting_n} messages wait"
    if waiting_n > MANY_N:
        return warn(text, "see the link's own words: journalctl -u taimat-link, or the page")
    return _found(ward, known, text)


def _found(ward: Ward, known: Credentials, text: str) -> CheckVerdict:
    """That the broker is there, and what will go wrong later."""
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
        verdicts.append(warn("nothing is encrypted on the way", "set tls = true, unless all of it is your own network"))
    return worst(verdicts)
