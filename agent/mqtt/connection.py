"""One connection to an MQTT broker, from dialling to its end, with the library paho.

A connection is used once, so that no queue of the library outlives it: the outbox is the only queue. Its owner drives
it through `turn`; only `dial`, which may block, belongs on another thread. The library's callbacks only take notes.
"""
import contextlib
import errno
import functools
import math
import socket
import ssl
import struct
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt import MQTTException
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import MQTTException as PropertyException
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from agent.core.contract.wire.inbound import LARGEST_B
from agent.mqtt.credentials import Credentials
from agent.mqtt.fault import OVERSIZED, LinkFault, of_error, of_text
from agent.mqtt.messages import (
    Accepted,
    Acknowledged,
    Arrived,
    ConnectOptions,
    ConnectRefused,
    Ended,
    Happening,
    Outgoing,
    Subscribed,
    Tag,
)

CONNECT_TIMEOUT_S = 15.0        # a broker that serves a whole ward at once needs it (docs/design/ward.md)
IN_FLIGHT_MAX = 20
OVERHEAD_B = 256                # of a PUBLISH around topic and payload, including our properties
PACKET_MAX_B = 268_435_455      # MQTT 5.0, 1.5.5
TAKEN_MAX_B = LARGEST_B + OVERHEAD_B
UNSENT_MAX_N = 1000             # packets that a broker does not read before we leave it
READS_A_TURN = 50
# Errors that the library raises for bytes that are not a packet.
BROKEN = (MQTTException, PropertyException, struct.error, ValueError, LookupError)


class Client(paho.Client):
    """The library's client without two faults of paho 2.1, the version in Debian 13; 2.2 corrects both.

    paho 2.1 only reads the broker's reason for ending the connection if properties follow, and mosquitto sends none.
    And its TLS handshake may take as long as the keepalive, because it ignores its own connect timeout.
    """

    end_reason: int | None = None

    def _sock_recv(self, bufsize: int) -> bytes:
        """Refuses a packet that announces too many bytes before any of them is read."""
        if bufsize > TAKEN_MAX_B:
            raise OSError(errno.EMSGSIZE, OVERSIZED)
        return super()._sock_recv(bufsize)

    def _handle_publish(self) -> paho.MQTTErrorCode:
        """At QoS 2 the library would keep each message until the broker asks for it; we subscribe with QoS 1."""
        if self._in_packet["command"] & 0b100:
            return paho.MQTT_ERR_PROTOCOL
        return super()._handle_publish()

    def _handle_disconnect(self) -> None:
        packet = self._in_packet["packet"]
        self.end_reason = packet[0] if packet else 0
        super()._handle_disconnect()

    def _ssl_wrap_socket(self, tcp_sock: socket.socket) -> ssl.SSLSocket:
        keepalive_s, self._keepalive = self._keepalive, math.ceil(self.connect_timeout)
        try:
            return super()._ssl_wrap_socket(tcp_sock)
        finally:
            self._keepalive = keepalive_s


