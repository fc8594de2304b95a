"""What the ward is told of the version that it has ordered."""
import msgspec

from agent.core.contract import wire
from agent.core.contract.wire.answers import Installed
from agent.core.contract.wire.device_side import CommandState
from agent.host.clock import Instant
from agent.store.updates import Order

TOLD: dict[str, CommandState] = {"waiting": "waiting_consent", "approved": "running", "handed": "running"}
FINAL: dict[str, CommandState] = {"done": "done", "failed": "failed", "refused": "refused"}


def answer(order: Order, now: Instant) -> wire.Response:
    """The answer as it stands."""
    state = TOLD.get(order.state) or FINAL[order.state]
    return wire.Response(v=wire.VERSION, id=order.id, st=state, code=order.code,
                         ts=None if now.clock == "unset" else now.wall_ms,
                         data=msgspec.to_builtins(Installed(version=order.version)) if state == "done" else None)
