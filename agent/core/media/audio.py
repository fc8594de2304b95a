"""Formats of a camera's sound: AAC's configuration, and the duration of a piece of sound. Pure.

Format: ISO/IEC 14496-3 §1.6.2.1 (AudioSpecificConfig), §4.4.1 (its part for AAC), table 1.18 (rates).
"""
from agent.core.media.model import AudioInfo

RATES_HZ = (96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350)
RATE_FOLLOWS = 15           # the rate follows as 24 bits
CHANNELS = (0, 1, 2, 3, 4, 5, 6, 8)
PLAIN = (1, 2, 3, 4)        # object types whose frames have 1024 samples, or 960: main, LC, SSR, LTP
DOUBLED = (5, 29)           # SBR and PS: extensions of a plain type
LAWS = ("pcma", "pcmu")


class _Bits:
    """Bits after the end read as zeros."""

    def __init__(self, data: bytes) -> None:
        self._value, self._left = int.from_bytes(data, "big"), 8 * len(data)

    def read(self, count: int) -> int:
        self._left -= count
        value = self._value >> self._left if self._left >= 0 else self._value << -self._left
        return value & (1 << count) - 1


def aac_shape(config: bytes) -> tuple[int, int, int] | None:
    """Returns rate, channels and samples of each frame from an AudioSpecificConfig; None if it is not plain AAC. They
    are the core's: if SBR doubles the rate, the decoder returns twice as many samples."""
    bits = _Bits(config)
    kind, rate_hz, channels = bits.read(5), _rate_hz(bits), bits.read(4)
    if kind in DOUBLED:
        _rate_hz(bits)      # the extension's rate
        kind = bits.read(5)
    if kind not in PLAIN or not rate_hz or channels >= len(CHANNELS) or not CHANNELS[channels]:
        return None
    return rate_hz, CHANNELS[channels], 960 if bits.read(1) else 1024


def _rate_hz(bits: _Bits) -> int:
    index = bits.read(4)
    if index == RATE_FOLLOWS:
        return bits.read(24)
    return RATES_HZ[index] if index < len(RATES_HZ) else 0


def aac(config: bytes) -> AudioInfo | None:
    """Decodes an AudioSpecificConfig; None if it is broken or another kind of AAC."""
    found = aac_shape(config)
    return AudioInfo("aac", found[0], found[1], config) if found else None


def samples_n(info: AudioInfo, data: bytes) -> int:
    """Returns the samples of each channel in a frame of AAC or a packet of G.711."""
    if info.codec in LAWS:
        return len(data) // info.channels
    found = aac_shape(info.config)
    return found[2] if found else 0
