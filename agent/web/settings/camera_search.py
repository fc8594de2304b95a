"""The search for cameras in the network: a process beside the page looks, and the page keeps what it has found."""
import asyncio
import hashlib
import logging
from collections.abc import Sequence

import msgspec

from agent.core.contract.helper_messages import SEARCH_B_MAX, CameraQuestion, SearchAnswer, SeenCamera
from agent.web.server.parts import PageParts
from agent.web.server.questions import ask_program

PROGRAM = "agent.helpers.camera_search"
SEARCH_S = 100.0            # a machine is asked for 45 s at most, eight at a time
KEPT_S = 900.0              # there are passwords in what was found

_log = logging.getLogger(__name__)


class CameraSearch:
    """One search at a time. Belongs to the event loop."""

    def __init__(self, parts: PageParts) -> None:
        self._known = [(camera.name, camera.source) for camera in parts.settings.camera]
        self._clock = parts.clock
        parts.stops.append(self.stop)
        self._found: dict[str, SeenCamera] = {}
        self._last: set[str] = set()
        self._task: asyncio.Task[None] | None = None
        self._found_mono_s = 0.0
        self.problem = ""       # of the last search: a code of SearchAnswer, "nothing" or "failed"
        self.at = ""            # where the last search looked; "": everywhere
        self.as_somebody = False        # the last search had a user and a password

    @property
    def running(self) -> bool:
        """Whether a search is under way."""
        return self._task is not None and not self._task.done()

    @property
    def found(self) -> dict[str, SeenCamera]:
        """What was found, by a key that stays the same from one search to the next."""
        if self._clock.mono_s() - self._found_mono_s > KEPT_S:
            self._found.clear()
        return self._found

    @property
    def found_last(self) -> dict[str, SeenCamera]:
        """What the last search has found, if it looked at one address; its key stands for each in `found`, too."""
        return {key: each for key, each in self.found.items() if key in self._last} if self.at else {}

    @property
    def over(self) -> bool:
        """Whether there was a search, and it has come to its end."""
        return self._task is not None and self._task.done()

    def start(self, at: str, user: str, password: str) -> None:
        """Look at that address, or everywhere; nothing happens while another search is under way."""
        if self.running:
            return
        self.problem, self.at, self.as_somebody = "", at, bool(user)
        question = CameraQuestion(at=at, user=user, password=password, known=self._known)
        self._task = asyncio.ensure_future(self._search(question))

    def stop(self) -> None:
        """End a search that is under way."""
        if self._task is not None:
            self._task.cancel()

    async def _search(self, question: CameraQuestion) -> None:
        try:
            async with asyncio.timeout(SEARCH_S):
                data = await ask_program(PROGRAM, msgspec.json.encode(question), SEARCH_B_MAX)
            answer = msgspec.json.decode(data, type=SearchAnswer)
        except (OSError, TimeoutError, msgspec.DecodeError) as error:
            _log.warning("the search for cameras failed: %s", error or type(error).__name__)
            self.problem = "failed"
            return
        self._keep(answer.cameras)
        self.problem = answer.problem or ("" if answer.cameras else "nothing")

    def _keep(self, cameras: Sequence[SeenCamera]) -> None:
        """A machine that was looked at anew is what it is now."""
        looked_at = {camera.address for camera in cameras}
        kept = {} if not self.at else {key: each for key, each in self.found.items() if each.address not in looked_at}
        fresh = {camera_key(f"{each.address} {each.channel} {each.source}"): each for each in cameras}
        self._found, self._last = kept | fresh, set(fresh)
        self._found_mono_s = self._clock.mono_s()


def camera_key(text: str) -> str:
    """What stands for a camera in a form, instead of its address with the password."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]
