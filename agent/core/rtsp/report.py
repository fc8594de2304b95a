"""The RTCP packet that tells a camera that someone still listens: some end a stream without one. Pure.

Form: RFC 3550 §6.4.2 (a receiver report without blocks is one) and §6.5 (the name that must come with it), framed after
RFC 2326 §10.12.
"""
import struct

VERSION = 2 << 6
RECEIVER_REPORT, DESCRIPTION, CNAME = 201, 202, 1
NAME = b"taimat"


def receiver_report(listener: int, channel: int) -> bytes:
    """The report as it goes between RTSP messages. `listener` is a number (32 bits), the same for all of a session."""
    report = struct.pack(">BBHI", VERSION, RECEIVER_REPORT, 1, listener)
    named = struct.pack(">IBB", listener, CNAME, len(NAME)) + NAME
    named += bytes(4 - len(named) % 4)      # the list's end, at least one zero
    described = struct.pack(">BBH", VERSION | 1, DESCRIPTION, len(named) // 4) + named
    return struct.pack(">cBH", b"$", channel, len(report + described)) + report + described
