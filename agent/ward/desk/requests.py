"""The desk's requests: made, taken back, checked anew and handed out, each in the name of an officer.

One at a time goes to the broker, for the desk has one account there; the next one waits its turn.
"""
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

from agent.core.household.sharing_rules import Kind
from agent.host.clock import Clock
from agent.ward.desk.officer import Officer
from agent.ward.desk.parcel import Found, Parcel
from agent.ward.opslink import OpsFault
from agent.ward.request import form
from agent.ward.request.desk import NotSent, RequestDesk
from agent.ward.requests import PictureRequest, PictureRequests
from agent.ward.settings import Settings

BY = "desk"
CHECKED, HOLDS_NOT, HANDED_OUT = "checked", "does not hold", "handed out"
FORMS_N = 1000                  # that were sent; a form that is sent twice makes one request


class OfficersRequests:
    """Raises DatabaseFault and, where something is to be signed, SigningKeyFault."""

    def __init__(self, own: Settings, requests: PictureRequests, clock: Clock) -> None:
        self._own, self._requests, self._clock = own, requests, clock
        self._turn = threading.Lock()
        self._made: OrderedDict[str, str] = OrderedDict()       # by the form, the request's id

    def make(self, kind: Kind, given: Mapping[str, str], once: str, officer: Officer) -> str:
        """Ask for what was typed; returns the request's id, also where it did not get through. Raises BadOrder.

        `once` is the form's own word: the same form, sent again, is the same request.
        """
        now = datetime.fromtimestamp(self._clock.now().wall_ms / 1000, UTC)
        wish = form.read(kind, {**given, "officer": officer.person}, now)
        with self._turn:
            if once not in self._made:
                self._made[once] = self._ask(wish, officer)
                if len(self._made) > FORMS_N:
                    self._made.popitem(last=False)
            return self._made[once]

    def cancel(self, request: PictureRequest, officer: Officer) -> None:
        """Take it back. Its device may hear of it later, from the intake."""
        with self._turn:
            try:
                self._desk(officer).cancel(request)
            except OpsFault as fault:
                self._note(request, "not told", str(fault))

    def check(self, request: PictureRequest, officer: Officer) -> Found:
        """Check anew what is here, and note what was found. Raises OSError."""
        found = Parcel(self._shelf, request).check(*self._requests.witnesses(request.dev))
        self._note(request, CHECKED if found.holds else HOLDS_NOT, f"{found.why}: {officer.noted}")
        return found

    def hand_out(self, request: PictureRequest, officer: Officer) -> tuple[str, Iterator[bytes]]:
        """The archive's name, and its pieces; that it was handed out is noted first. Raises OSError."""
        parcel = Parcel(self._shelf, request)
        pieces = parcel.archive()
        self._note(request, HANDED_OUT, officer.noted)
        return parcel.name, pieces

    def _ask(self, wish: form.RequestOrder, officer: Officer) -> str:
        try:
            return self._desk(officer).ask(wish).id
        except NotSent as fault:
            return fault.request

    def _desk(self, officer: Officer) -> RequestDesk:
        return RequestDesk(self._own, self._requests, self._clock, BY, officer.noted)

    def _note(self, request: PictureRequest, what: str, detail: str) -> None:
        self._requests.note(request.id, BY, what, self._clock.now().wall_ms, detail)

    @property
    def _shelf(self) -> Path:
        return Path(self._own.intake.folder)
