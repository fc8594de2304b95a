"""Sample entries, which say how a track's samples are encoded: written and read back.

Formats: ISO/IEC 14496-12 §12.1.3 and §12.2.3 (entries), 14496-15 (avc1, hvc1), 14496-14 with 14496-1 §7.2.6 (mp4a and
its descriptors), Apple's QuickTime File Format (alaw, ulaw).
"""
import struct

from agent.core.media.model import AudioInfo, StreamInfo
from agent.core.media.mp4.boxes import BOX, Mp4Error, box, full_box

VISUAL = struct.Struct(">6xH16xHHII4xH32xHh")       # reference, width, height, two resolutions, frames, depth
SOUND = struct.Struct(">6xH8xHH4xI")                # reference, channels, bits of a sample, rate << 16

VISUAL_ENTRIES = {"h264": (b"avc1", b"avcC"), "h265": (b"hvc1", b"hvcC")}
VISUAL_CODECS = {kinds: codec for codec, kinds in VISUAL_ENTRIES.items()}
SOUND_ENTRIES = {"aac": b"mp4a", "pcma": b"alaw", "pcmu": b"ulaw"}
SOUND_CODECS = {kind: codec for codec, kind in SOUND_ENTRIES.items()}

CONFIG_B_MAX = 64           # of AAC's configuration, which has 2 to 7 bytes
RATE_HZ_MAX, CHANNELS_MAX = 192_000, 8
SOUND_B_MAX = 65_536        # of one piece of sound: an AAC frame has at most 768 bytes a channel
RATE_LIMIT = 2**16          # of the entry's field; the track's timescale has every rate

ES, DECODER, SPECIFIC, SYNC_LAYER = 3, 4, 5, 6      # tags of descriptors
AAC, AUDIO_STREAM = 0x40, 0x15
CONFIG_AT = 26              # in the body of esds: after version, flags and the heads of the outer descriptors


def visual_entry(stream: StreamInfo) -> bytes:
    """Returns the picture's sample entry with its decoder record."""
    entry, record = VISUAL_ENTRIES[stream.codec]
    fields = VISUAL.pack(1, stream.width, stream.height, 0x480000, 0x480000, 1, 24, -1)
    return box(entry, fields, box(record, stream.config))


def holds(audio: AudioInfo) -> bool:
    """Whether sound of this format can be recorded unchanged."""
    return (audio.codec in SOUND_ENTRIES and 0 < audio.rate_hz <= RATE_HZ_MAX and 0 < audio.channels <= CHANNELS_MAX
            and (audio.codec != "aac" or 0 < len(audio.config) <= CONFIG_B_MAX))


def sound_entry(audio: AudioInfo) -> bytes:
    """Returns the sample entry of sound that `holds`; for AAC with its descriptors."""
    rate_hz = audio.rate_hz if audio.rate_hz < RATE_LIMIT else 0
    fields = SOUND.pack(1, audio.channels, 16, rate_hz << 16)
    return box(SOUND_ENTRIES[audio.codec], fields, _esds(audio.config) if audio.codec == "aac" else b"")


def _esds(config: bytes) -> bytes:
    decoder = struct.pack(">BB11x", AAC, AUDIO_STREAM) + _descriptor(SPECIFIC, config)
    return full_box(b"esds", 0, 0, _descriptor(ES, bytes(3) + _descriptor(DECODER, decoder) +
                                               _descriptor(SYNC_LAYER, b"\x02")))


def _descriptor(tag: int, body: bytes) -> bytes:
    """Ours are shorter than 128 bytes, so the length takes one byte."""
    return bytes((tag, len(body))) + body


def aac_config(esds: bytes) -> bytes:
    """Returns AAC's configuration from an esds body of `sound_entry`. Raises Mp4Error."""
    config = esds[CONFIG_AT:]
    config = config[:esds[CONFIG_AT - 1]] if config else b""
    if not 0 < len(config) <= CONFIG_B_MAX or _esds(config)[BOX.size:] != esds:
        raise Mp4Error("a description of AAC that is not ours")
    return config
