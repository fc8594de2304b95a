"""Brokers as they should not be: silent, hostile, refusing. The session names it, waits its time, comes back."""
import resource
import socket
import ssl

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.mqtt import connection
from agent.mqtt.connection import IN_FLIGHT_MAX
from agent.mqtt.messages import Acknowledged, Arrived, Outgoing
from agent.mqtt.session import Down, Up
from tests.rigs.examples import examples
from tests.rigs.mqtt.scripted_broker import (
    CONNECT,
    KEEPALIVE_S,
    PUBLISH,
    SUBSCRIBE,
    TOPICS,
    Hand,
    Mumbler,
    connack,
    packet,
)

HOPELESS = {0x84: "mqtt_version", 0x85: "client_id", 0x86: "password", 0x87: "not_authorised", 0x8A: "banned"}
PASSING = {0x88: "unavailable", 0x89: "busy", 0x97: "quota", 0x9F: "busy"}
EVENT = Outgoing(TOPICS.evt, b"{}")
LONGEST_S = 30.0            # between a first failure and the next try


def silent(caller):
    """TCP answers, and nobody behind it."""


def no_connack(caller):
    caller.hear_until(CONNECT)


def no_suback(caller):
    caller.hear_until(CONNECT)
    caller.say(connack())
    caller.hear_until(SUBSCRIBE)


@pytest.mark.parametrize(("play", "last"), [(no_connack, CONNECT), (no_suback, SUBSCRIBE)], ids=["CONNACK", "SUBACK"])
def test_a_broker_that_does_not_finish_its_greeting_is_left_after_fifteen_seconds(play, last):
    with Mumbler(play) as broker:
        hand = Hand(broker.port)
        hand.until(lambda: last in broker.heard and hand.session.connection)
        hand.pass_s(14.9)
        assert hand.session.fault is None
        hand.pass_s(0.2)
        assert hand.session.fault.code == "silent" and hand.session.connection is None
        hand.pass_s(LONGEST_S)
        hand.until(lambda: broker.calls_n == 2, "it tries again")
        hand.session.close()


def test_a_tls_greeting_that_nobody_answers_ends_without_stopping_the_owner(monkeypatch):
    monkeypatch.setattr(connection, "CONNECT_TIMEOUT_S", 0.5)
    with Mumbler(silent) as broker:
        hand = Hand(broker.port, tls=ssl.create_default_context())
        hand.until(lambda: broker.calls_n == 1)
        assert hand.turn() == [], "dialling is somebody else's work"
        assert hand.until(lambda: hand.session.fault).code == "timeout"
        hand.session.close()


def test_silence_after_a_good_start_ends_the_connection():
    with Mumbler(lambda caller: caller.welcome()) as broker:
        hand = Hand(broker.port)
        hand.come_up()
        hand.pass_s(1.5 * KEEPALIVE_S - 0.1)
        assert hand.session.up
        hand.pass_s(0.2)
        assert [each.fault.code for each in hand.told if isinstance(each, Down)] == ["silent"]
        hand.pass_s(LONGEST_S)
        hand.come_up(2)
        hand.session.close()


@pytest.mark.parametrize("reason", [*HOPELESS, *PASSING], ids=hex)
def test_a_refusal_that_a_person_must_remove_waits_for_long(reason):
    def refuse(caller):
        caller.hear_until(CONNECT)
        caller.say(connack(reason))

    with Mumbler(refuse) as broker:
        hand = Hand(broker.port)
        fault = hand.until(lambda: hand.session.fault)
        assert (fault.code, broker.calls_n) == ((HOPELESS | PASSING)[reason], 1)
        hand.pass_s(LONGEST_S)
        hand.pass_s(0)
        if reason in HOPELESS:
            assert broker.calls_n == 1
            hand.pass_s(3600 - LONGEST_S)
        hand.until(lambda: broker.calls_n == 2, "it tries again")
        hand.session.close()


@pytest.mark.parametrize("properties", [b"", b"\0"], ids=["bare", "with properties"])
@pytest.mark.parametrize(("reason", "code"), [(0x8B, "shutdown"), (0x8E, "taken_over"), (0x95, "packet_too_large"),
                                              (0x98, "kicked"), (0xC7, "reason_c7")], ids=str)
def test_a_broker_that_ends_the_connection_is_quoted(reason, code, properties):
    def end(caller):
        caller.welcome()
        caller.say(packet(0xE0, bytes([reason]) + properties))

    with Mumbler(end) as broker:
        hand = Hand(broker.port)
        hand.come_up()
        hand.until(lambda: not hand.session.up)
        assert [each.fault.code for each in hand.told if isinstance(each, Down)] == [code]
        hand.session.close()


def test_what_the_broker_can_take_is_kept_to():
    """Receive Maximum 2, Maximum Packet Size 600."""
    with Mumbler(lambda caller: caller.welcome(b"\x21\0\x02\x27\0\0\x02\x58")) as broker:
        hand = Hand(broker.port)
        hand.come_up()
        assert hand.session.fits(EVENT) and not hand.session.fits(Outgoing(TOPICS.evt, b"x" * 400))
        for seq in (1, 2):
            assert hand.session.room_n == 3 - seq
            hand.session.publish(EVENT, seq)
        assert hand.session.room_n == 0
        hand.session.post(Outgoing(TOPICS.birth, b"x" * 400))
        assert hand.session.dropped_n == 1, "what would end each connection is not sent at all"
        hand.session.close()


