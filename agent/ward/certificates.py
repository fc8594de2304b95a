"""Which devices' certificates end soon, by their own births: a device renews in time, or somebody has to. Pure."""
from collections.abc import Iterable
from datetime import datetime

import msgspec

from agent.ward.register import DeviceRecord

SOON_MS = 30 * 86_400_000


class _Ending(msgspec.Struct, frozen=True):
    cert_not_after: str | None = None


def left_days(not_after: str | None, now_ms: int) -> int | None:
    """Whole days until that moment (RFC 3339), negative ones since; None where it is not near, or no moment."""
    try:
        left_ms = datetime.fromisoformat(not_after or "").timestamp() * 1000 - now_ms
    except ValueError:
        return None
    return int(left_ms // 86_400_000) if left_ms < SOON_MS else None


def ending_n(devices: Iterable[DeviceRecord], now_ms: int) -> int:
    """How many devices have a certificate that ends within 30 days, or has ended."""
    births = (msgspec.json.decode(device.birth, type=_Ending) for device in devices if device.birth)
    return sum(left_days(birth.cert_not_after, now_ms) is not None for birth in births)