class Connection:
    """One connection to the broker."""

    def __init__(self, host: str, port: int, credentials: Credentials, filters: Sequence[str],
                 options: ConnectOptions) -> None:
        """Prepares the connection, which subscribes to `filters` of topics; sends nothing yet."""
        self.host, self.port, self.credentials, self._filters = host, port, credentials, filters
        self._options = options
        self.keepalive_s, self.in_flight_max = options.keepalive_s, IN_FLIGHT_MAX       # unless CONNACK gives less
        self.packet_max_b, self.retains = PACKET_MAX_B, True
        self._unacked: dict[int, Tag] = {}
        self._happenings: deque[Happening] = deque()
        self._complaint = ""
        self._client = self._build(options)

    def _build(self, options: ConnectOptions) -> Client:
        client = Client(paho.CallbackAPIVersion.VERSION2, client_id=self.credentials.dev, protocol=paho.MQTTv5,
                        reconnect_on_failure=False, manual_ack=options.confirm_later)
        client.connect_timeout = CONNECT_TIMEOUT_S
        client.max_inflight_messages_set(IN_FLIGHT_MAX)
        if self.credentials.tls:
            client.tls_set_context(self.credentials.tls)
        if self.credentials.user or self.credentials.password:
            client.username_pw_set(self.credentials.user or "", self.credentials.password)
        if will := options.will:
            client.will_set(will.topic, will.payload, will.qos, will.retain,
                            _properties(PacketTypes.WILLMESSAGE, WillDelayInterval=options.will_delay_s,
                                        ContentType=will.content_type))
        client.on_connect, client.on_disconnect = self._on_connect, self._on_disconnect
        client.on_subscribe, client.on_publish = self._on_subscribe, self._on_publish
        client.on_message, client.on_log = self._on_message, self._on_log
        client.on_socket_close = self._on_socket_close
        return client

    def dial(self) -> None:
        """Connects and sends CONNECT; blocks CONNECT_TIMEOUT_S per address, and for the resolver. Raises LinkFault."""
        try:
            wanted = _properties(PacketTypes.CONNECT, SessionExpiryInterval=self._options.session_s,
                                 ReceiveMaximum=IN_FLIGHT_MAX, MaximumPacketSize=TAKEN_MAX_B)
            self._client.connect(self.host, self.port, self.keepalive_s, clean_start=not self._options.session_s,
                                 properties=wanted)
            if (connected := self._client.socket()) is None:    # ended already: CONNECT could not be sent
                raise of_text(self._complaint, f"{self.host}:{self.port}")
            # Without this, a message waits for the answer to the previous one, which a kernel delays by 40 ms.
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            raise of_error(error, f"{self.host}:{self.port}", self.credentials.tls is not None) from error
        except ValueError as error:         # an invalid host name
            raise LinkFault("dns", "not a host name: see {broker} host", where=f"{self.host}:{self.port}") from error

    def socket(self) -> Any:
        """Returns the socket to wait on; None after the end."""
        return self._client.socket()

    def wants_write(self) -> bool:
        return self._client.want_write()

    def holds_more(self) -> bool:
        """Whether TLS holds bytes that `select` does not announce."""
        pending: Callable[[], int] | None = getattr(self._client.socket(), "pending", None)
        return bool(pending and pending())

    def turn(self, readable: bool) -> list[Happening]:
        """Reads, writes and keeps alive without blocking. Returns the happenings since the last call."""
        if readable:
            self._read()
        if self.wants_write():
            self._client.loop_write()
        self._client.loop_misc()
        happenings = list(self._happenings)
        self._happenings.clear()
        return happenings

    def _read(self) -> None:
        try:
            for _ in range(READS_A_TURN):
                if self._client.loop_read() != paho.MQTT_ERR_SUCCESS or not self.holds_more():
                    break
            if len(self._client._out_packet) > UNSENT_MAX_N:
                raise MQTTException("the broker does not read")
        except BROKEN as error:
            self.cut()
            self._happenings.append(Ended(None, f"malformed packet: {type(error).__name__}"))

    @property
    def room_n(self) -> int:
        """Returns how many messages of QoS 1 the broker accepts now."""
        return self.in_flight_max - len(self._unacked)

    def fits(self, message: Outgoing) -> bool:
        """Whether the broker takes a message of this size; one too large would end each connection."""
        return len(message.topic) + len(message.payload) + OVERHEAD_B <= self.packet_max_b

    def publish(self, message: Outgoing, tag: Tag) -> None:
        """Sends a message that fits; its PUBACK, if one comes, is Acknowledged with `tag`. QoS 1 needs room."""
        wanted = {"ContentType": message.content_type, "MessageExpiryInterval": message.expiry_s,
                  "CorrelationData": message.correlation, "ResponseTopic": message.response_topic}
        given = {name: value for name, value in wanted.items() if value is not None}
        retain = message.retain and self.retains
        info = self._client.publish(message.topic, message.payload, message.qos, retain,
                                    _properties(PacketTypes.PUBLISH, **given))
        if message.qos:
            self._unacked[info.mid] = tag

    def subscribe(self) -> None:
        """Subscribes; messages keep their retain flag, so that a retained command is recognised."""
        options = SubscribeOptions(qos=1, retainAsPublished=True)
        self._client.subscribe([(topic, options) for topic in self._filters])

    def close(self) -> None:
        """Sends DISCONNECT, so that the broker does not publish the will."""
        self._client.disconnect()

    def cut(self) -> None:
        """Closes the socket without a DISCONNECT, so that the broker publishes the will."""
        if (socket := self._client.socket()) is not None:
            with contextlib.suppress(OSError):
                socket.close()

    def _on_connect(self, _client: object, _data: object, _flags: object, reason: ReasonCode,
                    properties: Properties | None) -> None:
        if reason.is_failure:
            self._happenings.append(ConnectRefused(reason.value))
            return
        self.keepalive_s = getattr(properties, "ServerKeepAlive", self.keepalive_s)
        self.in_flight_max = min(IN_FLIGHT_MAX, getattr(properties, "ReceiveMaximum", IN_FLIGHT_MAX))
        self.packet_max_b = getattr(properties, "MaximumPacketSize", self.packet_max_b)
        self.retains = bool(getattr(properties, "RetainAvailable", 1))
        self._happenings.append(Accepted())

    def _on_subscribe(self, _client: object, _data: object, _mid: int, reasons: list[ReasonCode],
                      _properties: object) -> None:
        self._happenings.append(Subscribed(sum(reason.is_failure for reason in reasons)))

    def _on_publish(self, _client: object, _data: object, mid: int, reason: ReasonCode, _properties: object) -> None:
        tag = self._unacked.pop(mid, None)
        if tag is not None:
            self._happenings.append(Acknowledged(tag, reason.value))

    def _on_message(self, _client: object, _data: object, message: paho.MQTTMessage) -> None:
        properties = message.properties
        self._happenings.append(Arrived(
            message.topic, bytes(message.payload), message.retain, qos=message.qos,
            response_topic=getattr(properties, "ResponseTopic", None),
            correlation=getattr(properties, "CorrelationData", None),
            expiry_s=getattr(properties, "MessageExpiryInterval", None),
            content_type=getattr(properties, "ContentType", None),
            confirm=functools.partial(self._client.ack, message.mid, message.qos)))

    def _on_disconnect(self, _client: object, _data: object, _flags: object, _reason: object, _none: object) -> None:
        self._happenings.append(Ended(self._client.end_reason, self._complaint))

    def _on_socket_close(self, _client: object, _data: object, closing: Any) -> None:
        """Keeps the broker's verdict: with TLS 1.3 it may follow the handshake, and a failed write does not show it."""
        try:
            closing.recv(1)
        except ssl.SSLWantReadError:
            return
        except ssl.SSLError as error:
            self._complaint = str(error)
        except OSError:
            return

    def _on_log(self, _client: object, _data: object, level: int, text: str) -> None:
        if level == paho.MQTT_LOG_ERR:
            self._complaint = text


def _properties(packet: int, **values: object) -> Properties:
    properties = Properties(packet)
    for name, value in values.items():
        setattr(properties, name, value)
    return properties
