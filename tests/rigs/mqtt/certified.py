"""A broker with the very configuration that firmware_cfg/ward gives it, and clients with certificates for it."""
import os
import ssl
from collections.abc import Mapping
from pathlib import Path

import paho.mqtt.client as paho

from tests.rigs.mqtt.broker import Broker
from tests.rigs.pki import Authority
from tests.rigs.wait import until

FILES = Path(__file__).resolve().parents[3] / "firmware_cfg" / "ward"
REFUSED = 0x87


def swapped(name: str, swaps: Mapping[str, object]) -> str:
    """The file of firmware_cfg/ward with a test's own places in it; each place must be there."""
    text = (FILES / name).read_text()
    for theirs, ours in swaps.items():
        assert theirs in text, f"{name} has no {theirs}"
        text = text.replace(theirs, str(ours))
    return text


def furnish(broker: Broker, name: str, authority: Authority, acl: str, more: str = "") -> None:
    """Give the broker the configuration `name`, a certificate of the authority, this list of rights, and more lines."""
    cert, key = authority.issue("broker")
    text = swapped(name, {
        "listener 8883": f"listener {broker.port} 127.0.0.1", "/etc/taimat-ward/public/ca.pem": authority.ca,
        "/etc/taimat-ward/keys/broker.pem": cert, "/etc/taimat-ward/keys/broker.key": key,
        "/etc/taimat-ward/public/crl.pem": authority.revoke(), "/etc/taimat-ward/mosquitto.acl": broker.folder / "acl"})
    user = "user root\n" if os.geteuid() == 0 else ""
    debians = f"persistence true\npersistence_location {broker.folder}/\nlog_dest file {broker.log}\n"
    (broker.folder / "mosquitto.conf").write_text(f"{text}{debians}{user}{more}")
    (broker.folder / "acl").write_text(acl)
    (broker.folder / "acl").chmod(0o600)


def certified(authority: Authority, name: str) -> str:
    """The lines of a table of settings with a certificate for `name`."""
    cert, key = authority.issue(name)
    return f'tls = true\nhost = "localhost"\nca = "{authority.ca}"\ncert = "{cert}"\nkey = "{key}"'


class Client:
    """Somebody with a certificate, who gives whatever client id."""

    def __init__(self, authority: Authority, broker: Broker, name: str, client_id: str) -> None:
        """Connect; `heard` is the topics of what came, newest last."""
        self.refusals, self.heard, self.up, self.subscribed = list[int](), list[str](), False, False
        self._client = client = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id, protocol=paho.MQTTv5)
        context = ssl.create_default_context(cafile=authority.ca)
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT         # the tests' authority leaves out what 3.13 insists on
        context.load_cert_chain(*authority.issue(name))
        client.tls_set_context(context)
        client.on_connect = lambda *_: setattr(self, "up", True)
        client.on_subscribe = lambda *_: setattr(self, "subscribed", True)
        client.on_publish = lambda _c, _d, _m, reason, _p: self.refusals.append(reason.value)
        client.on_message = lambda _c, _d, message: self.heard.append(message.topic)
        client.connect("localhost", broker.port)
        client.loop_start()
        until(lambda: self.up)

    def may(self, topic: str) -> bool:
        """Whether the broker lets it publish there."""
        self._client.publish(topic, b"{}", 1)
        return until(lambda: self.refusals and [self.refusals.pop()]) != [REFUSED]

    def hears(self, topic: str) -> None:
        """Listen to `topic`; returns when the broker knows."""
        self._client.subscribe(topic, 1)
        until(lambda: self.subscribed)

    def close(self) -> None:
        """Go."""
        self._client.disconnect()
        self._client.loop_stop()
