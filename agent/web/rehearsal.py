"""A rehearsal of unsaved settings on the last day's recordings, by a process beside the page that is gone afterwards.

What was drawn is kept with it, so that the page comes back to it, with or without a script.
"""
import asyncio
import contextlib
import logging
import sys

import msgspec

from agent.config.settings import Camera, Settings
from agent.core.contract.rehearsal import (
    LINE_B_MAX,
    RehearsalAnswer,
    RehearsalError,
    RehearsalPicture,
    RehearsalProgress,
    RehearsalQuestion,
    parse,
)
from agent.host.clock import Clock
from agent.web.picture_form import PictureForm

PROGRAM = "agent.cli.tune.page_rehearsal"   # by its name: the command line's rooms are above the page's
DAY_MS = 86_400_000
BUDGET_S = 1_200.0          # a day of events takes minutes; continuous footage would take hours: its first part counts
END_S = 180.0               # pictures and the cost of masks come after that
KEPT_S = 1_800.0

_log = logging.getLogger(__name__)


class Rehearsals:
    """One rehearsal at a time, of whichever camera. Belongs to the event loop."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._store, self._clock = settings.store, clock
        self._task: asyncio.Task[None] | None = None
        self._ended_mono_s = 0.0
        self._camera, self._form = "", None
        self.pct = 0
        self.answer: RehearsalAnswer | None = None
        self.failed = False
        self.pictures: dict[int, bytes] = {}

    @property
    def running(self) -> bool:
        """Whether one is under way."""
        return self._task is not None and not self._task.done()

    @property
    def camera(self) -> str:
        """Whose the rehearsal is; "" without one, or long after."""
        if not self.running and self._clock.mono_s() - self._ended_mono_s > KEPT_S:
            self.forget()
        return self._camera

    def form_of(self, camera: str) -> PictureForm | None:
        """What was drawn for the rehearsal of this camera."""
        return self._form if self.camera == camera else None

    def start(self, now: Camera, drafted: Camera, form: PictureForm) -> bool:
        """Try it; False while another rehearsal is under way."""
        if self.running:
            return False
        self.forget()
        self._camera, self._form = now.name, form
        question = RehearsalQuestion(
            store=self._store.folder, runtime=self._store.runtime, now=msgspec.to_builtins(now),
            draft=msgspec.to_builtins(drafted), since_ms=self._clock.now().wall_ms - DAY_MS, budget_s=BUDGET_S)
        self._task = asyncio.ensure_future(self._try(question))
        return True

    def stop(self) -> None:
        """End one that is under way; nothing of it is kept."""
        if self._task is not None:
            self._task.cancel()

    def forget(self) -> None:
        """As if there had been none."""
        self._camera, self._form, self.pct, self.answer, self.failed, self.pictures = "", None, 0, None, False, {}

    async def _try(self, question: RehearsalQuestion) -> None:
        try:
            async with asyncio.timeout(BUDGET_S + END_S):
                await self._ask(question)
        except (OSError, TimeoutError, RehearsalError, ValueError) as error:
            _log.warning("the rehearsal failed: %s", error or type(error).__name__)
        finally:
            self._ended_mono_s = self._clock.mono_s()
        self.failed = self.answer is None

    async def _ask(self, question: RehearsalQuestion) -> None:
        """Hear a process of its own out, which is gone then. Raises OSError, RehearsalError, ValueError."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", PROGRAM, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            limit=LINE_B_MAX)
        assert process.stdin and process.stdout
        try:
            process.stdin.write(msgspec.json.encode(question))
            process.stdin.close()
            while self.answer is None and (data := await process.stdout.readline()):
                match parse(data):
                    case RehearsalProgress(pct=pct):
                        self.pct = pct
                    case RehearsalPicture(number=number, jpeg=jpeg):
                        self.pictures[number] = jpeg
                    case RehearsalAnswer() as answer:
                        self.answer = answer
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
