"""Parameter sets that ask for more than a picture has: a film's own SPS with other sizes and reference frames in it."""
from agent.core.media.sps import H264_HIGH_PROFILES, Bits


class _Writer:
    """Bits of a NAL unit, written one after the other."""

    def __init__(self) -> None:
        self._text = ""

    def u(self, value: int, count: int) -> None:
        """An unsigned number of so many bits."""
        self._text += f"{value:0{count}b}" if count else ""

    def ue(self, value: int) -> None:
        """An unsigned Exp-Golomb number."""
        digits = f"{value + 1:b}"
        self._text += "0" * (len(digits) - 1) + digits

    def unit(self, header: bytes) -> bytes:
        """The NAL unit, with emulation prevention."""
        bits = self._text + "1"
        bits += "0" * (-len(bits) % 8)
        raw, out = bytes(int(bits[at:at + 8], 2) for at in range(0, len(bits), 8)), bytearray()
        for byte in raw:
            if byte <= 3 and out[-2:] == b"\0\0":
                out.append(3)
            out.append(byte)
        return header + bytes(out)


def giant_sps(sps: bytes, width: int, height: int, references_n: int = 1,
              shown: tuple[int, int] | None = None) -> bytes:
    """An H.264 SPS like `sps`, without VUI, for pictures of another size, a multiple of 16.

    `shown` is what cropping leaves of it.
    """
    bits, out = Bits(sps, 1), _Writer()
    profile = bits.u(8)
    out.u(profile, 8)
    out.u(bits.u(16), 16)
    out.ue(bits.ue())
    if profile in H264_HIGH_PROFILES:
        for _ in range(3):
            out.ue(bits.ue())       # chroma format (4:2:0) and bits of a sample
        out.u(bits.u(2), 2)         # lossless, scaling lists: none
    out.ue(bits.ue())
    kind = bits.ue()
    out.ue(kind)
    if kind == 0:
        out.ue(bits.ue())
    bits.ue()
    out.ue(references_n)
    out.u(bits.u(1), 1)
    bits.ue(), bits.ue()
    out.ue(width // 16 - 1)
    out.ue(height // 16 - 1)
    out.u(bits.u(1), 1)
    out.u(bits.u(1), 1)
    out.u(1 if shown else 0, 1)
    if shown:
        for value in (0, (width - shown[0]) // 2, 0, (height - shown[1]) // 2):
            out.ue(value)
    out.u(0, 1)                     # no VUI
    return out.unit(sps[:1])
