"""The page in the home network is encrypted, by a certificate that the device has made itself."""
import gc
import hashlib
import http.client
import socket
import ssl
import stat
from collections.abc import Callable, Iterator

import pytest

from agent.host.address import primary_address
from agent.store.decisions import browsers
from agent.store.identity import CERTIFICATE, KEY, fingerprint, page_folder
from agent.web.server import page_server
from tests.rigs.house.household import Household, happen
from tests.rigs.wait import HANG_S, until

pytestmark = pytest.mark.skipif(primary_address() is None, reason="this machine has no address but loopback")
HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"      # the first bytes of a TLS handshake
Asker = Callable[..., http.client.HTTPResponse]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Household]:
    house = Household(tmp_path_factory.mktemp("encrypted"), listen="0.0.0.0", tls=True)
    happen(house.folders, house.clock.now())
    with house:
        yield house


def trusting(house: Household) -> ssl.SSLContext:
    """As a phone whose owner has compared the fingerprint."""
    return ssl.create_default_context(cafile=str(page_folder(house.folders) / CERTIFICATE))


@pytest.fixture
def ask(house: Household) -> Iterator[Asker]:
    """Asks as a phone in the network would, over TLS."""
    lines: list[http.client.HTTPConnection] = []

    def asked(path: str, method: str = "GET", body: str | None = None, **headers: str) -> http.client.HTTPResponse:
        lines.append(http.client.HTTPSConnection(primary_address(), house.port, timeout=HANG_S,
                                                 context=trusting(house)))
        lines[-1].request(method, path, body, headers)
        return lines[-1].getresponse()

    yield asked
    for line in lines:
        line.close()


def test_the_certificate_is_the_device_s_own_and_stays(house, tmp_path):
    shown = ssl.PEM_cert_to_DER_cert(ssl.get_server_certificate((primary_address(), house.port), timeout=HANG_S))
    assert fingerprint(house.folders).replace(":", "").lower() == hashlib.sha256(shown).hexdigest()
    assert stat.S_IMODE((page_folder(house.folders) / KEY).stat().st_mode) == 0o600
    before = (page_folder(house.folders) / KEY).read_bytes()
    page_server.context(house.folders)
    assert (page_folder(house.folders) / KEY).read_bytes() == before
    assert fingerprint(house.folders) in house.get("/pair").text.replace("<wbr>", "")


def test_a_phone_pairs_and_looks_over_tls(house, ask):
    with house.decisions() as own:
        code = browsers.pairing_code(own)
    host = f"{primary_address()}:{house.port}"
    answer = ask("/pair", "POST", f"code={code}", Host=host, Origin=f"https://{host}",
                 **{"Content-Type": "application/x-www-form-urlencoded"})
    cookie = answer.getheader("set-cookie")
    assert answer.status == 303 and all(each in cookie.lower() for each in ("secure", "httponly", "samesite=strict"))
    for _ in range(20):         # a request that comes in one piece with the handshake's end, too
        assert ask("/recordings", Cookie=cookie.split(";")[0]).status == 200
    clip = ask("/clips/none.mp4", Cookie=cookie.split(";")[0])
    assert clip.status == 404 and ask("/recordings").status == 401


def test_plain_http_from_the_network_is_led_to_the_encrypted_page(house):
    line = http.client.HTTPConnection(primary_address(), house.port, timeout=HANG_S)
    line.request("GET", "/recordings", headers={"Cookie": house.cookie})
    answer = line.getresponse()
    assert (answer.status, answer.getheader("location")) == (303, f"https://{primary_address()}:{house.port}/recordings")
    line.close()
    assert house.get("/recordings").status == 200           # on the machine itself it stays as it is


@pytest.mark.parametrize("said", [HELLO, HELLO[:1], b"\x16" * 400, b"\x15\x03\x01\x00\x02\x02\x28"])
def test_who_does_not_finish_the_handshake_is_waited_for_no_longer_than_for_a_request(house, said, monkeypatch):
    monkeypatch.setattr("agent.web.server.page_server.REQUEST_S", 0.3)
    with socket.create_connection((primary_address(), house.port), HANG_S) as line:
        line.sendall(said)
        while line.recv(4096):
            pass


def test_broken_handshakes_leave_nothing_behind(house, ask):
    for _ in range(40):
        with socket.create_connection((primary_address(), house.port), HANG_S) as line:
            line.sendall(HELLO)

    def left_n() -> int:
        gc.collect()
        return sum(isinstance(each, page_server.EncryptedConnection) for each in gc.get_objects())

    until(lambda: left_n() < 10, "the connections are forgotten")
    assert ask("/static/mark.svg").status == 200
