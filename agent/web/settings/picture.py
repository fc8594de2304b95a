"""/cameras/NAME/picture: masks and zones drawn on the live picture, the detector's settings, a rehearsal of both."""
import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Mapping

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp

from agent.config.derived import digest
from agent.config.settings import Camera
from agent.core.contract import rehearsal
from agent.core.contract.busy import FORGET, LARGEST_B, SHOW, Busy, parse
from agent.core.contract.looks import LINE_B_MAX
from agent.core.vision.zones.hint import ZoneHint, corners, zone_hint
from agent.host.runtime import camera_socket
from agent.store import events
from agent.web.live import present_camera
from agent.web.server.parts import BackgroundTask, FormRefused, Handlers, PageParts, fields_of
from agent.web.server.questions import ask_socket, program
from agent.web.server.response import StreamedResponse
from agent.web.server.store_pool import CardTrouble
from agent.web.settings import picture_form
from agent.web.settings.picture_form import PictureForm
from agent.web.settings.present_picture import busy_view, hint_sentence, picture_view, reasons, rehearsal_view, size_of

FORM_B_MAX = 65_536
NOT_KEPT = "private, no-store"
ANSWER_S = 0.5              # capture needs some milliseconds; a page must not wait for a capture that hangs
ALIVE_S = 5.0               # a picture may come only every ten seconds; meanwhile this shows that the browser is there
IDLE_S = 15.0               # a browser that reads nothing for so long sleeps
PROGRAM = "agent.helpers.rehearsal"
DAY_MS = 86_400_000
BUDGET_S = 1_200.0          # a day of events takes minutes; of continuous footage only a first part is looked at
END_S = 180.0               # pictures and the cost of masks come after that
KEPT_S = 1_800.0

_log = logging.getLogger(__name__)


class Rehearsals(BackgroundTask):
    """A rehearsal of unsaved settings on the last day's recordings, by a helper process. One at a time, of any camera.

    What was drawn is kept, so that the page can show it again, with or without a script.
    """

    def __init__(self, parts: PageParts) -> None:
        super().__init__(parts)
        self._store, self._ended_mono_s = parts.settings.store, 0.0
        self._camera, self._form = "", None
        self.pct = 0
        self.answer: rehearsal.RehearsalAnswer | None = None
        self.failed = False
        self.pictures: dict[int, bytes] = {}

    def is_needed(self) -> bool:
        return bool(self.camera)

    @property
    def camera(self) -> str:
        """The rehearsed camera; "" without a rehearsal, or KEPT_S after its end."""
        if not self.running and self._clock.mono_s() - self._ended_mono_s > KEPT_S:
            self.forget()
        return self._camera

    def form_of(self, camera: str) -> PictureForm | None:
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
        self._run(self._try(question))
        return True

    def forget(self) -> None:
        self._camera, self._form, self.pct, self.answer, self.failed, self.pictures = "", None, 0, None, False, {}

    async def _try(self, question: rehearsal.RehearsalQuestion) -> None:
        try:
            async with asyncio.timeout(BUDGET_S + END_S):
                await self._ask(question)
        except (OSError, TimeoutError, msgspec.DecodeError, ValueError) as error:
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


def looks(camera: Camera | None) -> bool:
    """Whether there is such a camera and it looks for motion."""
    return camera is not None and camera.enabled and camera.motion.enabled


