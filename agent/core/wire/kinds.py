"""Every kind of event, and what its data is."""
from msgspec import Struct

from agent.core.wire.happenings import (
    CameraData,
    ClipData,
    ClockData,
    CommandData,
    ConfigData,
    ConsentData,
    DeliveryData,
    GapData,
    MotionData,
    SecurityData,
    StorageData,
    TamperData,
)
from agent.core.wire.reports import Health

KINDS: dict[str, type[Struct]] = {
    "motion": MotionData, "tamper": TamperData, "clip": ClipData, "camera": CameraData, "storage": StorageData,
    "clock": ClockData, "security": SecurityData, "command": CommandData, "config": ConfigData, "gap": GapData,
    "consent": ConsentData, "delivery": DeliveryData,
    "health_hist": Health,          # a report of the time without a broker
}
