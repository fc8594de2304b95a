"""Tests whether a broker accepts a client: one MQTT connection, ended properly."""
import select
import time

from agent.config.settings import Home, Ward
from agent.mqtt.connection import Connection
from agent.mqtt.credentials import Credentials
from agent.mqtt.fault import LinkFault, of_reason, of_text
from agent.mqtt.messages import SESSION_S, Accepted, ConnectOptions, ConnectRefused, Ended

CONNECT_S = 8.0
KEEPALIVE_S, TICK_S = 60, 0.2


def greet(broker: Ward | Home, known: Credentials) -> str:
    """Connects, waits for CONNACK, and disconnects. Returns a line for a person. Raises LinkFault."""
    where, began_s = f"{broker.host}:{broker.port}", time.monotonic()
    session_s = SESSION_S if isinstance(broker, Ward) else 0        # what waits for the link goes on waiting
    connection = Connection(broker.host, broker.port, known, (),
                            ConnectOptions(KEEPALIVE_S, session_s=session_s, confirm_later=True))
    connection.dial()
    tls = getattr(connection.socket(), "version", lambda: None)()
    try:
        _await_connack(connection, where)
        connection.close()
        connection.turn(readable=False)
    finally:
        connection.cut()
    took_ms = 1000 * (time.monotonic() - began_s)
    return f"{where} accepts this device as {known.dev} ({tls or 'no TLS'}, MQTT 5, {took_ms:.0f} ms)"


def _await_connack(connection: Connection, where: str) -> None:
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
