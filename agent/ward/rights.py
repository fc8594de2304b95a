"""`taimat ward rights`: the users of a city's clustered broker, RabbitMQ, and their rights, as it imports them.

RabbitMQ needs a user for each name in a certificate; it refuses a name without one at all nodes. The rights are those
of acl.in, acl.city and acl.city.in, as regular expressions over RabbitMQ's spelling of topics: dots for slashes, a star
for a plus.
"""
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from agent.config.load import ConfigError
from agent.core.contract.wire.topics import ROOT
from agent.ward.authority.issuer import DEVICE
from agent.ward.exits import by_root
from agent.ward.settings import NAME, read_roster

VHOST, TOPICS = "/", "amq.topic"            # of the MQTT plugin
ONE = r"[^.]+"                              # any level of a topic, and its wildcard in a filter
REPORTS = "status|birth|health"
TOLD = f"{REPORTS}|evt"
# What waits for a client that is away: as max_queued_messages and max_queued_bytes of city.conf.
BOUND = {"max-length": 60_000, "max-length-bytes": 134_217_728, "overflow": "drop-head"}


class BrokerUser(NamedTuple):
    """A client by its name, with the topics that it may publish on, and the filters that it may subscribe to."""

    name: str
    writes: str
    reads: str


def ingest(name: str, ward: str = ONE) -> BrokerUser:
    """An ingest of all wards, or of one. A ward's own also publishes its state, and reads the answers to orders."""
    if ward == ONE:
        return BrokerUser(name, rf"{ward}\.{ONE}\.(ack|cmd\.replay)", rf"{ward}\.{ONE}\.({TOLD})")
    return BrokerUser(name, rf"{ward}\.({ONE}\.(ack|cmd\.replay)|_ward\.(state|echo))",
                      rf"{ward}\.({ONE}\.({TOLD}|rsp\.ops\.[*#])|_ward\.echo)")


def above(ward: str) -> Iterator[BrokerUser]:
    yield BrokerUser(f"bridge-{ward}", rf"{ward}\.{ONE}\.({REPORTS})", "")
    yield BrokerUser(f"forward-{ward}", rf"{ward}\.{ONE}\.evt", rf"{ward}\.\*\.(ack|cmd\.replay)")


def within(ward: str, devices: Iterable[str]) -> Iterator[BrokerUser]:
    """The users of a ward whose devices connect here: devices, and programs with the ward in their names."""
    yield ingest(f"ingest-{ward}", ward)
    yield BrokerUser(f"ops-{ward}", rf"{ward}\.({ONE}|_all)\.cmd\..+",
                     rf"{ward}\.{ONE}\.({TOLD}|rsp\.ops\.[*#]|cfg\..+)")
    yield BrokerUser(f"desk-{ward}", rf"{ward}\.{ONE}\.cmd\.(clip\.export|clip\.cancel|snapshot)",
                     rf"{ward}\.{ONE}\.rsp\.ops\.[*#]")
    yield BrokerUser(f"reader-{ward}", "", rf"{ward}\.{ONE}\.({TOLD})")
    for dev in devices:
        yield BrokerUser(dev, rf"{ward}\.{dev}\.({TOLD}|rsp\..+|cfg\.reported)",
                         rf"{ward}\.({dev}\.(cmd\.#|ack)|_all\.cmd\.#|_ward\.state)")


def definitions(users: Sequence[BrokerUser]) -> dict[str, Any]:
    """Returns what `rabbitmqctl import_definitions` takes. It adds and replaces; users are deleted by name."""
    return {"vhosts": [{"name": VHOST}],
            "users": [{"name": user.name, "password_hash": "", "tags": []} for user in users],
            "permissions": [_own(user.name) for user in users],
            "topic_permissions": [{"user": user.name, "vhost": VHOST, "exchange": TOPICS,
                                   "write": _whole(user.writes), "read": _whole(user.reads)} for user in users],
            "policies": [{"vhost": VHOST, "name": "bounded", "pattern": "^mqtt-", "apply-to": "queues", "priority": 0,
                          "definition": BOUND}]}


def _own(name: str) -> dict[str, str]:
    """Allows only the session and the delayed will of this name; a delayed will waits behind the default exchange."""
    queues = rf"mqtt-subscription-{name}qos[01]|mqtt-will-{name}"
    own = rf"^({queues}|amq\.topic)$"
    return {"user": name, "vhost": VHOST, "configure": own, "write": rf"^({queues}|amq\.(topic|default))$", "read": own}


def _whole(topics: str) -> str:
    return rf"^{ROOT.replace('/', '[.]')}\.{topics}$" if topics else "^$"


def users_of(wards: Mapping[str, str], ingests_n: int) -> list[BrokerUser]:
    """`wards` maps a ward to the file of its devices if they connect here, or to "". Raises ConfigError."""
    users = [ingest(f"ingest-{number + 1}") for number in range(ingests_n)]
    for ward, file in wards.items():
        if not NAME.fullmatch(ward):
            raise ConfigError(f"{ward!r}: a ward's name is made of a-z, 0-9 and '-', as in w07")
        devices = read_roster(file).devices
        if strange := [dev for dev in devices if not DEVICE.fullmatch(dev)]:
            raise ConfigError(f"{file}: {strange[0]}: not a device's id, as in c-7f3a9c21b04d")
        users += within(ward, devices) if file else above(ward)
    names = [user.name for user in users]
    if len(set(names)) < len(names):
        twice = next(name for name, n in Counter(names).items() if n > 1)
        raise ConfigError(f"{twice}: is named twice; a name at the broker is one client's")
    return users


@by_root
def run(words: Sequence[str], ingests_n: int) -> int:
    wards = {ward: file for ward, _, file in (word.partition("=") for word in words)}
    print(json.dumps(definitions(users_of(wards, ingests_n)), indent=1))
    return 0