class PicturePage(Handlers):
    def __init__(self, parts: PageParts) -> None:
        super().__init__(parts)
        self._rehearsals = Rehearsals(parts)

    async def forget_busy(self, request: Request) -> Response:
        """POST /busy/forget with `camera`. Leads back to the camera's picture with its busy areas open."""
        camera = self._camera((await fields_of(request)).get("camera", ""))
        if not looks(camera):
            raise FormRefused("No such camera, or it looks for no motion")
        if await self._busy(camera, FORGET) is None:
            return self._show(request, "message.html", 503, headers={"retry-after": "10"}, key="error.camera")
        _log.info("%s: busy areas forgotten, by the page", camera.name)
        return RedirectResponse(f"/cameras/{camera.name}/picture?busy=open", 303)

    async def _busy(self, camera: Camera, question: bytes = SHOW) -> Busy | None:
        """Returns the camera's busy areas; None if capture does not answer."""
        try:
            async with asyncio.timeout(ANSWER_S):
                return parse(await ask_socket(camera_socket(self._runtime, "busy", camera.name), LARGEST_B, question))
        except (OSError, TimeoutError, msgspec.DecodeError):
            return None

    async def show(self, request: Request) -> Response:
        """GET. ?draft shows what was drawn for a rehearsal; ?hint shows the saved areas and the suggested one."""
        camera = self._asked(request)
        drawn = self._rehearsals.form_of(camera.name) if "draft" in request.query_params else None
        hint, saved = await self._hint(camera), picture_form.form_of(camera)
        if hint and "hint" in request.query_params and len(saved.rows) < picture_form.ROWS_MAX:
            drawn, hint = picture_form.with_ignored(saved, corners(hint.area)), None
        return await self._page(request, camera, drawn or saved, is_draft=drawn is not None, hint=hint)

    async def _hint(self, camera: Camera) -> ZoneHint | None:
        since_ms = self._clock.now().wall_ms - DAY_MS
        try:
            return zone_hint(await self._pool.ask(events.named, camera.name, digest(camera), since_ms))
        except CardTrouble:
            return None

    async def change(self, request: Request) -> Response:
        """POST with the whole form and `do`: "save" or "try"; without the form, "stop" (the rehearsal) or "discard"."""
        camera, fields = self._asked(request), await fields_of(request, FORM_B_MAX)
        here = f"/cameras/{camera.name}/picture"
        match fields.get("do"):
            case "save" | "try" as what:
                return await self._obey(request, camera, picture_form.read(fields, camera), here, what)
            case "stop":
                self._rehearsals.stop()
                return RedirectResponse(f"{here}?draft#areas", 303)
            case "discard":
                self._rehearsals.stop()
                self._rehearsals.forget()
                return RedirectResponse(here, 303)
        raise FormRefused("No such change")

    async def _obey(self, request: Request, camera: Camera, form: PictureForm, here: str, what: str) -> Response:
        drafted = picture_form.draft(form, camera)
        if drafted.problems:
            return await self._page(request, camera, form, drafted.problems, status=400, is_draft=True)
        if what == "try":
            if not self._rehearsals.start(camera, drafted.camera, form):
                return await self._page(request, camera, form, status=409, is_draft=True, refusal="rehearsal.busy")
            return RedirectResponse(f"{here}?draft#rehearsal", 303)
        changed = picture_form.change(camera, drafted.camera)
        if changed is None:
            return RedirectResponse(here, 303)
        return await self._change(request, [changed], here, here)

    async def rehearsal_picture(self, request: Request) -> Response:
        """GET /cameras/NAME/rehearsal/N.jpg: an event that only one of the two settings finds."""
        jpeg = self._rehearsals.pictures.get(request.path_params["n"])
        if jpeg is None or self._rehearsals.camera != request.path_params["camera"]:
            raise FormRefused("No such picture", 404)
        return Response(jpeg, media_type="image/jpeg", headers={"cache-control": NOT_KEPT})

    async def _page(self, request: Request, camera: Camera, form: PictureForm,
                    problems: Mapping[str, str] | None = None, *, status: int = 200, is_draft: bool = False,
                    refusal: str = "", hint: ZoneHint | None = None) -> Response:
        said, report, now = self._words(request), await self._health.report(), self._clock.now()
        problem, paused = self._problem(request), present_camera.paused_of([camera], report, await self._pauses(), now)
        (tile,) = present_camera.tiles([camera], report, now, said, paused)
        rehearsals = self._rehearsals if self._rehearsals.camera == camera.name else None
        drafted, answer = picture_form.draft(form, camera).camera, rehearsals.answer if rehearsals else None
        return self._show(
            request, "picture.html", status, tile=tile, camera=camera,
            refusal=said(refusal) if refusal else problem["problem"], detail=problem["detail"],
            view=picture_view(form, camera, problems or {}, size_of(camera.name, report), said),
            is_draft=is_draft, rehearsals=rehearsals, encoded=picture_form.is_encoded(camera),
            has_sensor=picture_form.has_sensor(camera), rows_max=picture_form.ROWS_MAX,
            rehearsal=rehearsal_view(answer, drafted, now.wall_ms, said) if answer else None,
            busy=busy_view(await self._busy(camera), said) if tile.tone != "paused" and looks(camera) else None,
            hint=hint_sentence(hint, said) if hint else "", reasons=reasons(said),
            busy_open="busy" in request.query_params,
            masks=present_camera.mask_view(camera, report),
            can_change=await self._can_change(request))

    async def watch(self, request: Request) -> ASGIApp:
        """GET /cameras/NAME/looks: each look as an event with a line of JSON (core.contract.looks).

        503 if capture does not answer.
        """
        camera = self._camera(request.path_params["camera"])
        if not looks(camera):
            return JSONResponse({"reason": "no_motion"}, 404)
        try:
            reader, writer = await asyncio.open_unix_connection(camera_socket(self._runtime, "looks", camera.name),
                                                                limit=LINE_B_MAX)
        except OSError:
            return JSONResponse({"reason": "camera_off"}, 503)
        return StreamedResponse(200, {"content-type": "text/event-stream"}, _events(reader), IDLE_S, writer.close)


async def _events(reader: asyncio.StreamReader) -> AsyncGenerator[bytes, None]:
    """Ends with capture's connection; the browser asks again by itself."""
    yield b": watching\n\n"
    line = asyncio.ensure_future(reader.readline())
    try:
        while True:
            done, _ = await asyncio.wait([line], timeout=ALIVE_S)
            if not done:
                yield b": alive\n\n"
                continue
            if not (data := line.result()).endswith(b"\n"):
                return
            yield b"data: " + data + b"\n"
            line = asyncio.ensure_future(reader.readline())
    except ValueError:          # longer than any look
        return
    finally:
        line.cancel()
        with contextlib.suppress(asyncio.CancelledError, OSError, ValueError):
            await line
