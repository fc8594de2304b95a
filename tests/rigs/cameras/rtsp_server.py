#!/usr/bin/python3
"""A camera on the network: serves MP4 files over RTSP on one address in endless loops, never re-encoded.

    rtsp_server.py ADDRESS:PORT USER:PASSWORD|- PATH=FILE.mp4 [PATH=FILE.mp4 ...]

`PATH+=FILE.mov` serves the file's sound, too; `PATH~=FILE.mp4` refuses TCP.

Needs Debian's gir1.2-gst-rtsp-server-1.0, python3-gi, gstreamer1.0-plugins-good and -bad. Ends when its standard input
ends, so it never outlives the test that started it.
"""
import sys
from typing import NamedTuple

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstApp", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstApp, GstRtsp, GstRtspServer  # noqa: E402, F401

PAY = {"video/x-h264": "h264parse config-interval=-1 ! rtph264pay",
       "video/x-h265": "h265parse config-interval=-1 ! rtph265pay",
       "audio/mpeg": "aacparse ! rtpmp4gpay",
       "audio/x-alaw": "rtppcmapay max-ptime=40000000",
       "audio/x-mulaw": "rtppcmupay max-ptime=40000000"}
READ_NS = 5_000_000_000      # a file that can't be read gives neither a frame nor an end


class Unit(NamedTuple):
    """One encoded frame of the file; times in nanoseconds from the file's first decode time."""

    data: bytes
    pts_ns: int
    dts_ns: int
    key: bool


class Film:
    """A file's packets of one kind, all in memory."""

    def __init__(self, path: str, kind: str = "video") -> None:
        """`kind` is "video" or "audio"."""
        pipeline = Gst.parse_launch(f'filesrc location="{path}" ! qtdemux name=demux '
                                    f'demux.{kind}_0 ! appsink name=out sync=false')
        pipeline.set_state(Gst.State.PLAYING)
        out = pipeline.get_by_name("out")
        self.units: list[Unit] = []
        while (sample := out.try_pull_sample(READ_NS)) is not None:
            self.caps = sample.get_caps()
            buffer = sample.get_buffer()
            dts_ns = buffer.pts if buffer.dts == Gst.CLOCK_TIME_NONE else buffer.dts
            key = not buffer.has_flags(Gst.BufferFlags.DELTA_UNIT)
            self.units.append(Unit(buffer.extract_dup(0, buffer.get_size()), buffer.pts, dts_ns, key))
        ended = out.is_eos()
        pipeline.set_state(Gst.State.NULL)
        if not (ended and self.units):
            sys.exit(f"{path}: is no MP4 with {kind} that can be read")
        first_ns = self.units[0].dts_ns
        self.units = [unit._replace(pts_ns=unit.pts_ns - first_ns, dts_ns=unit.dts_ns - first_ns)
                      for unit in self.units]
        self.step_ns = self.units[-1].dts_ns // max(1, len(self.units) - 1)
        self.long_ns = self.units[-1].dts_ns + self.step_ns


class Channel(GstRtspServer.RTSPMediaFactory):
    """One path of the server; all clients share one run of the film, as they share a camera."""

    def __init__(self, *films: Film, udp_only: bool = False) -> None:
        """A video, and a sound if there is to be one."""
        super().__init__()
        self.films, self.udp_only = films, udp_only
        self.set_shared(True)
        pays = (PAY[film.caps.get_structure(0).get_name()] for film in films)
        self.set_launch("( " + " ".join(f"appsrc name=film{n} is-live=true format=time ! {pay} name=pay{n} pt={96 + n}"
                                        for n, pay in enumerate(pays)) + " )")

    def do_configure(self, media: GstRtspServer.RTSPMedia) -> None:
        """Called by the server when the first client comes: a fresh run of the film."""
        if self.udp_only:
            media.set_protocols(GstRtsp.RTSPLowerTrans.UDP)
        for number, film in enumerate(self.films):
            source = media.get_element().get_by_name_recurse_up(f"film{number}")
            source.set_property("caps", film.caps)
            source.connect("need-data", lambda source, _, film, place: self._push(source, film, next(place)),
                           film, iter(range(sys.maxsize)))

    def _push(self, source: GstApp.AppSrc, film: Film, number: int) -> None:
        """All films of a channel begin anew when the first of them, the video, has ended."""
        long_ns = self.films[0].long_ns
        units_n = sum(unit.dts_ns < long_ns for unit in film.units)
        rounds, index = divmod(number, units_n)
        unit, offset_ns = film.units[index], rounds * long_ns
        buffer = Gst.Buffer.new_wrapped(unit.data)
        buffer.pts, buffer.dts, buffer.duration = unit.pts_ns + offset_ns, unit.dts_ns + offset_ns, film.step_ns
        if not unit.key:
            buffer.set_flags(Gst.BufferFlags.DELTA_UNIT)
        source.emit("push-buffer", buffer)


def only_for(login: str, server: GstRtspServer.RTSPServer, channels: list[Channel]) -> None:
    """Ask every client for this "user:password", by Digest."""
    auth, token, allowed = GstRtspServer.RTSPAuth(), GstRtspServer.RTSPToken(), GstRtspServer.RTSPPermissions()
    token.set_string("media.factory.role", "viewer")
    auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
    auth.add_digest(*login.split(":", 1), token)
    server.set_auth(auth)
    allowed.add_permission_for_role("viewer", "media.factory.access", True)
    allowed.add_permission_for_role("viewer", "media.factory.construct", True)
    for channel in channels:
        channel.set_permissions(allowed)


def main(place: str, login: str, *channels: str) -> None:
    """Serve until standard input ends."""
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    address, _, port = place.rpartition(":")
    server.set_address(address)
    server.set_service(port)
    made = []
    for path, _, file in (channel.partition("=") for channel in channels):
        udp_only, path = path.endswith("~"), path.removesuffix("~")
        films = [Film(file), Film(file, "audio")] if path.endswith("+") else [Film(file)]
        path = path.removesuffix("+")
        made.append(Channel(*films, udp_only=udp_only))
        server.get_mount_points().add_factory(path, made[-1])
    if login != "-":
        only_for(login, server, made)
    if not server.attach(None):
        sys.exit(f"port {port} is taken")
    loop = GLib.MainLoop()
    GLib.io_add_watch(sys.stdin, GLib.PRIORITY_DEFAULT, GLib.IOCondition.HUP, lambda *_: loop.quit())
    print("ready", flush=True)
    loop.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
