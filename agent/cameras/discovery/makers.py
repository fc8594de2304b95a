"""Where cameras of common makers keep their streams, for those that don't tell by ONVIF.

Facts from makers' manuals and support pages and from lists that users of network recorders keep together. Cameras that
want the password inside the path (many built on XM boards) are left out: it would travel readable; they all know ONVIF.
"""
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Maker:
    """A maker, or a family of cameras with the same software."""

    name: str
    hints: tuple[str, ...]                      # words (lower case) in its answers, or in what ONVIF tells
    paths: tuple[tuple[str, str], ...]          # main and sub-stream ("": there is none), newest software first


DAHUA = (("/cam/realmonitor?channel=1&subtype=0", "/cam/realmonitor?channel=1&subtype=1"),)
HIKVISION = (("/Streaming/Channels/101", "/Streaming/Channels/102"),)
H264_CHANNEL = (("/h264/ch1/main/av_stream", "/h264/ch1/sub/av_stream"),)

# The more common it is in homes, the earlier it stands: all of them are tried where nothing hints at the maker.
MAKERS = (
    Maker("Hikvision", ("hikvision", "ip camera(", "hik"), HIKVISION + H264_CHANNEL),
    Maker("Dahua", ("dahua", "login to "), DAHUA),
    Maker("Imou", ("imou", "lechange"), DAHUA),
    Maker("KBVision", ("kbvision", "kbone", "kb.one"), DAHUA),
    Maker("Amcrest", ("amcrest",), DAHUA),
    Maker("TP-Link", ("tp-link", "tplink", "tapo", "vigi"), (("/stream1", "/stream2"),)),
    Maker("EZVIZ", ("ezviz",), (("/ch1/main", "/ch1/sub"),) + H264_CHANNEL),
    Maker("Reolink", ("reolink",), (("/Preview_01_main", "/Preview_01_sub"),
                                    ("/h264Preview_01_main", "/h264Preview_01_sub"))),
    Maker("Uniview", ("uniview", "unv"), (("/media/video1", "/media/video2"),
                                          ("/unicast/c1/s0/live", "/unicast/c1/s1/live"))),
    # A Xiaomi or Yi speaks RTSP only with the software that its users made for it.
    Maker("Xiaomi or Yi", ("xiaomi", "yi home"), (("/ch0_0.h264", "/ch0_1.h264"), ("/ch0_0.h265", "/ch0_1.h264"))),
    Maker("Vantech", ("vantech",), DAHUA + (("/onvif1", "/onvif2"), ("/11", "/12"))),
    Maker("Foscam", ("foscam",), (("/videoMain", "/videoSub"),)),
    Maker("Hanwha", ("hanwha", "wisenet", "samsung", "iradio"), (("/profile2/media.smp", "/profile3/media.smp"),
                                                                 ("/0/profile2/media.smp", "/0/profile3/media.smp"))),
    Maker("Axis", ("axis",), (("/axis-media/media.amp?videocodec=h264",
                               "/axis-media/media.amp?videocodec=h264&resolution=640x360&fps=5"),)),
    Maker("Wyze", ("wyze",), (("/live", ""),)),
    Maker("", ("hipcam",), (("/11", "/12"),)),
    Maker("", (), (("/live/ch00_0", "/live/ch00_1"), ("/live/main", "/live/sub"), ("/live/ch0", "/live/ch1"),
                   ("/onvif1", "/onvif2"), ("/0", "/1"), ("/main", "/sub"), ("/h264", ""), ("/live.sdp", ""),
                   ("/unicast", ""), ("/", ""))),
)


def maker_of(*told: str) -> Maker | None:
    """The maker that the texts hint at: RTSP server name and realm, or maker and model by ONVIF."""
    text = " ".join(told).lower()
    return next((maker for maker in MAKERS if any(hint in text for hint in maker.hints)), None)


def candidates(likely: Maker | None) -> Iterator[tuple[str, str, str]]:
    """(maker, main, sub) of every known pair of paths once, the likely maker's first."""
    seen: set[str] = set()
    for maker in ((likely,) if likely else ()) + MAKERS:
        for main, sub in maker.paths:
            if main not in seen:
                seen.add(main)
                yield maker.name, main, sub
