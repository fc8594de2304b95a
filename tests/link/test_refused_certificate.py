"""A certificate that the broker does not take: TLS 1.3 says so after the handshake; it has its name and its remedy."""
import select

import pytest

from agent.cli.doctor import broker as doctor
from agent.config.settings import Ward
from agent.mqtt import credentials
from agent.mqtt.connection import Connection
from agent.mqtt.fault import LinkFault, of_text
from agent.mqtt.messages import Accepted, ConnectOptions, ConnectRefused, Ended
from tests.rigs.mqtt.broker import Broker, Tls
from tests.rigs.pki import Authority
from tests.rigs.wait import until

TRIES_N = 12            # the verdict comes before CONNECT is sent, or after it
REFUSED = {
    "expired": ("tls_own_expired", "has expired: enrol again"),
    "not yet valid": ("tls_own_not_yet_valid", "not valid yet by the broker's clock"),
    "another CA's": ("tls_own_unknown", "of another CA"),
    "revoked": ("tls_revoked", "the ward has revoked this device's certificate")}


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    """A broker that judges certificates, and accounts at it by what is wrong with them."""
    folder = tmp_path_factory.mktemp("pki")
    ours, other = Authority(folder / "ours", "ward-ca"), Authority(folder / "other", "other-ca")
    server = ours.issue("localhost")
    issued = {"good": ours.issue("c-000000000001", days=90), "expired": ours.issue("c-000000000002", days=-1),
              "not yet valid": ours.issue("c-000000000003", begins_days=2),
              "another CA's": other.issue("c-000000000004"),
              "revoked": ours.issue("c-000000000005")}
    tls = Tls(ours.ca, *server, clients_ca=ours.ca)
    with Broker(folder / "broker", tls=tls, lines=f"crlfile {ours.revoke(issued['revoked'][0])}") as broker:
        yield {name: Ward(enabled=True, host="localhost", port=broker.port, ca=str(ours.ca), cert=str(cert),
                          key=str(key)) for name, (cert, key) in issued.items()}


def met(ward: Ward) -> str:
    """What one attempt comes to: "accepted", or the fault's code."""
    options = ConnectOptions(30, session_s=0)
    connection = Connection(ward.host, ward.port, credentials.load(ward, ""), (), options)
    try:
        connection.dial()
    except LinkFault as fault:
        return fault.code
    try:
        return until(lambda: judged(connection))
    finally:
        connection.cut()


def judged(connection: Connection) -> str | None:
    ready = select.select([connection.socket()], [], [], 0.1)[0] if connection.socket() else []
    for happening in connection.turn(bool(ready)):
        match happening:
            case Accepted():
                return "accepted"
            case Ended(None, text):
                return of_text(text, "").code
            case Ended() | ConnectRefused():
                return str(happening)
    return None


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_wrong_with_a_certificate_is_named_whenever_the_verdict_comes(house, name):
    assert met(house["good"]) == "accepted"
    assert {met(house[name]) for _ in range(TRIES_N)} == {REFUSED[name][0]}


@pytest.mark.parametrize("name", REFUSED)
def test_doctor_names_it_with_its_remedy(house, name, tmp_path):
    assert doctor.examine(house["good"], tmp_path).state == "ok"
    said = doctor.examine(house[name], tmp_path)
    assert said.state == "bad" and REFUSED[name][1] in said.text
