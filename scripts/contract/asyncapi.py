"""The AsyncAPI 3.0 document: channels, what the device does on them, messages with examples, MQTT's own settings.

Sources: github.com/asyncapi/spec, spec/asyncapi.md (3.0.0); github.com/asyncapi/bindings, mqtt/README.md (0.2.0).
"""
import inspect
import json
from typing import Any

import yaml

from agent.config.settings import Ward
from agent.core.contract import wire
from agent.core.contract.wire.commands import COMMANDS, Nothing
from agent.core.contract.wire.inbound import LARGEST_B
from agent.core.contract.wire.topics import ROOT
from agent.mqtt.messages import SESSION_S
from scripts.contract.channels import CHANNELS, CLOUD_EVENT, JSON, ORDER, PARAMETERS, TOPICS, Channel
from scripts.contract.samples import samples

Table = dict[str, Any]

VERSION = f"{ROOT.rpartition('v')[2]}.{wire.VERSION}.0"      # the topics' major version, the payloads' `v`
BINDING = {"bindingVersion": "0.2.0"}
CORRELATION = {"correlationData": {"type": "string", "description": "comes back with the answer"}}
ASKS = {"responseTopic": TOPICS.response("{who}", "{id}"), **CORRELATION}
DRAFT7 = "application/schema+json;version=draft-07"
ABOUT = """\
What a Taimat device tells its ward over MQTT 5, and what the ward can tell it. The application described is the device:
it "sends" what it publishes and "receives" what it subscribes to. docs/reference/subscriber.md tells the same in prose.

Ignore fields that you don't know: later versions add some. What is absent is unknown, never 0."""


def document() -> str:
    """The whole document as YAML."""
    messages = dict.fromkeys(message for channel in CHANNELS for message in channel.messages)
    table = {
        "asyncapi": "3.0.0",
        "info": {"title": "Taimat: a device and its ward", "version": VERSION, "description": ABOUT},
        "defaultContentType": JSON,
        "servers": {"ward": _server()},
        "channels": {channel.name: _channel(channel) for channel in CHANNELS},
        "operations": {f"{channel.action}-{channel.name}": _operation(channel) for channel in CHANNELS},
        "components": {
            "parameters": PARAMETERS,
            "messages": {message: _message(message) for message in messages},
            "securitySchemes": {"certificate": {"type": "X509", "description": (
                "The device's certificate; its common name is the device's id, user name and client id.")}},
        },
    }
    return yaml.dump(table, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120, default_flow_style=None)


class _Dumper(yaml.SafeDumper):
    """For readers: without anchors, and with paragraphs as they are."""

    def ignore_aliases(self, data: object) -> bool:
        """What is used twice is written twice."""
        return True

    def represent_str(self, data: str) -> yaml.ScalarNode:
        """Several lines are kept as lines."""
        return self.represent_scalar("tag:yaml.org,2002:str", data, style="|" if "\n" in data else None)


_Dumper.add_representer(str, _Dumper.represent_str)


def _server() -> Table:
    will = json.dumps(samples("status")["lost"], separators=(",", ":"))
    return {
        "host": "broker.example:8883", "protocol": "secure-mqtt", "protocolVersion": "5.0",
        "description": "The ward's broker. MQTT 5 only: earlier versions can't say that they refuse an event.",
        "security": [{"$ref": "#/components/securitySchemes/certificate"}],
        "bindings": {"mqtt": {
            "clientId": "c-7f3a9c21b04d", "cleanSession": False, "keepAlive": Ward().keepalive_s,
            "sessionExpiryInterval": SESSION_S, "maximumPacketSize": LARGEST_B,
            "lastWill": {"topic": TOPICS.status, "qos": 1, "retain": True, "message": will},
            **BINDING}},
    }


def _channel(channel: Channel) -> Table:
    return {
        "address": channel.address,
        "description": channel.about,
        "parameters": {name: _ref("parameters", name) for name in channel.parameters},
        "messages": {message: _ref("messages", message) for message in channel.messages},
    }


def _operation(channel: Channel) -> Table:
    binding: Table = {"qos": channel.qos, "retain": channel.retain}
    if channel.expiry_s is not None:
        binding["messageExpiryInterval"] = channel.expiry_s
    reply = {"reply": {"channel": {"$ref": f"#/channels/{channel.reply}"}}} if channel.reply else {}
    return {"action": channel.action, "channel": {"$ref": f"#/channels/{channel.name}"},
            "bindings": {"mqtt": {**binding, **BINDING}}, **reply}


def _message(message: str) -> Table:
    """A message with its schema, examples and what MQTT carries beside it."""
    order = message.removeprefix(ORDER) if message.startswith(ORDER) else None
    binding = ASKS if order else CORRELATION if message == "response" else None
    about = _order(order) if order else ""
    return {
        "name": message,
        **({"summary": about} if about else {}),
        "contentType": CLOUD_EVENT if message == "evt" else JSON,
        "payload": {"schemaFormat": DRAFT7, "schema": _schema(message, order)},
        **({"bindings": {"mqtt": {**binding, **BINDING}}} if binding else {}),
        "examples": [{"name": name, "payload": payload} for name, payload in samples(message).items()],
    }


def _order(name: str) -> str:
    """What a command takes, in its struct's words, and whether it must be signed."""
    rule = COMMANDS[name]
    takes = "" if rule.args is Nothing else inspect.getdoc(rule.args)
    signed = "Refused without the signature of the ward's command key." if rule.signed else ""
    return " ".join(filter(None, (takes, signed)))


def _schema(message: str, order: str | None) -> Table:
    if order is None:
        return {"$ref": f"./schemas/{message}.json"}
    args = f"./schemas/command.json#/definitions/{COMMANDS[order].args.__name__}"
    return {"allOf": [{"$ref": "./schemas/command.json"}, {"properties": {"args": {"$ref": args}}}]}


def _ref(what: str, name: str) -> Table:
    return {"$ref": f"#/components/{what}/{name}"}
