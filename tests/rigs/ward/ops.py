"""The ward's hand in tests: gives orders through a real broker, and reads the answers."""
import base64
import itertools
import json

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.core.evidence.ledger.row import canonical
from tests.rigs.device.link_role import LinkRig
from tests.rigs.wait import until
from tests.rigs.ward.receiver import Ingest

KEY = Ed25519PrivateKey.generate()
NUMBERS = itertools.count()


class Ops:
    """The ward's hand: orders, and reads what comes back."""

    def __init__(self, ward: Ingest, rig: LinkRig) -> None:
        self.ward, self.rig = ward, rig
        until(lambda: ward.last("/birth"))
        self.dev = rig.dev()

    def payload(self, args=None, key=None, **more):
        """A command's payload, signed if there is a key."""
        now_ms = self.rig.clock.now().wall_ms
        order = {"v": 1, "id": f"01KAV0Z6V6M3W2Q8T1B7N5{next(NUMBERS):04d}", "iat": now_ms, "exp": now_ms + 60_000,
                 "by": "w07/officer-118", "args": args or {}, **more}
        if key:
            order["sig"] = base64.b64encode(key.sign(canonical(order))).decode()
        return order

    def send(self, name, order):
        self.ward.publish(f"{self.dev}/cmd/{name}", json.dumps(order).encode(), CorrelationData=b"42",
                          ResponseTopic=f"cam/v1/w07/{self.dev}/rsp/desk/{order['id']}")

    def answers(self, order):
        return [json.loads(each.payload) for each in self.ward.all(f"/rsp/desk/{order['id']}")]

    def ask(self, what, /, args=None, key=None, **more):
        """Order it, and wait for the answer."""
        order = self.payload(args, key, **more)
        self.send(what, order)
        return until(lambda: self.answers(order))[-1]

    def signed(self, what, /, args=None, key=KEY, **more):
        """The same with a signature over an order to do this, here."""
        return self.ask(what, args, key, **{"dev": self.dev, "name": what, **more})


def st(answer):
    return answer["st"], answer.get("code")
