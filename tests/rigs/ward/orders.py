"""What a ward orders of one device, by signed commands, and what it hears about them."""
import base64
import itertools
import json
import time
from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.core.evidence.ledger.row import canonical
from tests.rigs.wait import until
from tests.rigs.ward.receiver import Ingest
from tests.rigs.ward.tus import Tus


class Orders:
    """The ward's word to the device `dev`; footage goes to `tus`."""

    def __init__(self, ward: Ingest, tus: Tus, dev: str, now_ms: Callable[[], int],
                 key: Ed25519PrivateKey | None = None) -> None:
        """`key` signs; one is made without."""
        self.ward, self.tus, self.dev = ward, tus, dev
        self._key, self._numbers, self._now_ms = key or Ed25519PrivateKey.generate(), itertools.count(), now_ms

    def private_pem(self) -> bytes:
        """The key that the device obeys, as the ward's desk has it."""
        return self._key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                       serialization.NoEncryption())

    def public_pem(self) -> bytes:
        """The same key as the device has it."""
        return self._key.public_key().public_bytes(serialization.Encoding.PEM,
                                                   serialization.PublicFormat.SubjectPublicKeyInfo)

    def order(self, name: str, args: dict[str, Any], by: Ed25519PrivateKey | None = None) -> str:
        """Send a signed command; returns its id."""
        payload = self.signed(name, args, by)
        self.ward.publish(f"{self.dev}/cmd/{name}", payload)
        return json.loads(payload)["id"]

    def signed(self, name: str, args: dict[str, Any], by: Ed25519PrivateKey | None = None) -> bytes:
        """A signed command."""
        now_ms = self._now_ms()
        order = {"v": 1, "id": f"01KAV0Z6V6M3W2Q8T1B7N{time.time_ns() % 10**3:03d}{next(self._numbers):02d}",
                 "iat": now_ms, "exp": now_ms + 60_000, "dev": self.dev, "name": name, "by": "w07/officer-118",
                 "args": args}
        order["sig"] = base64.b64encode((by or self._key).sign(canonical(order))).decode()
        return json.dumps(order).encode()

    def wish(self, **more: Any) -> dict[str, Any]:
        """Args of a wish for pictures of the camera "gate"."""
        return {"case": "W07-2026-0093", "purpose": "theft", "officer": "Trần Văn B", "basis": "BLTTHS 2015, điều 107",
                "cam": "gate", "upload": self.tus.url, "receipt_key": self.tus.receipt_key, **more}

    def answers(self, order_id: str) -> list[dict[str, Any]]:
        """What the ward has heard about it so far."""
        return [json.loads(each.payload) for each in self.ward.all(f"/rsp/ops/{order_id}")]

    def said(self, order_id: str) -> list[tuple[str, str | None]]:
        """State and code of these, each once."""
        return list(dict.fromkeys((told["st"], told.get("code")) for told in self.answers(order_id)))

    def hears(self, order_id: str, st: str) -> dict[str, Any]:
        """The first answer with that state."""
        return until(lambda: next((told for told in self.answers(order_id) if told["st"] == st), None),
                     f"{st} of {self.said(order_id)}")


def rfc3339(wall_ms: int) -> str:
    """As the ward writes it."""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(wall_ms // 1000)) + f".{wall_ms % 1000:03d}Z"
