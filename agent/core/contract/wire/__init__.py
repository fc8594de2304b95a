"""The contract with the ward, version 1: topics, payloads and their rules. docs/reference/subscriber.md explains it.

Everything here is pure and light: the link role and capture import it, neither numpy nor a network library comes along.
"""
from agent.core.contract.wire.device_side import (
    Birth,
    BirthCamera,
    Health,
    HealthCamera,
    HealthCondition,
    LedgerHead,
    Reported,
    Response,
    Status,
)
from agent.core.contract.wire.events import (
    KINDS,
    CameraData,
    ClipData,
    ClipRef,
    ClockData,
    CloudEvent,
    CommandData,
    ConfigData,
    ConsentData,
    DeliveryData,
    Entry,
    GapData,
    Hour,
    LabelData,
    MotionData,
    SecurityData,
    StorageData,
    TamperData,
    cloud_event,
    encode,
    rfc3339,
)
from agent.core.contract.wire.inbound import Ack, BadPayload, Command, Rejected, WardState, decode
from agent.core.contract.wire.topics import Topics

VERSION = 1
