"""The sign of life by RTCP, read back by the rules of RFC 3550."""
import struct

from agent.core.protocols.rtsp.message import receiver_report


def test_a_report_is_a_compound_packet_of_two_whose_lengths_add_up():
    sent = receiver_report(0xDEADBEEF, 5)
    dollar, channel, size = struct.unpack_from(">cBH", sent)
    packet = sent[4:]
    assert (dollar, channel, size) == (b"$", 5, len(packet))
    kinds, at = [], 0
    while at < len(packet):
        first, kind, words, listener = struct.unpack_from(">BBHI", packet, at)
        kinds.append((first >> 6, first & 31, kind, listener))
        last, at = packet[at:at + 4 * (words + 1)], at + 4 * (words + 1)
    assert at == len(packet) and kinds == [(2, 0, 201, 0xDEADBEEF), (2, 1, 202, 0xDEADBEEF)]
    assert last[8:10] == b"\1\6" and last[10:16] == b"taimat" and not any(last[16:]) and len(last) > 16
