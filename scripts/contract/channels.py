"""Every channel between a device and its ward: where, which way, how, and what it is for.

tests/link/test_contract.py compares it with what a real link publishes.
"""
from dataclasses import dataclass
from typing import Any, Literal

from agent.core.contract import wire
from agent.core.contract.wire.commands import COMMANDS
from agent.core.contract.wire.topics import ROOT

TOPICS = wire.Topics("{ward}", "{dev}")
JSON = "application/json"
CLOUD_EVENT = "application/cloudevents+json; charset=utf-8"
HEALTH_EXPIRY = {"type": "integer", "minimum": 15, "maximum": 900, "description": "three times int_s of the report"}
WEEK_S = 7 * 86_400

PARAMETERS = {
    "ward": {"description": "the ward's name", "examples": ["w07"]},
    "dev": {"description": "the device's id, common name of its certificate: c- and 12 hex digits",
            "examples": ["c-7f3a9c21b04d"]},
    "name": {"description": "the command", "enum": list(COMMANDS)},
    "who": {"description": "who asked, as in the command's Response Topic; ops where there was none",
            "examples": ["ops"]},
    "id": {"description": "the command's id", "examples": ["01KAV0Z6V6M3W2Q8T1B7N5D4XE"]},
}


@dataclass(frozen=True, slots=True)
class Channel:
    """One topic and the messages on it. `action` is the device's: it sends, or it receives."""

    name: str
    address: str
    action: Literal["send", "receive"]
    about: str
    messages: tuple[str, ...]
    qos: int = 1
    retain: bool = False
    expiry_s: int | dict[str, Any] | None = None        # None: the message does not expire
    reply: str | None = None                            # the channel on which it is answered

    @property
    def parameters(self) -> list[str]:
        """The names in the address that stand for something, in their order."""
        return [name for name in PARAMETERS if f"{{{name}}}" in self.address]


ORDER = "command-"      # what the messages that order something begin with
ORDERS = tuple(ORDER + name for name in COMMANDS)
ORDERS_TO_ALL = tuple(ORDER + name for name, rule in COMMANDS.items() if rule.to_all)

CHANNELS = (
    Channel("status", TOPICS.status, "send", retain=True, expiry_s=1200, messages=("status",), about=(
            "Online or not. \"Online\" expires and is repeated each 10 minutes; \"offline\" does not expire. The will, "
            "sent by the broker 30 s after it finds the connection broken, says why: lost. It finds a pulled cable "
            "after 1.5 keepalives, 30 s by default.")),
    Channel("birth", TOPICS.birth, "send", retain=True, messages=("birth",), about=(
            "What the device is and speaks; after each subscription, and when its cameras or what the ward has set "
            "change.")),
    Channel("health", TOPICS.health, "send", qos=0, retain=True, expiry_s=HEALTH_EXPIRY, messages=("health",), about=(
            "How the device is, each int_s seconds.")),
    Channel("evt", TOPICS.evt, "send", messages=("evt",), about=(
            "Events, one CloudEvent a message, again and again until the ward's receipt names them. (dev, seq) is the "
            "key by which repetitions are known.")),
    Channel("ack", TOPICS.ack, "receive", retain=True, messages=("ack",), about=(
            "The ward's receipts for events. Commit first, then send.")),
    Channel("command", f"{TOPICS.root}/cmd/{{name}}", "receive", messages=ORDERS, reply="response", about=(
            "An order to one device; expires at its exp. Never retained: a retained one is refused.")),
    Channel("command-to-all", f"{ROOT}/{{ward}}/_all/cmd/{{name}}", "receive", expiry_s=300, messages=ORDERS_TO_ALL,
            reply="response", about=(
            "An order to all devices of the ward; each answers after up to 30 s. Never retained.")),
    Channel("response", TOPICS.response("{who}", "{id}"), "send", expiry_s=WEEK_S, messages=("response",), about=(
            "What became of a command, with its Correlation Data.")),
    Channel("cfg-reported", TOPICS.cfg_reported, "send", retain=True, messages=("cfg-reported",), about=(
            "The settings in effect once the ward has set some with the command set; again with each connection.")),
    Channel("ward-state", TOPICS.ward_state, "receive", retain=True, expiry_s=300, messages=("ward-state",), about=(
            "Whether the ward's ingest is at work. While it is not, devices report less.")),
)
