"""/cameras/NAME/picture: masks and zones drawn on the live picture, the detector's settings, a rehearsal of both."""
import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Mapping

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp

from agent.config.derived import digest
from agent.config.settings import Camera
from agent.core.contract.busy import FORGET, LARGEST_B, SHOW, Busy, BusyError, parse
from agent.core.contract.looks import LINE_B_MAX
from agent.core.vision.zones.hint import ZoneHint, corners, zone_hint
from agent.host.runtime import camera_socket
from agent.store import events
from agent.web.live import present_camera
from agent.web.server.parts import FormRefused, Handlers, PageParts, fields_of
from agent.web.server.questions import ask_socket
from agent.web.server.response import StreamedResponse
from agent.web.server.store_pool import CardTrouble
from agent.web.settings import picture_form
from agent.web.settings.picture_form import PictureForm
from agent.web.settings.present_picture import busy_view, hint_sentence, picture_view, reasons, rehearsal_view, size_of
from agent.web.settings.rehearsal import Rehearsals

FORM_B_MAX = 65_536
NOT_KEPT = "private, no-store"
DAY_MS = 86_400_000
ANSWER_S = 0.5              # capture needs some milliseconds; a page must not wait for a capture that hangs
ALIVE_S = 5.0               # a picture may come as rarely as every ten seconds; so often the browser is asked
IDLE_S = 15.0               # a browser that reads nothing for so long sleeps

_log = logging.getLogger(__name__)


class BusyAreas(Handlers):
    """The busy areas of cameras that look for motion."""

    def has(self, camera: str) -> bool:
        known = self._camera(camera)
        return known is not None and known.enabled and known.motion.enabled

    async def of(self, camera: str) -> Busy | None:
        """Returns the areas now; None if capture does not answer."""
        return await self._answer(camera, SHOW)

    async def forget(self, request: Request) -> Response:
        """POST with `camera`. Leads back to the camera's picture with its busy areas open."""
        form = await fields_of(request)
        camera = form.get("camera", "")
        if not self.has(camera):
            raise FormRefused("No such camera, or it looks for no motion")
        if await self._answer(camera, FORGET) is None:
            return self._show(request, "message.html", 503, headers={"retry-after": "10"}, key="error.camera")
        _log.info("%s: busy areas forgotten, by the page", camera)
        return RedirectResponse(f"/cameras/{camera}/picture?busy=open", 303)

    async def _answer(self, camera: str, question: bytes) -> Busy | None:
        try:
            async with asyncio.timeout(ANSWER_S):
                return parse(await ask_socket(camera_socket(self._runtime, "busy", camera), LARGEST_B, question))
        except (OSError, TimeoutError, BusyError):
            return None


class PicturePage(Handlers):
    def __init__(self, parts: PageParts, busy: BusyAreas) -> None:
        super().__init__(parts)
        self._busy, self._rehearsals = busy, Rehearsals(parts)

    async def show(self, request: Request) -> Response:
        """GET. ?draft shows what was drawn for a rehearsal; ?hint shows the saved areas and the suggested one."""
        camera = self._camera(request.path_params["name"])
        if camera is None:
            return self._missing(request)
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
        camera, fields = self._camera(request.path_params["name"]), await fields_of(request, FORM_B_MAX)
        if camera is None:
            raise FormRefused("No such camera")
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
        if jpeg is None or self._rehearsals.camera != request.path_params["name"]:
            raise FormRefused("No such picture", 404)
        return Response(jpeg, media_type="image/jpeg", headers={"cache-control": NOT_KEPT})

    async def _page(self, request: Request, camera: Camera, form: PictureForm,
                    problems: Mapping[str, str] | None = None, *, status: int = 200, is_draft: bool = False,
                    refusal: str = "", hint: ZoneHint | None = None) -> Response:
        said, report, now = self._words(request), await self._health.report(), self._clock.now()
        told = self._problem(request)
        pauses = await self._pauses()
        paused = present_camera.paused_of([camera] if camera.enabled else [], report, pauses, now)
        looks = self._busy.has(camera.name) and paused[camera.name] is None
        (tile,) = present_camera.tiles([camera], report, now, said, paused)
        rehearsals = self._rehearsals if self._rehearsals.camera == camera.name else None
        drafted, answer = picture_form.draft(form, camera).camera, rehearsals.answer if rehearsals else None
        return self._show(
            request, "picture.html", status, tile=tile, camera=camera,
            refusal=said(refusal) if refusal else told["problem"], detail=told["detail"],
            view=picture_view(form, camera, problems or {}, size_of(camera.name, report), said),
            is_draft=is_draft, rehearsals=rehearsals, encoded=picture_form.is_encoded(camera),
            has_sensor=picture_form.has_sensor(camera), rows_max=picture_form.ROWS_MAX,
            rehearsal=rehearsal_view(answer, drafted, now.wall_ms, said) if answer else None,
            busy=busy_view(await self._busy.of(camera.name), said) if looks else None,
            hint=hint_sentence(hint, said) if hint else "", reasons=reasons(said),
            busy_open="busy" in request.query_params,
            masks=present_camera.mask_view(camera, report),
            can_change=await self._can_change(request))


class LooksPage(Handlers):
    async def watch(self, request: Request) -> ASGIApp:
        """GET: each look as an event with one line of JSON (core.contract.looks). 503 if capture does not answer."""
        camera = self._camera(request.path_params["name"])
        if camera is None or not (camera.enabled and camera.motion.enabled):
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