def test_an_answer_to_what_was_never_sent_counts_for_nothing():
    def answer(caller):
        caller.welcome()
        mid = caller.hear_until(PUBLISH)[2 + len(TOPICS.evt):][:2]
        caller.say(*[packet(0x40, number + b"\x10\0") for number in (b"\x7f\xff", mid, mid)])

    with Mumbler(answer) as broker:
        hand = Hand(broker.port)
        hand.come_up()
        hand.session.publish(EVENT, 7)
        hand.until(lambda: Acknowledged(7, 16) in hand.told)
        for _ in range(5):
            hand.turn()
        assert [each for each in hand.told if isinstance(each, Acknowledged)] == [Acknowledged(7, 16)]
        assert hand.session.up and hand.session.room_n == IN_FLIGHT_MAX
        hand.session.close()


NOT_UTF8 = packet(0x32, b"\0\x04\xff\xfe\xfd\xfc\0\x01\0{}")        # its topic fails inside the library's callback


@settings(max_examples=examples(40))
@given(st.one_of(
    st.just(NOT_UTF8), st.binary(min_size=1, max_size=60),
    st.builds(packet, st.integers(0, 255), st.binary(max_size=60)),
    st.builds(lambda body: packet(0x32, b"\0" + bytes([len(TOPICS.ack)]) + TOPICS.ack.encode() + body),
              st.binary(max_size=30))))
def test_no_bytes_of_a_broker_stop_the_link(bytes_):
    """Whatever they do to the connection, the next one works."""
    with Mumbler(lambda caller: (caller.welcome(), caller.say(bytes_))) as broker:
        hand = Hand(broker.port)
        hand.come_up()
        broker.play = lambda caller: caller.welcome()
        hand.pass_s(0)
        hand.pass_s(1.5 * KEEPALIVE_S + 1)
        hand.pass_s(LONGEST_S)
        hand.come_up(2)
        hand.session.close()


def test_an_exception_in_the_librarys_callback_is_a_broken_connection():
    with Mumbler(lambda caller: (caller.welcome(), caller.say(NOT_UTF8))) as broker:
        hand = Hand(broker.port)
        hand.come_up()
        hand.until(lambda: not hand.session.up)
        assert [each.fault.code for each in hand.told if isinstance(each, Down)] == ["closed"]
        assert Up() in hand.told
        hand.session.close()


def grown_b(hand, broker):
    """By how much the process has grown at most, until the connection is over."""
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    hand.until(lambda: hand.session.fault, "the connection is over")
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb) * 1024


@pytest.mark.parametrize("kind", [0x32, 0x20, 0x90, 0xF0], ids=["PUBLISH", "CONNACK", "SUBACK", "AUTH"])
def test_a_packet_larger_than_we_take_is_refused_before_it_is_read(kind):
    """268 MB are announced, and 40 MB come."""
    with Mumbler(lambda caller: (caller.welcome(), caller.say(bytes([kind]) + b"\xff\xff\xff\x7f" + bytes(40_000_000)))
                 ) as broker:
        hand = Hand(broker.port)
        hand.come_up()
        assert grown_b(hand, broker) < 10_000_000
        assert hand.session.fault.code == "oversized"
        hand.session.close()


def test_the_largest_packet_that_we_take_is_taken():
    body = bytes([0, len(TOPICS.ack)]) + TOPICS.ack.encode() + b"\0\1\0"
    whole = body + b"x" * (connection.TAKEN_MAX_B - len(body) - 4)
    size = bytes([len(whole) & 127 | 128, len(whole) >> 7 & 127 | 128, len(whole) >> 14])
    with Mumbler(lambda caller: (caller.welcome(), caller.say(b"\x32" + size + whole))) as broker:
        hand = Hand(broker.port)
        hand.come_up()
        heard = hand.until(lambda: [each for each in hand.told if isinstance(each, Arrived)])
        assert len(heard[0].payload) == len(whole) - len(body) and hand.session.up
        hand.session.close()


@pytest.mark.parametrize("first", [0x34, 0x36], ids=["QoS 2", "QoS 3"])
def test_messages_that_the_library_would_keep_for_ever_are_refused(first):
    """At QoS 2 it holds each until a PUBREL comes; we have subscribed at QoS 1."""
    message = packet(first, bytes([0, len(TOPICS.ack)]) + TOPICS.ack.encode() + b"\0\1\0{}")
    with Mumbler(lambda caller: (caller.welcome(), caller.say(message))) as broker:
        hand = Hand(broker.port)
        hand.come_up()
        hand.until(lambda: hand.session.fault, "the connection is over")
        assert not [each for each in hand.told if isinstance(each, Arrived)]
        hand.session.close()


def test_a_broker_that_asks_and_never_reads_is_left():
    """Each PINGREQ wants an answer, and each answer waits for room."""
    def ask(caller):
        caller.welcome()
        while True:
            caller.say(packet(0xC0, b"") * 10_000)
    with Mumbler(ask) as broker:
        hand = Hand(broker.port)
        hand.come_up()
        hand.session.socket().setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        for _ in range(400_000):
            hand.session.turn(readable=True)
            if hand.session.fault:
                break
        assert hand.session.fault
        hand.session.close()
