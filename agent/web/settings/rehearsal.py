"""A rehearsal of unsaved settings on the last day's recordings, by a helper process.

What was drawn is kept, so that the page can show it again, with or without a script.
"""
import asyncio
import logging

import msgspec

from agent.config.settings import Camera
from agent.core.contract import rehearsal
from agent.web.server.parts import PageParts
from agent.web.server.questions import program
from agent.web.settings.picture_form import PictureForm

PROGRAM = "agent.helpers.rehearsal"
DAY_MS = 86_400_000
BUDGET_S = 1_200.0          # a day of events takes minutes; continuous footage would take hours: its first part counts
END_S = 180.0               # pictures and the cost of masks come after that
KEPT_S = 1_800.0

_log = logging.getLogger(__name__)


class Rehearsals:
    """One rehearsal at a time, of any camera. Belongs to the event loop."""

    def __init__(self, parts: PageParts) -> None:
        self._store, self._clock = parts.settings.store, parts.clock
        parts.stops.append(self.stop)
        self._task: asyncio.Task[None] | None = None
        self._ended_mono_s = 0.0
        self._camera, self._form = "", None
        self.pct = 0
        self.answer: rehearsal.RehearsalAnswer | None = None
        self.failed = False
        self.pictures: dict[int, bytes] = {}

    @property
    def running(self) -> bool:
        return self._task is not None and not self._task.done()

    @property
    def camera(self) -> str:
        """The rehearsed camera; "" without a rehearsal, or KEPT_S after its end."""
        if not self.running and self._clock.mono_s() - self._ended_mono_s > KEPT_S:
            self.forget()
        return self._camera

    def form_of(self, camera: str) -> PictureForm | None:
        """Returns what was drawn for this camera's rehearsal."""
        return self._form if self.camera == camera else None

    def start(self, now: Camera, drafted: Camera, form: PictureForm) -> bool:
        """Starts a rehearsal; returns False if another one runs."""
        if self.running:
            return False
        self.forget()
        self._camera, self._form = now.name, form
        question = rehearsal.RehearsalQuestion(
            store=self._store.folder, runtime=self._store.runtime, now=msgspec.to_builtins(now),
            draft=msgspec.to_builtins(drafted), since_ms=self._clock.now().wall_ms - DAY_MS, budget_s=BUDGET_S)
        self._task = asyncio.ensure_future(self._try(question))
        return True

    def stop(self) -> None:
        """Ends a running rehearsal and keeps nothing of it."""
        if self._task is not None:
            self._task.cancel()

    def forget(self) -> None:
        self._camera, self._form, self.pct, self.answer, self.failed, self.pictures = "", None, 0, None, False, {}

    async def _try(self, question: rehearsal.RehearsalQuestion) -> None:
        try:
            async with asyncio.timeout(BUDGET_S + END_S):
                await self._ask(question)
        except (OSError, TimeoutError, rehearsal.RehearsalError, ValueError) as error:
            _log.warning("the rehearsal failed: %s", error or type(error).__name__)
        finally:
            self._ended_mono_s = self._clock.mono_s()
        self.failed = self.answer is None

    async def _ask(self, question: rehearsal.RehearsalQuestion) -> None:
        async with program(PROGRAM, limit=rehearsal.LINE_B_MAX) as process:
            assert process.stdin and process.stdout
            process.stdin.write(msgspec.json.encode(question))
            process.stdin.close()
            while self.answer is None and (data := await process.stdout.readline()):
                match rehearsal.parse(data):
                    case rehearsal.RehearsalProgress(pct=pct):
                        self.pct = pct
                    case rehearsal.RehearsalPicture(number=number, jpeg=jpeg):
                        self.pictures[number] = jpeg
                    case rehearsal.RehearsalAnswer() as answer:
                        self.answer = answer
