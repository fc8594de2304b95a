"""Asks devices for pictures: a request is written down first, then signed and sent. The ingest hears the answers."""
import msgspec

from agent.core.contract.wire.commands import ClipExport, Snapshot
from agent.host.clock import Clock
from agent.ward.keys import public_half
from agent.ward.opslink import NAME, OpsFault, OrdersBy
from agent.ward.orders import OrderWriter, SignedOrder
from agent.ward.request.form import BadOrder, RequestOrder
from agent.ward.requests import PictureRequest, PictureRequests, State
from agent.ward.settings import Settings

UPLOAD_MS = 21 * 86_400_000         # an upload is accepted for so long: a household has a week, its line may be slow
COMMANDS = {"clip": "clip.export", "snapshot": "snapshot"}
CANCEL = "clip.cancel"


class NotSent(OpsFault):
    """A request was written down and has failed, for it did not get through."""

    def __init__(self, request: str, why: str) -> None:
        super().__init__(why)
        self.request = request


class RequestDesk:
    """The requests of one ward. Its methods raise OpsFault, DatabaseFault and, for the receipt key, SigningKeyFault."""

    def __init__(self, own: Settings, requests: PictureRequests, clock: Clock, who: OrdersBy = NAME,
                 officer: str | None = None) -> None:
        """Load the command key; `who` asks, for the officer who is noted with it. Raises SigningKeyFault."""
        self._intake, self._requests, self._clock = own.intake, requests, clock
        self._who, self._officer = who, officer
        self._orders = OrderWriter(own, clock, who)

    def ask(self, wish: RequestOrder) -> PictureRequest:
        """Send a request; returns it. Raises NotSent, and BadOrder where the ward has no intake."""
        order = self._orders.write(wish.dev, COMMANDS[wish.kind], self._args(wish))
        request = _request(wish, order)
        self._requests.add(request, self._who, self._officer)
        try:
            self._send(order)
        except OpsFault as fault:
            self._become(request, "failed", str(fault), code="not_sent")
            raise NotSent(request.id, str(fault)) from fault
        self._become(request, "sent")
        return request

    def cancel(self, request: PictureRequest) -> bool:
        """Cancel it, and tell its device; returns False if it had ended before.

        A device that does not hear of it is told by the intake when it brings the upload.
        """
        order = self._orders.write(request.dev, CANCEL, {"request": request.id})
        if not self._become(request, "cancelled", self._officer):
            return False
        self._send(order)
        return True

    def _args(self, wish: RequestOrder) -> dict[str, object]:
        if not self._intake.url:
            raise BadOrder("no_intake", "[intake] url: is not set: it tells devices where to bring what is asked for")
        told = {"case": wish.case, "purpose": wish.purpose, "officer": wish.officer, "basis": wish.basis,
                "cam": wish.cam, "upload": self._intake.url,
                "receipt_key": public_half(self._intake.receipt_key).hex()}
        args: dict[str, object] = msgspec.to_builtins(
            Snapshot(**told) if wish.begin is None or wish.end is None else
            ClipExport(**told, begin=wish.begin, end=wish.end))
        return args

    def _become(self, request: PictureRequest, state: State, detail: str | None = None, **changes: str) -> bool:
        return self._requests.become(request.id, state, self._who, self._clock.now().wall_ms, detail, **changes)

    def _send(self, order: SignedOrder) -> None:
        with self._orders.link([order]) as ops:
            if not self._orders.send(ops, order):
                raise OpsFault(f"{order.dev}: has been away for more than an hour, so the broker keeps nothing for it: "
                               "ask again when taimat ward watch shows it")


def _request(wish: RequestOrder, order: SignedOrder) -> PictureRequest:
    return PictureRequest(
        id=order.id, dev=wish.dev, kind=wish.kind, cam=wish.cam, case_no=wish.case, purpose=wish.purpose,
        officer=wish.officer, basis=wish.basis, made_ms=order.made_ms, until_ms=order.made_ms + UPLOAD_MS,
        command=order.command, begin_ms=None if wish.begin is None else int(wish.begin.timestamp() * 1000),
        end_ms=None if wish.end is None else int(wish.end.timestamp() * 1000))
